//! Time passes: once a second the schedule is looked at, and what has fallen due is said. What was to come while the server
//! was down comes at its start, once. The moments stand in the database; here is only what was read of them.

use std::time::Duration;

use tokio::time::{MissedTickBehavior, interval, timeout};
use tokio_util::sync::CancellationToken;

use crate::service::schedule::Schedule;

/// The times of the job.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ClockworkTimes {
    /// Between looks.
    pub every: Duration,
    /// How long a look may take.
    pub look: Duration,
}

impl Default for ClockworkTimes {
    fn default() -> Self {
        Self {
            every: Duration::from_secs(1),
            look: Duration::from_secs(30),
        }
    }
}

/// Runs until `stop` is cancelled. The database may come and go; looks go on.
pub async fn run(mut schedule: Schedule, times: ClockworkTimes, stop: CancellationToken) {
    let mut ticks = interval(times.every);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        tokio::select! {
            biased;
            () = stop.cancelled() => return,
            _ = ticks.tick() => {}
        }
        match timeout(times.look, schedule.tick()).await {
            Ok(Ok(())) => {}
            Ok(Err(problem)) => {
                let kind = problem.kind();
                tracing::warn!(
                    ?kind,
                    "the schedule could not be looked at; it is tried again"
                );
            }
            Err(_) => tracing::warn!("the schedule was looked at for too long; it is tried again"),
        }
    }
}
