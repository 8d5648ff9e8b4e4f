//! Opening what travels beside a statement: seals for the server are opened, held against their digests and sealed anew
//! under the keyring, so that the inbound seal is never stored; seals for others are wrapped as they are.

use std::collections::BTreeMap;

use serde::de::DeserializeOwned;
use serde_json::Value;

use super::prepare::refused_member;
use crate::crypto::digest::Kid;
use crate::crypto::disclosure::Disclosure;
use crate::crypto::seal_key::SealKey;
use crate::domain::disclosure_policy::{Read, comes_as};
use crate::domain::ids::{ActorId, Nid, Revision};
use crate::service::core::{Core, internal, keyring};
use crate::service::records::Record;
use crate::store::statements::NewRecord;
use crate::wire::build::{self, OpenError, SealSlot};
use crate::wire::claims::Claims;
use crate::wire::envelope::{Content, Envelope};
use crate::wire::parts::name;
use crate::wire::problem::{Problem, ProblemKind};
use crate::wire::text;

/// The parts of a statement that the server can read, by name.
pub(in crate::service) struct OpenedParts(BTreeMap<String, Disclosure>);

impl OpenedParts {
    /// A part's value, typed.
    ///
    /// # Errors
    /// Which member is wrong, as a pointer that begins with the part's name.
    pub fn typed<T: DeserializeOwned>(&self, part: &str) -> Result<Option<T>, Problem> {
        let Some(disclosure) = self.0.get(part) else {
            return Ok(None);
        };
        read_value(disclosure.value(), part).map(Some)
    }

    /// As [`Self::typed`], of a part that must be there.
    ///
    /// # Errors
    /// Also `missing-part`.
    pub fn required<T: DeserializeOwned>(&self, part: &str) -> Result<T, Problem> {
        self.typed(part)?.ok_or_else(|| {
            Problem::new(ProblemKind::MissingPart).detail(format!(
                "the part {part} is required, sealed to the server's key"
            ))
        })
    }

    /// The names of the parts.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.0.keys().map(String::as_str)
    }
}

/// Reads a part's value as its type.
pub(in crate::service) fn read_value<T: DeserializeOwned>(
    value: &Value,
    part: &str,
) -> Result<T, Problem> {
    serde_path_to_error::deserialize(value)
        .map_err(|error| refused_member(&error, &format!("/{part}")))
}

/// Opens what is sealed to the server's key of the context; checks that nothing else travels than what this kind has.
pub(super) fn parts(
    server: &SealKey,
    claims: &Claims,
    envelope: &Envelope,
) -> Result<OpenedParts, Problem> {
    let (kind, own) = (claims.kind(), server.kid());
    let mut opened = BTreeMap::new();
    let mut kept: Vec<(&str, Kid)> = Vec::new();
    for attachment in &envelope.attachments {
        let part = attachment.part.as_str();
        let Content::Seal { kid, .. } = &attachment.content else {
            return Err(Problem::new(ProblemKind::MissingSeal).detail(format!(
                "the part {part} travels in the clear; parts of {kind} statements are sealed"
            )));
        };
        let comes = comes_as(kind, name::class(part, None));
        if *kid == own && comes == Read::Reseal {
            let disclosure =
                build::open(claims, attachment, server).map_err(|e| refused_part(&e))?;
            text::check(disclosure.value(), &format!("/{part}"))?;
            if opened.insert(part.to_owned(), disclosure).is_some() {
                return Err(twice(part));
            }
        } else if *kid != own && comes == Read::PassOn {
            if !claims.sd().contains(&attachment.sd) {
                return Err(refused_part(&OpenError::Foreign {
                    part: part.to_owned(),
                }));
            }
            if kept.contains(&(part, *kid)) {
                return Err(twice(part));
            }
            kept.push((part, *kid));
        } else {
            return Err(Problem::new(ProblemKind::UnknownReader).detail(format!(
                "a {kind} statement has no part {part} for this reader"
            )));
        }
    }
    Ok(OpenedParts(opened))
}

/// Opens a stored part of a revision from the keyring, and reads its value.
pub(super) fn stored<T: DeserializeOwned>(
    core: &Core,
    org: &ActorId,
    nid: Nid,
    rev: Revision,
    (part, sealed): (&str, &[u8]),
) -> Result<T, Problem> {
    let nid = nid.to_string();
    let at = Record::part(org, &nid, rev.get().into(), part);
    let text = core
        .keyring
        .open_record(&at.at(), sealed)
        .map_err(|error| keyring(&error))?;
    let disclosure =
        Disclosure::parse(&text).map_err(|_| internal("a stored part is no disclosure"))?;
    read_value(disclosure.value(), part)
}

/// The parts of a stored statement that the server can read, opened from the keyring and held against their digests.
pub(super) fn stored_parts(
    core: &Core,
    claims: &Claims,
    records: &[NewRecord],
) -> Result<OpenedParts, Problem> {
    let slot = SealSlot::of(claims);
    let mut opened = BTreeMap::new();
    for record in records.iter().filter(|record| record.reader.is_none()) {
        let part = record.part.as_str();
        let at = Record::part(&record.org, slot.id(), slot.rev(), part);
        let text = core
            .keyring
            .open_record(&at.at(), &record.content)
            .map_err(|error| keyring(&error))?;
        let disclosure = Disclosure::parse_expecting(&text, &record.sd)
            .map_err(|_| internal("a stored part does not have its digest"))?;
        if !claims.sd().contains(&record.sd) {
            return Err(internal("a stored part is not the statement's"));
        }
        opened.insert(part.to_owned(), disclosure);
    }
    Ok(OpenedParts(opened))
}

fn twice(part: &str) -> Problem {
    Problem::new(ProblemKind::DuplicateMember)
        .detail(format!("the part {part} is sealed twice to one reader"))
}

fn refused_part(error: &OpenError) -> Problem {
    let kind = match error {
        OpenError::Seal { .. } => ProblemKind::SealDoesNotOpen,
        OpenError::Disclosure { .. } | OpenError::Foreign { .. } | OpenError::OtherName { .. } => {
            ProblemKind::DigestMismatch
        }
    };
    Problem::new(kind).detail(error.to_string())
}

/// Everything to store beside the statement, under this month's key of the keyring.
pub(super) fn records(
    core: &Core,
    server: &SealKey,
    claims: &Claims,
    slot: &SealSlot,
    opened: &OpenedParts,
    envelope: &Envelope,
) -> Result<Vec<NewRecord>, Problem> {
    let org: ActorId = claims.speaks_for();
    let month = core.month()?;
    let mut out = Vec::with_capacity(envelope.attachments.len());
    for (part, disclosure) in &opened.0 {
        let at = Record::part(&org, slot.id(), slot.rev(), part);
        let content = core.seal_record(&at.at(), month, disclosure.encoded().as_bytes())?;
        out.push(NewRecord {
            part: part.clone(),
            sd: disclosure.digest(),
            reader: None,
            month,
            org: org.clone(),
            content,
        });
    }
    for attachment in &envelope.attachments {
        let Content::Seal { kid, sealed } = &attachment.content else {
            continue;
        };
        if *kid == server.kid() {
            continue;
        }
        let at = Record::seal(&org, slot.id(), slot.rev(), &attachment.part, kid);
        let content = core.seal_record(&at.at(), month, sealed)?;
        out.push(NewRecord {
            part: attachment.part.clone(),
            sd: attachment.sd,
            reader: Some(*kid),
            month,
            org: org.clone(),
            content,
        });
    }
    Ok(out)
}
