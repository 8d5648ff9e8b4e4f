//! Is this the time that was meant? The usual slip is the zone: local figures written as UTC, or UTC figures written as
//! local. A window that is odd is read again shifted by the declared country's offset; if that makes it fit, the warning
//! names the shifted window.

use time::{Duration, OffsetDateTime, UtcOffset};

use super::super::{Country, TypedTime, format_dtg, format_rfc3339};
use super::borders::offsets_of;
use super::{Code, Likely, Warning};

/// What else is known about the window.
#[derive(Clone, Copy)]
pub struct WindowContext<'a> {
    /// JSON pointer, cell or column name for the warnings.
    pub subject: &'a str,
    /// The present, UTC.
    pub now: OffsetDateTime,
    /// How long before its beginning the context wants to be told, if it has a rule.
    pub lead: Option<Duration>,
    /// The country that the person declared.
    pub country: Option<Country>,
    /// Beginning and end of the last revision's window, UTC.
    pub last: Option<(OffsetDateTime, Option<OffsetDateTime>)>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
struct Span {
    from: OffsetDateTime,
    to: Option<OffsetDateTime>,
}

impl Span {
    fn shifted(self, by: Duration) -> Option<Self> {
        let to = match self.to {
            Some(to) => Some(to.checked_add(by)?),
            None => None,
        };
        Some(Self {
            from: self.from.checked_add(by)?,
            to,
        })
    }

    fn is_over(self, now: OffsetDateTime) -> bool {
        self.to.is_some_and(|to| to < now)
    }

    fn text(self) -> String {
        let from = format!("{} ({})", format_rfc3339(self.from), format_dtg(self.from));
        match self.to {
            Some(to) => format!("{from} to {} ({})", format_rfc3339(to), format_dtg(to)),
            None => format!("from {from}"),
        }
    }
}

/// Warnings on one window: `to` is `None` for one without an end. Empty if nothing is odd.
pub fn lint_window(
    from: &TypedTime,
    to: Option<&TypedTime>,
    context: &WindowContext<'_>,
) -> Vec<Warning> {
    let typed = Span {
        from: from.utc,
        to: to.map(|to| to.utc),
    };
    let mut out = Vec::new();
    if typed.to.is_some_and(|to| to < typed.from) {
        let message = format!(
            "the window ends before it begins: {}. Check day, month and zone of both",
            typed.text()
        );
        out.push(warning(Code::WindowEndsBeforeStart, message, None, context));
        return out;
    }
    let shifts = shifts(from, to, typed, context);
    if let Some((code, why)) = odd(typed, context) {
        let fits = shifts
            .iter()
            .find(|(span, _)| odd(*span, context).is_none());
        out.push(match fits {
            Some((span, how)) => shifted_warning(&why, typed, *span, how, context),
            None => warning(
                code,
                format!("{why}: {}. Check the date and the zone", typed.text()),
                None,
                context,
            ),
        });
    } else if let Some((span, how)) = shifts
        .iter()
        .find(|(span, _)| is_last(*span, context))
        .filter(|_| !is_last(typed, context))
    {
        let why = "this differs from the last revision's window by exactly the offset of a zone";
        out.push(shifted_warning(why, typed, *span, how, context));
    }
    if out.is_empty() {
        out.extend(foreign_zone(from, typed, context));
    }
    out
}

/// Over already, or sooner than the lead time.
fn odd(span: Span, context: &WindowContext<'_>) -> Option<(Code, String)> {
    if span.is_over(context.now) {
        return Some((
            Code::WindowInThePast,
            "this window is over already".to_owned(),
        ));
    }
    let lead = context.lead?;
    let left = span.from - context.now;
    (left < lead).then(|| {
        let why = if left.is_negative() {
            "this window has begun already".to_owned()
        } else {
            format!("this window begins in {}", duration_text(left))
        };
        (
            Code::ShortNotice,
            format!("{why}; notice of {} is asked for here", duration_text(lead)),
        )
    })
}

fn is_last(span: Span, context: &WindowContext<'_>) -> bool {
    context
        .last
        .is_some_and(|(from, to)| span == Span { from, to })
}

/// The same figures in another zone: each with what would have happened. Only if both ends have one offset.
fn shifts(
    from: &TypedTime,
    to: Option<&TypedTime>,
    typed: Span,
    context: &WindowContext<'_>,
) -> Vec<(Span, String)> {
    if to.is_some_and(|to| to.offset != from.offset) {
        return Vec::new();
    }
    let mut out = Vec::new();
    if !from.offset.is_utc() {
        let by = Duration::seconds(i64::from(from.offset.whole_seconds()));
        out.extend(typed.shifted(by).map(|span| {
            (
                span,
                "the figures may be UTC, written as local time".to_owned(),
            )
        }));
    }
    for there in context
        .country
        .map(|country| offsets_of(country, typed.from))
        .unwrap_or_default()
    {
        if there != from.offset {
            let by = Duration::seconds(
                i64::from(from.offset.whole_seconds()) - i64::from(there.whole_seconds()),
            );
            let how = format!("the figures may be local time ({})", offset_text(there));
            out.extend(typed.shifted(by).map(|span| (span, how)));
        }
    }
    out
}

fn shifted_warning(
    why: &str,
    typed: Span,
    span: Span,
    how: &str,
    context: &WindowContext<'_>,
) -> Warning {
    let message = format!(
        "{why}: {}. {how}: did you mean {}? If so, type it with its zone",
        typed.text(),
        span.text()
    );
    warning(
        Code::WindowShiftedByZone,
        message,
        Some(Likely::Window {
            from: span.from,
            to: span.to,
        }),
        context,
    )
}

/// An offset, other than UTC, that the declared country does not use then.
fn foreign_zone(from: &TypedTime, typed: Span, context: &WindowContext<'_>) -> Option<Warning> {
    let country = context.country.filter(|_| !from.offset.is_utc())?;
    let there = offsets_of(country, typed.from);
    let own = there.first().filter(|_| !there.contains(&from.offset))?;
    let by =
        Duration::seconds(i64::from(from.offset.whole_seconds()) - i64::from(own.whole_seconds()));
    let span = typed.shifted(by)?;
    let message = format!(
        "these times are written in {}, but {country} is at {} then: {}. If they are {country}'s local time, they mean {}",
        offset_text(from.offset),
        there
            .iter()
            .map(|offset| offset_text(*offset))
            .collect::<Vec<_>>()
            .join(" or "),
        typed.text(),
        span.text(),
    );
    Some(warning(
        Code::ZoneNotOfCountry,
        message,
        Some(Likely::Window {
            from: span.from,
            to: span.to,
        }),
        context,
    ))
}

fn warning(
    code: Code,
    message: String,
    likely: Option<Likely>,
    context: &WindowContext<'_>,
) -> Warning {
    Warning {
        code,
        subject: context.subject.to_owned(),
        message,
        likely,
    }
}

fn offset_text(offset: UtcOffset) -> String {
    let (hours, minutes, _) = offset.as_hms();
    let sign = if offset.is_negative() { '-' } else { '+' };
    format!("UTC{sign}{:02}:{:02}", hours.abs(), minutes.abs())
}

fn duration_text(duration: Duration) -> String {
    let minutes = duration.whole_minutes();
    match (minutes / 60, minutes % 60) {
        (0, minutes) => format!("{minutes} min"),
        (hours, 0) => format!("{hours} h"),
        (hours, minutes) => format!("{hours} h {minutes} min"),
    }
}
