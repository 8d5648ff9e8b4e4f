//! A secret in a file for offline keeping: the root of an organisation or party, sealed with a passphrase. The file is
//! JSON that says what it is, so that whoever finds it on a memory stick in three years knows. Argon2id (RFC 9106, its
//! second recommended option: 64 MiB, 3 passes, 4 lanes) makes guessing dear; AES-256-GCM seals.

use argon2::{Algorithm, Argon2, Params, Version};
use ring::aead::{AES_256_GCM, Aad, LessSafeKey, NONCE_LEN, Nonce, UnboundKey};
use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

use super::{
    array_from_b64url, b64url, from_b64url,
    random::random_bytes,
    strict_json::{self, JsonError, Limits},
};

/// Fewest characters of a passphrase for a new file.
pub const MIN_PASSPHRASE_CHARS: usize = 12;
/// Longest passphrase in bytes.
pub const MAX_PASSPHRASE_BYTES: usize = 1024;
/// Longest secret in bytes.
pub const MAX_SECRET_BYTES: usize = 4096;

const FORMAT: &str = "hn/passphrase-file/v1";
const KDF: &str = "argon2id";
const CIPHER: &str = "AES-256-GCM";
const SALT_BYTES: usize = 16;
/// What opening a file may cost at most, whatever its header asks for: 1 GiB, 10 passes, 16 lanes.
const MAX_COST: Cost = Cost {
    memory_kib: 1024 * 1024,
    passes: 10,
    lanes: 16,
};

/// What is wrong with a passphrase or its file.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PassphraseError {
    /// Too short for a new file.
    #[error(
        "a passphrase needs at least {MIN_PASSPHRASE_CHARS} characters; several unrelated words are best"
    )]
    TooShort,
    /// Longer than any passphrase.
    #[error("a passphrase has at most {MAX_PASSPHRASE_BYTES} bytes")]
    TooLong,
    /// The secret is too long for a file of this kind.
    #[error("the secret is longer than {MAX_SECRET_BYTES} bytes")]
    SecretTooLong,
    /// Not strict JSON.
    #[error("the file is not JSON: {0}")]
    Json(#[from] JsonError),
    /// Other members or values than such a file has.
    #[error(
        "the file is not a passphrase-sealed file of Herald, or of a version that this one cannot read"
    )]
    Form,
    /// The header asks for more work than any file of ours.
    #[error(
        "the file asks for more than 1 GiB, 10 passes or 16 lanes of Argon2id, or for less than Argon2id can do"
    )]
    Cost,
    /// It does not open.
    #[error(
        "the file does not open: the passphrase is another one (check capitals and the keyboard's language), or the file was altered"
    )]
    Open,
    /// The machine has not enough memory, or the cipher refused.
    #[error("Argon2id could not run; it needs {0} KiB of memory")]
    Argon2(u32),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Cost {
    memory_kib: u32,
    passes: u32,
    lanes: u32,
}

/// RFC 9106 section 4, second recommended option.
const RECOMMENDED: Cost = Cost {
    memory_kib: 64 * 1024,
    passes: 3,
    lanes: 4,
};

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    what: String,
    format: String,
    kdf: String,
    cost: Cost,
    salt: String,
    cipher: String,
    nonce: String,
    sealed: String,
}

/// A file's secret and what the file says it is.
pub struct Opened {
    /// The first line of the file, for people.
    pub what: String,
    /// The secret.
    pub secret: Zeroizing<Vec<u8>>,
}

impl std::fmt::Debug for Opened {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Opened([sealed])")
    }
}

/// Seals a secret. `what` is shown as the file's first line: say whose root it is, where to keep it, and no secret.
///
/// # Errors
/// [`PassphraseError::TooShort`], [`PassphraseError::TooLong`], [`PassphraseError::SecretTooLong`],
/// [`PassphraseError::Argon2`].
pub fn seal(what: &str, secret: &[u8], passphrase: &str) -> Result<String, PassphraseError> {
    seal_at_cost(what, secret, passphrase, RECOMMENDED)
}

fn seal_at_cost(
    what: &str,
    secret: &[u8],
    passphrase: &str,
    cost: Cost,
) -> Result<String, PassphraseError> {
    if passphrase.chars().count() < MIN_PASSPHRASE_CHARS {
        return Err(PassphraseError::TooShort);
    }
    if secret.len() > MAX_SECRET_BYTES {
        return Err(PassphraseError::SecretTooLong);
    }
    let (salt, nonce) = (random_bytes::<SALT_BYTES>(), random_bytes::<NONCE_LEN>());
    let key = derive(passphrase, &salt, cost)?;
    let mut sealed = Vec::with_capacity(secret.len() + AES_256_GCM.tag_len());
    sealed.extend_from_slice(secret);
    key.seal_in_place_append_tag(
        Nonce::assume_unique_for_key(nonce),
        Aad::from(aad(what)),
        &mut sealed,
    )
    .map_err(|_| PassphraseError::SecretTooLong)?;
    let file = File {
        what: what.to_owned(),
        format: FORMAT.to_owned(),
        kdf: KDF.to_owned(),
        cost,
        salt: b64url(&salt),
        cipher: CIPHER.to_owned(),
        nonce: b64url(&nonce),
        sealed: b64url(&sealed),
    };
    let mut text = serde_json::to_string_pretty(&file).map_err(|_| PassphraseError::Form)?;
    text.push('\n');
    Ok(text)
}

/// Opens a file.
///
/// # Errors
/// [`PassphraseError`]; a wrong passphrase and an altered file cannot be told apart.
pub fn open(file: &[u8], passphrase: &str) -> Result<Opened, PassphraseError> {
    let limits = Limits {
        max_bytes: 16 * 1024,
        max_depth: 2,
        max_nodes: 64,
    };
    let file: File = serde_json::from_value(strict_json::parse(file, limits)?)
        .map_err(|_| PassphraseError::Form)?;
    if file.format != FORMAT || file.kdf != KDF || file.cipher != CIPHER {
        return Err(PassphraseError::Form);
    }
    let cost = file.cost;
    if cost.memory_kib > MAX_COST.memory_kib
        || cost.passes > MAX_COST.passes
        || cost.lanes > MAX_COST.lanes
    {
        return Err(PassphraseError::Cost);
    }
    let salt: [u8; SALT_BYTES] =
        array_from_b64url(file.salt.as_bytes()).ok_or(PassphraseError::Form)?;
    let nonce: [u8; NONCE_LEN] =
        array_from_b64url(file.nonce.as_bytes()).ok_or(PassphraseError::Form)?;
    let mut secret =
        Zeroizing::new(from_b64url(file.sealed.as_bytes()).ok_or(PassphraseError::Form)?);
    let length = derive(passphrase, &salt, cost)?
        .open_in_place(
            Nonce::assume_unique_for_key(nonce),
            Aad::from(aad(&file.what)),
            &mut secret,
        )
        .map_err(|_| PassphraseError::Open)?
        .len();
    secret.truncate(length);
    Ok(Opened {
        what: file.what,
        secret,
    })
}

/// The file's first line is bound too, so that nobody can relabel a root.
fn aad(what: &str) -> Vec<u8> {
    format!("{FORMAT}\0{what}").into_bytes()
}

fn derive(passphrase: &str, salt: &[u8], cost: Cost) -> Result<LessSafeKey, PassphraseError> {
    if passphrase.len() > MAX_PASSPHRASE_BYTES {
        return Err(PassphraseError::TooLong);
    }
    let params = Params::new(cost.memory_kib, cost.passes, cost.lanes, Some(32))
        .map_err(|_| PassphraseError::Cost)?;
    let mut key = Zeroizing::new([0; 32]);
    Argon2::new(Algorithm::Argon2id, Version::V0x13, params)
        .hash_password_into(passphrase.as_bytes(), salt, key.as_mut())
        .map_err(|_| PassphraseError::Argon2(cost.memory_kib))?;
    let key = UnboundKey::new(&AES_256_GCM, key.as_ref()).map_err(|_| PassphraseError::Form)?;
    Ok(LessSafeKey::new(key))
}

#[cfg(test)]
mod tests {
    use super::*;

    const PASSPHRASE: &str = "correct horse battery staple";
    /// Little work, for tests that are about something else.
    const CHEAP: Cost = Cost {
        memory_kib: 64,
        passes: 1,
        lanes: 1,
    };

    fn cheap() -> String {
        seal_at_cost("Root of MSF. Keep offline.", b"seed", PASSPHRASE, CHEAP).expect("sealed")
    }

    #[test]
    fn a_root_opens_with_its_passphrase_at_the_recommended_cost() {
        let file = seal("Root of MSF. Keep offline.", b"seed", PASSPHRASE).expect("sealed");
        assert!(
            file.starts_with("{\n  \"what\": \"Root of MSF. Keep offline.\","),
            "the first line says what it is"
        );
        assert!(file.contains("\"memory_kib\": 65536"));
        assert!(!file.contains(PASSPHRASE) && !file.contains(&b64url(b"seed")));
        let opened = open(file.as_bytes(), PASSPHRASE).expect("own passphrase");
        assert_eq!(
            (opened.what.as_str(), opened.secret.as_slice()),
            ("Root of MSF. Keep offline.", &b"seed"[..])
        );
        assert_eq!(format!("{opened:?}"), "Opened([sealed])");
    }

    #[test]
    fn another_passphrase_or_an_altered_file_does_not_open() {
        let file = cheap();
        let error =
            |file: &str, passphrase: &str| open(file.as_bytes(), passphrase).expect_err("refused");
        assert_eq!(
            error(&file, "Correct horse battery staple"),
            PassphraseError::Open
        );
        assert_eq!(error(&file, ""), PassphraseError::Open);
        assert_eq!(
            error(&file.replace("MSF", "ICRC"), PASSPHRASE),
            PassphraseError::Open
        );
        assert_eq!(
            error(&file.replace("\"passes\": 1", "\"passes\": 2"), PASSPHRASE),
            PassphraseError::Open
        );
        assert_eq!(
            error(&file.replace("\"lanes\": 1", "\"lanes\": 17"), PASSPHRASE),
            PassphraseError::Cost
        );
        assert_eq!(
            error(
                &file.replace("\"memory_kib\": 64", "\"memory_kib\": 4000000000"),
                PASSPHRASE
            ),
            PassphraseError::Cost
        );
        assert_eq!(
            error(
                &file.replace("\"memory_kib\": 64", "\"memory_kib\": 1"),
                PASSPHRASE
            ),
            PassphraseError::Cost
        );
        assert_eq!(
            error(&file.replace("file/v1", "file/v2"), PASSPHRASE),
            PassphraseError::Form
        );
        assert_eq!(
            error(&file.replace("\"what\"", "\"note\""), PASSPHRASE),
            PassphraseError::Form
        );
        assert!(matches!(error("{", PASSPHRASE), PassphraseError::Json(_)));
    }

    #[test]
    fn a_short_passphrase_and_a_long_secret_are_refused() {
        assert_eq!(
            seal("x", b"s", "elevenchars"),
            Err(PassphraseError::TooShort)
        );
        assert_eq!(
            seal("x", b"s", &"a".repeat(1025)),
            Err(PassphraseError::TooLong)
        );
        assert_eq!(
            seal("x", &[0; 4097], PASSPHRASE),
            Err(PassphraseError::SecretTooLong)
        );
    }

    proptest::proptest! {
        #[test]
        fn arbitrary_bytes_never_panic(bytes in proptest::collection::vec(proptest::prelude::any::<u8>(), 0..300)) {
            proptest::prop_assert!(open(&bytes, PASSPHRASE).is_err());
        }

        #[test]
        fn any_altered_byte_is_refused(at in 0..500_usize, new in "[ -~]") {
            let file = cheap().into_bytes();
            let mut altered = file.clone();
            let at = at % file.len();
            altered[at] = new.as_bytes()[0];
            // White space between members is the one thing that may differ.
            let same = serde_json::from_slice::<serde_json::Value>(&altered).ok()
                == serde_json::from_slice::<serde_json::Value>(&file).ok();
            proptest::prop_assert_eq!(open(&altered, PASSPHRASE).is_ok(), same);
        }
    }
}
