//! Sites and movements: a new revision, a withdrawal, a closing, a second signature. The old revision counts in checks
//! until the new one is screened and fetched; what is withdrawn stops at once.

use time::Duration;

use super::apply::{self, Incoming, Stored};
use super::arrivals::{Beginning, Judged, Waiting};
use super::attached;
use super::batch::{Batch, Fault};
use super::due;
use super::place::{self, PlaceFacts};
use super::prepare::{Facts, Prepared};
use crate::crypto::digest::{Digest, Kid};
use crate::crypto::seal_key::SealPublicKey;
use crate::domain::actor::{ActorKind, ActorState};
use crate::domain::due::Due;
use crate::domain::ids::{ActorId, LogPosition, Nid, Revision};
use crate::domain::kind::Kind;
use crate::domain::machine::{
    NOTIFICATION, NotificationEvent, REVISION, RevisionEvent, SCREENING, SIGNATURE, ScreeningEvent,
    SignatureEvent,
};
use crate::domain::notification::{
    NotificationState, Outcome, ScreeningState, SecondSignature, Subject, Tier,
};
use crate::domain::plural::count;
use crate::service::core::{internal, keyring};
use crate::service::records::Record;
use crate::store::actors::{self, ActorRow};
use crate::store::notifications::{self, Chosen, Current, NewCover, NewRevision, RevisionRow};
use crate::store::{self, devices, mailbox};
use crate::wire::claims::{
    CloseClaims, CosignClaims, MovementClaims, NotificationClaims, WithdrawClaims,
};
use crate::wire::parts::{Audience, name};
use crate::wire::policy::{Policy, Screening};
use crate::wire::problem::{Problem, ProblemKind};

/// What a revision begins anew: what was to come of the one before it comes no more.
const BEGUN_ANEW: [Due; 6] = [
    Due::SignOfLife,
    Due::Reconfirm,
    Due::Stale,
    Due::WindowEnding,
    Due::WindowEnded,
    Due::Closing,
];

/// The claims that a site and a movement share.
pub(super) struct Revised {
    nid: Nid,
    rev: Revision,
    prev: Option<Digest>,
    emergency: bool,
    subject: Subject,
    kind: Kind,
}

impl Revised {
    /// Of a site.
    pub fn site(c: &NotificationClaims) -> Self {
        Self {
            nid: c.nid,
            rev: c.rev,
            prev: c.prev,
            emergency: c.emergency,
            subject: Subject::Site,
            kind: Kind::Site,
        }
    }

    /// Of a movement.
    pub fn movement(c: &MovementClaims) -> Self {
        Self {
            nid: c.nid,
            rev: c.rev,
            prev: c.prev,
            emergency: c.emergency,
            subject: Subject::Movement,
            kind: Kind::Movement,
        }
    }
}

/// Takes a site or a movement, new or revised.
pub(super) async fn revise<'a>(
    batch: &mut Batch<'a>,
    incoming: &Incoming<'a>,
    claims: &Revised,
) -> Result<Stored, Fault> {
    let Facts::Place(facts) = &incoming.prepared.facts else {
        return Err(internal("a notification without its place").into());
    };
    let current = if incoming.fresh {
        None
    } else {
        notifications::current(batch.conn, batch.ctx(), claims.nid).await?
    };
    let state = follows(incoming.prepared, claims, current.as_ref())?;
    // An id names one thing in the whole deployment. Nobody learns from the refusal whose it is.
    if current.is_none()
        && !incoming.fresh
        && store::distress::is_taken(batch.conn, claims.nid).await?
    {
        return Err(ProblemKind::UnknownNotification.into());
    }
    let former = match &current {
        Some(_) => notifications::parties(batch.conn, claims.nid).await?,
        None => Vec::new(),
    };
    let actors = batch
        .standing
        .actors(batch.conn, &incoming.prepared.common.ctx)
        .await?;
    check_on_behalf(incoming.prepared, &actors)?;
    check_audiences(claims, facts, &former, &actors, &incoming.policy)?;
    check_readers(incoming.prepared, facts, &actors)?;
    attached::check(incoming.prepared, facts, &actors)?;

    let mut desks = vec![incoming.prepared.speaks_for().clone()];
    desks.extend(coordinators(&actors));
    if incoming.fresh {
        return wait(batch, incoming, claims, facts, desks);
    }
    let contents = attached::find(batch, incoming.prepared, &facts.blobs).await?;
    let before_parties = desks.len();
    desks.extend(facts.audiences.iter().map(|a| a.party.clone()));
    let mut stored = apply::store(batch, incoming, &desks).await?;

    let new = new_revision(batch, incoming, (claims, facts), stored.pos)?;
    notifications::insert_revision(batch.conn, &new, claims.subject, state).await?;
    attached::name(batch, &new, &contents).await?;
    if let Some(ewkb) = &facts.cover {
        let cover = NewCover {
            ewkb,
            from: facts.validity.from(),
            until: facts.validity.until(),
        };
        notifications::insert_cover(batch.conn, &new, &cover).await?;
    }
    let chosen = choose(
        &facts.audiences,
        stored.seqs.get(before_parties..).unwrap_or_default(),
    );
    notifications::insert_audience(batch.conn, &new, &chosen).await?;
    for audience in facts.audiences.iter().filter(|a| a.tier == Tier::Withdrawn) {
        notifications::stop_counting(batch.conn, claims.nid, claims.rev, Some(&audience.party))
            .await?;
    }
    let rising = rising(batch, claims, facts);
    for what in BEGUN_ANEW {
        store::due::forget(batch.conn, claims.nid.uuid(), what).await?;
    }
    due::schedule(batch, &rising.falls(&incoming.policy)).await?;
    stored.remarks = remarks(batch, claims, facts, &incoming.policy);
    Ok(stored)
}

/// Gives a new notification its position and receipt, and lets it wait for the others of its group.
fn wait<'a>(
    batch: &mut Batch<'a>,
    incoming: &Incoming<'a>,
    claims: &Revised,
    facts: &'a PlaceFacts,
    mut desks: Vec<ActorId>,
) -> Result<Stored, Fault> {
    let prepared = incoming.prepared;
    prepared.device_id()?;
    let (pos, receipt) = apply::next(batch, prepared.hash)?;
    let revision = new_revision(batch, incoming, (claims, facts), pos)?;
    // A coordinator that notifies for itself is its own reader, once.
    desks.sort_unstable();
    desks.dedup();
    batch.woken.extend(desks.iter().cloned());
    let parties = facts.audiences.iter().map(|a| a.party.clone());
    batch.woken.extend(parties);
    let falls = rising(batch, claims, facts)
        .falls(&incoming.policy)
        .iter()
        .map(|one| due::seal(batch.core, one))
        .collect::<Result<_, _>>()?;
    batch.waiting.push(Waiting {
        prepared,
        submitted_by: incoming.submitted_by(),
        pos,
        receipt: receipt.clone(),
        desks,
        what: Judged::Begins(Box::new(Beginning {
            revision,
            subject: claims.subject,
            facts,
            chosen: choose(&facts.audiences, &vec![0; facts.audiences.len()]),
            falls,
        })),
    });
    Ok(Stored {
        pos,
        receipt,
        remarks: remarks(batch, claims, facts, &incoming.policy),
        seqs: Vec::new(),
    })
}

fn rising<'a>(batch: &Batch<'_>, claims: &Revised, facts: &'a PlaceFacts) -> due::Rising<'a> {
    due::Rising {
        nid: claims.nid,
        rev: claims.rev,
        subject: claims.subject,
        audiences: &facts.audiences,
        begins: facts.begins,
        ends: facts.ends,
        at: batch.at,
    }
}

fn coordinators(actors: &[ActorRow]) -> impl Iterator<Item = ActorId> {
    actors
        .iter()
        .filter(|a| a.kind == ActorKind::Coordinator && a.desk_key.is_some())
        .map(|a| a.actor.clone())
}

fn choose(audiences: &[Audience], seqs: &[i64]) -> Vec<Chosen> {
    audiences
        .iter()
        .zip(seqs)
        .map(|(a, seq)| Chosen {
            party: a.party.clone(),
            tier: a.tier,
            seq: *seq,
            counts: a.tier != Tier::Withdrawn,
        })
        .collect()
}

fn new_revision<'a>(
    batch: &Batch<'_>,
    incoming: &Incoming<'a>,
    (claims, facts): (&Revised, &PlaceFacts),
    pos: LogPosition,
) -> Result<NewRevision<'a>, Problem> {
    let prepared = incoming.prepared;
    let screening = match incoming.policy.screening {
        Screening::Required => ScreeningEvent::Receive,
        Screening::Off => ScreeningEvent::ReceiveUnasked,
    };
    let signature = if incoming.policy.second_signature {
        SignatureEvent::Receive
    } else {
        SignatureEvent::ReceiveUnasked
    };
    Ok(NewRevision {
        nid: claims.nid,
        rev: claims.rev,
        ctx: &prepared.common.ctx,
        org: prepared.speaks_for(),
        pos,
        hash: prepared.hash,
        kind: claims.kind,
        device: prepared.device_id()?,
        emergency: claims.emergency,
        on_behalf: prepared.claims.on_behalf().is_some(),
        window_over: claims.subject == Subject::Site
            && facts.ends.is_some_and(|ends| ends <= batch.at),
        screening: SCREENING.next(None, screening)?.to,
        cosign: SIGNATURE.next(None, signature)?.to,
        at: batch.at,
    })
}

/// A revision follows the one that is current, and is the organisation's own. Gives where the notification stands then.
fn follows(
    prepared: &Prepared,
    claims: &Revised,
    current: Option<&Current>,
) -> Result<NotificationState, Problem> {
    let event = match claims.rev {
        Revision::FIRST => NotificationEvent::Notify,
        _ => NotificationEvent::Revise,
    };
    let Some(current) = current else {
        let begun = NOTIFICATION.next(None, event)?;
        return match claims.prev {
            None => Ok(begun.to),
            Some(_) => Err(Problem::new(ProblemKind::PrevMismatch)
                .detail("a first revision has no prev")
                .pointer("/prev")),
        };
    };
    let follows = (claims.nid, claims.rev, claims.prev);
    let state = follows_current(prepared, follows, current, event)?;
    if claims.subject != current.subject {
        return Err(Problem::new(ProblemKind::StateForbids)
            .detail("a site stays a site, and a movement a movement"));
    }
    Ok(state)
}

fn follows_current(
    prepared: &Prepared,
    (nid, rev, prev): (Nid, Revision, Option<Digest>),
    current: &Current,
    event: NotificationEvent,
) -> Result<NotificationState, Problem> {
    if current.org != *prepared.speaks_for() {
        // Nobody learns from a refusal that another's notification exists; the id is random, so nobody can guess one.
        return Err(ProblemKind::UnknownNotification.into());
    }
    if rev <= current.rev {
        return Err(Problem::new(ProblemKind::ReusedRevision)
            .detail(format!(
                "revision {rev} of {} exists; the latest is {}",
                nid.reference(),
                current.rev
            ))
            .pointer("/rev"));
    }
    let step = NOTIFICATION.next(Some(current.state), event)?;
    check_still_on_behalf(prepared, current.on_behalf)?;
    if rev != current.rev.next() || prev != Some(current.hash) {
        return Err(Problem::new(ProblemKind::PrevMismatch)
            .detail(format!(
                "the latest revision of {} is {}",
                nid.reference(),
                current.rev
            ))
            .pointer("/prev"));
    }
    Ok(step.to)
}

/// The organisation that the coordinator speaks for is known: invited, if no device of it has enrolled yet.
fn check_on_behalf(prepared: &Prepared, actors: &[ActorRow]) -> Result<(), Problem> {
    let Some(word) = prepared.claims.on_behalf() else {
        return Ok(());
    };
    let known = actors
        .iter()
        .any(|a| a.actor == word.org && a.kind == ActorKind::Organisation);
    if known {
        return Ok(());
    }
    Err(Problem::new(ProblemKind::NotFound)
        .detail(
            "no such organisation; invite it first, so that it can take over what is said for it",
        )
        .pointer("/on_behalf/org"))
}

fn check_audiences(
    claims: &Revised,
    facts: &PlaceFacts,
    former: &[(ActorId, Tier)],
    actors: &[ActorRow],
    policy: &Policy,
) -> Result<(), Problem> {
    for audience in &facts.audiences {
        let party = actors.iter().find(|a| a.actor == audience.party);
        let stands = party.is_some_and(|p| {
            let left = p.state == ActorState::Left;
            p.kind == ActorKind::Party && (p.has_admitted_desk() || p.waits_for_admission() || left)
        });
        if !stands {
            return Err(place::unknown_party(&audience.party, claims.nid));
        }
        if audience.tier != Tier::Withdrawn {
            check_takes_new(party, &audience.party)?;
        }
        let named_before = former.iter().any(|(party, _)| *party == audience.party);
        let allowed = if audience.tier == Tier::Withdrawn {
            named_before
        } else {
            policy.tiers.contains(&audience.tier)
        };
        if !allowed {
            return Err(Problem::new(ProblemKind::InvalidMember)
                .detail("the context's policy does not offer this tier, or the party was never told of it")
                .pointer(format!("/{}/tier", name::audience(&audience.party))));
        }
    }
    // A party to which nothing new is handed keeps what it was told, and counts it on.
    let holds_back = |party: &ActorId| {
        let mut all = actors.iter();
        all.any(|a| a.actor == *party && a.state.holds_back(a.kind))
    };
    let left_out = former.iter().find(|(party, tier)| {
        *tier != Tier::Withdrawn
            && !facts.audiences.iter().any(|a| a.party == *party)
            && !holds_back(party)
    });
    match left_out {
        None => Ok(()),
        Some((party, _)) => Err(Problem::new(ProblemKind::MissingPart)
            .detail(format!(
                "{party} was told of an earlier revision; name it again, or with the tier withdrawn"
            ))
            .pointer(format!("/{}", name::audience(party)))),
    }
}

/// Nothing new is handed to a party that is suspended or has left, so nothing new names it.
fn check_takes_new(party: Option<&ActorRow>, named: &ActorId) -> Result<(), Problem> {
    let kind = match party.map(|p| p.state) {
        Some(ActorState::Suspended) => ProblemKind::PartySuspended,
        Some(ActorState::Left) => ProblemKind::PartyLeft,
        _ => return Ok(()),
    };
    Err(Problem::new(kind)
        .detail(named.to_string())
        .pointer(format!("/{}", name::audience(named))))
}

/// `contact` is sealed to the coordinator and to every party that may see the exact place, and to nobody else.
fn check_readers(
    prepared: &Prepared,
    facts: &PlaceFacts,
    actors: &[ActorRow],
) -> Result<(), Problem> {
    let contact = prepared.records.iter().filter(|r| r.part == name::CONTACT);
    let sealed: Vec<Kid> = contact.filter_map(|r| r.reader).collect();
    if sealed.is_empty() {
        return Ok(());
    }
    let entitled = actors.iter().filter(|actor| {
        actor.kind == ActorKind::Coordinator
            || facts
                .audiences
                .iter()
                .any(|a| a.party == actor.actor && matches!(a.tier, Tier::Exact | Tier::OnCheck))
    });
    let mut wanted = Vec::new();
    for actor in entitled {
        // Nothing is sealed to a desk whose root nobody has compared.
        let sealed_to = actor.kind == ActorKind::Coordinator || actor.has_admitted_desk();
        let Some(key) = actor.desk_key.as_ref().filter(|_| sealed_to) else {
            continue;
        };
        let kid = SealPublicKey::from_bytes(key)
            .map_err(|_| internal("a stored desk key is no key"))?
            .kid();
        if !sealed.contains(&kid) {
            return Err(Problem::new(ProblemKind::MissingSeal).detail(format!(
                "the part contact is not sealed to the current key of {}",
                actor.actor
            )));
        }
        wanted.push(kid);
    }
    if sealed.iter().all(|kid| wanted.contains(kid)) {
        return Ok(());
    }
    Err(Problem::new(ProblemKind::UnknownReader)
        .detail("the part contact is sealed to a key that is neither the coordinator's nor that of a party chosen with exact or on_check"))
}

/// What the sender should know, though nothing is refused for it.
fn remarks(
    batch: &Batch<'_>,
    claims: &Revised,
    facts: &PlaceFacts,
    policy: &Policy,
) -> Vec<String> {
    let lead_h = match (claims.emergency, claims.subject) {
        (true, _) => policy.lead_time_h.emergency,
        (false, Subject::Site) => policy.lead_time_h.site,
        (false, Subject::Movement) => policy.lead_time_h.movement,
    };
    let mut out = Vec::new();
    if facts
        .begins
        .is_some_and(|begins| begins < batch.at + Duration::hours(i64::from(lead_h)))
    {
        out.push(format!(
            "It begins in less than the {} that the coordinator asks for. It is stored and passed on all the same; call the coordinator.",
            count(lead_h, "hour")
        ));
    }
    if facts.audiences.iter().all(|a| a.tier == Tier::Withdrawn) {
        out.push("No party is told of it: it counts in nobody's checks.".to_owned());
    }
    out
}

/// Takes a withdrawal.
pub(super) async fn withdraw(
    batch: &mut Batch<'_>,
    incoming: &Incoming<'_>,
    claims: &WithdrawClaims,
) -> Result<Stored, Fault> {
    end(
        batch,
        incoming,
        (claims.nid, claims.rev, claims.prev),
        (Kind::Withdraw, NotificationEvent::Withdraw),
    )
    .await
}

/// Takes a closing.
pub(super) async fn close(
    batch: &mut Batch<'_>,
    incoming: &Incoming<'_>,
    claims: &CloseClaims,
) -> Result<Stored, Fault> {
    let current = notifications::current(batch.conn, batch.ctx(), claims.nid)
        .await?
        .ok_or(ProblemKind::UnknownNotification)?;
    if claims.outcome == Outcome::Arrived
        && current.subject == Subject::Site
        && current.org == *incoming.prepared.speaks_for()
    {
        return Err(Problem::new(ProblemKind::StateForbids)
            .detail("a site does not arrive; close it as completed")
            .into());
    }
    end(
        batch,
        incoming,
        (claims.nid, claims.rev, claims.prev),
        (Kind::Close, NotificationEvent::Close),
    )
    .await
}

async fn end(
    batch: &mut Batch<'_>,
    incoming: &Incoming<'_>,
    (nid, rev, prev): (Nid, Revision, Digest),
    (kind, event): (Kind, NotificationEvent),
) -> Result<Stored, Fault> {
    let prepared = incoming.prepared;
    let current = notifications::current(batch.conn, batch.ctx(), nid)
        .await?
        .ok_or(ProblemKind::UnknownNotification)?;
    let state = follows_current(prepared, (nid, rev, Some(prev)), &current, event)?;
    let parties = notifications::parties(batch.conn, nid).await?;
    let mut desks = vec![prepared.speaks_for().clone()];
    desks.extend(actors::coordinators(batch.conn, &prepared.common.ctx).await?);
    let before_parties = desks.len();
    desks.extend(parties.iter().map(|(party, _)| party.clone()));
    let stored = apply::store(batch, incoming, &desks).await?;
    let new = NewRevision {
        nid,
        rev,
        ctx: &prepared.common.ctx,
        org: prepared.speaks_for(),
        pos: stored.pos,
        hash: prepared.hash,
        kind,
        device: prepared.device_id()?,
        emergency: false,
        on_behalf: prepared.claims.on_behalf().is_some(),
        window_over: false,
        screening: ScreeningState::NotRequired,
        cosign: SecondSignature::NotRequired,
        at: batch.at,
    };
    notifications::insert_revision(batch.conn, &new, current.subject, state).await?;
    let seqs = stored.seqs.get(before_parties..).unwrap_or_default();
    let chosen: Vec<Chosen> = parties
        .into_iter()
        .zip(seqs)
        .map(|((party, _), seq)| Chosen {
            party,
            tier: Tier::Withdrawn,
            seq: *seq,
            counts: false,
        })
        .collect();
    notifications::insert_audience(batch.conn, &new, &chosen).await?;
    notifications::stop_counting(batch.conn, nid, rev, None).await?;
    Ok(stored)
}

/// Takes a second person's signature.
pub(super) async fn cosign(
    batch: &mut Batch<'_>,
    incoming: &Incoming<'_>,
    claims: &CosignClaims,
) -> Result<Stored, Fault> {
    let prepared = incoming.prepared;
    let revision = notifications::revision(batch.conn, batch.ctx(), claims.nid, claims.rev).await?;
    let revision = revision
        .filter(|r| r.org == *prepared.actor() && r.hash == claims.of)
        .ok_or(ProblemKind::UnknownNotification)?;
    REVISION.next(Some(revision.standing(claims.rev)), RevisionEvent::Cosign)?;
    if revision.on_behalf {
        return take_over(batch, incoming, claims, &revision).await;
    }
    let signed = SIGNATURE
        .next(Some(revision.cosign), SignatureEvent::Sign)
        .map_err(|refusal| Problem::from(refusal).detail("no second signature is waited for"))?;
    let signer = prepared.device()?;
    let (ctx, actor) = (&signer.ctx, &signer.actor);
    let first = devices::get(batch.conn, ctx, actor, &revision.device).await?;
    let second = devices::get(batch.conn, ctx, actor, &signer.device).await?;
    let (Some(first), Some(second)) = (first, second) else {
        return Err(ProblemKind::Internal.into());
    };
    if first.device == second.device || person(batch, &first)? == person(batch, &second)? {
        return Err(Problem::new(ProblemKind::NotAllowed)
            .detail("the second signature must be another person's")
            .into());
    }
    let mut desks = vec![prepared.actor().clone()];
    desks.extend(actors::coordinators(batch.conn, &prepared.common.ctx).await?);
    desks.extend(told(batch, claims.nid).await?);
    let stored = apply::store(batch, incoming, &desks).await?;
    notifications::set_cosign(batch.conn, claims.nid, claims.rev, signed.to).await?;
    mailbox::retire_superseded(batch.conn, &[claims.nid], None).await?;
    Ok(stored)
}

/// The organisation signs what the coordinator notified on its behalf: from then on it is its own word. Where a second
/// signature is asked for, another person's is still waited for.
async fn take_over(
    batch: &mut Batch<'_>,
    incoming: &Incoming<'_>,
    claims: &CosignClaims,
    revision: &RevisionRow,
) -> Result<Stored, Fault> {
    let taken = SIGNATURE.next(Some(revision.cosign), SignatureEvent::TakeOver)?;
    let mut desks = vec![revision.org.clone()];
    desks.extend(actors::coordinators(batch.conn, &incoming.prepared.common.ctx).await?);
    desks.extend(told(batch, claims.nid).await?);
    let stored = apply::store(batch, incoming, &desks).await?;
    let device = incoming.prepared.device_id()?;
    notifications::set_taken_over(batch.conn, claims.nid, claims.rev, device).await?;
    notifications::set_cosign(batch.conn, claims.nid, claims.rev, taken.to).await?;
    Ok(stored)
}

/// A revision of the signer's own, named by its hash, on which this can be said where it stands.
pub(super) async fn own_revision(
    batch: &mut Batch<'_>,
    incoming: &Incoming<'_>,
    (nid, rev, of): (Nid, Revision, Digest),
    event: RevisionEvent,
) -> Result<RevisionRow, Fault> {
    let revision = notifications::revision(batch.conn, batch.ctx(), nid, rev).await?;
    // Nobody learns from a refusal that another's notification exists.
    let revision = revision
        .filter(|r| r.org == *incoming.prepared.speaks_for() && r.hash == of)
        .ok_or(ProblemKind::UnknownNotification)?;
    REVISION.next(Some(revision.standing(rev)), event)?;
    check_still_on_behalf(incoming.prepared, revision.on_behalf)?;
    Ok(revision)
}

/// The coordinator speaks for an organisation only of what it notified for it, and until the organisation signs itself.
pub(super) fn check_still_on_behalf(prepared: &Prepared, on_behalf: bool) -> Result<(), Problem> {
    if prepared.claims.on_behalf().is_none() || on_behalf {
        return Ok(());
    }
    Err(Problem::new(ProblemKind::StateForbids)
        .detail("the organisation has signed this notification itself; it speaks for itself")
        .pointer("/on_behalf"))
}

/// The parties that are told of a notification now.
pub(super) async fn told(batch: &mut Batch<'_>, nid: Nid) -> Result<Vec<ActorId>, Fault> {
    let parties = notifications::parties(batch.conn, nid).await?;
    Ok(parties
        .into_iter()
        .filter(|(_, tier)| *tier != Tier::Withdrawn)
        .map(|(party, _)| party)
        .collect())
}

/// The name of a device's person, folded for comparison. It goes nowhere.
fn person(batch: &Batch<'_>, device: &devices::DeviceRow) -> Result<String, Problem> {
    let at = Record::device_person(&device.actor, &device.device);
    let name = batch
        .core
        .keyring
        .open_record(&at.at(), &device.person)
        .map_err(|error| keyring(&error))?;
    Ok(String::from_utf8_lossy(&name).trim().to_lowercase())
}
