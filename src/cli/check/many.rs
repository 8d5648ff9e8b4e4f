//! Many questions, one a line, and one answer a line in their order. A line that is no question is answered too: with
//! `indeterminate`.

use std::io::BufRead as _;
use std::path::Path;

use serde_json::{Value, json};

use super::ask::{self, Defaults};
use super::planner::{NoAnswer, Planner};
use super::{FILE_MOST, has_ending, put};
use crate::cli::Context;
use crate::cli::error::CliError;
use crate::cli::exit::Exit;
use crate::cli::files::{self, Pipes};
use crate::cli::profile;

type Lines = Box<dyn std::io::BufRead + Send>;

/// Whether the argument names a list of questions.
pub fn is_many(place: &str) -> bool {
    place == "-" || has_ending(place, &["ndjson", "jsonl"])
}

/// Asks them all; the exit is the one that matters most.
pub async fn run(place: &str, options: &Defaults, context: &Context) -> Result<Exit, CliError> {
    let lines = questions(place)?;
    let planner = Planner::open(context)?;
    let mut worst = None;
    for (number, line) in (1_u64..).zip(bounded(lines)) {
        let line = line.map_err(|what| {
            CliError::refused(
                format!("line {number}: {what}; nothing after it was asked"),
                "Correct it and ask the rest again.",
            )
        })?;
        if line.trim().is_empty() {
            continue;
        }
        let (id, asked) = ask::line(&line, options);
        let (exit, mut answer) = match asked {
            Ok(asked) => {
                let outcome = planner.ask(&asked, context).await;
                (outcome.exit(), outcome.json(&asked, id))
            }
            Err(what) => (Exit::Indeterminate, refused(&what, id.as_ref(), context)),
        };
        put(&mut answer, "line", json!(number));
        context.out.document(&answer);
        worst = Some(worst.map_or(exit, |before| worse(before, exit)));
        if context.out.is_closed() {
            // An answer that nobody got is none, and neither is a question that was not asked.
            return Ok(Exit::Indeterminate);
        }
    }
    // No question is no answer: it must not end as "none notified to you" does.
    worst.ok_or_else(|| {
        CliError::refused(
            "there is no question in it: nothing was asked, and nothing is known",
            "Look at what should have written the questions.",
        )
    })
}

fn refused(what: &str, id: Option<&Value>, context: &Context) -> Value {
    let error = CliError::refused(what, "Correct it and ask again.");
    let mut answer = NoAnswer::of(&error).json(profile::call(&context.dir).as_deref());
    put(&mut answer, "id", json!(id));
    put(&mut answer, "refused", json!(what));
    answer
}

/// The lines of an NDJSON file or of standard input.
fn questions(place: &str) -> Result<Lines, CliError> {
    if place == "-" {
        return Ok(Box::new(std::io::BufReader::new(std::io::stdin())));
    }
    let file = files::open(Path::new(place), Pipes::Read).map_err(|error| {
        CliError::refused(
            format!("{place} cannot be read: {error}"),
            "Check the file's name.",
        )
    })?;
    Ok(Box::new(std::io::BufReader::new(file)))
}

/// Lines, each bounded.
fn bounded(mut lines: Lines) -> impl Iterator<Item = Result<String, String>> {
    std::iter::from_fn(move || {
        let mut line = Vec::new();
        let mut one = std::io::Read::take(&mut lines, FILE_MOST + 1);
        match one.read_until(b'\n', &mut line) {
            Ok(0) => None,
            Ok(_) if u64::try_from(line.len()).is_ok_and(|n| n <= FILE_MOST) => {
                Some(String::from_utf8(line).map_err(|_| "it is not UTF-8".to_owned()))
            }
            Ok(_) => Some(Err(format!("it is longer than {FILE_MOST} bytes"))),
            Err(error) => Some(Err(format!("it cannot be read: {error}"))),
        }
    })
}

/// Of two ends, the one that matters more.
const fn worse(a: Exit, b: Exit) -> Exit {
    const fn rank(exit: Exit) -> u8 {
        match exit {
            Exit::Ok => 0,
            Exit::PossibleConflict => 1,
            Exit::Conflict => 2,
            Exit::Indeterminate
            | Exit::Failure
            | Exit::Usage
            | Exit::Refused
            | Exit::Unreachable => 3,
        }
    }
    if rank(b) > rank(a) { b } else { a }
}
