//! Sites and movements: where a notification and each of its revisions stands, who was chosen to see it, and how much.

use super::words;

words!(
    /// What is notified.
    Subject {
        /// A place that stays.
        Site = "site",
        /// People or goods that move.
        Movement = "movement",
    }
);

words!(
    /// Where a notification stands. Nothing here says anything about protection, which it neither gives nor takes.
    NotificationState {
        /// Notified.
        Current = "current",
        /// No longer notified, on the organisation's own word; civilian status unchanged.
        Withdrawn = "withdrawn",
        /// No longer notified: the movement arrived, the site's use ended; civilian status unchanged.
        Closed = "closed",
    }
);

words!(
    /// Where a revision stands with the coordinator.
    ScreeningState {
        /// The policy asks for none.
        NotRequired = "not_required",
        /// Received; nobody has looked yet. Counts in checks, flagged.
        Submitted = "submitted",
        /// Form, coordinates or sender were checked; not a statement that it is true.
        Screened = "screened",
        /// Sent back with reasons. Still counts in checks, flagged, until revised or withdrawn.
        Returned = "returned",
    }
);

words!(
    /// What a party sees of a notification.
    Tier {
        /// The exact place.
        Exact = "exact",
        /// A cell now; the exact place only by a check that hits it.
        OnCheck = "on_check",
        /// A cell, ever.
        Cell = "cell",
        /// This party is no longer notified of it from this revision on.
        Withdrawn = "withdrawn",
    }
);

words!(
    /// Why a notification was closed.
    Outcome {
        /// The movement arrived.
        Arrived = "arrived",
        /// The site's use, or the movement, ended as planned.
        Completed = "completed",
        /// It never took place.
        Cancelled = "cancelled",
    }
);

words!(
    /// Whether a second person has signed.
    SecondSignature {
        /// The policy asks for none.
        NotRequired = "not_required",
        /// Asked for, and not there yet. The revision counts in checks, flagged.
        Waiting = "waiting",
        /// There.
        Given = "given",
    }
);

words!(
    /// Whether the organisation runs the place or supports it.
    Relation {
        /// Run by the organisation.
        Run = "run",
        /// Supported by the organisation.
        Supported = "supported",
    }
);

words!(
    /// Whether a marking shows in infrared.
    Infrared {
        /// It does.
        Yes = "yes",
        /// It does not.
        No = "no",
        /// Nobody has looked.
        Unknown = "unknown",
    }
);

words!(
    /// Where coordinates come from.
    CoordinateSource {
        /// A receiver at the place.
        Gnss = "gnss",
        /// Imagery.
        Imagery = "imagery",
        /// A map.
        Map = "map",
        /// A gazetteer's point of a town; often more than a kilometre off.
        Gazetteer = "gazetteer",
        /// Another, or not known.
        Other = "other",
    }
);
