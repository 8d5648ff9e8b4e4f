//! The one PostgreSQL of a test run. Several test processes may run at once, and any of them may be killed: whoever
//! comes first starts it, everyone who uses it holds a shared lock, and a watchdog that waits for the exclusive lock
//! stops it and removes its directory when the last user is gone, however that one went.

use std::fs::{self, File};
use std::os::unix::fs::{DirBuilderExt as _, MetadataExt as _, PermissionsExt as _};
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::OnceLock;
use std::sync::mpsc;
use std::time::Duration;

use herald::store::cluster::{Cluster, ClusterConfig, Durability};
use herald::store::endpoint::Endpoint;
use herald::store::migrate;
use herald::store::role::Role;
use sqlx::{AssertSqlSafe, Connection as _, Executor as _, PgConnection};

/// The shared server, ready to copy databases from its template.
pub struct Server {
    /// The server; its database is `postgres`.
    pub endpoint: Endpoint,
    /// The directory of its Unix socket.
    pub socket_dir: PathBuf,
    /// The migrated database that tests copy. It never has an open session.
    pub template: String,
    /// How a database is copied fastest: without syncing, as files, which PostgreSQL 14 does unasked.
    pub strategy: &'static str,
    /// Held as long as this process lives: the watchdog waits for it.
    _user: File,
}

/// The test run's server, started by whoever needs it first. Blocking.
fn shared() -> &'static Server {
    static SERVER: OnceLock<Server> = OnceLock::new();
    SERVER.get_or_init(|| {
        let (send, receive) = mpsc::channel();
        // A thread with a runtime of its own, which lives as long as the process: tests bring one runtime each, and
        // the cluster's supervisor must outlast them all.
        std::thread::Builder::new()
            .name("test-cluster".to_owned())
            .spawn(move || {
                let runtime = tokio::runtime::Builder::new_current_thread()
                    .enable_all()
                    .build()
                    .unwrap();
                runtime.block_on(async {
                    let (server, cluster) = join_or_start().await;
                    send.send(server).unwrap();
                    // Keeps the supervisor, if this process has it, until the process ends.
                    let _cluster = cluster;
                    std::future::pending::<()>().await;
                });
            })
            .unwrap();
        receive
            .recv_timeout(Duration::from_mins(2))
            .expect("the test cluster starts; its error stands above")
    })
}

/// As [`shared`], for asynchronous tests.
pub async fn shared_server() -> &'static Server {
    tokio::task::spawn_blocking(shared).await.unwrap()
}

/// A directory for this user's test clusters: below `target/`, or, where PostgreSQL's user may not enter that (a
/// checkout in root's home), below `/tmp`.
fn base_dir() -> PathBuf {
    let usual = PathBuf::from(env!("CARGO_TARGET_TMPDIR"));
    let me = nix::unistd::Uid::effective();
    if !me.is_root() || everyone_may_enter(&usual) {
        return usual;
    }
    let dir = PathBuf::from("/tmp/herald-tests-root");
    // Recursive: another test may be quicker.
    fs::DirBuilder::new()
        .recursive(true)
        .mode(0o711)
        .create(&dir)
        .unwrap();
    let meta = fs::symlink_metadata(&dir).unwrap();
    assert!(
        meta.is_dir() && meta.uid() == 0,
        "{} is someone else's: remove it",
        dir.display()
    );
    dir
}

fn everyone_may_enter(dir: &Path) -> bool {
    dir.ancestors()
        .all(|dir| fs::metadata(dir).is_ok_and(|meta| meta.permissions().mode() & 0o001 != 0))
}

/// A fresh directory for one test that runs its own cluster; removed when dropped.
pub fn scratch_dir() -> tempfile::TempDir {
    tempfile::Builder::new()
        .prefix("t-")
        .permissions(fs::Permissions::from_mode(0o711))
        .tempdir_in(base_dir())
        .unwrap()
}

/// Uses the server that another process of this run has started, or starts it.
async fn join_or_start() -> (Server, Option<Cluster>) {
    // One a user: root's and a person's clusters never mix.
    let home = base_dir().join(format!("shared-{}", nix::unistd::Uid::effective()));
    // Recursive: another process may be quicker.
    fs::DirBuilder::new()
        .recursive(true)
        .mode(0o711)
        .create(&home)
        .unwrap();
    let lock = |name: &str| {
        File::options()
            .create(true)
            .append(true)
            .open(home.join(name))
            .unwrap()
    };
    let user = lock("users.lock");
    user.lock_shared().unwrap();
    let starting = lock("start.lock");
    starting.lock().unwrap();

    let mut cluster = None;
    let record = home.join("socket-dir");
    let socket_dir = if let Some(socket_dir) = running(&record).await {
        socket_dir
    } else {
        let started = start(&home).await;
        let socket_dir = started.socket_dir().to_owned();
        fs::write(&record, socket_dir.as_os_str().as_encoded_bytes()).unwrap();
        cluster = Some(started);
        socket_dir
    };
    let endpoint = Endpoint::private(&socket_dir, "postgres");
    let template = template(&endpoint).await;
    let strategy = strategy(&endpoint).await;
    drop(starting);
    (
        Server {
            endpoint,
            socket_dir,
            template,
            strategy,
            _user: user,
        },
        cluster,
    )
}

/// The server that the record names, if it answers.
async fn running(record: &Path) -> Option<PathBuf> {
    let socket_dir = PathBuf::from(fs::read_to_string(record).ok()?);
    let endpoint = Endpoint::private(&socket_dir, "postgres");
    let connection = PgConnection::connect_with(&endpoint.options(Role::Admin))
        .await
        .ok()?;
    connection.close().await.ok()?;
    Some(socket_dir)
}

/// Starts it in an emptied directory (what is there belongs to a dead run), with its watchdog.
#[allow(
    clippy::zombie_processes,
    reason = "the watchdog outlives this process on purpose"
)]
async fn start(home: &Path) -> Cluster {
    let config = ClusterConfig {
        durability: Durability::FastForTests,
        ..ClusterConfig::new(home.join("c"))
    };
    if config.dir.exists() {
        // Ends what a killed run left at work before its files are taken away.
        if let Ok(old) = Cluster::start(config.clone()).await {
            old.stop().await.ok();
        }
        fs::remove_dir_all(&config.dir).unwrap();
    }
    let cluster = Cluster::start(config).await.unwrap();
    let script = "kill -INT \"$1\"; i=0; while kill -0 \"$1\" && [ $i -lt 100 ]; do sleep 0.1; i=$((i+1)); done; \
                  rm -rf \"$2\" \"$3\"";
    Command::new("flock")
        .arg(home.join("users.lock"))
        .args(["sh", "-c", script, "watchdog"])
        .arg(cluster.pid().unwrap().to_string())
        .arg(cluster.dir())
        .arg(home.join("socket-dir"))
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .process_group(0)
        .spawn()
        .expect("flock (util-linux) is there");
    cluster
}

/// `CREATE DATABASE … STRATEGY` came with PostgreSQL 15, together with a default that is slower for us.
async fn strategy(endpoint: &Endpoint) -> &'static str {
    let mut admin = PgConnection::connect_with(&endpoint.options(Role::Admin))
        .await
        .unwrap();
    let version: String = sqlx::query_scalar("SELECT current_setting('server_version_num')")
        .fetch_one(&mut admin)
        .await
        .unwrap();
    admin.close().await.unwrap();
    if version.parse::<u32>().unwrap() >= 150_000 {
        "STRATEGY FILE_COPY"
    } else {
        ""
    }
}

/// The migrated database for these migrations; made when it is missing. Its name follows from their checksums, so a
/// server that is shared with a run of another version never hands out the wrong schema.
async fn template(endpoint: &Endpoint) -> String {
    let digest = migrate::migrator()
        .iter()
        .fold(0xcbf2_9ce4_8422_2325_u64, |hash, migration| {
            // FNV-1a: a name, not a proof.
            migration.checksum.iter().fold(hash, |hash, &byte| {
                (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
            })
        });
    let name = format!("template_{digest:016x}");
    let mut admin = PgConnection::connect_with(&endpoint.options(Role::Admin))
        .await
        .unwrap();
    let complete: Option<bool> =
        sqlx::query_scalar("SELECT datistemplate FROM pg_database WHERE datname = $1")
            .bind(&name)
            .fetch_optional(&mut admin)
            .await
            .unwrap();
    if complete == Some(true) {
        return name;
    }
    // What is there without the mark was left half made by a run that died.
    for sql in [
        format!("DROP DATABASE IF EXISTS {name} WITH (FORCE)"),
        format!("CREATE DATABASE {name} TEMPLATE herald"),
    ] {
        admin.execute(AssertSqlSafe(sql)).await.unwrap();
    }
    migrate::run(&endpoint.with_database(&name))
        .await
        .expect("the migrations apply to an empty database");
    let mark = format!("ALTER DATABASE {name} IS_TEMPLATE true");
    admin.execute(AssertSqlSafe(mark)).await.unwrap();
    admin.close().await.unwrap();
    name
}
