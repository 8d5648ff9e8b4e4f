//! A server with its cast, used again by one sequence after another. Statements go into an intake of the test's own on the
//! same database, as a second node's would, or over TLS; time is moved in the database, and what falls due is looked at
//! until nothing more happens.

use std::collections::BTreeMap;
use std::sync::Arc;

use herald::crypto::digest::Digest;
use herald::crypto::seal_key::SealKey;
use herald::domain::actor::{ActorState, DeviceState, Mode};
use herald::domain::clock::{Clock, from_micros, micros};
use herald::domain::ids::{ContextId, DeviceId, Seq};
use herald::domain::notification::{Outcome as End, Tier};
use herald::service::deployment;
use herald::service::intake::{Bearer, Intake, Wake};
use herald::service::mailbox::{Mailboxes, PageLimits, Reader};
use herald::service::principal::Principal;
use herald::service::rebuild::check_in;
use herald::service::schedule::Schedule;
use herald::store::endpoint::Endpoint;
use herald::store::role::Role;
use herald::wire::api::Submitted;
use herald::wire::claims::{CloseClaims, OnBehalf};
use herald::wire::envelope::Envelope;
use herald::wire::problem::ProblemKind;
use sqlx::{PgConnection, Row as _};
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;
use tokio_util::sync::CancellationToken;

use super::cast::Desk;
use super::hear::Heard;
use super::speak::member;
use crate::server::{Attached, Site, Unit, World};
use crate::support::TestDb;

/// Looks at the schedule until nothing more happens: fifteen minutes of a call are the most that follow each other.
const LOOKS: usize = 60;

/// How a sequence reaches the server.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Way {
    /// An intake in this process.
    Within,
    /// TLS and WebSockets.
    Wire,
}

/// What became of a statement.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    /// It is stored.
    Taken {
        /// The same bytes were before.
        known: bool,
        /// Where.
        pos: u64,
        /// When.
        at: OffsetDateTime,
    },
    /// It is not.
    Refused(ProblemKind),
}

/// A node of the test's own.
struct Node {
    intake: Intake,
    mailboxes: Mailboxes,
    stop: CancellationToken,
    worker: tokio::task::JoinHandle<()>,
}

/// A server with its cast.
pub struct Stage {
    /// The cast of each of its two contexts; the first has the server, and is an exercise.
    pub worlds: [Box<World>; 2],
    /// A photo that each of them has sent, in each context.
    pub photos: [BTreeMap<Desk, Attached>; 2],
    /// The database, for whoever may look at everything and move the clock.
    pub admin: PgConnection,
    /// The versions of the policies in force.
    pub policies: [u32; 2],
    node: Node,
    /// How far the clock is set ahead, seconds.
    pub ahead_s: i64,
}

impl Stage {
    /// Starts it, with a second context that is live.
    pub async fn start() -> Self {
        Self::start_with(Mode::Live).await
    }

    /// Starts it, and has the photos sent and named, so that they stay.
    pub async fn start_with(second: Mode) -> Self {
        let mut first = World::start().await;
        let second = Box::pin(first.another("sdn", second)).await;
        let worlds = [first, second];
        let mut photos = [BTreeMap::new(), BTreeMap::new()];
        for (world, photos) in worlds.iter().zip(&mut photos) {
            for desk in Desk::ALL.into_iter().filter(|desk| desk.has_photo()) {
                photos.insert(desk, photo(world, desk).await);
            }
        }
        Self {
            admin: worlds[0].db.connect(Role::Admin).await,
            node: Node::of(&worlds[0]),
            worlds,
            photos,
            policies: [0, 0],
            ahead_s: 0,
        }
    }

    /// Ends it in order.
    pub async fn end(mut self) {
        self.node.end().await;
        self.worlds[0].stop().await;
    }

    /// The server ends and starts again.
    pub async fn restart(&mut self) {
        self.node.end().await;
        self.worlds[0].restart().await;
        let [first, second] = &mut self.worlds;
        second.url.clone_from(&first.url);
        self.node = Node::of(&self.worlds[0]);
    }

    /// The last position that was given.
    pub async fn head(&mut self) -> u64 {
        let head: i64 = sqlx::query_scalar("SELECT position FROM hn.head")
            .fetch_one(&mut self.admin)
            .await
            .unwrap();
        u64::try_from(head).unwrap()
    }

    /// The deployment's time.
    pub async fn now(&mut self) -> OffsetDateTime {
        sqlx::query_scalar("SELECT hn.now()")
            .fetch_one(&mut self.admin)
            .await
            .unwrap()
    }

    /// Sets the clock so far ahead of the machine's.
    pub async fn set_ahead(&mut self, seconds: i64) {
        sqlx::query("UPDATE hn.head SET ahead = make_interval(secs => $1)")
            .bind(f64::from(i32::try_from(seconds).unwrap()))
            .execute(&mut self.admin)
            .await
            .unwrap();
        self.ahead_s = seconds;
    }

    /// The machine's time, set ahead as the deployment's is, in whole seconds.
    pub fn signed(&self) -> OffsetDateTime {
        let now = micros(Clock::System.now()) / 1_000_000 + self.ahead_s;
        from_micros(now * 1_000_000)
    }

    /// Everything as a sequence expects it: the clock is right, nothing is to come, nothing is notified, and those are
    /// admitted who should be.
    pub async fn begin(&mut self) {
        if self.ahead_s != 0 {
            self.set_ahead(0).await;
        }
        self.change("DELETE FROM hn.due").await;
        // Of what waits for a desk until it is admitted, nothing is from before.
        self.change(
            "DELETE FROM hn.mailbox WHERE actor = 'stranger';
             UPDATE hn.actor SET mailbox_seq = 0, call_seq = 0 WHERE actor = 'stranger';
             UPDATE hn.device SET cursor_seq = 0 WHERE actor = 'stranger'",
        )
        .await;
        self.change("UPDATE hn.notification SET state = 'closed' WHERE state = 'current'")
            .await;
        self.change(
            "UPDATE hn.actor SET state = CASE actor WHEN 'paused' THEN 'suspended' WHEN 'stranger' THEN 'enrolled'
                ELSE 'admitted' END, next_state = NULL, next_from = NULL, next_about = NULL
              WHERE actor IN ('msf', 'relief', 'east', 'west', 'paused', 'stranger');
             UPDATE hn.audience SET counts = false WHERE counts",
        )
        .await;
    }

    /// Takes a device back without a word.
    pub async fn take_back(&mut self, device: &DeviceId) {
        sqlx::query("UPDATE hn.device SET state = 'revoked' WHERE device = $1")
            .bind(device.as_str())
            .execute(&mut self.admin)
            .await
            .unwrap();
    }

    /// Whether the server starts on a clock that was moved: it does not where a context is live.
    pub fn starts_on_a_moved_clock(&self) -> bool {
        self.worlds.iter().all(|world| world.mode == Mode::Exercise)
    }

    /// Everything that was stored, taken again from the first in a database of its own, gives the state that there is. For
    /// a stage of which nothing was changed behind the server's back.
    pub async fn fold(&self) -> Result<(), String> {
        let config = &self.worlds[0].config;
        let loaded = deployment::load(&config.dir, Clock::System.now()).unwrap();
        let live = Endpoint::external(config.database_url.as_ref().unwrap()).unwrap();
        let (scratch, stop) = (TestDb::new().await, CancellationToken::new());
        let within = scratch.endpoint();
        let report = Box::pin(check_in(&live, &within, loaded, &stop, &|_, _| {})).await;
        let report = report.map_err(|error| format!("it cannot be folded again: {error}"))?;
        let rows = report.differences.iter();
        let rows: Vec<String> = rows
            .map(|row| format!("{} {}: {}", row.table, row.key, row.how))
            .collect();
        if rows.is_empty() {
            return Ok(());
        }
        Err(format!(
            "folded again from the first, {} rows differ:\n  {}",
            report.differ,
            rows.join("\n  ")
        ))
    }

    /// Changes the database behind the server's back.
    pub async fn change(&mut self, sql: &'static str) {
        sqlx::raw_sql(sql).execute(&mut self.admin).await.unwrap();
    }

    /// Lets everything happen that has fallen due. The server's own clockwork looks too; whoever comes first says it.
    pub async fn settle(&mut self) {
        let mut before = None;
        for _ in 0..LOOKS {
            let row = sqlx::query("SELECT h.position, (SELECT max(id) FROM hn.due), (SELECT count(*) FROM hn.due) FROM hn.head h")
                .fetch_one(&mut self.admin)
                .await
                .unwrap();
            let after: (i64, Option<i64>, i64) = (row.get(0), row.get(1), row.get(2));
            if before == Some(after) {
                return;
            }
            before = Some(after);
            let mut schedule = Schedule::new(self.worlds[0].core().clone(), silent());
            schedule.tick().await.unwrap();
        }
        panic!("something falls due again and again");
    }

    /// Submits a statement, brought by a device of a context.
    pub async fn submit(
        &self,
        way: Way,
        (side, bearer): (usize, &Unit),
        envelope: &[u8],
    ) -> Outcome {
        match way {
            Way::Within => {
                self.submit_within(&self.worlds[side].ctx, bearer, envelope)
                    .await
            }
            Way::Wire => {
                let answer = self.worlds[side].submit(bearer, envelope.to_vec()).await;
                if let Some(kind) = answer.refused() {
                    return Outcome::Refused(kind);
                }
                let known = answer.status.as_u16() == 200;
                self.taken(known, &answer.json::<Submitted>().receipt)
            }
        }
    }

    async fn submit_within(&self, ctx: &ContextId, bearer: &Unit, envelope: &[u8]) -> Outcome {
        let envelope = Envelope::decode(envelope).unwrap();
        let principal = Principal {
            ctx: ctx.clone(),
            actor: bearer.actor.clone(),
            kind: bearer.role.actor_kind(),
            name: String::new(),
            actor_state: ActorState::Admitted,
            device: bearer.id.clone(),
            role: bearer.role,
            device_state: DeviceState::Active,
            key: *bearer.signing.verifying_key(),
            spki: Digest::of(b"not looked at"),
            until: i64::MAX,
            former: false,
        };
        let taken = self
            .node
            .intake
            .submit(envelope, Bearer::Device(principal))
            .await;
        match taken {
            Ok(taken) => self.taken(taken.known, &taken.receipt),
            Err(problem) => Outcome::Refused(problem.kind().expect("one of ours")),
        }
    }

    /// What a receipt says, held against the server's key.
    pub fn taken(&self, known: bool, receipt: &str) -> Outcome {
        let receipt = self.worlds[0].receipt(receipt);
        Outcome::Taken {
            known,
            pos: receipt.pos.0,
            at: OffsetDateTime::parse(&receipt.at, &Rfc3339).unwrap(),
        }
    }

    /// The end of a desk's mailbox.
    pub async fn end_of(&mut self, side: usize, desk: Desk) -> u64 {
        let seq: i64 =
            sqlx::query_scalar("SELECT mailbox_seq FROM hn.actor WHERE ctx = $1 AND actor = $2")
                .bind(self.worlds[side].ctx.as_str())
                .bind(desk.name())
                .fetch_one(&mut self.admin)
                .await
                .unwrap();
        u64::try_from(seq).unwrap()
    }

    /// What a desk's mailbox holds after a place, read by its first device.
    pub async fn reads(&self, side: usize, desk: Desk, after: u64) -> Result<Vec<Heard>, String> {
        let member = member(&self.worlds[side], desk);
        self.reads_as((side, member.first()), &member.desk, after)
            .await
    }

    /// What a device reads after a place, opened with a key.
    pub async fn reads_as(
        &self,
        (side, unit): (usize, &Unit),
        key: &SealKey,
        after: u64,
    ) -> Result<Vec<Heard>, String> {
        let reader = Reader {
            ctx: self.worlds[side].ctx.clone(),
            actor: unit.actor.clone(),
            kind: unit.role.actor_kind(),
            device: unit.id.clone(),
        };
        let (mut after, mut out) = (Seq(after), Vec::new());
        loop {
            let page = self
                .node
                .mailboxes
                .page(&reader, after, PageLimits::POLL)
                .await;
            let page = page.map_err(|error| format!("{} cannot read: {error}", unit.actor))?;
            let Some(last) = page.events.last() else {
                return Ok(out);
            };
            after = last.seq;
            for event in &page.events {
                out.push(Heard::of(&event.bytes, key)?);
            }
        }
    }
}

/// A photo that a desk has sent, and named in a site, so that it stays. The coordinator names it for an organisation. The
/// site is closed again: nothing is notified when a sequence begins.
async fn photo(world: &World, desk: Desk) -> Attached {
    let (own, photo) = (member(world, desk), Attached::photo(1_000));
    world.upload(own.first(), &photo).await;
    let mut site = Site::at(44.2, 15.4).to(&world.east, Tier::Exact);
    let mut readers = vec![&world.coordinator, &world.east];
    if desk == Desk::Ocha {
        readers.push(&world.msf);
        site = site.on_behalf_of(&world.msf.id, b"a letter");
    } else {
        readers.push(own);
    }
    let site = site.attach(&[&photo], &readers);
    let site = world.notify(own.first(), &site).await;
    let behalf = (desk == Desk::Ocha).then(|| OnBehalf {
        org: world.msf.id.clone(),
        source: Digest::of(b"a letter"),
    });
    let (nid, next, hash) = (site.nid, site.rev.next(), site.hash);
    let common = world.common(own.first());
    let close = CloseClaims::new(common, nid, next, hash, End::Completed, behalf);
    world.said(own.first(), close, &[]).await;
    photo
}

impl Node {
    fn of(world: &World) -> Self {
        let core = world.core().clone();
        let mailboxes = Mailboxes::new(core.pools.clone(), Arc::clone(&core.keyring));
        let (intake, worker) = Intake::new(core, silent());
        let stop = CancellationToken::new();
        Self {
            intake,
            mailboxes,
            worker: tokio::spawn(worker.run(stop.clone())),
            stop,
        }
    }

    async fn end(&mut self) {
        self.stop.cancel();
        (&mut self.worker).await.unwrap();
    }
}

/// Whoever is to hear of a commit looks by itself.
fn silent() -> Wake {
    Arc::new(|_| ())
}
