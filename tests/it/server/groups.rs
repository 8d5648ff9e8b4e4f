//! Statements that share a transaction are each taken as if they had come alone, in the order sent, whether they are stored
//! one by one or together.

use herald::domain::ids::{Nid, Revision};
use herald::domain::notification::Tier;
use herald::store::role::Role;
use herald::wire::api::{BulkItem, BulkResponse, SubmittedResult};
use herald::wire::build::build;
use herald::wire::claims::Admission;
use herald::wire::problem::ProblemKind as P;

use super::Site;
use super::world::World;

/// What became of each: `None` when it was taken now, `known` when it had been taken before, else the refusal.
fn outcomes(answer: &BulkResponse) -> Vec<Option<String>> {
    answer
        .items
        .iter()
        .map(|item| match item {
            BulkItem::Submitted(taken) => {
                (taken.result == SubmittedResult::Known).then(|| "known".to_owned())
            }
            BulkItem::Refused { problem, .. } => Some(problem.type_uri.clone()),
        })
        .collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn what_comes_in_one_request_is_judged_in_order_each_seeing_those_before() {
    let world = World::start().await;
    let ada = world.msf.first();
    let site = || Site::at(44.2, 15.4).to(&world.east, Tier::Exact);
    let (first, other) = (site(), site().to(&world.west, Tier::Cell));
    let built = first.build(&world, ada);
    let again = built.envelope.encode();
    let next = Site {
        nid: first.nid,
        rev: Revision::FIRST.next(),
        prev: Some(built.hash),
        ..site()
    };
    // The same notification begun twice, and one id for two statements.
    let twice = Site {
        nid: other.nid,
        ..site()
    };
    let claims = site().claims(&world, ada);
    let parts = site().parts(&world);
    let one = build(claims.clone(), &parts, &ada.signing).unwrap();
    let same_jti = build(claims, &site().parts(&world), &ada.signing).unwrap();
    let envelopes = [
        again.clone(),
        other.build(&world, ada).envelope.encode(),
        again,
        next.build(&world, ada).envelope.encode(),
        twice.build(&world, ada).envelope.encode(),
        one.envelope.encode(),
        same_jti.envelope.encode(),
        site().build(&world, ada).envelope.encode(),
    ];
    let answer: BulkResponse = world.submit_bulk(ada, &envelopes).await.json();
    let refused = |kind: P| Some(kind.type_uri());
    assert_eq!(
        outcomes(&answer),
        [
            None,
            None,
            Some("known".to_owned()),
            None,
            refused(P::ReusedRevision),
            None,
            refused(P::ReusedJti),
            None
        ]
    );
    let BulkItem::Submitted(known) = &answer.items[2] else {
        panic!("{:?}", answer.items[2]);
    };
    assert_eq!(world.receipt(&known.receipt).of, built.hash);
    mailboxes_are_dense(&world, first.nid).await;
}

/// Every mailbox counts without a gap in the order of positions, and what was chosen says where in it to look.
async fn mailboxes_are_dense(world: &World, of: Nid) {
    let mut conn = world.db.connect(Role::Admin).await;
    let broken: Vec<String> = sqlx::query_scalar(
        "SELECT m.actor FROM (
             SELECT actor, seq, pos, row_number() OVER (PARTITION BY actor ORDER BY pos) AS nth,
                    max(seq) OVER (PARTITION BY actor) AS last FROM hn.mailbox) m
           JOIN hn.actor a ON a.actor = m.actor
          WHERE m.seq <> m.nth OR m.last <> a.mailbox_seq",
    )
    .fetch_all(&mut conn)
    .await
    .unwrap();
    assert!(broken.is_empty(), "{broken:?}");
    let misled: i64 = sqlx::query_scalar(
        "SELECT count(*) FROM hn.audience u JOIN hn.revision r ON r.nid = u.nid AND r.rev = u.rev
          WHERE NOT EXISTS (SELECT FROM hn.mailbox m WHERE m.actor = u.party AND m.seq = u.seq AND m.pos = r.pos)",
    )
    .fetch_one(&mut conn)
    .await
    .unwrap();
    assert_eq!(misled, 0);
    let revisions: i64 =
        sqlx::query_scalar("SELECT count(*) FROM hn.audience WHERE nid = $1 AND party = 'east'")
            .bind(of.uuid())
            .fetch_one(&mut conn)
            .await
            .unwrap();
    assert_eq!(revisions, 2, "both revisions reached the party's mailbox");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_admission_that_ends_in_the_middle_of_a_request_counts_for_what_follows() {
    let world = World::start().await;
    let (by, relief) = (world.coordinator.first(), world.relief.first());
    let site = || Site::at(44.2, 15.4).to(&world.east, Tier::Exact);
    let suspended = world.admission(&world.relief, Admission::Suspended);
    let suspended = build(suspended, &[], &by.signing).unwrap();
    // A coordinator may bring what others signed.
    let envelopes = [
        site().build(&world, relief).envelope.encode(),
        suspended.envelope.encode(),
        site().build(&world, relief).envelope.encode(),
        site().build(&world, world.msf.first()).envelope.encode(),
    ];
    let answer: BulkResponse = world.submit_bulk(by, &envelopes).await.json();
    assert_eq!(
        outcomes(&answer),
        [None, None, Some(P::Suspended.type_uri()), None]
    );
}
