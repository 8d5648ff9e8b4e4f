//! One context in a sequence: its model, what the model's numbers stand for, what was stored, and who listens.

use std::collections::BTreeMap;
use std::sync::Arc;

use herald::crypto::digest::Digest;

use super::cast::Desk;
use super::compare::{Slot, Story};
use super::hear::Listener;
use super::model::Model;
use super::speak::{Bound, member};
use super::stage::Stage;
use super::steps::{Standing, Step, What};
use super::table::Met;
use crate::server::World;

/// One context in a sequence.
pub struct Side {
    /// What must be.
    pub model: Model,
    /// What its numbers stand for.
    pub bound: Bound,
    /// What was stored, in order.
    pub slots: Vec<Slot>,
    /// What was taken, to be sent again, and its position.
    pub sent: Vec<(Vec<u8>, u64)>,
    /// Where each desk's mailbox ended before.
    from: BTreeMap<Desk, u64>,
    listeners: BTreeMap<Desk, Listener>,
    /// Parties to which nothing new is handed, and the last position before that.
    held_back: BTreeMap<Desk, u64>,
}

impl Side {
    /// Nothing said yet; whatever stands in the mailboxes is from before.
    pub async fn begin(stage: &mut Stage, side: usize, met: &Arc<Met>) -> Self {
        let mut from = BTreeMap::new();
        for desk in Desk::ALL {
            from.insert(desk, stage.end_of(side, desk).await);
        }
        let listeners = from.iter().map(|(desk, end)| (*desk, Listener::new(*end)));
        Self {
            model: Model::new(Arc::clone(met)),
            bound: Bound::new(stage.policies[side]),
            slots: Vec::new(),
            sent: Vec::new(),
            listeners: listeners.collect(),
            held_back: BTreeMap::new(),
            from,
        }
    }

    /// Keeps what later statements name.
    pub fn remember(&mut self, step: &Step, hash: Digest) {
        self.bound.hashes.push(hash);
        match &step.what {
            What::Revise(revise) => self.bound.revs.entry(revise.label).or_default().push(hash),
            What::Withdraw { label, .. } | What::Close { label, .. } => {
                self.bound.revs.entry(*label).or_default().push(hash);
            }
            What::Distress { call, .. } => drop(self.bound.calls.insert(*call, hash)),
            What::Policy { .. } => self.bound.policy += 1,
            _ => {}
        }
    }

    /// Opens a socket for each desk, behind what it has kept.
    pub async fn listen(&mut self, world: &World) {
        for (desk, listener) in &mut self.listeners {
            if !self.held_back.contains_key(desk) {
                listener.open(world, member(world, *desk).first()).await;
            }
        }
    }

    /// Notes to whom nothing new is handed from now on, or is again: whether anything of that has changed.
    pub fn hold_back(&mut self, head: u64) -> bool {
        let before = self.held_back.len();
        let model = &self.model;
        self.held_back.retain(|desk, _| model.held_back(*desk));
        let released = self.held_back.len() < before;
        for desk in Desk::PARTIES
            .into_iter()
            .filter(|desk| model.held_back(*desk))
        {
            self.held_back.entry(desk).or_insert(head);
        }
        released
    }

    /// Every socket breaks.
    pub async fn break_off(&mut self) {
        for listener in self.listeners.values_mut() {
            listener.break_off().await;
        }
    }

    /// What came over a desk's socket, once all of its mailbox has.
    pub async fn heard(&mut self, stage: &mut Stage, desk: Desk) -> Vec<Vec<u8>> {
        let end = stage.end_of(0, desk).await;
        let listener = self.listeners.get_mut(&desk).expect("each desk listens");
        listener.bytes(end).await
    }

    /// Each desk heard exactly what it must; over its sockets, if it had any.
    pub async fn verdict(
        &mut self,
        stage: &mut Stage,
        side: usize,
        over_sockets: bool,
    ) -> Result<(), String> {
        for desk in Desk::ALL {
            let from = self.from[&desk];
            if let Some(last) = self.held_back.get(&desk).copied() {
                self.nothing_new(stage, (side, desk), last).await?;
                continue;
            }
            // Until a desk is admitted, its mailbox is empty, whatever waits for it.
            let waits = self.model.standing[&desk] == Standing::Enrolled;
            let after = if waits { 0 } else { from };
            let mut heard = stage.reads(side, desk, after).await?;
            let world = &stage.worlds[side];
            if over_sockets {
                let end = from + u64::try_from(heard.len()).unwrap();
                let listener = self.listeners.get_mut(&desk).expect("each desk listens");
                heard = listener.all(end, &member(world, desk).desk).await?;
            }
            if waits {
                if heard.is_empty() {
                    continue;
                }
                return Err(format!(
                    "{} is handed what waits for it before it is admitted",
                    desk.name()
                ));
            }
            let story = Story {
                slots: &self.slots,
                model: &self.model,
                bound: &self.bound,
                within: (&world.ctx, world.mode),
            };
            let held = story.holds_for(desk, from, &heard);
            held.map_err(|why| format!("{} of {}: {why}", desk.name(), world.ctx))?;
        }
        Ok(())
    }

    /// A party to which nothing new is handed reads nothing, and heard nothing on its socket that came later.
    async fn nothing_new(
        &mut self,
        stage: &Stage,
        (side, desk): (usize, Desk),
        last: u64,
    ) -> Result<(), String> {
        if let Ok(heard) = stage.reads(side, desk, self.from[&desk]).await {
            let count = heard.len();
            return Err(format!(
                "{} reads {count} events while it is held back",
                desk.name()
            ));
        }
        let key = &member(&stage.worlds[side], desk).desk;
        let listener = self.listeners.get_mut(&desk).expect("each desk listens");
        let heard = listener.so_far(key).await?;
        match heard.iter().find(|event| event.pos > last) {
            Some(event) => Err(format!(
                "{} heard {} while it is held back",
                desk.name(),
                event.pos
            )),
            None => Ok(()),
        }
    }
}
