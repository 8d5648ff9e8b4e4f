//! The military date-time group: day, hour and minute, zone letter, month, year: `031430ZMAY26` (ACP 121). Zone letters
//! A to M (without J) are UTC+1 to +12, N to Y are UTC−1 to −12, Z is UTC. J means “the observer's local time” and is
//! refused: nobody who reads it knows which that is.

use time::UtcOffset;

use super::Unreadable;
use super::datetime::{Clock, moment};
use super::time::{Found, TimeFormat};

/// Upper case; the first three letters are the military form.
pub(super) const MONTHS: [&str; 12] = [
    "JANUARY",
    "FEBRUARY",
    "MARCH",
    "APRIL",
    "MAY",
    "JUNE",
    "JULY",
    "AUGUST",
    "SEPTEMBER",
    "OCTOBER",
    "NOVEMBER",
    "DECEMBER",
];

/// 1 to 12 for a month's English name or its first three letters, in any case.
pub(super) fn month_number(word: &str) -> Option<u8> {
    let word = word.to_ascii_uppercase();
    let index = MONTHS
        .iter()
        .position(|name| *name == word || (word.len() == 3 && name.starts_with(&word)))?;
    u8::try_from(index + 1).ok()
}

/// Six digits or more, then a letter: no other format begins so.
pub(super) fn looks_like(characters: &[(char, usize)]) -> bool {
    let mut rest = characters
        .iter()
        .map(|(c, _)| *c)
        .filter(|c| *c != ' ')
        .skip_while(|c| !c.is_ascii_digit());
    let digits = rest.by_ref().take_while(char::is_ascii_digit).count();
    let begins_with_digit = characters
        .iter()
        .find(|(c, _)| *c != ' ')
        .is_some_and(|(c, _)| c.is_ascii_digit());
    // `3 May 2026 14:30` has fewer digits in front, `2026-05-03` a dash behind.
    begins_with_digit && digits >= 5 && all_alphanumeric(characters)
}

fn all_alphanumeric(characters: &[(char, usize)]) -> bool {
    characters
        .iter()
        .all(|(c, _)| *c == ' ' || *c == '*' || c.is_ascii_alphanumeric())
}

pub(super) fn read(characters: &[(char, usize)]) -> Result<Found, Unreadable> {
    let mut marks = characters
        .iter()
        .copied()
        .filter(|(c, _)| *c != ' ')
        .peekable();
    let start = marks.peek().map_or(1, |(_, column)| *column);
    let mut take = |test: fn(&char) -> bool| {
        let at = marks
            .peek()
            .map_or(characters.len() + 1, |(_, column)| *column);
        let mut out = String::new();
        while let Some((c, _)) = marks.next_if(|(c, _)| test(c)) {
            out.push(c);
        }
        (out, at)
    };
    let (digits, _) = take(char::is_ascii_digit);
    let (letters, letters_at) = take(char::is_ascii_alphabetic);
    let (year, year_at) = take(char::is_ascii_digit);
    if let Some((c, at)) = marks.next() {
        return Err(if c == '*' {
            Unreadable::new(
                "dtg-half-hour",
                at,
                "zone letters with * (half hours) are not read. Write the offset: 2026-05-03T19:00+04:30",
            )
        } else {
            Unreadable::new("dtg-form", at, FORM)
        });
    }
    if digits.len() != 6 {
        let message = "a date-time group begins with six digits: day, hour, minute. 031430Z is the 3rd, 14:30 UTC";
        return Err(Unreadable::new("dtg-digits", start, message));
    }
    let (offset_hours, month) = zone_and_month(&letters, letters_at)?;
    let year = match (year.len(), year.parse::<i32>()) {
        (2, Ok(year)) => 2000 + year,
        (4, Ok(year)) => year,
        _ => {
            return Err(Unreadable::new(
                "dtg-year",
                year_at,
                "the year has two or four digits, like 031430ZMAY26",
            ));
        }
    };
    let two = |from: usize| {
        digits
            .get(from..from + 2)
            .and_then(|two| two.parse::<u8>().ok())
            .unwrap_or(u8::MAX)
    };
    let clock = Clock {
        year,
        month,
        day: two(0),
        hour: two(2),
        minute: two(4),
        second: 0,
        nanosecond: 0,
        date_at: start,
        time_at: start,
    };
    let offset = UtcOffset::from_hms(offset_hours, 0, 0).unwrap_or(UtcOffset::UTC);
    let utc = moment(clock.local()?, offset, start)?;
    Ok(Found {
        utc,
        format: TimeFormat::Dtg,
        offset,
        zone: None,
    })
}

const FORM: &str =
    "this is no date-time group. Write day, hour, minute, zone letter, month, year: 031430ZMAY26";

/// `ZMAY`: hours east of UTC, month 1 to 12.
fn zone_and_month(letters: &str, letters_at: usize) -> Result<(i8, u8), Unreadable> {
    let (zone, month_word) = letters
        .split_at_checked(1)
        .ok_or_else(|| Unreadable::new("dtg-form", letters_at, FORM))?;
    if month_number(letters).is_some() {
        let message =
            "the zone letter is missing before the month. Write Z for UTC, like 031430ZMAY26";
        return Err(Unreadable::new("dtg-zone-missing", letters_at, message));
    }
    let offset_hours = zone_hours(zone, letters_at)?;
    if month_word.is_empty() {
        let message =
            "month and year are missing. Write them after the zone letter, like 031430ZMAY26";
        return Err(Unreadable::new(
            "dtg-month-missing",
            letters_at + 1,
            message,
        ));
    }
    let month = month_number(month_word).ok_or_else(|| {
        let message = "this is no month. Use the first three English letters: JAN FEB MAR APR MAY JUN JUL AUG SEP OCT NOV DEC";
        Unreadable::new("dtg-month", letters_at + 1, message)
    })?;
    Ok((offset_hours, month))
}

fn zone_hours(letter: &str, column: usize) -> Result<i8, Unreadable> {
    const EAST: &str = "ABCDEFGHIKLM";
    const WEST: &str = "NOPQRSTUVWXY";
    let letter = letter.to_ascii_uppercase();
    let place = |row: &str| {
        row.find(&letter)
            .and_then(|index| i8::try_from(index + 1).ok())
    };
    match letter.as_str() {
        "Z" => Ok(0),
        "J" => Err(Unreadable::new(
            "dtg-zone-j",
            column,
            "zone J means “local time”, and whoever reads it cannot know which. Use Z, or the letter of the zone",
        )),
        _ => place(EAST)
            .or_else(|| place(WEST).map(|hours| -hours))
            .ok_or_else(|| Unreadable::new("dtg-form", column, FORM)),
    }
}
