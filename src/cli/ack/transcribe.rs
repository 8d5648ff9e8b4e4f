//! The command `ack transcribe`: what a party's letter says of notifications, on the coordinator's word. The letter goes with
//! it, byte for byte as it came, sealed to the coordinator and the organisation. It counts neither as signed nor as reached.

use std::path::PathBuf;

use serde_json::json;

use super::super::attach::{self, Attached};
use super::super::error::CliError;
use super::super::exit::Exit;
use super::super::find::{self, Named};
use super::super::inbox::Inbox;
use super::super::outbox::{Meta, Outbox};
use super::super::screen::parse_revision;
use super::super::words::{ack_words, add};
use super::super::{Context, directory, send};
use crate::domain::ack::{AckState, MAX_ITEMS};
use crate::domain::ids::{ActorId, Revision};
use crate::domain::kind::Kind;
use crate::spatial::parse::parse_position;
use crate::wire::build::{Part, build};
use crate::wire::claims::{AckClaims, AckItem, OnBehalf};
use crate::wire::parts::{AckDetail, AckItemDetail, Blobs, Entered, Person, name};
use crate::wire::trust::Trust;

const EXAMPLES: &str = "\
Examples:
  herald ack transcribe HN-WD2P-F2DD --party south --state received --officer \"Maj. X\" --from letter.pdf --dated 2026-11-20
  herald ack transcribe HN-WD2P-F2DD --party south --state entered --officer \"Maj. X\" --from letter.pdf \\
      --list \"NSL South\" --number 12 --position \"42S VF 87694 63602\"

The letter is a PDF, JPEG or PNG of at most 5 MiB. It is kept as it came, what it says of its author included, and goes \
whole to the organisation: so one run is for the notifications of one organisation. It is marked as transcribed everywhere \
and never counts as signed or as reached. Once the party has a device, it confirms or contradicts with its own word.";

/// Arguments.
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub struct Args {
    /// The notifications, HN-… or their ids; all of one organisation
    #[arg(required = true, num_args = 1..=MAX_ITEMS)]
    pub notifications: Vec<Named>,
    /// The party that wrote
    #[arg(long)]
    pub party: ActorId,
    /// What the letter says: received, entered, not_entered, queried or removed
    #[arg(long, value_parser = parse_state)]
    pub state: AckState,
    /// The officer who signed the letter
    #[arg(long)]
    pub officer: String,
    /// The officer's post
    #[arg(long)]
    pub post: Option<String>,
    /// The letter
    #[arg(long, value_name = "FILE")]
    pub from: PathBuf,
    /// The date that stands on it, like 2026-11-20
    #[arg(long, value_name = "DATE")]
    pub dated: Option<String>,
    /// With entered: the party's list
    #[arg(long, required_if_eq("state", "entered"))]
    pub list: Option<String>,
    /// The list's version
    #[arg(long)]
    pub list_version: Option<String>,
    /// The party's number for it on the list
    #[arg(long)]
    pub number: Option<String>,
    /// The position as the letter gives it: MGRS, or latitude and longitude
    #[arg(long, value_name = "POSITION", allow_hyphen_values = true)]
    pub position: Option<String>,
    /// With not_entered: why; with removed, if the letter says
    #[arg(long, required_if_eq("state", "not_entered"))]
    pub reason: Option<String>,
    /// With queried: what is asked
    #[arg(long, required_if_eq("state", "queried"))]
    pub question: Option<String>,
    /// The revision, when it is not the latest received
    #[arg(long, value_parser = parse_revision)]
    pub revision: Option<Revision>,
}

fn parse_state(text: &str) -> Result<AckState, String> {
    let text = text.replace('-', "_");
    let state = text.parse::<AckState>().ok().filter(|s| s.needs_officer());
    state.ok_or_else(|| "one of received, entered, not_entered, queried and removed".to_owned())
}

/// Signs the transcription, and sends letter and statement.
///
/// # Errors
/// [`CliError`].
pub async fn run(args: Args, context: &Context) -> Result<Exit, CliError> {
    let several = args.notifications.len() > 1;
    if several && (args.position.is_some() || args.number.is_some()) {
        return Err(CliError::Usage(
            "one position or number belongs to one notification: transcribe them one by one".into(),
        ));
    }
    let entered = entered(&args)?;
    let letter = attach::letter(&args.from)?;
    let (profile, api) = context.connect()?;
    let inbox = Inbox::open(profile.dir())?;
    let trust = directory::at_hand(&profile, &api).await?;
    let (organisation, items) = items(&args, &inbox)?;
    let detail = detail(&args, entered.as_ref(), &items);
    let parts = parts(&letter, &detail, &organisation, &trust)?;
    let word = OnBehalf {
        org: args.party.clone(),
        source: letter.part.sha256,
    };
    let common = profile.common(&context.clock);
    let claims = AckClaims::new(common, organisation.clone(), items.clone(), Some(word));
    let built = build(claims, &parts, &profile.signing_key()?)?;
    let meta = Meta::of(Kind::Ack, &built.envelope.statement, context.clock.now())
        .with_blobs(vec![letter.part.blob]);
    let outbox = Outbox::open(profile.dir())?;
    outbox.put_blob(&letter.part.blob, &letter.blob)?;
    outbox.put(&built.envelope, &meta)?;
    let value = json!({
        "transcribed": items.iter().map(|i| json!({
            "nid": i.nid, "reference": i.nid.reference(), "rev": i.rev, "state": i.state,
        })).collect::<Vec<_>>(),
        "party": args.party, "organisation": organisation, "of": built.hash,
        "letter": {"sha256": letter.part.sha256, "name": letter.part.name, "size": letter.part.size},
    });
    context.out.emit(&value, || {
        let mut text = String::new();
        for item in &items {
            add(
                &mut text,
                format_args!(
                    "{} revision {} of {organisation}, from a letter of {}: {}.\n",
                    item.nid.reference(),
                    item.rev,
                    args.party,
                    ack_words(item.state)
                ),
            );
        }
        add(
            &mut text,
            format_args!("The letter is kept as SHA-256 {}.\n", letter.part.sha256),
        );
        text + "Transcribed: it counts neither as signed nor as reached. The organisation is being told, with the letter.\n"
    });
    let flushed = send::flush(&profile, &api, &trust).await?;
    send::show(context, &flushed);
    Ok(flushed.exit())
}

/// The revisions that the letter is about. It goes whole to their organisation, so they are of one.
fn items(args: &Args, inbox: &Inbox) -> Result<(ActorId, Vec<AckItem>), CliError> {
    let (mut organisation, mut items) = (None, Vec::new());
    for named in &args.notifications {
        let (target, _) = find::revision(inbox, named, args.revision)?;
        if *organisation.get_or_insert_with(|| target.organisation.clone()) != target.organisation {
            return Err(CliError::refused(
                "these are notifications of several organisations, and each would get the whole letter",
                "Transcribe for one organisation at a time, with the pages that concern it.",
            ));
        }
        items.push(AckItem {
            nid: target.nid,
            rev: target.rev,
            of: target.of,
            opened: Vec::new(),
            state: args.state,
        });
    }
    let organisation =
        organisation.ok_or_else(|| CliError::Usage("name at least one notification".into()))?;
    Ok((organisation, items))
}

fn entered(args: &Args) -> Result<Option<Entered>, CliError> {
    let Some(list) = args
        .list
        .clone()
        .filter(|_| args.state == AckState::Entered)
    else {
        return match &args.position {
            None => Ok(None),
            Some(_) => Err(CliError::Usage(
                "--position is where it was entered: give it with --state entered".into(),
            )),
        };
    };
    let position = match &args.position {
        None => None,
        Some(text) => {
            let typed = parse_position(text).map_err(|e| {
                CliError::refused(
                    format!("--position, column {}: {}", e.column(), e.message()),
                    "Give the position as it stands in the letter.",
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
        typed: args.position.clone(),
    }))
}

fn detail(args: &Args, entered: Option<&Entered>, items: &[AckItem]) -> AckDetail {
    let says_more = entered.is_some() || args.reason.is_some() || args.question.is_some();
    let said = items.iter().filter(|_| says_more);
    AckDetail {
        officer: Some(Person {
            name: args.officer.clone(),
            post: args.post.clone(),
            phone: None,
        }),
        items: said
            .map(|item| AckItemDetail {
                nid: item.nid,
                entered: entered.cloned(),
                reason: args.reason.clone(),
                question: args.question.clone(),
                ask: None,
                due: None,
            })
            .collect(),
        dated: args.dated.clone(),
    }
}

fn parts(
    letter: &Attached,
    detail: &AckDetail,
    organisation: &ActorId,
    trust: &Trust,
) -> Result<Vec<Part>, CliError> {
    let mut sealed =
        Part::new(name::attachment(1), &letter.part)?.sealed_to(&trust.coordinator()?.desk);
    // An organisation that the coordinator notified for may have no desk yet.
    if let Ok(known) = trust.actor(organisation) {
        sealed = sealed.sealed_to(&known.desk);
    }
    let blobs = Blobs {
        blobs: vec![letter.named()],
    };
    let server = trust.server_seal();
    Ok(vec![
        Part::new(name::DETAIL, detail)?.sealed_to(server),
        sealed,
        Part::new(name::BLOBS, &blobs)?.sealed_to(server),
    ])
}

#[cfg(test)]
mod tests {
    use clap::Parser as _;

    use crate::cli::ack::From;
    use crate::cli::{Cli, Command};

    fn parse(line: &[&str]) -> Result<super::Args, clap::Error> {
        let words = [
            "herald",
            "ack",
            "transcribe",
            "HN-WD2P-F2DD",
            "--party",
            "south",
        ];
        let rest = ["--officer", "Maj. X", "--from", "letter.pdf"];
        let cli = Cli::try_parse_from(words.iter().chain(&rest).chain(line))?;
        match cli.command {
            Command::Ack(line) => match line.from {
                Some(From::Transcribe(args)) => Ok(*args),
                None => panic!("a transcription"),
            },
            _ => panic!("ack"),
        }
    }

    #[test]
    fn a_letter_says_what_an_officer_may_say_and_each_state_needs_what_belongs_to_it() {
        for good in [
            &["--state", "received"][..],
            &["--state", "entered", "--list", "NSL"],
            &["--state", "not-entered", "--reason", "outside"],
            &["--state", "queried", "--question", "which?"],
            &["--state", "removed", "--dated", "2026-11-20"],
        ] {
            assert!(parse(good).is_ok(), "{good:?}");
        }
        for bad in [
            &[][..],
            &["--state", "reached_desk"],
            &["--state", "entered"],
            &["--state", "not_entered"],
            &["--state", "queried"],
        ] {
            assert!(parse(bad).is_err(), "{bad:?}");
        }
    }

    #[test]
    fn a_position_belongs_to_what_was_entered() {
        let at = ["--position", "42S VF 87694 63602"];
        let args = parse(&[&["--state", "entered", "--list", "NSL"], &at[..]].concat());
        let entered = super::entered(&args.expect("complete")).expect("readable");
        let [lon, lat] = entered.and_then(|e| e.position).expect("a position");
        assert!((lon - 68.86221).abs() < 1e-4 && (lat - 36.71803).abs() < 1e-4);
        let args = parse(&[&["--state", "received"], &at[..]].concat()).expect("parsed");
        assert!(super::entered(&args).is_err());
    }
}
