//! The documented cases, poles, the antimeridian, holes and touching.

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

#[test]
fn parallels_around_a_pole_are_never_farther_than_they_are() {
    let area = polygon("[[[0,85],[170,85],[170,86],[0,86],[0,85]]]");
    let ring = shape(
        "Polygon",
        "[[[0,86.1],[170,86.1],[170,86.2],[0,86.2],[0,86.1]]]",
    );
    let exact = point_distance([0.0, 86.0], [0.0, 86.1]);
    let got = metres(&area, &ring);
    assert!(got <= exact + 1e-6 && got > exact * 0.99, "{got} {exact}");
}
