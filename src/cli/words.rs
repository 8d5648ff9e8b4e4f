//! Events in plain words, for people at a desk. An acknowledgement is never made to sound like approval, a screening
//! never like a finding that something is true, and an end never like an end of protection.

use std::fmt::Write as _;

use geojson::GeometryValue;

use super::calls;
use super::exchange::{ask_words, reply_words};
use super::received::Received;
use super::relay::words as relay;
use crate::domain::ack::AckState;
use crate::domain::check::Flag;
use crate::domain::clock::from_micros;
use crate::domain::exchange::Ask;
use crate::domain::ids::ActorId;
use crate::domain::kind::Kind;
use crate::domain::notification::Tier;
use crate::domain::plural::count;
use crate::spatial::Position;
use crate::spatial::parse::{format, format_dtg};
use crate::wire::claims::{
    AckClaims, Checked, Claims, NoticeCode, RevocationReason, ScreenClaims, ScreenResult,
};
use crate::wire::envelope::Event;
use crate::wire::parts::{
    AckDetail, AlertDetail, Audience, Contact, Entered, NoticeDetail, Person, Place, ProgressPart,
    Reason, Reasons, ReplyDetail, Warning, Window, name,
};

pub use crate::domain::text::is_unruly;

/// Positions of a geometry that are shown; more are counted.
const SHOWN: usize = 8;

/// What a state of an acknowledgement says, and no more.
pub const fn ack_words(state: AckState) -> &'static str {
    match state {
        AckState::ReachedDesk => "reached the party's liaison device, no more",
        AckState::Received => "received by a named officer",
        AckState::Entered => "entered on the party's own list",
        AckState::NotEntered => "not entered on the party's list",
        AckState::Queried => "the party asks",
        AckState::Removed => "taken off the party's own list",
    }
}

/// Appends formatted text.
pub fn add(text: &mut String, more: std::fmt::Arguments<'_>) {
    // Writing to a string cannot fail.
    text.write_fmt(more).ok();
}

/// A tier in words.
pub const fn tier_words(tier: Tier) -> &'static str {
    match tier {
        Tier::Exact => "the exact place",
        Tier::OnCheck => "a cell now, the exact place by a check that hits it",
        Tier::Cell => "a cell only",
        Tier::Withdrawn => "no longer notified to this party; civilian status unchanged",
    }
}

/// A time for people: date-time group and RFC 3339.
pub fn time_words(at: time::OffsetDateTime) -> String {
    format!(
        "{} ({})",
        format_dtg(at),
        at.replace_nanosecond(0)
            .unwrap_or(at)
            .format(&time::format_description::well_known::Rfc3339)
            .unwrap_or_default()
    )
}

/// A window for people.
pub fn window_words(window: &Window) -> String {
    match (window.from, window.until) {
        (None, None) => "no times given: counts at all times".to_owned(),
        (Some(from), None) => format!("from {}, open end", time_words(from)),
        (None, Some(until)) => format!("until {}", time_words(until)),
        (Some(from), Some(until)) => format!("{} to {}", time_words(from), time_words(until)),
    }
}

/// An event in words; several lines.
pub fn describe(event: &Event, received: &Received) -> String {
    let at = from_micros(i64::try_from(event.at_us).unwrap_or(i64::MAX));
    let mut text = calls::banner(received).unwrap_or_default();
    add(
        &mut text,
        format_args!("#{} {}  ", event.seq, time_words(at)),
    );
    text += &headline(received);
    text.push('\n');
    details(&mut text, received);
    if let Some(not_signed) = relay::not_signed_by(&received.claims) {
        put(&mut text, "NOT SIGNED", &not_signed);
    }
    if let Some(doubt) = received.doubt_text() {
        // Writing to a string cannot fail.
        writeln!(text, "    NOT BELIEVED: {doubt}").ok();
        text += "    It is kept as it came. Do not act on it; call the coordinator on a number that you know.\n";
    }
    text
}

fn headline(received: &Received) -> String {
    let claims = &received.claims;
    let who = claims.speaks_for();
    match claims {
        Claims::Site(c) => notified(
            "site",
            c.nid.reference().as_str(),
            c.rev.get(),
            &who,
            c.emergency,
        ),
        Claims::Movement(c) => notified(
            "movement",
            c.nid.reference().as_str(),
            c.rev.get(),
            &who,
            c.emergency,
        ),
        Claims::Withdraw(c) => format!(
            "{}: taken back by {who}. No longer notified; civilian status unchanged",
            c.nid.reference()
        ),
        Claims::Close(c) => format!(
            "{}: closed by {who} ({}). No longer notified; civilian status unchanged",
            c.nid.reference(),
            c.outcome
        ),
        Claims::Screen(c) => screened(c, &who),
        Claims::Cosign(c) => format!(
            "{} revision {}: signed by a second person of {who}",
            c.nid.reference(),
            c.rev
        ),
        Claims::Ack(c) => format!(
            "{who} on {} of {}:",
            count(c.items.len(), "notification"),
            c.to
        ),
        Claims::Relay(c) => relay::headline(c, &who),
        Claims::Notice(c) => match c.code {
            NoticeCode::EnteredElsewhere => format!(
                "{} revision {}: a party entered it more than 100 m from where it was notified. Call them",
                c.nid.reference(),
                c.rev
            ),
        },
        Claims::Policy(c) => format!("policy version {} of {who} is in force", c.version),
        Claims::Keys(c) => format!(
            "keys of {who}, serial {}: {}",
            c.serial,
            count(c.devices.len(), "device")
        ),
        Claims::Admit(c) => super::admit::words(c),
        Claims::Revoke(c) => format!(
            "the device {} of {} was taken back ({})",
            c.device,
            c.actor,
            revocation(c.reason)
        ),
        Claims::Warn(c) => format!(
            "{} revision {}: {who} warns {}. It alleges; this system determines no status",
            c.nid.reference(),
            c.rev,
            c.to
        ),
        Claims::Reply(c) => format!(
            "{} revision {}: {who} replies to {}",
            c.nid.reference(),
            c.rev,
            c.to
        ),
        Claims::Progress(c) => format!(
            "{} revision {}: {who} says how far the movement is",
            c.nid.reference(),
            c.rev
        ),
        Claims::Confirm(c) => format!(
            "{} revision {}: {who} confirms that it stands as notified",
            c.nid.reference(),
            c.rev
        ),
        Claims::Distress(c) => format!(
            "DISTRESS {}: {who} calls for help. Answer it, and call; this system is no emergency service",
            c.nid.reference()
        ),
        Claims::Respond(c) => format!(
            "DISTRESS {}: {who} answers the call of {}",
            c.nid.reference(),
            c.to
        ),
        Claims::Resolve(c) => format!("DISTRESS {}: {who} ends its call", c.nid.reference()),
        Claims::Handover(_) => format!("a handover note of {}", claims.common().iss),
        Claims::Alert(_) => "ALERT of the server: a time has passed".to_owned(),
        Claims::Renew(_)
        | Claims::Invite(_)
        | Claims::Duty(_)
        | Claims::Check(_)
        | Claims::Receipt(_)
        | Claims::Answer(_) => format!("{} of {who}", kind_words(claims.kind())),
    }
}

fn notified(what: &str, reference: &str, rev: u32, who: &ActorId, emergency: bool) -> String {
    let emergency = if emergency { ", as an emergency" } else { "" };
    format!("{reference} revision {rev}: {what} notified by {who}{emergency}")
}

fn screened(claims: &ScreenClaims, who: &ActorId) -> String {
    let (reference, rev) = (claims.nid.reference(), claims.rev);
    match claims.result {
        ScreenResult::Screened => {
            let checked = checked_words(&claims.checked);
            format!(
                "{reference} revision {rev}: screened by {who} (looked at: {checked}); this does not say that it is true"
            )
        }
        ScreenResult::Returned => format!(
            "{reference} revision {rev}: returned by {who} with reasons; it still counts, flagged"
        ),
    }
}

/// What was looked at, and nothing else.
pub fn checked_words(checked: &[Checked]) -> String {
    let words: Vec<&str> = checked.iter().map(|one| one.as_str()).collect();
    if words.is_empty() {
        "nothing named".to_owned()
    } else {
        words.join(", ")
    }
}

/// A distance for people: metres, and kilometres beyond ten of them.
pub fn distance_words(metres: f64) -> String {
    if metres > 10_000.0 {
        format!("{:.1} km", metres / 1_000.0)
    } else {
        format!("{metres:.0} m")
    }
}

const fn revocation(reason: RevocationReason) -> &'static str {
    match reason {
        RevocationReason::Lost => "lost or stolen",
        RevocationReason::Compromised => "its key may be known to somebody else",
        RevocationReason::Left => "the person has left",
        RevocationReason::Superseded => "another device took its place",
    }
}

fn details(text: &mut String, received: &Received) {
    if let Some(place) = received.part::<Place>(name::PLACE) {
        describe_place(text, &place);
    }
    for part in &received.parts {
        if let Some(party) = part.name().strip_prefix(name::AUDIENCE_PREFIX)
            && let Some(audience) = received.part::<Audience>(part.name())
        {
            describe_audience(text, party, &audience);
        }
    }
    if let Some(contact) = received.part::<Contact>(name::CONTACT) {
        describe_contact(text, &contact);
    }
    describe_attachments(text, received);
    if let Some(reason) = received.part::<Reason>(name::REASON) {
        put(text, "reason", &reason.text);
    }
    if let Some(reasons) = received.part::<Reasons>(name::REASONS) {
        for reason in &reasons.reasons {
            let at = reason.pointer.as_deref().unwrap_or("as a whole");
            put(text, "to mend", &format!("{at}: {}", reason.text));
        }
    }
    match &received.claims {
        Claims::Ack(claims) => {
            describe_ack(
                text,
                claims,
                received.part::<AckDetail>(name::DETAIL).as_ref(),
            );
        }
        Claims::Relay(claims) => relay::details(text, received, claims),
        Claims::Alert(_) => {
            if let Some(detail) = received.part::<AlertDetail>(name::DETAIL) {
                super::alert::describe(text, &detail);
            }
        }
        Claims::Progress(_) => {
            if let Some(said) = received.part::<ProgressPart>(name::PROGRESS) {
                put(text, "how far", &super::progress::words(&said));
                put(text, "seen", &time_words(said.at));
                if let Some(note) = &said.note {
                    put(text, "note", note);
                }
            }
        }
        Claims::Notice(_) => {
            if let Some(detail) = received.part::<NoticeDetail>(name::DETAIL) {
                let away = detail
                    .distance_m
                    .map_or_else(String::new, |m| format!(", {} away", distance_words(m)));
                put(text, "party", &format!("{}{away}", detail.party));
            }
        }
        Claims::Warn(_) => {
            if let Some(warning) = received.part::<Warning>(name::DETAIL) {
                describe_warning(text, &warning);
            }
        }
        Claims::Reply(_) => {
            if let Some(reply) = received.part::<ReplyDetail>(name::DETAIL) {
                put(text, "reply", &reply_words(&reply));
            }
        }
        Claims::Handover(_) => super::handover::describe(text, received),
        _ => calls::details(text, received),
    }
}

fn describe_warning(text: &mut String, warning: &Warning) {
    put(text, "alleges", &warning.alleges);
    if let Some(by) = warning.cease_by {
        put(text, "cease by", &time_words(by));
    }
    describe_officer(text, &warning.officer);
    put(text, "", &warning.says);
}

fn describe_officer(text: &mut String, officer: &Person) {
    let post = officer
        .post
        .as_ref()
        .map_or_else(String::new, |p| format!(", {p}"));
    put(text, "officer", &format!("{}{post}", officer.name));
}

/// What somebody else wrote, fit to stand within one line on a terminal. Letters of every script stay as they are.
pub fn plain(text: &str) -> String {
    text.chars()
        .map(|c| if is_unruly(c) { ' ' } else { c })
        .collect()
}

/// A line of detail.
pub fn put(text: &mut String, label: &str, value: &str) {
    // Writing to a string cannot fail.
    writeln!(text, "    {label:<12} {}", plain(value)).ok();
}

/// A place in words.
pub fn describe_place(text: &mut String, place: &Place) {
    let p = &place.properties;
    let local = p
        .name_local
        .as_ref()
        .map_or_else(String::new, |n| format!(" · {n}"));
    put(
        text,
        "what",
        &format!(
            "{} \"{}\"{local}, {} by the organisation",
            p.category.profile().label,
            p.name,
            p.relation
        ),
    );
    let positions = positions(&place.geometry.value);
    for (index, position) in positions.iter().take(SHOWN).enumerate() {
        let mut line = format::both(*position);
        if let Some(waypoint) = p.waypoints.get(index) {
            if let Some(at) = waypoint.at {
                write!(
                    line,
                    " at {} ± {} min",
                    time_words(at),
                    waypoint.slack_s / 60
                )
                .ok();
            }
            if let Some(name) = &waypoint.name {
                write!(line, ", {name}").ok();
            }
        }
        put(text, if index == 0 { "where" } else { "" }, &line);
    }
    if positions.len() > SHOWN {
        put(
            text,
            "",
            &format!("and {} more", count(positions.len() - SHOWN, "point")),
        );
    }
    if let Some(window) = &p.window {
        put(text, "when", &window_words(window));
    }
    if let Some(buffer) = p.buffer_m {
        put(
            text,
            "buffer",
            &format!("{buffer} m requested; nothing beyond it is \"allowed\""),
        );
    }
    if let Some(marking) = &p.marking {
        let infrared = p
            .infrared
            .map_or_else(String::new, |i| format!(" (in infrared: {i})"));
        put(text, "marking", &format!("{marking}{infrared}"));
    }
    if let Some(typed) = &p.typed {
        put(text, "as typed", typed);
    }
    if let Some(note) = &p.note {
        put(text, "note", note);
    }
}

/// The positions of a geometry, outer rings first; at most one more than is counted out anywhere.
pub fn positions(geometry: &GeometryValue) -> Vec<Position> {
    let mut out = Vec::new();
    collect(geometry, &mut out);
    out
}

fn collect(geometry: &GeometryValue, out: &mut Vec<Position>) {
    let mut push = |coordinates: &geojson::Position| {
        if let [lon, lat, ..] = coordinates.as_slice()
            && let Ok(position) = Position::new(*lon, *lat)
        {
            out.push(position);
        }
    };
    match geometry {
        GeometryValue::Point { coordinates } => push(coordinates),
        GeometryValue::LineString { coordinates } | GeometryValue::MultiPoint { coordinates } => {
            coordinates.iter().for_each(push);
        }
        GeometryValue::Polygon { coordinates } | GeometryValue::MultiLineString { coordinates } => {
            coordinates.iter().flatten().for_each(push);
        }
        GeometryValue::MultiPolygon { coordinates } => {
            coordinates.iter().flatten().flatten().for_each(push);
        }
        GeometryValue::GeometryCollection { geometries } => {
            for geometry in geometries {
                collect(&geometry.value, out);
            }
        }
    }
}

fn describe_audience(text: &mut String, party: &str, audience: &Audience) {
    let onward = if audience.onward {
        "may pass it on to its partners"
    } else {
        "not to be passed on"
    };
    put(
        text,
        "for",
        &format!("{party}: {}; {onward}", tier_words(audience.tier)),
    );
    if !audience.cells.is_empty() {
        put(text, "cells", &audience.cells.join(" "));
    }
}

fn describe_attachments(text: &mut String, received: &Received) {
    let attached = received.attachments();
    let (Some((nid, _)), false) = (received.claims.revision(), attached.is_empty()) else {
        return;
    };
    let line = format!(
        "{}; fetch with: herald attachments {}",
        count(attached.len(), "attachment"),
        nid.reference()
    );
    put(text, "attached", &line);
}

/// A contact in words.
pub fn describe_contact(text: &mut String, contact: &Contact) {
    for person in &contact.people {
        let mut line = person.name.clone();
        for more in [&person.post, &person.phone].into_iter().flatten() {
            write!(line, ", {more}").ok();
        }
        put(text, "call", &line);
    }
    for vehicle in &contact.vehicles {
        let plate = vehicle
            .plate
            .as_ref()
            .map_or_else(String::new, |p| format!(", plate {p}"));
        put(text, "vehicle", &format!("{}{plate}", vehicle.description));
    }
    if let Some(passengers) = contact.passengers {
        put(text, "people", &passengers.to_string());
    }
    for (label, value) in [
        ("cargo", &contact.cargo),
        ("call sign", &contact.call_sign),
        ("note", &contact.note),
    ] {
        if let Some(value) = value {
            put(text, label, value);
        }
    }
    for night in &contact.overnight {
        let when = night.night.as_deref().unwrap_or_default();
        put(text, "overnight", &format!("{} {when}", night.place));
    }
}

fn describe_ack(text: &mut String, claims: &AckClaims, detail: Option<&AckDetail>) {
    for item in claims.items.iter().take(SHOWN) {
        put(
            text,
            item.nid.reference().as_str(),
            &format!("revision {}: {}", item.rev, ack_words(item.state)),
        );
        let detail = detail
            .into_iter()
            .flat_map(|d| &d.items)
            .find(|d| d.nid == item.nid);
        let Some(detail) = detail else { continue };
        if let Some(entered) = &detail.entered {
            put(text, "entered", &entered_words(entered));
        }
        if let Some(reason) = &detail.reason {
            put(text, "reason", reason);
        }
        if let Some(question) = &detail.question {
            put(text, "question", question);
            put(text, "", ask_words(detail.ask.unwrap_or(Ask::Clarify)));
        }
        if let Some(due) = detail.due {
            put(text, "reply by", &time_words(due));
        }
    }
    if claims.items.len() > SHOWN {
        put(
            text,
            "",
            &format!("and {} more", claims.items.len() - SHOWN),
        );
    }
    if let Some(officer) = detail.and_then(|d| d.officer.as_ref()) {
        describe_officer(text, officer);
    }
    if let Some(dated) = detail.and_then(|d| d.dated.as_ref()) {
        put(text, "dated", dated);
    }
    text.push_str("    An acknowledgement is not approval and confers no access.\n");
}

/// Where a party entered a place on its own list.
pub fn entered_words(entered: &Entered) -> String {
    let mut line = format!("on {}", entered.list);
    for (label, value) in [
        ("version", &entered.version),
        ("number", &entered.number),
        ("at", &entered.typed),
    ] {
        if let Some(value) = value {
            write!(line, ", {label} {value}").ok();
        }
    }
    line
}

/// A flag in words.
pub const fn flag_words(flag: Flag) -> &'static str {
    match flag {
        Flag::Unscreened => "unscreened",
        Flag::Returned => "returned",
        Flag::SecondSignatureMissing => "second signature missing",
        Flag::BeingReplaced => "being replaced; both count",
        Flag::OverduePositionUnknown => {
            "overdue, position unknown: its whole remaining route counts"
        }
        Flag::Delayed => "delayed; its earlier times count too",
        Flag::OnBehalf => {
            "notified on its behalf by the coordinator, not signed by the organisation"
        }
        Flag::Emergency => "notified as an emergency",
        Flag::Stale => "not reconfirmed in time",
        Flag::WindowEnded => {
            "its notified window has ended: not notified for times after; civilian status unchanged"
        }
    }
}

/// What a statement of a kind is called.
pub const fn kind_words(kind: Kind) -> &'static str {
    match kind {
        Kind::Keys => "keys",
        Kind::Renew => "renewal of a device",
        Kind::Policy => "policy",
        Kind::Admit => "admission",
        Kind::Invite => "invite",
        Kind::Revoke => "revocation of a device",
        Kind::Duty => "duty number",
        Kind::Site => "site",
        Kind::Movement => "movement",
        Kind::Withdraw => "withdrawal",
        Kind::Close => "closing",
        Kind::Screen => "screening",
        Kind::Cosign => "second signature",
        Kind::Ack => "acknowledgement",
        Kind::Check => "check",
        Kind::Receipt => "receipt",
        Kind::Answer => "answer",
        Kind::Notice => "notice",
        Kind::Relay => "package relayed",
        Kind::Warn => "warning",
        Kind::Reply => "reply",
        Kind::Progress => "progress of a movement",
        Kind::Confirm => "confirmation",
        Kind::Distress => "distress call",
        Kind::Respond => "answer to a distress call",
        Kind::Resolve => "end of a distress call",
        Kind::Alert => "alert",
        Kind::Handover => "handover note",
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::category::Category;

    #[test]
    fn no_word_for_a_state_or_tier_reads_as_permission_or_end_of_protection() {
        let states = AckState::ALL.iter().map(|s| ack_words(*s));
        let tiers = Tier::ALL.iter().map(|t| tier_words(*t));
        for text in states.chain(tiers) {
            for word in [
                "approv",
                "clear",
                "verified",
                "safe",
                "protected",
                "permi",
                "valid",
            ] {
                assert!(!text.contains(word), "{text}");
            }
        }
    }

    #[test]
    fn a_category_is_shown_in_the_words_of_its_table_and_not_of_the_wire() {
        for category in Category::ALL {
            let place = serde_json::json!({
                "type": "Feature", "geometry": {"type": "Point", "coordinates": [68.8, 36.7]},
                "properties": {"category": category.as_str(), "name": "A", "relation": "run"},
            });
            let place: Place = serde_json::from_value(place).expect("a place");
            let mut text = String::new();
            describe_place(&mut text, &place);
            assert!(text.contains(category.profile().label), "{text}");
            assert!(!text.contains('_'), "{text}");
        }
    }

    #[test]
    fn an_open_window_is_said_to_count_at_all_times() {
        let window = Window {
            from: None,
            until: None,
        };
        assert!(window_words(&window).contains("all times"));
    }

    #[test]
    fn a_senders_control_characters_do_not_reach_the_terminal() {
        let mut text = String::new();
        put(
            &mut text,
            "note",
            "red\u{1b}[31m\nalert\u{9b}2J\u{202e}\u{2066}\u{2028}مستشفى",
        );
        assert_eq!(text.trim_end().chars().find(|c| is_unruly(*c)), None);
        assert!(text.contains("مستشفى"), "its letters stay");
    }
}
