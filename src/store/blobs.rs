//! The contents of attachments: what is there of each, its pieces, and which statements name it. Requests reach their own
//! and what they are entitled to by row-level security alone.

use sqlx::postgres::PgRow;
use sqlx::{PgConnection, Row};

use super::error::StoreError;
use super::read;
use crate::crypto::digest::Digest;
use crate::crypto::month::Month;
use crate::domain::ids::{ActorId, ContextId, LogPosition, Nid, Revision};

/// Bytes in each piece but the last.
pub const PIECE_BYTES: u64 = 64 << 10;

/// A blob.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BlobRow {
    /// Its number.
    pub id: i64,
    /// Who sent it.
    pub actor: ActorId,
    /// SHA-256 of the whole.
    pub digest: Digest,
    /// How long the whole is, in bytes.
    pub size: u64,
    /// How much of it is there, from the beginning.
    pub have: u64,
    /// Whether all is there and its digest was compared.
    pub complete: bool,
    /// The month whose key seals its pieces.
    pub month: Month,
    /// Whether its contents were destroyed with that month.
    pub destroyed: bool,
}

fn blob(row: &PgRow) -> Result<BlobRow, StoreError> {
    let bytes = |column: &'static str| -> Result<u64, StoreError> {
        u64::try_from(row.try_get::<i32, _>(column)?)
            .map_err(|_| StoreError::Decode(column.to_owned()))
    };
    Ok(BlobRow {
        id: row.try_get("id")?,
        actor: read::text(row, "actor")?,
        digest: read::digest(row, "digest")?,
        size: bytes("size")?,
        have: bytes("have")?,
        complete: row.try_get("complete")?,
        month: read::text(row, "month")?,
        destroyed: row.try_get("destroyed")?,
    })
}

/// Lets nobody else of the tenant begin a blob until the transaction ends, so that two at once cannot pass the quota
/// together.
///
/// # Errors
/// [`StoreError`].
pub async fn lock_quota(conn: &mut PgConnection) -> Result<(), StoreError> {
    sqlx::query("SELECT pg_advisory_xact_lock(hashtextextended('hn.blob ' || hn.ctx() || ' ' || hn.me(), 0))")
        .execute(conn)
        .await?;
    Ok(())
}

/// What the tenant's blobs take, in bytes: each in whole pieces, whether it has arrived or was only begun.
///
/// # Errors
/// [`StoreError`].
pub async fn taken(conn: &mut PgConnection) -> Result<u64, StoreError> {
    let pieces: i64 = sqlx::query_scalar(
        "SELECT coalesce(sum((size + $1 - 1) / $1), 0)::bigint FROM hn.blob WHERE ctx = hn.ctx() AND actor = hn.me() AND destroyed_at IS NULL",
    )
    .bind(i32::try_from(PIECE_BYTES).unwrap_or(i32::MAX))
    .fetch_one(conn)
    .await?;
    Ok(u64::try_from(pieces)
        .unwrap_or(0)
        .saturating_mul(PIECE_BYTES))
}

/// The tenant's own blob.
///
/// # Errors
/// [`StoreError`].
pub async fn own(conn: &mut PgConnection, digest: &Digest) -> Result<Option<BlobRow>, StoreError> {
    let row = sqlx::query(
        "SELECT id, actor, digest, size, have, complete, month, destroyed_at IS NOT NULL AS destroyed FROM hn.blob
          WHERE ctx = hn.ctx() AND actor = hn.me() AND digest = $1",
    )
    .bind(digest.as_bytes().as_slice())
    .fetch_optional(conn)
    .await?;
    row.as_ref().map(blob).transpose()
}

/// A blob that the tenant may read; its own, where it has one of that digest.
///
/// # Errors
/// [`StoreError`].
pub async fn readable(
    conn: &mut PgConnection,
    digest: &Digest,
) -> Result<Option<BlobRow>, StoreError> {
    let row = sqlx::query(
        "SELECT id, actor, digest, size, have, complete, month, destroyed_at IS NOT NULL AS destroyed FROM hn.blob
          WHERE ctx = hn.ctx() AND digest = $1 ORDER BY destroyed_at IS NULL DESC, complete DESC, actor = hn.me() DESC, id LIMIT 1",
    )
    .bind(digest.as_bytes().as_slice())
    .fetch_optional(conn)
    .await?;
    row.as_ref().map(blob).transpose()
}

/// Begins a blob of the tenant's.
///
/// # Errors
/// [`StoreError`]; `blob_once` when it has begun.
pub async fn begin(
    conn: &mut PgConnection,
    digest: &Digest,
    size: u64,
    month: Month,
) -> Result<(), StoreError> {
    sqlx::query(
        "INSERT INTO hn.blob (ctx, actor, digest, size, month, touched_at) VALUES (hn.ctx(), hn.me(), $1, $2, $3, hn.now())",
    )
    .bind(digest.as_bytes().as_slice())
    .bind(i32::try_from(size).unwrap_or(i32::MAX))
    .bind(month.to_string())
    .execute(conn)
    .await?;
    Ok(())
}

/// Adds the piece `n` to a blob that has `from` bytes and has `upto` with it. Gives whether it went on there: not, when
/// somebody else was faster, or when a statement names the blob already.
///
/// # Errors
/// [`StoreError`].
pub async fn append(
    conn: &mut PgConnection,
    id: i64,
    n: u32,
    (from, upto): (u64, u64),
    content: &[u8],
) -> Result<bool, StoreError> {
    let bytes = |number: u64| i32::try_from(number).unwrap_or(i32::MAX);
    let moved = sqlx::query(
        "UPDATE hn.blob SET have = $3, touched_at = hn.now() WHERE id = $1 AND have = $2 AND NOT complete",
    )
    .bind(id)
    .bind(bytes(from))
    .bind(bytes(upto))
    .execute(&mut *conn)
    .await?;
    if moved.rows_affected() != 1 {
        return Ok(false);
    }
    sqlx::query("INSERT INTO hn.blob_chunk (blob, n, content) VALUES ($1, $2, $3)")
        .bind(id)
        .bind(bytes(n.into()))
        .bind(content)
        .execute(conn)
        .await?;
    Ok(true)
}

/// One piece, as it is sealed.
///
/// # Errors
/// [`StoreError`].
pub async fn piece(
    conn: &mut PgConnection,
    id: i64,
    n: u32,
) -> Result<Option<Vec<u8>>, StoreError> {
    Ok(
        sqlx::query_scalar("SELECT content FROM hn.blob_chunk WHERE blob = $1 AND n = $2")
            .bind(id)
            .bind(i32::try_from(n).unwrap_or(i32::MAX))
            .fetch_optional(conn)
            .await?,
    )
}

/// Says that all is there and is what it was announced as.
///
/// # Errors
/// [`StoreError`].
pub async fn complete(conn: &mut PgConnection, id: i64) -> Result<(), StoreError> {
    sqlx::query("UPDATE hn.blob SET complete = true, touched_at = hn.now() WHERE id = $1")
        .bind(id)
        .execute(conn)
        .await?;
    Ok(())
}

/// Takes away the tenant's own blob that no statement names.
///
/// # Errors
/// [`StoreError`].
pub async fn forget(conn: &mut PgConnection, id: i64) -> Result<(), StoreError> {
    sqlx::query("DELETE FROM hn.blob WHERE id = $1 AND named_at IS NULL")
        .bind(id)
        .execute(conn)
        .await?;
    Ok(())
}

/// Those of these digests that an actor has sent, or begun to send. For the intake.
///
/// # Errors
/// [`StoreError`].
pub async fn sent_by(
    conn: &mut PgConnection,
    ctx: &ContextId,
    actor: &ActorId,
    digests: &[Digest],
) -> Result<Vec<BlobRow>, StoreError> {
    let rows = sqlx::query(
        "SELECT id, actor, digest, size, have, complete, month, destroyed_at IS NOT NULL AS destroyed FROM hn.blob
          WHERE ctx = $1 AND actor = $2 AND digest = ANY($3)",
    )
    .bind(ctx.as_str())
    .bind(actor.as_str())
    .bind(
        digests
            .iter()
            .map(|d| d.as_bytes().to_vec())
            .collect::<Vec<_>>(),
    )
    .fetch_all(conn)
    .await?;
    rows.iter().map(blob).collect()
}

/// Writes that the statement at `pos` names these blobs; from now on they stay. For the intake.
///
/// # Errors
/// [`StoreError`]; [`StoreError::Conflict`] when one of them was cleared away meanwhile.
pub async fn name(
    conn: &mut PgConnection,
    pos: LogPosition,
    (nid, rev, org): (Nid, Revision, &ActorId),
    ids: &[i64],
) -> Result<(), StoreError> {
    let named = sqlx::query(
        "UPDATE hn.blob SET named_at = coalesce(named_at, hn.now()) WHERE id = ANY($1) AND complete",
    )
    .bind(ids)
    .execute(&mut *conn)
    .await?;
    if u64::try_from(ids.len()) != Ok(named.rows_affected()) {
        return Err(StoreError::Conflict);
    }
    sqlx::query(
        "INSERT INTO hn.blob_use (pos, blob, nid, rev, org) SELECT $1, unnest($2::bigint[]), $3, $4, $5",
    )
    .bind(read::bigint(pos.0))
    .bind(ids)
    .bind(nid.uuid())
    .bind(read::integer(rev))
    .bind(org.as_str())
    .execute(conn)
    .await?;
    Ok(())
}

/// Takes away blobs of which nothing came for 24 hours and that no statement names, at most `limit`. Gives how many. For
/// the worker.
///
/// # Errors
/// [`StoreError`].
pub async fn clear_away(conn: &mut PgConnection, limit: i64) -> Result<u64, StoreError> {
    let gone = sqlx::query(
        "DELETE FROM hn.blob
          WHERE named_at IS NULL AND touched_at < (SELECT hn.now()) - interval '24 hours'
            AND id IN (SELECT id FROM hn.blob
                        WHERE named_at IS NULL AND touched_at < (SELECT hn.now()) - interval '24 hours'
                        ORDER BY touched_at LIMIT $1)",
    )
    .bind(limit)
    .execute(conn)
    .await?;
    Ok(gone.rows_affected())
}
