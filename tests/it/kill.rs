//! `kill -9` of the server, of its database, and of both, at random moments while an import, a delivery,
//! acknowledgements and checks are under way: nothing that got a receipt is lost, and nothing is doubled.
//!
//! `HERALD_KILLS` says how often (3 unless said), `HERALD_SEED` repeats a run's moments.

use std::collections::{BTreeMap, BTreeSet};
use std::future::Future;
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::{Duration, Instant};

use herald::cli::api::Api;
use herald::cli::directory;
use herald::cli::profile::Profile;
use herald::cli::stream::{Said, Stream};
use herald::crypto::digest::Digest;
use herald::crypto::random::random_bytes;
use herald::crypto::statement;
use herald::domain::ack::AckState;
use herald::domain::clock::Clock;
use herald::domain::ids::{LogPosition, Nid, Revision, Seq};
use herald::domain::kind::Kind;
use herald::domain::notification::Tier;
use herald::store::role::Role;
use herald::wire::api::{BulkItem, Submitted, SubmittedResult};
use herald::wire::build::{Built, Part, build};
use herald::wire::claims::{AckClaims, AckItem, CheckClaims, Claims, NotificationClaims};
use herald::wire::envelope::{Envelope, Event};
use herald::wire::parts::{AckDetail, Audience, Person, name};
use herald::wire::read;
use herald::wire::trust::Trust;
use serde_json::json;

use crate::rig::Rig;

/// The longest that the work goes on before a kill.
const WORK_MOST_MS: u64 = 700;
/// Kills of the database that one life of the server has to bear; it gives up after ten within ten minutes.
const DATABASE_KILLS_MOST: u32 = 5;
/// How long a server may take to work again.
const BACK: Duration = Duration::from_secs(30);

/// SplitMix64 (Steele, Lea, Flood 2014): moments that can be had again from their seed.
struct Dice(u64);

impl Dice {
    fn below(&mut self, bound: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (z ^ (z >> 31)) % bound
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Victim {
    Server,
    Database,
    Both,
}

/// What was sent, and the receipt, once it came.
pub struct Sent {
    bytes: Vec<u8>,
    hash: Digest,
    pub receipt: Option<Submitted>,
    acknowledges: usize,
}

/// What the people at both ends hold in their hands.
#[derive(Default)]
pub struct Ledger {
    pub sent: Vec<Sent>,
    /// The party's inbox: what stands at each sequence number.
    inbox: BTreeMap<u64, Digest>,
    /// Up to where the party's device has said that it keeps what came.
    cursor: u64,
    /// Notified, and not acknowledged yet.
    unacknowledged: Vec<AckItem>,
    /// Questions whose answer arrived.
    answers: Vec<(Vec<u8>, Envelope)>,
}

/// One organisation, one party, and their ledger.
#[derive(Clone)]
pub struct People {
    pub org: (Profile, Api),
    party: (Profile, Api),
    trust: Trust,
    ledger: Arc<Mutex<Ledger>>,
}

impl People {
    /// Enrols them.
    pub async fn enrol(rig: &Rig) -> Self {
        rig.enrol_coordinator().await;
        rig.take_in("msf", "organisation", "MSF", "Amal").await;
        rig.take_in("east", "party-desk", "Eastern Command", "Karim")
            .await;
        let org = rig.person("msf");
        let trust = directory::trust(&org.0, &org.1).await.unwrap();
        Self {
            org,
            party: rig.person("east"),
            trust,
            ledger: Arc::default(),
        }
    }

    /// Their ledger.
    pub fn ledger(&self) -> MutexGuard<'_, Ledger> {
        self.ledger.lock().unwrap()
    }

    /// A new site, signed.
    pub fn site(&self) -> Built {
        let place = json!({
            "type": "Feature", "geometry": {"type": "Point", "coordinates": [44.2, 15.35]},
            "properties": {"category": "hospital", "name": "Al-Thawra", "relation": "run"},
        });
        let audience = Audience {
            party: "east".parse().unwrap(),
            tier: Tier::Exact,
            onward: false,
            cells: Vec::new(),
        };
        let server = self.trust.server_seal();
        let parts = [
            Part::new(name::PLACE, &place).unwrap().sealed_to(server),
            Part::new(name::audience(&audience.party), &audience)
                .unwrap()
                .sealed_to(server),
        ];
        let common = self.org.0.common(&Clock::System);
        let claims =
            NotificationClaims::new(common, Nid::random(), Revision::FIRST, None, false, None);
        build(claims, &parts, &self.org.0.signing_key().unwrap()).unwrap()
    }

    fn acknowledgement(&self, items: Vec<AckItem>) -> Built {
        let detail = AckDetail {
            officer: Some(Person {
                name: "Maj. Karim".to_owned(),
                post: None,
                phone: None,
            }),
            items: Vec::new(),
            dated: None,
        };
        let detail = Part::new(name::DETAIL, &detail)
            .unwrap()
            .sealed_to(self.trust.server_seal());
        let common = self.party.0.common(&Clock::System);
        let claims = AckClaims::new(common, "msf".parse().unwrap(), items, None);
        build(claims, &[detail], &self.party.0.signing_key().unwrap()).unwrap()
    }

    fn question(&self) -> Vec<u8> {
        let area = json!({
            "area": {"kind": "circle", "center": [44.2, 15.35], "radius_m": 100.0},
            "effect_radius_m": 0.0, "window": {},
        });
        let area = Part::new(name::AREA, &area).unwrap().in_the_clear();
        let claims = CheckClaims::new(self.party.0.common(&Clock::System));
        let key = self.party.0.signing_key().unwrap();
        build(claims, &[area], &key).unwrap().envelope.encode()
    }

    /// Writes down what is about to be sent, as a client does before it sends; gives its place in the ledger.
    pub fn keep(&self, built: &Built, acknowledges: usize) -> usize {
        let mut ledger = self.ledger();
        ledger.sent.push(Sent {
            bytes: built.envelope.encode(),
            hash: built.hash,
            receipt: None,
            acknowledges,
        });
        ledger.sent.len() - 1
    }

    fn received(&self, at: usize, submitted: Submitted) {
        let mut ledger = self.ledger();
        let sent = &mut ledger.sent[at];
        let claims = self
            .trust
            .check_receipt(&submitted.receipt, sent.hash)
            .unwrap();
        assert_eq!(claims.pos, submitted.pos);
        match &sent.receipt {
            Some(first) => {
                assert_eq!(submitted.result, SubmittedResult::Known, "kept, so known");
                assert_eq!(submitted.receipt, first.receipt, "the same receipt again");
            }
            None => sent.receipt = Some(submitted),
        }
    }

    /// Imports in batches until it is stopped.
    async fn import(self) {
        loop {
            let built: Vec<Built> = (0..6).map(|_| self.site()).collect();
            let at: Vec<usize> = built.iter().map(|built| self.keep(built, 0)).collect();
            self.send_all(&self.org.1, &at).await;
            tokio::task::yield_now().await;
        }
    }

    /// Sends what the ledger holds at these places in one batch, and files the receipts. Whether all were taken.
    pub async fn send_all(&self, api: &Api, at: &[usize]) -> bool {
        let bytes: Vec<Vec<u8>> = {
            let ledger = self.ledger();
            at.iter().map(|&at| ledger.sent[at].bytes.clone()).collect()
        };
        let slices: Vec<&[u8]> = bytes.iter().map(Vec::as_slice).collect();
        let Ok(response) = api.submit_bulk(&slices).await else {
            return false;
        };
        let mut all = true;
        for (&at, item) in at.iter().zip(response.items) {
            match item {
                BulkItem::Submitted(submitted) => self.received(at, *submitted),
                BulkItem::Refused { problem, .. } => {
                    assert!(
                        problem.status == 503,
                        "{}: {:?}",
                        problem.title,
                        problem.detail
                    );
                    all = false;
                }
            }
        }
        all
    }

    /// Takes one event into the party's inbox: after the last, or again what was there before.
    fn take(&self, event: &Event, last: &mut u64) {
        assert_eq!(event.seq.0, *last + 1, "in order, and nothing left out");
        *last = event.seq.0;
        let hash = statement::hash(&event.envelope.statement);
        let mut ledger = self.ledger();
        if let Some(before) = ledger.inbox.insert(event.seq.0, hash) {
            assert_eq!(before, hash, "the same event at the same number");
            return;
        }
        let (_, claims) = read::read(&event.envelope.statement).unwrap();
        if let Claims::Site(claims) = claims {
            ledger.unacknowledged.push(AckItem {
                nid: claims.nid,
                rev: claims.rev,
                of: hash,
                opened: event.envelope.attachments.iter().map(|a| a.sd).collect(),
                state: AckState::Received,
            });
        }
    }

    /// Follows the party's mailbox over the WebSocket, and says every few events that they are kept.
    async fn follow(self) {
        let mut last = self.ledger().cursor;
        let Ok(mut stream) = Stream::open(&self.party.0, Seq(last)).await else {
            return;
        };
        loop {
            match stream.next(None).await {
                Ok(Said::Event(bytes)) => self.take(&Event::decode(&bytes).unwrap(), &mut last),
                Ok(Said::Fetch(seq)) => panic!("event {seq} is small"),
                Ok(Said::Distress(seq)) => panic!("nobody calls for help at {seq}"),
                Ok(Said::Head(_) | Said::Quiet) => {}
                Ok(Said::Ended(_)) | Err(_) => return,
            }
            if last.is_multiple_of(5) && stream.acknowledge(Seq(last)).await.is_ok() {
                self.ledger().cursor = last;
            }
        }
    }

    /// Acknowledges what has come, each notification once.
    async fn acknowledge(self) {
        loop {
            let items = {
                let mut ledger = self.ledger();
                let from = ledger.unacknowledged.len().saturating_sub(3);
                ledger.unacknowledged.split_off(from)
            };
            if items.is_empty() {
                tokio::time::sleep(Duration::from_millis(5)).await;
                continue;
            }
            let at = self.keep(&self.acknowledgement(items.clone()), items.len());
            let bytes = self.ledger().sent[at].bytes.clone();
            if let Ok(submitted) = self.party.1.submit(&bytes).await {
                self.received(at, submitted);
            }
        }
    }

    /// Asks one question after the other.
    async fn ask(self) {
        loop {
            let question = self.question();
            if let Ok(answer) = self.party.1.check(&question).await {
                self.ledger().answers.push((question, answer));
            }
        }
    }

    /// Sends everything in the ledger again, from a place on: what got a receipt must be known with that receipt, and the
    /// rest gets its first.
    pub async fn send_again(&self, from: usize) {
        let (sites, acks): (Vec<usize>, Vec<usize>) = {
            let ledger = self.ledger();
            (from..ledger.sent.len()).partition(|&at| ledger.sent[at].acknowledges == 0)
        };
        for (api, group) in [(&self.org.1, sites), (&self.party.1, acks)] {
            for chunk in group.chunks(64) {
                assert!(self.send_all(api, chunk).await, "taken at the latest now");
            }
        }
    }

    /// Asks every answered question again, from a place on: the answer stands in the log, so it is the same.
    async fn ask_again(&self, from: usize) {
        let answers = self.ledger().answers[from..].to_vec();
        for (question, answer) in answers {
            let again = self.party.1.check(&question).await.unwrap();
            assert_eq!(again, answer, "the answer of the log");
        }
    }

    /// Fetches the mailbox from the cursor to its end: together with what came before, nothing is missing.
    pub async fn catch_up(&self) {
        let mut last = self.ledger().cursor;
        loop {
            let page = self.party.1.events(Seq(last), 200).await.unwrap();
            for (event, _) in &page.events {
                self.take(event, &mut last);
            }
            if last >= page.head.0 {
                break;
            }
            assert!(
                !page.events.is_empty(),
                "a page before the end is not empty"
            );
        }
        self.party.1.set_cursor(Seq(last)).await.unwrap();
        let mut ledger = self.ledger();
        ledger.cursor = last;
        let seen: Vec<u64> = ledger.inbox.keys().copied().collect();
        assert_eq!(seen, (1..=last).collect::<Vec<_>>());
        let seen: BTreeSet<&Digest> = ledger.inbox.values().collect();
        assert_eq!(seen.len(), ledger.inbox.len(), "each statement once");
        for sent in ledger.sent.iter().filter(|sent| sent.acknowledges == 0) {
            assert!(seen.contains(&sent.hash), "every site reached the party");
        }
    }
}

/// What the database itself says: dense, and nothing twice.
pub async fn look_into_the_database(rig: &Rig, people: &People) {
    let mut admin = rig.connect(Role::Admin).await;
    let (count, first, last, head): (i64, i64, i64, i64) = sqlx::query_as(
        "SELECT count(*), min(pos), max(pos), (SELECT position FROM hn.head) FROM hn.statement",
    )
    .fetch_one(&mut admin)
    .await
    .unwrap();
    assert_eq!(
        (first, last, head),
        (1, count, count),
        "positions are dense"
    );
    let gaps: Vec<String> = sqlx::query_scalar(
        "SELECT a.actor FROM hn.actor a LEFT JOIN hn.mailbox m USING (ctx, actor) GROUP BY a.ctx, a.actor, a.mailbox_seq
         HAVING count(m.seq) <> a.mailbox_seq OR coalesce(max(m.seq), 0) <> a.mailbox_seq OR coalesce(min(m.seq), 1) <> 1",
    )
    .fetch_all(&mut admin)
    .await
    .unwrap();
    assert_eq!(gaps, Vec::<String>::new(), "mailboxes are dense");
    let (sites, acks, twice): (i64, i64, i64) = sqlx::query_as(
        "SELECT (SELECT count(*) FROM hn.revision), (SELECT count(*) FROM hn.ack),
                (SELECT count(*) FROM (SELECT FROM hn.ack GROUP BY nid, rev, party, state HAVING count(*) > 1) x)",
    )
    .fetch_one(&mut admin)
    .await
    .unwrap();
    let stored: Vec<(i64, Vec<u8>)> =
        sqlx::query_as("SELECT pos, hash FROM hn.statement WHERE kind = ANY($1)")
            .bind([Kind::Site, Kind::Ack].map(Kind::as_str).as_slice())
            .fetch_all(&mut admin)
            .await
            .unwrap();
    let ledger = people.ledger();
    let receipted: BTreeMap<Vec<u8>, LogPosition> = ledger
        .sent
        .iter()
        .map(|sent| {
            (
                sent.hash.as_bytes().to_vec(),
                sent.receipt.as_ref().unwrap().pos,
            )
        })
        .collect();
    let stored: BTreeMap<Vec<u8>, LogPosition> = stored
        .into_iter()
        .map(|(pos, hash)| (hash, LogPosition(pos.try_into().unwrap())))
        .collect();
    assert_eq!(
        stored, receipted,
        "exactly what got a receipt, at its position"
    );
    let expected = |acks: bool| {
        let sent = ledger
            .sent
            .iter()
            .filter(|sent| (sent.acknowledges > 0) == acks);
        i64::try_from(sent.map(|sent| sent.acknowledges.max(1)).sum::<usize>()).unwrap()
    };
    assert_eq!((sites, acks, twice), (expected(false), expected(true), 0));
}

/// Repeats until it succeeds, within [`BACK`].
pub async fn until_back<T, E: std::fmt::Display, F: Future<Output = Result<T, E>>>(
    what: impl Fn() -> F,
) {
    let until = Instant::now() + BACK;
    while let Err(error) = what().await {
        assert!(Instant::now() < until, "still not back: {error}");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

fn number(variable: &str) -> Option<u64> {
    std::env::var(variable).ok()?.parse().ok()
}

async fn work_until_killed(rig: &mut Rig, people: &People, dice: &mut Dice, victim: Victim) {
    let work = [
        tokio::spawn(people.clone().import()),
        tokio::spawn(people.clone().follow()),
        tokio::spawn(people.clone().acknowledge()),
        tokio::spawn(people.clone().ask()),
    ];
    tokio::time::sleep(Duration::from_millis(dice.below(WORK_MOST_MS))).await;
    if victim != Victim::Database {
        rig.kill_server();
    }
    if victim != Victim::Server {
        rig.kill_database();
    }
    // Answers that are on their way still arrive.
    tokio::time::sleep(Duration::from_millis(30)).await;
    for task in work {
        task.abort();
        match task.await {
            Ok(()) => {}
            Err(ended) if ended.is_cancelled() => {}
            Err(ended) => std::panic::resume_unwind(ended.into_panic()),
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn kill_9_at_any_moment_loses_no_receipt_and_doubles_nothing() {
    let kills = number("HERALD_KILLS").unwrap_or(3);
    let seed = number("HERALD_SEED").unwrap_or_else(|| u32::from_be_bytes(random_bytes()).into());
    eprintln!("{kills} kills with HERALD_SEED={seed}");
    let mut rig = Rig::start("warn").await;
    let people = People::enrol(&rig).await;
    let mut dice = Dice(seed);
    let mut database_kills = 0;
    for kill in 0..kills {
        let victim = match dice.below(3) {
            0 if database_kills < DATABASE_KILLS_MOST => Victim::Database,
            1 => Victim::Server,
            _ => Victim::Both,
        };
        let (sent, answers) = {
            let ledger = people.ledger();
            (ledger.sent.len(), ledger.answers.len())
        };
        let began = Instant::now();
        work_until_killed(&mut rig, &people, &mut dice, victim).await;
        if victim == Victim::Database {
            database_kills += 1;
        } else {
            database_kills = 0;
            rig.serve();
        }
        until_back(|| people.party.1.me()).await;
        people.send_again(sent).await;
        people.ask_again(answers).await;
        people.catch_up().await;
        look_into_the_database(&rig, &people).await;
        let now = people.ledger().sent.len() - sent;
        eprintln!(
            "kill {kill}: {victim:?}, {now} statements under way, {:?}",
            began.elapsed()
        );
    }
    people.send_again(0).await;
    people.ask_again(0).await;
    let ledger = people.ledger();
    let acknowledged = ledger.sent.iter().any(|sent| sent.acknowledges > 0);
    // The work must have got somewhere, or nothing was tried.
    assert!(kills == 0 || (ledger.sent.len() > 6 && acknowledged && !ledger.answers.is_empty()));
}
