//! Forged directories: what a server, or somebody in its place, could show, and what a client must make of it.

use super::*;
use crate::crypto::keys::SigningKey;
use crate::crypto::seal_key::SealKey;
use crate::domain::ids::{LogPosition, Nid, Revision};
use crate::wire::api::ActorKeys;
use crate::wire::build::build;
use crate::wire::claims::{
    Admission, AdmitClaims, CosignClaims, DeviceKey, DutyClaims, ReceiptClaims, RenewClaims,
    RevocationReason, RevokeClaims,
};
use uuid::Uuid;

/// An actor with one device.
struct Actor {
    id: ActorId,
    kind: ActorKind,
    role: Role,
    root: SigningKey,
    device: SigningKey,
    device_id: DeviceId,
    desk: SealKey,
}

struct World {
    aud_root: Kid,
    server: Actor,
    coordinator: Actor,
    msf: Actor,
    east: Actor,
}

impl Actor {
    fn new(id: &str, role: Role) -> Self {
        Self {
            id: id.parse().expect("a slug"),
            kind: role.actor_kind(),
            role,
            root: SigningKey::generate(),
            device: SigningKey::generate(),
            device_id: DeviceId::from_random([3; 5]),
            desk: SealKey::generate(),
        }
    }

    fn device_key(&self) -> DeviceKey {
        DeviceKey {
            id: self.device_id.clone(),
            jwk: *self.device.verifying_key(),
            seal: SealKey::generate().public_key().clone(),
            role: self.role,
            nbf: 0,
            exp: i64::MAX,
        }
    }

    fn issuer(&self) -> Issuer {
        Issuer::device(self.id.clone(), self.device_id.clone())
    }
}

fn signed(claims: impl Into<Claims>, key: &SigningKey) -> String {
    build(claims, &[], key).expect("made").envelope.statement
}

impl World {
    fn new() -> Self {
        let server = Actor::new(SERVER, Role::Node);
        Self {
            aud_root: server.root.kid(),
            server,
            coordinator: Actor::new("ocha", Role::Coordinator),
            msf: Actor::new("msf", Role::Organisation),
            east: Actor::new("east", Role::PartyDesk),
        }
    }

    fn common(&self, iss: Issuer) -> Common {
        Common {
            iss,
            aud: audience(self.aud_root),
            ctx: "yem".parse().expect("a slug"),
            mode: Mode::Exercise,
            jti: Uuid::new_v4(),
            iat: 1_700_000_000,
        }
    }

    fn pins(&self) -> Pins {
        Pins {
            ctx: "yem".parse().expect("a slug"),
            mode: Mode::Exercise,
            deployment_root: self.aud_root,
            coordinator_root: self.coordinator.root.kid(),
            own: None,
        }
    }

    fn keys_with(&self, actor: &Actor, serial: u32, devices: Vec<DeviceKey>) -> String {
        let claims = KeysClaims::new(
            self.common(Issuer::root(actor.id.clone())),
            serial,
            (serial > 1).then(|| Digest::of(b"before")),
            *actor.root.verifying_key(),
            devices,
            actor.desk.public_key().clone(),
        );
        signed(claims, &actor.root)
    }

    fn keys(&self, actor: &Actor) -> String {
        self.keys_with(actor, 1, vec![actor.device_key()])
    }

    fn admit(&self, actor: &Actor, root: Kid, state: Admission) -> String {
        let claims = AdmitClaims::new(
            self.common(self.coordinator.issuer()),
            actor.id.clone(),
            actor.kind,
            format!("The {}", actor.id),
            root,
            state,
            None,
        );
        signed(claims, &self.coordinator.device)
    }

    fn listed(&self, actor: &Actor) -> ActorKeys {
        ActorKeys {
            actor: actor.id.clone(),
            kind: actor.kind,
            name: actor.id.to_string(),
            state: ActorState::Admitted,
            duty: None,
            keys: self.keys(actor),
            former: Vec::new(),
            renewals: Vec::new(),
            revocations: Vec::new(),
            admit: Some(self.admit(actor, actor.root.kid(), Admission::Admitted)),
        }
    }

    fn directory(&self) -> KeyDirectory {
        KeyDirectory {
            aud: audience(self.aud_root),
            server: self.keys(&self.server),
            actors: vec![
                ActorKeys {
                    admit: None,
                    ..self.listed(&self.coordinator)
                },
                self.listed(&self.msf),
                self.listed(&self.east),
            ],
            named: Vec::new(),
        }
    }

    fn trust(&self, directory: &KeyDirectory) -> Trust {
        Trust::establish(directory, &self.pins()).expect("the server's own keys")
    }

    /// The refusal of the party `east` after a change to its entry.
    fn refusal(&self, change: impl FnOnce(&mut ActorKeys)) -> TrustError {
        let mut directory = self.directory();
        change(&mut directory.actors[2]);
        let trust = self.trust(&directory);
        assert!(
            trust.party(&self.msf.id).is_err(),
            "no organisation is a party"
        );
        assert!(trust.actor(&self.msf.id).is_ok(), "others stay reachable");
        trust.party(&self.east.id).map(|_| ()).expect_err("refused")
    }
}

#[test]
fn an_honest_directory_gives_every_reader_its_key() {
    let world = World::new();
    let trust = world.trust(&world.directory());
    assert_eq!(trust.server_seal().kid(), world.server.desk.kid());
    assert_eq!(
        trust.coordinator().expect("pinned").desk.kid(),
        world.coordinator.desk.kid()
    );
    let east = trust.party(&world.east.id).expect("admitted");
    assert_eq!(east.desk.kid(), world.east.desk.kid());
    assert_eq!(east.name, "The east");
    assert_eq!(trust.actors().count(), 3);
}

#[test]
fn a_party_key_swapped_by_the_server_is_refused_and_the_party_named() {
    let world = World::new();
    let forged = Actor::new("east", Role::PartyDesk);
    let error = world.refusal(|listed| listed.keys = world.keys(&forged));
    let message = error.to_string();
    assert!(matches!(error, TrustError::OtherRoot { .. }), "{message}");
    assert!(message.contains("keys of east") && message.contains("compare the fingerprints"));
}

#[test]
fn an_admission_that_the_coordinator_did_not_sign_is_refused() {
    let world = World::new();
    let forged = Actor::new("east", Role::PartyDesk);
    let impostor = Actor::new("ocha", Role::Coordinator);
    let claims = AdmitClaims::new(
        world.common(world.coordinator.issuer()),
        forged.id.clone(),
        ActorKind::Party,
        "East".to_owned(),
        forged.root.kid(),
        Admission::Admitted,
        None,
    );
    let admit = signed(claims, &impostor.device);
    let error = world.refusal(|listed| {
        listed.keys = world.keys(&forged);
        listed.admit = Some(admit);
    });
    assert!(matches!(error, TrustError::UnknownKey { .. }), "{error}");
}

#[test]
fn an_admission_by_an_organisation_is_refused() {
    let world = World::new();
    let claims = AdmitClaims::new(
        world.common(world.msf.issuer()),
        world.east.id.clone(),
        ActorKind::Party,
        "East".to_owned(),
        world.east.root.kid(),
        Admission::Admitted,
        None,
    );
    let admit = signed(claims, &world.msf.device);
    let error = world.refusal(|listed| listed.admit = Some(admit));
    assert!(matches!(error, TrustError::NotItsWord { .. }), "{error}");
}

#[test]
fn an_admission_of_another_actor_or_kind_is_refused() {
    let world = World::new();
    let of_msf = world.admit(&world.msf, world.east.root.kid(), Admission::Admitted);
    let error = world.refusal(|listed| listed.admit = Some(of_msf));
    assert!(matches!(error, TrustError::Misplaced { .. }), "{error}");
    let error = world.refusal(|listed| listed.kind = ActorKind::Auditor);
    assert!(matches!(error, TrustError::Misplaced { .. }), "{error}");
}

#[test]
fn an_actor_without_admission_is_no_reader_whatever_the_server_says_of_its_state() {
    let world = World::new();
    let error = world.refusal(|listed| listed.admit = None);
    assert!(matches!(error, TrustError::NotAdmitted { .. }), "{error}");
}

#[test]
fn a_suspended_party_is_no_reader_but_what_it_signed_still_counts() {
    let world = World::new();
    let suspended = world.admit(&world.east, world.east.root.kid(), Admission::Suspended);
    let mut directory = world.directory();
    directory.actors[2].admit = Some(suspended);
    let trust = world.trust(&directory);
    assert!(trust.party(&world.east.id).is_err());
    let east = trust.actor(&world.east.id).expect("its keys are good");
    assert_eq!(east.state, ActorState::Suspended);
}

#[test]
fn another_coordinator_root_leaves_nobody_to_believe() {
    let world = World::new();
    let other = World {
        coordinator: Actor::new("ocha", Role::Coordinator),
        ..World::new()
    };
    let mut directory = world.directory();
    directory.actors[0] = ActorKeys {
        keys: world.keys(&other.coordinator),
        ..world.listed(&world.coordinator)
    };
    let trust = world.trust(&directory);
    assert!(matches!(
        trust.actor(&world.coordinator.id),
        Err(TrustError::OtherRoot { .. })
    ));
    assert!(matches!(
        trust.coordinator(),
        Err(TrustError::NoCoordinator { .. })
    ));
    assert!(trust.party(&world.east.id).is_err());
}

#[test]
fn another_deployment_root_is_refused_as_a_whole() {
    let world = World::new();
    let forged = Actor::new(SERVER, Role::Node);
    let mut directory = world.directory();
    directory.server = world.keys(&forged);
    assert!(matches!(
        Trust::establish(&directory, &world.pins()),
        Err(TrustError::OtherRoot { .. })
    ));
}

#[test]
fn keys_of_another_context_mode_or_deployment_are_refused() {
    let world = World::new();
    let directory = world.directory();
    for pins in [
        Pins {
            ctx: "sdn".parse().expect("a slug"),
            ..world.pins()
        },
        Pins {
            mode: Mode::Live,
            ..world.pins()
        },
        Pins {
            deployment_root: world.east.root.kid(),
            ..world.pins()
        },
    ] {
        assert!(matches!(
            Trust::establish(&directory, &pins),
            Err(TrustError::Elsewhere { .. })
        ));
    }
}

#[test]
fn a_device_may_not_sign_the_keys_itself() {
    let world = World::new();
    let claims = KeysClaims::new(
        world.common(world.east.issuer()),
        2,
        None,
        *world.east.device.verifying_key(),
        vec![world.east.device_key()],
        SealKey::generate().public_key().clone(),
    );
    let keys = signed(claims, &world.east.device);
    let error = world.refusal(|listed| listed.keys = keys);
    assert!(matches!(error, TrustError::Misplaced { .. }), "{error}");
}

#[test]
fn one_device_may_not_stand_twice_in_the_keys() {
    let world = World::new();
    let twice = vec![world.east.device_key(), world.east.device_key()];
    let keys = world.keys_with(&world.east, 1, twice);
    let error = world.refusal(|listed| listed.keys = keys);
    assert!(matches!(error, TrustError::DeviceTwice { .. }), "{error}");
}

#[test]
fn ones_own_actor_is_believed_under_its_own_root_before_admission() {
    let world = World::new();
    let mut directory = world.directory();
    directory.actors[2].admit = None;
    let pins = Pins {
        own: Some((world.east.id.clone(), world.east.root.kid())),
        ..world.pins()
    };
    let trust = Trust::establish(&directory, &pins).expect("established");
    let own = trust.actor(&world.east.id).expect("own");
    assert_eq!(own.state, ActorState::Enrolled);
    assert!(trust.party(&world.east.id).is_err(), "not admitted yet");
}

fn duty(world: &World, actor: &Actor, key: &SigningKey) -> String {
    let claims = DutyClaims::new(world.common(actor.issuer()), "+100".to_owned(), Vec::new());
    signed(claims, key)
}

fn renewal(world: &World, actor: &Actor, signer: &SigningKey, new: &SigningKey) -> String {
    let claims = RenewClaims::new(
        world.common(actor.issuer()),
        *new.verifying_key(),
        SealKey::generate().public_key().clone(),
        i64::MAX,
    );
    signed(claims, signer)
}

#[test]
fn renewals_are_followed_in_any_order_and_old_signatures_stay_good() {
    let world = World::new();
    let (second, third) = (SigningKey::generate(), SigningKey::generate());
    let mut directory = world.directory();
    directory.actors[2].renewals = vec![
        renewal(&world, &world.east, &second, &third),
        renewal(&world, &world.east, &world.east.device, &second),
    ];
    let trust = world.trust(&directory);
    for key in [&world.east.device, &second, &third] {
        assert!(trust.check(&duty(&world, &world.east, key)).is_ok());
    }
    let stranger = SigningKey::generate();
    assert!(matches!(
        trust.check(&duty(&world, &world.east, &stranger)),
        Err(TrustError::UnknownKey { .. })
    ));
}

#[test]
fn a_renewal_that_no_known_key_signed_is_refused() {
    let world = World::new();
    let (stranger, new) = (SigningKey::generate(), SigningKey::generate());
    let renewal = renewal(&world, &world.east, &stranger, &new);
    let error = world.refusal(|listed| listed.renewals = vec![renewal]);
    assert!(matches!(error, TrustError::UnknownKey { .. }), "{error}");
}

fn revocation(world: &World, by: &Actor, of: &Actor) -> String {
    let claims = RevokeClaims::new(
        world.common(by.issuer()),
        of.id.clone(),
        of.device_id.clone(),
        RevocationReason::Lost,
    );
    signed(claims, &by.device)
}

#[test]
fn a_device_is_taken_back_by_its_own_actor_or_the_coordinator_and_nobody_else() {
    let world = World::new();
    for by in [&world.east, &world.coordinator] {
        let mut directory = world.directory();
        directory.actors[2].revocations = vec![revocation(&world, by, &world.east)];
        let trust = world.trust(&directory);
        assert!(trust.party(&world.east.id).expect("still a reader").devices[0].revoked);
        let signed_before = duty(&world, &world.east, &world.east.device);
        assert!(
            trust
                .check(&signed_before)
                .expect("stays signed")
                .since_revoked
        );
    }
    let by_msf = revocation(&world, &world.msf, &world.east);
    let error = world.refusal(|listed| listed.revocations = vec![by_msf]);
    assert!(matches!(error, TrustError::NotItsWord { .. }), "{error}");
}

#[test]
fn an_older_directory_than_one_seen_is_refused() {
    let world = World::new();
    let mut directory = world.directory();
    let old = world.trust(&directory);
    directory.actors[2].keys = world.keys_with(&world.east, 2, vec![world.east.device_key()]);
    let new = world.trust(&directory);
    let rolled = Err(TrustError::RolledBack {
        actor: world.east.id.clone(),
    });
    assert_eq!(old.not_older_than(&new), rolled);
    directory.actors[2].revocations = vec![revocation(&world, &world.east, &world.east)];
    let revoked = world.trust(&directory);
    assert_eq!(revoked.not_older_than(&new), Ok(()));
    assert_eq!(new.not_older_than(&revoked), rolled);
    directory.actors.truncate(2);
    assert_eq!(world.trust(&directory).not_older_than(&new), rolled);
}

#[test]
fn a_statement_is_believed_only_from_a_role_that_may_say_it() {
    let world = World::new();
    let trust = world.trust(&world.directory());
    let cosign = |by: &Actor| {
        let claims = CosignClaims::new(
            world.common(by.issuer()),
            Nid::random(),
            Revision::FIRST,
            Digest::of(b"revision"),
        );
        trust.check(&signed(claims, &by.device)).map(|_| ())
    };
    assert_eq!(cosign(&world.msf), Ok(()));
    for other in [&world.east, &world.coordinator, &world.server] {
        assert!(matches!(cosign(other), Err(TrustError::NotItsWord { .. })));
    }
}

#[test]
fn a_receipt_counts_only_from_a_node_and_for_its_own_statement() {
    let world = World::new();
    let trust = world.trust(&world.directory());
    let of = Digest::of(b"a statement");
    let receipt = |by: &Actor| {
        let claims = ReceiptClaims::new(
            world.common(by.issuer()),
            of,
            LogPosition(7),
            "2026-05-03T14:30:00.000000Z".to_owned(),
        );
        signed(claims, &by.device)
    };
    let good = receipt(&world.server);
    assert_eq!(
        trust.check_receipt(&good, of).map(|r| r.pos),
        Ok(LogPosition(7))
    );
    assert_eq!(
        trust.check_receipt(&good, Digest::of(b"another")),
        Err(TrustError::ReceiptOfAnother)
    );
    assert!(
        trust
            .check_receipt(&receipt(&world.coordinator), of)
            .is_err()
    );
}

#[test]
fn the_claimed_root_of_an_actor_not_yet_admitted_must_have_signed() {
    let world = World::new();
    let keys = world.keys(&world.east);
    assert_eq!(
        claimed_root(&keys, &world.east.id),
        Ok(world.east.root.kid())
    );
    assert!(claimed_root(&keys, &world.msf.id).is_err());
}

#[test]
fn what_was_signed_under_earlier_keys_can_still_be_proved_when_the_root_is_the_same() {
    let world = World::new();
    let old_key = duty(&world, &world.east, &world.east.device);
    let renewed = SigningKey::generate();
    let next = |id: DeviceId| DeviceKey {
        id,
        jwk: *renewed.verifying_key(),
        ..world.east.device_key()
    };
    // The device with a renewed key, and then another device in its place.
    for (id, gone) in [
        (world.east.device_id.clone(), false),
        (DeviceId::from_random([9; 5]), true),
    ] {
        let mut directory = world.directory();
        let former = directory.actors[2].keys.clone();
        directory.actors[2].keys = world.keys_with(&world.east, 2, vec![next(id)]);
        assert!(world.trust(&directory).check(&old_key).is_err());
        directory.actors[2].former = vec![former];
        let checked = world.trust(&directory).check(&old_key).expect("provable");
        assert_eq!(checked.since_revoked, gone);
    }
    let mut directory = world.directory();
    directory.actors[2].former = vec![world.keys(&Actor::new("east", Role::PartyDesk))];
    assert!(matches!(
        world.trust(&directory).actor(&world.east.id),
        Err(TrustError::OtherRoot { .. })
    ));
}
