//! The main job, end to end, as a story: a server of its own, everybody enrolled through the real API, real TLS, real
//! WebSockets, a real database that is killed in between. Every step looks at what became of it and ends the story when
//! it is not what it claims to be, so that an exit code of 0 means that all of it works on this machine.

mod checks;
mod desks;
mod exchange;
mod letters;
mod notifying;
mod people;
mod proof;
mod server;
mod stage;
mod tell;
mod threads;
mod trouble;

use std::collections::BTreeMap;
use std::os::unix::fs::PermissionsExt as _;
use std::path::PathBuf;
use std::time::Instant;

use self::server::Server;
use self::stage::Stage;
use self::tell::Tell;
use super::Context;
use super::error::CliError;
use super::exit::Exit;
use super::profile::io_error;

const EXAMPLES: &str = "\
Examples:
  herald demo
  herald demo --keep                               leaves the server running, and says how to talk to it
  herald demo --data facilities.csv.gz             imports a large file at the end, and shows the rate

It needs PostgreSQL with PostGIS from the distribution; `make demo` installs what is missing. Everything it makes stands \
in one temporary directory, and is removed at the end unless --keep is given or a step fails.";

/// The coordinator's desk.
const COORDINATOR: &str = "coordinator";
/// An organisation that runs hospitals.
const MEDAID: &str = "medaid";
/// An organisation that moves food.
const FOODAID: &str = "foodaid";
/// The liaison desk of one party.
const EAST: &str = "east-desk";
/// A planner of that party.
const EAST_PLANNER: &str = "east-planner";
/// The liaison desk of the other party.
const WEST: &str = "west-desk";
/// A planner of that party.
const WEST_PLANNER: &str = "west-planner";

/// Arguments.
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub struct Args {
    /// Leave the server running at the end
    #[arg(long)]
    pub keep: bool,
    /// A large file of facilities (name, category, country, lon, lat) to import at the end
    #[arg(long, value_name = "FILE")]
    pub data: Option<PathBuf>,
}

/// Tells the story.
///
/// # Errors
/// The first step that did not do what it claims; the directory then stays, for a look.
pub async fn run(args: Args, context: &Context) -> Result<Exit, CliError> {
    let data = args
        .data
        .map(|path| path.canonicalize().map_err(io_error(&path, "read")))
        .transpose()?;
    let world = tempfile::Builder::new().prefix("herald-demo-").tempdir();
    let world = world.map_err(io_error(&std::env::temp_dir(), "written"))?;
    // As root the database runs as another user, who must be able to pass; what is secret below is 0700 of its own.
    let mode = std::fs::Permissions::from_mode(0o711);
    std::fs::set_permissions(world.path(), mode)
        .map_err(io_error(world.path(), "given its mode"))?;
    let mut stage = Stage {
        dir: world.path().to_owned(),
        tell: Tell::to(context.out.clone()),
        server: Server::new(world.path().join("server"), world.path().join("server.log")),
        listeners: BTreeMap::new(),
        clock: context.clock.clone(),
    };
    let told = tokio::select! {
        told = story(&mut stage, data.as_deref()) => Some(told),
        _ = tokio::signal::ctrl_c() => None,
    };
    stage.all_hang_up();
    let Some(told) = told else {
        stage.server.stop().await?;
        context
            .out
            .note("Interrupted: the server is stopped, and what it made is removed.");
        return Ok(Exit::Failure);
    };
    match told {
        Ok(()) if args.keep => {
            let dir = world.keep();
            proof::how_to_go_on(&stage, &dir);
            stage.server.leave_running();
            Ok(Exit::Ok)
        }
        Ok(()) => {
            stage.server.stop().await?;
            Ok(Exit::Ok)
        }
        Err(error) => {
            let dir = world.keep();
            stage.server.stop().await.ok();
            stage.tell.plain(&format!(
                "\nTHE DEMO STOPPED. What it made is left for a look in {0}; the server's log is {0}/server.log",
                dir.display()
            ));
            Err(error)
        }
    }
}

/// The chapters, in order.
async fn story(stage: &mut Stage, data: Option<&std::path::Path>) -> Result<(), CliError> {
    let started = Instant::now();
    stage
        .tell
        .title("HERALD: a notification is word, never a request for permission");
    stage.tell.says(
        "An exercise. The places are real and long public, the organisations and the parties are invented, and every \
         signed statement says that it is an exercise. Everything below happens while you read it, on this machine, over \
         TLS, with a real database.",
    );
    stage.tell.says(
        "The name before the $ is the desk at which a command is typed. Each desk has keys of its own, which never leave it.",
    );
    people::a_server(stage).await?;
    people::who_takes_part(stage).await?;
    notifying::many_places(stage).await?;
    notifying::a_spreadsheet(stage).await?;
    notifying::without_a_line(stage).await?;
    notifying::a_convoy(stage).await?;
    desks::screening(stage).await?;
    desks::a_party_s_word(stage).await?;
    trouble::the_power_goes(stage).await?;
    checks::a_planner_asks(stage).await?;
    exchange::for_those_who_cannot_sign(stage).await?;
    letters::by_mail(stage).await?;
    threads::a_question(stage).await?;
    exchange::time_passes(stage).await?;
    threads::a_call_for_help(stage).await?;
    proof::without_the_server(stage).await?;
    proof::on_the_disk(stage).await?;
    if let Some(data) = data {
        trouble::a_large_file(stage, data).await?;
    }
    proof::the_end(stage, started.elapsed()).await
}
