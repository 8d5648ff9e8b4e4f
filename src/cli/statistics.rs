//! Counts, for coordinators, auditors and operators: no place, no name, no notification.

use std::collections::BTreeMap;

use super::Context;
use super::error::CliError;
use super::exit::Exit;
use super::words::add;

const EXAMPLES: &str = "\
Examples:
  herald statistics
  herald statistics --json

For the roles coordinator, auditor and operator; other devices are refused.";

/// Arguments.
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub struct Args {}

/// Shows the counts.
///
/// # Errors
/// [`CliError`].
pub async fn run(_args: Args, context: &Context) -> Result<Exit, CliError> {
    let (_, api) = context.connect()?;
    let counts = api.statistics().await?;
    context.out.emit(&counts, || {
        let mut text = format!("Last position {}\n", counts.head);
        table(&mut text, "Statements", &counts.statements);
        table(&mut text, "Notifications", &counts.notifications);
        table(&mut text, "Acknowledgements", &counts.acknowledgements);
        text + &format!(
            "Checks answered in the last 30 days: {}\n",
            counts.checks_30d
        )
    });
    Ok(Exit::Ok)
}

fn table(text: &mut String, title: &str, counts: &BTreeMap<String, u64>) {
    add(text, format_args!("{title}\n"));
    for (word, count) in counts {
        let word = word.replace('_', " ");
        add(text, format_args!("  {word:<16} {count:>8}\n"));
    }
}
