//! Spreadsheets in: the sheet whose header we know, read cell by cell into the same rows as a CSV. And out again: a copy
//! of the sheet with what was found written beside the cell, so that the person who typed it mends it where it stands.

use std::borrow::Cow;
use std::collections::{BTreeMap, HashMap};
use std::io::{self, Cursor, Read as _, Write as _};
use std::path::Path;

use calamine::{DataRef, Reader as _, Xlsx};
use rust_xlsxwriter::{
    Color, Format, FormatBorder, Note, Workbook, Worksheet, XlsxError as WriteError,
};

use super::columns::{Field, Mapping, is_tag_row, letters};
use super::{
    BadRow, MAX_COLUMNS, Options, Origin, Row, Table, TableError, read_whole, row_of, short_name,
};
use crate::cli::files::create_private;

/// Rows of one sheet. A sheet is held in memory; more belongs into a CSV.
pub const MAX_SHEET_ROWS: u32 = 200_000;
/// Bytes that a workbook may unfold to (1 GiB): a spreadsheet is compressed, and a small one can hide a very large one.
const MAX_UNFOLDED_BYTES: u64 = 1 << 30;
/// Rows above the header that may hold a title.
const HEADER_WITHIN: u32 = 20;
/// Sheets that are looked through.
const MAX_SHEETS: usize = 64;

type Cells = BTreeMap<usize, String>;

/// A sheet as it was read: every row's cells as text, by row from 0.
struct Sheet {
    name: String,
    rows: BTreeMap<u32, Cells>,
    cut: bool,
}

/// The header of a sheet.
struct Head {
    row: u32,
    headers: Vec<String>,
    mapping: Mapping,
    tagged: bool,
}

/// Opens a spreadsheet.
///
/// # Errors
/// When it is too large, no spreadsheet, or none of its sheets has a header that is known.
pub fn open(path: &Path, options: &Options) -> Result<Table, TableError> {
    read(read_whole(path)?, &short_name(path), options)
}

/// Reads a spreadsheet's bytes.
///
/// # Errors
/// As [`open`].
pub fn read(bytes: Vec<u8>, name: &str, options: &Options) -> Result<Table, TableError> {
    let (sheet, head) = find(bytes, options)?;
    let origin = Origin {
        sheet: Some(sheet.name.as_str().into()),
        ..Origin::file(name)
    };
    let first = head.row + 1 + u32::from(head.tagged);
    let mapping = head.mapping.clone();
    let mut rows: Vec<Result<Row, BadRow>> = Vec::new();
    for (index, cells) in sheet.rows.range(first..) {
        let at = origin.row(u64::from(*index) + 1);
        let row = row_of(&at, &mapping, |column| {
            cells.get(&column).map(|text| Cow::Borrowed(text.as_str()))
        });
        rows.extend(row.transpose());
    }
    if sheet.cut {
        let message = format!(
            "this sheet has more than {MAX_SHEET_ROWS} rows; the rest was not read. Save it as CSV UTF-8"
        );
        let at = origin.row(u64::from(MAX_SHEET_ROWS) + 1);
        rows.push(Err(BadRow {
            origin: at,
            code: "too-many-rows",
            message,
        }));
    }
    Ok(Table::new(origin, mapping, rows.into_iter()))
}

fn find(bytes: Vec<u8>, options: &Options) -> Result<(Sheet, Head), TableError> {
    check_unfolded(&bytes)?;
    let mut workbook: Xlsx<_> = Xlsx::new(Cursor::new(bytes)).map_err(malformed)?;
    let names = workbook.sheet_names();
    let mut reason = None;
    for name in names.iter().take(MAX_SHEETS) {
        if options.sheet.as_ref().is_some_and(|wanted| wanted != name) {
            continue;
        }
        let sheet = read_sheet(&mut workbook, name)?;
        match head_of(&sheet, options) {
            Ok(head) => return Ok((sheet, head)),
            Err(error @ (TableError::TwoColumns { .. } | TableError::NoSuchColumn { .. })) => {
                reason = reason.or(Some(error));
            }
            Err(_) => {}
        }
    }
    Err(reason.unwrap_or_else(|| TableError::NoSheet(names.join(", "))))
}

fn malformed(error: impl std::fmt::Display) -> TableError {
    TableError::Malformed {
        format: "XLSX",
        reason: error.to_string(),
    }
}

/// Unfolds every part once, counting, before anything reads it for good.
fn check_unfolded(bytes: &[u8]) -> Result<(), TableError> {
    let mut archive = zip::ZipArchive::new(Cursor::new(bytes)).map_err(malformed)?;
    let mut left = MAX_UNFOLDED_BYTES;
    for index in 0..archive.len() {
        let part = archive.by_index(index).map_err(malformed)?;
        let unfolded = io::copy(&mut part.take(left + 1), &mut io::sink()).map_err(malformed)?;
        left = left
            .checked_sub(unfolded)
            .ok_or_else(|| malformed("it unfolds to more than 1 GiB"))?;
    }
    Ok(())
}

fn read_sheet(workbook: &mut Xlsx<Cursor<Vec<u8>>>, name: &str) -> Result<Sheet, TableError> {
    let mut sheet = Sheet {
        name: name.to_owned(),
        rows: BTreeMap::new(),
        cut: false,
    };
    let Ok(mut reader) = workbook.worksheet_cells_reader(name) else {
        // A chart or a macro sheet: it holds no table.
        return Ok(sheet);
    };
    while let Some(cell) = reader.next_cell().map_err(malformed)? {
        let (row, column) = cell.get_position();
        let column = usize::try_from(column).unwrap_or(usize::MAX);
        if row >= MAX_SHEET_ROWS {
            sheet.cut |= !matches!(cell.get_value(), DataRef::Empty);
            continue;
        }
        if column >= MAX_COLUMNS {
            continue;
        }
        if let Some(text) = text_of(cell.get_value()) {
            sheet.rows.entry(row).or_default().insert(column, text);
        }
    }
    Ok(sheet)
}

/// What a person sees in a cell, as near as it can be told. A date cell has no zone; none is made up.
fn text_of(value: &DataRef<'_>) -> Option<String> {
    match value {
        DataRef::Int(number) => Some(number.to_string()),
        DataRef::Float(number) => Some(number.to_string()),
        DataRef::SharedString(text) => Some((*text).to_owned()),
        DataRef::Bool(value) => Some(if *value { "yes" } else { "no" }.to_owned()),
        DataRef::DateTime(moment) => {
            let (year, month, day, hour, minute, second, _) = moment.to_ymd_hms_milli();
            Some(format!(
                "{year:04}-{month:02}-{day:02} {hour:02}:{minute:02}:{second:02}"
            ))
        }
        DataRef::String(text) | DataRef::DateTimeIso(text) | DataRef::DurationIso(text) => {
            Some(text.clone())
        }
        DataRef::Error(error) => Some(error.to_string()),
        DataRef::Empty => None,
    }
}

fn head_of(sheet: &Sheet, options: &Options) -> Result<Head, TableError> {
    let mut failure = TableError::Empty;
    for (row, cells) in sheet.rows.range(..HEADER_WITHIN) {
        let headers = texts(cells);
        let tags = sheet.rows.get(&(row + 1)).map(texts);
        let tags = tags.filter(|tags| is_tag_row(tags.iter().map(String::as_str)));
        // A title or an explanation above the header is one or two cells; a header names at least two things we know.
        match Mapping::read(&headers, tags.as_deref(), &options.map) {
            Ok(mapping) if mapping.fields().count() >= 2 => {
                return Ok(Head {
                    row: *row,
                    headers,
                    mapping,
                    tagged: tags.is_some(),
                });
            }
            Err(error @ (TableError::TwoColumns { .. } | TableError::NoSuchColumn { .. })) => {
                failure = error;
            }
            Ok(_) | Err(_) => {}
        }
    }
    Err(failure)
}

fn texts(cells: &Cells) -> Vec<String> {
    let width = cells.keys().next_back().map_or(0, |last| last + 1);
    (0..width)
        .map(|index| cells.get(&index).cloned().unwrap_or_default())
        .collect()
}

/// One thing to write beside a cell.
#[derive(Clone)]
pub struct Remark {
    /// The row, from 1.
    pub row: u64,
    /// The column, from 0; none for the whole row.
    pub column: Option<usize>,
    /// What is said.
    pub text: String,
    /// Whether the row is refused, or only asked about.
    pub refused: bool,
}

/// Why a copy could not be written.
#[derive(Debug, thiserror::Error)]
pub enum CheckedError {
    /// The original does not read any more.
    #[error(transparent)]
    Read(#[from] TableError),
    /// The copy cannot be written.
    #[error("the checked copy cannot be written: {0}")]
    Write(#[from] WriteError),
    /// The copy cannot be put in its place.
    #[error("the checked copy {path} cannot be written: {source}")]
    Name {
        /// Where.
        path: String,
        /// Why.
        source: std::io::Error,
    },
}

/// Writes a copy of the sheet with the remarks: the cell coloured, a note on it, and a last column "herald says".
/// Texts and numbers are copied; the look of the original is not.
///
/// # Errors
/// [`CheckedError`].
pub fn write_checked(
    original: &Path,
    options: &Options,
    remarks: &[Remark],
    copy: &Path,
) -> Result<(), CheckedError> {
    let (sheet, head) = find(read_whole(original)?, options)?;
    let mut workbook = Workbook::new();
    let page = workbook.add_worksheet();
    page.set_name(&sheet.name)?;
    let looks = Looks::new();
    let says = head
        .mapping
        .column(Field::Says)
        .map_or(head.headers.len(), |column| column.index);
    let mut by_row: HashMap<u64, Vec<&Remark>> = HashMap::new();
    for remark in remarks {
        by_row.entry(remark.row).or_default().push(remark);
    }
    for (row, cells) in &sheet.rows {
        let found = by_row
            .get(&(u64::from(*row) + 1))
            .map(Vec::as_slice)
            .unwrap_or_default();
        for (column, text) in cells.iter().filter(|(column, _)| **column != says) {
            let at = found.iter().find(|remark| remark.column == Some(*column));
            let look = match at {
                Some(remark) if remark.refused => &looks.refused,
                Some(_) => &looks.asked,
                None if *row == head.row => &looks.header,
                None => &looks.plain,
            };
            page.write_string_with_format(*row, narrow(*column), text, look)?;
        }
        if *row == head.row {
            page.write_string_with_format(*row, narrow(says), Field::Says.name(), &looks.header)?;
        }
        write_remarks(page, *row, says, found, cells, &looks)?;
    }
    page.set_column_width(narrow(says), 80)?;
    page.set_freeze_panes(head.row + 1 + u32::from(head.tagged), 0)?;
    let bytes = workbook.save_to_buffer()?;
    create_private(copy)
        .and_then(|mut file| file.write_all(&bytes))
        .map_err(|source| CheckedError::Name {
            path: copy.display().to_string(),
            source,
        })
}

struct Looks {
    header: Format,
    plain: Format,
    refused: Format,
    asked: Format,
}

impl Looks {
    fn new() -> Self {
        let plain = Format::new().set_num_format("@");
        let coloured = |colour: u32| {
            plain
                .clone()
                .set_background_color(Color::RGB(colour))
                .set_border(FormatBorder::Thin)
        };
        Self {
            header: Format::new().set_bold().set_text_wrap(),
            refused: coloured(0x00F8_C9C4),
            asked: coloured(0x00FF_E9A8),
            plain,
        }
    }
}

fn write_remarks(
    page: &mut Worksheet,
    row: u32,
    says: usize,
    found: &[&Remark],
    cells: &Cells,
    looks: &Looks,
) -> Result<(), WriteError> {
    if found.is_empty() {
        return Ok(());
    }
    let mut notes: BTreeMap<usize, Vec<&str>> = BTreeMap::new();
    let mut lines = Vec::new();
    for remark in found {
        let place = remark
            .column
            .map(|column| format!("{}: ", letters(column)))
            .unwrap_or_default();
        lines.push(format!("{place}{}", remark.text));
        if let Some(column) = remark.column {
            notes.entry(column).or_default().push(&remark.text);
        }
    }
    for (column, texts) in notes {
        if !cells.contains_key(&column) {
            let refused = found
                .iter()
                .any(|remark| remark.column == Some(column) && remark.refused);
            page.write_blank(
                row,
                narrow(column),
                if refused {
                    &looks.refused
                } else {
                    &looks.asked
                },
            )?;
        }
        let text: String = texts.join("\n").chars().take(2_000).collect();
        page.insert_note(
            row,
            narrow(column),
            &Note::new(text)
                .set_author("herald")
                .set_width(400)
                .set_height(160),
        )?;
    }
    let refused = found.iter().any(|remark| remark.refused);
    let text: String = lines.join("\n").chars().take(30_000).collect();
    let look = if refused {
        &looks.refused
    } else {
        &looks.asked
    };
    page.write_string_with_format(row, narrow(says), text, &look.clone().set_text_wrap())?;
    Ok(())
}

fn narrow(column: usize) -> u16 {
    u16::try_from(column).unwrap_or(u16::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn workbook(rows: &[&[&str]]) -> Vec<u8> {
        let mut workbook = Workbook::new();
        workbook
            .add_worksheet()
            .set_name("Read me")
            .expect("named")
            .write_string(0, 0, "How to fill this in")
            .expect("written");
        let page = workbook.add_worksheet().set_name("Sites").expect("named");
        for (row, cells) in rows.iter().enumerate() {
            for (column, cell) in cells.iter().enumerate() {
                page.write_string(u32::try_from(row).expect("small"), narrow(column), *cell)
                    .expect("written");
            }
        }
        workbook.save_to_buffer().expect("saved")
    }

    #[test]
    fn the_sheet_with_a_known_header_is_found_below_a_title() {
        let bytes = workbook(&[
            &["Our sites"],
            &[],
            &["Site name", "Lat", "Lon"],
            &["#loc+name", "#geo+lat", "#geo+lon"],
            &["Abs", "16.0034", "43.19697"],
        ]);
        let table = read(bytes, "t.xlsx", &Options::default()).expect("a table");
        let rows: Vec<_> = table.map(|row| row.expect("a row")).collect();
        assert_eq!(rows.len(), 1);
        assert_eq!(rows[0].origin.to_string(), "t.xlsx, sheet Sites, row 5");
        assert_eq!(
            rows[0].cells.get(&Field::Latitude).map(String::as_str),
            Some("16.0034")
        );
    }

    #[test]
    fn numbers_keep_their_digits_and_a_date_gets_no_zone() {
        let mut book = Workbook::new();
        let page = book.add_worksheet();
        for (column, name) in ["name", "lat", "lon", "from"].iter().enumerate() {
            page.write_string(0, narrow(column), *name)
                .expect("written");
        }
        page.write_string(1, 0, "Kunduz").expect("written");
        page.write_number(1, 1, 36.43491).expect("written");
        page.write_number(1, 2, 68.514_396).expect("written");
        let date = Format::new().set_num_format("yyyy-mm-dd hh:mm");
        page.write_number_with_format(1, 3, 46_145.604_166_666_67, &date)
            .expect("written");
        let table = read(
            book.save_to_buffer().expect("saved"),
            "t.xlsx",
            &Options::default(),
        )
        .expect("a table");
        let row = table.last().expect("one row").expect("good");
        assert_eq!(
            row.cells.get(&Field::Latitude).map(String::as_str),
            Some("36.43491")
        );
        assert_eq!(
            row.cells.get(&Field::Longitude).map(String::as_str),
            Some("68.514396")
        );
        assert_eq!(
            row.cells.get(&Field::From).map(String::as_str),
            Some("2026-05-03 14:30:00")
        );
    }

    #[test]
    fn remarks_stand_on_the_cell_and_beside_the_row_and_a_second_run_replaces_them() {
        let dir = tempfile::tempdir().expect("a directory");
        let (original, copy, again) = (
            dir.path().join("s.xlsx"),
            dir.path().join("s.checked.xlsx"),
            dir.path().join("t.xlsx"),
        );
        std::fs::write(
            &original,
            workbook(&[
                &["name", "lat", "lon"],
                &["Kunduz", "36.43491", "68.514396"],
            ]),
        )
        .expect("written");
        let remark = |text: &str| Remark {
            row: 2,
            column: Some(1),
            text: text.into(),
            refused: false,
        };
        write_checked(
            &original,
            &Options::default(),
            &[remark("did you mean")],
            &copy,
        )
        .expect("written");
        let says = |path: &Path| {
            let table = open(path, &Options::default()).expect("a table");
            table
                .last()
                .expect("one row")
                .expect("good")
                .cells
                .get(&Field::Says)
                .cloned()
        };
        assert_eq!(says(&copy).as_deref(), Some("B: did you mean"));
        let mut book: Xlsx<_> =
            Xlsx::new(Cursor::new(std::fs::read(&copy).expect("read"))).expect("a workbook");
        assert_eq!(
            book.worksheet_range("Sites")
                .expect("a sheet")
                .get_value((1, 1))
                .map(ToString::to_string)
                .as_deref(),
            Some("36.43491")
        );
        write_checked(&copy, &Options::default(), &[remark("another")], &again).expect("written");
        assert_eq!(says(&again).as_deref(), Some("B: another"));
    }

    #[test]
    fn a_small_file_that_unfolds_without_end_is_refused() {
        use std::io::Write as _;
        let mut archive = zip::ZipWriter::new(Cursor::new(Vec::new()));
        let options = zip::write::SimpleFileOptions::default();
        for part in 0..2 {
            archive
                .start_file(format!("xl/part{part}.xml"), options)
                .expect("started");
            for _ in 0..520 {
                archive.write_all(&vec![b' '; 1 << 20]).expect("written");
            }
        }
        let bytes = archive.finish().expect("finished").into_inner();
        assert!(bytes.len() < 8 << 20);
        let error = read(bytes, "bomb.xlsx", &Options::default()).expect_err("refused");
        assert!(error.to_string().contains("1 GiB"));
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]
        #[test]
        fn no_bytes_make_the_reader_panic(bytes in proptest::collection::vec(any::<u8>(), 0..500), at in 0_usize..4000) {
            prop_assert!(read(bytes.clone(), "x.xlsx", &Options::default()).is_err());
            let mut good = workbook(&[&["name", "lat", "lon"], &["A", "1", "2"]]);
            let at = at % good.len();
            good.splice(at..(at + bytes.len()).min(good.len()), bytes);
            if let Ok(table) = read(good, "x.xlsx", &Options::default()) {
                prop_assert!(table.count() < 1000);
            }
        }
    }
}
