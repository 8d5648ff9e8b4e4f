//! The content of an attachment: enciphered by the client in chunks of 64 KiB, so that neither side holds more than one
//! beside the file, and so that a chunk that was altered, swapped, left out or cut off is found. The construction is
//! STREAM (Hoang, Reyhanitabar, Rogaway, Vizár 2015) as age and Tink use it, with AES-256-GCM.
//!
//! ```text
//! blob  = prefix (7 random bytes) ‖ chunk 0 ‖ … ‖ chunk n
//! chunk = AES-256-GCM(key, nonce, AAD = "hn/blob/v1", at most 65,536 bytes) ‖ tag (16)
//! nonce = prefix ‖ number of the chunk (u32, big-endian) ‖ 1 for the last chunk, else 0
//! ```
//! Every chunk but the last is full, and the last is not empty. Each blob has a key of its own, which nothing else uses.

use std::fmt;

use ring::aead::{AES_256_GCM, Aad, LessSafeKey, NONCE_LEN, Nonce, UnboundKey};
use zeroize::Zeroizing;

use super::{array_from_b64url, b64url, random::random_bytes};

/// Length of a key in bytes.
pub const KEY_BYTES: usize = 32;
/// Bytes of text in a chunk.
pub const CHUNK_BYTES: usize = 64 << 10;
/// The longest text in bytes: 5 MiB.
pub const MAX_TEXT_BYTES: usize = 5 << 20;
/// The longest blob in bytes.
pub const MAX_BLOB_BYTES: usize =
    PREFIX_BYTES + MAX_TEXT_BYTES + MAX_TEXT_BYTES / CHUNK_BYTES * TAG_BYTES;

const PREFIX_BYTES: usize = 7;
const TAG_BYTES: usize = 16;
const LABEL: &[u8] = b"hn/blob/v1";

/// What is wrong with a blob or its text.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum BlobError {
    /// Nothing to seal.
    #[error("the file is empty")]
    Empty,
    /// More than an attachment may have.
    #[error("the file has more than {} MiB", MAX_TEXT_BYTES >> 20)]
    TooLong,
    /// The blob ends before its last chunk.
    #[error("the content is cut off: its last chunk is missing")]
    CutOff,
    /// A chunk does not open where it stands.
    #[error(
        "the content was altered, or its chunks were swapped: chunk {0} does not open where it stands"
    )]
    Chunk(u32),
    /// The cipher refused to seal.
    #[error("the content could not be enciphered")]
    Seal,
}

/// The key of one blob. Prints `[sealed]`.
#[derive(Clone, PartialEq, Eq)]
pub struct BlobKey(Zeroizing<[u8; KEY_BYTES]>);

impl BlobKey {
    /// A new key.
    pub fn generate() -> Self {
        Self(Zeroizing::new(random_bytes()))
    }

    /// Reads 32 bytes of base64url; `None` when it is something else.
    pub fn from_b64url(text: &str) -> Option<Self> {
        array_from_b64url(text.as_bytes()).map(|key| Self(Zeroizing::new(key)))
    }

    /// As base64url.
    pub fn to_b64url(&self) -> String {
        b64url(self.0.as_ref())
    }

    /// Enciphers a text.
    ///
    /// # Errors
    /// [`BlobError::Empty`], [`BlobError::TooLong`].
    pub fn seal(&self, text: &[u8]) -> Result<Vec<u8>, BlobError> {
        self.seal_with(random_bytes(), text)
    }

    /// With a given prefix: [`Self::seal`], and the published vectors.
    pub(super) fn seal_with(
        &self,
        prefix: [u8; PREFIX_BYTES],
        text: &[u8],
    ) -> Result<Vec<u8>, BlobError> {
        if text.len() > MAX_TEXT_BYTES {
            return Err(BlobError::TooLong);
        }
        let size = blob_bytes(text.len()).ok_or(BlobError::Empty)?;
        let cipher = self.cipher().ok_or(BlobError::Seal)?;
        let mut blob = Vec::with_capacity(size);
        blob.extend_from_slice(&prefix);
        let mut chunks = text.chunks(CHUNK_BYTES).zip(0..).peekable();
        while let Some((chunk, number)) = chunks.next() {
            let nonce = nonce(prefix, number, chunks.peek().is_none());
            let begins = blob.len();
            blob.extend_from_slice(chunk);
            let tag = cipher
                .seal_in_place_separate_tag(
                    nonce,
                    Aad::from(LABEL),
                    blob.get_mut(begins..).unwrap_or_default(),
                )
                .map_err(|_| BlobError::Seal)?;
            blob.extend_from_slice(tag.as_ref());
        }
        Ok(blob)
    }

    /// Deciphers a whole blob. Nothing of one that does not open to its end is given out.
    ///
    /// # Errors
    /// [`BlobError::CutOff`], [`BlobError::Chunk`], [`BlobError::TooLong`].
    pub fn open(&self, blob: &[u8]) -> Result<Zeroizing<Vec<u8>>, BlobError> {
        if blob.len() > MAX_BLOB_BYTES {
            return Err(BlobError::TooLong);
        }
        let (prefix, body) = blob
            .split_first_chunk::<PREFIX_BYTES>()
            .ok_or(BlobError::CutOff)?;
        let cipher = self.cipher().ok_or(BlobError::Seal)?;
        let mut text = Zeroizing::new(Vec::with_capacity(body.len()));
        let mut chunks = body.chunks(CHUNK_BYTES + TAG_BYTES).zip(0..).peekable();
        if chunks.peek().is_none() {
            return Err(BlobError::CutOff);
        }
        while let Some((chunk, number)) = chunks.next() {
            let last = chunks.peek().is_none();
            let opened = open_chunk(&cipher, *prefix, number, last, chunk);
            let opened = opened.ok_or_else(|| {
                // One that opens as a chunk that others follow is good; what is missing are the others.
                let more = last && open_chunk(&cipher, *prefix, number, false, chunk).is_some();
                if more {
                    BlobError::CutOff
                } else {
                    BlobError::Chunk(number)
                }
            })?;
            text.extend_from_slice(&opened);
        }
        Ok(text)
    }

    fn cipher(&self) -> Option<LessSafeKey> {
        UnboundKey::new(&AES_256_GCM, self.0.as_ref())
            .ok()
            .map(LessSafeKey::new)
    }
}

impl fmt::Debug for BlobKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("BlobKey([sealed])")
    }
}

/// How long the blob of a text is, in bytes; `None` for an empty text, which has none, and one that is too long.
pub const fn blob_bytes(text: usize) -> Option<usize> {
    if text == 0 || text > MAX_TEXT_BYTES {
        return None;
    }
    Some(PREFIX_BYTES + text + text.div_ceil(CHUNK_BYTES) * TAG_BYTES)
}

fn nonce(prefix: [u8; PREFIX_BYTES], number: u32, last: bool) -> Nonce {
    let mut bytes = [0; NONCE_LEN];
    for (to, from) in bytes.iter_mut().zip(
        prefix
            .into_iter()
            .chain(number.to_be_bytes())
            .chain([u8::from(last)]),
    ) {
        *to = from;
    }
    Nonce::assume_unique_for_key(bytes)
}

/// A chunk's text; nothing when it does not open there, or is empty.
fn open_chunk(
    cipher: &LessSafeKey,
    prefix: [u8; PREFIX_BYTES],
    number: u32,
    last: bool,
    chunk: &[u8],
) -> Option<Zeroizing<Vec<u8>>> {
    let mut bytes = Zeroizing::new(chunk.to_vec());
    let length = cipher
        .open_in_place(nonce(prefix, number, last), Aad::from(LABEL), &mut bytes)
        .ok()?
        .len();
    bytes.truncate(length);
    (length > 0).then_some(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    const WHOLE: usize = CHUNK_BYTES + TAG_BYTES;

    fn text(length: usize) -> Vec<u8> {
        (0..length)
            .map(|i| u8::try_from(i % 251).unwrap_or_default())
            .collect()
    }

    fn sealed(length: usize) -> (BlobKey, Vec<u8>) {
        let key = BlobKey::generate();
        let blob = key.seal(&text(length)).expect("sealed");
        (key, blob)
    }

    #[test]
    fn what_was_sealed_opens_and_has_the_length_foretold() {
        for length in [
            1,
            CHUNK_BYTES - 1,
            CHUNK_BYTES,
            CHUNK_BYTES + 1,
            3 * CHUNK_BYTES,
            MAX_TEXT_BYTES,
        ] {
            let (key, blob) = sealed(length);
            assert_eq!(Some(blob.len()), blob_bytes(length), "{length}");
            assert_eq!(key.open(&blob).expect("opened").as_slice(), text(length));
        }
        assert_eq!(blob_bytes(MAX_TEXT_BYTES), Some(MAX_BLOB_BYTES));
        assert_eq!(blob_bytes(0), None);
    }

    #[test]
    fn what_is_empty_or_too_long_is_not_sealed() {
        let key = BlobKey::generate();
        assert_eq!(key.seal(&[]), Err(BlobError::Empty));
        assert_eq!(
            key.seal(&vec![0; MAX_TEXT_BYTES + 1]),
            Err(BlobError::TooLong)
        );
        let (key, blob) = sealed(1);
        assert!(key.open(&[blob, vec![0; MAX_BLOB_BYTES]].concat()).is_err());
    }

    #[test]
    fn a_blob_that_is_cut_off_anywhere_is_refused_and_between_chunks_it_is_said() {
        let (key, blob) = sealed(2 * CHUNK_BYTES + 100);
        for cut in [0, 3, PREFIX_BYTES] {
            assert_eq!(key.open(&blob[..cut]).err(), Some(BlobError::CutOff));
        }
        for whole in 1..=2 {
            let cut = PREFIX_BYTES + whole * WHOLE;
            assert_eq!(
                key.open(&blob[..cut]).err(),
                Some(BlobError::CutOff),
                "{whole}"
            );
        }
        for cut in [PREFIX_BYTES + 1, PREFIX_BYTES + WHOLE + 9, blob.len() - 1] {
            assert!(key.open(&blob[..cut]).is_err(), "{cut}");
        }
    }

    #[test]
    fn swapped_repeated_left_out_and_foreign_chunks_are_found() {
        let (key, blob) = sealed(3 * CHUNK_BYTES);
        let (head, body) = blob.split_at(PREFIX_BYTES);
        let c: Vec<&[u8]> = body.chunks(WHOLE).collect();
        let of = |chunks: &[&[u8]]| [head, &chunks.concat()].concat();
        assert!(key.open(&of(&[c[0], c[1], c[2]])).is_ok());
        for (chunks, wrong) in [
            (vec![c[1], c[0], c[2]], 0),
            (vec![c[0], c[2], c[1]], 1),
            (vec![c[0], c[0], c[2]], 1),
            (vec![c[0], c[2]], 1),
            (vec![c[0], c[1], c[2], c[2]], 2),
        ] {
            assert_eq!(
                key.open(&of(&chunks)).err(),
                Some(BlobError::Chunk(wrong)),
                "{wrong}"
            );
        }
        let (other, foreign) = sealed(3 * CHUNK_BYTES);
        assert_eq!(key.open(&foreign).err(), Some(BlobError::Chunk(0)));
        assert_eq!(other.open(&blob).err(), Some(BlobError::Chunk(0)));
    }

    #[test]
    fn a_single_bit_anywhere_is_found() {
        let (key, blob) = sealed(CHUNK_BYTES + 30);
        for at in [
            0,
            6,
            7,
            8,
            CHUNK_BYTES,
            PREFIX_BYTES + WHOLE,
            blob.len() - 1,
        ] {
            let mut altered = blob.clone();
            altered[at] ^= 1;
            assert!(
                matches!(key.open(&altered), Err(BlobError::Chunk(_))),
                "{at}"
            );
        }
    }

    #[test]
    fn a_key_prints_itself_nowhere_and_is_read_as_it_was_written() {
        let key = BlobKey::generate();
        assert_eq!(format!("{key:?}"), "BlobKey([sealed])");
        assert_eq!(BlobKey::from_b64url(&key.to_b64url()), Some(key));
        assert_eq!(BlobKey::from_b64url("AAAA"), None);
    }
}
