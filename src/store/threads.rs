//! Queries and warnings, and whether they were replied to. What was said, and until when a reply is asked for, is sealed.

use sqlx::postgres::PgRow;
use sqlx::{PgConnection, Row};
use time::OffsetDateTime;
use uuid::Uuid;

use super::error::StoreError;
use super::read;
use crate::crypto::digest::Digest;
use crate::crypto::month::Month;
use crate::domain::exchange::ThreadKind;
use crate::domain::ids::{ActorId, ContextId, LogPosition, Nid, Revision};
use crate::domain::notification::NotificationState;

/// What opens threads: one statement, with its items.
pub struct NewThreads<'a> {
    /// The context.
    pub ctx: &'a ContextId,
    /// The statement that asks or warns.
    pub of: Digest,
    /// Its position.
    pub pos: LogPosition,
    /// A query, or a warning.
    pub kind: ThreadKind,
    /// The party that asks or warns.
    pub party: &'a ActorId,
    /// The organisation that is asked or warned.
    pub org: &'a ActorId,
    /// When, by the database's clock.
    pub at: OffsetDateTime,
    /// Under which month's KEK the times are sealed.
    pub month: Month,
    /// One for each notification that it asks about.
    pub items: &'a [NewThread],
}

/// One thread to open.
pub struct NewThread {
    /// Its id.
    pub id: Uuid,
    /// Which of the statement's items.
    pub item: usize,
    /// The notification.
    pub nid: Nid,
    /// The revision.
    pub rev: Revision,
    /// Until when a reply is asked for, sealed.
    pub due: Vec<u8>,
}

/// A thread.
pub struct ThreadRow {
    /// Its id.
    pub id: Uuid,
    /// The statement that asks or warns.
    pub of: Digest,
    /// A query, or a warning.
    pub kind: ThreadKind,
    /// The notification.
    pub nid: Nid,
    /// The revision.
    pub rev: Revision,
    /// The party that asks or warns.
    pub party: ActorId,
    /// The organisation that is asked or warned.
    pub org: ActorId,
    /// When it was stored.
    pub at: OffsetDateTime,
    /// Until when a reply is asked for, sealed.
    pub due: Vec<u8>,
    /// How often it was replied to.
    pub replies: u32,
    /// The latest reply, and when it was stored.
    pub reply: Option<(Digest, OffsetDateTime)>,
    /// Where its notification stands.
    pub state: NotificationState,
}

/// One text for each question, fixed when it is compiled.
macro_rules! select {
    ($more:literal, $rest:literal) => {
        concat!(
            "SELECT t.id, t.of, t.kind, t.nid, t.rev, t.party, t.org, t.at, t.due, t.replies, t.reply, t.replied_at, n.state",
            $more,
            " FROM hn.thread t JOIN hn.notification n ON n.nid = t.nid ",
            $rest
        )
    };
}

/// Opens threads.
///
/// # Errors
/// [`StoreError`]; `thread_audience_exists` when a revision was not delivered to the party.
pub async fn insert(conn: &mut PgConnection, new: &NewThreads<'_>) -> Result<(), StoreError> {
    let item = |one: &NewThread| i32::try_from(one.item).unwrap_or(i32::MAX);
    sqlx::query(
        "INSERT INTO hn.thread (ctx, of, pos, kind, party, org, at, month, id, item, nid, rev, due)
         SELECT $1, $2, $3, $4, $5, $6, $7, $8, u.*
           FROM unnest($9::uuid[], $10::integer[], $11::uuid[], $12::integer[], $13::bytea[]) AS u",
    )
    .bind(new.ctx.as_str())
    .bind(new.of.as_bytes().as_slice())
    .bind(read::bigint(new.pos.0))
    .bind(new.kind.as_str())
    .bind(new.party.as_str())
    .bind(new.org.as_str())
    .bind(new.at)
    .bind(new.month.to_string())
    .bind(new.items.iter().map(|i| i.id).collect::<Vec<_>>())
    .bind(new.items.iter().map(item).collect::<Vec<_>>())
    .bind(new.items.iter().map(|i| i.nid.uuid()).collect::<Vec<_>>())
    .bind(
        new.items
            .iter()
            .map(|i| read::integer(i.rev))
            .collect::<Vec<_>>(),
    )
    .bind(new.items.iter().map(|i| i.due.clone()).collect::<Vec<_>>())
    .execute(conn)
    .await?;
    Ok(())
}

/// A thread of the context by its id.
///
/// # Errors
/// [`StoreError`].
pub async fn get(
    conn: &mut PgConnection,
    ctx: &ContextId,
    id: Uuid,
) -> Result<Option<ThreadRow>, StoreError> {
    let row = sqlx::query(select!("", "WHERE t.id = $1 AND t.ctx = $2"))
        .bind(id)
        .bind(ctx.as_str())
        .fetch_optional(conn)
        .await?;
    row.as_ref().map(thread).transpose()
}

/// The threads on these notifications, oldest first.
///
/// # Errors
/// [`StoreError`].
pub async fn of_notifications(
    conn: &mut PgConnection,
    nids: &[Nid],
) -> Result<Vec<ThreadRow>, StoreError> {
    let rows = sqlx::query(select!("", "WHERE t.nid = ANY($1) ORDER BY t.pos, t.item"))
        .bind(nids.iter().map(|nid| nid.uuid()).collect::<Vec<_>>())
        .fetch_all(conn)
        .await?;
    rows.iter().map(thread).collect()
}

/// The oldest threads on current notifications that nobody has replied to, and how many there are in all.
///
/// # Errors
/// [`StoreError`].
pub async fn open(
    conn: &mut PgConnection,
    limit: u32,
) -> Result<(Vec<ThreadRow>, u64), StoreError> {
    let rows = sqlx::query(select!(
        ", count(*) OVER () AS total",
        "WHERE t.ctx = hn.ctx() AND t.replies = 0 AND n.state = 'current' ORDER BY t.pos, t.item LIMIT $1"
    ))
    .bind(i64::from(limit))
    .fetch_all(conn)
    .await?;
    let total = rows
        .first()
        .map(|row| read::unsigned(row, "total"))
        .transpose()?
        .unwrap_or(0);
    let threads = rows.iter().map(thread).collect::<Result<_, _>>()?;
    Ok((threads, total))
}

/// Keeps that a thread was replied to. The latest reply counts.
///
/// # Errors
/// [`StoreError`]; [`StoreError::Conflict`] when there is no such thread.
pub async fn set_replied(
    conn: &mut PgConnection,
    id: Uuid,
    reply: Digest,
    pos: LogPosition,
    at: OffsetDateTime,
) -> Result<(), StoreError> {
    let done = sqlx::query(
        "UPDATE hn.thread SET replies = replies + 1, reply = $2, replied_pos = $3, replied_at = $4 WHERE id = $1",
    )
    .bind(id)
    .bind(reply.as_bytes().as_slice())
    .bind(read::bigint(pos.0))
    .bind(at)
    .execute(conn)
    .await?;
    if done.rows_affected() == 1 {
        Ok(())
    } else {
        Err(StoreError::Conflict)
    }
}

fn thread(row: &PgRow) -> Result<ThreadRow, StoreError> {
    let replied_at: Option<OffsetDateTime> = row.try_get("replied_at")?;
    Ok(ThreadRow {
        id: row.try_get("id")?,
        of: read::digest(row, "of")?,
        kind: read::text(row, "kind")?,
        nid: read::nid(row, "nid")?,
        rev: read::revision(row, "rev")?,
        party: read::text(row, "party")?,
        org: read::text(row, "org")?,
        at: row.try_get("at")?,
        due: row.try_get("due")?,
        replies: u32::try_from(row.try_get::<i32, _>("replies")?)
            .map_err(|_| StoreError::Decode("replies".to_owned()))?,
        reply: replied_at
            .map(|at| Ok::<_, StoreError>((read::digest(row, "reply")?, at)))
            .transpose()?,
        state: read::text(row, "state")?,
    })
}
