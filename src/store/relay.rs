//! What the coordinator relayed to parties by other means: which revisions, when. Row-level security decides who sees it.

use sqlx::{PgConnection, Row as _};
use time::OffsetDateTime;

use super::error::StoreError;
use super::read;
use crate::crypto::digest::Digest;
use crate::domain::ids::{ActorId, ContextId, LogPosition, Nid, Revision};

/// A package's part for one organisation, to store.
pub struct NewRelay<'a> {
    /// The statement's position.
    pub pos: LogPosition,
    /// The context.
    pub ctx: &'a ContextId,
    /// The party that it went to.
    pub party: &'a ActorId,
    /// The organisation that all items belong to.
    pub org: &'a ActorId,
    /// When, by the database's clock.
    pub at: OffsetDateTime,
    /// The revisions in it.
    pub items: &'a [(Nid, Revision)],
}

/// Stores what stood in a package.
///
/// # Errors
/// [`StoreError`]; `relay_audience_exists` when an item was not notified to the party.
pub async fn insert(conn: &mut PgConnection, new: &NewRelay<'_>) -> Result<(), StoreError> {
    let (nids, revs): (Vec<_>, Vec<_>) = new
        .items
        .iter()
        .map(|(nid, rev)| (nid.uuid(), read::integer(*rev)))
        .unzip();
    sqlx::query(
        "INSERT INTO hn.relay (pos, item, ctx, party, org, nid, rev, at)
         SELECT $1, i - 1, $2, $3, $4, n, r, $5 FROM unnest($6::uuid[], $7::integer[]) WITH ORDINALITY AS u(n, r, i)",
    )
    .bind(read::bigint(new.pos.0))
    .bind(new.ctx.as_str())
    .bind(new.party.as_str())
    .bind(new.org.as_str())
    .bind(new.at)
    .bind(nids)
    .bind(revs)
    .execute(conn)
    .await?;
    Ok(())
}

/// A revision that stood in a package.
pub struct RelayLine {
    /// Of which notification.
    pub nid: Nid,
    /// Which.
    pub rev: Revision,
    /// To whom.
    pub party: ActorId,
    /// Hash of the statement.
    pub hash: Digest,
    /// When it was stored.
    pub at: OffsetDateTime,
}

/// What was relayed of some notifications, oldest first, as far as the tenant may see.
///
/// # Errors
/// [`StoreError`].
pub async fn of_notifications(
    conn: &mut PgConnection,
    nids: &[Nid],
) -> Result<Vec<RelayLine>, StoreError> {
    let rows = sqlx::query(
        "SELECT r.nid, r.rev, r.party, r.at, s.hash
           FROM hn.relay r JOIN hn.statement s ON s.pos = r.pos WHERE r.nid = ANY($1) ORDER BY r.pos, r.item",
    )
    .bind(nids.iter().map(|nid| nid.uuid()).collect::<Vec<_>>())
    .fetch_all(conn)
    .await?;
    rows.iter()
        .map(|row| {
            Ok(RelayLine {
                nid: read::nid(row, "nid")?,
                rev: read::revision(row, "rev")?,
                party: read::text(row, "party")?,
                hash: read::digest(row, "hash")?,
                at: row.try_get("at")?,
            })
        })
        .collect()
}
