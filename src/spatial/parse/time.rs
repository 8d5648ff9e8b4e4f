//! Times as people type them: RFC 3339, local time with a zone, military date-time group. What was typed is kept beside
//! UTC. A time without a zone, or one that happens twice or never because clocks change, is an error that names the
//! readings.

use std::fmt;

use time::{OffsetDateTime, UtcOffset};

use super::{Unreadable, datetime, dtg, tokens};

/// How a time was written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TimeFormat {
    /// RFC 3339: `2026-05-03T14:30:00Z`, `2026-05-03T19:00:00+04:30`.
    Rfc3339,
    /// Date and time with a zone name or an offset: `2026-05-03 19:00 Asia/Kabul`.
    Local,
    /// Military date-time group: `031430ZMAY26`.
    Dtg,
}

/// A time as someone typed it. `Debug` is sealed: when somebody moves is as secret as where.
#[derive(Clone, PartialEq, Eq)]
pub struct TypedTime {
    /// The moment, in UTC.
    pub utc: OffsetDateTime,
    /// Exactly what was typed.
    pub as_typed: String,
    /// How it was written.
    pub format: TimeFormat,
    /// The offset from UTC that it was written in, or that its zone had then.
    pub offset: UtcOffset,
    /// The IANA zone, if one was named.
    pub zone: Option<String>,
}

impl fmt::Debug for TypedTime {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("TypedTime([sealed])")
    }
}

/// Reads a time. `zone`: the IANA name of the zone that a time without any is in, when the person has set one.
///
/// # Errors
/// [`Unreadable`], with the column: no time, no zone, or a local time that happens twice or never.
pub fn parse_time(text: &str, zone: Option<&str>) -> Result<TypedTime, Unreadable> {
    super::check_length(text)?;
    let characters = tokens::characters(text);
    let read = if dtg::looks_like(&characters) {
        dtg::read(&characters)?
    } else {
        datetime::read(&characters, zone)?
    };
    Ok(TypedTime {
        utc: read.utc,
        as_typed: text.to_owned(),
        format: read.format,
        offset: read.offset,
        zone: read.zone,
    })
}

/// What a format's reader found.
pub(super) struct Found {
    pub(super) utc: OffsetDateTime,
    pub(super) format: TimeFormat,
    pub(super) offset: UtcOffset,
    pub(super) zone: Option<String>,
}

/// RFC 3339 in UTC: `2026-05-03T14:30:00Z`, with a fraction only if there is one.
pub fn format_rfc3339(moment: OffsetDateTime) -> String {
    let utc = in_utc(moment);
    let (date, time) = (utc.date(), utc.time());
    let nanoseconds = format!("{:09}", time.nanosecond());
    let fraction = nanoseconds.trim_end_matches('0');
    let point = if fraction.is_empty() { "" } else { "." };
    format!(
        "{:04}-{:02}-{:02}T{:02}:{:02}:{:02}{point}{fraction}Z",
        date.year(),
        u8::from(date.month()),
        date.day(),
        time.hour(),
        time.minute(),
        time.second()
    )
}

/// Military date-time group in zone Z: `031430ZMAY26`. It knows minutes only: seconds are cut off, so show RFC 3339
/// beside it where they count. Years outside 2000 to 2099 are written with four digits.
pub fn format_dtg(moment: OffsetDateTime) -> String {
    let utc = in_utc(moment);
    let month = dtg::MONTHS
        .get(usize::from(u8::from(utc.month())) - 1)
        .map_or("", |name| name);
    let month: String = month.chars().take(3).collect();
    let year = match utc.year() {
        year @ 2000..=2099 => format!("{:02}", year - 2000),
        year => format!("{year:04}"),
    };
    format!(
        "{:02}{:02}{:02}Z{month}{year}",
        utc.day(),
        utc.hour(),
        utc.minute()
    )
}

fn in_utc(moment: OffsetDateTime) -> OffsetDateTime {
    moment.checked_to_offset(UtcOffset::UTC).unwrap_or(moment)
}
