//! The commands `check` and `verify` against a real server over real TLS: exit codes, words, and what is kept.

use herald::cli::output::Output;
use herald::domain::clock::Clock;
use serde_json::{Value, json};

use crate::rig::Rig;

const HOSPITAL: &str = "36.71803, 68.86221";

async fn stage() -> Rig {
    let rig = Rig::start("warn").await;
    rig.enrol_coordinator().await;
    rig.take_in("msf", "organisation", "Médecins Sans Frontières", "Nour")
        .await;
    rig.take_in("east", "party-desk", "Eastern Command", "Major Karim")
        .await;
    rig.take_in("west", "party-desk", "Western Command", "Major Idris")
        .await;
    let notify = [
        "notify",
        "--at",
        HOSPITAL,
        "--category",
        "hospital",
        "--name",
        "Trauma centre",
        "--party",
        "east:exact",
        "--buffer",
        "500",
    ];
    rig.done("msf", &notify).await;
    rig
}

fn verdict(value: &Value) -> &str {
    value["verdict"].as_str().unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_planner_asks_and_anyone_can_hold_the_answer_against_the_root() {
    let mut rig = stage().await;
    let near = [
        "check",
        "42SVF8769463602",
        "--radius",
        "100",
        "--from",
        "2026-05-03T14:30:00Z",
        "--for",
        "30m",
    ];
    let hit = rig.herald("east", &near).await;
    assert_eq!(
        (hit.exit, verdict(hit.value())),
        (10, "conflict"),
        "{}",
        hit.beside
    );
    let none = rig.herald("west", &near).await;
    assert_eq!(
        (none.exit, verdict(none.value())),
        (0, "none_notified_to_you")
    );
    assert!(
        none.value()["answer"]["absence"]
            .as_str()
            .unwrap()
            .contains("not absence of civilians")
    );

    let kept = hit.text("kept").to_owned();
    let question = kept.replace(".answer.hn", ".question.hn");
    let held = rig.done("east", &["verify", &kept, &question]).await;
    assert!(
        held.lines.iter().all(|line| line["holds"] == true),
        "{:?}",
        held.lines
    );
    assert!(
        held.lines[0]["finding"]["proves"]
            .to_string()
            .contains("given beside it")
    );
    let mut bytes = std::fs::read(&kept).unwrap();
    let last = bytes.len() - 1;
    bytes[last] = if bytes[last] == b'A' { b'B' } else { b'A' };
    let altered = rig.dir().join("altered.hn");
    std::fs::write(&altered, bytes).unwrap();
    let altered = rig
        .herald("east", &["verify", altered.to_str().unwrap()])
        .await;
    assert_eq!(
        (altered.exit, &altered.value()["holds"]),
        (1, &json!(false))
    );

    let questions = rig.dir().join("questions.ndjson");
    let lines = [
        r#"{"id": 1, "at": "42SVF8769463602", "radius": 100}"#,
        r#"{"id": 2, "at": "36.9, 68.2", "radius": 100}"#,
        r#"{"id": 3, "geometry": {"type": "LineString", "coordinates": [[68.8, 36.7], [68.9, 36.7]]}, "half_width": 2000}"#,
        r#"{"id": 4, "at": "somewhere", "radius": 100}"#,
    ];
    std::fs::write(&questions, lines.join("\n")).unwrap();
    let answers = rig
        .herald("east", &["check", questions.to_str().unwrap()])
        .await;
    let verdicts: Vec<&str> = answers.lines.iter().map(verdict).collect();
    assert_eq!(
        verdicts,
        [
            "conflict",
            "none_notified_to_you",
            "conflict",
            "indeterminate"
        ]
    );
    assert_eq!(answers.exit, 12, "one of them was no question");

    std::fs::write(&questions, "\n").unwrap();
    let empty = rig
        .herald("east", &["check", questions.to_str().unwrap()])
        .await;
    assert_eq!(
        (empty.exit, verdict(empty.value())),
        (12, "indeterminate"),
        "what asks nothing is not told that nothing is there"
    );

    rig.kill_server();
    let silent = rig.herald("east", &near).await;
    assert_eq!(
        (silent.exit, verdict(silent.value())),
        (12, "indeterminate")
    );
    assert!(
        silent.value()["say"]
            .as_str()
            .unwrap()
            .contains("TREAT AS CONFLICT")
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn no_missed_conflict_answers_that_cannot_be_written_end_as_treat_as_conflict() {
    let rig = stage().await;
    let questions = rig.dir().join("questions.ndjson");
    let lines = [
        r#"{"at": "36.91234, 68.21234", "radius": 100}"#,
        r#"{"at": "36.92345, 68.22345", "radius": 100}"#,
    ];
    std::fs::write(&questions, lines.join("\n")).unwrap();
    rig.done("east", &["check", questions.to_str().unwrap()])
        .await;
    let full = std::fs::OpenOptions::new()
        .write(true)
        .open("/dev/full")
        .unwrap();
    let (profile, _) = rig.person("east");
    let args = [
        "herald".as_ref(),
        "--profile".as_ref(),
        profile.dir().as_os_str(),
        "check".as_ref(),
        questions.as_os_str(),
    ];
    let args = args.into_iter().map(std::ffi::OsStr::to_owned).collect();
    let out = Output::to(true, full, std::io::sink());
    let unheard = Box::pin(herald::cli::run(args, out, Clock::System)).await;
    assert_eq!(unheard.code(), 12, "one was not asked, and no answer came");
}

#[tokio::test(flavor = "multi_thread")]
async fn no_missed_conflict_an_answer_that_cannot_be_kept_is_shown_all_the_same() {
    let rig = stage().await;
    let (profile, _) = rig.person("east");
    std::fs::write(profile.path("answers"), b"in the way").unwrap();
    let questions = rig.dir().join("questions.ndjson");
    let line = r#"{"at": "42SVF8769463602", "radius": 100}"#;
    std::fs::write(&questions, [line, line].join("\n")).unwrap();
    let said = rig
        .herald("east", &["check", questions.to_str().unwrap()])
        .await;
    assert_eq!(said.exit, 10, "{}", said.beside);
    assert_eq!(
        said.lines.len(),
        2,
        "nor does it end the questions after it"
    );
    for value in &said.lines {
        assert_eq!(verdict(value), "conflict");
        assert!(value["kept"].is_null() && value["not_kept"].is_string());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn no_missed_conflict_a_profile_that_does_not_serve_ends_as_treat_as_conflict() {
    use std::os::unix::fs::PermissionsExt as _;

    let rig = stage().await;
    let question = ["check", "42SVF8769463602", "--radius", "100"];
    rig.done("ocha", &["duty", "+967770000999"]).await;
    assert_eq!(rig.herald("east", &question).await.exit, 10);
    let (profile, _) = rig.person("east");
    let (key, call) = (profile.path("device.jwk"), "+967770000999");
    let kept = std::fs::read(&key).unwrap();
    let spoil: [(&str, &dyn Fn()); 4] = [
        ("readable by others", &|| {
            let open = std::fs::Permissions::from_mode(0o644);
            std::fs::set_permissions(&key, open).unwrap();
        }),
        ("damaged", &|| std::fs::write(&key, b"{}").unwrap()),
        ("missing", &|| std::fs::remove_file(&key).unwrap()),
        ("gone altogether", &|| {
            std::fs::remove_file(profile.path("profile.json")).unwrap();
        }),
    ];
    for (what, spoil) in spoil {
        spoil();
        let said = rig.herald("east", &question).await;
        assert_eq!(
            (said.exit, verdict(said.value())),
            (12, "indeterminate"),
            "{what}: {}",
            said.beside
        );
        assert_eq!(said.value()["call"], call, "{what}");
        assert!(said.text("say").contains("TREAT AS CONFLICT"), "{what}");
        if key.exists() {
            std::fs::remove_file(&key).unwrap();
            std::fs::write(&key, &kept).unwrap();
            let own = std::fs::Permissions::from_mode(0o600);
            std::fs::set_permissions(&key, own).unwrap();
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_device_whose_first_check_gets_no_answer_knows_the_number_from_its_enrolment() {
    let mut rig = Rig::start("warn").await;
    rig.enrol_coordinator().await;
    rig.done("ocha", &["duty", "+967770000999"]).await;
    rig.take_in("east", "party-desk", "Eastern Command", "Major Karim")
        .await;
    rig.kill_server();
    let silent = ["check", "42SVF8769463602", "--radius", "100"];
    let silent = rig.herald("east", &silent).await;
    assert_eq!(
        (silent.exit, silent.value()["call"].as_str()),
        (12, Some("+967770000999"))
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn no_missed_conflict_few_digits_are_asked_about_wider_and_a_sign_is_refused_in_words() {
    let rig = stage().await;
    let refused = rig
        .herald("east", &["check", "42SVF8769463602", "--radius", "-1"])
        .await;
    assert_eq!(
        (refused.exit, verdict(refused.value())),
        (12, "indeterminate")
    );
    assert!(
        refused
            .value()
            .to_string()
            .contains("a radius is 0 metres or more"),
        "{}",
        refused.value()
    );
    let vague = ["check", "36.7, 68.9", "--radius", "500"];
    let vague = rig.herald("east", &vague).await;
    assert_eq!((vague.exit, verdict(vague.value())), (10, "conflict"));
    assert!(
        vague.value()["remarks"][0]
            .as_str()
            .unwrap()
            .contains("give more digits"),
        "the hospital is 3.9 km from the middle of what was typed: {}",
        vague.value()
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn no_missed_conflict_a_place_outside_the_contexts_country_is_indeterminate_until_it_is_meant()
 {
    let rig = stage().await;
    let mut policy = rig.done("ocha", &["policy"]).await.value().clone();
    policy["country"] = json!("YEM");
    policy["call"] = json!("+967770000111");
    let path = rig.dir().join("policy.json");
    std::fs::write(&path, policy.to_string()).unwrap();
    rig.done("ocha", &["policy", "set", path.to_str().unwrap()])
        .await;

    let swapped = ["check", "44.20000, 15.30000", "--radius", "500"];
    let said = rig.herald("east", &swapped).await;
    assert_eq!(
        (said.exit, verdict(said.value())),
        (12, "indeterminate"),
        "{}",
        said.beside
    );
    assert_eq!(
        said.value()["answer"]["doubts"],
        json!(["outside-countries"])
    );
    let remarks = said.value()["remarks"].to_string();
    assert!(
        remarks.contains("swapped") && remarks.contains("in Yemen"),
        "the country is that of the policy: {remarks}"
    );
    let meant = [&swapped[..], &["--outside-countries"]].concat();
    let meant = rig.herald("east", &meant).await;
    assert_eq!(
        (meant.exit, verdict(meant.value())),
        (0, "none_notified_to_you")
    );
    let inside = ["check", "15.30000, 44.20000", "--radius", "500"];
    assert_eq!(rig.herald("east", &inside).await.exit, 0);
    let hit = ["check", "42SVF8769463602", "--radius", "100"];
    assert_eq!(
        rig.herald("east", &hit).await.exit,
        10,
        "what is hit is hit wherever it lies"
    );

    let questions = rig.dir().join("questions.ndjson");
    let lines = [
        r#"{"at": "44.20000, 15.30000", "radius": 500}"#,
        r#"{"at": "44.20000, 15.30000", "radius": 500, "outside_countries": true}"#,
        r#"{"geometry": {"type": "Polygon", "coordinates": [[[15.3, 44.2], [15.4, 44.2], [15.4, 44.3], [15.3, 44.2]]]}}"#,
    ];
    std::fs::write(&questions, lines.join("\n")).unwrap();
    let answers = rig
        .herald("east", &["check", questions.to_str().unwrap()])
        .await;
    let verdicts: Vec<&str> = answers.lines.iter().map(verdict).collect();
    assert_eq!(
        verdicts,
        ["indeterminate", "none_notified_to_you", "indeterminate"]
    );
    assert!(
        answers.lines[2]["remarks"][0]
            .as_str()
            .unwrap()
            .contains("GeoJSON puts longitude first")
    );
}
