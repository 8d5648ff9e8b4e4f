//! The months of a keyring: which keys there are, and how one is destroyed. In the place of a destroyed key a mark stays,
//! so that neither this node nor another ever makes the month's key anew, and nobody takes it for one that was lost.

use std::fs;
use std::path::Path;
use std::sync::PoisonError;

use zeroize::Zeroizing;

use super::{KEK_BYTES, Keyring, KeyringError, Month, NONCE_LEN, TAG_BYTES, kek_file};
use crate::crypto::secret_file::{self, SecretFileError};

/// What stands in the file of a month whose key was destroyed.
pub(super) const DESTROYED: &[u8] = b"hn-kek-destroyed-v1\n";
/// Months that are looked through at most for one that was not destroyed: a century.
const MOST: usize = 1_200;
/// Bytes that are written over a key: more than its file has.
const WIPED_BYTES: usize = 2 * (NONCE_LEN + KEK_BYTES + TAG_BYTES) + 64;

impl Keyring {
    /// Destroys the key of a month: it is forgotten, its file is written over, and a mark takes its place. Says whether
    /// there was anything to do. After a kill at any moment it is done by saying it again.
    ///
    /// A file system that keeps old blocks (copy on write, snapshots), and a backup of the keyring, may still hold it.
    ///
    /// # Errors
    /// [`KeyringError::File`].
    pub fn destroy(&self, month: Month) -> Result<bool, KeyringError> {
        let held = self
            .keks
            .write()
            .unwrap_or_else(PoisonError::into_inner)
            .remove(&month);
        let path = self.dir.join(kek_file(month));
        let found = contents(&path)?;
        if found
            .as_ref()
            .is_some_and(|text| text.as_slice() == DESTROYED)
        {
            return Ok(held.is_some());
        }
        if found.is_some() {
            secret_file::wipe(&path, WIPED_BYTES)?;
        }
        secret_file::replace(&path, DESTROYED)?;
        Ok(true)
    }

    /// Whether the key of a month was destroyed here.
    ///
    /// # Errors
    /// [`KeyringError::File`]; a file that is not there was not destroyed.
    pub fn is_destroyed(&self, month: Month) -> Result<bool, KeyringError> {
        let found = contents(&self.dir.join(kek_file(month)))?;
        Ok(found.is_some_and(|text| is_mark(&text)))
    }

    /// The months that have a file here, and whether their key was destroyed, oldest first.
    ///
    /// # Errors
    /// [`KeyringError::File`].
    pub fn months(&self) -> Result<Vec<(Month, bool)>, KeyringError> {
        let mut months = Vec::new();
        for month in names(&self.dir)? {
            months.push((month, self.is_destroyed(month)?));
        }
        months.sort_unstable();
        Ok(months)
    }

    /// This month, or the first after it whose key was not destroyed.
    pub(super) fn first_kept(&self, mut month: Month) -> Result<Month, KeyringError> {
        for _ in 0..MOST {
            if !self.is_destroyed(month)? {
                break;
            }
            month = month.next()?;
        }
        Ok(month)
    }
}

/// Whether this is what stands in the place of a destroyed key: the mark, or what it was written over with before it.
pub(super) fn is_mark(text: &[u8]) -> bool {
    text == DESTROYED || (!text.is_empty() && text.iter().all(|byte| *byte == 0))
}

/// What stands in a key's file; none where there is none.
fn contents(path: &Path) -> Result<Option<Zeroizing<Vec<u8>>>, KeyringError> {
    match secret_file::read(path) {
        Ok(text) => Ok(Some(text)),
        Err(SecretFileError::Missing(_)) => Ok(None),
        Err(error) => Err(error.into()),
    }
}

/// The months that a directory has files of.
fn names(dir: &Path) -> Result<Vec<Month>, KeyringError> {
    let failed = |source| {
        KeyringError::File(SecretFileError::Io {
            path: dir.to_owned(),
            doing: "read",
            source,
        })
    };
    let mut months = Vec::new();
    for entry in fs::read_dir(dir).map_err(failed)? {
        let name = entry.map_err(failed)?.file_name();
        let month = name.to_str().and_then(|name| name.strip_prefix("kek-"));
        months.extend(month.and_then(|month| month.parse::<Month>().ok()));
    }
    Ok(months)
}
