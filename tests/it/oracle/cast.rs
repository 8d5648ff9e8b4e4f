//! Who there is, as the model knows them: the desks that have a mailbox, and the devices that sign.

use herald::domain::actor::Role;

/// A desk with a mailbox.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Desk {
    /// The coordinator.
    Ocha,
    /// An organisation with several people.
    Msf,
    /// Another organisation.
    Relief,
    /// An organisation whose admission is suspended when a sequence begins.
    Paused,
    /// An organisation that nobody has admitted when a sequence begins.
    Stranger,
    /// A party.
    East,
    /// Another party.
    West,
}

impl Desk {
    /// Every desk.
    pub const ALL: [Self; 7] = [
        Self::Ocha,
        Self::Msf,
        Self::Relief,
        Self::Paused,
        Self::Stranger,
        Self::East,
        Self::West,
    ];
    /// The parties.
    pub const PARTIES: [Self; 2] = [Self::East, Self::West];

    /// Its actor's name.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Ocha => "ocha",
            Self::Msf => "msf",
            Self::Relief => "relief",
            Self::Paused => "paused",
            Self::Stranger => "stranger",
            Self::East => "east",
            Self::West => "west",
        }
    }

    /// Whether it is a party.
    pub const fn is_party(self) -> bool {
        matches!(self, Self::East | Self::West)
    }

    /// Whether it has sent a photo that its revisions may name.
    pub const fn has_photo(self) -> bool {
        matches!(self, Self::Ocha | Self::Msf | Self::Relief)
    }

    /// One of its devices.
    pub const fn device(self) -> Who {
        match self {
            Self::Ocha => Who::Cora,
            Self::Msf => Who::Ada,
            Self::Relief => Who::Rae,
            Self::Paused => Who::Pau,
            Self::Stranger => Who::Stran,
            Self::East => Who::Eve,
            Self::West => Who::Wes,
        }
    }
}

/// A device.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Who {
    /// The coordinator's.
    Cora,
    /// Of msf.
    Ada,
    /// Of msf, another person's.
    Bo,
    /// Of msf, Ada's second one.
    AdaAgain,
    /// Of msf, and taken back.
    Lost,
    /// Of msf, and never named by its root.
    Pending,
    /// Of msf: enrols, is named, renews itself and is taken back within a sequence.
    Newcomer,
    /// Of relief.
    Rae,
    /// Of the organisation that was suspended.
    Pau,
    /// Of the organisation that nobody admitted.
    Stran,
    /// Of east's desk.
    Eve,
    /// Of east's planner.
    Pia,
    /// Of west's desk.
    Wes,
    /// Of west's planner.
    Pat,
    /// The auditor's.
    Aud,
    /// The operator's.
    Ope,
}

impl Who {
    /// Every device.
    pub const ALL: [Self; 16] = [
        Self::Cora,
        Self::Ada,
        Self::Bo,
        Self::AdaAgain,
        Self::Lost,
        Self::Pending,
        Self::Newcomer,
        Self::Rae,
        Self::Pau,
        Self::Stran,
        Self::Eve,
        Self::Pia,
        Self::Wes,
        Self::Pat,
        Self::Aud,
        Self::Ope,
    ];

    /// The desk that it belongs to; none of those who have no mailbox.
    pub const fn desk(self) -> Option<Desk> {
        Some(match self {
            Self::Cora => Desk::Ocha,
            Self::Ada | Self::Bo | Self::AdaAgain | Self::Lost | Self::Pending | Self::Newcomer => {
                Desk::Msf
            }
            Self::Rae => Desk::Relief,
            Self::Pau => Desk::Paused,
            Self::Stran => Desk::Stranger,
            Self::Eve | Self::Pia => Desk::East,
            Self::Wes | Self::Pat => Desk::West,
            Self::Aud | Self::Ope => return None,
        })
    }

    /// Its role.
    pub const fn role(self) -> Role {
        match self {
            Self::Cora => Role::Coordinator,
            Self::Ada
            | Self::Bo
            | Self::AdaAgain
            | Self::Lost
            | Self::Pending
            | Self::Newcomer
            | Self::Rae
            | Self::Pau
            | Self::Stran => Role::Organisation,
            Self::Eve | Self::Wes => Role::PartyDesk,
            Self::Pia | Self::Pat => Role::PartyPlanner,
            Self::Aud => Role::Auditor,
            Self::Ope => Role::Operator,
        }
    }

    /// Whether two devices are one person's.
    pub fn same_person(self, other: Self) -> bool {
        let person = |who| {
            if who == Self::AdaAgain {
                Self::Ada
            } else {
                who
            }
        };
        person(self) == person(other)
    }
}
