//! Making a statement with its parts, and opening them again: the one place that fills `_sd`, adds decoys, signs, and
//! binds each seal to its statement, so that server and client cannot bind differently.

use serde::Serialize;
use serde_json::Value;

use super::claims::Claims;
use super::envelope::{Attachment, Content, Envelope};
use crate::crypto::digest::Digest;
use crate::crypto::disclosure::{Disclosure, DisclosureError};
use crate::crypto::keys::SigningKey;
use crate::crypto::random::random_bytes;
use crate::crypto::seal::{self, SealContext, SealError, Sealed};
use crate::crypto::seal_key::{SealKey, SealPublicKey};
use crate::crypto::statement::{self, StatementError};
use crate::domain::kind::Kind;

/// The number of digests in a notification is rounded up to a multiple of this, so that it does not tell how many
/// parties were chosen.
pub const DECOY_STEP: usize = 8;

/// Why a statement could not be made.
#[derive(Debug, thiserror::Error)]
pub enum BuildError {
    /// A part cannot be disclosed: too long, or nested too deeply.
    #[error("the part {part} cannot be made: {source}")]
    Part {
        /// Its name.
        part: String,
        /// Why.
        source: DisclosureError,
    },
    /// A part or the claims have no JSON form.
    #[error("the part {part} has no JSON form; a number in it may not be finite")]
    Json {
        /// Its name, or `claims`.
        part: String,
    },
    /// A part cannot be sealed.
    #[error("the part {part} cannot be sealed: {source}")]
    Seal {
        /// Its name.
        part: String,
        /// Why.
        source: SealError,
    },
    /// The statement cannot be signed.
    #[error("the statement cannot be signed: {0}")]
    Sign(#[from] StatementError),
}

/// Why a part could not be opened.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// The seal does not open, or holds something else.
    #[error("the part {part} cannot be read: {source}")]
    Seal {
        /// Its name.
        part: String,
        /// Why.
        source: SealError,
    },
    /// A disclosure in the clear is not the one that the statement's digest names.
    #[error("the part {part} cannot be read: {source}")]
    Disclosure {
        /// Its name.
        part: String,
        /// Why.
        source: DisclosureError,
    },
    /// The statement does not name the digest.
    #[error("the part {part} is not one of the statement's own: its digest does not stand in it")]
    Foreign {
        /// Its name.
        part: String,
    },
    /// The name beside the part is not the name inside it.
    #[error("the part {part} carries another name inside; its maker is faulty")]
    OtherName {
        /// The name beside it.
        part: String,
    },
}

/// A part of a statement to be made: its value, and who may read it.
pub struct Part {
    name: String,
    value: Value,
    readers: Vec<SealPublicKey>,
    clear: bool,
}

impl Part {
    /// A part that nobody gets yet.
    ///
    /// # Errors
    /// [`BuildError::Json`] for a value without a JSON form.
    pub fn new(name: impl Into<String>, value: &impl Serialize) -> Result<Self, BuildError> {
        let name = name.into();
        match serde_json::to_value(value) {
            Ok(value) => Ok(Self {
                name,
                value,
                readers: Vec::new(),
                clear: false,
            }),
            Err(_) => Err(BuildError::Json { part: name }),
        }
    }

    /// Seals it for one more reader.
    #[must_use]
    pub fn sealed_to(mut self, reader: &SealPublicKey) -> Self {
        self.readers.push(reader.clone());
        self
    }

    /// Sends it as a disclosure in the clear, inside TLS only: the area of a check.
    #[must_use]
    pub fn in_the_clear(mut self) -> Self {
        self.clear = true;
        self
    }
}

/// A statement, made.
pub struct Built {
    /// What travels.
    pub envelope: Envelope,
    /// Hash of the statement.
    pub hash: Digest,
    /// The parts in the clear, in the order given, for whoever made them. Print `[sealed]`.
    pub disclosures: Vec<Disclosure>,
}

/// Makes a statement: discloses the parts, fills `_sd` (with decoys for sites and movements), signs, and seals each part
/// for its readers, bound as [`SealSlot`] says.
///
/// # Errors
/// [`BuildError`]; nothing is signed then.
pub fn build(
    claims: impl Into<Claims>,
    parts: &[Part],
    key: &SigningKey,
) -> Result<Built, BuildError> {
    let mut claims = claims.into();
    let disclosures = parts
        .iter()
        .map(|part| {
            Disclosure::make(&part.name, &part.value).map_err(|source| BuildError::Part {
                part: part.name.clone(),
                source,
            })
        })
        .collect::<Result<Vec<_>, _>>()?;
    claims.set_sd(digests(claims.kind(), &disclosures));
    let slot = SealSlot::of(&claims);
    let mut attachments = Vec::new();
    for (part, disclosure) in parts.iter().zip(&disclosures) {
        attach(&mut attachments, part, disclosure, &slot)?;
    }
    let payload = claims.to_json().map_err(|_| BuildError::Json {
        part: "claims".to_owned(),
    })?;
    let statement = statement::sign(claims.kind().as_str(), &payload, key)?;
    Ok(Built {
        hash: statement::hash(&statement),
        envelope: Envelope {
            statement,
            attachments,
        },
        disclosures,
    })
}

fn attach(
    attachments: &mut Vec<Attachment>,
    part: &Part,
    disclosure: &Disclosure,
    slot: &SealSlot,
) -> Result<(), BuildError> {
    let mut push = |content| {
        attachments.push(Attachment {
            part: part.name.clone(),
            sd: disclosure.digest(),
            content,
        });
    };
    if part.clear {
        push(Content::Disclosure(disclosure.encoded().to_owned()));
    }
    for reader in &part.readers {
        let sealed = seal::seal(
            &slot.context(&part.name, disclosure.digest()),
            disclosure,
            reader,
        )
        .map_err(|source| BuildError::Seal {
            part: part.name.clone(),
            source,
        })?;
        push(Content::Seal {
            kid: reader.kid(),
            sealed: sealed.into_bytes(),
        });
    }
    Ok(())
}

/// The digests of a statement's parts with its decoys, sorted bytewise by their base64url text (RFC 9901 §4.2.4, §4.2.5).
fn digests(kind: Kind, disclosures: &[Disclosure]) -> Vec<Digest> {
    let mut sd: Vec<Digest> = disclosures.iter().map(Disclosure::digest).collect();
    if matches!(kind, Kind::Site | Kind::Movement) {
        let padded = sd.len().next_multiple_of(DECOY_STEP);
        sd.resize_with(padded, || Digest::of(&random_bytes::<32>()));
    }
    sd.sort_by_cached_key(Digest::to_string);
    sd
}

/// What the seals of one statement are bound to, besides part and reader.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SealSlot {
    iss: String,
    nid: String,
    rev: u64,
}

impl SealSlot {
    /// The slot of a statement: its `nid` and `rev`; kinds without them take `jti` and 0.
    pub fn of(claims: &Claims) -> Self {
        let common = claims.common();
        let (nid, rev) = claims.revision().map_or_else(
            || (common.jti.to_string(), 0),
            |(nid, rev)| (nid.to_string(), rev.get()),
        );
        Self {
            iss: common.iss.to_string(),
            nid,
            rev: rev.into(),
        }
    }

    /// The notification's id, or the statement's `jti`.
    pub fn id(&self) -> &str {
        &self.nid
    }

    /// The revision, or 0.
    pub const fn rev(&self) -> u64 {
        self.rev
    }

    /// What binds the seal of one part.
    pub fn context<'a>(&'a self, part: &'a str, sd: Digest) -> SealContext<'a> {
        SealContext {
            iss: &self.iss,
            nid: &self.nid,
            rev: self.rev,
            part,
            sd,
        }
    }
}

/// Opens one attachment: a seal with the reader's key, a disclosure as it is. The statement must have been verified, and
/// must name the part's digest.
///
/// # Errors
/// [`OpenError`]; also when `key` is another reader's.
pub fn open(
    claims: &Claims,
    attachment: &Attachment,
    key: &SealKey,
) -> Result<Disclosure, OpenError> {
    let part = || attachment.part.clone();
    if !claims.sd().contains(&attachment.sd) {
        return Err(OpenError::Foreign { part: part() });
    }
    let disclosure = match &attachment.content {
        Content::Disclosure(text) => Disclosure::parse_expecting(text.as_bytes(), &attachment.sd)
            .map_err(|source| OpenError::Disclosure {
            part: part(),
            source,
        })?,
        Content::Seal { sealed, .. } => {
            let slot = SealSlot::of(claims);
            Sealed::from_bytes(sealed.as_slice())
                .and_then(|sealed| {
                    seal::open(&slot.context(&attachment.part, attachment.sd), key, &sealed)
                })
                .map_err(|source| OpenError::Seal {
                    part: part(),
                    source,
                })?
        }
    };
    if disclosure.name() == attachment.part {
        Ok(disclosure)
    } else {
        Err(OpenError::OtherName { part: part() })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::actor::Mode;
    use crate::domain::ids::{DeviceId, Issuer, Nid, Revision};
    use crate::wire::claims::{AckClaims, Common, NotificationClaims};
    use crate::wire::parts::{Reason, name};
    use uuid::Uuid;

    fn common() -> Common {
        Common {
            iss: Issuer::device(
                "msf".parse().expect("a slug"),
                DeviceId::from_random([7; 5]),
            ),
            aud: "herald:x".to_owned(),
            ctx: "yem".parse().expect("a slug"),
            mode: Mode::Exercise,
            jti: Uuid::from_u128(7),
            iat: 1_700_000_000,
        }
    }

    fn site() -> NotificationClaims {
        NotificationClaims::new(common(), Nid::random(), Revision::FIRST, None, false, None)
    }

    fn part(name: &str) -> Part {
        Part::new(
            name,
            &Reason {
                text: "a word".to_owned(),
            },
        )
        .expect("a value")
    }

    fn read(envelope: &Envelope, key: &SigningKey) -> Claims {
        let verified = statement::parse(envelope.statement.as_bytes())
            .and_then(|s| s.verify(key.verifying_key()))
            .expect("own statement");
        let kind = verified.kind().as_str().parse().expect("a kind");
        let value = serde_json::from_slice(verified.payload()).expect("JSON");
        Claims::read(kind, value).expect("own claims")
    }

    #[test]
    fn what_is_built_is_signed_and_opens_for_its_readers_only() {
        let (signer, reader, other) = (
            SigningKey::generate(),
            SealKey::generate(),
            SealKey::generate(),
        );
        let parts = [
            part(name::PLACE).sealed_to(reader.public_key()),
            part(name::CONTACT)
                .sealed_to(reader.public_key())
                .sealed_to(other.public_key()),
        ];
        let built = build(site(), &parts, &signer).expect("built");
        let envelope = Envelope::decode(&built.envelope.encode()).expect("own bytes");
        let claims = read(&envelope, &signer);
        assert_eq!(envelope.attachments.len(), 3);
        for attachment in &envelope.attachments {
            let Content::Seal { kid, .. } = &attachment.content else {
                panic!("sealed");
            };
            let (own, foreign) = if *kid == reader.kid() {
                (&reader, &other)
            } else {
                (&other, &reader)
            };
            let opened = open(&claims, attachment, own).expect("the reader's own");
            assert!(built.disclosures.contains(&opened));
            assert!(open(&claims, attachment, foreign).is_err());
        }
    }

    #[test]
    fn the_number_of_parts_of_a_notification_does_not_show() {
        let signer = SigningKey::generate();
        for (count, shown) in [(1, 8), (8, 8), (9, 16)] {
            let parts: Vec<Part> = (0..count)
                .map(|i| part(&format!("audience.p{i}")))
                .collect();
            let built = build(site(), &parts, &signer).expect("built");
            let claims = read(&built.envelope, &signer);
            assert_eq!(claims.sd().len(), shown);
            let texts: Vec<String> = claims.sd().iter().map(Digest::to_string).collect();
            assert!(texts.is_sorted());
        }
    }

    #[test]
    fn other_kinds_have_no_decoys_and_bind_to_their_jti() {
        let signer = SigningKey::generate();
        let ack = AckClaims::new(common(), "msf".parse().expect("a slug"), Vec::new(), None);
        let built = build(ack, &[part(name::DETAIL)], &signer).expect("built");
        let claims = read(&built.envelope, &signer);
        assert_eq!(claims.sd().len(), 1);
        let slot = SealSlot::of(&claims);
        assert_eq!(
            (slot.nid.as_str(), slot.rev),
            (common().jti.to_string().as_str(), 0)
        );
    }

    #[test]
    fn a_part_of_another_statement_is_refused() {
        let (signer, reader) = (SigningKey::generate(), SealKey::generate());
        let make = || {
            build(
                site(),
                &[part(name::PLACE).sealed_to(reader.public_key())],
                &signer,
            )
            .expect("built")
        };
        let (one, other) = (make(), make());
        let claims = read(&one.envelope, &signer);
        let moved = other.envelope.attachments.first().expect("a part");
        assert!(matches!(
            open(&claims, moved, &reader),
            Err(OpenError::Foreign { .. })
        ));
    }

    #[test]
    fn a_part_in_the_clear_must_be_the_one_that_is_named() {
        let signer = SigningKey::generate();
        let built = build(site(), &[part(name::AREA).in_the_clear()], &signer).expect("built");
        let claims = read(&built.envelope, &signer);
        let mut attachment = built.envelope.attachments.first().expect("a part").clone();
        let nobody = SealKey::generate();
        assert!(open(&claims, &attachment, &nobody).is_ok());
        attachment.part = name::PLACE.to_owned();
        assert!(matches!(
            open(&claims, &attachment, &nobody),
            Err(OpenError::OtherName { .. })
        ));
    }
}
