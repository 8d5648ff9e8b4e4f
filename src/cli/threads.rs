//! Queries and warnings that nobody has replied to, oldest first, with the time by which a reply is asked for: an
//! organisation's to answer, a party's to wait for, a coordinator's to see.

use serde_json::{Value, json};

use super::Context;
use super::error::CliError;
use super::exchange::Thread;
use super::exit::Exit;
use super::opened::Opened;
use super::words::add;
use crate::domain::actor::Role;
use crate::wire::api::Threads;

const EXAMPLES: &str = "\
Examples:
  herald threads
  herald threads --json

Reply with `herald reply`. None of these says that anything may or may not happen; `herald status HN-…` shows those that \
were replied to as well.";

/// Arguments.
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub struct Args {}

/// Shows what waits for a reply.
///
/// # Errors
/// [`CliError`].
pub async fn run(_args: Args, context: &Context) -> Result<Exit, CliError> {
    let (profile, api) = context.connect()?;
    let threads = api.threads().await?;
    let opened = Opened::of(&profile).ok();
    let said = |thread| Thread::of(thread, opened.as_ref());
    let said: Vec<Thread> = threads.threads.iter().map(said).collect();
    let replies = profile.me().role == Role::Organisation;
    context
        .out
        .emit(&json(&threads, &said), || text(&threads, &said, replies));
    Ok(Exit::Ok)
}

/// As the server says it, with `said` in each thread whose words came here.
fn json(threads: &Threads, said: &[Thread]) -> Value {
    let mut value = json!(threads);
    for (index, said) in said.iter().enumerate() {
        let thread = value.pointer_mut(&format!("/threads/{index}"));
        if let (Some(Value::Object(thread)), Some(said)) = (thread, &said.said) {
            thread.insert("said".to_owned(), json!(said));
        }
    }
    value
}

fn text(threads: &Threads, said: &[Thread], replies: bool) -> String {
    let mut text = String::new();
    for (thread, said) in threads.threads.iter().zip(said) {
        let mut lines = said.lines(thread).into_iter();
        if let Some(first) = lines.next() {
            add(&mut text, format_args!("{}  {first}\n", thread.reference));
        }
        for line in lines {
            add(&mut text, format_args!("  {line}\n"));
        }
    }
    if threads.more > 0 {
        add(&mut text, format_args!("and {} more\n", threads.more));
    }
    if text.is_empty() {
        text += "No query or warning waits for a reply.\n";
    } else if replies {
        text += "Next: herald reply HN-… --explained --text \"…\"\n";
    }
    text
}
