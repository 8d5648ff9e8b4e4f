//! Makes a deployment: its root for offline keeping, the keys that live on the node, and the coordinator's invite.

use std::net::{Ipv6Addr, SocketAddr};
use std::path::PathBuf;

use super::Context;
use super::error::CliError;
use super::exit::Exit;
use super::passphrase::PassphraseArgs;
use crate::config::DEFAULT_LISTEN;
use crate::domain::actor::Mode;
use crate::domain::ids::{ActorId, ContextId};
use crate::service::deployment::{self, DeploymentError, NewContext, NewDeployment};

const EXAMPLES: &str = "\
Examples:
  herald init --dir /srv/herald --context yem --country YEM --name \"Deconfliction desk, Sana'a\" \\
      --host herald.example.org --person \"A. Coordinator\"
  herald init --dir ./drill --context drill --mode exercise --name Drill --host localhost --person Me \\
      --passphrase-file ./passphrase

Afterwards move DIR/offline to a place without a network, and keep the passphrase apart from it. The root signs the \
node's keys; it is needed again only to replace them. DIR/keyring opens what is stored: back it up apart from the \
database.";

/// Arguments.
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub struct Args {
    /// The new deployment's directory
    #[arg(long, value_name = "DIR")]
    pub dir: PathBuf,
    /// The first context's short name, for example yem; `herald context add` adds further ones
    #[arg(long, value_name = "NAME")]
    pub context: ContextId,
    /// Real, or a drill: stands in the signed bytes of every statement
    #[arg(long, default_value = "live", value_parser = parse_mode, value_name = "live|exercise")]
    pub mode: Mode,
    /// The country, ISO 3166-1 alpha-3, for example YEM: places outside it are questioned
    #[arg(long, value_name = "CODE", value_parser = parse_country)]
    pub country: Option<String>,
    /// The deployment's public name, and its first context's
    #[arg(long, value_name = "TEXT")]
    pub name: String,
    /// A DNS name or address by which clients reach the server; may be repeated
    #[arg(long = "host", required = true, value_name = "NAME")]
    pub hosts: Vec<String>,
    /// Where `herald serve` will listen unless it is told otherwise
    #[arg(long, value_name = "ADDRESS", default_value_t = DEFAULT_LISTEN)]
    pub listen: SocketAddr,
    /// The coordinator's short name
    #[arg(long, default_value = "coordinator", value_name = "NAME")]
    pub coordinator: ActorId,
    /// The coordinator's public name
    #[arg(long, default_value = "Coordinator", value_name = "TEXT")]
    pub coordinator_name: String,
    /// The person of the coordinator's office whom the first invite is for
    #[arg(long, value_name = "NAME")]
    pub person: String,
    /// The root's passphrase.
    #[command(flatten)]
    pub passphrase: PassphraseArgs,
}

pub(super) fn parse_mode(text: &str) -> Result<Mode, String> {
    match text.parse() {
        Ok(mode) => Ok(mode),
        Err(_) => Err("live or exercise".to_owned()),
    }
}

pub(super) fn parse_country(text: &str) -> Result<String, String> {
    let code = text.to_ascii_uppercase();
    let known = code.len() == 3 && crate::spatial::parse::Country::from_code(&code).is_some();
    if known {
        Ok(code)
    } else {
        Err("an ISO 3166-1 alpha-3 code, for example YEM".to_owned())
    }
}

/// Makes the deployment.
///
/// # Errors
/// [`CliError`].
#[expect(clippy::unused_async, reason = "every subcommand is run alike")]
pub async fn run(args: Args, context: &Context) -> Result<Exit, CliError> {
    let secret = args.passphrase.new_one()?;
    let new = NewDeployment {
        name: args.name.clone(),
        hosts: args.hosts,
        listen: args.listen,
        context: NewContext {
            ctx: args.context,
            mode: args.mode,
            name: args.name,
            country: args.country,
            coordinator: args.coordinator,
            coordinator_name: args.coordinator_name,
            person: args.person,
        },
    };
    let code = deployment::create(&args.dir, &new, &secret, context.clock.now())
        .map_err(|error| refused(&error))?;
    context.out.set_mode(new.context.mode);
    let dir = args.dir.display();
    let root = code.deployment_root.digest().fingerprint();
    let host = new.hosts.first().map_or("localhost", String::as_str);
    let server = address(host, new.listen.port());
    let value = serde_json::json!({
        "dir": args.dir, "context": new.context.ctx, "mode": new.context.mode, "invite": code.to_string(), "server": server, "root_fingerprint": root,
    });
    context.out.emit(&value, || {
        format!(
            "A new {mode} deployment stands in {dir}.\n\n\
             1. Move {dir}/offline to a place without a network; keep its passphrase apart from it.\n\
             2. Start the server:            herald serve --dir {dir}\n\
             3. Give this invite to {person}; it counts once, for seven days, and whoever has it first becomes the coordinator:\n\n\
             {code}\n\n\
             \x20  herald enrol --server {server} --invite - --profile DIR     (it asks for the code)\n\n\
             4. Write down the fingerprint of the deployment's root. Every invite carries it and every device pins it; tell it \
             to auditors and to whoever enrols, by another way than this machine, so that they can compare:\n\n\
             \x20  {root}",
            mode = new.context.mode,
            person = new.context.person,
        )
    });
    Ok(Exit::Ok)
}

/// Where clients reach the server. An IPv6 address stands in brackets (RFC 3986 §3.2.2).
pub(super) fn address(host: &str, port: u16) -> String {
    if host.parse::<Ipv6Addr>().is_ok() {
        format!("https://[{host}]:{port}")
    } else {
        format!("https://{host}:{port}")
    }
}

pub(super) fn refused(error: &DeploymentError) -> CliError {
    CliError::refused(
        error.to_string(),
        "Nothing was left half made that a second try would trip over; mend it and run the command again.",
    )
}
