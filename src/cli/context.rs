//! The contexts of a deployment: adds one, under the deployment's root, or lists those that there are. Each has its own
//! coordinator, organisations, parties and policy, and nobody in one sees anything of another.

use std::path::PathBuf;

use clap::Subcommand;

use super::Context;
use super::error::CliError;
use super::exit::Exit;
use super::init::{address, parse_country, parse_mode, refused};
use super::passphrase::PassphraseArgs;
use super::words::plain;
use crate::config::DEFAULT_LISTEN;
use crate::domain::actor::Mode;
use crate::domain::ids::{ActorId, ContextId};
use crate::service::deployment::{self, About, NewContext, ROOT};

const EXAMPLES: &str = "\
Examples:
  herald context list --dir /srv/herald
  herald context add sdn --dir /srv/herald --country SDN --name \"Deconfliction desk, Sudan\" \\
      --coordinator ocha-sd --person \"A. Coordinator\" --root /media/usb/root.sealed.json
  herald context add drill --dir /srv/herald --mode exercise --name Drill --person Me

`add` needs the deployment's root, which `herald init` wrote in DIR/offline, and its passphrase: every context's keys stand \
under it. A server that runs serves the new context from its next start on. A context is live or an exercise for good; \
nothing passes from one context to another. Where a live context stands beside an exercise, the exercise's clock cannot \
be moved: for drills that move time take a deployment of their own.";

/// Arguments.
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub struct Args {
    /// What to do
    #[command(subcommand)]
    pub action: Action,
}

/// What to do.
#[derive(Debug, Subcommand)]
pub enum Action {
    /// Add a context, and print its coordinator's invite
    Add(Box<AddArgs>),
    /// List the contexts of a deployment
    List {
        /// The deployment's directory
        #[arg(long, value_name = "DIR", env = "HERALD_DIR")]
        dir: PathBuf,
    },
}

/// Arguments of `add`.
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub struct AddArgs {
    /// The context's short name, for example yem
    #[arg(value_name = "NAME")]
    pub context: ContextId,
    /// The deployment's directory
    #[arg(long, value_name = "DIR", env = "HERALD_DIR")]
    pub dir: PathBuf,
    /// Real, or a drill: stands in the signed bytes of every statement, and stays so
    #[arg(long, default_value = "live", value_parser = parse_mode, value_name = "live|exercise")]
    pub mode: Mode,
    /// The country, ISO 3166-1 alpha-3, for example YEM: places outside it are questioned
    #[arg(long, value_name = "CODE", value_parser = parse_country)]
    pub country: Option<String>,
    /// The context's public name
    #[arg(long, value_name = "TEXT")]
    pub name: String,
    /// The coordinator's short name
    #[arg(long, default_value = "coordinator", value_name = "NAME")]
    pub coordinator: ActorId,
    /// The coordinator's public name
    #[arg(long, default_value = "Coordinator", value_name = "TEXT")]
    pub coordinator_name: String,
    /// The person of the coordinator's office whom the first invite is for
    #[arg(long, value_name = "NAME")]
    pub person: String,
    /// The deployment's root [default: DIR/offline/root.sealed.json]
    #[arg(long, value_name = "FILE")]
    pub root: Option<PathBuf>,
    /// The root's passphrase.
    #[command(flatten)]
    pub passphrase: PassphraseArgs,
}

/// Adds a context, or lists them.
///
/// # Errors
/// [`CliError`].
#[expect(clippy::unused_async, reason = "every subcommand is run alike")]
pub async fn run(args: Args, context: &Context) -> Result<Exit, CliError> {
    match args.action {
        Action::Add(args) => add(*args, context),
        Action::List { dir } => {
            let about = deployment::about(&dir).map_err(|error| refused(&error))?;
            for one in &about.contexts {
                let value = serde_json::json!({
                    "context": one.ctx, "mode": one.mode, "name": one.name, "country": one.country,
                    "coordinator": one.first.actor,
                });
                context.out.emit(&value, || line(one));
            }
            Ok(Exit::Ok)
        }
    }
}

/// The contexts, a line each.
pub(super) fn lines(about: &About) -> String {
    let lines: Vec<_> = about.contexts.iter().map(line).collect();
    lines.join("\n")
}

fn line(one: &deployment::AboutContext) -> String {
    let drill = match one.mode {
        Mode::Live => "",
        Mode::Exercise => "EXERCISE ",
    };
    format!(
        "  {drill}context {}, {}: {}, coordinator {}",
        one.ctx,
        one.mode,
        plain(&one.name),
        one.first.actor
    )
}

fn add(args: AddArgs, context: &Context) -> Result<Exit, CliError> {
    let about = deployment::about(&args.dir).map_err(|error| refused(&error))?;
    let secret = args.passphrase.existing()?;
    let root = args.root.unwrap_or_else(|| args.dir.join(ROOT));
    let new = NewContext {
        ctx: args.context,
        mode: args.mode,
        name: args.name,
        country: args.country,
        coordinator: args.coordinator,
        coordinator_name: args.coordinator_name,
        person: args.person,
    };
    let now = context.clock.now();
    let code = deployment::add_context(&args.dir, &root, &new, &secret, now)
        .map_err(|error| refused(&error))?;
    context.out.set_mode(new.mode);
    let host = about.hosts.first().map_or("localhost", String::as_str);
    let server = address(host, about.listen.unwrap_or(DEFAULT_LISTEN).port());
    let value = serde_json::json!({
        "dir": args.dir, "context": new.ctx, "mode": new.mode, "invite": code.to_string(), "server": server,
        "root_fingerprint": code.deployment_root.digest().fingerprint(),
    });
    context.out.emit(&value, || {
        format!(
            "The {mode} context {ctx} stands in {dir}; it is served from the server's next start on.\n\n\
             1. Put the root offline again.\n\
             2. Start the server anew.\n\
             3. Give this invite to {person}; it counts once, for seven days from now, and whoever has it first becomes the \
             coordinator of {ctx}:\n\n\
             {code}\n\n\
             \x20  herald enrol --server {server} --invite - --profile DIR     (it asks for the code)",
            mode = new.mode,
            ctx = new.ctx,
            dir = args.dir.display(),
            person = plain(&new.person),
        )
    });
    Ok(Exit::Ok)
}
