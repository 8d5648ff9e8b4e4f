//! Can this route be driven? The straight line between two waypoints is the shortest way there, so a leg that is too fast
//! along it is too fast along any road: a place or a time is wrong.

use time::Duration;

use super::super::{Position, Reading, TypedPosition, TypedTime, format_rfc3339};
use super::{Code, Likely, Warning, distance_text};
use crate::domain::plural::count;

/// Faster than this in a straight line no convoy drives, km/h.
pub const MAX_SPEED_KMH: f64 = 110.0;

/// One waypoint as typed.
#[derive(Clone, Copy)]
pub struct TypedWaypoint<'a> {
    /// Where.
    pub position: &'a TypedPosition,
    /// When, if said.
    pub at: Option<&'a TypedTime>,
    /// How much earlier or later it may be.
    pub slack: Duration,
}

/// What else is known about the route.
#[derive(Clone, Copy)]
pub struct RouteContext<'a> {
    /// JSON pointer of the waypoints; the number of the waypoint (from 0) is appended.
    pub subject: &'a str,
    /// The speed above which a leg is asked about, km/h; [`MAX_SPEED_KMH`] for road vehicles.
    pub max_speed_kmh: f64,
}

/// A waypoint that has a time, and the way since the one before that has.
struct Timed<'a> {
    index: usize,
    waypoint: TypedWaypoint<'a>,
    time: &'a TypedTime,
}

/// Warnings on the legs of a route, at most one a leg. The work is linear in the number of waypoints.
pub fn lint_route(waypoints: &[TypedWaypoint<'_>], context: &RouteContext<'_>) -> Vec<Warning> {
    let mut out = Vec::new();
    let mut before: Option<Timed<'_>> = None;
    let mut way_m = 0.0;
    let mut previous: Option<Position> = None;
    for (index, waypoint) in waypoints.iter().copied().enumerate() {
        let here = waypoint.position.position;
        way_m += previous.map_or(0.0, |previous| previous.distance_m(&here));
        previous = Some(here);
        let Some(time) = waypoint.at else { continue };
        let timed = Timed {
            index,
            waypoint,
            time,
        };
        if let Some(before) = before.replace(Timed {
            index,
            waypoint,
            time,
        }) {
            out.extend(leg(&before, &timed, way_m, context));
        }
        way_m = 0.0;
    }
    out
}

fn leg(a: &Timed<'_>, b: &Timed<'_>, way_m: f64, context: &RouteContext<'_>) -> Option<Warning> {
    let subject = format!("{}/{}", context.subject, b.index);
    let (from, to) = (a.index + 1, b.index + 1);
    if b.time.utc < a.time.utc {
        let (after, until) = (format_rfc3339(a.time.utc), format_rfc3339(b.time.utc));
        let message = format!(
            "waypoint {to} ({until}) is before waypoint {from} ({after}). Check day and zone of both"
        );
        return Some(Warning {
            code: Code::TimesOutOfOrder,
            subject,
            message,
            likely: None,
        });
    }
    let most = (b.time.utc - a.time.utc)
        .saturating_add(a.waypoint.slack)
        .saturating_add(b.waypoint.slack);
    let speed = speed_kmh(way_m, most);
    if speed <= context.max_speed_kmh {
        return None;
    }
    let shown = if speed.is_finite() {
        format!("{speed:.0} km/h at least")
    } else {
        "no time at all".to_owned()
    };
    let mut message = format!(
        "waypoint {from} to waypoint {to} is {} in a straight line in {}, slack included: {shown}. A place or a time is wrong",
        distance_text(way_m),
        count(most.whole_minutes(), "minute"),
    );
    let likely = (b.index == a.index + 1)
        .then(|| mended(a, b, most, context))
        .flatten();
    if let Some((waypoint, reading)) = likely {
        message = format!(
            "{message}. Waypoint {waypoint} may be a slip: {}. Did you mean {reading}?",
            reading.slip().explanation()
        );
    }
    Some(Warning {
        code: Code::LegTooFast,
        subject,
        message,
        likely: likely.map(|(_, reading)| Likely::Place(reading)),
    })
}

/// A reading of either end that makes the leg one that can be driven; the later end first.
fn mended(
    a: &Timed<'_>,
    b: &Timed<'_>,
    most: Duration,
    context: &RouteContext<'_>,
) -> Option<(usize, Reading)> {
    let drives = |fixed: Position| {
        move |reading: &&Reading| {
            speed_kmh(fixed.distance_m(&reading.position()), most) <= context.max_speed_kmh
        }
    };
    let (start, end) = (a.waypoint.position, b.waypoint.position);
    let later = end
        .alternatives
        .iter()
        .find(drives(start.position))
        .map(|reading| (b.index + 1, *reading));
    later.or_else(|| {
        start
            .alternatives
            .iter()
            .find(drives(end.position))
            .map(|reading| (a.index + 1, *reading))
    })
}

/// Infinite for a way in no time; zero for no way.
fn speed_kmh(metres: f64, time: Duration) -> f64 {
    // Under a metre two waypoints are one.
    if metres < 1.0 {
        0.0
    } else {
        metres / time.as_seconds_f64().max(0.0) * 3.6
    }
}
