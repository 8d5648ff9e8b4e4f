//! The chapter of a party that has an e-mail address and nothing else: a package goes out, a letter comes back, and neither is
//! taken for more than it is.

use serde_json::Value;

use super::stage::{Stage, write};
use super::{COORDINATOR, MEDAID};
use crate::cli::error::CliError;
use crate::cli::exit::Exit;

/// The letter, as small as a PDF can be for a story.
const LETTER: &[u8] = b"%PDF-1.4\n% To the coordinator: we have received the list and entered your clinic. Maj. X\n%%EOF\n";

/// A package, and a letter.
pub async fn by_mail(stage: &mut Stage) -> Result<(), CliError> {
    stage.tell.chapter("A party with an e-mail address");
    stage.tell.says(
        "A third party, in the south, has no device and will not have one soon. The coordinator names it by an invite that stays in a \
         drawer. From then on organisations can notify it; what they notify waits for it.",
    );
    let (nid, reference) = notified(stage).await?;
    package(stage, &reference).await?;
    letter(stage, &nid, &reference).await
}

/// A clinic is notified to a party without a device.
async fn notified(stage: &Stage) -> Result<(String, String), CliError> {
    let words = [
        "invite",
        "south",
        "--name",
        "Southern Command (exercise)",
        "--role",
        "party-desk",
        "--person",
        "Liaison South",
    ];
    stage.runs(COORDINATOR, &words).await.ends(Exit::Ok)?;
    let words = [
        "notify",
        "--name",
        "Clinic at Wad Madani",
        "--reference",
        "MA-SOUTH-1",
        "--category",
        "clinic",
        "--country",
        "SDN",
        "--at",
        "14.40123, 33.51989",
        "--party",
        "south:exact",
    ];
    let ran = stage.types(MEDAID, &words).await.ends(Exit::Ok)?;
    stage.tell.said(&ran.lines_with(&["HN-", "signed"]));
    let (nid, reference) = (
        ran.text_at("/signed/0/nid"),
        ran.text_at("/signed/0/reference"),
    );
    Ok((nid, reference))
}

/// The coordinator makes the package, and the organisation is told.
async fn package(stage: &mut Stage, reference: &str) -> Result<(), CliError> {
    stage
        .runs(COORDINATOR, &["listen", "--once"])
        .await
        .ends(Exit::Ok)?;
    let folder = stage.path("for-south").display().to_string();
    let words = [
        "relay",
        "--party",
        "south",
        "--new",
        "--as",
        "xlsx,kml,html",
        "--by",
        "email",
        "--recipient",
        "liaison@south.example",
        "--officer",
        "Ana Lim",
        "--out",
        &folder,
    ];
    let ran = stage.types(COORDINATOR, &words).await.ends(Exit::Ok)?;
    let ran = ran.finds("three files hold the one clinic", |ran| {
        ran.at("/files")
            .as_array()
            .is_some_and(|files| files.len() == 3)
            && ran.at("/relayed/0/reference") == reference
            && ran.at("/relayed/0/tier") == "exact"
    })?;
    stage
        .tell
        .said(&ran.lines_with(&["for south", "herald-south", "recorded"]));
    let again = stage.runs(COORDINATOR, &words).await.ends(Exit::Ok)?;
    again.finds("nothing is relayed twice", |ran| {
        ran.at("/relayed").as_array().is_some_and(Vec::is_empty)
    })?;
    let heard = stage
        .hears(MEDAID, "that it was relayed", |event| {
            event.get("kind").and_then(Value::as_str) == Some("relay")
        })
        .await?;
    stage.tell.says("At Medical Aid:");
    stage.tell.said(&heard.text);
    Ok(())
}

/// The letter comes back, is transcribed, and both stand apart from anything signed.
async fn letter(stage: &mut Stage, nid: &str, reference: &str) -> Result<(), CliError> {
    stage.tell.says(
        "A week later a letter comes back. The coordinator transcribes it; the letter goes along, sealed, under its hash.",
    );
    let letter = stage.path("letter.pdf");
    write(&letter, LETTER)?;
    let letter = letter.display().to_string();
    let words = [
        "ack",
        "transcribe",
        reference,
        "--party",
        "south",
        "--state",
        "entered",
        "--officer",
        "Maj. X",
        "--list",
        "Southern list",
        "--position",
        "14.40123, 33.51989",
        "--from",
        &letter,
    ];
    let ran = stage.types(COORDINATOR, &words).await.ends(Exit::Ok)?;
    stage
        .tell
        .said(&ran.lines_with(&["from a letter", "kept as", "counts neither"]));
    let is_letter = |event: &Value| {
        event
            .pointer("/claims/on_behalf/org")
            .and_then(Value::as_str)
            == Some("south")
    };
    stage
        .hears(MEDAID, "what the letter says", is_letter)
        .await?;
    let ran = stage.types(MEDAID, &["status", reference]).await;
    let ran = ran
        .ends(Exit::Ok)?
        .finds("it is neither signed nor reached", |ran| {
            let party = ran.at("/parties/0");
            let says = |pointer: &str| party.pointer(pointer).and_then(Value::as_bool);
            ran.at("/nid") == nid
                && says("/without_device") == Some(true)
                && says("/relayed/0/latest") == Some(true)
                && says("/acknowledgements/0/transcribed") == Some(true)
                && party.get("fetched_at").is_none()
                && ran.text.contains("nothing signed")
        })?;
    stage
        .tell
        .said(&ran.lines_with(&["south", "relayed", "TRANSCRIBED", "SILENT"]));
    let folder = stage.path("letters").display().to_string();
    let words = ["attachments", reference, "--out", &folder];
    let ran = stage.runs(MEDAID, &words).await.ends(Exit::Ok)?;
    let file = ran.text_at("/letters/0/file");
    if std::fs::read(&file).ok().as_deref() != Some(LETTER) {
        return Err(CliError::failed(
            "the letter that was fetched is not the one that came",
            "Report it.",
        ));
    }
    Ok(())
}
