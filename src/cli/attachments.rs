//! The attachments of a notification that this device received: what there is, and the files themselves.

use std::path::PathBuf;

use serde_json::{Value, json};

use super::error::CliError;
use super::exit::Exit;
use super::find::{self, Named};
use super::inbox::{Entry, Inbox};
use super::received::{Readers, receive};
use super::screen::parse_revision;
use super::{Context, directory, download, words};
use crate::domain::ids::{Reference, Revision};
use crate::domain::kind::Kind;
use crate::domain::plural::count;
use crate::wire::parts::AttachmentPart;

const EXAMPLES: &str = "\
Examples:
  herald attachments HN-2217-0AB4                    what there is
  herald attachments HN-2217-0AB4 --out photos       fetch it into the folder photos

What breaks off goes on where it stopped when the command is repeated. A file is written only when it is whole and what \
its maker said; it opens for you alone. What a picture shows was looked at by nobody here.";

/// Arguments.
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub struct Args {
    /// The notification, HN-… or its id
    pub notification: Named,
    /// The revision, when it is not the latest received
    #[arg(long, value_parser = parse_revision)]
    pub revision: Option<Revision>,
    /// Fetch the files into this folder
    #[arg(long, value_name = "DIR")]
    pub out: Option<PathBuf>,
}

/// One attachment, as it is shown.
struct Line {
    n: usize,
    part: AttachmentPart,
    file: Option<(PathBuf, bool)>,
}

/// Lists the attachments, and fetches them.
///
/// # Errors
/// When the notification was not received or is not believed, or a file cannot be fetched or written.
pub async fn run(args: Args, context: &Context) -> Result<Exit, CliError> {
    let (profile, api) = context.connect()?;
    let inbox = Inbox::open(profile.dir())?;
    let entry = revision(&inbox, &args)?;
    let trust = directory::at_hand(&profile, &api).await?;
    let event = inbox.event(&entry)?;
    let received = receive(&event, &trust, &Readers::of(&profile)?).map_err(|error| {
        CliError::failed(
            format!("event {} cannot be read: {error}", event.seq),
            "Update the client.",
        )
    })?;
    if let Some(doubt) = received.doubt_text() {
        return Err(CliError::refused(
            format!("this revision is not believed: {doubt}"),
            "Do not act on it; call the coordinator on a number that you know.",
        ));
    }
    let Some((nid, rev)) = received.claims.revision() else {
        return Err(CliError::refused(
            "it is no revision",
            "Check the reference.",
        ));
    };
    let reference = nid.reference();
    if let Some(folder) = &args.out {
        std::fs::create_dir_all(folder).map_err(|error| {
            CliError::failed(
                format!("{} cannot be made: {error}", folder.display()),
                "Name another folder.",
            )
        })?;
    }
    let mut lines = Vec::new();
    for (n, part) in received.attachments() {
        let mut file = None;
        if let Some(folder) = &args.out {
            let text = download::fetch(&profile, &api, &part).await?;
            let name = download::file_name(reference.as_str(), n, &part);
            file = Some(download::write(folder, &name, &text)?);
        }
        lines.push(Line { n, part, file });
    }
    show(context, &reference, rev, &lines);
    Ok(Exit::Ok)
}

/// The latest revision that was received of the site or movement, or the one that is given.
fn revision(inbox: &Inbox, args: &Args) -> Result<Entry, CliError> {
    let nid = find::nid(inbox, &args.notification)?;
    inbox
        .about(nid)
        .filter(|entry| matches!(entry.kind, Kind::Site | Kind::Movement))
        .filter(|entry| args.revision.is_none() || entry.rev == args.revision)
        .max_by_key(|entry| entry.rev)
        .cloned()
        .ok_or_else(|| {
            CliError::refused(
                format!("{} has no such revision here", args.notification),
                "Run `herald listen --once`, then check the number.",
            )
        })
}

fn show(context: &Context, reference: &Reference, rev: Revision, lines: &[Line]) {
    let listed: Vec<Value> = lines
        .iter()
        .map(|line| {
            json!({
                "n": line.n, "name": line.part.name, "media_type": line.part.media_type, "size": line.part.size,
                "sha256": line.part.sha256, "file": line.file.as_ref().map(|(path, _)| path.display().to_string()),
            })
        })
        .collect();
    let value = json!({"reference": reference, "rev": rev, "attachments": listed});
    context.out.emit(&value, || {
        let mut text = format!("{reference} revision {rev}: ");
        if lines.is_empty() {
            text += "no attachments that your desk is handed";
            return text;
        }
        text += &count(lines.len(), "attachment");
        for line in lines {
            let about = format!(
                "{} ({}, {} KiB)",
                line.part.name,
                line.part.media_type.as_str(),
                line.part.size.div_ceil(1_024)
            );
            text.push('\n');
            words::add(
                &mut text,
                format_args!("  {}  {}", line.n, words::plain(&about)),
            );
            if let Some((path, there)) = &line.file {
                let there = if *there { ", there already" } else { "" };
                words::add(&mut text, format_args!("\n     {}{there}", path.display()));
            }
        }
        text
    });
}
