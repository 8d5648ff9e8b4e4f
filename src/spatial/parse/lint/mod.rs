//! The linter: pure functions that look at what was typed, with what else is known, and ask. A warning names what is odd
//! and the reading that was likely meant; it never changes anything, since a wrong correction kills as surely as a wrong
//! digit. With `--strict` the caller refuses whatever has a warning.

mod borders;
mod position;
mod route;
mod window;

use std::fmt;

use time::OffsetDateTime;

pub use self::borders::{lies_in, meets_country};
pub use self::position::{FAR_M, PlaceContext, lint_position};
pub use self::route::{MAX_SPEED_KMH, RouteContext, TypedWaypoint, lint_route};
pub use self::window::{WindowContext, lint_window};

use super::{Reading, Slip};

/// Shown wherever the linter is described: the licence of the borders asks for it.
pub const BORDERS_ATTRIBUTION: &str =
    "Borders: © OpenStreetMap contributors, Open Database License 1.0, simplified";

/// What a warning is about. The text form is stable.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Code {
    /// A known slip explains what is odd.
    Slip(Slip),
    /// Far from where the last revision of the same object had it.
    FarFromLastRevision,
    /// Not in the declared country.
    OutsideDeclaredCountry,
    /// In no country and no territorial waters.
    InTheSea,
    /// At or near latitude 0, longitude 0, or one of them exactly 0: what empty fields become.
    NullIsland,
    /// The last digit typed is worth more metres than the category can bear.
    TooFewDigits,
    /// The window is over already.
    WindowInThePast,
    /// The window begins sooner than the lead time that the context asks for.
    ShortNotice,
    /// The window looks shifted by the offset of the country's zone.
    WindowShiftedByZone,
    /// The times have an offset that the declared country does not use then.
    ZoneNotOfCountry,
    /// The window ends before it begins.
    WindowEndsBeforeStart,
    /// A leg that nobody can drive in its time.
    LegTooFast,
    /// A waypoint is earlier than the one before it.
    TimesOutOfOrder,
}

impl Code {
    /// The stable kebab-case text.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Slip(slip) => slip.code(),
            Self::FarFromLastRevision => "far-from-last-revision",
            Self::OutsideDeclaredCountry => "outside-declared-country",
            Self::InTheSea => "in-the-sea",
            Self::NullIsland => "null-island",
            Self::TooFewDigits => "too-few-digits",
            Self::WindowInThePast => "window-in-the-past",
            Self::ShortNotice => "short-notice",
            Self::WindowShiftedByZone => "window-shifted-by-zone",
            Self::ZoneNotOfCountry => "zone-not-of-country",
            Self::WindowEndsBeforeStart => "window-ends-before-start",
            Self::LegTooFast => "leg-too-fast",
            Self::TimesOutOfOrder => "times-out-of-order",
        }
    }
}

impl fmt::Display for Code {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// What was likely meant.
#[derive(Clone, Copy, PartialEq)]
pub enum Likely {
    /// Another place.
    Place(Reading),
    /// Another window, UTC.
    Window {
        /// Its beginning.
        from: OffsetDateTime,
        /// Its end, if it has one.
        to: Option<OffsetDateTime>,
    },
}

impl fmt::Debug for Likely {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Likely([sealed])")
    }
}

/// A question to the person who typed. `Display` is the whole text, for that person only; `Debug` is sealed.
#[derive(Clone, PartialEq)]
pub struct Warning {
    /// What it is about.
    pub code: Code,
    /// Where: a JSON pointer, a cell, a column name, as the caller gave it.
    pub subject: String,
    /// What is odd, and what to do. Carries places and times.
    pub message: String,
    /// What was likely meant, if that can be said.
    pub likely: Option<Likely>,
}

impl Warning {
    /// Code and subject only: for a server's answer, a log line, a metric.
    pub fn redacted(&self) -> String {
        if self.subject.is_empty() {
            self.code.to_string()
        } else {
            format!("{} at {}", self.code, self.subject)
        }
    }
}

impl fmt::Display for Warning {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.subject.is_empty() {
            f.write_str(&self.message)
        } else {
            write!(f, "{}: {}", self.subject, self.message)
        }
    }
}

impl fmt::Debug for Warning {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Warning({}, [sealed])", self.redacted())
    }
}

/// `874 m`, `44.1 km`, `1,204 km` would read worse: figures as a person says them.
fn distance_text(metres: f64) -> String {
    if metres < 1_000.0 {
        format!("{metres:.0} m")
    } else if metres < 100_000.0 {
        format!("{:.1} km", metres / 1_000.0)
    } else {
        format!("{:.0} km", metres / 1_000.0)
    }
}
