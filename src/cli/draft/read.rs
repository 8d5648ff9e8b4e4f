//! Reading a draft's cells: each reader takes the text of one field and gives a value, or a finding at its place.

use std::fmt::Display;

use crate::cli::draft::finding::Finding;
use crate::cli::draft::{Cells, Draft, words};
use crate::cli::tabular::Origin;
use crate::cli::tabular::columns::Field;
use crate::spatial::Position;
use crate::spatial::parse::lint::Warning;
use crate::spatial::parse::{TypedPosition, TypedTime, Unreadable, parse_position, parse_time};

/// A draft being read, and what was found so far.
pub(super) struct Reader<'a> {
    pub(super) draft: &'a Draft,
    pub(super) findings: Vec<Finding>,
}

impl<'a> Reader<'a> {
    pub(super) const fn new(draft: &'a Draft) -> Self {
        Self {
            draft,
            findings: Vec::new(),
        }
    }

    /// Whether something was refused.
    pub(super) fn refused(&self) -> bool {
        self.findings
            .iter()
            .any(|finding| finding.severity == super::finding::Severity::Refused)
    }

    pub(super) fn text(&self, field: Field) -> Option<String> {
        self.draft.cells.get(field).map(str::to_owned)
    }

    pub(super) fn at(&self, field: Field) -> Origin {
        self.draft.at(&self.draft.cells, field)
    }

    pub(super) fn refuse(&mut self, field: Field, code: &str, message: impl Into<String>) {
        self.findings
            .push(Finding::refused(code, self.at(field), message));
    }

    pub(super) fn warn(&mut self, field: Field, code: &str, message: impl Into<String>) {
        self.findings
            .push(Finding::warning(code, self.at(field), message));
    }

    pub(super) fn note(&mut self, field: Field, code: &str, message: impl Into<String>) {
        self.findings
            .push(Finding::note(code, self.at(field), message));
    }

    /// What the linter asks, at the place it asks about.
    pub(super) fn asked(&mut self, warnings: Vec<Warning>, origin: &Origin) {
        for warning in warnings {
            self.findings.push(Finding::warning(
                warning.code.as_str(),
                origin.clone(),
                warning.message,
            ));
        }
    }

    /// What cannot be read, with the reading that was likely meant.
    pub(super) fn unreadable(&mut self, error: &Unreadable, origin: Origin) {
        let likely: Vec<String> = error.likely().iter().map(ToString::to_string).collect();
        let hint = if likely.is_empty() {
            String::new()
        } else {
            format!(". Likely meant: {}", likely.join(" or "))
        };
        let message = format!("character {}: {}{hint}", error.column(), error.message());
        self.findings
            .push(Finding::refused(error.code(), origin, message));
    }

    /// A word from a vocabulary; an unknown one is refused with the words that are known.
    pub(super) fn word<T: Display>(
        &mut self,
        field: Field,
        read: fn(&str) -> Option<T>,
        known: &str,
    ) -> Option<T> {
        let text = self.text(field)?;
        let value = read(&text);
        if value.is_none() {
            self.refuse(
                field,
                "unknown-word",
                format!("\"{text}\" is not understood as {field}; write one of: {known}"),
            );
        }
        value
    }

    pub(super) fn yes_no(&mut self, field: Field) -> Option<bool> {
        self.word(field, words::yes_no, "yes, no")
    }

    pub(super) fn metres(&mut self, field: Field) -> Option<f64> {
        let text = self.text(field)?;
        let value = words::metres(&text);
        if value.is_none() {
            self.refuse(
                field,
                "not-metres",
                format!("\"{text}\" is no length; write metres as a number, like 500"),
            );
        }
        value
    }

    /// A time; without a zone it is in `zone`, when the person set one.
    pub(super) fn time(
        &mut self,
        cells: &Cells,
        field: Field,
        zone: Option<&str>,
    ) -> Option<TypedTime> {
        let text = cells.get(field)?;
        match parse_time(text, zone) {
            Ok(time) => Some(time),
            Err(error) => {
                self.unreadable(&error, self.draft.at(cells, field));
                None
            }
        }
    }

    /// A position from one cell or from two, and where it stands.
    pub(super) fn position(&mut self, cells: &Cells) -> Option<(TypedPosition, Origin)> {
        let (text, origin) = match (
            cells.get(Field::Coordinates),
            cells.get(Field::Latitude),
            cells.get(Field::Longitude),
        ) {
            (Some(_), Some(_), _) | (Some(_), _, Some(_)) => {
                let message = "both coordinates and latitude/longitude are filled in; leave one of them empty";
                self.findings.push(Finding::refused(
                    "two-positions",
                    self.draft.at(cells, Field::Coordinates),
                    message,
                ));
                return None;
            }
            (Some(text), None, None) => (text.to_owned(), self.draft.at(cells, Field::Coordinates)),
            (None, Some(lat), Some(lon)) => {
                (joined(lat, lon), self.draft.at(cells, Field::Latitude))
            }
            (None, lat, lon) => {
                let (field, what) = match (lat, lon) {
                    (None, Some(_)) => (Field::Latitude, "the latitude"),
                    (Some(_), None) => (Field::Longitude, "the longitude"),
                    _ => (
                        Field::Coordinates,
                        "the place: coordinates (or latitude and longitude)",
                    ),
                };
                let message = format!(
                    "{what} is missing; write it as 36.71803, 68.86221 or 36°43'4.91\"N 68°51'43.96\"E or 42S VF 87694 63602"
                );
                self.findings.push(Finding::refused(
                    "no-position",
                    self.draft.at(cells, field),
                    message,
                ));
                return None;
            }
        };
        match parse_position(&text) {
            Ok(position) => Some((position, origin)),
            Err(error) => {
                self.unreadable(&error, origin);
                None
            }
        }
    }
}

/// Latitude and longitude from two cells as one text. A decimal comma asks for a semicolon between them.
fn joined(lat: &str, lon: &str) -> String {
    let between = if lat.contains(',') || lon.contains(',') {
        "; "
    } else {
        ", "
    };
    format!("{lat}{between}{lon}")
}

/// Longitude and latitude with at most seven decimals (1 cm), as a `place` carries them.
pub(super) fn lonlat(position: Position) -> [f64; 2] {
    [position.lon(), position.lat()].map(|degrees| (degrees * 1e7).round() / 1e7)
}
