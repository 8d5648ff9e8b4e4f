//! Durations (`30m`, `2h`, `1d12h`, `PT30M`) and slack (`±15m`) as people type them. A number without a unit, a clock-like
//! `1:30` and months are refused: each can mean two things.

use std::fmt;

use time::Duration;

use super::{Unreadable, tokens};

/// The longest duration that is read: ten years.
pub const MAX_DURATION: Duration = Duration::days(3660);
/// The largest slack: a week.
pub const MAX_SLACK: Duration = Duration::days(7);

/// A duration, or a slack on either side, as someone typed it. `Debug` is sealed.
#[derive(Clone, PartialEq, Eq)]
pub struct TypedDuration {
    /// Never negative.
    pub duration: Duration,
    /// Exactly what was typed.
    pub as_typed: String,
}

impl fmt::Debug for TypedDuration {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("TypedDuration([sealed])")
    }
}

/// Reads a duration longer than nothing: `30m`, `1d12h`, `2 hours`, `PT30M` (ISO 8601 without months and years).
///
/// # Errors
/// [`Unreadable`], with the column.
pub fn parse_duration(text: &str) -> Result<TypedDuration, Unreadable> {
    super::check_length(text)?;
    let duration = read(&tokens::characters(text), MAX_DURATION)?;
    if duration.is_zero() {
        return Err(Unreadable::new(
            "duration-zero",
            1,
            "this lasts no time at all. Give at least a minute, like 30m",
        ));
    }
    Ok(TypedDuration {
        duration,
        as_typed: text.to_owned(),
    })
}

/// Reads a slack, the time that something may be early or late: `±15m`, `+-900s`, `+/- 15 min`, or just `15m`.
///
/// # Errors
/// [`Unreadable`], with the column; so for `+15m` or `-15m`, which say one side only.
pub fn parse_slack(text: &str) -> Result<TypedDuration, Unreadable> {
    super::check_length(text)?;
    let characters = tokens::characters(text);
    let start = characters.iter().position(|(c, _)| *c != ' ').unwrap_or(0);
    let rest = characters.get(start..).unwrap_or_default();
    let signs = rest
        .iter()
        .take_while(|(c, _)| matches!(c, '±' | '+' | '-' | '/' | ' '))
        .count();
    let (sign, rest) = rest.split_at(signs);
    let sign: String = sign.iter().map(|(c, _)| *c).filter(|c| *c != ' ').collect();
    if !matches!(sign.as_str(), "" | "±" | "+-" | "+/-" | "-+") {
        let message = "a slack goes to both sides: early and late. Write ±15m; for one side only, change the time itself";
        return Err(Unreadable::new("slack-one-sided", start + 1, message));
    }
    Ok(TypedDuration {
        duration: read(rest, MAX_SLACK)?,
        as_typed: text.to_owned(),
    })
}

/// The units, largest first; each may stand once, in this order.
fn unit(word: &str) -> Option<(usize, i64)> {
    match word {
        "w" | "wk" | "wks" | "week" | "weeks" => Some((0, 604_800)),
        "d" | "day" | "days" => Some((1, 86_400)),
        "h" | "hr" | "hrs" | "hour" | "hours" => Some((2, 3_600)),
        "m" | "min" | "mins" | "minute" | "minutes" => Some((3, 60)),
        "s" | "sec" | "secs" | "second" | "seconds" => Some((4, 1)),
        _ => None,
    }
}

fn read(characters: &[(char, usize)], most: Duration) -> Result<Duration, Unreadable> {
    let text: Vec<(char, usize)> = characters
        .iter()
        .copied()
        .filter(|(c, _)| *c != ' ')
        .collect();
    let column = text.first().map_or(1, |(_, column)| *column);
    let (iso, mut rest) = match text.split_first() {
        Some((('P' | 'p', _), rest)) => (true, rest),
        _ => (false, text.as_slice()),
    };
    if rest.is_empty() {
        return Err(Unreadable::new("duration-form", column, FORM));
    }
    let (mut total, mut smallest, mut after_t) = (Duration::ZERO, None, false);
    while let Some((c, at)) = rest.first().copied() {
        if iso && !after_t && matches!(c, 'T' | 't') {
            after_t = true;
            rest = rest.get(1..).unwrap_or_default();
            if rest.is_empty() {
                return Err(Unreadable::new("duration-form", at, FORM));
            }
            continue;
        }
        let (piece, rank) = piece(&mut rest, at, iso && !after_t)?;
        if smallest.is_some_and(|before| before >= rank) {
            return Err(Unreadable::new(
                "duration-order",
                at,
                "the units must go from large to small, each once, like 1d12h",
            ));
        }
        smallest = Some(rank);
        total = total
            .checked_add(piece)
            .filter(|sum| *sum <= most)
            .ok_or_else(|| {
                Unreadable::new(
                    "duration-too-long",
                    column,
                    format!(
                        "this is longer than {} days. Check the number and the unit",
                        most.whole_days()
                    ),
                )
            })?;
    }
    Ok(total)
}

const FORM: &str = "this is no duration. Write a number and a unit, like 30m, 2h or 1d12h";

/// One number and its unit. `days_part`: before the `T` of ISO 8601, where M would be months.
fn piece(
    rest: &mut &[(char, usize)],
    at: usize,
    days_part: bool,
) -> Result<(Duration, usize), Unreadable> {
    let mut take = |test: fn(char) -> bool| -> String {
        let length = rest.iter().take_while(|(c, _)| test(*c)).count();
        let (taken, left) = rest.split_at(length);
        *rest = left;
        taken.iter().map(|(c, _)| *c).collect()
    };
    let number = take(|c| c.is_ascii_digit() || matches!(c, '.' | ','));
    // Before the `T` of ISO 8601 a unit is one letter, and the `T` is not part of it.
    let word = if days_part {
        take(|c| c.is_alphabetic() && !matches!(c, 'T' | 't'))
    } else {
        take(char::is_alphabetic)
    };
    if number.is_empty() {
        return Err(Unreadable::new("duration-form", at, FORM));
    }
    if word.is_empty() {
        let clock = rest.first().is_some_and(|(c, _)| *c == ':');
        let message = if clock {
            "1:30 can be hours and minutes or minutes and seconds. Write 1h30m or 1m30s"
        } else {
            "the unit is missing. Write m for minutes, h for hours, d for days, like 30m"
        };
        return Err(Unreadable::new("duration-unit-missing", at, message));
    }
    let lower = word.to_lowercase();
    let months = matches!(
        lower.as_str(),
        "mo" | "month" | "months" | "y" | "year" | "years"
    ) || (days_part && lower == "m");
    if months {
        return Err(Unreadable::new(
            "duration-months",
            at,
            "months and years have no fixed length. Write days, like 30d",
        ));
    }
    let (rank, seconds) = unit(&lower).ok_or_else(|| Unreadable::new("duration-form", at, FORM))?;
    let amount = milli_units(&number).ok_or_else(|| {
        Unreadable::new(
            "duration-number",
            at,
            "this number is too long or has more than three decimals. Write it like 90 or 1.5",
        )
    })?;
    let milliseconds = amount
        .checked_mul(seconds)
        .ok_or_else(|| Unreadable::new("duration-too-long", at, "this is far too long"))?;
    Ok((Duration::milliseconds(milliseconds), rank))
}

/// `1.5` → 1500: thousandths, whole numbers all the way.
fn milli_units(number: &str) -> Option<i64> {
    let (whole, fraction) = number.split_once(['.', ',']).unwrap_or((number, "0"));
    let all_digits = |part: &str| !part.is_empty() && part.chars().all(|c| c.is_ascii_digit());
    if !all_digits(whole) || !all_digits(fraction) || whole.len() > 9 || fraction.len() > 3 {
        return None;
    }
    format!("{whole}{fraction:0<3}").parse().ok()
}
