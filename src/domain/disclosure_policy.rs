//! Who is handed which part of a statement: one pure table. Delivery asks it before it opens anything, so what a reader
//! may not have is never in the clear for that reader, not even in memory.

use super::kind::Kind;
use super::notification::Tier;

/// A part, as far as the table tells parts apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum PartClass {
    /// The place or route, its category, names and times.
    Place,
    /// What the reader itself may see, as a party.
    OwnAudience,
    /// What another party may see.
    OtherAudience,
    /// People, phones, plates: the server cannot read it.
    Contact,
    /// A photo, a logo, a letter: its name and the key of its content. The server cannot read it.
    Attachment,
    /// Which contents the attachments have, by digest and size.
    Blobs,
    /// Why a notification is withdrawn.
    Reason,
    /// Why a revision is returned.
    Reasons,
    /// The detail of an acknowledgement or a notice.
    Detail,
    /// How far a movement is.
    Progress,
    /// Where help is needed.
    Position,
    /// The name of a person invited.
    Person,
    /// The desk's secret key for one device: the server cannot read it.
    DeskKey,
    /// What one officer leaves to the next: the server cannot read it.
    Note,
    /// Anything else. Nobody is handed what the table does not know.
    Other,
}

impl PartClass {
    /// Every class, in the order of the table.
    pub const ALL: &'static [Self] = &[
        Self::Place,
        Self::OwnAudience,
        Self::OtherAudience,
        Self::Contact,
        Self::Attachment,
        Self::Blobs,
        Self::Reason,
        Self::Reasons,
        Self::Detail,
        Self::Progress,
        Self::Position,
        Self::Person,
        Self::DeskKey,
        Self::Note,
        Self::Other,
    ];

    /// The word in logs, which says nothing of whose part it is.
    pub const fn label(self) -> &'static str {
        match self {
            Self::Place => "place",
            Self::OwnAudience | Self::OtherAudience => "audience",
            Self::Contact => "contact",
            Self::Attachment => "attachment",
            Self::Blobs => "blobs",
            Self::Reason => "reason",
            Self::Reasons => "reasons",
            Self::Detail => "detail",
            Self::Progress => "progress",
            Self::Position => "position",
            Self::Person => "person",
            Self::DeskKey => "desk",
            Self::Note => "note",
            Self::Other => "other",
        }
    }
}

/// How the desk that reads stands to the statement.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Relation {
    /// The coordinator of the context.
    Coordinator,
    /// The actor that the statement belongs to: its own, addressed to it, or about its notification.
    Owner,
    /// A party that this very revision names, and how much it sees.
    Party(Tier),
    /// Anyone else whose mailbox holds it, for the statement alone.
    Stranger,
}

/// What a reader is handed of a part.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Read {
    /// The server opens it and seals the same disclosure to the reader's desk.
    Reseal,
    /// The server passes on the seal that the sender made for this reader.
    PassOn,
    /// Nothing.
    Never,
}

/// What a reader is handed of one part of a statement of this kind at delivery. (An `on_check` party gets the exact place
/// and the contact only in the answer to a check that hits them; that is not delivery.)
pub const fn may_read(kind: Kind, part: PartClass, reader: Relation) -> Read {
    match kind {
        Kind::Site | Kind::Movement => notification(part, reader),
        Kind::Withdraw => match (part, reader) {
            (PartClass::Reason, Relation::Coordinator) => Read::Reseal,
            _ => Read::Never,
        },
        Kind::Screen => match (part, reader) {
            (PartClass::Reasons, Relation::Coordinator | Relation::Owner) => Read::Reseal,
            _ => Read::Never,
        },
        // A party is not told how far off it entered a place: at a lower tier that would tell where the place is.
        Kind::Ack => match (part, reader) {
            // The letter that it was transcribed from goes with it; the server keeps the content by its digest.
            (PartClass::Attachment, Relation::Coordinator | Relation::Owner) => Read::PassOn,
            (PartClass::Detail, Relation::Coordinator | Relation::Owner)
            | (PartClass::Blobs, Relation::Coordinator) => Read::Reseal,
            _ => Read::Never,
        },
        // To whom a package went, and what it disclosed, is for the organisation whose notifications stand in it.
        Kind::Notice | Kind::Relay => match (part, reader) {
            (PartClass::Detail, Relation::Coordinator | Relation::Owner) => Read::Reseal,
            _ => Read::Never,
        },
        // Between one organisation and one party; the coordinator reads along.
        Kind::Warn | Kind::Reply => match (part, reader) {
            (PartClass::Detail, Relation::Coordinator | Relation::Owner) => Read::Reseal,
            _ => Read::Never,
        },
        // How far it is tells where it is: for those who see the route, and nobody below.
        Kind::Progress => match (part, reader) {
            (
                PartClass::Progress,
                Relation::Coordinator | Relation::Owner | Relation::Party(Tier::Exact),
            ) => Read::Reseal,
            _ => Read::Never,
        },
        Kind::Distress => distress(part, reader),
        // Whoever was called is told who answers, and how it ended.
        Kind::Respond | Kind::Resolve => match (part, reader) {
            (PartClass::Detail, Relation::Coordinator | Relation::Owner | Relation::Party(_)) => {
                Read::Reseal
            }
            _ => Read::Never,
        },
        // An alert is made for those whom it is delivered to, and says nothing that one of them may not know.
        Kind::Alert => match part {
            PartClass::Detail => Read::Reseal,
            _ => Read::Never,
        },
        Kind::Invite => match (part, reader) {
            (PartClass::Person, Relation::Coordinator) => Read::Reseal,
            _ => Read::Never,
        },
        Kind::Keys => match (part, reader) {
            (PartClass::DeskKey, Relation::Owner) => Read::PassOn,
            _ => Read::Never,
        },
        // Within one actor; not even the server reads it.
        Kind::Handover => match (part, reader) {
            (PartClass::Note, Relation::Owner) => Read::PassOn,
            _ => Read::Never,
        },
        Kind::Renew
        | Kind::Policy
        | Kind::Admit
        | Kind::Revoke
        | Kind::Duty
        | Kind::Close
        | Kind::Cosign
        | Kind::Confirm
        | Kind::Check
        | Kind::Receipt
        | Kind::Answer => Read::Never,
    }
}

/// How a part comes to the server with a statement of this kind: [`Read::Reseal`] is sealed to the server, which opens
/// it; [`Read::PassOn`] is sealed to its readers, and the server keeps it as it is; [`Read::Never`] is no part of this
/// kind. It follows from who is handed it.
pub fn comes_as(kind: Kind, part: PartClass) -> Read {
    let handed = |how| {
        RELATIONS
            .iter()
            .any(|reader| may_read(kind, part, *reader) == how)
    };
    if handed(Read::Reseal) {
        Read::Reseal
    } else if handed(Read::PassOn) {
        Read::PassOn
    } else {
        Read::Never
    }
}

/// Every way in which a reader may stand to a statement.
const RELATIONS: [Relation; 7] = [
    Relation::Coordinator,
    Relation::Owner,
    Relation::Party(Tier::Exact),
    Relation::Party(Tier::OnCheck),
    Relation::Party(Tier::Cell),
    Relation::Party(Tier::Withdrawn),
    Relation::Stranger,
];

const fn distress(part: PartClass, reader: Relation) -> Read {
    match (part, reader) {
        (PartClass::Detail, Relation::Coordinator | Relation::Owner | Relation::Party(_))
        | (
            PartClass::Position | PartClass::OtherAudience,
            Relation::Coordinator | Relation::Owner,
        )
        | (PartClass::Position, Relation::Party(Tier::Exact))
        | (PartClass::OwnAudience, Relation::Party(_)) => Read::Reseal,
        _ => Read::Never,
    }
}

const fn notification(part: PartClass, reader: Relation) -> Read {
    match (part, reader) {
        (PartClass::Place | PartClass::OtherAudience, Relation::Coordinator | Relation::Owner)
        | (PartClass::Place, Relation::Party(Tier::Exact))
        | (PartClass::OwnAudience, Relation::Party(_))
        // For the server, which keeps the contents by it; its maker knows it anyway, and nobody else needs it.
        | (PartClass::Blobs, Relation::Owner) => Read::Reseal,
        (PartClass::Contact, Relation::Coordinator | Relation::Party(Tier::Exact))
        | (
            PartClass::Attachment,
            Relation::Coordinator | Relation::Owner | Relation::Party(Tier::Exact),
        ) => Read::PassOn,
        _ => Read::Never,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use PartClass as P;
    use Relation as R;

    fn relations() -> impl Iterator<Item = R> {
        RELATIONS.into_iter()
    }

    #[test]
    fn every_tier_of_a_party_is_a_relation() {
        for tier in Tier::ALL {
            assert!(RELATIONS.contains(&R::Party(*tier)), "{tier}");
        }
    }

    #[test]
    fn a_part_comes_to_the_server_as_its_readers_are_handed_it_and_other_parts_do_not_come() {
        for kind in Kind::ALL {
            for part in P::ALL {
                let expected = match (kind, part) {
                    (
                        Kind::Site | Kind::Movement,
                        P::Place | P::OwnAudience | P::OtherAudience | P::Blobs,
                    )
                    | (Kind::Ack, P::Blobs)
                    | (Kind::Withdraw, P::Reason)
                    | (Kind::Screen, P::Reasons)
                    | (
                        Kind::Ack
                        | Kind::Notice
                        | Kind::Relay
                        | Kind::Alert
                        | Kind::Warn
                        | Kind::Reply
                        | Kind::Distress
                        | Kind::Respond
                        | Kind::Resolve,
                        P::Detail,
                    )
                    | (Kind::Progress, P::Progress)
                    | (Kind::Distress, P::Position | P::OwnAudience | P::OtherAudience)
                    | (Kind::Invite, P::Person) => Read::Reseal,
                    (Kind::Site | Kind::Movement, P::Contact | P::Attachment)
                    | (Kind::Ack, P::Attachment)
                    | (Kind::Keys, P::DeskKey)
                    | (Kind::Handover, P::Note) => Read::PassOn,
                    _ => Read::Never,
                };
                assert_eq!(comes_as(*kind, *part), expected, "{kind} {part:?}");
            }
        }
    }

    /// Every cell of the table that hands something out; all others must be `Never`.
    fn handed_out(kind: Kind, part: P, reader: R) -> Read {
        let reseal: &[(&[Kind], P, &[R])] = &[
            (
                &[Kind::Site, Kind::Movement],
                P::Place,
                &[R::Coordinator, R::Owner, R::Party(Tier::Exact)],
            ),
            (
                &[Kind::Site, Kind::Movement],
                P::OtherAudience,
                &[R::Coordinator, R::Owner],
            ),
            (
                &[Kind::Site, Kind::Movement],
                P::OwnAudience,
                &[
                    R::Party(Tier::Exact),
                    R::Party(Tier::OnCheck),
                    R::Party(Tier::Cell),
                    R::Party(Tier::Withdrawn),
                ],
            ),
            (&[Kind::Site, Kind::Movement], P::Blobs, &[R::Owner]),
            (&[Kind::Withdraw], P::Reason, &[R::Coordinator]),
            (&[Kind::Screen], P::Reasons, &[R::Coordinator, R::Owner]),
            (
                &[
                    Kind::Ack,
                    Kind::Notice,
                    Kind::Relay,
                    Kind::Warn,
                    Kind::Reply,
                ],
                P::Detail,
                &[R::Coordinator, R::Owner],
            ),
            (&[Kind::Ack], P::Blobs, &[R::Coordinator]),
            (&[Kind::Invite], P::Person, &[R::Coordinator]),
            (
                &[Kind::Progress],
                P::Progress,
                &[R::Coordinator, R::Owner, R::Party(Tier::Exact)],
            ),
            (&[Kind::Alert], P::Detail, &RELATIONS),
            (
                &[Kind::Distress, Kind::Respond, Kind::Resolve],
                P::Detail,
                // All but a stranger.
                &RELATIONS[..6],
            ),
            (
                &[Kind::Distress],
                P::Position,
                &[R::Coordinator, R::Owner, R::Party(Tier::Exact)],
            ),
            (
                &[Kind::Distress],
                P::OtherAudience,
                &[R::Coordinator, R::Owner],
            ),
            (
                &[Kind::Distress],
                P::OwnAudience,
                &[
                    R::Party(Tier::Exact),
                    R::Party(Tier::OnCheck),
                    R::Party(Tier::Cell),
                    R::Party(Tier::Withdrawn),
                ],
            ),
        ];
        let pass_on: &[(&[Kind], P, &[R])] = &[
            (
                &[Kind::Site, Kind::Movement],
                P::Contact,
                &[R::Coordinator, R::Party(Tier::Exact)],
            ),
            (
                &[Kind::Site, Kind::Movement],
                P::Attachment,
                &[R::Coordinator, R::Owner, R::Party(Tier::Exact)],
            ),
            (&[Kind::Ack], P::Attachment, &[R::Coordinator, R::Owner]),
            (&[Kind::Keys], P::DeskKey, &[R::Owner]),
            (&[Kind::Handover], P::Note, &[R::Owner]),
        ];
        let named = |table: &[(&[Kind], P, &[R])]| {
            table.iter().any(|(kinds, p, readers)| {
                kinds.contains(&kind) && *p == part && readers.contains(&reader)
            })
        };
        match (named(reseal), named(pass_on)) {
            (true, _) => Read::Reseal,
            (_, true) => Read::PassOn,
            _ => Read::Never,
        }
    }

    #[test]
    fn every_kind_part_and_reader_gets_exactly_what_the_contract_lists() {
        let mut cells = 0;
        for kind in Kind::ALL {
            for part in P::ALL {
                for reader in relations() {
                    assert_eq!(
                        may_read(*kind, *part, reader),
                        handed_out(*kind, *part, reader),
                        "{kind} {part:?} {reader:?}"
                    );
                    cells += 1;
                }
            }
        }
        assert_eq!(
            cells,
            Kind::ALL.len() * P::ALL.len() * (3 + Tier::ALL.len())
        );
    }

    #[test]
    fn the_place_reaches_no_party_below_the_exact_tier() {
        for kind in Kind::ALL {
            for tier in Tier::ALL.iter().filter(|tier| **tier != Tier::Exact) {
                for part in [
                    P::Place,
                    P::Contact,
                    P::Attachment,
                    P::Blobs,
                    P::OtherAudience,
                    P::Progress,
                    P::Position,
                    P::Note,
                ] {
                    assert_eq!(may_read(*kind, part, R::Party(*tier)), Read::Never);
                }
                // A call for help and what follows it are for everybody called, and an alert says no place.
                if !kind.is_call() && *kind != Kind::Alert {
                    assert_eq!(may_read(*kind, P::Detail, R::Party(*tier)), Read::Never);
                }
            }
        }
    }

    #[test]
    fn a_stranger_gets_the_statement_alone() {
        for kind in Kind::ALL {
            for part in P::ALL {
                // An alert is made for those whom it is delivered to.
                if (kind, part) != (&Kind::Alert, &P::Detail) {
                    assert_eq!(may_read(*kind, *part, R::Stranger), Read::Never);
                }
            }
        }
    }
}
