//! A validated geometry as the engine uses it: parts in one unwrapped longitude-latitude plane, and all edges as curves in
//! blocks with bounding spheres, so that far edges cost nothing.

use crate::spatial::curve::Curve;
use crate::spatial::geodesy::{self, Ecef};
use crate::spatial::plane::{self, Place, Xy};

/// Edges in one block; blocks are ruled out whole.
const BLOCK: usize = 16;

/// A piece of a geometry. Rings are closed; the first is the outline, the others are holes.
#[derive(Clone)]
pub(crate) enum Part {
    Point(Xy),
    Line(Vec<Xy>),
    Polygon(Vec<Vec<Xy>>),
}

/// A range of longitude (unwrapped) and latitude, degrees.
#[derive(Clone, Copy)]
pub(crate) struct Extent {
    pub west: f64,
    pub south: f64,
    pub east: f64,
    pub north: f64,
}

impl Extent {
    pub fn of<'a>(points: impl IntoIterator<Item = &'a Xy>) -> Self {
        let empty = Self {
            west: f64::INFINITY,
            south: f64::INFINITY,
            east: f64::NEG_INFINITY,
            north: f64::NEG_INFINITY,
        };
        points.into_iter().fold(empty, |e, p| Self {
            west: e.west.min(p[0]),
            south: e.south.min(p[1]),
            east: e.east.max(p[0]),
            north: e.north.max(p[1]),
        })
    }

    fn holds(&self, p: Xy) -> bool {
        self.west <= p[0] && p[0] <= self.east && self.south <= p[1] && p[1] <= self.north
    }

    fn middle(&self) -> f64 {
        f64::midpoint(self.west, self.east)
    }

    /// The greatest distance from the equator, degrees.
    pub fn max_abs_lat(&self) -> f64 {
        self.south.abs().max(self.north.abs())
    }
}

/// A sphere in space around some edges.
#[derive(Clone)]
pub(crate) struct Block {
    pub centre: Ecef,
    pub radius_m: f64,
    pub first: usize,
    pub count: usize,
}

/// Parts, edges and bounds of one geometry. At least one part; it spans less than 180° of longitude.
#[derive(Clone)]
pub(crate) struct Outline {
    pub parts: Vec<Part>,
    pub edges: Vec<Curve>,
    pub blocks: Vec<Block>,
    pub extent: Extent,
    has_polygons: bool,
}

impl Outline {
    /// Puts validated parts into one plane and indexes their edges.
    pub fn new(mut parts: Vec<Part>) -> Self {
        align(&mut parts);
        let mut edges = Vec::new();
        for part in &parts {
            match part {
                Part::Point(p) => edges.push(Curve::point(*p)),
                Part::Line(points) => {
                    edges.extend(pairs(points).map(|(a, b)| Curve::straight(a, b)));
                }
                Part::Polygon(rings) => {
                    for ring in rings {
                        edges.extend(pairs(ring).map(|(a, b)| Curve::straight(a, b)));
                    }
                }
            }
        }
        let blocks = blocks(&edges);
        let extent = Extent::of(parts.iter().flat_map(Part::vertices));
        let has_polygons = parts.iter().any(|part| matches!(part, Part::Polygon(_)));
        Self {
            parts,
            edges,
            blocks,
            extent,
            has_polygons,
        }
    }

    /// Whether a polygon of this geometry holds the point (its edge included), exactly.
    pub fn holds(&self, point: Xy) -> bool {
        if !self.has_polygons {
            return false;
        }
        let point = [beside(point[0], self.extent.middle()), point[1]];
        self.extent.holds(point) && self.parts.iter().any(|part| part.holds(point))
    }

    /// The multiple of 360° that brings a longitude into this geometry's plane.
    pub fn shift_for(&self, other: &Self) -> f64 {
        let middle = other.extent.middle();
        beside(middle, self.extent.middle()) - middle
    }

    /// One point of every part, for the question whether another geometry swallows it.
    pub fn anchors(&self) -> impl Iterator<Item = Xy> + '_ {
        self.parts
            .iter()
            .filter_map(|part| part.vertices().next().copied())
    }
}

impl Part {
    /// All vertices of the part.
    pub fn vertices(&self) -> Box<dyn Iterator<Item = &Xy> + '_> {
        match self {
            Self::Point(p) => Box::new(std::iter::once(p)),
            Self::Line(points) => Box::new(points.iter()),
            Self::Polygon(rings) => Box::new(rings.iter().flatten()),
        }
    }

    fn vertices_mut(&mut self) -> Box<dyn Iterator<Item = &mut Xy> + '_> {
        match self {
            Self::Point(p) => Box::new(std::iter::once(p)),
            Self::Line(points) => Box::new(points.iter_mut()),
            Self::Polygon(rings) => Box::new(rings.iter_mut().flatten()),
        }
    }

    fn holds(&self, point: Xy) -> bool {
        let Self::Polygon(rings) = self else {
            return false;
        };
        let Some((outline, holes)) = rings.split_first() else {
            return false;
        };
        plane::place_in_ring(outline, point) != Place::Outside
            && holes
                .iter()
                .all(|hole| plane::place_in_ring(hole, point) != Place::Inside)
    }
}

/// The longitude plus that multiple of 360° that brings it nearest to `reference`.
pub(crate) fn beside(lon: f64, reference: f64) -> f64 {
    lon + ((reference - lon) / 360.0).round() * 360.0
}

/// Turns all parts beside the first, so that what touches over the antimeridian touches in the plane.
fn align(parts: &mut [Part]) {
    let Some((first, others)) = parts.split_first_mut() else {
        return;
    };
    let reference = Extent::of(first.vertices()).middle();
    for part in others {
        let middle = Extent::of(part.vertices()).middle();
        let shift = beside(middle, reference) - middle;
        if shift.abs() > 1.0 {
            for vertex in part.vertices_mut() {
                vertex[0] += shift;
            }
        }
    }
}

fn pairs(points: &[Xy]) -> impl Iterator<Item = (Xy, Xy)> + '_ {
    points
        .iter()
        .zip(points.iter().skip(1))
        .map(|(a, b)| (*a, *b))
}

/// Bounding spheres over runs of edges: the middle of the vertices, and the farthest end plus the greatest bulge.
pub(crate) fn blocks(edges: &[Curve]) -> Vec<Block> {
    let mut first = 0;
    let mut out = Vec::with_capacity(edges.len().div_ceil(BLOCK));
    for run in edges.chunks(BLOCK) {
        out.push(block(run, first));
        first += run.len();
    }
    out
}

#[allow(
    clippy::cast_precision_loss,
    reason = "a block holds at most sixteen edges"
)]
fn block(run: &[Curve], first: usize) -> Block {
    let n = (run.len() * 2) as f64;
    let mut centre = [0.0; 3];
    for end in run.iter().flat_map(|edge| [edge.start, edge.end]) {
        for (c, e) in centre.iter_mut().zip(end) {
            *c += e / n;
        }
    }
    let radius_m = run.iter().fold(0.0_f64, |radius, edge| {
        let ends = geodesy::chord_m(centre, edge.start).max(geodesy::chord_m(centre, edge.end));
        radius.max(ends + edge.sag_m(1.0))
    });
    Block {
        centre,
        radius_m,
        first,
        count: run.len(),
    }
}
