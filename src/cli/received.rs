//! One event, checked before it is kept: signature under the signer's root, receipt by the server's node for exactly this
//! statement and position, and every part that this desk can open against its digest in the statement.

use super::error::CliError;
use super::profile::Profile;
use crate::crypto::array_from_b64url;
use crate::crypto::digest::Digest;
use crate::crypto::disclosure::Disclosure;
use crate::crypto::seal_key::SealKey;
use crate::crypto::statement;
use crate::wire::build::open;
use crate::wire::claims::{Claims, KeysClaims};
use crate::wire::envelope::{Content, Event};
use crate::wire::parts::{AttachmentPart, DeskKey, MAX_ATTACHMENTS, name};
use crate::wire::read::{ReadError, read};
use crate::wire::trust::{Trust, TrustError};

/// The keys that open what comes to this device.
pub struct Readers {
    desk: Option<SealKey>,
    device: SealKey,
}

impl Readers {
    /// The profile's: the desk's, if it has been handed on, and the device's own.
    ///
    /// # Errors
    /// When a key file is exposed or damaged.
    pub fn of(profile: &Profile) -> Result<Self, CliError> {
        Ok(Self {
            desk: profile.desk_seal_key().ok(),
            device: profile.device_seal_key()?,
        })
    }

    /// Whether what is sent to the desk can be opened.
    pub const fn has_desk(&self) -> bool {
        self.desk.is_some()
    }

    fn all(&self) -> impl Iterator<Item = &SealKey> {
        self.desk.iter().chain(std::iter::once(&self.device))
    }
}

/// An event and what came of checking it. Parts print as `[sealed]`.
#[derive(Debug)]
pub struct Received {
    /// What the statement claims; not to be believed when there is a doubt.
    pub claims: Claims,
    /// The parts that this device can open.
    pub parts: Vec<Disclosure>,
    /// Why it is not believed.
    pub doubt: Option<TrustError>,
    /// Whether a part did not open that was sealed for this device, and why.
    pub unopened: Option<String>,
}

impl Received {
    /// What stands against it, in words.
    pub fn doubt_text(&self) -> Option<String> {
        self.doubt
            .as_ref()
            .map(ToString::to_string)
            .or_else(|| self.unopened.clone())
    }

    /// The digests of the parts that were opened: what an acknowledgement names.
    pub fn opened(&self) -> Vec<Digest> {
        self.parts.iter().map(Disclosure::digest).collect()
    }

    /// The attachments that were opened, with their numbers, in order.
    pub fn attachments(&self) -> Vec<(usize, AttachmentPart)> {
        (1..=MAX_ATTACHMENTS)
            .filter_map(|n| Some((n, self.part(&name::attachment(n))?)))
            .collect()
    }

    /// The value of a part that was opened, if it reads as one.
    pub fn part<T: serde::de::DeserializeOwned>(&self, name: &str) -> Option<T> {
        let part = self.parts.iter().find(|part| part.name() == name)?;
        serde_json::from_value(part.value().clone()).ok()
    }
}

/// Checks an event.
///
/// # Errors
/// Only when the statement cannot be read at all; every other fault is a doubt, so that one bad event does not hold up
/// the mailbox.
pub fn receive(event: &Event, trust: &Trust, readers: &Readers) -> Result<Received, ReadError> {
    let (_, claims) = read(&event.envelope.statement)?;
    let doubt = believe(event, trust).err();
    let (mut parts, mut unopened) = (Vec::new(), None);
    for attachment in &event.envelope.attachments {
        let key = match &attachment.content {
            Content::Seal { kid, .. } => readers.all().find(|key| key.kid() == *kid),
            Content::Disclosure(_) => Some(&readers.device),
        };
        let Some(key) = key else { continue };
        match open(&claims, attachment, key) {
            Ok(part) => parts.push(part),
            Err(error) => unopened = Some(error.to_string()),
        }
    }
    Ok(Received {
        claims,
        parts,
        doubt,
        unopened,
    })
}

fn believe(event: &Event, trust: &Trust) -> Result<(), TrustError> {
    trust.check(&event.envelope.statement)?;
    let of = statement::hash(&event.envelope.statement);
    let receipt = trust.check_receipt(&event.receipt, of)?;
    if receipt.pos == event.pos {
        Ok(())
    } else {
        Err(TrustError::ReceiptOfAnother)
    }
}

/// The desk's key, when this `keys` statement of the own actor hands it to this device.
pub fn handed_on(received: &Received, profile: &Profile) -> Option<SealKey> {
    let Claims::Keys(claims) = &received.claims else {
        return None;
    };
    let me = profile.me();
    if received.doubt.is_some() || claims.iss.actor != me.actor {
        return None;
    }
    let part: DeskKey = received.part(&name::desk(&me.device))?;
    desk_key(&part, claims)
}

fn desk_key(part: &DeskKey, claims: &KeysClaims) -> Option<SealKey> {
    let seed = array_from_b64url::<32>(part.seed.as_bytes())?;
    let key = SealKey::from_seed(&zeroize::Zeroizing::new(seed));
    // A root that hands on another key than it names is not followed.
    (key.kid() == claims.desk.kid()).then_some(key)
}
