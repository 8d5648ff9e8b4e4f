//! Non-interference: what a desk can see is the same with and without all that does not concern it. The same sequence is
//! played on two deployments, once whole and once with only the steps that concern one desk; then everything that this desk
//! can read, over each of its routes and its socket, is held side by side. Log positions, proofs, times and randomness
//! apart: ids become their order of appearance, keys and ciphertexts their lengths.

use std::sync::Arc;

use herald::domain::notification::Tier;

use super::cast::Desk;
use super::draw::{Dice, sequence};
use super::play::Play;
use super::property::number;
use super::sight::{Masked, sight};
use super::speak::member;
use super::stage::{Stage, Way};
use super::steps::{Standing, Step, Twist, What};
use super::table::Met;

/// Whose sight is compared.
const SUBJECTS: [Desk; 2] = [Desk::East, Desk::Msf];

/// Pairs of runs after which a planted fault must have been found.
const FOUND_WITHIN: u64 = 10;

/// Pairs of runs for each subject: one for each two thousand cases of the other properties, unless `HERALD_PAIRS` says how
/// many.
fn pairs() -> u64 {
    number(
        "HERALD_PAIRS",
        (number("HERALD_CASES", 4_000) / 2_000).max(1),
    )
}

/// A sequence with nothing in it that depends on what was said elsewhere: no bytes again, no id again.
fn drawn(seed: u64) -> Vec<Step> {
    let mut dice = Dice::new(seed);
    let mut steps = sequence(&mut dice, 40);
    // Nor does a party stand aside, whose eyes would then be shut.
    steps.retain(|step| match step.what {
        What::Again { .. } | What::Break => false,
        What::Admit { desk, to, .. } => !desk.is_party() || to == Standing::Admitted,
        _ => true,
    });
    for step in &mut steps {
        if step.twist == Twist::Jti {
            step.twist = Twist::None;
        }
    }
    steps
}

/// Whether a step concerns a desk, by who says it and of what. Rather one too many: what is left out must change nothing.
fn concerns(steps: &[Step], step: &Step, desk: Desk) -> bool {
    // What happens to the clock or the server happens to all.
    let Some(_) = step.what.kind() else {
        return true;
    };
    if step.side != 0 {
        return false;
    }
    if step.who.desk() == Some(desk) || step.behalf == Some(desk) {
        return true;
    }
    match &step.what {
        What::Revise(revise) => thing_concerns(steps, revise.label, desk),
        What::Withdraw { label, .. }
        | What::Close { label, .. }
        | What::Screen { label, .. }
        | What::Cosign { label, .. }
        | What::Progress { label, .. }
        | What::Confirm { label, .. } => thing_concerns(steps, *label, desk),
        What::Ack { to, .. } | What::Warn { to, .. } | What::Reply { to, .. } => *to == desk,
        What::Relay { to, party, .. } => *to == desk || *party == desk,
        What::Distress { call, .. } | What::Respond { call, .. } | What::Resolve { call } => {
            call_concerns(steps, *call, desk)
        }
        // The directory and the policy are for all to read.
        _ => true,
    }
}

fn party(tiers: [Option<Tier>; 2], desk: Desk) -> bool {
    let named = Desk::PARTIES.into_iter().zip(tiers);
    named
        .into_iter()
        .any(|(party, tier)| party == desk && tier.is_some())
}

/// Whether anybody tells a desk of a notification, or it is its own, or a call that concerns it is about it.
fn thing_concerns(steps: &[Step], label: usize, desk: Desk) -> bool {
    steps
        .iter()
        .filter(|step| step.side == 0)
        .any(|step| match &step.what {
            What::Revise(revise) if revise.label == label => {
                let own = step.behalf.or(step.who.desk()) == Some(desk);
                own || party(revise.tiers, desk)
            }
            What::Distress {
                call,
                about: Some((of, _)),
                ..
            } if *of == label => call_concerns(steps, *call, desk),
            _ => false,
        })
}

fn call_concerns(steps: &[Step], number: usize, desk: Desk) -> bool {
    steps
        .iter()
        .filter(|step| step.side == 0)
        .any(|step| match &step.what {
            What::Distress { call, tiers, .. } if *call == number => {
                step.who.desk() == Some(desk) || party(*tiers, desk)
            }
            _ => false,
        })
}

/// Plays a sequence and looks with a desk's eyes.
async fn seen(stage: &mut Stage, steps: &[Step], desk: Desk) -> Vec<String> {
    let mut play = Play::begin(stage, &Arc::new(Met::default()), Way::Wire).await;
    if let Err(why) = play.all(steps).await {
        panic!("{why}");
    }
    let heard = play.heard(desk).await;
    let signed = play.stage.signed();
    let own = member(&play.stage.worlds[0], desk);
    let lines = Box::pin(sight(&play.stage.worlds[0], own, heard, signed)).await;
    play.leave().await;
    lines
}

/// Plays a sequence whole on one stage and only what concerns a desk on the other: how many steps that left out, how many
/// lines the desk sees, and the first that differs.
async fn compared(
    busy: &mut Stage,
    quiet: &mut Stage,
    steps: &[Step],
    desk: Desk,
) -> (usize, usize, Option<String>) {
    let kept = steps.iter().filter(|step| concerns(steps, step, desk));
    let kept: Vec<Step> = kept.cloned().collect();
    let with = Box::pin(seen(busy, steps, desk)).await;
    let without = Box::pin(seen(quiet, &kept, desk)).await;
    let differ = with.iter().zip(&without).find(|(a, b)| a != b);
    let differ = match differ {
        Some((with, without)) => Some(format!("{with}\nand without the steps marked\n{without}")),
        None if with.len() != without.len() => Some("more, or less".to_owned()),
        None => None,
    };
    let mark = |step: &Step| if kept.contains(step) { " " } else { "-" };
    let words = steps.iter().map(|step| format!("{} {step}", mark(step)));
    let told = |differ| {
        format!(
            "{} sees\n{differ}\n{}",
            desk.name(),
            words.collect::<Vec<_>>().join("\n")
        )
    };
    (steps.len() - kept.len(), with.len(), differ.map(told))
}

/// From now on what is for relief goes to east and to msf too.
const PLANTED: &str = "
    CREATE FUNCTION public.planted() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER AS $$
    DECLARE next bigint; other text;
    BEGIN
        FOREACH other IN ARRAY ARRAY['east', 'msf'] LOOP
            IF NEW.actor = 'relief' AND NOT EXISTS (SELECT FROM hn.mailbox m WHERE m.actor = other AND m.pos = NEW.pos) THEN
                UPDATE hn.actor SET mailbox_seq = mailbox_seq + 1 WHERE ctx = NEW.ctx AND actor = other
                    RETURNING mailbox_seq INTO next;
                INSERT INTO hn.mailbox (ctx, actor, seq, pos, tier) VALUES (NEW.ctx, other, next, NEW.pos, NEW.tier);
            END IF;
        END LOOP;
        RETURN NULL;
    END $$;
    CREATE TRIGGER planted AFTER INSERT ON hn.mailbox FOR EACH ROW EXECUTE FUNCTION public.planted();";

#[tokio::test(flavor = "multi_thread")]
async fn what_does_not_concern_a_desk_changes_nothing_that_it_can_see() {
    let from = number("HERALD_SEED", 2_217);
    for desk in SUBJECTS {
        let (mut busy, mut quiet) = (Stage::start().await, Stage::start().await);
        let (mut left_out, mut lines) = (0, 0);
        for seed in from..from + pairs() {
            let steps = drawn(seed);
            let (out, seen, differ) = Box::pin(compared(&mut busy, &mut quiet, &steps, desk)).await;
            if let Some(differ) = differ {
                panic!("HERALD_SEED={seed}: {differ}");
            }
            (left_out, lines) = (left_out + out, lines + seen);
        }
        assert!(
            left_out > 0 && lines > 0,
            "{}: nothing was compared",
            desk.name()
        );
        eprintln!(
            "{}: {lines} lines are the same without {left_out} steps",
            desk.name()
        );

        // A fault that lets it see one thing more is seen.
        busy.change(PLANTED).await;
        let mut found = false;
        for seed in from..from + FOUND_WITHIN {
            let steps = drawn(seed);
            found |= Box::pin(compared(&mut busy, &mut quiet, &steps, desk))
                .await
                .2
                .is_some();
            if found {
                break;
            }
        }
        assert!(found, "{}: what was planted was not found", desk.name());
        busy.end().await;
        quiet.end().await;
    }
}

#[test]
fn what_is_masked_keeps_lengths_and_who_is_who() {
    let mut masked = Masked::default();
    let value = serde_json::json!({
        "nid": "3f0d9d0e-7f63-4a8b-9c2d-5e8f1a2b3c4d", "same": "3f0d9d0e-7f63-4a8b-9c2d-5e8f1a2b3c4d",
        "other": "00000000-0000-4000-8000-000000000000", "pos": 17, "seq": 4,
        "at": "2026-11-23T00:00:00Z", "of": "A".repeat(43), "name": "The east",
    });
    assert_eq!(
        masked.value(&value).to_string(),
        r##"{"at":"time","name":"The east","nid":"#1","of":"43 characters #2","other":"#3","pos":"*","same":"#1","seq":4}"##
    );
}
