//! For tests: an enrolled organisation's profile on disk, with everybody's keys, as a device has it that was connected
//! once and now has no line.

use std::ffi::OsString;
use std::path::Path;
use std::thread::JoinHandle;

use time::macros::datetime;
use uuid::Uuid;

use super::exit::Exit;
use super::output::Output;
use super::profile::{Profile, ProfileFile, file, write_private};
use crate::crypto::keys::SigningKey;
use crate::crypto::seal_key::SealKey;
use crate::crypto::secret_file;
use crate::crypto::x509::{Authority, DeviceSubject, TlsKey, Validity};
use crate::domain::actor::{ActorState, Mode, Role};
use crate::domain::clock::Clock;
use crate::domain::ids::{ActorId, DeviceId, Issuer};
use crate::wire::api::{ActorKeys, KeyDirectory};
use crate::wire::build::build;
use crate::wire::claims::{Admission, AdmitClaims, Claims, Common, DeviceKey, KeysClaims};
use crate::wire::trust::{SERVER, Trust, audience};

/// An actor with one device.
pub struct Actor {
    id: ActorId,
    role: Role,
    root: SigningKey,
    device: SigningKey,
    device_id: DeviceId,
    /// What is meant for it is sealed to this key.
    pub desk: SealKey,
}

impl Actor {
    fn new(id: &str, role: Role) -> Self {
        Self {
            id: id.parse().expect("a slug"),
            role,
            root: SigningKey::generate(),
            device: SigningKey::generate(),
            device_id: DeviceId::from_random([7; 5]),
            desk: SealKey::generate(),
        }
    }
}

/// A context: server, coordinator, one organisation and two parties; and the organisation's profile.
pub struct World {
    dir: tempfile::TempDir,
    /// The server.
    pub server: Actor,
    /// The coordinator.
    pub coordinator: Actor,
    /// The organisation, whose profile it is.
    pub msf: Actor,
    /// A party.
    pub east: Actor,
    /// Another.
    pub west: Actor,
    /// A clock that stands still.
    pub clock: Clock,
}

impl World {
    /// Makes it. Nobody listens at the server's address.
    pub fn new() -> Self {
        crate::tls::install_provider();
        let world = Self {
            dir: tempfile::tempdir().expect("a directory"),
            server: Actor::new(SERVER, Role::Node),
            coordinator: Actor::new("ocha", Role::Coordinator),
            msf: Actor::new("msf", Role::Organisation),
            east: Actor::new("east", Role::PartyDesk),
            west: Actor::new("west", Role::PartyDesk),
            clock: Clock::manual(datetime!(2026-05-01 00:00 UTC)),
        };
        world.write_profile();
        world
    }

    fn write_profile(&self) {
        let dir = self.path();
        let days = Validity::days(self.clock.now(), 30).expect("days");
        let ca = Authority::create("Herald", days).expect("a CA");
        let key = TlsKey::generate().expect("a key");
        let csr = key.make_csr().expect("a request");
        let subject = DeviceSubject {
            device: self.msf.device_id.as_str(),
            organisation: self.msf.id.as_str(),
        };
        let leaf = ca
            .issue_device(&csr, &subject, days)
            .expect("a certificate");
        let me = ProfileFile {
            server: "https://127.0.0.1:1".to_owned(),
            ctx: "yem".parse().expect("a slug"),
            mode: Mode::Exercise,
            actor: self.msf.id.clone(),
            kind: self.msf.role.actor_kind(),
            name: "MSF".to_owned(),
            role: self.msf.role,
            device: self.msf.device_id.clone(),
            ca: ca.certificate().fingerprint(),
            deployment_root: self.server.root.kid(),
            coordinator_root: self.coordinator.root.kid(),
            own_root: Some(self.msf.root.kid()),
        };
        let profile = Profile::create(dir, me).expect("a profile");
        let write =
            |name, bytes: &[u8]| write_private(&profile.path(name), bytes).expect("written");
        write(file::CA, ca.certificate().to_pem().as_bytes());
        write(file::TLS_CERT, leaf.to_pem().as_bytes());
        let secret =
            |name, bytes: &[u8]| secret_file::create(&profile.path(name), bytes).expect("written");
        secret(file::TLS_KEY, key.to_pem().as_bytes());
        secret(file::DEVICE, self.msf.device.to_jwk().as_bytes());
        secret(file::DESK_SEAL, self.msf.desk.to_json().as_bytes());
        profile.keep_keys(&self.directory()).expect("kept");
    }

    /// The profile's directory.
    pub fn path(&self) -> &Path {
        self.dir.path()
    }

    /// The profile.
    pub fn profile(&self) -> Profile {
        Profile::open(self.path()).expect("a profile")
    }

    /// Everybody's keys, held against the pins.
    pub fn trust(&self) -> Trust {
        Trust::establish(&self.directory(), &self.profile().pins()).expect("honest keys")
    }

    /// Writes a file beside the profile.
    pub fn write(&self, name: &str, text: &str) -> String {
        let path = self.path().join(name);
        std::fs::write(&path, text).expect("written");
        path.display().to_string()
    }

    /// Runs a command with this profile: its exit and what it printed.
    pub async fn run(&self, args: &[&str]) -> (Exit, String) {
        self.run_with(args, |out| out).await
    }

    /// The same, with a person at the terminal who types these answers.
    pub async fn run_answering(&self, args: &[&str], answers: &'static str) -> (Exit, String) {
        self.run_with(args, |out| out.with_answers(answers.as_bytes()))
            .await
    }

    async fn run_with(
        &self,
        args: &[&str],
        terminal: impl FnOnce(Output) -> Output,
    ) -> (Exit, String) {
        let (out, printed, said) = Output::captured(false);
        let out = terminal(out);
        let profile = self.path().display().to_string();
        let args: Vec<OsString> = ["herald", "--profile", &profile]
            .iter()
            .chain(args)
            .map(OsString::from)
            .collect();
        let exit = super::run(args, out, self.clock.clone()).await;
        (exit, printed.text() + &said.text())
    }

    /// As [`Self::run`], on a thread of its own, as another process would.
    pub fn run_apart(&self, args: impl IntoIterator<Item = &'static str>) -> JoinHandle<Exit> {
        let profile = self.path().display().to_string();
        let args: Vec<OsString> = ["herald", "--profile", &profile]
            .iter()
            .map(OsString::from)
            .chain(args.into_iter().map(OsString::from))
            .collect();
        let clock = self.clock.clone();
        std::thread::spawn(move || {
            let (out, _, _) = Output::captured(false);
            let runtime = tokio::runtime::Runtime::new().expect("a runtime");
            runtime.block_on(super::run(args, out, clock))
        })
    }

    fn common(&self, iss: Issuer) -> Common {
        let iat = self.clock.now().unix_timestamp();
        let ctx = "yem".parse().expect("a slug");
        Common {
            iss,
            aud: audience(self.server.root.kid()),
            ctx,
            mode: Mode::Exercise,
            jti: Uuid::new_v4(),
            iat,
        }
    }

    fn keys(&self, actor: &Actor) -> String {
        let device = DeviceKey {
            id: actor.device_id.clone(),
            jwk: *actor.device.verifying_key(),
            seal: SealKey::generate().public_key().clone(),
            role: actor.role,
            nbf: 0,
            exp: i64::MAX,
        };
        let common = self.common(Issuer::root(actor.id.clone()));
        let desk = actor.desk.public_key().clone();
        statement(
            KeysClaims::new(
                common,
                1,
                None,
                *actor.root.verifying_key(),
                vec![device],
                desk,
            ),
            &actor.root,
        )
    }

    fn listed(&self, actor: &Actor) -> ActorKeys {
        let admit = (actor.role != Role::Coordinator).then(|| {
            let issuer = Issuer::device(
                self.coordinator.id.clone(),
                self.coordinator.device_id.clone(),
            );
            let kind = actor.role.actor_kind();
            let name = actor.id.to_string();
            let claims = AdmitClaims::new(
                self.common(issuer),
                actor.id.clone(),
                kind,
                name,
                actor.root.kid(),
                Admission::Admitted,
                None,
            );
            statement(claims, &self.coordinator.device)
        });
        ActorKeys {
            actor: actor.id.clone(),
            kind: actor.role.actor_kind(),
            name: actor.id.to_string(),
            state: ActorState::Admitted,
            duty: None,
            keys: self.keys(actor),
            former: Vec::new(),
            renewals: Vec::new(),
            revocations: Vec::new(),
            admit,
        }
    }

    fn directory(&self) -> KeyDirectory {
        let actors = [&self.coordinator, &self.msf, &self.east, &self.west];
        KeyDirectory {
            aud: audience(self.server.root.kid()),
            server: self.keys(&self.server),
            actors: actors.into_iter().map(|actor| self.listed(actor)).collect(),
            named: Vec::new(),
        }
    }
}

fn statement(claims: impl Into<Claims>, key: &SigningKey) -> String {
    build(claims, &[], key).expect("made").envelope.statement
}
