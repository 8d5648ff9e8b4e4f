//! The server of the demo: a process of its own, so that it can be killed as a power cut would, and started again.

use std::fs::File;
use std::net::TcpListener;
use std::path::PathBuf;
use std::process::Stdio;
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use tokio::io::{AsyncBufReadExt as _, BufReader};
use tokio::process::{Child, Command};
use tokio::time::timeout;

use crate::cli::error::CliError;
use crate::cli::profile::io_error;

/// How long a start may take; a first one makes the database.
const START: Duration = Duration::from_mins(1);
/// How long an orderly end may take.
const END: Duration = Duration::from_secs(30);
/// Settings of whoever runs the demo that must not reach its server.
const NOT_OURS: [&str; 4] = [
    "HERALD_DIR",
    "HERALD_DATABASE_URL",
    "HERALD_LOG",
    "HERALD_PROFILE",
];

/// A server that may be running.
pub struct Server {
    dir: PathBuf,
    log: PathBuf,
    port: u16,
    child: Option<Child>,
}

impl Server {
    /// Of a deployment in `dir`, logging to `log`; it does not run yet.
    pub fn new(dir: PathBuf, log: PathBuf) -> Self {
        Self {
            dir,
            log,
            port: free_port(),
            child: None,
        }
    }

    /// Where clients reach it.
    pub fn url(&self) -> String {
        format!("https://localhost:{}", self.port)
    }

    /// Its process id, while it runs.
    pub fn pid(&self) -> Option<u32> {
        self.child.as_ref().and_then(Child::id)
    }

    /// The arguments, as a person would type them.
    pub fn words(&self) -> Vec<String> {
        let listen = format!("127.0.0.1:{}", self.port);
        ["serve", "--dir", "server", "--listen", &listen]
            .map(str::to_owned)
            .to_vec()
    }

    /// Starts it and waits until it is ready; the time that took.
    ///
    /// # Errors
    /// When it does not become ready, naming its log.
    pub async fn start(&mut self) -> Result<Duration, CliError> {
        let started = Instant::now();
        let program = std::env::current_exe()
            .map_err(|e| self.failed(&format!("this program's file is not known: {e}")))?;
        let mut options = File::options();
        let log = options
            .create(true)
            .append(true)
            .open(&self.log)
            .map_err(io_error(&self.log, "written"))?;
        let mut command = Command::new(program);
        command
            .arg("--json")
            .args([
                "serve",
                "--ops",
                "127.0.0.1:0",
                "--listen",
                &format!("127.0.0.1:{}", self.port),
                "--dir",
            ])
            .arg(&self.dir)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(log)
            // A Ctrl-C in the terminal is for the demo, which then ends its server in order.
            .process_group(0);
        for name in NOT_OURS {
            command.env_remove(name);
        }
        let mut child = command
            .spawn()
            .map_err(|e| self.failed(&format!("it cannot be started: {e}")))?;
        let said = child.stdout.take();
        // Kept before anything is waited for: whoever interrupts the wait must find it.
        self.child = Some(child);
        let said = match said {
            Some(said) => timeout(START, BufReader::new(said).lines().next_line()).await,
            None => Ok(Ok(None)),
        };
        match said {
            Ok(Ok(Some(line))) if line.contains("listening") => Ok(started.elapsed()),
            Ok(_) => Err(self.failed("it ended instead of listening")),
            Err(_) => Err(self.failed(&format!("it was not ready within {} s", START.as_secs()))),
        }
    }

    /// Ends it in order, as a service manager would.
    ///
    /// # Errors
    /// When it does not end in time.
    pub async fn stop(&mut self) -> Result<(), CliError> {
        let Some(mut child) = self.child.take() else {
            return Ok(());
        };
        if let Some(pid) = child.id() {
            send(pid, Signal::SIGTERM);
        }
        match timeout(END, child.wait()).await {
            Ok(Ok(status)) if status.success() => Ok(()),
            Ok(_) => Err(self.failed("it did not end as it should")),
            Err(_) => {
                child.start_kill().ok();
                Err(self.failed("it did not end in time"))
            }
        }
    }

    /// Kills it and its database at once, as a power cut would: `kill -9`, nothing is flushed, nobody is told.
    ///
    /// # Errors
    /// When they could not be killed.
    pub async fn cut_power(&mut self) -> Result<(), CliError> {
        let Some(mut child) = self.child.take() else {
            return Err(self.failed("it did not run"));
        };
        let database = std::fs::read_to_string(self.dir.join("data/pg/postmaster.pid"));
        let database = database
            .ok()
            .and_then(|text| text.lines().next()?.trim().parse().ok());
        if let Some(pid) = child.id() {
            send(pid, Signal::SIGKILL);
        }
        if let Some(pid) = database {
            send(pid, Signal::SIGKILL);
        }
        match timeout(END, child.wait()).await {
            Ok(Ok(_)) if database.is_some() => Ok(()),
            Ok(Ok(_)) => Err(self.failed("its database's process was not found")),
            _ => Err(self.failed("it could not be killed")),
        }
    }

    /// Lets it run on after this program has ended.
    pub fn leave_running(&mut self) {
        // Dropping the handle does not end the process.
        drop(self.child.take());
    }

    fn failed(&self, what: &str) -> CliError {
        CliError::failed(
            format!("the demo's server: {what}"),
            format!("See its log, {}", self.log.display()),
        )
    }
}

fn send(pid: u32, signal: Signal) {
    if let Ok(pid) = i32::try_from(pid) {
        // It may have ended by itself; whoever waits for it sees.
        kill(Pid::from_raw(pid), signal).ok();
    }
}

/// The usual port if nobody has it, else one that the system gives. It is asked for again after a restart.
fn free_port() -> u16 {
    let taken =
        |port| TcpListener::bind(("127.0.0.1", port)).and_then(|listener| listener.local_addr());
    taken(8443)
        .or_else(|_| taken(0))
        .map_or(8443, |address| address.port())
}
