//! Acknowledgements: a party's signed word on revisions that were delivered to it. Positions as entered are compared
//! with the place as notified, and both sides are told when they lie apart.

use std::collections::{BTreeMap, BTreeSet};

use time::Date;
use time::format_description::well_known::Iso8601;

use super::apply::{self, Incoming, Stored};
use super::arrivals::{self, Judged, Waiting};
use super::batch::{Batch, Fault};
use super::delivered;
use super::letter;
use super::open::{self, OpenedParts};
use super::own;
use super::prepare::Facts;
use super::{relay, thread};
use crate::crypto::keyring::destroyed_with;
use crate::domain::ack::{AckState, ENTERED_TOLERANCE_M, MAX_ITEMS};
use crate::domain::exchange::ThreadKind;
use crate::domain::ids::{ActorId, Nid};
use crate::domain::kind::Kind;
use crate::domain::notification::{Subject, Tier};
use crate::service::core::internal;
use crate::spatial::{Area, Position, Presence, Window, proximity};
use crate::store::blobs;
use crate::store::notifications::{self, Acknowledged, NewAck, NewAckItem};
use crate::wire::claims::{About, AckClaims, AckItem, NoticeClaims, NoticeCode};
use crate::wire::object::{MAX_TEXT, Object, Shape};
use crate::wire::parts::{AckDetail, AckItemDetail, Blobs, NamedBlob, NoticeDetail, Place, name};
use crate::wire::policy::Policy;
use crate::wire::problem::{Problem, ProblemKind};

/// The parts of an acknowledgement.
pub(super) struct AckFacts {
    /// What is said beside the states.
    pub detail: Option<AckDetail>,
    /// The content of the letter that it was transcribed from.
    pub blobs: Vec<NamedBlob>,
    /// Which notifications it was said of that they were entered elsewhere, where that cannot be compared any more.
    pub elsewhere: Option<BTreeSet<Nid>>,
}

/// Judges what can be judged without the state.
pub(super) fn read(claims: &AckClaims, opened: &OpenedParts) -> Result<AckFacts, Problem> {
    if claims.items.is_empty() || claims.items.len() > MAX_ITEMS {
        return Err(Problem::new(ProblemKind::InvalidMember)
            .detail(format!("1 to {MAX_ITEMS} items"))
            .pointer("/items"));
    }
    let mut seen = BTreeMap::new();
    for (index, item) in claims.items.iter().enumerate() {
        if seen.insert(item.nid, index).is_some() {
            return Err(Problem::new(ProblemKind::InvalidMember)
                .detail("one item for each notification")
                .pointer(format!("/items/{index}/nid")));
        }
    }
    let detail: Option<AckDetail> = opened.typed(name::DETAIL)?;
    if claims.items.iter().any(|i| i.state.needs_officer())
        && detail.as_ref().is_none_or(|d| d.officer.is_none())
    {
        return Err(Problem::new(ProblemKind::MissingPart)
            .detail("all but reached_desk name the officer who says it, in the part detail")
            .pointer("/detail/officer"));
    }
    if let Some(detail) = &detail {
        check_detail(claims, detail, &seen)?;
    }
    for (index, item) in claims.items.iter().enumerate() {
        check_item(index, item, detail.as_ref())?;
    }
    check_transcribed(claims, detail.as_ref())?;
    let blobs: Option<Blobs> = opened.typed(name::BLOBS)?;
    Ok(AckFacts {
        detail,
        blobs: blobs.map_or_else(Vec::new, |named| named.blobs),
        elsewhere: None,
    })
}

/// A letter is an officer's word, and bears a date; a device's word comes from no letter.
fn check_transcribed(claims: &AckClaims, detail: Option<&AckDetail>) -> Result<(), Problem> {
    let dated = detail.and_then(|d| d.dated.as_deref());
    if claims.on_behalf.is_none() {
        return match dated {
            None => Ok(()),
            Some(_) => Err(Problem::new(ProblemKind::LetterUnexpected).pointer("/detail/dated")),
        };
    }
    let by_device = |item: &AckItem| item.state == AckState::ReachedDesk;
    if let Some(index) = claims.items.iter().position(by_device) {
        return Err(Problem::new(ProblemKind::InvalidMember)
            .detail("reached_desk is a device's word: no letter says it")
            .pointer(format!("/items/{index}/state")));
    }
    let known = Iso8601::DATE;
    if dated.is_some_and(|text| text.len() != 10 || Date::parse(text, &known).is_err()) {
        return Err(Problem::new(ProblemKind::InvalidMember)
            .detail("the date on the letter, as YYYY-MM-DD")
            .pointer("/detail/dated"));
    }
    Ok(())
}

fn check_detail(
    claims: &AckClaims,
    detail: &AckDetail,
    seen: &BTreeMap<Nid, usize>,
) -> Result<(), Problem> {
    if detail.items.len() > claims.items.len() {
        return Err(Problem::new(ProblemKind::InvalidMember)
            .detail("more details than items")
            .pointer("/detail/items"));
    }
    if detail
        .officer
        .as_ref()
        .is_some_and(|o| o.name.trim().is_empty() || o.name.chars().count() > MAX_TEXT)
    {
        return Err(Problem::new(ProblemKind::InvalidMember)
            .detail("the officer's name")
            .pointer("/detail/officer/name"));
    }
    let mut named = BTreeSet::new();
    for (index, item) in detail.items.iter().enumerate() {
        if !seen.contains_key(&item.nid) || !named.insert(item.nid) {
            return Err(Problem::new(ProblemKind::InvalidMember)
                .detail("a detail belongs to one of the items, and each has one")
                .pointer(format!("/detail/items/{index}/nid")));
        }
    }
    Ok(())
}

fn check_item(index: usize, item: &AckItem, detail: Option<&AckDetail>) -> Result<(), Problem> {
    let own = detail_of(detail, item.nid);
    let missing = match item.state {
        AckState::Entered => own
            .is_none_or(|d| d.entered.is_none())
            .then_some("entered: the list, and the position as entered there"),
        AckState::NotEntered => own
            .is_none_or(|d| d.reason.is_none())
            .then_some("reason: why it was not entered"),
        AckState::Queried => own
            .is_none_or(|d| d.question.is_none())
            .then_some("question: what is asked"),
        AckState::ReachedDesk | AckState::Received | AckState::Removed => None,
    };
    if let Some(missing) = missing {
        return Err(Problem::new(ProblemKind::MissingMember)
            .detail(missing)
            .pointer(format!("/items/{index}")));
    }
    thread::check_query(index, item, own)?;
    let position = own
        .and_then(|d| d.entered.as_ref())
        .and_then(|e| e.position);
    if position.is_some_and(|[lon, lat]| Position::new(lon, lat).is_err()) {
        return Err(Problem::new(ProblemKind::GeometryOutOfRange)
            .detail("the position as entered; give longitude, then latitude")
            .pointer(format!("/items/{index}")));
    }
    Ok(())
}

fn detail_of(detail: Option<&AckDetail>, nid: Nid) -> Option<&AckItemDetail> {
    detail?.items.iter().find(|d| d.nid == nid)
}

/// Takes an acknowledgement.
pub(super) async fn take<'a>(
    batch: &mut Batch<'a>,
    incoming: &Incoming<'a>,
    claims: &'a AckClaims,
) -> Result<Stored, Fault> {
    let Facts::Ack(facts) = &incoming.prepared.facts else {
        return Err(internal("an acknowledgement without its facts").into());
    };
    let detail = facts.detail.as_ref();
    let ctx = incoming.prepared.common.ctx.clone();
    let party = incoming.prepared.speaks_for().clone();
    if claims.on_behalf.is_some() {
        // Of a letter it is asked what the party signed itself.
        arrivals::flush(batch).await?;
    }
    let letter = letter::find(batch, incoming, claims, &facts.blobs).await?;
    let asked: Vec<_> = claims.items.iter().map(|i| (i.nid, i.rev)).collect();
    let found = delivered::find(batch, &party, &asked).await?;
    let mut items = Vec::with_capacity(found.len());
    let (mut apart, mut openings) = (Vec::new(), Vec::new());
    for (index, (item, found)) in claims.items.iter().zip(&found).enumerate() {
        if letter.is_some() {
            check_transcribable(batch, claims, item, &party, found.as_deref(), index).await?;
        }
        let found = named(claims, item, found.as_deref(), index)?;
        let distance_m = distance_as_entered(batch, item, found, detail)?;
        let elsewhere = match &facts.elsewhere {
            Some(said) => said.contains(&item.nid),
            None => distance_m.is_some_and(|m| m > ENTERED_TOLERANCE_M),
        };
        if let (true, Some(distance_m)) = (elsewhere, distance_m) {
            apart.push((item.clone(), distance_m));
        }
        if item.state == AckState::Queried {
            let within_h = incoming.policy.reply_within_h;
            let said = detail_of(detail, item.nid);
            openings.push(thread::query(batch.at, within_h, index, item, found, said)?);
        }
        items.push(NewAckItem {
            nid: item.nid,
            rev: item.rev,
            state: item.state,
            elsewhere,
        });
    }
    let coordinators = batch.standing.coordinators(batch.conn, &ctx).await?;
    let mut desks = vec![claims.to.clone()];
    desks.extend(coordinators.iter().cloned());
    if letter.is_some() {
        // The party is to know what is said in its name, once it has a desk.
        desks.push(party.clone());
    }
    if letter.is_none() && apart.is_empty() && openings.is_empty() {
        return wait(batch, incoming, &claims.to, items, desks);
    }
    arrivals::flush(batch).await?;
    let mut stored = apply::store(batch, incoming, &desks).await?;
    let new = NewAck {
        pos: stored.pos,
        ctx: &ctx,
        party: &party,
        org: &claims.to,
        at: batch.at,
        items: &items,
        transcribed: letter.is_some(),
    };
    notifications::insert_ack(batch.conn, &new).await?;
    if let (Some(letter), Some(first)) = (&letter, claims.items.first()) {
        let of = (first.nid, first.rev, &claims.to);
        blobs::name(batch.conn, stored.pos, of, &[letter.blob]).await?;
        if letter.has_device {
            stored.remarks.push(format!(
                "{party} has a device and can sign for itself; what it signs counts, this does not."
            ));
        }
    }
    let (to, pos) = (&claims.to, stored.pos);
    thread::open(batch, incoming, ThreadKind::Query, to, pos, &openings).await?;
    if letter.is_none() {
        desks.push(party.clone());
    }
    for (item, distance_m) in apart {
        stored.remarks.push(format!(
            "{} was entered {distance_m:.0} m from where it was notified. {} is told too; please compare the coordinates.",
            item.nid.reference(),
            claims.to
        ));
        notice(batch, incoming, &item, &party, distance_m, &desks).await?;
    }
    Ok(stored)
}

/// What is transcribed was notified to the party, and the party has not signed its own word on it.
async fn check_transcribable(
    batch: &mut Batch<'_>,
    claims: &AckClaims,
    item: &AckItem,
    party: &ActorId,
    found: Option<&Acknowledged>,
    index: usize,
) -> Result<(), Fault> {
    let about = About {
        nid: item.nid,
        rev: item.rev,
        of: item.of,
    };
    relay::notified(batch, &claims.to, &about, found, index).await?;
    if notifications::officer_spoke(batch.conn, item.nid, item.rev, party).await? {
        return Err(Problem::new(ProblemKind::PartySpokeItself)
            .pointer(format!("/items/{index}"))
            .into());
    }
    Ok(())
}

/// Gives an acknowledgement that has no other effect its position and receipt, and lets it wait for the others of its
/// group.
fn wait<'a>(
    batch: &mut Batch<'a>,
    incoming: &Incoming<'a>,
    org: &'a ActorId,
    items: Vec<NewAckItem>,
    mut desks: Vec<ActorId>,
) -> Result<Stored, Fault> {
    let (pos, receipt) = apply::next(batch, incoming.prepared.hash)?;
    desks.sort_unstable();
    desks.dedup();
    batch.woken.extend(desks.iter().cloned());
    batch.waiting.push(Waiting {
        prepared: incoming.prepared,
        submitted_by: incoming.submitted_by(),
        pos,
        receipt: receipt.clone(),
        desks,
        what: Judged::Acknowledges { org, items },
    });
    Ok(Stored {
        pos,
        receipt,
        remarks: Vec::new(),
        seqs: Vec::new(),
    })
}

/// The item names a revision that was delivered to the party, by its hash, and digests that stand in it.
fn named<'a>(
    claims: &AckClaims,
    item: &AckItem,
    found: Option<&'a Acknowledged>,
    index: usize,
) -> Result<&'a Acknowledged, Problem> {
    let unknown = || {
        Problem::new(ProblemKind::UnknownItem)
            .detail("nothing with this id, revision and hash of this organisation was delivered to this party")
            .pointer(format!("/items/{index}"))
    };
    let found = found
        .filter(|f| f.org == claims.to && f.hash == item.of)
        .ok_or_else(unknown)?;
    let foreign = item.opened.iter().position(|sd| {
        !found
            .sds
            .iter()
            .any(|known| known.as_slice() == sd.as_bytes().as_slice())
    });
    match foreign {
        None => Ok(found),
        Some(digest) => Err(Problem::new(ProblemKind::DigestMismatch)
            .detail("a part that this revision does not have")
            .pointer(format!("/items/{index}/opened/{digest}"))),
    }
}

/// Metres between the place as notified and as entered. Only for a party that sees the exact place: to any other the
/// comparison would tell where it is.
fn distance_as_entered(
    batch: &Batch<'_>,
    item: &AckItem,
    found: &Acknowledged,
    detail: Option<&AckDetail>,
) -> Result<Option<f64>, Problem> {
    let entered = detail_of(detail, item.nid)
        .and_then(|d| d.entered.as_ref())
        .and_then(|e| e.position);
    let (Some([lon, lat]), Some(sealed), AckState::Entered, Tier::Exact) =
        (entered, &found.place, item.state, found.tier)
    else {
        return Ok(None);
    };
    if destroyed_with(sealed).is_some() {
        // Nobody knows any more where it was; what the party says stands all the same.
        return Ok(None);
    }
    let place: Place = open::stored(
        batch.core,
        &found.org,
        item.nid,
        item.rev,
        (name::PLACE, sealed),
    )?;
    let subject = if found.kind == Kind::Movement {
        Subject::Movement
    } else {
        Subject::Site
    };
    let object = Object::read(&place, subject, &Policy::default())?;
    let at = Position::new(lon, lat).map_err(|_| Problem::from(ProblemKind::GeometryOutOfRange))?;
    let point = Area::circle(at, 0.0).map_err(|_| internal("a point is no area"))?;
    Ok(match &object.shape {
        Shape::Site(footprint) => Some(proximity::distance(&point, footprint).distance_m),
        Shape::Movement(track) => track
            .closest_approach(&point, &Window::ALWAYS, Presence::AnywhereFrom { leg: 0 })
            .map(|approach| approach.proximity.distance_m),
    })
}

/// The server's own statement that a place was entered elsewhere: to organisation, coordinator and party.
async fn notice(
    batch: &mut Batch<'_>,
    incoming: &Incoming<'_>,
    item: &AckItem,
    party: &ActorId,
    distance_m: f64,
    desks: &[ActorId],
) -> Result<(), Fault> {
    let claims = NoticeClaims::new(
        batch.common(),
        incoming.prepared.hash,
        item.nid,
        item.rev,
        NoticeCode::EnteredElsewhere,
    );
    let detail = NoticeDetail {
        party: party.clone(),
        distance_m: Some((distance_m * 1000.0).round() / 1000.0),
    };
    own::say(batch, claims, &detail, desks).await?;
    Ok(())
}
