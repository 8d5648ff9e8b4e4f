//! Statements in groups: one lock of the head, one commit, one wait for the disk, for up to 64 statements. A group in
//! which the database refuses anything is rolled back and taken again one by one, so that one cannot spoil the others.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use time::OffsetDateTime;
use tokio::sync::mpsc;
use tokio::time::sleep_until;

use super::arrivals::{self, Waiting};
use super::delivered::{self, Delivered};
use super::standing::Standing;
use super::{Committed, Job, Taken, Wake, apply};
use crate::domain::ids::{ActorId, ContextId, DeviceId, LogPosition, Seq};
use crate::domain::machine::Refusal;
use crate::service::core::{ContextKeys, Core, store};
use crate::store::error::StoreError;
use crate::store::rebuild::Stored;
use crate::store::statements;
use crate::wire::claims::Common;
use crate::wire::problem::Problem;

/// Statements in one transaction.
const GROUP: usize = 64;
/// How long the first waits for company.
const LINGER: Duration = Duration::from_millis(2);

/// Takes what arrives with the first; a call for help that comes meanwhile ends the waiting, and is given apart.
pub(super) async fn gather(
    first: Job,
    queue: &mut mpsc::Receiver<Job>,
    calls: &mut mpsc::Receiver<Job>,
) -> (Vec<Job>, Option<Job>) {
    let mut jobs = vec![first];
    let until = tokio::time::Instant::now() + LINGER;
    while jobs.len() < GROUP {
        tokio::select! {
            biased;
            Some(call) = calls.recv() => return (jobs, Some(call)),
            () = sleep_until(until) => break,
            job = queue.recv() => match job {
                Some(job) => jobs.push(job),
                None => break,
            },
        }
    }
    (jobs, None)
}

/// Takes what waits with the first, and waits for nothing.
pub(super) fn gather_waiting(first: Job, calls: &mut mpsc::Receiver<Job>) -> Vec<Job> {
    let mut jobs = vec![first];
    while jobs.len() < GROUP {
        match calls.try_recv() {
            Ok(job) => jobs.push(job),
            Err(_) => break,
        }
    }
    jobs
}

/// A transaction of the intake while it runs. It belongs to one context: what it reads, writes and says is that context's
/// alone.
pub(super) struct Batch<'a> {
    /// The server's own keys.
    pub core: &'a Core,
    /// The context.
    pub context: &'a ContextKeys,
    /// The connection, inside the transaction.
    pub conn: &'a mut crate::store::Connection,
    /// The last position assigned.
    pub head: LogPosition,
    /// The database's time.
    pub at: OffsetDateTime,
    /// What its statements are judged by.
    pub standing: Standing,
    /// New notifications and acknowledgements that are judged and not yet written.
    pub waiting: Vec<Waiting<'a>>,
    /// What the group's acknowledgements name, read for all of them at once; emptied by whatever else comes.
    pub delivered: Delivered,
    /// Desks that have new mail.
    pub woken: BTreeSet<ActorId>,
    /// Devices that were taken back.
    pub revoked: Vec<(ActorId, DeviceId)>,
    /// Parties to which nothing new is handed from now on.
    pub held_back: Vec<ActorId>,
    /// Calls for help, and where each stands in whose mailbox.
    pub calls: Vec<(ActorId, Seq)>,
    /// The receipt that the statement has, when a stored one is taken again.
    pub receipt: Option<&'a str>,
}

impl<'a> Batch<'a> {
    /// A transaction in which one stored statement is taken again, at the position and the time that it has.
    pub fn again(
        core: &'a Core,
        context: &'a ContextKeys,
        conn: &'a mut crate::store::Connection,
        stored: &'a Stored,
    ) -> Self {
        let head = LogPosition(stored.pos.0.saturating_sub(1));
        Self {
            receipt: Some(&stored.receipt),
            ..Self::at(core, context, conn, (head, stored.at))
        }
    }

    /// Takes the head's lock, in a transaction that has just begun.
    pub async fn begin(
        core: &'a Core,
        context: &'a ContextKeys,
        conn: &'a mut crate::store::Connection,
    ) -> Result<Self, StoreError> {
        let locked = statements::lock_head(conn).await?;
        Ok(Self::at(core, context, conn, locked))
    }

    fn at(
        core: &'a Core,
        context: &'a ContextKeys,
        conn: &'a mut crate::store::Connection,
        (head, at): (LogPosition, OffsetDateTime),
    ) -> Self {
        Self {
            core,
            context,
            conn,
            head,
            at,
            standing: Standing::default(),
            waiting: Vec::new(),
            delivered: Delivered::new(),
            woken: BTreeSet::new(),
            revoked: Vec::new(),
            held_back: Vec::new(),
            calls: Vec::new(),
            receipt: None,
        }
    }

    /// The context's short name.
    pub fn ctx(&self) -> &'a ContextId {
        &self.context.id
    }

    /// The claims that a statement of the server begins with, here and now.
    pub fn common(&self) -> Common {
        self.core.common(self.context, self.at)
    }

    /// Writes what waits and the new head. The transaction is the caller's to commit; then sockets are to be told.
    pub async fn finish(mut self) -> Result<Committed, StoreError> {
        arrivals::flush(&mut self).await?;
        statements::set_head(self.conn, self.head).await?;
        Ok(Committed {
            ctx: self.context.id.clone(),
            woken: self.woken.into_iter().collect(),
            revoked: self.revoked,
            held_back: self.held_back,
            calls: self.calls,
        })
    }
}

/// Why an item did not go in: its own fault, or the database's.
pub(super) enum Fault {
    /// It is refused; nothing of it was written.
    Refused(Problem),
    /// The transaction is spoilt.
    Store(StoreError),
}

impl From<Problem> for Fault {
    fn from(problem: Problem) -> Self {
        Self::Refused(problem)
    }
}

impl From<crate::wire::problem::ProblemKind> for Fault {
    fn from(kind: crate::wire::problem::ProblemKind) -> Self {
        Self::Refused(kind.into())
    }
}

impl From<Refusal> for Fault {
    fn from(refusal: Refusal) -> Self {
        Self::Refused(refusal.into())
    }
}

impl From<StoreError> for Fault {
    fn from(error: StoreError) -> Self {
        Self::Store(error)
    }
}

/// Takes a group and answers each: the statements of each context in a transaction of their own, in their order.
pub(super) async fn run(core: &Core, jobs: Vec<Job>, wake: &Wake) {
    let mut groups: BTreeMap<ContextId, Vec<Job>> = BTreeMap::new();
    for job in jobs {
        let ctx = job.prepared.common.ctx.clone();
        groups.entry(ctx).or_default().push(job);
    }
    for (ctx, jobs) in groups {
        match core.context(&ctx) {
            Ok(context) => run_in(core, context, jobs, wake).await,
            Err(problem) => {
                for job in jobs {
                    drop(job.reply.send(Err(problem.clone())));
                }
            }
        }
    }
}

async fn run_in(core: &Core, context: &ContextKeys, jobs: Vec<Job>, wake: &Wake) {
    metrics::histogram!("herald_intake_batch_statements")
        .record(u32::try_from(jobs.len()).map_or(0.0, f64::from));
    let results = match commit(core, context, &jobs, wake).await {
        Ok(results) => results,
        Err(error) if jobs.len() == 1 => vec![Err(store(&error))],
        Err(error) => {
            tracing::warn!(%error, statements = jobs.len(), "a group was rolled back; taking its statements one by one");
            let mut results = Vec::with_capacity(jobs.len());
            for job in &jobs {
                let one = commit(core, context, std::slice::from_ref(job), wake).await;
                results.extend(one.unwrap_or_else(|error| vec![Err(store(&error))]));
            }
            results
        }
    };
    for (job, result) in jobs.into_iter().zip(results) {
        // Whoever asked may be gone; the statement stands all the same, and its bytes sent again give the receipt.
        drop(job.reply.send(result));
    }
}

async fn commit(
    core: &Core,
    context: &ContextKeys,
    jobs: &[Job],
    wake: &Wake,
) -> Result<Vec<Result<Taken, Problem>>, StoreError> {
    let mut tx = core.pools.intake.begin().await?;
    let mut batch = Batch::begin(core, context, &mut tx).await?;
    let mut results = Vec::with_capacity(jobs.len());
    let fresh = arrivals::fresh(&mut batch, jobs).await?;
    delivered::ahead(&mut batch, jobs).await?;
    for (job, fresh) in jobs.iter().zip(fresh) {
        match Box::pin(apply::one(&mut batch, job, fresh)).await {
            Ok(taken) => results.push(Ok(taken)),
            Err(Fault::Refused(problem)) => results.push(Err(problem)),
            Err(Fault::Store(error)) => return Err(error),
        }
    }
    let committed = batch.finish().await?;
    tx.commit().await?;
    wake(&committed);
    Ok(results)
}
