//! Once a second it is looked whether a month's time is over, and what is left to do about one whose time was. It runs beside
//! the clockwork, so that emptying a large month holds up no alert.

use std::time::Duration;

use tokio::time::{MissedTickBehavior, interval, timeout};
use tokio_util::sync::CancellationToken;

use crate::service::retention::Retention;

/// Between looks.
const EVERY: Duration = Duration::from_secs(1);
/// How long a look may take; the next one goes on.
const LOOK: Duration = Duration::from_mins(5);

/// Runs until `stop` is cancelled. The database may come and go; looks go on.
pub async fn run(mut retention: Retention, stop: CancellationToken) {
    let mut ticks = interval(EVERY);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        tokio::select! {
            biased;
            () = stop.cancelled() => return,
            _ = ticks.tick() => {}
        }
        let looked = tokio::select! {
            biased;
            () = stop.cancelled() => return,
            looked = timeout(LOOK, retention.look()) => looked,
        };
        match looked {
            Ok(Ok(())) => {}
            Ok(Err(problem)) => {
                let kind = problem.kind();
                tracing::warn!(
                    ?kind,
                    "what is to be destroyed could not be seen to; it is tried again"
                );
            }
            Err(_) => tracing::warn!("destroying took too long; it goes on at the next look"),
        }
    }
}
