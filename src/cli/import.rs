//! The command `import`: many sites from one file, each signed and sealed on its own. Rows are read as a stream, composed
//! and signed on all cores, sent in batches with a few under way at once, and filed in a journal, so that the same command
//! again, or after an interruption, sends what is missing and nothing twice.

mod results;
mod signing;

use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use serde_json::json;
use tokio::sync::mpsc;
use tokio::task::JoinSet;

use self::results::{Results, RowResult, Verdict};
use self::signing::{Signer, Work};
use super::api::{Api, ApiError};
use super::composing::{ComposeArgs, known};
use super::draft::drafts;
use super::draft::parties::Parties;
use super::error::CliError;
use super::exit::Exit;
use super::journal::{Batch, Journal};
use super::outbox::Outbox;
use super::profile::Profile;
use super::rows::{Entry, ROWS, ROWS_WAIT, Rows};
use super::send::{self, is_temporary};
use super::{Context, own, tabular};
use crate::domain::plural::count;
use crate::wire::api::BulkItem;
use crate::wire::trust::Trust;

const EXAMPLES: &str = "\
Examples:
  herald import facilities.csv.gz --party east:exact --party west:cell
  herald import sites.xlsx --party east:exact --map \"Type de structure=category\"
  zcat list.csv.gz | herald import - --party east:cell --results results.csv

Rows are known by their reference, or by name, country and place (a movement: its times too) where they have none. The same \
command again says `unchanged` for what was notified before, by `notify` too, and notifies the next revision of what \
changed. Stop it with Ctrl-C at any time, and repeat it. It is for large files, and needs a line: what became of each row \
goes into the file of results. For some dozens of rows, or without a line: herald notify FILE.";

/// The lock of an import, from its start to its end: there is one at a time.
const IMPORT: &str = "import";
/// Batches signed and waiting to be sent.
const READY_BATCHES: usize = 3;
/// Batches under way at once.
const UNDER_WAY: usize = 3;
/// Tries of one batch, the first included.
const TRIES: u32 = 6;
/// The wait after a busy answer; it doubles.
const PAUSE: Duration = Duration::from_millis(500);

/// Arguments.
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub struct Args {
    /// The file: .csv (also .gz), .xlsx, .geojson; - for CSV on standard input
    pub file: PathBuf,
    /// How to read it, and whom to notify.
    #[command(flatten)]
    pub compose: ComposeArgs,
    /// Where to write what became of each row, CSV or .ndjson [default: FILE.results.csv]
    #[arg(long, value_name = "FILE")]
    pub results: Option<PathBuf>,
}

/// What was sent of a batch, before it is filed.
struct Answered {
    batch: Batch,
    outcome: Result<Vec<BulkItem>, ApiError>,
    /// How long each of its requests took that was answered.
    took: Vec<Duration>,
}

/// Runs it.
///
/// # Errors
/// When the file cannot be read at all, the journal fails, or a receipt does not stand under the server's keys.
pub async fn run(args: Args, context: &Context) -> Result<Exit, CliError> {
    let (profile, api) = context.connect()?;
    let _lock = profile.lock(IMPORT)?;
    let known = known(&profile, &api).await?;
    if let Some(error) = known.offline {
        return Err(error.into());
    }
    let parties = Parties::of(&known.trust);
    args.compose.check_parties(&parties)?;
    let table = tabular::open(&args.file, &args.compose.options())?;
    for column in table.mapping.unused() {
        context
            .out
            .note(format!("The column {column} is not read."));
    }
    flush(&profile, &api, &known.trust, context).await?;
    let trust = Arc::new(known.trust);
    let journal = {
        // Whoever opens it first makes its salt.
        let _rows = profile.lock_within(ROWS, ROWS_WAIT)?;
        Arc::new(Mutex::new(Journal::open(&profile)?))
    };
    let results = Results::create(&args.file, args.results.clone(), context)?;
    let mut import = Import {
        api: Arc::new(api),
        trust: Arc::clone(&trust),
        journal: Arc::clone(&journal),
        results,
        stop: Arc::new(AtomicBool::new(false)),
        trouble: None,
        took: Vec::new(),
    };
    let started = Instant::now();
    import.resume().await?;
    // Only now: what was resumed is in the journal, and must not be signed again.
    let rows = Rows::open(&profile, &mut held(&journal))?;
    let signer = Signer {
        settings: args
            .compose
            .settings(known.policy, Some(parties), context)?,
        strict: args.compose.strict,
        confirmed: args.compose.confirm.clone(),
        trust,
        key: profile.signing_key()?,
        desk: own::desk(&profile)?,
        profile,
        clock: context.clock.clone(),
        journal,
        rows,
    };
    import.all(signer, table).await?;
    finish(&mut import, started.elapsed(), context)
}

/// Sends first what waits in the outbox: a row that changed there is revised behind it, not beside it.
async fn flush(
    profile: &Profile,
    api: &Api,
    trust: &Trust,
    context: &Context,
) -> Result<(), CliError> {
    if Outbox::open(profile.dir())?.pending()?.is_empty() {
        return Ok(());
    }
    let flushed = send::flush(profile, api, trust).await?;
    context.out.note(format!(
        "From the outbox: {} sent, {} refused by the server (see herald send --list).",
        flushed.sent.len(),
        flushed.refused.len()
    ));
    flushed.stopped.map_or(Ok(()), |error| Err(error.into()))
}

struct Import {
    api: Arc<Api>,
    trust: Arc<Trust>,
    journal: Arc<Mutex<Journal>>,
    results: Results,
    stop: Arc<AtomicBool>,
    trouble: Option<ApiError>,
    took: Vec<Duration>,
}

impl Import {
    /// Sends first what an earlier run had signed.
    async fn resume(&mut self) -> Result<(), CliError> {
        let unfinished = held(&self.journal).unfinished()?;
        for batch in unfinished {
            let answered = deliver(Arc::clone(&self.api), batch).await;
            self.file(answered)?;
            if self.trouble.is_some() {
                break;
            }
        }
        Ok(())
    }

    /// Reads, signs, sends and files everything.
    async fn all(&mut self, mut signer: Signer, table: tabular::Table) -> Result<(), CliError> {
        if self.trouble.is_some() {
            return Ok(());
        }
        let (ready, mut batches) = mpsc::channel::<Work>(READY_BATCHES);
        let stop = Arc::clone(&self.stop);
        let producer =
            tokio::task::spawn_blocking(move || signer.run(drafts(table), &ready, &stop));
        let mut under_way: JoinSet<Answered> = JoinSet::new();
        let mut over = false;
        let interrupted = tokio::signal::ctrl_c();
        tokio::pin!(interrupted);
        let mut listening = true;
        while !over || !under_way.is_empty() {
            tokio::select! {
                work = batches.recv(), if !over && under_way.len() < UNDER_WAY => match work {
                    Some(work) => self.take(work, &mut under_way)?,
                    None => over = true,
                },
                Some(done) = under_way.join_next() => {
                    let answered = done.map_err(|error| CliError::failed(format!("sending failed: {error}"), "Repeat the command."))?;
                    self.file(answered)?;
                }
                _ = &mut interrupted, if listening => {
                    listening = false;
                    self.stop.store(true, Ordering::Relaxed);
                }
            }
            if self.trouble.is_some() {
                self.stop.store(true, Ordering::Relaxed);
                over = true;
            }
        }
        // What was signed and is not sent any more waits in the spool.
        while let Some(work) = batches.recv().await {
            self.results.waiting(work.items.len());
            self.results.add(work.decided, work.categories)?;
        }
        producer.await.map_err(|error| {
            CliError::failed(format!("composing failed: {error}"), "Repeat the command.")
        })?
    }

    /// Files what is decided already, and sends what is signed and kept.
    fn take(&mut self, work: Work, under_way: &mut JoinSet<Answered>) -> Result<(), CliError> {
        self.results.add(work.decided, work.categories)?;
        if let Some(number) = work.number {
            let batch = Batch {
                number,
                items: work.items,
                envelopes: work.envelopes,
            };
            under_way.spawn(deliver(Arc::clone(&self.api), batch));
        }
        Ok(())
    }

    /// Files the answers to a batch: journal first, then the results, then the batch is forgotten.
    fn file(&mut self, answered: Answered) -> Result<(), CliError> {
        let Answered {
            batch,
            outcome,
            took,
        } = answered;
        self.took.extend(took);
        let answers = match outcome {
            Ok(answers) => answers,
            Err(error) => {
                self.results.waiting(batch.items.len());
                self.trouble = Some(error);
                return Ok(());
            }
        };
        let mut arrived: Vec<(Entry, String)> = Vec::new();
        let mut rows = Vec::new();
        for (item, answer) in batch.items.into_iter().zip(answers) {
            match answer {
                BulkItem::Submitted(submitted) => {
                    self.trust
                        .check_receipt(&submitted.receipt, item.entry.hash)?;
                    rows.push(RowResult::new(item.line, Verdict::Accepted).about(item.entry.nid));
                    arrived.push((item.entry, submitted.receipt));
                }
                BulkItem::Refused { problem, .. } if is_temporary(&problem) => {
                    self.results.waiting(1);
                    self.trouble = Some(ApiError::Problem(problem));
                }
                BulkItem::Refused { problem, .. } => {
                    let why = problem
                        .detail
                        .clone()
                        .unwrap_or_else(|| problem.title.clone());
                    rows.push(
                        RowResult::new(item.line, Verdict::Refused)
                            .saying(format!("{why} {}", problem.action)),
                    );
                }
            }
        }
        held(&self.journal).arrived(&arrived)?;
        self.results.add(rows, Vec::new())?;
        if self.trouble.is_none() {
            held(&self.journal).finished(batch.number)?;
        }
        Ok(())
    }
}

/// The journal, which the one that signs and the one that files share. Both leave it whole at every step.
fn held(journal: &Mutex<Journal>) -> MutexGuard<'_, Journal> {
    journal.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Sends a batch; what the server was too busy for is sent again, the same bytes, a few times.
async fn deliver(api: Arc<Api>, batch: Batch) -> Answered {
    let mut took = Vec::new();
    let outcome = answers(&api, &batch, &mut took).await;
    Answered {
        batch,
        outcome,
        took,
    }
}

async fn answers(
    api: &Api,
    batch: &Batch,
    took: &mut Vec<Duration>,
) -> Result<Vec<BulkItem>, ApiError> {
    let envelopes: Vec<&[u8]> = batch.envelopes.iter().map(Vec::as_slice).collect();
    let mut pause = PAUSE;
    for attempt in 1..=TRIES {
        let asked = Instant::now();
        match api.submit_bulk(&envelopes).await {
            Ok(response) => {
                took.push(asked.elapsed());
                let busy = response.items.iter().any(|item| matches!(item, BulkItem::Refused { problem, .. } if is_temporary(problem)));
                if !busy || attempt == TRIES {
                    return Ok(response.items);
                }
            }
            Err(error) if error.is_temporary() && attempt < TRIES => {}
            Err(error) => return Err(error),
        }
        tokio::time::sleep(pause).await;
        pause *= 2;
    }
    Err(ApiError::Unreachable {
        server: api.server().to_owned(),
        why: "the server stayed busy".to_owned(),
    })
}

/// How long the requests took as this side saw it, for programs: a request is a batch of up to 256 statements.
fn requests(took: &mut [Duration]) -> serde_json::Value {
    took.sort_unstable();
    let at_ms = |percent: usize| {
        let rank = (took.len() * percent).div_ceil(100).saturating_sub(1);
        took.get(rank).map(|took| took.as_secs_f64() * 1_000.0)
    };
    json!({"answered": took.len(), "p50_ms": at_ms(50), "p99_ms": at_ms(99)})
}

fn finish(import: &mut Import, took: Duration, context: &Context) -> Result<Exit, CliError> {
    import.results.close()?;
    let counts = import.results.counts();
    let rate =
        u32::try_from(counts.accepted).map_or(f64::MAX, f64::from) / took.as_secs_f64().max(1e-3);
    let interrupted = import.stop.load(Ordering::Relaxed) && import.trouble.is_none();
    let value = json!({
        "accepted": counts.accepted, "unchanged": counts.unchanged, "refused": counts.refused, "waiting": counts.waiting,
        "warnings": counts.warnings, "seconds": took.as_secs_f64(), "per_second": rate, "interrupted": interrupted,
        "stopped": import.trouble.as_ref().map(ToString::to_string), "results": import.results.path(),
        "categories": import.results.categories(), "requests": requests(&mut import.took),
    });
    context.out.emit(&value, || {
        let mut lines = import.results.category_lines();
        lines.push(format!(
            "{} accepted, {} unchanged, {} refused in {:.1} s: {rate:.0} a second. With a warning: {}.",
            counts.accepted, counts.unchanged, counts.refused, took.as_secs_f64(), count(counts.warnings, "row")
        ));
        lines.push(format!("What became of each row: {}", import.results.path().display()));
        if let Some(error) = &import.trouble {
            lines.push(format!("Stopped: {error}. Signed and waiting: {}; repeat the same command to go on.", count(counts.waiting, "row")));
        } else if interrupted {
            lines.push("Interrupted. Repeat the same command to go on; nothing is sent twice.".to_owned());
        }
        lines.join("\n")
    });
    Ok(match &import.trouble {
        Some(ApiError::Unreachable { .. }) => Exit::Unreachable,
        Some(_) => Exit::Failure,
        None if interrupted => Exit::Failure,
        None if counts.refused > 0 => Exit::Refused,
        None => Exit::Ok,
    })
}
