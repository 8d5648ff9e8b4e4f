//! The schedule: what time will bring, and when. The moment itself is sealed by the caller; here stands the day, so that
//! one look a day finds all that could come.

use sqlx::postgres::PgRow;
use sqlx::{PgConnection, Row};
use time::{OffsetDateTime, UtcOffset};

use super::error::StoreError;
use super::read;
use crate::crypto::month::Month;
use crate::domain::due::Due;
use crate::domain::ids::{ActorId, ContextId};
use uuid::Uuid;

/// Something that will fall due.
pub struct NewDue {
    /// The day (UTC) of the moment. Not the moment: that stands sealed in `content`.
    pub day: time::Date,
    /// What.
    pub what: Due,
    /// The notification, or the distress call.
    pub about: Uuid,
    /// The revision, or the step.
    pub rev: u32,
    /// The party that it concerns, if one.
    pub party: Option<ActorId>,
    /// Under which month's KEK.
    pub month: Month,
    /// The moment, sealed.
    pub content: Vec<u8>,
}

/// A row of the schedule.
#[derive(Clone, PartialEq, Eq)]
pub struct DueRow {
    /// Its number; later ones were written later.
    pub id: i64,
    /// The context.
    pub ctx: ContextId,
    /// What.
    pub what: Due,
    /// The notification, or the distress call.
    pub about: Uuid,
    /// The revision, or the step.
    pub rev: u32,
    /// The party that it concerns, if one.
    pub party: Option<ActorId>,
    /// The moment, sealed.
    pub content: Vec<u8>,
}

/// Writes what will fall due. What stands there already for the same thing stays as it is.
///
/// # Errors
/// [`StoreError`].
pub async fn insert(
    conn: &mut PgConnection,
    ctx: &ContextId,
    new: &[NewDue],
) -> Result<(), StoreError> {
    if new.is_empty() {
        return Ok(());
    }
    let texts = |f: fn(&NewDue) -> String| new.iter().map(f).collect::<Vec<_>>();
    sqlx::query(
        "INSERT INTO hn.due (ctx, day, what, about, rev, party, month, content)
         SELECT $1, u.* FROM unnest($2::date[], $3::text[], $4::uuid[], $5::integer[], $6::text[], $7::text[], $8::bytea[]) AS u
         ON CONFLICT DO NOTHING",
    )
    .bind(ctx.as_str())
    .bind(new.iter().map(|d| d.day).collect::<Vec<_>>())
    .bind(texts(|d| d.what.as_str().to_owned()))
    .bind(new.iter().map(|d| d.about).collect::<Vec<_>>())
    .bind(new.iter().map(|d| i32::try_from(d.rev).unwrap_or(i32::MAX)).collect::<Vec<_>>())
    .bind(texts(|d| d.party.as_ref().map(|p| p.as_str().to_owned()).unwrap_or_default()))
    .bind(texts(|d| d.month.to_string()))
    .bind(new.iter().map(|d| d.content.clone()).collect::<Vec<_>>())
    .execute(conn)
    .await?;
    Ok(())
}

/// What may come until the end of `today` and was written after the row `after`, at most `limit` rows, in the order in
/// which they were written. Rows are written under the head's lock, so that none appears behind one that was read.
///
/// # Errors
/// [`StoreError`].
pub async fn unseen(
    conn: &mut PgConnection,
    today: time::Date,
    after: i64,
    limit: i64,
) -> Result<Vec<DueRow>, StoreError> {
    let rows = sqlx::query(
        "SELECT id, ctx, what, about, rev, party, content FROM hn.due WHERE day <= $1 AND id > $2 ORDER BY id LIMIT $3",
    )
    .bind(today)
    .bind(after)
    .bind(limit)
    .fetch_all(conn)
    .await?;
    rows.iter().map(due_row).collect()
}

/// Those of these rows of a context that are still there. The caller holds the head's lock, so that nobody else takes them.
///
/// # Errors
/// [`StoreError`].
pub async fn still_there(
    conn: &mut PgConnection,
    ctx: &ContextId,
    ids: &[i64],
) -> Result<Vec<DueRow>, StoreError> {
    let rows = sqlx::query(
        "SELECT id, ctx, what, about, rev, party, content FROM hn.due WHERE id = ANY($1) AND ctx = $2 ORDER BY id",
    )
    .bind(ids)
    .bind(ctx.as_str())
    .fetch_all(conn)
    .await?;
    rows.iter().map(due_row).collect()
}

/// What is to come for a notification or a call.
///
/// # Errors
/// [`StoreError`].
pub async fn about(
    conn: &mut PgConnection,
    ctx: &ContextId,
    about: Uuid,
) -> Result<Vec<DueRow>, StoreError> {
    let rows = sqlx::query(
        "SELECT id, ctx, what, about, rev, party, content FROM hn.due WHERE about = $1 AND ctx = $2 ORDER BY id",
    )
    .bind(about)
    .bind(ctx.as_str())
    .fetch_all(conn)
    .await?;
    rows.iter().map(due_row).collect()
}

/// Takes rows away.
///
/// # Errors
/// [`StoreError`].
pub async fn remove(conn: &mut PgConnection, ids: &[i64]) -> Result<(), StoreError> {
    sqlx::query("DELETE FROM hn.due WHERE id = ANY($1)")
        .bind(ids)
        .execute(conn)
        .await?;
    Ok(())
}

/// Takes away what was to come for a notification or a call, of one sort.
///
/// # Errors
/// [`StoreError`].
pub async fn forget(conn: &mut PgConnection, about: Uuid, what: Due) -> Result<(), StoreError> {
    sqlx::query("DELETE FROM hn.due WHERE about = $1 AND what = $2")
        .bind(about)
        .bind(what.as_str())
        .execute(conn)
        .await?;
    Ok(())
}

/// Takes away what was to come in a context, of one sort.
///
/// # Errors
/// [`StoreError`].
pub async fn forget_all(
    conn: &mut PgConnection,
    ctx: &ContextId,
    what: Due,
) -> Result<(), StoreError> {
    sqlx::query("DELETE FROM hn.due WHERE ctx = $1 AND what = $2")
        .bind(ctx.as_str())
        .bind(what.as_str())
        .execute(conn)
        .await?;
    Ok(())
}

/// How far the deployment's clock is set ahead of the machine's, in seconds; 0 unless a drill moved it.
///
/// # Errors
/// [`StoreError`].
pub async fn ahead_s(conn: &mut PgConnection) -> Result<f64, StoreError> {
    Ok(
        sqlx::query_scalar("SELECT extract(epoch FROM ahead)::float8 FROM hn.head WHERE only_one")
            .fetch_one(conn)
            .await?,
    )
}

/// The day (UTC) on which a moment lies.
pub fn day(at: OffsetDateTime) -> time::Date {
    at.to_offset(UtcOffset::UTC).date()
}

fn due_row(row: &PgRow) -> Result<DueRow, StoreError> {
    let party: String = row.try_get("party")?;
    Ok(DueRow {
        id: row.try_get("id")?,
        ctx: read::text(row, "ctx")?,
        what: read::text(row, "what")?,
        about: row.try_get("about")?,
        rev: u32::try_from(row.try_get::<i32, _>("rev")?)
            .map_err(|_| StoreError::Decode("rev".to_owned()))?,
        party: if party.is_empty() {
            None
        } else {
            Some(read::text(row, "party")?)
        },
        content: row.try_get("content")?,
    })
}
