//! Where one is told outside Herald that somebody needs one: by e-mail or SMS, in messages that say a reference and
//! nothing else. One's own choice, unsigned, and erased when one says so.

use std::time::Duration;

use clap::Subcommand;
use clap::builder::{PossibleValuesParser, TypedValueParser};
use serde_json::json;
use time::format_description::well_known::Rfc3339;
use time::macros::format_description;
use time::{Date, OffsetDateTime};

use super::Context;
use super::api::Api;
use super::error::CliError;
use super::exit::Exit;
use super::words::{add, time_words};
use crate::domain::ids::DeviceId;
use crate::domain::nudge::{MessageState, Severity, Sort, Way, mail_address};
use crate::domain::phone;
use crate::wire::nudge::{NudgeChoice, NudgeLeave, NudgeMessage, NudgeSettings};

const EXAMPLES: &str = "\
Examples:
  herald nudge
  herald nudge --email desk@example.org --severity urgent,distress
  herald nudge --webhook-to +96777000111 --severity distress
  herald nudge test
  herald nudge leave --until 2026-12-01 --cover 7k2m9qxa
  herald nudge back
  herald nudge --off

A nudge says \"HN-WD2P-F2DD needs you\" and nothing else: open Herald to see why. It tells whoever sees the message, and \
every server on its way, that you work with Herald and when something happens. It comes beside Herald and never instead \
of it: keep `herald listen` running. Each device sets its own; `herald devices` lists them.";

/// How long `test` waits to see what became of its messages.
const TEST_PATIENCE: Duration = Duration::from_secs(30);
/// Between its looks.
const TEST_LOOK: Duration = Duration::from_secs(1);

/// Arguments.
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES, args_conflicts_with_subcommands = true)]
pub struct Args {
    /// Where to send e-mails
    #[arg(long, value_name = "ADDRESS", value_parser = parse_email)]
    pub email: Option<String>,
    /// The telephone number that the operator's gateway is given
    #[arg(long, value_name = "NUMBER", value_parser = parse_phone)]
    pub webhook_to: Option<String>,
    /// For what, comma-separated [default: urgent,distress]
    #[arg(long, value_name = "SEVERITY", value_delimiter = ',', value_parser = severity())]
    pub severity: Vec<Severity>,
    /// Erase what is set
    #[arg(long, conflicts_with_all = ["email", "webhook_to", "severity"])]
    pub off: bool,
    /// What else to do
    #[command(subcommand)]
    pub action: Option<Action>,
}

/// What else to do.
#[derive(Debug, Subcommand)]
pub enum Action {
    /// Send yourself a test message
    Test,
    /// Be away: a colleague is nudged instead
    Leave {
        /// Until when: a date (to its end, UTC) or an RFC 3339 time
        #[arg(long, value_name = "TIME", value_parser = parse_until)]
        until: OffsetDateTime,
        /// The colleague's device, as `herald devices` shows it
        #[arg(long, value_name = "DEVICE")]
        cover: DeviceId,
    },
    /// Be back before the leave is over
    Back,
}

fn parse_email(text: &str) -> Result<String, String> {
    if mail_address(text) {
        return Ok(text.to_owned());
    }
    Err("write an e-mail address in plain ASCII, like desk@example.org".to_owned())
}

fn parse_phone(text: &str) -> Result<String, String> {
    phone::dialled(text).ok_or_else(|| format!("write {}", phone::FORM))
}

fn severity() -> impl TypedValueParser<Value = Severity> {
    let words = Severity::ALL.iter().map(|s| s.as_str());
    PossibleValuesParser::new(words).try_map(|word| word.parse::<Severity>())
}

fn parse_until(text: &str) -> Result<OffsetDateTime, String> {
    if let Ok(at) = OffsetDateTime::parse(text, &Rfc3339) {
        return Ok(at);
    }
    Date::parse(text, format_description!("[year]-[month]-[day]"))
        .ok()
        .and_then(Date::next_day)
        .map(|day| day.midnight().assume_utc())
        .ok_or_else(|| {
            "write a date like 2026-12-01, or a time like 2026-12-01T18:00:00Z".to_owned()
        })
}

/// Shows or sets where one is nudged.
///
/// # Errors
/// [`CliError`].
pub async fn run(args: Args, context: &Context) -> Result<Exit, CliError> {
    let (_, api) = context.connect()?;
    let settings = match args.action {
        Some(Action::Test) => return test(context, &api).await,
        Some(Action::Leave { until, cover }) => {
            let mut choice = chosen(&api).await?;
            choice.leave = Some(NudgeLeave { until, cover });
            api.set_nudge(&choice).await?
        }
        Some(Action::Back) => {
            let mut choice = chosen(&api).await?;
            choice.leave = None;
            api.set_nudge(&choice).await?
        }
        None if args.off => {
            api.erase_nudge().await?;
            let value = json!({"off": true});
            context.out.emit(&value, || {
                "Erased. Nothing more is sent to you outside Herald.".to_owned()
            });
            return Ok(Exit::Ok);
        }
        None if args.email.is_none() && args.webhook_to.is_none() && args.severity.is_empty() => {
            api.nudge().await?
        }
        None => set(args, &api).await?,
    };
    context.out.emit(&settings, || text(&settings));
    Ok(Exit::Ok)
}

/// What is given replaces what is set; the rest stays.
async fn set(args: Args, api: &Api) -> Result<NudgeSettings, CliError> {
    let mut choice = api.nudge().await?.choice.unwrap_or_default();
    choice.email = args.email.or(choice.email);
    choice.phone = args.webhook_to.or(choice.phone);
    if !args.severity.is_empty() {
        choice.severities = args.severity;
    } else if choice.severities.is_empty() {
        choice.severities = vec![Severity::Urgent, Severity::Distress];
    }
    Ok(api.set_nudge(&choice).await?)
}

async fn chosen(api: &Api) -> Result<NudgeChoice, CliError> {
    api.nudge().await?.choice.ok_or_else(|| {
        CliError::refused(
            "no address is set for nudges",
            "Set one first: herald nudge --email you@example.org",
        )
    })
}

/// Queues a test, and waits a little for what becomes of it.
async fn test(context: &Context, api: &Api) -> Result<Exit, CliError> {
    let queued = api.test_nudge().await?;
    let Some(first) = queued.recent.iter().find(|m| m.sort == Sort::Test) else {
        return Ok(Exit::Ok);
    };
    let since = first.at;
    let until = tokio::time::Instant::now() + TEST_PATIENCE;
    let messages = loop {
        let settings = api.nudge().await?;
        let sent = |m: &NudgeMessage| m.sort == Sort::Test && m.at >= since;
        let messages: Vec<_> = settings.recent.into_iter().filter(sent).collect();
        let waiting = messages.iter().any(|m| m.state == MessageState::Waiting);
        if !waiting || tokio::time::Instant::now() > until {
            break messages;
        }
        tokio::time::sleep(TEST_LOOK).await;
    };
    context.out.emit(&json!({"test": messages}), || {
        let mut text = String::new();
        for message in &messages {
            add(&mut text, format_args!("{}\n", message_line(message)));
        }
        text + "Look whether it has come. If not, ask the operator: this server knows no more.\n"
    });
    let all = messages.iter().all(|m| m.state == MessageState::Taken);
    Ok(if all { Exit::Ok } else { Exit::Failure })
}

const fn way_words(way: Way) -> &'static str {
    match way {
        Way::Mail => "e-mail",
        Way::Webhook => "the operator's gateway",
    }
}

fn message_line(message: &NudgeMessage) -> String {
    let by = way_words(message.way);
    match message.state {
        MessageState::Waiting => format!(
            "By {by}: not gone out yet after {} tries; it is tried again.",
            message.tries
        ),
        MessageState::Taken => {
            format!("By {by}: handed over. That says nothing of whether it was read.")
        }
        MessageState::GivenUp => format!("By {by}: given up after {} tries.", message.tries),
        MessageState::Dropped => format!("By {by}: no longer needed."),
    }
}

fn text(settings: &NudgeSettings) -> String {
    let mut text = String::new();
    match &settings.choice {
        None => {
            text += "You are not nudged. Set an address: herald nudge --email you@example.org\n";
        }
        Some(choice) => chosen_lines(&mut text, choice, settings),
    }
    for covered in &settings.covering {
        add(
            &mut text,
            format_args!(
                "You stand in for {} until {}.\n",
                covered.device,
                time_words(covered.until)
            ),
        );
    }
    for trouble in &settings.failing {
        add(
            &mut text,
            format_args!(
                "Nothing gets through to you by {} since {}: look at the address, then herald nudge test\n",
                way_words(trouble.way),
                time_words(trouble.since)
            ),
        );
    }
    text
}

fn chosen_lines(text: &mut String, choice: &NudgeChoice, settings: &NudgeSettings) {
    let severities: Vec<_> = choice.severities.iter().map(|s| s.as_str()).collect();
    add(
        text,
        format_args!("You are nudged for: {}\n", severities.join(", ")),
    );
    let ways = [
        (&choice.email, "e-mail to", settings.mail, "e-mails"),
        (
            &choice.phone,
            "the operator's gateway, for",
            settings.webhook,
            "messages to a gateway",
        ),
    ];
    for (address, by, on, what) in ways {
        let Some(address) = address else { continue };
        add(text, format_args!("  by {by} {address}\n"));
        if !on {
            add(
                text,
                format_args!(
                    "  BUT this server sends no {what}: its operator has not set that up\n"
                ),
            );
        }
    }
    if let Some(leave) = &choice.leave {
        add(
            text,
            format_args!(
                "Away until {}; {} is nudged meanwhile. Be back: herald nudge back\n",
                time_words(leave.until),
                leave.cover
            ),
        );
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_leave_ends_with_its_last_day_or_at_the_time_given() {
        let at = |text| parse_until(text).expect("a time").unix_timestamp();
        assert_eq!(at("2026-12-01"), at("2026-12-02T00:00:00Z"));
        assert!(parse_until("tomorrow").is_err());
    }

    #[test]
    fn whoever_sets_an_address_is_told_that_the_server_sends_none() {
        let settings = NudgeSettings {
            choice: Some(NudgeChoice {
                email: Some("desk@example.org".to_owned()),
                severities: vec![Severity::Urgent],
                ..NudgeChoice::default()
            }),
            mail: false,
            webhook: false,
            covering: Vec::new(),
            recent: Vec::new(),
            failing: Vec::new(),
        };
        assert!(text(&settings).contains("BUT this server sends no e-mails"));
        let on = NudgeSettings {
            mail: true,
            ..settings
        };
        assert!(!text(&on).contains("BUT"));
    }
}
