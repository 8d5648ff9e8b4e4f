//! Random questions through the real intake and the real candidate function: every verdict is the slow reference's, three
//! in ten within two metres of the boundary; a planted error is caught; PostGIS agrees within its own slack.
//! `HERALD_CASES` sets how many cases run in all (1,000 unless set), `HERALD_SEED` which ones.

#[path = "../../../src/spatial/reference/cases.rs"]
#[allow(dead_code, reason = "shared with the unit tests, which use the rest")]
mod cases;
#[path = "../../../src/spatial/reference/measure.rs"]
#[allow(dead_code, reason = "shared with the unit tests, which use the rest")]
mod measure;

use herald::domain::check::HitRelation;
use herald::domain::ids::Nid;
use herald::spatial::proximity;
use herald::store::role::Role;
use proptest::strategy::{Strategy, ValueTree as _};
use proptest::test_runner::{Config, RngAlgorithm, TestRng, TestRunner};
use serde_json::{Value, json};
use time::Duration;

use super::world::{Asking, TO_EAST, now, rfc3339};
use cases::{MovementCase, ShapeCase};
use measure::Raw;

/// Cases that share a database; each is judged by its own notification.
const BATCH: usize = 50;

fn number(name: &str, default: u64) -> u64 {
    std::env::var(name)
        .ok()
        .and_then(|text| text.parse().ok())
        .unwrap_or(default)
}

/// The cases of one property: its share of all.
fn drawn<S: Strategy>(strategy: &S, share: u64, salt: u64) -> Vec<S::Value> {
    let count = (number("HERALD_CASES", 1_000) / share).max(1);
    let mut seed = [0_u8; 32];
    seed[..8].copy_from_slice(&number("HERALD_SEED", 2_217).to_le_bytes());
    seed[8..16].copy_from_slice(&salt.to_le_bytes());
    let rng = TestRng::from_seed(RngAlgorithm::ChaCha, &seed);
    let mut runner = TestRunner::new_with_rng(Config::default(), rng);
    (0..count)
        .map(|_| strategy.new_tree(&mut runner).unwrap().current())
        .collect()
}

/// What the engine must not differ by, metres; beyond 100 km a millionth.
fn resolution_m(distance_m: f64) -> f64 {
    if distance_m > 100_000.0 {
        distance_m * 1e-6
    } else {
        1e-3
    }
}

/// A question and whether it must hit.
struct Posed {
    nid: Nid,
    area: Value,
    hit: bool,
    what: String,
}

/// The limit to ask with, and whether the object lies within it; none where the case says nothing at that resolution, or
/// asks for more than one question may.
fn limit(truth_m: f64, offset_m: f64) -> Option<(f64, bool)> {
    if truth_m <= 0.0 {
        return Some((0.0, true));
    }
    let limit_m = truth_m + offset_m;
    let blurred = offset_m.abs() <= resolution_m(truth_m);
    ((0.0..=100_000.0).contains(&limit_m) && !blurred).then_some((limit_m, offset_m > 0.0))
}

fn asked(case: &ShapeCase, effect_radius_m: f64, window: &Value) -> Value {
    let text: Value = serde_json::from_str(&match &case.area {
        Raw::Point(_) | Raw::Line(_) | Raw::Polygons(_) => cases::json(&case.area),
    })
    .unwrap();
    let area = match &case.area {
        Raw::Point(_) => {
            json!({"kind": "circle", "center": text["coordinates"], "radius_m": case.reach_m})
        }
        Raw::Line(_) => json!({"kind": "corridor", "geometry": text, "half_width_m": case.reach_m}),
        Raw::Polygons(_) => json!({"kind": "polygon", "geometry": text}),
    };
    json!({"area": area, "effect_radius_m": effect_radius_m, "window": window})
}

/// Splits a limit into an effect radius and a requested buffer of at most 50 km.
fn split(limit_m: f64, share: f64) -> (f64, f64) {
    let buffer_m = (limit_m * share).min(50_000.0);
    (limit_m - buffer_m, buffer_m)
}

/// Asks everything; says what was answered otherwise than the reference.
async fn wrong(asking: &Asking, posed: &[Posed]) -> Vec<String> {
    let mut wrong = Vec::new();
    for one in posed {
        let answer = asking.ask("east", &one.area).await;
        assert!(answer.doubts.is_empty(), "{:?}", answer.doubts);
        let hit = answer.hits.iter().find(|hit| hit.nid == one.nid);
        let considered = answer.considered.iter().find(|c| c.nid == one.nid);
        assert_eq!(hit.is_some(), considered.is_some_and(|c| c.hit));
        assert!(hit.is_none_or(|hit| hit.relation != HitRelation::Cell));
        if hit.is_some() != one.hit {
            wrong.push(format!(
                "{}: the reference says {}, the answer {} (considered: {})",
                one.what,
                one.hit,
                hit.is_some(),
                considered.is_some()
            ));
        }
    }
    wrong
}

/// Poses shapes with the limit scaled by `factor`, and says what was answered otherwise.
async fn shapes_wrong(cases: &[ShapeCase], factor: f64) -> Vec<String> {
    let (mut found, mut count) = (Vec::new(), 0);
    for batch in cases.chunks(BATCH * 20) {
        let asking = Asking::new().await;
        for some in batch.chunks(BATCH) {
            let (mut built, mut posed) = (Vec::new(), Vec::new());
            for case in some {
                let (Ok(_), Ok(_)) = (case.area(), case.footprint()) else {
                    continue;
                };
                let truth_m = case.distance_m();
                let Some((limit_m, hit)) = limit(truth_m, case.offset_m(truth_m)) else {
                    continue;
                };
                let (effect_m, buffer_m) = split(limit_m * factor, case.share);
                let geometry: Value = serde_json::from_str(&cases::json(&case.object)).unwrap();
                let nid = Nid::random();
                built.push(asking.site(nid, &geometry, &json!({"buffer_m": buffer_m}), TO_EAST));
                posed.push(Posed {
                    nid,
                    area: asked(case, effect_m, &json!({})),
                    hit,
                    what: format!("{truth_m} m away, asked with {limit_m} m: {case:?}"),
                });
            }
            asking.submit_all(&built).await;
            count += posed.len();
            found.extend(wrong(&asking, &posed).await);
        }
    }
    assert!(
        count * 2 > cases.len(),
        "only {count} of {} were asked",
        cases.len()
    );
    found
}

#[tokio::test(flavor = "multi_thread")]
async fn every_verdict_on_sites_is_the_references() {
    let cases = drawn(&cases::shapes(), 4, 11);
    let wrong = shapes_wrong(&cases, 1.0).await;
    assert!(
        wrong.is_empty(),
        "{} of {}: {}",
        wrong.len(),
        cases.len(),
        wrong[0]
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_distance_off_by_a_five_hundredth_is_caught_through_the_service() {
    let close: Vec<ShapeCase> = drawn(&cases::shapes(), 1, 12)
        .into_iter()
        .filter(|case| case.close)
        .take(60)
        .collect();
    assert!(
        !shapes_wrong(&close, 1.002).await.is_empty(),
        "too far is called near"
    );
    assert!(
        !shapes_wrong(&close, 0.998).await.is_empty(),
        "too near is called far"
    );
}

/// A movement as the reference has it, with its times moved so that it is, or is not, overdue by the database's clock.
fn moving(case: &MovementCase) -> Option<(Value, Value, Value)> {
    let whole_s = i64::from(case.leg_s.iter().sum::<u32>());
    let slack = Duration::seconds(i64::from(case.slack_s));
    let start = if case.overdue {
        now() - Duration::seconds(whole_s) - slack - Duration::hours(1)
    } else {
        now() + Duration::days(1)
    };
    let start = start.replace_nanosecond(0).unwrap();
    let mut at_s = 0;
    let mut waypoints = vec![json!({"at": rfc3339(start), "slack_s": case.slack_s})];
    for leg_s in &case.leg_s {
        at_s += i64::from(*leg_s);
        waypoints
            .push(json!({"at": rfc3339(start + Duration::seconds(at_s)), "slack_s": case.slack_s}));
    }
    #[allow(
        clippy::cast_possible_truncation,
        clippy::cast_precision_loss,
        reason = "a few days in seconds"
    )]
    let share = |share: f64| Duration::seconds((share * whole_s as f64) as i64);
    let from = start + share(case.window.0);
    let until = from + share(case.window.1);
    let window = if case.overdue {
        json!({"from": rfc3339(now() + Duration::hours(1)), "until": rfc3339(now() + Duration::hours(2))})
    } else {
        json!({"from": rfc3339(from), "until": rfc3339(until)})
    };
    let line = cases::json(&Raw::Line(case.route.clone()));
    let properties = json!({"waypoints": waypoints, "half_width_m": case.half_width_m});
    Some((serde_json::from_str(&line).ok()?, properties, window))
}

#[tokio::test(flavor = "multi_thread")]
async fn every_verdict_on_movements_is_the_references() {
    let cases = drawn(&cases::movements(), 8, 13);
    let (mut found, mut count) = (Vec::new(), 0);
    for batch in cases.chunks(BATCH * 20) {
        let asking = Asking::new().await;
        for some in batch.chunks(BATCH) {
            let (mut built, mut posed) = (Vec::new(), Vec::new());
            for case in some {
                let (Ok(_), Ok(_)) = (case.area(), case.track()) else {
                    continue;
                };
                let truth_m = case.distance_m();
                let posed_as = match truth_m {
                    Some(truth_m) => limit(truth_m, case.shape.offset_m(truth_m)),
                    // Not under way: it must not hit however far is asked.
                    None => Some((50_000.0, false)),
                };
                let (Some((limit_m, hit)), Some((line, mut properties, window))) =
                    (posed_as, moving(case))
                else {
                    continue;
                };
                let (effect_m, buffer_m) = split(limit_m, case.shape.share);
                properties["buffer_m"] = json!(buffer_m);
                let nid = Nid::random();
                built.push(asking.movement(nid, &line, &properties, TO_EAST));
                posed.push(Posed {
                    nid,
                    area: asked(&case.shape, effect_m, &window),
                    hit,
                    what: format!("{truth_m:?} m away, asked with {limit_m} m: {case:?}"),
                });
            }
            asking.submit_all(&built).await;
            count += posed.len();
            found.extend(wrong(&asking, &posed).await);
        }
    }
    assert!(
        count * 2 > cases.len(),
        "only {count} of {} were asked",
        cases.len()
    );
    assert!(
        found.is_empty(),
        "{} of {}: {}",
        found.len(),
        cases.len(),
        found[0]
    );
}

#[tokio::test]
async fn postgis_agrees_within_its_own_slack() {
    let db = crate::support::TestDb::new().await;
    let mut admin = db.connect(Role::Admin).await;
    let mut compared = 0_u32;
    for case in drawn(&cases::shapes(), 4, 14) {
        let (Ok(area), Ok(footprint)) = (case.area(), case.footprint()) else {
            continue;
        };
        let texts = [cases::json(&case.area), cases::json(&case.object)];
        // PostGIS's edges are great circles and do not know our antimeridian: where it can be compared, in pieces.
        let tame = |raw: &Raw| {
            let vertices: Vec<measure::Xy> = match raw {
                Raw::Point(p) => vec![*p],
                Raw::Line(points) => points.clone(),
                Raw::Polygons(polygons) => polygons.iter().flatten().flatten().copied().collect(),
            };
            vertices
                .iter()
                .all(|p| p[0].abs() < 175.0 && p[1].abs() < 75.0)
        };
        if !tame(&case.area) || !tame(&case.object) {
            continue;
        }
        let theirs: f64 = sqlx::query_scalar(
            "SELECT ST_Distance(ST_Segmentize(ST_GeomFromGeoJSON($1), 0.02)::geography, ST_Segmentize(ST_GeomFromGeoJSON($2), 0.02)::geography)",
        )
        .bind(&texts[0])
        .bind(&texts[1])
        .fetch_one(&mut admin)
        .await
        .unwrap();
        let reach_m = if matches!(case.area, Raw::Polygons(_)) {
            0.0
        } else {
            case.reach_m
        };
        let ours = proximity::distance(&area, &footprint).distance_m;
        let theirs = (theirs - reach_m).max(0.0);
        let slack_m = (ours + reach_m) * 0.006 + 2.0;
        assert!(
            (ours - theirs).abs() <= slack_m,
            "ours {ours}, PostGIS {theirs}: {case:?}"
        );
        compared += 1;
    }
    assert!(compared > 20, "only {compared} compared");
}
