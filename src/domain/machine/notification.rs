//! The tables of notifications, their revisions, and what is said on them. Nothing here says anything about protection,
//! which a notification neither gives nor takes.

use super::Cell::{Never, Not, Says, To};
use super::Machine;
use super::Refusal::{
    AlreadyClosed, ReusedRevision, StateForbids, Superseded, UnknownItem, UnknownNotification,
};
use crate::domain::ack::AckState;
use crate::domain::exchange::AlertEvent::ClosedByTime;
use crate::domain::ids::Revision;
use crate::domain::notification::{NotificationState, ScreeningState, SecondSignature};
use crate::domain::words;

words!(
    /// What happens to a notification.
    NotificationEvent {
        /// Its first revision.
        Notify = "notify",
        /// A later one.
        Revise = "revise",
        /// It is withdrawn.
        Withdraw = "withdraw",
        /// It is closed.
        Close = "close",
        /// A party warns of it.
        Warn = "warn",
        /// A party asks that it wait or take another way.
        AskToWait = "ack queried: delay or reroute",
        /// A party acknowledges it, or asks to clarify.
        Acknowledge = "ack",
        /// Its organisation calls for help about it.
        Call = "distress",
        /// A site is closed by time.
        CloseByTime = "closing by time",
    }
);

/// A notification.
pub const NOTIFICATION: Machine<NotificationState, NotificationEvent, 4> = {
    use NotificationEvent as E;
    use NotificationState::{Closed, Current, Withdrawn};
    Machine {
        name: "notification",
        states: NotificationState::ALL,
        #[rustfmt::skip]
        rows: &[
            // event          –                         current              withdrawn            closed
            (E::Notify,      [To(Current),              Not(ReusedRevision), Not(ReusedRevision), Not(ReusedRevision)]),
            (E::Revise,      [Not(UnknownNotification), To(Current),         Not(AlreadyClosed),  Not(AlreadyClosed)]),
            (E::Withdraw,    [Not(UnknownNotification), To(Withdrawn),       Not(AlreadyClosed),  Not(AlreadyClosed)]),
            (E::Close,       [Not(UnknownNotification), To(Closed),          Not(AlreadyClosed),  Not(AlreadyClosed)]),
            (E::Warn,        [Not(UnknownItem),         To(Current),         Not(AlreadyClosed),  Not(AlreadyClosed)]),
            (E::AskToWait,   [Not(UnknownItem),         To(Current),         Not(AlreadyClosed),  Not(AlreadyClosed)]),
            (E::Acknowledge, [Not(UnknownItem),         To(Current),         To(Withdrawn),       To(Closed)]),
            (E::Call,        [Not(UnknownNotification), To(Current),         To(Withdrawn),       To(Closed)]),
            (E::CloseByTime, [Never,                    Says(Closed, ClosedByTime), Never,        Never]),
        ],
    }
};

words!(
    /// Where a revision of a notification stands.
    RevisionState {
        /// The latest of a current notification.
        Latest = "latest",
        /// A later one replaced it.
        Superseded = "superseded",
        /// The notification was withdrawn.
        Withdrawn = "withdrawn",
        /// The notification was closed.
        Closed = "closed",
    }
);

impl RevisionState {
    /// Where the revision `rev` stands in a notification whose latest is `latest`.
    pub fn of(notification: NotificationState, latest: Revision, rev: Revision) -> Self {
        match notification {
            NotificationState::Withdrawn => Self::Withdrawn,
            NotificationState::Closed => Self::Closed,
            NotificationState::Current if latest == rev => Self::Latest,
            NotificationState::Current => Self::Superseded,
        }
    }
}

words!(
    /// What happens to a revision.
    RevisionEvent {
        /// The next revision.
        Revise = "revise",
        /// The notification is withdrawn.
        Withdraw = "withdraw",
        /// The notification is closed.
        Close = "close",
        /// The coordinator says what it looked at, or returns it.
        Screen = "screen",
        /// A second person, or the organisation that takes it over, signs.
        Cosign = "cosign",
        /// The organisation confirms a site.
        Confirm = "confirm",
        /// The organisation says how far a movement is.
        Progress = "progress",
        /// The notification, a site, is closed by time.
        CloseByTime = "closing by time",
    }
);

/// A revision.
pub const REVISION: Machine<RevisionState, RevisionEvent, 5> = {
    use RevisionEvent as E;
    use RevisionState::{Closed as C, Latest, Superseded as S, Withdrawn as W};
    Machine {
        name: "revision",
        states: RevisionState::ALL,
        #[rustfmt::skip]
        rows: &[
            // event       –                         latest      superseded       withdrawn           closed
            (E::Revise,   [To(Latest),               To(S),      To(S),           Not(AlreadyClosed), Not(AlreadyClosed)]),
            (E::Withdraw, [Not(UnknownNotification), To(W),      To(W),           Not(AlreadyClosed), Not(AlreadyClosed)]),
            (E::Close,    [Not(UnknownNotification), To(C),      To(C),           Not(AlreadyClosed), Not(AlreadyClosed)]),
            (E::Screen,   [Not(UnknownNotification), To(Latest), Not(Superseded), Not(Superseded),    Not(Superseded)]),
            (E::Cosign,   [Not(UnknownNotification), To(Latest), Not(Superseded), Not(Superseded),    Not(Superseded)]),
            (E::Confirm,  [Not(UnknownNotification), To(Latest), Not(Superseded), Not(AlreadyClosed), Not(AlreadyClosed)]),
            (E::Progress, [Not(UnknownNotification), To(Latest), Not(Superseded), Not(AlreadyClosed), Not(AlreadyClosed)]),
            (E::CloseByTime, [Never,                 To(C),      To(C),           Never,              Never]),
        ],
    }
};

words!(
    /// What happens to a revision's screening.
    ScreeningEvent {
        /// It is received, and the policy asks for screening.
        Receive = "received, policy asks",
        /// It is received, and the policy asks for none.
        ReceiveUnasked = "received, policy asks for none",
        /// The coordinator says what it looked at.
        Screen = "screen: screened",
        /// The coordinator returns it.
        Return = "screen: returned",
    }
);

/// The screening of a revision. It never keeps the revision from counting.
pub const SCREENING: Machine<ScreeningState, ScreeningEvent, 5> = {
    use ScreeningEvent as E;
    use ScreeningState::{NotRequired, Returned, Screened, Submitted};
    Machine {
        name: "screening",
        states: ScreeningState::ALL,
        #[rustfmt::skip]
        rows: &[
            // event             –                         not_required  submitted     screened      returned
            (E::Receive,        [To(Submitted),            Never,        Never,        Never,        Never]),
            (E::ReceiveUnasked, [To(NotRequired),          Never,        Never,        Never,        Never]),
            (E::Screen,         [Not(UnknownNotification), To(Screened), To(Screened), To(Screened), To(Screened)]),
            (E::Return,         [Not(UnknownNotification), To(Returned), To(Returned), To(Returned), To(Returned)]),
        ],
    }
};

words!(
    /// What happens to a revision's second signature.
    SignatureEvent {
        /// It is received, and the policy asks for a second person.
        Receive = "received, policy asks",
        /// It is received, and the policy asks for one person only.
        ReceiveUnasked = "received, policy asks for none",
        /// Another person of the organisation signs.
        Sign = "cosign",
        /// The organisation takes over what the coordinator notified on its behalf.
        TakeOver = "cosign: taken over",
    }
);

/// The second signature on a revision. It never keeps the revision from counting.
pub const SIGNATURE: Machine<SecondSignature, SignatureEvent, 4> = {
    use SecondSignature::{Given, NotRequired, Waiting};
    use SignatureEvent as E;
    Machine {
        name: "signature",
        states: SecondSignature::ALL,
        #[rustfmt::skip]
        rows: &[
            // event             –                         not_required       waiting      given
            (E::Receive,        [To(Waiting),              Never,             Never,       Never]),
            (E::ReceiveUnasked, [To(NotRequired),          Never,             Never,       Never]),
            (E::Sign,           [Not(UnknownNotification), Not(StateForbids), To(Given),   Not(StateForbids)]),
            (E::TakeOver,       [Not(UnknownNotification), To(NotRequired),   To(Waiting), To(Given)]),
        ],
    }
};

/// A party's word on a revision; before the first it is silent, which is never signed. Any may follow any other, and the
/// latest is shown first. The event is the state that the item says.
pub const ACK: Machine<AckState, AckState, 7> = {
    use AckState::{Entered, NotEntered, Queried, ReachedDesk, Received, Removed};
    const fn said(state: AckState) -> (AckState, [super::Cell<AckState>; 7]) {
        (state, [To(state); 7])
    }
    Machine {
        name: "acknowledgement",
        states: AckState::ALL,
        rows: &[
            said(ReachedDesk),
            said(Received),
            said(Entered),
            said(NotEntered),
            said(Queried),
            said(Removed),
        ],
    }
};

#[cfg(test)]
mod tests {
    use super::*;

    fn rev(n: u32) -> Revision {
        Revision::new(n).expect("a revision")
    }

    #[test]
    fn where_a_revision_stands_is_what_the_notifications_own_table_makes_of_it() {
        use NotificationEvent as N;
        use RevisionEvent as R;
        let pairs = [
            (N::Revise, R::Revise),
            (N::Withdraw, R::Withdraw),
            (N::Close, R::Close),
            (N::CloseByTime, R::CloseByTime),
        ];
        for state in NotificationState::ALL {
            for (of_all, of_one) in pairs {
                for (before, now) in [(rev(2), rev(2)), (rev(2), rev(1))] {
                    let standing = RevisionState::of(*state, before, now);
                    let all = NOTIFICATION.next(Some(*state), of_all);
                    let one = REVISION.next(Some(standing), of_one);
                    let derived = all.map(|s| RevisionState::of(s.to, rev(3), now));
                    assert_eq!(one.map(|s| s.to), derived, "{of_all} of {state} {standing}");
                }
            }
        }
    }
}
