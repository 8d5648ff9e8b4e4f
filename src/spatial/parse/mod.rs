//! Coordinates and times as people type them, and the linter that asks back. Lives hang on a digit here, so nothing is
//! guessed and nothing is put right in silence: what was typed is kept, what is uncertain is an error that says what to
//! add, and what is legal but odd is a [`lint::Warning`] that names the reading that was likely meant.
//!
//! Everything shown to the person who typed may carry the place; `Debug` of every type here is sealed, and
//! [`Unreadable::redacted`] and [`lint::Warning::redacted`] are what a server may pass on.

mod angles;
mod coordinates;
mod country;
mod datetime;
mod dtg;
mod duration;
mod error;
pub mod format;
mod grid;
mod groups;
pub mod lint;
mod slips;
mod time;
mod tokens;
mod zone;

use super::position::Position;

pub use self::coordinates::{Format, Reading, Slip, TypedPosition, parse_position};
pub use self::country::Country;
pub use self::duration::{MAX_DURATION, MAX_SLACK, TypedDuration, parse_duration, parse_slack};
pub use self::error::Unreadable;
pub use self::time::{TimeFormat, TypedTime, format_dtg, format_rfc3339, parse_time};

/// Longest text that is read as one position or one time, in characters. It bounds the work.
pub const MAX_CHARS: usize = 256;

fn check_length(text: &str) -> Result<(), Unreadable> {
    if text.chars().nth(MAX_CHARS).is_some() {
        return Err(Unreadable::new(
            "too-long",
            MAX_CHARS + 1,
            format!("this is longer than {MAX_CHARS} characters; give one value only"),
        ));
    }
    Ok(())
}

#[cfg(test)]
mod coordinate_tests;
#[cfg(test)]
mod lint_tests;
#[cfg(test)]
mod time_tests;
