//! The database roles that this program logs in as. They stand in one place because four things must agree on them:
//! the private cluster's identity map, the connection pools, the migration that creates them, and the tests that hold
//! each to what it may do.

use std::fmt;

/// A role that this program connects as. `hn_owner` and `hn_matcher` are missing on purpose: nobody logs in as them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Role {
    /// Superuser of a private cluster: creates the database, runs migrations, nothing else.
    /// On a database given by URL it is that URL's own role.
    Admin,
    /// Requests: bound by row-level security, no DDL.
    App,
    /// The one intake: works across tenants, never serves a read to anyone.
    Intake,
    /// Background jobs: as the intake.
    Worker,
}

impl Role {
    /// Every role, in a stable order.
    pub const ALL: [Self; 4] = [Self::Admin, Self::App, Self::Intake, Self::Worker];

    /// The role's name in PostgreSQL.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Admin => "herald_admin",
            Self::App => "hn_app",
            Self::Intake => "hn_intake",
            Self::Worker => "hn_worker",
        }
    }
}

impl fmt::Display for Role {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}
