//! Listening for the database's bell. A notification is empty and only wakes: what there is to do is found in the tables,
//! and whoever listens looks there from time to time without it.

use sqlx::postgres::{PgListener, PgPool};

use super::error::StoreError;

/// The channel that the intake rings after its commit.
pub const WAKE_CHANNEL: &str = "hn_wake";

/// A connection that listens for the bell.
pub struct WakeListener(PgListener);

impl WakeListener {
    /// Begins to listen, with a connection of its own from this pool.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn connect(pool: &PgPool) -> Result<Self, StoreError> {
        let mut listener = PgListener::connect_with(pool).await?;
        // Whoever listens bounds how often it is tried.
        listener.eager_reconnect(false);
        listener.listen(WAKE_CHANNEL).await?;
        Ok(Self(listener))
    }

    /// Returns when the bell has rung. May be dropped while waiting.
    ///
    /// # Errors
    /// [`StoreError`] when the connection is lost: connect again, and look into the tables, for a ring may be lost too.
    pub async fn ring(&mut self) -> Result<(), StoreError> {
        match self.0.try_recv().await? {
            Some(_) => Ok(()),
            None => Err(StoreError::Unavailable(
                super::error::Unavailable::Connection,
            )),
        }
    }
}

impl std::fmt::Debug for WakeListener {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("WakeListener")
    }
}

/// Rings the bell; the intake calls it after its commit, at most every few milliseconds.
///
/// # Errors
/// [`StoreError`].
pub async fn ring(pool: &PgPool) -> Result<(), StoreError> {
    sqlx::query("SELECT pg_notify($1, '')")
        .bind(WAKE_CHANNEL)
        .execute(pool)
        .await?;
    Ok(())
}
