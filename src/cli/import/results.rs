//! What became of each row, written as it is known, beside a progress bar on a terminal or a line now and then elsewhere;
//! and the counts and the table of categories for the end.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{BufWriter, IsTerminal as _, Write as _};
use std::path::{Path, PathBuf};
use std::time::Duration;

use indicatif::{ProgressBar, ProgressStyle};
use serde_json::{Value, json};

use crate::cli::Context;
use crate::cli::draft::finding::Finding;
use crate::cli::drill;
use crate::cli::error::CliError;
use crate::cli::files::create_private;
use crate::cli::output::Output;
use crate::cli::profile;
use crate::domain::category::Category;
use crate::domain::ids::Nid;

/// Rows between two lines of progress where there is no terminal.
const LINE_EVERY: u64 = 5_000;
/// Words for categories that are listed.
const MAX_WORDS: usize = 200;

/// What became of a row.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// The server has it, and gave a receipt.
    Accepted,
    /// Notified before, and nothing has changed.
    Unchanged,
    /// Not notified.
    Refused,
    /// A remark on a row that is notified all the same.
    Warning,
}

impl Verdict {
    const fn as_str(self) -> &'static str {
        match self {
            Self::Accepted => "accepted",
            Self::Unchanged => "unchanged",
            Self::Refused => "refused",
            Self::Warning => "warning",
        }
    }
}

/// A line of the results.
#[derive(Clone)]
pub struct RowResult {
    line: u64,
    column: String,
    verdict: Verdict,
    nid: Option<Nid>,
    message: String,
}

impl RowResult {
    /// Of a line.
    pub const fn new(line: u64, verdict: Verdict) -> Self {
        Self {
            line,
            column: String::new(),
            verdict,
            nid: None,
            message: String::new(),
        }
    }

    /// Of what was found in it.
    pub fn of(finding: &Finding, verdict: Verdict) -> Self {
        let column = finding
            .origin
            .column
            .as_ref()
            .map(ToString::to_string)
            .unwrap_or_default();
        Self {
            line: finding.origin.row,
            column,
            verdict,
            nid: None,
            message: finding.message.clone(),
        }
    }

    /// What became of it.
    #[cfg(test)]
    pub const fn verdict(&self) -> Verdict {
        self.verdict
    }

    /// What is said of it.
    #[cfg(test)]
    pub fn message(&self) -> &str {
        &self.message
    }

    /// With the notification.
    pub const fn about(mut self, nid: Nid) -> Self {
        self.nid = Some(nid);
        self
    }

    /// With words.
    pub fn saying(mut self, message: impl Into<String>) -> Self {
        self.message = message.into();
        self
    }
}

/// How many rows became what.
#[derive(Debug, Clone, Copy, Default)]
pub struct Counts {
    /// Accepted.
    pub accepted: u64,
    /// Unchanged.
    pub unchanged: u64,
    /// Refused.
    pub refused: u64,
    /// Signed, and not known to have arrived.
    pub waiting: u64,
    /// Warned of.
    pub warnings: u64,
}

enum Sink {
    Csv(Box<csv::Writer<BufWriter<File>>>),
    Ndjson(BufWriter<File>),
}

/// The results of an import.
pub struct Results {
    path: PathBuf,
    sink: Sink,
    counts: Counts,
    categories: BTreeMap<String, (Category, u64)>,
    bar: Option<ProgressBar>,
    out: Output,
    said: u64,
}

impl Results {
    /// Begins the file of results beside the imported one.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn create(
        file: &Path,
        given: Option<PathBuf>,
        context: &Context,
    ) -> Result<Self, CliError> {
        let path = given.unwrap_or_else(|| {
            if file == Path::new("-") {
                return "import.results.csv".into();
            }
            let mut name = file.as_os_str().to_owned();
            name.push(".results.csv");
            name.into()
        });
        // Names and places stand in what is said of a row.
        let new = create_private(&path).map_err(profile::io_error(&path, "written"))?;
        let out = BufWriter::new(new);
        let ndjson = path
            .extension()
            .is_some_and(|ending| ending == "ndjson" || ending == "jsonl");
        let sink = if ndjson {
            Sink::Ndjson(out)
        } else {
            let mut writer = csv::Writer::from_writer(out);
            let mode = context.out.is_drill().then_some("mode");
            let names = ["line", "column", "result", "notification", "message"];
            let header = writer.write_record(mode.into_iter().chain(names));
            header.map_err(|error| unwritten(&path, &error))?;
            Sink::Csv(Box::new(writer))
        };
        let bar = (std::io::stderr().is_terminal() && !context.out.is_json()).then(bar);
        Ok(Self {
            path,
            sink,
            counts: Counts::default(),
            categories: BTreeMap::new(),
            bar,
            out: context.out.clone(),
            said: 0,
        })
    }

    /// Writes rows.
    ///
    /// # Errors
    /// When they cannot be written.
    pub fn add(
        &mut self,
        rows: Vec<RowResult>,
        categories: Vec<(String, Category, u64)>,
    ) -> Result<(), CliError> {
        for (word, category, count) in categories {
            if self.categories.len() < MAX_WORDS || self.categories.contains_key(&word) {
                self.categories.entry(word).or_insert((category, 0)).1 += count;
            }
        }
        for row in rows {
            match row.verdict {
                Verdict::Accepted => self.counts.accepted += 1,
                Verdict::Unchanged => self.counts.unchanged += 1,
                Verdict::Refused => self.counts.refused += 1,
                Verdict::Warning => self.counts.warnings += 1,
            }
            self.write(&row)?;
        }
        self.progress();
        Ok(())
    }

    fn write(&mut self, row: &RowResult) -> Result<(), CliError> {
        let reference = row
            .nid
            .map(|nid| nid.reference().to_string())
            .unwrap_or_default();
        match &mut self.sink {
            Sink::Csv(writer) => {
                let mode = self.out.is_drill().then_some(drill::WORD);
                let line = row.line.to_string();
                let said = [
                    line.as_str(),
                    &row.column,
                    row.verdict.as_str(),
                    &reference,
                    &row.message,
                ];
                writer
                    .write_record(mode.into_iter().chain(said))
                    .map_err(|error| unwritten(&self.path, &error))
            }
            Sink::Ndjson(out) => {
                let line = json!({"line": row.line, "column": row.column, "result": row.verdict.as_str(), "notification": row.nid, "reference": reference, "message": row.message});
                let mut line = line.to_string();
                if self.out.is_drill() {
                    line = drill::document(line);
                }
                writeln!(out, "{line}").map_err(|error| unwritten(&self.path, &error))
            }
        }
    }

    fn progress(&mut self) {
        let done = self.counts.accepted + self.counts.unchanged + self.counts.refused;
        if let Some(bar) = &self.bar {
            bar.set_position(done);
            bar.set_message(format!(
                "{} unchanged, {} refused",
                self.counts.unchanged, self.counts.refused
            ));
        } else if done / LINE_EVERY > self.said {
            self.said = done / LINE_EVERY;
            self.out.note(format!("{done} rows done"));
        }
    }

    /// Counts rows that are signed and not known to have arrived.
    pub fn waiting(&mut self, rows: usize) {
        self.counts.waiting += u64::try_from(rows).unwrap_or(u64::MAX);
    }

    /// Ends the file.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn close(&mut self) -> Result<(), CliError> {
        if let Some(bar) = self.bar.take() {
            bar.finish_and_clear();
        }
        let flushed = match &mut self.sink {
            Sink::Csv(writer) => writer.flush(),
            Sink::Ndjson(out) => out.flush(),
        };
        flushed.map_err(|error| unwritten(&self.path, &error))
    }

    /// Where the results stand.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// How many rows became what.
    pub const fn counts(&self) -> Counts {
        self.counts
    }

    /// Which word was read as which category, for programs.
    pub fn categories(&self) -> Value {
        self.categories.iter().map(|(word, (category, count))| json!({"word": word, "category": category, "rows": count})).collect()
    }

    /// Which word was read as which category, for people.
    pub fn category_lines(&self) -> Vec<String> {
        let mut rows: Vec<_> = self.categories.iter().collect();
        rows.sort_by_key(|(_, (_, count))| std::cmp::Reverse(*count));
        let line = |(word, (category, count)): &(&String, &(Category, u64))| {
            format!(
                "  {count:>8} × \"{word}\" notified as {}",
                category.profile().label
            )
        };
        rows.iter().map(line).collect()
    }
}

fn unwritten(path: &Path, error: &dyn std::error::Error) -> CliError {
    CliError::failed(
        format!(
            "the results cannot be written to {}: {error}",
            path.display()
        ),
        "Free space, or name another file with --results; what was sent is in the journal.",
    )
}

fn bar() -> ProgressBar {
    let bar = ProgressBar::new_spinner();
    if let Ok(style) =
        ProgressStyle::with_template("{spinner} {pos} rows, {per_sec}, {elapsed}; {msg}")
    {
        bar.set_style(style);
    }
    bar.enable_steady_tick(Duration::from_millis(200));
    bar
}

#[cfg(test)]
mod file_tests {
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;
    use crate::domain::clock::Clock;

    #[test]
    fn what_became_of_each_row_is_its_owners_alone_and_written_through_no_link() {
        let dir = tempfile::tempdir().expect("a directory");
        let context = Context {
            dir: dir.path().to_owned(),
            out: Output::captured(true).0,
            clock: Clock::System,
        };
        let (file, results) = (
            dir.path().join("l.csv"),
            dir.path().join("l.csv.results.csv"),
        );
        std::fs::write(&results, "an earlier one").expect("written");
        let create = || Results::create(&file, None, &context);
        drop(create().map_err(|e| e.text()).expect("made"));
        let mode = std::fs::metadata(&results)
            .expect("there")
            .permissions()
            .mode();
        assert_eq!(mode & 0o777, 0o600);
        let theirs = dir.path().join("theirs");
        std::fs::write(&theirs, "theirs").expect("written");
        std::fs::remove_file(&results).expect("taken away");
        std::os::unix::fs::symlink(&theirs, &results).expect("laid");
        assert!(create().is_err());
        assert_eq!(std::fs::read(&theirs).expect("read"), b"theirs");
    }
}
