//! What the index sees: no more than its grid, and never less than the object.

use super::*;
use crate::spatial::{Position, Waypoint};

fn point(lon: f64, lat: f64) -> Footprint {
    Footprint::point(Position::new(lon, lat).unwrap())
}

#[test]
fn a_site_shows_no_more_than_its_tenth_of_a_degree() {
    let cover = Cover::of_site(&point(32.5599, 15.5007), 0.0);
    assert_eq!(
        cover.to_ewkt(),
        "SRID=4326;MULTIPOLYGON(((32.5 15.5,32.6 15.5,32.6 15.6,32.5 15.6,32.5 15.5)))"
    );
    let wide = Cover::of_site(&point(32.5599, 15.5007), 500.0);
    assert_eq!(
        wide.boxes(),
        [GeoBox {
            west: 32.5,
            south: 15.4,
            east: 32.6,
            north: 15.6
        }]
    );
    assert_eq!(
        format!("{cover:?}{:?}", cover.boxes()),
        "[sealed][[sealed]]"
    );
}

#[test]
fn boxes_split_at_the_antimeridian_and_widen_at_the_pole() {
    let cover = Cover::of_site(&point(179.99, 0.05), 5_000.0);
    assert_eq!(cover.boxes().len(), 2);
    assert!(
        cover
            .boxes()
            .iter()
            .all(|b| b.west >= -180.0 && b.east <= 180.0 && b.west <= b.east)
    );
    let pole = Cover::of_site(&point(20.0, 89.99), 5_000.0);
    assert_eq!(
        pole.boxes(),
        [GeoBox {
            west: -180.0,
            south: 89.9,
            east: 180.0,
            north: 90.0
        }]
    );
    let edge = Cover::of_site(&point(-180.0, 0.05), 0.0);
    assert!(edge.meets(&Cover::search(
        &Area::circle(Position::new(180.0, 0.05).unwrap(), 1.0).unwrap(),
        0.0
    )));
}

#[test]
fn a_route_over_the_antimeridian_has_a_narrow_cover() {
    let at = |lon, lat| Waypoint {
        position: Position::new(lon, lat).unwrap(),
        timing: None,
    };
    let track = Track::new(&[at(179.7, 60.2), at(-179.7, 60.2)], 100.0).unwrap();
    let cover = Cover::of_track(&track, 0.0);
    assert!(cover.boxes().len() == 2 && cover.boxes().iter().all(|b| b.east - b.west <= 1.0));
}

#[test]
fn the_binary_form_is_what_postgis_reads() {
    let cover = Cover {
        boxes: vec![GeoBox {
            west: 0.0,
            south: 1.0,
            east: 2.0,
            north: 3.0,
        }],
    };
    let bytes = cover.to_ewkb();
    assert_eq!(bytes.len(), 13 + 93);
    assert_eq!(
        bytes[..13],
        [1, 6, 0, 0, 0x20, 0xE6, 0x10, 0, 0, 1, 0, 0, 0]
    );
    assert_eq!(bytes[13..26], [1, 3, 0, 0, 0, 1, 0, 0, 0, 5, 0, 0, 0]);
    assert_eq!(
        bytes[26..42],
        [0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xF0, 0x3F]
    );
}

#[test]
fn a_radius_that_is_no_number_looks_everywhere() {
    let area = Area::circle(Position::new(10.0, 10.0).unwrap(), 5.0).unwrap();
    let everywhere = Cover::search(&area, f64::NAN);
    assert_eq!(
        everywhere.boxes(),
        [GeoBox {
            west: -180.0,
            south: -90.0,
            east: 180.0,
            north: 90.0
        }]
    );
}
