//! Queries and warnings, and where each stands, for those between whom they are and the coordinator. What was said is in
//! the signed parts, never here.

use time::OffsetDateTime;

use super::core::{Core, keyring, store as failed};
use super::principal::Principal;
use super::records::Record;
use crate::crypto::keyring::KeyringError;
use crate::domain::clock::from_micros;
use crate::domain::exchange::ThreadState;
use crate::store::error::StoreError;
use crate::store::threads::{self as store, ThreadRow};
use crate::store::{statements, tx};
use crate::wire::api::{ThreadStatus, Threads};
use crate::wire::problem::Problem;

/// Threads that are listed at once; more are counted.
pub const MOST: u32 = 1_000;

/// The threads that nobody has replied to, on current notifications, oldest first.
///
/// # Errors
/// The database's, or the keyring's.
pub async fn open(core: &Core, principal: &Principal) -> Result<Threads, Problem> {
    let read = async {
        let mut tx = tx::begin(&core.pools.app, &principal.tenant()).await?;
        let (rows, total) = store::open(&mut tx, MOST).await?;
        let now = statements::now(&mut tx).await?;
        tx.rollback().await?;
        Ok((rows, total, now))
    };
    let (rows, total, now) = read.await.map_err(|e: StoreError| failed(&e))?;
    let shown = u64::try_from(rows.len()).unwrap_or(0);
    let threads = rows.into_iter().map(|row| status(core, row, now));
    Ok(Threads {
        threads: threads.collect::<Result<_, _>>()?,
        more: total.saturating_sub(shown),
    })
}

/// Where a thread stands.
///
/// # Errors
/// The keyring's.
pub fn status(core: &Core, row: ThreadRow, now: OffsetDateTime) -> Result<ThreadStatus, Problem> {
    let due = due(core, &row)?;
    Ok(ThreadStatus {
        kind: row.kind,
        of: row.of,
        reference: row.nid.reference(),
        nid: row.nid,
        rev: row.rev,
        organisation: row.org,
        party: row.party,
        at: row.at,
        state: ThreadState::at(row.replies > 0, due, now),
        due,
        replies: row.replies,
        reply: row.reply.map(|(of, _)| of),
        replied_at: row.reply.map(|(_, at)| at),
    })
}

/// Until when a reply is asked for. Of an old one whose month's key was destroyed nobody knows.
fn due(core: &Core, row: &ThreadRow) -> Result<Option<OffsetDateTime>, Problem> {
    let at = Record::thread(&core.deployment.node.actor, &row.id);
    let opened = match core.keyring.open_record(&at.at(), &row.due) {
        Ok(opened) => opened,
        Err(KeyringError::Destroyed(_)) => return Ok(None),
        Err(error) => return Err(keyring(&error)),
    };
    let micros = opened
        .as_slice()
        .try_into()
        .map_err(|_| super::core::internal("the time of a thread is broken"))?;
    Ok(Some(from_micros(i64::from_be_bytes(micros))))
}
