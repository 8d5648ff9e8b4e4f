//! What time closes: sites whose notified window has ended, and what keeps one from being closed.

use sqlx::postgres::PgRow;
use sqlx::{PgConnection, Row};
use time::OffsetDateTime;

use super::error::StoreError;
use super::read;
use crate::domain::ids::{LogPosition, Nid, Revision};
use crate::domain::notification::NotificationState;

/// Whether something keeps a site, whose latest revision is `rev`, from being closed at a moment: an earlier revision still
/// counts in a party's checks and its own window has not ended, by whole days; or a call for help about it is not resolved.
///
/// # Errors
/// [`StoreError`].
pub async fn is_held(
    conn: &mut PgConnection,
    nid: Nid,
    rev: Revision,
    at: OffsetDateTime,
) -> Result<bool, StoreError> {
    Ok(sqlx::query_scalar(
        "SELECT EXISTS (SELECT FROM hn.audience a JOIN hn.cover c ON c.nid = a.nid AND c.rev = a.rev
                         WHERE a.nid = $1 AND a.rev < $2 AND a.counts
                           AND (upper_inf(c.validity) OR upper(c.validity) > $3))
             OR EXISTS (SELECT FROM hn.distress d WHERE d.about = $1 AND d.state <> 'resolved')",
    )
    .bind(nid.uuid())
    .bind(read::integer(rev))
    .bind(at)
    .fetch_one(conn)
    .await?)
}

/// Moves a site that is closed by time: it stands so, and none of its revisions counts any more.
///
/// # Errors
/// [`StoreError`].
pub async fn close(
    conn: &mut PgConnection,
    nid: Nid,
    state: NotificationState,
) -> Result<(), StoreError> {
    sqlx::query("UPDATE hn.notification SET state = $2 WHERE nid = $1")
        .bind(nid.uuid())
        .bind(state.as_str())
        .execute(&mut *conn)
        .await?;
    sqlx::query("UPDATE hn.audience SET counts = false WHERE nid = $1 AND counts")
        .bind(nid.uuid())
        .execute(conn)
        .await?;
    Ok(())
}

/// Notes the statement that said that these revisions' windows have ended.
///
/// # Errors
/// [`StoreError`].
pub async fn note_ended(
    conn: &mut PgConnection,
    revisions: &[(Nid, Revision)],
    pos: LogPosition,
) -> Result<(), StoreError> {
    let (nids, revs): (Vec<_>, Vec<_>) = revisions
        .iter()
        .map(|(nid, rev)| (nid.uuid(), read::integer(*rev)))
        .unzip();
    sqlx::query(
        "UPDATE hn.revision r SET window_ended_pos = $3 FROM unnest($1::uuid[], $2::integer[]) AS u(nid, rev)
          WHERE r.nid = u.nid AND r.rev = u.rev",
    )
    .bind(nids)
    .bind(revs)
    .bind(read::bigint(pos.0))
    .execute(conn)
    .await?;
    Ok(())
}

/// Notes the statement that said that these sites are closed by time.
///
/// # Errors
/// [`StoreError`].
pub async fn note_closed(
    conn: &mut PgConnection,
    nids: &[Nid],
    pos: LogPosition,
) -> Result<(), StoreError> {
    sqlx::query("UPDATE hn.notification SET closed_pos = $2 WHERE nid = ANY($1)")
        .bind(nids.iter().map(|nid| nid.uuid()).collect::<Vec<_>>())
        .bind(read::bigint(pos.0))
        .execute(conn)
        .await?;
    Ok(())
}

/// With which statements the end of a revision's window, and the closing of its notification, were known.
///
/// # Errors
/// [`StoreError`].
pub async fn known(
    conn: &mut PgConnection,
    nid: Nid,
    rev: Revision,
) -> Result<(Option<LogPosition>, Option<LogPosition>), StoreError> {
    let row = sqlx::query(
        "SELECT r.window_ended_pos, n.closed_pos FROM hn.revision r JOIN hn.notification n ON n.nid = r.nid
          WHERE r.nid = $1 AND r.rev = $2",
    )
    .bind(nid.uuid())
    .bind(read::integer(rev))
    .fetch_optional(conn)
    .await?;
    let Some(row) = row else {
        return Ok((None, None));
    };
    Ok((
        position(&row, "window_ended_pos")?,
        position(&row, "closed_pos")?,
    ))
}

fn position(row: &PgRow, column: &'static str) -> Result<Option<LogPosition>, StoreError> {
    match row.try_get::<Option<i64>, _>(column)? {
        Some(_) => read::position(row, column).map(Some),
        None => Ok(None),
    }
}

/// The revisions whose windows a statement said to have ended, and the sites that it said to be closed.
///
/// # Errors
/// [`StoreError`].
pub async fn said_by(
    conn: &mut PgConnection,
    pos: LogPosition,
) -> Result<(Vec<(Nid, Revision)>, Vec<Nid>), StoreError> {
    let rows = sqlx::query(
        "SELECT nid, rev FROM hn.revision WHERE window_ended_pos = $1 AND pos <> $1 ORDER BY nid, rev",
    )
    .bind(read::bigint(pos.0))
    .fetch_all(&mut *conn)
    .await?;
    let ended = rows
        .iter()
        .map(|row| Ok((read::nid(row, "nid")?, read::revision(row, "rev")?)))
        .collect::<Result<_, StoreError>>()?;
    let rows = sqlx::query("SELECT nid FROM hn.notification WHERE closed_pos = $1 ORDER BY nid")
        .bind(read::bigint(pos.0))
        .fetch_all(conn)
        .await?;
    let closed = rows.iter().map(|row| read::nid(row, "nid"));
    Ok((ended, closed.collect::<Result<_, _>>()?))
}
