//! Which sequences a run plays: first those of consecutive seeds; then, where that leaves cells of the policy table out,
//! those of later seeds in which the model, playing alone, meets what is missing.

use std::collections::BTreeSet;
use std::sync::Arc;

use time::{Duration, OffsetDateTime};

use super::model::{Model, When};
use super::play::{AHEAD_MOST_S, MARGIN};
use super::property::{How, drawn};
use super::stage::Way;
use super::steps::{Step, What};
use super::table::{Cell, Met};

/// Seeds that are looked at for what is missing.
const CANDIDATES: u64 = 2_500;
/// What a step takes, about.
const A_STEP: Duration = Duration::milliseconds(50);

/// The cells that a sequence meets if everything comes out as the model says.
fn rehearsed(steps: &[Step]) -> BTreeSet<Cell> {
    let met = Arc::new(Met::default());
    let mut models = [Model::new(Arc::clone(&met)), Model::new(Arc::clone(&met))];
    let mut now = OffsetDateTime::UNIX_EPOCH;
    let began = now;
    let mut moved = false;
    for step in steps {
        now += A_STEP;
        let by_the_machine = matches!(step.what, What::Restart | What::Invite | What::Renew);
        if !models[step.side].possible(step) || (by_the_machine && moved) {
            continue;
        }
        moved |= settle(&mut models, &mut now);
        match step.what {
            What::Restart | What::Break | What::Again { .. } => {}
            What::Jump { seconds } => {
                let after = now + Duration::seconds(seconds);
                if after - began <= Duration::seconds(AHEAD_MOST_S) {
                    (now, moved) = (after, true);
                }
            }
            _ => {
                let model = &mut models[step.side];
                if model.judge(step).is_ok() {
                    let signed = now.replace_nanosecond(0).unwrap();
                    model.take(step, When { signed, at: now });
                }
            }
        }
        moved |= settle(&mut models, &mut now);
    }
    met.cells()
}

/// Lets what has fallen due happen; what falls due about now is waited for, as a play does: whether the clock was moved.
fn settle(models: &mut [Model; 2], now: &mut OffsetDateTime) -> bool {
    let before = *now;
    let near = |models: &[Model; 2], now| {
        let falls = models.iter().flat_map(|model| &model.falls);
        falls
            .into_iter()
            .any(|f| (now..now + MARGIN).contains(&f.at))
    };
    while near(models, *now) {
        *now += Duration::seconds(30);
    }
    for model in models {
        model.pass(*now);
    }
    *now > before
}

/// Seeds from one on whose sequences meet what is missing, as few as can be found without looking far.
pub fn covering(mut missing: BTreeSet<Cell>, from: u64) -> Vec<u64> {
    let candidates = (from..from + CANDIDATES).filter_map(|seed| {
        let (steps, how) = drawn(seed);
        // The dear ones are played often enough.
        let cheap = how
            == How {
                way: Way::Within,
                folds: false,
            };
        cheap.then(|| (seed, rehearsed(&steps)))
    });
    let candidates: Vec<_> = candidates.collect();
    let mut seeds = Vec::new();
    while let Some((seed, cells)) = candidates
        .iter()
        .max_by_key(|(_, cells)| cells.intersection(&missing).count())
        && !cells.is_disjoint(&missing)
    {
        seeds.push(*seed);
        missing.retain(|cell| !cells.contains(cell));
    }
    seeds
}
