//! Folding the stored statements again, from the first, gives the same state: after everything that can be said was said,
//! time was moved and the server started again; and a row that was changed behind its back is found.

use std::collections::BTreeSet;

use herald::domain::ack::AckState;
use herald::domain::actor::{ActorKind, Role};
use herald::domain::notification::{Outcome, Tier};
use herald::service::deployment;
use herald::service::rebuild::{Report, check};
use herald::store::endpoint::Endpoint;
use herald::store::rebuild::{DERIVED, NOT_DERIVED, OPENED};
use herald::store::role::Role as Database;
use herald::wire::build::Part;
use herald::wire::claims::{
    CloseClaims, ConfirmClaims, CosignClaims, ProgressClaims, WarnClaims, WithdrawClaims,
};
use herald::wire::parts::{Person, Warning, name};
use herald::wire::policy::Policy;
use serde_json::json;
use sqlx::AssertSqlSafe;
use sqlx::Executor as _;
use tokio_util::sync::CancellationToken;

use super::devices::{Fresh, now};
use super::distress::{Cry, resolution};
use super::time::convoy;
use super::world::World;
use super::{Attached, Site, ack_item};

const HOUR: i64 = 3_600;
const DAY: i64 = 24 * HOUR;

impl World {
    /// Folds everything again and compares.
    pub async fn fold_again(&self) -> Report {
        let loaded = deployment::load(&self.config.dir, now()).unwrap();
        let endpoint = Endpoint::external(self.config.database_url.as_ref().unwrap()).unwrap();
        let stop = CancellationToken::new();
        Box::pin(check(&endpoint, loaded, &stop, &|_, _| {}))
            .await
            .unwrap()
    }

    /// Everything that is said about notifications, once and in several orders.
    async fn say_everything(&self) {
        let (ada, bo) = (self.msf.first(), &self.msf.devices[1]);
        let ocha = self.coordinator.first();
        let (east, west) = (self.east.first(), self.west.first());
        let two = Policy {
            second_signature: true,
            ..Policy::default()
        };
        let told = |site: Site| site.to(&self.east, Tier::Exact).to(&self.west, Tier::Cell);
        let clinic = self.notify(ada, &told(Site::at(44.2, 15.4))).await;
        self.screen(&clinic).await;
        self.set_policy(1, two).await;
        let second = told(Site::at(44.2, 15.41)).after(&clinic);
        let second = self.notify(ada, &second).await;
        let cosign = CosignClaims::new(self.common(bo), second.nid, second.rev, second.hash);
        self.said(bo, cosign, &[]).await;
        // East has fetched both when the second is screened; west has not.
        self.reads(&self.east).await;
        self.screen(&second).await;
        // East enters it elsewhere: the server says so.
        let items = vec![ack_item(&second, AckState::Entered)];
        let entered = [(second.nid, [44.3, 15.4])];
        let (claims, parts) = self.acknowledgement(east, &self.msf.id, items, &entered);
        self.said(east, claims, &parts).await;
        self.asks(&self.west, &self.msf, &second, json!({})).await;
        let warning = Warning {
            officer: Person {
                name: "Off Icer".to_owned(),
                post: None,
                phone: None,
            },
            alleges: "Something stands there.".to_owned(),
            cease_by: None,
            says: herald::domain::exchange::WARNING_SENTENCE.to_owned(),
        };
        let part = Part::new(name::DETAIL, &warning).unwrap();
        let msf = self.msf.id.clone();
        let claims = WarnClaims::new(self.common(west), msf, second.nid, second.rev, second.hash);
        self.said(west, claims, &[part.sealed_to(&self.reader)])
            .await;
        let confirm =
            ConfirmClaims::new(self.common(ada), second.nid, second.rev, second.hash, None);
        self.said(ada, confirm, &[]).await;

        let moving = self.notify(ada, &told(convoy(30 * HOUR))).await;
        let late = json!({"step": "delayed", "at": now().format(&time::format_description::well_known::Rfc3339).unwrap(), "delay_s": 2700});
        let part = Part::new(name::PROGRESS, &late).unwrap();
        let claims =
            ProgressClaims::new(self.common(ada), moving.nid, moving.rev, moving.hash, None);
        self.said(ada, claims, &[part.sealed_to(&self.reader)])
            .await;
        let done = self.notify(ada, &told(convoy(HOUR))).await;
        let next = done.rev.next();
        let (nid, hash) = (done.nid, done.hash);
        let close = CloseClaims::new(self.common(ada), nid, next, hash, Outcome::Arrived, None);
        self.said(ada, close, &[]).await;
        let gone = self.notify(ada, &told(Site::at(44.5, 15.5))).await;
        let (nid, next, hash) = (gone.nid, gone.rev.next(), gone.hash);
        let withdraw = WithdrawClaims::new(self.common(ada), nid, next, hash, None);
        self.said(ada, withdraw, &[]).await;

        let letter = Site::at(44.6, 15.6)
            .to(&self.east, Tier::OnCheck)
            .on_behalf_of(&self.relief.id, b"a letter");
        let behalf = self.notify(ocha, &letter).await;
        let rae = self.relief.first();
        let cosign = CosignClaims::new(self.common(rae), behalf.nid, behalf.rev, behalf.hash);
        self.said(rae, cosign, &[]).await;

        // The coordinator relays the convoy to west, and transcribes west's letter about it.
        let relayed = self
            .relay(&self.west.id, &self.msf, &[(&moving, Tier::Cell)])
            .await;
        assert_eq!(relayed.status.as_u16(), 201, "{relayed:?}");
        self.transcribes(&self.west.id, &moving).await;

        self.distress(ada, &Cry::here().to(&self.east, Tier::Exact))
            .await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn folding_the_statements_again_from_the_first_gives_the_same_state() {
    let mut world = World::start().await;
    world.say_everything().await;
    world.set_policy(2, Policy::default()).await;
    // Time brings reminders, a certificate of silence, a missed convoy and an unanswered call; half of it while down.
    world.move_time(25 * HOUR).await;
    world.nothing_less(&world.msf, 3).await;
    world.stop().await;
    world.move_time(84 * DAY).await;
    world.restart().await;
    world.nothing_less(&world.msf, 20).await;
    let report = world.fold_again().await;
    assert_eq!(report.differences, [], "{:?}", report.rows);
    assert!(report.statements > 60, "{}", report.statements);
    let compared = |table| {
        report
            .rows
            .iter()
            .find(|(name, _)| *name == table)
            .unwrap()
            .1
    };
    for table in [
        "revision", "ack", "relay", "thread", "distress", "progress", "mailbox",
    ] {
        assert!(compared(table) > 0, "{table}");
    }
    assert_eq!(scratch_databases(&world).await, 0);

    // Behind the statements' back: each is found, by its table and key, and nothing else is.
    let planted = [
        (
            "notification",
            "UPDATE hn.notification SET state = 'closed' WHERE state = 'withdrawn'",
        ),
        (
            "audience",
            "UPDATE hn.audience SET counts = NOT counts WHERE rev = 1 AND tier = 'on_check'",
        ),
        (
            "actor",
            "UPDATE hn.actor SET duty = '+1 555 0100' WHERE actor = 'msf'",
        ),
        ("ack", "DELETE FROM hn.ack WHERE state = 'entered'"),
        (
            "mailbox",
            "DELETE FROM hn.mailbox WHERE actor = 'east' AND seq = 1",
        ),
        (
            "due",
            "DELETE FROM hn.due WHERE id = (SELECT min(id) FROM hn.due)",
        ),
        (
            "cover",
            "UPDATE hn.cover SET cover = ST_Translate(cover, 1, 0) WHERE rev = 2",
        ),
        (
            "thread",
            "UPDATE hn.thread SET kind = 'query' WHERE kind = 'warning'",
        ),
        (
            "called",
            "UPDATE hn.called SET tier = 'cell' WHERE tier = 'exact'",
        ),
        (
            "device",
            "UPDATE hn.device SET state = 'active' WHERE state = 'revoked'",
        ),
    ];
    let mut admin = world.db.connect(Database::Admin).await;
    for (_, sql) in planted {
        admin.execute(AssertSqlSafe(sql)).await.unwrap();
    }
    let report = world.fold_again().await;
    let found: BTreeSet<_> = report.differences.iter().map(|d| d.table).collect();
    let expected: BTreeSet<_> = planted.iter().map(|(table, _)| *table).collect();
    assert_eq!(found, expected);
    let statement = report.differences.iter().find(|d| d.table == "mailbox");
    assert_eq!(statement.unwrap().key, "yem east 1");
}

#[tokio::test(flavor = "multi_thread")]
async fn people_who_come_renew_and_go_are_folded_too() {
    let mut world = World::start().await;
    let code = world
        .invite("late", ActorKind::Organisation, Role::Organisation, "La Te")
        .await;
    let mut late = World::blank("late", ActorKind::Organisation);
    Box::pin(world.enrol_with(&mut late, &code, Role::Organisation)).await;
    // A device renews its keys and speaks with the new ones; a photo goes with what it says.
    let fresh = Fresh::new();
    let unit = world.relief.first();
    let request = world.renewal(unit, &fresh);
    let answer = world.post_json(&unit.http, "/v1/renew", &request).await;
    world.relief.devices[0] = fresh.enrolled(&world.ca, &answer.json());
    let rae = world.relief.first();
    let photo = Attached::photo(70_000);
    world.upload(rae, &photo).await;
    let site = Site::at(44.2, 15.4).to(&world.east, Tier::Exact);
    let readers = [&world.coordinator, &world.relief, &world.east];
    world.notify(rae, &site.attach(&[&photo], &readers)).await;
    let call = Cry::here().to(&world.east, Tier::Exact);
    let call = world.distress(rae, &call).await;
    let (claims, parts) = resolution(&world, rae, &call);
    world.said(rae, claims, &parts).await;
    world.restart().await;
    let report = world.fold_again().await;
    assert_eq!(report.differences, [], "{:?}", report.rows);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_part_or_a_statement_that_was_changed_is_found_when_it_is_taken_again() {
    let world = World::start().await;
    let site = Site::at(44.2, 15.4).to(&world.east, Tier::Exact);
    world.notify(world.msf.first(), &site).await;
    let mut admin = world.db.connect(Database::Admin).await;
    admin
        .execute("UPDATE hn.part SET content = set_byte(content, 40, get_byte(content, 40) # 1) WHERE part = 'place'")
        .await
        .unwrap();
    let report = world.fold_again().await;
    assert!(report.differ > 0);
    let first = &report.differences[0];
    assert_eq!(first.table, "statement");
    assert!(first.how.starts_with("site, refused"), "{}", first.how);
}

#[tokio::test(flavor = "multi_thread")]
async fn every_table_is_compared_or_excluded_by_name() {
    let world = World::start().await;
    let mut admin = world.db.connect(Database::Admin).await;
    let tables = herald::store::rebuild::tables(&mut admin).await.unwrap();
    let derived = DERIVED.iter().map(|one| one.table);
    let listed = derived.chain(OPENED.iter().copied());
    let listed: BTreeSet<_> = listed.chain(NOT_DERIVED.iter().map(|(t, _)| *t)).collect();
    let tables: BTreeSet<_> = tables.iter().map(String::as_str).collect();
    assert_eq!(
        tables, listed,
        "say of each table whether it follows from the statements"
    );
}

/// How many scratch databases there are at the least: those of other tests come and go meanwhile.
async fn scratch_databases(world: &World) -> i64 {
    let mut admin = world.db.connect(Database::Admin).await;
    let mut least = i64::MAX;
    for _ in 0..300 {
        let sql = "SELECT count(*) FROM pg_database WHERE datname LIKE 'herald_rebuild_%'";
        let now: i64 = sqlx::query_scalar(sql).fetch_one(&mut admin).await.unwrap();
        least = least.min(now);
        if least == 0 {
            break;
        }
        tokio::time::sleep(std::time::Duration::from_millis(100)).await;
    }
    least
}
