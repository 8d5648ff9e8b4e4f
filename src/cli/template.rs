//! The command `template`: a form to fill in, with lists to choose from, a page of help, and one example row that is
//! never notified.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use clap::ValueEnum;
use rust_xlsxwriter::{
    DataValidation, DataValidationErrorStyle, Format, Formula, Workbook, Worksheet, XlsxError,
};
use serde_json::json;

use super::Context;
use super::error::CliError;
use super::exit::Exit;
use super::tabular::columns::Field;
use crate::domain::category::Category;
use crate::domain::notification::Subject;

const EXAMPLES: &str = "\
Examples:
  herald template site
  herald template movement --out convoys.xlsx
  herald template site --format csv --out -

Fill in the rows, then: herald lint FILE, and herald notify FILE. The row that begins with EXAMPLE is never notified.";

/// Rows that the lists to choose from reach down to.
const LISTED_ROWS: u32 = 5_000;
const LISTS: &str = "Lists";

/// Which form.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Form {
    /// Places that stay: one row a site
    Site,
    /// Convoys: one row a waypoint
    Movement,
}

/// As what file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum FileFormat {
    /// A spreadsheet, with lists to choose from and a page of help
    Xlsx,
    /// Text with commas, UTF-8
    Csv,
}

/// Arguments.
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub struct Args {
    /// Sites, or movements
    #[arg(value_enum)]
    pub form: Form,
    /// Spreadsheet or CSV
    #[arg(long, value_enum, default_value = "xlsx")]
    pub format: FileFormat,
    /// The file to write [default: herald-site.xlsx or herald-movement.xlsx here]; - for standard output (CSV only)
    #[arg(long, value_name = "FILE")]
    pub out: Option<PathBuf>,
}

/// Runs it.
///
/// # Errors
/// When the file is there already or cannot be written.
#[expect(clippy::unused_async, reason = "every command has the same shape")]
pub async fn run(args: Args, context: &Context) -> Result<Exit, CliError> {
    let subject = match args.form {
        Form::Site => Subject::Site,
        Form::Movement => Subject::Movement,
    };
    let ending = match args.format {
        FileFormat::Xlsx => "xlsx",
        FileFormat::Csv => "csv",
    };
    let path = args
        .out
        .unwrap_or_else(|| format!("herald-{subject}.{ending}").into());
    let bytes = match args.format {
        FileFormat::Csv => csv(subject).into_bytes(),
        FileFormat::Xlsx => xlsx(subject).map_err(|error| {
            CliError::failed(
                format!("the spreadsheet cannot be made: {error}"),
                "Use --format csv.",
            )
        })?,
    };
    if path == Path::new("-") {
        let text = String::from_utf8(bytes).map_err(|_| {
            CliError::Usage(
                "a spreadsheet cannot go to standard output; give --format csv or another --out"
                    .into(),
            )
        })?;
        context.out.raw(text);
        return Ok(Exit::Ok);
    }
    write_new(&path, &bytes)?;
    context.out.emit(&json!({"written": path}), || {
        format!(
            "Wrote {}. Fill it in, then: herald lint {0}",
            path.display()
        )
    });
    Ok(Exit::Ok)
}

/// Writes a file that is not there yet: a filled-in form is not overwritten by an empty one.
fn write_new(path: &Path, bytes: &[u8]) -> Result<(), CliError> {
    let file = std::fs::OpenOptions::new()
        .write(true)
        .create_new(true)
        .open(path);
    file.and_then(|mut file| std::io::Write::write_all(&mut file, bytes))
        .map_err(|error| {
            let why = match error.kind() {
                std::io::ErrorKind::AlreadyExists => {
                    "it is there already and may be filled in".to_owned()
                }
                _ => error.to_string(),
            };
            CliError::failed(
                format!("{} is not written: {why}", path.display()),
                "Give another name with --out.",
            )
        })
}

/// A column of a form: its field, what to write, and the example.
type Line = (Field, &'static str, &'static str);

/// The columns of a form, in order.
pub const fn lines(subject: Subject) -> &'static [Line] {
    match subject {
        Subject::Site => SITE,
        Subject::Movement => MOVEMENT,
    }
}

const COORDINATES: &str = "Latitude and longitude, or MGRS, as you have them: 36.71803, 68.86221 or 36°43'4.91\"N 68°51'43.96\"E or 42S VF 87694 63602. Keep the marks ° ' \" and the letters N S E W";
const TIME: &str = "With its zone: 2026-05-03 14:30Z, 2026-05-03T19:00+04:30, 2026-05-03 19:00 Asia/Kabul, or 031430ZMAY26";
const PARTIES: &str = "Who is notified, and what each may see (exact, on_check, cell): east:exact; west:cell. Empty: as given on the command line";

const SITE: &[Line] = &[
    (
        Field::Reference,
        "Your own reference. The site is known again by it: a changed row becomes the next revision of the same notification",
        "EXAMPLE-1",
    ),
    (
        Field::Name,
        "Required. What people there call it, Latin script",
        "Trauma Centre, Kunduz",
    ),
    (
        Field::NameLocal,
        "Its name in the local script",
        "مرکز تروما",
    ),
    (
        Field::Category,
        "Required. Choose from the list",
        "hospital",
    ),
    (Field::Relation, "Whether you run it or support it", "run"),
    (
        Field::Coordinates,
        COORDINATES,
        "36°43'4.91\"N 68°51'43.96\"E",
    ),
    (
        Field::Buffer,
        "Requested buffer in metres around it; empty: the context's default",
        "500",
    ),
    (Field::From, TIME, "2026-05-03 00:00Z"),
    (Field::Until, "As from; empty: until you close it", ""),
    (
        Field::Country,
        "Three letters (ISO 3166): the place is held against it",
        "AFG",
    ),
    (
        Field::Pcode,
        "OCHA P-code of the smallest area you know",
        "AF1801",
    ),
    (
        Field::Marking,
        "Flags, logos, roof markings",
        "Red logo on roof, 6 m",
    ),
    (
        Field::Infrared,
        "Whether the marking shows in infrared",
        "unknown",
    ),
    (
        Field::Accuracy,
        "How accurate the coordinates are, in metres",
        "5",
    ),
    (
        Field::Source,
        "Where the coordinates come from. A gazetteer's point of a town is often more than a kilometre off",
        "gnss",
    ),
    (Field::Parties, PARTIES, "east:exact; west:cell"),
    (
        Field::Onward,
        "Whether parties may pass it on to their partners",
        "no",
    ),
    (
        Field::ContactName,
        "Who can be called, day and night. The server cannot read contacts",
        "Duty officer",
    ),
    (
        Field::ContactPost,
        "That person's post",
        "Field coordinator",
    ),
    (
        Field::ContactPhone,
        "With + and country code",
        "+93 700 000 000",
    ),
    (Field::Note, "Anything else", ""),
];

const MOVEMENT: &[Line] = &[
    (
        Field::Reference,
        "Required. The same in every row of one movement",
        "EXAMPLE-1",
    ),
    (
        Field::Name,
        "What you call the movement",
        "Food convoy to Wad Madani",
    ),
    (
        Field::Order,
        "Number the waypoints of a movement 1, 2, 3",
        "1",
    ),
    (
        Field::WaypointName,
        "What the place is called",
        "Khartoum, depot",
    ),
    (Field::Coordinates, COORDINATES, "15.5007, 32.5599"),
    (
        Field::At,
        "Arrival, or the time of passing. With its zone: 2026-05-03 06:00Z, 2026-05-03 08:00 Africa/Khartoum, or 030600ZMAY26",
        "2026-05-03 06:00Z",
    ),
    (Field::Depart, "Departure, where it stays", ""),
    (
        Field::Slack,
        "How much earlier or later it may be: 15m, 1h",
        "15m",
    ),
    (
        Field::HalfWidth,
        "Half the width of the corridor, in metres",
        "100",
    ),
    (
        Field::Buffer,
        "Requested buffer in metres on both sides; empty: the context's default",
        "500",
    ),
    (
        Field::Country,
        "Three letters (ISO 3166): the route is held against it",
        "SDN",
    ),
    (Field::Parties, PARTIES, "east:exact"),
    (
        Field::Onward,
        "Whether parties may pass it on to their partners",
        "no",
    ),
    (
        Field::Emergency,
        "Notified as an emergency, with less lead time",
        "no",
    ),
    (
        Field::People,
        "How many people travel. The server cannot read this, vehicles, cargo or contacts",
        "8",
    ),
    (
        Field::Vehicles,
        "One after the other, with semicolons: white Land Cruiser, logo on roof; white truck",
        "white Land Cruiser, logo on roof; white truck",
    ),
    (
        Field::Plates,
        "In the same order, with semicolons",
        "1-1234; 1-1235",
    ),
    (Field::Cargo, "What is carried", "Flour, 12 t"),
    (Field::CallSign, "Radio call sign", "Mike 1"),
    (
        Field::Overnight,
        "Where nights are spent, with semicolons",
        "",
    ),
    (
        Field::ContactName,
        "Who can be called on the way",
        "Team leader",
    ),
    (Field::ContactPost, "That person's post", "Logistics"),
    (
        Field::ContactPhone,
        "Satellite or mobile, with + and country code",
        "+882 16 0000 0000",
    ),
    (Field::Note, "Anything else", ""),
];

/// The rows of a form: names, tags, example.
fn rows(subject: Subject) -> [Vec<String>; 3] {
    let lines = lines(subject);
    let name = |line: &Line| line.0.name().to_owned();
    let tag = |line: &Line| {
        line.0
            .tags()
            .first()
            .copied()
            .unwrap_or_default()
            .to_owned()
    };
    let example = |line: &Line| line.2.to_owned();
    [
        lines.iter().map(name).collect(),
        lines.iter().map(tag).collect(),
        lines.iter().map(example).collect(),
    ]
}

/// The form as CSV, UTF-8 with the byte order mark that Excel needs.
pub fn csv(subject: Subject) -> String {
    let quoted = |cell: &String| format!("\"{}\"", cell.replace('"', "\"\""));
    let line = |row: &Vec<String>| row.iter().map(quoted).collect::<Vec<_>>().join(",");
    format!(
        "\u{feff}{}\r\n",
        rows(subject)
            .iter()
            .map(line)
            .collect::<Vec<_>>()
            .join("\r\n")
    )
}

/// The form as a spreadsheet.
///
/// # Errors
/// None in practice: everything written is our own.
pub fn xlsx(subject: Subject) -> Result<Vec<u8>, XlsxError> {
    filled_in(subject, &[])
}

/// The form as a spreadsheet, with rows already filled in below its example.
///
/// # Errors
/// When a cell is longer than a spreadsheet takes, 32,767 characters.
pub fn filled_in(subject: Subject, rows: &[BTreeMap<Field, String>]) -> Result<Vec<u8>, XlsxError> {
    let mut workbook = Workbook::new();
    let name = match subject {
        Subject::Site => "Sites",
        Subject::Movement => "Movements",
    };
    let page = workbook.add_worksheet();
    page.set_name(name)?;
    fill(page, subject)?;
    let text = Format::new().set_num_format("@");
    for (row, cells) in (3..).zip(rows) {
        for (column, (field, ..)) in (0..).zip(lines(subject)) {
            if let Some(cell) = cells.get(field) {
                page.write_string_with_format(row, column, cell, &text)?;
            }
        }
    }
    let help = workbook.add_worksheet();
    help.set_name("Read me")?;
    explain(help, subject)?;
    let lists = workbook.add_worksheet();
    lists.set_name(LISTS)?;
    for (row, category) in (0..).zip(Category::ALL) {
        lists.write_string(row, 0, category.as_str())?;
        lists.write_string(row, 1, category.label())?;
    }
    lists.set_column_width(0, 28)?.set_column_width(1, 48)?;
    workbook.save_to_buffer()
}

fn fill(page: &mut Worksheet, subject: Subject) -> Result<(), XlsxError> {
    // Every cell is text: a spreadsheet that takes 36.7180 for a number or 03-05 for a date changes what was typed.
    let text = Format::new().set_num_format("@");
    let looks = [
        Format::new()
            .set_bold()
            .set_num_format("@")
            .set_background_color(0x00DD_EBF7_u32),
        Format::new()
            .set_italic()
            .set_num_format("@")
            .set_font_color(0x0080_8080_u32),
        Format::new()
            .set_italic()
            .set_num_format("@")
            .set_font_color(0x00A0_A0A0_u32),
    ];
    for (row, (cells, look)) in (0..).zip(rows(subject).iter().zip(&looks)) {
        for (column, cell) in (0..).zip(cells) {
            page.write_string_with_format(row, column, cell, look)?;
        }
    }
    for (column, (field, what, _)) in (0..).zip(lines(subject)) {
        page.set_column_format(column, &text)?;
        page.set_column_width(column, if *field == Field::Coordinates { 32 } else { 18 })?;
        let choice = list_for(*field)?.set_input_title(field.name())?;
        let hint: String = what.chars().take(250).collect();
        page.add_data_validation(
            3,
            column,
            LISTED_ROWS,
            column,
            &choice.set_input_message(hint)?,
        )?;
    }
    page.set_freeze_panes(2, 2)?;
    Ok(())
}

fn list_for(field: Field) -> Result<DataValidation, XlsxError> {
    let validation = DataValidation::new();
    let words: &[&str] = match field {
        Field::Category => {
            let formula = format!("={LISTS}!$A$1:$A${}", Category::ALL.len());
            let validation = validation
                .allow_list_formula(Formula::new(formula))
                .set_error_style(DataValidationErrorStyle::Warning);
            return validation.set_error_message(
                "Choose a category from the list; another word is notified as \"other\".",
            );
        }
        Field::Relation => &["run", "supported"],
        Field::Infrared => &["yes", "no", "unknown"],
        Field::Source => &["gnss", "imagery", "map", "gazetteer", "other"],
        Field::Onward | Field::Emergency => &["yes", "no"],
        _ => return Ok(validation.allow_any_value()),
    };
    validation.allow_list_strings(words)
}

fn explain(page: &mut Worksheet, subject: Subject) -> Result<(), XlsxError> {
    let bold = Format::new().set_bold();
    let wrapped = Format::new().set_text_wrap();
    let what = match subject {
        Subject::Site => "One row is one site.",
        Subject::Movement => {
            "One row is one waypoint; rows with the same reference are one movement."
        }
    };
    let intro = [
        what,
        "The row that begins with EXAMPLE is never notified. Leave the first two rows as they are.",
        "A notification is word, never a request for permission; an acknowledgement is not approval.",
        "Check the file before anything is sent: herald lint FILE. What is odd is written beside the cell into a copy.",
    ];
    for (row, line) in (0..).zip(intro) {
        page.write_string(row, 0, line)?;
    }
    page.write_string_with_format(5, 0, "Column", &bold)?;
    page.write_string_with_format(5, 1, "What to write", &bold)?;
    for (row, (field, what, _)) in (6..).zip(lines(subject)) {
        page.write_string(row, 0, field.name())?;
        page.write_string_with_format(row, 1, *what, &wrapped)?;
    }
    page.set_column_width(0, 22)?.set_column_width(1, 110)?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::draft;
    use crate::cli::tabular::{self, Options};

    fn read(name: &str, bytes: &[u8]) -> tabular::Table {
        let dir = tempfile::tempdir().expect("a directory");
        let path = dir.path().join(name);
        std::fs::write(&path, bytes).expect("written");
        tabular::open(&path, &Options::default()).expect("a table")
    }

    #[test]
    fn every_form_reads_back_with_every_column_and_its_example_is_never_notified() {
        for subject in [Subject::Site, Subject::Movement] {
            let files = [
                ("t.csv", csv(subject).into_bytes()),
                ("t.xlsx", xlsx(subject).expect("made")),
            ];
            for (name, bytes) in files {
                let table = read(name, &bytes);
                for (field, _, _) in lines(subject) {
                    assert!(table.mapping.column(*field).is_some(), "{name}: {field}");
                }
                assert!(table.mapping.unused().is_empty());
                assert_eq!(table.mapping.is_movement(), subject == Subject::Movement);
                assert_eq!(
                    draft::drafts(table).count(),
                    0,
                    "{name}: the example is left out"
                );
                assert_eq!(read(name, &bytes).count(), 1, "{name}: and it is there");
            }
        }
    }

    #[test]
    fn a_form_is_never_written_over_one_that_is_filled_in() {
        let dir = tempfile::tempdir().expect("a directory");
        let path = dir.path().join("sites.xlsx");
        std::fs::write(&path, b"filled in").expect("written");
        assert!(write_new(&path, b"empty").is_err());
        assert_eq!(std::fs::read(&path).expect("read"), b"filled in");
    }
}
