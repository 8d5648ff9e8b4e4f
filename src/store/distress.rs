//! Calls for help: whose they are, which desks they were delivered to, and whether anybody has answered. What happens and
//! where stands in the sealed parts.

use sqlx::postgres::PgRow;
use sqlx::{PgConnection, Row};
use time::OffsetDateTime;

use super::error::StoreError;
use super::read;
use crate::crypto::digest::Digest;
use crate::domain::exchange::DistressState;
use crate::domain::ids::{ActorId, ContextId, LogPosition, Nid, Seq};
use crate::domain::notification::Tier;

/// A call.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Call {
    /// Its id.
    pub nid: Nid,
    /// Its context.
    pub ctx: ContextId,
    /// Who called.
    pub org: ActorId,
    /// Its position.
    pub pos: LogPosition,
    /// Hash of its statement.
    pub hash: Digest,
    /// The notification that it is about, if one.
    pub about: Option<Nid>,
    /// Where it stands.
    pub state: DistressState,
    /// When it was received.
    pub at: OffsetDateTime,
}

/// A desk that a call was delivered to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Called {
    /// The call.
    pub nid: Nid,
    /// Whose desk.
    pub actor: ActorId,
    /// How much a party sees; none for the organisation itself and the coordinator.
    pub tier: Option<Tier>,
    /// The event in its mailbox.
    pub seq: Seq,
    /// When its first officer answered.
    pub answered_at: Option<OffsetDateTime>,
}

macro_rules! calls {
    ($which:literal) => {
        concat!(
            "SELECT nid, ctx, org, pos, hash, about, state, at FROM hn.distress ",
            $which
        )
    };
}

/// A call, if it exists in the context.
///
/// # Errors
/// [`StoreError`].
pub async fn call(
    conn: &mut PgConnection,
    ctx: &ContextId,
    nid: Nid,
) -> Result<Option<Call>, StoreError> {
    let row = sqlx::query(calls!("WHERE nid = $1 AND ctx = $2"))
        .bind(nid.uuid())
        .bind(ctx.as_str())
        .fetch_optional(conn)
        .await?;
    row.as_ref().map(call_row).transpose()
}

/// Whether an id was given already, to a call or to a notification of any context: an id names one thing in the deployment.
///
/// # Errors
/// [`StoreError`].
pub async fn is_taken(conn: &mut PgConnection, nid: Nid) -> Result<bool, StoreError> {
    Ok(sqlx::query_scalar(
        "SELECT EXISTS (SELECT FROM hn.distress WHERE nid = $1) OR EXISTS (SELECT FROM hn.notification WHERE nid = $1)",
    )
    .bind(nid.uuid())
    .fetch_one(conn)
    .await?)
}

/// Stores a call and the desks that it was delivered to, and notes at each desk that its mailbox holds one.
///
/// # Errors
/// [`StoreError`]; `distress_pk` when the id is taken.
pub async fn insert(
    conn: &mut PgConnection,
    call: &Call,
    called: &[(ActorId, Option<Tier>, i64)],
) -> Result<(), StoreError> {
    sqlx::query(
        "INSERT INTO hn.distress (nid, ctx, org, pos, hash, about, state, at) VALUES ($1, $2, $3, $4, $5, $6, $7, $8)",
    )
    .bind(call.nid.uuid())
    .bind(call.ctx.as_str())
    .bind(call.org.as_str())
    .bind(read::bigint(call.pos.0))
    .bind(call.hash.as_bytes().as_slice())
    .bind(call.about.map(Nid::uuid))
    .bind(call.state.as_str())
    .bind(call.at)
    .execute(&mut *conn)
    .await?;
    sqlx::query(
        "WITH told AS (
             SELECT * FROM unnest($4::text[], $5::text[], $6::bigint[]) AS u(actor, tier, seq)
         ), noted AS (
             UPDATE hn.actor a SET call_seq = greatest(a.call_seq, told.seq) FROM told WHERE a.ctx = $2 AND a.actor = told.actor
         )
         INSERT INTO hn.called (nid, ctx, org, actor, tier, seq) SELECT $1, $2, $3, actor, tier, seq FROM told",
    )
    .bind(call.nid.uuid())
    .bind(call.ctx.as_str())
    .bind(call.org.as_str())
    .bind(called.iter().map(|(actor, _, _)| actor.as_str().to_owned()).collect::<Vec<_>>())
    .bind(called.iter().map(|(_, tier, _)| tier.map(Tier::as_str)).collect::<Vec<_>>())
    .bind(called.iter().map(|(_, _, seq)| *seq).collect::<Vec<_>>())
    .execute(conn)
    .await?;
    Ok(())
}

/// The desks that these calls were delivered to, as far as the tenant may know, in the order of their names.
///
/// # Errors
/// [`StoreError`].
pub async fn called(conn: &mut PgConnection, nids: &[Nid]) -> Result<Vec<Called>, StoreError> {
    let rows = sqlx::query(
        "SELECT nid, actor, tier, seq, answered_at FROM hn.called WHERE nid = ANY($1) ORDER BY nid, actor",
    )
    .bind(nids.iter().map(|nid| nid.uuid()).collect::<Vec<_>>())
    .fetch_all(conn)
    .await?;
    rows.iter()
        .map(|row| {
            let tier: Option<String> = row.try_get("tier")?;
            let tier = tier.map(|tier| tier.parse()).transpose();
            Ok(Called {
                nid: read::nid(row, "nid")?,
                actor: read::text(row, "actor")?,
                tier: tier.map_err(|_| StoreError::Decode("tier".to_owned()))?,
                seq: read::seq(row, "seq")?,
                answered_at: row.try_get("answered_at")?,
            })
        })
        .collect()
}

/// An officer of this actor has answered.
///
/// # Errors
/// [`StoreError`].
pub async fn answer(
    conn: &mut PgConnection,
    nid: Nid,
    by: &ActorId,
    at: OffsetDateTime,
) -> Result<(), StoreError> {
    sqlx::query("UPDATE hn.called SET answered_at = coalesce(answered_at, $3) WHERE nid = $1 AND actor = $2")
        .bind(nid.uuid())
        .bind(by.as_str())
        .bind(at)
        .execute(conn)
        .await?;
    Ok(())
}

/// Where the call stands from now on.
///
/// # Errors
/// [`StoreError`].
pub async fn set_state(
    conn: &mut PgConnection,
    nid: Nid,
    state: DistressState,
) -> Result<(), StoreError> {
    sqlx::query("UPDATE hn.distress SET state = $2 WHERE nid = $1")
        .bind(nid.uuid())
        .bind(state.as_str())
        .execute(conn)
        .await?;
    Ok(())
}

/// The calls that the tenant may know and that are not resolved, oldest first.
///
/// # Errors
/// [`StoreError`].
pub async fn unresolved(conn: &mut PgConnection, limit: u32) -> Result<Vec<Call>, StoreError> {
    let rows = sqlx::query(calls!(
        "WHERE ctx = (SELECT hn.ctx()) AND state <> 'resolved' ORDER BY pos LIMIT $1"
    ))
    .bind(i64::from(limit))
    .fetch_all(conn)
    .await?;
    rows.iter().map(call_row).collect()
}

/// The calls about these notifications that the tenant may know and that are not resolved, oldest first.
///
/// # Errors
/// [`StoreError`].
pub async fn unresolved_about(
    conn: &mut PgConnection,
    nids: &[Nid],
) -> Result<Vec<Call>, StoreError> {
    let rows = sqlx::query(calls!(
        "WHERE about = ANY($1) AND state <> 'resolved' ORDER BY pos"
    ))
    .bind(nids.iter().map(|nid| nid.uuid()).collect::<Vec<_>>())
    .fetch_all(conn)
    .await?;
    rows.iter().map(call_row).collect()
}

/// Where, behind a place in a desk's mailbox, calls stand that are not resolved: the latest so many, in order.
///
/// # Errors
/// [`StoreError`].
pub async fn behind(
    conn: &mut PgConnection,
    (ctx, actor): (&ContextId, &ActorId),
    after: Seq,
    limit: u32,
) -> Result<Vec<Seq>, StoreError> {
    let rows = sqlx::query(
        "SELECT seq FROM (
             SELECT c.seq FROM hn.called c JOIN hn.distress d ON d.nid = c.nid AND d.state <> 'resolved'
              WHERE c.ctx = $1 AND c.actor = $2 AND c.seq > $3 ORDER BY c.seq DESC LIMIT $4) AS latest
          ORDER BY seq",
    )
    .bind(ctx.as_str())
    .bind(actor.as_str())
    .bind(read::bigint(after.0))
    .bind(i64::from(limit))
    .fetch_all(conn)
    .await?;
    rows.iter().map(|row| read::seq(row, "seq")).collect()
}

fn call_row(row: &PgRow) -> Result<Call, StoreError> {
    let about: Option<uuid::Uuid> = row.try_get("about")?;
    Ok(Call {
        nid: read::nid(row, "nid")?,
        ctx: read::text(row, "ctx")?,
        org: read::text(row, "org")?,
        pos: read::position(row, "pos")?,
        hash: read::digest(row, "hash")?,
        about: about.map(Nid::from_uuid),
        state: read::text(row, "state")?,
        at: row.try_get("at")?,
    })
}
