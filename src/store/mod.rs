//! The only user of sqlx: one file a table group, the private PostgreSQL, and the pools by role.

pub mod actors;
pub mod arrivals;
pub mod blobs;
pub mod checks;
pub mod closing;
pub mod cluster;
pub mod desk;
pub mod devices;
pub mod distress;
pub mod due;
pub mod endpoint;
pub mod error;
pub mod invites;
pub mod listen;
pub mod mailbox;
pub mod migrate;
pub mod months;
pub mod notifications;
pub mod nudge_out;
pub mod nudge_plan;
pub mod nudges;
pub mod pool;
pub mod progress;
mod read;
pub mod rebuild;
pub mod relay;
pub mod role;
pub mod statements;
pub mod status;
pub mod threads;
pub mod tx;

/// A connection to the database, inside a transaction or not: what the functions here take.
pub use sqlx::PgConnection as Connection;
