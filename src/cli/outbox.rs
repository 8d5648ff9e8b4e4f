//! The outbox of a profile: what was signed here and whether the server has it. The exact bytes of every envelope are on
//! disk, synced, before they are sent for the first time, so that a lost line, a full battery or `kill -9` costs a
//! repetition and never a statement: the same bytes again get the same receipt.
//!
//! ```text
//! outbox/pending/ID.hn    the envelope, byte for byte      ID is 20 digits and the kind; it sorts in the order signed
//! outbox/pending/ID.json  what is known of it: Meta
//! outbox/sent/ID.hn, .json      with the server's answer (Submitted) in the JSON
//! outbox/refused/ID.hn, .json   with its refusal (ProblemBody)
//! outbox/blobs/DIGEST          the content of an attachment, enciphered, until the statement that names it has arrived
//! ```
//! An item exists where its `.hn` file stands; the `.json` is written first. All files are 0600.

use std::collections::HashSet;
use std::fmt;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use time::OffsetDateTime;

use super::files::{self, Pipes};
use super::rows::Row;
use crate::crypto::blob::MAX_BLOB_BYTES;
use crate::crypto::digest::Digest;
use crate::domain::clock;
use crate::domain::ids::{ActorId, Nid, Revision};
use crate::domain::kind::Kind;
use crate::wire::api::Submitted;
use crate::wire::envelope::{Envelope, MAX_ENVELOPE};
use crate::wire::problem::ProblemBody;

/// The longest record of an item, in bytes: its description and the server's answer.
const RECORD_MOST: u64 = 1 << 20;

/// What is wrong with the outbox. Paths are the profile's own.
#[derive(Debug, thiserror::Error)]
pub enum OutboxError {
    /// The file system refused.
    #[error(
        "the outbox cannot {what} {path}: {source}; nothing was sent. Free space or mend permissions, then repeat"
    )]
    Io {
        /// What was tried.
        what: &'static str,
        /// Where.
        path: String,
        /// What the system said.
        source: io::Error,
    },
    /// An item's description does not read.
    #[error(
        "{path} in the outbox is damaged ({reason}); its .hn file is intact and can be sent by hand"
    )]
    Damaged {
        /// Which file.
        path: String,
        /// Why.
        reason: String,
    },
    /// No such item.
    #[error("the outbox holds no pending item {0}; see herald send --list")]
    Unknown(OutboxId),
}

/// An item's name in the outbox; sorts in the order of signing.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct OutboxId(String);

impl fmt::Display for OutboxId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// What is known of an item without opening it. Holds no place and no name.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Meta {
    /// The statement's kind.
    pub kind: Kind,
    /// Hash of the statement.
    pub hash: Digest,
    /// The notification that it is about.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub nid: Option<Nid>,
    /// Its revision.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rev: Option<Revision>,
    /// When it was signed.
    #[serde(with = "time::serde::rfc3339")]
    pub at: OffsetDateTime,
    /// The contents of its attachments, which are sent before it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub blobs: Vec<Digest>,
    /// The parties that this and earlier revisions name; the next revision must name them too.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub parties: Vec<ActorId>,
    /// The row that it was composed from, so that the same row again is known while this waits.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub row: Option<Row>,
}

impl Meta {
    /// Of a statement that is about no notification.
    pub fn of(kind: Kind, statement: &str, at: OffsetDateTime) -> Self {
        Self {
            kind,
            hash: crate::crypto::statement::hash(statement),
            nid: None,
            rev: None,
            at,
            blobs: Vec::new(),
            parties: Vec::new(),
            row: None,
        }
    }

    /// With the notification and revision that it is about.
    #[must_use]
    pub fn about(mut self, nid: Nid, rev: Revision) -> Self {
        self.nid = Some(nid);
        self.rev = Some(rev);
        self
    }

    /// With the contents of its attachments.
    #[must_use]
    pub fn with_blobs(mut self, blobs: Vec<Digest>) -> Self {
        self.blobs = blobs;
        self
    }

    /// With the parties it names.
    #[must_use]
    pub fn naming(mut self, parties: Vec<ActorId>) -> Self {
        self.parties = parties;
        self
    }

    /// With the row that it was composed from.
    #[must_use]
    pub const fn from_row(mut self, row: Row) -> Self {
        self.row = Some(row);
        self
    }
}

/// An item's description on disk.
#[derive(Debug, Clone, Serialize, Deserialize)]
struct Record {
    #[serde(flatten)]
    meta: Meta,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    submitted: Option<Submitted>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    problem: Option<ProblemBody>,
}

/// An item that was sent, and the server's answer.
#[derive(Debug, Clone)]
pub struct Sent {
    /// Its name.
    pub id: OutboxId,
    /// What is known of it.
    pub meta: Meta,
    /// The server's answer, with the receipt.
    pub submitted: Submitted,
}

/// An item that the server refused.
#[derive(Debug, Clone)]
pub struct Refused {
    /// Its name.
    pub id: OutboxId,
    /// What is known of it.
    pub meta: Meta,
    /// Why.
    pub problem: ProblemBody,
}

#[derive(Clone, Copy)]
enum State {
    Pending,
    Sent,
    Refused,
}

impl State {
    const ALL: [Self; 3] = [Self::Pending, Self::Sent, Self::Refused];

    const fn folder(self) -> &'static str {
        match self {
            Self::Pending => "pending",
            Self::Sent => "sent",
            Self::Refused => "refused",
        }
    }
}

/// The folder of contents.
const BLOBS: &str = "blobs";

/// The outbox of one profile. Several processes may use it at once.
#[derive(Debug, Clone)]
pub struct Outbox {
    dir: PathBuf,
}

impl Outbox {
    /// Opens, or makes, the outbox below a profile's directory.
    ///
    /// # Errors
    /// When the folders cannot be made.
    pub fn open(profile: &Path) -> Result<Self, OutboxError> {
        let dir = profile.join("outbox");
        let folders = State::ALL.map(State::folder).into_iter().chain([BLOBS]);
        for folder in folders {
            let folder = dir.join(folder);
            fs::DirBuilder::new()
                .recursive(true)
                .mode(0o700)
                .create(&folder)
                .map_err(io_error("make", &folder))?;
        }
        Ok(Self { dir })
    }

    /// Keeps an envelope, synced to disk, before anyone sends it.
    ///
    /// # Errors
    /// When it cannot be written; then it must not be sent.
    pub fn put(&self, envelope: &Envelope, meta: &Meta) -> Result<OutboxId, OutboxError> {
        let _lock = self.lock()?;
        let id = self.next_id(meta)?;
        self.write_record(State::Pending, &id, &record(meta))?;
        let path = self.path(State::Pending, &id, "hn");
        write_synced(&path, &envelope.encode())?;
        sync_dir(&self.dir.join(State::Pending.folder()))?;
        Ok(id)
    }

    /// Keeps the content of an attachment, enciphered and synced to disk, before the statement that names it is kept.
    ///
    /// # Errors
    /// When it cannot be written; then the statement must not be kept either.
    pub fn put_blob(&self, digest: &Digest, blob: &[u8]) -> Result<(), OutboxError> {
        let _lock = self.lock()?;
        write_synced(&self.blob_path(digest), blob)?;
        sync_dir(&self.dir.join(BLOBS))
    }

    /// The content of an attachment that waits.
    ///
    /// # Errors
    /// When it is not there, or is no content's size.
    pub fn blob(&self, digest: &Digest) -> Result<Vec<u8>, OutboxError> {
        let path = self.blob_path(digest);
        let size = fs::metadata(&path).map_err(io_error("read", &path))?.len();
        if size > MAX_BLOB_BYTES as u64 {
            return Err(OutboxError::Damaged {
                path: path.display().to_string(),
                reason: format!("it has {size} bytes, more than an attachment can have"),
            });
        }
        fs::read(&path).map_err(io_error("read", &path))
    }

    /// Forgets contents that no item waits with.
    fn forget_blobs(&self, blobs: &[Digest]) -> Result<(), OutboxError> {
        if blobs.is_empty() {
            return Ok(());
        }
        let mut waiting = std::collections::BTreeSet::new();
        for id in self.ids(State::Pending)? {
            waiting.extend(self.read_record(State::Pending, &id)?.meta.blobs);
        }
        for blob in blobs.iter().filter(|blob| !waiting.contains(blob)) {
            let path = self.blob_path(blob);
            match fs::remove_file(&path) {
                Err(error) if error.kind() != io::ErrorKind::NotFound => {
                    return Err(io_error("remove", &path)(error));
                }
                Ok(()) | Err(_) => {}
            }
        }
        Ok(())
    }

    fn blob_path(&self, digest: &Digest) -> PathBuf {
        self.dir.join(BLOBS).join(digest.to_string())
    }

    /// Everything that is not known to have arrived, in the order of signing.
    ///
    /// # Errors
    /// When the folder or a description cannot be read.
    pub fn pending(&self) -> Result<Vec<(OutboxId, Meta)>, OutboxError> {
        let mut out = Vec::new();
        for id in self.ids(State::Pending)? {
            if let Some(meta) = self.meta(State::Pending, &id)? {
                out.push((id, meta));
            }
        }
        Ok(out)
    }

    /// What is known of an item; none when it was filed elsewhere since it was listed.
    fn meta(&self, state: State, id: &OutboxId) -> Result<Option<Meta>, OutboxError> {
        match self.read_record(state, id) {
            Ok(record) => Ok(Some(record.meta)),
            Err(_) if !self.path(state, id, "hn").exists() => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// The exact bytes of a pending item.
    ///
    /// # Errors
    /// When it is not there, or is no envelope's size.
    pub fn bytes(&self, id: &OutboxId) -> Result<Vec<u8>, OutboxError> {
        let path = self.path(State::Pending, id, "hn");
        files::read(&path, MAX_ENVELOPE as u64, Pipes::Refused)
            .map_err(|source| missing(id, &path, source))
    }

    /// Files an item under `sent`, with the server's answer. Doing it twice does no harm.
    ///
    /// # Errors
    /// When it cannot be written; the item stays pending and may be sent again.
    pub fn mark_sent(&self, id: &OutboxId, submitted: &Submitted) -> Result<(), OutboxError> {
        self.file(id, State::Sent, |record| {
            record.submitted = Some(submitted.clone());
        })
    }

    /// Files an item under `refused`, with the reason. It is not sent again.
    ///
    /// # Errors
    /// When it cannot be written; the item stays pending.
    pub fn mark_refused(&self, id: &OutboxId, problem: &ProblemBody) -> Result<(), OutboxError> {
        self.file(id, State::Refused, |record| {
            record.problem = Some(problem.clone());
        })
    }

    /// The newest items that were sent, at most `most`, newest first.
    ///
    /// # Errors
    /// When the folder or a description cannot be read.
    pub fn sent(&self, most: usize) -> Result<Vec<Sent>, OutboxError> {
        let mut out = Vec::new();
        for id in self.ids(State::Sent)?.into_iter().rev().take(most) {
            let record = self.read_record(State::Sent, &id)?;
            if let Some(submitted) = record.submitted {
                out.push(Sent {
                    id,
                    meta: record.meta,
                    submitted,
                });
            }
        }
        Ok(out)
    }

    /// The newest items that were refused, at most `most`, newest first.
    ///
    /// # Errors
    /// When the folder or a description cannot be read.
    pub fn refused(&self, most: usize) -> Result<Vec<Refused>, OutboxError> {
        let mut out = Vec::new();
        for id in self.ids(State::Refused)?.into_iter().rev().take(most) {
            let record = self.read_record(State::Refused, &id)?;
            if let Some(problem) = record.problem {
                out.push(Refused {
                    id,
                    meta: record.meta,
                    problem,
                });
            }
        }
        Ok(out)
    }

    /// The newest revision of a notification that was signed here and not refused.
    ///
    /// # Errors
    /// When a folder or a description cannot be read.
    pub fn latest(&self, of: impl Fn(&Meta) -> bool) -> Result<Option<Meta>, OutboxError> {
        self.newest(|meta| meta.kind.is_revision() && of(meta))
    }

    /// A call for help that was signed here and not refused.
    ///
    /// # Errors
    /// When a folder or a description cannot be read.
    pub fn call(&self, of: impl Fn(&Meta) -> bool) -> Result<Option<Meta>, OutboxError> {
        self.newest(|meta| meta.kind == Kind::Distress && of(meta))
    }

    fn newest(&self, of: impl Fn(&Meta) -> bool) -> Result<Option<Meta>, OutboxError> {
        let mut latest: Option<Meta> = None;
        // In the order in which an item moves, so that none is missed.
        for state in [State::Pending, State::Sent] {
            for id in self.ids(state)? {
                let Some(meta) = self.meta(state, &id)?.filter(|meta| of(meta)) else {
                    continue;
                };
                if latest.as_ref().is_none_or(|known| known.rev <= meta.rev) {
                    latest = Some(meta);
                }
            }
        }
        Ok(latest)
    }

    /// The notifications that were withdrawn or closed from here, and not refused.
    ///
    /// # Errors
    /// When a folder or a description cannot be read.
    pub fn ended(&self) -> Result<HashSet<Nid>, OutboxError> {
        let mut ended = HashSet::new();
        // In the order in which an item moves, so that none is missed.
        for state in [State::Pending, State::Sent] {
            for id in self.ids(state)? {
                let of = |kind: Kind| id.0.ends_with(&format!("-{kind}"));
                if of(Kind::Withdraw) || of(Kind::Close) {
                    ended.extend(self.meta(state, &id)?.and_then(|meta| meta.nid));
                }
            }
        }
        Ok(ended)
    }

    fn file(
        &self,
        id: &OutboxId,
        state: State,
        change: impl FnOnce(&mut Record),
    ) -> Result<(), OutboxError> {
        let _lock = self.lock()?;
        let from = self.path(State::Pending, id, "hn");
        let to = self.path(state, id, "hn");
        if to.exists() && !from.exists() {
            return Ok(());
        }
        if !from.exists() {
            return Err(OutboxError::Unknown(id.clone()));
        }
        let mut record = self.read_record(State::Pending, id)?;
        change(&mut record);
        self.write_record(state, id, &record)?;
        fs::rename(&from, &to).map_err(io_error("move", &from))?;
        sync_dir(&self.dir.join(state.folder()))?;
        let left = self.path(State::Pending, id, "json");
        fs::remove_file(&left).map_err(io_error("remove", &left))?;
        sync_dir(&self.dir.join(State::Pending.folder()))?;
        self.forget_blobs(&record.meta.blobs)
    }

    /// Greater than every pending name, whatever the clock does.
    fn next_id(&self, meta: &Meta) -> Result<OutboxId, OutboxError> {
        let mut number = u64::try_from(clock::micros(meta.at)).unwrap_or(0);
        for state in State::ALL {
            let last = self.ids(state)?.into_iter().next_back();
            let last = last.and_then(|id| id.0.get(..20).and_then(|digits| digits.parse().ok()));
            number = number.max(last.map_or(0, |last: u64| last.saturating_add(1)));
        }
        Ok(OutboxId(format!("{number:020}-{}", meta.kind)))
    }

    fn ids(&self, state: State) -> Result<Vec<OutboxId>, OutboxError> {
        let folder = self.dir.join(state.folder());
        let mut ids = Vec::new();
        for entry in fs::read_dir(&folder).map_err(io_error("list", &folder))? {
            let name = entry.map_err(io_error("list", &folder))?.file_name();
            if let Some(id) = name.to_str().and_then(|name| name.strip_suffix(".hn")) {
                ids.push(OutboxId(id.to_owned()));
            }
        }
        ids.sort();
        Ok(ids)
    }

    fn lock(&self) -> Result<File, OutboxError> {
        let path = self.dir.join(".lock");
        let file = private().create(true).truncate(false).open(&path);
        let file = file.map_err(io_error("open", &path))?;
        file.lock().map_err(io_error("lock", &path))?;
        Ok(file)
    }

    fn path(&self, state: State, id: &OutboxId, extension: &str) -> PathBuf {
        self.dir
            .join(state.folder())
            .join(format!("{id}.{extension}"))
    }

    fn read_record(&self, state: State, id: &OutboxId) -> Result<Record, OutboxError> {
        let path = self.path(state, id, "json");
        let bytes =
            files::read(&path, RECORD_MOST, Pipes::Refused).map_err(io_error("read", &path))?;
        serde_json::from_slice(&bytes).map_err(|error| OutboxError::Damaged {
            path: path.display().to_string(),
            reason: error.to_string(),
        })
    }

    fn write_record(
        &self,
        state: State,
        id: &OutboxId,
        record: &Record,
    ) -> Result<(), OutboxError> {
        let path = self.path(state, id, "json");
        let bytes = serde_json::to_vec_pretty(record).map_err(|error| OutboxError::Damaged {
            path: path.display().to_string(),
            reason: error.to_string(),
        })?;
        write_synced(&path, &bytes)
    }
}

fn record(meta: &Meta) -> Record {
    Record {
        meta: meta.clone(),
        submitted: None,
        problem: None,
    }
}

fn private() -> OpenOptions {
    let mut options = OpenOptions::new();
    options
        .write(true)
        .mode(0o600)
        .custom_flags(nix::libc::O_NONBLOCK | nix::libc::O_NOFOLLOW);
    options
}

/// Writes beside the target, syncs, and only then gives it its name.
fn write_synced(path: &Path, bytes: &[u8]) -> Result<(), OutboxError> {
    let aside = path.with_extension("tmp");
    let mut file = private()
        .create(true)
        .truncate(true)
        .open(&aside)
        .map_err(io_error("write", &aside))?;
    file.write_all(bytes).map_err(io_error("write", &aside))?;
    file.sync_all().map_err(io_error("sync", &aside))?;
    fs::rename(&aside, path).map_err(io_error("name", path))
}

fn sync_dir(dir: &Path) -> Result<(), OutboxError> {
    File::open(dir)
        .and_then(|dir| dir.sync_all())
        .map_err(io_error("sync", dir))
}

fn io_error(what: &'static str, path: &Path) -> impl FnOnce(io::Error) -> OutboxError {
    let path = path.display().to_string();
    move |source| OutboxError::Io { what, path, source }
}

fn missing(id: &OutboxId, path: &Path, source: io::Error) -> OutboxError {
    if source.kind() == io::ErrorKind::NotFound {
        return OutboxError::Unknown(id.clone());
    }
    OutboxError::Io {
        what: "read",
        path: path.display().to_string(),
        source,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::ids::LogPosition;
    use crate::wire::api::SubmittedResult;
    use crate::wire::problem::{Problem, ProblemKind};

    fn outbox() -> (tempfile::TempDir, Outbox) {
        let dir = tempfile::tempdir().expect("a directory");
        let outbox = Outbox::open(dir.path()).expect("an outbox");
        (dir, outbox)
    }

    fn item(text: &str, at: i64) -> (Envelope, Meta) {
        let at = clock::from_micros(at);
        (
            Envelope::bare(text.to_owned()),
            Meta::of(Kind::Site, text, at),
        )
    }

    fn receipt(meta: &Meta) -> Submitted {
        Submitted {
            result: SubmittedResult::Accepted,
            hash: meta.hash,
            pos: LogPosition(1),
            receipt: "r".into(),
            remarks: Vec::new(),
        }
    }

    #[test]
    fn what_was_put_is_sent_with_the_exact_bytes_after_a_restart() {
        let (dir, outbox) = outbox();
        let (envelope, meta) = item("a.b.c", 5_000_000);
        let id = outbox.put(&envelope, &meta).expect("kept");
        let again = Outbox::open(dir.path()).expect("an outbox");
        assert_eq!(
            again.pending().expect("listed"),
            vec![(id.clone(), meta.clone())]
        );
        assert_eq!(again.bytes(&id).expect("read"), envelope.encode());
        again.mark_sent(&id, &receipt(&meta)).expect("filed");
        again
            .mark_sent(&id, &receipt(&meta))
            .expect("filing twice does no harm");
        assert!(again.pending().expect("listed").is_empty());
        assert_eq!(
            again.sent(10).expect("listed").first().map(|s| s.meta.hash),
            Some(meta.hash)
        );
    }

    #[test]
    fn items_go_out_in_the_order_signed_even_when_the_clock_runs_back() {
        let (_dir, outbox) = outbox();
        for (text, at) in [
            ("a.b.c", 9_000_000),
            ("d.e.f", 1_000_000),
            ("g.h.i", 9_000_000),
        ] {
            let (envelope, meta) = item(text, at);
            outbox.put(&envelope, &meta).expect("kept");
        }
        let hashes: Vec<_> = outbox
            .pending()
            .expect("listed")
            .into_iter()
            .map(|(_, m)| m.hash)
            .collect();
        let expected: Vec<_> = ["a.b.c", "d.e.f", "g.h.i"]
            .iter()
            .map(|text| crate::crypto::statement::hash(text))
            .collect();
        assert_eq!(hashes, expected);
    }

    #[test]
    fn a_refused_item_leaves_the_queue_with_its_reason_and_a_half_written_one_never_enters_it() {
        let (dir, outbox) = outbox();
        let (envelope, meta) = item("a.b.c", 1);
        let id = outbox.put(&envelope, &meta).expect("kept");
        let problem: ProblemBody = serde_json::from_value(
            serde_json::to_value(Problem::new(ProblemKind::NotAdmitted)).expect("JSON"),
        )
        .expect("a problem");
        outbox.mark_refused(&id, &problem).expect("filed");
        fs::write(
            dir.path()
                .join("outbox/pending/00000000000000000009-site.tmp"),
            b"half",
        )
        .expect("written");
        fs::write(
            dir.path()
                .join("outbox/pending/00000000000000000009-site.json"),
            b"half",
        )
        .expect("written");
        assert!(outbox.pending().expect("listed").is_empty());
        assert_eq!(
            outbox
                .refused(10)
                .expect("listed")
                .first()
                .map(|r| r.problem.status),
            Some(403)
        );
        assert!(matches!(outbox.bytes(&id), Err(OutboxError::Unknown(_))));
    }

    #[test]
    fn the_latest_revision_counts_those_that_still_wait() {
        let (_dir, outbox) = outbox();
        let nid = Nid::random();
        for rev in 1..=2 {
            let (envelope, meta) = item(&format!("a.b.{rev}"), i64::from(rev));
            let meta = meta.about(nid, Revision::new(rev).expect("a revision"));
            let id = outbox.put(&envelope, &meta).expect("kept");
            if rev == 1 {
                outbox.mark_sent(&id, &receipt(&meta)).expect("filed");
            }
        }
        let latest = outbox.latest(|meta| meta.nid == Some(nid)).expect("found");
        assert_eq!(latest.and_then(|meta| meta.rev).map(Revision::get), Some(2));
    }

    #[test]
    fn the_content_of_an_attachment_waits_with_its_statement_and_goes_with_the_last_that_names_it()
    {
        let (_dir, outbox) = outbox();
        let digest = Digest::of(b"content");
        outbox.put_blob(&digest, b"content").expect("kept");
        let ids: Vec<_> = ["a.b.c", "d.e.f"]
            .map(|text| {
                let (envelope, meta) = item(text, 1);
                let meta = meta.with_blobs(vec![digest]);
                (outbox.put(&envelope, &meta).expect("kept"), meta)
            })
            .into();
        for (id, meta) in &ids {
            assert_eq!(outbox.blob(&digest).expect("waits"), b"content");
            outbox.mark_sent(id, &receipt(meta)).expect("filed");
        }
        assert!(outbox.blob(&digest).is_err());
    }

    #[cfg(unix)]
    #[test]
    fn nobody_else_can_read_the_outbox() {
        use std::os::unix::fs::PermissionsExt as _;
        let (dir, outbox) = outbox();
        let (envelope, meta) = item("a.b.c", 1);
        outbox.put(&envelope, &meta).expect("kept");
        for entry in fs::read_dir(dir.path().join("outbox/pending")).expect("listed") {
            let mode = entry
                .expect("an entry")
                .metadata()
                .expect("metadata")
                .permissions()
                .mode();
            assert_eq!(mode & 0o077, 0);
        }
    }
}
