//! Everything that signs, hashes, seals or keeps a key: the only user of ring, hpke, rcgen, x509-parser and argon2.
//!
//! | module | what is there |
//! |---|---|
//! | [`digest`] | SHA-256 digests and key thumbprints as types |
//! | [`random`] | the operating system's randomness |
//! | [`keys`] | Ed25519 keys that sign, and their JWKs |
//! | [`seal_key`] | HPKE keys of desks |
//! | [`strict_json`] | bounded JSON that refuses duplicate members |
//! | [`statement`] | signed statements: strict compact JWS |
//! | [`disclosure`] | salted parts whose digests stand in a statement |
//! | [`seal`] | a part, sealed for one reader |
//! | [`blob`] | the content of an attachment, in chunks |
//! | [`keyring`] | what is stored at rest, and the keys of the month outside the database |
//! | [`month`] | the months that name those keys |
//! | [`passphrase`] | a root in a file for offline keeping |
//! | [`secret_file`] | files that only their owner may read |
//! | [`webhook`] | the signature of a nudge that goes to a gateway |
//! | [`x509`] | the device CA and TLS certificates |
//!
//! No function here reads a clock: dates are given. Types that hold keys or parts print `[sealed]`.

pub mod blob;
pub mod digest;
pub mod disclosure;
pub mod keyring;
pub mod keys;
pub mod month;
pub mod passphrase;
pub mod random;
pub mod seal;
pub mod seal_key;
pub mod secret_file;
pub mod statement;
pub mod strict_json;
pub mod webhook;
pub mod x509;

#[cfg(test)]
mod known_answers;
#[cfg(test)]
mod vectors;

use data_encoding::BASE64URL_NOPAD;

/// Base64url without padding (RFC 4648 section 5).
pub fn b64url(bytes: &[u8]) -> String {
    BASE64URL_NOPAD.encode(bytes)
}

/// Reads base64url strictly: no padding, no white space, no trailing bits that are not zero (so that one value has one
/// spelling). `None` says that it is something else.
pub fn from_b64url(text: &[u8]) -> Option<Vec<u8>> {
    BASE64URL_NOPAD.decode(text).ok()
}

/// Reads base64url of exactly `N` bytes, as strictly as [`from_b64url`].
pub fn array_from_b64url<const N: usize>(text: &[u8]) -> Option<[u8; N]> {
    if text.len() != (N * 8).div_ceil(6) {
        return None;
    }
    from_b64url(text)?.try_into().ok()
}
