//! What time does by itself: overdue acknowledgements, silence at the beginning of a window, movements that say nothing,
//! sites that are not confirmed. The clock is the deployment's own, set ahead as a drill may.

use std::time::Duration;

use herald::domain::ack::AckState;
use herald::domain::exchange::{AlertEvent, SILENCE_SENTENCE};
use herald::domain::notification::{Outcome, Tier};
use herald::store::role::Role as Database;
use herald::wire::claims::{Claims, CloseClaims, ConfirmClaims, PolicyClaims};
use herald::wire::parts::AlertDetail;
use herald::wire::policy::Policy;
use herald::wire::problem::ProblemKind as P;
use serde_json::json;
use sqlx::Row as _;
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

use super::devices::now;
use super::world::World;
use super::{Member, Notified, Site, ack_item};

const HOUR: i64 = 3_600;
const DAY: i64 = 24 * HOUR;
/// Ticks of the clockwork that a test waits for at most.
const PATIENCE: u32 = 200;

/// A convoy that begins this many seconds from now and is under way for an hour.
pub fn convoy(begins_s: i64) -> Site {
    let at = |s: i64| {
        let at = now() + time::Duration::seconds(s);
        at.format(&Rfc3339).unwrap()
    };
    let mut site = Site::convoy([44.2, 15.4], [44.3, 15.5]);
    site.place["properties"]["waypoints"] = json!([
        {"at": at(begins_s)}, {"at": at(begins_s + HOUR)}
    ]);
    site
}

impl World {
    /// Sets the deployment's clock this far ahead, and waits until the server has looked at it.
    pub async fn move_time(&self, seconds: i64) {
        let mut admin = self.db.connect(Database::Admin).await;
        sqlx::query("UPDATE hn.head SET ahead = make_interval(secs => $1)")
            .bind(f64::from(i32::try_from(seconds).unwrap()))
            .execute(&mut admin)
            .await
            .unwrap();
    }

    /// How many rows of the schedule there are.
    async fn scheduled(&self) -> i64 {
        let mut admin = self.db.connect(Database::Admin).await;
        sqlx::query_scalar("SELECT count(*) FROM hn.due")
            .fetch_one(&mut admin)
            .await
            .unwrap()
    }

    /// The alerts in a desk's mailbox, opened with its key.
    pub async fn alerts(&self, desk: &Member) -> Vec<AlertDetail> {
        let read = self.reads(desk).await.into_iter();
        read.filter(|(_, claims, _)| matches!(claims, Claims::Alert(_)))
            .map(|(_, _, mut parts)| {
                let (_, detail) = parts.remove(0);
                serde_json::from_value(detail).unwrap()
            })
            .collect()
    }

    /// As [`World::alerts`], once there are this many.
    pub async fn alerted(&self, desk: &Member, count: usize) -> Vec<AlertDetail> {
        for _ in 0..PATIENCE {
            let alerts = self.alerts(desk).await;
            if alerts.len() >= count {
                assert_eq!(alerts.len(), count, "{:?}", events(&alerts));
                return alerts;
            }
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
        panic!("{count} alerts, not {:?}", events(&self.alerts(desk).await));
    }

    /// Waits until a desk has at least so many alerts, and nothing more comes for a while.
    pub async fn nothing_less(&self, desk: &Member, count: usize) {
        for _ in 0..PATIENCE {
            if self.alerts(desk).await.len() >= count {
                tokio::time::sleep(Duration::from_millis(2_500)).await;
                return;
            }
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
        panic!("{count} alerts, not {:?}", events(&self.alerts(desk).await));
    }

    /// Waits until the clockwork has surely looked twice at what has fallen due.
    pub async fn nothing_more(&self, desk: &Member, count: usize) {
        tokio::time::sleep(Duration::from_millis(2_500)).await;
        let alerts = self.alerts(desk).await;
        assert_eq!(alerts.len(), count, "{:?}", events(&alerts));
    }

    /// A policy that is signed when the clock stands this far ahead.
    async fn policy_at(&self, seconds: i64, version: u32, policy: Policy) {
        let by = self.coordinator.first();
        let mut claims = PolicyClaims::new(self.common(by), version, policy);
        claims.iat += seconds;
        self.said(by, claims, &[]).await;
    }

    async fn close(&self, what: &Notified, outcome: Outcome) {
        let by = self.msf.first();
        let claims = CloseClaims::new(
            self.common(by),
            what.nid,
            what.rev.next(),
            what.hash,
            outcome,
            None,
        );
        self.said(by, claims, &[]).await;
    }
}

fn events(alerts: &[AlertDetail]) -> Vec<(AlertEvent, Option<u8>)> {
    alerts.iter().map(|a| (a.event, a.lead_percent)).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn silence_is_said_at_each_stage_of_the_lead_time_and_certified_at_the_beginning() {
    let world = World::start().await;
    let site = convoy(100 * HOUR)
        .to(&world.east, Tier::Exact)
        .to(&world.west, Tier::Exact);
    let convoy = world.notify(world.msf.first(), &site).await;

    // West's officer says that it was received; east's device alone has it.
    for (party, state) in [
        (&world.west, AckState::Received),
        (&world.east, AckState::ReachedDesk),
    ] {
        let items = vec![ack_item(&convoy, state)];
        let (claims, parts) = world.acknowledgement(party.first(), &world.msf.id, items, &[]);
        world.said(party.first(), claims, &parts).await;
    }
    world.nothing_more(&world.msf, 0).await;

    for (hours, count, percent) in [(26, 1, 25), (51, 2, 50), (76, 3, 75)] {
        world.move_time(hours * HOUR).await;
        let alerts = world.alerted(&world.msf, count).await;
        let last = alerts.last().unwrap();
        assert_eq!(last.event, AlertEvent::AcknowledgementOverdue);
        assert_eq!(last.lead_percent, Some(percent));
        assert_eq!(last.party.as_ref(), Some(&world.east.id));
        assert_eq!(last.items.len(), 1);
        assert_eq!(
            (last.items[0].nid, last.items[0].of),
            (convoy.nid, convoy.hash)
        );
    }
    world.move_time(100 * HOUR + HOUR / 2).await;
    let alerts = world.alerted(&world.msf, 4).await;
    let certificate = alerts.last().unwrap();
    assert_eq!(certificate.event, AlertEvent::NoAcknowledgement);
    assert_eq!(certificate.says, SILENCE_SENTENCE);
    let begins = now() + time::Duration::hours(100);
    assert!((certificate.due - begins).abs() < time::Duration::minutes(5));

    // The coordinator and the silent party are told the same; the one that answered, and another organisation, nothing.
    assert_eq!(
        events(&world.alerts(&world.coordinator).await),
        events(&alerts)
    );
    assert_eq!(events(&world.alerts(&world.east).await), events(&alerts));
    assert_eq!(events(&world.alerts(&world.west).await), []);
    assert_eq!(events(&world.alerts(&world.relief).await), []);
}

#[tokio::test(flavor = "multi_thread")]
async fn stages_that_passed_while_the_server_was_down_are_said_once_each_and_in_order() {
    let mut world = World::start().await;
    let site = convoy(10 * HOUR).to(&world.east, Tier::Exact);
    world.notify(world.msf.first(), &site).await;
    world.stop().await;
    world.move_time(30 * HOUR).await;
    world.restart().await;
    let alerts = world.alerted(&world.msf, 5).await;
    let said = events(&alerts);
    let stages = [Some(25), Some(50), Some(75), Some(100)];
    let of: Vec<_> = said
        .iter()
        .filter(|(e, _)| *e != AlertEvent::NoSignOfLife)
        .collect();
    assert_eq!(of.iter().map(|(_, p)| *p).collect::<Vec<_>>(), stages);
    assert!(alerts.is_sorted_by_key(|a| a.lead_percent) || said.len() == 5);
    world.restart().await;
    world.nothing_more(&world.msf, 5).await;
    assert_eq!(world.scheduled().await, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_answered_withdrawn_or_told_too_late_falls_due_to_nobody() {
    let world = World::start().await;
    let ada = world.msf.first();
    let told = |site: Site| site.to(&world.east, Tier::Exact);
    let cancelled = world.notify(ada, &told(convoy(10 * HOUR))).await;
    world.close(&cancelled, Outcome::Cancelled).await;
    // Notified after its beginning: nobody had any time, and the certificate would say what is not so.
    let late = world.notify(ada, &told(convoy(-HOUR / 2))).await;
    world.close(&late, Outcome::Arrived).await;
    world.move_time(48 * HOUR).await;
    world.nothing_more(&world.msf, 0).await;
    assert_eq!(world.scheduled().await, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_new_revision_counts_the_lead_time_anew_and_the_old_one_falls_due_no_longer() {
    let world = World::start().await;
    let ada = world.msf.first();
    let first = world
        .notify(ada, &convoy(100 * HOUR).to(&world.east, Tier::Exact))
        .await;
    world.move_time(20 * HOUR).await;
    let second = convoy(100 * HOUR)
        .to(&world.east, Tier::Exact)
        .after(&first);
    let second = world.notify(ada, &second).await;
    world.move_time(30 * HOUR).await;
    world.nothing_more(&world.msf, 0).await;
    world.move_time(41 * HOUR).await;
    let alerts = world.alerted(&world.msf, 1).await;
    assert_eq!(alerts[0].items[0].of, second.hash);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_drills_clock_that_is_set_right_again_lets_nothing_be_forgotten() {
    let world = World::start().await;
    let ada = world.msf.first();
    world.move_time(100 * DAY).await;
    world.nothing_more(&world.msf, 0).await;
    world.move_time(0).await;
    // One that will be silent in two days, and after it one that is already.
    world.notify(ada, &convoy(2 * DAY)).await;
    world.notify(ada, &convoy(-2 * HOUR)).await;
    world.alerted(&world.msf, 1).await;
    world.move_time(3 * DAY).await;
    world.alerted(&world.msf, 2).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_movement_that_says_nothing_alarms_its_organisation_and_the_coordinator_alone() {
    let world = World::start().await;
    let site = convoy(-HOUR / 2).to(&world.east, Tier::Exact);
    let convoy = world.notify(world.msf.first(), &site).await;
    world.nothing_more(&world.msf, 0).await;
    world.move_time(HOUR).await;
    let alerts = world.alerted(&world.msf, 1).await;
    assert_eq!(alerts[0].event, AlertEvent::NoSignOfLife);
    assert_eq!(alerts[0].items[0].nid, convoy.nid);
    assert_eq!(events(&world.alerts(&world.coordinator).await).len(), 1);
    assert_eq!(events(&world.alerts(&world.east).await), []);
}

#[tokio::test(flavor = "multi_thread")]
async fn sites_are_confirmed_every_ninety_days_and_their_organisation_is_reminded_of_all_together()
{
    let world = World::start().await;
    let ada = world.msf.first();
    let mut sites = Vec::new();
    for lon in [44.2, 44.3, 44.4] {
        sites.push(
            world
                .notify(ada, &Site::at(lon, 15.4).to(&world.east, Tier::Exact))
                .await,
        );
    }
    world.move_time(84 * DAY).await;
    let mut reminded = 0;
    for _ in 0..PATIENCE {
        let alerts = world.alerts(&world.msf).await;
        assert!(
            alerts
                .iter()
                .all(|a| a.event == AlertEvent::ReconfirmationDue)
        );
        reminded = alerts.iter().map(|a| a.items.len()).sum();
        if reminded == 3 {
            break;
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    assert_eq!(reminded, 3);

    let confirm =
        |of: &Notified| ConfirmClaims::new(world.common(ada), of.nid, of.rev, of.hash, None);
    // Freshness is judged by the deployment's clock.
    let mut claims = confirm(&sites[0]);
    claims.iat += 84 * DAY;
    world.said(ada, claims, &[]).await;
    let before = world.alerts(&world.msf).await.len();
    world.move_time(91 * DAY).await;
    let mut overdue = Vec::new();
    for _ in 0..PATIENCE {
        let alerts = world.alerts(&world.msf).await;
        overdue = alerts[before..]
            .iter()
            .flat_map(|a| a.items.clone())
            .collect();
        if overdue.len() == 2 {
            assert!(
                alerts[before..]
                    .iter()
                    .all(|a| a.event == AlertEvent::ReconfirmationOverdue)
            );
            break;
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    let mut nids: Vec<_> = overdue.iter().map(|a| a.nid).collect();
    nids.sort_unstable();
    let mut expected = vec![sites[1].nid, sites[2].nid];
    expected.sort_unstable();
    assert_eq!(nids, expected);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_confirmation_is_the_organisations_own_of_the_latest_revision_of_a_site() {
    let world = World::start().await;
    let ada = world.msf.first();
    let site = world
        .notify(ada, &Site::at(44.2, 15.4).to(&world.east, Tier::Exact))
        .await;
    let confirm =
        |of: &Notified| ConfirmClaims::new(world.common(ada), of.nid, of.rev, of.hash, None);
    let mut wrong = confirm(&site);
    wrong.of = herald::crypto::digest::Digest::of(b"another");
    assert_eq!(
        world.say(ada, wrong, &[]).await.refused(),
        Some(P::UnknownNotification)
    );
    let moving = world
        .notify(ada, &convoy(HOUR).to(&world.east, Tier::Exact))
        .await;
    assert_eq!(
        world.say(ada, confirm(&moving), &[]).await.refused(),
        Some(P::StateForbids)
    );
    let second = Site::at(44.2, 15.4)
        .to(&world.east, Tier::Exact)
        .after(&site);
    let second = world.notify(ada, &second).await;
    assert_eq!(
        world.say(ada, confirm(&site), &[]).await.refused(),
        Some(P::Superseded)
    );
    world.said(ada, confirm(&second), &[]).await;
    world.close(&second, Outcome::Completed).await;
    assert_eq!(
        world.say(ada, confirm(&second), &[]).await.refused(),
        Some(P::AlreadyClosed)
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn the_schedule_shows_a_day_and_no_moment() {
    let world = World::start().await;
    let begins = now() + time::Duration::hours(100);
    world
        .notify(
            world.msf.first(),
            &convoy(100 * HOUR).to(&world.east, Tier::Exact),
        )
        .await;
    let mut admin = world.db.connect(Database::Admin).await;
    let rows = sqlx::query("SELECT day, content, row_to_json(d)::text AS shown FROM hn.due d")
        .fetch_all(&mut admin)
        .await
        .unwrap();
    assert_eq!(rows.len(), 2);
    let micros = i64::try_from(begins.unix_timestamp_nanos() / 1_000).unwrap();
    for row in rows {
        let day: time::Date = row.get("day");
        assert!(day <= (begins + time::Duration::hours(2)).date());
        let shown: String = row.get("shown");
        let hour = OffsetDateTime::from_unix_timestamp(micros / 1_000_000).unwrap();
        assert!(
            !shown.contains(hour.format(&Rfc3339).unwrap().get(..16).unwrap()),
            "{shown}"
        );
        let content: Vec<u8> = row.get("content");
        let head = &micros.to_be_bytes()[..5];
        assert!(!content.windows(5).any(|w| w == head));
    }
}

fn asks_every(days: u16) -> Policy {
    Policy {
        reconfirm_days: days,
        ..Policy::default()
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_policy_that_asks_for_no_word_on_sites_stops_the_reminders_already_scheduled() {
    let world = World::start().await;
    let site = Site::at(44.2, 15.4).to(&world.east, Tier::Exact);
    world.notify(world.msf.first(), &site).await;
    world.set_policy(1, asks_every(0)).await;
    world.move_time(88 * DAY).await;
    world.nothing_more(&world.msf, 0).await;

    // Asked for again two days before the ninety are over: the site is not forgotten, and its reminder is said late.
    world.policy_at(88 * DAY, 2, asks_every(90)).await;
    let alerts = world.alerted(&world.msf, 1).await;
    assert_eq!(alerts[0].event, AlertEvent::ReconfirmationDue);
    world.move_time(180 * DAY).await;
    let alerts = world.alerted(&world.msf, 2).await;
    assert_eq!(alerts[1].event, AlertEvent::ReconfirmationOverdue);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_policy_that_gives_sites_longer_puts_off_the_reminders_already_scheduled() {
    let world = World::start().await;
    world.set_policy(1, asks_every(30)).await;
    let site = Site::at(44.2, 15.4).to(&world.east, Tier::Exact);
    world.notify(world.msf.first(), &site).await;
    world.set_policy(2, asks_every(60)).await;
    world.move_time(52 * DAY).await;
    world.nothing_more(&world.msf, 0).await;
    world.move_time(54 * DAY).await;
    let reminded = world.alerted(&world.msf, 1).await;
    assert_eq!(reminded[0].event, AlertEvent::ReconfirmationDue);
    // Longer still: what was to be said of it as overdue is put off as well, and it is reminded anew.
    world.policy_at(54 * DAY, 3, asks_every(80)).await;
    world.move_time(65 * DAY).await;
    world.nothing_more(&world.msf, 1).await;
    world.move_time(81 * DAY).await;
    let alerts = world.alerted(&world.msf, 3).await;
    assert_eq!(alerts[1].event, AlertEvent::ReconfirmationDue);
    assert_eq!(alerts[2].event, AlertEvent::ReconfirmationOverdue);
}
