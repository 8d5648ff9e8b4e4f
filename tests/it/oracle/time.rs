//! What time brings, in the model: the protocol's table of section 9, each moment reckoned from the receipt.

use std::collections::{BTreeMap, BTreeSet};

use herald::domain::exchange::AlertEvent;
use herald::domain::kind::Kind;
use herald::domain::notification::Tier;
use time::{Duration, OffsetDateTime};

use super::cast::Desk;
use super::model::{Call, Content, Model, Rev, Say, Thing, UNDER_WAY_H};
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
    /// A site's window ends soon.
    Ending { label: usize, rev: usize },
    /// It has ended.
    Ended { label: usize, rev: usize },
    /// The policy's days after that.
    Closing {
        label: usize,
        rev: usize,
        from: OffsetDateTime,
    },
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

    /// Whether it is about this site's window.
    pub fn is_of_window(self, of: usize) -> bool {
        matches!(self, Self::Ending { label, .. } | Self::Ended { label, .. } | Self::Closing { label, .. } if label == of)
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
            !arrival && !f.stage.asks_for_confirmation(label) && !f.stage.is_of_window(label)
        });
        if let Some(ends) = thing.revs[rev - 1].ends {
            self.window(label, rev, at, ends);
        }
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

    /// The end of a site's window, and what comes before and after it. One that had ended when it came is only closed.
    fn window(&mut self, label: usize, rev: usize, at: OffsetDateTime, ends: OffsetDateTime) {
        if ends > at {
            let before = Duration::days(7).min((ends - at) / 2);
            let (stage, at) = (Stage::Ending { label, rev }, ends - before);
            self.falls.push(Falls { stage, at });
            let stage = Stage::Ended { label, rev };
            self.falls.push(Falls { stage, at: ends });
        }
        let from = ends.max(at);
        let stage = Stage::Closing { label, rev, from };
        let at = from + Duration::days(self.rules.close_days.into());
        self.falls.push(Falls { stage, at });
    }

    /// Whether something keeps a site from being closed: an earlier revision that still counts and whose window is open, by
    /// whole days; or a call for help about it.
    fn is_held(&self, label: usize, at: OffsetDateTime) -> bool {
        let thing = &self.things[&label];
        let latest = thing.latest();
        let counts = |number: usize, party: &Desk| {
            let after = &thing.revs[number + 1..latest];
            let taken_back = |rev: &Rev| rev.told.get(party) == Some(&Tier::Withdrawn);
            thing.revs[number].told[party] != Tier::Withdrawn && !after.iter().any(taken_back)
        };
        let open = |number: usize| {
            let ends = thing.revs[number].ends;
            ends.is_none_or(|ends| (ends.date() + Duration::DAY).midnight().assume_utc() > at)
        };
        let earlier = (0..latest - 1)
            .any(|n| open(n) && thing.revs[n].told.keys().any(|party| counts(n, party)));
        let called = |call: &Call| call.about == Some(label) && !call.resolved;
        earlier || self.calls.values().any(called)
    }

    /// What a moment of a site's window brings: who is told of what, each party by itself; none where it is about no window.
    fn window_falls(&mut self, falls: &Falls) -> Option<Vec<Alert>> {
        let (label, rev, event) = match falls.stage {
            Stage::Ending { label, rev } => (label, rev, AlertEvent::WindowEnding),
            Stage::Ended { label, rev } => (label, rev, AlertEvent::WindowEnded),
            Stage::Closing { label, rev, .. } => (label, rev, AlertEvent::ClosedByTime),
            _ => return None,
        };
        let thing = &self.things[&label];
        if thing.ended || thing.latest() != rev {
            return Some(Vec::new());
        }
        if let Stage::Closing { from, .. } = falls.stage {
            let by_policy = from + Duration::days(self.rules.close_days.into());
            let again = if falls.at < by_policy {
                Some(by_policy)
            } else {
                let held = self.is_held(label, falls.at);
                held.then(|| falls.at + Duration::DAY)
            };
            if let Some(at) = again {
                self.met.happens("closings put off");
                let stage = falls.stage;
                self.falls.push(Falls { stage, at });
                return Some(Vec::new());
            }
        }
        let thing = self.things.get_mut(&label).expect("it is there");
        let told = match event {
            AlertEvent::WindowEnding => BTreeMap::new(),
            AlertEvent::WindowEnded => thing.revs[rev - 1].told.clone(),
            _ => thing.told.clone(),
        };
        match event {
            AlertEvent::WindowEnded => thing.revs[rev - 1].over = true,
            AlertEvent::ClosedByTime => thing.ended = true,
            _ => {}
        }
        let owner = thing.owner;
        let alert = |party| Alert {
            event,
            org: owner,
            party,
            percent: None,
            step: None,
            letter: None,
            due: falls.at,
            items: BTreeSet::from([Item::Revision { label, rev }]),
        };
        let told = told.into_iter();
        let told = told.filter(|(_, tier)| *tier != Tier::Withdrawn);
        let parties = told.map(|(party, _)| alert(Some(party)));
        Some([alert(None)].into_iter().chain(parties).collect())
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
        // One after the other: what comes first may be the end of what would come later.
        while let Some(falls) = self.first(now) {
            if let Stage::Stands { desk, to } = falls.stage {
                alerts.extend(self.stands(desk, to, falls.at));
                continue;
            }
            if let Some(of_window) = self.window_falls(&falls) {
                for alert in of_window {
                    together(&mut alerts, alert);
                }
                continue;
            }
            let Some((alert, next)) = self.brings(&falls) else {
                continue;
            };
            self.falls.extend(next);
            if let Some(alert) = alert {
                together(&mut alerts, alert);
            }
        }
        alerts.into_iter().map(|alert| self.alert(alert)).collect()
    }

    /// Takes away what falls due first, if it has by now.
    fn first(&mut self, now: OffsetDateTime) -> Option<Falls> {
        let due = self.falls.iter().enumerate();
        let due = due.filter(|(_, f)| f.at <= now);
        let (index, _) = due.min_by_key(|(index, f)| (f.at, *index))?;
        Some(self.falls.remove(index))
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
        let which = match (alert.event, alert.party) {
            (AlertEvent::WindowEnded, Some(_)) => "window_ended, to one",
            (AlertEvent::ClosedByTime, Some(_)) => "closed_by_time, to one",
            (event, _) => event.as_str(),
        };
        let what = (Kind::Alert, which);
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

    /// What a site's organisation is told when a word on it is asked for or has not come, and what comes next; nothing once
    /// its window has ended: nobody is asked then whether it stands as notified.
    fn asks(
        &self,
        falls: &Falls,
        (label, rev): (usize, usize),
    ) -> Option<(Option<AlertEvent>, Option<Falls>)> {
        let ends = self.things[&label].revs[rev - 1].ends;
        if ends.is_some_and(|ends| ends <= falls.at) {
            return None;
        }
        let reminds = matches!(falls.stage, Stage::Remind { .. });
        let (event, next) = self.word_on_site(label, falls.at, reminds);
        let next = next.map(|(reminds, at)| Falls {
            stage: if reminds {
                Stage::Remind { label, rev }
            } else {
                Stage::Stale { label, rev }
            },
            at,
        });
        Some((event, next))
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
                let thing = stands(label, *rev)?;
                let item = Item::Revision {
                    label: *label,
                    rev: *rev,
                };
                let (event, next) = self.asks(falls, (*label, *rev))?;
                let said = event.map(|event| alert(event, thing.owner, item));
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
            Stage::Stands { .. }
            | Stage::Ending { .. }
            | Stage::Ended { .. }
            | Stage::Closing { .. } => None,
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

/// What differs in nothing but the notification is said together.
fn together(alerts: &mut Vec<Alert>, alert: Alert) {
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
