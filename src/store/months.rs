//! The months that each context has sealed anything in: which are kept, what holds them, and which were destroyed. Destroying
//! is the database's own function, which empties only what a statement said is destroyed.

use sqlx::{PgConnection, Row as _};
use time::OffsetDateTime;

use super::error::StoreError;
use super::read;
use crate::crypto::month::Month;
use crate::domain::due::Due;
use crate::domain::ids::{ActorId, ContextId, DeviceId, LogPosition};
use crate::domain::retention::{HeldBy, Hold};

/// A month of a context.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MonthRow {
    /// The context.
    pub ctx: ContextId,
    /// The month.
    pub month: Month,
    /// When a statement of the server said that it is destroyed, and which.
    pub destroyed: Option<(LogPosition, OffsetDateTime)>,
    /// When nothing of it was left in the database.
    pub emptied_at: Option<OffsetDateTime>,
}

/// Writes that something will be sealed in a month, in these contexts.
///
/// # Errors
/// [`StoreError`].
pub async fn begin<'a>(
    conn: &mut PgConnection,
    contexts: impl Iterator<Item = &'a ContextId>,
    month: Month,
) -> Result<(), StoreError> {
    sqlx::query(
        "INSERT INTO hn.month (ctx, month) SELECT u, $2 FROM unnest($1::text[]) AS u ON CONFLICT DO NOTHING",
    )
    .bind(contexts.map(|ctx| ctx.as_str().to_owned()).collect::<Vec<_>>())
    .bind(month.to_string())
    .execute(conn)
    .await?;
    Ok(())
}

/// All months of all contexts, oldest first.
///
/// # Errors
/// [`StoreError`].
pub async fn all(conn: &mut PgConnection) -> Result<Vec<MonthRow>, StoreError> {
    let rows = sqlx::query(
        "SELECT ctx, month, destroyed_pos, destroyed_at, emptied_at FROM hn.month ORDER BY month, ctx",
    )
    .fetch_all(conn)
    .await?;
    rows.iter()
        .map(|row| {
            let at: Option<OffsetDateTime> = row.try_get("destroyed_at")?;
            let destroyed = match at {
                Some(at) => Some((read::position(row, "destroyed_pos")?, at)),
                None => None,
            };
            Ok(MonthRow {
                ctx: read::text(row, "ctx")?,
                month: read::text(row, "month")?,
                destroyed,
                emptied_at: row.try_get("emptied_at")?,
            })
        })
        .collect()
}

/// Whether a month of a context is kept: not destroyed.
///
/// # Errors
/// [`StoreError`].
pub async fn is_kept(
    conn: &mut PgConnection,
    ctx: &ContextId,
    month: Month,
) -> Result<bool, StoreError> {
    Ok(sqlx::query_scalar(
        "SELECT NOT EXISTS (SELECT FROM hn.month WHERE ctx = $1 AND month = $2 AND destroyed_pos IS NOT NULL)",
    )
    .bind(ctx.as_str())
    .bind(month.to_string())
    .fetch_one(conn)
    .await?)
}

/// What holds a month of a context, at most `limit` of each sort.
///
/// # Errors
/// [`StoreError`].
pub async fn holds(
    conn: &mut PgConnection,
    ctx: &ContextId,
    month: Month,
    limit: i64,
) -> Result<Vec<Hold>, StoreError> {
    let mut out = Vec::new();
    for (by, sql) in [
        (HeldBy::Notification, HELD_BY_NOTIFICATIONS),
        (HeldBy::Thread, HELD_BY_THREADS),
        (HeldBy::Call, HELD_BY_CALLS),
    ] {
        let rows = sqlx::query(sql)
            .bind(ctx.as_str())
            .bind(month.to_string())
            .bind(limit)
            .fetch_all(&mut *conn)
            .await?;
        for row in rows {
            let party: Option<String> = row.try_get("party")?;
            out.push(Hold {
                by,
                nid: read::nid(&row, "nid")?,
                party: match party {
                    Some(_) => Some(read::text(&row, "party")?),
                    None => None,
                },
            });
        }
    }
    Ok(out)
}

const HELD_BY_NOTIFICATIONS: &str = "SELECT DISTINCT n.nid, NULL::text AS party
   FROM hn.notification n
   JOIN hn.revision r ON r.nid = n.nid AND r.kind IN ('site', 'movement')
   LEFT JOIN hn.cover c ON c.nid = r.nid AND c.rev = r.rev
  WHERE n.ctx = $1 AND n.state = 'current'
    AND (c.validity IS NULL OR upper_inf(c.validity) OR upper(c.validity) > (SELECT hn.now()))
    AND (r.rev = n.rev OR EXISTS (SELECT FROM hn.audience a WHERE a.nid = r.nid AND a.rev = r.rev AND a.counts))
    AND (EXISTS (SELECT FROM hn.part p WHERE p.pos = r.pos AND p.month = $2)
         OR EXISTS (SELECT FROM hn.blob_use u JOIN hn.blob b ON b.id = u.blob WHERE u.pos = r.pos AND b.month = $2)
         OR EXISTS (SELECT FROM hn.progress g JOIN hn.part p ON p.pos = g.pos
                     WHERE g.nid = r.nid AND g.rev = r.rev AND p.month = $2))
  ORDER BY 1 LIMIT $3";

const HELD_BY_THREADS: &str = "SELECT DISTINCT t.nid, t.party
   FROM hn.thread t
  WHERE t.ctx = $1 AND t.replies = 0
    AND (t.month = $2
         OR EXISTS (SELECT FROM hn.revision r JOIN hn.part p ON p.pos = r.pos
                     WHERE r.nid = t.nid AND r.rev = t.rev AND p.month = $2))
  ORDER BY 1, 2 LIMIT $3";

const HELD_BY_CALLS: &str = "SELECT d.nid, NULL::text AS party
   FROM hn.distress d
  WHERE d.ctx = $1 AND d.state <> 'resolved'
    AND (to_char(d.at AT TIME ZONE 'UTC', 'YYYY-MM') <= $2
         OR EXISTS (SELECT FROM hn.part p WHERE p.pos = d.pos AND p.month = $2)
         OR EXISTS (SELECT FROM hn.revision r JOIN hn.part p ON p.pos = r.pos WHERE r.nid = d.about AND p.month = $2))
  ORDER BY 1 LIMIT $3";

/// The organisations that have anything sealed in a month of a context.
///
/// # Errors
/// [`StoreError`].
pub async fn concerned(
    conn: &mut PgConnection,
    ctx: &ContextId,
    month: Month,
) -> Result<Vec<ActorId>, StoreError> {
    let rows = sqlx::query(
        "SELECT a.actor FROM hn.actor a
          WHERE a.ctx = $1 AND a.kind = 'organisation'
            AND (EXISTS (SELECT FROM hn.part p JOIN hn.statement s USING (pos)
                          WHERE s.ctx = $1 AND p.org = a.actor AND p.month = $2)
                 OR EXISTS (SELECT FROM hn.blob b WHERE b.ctx = $1 AND b.actor = a.actor AND b.month = $2))
          ORDER BY 1",
    )
    .bind(ctx.as_str())
    .bind(month.to_string())
    .fetch_all(conn)
    .await?;
    rows.iter().map(|row| read::text(row, "actor")).collect()
}

/// Writes that a statement said that a month of a context is destroyed.
///
/// # Errors
/// [`StoreError`].
pub async fn set_destroyed(
    conn: &mut PgConnection,
    ctx: &ContextId,
    month: Month,
    (pos, at): (LogPosition, OffsetDateTime),
) -> Result<(), StoreError> {
    sqlx::query(
        "UPDATE hn.month SET destroyed_pos = $3, destroyed_at = $4 WHERE ctx = $1 AND month = $2 AND destroyed_pos IS NULL",
    )
    .bind(ctx.as_str())
    .bind(month.to_string())
    .bind(read::bigint(pos.0))
    .bind(at)
    .execute(conn)
    .await?;
    Ok(())
}

/// Empties what is sealed under a destroyed month beside the next `at_once` statements behind a position. Gives the last one
/// that was looked at; none at the end.
///
/// # Errors
/// [`StoreError`]; also where no statement said that the month is destroyed.
pub async fn empty_statements(
    conn: &mut PgConnection,
    ctx: &ContextId,
    month: Month,
    (after, at_once): (i64, i32),
) -> Result<Option<i64>, StoreError> {
    Ok(
        sqlx::query_scalar("SELECT hn.empty_statements($1, $2, $3, $4)")
            .bind(ctx.as_str())
            .bind(month.to_string())
            .bind(after)
            .bind(at_once)
            .fetch_one(conn)
            .await?,
    )
}

/// Empties all else that is sealed under a destroyed month: contents of attachments, questions and answers, times of threads,
/// names of invited people.
///
/// # Errors
/// As [`empty_statements`].
pub async fn empty_rest(
    conn: &mut PgConnection,
    ctx: &ContextId,
    month: Month,
    at: OffsetDateTime,
) -> Result<(), StoreError> {
    sqlx::query("SELECT hn.empty_rest($1, $2, $3)")
        .bind(ctx.as_str())
        .bind(month.to_string())
        .bind(at)
        .execute(conn)
        .await?;
    Ok(())
}

/// Writes that nothing of a month of a context is left.
///
/// # Errors
/// [`StoreError`].
pub async fn set_emptied(
    conn: &mut PgConnection,
    ctx: &ContextId,
    month: Month,
    at: OffsetDateTime,
) -> Result<(), StoreError> {
    sqlx::query("UPDATE hn.month SET emptied_at = $3 WHERE ctx = $1 AND month = $2")
        .bind(ctx.as_str())
        .bind(month.to_string())
        .bind(at)
        .execute(conn)
        .await?;
    Ok(())
}

/// The name of a device's holder, sealed.
pub struct Holder {
    /// Whose device.
    pub actor: ActorId,
    /// The device.
    pub device: DeviceId,
    /// The name.
    pub person: Vec<u8>,
}

/// The holders of devices whose names are sealed under another month than the present one, behind one of them, at most
/// `limit`.
///
/// # Errors
/// [`StoreError`].
pub async fn holders(
    conn: &mut PgConnection,
    ctx: &ContextId,
    present: Month,
    (after, limit): (Option<&Holder>, i64),
) -> Result<Vec<Holder>, StoreError> {
    let (actor, device) = after.map_or(("", ""), |one| (one.actor.as_str(), one.device.as_str()));
    let rows = sqlx::query(
        "SELECT actor, device, person FROM hn.device
          WHERE ctx = $1 AND person_month <> $2 AND (actor, device) > ($3, $4) ORDER BY actor, device LIMIT $5",
    )
    .bind(ctx.as_str())
    .bind(present.to_string())
    .bind(actor)
    .bind(device)
    .bind(limit)
    .fetch_all(conn)
    .await?;
    rows.iter()
        .map(|row| {
            Ok(Holder {
                actor: read::text(row, "actor")?,
                device: read::text(row, "device")?,
                person: row.try_get("person")?,
            })
        })
        .collect()
}

/// Puts a holder's name in its place, sealed anew.
///
/// # Errors
/// [`StoreError`].
pub async fn reseal_holder(
    conn: &mut PgConnection,
    ctx: &ContextId,
    holder: &Holder,
    (month, person): (Month, &[u8]),
) -> Result<(), StoreError> {
    sqlx::query(
        "UPDATE hn.device SET person_month = $4, person = $5
          WHERE ctx = $1 AND actor = $2 AND device = $3 AND person = $6",
    )
    .bind(ctx.as_str())
    .bind(holder.actor.as_str())
    .bind(holder.device.as_str())
    .bind(month.to_string())
    .bind(person)
    .bind(holder.person.as_slice())
    .execute(conn)
    .await?;
    Ok(())
}

/// A row of the schedule that is to be sealed anew.
pub struct SealedDue {
    /// Its number.
    pub id: i64,
    /// What.
    pub what: Due,
    /// The notification, or the call.
    pub about: uuid::Uuid,
    /// The revision, or the step.
    pub rev: u32,
    /// The party that it concerns, or nothing.
    pub party: String,
    /// The moment, sealed.
    pub content: Vec<u8>,
}

/// Rows of the schedule that are sealed under another month than the present one, behind one of them, at most `limit`.
///
/// # Errors
/// [`StoreError`].
pub async fn due(
    conn: &mut PgConnection,
    ctx: &ContextId,
    present: Month,
    (after, limit): (i64, i64),
) -> Result<Vec<SealedDue>, StoreError> {
    let rows = sqlx::query(
        "SELECT id, what, about, rev, party, content FROM hn.due
          WHERE ctx = $1 AND month <> $2 AND id > $3 ORDER BY id LIMIT $4",
    )
    .bind(ctx.as_str())
    .bind(present.to_string())
    .bind(after)
    .bind(limit)
    .fetch_all(conn)
    .await?;
    rows.iter()
        .map(|row| {
            Ok(SealedDue {
                id: row.try_get("id")?,
                what: read::text(row, "what")?,
                about: row.try_get("about")?,
                rev: u32::try_from(row.try_get::<i32, _>("rev")?)
                    .map_err(|_| StoreError::Decode("rev".to_owned()))?,
                party: row.try_get("party")?,
                content: row.try_get("content")?,
            })
        })
        .collect()
}

/// Puts a row of the schedule in its place, sealed anew.
///
/// # Errors
/// [`StoreError`].
pub async fn reseal_due(
    conn: &mut PgConnection,
    id: i64,
    (month, content): (Month, &[u8]),
) -> Result<(), StoreError> {
    sqlx::query("UPDATE hn.due SET month = $2, content = $3 WHERE id = $1")
        .bind(id)
        .bind(month.to_string())
        .bind(content)
        .execute(conn)
        .await?;
    Ok(())
}
