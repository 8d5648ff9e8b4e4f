//! How far movements are: which statement says so, by sort. What it says is a sealed part.

use sqlx::PgConnection;

use super::error::StoreError;
use super::read;
use crate::domain::exchange::Step;
use crate::domain::ids::{ActorId, ContextId, LogPosition, Nid, Revision};

/// Keeps which statement is the latest word of its sort on a movement's revision.
///
/// # Errors
/// [`StoreError`].
pub async fn set(
    conn: &mut PgConnection,
    ctx: &ContextId,
    org: &ActorId,
    (nid, rev): (Nid, Revision),
    step: Step,
    pos: LogPosition,
) -> Result<(), StoreError> {
    let sort = match step {
        Step::Departed | Step::AtWaypoint => "passed",
        Step::Delayed => "delayed",
    };
    sqlx::query(
        "INSERT INTO hn.progress (nid, rev, sort, ctx, org, pos) VALUES ($1, $2, $3, $4, $5, $6)
         ON CONFLICT (nid, rev, sort) DO UPDATE SET pos = excluded.pos",
    )
    .bind(nid.uuid())
    .bind(read::integer(rev))
    .bind(sort)
    .bind(ctx.as_str())
    .bind(org.as_str())
    .bind(read::bigint(pos.0))
    .execute(conn)
    .await?;
    Ok(())
}

/// A part of a stored statement, sealed under the keyring.
///
/// # Errors
/// [`StoreError`].
pub async fn part(
    conn: &mut PgConnection,
    pos: LogPosition,
    part: &str,
) -> Result<Option<Vec<u8>>, StoreError> {
    Ok(
        sqlx::query_scalar("SELECT content FROM hn.part WHERE pos = $1 AND part = $2")
            .bind(read::bigint(pos.0))
            .bind(part)
            .fetch_optional(conn)
            .await?,
    )
}
