//! Who may speak: an actor's root names its devices, a device renews its own keys, a device is taken back. Enrolling and
//! renewing also put a certificate in place, in the same transaction as the statement that justifies it.

use time::OffsetDateTime;

use super::Bearer;
use super::apply::{self, Incoming, Stored};
use super::batch::{Batch, Fault};
use crate::crypto::digest::{Digest, Kid};
use crate::crypto::keys::VerifyingKey;
use crate::crypto::seal_key::SealPublicKey;
use crate::crypto::statement;
use crate::domain::actor::{ActorKind, DeviceState, Role};
use crate::domain::ids::{ActorId, ContextId, DeviceId};
use crate::domain::machine::{ACTOR, ActorEvent, DEVICE, DeviceEvent};
use crate::service::core::{Core, internal, keyring};
use crate::service::records::Record;
use crate::store::actors::{self, ActorRow, Keys};
use crate::store::devices::{self, DeviceRow, NewDevice};
use crate::store::{invites, statements};
use crate::wire::claims::{DeviceKey, KeysClaims, RenewClaims, RevokeClaims};
use crate::wire::problem::{Problem, ProblemKind};

/// A device that enrols with an invite: its keys, and the certificate that was issued for it.
#[derive(Debug, Clone)]
pub struct EnrolFacts {
    /// Hash of the invite's secret.
    pub code: Digest,
    /// The context.
    pub ctx: ContextId,
    /// The actor that the invite names.
    pub actor: ActorId,
    /// The role that the invite names.
    pub role: Role,
    /// The device.
    pub device: DeviceId,
    /// Its signing key.
    pub jwk: VerifyingKey,
    /// Its own HPKE public key.
    pub seal: SealPublicKey,
    /// SHA-256 of the certificate's public key.
    pub spki: Digest,
    /// When the certificate ends.
    pub until: OffsetDateTime,
}

/// A certificate that was issued for a renewed key.
#[derive(Debug, Clone)]
pub struct NewCertificate {
    /// SHA-256 of its public key.
    pub spki: Digest,
    /// When it ends.
    pub until: OffsetDateTime,
}

/// Stores a device that enrols, as pending, and uses its invite up. Idempotent for the same device.
pub(super) async fn enrol(
    core: &Core,
    conn: &mut crate::store::Connection,
    facts: &EnrolFacts,
    at: OffsetDateTime,
) -> Result<(), Fault> {
    let invite = invites::lock(conn, &facts.code)
        .await?
        .ok_or(ProblemKind::InviteUnknown)?;
    let kid = facts.jwk.kid();
    match invite.used_by {
        Some(by) if by == kid => return same_certificate_key(conn, facts).await,
        Some(_) => return Err(ProblemKind::InviteUsed.into()),
        None if invite.until < at => return Err(ProblemKind::InviteExpired.into()),
        None => {}
    }
    if invite.actor != facts.actor || invite.ctx != facts.ctx || invite.role != facts.role {
        return Err(internal("an invite changed while it was used").into());
    }
    if devices::get(conn, &facts.ctx, &facts.actor, &facts.device)
        .await?
        .is_some()
        || devices::key_was_used(conn, &kid).await?
        || devices::certificate_key_is_used(conn, &facts.spki).await?
    {
        return Err(Problem::new(ProblemKind::EnrolmentInvalid)
            .detail("a device with this name or key is enrolled already")
            .into());
    }
    let month = core.month()?;
    let person = core
        .keyring
        .open_record(
            &Record::invite_person(&facts.actor, &facts.code).at(),
            &invite.person,
        )
        .map_err(|error| keyring(&error))?;
    let person = core.seal_record(
        &Record::device_person(&facts.actor, &facts.device).at(),
        month,
        &person,
    )?;
    let device = NewDevice {
        ctx: &facts.ctx,
        actor: &facts.actor,
        device: &facts.device,
        role: facts.role,
        kid,
        signing_key: facts.jwk.as_bytes(),
        seal_key: &facts.seal.to_bytes(),
        spki: facts.spki,
        person: &person,
        month,
        until: facts.until,
    };
    devices::insert(conn, &device).await?;
    invites::use_up(conn, &facts.code, &kid, at).await?;
    Ok(())
}

/// The same device enrols again after a lost answer, with the same keys. Another certificate key is somebody else's: the
/// signing key is public, and whoever finds a used invite must not take the device's place.
async fn same_certificate_key(
    conn: &mut crate::store::Connection,
    facts: &EnrolFacts,
) -> Result<(), Fault> {
    let device = devices::get(conn, &facts.ctx, &facts.actor, &facts.device).await?;
    match device {
        Some(device) if device.kid == facts.jwk.kid() && device.spki == facts.spki => Ok(()),
        _ => Err(ProblemKind::InviteUsed.into()),
    }
}

/// The same statement came again: an enrolment is the same device's, with the same certificate key.
pub(super) async fn again(batch: &mut Batch<'_>, bearer: &Bearer) -> Result<(), Fault> {
    match bearer {
        Bearer::Enrolling(facts) => same_certificate_key(batch.conn, facts).await,
        Bearer::Device(_) | Bearer::Renewing(..) => Ok(()),
    }
}

/// Takes an actor's `keys`.
pub(super) async fn keys(
    batch: &mut Batch<'_>,
    incoming: &Incoming<'_>,
    claims: &KeysClaims,
) -> Result<Stored, Fault> {
    let prepared = incoming.prepared;
    let ctx = &prepared.common.ctx;
    let actor = actors::get(batch.conn, ctx, prepared.actor())
        .await?
        .ok_or(ProblemKind::UnknownKey)?;
    check_root(prepared.kid, &actor, claims)?;
    check_follows(batch, &actor, claims).await?;
    if let Bearer::Enrolling(facts) = incoming.bearer {
        if !claims.devices.iter().any(|d| d.id == facts.device) {
            return Err(Problem::new(ProblemKind::EnrolmentInvalid)
                .detail("the keys statement does not name the device that enrols")
                .into());
        }
        enrol(batch.core, batch.conn, facts, batch.at).await?;
    }
    let known = devices::of_actor(batch.conn, ctx, &actor.actor).await?;
    check_devices(claims, &known)?;

    let event = match (actor.keys_serial, actor.kind) {
        (0, ActorKind::Coordinator) => ActorEvent::FirstKeysOfCoordinator,
        (0, _) => ActorEvent::FirstKeys,
        _ => ActorEvent::Keys,
    };
    let state = ACTOR.next(Some(actor.state), event)?.to;
    let mut desks = vec![actor.actor.clone()];
    if actor.keys_serial == 0 && actor.kind != ActorKind::Coordinator {
        desks.extend(actors::coordinators(batch.conn, ctx).await?);
    }
    let stored = apply::store(batch, incoming, &desks).await?;
    let keys = Keys {
        ctx,
        actor: &actor.actor,
        root: claims.root.as_bytes(),
        serial: claims.serial,
        pos: stored.pos,
        desk_key: &claims.desk.to_bytes(),
        desk_kid: claims.desk.kid(),
        state,
    };
    actors::set_keys(batch.conn, &keys).await?;
    for device in &known {
        let named = claims.devices.iter().any(|d| d.id == device.device);
        let event = if named {
            DeviceEvent::Named
        } else {
            DeviceEvent::LeftOut
        };
        let to = DEVICE.next(Some(device.state), event)?.to;
        if to == device.state {
            continue;
        }
        if to == DeviceState::Active {
            devices::set_state(batch.conn, ctx, &device.actor, &device.device, to).await?;
            devices::begin_key(
                batch.conn,
                device,
                &device.kid,
                &device.signing_key,
                stored.pos,
            )
            .await?;
        } else {
            take_back(batch, device, &stored).await?;
        }
    }
    Ok(stored)
}

async fn take_back(
    batch: &mut Batch<'_>,
    device: &DeviceRow,
    stored: &Stored,
) -> Result<(), Fault> {
    devices::set_state(
        batch.conn,
        &device.ctx,
        &device.actor,
        &device.device,
        DeviceState::Revoked,
    )
    .await?;
    devices::end_keys(batch.conn, device, stored.pos).await?;
    batch
        .revoked
        .push((device.actor.clone(), device.device.clone()));
    Ok(())
}

/// The root is the one that the header names, and the one that was there before.
fn check_root(kid: Kid, actor: &ActorRow, claims: &KeysClaims) -> Result<(), Problem> {
    let same = actor
        .root
        .as_ref()
        .is_none_or(|root| root.as_slice() == claims.root.as_bytes().as_slice());
    if kid == claims.root.kid() && same {
        return Ok(());
    }
    Err(Problem::new(ProblemKind::UnknownKey)
        .detail("this is not the root that the actor enrolled with")
        .pointer("/root"))
}

async fn check_follows(
    batch: &mut Batch<'_>,
    actor: &ActorRow,
    claims: &KeysClaims,
) -> Result<(), Fault> {
    let former = match actor.keys_pos {
        None => None,
        Some(pos) => statements::at(batch.conn, pos)
            .await?
            .map(|jws| statement::hash(&jws)),
    };
    if claims.serial == actor.keys_serial + 1 && claims.prev == former {
        return Ok(());
    }
    Err(Problem::new(ProblemKind::PrevMismatch)
        .detail(format!(
            "the actor's latest keys statement has serial {}",
            actor.keys_serial
        ))
        .pointer("/serial")
        .into())
}

/// Every device named is enrolled, with these keys and this role, and was not taken back; and someone is left to speak.
fn check_devices(claims: &KeysClaims, known: &[DeviceRow]) -> Result<(), Problem> {
    if claims.devices.is_empty() {
        return Err(Problem::new(ProblemKind::InvalidMember)
            .detail("at least one device is named")
            .pointer("/devices"));
    }
    for (index, named) in claims.devices.iter().enumerate() {
        let pointer = format!("/devices/{index}");
        let twice = claims.devices.iter().filter(|d| d.id == named.id).count() > 1;
        let device = known.iter().find(|d| d.device == named.id);
        let fits = device.is_some_and(|d| same_keys(d, named)) && !twice;
        if !fits {
            return Err(Problem::new(ProblemKind::EnrolmentInvalid)
                .detail("no device of this name enrolled with these keys and this role, or it is named twice")
                .pointer(pointer));
        }
        DEVICE
            .next(device.map(|d| d.state), DeviceEvent::Named)
            .map_err(|refusal| {
                Problem::from(refusal)
                    .detail("the device was taken back; enrol it anew")
                    .pointer(pointer)
            })?;
    }
    Ok(())
}

fn same_keys(device: &DeviceRow, named: &DeviceKey) -> bool {
    device.kid == named.jwk.kid()
        && device.seal_key == named.seal.to_bytes()
        && device.role == named.role
}

/// Takes a device's renewal of its own keys.
pub(super) async fn renew(
    batch: &mut Batch<'_>,
    incoming: &Incoming<'_>,
    claims: &RenewClaims,
) -> Result<Stored, Fault> {
    let Bearer::Renewing(_, certificate) = incoming.bearer else {
        return Err(Problem::new(ProblemKind::StatementKind)
            .detail("renewals go to /v1/renew, with a certificate request")
            .into());
    };
    let signer = incoming.prepared.device()?;
    let device = devices::get(batch.conn, &signer.ctx, &signer.actor, &signer.device).await?;
    let device = &device.ok_or(ProblemKind::Internal)?;
    DEVICE.next(Some(device.state), DeviceEvent::Renew)?;
    if devices::key_was_used(batch.conn, &claims.jwk.kid()).await? {
        return Err(Problem::new(ProblemKind::EnrolmentInvalid)
            .detail("this key is or was in use; make a new one")
            .pointer("/jwk")
            .into());
    }
    let stored = apply::store(batch, incoming, &[]).await?;
    devices::end_keys(batch.conn, device, stored.pos).await?;
    devices::begin_key(
        batch.conn,
        device,
        &claims.jwk.kid(),
        claims.jwk.as_bytes(),
        stored.pos,
    )
    .await?;
    devices::renew(
        batch.conn,
        device,
        &claims.jwk.kid(),
        claims.jwk.as_bytes(),
        &claims.seal.to_bytes(),
        &certificate.spki,
        certificate.until,
    )
    .await?;
    Ok(stored)
}

/// Takes a device back.
pub(super) async fn revoke(
    batch: &mut Batch<'_>,
    incoming: &Incoming<'_>,
    claims: &RevokeClaims,
) -> Result<Stored, Fault> {
    let signer = incoming.prepared.device()?;
    if signer.role != Role::Coordinator && signer.actor != claims.actor {
        return Err(Problem::new(ProblemKind::NotAllowed)
            .detail("only the coordinator takes back another's device")
            .into());
    }
    let device = devices::get(batch.conn, &signer.ctx, &claims.actor, &claims.device).await?;
    let standing = device.as_ref().map(|d| d.state);
    DEVICE
        .next(standing, DeviceEvent::Revoke)
        .map_err(|refusal| match standing {
            None => Problem::from(refusal)
                .detail("no such device")
                .pointer("/device"),
            Some(_) => Problem::from(refusal).detail("the device was taken back already"),
        })?;
    let device = device.ok_or(ProblemKind::NotFound)?;
    let mut desks = actors::coordinators(batch.conn, &signer.ctx).await?;
    let owner = actors::get(batch.conn, &signer.ctx, &claims.actor).await?;
    if owner.is_some_and(|o| o.desk_key.is_some()) && !desks.contains(&claims.actor) {
        desks.push(claims.actor.clone());
    }
    let stored = apply::store(batch, incoming, &desks).await?;
    take_back(batch, &device, &stored).await?;
    Ok(stored)
}
