//! Invitations: single use, of which only the secret's hash is stored.

use sqlx::{PgConnection, Row};
use time::OffsetDateTime;

use super::error::StoreError;
use super::read;
use crate::crypto::digest::{Digest, Kid};
use crate::crypto::month::Month;
use crate::domain::actor::Role;
use crate::domain::ids::{ActorId, ContextId};

/// An invitation.
#[derive(Clone)]
pub struct InviteRow {
    /// The context.
    pub ctx: ContextId,
    /// For which actor.
    pub actor: ActorId,
    /// The device's role.
    pub role: Role,
    /// The person's name, sealed under the keyring for the invite.
    pub person: Vec<u8>,
    /// Until when.
    pub until: OffsetDateTime,
    /// The device that it enrolled, by its key.
    pub used_by: Option<Kid>,
}

/// Stores an invitation.
///
/// # Errors
/// [`StoreError`]; `invite_pk` when the code was used before.
#[expect(clippy::too_many_arguments, reason = "one argument a column")]
pub async fn insert(
    conn: &mut PgConnection,
    code: &Digest,
    ctx: &ContextId,
    actor: &ActorId,
    role: Role,
    person: &[u8],
    month: Month,
    until: OffsetDateTime,
) -> Result<(), StoreError> {
    sqlx::query(
        "INSERT INTO hn.invite (code, ctx, actor, role, person, person_month, until) VALUES ($1, $2, $3, $4, $5, $6, $7)",
    )
    .bind(code.as_bytes().as_slice())
    .bind(ctx.as_str())
    .bind(actor.as_str())
    .bind(role.as_str())
    .bind(person)
    .bind(month.to_string())
    .bind(until)
    .execute(conn)
    .await?;
    Ok(())
}

/// The invitation with this code's hash, locked until the transaction ends.
///
/// # Errors
/// [`StoreError`].
pub async fn lock(conn: &mut PgConnection, code: &Digest) -> Result<Option<InviteRow>, StoreError> {
    let found = sqlx::query(
        "SELECT ctx, actor, role, person, until, used_by FROM hn.invite WHERE code = $1 FOR UPDATE",
    )
    .bind(code.as_bytes().as_slice())
    .fetch_optional(conn)
    .await?;
    let Some(row) = found else { return Ok(None) };
    let used_by: Option<Vec<u8>> = row.try_get("used_by")?;
    Ok(Some(InviteRow {
        ctx: read::text(&row, "ctx")?,
        actor: read::text(&row, "actor")?,
        role: read::text(&row, "role")?,
        person: row.try_get("person")?,
        until: row.try_get("until")?,
        used_by: used_by
            .and_then(|bytes| Digest::from_slice(&bytes).ok())
            .map(Kid::from_digest),
    }))
}

/// Uses an invitation up.
///
/// # Errors
/// [`StoreError::Conflict`] when it was used already.
pub async fn use_up(
    conn: &mut PgConnection,
    code: &Digest,
    by: &Kid,
    at: OffsetDateTime,
) -> Result<(), StoreError> {
    let done = sqlx::query(
        "UPDATE hn.invite SET used_at = $2, used_by = $3 WHERE code = $1 AND used_at IS NULL",
    )
    .bind(code.as_bytes().as_slice())
    .bind(at)
    .bind(by.as_bytes().as_slice())
    .execute(conn)
    .await?;
    if done.rows_affected() == 1 {
        Ok(())
    } else {
        Err(StoreError::Conflict)
    }
}

/// Whether a code exists.
///
/// # Errors
/// [`StoreError`].
pub async fn exists(conn: &mut PgConnection, code: &Digest) -> Result<bool, StoreError> {
    Ok(
        sqlx::query_scalar("SELECT EXISTS (SELECT FROM hn.invite WHERE code = $1)")
            .bind(code.as_bytes().as_slice())
            .fetch_one(conn)
            .await?,
    )
}
