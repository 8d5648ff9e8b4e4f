//! From a composed notification to the signed and sealed statement: which part is sealed to whom stands here, once.
//! `place` and `audience.*` go to the server's key; `contact` goes to the coordinator and the parties that may ever see
//! the exact place, never to the server.

use crate::cli::attach::Attached;
use crate::cli::draft::compose::Composed;
use crate::crypto::digest::Digest;
use crate::crypto::keys::SigningKey;
use crate::domain::ids::{ActorId, Nid, Revision};
use crate::domain::notification::{Subject, Tier};
use crate::wire::build::{self, BuildError, Built, Part};
use crate::wire::claims::{Claims, Common, MovementClaims, NotificationClaims};
use crate::wire::parts::{Audience, Blobs, name};
use crate::wire::trust::{Trust, TrustError};

/// Which revision is signed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Next {
    /// The notification.
    pub nid: Nid,
    /// The revision.
    pub rev: Revision,
    /// Hash of the revision before.
    pub prev: Option<Digest>,
    /// The parties that earlier revisions named.
    pub named: Vec<ActorId>,
}

impl Next {
    /// The first revision of a new notification.
    pub fn first() -> Self {
        Self {
            nid: Nid::random(),
            rev: Revision::FIRST,
            prev: None,
            named: Vec::new(),
        }
    }

    /// The revision after one.
    pub const fn after(nid: Nid, rev: Revision, hash: Digest, named: Vec<ActorId>) -> Self {
        Self {
            nid,
            rev: rev.next(),
            prev: Some(hash),
            named,
        }
    }
}

/// Why nothing could be signed.
#[derive(Debug, thiserror::Error)]
pub enum SignError {
    /// A reader's key is not believed.
    #[error(transparent)]
    Trust(#[from] TrustError),
    /// The statement could not be made.
    #[error(transparent)]
    Build(#[from] BuildError),
}

/// What was signed, and whom it names.
pub struct Signed {
    /// The statement and its seals.
    pub built: Built,
    /// All parties that this and earlier revisions name.
    pub parties: Vec<ActorId>,
}

/// Signs and seals a revision without attachments: [`sign_with`].
///
/// # Errors
/// As [`sign_with`].
pub fn sign(
    composed: &Composed,
    next: &Next,
    common: Common,
    trust: &Trust,
    key: &SigningKey,
) -> Result<Signed, SignError> {
    sign_with(composed, &[], next, common, trust, key)
}

/// Signs and seals a revision. Parties that an earlier revision named and this one does not are told that they are no
/// longer notified of it.
///
/// # Errors
/// When a party's key does not verify, or a part is too large.
pub fn sign_with(
    composed: &Composed,
    attached: &[Attached],
    next: &Next,
    common: Common,
    trust: &Trust,
    key: &SigningKey,
) -> Result<Signed, SignError> {
    // A party that is suspended or has left keeps what it was told: a revision neither names it nor takes it back.
    let (held_back, named): (Vec<ActorId>, Vec<ActorId>) = next
        .named
        .iter()
        .cloned()
        .partition(|party| matches!(trust.party(party), Err(TrustError::HeldBack { .. })));
    let audience = with_withdrawn(&composed.audience, &named);
    let server = trust.server_seal();
    let mut parts = vec![Part::new(name::PLACE, &composed.place)?.sealed_to(server)];
    for part in &audience {
        if part.tier != Tier::Withdrawn {
            trust.chosen(&part.party)?;
        }
        parts.push(Part::new(name::audience(&part.party), part)?.sealed_to(server));
    }
    if let Some(contact) = &composed.contact {
        let mut part = Part::new(name::CONTACT, contact)?.sealed_to(&trust.coordinator()?.desk);
        for reader in audience
            .iter()
            .filter(|part| matches!(part.tier, Tier::Exact | Tier::OnCheck))
        {
            if let Some(desk) = trust.chosen(&reader.party)? {
                part = part.sealed_to(desk);
            }
        }
        parts.push(part);
    }
    let own = composed.on_behalf.as_ref();
    let own = own.map_or(&common.iss.actor, |word| &word.org);
    parts.extend(attachments(attached, &audience, own, trust)?);
    let claims = claims(composed, next, common);
    let built = build::build(claims, &parts, key)?;
    Ok(Signed {
        built,
        parties: audience
            .into_iter()
            .map(|part| part.party)
            .chain(held_back)
            .collect(),
    })
}

/// Each attachment is sealed to the coordinator, the organisation's own desk and the parties that see the exact place, as far
/// as they have desks; which contents there are, to the server.
fn attachments(
    attached: &[Attached],
    audience: &[Audience],
    own: &ActorId,
    trust: &Trust,
) -> Result<Vec<Part>, SignError> {
    if attached.is_empty() {
        return Ok(Vec::new());
    }
    let mut readers = vec![&trust.coordinator()?.desk];
    // An organisation for which the coordinator notifies may have no desk yet.
    readers.extend(trust.actor(own).ok().map(|actor| &actor.desk));
    for part in audience.iter().filter(|part| part.tier == Tier::Exact) {
        readers.extend(trust.chosen(&part.party)?);
    }
    let mut parts = Vec::with_capacity(attached.len() + 1);
    for (one, n) in attached.iter().zip(1..) {
        let part = Part::new(name::attachment(n), &one.part)?;
        let sealed = readers.iter().fold(part, |part, key| part.sealed_to(key));
        parts.push(sealed);
    }
    let blobs = Blobs {
        blobs: attached.iter().map(Attached::named).collect(),
    };
    parts.push(Part::new(name::BLOBS, &blobs)?.sealed_to(trust.server_seal()));
    Ok(parts)
}

fn with_withdrawn(audience: &[Audience], named: &[ActorId]) -> Vec<Audience> {
    let mut out = audience.to_vec();
    for party in named {
        if out.iter().all(|part| part.party != *party) {
            out.push(Audience {
                party: party.clone(),
                tier: Tier::Withdrawn,
                onward: false,
                cells: Vec::new(),
            });
        }
    }
    out
}

fn claims(composed: &Composed, next: &Next, common: Common) -> Claims {
    let (nid, rev, prev, emergency) = (next.nid, next.rev, next.prev, composed.emergency);
    let on_behalf = composed.on_behalf.clone();
    match composed.subject {
        Subject::Site => {
            NotificationClaims::new(common, nid, rev, prev, emergency, on_behalf).into()
        }
        Subject::Movement => {
            MovementClaims::new(common, nid, rev, prev, emergency, on_behalf).into()
        }
    }
}
