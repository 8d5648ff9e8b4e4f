//! SHA-256 digests and key thumbprints as types, so that a hash of a statement, a key's name and plain bytes cannot be
//! taken for one another, and each has exactly one spelling: 43 characters of base64url.

use std::{fmt, str::FromStr};

use ring::digest::{Context, SHA256};
use serde::{Deserialize, Deserializer, Serialize, Serializer, de::Error as _};

use super::{array_from_b64url, b64url};

/// Length of a digest in bytes.
pub const DIGEST_BYTES: usize = 32;

/// Not a digest: 43 characters of base64url without padding are expected.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not a SHA-256 digest: 43 characters of base64url without padding are expected")]
pub struct DigestError;

/// A SHA-256 digest (FIPS 180-4). Written as 43 characters of base64url without padding.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Digest([u8; DIGEST_BYTES]);

impl Digest {
    /// The digest of `bytes`.
    pub fn of(bytes: &[u8]) -> Self {
        Self::of_parts(&[bytes])
    }

    /// The digest of the parts, one after the other, as if they were one piece.
    pub fn of_parts(parts: &[&[u8]]) -> Self {
        let mut running = Running::default();
        for part in parts {
            running.add(part);
        }
        running.end()
    }

    /// Takes 32 bytes that are a digest, as a database or a file gives them back.
    pub const fn from_bytes(bytes: [u8; DIGEST_BYTES]) -> Self {
        Self(bytes)
    }

    /// Takes a digest from a slice.
    ///
    /// # Errors
    /// When it is not 32 bytes long.
    pub fn from_slice(bytes: &[u8]) -> Result<Self, DigestError> {
        bytes.try_into().map(Self).map_err(|_| DigestError)
    }

    /// The 32 bytes.
    pub const fn as_bytes(&self) -> &[u8; DIGEST_BYTES] {
        &self.0
    }

    /// Lower-case hexadecimal in groups of four, for people to compare on the phone.
    pub fn fingerprint(&self) -> String {
        let mut text = String::with_capacity(DIGEST_BYTES * 2 + 15);
        for (index, pair) in self.0.chunks(2).enumerate() {
            if index > 0 {
                text.push(' ');
            }
            text.push_str(&data_encoding::HEXLOWER.encode(pair));
        }
        text
    }
}

/// A digest of bytes that come one piece after another.
pub struct Running(Context);

impl Running {
    /// Takes in what comes next.
    pub fn add(&mut self, bytes: &[u8]) {
        self.0.update(bytes);
    }

    /// The digest of all of it.
    pub fn end(self) -> Digest {
        let mut digest = [0; DIGEST_BYTES];
        digest.copy_from_slice(self.0.finish().as_ref());
        Digest(digest)
    }
}

impl Default for Running {
    fn default() -> Self {
        Self(Context::new(&SHA256))
    }
}

impl fmt::Display for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&b64url(&self.0))
    }
}

impl fmt::Debug for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Digest({self})")
    }
}

impl FromStr for Digest {
    type Err = DigestError;

    fn from_str(text: &str) -> Result<Self, DigestError> {
        array_from_b64url(text.as_bytes())
            .map(Self)
            .ok_or(DigestError)
    }
}

impl Serialize for Digest {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Digest {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        std::borrow::Cow::<'de, str>::deserialize(deserializer)?
            .parse()
            .map_err(D::Error::custom)
    }
}

/// The name of a key: of an Ed25519 key its RFC 7638 thumbprint, of a seal key [`super::seal_key`]'s.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Kid(Digest);

impl Kid {
    /// Takes a digest that names a key.
    pub const fn from_digest(digest: Digest) -> Self {
        Self(digest)
    }

    /// The digest behind the name.
    pub const fn digest(&self) -> Digest {
        self.0
    }

    /// The 32 bytes.
    pub const fn as_bytes(&self) -> &[u8; DIGEST_BYTES] {
        self.0.as_bytes()
    }
}

impl fmt::Display for Kid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl fmt::Debug for Kid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Kid({self})")
    }
}

impl FromStr for Kid {
    type Err = DigestError;

    fn from_str(text: &str) -> Result<Self, DigestError> {
        text.parse().map(Self)
    }
}

/// The RFC 7638 thumbprint of an Ed25519 public key as an OKP JWK (RFC 8037 appendix A.3).
pub fn thumbprint(public_key: &[u8; 32]) -> Kid {
    let x = b64url(public_key);
    Kid(Digest::of_parts(&[
        br#"{"crv":"Ed25519","kty":"OKP","x":""#,
        x.as_bytes(),
        br#""}"#,
    ]))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_digest_reads_back_what_it_writes() {
        let digest = Digest::of(b"abc");
        assert_eq!(
            data_encoding::HEXLOWER.encode(digest.as_bytes()),
            "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
        );
        assert_eq!(digest.to_string().parse(), Ok(digest));
        assert_eq!(Digest::of_parts(&[b"a", b"", b"bc"]), digest);
        assert!(digest.fingerprint().starts_with("ba78 16bf "));
        let json = serde_json::to_string(&Kid::from_digest(digest)).expect("serialises");
        assert_eq!(
            serde_json::from_str::<Kid>(&json).expect("reads"),
            Kid::from_digest(digest)
        );
    }

    #[test]
    fn a_digest_has_one_spelling() {
        let text = Digest::of(b"abc").to_string();
        assert!(text.ends_with('0'));
        // The last character carries two spare bits: setting one would be a second spelling of the same digest.
        assert!(text.replace("AVrQ", "AVrR").parse::<Digest>().is_err() || !text.contains("AVrQ"));
        let mut other = text.clone();
        other.pop();
        other.push('1');
        assert_eq!(other.parse::<Digest>(), Err(DigestError));
        for bad in [
            format!("{text}="),
            format!(" {text}"),
            text.replace(['-', '_'], "+"),
            String::new(),
            "A".repeat(44),
        ] {
            assert_eq!(bad.parse::<Digest>(), Err(DigestError), "{bad}");
        }
    }
}
