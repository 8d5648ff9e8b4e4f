//! The chapters after a notification was sent: the coordinator speaks for one who cannot sign yet, time passes over a silent
//! party, and a convoy is late.

use serde_json::Value;
use time::{Duration, OffsetDateTime};

use super::checks::NEAR_THE_ROAD;
use super::notifying::{departure, typed};
use super::stage::{Stage, write};
use super::{COORDINATOR, EAST, EAST_PLANNER, FOODAID, WEST};
use crate::cli::error::CliError;
use crate::cli::exit::Exit;

/// How long from now the silent party's convoy sets out.
const SOON: Duration = Duration::seconds(8);

/// The coordinator notifies for an organisation that has no device.
pub async fn for_those_who_cannot_sign(stage: &mut Stage) -> Result<(), CliError> {
    stage.tell.chapter("For those who cannot sign yet");
    stage.tell.says(
        "On the first day the coordinator is the only one enrolled, and organisations write e-mails. It notifies on their \
         behalf: the hash of the e-mail stands in what it signs, and the organisation can take it over later.",
    );
    let ran = stage
        .runs(
            COORDINATOR,
            &[
                "invite",
                "clinicaid",
                "--name",
                "Clinic Aid (exercise)",
                "--role",
                "organisation",
                "--person",
                "Noor Saleh",
            ],
        )
        .await;
    ran.ends(Exit::Ok)?;
    let letter = stage.path("from-clinicaid.eml");
    write(
        &letter,
        b"From: Noor Saleh\nPlease notify our mobile clinic at the school of Kassala.\n",
    )?;
    let letter = letter.display().to_string();
    let words = [
        "notify",
        "--on-behalf-of",
        "clinicaid",
        "--letter",
        &letter,
        "--name",
        "Kassala school, mobile clinic",
        "--reference",
        "CA-1",
        "--category",
        "mobile_clinic",
        "--country",
        "SDN",
        "--at",
        "15.45099, 36.39998",
        "--party",
        "east:exact",
    ];
    let ran = stage.types(COORDINATOR, &words).await.ends(Exit::Ok)?;
    let nid = ran.text_at("/signed/0/nid");
    stage.tell.said(&ran.lines_with(&["HN-", "signed"]));
    let heard = stage
        .hears(EAST, "the clinic", |event| {
            event.get("nid").and_then(Value::as_str) == Some(nid.as_str())
        })
        .await?;
    if heard
        .event
        .pointer("/claims/on_behalf/org")
        .and_then(Value::as_str)
        != Some("clinicaid")
    {
        return Err(CliError::failed(
            "the eastern desk was not told on whose behalf it is",
            "Report it.",
        ));
    }
    let reference = heard.event.get("reference").and_then(Value::as_str);
    let reference = reference.unwrap_or_default().to_owned();
    let ran = stage.types(COORDINATOR, &["status", &reference]).await;
    let ran = ran.ends(Exit::Ok)?.finds("it is marked", |ran| {
        ran.text.contains("not signed by the organisation")
    })?;
    stage.tell.said(&ran.lines_with(&["HN-", "behalf"]));
    Ok(())
}

/// A silent party, its certificate, and a convoy that is late.
pub async fn time_passes(stage: &mut Stage) -> Result<(), CliError> {
    stage.tell.chapter("Time passes");
    stage.tell.says(
        "Food Aid has told the western party of a truck that sets out in a few seconds, for the sake of this story. The western desk's \
         device has it; no officer says a word. Meanwhile convoy 7 is held up:",
    );
    let now = stage.clock.now();
    let silent = truck(stage, now + SOON).await?;
    late(stage).await?;
    stage.tell.says("The truck sets out. What the server has said by then, by itself and signed, to Food Aid, the coordinator and the western desk alike:");
    let is_certificate = |event: &Value| {
        event.pointer("/parts/detail/event").and_then(Value::as_str) == Some("no_acknowledgement")
            && event
                .pointer("/parts/detail/items/0/nid")
                .and_then(Value::as_str)
                == Some(silent.as_str())
    };
    let heard = stage
        .hears(FOODAID, "the certificate of silence", is_certificate)
        .await?;
    stage.tell.said(&heard.text);
    stage
        .hears(WEST, "the certificate of silence", is_certificate)
        .await?;
    for percent in [25, 50, 75] {
        stage
            .hears(
                FOODAID,
                "that a part of the lead time has passed",
                |event| {
                    event
                        .pointer("/parts/detail/lead_percent")
                        .and_then(Value::as_u64)
                        == Some(percent)
                },
            )
            .await?;
    }
    stage.tell.says(
        "It was said at 25, 50 and 75 % of the lead time before. Silence changes no one's protection; it is only no longer unseen.",
    );
    Ok(())
}

/// A movement to the western party that begins at `depart`; its id.
async fn truck(stage: &Stage, depart: OffsetDateTime) -> Result<String, CliError> {
    let first = format!("Kassala = 15.45099, 36.39998 @ {}", typed(depart));
    let last = format!(
        "Gedaref = 14.03493, 35.38344 @ {} ±30m",
        typed(depart + Duration::hours(3))
    );
    let words = [
        "notify",
        "--name",
        "Truck to Gedaref",
        "--reference",
        "TRUCK-3",
        "--category",
        "food_distribution",
        "--country",
        "SDN",
        "--waypoint",
        &first,
        "--waypoint",
        &last,
        "--party",
        "west:exact",
    ];
    let ran = stage.runs(FOODAID, &words).await.ends(Exit::Ok)?;
    Ok(ran.text_at("/signed/0/nid"))
}

/// Convoy 7 says that it is late, and counts an hour later too.
async fn late(stage: &Stage) -> Result<(), CliError> {
    let convoy = stage.noted("CONVOY-7").await?;
    let ran = stage
        .types(FOODAID, &["progress", &convoy.reference, "--delayed", "1h"])
        .await
        .ends(Exit::Ok)?;
    stage.tell.said(&ran.text);
    let heard = stage
        .hears(EAST, "that the convoy is late", |event| {
            event
                .pointer("/parts/progress/step")
                .and_then(Value::as_str)
                == Some("delayed")
        })
        .await?;
    stage.tell.says("The eastern desk hears:");
    stage.tell.said(&heard.text);
    let later = typed(departure(stage.clock.now()) + Duration::minutes(130));
    let words = [
        "check",
        NEAR_THE_ROAD,
        "--radius",
        "8000",
        "--from",
        &later,
        "--for",
        "10m",
    ];
    stage
        .tell
        .says("The planner asks again about the hour at which the road was empty before:");
    let ran = stage.types(EAST_PLANNER, &words).await;
    let ran = ran
        .ends(Exit::Conflict)?
        .finds("it is the delayed convoy", |ran| {
            ran.at("/answer/hits/0/reference") == convoy.reference.as_str()
                && ran.text.contains("DELAYED")
        })?;
    stage
        .tell
        .said(&ran.lines_with(&["CONFLICT", "HN-", "DELAYED"]));
    Ok(())
}
