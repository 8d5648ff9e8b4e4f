//! Statements: exact bytes, in one dense order, with what travels beside them sealed under the keyring.

use sqlx::{PgConnection, Row};
use time::OffsetDateTime;
use uuid::Uuid;

use super::error::StoreError;
use super::read;
use crate::crypto::digest::{Digest, Kid};
use crate::crypto::month::Month;
use crate::domain::ids::{ActorId, ContextId, Issuer, LogPosition};
use crate::domain::kind::Kind;
use crate::domain::notification::Tier;

/// Takes the lock that orders everything accepted; gives the last position and the database's time.
///
/// # Errors
/// [`StoreError`].
pub async fn lock_head(
    conn: &mut PgConnection,
) -> Result<(LogPosition, OffsetDateTime), StoreError> {
    let row = sqlx::query(
        "SELECT position, clock_timestamp() + ahead AS at FROM hn.head WHERE only_one FOR UPDATE",
    )
    .fetch_one(conn)
    .await?;
    Ok((read::position(&row, "position")?, row.try_get("at")?))
}

/// The database's time.
///
/// # Errors
/// [`StoreError`].
pub async fn now(conn: &mut PgConnection) -> Result<OffsetDateTime, StoreError> {
    Ok(sqlx::query_scalar("SELECT hn.now()")
        .fetch_one(conn)
        .await?)
}

/// Sets the last position, if it moved.
///
/// # Errors
/// [`StoreError`].
pub async fn set_head(conn: &mut PgConnection, position: LogPosition) -> Result<(), StoreError> {
    sqlx::query("UPDATE hn.head SET position = $1 WHERE only_one AND position <> $1")
        .bind(read::bigint(position.0))
        .execute(conn)
        .await?;
    Ok(())
}

/// A statement that was stored before.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Known {
    /// Its position.
    pub pos: LogPosition,
    /// Its hash.
    pub hash: Digest,
    /// Its receipt.
    pub receipt: String,
}

/// What is known of a statement's bytes, or of its issuer's `jti`.
///
/// # Errors
/// [`StoreError`].
pub async fn known(
    conn: &mut PgConnection,
    hash: &Digest,
    ctx: &ContextId,
    issuer: &Issuer,
    jti: Uuid,
) -> Result<Option<Known>, StoreError> {
    let row = sqlx::query(
        "SELECT pos, hash, receipt FROM hn.statement WHERE hash = $1
         UNION ALL
         SELECT pos, hash, receipt FROM hn.statement WHERE ctx = $2 AND actor = $3 AND device = $4 AND jti = $5 AND hash <> $1
         LIMIT 1",
    )
    .bind(hash.as_bytes().as_slice())
    .bind(ctx.as_str())
    .bind(issuer.actor.as_str())
    .bind(device_column(issuer))
    .bind(jti)
    .fetch_optional(conn)
    .await?;
    row.map(|row| {
        Ok(Known {
            pos: read::position(&row, "pos")?,
            hash: read::digest(&row, "hash")?,
            receipt: row.try_get("receipt")?,
        })
    })
    .transpose()
}

pub(super) fn device_column(issuer: &Issuer) -> &str {
    issuer.device.as_ref().map_or(
        crate::domain::ids::DeviceId::ROOT,
        crate::domain::ids::DeviceId::as_str,
    )
}

/// A statement to store.
pub struct NewStatement<'a> {
    /// Its position.
    pub pos: LogPosition,
    /// Its hash.
    pub hash: Digest,
    /// Its context.
    pub ctx: &'a ContextId,
    /// Who signed.
    pub issuer: &'a Issuer,
    /// With which key.
    pub kid: Kid,
    /// Its id.
    pub jti: Uuid,
    /// Its kind.
    pub kind: Kind,
    /// The exact bytes.
    pub jws: &'a str,
    /// The receipt.
    pub receipt: &'a str,
    /// The actor whose device brought it.
    pub submitted_by: &'a ActorId,
    /// When, by the database's clock.
    pub at: OffsetDateTime,
}

/// A part that the server can read, or a seal that it cannot, sealed under the keyring.
#[derive(Clone)]
pub struct NewRecord {
    /// The part's name.
    pub part: String,
    /// Digest of the disclosure.
    pub sd: Digest,
    /// For a seal: its reader's key.
    pub reader: Option<Kid>,
    /// Under which month's KEK.
    pub month: Month,
    /// Whose it is.
    pub org: ActorId,
    /// The sealed record.
    pub content: Vec<u8>,
}

/// Stores a statement.
///
/// # Errors
/// [`StoreError`]; `statement_hash_unique`, `statement_jti_unique`, `statement_pk`.
pub async fn insert(
    conn: &mut PgConnection,
    statement: &NewStatement<'_>,
) -> Result<(), StoreError> {
    sqlx::query(
        "INSERT INTO hn.statement (pos, hash, ctx, actor, device, kid, jti, kind, jws, receipt, submitted_by, at)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12)",
    )
    .bind(read::bigint(statement.pos.0))
    .bind(statement.hash.as_bytes().as_slice())
    .bind(statement.ctx.as_str())
    .bind(statement.issuer.actor.as_str())
    .bind(device_column(statement.issuer))
    .bind(statement.kid.as_bytes().as_slice())
    .bind(statement.jti)
    .bind(statement.kind.as_str())
    .bind(statement.jws)
    .bind(statement.receipt)
    .bind(statement.submitted_by.as_str())
    .bind(statement.at)
    .execute(conn)
    .await?;
    Ok(())
}

/// Stores what travels beside a statement.
///
/// # Errors
/// [`StoreError`].
pub async fn insert_records(
    conn: &mut PgConnection,
    pos: LogPosition,
    records: &[NewRecord],
) -> Result<(), StoreError> {
    let (parts, seals): (Vec<_>, Vec<_>) = records.iter().partition(|r| r.reader.is_none());
    for (sql, group) in [
        (
            "INSERT INTO hn.part (pos, part, sd, month, org, content)
             SELECT $1, p, s, m, o, c FROM unnest($2::text[], $3::bytea[], $4::text[], $5::text[], $6::bytea[], $7::bytea[]) AS u(p, s, m, o, c, k)",
            parts,
        ),
        (
            "INSERT INTO hn.seal (pos, part, kid, sd, month, org, content)
             SELECT $1, p, k, s, m, o, c FROM unnest($2::text[], $3::bytea[], $4::text[], $5::text[], $6::bytea[], $7::bytea[]) AS u(p, s, m, o, c, k)",
            seals,
        ),
    ] {
        if group.is_empty() {
            continue;
        }
        sqlx::query(sql)
            .bind(read::bigint(pos.0))
            .bind(group.iter().map(|r| r.part.clone()).collect::<Vec<_>>())
            .bind(group.iter().map(|r| r.sd.as_bytes().to_vec()).collect::<Vec<_>>())
            .bind(group.iter().map(|r| r.month.to_string()).collect::<Vec<_>>())
            .bind(group.iter().map(|r| r.org.as_str().to_owned()).collect::<Vec<_>>())
            .bind(group.iter().map(|r| r.content.clone()).collect::<Vec<_>>())
            .bind(group.iter().map(|r| r.reader.map(|k| k.as_bytes().to_vec()).unwrap_or_default()).collect::<Vec<_>>())
            .execute(&mut *conn)
            .await?;
    }
    Ok(())
}

/// Puts an event into each desk's mailbox; gives each desk's new sequence number, in the order of `desks`. With a desk
/// stands what it sees, where the statement is no revision whose audience says it. The caller holds the head's lock, so
/// that sequence numbers are dense and follow positions.
///
/// # Errors
/// [`StoreError`]; [`StoreError::NotFound`] when a desk does not exist.
pub async fn deliver(
    conn: &mut PgConnection,
    ctx: &ContextId,
    desks: &[(ActorId, Option<Tier>)],
    pos: LogPosition,
) -> Result<Vec<i64>, StoreError> {
    if desks.is_empty() {
        return Ok(Vec::new());
    }
    let names: Vec<String> = desks.iter().map(|(d, _)| d.as_str().to_owned()).collect();
    let tiers: Vec<Option<&str>> = desks.iter().map(|(_, t)| t.map(Tier::as_str)).collect();
    let rows = sqlx::query(
        "WITH told AS (
             SELECT DISTINCT ON (d.actor) d.actor, d.tier FROM unnest($2::text[], $3::text[]) AS d(actor, tier)
         ), next AS (
             UPDATE hn.actor a SET mailbox_seq = a.mailbox_seq + 1 FROM told
              WHERE a.ctx = $1 AND a.actor = told.actor RETURNING a.actor, a.mailbox_seq, told.tier
         )
         INSERT INTO hn.mailbox (ctx, actor, seq, pos, tier) SELECT $1, actor, mailbox_seq, $4, tier FROM next
         RETURNING actor, seq",
    )
    .bind(ctx.as_str())
    .bind(&names)
    .bind(&tiers)
    .bind(read::bigint(pos.0))
    .fetch_all(conn)
    .await?;
    let found: std::collections::HashMap<String, i64> = rows
        .iter()
        .map(|row| Ok((row.try_get("actor")?, row.try_get("seq")?)))
        .collect::<Result<_, sqlx::Error>>()?;
    names
        .iter()
        .map(|name| found.get(name).copied().ok_or(StoreError::NotFound))
        .collect()
}

/// The exact bytes of the statement at a position, if the tenant may see it.
///
/// # Errors
/// [`StoreError`].
pub async fn at(conn: &mut PgConnection, pos: LogPosition) -> Result<Option<String>, StoreError> {
    Ok(
        sqlx::query_scalar("SELECT jws FROM hn.statement WHERE pos = $1")
            .bind(read::bigint(pos.0))
            .fetch_optional(conn)
            .await?,
    )
}

/// The exact bytes of an actor's statements of a kind behind a position, oldest first.
///
/// # Errors
/// [`StoreError`].
pub async fn since(
    conn: &mut PgConnection,
    ctx: &ContextId,
    kind: Kind,
    after: LogPosition,
) -> Result<Vec<(ActorId, String)>, StoreError> {
    let rows = sqlx::query("SELECT actor, jws FROM hn.statement WHERE ctx = $1 AND kind = $2 AND pos > $3 ORDER BY pos LIMIT 10000")
        .bind(ctx.as_str())
        .bind(kind.as_str())
        .bind(read::bigint(after.0))
        .fetch_all(conn)
        .await?;
    rows.iter()
        .map(|row| Ok((read::text(row, "actor")?, row.try_get("jws")?)))
        .collect()
}
