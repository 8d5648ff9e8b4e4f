//! The way in: same bytes and other bytes, order of revisions, freshness, cells, who is told, second signatures, and
//! batches in which one is refused.

use herald::domain::ids::{Nid, Revision};
use herald::domain::notification::{NotificationState, Outcome, Tier};
use herald::wire::api::{BulkItem, BulkResponse, NotificationStatus, Submitted, SubmittedResult};
use herald::wire::build::build;
use herald::wire::claims::{
    CloseClaims, CosignClaims, NotificationClaims, PolicyClaims, ScreenClaims, ScreenResult,
    WithdrawClaims,
};
use herald::wire::policy::{Freshness, Policy};
use herald::wire::problem::ProblemKind as P;
use serde_json::json;

use super::devices::Fresh;
use super::say::cell;
use super::world::World;
use super::{Notified, Site, Unit};

const LON: f64 = 44.2;
const LAT: f64 = 15.4;

/// A hospital that `east` sees exactly.
fn hospital(world: &World) -> Site {
    Site::at(LON, LAT).to(&world.east, Tier::Exact)
}

impl World {
    async fn refused(&self, unit: &Unit, site: &Site) -> Option<P> {
        let envelope = site.build(self, unit).envelope.encode();
        self.submit(unit, envelope).await.refused()
    }

    async fn status(&self, unit: &Unit, nid: Nid) -> NotificationStatus {
        self.get(unit, &format!("/v1/notifications/{nid}"))
            .await
            .json()
    }

    async fn counts(&self, nid: Nid, party: &str) -> Vec<bool> {
        let mut conn = self.db.connect(herald::store::role::Role::Admin).await;
        sqlx::query_scalar(
            "SELECT counts FROM hn.audience WHERE nid = $1 AND party = $2 ORDER BY rev",
        )
        .bind(nid.uuid())
        .bind(party)
        .fetch_all(&mut conn)
        .await
        .unwrap()
    }

    /// The coordinator sets a policy.
    pub async fn set_policy(&self, version: u32, policy: Policy) {
        let by = self.coordinator.first();
        let claims = PolicyClaims::new(self.common(by), version, policy);
        self.said(by, claims, &[]).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_same_bytes_get_the_same_receipt_whatever_came_between() {
    let mut world = World::start().await;
    let ada = world.msf.first();
    let built = hospital(&world).build(&world, ada);
    let (envelope, hash) = (built.envelope.encode(), built.hash);
    let first = world.submit(ada, envelope.clone()).await;
    assert_eq!(first.status.as_u16(), 201);
    let first: Submitted = first.json();
    assert_eq!(first.result, SubmittedResult::Accepted);
    let receipt = world.receipt(&first.receipt);
    assert_eq!((receipt.of, receipt.pos), (hash, first.pos));

    // Signed six days and a bit ago, and the policy then grows strict: known bytes are known all the same.
    let old = Site {
        age_s: 6 * 86_400,
        ..hospital(&world)
    };
    let old = world.notify(ada, &old).await;
    let strict = Policy {
        freshness_s: Freshness {
            statement: 3_600,
            ..Policy::default().freshness_s
        },
        ..Policy::default()
    };
    world.set_policy(1, strict).await;
    let another = Site {
        age_s: 6 * 86_400,
        ..hospital(&world)
    };
    assert_eq!(world.refused(ada, &another).await, Some(P::Stale));

    let fresh = Fresh::new();
    let renewal = world.renewal(ada, &fresh);
    let renewed = world
        .post_json(&ada.http, "/v1/renew", &renewal)
        .await
        .json();
    let renewed = fresh.enrolled(&world.ca, &renewed);
    world.restart().await;
    let again: Submitted = world.submit(&renewed, old.envelope.clone()).await.json();
    assert_eq!(
        (again.result, again.hash),
        (SubmittedResult::Known, old.hash)
    );
    for unit in [&renewed, &world.msf.devices[1], world.coordinator.first()] {
        let again = world.submit(unit, envelope.clone()).await;
        assert_eq!(again.status.as_u16(), 200);
        let again: Submitted = again.json();
        assert_eq!(again.result, SubmittedResult::Known);
        assert_eq!((again.pos, &again.receipt), (first.pos, &first.receipt));
        let bulk: BulkResponse = world
            .submit_bulk(unit, std::slice::from_ref(&envelope))
            .await
            .json();
        assert!(
            matches!(&bulk.items[..], [BulkItem::Submitted(s)] if s.receipt == first.receipt),
            "{bulk:?}"
        );
    }
    // Another organisation learns nothing from bytes that it got hold of.
    let stolen = world.submit(world.relief.first(), envelope.clone()).await;
    assert!(matches!(
        stolen.refused(),
        Some(P::CertificateKeyMismatch | P::UnknownKey)
    ));
}

#[tokio::test(flavor = "multi_thread")]
async fn other_bytes_under_an_old_name_and_revisions_out_of_order_are_refused() {
    let world = World::start().await;
    let ada = world.msf.first();
    let first = world.notify(ada, &hospital(&world)).await;

    // Same jti, other bytes.
    let site = hospital(&world);
    let mut claims =
        NotificationClaims::new(world.common(ada), site.nid, site.rev, None, false, None);
    let one = build(claims.clone(), &site.parts(&world), &ada.signing).unwrap();
    let taken = world.submit(ada, one.envelope.encode()).await;
    assert_eq!(taken.status.as_u16(), 201);
    claims.nid = Nid::random();
    let answer = world.say(ada, claims.clone(), &site.parts(&world)).await;
    assert_eq!(answer.refused(), Some(P::ReusedJti));

    // Same nid and revision, other bytes: an earlier one, and the latest.
    let again = Site {
        nid: first.nid,
        ..hospital(&world)
    };
    assert_eq!(world.refused(ada, &again).await, Some(P::ReusedRevision));
    let second = world.notify(ada, &hospital(&world).after(&first)).await;
    assert_eq!(world.refused(ada, &again).await, Some(P::ReusedRevision));

    // The next revision must name the hash of the one before, and leave no gap.
    let wrong = Site {
        prev: Some(first.hash),
        ..hospital(&world).after(&second)
    };
    assert_eq!(world.refused(ada, &wrong).await, Some(P::PrevMismatch));
    let missing = Site {
        prev: None,
        ..hospital(&world).after(&second)
    };
    assert_eq!(world.refused(ada, &missing).await, Some(P::PrevMismatch));
    let gap = Site {
        rev: Revision::new(9).unwrap(),
        ..hospital(&world).after(&second)
    };
    assert_eq!(world.refused(ada, &gap).await, Some(P::PrevMismatch));
    let early = Site {
        prev: Some(first.hash),
        ..hospital(&world)
    };
    assert_eq!(world.refused(ada, &early).await, Some(P::PrevMismatch));
    let headless = Site {
        rev: Revision::new(2).unwrap(),
        ..hospital(&world)
    };
    assert_eq!(
        world.refused(ada, &headless).await,
        Some(P::UnknownNotification)
    );
    let convoy = Site {
        moves: true,
        ..Site::convoy([LON, LAT], [44.3, 15.5])
            .to(&world.east, Tier::Exact)
            .after(&second)
    };
    assert_eq!(world.refused(ada, &convoy).await, Some(P::StateForbids));

    // Too old, and ahead of the clock; just inside either is taken.
    for (age_s, wanted) in [
        (7 * 86_400 + 60, Some(P::Stale)),
        (7 * 86_400 - 60, None),
        (-240, None),
        (-400, Some(P::FromTheFuture)),
    ] {
        let site = Site {
            age_s,
            ..hospital(&world)
        };
        assert_eq!(world.refused(ada, &site).await, wanted, "{age_s} s old");
    }

    // What an organisation signed, the coordinator may bring, and no other organisation.
    let carried = hospital(&world).build(&world, ada).envelope.encode();
    let foreign = world.submit(world.relief.first(), carried.clone()).await;
    assert_eq!(foreign.refused(), Some(P::CertificateKeyMismatch));
    let brought = world.submit(world.coordinator.first(), carried).await;
    assert_eq!(brought.status.as_u16(), 201, "{brought:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn who_is_told_and_how_much_is_held_to_what_was_told_before() {
    let world = World::start().await;
    let ada = world.msf.first();
    let both = |tier| {
        Site::at(LON, LAT)
            .to(&world.east, Tier::Exact)
            .to(&world.west, tier)
    };
    // Cells that cover not, none, too few; and cells where they tell too much.
    for (tier, cells) in [
        (Tier::Cell, vec![cell(30.0, 10.0)]),
        (Tier::OnCheck, vec![cell(30.0, 10.0)]),
        (Tier::Cell, vec![]),
        (Tier::Cell, vec!["36PVC5".to_owned()]),
    ] {
        let mut site = both(tier);
        site.audiences[1].cells = cells;
        assert_eq!(world.refused(ada, &site).await, Some(P::CellMismatch));
    }
    let mut site = both(Tier::Exact);
    site.audiences[0].cells = vec![cell(LON, LAT)];
    assert_eq!(world.refused(ada, &site).await, Some(P::InvalidMember));
    // Nobody was told yet: there is nothing to end. And no organisation, auditor or stranger is a party.
    let nothing = hospital(&world).to(&world.west, Tier::Withdrawn);
    assert_eq!(world.refused(ada, &nothing).await, Some(P::InvalidMember));
    for other in [&world.relief, &world.auditor, &world.stranger] {
        let site = hospital(&world).to(other, Tier::Exact);
        assert_eq!(world.refused(ada, &site).await, Some(P::UnknownParty));
    }

    let first = world.notify(ada, &both(Tier::Cell)).await;
    assert_eq!(world.counts(first.nid, "west").await, [true]);
    let left_out = hospital(&world).after(&first);
    assert_eq!(world.refused(ada, &left_out).await, Some(P::MissingPart));
    let second = world
        .notify(ada, &both(Tier::Withdrawn).after(&first))
        .await;
    // The tier that was withdrawn ends at once; the other party's old revision goes on until the new one is screened.
    assert_eq!(world.counts(first.nid, "west").await, [false, false]);
    assert_eq!(world.counts(first.nid, "east").await, [true, true]);
    // Told again later, and then it counts again.
    let third = world.notify(ada, &both(Tier::Exact).after(&second)).await;
    assert_eq!(world.counts(first.nid, "west").await, [false, false, true]);

    // Somebody else's notification is not theirs to end; its owner's is, once.
    let withdrawal = |unit: &Unit, of: &Notified| {
        WithdrawClaims::new(world.common(unit), of.nid, of.rev.next(), of.hash, None)
    };
    let relief = world.relief.first();
    let answer = world.say(relief, withdrawal(relief, &third), &[]).await;
    assert_eq!(answer.refused(), Some(P::UnknownNotification));
    let stale = withdrawal(ada, &second);
    assert_eq!(
        world.say(ada, stale, &[]).await.refused(),
        Some(P::ReusedRevision)
    );
    world.said(ada, withdrawal(ada, &third), &[]).await;
    for party in ["east", "west"] {
        assert!(!world.counts(first.nid, party).await.contains(&true));
    }
    let status = world.status(ada, first.nid).await;
    assert_eq!(status.state, NotificationState::Withdrawn);
    let late = hospital(&world).after(&Notified {
        rev: Revision::new(4).unwrap(),
        ..third
    });
    assert_eq!(world.refused(ada, &late).await, Some(P::AlreadyClosed));

    // A convoy arrives; a site does not.
    let site = world.notify(ada, &hospital(&world)).await;
    let close = |of: &Notified, outcome| {
        CloseClaims::new(
            world.common(ada),
            of.nid,
            of.rev.next(),
            of.hash,
            outcome,
            None,
        )
    };
    let arrived = world.say(ada, close(&site, Outcome::Arrived), &[]).await;
    assert_eq!(arrived.refused(), Some(P::StateForbids));
    let convoy = Site::convoy([LON, LAT], [44.3, 15.5]).to(&world.east, Tier::Exact);
    let convoy = world.notify(ada, &convoy).await;
    world.said(ada, close(&convoy, Outcome::Arrived), &[]).await;
    assert_eq!(world.counts(convoy.nid, "east").await, [false, false]);
    let status = world.status(world.east.first(), convoy.nid).await;
    assert_eq!(status.state, NotificationState::Closed);
}

#[tokio::test(flavor = "multi_thread")]
async fn people_to_call_are_sealed_to_those_who_may_call_them_and_to_nobody_else() {
    let world = World::start().await;
    let ada = world.msf.first();
    let (ocha, east, west) = (&world.coordinator, &world.east, &world.west);
    let site = || {
        Site::at(LON, LAT)
            .to(east, Tier::Exact)
            .to(west, Tier::Cell)
    };
    for (readers, wanted) in [
        (vec![ocha, east], None),
        (vec![ocha], Some(P::MissingSeal)),
        (vec![east], Some(P::MissingSeal)),
        (vec![ocha, east, west], Some(P::UnknownReader)),
        (vec![ocha, east, &world.relief], Some(P::UnknownReader)),
    ] {
        let site = site().contact(&readers);
        assert_eq!(world.refused(ada, &site).await, wanted);
    }
    // The server cannot read it, and takes no seal with which it could.
    let mut readable = site().contact(&[ocha, east]);
    readable.contact.push(world.reader.clone());
    assert_eq!(world.refused(ada, &readable).await, Some(P::UnknownReader));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_second_signature_is_another_persons() {
    let world = World::start().await;
    let [ada, bo, adas_other] = &world.msf.devices[..] else {
        panic!("three devices");
    };
    let cosign =
        |unit: &Unit, of: &Notified| CosignClaims::new(world.common(unit), of.nid, of.rev, of.hash);
    let unasked = world.notify(ada, &hospital(&world)).await;
    let answer = world.say(bo, cosign(bo, &unasked), &[]).await;
    assert_eq!(answer.refused(), Some(P::StateForbids));
    let policy = Policy {
        second_signature: true,
        ..Policy::default()
    };
    world.set_policy(1, policy).await;
    let first = world.notify(ada, &hospital(&world)).await;
    for same in [ada, adas_other] {
        let answer = world.say(same, cosign(same, &first), &[]).await;
        assert_eq!(answer.refused(), Some(P::NotAllowed));
    }
    world.said(bo, cosign(bo, &first), &[]).await;
    let answer = world.say(bo, cosign(bo, &first), &[]).await;
    assert_eq!(answer.refused(), Some(P::StateForbids));
    let second = world.notify(ada, &hospital(&world).after(&first)).await;
    let answer = world.say(bo, cosign(bo, &first), &[]).await;
    assert_eq!(answer.refused(), Some(P::Superseded));

    // The coordinator's word is on the revision that is current, by its hash, and on one that is not closed.
    let by = world.coordinator.first();
    let screen = |of: &Notified, hash| {
        let checked = vec![herald::wire::claims::Checked::Form];
        let result = ScreenResult::Screened;
        ScreenClaims::new(world.common(by), of.nid, of.rev, hash, result, checked)
    };
    let answer = world.say(by, screen(&first, first.hash), &[]).await;
    assert_eq!(answer.refused(), Some(P::Superseded));
    let answer = world.say(by, screen(&second, first.hash), &[]).await;
    assert_eq!(answer.refused(), Some(P::RevisionNotCurrent));
    world.screen(&second).await;
    let mut returned = screen(&second, second.hash);
    returned.result = ScreenResult::Returned;
    let answer = world.say(by, returned, &[]).await;
    assert_eq!(answer.refused(), Some(P::MissingPart));
}

#[tokio::test(flavor = "multi_thread")]
async fn one_that_is_refused_does_not_disturb_the_others_of_its_batch() {
    let world = World::start().await;
    let ada = world.msf.first();
    let site = hospital(&world);
    let mut wanted: Vec<Option<P>> = vec![None; 256];
    let mut hashes = Vec::new();
    let mut envelopes = Vec::new();
    for (index, wanted) in wanted.iter_mut().enumerate() {
        // One part alone: a withdrawn audience would need a former one, and cells cost.
        let mut place = json!({"type": "Feature", "geometry": {"type": "Point", "coordinates": [LON, LAT]},
            "properties": {"category": "clinic", "name": format!("Clinic {index}"), "relation": "run"}});
        if index == 17 {
            place["geometry"]["coordinates"] = json!([190.0, 95.0]);
            *wanted = Some(P::GeometryOutOfRange);
        }
        let site = Site {
            nid: Nid::random(),
            place,
            audiences: Vec::new(),
            age_s: if index == 130 { 8 * 86_400 } else { 0 },
            ..Site::at(LON, LAT)
        };
        if index == 130 {
            *wanted = Some(P::Stale);
        }
        let built = site.build(&world, ada);
        let mut envelope = built.envelope.encode();
        if index == 255 {
            envelope.truncate(20);
            *wanted = Some(P::MalformedBody);
        }
        hashes.push(built.hash);
        envelopes.push(envelope);
    }
    drop(site);
    let answer: BulkResponse = world.submit_bulk(ada, &envelopes).await.json();
    assert_eq!(answer.items.len(), 256);
    let mut last = 0;
    for (index, item) in answer.items.iter().enumerate() {
        match (item, wanted[index]) {
            (BulkItem::Submitted(taken), None) => {
                assert_eq!(taken.hash, hashes[index], "results stand in the order sent");
                assert_eq!(world.receipt(&taken.receipt).of, hashes[index]);
                assert!(taken.pos.0 > last, "positions follow the order sent");
                last = taken.pos.0;
            }
            (BulkItem::Refused { problem, .. }, Some(kind)) => {
                assert_eq!(problem.type_uri, kind.type_uri(), "{index}");
            }
            (item, wanted) => panic!("{index}: {item:?}, not {wanted:?}"),
        }
    }
    // One too many is refused as a whole.
    envelopes.push(envelopes[0].clone());
    let answer = world.submit_bulk(ada, &envelopes).await;
    assert_eq!(answer.refused(), Some(P::TooLarge));
}
