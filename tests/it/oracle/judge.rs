//! Whether a statement is taken, by the model: in the protocol's order of judgement, the first fault is the answer.

use herald::domain::ack::AckState;
use herald::domain::actor::Role;
use herald::domain::exchange::{Answer, Ask};
use herald::domain::kind::Kind;
use herald::domain::notification::{Outcome, Tier};
use herald::wire::problem::ProblemKind as P;

use super::cast::{Desk, Who};
use super::model::{Model, Newcomer, Thing, named};
use super::steps::{Follow, Item, Of, Revise, Standing, Step, Twist, Way, What};

/// The longest time ahead for a reply, hours.
const DUE_AHEAD_H: i64 = 30 * 24;

impl Model {
    /// Whether a step can happen at all: the newcomer must have enrolled before it does anything.
    pub fn possible(&self, step: &Step) -> bool {
        let here = self.newcomer != Newcomer::Absent;
        match step.what {
            What::Invite => !here,
            What::Keys => here && self.newcomer != Newcomer::Revoked,
            What::Renew | What::Revoke => here,
            What::Again { .. } => self.taken > 0,
            _ => here || step.who != Who::Newcomer,
        }
    }

    /// Whether it is taken.
    pub fn judge(&self, step: &Step) -> Result<(), P> {
        let kind = step.what.kind().expect("a statement");
        match step.twist {
            Twist::Deployment => return Err(P::WrongDeployment),
            Twist::Context | Twist::Abroad => return Err(P::WrongContext),
            Twist::Mode => return Err(P::WrongMode),
            _ => {}
        }
        if kind == Kind::Renew {
            return self.renewal();
        }
        if kind != Kind::Keys {
            self.signer(step, kind)?;
        }
        match &step.what {
            What::Revise(revise) => self.revised(step, revise),
            What::Withdraw { label, follow, .. } => self.follows(step, *label, *follow),
            What::Close {
                label,
                follow,
                outcome,
            } => self.closed(step, *label, *follow, *outcome),
            What::Screen {
                label,
                of,
                returned,
            } => self.screened(*label, *of, *returned),
            What::Cosign { label, of } => self.cosigned(step.who, *label, *of),
            What::Ack { to, items } => items
                .iter()
                .try_for_each(|item| self.acknowledged(step, *to, item)),
            What::Relay {
                to,
                party,
                label,
                of,
                wrong,
            } => {
                let (thing, number) = self.notified(*to, *party, *label, *of)?;
                match wrong {
                    _ if number != thing.latest() => Err(P::Superseded),
                    true => Err(P::TierMismatch),
                    false => Ok(()),
                }
            }
            What::Warn { to, label, of, .. } => self.warned(step.who, *to, *label, *of),
            What::Reply {
                to,
                label,
                thread,
                answer,
                amended,
            } => self.replied(step, *to, *label, *thread, (*answer, *amended)),
            What::Progress {
                label,
                of,
                way,
                early,
            } => {
                let thing = self.own_latest(step, *label, *of)?;
                match way {
                    _ if !thing.moves => Err(P::StateForbids),
                    Way::At(waypoint) if *waypoint > 1 => Err(P::InvalidMember),
                    _ if *early => Err(P::InvalidMember),
                    _ => Ok(()),
                }
            }
            What::Confirm { label, of } => {
                let thing = self.own_latest(step, *label, *of)?;
                refused_if(thing.moves, P::StateForbids)?;
                refused_if(
                    thing.revs.last().is_some_and(|rev| rev.over),
                    P::WindowEnded,
                )
            }
            What::Distress { call, about, .. } => self.called(step.who, *call, *about),
            What::Respond { to, call } => self.responded(step.who, *to, *call),
            What::Resolve { call } => {
                let call = self
                    .calls
                    .get(call)
                    .filter(|c| Some(c.owner) == step.who.desk());
                let call = call.ok_or(P::UnknownCall)?;
                refused_if(call.resolved, P::StateForbids)
            }
            What::Policy { skip, .. } => refused_if(*skip, P::PrevMismatch),
            What::Admit { desk, to, from_h } => self.admitted(*desk, *to, *from_h),
            What::Duty | What::Handover | What::Invite | What::Keys => Ok(()),
            What::Revoke => self.revoked(step.who),
            What::Renew | What::Again { .. } | What::Jump { .. } | What::Restart | What::Break => {
                unreachable!("it was told apart before")
            }
        }
    }

    /// Role, bearer, known id, freshness, device, actor.
    fn signer(&self, step: &Step, kind: Kind) -> Result<(), P> {
        if !may_sign(kind, step.who.role(), step.behalf.is_some()) {
            return Err(P::NotAllowed);
        }
        let twist = step.twist;
        if twist == Twist::Bearer && step.who.desk() != Some(Desk::Relief) {
            return Err(P::CertificateKeyMismatch);
        }
        // No letter says what a device says by itself.
        if step.behalf.is_some()
            && matches!(&step.what, What::Ack { items, .. } if items.iter().any(|item| item.state == AckState::ReachedDesk))
        {
            return Err(P::InvalidMember);
        }
        if twist == Twist::Jti && self.spoken.contains(&step.who) {
            return Err(P::ReusedJti);
        }
        match twist {
            Twist::Old if kind != Kind::Distress => return Err(P::Stale),
            Twist::Early if kind != Kind::Distress => return Err(P::FromTheFuture),
            _ => {}
        }
        let active = match step.who {
            Who::Lost | Who::Pending => false,
            Who::Newcomer => self.newcomer == Newcomer::Active,
            _ => true,
        };
        if !active {
            return Err(P::UnknownKey);
        }
        let standing = step
            .who
            .desk()
            .map_or(Standing::Admitted, |desk| self.standing[&desk]);
        let enough = match kind {
            Kind::Revoke | Kind::Duty => true,
            Kind::Withdraw
            | Kind::Close
            | Kind::Ack
            | Kind::Warn
            | Kind::Reply
            | Kind::Progress
            | Kind::Confirm
            | Kind::Distress
            | Kind::Respond
            | Kind::Resolve
            | Kind::Handover => matches!(standing, Standing::Admitted | Standing::Suspended),
            _ => standing == Standing::Admitted,
        };
        match standing {
            _ if enough => Ok(()),
            Standing::Suspended => Err(P::Suspended),
            Standing::Left => Err(P::Left),
            Standing::Enrolled | Standing::Admitted => Err(P::NotAdmitted),
        }
    }

    fn renewal(&self) -> Result<(), P> {
        match self.newcomer {
            Newcomer::Active => Ok(()),
            // Its first certificate is no longer the one that is revoked.
            Newcomer::Revoked if self.renewed => Err(P::CertificateUnknown),
            Newcomer::Revoked => Err(P::CertificateRevoked),
            _ => Err(P::UnknownKey),
        }
    }

    fn revoked(&self, who: Who) -> Result<(), P> {
        if who.desk() != Some(Desk::Msf) && who != Who::Cora {
            return Err(P::NotAllowed);
        }
        refused_if(self.newcomer == Newcomer::Revoked, P::StateForbids)
    }

    /// The number of the revision that is named, and whether its hash is right. Of what is not there: 1, and wrong.
    pub fn number(&self, label: usize, of: Of) -> (usize, bool) {
        match (self.things.get(&label), of) {
            (None, _) => (1, false),
            (Some(thing), Of::Latest) => (thing.latest(), true),
            (Some(_), Of::First) => (1, true),
            (Some(thing), Of::Bogus) => (thing.latest(), false),
        }
    }

    /// A revision, withdrawal or closing follows the one before, and is the owner's, or the coordinator's for it.
    fn follows(&self, step: &Step, label: usize, follow: Follow) -> Result<(), P> {
        let speaks_for = step.behalf.or(step.who.desk());
        let thing = self
            .things
            .get(&label)
            .filter(|thing| Some(thing.owner) == speaks_for);
        let thing = thing.ok_or(P::UnknownNotification)?;
        if follow == Follow::Same {
            return Err(P::ReusedRevision);
        }
        if thing.ended {
            return Err(P::AlreadyClosed);
        }
        if step.behalf.is_some() && !thing.behalf {
            return Err(P::StateForbids);
        }
        refused_if(follow != Follow::Next, P::PrevMismatch)
    }

    fn revised(&self, step: &Step, revise: &Revise) -> Result<(), P> {
        let told = match self.things.get(&revise.label) {
            None => match revise.follow {
                Follow::Next => None,
                Follow::Same | Follow::Fork => return Err(P::PrevMismatch),
                Follow::Gap => return Err(P::UnknownNotification),
            },
            Some(thing) => {
                self.follows(step, revise.label, revise.follow)?;
                if thing.moves != revise.moves {
                    return Err(P::StateForbids);
                }
                Some(&thing.told)
            }
        };
        let names = named(revise.tiers);
        for (party, tier) in &names {
            match self.standing[party] {
                _ if *tier == Tier::Withdrawn => {}
                Standing::Suspended => return Err(P::PartySuspended),
                Standing::Left => return Err(P::PartyLeft),
                Standing::Enrolled | Standing::Admitted => {}
            }
            let offered = match tier {
                Tier::Withdrawn => told.is_some_and(|told| told.contains_key(party)),
                Tier::Cell => self.rules.cells,
                Tier::Exact | Tier::OnCheck => true,
            };
            if !offered {
                return Err(P::InvalidMember);
            }
        }
        let forgotten = told.into_iter().flatten().any(|(party, tier)| {
            *tier != Tier::Withdrawn && !names.contains_key(party) && !self.held_back(*party)
        });
        refused_if(forgotten, P::MissingPart)
    }

    fn admitted(&self, desk: Desk, to: Standing, from_h: Option<i64>) -> Result<(), P> {
        if desk == Desk::Ocha {
            return Err(P::NotAllowed);
        }
        if self.standing[&desk] == Standing::Left {
            return Err(P::Left);
        }
        match from_h {
            Some(_) if to == Standing::Admitted => return Err(P::InvalidMember),
            Some(hours) if hours < 0 => return Err(P::PastMoment),
            _ => {}
        }
        refused_if(to == Standing::Left && !desk.is_party(), P::InvalidMember)
    }

    fn closed(&self, step: &Step, label: usize, follow: Follow, outcome: Outcome) -> Result<(), P> {
        let speaks_for = step.behalf.or(step.who.desk());
        let own = self
            .things
            .get(&label)
            .filter(|thing| Some(thing.owner) == speaks_for);
        if outcome == Outcome::Arrived && own.is_some_and(|thing| !thing.moves) {
            return Err(P::StateForbids);
        }
        self.follows(step, label, follow)
    }

    fn screened(&self, label: usize, of: Of, returned: bool) -> Result<(), P> {
        let (number, right) = self.number(label, of);
        let thing = self.things.get(&label).ok_or(P::UnknownNotification)?;
        if thing.rev(number).is_none_or(|rev| rev.end) {
            return Err(P::UnknownNotification);
        }
        if !right {
            return Err(P::RevisionNotCurrent);
        }
        refused_if(number != thing.latest() || thing.ended, P::Superseded)?;
        // The same said twice is nothing new.
        let before = thing.rev(number).is_some_and(|rev| rev.screened);
        refused_if(before && !returned, P::AlreadyScreened)
    }

    fn cosigned(&self, who: Who, label: usize, of: Of) -> Result<(), P> {
        let (number, right) = self.number(label, of);
        let thing = self
            .things
            .get(&label)
            .filter(|t| Some(t.owner) == who.desk() && right);
        let thing = thing.ok_or(P::UnknownNotification)?;
        if number != thing.latest() || thing.ended {
            return Err(P::Superseded);
        }
        if thing.behalf {
            return Ok(());
        }
        if !thing.waiting {
            return Err(P::StateForbids);
        }
        refused_if(thing.signer.same_person(who), P::NotAllowed)
    }

    /// What was delivered to a party: the revision of an organisation, and its tier there.
    fn delivered(
        &self,
        party: Desk,
        to: Desk,
        label: usize,
        of: Of,
    ) -> Result<(&Thing, usize, Tier), P> {
        let (number, right) = self.number(label, of);
        let found = self
            .things
            .get(&label)
            .filter(|t| t.owner == to && right)
            .and_then(|thing| {
                let tier = thing.rev(number)?.told.get(&party)?;
                Some((thing, number, *tier))
            });
        found.ok_or(P::UnknownItem)
    }

    /// A revision of an organisation that names a party, as the coordinator's word about the two needs.
    fn notified(&self, to: Desk, party: Desk, label: usize, of: Of) -> Result<(&Thing, usize), P> {
        let (number, right) = self.number(label, of);
        let thing = self.things.get(&label).filter(|t| t.owner == to && right);
        let thing = thing.ok_or(P::UnknownItem)?;
        if thing.revs[number - 1].told.contains_key(&party) {
            Ok((thing, number))
        } else {
            Err(P::NotNotifiedToParty)
        }
    }

    fn acknowledged(&self, step: &Step, to: Desk, item: &Item) -> Result<(), P> {
        let party = step.speaks_for().ok_or(P::UnknownItem)?;
        if step.behalf.is_some() {
            let (thing, number) = self.notified(to, party, item.label, item.of)?;
            if thing.revs[number - 1].spoke.contains(&party) {
                return Err(P::PartySpokeItself);
            }
        }
        let (thing, _, _) = self.delivered(party, to, item.label, item.of)?;
        if item.state != AckState::Queried {
            return Ok(());
        }
        if matches!(item.ask, Some(Ask::Delay | Ask::Reroute)) {
            if thing.ended {
                return Err(P::AlreadyClosed);
            }
            if !thing.moves {
                return Err(P::AskNeedsMovement);
            }
        }
        match item.due_h {
            Some(hours) if !(0..=DUE_AHEAD_H).contains(&hours) => Err(P::ReplyTimeInvalid),
            _ => Ok(()),
        }
    }

    fn warned(&self, who: Who, to: Desk, label: usize, of: Of) -> Result<(), P> {
        let party = who.desk().ok_or(P::UnknownItem)?;
        let (thing, _, tier) = self.delivered(party, to, label, of)?;
        if thing.ended {
            return Err(P::AlreadyClosed);
        }
        refused_if(tier == Tier::Withdrawn, P::UnknownItem)
    }

    fn replied(
        &self,
        step: &Step,
        to: Desk,
        label: usize,
        thread: Option<usize>,
        (answer, amended): (Answer, Of),
    ) -> Result<(), P> {
        let thread = self
            .thread(thread, label)
            .map(|number| &self.threads[number]);
        let thing = self
            .things
            .get(&label)
            .filter(|t| Some(t.owner) == step.speaks_for());
        let thing = thing.ok_or(P::UnknownNotification)?;
        if step.behalf.is_some() && !thing.behalf {
            return Err(P::StateForbids);
        }
        let thread = thread.ok_or(P::NothingToReplyTo)?;
        if thread.party != to {
            return Err(P::ReplyToAnotherParty);
        }
        let (number, _) = self.number(label, amended);
        let later = number > thread.rev && !thing.revs[number - 1].end;
        refused_if(answer == Answer::Amended && !later, P::AmendmentUnknown)
    }

    fn own_latest(&self, step: &Step, label: usize, of: Of) -> Result<&Thing, P> {
        let (number, right) = self.number(label, of);
        let thing = self
            .things
            .get(&label)
            .filter(|t| Some(t.owner) == step.speaks_for() && right);
        let thing = thing.ok_or(P::UnknownNotification)?;
        if thing.ended {
            return Err(P::AlreadyClosed);
        }
        if number != thing.latest() {
            return Err(P::Superseded);
        }
        if step.behalf.is_some() && !thing.behalf {
            return Err(P::StateForbids);
        }
        Ok(thing)
    }

    fn called(&self, who: Who, call: usize, about: Option<(usize, Of)>) -> Result<(), P> {
        if self.calls.contains_key(&call) {
            return Err(P::ReusedRevision);
        }
        let Some((label, of)) = about else {
            return Ok(());
        };
        let own = self
            .things
            .get(&label)
            .is_some_and(|t| Some(t.owner) == who.desk());
        refused_if(!(own && self.number(label, of).1), P::UnknownNotification)
    }

    fn responded(&self, who: Who, to: Desk, call: usize) -> Result<(), P> {
        let call = self.calls.get(&call).filter(|call| call.owner == to);
        let call = call.ok_or(P::UnknownCall)?;
        let called = who.desk().is_some_and(|desk| call.told.contains_key(&desk));
        if who != Who::Cora && !called {
            return Err(P::UnknownCall);
        }
        refused_if(call.resolved, P::StateForbids)
    }
}

/// A fault, if it is one.
const fn refused_if(fault: bool, kind: P) -> Result<(), P> {
    if fault { Err(kind) } else { Ok(()) }
}

/// Section 7's column "who signs".
fn may_sign(kind: Kind, role: Role, behalf: bool) -> bool {
    let of = |roles: &[Role]| roles.contains(&role);
    match kind {
        Kind::Site
        | Kind::Movement
        | Kind::Withdraw
        | Kind::Close
        | Kind::Progress
        | Kind::Confirm
        | Kind::Reply
        | Kind::Ack
            if behalf =>
        {
            of(&[Role::Coordinator])
        }
        Kind::Policy | Kind::Admit | Kind::Invite | Kind::Screen | Kind::Relay => {
            of(&[Role::Coordinator])
        }
        Kind::Revoke | Kind::Duty | Kind::Handover => {
            of(&[Role::Coordinator, Role::Organisation, Role::PartyDesk])
        }
        Kind::Ack | Kind::Warn => of(&[Role::PartyDesk]),
        Kind::Respond => of(&[Role::Coordinator, Role::PartyDesk]),
        Kind::Site
        | Kind::Movement
        | Kind::Withdraw
        | Kind::Close
        | Kind::Cosign
        | Kind::Reply
        | Kind::Progress
        | Kind::Confirm
        | Kind::Distress
        | Kind::Resolve => of(&[Role::Organisation]),
        Kind::Renew => true,
        Kind::Keys | Kind::Check | Kind::Receipt | Kind::Answer | Kind::Notice | Kind::Alert => {
            false
        }
    }
}
