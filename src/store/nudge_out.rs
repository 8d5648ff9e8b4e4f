//! Nudges on their way: messages, each claimed by one sender for a while. Durable, so that a restart forgets nothing and
//! repeats nothing but what it was just sending.

use std::time::Duration;

use sqlx::postgres::PgRow;
use sqlx::postgres::types::PgInterval;
use sqlx::{PgConnection, Row as _};
use time::OffsetDateTime;
use uuid::Uuid;

use super::error::StoreError;
use super::nudges::{Person, call_column, person};
use super::read;
use crate::domain::actor::Mode;
use crate::domain::ids::{Nid, Seq};
use crate::domain::nudge::{Allowance, MessageState, Sort, Way};

/// For how long a message is one sender's: longer than a try may take.
const LEASE: &str = "2 minutes";

/// Whether a person may be sent one more message of a sort; of calls for help, about this one.
///
/// # Errors
/// [`StoreError`].
pub async fn may_send(
    conn: &mut PgConnection,
    person: &Person,
    sort: Sort,
    call: Option<Nid>,
    allowance: Allowance,
) -> Result<bool, StoreError> {
    let sent: i64 = sqlx::query_scalar(
        "SELECT count(DISTINCT bundle) FROM hn.nudge_out
          WHERE ctx = $1 AND actor = $2 AND device = $3 AND sort = $4 AND call = $5 AND at > (SELECT hn.now()) - $6",
    )
    .bind(person.ctx.as_str())
    .bind(person.actor.as_str())
    .bind(person.device.as_str())
    .bind(sort.as_str())
    .bind(call_column(call))
    .bind(interval(allowance.within))
    .fetch_one(conn)
    .await?;
    Ok(sent < i64::from(allowance.most))
}

/// A message to be sent.
pub struct NewMessage<'a> {
    /// What its identifier is made of; the same for all its ways.
    pub bundle: Uuid,
    /// To whom.
    pub person: &'a Person,
    /// What it is.
    pub sort: Sort,
    /// The call for help, if it is one.
    pub call: Option<Nid>,
    /// The notification, if it is one.
    pub nid: Option<Nid>,
    /// How many notifications it is about.
    pub count: usize,
    /// The last event that it is about.
    pub upto: Seq,
}

/// Queues a message by a way.
///
/// # Errors
/// [`StoreError`].
pub async fn queue(
    conn: &mut PgConnection,
    message: &NewMessage<'_>,
    way: Way,
) -> Result<(), StoreError> {
    sqlx::query(
        "INSERT INTO hn.nudge_out (bundle, way, ctx, actor, device, sort, call, nid, count, upto, at, next_at)
         SELECT $1, $2, $3, $4, $5, $6, $7, $8, $9, $10, now, now FROM (SELECT hn.now() AS now) AS at",
    )
    .bind(message.bundle)
    .bind(way.as_str())
    .bind(message.person.ctx.as_str())
    .bind(message.person.actor.as_str())
    .bind(message.person.device.as_str())
    .bind(message.sort.as_str())
    .bind(call_column(message.call))
    .bind(message.nid.map(Nid::uuid))
    .bind(i32::try_from(message.count).unwrap_or(i32::MAX))
    .bind(read::bigint(message.upto.0))
    .execute(conn)
    .await?;
    Ok(())
}

/// A message that one sender has claimed.
pub struct Claimed {
    /// What its identifier is made of.
    pub bundle: Uuid,
    /// To whom.
    pub person: Person,
    /// What it is.
    pub sort: Sort,
    /// The notification, if it is one.
    pub nid: Option<Nid>,
    /// How many notifications it is about.
    pub count: usize,
    /// Which try this is, from 1.
    pub tries: u32,
    /// When it was queued.
    pub at: OffsetDateTime,
    /// The database's time.
    pub now: OffsetDateTime,
    /// Whether some device of the actor has fetched everything that it is about.
    pub read: bool,
    /// The mode of the context.
    pub mode: Mode,
    /// The person's choice, sealed; none once it was erased or the device taken back.
    pub choice: Option<Vec<u8>>,
}

/// Claims messages of one way whose time has come, the most pressing first; at most `limit`. Nobody else claims them until
/// they are settled, or the sender has been gone for longer than a try takes.
///
/// # Errors
/// [`StoreError`].
pub async fn claim(
    conn: &mut PgConnection,
    way: Way,
    limit: i64,
) -> Result<Vec<Claimed>, StoreError> {
    let rows = sqlx::query(
        "WITH next AS (
             SELECT bundle FROM hn.nudge_out
              WHERE way = $1 AND state = 'waiting' AND next_at <= (SELECT hn.now())
                AND (lease IS NULL OR lease < clock_timestamp())
              ORDER BY array_position(ARRAY['distress', 'urgent', 'test', 'routine'], sort), next_at
              LIMIT $2 FOR UPDATE SKIP LOCKED
         ), taken AS (
             UPDATE hn.nudge_out o SET lease = clock_timestamp() + $3::interval, tries = tries + 1
               FROM next WHERE o.bundle = next.bundle AND o.way = $1
             RETURNING o.*
         )
         SELECT t.bundle, t.ctx, t.actor, t.device, t.sort, t.nid, t.count, t.tries, t.at,
                (SELECT hn.now()) AS now, c.mode, n.content,
                t.upto <= (SELECT max(cursor_seq) FROM hn.device k
                            WHERE k.ctx = t.ctx AND k.actor = t.actor AND k.state = 'active') AS read
           FROM taken t
           JOIN hn.context c ON c.ctx = t.ctx
           LEFT JOIN hn.device d ON (d.ctx, d.actor, d.device) = (t.ctx, t.actor, t.device) AND d.state = 'active'
           LEFT JOIN hn.nudge n ON (n.ctx, n.actor, n.device) = (d.ctx, d.actor, d.device)",
    )
    .bind(way.as_str())
    .bind(limit)
    .bind(LEASE)
    .fetch_all(conn)
    .await?;
    rows.iter().map(claimed).collect()
}

fn claimed(row: &PgRow) -> Result<Claimed, StoreError> {
    let number = |column: &'static str| -> Result<u32, StoreError> {
        u32::try_from(row.try_get::<i32, _>(column)?)
            .map_err(|_| StoreError::Decode(column.to_owned()))
    };
    let nid: Option<Uuid> = row.try_get("nid")?;
    Ok(Claimed {
        bundle: row.try_get("bundle")?,
        person: person(row)?,
        sort: read::text(row, "sort")?,
        nid: nid.map(Nid::from_uuid),
        count: usize::try_from(number("count")?).unwrap_or(usize::MAX),
        tries: number("tries")?,
        at: row.try_get("at")?,
        now: row.try_get("now")?,
        read: row.try_get::<Option<bool>, _>("read")?.unwrap_or(false),
        mode: read::text(row, "mode")?,
        choice: row.try_get("content")?,
    })
}

/// Says what became of a message.
///
/// # Errors
/// [`StoreError`].
pub async fn settle(
    conn: &mut PgConnection,
    bundle: Uuid,
    way: Way,
    state: MessageState,
) -> Result<(), StoreError> {
    sqlx::query(
        "UPDATE hn.nudge_out SET state = $3, lease = NULL WHERE bundle = $1 AND way = $2 AND state = 'waiting'",
    )
    .bind(bundle)
    .bind(way.as_str())
    .bind(state.as_str())
    .execute(conn)
    .await?;
    Ok(())
}

/// Puts a message back, to be tried again after a pause.
///
/// # Errors
/// [`StoreError`].
pub async fn again(
    conn: &mut PgConnection,
    bundle: Uuid,
    way: Way,
    pause: Duration,
) -> Result<(), StoreError> {
    sqlx::query(
        "UPDATE hn.nudge_out SET next_at = (SELECT hn.now()) + $3, lease = NULL
          WHERE bundle = $1 AND way = $2 AND state = 'waiting'",
    )
    .bind(bundle)
    .bind(way.as_str())
    .bind(interval(pause))
    .execute(conn)
    .await?;
    Ok(())
}

/// Says that a person is not reached by a way; that it was said before stays as it was.
///
/// # Errors
/// [`StoreError`].
pub async fn not_reached(
    conn: &mut PgConnection,
    person: &Person,
    way: Way,
) -> Result<(), StoreError> {
    sqlx::query(
        "INSERT INTO hn.nudge_trouble (ctx, actor, device, way, since) VALUES ($1, $2, $3, $4, hn.now())
         ON CONFLICT DO NOTHING",
    )
    .bind(person.ctx.as_str())
    .bind(person.actor.as_str())
    .bind(person.device.as_str())
    .bind(way.as_str())
    .execute(conn)
    .await?;
    Ok(())
}

/// Says that a person is reached by a way.
///
/// # Errors
/// [`StoreError`].
pub async fn reached(conn: &mut PgConnection, person: &Person, way: Way) -> Result<(), StoreError> {
    sqlx::query(
        "DELETE FROM hn.nudge_trouble WHERE ctx = $1 AND actor = $2 AND device = $3 AND way = $4",
    )
    .bind(person.ctx.as_str())
    .bind(person.actor.as_str())
    .bind(person.device.as_str())
    .bind(way.as_str())
    .execute(conn)
    .await?;
    Ok(())
}

/// Clears away messages that have come to an end and count for no allowance any more.
///
/// # Errors
/// [`StoreError`].
pub async fn clear(conn: &mut PgConnection, older: Duration) -> Result<(), StoreError> {
    sqlx::query(
        "DELETE FROM hn.nudge_out WHERE state <> 'waiting' AND at < (SELECT hn.now()) - $1",
    )
    .bind(interval(older))
    .execute(conn)
    .await?;
    Ok(())
}

/// A message as its person may know of it.
pub struct Recent {
    /// By which way.
    pub way: Way,
    /// What it is.
    pub sort: Sort,
    /// When it was queued.
    pub at: OffsetDateTime,
    /// How often it was tried.
    pub tries: u32,
    /// What became of it.
    pub state: MessageState,
}

/// A person's latest messages, the latest first.
///
/// # Errors
/// [`StoreError`].
pub async fn recent(
    conn: &mut PgConnection,
    person: &Person,
    limit: u32,
) -> Result<Vec<Recent>, StoreError> {
    let rows = sqlx::query(
        "SELECT way, sort, at, tries, state FROM hn.nudge_out
          WHERE ctx = $1 AND actor = $2 AND device = $3 ORDER BY at DESC, way LIMIT $4",
    )
    .bind(person.ctx.as_str())
    .bind(person.actor.as_str())
    .bind(person.device.as_str())
    .bind(i64::from(limit))
    .fetch_all(conn)
    .await?;
    rows.iter()
        .map(|row| {
            Ok(Recent {
                way: read::text(row, "way")?,
                sort: read::text(row, "sort")?,
                at: row.try_get("at")?,
                tries: u32::try_from(row.try_get::<i32, _>("tries")?).unwrap_or(0),
                state: read::text(row, "state")?,
            })
        })
        .collect()
}

fn interval(duration: Duration) -> PgInterval {
    PgInterval {
        months: 0,
        days: 0,
        microseconds: i64::try_from(duration.as_micros()).unwrap_or(i64::MAX),
    }
}
