//! The invite code: one line that a person hands to another, and everything that a new device must know before it can
//! believe the server: a secret that counts once, and the fingerprints to pin.

use std::fmt;
use std::str::FromStr;

use crate::crypto::digest::{Digest, Kid};
use crate::crypto::random::random_bytes;
use crate::crypto::{array_from_b64url, b64url};
use crate::domain::actor::Role;
use crate::domain::ids::{ActorId, ContextId};

/// What every code begins with.
const MARK: &str = "HN1";

/// Why text is no invite code.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error(
    "this is not an invite code: it begins with HN1. and has eight parts with dots between; copy it whole, without spaces. One with seven parts was made by an earlier version and names no context: ask for a new one"
)]
pub struct InviteCodeError;

/// `HN1.<secret>.<CA>.<deployment root>.<coordinator root>.<actor>.<role>.<context>`: four parts in base64url, of which the
/// last is empty in the invite of the coordinator's own first device, then for whom, as what and in which context, so that
/// a first device can sign its actor's keys before it has spoken with the server. Debug prints `[sealed]`; only [`fmt::Display`] writes the secret.
#[derive(Clone, PartialEq, Eq)]
pub struct InviteCode {
    /// 32 random bytes; the server keeps their SHA-256 only.
    pub secret: [u8; 32],
    /// SHA-256 of the CA certificate's DER.
    pub ca: Digest,
    /// Thumbprint of the deployment's root.
    pub deployment_root: Kid,
    /// Thumbprint of the coordinator's root.
    pub coordinator_root: Option<Kid>,
    /// For whom the device will speak.
    pub actor: ActorId,
    /// As what.
    pub role: Role,
    /// In which context.
    pub ctx: ContextId,
}

impl InviteCode {
    /// A code with a fresh secret.
    pub fn fresh(
        ca: Digest,
        deployment_root: Kid,
        coordinator_root: Option<Kid>,
        actor: ActorId,
        role: Role,
        ctx: ContextId,
    ) -> Self {
        Self {
            secret: random_bytes(),
            ca,
            deployment_root,
            coordinator_root,
            actor,
            role,
            ctx,
        }
    }

    /// What the server keeps of the secret: its SHA-256.
    pub fn hash(&self) -> Digest {
        Digest::of(&self.secret)
    }

    /// The secret as an enrolment request carries it, base64url.
    pub fn secret_b64url(&self) -> String {
        b64url(&self.secret)
    }
}

impl fmt::Display for InviteCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{MARK}.{}.{}.{}.",
            b64url(&self.secret),
            self.ca,
            self.deployment_root
        )?;
        if let Some(root) = &self.coordinator_root {
            write!(f, "{root}")?;
        }
        write!(f, ".{}.{}.{}", self.actor, self.role, self.ctx)
    }
}

impl fmt::Debug for InviteCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("InviteCode[sealed]")
    }
}

impl FromStr for InviteCode {
    type Err = InviteCodeError;

    fn from_str(text: &str) -> Result<Self, InviteCodeError> {
        let mut parts = text.trim().split('.');
        let mut next = || parts.next().ok_or(InviteCodeError);
        if next()? != MARK {
            return Err(InviteCodeError);
        }
        let secret = array_from_b64url(next()?.as_bytes()).ok_or(InviteCodeError)?;
        let ca = next()?.parse().map_err(|_| InviteCodeError)?;
        let deployment_root = next()?.parse().map_err(|_| InviteCodeError)?;
        let coordinator_root = match next()? {
            "" => None,
            root => Some(root.parse().map_err(|_| InviteCodeError)?),
        };
        let actor = next()?.parse().map_err(|_| InviteCodeError)?;
        let role = next()?.parse().map_err(|_| InviteCodeError)?;
        let ctx = next()?.parse().map_err(|_| InviteCodeError)?;
        if parts.next().is_some() {
            return Err(InviteCodeError);
        }
        Ok(Self {
            secret,
            ca,
            deployment_root,
            coordinator_root,
            actor,
            role,
            ctx,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_code_reads_back_and_one_cut_short_does_not() {
        let kid = Kid::from_digest(Digest::of(b"root"));
        for coordinator in [None, Some(kid)] {
            let actor: ActorId = "east".parse().expect("a slug");
            let (role, ctx) = (Role::PartyDesk, "yem".parse().expect("a slug"));
            let code = InviteCode::fresh(Digest::of(b"ca"), kid, coordinator, actor, role, ctx);
            let text = code.to_string();
            assert_eq!(text.parse(), Ok(code.clone()));
            assert_eq!(format!(" {text}\n").parse(), Ok(code.clone()));
            let cut: String = text.chars().take(text.len() - 3).collect();
            assert_eq!(cut.parse::<InviteCode>(), Err(InviteCodeError));
            let (without, _) = text.rsplit_once('.').expect("parts");
            let refused = without
                .parse::<InviteCode>()
                .expect_err("it names no context");
            assert!(refused.to_string().contains("names no context"));
            assert!(!format!("{code:?}").contains(&code.secret_b64url()));
        }
        for bad in ["", "HN1", "HN2.a.b.c.d.msf.organisation", "HN1......"] {
            assert_eq!(bad.parse::<InviteCode>(), Err(InviteCodeError), "{bad}");
        }
    }
}
