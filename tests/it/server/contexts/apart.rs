//! The same names, the same words and the same places in every context: each has its own, numbered from 1, by its own
//! policy, before and after a restart.

use herald::domain::ids::Seq;
use herald::store::role::Role as Database;
use herald::wire::api::{CurrentPolicy, NotificationPage, Statistics};
use herald::wire::claims::Claims;
use herald::wire::desk::Queue;
use herald::wire::policy::{Number, Policy, Screening};
use herald::wire::problem::ProblemKind as P;

use super::super::{Member, Site, World};
use super::{PLACE, Said, ask, speak, three};

/// A desk's mailbox: numbers without a gap, and nothing of another context.
async fn mailbox(world: &World, desk: &Member) -> Vec<String> {
    let events = world.reads(desk).await;
    for (event, expected) in events.iter().zip(1..) {
        let common = event.1.common();
        assert_eq!(event.0, Seq(expected), "{}", desk.id);
        assert_eq!((&common.ctx, common.mode), (&world.ctx, world.mode));
    }
    let kinds = events
        .iter()
        .map(|(_, claims, _)| claims.kind().to_string());
    kinds.collect()
}

async fn look(worlds: &[Box<World>; 3], said: &[Said; 3]) {
    let mut first: Option<Vec<Vec<String>>> = None;
    for (world, said) in worlds.iter().zip(said) {
        let desks = [&world.coordinator, &world.msf, &world.east, &world.west];
        let mut boxes = Vec::new();
        for desk in desks {
            boxes.push(mailbox(world, desk).await);
        }
        // The same was said in each, and none hears of the others.
        assert_eq!(*first.get_or_insert(boxes.clone()), boxes, "{}", world.ctx);
        for desk in desks {
            let page: NotificationPage = world.get(desk.first(), "/v1/notifications").await.json();
            let nids: Vec<_> = page.items.iter().map(|item| item.nid).collect();
            assert_eq!(nids, [said.site.nid], "{} of {}", desk.id, world.ctx);
        }
        let hits = ask(world, &world.east.devices[1], PLACE).await.hits;
        let hits: Vec<_> = hits.iter().map(|hit| hit.nid).collect();
        assert_eq!(hits, [said.site.nid]);
        let queue: Queue = world
            .get(world.coordinator.first(), "/v1/queue")
            .await
            .json();
        assert_eq!(queue.calls.len(), 1);
        assert_eq!(queue.calls[0].nid, said.call.nid);
        let counts: Statistics = world
            .get(world.auditor.first(), "/v1/statistics")
            .await
            .json();
        assert_eq!(counts.notifications.values().sum::<u64>(), 1);
        assert_eq!(counts.statements["distress"], 1);
        let me = world.me(world.msf.first()).await;
        assert_eq!((me.ctx, me.mode), (world.ctx.clone(), world.mode));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn each_context_has_its_own_of_everything_before_and_after_a_restart() {
    let mut worlds = three().await;
    let [a, b, c] = &worlds;
    let said: [Said; 3] = tokio::join!(speak(a), speak(b), speak(c)).into();
    look(&worlds, &said).await;
    worlds[0].restart().await;
    let url = worlds[0].url.clone();
    for world in &mut worlds {
        world.url.clone_from(&url);
    }
    look(&worlds, &said).await;
}

async fn policy(world: &World) -> CurrentPolicy {
    let path = format!("/v1/policy?ctx={}", world.ctx);
    world.get(world.msf.first(), &path).await.json()
}

#[tokio::test(flavor = "multi_thread")]
async fn each_context_goes_by_its_own_policy() {
    let [a, b, drill] = three().await;
    let of = |days, name: &str| Policy {
        reconfirm_days: days,
        screening: Screening::Off,
        escalation: vec![Number {
            name: name.to_owned(),
            phone: "+96777000111".to_owned(),
        }],
        ..Policy::default()
    };
    a.set_policy(1, of(30, "Post A")).await;
    drill.set_policy(1, of(7, "Post D")).await;
    let (in_a, in_b, in_drill) = (policy(&a).await, policy(&b).await, policy(&drill).await);
    assert_eq!(in_a.policy, of(30, "Post A"));
    assert_eq!((in_b.statement, in_b.policy), (None, Policy::default()));
    assert_eq!(in_drill.policy, of(7, "Post D"));
    // What is signed is what is in force: also how often sites are confirmed, and whom to call.
    let signed = in_a.statement.expect("it was signed");
    let (_, claims) = herald::wire::read::read(&signed).unwrap();
    let Claims::Policy(claims) = claims else {
        panic!("a policy is a policy");
    };
    assert_eq!(
        (claims.policy, claims.ctx),
        (of(30, "Post A"), a.ctx.clone())
    );
    // Versions count in each context alone.
    b.set_policy(1, of(60, "Post B")).await;
    let again = herald::wire::claims::PolicyClaims::new(
        b.common(b.coordinator.first()),
        1,
        of(61, "Post B"),
    );
    let answer = b.say(b.coordinator.first(), again, &[]).await;
    assert_eq!(answer.refused(), Some(P::PrevMismatch));
}

/// The days on which a word on sites is asked for in a context, counted from today.
async fn asked_for(world: &World) -> Vec<i32> {
    let mut admin = world.db.connect(Database::Admin).await;
    sqlx::query_scalar(
        "SELECT day - current_date FROM hn.due WHERE ctx = $1 AND what IN ('reconfirm', 'stale') ORDER BY 1",
    )
    .bind(world.ctx.as_str())
    .fetch_all(&mut admin)
    .await
    .unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_policy_that_asks_for_a_word_sooner_is_kept_to_by_what_was_scheduled_in_its_context_alone()
 {
    let [a, b, _] = three().await;
    for world in [&a, &b] {
        for lon in [44.2, 44.4] {
            world.notify(world.msf.first(), &Site::at(lon, 15.4)).await;
        }
    }
    let before = asked_for(&a).await;
    assert_eq!(before.len(), 2);
    assert!(before.iter().all(|day| *day > 60), "{before:?}");
    let sooner = |days| Policy {
        reconfirm_days: days,
        ..Policy::default()
    };
    a.set_policy(1, sooner(30)).await;
    let after = asked_for(&a).await;
    assert_eq!(after.len(), 2);
    assert!(after.iter().all(|day| *day <= 30), "{after:?}");
    assert_eq!(asked_for(&b).await, before);
    // A policy that asks for none, and then for some again.
    a.set_policy(2, sooner(0)).await;
    a.set_policy(3, sooner(14)).await;
    let again = asked_for(&a).await;
    assert_eq!(again.len(), 2);
    assert!(again.iter().all(|day| *day <= 14), "{again:?}");
}
