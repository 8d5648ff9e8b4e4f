//! The command `check`: asks the server whether an area holds what was notified to the asking party, checks the signed
//! answer under the pinned root, keeps it, and says it in words that nobody can take for permission. Where there is no
//! answer that counts, whatever the cause, it says INDETERMINATE: TREAT AS CONFLICT, and ends with 12.

mod ask;
mod contact;
mod many;
mod planner;
mod say;

use serde_json::Value;

use self::ask::Defaults;
use self::planner::{NoAnswer, Planner};
use super::Context;
use super::error::CliError;
use super::exit::Exit;
use super::profile;

const EXAMPLES: &str = "\
Examples:
  herald check 38QLC0706770148 --radius 500 --from 031430ZMAY27 --for 30m
  herald check \"16.00340, 43.19697\" --radius 500 --effect-radius 200 --from 2027-05-03T14:30:00Z --until 2027-05-03T15:00:00Z
  herald check area.geojson --from 031430ZMAY27 --for 30m --operation LANTERN
  herald check route.geojson --half-width 300 --from 031430ZMAY27 --for 2h
  herald check - < questions.ndjson > answers.ndjson
      one question a line, for example {\"at\":\"38QLC0706770148\",\"radius\":500,\"from\":\"031430ZMAY27\",\"for\":\"30m\"}
      or {\"id\":7,\"geometry\":{...},\"effect_radius\":200}; what a line leaves out is taken from the options

A place stands for everything that its digits could mean: the circle is widened by what few digits leave open, and the \
answer says by how much. Give more digits to narrow it. GeoJSON is taken as it is.

The exit code is 0 (none notified to you, which is not absence of civilians), 10, 11 or 12; 12 whenever there is no \
answer that counts, whatever the cause. Of many questions it is 12 if any is indeterminate or refused, else 10, else 11. \
A command line that is not understood ends with 2: treat that as a conflict too. Answers are kept in the profile, under \
answers/.";

/// The largest file with an area, in bytes.
const FILE_MOST: u64 = 1 << 20;

/// What the program says of a command line of `check` that it does not understand.
pub const NOT_ASKED: &str =
    "Nothing was asked, and nothing is known: TREAT AS CONFLICT until it is.";

/// Arguments.
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub struct Args {
    /// A position (decimal degrees latitude first, degrees and minutes, MGRS), a GeoJSON file, an NDJSON file, or - for NDJSON from standard input
    #[arg(value_name = "PLACE|FILE|-", allow_hyphen_values = true)]
    place: String,
    #[command(flatten)]
    options: Defaults,
}

/// Runs it.
///
/// # Errors
/// Only when the command line contradicts itself. Whatever else keeps the answer away is no error: it is INDETERMINATE.
pub async fn run(args: Args, context: &Context) -> Result<Exit, CliError> {
    let many = many::is_many(&args.place);
    let ended = if many {
        many::run(&args.place, &args.options, context).await
    } else {
        one(&args, context).await
    };
    match ended {
        Err(error @ CliError::Usage(_)) => Err(error),
        Err(error) => {
            let none = NoAnswer::of(&error);
            let call = profile::call(&context.dir);
            let value = none.json(call.as_deref());
            if many {
                context.out.document(&value);
            } else {
                context
                    .out
                    .emit(&value, || say::no_answer(&none, call.as_deref()));
            }
            Ok(Exit::Indeterminate)
        }
        Ok(exit) => Ok(exit),
    }
}

async fn one(args: &Args, context: &Context) -> Result<Exit, CliError> {
    let asked = if is_file(&args.place) {
        ask::file(&args.place, &args.options)
    } else {
        ask::place(&args.place, &args.options)
    };
    let asked = asked.map_err(|what| CliError::refused(what, "Correct it and ask again."))?;
    let planner = Planner::open(context)?;
    for remark in &asked.remarks(context.clock.now()) {
        context.out.note(remark);
    }
    let outcome = planner.ask(&asked, context).await;
    context
        .out
        .emit(&outcome.json(&asked, None), || outcome.text(&asked));
    Ok(outcome.exit())
}

fn is_file(place: &str) -> bool {
    has_ending(place, &["json", "geojson"])
}

fn has_ending(place: &str, endings: &[&str]) -> bool {
    let path = std::path::Path::new(place);
    path.extension()
        .is_some_and(|e| endings.iter().any(|known| e.eq_ignore_ascii_case(known)))
}

/// Puts a member into a document.
fn put(value: &mut Value, member: &str, content: Value) {
    if let Some(object) = value.as_object_mut() {
        object.insert(member.to_owned(), content);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::spatial::parse::lint::lies_in;
    use crate::spatial::parse::{Country, parse_position};

    #[test]
    fn the_examples_ask_about_the_country_of_the_deployment_that_the_documents_show() {
        let readme = include_str!("../../README.md");
        let yemen = Country::from_code("YEM").expect("in the table");
        let examples = EXAMPLES.lines().chain(readme.lines());
        let mut looked_at = 0;
        for example in examples.filter_map(|line| line.trim().strip_prefix("herald check ")) {
            let first = example.split(" --").next().unwrap_or_default();
            let Ok(place) = parse_position(first.trim_matches('"')) else {
                continue;
            };
            assert!(lies_in(place.position, yemen), "{example}");
            assert!(place.spread_m <= 1.0, "{example}");
            looked_at += 1;
        }
        assert_eq!(looked_at, 3);
    }
}
