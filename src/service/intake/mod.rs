//! The one way in. Everything anyone says is a signed statement, and every statement takes the same steps: limits, strict
//! parse, signature, known bytes, reused ids, freshness, authority, state; then one transaction stores the exact bytes,
//! assigns the next position, updates the read models and fills the mailboxes; and only after the commit is a receipt
//! given. Statements that arrive together share a transaction, each with a result of its own.

mod ack;
mod admission;
mod apply;
mod arrivals;
mod attached;
mod batch;
mod confirm;
mod delivered;
mod desk;
mod distress;
mod due;
mod fire;
mod handover;
mod identity;
mod letter;
mod notification;
mod open;
mod own;
mod place;
mod prepare;
mod progress;
mod relay;
mod remains;
mod replay;
mod retain;
mod standing;
mod thread;
mod window;

use std::sync::Arc;

use tokio::sync::{mpsc, oneshot};
use tokio_util::sync::CancellationToken;

use self::prepare::Prepared;
use super::core::Core;
use super::principal::Principal;
use crate::crypto::digest::Digest;
use crate::domain::ids::{ActorId, ContextId, DeviceId, LogPosition, Seq};
use crate::wire::envelope::Envelope;
use crate::wire::problem::{Problem, ProblemKind};

pub(in crate::service) use self::desk::root_kid;
pub(in crate::service) use self::due::moments;
pub(in crate::service) use self::fire::fire;
pub use self::identity::EnrolFacts;
pub(in crate::service) use self::prepare::{
    check_addressed, device_key, payload, read_claims, refused_member, refused_statement,
};
pub(in crate::service) use self::replay::{Replay, due_key};
pub(in crate::service) use self::retain::{Judged, retain};

/// Statements that may wait for the intake; more are refused at once, so that nobody waits for nothing.
const QUEUE: usize = 2_048;
/// Calls for help that may wait for it, in a queue of their own; whoever brings one more waits until there is room.
const URGENT: usize = 256;
/// Statements of one request whose signatures and seals are worked on at a time.
const PREPARE_AT_ONCE: usize = 32;

/// What became of a statement that was taken.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Taken {
    /// Whether the same bytes had been taken before.
    pub known: bool,
    /// Its hash.
    pub hash: Digest,
    /// Its position.
    pub pos: LogPosition,
    /// Its receipt.
    pub receipt: String,
    /// What the sender should know.
    pub remarks: Vec<String>,
}

/// Who brings a statement.
#[derive(Debug, Clone)]
pub enum Bearer {
    /// A device with a certificate.
    Device(Principal),
    /// Somebody who enrols: the statement is the `keys` of an actor's root.
    Enrolling(Box<EnrolFacts>),
    /// A device that renews its keys: the statement is a `renew`, and this its new certificate.
    Renewing(Principal, Box<identity::NewCertificate>),
}

impl Bearer {
    /// The context that whoever brings it belongs to. No statement for another one is taken from it.
    pub fn ctx(&self) -> &ContextId {
        match self {
            Self::Device(principal) | Self::Renewing(principal, _) => &principal.ctx,
            Self::Enrolling(facts) => &facts.ctx,
        }
    }
}

pub use self::identity::NewCertificate;

struct Job {
    prepared: Prepared,
    bearer: Bearer,
    reply: oneshot::Sender<Result<Taken, Problem>>,
}

impl Job {
    fn is_call(&self) -> bool {
        self.prepared.claims.kind().is_call()
    }
}

/// What a commit means to sockets.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Committed {
    /// In which context.
    pub ctx: ContextId,
    /// Desks that have new mail.
    pub woken: Vec<ActorId>,
    /// Devices that were taken back: their sockets close.
    pub revoked: Vec<(ActorId, DeviceId)>,
    /// Parties to which nothing new is handed from now on: their sockets close.
    pub held_back: Vec<ActorId>,
    /// Calls for help, and where each stands in whose mailbox.
    pub calls: Vec<(ActorId, Seq)>,
}

/// Told after each commit.
pub type Wake = Arc<dyn Fn(&Committed) + Send + Sync>;

/// The way in, for handlers. Cheap to clone.
#[derive(Clone)]
pub struct Intake {
    core: Core,
    jobs: mpsc::Sender<Job>,
    urgent: mpsc::Sender<Job>,
}

impl Intake {
    /// Makes the way in, and the worker that must be run for it.
    pub fn new(core: Core, wake: Wake) -> (Self, IntakeWorker) {
        let (jobs, queue) = mpsc::channel(QUEUE);
        let (urgent, calls) = mpsc::channel(URGENT);
        (
            Self {
                core: core.clone(),
                jobs,
                urgent,
            },
            IntakeWorker {
                core,
                queue,
                calls,
                wake,
            },
        )
    }

    /// Takes one statement.
    ///
    /// # Errors
    /// Why it is refused. Nothing of a refused statement is stored.
    pub async fn submit(&self, envelope: Envelope, bearer: Bearer) -> Result<Taken, Problem> {
        let signer = prepare::find_signer(&self.core, &envelope, &bearer).await?;
        let core = self.core.clone();
        let at_once = bearer.clone();
        let prepared = tokio::task::spawn_blocking(move || {
            prepare::prepare(&core, envelope, signer, &at_once)
        })
        .await
        .map_err(|_| super::core::internal("a statement could not be prepared"))??;
        self.enqueue(prepared, bearer)
            .await?
            .await
            .map_err(|_| Problem::from(ProblemKind::NotReady))?
    }

    /// Takes several statements of one bearer, in order; one that is refused does not hold back the others.
    pub async fn submit_all(
        &self,
        envelopes: Vec<Envelope>,
        bearer: &Bearer,
    ) -> Vec<Result<Taken, Problem>> {
        let mut results = Vec::with_capacity(envelopes.len());
        let mut envelopes = envelopes.into_iter().peekable();
        let mut signers = prepare::SignerCache::default();
        while envelopes.peek().is_some() {
            let mut group = Vec::new();
            for envelope in envelopes.by_ref().take(PREPARE_AT_ONCE) {
                let signer = signers.find(&self.core, &envelope, bearer).await;
                group.push((envelope, signer));
            }
            let size = group.len();
            let (core, with) = (self.core.clone(), bearer.clone());
            let prepared = tokio::task::spawn_blocking(move || {
                let each = group.into_iter().map(|(envelope, signer)| {
                    signer.and_then(|signer| prepare::prepare(&core, envelope, signer, &with))
                });
                each.collect::<Vec<_>>()
            })
            .await
            // Each keeps its place: a result must never stand for another's statement.
            .unwrap_or_else(|_| {
                let failed = || Err(super::core::internal("a statement could not be prepared"));
                std::iter::repeat_with(failed).take(size).collect()
            });
            for one in prepared {
                results.push(match one {
                    Ok(prepared) => self.enqueue(prepared, bearer.clone()).await,
                    Err(problem) => Err(problem),
                });
            }
        }
        let mut taken = Vec::with_capacity(results.len());
        for waiting in results {
            taken.push(match waiting {
                Ok(reply) => reply
                    .await
                    .unwrap_or_else(|_| Err(ProblemKind::NotReady.into())),
                Err(problem) => Err(problem),
            });
        }
        taken
    }

    /// As [`Self::submit`], for calls for help, answers to them and how they end: what comes by the operation that has
    /// an allowance and a place of its own must be one of these.
    ///
    /// # Errors
    /// As [`Self::submit`]; `statement-kind` for anything else.
    pub async fn call(&self, envelope: Envelope, bearer: Bearer) -> Result<Taken, Problem> {
        if prepare::kind_in(&envelope)?.is_call() {
            return self.submit(envelope, bearer).await;
        }
        Err(Problem::new(ProblemKind::StatementKind)
            .detail("only distress, respond and resolve statements come this way"))
    }

    /// Lets a statement wait for its turn. A call for help never finds the queue full.
    async fn enqueue(
        &self,
        prepared: Prepared,
        bearer: Bearer,
    ) -> Result<oneshot::Receiver<Result<Taken, Problem>>, Problem> {
        let (reply, result) = oneshot::channel();
        let urgent = prepared.claims.kind().is_call();
        let job = Job {
            prepared,
            bearer,
            reply,
        };
        if urgent {
            let sent = self.urgent.send(job).await;
            sent.map_err(|_| Problem::from(ProblemKind::NotReady))?;
            return Ok(result);
        }
        self.jobs.try_send(job).map_err(|refused| match refused {
            mpsc::error::TrySendError::Full(_) => {
                Problem::new(ProblemKind::Overloaded).retry_after_s(1)
            }
            mpsc::error::TrySendError::Closed(_) => ProblemKind::NotReady.into(),
        })?;
        Ok(result)
    }
}

/// The one that writes: takes what waits, in order, and commits it in groups. Calls for help go first; between two groups
/// of them goes one of the others, so that neither ever waits for more than one.
pub struct IntakeWorker {
    core: Core,
    queue: mpsc::Receiver<Job>,
    calls: mpsc::Receiver<Job>,
    wake: Wake,
}

impl IntakeWorker {
    /// Runs until told to stop and the queue is empty.
    pub async fn run(mut self, stop: CancellationToken) {
        let mut first = None;
        loop {
            if first.is_none() {
                first = tokio::select! {
                    biased;
                    Some(job) = self.calls.recv() => Some(job),
                    Some(job) = self.queue.recv() => Some(job),
                    () = stop.cancelled(), if !self.queue.is_closed() => {
                        self.queue.close();
                        self.calls.close();
                        continue;
                    }
                    else => return,
                };
            }
            let Some(job) = first.take() else { continue };
            if job.is_call() {
                let jobs = batch::gather_waiting(job, &mut self.calls);
                batch::run(&self.core, jobs, &self.wake).await;
                first = self.queue.try_recv().ok();
            } else {
                let (jobs, call) = batch::gather(job, &mut self.queue, &mut self.calls).await;
                if let Some(call) = call {
                    let calls = batch::gather_waiting(call, &mut self.calls);
                    batch::run(&self.core, calls, &self.wake).await;
                }
                batch::run(&self.core, jobs, &self.wake).await;
            }
        }
    }
}

/// Stores a device that enrols and whose root is elsewhere; it waits for its root to name it.
///
/// # Errors
/// Why it is refused.
pub async fn enrol_pending(
    core: &Core,
    conn: &mut crate::store::Connection,
    facts: &EnrolFacts,
    at: time::OffsetDateTime,
) -> Result<(), Problem> {
    identity::enrol(core, conn, facts, at)
        .await
        .map_err(|fault| match fault {
            batch::Fault::Refused(problem) => problem,
            batch::Fault::Store(error) => super::core::store(&error),
        })
}
