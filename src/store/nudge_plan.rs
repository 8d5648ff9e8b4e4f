//! Who is to be told: how far the log was read for nudges, what it brings to whom, and what waits until it is told. One
//! node plans at a time; all of it is durable, so that a restart forgets nothing.

use std::collections::BTreeSet;

use sqlx::{PgConnection, Row as _};
use time::OffsetDateTime;
use uuid::Uuid;

use super::error::StoreError;
use super::nudges::{Person, call_column, person};
use super::read;
use crate::domain::actor::ActorKind;
use crate::domain::ids::{ActorId, ContextId, LogPosition, Nid, Seq};
use crate::domain::nudge::{MOST_COUNTED, Severity};

/// Locks the place up to which the log was read, so that one node plans at a time. None when it never was.
///
/// # Errors
/// [`StoreError`].
pub async fn lock(conn: &mut PgConnection) -> Result<Option<LogPosition>, StoreError> {
    let row = sqlx::query("SELECT position FROM hn.nudge_head WHERE only_one FOR UPDATE")
        .fetch_one(conn)
        .await?;
    let at: Option<i64> = row.try_get("position")?;
    at.map(|at| {
        u64::try_from(at)
            .map(LogPosition)
            .map_err(|_| StoreError::Decode("position".to_owned()))
    })
    .transpose()
}

/// The log's end, and the database's time.
///
/// # Errors
/// [`StoreError`].
pub async fn head(conn: &mut PgConnection) -> Result<(LogPosition, OffsetDateTime), StoreError> {
    let row = sqlx::query("SELECT position, hn.now() AS now FROM hn.head WHERE only_one")
        .fetch_one(conn)
        .await?;
    Ok((read::position(&row, "position")?, row.try_get("now")?))
}

/// Says that the log was read up to here.
///
/// # Errors
/// [`StoreError`].
pub async fn set_read(conn: &mut PgConnection, upto: LogPosition) -> Result<(), StoreError> {
    sqlx::query("UPDATE hn.nudge_head SET position = $1 WHERE only_one")
        .bind(read::bigint(upto.0))
        .execute(conn)
        .await?;
    Ok(())
}

/// A statement in a desk's mailbox.
pub struct Arrival {
    /// The context.
    pub ctx: ContextId,
    /// Whose desk.
    pub actor: ActorId,
    /// What it is.
    pub kind: ActorKind,
    /// Whether revisions wait for somebody to screen them in that context.
    pub screening: bool,
    /// Its place in the mailbox.
    pub seq: Seq,
    /// Its position in the log.
    pub pos: LogPosition,
    /// The statement.
    pub jws: String,
    /// When it was stored.
    pub at: OffsetDateTime,
}

/// What the log brought to these desks after one position and up to another.
///
/// # Errors
/// [`StoreError`].
pub async fn arrivals(
    conn: &mut PgConnection,
    desks: &BTreeSet<(ContextId, ActorId)>,
    after: LogPosition,
    upto: LogPosition,
) -> Result<Vec<Arrival>, StoreError> {
    let (ctxs, actors): (Vec<_>, Vec<_>) = desks
        .iter()
        .map(|(ctx, actor)| (ctx.as_str(), actor.as_str()))
        .unzip();
    let rows = sqlx::query(
        "SELECT m.ctx, m.actor, a.kind, m.seq, m.pos, s.jws, s.at, c.policy ->> 'screening' = 'required' AS screening
           FROM unnest($1::text[], $2::text[]) AS w (ctx, actor)
           JOIN hn.actor a ON a.ctx = w.ctx AND a.actor = w.actor
           JOIN hn.context c ON c.ctx = w.ctx
           JOIN hn.mailbox m ON m.ctx = w.ctx AND m.actor = w.actor AND m.pos > $3 AND m.pos <= $4
           JOIN hn.statement s ON s.pos = m.pos
          ORDER BY m.pos, m.actor",
    )
    .bind(ctxs)
    .bind(actors)
    .bind(read::bigint(after.0))
    .bind(read::bigint(upto.0))
    .fetch_all(conn)
    .await?;
    rows.iter()
        .map(|row| {
            Ok(Arrival {
                ctx: read::text(row, "ctx")?,
                actor: read::text(row, "actor")?,
                kind: read::text(row, "kind")?,
                screening: row.try_get("screening")?,
                seq: read::seq(row, "seq")?,
                pos: read::position(row, "pos")?,
                jws: row.try_get("jws")?,
                at: row.try_get("at")?,
            })
        })
        .collect()
}

/// What a person is needed for and has not been told.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Wait {
    /// Who.
    pub person: Person,
    /// How much.
    pub severity: Severity,
    /// The call for help, if it is one.
    pub call: Option<Nid>,
    /// The notifications, of many only the first.
    pub nids: BTreeSet<Nid>,
    /// The last event in the mailbox that it is about.
    pub upto: Seq,
    /// When it is to be told.
    pub ready_at: OffsetDateTime,
}

impl Wait {
    /// Adds what else there is; the earlier moment holds.
    pub fn add(&mut self, nids: impl IntoIterator<Item = Nid>, upto: Seq) {
        for nid in nids {
            if self.nids.len() <= MOST_COUNTED {
                self.nids.insert(nid);
            }
        }
        self.upto = self.upto.max(upto);
    }
}

/// Adds to what waits. A person who is waited for already is told no later for it.
///
/// # Errors
/// [`StoreError`].
pub async fn wait(conn: &mut PgConnection, wait: &Wait) -> Result<(), StoreError> {
    sqlx::query(
        "INSERT INTO hn.nudge_wait AS w (ctx, actor, device, severity, call, nids, upto, ready_at)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8)
         ON CONFLICT (ctx, actor, device, severity, call) DO UPDATE
            SET nids = ARRAY(SELECT DISTINCT n FROM unnest(w.nids || excluded.nids) AS n LIMIT $9),
                upto = greatest(w.upto, excluded.upto)",
    )
    .bind(wait.person.ctx.as_str())
    .bind(wait.person.actor.as_str())
    .bind(wait.person.device.as_str())
    .bind(wait.severity.as_str())
    .bind(call_column(wait.call))
    .bind(wait.nids.iter().map(|nid| nid.uuid()).collect::<Vec<_>>())
    .bind(read::bigint(wait.upto.0))
    .bind(wait.ready_at)
    .bind(i64::try_from(MOST_COUNTED).unwrap_or(i64::MAX) + 1)
    .execute(conn)
    .await?;
    Ok(())
}

/// Drops routine nudges for what some device of the actor has fetched meanwhile: somebody has looked.
///
/// # Errors
/// [`StoreError`].
pub async fn drop_read(conn: &mut PgConnection) -> Result<(), StoreError> {
    sqlx::query(
        "DELETE FROM hn.nudge_wait w
          WHERE severity = 'routine' AND upto <= (
                SELECT max(cursor_seq) FROM hn.device d
                 WHERE d.ctx = w.ctx AND d.actor = w.actor AND d.state = 'active')",
    )
    .execute(conn)
    .await?;
    Ok(())
}

/// What is to be told now, the most pressing first; at most `limit` rows.
///
/// # Errors
/// [`StoreError`].
pub async fn ready(conn: &mut PgConnection, limit: i64) -> Result<Vec<Wait>, StoreError> {
    let rows = sqlx::query(
        "SELECT ctx, actor, device, severity, call, nids, upto, ready_at FROM hn.nudge_wait
          WHERE ready_at <= (SELECT hn.now())
          ORDER BY array_position(ARRAY['distress', 'urgent', 'routine'], severity), ready_at LIMIT $1",
    )
    .bind(limit)
    .fetch_all(conn)
    .await?;
    rows.iter()
        .map(|row| {
            let nids: Vec<Uuid> = row.try_get("nids")?;
            let call: Uuid = row.try_get("call")?;
            Ok(Wait {
                person: person(row)?,
                severity: read::text(row, "severity")?,
                call: (!call.is_nil()).then(|| Nid::from_uuid(call)),
                nids: nids.into_iter().map(Nid::from_uuid).collect(),
                upto: read::seq(row, "upto")?,
                ready_at: row.try_get("ready_at")?,
            })
        })
        .collect()
}

/// Takes away what is told now, or to nobody.
///
/// # Errors
/// [`StoreError`].
pub async fn told(conn: &mut PgConnection, wait: &Wait) -> Result<(), StoreError> {
    sqlx::query(
        "DELETE FROM hn.nudge_wait
          WHERE ctx = $1 AND actor = $2 AND device = $3 AND severity = $4 AND call = $5",
    )
    .bind(wait.person.ctx.as_str())
    .bind(wait.person.actor.as_str())
    .bind(wait.person.device.as_str())
    .bind(wait.severity.as_str())
    .bind(call_column(wait.call))
    .execute(conn)
    .await?;
    Ok(())
}
