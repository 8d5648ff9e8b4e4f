//! How many acknowledgements a second the real server takes, over TLS, on a durable private database: each a statement of
//! its own in a request of its own, each on the disk before it is answered, and delivered to organisation and coordinator.
//! It prints figures, as text and as one line of JSON; nothing here passes or fails by a time. `docs/performance.md` says
//! how to run it and what came out.
//!
//! | variable | what | default |
//! |---|---|---|
//! | `HERALD_BENCH_SITES` | notifications, each acknowledged once by each party | 5000 |
//! | `HERALD_BENCH_PARTIES` | parties | 8 |
//! | `HERALD_BENCH_DEVICES` | devices of each | 2 |
//! | `HERALD_BENCH_AT_ONCE` | requests under way | 64 |
//! | `HERALD_BENCH_PROGRAM`, `HERALD_BENCH_DIR` | as in `benches/import` | |

#[path = "../rig/mod.rs"]
mod rig;

use std::process::ExitCode;
use std::time::{Duration, Instant};

use futures_util::stream::iter;
use futures_util::{StreamExt as _, TryStreamExt as _};
use herald::cli::api::Api;
use herald::cli::profile::Profile;
use herald::crypto::digest::Digest;
use herald::domain::ack::AckState;
use herald::domain::clock::Clock;
use herald::domain::ids::{ActorId, Nid, Revision};
use herald::domain::kind::Kind;
use herald::wire::build::{Part, build};
use herald::wire::claims::{AckClaims, AckItem};
use herald::wire::parts::name;
use herald::wire::trust::Trust;
use serde_json::json;

use self::rig::desks::{self, Desks, Device};
use self::rig::report::{self, Report};
use self::rig::world::World;
use self::rig::{Outcome, number, words};

/// Notifications in one request.
const BULK: usize = 128;

fn main() -> ExitCode {
    rig::measure(run)
}

fn run() -> Outcome<()> {
    let (sites, parties) = (
        number("HERALD_BENCH_SITES", 5_000)?,
        number("HERALD_BENCH_PARTIES", 8)?,
    );
    let devices = number("HERALD_BENCH_DEVICES", 2)?;
    let at_once = number("HERALD_BENCH_AT_ONCE", 64)?;
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
    let notified = runtime.block_on(notify(&world, &desks, sites))?;
    let acks = sign(&world, &desks, devices, &notified)?;
    let count = acks.len();
    report::say(&format!("{count} acknowledgements are signed"));
    let spent = world.usage()?;
    let began = Instant::now();
    let took = runtime.block_on(send(&desks, acks, at_once))?;
    let seconds = began.elapsed().as_secs_f64();
    let cost = world.usage()?.since(&spent);
    show(
        &mut report,
        took,
        seconds,
        (cost.server.0, cost.database.0),
        at_once,
    )?;
    world.stop()?;
    report.end()
}

/// Notifies all parties of places; gives them with the hashes of their statements.
async fn notify(world: &World, desks: &Desks, count: usize) -> Outcome<Vec<(Nid, Digest)>> {
    let profile = Profile::open(&world.path("msf"))?;
    let api = Api::of_profile(&profile).map_err(|error| error.to_string())?;
    let trust = Trust::establish(&api.keys(&profile.me().ctx).await?, &profile.pins())?;
    let mut notified = Vec::with_capacity(count);
    while notified.len() < count {
        let mut envelopes = Vec::new();
        for _ in 0..BULK.min(count - notified.len()) {
            let nid = Nid::random();
            let built = words::make((Kind::Site, nid), &profile, &trust, &desks.parties)?;
            notified.push((nid, built.hash));
            envelopes.push(built.envelope.encode());
        }
        let envelopes: Vec<&[u8]> = envelopes.iter().map(Vec::as_slice).collect();
        api.submit_bulk(&envelopes).await?;
    }
    Ok(notified)
}

/// An acknowledgement, and the place of the device that sends it.
type Signed = (usize, Vec<u8>);

/// Signs an acknowledgement of each by each party, its devices in turn.
fn sign(
    world: &World,
    desks: &Desks,
    devices: usize,
    notified: &[(Nid, Digest)],
) -> Outcome<Vec<Signed>> {
    let profile = Profile::open(&world.path("msf"))?;
    let organisation: ActorId = "msf".parse()?;
    let api = Api::of_profile(&profile).map_err(|error| error.to_string())?;
    let keys = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?
        .block_on(api.keys(&profile.me().ctx))?;
    let trust = Trust::establish(&keys, &profile.pins())?;
    let mut signed = Vec::new();
    for (nth, (nid, of)) in notified.iter().enumerate() {
        for party in 0..desks.parties.len() {
            let place = party * devices + nth % devices;
            let device = desks.devices.get(place).ok_or("no such device")?;
            let mut common = profile.common(&Clock::System);
            common.iss = device.issuer.clone();
            let item = AckItem {
                nid: *nid,
                rev: Revision::FIRST,
                of: *of,
                opened: Vec::new(),
                state: AckState::Received,
            };
            let claims = AckClaims::new(common, organisation.clone(), vec![item], None);
            let detail = json!({"officer": {"name": "Maj. Karim"}});
            let part = Part::new(name::DETAIL, &detail)?.sealed_to(trust.server_seal());
            let built = build(claims, &[part], &device.signing)?;
            signed.push((place, built.envelope.encode()));
        }
    }
    Ok(signed)
}

/// Sends them, so many at once; how long each took.
async fn send(desks: &Desks, acks: Vec<Signed>, at_once: usize) -> Outcome<Vec<Duration>> {
    let clients: Vec<_> = desks
        .devices
        .iter()
        .map(Device::client)
        .collect::<Outcome<_>>()?;
    let url = format!("{}/v1/statements", desks.server);
    let sending = acks.into_iter().map(|(place, body)| {
        let client = clients.get(place).cloned();
        let url = url.clone();
        async move {
            let began = Instant::now();
            let answer = client
                .ok_or("no such device")?
                .post(url)
                .header("content-type", herald::wire::envelope::ENVELOPE_TYPE)
                .body(body)
                .send()
                .await?;
            let status = answer.status();
            let text = answer.text().await?;
            if status.is_success() {
                Ok(began.elapsed())
            } else {
                Err(format!("an acknowledgement was refused: {status} {text}").into())
            }
        }
    });
    iter(sending).buffer_unordered(at_once).try_collect().await
}

fn show(
    report: &mut Report,
    took: Vec<Duration>,
    seconds: f64,
    (server_s, database_s): (f64, f64),
    at_once: usize,
) -> Outcome<()> {
    let count = f64::from(u32::try_from(took.len())?);
    let mut ms: Vec<f64> = took
        .into_iter()
        .map(|took| took.as_secs_f64() * 1_000.0)
        .collect();
    let p50 = report::median(&mut ms);
    let p99 = ms.get(ms.len() * 99 / 100).copied().unwrap_or_default();
    let (rate, each) = (count / seconds, 1_000.0 / count);
    report.figures(
        "acknowledgements",
        json!({
            "count": count, "seconds": seconds, "per_second": rate, "at_once": at_once,
            "ms": {"p50": p50, "p99": p99},
            "cpu_ms_each": {"server": server_s * each, "database": database_s * each},
        }),
    );
    report::say(&format!(
        "{count} acknowledgements in {seconds:.1} s: {rate:.0} a second, {at_once} at once; p50 {p50:.0}, p99 {p99:.0} ms; \
         CPU each: server {:.2} ms, database {:.2} ms",
        server_s * each,
        database_s * each,
    ));
    Ok(())
}
