//! A part, sealed for one reader: HPKE (RFC 9180) in base mode with MLKEM768-X25519 (0x647a, draft-ietf-hpke-pq),
//! HKDF-SHA256 and AES-256-GCM. The `info` binds the seal to its statement, part and reader, so that a seal moved
//! elsewhere does not open; padding hides how long the part is. The bytes are `enc ‖ ct`.

use std::fmt;

use hpke::{
    Deserializable, OpModeR, OpModeS, Serializable,
    aead::{AeadTag, AesGcm256},
    inout::InOutBuf,
    kdf::HkdfSha256,
    kem::XWing,
    rand_core::CryptoRng,
};
use zeroize::Zeroizing;

use super::{
    digest::{Digest, Kid},
    disclosure::{Disclosure, DisclosureError},
    random,
    seal_key::{SealKey, SealPublicKey},
};

/// Length of the encapsulated key in bytes.
pub const ENC_BYTES: usize = 1120;
/// Length of AES-GCM's tag in bytes.
pub const TAG_BYTES: usize = 16;
/// The lengths in bytes that a plaintext is padded to.
pub const SIZE_CLASSES: [usize; 5] = [1024, 4 * 1024, 16 * 1024, 64 * 1024, 256 * 1024];
/// Bytes before the disclosure that say how long it is.
const LENGTH_BYTES: usize = 4;
/// Longest text of one binding in bytes.
pub const MAX_BINDING_BYTES: usize = 256;
/// The largest seal in bytes.
pub const MAX_SEAL_BYTES: usize = ENC_BYTES + 256 * 1024 + TAG_BYTES;

/// What is wrong with a seal. Never says what is in it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SealError {
    /// A binding is empty, too long or contains a NUL.
    #[error("`{0}` cannot bind a seal: it must have 1 to {MAX_BINDING_BYTES} bytes and no NUL")]
    Binding(&'static str),
    /// The part does not fit the largest size class.
    #[error("the part is too long to be sealed: {0} bytes")]
    TooLong(usize),
    /// The seal has a length that no seal has.
    #[error(
        "{0} bytes are no seal: an encapsulated key of {ENC_BYTES}, a text of 1, 4, 16, 64 or 256 KiB and a tag of {TAG_BYTES} are expected"
    )]
    Length(usize),
    /// It does not open.
    #[error(
        "the seal does not open with key {kid}: it was made for another reader, or for another iss, nid, rev, part or digest than given, or it was altered"
    )]
    Open {
        /// The key that was tried.
        kid: Kid,
    },
    /// The padding is not the one that sealing makes.
    #[error(
        "the seal opens, but its padding is not zeros up to the smallest size that fits: its maker is faulty"
    )]
    Padding,
    /// The part given for sealing is not the one that the context names.
    #[error("the part to be sealed has another name or digest than the context says")]
    Context,
    /// The part inside is not a disclosure, or not the one that the digest names.
    #[error("the seal opens, but what is in it is not the part: {0}")]
    Part(#[from] DisclosureError),
    /// The part has another name than the seal was bound to.
    #[error("the seal opens, but the part inside has another name than `part` says")]
    OtherPart,
    /// HPKE refused to seal.
    #[error("HPKE could not seal for key {0}")]
    Seal(Kid),
}

/// What a seal is bound to besides its reader: `info` of HPKE.
///
/// Kinds without `nid` and `rev` put their `jti` in `nid` and 0 in `rev`.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct SealContext<'a> {
    /// The statement's issuer, as its claim says it.
    pub iss: &'a str,
    /// The notification, or the statement's `jti`.
    pub nid: &'a str,
    /// The revision, or 0.
    pub rev: u64,
    /// The part's name, such as `place`.
    pub part: &'a str,
    /// The part's digest, as it stands in the statement.
    pub sd: Digest,
}

impl SealContext<'_> {
    /// HPKE's `info`: `"hn/seal/v1" NUL iss NUL nid NUL rev NUL part NUL kid NUL sd`, with `rev` in decimal and `kid` and
    /// `sd` in base64url.
    ///
    /// # Errors
    /// [`SealError::Binding`] for a text that would make two contexts look the same.
    pub fn info(&self, reader: Kid) -> Result<Vec<u8>, SealError> {
        for (name, text) in [("iss", self.iss), ("nid", self.nid), ("part", self.part)] {
            if text.is_empty() || text.len() > MAX_BINDING_BYTES || text.contains('\0') {
                return Err(SealError::Binding(name));
            }
        }
        let Self {
            iss,
            nid,
            rev,
            part,
            sd,
        } = self;
        Ok(format!("hn/seal/v1\0{iss}\0{nid}\0{rev}\0{part}\0{reader}\0{sd}").into_bytes())
    }
}

impl fmt::Debug for SealContext<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SealContext({} {})", self.part, self.sd)
    }
}

/// A sealed part: `enc ‖ ct` of one of the five lengths.
#[derive(Clone, PartialEq, Eq)]
pub struct Sealed(Box<[u8]>);

impl Sealed {
    /// Takes `enc ‖ ct`.
    ///
    /// # Errors
    /// [`SealError::Length`].
    pub fn from_bytes(bytes: impl Into<Box<[u8]>>) -> Result<Self, SealError> {
        let bytes = bytes.into();
        let text = bytes.len().checked_sub(ENC_BYTES + TAG_BYTES);
        if text.is_some_and(|text| SIZE_CLASSES.contains(&text)) {
            Ok(Self(bytes))
        } else {
            Err(SealError::Length(bytes.len()))
        }
    }

    /// `enc ‖ ct`, as it travels.
    pub const fn as_bytes(&self) -> &[u8] {
        &self.0
    }

    /// `enc ‖ ct`, owned.
    pub fn into_bytes(self) -> Vec<u8> {
        self.0.into_vec()
    }

    /// The encapsulated key and the ciphertext with its tag.
    pub fn enc_and_ct(&self) -> (&[u8], &[u8]) {
        self.0.split_at_checked(ENC_BYTES).unwrap_or_default()
    }
}

impl fmt::Debug for Sealed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Sealed({} bytes)", self.0.len())
    }
}

/// Seals a part for one reader.
///
/// # Errors
/// [`SealError::Context`] when the context is another part's; [`SealError::Binding`]; [`SealError::Seal`].
pub fn seal(
    context: &SealContext<'_>,
    part: &Disclosure,
    reader: &SealPublicKey,
) -> Result<Sealed, SealError> {
    seal_with(context, part, reader, &mut SystemRng)
}

/// As [`seal`], with given randomness: one stream serves one seal. Vectors give a fixed one.
pub(super) fn seal_with(
    context: &SealContext<'_>,
    part: &Disclosure,
    reader: &SealPublicKey,
    rng: &mut impl CryptoRng,
) -> Result<Sealed, SealError> {
    if part.digest() != context.sd || part.name() != context.part {
        return Err(SealError::Context);
    }
    let info = context.info(reader.kid())?;
    // One buffer from the start: room for enc, then the padded text, then room for the tag.
    let mut bytes = vec![0; ENC_BYTES];
    append_padded(&mut bytes, part.encoded().as_bytes())?;
    let text = bytes
        .get_mut(ENC_BYTES..)
        .ok_or(SealError::Seal(reader.kid()))?;
    let (enc, tag) =
        hpke::single_shot_seal_inout_detached_with_rng::<AesGcm256, HkdfSha256, XWing>(
            &OpModeS::Base,
            &reader.inner,
            &info,
            InOutBuf::from(text),
            &[],
            rng,
        )
        .map_err(|_| SealError::Seal(reader.kid()))?;
    enc.write_exact(
        bytes
            .get_mut(..ENC_BYTES)
            .ok_or(SealError::Seal(reader.kid()))?,
    );
    bytes.extend_from_slice(&tag.to_bytes());
    Sealed::from_bytes(bytes)
}

/// Opens a part, and finds that it is the one that the statement's digest names.
///
/// # Errors
/// [`SealError::Open`] when anything differs that the seal is bound to; [`SealError::Padding`], [`SealError::Part`] and
/// [`SealError::OtherPart`] when its maker was faulty; [`SealError::Binding`].
pub fn open(
    context: &SealContext<'_>,
    key: &SealKey,
    sealed: &Sealed,
) -> Result<Disclosure, SealError> {
    let refused = || SealError::Open { kid: key.kid() };
    let info = context.info(key.kid())?;
    let (enc, ct) = sealed.enc_and_ct();
    let (text, tag) = ct
        .split_at_checked(ct.len().saturating_sub(TAG_BYTES))
        .ok_or_else(refused)?;
    let enc = <XWing as hpke::Kem>::EncappedKey::from_bytes(enc).map_err(|_| refused())?;
    let tag = AeadTag::<AesGcm256>::from_bytes(tag).map_err(|_| refused())?;
    let mut text = Zeroizing::new(text.to_vec());
    hpke::single_shot_open_inout_detached::<AesGcm256, HkdfSha256, XWing>(
        &OpModeR::Base,
        &key.inner,
        &enc,
        &info,
        InOutBuf::from(text.as_mut_slice()),
        &[],
        &tag,
    )
    .map_err(|_| refused())?;
    let part = Disclosure::parse_expecting(unpad(&text)?, &context.sd)?;
    if part.name() == context.part {
        Ok(part)
    } else {
        Err(SealError::OtherPart)
    }
}

/// The smallest size class that holds a disclosure of `length` bytes and its length.
fn size_class(length: usize) -> Option<usize> {
    SIZE_CLASSES
        .into_iter()
        .find(|class| length + LENGTH_BYTES <= *class)
}

/// Appends `u32 BE length ‖ disclosure ‖ zeros`, with room for the tag kept.
fn append_padded(bytes: &mut Vec<u8>, disclosure: &[u8]) -> Result<(), SealError> {
    let too_long = || SealError::TooLong(disclosure.len());
    let class = size_class(disclosure.len()).ok_or_else(too_long)?;
    let length = u32::try_from(disclosure.len()).map_err(|_| too_long())?;
    bytes.reserve_exact(class + TAG_BYTES);
    let end = bytes.len() + class;
    bytes.extend_from_slice(&length.to_be_bytes());
    bytes.extend_from_slice(disclosure);
    bytes.resize(end, 0);
    Ok(())
}

/// The disclosure in a padded text whose padding is exactly what sealing makes.
fn unpad(text: &[u8]) -> Result<&[u8], SealError> {
    let (length, rest) = text
        .split_first_chunk::<LENGTH_BYTES>()
        .ok_or(SealError::Padding)?;
    let length = usize::try_from(u32::from_be_bytes(*length)).map_err(|_| SealError::Padding)?;
    let (disclosure, zeros) = rest.split_at_checked(length).ok_or(SealError::Padding)?;
    if size_class(length) == Some(text.len()) && zeros.iter().all(|b| *b == 0) {
        Ok(disclosure)
    } else {
        Err(SealError::Padding)
    }
}

/// The operating system's randomness in the form that hpke asks for.
struct SystemRng;

impl hpke::rand_core::TryRng for SystemRng {
    type Error = std::convert::Infallible;

    fn try_next_u32(&mut self) -> Result<u32, Self::Error> {
        Ok(u32::from_ne_bytes(random::random_bytes()))
    }

    fn try_next_u64(&mut self) -> Result<u64, Self::Error> {
        Ok(u64::from_ne_bytes(random::random_bytes()))
    }

    fn try_fill_bytes(&mut self, out: &mut [u8]) -> Result<(), Self::Error> {
        random::fill(out);
        Ok(())
    }
}

impl hpke::rand_core::TryCryptoRng for SystemRng {}

#[cfg(test)]
mod tests;
