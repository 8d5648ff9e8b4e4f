//! The real program as a child process on a private, durable database, with people enrolled through the command line
//! that they would use themselves. What dies here dies as it would in the field.

use std::ffi::OsString;
use std::fs::{self, File};
use std::io::{BufRead as _, BufReader};
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::mpsc;
use std::time::{Duration, Instant};

use herald::cli::api::Api;
use herald::cli::output::Output;
use herald::cli::profile::Profile;
use herald::domain::clock::Clock;
use herald::store::endpoint::Endpoint;
use herald::store::role::Role;
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use serde_json::Value;
use sqlx::{Connection as _, PgConnection};

use crate::support::scratch_dir;

/// How long a start may take before the test gives up on it; tests share their machine.
const START_PATIENCE: Duration = Duration::from_mins(1);
/// How long an end in order may take.
const END_PATIENCE: Duration = Duration::from_secs(40);

/// What a command line said.
pub struct Said {
    /// Its exit code.
    pub exit: u8,
    /// Its JSON documents, one a line.
    pub lines: Vec<Value>,
    /// What it said beside them.
    pub beside: String,
}

impl Said {
    /// Its one result.
    pub fn value(&self) -> &Value {
        self.lines.first().unwrap()
    }

    /// A text in its one result.
    pub fn text(&self, member: &str) -> &str {
        self.value()[member].as_str().unwrap()
    }
}

/// A deployment, its database, and the profiles of those who use it.
pub struct Rig {
    dir: tempfile::TempDir,
    data: PathBuf,
    port: u16,
    log_filter: &'static str,
    running: Option<Running>,
    coordinator_invite: String,
}

struct Running {
    child: Child,
    ops: SocketAddr,
}

/// A server that did not start: how it ended, and its last words.
pub struct NotStarted {
    pub status: Option<ExitStatus>,
    pub log: String,
}

impl Rig {
    /// Makes a deployment and starts the server.
    pub async fn start(log_filter: &'static str) -> Self {
        let dir = scratch_dir();
        let data = dir.path().join("data");
        Self::start_in(dir, data, log_filter).await
    }

    /// As [`Self::start`], with the database in `data`.
    pub async fn start_in(dir: tempfile::TempDir, data: PathBuf, log_filter: &'static str) -> Self {
        herald::tls::install_provider();
        let passphrase = dir.path().join("passphrase");
        fs::write(&passphrase, "correct horse battery staple").unwrap();
        fs::set_permissions(&passphrase, fs::Permissions::from_mode(0o600)).unwrap();
        // Free at this moment; nobody else on this machine takes numbered ports of the ephemeral range.
        let port = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))
            .unwrap()
            .local_addr()
            .unwrap()
            .port();
        let mut rig = Self {
            dir,
            data,
            port,
            log_filter,
            running: None,
            coordinator_invite: String::new(),
        };
        let deployment = rig.deployment();
        let made = rig
            .herald(
                "nobody",
                &[
                    "init",
                    "--dir",
                    deployment.to_str().unwrap(),
                    "--context",
                    "yem",
                    "--mode",
                    "exercise",
                    "--name",
                    "Exercise desk",
                    "--host",
                    "localhost",
                    "--person",
                    "Ines Desk",
                    "--passphrase-file",
                    passphrase.to_str().unwrap(),
                ],
            )
            .await;
        assert_eq!(made.exit, 0, "{}", made.beside);
        made.text("invite").clone_into(&mut rig.coordinator_invite);
        rig.serve();
        rig
    }

    /// The deployment's directory.
    pub fn deployment(&self) -> PathBuf {
        self.dir.path().join("deployment")
    }

    /// A directory that lives as long as the rig.
    pub fn dir(&self) -> &Path {
        self.dir.path()
    }

    /// The private cluster's files.
    pub fn pgdata(&self) -> PathBuf {
        self.data.join("pg")
    }

    /// The private cluster's directory.
    pub fn data(&self) -> &Path {
        &self.data
    }

    /// Where the server writes its log.
    pub fn log(&self) -> PathBuf {
        self.dir.path().join("server.log")
    }

    fn url(&self) -> String {
        format!("https://localhost:{}", self.port)
    }

    /// Health and metrics.
    pub fn ops(&self) -> SocketAddr {
        self.running.as_ref().unwrap().ops
    }

    /// The server's process.
    pub fn pid(&self) -> Pid {
        let pid = self.running.as_ref().unwrap().child.id();
        Pid::from_raw(pid.try_into().unwrap())
    }

    /// Starts the server, and waits until it says that it listens.
    pub fn serve(&mut self) {
        if let Err(failed) = self.try_serve(self.port) {
            panic!(
                "the server did not start ({:?}): {}",
                failed.status, failed.log
            );
        }
    }

    /// As [`Self::serve`], where the server may refuse.
    pub fn try_serve(&mut self, port: u16) -> Result<(), NotStarted> {
        let log = File::options()
            .create(true)
            .append(true)
            .open(self.log())
            .unwrap();
        let said = log.metadata().unwrap().len();
        let mut child = Command::new(env!("CARGO_BIN_EXE_herald"))
            .args(["--json", "serve", "--dir"])
            .arg(self.deployment())
            .arg("--data-dir")
            .arg(&self.data)
            .args(["--listen", &format!("127.0.0.1:{port}")])
            .args(["--ops", "127.0.0.1:0", "--log", self.log_filter])
            .env_remove("HERALD_DATABASE_URL")
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(log)
            .spawn()
            .unwrap();
        let stdout = child.stdout.take().unwrap();
        let (send, line) = mpsc::channel();
        std::thread::spawn(move || {
            let mut text = String::new();
            let mut stdout = BufReader::new(stdout);
            stdout.read_line(&mut text).ok();
            send.send(text).ok();
        });
        let text = line.recv_timeout(START_PATIENCE).unwrap_or_default();
        let Ok(value) = serde_json::from_str::<Value>(&text) else {
            child.kill().ok();
            let status = child.wait().ok();
            let log = fs::read(self.log()).unwrap();
            let log = String::from_utf8_lossy(&log[usize::try_from(said).unwrap()..]).into_owned();
            return Err(NotStarted { status, log });
        };
        let ops = value["ops"].as_str().unwrap().parse().unwrap();
        self.running = Some(Running { child, ops });
        Ok(())
    }

    /// Asks the server to end, and waits: how it ended, and after how long.
    pub fn terminate(&mut self) -> (ExitStatus, Duration) {
        let asked = Instant::now();
        kill(self.pid(), Signal::SIGTERM).unwrap();
        (self.ended(), asked.elapsed())
    }

    /// Whether the server has ended by itself.
    pub fn has_ended(&mut self) -> bool {
        let running = self.running.as_mut().unwrap();
        running.child.try_wait().unwrap().is_some()
    }

    /// Waits until the server has ended.
    pub fn ended(&mut self) -> ExitStatus {
        let mut running = self.running.take().unwrap();
        let until = Instant::now() + END_PATIENCE;
        loop {
            if let Some(status) = running.child.try_wait().unwrap() {
                return status;
            }
            if Instant::now() > until {
                running.child.kill().unwrap();
                running.child.wait().unwrap();
                panic!("the server did not end in {END_PATIENCE:?}");
            }
            std::thread::sleep(Duration::from_millis(10));
        }
    }

    /// `kill -9` of the server alone; its database goes on without it.
    pub fn kill_server(&mut self) {
        let mut running = self.running.take().unwrap();
        running.child.kill().unwrap();
        running.child.wait().unwrap();
    }

    /// `kill -9` of the postmaster and everything that it started (which lives in process groups of its own).
    pub fn kill_database(&self) {
        for pid in self.database_processes() {
            // Gone already is as good.
            kill(pid, Signal::SIGKILL).ok();
        }
    }

    /// The postmaster, if it has one, and its children.
    pub fn database_processes(&self) -> Vec<Pid> {
        let Some(postmaster) = self.postmaster() else {
            return Vec::new();
        };
        let children = fs::read_dir("/proc")
            .unwrap()
            .filter_map(|entry| entry.ok()?.file_name().to_str()?.parse::<i32>().ok())
            .filter(|pid| parent(*pid) == Some(postmaster));
        std::iter::once(postmaster)
            .chain(children)
            .map(Pid::from_raw)
            .collect()
    }

    fn postmaster(&self) -> Option<i32> {
        let text = fs::read_to_string(self.pgdata().join("postmaster.pid")).ok()?;
        let pid: i32 = text.lines().next()?.trim().parse().ok()?;
        let command = fs::read_to_string(format!("/proc/{pid}/comm")).ok()?;
        (command.trim() == "postgres").then_some(pid)
    }

    /// Runs one command line as one person.
    pub async fn herald(&self, profile: &str, args: &[&str]) -> Said {
        let profile = self.profile_dir(profile);
        let (out, said, beside) = Output::captured(true);
        let words = ["herald", "--json", "--profile", profile.to_str().unwrap()];
        let args = words.iter().chain(args).map(OsString::from).collect();
        let exit = Box::pin(herald::cli::run(args, out, Clock::System)).await;
        let said = said.text();
        let lines = said.lines().map(|line| serde_json::from_str(line).unwrap());
        Said {
            exit: exit.code(),
            lines: lines.collect(),
            beside: beside.text(),
        }
    }

    /// As [`Self::herald`], for what must succeed.
    pub async fn done(&self, profile: &str, args: &[&str]) -> Said {
        let said = self.herald(profile, args).await;
        assert_eq!(said.exit, 0, "{profile}: {args:?}: {}", said.beside);
        said
    }

    fn profile_dir(&self, profile: &str) -> PathBuf {
        self.dir.path().join("profiles").join(profile)
    }

    /// Somebody's profile, and the client that shows its certificate.
    pub fn person(&self, profile: &str) -> (Profile, Api) {
        let profile = Profile::open(&self.profile_dir(profile)).unwrap();
        let api = Api::of_profile(&profile).unwrap();
        (profile, api)
    }

    /// Enrols the coordinator's office as `ocha`.
    pub async fn enrol_coordinator(&self) {
        let invite = self.coordinator_invite.clone();
        self.enrol("ocha", &invite).await;
    }

    async fn enrol(&self, profile: &str, invite: &str) -> Said {
        fs::create_dir_all(self.dir.path().join("profiles")).unwrap();
        let passphrase = self.dir.path().join("passphrase");
        let url = self.url();
        let args = ["enrol", "--server", &url, "--invite", invite];
        let secret = ["--passphrase-file", passphrase.to_str().unwrap()];
        self.done(profile, &[args.as_slice(), &secret].concat())
            .await
    }

    /// Invites, enrols and admits an actor; its profile has its name.
    pub async fn take_in(&self, actor: &str, role: &str, name: &str, person: &str) {
        let invite = [
            "invite", actor, "--role", role, "--name", name, "--person", person,
        ];
        let invite = self.done("ocha", &invite).await;
        let enrolled = self.enrol(actor, invite.text("invite")).await;
        let fingerprint = enrolled.text("root_fingerprint");
        self.done("ocha", &["admit", actor, "--fingerprint", fingerprint])
            .await;
    }

    /// The database, for whoever is the machine's own user.
    pub fn endpoint(&self) -> Endpoint {
        Endpoint::private(&self.socket_dir(), "herald")
    }

    /// The directory of the database's socket.
    pub fn socket_dir(&self) -> PathBuf {
        match fs::read_to_string(self.data.join("socket-dir")) {
            Ok(elsewhere) => PathBuf::from(elsewhere),
            Err(_) => self.data.join("run"),
        }
    }

    /// One session as `role`.
    pub async fn connect(&self, role: Role) -> PgConnection {
        PgConnection::connect_with(&self.endpoint().options(role))
            .await
            .unwrap()
    }

    /// Waits until the server says that it is ready.
    pub async fn ready(&self) {
        let until = Instant::now() + START_PATIENCE;
        while get(self.ops(), "/readyz")
            .await
            .is_none_or(|(status, _)| status != 200)
        {
            assert!(Instant::now() < until, "the server does not become ready");
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    }
}

impl Drop for Rig {
    fn drop(&mut self) {
        if let Some(running) = &mut self.running {
            running.child.kill().ok();
            running.child.wait().ok();
        }
        self.kill_database();
    }
}

fn parent(pid: i32) -> Option<i32> {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    // The name in parentheses may hold anything.
    let (_, rest) = stat.rsplit_once(')')?;
    rest.split_whitespace().nth(1)?.parse().ok()
}

/// One plain request to the operator's listener: its status and body.
pub async fn get(ops: SocketAddr, path: &str) -> Option<(u16, String)> {
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
    let mut stream = tokio::net::TcpStream::connect(ops).await.ok()?;
    let request = format!("GET {path} HTTP/1.1\r\nhost: {ops}\r\nconnection: close\r\n\r\n");
    stream.write_all(request.as_bytes()).await.ok()?;
    let mut answer = Vec::new();
    let read = stream.read_to_end(&mut answer);
    tokio::time::timeout(Duration::from_secs(5), read)
        .await
        .ok()?
        .ok()?;
    let answer = String::from_utf8_lossy(&answer).into_owned();
    let (head, body) = answer.split_once("\r\n\r\n")?;
    Some((head.split(' ').nth(1)?.parse().ok()?, body.to_owned()))
}
