//! Who is nudged where: each person's own choice, sealed as a whole, and who is not reached. Erasing a choice erases the
//! only place in which an address stands.

use sqlx::postgres::PgRow;
use sqlx::{PgConnection, Row as _};
use time::OffsetDateTime;
use uuid::Uuid;

use super::error::StoreError;
use super::read;
use crate::crypto::month::Month;
use crate::domain::actor::{ActorKind, Mode};
use crate::domain::ids::{ActorId, ContextId, DeviceId, Nid};
use crate::domain::nudge::Way;

/// Choices that are read at once; far more than people in one deployment.
const MOST: i64 = 20_000;

/// A person, as nudges know one: a device.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Person {
    /// The context.
    pub ctx: ContextId,
    /// Whose device.
    pub actor: ActorId,
    /// The device.
    pub device: DeviceId,
}

/// A choice, and whose it is.
pub struct ChoiceRow {
    /// Whose.
    pub person: Person,
    /// What the actor is.
    pub kind: ActorKind,
    /// The mode of the context.
    pub mode: Mode,
    /// The month under which it is sealed.
    pub month: Month,
    /// The choice, sealed.
    pub content: Vec<u8>,
}

const CHOICES: &str = "SELECT n.ctx, n.actor, n.device, a.kind, c.mode, n.month, n.content
   FROM hn.nudge n
   JOIN hn.device d ON (d.ctx, d.actor, d.device) = (n.ctx, n.actor, n.device) AND d.state = 'active'
   JOIN hn.actor a ON (a.ctx, a.actor) = (n.ctx, n.actor)
   JOIN hn.context c ON c.ctx = n.ctx
  ORDER BY n.ctx, n.actor, n.device LIMIT $1";

/// The choices of all active devices whose rows the caller may see.
///
/// # Errors
/// [`StoreError`].
pub async fn choices(conn: &mut PgConnection) -> Result<Vec<ChoiceRow>, StoreError> {
    let rows = sqlx::query(CHOICES).bind(MOST).fetch_all(conn).await?;
    rows.iter().map(choice_row).collect()
}

fn choice_row(row: &PgRow) -> Result<ChoiceRow, StoreError> {
    Ok(ChoiceRow {
        person: person(row)?,
        kind: read::text(row, "kind")?,
        mode: read::text(row, "mode")?,
        month: read::text(row, "month")?,
        content: row.try_get("content")?,
    })
}

pub(super) fn person(row: &PgRow) -> Result<Person, StoreError> {
    Ok(Person {
        ctx: read::text(row, "ctx")?,
        actor: read::text(row, "actor")?,
        device: read::text(row, "device")?,
    })
}

/// Sets a person's choice. What was not reached before may be now.
///
/// # Errors
/// [`StoreError`].
pub async fn set(
    conn: &mut PgConnection,
    person: &Person,
    month: Month,
    content: &[u8],
) -> Result<(), StoreError> {
    sqlx::query(
        "INSERT INTO hn.nudge (ctx, actor, device, month, content) VALUES ($1, $2, $3, $4, $5)
         ON CONFLICT (ctx, actor, device) DO UPDATE SET month = excluded.month, content = excluded.content",
    )
    .bind(person.ctx.as_str())
    .bind(person.actor.as_str())
    .bind(person.device.as_str())
    .bind(month.to_string())
    .bind(content)
    .execute(&mut *conn)
    .await?;
    forget_trouble(conn, person).await
}

/// Seals a choice anew, if nobody changed it meanwhile.
///
/// # Errors
/// [`StoreError`].
pub async fn reseal(
    conn: &mut PgConnection,
    row: &ChoiceRow,
    month: Month,
    content: &[u8],
) -> Result<(), StoreError> {
    sqlx::query(
        "UPDATE hn.nudge SET month = $4, content = $5
          WHERE ctx = $1 AND actor = $2 AND device = $3 AND content = $6",
    )
    .bind(row.person.ctx.as_str())
    .bind(row.person.actor.as_str())
    .bind(row.person.device.as_str())
    .bind(month.to_string())
    .bind(content)
    .bind(&row.content)
    .execute(conn)
    .await?;
    Ok(())
}

/// Erases a person's choice, and that they were not reached.
///
/// # Errors
/// [`StoreError`].
pub async fn erase(conn: &mut PgConnection, person: &Person) -> Result<(), StoreError> {
    sqlx::query("DELETE FROM hn.nudge WHERE ctx = $1 AND actor = $2 AND device = $3")
        .bind(person.ctx.as_str())
        .bind(person.actor.as_str())
        .bind(person.device.as_str())
        .execute(&mut *conn)
        .await?;
    forget_trouble(conn, person).await
}

async fn forget_trouble(conn: &mut PgConnection, person: &Person) -> Result<(), StoreError> {
    sqlx::query("DELETE FROM hn.nudge_trouble WHERE ctx = $1 AND actor = $2 AND device = $3")
        .bind(person.ctx.as_str())
        .bind(person.actor.as_str())
        .bind(person.device.as_str())
        .execute(conn)
        .await?;
    Ok(())
}

/// Somebody who is not reached.
pub struct Trouble {
    /// Who.
    pub person: Person,
    /// By which way.
    pub way: Way,
    /// Since when.
    pub since: OffsetDateTime,
}

/// Who is not reached, as far as the caller may know: one's own colleagues, and the coordinator everybody; at most `limit`.
///
/// # Errors
/// [`StoreError`].
pub async fn troubles(conn: &mut PgConnection, limit: u32) -> Result<Vec<Trouble>, StoreError> {
    let rows = sqlx::query(
        "SELECT ctx, actor, device, way, since FROM hn.nudge_trouble ORDER BY since, actor, device, way LIMIT $1",
    )
    .bind(i64::from(limit))
    .fetch_all(conn)
    .await?;
    rows.iter()
        .map(|row| {
            Ok(Trouble {
                person: person(row)?,
                way: read::text(row, "way")?,
                since: row.try_get("since")?,
            })
        })
        .collect()
}

/// The column of a call for help: all zeros where it is none, so that it can stand in a key.
pub(super) fn call_column(call: Option<Nid>) -> Uuid {
    call.map_or(Uuid::nil(), Nid::uuid)
}
