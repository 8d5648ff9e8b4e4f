//! Movements in space and time: geodesic legs between waypoints at constant speed, each place occupied from the earliest
//! to the latest moment that the notified times and their slack allow. What is not timed may be anywhere on its leg.

mod approach;
#[cfg(test)]
mod tests;

pub use approach::Approach;

use super::curve::Curve;
use super::position::Position;
use super::shape::outline::{Block, blocks};
use super::window::seconds;
use std::fmt;
use time::OffsetDateTime;

/// Waypoints that one movement may have.
pub const MAX_WAYPOINTS: usize = 1_000;

/// The longest leg, metres: beyond, the way between two waypoints is anyone's guess.
pub const MAX_LEG_M: f64 = 5_000_000.0;

/// The greatest slack of a time, seconds (thirty days).
pub const MAX_SLACK_S: u32 = 30 * 24 * 3_600;

/// Why a movement was refused.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TrackError {
    /// Fewer than two waypoints.
    #[error(
        "a movement needs two waypoints or more; for a stay give the same place twice, with two times"
    )]
    TooFewWaypoints,
    /// More than [`MAX_WAYPOINTS`].
    #[error("{found} waypoints are more than {limit}; split the movement")]
    TooManyWaypoints {
        /// How many were given.
        found: usize,
        /// How many may be.
        limit: usize,
    },
    /// A time earlier than that of a waypoint before.
    #[error(
        "/{waypoint}: this waypoint's time is before an earlier waypoint's; put the waypoints in order of time"
    )]
    TimesRunBackward {
        /// Index of the waypoint, from 0.
        waypoint: usize,
    },
    /// A leg longer than [`MAX_LEG_M`].
    #[error(
        "/{waypoint}: the leg that starts here is longer than 5,000 km; add waypoints on the way"
    )]
    LegTooLong {
        /// Index of the waypoint at which the leg starts, from 0.
        waypoint: usize,
    },
    /// A slack greater than [`MAX_SLACK_S`].
    #[error("/{waypoint}: the slack is more than thirty days; leave the time out instead")]
    SlackTooLong {
        /// Index of the waypoint, from 0.
        waypoint: usize,
    },
    /// A half-width that is not between 0 and [`super::shape::MAX_REACH_M`].
    #[error("the half-width is not between 0 and 1,000,000 metres")]
    HalfWidth,
}

/// When a waypoint is passed: the moment, give or take the slack.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Timing {
    /// The planned moment.
    pub at: OffsetDateTime,
    /// Seconds by which it may be earlier or later.
    pub slack_s: u32,
}

/// A place on the way, with its time if one is notified. Prints as `[sealed]`.
#[derive(Clone, Copy, PartialEq)]
pub struct Waypoint {
    /// Where.
    pub position: Position,
    /// When.
    pub timing: Option<Timing>,
}

/// Which places of a movement may be occupied when.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Presence {
    /// As notified: each place at its times, with their slack.
    AsNotified,
    /// Overdue: anywhere on the route from this leg on (0 for all of it), at any time.
    AnywhereFrom {
        /// The first leg that may not have been left behind, from 0.
        leg: usize,
    },
}

/// The moments at which a leg's places may be occupied, in seconds since the epoch: earliest and latest, each at the leg's
/// start and end and linear between. Infinite where nothing is known.
#[derive(Clone, Copy)]
struct Occupied {
    earliest: [f64; 2],
    latest: [f64; 2],
}

/// A validated movement. Prints as `[sealed]`.
#[derive(Clone)]
pub struct Track {
    legs: Vec<Curve>,
    times: Vec<Occupied>,
    blocks: Vec<Block>,
    half_width_m: f64,
}

impl Track {
    /// Takes waypoints in order and the half-width of the column in metres. Legs are geodesics on WGS84. Two waypoints at
    /// one place are a stop.
    ///
    /// # Errors
    /// [`TrackError`] naming the waypoint and what to do.
    pub fn new(waypoints: &[Waypoint], half_width_m: f64) -> Result<Self, TrackError> {
        if waypoints.len() < 2 {
            return Err(TrackError::TooFewWaypoints);
        }
        if waypoints.len() > MAX_WAYPOINTS {
            return Err(TrackError::TooManyWaypoints {
                found: waypoints.len(),
                limit: MAX_WAYPOINTS,
            });
        }
        if !(0.0..=super::shape::MAX_REACH_M).contains(&half_width_m) {
            return Err(TrackError::HalfWidth);
        }
        check_times(waypoints)?;
        let mut legs = Vec::with_capacity(waypoints.len());
        for (n, (a, b)) in waypoints.iter().zip(waypoints.iter().skip(1)).enumerate() {
            let leg = Curve::geodesic(a.position.lonlat(), b.position.lonlat());
            if leg.speed_max > MAX_LEG_M {
                return Err(TrackError::LegTooLong { waypoint: n });
            }
            legs.push(leg);
        }
        let blocks = blocks(&legs);
        Ok(Self {
            times: occupied(waypoints),
            legs,
            blocks,
            half_width_m,
        })
    }

    /// How many legs there are: waypoints less one.
    pub fn legs(&self) -> usize {
        self.legs.len()
    }

    /// Length of the route in metres.
    pub fn length_m(&self) -> f64 {
        self.legs.iter().map(|leg| leg.speed_max).sum()
    }

    /// The half-width of the column in metres.
    pub fn half_width_m(&self) -> f64 {
        self.half_width_m
    }

    /// The time within which the movement may be under way at all, slack included; open where a bound is not known.
    pub fn span(&self) -> super::Window {
        let least = self
            .times
            .iter()
            .flat_map(|t| t.earliest)
            .fold(f64::INFINITY, f64::min);
        let most = self
            .times
            .iter()
            .flat_map(|t| t.latest)
            .fold(f64::NEG_INFINITY, f64::max);
        // Rounded outward by more than the microsecond that a double loses.
        let window = super::Window::new(
            super::window::moment(least - 1e-5),
            super::window::moment(most + 1e-5),
        );
        window.unwrap_or(super::Window::ALWAYS)
    }

    /// What remains from a waypoint (counted from 0) on may be this much later than its times and their slack allow, and no
    /// earlier or later else: a delay says that time is lost, not where.
    pub fn delay(&mut self, from: usize, late_s: u32) {
        // The leg that leads to the first delayed waypoint is delayed too: that is where the movement is.
        let first = from.saturating_sub(1);
        for times in self.times.iter_mut().skip(first) {
            times.latest = times.latest.map(|at| at + f64::from(late_s));
        }
    }

    /// The first leg that may not have been left behind at a moment: all before it are surely over.
    pub fn first_leg_at(&self, now: OffsetDateTime) -> usize {
        let now = seconds(now);
        let over = |times: &Occupied| times.latest[0].max(times.latest[1]) < now;
        let gone = self.times.iter().take_while(|times| over(times)).count();
        if gone >= self.legs.len() { 0 } else { gone }
    }

    pub(crate) fn curves(&self) -> &[Curve] {
        &self.legs
    }
}

fn check_times(waypoints: &[Waypoint]) -> Result<(), TrackError> {
    let mut last: Option<OffsetDateTime> = None;
    for (waypoint, timing) in waypoints
        .iter()
        .enumerate()
        .filter_map(|(n, w)| w.timing.map(|t| (n, t)))
    {
        if timing.slack_s > MAX_SLACK_S {
            return Err(TrackError::SlackTooLong { waypoint });
        }
        if last.is_some_and(|last| timing.at < last) {
            return Err(TrackError::TimesRunBackward { waypoint });
        }
        last = Some(timing.at);
    }
    Ok(())
}

/// When each leg's places may be occupied. Between two timed waypoints the bounds run linearly; where one is not timed, the
/// whole leg may be occupied from the last known moment before to the first known after.
fn occupied(waypoints: &[Waypoint]) -> Vec<Occupied> {
    let mut earliest = Vec::with_capacity(waypoints.len());
    let mut known = f64::NEG_INFINITY;
    for waypoint in waypoints {
        if let Some(timing) = waypoint.timing {
            known = seconds(timing.at) - f64::from(timing.slack_s);
        }
        earliest.push(known);
    }
    let mut latest = vec![f64::INFINITY; waypoints.len()];
    let mut known = f64::INFINITY;
    for (waypoint, latest) in waypoints.iter().zip(latest.iter_mut()).rev() {
        if let Some(timing) = waypoint.timing {
            known = seconds(timing.at) + f64::from(timing.slack_s);
        }
        *latest = known;
    }
    let ends = waypoints.iter().zip(earliest.iter().zip(&latest));
    ends.clone()
        .zip(ends.skip(1))
        .map(|((a, (a_early, a_late)), (b, (b_early, b_late)))| {
            if a.timing.is_some() && b.timing.is_some() {
                Occupied {
                    earliest: [*a_early, *b_early],
                    latest: [*a_late, *b_late],
                }
            } else {
                Occupied {
                    earliest: [*a_early; 2],
                    latest: [*b_late; 2],
                }
            }
        })
        .collect()
}

impl fmt::Debug for Timing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("[sealed]")
    }
}

impl fmt::Debug for Waypoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("[sealed]")
    }
}

impl fmt::Debug for Track {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("[sealed]")
    }
}
