//! What can happen in a sequence, in words that mean the same after other steps were taken out: notifications and calls go
//! by their number, threads by the step that opened them, and what is not there is simply unknown.

use herald::domain::ack::AckState;
use herald::domain::exchange::{Answer, Ask};
use herald::domain::kind::Kind;
use herald::domain::notification::{Outcome, Tier};

use super::cast::{Desk, Who};

/// Notifications and calls of a sequence, numbered from 0.
pub const LABELS: usize = 4;

/// One step.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Step {
    /// Its number in the sequence as it was drawn, by which later steps name it.
    pub id: usize,
    /// In which of the two contexts.
    pub side: usize,
    /// Who signs.
    pub who: Who,
    /// On whose behalf, if the signer says so.
    pub behalf: Option<Desk>,
    /// What is wrong with how it is signed or brought, if anything.
    pub twist: Twist,
    /// What is said or happens.
    pub what: What,
}

/// How a statement can be wrong whatever it says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Twist {
    /// It is right.
    None,
    /// For another deployment.
    Deployment,
    /// For another context.
    Context,
    /// For the other mode.
    Mode,
    /// Signed a fortnight ago.
    Old,
    /// Signed an hour from now.
    Early,
    /// Brought by another organisation's device.
    Bearer,
    /// Brought by the other context's coordinator.
    Abroad,
    /// Brought by the coordinator.
    Carried,
    /// With the id of an earlier statement of this device.
    Jti,
}

/// Which revision is named.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Of {
    /// The latest, whatever it is.
    Latest,
    /// The first.
    First,
    /// The latest, by another hash.
    Bogus,
}

/// How a revision follows the one before.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Follow {
    /// As it must.
    Next,
    /// With the number of the one before.
    Same,
    /// With a number too many.
    Gap,
    /// After another hash.
    Fork,
}

/// One item of an acknowledgement.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Item {
    /// The notification.
    pub label: usize,
    /// Its revision.
    pub of: Of,
    /// What is said.
    pub state: AckState,
    /// What is asked, in a query.
    pub ask: Option<Ask>,
    /// In how many hours a reply is asked for, in a query.
    pub due_h: Option<i64>,
    /// Entered half a degree away.
    pub far: bool,
}

/// How far a movement is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Way {
    /// It has begun.
    Departed,
    /// It is at this waypoint; it has two.
    At(u32),
    /// It is so many hours late.
    Late(u32),
}

/// What is said or happens.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum What {
    /// A site or a movement, new or revised.
    Revise(Revise),
    /// No longer notified.
    Withdraw {
        label: usize,
        follow: Follow,
        reason: bool,
    },
    /// At its end.
    Close {
        label: usize,
        follow: Follow,
        outcome: Outcome,
    },
    /// Screened or returned.
    Screen {
        label: usize,
        of: Of,
        returned: bool,
    },
    /// Signed by a second person, or taken over.
    Cosign { label: usize, of: Of },
    /// An acknowledgement.
    Ack { to: Desk, items: Vec<Item> },
    /// The coordinator handed a party what is notified to it; `wrong` says that it disclosed something else.
    Relay {
        to: Desk,
        party: Desk,
        label: usize,
        of: Of,
        wrong: bool,
    },
    /// A warning.
    Warn {
        to: Desk,
        label: usize,
        of: Of,
        cease_h: Option<i64>,
    },
    /// A reply to what a step has opened on a notification; to nothing where none has.
    Reply {
        to: Desk,
        label: usize,
        thread: Option<usize>,
        answer: Answer,
        amended: Of,
    },
    /// How far a movement is; `early` says it before it happened.
    Progress {
        label: usize,
        of: Of,
        way: Way,
        early: bool,
    },
    /// A site stands.
    Confirm { label: usize, of: Of },
    /// A call for help.
    Distress {
        call: usize,
        about: Option<(usize, Of)>,
        here: bool,
        tiers: [Option<Tier>; 2],
    },
    /// An officer answers a call.
    Respond { to: Desk, call: usize },
    /// A call is over.
    Resolve { call: usize },
    /// A policy; `skip` leaves a version out.
    Policy { rules: Rules, skip: bool },
    /// The coordinator says where an actor stands, from a moment on.
    Admit {
        desk: Desk,
        to: Standing,
        from_h: Option<i64>,
    },
    /// A duty number.
    Duty,
    /// A note to the next officer of the same desk.
    Handover,
    /// An invitation, which the newcomer enrols with.
    Invite,
    /// Msf's root names its devices, and the newcomer.
    Keys,
    /// The newcomer renews its keys.
    Renew,
    /// The newcomer's device is taken back.
    Revoke,
    /// An earlier statement's bytes again.
    Again { statement: usize },
    /// The deployment's clock goes on by so many seconds.
    Jump { seconds: i64 },
    /// The server ends and starts again.
    Restart,
    /// Every socket breaks.
    Break,
}

/// A site or a movement.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Revise {
    /// Which.
    pub label: usize,
    /// A movement.
    pub moves: bool,
    /// How it follows.
    pub follow: Follow,
    /// What east and west see of it.
    pub tiers: [Option<Tier>; 2],
    /// With people to call.
    pub contact: bool,
    /// With a photo.
    pub attach: bool,
    /// In how many hours its window begins.
    pub begins_h: Option<i64>,
    /// How many hours a site's window lasts from its beginning, or from now; open-ended if none.
    pub lasts_h: Option<i64>,
}

/// Where an actor stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Standing {
    /// Not yet admitted.
    Enrolled,
    /// Admitted.
    Admitted,
    /// Suspended.
    Suspended,
    /// It has left, for good.
    Left,
}

impl Standing {
    /// Whether nothing new is handed to a party that stands so.
    pub const fn holds_back(self) -> bool {
        matches!(self, Self::Suspended | Self::Left)
    }
}

/// What a sequence changes of the context's policy.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rules {
    /// A second person signs.
    pub second: bool,
    /// The tier `cell` is offered.
    pub cells: bool,
    /// Days between an organisation's words on a site.
    pub reconfirm_days: u16,
    /// Days after the end of a site's window.
    pub close_days: u16,
    /// Hours for a reply.
    pub reply_within_h: u16,
}

impl Rules {
    /// Those that a sequence begins with.
    pub const DEFAULT: Self = Self {
        second: false,
        cells: true,
        reconfirm_days: 90,
        close_days: 30,
        reply_within_h: 24,
    };
}

impl Step {
    /// The actor whose word it is: the signer's, or whom the signer says.
    pub fn speaks_for(&self) -> Option<Desk> {
        self.behalf.or(self.who.desk())
    }
}

impl What {
    /// The kind of statement that is signed; none where something else happens.
    pub fn kind(&self) -> Option<Kind> {
        Some(match self {
            Self::Revise(revise) if revise.moves => Kind::Movement,
            Self::Revise(_) => Kind::Site,
            Self::Withdraw { .. } => Kind::Withdraw,
            Self::Close { .. } => Kind::Close,
            Self::Screen { .. } => Kind::Screen,
            Self::Cosign { .. } => Kind::Cosign,
            Self::Ack { .. } => Kind::Ack,
            Self::Relay { .. } => Kind::Relay,
            Self::Warn { .. } => Kind::Warn,
            Self::Reply { .. } => Kind::Reply,
            Self::Progress { .. } => Kind::Progress,
            Self::Confirm { .. } => Kind::Confirm,
            Self::Distress { .. } => Kind::Distress,
            Self::Respond { .. } => Kind::Respond,
            Self::Resolve { .. } => Kind::Resolve,
            Self::Policy { .. } => Kind::Policy,
            Self::Admit { .. } => Kind::Admit,
            Self::Duty => Kind::Duty,
            Self::Handover => Kind::Handover,
            Self::Invite => Kind::Invite,
            Self::Keys => Kind::Keys,
            Self::Renew => Kind::Renew,
            Self::Revoke => Kind::Revoke,
            Self::Again { .. } | Self::Jump { .. } | Self::Restart | Self::Break => return None,
        })
    }
}

impl std::fmt::Display for Step {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self {
            id: _,
            side,
            who,
            behalf,
            twist,
            what,
        } = self;
        match what {
            What::Again { .. } | What::Jump { .. } | What::Restart | What::Break => {
                return write!(f, "{what:?}");
            }
            _ if *side > 0 => write!(f, "in the other context, {who:?}")?,
            _ => write!(f, "{who:?}")?,
        }
        if let Some(org) = behalf {
            write!(f, ", on behalf of {},", org.name())?;
        }
        write!(f, ": {what:?}")?;
        match twist {
            Twist::None => Ok(()),
            wrong => write!(f, ", with the wrong {wrong:?}"),
        }
    }
}
