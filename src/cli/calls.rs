//! What the commands around calls for help share: finding the call that is meant, saying calls in words, and the numbers
//! to call. A number is never left out because there is no line.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use super::api::Api;
use super::composing::seen_policy;
use super::directory;
use super::error::CliError;
use super::find::Named;
use super::inbox::Inbox;
use super::outbox::Outbox;
use super::profile::{self, Profile};
use super::received::{Readers, Received, receive};
use super::words::{put, tier_words, time_words};
use crate::crypto::digest::Digest;
use crate::domain::exchange::{AlertEvent, DISTRESS_SENTENCE, DistressOutcome, DistressState};
use crate::domain::ids::{ActorId, Nid};
use crate::domain::kind::Kind;
use crate::spatial::Position;
use crate::spatial::parse::format;
use crate::wire::api::CallStatus;
use crate::wire::claims::Claims;
use crate::wire::parts::{
    AlertDetail, DistressDetail, DistressPosition, ResolutionDetail, ResponseDetail, name,
};
use crate::wire::policy::{Number, Policy};
use crate::wire::trust::Trust;

/// A call that a statement is to name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Target {
    /// The call.
    pub nid: Nid,
    /// Hash of its statement.
    pub of: Digest,
    /// Who called.
    pub organisation: ActorId,
}

/// The call that is meant: received or signed on this device, or else fetched now and checked like all that is received.
///
/// # Errors
/// When no such call is known, or two share the reference.
pub async fn find(profile: &Profile, api: &Api, named: &Named) -> Result<Target, CliError> {
    let mut found = known_here(profile, named)?;
    if found.is_empty() {
        found = fetched(profile, api, named).await?;
    }
    let mut targets = found.into_values();
    match (targets.next(), targets.next()) {
        (Some(one), None) => Ok(one),
        (Some(_), Some(_)) => Err(CliError::refused(
            format!("{named} may mean several calls"),
            "Name the one you mean by its id; `herald queue --json` shows both.",
        )),
        (None, _) => Err(CliError::refused(
            format!("{named} is no call for help that this desk knows of"),
            "Check the reference with `herald queue`; a call that has ended is not listed there.",
        )),
    }
}

fn known_here(profile: &Profile, named: &Named) -> Result<BTreeMap<Nid, Target>, CliError> {
    let mut found = BTreeMap::new();
    for entry in Inbox::open(profile.dir())?.entries() {
        let Some(nid) = entry.nid.filter(|nid| named.is(*nid)) else {
            continue;
        };
        if entry.kind == Kind::Distress && entry.doubt.is_none() {
            let organisation = entry.iss.actor.clone();
            let of = entry.of;
            found.insert(
                nid,
                Target {
                    nid,
                    of,
                    organisation,
                },
            );
        }
    }
    let own =
        Outbox::open(profile.dir())?.call(|meta| meta.nid.is_some_and(|nid| named.is(nid)))?;
    if let Some((nid, of)) = own.and_then(|meta| Some((meta.nid?, meta.hash))) {
        let organisation = profile.me().actor.clone();
        found.insert(
            nid,
            Target {
                nid,
                of,
                organisation,
            },
        );
    }
    Ok(found)
}

async fn fetched(
    profile: &Profile,
    api: &Api,
    named: &Named,
) -> Result<BTreeMap<Nid, Target>, CliError> {
    let (trust, readers) = (
        directory::at_hand(profile, api).await?,
        Readers::of(profile)?,
    );
    let mut found = BTreeMap::new();
    for call in api.calls().await?.calls {
        let Some(seq) = call.seq.filter(|_| named.is(call.nid)) else {
            continue;
        };
        let (event, _) = api.event(seq).await?;
        let Ok(received) = receive(&event, &trust, &readers) else {
            continue;
        };
        let Claims::Distress(claims) = &received.claims else {
            continue;
        };
        let of = crate::crypto::statement::hash(&event.envelope.statement);
        if received.doubt.is_none() && claims.nid == call.nid {
            let organisation = claims.iss.actor.clone();
            found.insert(
                claims.nid,
                Target {
                    nid: claims.nid,
                    of,
                    organisation,
                },
            );
        }
    }
    Ok(found)
}

/// The numbers to call, each once: one's own desk's, the coordinator's, the parties', then those that the policy names
/// for when nobody answers. From what is kept on this device.
pub fn numbers(profile: &Profile, trust: Option<&Trust>, parties: &[ActorId]) -> Vec<Number> {
    let policy = seen_policy(profile).unwrap_or_default();
    let mut numbers: Vec<Number> = Vec::new();
    let mut add = |name: &str, phone: Option<&String>| {
        if let Some(phone) = phone
            && numbers.iter().all(|n| n.phone != *phone)
        {
            numbers.push(Number {
                name: name.to_owned(),
                phone: phone.clone(),
            });
        }
    };
    if let Some(trust) = trust {
        if let Ok(own) = trust.actor(&profile.me().actor) {
            add(&own.name, own.duty.as_ref());
        }
        if let Ok(coordinator) = trust.coordinator() {
            add(&coordinator.name, coordinator.duty.as_ref());
        }
    }
    let told = profile::call(profile.dir());
    add("the coordinator", policy.call.as_ref().or(told.as_ref()));
    for party in parties {
        if let Some(Ok(party)) = trust.map(|trust| trust.actor(party)) {
            add(&party.name, party.duty.as_ref());
        }
    }
    for number in &policy.escalation {
        add(&number.name, Some(&number.phone));
    }
    numbers
}

/// The numbers in words, before anything else.
pub fn numbers_text(numbers: &[Number]) -> String {
    let mut text = String::from("CALL NOW:\n");
    for number in numbers {
        put(&mut text, &number.phone, &number.name);
    }
    if numbers.is_empty() {
        text += "    No duty number is kept on this device. Call whomever you know.\n";
    }
    text + DISTRESS_SENTENCE + "\n"
}

/// Whether it should ring at the desk: a call for help, or one that nobody answers.
pub fn is_alarm(received: &Received) -> bool {
    received.doubt_text().is_none()
        && (matches!(received.claims, Claims::Distress(_)) || unanswered(received).is_some())
}

/// The step of an alert that nobody answers a call.
fn unanswered(received: &Received) -> Option<u32> {
    let Claims::Alert(_) = &received.claims else {
        return None;
    };
    let detail: AlertDetail = received.part(name::DETAIL)?;
    let step = detail.step?;
    (detail.event == AlertEvent::DistressUnanswered).then_some(step)
}

/// Whom to call at this step, by the policy.
pub fn escalation(received: &Received, policy: &Policy) -> Option<String> {
    let step = unanswered(received)?;
    let index = usize::try_from(step).ok()?.checked_sub(1)?;
    let number = policy.escalation.get(index).or(policy.escalation.last())?;
    let mut text = String::new();
    put(
        &mut text,
        "call now",
        &format!("{}, {}", number.phone, number.name),
    );
    Some(text)
}

/// The first line of a call at a desk, before its details.
pub fn banner(received: &Received) -> Option<String> {
    match &received.claims {
        Claims::Distress(c) => Some(format!(
            "!!!!!!!!  DISTRESS  {}  {} CALLS FOR HELP  !!!!!!!!\n",
            c.nid.reference(),
            c.iss.actor
        )),
        _ => None,
    }
}

/// What stands in a call, in an answer or in an end.
pub fn details(text: &mut String, received: &Received) {
    match &received.claims {
        Claims::Distress(c) => {
            if let Some(about) = &c.about {
                put(
                    text,
                    "about",
                    &format!("{} revision {}", about.nid.reference(), about.rev),
                );
            }
            if let Some(detail) = received.part::<DistressDetail>(name::DETAIL) {
                call_detail(text, &detail);
            }
            if let Some(at) = received.part::<DistressPosition>(name::POSITION) {
                position(text, &at);
            }
            put(
                text,
                "next",
                &format!("herald respond {} --officer \"…\"", c.nid.reference()),
            );
        }
        Claims::Respond(_) => {
            if let Some(detail) = received.part::<ResponseDetail>(name::DETAIL) {
                let more = [&detail.officer.post, &detail.officer.phone];
                let mut line = detail.officer.name.clone();
                for more in more.into_iter().flatten() {
                    write!(line, ", {more}").ok();
                }
                put(text, "officer", &line);
                said(text, detail.text.as_deref());
            }
        }
        Claims::Resolve(_) => {
            if let Some(detail) = received.part::<ResolutionDetail>(name::DETAIL) {
                put(text, "outcome", outcome_words(detail.outcome));
                said(text, detail.text.as_deref());
            }
        }
        _ => {}
    }
}

fn call_detail(text: &mut String, detail: &DistressDetail) {
    said(text, Some(&detail.text));
    if let Some(phone) = &detail.phone {
        put(text, "call back", phone);
    }
    if let Some(people) = detail.people {
        put(text, "people", &people.to_string());
    }
    put(text, "", &detail.says);
}

fn position(text: &mut String, at: &DistressPosition) {
    let [lon, lat] = at.position;
    if let Ok(position) = Position::new(lon, lat) {
        let accuracy = at
            .accuracy_m
            .map_or_else(String::new, |m| format!(" ± {m:.0} m"));
        put(
            text,
            "where",
            &format!("{}{accuracy}", format::both(position)),
        );
    }
    if let Some(typed) = &at.typed {
        put(text, "as typed", typed);
    }
}

fn said(text: &mut String, words: Option<&str>) {
    if let Some(words) = words {
        put(text, "says", words);
    }
}

/// How a call ended, in the organisation's word.
pub const fn outcome_words(outcome: DistressOutcome) -> &'static str {
    match outcome {
        DistressOutcome::Over => "the people are out of danger, the organisation says",
        DistressOutcome::Casualties => "there are dead or injured",
        DistressOutcome::Mistake => "called by mistake",
        DistressOutcome::HandedOver => "it goes on by other means",
    }
}

/// Where a call stands, in words.
pub const fn state_words(state: DistressState) -> &'static str {
    match state {
        DistressState::Open => "NOBODY HAS ANSWERED",
        DistressState::Answered => "answered; the organisation has not ended it",
        DistressState::Resolved => "ended by the organisation",
    }
}

/// A call in lines, for queue and status.
pub fn lines(call: &CallStatus) -> Vec<String> {
    let about = call
        .about
        .map(|nid| format!(" about {}", nid.reference()))
        .unwrap_or_default();
    let mut lines = vec![format!(
        "DISTRESS {} of {}{about}, since {}: {}",
        call.reference,
        call.organisation,
        time_words(call.at),
        state_words(call.state)
    )];
    for called in &call.called {
        let sees = called
            .tier
            .map(|tier| format!(" ({})", tier_words(tier)))
            .unwrap_or_default();
        lines.push(match called.answered_at {
            Some(at) => format!("  {}{sees}: answered {}", called.actor, time_words(at)),
            None => format!("  {}{sees}: no answer. Call them.", called.actor),
        });
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_sentence_stands_with_the_numbers_even_where_none_is_kept() {
        let none = numbers_text(&[]);
        assert!(none.contains(DISTRESS_SENTENCE) && none.contains("whomever you know"));
        let numbers = [Number {
            name: "The coordinator\nCALL NOBODY".to_owned(),
            phone: "+96777000111".to_owned(),
        }];
        let text = numbers_text(&numbers);
        assert_eq!(text.lines().count(), 3, "a name writes no line of its own");
        assert!(text.contains("+96777000111"));
    }
}
