//! Positions as people type them: decimal degrees, degrees and minutes, degrees-minutes-seconds, MGRS. What was typed is
//! kept beside the place on WGS84. Without letters or labels the order is **latitude, longitude**, as people write it
//! (GeoJSON's order is the other; it never comes through here).

use std::fmt;

use super::angles::{self, Pair};
use super::tokens::{self, Comma};
use super::{Position, Unreadable, format, slips};

/// Metres of a degree of latitude, near enough to say how precise a number of digits is.
const METRES_PER_DEGREE: f64 = 111_320.0;

/// How a position was written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// Decimal degrees: `36.71803, 68.86221`.
    Decimal,
    /// Degrees and decimal minutes (DDM): `36°43.0818'N 068°51.7326'E`.
    DegreesMinutes,
    /// Degrees, minutes and seconds (DMS): `36°43'4.91"N 68°51'43.96"E`.
    DegreesMinutesSeconds,
    /// Military Grid Reference System: `42SVF8769463602`.
    Mgrs,
}

impl Format {
    /// The name that a person knows it by.
    pub fn name(self) -> &'static str {
        match self {
            Self::Decimal => "decimal degrees",
            Self::DegreesMinutes => "degrees and minutes",
            Self::DegreesMinutesSeconds => "degrees, minutes and seconds",
            Self::Mgrs => "MGRS",
        }
    }
}

/// A known way of getting a coordinate wrong, undone by a [`Reading`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Slip {
    /// Longitude was typed before latitude.
    SwappedAxes,
    /// Degrees, minutes and seconds whose marks got lost: `36.43491` for 36°43'4.91".
    LostDegreeSigns,
    /// Degrees and minutes whose marks got lost: `36.430818` for 36°43.0818'.
    MinutesAsDecimals,
    /// Seconds typed as decimals of a minute: `36°43.491'` for 36°43'4.91".
    SecondsAsMinutes,
    /// Decimals of a minute typed as seconds: 36°43'08.18" for 36°43.0818'.
    MinutesAsSeconds,
    /// Decimals of a degree typed as minutes or seconds: 36°43.491' for 36.43491.
    DecimalsAsMinutes,
    /// A minus, or S or W, is missing or too much.
    LostHemisphere,
}

impl Slip {
    /// Stable kebab-case code; also the code of the warning that names this slip.
    pub fn code(self) -> &'static str {
        match self {
            Self::SwappedAxes => "swapped-axes",
            Self::LostDegreeSigns => "lost-degree-signs",
            Self::MinutesAsDecimals => "minutes-as-decimals",
            Self::SecondsAsMinutes => "seconds-as-minutes",
            Self::MinutesAsSeconds => "minutes-as-seconds",
            Self::DecimalsAsMinutes => "decimals-as-minutes",
            Self::LostHemisphere => "lost-hemisphere",
        }
    }

    /// What may have happened, as a sentence of a warning.
    pub fn explanation(self) -> &'static str {
        match self {
            Self::SwappedAxes => "latitude and longitude look swapped (latitude comes first)",
            Self::LostDegreeSigns => {
                "these look like degrees, minutes and seconds whose ° ' \" marks got lost"
            }
            Self::MinutesAsDecimals => {
                "these look like degrees and minutes whose ° ' marks got lost"
            }
            Self::SecondsAsMinutes => {
                "the digits after the point look like seconds, not decimals of a minute"
            }
            Self::MinutesAsSeconds => "the seconds look like decimals of a minute",
            Self::DecimalsAsMinutes => "the minutes look like decimals of a degree",
            Self::LostHemisphere => "a minus sign, or S or W, looks lost or added",
        }
    }
}

/// Another place that may have been meant, and the slip that leads there.
///
/// `Display` shows it as decimal degrees (latitude, longitude) and MGRS, for the person who typed; `Debug` is sealed.
#[derive(Clone, Copy, PartialEq)]
pub struct Reading {
    position: Position,
    slip: Slip,
}

impl Reading {
    pub(super) fn new(position: Position, slip: Slip) -> Self {
        Self { position, slip }
    }

    /// The place, WGS84.
    pub fn position(&self) -> Position {
        self.position
    }

    /// What would have happened.
    pub fn slip(&self) -> Slip {
        self.slip
    }
}

impl fmt::Display for Reading {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&format::both(self.position))
    }
}

impl fmt::Debug for Reading {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Reading({}, [sealed])", self.slip.code())
    }
}

/// A position as someone typed it. `Debug` is sealed.
#[derive(Clone, PartialEq)]
pub struct TypedPosition {
    /// The place, WGS84. Of MGRS the middle of the square.
    pub position: Position,
    /// Exactly what was typed.
    pub as_typed: String,
    /// How it was written.
    pub format: Format,
    /// The size on the ground of one unit in the last digit typed, in metres; of MGRS the side of the square.
    pub precision_m: f64,
    /// How far from `position` a place may lie, in metres, that is written with these digits: half the diagonal of what
    /// their last ones leave open; of MGRS the distance to the square's farthest corner.
    pub spread_m: f64,
    /// Other places that may have been meant, the likeliest first; at most eight.
    pub alternatives: Vec<Reading>,
    /// The digits alone speak for the first alternative: the two numbers have different numbers of decimals, and the
    /// same number when read that way.
    pub digits_tell: bool,
}

impl fmt::Debug for TypedPosition {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("TypedPosition([sealed])")
    }
}

/// Reads a position. At most [`super::MAX_CHARS`] characters.
///
/// # Errors
/// [`Unreadable`], with the column: the text is no position, or could be more than one.
pub fn parse_position(text: &str) -> Result<TypedPosition, Unreadable> {
    super::check_length(text)?;
    let characters = tokens::characters(text);
    if let Some(grid) = super::grid::recognise(&characters) {
        return super::grid::read(text, &grid);
    }
    if !has_tight_comma(&characters) {
        return read(text, Comma::Separator);
    }
    // `36,718 68,862` and `36.718,68.862`: read the comma both ways; it is certain when only one makes sense.
    match (read(text, Comma::Decimal), read(text, Comma::Separator)) {
        (Ok(a), Ok(b)) if a.position == b.position => Ok(a),
        (Ok(a), Ok(b)) => {
            let both = format!(
                "the comma can be a decimal comma ({}) or stand between the coordinates ({}). Write decimals with a point, or put a semicolon between the coordinates",
                format::decimal(a.position),
                format::decimal(b.position)
            );
            let column = characters
                .iter()
                .find(|(c, _)| *c == ',')
                .map_or(1, |(_, column)| *column);
            Err(Unreadable::new("ambiguous-comma", column, both))
        }
        (Ok(one), Err(_)) | (Err(_), Ok(one)) => Ok(one),
        (Err(decimal), Err(separator)) => Err(if text.contains('.') {
            separator
        } else {
            decimal
        }),
    }
}

fn has_tight_comma(characters: &[(char, usize)]) -> bool {
    characters.windows(3).any(|three| matches!(three, [(a, _), (',', _), (b, _)] if a.is_ascii_digit() && b.is_ascii_digit()))
}

fn read(text: &str, comma: Comma) -> Result<TypedPosition, Unreadable> {
    let pair = angles::pair(&tokens::tokenize(text, comma)?)?;
    let position = place_of(&pair)?;
    let (alternatives, digits_tell) = slips::other_readings(&pair);
    let format = match pair.lat.parts.len().max(pair.lon.parts.len()) {
        0 | 1 => Format::Decimal,
        2 => Format::DegreesMinutes,
        _ => Format::DegreesMinutesSeconds,
    };
    let shrink = position.lat().to_radians().cos().abs();
    let resolution_deg = pair
        .lat
        .resolution_deg()
        .max(pair.lon.resolution_deg() * shrink);
    let precision_m = resolution_deg * METRES_PER_DEGREE;
    Ok(TypedPosition {
        position,
        as_typed: text.to_owned(),
        format,
        precision_m,
        spread_m: spread_m(position, &pair),
        alternatives,
        digits_tell,
    })
}

/// The farthest place that rounds to the same digits: a corner of the box of half a unit to each side.
fn spread_m(position: Position, pair: &Pair) -> f64 {
    let (lat, lon) = (
        pair.lat.resolution_deg() / 2.0,
        pair.lon.resolution_deg() / 2.0,
    );
    farthest_m(
        position,
        [(lat, lon), (lat, -lon), (-lat, lon), (-lat, -lon)]
            .map(|(north, east)| Position::wrapped(position.lon() + east, position.lat() + north)),
    )
}

/// The greatest distance from a place to one of four corners, in metres.
pub(super) fn farthest_m(from: Position, corners: [Position; 4]) -> f64 {
    corners
        .iter()
        .map(|corner| from.distance_m(corner))
        .fold(0.0, f64::max)
}

fn place_of(pair: &Pair) -> Result<Position, Unreadable> {
    let (lat, lon) = (pair.lat.degrees(), pair.lon.degrees());
    if lat.abs() > 90.0 {
        let swapped = (!pair.named)
            .then(|| Position::new(lat, lon).ok())
            .flatten();
        let likely: Vec<Reading> = swapped
            .map(|place| Reading::new(place, Slip::SwappedAxes))
            .into_iter()
            .collect();
        let hint = if likely.is_empty() {
            ""
        } else {
            ". Latitude comes first here; if you typed longitude first, swap them or add N/S and E/W"
        };
        let message = format!("a latitude runs from -90 to 90 degrees{hint}");
        return Err(
            Unreadable::new("latitude-out-of-range", pair.lat.column, message).with_likely(likely),
        );
    }
    Position::new(lon, lat).map_err(|_| {
        Unreadable::new(
            "longitude-out-of-range",
            pair.lon.column,
            "a longitude runs from -180 to 180 degrees",
        )
    })
}
