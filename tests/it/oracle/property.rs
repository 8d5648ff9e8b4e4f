//! The property: every sequence comes out as the model says, and where it is folded again, as the fold says.
//! `HERALD_ORACLE_SEQUENCES` sets how many sequences run (see [`sequences`]), `HERALD_SEED` which ones; a sequence that
//! fails is made as short as it can be, and told in words.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Instant;

use herald::domain::actor::Mode;

use super::cast::Who;
use super::draw::{Dice, by, sequence};
use super::plan::covering;
use super::play::{play, play_and_fold};
use super::stage::{Stage, Way};
use super::steps::{Step, What};
use super::table::{Cell, Met, cells, in_words, rows_without};

/// One in so many runs over TLS, with a WebSocket for each desk.
const WIRE: u64 = 20;
/// Times that the lines break in such a one.
const BREAKS: usize = 3;
/// One in so many sees the server end and start again.
const RESTART: u64 = 20;
/// One in so many is played on a server of its own, on which everything is folded again at the end.
const FOLD: u64 = 40;
/// Sequences after which no cell of the table may be left out; an ordinary run leaves out no row, nor anything else that
/// can happen.
const ALL_MET: u64 = 2_000;
/// Servers at once, each with a database of its own. Of the first, both contexts are drills.
const STAGES: u64 = 3;
/// Sequences after which a long run says how far it is.
const TELL_EVERY: u64 = 250;
/// Tries to make a failing sequence shorter.
const SHORTENINGS: u32 = 300;
/// The same, where each needs a server of its own.
const FOLDED_SHORTENINGS: u32 = 40;
/// What must have happened too.
const HAPPENS: [&str; 8] = [
    "statements taken",
    "statements refused",
    "sequences over TLS and WebSockets",
    "broken lines",
    "restarts",
    "restarts on a moved clock",
    "clock jumps",
    "folds",
];

/// A number in the environment.
pub fn number(name: &str, default: u64) -> u64 {
    let set = std::env::var(name).ok();
    set.and_then(|text| text.parse().ok()).unwrap_or(default)
}

/// How many sequences, if `HERALD_ORACLE_SEQUENCES` says it; else a hundredth of what the other properties run, and those
/// in which happens what did not happen in them.
fn sequences() -> Option<u64> {
    Some(number("HERALD_ORACLE_SEQUENCES", 0)).filter(|set| *set > 0)
}

/// How a sequence is played.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct How {
    /// How it reaches the server.
    pub way: Way,
    /// On a server of its own, and folded again at the end.
    pub folds: bool,
}

/// The sequence of a seed, and how it is played.
pub fn drawn(seed: u64) -> (Vec<Step>, How) {
    let mut dice = Dice::new(seed);
    let length = 8 + dice.below(22);
    let mut steps = sequence(&mut dice, length);
    let mut also = |what: &[What]| {
        let at = dice.below(steps.len());
        steps.splice(at..at, what.iter().map(|what| by(Who::Cora, what.clone())));
    };
    let way = if seed % WIRE == 3 {
        (0..BREAKS).for_each(|_| also(&[What::Break]));
        Way::Wire
    } else {
        Way::Within
    };
    let folds = seed % FOLD == 29;
    if seed % RESTART == 7 || folds {
        // Where both contexts are drills, the clock may be another when the server starts.
        let before = seed
            .is_multiple_of(STAGES)
            .then_some(What::Jump { seconds: 70 });
        also(
            &before
                .into_iter()
                .chain([What::Restart])
                .collect::<Vec<_>>(),
        );
    }
    if way == Way::Wire {
        in_one_window(&mut steps);
    }
    (steps, How { way, folds })
}

/// Whoever reads from a socket says what it has kept, sooner or later; and when a site is closed by time depends on what of
/// its earlier revisions was kept. Over sockets only a first revision has a window that ends.
fn in_one_window(steps: &mut [Step]) {
    let mut notified = BTreeSet::new();
    for step in steps {
        let side = step.side;
        if let What::Revise(revise) = &mut step.what
            && !notified.insert((side, revise.label))
        {
            revise.lasts_h = None;
        }
    }
}

/// Plays a sequence, on the stage or, where it is folded again, on a fresh one that is like it.
async fn once(stage: &mut Stage, met: &Arc<Met>, steps: &[Step], how: How) -> Result<(), String> {
    if !how.folds {
        return Box::pin(play(stage, met, steps, how.way)).await;
    }
    let mut own = Box::pin(Stage::start_with(stage.worlds[1].mode)).await;
    let played = Box::pin(play_and_fold(&mut own, met, steps, how.way)).await;
    own.end().await;
    played
}

/// Takes out of a failing sequence what it fails without: first halves, then single steps.
pub async fn shortened(
    stage: &mut Stage,
    met: &Arc<Met>,
    mut steps: Vec<Step>,
    how: How,
    mut why: String,
) -> (Vec<Step>, String) {
    let most = if how.folds {
        FOLDED_SHORTENINGS
    } else {
        SHORTENINGS
    };
    let mut tries = 0;
    let mut size = steps.len() / 2;
    while size > 0 {
        let mut from = 0;
        while from < steps.len() && tries < most {
            tries += 1;
            let mut fewer = steps.clone();
            fewer.drain(from..(from + size).min(fewer.len()));
            match once(stage, met, &fewer, how).await {
                Err(still) => (steps, why) = (fewer, still),
                Ok(()) => from += size,
            }
        }
        size /= 2;
    }
    (steps, why)
}

/// A failing sequence, told: how it is played again, what was found, and the shortest that still shows it.
async fn story(
    stage: &mut Stage,
    met: &Arc<Met>,
    (seed, steps, how): (u64, Vec<Step>, How),
    why: String,
) -> String {
    eprintln!("{}: {why}\n(is made shorter)", again(seed));
    let (steps, shorter) = shortened(stage, met, steps, how, why.clone()).await;
    let words = steps.iter().zip(1..);
    let words: Vec<String> = words.map(|(step, n)| format!("  {n}. {step}")).collect();
    format!(
        "{} ({how:?}):\n{why}\nshortened:\n{}\n{shorter}",
        again(seed),
        words.join("\n")
    )
}

fn again(seed: u64) -> String {
    format!("HERALD_SEED={seed} HERALD_ORACLE_SEQUENCES=1")
}

/// Says which sequence it was when a test's own code gives up.
struct Playing(u64);

impl Drop for Playing {
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!("{}: given up", again(self.0));
        }
    }
}

/// How far all of them are.
struct Progress {
    met: Arc<Met>,
    began: Instant,
    done: AtomicU64,
    failed: AtomicBool,
}

impl Progress {
    fn next(&self, all: usize) {
        let done = self.done.fetch_add(1, Ordering::Relaxed) + 1;
        if done.is_multiple_of(TELL_EVERY) {
            eprintln!("{done} of {all} sequences: {}", self.says());
        }
    }

    fn says(&self) -> String {
        let (met, all) = (self.met.cells().len(), cells().len());
        let happened = self.met.happened().into_iter();
        let happened: Vec<String> = happened.map(|(what, n)| format!("{n} {what}")).collect();
        let seconds = self.began.elapsed().as_secs();
        format!(
            "{seconds} s, {met} of {all} cells of the policy table, {}",
            happened.join(", ")
        )
    }
}

/// Plays those sequences whose seed leaves `share` over; the first that fails is the error, and ends the others.
async fn run(share: u64, seeds: &[u64], progress: &Progress) -> Result<(), String> {
    let mode = if share == 0 {
        Mode::Exercise
    } else {
        Mode::Live
    };
    let own: Vec<u64> = seeds
        .iter()
        .copied()
        .filter(|seed| seed % STAGES == share)
        .collect();
    if own.is_empty() {
        return Ok(());
    }
    let mut stage = Box::pin(Stage::start_with(mode)).await;
    for seed in own {
        if progress.failed.load(Ordering::Relaxed) {
            break;
        }
        let playing = Playing(seed);
        let (steps, how) = drawn(seed);
        if let Err(why) = once(&mut stage, &progress.met, &steps, how).await {
            progress.failed.store(true, Ordering::Relaxed);
            return Err(Box::pin(story(&mut stage, &progress.met, (seed, steps, how), why)).await);
        }
        drop(playing);
        progress.next(seeds.len());
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

/// Plays sequences, several at once.
fn all_of(seeds: &[u64], progress: &Progress) {
    let found = std::thread::scope(|scope| {
        let share = |share| scope.spawn(move || on_its_own(Box::pin(run(share, seeds, progress))));
        let shares: Vec<_> = (0..STAGES).map(share).collect();
        let found = shares.into_iter().map(|share| share.join().unwrap());
        found.collect::<Vec<_>>()
    });
    let found: Result<Vec<()>, String> = found.into_iter().collect();
    found.unwrap_or_else(|why| panic!("{why}"));
}

#[test]
fn whatever_is_said_by_whomever_each_desk_gets_exactly_what_is_for_it_in_order() {
    let (set, from) = (sequences(), number("HERALD_SEED", 2_217));
    let all = set.unwrap_or_else(|| (number("HERALD_CASES", 4_000) / 100).max(1));
    let progress = Progress {
        met: Arc::new(Met::default()),
        began: Instant::now(),
        done: AtomicU64::new(0),
        failed: AtomicBool::new(false),
    };
    let seeds: Vec<u64> = (from..from + all).collect();
    all_of(&seeds, &progress);
    let missing = || -> BTreeSet<Cell> {
        let met = progress.met.cells();
        cells().difference(&met).copied().collect()
    };
    if set.is_none() {
        all_of(&covering(missing(), from + all), &progress);
    }
    let done = progress.done.load(Ordering::Relaxed);
    eprintln!("{done} sequences: {}", progress.says());
    if set.is_some_and(|set| set >= ALL_MET) {
        let never: Vec<String> = missing().into_iter().map(in_words).collect();
        assert_eq!(never, Vec::<String>::new(), "cells that no sequence met");
    }
    if set.is_none_or(|set| set >= ALL_MET) {
        let never = rows_without(&progress.met.cells());
        assert_eq!(never, Vec::<String>::new(), "rows that no sequence met");
        let happened = progress.met.happened();
        for what in HAPPENS {
            assert!(happened.contains_key(what), "there were no {what}");
        }
    }
}
