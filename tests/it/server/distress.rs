//! Calls for help: who is told what of them, who answers and who ends them, what keeps a call back (nothing that the
//! server decides), and that silence is said every minute until an officer answers.

use std::collections::BTreeSet;
use std::num::NonZeroU32;
use std::sync::Arc;
use std::time::Duration;

use herald::crypto::digest::Digest;
use herald::domain::exchange::{AlertEvent, DISTRESS_SENTENCE, DISTRESS_STEPS, DistressState};
use herald::domain::ids::{ActorId, Nid, Revision};
use herald::domain::notification::Tier;
use herald::http::limits::Rate;
use herald::service::identity;
use herald::service::intake::{Bearer, Intake};
use herald::wire::api::{CallStatus, Calls, NotificationStatus, Submitted};
use herald::wire::build::{self, Part};
use herald::wire::claims::{
    About, Claims, DistressClaims, DutyClaims, ResolveClaims, RespondClaims,
};
use herald::wire::desk::Queue;
use herald::wire::envelope::ENVELOPE_TYPE;
use herald::wire::parts::{Audience, name};
use herald::wire::policy::{Number, Policy};
use herald::wire::problem::ProblemKind as P;
use reqwest::Method;
use serde_json::{Value, json};
use tokio_util::sync::CancellationToken;

use super::world::World;
use super::{Answer, Member, Notified, Site, Unit};

const HERE: [f64; 2] = [44.2, 15.35];
const MINUTE: i64 = 60;

/// A call as a device makes it, each thing to be changed by a test.
#[derive(Clone)]
pub struct Cry {
    pub about: Option<About>,
    pub detail: Value,
    pub position: Value,
    pub audiences: Vec<Audience>,
    /// Seconds by which the device's clock is off.
    pub clock_s: i64,
}

impl Cry {
    /// From a fresh place.
    pub fn here() -> Self {
        Self {
            about: None,
            detail: json!({"text": "under fire", "phone": "+967 700 000 000", "people": 3, "says": DISTRESS_SENTENCE}),
            position: json!({"position": HERE, "accuracy_m": 20.0}),
            audiences: Vec::new(),
            clock_s: 0,
        }
    }

    /// About a notification, which says where.
    pub fn about(of: &Notified) -> Self {
        Self {
            about: Some(About {
                nid: of.nid,
                rev: of.rev,
                of: of.hash,
            }),
            position: Value::Null,
            ..Self::here()
        }
    }

    /// Calling a party too.
    #[must_use]
    pub fn to(mut self, party: &Member, tier: Tier) -> Self {
        self.audiences.push(Audience {
            party: party.id.clone(),
            tier,
            onward: true,
            cells: Vec::new(),
        });
        self
    }

    pub fn claims(&self, world: &World, unit: &Unit) -> DistressClaims {
        let mut common = world.common(unit);
        common.iat += self.clock_s;
        DistressClaims::new(common, Nid::random(), Revision::FIRST, self.about)
    }

    pub fn parts(&self, world: &World) -> Vec<Part> {
        let mut parts = vec![Part::new(name::DETAIL, &self.detail).unwrap()];
        if !self.position.is_null() {
            parts.push(Part::new(name::POSITION, &self.position).unwrap());
        }
        for audience in &self.audiences {
            parts.push(Part::new(name::audience(&audience.party), audience).unwrap());
        }
        let sealed = parts.into_iter().map(|part| part.sealed_to(&world.reader));
        sealed.collect()
    }
}

/// An answer of an officer to a call.
pub fn response(
    world: &World,
    unit: &Unit,
    to: &ActorId,
    call: &Notified,
) -> (RespondClaims, [Part; 1]) {
    let detail = json!({"officer": {"name": "Off Icer", "phone": "+967 1"}, "text": "we call the checkpoint"});
    let part = Part::new(name::DETAIL, &detail).unwrap();
    let claims = RespondClaims::new(world.common(unit), to.clone(), call.nid, call.hash);
    (claims, [part.sealed_to(&world.reader)])
}

/// The organisation's word that a call is over.
pub fn resolution(world: &World, unit: &Unit, call: &Notified) -> (ResolveClaims, [Part; 1]) {
    let detail = json!({"outcome": "over", "text": "all three are out"});
    let part = Part::new(name::DETAIL, &detail).unwrap();
    let claims = ResolveClaims::new(world.common(unit), call.nid, call.hash);
    (claims, [part.sealed_to(&world.reader)])
}

impl World {
    /// A device calls for help; it must be taken.
    pub async fn distress(&self, unit: &Unit, cry: &Cry) -> Notified {
        let claims = cry.claims(self, unit);
        let nid = claims.nid;
        let built = build::build(claims, &cry.parts(self), &unit.signing).unwrap();
        let envelope = built.envelope.encode();
        let answer = self.cry(unit, envelope.clone()).await;
        assert_eq!(answer.status.as_u16(), 201, "{answer:?}");
        Notified {
            nid,
            rev: Revision::FIRST,
            hash: built.hash,
            envelope,
            sds: Vec::new(),
        }
    }

    pub async fn cry(&self, unit: &Unit, envelope: Vec<u8>) -> Answer {
        let body = Some((ENVELOPE_TYPE, envelope));
        self.call(&unit.http, Method::POST, "/v1/distress", body)
            .await
    }

    async fn respond(&self, unit: &Unit, to: &ActorId, call: &Notified) -> Answer {
        let (claims, parts) = response(self, unit, to, call);
        self.say(unit, claims, &parts).await
    }

    async fn resolve(&self, unit: &Unit, call: &Notified) -> Answer {
        let (claims, parts) = resolution(self, unit, call);
        self.say(unit, claims, &parts).await
    }

    /// The names of the parts of a call that a desk could open; `None` when the call is not in its mailbox.
    async fn sees(&self, desk: &Member, call: &Notified) -> Option<BTreeSet<String>> {
        let read = self
            .reads(desk)
            .await
            .into_iter()
            .find(|(_, claims, _)| matches!(claims, Claims::Distress(c) if c.nid == call.nid));
        read.map(|(_, _, parts)| parts.into_iter().map(|(name, _)| name).collect())
    }

    async fn calls(&self, unit: &Unit) -> Vec<CallStatus> {
        self.get(unit, "/v1/distress").await.json::<Calls>().calls
    }
}

fn names(all: &[&str]) -> BTreeSet<String> {
    all.iter().map(|&name| name.to_owned()).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_call_reaches_exactly_those_called_with_the_parts_that_each_may_have() {
    let world = World::start().await;
    let cry = Cry::here()
        .to(&world.east, Tier::Exact)
        .to(&world.west, Tier::Cell);
    let call = world.distress(world.msf.first(), &cry).await;
    let all = ["audience.east", "audience.west", "detail", "position"];
    assert_eq!(
        world.sees(&world.coordinator, &call).await,
        Some(names(&all))
    );
    assert_eq!(world.sees(&world.msf, &call).await, Some(names(&all)));
    let exact = ["audience.east", "detail", "position"];
    assert_eq!(world.sees(&world.east, &call).await, Some(names(&exact)));
    let cell = ["audience.west", "detail"];
    assert_eq!(world.sees(&world.west, &call).await, Some(names(&cell)));
    assert_eq!(world.sees(&world.relief, &call).await, None);

    // Where it stands is for the same: a party sees no other.
    let of = |calls: &[CallStatus]| -> Vec<(ActorId, usize)> {
        calls
            .iter()
            .map(|c| (c.organisation.clone(), c.called.len()))
            .collect()
    };
    let msf = world.msf.id.clone();
    for (desk, seen) in [
        (&world.coordinator, 3),
        (&world.msf, 3),
        (&world.east, 1),
        (&world.west, 1),
    ] {
        let calls = world.calls(desk.first()).await;
        assert_eq!(of(&calls), [(msf.clone(), seen)], "{}", desk.id);
        assert_eq!(calls[0].state, DistressState::Open);
        let seq = calls[0].seq.unwrap();
        let reads = world.reads(desk).await;
        let there = reads.iter().find(|(s, _, _)| *s == seq).unwrap();
        assert!(matches!(&there.1, Claims::Distress(c) if c.nid == call.nid));
    }
    assert!(world.calls(world.relief.first()).await.is_empty());

    // The answer and the end go to all of them, whole.
    let answered = world.respond(world.west.first(), &msf, &call).await;
    assert_eq!(answered.status.as_u16(), 201, "{answered:?}");
    let ended = world.resolve(world.msf.first(), &call).await;
    assert_eq!(ended.status.as_u16(), 201, "{ended:?}");
    for desk in [&world.coordinator, &world.msf, &world.east, &world.west] {
        let reads = world.reads(desk).await;
        let said: Vec<_> = reads
            .iter()
            .filter_map(|(_, claims, parts)| match claims {
                Claims::Respond(_) => Some(parts[0].1["officer"]["name"].clone()),
                Claims::Resolve(_) => Some(parts[0].1["outcome"].clone()),
                _ => None,
            })
            .collect();
        assert_eq!(said, [json!("Off Icer"), json!("over")], "{}", desk.id);
    }
    assert!(world.calls(world.coordinator.first()).await.is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn only_who_was_called_answers_and_only_who_called_ends_it() {
    let world = World::start().await;
    let (ada, desk, west) = (world.msf.first(), world.east.first(), world.west.first());
    let (msf, cora) = (world.msf.id.clone(), world.coordinator.first());
    let call = world
        .distress(ada, &Cry::here().to(&world.east, Tier::Exact))
        .await;
    let strange = Notified {
        nid: Nid::random(),
        ..call.clone()
    };
    let swapped = Notified {
        hash: Digest::of(b"other"),
        ..call.clone()
    };
    for (who, to, which) in [
        (west, &msf, &call),
        (desk, &msf, &strange),
        (desk, &msf, &swapped),
        (desk, &world.relief.id, &call),
        (cora, &msf, &strange),
    ] {
        let answer = world.respond(who, to, which).await;
        assert_eq!(answer.refused(), Some(P::UnknownCall), "{answer:?}");
    }
    let rae = world.relief.first();
    for (who, which) in [(rae, &call), (ada, &strange), (ada, &swapped)] {
        let answer = world.resolve(who, which).await;
        assert_eq!(answer.refused(), Some(P::UnknownCall), "{answer:?}");
    }
    // An answer names its officer.
    let (claims, _) = response(&world, desk, &msf, &call);
    let answer = world.say(desk, claims, &[]).await;
    assert_eq!(answer.refused(), Some(P::MissingPart));
    let (claims, _) = response(&world, desk, &msf, &call);
    let blank = Part::new(name::DETAIL, &json!({"officer": {"name": " "}})).unwrap();
    let blank = [blank.sealed_to(&world.reader)];
    let answer = world.say(desk, claims, &blank).await;
    assert_eq!(answer.refused(), Some(P::InvalidMember));
    assert_eq!(world.calls(ada).await[0].state, DistressState::Open);

    // A second answer, and the coordinator's, are kept like the first.
    for who in [desk, desk, cora] {
        let answer = world.respond(who, &msf, &call).await;
        assert_eq!(answer.status.as_u16(), 201, "{answer:?}");
    }
    let shown = &world.calls(ada).await[0];
    assert_eq!(shown.state, DistressState::Answered);
    assert!(shown.called.iter().all(|c| c.answered_at.is_some()));
    let reads = world.reads(&world.msf).await;
    let answers = reads
        .iter()
        .filter(|(_, c, _)| matches!(c, Claims::Respond(_)));
    assert_eq!(answers.count(), 3);

    let ended = world.resolve(ada, &call).await.json::<Submitted>();
    assert!(ended.remarks.is_empty(), "{:?}", ended.remarks);
    let again = world.resolve(ada, &call).await;
    assert_eq!(again.refused(), Some(P::StateForbids));
    let late = world.respond(desk, &msf, &call).await;
    assert_eq!(late.refused(), Some(P::StateForbids));

    // It may end before anybody has answered, and says so.
    let mistake = world.distress(ada, &Cry::here()).await;
    let ended = world.resolve(ada, &mistake).await.json::<Submitted>();
    assert!(ended.remarks[0].contains("before anybody"), "{ended:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_call_is_taken_whatever_the_devices_clock_says_and_nothing_else_is() {
    let world = World::start().await;
    let ada = world.msf.first();
    for days in [-10, 10] {
        let cry = Cry {
            clock_s: days * 86_400,
            ..Cry::here()
        };
        let call = world.distress(ada, &cry).await;
        let shown = world.calls(ada).await;
        let shown = shown.iter().find(|c| c.nid == call.nid).unwrap();
        let off = super::devices::now() - shown.at;
        assert!(
            off.abs() < time::Duration::minutes(1),
            "the receipt's time counts"
        );
        let (mut claims, parts) = resolution(&world, ada, &call);
        claims.iat += days * 86_400;
        let answer = world.say(ada, claims, &parts).await;
        let wanted = if days < 0 { P::Stale } else { P::FromTheFuture };
        assert_eq!(answer.refused(), Some(wanted));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_call_says_what_and_where_and_leaves_out_whom_it_cannot_reach() {
    let world = World::start().await;
    let (ada, rae) = (world.msf.first(), world.relief.first());
    let theirs = world.notify(rae, &Site::at(44.2, 15.4)).await;
    let site = Site::at(44.2, 15.4).to(&world.east, Tier::Exact);
    let ours = world.notify(ada, &site).await;
    let say = async |cry: &Cry| {
        let claims = cry.claims(&world, ada);
        let built = build::build(claims, &cry.parts(&world), &ada.signing).unwrap();
        world.cry(ada, built.envelope.encode()).await.refused()
    };
    let detail = |member: &str, value: Value| {
        let mut cry = Cry::here();
        cry.detail[member] = value;
        cry
    };
    assert_eq!(
        say(&detail("says", json!("all is well"))).await,
        Some(P::InvalidMember)
    );
    assert_eq!(
        say(&detail("text", json!(" "))).await,
        Some(P::InvalidMember)
    );
    assert_eq!(
        say(&detail("text", json!("x".repeat(501)))).await,
        Some(P::InvalidMember)
    );
    assert_eq!(
        say(&detail("phone", json!("1".repeat(65)))).await,
        Some(P::InvalidMember)
    );
    let nowhere = Cry {
        position: Value::Null,
        ..Cry::here()
    };
    assert_eq!(say(&nowhere).await, Some(P::MissingPart));
    let off_the_map = Cry {
        position: json!({"position": [44.2, 95.0]}),
        ..Cry::here()
    };
    assert_eq!(say(&off_the_map).await, Some(P::GeometryOutOfRange));
    let mut wrong = Cry::about(&ours);
    wrong.about.as_mut().unwrap().of = Digest::of(b"other");
    for cry in [Cry::about(&theirs), wrong] {
        assert_eq!(say(&cry).await, Some(P::UnknownNotification));
    }
    let withdrawn = Cry::here().to(&world.east, Tier::Withdrawn);
    assert_eq!(say(&withdrawn).await, Some(P::InvalidMember));
    let mut no_cell = Cry::here().to(&world.east, Tier::Cell);
    no_cell.audiences[0].cells = vec!["nowhere".to_owned()];
    assert_eq!(say(&no_cell).await, Some(P::CellMismatch));

    // An id has one meaning, and a call no second revision.
    let mut claims = Cry::here().claims(&world, ada);
    claims.nid = ours.nid;
    let answer = world
        .say(ada, claims.clone(), &Cry::here().parts(&world))
        .await;
    assert_eq!(answer.refused(), Some(P::ReusedRevision));
    claims.nid = Nid::random();
    claims.rev = Revision::FIRST.next();
    let answer = world.say(ada, claims, &Cry::here().parts(&world)).await;
    assert_eq!(answer.refused(), Some(P::InvalidMember));
    // Nothing else comes by this way.
    let duty = DutyClaims::new(world.common(ada), "+967 1 234 567".to_owned(), Vec::new());
    let duty = build::build(duty, &[], &ada.signing).unwrap();
    let answer = world.cry(ada, duty.envelope.encode()).await;
    assert_eq!(answer.refused(), Some(P::StatementKind));
    assert!(
        world.calls(ada).await.is_empty(),
        "nothing of it was stored"
    );

    // A party that is none is named, and the others hear the call all the same.
    let mut cry = Cry::about(&ours).to(&world.east, Tier::OnCheck);
    cry.audiences.push(Audience {
        party: "nobody".parse().unwrap(),
        tier: Tier::Exact,
        onward: false,
        cells: Vec::new(),
    });
    let claims = cry.claims(&world, ada);
    let call = world.said(ada, claims.clone(), &cry.parts(&world)).await;
    assert!(call.remarks[0].contains("nobody is not told"), "{call:?}");
    let shown = &world.calls(world.east.first()).await[0];
    assert_eq!((shown.nid, shown.about), (claims.nid, Some(ours.nid)));

    // The notification's page and the desks' queues show it, until it is over.
    let path = format!("/v1/notifications/{}", ours.nid);
    for unit in [ada, world.east.first(), world.coordinator.first()] {
        let page: NotificationStatus = world.get(unit, &path).await.json();
        assert_eq!(page.calls.len(), 1, "{}", unit.actor);
    }
    for unit in [world.east.first(), world.coordinator.first()] {
        let queue: Queue = world.get(unit, "/v1/queue").await.json();
        assert_eq!(queue.calls.len(), 1, "{}", unit.actor);
    }
    let call = Notified {
        nid: claims.nid,
        rev: Revision::FIRST,
        hash: call.hash,
        envelope: Vec::new(),
        sds: Vec::new(),
    };
    assert_eq!(world.resolve(ada, &call).await.status.as_u16(), 201);
    let page: NotificationStatus = world.get(ada, &path).await.json();
    assert!(page.calls.is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn spent_allowances_do_not_keep_a_call_back() {
    let few = Rate::new(NonZeroU32::MIN, NonZeroU32::new(60).unwrap());
    let world = World::start_with(|config| {
        config.limits.rate.statements = few;
        config.limits.rate.reads = few;
    })
    .await;
    let (ada, desk) = (world.msf.first(), world.east.first());
    let spend = async |unit: &Unit, path: &str, body: Option<&[u8]>| {
        for _ in 0..200 {
            let method = if body.is_some() {
                Method::POST
            } else {
                Method::GET
            };
            let body = body.map(|b| (ENVELOPE_TYPE, b.to_vec()));
            let answer = world.call(&unit.http, method, path, body).await;
            if answer.refused() == Some(P::RateLimited) {
                return;
            }
        }
        panic!("{path} is never too much");
    };
    spend(ada, "/v1/statements", Some(b"HN2")).await;
    spend(desk, "/v1/me", None).await;
    world
        .distress(ada, &Cry::here().to(&world.east, Tier::Exact))
        .await;
    let seq = world.calls(desk).await[0].seq.unwrap();
    let event = world.get(desk, &format!("/v1/events/{seq}")).await;
    assert_eq!(event.status.as_u16(), 200, "{event:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_full_intake_refuses_others_and_takes_a_call_first() {
    const FULL: usize = 2_048;
    let world = World::start().await;
    let ada = world.msf.first();
    let core = world.core().clone();
    let spki = ada.certificate.spki_digest();
    let principal = identity::by_certificate(&core, &spki)
        .await
        .unwrap()
        .unwrap();
    let (intake, worker) = Intake::new(core, Arc::new(|_| ()));
    let duty = || {
        let claims = DutyClaims::new(world.common(ada), "+967 1 234 567".to_owned(), Vec::new());
        build::build(claims, &[], &ada.signing).unwrap().envelope
    };
    let bring = |envelope, intake: &Intake| {
        let (intake, bearer) = (intake.clone(), Bearer::Device(principal.clone()));
        tokio::spawn(async move { intake.submit(envelope, bearer).await })
    };
    let waiting: Vec<_> = (0..FULL).map(|_| bring(duty(), &intake)).collect();
    // One more is refused once the queue is full; until then it waits in it, which fills it.
    let mut more = Vec::new();
    loop {
        let mut one = bring(duty(), &intake);
        match tokio::time::timeout(Duration::from_secs(2), &mut one).await {
            Ok(refused) => {
                let refused = refused.unwrap().unwrap_err();
                assert_eq!(refused.kind(), Some(P::Overloaded));
                break;
            }
            Err(_) => more.push(one),
        }
        assert!(more.len() < 30, "it fills up");
    }
    let cry = Cry::here();
    let built = build::build(cry.claims(&world, ada), &cry.parts(&world), &ada.signing).unwrap();
    let call = bring(built.envelope, &intake);
    tokio::time::sleep(Duration::from_secs(1)).await;
    assert!(!call.is_finished(), "it is not refused");
    let stop = CancellationToken::new();
    let running = tokio::spawn(worker.run(stop.clone()));
    let call = call.await.unwrap().unwrap();
    let mut taken = 0;
    for other in waiting.into_iter().chain(more) {
        // Those that came after the queue was full were refused; all that were taken come after the call.
        if let Ok(other) = other.await.unwrap() {
            assert!(other.pos > call.pos);
            taken += 1;
        }
    }
    assert_eq!(taken, FULL);
    stop.cancel();
    running.await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn each_minute_without_an_answer_is_said_to_all_over_a_restart_until_an_officer_answers() {
    let mut world = World::start().await;
    let cry = Cry::here().to(&world.east, Tier::Cell);
    let call = world.distress(world.msf.first(), &cry).await;
    world.restart().await;
    world.move_time(MINUTE + 5).await;
    for desk in [&world.msf, &world.coordinator, &world.east] {
        let alerts = world.alerted(desk, 1).await;
        let alert = &alerts[0];
        assert_eq!(alert.event, AlertEvent::DistressUnanswered);
        assert_eq!(
            (alert.step, alert.says.as_str()),
            (Some(1), DISTRESS_SENTENCE)
        );
        assert_eq!(
            (alert.items[0].nid, alert.items[0].of),
            (call.nid, call.hash)
        );
    }
    assert!(world.alerts(&world.west).await.is_empty());
    world.move_time(2 * MINUTE + 5).await;
    assert_eq!(world.alerted(&world.coordinator, 2).await[1].step, Some(2));
    let msf = world.msf.id.clone();
    let answer = world.respond(world.east.first(), &msf, &call).await;
    assert_eq!(answer.status.as_u16(), 201, "{answer:?}");
    world.move_time(10 * MINUTE).await;
    world.nothing_more(&world.coordinator, 2).await;
    assert_eq!(
        world.calls(world.msf.first()).await[0].state,
        DistressState::Answered
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn the_steps_end_and_a_call_that_was_ended_has_none() {
    let world = World::start().await;
    let ada = world.msf.first();
    let mistake = world.distress(ada, &Cry::here()).await;
    assert_eq!(world.resolve(ada, &mistake).await.status.as_u16(), 201);
    world.distress(ada, &Cry::here()).await;
    // An hour in which nothing looked at the schedule: each step is said, once.
    world.move_time(60 * MINUTE).await;
    let all = usize::try_from(DISTRESS_STEPS).unwrap();
    let alerts = world.alerted(&world.coordinator, all).await;
    let steps: Vec<_> = alerts.iter().filter_map(|a| a.step).collect();
    assert_eq!(steps, (1..=DISTRESS_STEPS).collect::<Vec<_>>());
    world.nothing_more(&world.coordinator, all).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_policy_names_numbers_that_can_be_called() {
    let world = World::start().await;
    let by = world.coordinator.first();
    let with = |name: &str, phone: &str, count: usize| {
        let number = Number {
            name: name.to_owned(),
            phone: phone.to_owned(),
        };
        let policy = Policy {
            escalation: vec![number; count],
            ..Policy::default()
        };
        herald::wire::claims::PolicyClaims::new(world.common(by), 1, policy)
    };
    for bad in [
        with("", "+96777000111", 1),
        with("Head of access", "077000111", 1),
        with("Head of access", "+96777000111", 16),
    ] {
        let answer = world.say(by, bad, &[]).await;
        assert_eq!(answer.refused(), Some(P::InvalidMember));
    }
    world
        .said(by, with("Head of access", "+96777000111", 15), &[])
        .await;
}
