//! The one way for a request to reach the application's pool: a transaction whose first statement says who is asking.
//! Row-level security reads it; without it every table is empty.

use sqlx::{AssertSqlSafe, PgPool, Postgres};

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
    let (ctx, actor) = (tenant.ctx.as_str(), tenant.actor.as_str());
    begin_as(pool, [ctx, actor, tenant.kind.as_str(), ""]).await
}

/// Begins a transaction that can see one thing: the device with this certificate key.
///
/// # Errors
/// [`StoreError`] when the database cannot be reached.
pub async fn begin_for_certificate(
    pool: &PgPool,
    spki: &Digest,
) -> Result<Transaction, StoreError> {
    begin_as(pool, ["", "", "", &hex(spki)]).await
}

fn hex(digest: &Digest) -> String {
    let digits = digest.as_bytes().iter().map(|byte| format!("{byte:02x}"));
    digits.collect()
}

/// Begins and says who asks in one message to the database: this stands before every read of every request.
async fn begin_as(
    pool: &PgPool,
    [ctx, actor, kind, spki]: [&str; 4],
) -> Result<Transaction, StoreError> {
    // Such a message takes no arguments. Names are of letters, digits and a few signs; whatever they were, nothing else goes in.
    let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
    if ![ctx, actor, kind, spki]
        .iter()
        .all(|name| name.chars().all(plain))
    {
        return Err(StoreError::Decode("a name".to_owned()));
    }
    let begin = format!(
        "BEGIN; SELECT set_config('hn.ctx', '{ctx}', true), set_config('hn.actor', '{actor}', true), \
         set_config('hn.kind', '{kind}', true), set_config('hn.spki', '{spki}', true)"
    );
    Ok(pool.begin_with(AssertSqlSafe(begin)).await?)
}
