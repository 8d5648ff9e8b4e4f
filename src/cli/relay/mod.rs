//! The command `relay`: a package of what is notified to a party that has no device, as files to send or carry, and the
//! coordinator's signed word on what it disclosed, to whom, how. It moves nothing, and nobody is counted as reached by it.

pub mod words;

mod html;
mod kml;
mod package;
mod rows;
#[cfg(test)]
mod tests;
mod xlsx;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use clap::ValueEnum;
use serde_json::{Value, json};

use self::package::{Object, Package};
use super::api::Api;
use super::error::CliError;
use super::exit::Exit;
use super::find::Named;
use super::inbox::Inbox;
use super::outbox::{Meta, Outbox};
use super::profile::Profile;
use super::received::Readers;
use super::{Context, directory, download, profile, send};
use crate::crypto::digest::Digest;
use crate::domain::ack::MAX_ITEMS;
use crate::domain::exchange::{Means, RELAY_SENTENCE};
use crate::domain::ids::{ActorId, LogPosition};
use crate::domain::kind::Kind;
use crate::domain::notification::{NotificationState, Tier};
use crate::domain::plural::count;
use crate::wire::api::{NotificationStatus, PartyStatus};
use crate::wire::build::{Part, build};
use crate::wire::claims::{About, RelayClaims};
use crate::wire::parts::{Person, name};
use crate::wire::relay::{Disclosed, RelayDetail, RelayedFile};
use crate::wire::trust::Trust;

const EXAMPLES: &str = "\
Examples:
  herald relay --party south --new --as xlsx,kml,html --by email --recipient liaison@south.example --officer \"Ana Lim\"
  herald relay --party south HN-WD2P-F2DD --by courier --recipient \"Office of Gen. Y\" --officer \"Ana Lim\" --out south

Without references and without --new it holds everything that is notified to the party now. Send the files yourself: the \
record says that you did, to whom and how. Exact places stand in it for those who see them, squares for others, and of what \
a check alone finds only how many there are. A party that has a device may be sent one too, where its line is down: what its \
desk takes from its mailbox counts, the package does not.";

/// Pages of notifications that are asked for at most.
const PAGES: usize = 10_000;

/// A form of the package.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Form {
    /// A spreadsheet
    Xlsx,
    /// For map programs
    Kml,
    /// A page to read or print
    Html,
}

impl Form {
    const fn ending(self) -> &'static str {
        match self {
            Self::Xlsx => "xlsx",
            Self::Kml => "kml",
            Self::Html => "html",
        }
    }
}

/// Arguments.
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub struct Args {
    /// The notifications, HN-… or their ids
    #[arg(conflicts_with = "new")]
    pub notifications: Vec<Named>,
    /// For whom
    #[arg(long)]
    pub party: ActorId,
    /// As which files
    #[arg(
        long = "as",
        value_enum,
        value_delimiter = ',',
        default_value = "xlsx,kml,html"
    )]
    pub forms: Vec<Form>,
    /// Only what was not relayed at its present revision, and what ended since it was
    #[arg(long)]
    pub new: bool,
    /// The folder to write it into; made if it is not there [default: relay-PARTY-SERIAL here]
    #[arg(long, value_name = "DIR")]
    pub out: Option<PathBuf>,
    /// By what means it goes: email, hand, courier or other
    #[arg(long, value_parser = parse_means)]
    pub by: Means,
    /// To whom: the e-mail address, the name, the office
    #[arg(long)]
    pub recipient: String,
    /// Which officer of yours relays it
    #[arg(long)]
    pub officer: String,
    /// The officer's post
    #[arg(long)]
    pub post: Option<String>,
}

fn parse_means(text: &str) -> Result<Means, String> {
    text.parse()
        .map_err(|_| "one of email, hand, courier and other".to_owned())
}

/// Makes the package, writes it, and records it.
///
/// # Errors
/// [`CliError`]; nothing is recorded before all files are written.
pub async fn run(args: Args, context: &Context) -> Result<Exit, CliError> {
    let (profile, api) = context.connect()?;
    let trust = directory::trust(&profile, &api).await?;
    let objects = objects(&args, &profile, &api, &trust).await?;
    if objects.is_empty() {
        context.out.emit(&json!({"relayed": [], "files": []}), || {
            format!("Nothing is to be relayed to {}.", args.party)
        });
        return Ok(Exit::Ok);
    }
    let call = profile::call(profile.dir());
    let party = args.party.clone();
    let package = Package::new(party, &trust, call, context.clock.now(), objects)?;
    let folder = args
        .out
        .clone()
        .unwrap_or_else(|| PathBuf::from(format!("relay-{}-{}", args.party, package.serial())));
    let files = write(&args, &package, &folder)?;
    record(&args, &package, &files, &profile, &trust, context)?;
    show(context, &args, &package, &folder, &files);
    let flushed = send::flush(&profile, &api, &trust).await?;
    send::show(context, &flushed);
    Ok(flushed.exit())
}

/// What stands in the package.
async fn objects(
    args: &Args,
    profile: &Profile,
    api: &Api,
    trust: &Trust,
) -> Result<Vec<Object>, CliError> {
    let inbox = Inbox::open(profile.dir())?;
    let readers = Readers::of(profile)?;
    let mut out = Vec::new();
    if !args.notifications.is_empty() {
        for named in &args.notifications {
            let status = api.notification(&named.to_string()).await?;
            let party = of(&status, &args.party).ok_or_else(|| {
                CliError::refused(
                    format!("{} was not notified to {}", status.reference, args.party),
                    "Relay what the organisation chose this party for; ask it to revise the notification otherwise.",
                )
            })?;
            out.push(package::object(&status, party, (&inbox, trust, &readers))?);
        }
        return Ok(out);
    }
    let mut after: Option<LogPosition> = None;
    for _ in 0..PAGES {
        let page = api.notifications(after).await?;
        for status in &page.items {
            let party = of(status, &args.party).filter(|party| is_due(args, status, party));
            if let Some(party) = party {
                out.push(package::object(status, party, (&inbox, trust, &readers))?);
            }
        }
        after = page.next;
        if after.is_none() {
            break;
        }
    }
    Ok(out)
}

fn of<'a>(status: &'a NotificationStatus, party: &ActorId) -> Option<&'a PartyStatus> {
    status.parties.iter().find(|one| one.party == *party)
}

/// Whether it belongs into the package: what is notified now, and with --new what was not relayed as it stands; that it is no
/// longer notified is said only of what was relayed before.
fn is_due(args: &Args, status: &NotificationStatus, party: &PartyStatus) -> bool {
    let ended = status.state != NotificationState::Current || party.tier == Tier::Withdrawn;
    let relayed_now = party.relayed.iter().any(|relay| relay.latest);
    match (args.new, ended) {
        (true, true) => !relayed_now && !party.relayed.is_empty(),
        (true, false) => !relayed_now,
        (false, ended) => !ended,
    }
}

/// Writes the files, for their owner alone.
fn write(args: &Args, package: &Package, folder: &Path) -> Result<Vec<RelayedFile>, CliError> {
    std::fs::create_dir_all(folder).map_err(|error| {
        CliError::failed(
            format!("{} cannot be made: {error}", folder.display()),
            "Name another folder with --out.",
        )
    })?;
    let mut files = Vec::new();
    for form in &args.forms {
        let bytes = match form {
            Form::Html => html::page(package).into_bytes(),
            Form::Kml => kml::document(package).into_bytes(),
            Form::Xlsx => xlsx::bytes(package).map_err(|error| {
                CliError::failed(
                    format!("the spreadsheet cannot be made: {error}"),
                    "Use --as kml,html.",
                )
            })?,
        };
        let serial = package.serial();
        let name = format!("herald-{}-{serial}.{}", package.party, form.ending());
        download::write(folder, &name, &bytes)?;
        files.push(RelayedFile {
            name,
            sha256: Digest::of(&bytes),
            size: bytes.len() as u64,
        });
    }
    Ok(files)
}

/// Signs one statement for each organisation, and keeps them to be sent.
fn record(
    args: &Args,
    package: &Package,
    files: &[RelayedFile],
    profile: &Profile,
    trust: &Trust,
    context: &Context,
) -> Result<(), CliError> {
    let outbox = Outbox::open(profile.dir())?;
    let key = profile.signing_key()?;
    for (organisation, objects) in by_organisation(package) {
        for objects in objects.chunks(MAX_ITEMS) {
            let detail = RelayDetail {
                items: objects
                    .iter()
                    .map(|object| Disclosed {
                        nid: object.nid,
                        tier: object.tier(),
                    })
                    .collect(),
                means: args.by,
                recipient: args.recipient.clone(),
                officer: Person {
                    name: args.officer.clone(),
                    post: args.post.clone(),
                    phone: None,
                },
                serial: package.serial(),
                files: files.to_vec(),
                says: RELAY_SENTENCE.to_owned(),
            };
            let items = objects.iter().map(|object| About {
                nid: object.nid,
                rev: object.rev,
                of: object.of,
            });
            let part = Part::new(name::DETAIL, &detail)?.sealed_to(trust.server_seal());
            let claims = RelayClaims::new(
                profile.common(&context.clock),
                organisation.clone(),
                args.party.clone(),
                items.collect(),
            );
            let built = build(claims, &[part], &key)?;
            let now = context.clock.now();
            let meta = Meta::of(Kind::Relay, &built.envelope.statement, now);
            outbox.put(&built.envelope, &meta)?;
        }
    }
    Ok(())
}

/// No organisation learns of another's.
fn by_organisation(package: &Package) -> BTreeMap<&ActorId, Vec<&Object>> {
    let mut by: BTreeMap<&ActorId, Vec<&Object>> = BTreeMap::new();
    for object in &package.objects {
        by.entry(&object.organisation).or_default().push(object);
    }
    by
}

fn show(context: &Context, args: &Args, package: &Package, folder: &Path, files: &[RelayedFile]) {
    let relayed: Vec<Value> = package
        .objects
        .iter()
        .map(|object| {
            json!({
                "nid": object.nid, "reference": object.reference, "rev": object.rev, "of": object.of, "pos": object.pos,
                "organisation": object.organisation, "tier": object.tier(),
            })
        })
        .collect();
    let value = json!({
        "party": args.party, "serial": package.serial(), "package": package.id, "folder": folder.display().to_string(),
        "files": files, "relayed": relayed, "on_check": package.on_check(),
    });
    context.out.emit(&value, || {
        let mut text = format!(
            "{} for {}, serial {}, in {}:\n",
            count(package.objects.len(), "notification"),
            args.party,
            package.serial(),
            folder.display()
        );
        for file in files {
            words::line(&mut text, file);
        }
        text += "Send it now; it shows places to whoever opens it. It is recorded as relayed ";
        text += words::means_words(args.by);
        text += ": not signed by the party, and not counted as reached.";
        text
    });
}
