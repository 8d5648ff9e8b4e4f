//! The first chapters: a server, and who takes part.

use super::stage::{Stage, write};
use super::{COORDINATOR, EAST, EAST_PLANNER, FOODAID, MEDAID, WEST, WEST_PLANNER};
use crate::cli::error::CliError;
use crate::cli::exit::Exit;
use crate::cli::profile::io_error;

/// The file that holds the passphrase of every root here.
const PASSPHRASE: &str = "passphrase.txt";

/// An actor that is invited: its short name, its desk, its role, its public name, a person, a duty number.
struct Guest {
    actor: &'static str,
    desk: &'static str,
    role: &'static str,
    name: &'static str,
    person: &'static str,
    duty: Option<&'static str>,
}

const GUESTS: [Guest; 4] = [
    Guest {
        actor: "medaid",
        desk: MEDAID,
        role: "organisation",
        name: "Medical Aid (exercise)",
        person: "Amal Haddad",
        duty: Some("+41225550101"),
    },
    Guest {
        actor: "foodaid",
        desk: FOODAID,
        role: "organisation",
        name: "Food Aid (exercise)",
        person: "Jonas Weber",
        duty: Some("+41225550102"),
    },
    Guest {
        actor: "east",
        desk: EAST,
        role: "party-desk",
        name: "Eastern Command liaison (exercise)",
        person: "Maj. Karim",
        duty: None,
    },
    Guest {
        actor: "west",
        desk: WEST,
        role: "party-desk",
        name: "Western Command liaison (exercise)",
        person: "Lt. Col. Moreau",
        duty: None,
    },
];

/// Makes the deployment and starts the server.
pub async fn a_server(stage: &mut Stage) -> Result<(), CliError> {
    stage.tell.chapter("A server of its own");
    stage.tell.says(
        "Whoever runs Herald makes a deployment: its root key (to be kept offline), its certificates, its keyring. The \
         server brings its own PostgreSQL with PostGIS, reached by no network.",
    );
    let profiles = stage.path("profiles");
    std::fs::create_dir(&profiles).map_err(io_error(&profiles, "made"))?;
    let passphrase = stage.path(PASSPHRASE);
    write(
        &passphrase,
        b"an exercise passphrase that guards nothing real\n",
    )?;
    let made = stage
        .types(
            COORDINATOR,
            &[
                "init",
                "--dir",
                &text(stage, "server"),
                "--context",
                "demo",
                "--mode",
                "exercise",
                "--name",
                "Deconfliction desk (exercise)",
                "--host",
                "localhost",
                "--host",
                "127.0.0.1",
                "--coordinator-name",
                "Coordination office (exercise)",
                "--person",
                "Ines Alvarez",
                "--passphrase-file",
                &text(stage, PASSPHRASE),
            ],
        )
        .await
        .ends(Exit::Ok)?
        .finds("the deployment is an exercise", |ran| {
            ran.at("/mode") == "exercise"
        })?;
    stage
        .tell
        .said(made.text.lines().next().unwrap_or_default());
    stage.tell.command("operator", &stage.server.words());
    let took = stage.server.start().await?;
    stage.tell.said(&format!(
        "listening on {}, with a database of its own, after {:.1} s",
        stage.server.url(),
        took.as_secs_f64()
    ));
    let enrolled = enrol(stage, COORDINATOR, &made.text_at("/invite"), true).await?;
    stage
        .tell
        .said(&enrolled.lines_with(&["This device is", "You are the coordinator"]));
    Ok(())
}

/// Enrols everybody; the coordinator compares fingerprints and admits.
pub async fn who_takes_part(stage: &mut Stage) -> Result<(), CliError> {
    stage
        .tell
        .chapter("Who takes part: two organisations, two parties to a conflict");
    stage.tell.says(
        "The coordinator invites; each makes its keys on its own machine, and the server never sees a private one. Before \
         anybody is admitted, the coordinator hears the fingerprint from the person, on a known number.",
    );
    for (index, guest) in GUESTS.iter().enumerate() {
        invite_and_admit(stage, guest, index == 0).await?;
    }
    stage
        .tell
        .says("The other organisation and both parties enrol in the same way.");
    policy(stage).await?;
    stage.tell.says(
        "Each party also enrols a planner, who may ask about areas and sees nothing else. A planner's device keeps the \
         number to call from its enrolment on, so that it has it when the server does not answer.",
    );
    planners(stage).await?;
    for guest in &GUESTS {
        if let Some(duty) = guest.duty {
            stage
                .runs(guest.desk, &["duty", duty, "--language", "en"])
                .await
                .ends(Exit::Ok)?;
        }
    }
    let queue = stage.runs(COORDINATOR, &["queue"]).await.ends(Exit::Ok)?;
    queue.finds("nobody waits to be admitted", |ran| {
        ran.at("/admissions").as_array().is_some_and(Vec::is_empty)
    })?;
    Ok(())
}

/// A planner of each party: a further device, which the party's root signs at once.
async fn planners(stage: &Stage) -> Result<(), CliError> {
    for (party, planner, desk, person) in [
        ("east", EAST_PLANNER, EAST, "Cpt. Said"),
        ("west", WEST_PLANNER, WEST, "Cpt. Laurent"),
    ] {
        let invite = stage
            .runs(
                COORDINATOR,
                &[
                    "invite",
                    party,
                    "--role",
                    "party-planner",
                    "--person",
                    person,
                ],
            )
            .await
            .ends(Exit::Ok)?;
        let root = stage
            .profile(desk)
            .join("root.sealed.json")
            .display()
            .to_string();
        let words = [
            "enrol",
            "--server",
            &stage.server.url(),
            "--invite",
            &invite.text_at("/invite"),
            "--root",
            &root,
            "--passphrase-file",
            &text(stage, PASSPHRASE),
        ];
        stage
            .runs(planner, &words)
            .await
            .ends(Exit::Ok)?
            .finds("the planner's device may speak", |ran| {
                ran.at("/state") == "active"
            })?;
    }
    Ok(())
}

async fn invite_and_admit(stage: &mut Stage, guest: &Guest, shown: bool) -> Result<(), CliError> {
    let words = [
        "invite",
        guest.actor,
        "--role",
        guest.role,
        "--name",
        guest.name,
        "--person",
        guest.person,
    ];
    let invite = if shown {
        stage.types(COORDINATOR, &words).await
    } else {
        stage.runs(COORDINATOR, &words).await
    }
    .ends(Exit::Ok)?;
    let enrolled = enrol(stage, guest.desk, &invite.text_at("/invite"), shown).await?;
    let fingerprint = enrolled.text_at("/root_fingerprint");
    if shown {
        stage
            .tell
            .said(&enrolled.lines_with(&["This device is", "Root fingerprint", "  "]));
        let wrong = flipped(&fingerprint);
        stage
            .tell
            .says("One digit misheard, and nobody is admitted:");
        let refused = stage
            .types(
                COORDINATOR,
                &["admit", guest.actor, "--fingerprint", &wrong],
            )
            .await
            .ends(Exit::Refused)?;
        stage.tell.said(refused.beside());
    }
    let words = ["admit", guest.actor, "--fingerprint", &fingerprint];
    let admitted = if shown {
        stage.types(COORDINATOR, &words).await
    } else {
        stage.runs(COORDINATOR, &words).await
    }
    .ends(Exit::Ok)?
    .finds("it is admitted", |ran| ran.at("/state") == "admitted")?;
    if shown {
        stage.tell.said(&admitted.text);
    }
    Ok(())
}

async fn enrol(
    stage: &Stage,
    desk: &str,
    invite: &str,
    shown: bool,
) -> Result<super::stage::Ran, CliError> {
    let (url, file) = (stage.server.url(), text(stage, PASSPHRASE));
    let words = [
        "enrol",
        "--server",
        &url,
        "--invite",
        invite,
        "--passphrase-file",
        &file,
    ];
    let ran = if shown {
        stage.types(desk, &words).await
    } else {
        stage.runs(desk, &words).await
    };
    ran.ends(Exit::Ok)?
        .finds("the device may speak", |ran| ran.at("/state") == "active")
}

async fn policy(stage: &mut Stage) -> Result<(), CliError> {
    stage.tell.says("The rules of this context are a signed statement too: who screens, which lead times, whom to call when in doubt.");
    let mut current = stage
        .runs(COORDINATOR, &["policy"])
        .await
        .ends(Exit::Ok)?
        .at("")
        .clone();
    if let Some(policy) = current.as_object_mut() {
        policy.insert("call".into(), "+41225550100".into());
    }
    let file = stage.path("policy.json");
    write(&file, current.to_string().as_bytes())?;
    let set = stage
        .types(COORDINATOR, &["policy", "set", &file.display().to_string()])
        .await
        .ends(Exit::Ok)?;
    stage.tell.said(&set.text);
    let seen = stage
        .runs(MEDAID, &["policy"])
        .await
        .ends(Exit::Ok)?
        .finds("the number to call is in it", |ran| {
            ran.at("/call") == "+41225550100"
        })?;
    stage
        .tell
        .said(&seen.lines_with(&["screening", "lead time", "call when in doubt"]));
    Ok(())
}

/// A fingerprint with its last digit misheard.
fn flipped(fingerprint: &str) -> String {
    let mut text = fingerprint.to_owned();
    let last = text.pop();
    text.push(if last == Some('7') { '1' } else { '7' });
    text
}

fn text(stage: &Stage, name: &str) -> String {
    stage.path(name).display().to_string()
}
