//! A day's work through the command line, in which every text and every coordinate is known beforehand, so that all of
//! it can be looked for afterwards where none of it may be.

use herald::cli::directory;
use herald::domain::clock::Clock;
use herald::domain::ids::{Nid, Revision};
use herald::spatial::Position;
use herald::spatial::mgrs::Square;
use herald::store::role::Role;
use herald::wire::build::{Part, build};
use herald::wire::claims::NotificationClaims;
use herald::wire::parts::name;
use serde_json::json;
use sqlx::Executor as _;

use super::search::Needles;
use crate::rig::Rig;

/// The duty number of the organisation: registered in the clear, so it must be found.
pub const DUTY: &str = "+967770001112";

/// Longitude and latitude; none lies on the index's grid.
pub const CLINIC: (f64, f64) = (44.206_637_1, 15.347_391_2);
const CLINIC_MOVED: (f64, f64) = (44.209_143_7, 15.350_882_9);
const CAMP: (f64, f64) = (43.187_319_4, 16.013_427_7);
const MUSEUM: (f64, f64) = (44.017_283_6, 13.579_641_3);
const DEPART: (f64, f64) = (44.191_377_3, 15.361_129_8);
const ARRIVE: (f64, f64) = (42.951_718_3, 14.801_273_9);
const ENTERED: (f64, f64) = (44.231_771_9, 15.328_917_6);
const ASKED: (f64, f64) = (44.211_937_6, 15.349_173_8);
const ASKED_FAR: (f64, f64) = (47.863_719_1, 17.219_937_4);
const REFUSED: [(f64, f64); 4] = [
    (45.317_719_3, 16.117_193_7),
    (45.337_719_9, 16.137_193_1),
    (45.337_713_7, 16.117_197_3),
    (45.317_711_9, 16.137_199_9),
];

const PLACES: [(&str, (f64, f64)); 9] = [
    ("clinic", CLINIC),
    ("clinic moved", CLINIC_MOVED),
    ("camp", CAMP),
    ("museum", MUSEUM),
    ("departure", DEPART),
    ("arrival", ARRIVE),
    ("entered", ENTERED),
    ("asked", ASKED),
    ("asked far", ASKED_FAR),
];

/// Everything else that nobody but its readers may learn: what it is, and its words.
const WORDS: [(&str, &str); 38] = [
    ("plate in a letter", "YEM-8823-KX"),
    ("name of a letter", "larkspur-gate-letter"),
    ("name", "Qasr Trauma Point"),
    ("local name", "نقطة الإسعاف القصر"),
    ("name of the camp", "Wadi Zabid Settlement"),
    ("local name of the camp", "مخيم وادي زبيد"),
    ("name of the museum", "Al-Midhar Manuscript House"),
    ("category", "ambulance_station"),
    ("category of the camp", "displaced_persons_site"),
    ("category of the museum", "cultural_property"),
    ("name of a waypoint", "Checkpoint Jirbah"),
    ("name of the convoy", "Convoy Larkspur"),
    ("time of departure", "T06:13:00"),
    ("time as the database writes it", " 06:13:00"),
    ("time of arrival", "T11:47:00"),
    ("contact", "Nadia Al-Sabri"),
    ("phone", "+967711334455"),
    ("vehicle", "white Hilux with a roof cross"),
    ("plate", "SAN-4471-X"),
    ("cargo", "insulin and two incubators"),
    ("call sign", "KILOLARK7"),
    ("overnight", "Manakhah rest house"),
    ("reference", "MSF-YE-00931"),
    ("pcode", "YE1317QZ"),
    ("marking", "red crescent on the roof"),
    ("note", "generator behind the north wall"),
    ("person of a device", "Amal Haddadqz"),
    ("person of the coordinator", "Ines Desk"),
    ("officer", "Maj. Karim Zindani"),
    ("officer's post", "Fires liaison Thula"),
    ("list", "NSL Northwest Quad"),
    ("number on the list", "NSLQ-11473"),
    ("reason not to enter", "beyond our sector Tango"),
    ("question", "which of the two gates is used"),
    (
        "reason of the withdrawal",
        "the manuscripts were moved to Ibb",
    ),
    (
        "reason of the return",
        "the settlement lies across the river",
    ),
    ("operation", "OPERATION LANTERNFISH"),
    ("name of the refused", "Shibam Refused House"),
];

/// Words that no part which the server can open holds: those of `contact` and of attachments, which it cannot read, those of
/// devices, and a spelling of a time that only a database would use.
pub const NOT_IN_PARTS: [&str; 13] = [
    "plate in a letter:",
    "name of a letter:",
    "contact:",
    "phone:",
    "vehicle:",
    "plate:",
    "cargo:",
    "call sign:",
    "overnight:",
    "person of a device:",
    "person of the coordinator:",
    "time as the database writes it:",
    "name of the refused:",
];

/// What each secret begins with when it is found.
pub fn names() -> impl Iterator<Item = String> {
    let places = PLACES.iter().flat_map(|(what, _)| {
        [
            format!("longitude of {what}:"),
            format!("latitude of {what}:"),
        ]
    });
    places.chain(WORDS.iter().map(|(what, _)| format!("{what}:")))
}

/// What may not be found.
pub fn secrets() -> Needles {
    let mut needles = Needles::default();
    let refused = (1..)
        .zip(REFUSED)
        .map(|(n, at)| (format!("refused {n}"), at));
    let places = PLACES.iter().map(|(what, at)| ((*what).to_owned(), *at));
    for (what, (lon, lat)) in places.chain(refused) {
        place(&mut needles, &what, lon, lat);
    }
    for (what, words) in WORDS {
        needles.text(what, words);
    }
    needles
}

/// Everything by which a place can be known.
pub fn place(needles: &mut Needles, what: &str, lon: f64, lat: f64) {
    needles.decimals(&format!("longitude of {what}"), lon);
    needles.decimals(&format!("latitude of {what}"), lat);
    needles.doubles(what, lon, lat);
    for digits in [3, 4, 5] {
        for text in mgrs(lon, lat, digits) {
            needles.text(&format!("{what} in MGRS"), &text);
        }
    }
}

/// A square as one word, and as people space it.
pub fn mgrs(lon: f64, lat: f64, digits: u8) -> [String; 2] {
    let square = Square::containing(Position::new(lon, lat).unwrap(), digits).unwrap();
    let text = square.text();
    let (zone, rest) = text.split_at(3);
    let (letters, numbers) = rest.split_at(2);
    let (east, north) = numbers.split_at(numbers.len() / 2);
    [text.clone(), format!("{zone} {letters} {east} {north}")]
}

fn typed((lon, lat): (f64, f64)) -> String {
    format!("{lat:.7}, {lon:.7}")
}

/// What happened, as far as tests go on from it.
pub struct Story {
    pub rig: Rig,
    /// The clinic's reference.
    pub clinic: String,
}

impl Story {
    /// Tells it.
    pub async fn tell() -> Self {
        let rig = Rig::start("trace").await;
        let mut admin = rig.connect(Role::Admin).await;
        // Else page images in the write-ahead log are compressed, and hide from the search what others could unpack.
        for sql in [
            "ALTER SYSTEM SET wal_compression = off",
            "SELECT pg_reload_conf()",
        ] {
            admin.execute(sql).await.unwrap();
        }
        rig.enrol_coordinator().await;
        let actors = [
            ("msf", "organisation", "MSF", "Amal Haddadqz"),
            ("icrc", "organisation", "ICRC", "Luc Fabre"),
            ("east", "party-desk", "Eastern Command", "Capt. Said"),
            ("west", "party-desk", "Western Command", "Capt. Nasr"),
        ];
        for (actor, role, name, person) in actors {
            rig.take_in(actor, role, name, person).await;
        }
        rig.done("msf", &["duty", DUTY]).await;
        let story = Self {
            clinic: notify_all(&rig).await,
            rig,
        };
        story.answer().await;
        story.ask().await;
        story.refuse().await;
        story
    }

    /// What the coordinator and the parties say to what was notified, and what follows from it.
    async fn answer(&self) {
        let (rig, clinic) = (&self.rig, self.clinic.as_str());
        listen(rig).await;
        let (camp, museum, convoy) = (
            reference(rig, "icrc", 0).await,
            reference(rig, "icrc", 1).await,
            reference(rig, "msf", 1).await,
        );
        rig.done("ocha", &["screen", clinic, "--looked-at", "form"])
            .await;
        let words = "the settlement lies across the river";
        rig.done("ocha", &["return", &camp, "--reason", words])
            .await;
        let officer = [
            "--officer",
            "Maj. Karim Zindani",
            "--post",
            "Fires liaison Thula",
        ];
        let ack = async |party: &str, of: &str, more: &[&str]| {
            let args = [["ack", of].as_slice(), &officer, more].concat();
            rig.done(party, &args).await;
        };
        ack("east", clinic, &["--received"]).await;
        let entered = typed(ENTERED);
        let list = [
            "--entered",
            "--list",
            "NSL Northwest Quad",
            "--number",
            "NSLQ-11473",
        ];
        ack(
            "east",
            clinic,
            &[list.as_slice(), &["--at", &entered]].concat(),
        )
        .await;
        let reason = ["--not-entered", "--reason", "beyond our sector Tango"];
        ack("west", &museum, &reason).await;
        let question = ["--queried", "--question", "which of the two gates is used"];
        ack("east", &convoy, &question).await;
        let moved = typed(CLINIC_MOVED);
        let revised = [
            "notify",
            "--revise",
            clinic,
            "--category",
            "ambulance_station",
            "--name",
            "Qasr Trauma Point",
            "--at",
            &moved,
            "--party",
            "east:exact",
            "--party",
            "west:cell",
        ];
        rig.done("msf", &revised).await;
        let words = "the manuscripts were moved to Ibb";
        rig.done("icrc", &["withdraw", &museum, "--reason", words])
            .await;
        rig.done("msf", &["close", &convoy, "--arrived"]).await;
        listen(rig).await;
    }

    /// A check that hits the clinic exactly, one that hits its cell, and one that hits nothing.
    async fn ask(&self) {
        for (party, place, exit) in [
            ("east", ASKED, 10),
            ("west", ASKED, 11),
            ("east", ASKED_FAR, 0),
        ] {
            let operation = ["--operation", "OPERATION LANTERNFISH"];
            let place = typed(place);
            let args = ["check", &place, "--radius", "750"];
            let said = self
                .rig
                .herald(party, &[args.as_slice(), &operation].concat())
                .await;
            assert_eq!(said.exit, exit, "{party}: {}", said.beside);
        }
    }

    /// What is refused is logged too, and its place must not be.
    async fn refuse(&self) {
        let (profile, api) = self.rig.person("msf");
        let trust = directory::trust(&profile, &api).await.unwrap();
        let ring: Vec<[f64; 2]> = [0, 1, 2, 3, 0]
            .map(|at: usize| [REFUSED[at].0, REFUSED[at].1])
            .to_vec();
        let crossed = json!({
            "type": "Feature", "geometry": {"type": "Polygon", "coordinates": [ring]},
            "properties": {"category": "hospital", "name": "Shibam Refused House", "relation": "run"},
        });
        let outside = json!({
            "type": "Feature", "geometry": {"type": "Point", "coordinates": [REFUSED[0].0, 91.0]},
            "properties": {"category": "Shibam Refused House", "name": "Shibam Refused House", "relation": "run"},
        });
        for place in [crossed, outside] {
            let part = Part::new(name::PLACE, &place)
                .unwrap()
                .sealed_to(trust.server_seal());
            let common = profile.common(&Clock::System);
            let claims =
                NotificationClaims::new(common, Nid::random(), Revision::FIRST, None, false, None);
            let built = build(claims, &[part], &profile.signing_key().unwrap()).unwrap();
            assert!(api.submit(&built.envelope.encode()).await.is_err());
        }
    }
}

async fn notify_all(rig: &Rig) -> String {
    let departure = format!("{} @ {}", typed(DEPART), when("06:13"));
    let arrival = format!(
        "Checkpoint Jirbah = {} @ {} ±15m",
        typed(ARRIVE),
        when("11:47")
    );
    let clinic_at = typed(CLINIC);
    let [_, camp_at] = mgrs(CAMP.0, CAMP.1, 5);
    let museum_at = typed(MUSEUM);
    let clinic = [
        "notify",
        "--category",
        "ambulance_station",
        "--name",
        "Qasr Trauma Point",
        "--name-local",
        "نقطة الإسعاف القصر",
        "--at",
        &clinic_at,
        "--reference",
        "MSF-YE-00931",
        "--pcode",
        "YE1317QZ",
        "--marking",
        "red crescent on the roof",
        "--contact",
        "Nadia Al-Sabri",
        "--phone",
        "+967711334455",
        "--note",
        "generator behind the north wall",
        "--party",
        "east:exact",
        "--party",
        "west:cell",
    ];
    rig.done("msf", &clinic).await;
    let letter = rig.dir().join("larkspur-gate-letter.pdf");
    let page = "%PDF-1.4\nBT (white Hilux, plate YEM-8823-KX) Tj ET\n".repeat(2_000);
    std::fs::write(&letter, page).unwrap();
    let convoy = [
        "notify",
        "--name",
        "Convoy Larkspur",
        "--waypoint",
        &departure,
        "--waypoint",
        &arrival,
        "--half-width",
        "100",
        "--contact",
        "Nadia Al-Sabri",
        "--phone",
        "+967711334455",
        "--vehicle",
        "white Hilux with a roof cross",
        "--plate",
        "SAN-4471-X",
        "--cargo",
        "insulin and two incubators",
        "--call-sign",
        "KILOLARK7",
        "--overnight",
        "Manakhah rest house",
        "--party",
        "east:exact",
        "--attach",
        letter.to_str().unwrap(),
        "--keep-metadata",
    ];
    rig.done("msf", &convoy).await;
    let camp = [
        "notify",
        "--category",
        "displaced_persons_site",
        "--name",
        "Wadi Zabid Settlement",
        "--name-local",
        "مخيم وادي زبيد",
        "--at",
        &camp_at,
        "--party",
        "east:on_check",
    ];
    rig.done("icrc", &camp).await;
    let museum = [
        "notify",
        "--category",
        "cultural_property",
        "--name",
        "Al-Midhar Manuscript House",
        "--at",
        &museum_at,
        "--party",
        "west:exact",
    ];
    rig.done("icrc", &museum).await;
    reference(rig, "msf", 0).await
}

/// In three days, at a time of day, as RFC 3339.
fn when(time: &str) -> String {
    let day = Clock::System.now().date() + time::Duration::days(3);
    format!("{day}T{time}:00Z")
}

async fn listen(rig: &Rig) {
    for desk in ["ocha", "msf", "icrc", "east", "west"] {
        rig.done(desk, &["listen", "--once"]).await;
    }
}

/// The reference of an organisation's notification, the first one first.
async fn reference(rig: &Rig, organisation: &str, at: usize) -> String {
    let (_, api) = rig.person(organisation);
    let page = api.notifications(None).await.unwrap();
    page.items[at].reference.to_string()
}
