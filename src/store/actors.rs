//! Actors and the context: who takes part, with which root, desk key and duty number, and by which policy.

use sqlx::{PgConnection, Row};
use time::OffsetDateTime;
use uuid::Uuid;

use super::error::StoreError;
use super::read;
use crate::crypto::digest::Kid;
use crate::domain::actor::{ActorKind, ActorState, Mode};
use crate::domain::ids::{ActorId, ContextId, LogPosition};
use crate::wire::claims::About;
use crate::wire::policy::Policy;

/// An actor.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ActorRow {
    /// The actor.
    pub actor: ActorId,
    /// What it is.
    pub kind: ActorKind,
    /// Its public name.
    pub name: String,
    /// Where it stands now.
    pub state: ActorState,
    /// Since when, where that is noted.
    pub since: Option<OffsetDateTime>,
    /// Where it will stand, and from when.
    pub next: Option<(ActorState, OffsetDateTime)>,
    /// Its root's public key, once it enrolled.
    pub root: Option<Vec<u8>>,
    /// Serial of its latest `keys` statement; 0 before the first.
    pub keys_serial: u32,
    /// Position of its latest `keys` statement.
    pub keys_pos: Option<LogPosition>,
    /// Position of the latest `admit` statement on it.
    pub admit_pos: Option<LogPosition>,
    /// Its desk's HPKE public key.
    pub desk_key: Option<Vec<u8>>,
    /// Its 24/7 duty number.
    pub duty: Option<String>,
}

impl ActorRow {
    /// Whether it has a desk whose root the coordinator compared: what is meant for it may be sealed to it, and handed to it.
    pub const fn has_admitted_desk(&self) -> bool {
        self.desk_key.is_some()
            && matches!(self.state, ActorState::Admitted | ActorState::Suspended)
    }

    /// Whether it is named and waits to be admitted: it can be notified, and what is notified to it waits in its mailbox.
    pub const fn waits_for_admission(&self) -> bool {
        matches!(self.state, ActorState::Invited | ActorState::Enrolled)
    }
}

const COLUMNS: &str = "actor, kind, name, hn.standing(state, next_state, next_from) AS state, root, keys_serial, keys_pos, admit_pos, desk_key, duty, \
     CASE WHEN next_from <= hn.moment() THEN next_from ELSE since END AS since, \
     CASE WHEN next_from > hn.moment() THEN next_state END AS next_state, next_from FROM hn.actor";

fn row(row: &sqlx::postgres::PgRow) -> Result<ActorRow, StoreError> {
    let position = |column: &str| -> Result<Option<LogPosition>, StoreError> {
        let value: Option<i64> = row.try_get(column)?;
        Ok(value.and_then(|v| u64::try_from(v).ok()).map(LogPosition))
    };
    let serial: i32 = row.try_get("keys_serial")?;
    let next: Option<String> = row.try_get("next_state")?;
    let next = match (next, row.try_get("next_from")?) {
        (Some(state), Some(from)) => {
            let state = state.parse();
            Some((
                state.map_err(|_| StoreError::Decode("next_state".to_owned()))?,
                from,
            ))
        }
        _ => None,
    };
    Ok(ActorRow {
        actor: read::text(row, "actor")?,
        kind: read::text(row, "kind")?,
        name: row.try_get("name")?,
        state: read::text(row, "state")?,
        since: row.try_get("since")?,
        next,
        root: row.try_get("root")?,
        keys_serial: u32::try_from(serial).unwrap_or(0),
        keys_pos: position("keys_pos")?,
        admit_pos: position("admit_pos")?,
        desk_key: row.try_get("desk_key")?,
        duty: row.try_get("duty")?,
    })
}

/// Makes the context, or finds it as it is.
///
/// # Errors
/// [`StoreError`]; `Conflict` when it exists in the other mode.
pub async fn ensure_context(
    conn: &mut PgConnection,
    ctx: &ContextId,
    mode: Mode,
    policy: &Policy,
) -> Result<(), StoreError> {
    sqlx::query("INSERT INTO hn.context (ctx, mode, policy) VALUES ($1, $2, $3) ON CONFLICT ON CONSTRAINT context_pk DO NOTHING")
        .bind(ctx.as_str())
        .bind(mode.as_str())
        .bind(sqlx::types::Json(policy))
        .execute(&mut *conn)
        .await?;
    let found: String = sqlx::query_scalar("SELECT mode FROM hn.context WHERE ctx = $1")
        .bind(ctx.as_str())
        .fetch_one(conn)
        .await?;
    if found == mode.as_str() {
        Ok(())
    } else {
        Err(StoreError::Conflict)
    }
}

/// Every context that the database holds.
///
/// # Errors
/// [`StoreError`].
pub async fn contexts(conn: &mut PgConnection) -> Result<Vec<ContextId>, StoreError> {
    let rows = sqlx::query("SELECT ctx FROM hn.context ORDER BY ctx")
        .fetch_all(conn)
        .await?;
    rows.iter().map(|row| read::text(row, "ctx")).collect()
}

/// The policy in force, and the position of the statement that set it.
///
/// # Errors
/// [`StoreError`].
pub async fn policy(
    conn: &mut PgConnection,
    ctx: &ContextId,
) -> Result<(Policy, Option<LogPosition>), StoreError> {
    let row = sqlx::query("SELECT policy, policy_pos FROM hn.context WHERE ctx = $1")
        .bind(ctx.as_str())
        .fetch_one(conn)
        .await?;
    let sqlx::types::Json(policy) = row.try_get("policy")?;
    let pos: Option<i64> = row.try_get("policy_pos")?;
    Ok((
        policy,
        pos.and_then(|p| u64::try_from(p).ok()).map(LogPosition),
    ))
}

/// The version of the policy in force; 0 while it is the built-in default.
///
/// # Errors
/// [`StoreError`].
pub async fn policy_version(conn: &mut PgConnection, ctx: &ContextId) -> Result<u32, StoreError> {
    let version: i32 = sqlx::query_scalar("SELECT policy_version FROM hn.context WHERE ctx = $1")
        .bind(ctx.as_str())
        .fetch_one(conn)
        .await?;
    Ok(u32::try_from(version).unwrap_or(0))
}

/// The coordinators of a context that have enrolled.
///
/// # Errors
/// [`StoreError`].
pub async fn coordinators(
    conn: &mut PgConnection,
    ctx: &ContextId,
) -> Result<Vec<ActorId>, StoreError> {
    let rows = sqlx::query("SELECT actor FROM hn.actor WHERE ctx = $1 AND kind = 'coordinator' AND desk_key IS NOT NULL ORDER BY actor")
        .bind(ctx.as_str())
        .fetch_all(conn)
        .await?;
    rows.iter().map(|row| read::text(row, "actor")).collect()
}

/// Every desk of a context: coordinators, organisations and parties that have enrolled.
///
/// # Errors
/// [`StoreError`].
pub async fn desks(conn: &mut PgConnection, ctx: &ContextId) -> Result<Vec<ActorId>, StoreError> {
    let rows = sqlx::query(
        "SELECT actor FROM hn.actor WHERE ctx = $1 AND kind IN ('coordinator', 'organisation', 'party') AND desk_key IS NOT NULL ORDER BY actor",
    )
    .bind(ctx.as_str())
    .fetch_all(conn)
    .await?;
    rows.iter().map(|row| read::text(row, "actor")).collect()
}

/// Puts a policy in force.
///
/// # Errors
/// [`StoreError`].
pub async fn set_policy(
    conn: &mut PgConnection,
    ctx: &ContextId,
    policy: &Policy,
    version: u32,
    pos: LogPosition,
) -> Result<(), StoreError> {
    sqlx::query(
        "UPDATE hn.context SET policy = $2, policy_pos = $3, policy_version = $4 WHERE ctx = $1",
    )
    .bind(ctx.as_str())
    .bind(sqlx::types::Json(policy))
    .bind(read::bigint(pos.0))
    .bind(i32::try_from(version).unwrap_or(i32::MAX))
    .execute(conn)
    .await?;
    Ok(())
}

/// One actor.
///
/// # Errors
/// [`StoreError`].
pub async fn get(
    conn: &mut PgConnection,
    ctx: &ContextId,
    actor: &ActorId,
) -> Result<Option<ActorRow>, StoreError> {
    let found = sqlx::query(sqlx::AssertSqlSafe(format!(
        "SELECT {COLUMNS} WHERE ctx = $1 AND actor = $2"
    )))
    .bind(ctx.as_str())
    .bind(actor.as_str())
    .fetch_optional(conn)
    .await?;
    found.as_ref().map(row).transpose()
}

/// All actors of a context, by name.
///
/// # Errors
/// [`StoreError`].
pub async fn all(conn: &mut PgConnection, ctx: &ContextId) -> Result<Vec<ActorRow>, StoreError> {
    let rows = sqlx::query(sqlx::AssertSqlSafe(format!(
        "SELECT {COLUMNS} WHERE ctx = $1 ORDER BY actor"
    )))
    .bind(ctx.as_str())
    .fetch_all(conn)
    .await?;
    rows.iter().map(row).collect()
}

/// Makes an actor that was invited, or leaves it as it is.
///
/// # Errors
/// [`StoreError`].
pub async fn ensure(
    conn: &mut PgConnection,
    ctx: &ContextId,
    actor: &ActorId,
    kind: ActorKind,
    name: &str,
) -> Result<(), StoreError> {
    sqlx::query(
        "INSERT INTO hn.actor (ctx, actor, kind, name, state) VALUES ($1, $2, $3, $4, 'invited')
         ON CONFLICT ON CONSTRAINT actor_pk DO NOTHING",
    )
    .bind(ctx.as_str())
    .bind(actor.as_str())
    .bind(kind.as_str())
    .bind(name)
    .execute(conn)
    .await?;
    Ok(())
}

/// What a `keys` statement sets.
pub struct Keys<'a> {
    /// The context.
    pub ctx: &'a ContextId,
    /// The actor.
    pub actor: &'a ActorId,
    /// The root's public key.
    pub root: &'a [u8; 32],
    /// The statement's serial.
    pub serial: u32,
    /// Its position.
    pub pos: LogPosition,
    /// The desk's HPKE public key.
    pub desk_key: &'a [u8],
    /// Its thumbprint.
    pub desk_kid: Kid,
    /// Where the actor stands from now on.
    pub state: ActorState,
}

/// Puts an actor's keys in force.
///
/// # Errors
/// [`StoreError`].
pub async fn set_keys(conn: &mut PgConnection, keys: &Keys<'_>) -> Result<(), StoreError> {
    sqlx::query(
        "UPDATE hn.actor SET root = $3, keys_serial = $4, keys_pos = $5, desk_key = $6, desk_kid = $7, state = $8
          WHERE ctx = $1 AND actor = $2",
    )
    .bind(keys.ctx.as_str())
    .bind(keys.actor.as_str())
    .bind(keys.root.as_slice())
    .bind(i32::try_from(keys.serial).unwrap_or(i32::MAX))
    .bind(read::bigint(keys.pos.0))
    .bind(keys.desk_key)
    .bind(keys.desk_kid.as_bytes().as_slice())
    .bind(keys.state.as_str())
    .execute(conn)
    .await?;
    Ok(())
}

/// Where an actor stands from a moment on, by an `admit` statement.
pub struct NewStanding<'a> {
    /// Where.
    pub state: ActorState,
    /// From when.
    pub from: OffsetDateTime,
    /// The row of the schedule that says so, where that is still to come.
    pub due: Option<Uuid>,
    /// Its public name.
    pub name: &'a str,
    /// The statement's position.
    pub pos: LogPosition,
}

/// Sets where an actor stands, now or from a moment on. What was to come before is no longer to come.
///
/// # Errors
/// [`StoreError`].
pub async fn set_standing(
    conn: &mut PgConnection,
    ctx: &ContextId,
    actor: &ActorId,
    new: &NewStanding<'_>,
) -> Result<(), StoreError> {
    sqlx::query(
        "UPDATE hn.actor SET
                state = CASE WHEN $5::uuid IS NULL THEN $3 ELSE hn.standing(state, next_state, next_from) END,
                since = CASE WHEN $5::uuid IS NULL THEN $4 WHEN next_from <= hn.moment() THEN next_from ELSE since END,
                next_state = CASE WHEN $5::uuid IS NULL THEN NULL ELSE $3 END,
                next_from = CASE WHEN $5::uuid IS NULL THEN NULL ELSE $4 END,
                next_about = $5, name = $6, admit_pos = $7
          WHERE ctx = $1 AND actor = $2",
    )
    .bind(ctx.as_str())
    .bind(actor.as_str())
    .bind(new.state.as_str())
    .bind(new.from)
    .bind(new.due)
    .bind(new.name)
    .bind(read::bigint(new.pos.0))
    .execute(conn)
    .await?;
    Ok(())
}

/// Lets where actors stand be judged by the moment of a stored statement that is taken again, until the transaction ends.
///
/// # Errors
/// [`StoreError`].
pub async fn judge_by(conn: &mut PgConnection, at: OffsetDateTime) -> Result<(), StoreError> {
    sqlx::query("SELECT set_config('hn.at', $1::timestamptz::text, true)")
        .bind(at)
        .execute(conn)
        .await?;
    Ok(())
}

/// Writes down that the moment of a row of the schedule has come; where the actor stands since then and since when. None
/// when a later admission has taken its place.
///
/// # Errors
/// [`StoreError`].
pub async fn settle_standing(
    conn: &mut PgConnection,
    ctx: &ContextId,
    actor: &ActorId,
    due: Uuid,
) -> Result<Option<(ActorState, OffsetDateTime)>, StoreError> {
    let row = sqlx::query(
        "UPDATE hn.actor SET state = next_state, since = next_from, next_state = NULL, next_from = NULL, next_about = NULL
          WHERE ctx = $1 AND actor = $2 AND next_about = $3 AND next_from <= hn.moment() RETURNING state, since",
    )
    .bind(ctx.as_str())
    .bind(actor.as_str())
    .bind(due)
    .fetch_optional(conn)
    .await?;
    row.map(|row| Ok((read::text(&row, "state")?, row.try_get("since")?)))
        .transpose()
}

/// The organisations of whose notifications something counts for a party, each with what that is: the notification, the
/// latest revision that does, and its hash.
///
/// # Errors
/// [`StoreError`].
pub async fn named_by(
    conn: &mut PgConnection,
    ctx: &ContextId,
    party: &ActorId,
) -> Result<std::collections::BTreeMap<ActorId, Vec<About>>, StoreError> {
    let rows = sqlx::query(
        "SELECT DISTINCT ON (a.org, a.nid) a.org, a.nid, a.rev, r.hash
           FROM hn.audience a JOIN hn.revision r ON r.nid = a.nid AND r.rev = a.rev
          WHERE a.ctx = $1 AND a.party = $2 AND a.counts ORDER BY a.org, a.nid, a.rev DESC",
    )
    .bind(ctx.as_str())
    .bind(party.as_str())
    .fetch_all(conn)
    .await?;
    let mut named: std::collections::BTreeMap<ActorId, Vec<About>> =
        std::collections::BTreeMap::new();
    for row in rows {
        named
            .entry(read::text(&row, "org")?)
            .or_default()
            .push(About {
                nid: read::nid(&row, "nid")?,
                rev: read::revision(&row, "rev")?,
                of: read::digest(&row, "hash")?,
            });
    }
    Ok(named)
}

/// The number to call: the coordinator's own.
///
/// # Errors
/// [`StoreError`].
pub async fn coordinator_number(
    conn: &mut PgConnection,
    ctx: &ContextId,
) -> Result<Option<String>, StoreError> {
    Ok(sqlx::query_scalar(
        "SELECT duty FROM hn.actor WHERE ctx = $1 AND kind = 'coordinator' AND duty IS NOT NULL ORDER BY actor LIMIT 1",
    )
    .bind(ctx.as_str())
    .fetch_optional(conn)
    .await?)
}

/// Registers an actor's duty number.
///
/// # Errors
/// [`StoreError`].
pub async fn set_duty(
    conn: &mut PgConnection,
    ctx: &ContextId,
    actor: &ActorId,
    phone: &str,
) -> Result<(), StoreError> {
    sqlx::query("UPDATE hn.actor SET duty = $3 WHERE ctx = $1 AND actor = $2")
        .bind(ctx.as_str())
        .bind(actor.as_str())
        .bind(phone)
        .execute(conn)
        .await?;
    Ok(())
}
