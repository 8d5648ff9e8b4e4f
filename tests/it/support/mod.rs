//! What integration tests share: one PostgreSQL for the whole run, and a fresh, migrated database for each test.
//!
//! ```ignore
//! let db = TestDb::new().await;
//! let pools = db.pools().await;
//! ```

mod database;
mod server;

pub use database::TestDb;
pub use server::scratch_dir;
