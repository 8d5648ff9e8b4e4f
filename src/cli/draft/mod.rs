//! A draft: what a person gave for one site or movement, with the place of every piece in file, sheet, row and column, so
//! that every message can name it. A draft becomes a [`compose::Composed`] notification, or findings.

pub mod compose;
pub mod confirm;
pub mod finding;
pub mod likely;
mod movement;
pub mod parties;
mod people;
mod read;
pub mod sign;
pub mod site;
#[cfg(test)]
mod tests;
pub mod words;

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use geojson::{Geometry, GeometryValue};

use self::finding::Finding;
use crate::cli::tabular::columns::{Field, Mapping};
use crate::cli::tabular::{Origin, Row, Table};
use crate::domain::notification::Subject;
use crate::domain::text::reference_key;

/// Rows of movements in one file; they are held in memory to be grouped.
pub const MAX_MOVEMENT_ROWS: usize = 100_000;

/// Cells and where they stand. `Debug` is sealed.
#[derive(Clone, PartialEq)]
pub struct Cells {
    /// The row.
    pub origin: Origin,
    /// What stands in it.
    pub values: BTreeMap<Field, String>,
}

impl Cells {
    /// The text of a field, if it is there.
    pub fn get(&self, field: Field) -> Option<&str> {
        self.values.get(&field).map(String::as_str)
    }
}

impl fmt::Debug for Cells {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Cells([sealed])")
    }
}

/// What a person gave for one site or movement.
#[derive(Clone)]
pub struct Draft {
    /// A site, or a movement.
    pub subject: Subject,
    /// What is said of the whole.
    pub cells: Cells,
    /// Its geometry, where it came as GeoJSON.
    pub geometry: Option<Geometry>,
    /// A movement's waypoints.
    pub stops: Vec<Cells>,
    /// Which column holds what.
    pub mapping: Arc<Mapping>,
}

impl fmt::Debug for Draft {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Draft([sealed])")
    }
}

impl Draft {
    /// A draft of one row that stands alone: a site, or a movement from GeoJSON.
    pub fn of_row(row: Row, mapping: &Arc<Mapping>) -> Self {
        let subject = if row.movement == Some(true) {
            Subject::Movement
        } else {
            Subject::Site
        };
        let stops = if subject == Subject::Movement {
            stops_of(&row)
        } else {
            Vec::new()
        };
        let cells = Cells {
            origin: row.origin,
            values: row.cells,
        };
        Self {
            subject,
            cells,
            geometry: row.geometry,
            stops,
            mapping: Arc::clone(mapping),
        }
    }

    /// Where a field stands in a row.
    pub fn at(&self, cells: &Cells, field: Field) -> Origin {
        cells.origin.column(self.mapping.column(field))
    }

    /// The organisation's own reference.
    pub fn reference(&self) -> Option<&str> {
        self.cells.get(Field::Reference)
    }
}

/// A GeoJSON movement's waypoints: one for each position of its line.
fn stops_of(row: &Row) -> Vec<Cells> {
    let positions: Vec<&geojson::Position> =
        match row.geometry.as_ref().map(|geometry| &geometry.value) {
            Some(GeometryValue::LineString { coordinates }) => coordinates.iter().collect(),
            Some(GeometryValue::Point { coordinates }) => vec![coordinates],
            _ => Vec::new(),
        };
    let mut stops = Vec::new();
    for (index, position) in positions.into_iter().enumerate() {
        let mut values = row.waypoints.get(index).cloned().unwrap_or_default();
        if let [lon, lat, ..] = position.as_slice() {
            values.insert(Field::Coordinates, format!("{lat}, {lon}"));
        }
        stops.push(Cells {
            origin: row.origin.clone(),
            values,
        });
    }
    stops
}

/// The drafts of a table, in order; bad rows between them. Sites are streamed; movements are grouped first.
pub fn drafts(table: Table) -> Box<dyn Iterator<Item = Result<Draft, Finding>> + Send> {
    let mapping = Arc::new(table.mapping.clone());
    if mapping.is_movement() {
        return Box::new(grouped(table, &mapping).into_iter());
    }
    Box::new(
        table
            .filter(|row| !row.as_ref().is_ok_and(Row::is_example))
            .map(move |row| {
                row.map(|row| Draft::of_row(row, &mapping))
                    .map_err(Finding::from)
            }),
    )
}

/// Groups waypoints by the movement's reference, in the order of first appearance.
fn grouped(table: Table, mapping: &Arc<Mapping>) -> Vec<Result<Draft, Finding>> {
    let mut order: Vec<String> = Vec::new();
    let mut groups: BTreeMap<String, Vec<Cells>> = BTreeMap::new();
    let mut bad: Vec<Result<Draft, Finding>> = Vec::new();
    let mut last = String::new();
    for (index, row) in table.enumerate() {
        let row = match row {
            Ok(row) if row.is_example() => continue,
            Ok(row) => row,
            Err(error) => {
                bad.push(Err(error.into()));
                continue;
            }
        };
        if index >= MAX_MOVEMENT_ROWS {
            let message = format!(
                "more than {MAX_MOVEMENT_ROWS} waypoints in one file; this row and all after it were not read. Split the file"
            );
            bad.push(Err(Finding::refused("too-many-rows", row.origin, message)));
            break;
        }
        // A merged cell in a spreadsheet leaves the rows below it empty: they belong to the movement above.
        let reference = row
            .cells
            .get(&Field::Reference)
            .or_else(|| row.cells.get(&Field::Name))
            // One convoy written in two ways is not cut into two halves: its rows meet, and are said to disagree.
            .map(|text| reference_key(text));
        let reference = reference.unwrap_or_else(|| last.clone());
        if reference.is_empty() {
            let message =
                "this waypoint belongs to no movement: give every row the movement's reference";
            bad.push(Err(Finding::refused("no-reference", row.origin, message)));
            continue;
        }
        if !groups.contains_key(&reference) {
            order.push(reference.clone());
        }
        last.clone_from(&reference);
        groups.entry(reference).or_default().push(Cells {
            origin: row.origin,
            values: row.cells,
        });
    }
    let movements = order
        .into_iter()
        .filter_map(|reference| groups.remove(&reference));
    bad.into_iter()
        .chain(movements.map(|stops| movement_of(stops, mapping)))
        .collect()
}

/// Whether a field is said of a waypoint, not of the whole movement.
const fn of_a_stop(field: Field) -> bool {
    matches!(
        field,
        Field::Order
            | Field::WaypointName
            | Field::At
            | Field::Depart
            | Field::Slack
            | Field::Coordinates
            | Field::Latitude
            | Field::Longitude
    )
}

fn movement_of(rows: Vec<Cells>, mapping: &Arc<Mapping>) -> Result<Draft, Finding> {
    let mut whole: Option<Cells> = None;
    let mut stops = Vec::with_capacity(rows.len());
    for row in rows {
        let (stop, said): (BTreeMap<_, _>, BTreeMap<_, _>) = row
            .values
            .into_iter()
            .partition(|(field, _)| of_a_stop(*field));
        let whole = whole.get_or_insert_with(|| Cells {
            origin: row.origin.clone(),
            values: BTreeMap::new(),
        });
        for (field, value) in said {
            match whole.values.get(&field) {
                Some(before) if *before != value => {
                    let at = row.origin.column(mapping.column(field));
                    let message = format!(
                        "this row says another {field} than an earlier row of the same movement; make them the same, or leave all but one empty"
                    );
                    return Err(Finding::refused("rows-disagree", at, message));
                }
                Some(_) => {}
                None => {
                    whole.values.insert(field, value);
                }
            }
        }
        stops.push(Cells {
            origin: row.origin,
            values: stop,
        });
    }
    let cells = whole.unwrap_or_else(|| Cells {
        origin: Origin::default(),
        values: BTreeMap::new(),
    });
    put_in_order(&mut stops, mapping)?;
    Ok(Draft {
        subject: Subject::Movement,
        cells,
        geometry: None,
        stops,
        mapping: Arc::clone(mapping),
    })
}

/// In the order of the column `waypoint`, where it is filled in.
fn put_in_order(stops: &mut Vec<Cells>, mapping: &Arc<Mapping>) -> Result<(), Finding> {
    if stops.iter().all(|stop| stop.get(Field::Order).is_none()) {
        return Ok(());
    }
    let mut numbered: BTreeMap<u32, Cells> = BTreeMap::new();
    for stop in stops.drain(..) {
        let at = stop.origin.column(mapping.column(Field::Order));
        let number = stop
            .get(Field::Order)
            .and_then(|text| text.trim_end_matches(".0").parse::<u32>().ok());
        let Some(number) = number else {
            let message = "the waypoint's number is missing or no whole number; number all waypoints of a movement 1, 2, 3, or none";
            return Err(Finding::refused("waypoint-number", at, message));
        };
        if numbered.insert(number, stop).is_some() {
            let message = format!(
                "two waypoints of this movement have the number {number}; number them 1, 2, 3"
            );
            return Err(Finding::refused("waypoint-number", at, message));
        }
    }
    stops.extend(numbered.into_values());
    Ok(())
}
