//! The private PostgreSQL + PostGIS. Whoever has no database administrator gets one server and one directory: this
//! module makes a cluster from the distribution's binaries, reachable over one Unix socket by this server's own user
//! and over nothing else, keeps it running, and stops it in order. Losing what got a receipt is not an option, so it
//! refuses rather than guesses: another holder, a newer format, another major, a cluster that has gone missing.

mod access;
mod directory;
mod error;
mod install;
mod postmaster;
mod previous;
mod settings;
mod supervisor;

use std::path::{Path, PathBuf};

use sqlx::{Connection as _, Executor as _, PgConnection};
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio_util::sync::{CancellationToken, DropGuard};

pub use self::error::ClusterError;
pub use self::install::OLDEST_MAJOR;
pub use self::supervisor::Health;

use self::access::RunAs;
use self::directory::DataDir;
use self::install::Install;
use self::supervisor::{Launcher, supervise};
use super::endpoint::Endpoint;
use super::error::StoreError;
use super::role::Role;

/// The database that the server works in.
pub const DATABASE: &str = "herald";

/// What a commit is worth.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Durability {
    /// On disk before it is answered: `fsync` and `synchronous_commit` on.
    Durable,
    /// For tests: commits reach the operating system but are not synced, so `kill -9` loses nothing and a power cut may.
    FastForTests,
}

/// What a cluster is started with.
#[derive(Debug, Clone)]
pub struct ClusterConfig {
    /// The data directory; created where it is missing.
    pub dir: PathBuf,
    /// What a commit is worth.
    pub durability: Durability,
    /// Directory of `postgres` and `initdb`; `None` finds the distribution's newest with PostGIS.
    pub pg_bin: Option<PathBuf>,
    /// As root: the unprivileged user that PostgreSQL runs as. Otherwise unused.
    pub unprivileged_user: String,
}

impl ClusterConfig {
    /// A durable cluster in `dir`, with the binaries that `HERALD_PG_BIN` names or else the distribution's.
    pub fn new(dir: impl Into<PathBuf>) -> Self {
        Self {
            dir: dir.into(),
            durability: Durability::Durable,
            pg_bin: std::env::var_os("HERALD_PG_BIN")
                .filter(|v| !v.is_empty())
                .map(PathBuf::from),
            unprivileged_user: "postgres".to_owned(),
        }
    }
}

/// A running private cluster. [`Cluster::stop`] it in order; merely dropped, it is asked to shut down and not waited
/// for, and the next start sorts out the rest.
#[derive(Debug)]
pub struct Cluster {
    root: PathBuf,
    socket_dir: PathBuf,
    major: u32,
    health: watch::Receiver<Health>,
    stop: DropGuard,
    supervisor: JoinHandle<Result<(), ClusterError>>,
}

impl Cluster {
    /// Makes the cluster where it is missing, starts it, and creates the database with PostGIS in it.
    ///
    /// # Errors
    /// [`ClusterError`]; nothing that exists is changed by a refusal.
    pub async fn start(config: ClusterConfig) -> Result<Self, ClusterError> {
        let install = Install::find(config.pg_bin.as_deref())?;
        let data = DataDir::open(&config.dir, RunAs::resolve(&config.unprivileged_user)?)?;
        if !data.check_version(install.major)? {
            create(&data, &install, config.durability).await?;
        }
        // Before the socket's directory is touched: an earlier life's server may still use it.
        previous::settle(&data.pgdata()).await?;
        let socket_dir = data.socket_dir()?;
        let conf = [
            data.write_file(
                "postgresql.conf",
                &settings::postgresql_conf(&socket_dir, config.durability),
            )?,
            data.write_file("pg_hba.conf", settings::pg_hba_conf())?,
            data.write_file(
                "pg_ident.conf",
                &settings::pg_ident_conf(&data.run_as().server_user),
            )?,
        ];
        let root = data.root().to_owned();
        let major = install.major;
        let launcher = Launcher {
            data,
            install,
            conf,
        };
        let postmaster = launcher.launch().await?;
        let (health_in, health) = watch::channel(Health::Running {
            pid: postmaster.pid(),
        });
        let stop = CancellationToken::new();
        let supervisor = tokio::spawn(supervise(launcher, postmaster, health_in, stop.clone()));
        let this = Self {
            root,
            socket_dir,
            major,
            health,
            stop: stop.drop_guard(),
            supervisor,
        };
        match prepare(&this).await {
            Ok(()) => Ok(this),
            Err(error) => {
                this.stop().await?;
                Err(ClusterError::Prepare(error))
            }
        }
    }

    /// How to reach the database of a cluster in `dir` that another process runs; none where its socket is not there.
    #[must_use]
    pub fn running(dir: &Path) -> Option<Endpoint> {
        let socket_dir = directory::running_socket_dir(dir)?;
        Some(Endpoint::private(&socket_dir, DATABASE))
    }

    /// How to reach the server's database in this cluster.
    #[must_use]
    pub fn endpoint(&self) -> Endpoint {
        Endpoint::private(&self.socket_dir, DATABASE)
    }

    /// A connection URL for a person or a tool such as `psql` or `pg_dump`. It holds no secret: only this server's
    /// operating-system user gets in with it.
    #[must_use]
    pub fn url_for(&self, role: Role, database: &str) -> String {
        let socket: String = self
            .socket_dir
            .as_os_str()
            .as_encoded_bytes()
            .iter()
            .map(|&byte| match byte {
                b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => {
                    char::from(byte).to_string()
                }
                other => format!("%{other:02X}"),
            })
            .collect();
        format!("postgresql://{role}@{socket}/{database}")
    }

    /// The data directory, canonical.
    #[must_use]
    pub fn dir(&self) -> &Path {
        &self.root
    }

    /// The directory of the Unix socket.
    #[must_use]
    pub fn socket_dir(&self) -> &Path {
        &self.socket_dir
    }

    /// PostgreSQL's major version.
    #[must_use]
    pub fn major(&self) -> u32 {
        self.major
    }

    /// How it is, now and from now on.
    #[must_use]
    pub fn health(&self) -> watch::Receiver<Health> {
        self.health.clone()
    }

    /// The postmaster's process number while it runs.
    #[must_use]
    pub fn pid(&self) -> Option<u32> {
        match *self.health.borrow() {
            Health::Running { pid } => Some(pid),
            Health::Restarting | Health::Failed | Health::Stopped => None,
        }
    }

    /// Stops it in order, within a bound of about 25 s.
    ///
    /// # Errors
    /// [`ClusterError::Killed`] when it had to be killed; [`ClusterError::GaveUp`] when it was down already.
    pub async fn stop(self) -> Result<(), ClusterError> {
        drop(self.stop);
        match self.supervisor.await {
            Ok(result) => result,
            Err(e) => Err(ClusterError::io("supervise", self.root)(
                std::io::Error::other(e),
            )),
        }
    }
}

/// Makes a cluster beside its place and moves it there when it is whole, so that a crash leaves none that is half made.
async fn create(
    data: &DataDir,
    install: &Install,
    durability: Durability,
) -> Result<(), ClusterError> {
    tracing::info!(dir = %data.root().display(), major = install.major, "creating the private PostgreSQL cluster");
    let unfinished = data.owned_dir("pg.new", false)?;
    postmaster::initdb(data, install, &unfinished).await?;
    if durability == Durability::Durable {
        sync_file_system(&unfinished).await?;
    }
    std::fs::rename(&unfinished, data.pgdata())
        .map_err(ClusterError::io("move into place", data.pgdata()))?;
    data.write_version(install.major)
}

/// Has the file system under `dir` write everything out: one call where PostgreSQL would sync each file.
async fn sync_file_system(dir: &Path) -> Result<(), ClusterError> {
    let path = dir.to_owned();
    let synced = tokio::task::spawn_blocking(move || {
        let open = std::fs::File::open(path)?;
        nix::unistd::syncfs(open).map_err(std::io::Error::from)
    });
    synced
        .await
        .map_err(std::io::Error::other)
        .flatten()
        .map_err(ClusterError::io("sync", dir))
}

/// Creates the database and the extension where they are missing.
async fn prepare(cluster: &Cluster) -> Result<(), StoreError> {
    let endpoint = cluster.endpoint();
    let mut connection = match PgConnection::connect_with(&endpoint.options(Role::Admin)).await {
        Ok(connection) => connection,
        Err(error) if is_missing_database(&error) => {
            let maintenance = endpoint.with_database("postgres").options(Role::Admin);
            let mut maintenance = PgConnection::connect_with(&maintenance).await?;
            maintenance.execute("CREATE DATABASE herald").await?;
            maintenance.close().await?;
            PgConnection::connect_with(&endpoint.options(Role::Admin)).await?
        }
        Err(error) => return Err(error.into()),
    };
    super::migrate::ensure_postgis(&mut connection).await?;
    connection.close().await?;
    Ok(())
}

/// SQLSTATE 3D000: the database does not exist.
fn is_missing_database(error: &sqlx::Error) -> bool {
    error
        .as_database_error()
        .and_then(sqlx::error::DatabaseError::code)
        .is_some_and(|code| code == "3D000")
}
