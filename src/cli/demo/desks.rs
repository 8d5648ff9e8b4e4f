//! The chapters at the desks: the coordinator screens, and the parties give their word.

use serde_json::Value;

use super::stage::{Noted, Stage, moment};
use super::{COORDINATOR, EAST, MEDAID};
use crate::cli::error::CliError;
use crate::cli::exit::Exit;

/// What is screened here, by the organisations' own references; the rest waits, as it would.
const SCREENED: [&str; 5] = [
    "URUM-2016",
    "DEIR-AL-BALAH-2024",
    "M-01",
    "M-02",
    "CONVOY-7",
];

/// Some are screened, one is returned, and revised.
pub async fn screening(stage: &mut Stage) -> Result<(), CliError> {
    stage.tell.chapter("The coordinator screens");
    stage.tell.says(
        "Screened says what was looked at: form, coordinates, sender. It never says that something is true. What nobody \
         has looked at yet counts in every check all the same, flagged: emergencies and nights do not wait for an office.",
    );
    stage
        .runs(COORDINATOR, &["listen", "--once"])
        .await
        .ends(Exit::Ok)?;
    let kunduz = stage.noted("KUNDUZ-2015").await?;
    let ran = stage
        .types(
            COORDINATOR,
            &[
                "screen",
                &kunduz.reference,
                "--looked-at",
                "form,coordinates,sender",
            ],
        )
        .await
        .ends(Exit::Ok)?;
    stage.tell.said(&ran.text);
    for own in SCREENED {
        let reference = stage.noted(own).await?.reference;
        stage
            .runs(
                COORDINATOR,
                &["screen", &reference, "--looked-at", "form,coordinates"],
            )
            .await
            .ends(Exit::Ok)?;
    }
    stage.tell.says(&format!(
        "{} more are screened. One goes back with a reason:",
        SCREENED.len()
    ));
    let abs = stage.noted("ABS-2016").await?;
    let reason =
        "/properties/marking: say what is painted on the roof, and whether it shows at night";
    let ran = stage
        .types(COORDINATOR, &["return", &abs.reference, "--reason", reason])
        .await
        .ends(Exit::Ok)?;
    stage.tell.said(&ran.text);
    let heard = stage
        .hears(MEDAID, "that Abs was returned", |event| {
            event.get("nid").and_then(Value::as_str) == Some(abs.nid.as_str())
                && event.pointer("/claims/result").and_then(Value::as_str) == Some("returned")
        })
        .await?;
    stage.tell.says(&format!(
        "Medical Aid hears it {} later, and revises:",
        moment(heard.after)
    ));
    stage.tell.said(&heard.text);
    revise(stage, &abs.reference).await
}

async fn revise(stage: &mut Stage, reference: &str) -> Result<(), CliError> {
    let ran = stage
        .types(
            MEDAID,
            &[
                "notify",
                "--revise",
                reference,
                "--category",
                "hospital",
                "--name",
                "Abs Hospital",
                "--name-local",
                "مستشفى عبس",
                "--reference",
                "ABS-2016",
                "--at",
                "16.0034, 43.19697",
                "--country",
                "YEM",
                "--buffer",
                "500",
                "--marking",
                "red logo on the roof, 6 m",
                "--infrared",
                "no",
                "--party",
                "east:exact",
                "--party",
                "west:on_check",
            ],
        )
        .await
        .ends(Exit::Ok)?
        .finds("it is the second revision", |ran| {
            ran.at("/signed/0/rev") == 2
        })?;
    stage.tell.said(&ran.lines_with(&["HN-"]));
    stage
        .runs(COORDINATOR, &["listen", "--once"])
        .await
        .ends(Exit::Ok)?;
    let ran = stage
        .types(
            COORDINATOR,
            &[
                "screen",
                reference,
                "--looked-at",
                "form,coordinates,sender",
            ],
        )
        .await
        .ends(Exit::Ok)?;
    stage.tell.said(&ran.text);
    stage.tell.says("Until the new revision is screened and delivered, both count: an object is never lost between two revisions.");
    Ok(())
}

/// Whether an event is the eastern party's word in a state on a notification.
fn is_ack<'a>(nid: &'a str, state: &'a str) -> impl Fn(&Value) -> bool + 'a {
    move |event| {
        let signer = event.get("iss").and_then(Value::as_str);
        if !signer.is_some_and(|signer| signer.starts_with("east/")) {
            return false;
        }
        let items = event.pointer("/claims/items").and_then(Value::as_array);
        items.into_iter().flatten().any(|item| {
            item.get("nid").and_then(Value::as_str) == Some(nid)
                && item.get("state").and_then(Value::as_str) == Some(state)
        })
    }
}

/// Live acknowledgements, and one position entered elsewhere.
pub async fn a_party_s_word(stage: &mut Stage) -> Result<(), CliError> {
    stage.tell.chapter("The party's word, live");
    stage.tell.says(
        "A list that the crew does not have helps nobody. So the party says step by step how far it got: reached its \
         liaison device (a machine's word), received by a named officer, entered on its own list with the position as it \
         stands there. Each is signed. None is approval; silence is shown as silence.",
    );
    let kunduz = stage.noted("KUNDUZ-2015").await?;
    let heard = stage
        .hears(
            MEDAID,
            "that the Trauma Centre reached the eastern desk",
            is_ack(&kunduz.nid, "reached_desk"),
        )
        .await?;
    stage
        .tell
        .says("Medical Aid listens too, and had already heard:");
    stage.tell.said(&head(&heard.text, 2));
    let ran = stage
        .types(
            EAST,
            &[
                "ack",
                &kunduz.reference,
                "--received",
                "--officer",
                "Maj. Karim",
            ],
        )
        .await
        .ends(Exit::Ok)?;
    stage.tell.said(&ran.text);
    let heard = stage
        .hears(
            MEDAID,
            "the officer's word",
            is_ack(&kunduz.nid, "received"),
        )
        .await?;
    stage
        .tell
        .says(&format!("At Medical Aid, {} later:", moment(heard.after)));
    stage.tell.said(&heard.text);
    entered(stage, &kunduz).await?;
    entered_elsewhere(stage).await?;
    stage
        .tell
        .says("One page says who has it and who is silent:");
    let ran = stage
        .types(MEDAID, &["status", &kunduz.reference])
        .await
        .ends(Exit::Ok)?;
    let ran = ran.finds("the eastern party entered it", |ran| {
        ran.text.contains("entered on the party's own list")
    })?;
    stage.tell.said(&without_note(&ran.text));
    Ok(())
}

/// Entered where it was notified.
async fn entered(stage: &Stage, kunduz: &Noted) -> Result<(), CliError> {
    let words = [
        "ack",
        &kunduz.reference,
        "--entered",
        "--officer",
        "Maj. Karim",
        "--list",
        "NSL North",
        "--number",
        "114",
        "--at",
        "42S VF 87694 63602",
    ];
    let ran = stage.types(EAST, &words).await.ends(Exit::Ok)?;
    stage.tell.said(&head(&ran.text, 1));
    stage
        .hears(
            MEDAID,
            "that it was entered",
            is_ack(&kunduz.nid, "entered"),
        )
        .await?;
    Ok(())
}

async fn entered_elsewhere(stage: &mut Stage) -> Result<(), CliError> {
    stage.tell.says(
        "The second is entered from a gazetteer, which has the point of the town: 1.6 km from the warehouse at which an aid \
         convoy was hit in 2016. Herald compares what was entered with what was notified, and tells both.",
    );
    let urum = stage.noted("URUM-2016").await?;
    let words = [
        "ack",
        &urum.reference,
        "--entered",
        "--officer",
        "Maj. Karim",
        "--list",
        "NSL North",
        "--number",
        "115",
        "--at",
        "36.15, 36.95",
    ];
    let ran = stage.types(EAST, &words).await.ends(Exit::Ok)?;
    stage.tell.said(&ran.text);
    for who in [MEDAID, EAST] {
        let heard = stage
            .hears(who, "that it was entered elsewhere", |event| {
                event.get("kind").and_then(Value::as_str) == Some("notice")
                    && event.get("nid").and_then(Value::as_str) == Some(urum.nid.as_str())
            })
            .await?;
        // The party was told the distance in the answer to its own word.
        let away = heard.event.pointer("/parts/detail/distance_m");
        let away = away.and_then(Value::as_f64).unwrap_or_default();
        if who == MEDAID && !(1_550.0..1_650.0).contains(&away) {
            return Err(CliError::failed(
                format!("{who} was told another distance than 1.6 km: {away:.0} m"),
                "Report it.",
            ));
        }
        stage.tell.plain(&format!("  {who}"));
        stage.tell.said(&heard.text);
    }
    stage
        .tell
        .says("A call later the officer enters the grid of the warehouse.");
    let words = [
        "ack",
        &urum.reference,
        "--entered",
        "--officer",
        "Maj. Karim",
        "--list",
        "NSL North",
        "--number",
        "115",
        "--at",
        "37S CA 17177 02674",
    ];
    let ran = stage.types(EAST, &words).await.ends(Exit::Ok)?;
    let ran = ran.finds("nothing is remarked any more", |ran| {
        ran.at("/submitted/0/remarks").is_null()
    })?;
    stage.tell.said(&head(&ran.text, 1));
    Ok(())
}

fn head(text: &str, lines: usize) -> String {
    text.lines().take(lines).collect::<Vec<_>>().join("\n")
}

fn without_note(text: &str) -> String {
    text.lines()
        .filter(|line| !line.trim_start().starts_with("note "))
        .collect::<Vec<_>>()
        .join("\n")
}
