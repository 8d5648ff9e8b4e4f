//! What may follow what. Each thing that has states has one table here: a row for each event, a column for each state, and
//! in every cell what comes of it. The server decides by these tables, and the diagrams in docs/protocol.md are made from
//! them, so that neither can say what the other does not.

mod actors;
mod exchange;
mod notification;
mod render;

use std::fmt::Display;

use super::exchange::AlertEvent;
use super::words;

pub use self::actors::{ACTOR, ActorEvent, DEVICE, DeviceEvent};
pub use self::exchange::{
    CALL, CallEvent, MOVEMENT, MovementEvent, MovementState, SITE, SiteEvent, SiteState, THREAD,
    ThreadEvent,
};
pub use self::notification::{
    ACK, NOTIFICATION, NotificationEvent, REVISION, RevisionEvent, RevisionState, SCREENING,
    SIGNATURE, ScreeningEvent, SignatureEvent,
};
pub use self::render::{Drawn, drawings};

words!(
    /// Why an event is refused; the word is the slug of the problem that says so.
    Refusal {
        /// It was withdrawn or closed.
        AlreadyClosed = "already-closed",
        /// There is none, or none that the signer may know of.
        UnknownNotification = "unknown-notification",
        /// Nothing of the kind was delivered.
        UnknownItem = "unknown-item",
        /// There is no such call, or none that the signer may know of.
        UnknownCall = "unknown-call",
        /// Nothing was asked.
        NothingToReplyTo = "nothing-to-reply-to",
        /// A later revision replaced it.
        Superseded = "superseded",
        /// It exists.
        ReusedRevision = "reused-revision",
        /// There is no such actor or device.
        NotFound = "not-found",
        /// It enrolled before.
        EnrolmentInvalid = "enrolment-invalid",
        /// It has left the context.
        Left = "left",
        /// Its window has ended.
        WindowEnded = "window-ended",
        /// It does not follow.
        StateForbids = "state-forbids",
    }
);

/// What comes of an event in a state.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Cell<S> {
    /// This state comes of it.
    To(S),
    /// This state comes of it, and the server says so in an alert.
    Says(S, AlertEvent),
    /// It is refused.
    Not(Refusal),
    /// It does not happen there: what would bring it is over, or has not begun.
    Never,
}

/// Where an event leads.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Step<S> {
    /// The state afterwards.
    pub to: S,
    /// What the server says of it, if it does.
    pub says: Option<AlertEvent>,
}

/// States and events of one thing. `ROW` is the number of states and one more: the first column is before there is one.
#[derive(Debug, Clone, Copy)]
pub struct Machine<S: 'static, E: 'static, const ROW: usize> {
    /// What it is, as a slug.
    pub name: &'static str,
    /// The states, in the order of the columns behind the first.
    pub states: &'static [S],
    /// A row for each event.
    pub rows: &'static [(E, [Cell<S>; ROW])],
}

impl<S: Copy + Eq + Display, E: Copy + Eq + Display, const ROW: usize> Machine<S, E, ROW> {
    /// What stands in the table for an event in a state; `None` is before there is one.
    pub fn cell(&self, from: Option<S>, event: E) -> Cell<S> {
        let column = match from {
            None => Some(0),
            Some(from) => self.states.iter().position(|s| *s == from).map(|n| n + 1),
        };
        let row = self.rows.iter().find(|(of, _)| *of == event);
        let cell = row.zip(column).and_then(|((_, cells), n)| cells.get(n));
        // Every pair has its cell; the tests look at each.
        cell.copied().unwrap_or(Cell::Not(Refusal::StateForbids))
    }

    /// Where an event leads. What never happens in a state is refused like anything that does not follow.
    ///
    /// # Errors
    /// Why the event is refused there.
    pub fn next(&self, from: Option<S>, event: E) -> Result<Step<S>, Refusal> {
        match self.cell(from, event) {
            Cell::To(to) => Ok(Step { to, says: None }),
            Cell::Says(to, event) => Ok(Step {
                to,
                says: Some(event),
            }),
            Cell::Not(refusal) => Err(refusal),
            Cell::Never => Err(Refusal::StateForbids),
        }
    }

    /// What the server says when time brings this event in a state: nothing, where it never happens.
    pub fn says(&self, from: S, event: E) -> Option<AlertEvent> {
        self.next(Some(from), event).ok()?.says
    }
}

#[cfg(test)]
mod tests {
    use std::fmt::Debug;

    use super::*;
    use crate::domain::ack::AckState;
    use crate::domain::actor::{ActorState, DeviceState};
    use crate::domain::exchange::{DistressState, ThreadState};
    use crate::domain::notification::{NotificationState, ScreeningState, SecondSignature};

    /// Every state has its column and every event its one row, so that no pair is left to chance.
    fn is_whole<S, E, const ROW: usize>(machine: &Machine<S, E, ROW>, states: &[S], events: &[E])
    where
        S: Copy + Eq + Display + Debug,
        E: Copy + Eq + Display + Debug,
    {
        let name = machine.name;
        assert_eq!(machine.states, states, "{name}");
        assert_eq!(ROW, states.len() + 1, "{name}");
        let rows: Vec<E> = machine.rows.iter().map(|(event, _)| *event).collect();
        assert_eq!(rows, events, "{name}");
        let from = || std::iter::once(None).chain(states.iter().copied().map(Some));
        for (from, event) in from().flat_map(|s| events.iter().map(move |e| (s, *e))) {
            match (machine.cell(from, event), machine.next(from, event)) {
                (Cell::To(to), Ok(step)) => assert_eq!((step.to, step.says), (to, None)),
                (Cell::Says(to, says), Ok(step)) => {
                    assert_eq!((step.to, step.says), (to, Some(says)));
                }
                (Cell::Not(why), Err(refusal)) => assert_eq!(why, refusal),
                (Cell::Never, Err(Refusal::StateForbids)) => {}
                other => panic!("{name}: {event} in {from:?}: {other:?}"),
            }
        }
        // Something begins, and every state is reached from the beginning.
        let mut reached: Vec<Option<S>> = vec![None];
        let mut looked_at = 0;
        while let Some(from) = reached.get(looked_at).copied() {
            looked_at += 1;
            for event in events {
                if let Ok(step) = machine.next(from, *event)
                    && !reached.contains(&Some(step.to))
                {
                    reached.push(Some(step.to));
                }
            }
        }
        assert_eq!(reached.len(), ROW, "{name}: {reached:?}");
    }

    #[test]
    fn every_event_in_every_state_leads_somewhere_or_is_refused_with_its_problem() {
        is_whole(
            &NOTIFICATION,
            NotificationState::ALL,
            NotificationEvent::ALL,
        );
        is_whole(&REVISION, RevisionState::ALL, RevisionEvent::ALL);
        is_whole(&SCREENING, ScreeningState::ALL, ScreeningEvent::ALL);
        is_whole(&SIGNATURE, SecondSignature::ALL, SignatureEvent::ALL);
        is_whole(&ACK, AckState::ALL, AckState::ALL);
        is_whole(&THREAD, ThreadState::ALL, ThreadEvent::ALL);
        is_whole(&CALL, DistressState::ALL, CallEvent::ALL);
        is_whole(&MOVEMENT, MovementState::ALL, MovementEvent::ALL);
        is_whole(&SITE, SiteState::ALL, SiteEvent::ALL);
        is_whole(&ACTOR, ActorState::ALL, ActorEvent::ALL);
        is_whole(&DEVICE, DeviceState::ALL, DeviceEvent::ALL);
    }

    #[test]
    fn what_has_ended_stays_ended() {
        for end in [NotificationState::Withdrawn, NotificationState::Closed] {
            for event in NotificationEvent::ALL {
                let step = NOTIFICATION.next(Some(end), *event);
                assert!(step.is_err() || step.is_ok_and(|s| s.to == end), "{event}");
            }
        }
        for event in CallEvent::ALL {
            let step = CALL.next(Some(DistressState::Resolved), *event);
            assert!(step.is_err(), "{event}");
        }
        for event in DeviceEvent::ALL {
            let step = DEVICE.next(Some(DeviceState::Revoked), *event);
            assert!(
                step.is_err() || step.is_ok_and(|s| s.to == DeviceState::Revoked),
                "{event}"
            );
        }
    }
}
