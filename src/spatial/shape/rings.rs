//! What makes rings a polygon: closed, with area, not crossing themselves or each other, holes inside. Decided exactly in
//! the longitude-latitude plane. Edges are swept by longitude and compared only where they overlap; a ring has at most
//! 2,000 of them, so even a comb in which all overlap costs two million cheap comparisons.

use super::error::ShapeError;
use crate::spatial::plane::{self, Meeting, Place, Xy};
use crate::spatial::position::Position;
use std::cmp::Ordering;

/// A ring in the unwrapped plane: closed, without repeated neighbours, each vertex with its index in the input.
pub(super) struct Ring {
    pub points: Vec<Xy>,
    pub indices: Vec<usize>,
    pub pointer: String,
}

#[derive(Clone, Copy)]
struct Edge {
    ring: usize,
    at: usize,
    a: Xy,
    b: Xy,
}

impl Ring {
    /// Takes the vertices of a ring as given (already unwrapped) and checks what one ring alone must keep.
    pub fn new(given: &[Xy], pointer: String) -> Result<Self, ShapeError> {
        if given.len() < 4 {
            return Err(ShapeError::RingTooShort { pointer });
        }
        let mut points: Vec<Xy> = Vec::with_capacity(given.len());
        let mut indices = Vec::with_capacity(given.len());
        for (index, point) in given.iter().enumerate() {
            if points.last().is_none_or(|last| !same(*last, *point)) {
                points.push(*point);
                indices.push(index);
            }
        }
        let closed = points
            .first()
            .zip(points.last())
            .is_some_and(|(first, last)| same(*first, *last));
        if !closed {
            return Err(ShapeError::RingNotClosed { pointer });
        }
        let flat = match (points.first(), points.get(1)) {
            (Some(a), Some(b)) => points
                .iter()
                .all(|c| plane::side(*a, *b, *c) == Ordering::Equal),
            _ => true,
        };
        if flat {
            return Err(ShapeError::RingWithoutArea { pointer });
        }
        Ok(Self {
            points,
            indices,
            pointer,
        })
    }

    fn vertex(&self, at: usize) -> String {
        let index = self.indices.get(at).copied().unwrap_or_default();
        format!("{}/{index}", self.pointer)
    }
}

fn same(a: Xy, b: Xy) -> bool {
    a[0].total_cmp(&b[0]).is_eq() && a[1].total_cmp(&b[1]).is_eq()
}

/// Checks the rings of one polygon, the outline first, against themselves and each other.
pub(super) fn check(rings: &[Ring]) -> Result<(), ShapeError> {
    check_meetings(rings)?;
    let Some((outline, holes)) = rings.split_first() else {
        return Ok(());
    };
    for (n, hole) in holes.iter().enumerate() {
        let outside = |p: &Xy| plane::place_in_ring(&outline.points, *p) == Place::Outside;
        let middles = hole
            .points
            .iter()
            .zip(hole.points.iter().skip(1))
            .map(|(a, b)| middle(*a, *b));
        if hole.points.iter().any(outside) || middles.clone().any(|p| outside(&p)) {
            return Err(ShapeError::HoleOutside {
                pointer: hole.pointer.clone(),
            });
        }
        for other in holes.iter().take(n) {
            let swallowed = hole
                .points
                .iter()
                .any(|p| plane::place_in_ring(&other.points, *p) == Place::Inside)
                || other
                    .points
                    .iter()
                    .any(|p| plane::place_in_ring(&hole.points, *p) == Place::Inside);
            if swallowed {
                return Err(ShapeError::HoleOutside {
                    pointer: hole.pointer.clone(),
                });
            }
        }
    }
    Ok(())
}

fn middle(a: Xy, b: Xy) -> Xy {
    [f64::midpoint(a[0], b[0]), f64::midpoint(a[1], b[1])]
}

fn check_meetings(rings: &[Ring]) -> Result<(), ShapeError> {
    let mut edges: Vec<Edge> = rings
        .iter()
        .enumerate()
        .flat_map(|(ring, r)| {
            let pairs = r.points.iter().zip(r.points.iter().skip(1));
            pairs.enumerate().map(move |(at, (a, b))| Edge {
                ring,
                at,
                a: *a,
                b: *b,
            })
        })
        .collect();
    edges.sort_by(|e, f| e.a[0].min(e.b[0]).total_cmp(&f.a[0].min(f.b[0])));
    for (n, edge) in edges.iter().enumerate() {
        let east = edge.a[0].max(edge.b[0]);
        let (south, north) = (edge.a[1].min(edge.b[1]), edge.a[1].max(edge.b[1]));
        for other in edges.iter().skip(n + 1) {
            if other.a[0].min(other.b[0]) > east {
                break;
            }
            if other.a[1].max(other.b[1]) < south || other.a[1].min(other.b[1]) > north {
                continue;
            }
            refuse_meeting(rings, *edge, *other)?;
        }
    }
    Ok(())
}

/// Refuses two edges of one polygon that meet where a polygon's edges may not.
fn refuse_meeting(rings: &[Ring], first: Edge, second: Edge) -> Result<(), ShapeError> {
    let meeting = plane::meeting(first.a, first.b, second.a, second.b);
    if meeting == Meeting::Apart {
        return Ok(());
    }
    let (one, two) = if (first.ring, first.at) <= (second.ring, second.at) {
        (first, second)
    } else {
        (second, first)
    };
    let (Some(ring_one), Some(ring_two)) = (rings.get(one.ring), rings.get(two.ring)) else {
        return Ok(());
    };
    if one.ring != two.ring {
        if meeting == Meeting::Touch {
            return Ok(());
        }
        let spot = plane::crossing_point(one.a, one.b, two.a, two.b);
        return Err(ShapeError::RingsCross {
            first: ring_one.vertex(one.at),
            second: ring_two.vertex(two.at),
            crossing: Position::wrapped(spot[0], spot[1]),
        });
    }
    let last = ring_one.points.len().saturating_sub(2);
    let spot = if one.at + 1 == two.at {
        if !folds_back(one.a, one.b, two.b) {
            return Ok(());
        }
        one.b
    } else if one.at == 0 && two.at == last {
        if !folds_back(two.a, two.b, one.b) {
            return Ok(());
        }
        one.a
    } else {
        plane::crossing_point(one.a, one.b, two.a, two.b)
    };
    Err(ShapeError::RingCrossesItself {
        first: ring_one.vertex(one.at),
        second: ring_one.vertex(two.at),
        crossing: Position::wrapped(spot[0], spot[1]),
    })
}

/// Whether the edge b → c runs back along a → b.
fn folds_back(a: Xy, b: Xy, c: Xy) -> bool {
    let ahead = (b[0] - a[0]) * (c[0] - b[0]) + (b[1] - a[1]) * (c[1] - b[1]);
    plane::side(a, b, c) == Ordering::Equal && ahead < 0.0
}
