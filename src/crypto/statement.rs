//! Signed statements: compact JWS (RFC 7515) with Ed25519 (RFC 8037, RFC 9864) and one exact header. Exact bytes are
//! signed, hashed and kept; nothing is canonicalised, so there is nothing that two readers could canonicalise differently.
//! What a statement claims is read elsewhere; here it is found to be well formed and signed.

use std::{fmt, str::FromStr};

use super::{
    array_from_b64url, b64url,
    digest::{Digest, Kid},
    from_b64url,
    keys::{SIGNATURE_BYTES, SigningKey, VerifyingKey},
    strict_json::{self, Limits},
};

/// Longest statement in bytes, all three parts and their dots. Acknowledgements of 1,000 items come near.
pub const MAX_STATEMENT_BYTES: usize = 512 * 1024;
/// Longest payload in bytes of every kind that does not name a larger limit; see [`Unverified::limit_payload`].
pub const ORDINARY_PAYLOAD_BYTES: usize = 64 * 1024;
/// Longest payload in bytes of any kind.
pub const MAX_PAYLOAD_BYTES: usize = 384 * 1024 - 1024;
/// Longest kind in characters.
pub const MAX_KIND_CHARS: usize = 32;

const HEADER_START: &[u8] = br#"{"alg":"Ed25519","typ":"hn-"#;
const HEADER_KID: &[u8] = br#"+jwt","kid":""#;
const HEADER_END: &[u8] = br#""}"#;
/// A kid's characters and the header's end.
const HEADER_TAIL: usize = 43 + HEADER_END.len();
const MAX_HEADER_BYTES: usize =
    HEADER_START.len() + MAX_KIND_CHARS + HEADER_KID.len() + HEADER_TAIL;

/// What is wrong with a statement. No text of the statement is repeated.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum StatementError {
    /// Longer than any statement.
    #[error("the statement is longer than {MAX_STATEMENT_BYTES} bytes")]
    TooLong,
    /// The payload is longer than its kind may be.
    #[error("the payload is {found} bytes long; {limit} are allowed for this kind")]
    PayloadTooLong {
        /// Bytes found.
        found: usize,
        /// Bytes allowed.
        limit: usize,
    },
    /// Not three parts with a dot between.
    #[error("a statement has exactly three parts with a dot between each (RFC 7515 section 7.1)")]
    Parts,
    /// A part is not strict base64url.
    #[error("the statement's {0} is not base64url without padding, white space or spare bits")]
    Encoding(&'static str),
    /// The header is no JSON object.
    #[error("the statement's header is not a JSON object without duplicate members")]
    HeaderJson,
    /// Another algorithm.
    #[error("the statement's `alg` must be \"Ed25519\" (RFC 9864)")]
    Algorithm,
    /// Another type.
    #[error("the statement's `typ` must be \"hn-<kind>+jwt\"")]
    Type,
    /// No thumbprint in `kid`.
    #[error("the statement's `kid` must be the RFC 7638 thumbprint of the signing key")]
    HeaderKid,
    /// The right members, but not written as they must be.
    #[error(
        "the statement's header must be exactly {{\"alg\":\"Ed25519\",\"typ\":\"hn-<kind>+jwt\",\"kid\":\"<thumbprint>\"}}, no other member, order or white space"
    )]
    HeaderForm,
    /// Not a kind.
    #[error(
        "a kind is 1 to {MAX_KIND_CHARS} characters of a-z, 0-9 and inner hyphens, a letter first"
    )]
    Kind,
    /// The signature is not 64 bytes.
    #[error("the statement's signature is not 64 bytes")]
    SignatureLength,
    /// The key at hand is not the one that the statement names.
    #[error("the statement names key {named}, not {given}")]
    OtherKey {
        /// The `kid` in the header.
        named: Kid,
        /// The key that was to check it.
        given: Kid,
    },
    /// The signature does not fit.
    #[error(
        "the signature does not fit the statement's bytes and key {0}: either was altered, or another key signed"
    )]
    Signature(Kid),
}

/// The kind of a statement, as it stands in `typ` between `hn-` and `+jwt`.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Kind(Box<str>);

impl Kind {
    /// The kind as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for Kind {
    type Err = StatementError;

    fn from_str(text: &str) -> Result<Self, StatementError> {
        let good = text.len() <= MAX_KIND_CHARS
            && text.starts_with(|c: char| c.is_ascii_lowercase())
            && !text.ends_with('-')
            && text
                .bytes()
                .all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-');
        if good {
            Ok(Self(text.into()))
        } else {
            Err(StatementError::Kind)
        }
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Kind({})", self.0)
    }
}

/// The hash of a statement: SHA-256 over the exact ASCII bytes of all three parts and their dots. It names the statement
/// in `prev`, receipts, acknowledgements and the log.
pub fn hash(compact: &str) -> Digest {
    Digest::of(compact.as_bytes())
}

/// Signs a statement: `claims` are the exact bytes of the payload, a JSON object made by the caller.
///
/// # Errors
/// [`StatementError::Kind`] and [`StatementError::PayloadTooLong`].
pub fn sign(kind: &str, claims: &[u8], key: &SigningKey) -> Result<String, StatementError> {
    let kind: Kind = kind.parse()?;
    if claims.len() > MAX_PAYLOAD_BYTES {
        return Err(StatementError::PayloadTooLong {
            found: claims.len(),
            limit: MAX_PAYLOAD_BYTES,
        });
    }
    let header = format!(
        r#"{{"alg":"Ed25519","typ":"hn-{kind}+jwt","kid":"{}"}}"#,
        key.kid()
    );
    let mut compact = b64url(header.as_bytes());
    compact.reserve(claims.len() * 4 / 3 + 96);
    compact.push('.');
    data_encoding::BASE64URL_NOPAD.encode_append(claims, &mut compact);
    let signature = key.sign(compact.as_bytes());
    compact.push('.');
    data_encoding::BASE64URL_NOPAD.encode_append(&signature, &mut compact);
    Ok(compact)
}

/// A well-formed statement whose signature nobody has checked. Its payload is for finding the key only.
#[derive(Clone)]
pub struct Unverified {
    compact: Box<str>,
    signed_bytes: usize,
    kind: Kind,
    kid: Kid,
    payload: Vec<u8>,
    signature: [u8; SIGNATURE_BYTES],
    hash: Digest,
}

/// Reads a statement strictly; every byte is accounted for.
///
/// # Errors
/// [`StatementError`], each thing that can be wrong with its own.
pub fn parse(compact: &[u8]) -> Result<Unverified, StatementError> {
    if compact.len() > MAX_STATEMENT_BYTES {
        return Err(StatementError::TooLong);
    }
    let mut parts = compact.split(|b| *b == b'.');
    let (Some(header), Some(payload), Some(signature), None) =
        (parts.next(), parts.next(), parts.next(), parts.next())
    else {
        return Err(StatementError::Parts);
    };
    let (kind, kid) = read_header(header)?;
    let payload = from_b64url(payload).ok_or(StatementError::Encoding("payload"))?;
    if payload.len() > MAX_PAYLOAD_BYTES {
        return Err(StatementError::PayloadTooLong {
            found: payload.len(),
            limit: MAX_PAYLOAD_BYTES,
        });
    }
    if signature.len() != (SIGNATURE_BYTES * 8).div_ceil(6) {
        return Err(StatementError::SignatureLength);
    }
    let signed_bytes = compact.len() - signature.len() - 1;
    let signature = array_from_b64url(signature).ok_or(StatementError::Encoding("signature"))?;
    // Base64url and dots only, so it is ASCII.
    let text = std::str::from_utf8(compact).map_err(|_| StatementError::Encoding("text"))?;
    Ok(Unverified {
        hash: hash(text),
        compact: text.into(),
        signed_bytes,
        kind,
        kid,
        payload,
        signature,
    })
}

fn read_header(part: &[u8]) -> Result<(Kind, Kid), StatementError> {
    if part.len() > (MAX_HEADER_BYTES * 8).div_ceil(6) + 64 {
        return Err(StatementError::HeaderForm);
    }
    let header = from_b64url(part).ok_or(StatementError::Encoding("header"))?;
    exact_header(&header).ok_or_else(|| explain_header(&header))
}

/// The header byte by byte, or nothing.
fn exact_header(header: &[u8]) -> Option<(Kind, Kid)> {
    let rest = header.strip_prefix(HEADER_START)?;
    let (rest, tail) = rest.split_at_checked(rest.len().checked_sub(HEADER_TAIL)?)?;
    let kind = rest.strip_suffix(HEADER_KID)?;
    let kid = tail.strip_suffix(HEADER_END)?;
    let text = |bytes| std::str::from_utf8(bytes).ok();
    Some((text(kind)?.parse().ok()?, text(kid)?.parse().ok()?))
}

/// Says what is wrong with a header that is not exact, so that whoever writes a client finds the mistake.
fn explain_header(header: &[u8]) -> StatementError {
    let Ok(map) = strict_json::parse_object(header, Limits::STATEMENT) else {
        return StatementError::HeaderJson;
    };
    let text = |name: &str| map.get(name).and_then(|v| v.as_str()).unwrap_or_default();
    let kind = text("typ")
        .strip_prefix("hn-")
        .and_then(|rest| rest.strip_suffix("+jwt"));
    if text("alg") != "Ed25519" {
        StatementError::Algorithm
    } else if kind.is_none_or(|kind| kind.parse::<Kind>().is_err()) {
        StatementError::Type
    } else if text("kid").parse::<Kid>().is_err() {
        StatementError::HeaderKid
    } else {
        StatementError::HeaderForm
    }
}

impl Unverified {
    /// The kind, between `hn-` and `+jwt` of `typ`.
    pub const fn kind(&self) -> &Kind {
        &self.kind
    }

    /// The key that the header names.
    pub const fn kid(&self) -> Kid {
        self.kid
    }

    /// The payload's exact bytes; unchecked, and not yet known to be JSON.
    pub fn payload(&self) -> &[u8] {
        &self.payload
    }

    /// The statement's hash; see [`hash`].
    pub const fn hash(&self) -> Digest {
        self.hash
    }

    /// The exact text of the whole statement.
    pub fn compact(&self) -> &str {
        &self.compact
    }

    /// Refuses a payload longer than its kind may be, before anything reads it.
    ///
    /// # Errors
    /// [`StatementError::PayloadTooLong`].
    pub const fn limit_payload(&self, limit: usize) -> Result<(), StatementError> {
        if self.payload.len() > limit {
            return Err(StatementError::PayloadTooLong {
                found: self.payload.len(),
                limit,
            });
        }
        Ok(())
    }

    /// Checks the signature.
    ///
    /// # Errors
    /// [`StatementError::OtherKey`] when `key` is not the one that the header names, else [`StatementError::Signature`].
    pub fn verify(self, key: &VerifyingKey) -> Result<Verified, StatementError> {
        if key.kid() != self.kid {
            return Err(StatementError::OtherKey {
                named: self.kid,
                given: key.kid(),
            });
        }
        let signed = self
            .compact
            .as_bytes()
            .get(..self.signed_bytes)
            .unwrap_or_default();
        if key.verifies(signed, &self.signature) {
            Ok(Verified(self))
        } else {
            Err(StatementError::Signature(self.kid))
        }
    }
}

impl fmt::Debug for Unverified {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Unverified({} {} [sealed])", self.kind, self.hash)
    }
}

/// A statement whose signature fits the key that it names. Whether that key may say this is for the caller to judge.
#[derive(Clone)]
pub struct Verified(Unverified);

impl Verified {
    /// The kind, between `hn-` and `+jwt` of `typ`.
    pub const fn kind(&self) -> &Kind {
        self.0.kind()
    }

    /// The key that signed.
    pub const fn kid(&self) -> Kid {
        self.0.kid()
    }

    /// The payload's exact bytes.
    pub fn payload(&self) -> &[u8] {
        self.0.payload()
    }

    /// The statement's hash; see [`hash`].
    pub const fn hash(&self) -> Digest {
        self.0.hash()
    }

    /// The exact text of the whole statement, to store and to hand on.
    pub fn compact(&self) -> &str {
        self.0.compact()
    }
}

impl fmt::Debug for Verified {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Verified({} {} [sealed])", self.0.kind, self.0.hash)
    }
}

#[cfg(test)]
mod tests;
