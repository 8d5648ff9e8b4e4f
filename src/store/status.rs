//! Reading where notifications stand, as the tenant of the transaction: row-level security decides what is there.

use sqlx::{PgConnection, Row};
use time::OffsetDateTime;

use super::actors::{self, ActorRow};
use super::error::StoreError;
use super::read;
use crate::crypto::digest::Digest;
use crate::domain::ack::AckState;
use crate::domain::actor::ActorState;
use crate::domain::ids::{ActorId, ContextId, LogPosition, Nid, Reference, Revision};
use crate::domain::kind::Kind;
use crate::domain::notification::{
    NotificationState, ScreeningState, SecondSignature, Subject, Tier,
};
use crate::wire::api::Statistics;

/// A notification.
pub struct Header {
    /// Its id.
    pub nid: Nid,
    /// Whose.
    pub org: ActorId,
    /// A site, or a movement.
    pub subject: Subject,
    /// Where it stands.
    pub state: NotificationState,
    /// Whether the server closed it when its time had come.
    pub closed_by_time: bool,
}

/// A revision.
pub struct RevisionLine {
    /// Of which notification.
    pub nid: Nid,
    /// Its number.
    pub rev: Revision,
    /// Its position.
    pub pos: LogPosition,
    /// Hash of its statement.
    pub hash: Digest,
    /// `site`, `movement`, `withdraw`, `close`.
    pub kind: Kind,
    /// Where it stands with the coordinator.
    pub screening: ScreeningState,
    /// What of it was looked at, in the words of the wire.
    pub checked: Vec<String>,
    /// Whether a second person has signed.
    pub cosign: SecondSignature,
    /// Notified as an emergency.
    pub emergency: bool,
    /// Signed by the coordinator on the organisation's behalf, and not by the organisation since.
    pub on_behalf: bool,
    /// It is a site's, and its window has ended.
    pub window_ended: bool,
    /// When it was stored.
    pub at: OffsetDateTime,
}

/// A party that was chosen.
pub struct PartyLine {
    /// Of which notification.
    pub nid: Nid,
    /// The party.
    pub party: ActorId,
    /// How much it sees.
    pub tier: Tier,
    /// When its desk had taken the latest revision.
    pub fetched_at: Option<OffsetDateTime>,
    /// It has no desk that the coordinator has admitted.
    pub without_device: bool,
}

/// A party's word.
pub struct AckLine {
    /// Of which notification.
    pub nid: Nid,
    /// Of which revision.
    pub rev: Revision,
    /// Whose.
    pub party: ActorId,
    /// What it says.
    pub state: AckState,
    /// Entered more than 100 m away.
    pub elsewhere: bool,
    /// From a letter, by the coordinator.
    pub transcribed: bool,
    /// Hash of the statement.
    pub hash: Digest,
    /// When it was stored.
    pub at: OffsetDateTime,
}

fn uuids(nids: &[Nid]) -> Vec<uuid::Uuid> {
    nids.iter().map(|nid| nid.uuid()).collect()
}

/// The notifications that share a reference.
///
/// # Errors
/// [`StoreError`].
pub async fn by_reference(
    conn: &mut PgConnection,
    reference: &Reference,
) -> Result<Vec<Nid>, StoreError> {
    let rows = sqlx::query("SELECT nid FROM hn.notification WHERE ctx = hn.ctx() AND reference = $1 ORDER BY first_pos LIMIT 10")
        .bind(reference.as_str())
        .fetch_all(conn)
        .await?;
    rows.iter().map(|row| read::nid(row, "nid")).collect()
}

/// A page of notifications behind a position, and the position to go on from.
///
/// # Errors
/// [`StoreError`].
pub async fn page(
    conn: &mut PgConnection,
    after: LogPosition,
    limit: u32,
) -> Result<(Vec<Nid>, Option<LogPosition>), StoreError> {
    let rows = sqlx::query("SELECT nid, first_pos FROM hn.notification WHERE first_pos > $1 ORDER BY first_pos LIMIT $2")
        .bind(read::bigint(after.0))
        .bind(i64::from(limit) + 1)
        .fetch_all(conn)
        .await?;
    let shown = usize::try_from(limit).unwrap_or(usize::MAX).min(rows.len());
    let page = rows.get(..shown).unwrap_or_default();
    let next = if rows.len() > shown {
        page.last()
            .map(|row| read::position(row, "first_pos"))
            .transpose()?
    } else {
        None
    };
    let nids = page
        .iter()
        .map(|row| read::nid(row, "nid"))
        .collect::<Result<_, _>>()?;
    Ok((nids, next))
}

/// Actors whose fingerprint waits to be compared.
///
/// # Errors
/// [`StoreError`].
pub async fn unadmitted(
    conn: &mut PgConnection,
    ctx: &ContextId,
) -> Result<Vec<ActorRow>, StoreError> {
    let all = actors::all(conn, ctx).await?;
    Ok(all
        .into_iter()
        .filter(|a| a.state == ActorState::Enrolled && a.root.is_some())
        .collect())
}

/// The notifications themselves, in the order of their first positions.
///
/// # Errors
/// [`StoreError`].
pub async fn headers(conn: &mut PgConnection, nids: &[Nid]) -> Result<Vec<Header>, StoreError> {
    let rows = sqlx::query("SELECT nid, org, subject, state, closed_pos IS NOT NULL AS closed_by_time FROM hn.notification WHERE nid = ANY($1) ORDER BY first_pos")
        .bind(uuids(nids))
        .fetch_all(conn)
        .await?;
    rows.iter()
        .map(|row| {
            Ok(Header {
                nid: read::nid(row, "nid")?,
                org: read::text(row, "org")?,
                subject: read::text(row, "subject")?,
                state: read::text(row, "state")?,
                closed_by_time: row.try_get("closed_by_time")?,
            })
        })
        .collect()
}

/// Their revisions, oldest first.
///
/// # Errors
/// [`StoreError`].
pub async fn revisions(
    conn: &mut PgConnection,
    nids: &[Nid],
) -> Result<Vec<RevisionLine>, StoreError> {
    let rows = sqlx::query(
        "SELECT nid, rev, pos, hash, kind, screening, checked, cosign, emergency, on_behalf, window_ended_pos IS NOT NULL AS window_ended, at FROM hn.revision WHERE nid = ANY($1) ORDER BY nid, rev",
    )
    .bind(uuids(nids))
    .fetch_all(conn)
    .await?;
    rows.iter()
        .map(|row| {
            Ok(RevisionLine {
                nid: read::nid(row, "nid")?,
                rev: read::revision(row, "rev")?,
                pos: read::position(row, "pos")?,
                hash: read::digest(row, "hash")?,
                kind: read::text(row, "kind")?,
                screening: read::text(row, "screening")?,
                checked: row.try_get("checked")?,
                cosign: read::text(row, "cosign")?,
                emergency: row.try_get("emergency")?,
                on_behalf: row.try_get("on_behalf")?,
                window_ended: row.try_get("window_ended")?,
                at: row.try_get("at")?,
            })
        })
        .collect()
}

/// The parties chosen, each with its latest tier.
///
/// # Errors
/// [`StoreError`].
pub async fn parties(conn: &mut PgConnection, nids: &[Nid]) -> Result<Vec<PartyLine>, StoreError> {
    let rows = sqlx::query(
        "SELECT DISTINCT ON (u.nid, u.party) u.nid, u.party, u.tier, u.fetched_at,
                a.desk_key IS NULL OR a.state NOT IN ('admitted', 'suspended') AS without_device
           FROM hn.audience u JOIN hn.actor a ON a.ctx = u.ctx AND a.actor = u.party
          WHERE u.nid = ANY($1) ORDER BY u.nid, u.party, u.rev DESC",
    )
    .bind(uuids(nids))
    .fetch_all(conn)
    .await?;
    rows.iter()
        .map(|row| {
            Ok(PartyLine {
                nid: read::nid(row, "nid")?,
                party: read::text(row, "party")?,
                tier: read::text(row, "tier")?,
                fetched_at: row.try_get("fetched_at")?,
                without_device: row.try_get("without_device")?,
            })
        })
        .collect()
}

/// What the parties said, oldest first.
///
/// # Errors
/// [`StoreError`].
pub async fn acks(conn: &mut PgConnection, nids: &[Nid]) -> Result<Vec<AckLine>, StoreError> {
    let rows = sqlx::query(
        "SELECT k.nid, k.rev, k.party, k.state, k.elsewhere, k.transcribed, k.at, s.hash
           FROM hn.ack k JOIN hn.statement s ON s.pos = k.pos WHERE k.nid = ANY($1) ORDER BY k.pos",
    )
    .bind(uuids(nids))
    .fetch_all(conn)
    .await?;
    rows.iter()
        .map(|row| {
            Ok(AckLine {
                nid: read::nid(row, "nid")?,
                rev: read::revision(row, "rev")?,
                party: read::text(row, "party")?,
                state: read::text(row, "state")?,
                elsewhere: row.try_get("elsewhere")?,
                transcribed: row.try_get("transcribed")?,
                hash: read::digest(row, "hash")?,
                at: row.try_get("at")?,
            })
        })
        .collect()
}

/// Counts of a context, from the one function that may count across tenants.
///
/// # Errors
/// [`StoreError`].
pub async fn statistics(
    conn: &mut PgConnection,
    ctx: &ContextId,
) -> Result<Statistics, StoreError> {
    let rows = sqlx::query("SELECT what, word, n FROM hn.statistics($1)")
        .bind(ctx.as_str())
        .fetch_all(&mut *conn)
        .await?;
    let mut out = Statistics {
        head: LogPosition(0),
        statements: std::collections::BTreeMap::new(),
        notifications: std::collections::BTreeMap::new(),
        acknowledgements: std::collections::BTreeMap::new(),
        checks_30d: 0,
    };
    for row in rows {
        let (what, word): (String, String) = (row.try_get("what")?, row.try_get("word")?);
        let n = read::unsigned(&row, "n")?;
        match what.as_str() {
            "head" => out.head = LogPosition(n),
            "statement" => drop(out.statements.insert(word, n)),
            "notification" => drop(out.notifications.insert(word, n)),
            "ack" => drop(out.acknowledgements.insert(word, n)),
            "check" => out.checks_30d = n,
            _ => return Err(StoreError::Decode("what".to_owned())),
        }
    }
    Ok(out)
}
