//! Whom a notification is for, and who can be called: the parts `audience.<party>`, with the cells of parties at a lower
//! tier computed here, and `contact`.

use super::compose::Settings;
use super::finding::NO_PARTY;
use super::read::Reader;
use super::words::{self, Choice};
use crate::cli::tabular::columns::Field;
use crate::domain::notification::Tier;
use crate::spatial::cell::{Cell, cells_covering, cells_covering_track};
use crate::wire::object::{Object, Shape};
use crate::wire::parts::{Audience, Contact, Overnight, Person, Vehicle};

pub(super) fn contact(reader: &mut Reader<'_>) -> Option<Contact> {
    let mut contact = Contact {
        cargo: reader.text(Field::Cargo),
        call_sign: reader.text(Field::CallSign),
        ..Contact::default()
    };
    let (name, post, phone) = (
        reader.text(Field::ContactName),
        reader.text(Field::ContactPost),
        reader.text(Field::ContactPhone),
    );
    if name.is_some() || phone.is_some() {
        let name = name
            .or_else(|| post.clone())
            .unwrap_or_else(|| "duty officer".to_owned());
        contact.people.push(Person { name, post, phone });
    }
    let plates = reader
        .text(Field::Plates)
        .map(|text| words::several(&text))
        .unwrap_or_default();
    let vehicles = reader
        .text(Field::Vehicles)
        .map(|text| words::several(&text))
        .unwrap_or_default();
    for index in 0..plates.len().max(vehicles.len()) {
        let description = vehicles
            .get(index)
            .cloned()
            .unwrap_or_else(|| "vehicle".to_owned());
        contact.vehicles.push(Vehicle {
            description,
            plate: plates.get(index).cloned(),
        });
    }
    if let Some(text) = reader.text(Field::People) {
        contact.passengers = text.trim_end_matches(".0").parse().ok();
        if contact.passengers.is_none() {
            reader.refuse(
                Field::People,
                "not-a-number",
                format!("\"{text}\" is no number of people; write digits only"),
            );
        }
    }
    let nights = reader
        .text(Field::Overnight)
        .map(|text| words::several(&text))
        .unwrap_or_default();
    contact.overnight = nights
        .into_iter()
        .map(|place| Overnight { place, night: None })
        .collect();
    (contact != Contact::default()).then_some(contact)
}

pub(super) fn choices(reader: &mut Reader<'_>, settings: &Settings) -> Vec<Choice> {
    let onward = reader.yes_no(Field::Onward);
    let mut choices = match reader.text(Field::Parties) {
        None => settings.audience.clone(),
        Some(text) => {
            let mut out = Vec::new();
            for part in text
                .split([';', ',', '\n'])
                .map(str::trim)
                .filter(|part| !part.is_empty())
            {
                match words::choice(part) {
                    Ok(choice) => out.push(choice),
                    Err(message) => reader.refuse(Field::Parties, "party", message),
                }
            }
            out
        }
    };
    if let Some(onward) = onward {
        for choice in &mut choices {
            choice.onward = onward;
        }
    }
    for choice in &choices {
        if choice.tier != Tier::Withdrawn && !settings.policy.tiers.contains(&choice.tier) {
            reader.refuse(
                Field::Parties,
                "tier",
                format!(
                    "the context's policy does not offer the tier {}; see herald policy",
                    choice.tier
                ),
            );
        }
    }
    if let Some(parties) = &settings.parties {
        for choice in choices
            .iter()
            .filter(|choice| choice.tier != Tier::Withdrawn)
        {
            if let Some(why) = parties.refusal(&choice.party) {
                reader.refuse(Field::Parties, "unknown-party", why);
            }
        }
    }
    let mut parties: Vec<&str> = choices.iter().map(|choice| choice.party.as_str()).collect();
    parties.sort_unstable();
    if parties
        .windows(2)
        .any(|pair| matches!(pair, [a, b] if a == b))
    {
        reader.refuse(
            Field::Parties,
            "party-twice",
            "a party is named twice; name it once, with one tier",
        );
    }
    if choices.is_empty() {
        reader.note(
            Field::Parties,
            NO_PARTY,
            "no party is chosen: only the coordinator receives this",
        );
    }
    choices
}

pub(super) fn audience(
    reader: &mut Reader<'_>,
    choices: &[Choice],
    object: &Object,
) -> Option<Vec<Audience>> {
    let lower = |tier: Tier| matches!(tier, Tier::OnCheck | Tier::Cell);
    let mut cells = Vec::new();
    if choices.iter().any(|choice| lower(choice.tier)) {
        let found = match &object.shape {
            Shape::Site(footprint) => cells_covering(footprint, object.buffer_m),
            Shape::Movement(track) => cells_covering_track(track, object.buffer_m),
        };
        match found {
            Ok(found) => cells = found.iter().map(Cell::text).collect(),
            Err(error) => {
                reader.refuse(Field::Parties, "cells", error.to_string());
                return None;
            }
        }
        reader.note(Field::Parties, "cell", "a cell of 10 km is shown to parties below exact; in empty country a cell can still give a place away");
    }
    let part = |choice: &Choice| Audience {
        party: choice.party.clone(),
        tier: choice.tier,
        onward: choice.onward,
        cells: if lower(choice.tier) {
            cells.clone()
        } else {
            Vec::new()
        },
    };
    Some(choices.iter().map(part).collect())
}
