//! One question at a time: what is taken, what is answered, what is disclosed, and what is kept.

use herald::crypto::disclosure::Disclosure;
use herald::crypto::keys::SigningKey;
use herald::crypto::statement;
use herald::domain::check::{Flag, HitRelation, Verdict};
use herald::domain::ids::{DeviceId, Nid};
use herald::domain::notification::{Outcome, Tier};
use herald::service::records::Record;
use herald::store::role::Role;
use herald::wire::build::{Part, build};
use herald::wire::claims::CheckClaims;
use herald::wire::envelope::{Content, Envelope};
use herald::wire::problem::ProblemKind;
use serde_json::{Value, json};
use sqlx::Executor as _;
use time::Duration;

use super::world::{Asking, TO_EAST, circle, now, point, rfc3339};

const KHARTOUM: (f64, f64) = (32.5599, 15.5007);

fn here(radius_m: f64) -> Value {
    circle(KHARTOUM.0, KHARTOUM.1, radius_m)
}

#[tokio::test]
async fn a_party_is_told_of_what_was_notified_to_it_and_of_nothing_else() {
    let asking = Asking::new().await;
    let nid = asking.notify(KHARTOUM.0, KHARTOUM.1, TO_EAST).await;
    let east = asking.ask("east", &here(100.0)).await;
    assert_eq!((east.verdict, east.hits_total), (Verdict::Conflict, 1));
    assert_eq!(
        (east.hits[0].nid, east.hits[0].relation),
        (nid, HitRelation::Inside)
    );
    assert_eq!(east.hits[0].flags, [Flag::Unscreened]);
    assert_eq!(east.serial.0, 1, "one event in its mailbox");
    let west = asking.ask("west", &here(100.0)).await;
    assert_eq!(west.verdict, Verdict::NoneNotifiedToYou);
    assert!(west.considered.is_empty() && west.hits.is_empty() && west.serial.0 == 0);
    let elsewhere = asking.ask("east", &circle(40.0, 15.0, 100.0)).await;
    assert_eq!(elsewhere.verdict, Verdict::NoneNotifiedToYou);
    assert!(elsewhere.absence.contains("not absence of civilians"));
}

#[tokio::test]
async fn a_hit_discloses_what_the_tier_allows() {
    let asking = Asking::new().await;
    let tiers = [
        ("east", Tier::Exact),
        ("west", Tier::OnCheck),
        ("north", Tier::Cell),
    ];
    asking.notify(KHARTOUM.0, KHARTOUM.1, &tiers).await;
    for party in ["east", "west"] {
        let answer = asking.ask(party, &here(100.0)).await;
        assert_eq!(answer.verdict, Verdict::Conflict, "{party}");
        let hit = &answer.hits[0];
        let place = Disclosure::parse(hit.place.as_ref().unwrap().as_bytes()).unwrap();
        assert_eq!(place.value()["geometry"], point(KHARTOUM.0, KHARTOUM.1));
        assert!(hit.contact.is_some(), "the sealed contact, for {party}");
        let beside = asking.ask(party, &circle(32.6, 15.5007, 100.0)).await;
        assert_eq!(
            beside.verdict,
            Verdict::NoneNotifiedToYou,
            "in the same cell, and not hit"
        );
        assert!(beside.hits.is_empty());
    }
    let north = asking.ask("north", &circle(32.6, 15.5007, 100.0)).await;
    assert_eq!(north.verdict, Verdict::PossibleConflict);
    let hit = &north.hits[0];
    assert_eq!(
        (hit.relation, hit.subject, hit.buffer_m),
        (HitRelation::Cell, None, None)
    );
    assert!(hit.place.is_none() && hit.contact.is_none());
    assert_eq!(hit.cells, ["36PVC51"]);
}

#[tokio::test]
async fn no_missed_conflict_over_the_antimeridian_near_the_pole_and_where_boxes_overlap() {
    let asking = Asking::new().await;
    asking.notify(-179.9, 0.0, TO_EAST).await;
    asking.notify(179.9, 60.0, TO_EAST).await;
    asking.notify(-120.0, 89.99, TO_EAST).await;
    asking.notify(10.05, 10.05, TO_EAST).await;
    let verdict = async |area: Value| asking.ask("east", &area).await.verdict;
    assert_eq!(
        verdict(circle(179.9, 0.0, 22_264.0)).await,
        Verdict::Conflict
    );
    assert_eq!(
        verdict(circle(179.9, 0.0, 22_263.0)).await,
        Verdict::NoneNotifiedToYou
    );
    assert_eq!(
        verdict(circle(-179.9, 60.0, 12_000.0)).await,
        Verdict::Conflict
    );
    assert_eq!(
        verdict(circle(60.0, 89.99, 2_300.0)).await,
        Verdict::Conflict
    );
    // Two polygons whose search boxes overlap where the object is.
    let square = |x: f64| {
        json!([[
            [x, 10.0],
            [x + 0.02, 10.0],
            [x + 0.02, 10.02],
            [x, 10.02],
            [x, 10.0]
        ]])
    };
    let geometry = json!({"type": "MultiPolygon", "coordinates": [square(10.0), square(10.08)]});
    let both = json!({"area": {"kind": "polygon", "geometry": geometry}, "effect_radius_m": 60_000.0, "window": {}});
    assert_eq!(verdict(both).await, Verdict::Conflict);
}

#[tokio::test]
async fn a_policy_that_raises_a_buffer_counts_for_what_was_notified_before() {
    let asking = Asking::new().await;
    let nid = Nid::random();
    let built = asking.site(
        nid,
        &point(KHARTOUM.0, KHARTOUM.1),
        &json!({"buffer_m": null, "category": "warehouse"}),
        TO_EAST,
    );
    asking.submit(&built).await;
    let far = circle(KHARTOUM.0 + 0.2, KHARTOUM.1, 0.0);
    assert_eq!(
        asking.ask("east", &far).await.verdict,
        Verdict::NoneNotifiedToYou
    );
    let mut admin = asking.world.db.connect(Role::Admin).await;
    admin
        .execute("UPDATE hn.context SET policy = jsonb_set(policy, '{buffers_m}', '{\"warehouse\": 30000}')")
        .await
        .unwrap();
    let answer = asking.ask("east", &far).await;
    assert_eq!(answer.verdict, Verdict::Conflict);
    assert_eq!(answer.hits[0].buffer_m, Some(30_000.0));
}

#[tokio::test]
async fn what_was_withdrawn_or_closed_counts_no_longer_and_a_revision_counts_beside_the_old() {
    let asking = Asking::new().await;
    let nid = Nid::random();
    let first = asking.site(nid, &point(KHARTOUM.0, KHARTOUM.1), &json!({}), TO_EAST);
    asking.submit(&first).await;
    let moved = asking.revised(nid, first.hash, &point(33.0, 15.0), TO_EAST);
    asking.submit(&moved).await;
    let old = asking.ask("east", &here(100.0)).await;
    assert_eq!(old.verdict, Verdict::Conflict);
    assert!(old.hits[0].flags.contains(&Flag::BeingReplaced));
    let new = asking.ask("east", &circle(33.0, 15.0, 100.0)).await;
    assert_eq!((new.verdict, new.hits[0].rev.get()), (Verdict::Conflict, 2));
    let (gone, done) = (Nid::random(), Nid::random());
    for (nid, close) in [(gone, false), (done, true)] {
        let built = asking.site(nid, &point(20.0, 20.0), &json!({}), TO_EAST);
        asking.submit(&built).await;
        assert_eq!(
            asking
                .ask("east", &circle(20.0, 20.0, 5.0))
                .await
                .hits_total,
            1
        );
        if close {
            asking.close(nid, built.hash, Outcome::Completed).await;
        } else {
            asking.withdraw(nid, built.hash).await;
        }
        let after = asking.ask("east", &circle(20.0, 20.0, 5.0)).await;
        assert_eq!(after.verdict, Verdict::NoneNotifiedToYou);
    }
}

#[tokio::test]
async fn a_movement_is_overdue_by_the_databases_clock_until_it_is_closed() {
    let asking = Asking::new().await;
    let line =
        json!({"type": "LineString", "coordinates": [[32.5599, 15.5007], [33.5199, 14.4012]]});
    let way = |ended: Duration| {
        let end = now() - ended;
        json!({"waypoints": [{"at": rfc3339(end - Duration::hours(2))}, {"at": rfc3339(end)}]})
    };
    let (late, planned) = (Nid::random(), Nid::random());
    let built = asking.movement(late, &line, &way(Duration::minutes(30)), TO_EAST);
    asking.submit(&built).await;
    let other = asking.movement(planned, &line, &way(Duration::minutes(-30)), TO_EAST);
    asking.submit(&other).await;
    let mut area = circle(33.006_959_997, 14.920_770_142, 8_000.0);
    area["window"] = json!({"from": rfc3339(now() + Duration::hours(5)), "until": rfc3339(now() + Duration::hours(6))});
    let answer = asking.ask("east", &area).await;
    assert_eq!(answer.verdict, Verdict::Conflict);
    assert_eq!((answer.hits_total, answer.hits[0].nid), (1, late));
    assert!(answer.hits[0].flags.contains(&Flag::OverduePositionUnknown));
    asking.close(late, built.hash, Outcome::Arrived).await;
    assert_eq!(
        asking.ask("east", &area).await.verdict,
        Verdict::NoneNotifiedToYou
    );
}

#[tokio::test]
async fn a_question_is_taken_only_fresh_whole_and_from_the_party_that_signed_it() {
    let asking = Asking::new().await;
    let (east, west) = (asking.desk("east"), asking.desk("west"));
    let ask = |after_s| asking.question_at(east, &here(5.0), after_s).envelope;
    assert_eq!(asking.refused(east, ask(-62)).await, ProblemKind::Stale);
    assert_eq!(
        asking.refused(east, ask(305)).await,
        ProblemKind::FromTheFuture
    );
    assert_eq!(
        asking.refused(west, ask(0)).await,
        ProblemKind::CertificateKeyMismatch
    );
    let mut bare = ask(0);
    bare.attachments.clear();
    assert_eq!(asking.refused(east, bare).await, ProblemKind::MissingPart);
    let mut swapped = ask(0);
    swapped.attachments = asking.question(east, &here(6.0)).envelope.attachments;
    assert_eq!(
        asking.refused(east, swapped).await,
        ProblemKind::DigestMismatch
    );
    let mut forged = ask(0);
    let other = ask(0).statement;
    let (head, signature) = (
        forged.statement.rsplit_once('.').unwrap().0.to_owned(),
        other.rsplit_once('.').unwrap().1,
    );
    forged.statement = format!("{head}.{signature}");
    assert_eq!(
        asking.refused(east, forged).await,
        ProblemKind::BadSignature
    );
    let stranger = SigningKey::generate();
    let part = Part::new("area", &here(5.0)).unwrap().in_the_clear();
    let claims = CheckClaims::new(asking.world.common(east));
    let unknown = build(claims, std::slice::from_ref(&part), &stranger)
        .unwrap()
        .envelope;
    assert_eq!(asking.refused(east, unknown).await, ProblemKind::UnknownKey);
    let mut common = asking.world.common(east);
    common.iss.device = Some(DeviceId::from_random([9; 5]));
    let elsewhere = build(
        CheckClaims::new(common),
        std::slice::from_ref(&part),
        &east.signing,
    )
    .unwrap()
    .envelope;
    assert_eq!(
        asking.refused(east, elsewhere).await,
        ProblemKind::UnknownKey
    );
    let mut common = asking.world.common(east);
    common.aud = "herald:other".to_owned();
    let foreign = build(CheckClaims::new(common), &[part], &east.signing)
        .unwrap()
        .envelope;
    assert_eq!(
        asking.refused(east, foreign).await,
        ProblemKind::WrongDeployment
    );
    let mut wrong = here(5.0);
    wrong["colour"] = json!("green");
    assert_eq!(
        asking
            .refused(east, asking.question(east, &wrong).envelope)
            .await,
        ProblemKind::UnknownMember
    );
    let org = &asking.world.org;
    assert_eq!(
        asking
            .refused(org, asking.question(org, &here(5.0)).envelope)
            .await,
        ProblemKind::NotAllowed
    );
    let mut conn = asking.core.pools.intake.acquire().await.unwrap();
    asking
        .world
        .set_device_state(&mut conn, east, &east.device, "revoked")
        .await;
    assert_eq!(asking.refused(east, ask(0)).await, ProblemKind::UnknownKey);
}

#[tokio::test]
async fn the_same_bytes_get_the_same_answer_and_other_bytes_under_the_same_id_none() {
    let asking = Asking::new().await;
    let east = asking.desk("east");
    let question = asking.question(east, &here(100.0));
    let me = asking.principal(east);
    let first = asking
        .checks
        .answer(&me, question.envelope.clone())
        .await
        .unwrap();
    asking.notify(KHARTOUM.0, KHARTOUM.1, TO_EAST).await;
    let again = asking
        .checks
        .answer(&me, question.envelope.clone())
        .await
        .unwrap();
    assert_eq!(first.encode(), again.encode());
    let (_, claims) = herald::wire::read::read(&question.envelope.statement).unwrap();
    let part = Part::new("area", &here(7.0)).unwrap().in_the_clear();
    let reused = build(CheckClaims::new(claims.common()), &[part], &east.signing).unwrap();
    assert_eq!(
        asking.refused(east, reused.envelope).await,
        ProblemKind::ReusedJti
    );
    let at_once = asking.question(east, &here(100.0));
    let (one, other) = tokio::join!(
        asking.checks.answer(&me, at_once.envelope.clone()),
        asking.checks.answer(&me, at_once.envelope.clone())
    );
    assert_eq!(one.unwrap().encode(), other.unwrap().encode());
}

#[tokio::test]
async fn question_and_answer_are_kept_sealed_before_the_answer_leaves() {
    let asking = Asking::new().await;
    asking.notify(KHARTOUM.0, KHARTOUM.1, TO_EAST).await;
    let east = asking.desk("east");
    let question = asking.question(east, &here(100.0));
    let envelope = asking
        .checks
        .answer(&asking.principal(east), question.envelope.clone())
        .await
        .unwrap();
    let mut admin = asking.world.db.connect(Role::Admin).await;
    let (hash, area, kept, content): (Vec<u8>, Vec<u8>, String, Vec<u8>) =
        sqlx::query_as("SELECT hash, area, answer, content FROM hn.check_log")
            .fetch_one(&mut admin)
            .await
            .unwrap();
    assert_eq!(hash, question.hash.as_bytes());
    assert_eq!(kept, envelope.statement);
    let open = |part: &str, bytes: &[u8]| {
        let at = Record::check(&east.actor, &question.hash, part);
        asking
            .core
            .keyring
            .open_record(&at.at(), bytes)
            .unwrap()
            .to_vec()
    };
    let clear = |envelope: &Envelope| match &envelope.attachments[0].content {
        Content::Disclosure(text) => text.clone().into_bytes(),
        Content::Seal { .. } => panic!("in the clear inside TLS"),
    };
    assert_eq!(open("area", &area), clear(&question.envelope));
    assert_eq!(open("answer", &content), clear(&envelope));
    for (sealed, text) in [
        (&area, clear(&question.envelope)),
        (&content, clear(&envelope)),
    ] {
        assert!(
            !sealed
                .windows(24)
                .any(|some| text.windows(24).any(|other| some == other))
        );
    }
}

#[tokio::test]
async fn a_part_that_does_not_open_makes_the_answer_indeterminate() {
    let asking = Asking::new().await;
    asking.notify(KHARTOUM.0, KHARTOUM.1, TO_EAST).await;
    asking.notify(KHARTOUM.0 + 0.001, KHARTOUM.1, TO_EAST).await;
    let mut admin = asking.world.db.connect(Role::Admin).await;
    // One place is moved into the other's row.
    admin
        .execute(
            "UPDATE hn.part SET content = (SELECT content FROM hn.part WHERE part = 'place' ORDER BY pos LIMIT 1)
              WHERE part = 'place' AND pos = (SELECT max(pos) FROM hn.part)",
        )
        .await
        .unwrap();
    let answer = asking.ask("east", &here(5.0)).await;
    assert_eq!(answer.verdict, Verdict::Indeterminate);
    assert_eq!(answer.doubts, ["seal-does-not-open"]);
    assert_eq!((answer.hits_total, answer.considered.len()), (1, 2));
    admin
        .execute("DELETE FROM hn.part WHERE part = 'place'")
        .await
        .unwrap();
    let answer = asking.ask("east", &here(5.0)).await;
    assert_eq!(
        (answer.verdict, answer.hits_total),
        (Verdict::Indeterminate, 0)
    );
    assert_eq!(answer.doubts, ["missing-part"]);
}

#[tokio::test]
async fn candidates_that_the_database_does_not_give_make_the_answer_indeterminate_and_kept() {
    let asking = Asking::new().await;
    asking.notify(KHARTOUM.0, KHARTOUM.1, TO_EAST).await;
    let mut admin = asking.world.db.connect(Role::Admin).await;
    admin
        .execute("BEGIN; LOCK TABLE hn.cover IN ACCESS EXCLUSIVE MODE")
        .await
        .unwrap();
    let slow = asking.ask("east", &here(5.0)).await;
    assert_eq!(
        (slow.verdict, slow.doubts),
        (Verdict::Indeterminate, vec!["timeout".to_owned()])
    );
    admin.execute("ROLLBACK").await.unwrap();
    admin
        .execute("DROP FUNCTION hn.candidates(geometry, timestamptz, timestamptz)")
        .await
        .unwrap();
    let broken = asking.ask("east", &here(5.0)).await;
    assert_eq!(
        (broken.verdict, broken.doubts),
        (Verdict::Indeterminate, vec!["internal".to_owned()])
    );
    let kept: i64 = sqlx::query_scalar("SELECT count(*) FROM hn.check_log")
        .fetch_one(&mut admin)
        .await
        .unwrap();
    assert_eq!(kept, 2);
}

#[tokio::test]
async fn no_answer_leaves_that_could_not_be_kept() {
    let asking = Asking::new().await;
    let east = asking.desk("east");
    let mut admin = asking.world.db.connect(Role::Admin).await;
    admin
        .execute("REVOKE INSERT ON hn.check_log FROM hn_app")
        .await
        .unwrap();
    let refused = asking
        .refused(east, asking.question(east, &here(5.0)).envelope)
        .await;
    assert_eq!(refused, ProblemKind::Internal);
    asking.core.pools.app.close().await;
    let problem = asking
        .checks
        .answer(
            &asking.principal(east),
            asking.question(east, &here(5.0)).envelope,
        )
        .await
        .unwrap_err();
    assert!(problem.body().status >= 500);
    assert!(
        problem
            .body()
            .action
            .contains("treat an unanswered check as a conflict")
    );
}

#[tokio::test]
async fn more_objects_than_a_page_holds_are_all_counted_listed_and_kept() {
    let asking = Asking::new().await;
    let built: Vec<_> = (0..400)
        .map(|n| {
            let at = point(10.0 + f64::from(n) * 1e-5, 10.0);
            asking.site(
                Nid::random(),
                &at,
                &json!({"note": "n".repeat(400)}),
                TO_EAST,
            )
        })
        .collect();
    asking.submit_all(&built).await;
    let east = asking.desk("east");
    let question = asking.question(east, &circle(10.0, 10.0, 50_000.0));
    let me = asking.principal(east);
    let envelope = asking
        .checks
        .answer(&me, question.envelope.clone())
        .await
        .unwrap();
    assert!(envelope.attachments.len() > 1, "several pages");
    let answer = asking.read(&envelope, question.hash);
    assert_eq!(
        (answer.verdict, answer.hits_total, answer.hits.len()),
        (Verdict::Conflict, 400, 400)
    );
    assert_eq!(answer.considered.len(), 400);
    let again = asking.checks.answer(&me, question.envelope).await.unwrap();
    assert_eq!(again.encode(), envelope.encode());
    assert_eq!(
        statement::hash(&again.statement),
        statement::hash(&envelope.statement)
    );
    assert!(Envelope::decode_answer(&envelope.encode()).unwrap() == envelope);
}
