//! The command `verify`: holds files against the keys that this device pinned, or against a key directory and a root that
//! somebody compared, without the server; and says in words what each file proves and what it does not. The server's word
//! alone never makes a file hold.

mod prove;

use std::path::{Path, PathBuf};

use serde::Deserialize;
use serde_json::json;

use self::prove::{Finding, Given, Item};
use super::Context;
use super::directory;
use super::error::CliError;
use super::exit::Exit;
use super::files::{self, Pipes};
use super::profile::{Profile, ProfileError};
use crate::crypto::digest::{Digest, Kid};
use crate::domain::actor::ActorKind;
use crate::wire::api::{KeyDirectory, Submitted};
use crate::wire::claims::Claims;
use crate::wire::envelope::{Envelope, Event, split};
use crate::wire::read::read;
use crate::wire::trust::{Pins, Trust};

const EXAMPLES: &str = "\
Examples:
  herald verify ~/.config/herald/answers/031430ZMAY27-x7Qk2m9a.*.hn      an answer, and its question
  herald verify ~/.config/herald/inbox/events
  herald verify ~/.config/herald/outbox/sent/*      what was sent, beside its receipts
  herald verify receipt.jws notification.hn --keys directory.json --root \"9f86 d081 884c 7d65 ...\"

A file is an envelope, an event or a stream of either as this program keeps them, a statement alone, or the server's \
answer to a submission in JSON. Files given together are held against one another: a receipt against its statement, an \
answer against its question. The exit code is 0 when all of them hold, 1 otherwise.

Keys are those that this device pinned when it enrolled. Without a profile give --keys and --root: the directory is the \
answer of GET /v1/keys?ctx=CONTEXT, which anybody may fetch (curl --insecure \"https://herald.example.org:8443/v1/keys?ctx=yem\" > directory.json: \
who sends it does not matter), and everything in it is held against the root whose fingerprint you give.";

/// The largest file, in bytes.
const FILE_MOST: u64 = 256 << 20;
/// Items in one file.
const ITEMS_MOST: usize = 1_000_000;

/// Arguments.
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub struct Args {
    /// Receipts, acknowledgements, answers, events or envelopes; - for standard input
    #[arg(required = true, value_name = "FILE")]
    files: Vec<PathBuf>,
    /// A key directory (the answer of GET /v1/keys?ctx=CONTEXT) instead of the profile's
    #[arg(long, value_name = "DIRECTORY.json", requires = "root")]
    keys: Option<PathBuf>,
    /// The fingerprint of the deployment's root, as you compared it with people whom you trust
    #[arg(long, value_name = "THUMBPRINT", requires = "keys", value_parser = super::parse_fingerprint)]
    root: Option<Digest>,
    /// The fingerprint of the coordinator's root; without it the coordinator's root is taken on the directory's word
    #[arg(long, value_name = "THUMBPRINT", requires = "keys", value_parser = super::parse_fingerprint)]
    coordinator: Option<Digest>,
}

/// Runs it.
///
/// # Errors
/// When there are no keys to hold the files against, or a file cannot be read.
#[expect(clippy::unused_async, reason = "every subcommand is run alike")]
pub async fn run(args: Args, context: &Context) -> Result<Exit, CliError> {
    let (trust, remark) = trust(&args, context)?;
    context.out.set_mode(trust.pins().mode);
    if let Some(remark) = remark {
        context.out.note(remark);
    }
    let mut items: Vec<(PathBuf, Result<Item, String>)> = Vec::new();
    for file in &args.files {
        let read = items_of(&bytes(file)?);
        items.extend(read.into_iter().map(|item| (file.clone(), item)));
    }
    let statements = items
        .iter()
        .filter_map(|(_, item)| item.as_ref().ok())
        .map(Item::statement)
        .filter_map(|text| {
            let (unverified, claims) = read(text).ok()?;
            Some((unverified.hash(), claims))
        })
        .collect();
    let receipted = items
        .iter()
        .filter_map(|(_, item)| item.as_ref().ok())
        .filter_map(|item| match trust.check(item.statement()).ok()?.claims {
            Claims::Receipt(receipt) => Some(receipt.of),
            _ => None,
        })
        .collect();
    let given = Given {
        statements,
        receipted,
    };
    let mut all = true;
    for (file, item) in &items {
        let finding = match item {
            Ok(item) => prove::item(item, &trust, &given),
            Err(why) => Finding::unreadable(why),
        };
        all &= finding.holds;
        let value = json!({"file": file, "holds": finding.holds, "finding": &finding});
        context.out.emit(&value, || finding.text(file));
    }
    Ok(if all { Exit::Ok } else { Exit::Failure })
}

/// The keys to hold against: of a directory under a given root, or the profile's own.
fn trust(args: &Args, context: &Context) -> Result<(Trust, Option<String>), CliError> {
    let (Some(path), Some(root)) = (&args.keys, args.root) else {
        return Ok((directory::cached(&profile(context)?)?, None));
    };
    let refuse = |why: String| {
        CliError::refused(
            format!("{} is no key directory: {why}", path.display()),
            "Give the answer of GET /v1/keys?ctx=CONTEXT, as it came.",
        )
    };
    let keys: KeyDirectory =
        serde_json::from_slice(&bytes(path)?).map_err(|e| refuse(e.to_string()))?;
    let (_, server) = read(&keys.server).map_err(|e| refuse(e.to_string()))?;
    let common = server.common();
    let on_its_word = keys
        .actors
        .iter()
        .find(|actor| actor.kind == ActorKind::Coordinator)
        .and_then(|actor| match read(&actor.keys) {
            Ok((_, Claims::Keys(claims))) => Some(claims.root.kid()),
            _ => None,
        });
    let remark = args.coordinator.is_none().then(|| {
        "The coordinator's root is taken on the directory's word: give --coordinator to hold organisations and parties \
         against a root that you compared."
            .to_owned()
    });
    let coordinator_root = args
        .coordinator
        .map(Kid::from_digest)
        .or(on_its_word)
        .ok_or_else(|| refuse("it lists no coordinator".to_owned()))?;
    let pins = Pins {
        ctx: common.ctx,
        mode: common.mode,
        deployment_root: Kid::from_digest(root),
        coordinator_root,
        own: None,
    };
    Ok((Trust::establish(&keys, &pins)?, remark))
}

/// The profile; who has none is told how to do without.
fn profile(context: &Context) -> Result<Profile, CliError> {
    context.profile().map_err(|error| match error {
        CliError::Profile(error @ ProfileError::None(_)) => CliError::failed(
            error.to_string(),
            "To verify without a profile, give --keys DIRECTORY.json (the answer of GET /v1/keys?ctx=CONTEXT) and --root (the \
             fingerprint of the deployment's root, compared with people whom you trust).",
        ),
        error => error,
    })
}

fn bytes(path: &Path) -> Result<Vec<u8>, CliError> {
    let fault = |why: String| {
        CliError::refused(
            format!("{} cannot be read: {why}", path.display()),
            "Check the file's name.",
        )
    };
    let read = if path.as_os_str() == "-" {
        files::read_stdin(FILE_MOST)
    } else {
        files::read(path, FILE_MOST, Pipes::Read)
    };
    read.map_err(|e| fault(e.to_string()))
}

/// What a file holds. Anything that is none of the known forms is one unreadable item, never nothing.
fn items_of(bytes: &[u8]) -> Vec<Result<Item, String>> {
    if bytes.starts_with(b"HN1\0") {
        return vec![envelope(bytes)];
    }
    if bytes.starts_with(b"{") {
        return vec![receipt(bytes)];
    }
    if bytes.starts_with(b"eyJ") {
        let lines = std::str::from_utf8(bytes).unwrap_or_default().lines();
        return lines
            .filter(|line| !line.trim().is_empty())
            .map(|line| Ok(Item::Statement(line.trim().to_owned())))
            .collect();
    }
    if let Ok(event) = Event::decode(bytes) {
        return vec![Ok(Item::Event(Box::new(event)))];
    }
    match split(bytes, ITEMS_MOST) {
        Ok(items) if !items.is_empty() => items.into_iter().map(one).collect(),
        Ok(_) => vec![Err("it is empty".to_owned())],
        Err(error) => vec![Err(format!("it is no file of Herald: {error}"))],
    }
}

/// The receipt in the server's answer to a submission: as it came, or beside what was sent, as the outbox keeps it.
fn receipt(bytes: &[u8]) -> Result<Item, String> {
    #[derive(Deserialize)]
    struct Kept {
        submitted: Submitted,
    }
    let answer: Result<Submitted, _> = serde_json::from_slice(bytes);
    answer
        .or_else(|error| match serde_json::from_slice::<Kept>(bytes) {
            Ok(kept) => Ok(kept.submitted),
            Err(_) => Err(format!(
                "it is JSON, but not the answer to a submission: {error}"
            )),
        })
        .map(|submitted| Item::Statement(submitted.receipt))
}

fn one(bytes: &[u8]) -> Result<Item, String> {
    if bytes.starts_with(b"HN1\0") {
        return envelope(bytes);
    }
    Event::decode(bytes)
        .map(|event| Item::Event(Box::new(event)))
        .map_err(|error| error.to_string())
}

fn envelope(bytes: &[u8]) -> Result<Item, String> {
    Envelope::decode_answer(bytes)
        .map(Item::Envelope)
        .map_err(|error| error.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::output::Output;
    use crate::domain::clock::Clock;

    #[tokio::test]
    async fn who_has_no_profile_is_told_how_to_verify_without_one() {
        let dir = tempfile::tempdir().expect("a directory");
        let profile = dir.path().join("none").display().to_string();
        let (out, _, said) = Output::captured(false);
        let line = ["herald", "--profile", &profile, "verify", "receipt.jws"];
        let args = line.iter().map(Into::into).collect();
        let exit = crate::cli::run(args, out, Clock::System).await;
        assert_eq!(exit, Exit::Failure);
        let said = said.text();
        assert!(said.contains("--keys") && said.contains("--root"), "{said}");
    }

    #[test]
    fn a_file_that_is_nothing_of_ours_is_said_to_be_unreadable() {
        for bytes in [
            b"".as_slice(),
            b"{\"a\":1}",
            b"HN1\0xx",
            b"\0\0\0\x05abc",
            b"hello",
        ] {
            let items = items_of(bytes);
            assert_eq!(items.len(), 1);
            assert!(items[0].is_err());
        }
    }
}
