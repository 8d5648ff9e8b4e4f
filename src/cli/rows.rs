//! Which row of a file is which notification: what `notify` and `import` share, so that the same file again sends what
//! changed and what is new, and nothing twice. A row is known again by its reference; one without by what it is called,
//! its country and its place (a movement: its times too, for two convoys on one road are two). What was signed and waits
//! in the outbox counts as notified: nothing is doubled because a line was down, or because a run was stopped. References
//! that a person takes for the same are the same. Who decides that a row is new holds a lock until what it signed is on
//! disk, so that two runs at once never make two notifications of one row.

use std::collections::{HashMap, HashSet};
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::draft::compose::Composed;
use super::draft::sign::Next;
use super::error::CliError;
use super::inbox::Inbox;
use super::journal::Journal;
use super::outbox::{Meta, Outbox};
use super::profile::Profile;
use crate::crypto::digest::Digest;
use crate::domain::ids::{ActorId, Nid, Revision};
use crate::domain::kind::Kind;
use crate::domain::notification::Subject;
use crate::domain::text::reference_key;

/// The lock of whoever decides which rows are new: held from looking a row up until what it became is on disk.
pub const ROWS: &str = "rows";

/// How long that lock is waited for: a file of `notify` holds it while it signs all its rows.
pub const ROWS_WAIT: Duration = Duration::from_mins(2);

/// A row, as digests under a salt of this profile: they tell no names and no places.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Row {
    /// Which row.
    pub key: Digest,
    /// What it said.
    pub content: Digest,
    /// The files that went with it, if any did.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub files: Option<Digest>,
}

impl Row {
    /// Of what was composed from it.
    pub fn of(salt: &[u8; 32], composed: &Composed) -> Self {
        Self {
            key: key(salt, composed),
            content: content(salt, composed),
            files: None,
        }
    }
}

/// What is known of a row that was notified.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Entry {
    /// Which row, and what it said.
    #[serde(flatten)]
    pub row: Row,
    /// The notification.
    pub nid: Nid,
    /// Its revision.
    pub rev: Revision,
    /// Hash of its statement.
    pub hash: Digest,
    /// The parties that this and earlier revisions name.
    pub parties: Vec<ActorId>,
}

impl Entry {
    /// Of what the outbox holds; none for what came from no row.
    pub fn of_meta(meta: &Meta) -> Option<Self> {
        Some(Self {
            row: meta.row?,
            nid: meta.nid?,
            rev: meta.rev?,
            hash: meta.hash,
            parties: meta.parties.clone(),
        })
    }
}

/// Where a row stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Standing {
    /// It was never notified.
    New,
    /// It says what it said before, or what another row of the file says.
    Unchanged {
        /// The notification, where it is known.
        nid: Option<Nid>,
        /// What else is to be said of it.
        remark: Option<String>,
    },
    /// It says something else than before: the next revision of the same notification.
    Changed(Next),
    /// It cannot be notified as it stands, and why.
    Refused(String),
}

/// Every row that was notified from this profile.
#[derive(Default)]
pub struct Rows {
    salt: [u8; 32],
    known: HashMap<Digest, Entry>,
    /// The last revision of each of these notifications that was signed here.
    heads: HashMap<Nid, Entry>,
    /// Withdrawn or closed.
    ended: HashSet<Nid>,
    /// Revised last by a colleague's device.
    elsewhere: HashSet<Nid>,
    /// Rows that an interrupted import signed and did not send.
    interrupted: HashSet<Digest>,
}

impl Rows {
    /// What the journal, the outbox and the inbox know.
    ///
    /// # Errors
    /// When one of them cannot be read.
    pub fn open(profile: &Profile, journal: &mut Journal) -> Result<Self, CliError> {
        let outbox = Outbox::open(profile.dir())?;
        // A row moves from the spool or the outbox to the journal while others send: in this order none is missed.
        let interrupted = journal.interrupted()?;
        let pending = outbox.pending()?;
        journal.catch_up()?;
        let (known, salt) = journal.snapshot();
        let mut rows = Self::of(known, salt);
        rows.extend(pending.iter().filter_map(|(_, meta)| Entry::of_meta(meta)));
        rows.interrupted = interrupted;
        rows.ended = outbox.ended()?;
        let inbox = Inbox::open(profile.dir())?;
        for (nid, head) in &rows.heads {
            match inbox.latest(*nid) {
                Some(latest) if matches!(latest.kind, Kind::Withdraw | Kind::Close) => {
                    rows.ended.insert(*nid);
                }
                Some(latest) if latest.rev > Some(head.rev) => {
                    rows.elsewhere.insert(*nid);
                }
                _ => {}
            }
        }
        Ok(rows)
    }

    /// Of known rows alone.
    pub fn of(known: HashMap<Digest, Entry>, salt: [u8; 32]) -> Self {
        let mut rows = Self {
            salt,
            ..Self::default()
        };
        rows.extend(known.into_values());
        rows
    }

    /// Takes in what others notified since, from the outbox and the journal.
    ///
    /// # Errors
    /// When one of them cannot be read.
    pub fn catch_up(&mut self, profile: &Profile, journal: &mut Journal) -> Result<(), CliError> {
        let pending = Outbox::open(profile.dir())?.pending()?;
        self.extend(journal.catch_up()?);
        self.extend(pending.iter().filter_map(|(_, meta)| Entry::of_meta(meta)));
        Ok(())
    }

    /// What is known of a row, under the key it has or had.
    fn find(&self, row: &Row, composed: &Composed) -> Option<&Entry> {
        let known = |key: &Digest| self.known.get(key);
        known(&row.key).or_else(|| former_keys(&self.salt, composed).iter().find_map(known))
    }

    fn extend(&mut self, entries: impl IntoIterator<Item = Entry>) {
        for entry in entries {
            if self
                .heads
                .get(&entry.nid)
                .is_none_or(|head| head.rev <= entry.rev)
            {
                self.heads.insert(entry.nid, entry.clone());
            }
            self.known.insert(entry.row.key, entry);
        }
    }

    /// The row, as it is known again.
    pub fn row(&self, composed: &Composed) -> Row {
        Row::of(&self.salt, composed)
    }

    /// The notification that a row is, when it is another one than `nid` and stands: the row must not become a revision of
    /// `nid`, for it would from then on be known as that.
    pub fn taken(&self, row: &Row, composed: &Composed, nid: Nid) -> Option<Nid> {
        let other = self.find(row, composed)?.nid;
        (other != nid && !self.ended.contains(&other)).then_some(other)
    }

    /// The files that go with a row, as they are known again; none where none go with it.
    pub fn files<'a>(&self, files: impl Iterator<Item = &'a Digest>) -> Option<Digest> {
        let digests: Vec<&[u8]> = files.map(|file| file.as_bytes().as_slice()).collect();
        (!digests.is_empty())
            .then(|| Digest::of_parts(&[&[self.salt.as_slice()], digests.as_slice()].concat()))
    }

    /// Whether files went with the last revision of a notification that was signed here.
    pub fn had_files(&self, nid: Nid) -> bool {
        self.heads
            .get(&nid)
            .is_some_and(|head| head.row.files.is_some())
    }

    /// Where a row stands. One that comes without files says nothing of those that went with it before.
    pub fn standing(&self, row: &Row, composed: &Composed) -> Standing {
        // First of all: whether what it signed has arrived is not known, so nothing else that is known of the row counts.
        let signed = |key: &Digest| self.interrupted.contains(key);
        if signed(&row.key)
            || !self.interrupted.is_empty() && former_keys(&self.salt, composed).iter().any(signed)
        {
            return Standing::Refused("an import has signed this row, and it is not known to have arrived: wait until that import is done; if it was stopped, repeat that import first".to_owned());
        }
        let Some(entry) = self.find(row, composed) else {
            return Standing::New;
        };
        let reference = entry.nid.reference();
        if self.ended.contains(&entry.nid) {
            return Standing::Refused(format!(
                "it was notified as {reference}, which was withdrawn or closed since; take the row out or, to notify it anew, give it a new reference of your own"
            ));
        }
        let head = self.heads.get(&entry.nid).unwrap_or(entry);
        let elsewhere = self.elsewhere.contains(&entry.nid);
        let same_files = row.files.is_none() || row.files == head.row.files;
        if entry.row.content == row.content && same_files {
            let remark = (elsewhere || head.rev > entry.rev).then(|| {
                format!("{reference} was revised since by other means; that later revision stands")
            });
            return Standing::Unchanged {
                nid: Some(entry.nid),
                remark,
            };
        }
        if elsewhere {
            return Standing::Refused(format!(
                "a colleague's device has revised {reference} since; compare, then revise it singly: herald notify --revise {reference}"
            ));
        }
        if composed.audience.is_empty() && !head.parties.is_empty() {
            let parties: Vec<&str> = head.parties.iter().map(ActorId::as_str).collect();
            return Standing::Refused(format!(
                "no party is chosen, but {reference} was notified to {}; repeat --party, or take it back with herald withdraw",
                parties.join(", ")
            ));
        }
        Standing::Changed(Next::after(
            head.nid,
            head.rev,
            head.hash,
            head.parties.clone(),
        ))
    }
}

/// The rows of one file so far: at which line each stood first, what it said there, and how its reference was written.
#[derive(Default)]
pub struct Seen(HashMap<Digest, (u64, Digest, Option<Digest>)>);

impl Seen {
    /// Where a row stands that stood in this file before, at an earlier line.
    pub fn again(&mut self, line: u64, row: &Row, composed: &Composed) -> Option<Standing> {
        let reference = composed.place.properties.reference.as_ref();
        let written = reference.map(|text| Digest::of(text.as_bytes()));
        let Some((first, content, before)) = self.0.get(&row.key) else {
            self.0.insert(row.key, (line, row.content, written));
            return None;
        };
        if written != *before {
            return Some(Standing::Refused(format!(
                "line {first} has the same reference, written otherwise: references that differ only in capitals, in the kind of dash or digit, or in what does not show are one; give each its own, or leave one out"
            )));
        }
        if written.is_some() {
            return Some(Standing::Refused(format!(
                "line {first} has the same reference; give each its own, or leave one out"
            )));
        }
        let same = match composed.subject {
            Subject::Site => "the same name and place",
            Subject::Movement => "the same name, route and times",
        };
        if *content != row.content {
            return Some(Standing::Refused(format!(
                "{same} as line {first}, and says something else; give each its own reference, or leave one out"
            )));
        }
        Some(Standing::Unchanged {
            nid: None,
            remark: Some(format!("{same} as line {first}; notified once")),
        })
    }
}

fn key(salt: &[u8; 32], composed: &Composed) -> Digest {
    let properties = &composed.place.properties;
    let text = match (&properties.reference, composed.subject) {
        (Some(reference), subject) => {
            serde_json::json!(["alike", subject, reference_key(reference)])
        }
        (None, Subject::Site) => serde_json::json!([
            "place",
            properties.name,
            properties.country,
            composed.place.geometry
        ]),
        (None, Subject::Movement) => {
            let times: Vec<_> = properties
                .waypoints
                .iter()
                .map(|stop| [stop.at, stop.depart].map(seconds))
                .collect();
            let window = properties
                .window
                .map(|window| [window.from, window.until].map(seconds));
            serde_json::json!([
                "route",
                properties.name,
                properties.country,
                composed.place.geometry,
                window,
                times
            ])
        }
    };
    // Two organisations for which the coordinator notifies may number their sites alike.
    let text = match &composed.on_behalf {
        None => text,
        Some(word) => serde_json::json!(["on_behalf", word.org, text]),
    };
    Digest::of_parts(&[salt, text.to_string().as_bytes()])
}

/// The keys under which earlier releases journalled a row: its reference letter for letter, as it is written now, or in
/// small or capital letters. None where the key has not changed.
fn former_keys(salt: &[u8; 32], composed: &Composed) -> Vec<Digest> {
    let Some(reference) = &composed.place.properties.reference else {
        return Vec::new();
    };
    let alike = reference_key(reference);
    let of = |text: &str| {
        let text = serde_json::json!(["reference", composed.subject, text]);
        Digest::of_parts(&[salt, text.to_string().as_bytes()])
    };
    vec![of(reference), of(&alike), of(&alike.to_uppercase())]
}

fn seconds(at: Option<time::OffsetDateTime>) -> Option<i64> {
    at.map(time::OffsetDateTime::unix_timestamp)
}

/// What a row says: place, contact, audience. Equal when nothing that is notified has changed.
fn content(salt: &[u8; 32], composed: &Composed) -> Digest {
    let movement = composed.subject == Subject::Movement;
    let text = serde_json::json!([
        movement,
        composed.place,
        composed.contact,
        composed.audience,
        composed.emergency
    ]);
    Digest::of_parts(&[salt, text.to_string().as_bytes()])
}

#[cfg(test)]
#[path = "rows_tests.rs"]
mod tests;
