//! Windows and movements: what is where when.

use super::*;

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
