//! Clears away what nobody will ask for: contents of attachments that were sent and never named by a statement.

use std::time::Duration;

use tokio::time::{MissedTickBehavior, interval, timeout};
use tokio_util::sync::CancellationToken;

use crate::service::blobs;
use crate::service::core::Core;

/// Between looks.
const EVERY: Duration = Duration::from_mins(10);
/// How long a look may take.
const LOOK: Duration = Duration::from_mins(1);

/// Runs until `stop` is cancelled. The database may come and go; looks go on.
pub async fn run(core: Core, stop: CancellationToken) {
    let mut ticks = interval(EVERY);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        tokio::select! {
            biased;
            () = stop.cancelled() => return,
            _ = ticks.tick() => {}
        }
        match timeout(LOOK, blobs::clear_away(&core)).await {
            Ok(Ok(0)) => {}
            Ok(Ok(cleared)) => {
                tracing::info!(cleared, "attachments that nothing names were cleared away");
            }
            Ok(Err(error)) => {
                tracing::warn!(%error, "attachments could not be cleared away; it is tried again");
            }
            Err(_) => tracing::warn!("clearing attachments took too long; it is tried again"),
        }
    }
}
