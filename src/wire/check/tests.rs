use serde_json::{Value, json};
use time::OffsetDateTime;
use time::macros::datetime;

use super::*;
use crate::crypto::digest::Digest;
use crate::crypto::disclosure::Disclosure;
use crate::domain::check::{Flag, HitRelation, Verdict};
use crate::domain::ids::{LogPosition, Nid, Revision, Seq};
use crate::domain::notification::{ScreeningState, SecondSignature, Subject, Tier};
use crate::wire::parts::{AnswerPart, CheckArea, Hit, Window, name};
use crate::wire::policy::Policy;
use crate::wire::problem::ProblemKind;

const DEPART: OffsetDateTime = datetime!(2026-05-03 06:00 UTC);

fn question(area: &Value, effect_radius_m: f64, from: &str, until: &str) -> Question {
    let asked: CheckArea = serde_json::from_value(json!({
        "area": area,
        "effect_radius_m": effect_radius_m,
        "window": {"from": from, "until": until},
    }))
    .expect("an area");
    Question::read(&asked).expect("a question")
}

fn circle(lon: f64, lat: f64, radius_m: f64) -> Value {
    json!({"kind": "circle", "center": [lon, lat], "radius_m": radius_m})
}

fn polygon(coordinates: &Value) -> Value {
    json!({"kind": "polygon", "geometry": {"type": "Polygon", "coordinates": coordinates}})
}

fn on_3_may(area: &Value, effect_radius_m: f64) -> Question {
    question(
        area,
        effect_radius_m,
        "2026-05-03T00:00:00Z",
        "2026-05-03T23:59:59Z",
    )
}

fn notified(subject: Subject, tier: Tier) -> Notified {
    Notified {
        said_at: DEPART,
        nid: Nid::random(),
        rev: Revision::FIRST,
        of: Digest::of(b"a statement"),
        pos: LogPosition(7),
        organisation: "msf".parse().expect("a slug"),
        duty: Some("+41 00 000 00 00".to_owned()),
        subject,
        tier,
        latest: true,
        emergency: false,
        screening: ScreeningState::Screened,
        cosign: SecondSignature::NotRequired,
    }
}

fn disclosed(part: &str, value: &Value) -> String {
    Disclosure::make(part, value)
        .expect("a part")
        .encoded()
        .to_owned()
}

fn place(subject: Subject, geometry: &Value, properties: &Value) -> Candidate {
    let mut all = json!({"category": "office", "name": "x", "relation": "run", "buffer_m": 0.0});
    let more = properties.as_object().expect("an object");
    all.as_object_mut()
        .expect("an object")
        .extend(more.iter().map(|(k, v)| (k.clone(), v.clone())));
    let value = json!({"type": "Feature", "geometry": geometry, "properties": all});
    let text = disclosed(name::PLACE, &value);
    Candidate {
        notified: notified(subject, Tier::Exact),
        seen: Seen::place(text.as_bytes(), subject, &Policy::default()),
        contact: None,
    }
}

fn site(lon: f64, lat: f64, properties: &Value) -> Candidate {
    let geometry = json!({"type": "Point", "coordinates": [lon, lat]});
    place(Subject::Site, &geometry, properties)
}

/// The convoy of CASES.md: 60 km/h from 06:00Z.
fn convoy(properties: &Value) -> Candidate {
    let geometry =
        json!({"type": "LineString", "coordinates": [[32.5599, 15.5007], [33.5199, 14.4012]]});
    place(Subject::Movement, &geometry, properties)
}

fn timed() -> Value {
    json!({"waypoints": [{"at": "2026-05-03T06:00:00Z"}, {"at": "2026-05-03T08:39:34.71Z"}]})
}

fn past_the_convoy() -> Value {
    circle(33.006_959_997, 14.920_770_142, 8_000.0)
}

fn judged(question: &Question, candidates: Vec<Candidate>) -> Findings {
    judge(question, &Policy::default(), candidates, DEPART)
}

fn only(findings: &Findings) -> &Hit {
    assert_eq!(findings.hits.len(), 1);
    &findings.hits[0]
}

#[test]
fn no_missed_conflict_where_postgis_picks_the_wrong_edge() {
    let ring = json!([[
        [0.009, -0.05],
        [0.05, -0.05],
        [0.05, 0.05],
        [-0.05, 0.05],
        [-0.05, 0.00905],
        [0.009, 0.00905],
        [0.009, -0.05]
    ]]);
    let found = judged(
        &on_3_may(&polygon(&ring), 1_001.0),
        vec![site(0.0, 0.0, &json!({}))],
    );
    assert_eq!(found.verdict(), Verdict::Conflict);
    assert!((only(&found).distance_m - 1_000.697).abs() < 1e-3);
    assert_eq!(only(&found).relation, HitRelation::WithinBuffer);
    let beyond = judged(
        &on_3_may(&polygon(&ring), 1_000.0),
        vec![site(0.0, 0.0, &json!({}))],
    );
    assert_eq!(beyond.verdict(), Verdict::NoneNotifiedToYou);
    assert_eq!(beyond.considered.len(), 1);
}

#[test]
fn metres_are_metres_at_sixty_degrees_north() {
    let asked = on_3_may(&circle(10.0, 60.0, 998.9), 0.0);
    let near = judged(&asked, vec![site(10.0179, 60.0, &json!({}))]);
    assert_eq!(near.verdict(), Verdict::Conflict);
    let asked = on_3_may(&circle(10.0, 60.0, 998.7), 0.0);
    let beside = judged(&asked, vec![site(10.0179, 60.0, &json!({}))]);
    assert_eq!(beside.verdict(), Verdict::NoneNotifiedToYou);
}

#[test]
fn no_missed_conflict_across_the_antimeridian() {
    let found = |radius_m| {
        let asked = on_3_may(&circle(179.9, 0.0, radius_m), 0.0);
        judged(&asked, vec![site(-179.9, 0.0, &json!({}))]).verdict()
    };
    assert_eq!(found(22_263.9), Verdict::Conflict);
    assert_eq!(found(22_263.8), Verdict::NoneNotifiedToYou);
    let ring = json!([[[179, -1], [-179, -1], [-179, 1], [179, 1], [179, -1]]]);
    let asked = on_3_may(&polygon(&ring), 0.0);
    let both = vec![site(179.5, 0.0, &json!({})), site(0.0, 0.0, &json!({}))];
    let found = judged(&asked, both);
    assert_eq!(only(&found).relation, HitRelation::Inside);
}

#[test]
fn edges_of_areas_are_straight_in_longitude_and_latitude() {
    let asked = on_3_may(
        &polygon(&json!([[[0, 40], [60, 40], [60, 50], [0, 50], [0, 40]]])),
        0.0,
    );
    let found = judged(
        &asked,
        vec![site(30.0, 53.0, &json!({})), site(30.0, 41.0, &json!({}))],
    );
    assert_eq!(only(&found).relation, HitRelation::Inside);
}

#[test]
fn a_ring_says_the_same_both_ways_and_its_hole_is_outside() {
    let outer = json!([[0, 0], [0, 1], [1, 1], [1, 0], [0, 0]]);
    let clockwise = on_3_may(&polygon(&json!([outer])), 0.0);
    let within = judged(
        &clockwise,
        vec![site(0.5, 0.5, &json!({})), site(1.5, 0.5, &json!({}))],
    );
    assert_eq!(within.hits.len(), 1);
    let hole = json!([[0.4, 0.4], [0.6, 0.4], [0.6, 0.6], [0.4, 0.6], [0.4, 0.4]]);
    let donut = on_3_may(&polygon(&json!([outer, hole])), 0.0);
    assert_eq!(
        judged(&donut, vec![site(0.5, 0.5, &json!({}))]).verdict(),
        Verdict::NoneNotifiedToYou
    );
    let reaching = on_3_may(&polygon(&json!([outer, hole])), 12_000.0);
    let hit = judged(&reaching, vec![site(0.5, 0.5, &json!({}))]);
    assert!(
        (11_000.0..11_132.0).contains(&only(&hit).distance_m),
        "the hole's edge"
    );
}

#[test]
fn what_cannot_be_asked_is_refused_saying_where() {
    let refused = |area: Value, effect_radius_m: f64| {
        let asked: CheckArea = serde_json::from_value(
            json!({"area": area, "effect_radius_m": effect_radius_m, "window": {}}),
        )
        .expect("an area");
        let problem = Question::read(&asked).expect_err("refused");
        (
            problem.kind().expect("ours"),
            problem.body().pointer.clone().unwrap_or_default(),
        )
    };
    let ring = |r: Value| polygon(&json!([r]));
    let wide = ring(json!([
        [-170, -80],
        [170, -80],
        [170, 80],
        [-170, 80],
        [-170, -80]
    ]));
    assert_eq!(refused(wide, 0.0).0, ProblemKind::GeometryTooWide);
    let bowtie = ring(json!([[0, 0], [2, 2], [2, 0], [0, 2], [0, 0]]));
    assert_eq!(refused(bowtie, 0.0).0, ProblemKind::GeometryCrossesItself);
    let off = refused(circle(190.0, 95.0, 5.0), 0.0);
    assert_eq!(
        off,
        (
            ProblemKind::GeometryOutOfRange,
            "/area/area/center".to_owned()
        )
    );
    let many: Vec<[f64; 2]> = (0..2_000)
        .map(|n| f64::from(n) / 2_000.0 * std::f64::consts::TAU)
        .map(|a| [a.cos(), a.sin()])
        .chain([[1.0, 0.0]])
        .collect();
    assert_eq!(
        refused(ring(json!(many)), 0.0).0,
        ProblemKind::GeometryTooManyVertices
    );
    assert_eq!(
        refused(circle(10.0, 10.0, 5.0), MAX_EFFECT_M + 1.0),
        (
            ProblemKind::InvalidMember,
            "/area/effect_radius_m".to_owned()
        )
    );
    let everything = ring(json!([
        [-60, -60],
        [60, -60],
        [60, 60],
        [-60, 60],
        [-60, -60]
    ]));
    assert_eq!(refused(everything, 0.0).0, ProblemKind::GeometryTooWide);
}

#[test]
fn windows_that_touch_overlap_and_an_open_bound_overlaps() {
    let here = circle(10.0, 10.0, 100.0);
    let until_eight = json!({"window": {"until": "2026-05-03T08:00:00Z"}});
    let asked = question(&here, 0.0, "2026-05-03T08:00:00Z", "2026-05-03T09:00:00Z");
    let touching = judged(&asked, vec![site(10.0, 10.0, &until_eight)]);
    assert_eq!(touching.verdict(), Verdict::Conflict);
    let eight = datetime!(2026-05-03 08:00 UTC);
    assert_eq!(
        only(&touching).overlap,
        Window {
            from: Some(eight),
            until: Some(eight)
        }
    );
    let later = question(
        &here,
        0.0,
        "2026-05-03T08:00:00.000001Z",
        "2026-05-03T09:00:00Z",
    );
    let apart = judged(&later, vec![site(10.0, 10.0, &until_eight)]);
    assert_eq!(apart.verdict(), Verdict::NoneNotifiedToYou);
    let open = judged(&asked, vec![site(10.0, 10.0, &json!({}))]);
    assert_eq!(open.verdict(), Verdict::Conflict);
}

#[test]
fn the_requested_buffer_counts_else_the_policys_else_the_categorys() {
    let hospital = |buffer: Value| {
        let mut properties = json!({"category": "hospital"});
        properties["buffer_m"] = buffer;
        properties
    };
    let asked = |radius_m: f64| on_3_may(&circle(10.0, 60.0, radius_m), 0.0);
    let verdict =
        |radius_m: f64, candidate: Candidate| judged(&asked(radius_m), vec![candidate]).verdict();
    // 998.820 m away.
    let with = |buffer: Value| site(10.0179, 60.0, &hospital(buffer));
    assert_eq!(verdict(498.9, with(Value::Null)), Verdict::Conflict);
    assert_eq!(
        verdict(498.7, with(Value::Null)),
        Verdict::NoneNotifiedToYou
    );
    assert_eq!(
        verdict(498.9, with(json!(100.0))),
        Verdict::NoneNotifiedToYou
    );
    assert_eq!(verdict(898.9, with(json!(100.0))), Verdict::Conflict);
    let mut policy = Policy::default();
    policy
        .buffers_m
        .insert(crate::domain::category::Category::Hospital, 900.0);
    assert!((greatest_buffer_m(&policy) - 900.0).abs() < f64::EPSILON);
    let text = disclosed(
        name::PLACE,
        &json!({"type": "Feature", "geometry": {"type": "Point", "coordinates": [10.0179, 60.0]},
            "properties": {"category": "hospital", "name": "x", "relation": "run"}}),
    );
    let candidate = Candidate {
        notified: notified(Subject::Site, Tier::Exact),
        seen: Seen::place(text.as_bytes(), Subject::Site, &policy),
        contact: None,
    };
    let found = judge(&asked(98.9), &policy, vec![candidate], DEPART);
    assert_eq!(only(&found).buffer_m, Some(900.0));
    assert!(asked(98.9).boxes(&policy).boxes()[0].west < 9.985);
}

#[test]
fn a_convoy_conflicts_where_it_is_when_it_is_there() {
    let at = |from: &str, until: &str| {
        let asked = question(
            &past_the_convoy(),
            0.0,
            &format!("2026-05-03T{from}Z"),
            &format!("2026-05-03T{until}Z"),
        );
        judged(&asked, vec![convoy(&timed())])
    };
    assert_eq!(
        at("06:00:00", "07:00:00").verdict(),
        Verdict::NoneNotifiedToYou
    );
    let hit = at("07:10:00", "07:20:00");
    assert_eq!(hit.verdict(), Verdict::Conflict);
    let all = at("06:00:00", "09:00:00");
    let overlap = only(&all).overlap;
    let (from, until) = (overlap.from.expect("known"), overlap.until.expect("known"));
    assert!(((from - DEPART).as_seconds_f64() - 4_426.0).abs() < 1.0);
    assert!(((until - DEPART).as_seconds_f64() - 5_174.0).abs() < 1.0);
    assert_eq!(
        at("08:30:00", "09:30:00").verdict(),
        Verdict::NoneNotifiedToYou
    );
}

#[test]
fn a_convoy_without_times_may_be_anywhere_for_its_whole_window() {
    let window =
        json!({"window": {"from": "2026-05-03T06:00:00Z", "until": "2026-05-03T09:00:00Z"}});
    let asked = |from: &str, until: &str| {
        let question = question(&past_the_convoy(), 0.0, from, until);
        judged(&question, vec![convoy(&window)]).verdict()
    };
    assert_eq!(
        asked("2026-05-03T06:00:00Z", "2026-05-03T06:01:00Z"),
        Verdict::Conflict
    );
    assert_eq!(
        asked("2026-05-03T09:00:00Z", "2026-05-03T09:01:00Z"),
        Verdict::Conflict
    );
    assert_eq!(
        asked("2026-05-03T09:00:01Z", "2026-05-03T09:01:00Z"),
        Verdict::NoneNotifiedToYou
    );
}

#[test]
fn a_convoy_stands_at_its_ends_while_its_window_is_longer_than_its_times() {
    let mut properties = timed();
    properties["window"] = json!({"from": "2026-05-03T04:00:00Z", "until": "2026-05-03T12:00:00Z"});
    let asked = |lon: f64, lat: f64, from: &str, until: &str| {
        let question = question(&circle(lon, lat, 1_000.0), 0.0, from, until);
        judged(&question, vec![convoy(&properties)]).verdict()
    };
    let (early, late) = (
        ("2026-05-03T04:30:00Z", "2026-05-03T05:00:00Z"),
        ("2026-05-03T11:00:00Z", "2026-05-03T12:30:00Z"),
    );
    assert_eq!(asked(32.5599, 15.5007, early.0, early.1), Verdict::Conflict);
    assert_eq!(
        asked(33.5199, 14.4012, early.0, early.1),
        Verdict::NoneNotifiedToYou
    );
    assert_eq!(asked(33.5199, 14.4012, late.0, late.1), Verdict::Conflict);
    assert_eq!(
        asked(32.5599, 15.5007, late.0, late.1),
        Verdict::NoneNotifiedToYou
    );
}

/// The convoy of CASES.md, of which its organisation has said that what remains from a waypoint on is late.
fn delayed(late_s: u32, from: Option<u32>) -> Candidate {
    let geometry =
        json!({"type": "LineString", "coordinates": [[32.5599, 15.5007], [33.5199, 14.4012]]});
    let mut all = json!({"category": "office", "name": "x", "relation": "run", "buffer_m": 0.0});
    all.as_object_mut()
        .expect("an object")
        .extend(timed().as_object().expect("an object").clone());
    let place = json!({"type": "Feature", "geometry": geometry, "properties": all});
    let mut said = json!({"step": "delayed", "at": "2026-05-03T06:00:00Z", "delay_s": late_s});
    if let Some(from) = from {
        said["waypoint"] = json!(from);
    }
    let (place, said) = (
        disclosed(name::PLACE, &place),
        disclosed(name::PROGRESS, &said),
    );
    Candidate {
        notified: notified(Subject::Movement, Tier::Exact),
        seen: Seen::delayed(
            place.as_bytes(),
            said.as_bytes(),
            Subject::Movement,
            &Policy::default(),
        ),
        contact: None,
    }
}

#[test]
fn no_missed_conflict_a_delayed_convoy_counts_late_and_at_its_earlier_times_too() {
    let ask = |from, until| question(&past_the_convoy(), 0.0, from, until);
    let as_notified = ask("2026-05-03T07:15:00Z", "2026-05-03T07:20:00Z");
    let later = ask("2026-05-03T08:15:00Z", "2026-05-03T08:20:00Z");
    let much_later = ask("2026-05-03T09:15:00Z", "2026-05-03T09:20:00Z");
    let verdict = |question: &Question, convoy| judged(question, vec![convoy]).verdict();
    assert_eq!(verdict(&as_notified, convoy(&timed())), Verdict::Conflict);
    assert_eq!(
        verdict(&later, convoy(&timed())),
        Verdict::NoneNotifiedToYou
    );
    for from in [None, Some(0), Some(1)] {
        assert_eq!(
            verdict(&as_notified, delayed(3_600, from)),
            Verdict::Conflict
        );
        assert_eq!(verdict(&later, delayed(3_600, from)), Verdict::Conflict);
        assert_eq!(
            verdict(&much_later, delayed(3_600, from)),
            Verdict::NoneNotifiedToYou,
            "an hour late, and no more"
        );
    }
    let found = judged(&later, vec![delayed(3_600, None)]);
    assert_eq!(only(&found).flags, [Flag::Delayed]);
    assert_eq!(
        verdict(&later, delayed(0, None)),
        Verdict::NoneNotifiedToYou
    );
}

#[test]
fn a_delayed_convoy_is_overdue_that_much_later() {
    let end = datetime!(2026-05-03 08:39:34 UTC);
    let evening = question(
        &past_the_convoy(),
        0.0,
        "2026-05-03T20:00:00Z",
        "2026-05-03T21:00:00Z",
    );
    let at = |now| {
        judge(
            &evening,
            &Policy::default(),
            vec![delayed(3_600, None)],
            now,
        )
        .verdict()
    };
    let minute = time::Duration::minutes(1);
    let hour = time::Duration::hours(1);
    assert_eq!(at(end + minute), Verdict::NoneNotifiedToYou);
    assert_eq!(at(end + hour + minute), Verdict::Conflict);
}

#[test]
fn no_missed_conflict_where_a_delay_does_not_read() {
    let seen = Seen::delayed(
        disclosed(name::PLACE, &json!({})).as_bytes(),
        b"not a disclosure",
        Subject::Movement,
        &Policy::default(),
    );
    assert!(matches!(seen, Seen::Unreadable(_)));
}

#[test]
fn a_site_that_was_not_confirmed_in_time_counts_flagged() {
    let policy = Policy::default();
    let days = time::Duration::days(policy.reconfirm_days.into());
    let question = on_3_may(&circle(30.0, 10.0, 100.0), 0.0);
    let flags = |ago| {
        let mut site = site(30.0, 10.0, &json!({}));
        site.notified.said_at = DEPART - ago;
        let found = judge(&question, &policy, vec![site], DEPART);
        assert_eq!(found.verdict(), Verdict::Conflict);
        only(&found).flags.clone()
    };
    assert_eq!(flags(days), []);
    assert_eq!(flags(days + time::Duration::SECOND), [Flag::Stale]);
}

#[test]
fn an_overdue_convoy_counts_on_its_whole_route_from_its_end_on() {
    let end = datetime!(2026-05-03 08:39:34.71 UTC);
    let at = |now: OffsetDateTime, from: &str, until: &str| {
        let asked = question(&past_the_convoy(), 0.0, from, until);
        judge(&asked, &Policy::default(), vec![convoy(&timed())], now)
    };
    let evening = ("2026-05-03T18:00:00Z", "2026-05-03T18:30:00Z");
    let under_way = at(end, evening.0, evening.1);
    assert_eq!(
        under_way.verdict(),
        Verdict::NoneNotifiedToYou,
        "not yet overdue"
    );
    let overdue = at(end + time::Duration::seconds(1), evening.0, evening.1);
    assert_eq!(overdue.verdict(), Verdict::Conflict);
    assert_eq!(only(&overdue).flags, [Flag::OverduePositionUnknown]);
    let past = at(
        end + time::Duration::hours(1),
        "2026-05-03T06:00:00Z",
        "2026-05-03T07:00:00Z",
    );
    assert_eq!(
        past.verdict(),
        Verdict::NoneNotifiedToYou,
        "where it was then is known"
    );
    let open = convoy(&json!({"window": {"from": "2026-05-03T06:00:00Z"}}));
    let asked = question(&past_the_convoy(), 0.0, evening.0, evening.1);
    let never = judge(
        &asked,
        &Policy::default(),
        vec![open],
        end + time::Duration::days(30),
    );
    assert!(
        only(&never).flags.is_empty(),
        "without an end it is never overdue, and still counts"
    );
}

#[test]
fn slack_moves_the_end_and_the_half_width_reaches() {
    let mut properties = timed();
    properties["waypoints"][1]["slack_s"] = json!(3_600);
    let late = ("2026-05-03T09:30:00Z", "2026-05-03T09:35:00Z");
    let there = question(&circle(33.5199, 14.4012, 10.0), 0.0, late.0, late.1);
    assert_eq!(
        judged(&there, vec![convoy(&properties)]).verdict(),
        Verdict::Conflict
    );
    let beside = question(
        &past_the_convoy(),
        0.0,
        "2026-05-03T06:00:00Z",
        "2026-05-03T09:00:00Z",
    );
    let narrow = question(
        &circle(33.006_959_997, 14.920_770_142, 4_000.0),
        0.0,
        "2026-05-03T06:00:00Z",
        "2026-05-03T09:00:00Z",
    );
    let mut wide = timed();
    wide["half_width_m"] = json!(1_000.5);
    assert_eq!(
        judged(&narrow, vec![convoy(&wide)]).verdict(),
        Verdict::Conflict
    );
    assert_eq!(
        judged(&narrow, vec![convoy(&timed())]).verdict(),
        Verdict::NoneNotifiedToYou
    );
    assert!((only(&judged(&beside, vec![convoy(&timed())])).distance_m).abs() < 1e-3);
}

fn in_cells(cells: &[&str]) -> Candidate {
    let party = "east".parse().expect("a slug");
    let value = json!({"party": "east", "tier": "cell", "onward": false, "cells": cells});
    let text = disclosed("audience.east", &value);
    Candidate {
        notified: notified(Subject::Site, Tier::Cell),
        seen: Seen::cells(text.as_bytes(), &party),
        contact: None,
    }
}

#[test]
fn a_cell_is_a_possible_conflict_and_withholds_what_it_is() {
    // Khartoum lies in 36PVC51, which spans 10 km.
    let asked = on_3_may(&circle(32.58, 15.52, 100.0), 0.0);
    let found = judged(&asked, vec![in_cells(&["36PVC51"])]);
    assert_eq!(found.verdict(), Verdict::PossibleConflict);
    let hit = only(&found);
    assert_eq!(hit.relation, HitRelation::Cell);
    assert_eq!((hit.subject, hit.buffer_m, &hit.place), (None, None, &None));
    assert_eq!(hit.cells, ["36PVC51"]);
    let far = on_3_may(&circle(33.0, 15.47, 100.0), 0.0);
    assert_eq!(
        judged(&far, vec![in_cells(&["36PVC51"])]).verdict(),
        Verdict::NoneNotifiedToYou
    );
    let both = judged(
        &asked,
        vec![in_cells(&["36PVC51"]), site(32.58, 15.52, &json!({}))],
    );
    assert_eq!(both.verdict(), Verdict::Conflict);
}

#[test]
fn whatever_must_be_known_of_an_object_is_flagged() {
    let mut candidate = site(10.0, 10.0, &json!({}));
    candidate.notified.latest = false;
    candidate.notified.emergency = true;
    candidate.notified.screening = ScreeningState::Submitted;
    candidate.notified.cosign = SecondSignature::Waiting;
    let asked = on_3_may(&circle(10.0, 10.0, 5.0), 0.0);
    assert_eq!(
        only(&judged(&asked, vec![candidate.clone()])).flags,
        [
            Flag::Unscreened,
            Flag::SecondSignatureMissing,
            Flag::BeingReplaced,
            Flag::Emergency
        ]
    );
    candidate.notified.screening = ScreeningState::Returned;
    assert!(
        only(&judged(&asked, vec![candidate]))
            .flags
            .contains(&Flag::Returned)
    );
}

#[test]
fn what_counts_and_cannot_be_read_makes_the_answer_indeterminate() {
    let asked = on_3_may(&circle(10.0, 10.0, 5.0), 0.0);
    let broken = [
        Seen::place(b"not a disclosure", Subject::Site, &Policy::default()),
        Seen::place(
            disclosed(name::CONTACT, &json!({})).as_bytes(),
            Subject::Site,
            &Policy::default(),
        ),
        Seen::place(
            disclosed(name::PLACE, &json!({})).as_bytes(),
            Subject::Site,
            &Policy::default(),
        ),
        place(
            Subject::Site,
            &json!({"type": "Point", "coordinates": [190, 95]}),
            &json!({}),
        )
        .seen,
        in_cells(&[]).seen,
        in_cells(&["nowhere"]).seen,
    ];
    for seen in broken {
        assert!(matches!(seen, Seen::Unreadable(_)));
        let mut unreadable = site(50.0, 50.0, &json!({}));
        unreadable.seen = seen;
        let found = judged(&asked, vec![unreadable, site(10.0, 10.0, &json!({}))]);
        assert_eq!(found.verdict(), Verdict::Indeterminate);
        assert_eq!(
            (found.hits.len(), found.considered.len()),
            (1, 2),
            "what can be read is still told"
        );
        let answer = found.into_answer(DEPART, Seq(3), None);
        assert_eq!(answer.doubts.len(), 1);
    }
    assert_eq!(
        Findings::doubt(ProblemKind::Timeout).verdict(),
        Verdict::Indeterminate
    );
}

fn answered(answer: AnswerPart) -> Result<AnswerPart, PagesError> {
    let (envelope, claims) = signed(answer);
    read_answer(&claims, &envelope)
}

fn signed(
    answer: AnswerPart,
) -> (
    crate::wire::envelope::Envelope,
    crate::wire::claims::AnswerClaims,
) {
    use crate::wire::claims::{AnswerClaims, Claims, Common};
    let common = Common {
        iss: "server/7k2m9qxa".parse().expect("an issuer"),
        aud: "herald:test".to_owned(),
        ctx: "yem".parse().expect("a slug"),
        mode: crate::domain::actor::Mode::Exercise,
        jti: uuid::Uuid::new_v4(),
        iat: 0,
    };
    let (_, parts) = answer_parts(answer).expect("parts");
    let key = crate::crypto::keys::SigningKey::generate();
    let claims = AnswerClaims::new(common, Digest::of(b"a check"));
    let built = crate::wire::build::build(claims, &parts, &key).expect("a statement");
    let (_, claims) = crate::wire::read::read(&built.envelope.statement).expect("ours");
    let Claims::Answer(claims) = claims else {
        unreachable!("an answer")
    };
    (built.envelope, *claims)
}

#[test]
fn more_objects_than_a_page_holds_are_all_counted_and_listed() {
    let asked = on_3_may(&circle(10.0, 10.0, 50_000.0), 0.0);
    let all = (0..1_200)
        .map(|n| site(10.0 + f64::from(n) * 1e-5, 10.0, &json!({})))
        .collect();
    let answer = judged(&asked, all).into_answer(DEPART, Seq(9), None);
    let read = answered(answer.clone()).expect("whole");
    assert!(read.pages > 1);
    assert_eq!(
        (read.hits_total, read.hits.len(), read.considered.len()),
        (1_200, 1_200, 1_200)
    );
    assert_eq!(
        (read.hits, read.considered),
        (answer.hits, answer.considered)
    );
}

#[test]
fn an_answer_that_lost_a_page_is_no_answer() {
    let asked = on_3_may(&circle(10.0, 10.0, 50_000.0), 0.0);
    let all = (0..1_200)
        .map(|n| site(10.0 + f64::from(n) * 1e-5, 10.0, &json!({})))
        .collect();
    let (mut envelope, claims) = signed(judged(&asked, all).into_answer(DEPART, Seq(9), None));
    let lost = envelope.attachments.pop().expect("a last page");
    assert_eq!(
        read_answer(&claims, &envelope),
        Err(PagesError::Page(lost.part.clone()))
    );
    let (other, _) =
        signed(Findings::doubt(ProblemKind::Timeout).into_answer(DEPART, Seq(9), None));
    let foreign = read_answer(&claims, &other);
    assert_eq!(
        foreign,
        Err(PagesError::Page("answer".to_owned())),
        "signed elsewhere"
    );
}

#[test]
fn an_answer_that_miscounts_is_refused() {
    let asked = on_3_may(&circle(10.0, 10.0, 5.0), 0.0);
    let mut answer =
        judged(&asked, vec![site(10.0, 10.0, &json!({}))]).into_answer(DEPART, Seq(9), None);
    answer.hits_total = 2;
    assert_eq!(
        answered(answer),
        Err(PagesError::Count {
            counted: 2,
            listed: 1
        })
    );
}

#[test]
fn hits_stand_nearest_first_and_every_answer_says_what_absence_means() {
    let asked = on_3_may(&circle(10.0, 10.0, 1_000.0), 5_000.0);
    let found = judged(
        &asked,
        vec![
            site(10.05, 10.0, &json!({})),
            site(10.0, 10.0, &json!({})),
            site(10.03, 10.0, &json!({})),
        ],
    );
    assert!(found.hits.is_sorted_by(|a, b| a.distance_m <= b.distance_m));
    assert_eq!(found.hits.len(), 3);
    let none = judged(&asked, Vec::new()).into_answer(DEPART, Seq(0), Some("+1".to_owned()));
    assert!(none.absence.contains("not absence of civilians"));
    assert_eq!(
        (none.verdict, none.call),
        (Verdict::NoneNotifiedToYou, Some("+1".to_owned()))
    );
}
