//! Where the database is: in our own private cluster, or at a URL that someone gave us. Everything else asks this for
//! connection options and does not care which. A URL can hold a password, so this type never shows itself.

use std::fmt;
use std::path::{Path, PathBuf};
use std::str::FromStr as _;

use sqlx::postgres::PgConnectOptions;

use super::error::StoreError;
use super::role::Role;

/// Every session sees our schema first, then PostGIS, and temporary objects last, where they can shadow nothing.
const SEARCH_PATH: &str = "hn,public,pg_temp";

/// A database server and a database on it.
#[derive(Clone)]
pub struct Endpoint(Kind);

#[derive(Clone)]
enum Kind {
    /// Unix socket; each role logs in by itself, the operating system vouches.
    Private {
        socket_dir: PathBuf,
        database: String,
    },
    /// Given by URL; every session logs in as the URL's role and then becomes the one it needs.
    External(Box<PgConnectOptions>),
}

impl Endpoint {
    /// A database in a private cluster.
    #[must_use]
    pub fn private(socket_dir: &Path, database: &str) -> Self {
        Self(Kind::Private {
            socket_dir: socket_dir.to_owned(),
            database: database.to_owned(),
        })
    }

    /// A database on a server that someone else runs, as a `postgresql://` URL.
    ///
    /// The URL's role must own the database or be able to create schemas in it, and must be a member of `hn_owner`,
    /// `hn_app`, `hn_intake` and `hn_worker`; where these roles do not exist yet, it must be able to create them.
    ///
    /// # Errors
    /// [`StoreError::BadUrl`], which does not repeat the URL.
    pub fn external(url: &str) -> Result<Self, StoreError> {
        let scheme = url.starts_with("postgresql://") || url.starts_with("postgres://");
        let options = PgConnectOptions::from_str(url)
            .ok()
            .filter(|_| scheme)
            .ok_or(StoreError::BadUrl)?;
        Ok(Self(Kind::External(Box::new(options))))
    }

    /// The same server, another database on it.
    #[must_use]
    pub fn with_database(&self, database: &str) -> Self {
        Self(match &self.0 {
            Kind::Private { socket_dir, .. } => Kind::Private {
                socket_dir: socket_dir.clone(),
                database: database.to_owned(),
            },
            Kind::External(options) => {
                Kind::External(Box::new(options.as_ref().clone().database(database)))
            }
        })
    }

    /// Connection options for `role`. On an external server these log in as the URL's role: the caller must then
    /// `SET ROLE`, as [`Self::needs_set_role`] says.
    #[must_use]
    pub fn options(&self, role: Role) -> PgConnectOptions {
        let options = match &self.0 {
            Kind::Private {
                socket_dir,
                database,
            } => PgConnectOptions::new_without_pgpass()
                .socket(socket_dir)
                .port(5432)
                .username(role.name())
                .database(database),
            Kind::External(options) => options.as_ref().clone(),
        };
        options
            .application_name(&format!("herald {role}"))
            .options([("search_path", SEARCH_PATH), ("TimeZone", "UTC")])
    }

    /// The role that a fresh session must take on, or `None` where it logged in as that role.
    #[must_use]
    pub fn needs_set_role(&self, role: Role) -> Option<Role> {
        match (&self.0, role) {
            (Kind::Private { .. }, _) | (Kind::External(_), Role::Admin) => None,
            (Kind::External(_), Role::App | Role::Intake | Role::Worker) => Some(role),
        }
    }
}

impl fmt::Debug for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0 {
            Kind::Private { database, .. } => write!(f, "Endpoint(private, {database})"),
            Kind::External(_) => f.write_str("Endpoint(external, [sealed])"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_password_in_a_url_is_never_shown() {
        let endpoint = Endpoint::external("postgresql://u:hunter2@db.example/herald").unwrap();
        assert!(!format!("{endpoint:?}").contains("hunter2"));
        for bad in [
            "mysql://u:hunter2@x/y",
            "postgresql://u:hunter2@x:port/y",
            "hunter2",
        ] {
            let error = Endpoint::external(bad).unwrap_err();
            assert!(!format!("{error} {error:?}").contains("hunter2"));
        }
    }

    #[test]
    fn only_an_external_server_needs_the_role_set() {
        let external = Endpoint::external("postgresql://u@db.example/herald").unwrap();
        assert_eq!(external.needs_set_role(Role::App), Some(Role::App));
        assert_eq!(external.needs_set_role(Role::Admin), None);
        assert_eq!(
            Endpoint::private(Path::new("/run"), "x").needs_set_role(Role::App),
            None
        );
    }
}
