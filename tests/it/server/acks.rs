//! Acknowledgements: of what was delivered, to whom it belongs, by whom it was delivered to; and what follows when a
//! place was entered elsewhere.

use herald::crypto::digest::Digest;
use herald::domain::ack::AckState;
use herald::domain::ids::Seq;
use herald::domain::notification::Tier;
use herald::wire::api::{BulkItem, BulkResponse, NotificationStatus, Submitted};
use herald::wire::build::Part;
use herald::wire::claims::{AckItem, Claims};
use herald::wire::envelope::{Event, split};
use herald::wire::parts::name;
use herald::wire::problem::ProblemKind as P;
use herald::wire::read;
use serde_json::{Value, json};

use super::world::World;
use super::{Member, Notified, Site, Unit, ack_item};

const LON: f64 = 44.2;
const LAT: f64 = 15.4;
/// One kilometre of latitude here, in degrees.
const KM: f64 = 0.009_037;

impl World {
    async fn ack(
        &self,
        unit: &Unit,
        to: &Member,
        items: Vec<AckItem>,
        entered: &[(&Notified, [f64; 2])],
    ) -> super::Answer {
        let entered: Vec<_> = entered.iter().map(|(n, at)| (n.nid, *at)).collect();
        let (claims, parts) = self.acknowledgement(unit, &to.id, items, &entered);
        self.say(unit, claims, &parts).await
    }

    /// The kinds of what stands in a desk's mailbox behind a place, in order.
    async fn mail(&self, unit: &Unit, after: Seq) -> Vec<(Seq, String)> {
        let path = format!("/v1/events?after={after}&limit=256");
        let answer = self.get(unit, &path).await;
        assert_eq!(answer.status.as_u16(), 200, "{answer:?}");
        let items = split(&answer.body, 256).unwrap();
        let said = |item: &[u8]| {
            let event = Event::decode(item).unwrap();
            let (_, claims) = read::read(&event.envelope.statement).unwrap();
            let what = match &claims {
                Claims::Notice(notice) => format!("notice {}", notice.nid),
                other => other.kind().to_string(),
            };
            (event.seq, what)
        };
        items.into_iter().map(said).collect()
    }

    async fn end_of_mail(&self, unit: &Unit) -> Seq {
        let mut last = Seq(0);
        loop {
            match self.mail(unit, last).await.last() {
                Some((seq, _)) => last = *seq,
                None => return last,
            }
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_party_speaks_of_what_it_was_told_and_to_whom_it_belongs() {
    let world = World::start().await;
    let (ada, desk, west) = (world.msf.first(), world.east.first(), world.west.first());
    let told = Site::at(LON, LAT).to(&world.east, Tier::Exact);
    let first = world.notify(ada, &told).await;
    let received = |of: &Notified| vec![ack_item(of, AckState::Received)];

    // Another party, another organisation, another hash, a revision that is not there, a part that it has not.
    let answer = world.ack(west, &world.msf, received(&first), &[]).await;
    assert_eq!(answer.refused(), Some(P::UnknownItem));
    let answer = world.ack(desk, &world.relief, received(&first), &[]).await;
    assert_eq!(answer.refused(), Some(P::UnknownItem));
    let mut other = received(&first);
    other[0].of = Digest::of(b"other");
    let answer = world.ack(desk, &world.msf, other, &[]).await;
    assert_eq!(answer.refused(), Some(P::UnknownItem));
    let mut later = received(&first);
    later[0].rev = first.rev.next();
    let answer = world.ack(desk, &world.msf, later, &[]).await;
    assert_eq!(answer.refused(), Some(P::UnknownItem));
    let mut foreign = received(&first);
    foreign[0].opened = vec![Digest::of(b"a part of something else")];
    let answer = world.ack(desk, &world.msf, foreign, &[]).await;
    assert_eq!(answer.refused(), Some(P::DigestMismatch));
    // One good item does not carry a bad one.
    let strange = Notified {
        nid: herald::domain::ids::Nid::random(),
        ..first.clone()
    };
    let mixed = vec![received(&first).remove(0), received(&strange).remove(0)];
    let answer = world.ack(desk, &world.msf, mixed, &[]).await;
    assert_eq!(answer.refused(), Some(P::UnknownItem));
    let twice = vec![received(&first).remove(0), received(&first).remove(0)];
    let answer = world.ack(desk, &world.msf, twice, &[]).await;
    assert_eq!(answer.refused(), Some(P::InvalidMember));

    // What a person says names the person; what a state needs is there.
    let say = async |state, detail: Value| {
        let items = vec![ack_item(&first, state)];
        let (claims, _) = world.acknowledgement(desk, &world.msf.id, items, &[]);
        let part = Part::new(name::DETAIL, &detail).unwrap();
        let part = [part.sealed_to(&world.reader)];
        world.say(desk, claims, &part).await.refused()
    };
    let officer = json!({"officer": {"name": "Off Icer"}});
    assert_eq!(
        say(AckState::Received, json!({})).await,
        Some(P::MissingPart)
    );
    for state in [AckState::Entered, AckState::NotEntered, AckState::Queried] {
        assert_eq!(
            say(state, officer.clone()).await,
            Some(P::MissingMember),
            "{state}"
        );
    }
    let nowhere = json!({"officer": {"name": "Off Icer"},
        "items": [{"nid": first.nid, "entered": {"list": "NSL", "position": [200.0, 0.0]}}]});
    assert_eq!(
        say(AckState::Entered, nowhere).await,
        Some(P::GeometryOutOfRange)
    );
    let answer = world.ack(desk, &world.msf, Vec::new(), &[]).await;
    assert_eq!(answer.refused(), Some(P::InvalidMember));

    // The machine's own word needs no person; then the person's; both reach the organisation and the coordinator.
    let (from, above) = (
        world.end_of_mail(ada).await,
        world.end_of_mail(world.coordinator.first()).await,
    );
    let reached = vec![AckItem {
        opened: first.sds.clone(),
        ..ack_item(&first, AckState::ReachedDesk)
    }];
    let (claims, _) = world.acknowledgement(desk, &world.msf.id, reached, &[]);
    world.said(desk, claims, &[]).await;
    let answer = world.ack(desk, &world.msf, received(&first), &[]).await;
    assert_eq!(answer.status.as_u16(), 201, "{answer:?}");
    for (unit, after) in [(ada, from), (world.coordinator.first(), above)] {
        let mail = world.mail(unit, after).await;
        let kinds: Vec<&str> = mail.iter().map(|(_, kind)| kind.as_str()).collect();
        assert_eq!(kinds, ["ack", "ack"]);
    }

    // A word on the old revision is kept as that, and never counts for the new one.
    let second = world.notify(ada, &told.after(&first)).await;
    let answer = world.ack(desk, &world.msf, received(&first), &[]).await;
    assert_eq!(answer.status.as_u16(), 201, "{answer:?}");
    let status = |unit| world.get(unit, "/v1/notifications");
    let page: Value = status(ada).await.json();
    let one: NotificationStatus = serde_json::from_value(page["items"][0].clone()).unwrap();
    let acks = &one.parties[0].acknowledgements;
    assert_eq!(acks.len(), 3);
    assert!(
        acks.iter().all(|a| a.rev == first.rev && !a.latest),
        "{acks:?}"
    );
    let answer = world.ack(desk, &world.msf, received(&second), &[]).await;
    assert_eq!(answer.status.as_u16(), 201, "{answer:?}");
    // Another organisation sees nothing of it.
    let page: Value = status(world.relief.first()).await.json();
    assert_eq!(page["items"], json!([]));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_place_that_was_entered_elsewhere_is_said_to_all_who_know_the_place() {
    let world = World::start().await;
    let (ada, desk) = (world.msf.first(), world.east.first());
    let at = |tier| Site::at(LON, LAT).to(&world.east, tier);
    let exact = world.notify(ada, &at(Tier::Exact)).await;
    let near = world.notify(ada, &at(Tier::Exact)).await;
    let on_check = world.notify(ada, &at(Tier::OnCheck)).await;
    let cell = world.notify(ada, &at(Tier::Cell)).await;
    let all = [&exact, &near, &on_check, &cell];
    let ocha = world.coordinator.first();
    let mut ends = Vec::new();
    for unit in [ada, ocha, desk] {
        ends.push((unit, world.end_of_mail(unit).await));
    }
    let items = all.map(|n| ack_item(n, AckState::Entered)).to_vec();
    let far = [LON, LAT + KM];
    let entered = [
        (&exact, far),
        (&near, [LON, LAT + 0.09 * KM]),
        (&on_check, far),
        (&cell, far),
    ];
    let answer = world.ack(desk, &world.msf, items, &entered).await;
    assert_eq!(answer.status.as_u16(), 201, "{answer:?}");
    let taken: Submitted = answer.json();
    // Of what the party sees only by its cell nothing is said: the distance would tell where it is.
    assert_eq!(taken.remarks.len(), 1, "{:?}", taken.remarks);
    assert!(taken.remarks[0].contains(&exact.nid.reference().to_string()));
    for (unit, after) in ends {
        let mail = world.mail(unit, after).await;
        let notices: Vec<&String> = mail
            .iter()
            .map(|(_, what)| what)
            .filter(|what| what.starts_with("notice"))
            .collect();
        assert_eq!(
            notices,
            [&format!("notice {}", exact.nid)],
            "{}",
            unit.actor
        );
    }
    for (notified, elsewhere) in [
        (&exact, true),
        (&near, false),
        (&on_check, false),
        (&cell, false),
    ] {
        let path = format!("/v1/notifications/{}", notified.nid);
        let status: NotificationStatus = world.get(ada, &path).await.json();
        assert_eq!(
            status.parties[0].acknowledgements[0].entered_elsewhere,
            elsewhere
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_thousand_items_are_one_acknowledgement_and_one_more_is_refused() {
    let world = World::start().await;
    let (ada, desk) = (world.msf.first(), world.east.first());
    let site = || Site::at(LON, LAT).to(&world.east, Tier::Exact);
    let mut all = Vec::new();
    for _ in 0..4 {
        // The sealing is the cost: both cores share it.
        let halves = std::thread::scope(|scope| {
            let half = || {
                let made = (0..125).map(|_| {
                    let site = site();
                    let built = site.build(&world, ada);
                    (site.nid, built.hash, built.envelope.encode())
                });
                made.collect::<Vec<_>>()
            };
            [scope.spawn(half), scope.spawn(half)].map(|half| half.join().unwrap())
        });
        let made = halves.concat();
        let envelopes: Vec<Vec<u8>> = made.iter().map(|(_, _, bytes)| bytes.clone()).collect();
        let answer: BulkResponse = world.submit_bulk(ada, &envelopes).await.json();
        assert!(
            answer
                .items
                .iter()
                .all(|i| matches!(i, BulkItem::Submitted(_)))
        );
        all.extend(made.into_iter().map(|(nid, hash, _)| AckItem {
            nid,
            rev: herald::domain::ids::Revision::FIRST,
            of: hash,
            opened: Vec::new(),
            state: AckState::Received,
        }));
    }
    assert_eq!(all.len(), 1_000);
    let mut more = all.clone();
    more.push(AckItem {
        nid: herald::domain::ids::Nid::random(),
        ..all[0].clone()
    });
    let answer = world.ack(desk, &world.msf, more, &[]).await;
    assert_eq!(answer.refused(), Some(P::InvalidMember));
    let answer = world.ack(desk, &world.msf, all, &[]).await;
    assert_eq!(answer.status.as_u16(), 201, "{answer:?}");
}
