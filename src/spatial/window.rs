//! Spans of time. Intervals are closed, and an open bound overlaps everything: two that end and start at the same moment
//! share it.

use time::{Duration, OffsetDateTime};

/// A window that ends before it starts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the window ends before it starts; give the earlier time first")]
pub struct WindowError;

/// A closed interval of time; a missing bound is open. Prints as `[sealed]`: times of movement are secret.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Window {
    from: Option<OffsetDateTime>,
    until: Option<OffsetDateTime>,
}

impl Window {
    /// All time.
    pub const ALWAYS: Self = Self {
        from: None,
        until: None,
    };

    /// From and until, both included.
    ///
    /// # Errors
    /// [`WindowError`] when `until` is before `from`.
    pub fn new(
        from: Option<OffsetDateTime>,
        until: Option<OffsetDateTime>,
    ) -> Result<Self, WindowError> {
        match (from, until) {
            (Some(from), Some(until)) if until < from => Err(WindowError),
            _ => Ok(Self { from, until }),
        }
    }

    /// The start, if bounded.
    pub fn from(&self) -> Option<OffsetDateTime> {
        self.from
    }

    /// The end, if bounded.
    pub fn until(&self) -> Option<OffsetDateTime> {
        self.until
    }

    /// Whether the two share a moment.
    pub fn overlaps(&self, other: &Self) -> bool {
        self.intersection(other).is_some()
    }

    /// The time that the two share.
    pub fn intersection(&self, other: &Self) -> Option<Self> {
        let from = self.from.max(other.from);
        let until = match (self.until, other.until) {
            (Some(a), Some(b)) => Some(a.min(b)),
            (a, b) => a.or(b),
        };
        Self::new(from, until).ok()
    }

    /// Bounds in seconds since the epoch, infinite where open.
    pub(crate) fn seconds(&self) -> [f64; 2] {
        [
            self.from.map_or(f64::NEG_INFINITY, seconds),
            self.until.map_or(f64::INFINITY, seconds),
        ]
    }
}

/// Seconds since the Unix epoch: to a microsecond for centuries.
#[allow(
    clippy::cast_precision_loss,
    reason = "microseconds of this millennium fit a double's 53 bits within 4 µs"
)]
pub(crate) fn seconds(at: OffsetDateTime) -> f64 {
    (at.unix_timestamp_nanos() / 1_000) as f64 / 1e6
}

/// The moment that many seconds after the Unix epoch; `None` when infinite or out of the calendar.
pub(crate) fn moment(seconds: f64) -> Option<OffsetDateTime> {
    if !seconds.is_finite() || seconds.abs() > 3e11 {
        return None;
    }
    OffsetDateTime::UNIX_EPOCH.checked_add(Duration::seconds_f64(seconds))
}

impl std::fmt::Debug for Window {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("[sealed]")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use time::macros::datetime;

    #[test]
    fn windows_that_end_and_start_together_overlap() {
        let eight = datetime!(2026-05-03 08:00 UTC);
        let before = Window::new(Some(datetime!(2026-05-03 06:00 UTC)), Some(eight)).unwrap();
        let after = Window::new(Some(eight), None).unwrap();
        assert!(before.overlaps(&after) && after.overlaps(&before));
        let later = Window::new(Some(datetime!(2026-05-03 08:00:00.000001 UTC)), None).unwrap();
        assert!(!before.overlaps(&later));
        assert!(Window::ALWAYS.overlaps(&before) && Window::ALWAYS.overlaps(&later));
        assert_eq!(
            Window::new(Some(eight), Some(datetime!(2026-05-03 07:00 UTC))),
            Err(WindowError)
        );
    }

    #[test]
    fn moments_survive_the_way_through_seconds() {
        let at = datetime!(2026-05-03 08:00:00.25 UTC);
        let back = moment(seconds(at)).unwrap();
        assert!((back - at).abs() < Duration::microseconds(10));
        assert_eq!(moment(f64::INFINITY), None);
    }
}
