//! The files of a package, read again as their readers do.

use std::io::Cursor;

use calamine::{Reader as _, Xlsx, open_workbook_from_rs};
use quick_xml::events::Event;
use time::OffsetDateTime;

use super::package::{Object, Package, Seen};
use super::{html, kml, xlsx};
use crate::crypto::digest::Digest;
use crate::domain::check::ABSENCE_SENTENCE;
use crate::domain::ids::{LogPosition, Nid, Revision};
use crate::wire::parts::{Contact, Place};

fn object(pos: u64, seen: Seen) -> Object {
    let nid = Nid::random();
    Object {
        reference: nid.reference(),
        nid,
        rev: Revision::FIRST,
        of: Digest::of(&pos.to_be_bytes()),
        pos: LogPosition(pos),
        organisation: "msf".parse().expect("a slug"),
        duty: Some("+93700000000".to_owned()),
        flags: vec!["unscreened"],
        seen,
    }
}

/// A hospital with an unruly name, a convoy, a square, one that only a check finds, and one that ended.
fn package() -> Package {
    let place = |geometry: &str, more: &str| -> Box<Place> {
        let text = format!(
            r#"{{"type":"Feature","geometry":{geometry},"properties":{{"category":"hospital","name":"=cmd|'<script>' & \"x\"","relation":"run"{more}}}}}"#
        );
        serde_json::from_str(&text).expect("a place")
    };
    let contact: Contact = serde_json::from_value(serde_json::json!({
        "people": [{"name": "Cal Lee", "phone": "+93700000001"}],
    }))
    .expect("a contact");
    let hospital = place(r#"{"type":"Point","coordinates":[68.86221,36.71803]}"#, "");
    let convoy = place(
        r#"{"type":"LineString","coordinates":[[32.5599,15.5007],[33.5199,14.4012]]}"#,
        r#","waypoints":[{"at":"2027-05-03T06:00:00Z","slack_s":900},{"name":"Wad Madani"}]"#,
    );
    Package {
        id: "abc".to_owned(),
        party: "south".parse().expect("a slug"),
        coordinator: "OCHA".to_owned(),
        drill: true,
        made: OffsetDateTime::UNIX_EPOCH,
        call: Some("+93700000099".to_owned()),
        objects: vec![
            object(7, Seen::Exact(hospital, Some(Box::new(contact)))),
            object(8, Seen::Exact(convoy, None)),
            object(9, Seen::Cells(vec!["42SVF86".to_owned()])),
            object(11, Seen::OnCheck),
            object(10, Seen::Ended("taken back: no longer notified")),
        ],
    }
}

/// Every cell of the sheet of objects.
fn sheet(bytes: Vec<u8>) -> Vec<Vec<String>> {
    let mut book: Xlsx<_> = open_workbook_from_rs(Cursor::new(bytes)).expect("a spreadsheet");
    let first = book.worksheet_range("Read first").expect("a first sheet");
    let front: String = first.rows().flatten().map(ToString::to_string).collect();
    assert!(
        front.contains(ABSENCE_SENTENCE) && front.contains("serial 11"),
        "{front}"
    );
    let range = book.worksheet_range(xlsx::SHEET).expect("the objects");
    let rows = range.rows();
    rows.map(|row| row.iter().map(ToString::to_string).collect())
        .collect()
}

#[test]
fn the_spreadsheet_opens_and_holds_points_and_squares_as_text() {
    let package = package();
    let rows = sheet(xlsx::bytes(&package).expect("made"));
    assert!(rows[0][0].contains(ABSENCE_SENTENCE));
    // Two lines of front and names, a row a point, a square, and the one that ended.
    assert_eq!(rows.len(), 2 + 1 + 2 + 1 + 1);
    let cell = |row: usize, name: &str| {
        let column = rows[1].iter().position(|c| c == name).expect("a column");
        rows[row][column].clone()
    };
    assert_eq!(cell(2, "MGRS"), "42SVF8769463602");
    assert_eq!(cell(2, "Latitude"), "36.718030");
    assert!(cell(2, "Name").starts_with("=cmd|"), "text, not a formula");
    assert!(cell(2, "Contact").contains("+93700000001"));
    assert_eq!(
        cell(2, "Statement (SHA-256)"),
        package.objects[0].of.to_string()
    );
    assert_eq!(cell(3, "From"), "2027-05-03T05:45:00Z", "its slack counts");
    assert_eq!(cell(4, "Point"), "2 of 2: Wad Madani");
    assert_eq!(cell(5, "Square (10 km)"), "42SVF86");
    for withheld in ["MGRS", "Latitude", "Longitude", "Name", "What", "Contact"] {
        assert_eq!(cell(5, withheld), "", "a square says nothing more");
    }
    let hidden = package.objects[3].reference.to_string();
    assert!(!rows.iter().flatten().any(|cell| cell.contains(&hidden)));
}

#[test]
fn the_map_file_is_well_formed_and_draws_a_square_never_as_a_point() {
    let text = kml::document(&package());
    let mut reader = quick_xml::Reader::from_str(&text);
    let (mut points, mut lines, mut polygons, mut words) = (0, 0, 0, String::new());
    loop {
        match reader.read_event().expect("well-formed XML") {
            Event::Start(tag) => match tag.name().as_ref() {
                "Point" => points += 1,
                "LineString" => lines += 1,
                "Polygon" => polygons += 1,
                _ => {}
            },
            Event::Text(text) => words += &text,
            Event::Eof => break,
            _ => {}
        }
    }
    assert_eq!((points, lines, polygons), (1, 1, 1));
    assert!(words.contains("68.8622100,36.7180300"), "{words}");
    assert!(words.contains(ABSENCE_SENTENCE));
    assert!(!text.contains("<script>"));
}

#[test]
fn the_page_says_in_front_what_it_is_and_carries_no_markup_of_a_sender() {
    let page = html::page(&package());
    let front = page.find(ABSENCE_SENTENCE).expect("in front");
    assert!(front < page.find("42SVF8769463602").expect("a place"));
    assert!(page.contains("<title>EXERCISE Notified to south"));
    assert!(page.contains("1 of them say nothing here of where they are"));
    assert!(!page.contains("<script>") && page.contains("&lt;script&gt;"));
}

#[test]
fn no_word_of_a_package_reads_as_permission_or_protection() {
    let front = package()
        .front()
        .join(" ")
        .replace(ABSENCE_SENTENCE, "")
        .to_lowercase();
    for word in [
        "approved",
        "verified",
        "safe",
        "protected",
        "allowed",
        "clear",
    ] {
        assert!(!front.contains(word), "{word}");
    }
}
