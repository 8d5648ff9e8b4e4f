//! Drawing sequences: mostly what makes sense after what came before, signed by who may; now and then anything by anyone.

use herald::domain::ack::AckState;
use herald::domain::exchange::{Answer, Ask};
use herald::domain::notification::{Outcome, Tier};

use super::cast::{Desk, Who};
use super::steps::{Follow, Item, LABELS, Of, Revise, Rules, Standing, Step, Twist, Way, What};

const HOUR: i64 = 3_600;
const DAY: i64 = 24 * HOUR;

/// Random numbers that a seed repeats: SplitMix64 (Steele, Lea and Flood, 2014).
pub struct Dice(u64);

impl Dice {
    /// Dice that fall as the seed says.
    pub const fn new(seed: u64) -> Self {
        Self(seed)
    }

    /// The next 64 bits.
    pub const fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let z = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// A number below another.
    pub fn below(&mut self, end: usize) -> usize {
        usize::try_from(self.next() % end as u64).unwrap()
    }

    /// True in so many of a hundred.
    pub fn percent(&mut self, of: usize) -> bool {
        self.below(100) < of
    }

    /// One of these.
    pub fn pick<T: Clone>(&mut self, of: &[T]) -> T {
        of[self.below(of.len())].clone()
    }
}

/// What the sequence so far would have notified, if all of it was taken.
#[derive(Clone)]
struct Sketch {
    owner: Desk,
    behalf: bool,
    moves: bool,
    named: [bool; 2],
}

struct Drawing<'a> {
    dice: &'a mut Dice,
    sketches: Vec<Sketch>,
    calls: Vec<Desk>,
    /// The number of the step that is drawn.
    id: usize,
    /// Who opened which thread, on what, by which step.
    threads: Vec<(Desk, usize, usize)>,
    newcomer: u8,
    /// Parties to which nothing new is handed.
    held: [bool; 2],
    /// What comes next, if that is not left to chance.
    next: Option<Step>,
}

/// A sequence of about so many steps; in one of three, some of them in the other context.
pub fn sequence(dice: &mut Dice, length: usize) -> Vec<Step> {
    let mut steps = in_one_context(dice, length);
    if dice.percent(33) {
        let mut at = 0;
        for step in in_one_context(dice, length / 3) {
            at += dice.below(steps.len() - at + 1);
            steps.insert(at, Step { side: 1, ..step });
        }
    }
    steps
}

fn in_one_context(dice: &mut Dice, length: usize) -> Vec<Step> {
    let mut drawing = Drawing {
        dice,
        sketches: Vec::new(),
        calls: Vec::new(),
        id: 0,
        threads: Vec::new(),
        newcomer: 0,
        held: [false; 2],
        next: None,
    };
    let mut steps = Vec::new();
    if drawing.dice.percent(35) {
        steps.push(drawing.policy());
    }
    let notified = drawing.notify();
    steps.push(Step {
        id: steps.len(),
        ..notified
    });
    while steps.len() < length {
        drawing.id = steps.len();
        let mut step = drawing.step();
        step.id = drawing.id;
        drawing.spoil(&mut step);
        steps.push(step);
    }
    steps
}

/// Something that is said or happens, rightly.
pub fn by(who: Who, what: What) -> Step {
    Step {
        id: 0,
        side: 0,
        who,
        behalf: None,
        twist: Twist::None,
        what,
    }
}

impl Drawing<'_> {
    /// Now and then another signs, or it is signed or brought wrongly.
    fn spoil(&mut self, step: &mut Step) {
        let identity = matches!(
            step.what,
            What::Invite | What::Keys | What::Renew | What::Revoke
        );
        if step.what.kind().is_none() || identity {
            return;
        }
        if self.dice.percent(10) {
            step.who = self.dice.pick(&Who::ALL);
        }
        let for_another = matches!(
            step.what,
            What::Revise(_)
                | What::Withdraw { .. }
                | What::Close { .. }
                | What::Reply { .. }
                | What::Progress { .. }
                | What::Confirm { .. }
        );
        if for_another && self.dice.percent(6) {
            step.behalf = self
                .dice
                .pick(&[None, Some(Desk::Msf), Some(Desk::Stranger)]);
        }
        if self.dice.percent(8) {
            step.twist = self.dice.pick(&[
                Twist::Deployment,
                Twist::Context,
                Twist::Mode,
                Twist::Old,
                Twist::Early,
                Twist::Bearer,
                Twist::Abroad,
                Twist::Carried,
                Twist::Carried,
                Twist::Jti,
            ]);
        }
    }

    fn step(&mut self) -> Step {
        if let Some(next) = self.next.take() {
            return next;
        }
        match self.dice.below(100) {
            0..=7 if self.sketches.len() < LABELS => self.notify(),
            0..=17 => self.revise(),
            18..=26 => self.screen(),
            27..=30 => self.cosign(),
            31..=46 => self.acknowledge(),
            47..=52 => self.warn(),
            53..=59 => self.reply(),
            60..=65 => self.progress(),
            66..=68 => self.confirm(),
            69..=72 => self.end(),
            73..=81 => self.call(),
            82..=85 => self.coordinate(),
            86..=89 => self.identity(),
            90..=91 => by(
                Who::Cora,
                What::Again {
                    statement: self.dice.below(12),
                },
            ),
            92..=96 => self.jump(),
            97 => self.relay(),
            98 => by(Who::Cora, What::Break),
            _ => {
                let who = self.dice.pick(&[Who::Ada, Who::Eve, Who::Cora, Who::Stran]);
                let what = if self.dice.percent(50) {
                    What::Duty
                } else {
                    What::Handover
                };
                by(who, what)
            }
        }
    }

    fn label(&mut self) -> usize {
        if self.dice.percent(3) {
            return self.dice.below(LABELS);
        }
        self.dice.below(self.sketches.len())
    }

    fn sketch(&self, label: usize) -> Sketch {
        let none = Sketch {
            owner: Desk::Msf,
            behalf: false,
            moves: false,
            named: [true, false],
        };
        self.sketches.get(label).cloned().unwrap_or(none)
    }

    fn of(&mut self) -> Of {
        match self.dice.below(20) {
            0 => Of::Bogus,
            1..=3 => Of::First,
            _ => Of::Latest,
        }
    }

    fn follow(&mut self) -> Follow {
        match self.dice.below(24) {
            0 => Follow::Same,
            1 => Follow::Gap,
            2 => Follow::Fork,
            _ => Follow::Next,
        }
    }

    fn tiers(&mut self, named: [bool; 2]) -> [Option<Tier>; 2] {
        let mut held = self.held.into_iter();
        named.map(|before| match (before, self.dice.below(100)) {
            // Nothing new names a party that stands aside.
            _ if held.next() == Some(true) && self.dice.percent(80) => None,
            (true, 0..=5) | (false, 0..=29) => None,
            (true, 6..=17) | (false, 98..) => Some(Tier::Withdrawn),
            _ => {
                let tiers = [Tier::Exact, Tier::Exact, Tier::OnCheck, Tier::Cell];
                Some(self.dice.pick(&tiers))
            }
        })
    }

    fn notify(&mut self) -> Step {
        let owner = self.dice.pick(&[
            Desk::Msf,
            Desk::Msf,
            Desk::Msf,
            Desk::Relief,
            Desk::Stranger,
        ]);
        let behalf = owner == Desk::Stranger || self.dice.percent(20);
        let moves = self.dice.percent(50);
        let label = self.sketches.len();
        let tiers = self.tiers([false, false]);
        self.sketches.push(Sketch {
            owner,
            behalf,
            moves,
            named: tiers.map(|tier| tier.is_some()),
        });
        self.revision(label, tiers, Follow::Next)
    }

    fn revise(&mut self) -> Step {
        let (label, follow) = (self.label(), self.follow());
        let tiers = self.tiers(self.sketch(label).named);
        if let Some(sketch) = self.sketches.get_mut(label) {
            for (named, tier) in sketch.named.iter_mut().zip(tiers) {
                *named |= tier.is_some();
            }
            if sketch.behalf && sketch.owner == Desk::Msf {
                sketch.behalf = self.dice.percent(70);
            }
        }
        self.revision(label, tiers, follow)
    }

    fn revision(&mut self, label: usize, tiers: [Option<Tier>; 2], follow: Follow) -> Step {
        let sketch = self.sketch(label);
        let begins = [None, Some(-3), Some(1), Some(6), Some(30), Some(100)];
        let lasts = [None, None, Some(2), Some(2), Some(40), Some(20 * 24)];
        let lasts_h = self.dice.pick(&lasts);
        if lasts_h.is_some() && !sketch.moves && self.next.is_none() && self.dice.percent(30) {
            // On to behind its end, and to when it would be closed.
            let seconds = self.dice.pick(&[9 * HOUR, 2 * DAY, 9 * DAY, 25 * DAY]);
            self.next = Some(by(Who::Cora, What::Jump { seconds }));
        }
        let what = What::Revise(Revise {
            label,
            moves: sketch.moves != self.dice.percent(2),
            follow,
            tiers,
            contact: self.dice.percent(30),
            attach: self.dice.percent(20),
            begins_h: self.dice.pick(&begins),
            lasts_h,
        });
        self.spoken_for(label, what)
    }

    /// By the notification's organisation, or by the coordinator on its behalf.
    fn spoken_for(&mut self, label: usize, what: What) -> Step {
        let sketch = self.sketch(label);
        if sketch.behalf {
            return Step {
                behalf: Some(sketch.owner),
                ..by(Who::Cora, what)
            };
        }
        by(self.colleague(sketch.owner), what)
    }

    fn colleague(&mut self, of: Desk) -> Who {
        match of {
            Desk::Msf => {
                self.dice
                    .pick(&[Who::Ada, Who::Ada, Who::Bo, Who::AdaAgain, Who::Newcomer])
            }
            other => other.device(),
        }
    }

    fn screen(&mut self) -> Step {
        let (label, of) = (self.label(), self.of());
        let returned = self.dice.percent(35);
        by(
            Who::Cora,
            What::Screen {
                label,
                of,
                returned,
            },
        )
    }

    fn cosign(&mut self) -> Step {
        let (label, of) = (self.label(), self.of());
        let who = self.colleague(self.sketch(label).owner);
        if let Some(sketch) = self.sketches.get_mut(label) {
            sketch.behalf = sketch.behalf && sketch.owner == Desk::Stranger;
        }
        by(who, What::Cosign { label, of })
    }

    fn party(&mut self, label: usize) -> Desk {
        match self.sketch(label).named {
            _ if self.dice.percent(8) => self.dice.pick(&Desk::PARTIES),
            [true, false] => Desk::East,
            [false, true] => Desk::West,
            _ => self.dice.pick(&Desk::PARTIES),
        }
    }

    fn acknowledge(&mut self) -> Step {
        let first = self.label();
        let (party, to) = (self.party(first), self.sketch(first).owner);
        let mut items = vec![self.item(first)];
        let another = self.label();
        if another != first && self.dice.percent(40) {
            items.push(self.item(another));
        }
        for item in items.iter().filter(|item| item.state == AckState::Queried) {
            self.threads.push((party, item.label, self.id));
        }
        if self.dice.percent(15) {
            return Step {
                behalf: Some(party),
                ..by(Who::Cora, What::Ack { to, items })
            };
        }
        by(party.device(), What::Ack { to, items })
    }

    fn item(&mut self, label: usize) -> Item {
        let state = self.dice.pick(AckState::ALL);
        let queried = state == AckState::Queried;
        let asks = [
            None,
            Some(Ask::Clarify),
            Some(Ask::Delay),
            Some(Ask::Reroute),
        ];
        let dues = [None, None, Some(3), Some(40), Some(-2), Some(24 * 40)];
        Item {
            label,
            of: self.of(),
            state,
            ask: self.dice.pick(&asks).filter(|_| queried),
            due_h: self.dice.pick(&dues).filter(|_| queried),
            far: self.dice.percent(50),
        }
    }

    fn relay(&mut self) -> Step {
        let (label, of) = (self.label(), self.of());
        let (party, to) = (self.party(label), self.sketch(label).owner);
        let wrong = self.dice.percent(15);
        let what = What::Relay {
            to,
            party,
            label,
            of,
            wrong,
        };
        by(Who::Cora, what)
    }

    fn warn(&mut self) -> Step {
        let (label, of) = (self.label(), self.of());
        let (party, to) = (self.party(label), self.sketch(label).owner);
        self.threads.push((party, label, self.id));
        let cease_h = self.dice.pick(&[None, Some(2), Some(-1), Some(100)]);
        by(
            party.device(),
            What::Warn {
                to,
                label,
                of,
                cease_h,
            },
        )
    }

    fn reply(&mut self) -> Step {
        let thread = self.dice.below(self.threads.len() + 1);
        let opened = self.threads.get(thread).copied();
        let (to, label, _) = opened.unwrap_or((Desk::East, 0, 0));
        let to = if self.dice.percent(8) {
            self.dice.pick(&Desk::PARTIES)
        } else {
            to
        };
        let answer = self.dice.pick(Answer::ALL);
        let amended = self.of();
        self.spoken_for(
            label,
            What::Reply {
                to,
                label,
                thread: opened.map(|(_, _, step)| step),
                answer,
                amended,
            },
        )
    }

    fn progress(&mut self) -> Step {
        let (label, of) = (self.label(), self.of());
        let ways = [
            Way::Departed,
            Way::At(0),
            Way::At(1),
            Way::Late(1),
            Way::Late(9),
            Way::Late(0),
            Way::At(7),
        ];
        let (way, early) = (self.dice.pick(&ways), self.dice.percent(4));
        self.spoken_for(
            label,
            What::Progress {
                label,
                of,
                way,
                early,
            },
        )
    }

    fn confirm(&mut self) -> Step {
        let (label, of) = (self.label(), self.of());
        self.spoken_for(label, What::Confirm { label, of })
    }

    fn end(&mut self) -> Step {
        let (label, follow) = (self.label(), self.follow());
        let what = if self.dice.percent(50) {
            What::Withdraw {
                label,
                follow,
                reason: self.dice.percent(60),
            }
        } else {
            let outcome = if self.sketch(label).moves {
                Outcome::Arrived
            } else {
                Outcome::Completed
            };
            let outcome = if self.dice.percent(10) {
                self.dice.pick(Outcome::ALL)
            } else {
                outcome
            };
            What::Close {
                label,
                follow,
                outcome,
            }
        };
        self.spoken_for(label, what)
    }

    fn call(&mut self) -> Step {
        if self.calls.len() < LABELS && (self.calls.is_empty() || self.dice.percent(35)) {
            let call = self.calls.len();
            let owner = self
                .dice
                .pick(&[Desk::Msf, Desk::Msf, Desk::Relief, Desk::Paused]);
            self.calls.push(owner);
            let label = self.label();
            let own = self.sketch(label).owner == owner || self.dice.percent(5);
            let about = own.then(|| (label, self.of()));
            let here = about.is_none() || self.dice.percent(60);
            let tiers = [(), ()].map(|()| {
                let tiers = [
                    None,
                    Some(Tier::Exact),
                    Some(Tier::OnCheck),
                    Some(Tier::Cell),
                ];
                self.dice.pick(&tiers)
            });
            let who = self.colleague(owner);
            return by(
                who,
                What::Distress {
                    call,
                    about,
                    here,
                    tiers,
                },
            );
        }
        let call = self.dice.below(LABELS.min(self.calls.len() + 1));
        let owner = self.calls.get(call).copied().unwrap_or(Desk::Msf);
        if self.dice.percent(35) {
            return by(self.colleague(owner), What::Resolve { call });
        }
        let who = self.dice.pick(&[Who::Eve, Who::Wes, Who::Cora]);
        by(who, What::Respond { to: owner, call })
    }

    fn coordinate(&mut self) -> Step {
        if self.dice.percent(50) {
            return self.policy();
        }
        let desk = self.dice.pick(&Desk::ALL);
        let party = desk.is_party();
        let to = match self.dice.below(100) {
            0..=7 => Standing::Left,
            8..=14 if party => Standing::Left,
            15..=39 => Standing::Suspended,
            40..=59 if party => Standing::Suspended,
            _ => Standing::Admitted,
        };
        let ahead = self
            .dice
            .percent(if to == Standing::Admitted { 3 } else { 45 });
        let from_h = self.dice.pick(&[-3, 4, 4, 30]);
        if ahead && self.dice.percent(60) {
            let seconds = self.dice.pick(&[5 * HOUR, 2 * DAY]);
            self.next = Some(by(Who::Cora, What::Jump { seconds }));
        }
        for (held, _) in self
            .held
            .iter_mut()
            .zip(Desk::PARTIES)
            .filter(|(_, party)| *party == desk)
        {
            *held = to != Standing::Admitted && !ahead;
        }
        let from_h = ahead.then_some(from_h);
        by(Who::Cora, What::Admit { desk, to, from_h })
    }

    fn policy(&mut self) -> Step {
        let rules = Rules {
            second: self.dice.percent(60),
            cells: self.dice.percent(85),
            reconfirm_days: self.dice.pick(&[90, 10, 10, 0]),
            close_days: self.dice.pick(&[30, 1, 1, 3]),
            reply_within_h: self.dice.pick(&[24, 2]),
        };
        let skip = self.dice.percent(8);
        by(Who::Cora, What::Policy { rules, skip })
    }

    /// The newcomer's life, step by step.
    fn identity(&mut self) -> Step {
        self.newcomer += 1;
        match self.newcomer {
            1 => by(Who::Cora, What::Invite),
            2 => by(Who::Ada, What::Keys),
            _ => match self.dice.below(3) {
                0 => by(Who::Newcomer, What::Renew),
                1 => by(Who::Ada, What::Keys),
                _ => {
                    let who = [Who::Ada, Who::Cora, Who::Rae, Who::Newcomer];
                    by(self.dice.pick(&who), What::Revoke)
                }
            },
        }
    }

    fn jump(&mut self) -> Step {
        let seconds = [
            70,
            5 * 60,
            20 * 60,
            2 * HOUR,
            5 * HOUR,
            13 * HOUR,
            2 * DAY,
            4 * DAY,
            9 * DAY,
            25 * DAY,
        ];
        by(
            Who::Cora,
            What::Jump {
                seconds: self.dice.pick(&seconds),
            },
        )
    }
}
