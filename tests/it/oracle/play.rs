//! Playing a sequence: each step by the model and by the server, and at the end every desk's mailbox against the model.

use std::collections::BTreeMap;
use std::sync::Arc;

use herald::crypto::b64url;
use herald::crypto::disclosure::Disclosure;
use herald::domain::actor::Role;
use herald::domain::ids::Issuer;
use herald::wire::api::{EnrolResponse, RenewRequest};
use herald::wire::build::{Built, build};
use herald::wire::claims::RenewClaims;
use herald::wire::invite::InviteCode;
use herald::wire::parts::name;
use time::{Duration, OffsetDateTime};

use super::cast::{Desk, Who};
use super::compare::Slot;
use super::model::{Newcomer, When};
use super::side::Side;
use super::speak::{Speaker, unit};
use super::stage::{Outcome, Stage, Way};
use super::steps::{Rules, Step, Twist, What};
use super::table::Met;
use crate::server::{Fresh, Unit};

/// The certificates of the cast last longer than this.
pub const AHEAD_MOST_S: i64 = 80 * 86_400;
/// No moment may lie this near behind the time at which a sequence looks: the machine may be slow.
pub const MARGIN: Duration = Duration::seconds(20);

/// A sequence while it is played.
pub struct Play<'a> {
    /// Where.
    pub stage: &'a mut Stage,
    way: Way,
    /// The two contexts.
    pub sides: [Side; 2],
    /// The last position, of both.
    head: u64,
    listening: bool,
}

/// Plays a sequence; what differs from the model is the error, in words.
pub async fn play(
    stage: &mut Stage,
    met: &Arc<Met>,
    steps: &[Step],
    way: Way,
) -> Result<(), String> {
    let mut play = Play::begin(stage, met, way).await;
    let played = play.all(steps).await;
    let verdict = match played {
        Ok(()) => play.verdict().await,
        wrong => wrong,
    };
    play.leave().await;
    verdict
}

/// As [`play`], on a stage that nothing was played on and nothing will be: after it, all that was stored is folded again.
pub async fn play_and_fold(
    stage: &mut Stage,
    met: &Arc<Met>,
    steps: &[Step],
    way: Way,
) -> Result<(), String> {
    let mut play = Play::on(stage, met, way).await;
    play.all(steps).await?;
    play.verdict().await?;
    play.break_off().await;
    met.happens("folds");
    stage.fold().await
}

impl<'a> Play<'a> {
    /// Nothing said yet, on a stage on which others were played before.
    pub async fn begin(stage: &'a mut Stage, met: &Arc<Met>, way: Way) -> Self {
        stage.begin().await;
        Self::on(stage, met, way).await
    }

    /// Nothing said yet, on a stage as it stands.
    pub async fn on(stage: &'a mut Stage, met: &Arc<Met>, way: Way) -> Self {
        if way == Way::Wire {
            met.happens("sequences over TLS and WebSockets");
        }
        let head = stage.head().await;
        let sides = [
            Side::begin(stage, 0, met).await,
            Side::begin(stage, 1, met).await,
        ];
        Self {
            stage,
            way,
            sides,
            head,
            listening: false,
        }
    }

    /// All of a sequence.
    pub async fn all(&mut self, steps: &[Step]) -> Result<(), String> {
        self.listen().await;
        for (step, number) in steps.iter().zip(1..) {
            let done = self.step(step).await;
            done.map_err(|why| format!("step {number}, {step}: {why}"))?;
        }
        Ok(())
    }

    async fn step(&mut self, step: &Step) -> Result<(), String> {
        if !self.sides[step.side].model.possible(step) {
            return Ok(());
        }
        // A server with a live context does not start on a clock that was moved, and a certificate begins by the
        // deployment's clock and is judged by the machine's.
        let by_the_machine = match step.what {
            What::Restart => !self.stage.starts_on_a_moved_clock(),
            What::Invite | What::Renew => true,
            _ => false,
        };
        if by_the_machine && self.stage.ahead_s > 0 {
            return Ok(());
        }
        self.settle(false).await?;
        match &step.what {
            What::Jump { seconds } => return self.jump(*seconds).await,
            What::Restart => {
                self.break_off().await;
                self.stage.restart().await;
                self.met().happens(if self.stage.ahead_s > 0 {
                    "restarts on a moved clock"
                } else {
                    "restarts"
                });
                self.listen().await;
                return Ok(());
            }
            What::Break => {
                if self.listening {
                    self.met().happens("broken lines");
                }
                self.break_off().await;
                return Ok(());
            }
            What::Again { statement } => return self.again(step.side, *statement).await,
            What::Renew => self.renew(step).await?,
            _ => self.say(step).await?,
        }
        self.listen().await;
        Ok(())
    }

    fn met(&self) -> &Met {
        &self.sides[0].model.met
    }

    async fn listen(&mut self) {
        if self.way == Way::Wire && !self.listening {
            for (side, world) in self.sides.iter_mut().zip(&self.stage.worlds) {
                side.listen(world).await;
            }
            self.listening = true;
        }
    }

    /// Notes who is held back since something was stored behind a position; who no longer is listens again.
    async fn hold_back(&mut self, head: u64) {
        let mut released = false;
        for side in &mut self.sides {
            released |= side.hold_back(head);
        }
        if released && self.listening {
            self.break_off().await;
            self.listen().await;
        }
    }

    /// Every socket breaks.
    pub async fn break_off(&mut self) {
        for side in &mut self.sides {
            side.break_off().await;
        }
        self.listening = false;
    }

    /// Signs and submits, by the model and by the server.
    async fn say(&mut self, step: &Step) -> Result<(), String> {
        if step.what == What::Invite {
            self.sides[step.side].bound.code = Some(self.code(step.side));
        }
        let signed = self.stage.signed();
        let built = self.speaker(step.side, signed).build(step);
        let envelope = built.envelope.encode();
        let outcome = self
            .stage
            .submit(self.way, self.bearer(step), &envelope)
            .await;
        let expected = self.sides[step.side].model.judge(step);
        let pos = match (expected, outcome) {
            (Err(expected), Outcome::Refused(kind)) if kind == expected => {
                self.met().happens("statements refused");
                return Ok(());
            }
            (
                Ok(()),
                Outcome::Taken {
                    known: false,
                    pos,
                    at,
                },
            ) => {
                let before = self.head;
                self.stored(step, &built, When { signed, at }, pos)?;
                self.hold_back(before).await;
                pos
            }
            (expected, outcome) => {
                return Err(format!(
                    "the model says {expected:?}, the server {outcome:?}"
                ));
            }
        };
        if !matches!(step.what, What::Invite | What::Keys) {
            self.sides[step.side].sent.push((envelope, pos));
        }
        self.afterwards(step, &built).await
    }

    fn speaker(&self, side: usize, signed: OffsetDateTime) -> Speaker<'_> {
        Speaker {
            world: &self.stage.worlds[side],
            model: &self.sides[side].model,
            bound: &self.sides[side].bound,
            photos: &self.stage.photos[side],
            elsewhere: &self.stage.worlds[1 - side].ctx,
            signed,
        }
    }

    /// Who brings a statement: a device of a context.
    fn bearer(&self, step: &Step) -> (usize, &Unit) {
        let (world, side) = (&self.stage.worlds[step.side], &self.sides[step.side]);
        let revoked = side.model.newcomer == Newcomer::Revoked;
        let gone = step.who == Who::Lost || (step.who == Who::Newcomer && revoked);
        match step.twist {
            Twist::Bearer => (step.side, world.relief.first()),
            Twist::Abroad => (
                1 - step.side,
                self.stage.worlds[1 - step.side].coordinator.first(),
            ),
            _ if gone || step.twist == Twist::Carried => (step.side, world.coordinator.first()),
            _ => (step.side, unit(world, &side.bound, step.who)),
        }
    }

    fn code(&self, side: usize) -> InviteCode {
        let world = &self.stage.worlds[side];
        InviteCode::fresh(
            world.code.ca,
            world.code.deployment_root,
            Some(world.coordinator.root.verifying_key().kid()),
            world.msf.id.clone(),
            Role::Organisation,
            world.ctx.clone(),
        )
    }

    /// A statement is stored: what the model says of it, and of the notices that follow it, goes into the story.
    fn stored(&mut self, step: &Step, built: &Built, when: When, pos: u64) -> Result<(), String> {
        if pos != self.head + 1 {
            return Err(format!(
                "it stands at {pos}, and {} was the last before it",
                self.head
            ));
        }
        self.met().happens("statements taken");
        let side = &mut self.sides[step.side];
        let says = side.model.take(step, when);
        let parts = built.disclosures.iter();
        let parts: BTreeMap<_, _> = parts
            .map(|d: &Disclosure| (d.name().to_owned(), d.value().clone()))
            .collect();
        for say in says {
            self.head += 1;
            side.slots.push(Slot::One {
                pos: self.head,
                statement: built.envelope.statement.clone(),
                parts: parts.clone(),
                say,
            });
        }
        side.remember(step, built.hash);
        if matches!(step.what, What::Policy { .. }) {
            self.stage.policies[step.side] += 1;
        }
        Ok(())
    }

    /// What goes with a statement that was taken: ids, a device that enrols, a desk's key that is handed on.
    async fn afterwards(&mut self, step: &Step, built: &Built) -> Result<(), String> {
        let (_, claims) = herald::wire::read::read(&built.envelope.statement).unwrap();
        let (world, side) = (
            &mut self.stage.worlds[step.side],
            &mut self.sides[step.side],
        );
        if step.what != What::Keys {
            side.bound.jtis.insert(step.who, claims.common().jti);
        }
        match step.what {
            What::Invite => {
                let code = side.bound.code.clone().expect("it was drawn");
                side.bound.newcomer = Some(world.enrol_pending(&code).await);
                Ok(())
            }
            What::Keys => {
                world.msf.serial += 1;
                world.msf.keys = Some(built.hash);
                self.hands_on_the_key(step.side).await
            }
            _ => self.settle(false).await,
        }
    }

    /// The newcomer, and nobody else, is handed the desk's key.
    async fn hands_on_the_key(&mut self, side: usize) -> Result<(), String> {
        let end = self.stage.end_of(side, Desk::Msf).await - 1;
        let newcomer = self.sides[side]
            .bound
            .newcomer
            .as_ref()
            .expect("it has enrolled");
        let heard = self
            .stage
            .reads_as((side, newcomer), &newcomer.seal, end)
            .await?;
        let names = heard.iter().flat_map(|event| event.parts.keys());
        if names.eq([&name::desk(&newcomer.id)]) {
            return Ok(());
        }
        Err("the newcomer was not handed the desk's key, and only that".to_owned())
    }

    async fn again(&mut self, side: usize, statement: usize) -> Result<(), String> {
        let sent = &self.sides[side].sent;
        let Some((envelope, pos)) = sent.get(statement % sent.len().max(1)) else {
            return Ok(());
        };
        let bearer = (side, self.stage.worlds[side].coordinator.first());
        match self.stage.submit(self.way, bearer, envelope).await {
            Outcome::Taken {
                known: true,
                pos: again,
                ..
            } if again == *pos => Ok(()),
            other => Err(format!("it stood at {pos}, and sent again gives {other:?}")),
        }
    }

    async fn renew(&mut self, step: &Step) -> Result<(), String> {
        let (signed, fresh) = (self.stage.signed(), Fresh::new());
        let side = &self.sides[step.side];
        let newcomer = side.bound.newcomer.as_ref().expect("it has enrolled");
        let iss = Issuer::device(newcomer.actor.clone(), newcomer.id.clone());
        let common = self.speaker(step.side, signed).common(step, iss);
        let exp = common.iat + 365 * 86_400;
        let (jwk, seal) = (
            *fresh.signing.verifying_key(),
            fresh.seal.public_key().clone(),
        );
        let built = build(
            RenewClaims::new(common, jwk, seal, exp),
            &[],
            &newcomer.signing,
        )
        .unwrap();
        let request = RenewRequest {
            statement: built.envelope.statement.clone(),
            csr: b64url(&fresh.tls.make_csr().unwrap()),
        };
        let world = &self.stage.worlds[step.side];
        let answer = world.post_json(&newcomer.http, "/v1/renew", &request).await;
        match (side.model.judge(step), answer.refused()) {
            (Err(expected), Some(kind)) if kind == expected => Ok(()),
            (Ok(()), None) => {
                let answer: EnrolResponse = answer.json();
                let receipt = answer.receipt.as_deref().unwrap_or_default();
                let Outcome::Taken { pos, at, .. } = self.stage.taken(false, receipt) else {
                    return Err("no receipt".to_owned());
                };
                let renewed = fresh.enrolled(&world.ca, &answer);
                self.sides[step.side].bound.newcomer = Some(renewed);
                self.stored(step, &built, When { signed, at }, pos)
            }
            (expected, answer) => Err(format!(
                "the model says {expected:?}, the server {answer:?}"
            )),
        }
    }

    async fn jump(&mut self, seconds: i64) -> Result<(), String> {
        let ahead = self.stage.ahead_s + seconds;
        if ahead > AHEAD_MOST_S {
            return Ok(());
        }
        self.met().happens("clock jumps");
        self.stage.set_ahead(ahead).await;
        self.settle(true).await
    }

    /// Lets happen what has fallen due, if something has; by the model too.
    async fn settle(&mut self, look: bool) -> Result<(), String> {
        let mut now = self.stage.now().await;
        // What falls due about now would be a race between the model's clock and the server's.
        let falls = || self.sides.iter().flat_map(|side| &side.model.falls);
        while falls().any(|f| (now..now + MARGIN).contains(&f.at)) {
            self.stage.set_ahead(self.stage.ahead_s + 30).await;
            now = self.stage.now().await;
        }
        if !look && falls().all(|f| f.at > now) {
            return Ok(());
        }
        self.stage.settle().await;
        let (after, upto) = (self.head, self.stage.head().await);
        self.head = upto;
        let mut count = 0;
        for side in &mut self.sides {
            let says = side.model.pass(now);
            count += u64::try_from(says.len()).unwrap();
            side.slots.push(Slot::Time { after, upto, says });
        }
        self.hold_back(after).await;
        if upto - after == count {
            return Ok(());
        }
        // Who was told too much or too little says it better.
        self.verdict().await?;
        Err(format!(
            "time brought {} statements, and the model says {count}",
            upto - after
        ))
    }

    /// Each desk heard exactly what it must.
    pub async fn verdict(&mut self) -> Result<(), String> {
        self.listen().await;
        let over_sockets = self.way == Way::Wire;
        for (side, number) in self.sides.iter_mut().zip(0..) {
            side.verdict(self.stage, number, over_sockets).await?;
        }
        self.listening = false;
        Ok(())
    }

    /// What came over a desk's socket in the first context, each event as its exact bytes.
    pub async fn heard(&mut self, desk: Desk) -> Vec<Vec<u8>> {
        self.listen().await;
        self.listening = false;
        self.sides[0].heard(self.stage, desk).await
    }

    /// Leaves nothing behind that the next sequence does not expect.
    pub async fn leave(&mut self) {
        self.break_off().await;
        for side in 0..2 {
            if let Some(newcomer) = &self.sides[side].bound.newcomer {
                self.stage.take_back(&newcomer.id.clone()).await;
            }
            if self.sides[side].model.rules == Rules::DEFAULT {
                continue;
            }
            let what = What::Policy {
                rules: Rules::DEFAULT,
                skip: false,
            };
            let step = Step {
                id: 0,
                side,
                who: Who::Cora,
                behalf: None,
                twist: Twist::None,
                what,
            };
            let built = self.speaker(side, self.stage.signed()).build(&step);
            let envelope = built.envelope.encode();
            let taken = self
                .stage
                .submit(Way::Within, self.bearer(&step), &envelope)
                .await;
            assert!(matches!(taken, Outcome::Taken { .. }), "{taken:?}");
            self.stage.policies[side] += 1;
        }
    }
}
