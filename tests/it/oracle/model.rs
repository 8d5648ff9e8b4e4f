//! The model: what is notified, asked, called and admitted, as the protocol's text has it, and what follows for each desk
//! from a statement that is taken. Whether it is taken is told in [`super::judge`], what time brings in [`super::time`].

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use herald::domain::ack::AckState;
use herald::domain::kind::Kind;
use herald::domain::notification::Tier;
use time::{Duration, OffsetDateTime};

use super::cast::{Desk, Who};
use super::steps::{Item, Revise, Rules, Standing, Step, Way, What};
use super::table::{Met, Reader};
use super::time::{Alert, Falls, Stage};

/// Hours from the beginning of a movement to its end.
pub const UNDER_WAY_H: i64 = 2;

/// By how much a movement's span is longer on each side than it says.
const OUTWARD: Duration = Duration::microseconds(10);

/// Everything that the model knows.
#[derive(Clone)]
pub struct Model {
    /// The policy in force.
    pub rules: Rules,
    /// Where organisations and parties stand.
    pub standing: BTreeMap<Desk, Standing>,
    /// How far the newcomer is.
    pub newcomer: Newcomer,
    /// Notifications, by their number.
    pub things: BTreeMap<usize, Thing>,
    /// Queries and warnings, in the order in which they were opened.
    pub threads: Vec<Thread>,
    /// When each site's organisation last said a word on it.
    pub words: BTreeMap<usize, OffsetDateTime>,
    /// Calls for help, by their number.
    pub calls: BTreeMap<usize, Call>,
    /// The newcomer has renewed its keys.
    pub renewed: bool,
    /// What time will bring.
    pub falls: Vec<Falls>,
    /// Devices of which a statement was taken in this sequence.
    pub spoken: BTreeSet<Who>,
    /// Statements that were taken in this sequence.
    pub taken: usize,
    /// The step that was taken last.
    pub step: usize,
    /// The cells of the policy table that were met.
    pub met: Arc<Met>,
}

/// How far the newcomer is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Newcomer {
    /// Not here.
    Absent,
    /// Enrolled, not named.
    Pending,
    /// Named by msf's root.
    Active,
    /// Taken back.
    Revoked,
}

/// A notification.
#[derive(Clone)]
#[allow(
    clippy::struct_excessive_bools,
    reason = "each is a fact of its own in the protocol"
)]
pub struct Thing {
    /// Whose it is.
    pub owner: Desk,
    /// A movement.
    pub moves: bool,
    /// Its revisions, the first one first.
    pub revs: Vec<Rev>,
    /// Withdrawn or closed.
    pub ended: bool,
    /// The coordinator's word so far, on behalf of the owner.
    pub behalf: bool,
    /// A second signature is waited for.
    pub waiting: bool,
    /// Who signed the latest revision, or took it over.
    pub signer: Who,
    /// The parties ever named, and the tier that the latest word on each gives it.
    pub told: BTreeMap<Desk, Tier>,
}

/// A revision.
#[derive(Clone)]
pub struct Rev {
    /// A withdrawal or a closing.
    pub end: bool,
    /// The parties that it was delivered to.
    pub told: BTreeMap<Desk, Tier>,
    /// When its window begins.
    pub begins: Option<OffsetDateTime>,
    /// When a site's window ends.
    pub ends: Option<OffsetDateTime>,
    /// It is a site's, and its window has ended.
    pub over: bool,
    /// Parties of which an officer has signed something on it.
    pub spoke: BTreeSet<Desk>,
    /// Parties of which a letter about it was transcribed, and the latest statement that did so, among those taken.
    pub letters: BTreeMap<Desk, usize>,
    /// The coordinator's latest word on it is that it was looked at.
    pub screened: bool,
}

impl Thing {
    /// The number of the latest revision.
    pub fn latest(&self) -> usize {
        self.revs.len()
    }

    /// A revision, by its number.
    pub fn rev(&self, number: usize) -> Option<&Rev> {
        self.revs.get(number.checked_sub(1)?)
    }
}

/// A query or a warning.
#[derive(Clone)]
pub struct Thread {
    /// The step that opened it.
    pub step: usize,
    /// On which notification.
    pub label: usize,
    /// On which of its revisions.
    pub rev: usize,
    /// Who opened it.
    pub party: Desk,
    /// It was replied to.
    pub replied: bool,
    /// The statement that opened it, among those taken.
    pub by: usize,
}

/// A call for help.
#[derive(Clone)]
pub struct Call {
    /// Whose it is.
    pub owner: Desk,
    /// The notification that it is about.
    pub about: Option<usize>,
    /// The parties called.
    pub told: BTreeMap<Desk, Tier>,
    /// An officer has answered.
    pub answered: bool,
    /// It is over.
    pub resolved: bool,
}

/// Something that stands in mailboxes.
#[derive(Clone)]
pub struct Say {
    /// Its kind.
    pub kind: Kind,
    /// What it says, as far as the reader is held to it.
    pub content: Content,
    /// Who gets it, with which parts.
    pub readers: BTreeMap<Desk, BTreeSet<String>>,
}

/// What is said.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Content {
    /// The statement that was submitted.
    Own,
    /// The server's notice on an item of it.
    Notice { label: usize, rev: usize },
    /// What time has brought.
    Alert(Alert),
}

/// When a statement was made and taken.
#[derive(Debug, Clone, Copy)]
pub struct When {
    /// The deployment's time when it was signed, in whole seconds.
    pub signed: OffsetDateTime,
    /// The receipt's.
    pub at: OffsetDateTime,
}

impl Model {
    /// What a sequence begins with.
    pub fn new(met: Arc<Met>) -> Self {
        let standing = Desk::ALL.map(|desk| {
            let standing = match desk {
                Desk::Paused => Standing::Suspended,
                Desk::Stranger => Standing::Enrolled,
                _ => Standing::Admitted,
            };
            (desk, standing)
        });
        Self {
            rules: Rules::DEFAULT,
            standing: BTreeMap::from(standing),
            newcomer: Newcomer::Absent,
            renewed: false,
            things: BTreeMap::new(),
            threads: Vec::new(),
            words: BTreeMap::new(),
            calls: BTreeMap::new(),
            falls: Vec::new(),
            spoken: BTreeSet::new(),
            taken: 0,
            step: 0,
            met,
        }
    }

    /// The thread that a step has opened on a notification.
    pub fn thread(&self, step: Option<usize>, label: usize) -> Option<usize> {
        let opened = |thread: &Thread| Some(thread.step) == step && thread.label == label;
        self.threads.iter().position(opened)
    }

    /// Who gets a statement, and which of its parts.
    pub fn readers(
        &self,
        what: (Kind, &str),
        parts: &[String],
        relation: impl Fn(Desk) -> Reader,
    ) -> BTreeMap<Desk, BTreeSet<String>> {
        let mut readers = BTreeMap::new();
        for desk in Desk::ALL {
            let reader = relation(desk);
            let gets = self.met.gets(what, "", reader, desk);
            let parts = parts.iter();
            let given = parts.filter(|part| self.met.gets(what, part, reader, desk) && gets);
            let given: BTreeSet<String> = given.cloned().collect();
            if gets {
                readers.insert(desk, given);
            }
        }
        readers
    }

    /// What the server cannot read is sealed by whoever sends it, and to no desk that nobody has admitted.
    fn sealed_by_the_sender(
        &self,
        mut readers: BTreeMap<Desk, BTreeSet<String>>,
        owner: Desk,
    ) -> BTreeMap<Desk, BTreeSet<String>> {
        if self.standing[&owner] == Standing::Enrolled
            && let Some(parts) = readers.get_mut(&owner)
        {
            parts.remove("attachment.1");
        }
        readers
    }

    /// How a desk stands to a notification.
    pub fn of_thing(thing: &Thing, told: &BTreeMap<Desk, Tier>, desk: Desk) -> Reader {
        match told.get(&desk) {
            _ if desk == Desk::Ocha => Reader::Coordinator,
            _ if desk == thing.owner => Reader::Owner,
            Some(tier) => Reader::Party(*tier),
            None => Reader::Outsider,
        }
    }

    /// How a desk stands to what passes between a notification's organisation and one party.
    pub fn of_party(thing: &Thing, party: Desk, desk: Desk) -> Reader {
        if desk == party {
            return Reader::Concerned;
        }
        Self::of_thing(thing, &thing.told, desk)
    }

    /// How a desk stands to a call.
    pub fn of_call(call: &Call, desk: Desk) -> Reader {
        match call.told.get(&desk) {
            _ if desk == Desk::Ocha => Reader::Coordinator,
            _ if desk == call.owner => Reader::Owner,
            Some(tier) => Reader::Party(*tier),
            None => Reader::Outsider,
        }
    }

    fn own(what: Kind, readers: BTreeMap<Desk, BTreeSet<String>>) -> Say {
        Say {
            kind: what,
            content: Content::Own,
            readers,
        }
    }

    /// What follows from a statement that is taken.
    pub fn take(&mut self, step: &Step, when: When) -> Vec<Say> {
        self.step = step.id;
        let says = match &step.what {
            What::Revise(revise) => self.revise(step, revise, when),
            What::Withdraw { label, reason, .. } => {
                let parts: &[&str] = if *reason { &["reason"] } else { &[] };
                self.end(*label, Kind::Withdraw, parts)
            }
            What::Close { label, .. } => self.end(*label, Kind::Close, &[]),
            What::Screen {
                label, returned, ..
            } => {
                let thing = self.things.get_mut(label).expect("it was judged");
                if let Some(latest) = thing.revs.last_mut() {
                    latest.screened = !*returned;
                }
                let (which, parts): (_, &[&str]) = if *returned {
                    ("returned", &["reasons"])
                } else {
                    ("screened", &[])
                };
                self.about(*label, (Kind::Screen, which), parts)
            }
            What::Cosign { label, .. } => self.cosign(step.who, *label),
            What::Ack { items, .. } => self.ack(step, items, when),
            What::Relay { label, party, .. } => self.between(*label, Kind::Relay, *party),
            What::Warn {
                label, of, cease_h, ..
            } => {
                let rev = self.number(*label, *of).0;
                self.warn(step.who, *label, rev, *cease_h, when)
            }
            What::Reply {
                to, label, thread, ..
            } => {
                let number = self.thread(*thread, *label).expect("it is there");
                self.threads[number].replied = true;
                self.falls.retain(|f| f.stage != Stage::Reply(number));
                self.between(*label, Kind::Reply, *to)
            }
            What::Progress { label, way, .. } => {
                if let Way::Late(hours) = way {
                    self.late(*label, *hours);
                }
                self.about(*label, (Kind::Progress, ""), &["progress"])
            }
            What::Confirm { label, .. } => {
                self.falls
                    .retain(|f| !f.stage.asks_for_confirmation(*label));
                self.ask_again(*label, when.at);
                self.about(*label, (Kind::Confirm, ""), &[])
            }
            What::Distress {
                call,
                about,
                here,
                tiers,
            } => self.call(
                step.who,
                (*call, about.map(|(label, _)| label)),
                (*here, *tiers),
                when,
            ),
            What::Respond { call, .. } => self.after_call(*call, Kind::Respond),
            What::Resolve { call } => self.after_call(*call, Kind::Resolve),
            What::Admit { desk, to, from_h } => self.admit(*desk, *to, *from_h, when),
            What::Policy { .. }
            | What::Duty
            | What::Handover
            | What::Invite
            | What::Keys
            | What::Renew
            | What::Revoke => self.identity(step),
            What::Again { .. } | What::Jump { .. } | What::Restart | What::Break => {
                unreachable!("it is no statement")
            }
        };
        self.spoken.insert(step.who);
        self.taken += 1;
        says
    }

    fn identity(&mut self, step: &Step) -> Vec<Say> {
        let own = step.who.desk();
        let reader = |owner: Option<Desk>| {
            move |desk: Desk| match desk {
                Desk::Ocha => Reader::Coordinator,
                desk if owner == Some(desk) && desk.is_party() => Reader::Concerned,
                desk if owner == Some(desk) => Reader::Owner,
                _ => Reader::Outsider,
            }
        };
        let (kind, parts, owner): (_, &[&str], _) = match &step.what {
            What::Policy { rules, .. } => {
                let before = std::mem::replace(&mut self.rules, *rules);
                self.ask_sooner(before.reconfirm_days);
                (Kind::Policy, &[], None)
            }
            What::Duty => (Kind::Duty, &[], own),
            What::Handover => {
                let whose = if own == Some(Desk::Ocha) {
                    "the coordinator's"
                } else {
                    "another's"
                };
                let what = (Kind::Handover, whose);
                let readers = self.readers(what, &owned(&["note"]), reader(own));
                return vec![Self::own(Kind::Handover, readers)];
            }
            What::Invite => {
                self.newcomer = Newcomer::Pending;
                (Kind::Invite, &["person"], None)
            }
            What::Keys => {
                self.newcomer = Newcomer::Active;
                (Kind::Keys, &["desk.newcomer"], Some(Desk::Msf))
            }
            What::Renew => {
                self.renewed = true;
                (Kind::Renew, &[], Some(Desk::Msf))
            }
            _ => {
                self.newcomer = Newcomer::Revoked;
                (Kind::Revoke, &[], Some(Desk::Msf))
            }
        };
        vec![Self::own(
            kind,
            self.readers((kind, ""), &owned(parts), reader(owner)),
        )]
    }

    /// Where an actor stands from now or from a moment on. Those who have named a party are told when it begins or ends
    /// that nothing new is handed to it, or will.
    fn admit(&mut self, desk: Desk, to: Standing, from_h: Option<i64>, when: When) -> Vec<Say> {
        let comes =
            |falls: &Falls| matches!(falls.stage, Stage::Stands { desk: of, .. } if of == desk);
        let ahead = self.falls.iter().any(comes);
        let turns =
            desk.is_party() && (to.holds_back() || self.standing[&desk].holds_back() || ahead);
        self.falls.retain(|falls| !comes(falls));
        let named = self.named_by(desk);
        let readers = self.readers((Kind::Admit, ""), &[], |reader| match reader {
            Desk::Ocha => Reader::Coordinator,
            reader if reader == desk && desk.is_party() => Reader::Concerned,
            reader if reader == desk || (turns && named.contains_key(&reader)) => Reader::Owner,
            _ => Reader::Outsider,
        });
        match from_h {
            Some(hours) => {
                let stage = Stage::Stands { desk, to };
                let at = when.signed + Duration::hours(hours);
                self.falls.push(Falls { stage, at });
            }
            None => drop(self.standing.insert(desk, to)),
        }
        vec![Self::own(Kind::Admit, readers)]
    }

    /// The organisations that have told a party of something that stands, and the revisions that did so last.
    pub fn named_by(&self, party: Desk) -> BTreeMap<Desk, BTreeSet<super::time::Item>> {
        let mut named: BTreeMap<Desk, BTreeSet<_>> = BTreeMap::new();
        for (label, thing) in self.things.iter().filter(|(_, thing)| !thing.ended) {
            let told = thing
                .told
                .get(&party)
                .is_some_and(|tier| *tier != Tier::Withdrawn);
            let last = thing
                .revs
                .iter()
                .rposition(|rev| rev.told.contains_key(&party));
            if let (true, Some(last)) = (told, last) {
                let item = super::time::Item::Revision {
                    label: *label,
                    rev: last + 1,
                };
                named.entry(thing.owner).or_default().insert(item);
            }
        }
        named
    }

    /// Whether nothing new is handed to a desk now.
    pub fn held_back(&self, desk: Desk) -> bool {
        desk.is_party() && self.standing[&desk].holds_back()
    }

    /// Something about the latest revision of a notification.
    fn about(&self, label: usize, what: (Kind, &str), parts: &[&str]) -> Vec<Say> {
        let thing = &self.things[&label];
        let relation = |desk| Self::of_thing(thing, &thing.told, desk);
        vec![Self::own(
            what.0,
            self.readers(what, &owned(parts), relation),
        )]
    }

    /// Something between a notification's organisation and one party.
    fn between(&self, label: usize, kind: Kind, party: Desk) -> Vec<Say> {
        let thing = &self.things[&label];
        let relation = |desk| Self::of_party(thing, party, desk);
        let readers = self.readers((kind, ""), &owned(&["detail"]), relation);
        vec![Self::own(kind, readers)]
    }

    fn revise(&mut self, step: &Step, revise: &Revise, when: When) -> Vec<Say> {
        let owner = step.behalf.or(step.who.desk()).expect("it may sign");
        let told = named(revise.tiers);
        let begins = revise.begins_h.map(|h| when.signed + Duration::hours(h));
        let ends = revise.lasts_h.filter(|_| !revise.moves);
        let ends = ends.map(|lasts| revise.begins_h.unwrap_or(0) + lasts);
        let ends = ends.map(|h| when.signed + Duration::hours(h));
        // A movement's span is rounded outward.
        let begins = begins.map(|at| if revise.moves { at - OUTWARD } else { at });
        let thing = self.things.entry(revise.label).or_insert_with(|| Thing {
            owner,
            moves: revise.moves,
            revs: Vec::new(),
            ended: false,
            behalf: true,
            waiting: false,
            signer: step.who,
            told: BTreeMap::new(),
        });
        thing.behalf = step.behalf.is_some();
        thing.waiting = self.rules.second;
        thing.signer = step.who;
        thing.told.extend(told.clone());
        thing.revs.push(Rev {
            end: false,
            told: told.clone(),
            begins,
            ends,
            over: ends.is_some_and(|ends| ends <= when.at),
            spoke: BTreeSet::new(),
            letters: BTreeMap::new(),
            screened: false,
        });
        let thing = thing.clone();
        self.rising(revise.label, &thing, begins, when.at);
        let mut parts = vec!["place".to_owned()];
        parts.extend(
            told.keys()
                .map(|party| format!("audience.{}", party.name())),
        );
        parts.extend(revise.contact.then(|| "contact".to_owned()));
        if revise.attach && step.who.desk().is_some_and(Desk::has_photo) {
            parts.extend(["attachment.1".to_owned(), "blobs".to_owned()]);
        }
        let kind = if revise.moves {
            Kind::Movement
        } else {
            Kind::Site
        };
        let relation = |desk| Self::of_thing(&thing, &told, desk);
        let readers = self.readers((kind, ""), &parts, relation);
        vec![Self::own(kind, self.sealed_by_the_sender(readers, owner))]
    }

    fn end(&mut self, label: usize, kind: Kind, parts: &[&str]) -> Vec<Say> {
        let says = self.about(label, (kind, ""), parts);
        let thing = self.things.get_mut(&label).expect("it is there");
        thing.ended = true;
        for tier in thing.told.values_mut() {
            *tier = Tier::Withdrawn;
        }
        thing.revs.push(Rev {
            end: true,
            told: thing.told.clone(),
            begins: None,
            ends: None,
            over: false,
            spoke: BTreeSet::new(),
            letters: BTreeMap::new(),
            screened: false,
        });
        says
    }

    fn cosign(&mut self, who: Who, label: usize) -> Vec<Say> {
        let thing = self.things.get_mut(&label).expect("it is there");
        let which = if thing.behalf {
            thing.behalf = false;
            thing.signer = who;
            "taken over"
        } else {
            thing.waiting = false;
            "second signature"
        };
        self.about(label, (Kind::Cosign, which), &[])
    }

    fn ack(&mut self, step: &Step, items: &[Item], when: When) -> Vec<Say> {
        let party = step.speaks_for().expect("a party's");
        let transcribed = step.behalf.is_some();
        let device = items.iter().all(|item| item.state == AckState::ReachedDesk);
        let thing = &self.things[&items[0].label];
        let relation = |desk| Self::of_party(thing, party, desk);
        let (which, parts): (_, &[&str]) = match (transcribed, device) {
            (true, _) => ("transcribed", &["detail", "attachment.1", "blobs"]),
            (false, true) => ("by a device", &[]),
            (false, false) => ("by an officer", &["detail"]),
        };
        let owner = thing.owner;
        let readers = self.readers((Kind::Ack, which), &owned(parts), relation);
        let readers = self.sealed_by_the_sender(readers, owner);
        let mut says = vec![Self::own(Kind::Ack, readers)];
        for item in items {
            let rev = self.number(item.label, item.of).0;
            if item.state == AckState::Queried {
                let within = Duration::hours(self.rules.reply_within_h.into());
                let asked = item.due_h.map(|h| when.signed + Duration::hours(h));
                self.open(item.label, rev, party, asked.unwrap_or(when.at + within));
            }
            let thing = self.things.get_mut(&item.label).expect("it is there");
            let revision = &mut thing.revs[rev - 1];
            if transcribed {
                revision.letters.insert(party, self.taken);
            } else if item.state != AckState::ReachedDesk {
                revision.spoke.insert(party);
            }
            let exact = revision.told.get(&party) == Some(&Tier::Exact);
            if item.state == AckState::Entered && item.far && exact {
                let thing = &self.things[&item.label];
                let relation = |desk| Self::of_party(thing, party, desk);
                says.push(Say {
                    kind: Kind::Notice,
                    content: Content::Notice {
                        label: item.label,
                        rev,
                    },
                    readers: self.readers((Kind::Notice, ""), &owned(&["detail"]), relation),
                });
            }
        }
        says
    }

    fn warn(
        &mut self,
        who: Who,
        label: usize,
        rev: usize,
        cease_h: Option<i64>,
        when: When,
    ) -> Vec<Say> {
        let party = who.desk().expect("a party's");
        let policy = when.at + Duration::hours(self.rules.reply_within_h.into());
        let cease = cease_h.map(|h| when.signed + Duration::hours(h));
        let due = cease.filter(|cease| (when.at..policy).contains(cease));
        self.open(label, rev, party, due.unwrap_or(policy));
        self.between(label, Kind::Warn, party)
    }

    fn open(&mut self, label: usize, rev: usize, party: Desk, due: OffsetDateTime) {
        let stage = Stage::Reply(self.threads.len());
        self.falls.push(Falls { stage, at: due });
        self.threads.push(Thread {
            step: self.step,
            label,
            rev,
            party,
            replied: false,
            by: self.taken,
        });
    }

    fn call(
        &mut self,
        who: Who,
        (call, about): (usize, Option<usize>),
        (here, tiers): (bool, [Option<Tier>; 2]),
        when: When,
    ) -> Vec<Say> {
        let called = named(tiers);
        let told = called.iter().filter(|(party, _)| !self.held_back(**party));
        let told = told.map(|(party, tier)| (*party, *tier)).collect();
        let mut parts = vec!["detail".to_owned()];
        parts.extend(here.then(|| "position".to_owned()));
        parts.extend(
            called
                .keys()
                .map(|party| format!("audience.{}", party.name())),
        );
        let made = Call {
            owner: who.desk().expect("an organisation's"),
            about,
            told,
            answered: false,
            resolved: false,
        };
        let relation = |desk| Self::of_call(&made, desk);
        let readers = self.readers((Kind::Distress, ""), &parts, relation);
        self.calls.insert(call, made);
        self.unanswered(call, when.at);
        vec![Self::own(Kind::Distress, readers)]
    }

    fn after_call(&mut self, number: usize, kind: Kind) -> Vec<Say> {
        let call = self.calls.get_mut(&number).expect("it is there");
        call.answered = true;
        call.resolved |= kind == Kind::Resolve;
        let call = call.clone();
        self.falls.retain(|f| !f.stage.is_of_call(number));
        let relation = |desk| Self::of_call(&call, desk);
        let readers = self.readers((kind, ""), &owned(&["detail"]), relation);
        vec![Self::own(kind, readers)]
    }
}

fn owned(parts: &[&str]) -> Vec<String> {
    parts.iter().map(|&part| part.to_owned()).collect()
}

/// The parties that are named, with their tiers.
pub fn named(tiers: [Option<Tier>; 2]) -> BTreeMap<Desk, Tier> {
    let named = Desk::PARTIES.into_iter().zip(tiers);
    named
        .filter_map(|(party, tier)| Some((party, tier?)))
        .collect()
}
