//! What this desk can open of a notification, from its own inbox: the place, and what the parties' officers said. The
//! server answers with states alone; who said so, what was asked and where it was entered travel sealed and stand here.

use std::collections::HashMap;

use serde::Serialize;

use super::error::CliError;
use super::inbox::{Entry, Inbox};
use super::profile::Profile;
use super::received::{Readers, Received, receive};
use super::{directory, own};
use crate::crypto::digest::Digest;
use crate::domain::ids::Nid;
use crate::domain::kind::Kind;
use crate::wire::parts::{AckDetail, Entered, Person, Place, name};
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
}

impl Said {
    /// Of the detail of an acknowledgement that may be about several.
    pub fn of(detail: AckDetail, nid: Nid) -> Self {
        let item = detail.items.into_iter().find(|item| item.nid == nid);
        let (entered, reason, question) = item.map_or((None, None, None), |item| {
            (item.entered, item.reason, item.question)
        });
        Self {
            officer: detail.officer,
            entered,
            reason,
            question,
        }
    }
}

/// The inbox, and the keys to open it.
pub struct Opened<'a> {
    profile: &'a Profile,
    inbox: Inbox,
    trust: Trust,
    readers: Readers,
    acknowledgements: HashMap<Digest, Entry>,
}

impl<'a> Opened<'a> {
    /// Of a profile; everybody's keys as last seen.
    ///
    /// # Errors
    /// When the inbox or a key cannot be read.
    pub fn of(profile: &'a Profile) -> Result<Self, CliError> {
        let inbox = Inbox::open(profile.dir())?;
        let acknowledgements = inbox
            .entries()
            .iter()
            .filter(|entry| entry.kind == Kind::Ack)
            .map(|entry| (entry.of, entry.clone()))
            .collect();
        Ok(Self {
            trust: directory::cached(profile)?,
            readers: Readers::of(profile)?,
            profile,
            inbox,
            acknowledgements,
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

    /// What stands in an acknowledgement, by the hash of its statement; none when it has not come here.
    pub fn said(&self, of: &Digest, nid: Nid) -> Option<Said> {
        let received = self.open(self.acknowledgements.get(of)?)?;
        Some(Said::of(received.part(name::DETAIL)?, nid))
    }

    /// An event, when every check of it holds.
    fn open(&self, entry: &Entry) -> Option<Received> {
        let event = self.inbox.event(entry).ok()?;
        let received = receive(&event, &self.trust, &self.readers).ok()?;
        received.doubt_text().is_none().then_some(received)
    }
}
