//! The slips that people make when they copy a coordinate, undone: for what was typed, the other places that may have
//! been meant, the most plausible first. Nobody applies them; the linter shows one and asks.
//!
//! `36.43491 68.514396` is 36°43'4.91" 68°51'43.96" with its marks lost: the digits after the point are minutes and
//! seconds that nobody padded. How many of them are whole seconds is not certain, so every split is tried; a split that
//! leaves both coordinates with the same number of decimals comes first, because one instrument wrote both.

use super::angles::{Angle, Pair};
use super::tokens::Number;
use super::{Position, Reading, Slip};

/// At most this many other readings are offered.
pub(super) const MAX_READINGS: usize = 8;

/// One way to read an angle differently, in degrees without sign.
#[derive(Clone, Copy)]
struct Split {
    degrees: f64,
    /// Decimals of the smallest unit.
    decimals: usize,
    /// Whole digits of the smallest unit.
    whole: usize,
    /// Two-digit minutes, as everyone writes them.
    usual: bool,
}

/// Other readings of a pair, and whether its digits alone (different numbers of decimals) speak for the first of them.
pub(super) fn other_readings(pair: &Pair) -> (Vec<Reading>, bool) {
    let mut out = Vec::new();
    let mut telling = false;
    let most_parts = pair.lat.parts.len().max(pair.lon.parts.len());
    let same_parts = pair.lat.parts.len() == pair.lon.parts.len();
    match (most_parts, same_parts) {
        (1, _) => {
            telling = combine(pair, Slip::LostDegreeSigns, seconds_in_fraction, &mut out);
            combine(pair, Slip::MinutesAsDecimals, minutes_in_fraction, &mut out);
        }
        (2, true) => {
            telling = combine(pair, Slip::SecondsAsMinutes, seconds_in_minutes, &mut out);
            combine(pair, Slip::DecimalsAsMinutes, decimals_in_parts, &mut out);
        }
        (3, true) => {
            combine(pair, Slip::MinutesAsSeconds, minutes_in_seconds, &mut out);
            combine(pair, Slip::DecimalsAsMinutes, decimals_in_parts, &mut out);
        }
        _ => {}
    }
    let (lat, lon) = (pair.lat.degrees(), pair.lon.degrees());
    let mut plain = Vec::new();
    if !pair.named {
        push(&mut plain, lat, lon, Slip::SwappedAxes);
    }
    if !pair.lettered {
        push(&mut plain, lon, -lat, Slip::LostHemisphere);
        push(&mut plain, -lon, lat, Slip::LostHemisphere);
        push(&mut plain, -lon, -lat, Slip::LostHemisphere);
    }
    out.truncate(MAX_READINGS - plain.len().min(MAX_READINGS));
    out.extend(plain);
    (out, telling)
}

fn push(out: &mut Vec<Reading>, lon: f64, lat: f64, slip: Slip) {
    if let Ok(position) = Position::new(lon, lat) {
        out.push(Reading::new(position, slip));
    }
}

/// Pairs every split of the latitude with every split of the longitude (at most 4 × 4), the best first, at most three.
/// Returns whether the digits alone speak for the best: unequal decimals as typed become equal when split.
fn combine(
    pair: &Pair,
    slip: Slip,
    splits: fn(&Angle) -> Vec<Split>,
    out: &mut Vec<Reading>,
) -> bool {
    let mut both: Vec<(usize, bool, bool, Split, Split)> = Vec::new();
    for lat in splits(&pair.lat) {
        for lon in splits(&pair.lon) {
            let uneven = lat.decimals.abs_diff(lon.decimals);
            both.push((
                uneven,
                !(lat.usual && lon.usual),
                lat.whole == lon.whole,
                lat,
                lon,
            ));
        }
    }
    both.sort_by_key(|(uneven, unusual, ..)| (*unusual, *uneven));
    let telling = both
        .first()
        .is_some_and(|(uneven, unusual, same_whole, lat, _)| {
            *uneven == 0 && !*unusual && !*same_whole && lat.decimals > 0
        });
    for (.., lat, lon) in both.iter().take(3) {
        let sign = |angle: &Angle, value: f64| if angle.negative { -value } else { value };
        push(
            out,
            sign(&pair.lon, lon.degrees),
            sign(&pair.lat, lat.degrees),
            slip,
        );
    }
    telling
}

/// `36.43491` → 36°43'4.91", 36°43'49.1", 36°4'34.91", 36°4'3.491".
fn seconds_in_fraction(angle: &Angle) -> Vec<Split> {
    let [degrees] = angle.parts.as_slice() else {
        return Vec::new();
    };
    let mut out = Vec::new();
    for minute_digits in [2, 1] {
        let Some((minutes, rest)) = cut(&degrees.fraction, minute_digits) else {
            continue;
        };
        for second_digits in [2, 1] {
            let Some(seconds) = number(rest, second_digits) else {
                continue;
            };
            let usual = minute_digits == 2;
            out.extend(split(&degrees.whole, minutes, &seconds, usual));
        }
    }
    out
}

/// `36.430818` → 36°43.0818'.
fn minutes_in_fraction(angle: &Angle) -> Vec<Split> {
    let [degrees] = angle.parts.as_slice() else {
        return Vec::new();
    };
    number(&degrees.fraction, 2)
        .and_then(|minutes| split_minutes(&degrees.whole, &minutes))
        .into_iter()
        .collect()
}

/// `36°43.491'` → 36°43'4.91", 36°43'49.1".
fn seconds_in_minutes(angle: &Angle) -> Vec<Split> {
    let [degrees, minutes] = angle.parts.as_slice() else {
        return Vec::new();
    };
    [2, 1]
        .into_iter()
        .filter_map(|digits| number(&minutes.fraction, digits))
        .filter_map(|seconds| split(&degrees.whole, &minutes.whole, &seconds, true))
        .collect()
}

/// `36°43'08.18"` → 36°43.0818'.
fn minutes_in_seconds(angle: &Angle) -> Vec<Split> {
    let [degrees, minutes, seconds] = angle.parts.as_slice() else {
        return Vec::new();
    };
    let fraction = format!("{}{}", seconds.whole, seconds.fraction);
    let minutes = Number {
        whole: minutes.whole.clone(),
        fraction,
    };
    split_minutes(&degrees.whole, &minutes)
        .into_iter()
        .collect()
}

/// `36°43.491'` or `36°43'49.1"` → 36.43491°.
fn decimals_in_parts(angle: &Angle) -> Vec<Split> {
    let Some((degrees, rest)) = angle.parts.split_first() else {
        return Vec::new();
    };
    let fraction: String = rest
        .iter()
        .flat_map(|part| [part.whole.as_str(), part.fraction.as_str()])
        .collect();
    let decimals = fraction.len();
    let whole = degrees.whole.len();
    let value = Number {
        whole: degrees.whole.clone(),
        fraction,
    }
    .value();
    vec![Split {
        degrees: value,
        decimals,
        whole,
        usual: true,
    }]
}

fn cut(digits: &str, at: usize) -> Option<(&str, &str)> {
    digits.split_at_checked(at)
}

/// The first `whole` digits before the point, the rest after it.
fn number(digits: &str, whole: usize) -> Option<Number> {
    let (whole, fraction) = cut(digits, whole)?;
    Some(Number {
        whole: whole.to_owned(),
        fraction: fraction.to_owned(),
    })
}

fn split(degrees: &str, minutes: &str, seconds: &Number, usual: bool) -> Option<Split> {
    let degrees: f64 = degrees.parse().ok()?;
    let minutes: f64 = minutes.parse().ok()?;
    let value = seconds.value();
    (minutes < 60.0 && value < 60.0).then(|| Split {
        degrees: degrees + minutes / 60.0 + value / 3600.0,
        decimals: seconds.fraction.len(),
        whole: seconds.whole.len(),
        usual,
    })
}

fn split_minutes(degrees: &str, minutes: &Number) -> Option<Split> {
    let degrees: f64 = degrees.parse().ok()?;
    let value = minutes.value();
    (value < 60.0).then(|| Split {
        degrees: degrees + value / 60.0,
        decimals: minutes.fraction.len(),
        whole: minutes.whole.len(),
        usual: true,
    })
}
