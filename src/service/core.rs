//! What every use case stands on: the deployment's own keys and names, the keyring, the pools.

use std::collections::BTreeMap;
use std::sync::Arc;

use time::OffsetDateTime;
use uuid::Uuid;

use crate::crypto::digest::Digest;
use crate::crypto::keyring::{Keyring, KeyringError, RecordRef};
use crate::crypto::keys::SigningKey;
use crate::crypto::month::Month;
use crate::crypto::seal_key::SealKey;
use crate::crypto::statement;
use crate::crypto::x509::Authority;
use crate::domain::actor::Mode;
use crate::domain::ids::{ContextId, Issuer};
use crate::store::error::StoreError;
use crate::store::pool::Pools;
use crate::wire::claims::{Claims, Common};
use crate::wire::problem::{Problem, ProblemKind};

/// A context that this deployment serves, and what of the server's keys is its own.
pub struct ContextKeys {
    /// Its short name.
    pub id: ContextId,
    /// Real, or a drill.
    pub mode: Mode,
    /// The server's HPKE key of this context: what was sealed for one context opens in no other.
    pub hpke: SealKey,
    /// The server's `keys` statement of this context, under the deployment's root.
    pub keys: String,
}

/// The deployment: its names and the keys that live on this node.
pub struct Deployment {
    /// `herald:<thumbprint of the root>`: every statement's `aud`.
    pub aud: String,
    /// The contexts, by name. None of them is the one that is meant where none is named.
    pub contexts: BTreeMap<ContextId, ContextKeys>,
    /// The node as an issuer.
    pub node: Issuer,
    /// The node's signing key.
    pub signing: SigningKey,
    /// The device CA.
    pub authority: Authority,
}

/// Shared by every use case of a running server.
#[derive(Clone)]
pub struct Core {
    /// The deployment.
    pub deployment: Arc<Deployment>,
    /// The keys of the months.
    pub keyring: Arc<Keyring>,
    /// The pools.
    pub pools: Pools,
}

impl Core {
    /// A context of this deployment.
    ///
    /// # Errors
    /// `wrong-context`, when it does not serve one of this name.
    pub fn context(&self, ctx: &ContextId) -> Result<&ContextKeys, Problem> {
        let served = self.deployment.contexts.get(ctx);
        served.ok_or_else(|| ProblemKind::WrongContext.into())
    }

    /// The claims that a statement of the server in a context begins with.
    pub fn common(&self, context: &ContextKeys, at: OffsetDateTime) -> Common {
        let d = &self.deployment;
        Common {
            iss: d.node.clone(),
            aud: d.aud.clone(),
            ctx: context.id.clone(),
            mode: context.mode,
            jti: Uuid::new_v4(),
            iat: at.unix_timestamp(),
        }
    }

    /// Signs a statement of the server.
    ///
    /// # Errors
    /// `internal`, when the claims cannot be written; none in practice.
    pub fn sign(&self, claims: &Claims) -> Result<(String, Digest), Problem> {
        let payload = claims
            .to_json()
            .map_err(|_| internal("a statement of the server could not be written"))?;
        let jws = statement::sign(claims.kind().as_str(), &payload, &self.deployment.signing)
            .map_err(|_| internal("a statement of the server could not be signed"))?;
        let hash = statement::hash(&jws);
        Ok((jws, hash))
    }

    /// The month whose key seals what is stored now, by the database's clock. Which month it is decides only when the record
    /// is destroyed: that the clock was looked at a second ago is good enough.
    ///
    /// # Errors
    /// `internal`, before the keyring was provisioned; none in practice.
    pub fn month(&self) -> Result<Month, Problem> {
        self.keyring.present().map_err(|error| keyring(&error))
    }

    /// Seals a record under the keyring.
    ///
    /// # Errors
    /// `internal`: a key file is missing or damaged; the log names it.
    pub fn seal_record(
        &self,
        at: &RecordRef<'_>,
        month: Month,
        content: &[u8],
    ) -> Result<Vec<u8>, Problem> {
        self.keyring
            .seal_record(at, month, content)
            .map_err(|error| keyring(&error))
    }
}

/// Logs what the keyring says, which names files and never content, and answers that the server failed; of what was
/// destroyed with its month, that it was.
pub fn keyring(error: &KeyringError) -> Problem {
    if let KeyringError::Destroyed(month) = error {
        return destroyed(*month);
    }
    tracing::error!(%error, "the keyring could not be used");
    internal("the keyring could not be used")
}

/// What is asked for was destroyed with its month.
pub fn destroyed(month: Month) -> Problem {
    Problem::new(ProblemKind::Destroyed).detail(format!("it was destroyed with the month {month}"))
}

/// The server failed; `detail` says at what, without content.
pub fn internal(detail: &'static str) -> Problem {
    Problem::new(ProblemKind::Internal).detail(detail)
}

/// What a failing database means to whoever asked.
pub fn store(error: &StoreError) -> Problem {
    if error.is_transient() {
        tracing::warn!(%error, "the database did not answer");
        Problem::new(ProblemKind::DatabaseUnavailable).retry_after_s(2)
    } else {
        tracing::error!(%error, "the database refused");
        internal("the database refused")
    }
}
