//! The only user of sqlx.
pub mod cluster;
pub mod endpoint;
pub mod error;
pub mod mailbox;
pub mod migrate;
pub mod pool;
pub mod role;
