//! An answer in words. Its age stands on top, then the verdict; nothing here is green, and nothing reads as permission.

use std::fmt::Write as _;
use std::path::PathBuf;

use time::OffsetDateTime;

use super::ask::{Asked, moment_words, window_words};
use super::contact::Found;
use super::planner::NoAnswer;
use crate::cli::words::{distance_words, plain, positions};
use crate::crypto::disclosure::Disclosure;
use crate::domain::check::{ABSENCE_SENTENCE, Flag, HitRelation, Verdict};
use crate::domain::notification::{Subject, Tier};
use crate::domain::plural::count;
use crate::spatial::parse::lint::lies_in;
use crate::spatial::parse::{Country, format, format_dtg, format_rfc3339};
use crate::wire::check::COUNTRY_MARGIN_M;
use crate::wire::object::{Object, Shape};
use crate::wire::parts::{AnswerPart, Hit, Place, Window};
use crate::wire::policy::Policy;
use crate::wire::problem::ProblemKind;

/// What an indeterminate answer says.
pub const TREAT_AS_CONFLICT: &str = "INDETERMINATE: TREAT AS CONFLICT.";

/// Hits that are shown in full; the others are counted, and stand in the kept answer and in --json.
const SHOWN: usize = 200;

/// Seconds since the answer was judged, by this machine's clock.
pub fn age_s(answer: &AnswerPart, at: OffsetDateTime) -> i64 {
    (at - answer.as_of).whole_seconds()
}

/// An answer, and the contacts of its hits in their order.
pub fn answer(
    answer: &AnswerPart,
    contacts: &[Found],
    asked: &Asked,
    hint: Option<&str>,
    at: OffsetDateTime,
    kept: &Result<PathBuf, String>,
) -> String {
    let mut text = age(answer, at);
    text.push_str(&verdict(answer));
    line(&mut text, &format!("Asked: {}.", asked.words));
    if let Some(operation) = &asked.area.operation {
        line(&mut text, &format!("Operation: {}.", plain(operation)));
    }
    for doubt in &answer.doubts {
        line(&mut text, &format!("Doubt: {}.", doubt_words(doubt)));
    }
    if let Some(hint) = hint {
        line(&mut text, hint);
    }
    for (number, one) in (1..).zip(answer.hits.iter().take(SHOWN)) {
        text.push('\n');
        text.push_str(&hit(number, one));
        if let Some(contact) = contacts.get(number - 1) {
            text.push_str(&contact.text());
        }
    }
    if answer.hits.len() > SHOWN {
        line(
            &mut text,
            &format!(
                "\n… and {} more, farther away: see the kept answer, or --json.",
                answer.hits.len() - SHOWN
            ),
        );
    }
    text.push('\n');
    if let Some(call) = &answer.call {
        line(
            &mut text,
            &format!("In doubt call the coordinator: {}", plain(call)),
        );
    }
    line(&mut text, ABSENCE_SENTENCE);
    match kept {
        Ok(path) => line(
            &mut text,
            &format!("Signed by the server; kept in {}", path.display()),
        ),
        Err(why) => line(
            &mut text,
            &format!(
                "Signed by the server, but NOT KEPT here: {why}. Make room, or mend the profile's directory, and ask again."
            ),
        ),
    }
    text
}

/// What to look at first where an area lies outside the context's country.
pub fn outside(asked: &Asked, country: Option<Country>) -> String {
    let as_it_is = "If the area is meant as it is, ask again with --outside-countries (in a line: \"outside_countries\":true).";
    let Some(country) = country else {
        return format!("Look at the order of the coordinates. {as_it_is}");
    };
    let km = COUNTRY_MARGIN_M / 1_000.0;
    let mut text = format!("This is neither in {country} nor within {km} km of it.");
    let mut readings = asked.readings.iter();
    if let Some((why, place)) = readings.find(|(_, place)| lies_in(*place, country)) {
        // Writing to a string cannot fail.
        write!(
            text,
            " Perhaps {}: read so, it begins at {}, in {country}. If that is meant, correct it and ask again.",
            why,
            format::both(*place)
        )
        .ok();
    }
    format!("{text} {as_it_is}")
}

/// Why there is no answer, and whom to call.
pub fn no_answer(none: &NoAnswer, call: Option<&str>) -> String {
    let mut text = format!("There is no answer.\n{TREAT_AS_CONFLICT}\n");
    match call {
        Some(call) => line(
            &mut text,
            &format!(
                "In doubt call the coordinator: {}, the number last told here.",
                plain(call)
            ),
        ),
        None => line(
            &mut text,
            "Call the coordinator; no number has been told to this device yet.",
        ),
    }
    let refused = if none.refused {
        "The question was refused: "
    } else {
        "Why: "
    };
    line(&mut text, &format!("{refused}{}", none.why));
    if let Some(action) = &none.action {
        line(&mut text, action);
    }
    line(&mut text, ABSENCE_SENTENCE);
    text
}

fn line(text: &mut String, more: &str) {
    text.push_str(more);
    text.push('\n');
}

fn age(answer: &AnswerPart, at: OffsetDateTime) -> String {
    let age = age_s(answer, at);
    let ago = match age {
        ..0 => format!("{} s ahead of this machine's clock", -age),
        0..120 => format!("{age} s ago"),
        _ => format!("{} min ago", age / 60),
    };
    let mut text = format!(
        "As of {} ({}), {ago}; with {} in your mailbox.\n",
        format_dtg(answer.as_of),
        format_rfc3339(answer.as_of.replace_nanosecond(0).unwrap_or(answer.as_of)),
        count(answer.serial, "event")
    );
    if age.abs() > 300 {
        line(
            &mut text,
            "This machine's clock and the server's differ by more than five minutes: one of them is wrong.",
        );
    }
    text
}

fn verdict(answer: &AnswerPart) -> String {
    let objects = |count: u32| {
        if count == 1 {
            "1 notified object".to_owned()
        } else {
            format!("{count} notified objects")
        }
    };
    match answer.verdict {
        Verdict::Conflict => format!("CONFLICT with {}.\n", objects(answer.hits_total)),
        Verdict::PossibleConflict => format!(
            "POSSIBLE CONFLICT: the cells of {} are touched. Their exact places are not known to you: call before you decide.\n",
            objects(answer.hits_total)
        ),
        Verdict::NoneNotifiedToYou => "NONE NOTIFIED TO YOU in this area and window. This does not say that nobody is there.\n".to_owned(),
        Verdict::Indeterminate if answer.hits_total == 0 => format!("{TREAT_AS_CONFLICT}\n"),
        Verdict::Indeterminate => format!(
            "{TREAT_AS_CONFLICT} What could be read of it hits {}.\n",
            objects(answer.hits_total)
        ),
    }
}

fn doubt_words(slug: &str) -> String {
    let known = ProblemKind::ALL
        .iter()
        .find(|kind| kind.spec().slug == slug);
    known.map_or_else(
        || plain(slug),
        |kind| format!("{} ({slug})", kind.spec().title),
    )
}

fn hit(number: usize, hit: &Hit) -> String {
    let what = match hit.subject {
        Some(Subject::Site) => "a site",
        Some(Subject::Movement) => "a movement",
        None => "a site or movement",
    };
    let mut text = format!(
        "{number}. {} revision {}: {what} of {}; {}\n",
        hit.reference,
        hit.rev,
        hit.organisation,
        relation(hit)
    );
    if let Some(place) = place(hit) {
        line(&mut text, &format!("   {place}"));
    }
    if !hit.cells.is_empty() {
        let shown: Vec<String> = hit.cells.iter().take(12).map(|c| plain(c)).collect();
        let more = if hit.cells.len() > 12 { " …" } else { "" };
        line(
            &mut text,
            &format!(
                "   somewhere in {}{more} (MGRS squares of 10 km)",
                shown.join(", ")
            ),
        );
    }
    line(
        &mut text,
        &format!("   windows overlap: {}", window_words(&hit.overlap)),
    );
    for flag in &hit.flags {
        line(&mut text, &format!("   {}", flag_words(*flag)));
    }
    match &hit.duty {
        Some(duty) => line(
            &mut text,
            &format!("   Call {}: {}", hit.organisation, plain(duty)),
        ),
        None => line(
            &mut text,
            &format!(
                "   {} has registered no duty number; call the coordinator",
                hit.organisation
            ),
        ),
    }
    text
}

fn relation(hit: &Hit) -> String {
    let buffer = hit
        .buffer_m
        .map_or_else(String::new, |m| format!(", with a buffer of {m} m"));
    match hit.relation {
        HitRelation::Inside => format!("inside the area or touching it{buffer}"),
        HitRelation::WithinBuffer => format!("{} from the area{buffer}", away(hit.distance_m)),
        HitRelation::Cell if hit.distance_m <= 0.0 => "its cell is touched".to_owned(),
        HitRelation::Cell => format!("its cell is {} away", distance_words(hit.distance_m)),
    }
}

/// To the decimetre, as long as it is near.
fn away(metres: f64) -> String {
    if metres > 10_000.0 {
        distance_words(metres)
    } else {
        format!("{metres:.1} m")
    }
}

/// Where it is, name and category, where the tier discloses the place: a site's first position, and of a movement its
/// route's ends and when it may be here, for where it starts says nothing of where it is.
fn place(hit: &Hit) -> Option<String> {
    let disclosure = Disclosure::parse(hit.place.as_deref()?.as_bytes()).ok()?;
    let place: Place = serde_json::from_value(disclosure.into_value()).ok()?;
    let at = match hit.subject? {
        Subject::Site => site_position(&place).map_or_else(String::new, format::both),
        Subject::Movement => moving(&place, &hit.overlap),
    };
    let properties = &place.properties;
    let mut text = format!(
        "{at}: {} ({})",
        plain(&properties.name),
        properties.category.profile().label
    );
    if let Some(local) = &properties.name_local {
        // Writing to a string cannot fail.
        write!(text, ", {}", plain(local)).ok();
    }
    if hit.tier == Tier::OnCheck {
        text.push_str("; the place is disclosed to you because this check hits it");
    }
    Some(text)
}

fn site_position(place: &Place) -> Option<crate::spatial::Position> {
    let object = Object::read(place, Subject::Site, &Policy::default()).ok()?;
    match object.shape {
        Shape::Site(footprint) => footprint.first_position(),
        Shape::Movement(_) => None,
    }
}

/// From where to where, and when it may be in the area that was asked about.
fn moving(place: &Place, overlap: &Window) -> String {
    let route = positions(&place.geometry.value);
    let when = match (overlap.from, overlap.until) {
        (None, None) => "at any time".to_owned(),
        (Some(from), None) => format!("from {} on", moment_words(from)),
        (None, Some(until)) => format!("until {}", moment_words(until)),
        (Some(from), Some(until)) => {
            format!("between {} and {}", moment_words(from), moment_words(until))
        }
    };
    let (Some(first), Some(last)) = (route.first(), route.last()) else {
        return format!("moving, may be here {when}");
    };
    format!(
        "moving from {} to {} ({}), may be here {when}",
        format::both(*first),
        format::both(*last),
        count(route.len(), "waypoint")
    )
}

fn flag_words(flag: Flag) -> &'static str {
    match flag {
        Flag::Unscreened => {
            "Unscreened: nobody at the coordinator has looked at this revision yet; it counts all the same."
        }
        Flag::Returned => {
            "Returned: the coordinator sent this revision back with reasons; it counts until it is revised or withdrawn."
        }
        Flag::SecondSignatureMissing => {
            "A second person's signature is still missing; it counts all the same."
        }
        Flag::BeingReplaced => {
            "A newer revision was notified; both count until the newer one is screened and delivered."
        }
        Flag::OverduePositionUnknown => {
            "OVERDUE, POSITION UNKNOWN: not said to have arrived; it counts on its whole route."
        }
        Flag::Delayed => {
            "DELAYED on its organisation's word: it may be at each place of its route later than notified; the earlier times count too."
        }
        Flag::OnBehalf => {
            "Notified by the coordinator on the organisation's behalf; the organisation has not signed it. It counts all the same."
        }
        Flag::Emergency => "Notified as an emergency.",
        Flag::Stale => "Not reconfirmed in time; it counts all the same.",
        Flag::WindowEnded => {
            "Its notified window has ended: not notified for times after. Civilian status unchanged."
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::words::is_unruly;
    use crate::crypto::digest::Digest;
    use crate::domain::ids::Nid;

    #[test]
    fn no_missed_conflict_a_name_cannot_write_a_verdict_into_the_answer() {
        let name = "Clinic\u{1b}[2J\u{9b}H\u{202e}\nNONE NOTIFIED TO YOU in this area and window.";
        let place = serde_json::json!({
            "type": "Feature",
            "geometry": {"type": "Point", "coordinates": [30.0, 10.0]},
            "properties": {"category": "clinic", "name": name, "name_local": name, "relation": "run"},
        });
        let disclosure = Disclosure::make("place", &place).expect("a disclosure");
        let nid = Nid::random();
        let one: Hit = serde_json::from_value(serde_json::json!({
            "reference": nid.reference().as_str(), "nid": nid, "rev": 1, "of": Digest::of(b"a revision"), "pos": 1,
            "subject": "site", "organisation": "msf", "duty": name, "tier": "exact", "relation": "inside",
            "distance_m": 0.0, "overlap": {}, "flags": [], "place": disclosure.encoded(),
        }))
        .expect("a hit");
        let shown = hit(1, &one);
        assert!(shown.contains("NONE NOTIFIED"), "the name stands there");
        assert!(
            !shown.lines().any(|line| line.starts_with("NONE")),
            "on no line of its own"
        );
        assert!(!shown.chars().any(|c| is_unruly(c) && c != '\n'));
    }

    #[test]
    fn no_missed_conflict_a_convoy_is_shown_by_its_routes_ends_and_its_time_here() {
        let place = serde_json::json!({
            "type": "Feature",
            "geometry": {"type": "LineString", "coordinates": [[44.2001, 15.3501], [44.0, 15.0], [43.9, 14.8]]},
            "properties": {"category": "food_distribution", "name": "Food convoy", "relation": "run"},
        });
        let disclosure = Disclosure::make("place", &place).expect("a disclosure");
        let nid = Nid::random();
        let one: Hit = serde_json::from_value(serde_json::json!({
            "reference": nid.reference().as_str(), "nid": nid, "rev": 1, "of": Digest::of(b"a revision"), "pos": 1,
            "subject": "movement", "organisation": "msf", "tier": "exact", "relation": "within_buffer",
            "distance_m": 12_345.6, "flags": [], "place": disclosure.encoded(),
            "overlap": {"from": "2027-05-03T14:30:00Z", "until": "2027-05-03T15:00:00Z"},
        }))
        .expect("a hit");
        let shown = hit(1, &one);
        assert!(shown.contains("12.3 km from the area"), "{shown}");
        let line = shown.lines().find(|line| line.contains("Food convoy"));
        let line = line.expect("its line");
        for part in [
            "moving from 15.350100, 44.200100 (38",
            " to 14.800000, 43.900000 (38",
            "(3 waypoints), may be here between 031430ZMAY27 and 031500ZMAY27",
        ] {
            assert!(line.contains(part), "{part}: {line}");
        }
    }

    #[test]
    fn where_there_is_no_answer_stands_whom_to_call() {
        let none = NoAnswer {
            why: "no line".to_owned(),
            action: None,
            refused: false,
        };
        let known = no_answer(&none, Some("+967770000999"));
        assert!(known.contains(TREAT_AS_CONFLICT) && known.contains("+967770000999"));
        let unknown = no_answer(&none, None);
        assert!(unknown.contains(TREAT_AS_CONFLICT) && unknown.contains("Call the coordinator"));
        let refused = NoAnswer {
            refused: true,
            ..none
        };
        assert!(no_answer(&refused, None).contains(TREAT_AS_CONFLICT));
    }
}
