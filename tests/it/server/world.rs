//! The cast: a coordinator, organisations, parties, an auditor and an operator, every device of them enrolled with an
//! invite over TLS at a server of its own, on a database of its own.

use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;

use herald::app::Server;
use herald::config::ServerConfig;
use herald::crypto::keys::{SigningKey, VerifyingKey};
use herald::crypto::seal_key::{SealKey, SealPublicKey};
use herald::crypto::x509::{Authority, Certificate, DeviceSubject, Validity};
use herald::domain::actor::{ActorKind, ActorState, Mode, Role};
use herald::domain::ids::ContextId;
use herald::http::limits::Rate;
use herald::service::deployment::{self, NewContext, NewDeployment};
use herald::store::cluster::Durability;
use herald::wire::claims::Admission;
use herald::wire::invite::InviteCode;
use reqwest::Client;

use super::devices::{Fresh, Member, Unit, client, now};
use crate::support::{TestDb, scratch_dir};

/// The deployment root's.
pub const PASSPHRASE: &str = "a passphrase of a test";

/// Roles and names of an actor's people, a device each.
type People = &'static [(Role, &'static str)];

/// A server and everybody who speaks with it.
pub struct World {
    /// Runs; `None` between [`World::stop`] and [`World::restart`], and in a context beside the one that holds it.
    pub server: Option<Server>,
    /// How it was started.
    pub config: ServerConfig,
    /// Its database.
    pub db: Arc<TestDb>,
    /// Where it is now.
    pub url: String,
    /// Its certificate authority.
    pub ca: Certificate,
    /// The coordinator's first invite.
    pub code: InviteCode,
    /// The deployment, as statements name it.
    pub aud: String,
    /// The context.
    pub ctx: ContextId,
    /// A drill.
    pub mode: Mode,
    /// The server's HPKE key.
    pub reader: SealPublicKey,
    /// A caller without a certificate.
    pub nobody: Client,
    /// Screens; two people.
    pub coordinator: Member,
    /// An organisation with two devices of two persons, then a third of the first person.
    pub msf: Member,
    /// Another organisation.
    pub relief: Member,
    /// A party: a desk, then a planner.
    pub east: Member,
    /// Another party: a desk, then a planner.
    pub west: Member,
    /// An auditor.
    pub auditor: Member,
    /// An operator.
    pub operator: Member,
    /// An organisation that nobody admitted.
    pub stranger: Member,
    /// An organisation whose admission is suspended.
    pub suspended: Member,
    /// A device of `msf` that was taken back.
    pub revoked: Unit,
    /// A device of `msf` that its root has not named.
    pub pending: Unit,
    /// The server's signing key.
    node: VerifyingKey,
    dir: Arc<tempfile::TempDir>,
}

/// What a context of these tests is told.
pub fn new_context(ctx: &str, mode: Mode) -> NewContext {
    NewContext {
        ctx: ctx.parse().unwrap(),
        mode,
        name: format!("The desk of {ctx}"),
        country: None,
        coordinator: "ocha".parse().unwrap(),
        coordinator_name: "The coordinator".to_owned(),
        person: "Cora Ordinator".to_owned(),
    }
}

fn loopback() -> SocketAddr {
    SocketAddr::from(([127, 0, 0, 1], 0))
}

impl World {
    /// Starts a server and enrols everybody.
    pub async fn start() -> Box<Self> {
        Self::start_with(|_| ()).await
    }

    /// As [`World::start`], with the configuration changed first.
    pub async fn start_with(change: impl FnOnce(&mut ServerConfig)) -> Box<Self> {
        let mut worlds = Self::start_several(&[("yem", Mode::Exercise)], change).await;
        worlds.remove(0)
    }

    /// Starts a server with several contexts and enrols everybody in each: the same cast, by the same names. The first
    /// world holds the server.
    pub async fn start_several(
        contexts: &[(&str, Mode)],
        change: impl FnOnce(&mut ServerConfig),
    ) -> Vec<Box<Self>> {
        let db = Arc::new(TestDb::new().await);
        let dir = Arc::new(scratch_dir());
        let config = Self::configured(&db.url().await, dir.path(), change);
        let codes = Self::made(&config, contexts);
        let server = Server::start(config.clone()).await.unwrap();
        let mut worlds = Vec::new();
        for code in codes {
            let shared = (Arc::clone(&db), Arc::clone(&dir));
            let mut world = Self::open(shared, &config, code, &server);
            Box::pin(world.enrol_everybody()).await;
            worlds.push(world);
        }
        worlds[0].server = Some(server);
        worlds
    }

    /// A server's configuration for tests: nothing waits, and nothing is held back.
    pub fn configured(
        url: &str,
        dir: &Path,
        change: impl FnOnce(&mut ServerConfig),
    ) -> ServerConfig {
        let mut config = ServerConfig::new(dir.join("deployment"));
        config.database_url = Some(url.to_owned());
        config.durability = Durability::FastForTests;
        config.listen = loopback();
        config.ops = loopback();
        config.pools.app.connections = 6;
        config.pools.intake.connections = 4;
        config.pools.worker.connections = 4;
        config.shutdown.unready = std::time::Duration::ZERO;
        let often = std::num::NonZeroU32::new(100_000).unwrap();
        for rate in [
            &mut config.limits.rate.checks,
            &mut config.limits.rate.statements,
            &mut config.limits.rate.reads,
            &mut config.limits.rate.enrolment,
            &mut config.limits.rate.distress,
            &mut config.limits.rate.address,
            &mut config.limits.connection.new_per_address,
        ] {
            *rate = Rate::new(often, often);
        }
        change(&mut config);
        config
    }

    /// Makes a deployment with these contexts; gives their coordinators' invites.
    pub fn made(config: &ServerConfig, contexts: &[(&str, Mode)]) -> Vec<InviteCode> {
        let dir = &config.dir;
        let (first, mode) = contexts[0];
        let new = NewDeployment {
            name: "A deployment".to_owned(),
            hosts: vec!["127.0.0.1".to_owned()],
            listen: herald::config::DEFAULT_LISTEN,
            context: new_context(first, mode),
        };
        let mut codes = vec![deployment::create(dir, &new, PASSPHRASE, now()).unwrap()];
        for (ctx, mode) in &contexts[1..] {
            let (root, new) = (dir.join(deployment::ROOT), new_context(ctx, *mode));
            let added = deployment::add_context(dir, &root, &new, PASSPHRASE, now());
            codes.push(added.unwrap());
        }
        codes
    }

    fn open(
        (db, dir): (Arc<TestDb>, Arc<tempfile::TempDir>),
        config: &ServerConfig,
        code: InviteCode,
        server: &Server,
    ) -> Box<Self> {
        let ca = std::fs::read_to_string(config.dir.join("keys/ca.pem")).unwrap();
        let ca = Certificate::from_pem(&ca).unwrap();
        let deployment = &server.core.deployment;
        let spare = || {
            let fresh = Fresh::new();
            Unit {
                actor: "msf".parse().unwrap(),
                id: fresh.id,
                role: Role::Organisation,
                signing: fresh.signing,
                seal: fresh.seal,
                tls: fresh.tls,
                certificate: ca.clone(),
                http: client(&ca, None),
            }
        };
        Box::new(Self {
            url: format!("https://{}", server.address),
            aud: deployment.aud.clone(),
            ctx: code.ctx.clone(),
            mode: deployment.contexts[&code.ctx].mode,
            reader: deployment.contexts[&code.ctx].hpke.public_key().clone(),
            nobody: client(&ca, None),
            coordinator: Self::blank("ocha", ActorKind::Coordinator),
            msf: Self::blank("msf", ActorKind::Organisation),
            relief: Self::blank("relief", ActorKind::Organisation),
            east: Self::blank("east", ActorKind::Party),
            west: Self::blank("west", ActorKind::Party),
            auditor: Self::blank("auditor", ActorKind::Auditor),
            operator: Self::blank("operator", ActorKind::Operator),
            stranger: Self::blank("stranger", ActorKind::Organisation),
            suspended: Self::blank("paused", ActorKind::Organisation),
            revoked: spare(),
            pending: spare(),
            server: None,
            config: config.clone(),
            db,
            ca,
            code,
            node: *deployment.signing.verifying_key(),
            dir,
        })
    }

    async fn enrol_everybody(&mut self) {
        let code = self.code.clone();
        let mut coordinator = Self::blank("ocha", ActorKind::Coordinator);
        Box::pin(self.enrol_with(&mut coordinator, &code, Role::Coordinator)).await;
        self.coordinator = coordinator;
        let people: [(&str, ActorKind, People); 8] = [
            (
                "msf",
                ActorKind::Organisation,
                &[
                    (Role::Organisation, "Ada One"),
                    (Role::Organisation, "Bo Two"),
                    (Role::Organisation, "ada one "),
                ],
            ),
            (
                "relief",
                ActorKind::Organisation,
                &[(Role::Organisation, "Rae Lief")],
            ),
            (
                "east",
                ActorKind::Party,
                &[
                    (Role::PartyDesk, "Eve East"),
                    (Role::PartyPlanner, "Pia East"),
                ],
            ),
            (
                "west",
                ActorKind::Party,
                &[
                    (Role::PartyDesk, "Wes West"),
                    (Role::PartyPlanner, "Pat West"),
                ],
            ),
            (
                "auditor",
                ActorKind::Auditor,
                &[(Role::Auditor, "Au Ditor")],
            ),
            (
                "operator",
                ActorKind::Operator,
                &[(Role::Operator, "Opa Rator")],
            ),
            (
                "stranger",
                ActorKind::Organisation,
                &[(Role::Organisation, "Stran Ger")],
            ),
            (
                "paused",
                ActorKind::Organisation,
                &[(Role::Organisation, "Pau Sed")],
            ),
        ];
        for (id, kind, devices) in people {
            let mut member = Self::blank(id, kind);
            for (role, person) in devices {
                let code = self.invite(id, kind, *role, person).await;
                Box::pin(self.enrol_with(&mut member, &code, *role)).await;
            }
            if id != "stranger" {
                self.admit(&member, Admission::Admitted).await;
            }
            if id == "paused" {
                self.admit(&member, Admission::Suspended).await;
            }
            *self.member_mut(id) = member;
        }
        let msf = || ("msf", ActorKind::Organisation, Role::Organisation);
        let code = self.invite(msf().0, msf().1, msf().2, "Lost Device").await;
        let blank = Self::blank("msf", msf().1);
        let mut member = std::mem::replace(&mut self.msf, blank);
        Box::pin(self.enrol_with(&mut member, &code, msf().2)).await;
        self.revoked = member.devices.pop().unwrap();
        self.msf = member;
        let (actor, device) = (self.msf.id.clone(), self.revoked.id.clone());
        self.revoke(actor, device).await;
        let code = self.invite(msf().0, msf().1, msf().2, "Pen Ding").await;
        self.pending = self.enrol_pending(&code).await;
    }

    pub fn blank(id: &str, kind: ActorKind) -> Member {
        Member {
            id: id.parse().unwrap(),
            kind,
            root: SigningKey::generate(),
            desk: SealKey::generate(),
            serial: 0,
            keys: None,
            devices: Vec::new(),
        }
    }

    fn member_mut(&mut self, id: &str) -> &mut Member {
        match id {
            "msf" => &mut self.msf,
            "relief" => &mut self.relief,
            "east" => &mut self.east,
            "west" => &mut self.west,
            "auditor" => &mut self.auditor,
            "operator" => &mut self.operator,
            "stranger" => &mut self.stranger,
            "paused" => &mut self.suspended,
            other => panic!("nobody is called {other}"),
        }
    }

    /// Adds a context to the deployment, with a cast of the same names, that this one's server serves too from now on.
    pub async fn another(&mut self, ctx: &str, mode: Mode) -> Box<Self> {
        self.stop().await;
        let config = &self.config;
        let root = config.dir.join(deployment::ROOT);
        let new = new_context(ctx, mode);
        let code = deployment::add_context(&config.dir, &root, &new, PASSPHRASE, now()).unwrap();
        let server = Server::start(config.clone()).await.unwrap();
        let shared = (Arc::clone(&self.db), Arc::clone(&self.dir));
        let mut other = Self::open(shared, config, code, &server);
        Box::pin(other.enrol_everybody()).await;
        self.server = Some(server);
        self.url.clone_from(&other.url);
        other
    }

    /// The server's signing key.
    pub fn node(&self) -> VerifyingKey {
        self.node
    }

    /// What the running server stands on.
    pub fn core(&self) -> &herald::service::core::Core {
        &self.server.as_ref().expect("it runs").core
    }

    /// The deployment's certificate authority, to issue what enrolment would not.
    pub fn authority(&self) -> Authority {
        let read = |file| std::fs::read_to_string(self.config.dir.join(file)).unwrap();
        Authority::from_pem(&read("keys/ca.pem"), &read("keys/ca.key")).unwrap()
    }

    /// A certificate for a device, without an enrolment.
    pub fn issue(&self, fresh: &Fresh) -> Certificate {
        let subject = DeviceSubject {
            device: fresh.id.as_str(),
            organisation: "msf",
        };
        let validity = Validity::days(now() - time::Duration::minutes(5), 30).unwrap();
        self.authority()
            .issue_device(&fresh.tls.make_csr().unwrap(), &subject, validity)
            .unwrap()
    }

    /// Everybody in the context who may speak, device by device.
    pub fn everybody(&self) -> Vec<&Unit> {
        let members = [
            &self.coordinator,
            &self.msf,
            &self.relief,
            &self.east,
            &self.west,
            &self.auditor,
            &self.operator,
        ];
        members.into_iter().flat_map(|m| &m.devices).collect()
    }

    /// Ends the server in order.
    pub async fn stop(&mut self) {
        let server = self.server.take().expect("it runs");
        assert_eq!(Box::pin(server.stop()).await.cut_short, Vec::<&str>::new());
    }

    /// Ends the server in order, if it runs, and starts it again on the same files and database, at another port.
    pub async fn restart(&mut self) {
        if self.server.is_some() {
            self.stop().await;
        }
        let server = Box::pin(Server::start(self.config.clone())).await.unwrap();
        self.url = format!("https://{}", server.address);
        self.server = Some(server);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn everybody_enrols_and_the_server_starts_again_with_them() {
    let mut world = World::start().await;
    for round in 0..2 {
        let members = [
            (&world.coordinator, ActorState::Admitted),
            (&world.msf, ActorState::Admitted),
            (&world.relief, ActorState::Admitted),
            (&world.east, ActorState::Admitted),
            (&world.west, ActorState::Admitted),
            (&world.auditor, ActorState::Admitted),
            (&world.operator, ActorState::Admitted),
            (&world.stranger, ActorState::Enrolled),
            (&world.suspended, ActorState::Suspended),
        ];
        for (member, state) in members {
            for unit in &member.devices {
                let me = world.me(unit).await;
                assert_eq!((me.actor, me.device), (unit.actor.clone(), unit.id.clone()));
                assert_eq!((me.role, me.actor_state), (unit.role, state));
            }
        }
        if round == 0 {
            world.restart().await;
        }
    }
    world.stop().await;
}
