//! The closest approach of a movement to an area while a window lasts, and for how long it may be that near. A place on
//! the route counts if any moment at which it may be occupied lies in the window, so nothing is missed between samples.

use super::{Occupied, Presence, Track};
use crate::spatial::curve::Curve;
use crate::spatial::nearest::{Nearest, TOUCH_M};
use crate::spatial::proximity::{self, Proximity, Side};
use crate::spatial::shape::outline::{Outline, Part, blocks};
use crate::spatial::window::{Window, moment};
use crate::spatial::{Area, geodesy};

/// Steps toward the moment at which a limit is passed; what is left then counts as within.
const MARCH: u32 = 96;
/// How exactly that moment is sought, in parts of a leg.
const MARCH_END: f64 = 2e-6;
/// Seconds by which a double may be off.
const CLOCK_S: f64 = 1e-5;

/// How near a movement may come to an area within a window.
#[derive(Clone, Copy, PartialEq)]
pub struct Approach {
    /// Least distance in metres between the area and the column (its half-width counted), and whether they meet.
    pub proximity: Proximity,
    /// The leg on which that is, from 0.
    pub leg: usize,
    /// When the movement may be at the nearest place, by its own times and within the window.
    pub nearest: Window,
    /// From when until when it may be within the limit that was asked about, within the window.
    pub overlap: Window,
}

impl std::fmt::Debug for Approach {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("[sealed]")
    }
}

/// A part of a leg that may be occupied within the window.
struct Active {
    leg: usize,
    range: [f64; 2],
    times: Occupied,
}

impl Occupied {
    fn always() -> Self {
        Self {
            earliest: [f64::NEG_INFINITY; 2],
            latest: [f64::INFINITY; 2],
        }
    }

    fn between([a, b]: [f64; 2], u: f64) -> f64 {
        if u <= 0.0 || a.total_cmp(&b).is_eq() {
            a
        } else if u >= 1.0 {
            b
        } else {
            a + (b - a) * u
        }
    }

    /// The part of the leg (0..1) that may be occupied at some moment of the window.
    fn range_in(&self, [from, until]: [f64; 2]) -> Option<[f64; 2]> {
        // Where earliest(u) ≤ until and −latest(u) ≤ −from.
        let one = below(self.earliest, until + CLOCK_S)?;
        let two = below(self.latest.map(|t| -t), -from + CLOCK_S)?;
        let range = [one[0].max(two[0]), one[1].min(two[1])];
        (range[0] <= range[1]).then_some(range)
    }

    /// From the earliest to the latest moment over a part of the leg, within the window.
    fn over(&self, [a, b]: [f64; 2], [from, until]: [f64; 2]) -> [f64; 2] {
        let early = Self::between(self.earliest, a).min(Self::between(self.earliest, b));
        let late = Self::between(self.latest, a).max(Self::between(self.latest, b));
        [early.max(from), late.min(until)]
    }
}

/// The part of 0..1 on which a linear function is at most `bound`.
fn below([a, b]: [f64; 2], bound: f64) -> Option<[f64; 2]> {
    match (a <= bound, b <= bound) {
        (true, true) => Some([0.0, 1.0]),
        (false, false) => None,
        (true, false) => Some([0.0, ((bound - a) / (b - a)).clamp(0.0, 1.0)]),
        (false, true) => Some([((a - bound) / (a - b)).clamp(0.0, 1.0), 1.0]),
    }
}

impl Track {
    /// The closest approach to the area within the window, if it is at most `limit_m` metres (closed); `None` otherwise,
    /// and when the movement is surely not under way within the window. A limit that is not a number is none.
    pub fn approach_within(
        &self,
        area: &Area,
        window: &Window,
        presence: Presence,
        limit_m: f64,
    ) -> Option<Approach> {
        let limit_m = if limit_m.is_nan() {
            f64::INFINITY
        } else {
            limit_m.max(0.0) + TOUCH_M
        };
        let reach_m = area.reach_m() + self.half_width_m;
        let cutoff_m = limit_m + reach_m;
        let bounds = window.seconds();
        let (active, curves) = self.active(area.core(), bounds, presence, cutoff_m);
        let (index, s, core_m) = nearest(&curves, area.core(), cutoff_m)?;
        if core_m > cutoff_m {
            return None;
        }
        let at = active.get(index)?;
        let u = at.range[0] + s * (at.range[1] - at.range[0]);
        let mut overlap = at.times.over([u, u], bounds);
        for (part, curve) in active.iter().zip(&curves) {
            if let Some(range) = within_part(part, curve, area.core(), cutoff_m) {
                let span = part.times.over(range, bounds);
                overlap = [overlap[0].min(span[0]), overlap[1].max(span[1])];
            }
        }
        Some(Approach {
            proximity: Proximity::at(core_m - reach_m),
            leg: at.leg,
            nearest: window_of(at.times.over([u, u], bounds)),
            overlap: window_of(overlap),
        })
    }

    /// The closest approach to the area within the window, however far; `None` when the movement is surely not under way.
    pub fn closest_approach(
        &self,
        area: &Area,
        window: &Window,
        presence: Presence,
    ) -> Option<Approach> {
        self.approach_within(area, window, presence, f64::INFINITY)
    }

    /// The parts of legs that may be occupied in the window and are not surely too far, as geodesics of their own.
    fn active(
        &self,
        core: &Outline,
        bounds: [f64; 2],
        presence: Presence,
        cutoff_m: f64,
    ) -> (Vec<Active>, Vec<Curve>) {
        let (mut active, mut curves) = (Vec::new(), Vec::new());
        for block in &self.blocks {
            let floor_m = |other: &crate::spatial::shape::outline::Block| {
                geodesy::chord_m(block.centre, other.centre) - block.radius_m - other.radius_m
            };
            if core
                .blocks
                .iter()
                .all(|other| floor_m(other) > cutoff_m + 1e-6)
            {
                continue;
            }
            for leg in block.first..block.first + block.count {
                let times = match presence {
                    Presence::AsNotified => self.times.get(leg).copied(),
                    Presence::AnywhereFrom { leg: first } => (leg >= first).then(Occupied::always),
                };
                let Some((times, curve)) = times.zip(self.legs.get(leg)) else {
                    continue;
                };
                let Some(range) = times.range_in(bounds) else {
                    continue;
                };
                curves.push(part_of(curve, range));
                active.push(Active { leg, range, times });
            }
        }
        (active, curves)
    }
}

/// A part of a geodesic is the geodesic between its ends.
fn part_of(curve: &Curve, [a, b]: [f64; 2]) -> Curve {
    if a <= 0.0 && b >= 1.0 {
        return curve.clone();
    }
    Curve::geodesic(curve.at(a).at, curve.at(b).at)
}

/// The nearest place of all curves to the core: which, where on it, and how far.
fn nearest(curves: &[Curve], core: &Outline, cutoff_m: f64) -> Option<(usize, f64, f64)> {
    if let Some(index) = curves.iter().position(|curve| core.holds(curve.at(0.0).at)) {
        return Some((index, 0.0, 0.0));
    }
    let blocks = blocks(curves);
    let mut nearest = Nearest::within(cutoff_m);
    let side = Side {
        edges: curves,
        blocks: &blocks,
    };
    let holder = proximity::search(
        side,
        Side {
            edges: &core.edges,
            blocks: &core.blocks,
        },
        0.0,
        &mut nearest,
    )?;
    Some((holder, nearest.s, nearest.distance_m))
}

/// The part of the leg (in 0..1 of the whole leg) that may be within the limit: from the first place to the last.
fn within_part(part: &Active, curve: &Curve, core: &Outline, cutoff_m: f64) -> Option<[f64; 2]> {
    let one = std::slice::from_ref(curve);
    let (_, nearest_s, least_m) = nearest(one, core, cutoff_m)?;
    if least_m > cutoff_m {
        return None;
    }
    let [a, b] = part.range;
    let to_leg = |s: f64| a + s * (b - a);
    if cutoff_m.is_infinite() || curve.is_point() {
        return Some([a, b]);
    }
    let first = march(curve, core, cutoff_m, 0.0, nearest_s);
    let last = march(curve, core, cutoff_m, 1.0, nearest_s);
    Some([to_leg(first), to_leg(last)])
}

/// Walks from `start` toward `goal`, which is within the limit, each step no longer than the distance still above it: the
/// first place within the limit is never stepped over.
fn march(curve: &Curve, core: &Outline, cutoff_m: f64, start: f64, goal: f64) -> f64 {
    let direction = if goal < start { -1.0 } else { 1.0 };
    let mut s = start;
    for _ in 0..MARCH {
        let here = Outline::new(vec![Part::Point(curve.at(s).at)]);
        let above_m = proximity::outlines(&here, core, f64::INFINITY) - cutoff_m;
        let step = above_m / curve.speed_max;
        if step <= MARCH_END {
            break;
        }
        s += direction * step;
        if (goal - s) * direction <= 0.0 {
            return goal;
        }
    }
    s
}

fn window_of([from, until]: [f64; 2]) -> Window {
    Window::new(moment(from), moment(until.max(from))).unwrap_or(Window::ALWAYS)
}
