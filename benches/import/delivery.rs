//! How fast a party's desk gets what waits in its mailbox: every page of `GET /v1/events`, one after the other, each event
//! sealed for the desk as it is read.

use std::time::Instant;

use herald::cli::api::Api;
use herald::cli::profile::Profile;
use herald::domain::ids::Seq;
use serde_json::json;

use super::rig::Outcome;
use super::rig::report::{self, Report};
use super::rig::world::World;

/// Events asked for at a time; a page ends at about 1 MiB before that.
const PAGE: u32 = 200;
/// Pages at most: a server that never says that it has come to the end must not hold the measurement.
const PAGES: u32 = 100_000;

/// Reads the whole mailbox of the party.
pub fn measure(world: &World, report: &mut Report) -> Outcome<()> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    let before = world.usage()?;
    let began = Instant::now();
    let (events, bytes) = runtime.block_on(read_all(world))?;
    let took_s = began.elapsed().as_secs_f64();
    let cost = world.usage()?.since(&before);
    let rate = f64::from(events) / took_s;
    report.figures(
        "delivery",
        json!({
            "events": events, "bytes": bytes, "seconds": took_s, "per_second": rate,
            "cpu_s": {"server": cost.server.0, "database": cost.database.0},
        }),
    );
    report::say(&format!(
        "delivery by polling: {events} events, {:.1} MiB, in {took_s:.1} s, {rate:.0} a second; CPU: server {:.1} s, database {:.1} s",
        u32::try_from(bytes >> 10).map_or(f64::INFINITY, f64::from) / 1_024.0,
        cost.server.0,
        cost.database.0,
    ));
    Ok(())
}

async fn read_all(world: &World) -> Outcome<(u32, usize)> {
    let profile = Profile::open(&world.path("east"))?;
    let api = Api::of_profile(&profile).map_err(|error| error.to_string())?;
    let (mut events, mut bytes, mut after) = (0, 0, Seq(0));
    for _ in 0..PAGES {
        let page = api.events(after, PAGE).await?;
        events += u32::try_from(page.events.len())?;
        bytes += page
            .events
            .iter()
            .map(|(_, exact)| exact.len())
            .sum::<usize>();
        if page.next >= page.head || page.next == after {
            break;
        }
        after = page.next;
    }
    Ok((events, bytes))
}
