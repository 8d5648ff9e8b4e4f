//! Nudges: people are told outside Herald that somebody needs them, by messages that say nothing else. What a person
//! chose stands in [`choice`]; [`plan`] follows the log and decides who is told; [`send`] hands messages to whoever carries
//! them, and keeps what became of each.

pub mod choice;
mod occasions;
pub mod plan;
pub mod send;

use std::collections::BTreeMap;

use time::OffsetDateTime;

use super::core::Core;
use super::records::Record;
use crate::crypto::keyring::KeyringError;
use crate::crypto::month::Month;
use crate::domain::actor::Mode;
use crate::domain::ids::{ActorId, ContextId, DeviceId};
use crate::domain::nudge::{Away, Way, reached};
use crate::store::Connection;
use crate::store::error::StoreError;
use crate::store::nudges::{self as store, ChoiceRow, Person};
use crate::wire::nudge::NudgeChoice;

/// By which ways this server sends.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Ways {
    /// By e-mail.
    pub mail: bool,
    /// To a gateway.
    pub webhook: bool,
}

impl Ways {
    /// Whether it sends by this way.
    pub const fn has(self, way: Way) -> bool {
        match way {
            Way::Mail => self.mail,
            Way::Webhook => self.webhook,
        }
    }

    /// In words, for whoever starts the server.
    pub const fn words(self) -> &'static str {
        match (self.mail, self.webhook) {
            (true, true) => "by e-mail and webhook",
            (true, false) => "by e-mail",
            (false, true) => "by webhook",
            (false, false) => "off",
        }
    }
}

/// What somebody chose.
pub(in crate::service) struct Known {
    /// The choice.
    pub choice: NudgeChoice,
    /// The mode of the context.
    pub mode: Mode,
}

/// What people chose, opened.
pub(in crate::service) struct People(BTreeMap<Person, Known>);

impl People {
    /// Opens the choices that the transaction may see. One that does not open is left out: its person sees that none is
    /// set, and sets it again.
    pub async fn load(core: &Core, conn: &mut Connection) -> Result<Self, StoreError> {
        let rows = store::choices(conn).await?;
        let known = rows.into_iter().filter_map(|row| {
            let choice = open(core, &row)?;
            let mode = row.mode;
            Some((row.person, Known { choice, mode }))
        });
        Ok(Self(known.collect()))
    }

    /// As [`Self::load`], and seals anew what an earlier month's key sealed: what lives must outlast that key.
    pub async fn load_and_reseal(core: &Core, conn: &mut Connection) -> Result<Self, StoreError> {
        let month = month(core)?;
        for row in store::choices(conn).await? {
            if row.month == month {
                continue;
            }
            if let Some(choice) = open(core, &row) {
                let content = seal(core, &row.person, month, &choice)?;
                store::reseal(conn, &row, month, &content).await?;
            }
        }
        Self::load(core, conn).await
    }

    /// What somebody chose.
    pub fn get(&self, person: &Person) -> Option<&Known> {
        self.0.get(person)
    }

    /// The people of one actor.
    pub fn of<'a>(
        &'a self,
        ctx: &'a ContextId,
        actor: &'a ActorId,
    ) -> impl Iterator<Item = (&'a Person, &'a Known)> {
        self.0
            .iter()
            .filter(move |(person, _)| person.ctx == *ctx && person.actor == *actor)
    }

    /// Everybody.
    pub fn iter(&self) -> impl Iterator<Item = (&Person, &Known)> {
        self.0.iter()
    }

    /// As if somebody had chosen this.
    fn put(&mut self, person: Person, choice: NudgeChoice) {
        let mode = self.get(&person).map_or(Mode::Live, |known| known.mode);
        self.0.insert(person, Known { choice, mode });
    }

    /// Whom somebody named as cover.
    fn away(&self, person: &Person) -> Option<Away> {
        let leave = self.get(person)?.choice.leave.as_ref()?;
        Some(Away {
            until: leave.until,
            cover: leave.cover.clone(),
        })
    }

    /// Who is told for somebody now: the person, or the cover, if one of the ways reaches them. Where a cover is not
    /// reached the one before is told, at last the person: better to disturb a leave than to tell nobody.
    fn reached(&self, person: &Person, ways: Ways, now: OffsetDateTime) -> Option<Person> {
        let at = |device: &DeviceId| Person {
            device: device.clone(),
            ..person.clone()
        };
        let way = reached(&person.device, |device| self.away(&at(device)), now)
            .unwrap_or_else(|_| vec![person.device.clone()]);
        way.iter().rev().map(at).find(|one| {
            self.get(one).is_some_and(|known| {
                Way::ALL
                    .iter()
                    .any(|way| ways.has(*way) && known.choice.has(*way))
            })
        })
    }
}

/// Opens a choice. None when its month's key was destroyed, or it is damaged.
fn open(core: &Core, row: &ChoiceRow) -> Option<NudgeChoice> {
    let opened = open_content(core, &row.person, &row.content);
    if opened.is_none() {
        metrics::counter!("herald_nudge_choices_broken_total").increment(1);
    }
    opened
}

pub(in crate::service) fn open_content(
    core: &Core,
    person: &Person,
    content: &[u8],
) -> Option<NudgeChoice> {
    let at = Record::nudge(&person.ctx, &person.actor, &person.device);
    match core.keyring.open_record(&at.at(), content) {
        Ok(opened) => serde_json::from_slice(&opened).ok(),
        Err(KeyringError::Destroyed(_)) => None,
        Err(error) => {
            tracing::error!(%error, "a choice of nudges does not open");
            None
        }
    }
}

fn seal(
    core: &Core,
    person: &Person,
    month: Month,
    choice: &NudgeChoice,
) -> Result<Vec<u8>, StoreError> {
    let at = Record::nudge(&person.ctx, &person.actor, &person.device);
    let text = serde_json::to_vec(choice)
        .map(zeroize::Zeroizing::new)
        .map_err(|_| StoreError::Driver("a choice of nudges could not be written"))?;
    core.keyring
        .seal_record(&at.at(), month, &text)
        .map_err(|error| {
            tracing::error!(%error, "the keyring could not be used");
            StoreError::Driver("the keyring could not be used")
        })
}

fn month(core: &Core) -> Result<Month, StoreError> {
    core.keyring
        .present()
        .map_err(|_| StoreError::Driver("the keyring was not provisioned"))
}
