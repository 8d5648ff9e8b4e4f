//! What this device notified, kept for its own eyes: the last revision of each notification with its place, contact and
//! whom it is for, sealed to the own desk, so that the next revision can be held against it, a call for help knows whom to
//! call without a line, and nothing stands in the clear on disk.

use std::io::Write as _;
use std::path::PathBuf;

use super::directory;
use super::draft::compose::{Composed, Last};
use super::error::CliError;
use super::files;
use super::inbox::Inbox;
use super::outbox::Outbox;
use super::profile::{self, Profile, ProfileError};
use super::received::{Readers, receive};
use crate::crypto::disclosure::Disclosure;
use crate::crypto::seal::seal;
use crate::crypto::seal_key::SealKey;
use crate::crypto::secret_file;
use crate::domain::ids::Nid;
use crate::domain::kind::Kind;
use crate::domain::notification::Tier;
use crate::spatial::Position;
use crate::wire::build::{Built, SealSlot, open};
use crate::wire::claims::Claims;
use crate::wire::envelope::{Attachment, Content, Envelope};
use crate::wire::parts::{Audience, Contact, Place, name};

/// The folder in the profile.
const FOLDER: &str = "own";

fn path(profile: &Profile, nid: Nid) -> PathBuf {
    profile.path(FOLDER).join(format!("{nid}.hn"))
}

/// The claims of a statement that we made ourselves.
fn claims(statement: &str) -> Option<Claims> {
    let parsed = crate::crypto::statement::parse(statement.as_bytes()).ok()?;
    let kind = crate::domain::kind::Kind::from_typ(&format!("hn-{}+jwt", parsed.kind().as_str()))?;
    let payload = serde_json::from_slice(parsed.payload()).ok()?;
    Claims::read(kind, payload).ok()
}

/// Keeps a revision. A device that has not been handed the desk's key yet keeps nothing.
///
/// # Errors
/// When it cannot be written.
pub fn keep(profile: &Profile, nid: Nid, built: &Built) -> Result<(), CliError> {
    let Some(bytes) = desk(profile)?.and_then(|desk| sealed(&desk, built)) else {
        return Ok(());
    };
    let folder = profile.path(FOLDER);
    secret_file::create_dir(&folder).map_err(ProfileError::from)?;
    Ok(profile::write_private(&path(profile, nid), &bytes)?)
}

/// Keeps what [`sealed`] made of many revisions, each whole or not at all. They are not synced, for a file each would cost
/// an import its speed; a power cut may cost the question whether a place has moved, and nothing else.
///
/// # Errors
/// When one cannot be written.
pub fn keep_all(profile: &Profile, sealed: &[(Nid, Vec<u8>)]) -> Result<(), CliError> {
    secret_file::create_dir(&profile.path(FOLDER)).map_err(ProfileError::from)?;
    for (nid, bytes) in sealed {
        let path = path(profile, *nid);
        files::create_private(&path)
            .and_then(|mut file| file.write_all(bytes))
            .map_err(profile::io_error(&path, "written"))?;
    }
    Ok(())
}

/// The desk's key; none while it has not been handed to this device.
///
/// # Errors
/// When it cannot be read.
pub fn desk(profile: &Profile) -> Result<Option<SealKey>, CliError> {
    match profile.desk_seal_key() {
        Ok(desk) => Ok(Some(desk)),
        Err(ProfileError::NoDeskKey { .. }) => Ok(None),
        Err(error) => Err(error.into()),
    }
}

/// A revision with its place and contact sealed to the own desk, as it is kept.
pub fn sealed(desk: &SealKey, built: &Built) -> Option<Vec<u8>> {
    let statement = &built.envelope.statement;
    let claims = claims(statement)?;
    let slot = SealSlot::of(&claims);
    let mut attachments = Vec::new();
    let kept = built.disclosures.iter().filter(|d| {
        [name::PLACE, name::CONTACT].contains(&d.name())
            || d.name().starts_with(name::AUDIENCE_PREFIX)
    });
    for part in kept {
        let context = slot.context(part.name(), part.digest());
        let sealed = seal(&context, part, desk.public_key()).ok()?;
        attachments.push(Attachment {
            part: part.name().to_owned(),
            sd: part.digest(),
            content: Content::Seal {
                kid: desk.kid(),
                sealed: sealed.into_bytes(),
            },
        });
    }
    let envelope = Envelope {
        statement: statement.clone(),
        attachments,
    };
    Some(envelope.encode())
}

/// The last revision that this device notified.
pub struct Former {
    /// The part `place`.
    pub place: Place,
    /// The part `contact`, where it had one.
    pub contact: Option<Contact>,
}

impl Former {
    /// Where and when it was.
    pub fn last(&self) -> Option<Last> {
        let [lon, lat] = super::draft::site::first_position(&self.place.geometry)?;
        let position = Position::new(lon, lat).ok()?;
        let window = self
            .place
            .properties
            .window
            .and_then(|window| Some((window.from?, window.until)));
        Some(Last { position, window })
    }

    /// What it said and the next one does not say any more, in words.
    pub fn no_longer_in(&self, next: &Composed) -> Vec<String> {
        let (was, is) = (&self.place.properties, &next.place.properties);
        let mut out = Vec::new();
        let mut gone = |had: bool, has: bool, what: String| {
            if had && !has {
                out.push(what);
            }
        };
        let metres = |length: Option<f64>| length.unwrap_or_default();
        let buffer = format!("buffer {} m", metres(was.buffer_m));
        gone(was.buffer_m.is_some(), is.buffer_m.is_some(), buffer);
        let width = format!("half-width {} m", metres(was.half_width_m));
        gone(was.half_width_m.is_some(), is.half_width_m.is_some(), width);
        for (had, has, what) in [
            (
                was.name_local.is_some(),
                is.name_local.is_some(),
                "local name",
            ),
            (was.window.is_some(), is.window.is_some(), "window"),
            (was.pcode.is_some(), is.pcode.is_some(), "pcode"),
            (was.country.is_some(), is.country.is_some(), "country"),
            (was.marking.is_some(), is.marking.is_some(), "marking"),
            (was.infrared.is_some(), is.infrared.is_some(), "infrared"),
            (
                was.accuracy_m.is_some(),
                is.accuracy_m.is_some(),
                "accuracy",
            ),
            (
                was.source.is_some(),
                is.source.is_some(),
                "source of the coordinates",
            ),
            (
                was.reference.is_some(),
                is.reference.is_some(),
                "own reference",
            ),
            (was.note.is_some(), is.note.is_some(), "note"),
        ] {
            gone(had, has, what.to_owned());
        }
        if was.relation != is.relation {
            gone(
                true,
                false,
                format!("{} by you (now: {})", was.relation, is.relation),
            );
        }
        self.contact_no_longer_in(next.contact.as_ref(), gone);
        out
    }

    fn contact_no_longer_in(
        &self,
        next: Option<&Contact>,
        mut gone: impl FnMut(bool, bool, String),
    ) {
        let Some(was) = &self.contact else { return };
        let none = Contact::default();
        let is = next.unwrap_or(&none);
        for (had, has, what) in [
            (!was.people.is_empty(), !is.people.is_empty(), "contact"),
            (
                !was.vehicles.is_empty(),
                !is.vehicles.is_empty(),
                "vehicles",
            ),
            (was.passengers.is_some(), is.passengers.is_some(), "people"),
            (was.cargo.is_some(), is.cargo.is_some(), "cargo"),
            (was.call_sign.is_some(), is.call_sign.is_some(), "call sign"),
            (
                !was.overnight.is_empty(),
                !is.overnight.is_empty(),
                "overnight stops",
            ),
        ] {
            gone(had, has, what.to_owned());
        }
    }
}

/// The last revision of a notification; none where it is not known or cannot be opened.
///
/// # Errors
/// When the file cannot be read.
pub fn former(profile: &Profile, nid: Nid) -> Result<Option<Former>, CliError> {
    let path = path(profile, nid);
    if !path.exists() {
        return Ok(None);
    }
    let bytes = profile::read_private(&path)?;
    Ok(read(profile, &bytes))
}

/// The place of that revision.
///
/// # Errors
/// When the file cannot be read.
pub fn last_place(profile: &Profile, nid: Nid) -> Result<Option<Place>, CliError> {
    Ok(former(profile, nid)?.map(|former| former.place))
}

/// Whom the last revision names and what they see, as far as this device knows: as notified here, else as received from a
/// colleague's device. Of one of which only the names are known, each sees no more than a cell.
pub fn audiences(profile: &Profile, nid: Nid) -> Vec<Audience> {
    let kept = profile::read_private(&path(profile, nid)).ok();
    let kept = kept.and_then(|bytes| parts(profile, &bytes));
    let mut found = kept.map_or_else(Vec::new, |parts| named(&parts));
    if found.is_empty() {
        found = received_audiences(profile, nid).unwrap_or_default();
    }
    if found.is_empty() {
        let signed = Outbox::open(profile.dir())
            .and_then(|outbox| outbox.latest(|meta| meta.nid == Some(nid)));
        let names = signed.ok().flatten().map_or_else(Vec::new, |m| m.parties);
        found.extend(names.into_iter().map(|party| Audience {
            party,
            tier: Tier::Cell,
            onward: false,
            cells: Vec::new(),
        }));
    }
    found
}

fn received_audiences(profile: &Profile, nid: Nid) -> Option<Vec<Audience>> {
    let inbox = Inbox::open(profile.dir()).ok()?;
    let trust = directory::cached(profile).ok()?;
    let readers = Readers::of(profile).ok()?;
    let revisions = inbox
        .about(nid)
        .filter(|e| e.doubt.is_none() && matches!(e.kind, Kind::Site | Kind::Movement));
    let event = inbox.event(revisions.max_by_key(|e| e.rev)?).ok()?;
    Some(named(&receive(&event, &trust, &readers).ok()?.parts))
}

fn named(parts: &[Disclosure]) -> Vec<Audience> {
    let parts = parts
        .iter()
        .filter(|part| part.name().starts_with(name::AUDIENCE_PREFIX));
    parts
        .filter_map(|part| serde_json::from_value(part.value().clone()).ok())
        .collect()
}

/// What was kept of a revision, opened.
fn parts(profile: &Profile, bytes: &[u8]) -> Option<Vec<Disclosure>> {
    let desk = profile.desk_seal_key().ok()?;
    let envelope = Envelope::decode(bytes).ok()?;
    let claims = claims(&envelope.statement)?;
    let kid = desk.kid();
    let sealed = envelope.seals_for(&kid);
    sealed
        .map(|(attachment, _)| open(&claims, attachment, &desk).ok())
        .collect()
}

fn read(profile: &Profile, bytes: &[u8]) -> Option<Former> {
    let (mut place, mut contact) = (None, None);
    for part in parts(profile, bytes)? {
        match part.name() {
            name::PLACE => place = serde_json::from_value(part.into_value()).ok(),
            name::CONTACT => contact = serde_json::from_value(part.into_value()).ok(),
            _ => {}
        }
    }
    Some(Former {
        place: place?,
        contact,
    })
}
