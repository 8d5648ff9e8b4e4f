//! Screening many: each notification has its own result, a bad row loses no good one, and what a results file says was
//! done is not done again, so that the same command goes on where it stopped.

use std::collections::HashMap;
use std::fs::OpenOptions;
use std::io::Write as _;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;

use serde::Serialize;
use serde_json::json;

use super::api::{Api, ApiError};
use super::error::CliError;
use super::exit::Exit;
use super::find::{self, Named};
use super::inbox::Inbox;
use super::profile;
use super::screen::{Args, Desk, LookedAt, Word, checked};
use super::words::{add, plain};
use super::{Context, directory, return_};
use crate::domain::ids::Revision;
use crate::wire::claims::Checked;
use crate::wire::parts::ReturnReason;
use crate::wire::problem::ProblemKind;

/// Rows of a file at most.
const MAX_ROWS: usize = 100_000;
/// Bytes of a file at most.
const MAX_BYTES: u64 = 32 << 20;
/// Words on how far it is, every so many.
const SAY_EVERY: usize = 100;
/// The columns of a results file.
const HEADER: [&str; 6] = [
    "line",
    "reference",
    "revision",
    "result",
    "problem",
    "detail",
];

/// What became of one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
enum Became {
    Screened,
    Returned,
    /// It was said before: by this desk, or by a colleague.
    Before,
    Refused,
}

impl Became {
    const fn as_str(self) -> &'static str {
        match self {
            Self::Screened => "screened",
            Self::Returned => "returned",
            Self::Before => "before",
            Self::Refused => "refused",
        }
    }

    fn is_done(text: &str) -> bool {
        [Self::Screened, Self::Returned, Self::Before]
            .iter()
            .any(|one| one.as_str() == text)
    }
}

/// One row of the results.
#[derive(Debug, Serialize)]
struct Row {
    #[serde(skip_serializing_if = "Option::is_none")]
    line: Option<u64>,
    reference: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    revision: Option<Revision>,
    result: Became,
    #[serde(skip_serializing_if = "Option::is_none")]
    problem: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    detail: Option<String>,
}

/// One to be screened: as it was named, on which line, and the word on it, if the row can be read.
struct Task {
    line: Option<u64>,
    named: String,
    word: Result<Word, String>,
}

/// Says the word on each.
///
/// # Errors
/// When nothing can be read or reached; what became of each stands in the results until then.
pub async fn run(args: &Args, word: &Word, context: &Context) -> Result<Exit, CliError> {
    let (profile, api) = context.connect()?;
    let tasks = tasks(args, word, &api).await?;
    if tasks.is_empty() {
        context.out.line("Nothing waits to be screened.");
        return Ok(Exit::Ok);
    }
    let mut results = Results::open(args.results.as_deref())?;
    let inbox = Inbox::open(profile.dir())?;
    let trust = directory::trust(&profile, &api).await?;
    let desk = Desk {
        key: profile.signing_key()?,
        profile: &profile,
        api: &api,
        trust: &trust,
        context,
    };
    let (all, mut rows) = (tasks.len(), Vec::with_capacity(tasks.len()));
    for (done, task) in tasks.into_iter().enumerate() {
        if done > 0 && done.is_multiple_of(SAY_EVERY) {
            context.out.note(format!("{done} of {all}"));
        }
        let row = if results.holds(&task.named) {
            Row {
                line: task.line,
                reference: task.named,
                revision: None,
                result: Became::Before,
                problem: None,
                detail: None,
            }
        } else {
            let row = one(&desk, &inbox, task, args.revision).await;
            let row = match row {
                Ok(row) => row,
                Err(error) => {
                    show(context, &rows);
                    return Err(error);
                }
            };
            results.add(&row)?;
            row
        };
        rows.push(row);
    }
    show(context, &rows);
    let refused = rows.iter().any(|row| row.result == Became::Refused);
    Ok(if refused { Exit::Refused } else { Exit::Ok })
}

async fn tasks(args: &Args, word: &Word, api: &Api) -> Result<Vec<Task>, CliError> {
    if let Some(path) = &args.file {
        return read(path, &checked(&args.looked_at));
    }
    let task = |named: String| Task {
        line: None,
        named,
        word: Ok(word.clone()),
    };
    let mut names: Vec<String> = if args.all_waiting {
        let queue = api.queue(true).await?;
        let of_org = |org: &_| args.from_org.as_ref().is_none_or(|wanted| wanted == org);
        let waiting = queue.notifications.into_iter();
        let wanted = waiting.filter(|one| of_org(&one.organisation));
        wanted.map(|one| one.nid.to_string()).collect()
    } else {
        args.notifications.iter().map(Named::to_string).collect()
    };
    let mut seen = std::collections::HashSet::new();
    names.retain(|name| seen.insert(name.clone()));
    Ok(names.into_iter().map(task).collect())
}

/// Signs one; its own trouble is its result, and only what concerns all of them ends the run.
async fn one(
    desk: &Desk<'_>,
    inbox: &Inbox,
    task: Task,
    rev: Option<Revision>,
) -> Result<Row, CliError> {
    let refused = |reference: String, detail: String| Row {
        line: task.line,
        reference,
        revision: None,
        result: Became::Refused,
        problem: None,
        detail: Some(detail),
    };
    let word = match task.word {
        Ok(word) => word,
        Err(why) => return Ok(refused(task.named, why)),
    };
    let Ok(named) = task.named.parse::<Named>() else {
        let why = "it is no reference like HN-WD2P-F2DD".to_owned();
        return Ok(refused(task.named, why));
    };
    let target = match find::revision(inbox, &named, rev) {
        Ok((target, _)) => target,
        Err(error) => return Ok(refused(task.named, error.to_string())),
    };
    let (result, problem, detail) = match desk.say(&target, &word).await {
        Ok(_) => match word {
            Word::Screened(_) => (Became::Screened, None, None),
            Word::Returned(_) => (Became::Returned, None, None),
        },
        Err(CliError::Api(ApiError::Problem(problem))) => {
            let before = problem.type_uri == ProblemKind::AlreadyScreened.type_uri();
            let result = if before {
                Became::Before
            } else {
                Became::Refused
            };
            let said = problem
                .detail
                .clone()
                .unwrap_or_else(|| problem.title.clone());
            (result, Some(problem.type_uri.clone()), Some(said))
        }
        Err(error) => return Err(error),
    };
    Ok(Row {
        line: task.line,
        reference: target.nid.reference().to_string(),
        revision: Some(target.rev),
        result,
        problem,
        detail,
    })
}

fn show(context: &Context, rows: &[Row]) {
    let many = |of: Became| rows.iter().filter(|row| row.result == of).count();
    let counts = [
        Became::Screened,
        Became::Returned,
        Became::Before,
        Became::Refused,
    ]
    .map(many);
    let [screened, returned, before, refused] = counts;
    let value = json!({
        "screened": screened, "returned": returned, "before": before, "refused": refused, "rows": rows,
    });
    context.out.emit(&value, || {
        let mut text = format!(
            "{screened} screened (what you named was looked at; nothing more is said), {returned} returned, {before} before, {refused} refused.\n"
        );
        for row in rows.iter().filter(|row| row.result == Became::Refused) {
            let line = row.line.map_or_else(String::new, |line| format!("line {line}: "));
            let why = row.detail.as_deref().unwrap_or_default();
            add(
                &mut text,
                format_args!("  {line}{}: {}\n", plain(&row.reference), plain(why)),
            );
        }
        text
    });
}

/// A results file, or none.
struct Results {
    file: Option<std::fs::File>,
    path: std::path::PathBuf,
    /// References that are done.
    done: std::collections::HashSet<String>,
}

impl Results {
    /// Opens it to go on, and reads what was done.
    fn open(path: Option<&Path>) -> Result<Self, CliError> {
        let Some(path) = path else {
            return Ok(Self {
                file: None,
                path: std::path::PathBuf::new(),
                done: std::collections::HashSet::new(),
            });
        };
        let mut done = std::collections::HashSet::new();
        let new = !path.exists();
        if !new {
            let mut reader =
                csv::Reader::from_path(path).map_err(|error| unreadable(path, &error))?;
            let headers = reader.headers().map_err(|error| unreadable(path, &error))?;
            if headers.iter().ne(HEADER) {
                return Err(CliError::refused(
                    format!("{} is no results file of `herald screen`", path.display()),
                    "Name another file; nothing was written into this one.",
                ));
            }
            for record in reader.records().take(MAX_ROWS) {
                let record = record.map_err(|error| unreadable(path, &error))?;
                if let (Some(reference), Some(result)) = (record.get(1), record.get(3))
                    && Became::is_done(result)
                {
                    done.insert(reference.to_owned());
                }
            }
        }
        let file = OpenOptions::new()
            .append(true)
            .create(true)
            .mode(0o600)
            .open(path)
            .map_err(profile::io_error(path, "opened"))?;
        let mut results = Self {
            file: Some(file),
            path: path.to_owned(),
            done,
        };
        if new {
            results.write(&HEADER.map(ToOwned::to_owned))?;
        }
        Ok(results)
    }

    /// Whether it is done; a notification is known by its reference, however it was named.
    fn holds(&self, named: &str) -> bool {
        let reference = match named.parse::<Named>() {
            Ok(Named::Nid(nid)) => nid.reference().to_string(),
            Ok(Named::Reference(reference)) => reference.to_string(),
            Err(_) => return false,
        };
        self.done.contains(&reference)
    }

    fn add(&mut self, row: &Row) -> Result<(), CliError> {
        let number = |n: Option<String>| n.unwrap_or_default();
        self.write(&[
            number(row.line.map(|n| n.to_string())),
            row.reference.clone(),
            number(row.revision.map(|n| n.to_string())),
            row.result.as_str().to_owned(),
            row.problem.clone().unwrap_or_default(),
            row.detail.clone().unwrap_or_default(),
        ])
    }

    /// A line at a time, so that what was done is known whatever happens next.
    fn write(&mut self, fields: &[String; 6]) -> Result<(), CliError> {
        let Some(file) = &mut self.file else {
            return Ok(());
        };
        let mut writer = csv::Writer::from_writer(Vec::new());
        let line = writer
            .write_record(fields)
            .ok()
            .and_then(|()| writer.into_inner().ok())
            .unwrap_or_default();
        Ok(file
            .write_all(&line)
            .map_err(profile::io_error(&self.path, "written"))?)
    }
}

fn unreadable(path: &Path, error: &csv::Error) -> CliError {
    let at = error
        .position()
        .map_or_else(String::new, |at| format!(", line {}", at.line()));
    CliError::refused(
        format!("{}{at} does not read as CSV", path.display()),
        "Save it as \"CSV UTF-8\", with the columns in its first row.",
    )
}

/// Reads a file of outcomes. Rows of one reference that return it are one return; a row that cannot be read is a task that
/// says why.
fn read(path: &Path, looked_at: &[Checked]) -> Result<Vec<Task>, CliError> {
    let size = std::fs::metadata(path)
        .map_err(profile::io_error(path, "read"))?
        .len();
    if size > MAX_BYTES {
        return Err(CliError::refused(
            format!("{} has more than {MAX_BYTES} bytes", path.display()),
            "Split it.",
        ));
    }
    let mut reader = csv::ReaderBuilder::new()
        .flexible(true)
        .trim(csv::Trim::All)
        .from_path(path)
        .map_err(|error| unreadable(path, &error))?;
    let headers = reader.headers().map_err(|error| unreadable(path, &error))?;
    let named = |name: &str| {
        let plain = |header: &str| {
            let header = header.trim_start_matches('\u{feff}').trim().to_lowercase();
            header.replace([' ', '-'], "_")
        };
        headers.iter().position(|header| plain(header) == name)
    };
    let columns = ["reference", "outcome", "looked_at", "field", "reason"].map(named);
    let [Some(_), Some(_), ..] = columns else {
        return Err(CliError::refused(
            format!("{} has no columns reference and outcome", path.display()),
            "Name them in its first row: reference, outcome, and where you need them looked_at, field, reason.",
        ));
    };
    let mut tasks: Vec<Task> = Vec::new();
    let mut by_reference: HashMap<String, usize> = HashMap::new();
    for record in reader.records() {
        let record = record.map_err(|error| unreadable(path, &error))?;
        if tasks.len() >= MAX_ROWS {
            return Err(CliError::refused(
                format!("{} has more than {MAX_ROWS} rows", path.display()),
                "Split it.",
            ));
        }
        let cell = |column: usize| {
            let index = columns.get(column).copied().flatten();
            index
                .and_then(|index| record.get(index))
                .unwrap_or_default()
        };
        let line = record.position().map(csv::Position::line);
        let reference = cell(0).to_owned();
        let word = word(cell(1), cell(2), (cell(3), cell(4)), looked_at);
        let known = by_reference
            .get(&reference)
            .and_then(|index| tasks.get_mut(*index));
        match (known.map(|task| &mut task.word), word) {
            (Some(Ok(Word::Returned(reasons))), Ok(Word::Returned(more))) => reasons.extend(more),
            (_, word) => {
                by_reference.insert(reference.clone(), tasks.len());
                tasks.push(Task {
                    line,
                    named: reference,
                    word,
                });
            }
        }
    }
    Ok(tasks)
}

/// The word that a row says.
fn word(
    outcome: &str,
    looked_at: &str,
    (field, reason): (&str, &str),
    given: &[Checked],
) -> Result<Word, String> {
    match outcome.to_lowercase().as_str() {
        "screened" | "screen" => {
            let mut words = Vec::new();
            for word in looked_at.split([',', ';', ' ']).filter(|w| !w.is_empty()) {
                let known = <LookedAt as clap::ValueEnum>::from_str(word, true);
                words.push(known.map_err(|_| {
                    "looked_at is form, coordinates or sender, several with commas between"
                        .to_owned()
                })?);
            }
            let checked = if words.is_empty() {
                given.to_vec()
            } else {
                checked(&words)
            };
            if checked.is_empty() {
                return Err(
                    "it does not say what was looked at; give a column looked_at, or --looked-at"
                        .to_owned(),
                );
            }
            Ok(Word::Screened(checked))
        }
        "returned" | "return" => {
            if reason.is_empty() {
                return Err("a return needs a reason".to_owned());
            }
            let one = if field.is_empty() {
                ReturnReason {
                    pointer: None,
                    text: reason.to_owned(),
                }
            } else {
                return_::of_field(field, reason).map_err(|error| error.to_string())?
            };
            Ok(Word::Returned(vec![one]))
        }
        "" => Err("the outcome is missing: screened or returned".to_owned()),
        _ => Err("the outcome is neither screened nor returned".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn file(text: &str) -> (tempfile::TempDir, std::path::PathBuf) {
        let dir = tempfile::tempdir().expect("a directory");
        let path = dir.path().join("outcomes.csv");
        std::fs::write(&path, text).expect("written");
        (dir, path)
    }

    #[test]
    fn each_row_of_a_file_has_its_own_word_and_a_bad_one_loses_no_good_one() {
        let (_dir, path) = file(
            "\u{feff}Reference,Outcome,Looked at,Field,Reason\n\
             HN-WD2P-F2DD,screened,\"form, sender\",,\n\
             HN-3K7Q-9M2B,returned,,position,two digits missing\n\
             HN-3K7Q-9M2B,returned,,name,which of the two?\n\
             HN-AAAA-BBBB,maybe,,,\n\
             HN-AAAA-CCCC,returned,,colour,red\n\
             HN-AAAA-DDDD,screened,,,\n",
        );
        let tasks = read(&path, &[]).expect("read");
        assert_eq!(tasks.len(), 5);
        let said: Vec<(Option<u64>, Result<usize, String>)> = tasks
            .into_iter()
            .map(|task| {
                let many = task.word.map(|word| match word {
                    Word::Screened(checked) => checked.len(),
                    Word::Returned(reasons) => reasons.len() + 10,
                });
                (task.line, many)
            })
            .collect();
        assert_eq!(said[0], (Some(2), Ok(2)));
        assert_eq!(said[1], (Some(3), Ok(12)));
        assert!(said[2].1.as_ref().is_err_and(|why| why.contains("neither")));
        assert!(
            said[3]
                .1
                .as_ref()
                .is_err_and(|why| why.contains("position, name"))
        );
        assert!(
            said[4]
                .1
                .as_ref()
                .is_err_and(|why| why.contains("looked at"))
        );
    }

    #[test]
    fn what_a_results_file_says_is_done_is_not_done_again_and_another_file_is_not_written_into() {
        let (dir, path) = file("a,b\n1,2\n");
        assert!(Results::open(Some(&path)).is_err());
        assert_eq!(std::fs::read_to_string(&path).expect("read"), "a,b\n1,2\n");
        let path = dir.path().join("results.csv");
        let row = |reference: &str, result| Row {
            line: Some(2),
            reference: reference.to_owned(),
            revision: None,
            result,
            problem: None,
            detail: None,
        };
        let mut results = Results::open(Some(&path)).expect("begun");
        results
            .add(&row("HN-WD2P-F2DD", Became::Screened))
            .expect("written");
        results
            .add(&row("HN-3K7Q-9M2B", Became::Refused))
            .expect("written");
        let again = Results::open(Some(&path)).expect("opened");
        assert!(again.holds("hn-wd2p-f2dd") && !again.holds("HN-3K7Q-9M2B"));
    }
}
