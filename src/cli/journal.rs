//! What was notified from files, so that repeating or interrupting `notify` or `import` does no harm. Of an import two
//! things are on disk before and after each batch is sent, each synced once a batch, never once a row; what `notify` signs
//! waits in the outbox with its row beside it, and stands here once the server has it:
//!
//! ```text
//! import/spool/N.json, N.hn   signed and not yet known to have arrived: which rows, and the exact envelopes
//! import/journal.jsonl        what arrived: {"key", "content", "nid", "rev", "hash", "parties"} a line; the last one counts
//! import/receipts.jsonl       the server's receipts: {"hash", "receipt"} a line
//! ```
//! Keys and contents are digests under a salt of this profile, so that the journal tells no names and no places.

use std::collections::{HashMap, HashSet};
use std::fs::{self, File, OpenOptions};
use std::io::{BufRead as _, BufReader, Read as _, Seek as _, SeekFrom, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::error::CliError;
use super::profile::{self, Profile, ProfileError};
use super::rows::Entry;
use crate::crypto::digest::Digest;
use crate::crypto::random::random_bytes;
use crate::crypto::secret_file;
use crate::wire::envelope;

/// The folder in the profile.
const FOLDER: &str = "import";
/// The rows that arrived.
const ENTRIES: &str = "journal.jsonl";
/// The salt of keys and contents.
const SALT: &str = "salt";
/// Bytes of one line of the journal.
const MAX_LINE: usize = 16 * 1024;

/// A row that is signed.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct SpoolItem {
    /// Its line in the file.
    pub line: u64,
    /// What the journal will say.
    pub entry: Entry,
}

/// Signed rows, kept before they are sent.
pub struct Batch {
    /// Its number.
    pub number: u64,
    /// The rows.
    pub items: Vec<SpoolItem>,
    /// The exact envelopes, in the same order.
    pub envelopes: Vec<Vec<u8>>,
}

#[derive(Serialize, Deserialize)]
struct ReceiptLine<'a> {
    hash: Digest,
    receipt: &'a str,
}

/// The journal of a profile.
pub struct Journal {
    dir: PathBuf,
    salt: [u8; 32],
    known: HashMap<Digest, Entry>,
    entries: File,
    receipts: File,
    /// Bytes of the entries that were read.
    read: u64,
    next: u64,
}

impl Journal {
    /// Opens, or begins, the journal.
    ///
    /// # Errors
    /// When the files cannot be made or read.
    pub fn open(profile: &Profile) -> Result<Self, CliError> {
        let dir = profile.path(FOLDER);
        let spool = dir.join("spool");
        secret_file::create_dir(&spool).map_err(ProfileError::from)?;
        let path = dir.join(ENTRIES);
        let (known, read) = read_entries(&path, 0)?;
        let salt = salt(&dir.join(SALT), known.is_empty())?;
        let next = spooled(&spool)?.last().map_or(0, |last| last + 1);
        Ok(Self {
            entries: append(&path)?,
            receipts: append(&dir.join("receipts.jsonl"))?,
            dir,
            salt,
            known,
            read,
            next,
        })
    }

    /// The entries by key and the salt, for threads that compose while this one files.
    pub fn snapshot(&self) -> (HashMap<Digest, Entry>, [u8; 32]) {
        (self.known.clone(), self.salt)
    }

    /// Reads what was filed since it was read last, by another process too.
    ///
    /// # Errors
    /// When it cannot be read, or is damaged.
    pub fn catch_up(&mut self) -> Result<Vec<Entry>, CliError> {
        let (new, read) = read_entries(&self.dir.join(ENTRIES), self.read)?;
        self.read = read;
        self.known.extend(new.clone());
        Ok(new.into_values().collect())
    }

    /// Keeps a batch, synced to disk, before anyone sends it.
    ///
    /// # Errors
    /// When it cannot be written; then it must not be sent.
    pub fn spool(
        &mut self,
        items: Vec<SpoolItem>,
        envelopes: Vec<Vec<u8>>,
    ) -> Result<Batch, CliError> {
        let number = self.next;
        self.next += 1;
        profile::write_json(&self.spool_path(number, "json"), &items)?;
        let bytes = envelope::join(envelopes.iter().map(Vec::as_slice));
        profile::write_private(&self.spool_path(number, "hn"), &bytes)?;
        Ok(Batch {
            number,
            items,
            envelopes,
        })
    }

    /// Batches that an earlier run signed and did not finish.
    ///
    /// # Errors
    /// When one is damaged.
    pub fn unfinished(&self) -> Result<Vec<Batch>, CliError> {
        let mut out = Vec::new();
        for number in spooled(&self.dir.join("spool"))? {
            let items: Vec<SpoolItem> = profile::read_json(&self.spool_path(number, "json"))?;
            let path = self.spool_path(number, "hn");
            let bytes = profile::read_private(&path)?;
            let damaged = |reason: String| ProfileError::Damaged {
                path: path.clone(),
                reason,
            };
            let envelopes: Vec<Vec<u8>> = envelope::split(&bytes, items.len())
                .map_err(|error| damaged(error.to_string()))?
                .into_iter()
                .map(<[u8]>::to_vec)
                .collect();
            if envelopes.len() != items.len() {
                return Err(damaged("it has fewer envelopes than rows".to_owned()).into());
            }
            out.push(Batch {
                number,
                items,
                envelopes,
            });
        }
        Ok(out)
    }

    /// The rows of those batches, without their envelopes.
    ///
    /// # Errors
    /// When one is damaged.
    pub fn interrupted(&self) -> Result<HashSet<Digest>, CliError> {
        let mut keys = HashSet::new();
        for number in spooled(&self.dir.join("spool"))? {
            let items: Vec<SpoolItem> = match profile::read_json(&self.spool_path(number, "json")) {
                Ok(items) => items,
                // It was finished since it was listed, and what arrived of it is in the journal.
                Err(_) if !self.spool_path(number, "hn").exists() => continue,
                Err(error) => return Err(error.into()),
            };
            keys.extend(items.into_iter().map(|item| item.entry.row.key));
        }
        Ok(keys)
    }

    /// Files rows that arrived, with their receipts; synced once.
    ///
    /// # Errors
    /// When it cannot be written; the batch stays in the spool and may be sent again.
    pub fn arrived(&mut self, rows: &[(Entry, String)]) -> Result<(), CliError> {
        let (mut lines, mut receipts) = (Vec::new(), Vec::new());
        for (entry, receipt) in rows {
            push_line(&mut lines, entry);
            push_line(
                &mut receipts,
                &ReceiptLine {
                    hash: entry.hash,
                    receipt,
                },
            );
        }
        write_all(&mut self.receipts, &receipts, &self.dir)?;
        write_all(&mut self.entries, &lines, &self.dir)?;
        for (entry, _) in rows {
            self.known.insert(entry.row.key, entry.clone());
        }
        Ok(())
    }

    /// Forgets a batch of which every row is filed or refused.
    ///
    /// # Errors
    /// When it cannot be removed; it will be sent again, which does no harm.
    pub fn finished(&self, number: u64) -> Result<(), CliError> {
        for ending in ["hn", "json"] {
            let path = self.spool_path(number, ending);
            fs::remove_file(&path).map_err(profile::io_error(&path, "removed"))?;
        }
        Ok(())
    }

    fn spool_path(&self, number: u64, ending: &str) -> PathBuf {
        self.dir
            .join("spool")
            .join(format!("{number:010}.{ending}"))
    }
}

/// The salt; a new one only where it leaves no row unknown, for every row would be notified a second time.
fn salt(path: &Path, first: bool) -> Result<[u8; 32], CliError> {
    if path.exists() {
        let bytes = profile::read_private(path)?;
        let damaged = |_| ProfileError::Damaged {
            path: path.to_owned(),
            reason: "it has not 32 bytes".to_owned(),
        };
        return Ok(bytes.as_slice().try_into().map_err(damaged)?);
    }
    if !first {
        let reason = "it is missing, and without it no row that was notified is known again";
        return Err(ProfileError::Damaged {
            path: path.to_owned(),
            reason: reason.to_owned(),
        }
        .into());
    }
    let salt: [u8; 32] = random_bytes();
    profile::write_private(path, &salt)?;
    Ok(salt)
}

fn append(path: &Path) -> Result<File, CliError> {
    let file = OpenOptions::new()
        .append(true)
        .create(true)
        .mode(0o600)
        .open(path);
    Ok(file.map_err(profile::io_error(path, "opened"))?)
}

/// Files a row that arrived from the outbox, where its receipt is kept.
///
/// # Errors
/// When it cannot be written; the item stays in the outbox, and counts from there.
pub fn file(profile: &Profile, entry: &Entry) -> Result<(), CliError> {
    let dir = profile.path(FOLDER);
    let mut line = Vec::new();
    push_line(&mut line, entry);
    write_all(&mut append(&dir.join(ENTRIES))?, &line, &dir)
}

fn push_line(out: &mut Vec<u8>, value: &impl Serialize) {
    // Digests, numbers and texts always have a JSON form.
    if let Ok(line) = serde_json::to_vec(value) {
        out.extend_from_slice(&line);
        out.push(b'\n');
    }
}

fn write_all(file: &mut File, bytes: &[u8], dir: &Path) -> Result<(), CliError> {
    // Another process may file its rows here at the same time.
    let written = file.lock().and_then(|()| {
        let written = file.write_all(bytes).and_then(|()| file.sync_data());
        file.unlock().and(written)
    });
    Ok(written.map_err(profile::io_error(dir, "written"))?)
}

/// Reads what is there after so many bytes, and says up to which it has read. A last line that a crash cut off is left
/// out: its batch is still in the spool.
fn read_entries(path: &Path, from: u64) -> Result<(HashMap<Digest, Entry>, u64), CliError> {
    let mut known = HashMap::new();
    if !path.exists() {
        return Ok((known, from));
    }
    let file = OpenOptions::new()
        .read(true)
        .write(true)
        .open(path)
        .map_err(profile::io_error(path, "opened"))?;
    // Held until it is mended: what another process is just writing is no line that a crash cut off.
    file.lock().map_err(profile::io_error(path, "locked"))?;
    if !file.metadata().is_ok_and(|meta| meta.is_file()) {
        return Err(ProfileError::Damaged {
            path: path.to_owned(),
            reason: "it is not a regular file".to_owned(),
        }
        .into());
    }
    profile::check_mode(&file, path)?;
    let whole = file
        .metadata()
        .map_err(profile::io_error(path, "read"))?
        .len();
    let mut reader = BufReader::new(&file);
    reader
        .seek(SeekFrom::Start(from))
        .map_err(profile::io_error(path, "read"))?;
    let (mut line, mut kept) = (Vec::new(), from);
    loop {
        line.clear();
        let read = reader
            .by_ref()
            .take(MAX_LINE as u64 + 1)
            .read_until(b'\n', &mut line)
            .map_err(profile::io_error(path, "read"))?;
        if read == 0 {
            break;
        }
        match serde_json::from_slice::<Entry>(&line) {
            Ok(entry) if line.ends_with(b"\n") && line.len() <= MAX_LINE => {
                known.insert(entry.row.key, entry);
                kept += read as u64;
            }
            _ if kept + read as u64 == whole => break,
            _ => {
                let reason = format!("the line after byte {kept} is not one of ours");
                return Err(ProfileError::Damaged {
                    path: path.to_owned(),
                    reason,
                }
                .into());
            }
        }
    }
    if kept < whole {
        file.set_len(kept)
            .and_then(|()| file.sync_all())
            .map_err(profile::io_error(path, "mended"))?;
    }
    Ok((known, kept))
}

/// Numbers of the batches in the spool, in order. A batch is there when its envelopes are.
fn spooled(dir: &Path) -> Result<Vec<u64>, CliError> {
    let mut numbers = Vec::new();
    for entry in fs::read_dir(dir).map_err(profile::io_error(dir, "listed"))? {
        let name = entry.map_err(profile::io_error(dir, "listed"))?.file_name();
        let number: Option<u64> = name
            .to_str()
            .and_then(|name| name.strip_suffix(".hn"))
            .and_then(|name| name.parse().ok());
        numbers.extend(number);
    }
    numbers.sort_unstable();
    Ok(numbers)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::rows::Row;
    use crate::domain::ids::{Nid, Revision};

    fn entry(key: &[u8], rev: u32) -> Entry {
        Entry {
            row: Row {
                key: Digest::of(key),
                content: Digest::of(b"content"),
                files: None,
            },
            nid: Nid::random(),
            rev: Revision::new(rev).expect("a revision"),
            hash: Digest::of(&rev.to_be_bytes()),
            parties: vec!["east".parse().expect("a party")],
        }
    }

    #[test]
    fn the_last_line_of_a_key_counts_and_a_line_that_a_crash_cut_off_is_mended() {
        let dir = tempfile::tempdir().expect("a directory");
        let path = dir.path().join("journal.jsonl");
        let mut bytes = Vec::new();
        push_line(&mut bytes, &entry(b"a", 1));
        push_line(&mut bytes, &entry(b"a", 2));
        let good = bytes.len() as u64;
        bytes.extend_from_slice(b"{\"key\":\"cut o");
        fs::write(&path, &bytes).expect("written");
        let (known, read) = read_entries(&path, 0).expect("read");
        assert_eq!(read, good);
        assert_eq!(
            known.get(&Digest::of(b"a")).map(|entry| entry.rev.get()),
            Some(2)
        );
        assert_eq!(fs::metadata(&path).expect("metadata").len(), good);
    }

    #[test]
    fn what_another_process_files_is_found_without_reading_all_again() {
        let world = crate::cli::testing::World::new();
        let profile = world.profile();
        let mut journal = Journal::open(&profile).expect("a journal");
        file(&profile, &entry(b"a", 1)).expect("filed");
        assert_eq!(journal.catch_up().expect("read").len(), 1);
        file(&profile, &entry(b"b", 1)).expect("filed");
        let new = journal.catch_up().expect("read");
        assert_eq!(
            new.iter().map(|entry| entry.row.key).collect::<Vec<_>>(),
            [Digest::of(b"b")]
        );
        assert!(journal.catch_up().expect("read").is_empty());
        assert_eq!(journal.snapshot().0.len(), 2);
    }

    #[test]
    fn a_damaged_line_in_the_middle_is_said_and_not_skipped() {
        let dir = tempfile::tempdir().expect("a directory");
        let path = dir.path().join("journal.jsonl");
        let mut bytes = b"nonsense\n".to_vec();
        push_line(&mut bytes, &entry(b"a", 1));
        fs::write(&path, &bytes).expect("written");
        assert!(
            read_entries(&path, 0)
                .expect_err("damaged")
                .to_string()
                .contains("damaged")
        );
    }

    #[test]
    fn without_its_salt_the_journal_is_damaged_and_no_row_becomes_new() {
        let world = crate::cli::testing::World::new();
        let profile = world.profile();
        let path = profile.path(FOLDER).join(SALT);
        let mut journal = Journal::open(&profile).expect("a journal");
        fs::remove_file(&path).expect("lost");
        assert!(Journal::open(&profile).is_ok(), "no row is known by it yet");
        let row = (entry(b"a", 1), "receipt".to_owned());
        journal.arrived(&[row]).expect("filed");
        fs::remove_file(&path).expect("lost");
        let why = Journal::open(&profile).err().expect("damaged").to_string();
        assert!(why.contains("salt is damaged"), "{why}");
        assert!(!path.exists(), "none is made in its place");
    }

    #[test]
    fn what_was_signed_is_found_again_with_its_exact_bytes_until_it_is_filed() {
        let world = crate::cli::testing::World::new();
        let profile = world.profile();
        let items = vec![
            SpoolItem {
                line: 2,
                entry: entry(b"a", 1),
            },
            SpoolItem {
                line: 3,
                entry: entry(b"b", 1),
            },
        ];
        let envelopes = vec![vec![1; 100], vec![2; 200]];
        let mut journal = Journal::open(&profile).expect("a journal");
        journal.spool(items, envelopes.clone()).expect("kept");
        drop(journal);
        let mut journal = Journal::open(&profile).expect("a journal");
        let batch = journal.unfinished().expect("read").remove(0);
        assert_eq!(batch.envelopes, envelopes);
        let rows: Vec<_> = batch
            .items
            .iter()
            .map(|item| (item.entry.clone(), "receipt".to_owned()))
            .collect();
        journal.arrived(&rows).expect("filed");
        journal.finished(batch.number).expect("forgotten");
        let journal = Journal::open(&profile).expect("a journal");
        assert!(journal.unfinished().expect("read").is_empty());
        assert_eq!(journal.snapshot().0.len(), 2);
    }
}
