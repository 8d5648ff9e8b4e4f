//! Logs for people or machines, redacted by type: what is secret is wrapped in [`Redacted`] or prints itself as
//! `[sealed]`, and a panic says where it happened and only words that stand in the source.

use std::fmt;
use std::panic::PanicHookInfo;
use std::str::FromStr;

use tracing_subscriber::EnvFilter;
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::{SubscriberInitExt, TryInitError};

/// Our own words, and warnings of the rest.
pub const DEFAULT_FILTER: &str = "warn,herald=info";

/// A value that never prints.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Default)]
pub struct Redacted<T>(pub T);

impl<T> fmt::Debug for Redacted<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("[sealed]")
    }
}

impl<T> fmt::Display for Redacted<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("[sealed]")
    }
}

/// How log lines look.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum LogFormat {
    /// For people.
    #[default]
    Text,
    /// One JSON object a line.
    Json,
}

impl FromStr for LogFormat {
    type Err = TelemetryError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text {
            "text" => Ok(Self::Text),
            "json" => Ok(Self::Json),
            _ => Err(TelemetryError::Format),
        }
    }
}

/// What can be wrong with the settings of the log.
#[derive(Debug, thiserror::Error)]
pub enum TelemetryError {
    /// Neither format.
    #[error("the log format is text or json")]
    Format,
    /// The filter does not parse.
    #[error("the log filter is not understood: use words like info or warn,herald=debug")]
    Filter(#[source] tracing_subscriber::filter::ParseError),
    /// There is a subscriber already.
    #[error("logging was set up twice")]
    Twice(#[source] TryInitError),
}

/// Sends events to standard error and installs the panic hook. `filter` is as in `tracing`'s `EnvFilter`
/// ([`DEFAULT_FILTER`] when `None`); the caller reads it from the configuration or `HERALD_LOG`.
///
/// # Errors
/// When the filter does not parse, or logging was set up before.
pub fn init(format: LogFormat, filter: Option<&str>) -> Result<(), TelemetryError> {
    let filter =
        EnvFilter::try_new(filter.unwrap_or(DEFAULT_FILTER)).map_err(TelemetryError::Filter)?;
    let registry = tracing_subscriber::registry().with(filter);
    let layer = tracing_subscriber::fmt::layer().with_writer(std::io::stderr);
    match format {
        LogFormat::Text => registry.with(layer.with_target(false)).try_init(),
        LogFormat::Json => registry.with(layer.json().flatten_event(true)).try_init(),
    }
    .map_err(TelemetryError::Twice)?;
    std::panic::set_hook(Box::new(log_panic));
    Ok(())
}

/// Logs a panic. A message that was formatted may hold anything, so only a literal one is repeated.
fn log_panic(info: &PanicHookInfo<'_>) {
    let location = info
        .location()
        .map(|at| format!("{}:{}", at.file(), at.line()))
        .unwrap_or_default();
    tracing::error!(
        location,
        message = literal(info.payload()),
        "a task panicked"
    );
}

fn literal(payload: &(dyn std::any::Any + Send)) -> &'static str {
    payload
        .downcast_ref::<&'static str>()
        .copied()
        .unwrap_or("[sealed]")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_redacted_value_never_prints() {
        let place = Redacted("36.71803, 68.86221");
        assert_eq!(format!("{place} {place:?}"), "[sealed] [sealed]");
    }

    #[test]
    fn a_formatted_panic_message_stays_out_of_the_log() {
        let formatted: Box<dyn std::any::Any + Send> = Box::new(String::from("index 36.71803"));
        let words: Box<dyn std::any::Any + Send> = Box::new("a word of the source");
        assert_eq!(literal(formatted.as_ref()), "[sealed]");
        assert_eq!(literal(words.as_ref()), "a word of the source");
    }
}
