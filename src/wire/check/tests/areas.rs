//! Areas and distances: what is near what, on the ellipsoid, over the antimeridian, with which buffer.

use super::*;

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
