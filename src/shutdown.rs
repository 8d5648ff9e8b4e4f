//! One signal that everything listens to, and the order in which a server ends: unready, drain, close the sockets with
//! 1001, stop the jobs, stop the database. Every step is bounded, and a second signal skips the waiting.

use std::future::Future;

use std::time::Duration;

use tokio::signal::unix::{SignalKind, signal};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

/// How long each step may take.
#[derive(Debug, Clone)]
pub struct ShutdownLimits {
    /// Between unready and drain, so that a balancer sees it.
    pub unready: Duration,
    /// For requests in flight.
    pub drain: Duration,
    /// For sockets to take their Close frame.
    pub sockets: Duration,
    /// For jobs to end their round.
    pub jobs: Duration,
    /// For the database to stop.
    pub database: Duration,
}

impl Default for ShutdownLimits {
    fn default() -> Self {
        Self {
            unready: Duration::from_millis(500),
            drain: Duration::from_secs(15),
            sockets: Duration::from_secs(5),
            jobs: Duration::from_secs(10),
            database: Duration::from_secs(30),
        }
    }
}

/// What the parts of a server listen to and are counted by. Cheap to clone; all clones are one.
#[derive(Debug, Clone)]
pub struct Shutdown {
    /// Cancelled first: the end has begun, tell the balancer.
    pub begun: CancellationToken,
    /// Cancelled second: accept nothing, finish what is in flight.
    pub drain: CancellationToken,
    /// Cancelled third: whatever request is left is dropped, sockets say 1001 and go.
    pub close_sockets: CancellationToken,
    /// Cancelled fourth: jobs end.
    pub stop_jobs: CancellationToken,
    /// Cancelled by a second signal: wait no longer.
    pub hurry: CancellationToken,
    /// Counts connections with requests.
    pub requests: TaskTracker,
    /// Counts sockets.
    pub sockets: TaskTracker,
    /// Counts jobs.
    pub jobs: TaskTracker,
}

impl Default for Shutdown {
    fn default() -> Self {
        Self::new()
    }
}

/// Which steps did not end within their limit.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ShutdownReport {
    /// The names of the steps cut short, in order.
    pub cut_short: Vec<&'static str>,
}

impl Shutdown {
    /// Nothing has begun to end.
    pub fn new() -> Self {
        Self {
            begun: CancellationToken::new(),
            drain: CancellationToken::new(),
            close_sockets: CancellationToken::new(),
            stop_jobs: CancellationToken::new(),
            hurry: CancellationToken::new(),
            requests: TaskTracker::new(),
            sockets: TaskTracker::new(),
            jobs: TaskTracker::new(),
        }
    }

    /// Begins the end, from inside.
    pub fn trigger(&self) {
        self.begun.cancel();
    }

    /// Begins the end at SIGTERM or SIGINT; a second one cancels [`Shutdown::hurry`]. Runs until that, or until the
    /// process ends.
    ///
    /// # Errors
    /// When the handlers cannot be installed.
    pub fn watch_signals(&self) -> std::io::Result<impl Future<Output = ()> + Send + 'static> {
        let mut terminate = signal(SignalKind::terminate())?;
        let mut interrupt = signal(SignalKind::interrupt())?;
        let this = self.clone();
        Ok(async move {
            for token in [&this.begun, &this.hurry] {
                tokio::select! {
                    _ = terminate.recv() => {}
                    _ = interrupt.recv() => {}
                }
                tracing::info!("a signal asks this server to end");
                token.cancel();
            }
        })
    }

    /// Waits for the beginning, then ends everything in order. `unready` is called first, `stop_database` awaited last.
    pub async fn run(
        &self,
        limits: &ShutdownLimits,
        unready: impl FnOnce(),
        stop_database: impl Future<Output = ()>,
    ) -> ShutdownReport {
        self.begun.cancelled().await;
        let mut report = ShutdownReport::default();
        unready();
        // This wait always runs to its end unless hurried; that is no step cut short.
        self.bounded(limits.unready, std::future::pending()).await;
        self.drain.cancel();
        self.requests.close();
        self.step(&mut report, "requests", limits.drain, self.requests.wait())
            .await;
        self.close_sockets.cancel();
        self.sockets.close();
        self.step(&mut report, "sockets", limits.sockets, self.sockets.wait())
            .await;
        self.stop_jobs.cancel();
        self.jobs.close();
        self.step(&mut report, "jobs", limits.jobs, self.jobs.wait())
            .await;
        // The database is not hurried: it is what keeps the promises, and its own limit holds.
        if tokio::time::timeout(limits.database, stop_database)
            .await
            .is_err()
        {
            report.cut_short.push("database");
        }
        report
    }

    async fn step(
        &self,
        report: &mut ShutdownReport,
        name: &'static str,
        limit: Duration,
        work: impl Future<Output = ()>,
    ) {
        if !self.bounded(limit, work).await {
            tracing::warn!(step = name, "a step of the shutdown was cut short");
            report.cut_short.push(name);
        }
    }

    /// Whether `work` ended before `limit` and without hurry.
    async fn bounded(&self, limit: Duration, work: impl Future<Output = ()>) -> bool {
        tokio::select! {
            biased;
            () = work => true,
            () = self.hurry.cancelled() => false,
            () = tokio::time::sleep(limit) => false,
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::{Arc, Mutex};

    use super::*;

    fn short() -> ShutdownLimits {
        let ms = Duration::from_millis;
        ShutdownLimits {
            unready: ms(1),
            drain: ms(200),
            sockets: ms(200),
            jobs: ms(50),
            database: ms(200),
        }
    }

    #[tokio::test]
    async fn a_server_ends_in_order_and_the_database_last() {
        let shutdown = Shutdown::new();
        let order = Arc::new(Mutex::new(Vec::new()));
        let note = |word: &'static str| {
            let order = Arc::clone(&order);
            move || order.lock().expect("not poisoned").push(word)
        };
        let parts = [
            (&shutdown.requests, &shutdown.drain, "requests"),
            (&shutdown.sockets, &shutdown.close_sockets, "sockets"),
            (&shutdown.jobs, &shutdown.stop_jobs, "jobs"),
        ];
        for (tracker, token, word) in parts {
            let (token, note) = (token.clone(), note(word));
            drop(tracker.spawn(async move {
                token.cancelled().await;
                note();
            }));
        }
        shutdown.trigger();
        let stop = note("database");
        let report = shutdown
            .run(&short(), note("unready"), async move { stop() })
            .await;
        assert_eq!(report, ShutdownReport::default());
        assert_eq!(
            *order.lock().expect("not poisoned"),
            ["unready", "requests", "sockets", "jobs", "database"]
        );
    }

    #[tokio::test]
    async fn a_part_that_does_not_end_is_cut_short_and_named() {
        let shutdown = Shutdown::new();
        drop(shutdown.jobs.spawn(std::future::pending::<()>()));
        shutdown.trigger();
        let report = shutdown.run(&short(), || {}, async {}).await;
        assert_eq!(report.cut_short, ["jobs"]);
    }
}
