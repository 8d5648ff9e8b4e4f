//! How far an object lies from an area: geodesic metres on WGS84, exact per edge. Candidates come from elsewhere; this
//! decides. Whole blocks of edges are ruled out by spheres, pairs by chords, and only the few that remain are solved.

use super::curve::Curve;
use super::nearest::{self, Nearest};
use super::plane::{self, Meeting, Xy};
use super::shape::outline::{Block, Outline};
use super::shape::{Area, Footprint};
use super::{geodesy, nearest::TOUCH_M};

/// Whether any of the object lies in the area.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Relation {
    /// Some of the object lies in the area or touches its edge: distance 0.
    Inside,
    /// None of it does.
    Outside,
}

/// How an object lies as to an area.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Proximity {
    /// Geodesic distance between the nearest places of both, metres on WGS84; 0 when they touch. Up to 100 km it is good
    /// to 1 mm, beyond to a millionth; where the search gave up (edges along a parallel around a pole) it is too near.
    pub distance_m: f64,
    /// Whether they share a place.
    pub relation: Relation,
}

impl Proximity {
    pub(crate) fn at(distance_m: f64) -> Self {
        let relation = if distance_m <= 0.0 {
            Relation::Inside
        } else {
            Relation::Outside
        };
        Self {
            distance_m: distance_m.max(0.0),
            relation,
        }
    }
}

/// The exact distance between an area and an object, however far.
pub fn distance(area: &Area, footprint: &Footprint) -> Proximity {
    Proximity::at(outlines(footprint.outline(), area.core(), f64::INFINITY) - area.reach_m())
}

/// The exact distance if it is at most `limit_m` metres (closed: touching counts, and so does the last micrometre, which
/// is rounding), else `None`. Much cheaper than [`distance`] for what is far. A limit that is not a number counts as no
/// limit at all: the answer is then the distance, never silence.
pub fn within(area: &Area, footprint: &Footprint, limit_m: f64) -> Option<Proximity> {
    if limit_m.is_nan() {
        return Some(distance(area, footprint));
    }
    let limit_m = limit_m.max(0.0) + TOUCH_M;
    let core_m = outlines(footprint.outline(), area.core(), limit_m + area.reach_m());
    let distance_m = core_m - area.reach_m();
    (distance_m <= limit_m).then(|| Proximity::at(distance_m))
}

/// Distance between two geometries, or infinity when it surely exceeds the cutoff.
pub(crate) fn outlines(p: &Outline, q: &Outline, cutoff_m: f64) -> f64 {
    if let ([a], [b]) = (p.edges.as_slice(), q.edges.as_slice())
        && a.is_point()
        && b.is_point()
    {
        return points(a, b, cutoff_m);
    }
    if p.anchors().any(|point| q.holds(point)) || q.anchors().any(|point| p.holds(point)) {
        return 0.0;
    }
    let mut nearest = Nearest::within(cutoff_m);
    search(
        Side {
            edges: &p.edges,
            blocks: &p.blocks,
        },
        Side {
            edges: &q.edges,
            blocks: &q.blocks,
        },
        q.shift_for(p),
        &mut nearest,
    );
    nearest.distance_m
}

fn points(a: &Curve, b: &Curve, cutoff_m: f64) -> f64 {
    if geodesy::chord_m(a.start, b.start) > cutoff_m + 1e-6 {
        return f64::INFINITY;
    }
    match (a.plane_ends(), b.plane_ends()) {
        (Some((p, _)), Some((q, _))) => geodesy::distance_m(p, q),
        _ => f64::INFINITY,
    }
}

/// Edges with their blocks.
#[derive(Clone, Copy)]
pub(crate) struct Side<'a> {
    pub edges: &'a [Curve],
    pub blocks: &'a [Block],
}

impl<'a> Side<'a> {
    fn of(&self, block: &Block) -> &'a [Curve] {
        self.edges
            .get(block.first..block.first + block.count)
            .unwrap_or_default()
    }
}

/// Offers every pair of edges that could be nearest, nearest blocks first. `shift` brings the longitudes of `p` into the
/// plane of `q`. Returns the index in `p` of the edge that holds the nearest approach.
pub(crate) fn search(p: Side<'_>, q: Side<'_>, shift: f64, nearest: &mut Nearest) -> Option<usize> {
    let mut pairs: Vec<(f64, usize, usize)> = Vec::new();
    for (i, one) in p.blocks.iter().enumerate() {
        for (j, other) in q.blocks.iter().enumerate() {
            let floor_m =
                geodesy::chord_m(one.centre, other.centre) - one.radius_m - other.radius_m - 1e-7;
            if floor_m <= nearest.threshold_m() {
                pairs.push((floor_m, i, j));
            }
        }
    }
    pairs.sort_unstable_by(|a, b| a.0.total_cmp(&b.0));
    let mut holder = None;
    let mut edges: Vec<(f64, usize, usize)> = Vec::new();
    for (floor_m, i, j) in pairs {
        if floor_m > nearest.threshold_m() || nearest.distance_m <= 0.0 {
            break;
        }
        let (Some(one), Some(other)) = (p.blocks.get(i), q.blocks.get(j)) else {
            continue;
        };
        edge_floors(p.of(one), q.of(other), nearest.threshold_m(), &mut edges);
        for &(floor_m, m, n) in &edges {
            if floor_m > nearest.threshold_m() || nearest.distance_m <= 0.0 {
                break;
            }
            let (Some(a), Some(b)) = (p.of(one).get(m), q.of(other).get(n)) else {
                continue;
            };
            let better = if meet(a, b, shift) {
                nearest.offer(0.0, 0.0)
            } else {
                nearest.search(a, b)
            };
            if better {
                holder = Some(one.first + m);
            }
        }
    }
    holder
}

/// Lower bounds of all pairs of two runs that could matter, nearest first.
fn edge_floors(
    one: &[Curve],
    other: &[Curve],
    threshold_m: f64,
    out: &mut Vec<(f64, usize, usize)>,
) {
    out.clear();
    for (m, a) in one.iter().enumerate() {
        for (n, b) in other.iter().enumerate() {
            let (chord_m, ..) = nearest::segments(a.start, a.end, b.start, b.end);
            let floor_m = chord_m - a.sag_m(1.0) - b.sag_m(1.0) - 1e-7;
            if floor_m <= threshold_m {
                out.push((floor_m, m, n));
            }
        }
    }
    out.sort_unstable_by(|a, b| a.0.total_cmp(&b.0));
}

/// Whether two edges that are straight in longitude-latitude meet there, exactly.
fn meet(a: &Curve, b: &Curve, shift: f64) -> bool {
    let turned = |p: Xy| [p[0] + shift, p[1]];
    match (a.plane_ends(), b.plane_ends()) {
        (Some((a0, a1)), Some((b0, b1))) => {
            plane::meeting(turned(a0), turned(a1), b0, b1) != Meeting::Apart
        }
        _ => false,
    }
}

#[cfg(test)]
#[path = "proximity_tests.rs"]
mod tests;
