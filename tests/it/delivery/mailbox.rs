//! Mailboxes: entitlement, order, bounds, cursors, supersession, and what happens when something cannot be opened.

use std::time::Duration;

use herald::crypto::keys::SigningKey;
use herald::crypto::seal_key::SealKey;
use herald::domain::ids::{DeviceId, Nid, Seq};
use herald::service::mailbox::{MailboxError, PageLimits, Reader};
use herald::store::mailbox as store;
use herald::wire::build::{Part, build, open};
use herald::wire::claims::KeysClaims;
use herald::wire::envelope::Content;
use herald::wire::policy::Screening;
use herald::wire::{parts, read};
use sqlx::Connection as _;

use super::world::{Desk, World, decoded};

/// The parts that a desk is handed in its first event, each of which must open with its key.
async fn handed(world: &World, desk: &Desk, nth: usize) -> Vec<String> {
    let events = world.events(desk, 0).await;
    let event = &events[nth];
    let (_, claims) = read::read(&event.envelope.statement).unwrap();
    let mut names = Vec::new();
    for attachment in &event.envelope.attachments {
        assert!(matches!(&attachment.content, Content::Seal { kid, .. } if *kid == desk.key.kid()));
        let disclosure = open(&claims, attachment, &desk.key).unwrap();
        assert_eq!(disclosure.digest(), attachment.sd);
        names.push(attachment.part.clone());
    }
    names.sort();
    names
}

#[tokio::test]
async fn each_desk_is_handed_exactly_its_parts_sealed_to_its_own_key() {
    let world = World::new().await;
    let nid = Nid::random();
    let hash = world.notify(nid, 1).await;
    let all_audiences = ["audience.east", "audience.north", "audience.west"];
    let mut coordinator = all_audiences.to_vec();
    coordinator.extend(["contact", "place"]);
    let mut owner = all_audiences.to_vec();
    owner.push("place");
    assert_eq!(handed(&world, &world.coordinator, 0).await, coordinator);
    assert_eq!(handed(&world, &world.org, 0).await, owner);
    assert_eq!(
        handed(&world, &world.exact, 0).await,
        ["audience.east", "contact", "place"]
    );
    assert_eq!(
        handed(&world, &world.on_check, 0).await,
        ["audience.west"],
        "contact and place only by a check that hits"
    );
    assert_eq!(handed(&world, &world.cell, 0).await, ["audience.north"]);

    let mut conn = world.pools.intake.acquire().await.unwrap();
    let mut tx = conn.begin().await.unwrap();
    world.screen(&mut tx, nid, 1, hash).await;
    tx.commit().await.unwrap();
    assert_eq!(handed(&world, &world.org, 1).await, ["reasons"]);
    assert!(
        handed(&world, &world.exact, 1).await.is_empty(),
        "why a revision was returned is not a party's"
    );
}

#[tokio::test]
async fn a_devices_share_of_the_desks_key_reaches_that_device_alone() {
    let world = World::new().await;
    let desk = &world.exact;
    let (second, third) = (DeviceId::from_random([8; 5]), DeviceId::from_random([9; 5]));
    let (second_key, third_key) = (SealKey::generate(), SealKey::generate());
    let mut conn = world.pools.intake.acquire().await.unwrap();
    for (device, key) in [(&second, &second_key), (&third, &third_key)] {
        world
            .add_device(&mut conn, desk, device, &SigningKey::generate(), key)
            .await;
    }
    let claims = KeysClaims::new(
        world.common(desk),
        2,
        None,
        *desk.signing.verifying_key(),
        Vec::new(),
        desk.key.public_key().clone(),
    );
    let share = Part::new(parts::name::desk(&second), &"the seed").unwrap();
    let share = share.sealed_to(second_key.public_key());
    let built = build(claims, &[share], &desk.signing).unwrap();
    let mut tx = conn.begin().await.unwrap();
    let desks = [desk, &world.coordinator];
    world.store(&mut tx, desk, &built, &desks).await;
    tx.commit().await.unwrap();

    let handed_to = async |device: &DeviceId, of: &Desk| {
        let reader = Reader {
            device: device.clone(),
            ..world.reader(of)
        };
        let page = world
            .mailboxes
            .page(&reader, Seq(0), PageLimits::POLL)
            .await;
        decoded(&page.unwrap().events[0]).envelope.attachments
    };
    let [share] = handed_to(&second, desk).await.try_into().unwrap();
    assert!(matches!(&share.content, Content::Seal { kid, .. } if *kid == second_key.kid()));
    let (_, claims) = read::read(&built.envelope.statement).unwrap();
    assert!(open(&claims, &share, &second_key).is_ok());
    assert_eq!(handed_to(&third, desk).await, []);
    let coordinator = &world.coordinator;
    assert_eq!(handed_to(&coordinator.device, coordinator).await, []);
}

#[tokio::test]
async fn pages_are_dense_in_order_and_bounded_by_count_and_bytes() {
    let world = World::new().await;
    for _ in 0..7 {
        world.notify_with(Nid::random(), 1, 3_000).await;
    }
    let reader = world.reader(&world.exact);
    let mut seen = Vec::new();
    while seen.len() < 7 {
        let limits = PageLimits {
            events: 3,
            ..PageLimits::POLL
        };
        let after = Seq(seen.last().copied().unwrap_or(0));
        let page = world.mailboxes.page(&reader, after, limits).await.unwrap();
        assert!((1..=3).contains(&page.events.len()));
        assert_eq!(page.head, Seq(7));
        seen.extend(page.events.iter().map(|event| decoded(event).seq.0));
    }
    assert_eq!(seen, (1..=7).collect::<Vec<_>>());
    for (stored_bytes, bytes) in [(1, 1 << 20), (1 << 20, 1)] {
        let limits = PageLimits {
            stored_bytes,
            bytes,
            ..PageLimits::POLL
        };
        let page = world.mailboxes.page(&reader, Seq(0), limits).await.unwrap();
        assert_eq!(page.events.len(), 1, "one event passes, whatever its size");
    }
    assert!(matches!(
        world
            .mailboxes
            .page(&reader, Seq(8), PageLimits::POLL)
            .await,
        Err(MailboxError::Beyond { head: Seq(7) })
    ));
    let one = world.mailboxes.event(&reader, Seq(4)).await.unwrap();
    assert_eq!(one.map(|event| event.seq), Some(Seq(4)));
    for missing in [0, 8] {
        let none = world.mailboxes.event(&reader, Seq(missing)).await.unwrap();
        assert_eq!(none, None);
    }
}

#[tokio::test]
async fn a_cursor_moves_forward_only_never_beyond_the_head_and_each_device_has_its_own() {
    let world = World::new().await;
    for _ in 0..3 {
        world.notify(Nid::random(), 1).await;
    }
    let reader = world.reader(&world.exact);
    let kept = |upto| world.mailboxes.keep(&reader, Seq(upto));
    assert_eq!(kept(2).await.unwrap(), Seq(2));
    assert_eq!(kept(2).await.unwrap(), Seq(2), "again is harmless");
    assert_eq!(kept(1).await.unwrap(), Seq(2), "never back");
    assert!(matches!(
        kept(4).await,
        Err(MailboxError::Beyond { head: Seq(3) })
    ));
    assert_eq!(
        world.mailboxes.cursor(&reader).await.unwrap(),
        (Seq(2), Seq(3), Seq(0))
    );

    let second = DeviceId::from_random([9; 5]);
    let mut conn = world.pools.intake.acquire().await.unwrap();
    world
        .add_device(
            &mut conn,
            &world.exact,
            &second,
            &SigningKey::generate(),
            &SealKey::generate(),
        )
        .await;
    let other = Reader {
        device: second,
        ..reader.clone()
    };
    assert_eq!(
        world.mailboxes.cursor(&other).await.unwrap(),
        (Seq(0), Seq(3), Seq(0))
    );
}

#[tokio::test]
async fn a_revoked_device_reads_nothing_and_moves_nothing() {
    let world = World::new().await;
    world.notify(Nid::random(), 1).await;
    let mut conn = world.pools.intake.acquire().await.unwrap();
    world
        .set_device_state(&mut conn, &world.exact, &world.exact.device, "revoked")
        .await;
    let reader = world.reader(&world.exact);
    let page = world
        .mailboxes
        .page(&reader, Seq(0), PageLimits::POLL)
        .await;
    assert!(matches!(page, Err(MailboxError::NotActive)));
    let kept = world.mailboxes.keep(&reader, Seq(1)).await;
    assert!(matches!(kept, Err(MailboxError::NotActive)));
}

#[tokio::test]
async fn an_old_revision_counts_until_the_new_one_is_fetched_and_screened_in_either_order() {
    for screened_first in [true, false] {
        let world = World::new().await;
        let nid = Nid::random();
        world.notify(nid, 1).await;
        let hash = world.notify(nid, 2).await;
        let reader = world.reader(&world.exact);
        let fetch = async {
            let head = world.mailboxes.cursor(&reader).await.unwrap().1;
            world.mailboxes.keep(&reader, head).await.unwrap();
        };
        let screen = async {
            let mut conn = world.pools.intake.acquire().await.unwrap();
            let mut tx = conn.begin().await.unwrap();
            world.screen(&mut tx, nid, 2, hash).await;
            store::retire_superseded(&mut tx, &[nid], None)
                .await
                .unwrap();
            tx.commit().await.unwrap();
        };
        if screened_first {
            screen.await;
            assert_eq!(world.counting(nid, &world.exact).await, [1, 2]);
            fetch.await;
        } else {
            fetch.await;
            assert_eq!(world.counting(nid, &world.exact).await, [1, 2]);
            screen.await;
        }
        assert_eq!(world.counting(nid, &world.exact).await, [2]);
        assert_eq!(
            world.counting(nid, &world.cell).await,
            [1, 2],
            "another party has fetched nothing"
        );
    }
}

#[tokio::test]
async fn where_nobody_screens_fetching_is_enough_and_what_was_only_read_is_not_fetched() {
    let world = World::with(Screening::Off).await;
    let nid = Nid::random();
    world.notify(nid, 1).await;
    world.notify(nid, 2).await;
    world.events(&world.exact, 0).await;
    let reader = world.reader(&world.exact);
    world.mailboxes.keep(&reader, Seq(1)).await.unwrap();
    assert_eq!(world.counting(nid, &world.exact).await, [1, 2]);
    world.mailboxes.keep(&reader, Seq(2)).await.unwrap();
    assert_eq!(world.counting(nid, &world.exact).await, [2]);
}

#[tokio::test]
async fn a_party_is_never_left_with_neither_revision() {
    let world = World::with(Screening::Off).await;
    let nid = Nid::random();
    world.notify(nid, 1).await;
    world.notify(nid, 2).await;
    let mut conn = world.pools.intake.acquire().await.unwrap();
    sqlx::query("UPDATE hn.audience SET counts = false WHERE nid = $1 AND rev = 2")
        .bind(nid.uuid())
        .execute(&mut *conn)
        .await
        .unwrap();
    let reader = world.reader(&world.exact);
    world.mailboxes.keep(&reader, Seq(2)).await.unwrap();
    assert_eq!(world.counting(nid, &world.exact).await, [1]);
}

#[tokio::test]
async fn a_fetch_and_a_screening_at_the_same_moment_are_found_afterwards() {
    let world = World::new().await;
    let nid = Nid::random();
    world.notify(nid, 1).await;
    let hash = world.notify(nid, 2).await;
    let mut conn = world.pools.intake.acquire().await.unwrap();
    let mut tx = conn.begin().await.unwrap();
    world.screen(&mut tx, nid, 2, hash).await;
    store::retire_superseded(&mut tx, &[nid], None)
        .await
        .unwrap();
    let reader = world.reader(&world.exact);
    world.mailboxes.keep(&reader, Seq(2)).await.unwrap();
    tx.commit().await.unwrap();
    assert_eq!(
        world.counting(nid, &world.exact).await,
        [1, 2],
        "both count on the safe side"
    );
    let mut worker = world.pools.worker.acquire().await.unwrap();
    assert_eq!(store::retire_all_superseded(&mut worker).await.unwrap(), 1);
    assert_eq!(world.counting(nid, &world.exact).await, [2]);
}

#[tokio::test]
async fn a_cursor_gives_way_to_the_intake_and_gets_through_after_it() {
    let world = World::new().await;
    let nid = Nid::random();
    world.notify(nid, 1).await;
    let mut conn = world.pools.intake.acquire().await.unwrap();
    let mut tx = conn.begin().await.unwrap();
    sqlx::query("SELECT FROM hn.audience WHERE nid = $1 FOR UPDATE")
        .bind(nid.uuid())
        .execute(&mut *tx)
        .await
        .unwrap();
    let held = async {
        tokio::time::sleep(Duration::from_millis(700)).await;
        tx.commit().await.unwrap();
    };
    let reader = world.reader(&world.exact);
    let (kept, ()) = tokio::join!(world.mailboxes.keep(&reader, Seq(1)), held);
    assert_eq!(kept.unwrap(), Seq(1));
}

#[tokio::test]
async fn what_cannot_be_opened_stops_delivery_before_it_and_is_never_left_out() {
    let world = World::new().await;
    for _ in 0..3 {
        world.notify(Nid::random(), 1).await;
    }
    // A part moved from another row.
    let mut admin = world.db.connect(herald::store::role::Role::Admin).await;
    sqlx::query(
        "UPDATE hn.part SET content = (SELECT content FROM hn.part WHERE pos = 1 AND part = 'place')
          WHERE pos = 2 AND part = 'place'",
    )
    .execute(&mut admin)
    .await
    .unwrap();
    let reader = world.reader(&world.exact);
    let page = world
        .mailboxes
        .page(&reader, Seq(0), PageLimits::POLL)
        .await
        .unwrap();
    let seqs: Vec<u64> = page.events.iter().map(|event| event.seq.0).collect();
    assert_eq!(
        seqs,
        [1],
        "what came before is delivered, nothing behind it"
    );
    let stopped = world
        .mailboxes
        .page(&reader, Seq(1), PageLimits::POLL)
        .await;
    assert!(matches!(
        stopped,
        Err(MailboxError::Stopped { seq: Seq(2) })
    ));
    assert_eq!(
        world.events(&world.cell, 0).await.len(),
        3,
        "a desk that may not read the part is not stopped by it"
    );
}

#[tokio::test]
async fn a_hole_in_a_mailbox_stops_delivery() {
    let world = World::new().await;
    for _ in 0..3 {
        world.notify(Nid::random(), 1).await;
    }
    let mut admin = world.db.connect(herald::store::role::Role::Admin).await;
    sqlx::query("DELETE FROM hn.mailbox WHERE actor = 'east' AND seq = 2")
        .execute(&mut admin)
        .await
        .unwrap();
    let reader = world.reader(&world.exact);
    let page = world
        .mailboxes
        .page(&reader, Seq(0), PageLimits::POLL)
        .await;
    assert!(matches!(page, Err(MailboxError::Stopped { seq: Seq(2) })));
}
