//! The private PostgreSQL: it keeps what it was given through every way of dying, listens to nobody but us, and
//! refuses a directory that it must not touch.

use std::path::Path;
use std::time::{Duration, Instant};

use herald::store::cluster::{Cluster, ClusterConfig, ClusterError, Durability, Health};
use herald::store::role::Role;
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use sqlx::{Connection as _, Executor as _, PgConnection};

use crate::support::scratch_dir;

fn fast(dir: &Path) -> ClusterConfig {
    ClusterConfig {
        durability: Durability::FastForTests,
        ..ClusterConfig::new(dir.join("d"))
    }
}

async fn connect(cluster: &Cluster) -> PgConnection {
    PgConnection::connect_with(&cluster.endpoint().options(Role::Admin))
        .await
        .unwrap()
}

async fn show(cluster: &Cluster, setting: &str) -> String {
    let mut connection = connect(cluster).await;
    sqlx::query_scalar("SELECT current_setting($1)")
        .bind(setting)
        .fetch_one(&mut connection)
        .await
        .unwrap()
}

async fn remember(cluster: &Cluster) {
    let mut connection = connect(cluster).await;
    connection
        .execute("CREATE TABLE public.kept (v int); INSERT INTO public.kept VALUES (42)")
        .await
        .unwrap();
}

async fn recall(cluster: &Cluster) -> Result<i32, sqlx::Error> {
    let options = cluster.endpoint().options(Role::Admin);
    let mut connection = PgConnection::connect_with(&options).await?;
    sqlx::query_scalar("SELECT v FROM public.kept")
        .fetch_one(&mut connection)
        .await
}

async fn remembered(cluster: &Cluster) -> i32 {
    recall(cluster).await.unwrap()
}

fn kill_dead(pid: u32) {
    kill(Pid::from_raw(i32::try_from(pid).unwrap()), Signal::SIGKILL).unwrap();
}

/// Waits until it runs under another process number than `old`.
async fn back_after(cluster: &Cluster, old: u32) {
    let mut health = cluster.health();
    let back = health.wait_for(|health| matches!(health, Health::Running { pid } if *pid != old));
    tokio::time::timeout(Duration::from_secs(30), back)
        .await
        .expect("it comes back")
        .unwrap();
}

/// Processes that work in the cluster's directory.
fn at_work(cluster_dir: &Path) -> usize {
    let pgdata = cluster_dir.join("pg");
    std::fs::read_dir("/proc")
        .unwrap()
        .filter_map(|entry| std::fs::read_link(entry.ok()?.path().join("cwd")).ok())
        .filter(|cwd| *cwd == pgdata)
        .count()
}

#[tokio::test]
async fn a_durable_cluster_syncs_checks_its_pages_and_listens_on_no_network() {
    let dir = scratch_dir();
    let cluster = Cluster::start(ClusterConfig::new(dir.path().join("d")))
        .await
        .unwrap();
    for (setting, value) in [
        ("fsync", "on"),
        ("synchronous_commit", "on"),
        ("full_page_writes", "on"),
        ("data_checksums", "on"),
        ("listen_addresses", ""),
        ("server_encoding", "UTF8"),
        ("log_min_error_statement", "panic"),
    ] {
        assert_eq!(show(&cluster, setting).await, value, "{setting}");
    }
    let mut connection = connect(&cluster).await;
    let version: String = sqlx::query_scalar("SELECT postgis_lib_version()")
        .fetch_one(&mut connection)
        .await
        .unwrap();
    assert!(version.starts_with('3'), "{version}");
    connection.close().await.unwrap();
    assert_eq!(tcp_listeners(cluster.pid().unwrap()), 0);
    cluster.stop().await.unwrap();
}

/// How many TCP sockets a process listens on.
fn tcp_listeners(pid: u32) -> usize {
    let sockets: Vec<String> = std::fs::read_dir(format!("/proc/{pid}/fd"))
        .unwrap()
        .filter_map(|fd| {
            std::fs::read_link(fd.ok()?.path())
                .ok()?
                .to_str()
                .map(str::to_owned)
        })
        .filter_map(|link| Some(link.strip_prefix("socket:[")?.strip_suffix(']')?.to_owned()))
        .collect();
    assert!(!sockets.is_empty(), "its Unix socket at least");
    ["tcp", "tcp6"]
        .iter()
        .flat_map(|table| {
            std::fs::read_to_string(format!("/proc/net/{table}"))
                .unwrap_or_default()
                .lines()
                .map(str::to_owned)
                .collect::<Vec<_>>()
        })
        .filter(|line| {
            line.split_whitespace()
                .nth(9)
                .is_some_and(|inode| sockets.iter().any(|socket| socket == inode))
        })
        .count()
}

#[tokio::test]
async fn a_clean_stop_leaves_nothing_at_work_and_the_next_start_finds_everything() {
    let dir = scratch_dir();
    let cluster = Cluster::start(fast(dir.path())).await.unwrap();
    remember(&cluster).await;
    let root = cluster.dir().to_owned();
    cluster.stop().await.unwrap();
    assert_eq!(at_work(&root), 0);
    let cluster = Cluster::start(fast(dir.path())).await.unwrap();
    assert_eq!(remembered(&cluster).await, 42);
    cluster.stop().await.unwrap();
}

#[tokio::test]
async fn after_kill_9_of_the_postmaster_it_comes_back_by_itself_with_its_data() {
    let dir = scratch_dir();
    let config = ClusterConfig::new(dir.path().join("d"));
    let cluster = Cluster::start(config).await.unwrap();
    remember(&cluster).await;
    for _ in 0..2 {
        let old = cluster.pid().unwrap();
        // A session that is busy does not notice that its postmaster died: it must not survive it.
        let mut busy = connect(&cluster).await;
        let busy =
            tokio::spawn(async move { busy.execute("SELECT pg_sleep(60)").await.map(|_| ()) });
        tokio::time::sleep(Duration::from_millis(50)).await;
        kill_dead(old);
        back_after(&cluster, old).await;
        assert_eq!(remembered(&cluster).await, 42);
        busy.await.unwrap().unwrap_err();
    }
    cluster.stop().await.unwrap();
}

#[tokio::test]
async fn after_kill_9_of_a_backend_it_recovers_without_us() {
    let dir = scratch_dir();
    let cluster = Cluster::start(fast(dir.path())).await.unwrap();
    remember(&cluster).await;
    let mut victim = connect(&cluster).await;
    let pid: i32 = sqlx::query_scalar("SELECT pg_backend_pid()")
        .fetch_one(&mut victim)
        .await
        .unwrap();
    kill_dead(u32::try_from(pid).unwrap());
    let until = Instant::now() + Duration::from_secs(20);
    let kept = loop {
        match recall(&cluster).await {
            Ok(kept) => break kept,
            Err(error) => assert!(Instant::now() < until, "{error}"),
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    };
    assert_eq!(kept, 42);
    cluster.stop().await.unwrap();
}

#[tokio::test]
async fn the_orphan_of_a_killed_server_is_stopped_before_a_new_one_starts() {
    let dir = scratch_dir();
    // A server that was killed with -9: its runtime is gone at once, its PostgreSQL is not.
    let config = fast(dir.path());
    let (orphan, root) = std::thread::spawn(move || {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .unwrap();
        let (pid, root) = runtime.block_on(async {
            let cluster = Cluster::start(config).await.unwrap();
            remember(&cluster).await;
            let pid = cluster.pid().unwrap();
            // Frozen, it cannot act on the polite request that dropping it sends.
            kill(Pid::from_raw(i32::try_from(pid).unwrap()), Signal::SIGSTOP).unwrap();
            (pid, cluster.dir().to_owned())
        });
        drop(runtime);
        (pid, root)
    })
    .join()
    .unwrap();
    assert!(at_work(&root) > 0, "the orphan is still at work");
    let thaw = tokio::spawn(async move {
        tokio::time::sleep(Duration::from_millis(300)).await;
        kill(
            Pid::from_raw(i32::try_from(orphan).unwrap()),
            Signal::SIGCONT,
        )
        .unwrap();
    });
    let cluster = Cluster::start(fast(dir.path())).await.unwrap();
    thaw.await.unwrap();
    assert_ne!(cluster.pid().unwrap(), orphan);
    assert_eq!(remembered(&cluster).await, 42);
    cluster.stop().await.unwrap();
}

#[tokio::test]
async fn a_stale_pid_file_that_names_a_living_stranger_does_not_keep_it_down_nor_harm_the_stranger()
{
    let dir = scratch_dir();
    let cluster = Cluster::start(fast(dir.path())).await.unwrap();
    remember(&cluster).await;
    let root = cluster.dir().to_owned();
    cluster.stop().await.unwrap();
    let mut stranger = std::process::Command::new("sleep")
        .arg("60")
        .spawn()
        .unwrap();
    std::fs::write(
        root.join("pg/postmaster.pid"),
        format!("{}\n{}\n", stranger.id(), root.join("pg").display()),
    )
    .unwrap();
    let cluster = Cluster::start(fast(dir.path())).await.unwrap();
    assert_eq!(remembered(&cluster).await, 42);
    assert!(stranger.try_wait().unwrap().is_none(), "the stranger lives");
    stranger.kill().unwrap();
    stranger.wait().unwrap();
    cluster.stop().await.unwrap();
}

#[tokio::test]
async fn a_second_process_is_refused_and_told_who_holds_the_directory() {
    let dir = scratch_dir();
    let cluster = Cluster::start(fast(dir.path())).await.unwrap();
    let error = Cluster::start(fast(dir.path())).await.unwrap_err();
    assert!(
        matches!(&error, ClusterError::InUse { holder: Some(pid), .. } if *pid == std::process::id()),
        "{error}"
    );
    remember(&cluster).await;
    cluster.stop().await.unwrap();
}

#[tokio::test]
async fn a_newer_format_and_another_major_are_refused_untouched() {
    let dir = scratch_dir();
    let cluster = Cluster::start(fast(dir.path())).await.unwrap();
    let record = cluster.dir().join("herald-data.json");
    let major = cluster.major();
    remember(&cluster).await;
    cluster.stop().await.unwrap();
    let ours = std::fs::read_to_string(&record).unwrap();

    std::fs::write(&record, ours.replace("\"format\":1", "\"format\":7")).unwrap();
    let error = Cluster::start(fast(dir.path())).await.unwrap_err();
    assert!(
        matches!(
            error,
            ClusterError::NewerFormat {
                found: 7,
                known: 1,
                ..
            }
        ),
        "{error}"
    );

    std::fs::write(
        &record,
        ours.replace(&format!("\"pg_major\":{major}"), "\"pg_major\":14"),
    )
    .unwrap();
    let error = Cluster::start(fast(dir.path())).await.unwrap_err();
    assert!(
        matches!(error, ClusterError::OtherMajor { found: 14, .. }),
        "{error}"
    );

    std::fs::write(&record, ours).unwrap();
    let cluster = Cluster::start(fast(dir.path())).await.unwrap();
    assert_eq!(remembered(&cluster).await, 42);
    cluster.stop().await.unwrap();
}

#[tokio::test]
async fn a_start_that_was_cut_off_while_creating_begins_again() {
    let dir = scratch_dir();
    let half = dir.path().join("d/pg.new");
    std::fs::create_dir_all(&half).unwrap();
    std::fs::write(half.join("PG_VERSION"), "15\n").unwrap();
    let cluster = Cluster::start(fast(dir.path())).await.unwrap();
    remember(&cluster).await;
    cluster.stop().await.unwrap();
}

#[tokio::test]
async fn a_directory_whose_path_is_too_long_for_a_socket_works_all_the_same() {
    let dir = scratch_dir();
    let long = dir.path().join("a".repeat(100)).join("b".repeat(100));
    let config = ClusterConfig {
        durability: Durability::FastForTests,
        ..ClusterConfig::new(long)
    };
    let cluster = Cluster::start(config.clone()).await.unwrap();
    let short = cluster.socket_dir().to_owned();
    assert!(!short.starts_with(cluster.dir()));
    remember(&cluster).await;
    cluster.stop().await.unwrap();
    assert!(!short.exists(), "the short directory is removed at the end");
    let cluster = Cluster::start(config).await.unwrap();
    assert_eq!(remembered(&cluster).await, 42);
    cluster.stop().await.unwrap();
}

#[tokio::test]
async fn a_statement_that_fails_leaves_no_value_in_the_log() {
    let dir = scratch_dir();
    let cluster = Cluster::start(fast(dir.path())).await.unwrap();
    let mut connection = connect(&cluster).await;
    connection
        .execute("SELECT 'POINT(68.8690 36.7180)'::uuid")
        .await
        .unwrap_err();
    connection
        .execute("DO $$ BEGIN RAISE WARNING '68.8690'; END $$")
        .await
        .unwrap();
    connection.close().await.unwrap();
    let log = cluster.dir().join("postgres.log");
    cluster.stop().await.unwrap();
    let log = std::fs::read_to_string(log).unwrap();
    assert!(log.contains("database system is ready"), "the log is kept");
    assert!(!log.contains("68.8690"), "{log}");
}

#[tokio::test]
async fn as_root_a_directory_that_the_unprivileged_user_cannot_reach_is_refused_by_name() {
    use std::os::unix::fs::PermissionsExt as _;
    if !nix::unistd::Uid::effective().is_root() {
        return; // an ordinary user's PostgreSQL runs as that user, who made the directory
    }
    let dir = scratch_dir();
    let closed = dir.path().join("closed");
    std::fs::create_dir(&closed).unwrap();
    std::fs::set_permissions(&closed, std::fs::Permissions::from_mode(0o700)).unwrap();
    let error = Cluster::start(ClusterConfig::new(closed.join("d")))
        .await
        .unwrap_err();
    assert!(
        matches!(&error, ClusterError::Unreachable { blocked, .. } if *blocked == closed.canonicalize().unwrap()),
        "{error}"
    );
}
