//! What the coordinator says of a package that it relayed to a party by other means than this system: what stood in it, how
//! much of each notification it disclosed, to whom it went and how, and which files it was. Sealed like every part.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::parts::Person;
use crate::crypto::digest::Digest;
use crate::domain::exchange::Means;
use crate::domain::ids::{LogPosition, Nid};
use crate::domain::notification::Tier;

/// Files of one package.
pub const MAX_FILES: usize = 8;

/// The part `detail` of a relay: for the server, the organisation and the coordinator.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RelayDetail {
    /// How much of each item was disclosed, one for each of the claims' `items`, in their order.
    pub items: Vec<Disclosed>,
    /// By what means it went.
    pub means: Means,
    /// To whom: an e-mail address, a name, an office.
    pub recipient: String,
    /// Which officer of the coordinator relayed it.
    pub officer: Person,
    /// The highest log position of what stands in the package: its serial.
    pub serial: LogPosition,
    /// The files, 1 to 8.
    pub files: Vec<RelayedFile>,
    /// Always [`crate::domain::exchange::RELAY_SENTENCE`].
    pub says: String,
}

/// What of a notification was disclosed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Disclosed {
    /// The notification.
    pub nid: Nid,
    /// The exact place, squares, nothing but that there is something, or that it is no longer notified.
    pub tier: Tier,
}

/// A file of a package.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RelayedFile {
    /// Its name.
    pub name: String,
    /// SHA-256 of it. Every file holds random bytes of its package, so that its digest tells nobody what else stood in it.
    pub sha256: Digest,
    /// How long it is, in bytes.
    pub size: u64,
}

impl fmt::Debug for RelayDetail {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("RelayDetail[sealed]")
    }
}

impl fmt::Debug for RelayedFile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("RelayedFile[sealed]")
    }
}
