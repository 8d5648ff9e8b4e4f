//! GeoJSON in (RFC 7946): one Feature or a collection; geometry as given, properties by the same names and synonyms as
//! columns, and by the names of the part `place`. A feature that is malformed is reported by its number and the others
//! are read.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use geojson::{Feature, Geometry};
use serde_json::{Map, Value};

use super::columns::{Column, Field, Mapping};
use super::{
    BadRow, MAX_CELL_CHARS, MAX_ROWS, Origin, Row, Table, TableError, read_whole, short_name,
};

/// Waypoints of one feature.
const MAX_WAYPOINTS: usize = 2_000;
/// Names of properties that nobody knows and that are listed.
const MAX_UNUSED: usize = 64;

/// Opens a GeoJSON file.
///
/// # Errors
/// When it is too large, not JSON in UTF-8, or no Feature or FeatureCollection in WGS84.
pub fn open(path: &Path) -> Result<Table, TableError> {
    read(&read_whole(path)?, &short_name(path))
}

/// Reads GeoJSON's bytes.
///
/// # Errors
/// As [`open`].
pub fn read(bytes: &[u8], name: &str) -> Result<Table, TableError> {
    let bytes = bytes.strip_prefix(&[0xEF, 0xBB, 0xBF]).unwrap_or(bytes);
    if std::str::from_utf8(bytes).is_err() {
        return Err(TableError::Encoding { line: 1, hint: "" });
    }
    let mut top: Map<String, Value> = serde_json::from_slice(bytes).map_err(malformed)?;
    if let Some(crs) = top.get("crs").filter(|crs| !crs.is_null()) {
        let text = crs.to_string();
        if !["CRS84", "4326"].iter().any(|known| text.contains(known)) {
            return Err(malformed(
                "its coordinates are in another system than WGS84 longitude and latitude; export it as EPSG:4326",
            ));
        }
    }
    let features = match top.get("type").and_then(Value::as_str) {
        Some("Feature") => vec![Value::Object(top)],
        Some("FeatureCollection") => match top.remove("features") {
            Some(Value::Array(features)) => features,
            _ => return Err(malformed("its member \"features\" is no array")),
        },
        Some(_) => {
            return Err(malformed(
                "it is a bare geometry; put it into a Feature with properties, at least name and category",
            ));
        }
        None => return Err(malformed("it has no member \"type\"")),
    };
    let limit = usize::try_from(MAX_ROWS).unwrap_or(usize::MAX);
    if features.len() > limit {
        return Err(malformed(format!(
            "it has {} features, more than {limit}",
            features.len()
        )));
    }
    let origin = Origin::file(name);
    let mapping = mapping(&features)?;
    let at = origin.clone();
    let rows = features
        .into_iter()
        .enumerate()
        .map(move |(index, feature)| {
            row(
                feature,
                &at.row(u64::try_from(index).unwrap_or(u64::MAX) + 1),
            )
        });
    Ok(Table::new(origin, mapping, rows))
}

fn malformed(reason: impl std::fmt::Display) -> TableError {
    TableError::Malformed {
        format: "GeoJSON",
        reason: reason.to_string(),
    }
}

/// The names of properties stand in for columns, so that the person hears of those that are not read.
fn mapping(features: &[Value]) -> Result<Mapping, TableError> {
    let properties = features
        .iter()
        .filter_map(|feature| feature.get("properties")?.as_object());
    let names: BTreeSet<&String> = properties.flat_map(Map::keys).collect();
    let unused: Vec<String> = names
        .into_iter()
        .filter(|name| !is_structure(name) && Field::of_name(name).is_none())
        .take(MAX_UNUSED)
        .cloned()
        .collect();
    let mut headers = vec![Field::Name.name().to_owned()];
    headers.extend(unused);
    Mapping::read(&headers, None, &[])
}

/// Members of the part `place` that are no simple cell.
fn is_structure(name: &str) -> bool {
    matches!(
        name,
        "window" | "window_typed" | "waypoints" | "typed" | "subject"
    )
}

fn row(feature: Value, origin: &Origin) -> Result<Row, BadRow> {
    let bad = |code, message: String| BadRow {
        origin: origin.clone(),
        code,
        message,
    };
    let feature: Feature = serde_json::from_value(feature).map_err(|error| {
        bad(
            "malformed-feature",
            format!("this is no GeoJSON Feature ({error}); see RFC 7946 section 3.2"),
        )
    })?;
    let geometry: Geometry = feature.geometry.ok_or_else(|| {
        bad(
            "no-geometry",
            "this feature has no geometry; give it one, longitude before latitude".into(),
        )
    })?;
    let mut row = Row::new(origin.clone(), BTreeMap::new());
    let properties = feature.properties.unwrap_or_default();
    for (name, value) in &properties {
        match (name.as_str(), value) {
            ("window", Value::Object(window)) => {
                put(
                    &mut row.cells,
                    origin,
                    "from",
                    window.get("from").unwrap_or(&Value::Null),
                )?;
                put(
                    &mut row.cells,
                    origin,
                    "until",
                    window.get("until").unwrap_or(&Value::Null),
                )?;
            }
            ("waypoints", Value::Array(waypoints)) => {
                row.movement = Some(true);
                row.waypoints = self::waypoints(waypoints, origin)?;
            }
            ("subject", Value::String(subject)) => row.movement = Some(subject == "movement"),
            (name, value) => put(&mut row.cells, origin, name, value)?,
        }
    }
    if let Some(id) = feature
        .id
        .filter(|_| !row.cells.contains_key(&Field::Reference))
    {
        let text = match id {
            geojson::feature::Id::String(text) => text,
            geojson::feature::Id::Number(number) => number.to_string(),
        };
        row.cells.insert(Field::Reference, text);
    }
    row.geometry = Some(geometry);
    Ok(row)
}

fn waypoints(values: &[Value], origin: &Origin) -> Result<Vec<BTreeMap<Field, String>>, BadRow> {
    let bad = |code, message: String| BadRow {
        origin: origin.clone(),
        code,
        message,
    };
    if values.len() > MAX_WAYPOINTS {
        return Err(bad(
            "too-many-waypoints",
            format!("this movement has more than {MAX_WAYPOINTS} waypoints; leave some out"),
        ));
    }
    let mut out = Vec::with_capacity(values.len());
    for (index, value) in values.iter().enumerate() {
        let Value::Object(members) = value else {
            return Err(bad(
                "malformed-waypoint",
                format!(
                    "waypoint {} is no object; give at, depart, slack_s, name",
                    index + 1
                ),
            ));
        };
        let mut cells = BTreeMap::new();
        for (name, value) in members {
            match (name.as_str(), value) {
                ("name", value) => put(&mut cells, origin, Field::WaypointName.name(), value)?,
                ("slack_s", Value::Number(seconds)) => {
                    cells.insert(Field::Slack, format!("{seconds}s"));
                }
                (name, value) => put(&mut cells, origin, name, value)?,
            }
        }
        out.push(cells);
    }
    Ok(out)
}

/// Puts a property into its cell. Unknown ones were listed already; a known one must be a simple value.
fn put(
    cells: &mut BTreeMap<Field, String>,
    origin: &Origin,
    name: &str,
    value: &Value,
) -> Result<(), BadRow> {
    let Some(field) = Field::of_name(name) else {
        return Ok(());
    };
    let index = Field::ALL
        .iter()
        .position(|known| *known == field)
        .unwrap_or(0);
    let column = Column {
        index,
        header: name.to_owned(),
    };
    let bad = |code, message: String| BadRow {
        origin: origin.column(Some(&column)),
        code,
        message,
    };
    let text = match value {
        Value::Null => return Ok(()),
        Value::String(text) => text.trim().to_owned(),
        Value::Number(number) => number.to_string(),
        Value::Bool(value) => if *value { "yes" } else { "no" }.to_owned(),
        Value::Array(_) | Value::Object(_) => {
            return Err(bad(
                "not-simple",
                "this property must be a text, a number, true or false".into(),
            ));
        }
    };
    if text.chars().nth(MAX_CELL_CHARS).is_some() {
        return Err(bad(
            "cell-too-long",
            format!("this property has more than {MAX_CELL_CHARS} characters; shorten it"),
        ));
    }
    if text.is_empty() {
        return Ok(());
    }
    match cells.insert(field, text) {
        Some(_) => Err(bad(
            "two-properties",
            format!("two properties of this feature mean {field}; leave one out"),
        )),
        None => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn rows(text: &str) -> Vec<Result<Row, BadRow>> {
        read(text.as_bytes(), "t.geojson")
            .expect("GeoJSON")
            .collect()
    }

    #[test]
    fn a_collection_reads_by_synonyms_and_by_the_names_of_a_place() {
        let text = r#"{"type":"FeatureCollection","features":[
            {"type":"Feature","id":7,"geometry":{"type":"Point","coordinates":[68.86221,36.71803]},
             "properties":{"Facility name":"Kunduz","amenity":"hospital","window":{"from":"2026-05-03T00:00:00Z"},"colour":"red"}}]}"#;
        let table = read(text.as_bytes(), "t.geojson").expect("GeoJSON");
        assert_eq!(table.mapping.unused().len(), 1);
        let row = table.last().expect("a row").expect("good");
        assert_eq!(
            row.cells.get(&Field::Name).map(String::as_str),
            Some("Kunduz")
        );
        assert_eq!(
            row.cells.get(&Field::Category).map(String::as_str),
            Some("hospital")
        );
        assert_eq!(
            row.cells.get(&Field::From).map(String::as_str),
            Some("2026-05-03T00:00:00Z")
        );
        assert_eq!(
            row.cells.get(&Field::Reference).map(String::as_str),
            Some("7")
        );
        assert!(row.geometry.is_some() && row.movement.is_none());
    }

    #[test]
    fn a_movement_brings_its_waypoints() {
        let text = r#"{"type":"Feature","geometry":{"type":"LineString","coordinates":[[32.5599,15.5007],[33.5199,14.4012]]},
            "properties":{"name":"Convoy","waypoints":[{"at":"2026-05-03T06:00:00Z","slack_s":900,"name":"Khartoum"},{}]}}"#;
        let row = rows(text).remove(0).expect("good");
        assert_eq!(row.movement, Some(true));
        assert_eq!(
            row.waypoints[0].get(&Field::Slack).map(String::as_str),
            Some("900s")
        );
        assert_eq!(
            row.waypoints[0]
                .get(&Field::WaypointName)
                .map(String::as_str),
            Some("Khartoum")
        );
    }

    #[test]
    fn one_malformed_feature_is_reported_by_number_and_the_others_are_read() {
        let text = r#"{"type":"FeatureCollection","features":[
            {"type":"Feature","geometry":{"type":"Point","coordinates":["x",1]},"properties":{}},
            {"type":"Feature","geometry":null,"properties":{"name":"B"}},
            {"type":"Feature","geometry":{"type":"Point","coordinates":[1,2]},"properties":{"name":{"en":"C"}}},
            {"type":"Feature","geometry":{"type":"Point","coordinates":[1,2]},"properties":{"name":"D","title":"E"}},
            {"type":"Feature","geometry":{"type":"Point","coordinates":[1,2]},"properties":{"name":"F"}}]}"#;
        let found: Vec<_> = rows(text)
            .iter()
            .map(|row| row.as_ref().map_or_else(|bad| bad.code, |_| "ok"))
            .collect();
        assert_eq!(
            found,
            [
                "malformed-feature",
                "no-geometry",
                "not-simple",
                "two-properties",
                "ok"
            ]
        );
    }

    #[test]
    fn another_coordinate_system_and_a_bare_geometry_are_refused_with_what_to_do() {
        let utm = r#"{"type":"FeatureCollection","crs":{"type":"name","properties":{"name":"EPSG:32637"}},"features":[]}"#;
        assert!(
            read(utm.as_bytes(), "t")
                .expect_err("refused")
                .to_string()
                .contains("EPSG:4326")
        );
        let bare = r#"{"type":"Point","coordinates":[1,2]}"#;
        assert!(
            read(bare.as_bytes(), "t")
                .expect_err("refused")
                .to_string()
                .contains("Feature")
        );
        assert!(read(b"[[[[", "t").is_err());
    }

    proptest! {
        #[test]
        fn no_text_makes_the_reader_panic(text in "[\\[\\]{}\":,a-z0-9 ]{0,200}", depth in 0_usize..5000) {
            if let Ok(table) = read(text.as_bytes(), "t") {
                prop_assert!(table.count() <= text.len());
            }
            let deep = format!("{{\"type\":\"Feature\",\"properties\":{}1{}}}", "[".repeat(depth), "]".repeat(depth));
            if let Ok(table) = read(deep.as_bytes(), "t") {
                prop_assert!(table.count() <= 1);
            }
        }
    }
}
