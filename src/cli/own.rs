//! What this device notified, kept for its own eyes: the last revision of each notification with its place sealed to the
//! own desk, so that the linter can hold the next revision against it, and nothing stands in the clear on disk.

use std::path::PathBuf;

use super::draft::compose::Last;
use super::error::CliError;
use super::profile::{self, Profile, ProfileError};
use crate::crypto::seal::seal;
use crate::crypto::secret_file;
use crate::domain::ids::Nid;
use crate::spatial::Position;
use crate::wire::build::{Built, SealSlot, open};
use crate::wire::claims::Claims;
use crate::wire::envelope::{Attachment, Content, Envelope};
use crate::wire::parts::{Place, name};

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
    let desk = match profile.desk_seal_key() {
        Ok(desk) => desk,
        Err(ProfileError::NoDeskKey { .. }) => return Ok(()),
        Err(error) => return Err(error.into()),
    };
    let statement = &built.envelope.statement;
    let place = built
        .disclosures
        .iter()
        .find(|disclosure| disclosure.name() == name::PLACE);
    let (Some(place), Some(claims)) = (place, claims(statement)) else {
        return Ok(());
    };
    let slot = SealSlot::of(&claims);
    let Ok(sealed) = seal(
        &slot.context(name::PLACE, place.digest()),
        place,
        desk.public_key(),
    ) else {
        return Ok(());
    };
    let envelope = Envelope {
        statement: statement.clone(),
        attachments: vec![Attachment {
            part: name::PLACE.to_owned(),
            sd: place.digest(),
            content: Content::Seal {
                kid: desk.kid(),
                sealed: sealed.into_bytes(),
            },
        }],
    };
    let path = path(profile, nid);
    let folder = profile.path(FOLDER);
    secret_file::create_dir(&folder).map_err(ProfileError::from)?;
    Ok(profile::write_private(&path, &envelope.encode())?)
}

/// Where and when the last revision was that this device notified; none where it is not known or cannot be opened.
///
/// # Errors
/// When the file cannot be read.
pub fn last(profile: &Profile, nid: Nid) -> Result<Option<Last>, CliError> {
    Ok(last_place(profile, nid)?.and_then(|place| last_of(&place)))
}

/// The place of that revision.
///
/// # Errors
/// When the file cannot be read.
pub fn last_place(profile: &Profile, nid: Nid) -> Result<Option<Place>, CliError> {
    let path = path(profile, nid);
    if !path.exists() {
        return Ok(None);
    }
    let bytes = profile::read_private(&path)?;
    Ok(place(profile, &bytes))
}

fn place(profile: &Profile, bytes: &[u8]) -> Option<Place> {
    let desk = profile.desk_seal_key().ok()?;
    let envelope = Envelope::decode(bytes).ok()?;
    let claims = claims(&envelope.statement)?;
    let kid = desk.kid();
    let (attachment, _) = envelope.seals_for(&kid).next()?;
    let disclosure = open(&claims, attachment, &desk).ok()?;
    serde_json::from_value(disclosure.into_value()).ok()
}

fn last_of(place: &Place) -> Option<Last> {
    let [lon, lat] = super::draft::site::first_position(&place.geometry)?;
    let position = Position::new(lon, lat).ok()?;
    let window = place
        .properties
        .window
        .and_then(|window| Some((window.from?, window.until)));
    Some(Last { position, window })
}
