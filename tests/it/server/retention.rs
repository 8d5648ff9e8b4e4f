//! Retention: when a month's time is over nothing of it opens any more, not from the database, not from its files, not with
//! the keyring; statements, receipts and replays stand, and fold to the same state. What is still needed holds its month, and
//! a kill at any moment is made good at the next start.

use std::path::PathBuf;
use std::time::Duration;

use herald::crypto::keyring::{Keyring, KeyringError};
use herald::crypto::month::Month;
use herald::domain::ack::AckState;
use herald::domain::actor::Mode;
use herald::domain::exchange::{AlertEvent, RETENTION_SENTENCE};
use herald::domain::ids::Nid;
use herald::domain::notification::{Outcome, Tier};
use herald::domain::retention::HeldBy;
use herald::service::records::Record;
use herald::service::retention::{self, ContextMonth};
use herald::store::role::Role as Database;
use herald::wire::build::{Part, build};
use herald::wire::claims::{
    CheckClaims, Claims, CloseClaims, CosignClaims, ProgressClaims, ReplyClaims, ResolveClaims,
    WarnClaims, WithdrawClaims,
};
use herald::wire::envelope::ENVELOPE_TYPE;
use herald::wire::parts::{AlertDetail, Person, Warning, name};
use herald::wire::policy::Policy;
use herald::wire::problem::ProblemKind as P;
use herald::wire::read;
use reqwest::Method;
use serde_json::json;
use sqlx::{AssertSqlSafe, Connection as _, Executor as _};
use time::format_description::well_known::Rfc3339;

use super::devices::now;
use super::distress::{Cry, resolution, response};
use super::time::convoy;
use super::world::World;
use super::{Attached, Member, Notified, Site, Unit, ack_item};

const HOUR: i64 = 3_600;
const DAY: i64 = 24 * HOUR;
/// Behind the time of this month, when it is kept for one month more, whichever day it is today.
const OVER: i64 = 70 * DAY;
/// Behind the time of this month, when it is kept for four months more.
const OVER_FOUR: i64 = 160 * DAY;
/// Looks that a test waits for at most, ten a second.
const PATIENCE: u32 = 300;

/// A policy that keeps for so many months.
fn keeps(months: u16) -> Policy {
    Policy {
        retention_months: months,
        ..Policy::default()
    }
}

fn this_month() -> Month {
    Month::of(now().date()).unwrap()
}

impl World {
    fn kek(&self) -> PathBuf {
        let name = format!("kek-{}", this_month());
        self.config.dir.join("keyring").join(name)
    }

    /// Where this context stands with the present month.
    async fn month(&self) -> ContextMonth {
        let (months, _) = retention::months(self.core()).await.unwrap();
        let of = months.into_iter().find(|one| one.month == this_month());
        let mut contexts = of.unwrap().contexts.into_iter();
        contexts.find(|one| one.ctx == self.ctx).unwrap()
    }

    /// Waits until the present month is gone from the database and its key from the keyring.
    async fn gone(&self) {
        for _ in 0..PATIENCE {
            if self.month().await.emptied && self.key_is_gone() {
                return;
            }
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
        panic!("{:?}, key gone: {}", self.month().await, self.key_is_gone());
    }

    fn key_is_gone(&self) -> bool {
        std::fs::read(self.kek()).unwrap() == b"hn-kek-destroyed-v1\n"
    }

    /// Runs SQL as a superuser; gives the number that it selects.
    async fn number(&self, sql: &str) -> i64 {
        let mut admin = self.db.connect(Database::Admin).await;
        let number = sqlx::query_scalar(AssertSqlSafe(sql.to_owned()))
            .fetch_one(&mut admin)
            .await
            .unwrap();
        // Asked often: none of these sessions stays behind.
        admin.close().await.unwrap();
        number
    }

    async fn sql(&self, sql: &str) {
        let mut admin = self.db.connect(Database::Admin).await;
        admin.execute(AssertSqlSafe(sql.to_owned())).await.unwrap();
        admin.close().await.unwrap();
    }

    /// What is sealed under the present month in this context and still stands, row by row of every table that has any.
    async fn still_sealed(&self) -> i64 {
        let (ctx, month) = (&self.ctx, this_month());
        let mine = format!("WHERE x.month = '{month}' AND s.ctx = '{ctx}'");
        let own = format!("WHERE x.month = '{month}' AND x.ctx = '{ctx}'");
        let person = format!("WHERE x.person_month = '{month}' AND x.ctx = '{ctx}'");
        self.number(&format!(
            "SELECT (SELECT count(*) FROM hn.part x JOIN hn.statement s USING (pos) {mine} AND octet_length(x.content) > 4)
                  + (SELECT count(*) FROM hn.seal x JOIN hn.statement s USING (pos) {mine} AND octet_length(x.content) > 4)
                  + (SELECT count(*) FROM hn.cover c JOIN hn.revision r USING (nid, rev)
                       JOIN hn.part x ON x.pos = r.pos JOIN hn.statement s ON s.pos = r.pos {mine})
                  + (SELECT count(*) FROM hn.blob_chunk c JOIN hn.blob x ON x.id = c.blob {own})
                  + (SELECT count(*) FROM hn.check_log x {own} AND octet_length(x.area) + octet_length(x.content) > 8)
                  + (SELECT count(*) FROM hn.thread x {own} AND octet_length(x.due) > 4)
                  + (SELECT count(*) FROM hn.due x {own})
                  + (SELECT count(*) FROM hn.nudge x {own})
                  + (SELECT count(*) FROM hn.device x {person})
                  + (SELECT count(*) FROM hn.invite x {person} AND octet_length(x.person) > 4)"
        ))
        .await
    }

    /// Parts of statements of this context that still stand.
    async fn parts(&self) -> i64 {
        let (ctx, month) = (&self.ctx, this_month());
        self.number(&format!(
            "SELECT count(*) FROM hn.part p JOIN hn.statement s USING (pos)
              WHERE s.ctx = '{ctx}' AND p.month = '{month}' AND octet_length(p.content) > 4"
        ))
        .await
    }

    async fn withdrawn(&self, unit: &Unit, what: &Notified, ahead: i64) {
        let (nid, next, hash) = (what.nid, what.rev.next(), what.hash);
        let mut claims = WithdrawClaims::new(self.common(unit), nid, next, hash, None);
        claims.iat += ahead;
        self.said(unit, claims, &[]).await;
    }

    async fn replied(
        &self,
        party: &Member,
        of: &Notified,
        re: herald::crypto::digest::Digest,
        ahead: i64,
    ) {
        let detail = json!({"answer": "explained", "text": "It is a clinic."});
        let part = Part::new(name::DETAIL, &detail)
            .unwrap()
            .sealed_to(&self.reader);
        let (by, to) = (self.msf.first(), party.id.clone());
        let mut claims = ReplyClaims::new(self.common(by), to, of.nid, of.rev, re, None);
        claims.iat += ahead;
        self.said(by, claims, &[part]).await;
    }

    /// Everything that has sealed parts is said, and all of it ends. Gives the exact bytes of an acknowledgement, its
    /// receipt, and the digest of a photo.
    async fn say_everything_and_end_it(&self) -> Ended {
        let ada = self.msf.first();
        let east = self.east.first();
        let told = |site: Site| site.to(&self.east, Tier::Exact).to(&self.west, Tier::Cell);
        let photo = Attached::photo(70_000);
        self.upload(ada, &photo).await;
        let readers = [&self.coordinator, &self.msf, &self.east];
        let clinic = told(Site::at(44.2, 15.4))
            .contact(&[&self.coordinator, &self.east])
            .attach(&[&photo], &readers);
        let clinic = self.notify(ada, &clinic).await;
        self.screen(&clinic).await;
        // Entered elsewhere: the server says so.
        let items = vec![ack_item(&clinic, AckState::Entered)];
        let (claims, parts) =
            self.acknowledgement(east, &self.msf.id, items, &[(clinic.nid, [44.3, 15.4])]);
        let ack = build(claims, &parts, &east.signing).unwrap();
        let ack = ack.envelope.encode();
        let taken = self.submit(east, ack.clone()).await;
        assert_eq!(taken.status.as_u16(), 201, "{taken:?}");
        let asked = self.asks(&self.west, &self.msf, &clinic, json!({})).await;
        self.replied(&self.west, &clinic, asked.hash, 0).await;
        let warned = self.warned(&clinic).await;
        self.replied(&self.east, &clinic, warned, 0).await;
        let check = self.check_bytes();
        let answer = self.checked(check.clone()).await;
        assert_eq!(answer.status.as_u16(), 200, "{answer:?}");

        let moving = self.notify(ada, &told(convoy(HOUR))).await;
        let at = now().format(&Rfc3339).unwrap();
        let late = json!({"step": "delayed", "at": at, "delay_s": 2700});
        let part = Part::new(name::PROGRESS, &late)
            .unwrap()
            .sealed_to(&self.reader);
        let claims =
            ProgressClaims::new(self.common(ada), moving.nid, moving.rev, moving.hash, None);
        self.said(ada, claims, &[part]).await;
        let relayed = self
            .relay(&self.west.id, &self.msf, &[(&moving, Tier::Cell)])
            .await;
        assert_eq!(relayed.status.as_u16(), 201, "{relayed:?}");
        self.transcribes(&self.west.id, &moving).await;
        let (nid, next, hash) = (moving.nid, moving.rev.next(), moving.hash);
        let close = CloseClaims::new(self.common(ada), nid, next, hash, Outcome::Arrived, None);
        self.said(ada, close, &[]).await;
        let second = told(Site::at(44.2, 15.41)).after(&clinic);
        let second = self.notify(ada, &second).await;
        self.withdrawn(ada, &second, 0).await;

        let call = self
            .distress(ada, &Cry::here().to(&self.east, Tier::Exact))
            .await;
        let (claims, parts) = response(self, east, &self.msf.id, &call);
        self.said(east, claims, &parts).await;
        let (claims, parts) = resolution(self, ada, &call);
        self.said(ada, claims, &parts).await;
        Ended {
            clinic,
            ack,
            receipt: taken.json::<herald::wire::api::Submitted>().receipt,
            check,
            photo,
        }
    }

    async fn warned(&self, of: &Notified) -> herald::crypto::digest::Digest {
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
        let part = Part::new(name::DETAIL, &warning)
            .unwrap()
            .sealed_to(&self.reader);
        let (by, to) = (self.east.first(), self.msf.id.clone());
        let claims = WarnClaims::new(self.common(by), to, of.nid, of.rev, of.hash);
        self.said(by, claims, &[part]).await.hash
    }

    /// The exact bytes of a question of east's.
    fn check_bytes(&self) -> Vec<u8> {
        let unit = self.east.first();
        let area = json!({
            "area": {"kind": "circle", "center": [44.2, 15.4], "radius_m": 1000.0},
            "effect_radius_m": 0.0, "window": {},
        });
        let area = Part::new(name::AREA, &area).unwrap().in_the_clear();
        let claims = CheckClaims::new(self.common(unit));
        build(claims, &[area], &unit.signing)
            .unwrap()
            .envelope
            .encode()
    }

    async fn checked(&self, question: Vec<u8>) -> super::Answer {
        let body = Some((ENVELOPE_TYPE, question));
        let http = &self.east.first().http;
        self.call(http, Method::POST, "/v1/checks", body).await
    }

    /// The alerts in a desk's mailbox that say that a month is destroyed.
    async fn told_of_destruction(&self, desk: &Member) -> Vec<AlertDetail> {
        let read = self.reads(desk).await.into_iter();
        let parts = read.filter(|(_, claims, _)| matches!(claims, Claims::Alert(_)));
        let details = parts.filter_map(|(_, _, mut parts)| parts.pop());
        let details = details.map(|(_, value)| serde_json::from_value(value).unwrap());
        details
            .filter(|detail: &AlertDetail| detail.event == AlertEvent::RetentionEnded)
            .collect()
    }
}

/// What was said in a month, and what came of it.
struct Ended {
    clinic: Notified,
    ack: Vec<u8>,
    receipt: String,
    check: Vec<u8>,
    photo: Attached,
}

#[tokio::test(flavor = "multi_thread")]
async fn when_a_month_is_over_nothing_of_it_opens_and_everything_that_was_said_still_verifies() {
    let mut world = World::start().await;
    world.set_policy(1, keeps(1)).await;
    let ended = world.say_everything_and_end_it().await;
    let (pos, org, sealed) = place_of(&world, ended.clinic.nid).await;
    let key_before = std::fs::read(world.kek()).unwrap();
    assert!(world.still_sealed().await > 40);
    let before = world.fold_again().await;
    assert_eq!(before.differences, []);

    world.move_time(OVER).await;
    world.gone().await;
    assert_eq!(world.still_sealed().await, 0);

    // Not with the keyring as it is, on this node or on one that starts now, even with the record from an older dump.
    let at = Record::part(&org, &ended.clinic.nid.to_string(), 1, name::PLACE);
    let keyring = Keyring::open(&world.config.dir.join("keyring")).unwrap();
    for ring in [&*world.core().keyring, &keyring] {
        let opened = ring.open_record(&at.at(), &sealed);
        assert!(matches!(opened, Err(KeyringError::Destroyed(m)) if m == this_month()));
    }
    let dir = std::fs::read_dir(world.config.dir.join("keyring")).unwrap();
    for file in dir {
        let bytes = std::fs::read(file.unwrap().path()).unwrap();
        assert_ne!(bytes, key_before, "no copy of the key is left");
    }
    let left = format!(
        "SELECT octet_length(content)::bigint FROM hn.part WHERE pos = {pos} AND part = 'place'"
    );
    assert_eq!(
        world.number(&left).await,
        4,
        "of the record its month alone is left"
    );

    // Reads say so, in plain words, and none fails.
    let blob = format!("/v1/blobs/{}", ended.photo.digest);
    let answer = world.get(world.east.first(), &blob).await;
    assert_eq!(answer.refused(), Some(P::Destroyed), "{answer:?}");
    let said = answer.problem.unwrap().detail.unwrap();
    assert_eq!(
        said,
        format!("it was destroyed with the month {}", this_month())
    );
    let again = world.checked(ended.check).await;
    assert_eq!(again.refused(), Some(P::Destroyed), "{again:?}");
    let status = format!("/v1/notifications/{}", ended.clinic.nid);
    for desk in [&world.msf, &world.coordinator, &world.east] {
        assert!(world.get(desk.first(), &status).await.status.is_success());
    }
    // The events are all there, and their statements verify; of their parts nothing comes.
    let read = world.reads(&world.east).await;
    let site = read
        .iter()
        .find(|(_, claims, _)| matches!(claims, Claims::Site(_)));
    assert_eq!(site.unwrap().2, [], "no part of it is delivered");
    verifies(&world, pos).await;
    let again = world.submit(world.east.first(), ended.ack).await;
    assert_eq!(again.status.as_u16(), 200, "{again:?}");
    let again: herald::wire::api::Submitted = again.json();
    assert_eq!(again.receipt, ended.receipt);
    world.receipt(&again.receipt);

    // It is said to the organisation and the coordinator, without content, and to nobody else.
    for desk in [&world.msf, &world.coordinator] {
        let told = world.told_of_destruction(desk).await;
        let of_msf: Vec<_> = told
            .iter()
            .filter(|d| d.organisation == world.msf.id)
            .collect();
        assert_eq!(of_msf.len(), 1, "{}", told.len());
        assert_eq!(of_msf[0].month, Some(this_month().to_string()));
        assert_eq!(of_msf[0].says, RETENTION_SENTENCE);
        assert_eq!(of_msf[0].items, []);
        assert_eq!(Some(of_msf[0].due), this_month().kept_until(1));
    }
    assert_eq!(world.told_of_destruction(&world.relief).await.len(), 0);
    assert_eq!(world.told_of_destruction(&world.east).await.len(), 0);

    // And it folds to the same state, before a restart and after it.
    let report = world.fold_again().await;
    assert_eq!(report.differences, [], "{:?}", report.rows);
    world.restart().await;
    let report = world.fold_again().await;
    assert_eq!(report.differences, []);
    assert_eq!(world.told_of_destruction(&world.msf).await.len(), 1);
    assert!(world.key_is_gone());
}

/// The position of a notification's first revision, whose it is, and its place as it is sealed.
async fn place_of(world: &World, nid: Nid) -> (i64, herald::domain::ids::ActorId, Vec<u8>) {
    let mut admin = world.db.connect(Database::Admin).await;
    let (pos, org, sealed): (i64, String, Vec<u8>) = sqlx::query_as(
        "SELECT p.pos, p.org, p.content FROM hn.part p JOIN hn.revision r USING (pos)
          WHERE r.nid = $1 AND r.rev = 1 AND p.part = 'place'",
    )
    .bind(nid.uuid())
    .fetch_one(&mut admin)
    .await
    .unwrap();
    (pos, org.parse().unwrap(), sealed)
}

/// The statement at a position verifies with its signer's key, and its receipt with the server's.
async fn verifies(world: &World, pos: i64) {
    let mut admin = world.db.connect(Database::Admin).await;
    let (jws, receipt): (String, String) =
        sqlx::query_as("SELECT jws, receipt FROM hn.statement WHERE pos = $1")
            .bind(pos)
            .fetch_one(&mut admin)
            .await
            .unwrap();
    let (unverified, _) = read::read(&jws).unwrap();
    let hash = unverified.hash();
    let key = world.msf.first().signing.verifying_key();
    unverified.verify(key).unwrap();
    assert_eq!(world.receipt(&receipt).of, hash);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_still_needed_holds_its_month_and_is_named_until_it_ends() {
    let world = World::start().await;
    world.set_policy(1, keeps(1)).await;
    let ada = world.msf.first();
    let site = Site::at(44.2, 15.4).to(&world.east, Tier::Exact);
    let site = world.notify(ada, &site).await;
    world.screen(&site).await;
    let asked = world.asks(&world.east, &world.msf, &site, json!({})).await;
    let call = world
        .distress(ada, &Cry::here().to(&world.east, Tier::Exact))
        .await;

    world.move_time(OVER).await;
    let held = || async {
        let month = world.month().await;
        assert!(
            month.due.is_some() && month.destroyed_at.is_none(),
            "{month:?}"
        );
        let held = month.held_by.into_iter();
        held.map(|hold| (hold.by, hold.nid)).collect::<Vec<_>>()
    };
    tokio::time::sleep(Duration::from_millis(2_500)).await;
    let (about, of) = (site.nid, call.nid);
    let all = [
        (HeldBy::Notification, about),
        (HeldBy::Thread, about),
        (HeldBy::Call, of),
    ];
    assert_eq!(held().await, all);
    let shown = operator_sees(&world);
    assert_eq!(shown["state"], "held", "{shown}");
    let references: Vec<_> = shown["held_by"]
        .as_array()
        .unwrap()
        .iter()
        .map(|hold| hold["reference"].clone())
        .collect();
    let names = [about, about, of].map(|nid| nid.reference().to_string());
    assert_eq!(references, names);
    assert!(!world.key_is_gone());
    assert_eq!(world.told_of_destruction(&world.msf).await.len(), 0);
    // It still counts, and is still found.
    let question = CheckNow(&world, OVER).ask().await;
    assert_eq!(question["verdict"], "conflict");

    // One after the other ends, and the rest still holds it.
    let soon = OVER + HOUR;
    world.move_time(soon).await;
    world.withdrawn(ada, &site, soon).await;
    assert_eq!(held().await, [all[1], all[2]]);
    world.replied(&world.east, &site, asked.hash, soon).await;
    assert_eq!(held().await, [all[2]]);
    world.move_time(soon + HOUR).await;
    tokio::time::sleep(Duration::from_millis(2_500)).await;
    assert_eq!(held().await, [all[2]], "an open incident alone holds it");
    let detail = json!({"outcome": "over", "text": "all are out"});
    let part = Part::new(name::DETAIL, &detail)
        .unwrap()
        .sealed_to(&world.reader);
    let mut claims = ResolveClaims::new(world.common(ada), call.nid, call.hash);
    claims.iat += soon;
    world.said(ada, claims, &[part]).await;
    world.move_time(soon + 2 * HOUR).await;
    world.gone().await;
    assert_eq!(world.still_sealed().await, 0);
    let report = world.fold_again().await;
    assert_eq!(report.differences, [], "{:?}", report.rows);
}

/// What `herald keyring list` says of the present month, with the server running.
fn operator_sees(world: &World) -> serde_json::Value {
    let mut herald = std::process::Command::new(env!("CARGO_BIN_EXE_herald"));
    herald
        .args(["keyring", "list", "--json", "--dir"])
        .arg(&world.config.dir);
    herald.env(
        "HERALD_DATABASE_URL",
        world.config.database_url.as_ref().unwrap(),
    );
    let output = herald.output().unwrap();
    assert!(output.status.success(), "{output:?}");
    let shown: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    let months = shown["months"].as_array().unwrap();
    let month = months
        .iter()
        .find(|one| one["month"] == this_month().to_string());
    month.unwrap()["contexts"][0].clone()
}

/// A question that is signed when the clock stands this far ahead.
struct CheckNow<'a>(&'a World, i64);

impl CheckNow<'_> {
    async fn ask(&self) -> serde_json::Value {
        let unit = self.0.east.first();
        let area = json!({
            "area": {"kind": "circle", "center": [44.2, 15.4], "radius_m": 1000.0},
            "effect_radius_m": 0.0, "window": {},
        });
        let area = Part::new(name::AREA, &area).unwrap().in_the_clear();
        let mut claims = CheckClaims::new(self.0.common(unit));
        claims.iat += self.1;
        let built = build(claims, &[area], &unit.signing).unwrap();
        let answer = self.0.checked(built.envelope.encode()).await;
        assert_eq!(answer.status.as_u16(), 200, "{answer:?}");
        let answer = herald::wire::envelope::Envelope::decode(&answer.body).unwrap();
        let (_, claims) = read::read(&answer.statement).unwrap();
        let Claims::Answer(claims) = claims else {
            panic!("an answer is an answer")
        };
        let part = herald::wire::check::read_answer(&claims, &answer).unwrap();
        serde_json::to_value(part).unwrap()
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_kill_between_any_two_steps_is_made_good_at_the_next_start() {
    let mut world = World::start().await;
    world.set_policy(1, keeps(1)).await;
    let ada = world.msf.first();
    let site = Site::at(44.2, 15.4).to(&world.east, Tier::Exact);
    let site = world.notify(ada, &site).await;
    world.withdrawn(ada, &site, 0).await;
    let stands = world.still_sealed().await;

    // It is said that the month is destroyed, and nothing was emptied yet.
    let first = "hn.empty_statements(text, text, bigint, integer)";
    world
        .sql(&format!(
            "REVOKE EXECUTE ON FUNCTION {first} FROM hn_worker"
        ))
        .await;
    world.move_time(OVER).await;
    said(&world).await;
    let resealed = world
        .number("SELECT count(*) FROM hn.device WHERE ctx = 'yem'")
        .await;
    world.stop().await;
    assert!(world.still_sealed().await >= stands - 2 * resealed && world.still_sealed().await > 0);
    assert!(!world.key_is_gone());
    world
        .sql(&format!("GRANT EXECUTE ON FUNCTION {first} TO hn_worker"))
        .await;

    // The statements' parts are empty, and the rest is not.
    let second = "hn.empty_rest(text, text, timestamptz)";
    world
        .sql(&format!(
            "REVOKE EXECUTE ON FUNCTION {second} FROM hn_worker"
        ))
        .await;
    let parts = "SELECT count(*) FROM hn.part p JOIN hn.revision r USING (pos) WHERE octet_length(p.content) > 4";
    world.restart().await;
    until(&world, parts, 0).await;
    let report = world.fold_again().await;
    assert_eq!(report.differences, [], "{:?}", report.rows);
    world.stop().await;
    assert!(world.still_sealed().await > 0 && !world.key_is_gone());
    world
        .sql(&format!("GRANT EXECUTE ON FUNCTION {second} TO hn_worker"))
        .await;

    let (kek, key) = (world.kek(), std::fs::read(world.kek()).unwrap());
    world.restart().await;
    world.gone().await;
    assert_eq!(world.still_sealed().await, 0);

    // The database is empty of it, and the key is still there; then written over, and the mark not there yet.
    for left in [key.clone(), vec![0; key.len()]] {
        world.stop().await;
        std::fs::write(&kek, left).unwrap();
        assert!(!world.key_is_gone());
        world.restart().await;
        world.gone().await;
    }
    assert_eq!(
        world.told_of_destruction(&world.msf).await.len(),
        1,
        "said once"
    );
    let report = world.fold_again().await;
    assert_eq!(report.differences, []);

    // The database is set back to before: the key stays destroyed, and it is all said and done once more.
    world.stop().await;
    world
        .sql("UPDATE hn.month SET destroyed_pos = NULL, destroyed_at = NULL, emptied_at = NULL")
        .await;
    world.restart().await;
    world.gone().await;
    assert_eq!(world.told_of_destruction(&world.msf).await.len(), 2);
    let report = world.fold_again().await;
    assert_eq!(report.differences, []);
}

/// Waits until it is said that the present month is destroyed.
async fn said(world: &World) {
    let said = "SELECT count(*) FROM hn.month WHERE destroyed_pos IS NOT NULL";
    until(world, said, 1).await;
}

async fn until(world: &World, sql: &str, number: i64) {
    for _ in 0..PATIENCE {
        if world.number(sql).await == number {
            // What would come next has its chance to.
            tokio::time::sleep(Duration::from_millis(1_500)).await;
            return;
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    panic!("{sql}: {}, not {number}", world.number(sql).await);
}

#[tokio::test(flavor = "multi_thread")]
async fn each_context_keeps_as_long_as_its_own_policy_says_and_the_key_goes_with_the_last() {
    let both = [("yem", Mode::Exercise), ("syr", Mode::Exercise)];
    let worlds = World::start_several(&both, |_| ()).await;
    let [short, long] = &worlds[..] else {
        panic!("two contexts")
    };
    for (world, months) in [(short, 1), (long, 4)] {
        world.set_policy(1, keeps(months)).await;
        let ada = world.msf.first();
        let site = Site::at(44.2, 15.4).to(&world.east, Tier::Exact);
        let site = world.notify(ada, &site).await;
        world.withdrawn(ada, &site, 0).await;
    }
    let kept = long.parts().await;
    short.move_time(OVER).await;
    until(
        short,
        "SELECT count(*) FROM hn.month WHERE emptied_at IS NOT NULL",
        1,
    )
    .await;
    assert_eq!(short.still_sealed().await, 0);
    assert_eq!(
        long.parts().await,
        kept,
        "another context's time is its own"
    );
    assert!(!short.key_is_gone(), "the other context still needs it");
    let places = |read: Vec<super::calls::Read>| {
        let sites = read.into_iter();
        let sites = sites.filter(|(_, claims, _)| matches!(claims, Claims::Site(_)));
        sites.map(|(_, _, parts)| parts.len()).sum::<usize>()
    };
    assert_eq!(places(short.reads(&short.east).await), 0);
    assert_eq!(places(long.reads(&long.east).await), 2);
    assert_eq!(short.told_of_destruction(&short.msf).await.len(), 1);
    assert_eq!(long.told_of_destruction(&long.msf).await.len(), 0);

    short.move_time(OVER_FOUR).await;
    for _ in 0..PATIENCE {
        if short.key_is_gone() {
            break;
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    assert!(short.key_is_gone());
    assert_eq!(long.still_sealed().await, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_said_long_ago_of_a_site_that_still_stands_goes_and_folds_to_the_same_state() {
    let mut world = World::start().await;
    let policy = Policy {
        reconfirm_days: 10,
        ..keeps(1)
    };
    world.set_policy(1, policy).await;
    let ada = world.msf.first();
    let stands = Site::at(44.2, 15.4).to(&world.east, Tier::Exact);
    let stands = world.notify(ada, &stands).await;
    // One whose window has ended counts no longer, though nobody has closed it.
    let at = |days: i64| {
        (now() + time::Duration::days(days))
            .format(&Rfc3339)
            .unwrap()
    };
    let mut over = Site::at(44.3, 15.5).to(&world.east, Tier::Exact);
    over.place["properties"]["window"] = json!({"from": at(-2), "until": at(2)});
    let over = world.notify(ada, &over).await;

    // The organisation is reminded, and reminded; then the months in which it was are destroyed one after the other.
    let alerts = "SELECT least(count(*), 4) FROM hn.statement WHERE kind = 'alert'";
    world.move_time(40 * DAY).await;
    until(&world, alerts, 4).await;
    world.move_time(120 * DAY).await;
    let emptied = "SELECT least(count(*), 1) FROM hn.month WHERE emptied_at IS NOT NULL";
    until(&world, emptied, 1).await;
    let details = "SELECT least(count(*), 1) FROM hn.part p JOIN hn.statement s USING (pos)
                    WHERE s.kind = 'alert' AND octet_length(p.content) = 4";
    assert_eq!(
        world.number(details).await,
        1,
        "what was said of it is destroyed"
    );
    let held = world.month().await.held_by;
    assert_eq!(held.len(), 1, "{held:?}");
    assert_eq!(
        (held[0].by, held[0].nid),
        (HeldBy::Notification, stands.nid)
    );
    assert_ne!(held[0].nid, over.nid);
    let report = world.fold_again().await;
    assert_eq!(report.differences, [], "{:?}", report.rows);
    world.restart().await;
    let report = world.fold_again().await;
    assert_eq!(report.differences, []);
}

#[tokio::test(flavor = "multi_thread")]
async fn who_holds_a_device_is_known_after_the_month_in_which_it_enrolled_is_gone() {
    let mut world = World::start().await;
    let policy = Policy {
        second_signature: true,
        ..keeps(1)
    };
    world.set_policy(1, policy).await;
    world.move_time(OVER).await;
    world.gone().await;
    world.restart().await;
    let ada = world.msf.first();
    let site = Site::at(44.2, 15.4).to(&world.east, Tier::Exact);
    let mut claims = site.claims(&world, ada);
    let Claims::Site(c) = &mut claims else {
        panic!("a site is a site")
    };
    c.iat += OVER;
    let (nid, rev) = (c.nid, c.rev);
    let sealed = site.parts(&world);
    let said = world.said(ada, claims, &sealed).await;
    // Her own second device is the same person's; her colleague's is another's.
    for (unit, refused) in [(2, Some(P::NotAllowed)), (1, None)] {
        let unit = &world.msf.devices[unit];
        let mut cosign = CosignClaims::new(world.common(unit), nid, rev, said.hash);
        cosign.iat += OVER;
        let answer = world.say(unit, cosign, &[]).await;
        assert_eq!(answer.refused(), refused, "{answer:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_policy_that_keeps_for_no_time_or_for_ages_is_refused() {
    let world = World::start().await;
    let by = world.coordinator.first();
    for months in [0, 1_201, u16::MAX] {
        let claims = herald::wire::claims::PolicyClaims::new(world.common(by), 1, keeps(months));
        let answer = world.say(by, claims, &[]).await;
        assert_eq!(answer.refused(), Some(P::InvalidMember), "{months}");
        let pointer = answer.problem.unwrap().pointer;
        assert_eq!(pointer.as_deref(), Some("/policy/retention_months"));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn every_table_that_is_sealed_under_a_month_is_emptied_or_sealed_anew() {
    let world = World::start().await;
    let mut admin = world.db.connect(Database::Admin).await;
    let tables: Vec<String> = sqlx::query_scalar(
        "SELECT DISTINCT table_name::text FROM information_schema.columns
          WHERE table_schema = 'hn' AND column_name LIKE '%month' ORDER BY 1",
    )
    .fetch_all(&mut admin)
    .await
    .unwrap();
    let emptied = ["blob", "check_log", "invite", "part", "seal", "thread"];
    let sealed_anew = ["device", "due", "nudge"];
    let mut known: Vec<_> = [&emptied[..], &sealed_anew[..], &["month"]].concat();
    known.sort_unstable();
    assert_eq!(
        tables, known,
        "say of each what becomes of it: hn.empty_statements, hn.empty_rest, service::retention, and still_sealed here"
    );
}
