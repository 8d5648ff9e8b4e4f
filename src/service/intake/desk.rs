//! The coordinator's own words: policy, admission, invitations, screening; and every actor's duty number.

use super::apply::{self, Incoming, Stored};
use super::batch::{Batch, Fault};
use super::confirm;
use super::notification::told;
use super::open::OpenedParts;
use super::prepare::Facts;
use crate::crypto::digest::Kid;
use crate::crypto::keys::VerifyingKey;
use crate::domain::actor::ActorKind;
use crate::domain::clock;
use crate::domain::exchange::{DISTRESS_STEPS, MAX_REPLY_WITHIN_H};
use crate::domain::kind::Kind;
use crate::domain::machine::{
    ACTOR, ActorEvent, REVISION, RevisionEvent, SCREENING, ScreeningEvent,
};
use crate::domain::notification::{ScreeningState, Tier};
use crate::domain::phone;
use crate::service::core::internal;
use crate::service::records::Record;
use crate::spatial::parse::Country;
use crate::store::{actors, invites, mailbox, notifications};
use crate::wire::claims::{DutyClaims, InviteClaims, PolicyClaims, ScreenClaims, ScreenResult};
use crate::wire::fields;
use crate::wire::object::{MAX_BUFFER_M, MAX_TEXT};
use crate::wire::parts::{InvitedPerson, Reasons, name};
use crate::wire::policy::{MAX_RETENTION_MONTHS, Number, Policy};
use crate::wire::problem::{Problem, ProblemKind};

/// How long an invite is good, seconds.
pub(super) const INVITE_S: i64 = 7 * 86_400;
/// The name that the deployment itself bears.
const RESERVED: &str = "server";
/// The longest freshness of a check that a policy may set, seconds.
const MAX_CHECK_FRESHNESS_S: u32 = 600;
/// How far ahead of the clock a policy may let statements be, seconds.
const MAX_AHEAD_S: u32 = 900;
/// The longest freshness of other statements, seconds.
const MAX_FRESHNESS_S: u32 = 30 * 86_400;

/// Numbers that a policy may name to be called while nobody answers a call for help: one for each step.
const MAX_ESCALATION: usize = DISTRESS_STEPS as usize;

/// Takes a policy.
pub(super) async fn policy(
    batch: &mut Batch<'_>,
    incoming: &Incoming<'_>,
    claims: &PolicyClaims,
) -> Result<Stored, Fault> {
    check_policy(&claims.policy)?;
    let ctx = &incoming.prepared.common.ctx;
    let version = actors::policy_version(batch.conn, ctx).await?;
    if claims.version != version + 1 {
        return Err(Problem::new(ProblemKind::PrevMismatch)
            .detail(format!("the policy in force has version {version}"))
            .pointer("/version")
            .into());
    }
    let desks = actors::desks(batch.conn, ctx).await?;
    let stored = apply::store(batch, incoming, &desks).await?;
    actors::set_policy(batch.conn, ctx, &claims.policy, claims.version, stored.pos).await?;
    let (before, now) = (incoming.policy.reconfirm_days, claims.policy.reconfirm_days);
    // Who is given longer, or is asked for nothing more, is found out when the old moment comes.
    if now > 0 && (before == 0 || now < before) {
        confirm::ask_sooner(batch, &claims.policy).await?;
    }
    Ok(stored)
}

fn check_policy(policy: &Policy) -> Result<(), Problem> {
    let refuse = |pointer: &str, detail: String| {
        Err(Problem::new(ProblemKind::InvalidMember)
            .detail(detail)
            .pointer(format!("/policy{pointer}")))
    };
    if let Some((category, _)) = policy
        .buffers_m
        .iter()
        .find(|(_, m)| !(0.0..=MAX_BUFFER_M).contains(*m))
    {
        return refuse(
            &format!("/buffers_m/{category}"),
            format!("a buffer from 0 to {MAX_BUFFER_M} metres"),
        );
    }
    if policy.tiers.is_empty() || policy.tiers.contains(&Tier::Withdrawn) {
        return refuse(
            "/tiers",
            "one or more of exact, on_check and cell".to_owned(),
        );
    }
    let f = &policy.freshness_s;
    if f.check == 0 || f.check > MAX_CHECK_FRESHNESS_S {
        return refuse(
            "/freshness_s/check",
            format!("1 to {MAX_CHECK_FRESHNESS_S} seconds"),
        );
    }
    if f.ahead > MAX_AHEAD_S {
        return refuse(
            "/freshness_s/ahead",
            format!("at most {MAX_AHEAD_S} seconds"),
        );
    }
    if f.statement < 3_600 || f.statement > MAX_FRESHNESS_S {
        return refuse(
            "/freshness_s/statement",
            format!("3600 to {MAX_FRESHNESS_S} seconds"),
        );
    }
    if !(1..=MAX_REPLY_WITHIN_H).contains(&policy.reply_within_h) {
        return refuse(
            "/reply_within_h",
            format!("1 to {MAX_REPLY_WITHIN_H} hours"),
        );
    }
    if policy.close_days == 0 {
        return refuse("/close_days", "at least 1 day".to_owned());
    }
    if !(1..=MAX_RETENTION_MONTHS).contains(&policy.retention_months) {
        return refuse(
            "/retention_months",
            format!("1 to {MAX_RETENTION_MONTHS} months"),
        );
    }
    if policy
        .country
        .as_ref()
        .is_some_and(|c| Country::from_code(c).is_none_or(|known| known.alpha3() != c))
    {
        return refuse(
            "/country",
            "an ISO 3166-1 alpha-3 code, for example YEM".to_owned(),
        );
    }
    match &policy.call {
        Some(call) if phone::dialled(call).is_none() => refuse("/call", phone::FORM.to_owned()),
        _ => check_escalation(&policy.escalation),
    }
}

fn check_escalation(numbers: &[Number]) -> Result<(), Problem> {
    let refuse = |pointer: String, detail: String| {
        Err(Problem::new(ProblemKind::InvalidMember)
            .detail(detail)
            .pointer(format!("/policy/escalation{pointer}")))
    };
    if numbers.len() > MAX_ESCALATION {
        return refuse(String::new(), format!("at most {MAX_ESCALATION} numbers"));
    }
    for (index, number) in numbers.iter().enumerate() {
        if number.name.trim().is_empty() || number.name.chars().count() > MAX_TEXT {
            return refuse(format!("/{index}/name"), "whose number it is".to_owned());
        }
        if phone::dialled(&number.phone).is_none() {
            return refuse(format!("/{index}/phone"), phone::FORM.to_owned());
        }
    }
    Ok(())
}

/// The thumbprint of a stored root.
pub(in crate::service) fn root_kid(root: &[u8]) -> Result<Kid, Problem> {
    let bytes: [u8; 32] = root
        .try_into()
        .map_err(|_| internal("a stored root has the wrong length"))?;
    Ok(VerifyingKey::from_bytes(bytes)
        .map_err(|_| internal("a stored root is no key"))?
        .kid())
}

pub(super) fn check_name(text: &str) -> Result<(), Problem> {
    let length = text.trim().chars().count();
    if length == 0 || length > MAX_TEXT {
        return Err(Problem::new(ProblemKind::InvalidMember)
            .detail(format!("a name of 1 to {MAX_TEXT} characters"))
            .pointer("/name"));
    }
    Ok(())
}

/// The person of an invite.
pub(super) fn person(opened: &OpenedParts) -> Result<String, Problem> {
    let person: InvitedPerson = opened.required(name::PERSON)?;
    let length = person.name.trim().chars().count();
    if length == 0 || length > MAX_TEXT {
        return Err(Problem::new(ProblemKind::InvalidMember)
            .detail("the name of a person")
            .pointer("/person/name"));
    }
    Ok(person.name)
}

/// Takes an invitation.
pub(super) async fn invite(
    batch: &mut Batch<'_>,
    incoming: &Incoming<'_>,
    claims: &InviteClaims,
) -> Result<Stored, Fault> {
    let person = match &incoming.prepared.facts {
        Facts::Person(person) => person.as_str(),
        Facts::Destroyed => "",
        _ => return Err(internal("an invite without its person").into()),
    };
    let ctx = &incoming.prepared.common.ctx;
    let now = batch.at.unix_timestamp();
    if claims.exp <= now || claims.exp > incoming.prepared.common.iat + INVITE_S {
        return Err(Problem::new(ProblemKind::InvalidMember)
            .detail("an invite ends within seven days of its signature")
            .pointer("/exp")
            .into());
    }
    let kind_fits = claims.role.actor_kind() == claims.kind
        && claims.kind != ActorKind::Server
        && claims.actor.as_str() != RESERVED;
    if !kind_fits {
        return Err(Problem::new(ProblemKind::InvalidMember)
            .detail("this role does not belong to this kind of actor")
            .pointer("/role")
            .into());
    }
    check_name(&claims.name)?;
    let known = actors::get(batch.conn, ctx, &claims.actor).await?;
    if known.as_ref().is_some_and(|a| a.kind != claims.kind) {
        return Err(Problem::new(ProblemKind::InvalidMember)
            .detail("an actor of this name exists and is something else")
            .pointer("/kind")
            .into());
    }
    ACTOR
        .next(known.map(|a| a.state), ActorEvent::Invite)
        .map_err(|refusal| super::admission::refusal(refusal).pointer("/actor"))?;
    if claims.kind == ActorKind::Coordinator && claims.actor != *incoming.prepared.actor() {
        return Err(Problem::new(ProblemKind::NotAllowed)
            .detail("a context has one coordinator; invite its further people")
            .pointer("/actor")
            .into());
    }
    if invites::exists(batch.conn, &claims.code).await? {
        return Err(Problem::new(ProblemKind::InvalidMember)
            .detail("this code was used before; make a new one")
            .pointer("/code")
            .into());
    }
    let month = batch.core.month()?;
    let sealed = batch.core.seal_record(
        &Record::invite_person(&claims.actor, &claims.code).at(),
        month,
        person.as_bytes(),
    )?;
    let stored = apply::store(batch, incoming, &[]).await?;
    actors::ensure(batch.conn, ctx, &claims.actor, claims.kind, &claims.name).await?;
    let until = clock::from_micros(claims.exp.saturating_mul(1_000_000));
    invites::insert(
        batch.conn,
        &claims.code,
        ctx,
        &claims.actor,
        claims.role,
        &sealed,
        month,
        until,
    )
    .await?;
    Ok(stored)
}

/// Takes a duty number.
pub(super) async fn duty(
    batch: &mut Batch<'_>,
    incoming: &Incoming<'_>,
    claims: &DutyClaims,
) -> Result<Stored, Fault> {
    if phone::dialled(&claims.phone).is_none() {
        return Err(Problem::new(ProblemKind::InvalidMember)
            .detail(phone::FORM)
            .pointer("/phone")
            .into());
    }
    let stored = apply::store(batch, incoming, &[]).await?;
    actors::set_duty(
        batch.conn,
        &incoming.prepared.common.ctx,
        incoming.prepared.actor(),
        &claims.phone,
    )
    .await?;
    Ok(stored)
}

/// A returned revision says what to mend.
pub(super) fn check_screen(claims: &ScreenClaims, opened: &OpenedParts) -> Result<(), Problem> {
    let reasons: Option<Reasons> = opened.typed(name::REASONS)?;
    match (claims.result, reasons) {
        (ScreenResult::Returned, Some(reasons)) if reasons.reasons.is_empty() => {
            Err(Problem::new(ProblemKind::InvalidMember)
                .detail("say what to mend")
                .pointer("/reasons/reasons"))
        }
        (ScreenResult::Returned, Some(reasons)) => check_fields(&reasons),
        (ScreenResult::Returned, None) => Err(Problem::new(ProblemKind::MissingPart)
            .detail("a returned revision needs the part reasons")),
        (ScreenResult::Screened, _) if claims.checked.is_empty() => {
            Err(Problem::new(ProblemKind::InvalidMember)
                .detail("say what was checked")
                .pointer("/checked"))
        }
        _ => Ok(()),
    }
}

/// A reason names a field that a place may have, or none.
fn check_fields(reasons: &Reasons) -> Result<(), Problem> {
    let pointers = reasons.reasons.iter().map(|reason| &reason.pointer);
    for (index, pointer) in pointers.enumerate() {
        if pointer.as_deref().is_some_and(|p| !fields::is_field(p)) {
            return Err(fields::unknown().pointer(format!("/reasons/reasons/{index}/pointer")));
        }
    }
    Ok(())
}

/// Takes the coordinator's word on a revision.
pub(super) async fn screen(
    batch: &mut Batch<'_>,
    incoming: &Incoming<'_>,
    claims: &ScreenClaims,
) -> Result<Stored, Fault> {
    let ctx = &incoming.prepared.common.ctx;
    let revision = notifications::revision(batch.conn, ctx, claims.nid, claims.rev).await?;
    let revision = revision.filter(|r| matches!(r.kind, Kind::Site | Kind::Movement));
    let revision = revision.ok_or(ProblemKind::UnknownNotification)?;
    if revision.hash != claims.of {
        return Err(Problem::new(ProblemKind::RevisionNotCurrent)
            .detail("the hash is not that of this revision")
            .pointer("/of")
            .into());
    }
    REVISION.next(Some(revision.standing(claims.rev)), RevisionEvent::Screen)?;
    let event = match claims.result {
        ScreenResult::Screened => ScreeningEvent::Screen,
        ScreenResult::Returned => ScreeningEvent::Return,
    };
    let state = SCREENING.next(Some(revision.screening), event)?.to;
    let mut checked: Vec<&str> = claims.checked.iter().map(|c| c.as_str()).collect();
    if state == ScreeningState::Screened && revision.screening == state {
        let before = &revision.checked;
        if checked.iter().all(|one| before.iter().any(|b| b == one)) {
            return Err(ProblemKind::AlreadyScreened.into());
        }
        checked.extend(before.iter().map(String::as_str));
        checked.sort_unstable();
        checked.dedup();
    }
    let mut desks = vec![revision.org.clone()];
    desks.extend(told(batch, claims.nid).await?);
    let stored = apply::store(batch, incoming, &desks).await?;
    notifications::set_screening(batch.conn, claims.nid, claims.rev, state, &checked).await?;
    mailbox::retire_superseded(batch.conn, &[claims.nid], None).await?;
    Ok(stored)
}
