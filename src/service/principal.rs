//! Who is calling: the device behind a client certificate, looked up in the database on every request, so that taking a
//! device back takes effect at the next one.

use crate::crypto::digest::Digest;
use crate::crypto::keys::VerifyingKey;
use crate::domain::actor::{ActorKind, ActorState, DeviceState, Role};
use crate::domain::ids::{ActorId, ContextId, DeviceId, Issuer};
use crate::domain::policy::Access;
use crate::store::tx::Tenant;
use crate::wire::problem::{Problem, ProblemKind};

/// The device behind a request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Principal {
    /// Its context.
    pub ctx: ContextId,
    /// Its actor.
    pub actor: ActorId,
    /// What the actor is.
    pub kind: ActorKind,
    /// The actor's public name.
    pub name: String,
    /// Where the actor stands.
    pub actor_state: ActorState,
    /// The device.
    pub device: DeviceId,
    /// Its role.
    pub role: Role,
    /// Where it stands; never revoked.
    pub device_state: DeviceState,
    /// Its signing key.
    pub key: VerifyingKey,
    /// SHA-256 of its certificate's public key.
    pub spki: Digest,
    /// When its certificate ends, seconds since the Unix epoch.
    pub until: i64,
    /// It shows the certificate from before its last renewal, of which it may not have had the answer.
    pub former: bool,
}

impl Principal {
    /// The tenant whose rows it may read.
    pub fn tenant(&self) -> Tenant {
        Tenant {
            ctx: self.ctx.clone(),
            actor: self.actor.clone(),
            kind: self.kind,
        }
    }

    /// The device as an issuer of statements.
    pub fn issuer(&self) -> Issuer {
        Issuer::device(self.actor.clone(), self.device.clone())
    }

    /// Whether it may call an operation.
    ///
    /// # Errors
    /// `not-allowed` when its role does not include it; `not-admitted` when its root has not named it yet.
    pub fn may_call(&self, access: Access) -> Result<(), Problem> {
        match access {
            Access::Renewing => Ok(()),
            _ if self.former => Err(ProblemKind::CertificateUnknown.into()),
            Access::Roles(roles) if !roles.contains(&self.role) => {
                Err(ProblemKind::NotAllowed.into())
            }
            Access::Roles(_) if self.device_state == DeviceState::Pending => {
                Err(Problem::new(ProblemKind::NotAdmitted)
                    .detail("this device is not yet named by its root, so it may not speak yet")
                    .action("A colleague who holds the root runs `herald devices sign DEVICE --root FILE` with this device's fingerprint; then run `herald devices` here."))
            }
            Access::Open | Access::AnyDevice | Access::Roles(_) => Ok(()),
        }
    }
}
