//! A deployment in a directory of its own, its server as a process, and people who enrolled through the command line.

use std::fs::{self, Permissions};
use std::io::{BufRead as _, BufReader};
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use serde_json::Value;

use super::Outcome;
use super::process::{self, Usage};

/// The program: another that the environment names, or the one that was built as this is.
fn program() -> std::ffi::OsString {
    std::env::var_os("HERALD_BENCH_PROGRAM").unwrap_or_else(|| env!("CARGO_BIN_EXE_herald").into())
}
/// Nothing here ends later.
const PATIENCE: Duration = Duration::from_mins(1);

/// The deployment.
pub struct World {
    dir: tempfile::TempDir,
    server: Option<Child>,
    address: String,
}

impl World {
    /// Makes the deployment; nothing runs yet.
    pub fn new() -> Outcome<Self> {
        let dir = tempfile::Builder::new()
            .prefix("herald-bench-")
            .permissions(Permissions::from_mode(0o711))
            .tempdir_in(base())?;
        herald::crypto::secret_file::create(
            &dir.path().join("passphrase"),
            b"a passphrase for measuring",
        )?;
        Ok(Self {
            dir,
            server: None,
            address: "127.0.0.1:0".to_owned(),
        })
    }

    /// A path in the directory.
    pub fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    /// Runs a command to its end; its last line as JSON.
    pub fn herald(&self, profile: &str, args: &[&str]) -> Outcome<Value> {
        let output = Command::new(program())
            .args(["--json", "--profile"])
            .arg(self.path(profile))
            .args(args)
            .stdin(Stdio::null())
            .output()?;
        let text = String::from_utf8_lossy(&output.stdout);
        let last = text.lines().last().unwrap_or_default();
        match serde_json::from_str(last) {
            // Rows that a real file gets refused are part of the result.
            Ok(value) if output.status.success() || output.status.code() == Some(3) => Ok(value),
            _ => {
                let said = String::from_utf8_lossy(&output.stderr);
                Err(format!(
                    "herald {} ended with {}: {said}{last}",
                    args.join(" "),
                    output.status
                )
                .into())
            }
        }
    }

    /// Starts the server, the first time on an empty directory; seconds until it listens.
    pub fn start(&mut self) -> Outcome<f64> {
        let dir = self.path("deployment");
        let began = Instant::now();
        let mut child = Command::new(program())
            .args([
                "--json",
                "serve",
                "--log",
                "warn",
                "--ops",
                "127.0.0.1:0",
                "--listen",
                &self.address,
            ])
            .arg("--dir")
            .arg(&dir)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .spawn()?;
        let stdout = child.stdout.take().ok_or("the server has no output")?;
        self.server = Some(child);
        let mut line = String::new();
        BufReader::new(stdout).read_line(&mut line)?;
        let took = began.elapsed().as_secs_f64();
        let said: Value = serde_json::from_str(&line)?;
        let address = said_text(&said, "listening")?;
        address.clone_into(&mut self.address);
        Ok(took)
    }

    /// Ends the server in order; seconds until it is gone.
    pub fn stop(&mut self) -> Outcome<f64> {
        let Some(mut child) = self.server.take() else {
            return Ok(0.0);
        };
        let began = Instant::now();
        kill(Pid::from_raw(i32::try_from(child.id())?), Signal::SIGTERM)?;
        while child.try_wait()?.is_none() {
            if began.elapsed() > PATIENCE {
                child.kill()?;
                child.wait()?;
                return Err("the server did not end in order".into());
            }
            std::thread::sleep(Duration::from_millis(5));
        }
        Ok(began.elapsed().as_secs_f64())
    }

    /// Makes the deployment's keys. The server starts on them.
    pub fn init(&self) -> Outcome<String> {
        let (dir, words) = (self.path("deployment"), self.path("passphrase"));
        let said = self.herald(
            "nobody",
            &[
                "init",
                "--dir",
                text(&dir)?,
                "--context",
                "bench",
                "--mode",
                "exercise",
                "--name",
                "Bench",
                "--host",
                "127.0.0.1",
                "--coordinator",
                "ocha",
                "--person",
                "A. Coordinator",
                "--passphrase-file",
                text(&words)?,
            ],
        )?;
        Ok(said_text(&said, "invite")?.to_owned())
    }

    /// Enrols the coordinator, an organisation and a party, and admits them.
    pub fn cast(&self, first: &str) -> Outcome<()> {
        self.enrol("ocha", first)?;
        for (actor, role) in [("msf", "organisation"), ("east", "party-desk")] {
            let invited = self.herald(
                "ocha",
                &[
                    "invite", actor, "--role", role, "--name", actor, "--person", "A person",
                ],
            )?;
            let enrolled = self.enrol(actor, said_text(&invited, "invite")?)?;
            let fingerprint = said_text(&enrolled, "root_fingerprint")?;
            self.herald("ocha", &["admit", actor, "--fingerprint", fingerprint])?;
        }
        Ok(())
    }

    fn enrol(&self, profile: &str, invite: &str) -> Outcome<Value> {
        let (server, words) = (format!("https://{}", self.address), self.path("passphrase"));
        self.herald(
            profile,
            &[
                "enrol",
                "--server",
                &server,
                "--invite",
                invite,
                "--passphrase-file",
                text(&words)?,
            ],
        )
    }

    /// Imports a file as the organisation; the command's own summary.
    pub fn import(&self, file: &Path, party: &str) -> Outcome<Value> {
        // A published list, taken as it is.
        let taken = ["--confirm", "all"];
        let file = ["import", text(file)?, "--party", party];
        self.herald("msf", &[&file[..], &taken].concat())
    }

    /// The server's process.
    pub fn server_pid(&self) -> Outcome<u32> {
        Ok(self.server.as_ref().ok_or("the server does not run")?.id())
    }

    /// The postmaster's process.
    pub fn database_pid(&self) -> Outcome<u32> {
        let text = self.path("deployment/data/pg/postmaster.pid");
        let first = fs::read_to_string(text)?;
        Ok(first.lines().next().unwrap_or_default().trim().parse()?)
    }

    /// CPU seconds until now.
    pub fn usage(&self) -> Outcome<Usage> {
        Ok(Usage {
            client: process::ended_children()?,
            server: process::cpu(self.server_pid()?)?,
            database: process::database(self.database_pid()?)?,
        })
    }
}

impl Drop for World {
    fn drop(&mut self) {
        // On the way out of an error: the error is what is said.
        self.stop().ok();
    }
}

fn said_text<'a>(said: &'a Value, name: &str) -> Outcome<&'a str> {
    let text = said.get(name).and_then(Value::as_str);
    text.ok_or_else(|| format!("the command's answer has no {name}").into())
}

fn text(path: &Path) -> Outcome<&str> {
    path.to_str().ok_or_else(|| "a path is not UTF-8".into())
}

/// Below `target/`, or, where PostgreSQL's user may not enter that (a checkout in root's home), below `/tmp`.
fn base() -> PathBuf {
    if let Some(dir) = std::env::var_os("HERALD_BENCH_DIR") {
        return dir.into();
    }
    let usual = PathBuf::from(env!("CARGO_TARGET_TMPDIR"));
    let open =
        |dir: &Path| fs::metadata(dir).is_ok_and(|meta| meta.permissions().mode() & 0o001 != 0);
    let everyone = fs::create_dir_all(&usual).is_ok() && usual.ancestors().all(open);
    if everyone || !nix::unistd::Uid::effective().is_root() {
        usual
    } else {
        std::env::temp_dir()
    }
}
