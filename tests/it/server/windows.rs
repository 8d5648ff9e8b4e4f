//! What the end of a site's notified window brings: who is told before, at and after it; what holds a site that would be
//! closed; and that nothing of it reads as an end of protection.

use herald::crypto::disclosure::Disclosure;
use herald::domain::check::Flag;
use herald::domain::exchange::{AlertEvent as E, CLOSED_BY_TIME_SENTENCE, WINDOW_ENDED_SENTENCE};
use herald::domain::notification::{NotificationState, Tier};
use herald::store::role::Role as Database;
use herald::wire::api::NotificationStatus;
use herald::wire::build::{Part, build};
use herald::wire::claims::{
    CheckClaims, Checked, ConfirmClaims, PolicyClaims, ScreenClaims, ScreenResult,
};
use herald::wire::desk::Silence;
use herald::wire::envelope::{Content, ENVELOPE_TYPE, Envelope};
use herald::wire::parts::{AlertDetail, name};
use herald::wire::policy::Policy;
use herald::wire::problem::ProblemKind as P;
use reqwest::Method;
use serde_json::{Value, json};
use time::format_description::well_known::Rfc3339;

use super::devices::now;
use super::distress::resolution;
use super::time::convoy;
use super::world::World;
use super::{Cry, Member, Notified, Site};

const HOUR: i64 = 3_600;
const DAY: i64 = 24 * HOUR;

fn in_seconds(seconds: i64) -> String {
    let at = now() + time::Duration::seconds(seconds);
    at.format(&Rfc3339).unwrap()
}

/// A site whose window ends so many seconds from now, signed when the clock stands so far ahead.
fn site(until: i64, ahead: i64) -> Site {
    let mut site = Site::at(44.2, 15.4);
    site.place["properties"]["window"] = json!({"until": in_seconds(until)});
    site.age_s = -ahead;
    site
}

fn closes_after(days: u16) -> Policy {
    Policy {
        close_days: days,
        ..Policy::default()
    }
}

/// Told to east exactly, and to west by its cell.
fn both(world: &World, site: Site) -> Site {
    site.to(&world.east, Tier::Exact)
        .to(&world.west, Tier::Cell)
}

fn events(alerts: &[AlertDetail]) -> Vec<E> {
    alerts.iter().map(|alert| alert.event).collect()
}

impl World {
    async fn told(&self, desk: &Member) -> Vec<E> {
        events(&self.alerts(desk).await)
    }

    /// Signed when the clock stands so far ahead.
    async fn confirmed(&self, of: &Notified, ahead: i64) -> Option<P> {
        let ada = self.msf.first();
        let mut claims = ConfirmClaims::new(self.common(ada), of.nid, of.rev, of.hash, None);
        claims.iat += ahead;
        self.say(ada, claims, &[]).await.refused()
    }

    async fn policy_then(&self, version: u32, policy: Policy, ahead: i64) {
        let by = self.coordinator.first();
        let mut claims = PolicyClaims::new(self.common(by), version, policy);
        claims.iat += ahead;
        self.said(by, claims, &[]).await;
    }

    async fn shown(&self, desk: &Member, of: &Notified) -> NotificationStatus {
        let path = format!("/v1/notifications/{}", of.nid);
        self.get(desk.first(), &path).await.json()
    }

    /// The verdict on the place, of east's planner, for a window that ends so many seconds from now.
    async fn verdict(&self, until: i64, ahead: i64) -> String {
        let unit = self.east.first();
        let area = json!({
            "area": {"kind": "circle", "center": [44.2, 15.4], "radius_m": 100.0},
            "window": {"from": in_seconds(until - HOUR), "until": in_seconds(until)},
        });
        let area = Part::new(name::AREA, &area).unwrap().in_the_clear();
        let mut claims = CheckClaims::new(self.common(unit));
        claims.iat += ahead;
        let built = build(claims, &[area], &unit.signing).unwrap();
        let body = Some((ENVELOPE_TYPE, built.envelope.encode()));
        let answer = self.call(&unit.http, Method::POST, "/v1/checks", body);
        let answer = answer.await;
        let envelope = Envelope::decode_answer(&answer.body).unwrap();
        let Content::Disclosure(disclosure) = &envelope.attachments[0].content else {
            panic!("no answer in the clear");
        };
        let disclosure = Disclosure::parse(disclosure.as_bytes()).unwrap();
        disclosure.value()["verdict"].as_str().unwrap().to_owned()
    }

    /// A desk says that it has kept all that it was told.
    async fn keeps_all(&self, desk: &Member) {
        let upto = json!({"seq": self.reads(desk).await.len()});
        let body = Some(("application/json", serde_json::to_vec(&upto).unwrap()));
        let http = &desk.first().http;
        self.call(http, Method::PUT, "/v1/cursor", body).await;
    }

    async fn screened_then(&self, what: &Notified, ahead: i64) {
        let by = self.coordinator.first();
        let (nid, rev, hash) = (what.nid, what.rev, what.hash);
        let checked = vec![Checked::Form];
        let result = ScreenResult::Screened;
        let mut claims = ScreenClaims::new(self.common(by), nid, rev, hash, result, checked);
        claims.iat += ahead;
        self.said(by, claims, &[]).await;
    }

    /// Everything taken again gives what there is.
    async fn folds(&self) {
        let report = self.fold_again().await;
        assert_eq!(report.differences, []);
    }

    async fn is_closed(&self, of: &Notified) -> bool {
        let mut admin = self.db.connect(Database::Admin).await;
        sqlx::query_scalar("SELECT state = 'closed' FROM hn.notification WHERE nid = $1")
            .bind(of.nid.uuid())
            .fetch_one(&mut admin)
            .await
            .unwrap()
    }

    /// Waits until a site is closed.
    async fn closes(&self, of: &Notified) {
        for _ in 0..200 {
            if self.is_closed(of).await {
                return;
            }
            tokio::time::sleep(std::time::Duration::from_millis(100)).await;
        }
        panic!("it was not closed");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_window_ends_and_a_site_is_closed_and_exactly_those_concerned_are_told() {
    let mut world = World::start().await;
    let clinic = world
        .notify(world.msf.first(), &both(&world, site(10 * DAY, 0)))
        .await;
    world.move_time(5 * DAY - HOUR).await;
    world.nothing_more(&world.msf, 0).await;
    assert_eq!(world.confirmed(&clinic, 5 * DAY - HOUR).await, None);

    world.move_time(5 * DAY + HOUR).await;
    world.alerted(&world.msf, 1).await;
    world.restart().await;
    world.move_time(10 * DAY + HOUR).await;
    let alerts = world.alerted(&world.msf, 2).await;
    assert_eq!(events(&alerts), [E::WindowEnding, E::WindowEnded]);
    assert_eq!(alerts[1].says, WINDOW_ENDED_SENTENCE);
    assert_eq!(alerts[1].items[0].of, clinic.hash);
    let end = now() + time::Duration::days(10);
    assert!((alerts[1].due - end).abs() < time::Duration::minutes(5));
    assert_eq!(world.told(&world.coordinator).await, events(&alerts));
    for party in [&world.east, &world.west] {
        let alerts = world.alerts(party).await;
        assert_eq!(events(&alerts), [E::WindowEnded]);
        assert_eq!(alerts[0].party.as_ref(), Some(&party.id));
    }
    assert_eq!(world.told(&world.relief).await, []);

    // It is notified, for the time of its window; nobody can say that it stands now.
    let status = world.shown(&world.msf, &clinic).await;
    assert_eq!(status.state, NotificationState::Current);
    assert!(status.revisions[0].flags.contains(&Flag::WindowEnded));
    let board: Silence = world.get(world.msf.first(), "/v1/silence").await.json();
    let ended = board.parties.iter().map(|party| party.window_ended);
    assert_eq!(ended.collect::<Vec<_>>(), [1, 1]);
    let ahead = 10 * DAY + HOUR;
    assert_eq!(world.confirmed(&clinic, ahead).await, Some(P::WindowEnded));
    assert_eq!(world.verdict(9 * DAY, ahead).await, "conflict");
    assert_eq!(world.verdict(12 * DAY, ahead).await, "none_notified_to_you");

    world.move_time(40 * DAY - HOUR).await;
    world.nothing_more(&world.msf, 2).await;
    world.restart().await;
    world.move_time(40 * DAY + HOUR).await;
    let alerts = world.alerted(&world.msf, 3).await;
    assert_eq!(alerts[2].event, E::ClosedByTime);
    assert_eq!(alerts[2].says, CLOSED_BY_TIME_SENTENCE);
    assert_eq!(world.told(&world.coordinator).await, events(&alerts));
    for party in [&world.east, &world.west] {
        assert_eq!(world.told(party).await, [E::WindowEnded, E::ClosedByTime]);
        let status = world.shown(party, &clinic).await;
        assert_eq!(status.state, NotificationState::Closed);
        assert!(status.closed_by_time);
    }
    assert_eq!(world.told(&world.relief).await, []);
    // Nothing of it waits for anybody's word any more.
    let board: Silence = world.get(world.msf.first(), "/v1/silence").await.json();
    let waiting = board.parties.iter().flat_map(|p| p.waiting.counts());
    assert_eq!(waiting.sum::<u64>(), 0);
    let ahead = 40 * DAY + HOUR;
    assert_eq!(
        world.confirmed(&clinic, ahead).await,
        Some(P::AlreadyClosed)
    );
    assert_eq!(world.verdict(9 * DAY, ahead).await, "none_notified_to_you");
    let again = both(&world, site(60 * DAY, ahead)).after(&clinic);
    let ada = world.msf.first();
    let answer = world.submit(ada, again.build(&world, ada).envelope.encode());
    assert_eq!(answer.await.refused(), Some(P::AlreadyClosed));
    world.restart().await;
    world.nothing_more(&world.msf, 3).await;
    world.folds().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_revision_with_a_later_window_begins_anew_before_the_end_and_after_it() {
    let world = World::start().await;
    let ada = world.msf.first();
    let told = |site: Site| site.to(&world.east, Tier::Exact);
    let first = world.notify(ada, &told(site(2 * DAY, 0))).await;
    let second = world
        .notify(ada, &told(site(3 * DAY, 0)).after(&first))
        .await;
    world.move_time(2 * DAY).await;
    // Of the second's own: half of its time is over.
    let alerts = world.alerted(&world.msf, 1).await;
    assert_eq!(alerts[0].items[0].of, second.hash);
    let ahead = 20 * DAY;
    world.move_time(ahead).await;
    world.alerted(&world.msf, 2).await;
    let third = told(site(35 * DAY, ahead)).after(&second);
    let third = world.notify(ada, &third).await;
    assert_eq!(world.confirmed(&third, ahead).await, None);
    let status = world.shown(&world.msf, &third).await;
    assert!(!status.revisions[2].flags.contains(&Flag::WindowEnded));
    world.move_time(34 * DAY).await;
    let alerts = world.alerted(&world.msf, 3).await;
    assert_eq!(
        events(&alerts),
        [E::WindowEnding, E::WindowEnded, E::WindowEnding]
    );
    world.move_time(36 * DAY).await;
    world.alerted(&world.msf, 4).await;
    assert!(!world.is_closed(&third).await);
    world.move_time(65 * DAY + HOUR).await;
    let alerts = world.alerted(&world.msf, 5).await;
    assert_eq!(alerts[4].items[0].of, third.hash);
    world.folds().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_site_is_not_closed_while_an_earlier_revision_with_an_open_window_counts() {
    let world = World::start().await;
    let ada = world.msf.first();
    let told = |site: Site| {
        site.to(&world.east, Tier::Exact)
            .to(&world.west, Tier::Exact)
    };
    let first = world.notify(ada, &told(Site::at(44.2, 15.4))).await;
    let second = world
        .notify(ada, &told(site(2 * DAY, 0)).after(&first))
        .await;
    let ahead = 35 * DAY;
    world.move_time(ahead).await;
    world.alerted(&world.msf, 2).await;
    world.nothing_more(&world.msf, 2).await;
    assert_eq!(world.verdict(36 * DAY, ahead).await, "conflict");
    world.screened_then(&second, ahead).await;
    world.keeps_all(&world.west).await;
    world.move_time(ahead + DAY).await;
    // East has not taken the second yet: the first counts for it.
    world.nothing_more(&world.msf, 2).await;
    assert_eq!(world.verdict(37 * DAY, ahead + DAY).await, "conflict");
    world.folds().await;
    world.keeps_all(&world.east).await;
    world.move_time(ahead + 2 * DAY + HOUR).await;
    let alerts = world.alerted(&world.msf, 3).await;
    assert_eq!(alerts[2].event, E::ClosedByTime);
    world.folds().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_site_is_not_closed_while_a_call_for_help_about_it_is_open() {
    let world = World::start().await;
    let ada = world.msf.first();
    let told = site(2 * DAY, 0).to(&world.east, Tier::Exact);
    let clinic = world.notify(ada, &told).await;
    let cry = Cry::about(&clinic).to(&world.east, Tier::Exact);
    let call = world.distress(ada, &cry).await;
    let ahead = 33 * DAY;
    world.move_time(ahead).await;
    // The minutes of the call, and the two moments of the window.
    world.nothing_less(&world.msf, 17).await;
    assert!(!world.is_closed(&clinic).await);
    let (mut claims, parts) = resolution(&world, ada, &call);
    claims.iat += ahead;
    world.said(ada, claims, &parts).await;
    world.move_time(ahead + DAY).await;
    world.closes(&clinic).await;
    assert_eq!(world.told(&world.msf).await.last(), Some(&E::ClosedByTime));
    world.folds().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_policy_of_the_day_says_how_long_a_site_can_be_revised_after_its_window() {
    let world = World::start().await;
    let ada = world.msf.first();
    let by = world.coordinator.first();
    let none = PolicyClaims::new(world.common(by), 1, closes_after(0));
    let answer = world.say(by, none, &[]).await;
    assert_eq!(answer.refused(), Some(P::InvalidMember));
    world.set_policy(1, closes_after(5)).await;
    let clinic = world
        .notify(ada, &site(2 * DAY, 0).to(&world.east, Tier::Exact))
        .await;
    world.policy_then(2, closes_after(20), 0).await;
    world.move_time(8 * DAY).await;
    world.alerted(&world.msf, 2).await;
    world.nothing_more(&world.msf, 2).await;
    assert!(!world.is_closed(&clinic).await);
    // Shortened: it comes with the next look, which was put off to the twenty-second day.
    world.move_time(9 * DAY).await;
    world.policy_then(3, closes_after(1), 9 * DAY).await;
    world.nothing_more(&world.msf, 2).await;
    world.move_time(22 * DAY + HOUR).await;
    world.closes(&clinic).await;
    world.folds().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn of_a_revision_that_comes_after_its_window_nobody_is_told_an_end_and_it_is_closed_later() {
    let world = World::start().await;
    let ada = world.msf.first();
    let late = site(-DAY, 0).to(&world.east, Tier::Exact);
    let late = world.notify(ada, &late).await;
    assert_eq!(world.confirmed(&late, 0).await, Some(P::WindowEnded));
    let status = world.shown(&world.msf, &late).await;
    assert!(status.revisions[0].flags.contains(&Flag::WindowEnded));
    world.move_time(30 * DAY - HOUR).await;
    world.nothing_more(&world.msf, 0).await;
    world.move_time(30 * DAY + HOUR).await;
    let alerts = world.alerted(&world.msf, 1).await;
    assert_eq!(alerts[0].event, E::ClosedByTime);
    assert_eq!(world.told(&world.east).await, [E::ClosedByTime]);
    world.folds().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_movement_is_never_closed_by_time_and_a_site_without_an_end_neither() {
    let world = World::start().await;
    let ada = world.msf.first();
    let told = |site: Site| site.to(&world.east, Tier::Exact);
    let moving = world.notify(ada, &told(convoy(-HOUR / 2))).await;
    let open = world.notify(ada, &told(Site::at(44.2, 15.4))).await;
    world.move_time(75 * DAY).await;
    let alerts = world.alerted(&world.msf, 1).await;
    assert_eq!(alerts[0].event, E::NoSignOfLife);
    world.nothing_more(&world.msf, 1).await;
    for of in [&moving, &open] {
        assert!(!world.is_closed(of).await);
        let status = world.shown(&world.east, of).await;
        assert_eq!(status.state, NotificationState::Current);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_came_while_the_server_was_down_comes_once_and_no_site_is_asked_about_after_its_end() {
    let mut world = World::start().await;
    let asks = Policy {
        reconfirm_days: 10,
        ..Policy::default()
    };
    world.set_policy(1, asks).await;
    let told = site(12 * DAY, 0).to(&world.east, Tier::Exact);
    let clinic = world.notify(world.msf.first(), &told).await;
    world.stop().await;
    world.move_time(60 * DAY).await;
    world.restart().await;
    let alerts = world.alerted(&world.msf, 5).await;
    let of = |these: &[E]| -> Vec<E> {
        let said = events(&alerts).into_iter();
        said.filter(|event| these.contains(event)).collect()
    };
    let windows = [E::WindowEnding, E::WindowEnded, E::ClosedByTime];
    assert_eq!(of(&windows), windows);
    let words = [E::ReconfirmationDue, E::ReconfirmationOverdue];
    assert_eq!(of(&words), words);
    assert_eq!(events(&alerts)[4], E::ClosedByTime);
    assert_eq!(
        world.told(&world.east).await,
        [E::WindowEnded, E::ClosedByTime]
    );
    world.nothing_more(&world.msf, 5).await;
    assert!(world.is_closed(&clinic).await);
    world.folds().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_site_whose_place_was_destroyed_with_its_month_is_closed_all_the_same() {
    let world = World::start().await;
    let short = Policy {
        close_days: 100,
        retention_months: 1,
        ..Policy::default()
    };
    world.set_policy(1, short).await;
    let told = site(2 * DAY, 0).to(&world.east, Tier::Exact);
    let clinic = world.notify(world.msf.first(), &told).await;
    world.move_time(3 * DAY).await;
    world.alerted(&world.msf, 2).await;
    // At most 62 days until the month and one more are over.
    world.move_time(70 * DAY).await;
    let mut emptied = false;
    for _ in 0..200 {
        let mut admin = world.db.connect(Database::Admin).await;
        emptied = sqlx::query_scalar("SELECT NOT EXISTS (SELECT FROM hn.cover)")
            .fetch_one(&mut admin)
            .await
            .unwrap();
        if emptied {
            break;
        }
        tokio::time::sleep(std::time::Duration::from_millis(100)).await;
    }
    assert!(emptied && !world.is_closed(&clinic).await);
    world.folds().await;
    world.move_time(103 * DAY).await;
    world.closes(&clinic).await;
    world.folds().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_month_is_not_held_by_a_site_that_was_closed_and_its_closing_folds_without_its_words() {
    let world = World::start().await;
    let short = Policy {
        close_days: 1,
        retention_months: 1,
        ..Policy::default()
    };
    world.set_policy(1, short).await;
    let told = site(HOUR, 0).to(&world.east, Tier::Exact);
    let clinic = world.notify(world.msf.first(), &told).await;
    world.move_time(DAY + 2 * HOUR).await;
    world.closes(&clinic).await;
    world.move_time(140 * DAY).await;
    for _ in 0..200 {
        let mut admin = world.db.connect(Database::Admin).await;
        let left: i64 = sqlx::query_scalar(
            "SELECT count(*) FROM hn.part p JOIN hn.statement s USING (pos)
              WHERE s.kind IN ('site', 'alert') AND octet_length(p.content) > 4
                AND s.at < now() + interval '10 days'",
        )
        .fetch_one(&mut admin)
        .await
        .unwrap();
        if left == 0 {
            world.folds().await;
            return;
        }
        tokio::time::sleep(std::time::Duration::from_millis(100)).await;
    }
    panic!("its month was not destroyed");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_schedule_and_the_state_show_no_moment_of_a_window() {
    let world = World::start().await;
    let told = site(10 * DAY, 0).to(&world.east, Tier::Exact);
    world.notify(world.msf.first(), &told).await;
    let mut admin = world.db.connect(Database::Admin).await;
    let rows: Vec<Value> = sqlx::query_scalar(
        "SELECT to_jsonb(d) FROM hn.due d UNION ALL SELECT to_jsonb(r) FROM hn.revision r
         UNION ALL SELECT to_jsonb(n) FROM hn.notification n",
    )
    .fetch_all(&mut admin)
    .await
    .unwrap();
    assert_eq!(rows.len(), 6);
    // To the hour nothing of it stands in the clear, and no number is its microseconds.
    let hour = in_seconds(10 * DAY).get(..13).unwrap().to_owned();
    for row in rows {
        assert!(!row.to_string().contains(&hour), "{row}");
    }
}
