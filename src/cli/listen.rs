//! The command `listen`.

use super::error::CliError;
use super::exit::Exit;
use super::{Context, not_yet};

const EXAMPLES: &str = "\
Examples:
  herald listen";

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

/// x
pub async fn fetch_desk_key(
    _p: &super::profile::Profile,
    _a: &super::api::Api,
    _t: &crate::wire::trust::Trust,
) -> Result<(), CliError> {
    Ok(())
}
