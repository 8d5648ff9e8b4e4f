//! Devices and their keys: who a certificate belongs to, and which key a `kid` names.

use sqlx::{PgConnection, PgPool, Row};
use time::OffsetDateTime;

use super::error::StoreError;
use super::read;
use super::tx;
use crate::crypto::digest::{Digest, Kid};
use crate::crypto::month::Month;
use crate::domain::actor::{ActorKind, ActorState, DeviceState, Role};
use crate::domain::ids::{ActorId, ContextId, DeviceId, LogPosition};

/// A device with its actor.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DeviceRow {
    /// Its context.
    pub ctx: ContextId,
    /// Its actor.
    pub actor: ActorId,
    /// What the actor is.
    pub kind: ActorKind,
    /// The actor's public name.
    pub name: String,
    /// Where the actor stands.
    pub actor_state: ActorState,
    /// The device.
    pub device: DeviceId,
    /// Its role.
    pub role: Role,
    /// Where it stands.
    pub state: DeviceState,
    /// Its current signing key's thumbprint.
    pub kid: Kid,
    /// Its current signing key, 32 bytes.
    pub signing_key: Vec<u8>,
    /// Its own HPKE public key.
    pub seal_key: Vec<u8>,
    /// SHA-256 of its certificate's public key.
    pub spki: Digest,
    /// The person's name, sealed under the keyring.
    pub person: Vec<u8>,
    /// When its certificate ends.
    pub until: OffsetDateTime,
}

const COLUMNS: &str = "d.ctx, d.actor, a.kind, a.name, hn.standing(a.state, a.next_state, a.next_from) AS actor_state, d.device, d.role, d.state, d.kid, d.signing_key, \
     d.seal_key, d.spki, d.person, d.until FROM hn.device d JOIN hn.actor a ON a.ctx = d.ctx AND a.actor = d.actor";

fn row(row: &sqlx::postgres::PgRow) -> Result<DeviceRow, StoreError> {
    Ok(DeviceRow {
        ctx: read::text(row, "ctx")?,
        actor: read::text(row, "actor")?,
        kind: read::text(row, "kind")?,
        name: row.try_get("name")?,
        actor_state: read::text(row, "actor_state")?,
        device: read::text(row, "device")?,
        role: read::text(row, "role")?,
        state: read::text(row, "state")?,
        kid: read::kid(row, "kid")?,
        signing_key: row.try_get("signing_key")?,
        seal_key: row.try_get("seal_key")?,
        spki: read::digest(row, "spki")?,
        person: row.try_get("person")?,
        until: row.try_get("until")?,
    })
}

/// The device whose certificate has this public key, or had it before its last renewal.
///
/// # Errors
/// [`StoreError`].
pub async fn by_certificate(pool: &PgPool, spki: &Digest) -> Result<Option<DeviceRow>, StoreError> {
    let mut tx = tx::begin_for_certificate(pool, spki).await?;
    let found = sqlx::query(sqlx::AssertSqlSafe(format!(
        "SELECT {COLUMNS} WHERE $1 IN (d.spki, d.former_spki)"
    )))
    .bind(spki.as_bytes().as_slice())
    .fetch_optional(&mut *tx)
    .await?;
    // Rolled back by the pool, behind the answer: nothing was written.
    drop(tx);
    found.as_ref().map(row).transpose()
}

/// The device of a context that a signing key's thumbprint names now: not one that was renewed or revoked.
///
/// # Errors
/// [`StoreError`].
pub async fn by_kid(
    conn: &mut PgConnection,
    ctx: &ContextId,
    kid: &Kid,
) -> Result<Option<DeviceRow>, StoreError> {
    let found = sqlx::query(sqlx::AssertSqlSafe(format!(
        "SELECT {COLUMNS} WHERE d.kid = $1 AND d.ctx = $2"
    )))
    .bind(kid.as_bytes().as_slice())
    .bind(ctx.as_str())
    .fetch_optional(conn)
    .await?;
    found.as_ref().map(row).transpose()
}

/// The device of a context whose key this is or was, with that key: what was signed and stored under it is still known.
///
/// # Errors
/// [`StoreError`].
pub async fn by_any_kid(
    conn: &mut PgConnection,
    ctx: &ContextId,
    kid: &Kid,
) -> Result<Option<DeviceRow>, StoreError> {
    if let Some(device) = by_kid(conn, ctx, kid).await? {
        return Ok(Some(device));
    }
    let found = sqlx::query(
        "SELECT actor, device, signing_key FROM hn.device_key WHERE kid = $1 AND ctx = $2",
    )
    .bind(kid.as_bytes().as_slice())
    .bind(ctx.as_str())
    .fetch_optional(&mut *conn)
    .await?;
    let Some(key) = found else { return Ok(None) };
    let (actor, device) = (read::text(&key, "actor")?, read::text(&key, "device")?);
    let device = get(conn, ctx, &actor, &device).await?;
    let signing_key = key.try_get("signing_key")?;
    Ok(device.map(|device| DeviceRow {
        kid: *kid,
        signing_key,
        ..device
    }))
}

/// A device of an actor.
///
/// # Errors
/// [`StoreError`].
pub async fn get(
    conn: &mut PgConnection,
    ctx: &ContextId,
    actor: &ActorId,
    device: &DeviceId,
) -> Result<Option<DeviceRow>, StoreError> {
    let found = sqlx::query(sqlx::AssertSqlSafe(format!(
        "SELECT {COLUMNS} WHERE d.ctx = $1 AND d.actor = $2 AND d.device = $3"
    )))
    .bind(ctx.as_str())
    .bind(actor.as_str())
    .bind(device.as_str())
    .fetch_optional(conn)
    .await?;
    found.as_ref().map(row).transpose()
}

/// All devices of an actor, by name.
///
/// # Errors
/// [`StoreError`].
pub async fn of_actor(
    conn: &mut PgConnection,
    ctx: &ContextId,
    actor: &ActorId,
) -> Result<Vec<DeviceRow>, StoreError> {
    let rows = sqlx::query(sqlx::AssertSqlSafe(format!(
        "SELECT {COLUMNS} WHERE d.ctx = $1 AND d.actor = $2 ORDER BY d.device"
    )))
    .bind(ctx.as_str())
    .bind(actor.as_str())
    .fetch_all(conn)
    .await?;
    rows.iter().map(row).collect()
}

/// A device that enrols.
pub struct NewDevice<'a> {
    /// Its context.
    pub ctx: &'a ContextId,
    /// Its actor.
    pub actor: &'a ActorId,
    /// The device.
    pub device: &'a DeviceId,
    /// Its role.
    pub role: Role,
    /// Its signing key's thumbprint.
    pub kid: Kid,
    /// Its signing key.
    pub signing_key: &'a [u8; 32],
    /// Its own HPKE public key.
    pub seal_key: &'a [u8],
    /// SHA-256 of its certificate's public key.
    pub spki: Digest,
    /// The person's name, sealed.
    pub person: &'a [u8],
    /// Under which month's KEK.
    pub month: Month,
    /// When its certificate ends.
    pub until: OffsetDateTime,
}

/// Stores a device as pending.
///
/// # Errors
/// [`StoreError`]; `device_pk`, `device_spki_unique` when the name or the certificate's key is taken.
pub async fn insert(conn: &mut PgConnection, device: &NewDevice<'_>) -> Result<(), StoreError> {
    sqlx::query(
        "INSERT INTO hn.device (ctx, actor, device, role, state, kid, signing_key, seal_key, spki, person, person_month, until)
         VALUES ($1, $2, $3, $4, 'pending', $5, $6, $7, $8, $9, $10, $11)",
    )
    .bind(device.ctx.as_str())
    .bind(device.actor.as_str())
    .bind(device.device.as_str())
    .bind(device.role.as_str())
    .bind(device.kid.as_bytes().as_slice())
    .bind(device.signing_key.as_slice())
    .bind(device.seal_key)
    .bind(device.spki.as_bytes().as_slice())
    .bind(device.person)
    .bind(device.month.to_string())
    .bind(device.until)
    .execute(conn)
    .await?;
    Ok(())
}

/// Sets a device's state.
///
/// # Errors
/// [`StoreError`].
pub async fn set_state(
    conn: &mut PgConnection,
    ctx: &ContextId,
    actor: &ActorId,
    device: &DeviceId,
    state: DeviceState,
) -> Result<(), StoreError> {
    let done = sqlx::query(
        "UPDATE hn.device SET state = $4 WHERE ctx = $1 AND actor = $2 AND device = $3",
    )
    .bind(ctx.as_str())
    .bind(actor.as_str())
    .bind(device.as_str())
    .bind(state.as_str())
    .execute(conn)
    .await?;
    if done.rows_affected() == 1 {
        Ok(())
    } else {
        Err(StoreError::NotFound)
    }
}

/// Keeps a signing key in the history: from this position on it counts.
///
/// # Errors
/// [`StoreError`].
pub async fn begin_key(
    conn: &mut PgConnection,
    device: &DeviceRow,
    kid: &Kid,
    signing_key: &[u8],
    from: LogPosition,
) -> Result<(), StoreError> {
    sqlx::query(
        "INSERT INTO hn.device_key (kid, ctx, actor, device, signing_key, from_pos) VALUES ($1, $2, $3, $4, $5, $6)
         ON CONFLICT ON CONSTRAINT device_key_pk DO NOTHING",
    )
    .bind(kid.as_bytes().as_slice())
    .bind(device.ctx.as_str())
    .bind(device.actor.as_str())
    .bind(device.device.as_str())
    .bind(signing_key)
    .bind(read::bigint(from.0))
    .execute(conn)
    .await?;
    Ok(())
}

/// Ends the keys of a device in the history.
///
/// # Errors
/// [`StoreError`].
pub async fn end_keys(
    conn: &mut PgConnection,
    device: &DeviceRow,
    until: LogPosition,
) -> Result<(), StoreError> {
    sqlx::query(
        "UPDATE hn.device_key SET until_pos = $4 WHERE ctx = $1 AND actor = $2 AND device = $3 AND until_pos IS NULL",
    )
    .bind(device.ctx.as_str())
    .bind(device.actor.as_str())
    .bind(device.device.as_str())
    .bind(read::bigint(until.0))
    .execute(conn)
    .await?;
    Ok(())
}

/// Puts a renewed device's keys and certificate in place.
///
/// # Errors
/// [`StoreError`]; `device_spki_unique` when the certificate's key is taken.
pub async fn renew(
    conn: &mut PgConnection,
    device: &DeviceRow,
    kid: &Kid,
    signing_key: &[u8; 32],
    seal_key: &[u8],
    spki: &Digest,
    until: OffsetDateTime,
) -> Result<(), StoreError> {
    sqlx::query(
        "UPDATE hn.device SET kid = $4, signing_key = $5, seal_key = $6, former_spki = nullif(spki, $7), spki = $7, until = $8
          WHERE ctx = $1 AND actor = $2 AND device = $3",
    )
    .bind(device.ctx.as_str())
    .bind(device.actor.as_str())
    .bind(device.device.as_str())
    .bind(kid.as_bytes().as_slice())
    .bind(signing_key.as_slice())
    .bind(seal_key)
    .bind(spki.as_bytes().as_slice())
    .bind(until)
    .execute(conn)
    .await?;
    Ok(())
}

/// Whether a signing key is or ever was a device's.
///
/// # Errors
/// [`StoreError`].
pub async fn key_was_used(conn: &mut PgConnection, kid: &Kid) -> Result<bool, StoreError> {
    Ok(sqlx::query_scalar(
        "SELECT EXISTS (SELECT FROM hn.device_key WHERE kid = $1) OR EXISTS (SELECT FROM hn.device WHERE kid = $1)",
    )
    .bind(kid.as_bytes().as_slice())
    .fetch_one(conn)
    .await?)
}

/// Whether a certificate with this public key was issued to a device.
///
/// # Errors
/// [`StoreError`].
pub async fn certificate_key_is_used(
    conn: &mut PgConnection,
    spki: &Digest,
) -> Result<bool, StoreError> {
    Ok(
        sqlx::query_scalar("SELECT EXISTS (SELECT FROM hn.device WHERE $1 IN (spki, former_spki))")
            .bind(spki.as_bytes().as_slice())
            .fetch_one(conn)
            .await?,
    )
}
