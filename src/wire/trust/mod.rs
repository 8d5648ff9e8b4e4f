//! Whose key is whose: holds the server's key directory against the roots that one has pinned, so that a server that
//! swaps a key is seen before anything is sealed to it. Pure: bytes and pins in, keys or a refusal out.
//!
//! The chain is short. The deployment's root signs the nodes' keys and the HPKE key of the server. Each actor's root
//! signs its devices and its desk's key. The coordinator's root is pinned; the coordinator's devices sign which root
//! belongs to which organisation or party (`admit`), after people have compared the fingerprint.

mod actor;
mod error;
#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, BTreeSet};

use crate::crypto::digest::{Digest, Kid};
use crate::crypto::keys::VerifyingKey;
use crate::crypto::seal_key::SealPublicKey;
use crate::crypto::statement::{Unverified, Verified};
use crate::domain::actor::{ActorKind, ActorState, Mode, Role};
use crate::domain::ids::{ActorId, ContextId, DeviceId, Issuer};
use crate::domain::kind::Kind;
use crate::domain::policy::may_sign;
use crate::wire::api::KeyDirectory;
use crate::wire::claims::{Claims, Common, DeviceKey, KeysClaims, ReceiptClaims};
use crate::wire::read::read;

pub use error::TrustError;

/// The reserved name of the deployment's own actor.
pub const SERVER: &str = "server";

/// The `aud` of a deployment: `herald:` and the thumbprint of its root.
pub fn audience(deployment_root: Kid) -> String {
    format!("herald:{deployment_root}")
}

/// What a client holds fast, from its invite and its own enrolment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pins {
    /// The context.
    pub ctx: ContextId,
    /// Real, or a drill.
    pub mode: Mode,
    /// Thumbprint of the deployment's root.
    pub deployment_root: Kid,
    /// Thumbprint of the coordinator's root.
    pub coordinator_root: Kid,
    /// One's own actor and the thumbprint of its root; trusted before the coordinator has admitted it.
    pub own: Option<(ActorId, Kid)>,
}

/// A directory that was held against the pins. An actor that fails is kept as its refusal, so that the others can still
/// be reached.
#[derive(Debug, Clone)]
pub struct Trust {
    pins: Pins,
    server: TrustedActor,
    actors: BTreeMap<ActorId, Result<TrustedActor, TrustError>>,
    /// Parties that the coordinator has named and not yet admitted.
    named: BTreeSet<ActorId>,
    coordinator: Option<ActorId>,
}

/// An actor whose keys stand under its pinned or admitted root.
#[derive(Debug, Clone)]
pub struct TrustedActor {
    /// The actor.
    pub actor: ActorId,
    /// What it is.
    pub kind: ActorKind,
    /// Its public name, as the coordinator signed it (of one's own actor before admission: as the server says it).
    pub name: String,
    /// Admitted, suspended, left, or only enrolled.
    pub state: ActorState,
    /// Its 24/7 duty number, as the server hands it on.
    pub duty: Option<String>,
    /// The thumbprint of its root.
    pub root: Kid,
    /// The serial of its `keys` statement.
    pub serial: u32,
    /// The hash of its `keys` statement.
    pub keys_hash: Digest,
    /// What is meant for it is sealed to this key.
    pub desk: SealPublicKey,
    /// Its devices, revoked ones included: what they signed before stays signed.
    pub devices: Vec<TrustedDevice>,
}

/// A device that its root named.
#[derive(Debug, Clone)]
pub struct TrustedDevice {
    /// Its name.
    pub id: DeviceId,
    /// Its role.
    pub role: Role,
    /// Its signing keys, the first as the root named it, then each renewal.
    pub keys: Vec<VerifyingKey>,
    /// Its own HPKE key, the latest.
    pub seal: SealPublicKey,
    /// Not before, seconds since the Unix epoch.
    pub nbf: i64,
    /// Until, seconds since the Unix epoch; a renewal moves it.
    pub exp: i64,
    /// Whether it has been taken back. Old signatures are judged by position, not by this.
    pub revoked: bool,
}

/// A statement whose signature fits a key that stands under its actor's root.
#[derive(Debug, Clone)]
pub struct Checked {
    /// What it claims.
    pub claims: Claims,
    /// Its exact text and hash.
    pub statement: Verified,
    /// Whether the device that signed has been taken back since.
    pub since_revoked: bool,
}

impl Trust {
    /// Holds a directory against the pins.
    ///
    /// # Errors
    /// Only when the server's own keys are not under the pinned deployment root; what is wrong with an actor comes out
    /// of [`Self::actor`] for that actor.
    pub fn establish(directory: &KeyDirectory, pins: &Pins) -> Result<Self, TrustError> {
        actor::establish(directory, pins)
    }

    /// What was held fast.
    pub const fn pins(&self) -> &Pins {
        &self.pins
    }

    /// The server's HPKE key: the parts that it may read are sealed to it.
    pub const fn server_seal(&self) -> &SealPublicKey {
        &self.server.desk
    }

    /// An actor's keys.
    ///
    /// # Errors
    /// Why nothing may be sealed to this actor, or believed from it.
    pub fn actor(&self, actor: &ActorId) -> Result<&TrustedActor, TrustError> {
        if actor.as_str() == SERVER {
            return Ok(&self.server);
        }
        match self.actors.get(actor) {
            Some(Ok(trusted)) => Ok(trusted),
            Some(Err(error)) => Err(error.clone()),
            None => Err(TrustError::UnknownActor {
                actor: actor.clone(),
            }),
        }
    }

    /// The coordinator.
    ///
    /// # Errors
    /// When nobody in the directory stands under the pinned coordinator root.
    pub fn coordinator(&self) -> Result<&TrustedActor, TrustError> {
        let coordinator = self.coordinator.as_ref().ok_or(TrustError::NoCoordinator {
            pinned: self.pins.coordinator_root,
        })?;
        self.actor(coordinator)
    }

    /// A party that may be chosen: its keys are good, and it is admitted.
    ///
    /// # Errors
    /// Why nothing may be sealed to it.
    pub fn party(&self, party: &ActorId) -> Result<&TrustedActor, TrustError> {
        let trusted = self.actor(party)?;
        if trusted.state.holds_back(trusted.kind) {
            return Err(TrustError::HeldBack {
                actor: party.clone(),
                left: trusted.state == ActorState::Left,
            });
        }
        if trusted.kind != ActorKind::Party || trusted.state != ActorState::Admitted {
            return Err(TrustError::NotAdmitted {
                actor: party.clone(),
            });
        }
        Ok(trusted)
    }

    /// A party that may be chosen, and the key that what is meant for it is sealed to. There is none while the coordinator has
    /// named it and admitted no device of it: then it is notified all the same, and what the server can read waits for it.
    ///
    /// # Errors
    /// Why it may not be chosen.
    pub fn chosen(&self, party: &ActorId) -> Result<Option<&SealPublicKey>, TrustError> {
        match self.party(party) {
            Ok(trusted) => Ok(Some(&trusted.desk)),
            Err(_) if self.waits_for_a_device(party) => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Whether the coordinator has named this party and admitted no device of it.
    fn waits_for_a_device(&self, party: &ActorId) -> bool {
        let no_keys = matches!(
            self.actor(party),
            Err(TrustError::UnknownActor { .. } | TrustError::NotAdmitted { .. })
        );
        no_keys && self.named.contains(party)
    }

    /// The parties that the coordinator has named, and of which it has admitted no device.
    pub fn without_device(&self) -> impl Iterator<Item = &ActorId> {
        self.named
            .iter()
            .filter(|party| self.waits_for_a_device(party))
    }

    /// Every actor of the directory, in the order of their names, with its keys or its refusal.
    pub fn actors(&self) -> impl Iterator<Item = (&ActorId, Result<&TrustedActor, &TrustError>)> {
        self.actors.iter().map(|(id, actor)| (id, actor.as_ref()))
    }

    /// Checks a statement of anybody in this context: form, deployment, signature, and that the signer's role may say it.
    ///
    /// # Errors
    /// [`TrustError`], naming the actor.
    pub fn check(&self, compact: &str) -> Result<Checked, TrustError> {
        let (unverified, claims) = read(compact)?;
        let common = claims.common();
        self.pins.hold(&common)?;
        let actor = self.actor(&common.iss.actor)?;
        let (key, since_revoked) = actor.signing_key(&unverified, &claims)?;
        let statement = unverified
            .verify(&key)
            .map_err(|source| TrustError::Signature {
                iss: common.iss.clone(),
                source,
            })?;
        Ok(Checked {
            claims,
            statement,
            since_revoked,
        })
    }

    /// Checks a receipt of one of the server's nodes for the statement with the hash `of`.
    ///
    /// # Errors
    /// [`TrustError`]; [`TrustError::ReceiptOfAnother`] when it is another statement's.
    pub fn check_receipt(&self, receipt: &str, of: Digest) -> Result<ReceiptClaims, TrustError> {
        match self.check(receipt)?.claims {
            Claims::Receipt(claims) if claims.of == of => Ok(*claims),
            Claims::Receipt(_) => Err(TrustError::ReceiptOfAnother),
            other => Err(TrustError::OtherKind {
                expected: Kind::Receipt,
                found: other.kind(),
            }),
        }
    }

    /// Refuses a directory that is older than one seen before: a root counts its `keys` statements, and the server may
    /// not turn them back. An actor that had been seen may not vanish either.
    ///
    /// # Errors
    /// [`TrustError::RolledBack`], naming the actor.
    pub fn not_older_than(&self, before: &Self) -> Result<(), TrustError> {
        let known = before.actors.values().filter_map(|a| a.as_ref().ok());
        for old in std::iter::once(&before.server).chain(known) {
            let back = match self.actor(&old.actor) {
                Ok(new) => {
                    new.serial < old.serial
                        || (new.serial == old.serial && new.keys_hash != old.keys_hash)
                        || new.forgets_revocations_of(old)
                }
                Err(TrustError::UnknownActor { .. } | TrustError::NotAdmitted { .. }) => true,
                // Another failure has its own words when the actor is asked for.
                Err(_) => false,
            };
            if back {
                return Err(TrustError::RolledBack {
                    actor: old.actor.clone(),
                });
            }
        }
        Ok(())
    }
}

impl Pins {
    /// Refuses a statement that was made for elsewhere.
    fn hold(&self, common: &Common) -> Result<(), TrustError> {
        let wrong = if common.aud != audience(self.deployment_root) {
            "deployment"
        } else if common.ctx != self.ctx {
            "context"
        } else if common.mode != self.mode {
            "mode (live or exercise)"
        } else {
            return Ok(());
        };
        Err(TrustError::Elsewhere {
            iss: common.iss.clone(),
            what: wrong,
        })
    }
}

impl TrustedActor {
    /// A device by its name.
    pub fn device(&self, id: &DeviceId) -> Option<&TrustedDevice> {
        self.devices.iter().find(|d| d.id == *id)
    }

    /// The devices that are not taken back, as the next `keys` statement names them: with their latest keys.
    pub fn device_keys(&self) -> Vec<DeviceKey> {
        let active = self.devices.iter().filter(|d| !d.revoked);
        active.filter_map(TrustedDevice::as_key).collect()
    }

    fn forgets_revocations_of(&self, old: &Self) -> bool {
        old.devices
            .iter()
            .filter(|d| d.revoked)
            .any(|d| self.device(&d.id).is_some_and(|now| !now.revoked))
    }

    /// The key that a statement of this actor must be signed with, and whether its device was taken back since.
    fn signing_key(
        &self,
        unverified: &Unverified,
        claims: &Claims,
    ) -> Result<(VerifyingKey, bool), TrustError> {
        let iss = claims.common().iss;
        let Some(id) = &iss.device else {
            return match claims {
                Claims::Keys(keys) => self.root_key(keys).map(|key| (key, false)),
                _ => Err(TrustError::NotItsWord {
                    iss,
                    kind: claims.kind(),
                }),
            };
        };
        let device = self
            .device(id)
            .ok_or_else(|| TrustError::UnknownKey { iss: iss.clone() })?;
        let on_behalf = claims.on_behalf().is_some();
        if !may_sign(claims.kind(), device.role, on_behalf) {
            return Err(TrustError::NotItsWord {
                iss,
                kind: claims.kind(),
            });
        }
        let key = device
            .keys
            .iter()
            .find(|key| key.kid() == unverified.kid())
            .ok_or(TrustError::UnknownKey { iss })?;
        Ok((*key, device.revoked))
    }

    fn root_key(&self, keys: &KeysClaims) -> Result<VerifyingKey, TrustError> {
        if keys.root.kid() == self.root {
            Ok(keys.root)
        } else {
            Err(TrustError::OtherRoot {
                actor: self.actor.clone(),
                pinned: self.root,
                given: keys.root.kid(),
            })
        }
    }
}

impl TrustedDevice {
    fn as_key(&self) -> Option<DeviceKey> {
        Some(DeviceKey {
            id: self.id.clone(),
            jwk: *self.keys.last()?,
            seal: self.seal.clone(),
            role: self.role,
            nbf: self.nbf,
            exp: self.exp,
        })
    }
}

/// Whether an issuer is the server itself.
pub fn is_server(iss: &Issuer) -> bool {
    iss.actor.as_str() == SERVER
}

/// The root that a `keys` statement names and is signed by; whether it is the right one is for people to compare.
///
/// # Errors
/// When the statement is not one of `actor`'s, or its signature does not fit the root it names.
pub fn claimed_root(keys: &str, of: &ActorId) -> Result<Kid, TrustError> {
    self_signed(keys, of).map(|claims| claims.root.kid())
}

/// A `keys` statement of `of` whose signature fits the root that it names itself; nothing more is known of it.
///
/// # Errors
/// As [`claimed_root`].
pub fn self_signed(keys: &str, of: &ActorId) -> Result<KeysClaims, TrustError> {
    actor::self_signed(keys, of).map(|(claims, _)| claims)
}
