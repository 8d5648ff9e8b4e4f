//! What stands in `deployment.json`: names, no secret. Written whole or not at all. The form of earlier versions, in which
//! a deployment served one context, is read as well, and is written as the present one when something is added.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::{DeploymentError, damaged};
use crate::crypto::digest::{Digest, Kid};
use crate::crypto::secret_file;
use crate::domain::actor::Mode;
use crate::domain::ids::{ActorId, ContextId, DeviceId};

/// The form that this version writes.
const FORMAT: u32 = 2;
/// The form with one context.
const ONE_CONTEXT: u32 = 1;
/// The file.
pub(super) const ABOUT: &str = "deployment.json";
/// Where the keys of the only context stood in the form with one.
const KEYS_OF_ONE: &str = "keys";

/// What stands in `deployment.json`.
#[derive(Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct About {
    format: u32,
    /// Its public name.
    pub name: String,
    /// DNS names and addresses by which clients reach it.
    pub hosts: Vec<String>,
    /// Where the server listens unless it is told otherwise at its start; absent in deployments of earlier versions.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub listen: Option<SocketAddr>,
    /// Thumbprint of the root.
    pub root: Kid,
    pub(super) node: DeviceId,
    /// The contexts, in the order in which they were added.
    pub contexts: Vec<AboutContext>,
}

/// One context.
#[derive(Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AboutContext {
    /// Its short name.
    pub ctx: ContextId,
    /// Real, or a drill.
    pub mode: Mode,
    /// Its public name.
    pub name: String,
    /// The country, ISO 3166-1 alpha-3.
    pub country: Option<String>,
    /// The directory with its keys, below the deployment's.
    pub(super) keys: PathBuf,
    /// The coordinator's first invite.
    pub first: FirstInvite,
}

/// The coordinator's first invite, which the first start puts into the database.
#[derive(Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FirstInvite {
    /// Hash of the secret.
    pub code: Digest,
    /// The coordinator's short name.
    pub actor: ActorId,
    /// Its public name.
    pub name: String,
    /// Whom it is for.
    pub person: String,
    /// Until when, microseconds since the Unix epoch.
    pub until_us: i64,
}

/// The form with one context.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct OneContext {
    #[serde(rename = "format")]
    _format: u32,
    name: String,
    ctx: ContextId,
    mode: Mode,
    country: Option<String>,
    hosts: Vec<String>,
    #[serde(default)]
    listen: Option<SocketAddr>,
    root: Kid,
    node: DeviceId,
    first: FirstInvite,
}

impl From<OneContext> for About {
    fn from(one: OneContext) -> Self {
        let context = AboutContext {
            ctx: one.ctx,
            mode: one.mode,
            name: one.name.clone(),
            country: one.country,
            keys: PathBuf::from(KEYS_OF_ONE),
            first: one.first,
        };
        Self {
            format: FORMAT,
            name: one.name,
            hosts: one.hosts,
            listen: one.listen,
            root: one.root,
            node: one.node,
            contexts: vec![context],
        }
    }
}

impl About {
    /// A new deployment's, with no context yet.
    pub(super) fn new(
        name: String,
        hosts: Vec<String>,
        listen: SocketAddr,
        root: Kid,
        node: DeviceId,
    ) -> Self {
        Self {
            format: FORMAT,
            name,
            hosts,
            listen: Some(listen),
            root,
            node,
            contexts: Vec::new(),
        }
    }

    /// Reads it.
    pub(super) fn read(dir: &Path) -> Result<Self, DeploymentError> {
        let file = dir.join(ABOUT);
        if !file.exists() {
            return Err(DeploymentError::Missing(dir.to_owned()));
        }
        let text = secret_file::read(&file)?;
        let broken = |error: serde_json::Error| damaged(&file, &error);
        let value: serde_json::Value = serde_json::from_slice(&text).map_err(broken)?;
        let format = value.get("format").and_then(serde_json::Value::as_u64);
        let about = match format.map(u32::try_from) {
            Some(Ok(ONE_CONTEXT)) => serde_json::from_value::<OneContext>(value).map(Self::from),
            Some(Ok(newer)) if newer > FORMAT => return Err(DeploymentError::Newer(newer)),
            _ => serde_json::from_value(value),
        };
        let about = about.map_err(broken)?;
        for (n, context) in about.contexts.iter().enumerate() {
            let twice = about
                .contexts
                .iter()
                .skip(n + 1)
                .any(|c| c.ctx == context.ctx);
            if twice {
                return Err(damaged(&file, &"a context stands in it twice"));
            }
        }
        if about.contexts.is_empty() {
            return Err(damaged(&file, &"it names no context"));
        }
        Ok(about)
    }

    /// Writes it, in place of what may stand there.
    pub(super) fn write(&self, dir: &Path) -> Result<(), DeploymentError> {
        let text = serde_json::to_vec_pretty(self).map_err(|_| DeploymentError::Sign)?;
        Ok(secret_file::replace(&dir.join(ABOUT), &text)?)
    }

    /// The context of this name.
    pub fn context(&self, ctx: &ContextId) -> Option<&AboutContext> {
        self.contexts.iter().find(|context| context.ctx == *ctx)
    }
}
