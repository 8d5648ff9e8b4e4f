//! The command `lint`: reads a file as `notify` would, says what is refused and what is odd, and sends nothing. Of a
//! spreadsheet it writes a copy with the remarks beside the cells.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use serde_json::json;

use super::composing::{ComposeArgs, seen_policy};
use super::draft::compose::compose;
use super::draft::confirm;
use super::draft::drafts;
use super::draft::finding::{Finding, NO_PARTY, Severity};
use super::draft::parties::Parties;
use super::error::CliError;
use super::exit::Exit;
use super::tabular::xlsx::{Remark, write_checked};
use super::tabular::{self, FileKind, Origin};
use super::{Context, directory};
use crate::domain::plural::count;
use crate::wire::policy::Policy;

const EXAMPLES: &str = "\
Examples:
  herald lint sites.xlsx
  herald lint convoys.csv --country SDN --zone Africa/Khartoum
  herald lint sites.geojson --strict
  herald lint liste.csv --map \"Type de structure=category\"

Nothing is sent and nothing is corrected: each remark names the reading that was likely meant, and you decide.";

/// Findings that are shown one by one; more are counted.
const SHOWN: usize = 1_000;

/// Arguments.
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub struct Args {
    /// The file: .xlsx, .csv (also .gz), .geojson
    pub file: PathBuf,
    /// How to read it.
    #[command(flatten)]
    pub compose: ComposeArgs,
    /// Do not write NAME.checked.xlsx beside a spreadsheet
    #[arg(long)]
    pub no_copy: bool,
}

/// What a file holds.
#[derive(Debug, Default)]
pub struct Report {
    /// How many sites or movements could be notified.
    pub good: u64,
    /// How many of them have a warning.
    pub odd: u64,
    /// How many rows or movements are refused.
    pub refused: u64,
    /// What was found, at most `SHOWN` and every refusal's first remark.
    pub findings: Vec<Finding>,
    /// How many findings more there are.
    pub more: u64,
    /// How many can be notified and name no party.
    no_party: u64,
    /// How many are notified only when confirmed, and by which codes.
    unconfirmed: u64,
    codes: BTreeSet<String>,
}

impl Report {
    fn add(&mut self, findings: Vec<Finding>, composed: bool) {
        let worst = findings.iter().map(|finding| finding.severity).max();
        if composed {
            self.good += 1;
            self.odd += u64::from(worst == Some(Severity::Warning));
        } else {
            self.refused += 1;
        }
        for finding in findings {
            if finding.code == NO_PARTY {
                self.no_party += 1;
            } else if self.findings.len() < SHOWN {
                self.findings.push(finding);
            } else {
                self.more += 1;
            }
        }
    }

    /// Counts a row that must be confirmed by these codes.
    fn confirm(&mut self, codes: &[&str]) {
        self.unconfirmed += u64::from(!codes.is_empty());
        self.codes
            .extend(codes.iter().map(|code| (*code).to_owned()));
    }

    /// Says once what every row would say.
    fn say_no_party(&mut self, file: Origin) {
        if self.no_party > 0 {
            let message = format!(
                "no party is chosen for {}: only the coordinator receives what names none",
                count(self.no_party, "row")
            );
            self.findings.push(Finding::note(NO_PARTY, file, message));
        }
    }
}

/// Runs it.
///
/// # Errors
/// When the file cannot be read at all.
#[expect(clippy::unused_async, reason = "every command has the same shape")]
pub async fn run(args: Args, context: &Context) -> Result<Exit, CliError> {
    // Looking for mistakes needs no profile; where there is one, its context's policy and parties count.
    let (policy, parties) = match context.profile() {
        Ok(profile) => (
            seen_policy(&profile)?,
            directory::cached(&profile)
                .ok()
                .map(|trust| Parties::of(&trust)),
        ),
        Err(_) => (Policy::default(), None),
    };
    if let Some(parties) = &parties {
        args.compose.check_parties(parties)?;
    }
    let settings = args.compose.settings(policy, parties, context)?;
    let table = tabular::open(&args.file, &args.compose.options())?;
    let mut report = Report::default();
    let whole = table.origin.clone();
    for column in table.mapping.unused() {
        let origin = table.origin.column(Some(column));
        report.findings.push(Finding::note(
            "unused-column",
            origin,
            "this column is not read; say what it means with --map COLUMN=FIELD if it matters",
        ));
    }
    for draft in drafts(table) {
        match draft {
            Ok(draft) => {
                let composition = compose(&draft, &settings, None);
                let composed = composition.composed.is_some();
                if composed {
                    report.confirm(&confirm::open(&composition.findings, &args.compose.confirm));
                }
                report.add(composition.findings, composed);
            }
            Err(finding) => report.add(vec![finding], false),
        }
    }
    report.say_no_party(whole);
    let copy = write_copy(&args, &report)?;
    show(context, &report, copy.as_deref());
    let strict = args.compose.strict && report.odd > 0;
    Ok(if report.refused > 0 || strict {
        Exit::Refused
    } else {
        Exit::Ok
    })
}

fn write_copy(args: &Args, report: &Report) -> Result<Option<PathBuf>, CliError> {
    let remarks: Vec<Remark> = report
        .findings
        .iter()
        .filter(|finding| finding.origin.row > 0 && finding.severity > Severity::Note)
        .map(remark)
        .collect();
    if args.no_copy || remarks.is_empty() || FileKind::of(&args.file) != Some(FileKind::Xlsx) {
        return Ok(None);
    }
    let copy = args.file.with_extension("checked.xlsx");
    let done = write_checked(&args.file, &args.compose.options(), &remarks, &copy);
    done.map_err(|error| {
        CliError::failed(
            error.to_string(),
            "Use --no-copy, or close the file where it is open.",
        )
    })?;
    Ok(Some(copy))
}

fn remark(finding: &Finding) -> Remark {
    Remark {
        row: finding.origin.row,
        column: finding.origin.column.as_ref().map(|column| column.index),
        text: finding.message.clone(),
        refused: finding.severity == Severity::Refused,
    }
}

fn show(context: &Context, report: &Report, copy: Option<&Path>) {
    let value = json!({
        "good": report.good, "odd": report.odd, "refused": report.refused, "more": report.more, "unconfirmed": report.unconfirmed,
        "findings": report.findings.iter().map(Finding::json).collect::<Vec<_>>(), "checked": copy,
    });
    context.out.emit(&value, || {
        let mut lines: Vec<String> = report.findings.iter().map(ToString::to_string).collect();
        if report.more > 0 {
            lines.push(format!("… and {} more", count(report.more, "remark")));
        }
        lines.push(format!(
            "{} can be notified, {} of them with something odd; {} refused. Nothing was sent.",
            report.good, report.odd, report.refused
        ));
        if report.unconfirmed > 0 {
            let codes: Vec<&str> = report.codes.iter().map(String::as_str).collect();
            lines.push(format!(
                "Of these, {} must be confirmed to be notified, at the terminal or by --confirm: {}",
                report.unconfirmed,
                codes.join(", ")
            ));
        }
        lines.extend(
            copy.map(|copy| format!("The remarks stand beside the cells in {}", copy.display())),
        );
        lines.join("\n")
    });
}

/// An origin for what was given on the command line.
pub fn command_line() -> Origin {
    Origin::file("command line")
}
