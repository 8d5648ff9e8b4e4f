//! What a party's desk says by itself: that revisions reached its liaison device, and no more. One statement for each
//! organisation, with one item for each notification: a later revision of one that stands in it already goes into the
//! next. Through the outbox, like everything that is signed: what the line kept from arriving is sent at the next listen.

use std::collections::{BTreeMap, HashMap};

use super::Context;
use super::api::{Api, ApiError};
use super::error::CliError;
use super::inbox::Inbox;
use super::outbox::{Meta, Outbox};
use super::profile::{self, Profile, ProfileError};
use super::received::{Readers, receive};
use super::send;
use super::submit::submit;
use crate::domain::ack::{AckState, MAX_ITEMS};
use crate::domain::actor::Role;
use crate::domain::ids::{ActorId, Nid, Seq};
use crate::domain::kind::Kind;
use crate::wire::api::Cursor;
use crate::wire::build::build;
use crate::wire::claims::{AckClaims, AckItem};
use crate::wire::problem::ProblemBody;
use crate::wire::trust::Trust;

/// Up to where this device has said so.
const REACHED: &str = "reached.json";

/// Says of every revision behind the last one said that it reached this desk. Only a party's desk does, and only of what
/// it could open. The place up to which it was said moves on when all of it was accepted, waits in the outbox, or was
/// refused by itself for good; not before.
///
/// # Errors
/// When the outbox cannot keep it. A server that cannot be reached is no error.
pub async fn say(
    context: &Context,
    profile: &Profile,
    api: &Api,
    trust: &Trust,
    inbox: &Inbox,
) -> Result<usize, CliError> {
    let readers = Readers::of(profile)?;
    if profile.me().role != Role::PartyDesk || !readers.has_desk() {
        return Ok(0);
    }
    let desk = Desk {
        context,
        profile,
        api,
        trust,
    };
    if !desk.send_waiting().await? {
        return Ok(0);
    }
    let path = profile.path(REACHED);
    let said = if path.exists() {
        profile::read_json::<Cursor>(&path)?.seq
    } else {
        Seq(0)
    };
    let by_organisation = new_items(inbox, said, trust, &readers)?;
    let mut count = 0;
    for (organisation, items) in by_organisation {
        for batch in batches(items) {
            count += desk.say_all(&organisation, batch).await?;
        }
    }
    if inbox.cursor() > said {
        let seq = inbox.cursor();
        profile::write_json(&path, &Cursor { seq })?;
    }
    Ok(count)
}

/// What came since and could be opened, by the organisation that notified it, in the order in which it came.
fn new_items(
    inbox: &Inbox,
    said: Seq,
    trust: &Trust,
    readers: &Readers,
) -> Result<BTreeMap<ActorId, Vec<AckItem>>, CliError> {
    let mut by_organisation: BTreeMap<ActorId, Vec<AckItem>> = BTreeMap::new();
    let new = inbox
        .entries()
        .iter()
        .filter(|e| e.seq > said && e.is_revision());
    for entry in new {
        let event = inbox.event(entry)?;
        let (Ok(received), Some(nid), Some(rev)) =
            (receive(&event, trust, readers), entry.nid, entry.rev)
        else {
            continue;
        };
        let items = by_organisation
            .entry(entry.speaks_for().clone())
            .or_default();
        items.push(AckItem {
            nid,
            rev,
            of: entry.of,
            opened: received.opened(),
            state: AckState::ReachedDesk,
        });
    }
    Ok(by_organisation)
}

/// Cut into statements: one item for each notification, [`MAX_ITEMS`] at most, revisions of one notification in order.
fn batches(items: Vec<AckItem>) -> Vec<Vec<AckItem>> {
    let mut rounds: Vec<Vec<AckItem>> = Vec::new();
    let mut seen: HashMap<Nid, usize> = HashMap::new();
    for item in items {
        let round = seen.entry(item.nid).or_default();
        if rounds.len() <= *round {
            rounds.push(Vec::new());
        }
        if let Some(items) = rounds.get_mut(*round) {
            items.push(item);
        }
        *round += 1;
    }
    let cut = |round: Vec<AckItem>| {
        round
            .chunks(MAX_ITEMS)
            .map(<[_]>::to_vec)
            .collect::<Vec<_>>()
    };
    rounds.into_iter().flat_map(cut).collect()
}

/// What became of one statement.
enum Said {
    Accepted,
    /// It is in the outbox.
    Waits,
    /// The server will never take it as it is.
    Refused(Box<ProblemBody>),
}

struct Desk<'a> {
    context: &'a Context,
    profile: &'a Profile,
    api: &'a Api,
    trust: &'a Trust,
}

impl Desk<'_> {
    /// Sends what an earlier listen could not. False when the line is still broken: then nothing new is signed yet.
    async fn send_waiting(&self) -> Result<bool, CliError> {
        if Outbox::open(self.profile.dir())?.pending()?.is_empty() {
            return Ok(true);
        }
        match send::flush(self.profile, self.api, self.trust).await {
            Ok(flushed) => Ok(flushed.stopped.is_none()),
            // Somebody sends it at this moment.
            Err(CliError::Profile(ProfileError::Busy { .. })) => Ok(true),
            Err(error) => Err(error),
        }
    }

    /// Says all items. Where the server refuses them together, it is asked about each half, down to the one that it
    /// refuses: that one is named and left out, and takes no other with it.
    async fn say_all(
        &self,
        organisation: &ActorId,
        items: Vec<AckItem>,
    ) -> Result<usize, CliError> {
        let mut count = 0;
        let mut left = vec![items];
        while let Some(mut items) = left.pop() {
            match self.one(organisation, &items).await? {
                Said::Accepted | Said::Waits => count += items.len(),
                Said::Refused(problem) => match items.as_slice() {
                    [] => {}
                    [item] => self.context.out.note(format!(
                        "That {}, revision {}, reached this desk was refused, and is not said again: {} {} Tell {organisation} yourself.",
                        item.nid.reference(),
                        item.rev,
                        problem.detail.as_deref().unwrap_or(&problem.title),
                        problem.action,
                    )),
                    _ => {
                        let rest = items.split_off(items.len() / 2);
                        left.extend([rest, items]);
                    }
                },
            }
        }
        Ok(count)
    }

    async fn one(&self, organisation: &ActorId, items: &[AckItem]) -> Result<Said, CliError> {
        let common = self.profile.common(&self.context.clock);
        let claims = AckClaims::new(common, organisation.clone(), items.to_vec(), None);
        let built = build(claims, &[], &self.profile.signing_key()?)?;
        let now = self.context.clock.now();
        let meta = Meta::of(Kind::Ack, &built.envelope.statement, now);
        match submit(self.profile, self.api, self.trust, &built, &meta).await {
            Ok(_) => Ok(Said::Accepted),
            Err(CliError::Api(ApiError::Problem(problem))) => Ok(Said::Refused(problem)),
            Err(error @ (CliError::Api(_) | CliError::Kept(_))) => {
                self.context.out.note(format!(
                    "What reached this desk from {organisation} could not be said yet; it waits in the outbox and is sent at the next listen: {}",
                    error.text()
                ));
                Ok(Said::Waits)
            }
            Err(error) => Err(error),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::crypto::digest::Digest;
    use crate::domain::ids::Revision;

    fn item(nid: Nid, rev: Revision) -> AckItem {
        AckItem {
            nid,
            rev,
            of: Digest::of(rev.to_string().as_bytes()),
            opened: Vec::new(),
            state: AckState::ReachedDesk,
        }
    }

    #[test]
    fn no_statement_has_two_items_of_one_notification_and_every_revision_is_in_one() {
        let (a, b) = (Nid::random(), Nid::random());
        let first = Revision::FIRST;
        let items = vec![
            item(a, first),
            item(a, first.next()),
            item(b, first),
            item(a, first.next().next()),
        ];
        let cut: Vec<Vec<(Nid, u32)>> = batches(items)
            .iter()
            .map(|batch| {
                batch
                    .iter()
                    .map(|item| (item.nid, item.rev.get()))
                    .collect()
            })
            .collect();
        assert_eq!(cut, [vec![(a, 1), (b, 1)], vec![(a, 2)], vec![(a, 3)]]);
    }

    #[test]
    fn a_statement_has_no_more_items_than_may_stand_in_one() {
        let items: Vec<AckItem> = (0..=MAX_ITEMS)
            .map(|_| item(Nid::random(), Revision::FIRST))
            .collect();
        let sizes: Vec<usize> = batches(items).iter().map(Vec::len).collect();
        assert_eq!(sizes, [MAX_ITEMS, 1]);
    }
}
