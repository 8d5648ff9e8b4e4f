//! CSV as field offices have it: comma, semicolon or tab, quoted or not, with or without a byte order mark, plain or
//! gzip, streamed row by row. UTF-8 only: a legacy encoding is refused with what to do, because guessing it wrong turns
//! a village's name into another.

use std::borrow::Cow;
use std::io::{self, BufRead as _, BufReader, Read};
use std::path::Path;

use csv::{ByteRecord, Reader, ReaderBuilder};

use super::columns::{Mapping, is_tag_row};
use super::{
    BadRow, MAX_CELL_CHARS, MAX_COLUMNS, MAX_FILE_BYTES, Options, Origin, Row, Table, TableError,
    row_of, short_name,
};
use crate::cli::files::{self, Pipes};
use crate::domain::plural::count;

/// Bytes that are looked at to tell the delimiter.
const SNIFF_BYTES: usize = 64 * 1024;
/// Bytes of one row, so that an unclosed quote does not swallow the file: every column full, at four bytes a character.
const MAX_ROW_BYTES: usize = MAX_CELL_CHARS * 4 * 16;
/// Bytes that a compressed file may unfold to.
const MAX_UNFOLDED_BYTES: u64 = 4 * MAX_FILE_BYTES;

type Source = Box<dyn Read + Send>;

/// Opens a CSV file; `-` is standard input.
///
/// # Errors
/// When it is too large, not UTF-8 where its header stands, or has no header that is known.
pub fn open(path: &Path, options: &Options) -> Result<Table, TableError> {
    let io = |source| TableError::Io {
        path: path.display().to_string(),
        source,
    };
    let origin = Origin::file(&short_name(path));
    if path.as_os_str() == "-" {
        return read(Box::new(io::stdin()), origin, options);
    }
    let file = files::open(path, Pipes::Read).map_err(io)?;
    let bytes = file.metadata().map_err(io)?.len();
    if bytes > MAX_FILE_BYTES {
        let path = path.display().to_string();
        return Err(TableError::TooLarge {
            path,
            bytes,
            limit: MAX_FILE_BYTES,
        });
    }
    let compressed = path
        .extension()
        .is_some_and(|ending| ending.eq_ignore_ascii_case("gz"));
    let source: Source = if compressed {
        Box::new(flate2::read::MultiGzDecoder::new(BufReader::new(file)))
    } else {
        Box::new(file)
    };
    read(source, origin, options)
}

/// Reads CSV from any source of bytes.
///
/// # Errors
/// As [`open`].
pub fn read(source: Source, origin: Origin, options: &Options) -> Result<Table, TableError> {
    let mut source = BufReader::with_capacity(SNIFF_BYTES, source.take(MAX_UNFOLDED_BYTES));
    let head = fill(&mut source).map_err(|source| TableError::Io {
        path: origin.file.to_string(),
        source,
    })?;
    if head.starts_with(&[0xFF, 0xFE]) || head.starts_with(&[0xFE, 0xFF]) {
        return Err(TableError::Encoding {
            line: 1,
            hint: " (it is UTF-16, Excel's \"Unicode text\")",
        });
    }
    if head.contains(&0) {
        let reason = "it holds zero bytes, as a spreadsheet or a program does".to_owned();
        return Err(TableError::Malformed {
            format: "CSV",
            reason,
        });
    }
    let bom = head.starts_with(&[0xEF, 0xBB, 0xBF]);
    let delimiter = sniff(&head);
    let rest = io::Cursor::new(
        head.get(if bom { 3 } else { 0 }..)
            .unwrap_or_default()
            .to_vec(),
    );
    let mut reader = ReaderBuilder::new()
        .delimiter(delimiter)
        .has_headers(false)
        .flexible(true)
        .from_reader(Lines::new(rest.chain(source)));
    let headers = header(&mut reader)?;
    let second = next_record(&mut reader).transpose();
    let tags = second
        .as_ref()
        .ok()
        .and_then(Option::as_ref)
        .and_then(|(_, record)| tags(record));
    // What is no tag row is the first row of data, or what went wrong with it.
    let pending = if tags.is_some() {
        None
    } else {
        second.transpose()
    };
    let mapping = Mapping::read(&headers, tags.as_deref(), &options.map)?;
    let rows = Rows {
        reader,
        mapping: mapping.clone(),
        origin: origin.clone(),
        columns: headers.len(),
        pending,
        over: false,
    };
    Ok(Table::new(origin, mapping, rows))
}

/// The cells of a row of HXL tags.
fn tags(record: &ByteRecord) -> Option<Vec<String>> {
    let texts: Option<Vec<&str>> = record
        .iter()
        .map(|cell| std::str::from_utf8(cell).ok())
        .collect();
    let texts = texts.filter(|texts| is_tag_row(texts.iter().copied()))?;
    Some(texts.into_iter().map(str::to_owned).collect())
}

/// Takes what is there for a look, at most [`SNIFF_BYTES`].
fn fill(source: &mut BufReader<io::Take<Source>>) -> io::Result<Vec<u8>> {
    let mut head = Vec::new();
    while head.len() < SNIFF_BYTES {
        let more = source.fill_buf()?;
        if more.is_empty() {
            break;
        }
        let taken = more.len().min(SNIFF_BYTES - head.len());
        head.extend_from_slice(more.get(..taken).unwrap_or_default());
        source.consume(taken);
    }
    Ok(head)
}

/// The delimiter that the first row has most of, outside quotes.
fn sniff(head: &[u8]) -> u8 {
    let mut counts = [0_usize; 3];
    let mut quoted = false;
    for byte in head {
        match byte {
            b'"' => quoted = !quoted,
            b'\n' if !quoted => break,
            _ if quoted => {}
            b',' => counts[0] += 1,
            b';' => counts[1] += 1,
            b'\t' => counts[2] += 1,
            _ => {}
        }
    }
    let [commas, semicolons, tabs] = counts;
    if tabs > commas && tabs > semicolons {
        b'\t'
    } else if semicolons > commas {
        b';'
    } else {
        b','
    }
}

fn header<R: Read>(reader: &mut Reader<R>) -> Result<Vec<String>, TableError> {
    let mut record = ByteRecord::new();
    let found = reader
        .read_byte_record(&mut record)
        .map_err(|error| TableError::Malformed {
            format: "CSV",
            reason: error.to_string(),
        })?;
    if !found {
        return Err(TableError::Empty);
    }
    if record.len() > MAX_COLUMNS {
        let reason = format!(
            "its header has {} columns, more than {MAX_COLUMNS}",
            record.len()
        );
        return Err(TableError::Malformed {
            format: "CSV",
            reason,
        });
    }
    record
        .iter()
        .map(|cell| std::str::from_utf8(cell).map(str::to_owned))
        .collect::<Result<_, _>>()
        .map_err(|_| TableError::Encoding {
            line: 1,
            hint: legacy_hint(record.as_slice()),
        })
}

/// What bytes that are not UTF-8 look like.
fn legacy_hint(bytes: &[u8]) -> &'static str {
    let high = bytes.iter().filter(|byte| **byte >= 0x80).count();
    if high * 3 > bytes.len() {
        " (most of it is in a legacy encoding, such as Windows-1256 or Windows-1251)"
    } else {
        " (it looks like Windows-1252 or ISO 8859-1)"
    }
}

/// A record and the line of the file on which it begins.
type Numbered = (u64, ByteRecord);

/// Reads the next record. The reader's own line numbers are not used: they leave out the end of the line before, where
/// lines end with CR LF, and empty lines.
fn next_record<R: Read>(reader: &mut Reader<Lines<R>>) -> Option<Result<Numbered, csv::Error>> {
    let from = reader.position().byte();
    reader.get_mut().look_for(from);
    let mut record = ByteRecord::new();
    let more = reader.read_byte_record(&mut record);
    more.map(|more| more.then(|| (reader.get_ref().found(), record)))
        .transpose()
}

struct Rows<R> {
    reader: Reader<Lines<R>>,
    mapping: Mapping,
    origin: Origin,
    columns: usize,
    pending: Option<Result<Numbered, csv::Error>>,
    over: bool,
}

impl<R: Read> Rows<R> {
    fn record(&mut self) -> Option<Result<Numbered, BadRow>> {
        let next = self
            .pending
            .take()
            .or_else(|| next_record(&mut self.reader))?;
        Some(next.map_err(|error| {
            // The stream's place is lost: going on would misread what follows. The rest is reported, not dropped.
            self.over = true;
            let line = self.reader.get_ref().found();
            BadRow {
                origin: self.origin.row(line),
                code: "unreadable",
                message: format!(
                    "the file cannot be read beyond this line ({error}); this row and all after it were not read"
                ),
            }
        }))
    }

    fn row(&self, line: u64, record: &ByteRecord) -> Result<Option<Row>, BadRow> {
        let origin = self.origin.row(line);
        if record.as_slice().len() > MAX_ROW_BYTES {
            let message = "this row is very long: a quote is probably not closed, and rows after it may be inside it. Close the quote".to_owned();
            return Err(BadRow {
                origin,
                code: "row-too-long",
                message,
            });
        }
        let filled = record
            .iter()
            .rposition(|cell| !cell.is_empty())
            .map_or(0, |last| last + 1);
        if filled > self.columns {
            let message = format!(
                "this row has {} and the header {}: a delimiter inside a text is not quoted. Put the text in \"quotes\"",
                count(filled, "cell"),
                self.columns
            );
            return Err(BadRow {
                origin,
                code: "too-many-cells",
                message,
            });
        }
        for (_, column) in self.mapping.fields() {
            let cell = record.get(column.index).unwrap_or_default();
            if std::str::from_utf8(cell).is_err() {
                let error = TableError::Encoding {
                    line,
                    hint: legacy_hint(cell),
                };
                return Err(BadRow {
                    origin: origin.column(Some(column)),
                    code: "not-utf8",
                    message: error.to_string(),
                });
            }
        }
        row_of(&origin, &self.mapping, |index| {
            record
                .get(index)
                .and_then(|cell| std::str::from_utf8(cell).ok())
                .map(Cow::Borrowed)
        })
    }
}

impl<R: Read> Iterator for Rows<R> {
    type Item = Result<Row, BadRow>;

    fn next(&mut self) -> Option<Self::Item> {
        while !self.over {
            let (line, record) = match self.record()? {
                Ok(numbered) => numbered,
                Err(bad) => return Some(Err(bad)),
            };
            if let Some(row) = self.row(line, &record).transpose() {
                return Some(row);
            }
        }
        None
    }
}

/// Counts lines as an editor does (LF, CR, or both together end one), and ends the stream with an error when more than
/// [`MAX_LINE_BYTES`] pass without an LF, so that a file without line ends cannot fill the memory.
struct Lines<R> {
    inner: R,
    /// Bytes since the last LF.
    since: usize,
    /// The next byte, and the line that it is on.
    at: u64,
    line: u64,
    /// Whether nothing has stood on this line yet, and whether the last byte was a CR.
    empty: bool,
    after_cr: bool,
    /// Where the lines of the last read begin that are not empty, and their numbers.
    starts: Vec<(u64, u64)>,
    /// Where the record begins that is looked for, before its empty lines; and its line, once it has been read.
    wanted: u64,
    found: Option<u64>,
}

/// Bytes without a line's end.
const MAX_LINE_BYTES: usize = 8 << 20;

impl<R> Lines<R> {
    const fn new(inner: R) -> Self {
        Self {
            inner,
            since: 0,
            at: 0,
            line: 1,
            empty: true,
            after_cr: false,
            starts: Vec::new(),
            wanted: 0,
            found: None,
        }
    }

    /// Looks for the first line with something on it from a byte on. The reader has taken all before it, and nothing that
    /// came before the last read is left with it.
    fn look_for(&mut self, byte: u64) {
        self.wanted = byte;
        self.found = self.first_wanted();
    }

    fn first_wanted(&self) -> Option<u64> {
        let first = self.starts.iter().find(|(byte, _)| *byte >= self.wanted);
        first.map(|(_, line)| *line)
    }

    /// The line that was looked for; the last one where there is none.
    fn found(&self) -> u64 {
        self.found.unwrap_or(self.line)
    }

    fn count(&mut self, bytes: &[u8]) {
        self.starts.clear();
        for byte in bytes {
            match byte {
                b'\n' if self.after_cr => {}
                b'\n' | b'\r' => {
                    self.line += 1;
                    self.empty = true;
                }
                _ if self.empty => {
                    self.empty = false;
                    self.starts.push((self.at, self.line));
                }
                _ => {}
            }
            self.after_cr = *byte == b'\r';
            self.at += 1;
        }
        self.found = self.found.or_else(|| self.first_wanted());
    }
}

impl<R: Read> Read for Lines<R> {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        let read = self.inner.read(out)?;
        let bytes = out.get(..read).unwrap_or_default();
        self.count(bytes);
        self.since = match bytes.iter().rposition(|byte| *byte == b'\n') {
            Some(last) => read - last,
            None => self.since + read,
        };
        if self.since > MAX_LINE_BYTES {
            return Err(io::Error::new(
                io::ErrorKind::InvalidData,
                "a line has more than 8 MiB",
            ));
        }
        Ok(read)
    }
}

#[cfg(test)]
mod tests {
    use super::super::columns::Field;
    use super::*;
    use proptest::prelude::*;

    fn table(bytes: &[u8]) -> Result<Table, TableError> {
        read(
            Box::new(io::Cursor::new(bytes.to_vec())),
            Origin::file("t.csv"),
            &Options::default(),
        )
    }

    fn cells(table: Table, field: Field) -> Vec<String> {
        table
            .map(|row| {
                row.expect("a row")
                    .cells
                    .get(&field)
                    .cloned()
                    .unwrap_or_default()
            })
            .collect()
    }

    #[test]
    fn comma_semicolon_and_tab_are_told_apart_with_and_without_a_byte_order_mark() {
        for (delimiter, bom) in [(',', ""), (';', "\u{feff}"), ('\t', "\u{feff}"), (';', "")] {
            let text =
                format!("{bom}name|lat|lon\r\n\"Kunduz, \"\"trauma\"\"\"|36.71803|68.86221\r\n")
                    .replace('|', &delimiter.to_string());
            let table = table(text.as_bytes()).expect("a table");
            assert_eq!(cells(table, Field::Name), ["Kunduz, \"trauma\""]);
        }
    }

    #[test]
    fn tags_in_the_second_row_name_columns_that_no_synonym_knows() {
        let text = "Nom de la structure,Colonne 2,Colonne 3\n#loc+name,#geo+lat,#geo+lon\nAbs,16.0034,43.19697\n";
        let table = table(text.as_bytes()).expect("a table");
        assert_eq!(
            table.mapping.column(Field::Longitude).map(|c| c.index),
            Some(2)
        );
        assert_eq!(cells(table, Field::Latitude), ["16.0034"]);
    }

    #[test]
    fn a_legacy_encoding_is_refused_with_what_to_do_and_only_for_the_row_that_has_it() {
        let error = table(b"nom,lat,lon,cat\xE9gorie\n").expect_err("refused");
        assert!(error.to_string().contains("iconv"));
        let utf16: Vec<u8> = [0xFF, 0xFE]
            .into_iter()
            .chain("name,lat".encode_utf16().flat_map(u16::to_le_bytes))
            .collect();
        assert!(
            table(&utf16)
                .expect_err("refused")
                .to_string()
                .contains("UTF-16")
        );
        let rows: Vec<_> = table(b"name,lat,lon\nA,1,2\nH\xF4pital,3,4\nB,5,6\n")
            .expect("a table")
            .collect();
        assert_eq!(rows.len(), 3);
        assert!(matches!(&rows[1], Err(bad) if bad.code == "not-utf8" && bad.origin.row == 3));
        assert!(rows[0].is_ok() && rows[2].is_ok());
    }

    #[test]
    fn one_bad_row_neither_disappears_nor_takes_good_ones_along() {
        let long = "x".repeat(MAX_CELL_CHARS + 1);
        let text = format!("name,lat,lon\nA,1,2\nB, C,3,4\n{long},5,6\n\n,,\nD,7,8\n");
        let rows: Vec<_> = table(text.as_bytes()).expect("a table").collect();
        let codes: Vec<_> = rows
            .iter()
            .map(|row| row.as_ref().map_or_else(|bad| bad.code, |_| "ok"))
            .collect();
        assert_eq!(codes, ["ok", "too-many-cells", "cell-too-long", "ok"]);
        let lines: Vec<_> = rows
            .iter()
            .map(|row| {
                row.as_ref()
                    .map_or_else(|bad| bad.origin.row, |row| row.origin.row)
            })
            .collect();
        assert_eq!(lines, [2, 3, 4, 7]);
    }

    #[test]
    fn a_row_has_the_line_on_which_it_begins_whatever_ends_lines_and_whatever_is_empty() {
        let text = "name,lat,lon\nA,1,2\n\"B,\n\nold\",3,4\n\n\n\"C\",5,6\nD,7,8\n";
        for end in ["\n", "\r\n", "\r"] {
            let mut text = text.replace('\n', end);
            // More than the reader takes at once.
            let many: u64 = 3_000;
            for _ in 0..many {
                text.push_str("E,1,2");
                text.push_str(end);
            }
            let lines: Vec<u64> = table(text.as_bytes())
                .expect("a table")
                .map(|row| row.expect("a row").origin.row)
                .collect();
            assert_eq!(lines.get(..4), Some(&[2, 3, 8, 9][..]), "{end:?}");
            let rest: Vec<u64> = (10..10 + many).collect();
            assert_eq!(lines.get(4..), Some(&rest[..]), "{end:?}");
        }
    }

    #[test]
    fn a_compressed_file_reads_as_the_plain_one() {
        use std::io::Write as _;
        let dir = tempfile::tempdir().expect("a directory");
        let path = dir.path().join("f.csv.gz");
        let mut out = flate2::write::GzEncoder::new(
            std::fs::File::create(&path).expect("a file"),
            flate2::Compression::fast(),
        );
        out.write_all(b"name,lat,lon\nA,1,2\n").expect("written");
        out.finish().expect("written");
        assert_eq!(
            cells(
                open(&path, &Options::default()).expect("a table"),
                Field::Name
            ),
            ["A"]
        );
    }

    #[test]
    fn a_file_without_line_ends_is_refused_before_it_fills_the_memory() {
        let bytes = [
            b"name,lat,lon\n".to_vec(),
            vec![b'x'; MAX_LINE_BYTES + (1 << 20)],
        ]
        .concat();
        match table(&bytes) {
            Ok(table) => assert!(table.last().expect("a row").is_err()),
            Err(error) => assert!(error.to_string().contains("8 MiB")),
        }
    }

    proptest! {
        #[test]
        fn no_bytes_make_the_reader_panic_or_yield_more_rows_than_lines(bytes in proptest::collection::vec(any::<u8>(), 0..2000)) {
            let text = [b"name,lat,lon\n".to_vec(), bytes].concat();
            let lines = text.iter().filter(|byte| matches!(byte, b'\n' | b'\r')).count() + 1;
            if let Ok(table) = table(&text) {
                prop_assert!(table.count() <= lines);
            }
        }

        #[test]
        fn what_a_table_says_is_read_back(names in proptest::collection::vec("[ -~а-яء-ي\n]{1,30}", 1..10)) {
            let mut writer = csv::Writer::from_writer(Vec::new());
            writer.write_record(["name", "lat", "lon"]).expect("written");
            for name in &names {
                writer.write_record([name.as_str(), "1", "2"]).expect("written");
            }
            let bytes = writer.into_inner().expect("written");
            let found = cells(table(&bytes).expect("a table"), Field::Name);
            let expected: Vec<_> = names.iter().map(|name| name.trim().to_owned()).collect();
            prop_assert_eq!(found, expected);
        }
    }
}
