//! The last chapters: what can be proved without the server, what its disk shows, and how to go on.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::stage::Stage;
use super::{COORDINATOR, EAST, EAST_PLANNER, MEDAID};
use crate::cli::error::CliError;
use crate::cli::exit::Exit;
use crate::cli::profile::io_error;
use crate::domain::plural::count;

/// Files looked through on the server's disk.
const FILES_MOST: usize = 20_000;

/// Verifies what was received, with the server stopped.
pub async fn without_the_server(stage: &mut Stage) -> Result<(), CliError> {
    stage.tell.chapter("Proof, without the server");
    stage.tell.says(
        "The server is stopped. Everybody holds what they received against the keys that they pinned at the beginning. \
         Years later a court, or an inquiry, can do the same from the same files, without trusting whoever ran the server.",
    );
    stage.all_hang_up();
    stage.server.stop().await?;
    receipts(stage).await?;
    let inbox = stage
        .profile(MEDAID)
        .join("inbox/events")
        .display()
        .to_string();
    let ran = stage
        .types(MEDAID, &["verify", &inbox])
        .await
        .ends(Exit::Ok)?;
    stage.tell.said(&tally(&ran));
    let ran = ran.finds("acknowledgements are among them", |ran| {
        ran.text.contains("an acknowledgement of east/")
    })?;
    stage.tell.said(&block(&ran.text, "entered"));
    answer(stage).await
}

async fn receipts(stage: &Stage) -> Result<(), CliError> {
    let sent = files(&stage.profile(MEDAID).join("outbox/sent"))?;
    let mut words = vec!["verify".to_owned()];
    words.extend(sent.iter().map(|path| path.display().to_string()));
    stage
        .tell
        .command(MEDAID, &["verify".to_owned(), "outbox/sent/*".to_owned()]);
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    let ran = stage.runs(MEDAID, &words).await.ends(Exit::Ok)?;
    stage.tell.said(&tally(&ran));
    let ran = ran.finds("receipts are among them", |ran| {
        ran.text.contains("a receipt statement of server/")
    })?;
    stage.tell.said(&block(&ran.text, "a receipt statement"));
    Ok(())
}

/// A planner's answer, and the same with one byte changed.
async fn answer(stage: &Stage) -> Result<(), CliError> {
    let all = files(&stage.profile(EAST_PLANNER).join("answers"))?;
    let ends_with = |end: &str| {
        all.iter()
            .find(|path| path.to_string_lossy().ends_with(end))
            .cloned()
    };
    let (Some(answer), Some(question)) = (ends_with(".answer.hn"), ends_with(".question.hn"))
    else {
        return Err(CliError::failed(
            "the planner's answers were not kept",
            "Report it.",
        ));
    };
    let (shown, beside) = (answer.display().to_string(), question.display().to_string());
    let ran = stage
        .types(EAST_PLANNER, &["verify", &shown, &beside])
        .await
        .ends(Exit::Ok)?;
    stage.tell.said(&block(&ran.text, "an answer"));
    let mut bytes = fs::read(&answer).map_err(io_error(&answer, "read"))?;
    let middle = bytes.len() / 2;
    if let Some(byte) = bytes.get_mut(middle) {
        *byte ^= 1;
    }
    let forged = stage.path("forged.answer.hn");
    super::stage::write(&forged, &bytes)?;
    stage.tell.says("The same answer with one bit changed:");
    let ran = stage
        .types(EAST_PLANNER, &["verify", &forged.display().to_string()])
        .await
        .ends(Exit::Failure)?;
    let ran = ran.finds("it does not hold", |ran| ran.text.contains("DOES NOT HOLD"))?;
    stage.tell.said(&ran.text);
    Ok(())
}

/// How many of what was verified holds.
fn tally(ran: &super::stage::Ran) -> String {
    let all = ran.documents();
    let hold = all
        .iter()
        .filter(|one| one.get("holds") == Some(&true.into()))
        .count();
    format!("{hold} of {} hold; for example:", all.len())
}

/// The last finding in whose lines this stands.
fn block(text: &str, needle: &str) -> String {
    let mut blocks: Vec<String> = Vec::new();
    for line in text.lines() {
        match blocks.last_mut() {
            Some(block) if line.starts_with(' ') => {
                block.push('\n');
                block.push_str(line);
            }
            _ => blocks.push(line.to_owned()),
        }
    }
    blocks
        .into_iter()
        .rev()
        .find(|block| block.contains(needle))
        .unwrap_or_default()
}

/// Looks through the server's disk for what was notified.
pub async fn on_the_disk(stage: &mut Stage) -> Result<(), CliError> {
    stage.tell.chapter("What the server's disk shows");
    stage.tell.says(
        "Whoever takes the database, its log or a backup should learn no place and no name. Every file of it is searched \
         for names and positions of this exercise; the short names of the organisations, which are no secret, show that \
         the search can find.",
    );
    let data = stage.path("server/data");
    let secret: Vec<(&str, Vec<u8>)> = vec![
        ("Trauma Centre", b"Trauma Centre".to_vec()),
        ("Banadir", b"Banadir".to_vec()),
        ("KH-1234 (a number plate)", b"KH-1234".to_vec()),
        ("36.71803 (as text)", b"36.71803".to_vec()),
        ("42SVF8769463602 (MGRS)", b"42SVF8769463602".to_vec()),
        (
            "31.60821 (as the eight bytes of a number, both orders)",
            31.60821_f64.to_le_bytes().to_vec(),
        ),
        ("", 31.60821_f64.to_be_bytes().to_vec()),
    ];
    let open = b"medaid".to_vec();
    let found = tokio::task::spawn_blocking(move || search(&data, &secret, &open));
    let found = found.await.map_err(|error| {
        CliError::failed(format!("the search ended: {error}"), "Run it again.")
    })??;
    for (what, times) in found.secret.iter().filter(|(what, _)| !what.is_empty()) {
        stage
            .tell
            .said(&format!("{what}: found {}", count(times, "time")));
    }
    stage.tell.said(&format!(
        "medaid (an organisation's short name): found {}",
        count(found.open, "time")
    ));
    stage.tell.said(&format!(
        "in {}, {} MB",
        count(found.files, "file"),
        found.bytes / 1_000_000
    ));
    if found.open == 0 || found.secret.iter().any(|(_, count)| *count > 0) {
        return Err(CliError::failed(
            "the search did not find what it should, or found what it must not",
            "Report it.",
        ));
    }
    stage.server.start().await?;
    Ok(())
}

/// What a search found.
struct Found {
    secret: Vec<(&'static str, usize)>,
    open: usize,
    files: usize,
    bytes: u64,
}

fn search(dir: &Path, secret: &[(&'static str, Vec<u8>)], open: &[u8]) -> Result<Found, CliError> {
    let mut found = Found {
        secret: secret.iter().map(|(what, _)| (*what, 0)).collect(),
        open: 0,
        files: 0,
        bytes: 0,
    };
    let mut dirs = vec![dir.to_owned()];
    while let Some(dir) = dirs.pop() {
        for path in files(&dir)? {
            let kind = fs::symlink_metadata(&path).map_err(io_error(&path, "read"))?;
            if kind.is_dir() {
                dirs.push(path);
                continue;
            }
            if !kind.is_file() || found.files >= FILES_MOST {
                continue;
            }
            let bytes = fs::read(&path).map_err(io_error(&path, "read"))?;
            found.files += 1;
            found.bytes += kind.len();
            found.open += occurrences(&bytes, open);
            for ((_, needle), (_, times)) in secret.iter().zip(&mut found.secret) {
                *times += occurrences(&bytes, needle);
            }
        }
    }
    Ok(found)
}

fn occurrences(bytes: &[u8], needle: &[u8]) -> usize {
    let Some(first) = needle.first() else {
        return 0;
    };
    let mut times = 0;
    let mut rest = bytes;
    while let Some(at) = rest.iter().position(|byte| byte == first) {
        rest = rest.get(at..).unwrap_or_default();
        times += usize::from(rest.starts_with(needle));
        rest = rest.get(1..).unwrap_or_default();
    }
    times
}

/// The entries of a directory, in order.
fn files(dir: &Path) -> Result<Vec<PathBuf>, CliError> {
    let mut paths = Vec::new();
    for entry in fs::read_dir(dir).map_err(io_error(dir, "read"))? {
        paths.push(entry.map_err(io_error(dir, "read"))?.path());
    }
    paths.sort();
    Ok(paths)
}

/// What was stored, and the end.
pub async fn the_end(stage: &Stage, took: Duration) -> Result<(), CliError> {
    let counts = stage
        .runs(COORDINATOR, &["statistics"])
        .await
        .ends(Exit::Ok)?;
    let number = |pointer: &str| counts.at(pointer).as_u64().unwrap_or_default();
    stage.tell.plain("");
    stage.tell.title("The end");
    stage.tell.says(&format!(
        "Stored and signed: {}, {}, {}, {}, {}; last position {}. Every step did what it claims. {:.0} seconds.",
        count(number("/statements/site"), "site revision"), count(number("/statements/movement"), "movement revision"),
        count(number("/statements/screen"), "screening"), count(number("/statements/ack"), "acknowledgement"), count(number("/checks_30d"), "check"), number("/head"), took.as_secs_f64(),
    ));
    stage.tell.says(
        "Receipts and what was signed stand in each desk's outbox, what came in its inbox, answers in answers/; the \
         server's log names no place and nobody. `make demo KEEP=1` leaves all of it, and the server running.",
    );
    stage.tell.says(
        "A notification is word, not a request for permission. An acknowledgement is not approval and confers no access. \
         That nothing was notified does not say that nobody is there.",
    );
    Ok(())
}

/// How to talk to the server that was left running.
pub fn how_to_go_on(stage: &Stage, dir: &Path) {
    let tell = &stage.tell;
    let dir = dir.display();
    let pid = stage.server.pid().unwrap_or_default();
    tell.plain("");
    tell.title("The server runs on");
    tell.plain(&format!(
        "  server    {}, process {pid}, log {dir}/server.log",
        stage.server.url()
    ));
    tell.plain(&format!("  profiles  {dir}/profiles/{{{COORDINATOR},{MEDAID},foodaid,{EAST},{EAST_PLANNER},west-desk,west-planner}}"));
    tell.plain("  try");
    let program = std::env::current_exe()
        .map_or_else(|_| "herald".to_owned(), |path| path.display().to_string());
    for (who, command) in [
        (MEDAID, "status"),
        (EAST, "listen"),
        (EAST_PLANNER, "check 42SVF8769463602 --radius 500"),
        (COORDINATOR, "queue"),
        (COORDINATOR, "statistics"),
    ] {
        tell.plain(&format!(
            "    {program} --profile {dir}/profiles/{who} {command}"
        ));
    }
    tell.plain(&format!("  stop      kill {pid}; then rm -r {dir}"));
}
