//! A party's word on what it was notified of: received by a named officer, entered, not entered, a question, taken off.
//! It is signed over the exact revision and the parts that were opened. It is not approval and confers no access.

pub mod transcribe;

use std::collections::BTreeMap;

use serde_json::json;
use time::OffsetDateTime;

use super::error::CliError;
use super::exchange::moment;
use super::exit::Exit;
use super::find::{self, Named};
use super::inbox::Inbox;
use super::outbox::Meta;
use super::profile::Profile;
use super::received::{Readers, receive};
use super::screen::parse_revision;
use super::submit::submit;
use super::words::{ack_words, add};
use super::{Context, directory};
use crate::domain::ack::{AckState, MAX_ITEMS};
use crate::domain::exchange::Ask;
use crate::domain::ids::{ActorId, Revision};
use crate::domain::kind::Kind;
use crate::spatial::parse::parse_position;
use crate::wire::build::{Part, build};
use crate::wire::claims::{AckClaims, AckItem};
use crate::wire::parts::{AckDetail, AckItemDetail, Entered, Person, name};
use crate::wire::trust::Trust;

const EXAMPLES: &str = "\
Examples:
  herald ack HN-WD2P-F2DD --received --officer \"Maj. Karim\"
  herald ack HN-WD2P-F2DD --entered --officer \"Maj. Karim\" --list \"NSL North\" --number 114 --at \"42S VF 87694 63602\"
  herald ack HN-WD2P-F2DD --not-entered --officer \"Maj. Karim\" --reason \"outside our area\"
  herald ack HN-WD2P-F2DD --queried --officer \"Maj. Karim\" --question \"which of the two buildings?\"
  herald ack HN-WD2P-F2DD --queried --officer \"Maj. Karim\" --question \"can it wait until dark?\" --ask delay --due 031800ZMAY26
  herald ack HN-WD2P-F2DD --removed --officer \"Maj. Karim\" --reason \"withdrawn by the organisation\"
  herald ack transcribe HN-WD2P-F2DD --party south --state received --officer \"Maj. X\" --from letter.pdf

Give the position from your own list, as it stands there: it is compared with the one notified. An acknowledgement is \
not approval and confers no access; its absence takes no protection away.";

/// The party's own word, or the coordinator's from a letter.
#[derive(Debug, clap::Args)]
#[command(args_conflicts_with_subcommands = true, subcommand_negates_reqs = true)]
pub struct Line {
    /// From a letter.
    #[command(subcommand)]
    pub from: Option<From>,
    /// Signed by the party.
    #[command(flatten)]
    pub own: Option<Args>,
}

/// What is not signed by the party itself.
#[derive(Debug, clap::Subcommand)]
pub enum From {
    /// Transcribe a party's letter: marked as such everywhere, and never counted as signed or as reached (coordinator)
    Transcribe(Box<transcribe::Args>),
}

/// Runs either.
///
/// # Errors
/// [`CliError`].
pub async fn either(line: Line, context: &Context) -> Result<Exit, CliError> {
    match (line.from, line.own) {
        (Some(From::Transcribe(args)), _) => transcribe::run(*args, context).await,
        (None, Some(args)) => run(args, context).await,
        (None, None) => Err(CliError::Usage(
            "name the notifications, and what is said of them: see herald ack --help".into(),
        )),
    }
}

/// Arguments.
#[derive(Debug, clap::Args)]
#[expect(
    clippy::struct_excessive_bools,
    reason = "one flag a state, of which clap lets exactly one pass"
)]
#[command(after_help = EXAMPLES, group = clap::ArgGroup::new("state").required(true))]
pub struct Args {
    /// The notifications, HN-… or their ids
    #[arg(required = true, num_args = 1..=MAX_ITEMS)]
    pub notifications: Vec<Named>,
    /// An officer received it
    #[arg(long, group = "state")]
    pub received: bool,
    /// It was entered on the own list; needs --list
    #[arg(long, group = "state", requires = "list")]
    pub entered: bool,
    /// It was not entered; needs --reason
    #[arg(long, group = "state", requires = "reason")]
    pub not_entered: bool,
    /// Something is to be asked; needs --question
    #[arg(long, group = "state", requires = "question")]
    pub queried: bool,
    /// It was taken off the own list
    #[arg(long, group = "state")]
    pub removed: bool,
    /// The officer who says it
    #[arg(long)]
    pub officer: String,
    /// The officer's post
    #[arg(long)]
    pub post: Option<String>,
    /// The own list's name
    #[arg(long)]
    pub list: Option<String>,
    /// The list's version
    #[arg(long)]
    pub list_version: Option<String>,
    /// The own number for it on the list
    #[arg(long)]
    pub number: Option<String>,
    /// The position as it stands on the own list: MGRS, or latitude and longitude
    #[arg(long, value_name = "POSITION")]
    pub at: Option<String>,
    /// Why it was not entered, or was taken off
    #[arg(long)]
    pub reason: Option<String>,
    /// What is asked of the organisation
    #[arg(long)]
    pub question: Option<String>,
    /// What you ask for; delay and reroute of movements only [default: clarify]
    #[arg(long, value_parser = parse_ask, requires = "queried")]
    pub ask: Option<Ask>,
    /// By when you ask for a reply: RFC 3339, date-time group like 031800ZMAY26, or local time with --zone; at most 30
    /// days ahead [default: as the policy says]
    #[arg(long, value_name = "TIME", requires = "queried")]
    pub due: Option<String>,
    /// The zone of a time that names none, like Asia/Aden
    #[arg(long, value_name = "ZONE")]
    pub zone: Option<String>,
    /// The revision, when it is not the latest received
    #[arg(long, value_parser = parse_revision)]
    pub revision: Option<Revision>,
}

fn parse_ask(text: &str) -> Result<Ask, String> {
    text.parse()
        .map_err(|_| "one of clarify, delay and reroute".to_owned())
}

impl Args {
    const fn state(&self) -> AckState {
        if self.received {
            AckState::Received
        } else if self.entered {
            AckState::Entered
        } else if self.not_entered {
            AckState::NotEntered
        } else if self.queried {
            AckState::Queried
        } else {
            AckState::Removed
        }
    }
}

/// Signs the acknowledgement, one statement for each organisation.
///
/// # Errors
/// [`CliError`].
pub async fn run(args: Args, context: &Context) -> Result<Exit, CliError> {
    if args.entered && args.notifications.len() > 1 && (args.at.is_some() || args.number.is_some())
    {
        return Err(CliError::Usage(
            "one position or number belongs to one notification: acknowledge them one by one"
                .into(),
        ));
    }
    let entered = entered(&args)?;
    let due = moment("--due", args.due.as_deref(), args.zone.as_deref(), context)?;
    let (profile, api) = context.connect()?;
    let inbox = Inbox::open(profile.dir())?;
    let trust = directory::at_hand(&profile, &api).await?;
    let by_organisation = items(&args, &profile, &inbox, &trust)?;
    let mut done = Vec::new();
    for (organisation, items) in by_organisation {
        let detail = detail(&args, entered.as_ref(), due, &items);
        let part = Part::new(name::DETAIL, &detail)?.sealed_to(trust.server_seal());
        let common = profile.common(&context.clock);
        let claims = AckClaims::new(common, organisation.clone(), items.clone(), None);
        let built = build(claims, &[part], &profile.signing_key()?)?;
        let meta = Meta::of(Kind::Ack, &built.envelope.statement, context.clock.now());
        let submitted = submit(&profile, &api, &trust, &built, &meta).await?;
        done.push((organisation, items, submitted));
    }
    let submitted: Vec<_> = done.iter().map(|(_, _, submitted)| submitted).collect();
    context.out.emit(&json!({"submitted": submitted}), || {
        let mut text = String::new();
        for (organisation, items, submitted) in &done {
            for item in items {
                add(&mut text, format_args!(
                    "{} revision {} of {organisation}: {}.\n",
                    item.nid.reference(),
                    item.rev,
                    ack_words(item.state)
                ));
            }
            for remark in &submitted.remarks {
                add(&mut text, format_args!("  {remark}\n"));
            }
        }
        text + "The organisation and the coordinator are being told. This is not approval and confers no access.\n"
    });
    Ok(Exit::Ok)
}

fn items(
    args: &Args,
    profile: &Profile,
    inbox: &Inbox,
    trust: &Trust,
) -> Result<BTreeMap<ActorId, Vec<AckItem>>, CliError> {
    let readers = Readers::of(profile)?;
    let mut by_organisation: BTreeMap<ActorId, Vec<AckItem>> = BTreeMap::new();
    for named in &args.notifications {
        let (target, entry) = find::revision(inbox, named, args.revision)?;
        let moves = matches!(args.ask, Some(Ask::Delay | Ask::Reroute));
        if moves && target.kind != Kind::Movement {
            return Err(CliError::refused(
                format!("{named} is no movement: it can neither wait nor take another way"),
                "Ask to clarify.",
            ));
        }
        let event = inbox.event(&entry)?;
        let received = receive(&event, trust, &readers)
            .map_err(|error| CliError::failed(format!("{named}: {error}"), "Update the client."))?;
        by_organisation
            .entry(target.organisation)
            .or_default()
            .push(AckItem {
                nid: target.nid,
                rev: target.rev,
                of: target.of,
                opened: received.opened(),
                state: args.state(),
            });
    }
    Ok(by_organisation)
}

fn entered(args: &Args) -> Result<Option<Entered>, CliError> {
    let Some(list) = args.list.clone().filter(|_| args.entered) else {
        return Ok(None);
    };
    let position = match &args.at {
        None => None,
        Some(text) => {
            let typed = parse_position(text).map_err(|e| {
                CliError::refused(
                    format!("--at, column {}: {}", e.column(), e.message()),
                    "Give the position as it stands on your own list.",
                )
            })?;
            Some([typed.position.lon(), typed.position.lat()])
        }
    };
    Ok(Some(Entered {
        list,
        version: args.list_version.clone(),
        number: args.number.clone(),
        position,
        typed: args.at.clone(),
    }))
}

fn detail(
    args: &Args,
    entered: Option<&Entered>,
    due: Option<OffsetDateTime>,
    items: &[AckItem],
) -> AckDetail {
    let says_more = entered.is_some() || args.reason.is_some() || args.question.is_some();
    AckDetail {
        officer: Some(Person {
            name: args.officer.clone(),
            post: args.post.clone(),
            phone: None,
        }),
        items: items
            .iter()
            .filter(|_| says_more)
            .map(|item| AckItemDetail {
                ask: args.ask,
                due,
                nid: item.nid,
                entered: entered.cloned(),
                reason: args.reason.clone(),
                question: args.question.clone(),
            })
            .collect(),
        dated: None,
    }
}

#[cfg(test)]
mod tests {
    use clap::Parser as _;

    use crate::cli::{Cli, Command};

    fn parse(line: &[&str]) -> Result<super::Args, clap::Error> {
        let words = ["herald", "ack", "HN-WD2P-F2DD", "--officer", "Karim"];
        let cli = Cli::try_parse_from(words.iter().chain(line))?;
        match cli.command {
            Command::Ack(line) => Ok(line.own.expect("the party's own word")),
            _ => panic!("ack"),
        }
    }

    #[test]
    fn each_state_needs_what_belongs_to_it_and_only_one_is_said() {
        for (good, state) in [
            (&["--received"][..], "received"),
            (&["--entered", "--list", "NSL"], "entered"),
            (&["--not-entered", "--reason", "outside"], "not_entered"),
            (&["--queried", "--question", "which?"], "queried"),
            (
                &[
                    "--queried",
                    "--question",
                    "so?",
                    "--ask",
                    "delay",
                    "--due",
                    "031800ZMAY26",
                ],
                "queried",
            ),
            (&["--removed"], "removed"),
        ] {
            assert_eq!(parse(good).expect("complete").state().as_str(), state);
        }
        for bad in [
            &[][..],
            &["--received", "--removed"],
            &["--entered"],
            &["--not-entered"],
            &["--queried"],
            &["--received", "--ask", "delay"],
            &["--received", "--due", "031800ZMAY26"],
            &["--queried", "--question", "so?", "--ask", "stop"],
        ] {
            assert!(parse(bad).is_err(), "{bad:?}");
        }
    }

    #[test]
    fn the_position_as_entered_is_kept_as_typed_and_read() {
        let args =
            parse(&["--entered", "--list", "NSL", "--at", "42S VF 87694 63602"]).expect("complete");
        let entered = super::entered(&args).expect("readable").expect("entered");
        assert_eq!(entered.typed.as_deref(), Some("42S VF 87694 63602"));
        let [lon, lat] = entered.position.expect("a position");
        assert!((lon - 68.86221).abs() < 1e-4 && (lat - 36.71803).abs() < 1e-4);
        let bad = parse(&["--entered", "--list", "NSL", "--at", "somewhere"]).expect("parsed");
        assert!(super::entered(&bad).is_err());
    }
}
