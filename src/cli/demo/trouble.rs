//! The chapters in which things break, or are very many: the power goes in the middle of the work; a large file.

use std::path::{Path, PathBuf};
use std::time::Duration;

use serde_json::Value;

use super::stage::{Ran, Stage, moment};
use super::{COORDINATOR, EAST_PLANNER, FOODAID};
use crate::cli::error::CliError;
use crate::cli::exit::Exit;
use crate::cli::output::Output;
use crate::cli::profile::io_error;
use crate::domain::plural::count;

/// Nothing new for so long, and the desks have said what they had to say.
const QUIET: Duration = Duration::from_millis(700);
/// How often that is looked for.
const LOOKS: usize = 20;

/// Kills server and database at once, in the middle of the work.
pub async fn the_power_goes(stage: &mut Stage) -> Result<(), CliError> {
    stage.tell.chapter("The power goes");
    stage.tell.says(
        "Food Aid sends one more place. The server stores it and gives its receipt; before Food Aid's machine has written \
         the receipt down, the power goes on both sides (kill -9 of the server and its database at once; the device's \
         outbox is put back to what it held before the answer).",
    );
    let words = [
        "notify",
        "--name",
        "Port Sudan Airport, humanitarian flights",
        "--reference",
        "F-21",
        "--category",
        "airstrip",
        "--country",
        "SDN",
        "--at",
        "19.4336, 37.2341",
        "--party",
        "east:exact",
        "--no-send",
    ];
    let ran = stage
        .types(FOODAID, &words)
        .await
        .ends(Exit::Ok)?
        .finds("it waits", |ran| ran.at("/waiting") == 1)?;
    stage.tell.said(&ran.lines_with(&["HN-", "not sent yet"]));
    let kept = pending(stage)?;
    let sent = stage
        .types(FOODAID, &["send"])
        .await
        .ends(Exit::Ok)?
        .finds("it is new", |ran| ran.at("/sent/0/result") == "accepted")?;
    stage.tell.said(&sent.text);
    let nid = sent.text_at("/sent/0/statement/nid");
    stage
        .hears(
            FOODAID,
            "that the airport reached the eastern desk",
            |event| {
                event.pointer("/claims/items/0/nid").and_then(Value::as_str) == Some(nid.as_str())
            },
        )
        .await?;
    let before = counts_at_rest(stage).await?;
    stage.tell.plain("  operator$ kill -9 SERVER DATABASE");
    stage.server.cut_power().await?;
    put_back(kept)?;
    no_answer(stage).await?;
    let took = stage.server.start().await?;
    stage.tell.says(&format!("The machine starts again. The database recovers by itself; the server is ready after {:.1} s.", took.as_secs_f64()));
    let again = stage.types(FOODAID, &["send"]).await.ends(Exit::Ok)?;
    let again = again.finds("the same bytes are known, at the same position", |ran| {
        ran.at("/sent/0/result") == "known" && ran.at("/sent/0/pos") == sent.at("/sent/0/pos")
    })?;
    stage.tell.said(&again.text);
    compare(stage, &before).await
}

/// What is stored after the kill is what was stored before it.
async fn compare(stage: &Stage, before: &Value) -> Result<(), CliError> {
    let after = counts(stage).await?;
    if *before != after {
        return Err(CliError::failed(
            format!("the kill changed what is stored: {before} became {after}"),
            "Report it.",
        ));
    }
    let number = |pointer: &str| {
        after
            .pointer(pointer)
            .and_then(Value::as_u64)
            .unwrap_or_default()
    };
    stage.tell.says(&format!(
        "Counted before and after: {} up to position {}; {}, {}, {}. Nothing with a receipt was lost, nothing is there twice.",
        count(after.get("statements").and_then(Value::as_object).map_or(0, |all| all.values().filter_map(Value::as_u64).sum::<u64>()), "statement"),
        number("/head"), count(number("/statements/site"), "site revision"), count(number("/statements/movement"), "movement revision"), count(number("/statements/ack"), "acknowledgement"),
    ));
    Ok(())
}

/// A planner who gets no answer is told to treat it as a conflict.
async fn no_answer(stage: &Stage) -> Result<(), CliError> {
    stage
        .tell
        .says("A planner who asks just now gets no answer, and is told what that means:");
    let ran = stage
        .types(
            EAST_PLANNER,
            &["check", "42SVF8769463602", "--radius", "500"],
        )
        .await
        .ends(Exit::Indeterminate)?;
    let ran = ran.finds("it is to be treated as a conflict", |ran| {
        ran.text.contains("TREAT AS CONFLICT")
    })?;
    let ran = ran.finds("the number to call is known without the server", |ran| {
        ran.at("/call") == "+41225550100"
    })?;
    stage.tell.said(&ran.text);
    Ok(())
}

/// The counts, once the listening desks have said what they say by themselves: that too must survive.
async fn counts_at_rest(stage: &Stage) -> Result<Value, CliError> {
    let mut before = counts(stage).await?;
    for _ in 0..LOOKS {
        tokio::time::sleep(QUIET).await;
        let now = counts(stage).await?;
        if now == before {
            break;
        }
        before = now;
    }
    Ok(before)
}

async fn counts(stage: &Stage) -> Result<Value, CliError> {
    let ran: Ran = stage
        .runs(COORDINATOR, &["statistics"])
        .await
        .ends(Exit::Ok)?;
    Ok(ran.at("").clone())
}

/// The files that wait in Food Aid's outbox, as they are now, and where the sent ones will stand.
struct Kept {
    pending: Vec<(PathBuf, Vec<u8>)>,
    sent: PathBuf,
}

fn pending(stage: &Stage) -> Result<Kept, CliError> {
    let outbox = stage.profile(FOODAID).join("outbox");
    let dir = outbox.join("pending");
    let mut pending = Vec::new();
    for entry in std::fs::read_dir(&dir).map_err(io_error(&dir, "read"))? {
        let path = entry.map_err(io_error(&dir, "read"))?.path();
        let bytes = std::fs::read(&path).map_err(io_error(&path, "read"))?;
        pending.push((path, bytes));
    }
    Ok(Kept {
        pending,
        sent: outbox.join("sent"),
    })
}

/// The outbox as it was before the answer: waiting again, not known to be sent.
fn put_back(kept: Kept) -> Result<(), CliError> {
    for (path, bytes) in kept.pending {
        if let Some(name) = path.file_name() {
            let sent = kept.sent.join(name);
            std::fs::remove_file(&sent).map_err(io_error(&sent, "removed"))?;
        }
        super::stage::write(&path, &bytes)?;
    }
    Ok(())
}

/// All of a large file.
pub async fn a_large_file(stage: &mut Stage, data: &Path) -> Result<(), CliError> {
    stage.tell.chapter("A large file");
    stage.tell.says(
        "Every row becomes a notification of its own: signed, its parts sealed, stored with a receipt that is checked. \
         Client, server and database share this machine. (The desks do not listen now: they fetch it when they like.)",
    );
    stage.all_hang_up();
    let results = stage.path("large.results.csv").display().to_string();
    let file = data.display().to_string();
    let words = [
        "import",
        &file,
        "--party",
        "east:exact",
        "--party",
        "west:cell",
        "--results",
        &results,
        // A published list, taken as it is.
        "--confirm",
        "all",
    ];
    stage
        .tell
        .command(FOODAID, &words.map(|word| stage.as_typed(word)));
    let live = Output::to(false, std::io::sink(), std::io::stderr());
    let (exit, documents) = stage.runs_live(FOODAID, &words, live).await;
    let Some(done) = documents.last() else {
        return Err(CliError::failed("the import said nothing", "Report it."));
    };
    let number = |name: &str| done.get(name).and_then(Value::as_f64).unwrap_or_default();
    if number("accepted") < 1.0 || !matches!(exit, Exit::Ok | Exit::Refused) {
        return Err(CliError::failed(
            format!("the import did not end as it should: {done}"),
            "See the server's log.",
        ));
    }
    stage.tell.said(&format!(
        "{:.0} accepted, {:.0} unchanged (the same place twice in the file), {:.0} refused, {:.0} with a remark, in {}: {:.0} a second",
        number("accepted"),
        number("unchanged"),
        number("refused"),
        number("warnings"),
        moment(Duration::from_secs_f64(number("seconds").max(0.0))),
        number("per_second"),
    ));
    Ok(())
}
