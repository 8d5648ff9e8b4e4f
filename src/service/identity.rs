//! Who is who, for reading: the device behind a certificate, an actor's devices, everybody's keys.

use std::collections::{BTreeMap, HashSet};

use super::core::{ContextKeys, Core, internal, keyring, store};
use super::intake::device_key;
use super::principal::Principal;
use super::records::Record;
use crate::crypto::digest::Digest;
use crate::crypto::keys::VerifyingKey;
use crate::crypto::seal_key::SealPublicKey;
use crate::crypto::statement;
use crate::domain::actor::{ActorKind, DeviceState};
use crate::domain::ids::{ActorId, ContextId, LogPosition};
use crate::domain::kind::Kind;
use crate::store::actors::{self, ActorRow};
use crate::store::devices::{self, DeviceRow};
use crate::store::tx::{self, Tenant};
use crate::store::{error::StoreError, statements};
use crate::wire::api::{
    ActorKeys, CurrentPolicy, DeviceStatus, Devices, KeyDirectory, Me, NamedParty,
};
use crate::wire::claims::{InviteClaims, KeysClaims};
use crate::wire::problem::{Problem, ProblemKind};

/// The device behind a certificate, if it is enrolled; a revoked one is refused.
///
/// # Errors
/// `certificate-revoked`, or the database's.
pub async fn by_certificate(core: &Core, spki: &Digest) -> Result<Option<Principal>, Problem> {
    let Some(row) = devices::by_certificate(&core.pools.app, spki)
        .await
        .map_err(|e| store(&e))?
    else {
        return Ok(None);
    };
    if row.state == DeviceState::Revoked {
        return Err(ProblemKind::CertificateRevoked.into());
    }
    let key = device_key(&row)?;
    Ok(Some(Principal {
        ctx: row.ctx,
        actor: row.actor,
        kind: row.kind,
        name: row.name,
        actor_state: row.actor_state,
        device: row.device,
        role: row.role,
        device_state: row.state,
        key,
        spki: row.spki,
        until: row.until.unix_timestamp(),
        former: row.spki != *spki,
    }))
}

/// A principal, as it is told who it is.
///
/// # Errors
/// `wrong-context`, when the deployment no longer serves its context.
pub fn me(core: &Core, principal: &Principal) -> Result<Me, Problem> {
    Ok(Me {
        aud: core.deployment.aud.clone(),
        ctx: principal.ctx.clone(),
        mode: core.context(&principal.ctx)?.mode,
        actor: principal.actor.clone(),
        kind: principal.kind,
        name: principal.name.clone(),
        actor_state: principal.actor_state,
        device: principal.device.clone(),
        role: principal.role,
        device_state: principal.device_state,
        certificate_until: principal.until,
    })
}

/// The actor's own devices.
///
/// # Errors
/// The database's, or the keyring's.
pub async fn own_devices(core: &Core, principal: &Principal) -> Result<Devices, Problem> {
    let mut tx = tx::begin(&core.pools.app, &principal.tenant())
        .await
        .map_err(|e| store(&e))?;
    let rows = devices::of_actor(&mut tx, &principal.ctx, &principal.actor)
        .await
        .map_err(|e| store(&e))?;
    tx.rollback().await.map_err(|e| store(&e.into()))?;
    let devices = rows
        .iter()
        .map(|row| device_status(core, row))
        .collect::<Result<_, _>>()?;
    Ok(Devices { devices })
}

fn device_status(core: &Core, row: &DeviceRow) -> Result<DeviceStatus, Problem> {
    let at = Record::device_person(&row.actor, &row.device);
    let person = core
        .keyring
        .open_record(&at.at(), &row.person)
        .map_err(|error| keyring(&error))?;
    let key: [u8; 32] = row
        .signing_key
        .as_slice()
        .try_into()
        .map_err(|_| internal("a stored key has the wrong length"))?;
    Ok(DeviceStatus {
        device: row.device.clone(),
        role: row.role,
        state: row.state,
        jwk: VerifyingKey::from_bytes(key).map_err(|_| internal("a stored key is no key"))?,
        seal: SealPublicKey::from_bytes(&row.seal_key)
            .map_err(|_| internal("a stored key is no key"))?,
        person: String::from_utf8_lossy(&person).into_owned(),
        until: row.until.unix_timestamp(),
    })
}

/// The context that somebody names who reads what is public in it. A device reads of its own context alone, whatever it
/// names; without a certificate there is no saying whose it is.
///
/// # Errors
/// `wrong-context`, when the deployment does not serve it, or the device is of another; the database's.
pub async fn named<'a>(
    core: &'a Core,
    ctx: &ContextId,
    spki: Option<&Digest>,
) -> Result<&'a ContextKeys, Problem> {
    let context = core
        .context(ctx)
        .map_err(|problem| problem.pointer("/ctx"))?;
    if let Some(spki) = spki {
        let device = devices::by_certificate(&core.pools.app, spki).await;
        if device
            .map_err(|e| store(&e))?
            .is_some_and(|d| d.ctx != *ctx)
        {
            return Err(Problem::new(ProblemKind::WrongContext).pointer("/ctx"));
        }
    }
    Ok(context)
}

/// The tenant that reads what is public in a context.
fn public(core: &Core, context: &ContextKeys) -> Tenant {
    Tenant {
        ctx: context.id.clone(),
        actor: core.deployment.node.actor.clone(),
        kind: ActorKind::Server,
    }
}

/// Everybody's keys in a context.
///
/// # Errors
/// The database's.
pub async fn directory(core: &Core, context: &ContextKeys) -> Result<KeyDirectory, Problem> {
    let read = read_directory(core, context).await;
    let (actors, named) = read.map_err(|e| store(&e))?;
    Ok(KeyDirectory {
        aud: core.deployment.aud.clone(),
        server: context.keys.clone(),
        actors,
        named,
    })
}

async fn read_directory(
    core: &Core,
    context: &ContextKeys,
) -> Result<(Vec<ActorKeys>, Vec<NamedParty>), StoreError> {
    let ctx = &context.id;
    let mut tx = tx::begin(&core.pools.app, &public(core, context)).await?;
    let keys = statements::since(&mut tx, ctx, Kind::Keys, LogPosition(0)).await?;
    let renewals = statements::since(&mut tx, ctx, Kind::Renew, LogPosition(0)).await?;
    let revocations = statements::since(&mut tx, ctx, Kind::Revoke, LogPosition(0)).await?;
    let rows = actors::all(&mut tx, ctx).await?;
    let waits = |row: &&ActorRow| row.kind == ActorKind::Party && row.waits_for_admission();
    let waiting: Vec<ActorId> = rows.iter().filter(waits).map(|r| r.actor.clone()).collect();
    let invites = if waiting.is_empty() {
        Vec::new()
    } else {
        statements::since(&mut tx, ctx, Kind::Invite, LogPosition(0)).await?
    };
    let mut out = Vec::new();
    for row in rows {
        if let Some(keys) = actor_keys(&mut tx, row, &keys, &renewals, &revocations).await? {
            out.push(keys);
        }
    }
    tx.rollback().await?;
    Ok((out, named_parties(&waiting, &invites)))
}

/// The parties that wait to be admitted, each with the latest invite that names it.
fn named_parties(waiting: &[ActorId], invites: &[(ActorId, String)]) -> Vec<NamedParty> {
    let mut latest: BTreeMap<ActorId, String> = BTreeMap::new();
    for (_, jws) in invites {
        let claims = statement::parse(jws.as_bytes())
            .ok()
            .and_then(|own| serde_json::from_slice::<InviteClaims>(own.payload()).ok());
        if let Some(claims) = claims.filter(|claims| waiting.contains(&claims.actor)) {
            latest.insert(claims.actor, jws.clone());
        }
    }
    latest
        .into_iter()
        .map(|(actor, invite)| NamedParty { actor, invite })
        .collect()
}

async fn actor_keys(
    conn: &mut crate::store::Connection,
    row: ActorRow,
    all_keys: &[(ActorId, String)],
    renewals: &[(ActorId, String)],
    revocations: &[(ActorId, String)],
) -> Result<Option<ActorKeys>, StoreError> {
    let Some(keys_pos) = row.keys_pos else {
        return Ok(None);
    };
    let Some(keys) = statements::at(conn, keys_pos).await? else {
        return Ok(None);
    };
    let admit = match row.admit_pos {
        Some(pos) => statements::at(conn, pos).await?,
        None => None,
    };
    let own = |from: &[(ActorId, String)]| {
        from.iter()
            .filter(|(actor, _)| *actor == row.actor)
            .map(|(_, jws)| jws.clone())
            .collect::<Vec<_>>()
    };
    Ok(Some(ActorKeys {
        actor: row.actor.clone(),
        kind: row.kind,
        name: row.name.clone(),
        state: row.state,
        duty: row.duty.clone(),
        former: still_needed(&keys, own(all_keys)),
        keys,
        renewals: own(renewals),
        revocations: revocations
            .iter()
            .filter(|(_, jws)| revokes(jws, &row.actor))
            .map(|(_, jws)| jws.clone())
            .collect(),
        admit,
    }))
}

/// Those of an actor's `keys` statements before the latest in which stands a device, or a key of one, that stands in no
/// later one. Each names all devices: all of them together would grow with the square of the devices, and the others prove
/// nothing more.
fn still_needed(latest: &str, all: Vec<String>) -> Vec<String> {
    let named = |jws: &str| {
        let claims = statement::parse(jws.as_bytes())
            .ok()
            .and_then(|own| serde_json::from_slice::<KeysClaims>(own.payload()).ok());
        claims.map_or_else(Vec::new, |claims| {
            let devices = claims.devices.into_iter();
            devices.map(|key| (key.id, key.jwk.kid())).collect()
        })
    };
    let mut known: HashSet<_> = named(latest).into_iter().collect();
    let before = all
        .into_iter()
        .rev()
        .skip_while(|jws| jws != latest)
        .skip(1);
    let mut needed: Vec<String> = before
        .filter(|jws| {
            let count = known.len();
            known.extend(named(jws));
            known.len() > count
        })
        .collect();
    needed.reverse();
    needed
}

/// Whether a stored revocation is of a device of this actor; the coordinator revokes devices of others.
fn revokes(jws: &str, actor: &ActorId) -> bool {
    let Ok(unverified) = statement::parse(jws.as_bytes()) else {
        return false;
    };
    let claims: Option<crate::wire::claims::RevokeClaims> =
        serde_json::from_slice(unverified.payload()).ok();
    claims.is_some_and(|claims| claims.actor == *actor)
}

/// The policy in force in a context.
///
/// # Errors
/// The database's.
pub async fn current_policy(core: &Core, context: &ContextKeys) -> Result<CurrentPolicy, Problem> {
    let read = async {
        let mut tx = tx::begin(&core.pools.app, &public(core, context)).await?;
        let (policy, pos) = actors::policy(&mut tx, &context.id).await?;
        let statement = match pos {
            Some(pos) => statements::at(&mut tx, pos).await?,
            None => None,
        };
        tx.rollback().await?;
        Ok(CurrentPolicy { statement, policy })
    };
    read.await.map_err(|e: StoreError| store(&e))
}
