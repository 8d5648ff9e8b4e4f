//! The inbox of a profile: every event of the desk's mailbox exactly as it came, after it was checked. What is sealed
//! stays sealed on disk and is opened when it is shown, so a stolen disk shows no place.
//!
//! ```text
//! inbox/events       (u32 big-endian length, event)*, appended and synced
//! inbox/index.jsonl  one line an event: what is found without opening it
//! ```
//! The index follows the events. What a power cut leaves behind the last indexed event is cut off: the server was not told
//! of it and delivers it again. Only whoever holds the lock of the inbox appends and cuts off; to everyone else, what stands
//! behind the last indexed event may be what the listener is just writing, and is left alone.

use std::collections::HashMap;
use std::fs::{File, OpenOptions};
use std::io::{BufRead as _, BufReader, Read as _, Seek as _, SeekFrom, Write as _};
use std::os::unix::fs::{FileExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::profile::{ProfileError, ProfileLock, io_error};
use crate::crypto::digest::Digest;
use crate::crypto::secret_file;
use crate::domain::ids::{ActorId, Issuer, LogPosition, Nid, Reference, Revision, Seq};
use crate::domain::kind::Kind;
use crate::wire::claims::Claims;
use crate::wire::envelope::{Event, MAX_ENVELOPE, MAX_STATEMENT};

/// The longest event, in bytes.
const EVENT_MOST: usize = MAX_ENVELOPE + MAX_STATEMENT;

/// The longest line of the index, in bytes.
const LINE_MOST: u64 = 64 << 10;

/// What is known of an event without opening it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Entry {
    /// Its place in the mailbox.
    pub seq: Seq,
    /// The statement's position.
    pub pos: LogPosition,
    /// When it was stored, microseconds since the Unix epoch.
    pub at_us: u64,
    /// The statement's kind.
    pub kind: Kind,
    /// Who signed.
    pub iss: Issuer,
    /// On whose behalf, if the coordinator signed for an organisation.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub on_behalf: Option<ActorId>,
    /// Hash of the statement.
    pub of: Digest,
    /// The notification that it is about.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub nid: Option<Nid>,
    /// Its revision.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rev: Option<Revision>,
    /// Why it is kept but not believed; absent when every check held.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub doubt: Option<String>,
    /// Where it begins in the file of events.
    offset: u64,
    /// Its length there.
    length: u32,
}

impl Entry {
    fn of(event: &Event, claims: &Claims, doubt: Option<String>, offset: u64, length: u32) -> Self {
        let (nid, rev) = claims.revision().unzip();
        Self {
            seq: event.seq,
            pos: event.pos,
            at_us: event.at_us,
            kind: claims.kind(),
            iss: claims.common().iss,
            on_behalf: claims.on_behalf().map(|word| word.org.clone()),
            of: crate::crypto::statement::hash(&event.envelope.statement),
            nid,
            rev,
            doubt,
            offset,
            length,
        }
    }

    /// The actor that it speaks for.
    pub fn speaks_for(&self) -> &ActorId {
        self.on_behalf.as_ref().unwrap_or(&self.iss.actor)
    }

    /// Whether it is a revision of a notification that is believed: what an acknowledgement may name.
    pub const fn is_revision(&self) -> bool {
        self.doubt.is_none() && self.kind.is_revision()
    }
}

/// A profile's inbox.
pub struct Inbox {
    dir: PathBuf,
    events: File,
    index: File,
    end: u64,
    entries: Vec<Entry>,
    by_nid: HashMap<Nid, Vec<usize>>,
    by_reference: HashMap<Reference, Vec<Nid>>,
    /// Appended and not yet synced.
    dirty: Vec<Entry>,
}

impl Inbox {
    /// Opens, or makes, the inbox below a profile's directory, to read it beside whoever listens. What is not indexed yet is
    /// not seen and not touched.
    ///
    /// # Errors
    /// When a file cannot be read.
    pub fn open(profile: &Path) -> Result<Self, ProfileError> {
        let (inbox, _) = Self::read(profile)?;
        Ok(inbox)
    }

    /// As [`Self::open`], to append: mends what a power cut left, as only the holder of the lock may.
    ///
    /// # Errors
    /// When a file cannot be read or written.
    pub fn open_to_append(profile: &Path, _held: &ProfileLock) -> Result<Self, ProfileError> {
        let (mut inbox, good) = Self::read(profile)?;
        inbox.mend(good)?;
        Ok(inbox)
    }

    /// What the index holds, and how many of its bytes are good.
    fn read(profile: &Path) -> Result<(Self, u64), ProfileError> {
        let dir = profile.join("inbox");
        secret_file::create_dir(&dir)?;
        let events = open_private(&dir.join("events"))?;
        let index = open_private(&dir.join("index.jsonl"))?;
        let mut inbox = Self {
            dir,
            events,
            index,
            end: 0,
            entries: Vec::new(),
            by_nid: HashMap::new(),
            by_reference: HashMap::new(),
            dirty: Vec::new(),
        };
        let good = inbox.read_index()?;
        Ok((inbox, good))
    }

    /// The last event kept: listening goes on behind it.
    pub fn cursor(&self) -> Seq {
        self.entries.last().map_or(Seq(0), |entry| entry.seq)
    }

    /// What is kept, in order.
    pub fn entries(&self) -> &[Entry] {
        &self.entries
    }

    /// What is kept of one notification, in order.
    pub fn about(&self, nid: Nid) -> impl DoubleEndedIterator<Item = &Entry> {
        let indices = self.by_nid.get(&nid).map_or(&[][..], Vec::as_slice);
        indices.iter().filter_map(|i| self.entries.get(*i))
    }

    /// The notifications that a reference may mean: usually one.
    pub fn named(&self, reference: &Reference) -> &[Nid] {
        self.by_reference.get(reference).map_or(&[], Vec::as_slice)
    }

    /// The latest revision kept of a notification.
    pub fn latest(&self, nid: Nid) -> Option<&Entry> {
        self.about(nid)
            .filter(|entry| entry.is_revision())
            .max_by_key(|entry| entry.rev)
    }

    /// Reads an event.
    ///
    /// # Errors
    /// When the file does not read.
    pub fn event(&self, entry: &Entry) -> Result<Event, ProfileError> {
        let length = usize::try_from(entry.length).unwrap_or(EVENT_MOST);
        let mut bytes = vec![0; length.min(EVENT_MOST)];
        let path = self.dir.join("events");
        self.events
            .read_exact_at(&mut bytes, entry.offset)
            .map_err(io_error(&path, "read"))?;
        Event::decode(&bytes).map_err(|e| damaged(&path, e.to_string()))
    }

    /// Appends, where it was opened for that, an event that was checked, with what the check held against it. One that is kept already is left out. It is only safe after [`Self::sync`].
    ///
    /// # Errors
    /// When it cannot be written, or is not the one that follows.
    pub fn append(
        &mut self,
        event: &Event,
        claims: &Claims,
        doubt: Option<String>,
        bytes: &[u8],
    ) -> Result<(), ProfileError> {
        let path = self.dir.join("events");
        if event.seq <= self.cursor() {
            return Ok(());
        }
        if event.seq.0 != self.cursor().0 + 1 {
            return Err(damaged(
                &path,
                format!("event {} cannot follow event {}", event.seq, self.cursor()),
            ));
        }
        let length = u32::try_from(bytes.len()).map_err(|e| damaged(&path, e.to_string()))?;
        let mut record = Vec::with_capacity(bytes.len() + 4);
        record.extend_from_slice(&length.to_be_bytes());
        record.extend_from_slice(bytes);
        self.events
            .write_all_at(&record, self.end)
            .map_err(io_error(&path, "written"))?;
        let entry = Entry::of(event, claims, doubt, self.end + 4, length);
        self.end += u64::from(length) + 4;
        self.dirty.push(entry.clone());
        self.admit(entry);
        Ok(())
    }

    /// Puts everything appended on disk: the events first, then the index. Only then may the server be told.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn sync(&mut self) -> Result<(), ProfileError> {
        if self.dirty.is_empty() {
            return Ok(());
        }
        let (events, index) = (self.dir.join("events"), self.dir.join("index.jsonl"));
        self.events
            .sync_data()
            .map_err(io_error(&events, "synced"))?;
        let mut lines = Vec::new();
        for entry in self.dirty.drain(..) {
            serde_json::to_writer(&mut lines, &entry)
                .map_err(|e| damaged(&index, e.to_string()))?;
            lines.push(b'\n');
        }
        self.index
            .write_all(&lines)
            .and_then(|()| self.index.sync_data())
            .map_err(io_error(&index, "written"))
    }

    fn admit(&mut self, entry: Entry) {
        if let Some(nid) = entry.nid {
            let known = self.by_nid.entry(nid).or_default();
            if known.is_empty() {
                self.by_reference
                    .entry(nid.reference())
                    .or_default()
                    .push(nid);
            }
            known.push(self.entries.len());
        }
        self.entries.push(entry);
    }

    /// Reads the index as far as its lines are whole and follow each other; how many bytes that is.
    fn read_index(&mut self) -> Result<u64, ProfileError> {
        let path = self.dir.join("index.jsonl");
        let kept = self
            .events
            .metadata()
            .map_err(io_error(&path, "read"))?
            .len();
        let mut reader = BufReader::new(&self.index);
        let (mut good, mut line, mut entries) = (0_u64, Vec::new(), Vec::new());
        loop {
            line.clear();
            let read = reader
                .by_ref()
                .take(LINE_MOST)
                .read_until(b'\n', &mut line)
                .map_err(io_error(&path, "read"))?;
            let Ok(entry) = serde_json::from_slice::<Entry>(&line) else {
                break;
            };
            let end = entry.offset + u64::from(entry.length);
            let follows = entry.seq.0 == entries.len() as u64 + 1 && entry.offset == self.end + 4;
            if line.last() != Some(&b'\n') || !follows || end > kept {
                break;
            }
            good += read as u64;
            self.end = end;
            entries.push(entry);
        }
        drop(reader);
        for entry in entries {
            self.admit(entry);
        }
        Ok(good)
    }

    /// Cuts off what stands behind the good lines of the index, and behind the last event that they hold; the server
    /// delivers it again.
    fn mend(&mut self, good: u64) -> Result<(), ProfileError> {
        let path = self.dir.join("index.jsonl");
        self.index
            .set_len(good)
            .and_then(|()| self.index.seek(SeekFrom::Start(good)))
            .map_err(io_error(&path, "mended"))?;
        let path = self.dir.join("events");
        self.events
            .set_len(self.end)
            .map_err(io_error(&path, "mended"))
    }
}

fn open_private(path: &Path) -> Result<File, ProfileError> {
    OpenOptions::new()
        .read(true)
        .write(true)
        .create(true)
        .truncate(false)
        .mode(0o600)
        .custom_flags(nix::libc::O_NONBLOCK)
        .open(path)
        .and_then(|file| {
            if file.metadata()?.is_file() {
                Ok(file)
            } else {
                Err(std::io::Error::other("it is not a regular file"))
            }
        })
        .map_err(io_error(path, "opened"))
}

fn damaged(path: &Path, reason: String) -> ProfileError {
    ProfileError::Damaged {
        path: path.to_owned(),
        reason,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::crypto::keys::SigningKey;
    use crate::domain::actor::Mode;
    use crate::domain::ids::DeviceId;
    use crate::wire::build::build;
    use crate::wire::claims::{Common, CosignClaims, NotificationClaims};
    use crate::wire::read;

    fn event(seq: u64, nid: Nid, cosign: bool) -> (Event, Claims, Vec<u8>) {
        let common = Common {
            iss: Issuer::device(
                "msf".parse().expect("a slug"),
                DeviceId::from_random([1; 5]),
            ),
            aud: "herald:x".into(),
            ctx: "yem".parse().expect("a slug"),
            mode: Mode::Exercise,
            jti: uuid::Uuid::new_v4(),
            iat: 1,
        };
        let claims: Claims = if cosign {
            CosignClaims::new(common, nid, Revision::FIRST, Digest::of(b"x")).into()
        } else {
            NotificationClaims::new(common, nid, Revision::FIRST, None, false, None).into()
        };
        let built = build(claims, &[], &SigningKey::generate()).expect("made");
        let (_, claims) = read::read(&built.envelope.statement).expect("own");
        let event = Event {
            seq: Seq(seq),
            pos: LogPosition(seq * 10),
            at_us: seq,
            receipt: "r".into(),
            envelope: built.envelope,
        };
        let bytes = event.encode();
        (event, claims, bytes)
    }

    fn to_append(dir: &Path) -> Inbox {
        let lock = crate::cli::profile::lock(dir, "inbox").expect("nobody else listens");
        Inbox::open_to_append(dir, &lock).expect("opened")
    }

    fn fill(inbox: &mut Inbox, nid: Nid, from: u64, to: u64) {
        for seq in from..=to {
            let (event, claims, bytes) = event(seq, nid, seq % 2 == 0);
            inbox
                .append(&event, &claims, None, &bytes)
                .expect("appended");
        }
    }

    #[test]
    fn what_was_kept_is_there_after_a_restart_and_is_found_by_its_reference() {
        let dir = tempfile::tempdir().expect("a directory");
        let nid = Nid::random();
        let mut inbox = to_append(dir.path());
        fill(&mut inbox, nid, 1, 3);
        fill(&mut inbox, Nid::random(), 4, 4);
        inbox.sync().expect("synced");
        let inbox = Inbox::open(dir.path()).expect("opened");
        assert_eq!(inbox.cursor(), Seq(4));
        assert_eq!(inbox.named(&nid.reference()), [nid]);
        assert_eq!(inbox.about(nid).count(), 3);
        let latest = inbox.latest(nid).expect("a revision");
        assert_eq!(latest.seq, Seq(3), "a signature is no revision");
        let event = inbox.event(latest).expect("read");
        assert_eq!(event.seq, Seq(3));
    }

    #[test]
    fn nothing_accepted_is_lost_when_the_inbox_is_read_while_the_listener_writes_it() {
        let dir = tempfile::tempdir().expect("a directory");
        let nid = Nid::random();
        let mut listener = to_append(dir.path());
        fill(&mut listener, nid, 1, 2);
        listener.sync().expect("synced");
        fill(&mut listener, nid, 3, 3);
        // The index as a reader may find it: a line of it is only half written.
        let index = dir.path().join("inbox/index.jsonl");
        let whole = std::fs::read(&index).expect("read");
        std::fs::write(&index, [&whole[..], b"{\"seq\":3,"].concat()).expect("written");
        let reader = Inbox::open(dir.path()).expect("read beside it");
        assert_eq!(reader.cursor(), Seq(2), "what is not indexed is not seen");
        let half = std::fs::read(&index).expect("read");
        assert!(half.len() > whole.len(), "a reader cuts nothing off");
        std::fs::write(&index, &whole).expect("written");
        fill(&mut listener, nid, 4, 4);
        listener.sync().expect("synced");
        fill(&mut listener, nid, 5, 5);
        listener.sync().expect("synced");
        let reader = Inbox::open(dir.path()).expect("read");
        assert_eq!(reader.cursor(), Seq(5));
        for entry in reader.entries() {
            assert_eq!(reader.event(entry).expect("whole").seq, entry.seq);
        }
    }

    #[test]
    fn an_event_that_came_twice_is_kept_once_and_a_gap_is_refused() {
        let dir = tempfile::tempdir().expect("a directory");
        let mut inbox = to_append(dir.path());
        let (first, claims, bytes) = event(1, Nid::random(), false);
        for _ in 0..2 {
            inbox
                .append(&first, &claims, None, &bytes)
                .expect("appended");
        }
        assert_eq!(inbox.entries().len(), 1);
        let (third, claims, bytes) = event(3, Nid::random(), false);
        assert!(inbox.append(&third, &claims, None, &bytes).is_err());
    }

    #[test]
    fn a_power_cut_at_any_byte_loses_no_synced_event_and_leaves_a_working_inbox() {
        let nid = Nid::random();
        let dir = tempfile::tempdir().expect("a directory");
        let mut inbox = to_append(dir.path());
        fill(&mut inbox, nid, 1, 2);
        inbox.sync().expect("synced");
        let synced = inbox.end;
        fill(&mut inbox, nid, 3, 4);
        inbox.sync().expect("synced");
        let all = inbox.end;
        drop(inbox);
        let events = std::fs::read(dir.path().join("inbox/events")).expect("read");
        let index = std::fs::read(dir.path().join("inbox/index.jsonl")).expect("read");
        let lines: Vec<usize> = (0..index.len()).filter(|i| index[*i] == b'\n').collect();
        for cut in (synced..=all).step_by(7) {
            for index_cut in [lines[1] + 1, lines[1] + 20, lines[2] + 1, index.len()] {
                let dir = tempfile::tempdir().expect("a directory");
                std::fs::create_dir(dir.path().join("inbox")).expect("made");
                let cut = usize::try_from(cut).expect("small");
                std::fs::write(dir.path().join("inbox/events"), &events[..cut]).expect("written");
                std::fs::write(dir.path().join("inbox/index.jsonl"), &index[..index_cut])
                    .expect("written");
                let mut inbox = to_append(dir.path());
                let kept = inbox.cursor().0;
                assert!((2..=4).contains(&kept));
                fill(&mut inbox, nid, kept + 1, 5);
                inbox.sync().expect("synced");
                let again = Inbox::open(dir.path()).expect("opened");
                assert_eq!(again.cursor(), Seq(5));
                for entry in again.entries() {
                    assert_eq!(again.event(entry).expect("whole").seq, entry.seq);
                }
            }
        }
    }
}
