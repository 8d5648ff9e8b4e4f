//! What this desk can open of a notification, from its own inbox: the place, and what the parties' officers said. The
//! server answers with states alone; who said so, what was asked and where it was entered travel sealed and stand here.

use std::collections::HashMap;

use serde::Serialize;
use time::OffsetDateTime;

use super::error::CliError;
use super::inbox::{Entry, Inbox};
use super::profile::Profile;
use super::received::{Readers, Received, receive};
use super::{directory, own};
use crate::crypto::digest::Digest;
use crate::domain::exchange::Ask;
use crate::domain::ids::{ActorId, Nid, Revision, Seq};
use crate::domain::kind::Kind;
use crate::wire::parts::{AckDetail, AttachmentPart, Entered, Person, Place, Reasons, name};
use crate::wire::trust::Trust;

/// What an officer said of one notification, beside the state. `Debug` of its parts is sealed.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub struct Said {
    /// Who.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub officer: Option<Person>,
    /// Where it was entered on the party's own list.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub entered: Option<Entered>,
    /// Why not, or why it was taken off.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// What is asked.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub question: Option<String>,
    /// What is asked for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ask: Option<Ask>,
    /// Until when a reply is asked for.
    #[serde(
        with = "time::serde::rfc3339::option",
        skip_serializing_if = "Option::is_none"
    )]
    pub due: Option<OffsetDateTime>,
    /// The letter that it was transcribed from; none of what the party signed itself.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub letter: Option<Letter>,
}

/// A letter that an acknowledgement was transcribed from.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Letter {
    /// Who transcribed it.
    pub transcribed_by: ActorId,
    /// SHA-256 of the letter, as it is kept.
    pub sha256: Digest,
    /// The date that stands on it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub dated: Option<String>,
}

impl Said {
    /// Of the detail of an acknowledgement that may be about several.
    pub fn of(detail: AckDetail, nid: Nid) -> Self {
        let said = Self {
            officer: detail.officer,
            ..Self::default()
        };
        match detail.items.into_iter().find(|item| item.nid == nid) {
            None => said,
            Some(item) => Self {
                entered: item.entered,
                reason: item.reason,
                question: item.question,
                ask: item.ask,
                due: item.due,
                ..said
            },
        }
    }
}

/// The inbox, and the keys to open it.
pub struct Opened<'a> {
    profile: &'a Profile,
    inbox: Inbox,
    trust: Trust,
    readers: Readers,
    /// Acknowledgements, warnings, replies and relays.
    exchange: HashMap<Digest, Entry>,
}

impl<'a> Opened<'a> {
    /// Of a profile; everybody's keys as last seen.
    ///
    /// # Errors
    /// When the inbox or a key cannot be read.
    pub fn of(profile: &'a Profile) -> Result<Self, CliError> {
        let inbox = Inbox::open(profile.dir())?;
        let exchange = inbox
            .entries()
            .iter()
            .filter(|entry| {
                matches!(
                    entry.kind,
                    Kind::Ack | Kind::Warn | Kind::Reply | Kind::Relay
                )
            })
            .map(|entry| (entry.of, entry.clone()))
            .collect();
        Ok(Self {
            trust: directory::cached(profile)?,
            readers: Readers::of(profile)?,
            profile,
            inbox,
            exchange,
        })
    }

    /// The place of the latest revision that came to this desk, or that this device notified itself.
    pub fn place(&self, nid: Nid) -> Option<Place> {
        let revisions = self.inbox.about(nid).filter(|entry| entry.is_revision());
        revisions
            .rev()
            .find_map(|entry| self.open(entry)?.part(name::PLACE))
            .or_else(|| own::last_place(self.profile, nid).ok().flatten())
    }

    /// The attachments of the latest revision that came to this desk, with their numbers.
    pub fn attachments(&self, nid: Nid) -> Vec<(usize, AttachmentPart)> {
        let latest = self
            .inbox
            .about(nid)
            .filter(|entry| matches!(entry.kind, Kind::Site | Kind::Movement))
            .max_by_key(|entry| entry.rev);
        latest
            .and_then(|entry| self.open(entry))
            .map_or_else(Vec::new, |received| received.attachments())
    }

    /// What stands in an acknowledgement, by the hash of its statement; none when it has not come here.
    pub fn said(&self, of: &Digest, nid: Nid) -> Option<Said> {
        let received = self.statement(of)?;
        let detail: AckDetail = received.part(name::DETAIL)?;
        let letter = received.claims.on_behalf().map(|word| Letter {
            transcribed_by: received.claims.common().iss.actor,
            sha256: word.source,
            dated: detail.dated.clone(),
        });
        Some(Said {
            letter,
            ..Said::of(detail, nid)
        })
    }

    /// An acknowledgement, a warning, a reply or a relay, by its hash.
    pub fn statement(&self, of: &Digest) -> Option<Received> {
        self.open(self.exchange.get(of)?)
    }

    /// The acknowledgements, warnings and replies that may be about a notification, oldest first.
    pub fn exchange_about(&self, nid: Nid) -> impl Iterator<Item = (&Entry, Received)> {
        let about = move |entry: &&Entry| {
            self.exchange.contains_key(&entry.of) && entry.nid.is_none_or(|named| named == nid)
        };
        let entries = self.inbox.entries().iter().filter(about);
        entries.filter_map(|entry| Some((entry, self.open(entry)?)))
    }

    /// An event of the mailbox, by its place; none when it has not come here.
    pub fn event(&self, seq: Seq) -> Option<Received> {
        let index = usize::try_from(seq.0.checked_sub(1)?).ok()?;
        self.open(self.inbox.entries().get(index)?)
    }

    /// The profile.
    pub const fn profile(&self) -> &'a Profile {
        self.profile
    }

    /// Why the coordinator returned a notification, and which revision: by its latest word that came here.
    pub fn returned(&self, nid: Nid) -> Option<(Revision, Reasons)> {
        let mut words = self.inbox.about(nid).rev();
        let latest = words.find(|entry| entry.kind == Kind::Screen)?;
        let received = self.open(latest)?;
        Some((latest.rev?, received.part(name::REASONS)?))
    }

    /// An event, when every check of it holds.
    fn open(&self, entry: &Entry) -> Option<Received> {
        let event = self.inbox.event(entry).ok()?;
        let received = receive(&event, &self.trust, &self.readers).ok()?;
        received.doubt_text().is_none().then_some(received)
    }
}
