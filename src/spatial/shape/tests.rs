//! What is refused, and that each refusal says where.

use super::*;

fn area(json: &str) -> Result<Area, ShapeError> {
    Area::from_json(json)
}

fn polygon(rings: &str) -> Result<Area, ShapeError> {
    area(&format!(r#"{{"type":"Polygon","coordinates":{rings}}}"#))
}

#[test]
fn a_bowtie_is_refused_and_its_crossing_named() {
    let refused = polygon("[[[0,0],[2,2],[2,0],[0,2],[0,0]]]").unwrap_err();
    let ShapeError::RingCrossesItself { first, second, .. } = &refused else {
        panic!("{refused:?}")
    };
    assert_eq!(
        (first.as_str(), second.as_str()),
        ("/coordinates/0/0", "/coordinates/0/2")
    );
    let spot = refused.crossing().unwrap();
    assert!((spot.lon() - 1.0).abs() < 1e-12 && (spot.lat() - 1.0).abs() < 1e-12);
    assert!(!format!("{refused} {refused:?}").contains("1.0"));
}

#[test]
fn half_the_earth_is_refused() {
    assert_eq!(
        polygon("[[[-170,-80],[170,-80],[170,80],[-170,80],[-170,-80]]]")
            .unwrap_err()
            .pointer(),
        "/coordinates/0/0"
    );
    assert_eq!(
        polygon("[[[0,80],[90,80],[175,80],[-178,80],[0,85],[0,80]]]").unwrap_err(),
        ShapeError::SpanTooWide
    );
    assert_eq!(
        polygon("[[[-90,-1],[90,-1],[90,1],[-90,1],[-90,-1]]]").unwrap_err(),
        ShapeError::SpanTooWide
    );
    let pieces = r#"{"type":"MultiPoint","coordinates":[[0,0],[120,0],[-120,0]]}"#;
    assert_eq!(
        Footprint::from_json(pieces).unwrap_err(),
        ShapeError::SpanTooWide
    );
}

#[test]
fn the_short_way_over_the_antimeridian_is_taken_up_to_ten_degrees() {
    assert!(polygon("[[[175,-1],[-175,-1],[-175,1],[175,1],[175,-1]]]").is_ok());
    let refused = polygon("[[[170,-1],[-179,-1],[-179,1],[170,1],[170,-1]]]").unwrap_err();
    assert_eq!(
        refused,
        ShapeError::EdgeTooLong {
            pointer: "/coordinates/0/0".into()
        }
    );
}

#[test]
fn more_vertices_than_the_bound_are_refused_never_simplified() {
    let points: Vec<String> = (0..2_001)
        .map(|n| format!("[{},10]", f64::from(n) / 1e4))
        .collect();
    let line = format!(
        r#"{{"type":"LineString","coordinates":[{}]}}"#,
        points.join(",")
    );
    assert_eq!(
        Footprint::from_json(&line).unwrap_err(),
        ShapeError::TooManyVertices {
            found: 2_001,
            limit: 2_000
        }
    );
    let line = format!(
        r#"{{"type":"LineString","coordinates":[{}]}}"#,
        points[1..].join(",")
    );
    assert!(Footprint::from_json(&line).is_ok());
}

#[test]
fn a_position_off_the_earth_is_refused_by_its_pointer() {
    let refused = Footprint::from_json(r#"{"type":"Point","coordinates":[190,95]}"#).unwrap_err();
    assert_eq!(refused.pointer(), "/coordinates");
    let refused = polygon("[[[0,0],[1,0],[1,91],[0,0]]]").unwrap_err();
    assert_eq!(refused.pointer(), "/coordinates/0/2");
    assert_eq!(
        polygon("[[[0,0],[1,0],[1],[0,0]]]").unwrap_err().pointer(),
        "/coordinates/0/2"
    );
}

#[test]
fn broken_rings_are_refused_for_what_they_lack() {
    let pointer = || "/coordinates/0".to_owned();
    assert_eq!(
        polygon("[[[0,0],[1,0],[0,0]]]").unwrap_err(),
        ShapeError::RingTooShort { pointer: pointer() }
    );
    assert_eq!(
        polygon("[[[0,0],[1,0],[1,1],[0,1]]]").unwrap_err(),
        ShapeError::RingNotClosed { pointer: pointer() }
    );
    assert_eq!(
        polygon("[[[0,0],[1,1],[2,2],[0,0]]]").unwrap_err(),
        ShapeError::RingWithoutArea { pointer: pointer() }
    );
    assert_eq!(polygon("[]").unwrap_err().pointer(), "/coordinates");
    assert!(matches!(
        polygon("[[[0,0],[2,0],[1,0],[1,1],[0,0]]]").unwrap_err(),
        ShapeError::RingCrossesItself { .. }
    ));
    // A vertex given twice in a row changes nothing.
    assert!(polygon("[[[0,0],[1,0],[1,0],[1,1],[0,0]]]").is_ok());
    // A ring that touches itself in one point is two polygons.
    assert!(polygon("[[[0,0],[1,1],[2,0],[2,2],[1,1],[0,2],[0,0]]]").is_err());
}

#[test]
fn holes_must_lie_inside() {
    let outline = "[[0,0],[10,0],[10,10],[0,10],[0,0]]";
    let with = |holes: &str| polygon(&format!("[{outline},{holes}]"));
    assert!(with("[[2,2],[4,2],[4,4],[2,4],[2,2]]").is_ok());
    assert!(with("[[0,2],[4,1],[4,4],[0,2]]").is_ok());
    assert_eq!(
        with("[[12,2],[14,2],[14,4],[12,2]]").unwrap_err().pointer(),
        "/coordinates/1"
    );
    assert!(matches!(
        with("[[2,2],[14,2],[14,4],[2,2]]").unwrap_err(),
        ShapeError::RingsCross { .. }
    ));
    let nested = with("[[2,2],[8,2],[8,8],[2,8],[2,2]],[[3,3],[4,3],[4,4],[3,3]]").unwrap_err();
    assert_eq!(
        nested,
        ShapeError::HoleOutside {
            pointer: "/coordinates/2".into()
        }
    );
}

#[test]
fn a_comb_of_the_greatest_size_is_checked_quickly() {
    let mut ring = String::from("[0,0]");
    for n in 0..998 {
        let x = f64::from(n) / 1e3;
        let tooth = [[x + 0.0001, 9.0], [x + 0.0005, 1.0]];
        ring.extend(tooth.map(|[lon, lat]| format!(",[{lon},{lat}]")));
    }
    ring.push_str(",[2,0],[0,0]");
    let started = std::time::Instant::now();
    assert!(polygon(&format!("[[{ring}]]")).is_ok());
    assert!(started.elapsed().as_secs() < 5);
}

#[test]
fn lines_circles_and_other_types_are_checked_too() {
    let line = |json: &str| json.parse::<Geometry>().unwrap();
    let flat = line(r#"{"type":"LineString","coordinates":[[1,1],[1,1]]}"#);
    assert!(matches!(
        Area::corridor(&flat, 5.0).unwrap_err(),
        ShapeError::LineTooShort { .. }
    ));
    let crossing = line(r#"{"type":"LineString","coordinates":[[0,0],[2,2],[2,0],[0,2]]}"#);
    assert!(Area::corridor(&crossing, 5.0).is_ok());
    assert_eq!(
        Area::corridor(&crossing, f64::NAN).unwrap_err(),
        ShapeError::Reach
    );
    let here = Position::new(0.0, 0.0).unwrap();
    assert_eq!(Area::circle(here, -1.0).unwrap_err(), ShapeError::Reach);
    assert_eq!(Area::circle(here, 1e7).unwrap_err(), ShapeError::Reach);
    let nothing = r#"{"type":"GeometryCollection","geometries":[]}"#;
    assert!(matches!(
        Footprint::from_json(nothing).unwrap_err(),
        ShapeError::Unsupported { .. }
    ));
    assert!(matches!(
        area(r#"{"type":"Point","coordinates":[0,0]}"#).unwrap_err(),
        ShapeError::Unsupported { .. }
    ));
    assert_eq!(area("{}").unwrap_err(), ShapeError::Malformed);
    assert_eq!(format!("{:?}", Footprint::point(here)), "[sealed]");
}
