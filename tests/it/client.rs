//! The command line against a real server over real TLS: enrolment in all its ways, what a lost answer costs, what a
//! revoked device may do, and that listening resumes where it stopped.

mod desk;
mod distress;
mod drill;
mod nudge;

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use herald::app::Server;
use herald::cli;
use herald::cli::exit::Exit;
use herald::cli::output::{Captured, Output};
use herald::config::ServerConfig;
use herald::domain::clock::Clock;
use serde_json::Value;

use crate::support::TestDb;

/// No test waits longer for anything.
const PATIENCE: Duration = Duration::from_secs(30);

/// A deployment, its server, and a directory of profiles.
struct World {
    dir: tempfile::TempDir,
    db: TestDb,
    server: Option<Server>,
    address: SocketAddr,
    passphrase: PathBuf,
}

/// What a command said.
struct Said {
    exit: Exit,
    out: String,
    err: String,
}

impl Said {
    /// The last line as JSON; the command must have succeeded.
    fn json(&self) -> Value {
        assert_eq!(self.exit, Exit::Ok, "{}\n{}", self.out, self.err);
        serde_json::from_str(self.out.lines().last().unwrap()).unwrap()
    }

    /// All lines as JSON.
    fn lines(&self) -> Vec<Value> {
        assert_eq!(self.exit, Exit::Ok, "{}\n{}", self.out, self.err);
        self.out
            .lines()
            .map(|line| serde_json::from_str(line).unwrap())
            .collect()
    }
}

impl World {
    /// A new deployment whose coordinator has enrolled in the profile `ocha`.
    async fn new() -> Self {
        herald::tls::install_provider();
        let dir = tempfile::tempdir().unwrap();
        let passphrase = dir.path().join("passphrase");
        herald::crypto::secret_file::create(&passphrase, b"correct horse battery staple").unwrap();
        let mut world = Self {
            db: TestDb::new().await,
            address: "127.0.0.1:0".parse().unwrap(),
            server: None,
            passphrase,
            dir,
        };
        let deployment = world.path("deployment");
        let words = world.passphrase.clone();
        let said = world
            .herald(
                "nobody",
                &[
                    "init",
                    "--dir",
                    text(&deployment),
                    "--context",
                    "afg",
                    "--mode",
                    "exercise",
                    "--name",
                    "Drill",
                    "--host",
                    "127.0.0.1",
                    "--coordinator",
                    "ocha",
                    "--person",
                    "A. Coordinator",
                    "--passphrase-file",
                    text(&words),
                ],
            )
            .await;
        let invite = said.json()["invite"].as_str().unwrap().to_owned();
        world.start().await;
        world.enrol("ocha", &invite).await.json();
        world
    }

    fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    /// Starts the server, on the port it had before.
    async fn start(&mut self) {
        let mut config = ServerConfig::new(self.path("deployment"));
        config.database_url = Some(self.db.url().await);
        config.listen = self.address;
        config.ops = "127.0.0.1:0".parse().unwrap();
        let server = Server::start(config).await.unwrap();
        self.address = server.address;
        self.server = Some(server);
    }

    async fn stop(&mut self) {
        self.server.take().unwrap().stop().await;
    }

    async fn herald(&self, profile: &str, args: &[&str]) -> Said {
        let (output, out, err) = Output::captured(true);
        let exit = cli::run(self.line(profile, args), output, Clock::System).await;
        Said {
            exit,
            out: out.text(),
            err: err.text(),
        }
    }

    /// What a command says to people; it must have succeeded.
    async fn words(&self, profile: &str, args: &[&str]) -> String {
        let (output, out, err) = Output::captured(false);
        let mut line = self.line(profile, args);
        line.retain(|word| word != "--json");
        let exit = cli::run(line, output, Clock::System).await;
        assert_eq!(exit, Exit::Ok, "{}\n{}", out.text(), err.text());
        out.text()
    }

    /// As people read it.
    async fn read_out(&self, profile: &str, args: &[&str]) -> String {
        let (output, out, err) = Output::captured(false);
        let profile = self.path(profile);
        let head = ["herald", "--profile", text(&profile)];
        let line = head.iter().chain(args).map(Into::into).collect();
        cli::run(line, output, Clock::System).await;
        out.text() + &err.text()
    }

    fn line(&self, profile: &str, args: &[&str]) -> Vec<std::ffi::OsString> {
        let profile = self.path(profile);
        let head = ["herald", "--json", "--profile", text(&profile)];
        head.iter().chain(args).map(Into::into).collect()
    }

    async fn enrol(&self, profile: &str, invite: &str) -> Said {
        self.enrol_with(profile, invite, &[]).await
    }

    async fn enrol_with(&self, profile: &str, invite: &str, more: &[&str]) -> Said {
        let server = format!("https://{}", self.address);
        let mut args = vec![
            "enrol",
            "--server",
            &server,
            "--invite",
            invite,
            "--passphrase-file",
            text(&self.passphrase),
        ];
        args.extend(more);
        self.herald(profile, &args).await
    }

    async fn invite(&self, actor: &str, role: &str) -> String {
        let args = [
            "invite", actor, "--role", role, "--name", "A name", "--person", "A person",
        ];
        let said = self.herald("ocha", &args).await.json();
        said["invite"].as_str().unwrap().to_owned()
    }

    /// Enrols the first device of an actor, in a profile of its name, and admits the actor.
    async fn admitted(&self, actor: &str, role: &str) {
        let enrolled = self
            .enrol(actor, &self.invite(actor, role).await)
            .await
            .json();
        assert_eq!(enrolled["state"], "active");
        let fingerprint = enrolled["root_fingerprint"].as_str().unwrap();
        let args = ["admit", actor, "--fingerprint", fingerprint];
        assert_eq!(self.herald("ocha", &args).await.json()["state"], "admitted");
    }

    async fn notify(&self, name: &str) -> Said {
        let args = [
            "notify",
            "--category",
            "hospital",
            "--name",
            name,
            "--at",
            "42SVF8769463602",
            "--buffer",
            "500",
            "--party",
            "east:exact",
        ];
        self.herald("msf", &args).await
    }
}

fn text(path: &Path) -> &str {
    path.to_str().unwrap()
}

/// Waits until `found` says so of what was printed.
async fn until(out: &Captured, what: &str, found: impl Fn(&str) -> bool) {
    let waiting = async {
        while !found(&out.text()) {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    let came = tokio::time::timeout(PATIENCE, waiting).await.is_ok();
    assert!(came, "{what} did not come; printed so far:\n{}", out.text());
}

#[tokio::test(flavor = "multi_thread")]
async fn devices_enrol_wait_for_the_root_bring_it_along_renew_and_are_taken_back() {
    let mut world = World::new().await;
    world.admitted("msf", "organisation").await;

    // A second device waits until a colleague has compared its fingerprint and signs with the root.
    let invite = world.invite("msf", "organisation").await;
    let second = world.enrol("msf-2", &invite).await.json();
    assert_eq!(second["state"], "pending");
    assert_eq!(
        world.herald("msf-2", &["devices"]).await.json()["desk_key"],
        false
    );
    let root = world.path("msf").join("root.sealed.json");
    let (device, words) = (second["device"].as_str().unwrap(), world.passphrase.clone());
    let sign = async |fingerprint: &str| {
        let args = [
            "devices",
            "sign",
            device,
            "--root",
            text(&root),
            "--fingerprint",
            fingerprint,
            "--passphrase-file",
            text(&words),
        ];
        world.herald("msf", &args).await
    };
    assert_eq!(sign(&"0".repeat(64)).await.exit, Exit::Refused);
    sign(second["device_fingerprint"].as_str().unwrap())
        .await
        .json();
    let devices = world.herald("msf-2", &["devices"]).await.json();
    assert_eq!(
        (&devices["desk_key"], &devices["me"]["device_state"]),
        (&Value::Bool(true), &"active".into())
    );

    // A third brings the root along and may speak at once.
    let invite = world.invite("msf", "organisation").await;
    let third = world
        .enrol_with("msf-3", &invite, &["--root", text(&root)])
        .await
        .json();
    assert_eq!(third["state"], "active");
    assert_eq!(
        world.herald("msf-3", &["devices"]).await.json()["desk_key"],
        true
    );

    // A used invite is of no use to anyone else, and a used profile is left alone.
    assert_eq!(world.enrol("thief", &invite).await.exit, Exit::Refused);
    assert_eq!(world.enrol("msf-3", &invite).await.exit, Exit::Failure);

    // Renewed keys speak on, and what the coordinator signed with its old ones is still believed.
    world.herald("msf-3", &["devices", "renew"]).await.json();
    world.herald("ocha", &["devices", "renew"]).await.json();
    world
        .herald("msf-3", &["duty", "+93700111222"])
        .await
        .json();
    world.herald("ocha", &["duty", "+93700111000"]).await.json();

    // A device that is taken back is refused at its next request; the others are not.
    world
        .herald("msf", &["revoke", device, "--reason", "lost"])
        .await
        .json();
    let refused = world.herald("msf-2", &["devices"]).await;
    assert_ne!(refused.exit, Exit::Ok);
    assert!(refused.err.contains("certificate"), "{}", refused.err);
    world.herald("msf-3", &["devices"]).await.json();
    world.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_enrolment_whose_answer_was_lost_succeeds_when_it_is_repeated() {
    let mut world = World::new().await;
    let invite = world.invite("msf", "organisation").await;
    // The server has enrolled the device, and the client cannot keep the answer.
    let obstacle = world.path("msf").join("ca.pem");
    std::fs::create_dir_all(&obstacle).unwrap();
    assert_eq!(world.enrol("msf", &invite).await.exit, Exit::Failure);
    assert!(!world.path("msf").join("profile.json").exists());
    std::fs::remove_dir(&obstacle).unwrap();
    let enrolled = world.enrol("msf", &invite).await.json();
    assert_eq!(enrolled["state"], "active");
    assert!(!world.path("msf").join("enrolling.json").exists());
    world.herald("msf", &["duty", "+93700111222"]).await.json();
    world.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_admission_needs_the_fingerprint_that_the_person_read() {
    let mut world = World::new().await;
    let invite = world.invite("msf", "organisation").await;
    world.enrol("msf", &invite).await.json();
    let wrong = world
        .herald("ocha", &["admit", "msf", "--fingerprint", &"0".repeat(64)])
        .await;
    assert_eq!(wrong.exit, Exit::Refused);
    let queue = world.herald("ocha", &["queue"]).await.json();
    assert_eq!(queue["admissions"][0]["actor"], "msf");
    world.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_notification_reaches_the_party_is_acknowledged_and_the_organisation_sees_it() {
    let mut world = World::new().await;
    world.admitted("msf", "organisation").await;
    world.admitted("east", "party-desk").await;
    let notified = world.notify("Trauma Centre").await;
    assert_eq!(
        notified.exit,
        Exit::Ok,
        "{}\n{}",
        notified.out,
        notified.err
    );

    // The party: what came, where it is, and that it reached the desk, said by the device itself.
    let received = world.herald("east", &["listen", "--once"]).await.lines();
    let site = received.iter().find(|e| e["kind"] == "site").unwrap();
    assert_eq!(
        (
            &site["believed"],
            &site["parts"]["place"]["properties"]["name"]
        ),
        (&Value::Bool(true), &"Trauma Centre".into())
    );
    let reference = site["reference"].as_str().unwrap();
    let args = [
        "ack",
        reference,
        "--entered",
        "--officer",
        "Maj. Karim",
        "--list",
        "NSL North",
        "--number",
        "114",
        "--at",
        "42S VF 87694 63602",
    ];
    world.herald("east", &args).await.json();

    // The coordinator looks at it.
    world.herald("ocha", &["listen", "--once"]).await.lines();
    world
        .herald(
            "ocha",
            &["screen", reference, "--looked-at", "form,coordinates"],
        )
        .await
        .json();

    // The organisation: both words of the party, signed, and one page that says so.
    let back = world.herald("msf", &["listen", "--once"]).await.lines();
    let acks: Vec<_> = back.iter().filter(|e| e["kind"] == "ack").collect();
    assert_eq!(acks.len(), 2, "{back:#?}");
    assert!(acks.iter().all(|ack| ack["believed"] == true));
    assert!(back.iter().any(|e| e["kind"] == "screen"));
    let status = world.herald("msf", &["status", reference]).await.json();
    let states: Vec<_> = status["parties"][0]["acknowledgements"]
        .as_array()
        .unwrap()
        .iter()
        .map(|ack| ack["state"].as_str().unwrap())
        .collect();
    assert_eq!(states, ["reached_desk", "entered"]);
    let said = &status["parties"][0]["acknowledgements"][1]["said"];
    assert_eq!(said["officer"]["name"], "Maj. Karim");
    assert_eq!(said["entered"]["list"], "NSL North");
    let listed = world.herald("msf", &["status"]).await.lines();
    assert_eq!(listed[0]["name"], "Trauma Centre");

    // A question is read where the organisation looks.
    let question = [
        "--queried",
        "--officer",
        "Maj. Karim",
        "--question",
        "Which gate?",
    ];
    let args = [&["ack", reference], &question[..]].concat();
    world.herald("east", &args).await.json();
    world.herald("msf", &["listen", "--once"]).await.lines();
    let page = world.path("page.html");
    world
        .herald("msf", &["status", reference, "--html", text(&page)])
        .await;
    let page = std::fs::read_to_string(page).unwrap();
    for part in [
        "ASKS: Which gate?",
        "said by Maj. Karim",
        "number 114",
        "not approval",
    ] {
        assert!(page.contains(part), "{part} is missing in {page}");
    }

    // Taken back: the party is told.
    world
        .herald("msf", &["withdraw", reference, "--reason", "moved"])
        .await
        .json();
    let told = world.herald("east", &["listen", "--once"]).await.lines();
    assert!(
        told.iter()
            .any(|e| e["kind"] == "withdraw" && e["believed"] == true)
    );
    world.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn listening_goes_on_where_it_stopped_when_the_server_comes_back() {
    let mut world = World::new().await;
    world.admitted("msf", "organisation").await;
    world.admitted("east", "party-desk").await;
    let (output, out, err) = Output::captured(true);
    let line = world.line("east", &["listen"]);
    let listening = std::thread::spawn(move || {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .unwrap();
        // Ends with the test: what it prints is watched from outside.
        let ended = async {
            tokio::time::timeout(2 * PATIENCE, cli::run(line, output, Clock::System)).await
        };
        runtime.block_on(ended)
    });
    world.notify("First").await;
    until(&out, "the first", |text| text.contains("First")).await;
    world.stop().await;
    let kept = world.notify("Second").await;
    assert_eq!(kept.exit, Exit::Unreachable, "{}\n{}", kept.out, kept.err);
    world.start().await;
    world.herald("msf", &["send"]).await;
    until(&out, "the second", |text| text.contains("Second")).await;
    assert!(!listening.is_finished(), "{}", err.text());
    // Whatever was repeated on the way, each event was kept and shown once, in order.
    let seqs: Vec<u64> = out
        .text()
        .lines()
        .map(|line| {
            serde_json::from_str::<Value>(line).unwrap()["seq"]
                .as_u64()
                .unwrap()
        })
        .collect();
    assert_eq!(seqs, (1..=seqs.len() as u64).collect::<Vec<_>>());
    world.stop().await;
}

#[tokio::test]
async fn a_file_that_notify_or_import_sent_is_sent_by_neither_a_second_time() {
    let world = World::new().await;
    world.admitted("msf", "organisation").await;
    world.admitted("east", "party-desk").await;
    let file = world.path("sites.csv");
    let header = "reference,name,category,country,coordinates";
    let (clinic, school) = (
        "R1,Clinic,clinic,AFG,\"36.71803, 68.86221\"",
        "R2,School,school,AFG,\"36.72803, 68.86221\"",
    );
    let write = |rows: &[&str]| {
        std::fs::write(&file, format!("{header}\n{}\n", rows.join("\n"))).unwrap();
    };
    let to_east = |command| [command, text(&file), "--party", "east:exact"];

    write(&[clinic]);
    let first = world.herald("msf", &to_east("notify")).await;
    assert_eq!(first.lines()[1]["sent"].as_array().unwrap().len(), 1);
    let again = world.herald("msf", &to_east("notify")).await.lines();
    assert_eq!(again[0]["signed"], serde_json::json!([]));
    assert_eq!(again[0]["unchanged"].as_array().unwrap().len(), 1);

    write(&[clinic, school]);
    let imported = world.herald("msf", &to_east("import")).await.json();
    assert_eq!(
        (&imported["accepted"], &imported["unchanged"]),
        (&1.into(), &1.into())
    );

    let renamed = clinic.replace("Clinic", "Clinic North");
    write(&[&renamed, school]);
    let changed = world.herald("msf", &to_east("notify")).await.lines();
    assert_eq!(changed[0]["signed"][0]["rev"], 2);
    assert_eq!(changed[0]["unchanged"].as_array().unwrap().len(), 1);
    let listed = world.herald("msf", &["status"]).await.lines();
    assert_eq!(listed.len(), 2, "two places, each notified once");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_party_asks_and_warns_the_organisation_replies_and_both_see_where_it_stands() {
    let world = World::new().await;
    world.admitted("msf", "organisation").await;
    world.admitted("east", "party-desk").await;
    world.notify("Trauma Centre").await.json();
    let received = world.herald("east", &["listen", "--once"]).await.lines();
    let site = received.iter().find(|e| e["kind"] == "site").unwrap();
    let reference = site["reference"].as_str().unwrap();

    // What cannot be asked is refused before it is signed.
    let ask = ["ack", reference, "--queried", "--officer", "Maj. Karim"];
    let ask = async |more: &[&str]| {
        let args: Vec<&str> = ask.iter().chain(more).copied().collect();
        world.herald("east", &args).await
    };
    for bad in [
        &["--question", "wait?", "--ask", "delay"][..],
        &["--question", "which?", "--due", "031800ZMAY20"],
        &["--question", "which?", "--due", "tomorrow"],
    ] {
        assert_eq!(ask(bad).await.exit, Exit::Refused, "{bad:?}");
    }
    let due = (Clock::System.now() + time::Duration::hours(5))
        .format(&time::format_description::well_known::Rfc3339)
        .unwrap();
    ask(&["--question", "which of the two?", "--due", &due])
        .await
        .json();
    let warn = [
        "warn",
        reference,
        "--officer",
        "Maj. Karim",
        "--alleges",
        "that it stands empty",
    ];
    world.herald("east", &warn).await.json();

    let waiting = world.herald("east", &["threads"]).await.json();
    assert_eq!(waiting["threads"].as_array().unwrap().len(), 2);
    // Nobody replies to what this device has not received itself; then not to a guess.
    let explain = [
        "reply",
        reference,
        "--explained",
        "--text",
        "the eastern one",
    ];
    assert_eq!(world.herald("msf", &explain).await.exit, Exit::Refused);
    let heard = world.herald("msf", &["listen", "--once"]).await.lines();
    let warned = heard.iter().find(|e| e["kind"] == "warn").unwrap();
    let says = warned["parts"]["detail"]["says"].as_str().unwrap();
    assert!(says.contains("determines no status"), "{says}");
    let several = world.herald("msf", &explain).await;
    assert_eq!(several.exit, Exit::Refused);
    assert!(
        several.err.contains("that it stands empty"),
        "{}",
        several.err
    );
    let decline = [
        "reply",
        reference,
        "--declined",
        "--text",
        "patients are inside",
        "--re",
        warned["of"].as_str().unwrap(),
    ];
    world.herald("msf", &decline).await.json();
    world.herald("msf", &["listen", "--once"]).await.lines();
    let amend = ["reply", reference, "--amended", "1", "--text", "so"];
    assert_eq!(world.herald("msf", &amend).await.exit, Exit::Refused);
    world.herald("msf", &explain).await.json();

    // Both pages say who asked, that it was replied to, and what was said.
    for profile in ["east", "msf"] {
        world.herald(profile, &["listen", "--once"]).await.lines();
        let page = world.words(profile, &["status", reference]).await;
        for words in [
            "Queries and warnings",
            "east warns msf",
            "east asks msf",
            "replied to",
            "determines no status",
            "declines: patients are inside",
            "explains: the eastern one",
        ] {
            assert!(page.contains(words), "{profile}, {words}:\n{page}");
        }
        let threads = world.words(profile, &["threads"]).await;
        assert!(threads.contains("No query or warning waits"), "{threads}");
    }
    // What a statement proves, and what it does not.
    let events = world.path("msf").join("inbox/events");
    let proof = world.words("msf", &["verify", text(&events)]).await;
    for words in ["the party east warned msf", "that what it alleges is true"] {
        assert!(proof.contains(words), "{proof}");
    }
    // A reply is no revision: the next one follows the notification.
    world
        .herald("msf", &["withdraw", reference, "--reason", "moved"])
        .await
        .json();
}

#[tokio::test]
async fn every_revision_that_one_fetch_holds_is_said_to_have_reached_the_desk() {
    let mut world = World::new().await;
    world.admitted("msf", "organisation").await;
    world.admitted("east", "party-desk").await;
    let (none, out, _) = Output::captured(false);
    cli::run(
        ["herald", "--profile", text(&world.path("msf")), "status"]
            .map(Into::into)
            .to_vec(),
        none,
        Clock::System,
    )
    .await;
    assert!(out.text().contains("Nothing is notified"), "{}", out.text());

    let first = world.notify("Trauma Centre").await.lines();
    let reference = first[0]["signed"][0]["reference"]
        .as_str()
        .unwrap()
        .to_owned();
    let again = ["notify", "--revise", &reference, "--category", "hospital"];
    let place = [
        "--name",
        "Renamed",
        "--at",
        "42SVF8769463602",
        "--party",
        "east:exact",
    ];
    let revised = world.herald("msf", &[&again[..], &place].concat()).await;
    assert_eq!(revised.exit, Exit::Ok, "{}\n{}", revised.out, revised.err);
    world.notify("Another").await;
    world.herald("east", &["listen", "--once"]).await.lines();
    let reached = async |world: &World| {
        let status = world.herald("msf", &["status", &reference]).await.json();
        let acks = status["parties"][0]["acknowledgements"].as_array().unwrap();
        acks.iter()
            .map(|ack| {
                let state = ack["state"].as_str().unwrap().to_owned();
                (state, ack["rev"].as_u64().unwrap())
            })
            .collect::<Vec<_>>()
    };
    let expected = [
        ("reached_desk".to_owned(), 1),
        ("reached_desk".to_owned(), 2),
    ];
    assert_eq!(reached(&world).await, expected);

    // What the line kept back goes out with the next listen, whoever signed it.
    world.stop().await;
    let args = ["ack", &reference, "--received", "--officer", "Maj. Karim"];
    let kept = world.herald("east", &args).await;
    assert_eq!(kept.exit, Exit::Unreachable, "{}\n{}", kept.out, kept.err);
    world.start().await;
    world.herald("east", &["listen", "--once"]).await;
    assert_eq!(reached(&world).await[2], ("received".to_owned(), 2));
}

/// Asks where the hospital of [`World::notify`] stands.
const ASK: [&str; 4] = ["check", "42SVF8769463602", "--radius", "100"];

#[tokio::test(flavor = "multi_thread")]
async fn a_planner_waits_for_the_root_asks_and_proves_its_own_question() {
    let mut world = World::new().await;
    world.admitted("msf", "organisation").await;
    let desk = world.invite("east", "party-desk").await;
    let desk = world.enrol("east", &desk).await.json();
    let planner = ["invite", "east", "--role", "party-planner", "--person", "P"];
    let early = world.herald("ocha", &planner).await;
    assert_eq!(early.exit, Exit::Refused);
    assert!(early.err.contains("not admitted yet"), "{}", early.err);
    let fingerprint = desk["root_fingerprint"].as_str().unwrap();
    let shown = world.read_out("east", &["devices"]).await;
    assert!(
        shown.contains("root fingerprint, to be read to the coordinator")
            && shown.contains(fingerprint)
            && shown.contains("the device's own fingerprint"),
        "{shown}"
    );
    let admit = ["admit", "east", "--fingerprint", fingerprint];
    world.herald("ocha", &admit).await.json();
    let invite = world.herald("ocha", &planner).await.json();
    let waiting = world
        .enrol("planner", invite["invite"].as_str().unwrap())
        .await
        .json();
    world.notify("Trauma centre").await.json();

    let refused = world.read_out("planner", &ASK).await;
    assert!(refused.contains("TREAT AS CONFLICT"), "{refused}");
    assert!(
        refused.contains("not yet named by its root")
            && refused.contains("herald devices sign")
            && !refused.contains("organisation or party is not admitted"),
        "{refused}"
    );
    let root = world.path("east").join("root.sealed.json");
    let sign = [
        "devices",
        "sign",
        waiting["device"].as_str().unwrap(),
        "--root",
        text(&root),
        "--fingerprint",
        waiting["device_fingerprint"].as_str().unwrap(),
        "--passphrase-file",
        text(&world.passphrase),
    ];
    let signed = world.read_out("east", &sign).await;
    assert!(
        signed.contains("may ask") && !signed.contains("desk's key"),
        "{signed}"
    );

    // Its keys are older than its own signature: the first answer fetches them again.
    let keys = world.path("planner").join("keys.json");
    let old = std::fs::read(&keys).unwrap();
    let hit = world.herald("planner", &ASK).await;
    assert_eq!(hit.exit, Exit::Conflict, "{}", hit.err);
    let value: Value = serde_json::from_str(&hit.out).unwrap();
    let kept = value["kept"].as_str().unwrap();
    let question = kept.replace(".answer.hn", ".question.hn");
    world.herald("planner", &["verify", &question]).await.json();
    std::fs::write(&keys, old).unwrap();
    let late = world.read_out("planner", &["verify", &question]).await;
    assert!(
        late.contains("CANNOT BE TOLD")
            && late.contains("herald devices")
            && !late.contains("DOES NOT HOLD"),
        "{late}"
    );
    let mine = world.herald("planner", &["devices"]).await.json();
    assert_eq!(mine["root_fingerprint"], fingerprint);
    world.herald("planner", &["verify", &question]).await.json();

    // What the coordinator needs to take back a stolen device stands in everybody's keys, and no person does.
    let theirs = world.herald("ocha", &["devices", "--of", "east"]).await;
    assert!(!theirs.out.contains("A person"), "{}", theirs.out);
    let theirs = theirs.json();
    let lost = theirs["devices"]
        .as_array()
        .unwrap()
        .iter()
        .find(|device| device["role"] == "party-planner")
        .unwrap();
    assert_eq!(lost["device"], waiting["device"]);
    let lost = lost["device"].as_str().unwrap();
    let revoke = ["revoke", lost, "--of", "east", "--reason", "lost"];
    world.herald("ocha", &revoke).await.json();
    let after = world.read_out("ocha", &["devices", "--of", "east"]).await;
    assert!(after.contains("TAKEN BACK"), "{after}");
    world.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_hit_shows_its_contact_to_the_desk_and_a_screening_exactly_what_was_looked_at() {
    let mut world = World::new().await;
    world.admitted("msf", "organisation").await;
    world.admitted("east", "party-desk").await;
    let notify = [
        "notify",
        "--category",
        "hospital",
        "--name",
        "Trauma centre",
        "--at",
        "42SVF8769463602",
        "--contact",
        "Nadia Example",
        "--phone",
        "+93700111222",
        "--party",
        "east:on_check",
    ];
    world.herald("msf", &notify).await;

    let hit = world.herald("east", &ASK).await;
    let hit: Value = serde_json::from_str(&hit.out).unwrap();
    let reference = hit["answer"]["hits"][0]["reference"].as_str().unwrap();
    let people = &hit["answer"]["hits"][0]["contact"]["people"];
    assert_eq!(
        (&people[0]["name"], &people[0]["phone"]),
        (&"Nadia Example".into(), &"+93700111222".into()),
        "{hit}"
    );
    let shown = world.read_out("east", &ASK).await;
    assert!(
        shown.contains("Nadia Example, +93700111222"),
        "beneath the hit: {shown}"
    );
    std::fs::remove_file(world.path("east").join("desk-hpke.json")).unwrap();
    let shown = world.read_out("east", &ASK).await;
    assert!(
        shown.contains("a contact is sealed to your desk: ask it"),
        "{shown}"
    );

    let status = ["status", reference];
    world.herald("ocha", &["listen", "--once"]).await;
    let screen = ["screen", reference, "--looked-at", "form"];
    world.herald("ocha", &screen).await.json();
    let shown = world.read_out("msf", &status).await;
    assert!(
        shown.contains("screened (looked at: form)") && !shown.contains("sender"),
        "{shown}"
    );
    let checked = &world.herald("msf", &status).await.json()["revisions"][0]["checked"];
    assert_eq!(checked, &serde_json::json!(["form"]));

    // The receipt is given beside the statement: nothing says that it is missing.
    let sent = world.path("msf").join("outbox/sent");
    let mut verify = vec!["verify".to_owned()];
    for entry in std::fs::read_dir(sent).unwrap() {
        verify.push(text(&entry.unwrap().path()).to_owned());
    }
    let words: Vec<&str> = verify.iter().map(String::as_str).collect();
    let proved = world.read_out("msf", &words).await;
    assert!(
        proved.contains("a site statement of msf/")
            && proved.contains("its receipt was given beside it")
            && !proved.contains("without a receipt"),
        "{proved}"
    );
    world.stop().await;
}
