//! The tables of what is asked, what moves, what is confirmed, and who calls for help. None of them moves a notification.

use super::Cell::{Never, Not, Says, To};
use super::Machine;
use super::Refusal::{
    AlreadyClosed, NothingToReplyTo, ReusedRevision, StateForbids, UnknownCall,
    UnknownNotification, WindowEnded as Over,
};
use crate::domain::exchange::{AlertEvent, DistressState, ThreadState};
use crate::domain::words;

words!(
    /// What happens to a query or a warning.
    ThreadEvent {
        /// A party asks, or warns.
        Open = "ack queried, or warn",
        /// The organisation replies.
        Reply = "reply",
        /// Its time passes.
        TimePasses = "its time passes",
    }
);

/// A query or a warning. A thread has an id of its own, so that none is opened twice.
pub const THREAD: Machine<ThreadState, ThreadEvent, 4> = {
    use AlertEvent::ReplyOverdue;
    use ThreadEvent as E;
    use ThreadState::{Open, Overdue, Replied};
    Machine {
        name: "thread",
        states: ThreadState::ALL,
        #[rustfmt::skip]
        rows: &[
            // event         –                      open                         overdue      replied
            (E::Open,       [To(Open),              Never,                       Never,       Never]),
            (E::Reply,      [Not(NothingToReplyTo), To(Replied),                 To(Replied), To(Replied)]),
            (E::TimePasses, [Never,                 Says(Overdue, ReplyOverdue), To(Overdue), To(Replied)]),
        ],
    }
};

words!(
    /// What happens to a call for help.
    CallEvent {
        /// The organisation calls.
        Call = "distress",
        /// A named officer answers.
        Respond = "respond",
        /// The organisation ends it.
        Resolve = "resolve",
        /// Another minute passes.
        MinutePasses = "a minute passes",
    }
);

/// A call for help.
pub const CALL: Machine<DistressState, CallEvent, 4> = {
    use AlertEvent::DistressUnanswered;
    use CallEvent as E;
    use DistressState::{Answered, Open, Resolved};
    Machine {
        name: "call",
        states: DistressState::ALL,
        #[rustfmt::skip]
        rows: &[
            // event           –                 open                            answered             resolved
            (E::Call,         [To(Open),         Not(ReusedRevision),            Not(ReusedRevision), Not(ReusedRevision)]),
            (E::Respond,      [Not(UnknownCall), To(Answered),                   To(Answered),        Not(StateForbids)]),
            (E::Resolve,      [Not(UnknownCall), To(Resolved),                   To(Resolved),        Not(StateForbids)]),
            (E::MinutePasses, [Never,            Says(Open, DistressUnanswered), To(Answered),        Never]),
        ],
    }
};

words!(
    /// How far a movement is, as its organisation says.
    MovementState {
        /// Notified; nothing was said yet.
        Notified = "notified",
        /// It has been heard of.
        UnderWay = "under_way",
        /// Its latest arrival has passed. It stays in every check.
        Missed = "missed",
        /// Closed or withdrawn.
        Ended = "ended",
    }
);

impl MovementState {
    /// Where a movement stands: whether it was closed or withdrawn, its latest arrival has passed, anything was said.
    pub const fn of(ended: bool, missed: bool, heard: bool) -> Self {
        match (ended, missed, heard) {
            (true, _, _) => Self::Ended,
            (false, true, _) => Self::Missed,
            (false, false, true) => Self::UnderWay,
            (false, false, false) => Self::Notified,
        }
    }
}

words!(
    /// What happens to a movement.
    MovementEvent {
        /// It is notified, or revised, which begins anew.
        Notify = "movement",
        /// It has left a waypoint, or is at one.
        Passed = "progress: departed, at_waypoint",
        /// It is late: its latest arrival is another now.
        Delayed = "progress: delayed",
        /// Its latest arrival passes.
        ArrivalPasses = "its latest arrival passes",
        /// It is closed or withdrawn.
        End = "close, withdraw",
    }
);

/// A movement. Not one of its states takes it out of a check before it has ended.
pub const MOVEMENT: Machine<MovementState, MovementEvent, 5> = {
    use AlertEvent::NoSignOfLife;
    use MovementEvent as E;
    use MovementState::{Ended, Missed, Notified, UnderWay};
    Machine {
        name: "movement",
        states: MovementState::ALL,
        #[rustfmt::skip]
        rows: &[
            // event            –                         notified                    under_way                   missed        ended
            (E::Notify,        [To(Notified),             To(Notified),               To(Notified),               To(Notified), Not(AlreadyClosed)]),
            (E::Passed,        [Not(UnknownNotification), To(UnderWay),               To(UnderWay),               To(Missed),   Not(AlreadyClosed)]),
            (E::Delayed,       [Not(UnknownNotification), To(UnderWay),               To(UnderWay),               To(UnderWay), Not(AlreadyClosed)]),
            (E::ArrivalPasses, [Never,                    Says(Missed, NoSignOfLife), Says(Missed, NoSignOfLife), To(Missed),   Never]),
            (E::End,           [Not(UnknownNotification), To(Ended),                  To(Ended),                  To(Ended),    Not(AlreadyClosed)]),
        ],
    }
};

words!(
    /// Whether a site was confirmed in time.
    SiteState {
        /// Its organisation has said, not long ago, that it stands.
        Confirmed = "confirmed",
        /// It was reminded.
        Reminded = "reminded",
        /// It was not confirmed in time. It stays in every list and check, flagged.
        Stale = "stale",
        /// Its window has ended: it is not notified for times after, and can be revised with a later one.
        WindowEnded = "window_ended",
        /// Closed or withdrawn.
        Ended = "ended",
    }
);

words!(
    /// What happens to a site.
    SiteEvent {
        /// It is notified or revised.
        Notify = "site",
        /// The same, with a window that is over.
        NotifyOver = "site, its window over",
        /// It is confirmed.
        Confirm = "confirm",
        /// The time of the reminder comes.
        ReminderComes = "seven days before its time passes",
        /// Its time passes, and again in every such span.
        TimePasses = "its time passes",
        /// The end of its window is near.
        EndIsNear = "its window ends soon",
        /// Its window ends.
        WindowEnds = "its window ends",
        /// So many days of the policy after that nothing holds it.
        ClosingTime = "days after that end, as the policy says",
        /// It is closed or withdrawn.
        End = "close, withdraw",
    }
);

/// A site, and its organisation's word on it. Both times are judged by the policy of the day on which they come.
pub const SITE: Machine<SiteState, SiteEvent, 6> = {
    use AlertEvent::{
        ClosedByTime, ReconfirmationDue as Due, ReconfirmationOverdue as Overdue,
        WindowEnded as HasEnded, WindowEnding as Ending,
    };
    use SiteEvent as E;
    use SiteState::{Confirmed, Ended, Reminded, Stale, WindowEnded};
    Machine {
        name: "site",
        states: SiteState::ALL,
        #[rustfmt::skip]
        rows: &[
            // event            –                         confirmed                    reminded                     stale                        window_ended                  ended
            (E::Notify,        [To(Confirmed),            To(Confirmed),               To(Confirmed),               To(Confirmed),               To(Confirmed),                Not(AlreadyClosed)]),
            (E::NotifyOver,    [To(WindowEnded),          To(WindowEnded),             To(WindowEnded),             To(WindowEnded),             To(WindowEnded),              Not(AlreadyClosed)]),
            (E::Confirm,       [Not(UnknownNotification), To(Confirmed),               To(Confirmed),               To(Confirmed),               Not(Over),                    Not(AlreadyClosed)]),
            (E::ReminderComes, [Never,                    Says(Reminded, Due),         Says(Reminded, Due),         Says(Reminded, Due),         Never,                        Never]),
            (E::TimePasses,    [Never,                    Says(Stale, Overdue),        Says(Stale, Overdue),        Says(Stale, Overdue),        Never,                        Never]),
            (E::EndIsNear,     [Never,                    Says(Confirmed, Ending),     Says(Reminded, Ending),      Says(Stale, Ending),         Never,                        Never]),
            (E::WindowEnds,    [Never,                    Says(WindowEnded, HasEnded), Says(WindowEnded, HasEnded), Says(WindowEnded, HasEnded), Never,                        Never]),
            (E::ClosingTime,   [Never,                    Never,                       Never,                       Never,                       Says(Ended, ClosedByTime),    Never]),
            (E::End,           [Not(UnknownNotification), To(Ended),                   To(Ended),                   To(Ended),                   To(Ended),                    Not(AlreadyClosed)]),
        ],
    }
};
