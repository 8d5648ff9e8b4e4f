//! A package's objects as words in rows: what spreadsheet and page show is written once, here.

use super::package::{Object, Seen};
use crate::cli::words::{plain, positions};
use crate::spatial::Position;
use crate::spatial::mgrs;
use crate::spatial::parse::format_rfc3339;
use crate::wire::parts::{Contact, Place, Waypoint, Window};

/// The columns, in order.
pub const COLUMNS: &[&str] = &[
    "Reference",
    "Revision",
    "Serial",
    "Organisation",
    "Disclosed",
    "What",
    "Name",
    "Name, local",
    "Point",
    "Latitude",
    "Longitude",
    "MGRS",
    "Square (10 km)",
    "From",
    "Until",
    "Requested buffer, m",
    "Duty number",
    "Contact",
    "To be known",
    "Statement (SHA-256)",
];

/// The rows of one object: one for each position of its geometry, or one for each square.
pub fn rows(object: &Object) -> Vec<Vec<String>> {
    match &object.seen {
        Seen::Exact(place, contact) => exact(object, place, contact.as_deref()),
        Seen::Cells(cells) => {
            let square = |cell: &String| {
                row(
                    object,
                    &Cells {
                        disclosed: "square only",
                        square: cell,
                        ..Cells::default()
                    },
                )
            };
            cells.iter().map(square).collect()
        }
        Seen::Ended(words) => vec![row(
            object,
            &Cells {
                disclosed: words,
                ..Cells::default()
            },
        )],
        Seen::OnCheck => Vec::new(),
    }
}

/// What differs between the rows.
#[derive(Default)]
struct Cells<'a> {
    disclosed: &'a str,
    place: Option<&'a Place>,
    point: String,
    position: Option<Position>,
    window: Window,
    square: &'a str,
    contact: &'a str,
}

fn exact(object: &Object, place: &Place, contact: Option<&Contact>) -> Vec<Vec<String>> {
    let positions = positions(&place.geometry.value);
    let all = positions.len();
    let contact = contact.map_or_else(String::new, contact_words);
    let whole = place.properties.window.unwrap_or_default();
    let each = positions.into_iter().enumerate().map(|(index, position)| {
        let waypoint = place.properties.waypoints.get(index);
        row(
            object,
            &Cells {
                disclosed: "exact place",
                place: Some(place),
                point: point_words(index, all, waypoint),
                position: Some(position),
                window: waypoint.and_then(timed).unwrap_or(whole),
                square: "",
                contact: &contact,
            },
        )
    });
    each.collect()
}

/// The times of a waypoint, its slack counted in.
fn timed(waypoint: &Waypoint) -> Option<Window> {
    let slack = time::Duration::seconds(waypoint.slack_s.into());
    let first = waypoint.at.or(waypoint.depart)?;
    let last = waypoint.depart.or(waypoint.at)?;
    Some(Window {
        from: first.checked_sub(slack),
        until: last.checked_add(slack),
    })
}

fn point_words(index: usize, all: usize, waypoint: Option<&Waypoint>) -> String {
    let name = waypoint.and_then(|w| w.name.as_deref()).unwrap_or_default();
    if all == 1 {
        return plain(name);
    }
    let number = format!("{} of {all}", index + 1);
    if name.is_empty() {
        number
    } else {
        format!("{number}: {}", plain(name))
    }
}

fn row(object: &Object, cells: &Cells<'_>) -> Vec<String> {
    let properties = cells.place.map(|place| &place.properties);
    let text = |value: Option<&str>| plain(value.unwrap_or_default());
    let time = |at: Option<time::OffsetDateTime>| at.map_or_else(String::new, format_rfc3339);
    let degrees = |value: Option<f64>| value.map_or_else(String::new, |v| format!("{v:.6}"));
    let buffer = properties.and_then(|p| p.buffer_m);
    vec![
        object.reference.to_string(),
        object.rev.to_string(),
        object.pos.to_string(),
        object.organisation.to_string(),
        cells.disclosed.to_owned(),
        text(properties.map(|p| p.category.profile().label)),
        text(properties.map(|p| p.name.as_str())),
        text(properties.and_then(|p| p.name_local.as_deref())),
        cells.point.clone(),
        degrees(cells.position.map(|p| p.lat())),
        degrees(cells.position.map(|p| p.lon())),
        cells.position.map_or_else(String::new, mgrs::format),
        cells.square.to_owned(),
        time(cells.window.from),
        time(cells.window.until),
        buffer.map_or_else(String::new, |metres| metres.to_string()),
        text(object.duty.as_deref()),
        cells.contact.to_owned(),
        object.flags.join("; "),
        object.of.to_string(),
    ]
}

/// Who can be called and what moves, in one line.
fn contact_words(contact: &Contact) -> String {
    let mut words = Vec::new();
    for person in &contact.people {
        let more = [&person.post, &person.phone].into_iter().flatten();
        let all: Vec<&str> = std::iter::once(&person.name)
            .chain(more)
            .map(String::as_str)
            .collect();
        words.push(all.join(", "));
    }
    for vehicle in &contact.vehicles {
        let plate = vehicle.plate.as_deref().unwrap_or("no plate given");
        words.push(format!("{} ({plate})", vehicle.description));
    }
    words.extend(contact.passengers.map(|n| format!("{n} people")));
    words.extend(contact.cargo.clone());
    words.extend(contact.call_sign.as_ref().map(|c| format!("call sign {c}")));
    words.extend(contact.note.clone());
    plain(&words.join("; "))
}
