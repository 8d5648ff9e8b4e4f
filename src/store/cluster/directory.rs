//! The data directory: who may hold it, which version wrote it, who owns what in it, and where the socket lies. Every
//! refusal that protects existing data happens here, before a PostgreSQL binary touches anything.
//!
//! ```text
//! DIR/herald.lock        held by the running server
//! DIR/herald-data.json   format and PostgreSQL major
//! DIR/pg/                the cluster, 0700, owned by the user that PostgreSQL runs as
//! DIR/run/               the socket's directory, 0700, likewise (or the short one that DIR/socket-dir names)
//! DIR/*.conf             written at every start
//! DIR/postgres.log       bounded
//! ```

use std::fs::{self, File, Permissions, TryLockError};
use std::io::{Read as _, Seek as _, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, MetadataExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};

use nix::unistd::Uid;
use serde::{Deserialize, Serialize};

use super::access::RunAs;
use super::error::ClusterError;

/// Newest format of the data directory that this binary reads and writes.
const FORMAT: u32 = 1;

/// Longest path of a Unix socket, without its final NUL (`sun_path` of `unix(7)`).
const MAX_SOCKET_PATH: usize = 107;

/// Name of the socket in its directory.
const SOCKET_NAME: &str = ".s.PGSQL.5432";

/// What `herald-data.json` says.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct DataVersion {
    format: u32,
    pg_major: u32,
    written_by: String,
}

/// A locked, checked data directory. The lock lasts as long as this value.
#[derive(Debug)]
pub struct DataDir {
    root: PathBuf,
    run_as: RunAs,
    /// Held for its advisory lock only.
    _lock: File,
}

impl DataDir {
    /// Creates `dir` where it is missing, and locks it.
    ///
    /// # Errors
    /// [`ClusterError::InUse`], [`ClusterError::Unreachable`], [`ClusterError::Io`].
    pub fn open(dir: &Path, run_as: RunAs) -> Result<Self, ClusterError> {
        let mode = if run_as.drop_to.is_some() {
            0o711
        } else {
            0o700
        };
        if !dir.exists() {
            fs::DirBuilder::new()
                .recursive(true)
                .mode(mode)
                .create(dir)
                .map_err(ClusterError::io("create", dir))?;
        }
        let root = fs::canonicalize(dir).map_err(ClusterError::io("find", dir))?;
        run_as.make_reachable(&root)?;
        let lock = take_lock(&root)?;
        Ok(Self {
            root,
            run_as,
            _lock: lock,
        })
    }

    /// The directory's canonical path.
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// The cluster's own directory (PGDATA).
    pub fn pgdata(&self) -> PathBuf {
        self.root.join("pg")
    }

    /// PostgreSQL's log.
    pub fn log(&self) -> PathBuf {
        self.root.join("postgres.log")
    }

    /// The user that PostgreSQL runs as.
    pub fn run_as(&self) -> &RunAs {
        &self.run_as
    }

    /// Whether a complete cluster is there; refuses one that this binary or this PostgreSQL must not touch.
    ///
    /// # Errors
    /// [`ClusterError::NewerFormat`], [`ClusterError::OtherMajor`], [`ClusterError::Unusable`].
    pub fn check_version(&self, offered: u32) -> Result<bool, ClusterError> {
        let path = self.root.join("herald-data.json");
        let pgdata = self.pgdata();
        let text = match fs::read(&path) {
            Ok(text) => text,
            Err(e) if e.kind() == std::io::ErrorKind::NotFound && !pgdata.exists() => {
                return Ok(false);
            }
            Err(e) if e.kind() == std::io::ErrorKind::NotFound => {
                // A crash between moving the new cluster into place and writing the file: the cluster itself says
                // which major it is.
                let found = pg_version(&pgdata)?;
                self.refuse_other_major(found, offered)?;
                self.write_version(found)?;
                return Ok(true);
            }
            Err(e) => return Err(ClusterError::io("read", path)(e)),
        };
        let unreadable = |reason: String| ClusterError::Unusable {
            path: path.clone(),
            reason,
        };
        // The format number first, alone: a newer format may have changed everything else.
        let value: serde_json::Value = serde_json::from_slice(&text).map_err(|e| {
            unreadable(format!(
                "is not JSON ({e}); restore it from a backup of this directory"
            ))
        })?;
        let found = value
            .get("format")
            .and_then(serde_json::Value::as_u64)
            .and_then(|n| u32::try_from(n).ok());
        let found = found.ok_or_else(|| {
            unreadable("has no format number; restore it from a backup".to_owned())
        })?;
        if found > FORMAT {
            let written_by = value
                .get("written_by")
                .and_then(|v| v.as_str())
                .unwrap_or("version unknown")
                .to_owned();
            return Err(ClusterError::NewerFormat {
                dir: self.root.clone(),
                found,
                known: FORMAT,
                written_by,
            });
        }
        let version: DataVersion = serde_json::from_value(value).map_err(|e| {
            unreadable(format!(
                "is incomplete ({e}); restore it from a backup of this directory"
            ))
        })?;
        self.refuse_other_major(version.pg_major, offered)?;
        if !pgdata.exists() {
            return Err(unreadable(format!(
                "says that a cluster is here, but {} is gone; restore it, or remove this file to begin an empty one",
                pgdata.display()
            )));
        }
        self.refuse_other_major(pg_version(&pgdata)?, offered)?;
        Ok(true)
    }

    fn refuse_other_major(&self, found: u32, offered: u32) -> Result<(), ClusterError> {
        if found == offered {
            return Ok(());
        }
        Err(ClusterError::OtherMajor {
            dir: self.root.clone(),
            found,
            offered,
        })
    }

    /// Records format and major; the directory then counts as complete.
    ///
    /// # Errors
    /// [`ClusterError::Io`].
    pub fn write_version(&self, pg_major: u32) -> Result<(), ClusterError> {
        let version = DataVersion {
            format: FORMAT,
            pg_major,
            written_by: env!("CARGO_PKG_VERSION").to_owned(),
        };
        let text = serde_json::json!(version).to_string();
        self.write_file("herald-data.json", &text).map(|_| ())
    }

    /// Writes a small file whole or not at all. Readable by PostgreSQL's user; never holds a secret.
    ///
    /// # Errors
    /// [`ClusterError::Io`].
    pub fn write_file(&self, name: &str, text: &str) -> Result<PathBuf, ClusterError> {
        let path = self.root.join(name);
        let fail = || ClusterError::io("write", path.clone());
        let mode = if self.run_as.drop_to.is_some() {
            0o644
        } else {
            0o600
        };
        let mut file = tempfile::Builder::new()
            .permissions(Permissions::from_mode(mode))
            .tempfile_in(&self.root)
            .map_err(fail())?;
        // The umask may have taken bits away that PostgreSQL's user needs.
        file.as_file()
            .set_permissions(Permissions::from_mode(mode))
            .map_err(fail())?;
        file.write_all(text.as_bytes()).map_err(fail())?;
        file.as_file().sync_all().map_err(fail())?;
        file.persist(&path).map_err(|e| fail()(e.error))?;
        File::open(&self.root)
            .and_then(|dir| dir.sync_all())
            .map_err(fail())?;
        Ok(path)
    }

    /// An empty directory that PostgreSQL's user owns, 0700. An existing one is kept if `keep`, else made anew.
    ///
    /// # Errors
    /// [`ClusterError::Io`].
    pub fn owned_dir(&self, name: &str, keep: bool) -> Result<PathBuf, ClusterError> {
        let path = self.root.join(name);
        if !keep && path.exists() {
            fs::remove_dir_all(&path).map_err(ClusterError::io("remove", &path))?;
        }
        match fs::DirBuilder::new().mode(0o700).create(&path) {
            Ok(()) => self.run_as.give(&path)?,
            Err(e) if e.kind() == std::io::ErrorKind::AlreadyExists => {}
            Err(e) => return Err(ClusterError::io("create", path)(e)),
        }
        Ok(path)
    }

    /// The socket's directory: `DIR/run`, or where that path would be too long for a socket, a short one below
    /// `$XDG_RUNTIME_DIR` or `/tmp` that nobody else can enter, recorded in `DIR/socket-dir`.
    ///
    /// # Errors
    /// [`ClusterError::Io`]; [`ClusterError::Unusable`] where no place is short enough.
    pub fn socket_dir(&self) -> Result<PathBuf, ClusterError> {
        self.forget_socket_dir()?;
        let usual = self.root.join("run");
        if fits_a_socket(&usual) {
            return self.owned_dir("run", true);
        }
        let runtime = std::env::var_os("XDG_RUNTIME_DIR").map(PathBuf::from);
        let runtime = runtime
            .filter(|dir| self.run_as.drop_to.is_none() && dir.is_absolute() && dir.is_dir());
        for parent in runtime.into_iter().chain([PathBuf::from("/tmp")]) {
            let made = tempfile::Builder::new()
                .prefix("herald-")
                .permissions(Permissions::from_mode(0o700))
                .tempdir_in(&parent);
            let Ok(made) = made else { continue };
            if !fits_a_socket(made.path()) {
                continue;
            }
            self.run_as.give(made.path())?;
            let path = made.keep();
            self.write_file("socket-dir", &path.to_string_lossy())?;
            return Ok(path);
        }
        Err(ClusterError::Unusable {
            path: self.root.clone(),
            reason: format!(
                "its path is too long for a Unix socket ({MAX_SOCKET_PATH} bytes) and /tmp cannot be used instead; choose a shorter --data-dir"
            ),
        })
    }

    /// Removes the short socket directory of an earlier life, if `DIR/socket-dir` names one and it is still ours.
    ///
    /// # Errors
    /// [`ClusterError::Io`].
    pub fn forget_socket_dir(&self) -> Result<(), ClusterError> {
        let record = self.root.join("socket-dir");
        let Ok(text) = fs::read_to_string(&record) else {
            return Ok(());
        };
        let dir = PathBuf::from(text);
        let owner = self
            .run_as
            .drop_to
            .as_ref()
            .map_or_else(Uid::effective, |user| user.uid);
        let ours = fs::symlink_metadata(&dir)
            .is_ok_and(|meta| meta.is_dir() && meta.uid() == owner.as_raw());
        let named = dir
            .file_name()
            .and_then(|name| name.to_str())
            .is_some_and(|name| name.starts_with("herald-"));
        if ours && named {
            for name in [SOCKET_NAME, ".s.PGSQL.5432.lock"] {
                remove_if_there(&dir.join(name))?;
            }
            // Anything else in there is not ours to remove; then the directory stays.
            if let Err(error) = fs::remove_dir(&dir) {
                tracing::debug!(dir = %dir.display(), %error, "socket directory stays");
            }
        }
        remove_if_there(&record)
    }
}

/// Removes a file; its absence is no error.
fn remove_if_there(path: &Path) -> Result<(), ClusterError> {
    match fs::remove_file(path) {
        Err(e) if e.kind() != std::io::ErrorKind::NotFound => {
            Err(ClusterError::io("remove", path)(e))
        }
        _ => Ok(()),
    }
}

/// Where the socket of a cluster in `dir` stands that another process runs.
pub fn running_socket_dir(dir: &Path) -> Option<PathBuf> {
    let root = fs::canonicalize(dir).ok()?;
    let short = fs::read_to_string(root.join("socket-dir")).ok();
    let short = short.map(PathBuf::from);
    let usual = root.join("run");
    let mut places = [Some(usual), short].into_iter().flatten();
    places.find(|place| place.join(SOCKET_NAME).exists())
}

/// Takes the exclusive lock, or says who holds it.
fn take_lock(root: &Path) -> Result<File, ClusterError> {
    let path = root.join("herald.lock");
    let fail = || ClusterError::io("lock", path.clone());
    let mut file = File::options()
        .read(true)
        .write(true)
        .create(true)
        .truncate(false)
        .open(&path)
        .map_err(fail())?;
    match file.try_lock() {
        Ok(()) => {}
        Err(TryLockError::WouldBlock) => {
            let mut text = String::new();
            // The number is a courtesy: without it the refusal stands all the same.
            let holder = file
                .read_to_string(&mut text)
                .ok()
                .and_then(|_| text.trim().parse().ok());
            return Err(ClusterError::InUse {
                dir: root.to_owned(),
                holder,
            });
        }
        Err(TryLockError::Error(e)) => return Err(fail()(e)),
    }
    file.set_len(0).map_err(fail())?;
    file.rewind().map_err(fail())?;
    writeln!(file, "{}", std::process::id()).map_err(fail())?;
    Ok(file)
}

/// The major version that a cluster's own `PG_VERSION` names.
fn pg_version(pgdata: &Path) -> Result<u32, ClusterError> {
    let path = pgdata.join("PG_VERSION");
    let text = fs::read_to_string(&path).map_err(ClusterError::io("read", &path))?;
    text.trim().parse().map_err(|_| ClusterError::Unusable {
        path,
        reason: "does not hold a PostgreSQL major version; is this a cluster?".to_owned(),
    })
}

/// Whether a socket in `dir` has a path that the kernel takes.
fn fits_a_socket(dir: &Path) -> bool {
    dir.as_os_str().len() + 1 + SOCKET_NAME.len() <= MAX_SOCKET_PATH
}

#[cfg(test)]
mod tests {
    use super::*;

    fn open(dir: &Path) -> Result<DataDir, ClusterError> {
        let run_as = RunAs {
            server_user: "someone".to_owned(),
            drop_to: None,
        };
        DataDir::open(dir, run_as)
    }

    #[test]
    fn a_second_holder_is_refused_and_told_who_holds_it() {
        let dir = tempfile::tempdir().unwrap();
        let first = open(dir.path()).unwrap();
        let text = open(dir.path()).unwrap_err().to_string();
        assert!(
            text.contains(&format!("process {}", std::process::id())),
            "{text}"
        );
        drop(first);
        open(dir.path()).unwrap();
    }

    #[test]
    fn a_newer_format_is_refused_even_when_the_rest_is_unknown() {
        let dir = tempfile::tempdir().unwrap();
        let data = open(dir.path()).unwrap();
        fs::write(
            dir.path().join("herald-data.json"),
            r#"{"format":2,"engine":"other"}"#,
        )
        .unwrap();
        let error = data.check_version(15).unwrap_err();
        assert!(
            matches!(
                error,
                ClusterError::NewerFormat {
                    found: 2,
                    known: 1,
                    ..
                }
            ),
            "{error}"
        );
    }

    #[test]
    fn another_major_is_refused_with_the_way_out() {
        let dir = tempfile::tempdir().unwrap();
        let data = open(dir.path()).unwrap();
        fs::create_dir(data.pgdata()).unwrap();
        fs::write(data.pgdata().join("PG_VERSION"), "14\n").unwrap();
        data.write_version(14).unwrap();
        let text = data.check_version(15).unwrap_err().to_string();
        assert!(
            text.contains("pg_upgrade") && text.contains("postgresql-14-postgis-3"),
            "{text}"
        );
        assert!(data.check_version(14).unwrap());
    }

    #[test]
    fn a_lost_cluster_is_never_replaced_by_an_empty_one() {
        let dir = tempfile::tempdir().unwrap();
        let data = open(dir.path()).unwrap();
        data.write_version(15).unwrap();
        assert!(matches!(
            data.check_version(15),
            Err(ClusterError::Unusable { .. })
        ));
    }

    #[test]
    fn a_path_too_long_for_a_socket_gets_a_short_private_directory() {
        let dir = tempfile::tempdir().unwrap();
        let long = dir.path().join("d".repeat(120));
        let data = open(&long).unwrap();
        let socket = data.socket_dir().unwrap();
        assert!(fits_a_socket(&socket));
        assert_eq!(fs::metadata(&socket).unwrap().mode() & 0o777, 0o700);
        data.forget_socket_dir().unwrap();
        assert!(!socket.exists());
    }
}
