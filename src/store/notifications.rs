//! Notifications as the intake folds them: the latest revision, who was chosen, and what counts.

use sqlx::{PgConnection, Row};
use time::OffsetDateTime;

use super::error::StoreError;
use super::read;
use crate::crypto::digest::Digest;
use crate::domain::ids::{ActorId, ContextId, DeviceId, LogPosition, Nid, Revision};
use crate::domain::kind::Kind;
use crate::domain::machine::RevisionState;
use crate::domain::notification::{
    NotificationState, ScreeningState, SecondSignature, Subject, Tier,
};

/// A notification with its latest revision.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Current {
    /// Its context.
    pub ctx: ContextId,
    /// Whose.
    pub org: ActorId,
    /// A site, or a movement.
    pub subject: Subject,
    /// Where it stands.
    pub state: NotificationState,
    /// The latest revision.
    pub rev: Revision,
    /// Hash of its statement.
    pub hash: Digest,
    /// Its position.
    pub pos: LogPosition,
    /// Whether the coordinator signed it on the organisation's behalf, and the organisation has not since.
    pub on_behalf: bool,
}

/// The notification, if it exists in the context.
///
/// # Errors
/// [`StoreError`].
pub async fn current(
    conn: &mut PgConnection,
    ctx: &ContextId,
    nid: Nid,
) -> Result<Option<Current>, StoreError> {
    let row = sqlx::query(
        "SELECT n.ctx, n.org, n.subject, n.state, n.rev, r.hash, r.pos, r.on_behalf
           FROM hn.notification n JOIN hn.revision r ON r.nid = n.nid AND r.rev = n.rev WHERE n.nid = $1 AND n.ctx = $2",
    )
    .bind(nid.uuid())
    .bind(ctx.as_str())
    .fetch_optional(conn)
    .await?;
    row.map(|row| {
        Ok(Current {
            ctx: read::text(&row, "ctx")?,
            org: read::text(&row, "org")?,
            subject: read::text(&row, "subject")?,
            state: read::text(&row, "state")?,
            rev: read::revision(&row, "rev")?,
            hash: read::digest(&row, "hash")?,
            pos: read::position(&row, "pos")?,
            on_behalf: row.try_get("on_behalf")?,
        })
    })
    .transpose()
}

/// One revision.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RevisionRow {
    /// Its context.
    pub ctx: ContextId,
    /// Whose.
    pub org: ActorId,
    /// Its position.
    pub pos: LogPosition,
    /// Hash of its statement.
    pub hash: Digest,
    /// `site`, `movement`, `withdraw`, `close`.
    pub kind: Kind,
    /// The device that signed it.
    pub device: DeviceId,
    /// Where it stands with the coordinator.
    pub screening: ScreeningState,
    /// What of it was looked at, in the words of the wire.
    pub checked: Vec<String>,
    /// Whether a second person has signed.
    pub cosign: SecondSignature,
    /// The notification's latest revision.
    pub latest: Revision,
    /// Where the notification stands.
    pub state: NotificationState,
    /// When it was stored.
    pub at: OffsetDateTime,
    /// Whether the coordinator signed it on the organisation's behalf, and the organisation has not since.
    pub on_behalf: bool,
    /// When the organisation last confirmed the site, if it did.
    pub confirmed_at: Option<OffsetDateTime>,
}

impl RevisionRow {
    /// Where it stands; `rev` is its number.
    pub fn standing(&self, rev: Revision) -> RevisionState {
        RevisionState::of(self.state, self.latest, rev)
    }
}

/// A revision, if it exists in the context.
///
/// # Errors
/// [`StoreError`].
pub async fn revision(
    conn: &mut PgConnection,
    ctx: &ContextId,
    nid: Nid,
    rev: Revision,
) -> Result<Option<RevisionRow>, StoreError> {
    let row = sqlx::query(
        "SELECT r.ctx, r.org, r.pos, r.hash, r.kind, r.device, r.screening, r.checked, r.cosign, n.rev AS latest, n.state, r.at, r.on_behalf, n.confirmed_at
           FROM hn.revision r JOIN hn.notification n ON n.nid = r.nid WHERE r.nid = $1 AND r.rev = $2 AND r.ctx = $3",
    )
    .bind(nid.uuid())
    .bind(read::integer(rev))
    .bind(ctx.as_str())
    .fetch_optional(conn)
    .await?;
    row.map(|row| {
        Ok(RevisionRow {
            ctx: read::text(&row, "ctx")?,
            org: read::text(&row, "org")?,
            pos: read::position(&row, "pos")?,
            hash: read::digest(&row, "hash")?,
            kind: read::text(&row, "kind")?,
            device: read::text(&row, "device")?,
            screening: read::text(&row, "screening")?,
            checked: row.try_get("checked")?,
            cosign: read::text(&row, "cosign")?,
            latest: read::revision(&row, "latest")?,
            state: read::text(&row, "state")?,
            at: row.try_get("at")?,
            on_behalf: row.try_get("on_behalf")?,
            confirmed_at: row.try_get("confirmed_at")?,
        })
    })
    .transpose()
}

/// The current sites of a context in the order of their ids, behind one of them: each with its latest revision and when
/// its organisation last spoke of it.
///
/// # Errors
/// [`StoreError`].
pub async fn current_sites(
    conn: &mut PgConnection,
    ctx: &ContextId,
    after: Option<Nid>,
    limit: u32,
) -> Result<Vec<(Nid, Revision, OffsetDateTime)>, StoreError> {
    let rows = sqlx::query(
        "SELECT n.nid, n.rev, greatest(r.at, n.confirmed_at) AS said_at
           FROM hn.notification n JOIN hn.revision r ON r.nid = n.nid AND r.rev = n.rev
          WHERE n.ctx = $1 AND n.subject = 'site' AND n.state = 'current' AND ($2::uuid IS NULL OR n.nid > $2)
          ORDER BY n.nid LIMIT $3",
    )
    .bind(ctx.as_str())
    .bind(after.map(Nid::uuid))
    .bind(i64::from(limit))
    .fetch_all(conn)
    .await?;
    rows.iter()
        .map(|row| {
            let said_at = row.try_get("said_at")?;
            Ok((read::nid(row, "nid")?, read::revision(row, "rev")?, said_at))
        })
        .collect()
}

/// Keeps when a site was confirmed.
///
/// # Errors
/// [`StoreError`].
pub async fn set_confirmed(
    conn: &mut PgConnection,
    nid: Nid,
    at: OffsetDateTime,
) -> Result<(), StoreError> {
    sqlx::query("UPDATE hn.notification SET confirmed_at = $2 WHERE nid = $1")
        .bind(nid.uuid())
        .bind(at)
        .execute(conn)
        .await?;
    Ok(())
}

/// The organisation has signed what the coordinator notified on its behalf.
///
/// # Errors
/// [`StoreError`].
pub async fn set_taken_over(
    conn: &mut PgConnection,
    nid: Nid,
    rev: Revision,
    device: &DeviceId,
) -> Result<(), StoreError> {
    sqlx::query(
        "UPDATE hn.revision SET on_behalf = false, device = $3 WHERE nid = $1 AND rev = $2",
    )
    .bind(nid.uuid())
    .bind(read::integer(rev))
    .bind(device.as_str())
    .execute(conn)
    .await?;
    Ok(())
}

/// The latest acknowledgement of the revision that was transcribed from a letter of the party.
///
/// # Errors
/// [`StoreError`].
pub async fn transcribed(
    conn: &mut PgConnection,
    nid: Nid,
    rev: Revision,
    party: &ActorId,
) -> Result<Option<Digest>, StoreError> {
    let row = sqlx::query(
        "SELECT s.hash FROM hn.ack k JOIN hn.statement s ON s.pos = k.pos
          WHERE k.nid = $1 AND k.rev = $2 AND k.party = $3 AND k.transcribed ORDER BY k.pos DESC LIMIT 1",
    )
    .bind(nid.uuid())
    .bind(read::integer(rev))
    .bind(party.as_str())
    .fetch_optional(conn)
    .await?;
    row.map(|row| read::digest(&row, "hash")).transpose()
}

/// Whether an officer of the party has signed anything on the revision.
///
/// # Errors
/// [`StoreError`].
pub async fn officer_spoke(
    conn: &mut PgConnection,
    nid: Nid,
    rev: Revision,
    party: &ActorId,
) -> Result<bool, StoreError> {
    Ok(sqlx::query_scalar(
        "SELECT EXISTS (SELECT FROM hn.ack WHERE nid = $1 AND rev = $2 AND party = $3 AND state <> 'reached_desk' AND NOT transcribed)",
    )
    .bind(nid.uuid())
    .bind(read::integer(rev))
    .bind(party.as_str())
    .fetch_one(conn)
    .await?)
}

/// A revision to store.
pub struct NewRevision<'a> {
    /// The notification.
    pub nid: Nid,
    /// Its number.
    pub rev: Revision,
    /// Its context.
    pub ctx: &'a ContextId,
    /// Whose.
    pub org: &'a ActorId,
    /// Its position.
    pub pos: LogPosition,
    /// Hash of its statement.
    pub hash: Digest,
    /// `site`, `movement`, `withdraw`, `close`.
    pub kind: Kind,
    /// The device that signed it.
    pub device: &'a DeviceId,
    /// Notified as an emergency.
    pub emergency: bool,
    /// Signed by the coordinator on the organisation's behalf.
    pub on_behalf: bool,
    /// It is a site's, and its window had ended when it came.
    pub window_over: bool,
    /// Where it stands with the coordinator.
    pub screening: ScreeningState,
    /// Whether a second signature is waited for.
    pub cosign: SecondSignature,
    /// When, by the database's clock.
    pub at: OffsetDateTime,
}

/// Stores a revision, and makes or moves its notification.
///
/// # Errors
/// [`StoreError`]; `notification_pk` or `revision_pk` when the number is taken.
pub async fn insert_revision(
    conn: &mut PgConnection,
    new: &NewRevision<'_>,
    subject: Subject,
    state: NotificationState,
) -> Result<(), StoreError> {
    if new.rev == Revision::FIRST {
        sqlx::query(
            "INSERT INTO hn.notification (nid, ctx, org, subject, state, reference, rev, first_pos)
             VALUES ($1, $2, $3, $4, $5, $6, 1, $7)",
        )
        .bind(new.nid.uuid())
        .bind(new.ctx.as_str())
        .bind(new.org.as_str())
        .bind(subject.as_str())
        .bind(state.as_str())
        .bind(new.nid.reference().as_str())
        .bind(read::bigint(new.pos.0))
        .execute(&mut *conn)
        .await?;
    } else {
        let moved = sqlx::query(
            "UPDATE hn.notification SET rev = $2, state = $3 WHERE nid = $1 AND rev = $2 - 1",
        )
        .bind(new.nid.uuid())
        .bind(read::integer(new.rev))
        .bind(state.as_str())
        .execute(&mut *conn)
        .await?;
        if moved.rows_affected() != 1 {
            return Err(StoreError::Conflict);
        }
    }
    sqlx::query(
        "INSERT INTO hn.revision (nid, rev, ctx, org, pos, hash, kind, device, emergency, screening, cosign, at, on_behalf, window_ended_pos)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, CASE WHEN $14 THEN $5 END)",
    )
    .bind(new.nid.uuid())
    .bind(read::integer(new.rev))
    .bind(new.ctx.as_str())
    .bind(new.org.as_str())
    .bind(read::bigint(new.pos.0))
    .bind(new.hash.as_bytes().as_slice())
    .bind(new.kind.as_str())
    .bind(new.device.as_str())
    .bind(new.emergency)
    .bind(new.screening.as_str())
    .bind(new.cosign.as_str())
    .bind(new.at)
    .bind(new.on_behalf)
    .bind(new.window_over)
    .execute(conn)
    .await?;
    Ok(())
}

/// What the database's index sees of a revision.
pub struct NewCover<'a> {
    /// EWKB of a MultiPolygon in SRID 4326: boxes snapped outward.
    pub ewkb: &'a [u8],
    /// From when, a whole day for movements; open when absent.
    pub from: Option<OffsetDateTime>,
    /// Until when; open when absent.
    pub until: Option<OffsetDateTime>,
}

/// Stores the cover of a revision.
///
/// # Errors
/// [`StoreError`].
pub async fn insert_cover(
    conn: &mut PgConnection,
    revision: &NewRevision<'_>,
    cover: &NewCover<'_>,
) -> Result<(), StoreError> {
    sqlx::query(
        "INSERT INTO hn.cover (nid, rev, ctx, org, cover, validity)
         VALUES ($1, $2, $3, $4, ST_GeomFromEWKB($5), tstzrange($6, $7, '[]'))",
    )
    .bind(revision.nid.uuid())
    .bind(read::integer(revision.rev))
    .bind(revision.ctx.as_str())
    .bind(revision.org.as_str())
    .bind(cover.ewkb)
    .bind(cover.from)
    .bind(cover.until)
    .execute(conn)
    .await?;
    Ok(())
}

/// A party chosen for a revision.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Chosen {
    /// The party.
    pub party: ActorId,
    /// How much it sees.
    pub tier: Tier,
    /// The event in its mailbox.
    pub seq: i64,
    /// Whether the revision counts in its checks.
    pub counts: bool,
}

/// Stores whom a revision was delivered to.
///
/// # Errors
/// [`StoreError`].
pub async fn insert_audience(
    conn: &mut PgConnection,
    revision: &NewRevision<'_>,
    chosen: &[Chosen],
) -> Result<(), StoreError> {
    sqlx::query(
        "INSERT INTO hn.audience (ctx, party, nid, rev, org, tier, seq, counts)
         SELECT $1, p, $2, $3, $4, t, s, c FROM unnest($5::text[], $6::text[], $7::bigint[], $8::boolean[]) AS u(p, t, s, c)",
    )
    .bind(revision.ctx.as_str())
    .bind(revision.nid.uuid())
    .bind(read::integer(revision.rev))
    .bind(revision.org.as_str())
    .bind(chosen.iter().map(|c| c.party.as_str().to_owned()).collect::<Vec<_>>())
    .bind(chosen.iter().map(|c| c.tier.as_str().to_owned()).collect::<Vec<_>>())
    .bind(chosen.iter().map(|c| c.seq).collect::<Vec<_>>())
    .bind(chosen.iter().map(|c| c.counts).collect::<Vec<_>>())
    .execute(conn)
    .await?;
    Ok(())
}

/// Every party that any revision of a notification ever named, with its latest tier.
///
/// # Errors
/// [`StoreError`].
pub async fn parties(
    conn: &mut PgConnection,
    nid: Nid,
) -> Result<Vec<(ActorId, Tier)>, StoreError> {
    let rows = sqlx::query("SELECT DISTINCT ON (party) party, tier FROM hn.audience WHERE nid = $1 ORDER BY party, rev DESC")
        .bind(nid.uuid())
        .fetch_all(conn)
        .await?;
    rows.iter()
        .map(|row| Ok((read::text(row, "party")?, read::text(row, "tier")?)))
        .collect()
}

/// The parties that one revision names, and how much each sees of it.
///
/// # Errors
/// [`StoreError`].
pub async fn chosen(
    conn: &mut PgConnection,
    nid: Nid,
    rev: Revision,
) -> Result<Vec<(ActorId, Tier)>, StoreError> {
    let rows = sqlx::query(
        "SELECT party, tier FROM hn.audience WHERE nid = $1 AND rev = $2 ORDER BY party",
    )
    .bind(nid.uuid())
    .bind(read::integer(rev))
    .fetch_all(conn)
    .await?;
    rows.iter()
        .map(|row| Ok((read::text(row, "party")?, read::text(row, "tier")?)))
        .collect()
}

/// Whether a revision was delivered to a party, and how much of it.
///
/// # Errors
/// [`StoreError`].
pub async fn audience(
    conn: &mut PgConnection,
    nid: Nid,
    rev: Revision,
    party: &ActorId,
) -> Result<Option<Tier>, StoreError> {
    let row =
        sqlx::query("SELECT tier FROM hn.audience WHERE nid = $1 AND rev = $2 AND party = $3")
            .bind(nid.uuid())
            .bind(read::integer(rev))
            .bind(party.as_str())
            .fetch_optional(conn)
            .await?;
    row.map(|row| read::text(&row, "tier")).transpose()
}

/// Ends counting of every revision before `rev`, for one party or for all: withdrawal, closing.
///
/// # Errors
/// [`StoreError`].
pub async fn stop_counting(
    conn: &mut PgConnection,
    nid: Nid,
    before: Revision,
    party: Option<&ActorId>,
) -> Result<(), StoreError> {
    sqlx::query(
        "UPDATE hn.audience SET counts = false WHERE nid = $1 AND rev < $2 AND counts AND ($3::text IS NULL OR party = $3)",
    )
    .bind(nid.uuid())
    .bind(read::integer(before))
    .bind(party.map(ActorId::as_str))
    .execute(conn)
    .await?;
    Ok(())
}

/// Sets where a revision stands with the coordinator, and what of it was looked at.
///
/// # Errors
/// [`StoreError`].
pub async fn set_screening(
    conn: &mut PgConnection,
    nid: Nid,
    rev: Revision,
    screening: ScreeningState,
    checked: &[&str],
) -> Result<(), StoreError> {
    sqlx::query("UPDATE hn.revision SET screening = $3, checked = $4 WHERE nid = $1 AND rev = $2")
        .bind(nid.uuid())
        .bind(read::integer(rev))
        .bind(screening.as_str())
        .bind(checked)
        .execute(conn)
        .await?;
    Ok(())
}

/// Says that a second person has signed a revision.
///
/// # Errors
/// [`StoreError`].
pub async fn set_cosign(
    conn: &mut PgConnection,
    nid: Nid,
    rev: Revision,
    state: SecondSignature,
) -> Result<(), StoreError> {
    sqlx::query("UPDATE hn.revision SET cosign = $3 WHERE nid = $1 AND rev = $2")
        .bind(nid.uuid())
        .bind(read::integer(rev))
        .bind(state.as_str())
        .execute(conn)
        .await?;
    Ok(())
}

/// An item of an acknowledgement to store.
pub struct NewAck<'a> {
    /// The statement's position.
    pub pos: LogPosition,
    /// Its context.
    pub ctx: &'a ContextId,
    /// The party.
    pub party: &'a ActorId,
    /// The organisation.
    pub org: &'a ActorId,
    /// When, by the database's clock.
    pub at: OffsetDateTime,
    /// The items, in the statement's order.
    pub items: &'a [NewAckItem],
    /// Transcribed by the coordinator from a letter.
    pub transcribed: bool,
}

/// One item.
pub struct NewAckItem {
    /// The notification.
    pub nid: Nid,
    /// The revision.
    pub rev: Revision,
    /// What is said.
    pub state: crate::domain::ack::AckState,
    /// Entered more than 100 m away.
    pub elsewhere: bool,
}

/// Stores the items of an acknowledgement.
///
/// # Errors
/// [`StoreError`]; `ack_audience_exists` when an item was not delivered to the party.
pub async fn insert_ack(conn: &mut PgConnection, ack: &NewAck<'_>) -> Result<(), StoreError> {
    insert_acks(conn, std::slice::from_ref(ack)).await
}

/// Stores the items of several.
///
/// # Errors
/// As [`insert_ack`].
pub async fn insert_acks(conn: &mut PgConnection, acks: &[NewAck<'_>]) -> Result<(), StoreError> {
    let rows: Vec<(&NewAck<'_>, i32, &NewAckItem)> = acks
        .iter()
        .flat_map(|ack| {
            (0..)
                .zip(ack.items)
                .map(move |(place, item)| (ack, place, item))
        })
        .collect();
    sqlx::query(
        "INSERT INTO hn.ack (pos, item, ctx, party, org, at, nid, rev, state, elsewhere, transcribed)
         SELECT * FROM unnest($1::bigint[], $2::integer[], $3::text[], $4::text[], $5::text[], $6::timestamptz[],
                              $7::uuid[], $8::integer[], $9::text[], $10::boolean[], $11::boolean[])",
    )
    .bind(rows.iter().map(|(ack, ..)| read::bigint(ack.pos.0)).collect::<Vec<_>>())
    .bind(rows.iter().map(|(_, place, _)| *place).collect::<Vec<_>>())
    .bind(rows.iter().map(|(ack, ..)| ack.ctx.as_str()).collect::<Vec<_>>())
    .bind(rows.iter().map(|(ack, ..)| ack.party.as_str()).collect::<Vec<_>>())
    .bind(rows.iter().map(|(ack, ..)| ack.org.as_str()).collect::<Vec<_>>())
    .bind(rows.iter().map(|(ack, ..)| ack.at).collect::<Vec<_>>())
    .bind(rows.iter().map(|(.., item)| item.nid.uuid()).collect::<Vec<_>>())
    .bind(rows.iter().map(|(.., item)| read::integer(item.rev)).collect::<Vec<_>>())
    .bind(rows.iter().map(|(.., item)| item.state.as_str()).collect::<Vec<_>>())
    .bind(rows.iter().map(|(.., item)| item.elsewhere).collect::<Vec<_>>())
    .bind(rows.iter().map(|(ack, ..)| ack.transcribed).collect::<Vec<_>>())
    .execute(conn)
    .await?;
    Ok(())
}

/// What an acknowledgement's items name in the context: for each, in order, whose it is, its hash and the part `place` if
/// one is kept.
///
/// # Errors
/// [`StoreError`].
pub async fn acknowledged(
    conn: &mut PgConnection,
    ctx: &ContextId,
    party: &ActorId,
    items: &[(Nid, Revision)],
) -> Result<Vec<Option<Acknowledged>>, StoreError> {
    let items: Vec<_> = items.iter().map(|(nid, rev)| (party, *nid, *rev)).collect();
    delivered(conn, ctx, &items).await
}

/// As [`acknowledged`], for items of several parties.
///
/// # Errors
/// [`StoreError`].
pub async fn delivered(
    conn: &mut PgConnection,
    ctx: &ContextId,
    items: &[(&ActorId, Nid, Revision)],
) -> Result<Vec<Option<Acknowledged>>, StoreError> {
    let rows = sqlx::query(
        "SELECT i, r.org, r.ctx, r.hash, r.kind, n.state, n.rev AS latest, a.tier, p.content,
                ARRAY(SELECT sd FROM hn.part WHERE pos = r.pos UNION SELECT sd FROM hn.seal WHERE pos = r.pos) AS sds
           FROM unnest($1::uuid[], $2::integer[], $3::text[]) WITH ORDINALITY AS u(n, v, party, i)
           JOIN hn.revision r ON r.nid = u.n AND r.rev = u.v AND r.ctx = $4
           JOIN hn.notification n ON n.nid = r.nid
           JOIN hn.audience a ON a.nid = r.nid AND a.rev = r.rev AND a.party = u.party
           LEFT JOIN hn.part p ON p.pos = r.pos AND p.part = 'place'",
    )
    .bind(items.iter().map(|(_, nid, _)| nid.uuid()).collect::<Vec<_>>())
    .bind(items.iter().map(|(.., rev)| read::integer(*rev)).collect::<Vec<_>>())
    .bind(items.iter().map(|(party, ..)| party.as_str()).collect::<Vec<_>>())
    .bind(ctx.as_str())
    .fetch_all(conn)
    .await?;
    let mut found: Vec<Option<Acknowledged>> = items.iter().map(|_| None).collect();
    for row in rows {
        let index: i64 = row.try_get("i")?;
        let slot = usize::try_from(index - 1)
            .ok()
            .and_then(|i| found.get_mut(i));
        if let Some(slot) = slot {
            *slot = Some(Acknowledged {
                org: read::text(&row, "org")?,
                ctx: read::text(&row, "ctx")?,
                hash: read::digest(&row, "hash")?,
                kind: read::text(&row, "kind")?,
                state: read::text(&row, "state")?,
                latest: read::revision(&row, "latest")?,
                tier: read::text(&row, "tier")?,
                place: row.try_get("content")?,
                sds: row.try_get("sds")?,
            });
        }
    }
    Ok(found)
}

/// A revision that was delivered to an acknowledging party.
pub struct Acknowledged {
    /// Whose.
    pub org: ActorId,
    /// In which context.
    pub ctx: ContextId,
    /// Hash of its statement.
    pub hash: Digest,
    /// `site`, `movement`, `withdraw`, `close`.
    pub kind: Kind,
    /// Where the notification stands.
    pub state: NotificationState,
    /// The notification's latest revision.
    pub latest: Revision,
    /// How much of it the party sees.
    pub tier: Tier,
    /// The digests of its parts.
    pub sds: Vec<Vec<u8>>,
    /// Its part `place`, sealed under the keyring; absent for a withdrawal.
    pub place: Option<Vec<u8>>,
}
