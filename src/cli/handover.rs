//! Handover notes: what one officer leaves to the next of the same desk. Sealed to the own desk's key, so that neither the
//! server nor anybody else reads it, and kept as long as the month in which it was written.

use serde_json::{Value, json};

use super::error::CliError;
use super::exit::Exit;
use super::find::{self, Named};
use super::inbox::Inbox;
use super::outbox::Meta;
use super::profile::Profile;
use super::received::{Readers, Received, receive};
use super::submit::submit;
use super::words::{add, plain, put, time_words};
use super::{Context, directory};
use crate::domain::clock::from_micros;
use crate::domain::exchange::{MAX_NOTE_ABOUT, MAX_NOTE_CHARS};
use crate::domain::ids::{Issuer, Nid};
use crate::domain::kind::Kind;
use crate::wire::build::{Part, build};
use crate::wire::claims::HandoverClaims;
use crate::wire::envelope::Event;
use crate::wire::parts::{HandoverNote, name};
use crate::wire::trust::Trust;

const EXAMPLES: &str = "\
Examples:
  herald handover \"East answers on the satphone only tonight.\"
  herald handover \"Ask again at 06:00.\" --about HN-WD2P-F2DD --about HN-3K7Q-9M2B --officer \"A. Saleh\"
  herald handover                    the last notes
  herald handover --last 50

A note goes to the devices of your own desk and to nobody else; the server cannot read it. `herald queue` shows it on top \
until you have seen it.";

/// Arguments.
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub struct Args {
    /// The note; without it, the last notes are shown
    pub text: Option<String>,
    /// A notification that it is about, HN-… or its id; may be repeated
    #[arg(long, value_name = "HN-…", requires = "text")]
    pub about: Vec<Named>,
    /// Who leaves it
    #[arg(long, value_name = "NAME", requires = "text")]
    pub officer: Option<String>,
    /// How many notes to show
    #[arg(long, default_value_t = 10, conflicts_with = "text")]
    pub last: usize,
}

/// A note, opened.
#[derive(Debug)]
pub struct Left {
    /// Who left it.
    pub by: Issuer,
    /// When it was stored.
    pub at: time::OffsetDateTime,
    /// What it says.
    pub note: HandoverNote,
}

impl Left {
    /// Of an event that was checked and opened.
    pub fn of(event: &Event, received: &Received) -> Option<Self> {
        if received.doubt_text().is_some() {
            return None;
        }
        Some(Self {
            by: received.claims.common().iss,
            at: from_micros(i64::try_from(event.at_us).ok()?),
            note: received.part(name::NOTE)?,
        })
    }

    /// In lines.
    pub fn lines(&self) -> Vec<String> {
        let who = self.note.officer.as_deref().map_or_else(
            || self.by.to_string(),
            |officer| format!("{} ({})", plain(officer), self.by),
        );
        let mut lines = vec![format!("HANDOVER  {}  {who}", time_words(self.at))];
        let text = self
            .note
            .text
            .lines()
            .map(|line| format!("  {}", plain(line)));
        lines.extend(text);
        if !self.note.about.is_empty() {
            lines.push(format!("  about {}", references(&self.note.about)));
        }
        lines
    }

    /// As JSON.
    pub fn json(&self) -> Value {
        json!({
            "by": self.by, "at": time_words(self.at), "text": self.note.text,
            "officer": self.note.officer, "about": self.note.about,
        })
    }
}

fn references(nids: &[Nid]) -> String {
    let all: Vec<String> = nids.iter().map(|nid| nid.reference().to_string()).collect();
    all.join(", ")
}

/// What a note says, for the description of an event.
pub fn describe(text: &mut String, received: &Received) {
    let Some(note) = received.part::<HandoverNote>(name::NOTE) else {
        return;
    };
    for line in note.text.lines() {
        put(text, "note", line);
    }
    if !note.about.is_empty() {
        put(text, "about", &references(&note.about));
    }
    if let Some(officer) = &note.officer {
        put(text, "officer", officer);
    }
}

/// Leaves a note, or shows the last ones.
///
/// # Errors
/// [`CliError`].
pub async fn run(args: Args, context: &Context) -> Result<Exit, CliError> {
    match &args.text {
        Some(text) => leave(text, &args, context).await,
        None => show(args.last, context),
    }
}

async fn leave(text: &str, args: &Args, context: &Context) -> Result<Exit, CliError> {
    let note = compose(text, args, context)?;
    let (profile, api) = context.connect()?;
    let trust = directory::trust(&profile, &api).await?;
    let desk = &trust.actor(&profile.me().actor)?.desk;
    let part = Part::new(name::NOTE, &note)?.sealed_to(desk);
    let claims = HandoverClaims::new(profile.common(&context.clock));
    let built = build(claims, &[part], &profile.signing_key()?)?;
    let meta = Meta::of(
        Kind::Handover,
        &built.envelope.statement,
        context.clock.now(),
    );
    let submitted = submit(&profile, &api, &trust, &built, &meta).await?;
    context.out.emit(&submitted, || {
        "The note is left for the devices of your own desk. Nobody else can read it.".to_owned()
    });
    Ok(Exit::Ok)
}

fn compose(text: &str, args: &Args, context: &Context) -> Result<HandoverNote, CliError> {
    let text = text.trim();
    let length = text.chars().count();
    if length == 0 || length > MAX_NOTE_CHARS {
        return Err(CliError::refused(
            format!("a note has 1 to {MAX_NOTE_CHARS} characters, and this one {length}"),
            "Say it in fewer words, or in several notes.",
        ));
    }
    if args.about.len() > MAX_NOTE_ABOUT {
        return Err(CliError::refused(
            format!("a note is about at most {MAX_NOTE_ABOUT} notifications"),
            "Leave several notes.",
        ));
    }
    let profile = context.profile()?;
    let inbox = Inbox::open(profile.dir())?;
    let about = args
        .about
        .iter()
        .map(|named| find::nid(&inbox, named))
        .collect::<Result<_, _>>()?;
    Ok(HandoverNote {
        text: text.to_owned(),
        about,
        officer: args.officer.clone(),
    })
}

fn show(last: usize, context: &Context) -> Result<Exit, CliError> {
    let profile = context.profile()?;
    let notes = last_notes(&profile, last, |_| true)?;
    if notes.is_empty() {
        context.out.line(
            "No handover note is here. `herald listen --once` fetches what your colleagues left.",
        );
    }
    for left in notes {
        context
            .out
            .emit(&left.json(), || format!("{}\n", left.lines().join("\n")));
    }
    Ok(Exit::Ok)
}

/// The last notes that came to this device and that `wanted` takes (it is given when each was stored, in microseconds),
/// newest first.
///
/// # Errors
/// When the inbox or a key cannot be read.
pub fn last_notes(
    profile: &Profile,
    last: usize,
    wanted: impl Fn(u64) -> bool,
) -> Result<Vec<Left>, CliError> {
    let inbox = Inbox::open(profile.dir())?;
    let (trust, readers) = (directory::cached(profile)?, Readers::of(profile)?);
    let entries = inbox.entries().iter().rev();
    let notes = entries.filter(|entry| entry.kind == Kind::Handover && wanted(entry.at_us));
    let opened = notes.filter_map(|entry| open(&inbox.event(entry).ok()?, &trust, &readers));
    Ok(opened.take(last).collect())
}

/// A note of an event, checked and opened.
pub fn open(event: &Event, trust: &Trust, readers: &Readers) -> Option<Left> {
    let received = receive(event, trust, readers).ok()?;
    Left::of(event, &received)
}

/// Appends notes to what a queue shows.
pub fn above(text: &mut String, notes: &[Left]) {
    for line in notes.iter().flat_map(Left::lines) {
        add(text, format_args!("{line}\n"));
    }
}
