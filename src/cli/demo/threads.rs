//! The chapters of the two-way street: a party asks and the organisation amends; a crew calls for help and is answered.

use serde_json::Value;

use super::notifying::road;
use super::stage::{Stage, moment};
use super::{COORDINATOR, EAST, FOODAID};
use crate::cli::error::CliError;
use crate::cli::exit::Exit;

/// A question, and an amendment as its answer.
pub async fn a_question(stage: &mut Stage) -> Result<(), CliError> {
    stage.tell.chapter("A question, and an answer");
    stage.tell.says(
        "Notification is a two-way street. The eastern party asks; Food Aid amends, and says so. The question waits in the \
         open until then, and has a time.",
    );
    let convoy = stage.noted("CONVOY-7").await?;
    let words = [
        "ack",
        &convoy.reference,
        "--queried",
        "--officer",
        "Maj. Karim",
        "--question",
        "which of the two roads out of Khartoum?",
        "--ask",
        "clarify",
    ];
    let ran = stage.types(EAST, &words).await.ends(Exit::Ok)?;
    stage.tell.said(&ran.text);
    let is_question = |event: &Value| {
        event.pointer("/parts/detail/items/0/question").is_some()
            && event.pointer("/claims/items/0/nid").and_then(Value::as_str)
                == Some(convoy.nid.as_str())
    };
    let heard = stage.hears(FOODAID, "the question", is_question).await?;
    stage
        .tell
        .says(&format!("At Food Aid, {} later:", moment(heard.after)));
    stage.tell.said(&heard.text);
    amend(stage, &convoy.reference).await?;
    let words = [
        "reply",
        &convoy.reference,
        "--amended",
        "2",
        "--text",
        "by the road west of the river; it is in the note",
    ];
    let ran = stage.types(FOODAID, &words).await.ends(Exit::Ok)?;
    stage.tell.said(&ran.text);
    let heard = stage
        .hears(EAST, "the reply", |event| {
            event.get("kind").and_then(Value::as_str) == Some("reply")
        })
        .await?;
    stage.tell.says("The eastern desk hears:");
    stage.tell.said(&heard.text);
    let ran = stage.runs(FOODAID, &["threads"]).await.ends(Exit::Ok)?;
    ran.finds("nothing waits for a reply", |ran| {
        !ran.text.contains(&convoy.reference)
    })?;
    Ok(())
}

/// The second revision of the convoy, with what was asked for in its note.
async fn amend(stage: &Stage, reference: &str) -> Result<(), CliError> {
    let [first, last] = road(stage.clock.now());
    let words = [
        "notify",
        "--revise",
        reference,
        "--name",
        "Food convoy 7",
        "--reference",
        "CONVOY-7",
        "--category",
        "food_distribution",
        "--country",
        "SDN",
        "--waypoint",
        &first,
        "--waypoint",
        &last,
        "--buffer",
        "0",
        "--party",
        "east:exact",
        "--note",
        "By the road west of the river.",
    ];
    let ran = stage.types(FOODAID, &words).await.ends(Exit::Ok)?;
    let ran = ran.finds("it is the second revision", |ran| {
        ran.at("/signed/0/rev") == 2
    })?;
    stage.tell.said(&ran.lines_with(&["revision 2"]));
    Ok(())
}

/// A crew calls, an officer answers, the organisation says how it ended.
pub async fn a_call_for_help(stage: &mut Stage) -> Result<(), CliError> {
    stage.tell.chapter("A call for help");
    stage.tell.says(
        "The crew of convoy 7 is stopped. Its office calls: the numbers to telephone come first, from this machine alone; then the \
         call goes ahead of everything else to those who were told of the convoy, and to the coordinator. It stays open until an \
         officer answers and Food Aid says how it ended.",
    );
    let convoy = stage.noted("CONVOY-7").await?;
    let words = [
        "distress",
        &convoy.reference,
        "--text",
        "stopped at gunpoint, four people",
        "--phone",
        "+249900000001",
        "--people",
        "4",
    ];
    let ran = stage.types(FOODAID, &words).await.ends(Exit::Ok)?;
    stage.tell.said(&ran.text);
    let is_call = |event: &Value| event.get("kind").and_then(Value::as_str) == Some("distress");
    let heard = stage.hears(EAST, "the call", is_call).await?;
    stage
        .tell
        .says(&format!("The eastern desk, {} later:", moment(heard.after)));
    stage.tell.said(&heard.text);
    let call = heard.event.get("reference").and_then(Value::as_str);
    let call = call.unwrap_or_default().to_owned();
    let ran = stage.runs(COORDINATOR, &["queue"]).await.ends(Exit::Ok)?;
    ran.finds("the coordinator sees the call", |ran| {
        ran.text.contains(&call)
    })?;
    let words = [
        "respond",
        &call,
        "--officer",
        "Maj. Karim",
        "--phone",
        "+249900000777",
        "--text",
        "we have called the checkpoint",
    ];
    let ran = stage.types(EAST, &words).await.ends(Exit::Ok)?;
    stage.tell.said(&ran.text);
    let heard = stage
        .hears(FOODAID, "who answers", |event| {
            event.get("kind").and_then(Value::as_str) == Some("respond")
        })
        .await?;
    stage.tell.says("At Food Aid:");
    stage.tell.said(&heard.text);
    let words = [
        "resolve",
        &call,
        "--outcome",
        "over",
        "--text",
        "all four are on their way",
    ];
    let ran = stage.types(FOODAID, &words).await.ends(Exit::Ok)?;
    stage.tell.said(&ran.text);
    stage
        .hears(EAST, "how it ended", |event| {
            event.get("kind").and_then(Value::as_str) == Some("resolve")
        })
        .await?;
    Ok(())
}
