//! How long a call for help takes from its acceptance to a thousand sockets, beside an ordinary event to the same sockets
//! in the same run, while an organisation imports: the real server as a process, over TLS, on a durable private database.
//! It prints medians, 99th percentiles and their ratios, as text and as one line of JSON; nothing here passes or fails by
//! a time. `docs/performance.md` says how to run it and what came out.
//!
//! | variable | what | default |
//! |---|---|---|
//! | `HERALD_BENCH_PARTIES` | parties called, each with four devices of four sockets | 63 |
//! | `HERALD_BENCH_ROUNDS` | calls, and ordinary events, each to all | 10 |
//! | `HERALD_BENCH_SITES` | places that are imported meanwhile; 0 for no load | 20000 |
//! | `HERALD_BENCH_PROGRAM`, `HERALD_BENCH_DIR` | as in `benches/import` | |

#[path = "../rig/mod.rs"]
mod rig;

use std::process::ExitCode;
use std::time::Duration;

use herald::cli::api::Api;
use herald::cli::profile::Profile;
use herald::domain::ids::Nid;
use herald::domain::kind::Kind;
use herald::wire::trust::Trust;
use serde_json::json;

use self::rig::report::{self, Report};
use self::rig::sockets::Listening;
use self::rig::world::World;
use self::rig::{Outcome, desks, number, sites, words};

/// Devices of a party, each with four sockets.
const DEVICES: usize = 4;
/// How long an event may take to all sockets.
const PATIENCE: Duration = Duration::from_mins(2);

fn main() -> ExitCode {
    rig::measure(run)
}

fn run() -> Outcome<()> {
    let (parties, rounds) = (
        number("HERALD_BENCH_PARTIES", 63)?,
        number("HERALD_BENCH_ROUNDS", 10)?,
    );
    let load = number("HERALD_BENCH_SITES", 20_000)?;
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
    let desks = runtime.block_on(desks::enrol(&world, parties, DEVICES))?;
    let listening = runtime.block_on(Listening::open(&desks))?;
    report::say(&format!(
        "{} sockets of {parties} parties listen",
        listening.count()
    ));
    let file = world.path("load.csv");
    sites::Sites::open()?.write(&file, load.max(1))?;
    std::thread::scope(|scope| -> Outcome<()> {
        let importing = (load > 0)
            .then(|| scope.spawn(|| world.import(&file, "east:exact").map_err(|e| e.to_string())));
        let measured = runtime.block_on(measure(&world, &desks, &listening, rounds));
        let still = importing.as_ref().is_some_and(|i| !i.is_finished());
        show(&mut report, measured?, listening.count(), load > 0, still);
        if let Some(importing) = importing {
            importing.join().map_err(|_| "the import failed")??;
        }
        Ok(())
    })?;
    world.stop()?;
    report.end()
}

/// Milliseconds from acceptance to each socket.
struct Measured {
    calls: Vec<f64>,
    others: Vec<f64>,
}

/// One ordinary event and one call in turn, each when the one before has reached every socket.
async fn measure(
    world: &World,
    desks: &desks::Desks,
    listening: &Listening,
    rounds: usize,
) -> Outcome<Measured> {
    let profile = Profile::open(&world.path("msf"))?;
    let api = Api::of_profile(&profile).map_err(|error| error.to_string())?;
    let trust = Trust::establish(&api.keys(&profile.me().ctx).await?, &profile.pins())?;
    let mut measured = Measured {
        calls: Vec::new(),
        others: Vec::new(),
    };
    for _ in 0..rounds {
        for kind in [Kind::Site, Kind::Distress] {
            let built = words::make((kind, Nid::random()), &profile, &trust, &desks.parties)?;
            api.submit_of(kind, &built.envelope.encode()).await?;
            let took = tokio::time::timeout(PATIENCE, listening.took(built.hash)).await;
            let took = took.map_err(|_| "not every socket received it")?;
            let took = took.into_iter().map(|arrival| arrival.ms);
            match kind {
                Kind::Distress => measured.calls.extend(took),
                _ => measured.others.extend(took),
            }
        }
    }
    Ok(measured)
}

fn show(report: &mut Report, measured: Measured, sockets: usize, load: bool, still: bool) {
    let Measured {
        mut calls,
        mut others,
    } = measured;
    let (call, other) = (spread(&mut calls), spread(&mut others));
    let (p50, p99) = (call.0 / other.0, call.1 / other.1);
    report.figures(
        "received_ms",
        json!({
            "sockets": sockets, "under_load": load, "load_lasted": still,
            "distress": {"p50": call.0, "p99": call.1, "samples": calls.len()},
            "ordinary": {"p50": other.0, "p99": other.1, "samples": others.len()},
            "ratio": {"p50": p50, "p99": p99},
        }),
    );
    report::say(&format!(
        "from acceptance to {sockets} sockets, p50 / p99: a call for help {:.0} / {:.0} ms, an ordinary event {:.0} / {:.0} ms; ratios {p50:.2} / {p99:.2}{}",
        call.0,
        call.1,
        other.0,
        other.1,
        if still { ", under load to the end" } else { "" },
    ));
}

/// The median and the 99th percentile.
fn spread(values: &mut [f64]) -> (f64, f64) {
    let p50 = report::median(values);
    let p99 = values.get(values.len() * 99 / 100);
    (p50, p99.copied().unwrap_or_default())
}
