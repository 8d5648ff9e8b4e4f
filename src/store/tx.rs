//! The one way for a request to reach the application's pool: a transaction whose first statement says who is asking.
//! Row-level security reads it; without it every table is empty.

use sqlx::{PgPool, Postgres};

use super::error::StoreError;
use crate::crypto::digest::Digest;
use crate::domain::actor::ActorKind;
use crate::domain::ids::{ActorId, ContextId};

/// A transaction.
pub type Transaction = sqlx::Transaction<'static, Postgres>;

/// Whose rows a transaction may see.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tenant {
    /// The context.
    pub ctx: ContextId,
    /// The actor.
    pub actor: ActorId,
    /// What it is: a coordinator sees its whole context.
    pub kind: ActorKind,
}

/// Begins a transaction as a tenant.
///
/// # Errors
/// [`StoreError`] when the database cannot be reached.
pub async fn begin(pool: &PgPool, tenant: &Tenant) -> Result<Transaction, StoreError> {
    let mut tx = pool.begin().await?;
    sqlx::query(
        "SELECT set_config('hn.ctx', $1, true), set_config('hn.actor', $2, true), set_config('hn.kind', $3, true), set_config('hn.spki', '', true)",
    )
    .bind(tenant.ctx.as_str())
    .bind(tenant.actor.as_str())
    .bind(tenant.kind.as_str())
    .execute(&mut *tx)
    .await?;
    Ok(tx)
}

/// Begins a transaction that can see one thing: the device with this certificate key.
///
/// # Errors
/// [`StoreError`] when the database cannot be reached.
pub async fn begin_for_certificate(
    pool: &PgPool,
    spki: &Digest,
) -> Result<Transaction, StoreError> {
    let mut tx = pool.begin().await?;
    sqlx::query(
        "SELECT set_config('hn.spki', encode($1, 'hex'), true), set_config('hn.ctx', '', true), set_config('hn.actor', '', true), set_config('hn.kind', '', true)",
    )
    .bind(spki.as_bytes().as_slice())
    .execute(&mut *tx)
    .await?;
    Ok(tx)
}
