//! The contact beside a hit: who to call at the place itself, and what moves. The organisation sealed it to the party's
//! desk, and the server cannot open it; a device that holds the desk's key can.

use serde_json::{Value, json};

use crate::cli::profile::{Profile, ProfileError};
use crate::cli::words;
use crate::crypto::from_b64url;
use crate::crypto::seal::{self, SealContext, Sealed};
use crate::crypto::seal_key::SealKey;
use crate::wire::parts::{AnswerPart, Contact, Hit, name};

/// What a device without the desk's key says.
const SEALED_TO_DESK: &str = "a contact is sealed to your desk: ask it";

/// What became of the contact of one hit. Prints nothing of it.
pub enum Found {
    /// The hit has none.
    None,
    /// Opened.
    Opened(Box<Contact>),
    /// There is one, and why it is not shown.
    Closed(String),
}

/// The contacts of an answer, in the order of its hits.
pub fn of(answer: &AnswerPart, profile: &Profile) -> Vec<Found> {
    let desk = profile.desk_seal_key();
    let hits = answer.hits.iter();
    hits.map(|hit| match (&hit.contact, &desk) {
        (None, _) => Found::None,
        (Some(seal), Ok(desk)) => open(hit, seal, desk).map_or_else(
            || {
                Found::Closed(
                    "a contact came and could not be opened with your desk's key: call them"
                        .to_owned(),
                )
            },
            |contact| Found::Opened(Box::new(contact)),
        ),
        (Some(_), Err(ProfileError::NoDeskKey { .. })) => Found::Closed(SEALED_TO_DESK.to_owned()),
        (Some(_), Err(error)) => Found::Closed(format!(
            "a contact is sealed to your desk, and its key cannot be read here: {error}"
        )),
    })
    .collect()
}

fn open(hit: &Hit, seal: &str, desk: &SealKey) -> Option<Contact> {
    let (iss, nid) = (hit.contact_iss.as_ref()?.to_string(), hit.nid.to_string());
    let slot = SealContext {
        iss: &iss,
        nid: &nid,
        rev: hit.rev.get().into(),
        part: name::CONTACT,
        sd: hit.contact_sd?,
    };
    let sealed = Sealed::from_bytes(from_b64url(seal.as_bytes())?).ok()?;
    let part = seal::open(&slot, desk, &sealed).ok()?;
    serde_json::from_value(part.into_value()).ok()
}

impl Found {
    /// For people, beneath the hit.
    pub fn text(&self) -> String {
        let mut text = String::new();
        match self {
            Self::None => {}
            Self::Opened(contact) => {
                text.push_str("   Contact, from the organisation to your desk alone:\n");
                words::describe_contact(&mut text, contact);
            }
            Self::Closed(why) => {
                text = format!("   {}\n", words::plain(why));
            }
        }
        text
    }

    /// In the hit as programs get it: `contact` opened, or `contact_closed` with why. The seal itself stands in the
    /// kept answer.
    pub fn put(&self, hit: &mut Value) {
        let Some(hit) = hit.as_object_mut() else {
            return;
        };
        for member in ["contact", "contact_iss", "contact_sd"] {
            hit.remove(member);
        }
        match self {
            Self::None => {}
            Self::Opened(contact) => {
                hit.insert("contact".to_owned(), json!(contact));
            }
            Self::Closed(why) => {
                hit.insert("contact_closed".to_owned(), json!(why));
            }
        }
    }
}
