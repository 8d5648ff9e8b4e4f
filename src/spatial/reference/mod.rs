//! A slow, independent reference for the distance engine, and the property tests that hold the engine to it.
//!
//! Nothing here uses the engine's code: places inside are found by winding angles, distances by dense samples and a grid
//! that zooms in. `HERALD_CASES` sets how many cases run (1,000 unless set), `HERALD_SEED` which ones.

mod cases;
mod measure;

use super::cover::Cover;
use super::track::{Presence, Track};
use super::{Area, Footprint, proximity};
use cases::{MovementCase, ShapeCase};
use proptest::strategy::Strategy;
use proptest::test_runner::{Config, RngAlgorithm, TestCaseError, TestError, TestRng, TestRunner};

/// What the engine must not differ by, metres; beyond 100 km a millionth.
fn resolution_m(distance_m: f64) -> f64 {
    if distance_m > 100_000.0 {
        distance_m * 1e-6
    } else {
        1e-3
    }
}

fn number(name: &str, default: u64) -> u64 {
    std::env::var(name)
        .ok()
        .and_then(|text| text.parse().ok())
        .unwrap_or(default)
}

/// Runs the share of all cases that falls to one property; a failure is reported at its simplest.
fn run<S: Strategy>(
    share: u64,
    salt: u64,
    strategy: &S,
    test: impl Fn(S::Value) -> Result<(), TestCaseError>,
) -> Result<(), TestError<S::Value>> {
    let cases = u32::try_from((number("HERALD_CASES", 1_000) / share).max(1)).unwrap_or(u32::MAX);
    runner(cases, 256, salt).run(strategy, test)
}

/// Runs until the first failure, which is what a planted error must provoke.
fn sought<S: Strategy>(
    salt: u64,
    strategy: &S,
    test: impl Fn(S::Value) -> Result<(), TestCaseError>,
) -> Result<(), TestError<S::Value>> {
    runner(1_000, 0, salt).run(strategy, test)
}

fn runner(cases: u32, max_shrink_iters: u32, salt: u64) -> TestRunner {
    let mut seed = [0_u8; 32];
    seed[..8].copy_from_slice(&number("HERALD_SEED", 2_217).to_le_bytes());
    seed[8..16].copy_from_slice(&salt.to_le_bytes());
    let max_global_rejects = cases.saturating_mul(4);
    let config = Config {
        cases,
        max_shrink_iters,
        max_global_rejects,
        failure_persistence: None,
        ..Config::default()
    };
    TestRunner::new_with_rng(config, TestRng::from_seed(RngAlgorithm::ChaCha, &seed))
}

/// Compares one verdict with the reference's, just beside the boundary or well away from it.
fn compare(truth_m: f64, offset_m: f64, found: impl Fn(f64) -> bool) -> Result<(), TestCaseError> {
    if truth_m <= 0.0 {
        return verdict(true, found(0.0), truth_m, 0.0);
    }
    let limit_m = truth_m + offset_m;
    if limit_m < 0.0 || offset_m.abs() <= resolution_m(truth_m) {
        return Ok(());
    }
    verdict(offset_m > 0.0, found(limit_m), truth_m, limit_m)
}

fn verdict(want: bool, got: bool, truth_m: f64, limit_m: f64) -> Result<(), TestCaseError> {
    if want == got {
        return Ok(());
    }
    Err(TestCaseError::fail(format!(
        "the reference says {truth_m} m, the limit is {limit_m} m, the engine says {got}"
    )))
}

fn shapes_agree(
    case: &ShapeCase,
    engine: impl Fn(&Area, &Footprint, f64) -> bool,
) -> Result<(), TestCaseError> {
    let (Ok(area), Ok(footprint)) = (case.area(), case.footprint()) else {
        return Err(TestCaseError::reject("refused"));
    };
    let truth_m = case.distance_m();
    compare(truth_m, case.offset_m(truth_m), |limit_m| {
        engine(&area, &footprint, limit_m)
    })
}

#[test]
fn every_verdict_on_shapes_is_the_references() {
    run(1, 1, &cases::shapes(), |case| {
        shapes_agree(&case, |area, footprint, limit_m| {
            proximity::within(area, footprint, limit_m).is_some()
        })
    })
    .unwrap();
}

#[test]
fn every_distance_is_the_references_and_the_same_both_ways() {
    run(4, 2, &cases::shapes(), |case| {
        let (Ok(area), Ok(footprint)) = (case.area(), case.footprint()) else {
            return Err(TestCaseError::reject("refused"));
        };
        let (truth_m, got) = (case.distance_m(), proximity::distance(&area, &footprint));
        if (truth_m - got.distance_m).abs() > resolution_m(truth_m) {
            return Err(TestCaseError::fail(format!(
                "the reference says {truth_m} m, the engine {} m",
                got.distance_m
            )));
        }
        Ok(())
    })
    .unwrap();
}

#[test]
fn a_distance_off_by_a_five_hundredth_is_caught() {
    let caught = |factor: f64| {
        sought(3, &cases::shapes(), |case| {
            shapes_agree(&case, |area, footprint, limit_m| {
                proximity::distance(area, footprint).distance_m * factor <= limit_m
            })
        })
    };
    assert!(matches!(caught(1.002), Err(TestError::Fail(..))));
    assert!(matches!(caught(0.998), Err(TestError::Fail(..))));
}

#[test]
fn what_is_near_always_meets_in_the_index() {
    run(1, 4, &cases::shapes(), |case| {
        let (Ok(area), Ok(footprint)) = (case.area(), case.footprint()) else {
            return Err(TestCaseError::reject("refused"));
        };
        let distance_m = proximity::distance(&area, &footprint).distance_m;
        let (radius_m, buffer_m) = (distance_m * case.share, distance_m * (1.0 - case.share));
        let meets = |radius_m: f64, buffer_m: f64| {
            Cover::of_site(&footprint, buffer_m).meets(&Cover::search(&area, radius_m))
        };
        if distance_m < 1e6
            && !(meets(radius_m, buffer_m) && meets(distance_m, 0.0) && meets(0.0, distance_m))
        {
            return Err(TestCaseError::fail(format!(
                "{distance_m} m apart, and the index would not find it"
            )));
        }
        Ok(())
    })
    .unwrap();
}

fn movements_agree(
    case: &MovementCase,
    engine: impl Fn(&Track, &Area, Presence, f64) -> bool,
) -> Result<(), TestCaseError> {
    let (Ok(area), Ok(track)) = (case.area(), case.track()) else {
        return Err(TestCaseError::reject("refused"));
    };
    let presence = if case.overdue {
        Presence::AnywhereFrom { leg: 0 }
    } else {
        Presence::AsNotified
    };
    let Some(truth_m) = case.distance_m() else {
        return verdict(
            false,
            engine(&track, &area, presence, 1e7),
            f64::INFINITY,
            1e7,
        );
    };
    compare(truth_m, case.shape.offset_m(truth_m), |limit_m| {
        engine(&track, &area, presence, limit_m)
    })
}

#[test]
fn every_verdict_on_movements_is_the_references() {
    run(2, 5, &cases::movements(), |case| {
        movements_agree(&case, |track, area, presence, limit_m| {
            track
                .approach_within(area, &case.window(), presence, limit_m)
                .is_some()
        })
    })
    .unwrap();
}

#[test]
fn a_movement_with_its_times_off_is_caught() {
    let late = sought(6, &cases::movements(), |case| {
        let window = case.window_moved(-30);
        movements_agree(&case, |track, area, presence, limit_m| {
            track
                .approach_within(area, &window, presence, limit_m)
                .is_some()
        })
    });
    assert!(matches!(late, Err(TestError::Fail(..))));
}

#[test]
fn a_movement_that_is_near_always_meets_in_the_index() {
    run(4, 7, &cases::movements(), |case| {
        let (Ok(area), Ok(track)) = (case.area(), case.track()) else {
            return Err(TestCaseError::reject("refused"));
        };
        let closest = track.closest_approach(
            &area,
            &super::Window::ALWAYS,
            Presence::AnywhereFrom { leg: 0 },
        );
        let distance_m = closest.map_or(f64::INFINITY, |approach| approach.proximity.distance_m);
        let share_m = distance_m * case.shape.share;
        if distance_m < 1e6
            && !Cover::of_track(&track, distance_m - share_m).meets(&Cover::search(&area, share_m))
        {
            return Err(TestCaseError::fail("the index would not find it"));
        }
        Ok(())
    })
    .unwrap();
}
