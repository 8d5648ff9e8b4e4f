//! Cells hold what they stand for, over every seam of the grid.

use super::*;
use crate::spatial::{Relation, Waypoint};

fn place(lon: f64, lat: f64) -> Position {
    Position::new(lon, lat).unwrap()
}

fn texts(cells: &[Cell]) -> Vec<String> {
    cells.iter().map(Cell::text).collect()
}

#[test]
fn a_place_lies_in_its_cell_and_its_buffer_in_the_neighbours() {
    let khartoum = Footprint::point(place(32.5599, 15.5007));
    assert_eq!(
        texts(&cells_covering(&khartoum, 500.0).unwrap()),
        ["36PVC51"]
    );
    let with_buffer = cells_covering(&khartoum, 5_000.0).unwrap();
    assert_eq!(
        texts(&with_buffer),
        ["36PVC40", "36PVC41", "36PVC50", "36PVC51"]
    );
    assert_eq!(verify_covering(&with_buffer, &khartoum, 5_000.0), Ok(()));
    assert_eq!(
        verify_covering(&with_buffer[1..], &khartoum, 5_000.0),
        Err(CellError::NotCovered { missing: 1 })
    );
    assert_eq!(
        verify_covering(&[], &khartoum, 0.0),
        Err(CellError::NotCovered { missing: 1 })
    );
    let wrong = [Cell::parse("36PVC50").unwrap()];
    assert_eq!(
        verify_covering(&wrong, &khartoum, 0.0),
        Err(CellError::NotCovered { missing: 1 })
    );
}

#[test]
fn buffers_reach_over_zones_bands_the_equator_and_the_antimeridian() {
    for (lon, lat, most) in [
        (30.0, 4.0, 4),
        (33.0, 8.0, 6),
        (33.0, 0.0, 6),
        (180.0, 10.0, 4),
        (3.0, 60.0, 4),
        (21.0, 75.0, 4),
        (12.0, 64.0, 8),
        (10.0, 84.0, 8),
        (100.0, -80.0, 8),
        (0.0, 90.0, 4),
        (45.0, -90.0, 4),
    ] {
        let here = Footprint::point(place(lon, lat));
        let cells = cells_covering(&here, 200.0).unwrap();
        assert!(
            (2..=most).contains(&cells.len()),
            "{lon} {lat} {:?}",
            texts(&cells)
        );
        for bearing in 0..36 {
            let (sin, cos) = f64::from(bearing * 10).to_radians().sin_cos();
            let near = [
                lon + 199.0 * sin / 111_320.0 / lat.to_radians().cos().max(0.01),
                lat + 199.0 * cos / 111_700.0,
            ];
            let near = Position::wrapped(near[0], near[1]);
            if near.distance_m(&place(lon, lat)) <= 200.0 {
                let cell = Cell::containing(near).unwrap();
                assert!(
                    cells.contains(&cell),
                    "{} not in {:?}",
                    cell.text(),
                    texts(&cells)
                );
            }
        }
    }
}

#[test]
fn a_cell_holds_its_places_and_is_near_what_is_near() {
    for text in ["36PVC51", "32VKN90", "33XWG18", "01NAA66", "ZAH00", "BAN00"] {
        let Ok(cell) = Cell::parse(text) else {
            continue;
        };
        let area = cell.area().unwrap();
        let middle = Footprint::point(cell.0.centre());
        if Cell::containing(cell.0.centre()) == Some(cell) {
            assert_eq!(
                proximity::distance(&area, &middle).relation,
                Relation::Inside,
                "{text}"
            );
        }
    }
    let cell = Cell::parse("36PVC51").unwrap();
    let circle = Area::circle(place(32.5599, 15.5007), 100.0).unwrap();
    assert!(cell.distance_m(&circle) <= 0.0);
    let far = Area::circle(place(33.5599, 15.5007), 100.0).unwrap();
    assert!(
        (cell.distance_m(&far) - 99_900.0).abs() < 300.0,
        "{}",
        cell.distance_m(&far)
    );
    assert_eq!(Cell::parse("36PVC5213"), Err(CellError::NotTenKilometres));
}

#[test]
fn a_route_is_covered_all_along() {
    let at = |lon, lat| Waypoint {
        position: place(lon, lat),
        timing: None,
    };
    let track = Track::new(&[at(32.5599, 15.5007), at(33.5199, 14.4012)], 50.0).unwrap();
    let cells = cells_covering_track(&track, 500.0).unwrap();
    assert!((16..40).contains(&cells.len()), "{}", cells.len());
    assert_eq!(verify_covering_track(&cells, &track, 500.0), Ok(()));
    let some: Vec<Cell> = cells.iter().skip(1).copied().collect();
    assert_eq!(
        verify_covering_track(&some, &track, 500.0),
        Err(CellError::NotCovered { missing: 1 })
    );
}

#[test]
fn what_needs_too_many_cells_is_refused() {
    let here = Footprint::point(place(30.0, 10.0));
    assert_eq!(cells_covering(&here, 500_000.0), Err(CellError::TooMany));
    assert_eq!(cells_covering(&here, f64::NAN), Err(CellError::TooMany));
}
