//! MGRS (NGA.STND.0037): squares of 10 km to 1 m, read and written.
//!
//! The projections are geoconvert's; letters and digits are ours, because geoconvert 1.0.2 panics at latitude 0, writes the
//! wrong band letter on exact band edges, refuses longitude 180 and spaces, and reads `36P` and `36PVC` as places.

use super::position::Position;
use geoconvert::{LatLon, UtmUps};
use std::fmt;

const BANDS: &[u8; 20] = b"CDEFGHJKLMNPQRSTUVWX";
const UTM_COLUMNS: [&[u8]; 3] = [b"ABCDEFGH", b"JKLMNPQR", b"STUVWXYZ"];
const UTM_ROWS: &[u8; 20] = b"ABCDEFGHJKLMNPQRSTUV";
/// By band A, B, Y, Z.
const UPS_COLUMNS: [&[u8]; 4] = [b"JKLPQRSTUXYZ", b"ABCFGHJKLPQR", b"RSTUXYZ", b"ABCFGHJ"];
const UPS_ROWS: [&[u8]; 2] = [b"ABCDEFGHJKLMNPQRSTUVWXYZ", b"ABCDEFGHJKLMNP"];
const UPS_BANDS: &[u8; 4] = b"ABYZ";
/// Metres of a lettered square.
const TILE_M: u32 = 100_000;
/// The false easting at which the eastern half of UPS begins.
pub(crate) const UPS_MIDDLE_M: u32 = 2_000_000;

/// Why a text is no MGRS reference.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum MgrsError {
    /// Something other than letters, digits and spaces.
    #[error("an MGRS reference has only letters, digits and spaces, like 36P VC 52797 13755")]
    Character,
    /// The zone is not 1 to 60, or stands before a polar letter.
    #[error("an MGRS reference starts with a zone of 01 to 60, or with A, B, Y or Z near a pole")]
    Zone,
    /// The band letter is missing or none.
    #[error("the letter after the zone is a latitude band, C to X without I and O")]
    Band,
    /// The two letters of the 100 km square are missing or not of this zone.
    #[error(
        "the two letters of the 100 km square are missing, or no such square exists in this zone and band"
    )]
    Square,
    /// No digits: a whole grid zone or a 100 km square is no place.
    #[error("digits are missing: a grid zone or a 100 km square is no place; give 2 to 10 digits")]
    NoDigits,
    /// An odd number of digits.
    #[error(
        "the number of digits is odd: one was lost or doubled; easting and northing have equally many"
    )]
    OddDigits,
    /// More than ten digits.
    #[error("more than 10 digits; 10 name one metre")]
    TooManyDigits,
}

/// A square of the grid: 10 km (two digits) to 1 m (ten). Prints as `[sealed]`; [`Square::text`] says it.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Square {
    /// 1 to 60; 0 near the poles.
    zone: u8,
    /// Band letter.
    band: u8,
    /// South-west corner in metres, with the false easting and northing of its hemisphere.
    easting_m: u32,
    northing_m: u32,
    /// Digits of easting, and of northing: 1 to 5.
    digits: u8,
}

/// A place in the grid: zone (0 near the poles), band letter, metres.
pub(crate) struct GridPoint {
    pub zone: u8,
    pub band: u8,
    pub easting_m: f64,
    pub northing_m: f64,
}

/// Where a position lies in the grid.
pub(crate) fn grid_point(position: Position) -> GridPoint {
    let lat = position.lat();
    // geoconvert refuses longitude 180, which is −180; a negative zero would be southern.
    let lon = if position.lon() >= 180.0 {
        -180.0
    } else {
        position.lon()
    };
    let lat = if lat.abs() <= 0.0 { 0.0 } else { lat };
    let grid = LatLon::create(lat, lon).map(|p| UtmUps::from_latlon(&p));
    let (zone, easting_m, northing_m) =
        grid.map_or((0, 2e6, 2e6), |g| (g.zone(), g.easting(), g.northing()));
    let zone = u8::try_from(zone).unwrap_or_default();
    let band = if zone == 0 {
        let east = easting_m >= f64::from(UPS_MIDDLE_M);
        match (lat >= 0.0, east) {
            (true, true) => b'Z',
            (true, false) => b'Y',
            (false, true) => b'B',
            (false, false) => b'A',
        }
    } else {
        band_letter(lat)
    };
    // Just south of the equator, rounding may reach the false northing itself.
    let northing_m = if zone > 0 && band < b'N' {
        northing_m.min(9_999_999.999_999)
    } else {
        northing_m
    };
    GridPoint {
        zone,
        band,
        easting_m: easting_m.max(0.0),
        northing_m: northing_m.max(0.0),
    }
}

fn band_letter(lat: f64) -> u8 {
    // Dividing by eight first is exact: a hair south of the equator must not round into the north.
    #[allow(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "clamped to the table"
    )]
    let index = ((lat / 8.0).floor() + 10.0).clamp(0.0, 19.0) as usize;
    BANDS.get(index).copied().unwrap_or(b'X')
}

/// South and north of a band, degrees; the polar bands reach from 84 or −80 to the pole.
pub(crate) fn band_latitudes(band: u8) -> [f64; 2] {
    match (band, position_of(BANDS, band)) {
        (b'X', _) => [72.0, 84.0],
        (_, Some(index)) => {
            let south = -80.0 + 8.0 * f64::from(index);
            [south, south + 8.0]
        }
        (b'A' | b'B', None) => [-90.0, -80.0],
        _ => [84.0, 90.0],
    }
}

/// West and east of a grid zone, degrees: six wide, but for the exceptions of Norway and Svalbard. `None` where the zone
/// does not exist (32X, 34X, 36X).
pub(crate) fn zone_longitudes(zone: u8, band: u8) -> Option<[f64; 2]> {
    let west = f64::from(zone) * 6.0 - 186.0;
    match (zone, band) {
        (31, b'V') => Some([0.0, 3.0]),
        (32, b'V') => Some([3.0, 12.0]),
        (31, b'X') => Some([0.0, 9.0]),
        (33, b'X') => Some([9.0, 21.0]),
        (35, b'X') => Some([21.0, 33.0]),
        (37, b'X') => Some([33.0, 42.0]),
        (32 | 34 | 36, b'X') => None,
        (1..=60, _) => Some([west, west + 6.0]),
        _ => Some([-180.0, 180.0]),
    }
}

fn position_of(table: &[u8], letter: u8) -> Option<u32> {
    table
        .iter()
        .position(|l| *l == letter)
        .and_then(|index| u32::try_from(index).ok())
}

/// The position as MGRS with ten digits (1 m), cut off, not rounded, as the standard has it.
pub fn format(position: Position) -> String {
    Square::containing(position, 5).map_or_else(String::new, |square| square.text())
}

impl Square {
    /// The square of `digits` digits of easting (and of northing), 1 (10 km) to 5 (1 m), that holds the position.
    /// `None` when `digits` is out of range.
    pub fn containing(position: Position, digits: u8) -> Option<Self> {
        if !(1..=5).contains(&digits) {
            return None;
        }
        let at = grid_point(position);
        let size = size_m(digits);
        let cut = |metres: f64| {
            #[allow(
                clippy::cast_possible_truncation,
                clippy::cast_sign_loss,
                reason = "0 to 10,000,000 m"
            )]
            let whole = metres.floor() as u32;
            whole / size * size
        };
        Some(Self {
            zone: at.zone,
            band: at.band,
            easting_m: cut(at.easting_m),
            northing_m: cut(at.northing_m),
            digits,
        })
    }

    /// Reads a reference of 2 to 10 digits, in any case, with or without spaces: `36PVC5279713755`, `42s vf 87694 63602`.
    ///
    /// # Errors
    /// [`MgrsError`] naming the part that is wrong.
    pub fn parse(text: &str) -> Result<Self, MgrsError> {
        let mut letters: Vec<u8> = Vec::with_capacity(15);
        for c in text.chars().filter(|c| !c.is_whitespace()) {
            let Some(byte) = u8::try_from(c).ok().filter(u8::is_ascii_alphanumeric) else {
                return Err(MgrsError::Character);
            };
            if letters.len() == 20 {
                return Err(MgrsError::TooManyDigits);
            }
            letters.push(byte.to_ascii_uppercase());
        }
        let zone_length = letters.iter().take_while(|b| b.is_ascii_digit()).count();
        let (zone_text, rest) = letters.split_at(zone_length);
        let (zone, _) = number(zone_text);
        let polar = zone_text.is_empty();
        if zone_length > 2 || (!polar && !(1..=60).contains(&zone)) {
            return Err(MgrsError::Zone);
        }
        let zone = u8::try_from(zone).map_err(|_| MgrsError::Zone)?;
        let (&band, rest) = rest.split_first().ok_or(MgrsError::Band)?;
        if polar && !UPS_BANDS.contains(&band) {
            return Err(if BANDS.contains(&band) {
                MgrsError::Zone
            } else {
                MgrsError::Band
            });
        }
        if !polar && !BANDS.contains(&band) {
            return Err(if UPS_BANDS.contains(&band) {
                MgrsError::Zone
            } else {
                MgrsError::Band
            });
        }
        let [column, row, digits @ ..] = rest else {
            return Err(if rest.is_empty() {
                MgrsError::NoDigits
            } else {
                MgrsError::Square
            });
        };
        if !column.is_ascii_alphabetic() || !row.is_ascii_alphabetic() {
            return Err(MgrsError::Square);
        }
        let (within_e, within_n, digits) = split_digits(digits)?;
        let tile_e = column_m(zone, band, *column).ok_or(MgrsError::Square)?;
        let easting_m = tile_e + within_e;
        rows_m(zone, band, *row)
            .into_iter()
            .flatten()
            .map(|tile_n| Self {
                zone,
                band,
                easting_m,
                northing_m: tile_n + within_n,
                digits,
            })
            .find(Self::exists)
            .ok_or(MgrsError::Square)
    }

    /// The reference without spaces, in capitals, zone with two digits: `36PVC5279713755`, `ZAH0000000000`.
    pub fn text(&self) -> String {
        let zone = if self.zone == 0 {
            String::new()
        } else {
            format!("{:02}", self.zone)
        };
        let (column, row) = self.letters();
        let width = usize::from(self.digits);
        let size = size_m(self.digits);
        let (e, n) = (
            self.easting_m % TILE_M / size,
            self.northing_m % TILE_M / size,
        );
        format!(
            "{zone}{}{}{}{e:0width$}{n:0width$}",
            char::from(self.band),
            char::from(column),
            char::from(row)
        )
    }

    /// The length of its sides in metres: 10,000 for two digits to 1 for ten.
    pub fn size_m(&self) -> u32 {
        size_m(self.digits)
    }

    /// The south-west corner: what the reference names by the standard.
    pub fn corner(&self) -> Position {
        self.at(0.0, 0.0)
    }

    /// The middle: what a reference of few digits means when a single place is needed.
    pub fn centre(&self) -> Position {
        self.at(0.5, 0.5)
    }

    /// A place in the square, in parts of its sides from the south-west corner.
    pub(crate) fn at(&self, east: f64, north: f64) -> Position {
        let size = f64::from(self.size_m());
        self.metres(
            f64::from(self.easting_m) + east * size,
            f64::from(self.northing_m) + north * size,
        )
    }

    fn metres(&self, easting_m: f64, northing_m: f64) -> Position {
        let north = if self.zone == 0 {
            self.band >= b'Y'
        } else {
            self.band >= b'N'
        };
        UtmUps::create(i32::from(self.zone), north, easting_m, northing_m).map_or_else(
            |_| Position::wrapped(0.0, if north { 90.0 } else { -90.0 }),
            |utm| {
                let place = utm.to_latlon();
                Position::wrapped(place.longitude(), place.latitude())
            },
        )
    }

    pub(crate) fn zone(&self) -> u8 {
        self.zone
    }

    pub(crate) fn band(&self) -> u8 {
        self.band
    }

    pub(crate) fn new(zone: u8, band: u8, easting_m: u32, northing_m: u32, digits: u8) -> Self {
        Self {
            zone,
            band,
            easting_m,
            northing_m,
            digits,
        }
    }

    fn letters(&self) -> (u8, u8) {
        let (column, row) = (self.easting_m / TILE_M, self.northing_m / TILE_M);
        let pick = |table: &[u8], index: u32| {
            usize::try_from(index)
                .ok()
                .and_then(|index| table.get(index))
                .copied()
                .unwrap_or(b'?')
        };
        if self.zone == 0 {
            let band = position_of(UPS_BANDS, self.band).unwrap_or_default();
            let first_row = if band >= 2 { 13 } else { 8 };
            let first_column = if band % 2 == 1 { 20 } else { first_row };
            let columns = UPS_COLUMNS
                .iter()
                .zip(0_u32..)
                .find(|(_, b)| *b == band)
                .map_or(UPS_COLUMNS[0], |(c, _)| c);
            let rows = if band >= 2 { UPS_ROWS[1] } else { UPS_ROWS[0] };
            return (
                pick(columns, column.wrapping_sub(first_column)),
                pick(rows, row.wrapping_sub(first_row)),
            );
        }
        let shift = if self.zone.is_multiple_of(2) { 5 } else { 0 };
        (
            pick(utm_columns(self.zone), column.wrapping_sub(1)),
            pick(UTM_ROWS, (row + shift) % 20),
        )
    }

    /// Whether some of the square lies in its band and zone (within a few metres, as cut digits may).
    fn exists(&self) -> bool {
        if self.zone == 0 {
            let middle = self.centre();
            let slack = 1e-4 + f64::from(self.size_m()) / 100_000.0;
            return middle.lat() >= 84.0 - slack || middle.lat() <= -80.0 + slack;
        }
        let Some([west, east]) = zone_longitudes(self.zone, self.band) else {
            return false;
        };
        let [south, north] = band_latitudes(self.band);
        let corners = [(0.0, 0.0), (1.0, 0.0), (0.0, 1.0), (1.0, 1.0), (0.5, 0.5)]
            .map(|(e, n)| self.at(e, n));
        let middle_lon = f64::midpoint(west, east);
        let lon = |p: &Position| super::shape::outline::beside(p.lon(), middle_lon);
        let least =
            |f: &dyn Fn(&Position) -> f64| corners.iter().map(f).fold(f64::INFINITY, f64::min);
        let most =
            |f: &dyn Fn(&Position) -> f64| corners.iter().map(f).fold(f64::NEG_INFINITY, f64::max);
        let slack = 2e-5;
        least(&|p| p.lat()) <= north + slack
            && most(&|p| p.lat()) >= south - slack
            && least(&lon) <= east + slack
            && most(&lon) >= west - slack
    }
}

fn utm_columns(zone: u8) -> &'static [u8] {
    match zone % 3 {
        1 => UTM_COLUMNS[0],
        2 => UTM_COLUMNS[1],
        _ => UTM_COLUMNS[2],
    }
}

fn size_m(digits: u8) -> u32 {
    match digits {
        1 => 10_000,
        2 => 1_000,
        3 => 100,
        4 => 10,
        _ => 1,
    }
}

/// A run of digits as a number, and how many there are.
fn number(digits: &[u8]) -> (u32, usize) {
    (
        digits
            .iter()
            .take(9)
            .fold(0, |n, d| n * 10 + u32::from(d - b'0')),
        digits.len(),
    )
}

/// Easting and northing within the lettered square, metres, and the digits of each.
fn split_digits(text: &[u8]) -> Result<(u32, u32, u8), MgrsError> {
    if text.iter().any(|b| !b.is_ascii_digit()) {
        return Err(MgrsError::Square);
    }
    match text.len() {
        0 => return Err(MgrsError::NoDigits),
        n if n % 2 == 1 => return Err(MgrsError::OddDigits),
        n if n > 10 => return Err(MgrsError::TooManyDigits),
        _ => {}
    }
    let (east, north) = text.split_at(text.len() / 2);
    let ((east, digits), (north, _)) = (number(east), number(north));
    let digits = u8::try_from(digits).map_err(|_| MgrsError::TooManyDigits)?;
    Ok((east * size_m(digits), north * size_m(digits), digits))
}

/// Easting of a lettered column, metres.
fn column_m(zone: u8, band: u8, letter: u8) -> Option<u32> {
    if zone > 0 {
        return position_of(utm_columns(zone), letter).map(|index| (index + 1) * TILE_M);
    }
    let (columns, first) = match band {
        b'A' => (UPS_COLUMNS[0], 8),
        b'B' => (UPS_COLUMNS[1], 20),
        b'Y' => (UPS_COLUMNS[2], 13),
        _ => (UPS_COLUMNS[3], 20),
    };
    position_of(columns, letter).map(|index| (index + first) * TILE_M)
}

/// The northings that a lettered row may mean, metres: rows repeat every 2,000 km, and the band tells them apart.
fn rows_m(zone: u8, band: u8, letter: u8) -> [Option<u32>; 5] {
    if zone == 0 {
        let (rows, first) = if band >= b'Y' {
            (UPS_ROWS[1], 13)
        } else {
            (UPS_ROWS[0], 8)
        };
        return [
            position_of(rows, letter).map(|index| (index + first) * TILE_M),
            None,
            None,
            None,
            None,
        ];
    }
    let Some(index) = position_of(UTM_ROWS, letter) else {
        return [None; 5];
    };
    let shift = if zone.is_multiple_of(2) { 5 } else { 0 };
    let row = (index + 20 - shift) % 20;
    [0, 20, 40, 60, 80].map(|period| Some((row + period) * TILE_M))
}

impl fmt::Debug for Square {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("[sealed]")
    }
}

#[cfg(test)]
#[path = "mgrs_tests.rs"]
mod tests;
