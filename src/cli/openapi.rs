//! Prints the description of the API, generated from the code, or holds a file against it.

use std::path::PathBuf;

use super::Context;
use super::error::CliError;
use super::exit::Exit;
use crate::app::openapi_json;

const EXAMPLES: &str = "\
Examples:
  herald openapi > herald.json
  herald openapi --check openapi/herald.json";

/// Arguments.
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub struct Args {
    /// Compare with this file instead of printing
    #[arg(long, value_name = "FILE")]
    pub check: Option<PathBuf>,
}

/// Prints or compares.
///
/// # Errors
/// When the file differs or cannot be read.
#[expect(clippy::unused_async, reason = "every subcommand is run alike")]
pub async fn run(args: Args, context: &Context) -> Result<Exit, CliError> {
    let text = openapi_json();
    let Some(file) = args.check else {
        context.out.raw(text);
        return Ok(Exit::Ok);
    };
    let written = std::fs::read_to_string(&file).map_err(|error| {
        CliError::failed(
            format!("{} cannot be read: {error}", file.display()),
            "Name the file that `herald openapi` wrote.",
        )
    })?;
    if written == text {
        return Ok(Exit::Ok);
    }
    Err(CliError::failed(
        format!("{} is not what the code describes", file.display()),
        "Write it anew with `make openapi`.",
    ))
}
