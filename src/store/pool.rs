//! One bounded connection pool a role. A request, the intake and the background jobs never share one, so that none can
//! starve another, and a session of one can never act as another.

use std::time::Duration;

use sqlx::postgres::PgPoolOptions;
use sqlx::{AssertSqlSafe, Connection as _, Executor as _, PgPool};

use super::endpoint::Endpoint;
use super::error::StoreError;
use super::role::Role;

/// The bounds of one pool.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Bounds {
    /// Connections at most.
    pub connections: u32,
    /// How long to wait for one.
    pub acquire: Duration,
    /// How long one statement may run.
    pub statement: Duration,
    /// How long a transaction may sit idle.
    pub idle_in_transaction: Duration,
}

/// The bounds of all pools. Their connections together stay well below what the private cluster accepts (64).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PoolBounds {
    /// Requests.
    pub app: Bounds,
    /// The intake.
    pub intake: Bounds,
    /// Background jobs.
    pub worker: Bounds,
}

impl Default for PoolBounds {
    fn default() -> Self {
        let bounds = |connections, acquire_s, statement_s| Bounds {
            connections,
            acquire: Duration::from_secs(acquire_s),
            statement: Duration::from_secs(statement_s),
            idle_in_transaction: Duration::from_secs(10),
        };
        Self {
            app: bounds(16, 3, 5),
            intake: bounds(6, 3, 10),
            worker: bounds(8, 5, 60),
        }
    }
}

/// The pools. Cheap to clone; all clones share the connections.
#[derive(Debug, Clone)]
pub struct Pools {
    /// For requests, as `hn_app`.
    pub app: PgPool,
    /// For the intake, as `hn_intake`.
    pub intake: PgPool,
    /// For background jobs, as `hn_worker`.
    pub worker: PgPool,
}

impl Pools {
    /// Opens the pools and makes sure that each role can log in.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`] when one cannot.
    pub async fn open(endpoint: &Endpoint, bounds: &PoolBounds) -> Result<Self, StoreError> {
        let this = Self {
            app: lazy(endpoint, Role::App, bounds.app),
            intake: lazy(endpoint, Role::Intake, bounds.intake),
            worker: lazy(endpoint, Role::Worker, bounds.worker),
        };
        for pool in [&this.app, &this.intake, &this.worker] {
            drop(pool.acquire().await?);
        }
        Ok(this)
    }

    /// Closes all pools; waits until their connections are returned.
    pub async fn close(&self) {
        tokio::join!(self.app.close(), self.intake.close(), self.worker.close());
    }
}

/// How long a connection may have rested and be used without asking whether it still stands.
const IDLE_UNTESTED: Duration = Duration::from_secs(1);

/// A pool that connects when it is first used.
fn lazy(endpoint: &Endpoint, role: Role, bounds: Bounds) -> PgPool {
    let options = endpoint.options(role).options([
        ("statement_timeout", bounds.statement.as_millis()),
        ("lock_timeout", bounds.statement.as_millis()),
        (
            "idle_in_transaction_session_timeout",
            bounds.idle_in_transaction.as_millis(),
        ),
    ]);
    let become_role = endpoint.needs_set_role(role);
    PgPoolOptions::new()
        .max_connections(bounds.connections)
        .acquire_timeout(bounds.acquire)
        .test_before_acquire(false)
        .before_acquire(|connection, about| {
            Box::pin(async move {
                // The database may have gone away meanwhile; of one that spoke just now nothing is asked.
                if about.idle_for > IDLE_UNTESTED {
                    connection.ping().await?;
                }
                Ok(true)
            })
        })
        .after_connect(move |connection, _| {
            Box::pin(async move {
                if let Some(role) = become_role {
                    // The name is one of ours, never input.
                    connection
                        .execute(AssertSqlSafe(format!("SET ROLE {role}")))
                        .await?;
                }
                Ok(())
            })
        })
        .connect_lazy_with(options)
}
