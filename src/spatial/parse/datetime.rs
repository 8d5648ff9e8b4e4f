//! Date and time with a zone: RFC 3339, and the looser forms that people type (`2026-05-03 19:00 Asia/Kabul`,
//! `3 May 2026 19:00 +04:30`). Day and month in figures (`03/05/2026`) are refused, since half the world reads them the
//! other way round; so are zone abbreviations, since IST alone is three zones.

use jiff::tz::TimeZone;
use time::{Date, Month, OffsetDateTime, PrimitiveDateTime, Time, UtcOffset};

use super::Unreadable;
use super::dtg::month_number;
use super::time::{Found, TimeFormat};
use super::zone::{checked_against_zone, in_zone, named};

/// Years that are read: anything else is a slip.
const YEARS: std::ops::RangeInclusive<i32> = 2000..=2199;
/// The largest offset in use, in seconds: Kiribati's +14:00.
const MAX_OFFSET_S: i32 = 14 * 3600;

/// The figures of a date and a time, not yet checked.
pub(super) struct Clock {
    pub(super) year: i32,
    pub(super) month: u8,
    pub(super) day: u8,
    pub(super) hour: u8,
    pub(super) minute: u8,
    pub(super) second: u8,
    pub(super) nanosecond: u32,
    pub(super) date_at: usize,
    pub(super) time_at: usize,
}

impl Clock {
    pub(super) fn local(&self) -> Result<PrimitiveDateTime, Unreadable> {
        if !YEARS.contains(&self.year) {
            let message = format!("the year must be from {} to {}", YEARS.start(), YEARS.end());
            return Err(Unreadable::new("year-out-of-range", self.date_at, message));
        }
        let date = Month::try_from(self.month)
            .ok()
            .and_then(|month| Date::from_calendar_date(self.year, month, self.day).ok());
        let date = date.ok_or_else(|| {
            Unreadable::new(
                "no-such-day",
                self.date_at,
                "there is no such day in the calendar. Check day and month",
            )
        })?;
        let time = Time::from_hms_nano(self.hour, self.minute, self.second, self.nanosecond).map_err(|_| {
            let message = "there is no such time: hours run from 00 to 23, minutes and seconds from 00 to 59. Midnight at a day's end is 00:00 of the next day";
            Unreadable::new("no-such-time", self.time_at, message)
        })?;
        Ok(PrimitiveDateTime::new(date, time))
    }
}

/// The moment of a local time with an offset.
pub(super) fn moment(
    local: PrimitiveDateTime,
    offset: UtcOffset,
    column: usize,
) -> Result<OffsetDateTime, Unreadable> {
    local
        .assume_offset(offset)
        .checked_to_offset(UtcOffset::UTC)
        .ok_or_else(|| Unreadable::new("year-out-of-range", column, "this time is too far away"))
}

pub(super) fn read(
    characters: &[(char, usize)],
    default_zone: Option<&str>,
) -> Result<Found, Unreadable> {
    let mut scanner = Scanner {
        rest: characters,
        end: characters.last().map_or(1, |(_, column)| column + 1),
    };
    let (clock, strict) = clock(&mut scanner)?;
    let local = clock.local()?;
    scanner.spaces();
    let zone_at = scanner.column();
    let zone = zone(&mut scanner)?;
    scanner.spaces();
    if !scanner.rest.is_empty() {
        return Err(Unreadable::new(
            "text-after-time",
            scanner.column(),
            "there is more text after the time; give one time only",
        ));
    }
    match zone {
        Zone::Offset(offset) => {
            let format = if strict {
                TimeFormat::Rfc3339
            } else {
                TimeFormat::Local
            };
            Ok(Found {
                utc: moment(local, offset, clock.date_at)?,
                format,
                offset,
                zone: None,
            })
        }
        Zone::Named(zone) => in_zone(local, &zone, zone_at),
        Zone::Both(offset, zone) => checked_against_zone(local, offset, &zone, zone_at),
        Zone::None => match default_zone.map(|name| named(name, zone_at)).transpose()? {
            Some(zone) => in_zone(local, &zone, zone_at),
            None => Err(Unreadable::new(
                "zone-missing",
                zone_at,
                "the zone is missing, and a wrong one moves a convoy by hours. Add Z for UTC, an offset like +03:00, or a zone like Africa/Khartoum",
            )),
        },
    }
}

enum Zone {
    None,
    Offset(UtcOffset),
    Named(TimeZone),
    Both(UtcOffset, TimeZone),
}

struct Scanner<'a> {
    rest: &'a [(char, usize)],
    end: usize,
}

impl Scanner<'_> {
    fn peek(&self) -> Option<char> {
        self.rest.first().map(|(c, _)| *c)
    }

    fn column(&self) -> usize {
        self.rest.first().map_or(self.end, |(_, column)| *column)
    }

    fn take(&mut self, test: impl Fn(char) -> bool) -> String {
        let length = self.rest.iter().take_while(|(c, _)| test(*c)).count();
        let (taken, rest) = self.rest.split_at(length);
        self.rest = rest;
        taken.iter().map(|(c, _)| *c).collect()
    }

    fn eat(&mut self, wanted: char) -> bool {
        let hit = self.peek() == Some(wanted);
        if hit {
            self.rest = self.rest.get(1..).unwrap_or_default();
        }
        hit
    }

    fn spaces(&mut self) {
        self.take(|c| c == ' ');
    }

    fn digits(&mut self) -> String {
        self.take(|c| c.is_ascii_digit())
    }
}

/// A number that is out of range anyway when it does not fit.
fn small(digits: &str) -> u8 {
    digits.parse().unwrap_or(u8::MAX)
}

/// Date and time; and whether both are in the form of RFC 3339 so far.
fn clock(scanner: &mut Scanner<'_>) -> Result<(Clock, bool), Unreadable> {
    scanner.spaces();
    let date_at = scanner.column();
    let (year, month, day, dashes) = date(scanner)?;
    let mut separator = scanner.take(|c| matches!(c, ' ' | ','));
    if scanner.peek().is_some_and(|c| matches!(c, 'T' | 't')) {
        separator = scanner.take(|c| matches!(c, 'T' | 't'));
    }
    let time_at = scanner.column();
    let no_time = || {
        let message = "the time is missing or has no colon. Write hours and minutes of the 24-hour clock, like 2026-05-03 19:00 Asia/Kabul";
        Unreadable::new("time-missing", time_at, message)
    };
    let hour = scanner.digits();
    if hour.is_empty() || hour.len() > 2 || separator.is_empty() || !scanner.eat(':') {
        return Err(no_time());
    }
    let minute = scanner.digits();
    if minute.len() != 2 {
        return Err(no_time());
    }
    let (mut second, mut nanosecond, mut seconds_given) = (0, 0, false);
    if scanner.eat(':') {
        let digits = scanner.digits();
        seconds_given = digits.len() == 2;
        second = if seconds_given {
            small(&digits)
        } else {
            u8::MAX
        };
        if scanner.peek().is_some_and(|c| matches!(c, '.' | ',')) {
            scanner.take(|c| matches!(c, '.' | ','));
            nanosecond = nanoseconds(&scanner.digits());
        }
    }
    let strict = dashes && separator.len() == 1 && seconds_given && hour.len() == 2;
    let clock = Clock {
        year,
        month,
        day,
        hour: small(&hour),
        minute: small(&minute),
        second,
        nanosecond,
        date_at,
        time_at,
    };
    Ok((clock, strict))
}

/// The first nine digits; finer ones are cut off.
fn nanoseconds(digits: &str) -> u32 {
    let nine: String = digits.chars().chain("000000000".chars()).take(9).collect();
    nine.parse().unwrap_or(0)
}

/// `2026-05-03` (also with `/` or `.`), `3 May 2026`.
fn date(scanner: &mut Scanner<'_>) -> Result<(i32, u8, u8, bool), Unreadable> {
    let at = scanner.column();
    let form = || {
        let message = "this is no date. Write year-month-day and the time, like 2026-05-03 19:00 Asia/Kabul, or a date-time group like 031430ZMAY26";
        Unreadable::new("no-date", at, message)
    };
    let first = scanner.digits();
    match first.len() {
        4 => {
            let mark = scanner
                .peek()
                .filter(|c| matches!(c, '-' | '/' | '.'))
                .ok_or_else(form)?;
            scanner.eat(mark);
            let month = scanner.digits();
            let again = scanner.eat(mark);
            let day = scanner.digits();
            if !again || !matches!(month.len(), 1 | 2) || !matches!(day.len(), 1 | 2) {
                return Err(form());
            }
            let dashes = mark == '-' && month.len() == 2 && day.len() == 2;
            Ok((
                first.parse().unwrap_or(0),
                small(&month),
                small(&day),
                dashes,
            ))
        }
        1 | 2 => {
            if scanner.peek().is_some_and(|c| matches!(c, '/' | '.' | '-'))
                && scanner.rest.get(1).is_some_and(|(c, _)| c.is_ascii_digit())
            {
                let message = "day and month in figures are read both ways around. Write year-month-day (2026-05-03), or the month's name (3 May 2026)";
                return Err(Unreadable::new("ambiguous-date", at, message));
            }
            scanner.take(|c| matches!(c, ' ' | '-' | '.'));
            let month =
                month_number(&scanner.take(|c| c.is_ascii_alphabetic())).ok_or_else(form)?;
            scanner.take(|c| matches!(c, ' ' | '-' | '.' | ','));
            let year = scanner.digits();
            if year.len() != 4 {
                return Err(form());
            }
            Ok((year.parse().unwrap_or(0), month, small(&first), false))
        }
        _ => Err(form()),
    }
}

fn zone(scanner: &mut Scanner<'_>) -> Result<Zone, Unreadable> {
    let at = scanner.column();
    let mut name = scanner.take(|c| c.is_ascii_alphabetic());
    let universal = ["z", "utc", "gmt"]
        .iter()
        .any(|word| name.eq_ignore_ascii_case(word));
    let signed = scanner.peek().is_some_and(|c| matches!(c, '+' | '-'));
    let offset = match (universal || name.is_empty(), signed) {
        // `+04:30`, `UTC+3`.
        (true, true) => Some(offset(scanner)?),
        (true, false) => universal.then_some(UtcOffset::UTC),
        (false, _) => None,
    };
    if offset.is_some() {
        name.clear();
    } else {
        name += &scanner.take(|c| c.is_ascii_alphanumeric() || matches!(c, '/' | '_' | '-' | '+'));
    }
    scanner.spaces();
    let bracketed = scanner.eat('[');
    if bracketed {
        name = scanner.take(|c| c != ']');
        if !scanner.eat(']') {
            return Err(Unreadable::new(
                "zone-unknown",
                at,
                "the bracket of the zone is not closed",
            ));
        }
    }
    match (offset, name.is_empty()) {
        (None, true) => Ok(Zone::None),
        (Some(offset), true) => Ok(Zone::Offset(offset)),
        (None, false) => Ok(Zone::Named(named(&name, at)?)),
        (Some(offset), false) => Ok(Zone::Both(offset, named(&name, at)?)),
    }
}

/// `+04:30`, `+0430`, `+04`, `+4`.
fn offset(scanner: &mut Scanner<'_>) -> Result<UtcOffset, Unreadable> {
    let at = scanner.column();
    let west = scanner.take(|c| matches!(c, '+' | '-')) == "-";
    let mut hours = scanner.digits();
    let mut minutes = String::new();
    if hours.len() == 4 {
        minutes = hours.split_off(2);
    } else if scanner.eat(':') {
        minutes = scanner.digits();
    }
    let well_formed = matches!(hours.len(), 1 | 2)
        && matches!(minutes.len(), 0 | 2)
        && small(&format!("0{minutes}")) < 60;
    let seconds = i32::from(small(&hours)) * 3600 + i32::from(small(&format!("0{minutes}"))) * 60;
    let found = UtcOffset::from_whole_seconds(if west { -seconds } else { seconds }).ok();
    found.filter(|_| well_formed && seconds <= MAX_OFFSET_S).ok_or_else(|| {
        Unreadable::new("offset-out-of-range", at, "this is no offset from UTC. Write it like +03:00 or +04:30; it runs from -14:00 to +14:00")
    })
}
