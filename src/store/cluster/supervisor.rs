//! Keeps the private PostgreSQL running: starts it with bounded retries, notices when it ends, starts it again with a
//! growing pause, and gives up loudly when that does not help. It owns the data directory's lock, so the lock lasts
//! exactly as long as the server that it protects.

use std::collections::VecDeque;
use std::path::PathBuf;
use std::time::Duration;

use tokio::sync::watch;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::directory::DataDir;
use super::error::ClusterError;
use super::install::Install;
use super::postmaster::{Postmaster, trim_log};
use super::previous;

/// How long failed starts are repeated: after `kill -9` the old shared memory can be in use for about two seconds.
const RETRY_LIMIT: Duration = Duration::from_secs(15);

/// The pause between failed starts.
const RETRY_EVERY: Duration = Duration::from_millis(200);

/// At most this many restarts within [`RESTART_WINDOW`].
const MAX_RESTARTS: usize = 10;

/// The window that restarts are counted in.
const RESTART_WINDOW: Duration = Duration::from_mins(10);

/// First and longest pause before a restart; it doubles in between.
const BACK_OFF: (Duration, Duration) = (Duration::from_millis(50), Duration::from_secs(5));

/// How often the log's size is looked at.
const TRIM_EVERY: Duration = Duration::from_mins(1);

/// How the private PostgreSQL is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Health {
    /// Accepting connections.
    Running {
        /// The postmaster's process number.
        pid: u32,
    },
    /// It ended by itself and is being started again.
    Restarting,
    /// It crashed too often; it stays down. The server should stop.
    Failed,
    /// Stopped because we were asked to.
    Stopped,
}

/// How many restarts are left: [`MAX_RESTARTS`] within any [`RESTART_WINDOW`].
#[derive(Debug, Default)]
struct Budget {
    spent: VecDeque<Instant>,
}

impl Budget {
    /// Takes one restart; `false` when none is left.
    fn spend(&mut self, now: Instant) -> bool {
        self.spent
            .retain(|&at| now.duration_since(at) < RESTART_WINDOW);
        if self.spent.len() >= MAX_RESTARTS {
            return false;
        }
        self.spent.push_back(now);
        true
    }
}

/// Everything that a start needs.
#[derive(Debug)]
pub struct Launcher {
    pub data: DataDir,
    pub install: Install,
    /// `postgresql.conf`, `pg_hba.conf`, `pg_ident.conf`.
    pub conf: [PathBuf; 3],
}

impl Launcher {
    /// Stops what an earlier life left, then starts; repeats within a bound.
    ///
    /// # Errors
    /// The last attempt's.
    pub async fn launch(&self) -> Result<Postmaster, ClusterError> {
        let until = Instant::now() + RETRY_LIMIT;
        loop {
            previous::settle(&self.data.pgdata()).await?;
            match Postmaster::start(&self.data, &self.install, &self.conf).await {
                Ok(postmaster) => return Ok(postmaster),
                Err(error) if Instant::now() >= until => return Err(error),
                Err(error) => tracing::debug!(%error, "PostgreSQL did not start; trying again"),
            }
            tokio::time::sleep(RETRY_EVERY).await;
        }
    }
}

/// Watches `postmaster` until `stop`, restarting it when it ends by itself.
///
/// # Errors
/// [`ClusterError::GaveUp`], or what stopping it returned.
pub async fn supervise(
    launcher: Launcher,
    mut postmaster: Postmaster,
    health: watch::Sender<Health>,
    stop: CancellationToken,
) -> Result<(), ClusterError> {
    let mut budget = Budget::default();
    let mut trim = tokio::time::interval(TRIM_EVERY);
    loop {
        tokio::select! {
            biased;
            () = stop.cancelled() => {
                let result = postmaster.stop().await;
                health.send_replace(Health::Stopped);
                launcher.data.forget_socket_dir()?;
                return result;
            }
            status = postmaster.wait() => {
                tracing::error!(status = ?status.map(|s| s.to_string()), "PostgreSQL ended by itself; starting it again");
                health.send_replace(Health::Restarting);
                match restart(&launcher, &mut budget, &stop).await {
                    Some(Ok(next)) => {
                        postmaster = next;
                        health.send_replace(Health::Running { pid: postmaster.pid() });
                        tracing::info!(pid = postmaster.pid(), "PostgreSQL is back");
                    }
                    Some(Err(error)) => {
                        tracing::error!(%error, "PostgreSQL stays down");
                        health.send_replace(Health::Failed);
                        return Err(error);
                    }
                    None => {
                        health.send_replace(Health::Stopped);
                        return launcher.data.forget_socket_dir();
                    }
                }
            }
            _ = trim.tick() => {
                if let Err(error) = trim_log(&launcher.data.log()) {
                    tracing::warn!(%error, "PostgreSQL's log was not cut");
                }
            }
        }
    }
}

/// Starts it again, as often as the bound allows. `None` when asked to stop meanwhile.
async fn restart(
    launcher: &Launcher,
    budget: &mut Budget,
    stop: &CancellationToken,
) -> Option<Result<Postmaster, ClusterError>> {
    let mut pause = BACK_OFF.0;
    loop {
        if !budget.spend(Instant::now()) {
            return Some(Err(ClusterError::GaveUp(MAX_RESTARTS)));
        }
        tokio::select! {
            () = stop.cancelled() => return None,
            () = tokio::time::sleep(pause) => {}
        }
        let launched = tokio::select! {
            () = stop.cancelled() => return None,
            launched = launcher.launch() => launched,
        };
        match launched {
            Ok(postmaster) => return Some(Ok(postmaster)),
            Err(error) => tracing::error!(%error, "PostgreSQL did not start"),
        }
        pause = (pause * 2).min(BACK_OFF.1);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn restarts_are_bounded_and_the_bound_recovers_with_time() {
        let (mut budget, now) = (Budget::default(), Instant::now());
        for _ in 0..MAX_RESTARTS {
            assert!(budget.spend(now));
        }
        assert!(!budget.spend(now + RESTART_WINDOW / 2));
        assert!(budget.spend(now + RESTART_WINDOW));
    }
}
