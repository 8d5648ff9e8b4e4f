//! Composing without a line, through the command line as a person runs it: what is kept, who can open it, and what is
//! refused. The sending itself is held to the real server in the integration tests.

use crate::cli::exit::Exit;
use crate::cli::journal;
use crate::cli::outbox::Outbox;
use crate::cli::rows::Entry;
use crate::cli::testing::World;
use crate::crypto::disclosure::Disclosure;
use crate::crypto::seal_key::SealKey;
use crate::domain::notification::Tier;
use crate::wire::build;
use crate::wire::claims::Claims;
use crate::wire::envelope::Envelope;
use crate::wire::parts::{Audience, Contact, Place, name};
use crate::wire::problem::{Problem, ProblemKind};

const HOSPITAL: &[&str] = &[
    "notify",
    "--category",
    "hospital",
    "--name",
    "Trauma Centre",
    "--at",
    "36°43'4.91\"N 68°51'43.96\"E",
    "--country",
    "AFG",
    "--contact",
    "Duty officer",
    "--phone",
    "+93700000000",
];

fn kept(world: &World) -> Vec<Envelope> {
    let outbox = Outbox::open(world.path()).expect("an outbox");
    let pending = outbox.pending().expect("listed");
    pending
        .iter()
        .map(|(id, _)| Envelope::decode(&outbox.bytes(id).expect("read")).expect("an envelope"))
        .collect()
}

fn claims(envelope: &Envelope) -> Claims {
    let parsed =
        crate::crypto::statement::parse(envelope.statement.as_bytes()).expect("a statement");
    let kind = parsed.kind().as_str().parse().expect("a kind");
    Claims::read(
        kind,
        serde_json::from_slice(parsed.payload()).expect("JSON"),
    )
    .expect("claims")
}

/// Everything that a reader can open, in the order of the parts.
fn open(envelope: &Envelope, key: &SealKey) -> Vec<Disclosure> {
    let claims = claims(envelope);
    let kid = key.kid();
    let mine: Vec<_> = envelope
        .seals_for(&kid)
        .map(|(attachment, _)| attachment)
        .collect();
    mine.into_iter()
        .map(|attachment| build::open(&claims, attachment, key).expect("opened"))
        .collect()
}

fn parts(envelope: &Envelope, key: &SealKey) -> Vec<String> {
    let opened = open(envelope, key);
    opened.iter().map(|part| part.name().to_owned()).collect()
}

#[tokio::test]
async fn without_a_line_a_notification_is_signed_kept_and_said_to_wait() {
    let world = World::new();
    let (exit, said) = world
        .run(&[HOSPITAL, &["--party", "east:exact", "--party", "west:cell"]].concat())
        .await;
    assert_eq!(exit, Exit::Unreachable, "{said}");
    assert!(
        said.contains("36°43'4.91\"N 68°51'43.96\"E") && said.contains("42SVF8769"),
        "typed beside read: {said}"
    );
    assert!(said.contains("herald send"), "{said}");
    let envelope = kept(&world).remove(0);
    assert_eq!(claims(&envelope).sd().len() % 8, 0);
    let before = Outbox::open(world.path()).expect("an outbox");
    let id = before.pending().expect("listed").remove(0).0;
    let bytes = before.bytes(&id).expect("read");
    let (exit, _) = world.run(&["send"]).await;
    assert_eq!(exit, Exit::Unreachable);
    assert_eq!(
        before.bytes(&id).expect("still there"),
        bytes,
        "the exact bytes wait"
    );
}

#[tokio::test]
async fn every_part_is_sealed_to_whom_it_is_meant_for_and_contacts_are_not_for_the_server() {
    let world = World::new();
    world
        .run(&[HOSPITAL, &["--party", "east:exact", "--party", "west:cell"]].concat())
        .await;
    let envelope = kept(&world).remove(0);
    assert_eq!(
        parts(&envelope, &world.server.desk),
        ["place", "audience.east", "audience.west"]
    );
    assert_eq!(parts(&envelope, &world.coordinator.desk), [name::CONTACT]);
    assert_eq!(parts(&envelope, &world.east.desk), [name::CONTACT]);
    assert!(
        parts(&envelope, &world.west.desk).is_empty(),
        "a party that sees a cell gets no contact"
    );
    let opened = open(&envelope, &world.server.desk);
    let value = |part: &str| {
        opened
            .iter()
            .find(|found| found.name() == part)
            .expect("there")
            .value()
            .clone()
    };
    let place: Place = serde_json::from_value(value(name::PLACE)).expect("a place");
    assert_eq!(
        place.properties.typed.as_deref(),
        Some("36°43'4.91\"N 68°51'43.96\"E")
    );
    let west: Audience = serde_json::from_value(value("audience.west")).expect("an audience");
    assert!(west.tier == Tier::Cell && west.cells.contains(&"42SVF86".to_owned()));
    let contact = open(&envelope, &world.coordinator.desk).remove(0);
    let contact: Contact = serde_json::from_value(contact.into_value()).expect("a contact");
    assert_eq!(contact.people[0].phone.as_deref(), Some("+93700000000"));
}

#[tokio::test]
async fn a_revision_names_the_one_before_and_tells_a_party_that_was_left_out() {
    let world = World::new();
    world
        .run(&[HOSPITAL, &["--party", "east:exact", "--party", "west:cell"]].concat())
        .await;
    let Claims::Site(first) = claims(&kept(&world)[0]) else {
        panic!("a site")
    };
    let reference = first.nid.reference().to_string();
    let (_, said) = world
        .run(&[HOSPITAL, &["--party", "east:exact", "--revise", &reference]].concat())
        .await;
    assert!(said.contains("revision 2"), "{said}");
    let envelopes = kept(&world);
    let Claims::Site(second) = claims(&envelopes[1]) else {
        panic!("a site")
    };
    assert_eq!((second.nid, second.rev.get()), (first.nid, 2));
    assert_eq!(
        second.prev,
        Some(crate::crypto::statement::hash(&envelopes[0].statement))
    );
    let opened = open(&envelopes[1], &world.server.desk);
    let west = opened
        .iter()
        .find(|part| part.name() == "audience.west")
        .expect("told");
    let west: Audience = serde_json::from_value(west.value().clone()).expect("an audience");
    assert_eq!(west.tier, Tier::Withdrawn);
}

#[tokio::test]
async fn a_revision_far_from_the_last_is_asked_about_and_strict_refuses_it() {
    let world = World::new();
    world.run(HOSPITAL).await;
    let Claims::Site(first) = claims(&kept(&world)[0]) else {
        panic!("a site")
    };
    let reference = first.nid.reference().to_string();
    let moved = [
        "notify",
        "--category",
        "hospital",
        "--name",
        "Trauma Centre",
        "--at",
        "36.43491 68.514396",
        "--country",
        "AFG",
        "--revise",
        &reference,
    ];
    let (exit, said) = world.run(&[&moved[..], &["--strict"]].concat()).await;
    assert_eq!(exit, Exit::Refused, "{said}");
    assert!(
        said.contains("36.718"),
        "the reading likely meant is named: {said}"
    );
    assert_eq!(kept(&world).len(), 1, "nothing was signed");
    for entry in std::fs::read_dir(world.path().join("own")).expect("listed") {
        let bytes = std::fs::read(entry.expect("an entry").path()).expect("read");
        assert!(
            !String::from_utf8_lossy(&bytes).contains("Trauma"),
            "kept sealed"
        );
    }
}

#[tokio::test]
async fn a_convoy_from_the_command_line_is_a_movement_with_its_times() {
    let world = World::new();
    let (exit, said) = world
        .run(&[
            "notify",
            "--name",
            "Convoy",
            "--country",
            "SDN",
            "--party",
            "east:exact",
            "--waypoint",
            "15.5007, 32.5599 @ 2026-05-06T06:00Z ±15m",
            "--waypoint",
            "Wad Madani = 14.4012, 33.5199 @ 2026-05-06T08:40Z ±30m",
            "--half-width",
            "100",
        ])
        .await;
    assert_eq!(exit, Exit::Unreachable, "{said}");
    assert!(
        said.contains("2026-05-06T06:00:00Z") && said.contains("060600ZMAY26"),
        "{said}"
    );
    let envelope = kept(&world).remove(0);
    assert!(matches!(claims(&envelope), Claims::Movement(_)));
    let opened = open(&envelope, &world.server.desk);
    let place: Place = serde_json::from_value(opened[0].value().clone()).expect("a place");
    assert_eq!(
        place.properties.waypoints[1].name.as_deref(),
        Some("Wad Madani")
    );
    assert_eq!(place.properties.waypoints[0].slack_s, 900);
}

#[tokio::test]
async fn one_bad_row_of_a_file_is_said_and_the_good_ones_are_kept() {
    let world = World::new();
    let file = world.write("sites.csv", "name,category,country,coordinates\nA,school,AFG,\"36.71803, 68.86221\"\nB,school,AFG,nowhere\nC,school,AFG,\"36.72803, 68.86221\"\n");
    let (_, said) = world.run(&["notify", &file, "--party", "east:exact"]).await;
    assert!(
        said.contains("row 3")
            && said.contains("2 signed (2 new, 0 revised), 0 unchanged, 1 refused"),
        "{said}"
    );
    assert_eq!(kept(&world).len(), 2);
}

const SITES: &str = "name,category,country,coordinates\n\
    A,school,AFG,\"36.71803, 68.86221\"\n\
    B,school,AFG,nowhere\n\
    C,school,AFG,\"36.72803, 68.86221\"\n";

fn revisions(world: &World) -> Vec<(crate::domain::ids::Nid, u32)> {
    let of = |envelope: &Envelope| match claims(envelope) {
        Claims::Site(site) => (site.nid, site.rev.get()),
        Claims::Movement(movement) => (movement.nid, movement.rev.get()),
        _ => panic!("a revision"),
    };
    kept(world).iter().map(of).collect()
}

#[tokio::test]
async fn a_mended_file_again_notifies_only_what_was_refused_and_never_a_place_twice() {
    let world = World::new();
    let file = world.write("sites.csv", SITES);
    world.run(&["notify", &file, "--party", "east:exact"]).await;
    let file = world.write(
        "sites.csv",
        &SITES.replace("nowhere", "\"36.73803, 68.86221\""),
    );
    let (_, said) = world.run(&["notify", &file, "--party", "east:exact"]).await;
    assert!(
        said.contains("1 signed (1 new, 0 revised), 2 unchanged, 0 refused"),
        "{said}"
    );
    let (exit, said) = world.run(&["notify", &file, "--party", "east:exact"]).await;
    assert!(
        said.contains("0 signed (0 new, 0 revised), 3 unchanged, 0 refused"),
        "{said}"
    );
    assert_eq!(exit, Exit::Unreachable, "what waits is still to be sent");
    assert_eq!(kept(&world).len(), 3);
}

#[tokio::test]
async fn what_was_filed_as_sent_by_half_when_the_power_went_is_not_notified_again() {
    let world = World::new();
    let file = world.write("sites.csv", SITES);
    world.run(&["notify", &file, "--party", "east:exact"]).await;
    // The journal knows one row; the outbox still holds both.
    let outbox = Outbox::open(world.path()).expect("an outbox");
    let (_, meta) = outbox.pending().expect("listed").remove(0);
    let entry = Entry::of_meta(&meta).expect("a row");
    journal::file(&world.profile(), &entry).expect("filed");
    let (_, said) = world.run(&["notify", &file, "--party", "east:exact"]).await;
    assert!(
        said.contains("0 signed (0 new, 0 revised), 2 unchanged"),
        "{said}"
    );
}

#[tokio::test]
async fn what_the_server_refused_is_no_row_that_was_notified() {
    let world = World::new();
    let file = world.write("sites.csv", SITES);
    world.run(&["notify", &file, "--party", "east:exact"]).await;
    let outbox = Outbox::open(world.path()).expect("an outbox");
    let (id, _) = outbox.pending().expect("listed").remove(0);
    let problem = Problem::new(ProblemKind::NotAdmitted);
    outbox.mark_refused(&id, problem.body()).expect("filed");
    let (_, said) = world.run(&["notify", &file, "--party", "east:exact"]).await;
    assert!(
        said.contains("1 signed (1 new, 0 revised), 1 unchanged"),
        "{said}"
    );
}

#[tokio::test]
async fn a_row_that_changed_becomes_the_next_revision_of_the_same_notification_and_says_so() {
    let world = World::new();
    let sites =
        "reference,name,category,country,coordinates\nR1,A,school,AFG,\"36.71803, 68.86221\"\n";
    let file = world.write("sites.csv", sites);
    world.run(&["notify", &file, "--party", "east:exact"]).await;
    let file = world.write("sites.csv", &sites.replace("R1,A", "R1,Renamed"));
    let (_, said) = world.run(&["notify", &file, "--party", "east:exact"]).await;
    let revisions = revisions(&world);
    let [(first, 1), (second, 2)] = revisions[..] else {
        panic!("two revisions: {revisions:?}\n{said}")
    };
    assert_eq!(first, second);
    let plainly = format!(
        "{}, revision 2, of the same notification: Renamed",
        first.reference()
    );
    assert!(said.contains(&plainly), "{said}");
}

#[tokio::test]
async fn a_file_again_without_its_parties_does_not_take_the_places_back_in_passing() {
    let world = World::new();
    let file = world.write("sites.csv", SITES);
    world.run(&["notify", &file, "--party", "east:exact"]).await;
    let (exit, said) = world.run(&["notify", &file]).await;
    assert_eq!(exit, Exit::Refused, "{said}");
    assert!(
        said.contains("was notified to east; repeat --party"),
        "{said}"
    );
    assert_eq!(kept(&world).len(), 2);
}

#[tokio::test]
async fn two_convoys_on_one_road_at_other_times_are_two_and_the_same_one_again_is_not() {
    let world = World::new();
    let notify = |day: &'static str| {
        let world = &world;
        async move {
            let waypoints = [
                format!("15.5007, 32.5599 @ 2026-05-{day}T06:00Z"),
                format!("14.4012, 33.5199 @ 2026-05-{day}T08:40Z"),
            ];
            let args = [
                "notify",
                "--name",
                "Convoy",
                "--country",
                "SDN",
                "--party",
                "east:exact",
            ];
            let stops = waypoints
                .iter()
                .flat_map(|stop| ["--waypoint", stop.as_str()]);
            let args: Vec<&str> = args.into_iter().chain(stops).collect();
            world.run(&args).await.1
        }
    };
    notify("06").await;
    notify("07").await;
    let said = notify("06").await;
    assert!(said.contains("unchanged: Convoy"), "{said}");
    let revisions = revisions(&world);
    assert_eq!(revisions.len(), 2);
    assert_ne!(revisions[0].0, revisions[1].0);
}

#[tokio::test]
async fn what_was_withdrawn_is_not_brought_back_by_an_old_file_nor_called_unchanged() {
    let world = World::new();
    let file = world.write("sites.csv", SITES);
    world.run(&["notify", &file, "--party", "east:exact"]).await;
    let reference = revisions(&world)[0].0.reference().to_string();
    world
        .run(&["withdraw", &reference, "--reason", "it has moved"])
        .await;
    let (_, said) = world.run(&["notify", &file, "--party", "east:exact"]).await;
    assert!(
        said.contains(&format!("notified as {reference}, which was withdrawn")),
        "{said}"
    );
    assert!(said.contains("1 unchanged, 2 refused"), "{said}");
}

#[tokio::test]
async fn a_row_that_a_stopped_import_has_signed_anew_is_not_called_unchanged() {
    let world = World::new();
    let file = world.write("sites.csv", SITES);
    world.run(&["notify", &file, "--party", "east:exact"]).await;
    let outbox = Outbox::open(world.path()).expect("an outbox");
    let (id, meta) = outbox.pending().expect("listed").remove(0);
    let mut entry = Entry::of_meta(&meta).expect("a row");
    entry.row.content = crate::crypto::digest::Digest::of(b"said otherwise");
    let bytes = outbox.bytes(&id).expect("read");
    let mut journal = journal::Journal::open(&world.profile()).expect("a journal");
    let item = journal::SpoolItem { line: 2, entry };
    journal.spool(vec![item], vec![bytes]).expect("kept");
    let (_, said) = world.run(&["notify", &file, "--party", "east:exact"]).await;
    assert!(said.contains("1 unchanged, 2 refused"), "{said}");
    assert!(said.contains("repeat that import first"), "{said}");
}

#[tokio::test]
async fn what_says_something_else_of_the_same_place_is_refused_and_not_called_unchanged() {
    let world = World::new();
    let file = world.write(
        "squares.csv",
        "name,category,country,coordinates,from,until\n\
        A,school,AFG,\"36.71803, 68.86221\",2027-05-01T06:00Z,2027-05-01T12:00Z\n\
        A,school,AFG,\"36.71803, 68.86221\",2027-05-08T06:00Z,2027-05-08T12:00Z\n\
        A,school,AFG,\"36.71803, 68.86221\",2027-05-01T06:00Z,2027-05-01T12:00Z\n",
    );
    let (_, said) = world.run(&["notify", &file, "--party", "east:exact"]).await;
    assert!(
        said.contains("1 signed (1 new, 0 revised), 1 unchanged, 1 refused"),
        "{said}"
    );
    assert!(
        said.contains("row 3") && said.contains("as line 2, and says something else"),
        "{said}"
    );
}

#[tokio::test]
async fn a_revision_never_takes_the_reference_of_another_notification() {
    let world = World::new();
    let site = async |more: &[&str]| {
        let place = ["--category", "school", "--country", "AFG"];
        world.run(&[&["notify"], &place[..], more].concat()).await
    };
    let (one, two) = ("36.71803, 68.86221", "36.72803, 68.86221");
    site(&["--reference", "S-1", "--name", "A", "--at", one]).await;
    site(&["--reference", "S-2", "--name", "B", "--at", two]).await;
    let of = |n: usize| revisions(&world)[n].0.reference().to_string();
    let (first, second) = (of(0), of(1));
    let taken = ["--reference", "S-2", "--name", "A", "--at", one];
    let (exit, said) = site(&[&["--revise", first.as_str()], &taken[..]].concat()).await;
    assert_eq!(exit, Exit::Refused, "{said}");
    assert!(said.contains(&second), "{said}");
    assert_eq!(revisions(&world).len(), 2);
    let own = ["--reference", "S-1", "--name", "A", "--at", two];
    site(&[&["--revise", first.as_str()], &own[..]].concat()).await;
    assert_eq!(revisions(&world)[2], (revisions(&world)[0].0, 2));
}

#[tokio::test]
async fn a_party_that_nobody_admitted_is_refused_before_anything_is_signed() {
    let world = World::new();
    let (exit, said) = world
        .run(&[HOSPITAL, &["--party", "north:exact"]].concat())
        .await;
    assert_ne!(exit, Exit::Ok, "{said}");
    assert!(said.contains("north"), "{said}");
    assert!(kept(&world).is_empty());
}

/// A sheet whose one place lies elsewhere than its country.
fn sheet_with_a_slip(world: &World) -> String {
    let bytes = {
        let mut book = rust_xlsxwriter::Workbook::new();
        let page = book.add_worksheet();
        for (row, cells) in (0..).zip([
            ["name", "category", "country", "coordinates"],
            ["Kunduz", "hospital", "AFG", "36.43491 68.514396"],
        ]) {
            for (column, cell) in (0..).zip(cells) {
                page.write_string(row, column, cell).expect("written");
            }
        }
        book.save_to_buffer().expect("saved")
    };
    let path = world.path().join("sites.xlsx");
    std::fs::write(&path, bytes).expect("written");
    path.display().to_string()
}

#[tokio::test]
async fn lint_says_where_and_writes_a_copy_with_the_remark_beside_the_cell() {
    let world = World::new();
    let file = sheet_with_a_slip(&world);
    let (exit, said) = world.run(&["lint", &file]).await;
    assert_eq!(exit, Exit::Ok);
    assert!(
        said.contains("row 2, column D")
            && said.contains("36.718")
            && said.contains("Nothing was sent"),
        "{said}"
    );
    assert!(world.path().join("sites.checked.xlsx").exists());
    assert_eq!(
        world.run(&["lint", &file, "--strict"]).await.0,
        Exit::Refused
    );
}

#[tokio::test]
async fn the_outbox_is_named_where_something_waits_in_it_and_nowhere_else() {
    let world = World::new();
    for nothing in [&["queue"][..], &["statistics"], &["policy"]] {
        let (exit, said) = world.run(nothing).await;
        assert_eq!(exit, Exit::Unreachable, "{nothing:?}: {said}");
        assert!(!said.contains("outbox"), "{nothing:?}: {said}");
    }
    assert!(kept(&world).is_empty());
}

#[tokio::test]
async fn the_copy_with_remarks_is_its_owners_alone_and_no_link_is_written_through() {
    use std::os::unix::fs::PermissionsExt as _;
    let world = World::new();
    let sheet = sheet_with_a_slip(&world);
    let copy = world.path().join("sites.checked.xlsx");
    let elsewhere = world.write("elsewhere", "theirs");
    std::os::unix::fs::symlink(&elsewhere, &copy).expect("laid");
    let (_, said) = world.run(&["lint", &sheet]).await;
    assert!(said.contains("name another file"), "{said}");
    assert_eq!(std::fs::read(&elsewhere).expect("read"), b"theirs");
    std::fs::remove_file(&copy).expect("taken away");
    std::fs::write(&copy, b"an earlier copy").expect("written");
    world.run(&["lint", &sheet]).await;
    let mode = std::fs::metadata(&copy).expect("made").permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
}

#[tokio::test]
async fn a_profile_into_which_others_may_write_is_refused_naming_the_chmod() {
    use std::os::unix::fs::PermissionsExt as _;
    let world = World::new();
    let open = |mode| {
        std::fs::set_permissions(world.path(), std::fs::Permissions::from_mode(mode)).expect("own");
    };
    for mode in [0o777, 0o770] {
        open(mode);
        let (exit, said) = world.run(&["send", "--list"]).await;
        assert_eq!(exit, Exit::Failure, "{said}");
        assert!(said.contains("chmod go-w"), "{said}");
    }
    open(0o700);
    assert_eq!(world.run(&["send", "--list"]).await.0, Exit::Ok);
}

#[tokio::test]
async fn a_device_or_a_pipe_in_the_place_of_a_file_is_refused_and_nothing_hangs() {
    let world = World::new();
    let (exit, said) = world.run(&["verify", "/dev/zero"]).await;
    assert_eq!(exit, Exit::Refused, "{said}");
    assert!(said.contains("not a regular file"), "{said}");
    let keys = world.path().join("keys.json");
    std::fs::remove_file(&keys).expect("taken away");
    nix::unistd::mkfifo(&keys, nix::sys::stat::Mode::S_IRWXU).expect("a pipe");
    let sent = world.write("sent", "{}");
    let (exit, said) = world.run(&["verify", &sent]).await;
    assert_eq!(exit, Exit::Failure, "{said}");
    assert!(said.contains("not a regular file"), "{said}");
}

#[tokio::test]
async fn what_waits_in_the_outbox_is_said_where_it_was_signed() {
    let world = World::new();
    world
        .run(&[HOSPITAL, &["--party", "east:exact"]].concat())
        .await;
    let Some(Claims::Site(site)) = kept(&world).first().map(claims) else {
        panic!("a site waits");
    };
    let reference = site.nid.reference().to_string();
    let withdraw = async |reason: &str| {
        world
            .run(&["withdraw", &reference, "--reason", reason])
            .await
    };
    let (exit, said) = withdraw("moved\u{1b}[2J").await;
    assert_eq!(exit, Exit::Refused, "{said}");
    assert!(said.contains("/reason/text"), "{said}");
    assert_eq!(kept(&world).len(), 1, "what would be refused is not kept");
    let (exit, said) = withdraw("it has moved").await;
    assert_eq!(exit, Exit::Unreachable, "{said}");
    assert!(said.contains("waits in the outbox"), "{said}");
    assert_eq!(kept(&world).len(), 2);
}

#[tokio::test]
async fn text_that_steers_a_terminal_is_refused_here_in_its_cell_and_nothing_is_signed() {
    let world = World::new();
    let file = world.write(
        "places.csv",
        "name,category,country,coordinates,note\n\"Kunduz\u{1b}[2J\",hospital,AFG,\"36.71803, 68.86221\",\"two\r\nlines\"\n",
    );
    let (exit, said) = world.run(&["notify", &file, "--party", "east:exact"]).await;
    assert_eq!(exit, Exit::Refused, "{said}");
    assert!(
        said.contains("row 2") && said.contains("character 7 of name"),
        "{said}"
    );
    assert!(kept(&world).is_empty());
}

#[tokio::test]
async fn a_party_with_a_slip_is_refused_at_its_cell_before_anything_is_signed_and_the_good_rows_go_on()
 {
    let world = World::new();
    let file = world.write(
        "sites.csv",
        "name,category,country,coordinates,parties\n\
        A,school,AFG,\"36.71803, 68.86221\",east:exact\n\
        B,school,AFG,\"36.73803, 68.86221\",esat:exact\n\
        C,school,AFG,\"36.72803, 68.86221\",west:exact\n",
    );
    for command in ["lint", "notify"] {
        let (_, said) = world.run(&[command, &file]).await;
        assert!(
            said.contains("row 3, column E") && said.contains("esat: did you mean east?"),
            "{command}: {said}"
        );
        assert!(said.contains("1 refused"), "{command}: {said}");
    }
    assert_eq!(kept(&world).len(), 2);
    let (exit, said) = world.run(&["notify", &file, "--party", "wset:exact"]).await;
    assert_eq!(exit, Exit::Refused, "{said}");
    assert!(said.contains("--party wset: did you mean west?"), "{said}");
    assert_eq!(kept(&world).len(), 2);
}

#[tokio::test]
async fn a_place_that_looks_like_a_slip_is_notified_only_when_a_person_says_that_it_is_meant() {
    let world = World::new();
    let site = ["--category", "hospital", "--name", "A", "--country", "SDN"];
    let swapped = [&["notify"], &site[..], &["--at", "32.5599, 15.5007"]].concat();
    let (exit, said) = world.run(&swapped).await;
    assert_eq!(exit, Exit::Refused, "{said}");
    assert!(said.contains("--confirm swapped-axes"), "{said}");
    let (exit, said) = world.run_answering(&swapped, "\n").await;
    assert_eq!(exit, Exit::Refused, "{said}");
    assert!(said.contains("Notify A all the same"), "{said}");
    assert!(kept(&world).is_empty());
    let (_, said) = world.run_answering(&swapped, "y\n").await;
    assert_eq!(kept(&world).len(), 1, "{said}");
    let zero = [
        "notify",
        "--category",
        "hospital",
        "--name",
        "B",
        "--at",
        "0, 0",
    ];
    world.run(&zero).await;
    assert_eq!(kept(&world).len(), 1, "null island");
    world
        .run(&[&zero[..], &["--confirm", "null-island"]].concat())
        .await;
    assert_eq!(kept(&world).len(), 2, "confirmed beforehand");
    let all = ["--confirm", "all"];
    let coarse = [&["notify"], &site[..], &["--at", "15.5, 32.6"]].concat();
    let (_, said) = world.run(&coarse).await;
    assert!(said.contains("--confirm too-few-digits"), "{said}");
    world.run(&[&coarse[..], &all].concat()).await;
    assert_eq!(kept(&world).len(), 3);
}

#[tokio::test]
async fn a_mistyped_category_is_refused_and_the_likely_one_named() {
    let world = World::new();
    let (exit, said) = world
        .run(&[
            "notify",
            "--category",
            "hosptial",
            "--name",
            "A",
            "--at",
            "36.71803, 68.86221",
        ])
        .await;
    assert_eq!(exit, Exit::Refused, "{said}");
    assert!(said.contains("did you mean hospital?"), "{said}");
    assert!(kept(&world).is_empty());
}

#[tokio::test]
async fn what_a_revision_leaves_out_is_named_before_it_is_said_to_be_signed() {
    let world = World::new();
    let more = ["--buffer", "500", "--marking", "red cross on the roof"];
    world.run(&[HOSPITAL, &more].concat()).await;
    let reference = revisions(&world)[0].0.reference().to_string();
    let again = ["notify", "--revise", &reference, "--category", "hospital"];
    let place = ["--name", "Trauma Centre", "--at", "36.71803, 68.86221"];
    let again = [&again[..], &place].concat();
    let (_, said) = world
        .run(&[&again[..], &["--country", "AFG"]].concat())
        .await;
    let line = "no longer in this revision: buffer 500 m, marking, contact";
    let (gone, signed) = (said.find(line), said.find("revision 2, of the same"));
    assert!(gone.is_some() && gone < signed, "{said}");
    let (_, said) = world.run(&[&["--json"], &again[..]].concat()).await;
    assert!(said.contains(r#""no_longer":["country"]"#), "{said}");
}

#[tokio::test]
async fn a_form_that_was_not_filled_in_is_said_to_hold_nothing() {
    let world = World::new();
    let form = world.path().join("form.xlsx").display().to_string();
    world.run(&["template", "site", "--out", &form]).await;
    let (exit, said) = world.run(&["notify", &form, "--party", "east:exact"]).await;
    assert_eq!(exit, Exit::Refused, "{said}");
    assert!(said.contains("nothing to notify"), "{said}");
}

#[tokio::test]
async fn lint_says_once_that_no_party_is_chosen_and_which_rows_must_be_confirmed() {
    let world = World::new();
    let file = world.write(
        "sites.csv",
        &SITES.replace("nowhere", "\"68.86221, 36.73803\""),
    );
    let (_, said) = world.run(&["lint", &file]).await;
    assert_eq!(said.matches("no party is chosen").count(), 1, "{said}");
    assert!(said.contains("for 3 rows"), "{said}");
    assert!(
        said.contains("1 must be confirmed") && said.contains("swapped-axes"),
        "{said}"
    );
}

#[tokio::test]
async fn a_remark_names_the_line_that_an_editor_shows_where_lines_end_with_cr_lf() {
    let world = World::new();
    let file = world.write("sites.csv", &SITES.replace('\n', "\r\n"));
    let (_, said) = world.run(&["lint", &file]).await;
    assert!(said.contains("row 3, column D"), "{said}");
}
