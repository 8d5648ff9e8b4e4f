//! Positions written out again, in each format that the parser reads, so that a person can compare like with like.
//! Every text made here is read back to within its last digit.

use super::super::mgrs;
use super::{Format, Position};

/// Latitude, longitude in decimal degrees, six decimals (11 cm): `36.718030, 68.862210`.
pub fn decimal(position: Position) -> String {
    format!("{:.6}, {:.6}", position.lat(), position.lon())
}

/// Decimal degrees and, behind them, MGRS: how a reading is shown to a person.
pub fn both(position: Position) -> String {
    let grid = mgrs::format(position);
    if grid.is_empty() {
        decimal(position)
    } else {
        format!("{} ({grid})", decimal(position))
    }
}

impl Format {
    /// Writes a position in this format: decimals to 11 cm, minutes to 19 cm (four decimals), seconds to 31 cm (two),
    /// MGRS to one metre (ten digits, the square that holds the point).
    pub fn write(self, position: Position) -> String {
        match self {
            Self::Decimal => decimal(position),
            Self::DegreesMinutes => axes(position, degrees_minutes),
            Self::DegreesMinutesSeconds => axes(position, degrees_minutes_seconds),
            Self::Mgrs => mgrs::format(position),
        }
    }
}

fn axes(position: Position, write: fn(f64, usize) -> String) -> String {
    let (lat, lon) = (position.lat(), position.lon());
    let north = if lat.is_sign_negative() { 'S' } else { 'N' };
    let east = if lon.is_sign_negative() { 'W' } else { 'E' };
    format!(
        "{}{north} {}{east}",
        write(lat.abs(), 2),
        write(lon.abs(), 3)
    )
}

/// Counts the smallest unit in whole numbers first, so that rounding never writes 60.
fn whole_units(degrees: f64, per_degree: u32) -> u32 {
    let units = (degrees * f64::from(per_degree)).round();
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "0 ≤ degrees ≤ 180, per_degree ≤ 600 000: at most 1.08e8"
    )]
    let units = units as u32;
    units
}

fn degrees_minutes(degrees: f64, width: usize) -> String {
    let units = whole_units(degrees, 600_000);
    let (whole, rest) = (units / 600_000, units % 600_000);
    format!("{whole:0width$}°{:02}.{:04}'", rest / 10_000, rest % 10_000)
}

fn degrees_minutes_seconds(degrees: f64, width: usize) -> String {
    let units = whole_units(degrees, 360_000);
    let (whole, rest) = (units / 360_000, units % 360_000);
    let (minutes, rest) = (rest / 6_000, rest % 6_000);
    format!(
        "{whole:0width$}°{minutes:02}'{:02}.{:02}\"",
        rest / 100,
        rest % 100
    )
}
