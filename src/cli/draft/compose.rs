//! From a draft to what is notified: every cell read and held against the linter, the geometry read by the very code
//! that the server reads it with, the cells of parties at a lower tier computed here. Nothing is put right in silence.

use std::fmt;
use std::sync::Arc;

use time::OffsetDateTime;

use super::finding::{Finding, Severity};
use super::parties::Parties;
use super::read::Reader;
use super::words::{self, Choice};
use super::{Draft, likely, movement, people, site};
use crate::cli::tabular::columns::Field;
use crate::domain::category::Category;
use crate::domain::notification::{Relation, Subject};
use crate::domain::text::{Lines, first_unruly, is_blank};
use crate::spatial::Position;
use crate::spatial::parse::lint::{WindowContext, lint_window};
use crate::spatial::parse::{
    Country, TypedPosition, TypedTime, format, format_dtg, format_rfc3339,
};
use crate::wire::claims::OnBehalf;
use crate::wire::object::Object;
use crate::wire::parts::{Audience, Contact, FeatureTag, Place, PlaceProperties, Window};
use crate::wire::policy::Policy;
use crate::wire::problem::Problem;

/// What is known beside the draft.
#[derive(Debug, Clone)]
pub struct Settings {
    /// The context's policy.
    pub policy: Policy,
    /// The country that a draft without one is in.
    pub country: Option<Country>,
    /// The IANA zone that a time without one is in, when the person has set it.
    pub zone: Option<String>,
    /// The parties chosen for drafts that name none.
    pub audience: Vec<Choice>,
    /// Run or supported, for drafts that do not say.
    pub relation: Relation,
    /// The requested buffer in metres, for drafts that do not say.
    pub buffer_m: Option<f64>,
    /// On whose behalf the coordinator signs.
    pub on_behalf: Option<OnBehalf>,
    /// The parties that may be chosen; none where no directory is at hand.
    pub parties: Option<Parties>,
    /// Now.
    pub now: OffsetDateTime,
}

/// The last revision of the same object. `Debug` is sealed.
#[derive(Clone, Copy)]
pub struct Last {
    /// Where it was.
    pub position: Position,
    /// When.
    pub window: Option<(OffsetDateTime, Option<OffsetDateTime>)>,
}

impl fmt::Debug for Last {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Last([sealed])")
    }
}

/// What was typed, beside what it is read as: for the person who typed it.
#[derive(Clone, PartialEq, Eq)]
pub struct Shown {
    /// What it is: `place`, `waypoint 1`, `from`.
    pub what: String,
    /// Exactly what was typed.
    pub typed: String,
    /// As it is read: WGS84 and MGRS, or UTC and DTG.
    pub read: String,
}

impl fmt::Debug for Shown {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Shown([sealed])")
    }
}

impl Shown {
    pub(super) fn position(what: impl Into<String>, typed: &TypedPosition) -> Self {
        Self {
            what: what.into(),
            typed: typed.as_typed.clone(),
            read: format::both(typed.position),
        }
    }

    pub(super) fn time(what: impl Into<String>, typed: &TypedTime) -> Self {
        let read = format!("{} ({})", format_rfc3339(typed.utc), format_dtg(typed.utc));
        Self {
            what: what.into(),
            typed: typed.as_typed.clone(),
            read,
        }
    }
}

/// A notification ready to be signed. `Debug` is sealed.
#[derive(Clone)]
pub struct Composed {
    /// A site, or a movement.
    pub subject: Subject,
    /// The part `place`.
    pub place: Place,
    /// The part `contact`.
    pub contact: Option<Contact>,
    /// The parts `audience.<party>`.
    pub audience: Vec<Audience>,
    /// As an emergency.
    pub emergency: bool,
    /// On whose behalf the coordinator signs it.
    pub on_behalf: Option<OnBehalf>,
    /// What was typed beside what it is read as.
    pub shown: Vec<Shown>,
}

impl fmt::Debug for Composed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Composed([sealed])")
    }
}

/// What became of a draft.
#[derive(Debug, Clone)]
pub struct Composition {
    /// What was found.
    pub findings: Vec<Finding>,
    /// The notification, unless something is refused.
    pub composed: Option<Box<Composed>>,
}

impl Composition {
    /// Whether something is odd enough for `--strict`.
    pub fn has_warnings(&self) -> bool {
        self.findings
            .iter()
            .any(|finding| finding.severity >= Severity::Warning)
    }
}

/// Composes a draft.
pub fn compose(draft: &Draft, settings: &Settings, last: Option<Last>) -> Composition {
    let mut reader = Reader::new(draft);
    texts(&mut reader);
    let composed = try_compose(&mut reader, settings, last);
    let refused = reader.refused();
    Composition {
        findings: reader.findings,
        composed: composed.filter(|_| !refused).map(Box::new),
    }
}

/// Refuses text that the server refuses, in the cell where it stands.
fn texts(reader: &mut Reader<'_>) {
    let draft = reader.draft;
    for cells in std::iter::once(&draft.cells).chain(&draft.stops) {
        for (field, text) in &cells.values {
            let lines = match field {
                Field::Name
                | Field::NameLocal
                | Field::Reference
                | Field::Pcode
                | Field::Marking
                | Field::Cargo
                | Field::CallSign
                | Field::ContactName
                | Field::ContactPost
                | Field::ContactPhone => Lines::One,
                // Notes, lists with an entry a line, and what is kept as it was typed.
                _ => Lines::Many,
            };
            if let Some(at) = first_unruly(text, lines) {
                reader.findings.push(Finding::refused(
                    "control-character",
                    draft.at(cells, *field),
                    format!(
                        "character {at} of {field} is a line break or another control character, or turns the direction of the text around it; take it out"
                    ),
                ));
            } else if lines == Lines::One && is_blank(text) {
                reader.findings.push(Finding::refused(
                    "nothing-shows",
                    draft.at(cells, *field),
                    format!(
                        "{field} has characters, and none of them shows; write it anew, or leave it empty"
                    ),
                ));
            }
        }
    }
}

fn try_compose(
    reader: &mut Reader<'_>,
    settings: &Settings,
    last: Option<Last>,
) -> Option<Composed> {
    let subject = reader.draft.subject;
    let emergency = reader.yes_no(Field::Emergency).unwrap_or(false);
    let mut properties = properties(reader, settings)?;
    let mut shown = Vec::new();
    let geometry = match subject {
        Subject::Site => {
            window(
                reader,
                settings,
                emergency,
                last,
                &mut properties,
                &mut shown,
            );
            site::site(reader, settings, last, &mut properties, &mut shown)
        }
        Subject::Movement => {
            movement::read(reader, settings, emergency, &mut properties, &mut shown)
        }
    };
    let contact = people::contact(reader);
    let choices = people::choices(reader, settings);
    let place = Place {
        kind: FeatureTag::Feature,
        geometry: geometry?,
        properties,
    };
    let object = match Object::read(&place, subject, &settings.policy) {
        Ok(object) => object,
        Err(problem) => {
            refused_by_reading(reader, &problem);
            return None;
        }
    };
    let audience = people::audience(reader, &choices, &object)?;
    Some(Composed {
        subject,
        place,
        contact,
        audience,
        emergency,
        on_behalf: settings.on_behalf.clone(),
        shown,
    })
}

fn country(reader: &mut Reader<'_>, settings: &Settings) -> Option<Country> {
    let Some(text) = reader.text(Field::Country) else {
        return settings.country;
    };
    let country = Country::from_code(&text);
    if country.is_none() {
        reader.warn(Field::Country, "unknown-country", format!("\"{text}\" is no ISO 3166 code, so the place is not held against it; write the three letters, like YEM"));
    }
    country
}

fn properties(reader: &mut Reader<'_>, settings: &Settings) -> Option<PlaceProperties> {
    let category = category(reader);
    let name = reader
        .text(Field::Name)
        .or_else(|| match reader.draft.subject {
            Subject::Movement => reader.text(Field::Reference),
            Subject::Site => None,
        });
    if name.is_none() {
        reader.refuse(
            Field::Name,
            "no-name",
            "the name is missing; write what people at the place call it, in Latin script",
        );
    }
    let relation = reader
        .word(Field::Relation, words::relation, "run, supported")
        .unwrap_or(settings.relation);
    let infrared = reader.word(Field::Infrared, words::infrared, "yes, no, unknown");
    let source = reader.word(
        Field::Source,
        words::source,
        "gnss, imagery, map, gazetteer, other",
    );
    Some(PlaceProperties {
        category: category?,
        name: name?,
        name_local: reader.text(Field::NameLocal),
        relation,
        buffer_m: reader.metres(Field::Buffer).or(settings.buffer_m),
        window: None,
        waypoints: Vec::new(),
        half_width_m: None,
        pcode: reader.text(Field::Pcode),
        country: country(reader, settings).map(|country| country.alpha3().to_owned()),
        marking: reader.text(Field::Marking),
        infrared,
        accuracy_m: reader.metres(Field::Accuracy),
        source,
        typed: None,
        window_typed: None,
        reference: reader.text(Field::Reference),
        note: reader.text(Field::Note),
    })
}

fn category(reader: &mut Reader<'_>) -> Option<Category> {
    let Some(text) = reader.text(Field::Category) else {
        if reader.draft.subject == Subject::Movement {
            return Some(Category::Other);
        }
        let known: Vec<&str> = Category::ALL
            .iter()
            .map(|category| category.as_str())
            .collect();
        reader.refuse(
            Field::Category,
            "no-category",
            format!(
                "the category is missing; write one of: {}",
                known.join(", ")
            ),
        );
        return None;
    };
    let known = words::category(&text);
    if known.is_none() {
        let see = likely::asked(&words::likely_categories(&text))
            .map_or_else(|| "see".to_owned(), |asked| format!("{asked} See"));
        reader.refuse(
            Field::Category,
            "unknown-category",
            format!(
                "\"{text}\" is no category that is known here; {see} herald template site for the list, and write \"other\" where none fits"
            ),
        );
    }
    known
}

/// The site's window: from, until, or open.
fn window(
    reader: &mut Reader<'_>,
    settings: &Settings,
    emergency: bool,
    last: Option<Last>,
    properties: &mut PlaceProperties,
    shown: &mut Vec<Shown>,
) {
    let cells = &reader.draft.cells;
    let zone = settings.zone.as_deref();
    let from = reader.time(cells, Field::From, zone);
    let until = reader.time(cells, Field::Until, zone);
    shown.extend(from.iter().map(|time| Shown::time("from", time)));
    shown.extend(until.iter().map(|time| Shown::time("until", time)));
    if from.is_none() && until.is_none() {
        return;
    }
    let asked = match &from {
        Some(from) => {
            let context = window_context(settings, Subject::Site, emergency, properties, last);
            lint_window(from, until.as_ref(), &context)
        }
        None => Vec::new(),
    };
    let origin = reader.at(Field::From);
    reader.asked(asked, &origin);
    if from.is_none() && until.as_ref().is_some_and(|until| until.utc < settings.now) {
        reader.warn(
            Field::Until,
            "window-in-the-past",
            "this window is over already; check the year and the zone",
        );
    }
    let typed: Vec<&str> = [&from, &until]
        .into_iter()
        .flatten()
        .map(|time| time.as_typed.as_str())
        .collect();
    properties.window_typed = Some(typed.join(" – "));
    properties.window = Some(Window {
        from: from.map(|time| time.utc),
        until: until.map(|time| time.utc),
    });
}

pub(super) fn window_context(
    settings: &Settings,
    subject: Subject,
    emergency: bool,
    properties: &PlaceProperties,
    last: Option<Last>,
) -> WindowContext<'static> {
    let lead = settings.policy.lead_time_h;
    let hours = match subject {
        _ if emergency => lead.emergency,
        Subject::Site => lead.site,
        Subject::Movement => lead.movement,
    };
    WindowContext {
        subject: "",
        now: settings.now,
        lead: (hours > 0).then(|| time::Duration::hours(i64::from(hours))),
        country: properties.country.as_deref().and_then(Country::from_code),
        last: last.and_then(|last| last.window),
    }
}

/// What the geometry engine refuses, at the column that the pointer means.
fn refused_by_reading(reader: &mut Reader<'_>, problem: &Problem) {
    let body = problem.body();
    let pointer = body.pointer.as_deref().unwrap_or_default();
    let member = pointer.rsplit('/').next().unwrap_or_default();
    let field = Field::of_name(member).unwrap_or(Field::Coordinates);
    let waypoint = body
        .vertex
        .and_then(|index| usize::try_from(index).ok())
        .and_then(|index| reader.draft.stops.get(index));
    let origin = match waypoint {
        Some(stop) => stop.origin.clone(),
        None if pointer.starts_with("/place/properties") => reader.at(field),
        None => reader.draft.cells.origin.clone(),
    };
    let detail = body.detail.as_deref().unwrap_or(&body.title);
    let code = body.type_uri.rsplit(':').next().unwrap_or("refused");
    // The registry speaks of a pointer, which nobody sees here: the cell stands before the message.
    let action = if body.action.contains("pointer") {
        format!("Correct the {field}.")
    } else {
        body.action.clone()
    };
    reader.findings.push(Finding::refused(
        code,
        origin,
        format!("{detail}. {action}"),
    ));
}

/// A mapping for what comes from the command line, where every field is its own column.
pub fn flags() -> Arc<crate::cli::tabular::columns::Mapping> {
    Arc::default()
}
