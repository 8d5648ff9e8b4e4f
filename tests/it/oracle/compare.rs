//! Holding what a desk heard against what the model says that it must: each statement once, in the order of acceptance,
//! its exact bytes, with exactly the parts that the desk may have and their values as they were signed; nothing else.

use std::collections::{BTreeMap, BTreeSet};

use herald::domain::actor::Mode;
use herald::domain::exchange::{
    AlertEvent, CLOSED_BY_TIME_SENTENCE, DISTRESS_SENTENCE, SILENCE_SENTENCE, STANDING_SENTENCE,
    WINDOW_ENDED_SENTENCE, WINDOW_ENDING_SENTENCE,
};
use herald::domain::ids::ContextId;
use herald::domain::kind::Kind;
use herald::wire::claims::{About, Claims};
use herald::wire::parts::AlertDetail;
use serde_json::Value;

use super::cast::Desk;
use super::hear::Heard;
use super::model::{Content, Model, Say};
use super::speak::{Bound, actor, revision};
use super::time::{Alert, Item};

/// What was stored, in order.
pub enum Slot {
    /// At one position: a statement, or the server's notice on it.
    One {
        /// Where.
        pos: u64,
        /// What was submitted.
        statement: String,
        /// Its parts.
        parts: BTreeMap<String, Value>,
        /// What the model says of it.
        say: Say,
    },
    /// Between two positions: what time has brought, in whatever order its subjects come.
    Time {
        /// Behind this position.
        after: u64,
        /// Up to this one.
        upto: u64,
        /// What the model says of it.
        says: Vec<Say>,
    },
}

/// What was stored, and what the numbers in it stand for.
pub struct Story<'a> {
    /// All of it, in order.
    pub slots: &'a [Slot],
    /// The model at the end.
    pub model: &'a Model,
    /// What its numbers stand for.
    pub bound: &'a Bound,
    /// The context, and whether it is a drill.
    pub within: (&'a ContextId, Mode),
}

impl Story<'_> {
    /// What a desk heard, behind a place in its mailbox, is exactly what it must hear.
    pub fn holds_for(&self, desk: Desk, from: u64, heard: &[Heard]) -> Result<(), String> {
        for (event, seq) in heard.iter().zip(from + 1..) {
            if event.seq != seq {
                return Err(format!(
                    "its mailbox has {} where {seq} comes next",
                    event.seq
                ));
            }
            let common = event.claims.common();
            if (&common.ctx, common.mode) != self.within {
                return Err(format!("what stands at {} is another context's", event.pos));
            }
        }
        let mut rest = heard;
        for slot in self.slots {
            rest = match slot {
                Slot::One {
                    pos,
                    statement,
                    parts,
                    say,
                } => {
                    let Some(given) = say.readers.get(&desk) else {
                        continue;
                    };
                    let (event, rest) = rest.split_first().ok_or_else(|| {
                        format!(
                            "it did not get the {} at {pos}, nor anything after",
                            say.kind
                        )
                    })?;
                    if event.pos != *pos {
                        return Err(format!(
                            "it got the {} at {} where the {} at {pos} comes next",
                            event.claims.kind(),
                            event.pos,
                            say.kind
                        ));
                    }
                    self.same(event, say, given, statement, parts)?;
                    rest
                }
                Slot::Time { after, upto, says } => {
                    let count = rest
                        .iter()
                        .take_while(|e| (*after + 1..=*upto).contains(&e.pos))
                        .count();
                    let (alerts, rest) = rest.split_at(count);
                    self.alerts(desk, alerts, says)?;
                    rest
                }
            };
        }
        match rest.first() {
            None => Ok(()),
            Some(event) => Err(format!(
                "it got the {} at {}, which is not for it",
                event.claims.kind(),
                event.pos
            )),
        }
    }

    /// An event is what it must be.
    fn same(
        &self,
        event: &Heard,
        say: &Say,
        given: &BTreeSet<String>,
        statement: &str,
        parts: &BTreeMap<String, Value>,
    ) -> Result<(), String> {
        let at = format!("the {} at {}", say.kind, event.pos);
        if event.claims.kind() != say.kind {
            return Err(format!("{at} is a {}", event.claims.kind()));
        }
        // A desk's key is handed to the one device; the play looks at that device itself.
        let given: BTreeSet<&str> = given
            .iter()
            .map(String::as_str)
            .filter(|part| !part.starts_with("desk."))
            .collect();
        let got: BTreeSet<&str> = event.parts.keys().map(String::as_str).collect();
        if got != given {
            return Err(format!(
                "{at} came with the parts {got:?}, and {given:?} are for it"
            ));
        }
        match &say.content {
            Content::Own => {
                if event.statement != statement {
                    return Err(format!("{at} is not the statement that was submitted"));
                }
                let altered = event
                    .parts
                    .iter()
                    .find(|(name, value)| parts.get(*name) != Some(*value));
                altered.map_or(Ok(()), |(name, _)| {
                    Err(format!("{at}: the part {name} is another"))
                })
            }
            Content::Notice { label, rev } => match &event.claims {
                Claims::Notice(notice)
                    if (notice.nid, notice.rev) == (self.bound.nids[*label], revision(*rev)) =>
                {
                    Ok(())
                }
                _ => Err(format!("{at} is about something else")),
            },
            Content::Alert(_) => Err(format!("{at} is an alert in the wrong place")),
        }
    }

    fn alerts(&self, desk: Desk, alerts: &[Heard], says: &[Say]) -> Result<(), String> {
        let mut expected: Vec<&Say> = says
            .iter()
            .filter(|say| say.readers.contains_key(&desk))
            .collect();
        let mut stages: BTreeMap<String, u32> = BTreeMap::new();
        for event in alerts {
            let at = format!("at {}", event.pos);
            if event.claims.kind() != Kind::Alert {
                return Err(format!(
                    "a {} came {at} among what time brought",
                    event.claims.kind()
                ));
            }
            let said: Option<AlertDetail> = event
                .parts
                .get("detail")
                .and_then(|v| serde_json::from_value(v.clone()).ok());
            let said = said.filter(|_| event.parts.len() == 1);
            let said =
                said.ok_or_else(|| format!("the alert {at} came with {:?}", event.parts.keys()))?;
            let found = expected
                .iter()
                .position(|say| matches!(&say.content, Content::Alert(a) if self.says(a, &said)));
            let found = found.ok_or_else(|| {
                let rest: Vec<_> = expected.iter().map(|say| &say.content).collect();
                format!(
                    "the alert {} {:?} {:?} {at} is not among {rest:?}",
                    said.event, said.lead_percent, said.step
                )
            })?;
            expected.swap_remove(found);
            let of_window = match said.event {
                AlertEvent::WindowEnding => Some(1),
                AlertEvent::WindowEnded => Some(2),
                AlertEvent::ClosedByTime => Some(3),
                _ => None,
            };
            let stage = said.lead_percent.map(u32::from).or(said.step);
            let stage = stage.or(of_window).unwrap_or(0);
            for item in &said.items {
                let what = format!(
                    "{} {} {:?} {}",
                    said.lead_percent.is_some(),
                    of_window.is_some(),
                    said.party,
                    item.nid
                );
                let before = stages.insert(what, stage);
                if before.is_some_and(|before| stage > 0 && before >= stage) {
                    return Err(format!("the stage {stage} {at} came after a later one"));
                }
            }
        }
        match expected.first() {
            None => Ok(()),
            Some(say) => Err(format!("it was not told of {:?}", say.content)),
        }
    }

    /// Whether an alert says what the model says.
    fn says(&self, alert: &Alert, said: &AlertDetail) -> bool {
        let items: BTreeSet<String> = alert
            .items
            .iter()
            .map(|item| key(&self.about(*item)))
            .collect();
        let said_items: BTreeSet<String> = said.items.iter().map(key).collect();
        let sentence = match alert.event {
            AlertEvent::PartySuspended | AlertEvent::PartyLeft => STANDING_SENTENCE,
            AlertEvent::DistressUnanswered => DISTRESS_SENTENCE,
            AlertEvent::WindowEnding => WINDOW_ENDING_SENTENCE,
            AlertEvent::WindowEnded => WINDOW_ENDED_SENTENCE,
            AlertEvent::ClosedByTime => CLOSED_BY_TIME_SENTENCE,
            _ => SILENCE_SENTENCE,
        };
        said.event == alert.event
            && said.organisation == actor(alert.org)
            && said.party == alert.party.map(actor)
            && said.lead_percent == alert.percent
            && said.step == alert.step
            && said.transcribed == alert.letter.map(|by| self.bound.hashes[by])
            && (said.due - alert.due).abs() < time::Duration::seconds(1)
            && said.items.len() == items.len()
            && said_items == items
            && said.says == sentence
    }

    fn about(&self, item: Item) -> About {
        let (nid, rev, of) = match item {
            Item::Revision { label, rev } => (
                self.bound.nids[label],
                rev,
                self.bound.revs[&label][rev - 1],
            ),
            Item::Thread(thread) => {
                let thread = &self.model.threads[thread];
                (
                    self.bound.nids[thread.label],
                    thread.rev,
                    self.bound.hashes[thread.by],
                )
            }
            Item::Call(call) => (self.bound.call_nids[call], 1, self.bound.calls[&call]),
        };
        About {
            nid,
            rev: revision(rev),
            of,
        }
    }
}

fn key(about: &About) -> String {
    format!("{} {} {}", about.nid, about.rev, about.of)
}
