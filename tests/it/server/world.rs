//! The cast: a coordinator, organisations, parties, an auditor and an operator, every device of them enrolled with an
//! invite over TLS at a server of its own, on a database of its own.

use std::net::SocketAddr;

use bytes::Bytes;
use herald::app::Server;
use herald::config::ServerConfig;
use herald::crypto::digest::Digest;
use herald::crypto::keys::{SigningKey, VerifyingKey};
use herald::crypto::seal_key::{SealKey, SealPublicKey};
use herald::crypto::x509::{Authority, Certificate, DeviceSubject, TlsKey, Validity};
use herald::crypto::{b64url, random};
use herald::domain::actor::{ActorKind, ActorState, Mode, Role};
use herald::domain::clock::Clock;
use herald::domain::ids::{ActorId, ContextId, DeviceId, Issuer};
use herald::http::limits::Rate;
use herald::service::deployment::{self, NewDeployment};
use herald::store::cluster::Durability;
use herald::tls::{self, Credentials};
use herald::wire::api::{EnrolRequest, EnrolResponse, Me, RenewRequest, Submitted};
use herald::wire::claims::{
    Admission, AdmitClaims, Claims, Common, DeviceKey, InviteClaims, KeysClaims, RenewClaims,
    RevocationReason, RevokeClaims,
};
use herald::wire::envelope::{ENVELOPE_TYPE, ENVELOPES_TYPE};
use herald::wire::invite::InviteCode;
use herald::wire::parts::{InvitedPerson, name};
use herald::wire::problem::{PROBLEM_MEDIA_TYPE, ProblemBody, ProblemKind};
use herald::wire::{build, read};
use reqwest::{Client, Method, StatusCode, header};
use serde::Serialize;
use serde::de::DeserializeOwned;
use time::OffsetDateTime;
use uuid::Uuid;

use crate::support::{TestDb, scratch_dir};

/// A device: its keys, its certificate, and a client that shows it.
pub struct Unit {
    /// Whose it is.
    pub actor: ActorId,
    /// Its name.
    pub id: DeviceId,
    /// What it may do.
    pub role: Role,
    /// Its signing key.
    pub signing: SigningKey,
    /// Its own HPKE key.
    pub seal: SealKey,
    /// Its TLS key.
    pub tls: TlsKey,
    /// Its certificate.
    pub certificate: Certificate,
    /// Shows the certificate.
    pub http: Client,
}

impl Unit {
    /// Who signs.
    pub fn issuer(&self) -> Issuer {
        Issuer::device(self.actor.clone(), self.id.clone())
    }

    /// As a root names it.
    pub fn key(&self) -> DeviceKey {
        let now = now().unix_timestamp();
        DeviceKey {
            id: self.id.clone(),
            jwk: *self.signing.verifying_key(),
            seal: self.seal.public_key().clone(),
            role: self.role,
            nbf: now - 300,
            exp: now + 365 * 86_400,
        }
    }
}

/// An actor: its root, its desk's key, and its devices.
pub struct Member {
    /// Its short name.
    pub id: ActorId,
    /// What it is.
    pub kind: ActorKind,
    /// Its root.
    pub root: SigningKey,
    /// Its desk's HPKE key.
    pub desk: SealKey,
    /// The serial of its latest `keys`.
    pub serial: u32,
    /// The hash of its latest `keys`.
    pub keys: Option<Digest>,
    /// Its devices that its root names, the first one first.
    pub devices: Vec<Unit>,
}

impl Member {
    /// The first device.
    pub fn first(&self) -> &Unit {
        &self.devices[0]
    }

    /// Its reader's key.
    pub fn reader(&self) -> &SealPublicKey {
        self.desk.public_key()
    }
}

/// Roles and names of an actor's people, a device each.
type People = &'static [(Role, &'static str)];

/// What the server answered.
#[derive(Debug, Clone)]
pub struct Answer {
    /// The status.
    pub status: StatusCode,
    /// The problem, if it is one.
    pub problem: Option<ProblemBody>,
    /// The body.
    pub body: Bytes,
}

impl Answer {
    /// The body as JSON.
    pub fn json<T: DeserializeOwned>(&self) -> T {
        assert!(self.status.is_success(), "{self:?}");
        serde_json::from_slice(&self.body).unwrap()
    }

    /// The kind of its problem.
    pub fn refused(&self) -> Option<ProblemKind> {
        let kind = ProblemKind::from_type_uri(&self.problem.as_ref()?.type_uri).unwrap();
        assert_eq!(kind.spec().status, self.status.as_u16(), "{self:?}");
        Some(kind)
    }
}

/// A server and everybody who speaks with it.
pub struct World {
    /// Runs; `None` between [`World::stop`] and [`World::restart`].
    pub server: Option<Server>,
    /// How it was started.
    pub config: ServerConfig,
    /// Its database.
    pub db: TestDb,
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
    _dir: tempfile::TempDir,
}

pub fn now() -> OffsetDateTime {
    Clock::System.now()
}

fn loopback() -> SocketAddr {
    SocketAddr::from(([127, 0, 0, 1], 0))
}

/// A client that trusts the deployment's CA, and shows a certificate if there is one.
pub fn client(ca: &Certificate, own: Option<(&Certificate, &TlsKey)>) -> Client {
    let credentials = own
        .map(|(certificate, key)| Credentials::from_der(&[certificate.der()], &key.to_pkcs8_der()));
    let config = tls::client_config(&tls::certificate(ca.der()), credentials).unwrap();
    Client::builder()
        .tls_backend_preconfigured(config)
        .no_proxy()
        .build()
        .unwrap()
}

/// A device before it has enrolled.
pub struct Fresh {
    pub id: DeviceId,
    pub signing: SigningKey,
    pub seal: SealKey,
    pub tls: TlsKey,
}

impl Fresh {
    pub fn new() -> Self {
        Self {
            id: DeviceId::from_random(random::random_bytes()),
            signing: SigningKey::generate(),
            seal: SealKey::generate(),
            tls: TlsKey::generate().unwrap(),
        }
    }

    /// As a root names it.
    pub fn key(&self, role: Role) -> DeviceKey {
        let now = now().unix_timestamp();
        DeviceKey {
            id: self.id.clone(),
            jwk: *self.signing.verifying_key(),
            seal: self.seal.public_key().clone(),
            role,
            nbf: now - 300,
            exp: now + 365 * 86_400,
        }
    }

    /// Its request, with or without its root's word.
    pub fn request(&self, code: &InviteCode, keys: Option<String>) -> EnrolRequest {
        EnrolRequest {
            invite: code.secret_b64url(),
            csr: b64url(&self.tls.make_csr().unwrap()),
            device: self.id.clone(),
            jwk: *self.signing.verifying_key(),
            seal: self.seal.public_key().clone(),
            keys,
            seals: Vec::new(),
        }
    }

    /// The device, now that it has its certificate.
    pub fn enrolled(self, ca: &Certificate, answer: &EnrolResponse) -> Unit {
        let certificate = Certificate::from_pem(&answer.certificate).unwrap();
        let http = client(ca, Some((&certificate, &self.tls)));
        Unit {
            actor: answer.me.actor.clone(),
            id: answer.me.device.clone(),
            role: answer.me.role,
            signing: self.signing,
            seal: self.seal,
            tls: self.tls,
            certificate,
            http,
        }
    }
}

impl World {
    /// Starts a server and enrols everybody.
    pub async fn start() -> Box<Self> {
        Self::start_with(|_| ()).await
    }

    /// As [`World::start`], with the configuration changed first.
    pub async fn start_with(change: impl FnOnce(&mut ServerConfig)) -> Box<Self> {
        let db = TestDb::new().await;
        let url = db.url().await;
        let dir = scratch_dir();
        let mut config = ServerConfig::new(dir.path().join("deployment"));
        config.database_url = Some(url);
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
            &mut config.limits.rate.address,
            &mut config.limits.connection.new_per_address,
        ] {
            *rate = Rate::new(often, often);
        }
        change(&mut config);
        let new = NewDeployment {
            name: "A drill".to_owned(),
            ctx: "yem".parse().unwrap(),
            mode: Mode::Exercise,
            country: None,
            hosts: vec!["127.0.0.1".to_owned()],
            listen: herald::config::DEFAULT_LISTEN,
            coordinator: "ocha".parse().unwrap(),
            coordinator_name: "The coordinator".to_owned(),
            person: "Cora Ordinator".to_owned(),
        };
        let code = deployment::create(&config.dir, &new, "a passphrase of a test", now()).unwrap();
        let mut world = Box::pin(Self::open(db, dir, config, code)).await;
        Box::pin(world.enrol_everybody()).await;
        world
    }

    async fn open(
        db: TestDb,
        dir: tempfile::TempDir,
        config: ServerConfig,
        code: InviteCode,
    ) -> Box<Self> {
        let server = Server::start(config.clone()).await.unwrap();
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
            ctx: deployment.ctx.clone(),
            mode: deployment.mode,
            reader: deployment.hpke.public_key().clone(),
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
            server: Some(server),
            config,
            db,
            ca,
            code,
            _dir: dir,
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

    fn blank(id: &str, kind: ActorKind) -> Member {
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

    /// The server's signing key.
    pub fn node(&self) -> VerifyingKey {
        *self.core().deployment.signing.verifying_key()
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

    /// The claims of a statement that a device signs now.
    pub fn common(&self, unit: &Unit) -> Common {
        self.common_of(unit.issuer())
    }

    /// As [`World::common`], for any issuer.
    pub fn common_of(&self, iss: Issuer) -> Common {
        Common {
            iss,
            aud: self.aud.clone(),
            ctx: self.ctx.clone(),
            mode: self.mode,
            jti: Uuid::new_v4(),
            iat: now().unix_timestamp(),
        }
    }

    /// Sends a request as it is given.
    pub async fn call(
        &self,
        http: &Client,
        method: Method,
        path: &str,
        body: Option<(&str, Vec<u8>)>,
    ) -> Answer {
        let mut request = http.request(method, format!("{}{path}", self.url));
        if let Some((media, body)) = body {
            request = request.header(header::CONTENT_TYPE, media).body(body);
        }
        let response = request.send().await.unwrap();
        let status = response.status();
        let is_problem = response
            .headers()
            .get(header::CONTENT_TYPE)
            .is_some_and(|media| media == PROBLEM_MEDIA_TYPE);
        let body = response.bytes().await.unwrap();
        Answer {
            status,
            problem: is_problem.then(|| serde_json::from_slice(&body).unwrap()),
            body,
        }
    }

    /// Reads a path.
    pub async fn get(&self, unit: &Unit, path: &str) -> Answer {
        self.call(&unit.http, Method::GET, path, None).await
    }

    /// Posts JSON.
    pub async fn post_json(&self, http: &Client, path: &str, value: &impl Serialize) -> Answer {
        let body = serde_json::to_vec(value).unwrap();
        self.call(http, Method::POST, path, Some(("application/json", body)))
            .await
    }

    /// Submits an envelope.
    pub async fn submit(&self, unit: &Unit, envelope: Vec<u8>) -> Answer {
        let body = Some((ENVELOPE_TYPE, envelope));
        self.call(&unit.http, Method::POST, "/v1/statements", body)
            .await
    }

    /// Submits several envelopes at once.
    pub async fn submit_bulk(&self, unit: &Unit, envelopes: &[Vec<u8>]) -> Answer {
        let joined = herald::wire::envelope::join(envelopes.iter().map(Vec::as_slice));
        let body = Some((ENVELOPES_TYPE, joined));
        self.call(&unit.http, Method::POST, "/v1/statements/bulk", body)
            .await
    }

    /// Signs and submits a statement.
    pub async fn say(
        &self,
        unit: &Unit,
        claims: impl Into<Claims>,
        parts: &[build::Part],
    ) -> Answer {
        let built = build::build(claims, parts, &unit.signing).unwrap();
        self.submit(unit, built.envelope.encode()).await
    }

    /// As [`World::say`], and it must be taken.
    pub async fn said(
        &self,
        unit: &Unit,
        claims: impl Into<Claims>,
        parts: &[build::Part],
    ) -> Submitted {
        let answer = self.say(unit, claims, parts).await;
        assert_eq!(answer.status, StatusCode::CREATED, "{answer:?}");
        answer.json()
    }

    /// Invites a person; gives the code as it would be handed over.
    pub async fn invite(
        &self,
        actor: &str,
        kind: ActorKind,
        role: Role,
        person: &str,
    ) -> InviteCode {
        let code = InviteCode::fresh(
            self.code.ca,
            self.code.deployment_root,
            Some(self.coordinator.root.verifying_key().kid()),
            actor.parse().unwrap(),
            role,
        );
        let (claims, parts) = self.invite_of(&code, kind, person, 86_400);
        self.said(self.coordinator.first(), claims, &parts).await;
        code
    }

    /// The invitation of a code, good for some seconds.
    pub fn invite_of(
        &self,
        code: &InviteCode,
        kind: ActorKind,
        person: &str,
        seconds: i64,
    ) -> (InviteClaims, [build::Part; 1]) {
        let common = self.common(self.coordinator.first());
        let exp = common.iat + seconds;
        let claims = InviteClaims::new(
            common,
            code.hash(),
            code.actor.clone(),
            kind,
            format!("The {}", code.actor),
            code.role,
            exp,
        );
        let person = InvitedPerson {
            name: person.to_owned(),
        };
        let part = build::Part::new(name::PERSON, &person).unwrap();
        (claims, [part.sealed_to(&self.reader)])
    }

    /// The `keys` of a member's root that names its devices and one more.
    pub fn keys_of(&self, member: &Member, more: Option<DeviceKey>) -> build::Built {
        let mut devices: Vec<DeviceKey> = member.devices.iter().map(Unit::key).collect();
        devices.extend(more);
        self.keys_with(member, devices)
    }

    /// The next `keys` of a member's root, with these devices.
    pub fn keys_with(&self, member: &Member, devices: Vec<DeviceKey>) -> build::Built {
        let claims = KeysClaims::new(
            self.common_of(Issuer::root(member.id.clone())),
            member.serial + 1,
            member.keys,
            *member.root.verifying_key(),
            devices,
            member.desk.public_key().clone(),
        );
        build::build(claims, &[], &member.root).unwrap()
    }

    /// Enrols one more device of a member, named by its root at once.
    pub async fn enrol_with(&self, member: &mut Member, code: &InviteCode, role: Role) {
        let fresh = Fresh::new();
        let keys = self.keys_of(member, Some(fresh.key(role)));
        let request = fresh.request(code, Some(keys.envelope.statement.clone()));
        let answer = self.post_json(&self.nobody, "/v1/enrol", &request).await;
        let answer: EnrolResponse = answer.json();
        member.devices.push(fresh.enrolled(&self.ca, &answer));
        member.serial += 1;
        member.keys = Some(keys.hash);
    }

    /// Enrols a device that its root has not named.
    pub async fn enrol_pending(&self, code: &InviteCode) -> Unit {
        let fresh = Fresh::new();
        let request = fresh.request(code, None);
        let answer = self.post_json(&self.nobody, "/v1/enrol", &request).await;
        fresh.enrolled(&self.ca, &answer.json())
    }

    /// The coordinator compares a fingerprint, and says so.
    pub async fn admit(&self, member: &Member, state: Admission) {
        let claims = self.admission(member, state);
        self.said(self.coordinator.first(), claims, &[]).await;
    }

    /// What the coordinator says of a member.
    pub fn admission(&self, member: &Member, state: Admission) -> AdmitClaims {
        AdmitClaims::new(
            self.common(self.coordinator.first()),
            member.id.clone(),
            member.kind,
            format!("The {}", member.id),
            member.root.verifying_key().kid(),
            state,
        )
    }

    /// The coordinator takes a device back.
    pub async fn revoke(&self, actor: ActorId, device: DeviceId) {
        let by = self.coordinator.first();
        let claims = RevokeClaims::new(self.common(by), actor, device, RevocationReason::Lost);
        self.said(by, claims, &[]).await;
    }

    /// A renewal of a device, to these keys.
    pub fn renewal(&self, unit: &Unit, to: &Fresh) -> RenewRequest {
        let common = self.common(unit);
        let exp = common.iat + 365 * 86_400;
        let claims = RenewClaims::new(
            common,
            *to.signing.verifying_key(),
            to.seal.public_key().clone(),
            exp,
        );
        let built = build::build(claims, &[], &unit.signing).unwrap();
        RenewRequest {
            statement: built.envelope.statement,
            csr: b64url(&to.tls.make_csr().unwrap()),
        }
    }

    /// Who the server takes a device for.
    pub async fn me(&self, unit: &Unit) -> Me {
        self.get(unit, "/v1/me").await.json()
    }

    /// Holds a receipt against the server's key; gives what it says.
    pub fn receipt(&self, receipt: &str) -> herald::wire::claims::ReceiptClaims {
        let (unverified, claims) = read::read(receipt).unwrap();
        unverified.verify(&self.node()).unwrap();
        let Claims::Receipt(claims) = claims else {
            panic!("a receipt is a receipt")
        };
        *claims
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
