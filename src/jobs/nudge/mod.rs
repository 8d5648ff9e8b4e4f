//! Nudges are carried: one task looks once a second who is to be told, and one for each way hands messages to whoever
//! carries them, a few at a time, so that a mail server that hangs holds back no SMS. No address and no word of a server
//! outside reaches a log.

pub mod config;
pub mod mail;
mod starttls;
pub mod webhook;

use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::Semaphore;
use tokio::time::{MissedTickBehavior, interval, timeout};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use self::config::Carriers;
use crate::domain::nudge::Way;
use crate::service::core::Core;
use crate::service::nudge::Ways;
use crate::service::nudge::plan;
use crate::service::nudge::send::{self, Outgoing};

/// Between looks.
const EVERY: Duration = Duration::from_secs(1);
/// How long a look may take.
const LOOK: Duration = Duration::from_secs(30);
/// Looks between clearings.
const CLEAR_EVERY: u32 = 3_600;
/// How long the end waits for what is being carried.
const END: Duration = Duration::from_secs(5);
/// Messages of one way that are carried at once.
const AT_ONCE: usize = 8;

/// At what a try failed. No address, no word of the server outside.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Failed {
    /// No connection, or (of a webhook) no trusted certificate.
    #[error("the server could not be reached, or its certificate is not trusted")]
    Unreachable,
    /// A mail server without STARTTLS.
    #[error("the mail server offers no STARTTLS; nothing was said to it")]
    NoStartTls,
    /// TLS with a mail server.
    #[error("TLS with the mail server failed; its certificate may not be trusted")]
    Tls,
    /// The login.
    #[error("the mail server did not take the user and password")]
    Login,
    /// It was not taken.
    #[error("the server did not take the message")]
    Refused,
    /// It took too long.
    #[error("the server did not answer in time")]
    TooSlow,
    /// It cannot be written.
    #[error("the address does not serve")]
    Address,
}

/// Runs all of it until `stop` is cancelled. Nothing runs where nobody carries anything.
pub fn spawn(core: &Core, carriers: Carriers, tasks: &TaskTracker, stop: &CancellationToken) {
    let ways = carriers.ways();
    if ways == Ways::default() {
        return;
    }
    tasks.spawn(planning(
        core.clone(),
        ways,
        carriers.routine_wait,
        stop.clone(),
    ));
    if let Some(mail) = carriers.mail.map(Arc::new) {
        let carry = move |message: Arc<Outgoing>| {
            let mail = Arc::clone(&mail);
            async move { mail.carry(&message).await }
        };
        tasks.spawn(carrying(core.clone(), Way::Mail, carry, stop.clone()));
    }
    if let Some(gateway) = carriers.webhook.map(Arc::new) {
        let carry = move |message: Arc<Outgoing>| {
            let gateway = Arc::clone(&gateway);
            async move { gateway.carry(&message).await }
        };
        tasks.spawn(carrying(core.clone(), Way::Webhook, carry, stop.clone()));
    }
}

async fn planning(core: Core, ways: Ways, routine_wait: Duration, stop: CancellationToken) {
    let mut ticks = interval(EVERY);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut looks = 0_u32;
    loop {
        tokio::select! {
            biased;
            () = stop.cancelled() => return,
            _ = ticks.tick() => {}
        }
        match timeout(LOOK, Box::pin(plan::look(&core, ways, routine_wait))).await {
            Ok(Ok(())) => {}
            Ok(Err(error)) => {
                tracing::warn!(%error, "it could not be planned who is nudged; it is tried again");
            }
            Err(_) => tracing::warn!("planning nudges took too long; it is tried again"),
        }
        looks = (looks + 1) % CLEAR_EVERY;
        if looks == 1
            && let Err(error) = plan::clear(&core).await
        {
            tracing::warn!(%error, "old nudges could not be cleared away; it is tried again");
        }
    }
}

/// Claims messages of a way and carries them, a few at a time. What is being carried when the end comes is tried again
/// after the next start, once its lease is over.
async fn carrying<F, C>(core: Core, way: Way, carry: C, stop: CancellationToken)
where
    F: Future<Output = Result<(), Failed>> + Send + 'static,
    C: Fn(Arc<Outgoing>) -> F + Send + Sync + 'static,
{
    let places = Arc::new(Semaphore::new(AT_ONCE));
    let mut ticks = interval(EVERY);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        tokio::select! {
            biased;
            () = stop.cancelled() => break,
            _ = ticks.tick() => {}
        }
        let free = i64::try_from(places.available_permits()).unwrap_or(0);
        if free == 0 {
            continue;
        }
        let claimed = match timeout(LOOK, send::claim(&core, way, free)).await {
            Ok(Ok(claimed)) => claimed,
            Ok(Err(error)) => {
                tracing::warn!(%error, "nudges could not be fetched; it is tried again");
                continue;
            }
            Err(_) => continue,
        };
        for message in claimed {
            let Ok(place) = Arc::clone(&places).acquire_owned().await else {
                break;
            };
            let message = Arc::new(message);
            let (core, trying) = (core.clone(), carry(Arc::clone(&message)));
            tokio::spawn(async move {
                let carried = trying.await;
                settle(&core, way, &message, carried).await;
                drop(place);
            });
        }
    }
    // What is nearly done may end; the rest is tried again after the next start.
    let all = u32::try_from(AT_ONCE).unwrap_or(1);
    drop(timeout(END, places.acquire_many(all)).await);
}

async fn settle(core: &Core, way: Way, message: &Outgoing, carried: Result<(), Failed>) {
    if let Err(failed) = carried {
        tracing::info!(%way, %failed, "a nudge did not go out");
    }
    if let Err(error) = send::settle(core, message, carried.is_ok()).await {
        tracing::warn!(%error, "what became of a nudge could not be kept; it is sent again");
    }
}
