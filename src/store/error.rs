//! What the database can answer, in words that the layers above can act on. PostgreSQL's own messages quote values and
//! SQL, and values here can be places and names, so none of them is kept: an error carries the SQLSTATE, the name of
//! the constraint and the name of the column, never more, neither in `Display` nor in `Debug` nor as a source.

use std::borrow::Cow;

use sqlx::error::DatabaseError;

/// Why a store function did not do what was asked.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum StoreError {
    /// The database could not be reached, or went away in between. What was asked may or may not have happened.
    #[error("the database is not available ({0})")]
    Unavailable(Unavailable),
    /// A statement ran longer than its bound. Nothing was changed.
    #[error("the database took too long")]
    Timeout,
    /// Two transactions stood in each other's way. Nothing was changed; the whole transaction can be tried again.
    #[error("the transaction collided with another one")]
    Conflict,
    /// A named constraint refused the change.
    #[error("{kind} constraint `{name}` refused the change")]
    Constraint {
        /// What sort of constraint.
        kind: ConstraintKind,
        /// Its name; for a missing value, the column's.
        name: String,
    },
    /// Exactly one row was expected and there was none.
    #[error("no such row")]
    NotFound,
    /// The role may not do that: missing privilege, or row-level security. A defect, or an attack.
    #[error("the database role may not do that")]
    Forbidden,
    /// A stored value could not be read as the type that it must have. A defect, or damage.
    #[error("column `{0}` does not hold what it must")]
    Decode(String),
    /// The schema was migrated by a newer version.
    #[error(
        "the database's schema ({found}) is newer than this version's ({known}); start it with the version that migrated it, or a later one"
    )]
    SchemaNewer {
        /// The newest migration in the database.
        found: i64,
        /// The newest that this binary has.
        known: i64,
    },
    /// A migration that was applied differs from the one in this binary.
    #[error(
        "migration {0} was applied in another form than this version has; restore the matching version"
    )]
    SchemaDiffers(i64),
    /// A migration failed; it was rolled back.
    #[error("migration {version} failed and was rolled back: {cause}")]
    Migration {
        /// Which.
        version: i64,
        /// Why.
        cause: Box<StoreError>,
    },
    /// The database has no PostGIS, and the role that migrates may not add it.
    #[error(
        "the database has no PostGIS and this role may not add it: install it on the database's machine and run \
         `CREATE EXTENSION postgis` in this database as a superuser"
    )]
    NoPostgis,
    /// The roles are missing, or can do too much, and the role that migrates may not change that.
    #[error(
        "the roles hn_owner, hn_app, hn_intake, hn_worker and hn_matcher are missing or have more rights than they \
         may, and this role may not set that right: as a superuser, create them with the attributes that \
         migrations/20261101000000_create_roles.sql lists, and grant all five to this role"
    )]
    NoRoles,
    /// The database URL is not one. It is not repeated here, because it can hold a password.
    #[error("the database URL is not a valid postgresql:// URL")]
    BadUrl,
    /// Any other refusal of the database, by its SQLSTATE (PostgreSQL manual, appendix A).
    #[error("the database refused with SQLSTATE {0}")]
    Database(String),
    /// A defect in how this program talks to the database.
    #[error("the database driver refused: {0}")]
    Driver(&'static str),
}

/// Why the database could not be reached.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Unavailable {
    /// The connection broke or could not be made.
    #[error("connection lost")]
    Connection,
    /// No connection of the pool became free in time.
    #[error("all connections busy")]
    PoolBusy,
    /// The pool was closed: this server is shutting down.
    #[error("shutting down")]
    PoolClosed,
    /// PostgreSQL is starting, stopping or recovering, or lost its role as primary.
    #[error("database restarting")]
    Restarting,
    /// PostgreSQL has no connection left.
    #[error("too many connections")]
    TooManyConnections,
    /// Disk full, or out of memory.
    #[error("out of disk or memory")]
    OutOfResources,
    /// Refused at the door: password, certificate, role or database.
    #[error("login refused")]
    Login,
}

/// The sort of a constraint.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum ConstraintKind {
    /// Unique or primary key.
    #[error("unique")]
    Unique,
    /// Foreign key.
    #[error("foreign key")]
    ForeignKey,
    /// Check.
    #[error("check")]
    Check,
    /// A value is missing.
    #[error("not-null")]
    NotNull,
    /// Exclusion.
    #[error("exclusion")]
    Exclusion,
}

impl StoreError {
    /// Whether the constraint of this name refused the change: the way from a constraint to its meaning.
    #[must_use]
    pub fn violates(&self, constraint: &str) -> bool {
        matches!(self, Self::Constraint { name, .. } if name == constraint)
    }

    /// Whether the same call can succeed a moment later without anything having been repaired by hand.
    #[must_use]
    pub fn is_transient(&self) -> bool {
        match self {
            Self::Unavailable(why) => !matches!(why, Unavailable::Login | Unavailable::PoolClosed),
            Self::Timeout | Self::Conflict => true,
            Self::Constraint { .. }
            | Self::NotFound
            | Self::Forbidden
            | Self::Decode(_)
            | Self::SchemaNewer { .. }
            | Self::SchemaDiffers(_)
            | Self::Migration { .. }
            | Self::NoPostgis
            | Self::NoRoles
            | Self::BadUrl
            | Self::Database(_)
            | Self::Driver(_) => false,
        }
    }
}

impl From<sqlx::Error> for StoreError {
    fn from(error: sqlx::Error) -> Self {
        use sqlx::Error as E;
        match error {
            E::Database(error) => from_database(error.as_ref()),
            E::Io(_) | E::Tls(_) | E::Protocol(_) | E::WorkerCrashed | E::BeginFailed => {
                Self::Unavailable(Unavailable::Connection)
            }
            E::PoolTimedOut => Self::Unavailable(Unavailable::PoolBusy),
            E::PoolClosed => Self::Unavailable(Unavailable::PoolClosed),
            E::RowNotFound => Self::NotFound,
            E::ColumnNotFound(name) => Self::Decode(name),
            E::ColumnDecode { index, .. } => Self::Decode(index),
            E::ColumnIndexOutOfBounds { index, .. } => Self::Decode(index.to_string()),
            E::Decode(_) => Self::Decode("?".to_owned()),
            E::TypeNotFound { .. } => Self::Driver("a type is missing in the database"),
            E::Encode(_) => Self::Driver("a value could not be encoded"),
            E::Configuration(_) => Self::Driver("its configuration"),
            E::Migrate(error) => (*error).into(),
            // sqlx's enum may grow; what it says is never repeated.
            _ => Self::Driver("unexpected error"),
        }
    }
}

impl From<sqlx::migrate::MigrateError> for StoreError {
    fn from(error: sqlx::migrate::MigrateError) -> Self {
        use sqlx::migrate::MigrateError as E;
        match error {
            E::Execute(error) => error.into(),
            E::ExecuteMigration(error, version) => Self::Migration {
                version,
                cause: Box::new(error.into()),
            },
            E::VersionMismatch(version) | E::Dirty(version) | E::VersionMissing(version) => {
                Self::SchemaDiffers(version)
            }
            _ => Self::Driver("the migrations"),
        }
    }
}

/// PostgreSQL's answer by its SQLSTATE.
fn from_database(error: &dyn DatabaseError) -> StoreError {
    let code = error.code().unwrap_or(Cow::Borrowed(""));
    let constraint = |kind| StoreError::Constraint {
        kind,
        name: named(error),
    };
    let unavailable = StoreError::Unavailable;
    match code.as_ref() {
        "23505" => constraint(ConstraintKind::Unique),
        "23503" => constraint(ConstraintKind::ForeignKey),
        "23514" => constraint(ConstraintKind::Check),
        "23502" => constraint(ConstraintKind::NotNull),
        "23P01" => constraint(ConstraintKind::Exclusion),
        "40001" | "40P01" => StoreError::Conflict,
        "57014" | "55P03" | "25P03" | "25P04" => StoreError::Timeout,
        "42501" => StoreError::Forbidden,
        "53100" | "53200" | "53000" => unavailable(Unavailable::OutOfResources),
        "53300" => unavailable(Unavailable::TooManyConnections),
        // Shutdown, crash, starting up; a primary that became a standby (read-only transaction).
        "57P01" | "57P02" | "57P03" | "57P05" | "25006" => unavailable(Unavailable::Restarting),
        "28000" | "28P01" | "3D000" => unavailable(Unavailable::Login),
        code if code.starts_with("08") => unavailable(Unavailable::Connection),
        code => StoreError::Database(code.to_owned()),
    }
}

/// The constraint's name; where a value is missing, the column's.
fn named(error: &dyn DatabaseError) -> String {
    let postgres = error.try_downcast_ref::<sqlx::postgres::PgDatabaseError>();
    let column = postgres.and_then(sqlx::postgres::PgDatabaseError::column);
    error
        .constraint()
        .or(column)
        .unwrap_or("unnamed")
        .to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_can_pass_by_itself_is_told_from_what_cannot() {
        assert!(StoreError::from(sqlx::Error::PoolTimedOut).is_transient());
        assert!(StoreError::Conflict.is_transient());
        assert!(!StoreError::Forbidden.is_transient());
        assert!(!StoreError::Unavailable(Unavailable::Login).is_transient());
        assert!(!StoreError::from(sqlx::Error::RowNotFound).is_transient());
    }

    #[test]
    fn a_value_that_the_driver_quotes_reaches_no_error() {
        let quoted = "36.7180 68.8690".to_owned();
        let decode = sqlx::Error::ColumnDecode {
            index: "place".to_owned(),
            source: quoted.clone().into(),
        };
        for error in [
            decode,
            sqlx::Error::Decode(quoted.clone().into()),
            sqlx::Error::Protocol(quoted),
        ] {
            let error = StoreError::from(error);
            assert!(!format!("{error} {error:?}").contains("36.7"), "{error:?}");
        }
    }
}
