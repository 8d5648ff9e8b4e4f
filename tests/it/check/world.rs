//! A deployment whose organisation notifies through the intake, and whose parties ask.

use std::sync::Arc;

use herald::crypto::digest::Digest;
use herald::crypto::keys::SigningKey;
use herald::crypto::seal_key::{SealKey, SealPublicKey};
use herald::crypto::x509::{Authority, Validity};
use herald::domain::actor::{ActorState, DeviceState, Mode, Role as DeviceRole};
use herald::domain::clock::Clock;
use herald::domain::ids::{DeviceId, Issuer, Nid, Revision};
use herald::domain::notification::{Outcome, Tier};
use herald::service::check::Checks;
use herald::service::core::{ContextKeys, Core, Deployment};
use herald::service::intake::{Bearer, Intake, Taken};
use herald::service::principal::Principal;
use herald::wire::build::{Built, Part, build};
use herald::wire::check::read_answer;
use herald::wire::claims::{
    CheckClaims, Claims, CloseClaims, MovementClaims, NotificationClaims, WithdrawClaims,
};
use herald::wire::envelope::Envelope;
use herald::wire::parts::{self, AnswerPart, Audience};
use herald::wire::problem::{Problem, ProblemKind};
use herald::wire::read;
use serde_json::{Value, json};
use time::{Duration, OffsetDateTime};
use tokio_util::sync::CancellationToken;

use crate::delivery::world::{Desk, World};

pub fn now() -> OffsetDateTime {
    Clock::System.now()
}

pub fn rfc3339(at: OffsetDateTime) -> String {
    at.format(&time::format_description::well_known::Rfc3339)
        .unwrap()
}

/// Who sees how much, by the parties' names: `east` exact, `west` on_check, `north` cell.
pub type Tiers<'a> = &'a [(&'a str, Tier)];

pub const TO_EAST: Tiers<'static> = &[("east", Tier::Exact)];

pub struct Asking {
    pub world: Box<World>,
    pub core: Core,
    pub checks: Checks,
    pub intake: Intake,
    stop: CancellationToken,
}

impl Drop for Asking {
    fn drop(&mut self) {
        self.stop.cancel();
    }
}

impl Asking {
    pub async fn new() -> Self {
        let world = World::new().await;
        let valid = Validity::days(now() - Duration::minutes(5), 30).unwrap();
        let context = ContextKeys {
            id: world.ctx.clone(),
            mode: Mode::Live,
            hpke: SealKey::generate(),
            keys: String::new(),
        };
        let deployment = Deployment {
            aud: "herald:test".to_owned(),
            contexts: [(world.ctx.clone(), context)].into(),
            node: Issuer::device("server".parse().unwrap(), DeviceId::from_random([1; 5])),
            signing: SigningKey::generate(),
            authority: Authority::create("test", valid).unwrap(),
        };
        let core = Core {
            deployment: Arc::new(deployment),
            keyring: Arc::clone(&world.keyring),
            pools: world.pools.clone(),
        };
        let (intake, worker) = Intake::new(core.clone(), Arc::new(|_| {}));
        let stop = CancellationToken::new();
        tokio::spawn(worker.run(stop.clone()));
        Self {
            checks: Checks::new(core.clone()),
            world,
            core,
            intake,
            stop,
        }
    }

    pub fn desk(&self, name: &str) -> &Desk {
        self.world
            .desks()
            .into_iter()
            .find(|desk| desk.actor.as_str() == name)
            .unwrap()
    }

    /// The server's key of the context.
    pub fn server_seal(&self) -> &SealPublicKey {
        self.core.deployment.contexts[&self.world.ctx]
            .hpke
            .public_key()
    }

    pub fn principal(&self, desk: &Desk) -> Principal {
        Principal {
            ctx: self.world.ctx.clone(),
            actor: desk.actor.clone(),
            kind: desk.kind,
            name: "name".to_owned(),
            actor_state: ActorState::Admitted,
            device: desk.device.clone(),
            role: match desk.actor.as_str() {
                "ocha" => DeviceRole::Coordinator,
                "msf" => DeviceRole::Organisation,
                _ => DeviceRole::PartyDesk,
            },
            device_state: DeviceState::Active,
            key: *desk.signing.verifying_key(),
            spki: Digest::of(b"spki"),
            until: i64::MAX,
            former: false,
        }
    }

    /// Parts as a client makes them. Cells are worked out from the place.
    fn parts(
        &self,
        geometry: &Value,
        properties: &Value,
        movement: bool,
        tiers: Tiers,
    ) -> Vec<Part> {
        let mut all =
            json!({"category": "office", "name": "x", "relation": "run", "buffer_m": 0.0});
        for (key, value) in properties.as_object().unwrap() {
            all[key] = value.clone();
        }
        let place = json!({"type": "Feature", "geometry": geometry, "properties": all});
        let server = self.server_seal();
        let mut contact = Part::new("contact", &json!({"passengers": 3}))
            .unwrap()
            .sealed_to(self.world.coordinator.key.public_key());
        let mut made = vec![Part::new("place", &place).unwrap().sealed_to(server)];
        for (party, tier) in tiers {
            let desk = self.desk(party);
            if matches!(tier, Tier::Exact | Tier::OnCheck) {
                contact = contact.sealed_to(desk.key.public_key());
            }
            let cells = match tier {
                Tier::OnCheck | Tier::Cell => cells(&place, movement),
                Tier::Exact | Tier::Withdrawn => Vec::new(),
            };
            let audience = Audience {
                party: desk.actor.clone(),
                tier: *tier,
                onward: false,
                cells,
            };
            let name = parts::name::audience(&desk.actor);
            made.push(Part::new(name, &audience).unwrap().sealed_to(server));
        }
        made.push(contact);
        made
    }

    pub fn site(&self, nid: Nid, geometry: &Value, properties: &Value, tiers: Tiers) -> Built {
        let made = self.parts(geometry, properties, false, tiers);
        let common = self.world.common(&self.world.org);
        let claims = NotificationClaims::new(common, nid, Revision::FIRST, None, false, None);
        build(claims, &made, &self.world.org.signing).unwrap()
    }

    pub fn movement(&self, nid: Nid, geometry: &Value, properties: &Value, tiers: Tiers) -> Built {
        let made = self.parts(geometry, properties, true, tiers);
        let common = self.world.common(&self.world.org);
        let claims = MovementClaims::new(common, nid, Revision::FIRST, None, false, None);
        build(claims, &made, &self.world.org.signing).unwrap()
    }

    pub fn revised(&self, nid: Nid, prev: Digest, geometry: &Value, tiers: Tiers) -> Built {
        let made = self.parts(geometry, &json!({}), false, tiers);
        let common = self.world.common(&self.world.org);
        let rev = Revision::new(2).unwrap();
        let claims = NotificationClaims::new(common, nid, rev, Some(prev), false, None);
        build(claims, &made, &self.world.org.signing).unwrap()
    }

    pub async fn submit(&self, built: &Built) -> Taken {
        let bearer = Bearer::Device(self.principal(&self.world.org));
        Box::pin(self.intake.submit(built.envelope.clone(), bearer))
            .await
            .unwrap()
    }

    /// Submits many at once; each must be taken.
    pub async fn submit_all(&self, built: &[Built]) {
        let bearer = Bearer::Device(self.principal(&self.world.org));
        for some in built.chunks(128) {
            let envelopes = some.iter().map(|b| b.envelope.clone()).collect();
            for taken in Box::pin(self.intake.submit_all(envelopes, &bearer)).await {
                taken.unwrap();
            }
        }
    }

    /// Notifies a point with nothing special about it.
    pub async fn notify(&self, lon: f64, lat: f64, tiers: Tiers<'_>) -> Nid {
        let nid = Nid::random();
        let built = self.site(nid, &point(lon, lat), &json!({}), tiers);
        self.submit(&built).await;
        nid
    }

    pub async fn withdraw(&self, nid: Nid, prev: Digest) {
        let rev = Revision::new(2).unwrap();
        let claims = WithdrawClaims::new(self.world.common(&self.world.org), nid, rev, prev, None);
        let reason = Part::new("reason", &json!({"text": "moved"}))
            .unwrap()
            .sealed_to(self.server_seal());
        let built = build(claims, &[reason], &self.world.org.signing).unwrap();
        self.submit(&built).await;
    }

    pub async fn close(&self, nid: Nid, prev: Digest, outcome: Outcome) {
        let rev = Revision::new(2).unwrap();
        let claims = CloseClaims::new(
            self.world.common(&self.world.org),
            nid,
            rev,
            prev,
            outcome,
            None,
        );
        let built = build(claims, &[], &self.world.org.signing).unwrap();
        self.submit(&built).await;
    }

    pub fn question(&self, desk: &Desk, area: &Value) -> Built {
        self.question_at(desk, area, 0)
    }

    /// A question that seems to have been signed that many seconds from now.
    pub fn question_at(&self, desk: &Desk, area: &Value, after_s: i64) -> Built {
        let part = Part::new("area", area).unwrap().in_the_clear();
        let mut common = self.world.common(desk);
        common.iat += after_s;
        build(CheckClaims::new(common), &[part], &desk.signing).unwrap()
    }

    /// Asks as a party; the answer is held against the node's key and the question.
    pub async fn ask(&self, party: &str, area: &Value) -> AnswerPart {
        let desk = self.desk(party);
        let question = self.question(desk, area);
        let envelope = self
            .checks
            .answer(&self.principal(desk), question.envelope)
            .await
            .unwrap();
        self.read(&envelope, question.hash)
    }

    pub fn read(&self, envelope: &Envelope, question: Digest) -> AnswerPart {
        let (unverified, claims) = read::read(&envelope.statement).unwrap();
        let key = self.core.deployment.signing.verifying_key();
        unverified.verify(key).unwrap();
        let Claims::Answer(claims) = claims else {
            panic!("not an answer")
        };
        assert_eq!(claims.of, question);
        read_answer(&claims, envelope).unwrap()
    }

    pub async fn refused(&self, desk: &Desk, envelope: Envelope) -> ProblemKind {
        let refused = self.checks.answer(&self.principal(desk), envelope).await;
        let problem: Problem = refused.expect_err("refused");
        problem.kind().unwrap()
    }
}

pub fn point(lon: f64, lat: f64) -> Value {
    json!({"type": "Point", "coordinates": [lon, lat]})
}

/// A question about a circle at any time.
pub fn circle(lon: f64, lat: f64, radius_m: f64) -> Value {
    json!({"area": {"kind": "circle", "center": [lon, lat], "radius_m": radius_m}, "effect_radius_m": 0.0, "window": {}})
}

/// The cells that a client would notify.
fn cells(place: &Value, movement: bool) -> Vec<String> {
    use herald::domain::notification::Subject;
    use herald::spatial::cell;
    use herald::wire::object::{Object, Shape};
    let read: parts::Place = serde_json::from_value(place.clone()).unwrap();
    let subject = if movement {
        Subject::Movement
    } else {
        Subject::Site
    };
    let policy = herald::wire::policy::Policy::default();
    let object = Object::read(&read, subject, &policy).unwrap();
    let buffer_m = read.properties.buffer_m.unwrap_or(0.0);
    let cells = match &object.shape {
        Shape::Site(footprint) => cell::cells_covering(footprint, buffer_m),
        Shape::Movement(track) => cell::cells_covering_track(track, buffer_m),
    };
    cells.unwrap().iter().map(cell::Cell::text).collect()
}
