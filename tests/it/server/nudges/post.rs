//! A real mail server on loopback: Debian's `python3-aiosmtpd` as a process of its own, with STARTTLS under an authority
//! that the test makes.

use std::fs;
use std::io::{BufRead as _, BufReader};
use std::net::{Ipv4Addr, TcpListener};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use herald::crypto::x509::{Authority, TlsKey, Validity};
use serde::Deserialize;
use serde_json::{Value, json};

use crate::server::devices::now;

/// The system's Python, which has the distribution's packages.
const PYTHON: &str = "/usr/bin/python3";
/// How long a mail may take to arrive.
const PATIENCE: u32 = 200;

/// A mail as the server took it.
#[derive(Debug, Deserialize)]
pub struct Mail {
    pub tls: bool,
    pub login: Option<String>,
    pub from: String,
    pub to: Vec<String>,
    raw: String,
}

impl Mail {
    /// Its bytes.
    pub fn text(&self) -> String {
        let raw = data_encoding::BASE64.decode(self.raw.as_bytes()).unwrap();
        String::from_utf8(raw).unwrap()
    }

    /// The value of a header.
    pub fn header(&self, name: &str) -> String {
        let text = self.text();
        let (head, _) = text.split_once("\r\n\r\n").unwrap();
        let line = head.lines().find_map(|line| line.strip_prefix(name));
        line.unwrap().trim_start_matches(": ").to_owned()
    }
}

/// An authority, and a certificate under it for `localhost`.
pub struct Trusted {
    pub dir: tempfile::TempDir,
    pub authority: Authority,
}

impl Trusted {
    pub fn new() -> Self {
        let at = now() - time::Duration::minutes(5);
        let authority = Authority::create("A test", Validity::days(at, 2).unwrap()).unwrap();
        let this = Self {
            dir: tempfile::tempdir().unwrap(),
            authority,
        };
        let key = TlsKey::generate().unwrap();
        let hosts = ["localhost".to_owned()];
        let validity = Validity::days(at, 1).unwrap();
        let leaf = this.authority.issue_server(&hosts, &key, validity).unwrap();
        let ca = this.authority.certificate().to_pem();
        fs::write(this.path("ca.pem"), &ca).unwrap();
        fs::write(this.path("cert.pem"), leaf.to_pem()).unwrap();
        fs::write(this.path("key.pem"), key.to_pem()).unwrap();
        this
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }
}

/// The mail server.
pub struct PostOffice {
    pub trusted: Trusted,
    pub port: u16,
    running: Option<Child>,
}

impl PostOffice {
    /// Makes one that is not running yet.
    pub fn closed() -> Self {
        let free = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let trusted = Trusted::new();
        fs::create_dir(trusted.path("mail")).unwrap();
        Self {
            trusted,
            port: free.local_addr().unwrap().port(),
            running: None,
        }
    }

    /// Makes one that runs.
    pub fn open() -> Self {
        let mut this = Self::closed();
        this.start("starttls");
        this
    }

    /// Starts it in a mode: `starttls`, or `clear`.
    pub fn start(&mut self, mode: &str) {
        let script =
            Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/it/server/nudges/smtp_server.py");
        let mut child = Command::new(PYTHON)
            .arg(script)
            .arg(self.port.to_string())
            .arg(self.trusted.path("mail"))
            .arg(self.trusted.path("cert.pem"))
            .arg(self.trusted.path("key.pem"))
            .arg(mode)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(fs::File::create(self.trusted.path("log")).unwrap())
            .spawn()
            .unwrap();
        let mut line = String::new();
        let stdout = child.stdout.take().unwrap();
        BufReader::new(stdout).read_line(&mut line).unwrap();
        assert_eq!(
            line, "ready\n",
            "scripts/bootstrap installs python3-aiosmtpd"
        );
        self.running = Some(child);
    }

    /// Stops it.
    pub fn stop(&mut self) {
        if let Some(mut child) = self.running.take() {
            child.kill().ok();
            child.wait().ok();
        }
    }

    /// Makes it refuse for now whatever it is sent.
    pub fn refuse(&self, yes: bool) {
        let flag = self.trusted.path("mail").join("refuse");
        if yes {
            fs::write(flag, "").unwrap();
        } else {
            fs::remove_file(flag).unwrap();
        }
    }

    /// What an operator writes to use it.
    pub fn config(&self) -> Value {
        json!({
            "host": "localhost", "port": self.port, "from": "herald@relay.example", "user": "hn",
            "password_file": "smtp-password", "ca_file": self.trusted.path("ca.pem"),
        })
    }

    /// What it took, in order.
    pub fn mails(&self) -> Vec<Mail> {
        (0..)
            .map_while(|n| fs::read(self.trusted.path("mail").join(format!("{n}.json"))).ok())
            .map(|bytes| serde_json::from_slice(&bytes).unwrap())
            .collect()
    }

    /// As [`Self::mails`], once there are this many.
    pub async fn took(&self, count: usize) -> Vec<Mail> {
        for _ in 0..PATIENCE {
            let mails = self.mails();
            if mails.len() >= count {
                assert_eq!(mails.len(), count);
                return mails;
            }
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
        panic!("{count} mails, not {:?}", self.mails());
    }
}

impl Drop for PostOffice {
    fn drop(&mut self) {
        self.stop();
    }
}
