//! What can go wrong with the private PostgreSQL, each with what to do about it. These texts are read by whoever
//! starts the server, so they may name paths, processes and packages; nothing that the database holds is in them.

use std::path::PathBuf;

/// Why the private cluster could not be started, kept or stopped.
#[derive(Debug, thiserror::Error)]
pub enum ClusterError {
    /// No usable PostgreSQL with PostGIS on this machine.
    #[error("{reason}; install it with: {install}")]
    NotInstalled {
        /// What was looked for, and where.
        reason: String,
        /// The exact command.
        install: String,
    },
    /// Another process holds the directory.
    #[error(
        "{} is in use by another Herald{}; stop that one first, or give another --data-dir",
        dir.display(),
        holder.map(|pid| format!(" (process {pid})")).unwrap_or_default()
    )]
    InUse {
        /// The data directory.
        dir: PathBuf,
        /// The process that wrote its number into the lock file.
        holder: Option<u32>,
    },
    /// The directory's format is newer than this binary.
    #[error(
        "{} was written by a newer Herald ({written_by}, data format {found}; this one knows up to {known}); \
         start it with that version or a later one",
        dir.display()
    )]
    NewerFormat {
        /// The data directory.
        dir: PathBuf,
        /// The format found.
        found: u32,
        /// The newest format that this binary knows.
        known: u32,
        /// The version that wrote it.
        written_by: String,
    },
    /// The directory belongs to another major version of PostgreSQL.
    #[error(
        "{} holds a PostgreSQL {found} cluster and this machine offers PostgreSQL {offered}; install postgresql-{found} \
         and postgresql-{found}-postgis-3 beside it (or point HERALD_PG_BIN at its bin directory), or move the data: \
         pg_dumpall with {found} into a fresh --data-dir, or pg_upgrade with both installed",
        dir.display()
    )]
    OtherMajor {
        /// The data directory.
        dir: PathBuf,
        /// Major version of the cluster.
        found: u32,
        /// Major version that was found on the machine.
        offered: u32,
    },
    /// The directory holds something that is not ours.
    #[error("{}: {reason}", path.display())]
    Unusable {
        /// The path in question.
        path: PathBuf,
        /// What is wrong and what to do.
        reason: String,
    },
    /// The unprivileged user cannot reach the directory.
    #[error(
        "started as root, PostgreSQL runs as the user `{user}`, who may not enter {}; choose a --data-dir \
         below one that everyone may enter, such as /var/lib/herald, or run: chmod o+x {}",
        blocked.display(), blocked.display()
    )]
    Unreachable {
        /// The unprivileged user.
        user: String,
        /// The first directory that stops that user.
        blocked: PathBuf,
    },
    /// There is no such system user.
    #[error("{0}")]
    NoUser(String),
    /// `initdb` failed.
    #[error("initdb failed: {0}")]
    Initdb(String),
    /// The server did not come up within its bound.
    #[error("PostgreSQL did not start: {reason}; its log is {}", log.display())]
    Start {
        /// Exit status or the bound that passed, with the log's last lines.
        reason: String,
        /// The log file.
        log: PathBuf,
    },
    /// A previous life's server could not be stopped.
    #[error("a PostgreSQL (process {pid}) of an earlier run still holds {} and does not stop; end it by hand", dir.display())]
    Orphan {
        /// The process.
        pid: i32,
        /// The cluster's directory.
        dir: PathBuf,
    },
    /// It crashed more often than the bound allows.
    #[error(
        "PostgreSQL crashed {0} times within ten minutes; giving up: look into the log, the disk and the memory"
    )]
    GaveUp(usize),
    /// It had to be killed when stopping; the next start recovers from the write-ahead log.
    #[error(
        "PostgreSQL did not stop in time and was killed; nothing committed is lost, the next start recovers it"
    )]
    Killed,
    /// The database in the cluster could not be prepared.
    #[error("the private database could not be prepared: {0}")]
    Prepare(#[source] crate::store::error::StoreError),
    /// An operation of the file system or on a process failed.
    #[error("cannot {action} {}", path.display())]
    Io {
        /// What was attempted, as a verb.
        action: &'static str,
        /// On which path.
        path: PathBuf,
        /// The reason.
        #[source]
        source: std::io::Error,
    },
}

impl ClusterError {
    /// Wraps an I/O error with what was attempted on which path.
    pub(super) fn io(
        action: &'static str,
        path: impl Into<PathBuf>,
    ) -> impl FnOnce(std::io::Error) -> Self {
        let path = path.into();
        move |source| Self::Io {
            action,
            path,
            source,
        }
    }
}
