//! What is said back to the person who gave something: refused, asked about, or merely noted; where, what, and what to
//! do. It may carry places, so it is for that person's eyes; `Debug` is sealed and the code alone may be counted.

use std::fmt;

use serde_json::{Value, json};

use crate::cli::tabular::{BadRow, Origin};

/// How much a finding weighs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Severity {
    /// Worth knowing.
    Note,
    /// Odd: it may be meant, and `--strict` refuses it.
    Warning,
    /// Nothing can be notified of it.
    Refused,
}

impl Severity {
    /// The word.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Note => "note",
            Self::Warning => "warning",
            Self::Refused => "refused",
        }
    }
}

/// The code of the note that a row names no party.
pub const NO_PARTY: &str = "no-party";

/// One thing that was found.
#[derive(Clone, PartialEq, Eq)]
pub struct Finding {
    /// How much it weighs.
    pub severity: Severity,
    /// A stable kebab-case code, which tells nothing of the place.
    pub code: String,
    /// Where it stands in what was given.
    pub origin: Origin,
    /// What is wrong and what to do.
    pub message: String,
}

impl Finding {
    /// Nothing can be notified of it.
    pub fn refused(code: &str, origin: Origin, message: impl Into<String>) -> Self {
        Self {
            severity: Severity::Refused,
            code: code.to_owned(),
            origin,
            message: message.into(),
        }
    }

    /// Odd.
    pub fn warning(code: &str, origin: Origin, message: impl Into<String>) -> Self {
        Self {
            severity: Severity::Warning,
            ..Self::refused(code, origin, message)
        }
    }

    /// Worth knowing.
    pub fn note(code: &str, origin: Origin, message: impl Into<String>) -> Self {
        Self {
            severity: Severity::Note,
            ..Self::refused(code, origin, message)
        }
    }

    /// For programs. Carries what the person gave; not for a log.
    pub fn json(&self) -> Value {
        json!({
            "severity": self.severity.as_str(), "code": self.code, "file": &*self.origin.file,
            "sheet": self.origin.sheet.as_deref(), "line": self.origin.row,
            "column": self.origin.column.as_ref().map(ToString::to_string), "message": self.message,
        })
    }
}

impl From<BadRow> for Finding {
    fn from(bad: BadRow) -> Self {
        Self::refused(bad.code, bad.origin, bad.message)
    }
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{}: {} [{}]: {}",
            self.origin,
            self.severity.as_str(),
            self.code,
            self.message
        )
    }
}

impl fmt::Debug for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "Finding({}, {}, {:?})",
            self.severity.as_str(),
            self.code,
            self.origin
        )
    }
}
