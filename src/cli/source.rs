//! From which row of which file a notification came, so that what is returned can be found again: `sites.xlsx, Sheet1!D14`.
//! It stays in the profile, beside the outbox, and holds the names of files and columns and nothing of what stood in them.

use std::collections::{BTreeMap, HashMap};
use std::fs::{File, OpenOptions};
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;

use serde::{Deserialize, Serialize};

use super::draft::Draft;
use super::error::CliError;
use super::profile::{self, Profile};
use super::tabular::columns::{Field, letters};
use crate::domain::ids::{Nid, Revision};
use crate::wire::fields;

/// The file in the profile.
const FILE: &str = "sources.jsonl";
/// Bytes of a line.
const MAX_LINE: u64 = 16 << 10;

/// Where a revision came from.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Source {
    /// The notification.
    pub nid: Nid,
    /// The revision.
    pub rev: Revision,
    /// The file's name.
    pub file: String,
    /// The sheet, of a workbook.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sheet: Option<String>,
    /// The row, from 1; of GeoJSON the feature.
    pub row: u64,
    /// The columns that held something, by field.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub columns: BTreeMap<String, String>,
    /// The rows of a movement's waypoints.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub stops: Vec<u64>,
}

impl Source {
    /// Of a draft that came from a file; none for one that was typed.
    pub fn of(draft: &Draft, nid: Nid, rev: Revision) -> Option<Self> {
        let origin = &draft.cells.origin;
        if origin.row == 0 {
            return None;
        }
        let columns = Field::ALL.iter().filter_map(|field| {
            let column = draft.mapping.column(*field)?;
            Some((field.name().to_owned(), letters(column.index)))
        });
        Some(Self {
            nid,
            rev,
            file: origin.file.to_string(),
            sheet: origin.sheet.as_ref().map(ToString::to_string),
            row: origin.row,
            columns: columns.collect(),
            stops: draft.stops.iter().map(|stop| stop.origin.row).collect(),
        })
    }

    /// The cell, or cells, that hold what a pointer into the place means; the row where it is no one column.
    pub fn cell(&self, pointer: Option<&str>) -> String {
        let row = self.row_of(pointer);
        let columns: Vec<String> = pointer
            .into_iter()
            .flat_map(columns_of)
            .filter_map(|field| self.columns.get(field.name()))
            .map(|letters| format!("{letters}{row}"))
            .collect();
        let place = match (columns.as_slice(), self.columns.is_empty()) {
            ([], true) => format!("feature {row}"),
            ([], false) => match &self.sheet {
                Some(sheet) => format!("{sheet}, row {row}"),
                None => format!("row {row}"),
            },
            (cells, _) => {
                let cells = cells.join(" and ");
                match &self.sheet {
                    Some(sheet) => format!("{sheet}!{cells}"),
                    None => cells,
                }
            }
        };
        format!("{}, {place}", self.file)
    }

    /// The row of the waypoint that a pointer names, or the first.
    fn row_of(&self, pointer: Option<&str>) -> u64 {
        let nth = pointer
            .and_then(|p| p.strip_prefix("/properties/waypoints/"))
            .or_else(|| pointer.and_then(|p| p.strip_prefix("/geometry/coordinates/")))
            .and_then(|rest| rest.split('/').next()?.parse::<usize>().ok());
        nth.and_then(|nth| self.stops.get(nth))
            .copied()
            .unwrap_or(self.row)
    }
}

/// The columns that a pointer may have come from, those in one cell first.
fn columns_of(pointer: &str) -> Vec<Field> {
    let member = pointer.rsplit('/').next().unwrap_or_default();
    if pointer.starts_with("/geometry") {
        return vec![Field::Coordinates, Field::Latitude, Field::Longitude];
    }
    let field = match fields::word(pointer) {
        "name" => Field::Name,
        "name_local" => Field::NameLocal,
        "category" => Field::Category,
        "relation" => Field::Relation,
        "buffer" => Field::Buffer,
        "from" => Field::From,
        "until" => Field::Until,
        "window" | "window_as_typed" => return vec![Field::From, Field::Until],
        "pcode" => Field::Pcode,
        "country" => Field::Country,
        "marking" => Field::Marking,
        "infrared" => Field::Infrared,
        "accuracy" => Field::Accuracy,
        "source" => Field::Source,
        "reference" => Field::Reference,
        "note" => Field::Note,
        "as_typed" => Field::Coordinates,
        _ if member == "name" => Field::Name,
        _ => return Vec::new(),
    };
    vec![field]
}

/// Files where revisions came from.
///
/// # Errors
/// When it cannot be written.
pub fn keep(profile: &Profile, sources: &[Source]) -> Result<(), CliError> {
    if sources.is_empty() {
        return Ok(());
    }
    let path = profile.path(FILE);
    let mut lines = Vec::new();
    for source in sources {
        // Names and numbers always have a JSON form.
        if let Ok(line) = serde_json::to_vec(source) {
            lines.extend_from_slice(&line);
            lines.push(b'\n');
        }
    }
    let file = OpenOptions::new()
        .append(true)
        .create(true)
        .mode(0o600)
        .open(&path);
    let written = file.and_then(|mut file| file.write_all(&lines));
    Ok(written.map_err(profile::io_error(&path, "written"))?)
}

/// Where these revisions came from, as far as it was filed here; a line that does not read is passed over, for it only
/// helps to find something.
pub fn of(profile: &Profile, wanted: impl Fn(Nid) -> bool) -> HashMap<(Nid, Revision), Source> {
    let mut found = HashMap::new();
    let Ok(file) = File::open(profile.path(FILE)) else {
        return found;
    };
    let (mut reader, mut line) = (BufReader::new(file), Vec::new());
    loop {
        line.clear();
        let read = reader.by_ref().take(MAX_LINE).read_until(b'\n', &mut line);
        if !read.is_ok_and(|read| read > 0) {
            return found;
        }
        if let Ok(source) = serde_json::from_slice::<Source>(&line)
            && wanted(source.nid)
        {
            found.insert((source.nid, source.rev), source);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn source() -> Source {
        let columns = [("coordinates", "D"), ("name", "B"), ("latitude", "E")];
        Source {
            nid: Nid::random(),
            rev: Revision::FIRST,
            file: "sites.xlsx".to_owned(),
            sheet: Some("Sheet1".to_owned()),
            row: 14,
            columns: columns
                .iter()
                .map(|(field, letters)| ((*field).to_owned(), (*letters).to_owned()))
                .collect(),
            stops: vec![14, 15, 16],
        }
    }

    #[test]
    fn a_reason_is_led_back_to_the_cell_that_it_is_about() {
        let both = source();
        assert_eq!(
            both.cell(Some("/properties/name")),
            "sites.xlsx, Sheet1!B14"
        );
        assert_eq!(
            both.cell(Some("/geometry")),
            "sites.xlsx, Sheet1!D14 and E14"
        );
        assert_eq!(
            both.cell(Some("/properties/marking")),
            "sites.xlsx, Sheet1, row 14"
        );
        assert_eq!(both.cell(None), "sites.xlsx, Sheet1, row 14");
        assert_eq!(
            both.cell(Some("/properties/waypoints/2/name")),
            "sites.xlsx, Sheet1!B16"
        );
        let csv = Source {
            sheet: None,
            ..source()
        };
        assert_eq!(csv.cell(Some("/properties/name")), "sites.xlsx, B14");
        let feature = Source {
            sheet: None,
            columns: BTreeMap::new(),
            file: "sites.geojson".to_owned(),
            ..source()
        };
        assert_eq!(feature.cell(Some("/geometry")), "sites.geojson, feature 14");
    }
}
