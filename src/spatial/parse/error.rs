//! What is said when typed text cannot be read: what is wrong, at which character, what to do. The full text may quote
//! what was typed, so it is for the person who typed it; everybody else gets [`Unreadable::redacted`].

use std::fmt;

use time::OffsetDateTime;

use super::Reading;

/// Typed text that could not be read.
///
/// `Display` is the whole sentence, for the person who typed (it may quote the text). `Debug` is sealed.
#[derive(Clone, PartialEq, thiserror::Error)]
#[error("column {column}: {message}")]
pub struct Unreadable {
    code: &'static str,
    column: usize,
    message: String,
    likely: Vec<Reading>,
    likely_times: Vec<OffsetDateTime>,
}

impl Unreadable {
    pub(super) fn new(code: &'static str, column: usize, message: impl Into<String>) -> Self {
        Self {
            code,
            column,
            message: message.into(),
            likely: Vec::new(),
            likely_times: Vec::new(),
        }
    }

    pub(super) fn with_likely(mut self, likely: Vec<Reading>) -> Self {
        self.likely = likely;
        self
    }

    pub(super) fn with_likely_times(mut self, times: Vec<OffsetDateTime>) -> Self {
        self.likely_times = times;
        self
    }

    /// The stable kebab-case code, such as `minutes-out-of-range`. It tells nothing of the place.
    pub fn code(&self) -> &'static str {
        self.code
    }

    /// Where it went wrong: the number of the character, the first being 1.
    pub fn column(&self) -> usize {
        self.column
    }

    /// What is wrong and what to do, without the column. For the person who typed it.
    pub fn message(&self) -> &str {
        &self.message
    }

    /// What may have been meant; at most a few.
    pub fn likely(&self) -> &[Reading] {
        &self.likely
    }

    /// The times that may have been meant, UTC; two when a local time happens twice or never.
    pub fn likely_times(&self) -> &[OffsetDateTime] {
        &self.likely_times
    }

    /// Code and column only: for a server's answer, a log line, a metric.
    pub fn redacted(&self) -> String {
        format!("{} at column {}", self.code, self.column)
    }
}

impl fmt::Debug for Unreadable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Unreadable({}, [sealed])", self.redacted())
    }
}
