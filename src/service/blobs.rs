//! The contents of attachments on their way in and out, one piece of 64 KiB in memory at a time. What comes is already
//! enciphered by its sender; each piece is sealed under the month's key besides, and committed before the next is read,
//! so that an upload goes on where it stopped, whatever was killed in between.

use bytes::Bytes;
use zeroize::Zeroizing;

use super::core::{Core, destroyed, internal, keyring, store as failed};
use super::held_back;
use super::principal::Principal;
use super::records::Record;
use crate::crypto::blob::MAX_BLOB_BYTES;
use crate::crypto::digest::{Digest, Running};
use crate::domain::actor::ActorState;
use crate::store::blobs::{self as store, BlobRow, PIECE_BYTES};
use crate::store::error::StoreError;
use crate::store::tx::{self, Tenant, Transaction};
use crate::store::{Connection, actors};
use crate::wire::api::BlobState;
use crate::wire::problem::{Problem, ProblemKind};

/// Bytes in each piece but the last.
pub const PIECE: usize = 64 << 10;
/// Blobs that are cleared away in one transaction.
const CLEARED_AT_ONCE: i64 = 100;

const MIB: u64 = 1 << 20;

fn state(row: &BlobRow) -> BlobState {
    BlobState {
        size: row.size,
        have: row.have,
        complete: row.complete,
    }
}

/// An upload that may go on.
pub struct Upload {
    core: Core,
    tenant: Tenant,
    row: BlobRow,
}

impl Upload {
    /// Begins an upload, or finds where it stopped. `offset` is where the caller goes on.
    ///
    /// # Errors
    /// `not-admitted`, `too-large`, `attachment-quota`; `attachment-offset` when there is another amount of it, and
    /// `attachment-mismatch` when it was announced with another size.
    pub async fn begin(
        core: &Core,
        principal: &Principal,
        digest: Digest,
        size: u64,
        offset: u64,
    ) -> Result<Self, Problem> {
        if principal.actor_state != ActorState::Admitted {
            return Err(held_back::problem(principal.actor_state, None));
        }
        if size == 0 || usize::try_from(size).map_or(true, |size| size > MAX_BLOB_BYTES) {
            return Err(Problem::new(ProblemKind::TooLarge)
                .detail(format!(
                    "an attachment's content has 1 to {MAX_BLOB_BYTES} bytes"
                ))
                .pointer("/size"));
        }
        let tenant = principal.tenant();
        let mut tx = tx::begin(&core.pools.app, &tenant)
            .await
            .map_err(|e| failed(&e))?;
        let row = match store::own(&mut tx, &digest).await.map_err(|e| failed(&e))? {
            Some(row) => row,
            None => begin(core, &mut tx, &tenant, digest, size).await?,
        };
        tx.commit().await.map_err(|e| failed(&e.into()))?;
        if row.destroyed {
            return Err(destroyed(row.month));
        }
        if row.size != size {
            return Err(Problem::new(ProblemKind::AttachmentMismatch)
                .detail("this content was announced with another size")
                .pointer("/size"));
        }
        let upload = Self {
            core: core.clone(),
            tenant,
            row,
        };
        if upload.row.complete || offset == upload.row.have {
            Ok(upload)
        } else {
            Err(upload.elsewhere())
        }
    }

    /// How much is there.
    pub fn state(&self) -> BlobState {
        state(&self.row)
    }

    /// How many bytes the next piece has; 0 when nothing is missing.
    pub fn wants(&self) -> usize {
        usize::try_from(self.row.size - self.row.have).map_or(PIECE, |rest| rest.min(PIECE))
    }

    /// Adds the next piece, of exactly [`Self::wants`] bytes. It is committed when this returns.
    ///
    /// # Errors
    /// `attachment-offset` when another request was faster; the keyring's and the database's.
    pub async fn append(&mut self, piece: &[u8]) -> Result<(), Problem> {
        let row = &self.row;
        let upto = row.have + piece.len() as u64;
        if piece.len() != self.wants() || piece.is_empty() {
            return Err(internal("a piece of another length"));
        }
        let n = number(row.have);
        let at = Record::blob_chunk(&row.actor, &row.digest, n);
        let content = self.core.seal_record(&at.at(), row.month, piece)?;
        let mut tx = self.transaction().await?;
        let went_on = store::append(&mut tx, row.id, n, (row.have, upto), &content)
            .await
            .map_err(|e| failed(&e))?;
        if !went_on {
            return Err(self.elsewhere());
        }
        tx.commit().await.map_err(|e| failed(&e.into()))?;
        self.row.have = upto;
        Ok(())
    }

    /// When all is there: compares its digest. What does not have it is not kept.
    ///
    /// # Errors
    /// `attachment-altered`; the keyring's and the database's.
    pub async fn finish(mut self) -> Result<BlobState, Problem> {
        let row = &self.row;
        if row.complete || row.have < row.size {
            return Ok(self.state());
        }
        let mut tx = self.transaction().await?;
        let mut running = Running::default();
        for n in 0..=number(row.size - 1) {
            running.add(&piece(&self.core, &mut tx, row, n).await?);
        }
        let fits = running.end() == row.digest;
        let done = if fits {
            store::complete(&mut tx, row.id).await
        } else {
            store::forget(&mut tx, row.id).await
        };
        done.map_err(|e| failed(&e))?;
        tx.commit().await.map_err(|e| failed(&e.into()))?;
        if !fits {
            return Err(ProblemKind::AttachmentAltered.into());
        }
        metrics::counter!("herald_attachments_total").increment(1);
        self.row.complete = true;
        Ok(self.state())
    }

    async fn transaction(&self) -> Result<Transaction, Problem> {
        tx::begin(&self.core.pools.app, &self.tenant)
            .await
            .map_err(|e| failed(&e))
    }

    fn elsewhere(&self) -> Problem {
        Problem::new(ProblemKind::AttachmentOffset)
            .detail(format!("{} bytes are here", self.row.have))
            .pointer("/offset")
    }
}

/// Begins a blob within the quota.
async fn begin(
    core: &Core,
    conn: &mut Connection,
    tenant: &Tenant,
    digest: Digest,
    size: u64,
) -> Result<BlobRow, Problem> {
    store::lock_quota(conn).await.map_err(|e| failed(&e))?;
    if let Some(row) = store::own(conn, &digest).await.map_err(|e| failed(&e))? {
        return Ok(row);
    }
    let month = core.month()?;
    let (policy, _) = actors::policy(conn, &tenant.ctx)
        .await
        .map_err(|e| failed(&e))?;
    let quota = u64::from(policy.attachments_mib) * MIB;
    let taken = store::taken(conn).await.map_err(|e| failed(&e))?;
    if taken + size.next_multiple_of(PIECE_BYTES) > quota {
        return Err(Problem::new(ProblemKind::AttachmentQuota).detail(format!(
            "{:.1} of {} MiB are taken by the attachments of {}, and this one has {:.1}",
            mib(taken),
            policy.attachments_mib,
            tenant.actor,
            mib(size),
        )));
    }
    store::begin(conn, &digest, size, month)
        .await
        .map_err(|e| failed(&e))?;
    store::own(conn, &digest)
        .await
        .map_err(|e| failed(&e))?
        .ok_or_else(|| internal("a blob that was begun is not there"))
}

fn mib(bytes: u64) -> f64 {
    f64::from(u32::try_from(bytes / 1_024).unwrap_or(u32::MAX)) / 1_024.0
}

/// The number of the piece that holds the byte `at`.
fn number(at: u64) -> u32 {
    u32::try_from(at / PIECE_BYTES).unwrap_or(u32::MAX)
}

/// A blob that a desk may read.
#[derive(Clone)]
pub struct Readable {
    core: Core,
    tenant: Tenant,
    row: BlobRow,
}

impl Readable {
    /// Finds it. What this desk may not read is not found.
    ///
    /// # Errors
    /// `not-found`; `destroyed` with its month; the database's.
    pub async fn find(core: &Core, principal: &Principal, digest: Digest) -> Result<Self, Problem> {
        let tenant = principal.tenant();
        let mut tx = tx::begin(&core.pools.app, &tenant)
            .await
            .map_err(|e| failed(&e))?;
        let row = store::readable(&mut tx, &digest)
            .await
            .map_err(|e| failed(&e))?
            .ok_or_else(not_found)?;
        if row.destroyed {
            return Err(destroyed(row.month));
        }
        Ok(Self {
            core: core.clone(),
            tenant,
            row,
        })
    }

    /// How much of it is there.
    pub fn state(&self) -> BlobState {
        state(&self.row)
    }

    /// The bytes from `at` to the end of the piece that holds it, or to `end`.
    ///
    /// # Errors
    /// `destroyed`, or `not-found`, when that was meanwhile; the keyring's and the database's.
    pub async fn read(&self, at: u64, end: u64) -> Result<Bytes, Problem> {
        let n = number(at);
        let mut tx = tx::begin(&self.core.pools.app, &self.tenant)
            .await
            .map_err(|e| failed(&e))?;
        let text = piece(&self.core, &mut tx, &self.row, n).await?;
        drop(tx);
        let begins = u64::from(n) * PIECE_BYTES;
        let within = |at: u64| usize::try_from(at - begins).unwrap_or(usize::MAX);
        let bytes = text.get(within(at)..within(end).min(text.len()));
        bytes
            .filter(|bytes| !bytes.is_empty())
            .map(Bytes::copy_from_slice)
            .ok_or_else(|| internal("a piece of a blob is shorter than it was"))
    }
}

fn not_found() -> Problem {
    Problem::new(ProblemKind::NotFound).detail("there is no such content for this desk")
}

/// Opens one piece from under the keyring.
async fn piece(
    core: &Core,
    conn: &mut Connection,
    row: &BlobRow,
    n: u32,
) -> Result<Zeroizing<Vec<u8>>, Problem> {
    let sealed = store::piece(conn, row.id, n)
        .await
        .map_err(|e| failed(&e))?
        .ok_or_else(not_found)?;
    let at = Record::blob_chunk(&row.actor, &row.digest, n);
    core.keyring
        .open_record(&at.at(), &sealed)
        .map_err(|error| keyring(&error))
}

/// Takes away what no statement named within 24 hours. Gives how many.
///
/// # Errors
/// The database's.
pub async fn clear_away(core: &Core) -> Result<u64, StoreError> {
    let mut cleared = 0;
    loop {
        let mut conn = core.pools.worker.acquire().await?;
        let some = store::clear_away(&mut conn, CLEARED_AT_ONCE).await?;
        cleared += some;
        if some < CLEARED_AT_ONCE.unsigned_abs() {
            return Ok(cleared);
        }
    }
}
