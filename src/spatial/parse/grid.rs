//! MGRS as people type it: with or without spaces and dashes, four to ten digits, any case. Its form is judged here, so
//! that a dropped or doubled digit is refused with words that help; what it names is left to the grid itself.
//! (NGA.STND.0037, Universal Grids and Grid Reference Systems.)

use super::super::mgrs::Square;
use super::{Format, Position, Reading, TypedPosition, Unreadable};
use crate::domain::plural;

/// Something that is meant as MGRS.
pub(super) struct Grid {
    /// `42`, or empty near the poles.
    zone: String,
    /// `SVF`: band and square; near the poles also three letters.
    letters: String,
    /// The groups of digits as typed: one, two, or wrong.
    groups: Vec<String>,
    column: usize,
    digits_column: usize,
}

/// Words of three letters that may stand between numbers of a latitude and longitude. They can be squares too: then
/// their digits stand together, or in two equal halves too long for minutes.
const WORDS: [&str; 10] = [
    "DEG", "MIN", "SEC", "LAT", "LON", "LNG", "EST", "SUD", "SUR", "OST",
];

/// Whether the text has the form of MGRS: up to two digits, three letters, then digits only.
pub(super) fn recognise(characters: &[(char, usize)]) -> Option<Grid> {
    let is_gap = |c: char| matches!(c, ' ' | '-' | '_');
    let mut marks = characters.iter().filter(|(c, _)| !is_gap(*c)).peekable();
    let column = marks.peek()?.1;
    let mut take = |test: fn(&char) -> bool, most: usize| {
        let mut out = String::new();
        while out.len() < most {
            let Some((c, _)) = marks.next_if(|(c, _)| test(c)) else {
                break;
            };
            out.push(c.to_ascii_uppercase());
        }
        out
    };
    let zone = take(char::is_ascii_digit, 2);
    let letters = take(char::is_ascii_alphabetic, 3);
    if letters.len() != 3 || (zone.is_empty() && starts_like_words(&letters)) {
        return None;
    }
    if !marks.clone().all(|(c, _)| c.is_ascii_digit()) {
        return None;
    }
    let digits_column = marks.peek().map_or(column, |(_, at)| *at);
    let tail: String = characters
        .iter()
        .filter(|(_, at)| *at >= digits_column)
        .map(|(c, _)| *c)
        .collect();
    let groups = tail
        .split(is_gap)
        .filter(|group| !group.is_empty() && group.chars().all(|c| c.is_ascii_digit()));
    let groups: Vec<String> = groups.map(str::to_owned).collect();
    let sure = match groups.as_slice() {
        [all] => all.len() >= 4,
        [east, north] => east.len() == north.len() && east.len() >= 3,
        _ => false,
    };
    if WORDS.contains(&letters.as_str()) && !sure {
        return None;
    }
    Some(Grid {
        zone,
        letters,
        groups,
        column,
        digits_column,
    })
}

/// Without a zone only A, B, Y, Z open a reference; other letters there are a reference whose zone is missing when
/// digits follow, which [`read`] says.
fn starts_like_words(letters: &str) -> bool {
    letters.chars().all(|c| matches!(c, 'N' | 'S' | 'E' | 'W'))
}

/// Reads it, or says what is wrong with it.
pub(super) fn read(text: &str, grid: &Grid) -> Result<TypedPosition, Unreadable> {
    let digits: String = grid.groups.concat();
    if grid.groups.is_empty() {
        return Err(Unreadable::new(
            "mgrs-without-digits",
            grid.column,
            "this MGRS reference has no digits, so it names a whole square of 100 km. Add 4 to 10 digits, like 42SVF8769463602",
        ));
    }
    check_letters(grid)?;
    check_digits(grid, &digits)?;
    let canonical = format!("{}{}{digits}", grid.zone, grid.letters);
    let square = Square::parse(&canonical).map_err(|_| {
        Unreadable::new(
            "mgrs-no-such-square",
            grid.column,
            "there is no such MGRS square: zone, band and square letters do not belong together. Read the letters again from the map or the device",
        )
    })?;
    let position = square.centre();
    Ok(TypedPosition {
        position,
        as_typed: text.to_owned(),
        format: Format::Mgrs,
        precision_m: f64::from(square.size_m()),
        spread_m: super::coordinates::farthest_m(
            position,
            [(0.0, 0.0), (1.0, 0.0), (0.0, 1.0), (1.0, 1.0)].map(|(e, n)| square.at(e, n)),
        ),
        alternatives: turned(grid, &digits, position),
        digits_tell: false,
    })
}

fn check_letters(grid: &Grid) -> Result<(), Unreadable> {
    if grid.letters.contains(['I', 'O']) {
        return Err(Unreadable::new(
            "mgrs-letter",
            grid.column,
            "MGRS never uses the letters I and O, so that nobody takes them for 1 and 0. Read the letters again",
        ));
    }
    let polar = grid.letters.starts_with(['A', 'B', 'Y', 'Z']);
    let zone: u8 = grid.zone.parse().unwrap_or(0);
    match (grid.zone.is_empty(), polar) {
        (true, false) => Err(Unreadable::new(
            "mgrs-zone-missing",
            grid.column,
            "the zone is missing: MGRS begins with one or two digits and a letter, like 42S. Without it the reference names many places",
        )),
        (false, true) => Err(Unreadable::new(
            "mgrs-letter",
            grid.column,
            "the letter after the zone number runs from C to X. Read it again",
        )),
        (false, false) if !(1..=60).contains(&zone) => Err(Unreadable::new(
            "mgrs-zone",
            grid.column,
            "MGRS zones run from 1 to 60. Read the first digits again",
        )),
        _ => Ok(()),
    }
}

fn check_digits(grid: &Grid, digits: &str) -> Result<(), Unreadable> {
    let count = digits.len();
    let error = |code, message: String| Err(Unreadable::new(code, grid.digits_column, message));
    if count % 2 == 1 {
        return error(
            "mgrs-odd-digits",
            format!(
                "{}: MGRS has as many for east as for north, so one is missing or too much. Give 10 for a building",
                plural::count(count, "digit")
            ),
        );
    }
    if let [east, north] = grid.groups.as_slice()
        && east.len() != north.len()
    {
        return error(
            "mgrs-uneven-digits",
            format!(
                "{} for east, but {} for north: one was lost or doubled. Both need as many",
                plural::count(east.len(), "digit"),
                north.len()
            ),
        );
    }
    if !(4..=10).contains(&count) {
        return error(
            "mgrs-digit-count",
            format!(
                "{}: MGRS is read with 4, 6, 8 or 10. Give 10 for a building",
                plural::count(count, "digit")
            ),
        );
    }
    Ok(())
}

/// East and north exchanged: the MGRS form of swapped axes.
fn turned(grid: &Grid, digits: &str, position: Position) -> Vec<Reading> {
    let Some((east, north)) = digits.split_at_checked(digits.len() / 2) else {
        return Vec::new();
    };
    if east == north {
        return Vec::new();
    }
    Square::parse(&format!("{}{}{north}{east}", grid.zone, grid.letters))
        .ok()
        .map(|square| square.centre())
        .filter(|turned| *turned != position)
        .map(|turned| Reading::new(turned, super::Slip::SwappedAxes))
        .into_iter()
        .collect()
}
