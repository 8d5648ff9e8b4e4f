//! A package as a spreadsheet: a first sheet that says what it is, and one row for each point or square. Every cell is text,
//! so that no program takes a coordinate for a number, or what somebody wrote for a formula.

use rust_xlsxwriter::{Format, Workbook, XlsxError};

use super::package::Package;
use super::rows::{COLUMNS, rows};

/// The sheet of objects.
pub const SHEET: &str = "Notified";

/// The spreadsheet's bytes.
///
/// # Errors
/// When a cell is longer than a spreadsheet takes, 32,767 characters.
pub fn bytes(package: &Package) -> Result<Vec<u8>, XlsxError> {
    let mut workbook = Workbook::new();
    let (text, bold) = (
        Format::new().set_num_format("@"),
        Format::new().set_num_format("@").set_bold(),
    );
    let front = workbook.add_worksheet();
    front.set_name("Read first")?;
    for (row, line) in (0..).zip(package.front()) {
        front.write_string_with_format(row, 0, &line, &text)?;
    }
    front.set_column_width(0, 120)?;
    let sheet = workbook.add_worksheet();
    sheet.set_name(SHEET)?;
    sheet.write_string_with_format(0, 0, package.front().join(" "), &text)?;
    for (column, name) in (0..).zip(COLUMNS) {
        sheet.write_string_with_format(1, column, *name, &bold)?;
        sheet.set_column_width(column, 18)?;
    }
    for (row, cells) in (2..).zip(package.shown().flat_map(rows)) {
        for (column, cell) in (0..).zip(&cells) {
            sheet.write_string_with_format(row, column, cell, &text)?;
        }
    }
    sheet.set_freeze_panes(2, 1)?;
    workbook.save_to_buffer()
}
