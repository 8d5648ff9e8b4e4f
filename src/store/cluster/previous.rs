//! What an earlier life may have left behind: after `kill -9` of this server its PostgreSQL goes on without a parent;
//! after `kill -9` of PostgreSQL a stale `postmaster.pid` and children that still hold its memory may remain. Before a
//! start, everything that is still at work in the cluster's directory is stopped, so that two servers never share it.
//! The data directory's lock is held by then: whatever is found there is ours, and nobody's current server.

use std::path::Path;
use std::time::Duration;

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use tokio::time::Instant;

use super::error::ClusterError;

/// How long each, sterner signal is given. Together they bound the wait.
const PATIENCE: [(Signal, Duration); 3] = [
    // Fast shutdown: roll back, write a checkpoint, leave.
    (Signal::SIGINT, Duration::from_secs(10)),
    // Immediate shutdown: leave; recovery replays the log.
    (Signal::SIGQUIT, Duration::from_secs(3)),
    (Signal::SIGKILL, Duration::from_secs(2)),
];

/// How long children of a killed postmaster are given to notice by themselves.
const CHILDREN_NOTICE: Duration = Duration::from_secs(2);

/// How often a process is looked at while waiting.
const LOOK_EVERY: Duration = Duration::from_millis(10);

/// Leaves no process at work in `pgdata`, and no `postmaster.pid` that would keep a new one from starting.
///
/// # Errors
/// [`ClusterError::Orphan`] when something cannot be stopped, [`ClusterError::Io`].
pub async fn settle(pgdata: &Path) -> Result<(), ClusterError> {
    if let Some(pid) = recorded_postmaster(pgdata)
        && works_in(pid, pgdata)
    {
        tracing::info!(pid, "stopping the PostgreSQL of an earlier run");
        stop(pid, pgdata, &PATIENCE).await?;
    }
    let noticed = Instant::now() + CHILDREN_NOTICE;
    while !workers(pgdata).is_empty() && Instant::now() < noticed {
        tokio::time::sleep(LOOK_EVERY).await;
    }
    for pid in workers(pgdata) {
        tracing::info!(
            pid,
            "stopping a PostgreSQL process that an earlier run left behind"
        );
        stop(pid, pgdata, PATIENCE.get(1..).unwrap_or_default()).await?;
    }
    remove_misleading_pid_file(pgdata)
}

/// A stale `postmaster.pid` whose number some other process has now, or a dead one that nobody has collected, would
/// make PostgreSQL refuse to start. One whose process is gone is left: PostgreSQL uses it to make sure that the old
/// shared memory is unused.
fn remove_misleading_pid_file(pgdata: &Path) -> Result<(), ClusterError> {
    let Some(pid) = recorded_postmaster(pgdata) else {
        return Ok(());
    };
    if kill(Pid::from_raw(pid), None).is_err() {
        return Ok(());
    }
    let path = pgdata.join("postmaster.pid");
    std::fs::remove_file(&path).map_err(ClusterError::io("remove", &path))
}

/// Sends each signal in turn until the process is gone.
async fn stop(pid: i32, pgdata: &Path, signals: &[(Signal, Duration)]) -> Result<(), ClusterError> {
    for &(signal, patience) in signals {
        // An error means that it is already gone, which the look below finds out.
        if let Err(error) = kill(Pid::from_raw(pid), signal) {
            tracing::debug!(pid, %error, "signal not delivered");
        }
        let until = Instant::now() + patience;
        while Instant::now() < until {
            if !works_in(pid, pgdata) {
                return Ok(());
            }
            tokio::time::sleep(LOOK_EVERY).await;
        }
    }
    Err(ClusterError::Orphan {
        pid,
        dir: pgdata.to_owned(),
    })
}

/// The process number in `postmaster.pid`.
fn recorded_postmaster(pgdata: &Path) -> Option<i32> {
    let text = std::fs::read_to_string(pgdata.join("postmaster.pid")).ok()?;
    text.lines()
        .next()?
        .trim()
        .parse()
        .ok()
        .filter(|&pid| pid > 1)
}

/// Every PostgreSQL process that works in `pgdata`.
fn workers(pgdata: &Path) -> Vec<i32> {
    std::fs::read_dir("/proc")
        .into_iter()
        .flatten()
        .filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok())
        .filter(|&pid| works_in(pid, pgdata))
        .collect()
}

/// Whether a live process is a PostgreSQL at work in `pgdata`: by its working directory, which PostgreSQL sets to the
/// cluster's; where that may not be read (root in a container), by the command line that we start it with.
fn works_in(pid: i32, pgdata: &Path) -> bool {
    let proc = Path::new("/proc").join(pid.to_string());
    let name = std::fs::read_to_string(proc.join("comm")).unwrap_or_default();
    if !matches!(name.trim(), "postgres" | "postmaster") {
        return false;
    }
    match std::fs::read_link(proc.join("cwd")) {
        Ok(cwd) => cwd == pgdata,
        Err(e) if e.kind() == std::io::ErrorKind::PermissionDenied => {
            let command = std::fs::read(proc.join("cmdline")).unwrap_or_default();
            let mut words = command.split(|&byte| byte == 0);
            words.any(|word| word == b"-D")
                && words.next() == Some(pgdata.as_os_str().as_encoded_bytes())
        }
        // Gone, or dead and not yet collected.
        Err(_) => false,
    }
}
