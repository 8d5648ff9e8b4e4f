//! A photo's whole way through the command line and a server that dies on it: composed without a line, freed of what the
//! camera wrote into it, sent in pieces that survive a `kill -9`, and fetched by those who see the exact place.

use std::ffi::OsString;
use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::time::Duration;

use herald::cli;
use herald::cli::exit::Exit;
use herald::cli::output::Output;
use herald::crypto::blob::CHUNK_BYTES;
use herald::domain::clock::Clock;
use herald::store::role::Role;
use serde_json::Value;

use crate::rig::Rig;

/// What a camera says of the place.
const PLACE: &[u8] = b"GPSLatitude 15 20 50 N";

/// A photo as a telephone writes it, of about so many bytes.
pub fn photo(bytes: usize) -> Vec<u8> {
    let segment = |marker: u8, contents: &[u8]| {
        let length = u16::try_from(contents.len() + 2).unwrap().to_be_bytes();
        [&[0xff, marker], &length[..], contents].concat()
    };
    let exif = [&b"Exif\0\0MM\0\x2a\0\0\0\x08\0\0\0\0\0\0"[..], PLACE].concat();
    let picture: Vec<u8> = (0..bytes)
        .map(|i| u8::try_from(i * 31 % 251).unwrap())
        .collect();
    [
        &[0xff, 0xd8][..],
        &segment(0xe1, &exif),
        &segment(0xdb, &[1; 65]),
        &segment(0xc0, &[8, 0, 1, 0, 1, 1, 1, 0x11, 0]),
        &segment(0xda, &[1, 1, 0, 0, 63, 0]),
        &picture,
        &[0xff, 0xd9],
    ]
    .concat()
}

fn has(bytes: &[u8], what: &[u8]) -> bool {
    bytes.windows(what.len()).any(|window| window == what)
}

fn files(folder: &Path) -> Vec<PathBuf> {
    let mut files: Vec<PathBuf> = fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .collect();
    files.sort();
    files
}

/// Says what people read, not what programs read.
async fn in_words(rig: &Rig, profile: &str, args: &[&str]) -> String {
    let (output, out, err) = Output::captured(false);
    let dir = rig.dir().join("profiles").join(profile);
    let head = ["herald", "--profile", dir.to_str().unwrap()];
    let line: Vec<OsString> = head.iter().chain(args).map(Into::into).collect();
    let exit = cli::run(line, output, Clock::System).await;
    assert_eq!(exit, Exit::Ok, "{}\n{}", out.text(), err.text());
    out.text()
}

async fn cast() -> Rig {
    let rig = Rig::start("warn").await;
    rig.enrol_coordinator().await;
    rig.take_in("msf", "organisation", "MSF", "Amal").await;
    for party in ["east", "west"] {
        rig.take_in(party, "party-desk", "A command", "Karim").await;
    }
    rig.done("msf", &["policy"]).await;
    rig
}

fn notify<'a>(name: &'a str, attach: &[&'a str]) -> Vec<&'a str> {
    let mut args = vec![
        "notify",
        "--category",
        "hospital",
        "--at",
        "15.3473, 44.2066",
        "--name",
        name,
        "--party",
        "east:exact",
        "--party",
        "west:cell",
    ];
    for file in attach {
        args.extend(["--attach", file]);
    }
    args
}

fn attachments(said: &Value) -> Vec<(u64, String)> {
    let listed = said["attachments"].as_array().unwrap();
    listed
        .iter()
        .map(|one| {
            (
                one["n"].as_u64().unwrap(),
                one["name"].as_str().unwrap().to_owned(),
            )
        })
        .collect()
}

/// Sends what waits, and kills the server when it has some of it and not all.
async fn send_and_kill(rig: &mut Rig, size: i32) {
    let mut admin = rig.connect(Role::Admin).await;
    let dir = rig.dir().join("profiles/msf");
    let line = [
        "herald",
        "--json",
        "--profile",
        dir.to_str().unwrap(),
        "send",
    ];
    let (output, _, _) = Output::captured(true);
    let line = line.iter().map(OsString::from).collect();
    let sending = Box::pin(cli::run(line, output, Clock::System));
    let killing = async {
        loop {
            let have: Option<i32> = sqlx::query_scalar("SELECT max(have) FROM hn.blob")
                .fetch_one(&mut admin)
                .await
                .unwrap();
            if have.is_some_and(|have| have > 0) {
                assert!(have < Some(size), "killed in the midst of it");
                break;
            }
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
        rig.kill_server();
    };
    let (exit, ()) = tokio::join!(sending, killing);
    assert_eq!(exit, Exit::Unreachable);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_photo_composed_without_a_line_survives_a_kill_and_reaches_those_who_see_the_place() {
    let mut rig = cast().await;
    let (roof, plate) = (rig.dir().join("roof.jpg"), rig.dir().join("plate.jpeg"));
    let big = photo((5 << 20) - 1_000);
    fs::write(&roof, &big).unwrap();
    fs::write(&plate, photo(2_000)).unwrap();

    rig.terminate();
    let args = notify("Clinic", &[roof.to_str().unwrap(), plate.to_str().unwrap()]);
    let said = rig.herald("msf", &args).await;
    assert_eq!(said.exit, 4, "{}", said.beside);
    for one in said.lines[0]["attached"].as_array().unwrap() {
        assert_eq!(one["taken_out"], 1, "{one}");
    }
    let reference = said.lines[0]["signed"][0]["reference"].as_str().unwrap();
    let waiting = files(&rig.dir().join("profiles/msf/outbox/blobs"));
    assert_eq!(waiting.len(), 2);
    let blobs: Vec<Vec<u8>> = waiting.iter().map(|path| fs::read(path).unwrap()).collect();
    for blob in &blobs {
        assert!(!has(blob, PLACE) && !has(blob, &big[1_000..1_040]));
    }

    rig.serve();
    let size = blobs.iter().map(Vec::len).max().unwrap();
    send_and_kill(&mut rig, i32::try_from(size).unwrap()).await;
    rig.serve();
    rig.done("msf", &["send"]).await;
    assert!(files(&rig.dir().join("profiles/msf/outbox/blobs")).is_empty());

    // Who sees the exact place fetches what the organisation photographed, and not where its camera was.
    let heard = in_words(&rig, "east", &["listen", "--once"]).await;
    assert!(heard.contains("2 attachments; fetch with"), "{heard}");
    let folder = rig.dir().join("photos");
    let out = folder.to_str().unwrap();
    let said = rig
        .done("east", &["attachments", reference, "--out", out])
        .await;
    let expected = [(1, "roof.jpg".to_owned()), (2, "plate.jpeg".to_owned())];
    assert_eq!(attachments(said.value()), expected);
    let fetched = files(&folder);
    let names: Vec<&str> = fetched
        .iter()
        .map(|path| path.file_name().unwrap().to_str().unwrap())
        .collect();
    let named = |n: usize, stem: &str| format!("{reference}-{n}-{stem}.jpg");
    assert_eq!(names, [named(1, "roof"), named(2, "plate")]);
    let roof = fs::read(&fetched[0]).unwrap();
    assert!(has(&big, PLACE) && !has(&roof, PLACE));
    assert!(
        has(&roof, &big[big.len() - 4_000..]),
        "the picture is whole"
    );
    let mode = fs::metadata(&fetched[0]).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
    // Again does no harm, and what was put there meanwhile is left.
    rig.done("east", &["attachments", reference, "--out", out])
        .await;
    fs::write(&fetched[1], b"another").unwrap();
    let said = rig
        .herald("east", &["attachments", reference, "--out", out])
        .await;
    assert_eq!(
        (said.exit, fs::read(&fetched[1]).unwrap()),
        (3, b"another".to_vec())
    );

    // A desk at a lower tier is handed none.
    let heard = in_words(&rig, "west", &["listen", "--once"]).await;
    assert!(!heard.contains("attachment"), "{heard}");
    let said = rig.done("west", &["attachments", reference]).await;
    assert_eq!(attachments(said.value()), []);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_download_goes_on_behind_what_came_and_gives_out_nothing_that_was_altered() {
    let rig = cast().await;
    let roof = rig.dir().join("roof.jpg");
    fs::write(&roof, photo(3 * CHUNK_BYTES)).unwrap();
    let file = roof.to_str().unwrap();
    let args = [notify("Clinic", &[file]), vec!["--no-send"]].concat();
    let said = rig.done("msf", &args).await;
    let reference = said.lines[0]["signed"][0]["reference"]
        .as_str()
        .unwrap()
        .to_owned();
    let waiting = files(&rig.dir().join("profiles/msf/outbox/blobs"));
    let (name, blob) = (
        waiting[0].file_name().unwrap(),
        fs::read(&waiting[0]).unwrap(),
    );
    rig.done("msf", &["send"]).await;
    rig.done("ocha", &["listen", "--once"]).await;

    let folder = rig.dir().join("photos");
    let args = ["attachments", &reference, "--out", folder.to_str().unwrap()];
    let kept = rig.dir().join("profiles/ocha/attachments");
    fs::create_dir(&kept).unwrap();
    let part = kept.join(format!("{}.part", name.to_str().unwrap()));
    let mut altered = blob[..100_000].to_vec();
    altered[50_000] ^= 1;
    fs::write(&part, altered).unwrap();
    let said = rig.herald("ocha", &args).await;
    assert_eq!(said.exit, 1, "{}", said.beside);
    assert!(
        said.beside.contains("not what its maker said"),
        "{}",
        said.beside
    );
    assert!(!part.exists() && files(&folder).is_empty());
    // What came of it was right: the rest is enough. The same bytes at the server's end would not have sufficed.
    fs::write(&part, &blob[..100_000]).unwrap();
    rig.done("ocha", &args).await;
    assert_eq!(files(&folder).len(), 1);
    assert!(!part.exists());

    // The same again says nothing new; another picture is the next revision of the same notification.
    let said = rig.done("msf", &notify("Clinic", &[file])).await;
    assert_eq!(said.lines[0]["signed"].as_array().unwrap().len(), 0);
    fs::write(&roof, photo(900)).unwrap();
    let said = rig.done("msf", &notify("Clinic", &[file])).await;
    assert_eq!(said.lines[0]["signed"][0]["rev"], 2);
    // One that leaves them out is told so.
    let args = [notify("Clinic", &[]), vec!["--buffer", "700"]].concat();
    let said = rig.done("msf", &args).await;
    let findings = said.lines[0]["findings"].to_string();
    assert!(findings.contains("attachments-left-out"), "{findings}");

    // What is not what it says does not leave this machine.
    let letter = rig.dir().join("letter.pdf");
    fs::write(&letter, b"%PDF-1.7 /Author (A. Person)").unwrap();
    fs::copy(&roof, rig.dir().join("roof.png")).unwrap();
    for (file, why) in [
        ("letter.pdf", "author"),
        ("roof.png", "not what its name says"),
    ] {
        let path = rig.dir().join(file);
        let said = rig
            .herald("msf", &notify("Ward", &[path.to_str().unwrap()]))
            .await;
        assert_eq!(said.exit, 3, "{file}");
        assert!(said.beside.contains(why), "{}", said.beside);
    }
}
