//! The desk's day over the API: what waits and what changed since a device last looked, who is silent, notes to the next
//! officer, and what it means that a party is suspended or has left.

use std::collections::BTreeSet;

use herald::domain::ack::AckState;
use herald::domain::actor::{ActorKind, ActorState, Role};
use herald::domain::exchange::{AlertEvent, SILENCE_SENTENCE, STANDING_SENTENCE};
use herald::domain::ids::{LogPosition, Nid};
use herald::domain::kind::Kind;
use herald::domain::notification::Tier;
use herald::store::role::Role as Database;
use herald::wire::build::{Part, build};
use herald::wire::claims::{
    Admission, Checked, Claims, DutyClaims, HandoverClaims, InviteClaims, ScreenClaims,
    ScreenResult, WithdrawClaims,
};
use herald::wire::desk::{Changes, Look, Queue, Silence};
use herald::wire::parts::{InvitedPerson, name};
use herald::wire::problem::ProblemKind as P;
use reqwest::Method;
use serde_json::{Value, json};

use super::calls::Answer;
use super::devices::{Fresh, now};
use super::world::World;
use super::{Member, Notified, Site, Unit, ack_item};

const HOUR: i64 = 3_600;
const NUMBER: &str = "+967 1 234 567";

impl World {
    /// The coordinator says where an actor stands, from a moment on.
    async fn puts(&self, member: &Member, state: Admission, in_s: Option<i64>) -> Answer {
        let mut claims = self.admission(member, state);
        claims.from = in_s.map(|s| now().unix_timestamp() + s);
        self.say(self.coordinator.first(), claims, &[]).await
    }

    async fn queue(&self, unit: &Unit, query: &str) -> Queue {
        self.get(unit, &format!("/v1/queue{query}")).await.json()
    }

    async fn looked(&self, unit: &Unit, pos: LogPosition) -> Answer {
        let body = serde_json::to_vec(&json!({"pos": pos})).unwrap();
        let body = Some(("application/json", body));
        self.call(&unit.http, Method::PUT, "/v1/look", body).await
    }

    async fn silence(&self, unit: &Unit) -> Silence {
        self.get(unit, "/v1/silence").await.json()
    }

    async fn screening(
        &self,
        what: &Notified,
        claims: (ScreenResult, Vec<Checked>),
        reasons: Value,
    ) -> Answer {
        let by = self.coordinator.first();
        let (result, checked) = claims;
        let claims = ScreenClaims::new(
            self.common(by),
            what.nid,
            what.rev,
            what.hash,
            result,
            checked,
        );
        let parts = if reasons.is_null() {
            Vec::new()
        } else {
            let part = Part::new(name::REASONS, &json!({"reasons": reasons})).unwrap();
            vec![part.sealed_to(&self.reader)]
        };
        self.say(by, claims, &parts).await
    }

    /// Which revisions count for a party.
    async fn counted(&self, party: &Member, nid: Nid) -> Vec<i32> {
        let mut admin = self.db.connect(Database::Admin).await;
        sqlx::query_scalar(
            "SELECT rev FROM hn.audience WHERE party = $1 AND nid = $2 AND counts ORDER BY rev",
        )
        .bind(party.id.as_str())
        .bind(nid.uuid())
        .fetch_all(&mut admin)
        .await
        .unwrap()
    }

    async fn kinds_read(&self, desk: &Member) -> Vec<Kind> {
        let read = self.reads(desk).await.into_iter();
        read.map(|(_, claims, _)| claims.kind()).collect()
    }

    async fn numbered(&self) {
        let by = self.coordinator.first();
        let duty = DutyClaims::new(self.common(by), NUMBER.to_owned(), Vec::new());
        self.said(by, duty, &[]).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn to_a_suspended_party_nothing_new_is_handed_and_who_named_it_is_told() {
    let world = World::start().await;
    world.numbered().await;
    let ada = world.msf.first();
    let told = || {
        Site::at(44.2, 15.4)
            .to(&world.east, Tier::Exact)
            .to(&world.west, Tier::Exact)
    };
    let first = world.notify(ada, &told()).await;
    let second = world.notify(ada, &told()).await;
    let theirs = Site::at(43.2, 16.0).to(&world.west, Tier::Exact);
    world.notify(world.relief.first(), &theirs).await;
    let before = world.reads(&world.east).await.len();

    let answer = world.puts(&world.east, Admission::Suspended, None).await;
    assert_eq!(answer.refused(), None, "{answer:?}");
    let eve = world.east.first();
    for unit in &world.east.devices {
        assert_eq!(world.me(unit).await.actor_state, ActorState::Suspended);
    }
    // Everything that would hand something over says so, and whom to call.
    for path in [
        "/v1/events",
        "/v1/stream",
        "/v1/queue",
        "/v1/notifications",
        "/v1/silence",
    ] {
        let answer = world.get(eve, path).await;
        assert_eq!(answer.refused(), Some(P::Suspended), "{path}");
        let action = answer.problem.unwrap().action;
        assert!(
            action.contains(NUMBER) && action.contains("conflict"),
            "{action}"
        );
    }
    let planner = &world.east.devices[1];
    let body = Some((herald::wire::envelope::ENVELOPE_TYPE, b"HN2".to_vec()));
    let answer = world
        .call(&planner.http, Method::POST, "/v1/checks", body)
        .await;
    assert_eq!(answer.refused(), Some(P::Suspended));

    // What is new does not name it; a revision leaves it out, and what it was told goes on counting.
    let answer = world
        .submit(ada, told().build(&world, ada).envelope.encode())
        .await;
    assert_eq!(answer.refused(), Some(P::PartySuspended));
    let without = Site::at(44.2, 15.4)
        .to(&world.west, Tier::Exact)
        .after(&first);
    let revised = world.notify(ada, &without).await;
    assert_eq!(world.counted(&world.east, first.nid).await, [1]);
    let withdraw = WithdrawClaims::new(
        world.common(ada),
        second.nid,
        second.rev.next(),
        second.hash,
        None,
    );
    world.said(ada, withdraw, &[]).await;
    // It may still say what it has received.
    let items = vec![ack_item(&first, AckState::Received)];
    let (claims, parts) = world.acknowledgement(eve, &world.msf.id, items, &[]);
    world.said(eve, claims, &parts).await;

    // The organisation that named it is told, another is not; the board marks it.
    for (desk, times) in [(&world.msf, 1), (&world.relief, 0), (&world.west, 0)] {
        let read = world.reads(desk).await.into_iter();
        let about_east = read.filter(|(_, claims, _)| match claims {
            Claims::Admit(claims) => claims.actor == world.east.id,
            _ => false,
        });
        assert_eq!(about_east.count(), times, "{}", desk.id);
    }
    let board = world.silence(ada).await;
    let east = board.parties.iter().find(|p| p.party == world.east.id);
    let east = east.unwrap();
    assert_eq!(east.state, ActorState::Suspended);
    assert!(east.since.is_some());

    // Back: what was said meanwhile of what it had been told comes, in order; nothing new had named it.
    let answer = world.puts(&world.east, Admission::Admitted, None).await;
    assert_eq!(answer.refused(), None, "{answer:?}");
    let kinds: Vec<Kind> = world.kinds_read(&world.east).await.split_off(before);
    assert_eq!(kinds, [Kind::Admit, Kind::Withdraw, Kind::Admit]);
    // The next revision has to name it again, or to end it.
    let again = Site::at(44.2, 15.4)
        .to(&world.west, Tier::Exact)
        .after(&revised);
    let answer = world
        .submit(ada, again.build(&world, ada).envelope.encode())
        .await;
    assert_eq!(answer.refused(), Some(P::MissingPart));
    world.notify(ada, &told().after(&revised)).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_suspension_counts_from_its_very_moment_also_when_the_server_was_down_then() {
    let mut world = World::start().await;
    let told = |world: &World| Site::at(44.2, 15.4).to(&world.east, Tier::Exact);
    let site = world.notify(world.msf.first(), &told(&world)).await;
    for in_s in [-60, -HOUR] {
        let answer = world
            .puts(&world.east, Admission::Suspended, Some(in_s))
            .await;
        assert_eq!(answer.refused(), Some(P::PastMoment));
    }
    let back = world
        .puts(&world.east, Admission::Admitted, Some(HOUR))
        .await;
    assert_eq!(back.refused(), Some(P::InvalidMember));
    let answer = world
        .puts(&world.east, Admission::Suspended, Some(HOUR))
        .await;
    assert_eq!(answer.refused(), None, "{answer:?}");
    // Until then nothing changes, and the board says what will.
    let site_two = world.notify(world.msf.first(), &told(&world)).await;
    assert_eq!(
        world.me(world.east.first()).await.actor_state,
        ActorState::Admitted
    );
    let board = world.silence(world.coordinator.first()).await;
    let east = board.parties.iter().find(|p| p.party == world.east.id);
    assert!(east.unwrap().ends.is_some());

    world.stop().await;
    world.move_time(HOUR + 60).await;
    world.restart().await;
    // Before the clockwork has said a word, the moment has come.
    let ada = world.msf.first();
    let answer = world
        .submit(ada, told(&world).build(&world, ada).envelope.encode())
        .await;
    assert_eq!(answer.refused(), Some(P::PartySuspended));
    let answer = world.get(world.east.first(), "/v1/events").await;
    assert_eq!(answer.refused(), Some(P::Suspended));
    let alerts = world.alerted(&world.msf, 1).await;
    assert_eq!(alerts[0].event, AlertEvent::PartySuspended);
    assert_eq!(alerts[0].party.as_ref(), Some(&world.east.id));
    assert_eq!(alerts[0].says, STANDING_SENTENCE);
    let named: BTreeSet<Nid> = alerts[0].items.iter().map(|item| item.nid).collect();
    assert_eq!(named, BTreeSet::from([site.nid, site_two.nid]));
    assert_eq!(world.alerts(&world.coordinator).await.len(), 1);
    assert!(world.alerts(&world.relief).await.is_empty());
    world.restart().await;
    world.nothing_more(&world.msf, 1).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_later_word_takes_the_place_of_one_that_is_still_to_come() {
    let world = World::start().await;
    let site = Site::at(44.2, 15.4).to(&world.east, Tier::Exact);
    world.notify(world.msf.first(), &site).await;
    for (state, in_s) in [
        (Admission::Left, Some(HOUR)),
        (Admission::Suspended, Some(2 * HOUR)),
        (Admission::Admitted, None),
    ] {
        let answer = world.puts(&world.east, state, in_s).await;
        assert_eq!(answer.refused(), None, "{answer:?}");
    }
    world.move_time(3 * HOUR).await;
    world.nothing_more(&world.msf, 0).await;
    assert_eq!(
        world.me(world.east.first()).await.actor_state,
        ActorState::Admitted
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_party_that_has_left_does_not_come_back_under_its_name() {
    let world = World::start().await;
    world.numbered().await;
    let ada = world.msf.first();
    let told = || Site::at(44.2, 15.4).to(&world.east, Tier::Exact);
    let site = world.notify(ada, &told()).await;
    let organisation = world.puts(&world.msf, Admission::Left, None).await;
    assert_eq!(organisation.refused(), Some(P::InvalidMember));
    let answer = world.puts(&world.east, Admission::Left, None).await;
    assert_eq!(answer.refused(), None, "{answer:?}");

    for state in [Admission::Admitted, Admission::Suspended, Admission::Left] {
        let answer = world.puts(&world.east, state, None).await;
        assert_eq!(answer.refused(), Some(P::Left));
    }
    let answer = world
        .submit(ada, told().build(&world, ada).envelope.encode())
        .await;
    assert_eq!(answer.refused(), Some(P::PartyLeft));
    let eve = world.east.first();
    let answer = world.get(eve, "/v1/events").await;
    assert_eq!(answer.refused(), Some(P::Left));
    assert!(answer.problem.unwrap().action.contains(NUMBER));
    let items = vec![ack_item(&site, AckState::Received)];
    let (claims, parts) = world.acknowledgement(eve, &world.msf.id, items, &[]);
    let answer = world.say(eve, claims, &parts).await;
    assert_eq!(answer.refused(), Some(P::Left));
    assert!(answer.problem.unwrap().action.contains(NUMBER));

    let by = world.coordinator.first();
    let person = Part::new(
        name::PERSON,
        &InvitedPerson {
            name: "Eve".to_owned(),
        },
    )
    .unwrap();
    let common = world.common(by);
    let exp = common.iat + 86_400;
    let code = herald::crypto::digest::Digest::of(Fresh::new().id.as_str().as_bytes());
    let invite = InviteClaims::new(
        common,
        code,
        world.east.id.clone(),
        ActorKind::Party,
        "East".to_owned(),
        Role::PartyDesk,
        exp,
    );
    let answer = world
        .say(by, invite, &[person.sealed_to(&world.reader)])
        .await;
    assert_eq!(answer.refused(), Some(P::Left));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_call_for_help_is_taken_all_the_same_and_says_whom_it_did_not_reach() {
    let world = World::start().await;
    world.puts(&world.east, Admission::Suspended, None).await;
    let cry = super::Cry::here()
        .to(&world.east, Tier::Exact)
        .to(&world.west, Tier::Exact);
    let ada = world.msf.first();
    let built = build(cry.claims(&world, ada), &cry.parts(&world), &ada.signing).unwrap();
    let answer = world.submit(ada, built.envelope.encode()).await;
    assert_eq!(answer.refused(), None, "{answer:?}");
    let taken: herald::wire::api::Submitted = answer.json();
    assert!(
        taken.remarks.iter().any(|remark| remark.contains("east")),
        "{:?}",
        taken.remarks
    );
    assert!(
        world
            .kinds_read(&world.west)
            .await
            .contains(&Kind::Distress)
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_queue_shows_what_is_new_to_the_device_and_counts_what_it_has_seen() {
    let world = World::start().await;
    let (ada, cora) = (world.msf.first(), world.coordinator.first());
    let site = || Site::at(44.2, 15.4).to(&world.east, Tier::Exact);
    let first = world.notify(ada, &site()).await;
    let queue = world.queue(cora, "").await;
    assert!(queue.look.is_none());
    assert_eq!(queue.notifications.len(), 1);
    // Asking moves nothing: only the device's word that it was shown does.
    assert_eq!(world.queue(cora, "").await.notifications.len(), 1);
    let look: Look = world.looked(cora, queue.upto).await.json();
    assert_eq!(look.pos, queue.upto);
    let beyond = world.looked(cora, LogPosition(queue.upto.0 + 1_000)).await;
    assert_eq!(beyond.refused(), Some(P::InvalidMember));

    let queue = world.queue(cora, "").await;
    assert_eq!(
        (queue.notifications.len(), queue.seen, queue.more),
        (0, 1, 0)
    );
    assert_eq!(queue.oldest_seen, Some(first.nid.reference()));
    let second = world.notify(ada, &site()).await;
    let queue = world.queue(cora, "").await;
    let shown: Vec<Nid> = queue.notifications.iter().map(|n| n.nid).collect();
    assert_eq!((shown, queue.seen), (vec![second.nid], 1));
    assert_eq!(world.queue(cora, "?all=true").await.notifications.len(), 2);
    // It never goes back.
    let again: Look = world.looked(cora, LogPosition(1)).await.json();
    assert_eq!(again, look);

    // Page by page.
    let page = world.queue(cora, "?all=true&limit=1").await;
    assert_eq!((page.notifications.len(), page.more), (1, 1));
    let rest = world
        .queue(
            cora,
            &format!("?all=true&limit=1&after={}", page.next.unwrap()),
        )
        .await;
    assert_eq!(rest.notifications[0].nid, second.nid);
    assert_eq!((rest.more, rest.next), (0, None));
    for query in ["?limit=0", "?limit=201", "?unknown=1"] {
        let answer = world.get(cora, &format!("/v1/queue{query}")).await;
        assert_eq!(answer.refused(), Some(P::InvalidQuery), "{query}");
    }
    // A party's: what no officer of it has received.
    let queue = world.queue(world.east.first(), "").await;
    assert_eq!(queue.notifications.len(), 2);
    assert!(
        world
            .queue(world.west.first(), "")
            .await
            .notifications
            .is_empty()
    );
    // An organisation's: what was returned to it, until it is mended, seen or not.
    let reasons = json!([{"pointer": "/geometry", "text": "two digits missing"}]);
    let answer = world
        .screening(&first, (ScreenResult::Returned, vec![]), reasons)
        .await;
    assert_eq!(answer.refused(), None, "{answer:?}");
    for _ in 0..2 {
        let queue = world.queue(ada, "").await;
        let shown: Vec<Nid> = queue.notifications.iter().map(|n| n.nid).collect();
        assert_eq!(shown, [first.nid]);
        world.looked(ada, queue.upto).await;
    }
    assert!(
        world
            .queue(world.relief.first(), "")
            .await
            .notifications
            .is_empty()
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn changes_are_what_was_delivered_to_the_desk_and_what_its_own_devices_said() {
    let world = World::start().await;
    let ada = world.msf.first();
    let site = Site::at(44.2, 15.4).to(&world.east, Tier::Exact);
    let notified = world.notify(ada, &site).await;
    let since = world.queue(world.coordinator.first(), "").await.upto;
    world.screen(&notified).await;
    let items = vec![ack_item(&notified, AckState::Received)];
    let eve = world.east.first();
    let (claims, parts) = world.acknowledgement(eve, &world.msf.id, items, &[]);
    world.said(eve, claims, &parts).await;
    let path = format!("/v1/changes?after={since}");
    let [told_coordinator, told, told_relief, told_west] = [
        world.get(world.coordinator.first(), &path).await,
        world.get(ada, &path).await,
        world.get(world.relief.first(), &path).await,
        world.get(world.west.first(), &path).await,
    ]
    .map(|answer| answer.json::<Changes>().changes);
    let said: Vec<(Kind, Option<String>)> = told_coordinator
        .into_iter()
        .map(|change| (change.kind, change.word))
        .collect();
    let word = |word: &str| Some(word.to_owned());
    let expected = [
        (Kind::Screen, word("screened")),
        (Kind::Ack, word("received")),
    ];
    assert_eq!(said, expected);
    assert_eq!(told.len(), 2);
    assert!(
        told.iter()
            .all(|c| c.seq.is_some() && c.about[0].nid == notified.nid)
    );
    // West was told of nothing, and the other organisation has nothing to do with it.
    assert!(told_relief.is_empty() && told_west.is_empty());
    // Of a day: between two moments, and page by page.
    let (from, until) = (told[0].at, told[1].at);
    let at = |at: time::OffsetDateTime| {
        at.format(&time::format_description::well_known::Rfc3339)
            .unwrap()
    };
    let path = format!(
        "/v1/changes?after={since}&from={}&until={}",
        at(from),
        at(until)
    );
    let day: Changes = world.get(ada, &path).await.json();
    assert_eq!(day.changes.len(), 1);
    let page: Changes = world
        .get(ada, &format!("/v1/changes?after={since}&limit=1"))
        .await
        .json();
    assert_eq!((page.changes.len(), page.next), (1, Some(told[0].pos)));
}

#[tokio::test(flavor = "multi_thread")]
async fn the_board_counts_what_no_officer_has_answered_by_age_and_shows_each_its_own() {
    let world = World::start().await;
    let ada = world.msf.first();
    let told = || {
        Site::at(44.2, 15.4)
            .to(&world.east, Tier::Exact)
            .to(&world.west, Tier::Exact)
    };
    let old = world.notify(ada, &told()).await;
    let answered = world.notify(ada, &told()).await;
    let eve = world.east.first();
    for state in [AckState::ReachedDesk, AckState::Received] {
        let items = vec![ack_item(&answered, state)];
        let (claims, parts) = world.acknowledgement(eve, &world.msf.id, items, &[]);
        world.said(eve, claims, &parts).await;
    }
    // A device's word is no officer's.
    let items = vec![ack_item(&old, AckState::ReachedDesk)];
    let (claims, parts) = world.acknowledgement(eve, &world.msf.id, items, &[]);
    world.said(eve, claims, &parts).await;
    let theirs = Site::at(43.2, 16.0).to(&world.west, Tier::Exact);
    world.notify(world.relief.first(), &theirs).await;
    world.move_time(2 * HOUR).await;
    let new = world.notify(ada, &told()).await;

    let board = world.silence(world.coordinator.first()).await;
    assert_eq!(board.says, SILENCE_SENTENCE);
    let of = |board: &Silence, party: &Member| {
        let found = board.parties.iter().find(|p| p.party == party.id);
        found.map(|p| p.waiting.counts())
    };
    assert_eq!(of(&board, &world.east), Some([1, 1, 0, 0, 0]));
    assert_eq!(of(&board, &world.west), Some([1, 3, 0, 0, 0]));
    let east = board
        .parties
        .iter()
        .find(|p| p.party == world.east.id)
        .unwrap();
    assert_eq!(east.oldest.as_ref().map(|o| o.nid), Some(old.nid));
    assert_eq!(east.not_taken, 2);
    assert!(!east.no_device && east.last_seen.is_none());

    // An organisation is counted its own, and a party sees itself alone.
    let ours = world.silence(ada).await;
    assert_eq!(of(&ours, &world.west), Some([1, 2, 0, 0, 0]));
    let theirs = world.silence(world.relief.first()).await;
    assert_eq!(of(&theirs, &world.east), None);
    assert_eq!(of(&theirs, &world.west), Some([0, 1, 0, 0, 0]));
    let own = world.silence(world.west.first()).await;
    assert_eq!(own.parties.len(), 1);
    assert_eq!(of(&own, &world.west), Some([1, 3, 0, 0, 0]));

    // When a desk takes its mail, an organisation learns of it by what it notified itself, and by nothing else.
    let upto = serde_json::to_vec(&json!({"seq": world.reads(&world.west).await.len()})).unwrap();
    let body = Some(("application/json", upto));
    let wes = &world.west.first().http;
    world.call(wes, Method::PUT, "/v1/cursor", body).await;
    let board = world.silence(ada).await;
    let west = board
        .parties
        .iter()
        .find(|p| p.party == world.west.id)
        .unwrap();
    assert!(west.last_seen.is_some() && west.not_taken == 0);
    world.move_time(80 * HOUR).await;
    assert_eq!(
        of(&world.silence(ada).await, &world.west),
        Some([0, 0, 0, 0, 3])
    );
    assert_eq!(new.rev.get(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_handover_note_reaches_the_own_desk_and_nobody_else() {
    let world = World::start().await;
    let cora = world.coordinator.first();
    let note = || {
        Part::new(
            name::NOTE,
            &json!({"text": "East answers on the satphone only."}),
        )
        .unwrap()
    };
    let claims = || HandoverClaims::new(world.common(cora));
    let none = world.say(cora, claims(), &[]).await;
    assert_eq!(none.refused(), Some(P::MissingPart));
    for reader in [world.east.reader(), world.msf.reader(), &world.reader] {
        let answer = world.say(cora, claims(), &[note().sealed_to(reader)]).await;
        assert_eq!(answer.refused(), Some(P::UnknownReader));
    }
    let both = note()
        .sealed_to(world.coordinator.reader())
        .sealed_to(world.east.reader());
    let answer = world.say(cora, claims(), &[both]).await;
    assert_eq!(answer.refused(), Some(P::UnknownReader));

    let own = note().sealed_to(world.coordinator.reader());
    world.said(cora, claims(), &[own]).await;
    for desk in [&world.msf, &world.relief, &world.east, &world.west] {
        assert!(!world.kinds_read(desk).await.contains(&Kind::Handover));
    }
    let read = world.reads(&world.coordinator).await.into_iter();
    let notes: Vec<Vec<(String, Value)>> = read
        .filter(|(_, claims, _)| claims.kind() == Kind::Handover)
        .map(|(_, _, parts)| parts)
        .collect();
    assert_eq!(notes.len(), 1);
    assert_eq!(notes[0][0].1["text"], "East answers on the satphone only.");
    // The server keeps it as it is sealed to the desk: it opens nothing of it.
    let mut admin = world.db.connect(Database::Admin).await;
    let opened: i64 = sqlx::query_scalar("SELECT count(*) FROM hn.part WHERE part = 'note'")
        .fetch_one(&mut admin)
        .await
        .unwrap();
    assert_eq!(opened, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_screening_says_something_new_of_the_latest_revision_or_is_refused() {
    let world = World::start().await;
    let ada = world.msf.first();
    let site = || Site::at(44.2, 15.4).to(&world.east, Tier::Exact);
    let notified = world.notify(ada, &site()).await;
    let screened = |checked| (ScreenResult::Screened, checked);
    let form = || screened(vec![Checked::Form]);
    let unknown = json!([{"pointer": "/properties/colour", "text": "red"}]);
    let answer = world
        .screening(&notified, (ScreenResult::Returned, vec![]), unknown)
        .await;
    assert_eq!(answer.refused(), Some(P::UnknownField));
    let problem = answer.problem.unwrap();
    assert_eq!(
        problem.pointer.as_deref(),
        Some("/reasons/reasons/0/pointer")
    );
    assert!(problem.detail.unwrap().contains("position, name"));

    assert_eq!(
        world
            .screening(&notified, form(), Value::Null)
            .await
            .refused(),
        None
    );
    let again = world.screening(&notified, form(), Value::Null).await;
    assert_eq!(again.refused(), Some(P::AlreadyScreened));
    // More that was looked at is something new, and nothing of what was said before is lost.
    let more = screened(vec![Checked::Sender]);
    assert_eq!(
        world
            .screening(&notified, more, Value::Null)
            .await
            .refused(),
        None
    );
    let path = format!("/v1/notifications/{}", notified.nid);
    let status: Value = world.get(ada, &path).await.json();
    assert_eq!(status["revisions"][0]["checked"], json!(["form", "sender"]));
    let next = world.notify(ada, &site().after(&notified)).await;
    let late = world.screening(&notified, form(), Value::Null).await;
    assert_eq!(late.refused(), Some(P::Superseded));
    assert_eq!(
        world.screening(&next, form(), Value::Null).await.refused(),
        None
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn who_has_acknowledged_which_revision_is_plain_and_why_it_was_withdrawn_is_no_partys_to_know()
 {
    let world = World::start().await;
    let ada = world.msf.first();
    let told = || {
        Site::at(44.2, 15.4)
            .to(&world.east, Tier::Exact)
            .to(&world.west, Tier::Exact)
    };
    let first = world.notify(ada, &told()).await;
    for party in [&world.east, &world.west] {
        let items = vec![ack_item(&first, AckState::Received)];
        let (claims, parts) = world.acknowledgement(party.first(), &world.msf.id, items, &[]);
        world.said(party.first(), claims, &parts).await;
    }
    let second = world.notify(ada, &told().after(&first)).await;
    let items = vec![ack_item(&second, AckState::Received)];
    let (claims, parts) = world.acknowledgement(world.west.first(), &world.msf.id, items, &[]);
    world.said(world.west.first(), claims, &parts).await;
    let path = format!("/v1/notifications/{}", first.nid);
    let status: Value = world.get(ada, &path).await.json();
    let words = |n: usize| {
        let acks = status["parties"][n]["acknowledgements"].as_array().unwrap();
        let each = acks
            .iter()
            .map(|a| (a["rev"].as_u64().unwrap(), a["latest"].as_bool().unwrap()));
        each.collect::<Vec<_>>()
    };
    assert_eq!(words(0), [(1, false)]);
    assert_eq!(words(1), [(1, false), (2, true)]);
    // Both revisions count until the new one is screened and fetched.
    assert_eq!(world.counted(&world.east, first.nid).await, [1, 2]);

    let reason = Part::new(
        name::REASON,
        &json!({"text": "we fear an attack on the clinic"}),
    )
    .unwrap();
    let withdraw = WithdrawClaims::new(
        world.common(ada),
        first.nid,
        second.rev.next(),
        second.hash,
        None,
    );
    world
        .said(ada, withdraw, &[reason.sealed_to(&world.reader)])
        .await;
    for (desk, told) in [(&world.coordinator, 1), (&world.east, 0), (&world.west, 0)] {
        let read = world.reads(desk).await.into_iter();
        let mut withdrawn = read.filter(|(_, claims, _)| claims.kind() == Kind::Withdraw);
        let (_, _, parts) = withdrawn.next().expect("it is told that it is withdrawn");
        assert_eq!(parts.len(), told, "{}", desk.id);
    }
}
