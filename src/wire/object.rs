//! From what a part says to what the geometry engine works on: the one reading of a `place` or an `area` that the
//! composing client, the intake, the check and the list share, so that none of them can read it differently.

use geojson::GeometryValue;
use time::{OffsetDateTime, UtcOffset};

use super::parts::{AskedArea, Place, ProgressPart, Waypoint};
use super::policy::Policy;
use super::problem::{Problem, ProblemKind};
use crate::domain::exchange::Step;
use crate::domain::notification::Subject;
use crate::domain::plural::count;
use crate::spatial::shape::MAX_REACH_M;
use crate::spatial::track::{self, Timing, Track, TrackError};
use crate::spatial::{Area, Footprint, Position, ShapeError, Window};

/// The greatest buffer that may be requested, metres.
pub const MAX_BUFFER_M: f64 = 50_000.0;
/// Characters in a name, a reference or another short text.
pub const MAX_TEXT: usize = 500;

/// A notified object, ready for the exact test. Prints as `[sealed]`.
#[derive(Clone)]
pub struct Object {
    /// What it is.
    pub shape: Shape,
    /// When it is there, slack included. Open where nothing is said.
    pub validity: Window,
    /// The buffer to count, in metres: the requested one, else the policy's or the category's default.
    pub buffer_m: f64,
    /// How much later than notified what remains of a movement may be, in seconds.
    pub delayed_s: u32,
}

/// A site's footprint, or a movement's track.
#[derive(Clone)]
pub enum Shape {
    /// A site.
    Site(Footprint),
    /// A movement.
    Movement(Box<Track>),
}

impl std::fmt::Debug for Object {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Object[sealed]")
    }
}

impl Object {
    /// Reads a `place`.
    ///
    /// # Errors
    /// What is wrong with geometry, times or numbers, with a pointer into the place that begins with `/place`.
    pub fn read(place: &Place, subject: Subject, policy: &Policy) -> Result<Self, Problem> {
        let properties = &place.properties;
        check_texts(place)?;
        length(
            properties.buffer_m,
            MAX_BUFFER_M,
            "/place/properties/buffer_m",
        )?;
        length(
            properties.accuracy_m,
            MAX_REACH_M,
            "/place/properties/accuracy_m",
        )?;
        let window = properties.window.map_or(Ok(Window::ALWAYS), |w| {
            bounded_window(&w, "/place/properties/window")
        })?;
        let category = properties.category;
        let default = policy
            .buffers_m
            .get(&category)
            .copied()
            .unwrap_or_else(|| category.default_buffer_m());
        let buffer_m = properties.buffer_m.unwrap_or(default);
        let (shape, validity) = match subject {
            Subject::Site => {
                if !properties.waypoints.is_empty() || properties.half_width_m.is_some() {
                    return Err(Problem::new(ProblemKind::MovementInvalid)
                        .detail("a site has no waypoints and no half-width; notify a movement")
                        .pointer("/place/properties"));
                }
                let footprint = Footprint::from_geojson(&place.geometry)
                    .map_err(|e| refused_shape(&e, "/place/geometry"))?;
                (Shape::Site(footprint), window)
            }
            Subject::Movement => {
                let track = read_track(place)?;
                let validity = hull(track.span(), window, &properties.waypoints);
                (Shape::Movement(Box::new(track)), validity)
            }
        };
        Ok(Self {
            shape,
            validity,
            buffer_m,
            delayed_s: 0,
        })
    }
}

impl Object {
    /// What remains of a movement is later than notified. Nothing changes of a site, or where nothing is said of a delay.
    pub fn delay(&mut self, progress: &ProgressPart) {
        let Shape::Movement(track) = &mut self.shape else {
            return;
        };
        let late_s = match (progress.step, progress.delay_s) {
            (Step::Delayed, Some(late_s)) if late_s > 0 => late_s,
            _ => return,
        };
        let from = progress.waypoint.unwrap_or(0);
        track.delay(usize::try_from(from).unwrap_or(usize::MAX), late_s);
        self.delayed_s = late_s;
        let later = |at: OffsetDateTime| at.checked_add(time::Duration::seconds(late_s.into()));
        // A window that ends where time does is left open: longer, never shorter.
        let until = self.validity.until().and_then(later);
        self.validity = Window::new(self.validity.from(), until).unwrap_or(Window::ALWAYS);
    }
}

/// A movement with times on its waypoints lasts as long as they say, or as its window says if that is longer; one
/// without lasts for its window.
fn hull(span: Window, window: Window, waypoints: &[Waypoint]) -> Window {
    let timed = waypoints
        .iter()
        .any(|w| w.at.is_some() || w.depart.is_some());
    if !timed {
        return window;
    }
    let from = match (span.from(), window.from()) {
        (Some(a), Some(b)) => Some(a.min(b)),
        (a, b) => a.or(b),
    };
    let until = match (span.until(), window.until()) {
        (Some(a), Some(b)) => Some(a.max(b)),
        (a, b) => a.or(b),
    };
    Window::new(from, until).unwrap_or(Window::ALWAYS)
}

fn read_track(place: &Place) -> Result<Track, Problem> {
    let positions = match &place.geometry.value {
        GeometryValue::LineString { coordinates } => coordinates.iter().collect(),
        GeometryValue::Point { coordinates } => vec![coordinates, coordinates],
        _ => {
            return Err(Problem::new(ProblemKind::MovementInvalid)
                .detail("a movement's geometry is a LineString with one position a waypoint, or a Point")
                .pointer("/place/geometry"));
        }
    };
    let waypoints = &place.properties.waypoints;
    let stays = positions.len() == 2 && matches!(place.geometry.value, GeometryValue::Point { .. });
    if !waypoints.is_empty() && !stays && waypoints.len() != positions.len() {
        return Err(Problem::new(ProblemKind::MovementInvalid)
            .detail(format!(
                "{} for {}; give one for each",
                count(waypoints.len(), "waypoint"),
                count(positions.len(), "position")
            ))
            .pointer("/place/properties/waypoints"));
    }
    let mut steps = Vec::with_capacity(positions.len() + 1);
    // A track may gain a step for each stay; an index in an error must still name the waypoint as given.
    let mut given = Vec::with_capacity(positions.len() + 1);
    for (index, at) in positions.iter().enumerate() {
        let position = position(at).ok_or_else(|| {
            Problem::new(ProblemKind::GeometryOutOfRange)
                .pointer(format!("/place/geometry/coordinates/{index}"))
        })?;
        let waypoint = if stays {
            waypoints.first()
        } else {
            waypoints.get(index)
        };
        for timing in timings(waypoint, index)?
            .into_iter()
            .filter(|t| t.is_some() || !stays || index == 0)
        {
            steps.push(track::Waypoint { position, timing });
            given.push(index);
        }
        if stays && steps.len() >= 2 {
            break;
        }
    }
    if let (true, 1, Some(only)) = (stays, steps.len(), steps.first().copied()) {
        steps.push(only);
    }
    Track::new(&steps, place.properties.half_width_m.unwrap_or(0.0))
        .map_err(|error| refused_track(&error, &given))
}

/// The times of a waypoint: one, or arrival and departure of a stay. `None` stands for a waypoint without a time.
fn timings(waypoint: Option<&Waypoint>, index: usize) -> Result<Vec<Option<Timing>>, Problem> {
    let Some(waypoint) = waypoint else {
        return Ok(vec![None]);
    };
    let timing = |at: OffsetDateTime| {
        Some(Timing {
            at,
            slack_s: waypoint.slack_s,
        })
    };
    for (at, member) in [(waypoint.at, "at"), (waypoint.depart, "depart")] {
        if !at.is_none_or(is_near) {
            return Err(too_far(&format!(
                "/place/properties/waypoints/{index}/{member}"
            )));
        }
    }
    match (waypoint.at, waypoint.depart) {
        (Some(at), Some(depart)) if depart < at => Err(Problem::new(ProblemKind::MovementInvalid)
            .detail("it departs before it arrives")
            .pointer(format!("/place/properties/waypoints/{index}"))
            .vertex(u64::try_from(index).unwrap_or(0))),
        (Some(at), Some(depart)) => Ok(vec![timing(at), timing(depart)]),
        (Some(one), None) | (None, Some(one)) => Ok(vec![timing(one)]),
        (None, None) => Ok(vec![None]),
    }
}

fn position(at: &geojson::Position) -> Option<Position> {
    let numbers: &[f64] = at.as_slice();
    match numbers {
        [lon, lat] | [lon, lat, _] => Position::new(*lon, *lat).ok(),
        _ => None,
    }
}

/// Reads an `area`.
///
/// # Errors
/// What is wrong with it, with a pointer that begins with `/area/area`.
pub fn read_area(asked: &AskedArea) -> Result<Area, Problem> {
    match asked {
        AskedArea::Polygon { geometry } => {
            Area::from_geojson(geometry).map_err(|e| refused_shape(&e, "/area/area/geometry"))
        }
        AskedArea::Circle {
            center: [lon, lat],
            radius_m,
        } => {
            let centre = Position::new(*lon, *lat).map_err(|_| {
                Problem::new(ProblemKind::GeometryOutOfRange).pointer("/area/area/center")
            })?;
            Area::circle(centre, *radius_m).map_err(|e| refused_shape(&e, "/area/area/radius_m"))
        }
        AskedArea::Corridor {
            geometry,
            half_width_m,
        } => Area::corridor(geometry, *half_width_m)
            .map_err(|e| refused_shape(&e, "/area/area/geometry")),
    }
}

fn length(value: Option<f64>, limit: f64, pointer: &str) -> Result<(), Problem> {
    match value {
        Some(metres) if !(0.0..=limit).contains(&metres) => {
            Err(Problem::new(ProblemKind::InvalidMember)
                .detail(format!("a length in metres from 0 to {limit}"))
                .pointer(pointer))
        }
        _ => Ok(()),
    }
}

fn check_texts(place: &Place) -> Result<(), Problem> {
    let p = &place.properties;
    let texts = [
        (Some(&p.name), "name"),
        (p.name_local.as_ref(), "name_local"),
        (p.pcode.as_ref(), "pcode"),
        (p.country.as_ref(), "country"),
        (p.marking.as_ref(), "marking"),
        (p.typed.as_ref(), "typed"),
        (p.window_typed.as_ref(), "window_typed"),
        (p.reference.as_ref(), "reference"),
        (p.note.as_ref(), "note"),
    ];
    if p.name.trim().is_empty() {
        return Err(Problem::new(ProblemKind::InvalidMember)
            .detail("a name is required")
            .pointer("/place/properties/name"));
    }
    for (text, member) in texts {
        if text.is_some_and(|t| t.chars().count() > MAX_TEXT) {
            return Err(Problem::new(ProblemKind::InvalidMember)
                .detail(format!("at most {MAX_TEXT} characters"))
                .pointer(format!("/place/properties/{member}")));
        }
    }
    Ok(())
}

/// A geometry's fault as a problem: kind, words and pointer, never the position.
pub fn refused_shape(error: &ShapeError, prefix: &str) -> Problem {
    let kind = match error {
        ShapeError::Position { .. } => ProblemKind::GeometryOutOfRange,
        ShapeError::RingCrossesItself { .. } | ShapeError::RingsCross { .. } => {
            ProblemKind::GeometryCrossesItself
        }
        ShapeError::EdgeTooLong { .. } | ShapeError::SpanTooWide => ProblemKind::GeometryTooWide,
        ShapeError::TooManyVertices { .. } => ProblemKind::GeometryTooManyVertices,
        ShapeError::Malformed
        | ShapeError::Unsupported { .. }
        | ShapeError::Empty { .. }
        | ShapeError::Arity { .. }
        | ShapeError::LineTooShort { .. }
        | ShapeError::RingTooShort { .. }
        | ShapeError::RingNotClosed { .. }
        | ShapeError::RingWithoutArea { .. }
        | ShapeError::HoleOutside { .. }
        | ShapeError::Reach => ProblemKind::GeometryInvalid,
    };
    let problem = Problem::new(kind)
        .detail(error.to_string())
        .pointer(format!("{prefix}{}", error.pointer()));
    let vertex = error
        .pointer()
        .rsplit('/')
        .next()
        .and_then(|index| index.parse().ok());
    match vertex {
        Some(vertex) => problem.vertex(vertex),
        None => problem,
    }
}

fn refused_track(error: &TrackError, given: &[usize]) -> Problem {
    let at = |step: usize| given.get(step).copied().unwrap_or(step);
    let problem = |kind: ProblemKind, words: &str| Problem::new(kind).detail(words.to_owned());
    let located = |words: &str, step: usize| {
        problem(ProblemKind::MovementInvalid, words)
            .pointer(format!("/place/properties/waypoints/{}", at(step)))
            .vertex(u64::try_from(at(step)).unwrap_or(0))
    };
    match error {
        TrackError::TooFewWaypoints | TrackError::HalfWidth => {
            problem(ProblemKind::MovementInvalid, &error.to_string())
        }
        TrackError::TooManyWaypoints { .. } => {
            problem(ProblemKind::GeometryTooManyVertices, &error.to_string())
        }
        TrackError::TimesRunBackward { waypoint } => located(
            "this waypoint's time is before an earlier waypoint's; put them in order of time",
            *waypoint,
        ),
        TrackError::LegTooLong { waypoint } => located(
            "the leg that starts here is longer than 5,000 km; add waypoints on the way",
            *waypoint,
        ),
        TrackError::SlackTooLong { waypoint } => located(
            "the slack is more than thirty days; leave the time out instead",
            *waypoint,
        ),
    }
}

fn refused_window(error: crate::spatial::WindowError, pointer: &str) -> Problem {
    Problem::new(ProblemKind::WindowInvalid)
        .detail(error.to_string())
        .pointer(pointer)
}

/// Whether a time lies in the years 1 to 9998 in UTC: RFC 3339 writes four digits for a year, and an offset or a slack may
/// lead out of them.
fn is_near(at: OffsetDateTime) -> bool {
    at.checked_to_offset(UtcOffset::UTC)
        .is_some_and(|utc| (1..=9998).contains(&utc.year()))
}

fn too_far(pointer: &str) -> Problem {
    Problem::new(ProblemKind::WindowInvalid)
        .detail("a time lies in the years 1 to 9998; leave a bound out to keep it open")
        .pointer(pointer)
}

fn bounded_window(window: &super::parts::Window, pointer: &str) -> Result<Window, Problem> {
    for (at, member) in [(window.from, "from"), (window.until, "until")] {
        if !at.is_none_or(is_near) {
            return Err(too_far(&format!("{pointer}/{member}")));
        }
    }
    Window::new(window.from, window.until).map_err(|error| refused_window(error, pointer))
}

/// Reads a window of a check.
///
/// # Errors
/// `window-invalid` when it ends before it starts, or a bound lies outside the years 1 to 9998.
pub fn read_window(window: &super::parts::Window) -> Result<Window, Problem> {
    bounded_window(window, "/area/window")
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Times that RFC 3339 can write and that leave its years in UTC.
    const TOO_FAR: [&str; 3] = [
        "9999-12-31T23:59:59-23:59",
        "9999-12-31T23:59:59Z",
        "0000-01-01T00:00:00+23:59",
    ];

    fn movement(window: &serde_json::Value, waypoints: &serde_json::Value) -> Place {
        serde_json::from_value(serde_json::json!({
            "type": "Feature",
            "geometry": {"type": "LineString", "coordinates": [[30.0, 10.0], [30.1, 10.0]]},
            "properties": {
                "category": "other", "name": "A convoy", "relation": "run", "window": window, "waypoints": waypoints,
            },
        }))
        .expect("a place")
    }

    #[test]
    fn no_missed_conflict_a_time_that_no_answer_can_write_is_refused_where_it_enters() {
        for far in TOO_FAR {
            for member in ["from", "until"] {
                let window = serde_json::json!({ (member): far });
                let place = movement(&window, &serde_json::json!([]));
                let problem = Object::read(&place, Subject::Movement, &Policy::default())
                    .expect_err("a window out of all years");
                assert_eq!(
                    problem.body().pointer.as_deref(),
                    Some(format!("/place/properties/window/{member}").as_str())
                );
                let asked = serde_json::from_value(window).expect("a window");
                assert!(read_window(&asked).is_err());
            }
            for member in ["at", "depart"] {
                let waypoints = serde_json::json!([{}, { (member): far }]);
                let place = movement(&serde_json::json!({}), &waypoints);
                let problem = Object::read(&place, Subject::Movement, &Policy::default())
                    .expect_err("a waypoint out of all years");
                assert_eq!(
                    problem.body().pointer.as_deref(),
                    Some(format!("/place/properties/waypoints/1/{member}").as_str())
                );
            }
        }
    }
}
