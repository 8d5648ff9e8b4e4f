//! Wakes the sockets of desks that have mail: when the database's bell rings (another node, or this one, took something
//! in), and every few seconds without it, for a ring may be lost. Ends the sockets of devices that another node revoked,
//! and finds the old revisions that a fetch and a screening at the same moment left counting.

use std::sync::Arc;
use std::time::Duration;

use tokio::time::{Instant, sleep, sleep_until, timeout};
use tokio_util::sync::CancellationToken;

use crate::domain::ids::{ActorId, ContextId, DeviceId};
use crate::service::hub::{DeskId, Hub};
use crate::store::error::StoreError;
use crate::store::listen::WakeListener;
use crate::store::mailbox as store;
use crate::store::pool::Pools;

/// How many desks or devices are asked about at once.
const BATCH: usize = 1_000;

/// How many rings one look answers at most.
const BURST: usize = 10_000;

/// The times of the job.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DeliverTimes {
    /// Between looks when nothing rings.
    pub poll: Duration,
    /// After a ring, before the look: rings come in bursts.
    pub settle: Duration,
    /// Before the first try to listen again after the connection was lost; doubles with each.
    pub reconnect: Duration,
    /// The longest such wait.
    pub reconnect_max: Duration,
    /// Between looks for what still counts and should not.
    pub sweep: Duration,
    /// How long a look may take.
    pub look: Duration,
}

impl Default for DeliverTimes {
    fn default() -> Self {
        Self {
            poll: Duration::from_secs(3),
            settle: Duration::from_millis(20),
            reconnect: Duration::from_millis(100),
            reconnect_max: Duration::from_secs(10),
            sweep: Duration::from_mins(1),
            look: Duration::from_secs(30),
        }
    }
}

/// Runs until `stop` is cancelled. The database may come and go; looks go on.
pub async fn run(pools: Pools, hub: Arc<Hub>, times: DeliverTimes, stop: CancellationToken) {
    let mut job = Job {
        pools,
        hub,
        times,
        listener: None,
        wait: times.reconnect,
        retry_at: Instant::now(),
        swept_at: Instant::now(),
    };
    let work = async {
        loop {
            job.round().await;
        }
    };
    tokio::select! {
        () = stop.cancelled() => {}
        () = work => {}
    }
}

struct Job {
    pools: Pools,
    hub: Arc<Hub>,
    times: DeliverTimes,
    listener: Option<WakeListener>,
    /// How long to wait before the next try to listen.
    wait: Duration,
    retry_at: Instant,
    swept_at: Instant,
}

impl Job {
    async fn round(&mut self) {
        // What rang while nobody listened is found by a look at once.
        if !self.listens_again().await {
            self.sleep_until_rung().await;
        }
        self.within("look", look(&self.pools, &self.hub)).await;
        if self.swept_at.elapsed() >= self.times.sweep {
            self.swept_at = Instant::now();
            self.within("sweep", sweep(&self.pools)).await;
        }
    }

    /// Listens, if the connection was lost and it is time to try; says whether that has just begun.
    async fn listens_again(&mut self) -> bool {
        if self.listener.is_some() || Instant::now() < self.retry_at {
            return false;
        }
        let connecting = WakeListener::connect(&self.pools.worker);
        if let Ok(Ok(listener)) = timeout(self.times.look, connecting).await {
            self.listener = Some(listener);
            self.wait = self.times.reconnect;
            return true;
        }
        self.retry_at = Instant::now() + self.wait;
        self.wait = (self.wait * 2).min(self.times.reconnect_max);
        false
    }

    async fn sleep_until_rung(&mut self) {
        let poll = Instant::now() + self.times.poll;
        let Some(listener) = &mut self.listener else {
            sleep_until(poll.min(self.retry_at)).await;
            return;
        };
        let mut rung = tokio::select! {
            rung = listener.ring() => rung,
            () = sleep_until(poll) => return,
        };
        if rung.is_ok() {
            sleep(self.times.settle).await;
        }
        // One look answers every ring of the burst.
        for _ in 0..BURST {
            if rung.is_err() {
                tracing::warn!(
                    "the connection that listens for new mail is lost; mail is looked for meanwhile"
                );
                self.listener = None;
                return;
            }
            let Ok(again) = timeout(Duration::ZERO, listener.ring()).await else {
                return;
            };
            rung = again;
        }
    }

    async fn within(&self, what: &'static str, work: impl Future<Output = Result<(), StoreError>>) {
        match timeout(self.times.look, work).await {
            Ok(Ok(())) => {}
            Ok(Err(error)) => {
                tracing::warn!(what, %error, "delivery could not look; it tries again");
            }
            Err(_) => tracing::warn!(what, "delivery looked for too long; it tries again"),
        }
    }
}

/// Wakes the desks whose mailbox reaches further than anyone here has seen, and ends the sockets of devices that are no
/// longer active.
///
/// # Errors
/// [`StoreError`].
pub async fn look(pools: &Pools, hub: &Hub) -> Result<(), StoreError> {
    let desks: Vec<DeskId> = hub.listening();
    if desks.is_empty() {
        return Ok(());
    }
    let mut conn = pools.worker.acquire().await?;
    for some in desks.chunks(BATCH) {
        for (ctx, actor, head, call) in store::heads(&mut conn, some).await? {
            let desk = (ctx, actor);
            hub.saw_call(&desk, call);
            hub.wake_if_behind(&desk, head);
        }
    }
    let devices: Vec<(ContextId, ActorId, DeviceId)> = hub.devices();
    for some in devices.chunks(BATCH) {
        for (ctx, actor, device) in store::no_longer_active(&mut conn, some).await? {
            hub.close_device(&ctx, &actor, &device);
        }
    }
    Ok(())
}

async fn sweep(pools: &Pools) -> Result<(), StoreError> {
    let mut conn = pools.worker.acquire().await?;
    let found = store::retire_all_superseded(&mut conn).await?;
    if found > 0 {
        tracing::info!(found, "superseded revisions ended counting late");
    }
    Ok(())
}
