//! The steps that need the state: known bytes, reused ids, freshness, where signer and bearer stand now, and then what
//! the kind itself asks. Everything is decided before anything is written, so that a refused statement leaves no trace.

use std::sync::Arc;

use time::format_description::well_known::Rfc3339;

use super::arrivals::Fresh;
use super::batch::{Batch, Fault};
use super::prepare::{Prepared, SignerKey};
use super::{
    Bearer, Job, Taken, ack, admission, arrivals, confirm, desk, distress, handover, identity,
    notification, progress, relay, thread,
};
use crate::crypto::digest::Digest;
use crate::crypto::month::Month;
use crate::domain::actor::{ActorState, DeviceState};
use crate::domain::ids::{ActorId, LogPosition};
use crate::domain::kind::Kind;
use crate::domain::notification::Tier;
use crate::domain::policy::{self, Signer};
use crate::store::{months, statements};
use crate::wire::claims::{Claims, ReceiptClaims};
use crate::wire::policy::Policy;
use crate::wire::problem::{Problem, ProblemKind};

/// A statement in its transaction: what it says, who brings it, and the context's policy.
pub(super) struct Incoming<'a> {
    /// The statement.
    pub prepared: &'a Prepared,
    /// Who brings it.
    pub bearer: &'a Bearer,
    /// The policy in force.
    pub policy: Arc<Policy>,
    /// It begins a notification that nothing stored has to do with.
    pub fresh: bool,
}

impl<'a> Incoming<'a> {
    /// The actor whose device brings it.
    pub fn submitted_by(&self) -> &'a ActorId {
        match self.bearer {
            Bearer::Device(principal) | Bearer::Renewing(principal, _) => &principal.actor,
            Bearer::Enrolling(facts) => &facts.actor,
        }
    }
}

/// Takes one statement into the transaction.
pub(super) async fn one<'a>(
    batch: &mut Batch<'a>,
    job: &'a Job,
    fresh: Fresh,
) -> Result<Taken, Fault> {
    let kind = job.prepared.claims.kind();
    // What acknowledges or begins something new waits for the others like it; anything else sees all that was written.
    if !fresh.unheard || !(fresh.begins || kind == Kind::Ack) {
        arrivals::flush(batch).await?;
    }
    if kind != Kind::Ack {
        batch.delivered.clear();
    }
    if !fresh.unheard
        && let Some(taken) = taken_before(batch, job).await?
    {
        batch.standing.after(kind);
        return Ok(taken);
    }
    let taken = new(batch, job, fresh.begins).await;
    batch.standing.after(kind);
    taken
}

/// What came of the same bytes before.
async fn taken_before(batch: &mut Batch<'_>, job: &Job) -> Result<Option<Taken>, Fault> {
    let prepared = &job.prepared;
    let common = &prepared.common;
    let known = statements::known(
        batch.conn,
        &prepared.hash,
        &common.ctx,
        &common.iss,
        common.jti,
    )
    .await?;
    let Some(known) = known else {
        return Ok(None);
    };
    if known.hash != prepared.hash {
        return Err(ProblemKind::ReusedJti.into());
    }
    identity::again(batch, &job.bearer).await?;
    Ok(Some(Taken {
        known: true,
        hash: known.hash,
        pos: known.pos,
        receipt: known.receipt,
        remarks: Vec::new(),
    }))
}

async fn new<'a>(batch: &mut Batch<'a>, job: &'a Job, fresh: bool) -> Result<Taken, Fault> {
    let prepared = &job.prepared;
    let policy = batch
        .standing
        .policy(batch.conn, &prepared.common.ctx)
        .await?;
    // Whoever is in danger is not asked whether the clock is right: of a call, the receipt's time counts.
    if prepared.claims.kind() != Kind::Distress {
        check_fresh(batch, prepared, &policy)?;
    }
    check_standing(batch, prepared).await?;
    check_month(batch, prepared).await?;
    let incoming = Incoming {
        prepared,
        bearer: &job.bearer,
        policy,
        fresh,
    };
    let remarks = match &prepared.claims {
        Claims::Keys(claims) => identity::keys(batch, &incoming, claims).await?,
        Claims::Renew(claims) => identity::renew(batch, &incoming, claims).await?,
        Claims::Revoke(claims) => identity::revoke(batch, &incoming, claims).await?,
        Claims::Policy(claims) => desk::policy(batch, &incoming, claims).await?,
        Claims::Admit(claims) => admission::admit(batch, &incoming, claims).await?,
        Claims::Invite(claims) => desk::invite(batch, &incoming, claims).await?,
        Claims::Duty(claims) => desk::duty(batch, &incoming, claims).await?,
        Claims::Screen(claims) => desk::screen(batch, &incoming, claims).await?,
        Claims::Site(claims) => {
            notification::revise(batch, &incoming, &notification::Revised::site(claims)).await?
        }
        Claims::Movement(claims) => {
            notification::revise(batch, &incoming, &notification::Revised::movement(claims)).await?
        }
        Claims::Withdraw(claims) => notification::withdraw(batch, &incoming, claims).await?,
        Claims::Close(claims) => notification::close(batch, &incoming, claims).await?,
        Claims::Cosign(claims) => notification::cosign(batch, &incoming, claims).await?,
        Claims::Ack(claims) => ack::take(batch, &incoming, claims).await?,
        Claims::Relay(claims) => relay::take(batch, &incoming, claims).await?,
        Claims::Warn(claims) => thread::warn(batch, &incoming, claims).await?,
        Claims::Reply(claims) => thread::reply(batch, &incoming, claims).await?,
        Claims::Progress(claims) => progress::take(batch, &incoming, claims).await?,
        Claims::Confirm(claims) => confirm::take(batch, &incoming, claims).await?,
        Claims::Distress(claims) => distress::call(batch, &incoming, claims).await?,
        Claims::Respond(claims) => distress::respond(batch, &incoming, claims).await?,
        Claims::Resolve(claims) => distress::resolve(batch, &incoming, claims).await?,
        Claims::Handover(_) => handover::take(batch, &incoming).await?,
        Claims::Notice(_)
        | Claims::Alert(_)
        | Claims::Check(_)
        | Claims::Receipt(_)
        | Claims::Answer(_) => {
            return Err(ProblemKind::StatementKind.into());
        }
    };
    let receipt = remarks.receipt;
    Ok(Taken {
        known: false,
        hash: prepared.hash,
        pos: remarks.pos,
        receipt,
        remarks: remarks.remarks,
    })
}

/// What was stored, as the kinds give it back.
pub(super) struct Stored {
    /// The position.
    pub pos: LogPosition,
    /// The receipt.
    pub receipt: String,
    /// What the sender should know.
    pub remarks: Vec<String>,
    /// The new sequence number of each desk that it was delivered to, in the order given.
    pub seqs: Vec<i64>,
}

/// Stores the statement at the next position and delivers it. A kind calls this once, after all that it refuses for.
pub(super) async fn store(
    batch: &mut Batch<'_>,
    incoming: &Incoming<'_>,
    desks: &[ActorId],
) -> Result<Stored, Fault> {
    let desks: Vec<_> = desks.iter().map(|desk| (desk.clone(), None)).collect();
    store_seen(batch, incoming, &desks).await
}

/// As [`store`], saying what each desk sees of a statement that is no revision.
pub(super) async fn store_seen(
    batch: &mut Batch<'_>,
    incoming: &Incoming<'_>,
    desks: &[(ActorId, Option<Tier>)],
) -> Result<Stored, Fault> {
    let prepared = incoming.prepared;
    let (pos, receipt) = next(batch, prepared.hash)?;
    let new = statements::NewStatement {
        pos,
        hash: prepared.hash,
        ctx: &prepared.common.ctx,
        issuer: &prepared.common.iss,
        kid: prepared.kid,
        jti: prepared.common.jti,
        kind: prepared.claims.kind(),
        jws: &prepared.jws,
        receipt: &receipt,
        submitted_by: incoming.submitted_by(),
        at: batch.at,
    };
    statements::insert(batch.conn, &new).await?;
    statements::insert_records(batch.conn, pos, &prepared.records).await?;
    let seqs = deliver_seen(batch, desks, pos).await?;
    Ok(Stored {
        pos,
        receipt,
        remarks: Vec::new(),
        seqs,
    })
}

/// Puts a stored statement into mailboxes.
pub(super) async fn deliver(
    batch: &mut Batch<'_>,
    desks: &[ActorId],
    pos: LogPosition,
) -> Result<Vec<i64>, Fault> {
    let desks: Vec<_> = desks.iter().map(|desk| (desk.clone(), None)).collect();
    deliver_seen(batch, &desks, pos).await
}

async fn deliver_seen(
    batch: &mut Batch<'_>,
    desks: &[(ActorId, Option<Tier>)],
    pos: LogPosition,
) -> Result<Vec<i64>, Fault> {
    let seqs = statements::deliver(batch.conn, batch.ctx(), desks, pos).await?;
    batch
        .woken
        .extend(desks.iter().map(|(desk, _)| desk.clone()));
    Ok(seqs)
}

/// The next position, and the receipt for what is stored there.
pub(super) fn next(batch: &mut Batch<'_>, of: Digest) -> Result<(LogPosition, String), Fault> {
    let pos = LogPosition(batch.head.0 + 1);
    if let Some(receipt) = batch.receipt {
        batch.head = pos;
        return Ok((pos, receipt.to_owned()));
    }
    let at = batch
        .at
        .format(&Rfc3339)
        .map_err(|_| crate::service::core::internal("the database's time cannot be written"))?;
    let c = batch.common();
    let claims = ReceiptClaims {
        iss: c.iss,
        aud: c.aud,
        ctx: c.ctx,
        mode: c.mode,
        jti: c.jti,
        iat: c.iat,
        of,
        pos,
        at,
        sd: Vec::new(),
    };
    let (receipt, _) = batch.core.sign(&Claims::Receipt(Box::new(claims)))?;
    batch.head = pos;
    Ok((pos, receipt))
}

/// Neither too old nor ahead of the database's clock. Old signatures are judged by position, not by this.
fn check_fresh(batch: &Batch<'_>, prepared: &Prepared, policy: &Policy) -> Result<(), Problem> {
    let age_s = batch
        .at
        .unix_timestamp()
        .saturating_sub(prepared.common.iat);
    if age_s > i64::from(policy.freshness_s.statement) {
        return Err(Problem::new(ProblemKind::Stale).pointer("/iat"));
    }
    if age_s < -i64::from(policy.freshness_s.ahead) {
        return Err(Problem::new(ProblemKind::FromTheFuture).pointer("/iat"));
    }
    Ok(())
}

/// What travels with the statement is sealed under a month that is kept. It can be another only where a drill's clock was
/// moved by months since it was prepared: it is prepared again.
async fn check_month(batch: &mut Batch<'_>, prepared: &Prepared) -> Result<(), Fault> {
    let Some(record) = prepared.records.first() else {
        return Ok(());
    };
    let now = Month::of(batch.at.date()).ok();
    if batch.receipt.is_some() || now <= record.month.next().ok() {
        return Ok(());
    }
    if months::is_kept(batch.conn, batch.ctx(), record.month).await? {
        return Ok(());
    }
    Err(Problem::new(ProblemKind::NotReady).retry_after_s(1).into())
}

/// Where signer's device and actor stand now, inside the transaction: what was looked up before may have changed.
async fn check_standing(batch: &mut Batch<'_>, prepared: &Prepared) -> Result<(), Fault> {
    let SignerKey::Device(_) = &prepared.signer else {
        return Ok(());
    };
    let device = batch
        .standing
        .device(batch.conn, &batch.context.id, &prepared.kid)
        .await?
        .ok_or(ProblemKind::UnknownKey)?;
    if device.state != DeviceState::Active {
        let why = if device.state == DeviceState::Pending {
            "not yet named by its root"
        } else {
            "taken back"
        };
        return Err(Problem::new(ProblemKind::UnknownKey)
            .detail(format!("the device is {why}"))
            .into());
    }
    if device.until < batch.at {
        return Err(Problem::new(ProblemKind::UnknownKey)
            .detail("the device's keys have ended")
            .into());
    }
    if stands(prepared.claims.kind(), device.actor_state) {
        Ok(())
    } else {
        Err(admission::refused(batch, device.actor_state).await?.into())
    }
}

fn stands(kind: Kind, state: ActorState) -> bool {
    match policy::signer(kind) {
        Signer::Root | Signer::Server | Signer::Enrolled(_) => true,
        Signer::Admitted(_) => state == ActorState::Admitted,
        Signer::AdmittedOrSuspended(_) => {
            matches!(state, ActorState::Admitted | ActorState::Suspended)
        }
    }
}
