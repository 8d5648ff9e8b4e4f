//! What lies on disk, in a dump, in the write-ahead log, in the server's own log and in its metrics shows no place, no
//! name and no reason; and a search that could not find them would be worth nothing, so it is held to finding every
//! encoding planted for it.

mod search;
mod story;

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;
use std::process::Command;

use data_encoding::{BASE64, BASE64URL_NOPAD, HEXLOWER, HEXUPPER};
use herald::crypto::digest::Digest;
use herald::crypto::keyring::Keyring;
use herald::service::records::Record;
use herald::store::role::Role;
use herald::wire::build::SealSlot;
use herald::wire::parts::name;
use herald::wire::read;
use sqlx::{AssertSqlSafe, Executor as _, PgConnection};

use self::search::{Needles, Search};
use self::story::{DUTY, Story, mgrs};
use crate::rig::{Rig, get};

/// Of one write-ahead log page, and the headers of a segment's first page and of the others (PostgreSQL's
/// `xlog_internal.h`): without them a record that goes on over a page's end is whole.
const WAL_PAGE: usize = 8_192;
const WAL_LONG_HEADER: usize = 40;
const WAL_SHORT_HEADER: usize = 24;

type Encode = fn(&[u8]) -> String;

/// How text hides in text.
const ENCODINGS: [(&str, Encode); 4] = [
    ("base64url", |bytes| BASE64URL_NOPAD.encode(bytes)),
    ("base64", |bytes| BASE64.encode(bytes)),
    ("hex", |bytes| HEXLOWER.encode(bytes)),
    ("HEX", |bytes| HEXUPPER.encode(bytes)),
];

/// A text or bytes that only the control has, and how it is planted.
struct Plant {
    what: String,
    /// An SQL expression.
    sql: String,
    /// The same in a log line, where it is text.
    line: Option<String>,
}

/// Places and words that stand nowhere else, each planted in one encoding only.
#[derive(Default)]
struct Control {
    needles: Needles,
    plants: Vec<Plant>,
}

impl Control {
    fn new() -> Self {
        let mut control = Self::default();
        control.texts();
        control.doubles();
        control
    }

    fn next_place(&self) -> (f64, f64) {
        let step = f64::from(u32::try_from(self.plants.len()).unwrap());
        (
            61.123_456_7 + step * 0.371_731_3,
            31.654_321_3 + step * 0.173_137_1,
        )
    }

    /// Plants what is text, and what is text after decoding.
    fn text(&mut self, what: String, text: &str, encoded: &str) {
        self.needles.text(&what, text);
        self.plants.push(Plant {
            what,
            sql: format!("convert_to('{encoded}', 'UTF8')"),
            line: Some(encoded.to_owned()),
        });
        let Some(Plant { sql, what, .. }) = self.plants.last() else {
            return;
        };
        // Bytes show as hexadecimal in a dump; the same as text shows as itself.
        let as_text = sql.replace("convert_to", "convert_from(convert_to") + ", 'UTF8')";
        let (what, line) = (what.clone(), None);
        self.plants.push(Plant {
            what,
            sql: as_text,
            line,
        });
    }

    fn texts(&mut self) {
        for decimals in 4..=7 {
            let (lon, _) = self.next_place();
            let what = format!("control: {decimals} decimals");
            self.needles.decimals(&what, lon);
            let written = format!("{lon:.decimals$}");
            self.text(what, &written, &written);
        }
        for digits in [3, 4, 5] {
            let (lon, lat) = self.next_place();
            for (text, form) in mgrs(lon, lat, digits)
                .into_iter()
                .zip(["one word", "spaced"])
            {
                self.text(format!("control: MGRS {digits} {form}"), &text, &text);
            }
        }
        for (script, plain, words) in [
            ("latin", "Steuerhaus Kontrolle", "Leuchtturm Probe"),
            ("arabic", "بيت المراقبة", "برج التجربة"),
        ] {
            self.text(format!("control: {script}"), plain, plain);
            for before in 0..3 {
                for (name, encode) in ENCODINGS {
                    let words = format!("{words} {name} {before}");
                    let shifted = [&b"\xfb\xff\xbe"[..before], words.as_bytes(), b"?>"].concat();
                    let what = format!("control: {script} in {name} at {before}");
                    self.text(what, &words, &encode(&shifted));
                }
            }
        }
    }

    /// Plants a place's doubles.
    fn place(
        &mut self,
        what: &str,
        sql: impl FnOnce(f64, f64) -> String,
        line: impl FnOnce(f64, f64) -> Option<String>,
    ) {
        let (lon, lat) = self.next_place();
        let what = format!("control: {what}");
        self.needles.doubles(&what, lon, lat);
        // A column of doubles is text in a dump.
        self.needles.decimals(&what, lon);
        let (sql, line) = (sql(lon, lat), line(lon, lat));
        self.plants.push(Plant { what, sql, line });
    }

    fn doubles(&mut self) {
        let le = |lon: f64, lat: f64| [lon.to_le_bytes(), lat.to_le_bytes()].concat();
        let be = |lon: f64, lat: f64| [lon.to_be_bytes(), lat.to_be_bytes()].concat();
        let bytea = |bytes: &[u8]| format!("'\\x{}'::bytea", HEXLOWER.encode(bytes));
        self.place(
            "doubles in a column",
            |lon, lat| format!("ARRAY[{lon}, {lat}]::float8[]"),
            |_, _| None,
        );
        self.place(
            "little-endian",
            |lon, lat| bytea(&le(lon, lat)),
            |lon, lat| Some(HEXLOWER.encode(&le(lon, lat))),
        );
        self.place(
            "big-endian",
            |lon, lat| bytea(&be(lon, lat)),
            |lon, lat| Some(BASE64.encode(&be(lon, lat))),
        );
        self.place(
            "at an odd offset, a millionth off",
            |lon, lat| bytea(&[&b"xyz"[..], &le(lon + 9e-7, lat - 9e-7)].concat()),
            |_, _| None,
        );
        self.place("one alone", |lon, _| bytea(&lon.to_le_bytes()), |_, _| None);
        let point = |lon: f64, lat: f64| {
            format!("public.ST_SetSRID(public.ST_MakePoint({lon}, {lat}), 4326)")
        };
        self.place("a geometry", point, |_, _| None);
        self.place(
            "WKB in hexadecimal text",
            |lon, lat| format!("encode(public.ST_AsEWKB({}), 'hex')", point(lon, lat)),
            |lon, lat| Some(HEXUPPER.encode(&[&b"\x01\x01\0\0\0"[..], &le(lon, lat)].concat())),
        );
        self.place(
            "WKB in base64 text",
            |lon, lat| format!("encode(public.ST_AsBinary({}), 'base64')", point(lon, lat)),
            |_, _| None,
        );
    }

    /// Puts every plant into a table and a row of its own.
    async fn plant(&self, admin: &mut PgConnection) {
        for (number, plant) in self.plants.iter().enumerate() {
            let sql = format!(
                "CREATE TABLE public.control_{number} AS SELECT {} AS planted",
                plant.sql
            );
            admin.execute(AssertSqlSafe(sql)).await.unwrap();
        }
    }

    /// What a search of this must find.
    fn expected(&self, lines_only: bool) -> BTreeSet<&str> {
        let wanted = self
            .plants
            .iter()
            .filter(|plant| !lines_only || plant.line.is_some());
        wanted.map(|plant| plant.what.as_str()).collect()
    }

    fn check(&self, medium: &str, hay: &[u8], lines_only: bool) {
        let needles = Self::new().needles;
        let found = Search::new(needles).run(hay);
        let missed: Vec<&str> = self
            .expected(lines_only)
            .into_iter()
            .filter(|what| {
                !found
                    .iter()
                    .any(|found| found.starts_with(&format!("{what}:")))
            })
            .collect();
        assert_eq!(
            missed,
            Vec::<&str>::new(),
            "the search of {medium} is blind to these"
        );
    }
}

/// The whole cluster as SQL, by the superuser.
fn dump(rig: &Rig) -> Vec<u8> {
    let output = Command::new("pg_dumpall")
        .arg("--host")
        .arg(rig.socket_dir())
        .args(["--username", Role::Admin.name()])
        .output()
        .expect("pg_dumpall is there with PostgreSQL");
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    output.stdout
}

/// Every file of the databases that are no templates, and of the whole cluster.
async fn files(rig: &Rig, admin: &mut PgConnection) -> Vec<u8> {
    let databases: Vec<i64> =
        sqlx::query_scalar("SELECT oid::bigint FROM pg_database WHERE NOT datistemplate")
            .fetch_all(admin)
            .await
            .unwrap();
    let mut hay = Vec::new();
    for oid in databases {
        read_all(&rig.pgdata().join("base").join(oid.to_string()), &mut hay);
    }
    read_all(&rig.pgdata().join("global"), &mut hay);
    hay.extend(fs::read(rig.data().join("postgres.log")).unwrap());
    hay
}

fn read_all(dir: &Path, into: &mut Vec<u8>) {
    for entry in fs::read_dir(dir).unwrap() {
        let path = entry.unwrap().path();
        if path.is_file() {
            into.extend(fs::read(path).unwrap());
        }
    }
}

/// The write-ahead log, its pages joined.
fn wal(rig: &Rig) -> Vec<u8> {
    let entries = fs::read_dir(rig.pgdata().join("pg_wal")).unwrap();
    let mut segments: Vec<_> = entries
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.is_file())
        .collect();
    segments.sort();
    let mut hay = Vec::new();
    for segment in segments {
        for (number, page) in fs::read(segment).unwrap().chunks(WAL_PAGE).enumerate() {
            let header = if number == 0 {
                WAL_LONG_HEADER
            } else {
                WAL_SHORT_HEADER
            };
            hay.extend(page.get(header..).unwrap_or_default());
        }
    }
    hay
}

/// Whose, its statement's hash, the area and the answer.
type KeptCheck = (String, Vec<u8>, Vec<u8>, Vec<u8>);

/// What the server holds sealed, opened with its keyring: here all of it must be, or the search looks for the wrong words.
async fn opened(rig: &Rig, admin: &mut PgConnection) -> Vec<u8> {
    let keyring = Keyring::open(&rig.deployment().join("keyring")).unwrap();
    let parts: Vec<(String, String, String, Vec<u8>)> = sqlx::query_as(
        "SELECT s.jws, p.org, p.part, p.content FROM hn.part p JOIN hn.statement s USING (pos)",
    )
    .fetch_all(&mut *admin)
    .await
    .unwrap();
    let mut hay = Vec::new();
    for (jws, org, part, content) in parts {
        let (_, claims) = read::read(&jws).unwrap();
        let slot = SealSlot::of(&claims);
        let at = Record::part(&org.parse().unwrap(), slot.id(), slot.rev(), &part);
        hay.extend_from_slice(&keyring.open_record(&at.at(), &content).unwrap());
        hay.push(b'\n');
    }
    let checks: Vec<KeptCheck> =
        sqlx::query_as("SELECT actor, hash, area, content FROM hn.check_log")
            .fetch_all(admin)
            .await
            .unwrap();
    for (actor, hash, area, content) in checks {
        let (actor, hash) = (actor.parse().unwrap(), Digest::from_slice(&hash).unwrap());
        for (part, content) in [(name::AREA, area), (name::ANSWER, content)] {
            let at = Record::check(&actor, &hash, part);
            hay.extend_from_slice(&keyring.open_record(&at.at(), &content).unwrap());
            hay.push(b'\n');
        }
    }
    hay
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn dump_files_write_ahead_log_server_log_and_metrics_show_no_place_name_or_reason() {
    let story = Story::tell().await;
    let rig = &story.rig;
    let control = Control::new();
    let mut admin = rig.connect(Role::Admin).await;
    control.plant(&mut admin).await;
    admin.execute("CHECKPOINT").await.unwrap();
    let log = fs::read(rig.log()).unwrap();
    let lines: Vec<String> = control
        .plants
        .iter()
        .filter_map(|plant| plant.line.clone())
        .collect();
    let planted = [log.as_slice(), lines.join(" WARN planted\n").as_bytes()].concat();
    let (_, metrics) = get(rig.ops(), "/metrics").await.unwrap();
    assert!(metrics.contains("herald_"), "{metrics}");

    let media = [
        ("the dump", dump(rig), Some(false)),
        ("the files", files(rig, &mut admin).await, Some(false)),
        ("the write-ahead log", wal(rig), Some(false)),
        ("the server's log", planted, Some(true)),
        ("the metrics", metrics.into_bytes(), None),
    ];
    let duty = {
        let mut needles = Needles::default();
        needles.text("duty", DUTY);
        Search::new(needles)
    };
    let search = Search::new(story::secrets());
    let known = search.run(&opened(rig, &mut admin).await);
    let strange: Vec<String> = story::names()
        .filter(|what| !story::NOT_IN_PARTS.contains(&what.as_str()))
        .filter(|what| !known.iter().any(|found| found.starts_with(what)))
        .collect();
    assert_eq!(
        strange,
        Vec::<String>::new(),
        "the story does not hold these"
    );
    for (medium, hay, lines_only) in media {
        assert!(hay.len() > 500, "{medium} is there");
        if let Some(lines_only) = lines_only {
            control.check(medium, &hay, lines_only);
        }
        let found = search.run(&hay);
        assert_eq!(found, BTreeSet::new(), "{medium} shows these");
        if medium == "the dump" {
            assert!(
                !duty.run(&hay).is_empty(),
                "a duty number is meant to be known"
            );
        }
    }
}
