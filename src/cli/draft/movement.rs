//! A movement's waypoints: read, held against the linter one by one and leg by leg, and put into the part `place`.

use geojson::{Geometry, GeometryValue};
use time::Duration;

use super::Cells;
use super::compose::{Settings, Shown, window_context};
use super::read::{Reader, lonlat};
use crate::cli::draft::finding::Finding;
use crate::cli::tabular::columns::Field;
use crate::domain::notification::Subject;
use crate::spatial::parse::lint::{
    MAX_SPEED_KMH, PlaceContext, RouteContext, TypedWaypoint, lint_position, lint_route,
    lint_window,
};
use crate::spatial::parse::{Country, TypedPosition, TypedTime, parse_slack};
use crate::wire::parts::{PlaceProperties, Waypoint, Window};

/// A waypoint as read.
struct Stop<'a> {
    cells: &'a Cells,
    position: TypedPosition,
    at: Option<TypedTime>,
    depart: Option<TypedTime>,
    slack: Duration,
}

impl Stop<'_> {
    /// The first time here, and the last.
    fn first(&self) -> Option<&TypedTime> {
        self.at.as_ref().or(self.depart.as_ref())
    }

    fn last(&self) -> Option<&TypedTime> {
        self.depart.as_ref().or(self.at.as_ref())
    }
}

/// Reads the route into `properties` and gives its geometry.
pub(super) fn read(
    reader: &mut Reader<'_>,
    settings: &Settings,
    emergency: bool,
    properties: &mut PlaceProperties,
    shown: &mut Vec<Shown>,
) -> Option<Geometry> {
    properties.half_width_m = reader.metres(Field::HalfWidth);
    let declared = properties
        .country
        .as_deref()
        .and_then(Country::from_code)
        .or(settings.country);
    let draft = reader.draft;
    let stops: Vec<Stop<'_>> = draft
        .stops
        .iter()
        .enumerate()
        .filter_map(|(index, cells)| stop(reader, settings, declared, cells, index, shown))
        .collect();
    if stops.len() < draft.stops.len() {
        return None;
    }
    if stops.is_empty() {
        reader.refuse(
            Field::Coordinates,
            "no-waypoints",
            "a movement needs at least one waypoint, and two to go anywhere",
        );
        return None;
    }
    legs(reader, &stops);
    window(reader, settings, emergency, &stops, properties, shown);
    properties.waypoints = stops.iter().map(waypoint).collect();
    let positions: Vec<[f64; 2]> = stops
        .iter()
        .map(|stop| lonlat(stop.position.position))
        .collect();
    Some(match positions.as_slice() {
        [only] => Geometry::new_point(*only),
        _ => Geometry::new(GeometryValue::new_line_string(positions)),
    })
}

fn stop<'a>(
    reader: &mut Reader<'_>,
    settings: &Settings,
    declared: Option<Country>,
    cells: &'a Cells,
    index: usize,
    shown: &mut Vec<Shown>,
) -> Option<Stop<'a>> {
    let number = index + 1;
    let position = reader.position(cells);
    let zone = settings.zone.as_deref();
    let at = reader.time(cells, Field::At, zone);
    let depart = reader.time(cells, Field::Depart, zone);
    let slack = slack(reader, cells);
    let (position, origin) = position?;
    let context = PlaceContext {
        country: declared,
        needed_m: Some(150.0),
        ..PlaceContext::default()
    };
    let asked = lint_position(&position, &context);
    reader.asked(asked, &origin);
    shown.push(Shown::position(format!("waypoint {number}"), &position));
    shown.extend(
        at.iter()
            .map(|time| Shown::time(format!("waypoint {number}, at"), time)),
    );
    shown.extend(
        depart
            .iter()
            .map(|time| Shown::time(format!("waypoint {number}, departs"), time)),
    );
    Some(Stop {
        cells,
        position,
        at,
        depart,
        slack: slack?,
    })
}

/// The slack; nothing when none is given, `None` when it cannot be read.
fn slack(reader: &mut Reader<'_>, cells: &Cells) -> Option<Duration> {
    let Some(text) = cells.get(Field::Slack) else {
        return Some(Duration::ZERO);
    };
    match parse_slack(text) {
        Ok(slack) => Some(slack.duration),
        Err(error) => {
            let origin = reader.draft.at(cells, Field::Slack);
            reader.unreadable(&error, origin);
            None
        }
    }
}

/// The linter's questions on the legs, at the row of the waypoint that each names.
fn legs(reader: &mut Reader<'_>, stops: &[Stop<'_>]) {
    let typed: Vec<TypedWaypoint<'_>> = stops
        .iter()
        .map(|stop| TypedWaypoint {
            position: &stop.position,
            at: stop.first(),
            slack: stop.slack,
        })
        .collect();
    let asked = lint_route(
        &typed,
        &RouteContext {
            subject: "",
            max_speed_kmh: MAX_SPEED_KMH,
        },
    );
    for warning in asked {
        let index: Option<usize> = warning
            .subject
            .rsplit('/')
            .next()
            .and_then(|number| number.parse().ok());
        let stop = index.and_then(|index| stops.get(index));
        let origin = stop.map_or_else(
            || reader.draft.cells.origin.clone(),
            |stop| stop.cells.origin.clone(),
        );
        reader.findings.push(Finding::warning(
            warning.code.as_str(),
            origin,
            warning.message,
        ));
    }
}

/// The window covers all times of the waypoints with their slack, and what the columns from and until say.
fn window(
    reader: &mut Reader<'_>,
    settings: &Settings,
    emergency: bool,
    stops: &[Stop<'_>],
    properties: &mut PlaceProperties,
    shown: &mut Vec<Shown>,
) {
    let draft = reader.draft;
    let zone = settings.zone.as_deref();
    let from = reader.time(&draft.cells, Field::From, zone);
    let until = reader.time(&draft.cells, Field::Until, zone);
    shown.extend(from.iter().map(|time| Shown::time("from", time)));
    shown.extend(until.iter().map(|time| Shown::time("until", time)));
    let earliest = stops
        .iter()
        .filter_map(|stop| Some((stop.first()?, stop.slack)))
        .min_by_key(|(time, slack)| time.utc.saturating_sub(*slack));
    let latest = stops
        .iter()
        .filter_map(|stop| Some((stop.last()?, stop.slack)))
        .max_by_key(|(time, slack)| time.utc.saturating_add(*slack));
    let first = from.as_ref().or(earliest.map(|(time, _)| time));
    let last = until.as_ref().or(latest.map(|(time, _)| time));
    let (Some(first), last) = (first, last) else {
        reader.warn(Field::At, "no-times", "this movement has no times: its whole route counts for all time until it is closed. Give times to the first and the last waypoint at least");
        return;
    };
    let context = window_context(settings, Subject::Movement, emergency, properties, None);
    let asked = lint_window(first, last.filter(|last| last.utc > first.utc), &context);
    let origin = draft.stops.first().map_or_else(
        || draft.cells.origin.clone(),
        |stop| draft.at(stop, Field::At),
    );
    reader.asked(asked, &origin);
    let begins = [
        from.as_ref().map(|time| time.utc),
        earliest.map(|(time, slack)| time.utc.saturating_sub(slack)),
    ];
    let ends = [
        until.as_ref().map(|time| time.utc),
        latest.map(|(time, slack)| time.utc.saturating_add(slack)),
    ];
    properties.window = Some(Window {
        from: begins.into_iter().flatten().min(),
        until: ends.into_iter().flatten().max(),
    });
    let typed: Vec<&str> = [from.as_ref(), until.as_ref()]
        .into_iter()
        .flatten()
        .map(|time| time.as_typed.as_str())
        .collect();
    properties.window_typed = (!typed.is_empty()).then(|| typed.join(" – "));
}

fn waypoint(stop: &Stop<'_>) -> Waypoint {
    let times = [&stop.at, &stop.depart]
        .into_iter()
        .flatten()
        .map(|time| time.as_typed.as_str());
    let typed: Vec<&str> = std::iter::once(stop.position.as_typed.as_str())
        .chain(times)
        .collect();
    Waypoint {
        at: stop.at.as_ref().map(|time| time.utc),
        depart: stop.depart.as_ref().map(|time| time.utc),
        slack_s: u32::try_from(stop.slack.whole_seconds()).unwrap_or(u32::MAX),
        name: stop.cells.get(Field::WaypointName).map(str::to_owned),
        typed: Some(typed.join(" @ ")),
    }
}
