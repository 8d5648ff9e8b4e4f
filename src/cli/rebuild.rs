//! Checks that the database says what the statements add up to: takes all of them again beside it, and compares.

use std::path::PathBuf;

use tokio_util::sync::CancellationToken;

use super::Context;
use super::error::CliError;
use super::exit::Exit;
use crate::app::{self, StartError};
use crate::config::ServerConfig;
use crate::domain::clock::Clock;
use crate::domain::plural::count;
use crate::service::deployment;
use crate::service::rebuild::{self, Report};
use crate::store::rebuild::NOT_DERIVED;

const EXAMPLES: &str = "\
Examples:
  herald rebuild --check --dir /srv/herald
  HERALD_DATABASE_URL=postgresql://herald@db/herald herald rebuild --check --dir /srv/herald --json

Takes every stored statement again, from the first, through the same code, in a scratch database that is removed in the \
end, and compares table by table what follows from them. Nothing that is stored is changed. A private database must not be \
in use: stop its server first. One given by URL may be: it is read as it stands at one moment; its role must be able to \
create databases.
Ends with 0 when there is no difference, and with 3 when there is one. Differences are named by table and key, never by \
content.";

/// Arguments.
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub struct Args {
    /// Compare, and change nothing; nothing else is offered
    #[arg(long, required = true)]
    pub check: bool,
    /// The deployment's directory
    #[arg(long, value_name = "DIR", env = "HERALD_DIR")]
    pub dir: PathBuf,
    /// Where the private database lives [default: DIR/data]
    #[arg(long, value_name = "DIR")]
    pub data_dir: Option<PathBuf>,
    /// A PostgreSQL server of your own; better given in the environment, where others do not see it
    #[arg(
        long,
        value_name = "URL",
        env = "HERALD_DATABASE_URL",
        hide_env_values = true
    )]
    pub database_url: Option<String>,
}

/// Checks.
///
/// # Errors
/// [`CliError`]: nothing could be compared.
pub async fn run(args: Args, context: &Context) -> Result<Exit, CliError> {
    let mut config = ServerConfig::new(&args.dir);
    if let Some(data_dir) = args.data_dir {
        config.data_dir = data_dir;
    }
    config.database_url = args.database_url;
    let failed = |error: &dyn std::fmt::Display| {
        CliError::failed(
            error.to_string(),
            "Nothing was changed. Mend what is named, then check again.",
        )
    };
    let start = |error: StartError| failed(&error);
    let loaded = deployment::load(&args.dir, Clock::System.now()).map_err(|e| failed(&e))?;
    let (cluster, endpoint) = app::database(&config).await.map_err(start)?;
    let stop = CancellationToken::new();
    let told = stop.clone();
    let watch = tokio::spawn(async move {
        if tokio::signal::ctrl_c().await.is_ok() {
            told.cancel();
        }
    });
    let out = context.out.clone();
    let progress = move |done: u64, all: u64| {
        out.note(format!("{done} of {all} statements taken again"));
    };
    let found = Box::pin(rebuild::check(&endpoint, loaded, &stop, &progress)).await;
    watch.abort();
    if let Some(cluster) = cluster
        && let Err(error) = cluster.stop().await
    {
        context
            .out
            .note(format!("The database did not stop as it should: {error}"));
    }
    let report = found.map_err(|error| failed(&error))?;
    context.out.emit(&value(&report), || text(&report));
    Ok(if report.differ == 0 {
        Exit::Ok
    } else {
        Exit::Refused
    })
}

fn value(report: &Report) -> serde_json::Value {
    let rows: serde_json::Map<_, _> = report
        .rows
        .iter()
        .map(|(table, rows)| ((*table).to_owned(), (*rows).into()))
        .collect();
    let differences: Vec<_> = report
        .differences
        .iter()
        .map(|d| serde_json::json!({"table": d.table, "key": d.key, "how": d.how}))
        .collect();
    let not_compared: Vec<_> = NOT_DERIVED.iter().map(|(table, _)| table).collect();
    serde_json::json!({
        "statements": report.statements, "rows": rows, "differ": report.differ, "differences": differences,
        "not_compared": not_compared,
    })
}

fn text(report: &Report) -> String {
    let mut lines = Vec::new();
    for one in &report.differences {
        lines.push(format!("{} {}: {}", one.table, one.key, one.how));
    }
    let rows: u64 = report.rows.iter().map(|(_, rows)| rows).sum();
    lines.push(format!(
        "{} taken again, {} of {} compared: {}.",
        count(report.statements, "statement"),
        count(rows, "row"),
        count(report.rows.len(), "table"),
        match report.differ {
            0 => "no difference".to_owned(),
            n => count(n, "difference"),
        },
    ));
    lines.push("Not compared, for it does not follow from statements:".to_owned());
    let not = NOT_DERIVED
        .iter()
        .map(|(table, why)| format!("  {table}: {why}"));
    lines.extend(not);
    lines.join("\n")
}
