//! The chapter in which planners ask.

use serde_json::Value;
use time::Duration;

use super::notifying::{departure, typed};
use super::stage::{Ran, Stage};
use super::{EAST_PLANNER, WEST_PLANNER};
use crate::cli::error::CliError;
use crate::cli::exit::Exit;

/// A grid 320 m east of the Trauma Centre; a circle of 10 m around it leaves 310 m.
const NEAR_KUNDUZ: &str = "42SVF8801463602";
/// Where the convoy passes at 5 km, 80 minutes on its way.
pub const NEAR_THE_ROAD: &str = "14.920770142, 33.006959997";
/// The grid of the convoy that was hit at Deir al-Balah; the western party is shown a cell only.
const DEIR_AL_BALAH: &str = "36RXV2632476545";
/// The Teaching Hospital of Juba, notified to the eastern party alone.
const JUBA: &str = "4.85095, 31.60821";
/// Nothing was notified here to anybody.
const DESERT: &str = "22.5, 10.5";

/// Asks, and looks at every verdict.
pub async fn a_planner_asks(stage: &mut Stage) -> Result<(), CliError> {
    stage.tell.chapter("A planner asks");
    stage.tell.says(
        "A planner signs a question: an area and a window. The answer is signed too, and kept on both sides. It counts \
         everything notified to the asking party, screened or not; nothing is rounded away. It is never green.",
    );
    let from = typed(
        stage
            .clock
            .now()
            .replace_nanosecond(0)
            .unwrap_or_else(|_| stage.clock.now())
            + Duration::hours(2),
    );
    the_buffer(stage, &from).await?;
    the_road(stage).await?;
    tiers(stage, &from).await?;
    of_nobody_else(stage, &from).await?;
    stage.tell.says("And where nothing is notified to anybody:");
    let ran = asks(
        stage,
        EAST_PLANNER,
        &[DESERT, "--radius", "500", "--from", &from, "--for", "30m"],
        Exit::Ok,
    )
    .await?;
    ran.finds("absence is not taken for absence of civilians", |ran| {
        ran.at("/verdict") == "none_notified_to_you"
            && ran.text.contains(crate::domain::check::ABSENCE_SENTENCE)
    })?;
    Ok(())
}

/// The hospital is outside the area, and the area inside its buffer.
async fn the_buffer(stage: &Stage, from: &str) -> Result<(), CliError> {
    stage
        .tell
        .says("An area 310 m from the Trauma Centre in Kunduz, whose requested buffer is 500 m:");
    let ran = asks(
        stage,
        EAST_PLANNER,
        &[
            NEAR_KUNDUZ,
            "--radius",
            "10",
            "--from",
            from,
            "--for",
            "30m",
            "--operation",
            "LANTERN",
        ],
        Exit::Conflict,
    )
    .await?;
    ran.finds("the distance is 310 m, within the buffer", |ran| {
        let away = ran
            .at("/answer/hits/0/distance_m")
            .as_f64()
            .unwrap_or_default();
        (305.0..315.0).contains(&away) && ran.at("/answer/hits/0/relation") == "within_buffer"
    })?;
    Ok(())
}

/// What was notified to one party shows in no answer to the other.
async fn of_nobody_else(stage: &Stage, from: &str) -> Result<(), CliError> {
    stage.tell.says("Only the eastern party was told of the hospital in Juba. The western planner's answer shows nothing of it:");
    let ran = asks(
        stage,
        WEST_PLANNER,
        &[JUBA, "--radius", "500", "--from", from, "--for", "30m"],
        Exit::Ok,
    )
    .await?;
    ran.finds("nothing of others is considered", |ran| {
        ran.at("/answer/considered")
            .as_array()
            .is_none_or(Vec::is_empty)
    })?;
    let ran = stage
        .runs(
            EAST_PLANNER,
            &[
                "check", JUBA, "--radius", "500", "--from", from, "--for", "30m",
            ],
        )
        .await;
    ran.ends(Exit::Conflict)?
        .finds("the hospital is hit", |ran| {
            ran.text.contains("Juba Teaching Hospital")
        })?;
    stage
        .tell
        .says("The eastern planner, asking the same, gets CONFLICT with Juba Teaching Hospital.");
    Ok(())
}

/// The convoy: in space and in time.
async fn the_road(stage: &Stage) -> Result<(), CliError> {
    let depart = departure(stage.clock.now());
    stage
        .tell
        .says("8 km around a point beside the convoy's road, while it passes; then an hour later:");
    let window = |minutes: i64| typed(depart + Duration::minutes(minutes));
    let (passing, later) = (window(70), window(130));
    let ran = asks(
        stage,
        EAST_PLANNER,
        &[
            NEAR_THE_ROAD,
            "--radius",
            "8000",
            "--from",
            &passing,
            "--for",
            "10m",
        ],
        Exit::Conflict,
    )
    .await?;
    let convoy = stage.noted("CONVOY-7").await?.reference;
    ran.finds("it is the convoy", |ran| {
        ran.at("/answer/hits_total") == 1 && ran.at("/answer/hits/0/reference") == convoy.as_str()
    })?;
    let ran = stage
        .types(
            EAST_PLANNER,
            &[
                "check",
                NEAR_THE_ROAD,
                "--radius",
                "8000",
                "--from",
                &later,
                "--for",
                "10m",
            ],
        )
        .await
        .ends(Exit::Ok)?;
    stage.tell.said(ran.text.lines().nth(1).unwrap_or_default());
    ran.finds("the convoy was considered and has passed", |ran| {
        let considered = ran
            .at("/answer/considered")
            .as_array()
            .cloned()
            .unwrap_or_default();
        considered
            .iter()
            .any(|one| one.get("hit") == Some(&Value::Bool(false)))
    })?;
    Ok(())
}

/// What the western party was shown as a cell only, and what a check of its own opens.
async fn tiers(stage: &Stage, from: &str) -> Result<(), CliError> {
    stage.tell.says("The western party was shown only a cell of this one. It learns that it must call, not where:");
    let ran = asks(
        stage,
        WEST_PLANNER,
        &[
            DEIR_AL_BALAH,
            "--radius",
            "300",
            "--from",
            from,
            "--for",
            "30m",
        ],
        Exit::PossibleConflict,
    )
    .await?;
    ran.finds("no place is told", |ran| {
        ran.at("/answer/hits").as_array().is_some_and(|hits| {
            hits.iter().all(|hit| {
                hit.get("tier") == Some(&Value::from("cell")) && hit.get("place").is_none()
            })
        })
    })?;
    stage.tell.says("Of the Trauma Centre it was shown a cell until a check hits it. This one does, and the place opens:");
    let ran = asks(
        stage,
        WEST_PLANNER,
        &[
            "36.71803, 68.86221",
            "--radius",
            "300",
            "--from",
            from,
            "--for",
            "30m",
        ],
        Exit::Conflict,
    )
    .await?;
    ran.finds("the place is disclosed", |ran| {
        ran.text.contains("Trauma Centre")
    })?;
    Ok(())
}

async fn asks(stage: &Stage, who: &str, question: &[&str], verdict: Exit) -> Result<Ran, CliError> {
    let words: Vec<&str> = std::iter::once("check")
        .chain(question.iter().copied())
        .collect();
    let ran = stage.types(who, &words).await.ends(verdict)?;
    let whole = question.contains(&"--operation") || verdict == Exit::Ok;
    stage.tell.said(&if whole {
        ran.text.clone()
    } else {
        essential(&ran.text)
    });
    Ok(ran)
}

/// An answer without the lines that stand in every answer; the first and the last one are shown whole.
fn essential(text: &str) -> String {
    let every = [
        "As of ",
        "Asked: ",
        "In doubt call ",
        "Absence of ",
        "Signed by ",
    ];
    let lines = text
        .lines()
        .filter(|line| !every.iter().any(|start| line.starts_with(start)));
    lines.collect::<Vec<_>>().join("\n")
}
