//! The month that names a key of the keyring: one spelling, and no clock of its own.

use std::{fmt, str::FromStr};

use time::{Date, OffsetDateTime};

/// Not a month.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a month is written as YYYY-MM, with a year from 2000 to 9999")]
pub struct MonthError;

/// A month, which names a KEK. Written `2026-11`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Month {
    pub(super) year: u16,
    pub(super) month: u8,
}

impl Month {
    /// The month that a date (UTC) lies in.
    ///
    /// # Errors
    /// [`MonthError`] outside the years 2000 to 9999.
    pub fn of(date: time::Date) -> Result<Self, MonthError> {
        let year = u16::try_from(date.year()).map_err(|_| MonthError)?;
        Self::new(year, date.month().into())
    }

    /// The month of a year (2000 to 9999), January being 1.
    ///
    /// # Errors
    /// [`MonthError`] outside those bounds.
    pub fn new(year: u16, month: u8) -> Result<Self, MonthError> {
        if (2000..=9999).contains(&year) && (1..=12).contains(&month) {
            Ok(Self { year, month })
        } else {
            Err(MonthError)
        }
    }

    /// The month after.
    ///
    /// # Errors
    /// [`MonthError`] after December 9999.
    pub fn next(self) -> Result<Self, MonthError> {
        if self.month == 12 {
            Self::new(self.year + 1, 1)
        } else {
            Self::new(self.year, self.month + 1)
        }
    }

    /// When the time is over for which what was sealed in this month is kept, so many months after its end: the first
    /// moment (UTC) of the month after those. None behind the calendar's end.
    pub fn kept_until(self, months: u16) -> Option<OffsetDateTime> {
        let after = u32::from(self.year) * 12 + u32::from(self.month) + u32::from(months);
        let year = i32::try_from(after / 12).ok()?;
        let month = u8::try_from(after % 12 + 1).ok()?;
        let first = Date::from_calendar_date(year, time::Month::try_from(month).ok()?, 1).ok()?;
        Some(first.midnight().assume_utc())
    }
}

impl fmt::Display for Month {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:04}-{:02}", self.year, self.month)
    }
}

impl FromStr for Month {
    type Err = MonthError;

    fn from_str(text: &str) -> Result<Self, MonthError> {
        let (year, month) = text.split_once('-').ok_or(MonthError)?;
        let digits = |t: &str, n| t.len() == n && t.bytes().all(|b| b.is_ascii_digit());
        if !digits(year, 4) || !digits(month, 2) {
            return Err(MonthError);
        }
        let (year, month) = (year.parse().ok(), month.parse().ok());
        year.zip(month)
            .map_or(Err(MonthError), |(year, month)| Self::new(year, month))
    }
}

#[cfg(test)]
mod tests {
    use time::macros::date;

    use super::*;

    #[test]
    fn a_month_is_kept_whole_and_then_for_as_many_months_as_are_asked() {
        let until = |text: &str, months| {
            let month: Month = text.parse().expect("a month");
            month.kept_until(months).map(OffsetDateTime::date)
        };
        assert_eq!(until("2026-11", 0), Some(date!(2026 - 12 - 01)));
        assert_eq!(until("2026-12", 0), Some(date!(2027 - 01 - 01)));
        assert_eq!(until("2026-11", 1), Some(date!(2027 - 01 - 01)));
        assert_eq!(until("2026-11", 24), Some(date!(2028 - 12 - 01)));
        assert_eq!(until("9999-12", 0), None);
    }

    #[test]
    fn a_month_has_one_spelling() {
        let month = |text: &str| text.parse::<Month>();
        assert_eq!(
            Month::of(date!(2026 - 01 - 31)).map(|m| m.to_string()),
            Ok("2026-01".into())
        );
        assert_eq!(month("2026-12").and_then(Month::next), month("2027-01"));
        assert_eq!(month("2026-01").and_then(Month::next), month("2026-02"));
        for bad in [
            "2026-1", "2026-13", "2026-00", "1999-12", "26-01", "2026/01", "+202-01", "2026-01 ",
            "",
        ] {
            assert_eq!(month(bad), Err(MonthError), "{bad}");
        }
        assert_eq!(month("9999-12").and_then(Month::next), Err(MonthError));
    }
}
