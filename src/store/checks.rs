//! Checks: what may lie near, found by the one function that may look across tenants, and the log of questions and
//! answers. Checks and answers take no position.

use sqlx::{PgConnection, Row};
use time::{Duration, OffsetDateTime};
use uuid::Uuid;

use super::error::StoreError;
use super::read;
use crate::crypto::digest::{Digest, Kid};
use crate::crypto::month::Month;
use crate::domain::ids::{ActorId, ContextId, DeviceId, Issuer, Seq};
use crate::spatial::{Cover, Window};
use crate::wire::check::Notified;

/// What an answer says of the moment at which it is given.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Moment {
    /// The database's time.
    pub now: OffsetDateTime,
    /// How many events have been put into the asking party's mailbox.
    pub serial: Seq,
    /// The asking party's desk key.
    pub desk: Option<Kid>,
    /// The coordinator's duty number.
    pub coordinator: Option<String>,
}

/// The moment of a check. Everything up to its serial is in the candidates that are read after it.
///
/// # Errors
/// [`StoreError`].
pub async fn moment(
    conn: &mut PgConnection,
    ctx: &ContextId,
    party: &ActorId,
) -> Result<Moment, StoreError> {
    let row = sqlx::query(
        "SELECT hn.now() AS now, hn.my_mailbox_seq() AS mailbox_seq, desk_kid,
                (SELECT c.duty FROM hn.actor c
                  WHERE c.ctx = $1 AND c.kind = 'coordinator' AND c.duty IS NOT NULL ORDER BY c.actor LIMIT 1) AS coordinator
           FROM hn.actor WHERE ctx = $1 AND actor = $2",
    )
    .bind(ctx.as_str())
    .bind(party.as_str())
    .fetch_one(conn)
    .await?;
    let desk: Option<Vec<u8>> = row.try_get("desk_kid")?;
    let desk = desk
        .map(|kid| Digest::from_slice(&kid).map(Kid::from_digest))
        .transpose()
        .map_err(|_| StoreError::Decode("desk_kid".to_owned()))?;
    Ok(Moment {
        now: row.try_get("now")?,
        serial: read::seq(&row, "mailbox_seq")?,
        desk,
        coordinator: row.try_get("coordinator")?,
    })
}

/// A revision that counts for the asking party and may lie near, with the records that the exact test needs, sealed.
pub struct CandidateRow {
    /// What is known of it in the clear.
    pub notified: Notified,
    /// The part `place`, for the tiers `exact` and `on_check`.
    pub place: Option<Vec<u8>>,
    /// The part `audience.<party>`.
    pub audience: Option<Vec<u8>>,
    /// The part `contact` as sealed to the party's desk, for the tiers `exact` and `on_check`.
    pub contact: Option<Vec<u8>>,
    /// The part `progress` of the latest word that it is delayed, for the tiers `exact` and `on_check`.
    pub delayed: Option<Vec<u8>>,
    /// The digest of that part.
    pub contact_sd: Option<Digest>,
    /// Who signed the revision: a device of the organisation, or of the coordinator on its behalf.
    pub signer: Issuer,
}

impl std::fmt::Debug for CandidateRow {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "CandidateRow({} [sealed])", self.notified.nid)
    }
}

/// Every revision that counts for the tenant of this transaction, whose cover meets the boxes, within the window. More
/// than the true hits, never fewer.
///
/// # Errors
/// [`StoreError`]; a row that does not read is an error, never left out.
pub async fn candidates(
    conn: &mut PgConnection,
    boxes: &Cover,
    window: &Window,
) -> Result<Vec<CandidateRow>, StoreError> {
    // The database knows microseconds: a moment between two is taken outward.
    let tick = Duration::microseconds(1);
    let rows = sqlx::query(
        "SELECT nid, rev, pos, hash, org, subject, tier, latest, emergency, screening, cosign, duty, said_at, on_behalf, place, audience, contact, contact_sd, signer, device, delayed
           FROM hn.candidates(public.ST_GeomFromEWKB($1), $2, $3)",
    )
    .bind(boxes.to_ewkb())
    .bind(window.from().map(|from| from.checked_sub(tick).unwrap_or(from)))
    .bind(window.until().map(|until| until.checked_add(tick).unwrap_or(until)))
    .fetch_all(conn)
    .await?;
    rows.iter().map(candidate).collect()
}

fn candidate(row: &sqlx::postgres::PgRow) -> Result<CandidateRow, StoreError> {
    let contact_sd: Option<Vec<u8>> = row.try_get("contact_sd")?;
    let contact_sd = contact_sd
        .map(|sd| Digest::from_slice(&sd))
        .transpose()
        .map_err(|_| StoreError::Decode("contact_sd".to_owned()))?;
    Ok(CandidateRow {
        notified: Notified {
            nid: read::nid(row, "nid")?,
            rev: read::revision(row, "rev")?,
            of: read::digest(row, "hash")?,
            pos: read::position(row, "pos")?,
            organisation: read::text(row, "org")?,
            duty: row.try_get("duty")?,
            subject: read::text(row, "subject")?,
            tier: read::text(row, "tier")?,
            latest: row.try_get("latest")?,
            emergency: row.try_get("emergency")?,
            on_behalf: row.try_get("on_behalf")?,
            screening: read::text(row, "screening")?,
            cosign: read::text(row, "cosign")?,
            said_at: row.try_get("said_at")?,
        },
        place: row.try_get("place")?,
        audience: row.try_get("audience")?,
        contact: row.try_get("contact")?,
        delayed: row.try_get("delayed")?,
        contact_sd,
        signer: Issuer::device(read::text(row, "signer")?, read::text(row, "device")?),
    })
}

/// Whose check, and which.
#[derive(Debug, Clone, Copy)]
pub struct Asked<'a> {
    /// The context.
    pub ctx: &'a ContextId,
    /// The party.
    pub actor: &'a ActorId,
    /// The device that signed.
    pub device: &'a DeviceId,
    /// The statement's own id.
    pub jti: Uuid,
    /// The statement's hash.
    pub hash: &'a Digest,
}

/// A check that was answered before.
pub struct Answered {
    /// Hash of its statement.
    pub hash: Digest,
    /// The answer's statement.
    pub answer: String,
    /// The answer's disclosures, sealed under the keyring.
    pub content: Vec<u8>,
}

/// The answer that was given to these bytes, or to other bytes under the same `jti`. Only the tenant's own.
///
/// # Errors
/// [`StoreError`].
pub async fn answered(
    conn: &mut PgConnection,
    asked: &Asked<'_>,
) -> Result<Option<Answered>, StoreError> {
    let row = sqlx::query(
        "SELECT hash, answer, content FROM hn.check_log
          WHERE hash = $1 OR (ctx = $2 AND actor = $3 AND device = $4 AND jti = $5)
          ORDER BY hash = $1 DESC LIMIT 1",
    )
    .bind(asked.hash.as_bytes().as_slice())
    .bind(asked.ctx.as_str())
    .bind(asked.actor.as_str())
    .bind(asked.device.as_str())
    .bind(asked.jti)
    .fetch_optional(conn)
    .await?;
    row.map(|row| {
        Ok(Answered {
            hash: read::digest(&row, "hash")?,
            answer: row.try_get("answer")?,
            content: row.try_get("content")?,
        })
    })
    .transpose()
}

/// A question with its answer, to be kept.
pub struct NewCheck<'a> {
    /// Whose, and which.
    pub asked: Asked<'a>,
    /// The database's time at which it was judged.
    pub at: OffsetDateTime,
    /// Under which month's key.
    pub month: Month,
    /// The question's statement.
    pub question: &'a str,
    /// Its area, sealed.
    pub area: &'a [u8],
    /// The answer's statement.
    pub answer: &'a str,
    /// Its disclosures, sealed.
    pub content: &'a [u8],
}

/// Keeps a question with its answer. Says whether it was kept: not when the same check was answered at the same moment
/// over another connection, whose answer then stands.
///
/// # Errors
/// [`StoreError`].
pub async fn insert(conn: &mut PgConnection, check: &NewCheck<'_>) -> Result<bool, StoreError> {
    let asked = &check.asked;
    let done = sqlx::query(
        "INSERT INTO hn.check_log (hash, ctx, actor, device, jti, at, month, question, area, answer, content)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11) ON CONFLICT DO NOTHING",
    )
    .bind(asked.hash.as_bytes().as_slice())
    .bind(asked.ctx.as_str())
    .bind(asked.actor.as_str())
    .bind(asked.device.as_str())
    .bind(asked.jti)
    .bind(check.at)
    .bind(check.month.to_string())
    .bind(check.question)
    .bind(check.area)
    .bind(check.answer)
    .bind(check.content)
    .execute(conn)
    .await?;
    Ok(done.rows_affected() == 1)
}
