//! What the coordinator relayed to a party by other means. It says what stood in the package and how much of each
//! notification it disclosed; it moves nothing, stands for no acknowledgement, and no party is counted as reached by it.

use std::collections::BTreeSet;

use super::apply::{self, Incoming, Stored};
use super::batch::{Batch, Fault};
use super::open::OpenedParts;
use super::prepare::Facts;
use crate::domain::ack::MAX_ITEMS;
use crate::domain::actor::ActorKind;
use crate::domain::exchange::RELAY_SENTENCE;
use crate::domain::ids::{ActorId, Nid, Revision};
use crate::domain::notification::{NotificationState, Tier};
use crate::service::core::internal;
use crate::store::actors;
use crate::store::notifications::{self, Acknowledged};
use crate::store::relay::{self as store, NewRelay};
use crate::wire::claims::{About, RelayClaims};
use crate::wire::object::MAX_TEXT;
use crate::wire::parts::name;
use crate::wire::problem::{Problem, ProblemKind};
use crate::wire::relay::{MAX_FILES, RelayDetail};

/// Judges what can be judged without the state.
pub(super) fn read(claims: &RelayClaims, opened: &OpenedParts) -> Result<Facts, Problem> {
    let wrong = |pointer: String, what: String| {
        Err(Problem::new(ProblemKind::InvalidMember)
            .detail(what)
            .pointer(pointer))
    };
    if claims.items.is_empty() || claims.items.len() > MAX_ITEMS {
        return wrong("/items".to_owned(), format!("1 to {MAX_ITEMS} items"));
    }
    let mut seen = BTreeSet::new();
    if let Some(index) = claims.items.iter().position(|item| !seen.insert(item.nid)) {
        let what = "one item for each notification".to_owned();
        return wrong(format!("/items/{index}/nid"), what);
    }
    let detail: RelayDetail = opened.required(name::DETAIL)?;
    let same = claims.items.iter().map(|item| item.nid);
    if !same.eq(detail.items.iter().map(|item| item.nid)) {
        let what = "what was disclosed of each of the items, in their order".to_owned();
        return wrong("/detail/items".to_owned(), what);
    }
    let named = |text: &str| !text.trim().is_empty() && text.chars().count() <= MAX_TEXT;
    if !named(&detail.recipient) {
        return wrong("/detail/recipient".to_owned(), "to whom it went".to_owned());
    }
    if !named(&detail.officer.name) {
        let what = "the officer who relayed it".to_owned();
        return wrong("/detail/officer/name".to_owned(), what);
    }
    if !(1..=MAX_FILES).contains(&detail.files.len()) {
        return wrong(
            "/detail/files".to_owned(),
            format!("1 to {MAX_FILES} files"),
        );
    }
    if let Some(index) = detail.files.iter().position(|file| !named(&file.name)) {
        let what = "the file's name".to_owned();
        return wrong(format!("/detail/files/{index}/name"), what);
    }
    if detail.says != RELAY_SENTENCE {
        let what = format!("every relay says: {RELAY_SENTENCE}");
        return wrong("/detail/says".to_owned(), what);
    }
    Ok(Facts::Relay(Box::new(detail)))
}

/// Takes the coordinator's word on a package.
pub(super) async fn take(
    batch: &mut Batch<'_>,
    incoming: &Incoming<'_>,
    claims: &RelayClaims,
) -> Result<Stored, Fault> {
    let detail = match &incoming.prepared.facts {
        Facts::Relay(detail) => Some(detail),
        Facts::Destroyed => None,
        _ => return Err(internal("a relay without its facts").into()),
    };
    let ctx = incoming.prepared.common.ctx.clone();
    let has_device = has_device(batch, incoming, &claims.party, "/party").await?;
    let asked: Vec<_> = claims.items.iter().map(|i| (i.nid, i.rev)).collect();
    let found = notifications::acknowledged(batch.conn, &ctx, &claims.party, &asked).await?;
    for (index, (item, found)) in claims.items.iter().zip(&found).enumerate() {
        let found = notified(batch, &claims.to, item, found.as_ref(), index).await?;
        if found.latest != item.rev {
            return Err(Problem::new(ProblemKind::Superseded)
                .pointer(format!("/items/{index}/rev"))
                .into());
        }
        // What was closed by time has no revision that says so.
        let tier = match found.state {
            NotificationState::Current => found.tier,
            NotificationState::Withdrawn | NotificationState::Closed => Tier::Withdrawn,
        };
        let differs = |detail: &RelayDetail| {
            let said = detail.items.get(index);
            said.is_none_or(|d| d.tier != tier)
        };
        if detail.is_some_and(|detail| differs(detail)) {
            return Err(Problem::new(ProblemKind::TierMismatch)
                .pointer(format!("/detail/items/{index}/tier"))
                .into());
        }
    }
    let mut desks = vec![claims.to.clone()];
    desks.extend(actors::coordinators(batch.conn, &ctx).await?);
    let mut stored = apply::store(batch, incoming, &desks).await?;
    let new = NewRelay {
        pos: stored.pos,
        ctx: &ctx,
        party: &claims.party,
        org: &claims.to,
        at: batch.at,
        items: &asked,
    };
    store::insert(batch.conn, &new).await?;
    if has_device {
        stored.remarks.push(format!(
            "{} has a device: what it takes from its mailbox and signs counts, this package does not.",
            claims.party
        ));
    }
    Ok(stored)
}

/// Whether a party has a desk that the coordinator has admitted.
///
/// # Errors
/// `unknown-party` when there is no such party.
pub(super) async fn has_device(
    batch: &mut Batch<'_>,
    incoming: &Incoming<'_>,
    party: &ActorId,
    pointer: &str,
) -> Result<bool, Fault> {
    let ctx = &incoming.prepared.common.ctx;
    let actors = batch.standing.actors(batch.conn, ctx).await?;
    let known = actors
        .iter()
        .find(|a| a.actor == *party && a.kind == ActorKind::Party);
    let known = known.ok_or_else(|| {
        Problem::new(ProblemKind::UnknownParty)
            .detail("no such party in this context; an invite names it, whether it is used or not")
            .pointer(pointer)
    })?;
    Ok(known.has_admitted_desk())
}

/// The revision that an item names: this organisation's, and notified to the party.
///
/// # Errors
/// `unknown-item` when there is no such revision, `not-notified-to-party` when it does not name the party.
pub(super) async fn notified<'a>(
    batch: &mut Batch<'_>,
    org: &ActorId,
    item: &About,
    found: Option<&'a Acknowledged>,
    index: usize,
) -> Result<&'a Acknowledged, Fault> {
    if let Some(found) = found.filter(|f| f.org == *org && f.hash == item.of) {
        return Ok(found);
    }
    let kind = if exists(batch, org, (item.nid, item.rev), item).await? {
        Problem::new(ProblemKind::NotNotifiedToParty)
    } else {
        Problem::new(ProblemKind::UnknownItem)
            .detail("no revision of this organisation has this id, number and hash in this context")
    };
    Err(kind.pointer(format!("/items/{index}")).into())
}

async fn exists(
    batch: &mut Batch<'_>,
    org: &ActorId,
    (nid, rev): (Nid, Revision),
    item: &About,
) -> Result<bool, Fault> {
    let revision = notifications::revision(batch.conn, batch.ctx(), nid, rev).await?;
    Ok(revision.is_some_and(|r| r.org == *org && r.hash == item.of))
}
