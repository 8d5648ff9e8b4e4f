//! The command `cosign`.

use super::error::CliError;
use super::exit::Exit;
use super::{Context, not_yet};

const EXAMPLES: &str = "\
Examples:
  herald cosign";

/// Arguments.
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub struct Args {}

/// Runs it.
///
/// # Errors
/// Until it is built: says so.
pub async fn run(_args: Args, _context: &Context) -> Result<Exit, CliError> {
    Err(not_yet())
}
