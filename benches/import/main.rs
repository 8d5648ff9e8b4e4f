//! How fast, how large, how soon: the real server and the real client as processes of their own, over TLS, on a durable
//! private database, measured from outside by what the kernel counts. It prints figures, as text and as one line of JSON;
//! nothing here passes or fails by a time. `docs/performance.md` says how to run it and what came out.
//!
//! | variable | what | default |
//! |---|---|---|
//! | `HERALD_BENCH_SITES` | current notifications at the end | 20000 |
//! | `HERALD_BENCH_DATA` | CSV (also .gz) with `name,category,country,lon,lat`; places are made up where it ends | made up |
//! | `HERALD_BENCH_TIER` | what the party sees: `exact`, `on_check` or `cell` | `exact` |
//! | `HERALD_BENCH_PROGRAM` | another `herald` to measure | the one built with this |
//! | `HERALD_BENCH_DIR` | where the deployment is made, on a disk that counts | `target/tmp`, else `/tmp` |

mod delivery;
#[path = "../rig/mod.rs"]
mod rig;

use std::process::ExitCode;
use std::time::Instant;

use serde_json::{Value, json};

use self::rig::process::{self, Cpu, Usage};
use self::rig::report::{self, Report};
use self::rig::world::World;
use self::rig::{Outcome, sites};

/// Current notifications of the first import, whose rate counts.
const FIRST: usize = 20_000;
/// Starts on the directory as it is then; the median is given.
const STARTS: usize = 3;

fn main() -> ExitCode {
    rig::measure(|| run(&mut Report::new()))
}

fn run(report: &mut Report) -> Outcome<()> {
    let wanted = rig::number("HERALD_BENCH_SITES", FIRST)?;
    let tier = std::env::var("HERALD_BENCH_TIER").unwrap_or_else(|_| "exact".to_owned());
    report.machine()?;
    let mut world = World::new()?;
    let first_invite = world.init()?;
    let cold = world.start()?;
    report.figure(
        "cold_start_s",
        cold,
        "first start: database made, migrated, listening",
    );
    world.cast(&first_invite)?;
    report.figure(
        "server_idle_mib",
        process::resident_mib(world.server_pid()?)?,
        "server's resident memory before anything is notified, MiB",
    );

    let mut rows = sites::Sites::open()?;
    let first = wanted.min(FIRST);
    import(&mut world, &mut rows, first, &tier, report)?;
    memory(&world, report, first)?;
    if wanted > first {
        import(&mut world, &mut rows, wanted - first, &tier, report)?;
        memory(&world, report, wanted)?;
    }
    delivery::measure(&world, report)?;
    report.figure(
        "server_after_delivery_mib",
        process::resident_mib(world.server_pid()?)?,
        "server's resident memory after delivery, MiB",
    );
    starts(&mut world, report)?;
    report.end()
}

/// Imports `count` rows with the real command, and says what it cost whom.
fn import(
    world: &mut World,
    rows: &mut sites::Sites,
    count: usize,
    tier: &str,
    report: &mut Report,
) -> Outcome<()> {
    let file = world.path(&format!("sites-{count}.csv"));
    rows.write(&file, count)?;
    let before = world.usage()?;
    let load = process::load_average()?;
    let began = Instant::now();
    let said = world.import(&file, &format!("east:{tier}"))?;
    let took_s = began.elapsed().as_secs_f64();
    let cost = world.usage()?.since(&before);
    let accepted = said
        .get("accepted")
        .and_then(Value::as_f64)
        .unwrap_or_default();
    let rate = accepted / took_s;
    report.figures(
        "import",
        json!({
            "sites": said.get("accepted"), "seconds": took_s, "per_second": rate, "requests": said.get("requests"),
            "cpu_s": cpu(&cost), "load_average_before": load,
            "refused": said.get("refused"), "unchanged": said.get("unchanged"), "warnings": said.get("warnings"),
        }),
    );
    report::say(&format!(
        "import: {accepted} sites in {took_s:.1} s, {rate:.0} a second (load before {load})\n  \
         CPU: client {:.1} s, server {:.1} s, database {:.1} s; {:.2} ms a site together, so {:.0} s on two free cores at least\n  \
         requests: {}",
        cost.client.0,
        cost.server.0,
        cost.database.0,
        cost.total_s() * 1_000.0 / accepted.max(1.0),
        cost.total_s() / 2.0,
        said.get("requests").unwrap_or(&Value::Null),
    ));
    Ok(())
}

fn cpu(cost: &Usage) -> Value {
    let Usage {
        client: Cpu(client),
        server: Cpu(server),
        database: Cpu(database),
    } = cost;
    json!({"client": client, "server": server, "database": database, "together": cost.total_s()})
}

fn memory(world: &World, report: &mut Report, notifications: usize) -> Outcome<()> {
    let server = process::resident_mib(world.server_pid()?)?;
    let peak = process::peak_mib(world.server_pid()?)?;
    let database = process::database_mib(world.database_pid()?)?;
    report.figures(
        "memory",
        json!({"notifications": notifications, "server_mib": server, "server_peak_mib": peak, "database_mib": database}),
    );
    report::say(&format!(
        "memory with {notifications} current notifications: server {server:.0} MiB (peak {peak:.0}), database {database:.0} MiB"
    ));
    Ok(())
}

/// Stops and starts on the directory as it is.
fn starts(world: &mut World, report: &mut Report) -> Outcome<()> {
    let (mut starts, mut stops) = (Vec::new(), Vec::new());
    for _ in 0..STARTS {
        stops.push(world.stop()?);
        starts.push(world.start()?);
    }
    report.figure(
        "warm_start_s",
        report::median(&mut starts),
        "start on the existing directory (median of 3)",
    );
    report.figure(
        "stop_s",
        report::median(&mut stops),
        "orderly end (median of 3)",
    );
    stops.push(world.stop()?);
    Ok(())
}
