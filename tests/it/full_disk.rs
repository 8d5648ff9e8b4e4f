//! A disk that is full: statements are refused in words and none is half taken, what had its receipt stays, and when
//! there is room again the same bytes are taken.

use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::Command;

use herald::cli::api::ApiError;
use herald::wire::problem::ProblemKind;

use crate::kill::{People, look_into_the_database, until_back};
use crate::rig::Rig;
use crate::support::scratch_dir;

/// Room for a new cluster and its write-ahead log.
const DISK: &str = "size=320m";
/// What is left when the ballast is on board, in bytes.
const LEFT: u64 = 2 << 20;
/// Batches that must be more than enough to fill that.
const BATCHES_MOST: usize = 200;
const BATCH: usize = 16;

/// A small disk of its own; gone with the value.
struct SmallDisk(PathBuf);

impl SmallDisk {
    /// `None`, with the reason printed, where this machine does not let us mount.
    fn mount(at: &Path) -> Option<Self> {
        fs::create_dir(at).unwrap();
        let mount = Command::new("mount")
            .args(["-t", "tmpfs", "-o", DISK, "herald-test"])
            .arg(at)
            .output();
        match mount {
            Ok(output) if output.status.success() => {
                fs::set_permissions(at, Permissions::from_mode(0o711)).unwrap();
                Some(Self(at.to_owned()))
            }
            Ok(output) => {
                let why = String::from_utf8_lossy(&output.stderr).trim().to_owned();
                eprintln!("not tried, because no small disk can be mounted here: {why}");
                None
            }
            Err(why) => {
                eprintln!("not tried, because no small disk can be mounted here: {why}");
                None
            }
        }
    }

    fn ballast(&self) -> PathBuf {
        self.0.join("ballast")
    }

    fn fill(&self) {
        let df = Command::new("df")
            .args(["--output=avail", "-B1"])
            .arg(&self.0)
            .output();
        let text = String::from_utf8(df.unwrap().stdout).unwrap();
        let free: u64 = text.lines().nth(1).unwrap().trim().parse().unwrap();
        let size = free.saturating_sub(LEFT).to_string();
        let filled = Command::new("fallocate")
            .args(["--length", &size])
            .arg(self.ballast())
            .status();
        assert!(filled.unwrap().success());
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        Command::new("umount")
            .arg("--lazy")
            .arg(&self.0)
            .status()
            .ok();
        // The rig went first, and could not remove what was mounted in its directory.
        if fs::remove_dir(&self.0).is_ok()
            && let Some(dir) = self.0.parent()
        {
            fs::remove_dir_all(dir).ok();
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn on_a_full_disk_statements_are_refused_in_words_and_nothing_with_a_receipt_is_lost() {
    let dir = scratch_dir();
    let Some(disk) = SmallDisk::mount(&dir.path().join("disk")) else {
        return;
    };
    let data = disk.0.join("data");
    let mut rig = Rig::start_in(dir, data, "warn").await;
    let people = People::enrol(&rig).await;
    let send = async || {
        let built: Vec<_> = (0..BATCH).map(|_| people.site()).collect();
        let at: Vec<usize> = built.iter().map(|built| people.keep(built, 0)).collect();
        people.send_all(&people.org.1, &at).await
    };
    assert!(send().await, "there is room");

    disk.fill();
    let mut batches = 0;
    while send().await {
        batches += 1;
        assert!(batches < BATCHES_MOST, "the disk does not get full");
    }
    let refused = people.site();
    people.keep(&refused, 0);
    match people.org.1.submit(&refused.envelope.encode()).await {
        Err(ApiError::Problem(problem)) => {
            let kind = ProblemKind::from_type_uri(&problem.type_uri);
            assert_eq!(
                kind,
                Some(ProblemKind::DatabaseUnavailable),
                "{}",
                problem.title
            );
            assert!(problem.action.contains("again"), "{}", problem.action);
        }
        // The database could not even write its log and is starting again, or the server has given up on it.
        // Or a page that had room left takes one more.
        Err(ApiError::Unreachable { .. }) | Ok(_) => {}
        Err(other) => panic!("refused in other words: {other}"),
    }
    eprintln!(
        "full after {batches} batches; the server has ended: {}",
        rig.has_ended()
    );

    fs::remove_file(disk.ballast()).unwrap();
    if rig.has_ended() {
        rig.ended();
        rig.serve();
    }
    until_back(|| people.org.1.me()).await;
    people.send_again(0).await;
    people.catch_up().await;
    look_into_the_database(&rig, &people).await;
    drop(rig);
    drop(disk);
}
