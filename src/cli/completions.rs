//! Completions for shells, generated from the same definitions as the help.

use clap::CommandFactory as _;
use clap_complete::Shell;

use super::error::CliError;
use super::exit::Exit;
use super::{Cli, Context};

const EXAMPLES: &str = "\
Examples:
  herald completions bash > ~/.local/share/bash-completion/completions/herald
  herald completions zsh > ~/.zfunc/_herald";

/// Arguments.
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub struct Args {
    /// For which shell
    pub shell: Shell,
}

/// Prints the completions.
///
/// # Errors
/// None.
#[expect(clippy::unused_async, reason = "every subcommand has this shape")]
pub async fn run(args: Args, context: &Context) -> Result<Exit, CliError> {
    let mut script = Vec::new();
    clap_complete::generate(args.shell, &mut Cli::command(), "herald", &mut script);
    context.out.raw(String::from_utf8_lossy(&script));
    Ok(Exit::Ok)
}
