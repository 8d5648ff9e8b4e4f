//! The attachments of a notification that this device received, and the letters of parties that the coordinator transcribed
//! acknowledgements of it from: what there is, and the files themselves.

use std::path::PathBuf;

use serde_json::{Value, json};

use super::error::CliError;
use super::exit::Exit;
use super::find::{self, Named};
use super::inbox::{Entry, Inbox};
use super::received::{Readers, Received, receive};
use super::screen::parse_revision;
use super::{Context, directory, download, words};
use crate::domain::ids::{ActorId, Nid, Reference, Revision};
use crate::domain::kind::Kind;
use crate::domain::plural::count;
use crate::wire::claims::Claims;
use crate::wire::parts::AttachmentPart;
use crate::wire::trust::Trust;

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
    /// Whose letter it is, of one that an acknowledgement was transcribed from.
    letter_of: Option<ActorId>,
    file: Option<(PathBuf, bool)>,
}

/// Lists the attachments and the letters that were transcribed, and fetches them.
///
/// # Errors
/// When the notification was not received or is not believed, or a file cannot be fetched or written.
pub async fn run(args: Args, context: &Context) -> Result<Exit, CliError> {
    let (profile, api) = context.connect()?;
    let inbox = Inbox::open(profile.dir())?;
    let entry = revision(&inbox, &args)?;
    let trust = directory::at_hand(&profile, &api).await?;
    let readers = Readers::of(&profile)?;
    let received = believed(&inbox, &entry, &trust, &readers)?;
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
    let attached = received.attachments().into_iter();
    let mut lines: Vec<Line> = attached
        .map(|(n, part)| Line {
            n,
            part,
            letter_of: None,
            file: None,
        })
        .collect();
    lines.extend(letters(&inbox, nid, &trust, &readers)?);
    if let Some(folder) = &args.out {
        for line in &mut lines {
            let text = download::fetch(&profile, &api, &line.part).await?;
            let stem = match &line.letter_of {
                None => reference.to_string(),
                Some(party) => format!("{reference}-letter-{party}"),
            };
            let name = download::file_name(&stem, line.n, &line.part);
            line.file = Some(download::write(folder, &name, &text)?);
        }
    }
    show(context, &reference, rev, &lines);
    Ok(Exit::Ok)
}

/// An event that every check holds of.
fn believed(
    inbox: &Inbox,
    entry: &Entry,
    trust: &Trust,
    readers: &Readers,
) -> Result<Received, CliError> {
    let event = inbox.event(entry)?;
    let received = receive(&event, trust, readers).map_err(|error| {
        CliError::failed(
            format!("event {} cannot be read: {error}", event.seq),
            "Update the client.",
        )
    })?;
    match received.doubt_text() {
        None => Ok(received),
        Some(doubt) => Err(CliError::refused(
            format!("event {} is not believed: {doubt}", event.seq),
            "Do not act on it; call the coordinator on a number that you know.",
        )),
    }
}

/// The letters that acknowledgements of a notification were transcribed from, oldest first, numbered from 1. One that is not
/// the letter whose digest was signed is refused.
fn letters(
    inbox: &Inbox,
    nid: Nid,
    trust: &Trust,
    readers: &Readers,
) -> Result<Vec<Line>, CliError> {
    let transcribed = |entry: &&Entry| entry.kind == Kind::Ack && entry.on_behalf.is_some();
    let mut lines = Vec::new();
    for entry in inbox.entries().iter().filter(transcribed) {
        let received = believed(inbox, entry, trust, readers)?;
        let Claims::Ack(claims) = &received.claims else {
            continue;
        };
        let Some(word) = &claims.on_behalf else {
            continue;
        };
        if claims.items.iter().all(|item| item.nid != nid) {
            continue;
        }
        for (_, part) in received.attachments() {
            if part.sha256 != word.source {
                return Err(CliError::refused(
                    format!("event {} brings another letter than it names", entry.seq),
                    "Do not act on it; call the coordinator on a number that you know.",
                ));
            }
            lines.push(Line {
                n: lines.len() + 1,
                part,
                letter_of: Some(word.org.clone()),
                file: None,
            });
        }
    }
    Ok(lines)
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

/// An attachment for programs; its key stays where it is sealed.
pub fn as_json(n: usize, part: &AttachmentPart) -> Value {
    json!({
        "n": n, "name": part.name, "media_type": part.media_type, "size": part.size, "sha256": part.sha256,
    })
}

/// An attachment in one line.
pub fn in_words(n: usize, part: &AttachmentPart) -> String {
    let about = format!(
        "{} ({}, {} KiB)",
        part.name,
        part.media_type.as_str(),
        part.size.div_ceil(1_024)
    );
    format!("{n}  {}", words::plain(&about))
}

fn show(context: &Context, reference: &Reference, rev: Revision, lines: &[Line]) {
    let listed = |letters: bool| -> Vec<Value> {
        let these = lines
            .iter()
            .filter(|line| line.letter_of.is_some() == letters);
        these
            .map(|line| {
                let path = line.file.as_ref();
                json!({
                    "n": line.n, "name": line.part.name, "media_type": line.part.media_type, "size": line.part.size,
                    "sha256": line.part.sha256, "file": path.map(|(path, _)| path.display().to_string()),
                    "letter_of": line.letter_of,
                })
            })
            .collect()
    };
    let (attached, letters) = (listed(false), listed(true));
    let value =
        json!({"reference": reference, "rev": rev, "attachments": attached, "letters": letters});
    context.out.emit(&value, || {
        let mut text = format!("{reference} revision {rev}: ");
        text += &match attached.len() {
            0 => "no attachments that your desk is handed".to_owned(),
            some => count(some, "attachment"),
        };
        if !letters.is_empty() {
            words::add(
                &mut text,
                format_args!(
                    "; {} that the coordinator transcribed",
                    count(letters.len(), "letter")
                ),
            );
        }
        for line in lines {
            let of = line.letter_of.as_ref();
            let of = of.map_or_else(String::new, |party| format!(", letter of {party}"));
            words::add(
                &mut text,
                format_args!("\n  {}{of}", in_words(line.n, &line.part)),
            );
            if let Some((path, there)) = &line.file {
                let there = if *there { ", there already" } else { "" };
                words::add(&mut text, format_args!("\n     {}{there}", path.display()));
            }
        }
        text
    });
}
