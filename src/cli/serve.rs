//! Runs the server until it is told to end.

use std::net::SocketAddr;
use std::path::PathBuf;

use super::error::CliError;
use super::exit::Exit;
use super::{Context, context};
use crate::app::Server;
use crate::config::{DEFAULT_LISTEN, DEFAULT_OPS, ServerConfig};
use crate::service::deployment;
use crate::telemetry::{self, LogFormat};

const EXAMPLES: &str = "\
Examples:
  herald serve --dir /srv/herald
  herald serve --dir /srv/herald --listen 0.0.0.0:443 --log-format json
  HERALD_DATABASE_URL=postgresql://herald@db/herald herald serve --dir /srv/herald

Without a database URL it makes and runs its own PostgreSQL with PostGIS in DIR/data, reached by a Unix socket alone. \
SIGTERM ends it in order: unready, drain, close sockets, stop the database.
Health and metrics: /livez, /readyz and /metrics on the --ops address.";

/// Arguments.
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub struct Args {
    /// The deployment's directory, made by `herald init`
    #[arg(long, value_name = "DIR", env = "HERALD_DIR")]
    pub dir: PathBuf,
    /// Where the private database lives [default: DIR/data]
    #[arg(long, value_name = "DIR")]
    pub data_dir: Option<PathBuf>,
    /// A PostgreSQL server of your own, with PostGIS; better given in the environment, where others do not see it
    #[arg(
        long,
        value_name = "URL",
        env = "HERALD_DATABASE_URL",
        hide_env_values = true
    )]
    pub database_url: Option<String>,
    /// Where the API listens [default: as `herald init` was told, else 0.0.0.0:8443]
    #[arg(long, value_name = "ADDRESS")]
    pub listen: Option<SocketAddr>,
    /// Where health and metrics listen; loopback only
    #[arg(long, value_name = "ADDRESS", default_value_t = DEFAULT_OPS)]
    pub ops: SocketAddr,
    /// How logs are written
    #[arg(long, value_enum, default_value = "text")]
    pub log_format: LogFormat,
    /// What is logged, for example info or warn,herald=debug
    #[arg(long, value_name = "FILTER", env = "HERALD_LOG")]
    pub log: Option<String>,
}

/// Runs the server.
///
/// # Errors
/// [`CliError`].
pub async fn run(args: Args, context: &Context) -> Result<Exit, CliError> {
    telemetry::init(args.log_format, args.log.as_deref()).map_err(|error| {
        CliError::failed(error.to_string(), "Correct --log, for example --log info.")
    })?;
    let mut config = ServerConfig::new(&args.dir);
    if let Some(data_dir) = args.data_dir {
        config.data_dir = data_dir;
    }
    config.database_url = args.database_url;
    config.listen = match args.listen {
        Some(listen) => listen,
        None => deployment::about(&args.dir)
            .map_err(|error| CliError::failed(error.to_string(), "Nothing was started."))?
            .listen
            .unwrap_or(DEFAULT_LISTEN),
    };
    config.ops = args.ops;
    let server = Box::pin(Server::start(config))
        .await
        .map_err(|error| CliError::failed(error.to_string(), "Nothing was left running."))?;
    let signals = server.shutdown.watch_signals().map_err(|error| {
        CliError::failed(
            format!("signals cannot be watched: {error}"),
            "Start it again.",
        )
    })?;
    tokio::spawn(signals);
    let contexts = &server.about.contexts;
    let contexts: Vec<_> = contexts
        .iter()
        .map(|c| serde_json::json!({"context": c.ctx, "mode": c.mode, "name": c.name}))
        .collect();
    let value = serde_json::json!({
        "listening": server.address.to_string(), "ops": server.ops.to_string(), "contexts": contexts,
        "nudges": {"mail": server.nudges.mail, "webhook": server.nudges.webhook},
    });
    context.out.emit(&value, || {
        format!(
            "{name} listens on {address}; health and metrics on http://{ops}; nudges: {nudges}. Ctrl-C ends it in order.\n{contexts}",
            name = server.about.name,
            contexts = context::lines(&server.about),
            address = server.address,
            ops = server.ops,
            nudges = server.nudges.words(),
        )
    });
    if sd_notify::notify(&[sd_notify::NotifyState::Ready]).is_err() {
        tracing::debug!("no service manager to tell");
    }
    let report = server.run().await;
    if report.cut_short.is_empty() {
        return Ok(Exit::Ok);
    }
    tracing::warn!(steps = ?report.cut_short, "some steps of the end were cut short; what got a receipt is stored all the same");
    Ok(Exit::Ok)
}
