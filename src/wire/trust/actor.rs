//! Holding a directory against the pins, actor by actor: the server and the coordinator first, because the others'
//! admission hangs on the coordinator's devices.

use std::collections::{BTreeMap, BTreeSet};

use super::{Pins, SERVER, Trust, TrustError, TrustedActor, TrustedDevice};
use crate::crypto::digest::{Digest, Kid};
use crate::crypto::keys::VerifyingKey;
use crate::crypto::statement::StatementError;
use crate::domain::actor::{ActorKind, ActorState};
use crate::domain::ids::{ActorId, Issuer};
use crate::wire::api::{ActorKeys, KeyDirectory, NamedParty};
use crate::wire::claims::{Admission, AdmitClaims, Claims, KeysClaims, RenewClaims, RevokeClaims};
use crate::wire::read::{ReadError, read};

/// Renewals or revocations of one actor that are looked at.
const CHAIN_LIMIT: usize = 4_096;

pub(super) fn establish(directory: &KeyDirectory, pins: &Pins) -> Result<Trust, TrustError> {
    let server = server(directory, pins)?;
    let mut trust = Trust {
        pins: pins.clone(),
        server,
        actors: BTreeMap::new(),
        named: BTreeSet::new(),
        coordinator: None,
    };
    let (coordinators, others): (Vec<_>, Vec<_>) = directory
        .actors
        .iter()
        .filter(|listed| listed.actor != trust.server.actor)
        .partition(|listed| listed.kind == ActorKind::Coordinator);
    for listed in coordinators {
        let trusted = coordinator(listed, pins);
        if trusted.is_ok() {
            trust.coordinator = Some(listed.actor.clone());
        }
        trust.actors.insert(listed.actor.clone(), trusted);
    }
    for listed in others {
        let trusted = admitted(listed, &trust);
        trust.actors.insert(listed.actor.clone(), trusted);
    }
    // One that is not the coordinator's word names nobody; it is then as unknown as if it had not come.
    let believed = |listed: &&NamedParty| is_named(listed, &trust).is_ok();
    let named = directory.named.iter().take(CHAIN_LIMIT);
    trust.named = named
        .filter(believed)
        .map(|listed| listed.actor.clone())
        .collect();
    Ok(trust)
}

/// The coordinator's invite for a device of this party: by it the coordinator has named the party.
fn is_named(listed: &NamedParty, trust: &Trust) -> Result<(), TrustError> {
    let (unverified, claims) = read(&listed.invite).map_err(malformed(&listed.actor, "invite"))?;
    let common = claims.common();
    trust.pins.hold(&common)?;
    let coordinator = trust.coordinator()?;
    if common.iss.actor != coordinator.actor {
        return Err(TrustError::NotItsWord {
            iss: common.iss,
            kind: claims.kind(),
        });
    }
    let (key, _) = coordinator.signing_key(&unverified, &claims)?;
    unverified.verify(&key).map_err(signature(common.iss))?;
    match claims {
        Claims::Invite(invite)
            if invite.actor == listed.actor && invite.kind == ActorKind::Party =>
        {
            Ok(())
        }
        _ => Err(misplaced(&listed.actor, "invite")),
    }
}

/// The deployment's nodes and HPKE key, under the pinned deployment root.
fn server(directory: &KeyDirectory, pins: &Pins) -> Result<TrustedActor, TrustError> {
    let actor = ActorId::new(SERVER).expect("the reserved name is a slug");
    let (keys, hash) = self_signed(&directory.server, &actor)?;
    pins.hold(&keys.common())?;
    hold_root(&actor, pins.deployment_root, &keys)?;
    Ok(TrustedActor {
        kind: ActorKind::Server,
        name: String::new(),
        state: ActorState::Admitted,
        duty: None,
        devices: devices(&keys)?,
        ..bare(actor, &keys, hash)
    })
}

fn coordinator(listed: &ActorKeys, pins: &Pins) -> Result<TrustedActor, TrustError> {
    let (keys, hash) = self_signed(&listed.keys, &listed.actor)?;
    pins.hold(&keys.common())?;
    hold_root(&listed.actor, pins.coordinator_root, &keys)?;
    let mut trusted = TrustedActor {
        kind: ActorKind::Coordinator,
        name: listed.name.clone(),
        state: ActorState::Admitted,
        duty: listed.duty.clone(),
        devices: all_devices(listed, &keys, pins)?,
        ..bare(listed.actor.clone(), &keys, hash)
    };
    renew(&mut trusted, &listed.renewals, pins)?;
    revoke(&mut trusted, &listed.revocations, pins, None)?;
    Ok(trusted)
}

/// An organisation, party, auditor or operator: under the root that the coordinator admitted, or one's own.
fn admitted(listed: &ActorKeys, trust: &Trust) -> Result<TrustedActor, TrustError> {
    let (actor, pins) = (&listed.actor, &trust.pins);
    let (keys, hash) = self_signed(&listed.keys, actor)?;
    pins.hold(&keys.common())?;
    let own = pins.own.as_ref().filter(|(own, _)| own == actor);
    if let Some((_, root)) = own {
        hold_root(actor, *root, &keys)?;
    }
    let admit = match (&listed.admit, own) {
        (Some(admit), _) => Some(admission(admit, listed, trust)?),
        (None, Some(_)) => None,
        (None, None) => {
            return Err(TrustError::NotAdmitted {
                actor: actor.clone(),
            });
        }
    };
    if let Some(admit) = &admit {
        hold_root(actor, admit.root, &keys)?;
    }
    let state = match &admit {
        None => ActorState::Enrolled,
        // A word that counts from a moment on: whether it has come, the server's clock decides, as for all it hands on.
        Some(word) if word.from.is_some() && listed.state == ActorState::Admitted => {
            ActorState::Admitted
        }
        Some(word) => match word.state {
            Admission::Admitted => ActorState::Admitted,
            Admission::Suspended => ActorState::Suspended,
            Admission::Left => ActorState::Left,
        },
    };
    let mut trusted = TrustedActor {
        kind: admit.as_ref().map_or(listed.kind, |a| a.kind),
        name: admit.map_or_else(|| listed.name.clone(), |a| a.name),
        state,
        duty: listed.duty.clone(),
        devices: all_devices(listed, &keys, pins)?,
        ..bare(actor.clone(), &keys, hash)
    };
    renew(&mut trusted, &listed.renewals, pins)?;
    revoke(
        &mut trusted,
        &listed.revocations,
        pins,
        trust.coordinator().ok(),
    )?;
    Ok(trusted)
}

/// The coordinator's word on this actor, signed by one of the coordinator's devices.
fn admission(compact: &str, listed: &ActorKeys, trust: &Trust) -> Result<AdmitClaims, TrustError> {
    let coordinator = trust.coordinator()?;
    let (unverified, claims) = read(compact).map_err(malformed(&listed.actor, "admission"))?;
    let common = claims.common();
    trust.pins.hold(&common)?;
    if common.iss.actor != coordinator.actor {
        return Err(TrustError::NotItsWord {
            iss: common.iss,
            kind: claims.kind(),
        });
    }
    let (key, _) = coordinator.signing_key(&unverified, &claims)?;
    unverified
        .verify(&key)
        .map_err(signature(common.iss.clone()))?;
    match claims {
        Claims::Admit(admit) if admit.actor == listed.actor && admit.kind == listed.kind => {
            Ok(*admit)
        }
        _ => Err(misplaced(&listed.actor, "admission")),
    }
}

/// Reads a `keys` statement that is `actor`'s and signed by the root that it names.
pub(super) fn self_signed(
    compact: &str,
    actor: &ActorId,
) -> Result<(KeysClaims, Digest), TrustError> {
    let (unverified, claims) = read(compact).map_err(malformed(actor, "keys"))?;
    let Claims::Keys(keys) = claims else {
        return Err(misplaced(actor, "keys statement"));
    };
    if keys.iss != Issuer::root(actor.clone()) {
        return Err(misplaced(actor, "keys statement"));
    }
    let hash = unverified.hash();
    unverified
        .verify(&keys.root)
        .map_err(signature(keys.iss.clone()))?;
    Ok((*keys, hash))
}

fn hold_root(actor: &ActorId, pinned: Kid, keys: &KeysClaims) -> Result<(), TrustError> {
    if keys.root.kid() == pinned {
        Ok(())
    } else {
        Err(TrustError::OtherRoot {
            actor: actor.clone(),
            pinned,
            given: keys.root.kid(),
        })
    }
}

/// The members that follow from the `keys` statement alone; the caller states the rest.
fn bare(actor: ActorId, keys: &KeysClaims, keys_hash: Digest) -> TrustedActor {
    TrustedActor {
        actor,
        kind: ActorKind::Server,
        name: String::new(),
        state: ActorState::Enrolled,
        duty: None,
        root: keys.root.kid(),
        serial: keys.serial,
        keys_hash,
        desk: keys.desk.clone(),
        devices: Vec::new(),
    }
}

fn devices(keys: &KeysClaims) -> Result<Vec<TrustedDevice>, TrustError> {
    let mut devices: Vec<TrustedDevice> = Vec::with_capacity(keys.devices.len());
    for key in &keys.devices {
        if devices.iter().any(|d| d.id == key.id) {
            return Err(TrustError::DeviceTwice {
                actor: keys.iss.actor.clone(),
                device: key.id.clone(),
            });
        }
        devices.push(TrustedDevice {
            id: key.id.clone(),
            role: key.role,
            keys: vec![key.jwk],
            seal: key.seal.clone(),
            nbf: key.nbf,
            exp: key.exp,
            revoked: false,
        });
    }
    Ok(devices)
}

/// The devices of the latest `keys` statement, and those (or those keys) that only an earlier one of the same root names:
/// what they signed can still be proved, but they are no longer devices of the actor.
fn all_devices(
    listed: &ActorKeys,
    latest: &KeysClaims,
    pins: &Pins,
) -> Result<Vec<TrustedDevice>, TrustError> {
    let mut all = devices(latest)?;
    bounded(&listed.actor, &listed.former)?;
    for compact in &listed.former {
        let (former, _) = self_signed(compact, &listed.actor)?;
        pins.hold(&former.common())?;
        hold_root(&listed.actor, latest.root.kid(), &former)?;
        for device in devices(&former)? {
            match all.iter_mut().find(|d| d.id == device.id) {
                Some(known) => add_former_keys(known, &device.keys),
                None => all.push(TrustedDevice {
                    revoked: true,
                    ..device
                }),
            }
        }
    }
    Ok(all)
}

/// Earlier keys go to the front, so that the last is the one that counts.
fn add_former_keys(known: &mut TrustedDevice, former: &[VerifyingKey]) {
    for key in former {
        if !known.keys.contains(key) {
            known.keys.insert(0, *key);
        }
    }
}

/// Follows the renewals, each signed with the key before it, whatever their order in the list.
fn renew(actor: &mut TrustedActor, renewals: &[String], pins: &Pins) -> Result<(), TrustError> {
    bounded(&actor.actor, renewals)?;
    let mut waiting = Vec::with_capacity(renewals.len());
    for compact in renewals {
        let (unverified, claims) = read(compact).map_err(malformed(&actor.actor, "renewal"))?;
        pins.hold(&claims.common())?;
        match claims {
            Claims::Renew(renew) if renew.iss.actor == actor.actor => {
                waiting.push((unverified, renew));
            }
            _ => return Err(misplaced(&actor.actor, "renewal")),
        }
    }
    while !waiting.is_empty() {
        let before = waiting.len();
        let mut still = Vec::with_capacity(before);
        for (unverified, claims) in waiting {
            let whole = Claims::Renew(claims.clone());
            match actor.signing_key(&unverified, &whole) {
                Ok((key, _)) => {
                    unverified
                        .verify(&key)
                        .map_err(signature(claims.iss.clone()))?;
                    add_key(actor, *claims);
                }
                Err(_) => still.push((unverified, claims)),
            }
        }
        if let (true, Some((_, stuck))) = (still.len() == before, still.first()) {
            return Err(TrustError::UnknownKey {
                iss: stuck.iss.clone(),
            });
        }
        waiting = still;
    }
    Ok(())
}

fn add_key(actor: &mut TrustedActor, claims: RenewClaims) {
    let device = actor
        .devices
        .iter_mut()
        .find(|d| Some(&d.id) == claims.iss.device.as_ref());
    if let Some(device) = device.filter(|d| !d.keys.contains(&claims.jwk)) {
        device.keys.push(claims.jwk);
        device.seal = claims.seal;
        device.exp = claims.exp;
    }
}

/// Marks the devices that were taken back, by the actor itself or by the coordinator.
fn revoke(
    actor: &mut TrustedActor,
    revocations: &[String],
    pins: &Pins,
    coordinator: Option<&TrustedActor>,
) -> Result<(), TrustError> {
    bounded(&actor.actor, revocations)?;
    for compact in revocations {
        let (unverified, claims) = read(compact).map_err(malformed(&actor.actor, "revocation"))?;
        let common = claims.common();
        pins.hold(&common)?;
        let (key, _) = if common.iss.actor == actor.actor {
            actor.signing_key(&unverified, &claims)?
        } else {
            coordinator
                .filter(|c| c.actor == common.iss.actor)
                .ok_or_else(|| TrustError::NotItsWord {
                    iss: common.iss.clone(),
                    kind: claims.kind(),
                })?
                .signing_key(&unverified, &claims)?
        };
        unverified.verify(&key).map_err(signature(common.iss))?;
        match claims {
            Claims::Revoke(revoke) if revoke.actor == actor.actor => take_back(actor, &revoke),
            _ => return Err(misplaced(&actor.actor, "revocation")),
        }
    }
    Ok(())
}

/// A revocation of a device that a later `keys` statement no longer names has nothing left to mark.
fn take_back(actor: &mut TrustedActor, claims: &RevokeClaims) {
    if let Some(device) = actor.devices.iter_mut().find(|d| d.id == claims.device) {
        device.revoked = true;
    }
}

fn bounded(actor: &ActorId, list: &[String]) -> Result<(), TrustError> {
    if list.len() > CHAIN_LIMIT {
        return Err(TrustError::TooMany {
            actor: actor.clone(),
            limit: CHAIN_LIMIT,
        });
    }
    Ok(())
}

fn misplaced(actor: &ActorId, what: &'static str) -> TrustError {
    TrustError::Misplaced {
        actor: actor.clone(),
        what,
    }
}

fn malformed(actor: &ActorId, what: &'static str) -> impl FnOnce(ReadError) -> TrustError {
    let actor = actor.clone();
    move |source| TrustError::Malformed {
        actor,
        what,
        source,
    }
}

fn signature(iss: Issuer) -> impl FnOnce(StatementError) -> TrustError {
    move |source| TrustError::Signature { iss, source }
}
