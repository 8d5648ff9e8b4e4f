//! How long what is sealed is kept, and what holds it longer. Pure words; the server's clockwork asks the database.

use super::ids::{ActorId, Nid};
use super::words;

words!(
    /// What holds a month whose time is over.
    HeldBy {
        /// A notification that still counts has a revision of that month, or a word on how far it is. A site whose window has
        /// ended counts in no check any more.
        Notification = "notification",
        /// A query or a warning of that month, or on a revision of it, has no reply.
        Thread = "thread",
        /// A call for help that its organisation has not ended was made by then, or is about a notification of that month.
        Call = "call",
    }
);

/// Something that holds a month.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Hold {
    /// What sort.
    pub by: HeldBy,
    /// The notification, or the call.
    pub nid: Nid,
    /// The party that waits for a reply.
    pub party: Option<ActorId>,
}

impl Hold {
    /// In words, by the short reference that people say.
    pub fn words(&self) -> String {
        let reference = self.nid.reference();
        match (self.by, &self.party) {
            (HeldBy::Notification, _) => format!("{reference} is still notified"),
            (HeldBy::Thread, Some(party)) => {
                format!("{party} waits for a reply about {reference}")
            }
            (HeldBy::Thread, None) => format!("a reply about {reference} is waited for"),
            (HeldBy::Call, _) => format!("the call for help {reference} is open"),
        }
    }
}
