//! The command `send`, and the sending that `notify` shares with it: everything that waits in the outbox goes out, calls for
//! help first and one by one, then the others in the order signed, with the exact bytes, in batches; each is filed with its receipt or its refusal.

use std::iter::Peekable;

use serde_json::{Value, json};

use super::api::{Api, ApiError, BATCH_BYTES, BATCH_ITEMS};
use super::error::{CliError, problem_text};
use super::exit::Exit;
use super::outbox::{Meta, Outbox, OutboxId};
use super::profile::Profile;
use super::rows::Entry;
use super::upload;
use super::words::kind_words;
use super::{Context, journal};
use crate::wire::api::{BulkItem, Submitted, SubmittedResult};
use crate::wire::problem::ProblemBody;
use crate::wire::trust::Trust;

const EXAMPLES: &str = "\
Examples:
  herald send
  herald send --list

Sending again does no harm: the same bytes get the same receipt, whatever their age.";

/// Refused items that are listed.
const LISTED: usize = 20;

/// Arguments.
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub struct Args {
    /// Only show what waits and what was refused
    #[arg(long)]
    pub list: bool,
}

/// What became of what waited.
#[derive(Debug, Default)]
pub struct Flushed {
    /// What arrived, with its receipt.
    pub sent: Vec<(Meta, Submitted)>,
    /// What the server refused.
    pub refused: Vec<(Meta, ProblemBody)>,
    /// How much still waits.
    pub waiting: usize,
    /// Why it waits.
    pub stopped: Option<ApiError>,
}

impl Flushed {
    /// The exit code that says it.
    pub const fn exit(&self) -> Exit {
        match &self.stopped {
            Some(ApiError::Unreachable { .. }) => Exit::Unreachable,
            Some(_) => Exit::Failure,
            None if self.refused.is_empty() => Exit::Ok,
            None => Exit::Refused,
        }
    }
}

/// Runs it.
///
/// # Errors
/// When the outbox cannot be read, or a receipt does not stand under the server's keys.
pub async fn run(args: Args, context: &Context) -> Result<Exit, CliError> {
    let (profile, api) = context.connect()?;
    let outbox = Outbox::open(profile.dir())?;
    if args.list {
        list(context, &outbox)?;
        return Ok(Exit::Ok);
    }
    if outbox.pending()?.is_empty() {
        context
            .out
            .emit(&json!({"sent": [], "refused": [], "waiting": 0}), || {
                "Nothing waits in the outbox.".to_owned()
            });
        return Ok(Exit::Ok);
    }
    let trust = match super::composing::known(&profile, &api).await {
        Ok(known) => known.trust,
        Err(CliError::Api(error @ ApiError::Unreachable { .. })) => {
            let flushed = Flushed {
                waiting: outbox.pending()?.len(),
                stopped: Some(error),
                ..Flushed::default()
            };
            show(context, &flushed);
            return Ok(flushed.exit());
        }
        Err(error) => return Err(error),
    };
    let flushed = flush(&profile, &api, &trust).await?;
    show(context, &flushed);
    Ok(flushed.exit())
}

/// Sends everything that waits, calls for help first, the others in the order signed. Stops where the line does.
///
/// # Errors
/// When the outbox fails, or a receipt does not stand under the server's keys: then the item keeps waiting.
pub async fn flush(profile: &Profile, api: &Api, trust: &Trust) -> Result<Flushed, CliError> {
    let _lock = profile.lock("send")?;
    let outbox = Outbox::open(profile.dir())?;
    let mut flushed = Flushed::default();
    let (calls, others): (Vec<_>, Vec<_>) = outbox
        .pending()?
        .into_iter()
        .partition(|(_, meta)| meta.kind.is_call());
    for (id, meta) in calls {
        let bytes = outbox.bytes(&id)?;
        if let Err(error) = send_batch(
            profile,
            &outbox,
            api,
            trust,
            &[(id, meta, bytes)],
            &mut flushed,
        )
        .await?
        {
            flushed.stopped = Some(error);
            flushed.waiting = outbox.pending()?.len();
            return Ok(flushed);
        }
    }
    let mut pending = others.into_iter().peekable();
    while pending.peek().is_some() && flushed.stopped.is_none() {
        let batch = next_batch(&outbox, api, &mut pending, &mut flushed).await?;
        if batch.is_empty() {
            continue;
        }
        if let Err(error) = send_batch(profile, &outbox, api, trust, &batch, &mut flushed).await? {
            flushed.stopped = Some(error);
        }
    }
    flushed.waiting = outbox.pending()?.len();
    Ok(flushed)
}

/// What goes out together next. An item with attachments begins a batch, for what was signed before it does not wait for
/// them; it comes once their contents have arrived, or is filed with the reason why they are refused. The batch may be
/// empty.
async fn next_batch(
    outbox: &Outbox,
    api: &Api,
    pending: &mut Peekable<impl Iterator<Item = (OutboxId, Meta)>>,
    flushed: &mut Flushed,
) -> Result<Vec<(OutboxId, Meta, Vec<u8>)>, CliError> {
    let mut batch = Vec::new();
    let mut size = 0;
    while let Some((id, meta)) = pending.next_if(|(_, meta)| {
        batch.len() < BATCH_ITEMS && (batch.is_empty() || meta.blobs.is_empty())
    }) {
        match upload::all(api, outbox, &meta.blobs).await? {
            Ok(()) => {}
            Err(ApiError::Problem(problem)) if !is_temporary(&problem) => {
                file_refused(outbox, &id, &meta, *problem, flushed)?;
                continue;
            }
            Err(error) => {
                flushed.stopped = Some(error);
                return Ok(Vec::new());
            }
        }
        let bytes = outbox.bytes(&id)?;
        size += bytes.len() + 4;
        batch.push((id, meta, bytes));
        if size + crate::wire::envelope::MAX_ENVELOPE > BATCH_BYTES {
            break;
        }
    }
    Ok(batch)
}

/// Sends a batch and files each item. The inner error ends the sending; nothing is lost by it.
async fn send_batch(
    profile: &Profile,
    outbox: &Outbox,
    api: &Api,
    trust: &Trust,
    batch: &[(OutboxId, Meta, Vec<u8>)],
    flushed: &mut Flushed,
) -> Result<Result<(), ApiError>, CliError> {
    if let [(id, meta, bytes)] = batch {
        match api.submit_of(meta.kind, bytes).await {
            Ok(submitted) => file_sent(profile, outbox, trust, id, meta, submitted, flushed)?,
            Err(ApiError::Problem(problem)) if !is_temporary(&problem) => {
                file_refused(outbox, id, meta, *problem, flushed)?;
            }
            Err(error) => return Ok(Err(error)),
        }
        return Ok(Ok(()));
    }
    let envelopes: Vec<&[u8]> = batch.iter().map(|(_, _, bytes)| bytes.as_slice()).collect();
    let response = match api.submit_bulk(&envelopes).await {
        Ok(response) => response,
        Err(error) => return Ok(Err(error)),
    };
    let mut waits = None;
    for ((id, meta, _), item) in batch.iter().zip(response.items) {
        match item {
            BulkItem::Submitted(submitted) => {
                file_sent(profile, outbox, trust, id, meta, *submitted, flushed)?;
            }
            BulkItem::Refused { problem, .. } if is_temporary(&problem) => {
                waits = Some(ApiError::Problem(problem));
            }
            BulkItem::Refused { problem, .. } => file_refused(outbox, id, meta, *problem, flushed)?,
        }
    }
    Ok(waits.map_or(Ok(()), Err))
}

/// Whether the same bytes may be taken a little later.
pub fn is_temporary(problem: &ProblemBody) -> bool {
    matches!(problem.status, 408 | 429 | 500 | 502..=504)
}

fn file_sent(
    profile: &Profile,
    outbox: &Outbox,
    trust: &Trust,
    id: &OutboxId,
    meta: &Meta,
    submitted: Submitted,
    flushed: &mut Flushed,
) -> Result<(), CliError> {
    trust.check_receipt(&submitted.receipt, meta.hash)?;
    // The journal first: until both are written the row counts from the outbox, and is filed again.
    if let Some(entry) = Entry::of_meta(meta) {
        journal::file(profile, &entry)?;
    }
    outbox.mark_sent(id, &submitted)?;
    flushed.sent.push((meta.clone(), submitted));
    Ok(())
}

fn file_refused(
    outbox: &Outbox,
    id: &OutboxId,
    meta: &Meta,
    problem: ProblemBody,
    flushed: &mut Flushed,
) -> Result<(), CliError> {
    outbox.mark_refused(id, &problem)?;
    flushed.refused.push((meta.clone(), problem));
    Ok(())
}

/// What an item is, for people.
fn label(meta: &Meta) -> String {
    let about = meta
        .nid
        .map(|nid| format!(" {}", nid.reference()))
        .unwrap_or_default();
    let rev = meta
        .rev
        .map(|rev| format!(", revision {rev}"))
        .unwrap_or_default();
    format!("{}{about}{rev}", kind_words(meta.kind))
}

fn item(meta: &Meta) -> Value {
    json!({
        "kind": meta.kind, "hash": meta.hash, "nid": meta.nid, "rev": meta.rev,
        "reference": meta.nid.map(crate::domain::ids::Nid::reference),
    })
}

/// Shows what became of what waited.
pub fn show(context: &Context, flushed: &Flushed) {
    let sent: Vec<Value> = flushed.sent.iter().map(|(meta, submitted)| json!({"statement": item(meta), "result": submitted.result, "pos": submitted.pos})).collect();
    let refused: Vec<Value> = flushed
        .refused
        .iter()
        .map(|(meta, problem)| json!({"statement": item(meta), "problem": problem}))
        .collect();
    let value = json!({
        "sent": sent, "refused": refused, "waiting": flushed.waiting,
        "stopped": flushed.stopped.as_ref().map(ToString::to_string),
    });
    context.out.emit(&value, || {
        let mut lines = Vec::new();
        for (meta, submitted) in &flushed.sent {
            let how = match submitted.result {
                SubmittedResult::Accepted => "received by the server",
                SubmittedResult::Known => "had arrived before",
            };
            lines.push(format!(
                "{}: {how}, position {}; receipt kept",
                label(meta),
                submitted.pos
            ));
            lines.extend(submitted.remarks.iter().map(|remark| format!("  {remark}")));
        }
        for (meta, problem) in &flushed.refused {
            lines.push(format!(
                "{}: {}\n  {}",
                label(meta),
                problem_text(problem),
                problem.action
            ));
        }
        if flushed.waiting > 0 {
            let why = flushed
                .stopped
                .as_ref()
                .map(|error| format!(": {error}"))
                .unwrap_or_default();
            lines.push(format!(
                "{} not sent yet{why}. It is kept, exactly as signed; send it with: herald send",
                flushed.waiting
            ));
        }
        lines.join("\n")
    });
}

fn list(context: &Context, outbox: &Outbox) -> Result<(), CliError> {
    let pending = outbox.pending()?;
    let refused = outbox.refused(LISTED)?;
    let value = json!({
        "waiting": pending.iter().map(|(_, meta)| item(meta)).collect::<Vec<_>>(),
        "refused": refused.iter().map(|refused| json!({"statement": item(&refused.meta), "problem": refused.problem})).collect::<Vec<_>>(),
    });
    context.out.emit(&value, || {
        let mut lines = vec![format!("{} waiting", pending.len())];
        lines.extend(pending.iter().map(|(_, meta)| {
            format!(
                "  {}, signed {}",
                label(meta),
                crate::spatial::parse::format_rfc3339(meta.at)
            )
        }));
        if !refused.is_empty() {
            lines.push("Refused by the server, newest first:".to_owned());
            lines.extend(
                refused.iter().map(|refused| {
                    format!("  {}: {}", label(&refused.meta), refused.problem.title)
                }),
            );
        }
        lines.join("\n")
    });
    Ok(())
}
