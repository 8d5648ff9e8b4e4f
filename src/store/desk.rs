//! The desk's day, read as the tenant of the transaction: what waits, what was said since, who is silent, and when a
//! device last looked. Row-level security decides what is there.

use sqlx::postgres::PgRow;
use sqlx::{PgConnection, Row};
use time::OffsetDateTime;

use super::error::StoreError;
use super::read::{self, bigint};
use crate::domain::actor::ActorKind;
use crate::domain::ids::{ActorId, ContextId, DeviceId, LogPosition, Nid, Seq};
use crate::wire::desk::{Ages, Look, OldestWaiting};

/// When a device last looked; none before its first look.
///
/// # Errors
/// [`StoreError`].
pub async fn look(
    conn: &mut PgConnection,
    (ctx, actor, device): (&ContextId, &ActorId, &DeviceId),
) -> Result<Option<Look>, StoreError> {
    let row =
        sqlx::query("SELECT pos, at FROM hn.look WHERE ctx = $1 AND actor = $2 AND device = $3")
            .bind(ctx.as_str())
            .bind(actor.as_str())
            .bind(device.as_str())
            .fetch_optional(conn)
            .await?;
    row.map(|row| {
        Ok(Look {
            pos: read::position(&row, "pos")?,
            at: row.try_get("at")?,
        })
    })
    .transpose()
}

/// Sets when a device last looked. It never goes back; what stands then is given.
///
/// # Errors
/// [`StoreError`].
pub async fn set_look(
    conn: &mut PgConnection,
    (ctx, actor, device): (&ContextId, &ActorId, &DeviceId),
    pos: LogPosition,
) -> Result<Look, StoreError> {
    let row = sqlx::query(
        "INSERT INTO hn.look AS l (ctx, actor, device, pos, at) VALUES ($1, $2, $3, $4, hn.now())
         ON CONFLICT ON CONSTRAINT look_pk DO UPDATE SET
            at = CASE WHEN excluded.pos > l.pos THEN excluded.at ELSE l.at END, pos = greatest(l.pos, excluded.pos)
         RETURNING pos, at",
    )
    .bind(ctx.as_str())
    .bind(actor.as_str())
    .bind(device.as_str())
    .bind(bigint(pos.0))
    .fetch_one(conn)
    .await?;
    Ok(Look {
        pos: read::position(&row, "pos")?,
        at: row.try_get("at")?,
    })
}

/// How far a desk has been told, and has spoken: the last position that is any of its business. The log's own head would
/// tell it how much is said by others. Everything up to it is there for whatever is read after this.
///
/// # Errors
/// [`StoreError`].
pub async fn reach(
    conn: &mut PgConnection,
    (ctx, actor): (&ContextId, &ActorId),
) -> Result<LogPosition, StoreError> {
    let row = sqlx::query(
        "SELECT greatest(
            coalesce((SELECT max(pos) FROM hn.mailbox WHERE ctx = $1 AND actor = $2), 0),
            coalesce((SELECT max(pos) FROM hn.statement WHERE ctx = $1 AND actor = $2), 0)) AS pos",
    )
    .bind(ctx.as_str())
    .bind(actor.as_str())
    .fetch_one(conn)
    .await?;
    read::position(&row, "pos")
}

/// What waits for a desk: revisions that are the latest of their notifications. `$1` is whose desk, `$2` behind which
/// position. Of a party the mailbox's order is that of positions, and has the index.
macro_rules! waiting {
    (party, $what:literal, $then:literal) => {
        concat!(
            $what,
            " FROM hn.audience a
              JOIN hn.notification n ON n.nid = a.nid AND n.rev = a.rev
              JOIN hn.revision r ON r.nid = a.nid AND r.rev = a.rev
             WHERE a.ctx = (SELECT hn.ctx()) AND a.party = $1 AND n.closed_pos IS NULL
               AND a.seq > (SELECT coalesce(max(m.seq), 0) FROM hn.mailbox m
                             WHERE m.ctx = (SELECT hn.ctx()) AND m.actor = $1 AND m.pos <= $2)
               AND NOT EXISTS (SELECT FROM hn.ack k WHERE k.nid = a.nid AND k.rev = a.rev AND k.party = a.party
                                  AND k.state <> 'reached_desk' AND NOT k.transcribed) ",
            $then
        )
    };
    (organisation, $what:literal, $then:literal) => {
        concat!(
            $what,
            " FROM hn.revision r JOIN hn.notification n ON n.nid = r.nid AND n.rev = r.rev
             WHERE r.ctx = (SELECT hn.ctx()) AND r.org = $1 AND r.pos > $2 AND n.state = 'current'
               AND (r.screening = 'returned' OR r.cosign = 'waiting') ",
            $then
        )
    };
    (coordinator, $what:literal, $then:literal) => {
        concat!(
            $what,
            " FROM hn.revision r JOIN hn.notification n ON n.nid = r.nid AND n.rev = r.rev
             WHERE r.ctx = (SELECT hn.ctx()) AND r.screening = 'submitted' AND $1::text IS NOT NULL AND r.pos > $2
               AND n.state = 'current' ",
            $then
        )
    };
}

const fn page_sql(kind: ActorKind) -> &'static str {
    match kind {
        ActorKind::Party => waiting!(party, "SELECT r.nid, r.pos", "ORDER BY a.seq LIMIT $3"),
        ActorKind::Organisation => {
            waiting!(
                organisation,
                "SELECT r.nid, r.pos",
                "ORDER BY r.pos LIMIT $3"
            )
        }
        ActorKind::Coordinator | ActorKind::Auditor | ActorKind::Operator | ActorKind::Server => {
            waiting!(
                coordinator,
                "SELECT r.nid, r.pos",
                "ORDER BY r.pos LIMIT $3"
            )
        }
    }
}

const fn count_sql(kind: ActorKind) -> &'static str {
    match kind {
        ActorKind::Party => waiting!(party, "SELECT count(*) AS n", ""),
        ActorKind::Organisation => waiting!(organisation, "SELECT count(*) AS n", ""),
        ActorKind::Coordinator | ActorKind::Auditor | ActorKind::Operator | ActorKind::Server => {
            waiting!(coordinator, "SELECT count(*) AS n", "")
        }
    }
}

/// What waits for the tenant's desk behind a position, in the order in which it came; at most so many.
///
/// # Errors
/// [`StoreError`].
pub async fn waiting(
    conn: &mut PgConnection,
    (kind, actor): (ActorKind, &ActorId),
    after: LogPosition,
    limit: u32,
) -> Result<Vec<(Nid, LogPosition)>, StoreError> {
    let rows = sqlx::query(page_sql(kind))
        .bind(actor.as_str())
        .bind(bigint(after.0))
        .bind(i64::from(limit))
        .fetch_all(conn)
        .await?;
    rows.iter()
        .map(|row| Ok((read::nid(row, "nid")?, read::position(row, "pos")?)))
        .collect()
}

/// How many wait behind a position.
///
/// # Errors
/// [`StoreError`].
pub async fn how_many_wait(
    conn: &mut PgConnection,
    (kind, actor): (ActorKind, &ActorId),
    after: LogPosition,
) -> Result<u64, StoreError> {
    let row = sqlx::query(count_sql(kind))
        .bind(actor.as_str())
        .bind(bigint(after.0))
        .fetch_one(conn)
        .await?;
    read::unsigned(&row, "n")
}

/// Between which moments statements are wanted, and behind which position.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Between {
    /// Behind this position.
    pub after: LogPosition,
    /// Stored then or later.
    pub from: Option<OffsetDateTime>,
    /// Stored before.
    pub until: Option<OffsetDateTime>,
}

/// A statement that was delivered to a desk, or signed by one of its devices.
#[derive(Clone, PartialEq, Eq)]
pub struct SaidRow {
    /// Its position.
    pub pos: LogPosition,
    /// The event in the desk's own mailbox.
    pub seq: Option<Seq>,
    /// Its exact bytes.
    pub jws: String,
    /// When it was stored.
    pub at: OffsetDateTime,
}

/// What was delivered to a desk and what its own devices signed, in order of position; at most so many.
///
/// # Errors
/// [`StoreError`].
pub async fn said(
    conn: &mut PgConnection,
    (ctx, actor): (&ContextId, &ActorId),
    between: Between,
    limit: u32,
) -> Result<Vec<SaidRow>, StoreError> {
    let rows = sqlx::query(
        "WITH told AS (
             SELECT m.pos, m.seq FROM hn.mailbox m JOIN hn.statement s ON s.pos = m.pos
              WHERE m.ctx = $1 AND m.actor = $2 AND m.pos > $3
                AND ($4::timestamptz IS NULL OR s.at >= $4) AND ($5::timestamptz IS NULL OR s.at < $5)
              ORDER BY m.pos LIMIT $6
         ), own AS (
             SELECT s.pos FROM hn.statement s
              WHERE s.ctx = $1 AND s.actor = $2 AND s.pos > $3
                AND ($4::timestamptz IS NULL OR s.at >= $4) AND ($5::timestamptz IS NULL OR s.at < $5)
              ORDER BY s.pos LIMIT $6
         ), both_of AS (
             SELECT pos, max(seq) AS seq FROM (SELECT pos, seq FROM told UNION ALL SELECT pos, NULL FROM own) AS u
              GROUP BY pos ORDER BY pos LIMIT $6
         )
         SELECT b.pos, b.seq, s.jws, s.at FROM both_of b JOIN hn.statement s ON s.pos = b.pos ORDER BY b.pos",
    )
    .bind(ctx.as_str())
    .bind(actor.as_str())
    .bind(bigint(between.after.0))
    .bind(between.from)
    .bind(between.until)
    .bind(i64::from(limit))
    .fetch_all(conn)
    .await?;
    rows.iter().map(said_row).collect()
}

fn said_row(row: &PgRow) -> Result<SaidRow, StoreError> {
    let seq: Option<i64> = row.try_get("seq")?;
    Ok(SaidRow {
        pos: read::position(row, "pos")?,
        seq: seq.and_then(|seq| u64::try_from(seq).ok()).map(Seq),
        jws: row.try_get("jws")?,
        at: row.try_get("at")?,
    })
}

/// What a party has not said a word on, as far as the tenant may know.
pub struct SilentRow {
    /// The party.
    pub party: ActorId,
    /// By age.
    pub waiting: Ages,
    /// Not taken from the mailbox.
    pub not_taken: u64,
    /// Of a window that has ended.
    pub window_ended: u64,
    /// The oldest.
    pub oldest: Option<OldestWaiting>,
    /// When something that the tenant sees was last taken.
    pub taken_at: Option<OffsetDateTime>,
}

/// Party by party what no officer has said a word on: latest revisions that it is told of, and endings. A party of which
/// everything was answered stands there too.
///
/// # Errors
/// [`StoreError`].
pub async fn silent(conn: &mut PgConnection) -> Result<Vec<SilentRow>, StoreError> {
    let rows = sqlx::query(
        "WITH clock AS MATERIALIZED (SELECT hn.now() AS now), told AS MATERIALIZED (
             SELECT a.party, a.nid, a.rev, a.fetched_at, r.at, r.pos, r.window_ended_pos, clock.now - r.at AS age,
                    n.rev = a.rev AND n.closed_pos IS NULL AND (a.tier <> 'withdrawn' OR n.state <> 'current') AND NOT EXISTS (
                        SELECT FROM hn.ack k WHERE k.nid = a.nid AND k.rev = a.rev AND k.party = a.party
                           AND k.state <> 'reached_desk' AND NOT k.transcribed) AS waits
               FROM hn.audience a
               JOIN hn.notification n ON n.nid = a.nid
               JOIN hn.revision r ON r.nid = a.nid AND r.rev = a.rev
              CROSS JOIN clock
              WHERE a.ctx = (SELECT hn.ctx())
         )
         SELECT party,
                count(*) FILTER (WHERE waits AND age < interval '1 hour') AS hour,
                count(*) FILTER (WHERE waits AND age >= interval '1 hour' AND age < interval '4 hours') AS four_hours,
                count(*) FILTER (WHERE waits AND age >= interval '4 hours' AND age < interval '1 day') AS day,
                count(*) FILTER (WHERE waits AND age >= interval '1 day' AND age < interval '3 days') AS three_days,
                count(*) FILTER (WHERE waits AND age >= interval '3 days') AS older,
                count(*) FILTER (WHERE waits AND fetched_at IS NULL) AS not_taken,
                count(*) FILTER (WHERE waits AND window_ended_pos IS NOT NULL) AS window_ended,
                (array_agg(nid ORDER BY pos) FILTER (WHERE waits))[1] AS nid,
                (array_agg(rev ORDER BY pos) FILTER (WHERE waits))[1] AS rev,
                min(at) FILTER (WHERE waits) AS at,
                max(fetched_at) AS taken_at
           FROM told GROUP BY party ORDER BY party",
    )
    .fetch_all(conn)
    .await?;
    rows.iter().map(silent_row).collect()
}

fn silent_row(row: &PgRow) -> Result<SilentRow, StoreError> {
    let at: Option<OffsetDateTime> = row.try_get("at")?;
    let oldest = match at {
        Some(at) => {
            let nid = read::nid(row, "nid")?;
            Some(OldestWaiting {
                nid,
                reference: nid.reference(),
                rev: read::revision(row, "rev")?,
                at,
            })
        }
        None => None,
    };
    Ok(SilentRow {
        party: read::text(row, "party")?,
        waiting: Ages {
            hour: read::unsigned(row, "hour")?,
            four_hours: read::unsigned(row, "four_hours")?,
            day: read::unsigned(row, "day")?,
            three_days: read::unsigned(row, "three_days")?,
            older: read::unsigned(row, "older")?,
        },
        not_taken: read::unsigned(row, "not_taken")?,
        window_ended: read::unsigned(row, "window_ended")?,
        oldest,
        taken_at: row.try_get("taken_at")?,
    })
}

/// A desk's devices, and when they last took something; for a coordinator of every desk, for others of their own.
///
/// # Errors
/// [`StoreError`].
pub async fn seen(
    conn: &mut PgConnection,
) -> Result<Vec<(ActorId, u64, Option<OffsetDateTime>)>, StoreError> {
    let rows = sqlx::query("SELECT actor, devices, seen_at FROM hn.desks_seen()")
        .fetch_all(conn)
        .await?;
    rows.iter()
        .map(|row| {
            Ok((
                read::text(row, "actor")?,
                read::unsigned(row, "devices")?,
                row.try_get("seen_at")?,
            ))
        })
        .collect()
}
