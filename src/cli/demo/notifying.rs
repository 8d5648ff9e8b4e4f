//! The chapters in which organisations notify: many places from files, a spreadsheet with a mistake, without a line, and a
//! convoy with times.

use std::collections::BTreeMap;
use std::path::Path;

use serde_json::Value;
use time::{Duration, OffsetDateTime, Time};

use super::stage::{Stage, write};
use super::{EAST, FOODAID, MEDAID, WEST};
use crate::cli::error::CliError;
use crate::cli::exit::Exit;
use crate::cli::tabular::columns::Field;
use crate::cli::tabular::{self, Options};
use crate::cli::template;
use crate::domain::notification::Subject;
use crate::domain::plural::count;

/// Hospitals, as Medical Aid notifies them.
const MEDICAL: &str = include_str!("../../../examples/sites-medical.csv");
/// Other places, as Food Aid notifies them.
const FOOD: &str = include_str!("../../../examples/sites-food.csv");
/// Four documented places.
const DOCUMENTED: &str = include_str!("../../../examples/documented.csv");
/// The Trauma Centre's coordinates with their degree, minute and second signs lost: 44 km away.
const MISTYPED: &str = "36.43491 68.514396";
/// As they were meant.
const MEANT: &str = "36°43'4.91\"N 68°51'43.96\"E";

/// Thirty-eight places from two files; both parties listen.
pub async fn many_places(stage: &mut Stage) -> Result<(), CliError> {
    stage
        .tell
        .chapter("Thirty-eight places: each party sees what the organisation chose, and no more");
    stage.tell.says(
        "Both parties' desks and both organisations listen, each over a WebSocket. Each place names its parties and what \
         each may see: exact; on_check (a 10 km cell now, the place only if a check hits it); or only the cell.",
    );
    for (who, shown) in [
        (EAST, true),
        (WEST, false),
        (MEDAID, false),
        (FOODAID, false),
    ] {
        if shown {
            stage.tell.command(who, &["listen".to_owned()]);
        }
        stage.listens(who);
    }
    imports(stage).await?;
    let is_site = |event: &Value| event.get("kind").and_then(Value::as_str) == Some("site");
    for (who, party) in [(EAST, "east:"), (WEST, "west:")] {
        let meant = [MEDICAL, FOOD]
            .iter()
            .flat_map(|text| text.lines().skip(1))
            .filter(|line| line.contains(party))
            .count();
        stage
            .hears_many(who, "every place notified to it", meant, is_site)
            .await?;
        let none = stage
            .listeners
            .get(who)
            .is_some_and(|listener| listener.count(is_site) == meant);
        if !none {
            return Err(CliError::failed(
                format!("{who} heard of more places than were notified to it"),
                "Report it.",
            ));
        }
        stage.tell.says(&format!(
            "{who} received {} as notified, and nothing of the others.",
            count(meant, "place")
        ));
    }
    at_two_desks(stage).await
}

/// Both files, each by its organisation.
async fn imports(stage: &Stage) -> Result<(), CliError> {
    for (who, name, text) in [
        (MEDAID, "sites-medical.csv", MEDICAL),
        (FOODAID, "sites-food.csv", FOOD),
    ] {
        let file = stage.path(name);
        write(&file, text.as_bytes())?;
        let rows = text.lines().count() - 1;
        let ran = stage
            .types(who, &["import", &file.display().to_string()])
            .await
            .ends(Exit::Ok)?;
        let ran = ran.finds("every row was accepted", |ran| {
            ran.at("/accepted").as_u64() == u64::try_from(rows).ok()
        })?;
        stage.tell.said(&ran.lines_with(&["accepted"]));
    }
    Ok(())
}

/// The same notification at two tiers.
async fn at_two_desks(stage: &Stage) -> Result<(), CliError> {
    let seen = stage.noted("M-02").await?;
    stage.tell.says("The same notification at the two desks: the eastern one sees the place, the western one a cell and no name.");
    for who in [EAST, WEST] {
        let heard = stage
            .hears(who, "M-02", |event| {
                event.get("nid").and_then(Value::as_str) == Some(seen.nid.as_str())
            })
            .await?;
        stage.tell.plain(&format!("  {who}"));
        stage.tell.said(&without_note(&heard.text));
        let place = heard.event.pointer("/parts/place").is_some();
        if place != (who == EAST) {
            return Err(CliError::failed(
                format!("{who} sees another tier than was chosen"),
                "Report it.",
            ));
        }
    }
    Ok(())
}

/// The published source of a place is for the examples' readers; here it is noise.
fn without_note(text: &str) -> String {
    text.lines()
        .filter(|line| !line.trim_start().starts_with("note "))
        .collect::<Vec<_>>()
        .join("\n")
}

/// A form from the template, with one row mistyped.
pub async fn a_spreadsheet(stage: &mut Stage) -> Result<(), CliError> {
    stage.tell.chapter("A spreadsheet with a mistake");
    stage.tell.says(
        "Four places that were hit although somebody had been told of them (examples/documented.csv names the public \
         reports). A colleague fills in the form. In one row the signs of degrees, minutes and seconds got lost: a legal \
         position, in the right country, 44 km from the hospital. Herald asks before anything is sent; it never corrects \
         in silence.",
    );
    let form = stage.path("documented.xlsx");
    let name = form.display().to_string();
    let ran = stage
        .types(MEDAID, &["template", "site", "--out", &name])
        .await
        .ends(Exit::Ok)?;
    stage.tell.said(&ran.text);
    fill_in(stage, &form, MISTYPED)?;
    stage.tell.says(&format!(
        "The form is filled in; its first row says: {MISTYPED}"
    ));
    let ran = stage
        .types(MEDAID, &["lint", &name, "--strict"])
        .await
        .ends(Exit::Refused)?;
    let ran = ran
        .finds("one row is odd", |ran| ran.at("/odd") == 1)?
        .finds("the likely reading is named", |ran| {
            ran.text.contains("36.718")
        })?
        .finds("a copy with the remarks was written", |ran| {
            ran.at("/checked").is_string()
        })?;
    stage
        .tell
        .said(&ran.lines_with(&["warning", "can be notified", "beside the cells"]));
    fill_in(stage, &form, MEANT)?;
    stage.tell.says(&format!(
        "The colleague compares with the GPS device and types {MEANT} instead."
    ));
    let ran = stage
        .types(MEDAID, &["lint", &name, "--strict"])
        .await
        .ends(Exit::Ok)?;
    let ran = ran.finds("nothing is odd any more", |ran| ran.at("/odd") == 0)?;
    stage.tell.said(&ran.lines_with(&["can be notified"]));
    Ok(())
}

/// The documented places as rows of the form.
fn fill_in(stage: &Stage, form: &Path, kunduz: &str) -> Result<(), CliError> {
    let source = stage.path("documented.csv");
    write(&source, DOCUMENTED.as_bytes())?;
    let mut rows: Vec<BTreeMap<Field, String>> = Vec::new();
    for row in tabular::open(&source, &Options::default())? {
        let mut cells = row
            .map_err(|bad| CliError::failed(bad.message, "Mend examples/documented.csv."))?
            .cells;
        if cells
            .get(&Field::Reference)
            .is_some_and(|reference| reference == "KUNDUZ-2015")
        {
            cells.insert(Field::Coordinates, kunduz.to_owned());
        }
        rows.push(cells);
    }
    let bytes = template::filled_in(Subject::Site, &rows).map_err(|error| {
        CliError::failed(
            format!("the spreadsheet cannot be made: {error}"),
            "Report it.",
        )
    })?;
    write(form, &bytes)
}

/// The server is down; people go on working.
pub async fn without_a_line(stage: &mut Stage) -> Result<(), CliError> {
    stage.tell.chapter("Without a line");
    stage.tell.says("The server is stopped, as for a repair; to the field it might as well be a cut cable. People go on working.");
    stage.server.stop().await?;
    let form = stage.path("documented.xlsx").display().to_string();
    let ran = stage
        .types(MEDAID, &["notify", &form, "--strict"])
        .await
        .ends(Exit::Unreachable)?;
    let ran = ran.finds("four are signed and wait", |ran| {
        ran.at("/waiting") == 4
            && ran
                .at("/signed")
                .as_array()
                .is_some_and(|signed| signed.len() == 4)
    })?;
    stage.tell.said(&ran.lines_with(&[
        "HN-",
        "typed 36°",
        "read  36.718",
        "signed,",
        "not sent yet",
    ]));
    stage.tell.says("What was signed is on disk, byte for byte. The server comes back, and the same bytes go out.");
    stage.server.start().await?;
    let ran = stage.types(MEDAID, &["send"]).await.ends(Exit::Ok)?;
    let ran = ran.finds("all four arrived", |ran| {
        ran.at("/sent")
            .as_array()
            .is_some_and(|sent| sent.len() == 4)
            && ran.at("/waiting") == 0
    })?;
    stage.tell.said(&ran.text);
    let heard = stage.hears(EAST, "the Trauma Centre", |event| {
        event
            .pointer("/parts/place/properties/reference")
            .and_then(Value::as_str)
            == Some("KUNDUZ-2015")
    });
    let heard = heard.await?;
    stage.tell.says(
        "The eastern desk had lost its line as well. It connected again by itself, and hears:",
    );
    stage.tell.said(&without_note(&heard.text));
    Ok(())
}

/// When the convoy departs: three days from now, 06:00 UTC.
pub fn departure(now: OffsetDateTime) -> OffsetDateTime {
    (now + Duration::days(3)).replace_time(Time::MIDNIGHT) + Duration::hours(6)
}

/// A time as it is typed.
pub fn typed(at: OffsetDateTime) -> String {
    crate::spatial::parse::format_rfc3339(at)
}

/// The convoy's two waypoints with their times, as they are typed.
pub fn road(now: OffsetDateTime) -> [String; 2] {
    let depart = departure(now);
    let arrive = depart + Duration::seconds(9_574);
    [
        format!("Khartoum depot = 15.5007, 32.5599 @ {} ±10m", typed(depart)),
        format!("Wad Madani = 14.4012, 33.5199 @ {} ±10m", typed(arrive)),
    ]
}

/// One movement with times, to one party.
pub async fn a_convoy(stage: &mut Stage) -> Result<(), CliError> {
    stage.tell.chapter("A convoy");
    stage.tell.says(
        "Food Aid moves 24 t of flour from Khartoum to Wad Madani, 160 km. Only the eastern party is told. Names, plates \
         and phone numbers are sealed to it and to the coordinator: the server cannot read them.",
    );
    let [first, last] = road(stage.clock.now());
    let ran = stage
        .types(
            FOODAID,
            &[
                "notify",
                "--name",
                "Food convoy 7",
                "--reference",
                "CONVOY-7",
                "--category",
                "food_distribution",
                "--country",
                "SDN",
                "--waypoint",
                &first,
                "--waypoint",
                &last,
                "--buffer",
                "0",
                "--party",
                "east:exact",
                "--contact",
                "Team leader",
                "--phone",
                "+249900000001",
                "--vehicle",
                "white truck, logo on the roof",
                "--plate",
                "KH-1234",
                "--people",
                "4",
            ],
        )
        .await
        .ends(Exit::Ok)?;
    let nid = ran.text_at("/signed/0/nid");
    stage.tell.said(&ran.text);
    let heard = stage
        .hears(EAST, "the convoy", |event| {
            event.get("nid").and_then(Value::as_str) == Some(nid.as_str())
        })
        .await?;
    if heard.event.pointer("/parts/contact").is_none() {
        return Err(CliError::failed(
            "the eastern desk cannot open the convoy's contact",
            "Report it.",
        ));
    }
    stage.tell.says(&format!(
        "The eastern desk, {} later:",
        super::stage::moment(heard.after)
    ));
    stage.tell.said(&heard.text);
    Ok(())
}
