//! From the reference that a person types to the exact revision that a statement names: found among what this device has
//! received and checked itself, so that nobody signs for bytes that only the server has seen.

use super::error::CliError;
use super::inbox::{Entry, Inbox};
use super::outbox::Outbox;
use super::profile::Profile;
use crate::crypto::digest::Digest;
use crate::domain::ids::{ActorId, Nid, Reference, Revision};
use crate::domain::kind::Kind;

/// A notification as a person names it: `HN-2217-ABCD` in any spelling, or its id.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Named {
    /// By its id.
    Nid(Nid),
    /// By its short reference.
    Reference(Reference),
}

impl std::str::FromStr for Named {
    type Err = crate::domain::ids::IdError;
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text.parse() {
            Ok(nid) => Ok(Self::Nid(nid)),
            Err(_) => text.parse().map(Self::Reference),
        }
    }
}

impl std::fmt::Display for Named {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Nid(nid) => nid.fmt(f),
            Self::Reference(reference) => reference.fmt(f),
        }
    }
}

impl Named {
    /// Whether this is meant.
    pub(super) fn is(&self, nid: Nid) -> bool {
        match self {
            Self::Nid(named) => *named == nid,
            Self::Reference(reference) => nid.reference() == *reference,
        }
    }
}

/// A revision that a statement is to name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Target {
    /// The notification.
    pub nid: Nid,
    /// The revision.
    pub rev: Revision,
    /// Hash of its statement.
    pub of: Digest,
    /// What it is.
    pub kind: Kind,
    /// Whose.
    pub organisation: ActorId,
}

impl Target {
    fn of_entry(entry: &Entry) -> Option<Self> {
        Some(Self {
            nid: entry.nid?,
            rev: entry.rev?,
            of: entry.of,
            kind: entry.kind,
            organisation: entry.speaks_for().clone(),
        })
    }
}

/// The notification that is meant, among those received.
///
/// # Errors
/// When it was not received, or two share the reference.
pub fn nid(inbox: &Inbox, named: &Named) -> Result<Nid, CliError> {
    let found: Vec<Nid> = match named {
        Named::Nid(nid) => inbox.latest(*nid).map(|_| *nid).into_iter().collect(),
        Named::Reference(reference) => inbox.named(reference).to_vec(),
    };
    match found.as_slice() {
        [one] => Ok(*one),
        [] => Err(not_received(named)),
        several => Err(ambiguous(named, several)),
    }
}

/// The revision that is meant: the latest one received of a site or movement, or the one that is given.
///
/// # Errors
/// When it was not received.
pub fn revision(
    inbox: &Inbox,
    named: &Named,
    rev: Option<Revision>,
) -> Result<(Target, Entry), CliError> {
    let nid = nid(inbox, named)?;
    let wanted = |entry: &&Entry| {
        entry.is_revision()
            && match rev {
                Some(rev) => entry.rev == Some(rev),
                None => true,
            }
    };
    inbox
        .about(nid)
        .filter(wanted)
        .max_by_key(|entry| entry.rev)
        .and_then(|entry| Some((Target::of_entry(entry)?, entry.clone())))
        .ok_or_else(|| not_received(named))
}

/// The latest revision of one's own notification: signed here, also when it still waits to be sent, or received from a
/// colleague's device.
///
/// # Errors
/// When none is known here.
pub fn own_latest(
    profile: &Profile,
    inbox: &Inbox,
    named: &Named,
) -> Result<(Nid, Revision, Digest), CliError> {
    let outbox = Outbox::open(profile.dir())?;
    let signed = outbox.latest(|meta| meta.nid.is_some_and(|nid| named.is(nid)))?;
    let signed = signed.and_then(|meta| Some((meta.nid?, meta.rev?, meta.hash)));
    let received = match nid(inbox, named) {
        Ok(nid) => inbox
            .latest(nid)
            .and_then(|entry| Some((nid, entry.rev?, entry.of))),
        Err(_) => None,
    };
    match (signed, received) {
        (Some(signed), Some(received)) if signed.0 != received.0 => {
            Err(ambiguous(named, &[signed.0, received.0]))
        }
        (Some(signed), Some(received)) => Ok(if received.1 > signed.1 {
            received
        } else {
            signed
        }),
        (Some(one), None) | (None, Some(one)) => Ok(one),
        (None, None) => Err(not_received(named)),
    }
}

fn not_received(named: &Named) -> CliError {
    CliError::refused(
        format!("{named} is not among what this device has received"),
        "Run `herald listen --once`, then check the reference with the person who read it to you.",
    )
}

fn ambiguous(named: &Named, nids: &[Nid]) -> CliError {
    let all: Vec<String> = nids.iter().map(ToString::to_string).collect();
    CliError::refused(
        format!("{named} may mean several notifications"),
        format!("Name the one you mean by its id: {}", all.join(", ")),
    )
}
