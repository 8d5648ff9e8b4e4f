//! The months of the keyring, for whoever runs the server: until when each context keeps what is sealed under which key, what
//! holds it longer, and what was destroyed. References are named, as people say them; nothing sealed is opened.

use std::path::PathBuf;
use std::sync::Arc;

use clap::Subcommand;
use serde_json::{Value, json};
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

use super::Context;
use super::error::CliError;
use super::exit::Exit;
use super::words::{add, time_words};
use crate::app;
use crate::config::ServerConfig;
use crate::domain::clock::Clock;
use crate::service::core::Core;
use crate::service::deployment;
use crate::service::retention::{self, ContextMonth, MonthState};
use crate::store::pool::{PoolBounds, Pools};

const EXAMPLES: &str = "\
Examples:
  herald keyring list --dir /srv/herald
  HERALD_DATABASE_URL=postgresql://herald@db/herald herald keyring list --dir /srv/herald --json

What is sealed in a month is kept for as many months after its end as the context's policy says (retention_months), and then \
destroyed by the server itself. A month is held by a notification that still counts, a query or a warning without a reply, and \
a call for help that is open; it is destroyed within a day after the last of them ends. The server may run meanwhile. A backup \
of the keyring made before still opens backups of the database made before: destroy it too.";

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
    /// List the months: until when each is kept, and what holds it
    #[command(after_help = EXAMPLES)]
    List {
        /// The deployment's directory
        #[arg(long, value_name = "DIR", env = "HERALD_DIR")]
        dir: PathBuf,
        /// Where the private database lives [default: DIR/data]
        #[arg(long, value_name = "DIR")]
        data_dir: Option<PathBuf>,
        /// A PostgreSQL server of your own; better given in the environment, where others do not see it
        #[arg(
            long,
            value_name = "URL",
            env = "HERALD_DATABASE_URL",
            hide_env_values = true
        )]
        database_url: Option<String>,
    },
}

/// Lists.
///
/// # Errors
/// [`CliError`].
pub async fn run(args: Args, context: &Context) -> Result<Exit, CliError> {
    let Action::List {
        dir,
        data_dir,
        database_url,
    } = args.action;
    let mut config = ServerConfig::new(&dir);
    if let Some(data_dir) = data_dir {
        config.data_dir = data_dir;
    }
    config.database_url = database_url;
    let failed =
        |error: &dyn std::fmt::Display| CliError::failed(error.to_string(), "Nothing was changed.");
    let loaded = deployment::load(&dir, Clock::System.now()).map_err(|e| failed(&e))?;
    let (cluster, endpoint) = app::database_beside(&config)
        .await
        .map_err(|e| failed(&e))?;
    let read = async {
        let core = Core {
            deployment: Arc::new(loaded.deployment),
            keyring: Arc::new(loaded.keyring),
            pools: Pools::open(&endpoint, &PoolBounds::default())
                .await
                .map_err(|e| failed(&e))?,
        };
        let months = retention::months(&core).await.map_err(|e| failed(&e));
        core.pools.close().await;
        months
    };
    let read = read.await;
    if let Some(cluster) = cluster
        && let Err(error) = cluster.stop().await
    {
        let note = format!("The database did not stop as it should: {error}");
        context.out.note(note);
    }
    let (months, now) = read?;
    context
        .out
        .emit(&value(&months, now), || text(&months, now));
    Ok(Exit::Ok)
}

/// How a month stands in one context.
fn state(month: &ContextMonth, now: OffsetDateTime) -> &'static str {
    match (month.destroyed_at, month.due) {
        (Some(_), _) if month.emptied => "destroyed",
        (Some(_), _) => "being_destroyed",
        (None, Some(due)) if due <= now && !month.held_by.is_empty() => "held",
        (None, Some(due)) if due <= now => "due",
        (None, _) => "kept",
    }
}

fn value(months: &[MonthState], now: OffsetDateTime) -> Value {
    let one = |month: &MonthState| {
        let contexts = month.contexts.iter().map(|context| {
            let held = context.held_by.iter();
            let held: Vec<_> = held
                .map(|hold| json!({"by": hold.by.as_str(), "nid": hold.nid, "reference": hold.nid.reference(), "party": hold.party}))
                .collect();
            json!({
                "ctx": context.ctx, "state": state(context, now), "kept_until": context.due.map(rfc3339),
                "destroyed_at": context.destroyed_at.map(rfc3339), "held_by": held,
            })
        });
        json!({
            "month": month.month.to_string(), "key": key(month), "contexts": contexts.collect::<Vec<_>>(),
        })
    };
    json!({"now": rfc3339(now), "months": months.iter().map(one).collect::<Vec<_>>()})
}

fn rfc3339(at: OffsetDateTime) -> String {
    at.format(&Rfc3339).unwrap_or_default()
}

fn key(month: &MonthState) -> &'static str {
    if month.key_destroyed {
        "destroyed"
    } else {
        "here"
    }
}

fn text(months: &[MonthState], now: OffsetDateTime) -> String {
    let mut text = format!("Months of the keyring, at {}\n", time_words(now));
    for month in months {
        add(
            &mut text,
            format_args!("{}  key {}\n", month.month, key(month)),
        );
        if month.contexts.is_empty() {
            add(&mut text, format_args!("  nothing is sealed under it\n"));
        }
        for context in &month.contexts {
            add(&mut text, format_args!("  {}\n", line(context, now)));
            for hold in &context.held_by {
                add(&mut text, format_args!("    {}\n", hold.words()));
            }
        }
    }
    text
}

fn line(context: &ContextMonth, now: OffsetDateTime) -> String {
    let ctx = context.ctx.as_str();
    let due = context.due.map_or_else(String::new, time_words);
    match (state(context, now), context.destroyed_at) {
        ("destroyed", Some(at)) => format!("{ctx:<12} destroyed {}", time_words(at)),
        ("being_destroyed", Some(at)) => {
            format!("{ctx:<12} being destroyed since {}", time_words(at))
        }
        ("held", _) => format!("{ctx:<12} was to be kept until {due}, and is HELD:"),
        ("due", _) => format!("{ctx:<12} was kept until {due}; it is destroyed at the next look"),
        _ if context.held_by.is_empty() => format!("{ctx:<12} kept until {due}"),
        _ => format!("{ctx:<12} kept until {due}; today it would be held:"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::ids::Nid;
    use crate::domain::retention::{HeldBy, Hold};

    fn at(day: i64) -> OffsetDateTime {
        OffsetDateTime::UNIX_EPOCH + time::Duration::days(20_000 + day)
    }

    fn month(due: i64, held: bool, destroyed: Option<i64>, emptied: bool) -> ContextMonth {
        let hold = Hold {
            by: HeldBy::Call,
            nid: Nid::from_uuid(uuid::Uuid::from_u128(7)),
            party: None,
        };
        ContextMonth {
            ctx: "yem".parse().expect("a slug"),
            due: Some(at(due)),
            destroyed_at: destroyed.map(at),
            emptied,
            held_by: if held { vec![hold] } else { Vec::new() },
        }
    }

    #[test]
    fn a_month_is_kept_then_due_or_held_then_destroyed_and_what_holds_it_is_named() {
        let states = [
            (month(1, false, None, false), "kept"),
            (month(1, true, None, false), "kept"),
            (month(0, false, None, false), "due"),
            (month(0, true, None, false), "held"),
            (month(-9, false, Some(-8), false), "being_destroyed"),
            (month(-9, false, Some(-8), true), "destroyed"),
        ];
        for (month, said) in &states {
            assert_eq!(state(month, at(0)), *said);
        }
        let shown = MonthState {
            month: "2026-11".parse().expect("a month"),
            key_destroyed: false,
            contexts: states.into_iter().map(|(month, _)| month).collect(),
        };
        let text = text(std::slice::from_ref(&shown), at(0));
        let reference = Nid::from_uuid(uuid::Uuid::from_u128(7)).reference();
        let named = format!("the call for help {reference} is open");
        assert_eq!(text.matches(&named).count(), 2, "{text}");
        assert_eq!(text.matches("HELD").count(), 1, "{text}");
        let value = value(&[shown], at(0));
        assert_eq!(value["months"][0]["contexts"][3]["state"], "held");
        assert_eq!(
            value["months"][0]["contexts"][3]["held_by"][0]["by"],
            "call"
        );
    }
}
