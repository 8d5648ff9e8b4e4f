//! The exact distance between two edges, by branch and bound on the geodesic distance itself.
//!
//! Long edges have several local minima and parallel ones a whole valley of them, so a descent alone can miss. Here every
//! pair of pieces carries a lower bound, and only what cannot hold anything nearer than the best so far is dropped:
//! first by the chord in space (a geodesic is never shorter), then, after a descent inside the pieces, by the second
//! variation of the distance: along a piece, distance can fall below its tangent only by what the curvature of the edges
//! and of the earth allows. If the budget runs out, the answer is the lower bound: too near, never too far.

use super::curve::{Curve, Sample};
use super::geodesy::{self, Ecef, MIN_RADIUS_M};
use std::cmp::Ordering;
use std::collections::BinaryHeap;

/// Pairs of pieces looked at before the lower bound is taken for the answer.
const BUDGET: u32 = 20_000;
/// Geodesics solved in one descent.
const DESCENT: u32 = 10;
/// Below this, in metres, two edges touch: geographiclib is good to 15 nm.
pub(crate) const TOUCH_M: f64 = 1e-6;

/// How far the answer may lie above the true distance, in metres, for distances of this size.
fn tolerance_m(distance_m: f64) -> f64 {
    2e-4 + (distance_m - 100_000.0).max(0.0) * 5e-7
}

/// The nearest approach found so far, over as many pairs of edges as are offered.
#[derive(Clone, Copy)]
pub(crate) struct Nearest {
    /// The distance in metres (infinite when nothing within the cutoff was found).
    pub distance_m: f64,
    /// Place on the first edge of the best pair, 0..1.
    pub s: f64,
    cutoff_m: f64,
}

/// A piece of each edge.
#[derive(Clone, Copy)]
struct Pieces {
    s: [f64; 2],
    t: [f64; 2],
}

/// Where a descent ended.
#[derive(Clone, Copy)]
struct Local {
    distance_m: f64,
    s: f64,
    t: f64,
    /// Change of the distance with s and with t, metres per unit.
    slope: [f64; 2],
}

impl Nearest {
    /// Looks for distances up to `cutoff_m`; anything surely beyond it is dropped unseen.
    pub fn within(cutoff_m: f64) -> Self {
        Self {
            distance_m: f64::INFINITY,
            s: 0.0,
            cutoff_m,
        }
    }

    /// What a pair must be able to undercut to be worth looking at.
    pub fn threshold_m(&self) -> f64 {
        if self.distance_m.is_finite() {
            (self.distance_m - tolerance_m(self.distance_m)).min(self.cutoff_m)
        } else {
            self.cutoff_m
        }
    }

    /// Takes a distance known otherwise.
    pub fn offer(&mut self, distance_m: f64, s: f64) -> bool {
        let nearer = distance_m < self.distance_m;
        if nearer {
            self.distance_m = distance_m;
            self.s = s;
        }
        nearer
    }

    /// Searches one pair of edges; true when it holds the nearest approach so far. The pieces that may be nearest come
    /// first, so that, should the budget run out, the answer is the best lower bound there is.
    pub fn search(&mut self, p: &Curve, q: &Curve) -> bool {
        let whole = |curve: &Curve| {
            if curve.is_point() {
                [0.0, 0.0]
            } else {
                [0.0, 1.0]
            }
        };
        let pieces = Pieces {
            s: whole(p),
            t: whole(q),
        };
        let mut open = BinaryHeap::from([Open {
            floor_m: 0.0,
            pieces,
        }]);
        let mut improved = false;
        let mut budget = BUDGET;
        while let Some(Open { floor_m, pieces }) = open.pop() {
            if self.distance_m <= TOUCH_M {
                break;
            }
            if floor_m > self.threshold_m() {
                return improved;
            }
            let (chord_m, start) = chord_floor(p, q, pieces);
            let floor_m = floor_m.max(chord_m);
            if floor_m > self.threshold_m() {
                continue;
            }
            if budget == 0 {
                return self.offer(floor_m, pieces.s[0]) || improved;
            }
            budget -= 1;
            let local = descend(p, q, pieces, start);
            improved |= self.offer(local.distance_m, local.s);
            let bound = bound_below(p, q, pieces, &local);
            let floor_m = floor_m.max(bound.floor_m);
            if floor_m < self.threshold_m() {
                open.extend(split(pieces, bound.halve_s).map(|pieces| Open { floor_m, pieces }));
            }
        }
        if self.distance_m <= TOUCH_M {
            self.distance_m = 0.0;
        }
        improved
    }
}

/// Pieces that may still hold something nearer, and how near at most. The nearest is the greatest.
struct Open {
    floor_m: f64,
    pieces: Pieces,
}

impl Ord for Open {
    fn cmp(&self, other: &Self) -> Ordering {
        other.floor_m.total_cmp(&self.floor_m)
    }
}

impl PartialOrd for Open {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl PartialEq for Open {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other).is_eq()
    }
}

impl Eq for Open {}

fn split(pieces: Pieces, halve_s: bool) -> [Pieces; 2] {
    let halves = |[a, b]: [f64; 2]| {
        let middle = f64::midpoint(a, b);
        [[a, middle], [middle, b]]
    };
    if halve_s {
        halves(pieces.s).map(|s| Pieces { s, ..pieces })
    } else {
        halves(pieces.t).map(|t| Pieces { t, ..pieces })
    }
}

/// A lower bound by chords in space, and the place on each piece from which to descend.
fn chord_floor(p: &Curve, q: &Curve, pieces: Pieces) -> (f64, [f64; 2]) {
    let ends = |curve: &Curve, [a, b]: [f64; 2]| {
        let start = if a <= 0.0 {
            curve.start
        } else {
            geodesy::ecef(curve.at(a).at)
        };
        let end = if b >= 1.0 || curve.is_point() {
            curve.end
        } else {
            geodesy::ecef(curve.at(b).at)
        };
        (start, end)
    };
    let (p0, p1) = ends(p, pieces.s);
    let (q0, q1) = ends(q, pieces.t);
    let (distance_m, u, v) = segments(p0, p1, q0, q1);
    let (ds, dt) = (pieces.s[1] - pieces.s[0], pieces.t[1] - pieces.t[0]);
    let floor_m = distance_m - p.sag_m(ds) - q.sag_m(dt) - 1e-7;
    (floor_m, [pieces.s[0] + u * ds, pieces.t[0] + v * dt])
}

/// Distance of two straight segments in space, and where it is taken (Ericson, Real-Time Collision Detection, 5.1.9).
#[expect(clippy::many_single_char_names, reason = "the letters of the source")]
pub(crate) fn segments(p0: Ecef, p1: Ecef, q0: Ecef, q1: Ecef) -> (f64, f64, f64) {
    let (d1, d2, r) = (
        geodesy::sub(p1, p0),
        geodesy::sub(q1, q0),
        geodesy::sub(p0, q0),
    );
    let (a, e) = (geodesy::dot(d1, d1), geodesy::dot(d2, d2));
    let (c, f) = (geodesy::dot(d1, r), geodesy::dot(d2, r));
    let (u, v) = if a <= 0.0 && e <= 0.0 {
        (0.0, 0.0)
    } else if a <= 0.0 {
        (0.0, (f / e).clamp(0.0, 1.0))
    } else if e <= 0.0 {
        ((-c / a).clamp(0.0, 1.0), 0.0)
    } else {
        let b = geodesy::dot(d1, d2);
        let denominator = a * e - b * b;
        let mut u = if denominator > 1e-14 * a * e {
            ((b * f - c * e) / denominator).clamp(0.0, 1.0)
        } else {
            0.5
        };
        let mut v = (b * u + f) / e;
        if v < 0.0 {
            v = 0.0;
            u = (-c / a).clamp(0.0, 1.0);
        } else if v > 1.0 {
            v = 1.0;
            u = ((b - c) / a).clamp(0.0, 1.0);
        }
        (u, v)
    };
    let along =
        |from: Ecef, d: Ecef, w: f64| [from[0] + w * d[0], from[1] + w * d[1], from[2] + w * d[2]];
    (geodesy::chord_m(along(p0, d1, u), along(q0, d2, v)), u, v)
}

/// Walks downhill inside the pieces: each step solves the geodesic and then the flat problem around it exactly.
fn descend(p: &Curve, q: &Curve, pieces: Pieces, start: [f64; 2]) -> Local {
    let [mut s, mut t] = start;
    let mut best: Option<Local> = None;
    for _ in 0..DESCENT {
        let (here, there) = (p.at(s), q.at(t));
        let (local, frame) = solve(here, there, s, t);
        if best.is_none_or(|b| local.distance_m < b.distance_m) {
            best = Some(local);
        }
        if local.distance_m <= TOUCH_M {
            break;
        }
        let [next_s, next_t] = flat_step(local.distance_m, frame, pieces, [s, t]);
        let moved = (next_s - s).abs() * p.speed_max + (next_t - t).abs() * q.speed_max;
        (s, t) = (next_s, next_t);
        if moved < 1e-5 + 1e-10 * local.distance_m {
            break;
        }
    }
    best.unwrap_or(Local {
        distance_m: 0.0,
        s,
        t,
        slope: [0.0; 2],
    })
}

/// The geodesic between two samples: distance, slopes, and both velocities along and across it.
fn solve(here: Sample, there: Sample, s: f64, t: f64) -> (Local, [[f64; 2]; 2]) {
    let geodesic = geodesy::inverse(here.at, there.at);
    let turn = |v: [f64; 2], u: [f64; 2]| [v[0] * u[0] + v[1] * u[1], v[0] * u[1] - v[1] * u[0]];
    let frame = [
        turn(here.velocity, geodesic.from),
        turn(there.velocity, geodesic.onward),
    ];
    let slope = [-frame[0][0], frame[1][0]];
    (
        Local {
            distance_m: geodesic.distance_m,
            s,
            t,
            slope,
        },
        frame,
    )
}

/// Minimises |(f, 0) + t' v₂ − s' v₁| over the box: the interior, then the four sides.
#[expect(clippy::many_single_char_names, reason = "the letters of the source")]
fn flat_step(f: f64, [v1, v2]: [[f64; 2]; 2], pieces: Pieces, [s, t]: [f64; 2]) -> [f64; 2] {
    let value = |ds: f64, dt: f64| {
        let (x, y) = (f + dt * v2[0] - ds * v1[0], dt * v2[1] - ds * v1[1]);
        x * x + y * y
    };
    let (a, b, c) = (
        v1[0] * v1[0] + v1[1] * v1[1],
        v1[0] * v2[0] + v1[1] * v2[1],
        v2[0] * v2[0] + v2[1] * v2[1],
    );
    let (g1, g2) = (f * v1[0], -f * v2[0]);
    let low = [pieces.s[0] - s, pieces.t[0] - t];
    let high = [pieces.s[1] - s, pieces.t[1] - t];
    let best_s = |dt: f64| {
        if a > 0.0 {
            ((g1 + b * dt) / a).clamp(low[0], high[0])
        } else {
            0.0
        }
    };
    let best_t = |ds: f64| {
        if c > 0.0 {
            ((g2 + b * ds) / c).clamp(low[1], high[1])
        } else {
            0.0
        }
    };
    let mut candidates = [[0.0, 0.0]; 5];
    candidates[0] = [low[0], best_t(low[0])];
    candidates[1] = [high[0], best_t(high[0])];
    candidates[2] = [best_s(low[1]), low[1]];
    candidates[3] = [best_s(high[1]), high[1]];
    let determinant = a * c - b * b;
    if determinant > 1e-12 * a * c {
        let ds = (g1 * c + b * g2) / determinant;
        let dt = (g2 * a + b * g1) / determinant;
        let inside = low[0] <= ds && ds <= high[0] && low[1] <= dt && dt <= high[1];
        candidates[4] = if inside { [ds, dt] } else { candidates[0] };
    } else {
        candidates[4] = [best_s(0.0), 0.0];
    }
    let mut chosen = [0.0, 0.0];
    let mut least = value(0.0, 0.0) * (1.0 - 1e-14);
    for [ds, dt] in candidates {
        let v = value(ds, dt);
        if v < least {
            least = v;
            chosen = [ds, dt];
        }
    }
    [
        (s + chosen[0]).clamp(pieces.s[0], pieces.s[1]),
        (t + chosen[1]).clamp(pieces.t[0], pieces.t[1]),
    ]
}

struct Bound {
    floor_m: f64,
    halve_s: bool,
}

/// How low the distance can be anywhere in the pieces, given where the descent ended.
fn bound_below(p: &Curve, q: &Curve, pieces: Pieces, local: &Local) -> Bound {
    let reach = |[a, b]: [f64; 2], at: f64| (b - at).max(at - a);
    let (ds, dt) = (reach(pieces.s, local.s), reach(pieces.t, local.t));
    let drop =
        |slope: f64, [a, b]: [f64; 2], at: f64| (slope * (a - at)).min(slope * (b - at)).min(0.0);
    let linear = [
        drop(local.slope[0], pieces.s, local.s),
        drop(local.slope[1], pieces.t, local.t),
    ];
    let (move_s, move_t) = (p.speed_max * ds, q.speed_max * dt);
    let f = local.distance_m;
    let farthest = f + move_s + move_t;
    let x = farthest / MIN_RADIUS_M;
    if x >= 2.8 {
        // Near the far side of the earth nothing but the triangle inequality holds.
        return Bound {
            floor_m: f - move_s - move_t,
            halve_s: move_s >= move_t,
        };
    }
    let one_moves = if p.is_point() {
        Some(q)
    } else if q.is_point() {
        Some(p)
    } else {
        None
    };
    if let Some(edge) = one_moves {
        // Along one edge, half the squared distance is convex while speed² (x cot x) exceeds distance × acceleration
        // (x cot x ≥ 1 − x²/2 for x ≤ 1): then the squared distance stays above its tangent.
        let convex = x < 1.0
            && edge.speed_min * edge.speed_min * (1.0 - x * x / 2.0) > farthest * edge.accel;
        if convex {
            let squared = f * f + 2.0 * f * (linear[0] + linear[1]);
            return Bound {
                floor_m: squared.max(0.0).sqrt(),
                halve_s: !p.is_point(),
            };
        }
    }
    let earth = (x / 2.0).tan() / MIN_RADIUS_M;
    let bend = |c: &Curve, d: f64| 0.5 * (c.accel + earth * c.speed_max * c.speed_max) * d * d;
    let loss = [bend(p, ds) - linear[0], bend(q, dt) - linear[1]];
    Bound {
        floor_m: f - loss[0] - loss[1],
        halve_s: loss[0] >= loss[1],
    }
}
