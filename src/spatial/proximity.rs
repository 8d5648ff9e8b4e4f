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
mod tests {
    use super::*;
    use crate::spatial::Position;

    fn polygon(rings: &str) -> Area {
        Area::from_json(&format!(r#"{{"type":"Polygon","coordinates":{rings}}}"#)).unwrap()
    }

    fn point(lon: f64, lat: f64) -> Footprint {
        Footprint::point(Position::new(lon, lat).unwrap())
    }

    fn shape(kind: &str, coordinates: &str) -> Footprint {
        Footprint::from_json(&format!(
            r#"{{"type":"{kind}","coordinates":{coordinates}}}"#
        ))
        .unwrap()
    }

    fn circle(lon: f64, lat: f64, radius_m: f64) -> Area {
        Area::circle(Position::new(lon, lat).unwrap(), radius_m).unwrap()
    }

    fn metres(area: &Area, footprint: &Footprint) -> f64 {
        distance(area, footprint).distance_m
    }

    fn near(got: f64, want: f64) {
        assert!((got - want).abs() < 1e-3, "{got} is not {want}");
    }

    #[test]
    fn no_missed_conflict_where_postgis_picks_the_wrong_edge() {
        let area = polygon(
            "[[[0.009,-0.05],[0.05,-0.05],[0.05,0.05],[-0.05,0.05],[-0.05,0.00905],[0.009,0.00905],[0.009,-0.05]]]",
        );
        near(metres(&area, &point(0.0, 0.0)), 1000.697);
        assert!(within(&area, &point(0.0, 0.0), 1001.0).is_some());
        assert!(within(&area, &point(0.0, 0.0), 1000.6).is_none());
    }

    #[test]
    fn a_circle_reaches_its_radius_everywhere() {
        let area = circle(10.0, 60.0, 1000.0);
        near(metres(&area, &point(10.0179, 60.0)), 0.0);
        assert_eq!(
            within(&circle(10.0, 60.0, 998.819), &point(10.0179, 60.0), 0.0),
            None
        );
        assert!(within(&circle(10.0, 60.0, 998.821), &point(10.0179, 60.0), 0.0).is_some());
        near(
            metres(&circle(10.0, 60.0, 0.0), &point(10.0179, 60.0)),
            998.820,
        );
    }

    #[test]
    fn no_missed_conflict_across_the_antimeridian() {
        near(
            metres(&circle(179.9, 0.0, 0.0), &point(-179.9, 0.0)),
            22_263.898,
        );
        let area = polygon("[[[179,-1],[-179,-1],[-179,1],[179,1],[179,-1]]]");
        assert_eq!(
            distance(&area, &point(179.5, 0.0)).relation,
            Relation::Inside
        );
        assert_eq!(
            distance(&area, &point(-179.5, 0.0)).relation,
            Relation::Inside
        );
        assert_eq!(
            distance(&area, &point(180.0, 0.0)).relation,
            Relation::Inside
        );
        assert_eq!(
            distance(&area, &point(0.0, 0.0)).relation,
            Relation::Outside
        );
        let halves = r#"{"type":"MultiPolygon","coordinates":[[[[179,-1],[180,-1],[180,1],[179,1],[179,-1]]],[[[-180,-1],[-179,-1],[-179,1],[-180,1],[-180,-1]]]]}"#;
        let halves = Area::from_json(halves).unwrap();
        assert_eq!(
            distance(&halves, &point(-179.5, 0.0)).relation,
            Relation::Inside
        );
        near(
            metres(&halves, &point(-178.9, 0.0)),
            metres(&area, &point(-178.9, 0.0)),
        );
        let line = shape("LineString", "[[178.5,0],[-178.5,0.1]]");
        assert_eq!(distance(&halves, &line).relation, Relation::Inside);
    }

    #[test]
    fn edges_are_straight_in_longitude_and_latitude() {
        let area = polygon("[[[0,40],[60,40],[60,50],[0,50],[0,40]]]");
        assert_eq!(
            distance(&area, &point(30.0, 53.0)).relation,
            Relation::Outside
        );
        assert_eq!(
            distance(&area, &point(30.0, 41.0)).relation,
            Relation::Inside
        );
        near(
            metres(&area, &point(30.0, 53.0)),
            point_distance([30.0, 53.0], [30.0, 50.0]),
        );
    }

    fn point_distance(p: [f64; 2], q: [f64; 2]) -> f64 {
        geodesy::distance_m(p, q)
    }

    #[test]
    fn the_direction_of_a_ring_changes_nothing() {
        let clockwise = polygon("[[[0,0],[0,1],[1,1],[1,0],[0,0]]]");
        let counter = polygon("[[[0,0],[1,0],[1,1],[0,1],[0,0]]]");
        for (lon, lat) in [(0.5, 0.5), (1.5, 0.5), (-0.1, -0.1), (0.0, 0.5), (1.0, 1.0)] {
            let (one, other) = (
                distance(&clockwise, &point(lon, lat)),
                distance(&counter, &point(lon, lat)),
            );
            assert_eq!(one.relation, other.relation);
            near(one.distance_m, other.distance_m);
        }
        assert_eq!(
            distance(&clockwise, &point(1.0, 1.0)).relation,
            Relation::Inside
        );
    }

    #[test]
    fn a_hole_is_outside_and_its_edge_is_near() {
        let donut = polygon(
            "[[[0,0],[1,0],[1,1],[0,1],[0,0]],[[0.4,0.4],[0.6,0.4],[0.6,0.6],[0.4,0.6],[0.4,0.4]]]",
        );
        let inside_hole = distance(&donut, &point(0.5, 0.5));
        assert_eq!(inside_hole.relation, Relation::Outside);
        near(
            inside_hole.distance_m,
            point_distance([0.5, 0.5], [0.5, 0.4]).min(point_distance([0.5, 0.5], [0.4, 0.5])),
        );
        assert_eq!(
            distance(&donut, &point(0.4, 0.5)).relation,
            Relation::Inside
        );
        let in_hole = shape(
            "Polygon",
            "[[[0.45,0.45],[0.55,0.45],[0.55,0.55],[0.45,0.55],[0.45,0.45]]]",
        );
        assert_eq!(distance(&donut, &in_hole).relation, Relation::Outside);
        let around = shape("Polygon", "[[[-1,-1],[2,-1],[2,2],[-1,2],[-1,-1]]]");
        assert_eq!(distance(&donut, &around).relation, Relation::Inside);
    }

    #[test]
    fn a_pole_is_one_place_whatever_its_longitude() {
        let cap = polygon("[[[0,80],[90,80],[90,90],[0,90],[0,80]]]");
        near(metres(&cap, &point(-135.0, 90.0)), 0.0);
        near(
            metres(&cap, &point(-135.0, 89.9)),
            point_distance([0.0, 90.0], [0.0, 89.9]),
        );
        near(
            metres(&circle(0.0, 89.95, 1000.0), &point(180.0, 89.95)),
            point_distance([0.0, 89.95], [180.0, 89.95]) - 1000.0,
        );
    }

    #[test]
    fn parallel_edges_along_parallels_are_measured_where_they_are_nearest() {
        let area = polygon("[[[30,60],[30.2,60],[30.2,60.1],[30,60.1],[30,60]]]");
        let other = shape(
            "Polygon",
            "[[[30,60.11],[30.2,60.11],[30.2,60.2],[30,60.2],[30,60.11]]]",
        );
        near(
            metres(&area, &other),
            point_distance([30.1, 60.1], [30.1, 60.11]),
        );
    }

    #[test]
    fn a_corridor_reaches_half_its_width() {
        let line = r#"{"type":"LineString","coordinates":[[10,50],[11,50],[11,51]]}"#
            .parse()
            .unwrap();
        let area = Area::corridor(&line, 500.0).unwrap();
        let off = point_distance([11.0, 50.5], [11.02, 50.5]);
        assert!((metres(&area, &point(11.02, 50.5)) - (off - 500.0)).abs() < 0.5);
        assert_eq!(
            distance(&area, &point(10.5, 50.001)).relation,
            Relation::Inside
        );
    }

    #[test]
    fn touching_is_a_conflict() {
        let area = polygon("[[[0,0],[1,0],[1,1],[0,1],[0,0]]]");
        let touching = shape("Polygon", "[[[1,0.2],[2,0.2],[2,0.8],[1,0.8],[1,0.2]]]");
        assert_eq!(distance(&area, &touching).relation, Relation::Inside);
        assert!(within(&area, &point(1.0, 0.3), 0.0).is_some());
        assert!(within(&circle(5.0, 5.0, 10.0), &point(5.0, 5.0), f64::NAN).is_some());
    }

    #[test]
    fn far_sides_of_the_earth_still_have_a_distance() {
        let area = polygon("[[[0,0],[1,0],[1,1],[0,1],[0,0]]]");
        let got = metres(&area, &point(-179.5, -0.5));
        assert!(got > 19_800_000.0 && got < 20_004_000.0);
        assert_eq!(within(&area, &point(-179.5, -0.5), 1e6), None);
    }

    #[test]
    fn a_long_edge_near_the_pole_is_searched_in_bounded_time() {
        let started = std::time::Instant::now();
        let area = polygon("[[[0,85],[170,85],[170,86],[0,86],[0,85]]]");
        let got = metres(&area, &point(0.0, 90.0));
        let exact = point_distance([0.0, 86.0], [0.0, 90.0]);
        assert!(got <= exact + 1e-3 && got > exact - 1.0, "{got} {exact}");
        assert!(started.elapsed().as_secs() < 20);
    }
}
