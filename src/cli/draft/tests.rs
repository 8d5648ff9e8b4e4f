//! What a person types becomes what is notified, or a remark at its cell: cases from the field.

use std::path::Path;

use geojson::GeometryValue;
use proptest::prelude::*;
use time::macros::datetime;

use super::compose::{Composition, Settings, compose};
use super::drafts;
use super::finding::{Finding, Severity};
use super::words::choice;
use crate::cli::tabular::{self, Options};
use crate::domain::notification::{Relation, Subject, Tier};
use crate::spatial::parse::Country;
use crate::wire::policy::Policy;

fn settings() -> Settings {
    Settings {
        on_behalf: None,
        policy: Policy::default(),
        country: None,
        zone: None,
        audience: vec![choice("east:exact").expect("a choice")],
        relation: Relation::Run,
        buffer_m: None,
        parties: None,
        now: datetime!(2026-05-01 00:00 UTC),
    }
}

fn read(name: &str, text: &str, settings: &Settings) -> Vec<Result<Composition, Finding>> {
    let dir = tempfile::tempdir().expect("a directory");
    let path = dir.path().join(name);
    std::fs::write(&path, text).expect("written");
    open(&path, settings)
}

fn open(path: &Path, settings: &Settings) -> Vec<Result<Composition, Finding>> {
    let table = tabular::open(path, &Options::default()).expect("a table");
    drafts(table)
        .map(|draft| draft.map(|draft| compose(&draft, settings, None)))
        .collect()
}

fn one(name: &str, text: &str, settings: &Settings) -> Composition {
    let mut all = read(name, text, settings);
    assert_eq!(all.len(), 1);
    all.remove(0).expect("a draft")
}

fn codes(composition: &Composition) -> Vec<&str> {
    composition
        .findings
        .iter()
        .map(|finding| finding.code.as_str())
        .collect()
}

#[test]
fn the_hospital_at_kunduz_with_its_marks_lost_is_asked_about_at_its_cell_with_the_reading_likely_meant()
 {
    for columns in [
        "reference,name,category,country,coordinates\nK1,Trauma Centre,hospital,AFG,36.43491 68.514396\n",
        "reference,name,category,country,latitude,longitude\nK1,Trauma Centre,hospital,AFG,36.43491,68.514396\n",
    ] {
        let composition = one("sites.csv", columns, &settings());
        let asked = composition
            .findings
            .iter()
            .find(|finding| finding.code == "lost-degree-signs")
            .expect("asked about");
        assert_eq!(asked.severity, Severity::Warning);
        assert!(
            asked
                .origin
                .to_string()
                .starts_with("sites.csv, row 2, column E"),
            "{}",
            asked.origin
        );
        assert!(
            asked.message.contains("36.718") && asked.message.contains("68.862"),
            "{}",
            asked.message
        );
        assert!(
            composition.has_warnings() && composition.composed.is_some(),
            "it is not put right in silence"
        );
    }
}

#[test]
fn the_same_hospital_typed_in_four_ways_is_one_place_and_what_was_typed_is_kept() {
    for typed in [
        "36.71803, 68.86221",
        "36°43'4.91\"N 68°51'43.96\"E",
        "42S VF 87694 63602",
        "36 43.0818 N, 068 51.7326 E",
    ] {
        let quoted = typed.replace('"', "\"\"");
        let text =
            format!("name;category;country;coordinates\nTrauma Centre;hospital;AFG;\"{quoted}\"\n");
        let composition = one("sites.csv", &text, &settings());
        assert!(
            !composition.has_warnings(),
            "{typed}: {:?}",
            codes(&composition)
        );
        let composed = composition.composed.expect("composed");
        assert_eq!(composed.place.properties.typed.as_deref(), Some(typed));
        let GeometryValue::Point { coordinates } = &composed.place.geometry.value else {
            panic!("a point")
        };
        let [lon, lat] = coordinates.as_slice() else {
            panic!("two numbers")
        };
        assert!(
            (lat - 36.71803).abs() < 2e-5 && (lon - 68.86221).abs() < 2e-5,
            "{typed}: {lat} {lon}"
        );
        assert!(
            composed.shown[0].read.contains("42SVF"),
            "{}",
            composed.shown[0].read
        );
    }
}

#[test]
fn swapped_axes_in_a_geojson_file_are_asked_about() {
    let text = r#"{"type":"Feature","geometry":{"type":"Point","coordinates":[15.5007,32.5599]},
        "properties":{"name":"Depot","category":"warehouse","country":"SDN"}}"#;
    let composition = one("s.geojson", text, &settings());
    assert!(
        codes(&composition).contains(&"swapped-axes"),
        "{:?}",
        codes(&composition)
    );
}

#[test]
fn a_ring_that_crosses_itself_is_refused_and_the_next_feature_is_read() {
    let text = r#"{"type":"FeatureCollection","features":[
        {"type":"Feature","geometry":{"type":"Polygon","coordinates":[[[0,0],[2,2],[2,0],[0,2],[0,0]]]},"properties":{"name":"A","category":"school"}},
        {"type":"Feature","geometry":{"type":"Polygon","coordinates":[[[30,10],[31,10],[31,11],[30,10]]]},"properties":{"name":"B","category":"school","country":"SDN"}}]}"#;
    let all = read("s.geojson", text, &settings());
    let first = all[0].as_ref().expect("a draft");
    assert!(
        first.composed.is_none() && codes(first).contains(&"geometry-crosses-itself"),
        "{:?}",
        codes(first)
    );
    assert!(all[1].as_ref().expect("a draft").composed.is_some());
}

const CONVOY: &str = "movement,waypoint,waypoint_name,coordinates,at,slack,half_width_m,vehicles,plates,people\n\
    M1,1,Khartoum,\"15.5007, 32.5599\",2026-05-03T06:00Z,±15m,100,white truck; white car,1-1234; 1-1235,8\n\
    ,2,Wad Madani,\"14.4012, 33.5199\",2026-05-03 08:39:30Z,15m,,,,\n";

#[test]
fn a_convoy_of_two_rows_is_one_movement_whose_window_covers_its_times_and_slack() {
    let mut settings = settings();
    settings.country = Country::from_code("SDN");
    let composition = one("convoy.csv", CONVOY, &settings);
    let composed = composition
        .composed
        .clone()
        .unwrap_or_else(|| panic!("{:?}", codes(&composition)));
    assert_eq!(composed.subject, Subject::Movement);
    let properties = &composed.place.properties;
    assert_eq!(properties.waypoints.len(), 2);
    assert_eq!(properties.waypoints[0].slack_s, 900);
    let window = properties.window.expect("a window");
    assert_eq!(window.from, Some(datetime!(2026-05-03 05:45 UTC)));
    assert_eq!(window.until, Some(datetime!(2026-05-03 08:54:30 UTC)));
    let contact = composed.contact.expect("a contact");
    assert_eq!(contact.vehicles.len(), 2);
    assert_eq!(contact.vehicles[1].plate.as_deref(), Some("1-1235"));
    assert_eq!(contact.passengers, Some(8));
    assert!(
        composed
            .shown
            .iter()
            .any(|shown| shown.read.contains("030600ZMAY26"))
    );
}

#[test]
fn a_leg_that_nobody_can_drive_is_asked_about_at_its_row() {
    let text = CONVOY.replace("08:39:30Z", "06:20:00Z");
    let composition = one("convoy.csv", &text, &settings());
    let asked = composition
        .findings
        .iter()
        .find(|finding| finding.code == "leg-too-fast");
    assert_eq!(
        asked.map(|finding| finding.origin.row),
        Some(3),
        "{:?}",
        codes(&composition)
    );
}

#[test]
fn rows_of_one_movement_that_disagree_or_share_a_number_are_refused_by_name() {
    let disagree = CONVOY
        .replace("\n,2,", "\nM1,2,")
        .replace("15m,,,,", "15m,250,,,");
    let finding = read("c.csv", &disagree, &settings())
        .remove(0)
        .expect_err("refused");
    assert_eq!(
        (finding.code.as_str(), finding.origin.row),
        ("rows-disagree", 3)
    );
    let twice = CONVOY.replace("\n,2,", "\nM1,1,");
    let finding = read("c.csv", &twice, &settings())
        .remove(0)
        .expect_err("refused");
    assert_eq!(finding.code, "waypoint-number");
}

#[test]
fn a_lower_tier_gets_cells_that_cover_place_and_buffer_and_a_word_of_caution() {
    let text = "name,category,country,coordinates,parties\nTrauma Centre,hospital,AFG,\"36.71803, 68.86221\",east:exact; west:cell\n";
    let composition = one("s.csv", text, &settings());
    assert!(codes(&composition).contains(&"cell"));
    let composed = composition.composed.expect("composed");
    let west = composed
        .audience
        .iter()
        .find(|part| part.tier == Tier::Cell)
        .expect("west");
    assert!(
        west.cells.contains(&"42SVF86".to_owned()),
        "{:?}",
        west.cells
    );
    assert!(
        composed
            .audience
            .iter()
            .any(|part| part.tier == Tier::Exact && part.cells.is_empty())
    );
}

#[test]
fn what_is_missing_or_not_understood_is_named_with_what_to_write() {
    let text = "name,category,coordinates,buffer_m,parties,from,run_or_supported\n\
        ,hospital,\"36.71803, 68.86221\",,,,\n\
        B,,\"36.71803, 68.86221\",,,,\n\
        C,barracks,\"36.71803, 68.86221\",,,,\n\
        D,school,,,,,\n\
        E,school,\"36.71803, 68.86221\",a lot,,,\n\
        F,school,\"36.71803, 68.86221\",,everyone,,\n\
        G,school,\"36.71803, 68.86221\",,,2026-05-03 14:30,\n\
        H,school,\"36.71803, 68.86221\",99999,,,\n\
        I,school,\"36.71803, 68.86221\",,,,maybe\n";
    let expected = [
        "no-name",
        "no-category",
        "unknown-category",
        "no-position",
        "not-metres",
        "party",
        "",
        "",
        "unknown-word",
    ];
    let all = read("s.csv", text, &settings());
    assert_eq!(all.len(), expected.len());
    for (line, (result, code)) in (2..).zip(all.iter().zip(expected)) {
        let composition = result.as_ref().expect("a draft");
        assert!(
            code.is_empty() || codes(composition).contains(&code),
            "line {line}: {:?}",
            codes(composition)
        );
        assert!(
            composition.composed.is_none(),
            "line {line}: {:?}",
            codes(composition)
        );
        assert!(
            composition
                .findings
                .iter()
                .all(|finding| finding.origin.row == line)
        );
    }
    let asked = &all[2].as_ref().expect("a draft").findings[0].message;
    assert!(asked.contains("write \"other\""), "{asked}");
}

#[test]
fn a_mistyped_hospital_is_never_notified_as_something_else() {
    let text = "name,category,coordinates\nA,hosptial,\"36.71803, 68.86221\"\n";
    let composition = one("s.csv", text, &settings());
    assert!(composition.composed.is_none());
    let asked = &composition.findings[0];
    assert_eq!(asked.severity, Severity::Refused);
    assert!(
        asked.message.contains("did you mean hospital?"),
        "{}",
        asked.message
    );
}

#[test]
fn no_message_speaks_of_a_pointer_where_none_is_shown() {
    let text = "name,category,coordinates,buffer_m\nA,school,\"36.71803, 68.86221\",99999\n";
    let composition = one("s.csv", text, &settings());
    assert!(composition.composed.is_none());
    let refused = &composition.findings[0];
    assert!(
        refused.message.contains("Correct the buffer_m") && !refused.message.contains("pointer"),
        "{}",
        refused.message
    );
}

#[test]
fn nothing_that_is_shown_to_programs_carries_the_place_in_debug() {
    let composition = one(
        "s.csv",
        "name,category,coordinates\nKunduz,hospital,\"36.71803, 68.86221\"\n",
        &settings(),
    );
    let debug = format!("{composition:?}");
    assert!(
        !debug.contains("Kunduz") && !debug.contains("36.7"),
        "{debug}"
    );
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(128))]
    #[test]
    fn no_row_makes_composing_panic_or_disappear(cells in proptest::collection::vec("[0-9A-Za-z°'\". :;±+-]{0,24}", 8)) {
        let quoted: Vec<String> = cells.iter().map(|cell| format!("\"{}\"", cell.replace('"', "\"\""))).collect();
        let text = format!("name,category,coordinates,buffer_m,parties,from,until,country\nx{}\n", quoted.join(","));
        prop_assert_eq!(read("s.csv", &text, &settings()).len(), 1);
        let text = format!("movement,name,coordinates,at,depart,slack,half_width_m,people\nx{}\n", quoted.join(","));
        prop_assert_eq!(read("m.csv", &text, &settings()).len(), 1);
    }
}
