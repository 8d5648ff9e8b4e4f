//! What ten thousand sockets that listen cost the real server, over TLS: memory, processor time while nothing happens,
//! and one event to all of them, each counted and looked at whether it was sealed for its desk. It prints figures, as text
//! and as one line of JSON; nothing here passes or fails by a time. `docs/performance.md` says how to run it and what came
//! out.
//!
//! | variable | what | default |
//! |---|---|---|
//! | `HERALD_BENCH_PARTIES` | parties | 63 |
//! | `HERALD_BENCH_DEVICES` | devices of each, with four sockets each | 40 |
//! | `HERALD_BENCH_ROUNDS` | events to all | 3 |
//! | `HERALD_BENCH_IDLE_S` | how long they stay idle | 60 |
//! | `HERALD_BENCH_PROGRAM`, `HERALD_BENCH_DIR` | as in `benches/import` | |

#[path = "../rig/mod.rs"]
mod rig;

use std::process::ExitCode;
use std::time::{Duration, Instant};

use herald::cli::api::Api;
use herald::cli::profile::Profile;
use herald::domain::ids::Nid;
use herald::domain::kind::Kind;
use herald::wire::trust::Trust;
use serde_json::json;

use self::rig::report::{self, Report};
use self::rig::sockets::{Arrival, Listening};
use self::rig::world::World;
use self::rig::{Outcome, desks, number, process, words};

/// How long an event may take to all sockets.
const PATIENCE: Duration = Duration::from_mins(5);
const KIB_A_MIB: f64 = 1024.0;

fn main() -> ExitCode {
    rig::measure(run)
}

fn run() -> Outcome<()> {
    let parties = number("HERALD_BENCH_PARTIES", 63)?;
    let devices = number("HERALD_BENCH_DEVICES", 40)?;
    let mut report = Report::new();
    report.machine()?;
    let mut world = World::new()?;
    let invite = world.init()?;
    world.start()?;
    world.cast(&invite)?;
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()?;
    let desks = runtime.block_on(desks::enrol(&world, parties, devices))?;
    // What enrolling took is not what listening takes.
    world.stop()?;
    world.start()?;
    let before = process::resident_mib(world.server_pid()?)?;
    let spent = world.usage()?;
    let began = Instant::now();
    let listening = runtime.block_on(Listening::open(&desks))?;
    let took_s = began.elapsed().as_secs_f64();
    let opening = world.usage()?.since(&spent);
    let open = process::resident_mib(world.server_pid()?)?;
    let sockets = listening.count();
    report::say(&format!(
        "{sockets} sockets opened in {took_s:.0} s; CPU of the server {:.1} s",
        opening.server.0
    ));
    let spent = world.usage()?;
    let idle_s = u32::try_from(number("HERALD_BENCH_IDLE_S", 60)?)?;
    std::thread::sleep(Duration::from_secs(u64::from(idle_s)));
    let idle = process::resident_mib(world.server_pid()?)?;
    let idling = world.usage()?.since(&spent).server.0 / f64::from(idle_s);
    let each_kib = (idle - before) * KIB_A_MIB / f64::from(u32::try_from(sockets)?);
    report.figures(
        "idle",
        json!({
            "sockets": sockets, "opened_s": took_s, "server_cpu_opening_s": opening.server.0,
            "server_mib": {"before": before, "open": open, "idle": idle}, "kib_a_socket": each_kib,
            "cores_while_idle": idling,
        }),
    );
    report::say(&format!(
        "server's resident memory: {before:.0} MiB without sockets, {open:.0} when they were open, {idle:.0} MiB after {idle_s} s idle: \
         {each_kib:.1} KiB a socket; while idle {idling:.3} of a core"
    ));
    for _ in 0..number("HERALD_BENCH_ROUNDS", 3)? {
        let spent = world.usage()?;
        let mut arrived = runtime.block_on(event(&world, &desks, &listening))?;
        let cost = world.usage()?.since(&spent);
        show(
            &mut report,
            &world,
            &mut arrived,
            (cost.server.0, cost.database.0),
            &listening,
        )?;
    }
    world.stop()?;
    report.end()
}

/// One event to all.
async fn event(
    world: &World,
    desks: &desks::Desks,
    listening: &Listening,
) -> Outcome<Vec<Arrival>> {
    let profile = Profile::open(&world.path("msf"))?;
    let api = Api::of_profile(&profile).map_err(|error| error.to_string())?;
    let trust = Trust::establish(&api.keys(&profile.me().ctx).await?, &profile.pins())?;
    let built = words::make(
        (Kind::Site, Nid::random()),
        &profile,
        &trust,
        &desks.parties,
    )?;
    api.submit(&built.envelope.encode()).await?;
    let took = tokio::time::timeout(PATIENCE, listening.took(built.hash)).await;
    Ok(took.map_err(|_| "not every socket received it")?)
}

fn show(
    report: &mut Report,
    world: &World,
    arrived: &mut [Arrival],
    (server_s, database_s): (f64, f64),
    listening: &Listening,
) -> Outcome<()> {
    arrived.sort_by(|a, b| a.ms.total_cmp(&b.ms));
    let at = |share: usize| arrived.get((arrived.len() * share / 100).min(arrived.len() - 1));
    let ms = |share| at(share).map_or(f64::NAN, |arrival| arrival.ms);
    let sealed = arrived.iter().filter(|arrival| arrival.sealed).count();
    let lost = listening.count().saturating_sub(arrived.len());
    let (gaps, broken) = listening.faults();
    let (now, peak) = (
        process::resident_mib(world.server_pid()?)?,
        process::peak_mib(world.server_pid()?)?,
    );
    report.figures(
        "event",
        json!({
            "received": arrived.len(), "lost": lost, "gaps": gaps, "lines_broken": broken,
            "sealed_for_its_desk": sealed,
            "ms": {"p50": ms(50), "p99": ms(99), "last": ms(100)},
            "cpu_s": {"server": server_s, "database": database_s},
            "server_mib": {"now": now, "peak": peak},
        }),
    );
    report::say(&format!(
        "one event: {} of {} sockets have it, {sealed} copies sealed for their desk; p50 {:.0}, p99 {:.0}, last {:.0} ms; \
         out of order {gaps}, lines broken {broken}; CPU: server {server_s:.1} s, database {database_s:.1} s; server {now:.0} MiB (peak {peak:.0})",
        arrived.len(),
        listening.count(),
        ms(50),
        ms(99),
        ms(100),
    ));
    Ok(())
}
