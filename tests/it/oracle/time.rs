//! What time brings, in the model: the protocol's table of section 9, each moment reckoned from the receipt.

use std::collections::{BTreeMap, BTreeSet};

use herald::domain::exchange::AlertEvent;
use herald::domain::kind::Kind;
use herald::domain::notification::Tier;
use time::{Duration, OffsetDateTime};

use super::cast::Desk;
use super::model::{Content, Model, Say, Thing, UNDER_WAY_H};
use super::steps::Standing;

/// Something that will fall due.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Falls {
    /// What.
    pub stage: Stage,
    /// When.
    pub at: OffsetDateTime,
}

/// What falls due. Notifications and calls by their number, revisions counted from 1.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stage {
    /// So many percent of the lead time have passed for a party.
    Lead {
        label: usize,
        rev: usize,
        party: Desk,
        percent: u8,
    },
    /// A movement's latest arrival.
    Arrival { label: usize, rev: usize },
    /// The organisation is asked for a word on its site.
    Remind { label: usize, rev: usize },
    /// The word has not come.
    Stale { label: usize, rev: usize },
    /// The time for a reply.
    Reply(usize),
    /// An actor stands elsewhere.
    Stands { desk: Desk, to: Standing },
    /// A minute more of a call.
    Call { call: usize, step: u32 },
}

impl Stage {
    /// Whether it asks for a word on this site.
    pub fn asks_for_confirmation(self, of: usize) -> bool {
        matches!(self, Self::Remind { label, .. } | Self::Stale { label, .. } if label == of)
    }

    /// Whether it is a minute of this call.
    pub fn is_of_call(self, of: usize) -> bool {
        matches!(self, Self::Call { call, .. } if call == of)
    }
}

/// What an alert is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Item {
    /// A revision.
    Revision { label: usize, rev: usize },
    /// A query or a warning.
    Thread(usize),
    /// A call.
    Call(usize),
}

/// What an alert says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Alert {
    /// What time has brought.
    pub event: AlertEvent,
    /// The organisation concerned.
    pub org: Desk,
    /// The party concerned, if one.
    pub party: Option<Desk>,
    /// The part of the lead time, in percent.
    pub percent: Option<u8>,
    /// How many minutes of a call.
    pub step: Option<u32>,
    /// The statement that transcribed the party's letter, if there is one, among those taken.
    pub letter: Option<usize>,
    /// The moment.
    pub due: OffsetDateTime,
    /// What it is about.
    pub items: BTreeSet<Item>,
}

impl Model {
    /// What a new revision gives rise to; the former one's arrival and reminders are forgotten.
    pub fn rising(
        &mut self,
        label: usize,
        thing: &Thing,
        begins: Option<OffsetDateTime>,
        at: OffsetDateTime,
    ) {
        let rev = thing.latest();
        self.falls.retain(|f| {
            let arrival = matches!(f.stage, Stage::Arrival { label: of, .. } if of == label);
            !arrival && !f.stage.asks_for_confirmation(label)
        });
        let told = &thing.revs[rev - 1].told;
        for begins in begins.iter().filter(|begins| **begins > at) {
            for (party, _) in told.iter().filter(|(_, tier)| **tier != Tier::Withdrawn) {
                for percent in [25, 50, 75, 100] {
                    let stage = Stage::Lead {
                        label,
                        rev,
                        party: *party,
                        percent,
                    };
                    let at = at + (*begins - at) / 100 * i32::from(percent);
                    self.falls.push(Falls { stage, at });
                }
            }
        }
        if !thing.moves {
            self.ask_again(label, at);
        } else if let Some(begins) = begins {
            let stage = Stage::Arrival { label, rev };
            self.falls.push(Falls {
                stage,
                at: begins + Duration::hours(UNDER_WAY_H),
            });
        }
    }

    /// From a word on a site on, the next one is asked for after the policy's days, a week ahead.
    pub fn ask_again(&mut self, label: usize, word: OffsetDateTime) {
        self.words.insert(label, word);
        if self.rules.reconfirm_days > 0 {
            let (at, _) = self.asked(label);
            let rev = self.things[&label].latest();
            let stage = Stage::Remind { label, rev };
            self.falls.push(Falls { stage, at });
        }
    }

    /// When the organisation of a site is reminded, and when its site is stale, by the policy of now.
    fn asked(&self, label: usize) -> (OffsetDateTime, OffsetDateTime) {
        let days = i64::from(self.rules.reconfirm_days);
        let stale = self.words[&label] + Duration::days(days);
        (stale - Duration::days(days.min(7)), stale)
    }

    /// A policy that asks sooner than the one before counts at once, for every site.
    pub fn ask_sooner(&mut self, before: u16) {
        let now = self.rules.reconfirm_days;
        if now == 0 || (before > 0 && now >= before) {
            return;
        }
        let sites = self
            .things
            .iter()
            .filter(|(_, thing)| !thing.moves && !thing.ended);
        let sites: Vec<usize> = sites.map(|(label, _)| *label).collect();
        for label in sites {
            self.falls.retain(|f| !f.stage.asks_for_confirmation(label));
            self.ask_again(label, self.words[&label]);
        }
    }

    /// A site's reminder, or the end of its time, by the policy of now: what is said, if anything, and when to look again.
    fn word_on_site(
        &self,
        label: usize,
        moment: OffsetDateTime,
        reminds: bool,
    ) -> (Option<AlertEvent>, Option<(bool, OffsetDateTime)>) {
        let days = i64::from(self.rules.reconfirm_days);
        if days == 0 {
            return (None, Some((true, moment + Duration::days(90))));
        }
        let (remind, stale) = self.asked(label);
        if moment < remind {
            (None, Some((true, remind)))
        } else if moment >= stale {
            let again = moment + Duration::days(days);
            (
                Some(AlertEvent::ReconfirmationOverdue),
                Some((false, again)),
            )
        } else if reminds {
            (Some(AlertEvent::ReconfirmationDue), Some((false, stale)))
        } else {
            (None, Some((false, stale)))
        }
    }

    /// A movement arrives so much later than notified.
    pub fn late(&mut self, label: usize, hours: u32) {
        let thing = &self.things[&label];
        let rev = thing.latest();
        self.falls
            .retain(|f| !matches!(f.stage, Stage::Arrival { label: of, .. } if of == label));
        if let Some(begins) = thing.revs[rev - 1].begins {
            let at = begins + Duration::hours(UNDER_WAY_H + i64::from(hours));
            self.falls.push(Falls {
                stage: Stage::Arrival { label, rev },
                at,
            });
        }
    }

    /// Each minute of a call, up to the fifteenth.
    pub fn unanswered(&mut self, call: usize, at: OffsetDateTime) {
        for step in 1..=15 {
            let at = at + Duration::minutes(i64::from(step));
            self.falls.push(Falls {
                stage: Stage::Call { call, step },
                at,
            });
        }
    }

    /// What has fallen due by `now`; what differs in nothing but the notification is said together.
    pub fn pass(&mut self, now: OffsetDateTime) -> Vec<Say> {
        let mut alerts: Vec<Alert> = Vec::new();
        while let Some(index) = self.falls.iter().position(|f| f.at <= now) {
            let falls = self.falls.remove(index);
            if let Stage::Stands { desk, to } = falls.stage {
                alerts.extend(self.stands(desk, to, falls.at));
                continue;
            }
            let Some((alert, next)) = self.brings(&falls) else {
                continue;
            };
            self.falls.extend(next);
            let Some(alert) = alert else { continue };
            let same = |one: &&mut Alert| {
                Alert {
                    items: alert.items.clone(),
                    ..(*one).clone()
                } == alert
            };
            match alerts.iter_mut().find(same) {
                Some(one) => one.items.extend(alert.items),
                None => alerts.push(alert),
            }
        }
        alerts.into_iter().map(|alert| self.alert(alert)).collect()
    }

    /// An actor stands elsewhere from now on: of a party, each organisation that has named it is told what it was told.
    fn stands(&mut self, desk: Desk, to: Standing, due: OffsetDateTime) -> Vec<Alert> {
        self.standing.insert(desk, to);
        if !desk.is_party() {
            return Vec::new();
        }
        let event = if to == Standing::Left {
            AlertEvent::PartyLeft
        } else {
            AlertEvent::PartySuspended
        };
        let named = self.named_by(desk).into_iter();
        let told = named.map(|(org, items)| Alert {
            event,
            org,
            party: Some(desk),
            percent: None,
            step: None,
            letter: None,
            due,
            items,
        });
        told.collect()
    }

    fn alert(&self, alert: Alert) -> Say {
        let first = *alert.items.first().expect("an alert is about something");
        let what = (Kind::Alert, alert.event.as_str());
        let detail = ["detail".to_owned()];
        let readers: BTreeMap<_, _> = match first {
            Item::Call(call) => {
                let call = &self.calls[&call];
                self.readers(what, &detail, |desk| Self::of_call(call, desk))
            }
            Item::Revision { label, .. } => self.about_thing(what, &detail, label, alert.party),
            Item::Thread(thread) => {
                let label = self.threads[thread].label;
                self.about_thing(what, &detail, label, alert.party)
            }
        };
        Say {
            kind: Kind::Alert,
            content: Content::Alert(alert),
            readers,
        }
    }

    fn about_thing(
        &self,
        what: (Kind, &str),
        parts: &[String],
        label: usize,
        party: Option<Desk>,
    ) -> BTreeMap<Desk, BTreeSet<String>> {
        let thing = &self.things[&label];
        self.readers(what, parts, |desk| match party {
            Some(party) => Self::of_party(thing, party, desk),
            None => Self::of_thing(thing, &thing.told, desk),
        })
    }

    /// What is said when something falls due, and what comes next; nothing when it no longer matters.
    fn brings(&self, falls: &Falls) -> Option<(Option<Alert>, Option<Falls>)> {
        let stands = |label: &usize, rev: usize| {
            let thing = &self.things[label];
            (!thing.ended && thing.latest() == rev).then_some(thing)
        };
        let alert = |event, org, item| Alert {
            event,
            org,
            party: None,
            percent: None,
            step: None,
            letter: None,
            due: falls.at,
            items: BTreeSet::from([item]),
        };
        match &falls.stage {
            Stage::Lead {
                label,
                rev,
                party,
                percent,
            } => {
                let thing = stands(label, *rev)?;
                let revision = &thing.revs[rev - 1];
                let letter = revision.letters.get(party).copied();
                // After a letter nobody is reminded; that nothing was signed is said at the beginning all the same.
                if revision.spoke.contains(party) || (letter.is_some() && *percent < 100) {
                    return None;
                }
                let event = if *percent == 100 {
                    AlertEvent::NoAcknowledgement
                } else {
                    AlertEvent::AcknowledgementOverdue
                };
                let item = Item::Revision {
                    label: *label,
                    rev: *rev,
                };
                let said = alert(event, thing.owner, item);
                let said = Alert {
                    party: Some(*party),
                    percent: Some(*percent),
                    letter,
                    ..said
                };
                Some((Some(said), None))
            }
            Stage::Arrival { label, rev } => {
                let thing = stands(label, *rev)?;
                let item = Item::Revision {
                    label: *label,
                    rev: *rev,
                };
                Some((
                    Some(alert(AlertEvent::NoSignOfLife, thing.owner, item)),
                    None,
                ))
            }
            Stage::Remind { label, rev } | Stage::Stale { label, rev } => {
                let (label, rev) = (*label, *rev);
                let thing = stands(&label, rev)?;
                let reminds = matches!(falls.stage, Stage::Remind { .. });
                let (event, next) = self.word_on_site(label, falls.at, reminds);
                let said =
                    event.map(|event| alert(event, thing.owner, Item::Revision { label, rev }));
                let next = next.map(|(reminds, at)| Falls {
                    stage: if reminds {
                        Stage::Remind { label, rev }
                    } else {
                        Stage::Stale { label, rev }
                    },
                    at,
                });
                Some((said, next))
            }
            Stage::Reply(number) => {
                let thread = &self.threads[*number];
                let thing = &self.things[&thread.label];
                if thread.replied || thing.ended {
                    return None;
                }
                let said = alert(AlertEvent::ReplyOverdue, thing.owner, Item::Thread(*number));
                let said = Alert {
                    party: Some(thread.party),
                    ..said
                };
                Some((Some(said), None))
            }
            Stage::Stands { .. } => None,
            Stage::Call { call, step } => {
                let owner = self.calls[call].owner;
                let said = alert(AlertEvent::DistressUnanswered, owner, Item::Call(*call));
                let said = Alert {
                    step: Some(*step),
                    ..said
                };
                Some((Some(said), None))
            }
        }
    }
}
