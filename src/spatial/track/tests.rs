//! Movements in space and time: the documented case, windows, slack, stops and missing times.

use super::*;
use crate::spatial::{Area, Window};
use time::macros::datetime;
use time::{Duration, OffsetDateTime};

const START: OffsetDateTime = datetime!(2026-05-03 06:00 UTC);

fn place(lon: f64, lat: f64) -> Position {
    Position::new(lon, lat).unwrap()
}

fn timed(lon: f64, lat: f64, after_s: f64, slack_s: u32) -> Waypoint {
    let at = START + Duration::seconds_f64(after_s);
    Waypoint {
        position: place(lon, lat),
        timing: Some(Timing { at, slack_s }),
    }
}

fn untimed(lon: f64, lat: f64) -> Waypoint {
    Waypoint {
        position: place(lon, lat),
        timing: None,
    }
}

/// Khartoum toward Wad Madani at 60 km/h.
fn convoy(slack_s: u32) -> Track {
    let duration_s = 159_578.49 / (60_000.0 / 3_600.0);
    Track::new(
        &[
            timed(32.5599, 15.5007, 0.0, slack_s),
            timed(33.5199, 14.4012, duration_s, slack_s),
        ],
        0.0,
    )
    .unwrap()
}

fn circle() -> Area {
    Area::circle(place(33.006_959_997, 14.920_770_142), 8_000.0).unwrap()
}

fn window(from_s: i64, until_s: i64) -> Window {
    Window::new(
        Some(START + Duration::seconds(from_s)),
        Some(START + Duration::seconds(until_s)),
    )
    .unwrap()
}

fn after_s(at: Option<OffsetDateTime>) -> f64 {
    (at.unwrap() - START).as_seconds_f64()
}

#[test]
fn the_documented_convoy_comes_near_at_the_documented_moments() {
    let track = convoy(0);
    assert!((track.length_m() - 159_578.49).abs() < 0.01);
    let point = Area::circle(place(33.006_959_997, 14.920_770_142), 0.0).unwrap();
    let closest = track
        .closest_approach(&point, &Window::ALWAYS, Presence::AsNotified)
        .unwrap();
    assert!(
        (closest.proximity.distance_m - 5_000.0).abs() < 0.1,
        "{}",
        closest.proximity.distance_m
    );
    assert!((after_s(closest.nearest.from()) - 4_800.0).abs() < 1.0);
    let inside = track
        .approach_within(&circle(), &Window::ALWAYS, Presence::AsNotified, 0.0)
        .unwrap();
    assert!(
        (after_s(inside.overlap.from()) - 4_426.0).abs() < 1.0,
        "{}",
        after_s(inside.overlap.from())
    );
    assert!(
        (after_s(inside.overlap.until()) - 5_174.0).abs() < 1.0,
        "{}",
        after_s(inside.overlap.until())
    );
}

#[test]
fn a_movement_conflicts_only_while_it_may_be_there() {
    let track = convoy(0);
    let hit = |from, until| {
        track.approach_within(&circle(), &window(from, until), Presence::AsNotified, 0.0)
    };
    assert!(hit(0, 3_600).is_none());
    assert!(hit(4_200, 4_800).is_some());
    assert!(hit(5_200, 9_000).is_none());
    assert!(hit(5_173, 9_000).is_some());
    assert!(hit(20_000, 30_000).is_none());
    // Ten minutes of slack reach into the first window.
    assert!(
        convoy(827)
            .approach_within(&circle(), &window(0, 3_600), Presence::AsNotified, 0.0)
            .is_some()
    );
    assert!(
        convoy(825)
            .approach_within(&circle(), &window(0, 3_600), Presence::AsNotified, 0.0)
            .is_none()
    );
}

#[test]
fn an_overdue_movement_may_be_anywhere_on_the_rest_of_its_route() {
    let track = convoy(0);
    let late = window(100_000, 200_000);
    assert!(
        track
            .approach_within(&circle(), &late, Presence::AsNotified, 0.0)
            .is_none()
    );
    let hit = track
        .approach_within(&circle(), &late, Presence::AnywhereFrom { leg: 0 }, 0.0)
        .unwrap();
    assert_eq!(hit.overlap, late);
    assert!(
        track
            .approach_within(&circle(), &late, Presence::AnywhereFrom { leg: 1 }, 0.0)
            .is_none()
    );
}

#[test]
fn a_route_without_times_counts_for_the_whole_window() {
    let track = Track::new(&[untimed(32.5599, 15.5007), untimed(33.5199, 14.4012)], 0.0).unwrap();
    let hit = track
        .approach_within(&circle(), &window(7, 8), Presence::AsNotified, 0.0)
        .unwrap();
    assert_eq!(hit.overlap, window(7, 8));
    assert_eq!(track.span(), Window::ALWAYS);
}

#[test]
fn an_untimed_waypoint_leaves_its_legs_open_between_its_neighbours() {
    let waypoints = [
        timed(10.0, 10.0, 0.0, 60),
        untimed(10.5, 10.0),
        timed(11.0, 10.0, 3_600.0, 60),
    ];
    let track = Track::new(&waypoints, 0.0).unwrap();
    let start = Area::circle(place(10.0, 10.0), 10.0).unwrap();
    let hit = |from, until| {
        track.approach_within(&start, &window(from, until), Presence::AsNotified, 0.0)
    };
    assert!(hit(3_600, 3_660).is_some());
    assert!(hit(3_661, 4_000).is_none());
    assert!(hit(-100, -61).is_none());
}

#[test]
fn a_stop_is_occupied_from_arrival_to_departure() {
    let stop = [
        timed(10.0, 10.0, 0.0, 0),
        timed(10.1, 10.0, 600.0, 30),
        timed(10.1, 10.0, 4_200.0, 30),
        timed(10.2, 10.0, 4_800.0, 0),
    ];
    let track = Track::new(&stop, 0.0).unwrap();
    let there = Area::circle(place(10.1, 10.0), 50.0).unwrap();
    let hit = |from, until| {
        track.approach_within(&there, &window(from, until), Presence::AsNotified, 0.0)
    };
    assert!(hit(2_000, 2_001).is_some());
    assert!(hit(0, 500).is_none());
    assert!(hit(4_300, 5_000).is_none());
    let whole = hit(0, 9_000).unwrap();
    assert!((after_s(whole.overlap.from()) - 570.0).abs() < 4.0);
    assert!((after_s(whole.overlap.until()) - 4_230.0).abs() < 4.0);
    assert!(track.first_leg_at(START + Duration::seconds(1_000)) == 1);
}

#[test]
fn legs_follow_the_geodesic_not_the_map() {
    // Ten degrees east–west at 60° N: the map's midpoint is 10,546 m off.
    let track = Track::new(&[untimed(10.0, 60.0), untimed(20.0, 60.0)], 0.0).unwrap();
    let point = Area::circle(place(15.0, 60.0), 0.0).unwrap();
    let off = track
        .closest_approach(&point, &Window::ALWAYS, Presence::AsNotified)
        .unwrap()
        .proximity
        .distance_m;
    assert!((off - 10_546.0).abs() < 1.0, "{off}");
    let wide = Track::new(&[untimed(10.0, 60.0), untimed(20.0, 60.0)], 10_547.0).unwrap();
    assert!(
        wide.approach_within(&point, &Window::ALWAYS, Presence::AsNotified, 0.0)
            .is_some()
    );
}

#[test]
fn a_leg_through_an_area_is_inside_it() {
    let square = Area::from_json(r#"{"type":"Polygon","coordinates":[[[179.9,-1],[-179.9,-1],[-179.9,1],[179.9,1],[179.9,-1]]]}"#).unwrap();
    let track = Track::new(
        &[timed(179.0, 0.1, 0.0, 0), timed(-179.0, -0.1, 2_000.0, 0)],
        0.0,
    )
    .unwrap();
    let hit = track
        .approach_within(&square, &Window::ALWAYS, Presence::AsNotified, 0.0)
        .unwrap();
    assert_eq!(hit.proximity.relation, crate::spatial::Relation::Inside);
    assert!((after_s(hit.overlap.from()) - 900.0).abs() < 1.0);
    assert!((after_s(hit.overlap.until()) - 1_100.0).abs() < 1.0);
    assert!(
        track
            .approach_within(&square, &window(0, 890), Presence::AsNotified, 0.0)
            .is_none()
    );
    assert!(
        track
            .approach_within(&square, &window(950, 960), Presence::AsNotified, 0.0)
            .is_some()
    );
}

#[test]
fn impossible_movements_are_refused_by_their_waypoint() {
    let one = [untimed(1.0, 1.0)];
    assert_eq!(
        Track::new(&one, 0.0).unwrap_err(),
        TrackError::TooFewWaypoints
    );
    let backward = [
        timed(1.0, 1.0, 10.0, 0),
        untimed(1.5, 1.0),
        timed(2.0, 1.0, 0.0, 0),
    ];
    assert_eq!(
        Track::new(&backward, 0.0).unwrap_err(),
        TrackError::TimesRunBackward { waypoint: 2 }
    );
    let far = [untimed(0.0, 0.0), untimed(60.0, 0.0)];
    assert_eq!(
        Track::new(&far, 0.0).unwrap_err(),
        TrackError::LegTooLong { waypoint: 0 }
    );
    assert_eq!(
        Track::new(&[untimed(0.0, 0.0), untimed(1.0, 0.0)], f64::NAN).unwrap_err(),
        TrackError::HalfWidth
    );
    let many = vec![untimed(0.0, 0.0); 1_001];
    assert!(matches!(
        Track::new(&many, 0.0).unwrap_err(),
        TrackError::TooManyWaypoints { .. }
    ));
}
