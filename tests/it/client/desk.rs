//! The desk's day at the command line: the queue and its looks, screening many, what is returned down to the cell, notes to
//! the next officer, the board and the printed day, and a party that is suspended.

use std::fs;

use herald::cli::exit::Exit;
use serde_json::{Value, json};

use super::{World, text};

/// Three sites in a file of the organisation's own; the second name would write markup if it could.
const SITES: &str = "\
reference,name,name_local,coordinates,category,run_or_supported,buffer_m
C-1,North clinic,عيادة الشمال,42SVF8769463602,clinic,run,200
C-2,<b>East</b> clinic of a long name that goes on and on and on for the paper,عيادة الشرق,42SVF8869463602,clinic,run,200
C-3,West clinic,,42SVF8969463602,clinic,run,200
";

/// Notifies the sites; their references, in the order of the file.
async fn notified(world: &World) -> Vec<String> {
    world.admitted("msf", "organisation").await;
    world.admitted("east", "party-desk").await;
    world.herald("ocha", &["duty", "+93700111000"]).await.json();
    let file = world.path("sites.csv");
    fs::write(&file, SITES).unwrap();
    let said = world
        .herald("msf", &["notify", text(&file), "--party", "east:exact"])
        .await;
    assert_eq!(said.exit, Exit::Ok, "{}\n{}", said.out, said.err);
    let listed = world.herald("msf", &["status"]).await.lines();
    let mut named: Vec<(String, String)> = listed
        .iter()
        .map(|one| (of(one, "name"), of(one, "reference")))
        .collect();
    named.sort_by_key(|(name, _)| {
        ["North", "<b>East", "West"]
            .iter()
            .position(|n| name.starts_with(n))
    });
    named.into_iter().map(|(_, reference)| reference).collect()
}

fn of(value: &Value, member: &str) -> String {
    value[member].as_str().unwrap_or_default().to_owned()
}

fn many(value: &Value, member: &str) -> usize {
    value[member].as_array().map_or(0, Vec::len)
}

/// The second is screened and the third returned, from a file with a row that names nothing.
async fn screens_many(world: &World, sites: &[String]) {
    // Many at once, from a file: each row has its own result, and the same command again goes on.
    let (file, results) = (world.path("outcomes.csv"), world.path("results.csv"));
    let rows = format!(
        "reference,outcome,looked_at,field,reason\n{},screened,form,,\nHN-2222-2222,screened,form,,\n{},returned,,name,which of the two?\n",
        sites[1], sites[2]
    );
    fs::write(&file, rows).unwrap();
    let screen = ["screen", "--file", text(&file), "--results", text(&results)];
    let said = world.herald("ocha", &screen).await;
    assert_eq!(said.exit, Exit::Refused, "{}", said.err);
    let value: Value = serde_json::from_str(said.out.lines().last().unwrap()).unwrap();
    assert_eq!(
        (&value["screened"], &value["returned"], &value["refused"]),
        (&json!(1), &json!(1), &json!(1))
    );
    assert_eq!(fs::read_to_string(&results).unwrap().lines().count(), 4);
    let again = world.herald("ocha", &screen).await;
    let value: Value = serde_json::from_str(again.out.lines().last().unwrap()).unwrap();
    assert_eq!(
        (&value["before"], &value["refused"]),
        (&json!(2), &json!(1))
    );
    let all = [
        "screen",
        "--all-waiting",
        "--from-org",
        "msf",
        "--looked-at",
        "form",
    ];
    let said = world.words("ocha", &all).await;
    assert!(said.contains("Nothing waits"), "{said}");
    let twice = world
        .herald("ocha", &["screen", &sites[1], "--looked-at", "form"])
        .await;
    assert!(twice.err.contains("screened before"), "{}", twice.err);
}

#[tokio::test(flavor = "multi_thread")]
async fn many_are_screened_and_what_is_returned_is_led_back_to_its_cell() {
    let mut world = World::new().await;
    let sites = notified(&world).await;
    world.herald("ocha", &["listen", "--once"]).await.lines();

    // A peek moves nothing; a look does, and what was seen is counted.
    for _ in 0..2 {
        let queue = world.herald("ocha", &["queue", "--peek"]).await.json();
        assert_eq!(many(&queue, "notifications"), 3);
    }
    world.herald("ocha", &["queue"]).await.json();
    let queue = world.herald("ocha", &["queue"]).await.json();
    assert_eq!(
        (many(&queue, "notifications"), &queue["seen"]),
        (0, &json!(3))
    );
    let said = world.words("ocha", &["queue"]).await;
    assert!(
        said.contains("since before your last look: 3 notifications"),
        "{said}"
    );
    let all = world.herald("ocha", &["queue", "--all"]).await.json();
    assert_eq!(many(&all, "notifications"), 3);

    // A field that does not exist is refused before anything is signed, with those that do.
    let back = |field: &'static str| {
        [
            "screen",
            "REF",
            "--return",
            "--field",
            field,
            "--reason",
            "two digits missing",
        ]
    };
    let with = |words: [&'static str; 7]| {
        words.map(|w| {
            if w == "REF" {
                sites[0].clone()
            } else {
                w.to_owned()
            }
        })
    };
    let words = with(back("colour"));
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    let refused = world.herald("ocha", &words).await;
    assert_eq!(refused.exit, Exit::Refused);
    assert!(
        refused.err.contains("position, name, name_local"),
        "{}",
        refused.err
    );
    let words = with(back("/place/position"));
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    world.herald("ocha", &words).await.json();

    screens_many(&world, &sites).await;

    // The organisation reads field, reason and cell.
    let heard = world.herald("msf", &["listen", "--once"]).await.lines();
    let returned = heard.iter().find(|e| !e["cells"].is_null()).unwrap();
    assert_eq!(returned["cells"], json!(["sites.csv, D2"]));
    let page = world.words("msf", &["status", &sites[0]]).await;
    assert!(
        page.contains("to mend: position: two digits missing  [sites.csv, D2]"),
        "{page}"
    );
    let page = world.words("msf", &["status", &sites[2]]).await;
    assert!(
        page.contains("to mend: name: which of the two?  [sites.csv, B4]"),
        "{page}"
    );
    let queue = world.words("msf", &["queue"]).await;
    assert!(
        queue.contains(&sites[0]) && queue.contains("[sites.csv, D2]"),
        "{queue}"
    );
    assert!(!queue.contains(&sites[1]), "{queue}");
    world.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_note_a_board_and_a_printed_day_for_whoever_comes_next() {
    let mut world = World::new().await;
    let sites = notified(&world).await;
    let invite = world.invite("ocha", "coordinator").await;
    let root = world.path("ocha").join("root.sealed.json");
    world
        .enrol_with("ocha-2", &invite, &["--root", text(&root)])
        .await
        .json();
    world.herald("ocha", &["listen", "--once"]).await.lines();
    world.herald("ocha-2", &["queue"]).await.json();
    let note = "East answers on the satphone only.\n<script>1</script>";
    let leave = [
        "handover",
        note,
        "--about",
        &sites[0],
        "--officer",
        "A. Saleh",
    ];
    world.herald("ocha", &leave).await.json();
    // On top, once, for the colleague; the one who wrote it is not told.
    let said = world.words("ocha-2", &["queue"]).await;
    assert!(
        said.contains("HANDOVER") && said.contains("A. Saleh"),
        "{said}"
    );
    assert!(said.contains(&sites[0]), "{said}");
    assert!(!world.words("ocha-2", &["queue"]).await.contains("HANDOVER"));
    assert!(!world.words("ocha", &["queue"]).await.contains("HANDOVER"));
    world.herald("ocha-2", &["listen", "--once"]).await.lines();
    let said = world.words("ocha-2", &["handover"]).await;
    assert!(said.contains("satphone"), "{said}");
    let long = "x".repeat(8_001);
    assert_eq!(
        world.herald("ocha", &["handover", &long]).await.exit,
        Exit::Refused
    );
    let unknown = ["handover", "x", "--about", "HN-2222-2222"];
    assert_eq!(world.herald("ocha", &unknown).await.exit, Exit::Refused);

    let board = world.words("ocha", &["silence"]).await;
    assert!(
        board.contains("east") && board.contains("not even taken"),
        "{board}"
    );
    assert!(
        board.contains("Silence changes no one's protection"),
        "{board}"
    );
    world.herald("east", &["listen", "--once"]).await.lines();
    let ack = ["ack", &sites[0], "--received", "--officer", "Maj. Karim"];
    world.herald("east", &ack).await.json();
    let withdraw = ["withdraw", &sites[2], "--reason", "we fear <an attack>"];
    world.herald("msf", &withdraw).await;
    for desk in ["ocha", "msf", "east"] {
        world.herald(desk, &["listen", "--once"]).await.lines();
        let page = world.path(&format!("{desk}.html"));
        let said = world.herald(desk, &["daily", "--html", text(&page)]).await;
        assert_eq!(said.exit, Exit::Ok, "{}", said.err);
        let page = fs::read_to_string(&page).unwrap();
        for wanted in [
            "عيادة الشمال",
            &sites[0],
            "North clinic",
            "Silence changes no one",
        ] {
            assert!(page.contains(wanted), "{desk}: {wanted}");
        }
        assert!(
            !page.contains("<script>") && !page.contains("<b>"),
            "{desk}"
        );
        // Why it was withdrawn is for the coordinator alone; a note is its own desk's.
        assert_eq!(
            page.contains("we fear &lt;an attack&gt;"),
            desk == "ocha",
            "{desk}"
        );
        assert_eq!(page.contains("satphone"), desk == "ocha", "{desk}");
        assert_eq!(page.contains("Maj. Karim"), desk != "east", "{desk}");
    }
    if let Some(dir) = std::env::var_os("HERALD_KEEP_PAGES") {
        let dir = std::path::PathBuf::from(dir);
        fs::copy(world.path("ocha.html"), dir.join("day.html")).unwrap();
        let board = dir.join("board.html");
        world
            .herald("ocha", &["silence", "--html", text(&board)])
            .await;
    }
    let ahead = [
        "daily",
        "--date",
        "2999-01-01",
        "--html",
        "/nowhere/day.html",
    ];
    assert_eq!(world.herald("ocha", &ahead).await.exit, Exit::Refused);
    world.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_party_is_suspended_comes_back_and_leaves_and_everybody_is_told_whom_to_call() {
    let mut world = World::new().await;
    let sites = notified(&world).await;
    let past = [
        "admit",
        "east",
        "--suspend",
        "--from",
        "2020-01-01T00:00:00Z",
    ];
    assert_eq!(world.herald("ocha", &past).await.exit, Exit::Refused);
    let nobody = ["admit", "north", "--suspend"];
    assert_eq!(world.herald("ocha", &nobody).await.exit, Exit::Refused);
    let own = world.herald("msf", &["admit", "east", "--suspend"]).await;
    assert_ne!(own.exit, Exit::Ok);

    let said = world.words("ocha", &["admit", "east", "--suspend"]).await;
    assert!(
        said.contains("it was told until then") || said.contains("has what it was told"),
        "{said}"
    );
    let refused = world.herald("east", &["listen", "--once"]).await;
    assert!(refused.err.contains("+93700111000"), "{}", refused.err);
    let asked = world
        .herald("east", &["check", "42SVF8769463602", "--radius", "500"])
        .await;
    assert_eq!(
        asked.exit,
        Exit::Indeterminate,
        "{}\n{}",
        asked.out,
        asked.err
    );
    let named = world.notify("Another clinic").await;
    assert_eq!(named.exit, Exit::Refused, "{}", named.err);
    assert!(
        named.err.contains("suspended") && named.err.contains("leave it out"),
        "{}",
        named.err
    );
    let heard = world.words("msf", &["listen", "--once"]).await;
    assert!(heard.contains("is suspended"), "{heard}");
    let page = world.words("msf", &["status", &sites[0]]).await;
    assert!(
        page.contains("SUSPENDED") && page.contains("has what it was told until then"),
        "{page}"
    );

    world.words("ocha", &["admit", "east", "--back"]).await;
    assert_eq!(
        world.herald("east", &["listen", "--once"]).await.exit,
        Exit::Ok
    );
    assert_eq!(world.notify("Another clinic").await.exit, Exit::Ok);
    world.words("ocha", &["admit", "east", "--left"]).await;
    let back = world.herald("ocha", &["admit", "east", "--back"]).await;
    assert_eq!(back.exit, Exit::Refused, "{}", back.err);
    assert!(back.err.contains("another short name"), "{}", back.err);
    let board = world.words("ocha", &["silence"]).await;
    assert!(board.contains("LEFT since"), "{board}");
    world.stop().await;
}
