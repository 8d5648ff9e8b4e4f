//! A check's outcome. There is no word here for "clear": the best that a check can say is that nothing was notified to
//! the party that asked, which is not absence of civilians.

use super::words;

words!(
    /// The verdict of a check.
    Verdict {
        /// An exact place or movement notified to the asking party is hit.
        Conflict = "conflict",
        /// Only cells are hit: ask for the exact place.
        PossibleConflict = "possible_conflict",
        /// Nothing that was notified to this party is hit. Absence of a notification is not absence of civilians.
        NoneNotifiedToYou = "none_notified_to_you",
        /// The question could not be answered. TREAT AS CONFLICT, and call.
        Indeterminate = "indeterminate",
    }
);

words!(
    /// How an object lies to the area asked about.
    HitRelation {
        /// It touches or lies inside the area.
        Inside = "inside",
        /// It lies within the effect radius and its buffer.
        WithinBuffer = "within_buffer",
        /// Its cell is touched.
        Cell = "cell",
    }
);

words!(
    /// What a reader must know of an object that counts.
    Flag {
        /// Nobody at the coordinator has looked at this revision yet.
        Unscreened = "unscreened",
        /// The coordinator returned this revision with reasons.
        Returned = "returned",
        /// A second person's signature is still missing.
        SecondSignatureMissing = "second_signature_missing",
        /// A newer revision was notified; both count until the newer one is screened and delivered.
        BeingReplaced = "being_replaced",
        /// Past its window and not said to have arrived: its position is unknown, the whole remaining route counts.
        OverduePositionUnknown = "overdue_position_unknown",
        /// What remains of it is later than notified, on its organisation's word. Its earlier times count too.
        Delayed = "delayed",
        /// Notified as an emergency, with less lead time than usual.
        Emergency = "emergency",
        /// The coordinator notified it on the organisation's behalf, and the organisation has not signed it.
        OnBehalf = "on_behalf",
        /// Not reconfirmed in time.
        Stale = "stale",
        /// A site's notified window has ended; it is not notified for times after. Civilian status unchanged.
        WindowEnded = "window_ended",
    }
);

/// The sentence that stands in every answer.
pub const ABSENCE_SENTENCE: &str = "Absence of a notification is not absence of civilians or of protected persons and objects. This answer is no permission and takes no obligation away.";
