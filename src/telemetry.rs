//! Logs for people or machines, redacted by type: what is secret is wrapped in [`Redacted`] or prints itself as
//! `[sealed]`, and a panic says where it happened and only words that stand in the source.

use std::fmt;
use std::io::IsTerminal;
use std::panic::PanicHookInfo;
use std::str::FromStr;

use tracing_subscriber::EnvFilter;
use tracing_subscriber::filter::filter_fn;
use tracing_subscriber::fmt::MakeWriter;
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::{SubscriberInitExt, TryInitError};

type Subscriber = Box<dyn tracing::Subscriber + Send + Sync>;

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
    let ansi = std::io::stderr().is_terminal();
    subscriber(format, filter, std::io::stderr, ansi)?
        .try_init()
        .map_err(TelemetryError::Twice)?;
    std::panic::set_hook(Box::new(log_panic));
    Ok(())
}

/// What [`init`] installs, for any writer.
fn subscriber<W>(
    format: LogFormat,
    filter: Option<&str>,
    writer: W,
    ansi: bool,
) -> Result<Subscriber, TelemetryError>
where
    W: for<'a> MakeWriter<'a> + Send + Sync + 'static,
{
    let filter =
        EnvFilter::try_new(filter.unwrap_or(DEFAULT_FILTER)).map_err(TelemetryError::Filter)?;
    // Other crates do not know what must not be written (some log whole messages at debug level), so however much is
    // asked for, of them only warnings and errors are.
    let ours = filter_fn(|event| {
        event.target().starts_with("herald") || *event.level() <= tracing::Level::WARN
    });
    let registry = tracing_subscriber::registry().with(filter).with(ours);
    let layer = tracing_subscriber::fmt::layer()
        .with_writer(writer)
        .with_ansi(ansi);
    Ok(match format {
        LogFormat::Text => Box::new(registry.with(layer.with_target(false))),
        LogFormat::Json => Box::new(registry.with(layer.json().flatten_event(true))),
    })
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
    use std::io::Write;
    use std::sync::{Arc, Mutex};

    use super::*;

    #[test]
    fn a_redacted_value_never_prints() {
        let place = Redacted("36.71803, 68.86221");
        assert_eq!(format!("{place} {place:?}"), "[sealed] [sealed]");
    }

    #[derive(Clone, Default)]
    struct Lines(Arc<Mutex<Vec<u8>>>);

    impl Write for Lines {
        fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
            self.0
                .lock()
                .expect("not poisoned")
                .extend_from_slice(bytes);
            Ok(bytes.len())
        }

        fn flush(&mut self) -> std::io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn other_crates_write_warnings_only_however_much_is_asked_for() {
        for format in [LogFormat::Text, LogFormat::Json] {
            let lines = Lines::default();
            let writer = lines.clone();
            let subscriber = subscriber(format, Some("trace"), move || writer.clone(), false)
                .expect("a subscriber");
            // See tests/it/platform/operator.rs: a second dispatcher keeps other threads from deciding for us.
            let _second = tracing::Dispatch::new(tracing_subscriber::registry());
            tracing::subscriber::with_default(subscriber, || {
                tracing::debug!(target: "tungstenite::protocol", "a whole message");
                tracing::warn!(target: "tungstenite::protocol", "a warning");
                tracing::debug!(target: "herald::ws", "our word");
            });
            let text =
                String::from_utf8(lines.0.lock().expect("not poisoned").clone()).expect("text");
            assert!(!text.contains("a whole message"), "{text}");
            assert!(
                text.contains("a warning") && text.contains("our word"),
                "{text}"
            );
        }
    }

    #[test]
    fn a_formatted_panic_message_stays_out_of_the_log() {
        let formatted: Box<dyn std::any::Any + Send> = Box::new(String::from("index 36.71803"));
        let words: Box<dyn std::any::Any + Send> = Box::new("a word of the source");
        assert_eq!(literal(formatted.as_ref()), "[sealed]");
        assert_eq!(literal(words.as_ref()), "a word of the source");
    }
}
