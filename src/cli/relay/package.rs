//! What stands in a package for a party that has no device: taken from what this device received and checked itself, at the
//! tier that the organisation signed. The server says which notifications there are; what each discloses is never its word.

use time::OffsetDateTime;

use crate::cli::drill;
use crate::cli::error::CliError;
use crate::cli::inbox::Inbox;
use crate::cli::received::{Readers, Received, receive};
use crate::cli::words::flag_words;
use crate::crypto::b64url;
use crate::crypto::digest::Digest;
use crate::crypto::random::random_bytes;
use crate::domain::actor::Mode;
use crate::domain::check::ABSENCE_SENTENCE;
use crate::domain::ids::{ActorId, LogPosition, Nid, Reference, Revision};
use crate::domain::kind::Kind;
use crate::domain::notification::{NotificationState, Tier};
use crate::domain::plural::count;
use crate::spatial::parse::{format_dtg, format_rfc3339};
use crate::wire::api::{NotificationStatus, PartyStatus};
use crate::wire::parts::{Audience, Contact, Place, name};
use crate::wire::trust::Trust;

/// A package.
pub struct Package {
    /// Random, in every file: a file's digest tells nobody what else stood in it.
    pub id: String,
    /// For whom.
    pub party: ActorId,
    /// By whom.
    pub coordinator: String,
    /// Whether it is a drill's.
    pub drill: bool,
    /// When it was made.
    pub made: OffsetDateTime,
    /// The number to call when in doubt.
    pub call: Option<String>,
    /// What stands in it, in the order of the log.
    pub objects: Vec<Object>,
}

/// One notification in it.
pub struct Object {
    /// For people to say.
    pub reference: Reference,
    /// Its id.
    pub nid: Nid,
    /// The revision.
    pub rev: Revision,
    /// Hash of the revision's statement.
    pub of: Digest,
    /// Its position in the log: its serial.
    pub pos: LogPosition,
    /// Whose.
    pub organisation: ActorId,
    /// The organisation's 24/7 duty number.
    pub duty: Option<String>,
    /// What must be known of it.
    pub flags: Vec<&'static str>,
    /// What the party may see.
    pub seen: Seen,
}

/// What the party may see of a notification.
pub enum Seen {
    /// The place, and who can be called.
    Exact(Box<Place>, Option<Box<Contact>>),
    /// Squares, and no point.
    Cells(Vec<String>),
    /// That there is something, which a check finds.
    OnCheck,
    /// It is no longer notified.
    Ended(&'static str),
}

impl Object {
    /// How much of it is disclosed.
    pub const fn tier(&self) -> Tier {
        match &self.seen {
            Seen::Exact(..) => Tier::Exact,
            Seen::Cells(_) => Tier::Cell,
            Seen::OnCheck => Tier::OnCheck,
            Seen::Ended(_) => Tier::Withdrawn,
        }
    }
}

impl Package {
    /// A package of these objects.
    pub fn new(
        party: ActorId,
        trust: &Trust,
        call: Option<String>,
        made: OffsetDateTime,
        mut objects: Vec<Object>,
    ) -> Result<Self, CliError> {
        objects.sort_by_key(|object| object.pos);
        Ok(Self {
            id: b64url(&random_bytes::<16>()),
            party,
            coordinator: trust.coordinator()?.name.clone(),
            drill: trust.pins().mode == Mode::Exercise,
            made,
            call,
            objects,
        })
    }

    /// The highest position of what stands in it.
    pub fn serial(&self) -> LogPosition {
        let positions = self.objects.iter().map(|object| object.pos);
        positions.max().unwrap_or(LogPosition(0))
    }

    /// What the files are called inside.
    pub fn title(&self) -> String {
        let title = format!("Notified to {}, serial {}", self.party, self.serial());
        if self.drill {
            drill::text(&title).into_owned()
        } else {
            title
        }
    }

    /// How many are only found by a check.
    pub fn on_check(&self) -> usize {
        let hidden = |object: &&Object| matches!(object.seen, Seen::OnCheck);
        self.objects.iter().filter(hidden).count()
    }

    /// What is shown one by one: all but those that only a check finds.
    pub fn shown(&self) -> impl Iterator<Item = &Object> {
        let shown = |object: &&Object| !matches!(object.seen, Seen::OnCheck);
        self.objects.iter().filter(shown)
    }

    /// What each file says in front.
    pub fn front(&self) -> Vec<String> {
        let made = format!("{} ({})", format_dtg(self.made), format_rfc3339(self.made));
        let mut lines = Vec::new();
        if self.drill {
            lines.push(drill::WORD.to_owned());
        }
        lines.extend([
            format!(
                "Notified to {}. Relayed by {}, serial {}, made {made}.",
                self.party,
                self.coordinator,
                self.serial()
            ),
            format!("{} in it.", count(self.objects.len(), "notification")),
        ]);
        let hidden = self.on_check();
        if hidden > 0 {
            lines.push(format!(
                "{hidden} of them say nothing here of where they are: a check of an area finds them. Ask the coordinator before any operation."
            ));
        }
        lines.push(ABSENCE_SENTENCE.to_owned());
        lines.push("A notification is word, not a request for permission. Receiving this file is no acknowledgement; please answer the coordinator by letter.".to_owned());
        lines.push(
            "Delays and changes since it was made are not in it: call the duty number.".to_owned(),
        );
        if let Some(call) = &self.call {
            lines.push(format!("In doubt call {call}."));
        }
        lines.push(format!("Package {}.", self.id));
        lines
    }
}

/// Reads one notification for a party, from what this device received.
///
/// # Errors
/// When the revision has not come here, is not believed, or its audience is not what the server says.
pub fn object(
    status: &NotificationStatus,
    party: &PartyStatus,
    (inbox, trust, readers): (&Inbox, &Trust, &Readers),
) -> Result<Object, CliError> {
    let missing = || {
        CliError::refused(
            format!(
                "{} has not come to this device as it stands now",
                status.reference
            ),
            "Run `herald listen --once`, then repeat.",
        )
    };
    let latest = status.revisions.last().ok_or_else(missing)?;
    let entry = inbox
        .about(status.nid)
        .find(|entry| entry.of == latest.of && entry.is_revision())
        .ok_or_else(missing)?;
    let received = receive(&inbox.event(entry)?, trust, readers).map_err(|_| missing())?;
    if let Some(doubt) = received.doubt_text() {
        return Err(CliError::refused(
            format!("{} is not believed: {doubt}", status.reference),
            "Do not relay it; find out with its organisation on a number that you know.",
        ));
    }
    let seen = seen(status, party, entry.kind, &received)?;
    let known = trust.actor(&status.organisation).ok();
    Ok(Object {
        reference: status.reference.clone(),
        nid: status.nid,
        rev: latest.rev,
        of: latest.of,
        pos: entry.pos,
        organisation: status.organisation.clone(),
        duty: known.and_then(|actor| actor.duty.clone()),
        flags: latest.flags.iter().map(|flag| flag_words(*flag)).collect(),
        seen,
    })
}

fn seen(
    status: &NotificationStatus,
    party: &PartyStatus,
    kind: Kind,
    received: &Received,
) -> Result<Seen, CliError> {
    let ended = match status.state {
        NotificationState::Current => "no longer notified to you; civilian status unchanged",
        NotificationState::Withdrawn => "taken back: no longer notified; civilian status unchanged",
        NotificationState::Closed => "closed: no longer notified; civilian status unchanged",
    };
    if !matches!(kind, Kind::Site | Kind::Movement) {
        return Ok(Seen::Ended(ended));
    }
    let other = || {
        CliError::failed(
            format!(
                "the server says another tier of {} for {} than its organisation signed",
                status.reference, party.party
            ),
            "Do not relay it; tell the operator.",
        )
    };
    let audience: Audience = received
        .part(&name::audience(&party.party))
        .ok_or_else(other)?;
    if audience.party != party.party || audience.tier != party.tier {
        return Err(other());
    }
    Ok(match audience.tier {
        Tier::Exact => Seen::Exact(
            Box::new(received.part::<Place>(name::PLACE).ok_or_else(other)?),
            received.part::<Contact>(name::CONTACT).map(Box::new),
        ),
        Tier::Cell => Seen::Cells(audience.cells),
        Tier::OnCheck => Seen::OnCheck,
        Tier::Withdrawn => Seen::Ended(ended),
    })
}
