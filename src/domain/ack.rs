//! Acknowledgements: a party's signed word on a revision. Not approval; confers no access; its absence takes no
//! protection away.

use super::words;

words!(
    /// What a party says of one revision. Any may follow any other; silence is `pending` and is never signed.
    AckState {
        /// Reached the party's liaison device, no more. Sent by the device by itself.
        ReachedDesk = "reached_desk",
        /// A named officer received it.
        Received = "received",
        /// Entered on the party's own list, at the position as entered there.
        Entered = "entered",
        /// Not entered, for the reason given.
        NotEntered = "not_entered",
        /// The party asks something.
        Queried = "queried",
        /// Taken off the party's own list.
        Removed = "removed",
    }
);

impl AckState {
    /// Whether a detail with the officer's name must come with it: a machine speaks only for itself.
    pub const fn needs_officer(self) -> bool {
        !matches!(self, Self::ReachedDesk)
    }
}

/// Metres between the place notified and the place as entered above which both sides are told.
pub const ENTERED_TOLERANCE_M: f64 = 100.0;

/// Items in one acknowledgement.
pub const MAX_ITEMS: usize = 1_000;
