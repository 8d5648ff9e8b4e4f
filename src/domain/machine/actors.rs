//! The tables of those who take part: actors, as their roots and the coordinator say, and their devices.

use super::Cell::{Never, Not, To};
use super::Machine;
use super::Refusal::{EnrolmentInvalid, NotFound, StateForbids};
use crate::domain::actor::{ActorState, DeviceState};
use crate::domain::words;

words!(
    /// What happens to an actor.
    ActorEvent {
        /// Its first person, or another one, is invited.
        Invite = "invite",
        /// Its root signs its first `keys`.
        FirstKeys = "keys, the first",
        /// The coordinator's own root does, whose fingerprint stands in every invite.
        FirstKeysOfCoordinator = "keys, the coordinator's first",
        /// Its root signs later ones.
        Keys = "keys, later",
        /// The coordinator admits it.
        Admit = "admit: admitted",
        /// The coordinator suspends it.
        Suspend = "admit: suspended",
        /// The coordinator says that it, a party, has left.
        Leave = "admit: left",
    }
);

/// An organisation, a party, a coordinator, an auditor, an operator. Only a party leaves. What is said to count from a
/// moment on moves it at that moment.
pub const ACTOR: Machine<ActorState, ActorEvent, 6> = {
    use super::Refusal::Left;
    use ActorEvent as E;
    use ActorState::{Admitted, Enrolled, Invited, Left as L, Suspended};
    Machine {
        name: "actor",
        states: ActorState::ALL,
        #[rustfmt::skip]
        rows: &[
            // event                     –              invited            enrolled       admitted       suspended      left
            (E::Invite,                 [To(Invited),   To(Invited),       To(Enrolled),  To(Admitted),  To(Suspended), Not(Left)]),
            (E::FirstKeys,              [Not(NotFound), To(Enrolled),      Never,         Never,         Never,         Never]),
            (E::FirstKeysOfCoordinator, [Not(NotFound), To(Admitted),      Never,         Never,         Never,         Never]),
            (E::Keys,                   [Not(NotFound), Never,             To(Enrolled),  To(Admitted),  To(Suspended), Not(Left)]),
            (E::Admit,                  [Not(NotFound), Not(StateForbids), To(Admitted),  To(Admitted),  To(Admitted),  Not(Left)]),
            (E::Suspend,                [Not(NotFound), Not(StateForbids), To(Suspended), To(Suspended), To(Suspended), Not(Left)]),
            (E::Leave,                  [Not(NotFound), Not(StateForbids), To(L),         To(L),         To(L),         Not(Left)]),
        ],
    }
};

words!(
    /// What happens to a device.
    DeviceEvent {
        /// It enrols with an invite.
        Enrol = "enrolment",
        /// Its root names it.
        Named = "keys, named",
        /// Its root names others and not it.
        LeftOut = "keys, left out",
        /// It renews its own keys.
        Renew = "renew",
        /// It is taken back.
        Revoke = "revoke",
    }
);

/// A device.
pub const DEVICE: Machine<DeviceState, DeviceEvent, 4> = {
    use DeviceEvent as E;
    use DeviceState::{Active, Pending, Revoked};
    Machine {
        name: "device",
        states: DeviceState::ALL,
        #[rustfmt::skip]
        rows: &[
            // event      –                      pending                active                 revoked
            (E::Enrol,   [To(Pending),           Not(EnrolmentInvalid), Not(EnrolmentInvalid), Not(EnrolmentInvalid)]),
            (E::Named,   [Not(EnrolmentInvalid), To(Active),            To(Active),            Not(StateForbids)]),
            (E::LeftOut, [Never,                 To(Pending),           To(Revoked),           To(Revoked)]),
            (E::Renew,   [Never,                 Not(StateForbids),     To(Active),            Not(StateForbids)]),
            (E::Revoke,  [Not(NotFound),         To(Revoked),           To(Revoked),           Not(StateForbids)]),
        ],
    }
};
