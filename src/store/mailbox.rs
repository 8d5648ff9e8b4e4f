//! Mailboxes: what was put into a desk's mailbox by the intake, read in order, and how far each device has kept it. Moving
//! a device's cursor is what "fetched" means, so the rule by which an old revision stops counting for a party stands here
//! too; the intake applies the same function when a screening arrives.

use std::collections::HashMap;

use sqlx::postgres::PgRow;
use sqlx::{Connection as _, PgConnection, Row as _};
use time::OffsetDateTime;
use uuid::Uuid;

use super::actors;
use super::error::StoreError;
use super::read::{self, bigint, seq};
use crate::crypto::digest::{Digest, Kid};
use crate::domain::actor::ActorState;
use crate::domain::ids::{ActorId, ContextId, DeviceId, LogPosition, Nid, Seq};
use crate::domain::kind::Kind;
use crate::domain::notification::Tier;

/// How long a cursor's transaction waits for a row that the intake holds, in milliseconds. Shorter than PostgreSQL's
/// `deadlock_timeout` (1 s), so that of two that wait for each other it is never the intake that is ended.
const YIELD_AFTER_MS: &str = "400";

/// A desk as one of its devices finds it.
#[derive(Clone, PartialEq, Eq)]
pub struct Desk {
    /// The last event in its mailbox.
    pub head: Seq,
    /// How far this device has kept it.
    pub cursor: Seq,
    /// The last call for help in its mailbox; 0 if there never was one.
    pub call: Seq,
    /// The desk's HPKE public key, once its root has named one.
    pub desk_key: Option<Vec<u8>>,
    /// The device's own HPKE public key.
    pub device_key: Vec<u8>,
    /// Where its actor stands, when that is so that nothing new is handed to it, and the coordinator's number.
    pub held_back: Option<(ActorState, Option<String>)>,
}

impl std::fmt::Debug for Desk {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Desk(head {}, cursor {})", self.head, self.cursor)
    }
}

/// The desk of an active device; `None` when there is no such device, or it is not active. Until the coordinator has compared
/// the root's fingerprint, its mailbox ends where it begins: what waits in it is handed to nobody who only held an invite.
///
/// # Errors
/// [`StoreError`].
pub async fn desk(
    conn: &mut PgConnection,
    ctx: &ContextId,
    actor: &ActorId,
    device: &DeviceId,
) -> Result<Option<Desk>, StoreError> {
    let row = sqlx::query(
        "SELECT CASE WHEN a.state IN ('invited', 'enrolled') THEN d.cursor_seq ELSE a.mailbox_seq END AS mailbox_seq,
                CASE WHEN a.state IN ('invited', 'enrolled') THEN 0 ELSE a.call_seq END AS call_seq,
                a.desk_key, d.cursor_seq, d.seal_key, a.kind, hn.standing(a.state, a.next_state, a.next_from) AS state
           FROM hn.device d JOIN hn.actor a ON a.ctx = d.ctx AND a.actor = d.actor
          WHERE d.ctx = $1 AND d.actor = $2 AND d.device = $3 AND d.state = 'active'",
    )
    .bind(ctx.as_str())
    .bind(actor.as_str())
    .bind(device.as_str())
    .fetch_optional(&mut *conn)
    .await?;
    let Some(row) = row else { return Ok(None) };
    let state: ActorState = read::text(&row, "state")?;
    let held_back = if state.holds_back(read::text(&row, "kind")?) {
        Some((state, actors::coordinator_number(conn, ctx).await?))
    } else {
        None
    };
    Ok(Some(Desk {
        held_back,
        head: seq(&row, "mailbox_seq")?,
        cursor: seq(&row, "cursor_seq")?,
        call: seq(&row, "call_seq")?,
        desk_key: row.try_get("desk_key")?,
        device_key: row.try_get("seal_key")?,
    }))
}

/// A row of a mailbox with its statement.
#[derive(Clone, PartialEq, Eq)]
pub struct MailboxRow {
    /// Its place in the mailbox.
    pub seq: Seq,
    /// The statement's position.
    pub pos: LogPosition,
    /// The statement's kind.
    pub kind: Kind,
    /// The statement's exact bytes.
    pub jws: String,
    /// The receipt.
    pub receipt: String,
    /// When it was stored, by the database's clock.
    pub at: OffsetDateTime,
    /// When the statement is a revision that names the reader: how much the reader sees.
    pub tier: Option<Tier>,
}

impl std::fmt::Debug for MailboxRow {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "MailboxRow({} at {}, {})", self.seq, self.pos, self.kind)
    }
}

/// The events after `after`, in order: at most `max_events`, and stored bytes (statements, receipts, parts) of at most
/// `max_bytes`, but always at least one when there is one.
///
/// # Errors
/// [`StoreError`].
pub async fn page(
    conn: &mut PgConnection,
    (ctx, actor): (&ContextId, &ActorId),
    after: Seq,
    max_events: u32,
    max_bytes: u32,
) -> Result<Vec<MailboxRow>, StoreError> {
    let rows = sqlx::query(
        "WITH page AS MATERIALIZED (
             SELECT seq, pos, tier FROM hn.mailbox WHERE ctx = $1 AND actor = $2 AND seq > $3 ORDER BY seq LIMIT $4
         ), sized AS (
             SELECT p.seq, p.pos, p.tier, row_number() OVER w AS nth,
                    sum(octet_length(s.jws) + octet_length(s.receipt)
                        + coalesce((SELECT sum(octet_length(x.content)) FROM hn.part x WHERE x.pos = p.pos), 0)) OVER w AS bytes
               FROM page p JOIN hn.statement s ON s.pos = p.pos
             WINDOW w AS (ORDER BY p.seq)
         )
         SELECT z.seq, z.pos, s.kind, s.jws, s.receipt, s.at, coalesce(z.tier, a.tier) AS tier
           FROM sized z
           JOIN hn.statement s ON s.pos = z.pos
           LEFT JOIN hn.revision r ON r.pos = z.pos
           LEFT JOIN hn.audience a ON a.nid = r.nid AND a.rev = r.rev AND a.ctx = $1 AND a.party = $2
          WHERE z.bytes <= $5 OR z.nth = 1
          ORDER BY z.seq",
    )
    .bind(ctx.as_str())
    .bind(actor.as_str())
    .bind(bigint(after.0))
    .bind(i64::from(max_events))
    .bind(i64::from(max_bytes))
    .fetch_all(conn)
    .await?;
    rows.iter().map(mailbox_row).collect()
}

fn mailbox_row(row: &PgRow) -> Result<MailboxRow, StoreError> {
    let tier: Option<String> = row.try_get("tier")?;
    let tier = tier.map(|tier| tier.parse()).transpose();
    Ok(MailboxRow {
        seq: seq(row, "seq")?,
        pos: read::position(row, "pos")?,
        kind: read::text(row, "kind")?,
        jws: row.try_get("jws")?,
        receipt: row.try_get("receipt")?,
        at: row.try_get("at")?,
        tier: tier.map_err(|_| StoreError::Decode("tier".to_owned()))?,
    })
}

/// What is stored beside a statement, sealed under the keyring.
#[derive(Clone, PartialEq, Eq)]
pub struct StoredRecord {
    /// The statement's position.
    pub pos: LogPosition,
    /// The part's name.
    pub part: String,
    /// Digest of the disclosure.
    pub sd: Digest,
    /// Whose it is.
    pub org: ActorId,
    /// The reader's key, for a seal that is passed on; `None` for a part that the server can read.
    pub reader: Option<Kid>,
    /// The record.
    pub content: Vec<u8>,
}

impl std::fmt::Debug for StoredRecord {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "StoredRecord({} {} [sealed])", self.pos, self.part)
    }
}

/// The parts of statements, and their seals for these readers' keys; ordered by position and part.
///
/// # Errors
/// [`StoreError`].
pub async fn attached(
    conn: &mut PgConnection,
    positions: &[LogPosition],
    readers: &[Kid],
) -> Result<Vec<StoredRecord>, StoreError> {
    let rows = sqlx::query(
        "SELECT pos, part, sd, org, NULL::bytea AS kid, content FROM hn.part WHERE pos = ANY($1)
         UNION ALL
         SELECT pos, part, sd, org, kid, content FROM hn.seal WHERE pos = ANY($1) AND kid = ANY($2)
         ORDER BY 1, 2",
    )
    .bind(positions.iter().map(|p| bigint(p.0)).collect::<Vec<_>>())
    .bind(
        readers
            .iter()
            .map(|k| k.as_bytes().to_vec())
            .collect::<Vec<_>>(),
    )
    .fetch_all(conn)
    .await?;
    rows.iter()
        .map(|row| {
            let kid: Option<Vec<u8>> = row.try_get("kid")?;
            Ok(StoredRecord {
                pos: read::position(row, "pos")?,
                part: row.try_get("part")?,
                sd: read::digest(row, "sd")?,
                org: read::text(row, "org")?,
                reader: kid
                    .map(|kid| Digest::from_slice(&kid).map(Kid::from_digest))
                    .transpose()
                    .map_err(|_| StoreError::Decode("kid".to_owned()))?,
                content: row.try_get("content")?,
            })
        })
        .collect()
}

/// Whose these notifications are.
///
/// # Errors
/// [`StoreError`].
pub async fn owners(
    conn: &mut PgConnection,
    nids: &[Nid],
) -> Result<HashMap<Nid, ActorId>, StoreError> {
    let rows = sqlx::query("SELECT nid, org FROM hn.notification WHERE nid = ANY($1)")
        .bind(nids.iter().map(|nid| nid.uuid()).collect::<Vec<_>>())
        .fetch_all(conn)
        .await?;
    rows.iter()
        .map(|row| {
            let nid = Nid::from_uuid(row.try_get("nid")?);
            Ok((nid, read::text(row, "org")?))
        })
        .collect()
}

/// What became of moving a cursor.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kept {
    /// It stands here now: where it was asked to be, or further on, where it was already.
    At(Seq),
    /// The mailbox does not reach that far; nothing was moved.
    Beyond {
        /// The last event in the mailbox.
        head: Seq,
    },
    /// There is no such active device.
    NotActive,
}

/// Says that a device has kept everything up to `upto`. Monotone and idempotent. What that fetches for a party is marked,
/// and revisions that it supersedes stop counting, in the same transaction.
///
/// # Errors
/// [`StoreError`]; [`StoreError::Timeout`] when the intake held a row for too long: try again.
pub async fn keep(
    conn: &mut PgConnection,
    (ctx, actor, device): (&ContextId, &ActorId, &DeviceId),
    upto: Seq,
) -> Result<Kept, StoreError> {
    let mut tx = conn.begin().await?;
    let before = sqlx::query(
        "SELECT a.mailbox_seq, d.cursor_seq, set_config('lock_timeout', $4, true)
           FROM hn.device d JOIN hn.actor a ON a.ctx = d.ctx AND a.actor = d.actor
          WHERE d.ctx = $1 AND d.actor = $2 AND d.device = $3 AND d.state = 'active'",
    )
    .bind(ctx.as_str())
    .bind(actor.as_str())
    .bind(device.as_str())
    .bind(YIELD_AFTER_MS)
    .fetch_optional(&mut *tx)
    .await?;
    let Some(before) = before else {
        return Ok(Kept::NotActive);
    };
    let (head, cursor) = (seq(&before, "mailbox_seq")?, seq(&before, "cursor_seq")?);
    if upto > head {
        return Ok(Kept::Beyond { head });
    }
    if upto <= cursor {
        return Ok(Kept::At(cursor));
    }
    // Another request may have moved it in between, and further: the row decides.
    let moved = sqlx::query(
        "UPDATE hn.device SET cursor_seq = greatest(cursor_seq, $4), cursor_at = hn.now()
          WHERE ctx = $1 AND actor = $2 AND device = $3 AND state = 'active' RETURNING cursor_seq",
    )
    .bind(ctx.as_str())
    .bind(actor.as_str())
    .bind(device.as_str())
    .bind(bigint(upto.0))
    .fetch_optional(&mut *tx)
    .await?;
    let Some(moved) = moved else {
        return Ok(Kept::NotActive);
    };
    let fetched = sqlx::query(
        "UPDATE hn.audience SET fetched_at = hn.now()
          WHERE ctx = $1 AND party = $2 AND seq <= $3 AND fetched_at IS NULL RETURNING nid, rev",
    )
    .bind(ctx.as_str())
    .bind(actor.as_str())
    .bind(bigint(upto.0))
    .fetch_all(&mut *tx)
    .await?;
    let mut superseding = Vec::new();
    for row in &fetched {
        if row.try_get::<i32, _>("rev")? > 1 {
            superseding.push(Nid::from_uuid(row.try_get("nid")?));
        }
    }
    retire_superseded(&mut tx, &superseding, Some(actor)).await?;
    tx.commit().await?;
    Ok(Kept::At(seq(&moved, "cursor_seq")?))
}

/// The one rule: a revision stops counting for a party when a later one that counts was fetched by that party's desk, and
/// was screened or nobody screens in its context. `old` is what stops, `new` what stands in for it: a party is never left
/// with neither.
macro_rules! retire {
    ($only:literal) => {
        concat!(
            "UPDATE hn.audience old SET counts = false
               FROM hn.audience new
               JOIN hn.revision r ON r.nid = new.nid AND r.rev = new.rev
               JOIN hn.context c ON c.ctx = new.ctx
              WHERE new.rev > 1 AND new.counts AND new.fetched_at IS NOT NULL
                AND (r.screening = 'screened' OR c.policy ->> 'screening' = 'off')
                AND old.nid = new.nid AND old.party = new.party AND old.rev < new.rev AND old.counts ",
            $only
        )
    };
}

/// Ends counting of what was superseded among these notifications, for one party or for all. Called where something is
/// fetched, and by the intake (after it has written the screening) where something is screened. Gives how many stopped.
///
/// # Errors
/// [`StoreError`].
pub async fn retire_superseded(
    conn: &mut PgConnection,
    nids: &[Nid],
    party: Option<&ActorId>,
) -> Result<u64, StoreError> {
    if nids.is_empty() {
        return Ok(0);
    }
    let nids: Vec<Uuid> = nids.iter().map(|nid| nid.uuid()).collect();
    let query = match party {
        Some(party) => sqlx::query(retire!("AND new.nid = ANY($1) AND new.party = $2"))
            .bind(nids)
            .bind(party.as_str()),
        None => sqlx::query(retire!("AND new.nid = ANY($1)")).bind(nids),
    };
    Ok(query.execute(conn).await?.rows_affected())
}

/// The same for everything. A fetch and a screening that happen at the same moment do not see each other, and the old
/// revision goes on counting, which is the harmless side; this finds it.
///
/// # Errors
/// [`StoreError`]; [`StoreError::Timeout`] when the intake held a row for too long: try again.
pub async fn retire_all_superseded(conn: &mut PgConnection) -> Result<u64, StoreError> {
    let mut tx = conn.begin().await?;
    sqlx::query("SELECT set_config('lock_timeout', $1, true)")
        .bind(YIELD_AFTER_MS)
        .execute(&mut *tx)
        .await?;
    let done = sqlx::query(retire!("")).execute(&mut *tx).await?;
    tx.commit().await?;
    Ok(done.rows_affected())
}

/// The heads of these desks' mailboxes, and the last call for help in each.
///
/// # Errors
/// [`StoreError`].
pub async fn heads(
    conn: &mut PgConnection,
    desks: &[(ContextId, ActorId)],
) -> Result<Vec<(ContextId, ActorId, Seq, Seq)>, StoreError> {
    let (ctxs, actors): (Vec<_>, Vec<_>) = desks
        .iter()
        .map(|(ctx, actor)| (ctx.as_str().to_owned(), actor.as_str().to_owned()))
        .unzip();
    let rows = sqlx::query(
        "SELECT a.ctx, a.actor, a.mailbox_seq, a.call_seq
           FROM hn.actor a JOIN unnest($1::text[], $2::text[]) AS w (ctx, actor) ON w.ctx = a.ctx AND w.actor = a.actor",
    )
    .bind(ctxs)
    .bind(actors)
    .fetch_all(conn)
    .await?;
    rows.iter()
        .map(|row| {
            Ok((
                read::text(row, "ctx")?,
                read::text(row, "actor")?,
                seq(row, "mailbox_seq")?,
                seq(row, "call_seq")?,
            ))
        })
        .collect()
}

/// Which of these devices are no longer active, or belong to a party to which nothing new is handed.
///
/// # Errors
/// [`StoreError`].
pub async fn no_longer_active(
    conn: &mut PgConnection,
    devices: &[(ContextId, ActorId, DeviceId)],
) -> Result<Vec<(ContextId, ActorId, DeviceId)>, StoreError> {
    let column = |of: fn(&(ContextId, ActorId, DeviceId)) -> String| {
        devices.iter().map(of).collect::<Vec<_>>()
    };
    let rows = sqlx::query(
        "SELECT w.n
           FROM unnest($1::text[], $2::text[], $3::text[]) WITH ORDINALITY AS w (ctx, actor, device, n)
           LEFT JOIN hn.device d ON d.ctx = w.ctx AND d.actor = w.actor AND d.device = w.device
           LEFT JOIN hn.actor a ON a.ctx = d.ctx AND a.actor = d.actor
          WHERE d.state IS DISTINCT FROM 'active'
             OR a.kind = 'party' AND hn.standing(a.state, a.next_state, a.next_from) IN ('suspended', 'left')",
    )
    .bind(column(|d| d.0.to_string()))
    .bind(column(|d| d.1.to_string()))
    .bind(column(|d| d.2.to_string()))
    .fetch_all(conn)
    .await?;
    rows.iter()
        .map(|row| {
            usize::try_from(read::unsigned(row, "n")?)
                .ok()
                .and_then(|n| devices.get(n.checked_sub(1)?))
                .cloned()
                .ok_or_else(|| StoreError::Decode("n".to_owned()))
        })
        .collect()
}
