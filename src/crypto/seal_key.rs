//! HPKE keys of desks: what a part is sealed to, and what opens it. KEM 0x647a, MLKEM768-X25519 (X-Wing), as
//! draft-ietf-hpke-pq writes its keys: 1,216 public bytes, a 32-byte private seed.

use std::{fmt, sync::Arc};

use hpke::{Deserializable, Kem as _, Serializable, kem::XWing};
use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

use super::{
    array_from_b64url, b64url,
    digest::{Digest, Kid},
    from_b64url,
    random::random_bytes,
    strict_json::{self, JsonError, Limits},
};

/// Length of a public key in bytes: ML-KEM-768 (1,184) and X25519 (32).
pub const PUBLIC_KEY_BYTES: usize = 1216;
/// Length of a private key in bytes.
pub const PRIVATE_KEY_BYTES: usize = 32;
/// What a key file says of itself.
const FORMAT: &str = "hn/seal-key/v1";

type HpkePublicKey = <XWing as hpke::Kem>::PublicKey;
type HpkePrivateKey = <XWing as hpke::Kem>::PrivateKey;

/// What is wrong with a seal key.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SealKeyError {
    /// Not 1,216 bytes in strict base64url, or not a valid ML-KEM-768 key.
    #[error(
        "not a seal key: base64url (without padding) of 1216 bytes, a valid MLKEM768-X25519 key, is expected"
    )]
    Public,
    /// Not a key file of ours.
    #[error(
        "not a private seal key: a JSON object with exactly format \"{FORMAT}\", public and private is expected"
    )]
    Private,
    /// The file is not strict JSON.
    #[error("the key file is not JSON: {0}")]
    Json(#[from] JsonError),
    /// Public and private half do not belong together.
    #[error("the seal key's public half does not belong to its private half; the file is damaged")]
    HalvesDiffer,
}

/// The public key of a desk. Cheap to clone.
#[derive(Clone, PartialEq, Eq)]
pub struct SealPublicKey {
    pub(super) inner: Arc<HpkePublicKey>,
    kid: Kid,
}

impl SealPublicKey {
    fn new(inner: HpkePublicKey) -> Self {
        let kid = seal_kid(&inner.to_bytes());
        Self {
            inner: Arc::new(inner),
            kid,
        }
    }

    /// Takes the 1,216 bytes of draft-ietf-hpke-pq: ML-KEM-768 encapsulation key, then X25519 public key.
    ///
    /// # Errors
    /// [`SealKeyError::Public`] for another length or an ML-KEM key that fails FIPS 203's check.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, SealKeyError> {
        HpkePublicKey::from_bytes(bytes)
            .map(Self::new)
            .map_err(|_| SealKeyError::Public)
    }

    /// Reads strict base64url, as a `keys` statement carries it.
    ///
    /// # Errors
    /// As [`Self::from_bytes`].
    pub fn from_b64url(text: &str) -> Result<Self, SealKeyError> {
        Self::from_bytes(&from_b64url(text.as_bytes()).ok_or(SealKeyError::Public)?)
    }

    /// The 1,216 bytes.
    pub fn to_bytes(&self) -> Vec<u8> {
        self.inner.to_bytes().to_vec()
    }

    /// The bytes in base64url.
    pub fn to_b64url(&self) -> String {
        b64url(&self.inner.to_bytes())
    }

    /// The key's name; see [`seal_kid`].
    pub const fn kid(&self) -> Kid {
        self.kid
    }
}

impl fmt::Debug for SealPublicKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SealPublicKey({})", self.kid)
    }
}

/// The name of a seal key: SHA-256 over `hn/seal-key/v1`, a NUL and the 1,216 public bytes. (No registered JWK for this
/// KEM exists yet, so there is no RFC 7638 thumbprint to take.)
pub fn seal_kid(public_key: &[u8]) -> Kid {
    Kid::from_digest(Digest::of_parts(&[FORMAT.as_bytes(), &[0], public_key]))
}

/// The private key of a desk. Prints `[sealed]`; wiped when it is dropped.
pub struct SealKey {
    pub(super) inner: HpkePrivateKey,
    public: SealPublicKey,
}

impl SealKey {
    /// Makes a new key.
    pub fn generate() -> Self {
        Self::from_seed(&Zeroizing::new(random_bytes()))
    }

    /// Makes the key of a 32-byte seed, which is the whole private key (X-Wing).
    ///
    /// # Panics
    /// Never: every 32 bytes are a private key.
    pub fn from_seed(seed: &[u8; PRIVATE_KEY_BYTES]) -> Self {
        let inner =
            HpkePrivateKey::from_bytes(seed).expect("every 32 bytes are an X-Wing private key");
        let public = SealPublicKey::new(XWing::sk_to_pk(&inner));
        Self { inner, public }
    }

    /// Reads what [`Self::to_json`] wrote.
    ///
    /// # Errors
    /// [`SealKeyError`]; also when the public half is not the private one's.
    pub fn from_json(json: &[u8]) -> Result<Self, SealKeyError> {
        let limits = Limits {
            max_bytes: 4096,
            max_depth: 1,
            max_nodes: 16,
        };
        let file: KeyFile = serde_json::from_value(strict_json::parse(json, limits)?)
            .map_err(|_| SealKeyError::Private)?;
        let private = Zeroizing::new(file.private);
        let seed =
            Zeroizing::new(array_from_b64url(private.as_bytes()).ok_or(SealKeyError::Private)?);
        if file.format != FORMAT {
            return Err(SealKeyError::Private);
        }
        let key = Self::from_seed(&seed);
        if key.public.to_b64url() == file.public {
            Ok(key)
        } else {
            Err(SealKeyError::HalvesDiffer)
        }
    }

    /// The key as one line of JSON, for a secret file or for handing on between a desk's own devices, sealed.
    pub fn to_json(&self) -> Zeroizing<String> {
        let seed = self.seed();
        let private = Zeroizing::new(b64url(seed.as_ref()));
        Zeroizing::new(format!(
            r#"{{"format":"{FORMAT}","public":"{}","private":"{}"}}"#,
            self.public.to_b64url(),
            private.as_str()
        ))
    }

    /// The 32-byte seed.
    pub fn seed(&self) -> Zeroizing<[u8; PRIVATE_KEY_BYTES]> {
        let mut seed = Zeroizing::new([0; PRIVATE_KEY_BYTES]);
        self.inner.write_exact(seed.as_mut());
        seed
    }

    /// The public half.
    pub const fn public_key(&self) -> &SealPublicKey {
        &self.public
    }

    /// The key's name.
    pub const fn kid(&self) -> Kid {
        self.public.kid
    }
}

impl fmt::Debug for SealKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SealKey({}, [sealed])", self.public.kid)
    }
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct KeyFile {
    format: String,
    public: String,
    private: String,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_seal_key_survives_its_file_and_keeps_its_name() {
        let key = SealKey::generate();
        let again = SealKey::from_json(key.to_json().as_bytes()).expect("own file");
        assert_eq!((again.kid(), again.seed()), (key.kid(), key.seed()));
        let public = SealPublicKey::from_b64url(&key.public_key().to_b64url()).expect("own key");
        assert_eq!(public.kid(), key.kid());
        assert_eq!(public.to_bytes().len(), PUBLIC_KEY_BYTES);
    }

    #[test]
    fn a_private_seal_key_never_prints() {
        let key = SealKey::generate();
        assert!(format!("{key:?}").contains("[sealed]"));
        assert!(!format!("{key:?}").contains(&b64url(key.seed().as_ref())));
    }

    #[test]
    fn a_damaged_key_is_refused() {
        let (key, other) = (SealKey::generate(), SealKey::generate());
        let swapped = key.to_json().replace(
            &key.public_key().to_b64url(),
            &other.public_key().to_b64url(),
        );
        assert_eq!(
            SealKey::from_json(swapped.as_bytes()).map(|_| ()),
            Err(SealKeyError::HalvesDiffer)
        );
        assert_eq!(
            SealKey::from_json(b"{}").map(|_| ()),
            Err(SealKeyError::Private)
        );
        assert!(matches!(
            SealKey::from_json(b"{"),
            Err(SealKeyError::Json(_))
        ));
        let bytes = key.public_key().to_bytes();
        for length in [0, 32, PUBLIC_KEY_BYTES - 1] {
            assert_eq!(
                SealPublicKey::from_bytes(&bytes[..length]),
                Err(SealKeyError::Public)
            );
        }
        // A coefficient of 4,095 is not reduced modulo 3,329 (FIPS 203 section 7.2).
        let mut bad = bytes;
        bad[..3].fill(0xff);
        assert_eq!(SealPublicKey::from_bytes(&bad), Err(SealKeyError::Public));
    }
}
