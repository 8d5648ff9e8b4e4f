//! What a party sees of an object, how it stands, and what could not be read.

use super::*;

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
