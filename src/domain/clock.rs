//! Time is passed in, never taken from the air: a server's clock is the database's, a client's is the machine's, and a
//! test's moves when the test says so.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use time::OffsetDateTime;

/// A source of "now", in UTC.
#[derive(Debug, Clone)]
pub enum Clock {
    /// The machine's clock.
    System,
    /// A clock that a test moves; microseconds since the Unix epoch.
    Manual(Arc<AtomicI64>),
}

impl Clock {
    /// A manual clock that stands at the given time.
    pub fn manual(at: OffsetDateTime) -> Self {
        Self::Manual(Arc::new(AtomicI64::new(micros(at))))
    }

    /// Moves a manual clock; the machine's is not moved.
    pub fn set(&self, at: OffsetDateTime) {
        if let Self::Manual(cell) = self {
            cell.store(micros(at), Ordering::SeqCst);
        }
    }

    /// Now, in UTC, to the microsecond.
    pub fn now(&self) -> OffsetDateTime {
        match self {
            Self::System => {
                #[expect(
                    clippy::disallowed_methods,
                    reason = "the one place that reads the machine's clock"
                )]
                let now = OffsetDateTime::now_utc();
                from_micros(micros(now))
            }
            Self::Manual(cell) => from_micros(cell.load(Ordering::SeqCst)),
        }
    }
}

/// Microseconds since the Unix epoch.
pub fn micros(at: OffsetDateTime) -> i64 {
    i64::try_from(at.unix_timestamp_nanos() / 1000).unwrap_or(i64::MAX)
}

/// The time that many microseconds after the Unix epoch, in UTC.
pub fn from_micros(micros: i64) -> OffsetDateTime {
    OffsetDateTime::from_unix_timestamp_nanos(i128::from(micros) * 1000)
        .unwrap_or(OffsetDateTime::UNIX_EPOCH)
}
