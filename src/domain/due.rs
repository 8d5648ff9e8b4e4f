//! What time brings: for each kind of thing that falls due, when, and what comes after it. Pure; the schedule in the
//! database keeps the moments, and the server's clockwork says in a signed statement that they came.

use time::{Duration, OffsetDateTime};

use super::words;

words!(
    /// What falls due. The word stands in the schedule, never in a public claim.
    Due {
        /// A quarter of the lead time has passed without an officer's word.
        AckQuarter = "ack_25",
        /// Half of the lead time has.
        AckHalf = "ack_50",
        /// Three quarters of it have.
        AckThreeQuarters = "ack_75",
        /// The window begins.
        AckStart = "ack_start",
        /// A movement should have said that it arrived.
        SignOfLife = "sign_of_life",
        /// A site should soon be confirmed again.
        Reconfirm = "reconfirm",
        /// A site has not been confirmed again in time.
        Stale = "stale",
        /// A site's notified window ends soon.
        WindowEnding = "window_ending",
        /// It has ended.
        WindowEnded = "window_ended",
        /// The time after its end is over in which it could have been revised.
        Closing = "closing",
        /// A query, or a warning, should have been replied to.
        Reply = "reply",
        /// Nobody has answered a distress call for another minute.
        Distress = "distress",
        /// A party's admission is suspended, or it has left.
        Standing = "standing",
    }
);

impl Due {
    /// The part of the lead time that has passed, in percent, for what counts acknowledgements.
    pub const fn lead_percent(self) -> Option<u8> {
        match self {
            Self::AckQuarter => Some(25),
            Self::AckHalf => Some(50),
            Self::AckThreeQuarters => Some(75),
            Self::AckStart => Some(100),
            Self::SignOfLife
            | Self::Reconfirm
            | Self::Stale
            | Self::WindowEnding
            | Self::WindowEnded
            | Self::Closing
            | Self::Reply
            | Self::Distress
            | Self::Standing => None,
        }
    }

    /// What comes after it, while nothing has been said.
    pub const fn next(self) -> Option<Self> {
        match self {
            Self::AckQuarter => Some(Self::AckHalf),
            Self::AckHalf => Some(Self::AckThreeQuarters),
            Self::AckThreeQuarters => Some(Self::AckStart),
            Self::Reconfirm => Some(Self::Stale),
            Self::AckStart
            | Self::SignOfLife
            | Self::Stale
            | Self::WindowEnding
            | Self::WindowEnded
            | Self::Closing
            | Self::Reply
            | Self::Distress
            | Self::Standing => None,
        }
    }
}

/// When a quarter, a half, three quarters or all of the lead time has passed. `None` for what does not count
/// acknowledgements, and where there was no lead time: who was told after the beginning had none to let pass.
pub fn lead_moment(
    due: Due,
    received: OffsetDateTime,
    begins: OffsetDateTime,
) -> Option<OffsetDateTime> {
    let lead = begins - received;
    if !lead.is_positive() {
        return None;
    }
    let percent = i32::from(due.lead_percent()?);
    if percent == 100 {
        return Some(begins);
    }
    received.checked_add(lead / 100 * percent)
}

/// Days between the word on a site and the next that is asked for, by default.
pub const RECONFIRM_DAYS: u16 = 90;

/// Days before the end of that time at which the organisation is reminded.
pub const REMIND_DAYS: u16 = 7;

/// When a site's organisation is reminded, and when the site is stale, after a word on it at `from`.
pub fn reconfirm_moments(
    from: OffsetDateTime,
    days: u16,
) -> Option<(OffsetDateTime, OffsetDateTime)> {
    let stale = from.checked_add(Duration::days(days.into()))?;
    let remind = stale.checked_sub(Duration::days(REMIND_DAYS.min(days).into()))?;
    Some((remind, stale))
}

/// What becomes of a row of the schedule about a site whose moment has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum WordOnSite {
    /// The organisation is reminded; the site is stale at this moment, if nothing is said.
    Remind(OffsetDateTime),
    /// The site is stale, and its organisation is told so again at this moment.
    Stale(OffsetDateTime),
    /// Nothing is said: by the policy of now it is too early. Look again, for this and at this moment.
    Later(Due, OffsetDateTime),
}

/// Judges a row about a site that fell due at `moment`, when the organisation's last word on it was at `said` and the
/// policy asks for one every `days` now, which may be more or fewer than when the row was written. A policy that asks for
/// none is looked at again after [`RECONFIRM_DAYS`], so that a site is not forgotten by one that asks again.
pub fn word_on_site(
    what: Due,
    moment: OffsetDateTime,
    said: OffsetDateTime,
    days: u16,
) -> Option<WordOnSite> {
    if days == 0 {
        let again = moment.checked_add(Duration::days(RECONFIRM_DAYS.into()))?;
        return Some(WordOnSite::Later(Due::Reconfirm, again));
    }
    let (remind, stale) = reconfirm_moments(said, days)?;
    if moment < remind {
        return Some(WordOnSite::Later(Due::Reconfirm, remind));
    }
    if moment >= stale {
        return Some(WordOnSite::Stale(
            moment.checked_add(Duration::days(days.into()))?,
        ));
    }
    Some(match what {
        Due::Stale => WordOnSite::Later(Due::Stale, stale),
        _ => WordOnSite::Remind(stale),
    })
}

/// Days after the end of a site's notified window in which it can still be revised, by default.
pub const CLOSE_DAYS: u16 = 30;

/// Days before the end of a site's notified window at which its organisation is told, at most.
pub const ENDING_DAYS: i64 = 7;

/// When an organisation is told that a site's window ends soon: a week before, or when half of the time is left between the
/// receipt of the revision and the end, if that is later. `None` of a window that had ended by then: nobody is told of an
/// end that everybody could see when it was said.
pub fn window_ending(received: OffsetDateTime, ends: OffsetDateTime) -> Option<OffsetDateTime> {
    let left: Duration = ends - received;
    if !left.is_positive() {
        return None;
    }
    let half: Duration = left / 2;
    ends.checked_sub(half.min(Duration::days(ENDING_DAYS)))
}

/// From when the days are counted after which a site is closed: the end of its window, or the receipt of a revision whose
/// window had ended by then.
pub fn closing_counts_from(received: OffsetDateTime, ends: OffsetDateTime) -> OffsetDateTime {
    received.max(ends)
}

/// When a site is closed whose days count from then. The calendar's last moment, where it has no later one.
pub const fn closes_at(from: OffsetDateTime, days: u16) -> OffsetDateTime {
    from.saturating_add(Duration::days(days as i64))
}

/// Judges a row about the closing of a site that fell due at `moment`, when its days count `from` then, the policy gives it
/// so many `days` now, and something holds it or does not: when to look again, or none when it is closed.
pub fn closing_put_off(
    moment: OffsetDateTime,
    from: OffsetDateTime,
    days: u16,
    held: bool,
) -> Option<OffsetDateTime> {
    let by_policy = closes_at(from, days);
    if moment < by_policy {
        return Some(by_policy);
    }
    held.then(|| moment.saturating_add(Duration::DAY))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(hours: i64) -> OffsetDateTime {
        OffsetDateTime::UNIX_EPOCH + Duration::hours(hours)
    }

    #[test]
    fn the_stages_of_the_lead_time_follow_one_another_up_to_the_beginning() {
        let mut due = Due::AckQuarter;
        let mut moments = vec![lead_moment(due, at(0), at(48)).expect("a moment")];
        while let Some(next) = due.next() {
            due = next;
            moments.push(lead_moment(due, at(0), at(48)).expect("a moment"));
        }
        assert_eq!(moments, [at(12), at(24), at(36), at(48)]);
    }

    #[test]
    fn who_was_told_after_the_beginning_had_no_lead_time_to_let_pass() {
        assert_eq!(lead_moment(Due::AckStart, at(5), at(5)), None);
        assert_eq!(lead_moment(Due::AckQuarter, at(6), at(5)), None);
    }

    #[test]
    fn what_does_not_count_acknowledgements_has_no_part_of_the_lead_time() {
        for due in Due::ALL.iter().filter(|due| due.lead_percent().is_none()) {
            assert_eq!(lead_moment(*due, at(0), at(48)), None, "{due}");
        }
    }

    #[test]
    fn a_reminder_comes_a_week_before_and_never_before_the_word_itself() {
        assert_eq!(
            reconfirm_moments(at(0), 90),
            Some((at(83 * 24), at(90 * 24)))
        );
        assert_eq!(reconfirm_moments(at(0), 3), Some((at(0), at(3 * 24))));
    }

    #[test]
    fn a_site_is_judged_by_the_policy_of_now_and_never_forgotten() {
        use WordOnSite as W;
        let day = |days: i64| at(days * 24);
        let judge = |what, moment, days| word_on_site(what, day(moment), day(0), days);
        let (remind, stale) = (Due::Reconfirm, Due::Stale);
        assert_eq!(judge(remind, 83, 90), Some(W::Remind(day(90))));
        assert_eq!(judge(stale, 90, 90), Some(W::Stale(day(180))));
        assert_eq!(judge(stale, 180, 90), Some(W::Stale(day(270))));
        assert_eq!(judge(remind, 83, 0), Some(W::Later(remind, day(173))));
        assert_eq!(judge(stale, 90, 0), Some(W::Later(remind, day(180))));
        assert_eq!(judge(remind, 83, 120), Some(W::Later(remind, day(113))));
        assert_eq!(judge(stale, 90, 120), Some(W::Later(remind, day(113))));
        assert_eq!(judge(stale, 115, 120), Some(W::Later(stale, day(120))));
        assert_eq!(judge(remind, 83, 30), Some(W::Stale(day(113))));
        for what in [remind, stale] {
            for (moment, days) in (0..400).flat_map(|m| [0, 1, 30, 90].map(|d| (m, d))) {
                let (W::Remind(next) | W::Stale(next) | W::Later(_, next)) =
                    judge(what, moment, days).expect("a moment");
                assert!(next > day(moment), "{what} {moment} {days}");
            }
        }
    }

    #[test]
    fn the_end_of_a_window_is_told_a_week_before_or_at_half_of_the_time() {
        assert_eq!(window_ending(at(0), at(30 * 24)), Some(at(23 * 24)));
        assert_eq!(window_ending(at(0), at(14 * 24)), Some(at(7 * 24)));
        assert_eq!(window_ending(at(0), at(10)), Some(at(5)));
        assert_eq!(window_ending(at(2), at(2)), None);
        assert_eq!(window_ending(at(3), at(2)), None);
    }

    #[test]
    fn a_site_is_closed_by_the_policy_of_now_and_never_while_something_holds_it() {
        let day = |days: i64| at(days * 24);
        assert_eq!(closing_counts_from(day(0), day(3)), day(3));
        assert_eq!(closing_counts_from(day(5), day(3)), day(5));
        let judge = |moment, days, held| closing_put_off(day(moment), day(10), days, held);
        assert_eq!(judge(40, 30, false), None);
        assert_eq!(judge(40, 30, true), Some(day(41)));
        assert_eq!(judge(41, 30, false), None);
        assert_eq!(judge(40, 60, false), Some(day(70)));
        assert_eq!(judge(40, 60, true), Some(day(70)));
        assert_eq!(judge(40, 1, false), None);
    }
}
