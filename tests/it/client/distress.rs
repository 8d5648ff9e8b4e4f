//! Calling for help with the command line: the numbers first, without a line too; then the call, as soon as there is one;
//! and at the desks, an alarm, an answer, an end.

use herald::cli;
use herald::cli::exit::Exit;
use herald::cli::output::{Captured, Output};
use herald::domain::clock::Clock;
use serde_json::json;

use super::{PATIENCE, World, text, until};

/// Everybody with a duty number, a policy that names one more, and a place that was notified to `east`; gives its
/// reference.
async fn notified(world: &World) -> String {
    world.admitted("msf", "organisation").await;
    for party in ["east", "west"] {
        world.admitted(party, "party-desk").await;
    }
    for (who, number) in [
        ("ocha", "+96777000111"),
        ("east", "+96777000222"),
        ("west", "+96777000333"),
    ] {
        world.herald(who, &["duty", number]).await.json();
    }
    let mut policy = world.herald("ocha", &["policy"]).await.json();
    policy["escalation"] = json!([{"name": "Head of access", "phone": "+96777000444"}]);
    let file = world.path("policy.json");
    std::fs::write(&file, policy.to_string()).unwrap();
    let args = ["policy", "set", text(&file)];
    world.herald("ocha", &args).await.json();
    let notified = world.notify("Trauma Centre").await;
    assert_eq!(notified.exit, Exit::Ok, "{}", notified.err);
    for who in ["msf", "east"] {
        world.herald(who, &["listen", "--once"]).await.lines();
    }
    let listed = world.herald("msf", &["status"]).await.json();
    listed["reference"].as_str().unwrap().to_owned()
}

/// Runs a command for people on a thread of its own.
fn people(
    world: &World,
    profile: &str,
    args: &[&str],
) -> (std::thread::JoinHandle<Exit>, Captured, Captured) {
    let (output, out, err) = Output::captured(false);
    let mut line = world.line(profile, args);
    line.retain(|word| word != "--json");
    let running = std::thread::spawn(move || {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .unwrap();
        let run = cli::run(line, output, Clock::System);
        let run = async { tokio::time::timeout(2 * PATIENCE, run).await };
        runtime.block_on(run).expect("it ends")
    });
    (running, out, err)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_call_prints_the_numbers_without_a_line_and_goes_out_as_soon_as_there_is_one() {
    let mut world = World::new().await;
    let reference = notified(&world).await;
    let args = ["distress", "--standing", "west"];
    world.herald("msf", &args).await.json();

    world.stop().await;
    let args = [
        "distress",
        &reference,
        "--text",
        "under fire",
        "--people",
        "3",
    ];
    let (calling, out, err) = people(&world, "msf", &args);
    until(&err, "that it is not sent", |t| t.contains("NOT SENT")).await;
    let printed = out.text();
    assert!(printed.starts_with("EXERCISE\nCALL NOW:"), "{printed}");
    for number in ["+96777000111", "+96777000222", "+96777000444"] {
        assert!(printed.contains(number), "{printed}");
    }
    assert!(printed.contains("no emergency service"), "{printed}");
    assert!(
        !printed.contains("+96777000333"),
        "chosen parties come first"
    );
    // Something that was signed before it does not go first.
    let duty = world.herald("msf", &["duty", "+96777000555"]).await;
    assert_eq!(duty.exit, Exit::Unreachable, "{}", duty.err);
    let waiting = world.herald("msf", &["send", "--list"]).await.json();
    assert_eq!(waiting["waiting"][0]["kind"], "distress");
    world.start().await;
    until(&out, "that it arrived", |t| t.contains("has your call")).await;
    assert_eq!(calling.join().unwrap(), Exit::Ok, "{}", err.text());
    assert!(out.text().contains("the coordinator and east"));

    // From a fresh place, to the standing choice; and the numbers come before any mistake.
    let args = [
        "distress",
        "--at",
        "36.71803, 68.86221",
        "--text",
        "stopped",
    ];
    let said = world.herald("msf", &args).await;
    assert_eq!(said.json()["parties"], json!(["west"]));
    let args = ["distress", "--at", "somewhere", "--text", "stopped"];
    let said = world.herald("msf", &args).await;
    assert_eq!(said.exit, Exit::Refused);
    assert!(said.out.contains("+96777000111"));
    world.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_call_is_an_alarm_at_the_desks_until_an_officer_answers_and_the_organisation_ends_it() {
    let mut world = World::new().await;
    let reference = notified(&world).await;
    let args = ["distress", &reference, "--text", "under fire"];
    assert_eq!(world.herald("msf", &args).await.exit, Exit::Ok);

    let (listening, out, err) = people(&world, "east", &["listen", "--once"]);
    assert_eq!(listening.join().unwrap(), Exit::Ok, "{}", err.text());
    let alarm = out.text();
    let first = alarm.lines().find(|l| l.contains("DISTRESS")).unwrap();
    assert!(first.contains("CALLS FOR HELP"), "{alarm}");
    assert!(alarm.contains("under fire"), "{alarm}");
    assert!(err.text().contains('\u{7}'), "it rings");
    let queue = world.herald("east", &["queue"]).await.json();
    let call = queue["calls"][0]["reference"].as_str().unwrap().to_owned();
    assert_eq!(queue["calls"][0]["state"], "open");
    let status = world.herald("msf", &["status", &reference]).await.json();
    assert_eq!(status["calls"][0]["reference"], call);

    // The coordinator has not listened, and answers by the reference that it was told.
    for who in ["east", "ocha"] {
        let args = ["respond", &call, "--officer", "Maj. Karim"];
        world.herald(who, &args).await.json();
    }
    let back = world.herald("msf", &["listen", "--once"]).await.lines();
    let answers: Vec<_> = back.iter().filter(|e| e["kind"] == "respond").collect();
    assert_eq!(answers.len(), 2, "{back:#?}");
    for answer in answers {
        assert_eq!(answer["believed"], true);
        assert_eq!(answer["parts"]["detail"]["officer"]["name"], "Maj. Karim");
    }
    let args = [
        "resolve",
        &call,
        "--outcome",
        "over",
        "--text",
        "all are out",
    ];
    world.herald("msf", &args).await.json();
    let told = world.herald("east", &["listen", "--once"]).await.lines();
    let ended = told.iter().find(|e| e["kind"] == "resolve").unwrap();
    assert_eq!(ended["believed"], true);
    let queue = world.herald("east", &["queue"]).await.json();
    assert_eq!(queue.get("calls"), None);
    world.stop().await;
}
