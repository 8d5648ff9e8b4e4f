//! One life of the PostgreSQL server process: started as our child, watched until it is ready, stopped within a bound.

use std::fs::File;
use std::io::{Read as _, Seek as _, SeekFrom};
use std::path::{Path, PathBuf};
use std::process::{ExitStatus, Stdio};
use std::time::Duration;

use nix::sys::signal::{Signal, kill};
use nix::unistd::{Pid, User};
use tokio::process::{Child, Command};
use tokio::time::{Instant, timeout};

use super::directory::DataDir;
use super::error::ClusterError;
use super::install::Install;

/// How long one start may take while the process lives: replaying half a gigabyte of log on a slow disk.
const READY_LIMIT: Duration = Duration::from_mins(2);

/// How long a fast shutdown may take, then an immediate one.
const STOP_PATIENCE: [(Signal, Duration); 2] = [
    (Signal::SIGINT, Duration::from_secs(20)),
    (Signal::SIGQUIT, Duration::from_secs(3)),
];

/// How long `initdb` may take.
const INITDB_LIMIT: Duration = Duration::from_mins(2);

/// How often readiness is looked at.
const LOOK_EVERY: Duration = Duration::from_millis(5);

/// What is shown of the log when a start fails.
const TAIL_BYTES: u64 = 2_048;

/// The log is cut when it grows past this; it is for people who look into a failed start, not an archive.
const MAX_LOG_BYTES: u64 = 4 << 20;

/// A running postmaster. Dropping it asks it to shut down and does not wait.
#[derive(Debug)]
pub struct Postmaster {
    child: Child,
    pid: u32,
}

impl Postmaster {
    /// Starts it once and waits until it accepts connections.
    ///
    /// # Errors
    /// [`ClusterError::Start`] with the log's last lines when it exits or is not ready in time.
    pub async fn start(
        data: &DataDir,
        install: &Install,
        conf: &[PathBuf; 3],
    ) -> Result<Self, ClusterError> {
        let log_path = data.log();
        trim_log(&log_path)?;
        let log = File::options()
            .create(true)
            .append(true)
            .open(&log_path)
            .map_err(ClusterError::io("open", &log_path))?;
        let from = log
            .metadata()
            .map_err(ClusterError::io("look at", &log_path))?
            .len();
        let [config_file, hba_file, ident_file] = conf;
        let mut command = command(&install.bin.join("postgres"), data);
        command.arg("-D").arg(data.pgdata());
        for (name, path) in [
            ("config_file", config_file),
            ("hba_file", hba_file),
            ("ident_file", ident_file),
        ] {
            command.arg("-c").arg(format!("{name}={}", path.display()));
        }
        let stderr = log
            .try_clone()
            .map_err(ClusterError::io("open", &log_path))?;
        let child = command
            .stdin(Stdio::null())
            .stdout(Stdio::from(log))
            .stderr(Stdio::from(stderr))
            .spawn()
            .map_err(ClusterError::io("run", install.bin.join("postgres")))?;
        let failed = |reason: String| ClusterError::Start {
            reason,
            log: log_path.clone(),
        };
        let pid = child
            .id()
            .ok_or_else(|| failed("it exited at once".to_owned()))?;
        let mut this = Self { child, pid };
        let until = Instant::now() + READY_LIMIT;
        while Instant::now() < until {
            if is_ready(&data.pgdata(), this.pid) {
                return Ok(this);
            }
            if let Some(status) = this
                .child
                .try_wait()
                .map_err(ClusterError::io("wait for", &log_path))?
            {
                return Err(failed(format!("{status}: {}", tail(&log_path, from))));
            }
            tokio::time::sleep(LOOK_EVERY).await;
        }
        // Leave nothing behind; that it then ends by a signal is not the news.
        let stopped = this.stop().await;
        tracing::debug!(?stopped, "stopped a PostgreSQL that was not ready in time");
        Err(failed(format!(
            "not ready after {} s: {}",
            READY_LIMIT.as_secs(),
            tail(&log_path, from)
        )))
    }

    /// The process number.
    pub fn pid(&self) -> u32 {
        self.pid
    }

    /// Waits until it ends.
    ///
    /// # Errors
    /// The operating system's, when the child cannot be waited for.
    pub async fn wait(&mut self) -> std::io::Result<ExitStatus> {
        self.child.wait().await
    }

    /// Fast shutdown, then an immediate one, then the end; bounded.
    ///
    /// # Errors
    /// [`ClusterError::Killed`] when it did not go by itself.
    pub async fn stop(mut self) -> Result<(), ClusterError> {
        for (signal, patience) in STOP_PATIENCE {
            self.signal(signal);
            match timeout(patience, self.child.wait()).await {
                Ok(Ok(_)) => return Ok(()),
                Ok(Err(e)) => return Err(ClusterError::io("wait for", "postgres")(e)),
                Err(_) => tracing::warn!(?signal, "PostgreSQL is slow to stop"),
            }
        }
        self.child
            .kill()
            .await
            .map_err(ClusterError::io("kill", "postgres"))?;
        Err(ClusterError::Killed)
    }

    /// Sends a signal to the child while it has not been collected.
    fn signal(&self, signal: Signal) {
        let Some(pid) = self.child.id().and_then(|pid| i32::try_from(pid).ok()) else {
            return;
        };
        if let Err(error) = kill(Pid::from_raw(pid), signal) {
            tracing::debug!(pid, %error, "signal not delivered");
        }
    }
}

impl Drop for Postmaster {
    fn drop(&mut self) {
        self.signal(Signal::SIGINT);
    }
}

/// Runs `initdb` into `into`: checksums, UTF-8, byte order, no password, no authentication but the peer's.
/// It does not sync its thousand files one by one: the caller syncs them all at once.
///
/// # Errors
/// [`ClusterError::Initdb`] with what it wrote.
pub async fn initdb(data: &DataDir, install: &Install, into: &Path) -> Result<(), ClusterError> {
    let program = install.bin.join("initdb");
    let mut command = command(&program, data);
    command
        .arg("-D")
        .arg(into)
        .args([
            "--username=herald_admin",
            "--encoding=UTF8",
            "--locale=C",
            "--data-checksums",
        ])
        .args([
            "--auth-local=peer",
            "--auth-host=reject",
            "--no-instructions",
            "--no-sync",
        ])
        .stdin(Stdio::null())
        .kill_on_drop(true);
    let output = timeout(INITDB_LIMIT, command.output())
        .await
        .map_err(|_| ClusterError::Initdb(format!("not done after {} s", INITDB_LIMIT.as_secs())))?
        .map_err(ClusterError::io("run", &program))?;
    if output.status.success() {
        return Ok(());
    }
    Err(ClusterError::Initdb(format!(
        "{}: {}",
        output.status,
        String::from_utf8_lossy(&output.stderr).trim()
    )))
}

/// A command of PostgreSQL's: a bare environment, a process group of its own (so that Ctrl-C reaches only us and we
/// stop it in order), and the unprivileged user where we are root.
fn command(program: &Path, data: &DataDir) -> Command {
    let mut command = Command::new(program);
    command
        .env_clear()
        .env("PATH", "/usr/bin:/bin")
        .env("LC_ALL", "C")
        .env("TZ", "UTC")
        .current_dir(data.root())
        .process_group(0);
    if let Some(User { uid, gid, .. }) = &data.run_as().drop_to {
        command.uid(uid.as_raw()).gid(gid.as_raw());
    }
    command
}

/// Whether `postmaster.pid` says that our child accepts connections (its last line, as `pg_ctl` reads it).
fn is_ready(pgdata: &Path, pid: u32) -> bool {
    let Ok(text) = std::fs::read_to_string(pgdata.join("postmaster.pid")) else {
        return false;
    };
    let mut lines = text.lines();
    let ours = lines.next().and_then(|line| line.trim().parse().ok()) == Some(pid);
    ours && lines.nth(6).is_some_and(|status| status.trim() == "ready")
}

/// The last lines that were written to the log from byte `from` on.
fn tail(log: &Path, from: u64) -> String {
    let read = || -> std::io::Result<String> {
        let mut file = File::open(log)?;
        let len = file.metadata()?.len();
        file.seek(SeekFrom::Start(from.max(len.saturating_sub(TAIL_BYTES))))?;
        let mut bytes = Vec::new();
        file.take(TAIL_BYTES).read_to_end(&mut bytes)?;
        Ok(String::from_utf8_lossy(&bytes).trim().replace('\n', "; "))
    };
    read().unwrap_or_else(|e| format!("(its log cannot be read: {e})"))
}

/// Empties the log when it has grown past its bound. PostgreSQL appends, so this is safe while it runs.
///
/// # Errors
/// [`ClusterError::Io`].
pub fn trim_log(log: &Path) -> Result<(), ClusterError> {
    match std::fs::metadata(log) {
        Ok(meta) if meta.len() > MAX_LOG_BYTES => {
            let file = File::options()
                .write(true)
                .open(log)
                .map_err(ClusterError::io("open", log))?;
            file.set_len(0).map_err(ClusterError::io("cut", log))
        }
        _ => Ok(()),
    }
}
