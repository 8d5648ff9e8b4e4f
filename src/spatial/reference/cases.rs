//! Random questions: stars with holes, lines, points, circles, corridors and convoys, over the antimeridian, near the
//! poles and on the equator, three in ten within two metres of the boundary.

use super::measure::{self, Raw, Xy};
use crate::spatial::shape::ShapeError;
use crate::spatial::{Area, Footprint, Position, Timing, Track, TrackError, Waypoint, Window};
use proptest::prelude::*;
use time::{Duration, OffsetDateTime};

/// An area, an object, and how far from the boundary to ask.
#[derive(Clone, Debug)]
pub(super) struct ShapeCase {
    pub area: Raw,
    pub reach_m: f64,
    pub object: Raw,
    /// Within two metres of the boundary, or as a share of the distance.
    pub close: bool,
    pub offset: f64,
    pub share: f64,
}

impl ShapeCase {
    pub fn offset_m(&self, truth_m: f64) -> f64 {
        if self.close {
            self.offset * 2.0
        } else {
            self.offset * truth_m.max(1.0)
        }
    }

    pub fn area(&self) -> Result<Area, ShapeError> {
        match &self.area {
            Raw::Point(p) => Area::circle(position(*p), self.reach_m),
            Raw::Line(_) => Area::corridor(&json(&self.area).parse().unwrap(), self.reach_m),
            Raw::Polygons(_) => Area::from_json(&json(&self.area)),
        }
    }

    pub fn footprint(&self) -> Result<Footprint, ShapeError> {
        Footprint::from_json(&json(&self.object))
    }

    pub fn distance_m(&self) -> f64 {
        let reach_m = if matches!(self.area, Raw::Polygons(_)) {
            0.0
        } else {
            self.reach_m
        };
        (measure::distance_m(&self.area, &self.object) - reach_m).max(0.0)
    }
}

fn wrap(lon: f64) -> f64 {
    if (-180.0..=180.0).contains(&lon) {
        lon
    } else {
        (lon + 180.0).rem_euclid(360.0) - 180.0
    }
}

fn position(p: Xy) -> Position {
    Position::new(wrap(p[0]), p[1]).unwrap()
}

pub(super) fn json(raw: &Raw) -> String {
    let pair = |p: &Xy| format!("[{:?},{:?}]", wrap(p[0]), p[1]);
    let list = |points: &[Xy]| {
        format!(
            "[{}]",
            points.iter().map(pair).collect::<Vec<_>>().join(",")
        )
    };
    let ring = |points: &Vec<Xy>| {
        let mut closed = points.clone();
        closed.push(points[0]);
        list(&closed)
    };
    let polygon = |rings: &Vec<Vec<Xy>>| {
        format!("[{}]", rings.iter().map(ring).collect::<Vec<_>>().join(","))
    };
    match raw {
        Raw::Point(p) => format!(r#"{{"type":"Point","coordinates":{}}}"#, pair(p)),
        Raw::Line(points) => format!(r#"{{"type":"LineString","coordinates":{}}}"#, list(points)),
        Raw::Polygons(polygons) => {
            let all = polygons.iter().map(polygon).collect::<Vec<_>>().join(",");
            format!(r#"{{"type":"MultiPolygon","coordinates":[{all}]}}"#)
        }
    }
}

/// Where things happen.
fn centre() -> impl Strategy<Value = Xy> {
    prop_oneof![
        3 => (-180.0..180.0_f64, -70.0..70.0_f64),
        2 => (179.0..181.0_f64, -65.0..65.0_f64),
        2 => (-180.0..180.0_f64, 84.0..89.9_f64),
        1 => (-180.0..180.0_f64, -89.9..-84.0_f64),
        1 => (-180.0..180.0_f64, -0.01..0.01_f64),
    ]
    .prop_map(|(lon, lat)| [lon, lat])
}

/// A place so many metres east and north of another, on a flat map.
fn moved(from: Xy, east_m: f64, north_m: f64) -> Xy {
    let lat = (from[1] + north_m / 111_200.0).clamp(-89.99, 89.99);
    let wide = from[1].to_radians().cos().max(0.01) * 111_300.0;
    [from[0] + (east_m / wide).clamp(-40.0, 40.0), lat]
}

fn star() -> impl Strategy<Value = (Vec<f64>, f64, bool, bool)> {
    (
        prop::collection::vec(0.3..1.0_f64, 3..9),
        0.0..1.0_f64,
        any::<bool>(),
        any::<bool>(),
    )
}

/// A star-shaped ring never crosses itself; the same star, smaller, is its hole.
fn polygon(
    at: Xy,
    size_m: f64,
    (radii, turn, hole, backward): &(Vec<f64>, f64, bool, bool),
) -> Vec<Vec<Xy>> {
    let count = f64::from(u8::try_from(radii.len()).unwrap());
    let ring = |scale: f64| -> Vec<Xy> {
        let corner = |(n, radius): (usize, &f64)| {
            let angle =
                (f64::from(u8::try_from(n).unwrap()) + turn) / count * std::f64::consts::TAU;
            moved(
                at,
                size_m * scale * radius * angle.cos(),
                size_m * scale * radius * angle.sin(),
            )
        };
        let mut points: Vec<Xy> = radii.iter().enumerate().map(corner).collect();
        if *backward {
            points.reverse();
        }
        points
    };
    if *hole {
        vec![ring(1.0), ring(0.4)]
    } else {
        vec![ring(1.0)]
    }
}

fn boxed(at: Xy, size_m: f64) -> Vec<Vec<Xy>> {
    let [west, south] = moved(at, -size_m, -size_m);
    let [east, north] = moved(at, size_m, size_m);
    vec![vec![
        [west, south],
        [east, south],
        [east, north],
        [west, north],
    ]]
}

fn line(at: Xy, size_m: f64, steps: &[(f64, f64)]) -> Raw {
    let mut points = vec![at];
    for (east, north) in steps {
        points.push(moved(
            *points.last().unwrap(),
            size_m * east,
            size_m * north,
        ));
    }
    Raw::Line(points)
}

fn raw(at: Xy) -> impl Strategy<Value = Raw> {
    let size = || (1.0..5.2_f64).prop_map(|power| 10_f64.powf(power));
    let steps = prop::collection::vec((-1.0..1.0_f64, -1.0..1.0_f64), 1..4);
    prop_oneof![
        3 => Just(Raw::Point(at)),
        2 => (size(), steps).prop_map(move |(size_m, steps)| line(at, size_m, &steps)),
        3 => (size(), star()).prop_map(move |(size_m, star)| Raw::Polygons(vec![polygon(at, size_m, &star)])),
        1 => size().prop_map(move |size_m| Raw::Polygons(vec![boxed(at, size_m)])),
        1 => (size(), star(), star()).prop_map(move |(size_m, one, two)| {
            Raw::Polygons(vec![polygon(at, size_m, &one), polygon(moved(at, size_m * 1.5, 0.0), size_m, &two)])
        }),
    ]
}

/// Any two shapes, from touching to hundreds of kilometres apart.
pub(super) fn shapes() -> impl Strategy<Value = ShapeCase> {
    (centre(), -1.0..1.0_f64, -1.0..1.0_f64, 0.0..5.5_f64)
        .prop_flat_map(|(at, east, north, power)| {
            let apart_m = 10_f64.powf(power);
            (raw(at), raw(moved(at, east * apart_m, north * apart_m)))
        })
        .prop_flat_map(|(area, object)| {
            (
                Just(area),
                Just(object),
                0.0..30_000.0_f64,
                0..10_u8,
                -1.0..1.0_f64,
                0.0..1.0_f64,
            )
        })
        .prop_map(|(area, object, reach_m, tenth, offset, share)| {
            let close = tenth < 3;
            ShapeCase {
                area,
                reach_m,
                object,
                close,
                offset,
                share,
            }
        })
}

/// A movement with times, and a window.
#[derive(Clone, Debug)]
pub(super) struct MovementCase {
    pub shape: ShapeCase,
    pub route: Vec<Xy>,
    pub leg_s: Vec<u32>,
    pub slack_s: u32,
    pub half_width_m: f64,
    /// From and length of the window, as shares of the journey.
    pub window: (f64, f64),
    pub overdue: bool,
}

const START: OffsetDateTime = time::macros::datetime!(2026-05-03 06:00 UTC);

impl MovementCase {
    pub fn area(&self) -> Result<Area, ShapeError> {
        self.shape.area()
    }

    fn times(&self) -> Vec<i64> {
        let mut at = 0;
        std::iter::once(0)
            .chain(self.leg_s.iter().map(|s| {
                at += i64::from(*s);
                at
            }))
            .collect()
    }

    pub fn track(&self) -> Result<Track, TrackError> {
        let waypoints: Vec<Waypoint> = self
            .route
            .iter()
            .zip(self.times())
            .map(|(p, after_s)| Waypoint {
                position: position(*p),
                timing: Some(Timing {
                    at: START + Duration::seconds(after_s),
                    slack_s: self.slack_s,
                }),
            })
            .collect();
        Track::new(&waypoints, self.half_width_m)
    }

    #[allow(clippy::cast_possible_truncation, reason = "a few days in seconds")]
    fn window_s(&self) -> [i64; 2] {
        let whole = f64::from(self.leg_s.iter().sum::<u32>());
        let from = (self.window.0 * whole) as i64;
        [from, from + (self.window.1 * whole) as i64]
    }

    pub fn window(&self) -> Window {
        self.window_moved(0)
    }

    pub fn window_moved(&self, by_s: i64) -> Window {
        let at = |s: i64| Some(START + Duration::seconds(s + by_s));
        let [from, until] = self.window_s();
        Window::new(at(from), at(until)).unwrap()
    }

    /// The least distance over all moments of the window and all delays the slack allows; `None` when not under way.
    pub fn distance_m(&self) -> Option<f64> {
        let reach_m = self.half_width_m
            + if matches!(self.shape.area, Raw::Polygons(_)) {
                0.0
            } else {
                self.shape.reach_m
            };
        let times = self.times();
        let mut least: Option<f64> = None;
        for (n, leg) in self.route.windows(2).enumerate() {
            if let Some((low, high)) = self.open_part(times[n], times[n + 1]) {
                let found = measure::from_leg_m(leg[0], leg[1], low, high, &self.shape.area);
                least = Some(least.map_or(found, |l| l.min(found)));
            }
        }
        least.map(|m| (m - reach_m).max(0.0))
    }

    /// The part of a leg that some delay of at most the slack puts into the window.
    #[allow(clippy::cast_precision_loss, reason = "a few days in seconds")]
    fn open_part(&self, depart_s: i64, arrive_s: i64) -> Option<(f64, f64)> {
        if self.overdue {
            return Some((0.0, 1.0));
        }
        let [from, until] = self.window_s();
        let (first, last) = (
            from - i64::from(self.slack_s),
            until + i64::from(self.slack_s),
        );
        if last < depart_s || first > arrive_s {
            return None;
        }
        let share =
            |at: i64| ((at - depart_s) as f64 / (arrive_s - depart_s) as f64).clamp(0.0, 1.0);
        Some((share(first), share(last)))
    }
}

/// Convoys of one to three legs past some area.
pub(super) fn movements() -> impl Strategy<Value = MovementCase> {
    let simple = shapes().prop_filter("areas of one part are enough here", |case| {
        match &case.area {
            Raw::Polygons(polygons) => polygons.len() == 1,
            _ => true,
        }
    });
    let steps = prop::collection::vec((-1.0..1.0_f64, -1.0..1.0_f64), 1..4);
    let window = (-0.6..1.3_f64, 0.0..0.6_f64);
    (
        simple,
        steps,
        2.0..5.0_f64,
        0.0..1_500.0_f64,
        0..3_u8,
        window,
        0..10_u8,
    )
        .prop_flat_map(
            |(shape, steps, power, half_width_m, slack, window, overdue)| {
                let legs = steps.len();
                let seconds = prop::collection::vec(600..40_000_u32, legs);
                (
                    Just((shape, steps, power, half_width_m, slack, window, overdue)),
                    seconds,
                )
            },
        )
        .prop_map(
            |((shape, steps, power, half_width_m, slack, window, overdue), leg_s)| {
                let start = match &shape.object {
                    Raw::Point(p) => *p,
                    Raw::Line(points) => points[0],
                    Raw::Polygons(polygons) => polygons[0][0][0],
                };
                let Raw::Line(route) = line(start, 10_f64.powf(power), &steps) else {
                    unreachable!("a line")
                };
                let slack_s = [0, 300, 3_600][usize::from(slack)];
                MovementCase {
                    shape,
                    route,
                    leg_s,
                    slack_s,
                    half_width_m,
                    window,
                    overdue: overdue == 0,
                }
            },
        )
}
