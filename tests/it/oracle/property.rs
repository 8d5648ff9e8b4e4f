//! The property: every sequence comes out as the model says. `HERALD_CASES` sets how many sequences run (see
//! [`sequences`]), `HERALD_SEED` which ones; a sequence that fails is made as short as it can be, and told in words.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Instant;

use super::cast::Who;
use super::draw::{Dice, sequence};
use super::play::play;
use super::stage::{Stage, Way};
use super::steps::{Step, What};
use super::table::Met;

/// One in so many runs over TLS, with a WebSocket for each desk.
const WIRE: u64 = 20;
/// One in so many sees the server end and start again.
const RESTART: u64 = 50;
/// Sequences after which no cell of the table may be left out.
const ALL_MET: u64 = 2_000;
/// Servers at once, each with a database of its own.
const STAGES: u64 = 3;
/// Tries to make a failing sequence shorter.
const SHORTENINGS: u32 = 300;

/// A number in the environment.
pub fn number(name: &str, default: u64) -> u64 {
    let set = std::env::var(name).ok();
    set.and_then(|text| text.parse().ok()).unwrap_or(default)
}

/// How many sequences: a hundredth of what the other properties run, unless `HERALD_SEQUENCES` says how many.
fn sequences() -> u64 {
    number(
        "HERALD_SEQUENCES",
        (number("HERALD_CASES", 4_000) / 100).max(1),
    )
}

/// The sequence of a seed, and how it reaches the server.
pub fn drawn(seed: u64) -> (Vec<Step>, Way) {
    let mut dice = Dice::new(seed);
    let length = 8 + dice.below(22);
    let mut steps = sequence(&mut dice, length);
    if seed % RESTART == 7 {
        let what = Step {
            what: What::Restart,
            ..still()
        };
        steps.insert(dice.below(steps.len()), what);
    }
    let way = if seed % WIRE == 3 {
        Way::Wire
    } else {
        Way::Within
    };
    (steps, way)
}

fn still() -> Step {
    Step {
        id: 0,
        side: 0,
        who: Who::Cora,
        behalf: None,
        twist: super::steps::Twist::None,
        what: What::Break,
    }
}

/// Takes out of a failing sequence what it fails without: first halves, then single steps.
pub async fn shortened(
    stage: &mut Stage,
    met: &Arc<Met>,
    mut steps: Vec<Step>,
    way: Way,
    mut why: String,
) -> (Vec<Step>, String) {
    let mut tries = 0;
    let mut size = steps.len() / 2;
    while size > 0 {
        let mut from = 0;
        while from < steps.len() && tries < SHORTENINGS {
            tries += 1;
            let mut fewer = steps.clone();
            fewer.drain(from..(from + size).min(fewer.len()));
            match play(stage, met, &fewer, way).await {
                Err(still) => (steps, why) = (fewer, still),
                Ok(()) => from += size,
            }
        }
        size /= 2;
    }
    (steps, why)
}

/// Runs every sequence whose number leaves `share` over; the first that fails is the error.
async fn run(
    share: u64,
    all: u64,
    seed: u64,
    met: Arc<Met>,
    done: &AtomicU64,
) -> Result<(), String> {
    let mut stage = Stage::start().await;
    for number in (0..all).filter(|number| number % STAGES == share) {
        let seed = seed + number;
        let (steps, way) = drawn(seed);
        if let Err(why) = play(&mut stage, &met, &steps, way).await {
            let (steps, shorter) = shortened(&mut stage, &met, steps, way, why.clone()).await;
            let words: Vec<String> = steps
                .iter()
                .zip(1..)
                .map(|(step, n)| format!("  {n}. {step}"))
                .collect();
            return Err(format!(
                "HERALD_SEED={seed} HERALD_SEQUENCES=1 ({way:?}):\n{why}\nshortened:\n{}\n{shorter}",
                words.join("\n")
            ));
        }
        done.fetch_add(1, Ordering::Relaxed);
    }
    stage.end().await;
    Ok(())
}

/// As [`run`], on threads of its own.
fn on_its_own(run: impl Future<Output = Result<(), String>>) -> Result<(), String> {
    let runtime = tokio::runtime::Builder::new_multi_thread();
    let runtime = { runtime }.worker_threads(2).enable_all().build().unwrap();
    runtime.block_on(run)
}

#[test]
fn whatever_is_said_by_whomever_each_desk_gets_exactly_what_is_for_it_in_order() {
    let (all, seed) = (sequences(), number("HERALD_SEED", 2_217));
    let (met, done) = (Arc::new(Met::default()), AtomicU64::new(0));
    let began = Instant::now();
    std::thread::scope(|scope| {
        let share = |share| {
            let (met, done) = (Arc::clone(&met), &done);
            scope.spawn(move || on_its_own(Box::pin(run(share, all, seed, met, done))))
        };
        let shares: Vec<_> = (0..STAGES.min(all)).map(share).collect();
        for share in shares {
            if let Err(why) = share.join().unwrap() {
                panic!("{why}");
            }
        }
    });
    let (hit, cells) = met.count();
    eprintln!(
        "{} sequences in {:.0} s; {hit} of {cells} cells of the policy table met",
        done.load(Ordering::Relaxed),
        began.elapsed().as_secs_f64()
    );
    if all >= ALL_MET {
        assert_eq!(
            met.never(),
            Vec::<String>::new(),
            "cells that no sequence met"
        );
    }
}
