//! The demo, as people run it: it ends well only if every step did what it claims, fits on a screen, and never sounds like
//! permission.

use std::process::Stdio;
use std::time::Duration;

use tokio::process::Command;

/// A machine that is busy with other tests takes its time.
const PATIENCE: Duration = Duration::from_mins(5);

#[tokio::test]
async fn the_story_ends_well_fits_on_a_screen_and_never_reads_as_permission() {
    let running = Command::new(env!("CARGO_BIN_EXE_herald"))
        .arg("demo")
        .stdin(Stdio::null())
        .kill_on_drop(true)
        .output();
    let told = tokio::time::timeout(PATIENCE, running)
        .await
        .expect("the demo ends in time")
        .expect("the demo can be started");
    let text = String::from_utf8(told.stdout).expect("UTF-8");
    let beside = String::from_utf8_lossy(&told.stderr);
    assert!(told.status.success(), "{text}\n{beside}");
    for chapter in 1..=17 {
        let heading = format!("\n{chapter}. ");
        assert!(text.contains(&heading), "chapter {chapter} in:\n{text}");
    }
    for line in text.lines() {
        assert!(line.chars().count() <= 100, "too wide: {line}");
    }
    let lower = text.to_lowercase();
    for word in [
        "approved",
        "verified",
        "guarantee",
        "cleared",
        "permitted",
        " safe",
    ] {
        assert!(!lower.contains(word), "{word}");
    }
    assert!(
        text.contains("--invite -") && !text.contains("--invite HN1"),
        "a code is asked for, and never typed where others can read it"
    );
    assert!(
        !text.contains("/tmp/") && text.matches("HN1.").count() == text.matches("HN1.…").count(),
        "paths are told as people see them, and no invite is shown"
    );
}
