//! Named zones, from the IANA database that `jiff` brings: what a local time in one of them is in UTC, and both readings
//! when clocks change and it happens twice or never.

use jiff::civil;
use jiff::tz::{AmbiguousOffset, TimeZone};
use time::{PrimitiveDateTime, UtcOffset};

use super::Unreadable;
use super::datetime::moment;
use super::time::{Found, TimeFormat, format_rfc3339};

pub(super) fn named(name: &str, column: usize) -> Result<TimeZone, Unreadable> {
    let name = name.trim();
    if !name.contains('/') && !name.eq_ignore_ascii_case("utc") {
        let message = "this is no zone that can be told apart: abbreviations such as IST or CST mean several. Write a zone like Africa/Khartoum, an offset like +03:00, or Z for UTC (and the 24-hour clock)";
        return Err(Unreadable::new("zone-abbreviation", column, message));
    }
    TimeZone::get(name).map_err(|_| {
        Unreadable::new("zone-unknown", column, "there is no such zone. Write one like Africa/Khartoum or Asia/Kabul, or an offset like +03:00")
    })
}

pub(super) fn in_zone(
    local: PrimitiveDateTime,
    zone: &TimeZone,
    column: usize,
) -> Result<Found, Unreadable> {
    let name = zone.iana_name().map(str::to_owned);
    let offset = match ambiguous_offset(local, zone, column)? {
        AmbiguousOffset::Unambiguous { offset } => convert(offset),
        AmbiguousOffset::Gap { before, after } => {
            return Err(clocks_change(
                local,
                [convert(before), convert(after)],
                name,
                "local-time-skipped",
                column,
            ));
        }
        AmbiguousOffset::Fold { before, after } => {
            return Err(clocks_change(
                local,
                [convert(before), convert(after)],
                name,
                "local-time-twice",
                column,
            ));
        }
    };
    Ok(Found {
        utc: moment(local, offset, column)?,
        format: TimeFormat::Local,
        offset,
        zone: name,
    })
}

fn ambiguous_offset(
    local: PrimitiveDateTime,
    zone: &TimeZone,
    column: usize,
) -> Result<AmbiguousOffset, Unreadable> {
    let far = || Unreadable::new("year-out-of-range", column, "this time is too far away");
    let signed = |n: u8| i8::try_from(n).map_err(|_| far());
    let civil = civil::DateTime::new(
        i16::try_from(local.year()).map_err(|_| far())?,
        signed(u8::from(local.month()))?,
        signed(local.day())?,
        signed(local.hour())?,
        signed(local.minute())?,
        signed(local.second())?,
        i32::try_from(local.nanosecond()).map_err(|_| far())?,
    );
    Ok(zone
        .to_ambiguous_timestamp(civil.map_err(|_| far())?)
        .offset())
}

fn convert(offset: jiff::tz::Offset) -> UtcOffset {
    UtcOffset::from_whole_seconds(offset.seconds()).unwrap_or(UtcOffset::UTC)
}

fn clocks_change(
    local: PrimitiveDateTime,
    offsets: [UtcOffset; 2],
    zone: Option<String>,
    code: &'static str,
    column: usize,
) -> Unreadable {
    let readings = offsets.map(|offset| (offset, local.assume_offset(offset)));
    let shown = readings
        .map(|(offset, moment)| format!("{} ({})", write_offset(offset), format_rfc3339(moment)));
    let [one, other] = shown;
    let happens = if code == "local-time-twice" {
        "happens twice"
    } else {
        "never happens"
    };
    let zone = zone.unwrap_or_default();
    let message = format!(
        "this local time {happens} in {zone}, because the clocks change. Write it with its offset instead of the zone: {one} or {other}"
    );
    Unreadable::new(code, column, message).with_likely_times(
        readings
            .iter()
            .map(|(_, moment)| moment.to_offset(UtcOffset::UTC))
            .collect(),
    )
}

fn write_offset(offset: UtcOffset) -> String {
    let (hours, minutes, _) = offset.as_hms();
    let sign = if offset.is_negative() { '-' } else { '+' };
    format!("{sign}{:02}:{:02}", hours.abs(), minutes.abs())
}

/// `2026-05-03T19:00:00+04:30[Asia/Kabul]` (RFC 9557): both must agree.
pub(super) fn checked_against_zone(
    local: PrimitiveDateTime,
    offset: UtcOffset,
    zone: &TimeZone,
    column: usize,
) -> Result<Found, Unreadable> {
    let possible = match ambiguous_offset(local, zone, column)? {
        AmbiguousOffset::Unambiguous { offset } => [offset, offset],
        AmbiguousOffset::Gap { before, after } | AmbiguousOffset::Fold { before, after } => {
            [before, after]
        }
    };
    if !possible.map(convert).contains(&offset) {
        let [there, _] = possible.map(convert);
        let message = format!(
            "offset and zone contradict each other: then the zone is at {}. Keep the one that is right",
            write_offset(there)
        );
        return Err(Unreadable::new("zone-contradicts-offset", column, message));
    }
    Ok(Found {
        utc: moment(local, offset, column)?,
        format: TimeFormat::Local,
        offset,
        zone: zone.iana_name().map(str::to_owned),
    })
}
