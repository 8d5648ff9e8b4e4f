//! What is stored at rest: parts under AES-256-GCM with a key of their own, derived from the key of the month (KEK). The
//! KEKs live in files outside the database, wrapped by a root key, so that a dump or a backup of the database alone opens
//! nothing, and destroying a month's key destroys what was sealed under it. A record is bound to its place in the
//! database: moved to another row it does not open. Of a record that was destroyed the header stays, so that whoever asks
//! for it hears of which month it was.

use std::{
    collections::BTreeMap,
    fmt,
    path::{Path, PathBuf},
    sync::{Arc, PoisonError, RwLock},
};

use ring::{
    aead::{AES_256_GCM, Aad, LessSafeKey, NONCE_LEN, Nonce, UnboundKey},
    hkdf::{HKDF_SHA256, Salt},
};
use zeroize::Zeroizing;

use super::{
    array_from_b64url, b64url, from_b64url,
    month::{Month, MonthError},
    random::random_bytes,
    secret_file::{self, SecretFileError},
};

/// Length of the root key and of a KEK in bytes.
pub const KEK_BYTES: usize = 32;
/// Months for which keys are made ahead: this one and the next two.
pub const MONTHS_AHEAD: usize = 3;
/// Longest text of one binding in bytes.
pub const MAX_BINDING_BYTES: usize = 256;
/// Bytes that a sealed record is longer than its text: version, month, nonce and tag.
pub const RECORD_OVERHEAD_BYTES: usize = HEADER_BYTES + NONCE_LEN + TAG_BYTES;

/// Version (1 byte), year (2, big-endian), month (1).
const HEADER_BYTES: usize = 4;
/// Bytes that stay of a record that was destroyed with its month: its header.
pub const TOMBSTONE_BYTES: usize = HEADER_BYTES;
const TAG_BYTES: usize = 16;
const VERSION: u8 = 1;
const ROOT_FILE: &str = "root.key";
const ROOT_WORD: &str = "hn-keyring-root-v1";
const KEK_WORD: &str = "hn-kek-v1";
const RECORD_LABEL: &str = "hn/record/v1";
const KEK_LABEL: &str = "hn/kek/v1";

/// What is wrong with the keyring or a record.
#[derive(Debug, thiserror::Error)]
pub enum KeyringError {
    /// A key file is missing, exposed or unreadable.
    #[error(transparent)]
    File(#[from] SecretFileError),
    /// The root key file is cut off or something else.
    #[error("{0} is not a keyring's root key, or is cut off: restore it from its backup")]
    RootForm(PathBuf),
    /// A month's key file is cut off or something else.
    #[error("{0} is not a key of the month, or is cut off: restore it from its backup")]
    KekForm(PathBuf),
    /// A month's key file does not unwrap.
    #[error("{0} does not unwrap: it was altered, renamed, or belongs to another root key")]
    KekWrapped(PathBuf),
    /// There is no key for the month.
    #[error("there is no key for {0}: restore its file from the keyring's backup")]
    NoKek(Month),
    /// The record was destroyed with its month, or the month's key was.
    #[error("it was destroyed with the month {0}")]
    Destroyed(Month),
    /// No month was provisioned yet.
    #[error("the keyring was not provisioned: nothing can be sealed")]
    NotProvisioned,
    /// The date lies outside the years that have months here.
    #[error(transparent)]
    Month(#[from] MonthError),
    /// A binding is empty, too long or contains a NUL.
    #[error("`{0}` cannot bind a record: it must have 1 to {MAX_BINDING_BYTES} bytes and no NUL")]
    Binding(&'static str),
    /// The bytes are no record.
    #[error("these bytes are no sealed record: too short, or of another version")]
    RecordForm,
    /// The record does not open.
    #[error(
        "the record of {table} does not open: it was altered or moved from another row, revision or part"
    )]
    Record {
        /// The table that was named.
        table: String,
    },
    /// The cipher refused to seal.
    #[error("the record could not be sealed: it is too long")]
    Seal,
}

/// Where a record stands in the database; it opens nowhere else.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct RecordRef<'a> {
    /// The table.
    pub table: &'a str,
    /// The organisation or party whose record it is.
    pub org: &'a str,
    /// The notification's `nid`, or the row's other identifier.
    pub id: &'a str,
    /// The revision, or 0.
    pub rev: u64,
    /// The part's name.
    pub part: &'a str,
}

impl RecordRef<'_> {
    fn check(&self) -> Result<(), KeyringError> {
        for (name, text) in [
            ("table", self.table),
            ("org", self.org),
            ("id", self.id),
            ("part", self.part),
        ] {
            if text.is_empty() || text.len() > MAX_BINDING_BYTES || text.contains('\0') {
                return Err(KeyringError::Binding(name));
            }
        }
        Ok(())
    }

    /// `"hn/record/v1" NUL table NUL id NUL rev NUL part NUL month`; the organisation is in the key.
    pub(super) fn aad(&self, month: Month) -> Vec<u8> {
        let Self {
            table,
            id,
            rev,
            part,
            ..
        } = self;
        format!("{RECORD_LABEL}\0{table}\0{id}\0{rev}\0{part}\0{month}").into_bytes()
    }

    fn refused(&self) -> KeyringError {
        KeyringError::Record {
            table: self.table.to_owned(),
        }
    }
}

impl fmt::Debug for RecordRef<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "RecordRef({} {} {} {})",
            self.table, self.id, self.rev, self.part
        )
    }
}

type Kek = Zeroizing<[u8; KEK_BYTES]>;

/// The keys of the months, from a directory. KEKs that were read are kept in memory; one that another node provisions
/// later is read when it is first needed. Prints `[sealed]`.
pub struct Keyring {
    dir: PathBuf,
    root: Kek,
    keks: RwLock<BTreeMap<Month, Arc<Kek>>>,
    /// The month whose key seals what is stored now.
    present: RwLock<Option<Month>>,
}

impl Keyring {
    /// Makes a keyring with a new root key. The directory is made when it is not there.
    ///
    /// # Errors
    /// [`KeyringError::File`]; a root key that is there already is never replaced.
    pub fn create(dir: &Path) -> Result<Self, KeyringError> {
        secret_file::create_dir(dir)?;
        let root = Zeroizing::new(random_bytes());
        let text = Zeroizing::new(format!(
            "{ROOT_WORD} {}\n",
            Zeroizing::new(b64url(root.as_ref())).as_str()
        ));
        secret_file::create(&dir.join(ROOT_FILE), text.as_bytes())?;
        Ok(Self::with_root(dir, root))
    }

    /// Opens the keyring in a directory.
    ///
    /// # Errors
    /// [`KeyringError::File`] when the root key is missing or others may read it; [`KeyringError::RootForm`].
    pub fn open(dir: &Path) -> Result<Self, KeyringError> {
        let path = dir.join(ROOT_FILE);
        let text = secret_file::read(&path)?;
        let root = line(&text, ROOT_WORD)
            .and_then(array_from_b64url)
            .map(Zeroizing::new);
        root.map(|root| Self::with_root(dir, root))
            .ok_or(KeyringError::RootForm(path))
    }

    fn with_root(dir: &Path, root: Kek) -> Self {
        Self {
            dir: dir.to_owned(),
            root,
            keks: RwLock::default(),
            present: RwLock::default(),
        }
    }

    /// Makes the keys that are missing for this month and the next two, and says which. From now on this month's key seals
    /// what is stored; where it was destroyed, in a drill whose clock was set back, the next one's that was not. Several
    /// nodes may do so at once on one directory: the first file stands.
    ///
    /// # Errors
    /// [`KeyringError::File`], [`KeyringError::Month`], and those of a month's file that is there and damaged.
    pub fn provision(&self, today: time::Date) -> Result<Vec<Month>, KeyringError> {
        let mut made = Vec::new();
        let present = self.turning(today)?;
        let mut month = present;
        for ahead in 0..MONTHS_AHEAD {
            if ahead > 0 {
                month = month.next()?;
            }
            if self.make_kek(month)? {
                made.push(month);
            }
            match self.kek(month) {
                Ok(_) | Err(KeyringError::Destroyed(_)) => {}
                Err(error) => return Err(error),
            }
        }
        *self.present.write().unwrap_or_else(PoisonError::into_inner) = Some(present);
        Ok(made)
    }

    /// The month whose key will seal what is stored once [`Self::provision`] was called with this date.
    ///
    /// # Errors
    /// [`KeyringError::File`], [`KeyringError::Month`].
    pub fn turning(&self, today: time::Date) -> Result<Month, KeyringError> {
        self.first_kept(Month::of(today)?)
    }

    /// The month whose key seals what is stored now: that of the last [`Self::provision`].
    ///
    /// # Errors
    /// [`KeyringError::NotProvisioned`].
    pub fn present(&self) -> Result<Month, KeyringError> {
        self.present
            .read()
            .unwrap_or_else(PoisonError::into_inner)
            .ok_or(KeyringError::NotProvisioned)
    }

    /// Seals a record under the key of `month`, which is the month of the transaction that stores it.
    ///
    /// The bytes are: version 1, year (u16, big-endian), month (u8), nonce (12), ciphertext and tag (16).
    ///
    /// # Errors
    /// [`KeyringError::NoKek`], [`KeyringError::Binding`], and those of the month's file.
    pub fn seal_record(
        &self,
        at: &RecordRef<'_>,
        month: Month,
        text: &[u8],
    ) -> Result<Vec<u8>, KeyringError> {
        seal_with(self.kek(month)?.as_ref(), at, month, random_bytes(), text)
    }

    /// Opens a record that stands at `at`.
    ///
    /// # Errors
    /// [`KeyringError::Record`] when it was altered or stood elsewhere; [`KeyringError::Destroyed`] when it, or the month's
    /// key, was destroyed; [`KeyringError::NoKek`], [`KeyringError::RecordForm`], [`KeyringError::Binding`], and those of the month's file.
    pub fn open_record(
        &self,
        at: &RecordRef<'_>,
        bytes: &[u8],
    ) -> Result<Zeroizing<Vec<u8>>, KeyringError> {
        if let Some(month) = destroyed_with(bytes) {
            return Err(KeyringError::Destroyed(month));
        }
        open_with(self.kek(month_of(bytes)?)?.as_ref(), at, bytes)
    }

    /// The KEK of a month, from memory or its file.
    fn kek(&self, month: Month) -> Result<Arc<Kek>, KeyringError> {
        // A poisoned lock guards a map that is whole after every step, so it is used on.
        if let Some(kek) = self
            .keks
            .read()
            .unwrap_or_else(PoisonError::into_inner)
            .get(&month)
        {
            return Ok(Arc::clone(kek));
        }
        let kek = Arc::new(self.read_kek(month)?);
        let mut keks = self.keks.write().unwrap_or_else(PoisonError::into_inner);
        Ok(Arc::clone(keks.entry(month).or_insert(kek)))
    }

    fn read_kek(&self, month: Month) -> Result<Kek, KeyringError> {
        let path = self.dir.join(kek_file(month));
        let text = match secret_file::read(&path) {
            Ok(text) => text,
            Err(SecretFileError::Missing(_)) => return Err(KeyringError::NoKek(month)),
            Err(error) => return Err(error.into()),
        };
        if months::is_mark(&text) {
            return Err(KeyringError::Destroyed(month));
        }
        let bytes = line(&text, KEK_WORD)
            .and_then(from_b64url)
            .filter(|bytes| bytes.len() == NONCE_LEN + KEK_BYTES + TAG_BYTES)
            .ok_or_else(|| KeyringError::KekForm(path.clone()))?;
        let key = cipher(&self.root)?;
        let opened = open_in_place(&key, &kek_aad(month), Zeroizing::new(bytes))
            .ok_or(KeyringError::KekWrapped(path))?;
        let mut kek = Zeroizing::new([0; KEK_BYTES]);
        kek.copy_from_slice(&opened);
        Ok(kek)
    }

    /// Makes the key of a month unless it is there; says whether it did.
    fn make_kek(&self, month: Month) -> Result<bool, KeyringError> {
        let path = self.dir.join(kek_file(month));
        if path.exists() {
            return Ok(false);
        }
        let kek: Kek = Zeroizing::new(random_bytes());
        let file = wrap_kek(&self.root, month, random_bytes(), &kek)?;
        match secret_file::create(&path, file.as_bytes()) {
            Ok(()) => Ok(true),
            Err(SecretFileError::Exists(_)) => Ok(false),
            Err(error) => Err(error.into()),
        }
    }
}

impl fmt::Debug for Keyring {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Keyring([sealed])")
    }
}

/// The name of a month's key file.
fn kek_file(month: Month) -> String {
    format!("kek-{month}")
}

/// The value in a key file of one line: a word, a space, base64url.
fn line<'a>(text: &'a [u8], word: &str) -> Option<&'a [u8]> {
    text.strip_prefix(word.as_bytes())?
        .strip_prefix(b" ")?
        .strip_suffix(b"\n")
}

/// A KEK is bound to its file's name, so that no month's file can stand in for another's.
fn kek_aad(month: Month) -> Vec<u8> {
    format!("{KEK_LABEL}\0{}", kek_file(month)).into_bytes()
}

/// The text of a month's key file: `hn-kek-v1`, a space, base64url of nonce, wrapped KEK and tag, a line feed. The KEK is
/// under AES-256-GCM with the root key, AAD `"hn/kek/v1" NUL file name`.
pub(super) fn wrap_kek(
    root: &[u8; KEK_BYTES],
    month: Month,
    nonce: [u8; NONCE_LEN],
    kek: &[u8; KEK_BYTES],
) -> Result<String, KeyringError> {
    let mut bytes = Vec::with_capacity(NONCE_LEN + KEK_BYTES + TAG_BYTES);
    append_sealed(&cipher(root)?, nonce, &kek_aad(month), kek, &mut bytes)?;
    Ok(format!("{KEK_WORD} {}\n", b64url(&bytes)))
}

/// The month under whose key a record is sealed.
///
/// # Errors
/// [`KeyringError::RecordForm`].
pub fn month_of(bytes: &[u8]) -> Result<Month, KeyringError> {
    match bytes {
        [VERSION, y1, y2, month, rest @ ..] if rest.len() >= NONCE_LEN + TAG_BYTES => {
            Month::new(u16::from_be_bytes([*y1, *y2]), *month).map_err(|_| KeyringError::RecordForm)
        }
        _ => Err(KeyringError::RecordForm),
    }
}

/// The month with which a record was destroyed: of such a one only the header stands. None of any other bytes.
pub fn destroyed_with(bytes: &[u8]) -> Option<Month> {
    match bytes {
        [VERSION, y1, y2, month] => Month::new(u16::from_be_bytes([*y1, *y2]), *month).ok(),
        _ => None,
    }
}

/// Seals with a given KEK and nonce: [`Keyring::seal_record`], and the published vectors.
pub(super) fn seal_with(
    kek: &[u8; KEK_BYTES],
    at: &RecordRef<'_>,
    month: Month,
    nonce: [u8; NONCE_LEN],
    text: &[u8],
) -> Result<Vec<u8>, KeyringError> {
    at.check()?;
    let mut bytes = Vec::with_capacity(RECORD_OVERHEAD_BYTES + text.len());
    bytes.push(VERSION);
    bytes.extend_from_slice(&month.year.to_be_bytes());
    bytes.push(month.month);
    append_sealed(
        &record_cipher(kek, at)?,
        nonce,
        &at.aad(month),
        text,
        &mut bytes,
    )?;
    Ok(bytes)
}

fn open_with(
    kek: &[u8; KEK_BYTES],
    at: &RecordRef<'_>,
    bytes: &[u8],
) -> Result<Zeroizing<Vec<u8>>, KeyringError> {
    at.check()?;
    let month = month_of(bytes)?;
    let body = bytes.get(HEADER_BYTES..).ok_or(KeyringError::RecordForm)?;
    open_in_place(
        &record_cipher(kek, at)?,
        &at.aad(month),
        Zeroizing::new(body.to_vec()),
    )
    .ok_or_else(|| at.refused())
}

/// The record's own key: HKDF-SHA256 (RFC 5869) with salt `hn/record/v1`, the KEK, and `org NUL id` as info.
fn record_cipher(kek: &[u8; KEK_BYTES], at: &RecordRef<'_>) -> Result<LessSafeKey, KeyringError> {
    let secret = Salt::new(HKDF_SHA256, RECORD_LABEL.as_bytes()).extract(kek);
    let info = [at.org.as_bytes(), &[0], at.id.as_bytes()];
    let okm = secret
        .expand(&info, &AES_256_GCM)
        .map_err(|_| KeyringError::Seal)?;
    Ok(LessSafeKey::new(UnboundKey::from(okm)))
}

fn cipher(key: &[u8; KEK_BYTES]) -> Result<LessSafeKey, KeyringError> {
    UnboundKey::new(&AES_256_GCM, key)
        .map(LessSafeKey::new)
        .map_err(|_| KeyringError::Seal)
}

/// Appends nonce, ciphertext and tag. The text is enciphered where it will lie, so that no copy of it stays behind.
fn append_sealed(
    key: &LessSafeKey,
    nonce: [u8; NONCE_LEN],
    aad: &[u8],
    text: &[u8],
    bytes: &mut Vec<u8>,
) -> Result<(), KeyringError> {
    bytes.extend_from_slice(&nonce);
    let start = bytes.len();
    bytes.extend_from_slice(text);
    let in_place = bytes.get_mut(start..).ok_or(KeyringError::Seal)?;
    let tag = key
        .seal_in_place_separate_tag(
            Nonce::assume_unique_for_key(nonce),
            Aad::from(aad),
            in_place,
        )
        .map_err(|_| KeyringError::Seal)?;
    bytes.extend_from_slice(tag.as_ref());
    Ok(())
}

/// Opens nonce, ciphertext and tag.
fn open_in_place(
    key: &LessSafeKey,
    aad: &[u8],
    mut bytes: Zeroizing<Vec<u8>>,
) -> Option<Zeroizing<Vec<u8>>> {
    let (nonce, ciphertext) = bytes.split_first_chunk_mut::<NONCE_LEN>()?;
    let length = key
        .open_within(
            Nonce::assume_unique_for_key(*nonce),
            Aad::from(aad),
            ciphertext,
            0..,
        )
        .ok()?
        .len();
    bytes.drain(..NONCE_LEN);
    bytes.truncate(length);
    Some(bytes)
}

mod months;

#[cfg(test)]
mod tests;
