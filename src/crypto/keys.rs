//! Ed25519 keys (RFC 8032): the private ones that sign and the public ones that check, written as JWKs (RFC 7517,
//! RFC 8037) so that any other tool can read them.

use std::fmt;

use ring::signature::{ED25519, Ed25519KeyPair, KeyPair, UnparsedPublicKey};
use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

use super::{
    array_from_b64url, b64url,
    digest::{Kid, thumbprint},
    random::random_bytes,
    strict_json::{self, JsonError, Limits},
};

/// Length of a seed and of a public key in bytes.
pub const KEY_BYTES: usize = 32;
/// Length of a signature in bytes.
pub const SIGNATURE_BYTES: usize = 64;

/// What is wrong with a key.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum KeyError {
    /// Not a base64url value of 32 bytes.
    #[error("`{0}` is not base64url (without padding) of exactly 32 bytes")]
    Encoding(&'static str),
    /// The public key is not written in its one canonical form (RFC 8032 section 5.1.3).
    #[error("the public key is not a canonical Ed25519 point: its number is not below 2^255 - 19")]
    NotCanonical,
    /// The public key has a small order, so that one signature would fit many messages.
    #[error(
        "the public key is one of Ed25519's points of small order, which no honest tool makes; make a new key"
    )]
    SmallOrder,
    /// The JWK is not strict JSON.
    #[error("the key file is not a JWK: {0}")]
    Json(#[from] JsonError),
    /// The JWK has other members or values than an Ed25519 key has.
    #[error("the JWK must have exactly kty \"OKP\", crv \"Ed25519\", x{} (RFC 8037)", if *.private { " and d" } else { "" })]
    Jwk {
        /// Whether a private key was expected.
        private: bool,
    },
    /// Public and private half do not belong together.
    #[error("the key's public half does not belong to its private half; the file is damaged")]
    HalvesDiffer,
}

/// An Ed25519 public key, canonical and not of small order.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct VerifyingKey {
    bytes: [u8; KEY_BYTES],
    kid: Kid,
}

/// The y coordinates, sign bit cleared, of the points of order 1, 2, 4 and 8 in canonical form.
const SMALL_ORDER_Y: [[u8; KEY_BYTES]; 5] = {
    let mut one = [0; KEY_BYTES];
    one[0] = 1;
    let mut minus_one = [0xff; KEY_BYTES];
    minus_one[0] = 0xec;
    minus_one[31] = 0x7f;
    [
        [0; KEY_BYTES],
        one,
        minus_one,
        [
            0x26, 0xe8, 0x95, 0x8f, 0xc2, 0xb2, 0x27, 0xb0, 0x45, 0xc3, 0xf4, 0x89, 0xf2, 0xef,
            0x98, 0xf0, 0xd5, 0xdf, 0xac, 0x05, 0xd3, 0xc6, 0x33, 0x39, 0xb1, 0x38, 0x02, 0x88,
            0x6d, 0x53, 0xfc, 0x05,
        ],
        [
            0xc7, 0x17, 0x6a, 0x70, 0x3d, 0x4d, 0xd8, 0x4f, 0xba, 0x3c, 0x0b, 0x76, 0x0d, 0x10,
            0x67, 0x0f, 0x2a, 0x20, 0x53, 0xfa, 0x2c, 0x39, 0xcc, 0xc6, 0x4e, 0xc7, 0xfd, 0x77,
            0x92, 0xac, 0x03, 0x7a,
        ],
    ]
};

/// 2^255 - 19, most significant byte first.
const FIELD_PRIME_BE: [u8; KEY_BYTES] = {
    let mut prime = [0xff; KEY_BYTES];
    prime[0] = 0x7f;
    prime[31] = 0xed;
    prime
};

impl VerifyingKey {
    /// Takes the 32 bytes of RFC 8032.
    ///
    /// # Errors
    /// [`KeyError::NotCanonical`] and [`KeyError::SmallOrder`]. A key that is no point at all verifies nothing later.
    pub fn from_bytes(bytes: [u8; KEY_BYTES]) -> Result<Self, KeyError> {
        let mut y = bytes;
        y[31] &= 0x7f;
        if SMALL_ORDER_Y.contains(&y) {
            return Err(KeyError::SmallOrder);
        }
        y.reverse();
        if y >= FIELD_PRIME_BE {
            return Err(KeyError::NotCanonical);
        }
        Ok(Self {
            bytes,
            kid: thumbprint(&bytes),
        })
    }

    /// Takes the JWK member `x`: 43 characters of base64url.
    ///
    /// # Errors
    /// [`KeyError::Encoding`] and those of [`Self::from_bytes`].
    pub fn from_x(x: &str) -> Result<Self, KeyError> {
        Self::from_bytes(array_from_b64url(x.as_bytes()).ok_or(KeyError::Encoding("x"))?)
    }

    /// Reads a public JWK that has exactly `kty`, `crv` and `x`.
    ///
    /// # Errors
    /// [`KeyError`]; a private key in its place is refused too, so that nobody publishes one by mistake.
    pub fn from_jwk(json: &[u8]) -> Result<Self, KeyError> {
        let jwk = read_jwk(json, false)?;
        Self::from_x(&jwk.x)
    }

    /// The public JWK, in the member order of RFC 7638.
    pub fn to_jwk(&self) -> String {
        format!(r#"{{"crv":"Ed25519","kty":"OKP","x":"{}"}}"#, self.x())
    }

    /// The JWK member `x`.
    pub fn x(&self) -> String {
        b64url(&self.bytes)
    }

    /// The 32 bytes.
    pub const fn as_bytes(&self) -> &[u8; KEY_BYTES] {
        &self.bytes
    }

    /// The RFC 7638 thumbprint.
    pub const fn kid(&self) -> Kid {
        self.kid
    }

    /// Whether `signature` is this key's over `message`. Refuses, as ring does, an `S` that is not below the group's
    /// order and an `R` in another than its canonical form.
    pub fn verifies(&self, message: &[u8], signature: &[u8]) -> bool {
        UnparsedPublicKey::new(&ED25519, &self.bytes)
            .verify(message, signature)
            .is_ok()
    }
}

impl fmt::Debug for VerifyingKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "VerifyingKey({})", self.kid)
    }
}

/// An Ed25519 private key. Prints `[sealed]`; its seed is wiped when it is dropped.
pub struct SigningKey {
    seed: Zeroizing<[u8; KEY_BYTES]>,
    pair: Ed25519KeyPair,
    public: VerifyingKey,
}

impl SigningKey {
    /// Makes a new key.
    pub fn generate() -> Self {
        Self::from_seed(&random_bytes())
    }

    /// Makes the key of a seed (RFC 8032 section 5.1.5).
    ///
    /// # Panics
    /// Never: every 32 bytes are a seed, and no seed leads to a point of small order.
    pub fn from_seed(seed: &[u8; KEY_BYTES]) -> Self {
        let pair =
            Ed25519KeyPair::from_seed_unchecked(seed).expect("every 32 bytes are an Ed25519 seed");
        let mut public = [0; KEY_BYTES];
        public.copy_from_slice(pair.public_key().as_ref());
        let public = VerifyingKey::from_bytes(public)
            .expect("clamping keeps made keys off the points of small order");
        Self {
            seed: Zeroizing::new(*seed),
            pair,
            public,
        }
    }

    /// Reads a private JWK that has exactly `kty`, `crv`, `x` and `d` (RFC 8037 section 2).
    ///
    /// # Errors
    /// [`KeyError`]; also when `x` is not the public half of `d`.
    pub fn from_jwk(json: &[u8]) -> Result<Self, KeyError> {
        let jwk = read_jwk(json, true)?;
        let d = jwk
            .d
            .map(Zeroizing::new)
            .ok_or(KeyError::Jwk { private: true })?;
        let seed = Zeroizing::new(array_from_b64url(d.as_bytes()).ok_or(KeyError::Encoding("d"))?);
        let key = Self::from_seed(&seed);
        if key.public.x() == jwk.x {
            Ok(key)
        } else {
            Err(KeyError::HalvesDiffer)
        }
    }

    /// The private JWK, one line, for a secret file.
    pub fn to_jwk(&self) -> Zeroizing<String> {
        let d = Zeroizing::new(b64url(self.seed.as_ref()));
        Zeroizing::new(format!(
            r#"{{"crv":"Ed25519","d":"{}","kty":"OKP","x":"{}"}}"#,
            d.as_str(),
            self.public.x()
        ))
    }

    /// The seed, for a passphrase-sealed file.
    pub fn seed(&self) -> &[u8; KEY_BYTES] {
        &self.seed
    }

    /// The public half.
    pub const fn verifying_key(&self) -> &VerifyingKey {
        &self.public
    }

    /// The RFC 7638 thumbprint of the public half.
    pub const fn kid(&self) -> Kid {
        self.public.kid()
    }

    /// Signs `message` (deterministic, RFC 8032).
    pub fn sign(&self, message: &[u8]) -> [u8; SIGNATURE_BYTES] {
        let mut signature = [0; SIGNATURE_BYTES];
        signature.copy_from_slice(self.pair.sign(message).as_ref());
        signature
    }
}

impl fmt::Debug for SigningKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SigningKey({}, [sealed])", self.public.kid)
    }
}

/// The members of an Ed25519 JWK; anything else is refused.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Jwk {
    kty: String,
    crv: String,
    x: String,
    d: Option<String>,
}

fn read_jwk(json: &[u8], private: bool) -> Result<Jwk, KeyError> {
    let limits = Limits {
        max_bytes: 1024,
        max_depth: 1,
        max_nodes: 16,
    };
    let value = strict_json::parse(json, limits)?;
    let jwk: Jwk = serde_json::from_value(value).map_err(|_| KeyError::Jwk { private })?;
    if jwk.kty == "OKP" && jwk.crv == "Ed25519" && jwk.d.is_some() == private {
        Ok(jwk)
    } else {
        Err(KeyError::Jwk { private })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_survives_its_jwk_and_signs_the_same() {
        let key = SigningKey::generate();
        let again = SigningKey::from_jwk(key.to_jwk().as_bytes()).expect("own JWK");
        assert_eq!(key.sign(b"word"), again.sign(b"word"));
        let public =
            VerifyingKey::from_jwk(key.verifying_key().to_jwk().as_bytes()).expect("own JWK");
        assert_eq!(public.kid(), key.kid());
        assert!(public.verifies(b"word", &key.sign(b"word")));
        assert!(!public.verifies(b"other", &key.sign(b"word")));
    }

    #[test]
    fn a_private_key_never_prints() {
        let key = SigningKey::generate();
        let printed = format!("{key:?}");
        assert!(printed.contains("[sealed]") && !printed.contains(&b64url(key.seed())));
    }

    #[test]
    fn a_private_jwk_is_no_public_one_and_the_reverse() {
        let key = SigningKey::generate();
        assert_eq!(
            VerifyingKey::from_jwk(key.to_jwk().as_bytes()),
            Err(KeyError::Jwk { private: false })
        );
        let public = key.verifying_key().to_jwk();
        assert_eq!(
            SigningKey::from_jwk(public.as_bytes()).map(|_| ()),
            Err(KeyError::Jwk { private: true })
        );
    }

    #[test]
    fn a_jwk_with_anything_else_in_it_is_refused() {
        let x = SigningKey::generate().verifying_key().x();
        for jwk in [
            format!(r#"{{"kty":"OKP","crv":"Ed25519","x":"{x}","use":"sig"}}"#),
            format!(r#"{{"kty":"OKP","crv":"X25519","x":"{x}"}}"#),
            format!(r#"{{"kty":"EC","crv":"Ed25519","x":"{x}"}}"#),
            format!(r#"{{"kty":"OKP","x":"{x}"}}"#),
            format!(r#"{{"kty":"OKP","crv":"Ed25519","x":"{x}="}}"#),
            format!(r#"{{"kty":"OKP","crv":"Ed25519","x":"{x}","x":"{x}"}}"#),
        ] {
            assert!(VerifyingKey::from_jwk(jwk.as_bytes()).is_err(), "{jwk}");
        }
    }

    #[test]
    fn halves_that_differ_are_refused() {
        let (one, other) = (SigningKey::generate(), SigningKey::generate());
        let jwk = one
            .to_jwk()
            .replace(&one.verifying_key().x(), &other.verifying_key().x());
        assert_eq!(
            SigningKey::from_jwk(jwk.as_bytes()).map(|_| ()),
            Err(KeyError::HalvesDiffer)
        );
    }

    #[test]
    fn keys_of_small_order_or_in_a_second_spelling_are_refused() {
        for y in SMALL_ORDER_Y {
            for sign in [0, 0x80] {
                let mut bytes = y;
                bytes[31] |= sign;
                assert_eq!(VerifyingKey::from_bytes(bytes), Err(KeyError::SmallOrder));
            }
        }
        // Why: under such a key one constant signature fits one message in eight, or more. (Also shows that the points
        // above are the right ones: with any other, ring would accept none.)
        let mut forged = [0; SIGNATURE_BYTES];
        forged[0] = 1;
        for y in SMALL_ORDER_Y {
            let fits = (0..100_u8).filter(|message| {
                UnparsedPublicKey::new(&ED25519, y)
                    .verify(&[*message], &forged)
                    .is_ok()
            });
            assert!(fits.count() > 0);
        }
        // p + 1 is a second spelling of 1, p + 3 one of 3.
        for low in [0xee, 0xf0, 0xff] {
            let mut bytes = [0xff; KEY_BYTES];
            bytes[0] = low;
            assert_eq!(VerifyingKey::from_bytes(bytes), Err(KeyError::NotCanonical));
            bytes[31] = 0x7f;
            assert_eq!(VerifyingKey::from_bytes(bytes), Err(KeyError::NotCanonical));
        }
    }

    proptest::proptest! {
        #[test]
        fn arbitrary_bytes_are_no_key_file(bytes in proptest::collection::vec(proptest::prelude::any::<u8>(), 0..200)) {
            proptest::prop_assert!(VerifyingKey::from_jwk(&bytes).is_err());
            proptest::prop_assert!(SigningKey::from_jwk(&bytes).is_err());
        }
    }
}
