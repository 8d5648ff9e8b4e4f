//! Tables that people already have: CSV, XLSX and GeoJSON, read row by row into one shape. A bad row is reported with
//! its line and column and never takes the good ones with it; a bad file is refused with what to do. Everything is
//! bounded: bytes, rows, columns, characters of a cell.

pub mod columns;
pub mod csv;
pub mod geojson;
pub mod xlsx;

use std::collections::BTreeMap;
use std::fmt;
use std::path::Path;
use std::sync::Arc;

use self::columns::{Column, Field, Mapping};
use super::files::{self, Pipes};

/// Largest file in bytes (2 GiB): a CSV is streamed and costs no memory.
pub const MAX_FILE_BYTES: u64 = 2 << 30;
/// Largest file in bytes that is held in memory as a whole: XLSX and GeoJSON (128 MiB).
pub const MAX_WHOLE_FILE_BYTES: u64 = 128 << 20;
/// Rows of one file.
pub const MAX_ROWS: u64 = 1_000_000;
/// Columns of one file.
pub const MAX_COLUMNS: usize = 256;
/// Characters of one cell.
pub const MAX_CELL_CHARS: usize = 4_000;

/// Why a file cannot be read at all. The text names columns, never a row's content.
#[derive(Debug, thiserror::Error)]
pub enum TableError {
    /// The system refused.
    #[error("cannot read {path}: {source}")]
    Io {
        /// Which file.
        path: String,
        /// Why.
        source: std::io::Error,
    },
    /// Too large.
    #[error("{path} has {bytes} bytes, more than {limit}; split it, or save it as CSV")]
    TooLarge {
        /// Which file.
        path: String,
        /// Its size.
        bytes: u64,
        /// The bound.
        limit: u64,
    },
    /// The name's ending says nothing that we read.
    #[error(
        "{0} is none of .csv, .tsv, .txt, .xlsx, .geojson, .json (or .csv.gz); save it as one of these"
    )]
    UnknownFormat(String),
    /// Not UTF-8.
    #[error(
        "line {line} is not UTF-8 text{hint}; nothing was read, because letters of names would be lost. In Excel choose \"Save as\", \"CSV UTF-8 (comma delimited)\"; in LibreOffice choose the character set Unicode (UTF-8); or run: iconv -f WINDOWS-1252 -t UTF-8 FILE > NEW (WINDOWS-1256 for Arabic, WINDOWS-1251 for Cyrillic)"
    )]
    Encoding {
        /// The line.
        line: u64,
        /// What it looks like.
        hint: &'static str,
    },
    /// No header.
    #[error(
        "the file is empty; its first row must name the columns (herald template site writes one)"
    )]
    Empty,
    /// No column is known.
    #[error(
        "none of the columns is known (found: {found}); name them as herald template site does, give HXL tags in the second row, or say --map COLUMN=FIELD"
    )]
    NoKnownColumn {
        /// The headers.
        found: String,
    },
    /// Two columns mean the same.
    #[error(
        "the columns {first} and {second} both mean {field}; say which with --map COLUMN={field}, or rename one"
    )]
    TwoColumns {
        /// What they mean.
        field: Field,
        /// One.
        first: String,
        /// The other.
        second: String,
    },
    /// `--map` names a column that is not there.
    #[error("--map names the column \"{name}\", which the file does not have; it has: {known}")]
    NoSuchColumn {
        /// As given.
        name: String,
        /// The headers.
        known: String,
    },
    /// Not what its name says.
    #[error("the file does not read as {format}: {reason}; open it, check it, and save it again")]
    Malformed {
        /// What it should be.
        format: &'static str,
        /// Why not.
        reason: String,
    },
    /// No sheet that we know.
    #[error(
        "no sheet has a header that is known; the sheets are: {0}. Name one with --sheet, and its columns as herald template site does"
    )]
    NoSheet(String),
}

/// Where something stands in what the person gave. Shown to that person only.
#[derive(Clone, PartialEq, Eq, Default)]
pub struct Origin {
    /// The file's name, or `command line`.
    pub file: Arc<str>,
    /// The sheet.
    pub sheet: Option<Arc<str>>,
    /// The row or line, from 1; of GeoJSON the feature, from 1. 0 is none.
    pub row: u64,
    /// The column.
    pub column: Option<Arc<Column>>,
}

impl Origin {
    /// A file.
    pub fn file(name: &str) -> Self {
        Self {
            file: name.into(),
            ..Self::default()
        }
    }

    /// In this row.
    #[must_use]
    pub fn row(&self, row: u64) -> Self {
        Self {
            row,
            column: None,
            ..self.clone()
        }
    }

    /// In this column.
    #[must_use]
    pub fn column(&self, column: Option<&Column>) -> Self {
        Self {
            column: column.cloned().map(Arc::new),
            ..self.clone()
        }
    }
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.file)?;
        if let Some(sheet) = &self.sheet {
            write!(f, ", sheet {sheet}")?;
        }
        if self.row > 0 {
            write!(f, ", row {}", self.row)?;
        }
        match &self.column {
            Some(column) => write!(f, ", column {column}"),
            None => Ok(()),
        }
    }
}

impl fmt::Debug for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Origin(row {})", self.row)
    }
}

/// A row of a table, or a feature. `Debug` is sealed.
#[derive(Clone, PartialEq)]
pub struct Row {
    /// Where it stands.
    pub origin: Origin,
    /// What stands in its known columns; empty cells are left out.
    pub cells: BTreeMap<Field, String>,
    /// Its geometry, of GeoJSON.
    pub geometry: Option<::geojson::Geometry>,
    /// Its waypoints, of a GeoJSON movement.
    pub waypoints: Vec<BTreeMap<Field, String>>,
    /// Whether it is a movement, where the row itself says so.
    pub movement: Option<bool>,
}

impl fmt::Debug for Row {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Row({}, [sealed])", self.origin.row)
    }
}

impl Row {
    /// A row with cells only.
    pub fn new(origin: Origin, cells: BTreeMap<Field, String>) -> Self {
        Self {
            origin,
            cells,
            geometry: None,
            waypoints: Vec::new(),
            movement: None,
        }
    }

    /// The template's example, which is never notified.
    pub fn is_example(&self) -> bool {
        let reference = self
            .cells
            .get(&Field::Reference)
            .map(String::as_str)
            .unwrap_or_default();
        reference
            .get(..7)
            .is_some_and(|start| start.eq_ignore_ascii_case("example"))
    }
}

/// A row that cannot be read, and why. Shown to the person who gave it.
#[derive(Clone, PartialEq, Eq)]
pub struct BadRow {
    /// Where.
    pub origin: Origin,
    /// A stable code.
    pub code: &'static str,
    /// What is wrong and what to do.
    pub message: String,
}

impl fmt::Debug for BadRow {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "BadRow({:?}, {})", self.origin, self.code)
    }
}

/// How to read a file.
#[derive(Debug, Clone, Default)]
pub struct Options {
    /// What `--map` says.
    pub map: Vec<(String, Field)>,
    /// Which sheet; the first whose header is known otherwise.
    pub sheet: Option<String>,
}

/// A table that is being read.
pub struct Table {
    /// The file and sheet.
    pub origin: Origin,
    /// Which column holds what.
    pub mapping: Mapping,
    rows: Box<dyn Iterator<Item = Result<Row, BadRow>> + Send>,
    seen: u64,
    over: bool,
}

impl fmt::Debug for Table {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Table([sealed])")
    }
}

impl Table {
    fn new(
        origin: Origin,
        mapping: Mapping,
        rows: impl Iterator<Item = Result<Row, BadRow>> + Send + 'static,
    ) -> Self {
        Self {
            origin,
            mapping,
            rows: Box::new(rows),
            seen: 0,
            over: false,
        }
    }
}

impl Iterator for Table {
    type Item = Result<Row, BadRow>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.over {
            return None;
        }
        let row = self.rows.next()?;
        self.seen += 1;
        if self.seen <= MAX_ROWS {
            return Some(row);
        }
        self.over = true;
        let origin = match row {
            Ok(row) => row.origin,
            Err(bad) => bad.origin,
        };
        let message = format!(
            "this file has more than {MAX_ROWS} rows; this row and all after it were not read. Split the file"
        );
        Some(Err(BadRow {
            origin,
            code: "too-many-rows",
            message,
        }))
    }
}

/// A kind of file, by the ending of its name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FileKind {
    /// Comma, semicolon or tab between values; also compressed.
    Csv,
    /// A spreadsheet.
    Xlsx,
    /// GeoJSON.
    GeoJson,
}

impl FileKind {
    /// By the ending of the name; `-` is a CSV on standard input.
    pub fn of(path: &Path) -> Option<Self> {
        let name = path.file_name()?.to_str()?.to_lowercase();
        let name = name.strip_suffix(".gz").unwrap_or(&name);
        let ends = |ending: &str| name.ends_with(ending);
        if name == "-" || ends(".csv") || ends(".tsv") || ends(".txt") {
            Some(Self::Csv)
        } else if ends(".xlsx") {
            Some(Self::Xlsx)
        } else if ends(".geojson") || ends(".json") {
            Some(Self::GeoJson)
        } else {
            None
        }
    }
}

/// Opens a file by the ending of its name.
///
/// # Errors
/// When it cannot be read as a whole; single bad rows come with the rows.
pub fn open(path: &Path, options: &Options) -> Result<Table, TableError> {
    match FileKind::of(path) {
        Some(FileKind::Csv) => csv::open(path, options),
        Some(FileKind::Xlsx) => xlsx::open(path, options),
        Some(FileKind::GeoJson) => geojson::open(path),
        None => Err(TableError::UnknownFormat(path.display().to_string())),
    }
}

fn short_name(path: &Path) -> String {
    path.file_name().map_or_else(
        || path.display().to_string(),
        |name| name.to_string_lossy().into_owned(),
    )
}

fn read_whole(path: &Path) -> Result<Vec<u8>, TableError> {
    let io = |source| TableError::Io {
        path: path.display().to_string(),
        source,
    };
    let file = files::open(path, Pipes::Refused).map_err(io)?;
    let bytes = file.metadata().map_err(io)?.len();
    if bytes > MAX_WHOLE_FILE_BYTES {
        return Err(TableError::TooLarge {
            path: path.display().to_string(),
            bytes,
            limit: MAX_WHOLE_FILE_BYTES,
        });
    }
    drop(file);
    files::read(path, MAX_WHOLE_FILE_BYTES, Pipes::Refused).map_err(io)
}

/// Makes a row of texts: trims them, leaves out empty ones, refuses one that is too long.
fn row_of<'a>(
    origin: &Origin,
    mapping: &Mapping,
    cell: impl Fn(usize) -> Option<std::borrow::Cow<'a, str>>,
) -> Result<Option<Row>, BadRow> {
    let mut cells = BTreeMap::new();
    for (field, column) in mapping.fields() {
        let Some(text) = cell(column.index) else {
            continue;
        };
        let text = text.trim().replace("\r\n", "\n");
        if text.is_empty() {
            continue;
        }
        if text.chars().nth(MAX_CELL_CHARS).is_some() {
            return Err(BadRow {
                origin: origin.column(Some(column)),
                code: "cell-too-long",
                message: format!("this cell has more than {MAX_CELL_CHARS} characters; shorten it"),
            });
        }
        cells.insert(field, text);
    }
    let nothing = cells.keys().all(|field| *field == Field::Says);
    Ok((!nothing).then(|| Row::new(origin.clone(), cells)))
}
