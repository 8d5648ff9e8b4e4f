//! Queries, warnings and replies: who may say them of what, who hears what of them, that they move nothing else, and that
//! silence on one is said when its time has passed.

use herald::crypto::digest::Digest;
use herald::domain::ack::AckState;
use herald::domain::exchange::{
    AlertEvent, SILENCE_SENTENCE, ThreadKind, ThreadState, WARNING_SENTENCE,
};
use herald::domain::ids::{Nid, Seq};
use herald::domain::notification::{Outcome, Tier};
use herald::store::role::Role as DbRole;
use herald::wire::api::{NotificationStatus, Submitted, ThreadStatus, Threads};
use herald::wire::build::{Part, open};
use herald::wire::claims::{
    AckClaims, CloseClaims, PolicyClaims, ReplyClaims, WarnClaims, WithdrawClaims,
};
use herald::wire::envelope::{Event, split};
use herald::wire::parts::name;
use herald::wire::policy::Policy;
use herald::wire::problem::ProblemKind;
use herald::wire::problem::ProblemKind as P;
use herald::wire::read;
use serde_json::{Value, json};
use sqlx::Executor as _;
use time::format_description::well_known::Rfc3339;

use super::devices::now;
use super::world::World;
use super::{Answer, Member, Notified, Site, ack_item};

/// What a desk was told.
#[derive(Debug, Clone, PartialEq)]
struct Heard {
    /// Its place in the mailbox.
    seq: Seq,
    /// The kind.
    kind: String,
    /// The part `detail`, if it was handed over.
    detail: Option<Value>,
}

fn site(world: &World) -> Site {
    Site::at(44.2, 15.4)
        .to(&world.east, Tier::Exact)
        .to(&world.west, Tier::Cell)
}

fn convoy(world: &World) -> Site {
    Site::convoy([44.2, 15.4], [44.3, 15.5]).to(&world.east, Tier::Exact)
}

fn in_hours(hours: i64) -> String {
    (now() + time::Duration::hours(hours))
        .format(&Rfc3339)
        .unwrap()
}

fn warning(alleges: &str) -> Value {
    json!({"officer": {"name": "Off Icer"}, "alleges": alleges, "says": WARNING_SENTENCE})
}

impl World {
    async fn warn(&self, party: &Member, to: &Member, of: &Notified, detail: &Value) -> Answer {
        let desk = party.first();
        let claims = WarnClaims::new(self.common(desk), to.id.clone(), of.nid, of.rev, of.hash);
        let part = Part::new(name::DETAIL, detail).unwrap();
        self.say(desk, claims, &[part.sealed_to(&self.reader)])
            .await
    }

    async fn warns(&self, party: &Member, to: &Member, of: &Notified, detail: &Value) -> Submitted {
        let answer = self.warn(party, to, of, detail).await;
        assert_eq!(answer.status.as_u16(), 201, "{answer:?}");
        answer.json()
    }

    async fn reply(
        &self,
        org: &Member,
        to: &Member,
        on: &Notified,
        re: Digest,
        detail: &Value,
    ) -> Answer {
        let unit = org.first();
        let claims = ReplyClaims::new(self.common(unit), to.id.clone(), on.nid, on.rev, re, None);
        let part = Part::new(name::DETAIL, detail).unwrap();
        self.say(unit, claims, &[part.sealed_to(&self.reader)])
            .await
    }

    async fn explains(&self, org: &Member, to: &Member, on: &Notified, re: Digest) -> Submitted {
        let detail = json!({"answer": "explained", "text": "The eastern one."});
        let answer = self.reply(org, to, on, re, &detail).await;
        assert_eq!(answer.status.as_u16(), 201, "{answer:?}");
        answer.json()
    }

    /// What a desk was told behind a place, with what it can open.
    async fn heard(&self, member: &Member, after: Seq) -> Vec<Heard> {
        let mut heard: Vec<Heard> = Vec::new();
        loop {
            let after = heard.last().map_or(after, |h| h.seq);
            let path = format!("/v1/events?after={after}&limit=256");
            let answer = self.get(member.first(), &path).await;
            assert_eq!(answer.status.as_u16(), 200, "{answer:?}");
            let items = split(&answer.body, 256).unwrap();
            if items.is_empty() {
                return heard;
            }
            for item in items {
                let event = Event::decode(item).unwrap();
                let (_, claims) = read::read(&event.envelope.statement).unwrap();
                let detail = event
                    .envelope
                    .attachments
                    .iter()
                    .find(|a| a.part == name::DETAIL)
                    .map(|a| open(&claims, a, &member.desk).unwrap().into_value());
                heard.push(Heard {
                    seq: event.seq,
                    kind: claims.kind().to_string(),
                    detail,
                });
            }
        }
    }

    async fn end(&self, member: &Member) -> Seq {
        let heard = self.heard(member, Seq(0)).await;
        heard.last().map_or(Seq(0), |h| h.seq)
    }

    async fn threads(&self, member: &Member) -> Vec<ThreadStatus> {
        let answer: Threads = self.get(member.first(), "/v1/threads").await.json();
        assert_eq!(answer.more, 0);
        answer.threads
    }

    async fn stands(&self, member: &Member, nid: Nid) -> NotificationStatus {
        let path = format!("/v1/notifications/{nid}");
        self.get(member.first(), &path).await.json()
    }
}

fn details(heard: &[Heard], kind: &str) -> Vec<Option<Value>> {
    let of_kind = heard.iter().filter(|h| h.kind == kind);
    of_kind.map(|h| h.detail.clone()).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_asked_alleged_and_replied_is_heard_by_the_two_and_the_coordinator_alone() {
    let world = World::start().await;
    let (msf, east, west) = (&world.msf, &world.east, &world.west);
    let told = world.notify(msf.first(), &site(&world)).await;
    let before = serde_json::to_value(world.stands(msf, told.nid).await).unwrap();
    let mut ends = Vec::new();
    for member in [msf, &world.coordinator, east, west, &world.relief] {
        ends.push((member, world.end(member).await));
    }

    let alleged = warning("that armed people are inside");
    let warned = world.warns(east, msf, &told, &alleged).await;
    // A warning moves nothing: all but the thread itself stands as before.
    let mut after = serde_json::to_value(world.stands(msf, told.nid).await).unwrap();
    let threads = after.as_object_mut().unwrap().remove("threads").unwrap();
    assert_eq!(after, before);
    assert_eq!(threads[0]["state"], "open");
    let asked = world.asks(east, msf, &told, json!({})).await;
    let declined = json!({"answer": "declined", "text": "Nobody armed is inside."});
    let answer = world.reply(msf, east, &told, warned.hash, &declined).await;
    assert_eq!(answer.status.as_u16(), 201, "{answer:?}");
    world.explains(msf, east, &told, asked.hash).await;

    for (member, from) in ends {
        let heard = world.heard(member, from).await;
        let kinds: Vec<&str> = heard.iter().map(|h| h.kind.as_str()).collect();
        match member.id.as_str() {
            "msf" | "ocha" => assert_eq!(kinds, ["warn", "ack", "reply", "reply"], "{}", member.id),
            // Its own query is an acknowledgement, which is not delivered back to it.
            "east" => assert_eq!(kinds, ["warn", "reply", "reply"]),
            _ => assert_eq!(heard, [], "{} hears nothing of it", member.id),
        }
        if kinds.is_empty() {
            continue;
        }
        assert_eq!(details(&heard, "warn"), [Some(alleged.clone())]);
        let replies = details(&heard, "reply");
        assert_eq!(replies[0].as_ref(), Some(&declined));
        assert_eq!(replies[1].as_ref().unwrap()["answer"], "explained");
    }
    for (member, sees) in [(msf, 2), (&world.coordinator, 2), (east, 2), (west, 0)] {
        let threads = world.stands(member, told.nid).await.threads;
        assert_eq!(threads.len(), sees, "{}", member.id);
        assert!(threads.iter().all(|t| t.state == ThreadState::Replied));
    }
    // West, which was told of the same site, asks too; neither party sees the other's.
    world.asks(west, msf, &told, json!({})).await;
    for (member, parties) in [
        (msf, &["east", "east", "west"][..]),
        (&world.coordinator, &["east", "east", "west"]),
        (east, &["east", "east"]),
        (west, &["west"]),
    ] {
        let threads = world.stands(member, told.nid).await.threads;
        let seen: Vec<&str> = threads.iter().map(|t| t.party.as_str()).collect();
        assert_eq!(seen, parties, "{}", member.id);
    }
    assert_eq!(world.threads(&world.relief).await.len(), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_warning_is_of_what_was_delivered_and_says_what_every_warning_says() {
    let world = World::start().await;
    let (msf, east, west) = (&world.msf, &world.east, &world.west);
    let told = world.notify(msf.first(), &convoy(&world)).await;
    let good = warning("that it carries arms");
    let refused = async |party, to, of: &Notified, detail: &Value| {
        world.warn(party, to, of, detail).await.refused()
    };
    assert_eq!(refused(west, msf, &told, &good).await, Some(P::UnknownItem));
    let relief = &world.relief;
    assert_eq!(
        refused(east, relief, &told, &good).await,
        Some(P::UnknownItem)
    );
    let mut other = told.clone();
    other.hash = Digest::of(b"other");
    assert_eq!(
        refused(east, msf, &other, &good).await,
        Some(P::UnknownItem)
    );
    let mut later = told.clone();
    later.rev = told.rev.next();
    assert_eq!(
        refused(east, msf, &later, &good).await,
        Some(P::UnknownItem)
    );

    for (member, value, wanted) in [
        ("says", json!("It has lost its status."), P::InvalidMember),
        ("alleges", json!("  "), P::InvalidMember),
        ("alleges", json!("x".repeat(4_001)), P::InvalidMember),
        ("officer", json!({"name": " "}), P::InvalidMember),
        ("status", json!("a target"), P::UnknownMember),
    ] {
        let mut bad = good.clone();
        bad[member] = value;
        assert_eq!(
            refused(east, msf, &told, &bad).await,
            Some(wanted),
            "{member}"
        );
    }
    let claims = WarnClaims::new(
        world.common(east.first()),
        msf.id.clone(),
        told.nid,
        told.rev,
        told.hash,
    );
    let answer = world.say(east.first(), claims, &[]).await;
    assert_eq!(answer.refused(), Some(P::MissingPart));

    // One on a revision that was replaced meanwhile is heard: the party may not have the new one yet.
    let newer = convoy(&world).after(&told);
    let newer = world.notify(msf.first(), &newer).await;
    world.warns(east, msf, &told, &good).await;
    // The party is no longer told of it: nothing was delivered to warn of, but what it had before.
    let ended = Site::convoy([44.2, 15.4], [44.3, 15.5])
        .to(&world.east, Tier::Withdrawn)
        .after(&newer);
    let ended = world.notify(msf.first(), &ended).await;
    assert_eq!(
        refused(east, msf, &ended, &good).await,
        Some(P::UnknownItem)
    );
    world.warns(east, msf, &newer, &good).await;
    let common = world.common(msf.first());
    let close = CloseClaims::new(
        common,
        told.nid,
        ended.rev.next(),
        ended.hash,
        Outcome::Arrived,
        None,
    );
    world.said(msf.first(), close, &[]).await;
    assert_eq!(
        refused(east, msf, &newer, &good).await,
        Some(P::AlreadyClosed)
    );
    assert_eq!(world.threads(msf).await.len(), 0, "it has ended");
    assert_eq!(world.stands(msf, told.nid).await.threads.len(), 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_query_asks_for_what_can_be_done_by_a_time_that_can_be_met() {
    let world = World::start().await;
    let (msf, east) = (&world.msf, &world.east);
    let place = world.notify(msf.first(), &site(&world)).await;
    let moving = world.notify(msf.first(), &convoy(&world)).await;
    let refused = async |of: &Notified, more| world.ask(east, msf, of, more).await.refused();
    for ask in ["delay", "reroute"] {
        assert_eq!(
            refused(&place, json!({"ask": ask})).await,
            Some(ProblemKind::AskNeedsMovement)
        );
        assert_eq!(refused(&moving, json!({"ask": ask})).await, None);
    }
    for due in [in_hours(-1), in_hours(30 * 24 + 1)] {
        assert_eq!(
            refused(&moving, json!({"due": due})).await,
            Some(ProblemKind::ReplyTimeInvalid)
        );
    }
    assert_eq!(
        refused(&moving, json!({"due": in_hours(30 * 24)})).await,
        None
    );
    for more in [
        json!({"question": " "}),
        json!({"question": "x".repeat(4_001)}),
        json!({"ask": "stop"}),
    ] {
        assert_eq!(refused(&moving, more).await, Some(P::InvalidMember));
    }
    // Only who asks something asks for something.
    for more in [json!({"ask": "clarify"}), json!({"due": in_hours(1)})] {
        let mut item = json!({"nid": moving.nid});
        item.as_object_mut()
            .unwrap()
            .extend(more.as_object().unwrap().clone());
        let detail = json!({"officer": {"name": "Off Icer"}, "items": [item]});
        let part = Part::new(name::DETAIL, &detail).unwrap();
        let items = vec![ack_item(&moving, AckState::Received)];
        let claims = AckClaims::new(world.common(east.first()), msf.id.clone(), items, None);
        let part = part.sealed_to(&world.reader);
        let answer = world.say(east.first(), claims, &[part]).await;
        assert_eq!(answer.refused(), Some(P::InvalidMember));
    }
    // A movement that has arrived neither waits nor takes another way; something can still be asked about it.
    let common = world.common(msf.first());
    let close = CloseClaims::new(
        common,
        moving.nid,
        moving.rev.next(),
        moving.hash,
        Outcome::Arrived,
        None,
    );
    world.said(msf.first(), close, &[]).await;
    assert_eq!(
        refused(&moving, json!({"ask": "delay"})).await,
        Some(P::AlreadyClosed)
    );
    assert_eq!(refused(&moving, json!({})).await, None);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_reply_answers_what_was_asked_of_this_organisation_and_nothing_else() {
    let world = World::start().await;
    let (msf, relief, east, west) = (&world.msf, &world.relief, &world.east, &world.west);
    let told = world.notify(msf.first(), &site(&world)).await;
    let second = world.notify(msf.first(), &site(&world)).await;
    let asked = world.asks(east, msf, &told, json!({})).await.hash;
    let explained = json!({"answer": "explained", "text": "The eastern one."});
    let refused = async |org, to, on: &Notified, re, detail: &Value| {
        world.reply(org, to, on, re, detail).await.refused()
    };

    // To nothing: no statement, one that asked nothing, one that asked about something else.
    let received = vec![ack_item(&told, AckState::Received)];
    let (claims, parts) = world.acknowledgement(east.first(), &msf.id, received, &[]);
    let received = world.said(east.first(), claims, &parts).await.hash;
    for (on, re) in [
        (&told, Digest::of(b"nothing")),
        (&told, received),
        (&told, told.hash),
        (&second, asked),
    ] {
        assert_eq!(
            refused(msf, east, on, re, &explained).await,
            Some(ProblemKind::NothingToReplyTo)
        );
    }
    let mut later = told.clone();
    later.rev = told.rev.next();
    assert_eq!(
        refused(msf, east, &later, asked, &explained).await,
        Some(P::UnknownNotification)
    );
    // Not addressed to it: it learns nothing of another's.
    assert_eq!(
        refused(relief, east, &told, asked, &explained).await,
        Some(P::UnknownNotification)
    );
    assert_eq!(
        refused(msf, west, &told, asked, &explained).await,
        Some(ProblemKind::ReplyToAnotherParty)
    );
    for (detail, wanted) in [
        (json!({"answer": "accepted", "text": ""}), P::InvalidMember),
        (json!({"answer": "accepted"}), P::MissingMember),
        (json!({"answer": "approved", "text": "x"}), P::InvalidMember),
        (json!({"answer": "amended", "text": "x"}), P::MissingMember),
        (
            json!({"answer": "explained", "amended": 1, "text": "x"}),
            P::InvalidMember,
        ),
        (
            json!({"answer": "amended", "amended": 1, "text": "x"}),
            P::AmendmentUnknown,
        ),
        (
            json!({"answer": "amended", "amended": 2, "text": "x"}),
            P::AmendmentUnknown,
        ),
    ] {
        assert_eq!(
            refused(msf, east, &told, asked, &detail).await,
            Some(wanted),
            "{detail}"
        );
    }
    assert_eq!(world.threads(msf).await.len(), 1, "none of these was one");

    // The amendment first, then the reply that names it.
    let amended = world.notify(msf.first(), &site(&world).after(&told)).await;
    let detail = json!({"answer": "amended", "amended": amended.rev, "text": "Moved."});
    assert_eq!(refused(msf, east, &told, asked, &detail).await, None);
    assert_eq!(world.threads(msf).await.len(), 0);
    // What takes a notification back amends nothing.
    let again = world.asks(east, msf, &second, json!({})).await.hash;
    let common = world.common(msf.first());
    let withdraw = WithdrawClaims::new(common, second.nid, second.rev.next(), second.hash, None);
    world.said(msf.first(), withdraw, &[]).await;
    let detail = json!({"answer": "amended", "amended": 2, "text": "Gone."});
    assert_eq!(
        refused(msf, east, &second, again, &detail).await,
        Some(ProblemKind::AmendmentUnknown)
    );
    assert_eq!(refused(msf, east, &second, again, &explained).await, None);
}

#[tokio::test(flavor = "multi_thread")]
async fn threads_wait_oldest_first_each_on_its_own_and_the_latest_reply_counts() {
    let world = World::start().await;
    let (msf, east) = (&world.msf, &world.east);
    let mut told = Vec::new();
    for _ in 0..3 {
        told.push(world.notify(msf.first(), &site(&world)).await);
    }
    let warned = world
        .warns(east, msf, &told[2], &warning("that it is empty"))
        .await
        .hash;
    // One acknowledgement that asks about all three, in another order than they were notified.
    let order = [1, 0, 2];
    let items = order.map(|i| ack_item(&told[i], AckState::Queried));
    let detail = json!({"officer": {"name": "Off Icer"},
        "items": order.map(|i| json!({"nid": told[i].nid, "question": "Which?", "due": in_hours(i64::try_from(i).unwrap() + 1)}))});
    let part = Part::new(name::DETAIL, &detail).unwrap();
    let claims = AckClaims::new(
        world.common(east.first()),
        msf.id.clone(),
        items.to_vec(),
        None,
    );
    let part = part.sealed_to(&world.reader);
    let asked = world.said(east.first(), claims, &[part]).await.hash;

    for member in [msf, east, &world.coordinator] {
        let threads = world.threads(member).await;
        let seen: Vec<_> = threads.iter().map(|t| (t.kind, t.of, t.nid)).collect();
        let mut expected = vec![(ThreadKind::Warning, warned, told[2].nid)];
        expected.extend(order.map(|i| (ThreadKind::Query, asked, told[i].nid)));
        assert_eq!(seen, expected, "{}", member.id);
        for thread in &threads {
            assert_eq!((thread.state, thread.replies), (ThreadState::Open, 0));
            assert_eq!((&thread.organisation, &thread.party), (&msf.id, &east.id));
            assert_eq!(thread.reference, thread.nid.reference());
        }
        let hours = |t: &ThreadStatus| {
            let left = t.due.unwrap() - now();
            (left.whole_minutes() + 30) / 60
        };
        // The warning and its policy's day, then what the party asked for.
        let left: Vec<i64> = threads.iter().map(hours).collect();
        assert_eq!(left, [24, 2, 1, 3]);
    }

    let first = world.explains(msf, east, &told[0], asked).await;
    let left = world.threads(msf).await;
    assert_eq!(left.len(), 3, "only that one was replied to");
    let detail = json!({"answer": "accepted", "text": "We do."});
    let unit = msf.first();
    let re = ReplyClaims::new(
        world.common(unit),
        east.id.clone(),
        told[0].nid,
        told[0].rev,
        asked,
        None,
    );
    let part = Part::new(name::DETAIL, &detail).unwrap();
    let part = part.sealed_to(&world.reader);
    let built = herald::wire::build::build(re, &[part], &unit.signing).unwrap();
    // The same bytes twice are one reply.
    for result in ["accepted", "known"] {
        let answer: Value = world.submit(unit, built.envelope.encode()).await.json();
        assert_eq!(answer["result"], result);
    }
    let thread = &world.stands(east, told[0].nid).await.threads[0];
    assert_eq!((thread.state, thread.replies), (ThreadState::Replied, 2));
    assert_eq!(thread.reply, Some(built.hash));
    assert_ne!(thread.reply, Some(first.hash));
    assert!(thread.replied_at.is_some());
}

#[tokio::test(flavor = "multi_thread")]
async fn silence_on_a_query_or_a_warning_is_said_when_its_time_has_passed_and_not_before() {
    let world = World::start().await;
    let (msf, east, ocha) = (&world.msf, &world.east, &world.coordinator);
    let policy = Policy {
        reply_within_h: 48,
        ..Policy::default()
    };
    for hours in [0, 721] {
        let bad = Policy {
            reply_within_h: hours,
            ..policy.clone()
        };
        let claims = PolicyClaims::new(world.common(ocha.first()), 1, bad);
        let answer = world.say(ocha.first(), claims, &[]).await;
        assert_eq!(answer.refused(), Some(P::InvalidMember));
    }
    let claims = PolicyClaims::new(world.common(ocha.first()), 1, policy);
    world.said(ocha.first(), claims, &[]).await;

    let told = world.notify(msf.first(), &site(&world)).await;
    let gone = world.notify(msf.first(), &site(&world)).await;
    let asked = world
        .asks(east, msf, &told, json!({"due": in_hours(10)}))
        .await;
    let answered = world
        .asks(east, msf, &told, json!({"due": in_hours(11)}))
        .await;
    world
        .asks(east, msf, &gone, json!({"due": in_hours(12)}))
        .await;
    let mut named = warning("that it is empty");
    named["cease_by"] = json!(in_hours(20));
    let sooner = world.warns(east, msf, &told, &named).await;
    let by_policy = world
        .warns(east, msf, &told, &warning("that it moves"))
        .await;
    world.explains(msf, east, &told, answered.hash).await;
    let common = world.common(msf.first());
    let withdraw = WithdrawClaims::new(common, gone.nid, gone.rev.next(), gone.hash, None);
    world.said(msf.first(), withdraw, &[]).await;

    let (aside, before) = (&world.west, world.end(&world.west).await);
    let overdue = async |count: usize| {
        for member in [msf, ocha, east] {
            let alerts = world.alerted(member, count).await;
            for alert in &alerts {
                assert_eq!(alert.event, AlertEvent::ReplyOverdue);
                assert_eq!(alert.organisation, msf.id);
                assert_eq!(alert.party.as_ref(), Some(&east.id));
                assert_eq!(alert.says, SILENCE_SENTENCE);
            }
            let of: Vec<_> = alerts.iter().map(|a| a.items[0].of).collect();
            let all = [asked.hash, sooner.hash, by_policy.hash];
            assert_eq!(of, all[..count], "{}", member.id);
        }
    };
    // Its hour comes: said once, to the three; what was replied to and what has ended are silent.
    world.move_time(13 * 3_600).await;
    overdue(1).await;
    let states = |threads: Vec<ThreadStatus>| threads.iter().map(|t| t.state).collect::<Vec<_>>();
    assert_eq!(
        states(world.threads(msf).await),
        [ThreadState::Overdue, ThreadState::Open, ThreadState::Open]
    );
    world.move_time(21 * 3_600).await;
    overdue(2).await;
    world.move_time(49 * 3_600).await;
    overdue(3).await;
    // A late reply is a reply.
    world.explains(msf, east, &told, asked.hash).await;
    assert_eq!(
        states(world.threads(east).await),
        [ThreadState::Overdue, ThreadState::Overdue]
    );
    assert_eq!(
        world.heard(aside, before).await,
        [],
        "no other party hears of it"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_that_was_asked_nor_its_hour_stands_in_a_plain_column() {
    let world = World::start().await;
    let (msf, east) = (&world.msf, &world.east);
    let told = world.notify(msf.first(), &convoy(&world)).await;
    let due = in_hours(99);
    let hour = due.get(11..16).unwrap();
    world
        .asks(east, msf, &told, json!({"ask": "reroute", "due": due}))
        .await;
    let mut admin = world.db.connect(DbRole::Admin).await;
    for table in ["thread", "due"] {
        let sql = format!("SELECT string_agg(x::text, ' ') FROM hn.{table} x");
        let row = admin.fetch_one(sqlx::AssertSqlSafe(sql)).await.unwrap();
        let text: String = sqlx::Row::get(&row, 0);
        for word in ["reroute", "Which", "Icer", hour] {
            assert!(!text.contains(word), "{table} shows {word}");
        }
    }
}
