//! An exercise is marked as one wherever a person or a program looks: every answer, screen, page, file and error.

use super::{World, text};

/// What a command says to people and to programs begins with what it is.
async fn marked(world: &World, profile: &str, args: &[&str]) {
    let said = world.read_out(profile, args).await;
    let first = said.lines().find(|line| !line.trim().is_empty());
    let first = first.unwrap_or_else(|| panic!("{args:?} says nothing"));
    assert!(first.starts_with("EXERCISE"), "{args:?}: {said}");
    let said = world.herald(profile, args).await;
    let documents = said.out.lines().chain(said.err.lines());
    for line in documents.filter(|line| !line.is_empty()) {
        assert!(
            line.starts_with(r#"{"mode":"exercise""#) || line.contains(r#""mode":"exercise""#),
            "{args:?}: {line}"
        );
        let document: serde_json::Value = serde_json::from_str(line).unwrap();
        assert_eq!(document["mode"], "exercise", "{args:?}: {line}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn whatever_is_said_in_an_exercise_begins_with_that_word() {
    let mut world = World::new().await;
    world.admitted("msf", "organisation").await;
    world.admitted("east", "party-desk").await;
    let notified = world.notify("Trauma Centre").await;
    assert!(
        notified.out.contains(r#""mode":"exercise""#),
        "{}",
        notified.out
    );
    let listed = world.herald("msf", &["status"]).await.lines();
    let reference = listed[0]["reference"].as_str().unwrap().to_owned();

    let (policy, page) = (world.path("policy.json"), world.path("page.html"));
    let shown = world.herald("ocha", &["policy"]).await;
    std::fs::write(&policy, shown.out.as_bytes()).unwrap();
    let walk: &[(&str, &[&str])] = &[
        ("msf", &["status"]),
        ("msf", &["status", &reference]),
        ("msf", &["status", &reference, "--html", text(&page)]),
        ("msf", &["devices"]),
        ("msf", &["threads"]),
        ("msf", &["send"]),
        ("msf", &["duty", "+93700111222"]),
        ("msf", &["status", "HN-0000-0000"]),
        ("msf", &["confirm", &reference]),
        ("ocha", &["queue"]),
        ("ocha", &["statistics"]),
        ("ocha", &["policy"]),
        ("ocha", &["policy", "set", text(&policy)]),
        ("ocha", &["admit", "msf", "--fingerprint", &"0".repeat(64)]),
        ("east", &["check", "42SVF8769463602", "--radius", "500"]),
        ("east", &["check", "nowhere at all", "--radius", "500"]),
        ("east", &["check", "36PVC5100051000", "--radius", "500"]),
        (
            "east",
            &["ack", &reference, "--received", "--officer", "Maj. Karim"],
        ),
    ];
    for (profile, args) in walk {
        marked(&world, profile, args).await;
    }
    // Events come once: one desk reads them as a person, the other as a program.
    let events = world.herald("east", &["listen", "--once"]).await.lines();
    assert!(
        events.iter().all(|event| event["mode"] == "exercise"),
        "{events:#?}"
    );
    let events = world.words("ocha", &["listen", "--once"]).await;
    assert!(events.starts_with("EXERCISE"), "{events}");
    let page = std::fs::read_to_string(&page).unwrap();
    assert!(page.contains("<title>EXERCISE ") && page.contains(">EXERCISE</p>"));

    // What is written beside an import.
    let rows = world.path("rows.csv");
    std::fs::write(
        &rows,
        "id,category,name,position,party\n1,hospital,A,42SVF8769463602,east:exact\n",
    )
    .unwrap();
    marked(&world, "msf", &["import", text(&rows)]).await;
    let results = std::fs::read_to_string(world.path("rows.csv.results.csv")).unwrap();
    assert!(
        results
            .lines()
            .skip(1)
            .all(|line| line.starts_with("EXERCISE,")),
        "{results}"
    );
    world.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_context_is_added_listed_served_from_the_next_start_and_enrolled_in() {
    let mut world = World::new().await;
    let (deployment, words) = (world.path("deployment"), world.passphrase.clone());
    let add = [
        "context",
        "add",
        "sdn",
        "--dir",
        text(&deployment),
        "--name",
        "Sudan desk",
        "--coordinator",
        "ocha",
        "--person",
        "A. Coordinator",
        "--passphrase-file",
        text(&words),
    ];
    let added = world.herald("nobody", &add).await.json();
    assert_eq!(
        (&added["context"], &added["mode"]),
        (&"sdn".into(), &"live".into())
    );
    let again = world.herald("nobody", &add).await;
    assert!(
        again.err.contains("has a context sdn already"),
        "{}",
        again.err
    );
    let invite = added["invite"].as_str().unwrap().to_owned();
    // Not before the next start.
    let early = world.enrol("ocha-sdn", &invite).await;
    assert!(early.err.contains("wrong-context"), "{}", early.err);
    world.stop().await;
    world.start().await;
    let enrolled = world.enrol("ocha-sdn", &invite).await.json();
    assert_eq!(
        (&enrolled["context"], &enrolled["mode"]),
        (&"sdn".into(), &"live".into())
    );
    // The live context's words are not marked; the exercise's are, beside it.
    let live = world.read_out("ocha-sdn", &["policy"]).await;
    assert!(
        !live.contains("EXERCISE") && live.contains("sites confirmed"),
        "{live}"
    );
    marked(&world, "ocha", &["policy"]).await;
    let list = ["context", "list", "--dir", text(&deployment)];
    let listed = world.herald("nobody", &list).await.lines();
    let listed: Vec<_> = listed
        .iter()
        .map(|one| (&one["context"], &one["mode"]))
        .collect();
    assert_eq!(
        listed,
        [
            (&"afg".into(), &"exercise".into()),
            (&"sdn".into(), &"live".into())
        ]
    );
    assert!(
        world
            .read_out("nobody", &list)
            .await
            .contains("EXERCISE context afg")
    );
    world.stop().await;
}
