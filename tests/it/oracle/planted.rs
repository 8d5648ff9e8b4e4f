//! What the oracle is worth: faults that are planted in the database, behind the server's back, are found, each with the
//! desk that it concerns, and told in a sequence of few steps.

use std::sync::Arc;

use herald::domain::notification::Tier;

use super::cast::Who;
use super::draw::by;
use super::play::{play, play_and_fold};
use super::property::{How, drawn, shortened};
use super::stage::{Stage, Way};
use super::steps::{Follow, Revise, What};
use super::table::Met;

/// Sequences after which a planted fault must have been found.
const FOUND_WITHIN: u64 = 60;
/// Steps that a shortened sequence has at most.
const SHORT: usize = 5;

/// How the sequences are played.
const HOW: How = How {
    way: Way::Within,
    folds: false,
};

/// A fault: how it is planted, how it is taken out, and words that the finding must have.
struct Planted {
    what: &'static str,
    plant: &'static str,
    words: &'static [&'static str],
}

const UPROOT: &str = "
    DROP TRIGGER IF EXISTS planted ON hn.mailbox;
    DROP TRIGGER IF EXISTS planted ON hn.audience;
    DROP TRIGGER IF EXISTS planted ON hn.due;
    DROP TRIGGER IF EXISTS planted ON hn.revision;
    DROP FUNCTION IF EXISTS public.planted();";

const PLANTED: &[Planted] = &[
    Planted {
        what: "what is for east goes to relief too",
        plant: "
            CREATE FUNCTION public.planted() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER AS $$
            DECLARE next bigint;
            BEGIN
                IF NEW.actor = 'east' AND NOT EXISTS (SELECT FROM hn.mailbox m WHERE m.actor = 'relief' AND m.pos = NEW.pos) THEN
                    UPDATE hn.actor SET mailbox_seq = mailbox_seq + 1 WHERE ctx = NEW.ctx AND actor = 'relief'
                        RETURNING mailbox_seq INTO next;
                    INSERT INTO hn.mailbox (ctx, actor, seq, pos, tier) VALUES (NEW.ctx, 'relief', next, NEW.pos, NEW.tier);
                END IF;
                RETURN NULL;
            END $$;
            CREATE TRIGGER planted AFTER INSERT ON hn.mailbox FOR EACH ROW EXECUTE FUNCTION public.planted();",
        words: &["relief", "not for it"],
    },
    Planted {
        what: "an event for west is lost, and its place closed up",
        plant: "
            CREATE FUNCTION public.planted() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER AS $$
            BEGIN
                IF NEW.actor = 'west' THEN
                    DELETE FROM hn.mailbox WHERE ctx = NEW.ctx AND actor = NEW.actor AND seq = NEW.seq;
                    UPDATE hn.actor SET mailbox_seq = mailbox_seq - 1 WHERE ctx = NEW.ctx AND actor = NEW.actor;
                END IF;
                RETURN NULL;
            END $$;
            CREATE TRIGGER planted AFTER INSERT ON hn.mailbox FOR EACH ROW EXECUTE FUNCTION public.planted();",
        words: &["west", "did not get"],
    },
    Planted {
        what: "two of the coordinator's events change places",
        plant: "
            CREATE FUNCTION public.planted() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER AS $$
            DECLARE other bigint;
            BEGIN
                SELECT pos INTO other FROM hn.mailbox WHERE ctx = NEW.ctx AND actor = NEW.actor AND seq = NEW.seq - 1;
                IF NEW.actor = 'ocha' AND other IS NOT NULL THEN
                    DELETE FROM hn.mailbox WHERE ctx = NEW.ctx AND actor = NEW.actor AND seq IN (NEW.seq, NEW.seq - 1);
                    INSERT INTO hn.mailbox (ctx, actor, seq, pos) VALUES
                        (NEW.ctx, NEW.actor, NEW.seq - 1, NEW.pos), (NEW.ctx, NEW.actor, NEW.seq, other);
                END IF;
                RETURN NULL;
            END $$;
            CREATE TRIGGER planted AFTER INSERT ON hn.mailbox FOR EACH ROW WHEN (pg_trigger_depth() = 0)
                EXECUTE FUNCTION public.planted();",
        words: &["ocha", "comes next"],
    },
    Planted {
        what: "a party that was to see a cell sees the place",
        plant: "
            CREATE FUNCTION public.planted() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER AS $$
            BEGIN
                IF NEW.tier = 'cell' THEN NEW.tier = 'exact'; END IF;
                RETURN NEW;
            END $$;
            CREATE TRIGGER planted BEFORE INSERT ON hn.audience FOR EACH ROW EXECUTE FUNCTION public.planted();",
        words: &["came with the parts", "place"],
    },
    Planted {
        what: "a movement's silence is not said",
        plant: "
            CREATE FUNCTION public.planted() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER AS $$
            BEGIN
                IF NEW.what = 'sign_of_life' THEN RETURN NULL; END IF;
                RETURN NEW;
            END $$;
            CREATE TRIGGER planted BEFORE INSERT ON hn.due FOR EACH ROW EXECUTE FUNCTION public.planted();",
        words: &["not told of", "NoSignOfLife"],
    },
    Planted {
        what: "the end of a site's window is not said",
        plant: "
            CREATE FUNCTION public.planted() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER AS $$
            BEGIN
                IF NEW.what = 'window_ended' THEN RETURN NULL; END IF;
                RETURN NEW;
            END $$;
            CREATE TRIGGER planted BEFORE INSERT ON hn.due FOR EACH ROW EXECUTE FUNCTION public.planted();",
        words: &["not told of", "WindowEnded"],
    },
    Planted {
        what: "a second signature is waited for that nobody asked for",
        plant: "
            CREATE FUNCTION public.planted() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER AS $$
            BEGIN
                NEW.cosign = 'waiting';
                RETURN NEW;
            END $$;
            CREATE TRIGGER planted BEFORE INSERT ON hn.revision FOR EACH ROW EXECUTE FUNCTION public.planted();",
        words: &["the model says", "Cosign"],
    },
];

/// Plays sequences until one differs from the model: how short it was made, and what was said of it.
async fn found(stage: &mut Stage) -> Option<(usize, String)> {
    let met = Arc::new(Met::default());
    for seed in 0..FOUND_WITHIN {
        let (steps, _) = drawn(seed);
        if let Err(why) = play(stage, &met, &steps, HOW.way).await {
            let (steps, why) = shortened(stage, &met, steps, HOW, why).await;
            return Some((steps.len(), why));
        }
    }
    None
}

#[tokio::test(flavor = "multi_thread")]
async fn a_planted_misdelivery_is_found_and_told_in_few_steps() {
    let mut stage = Stage::start().await;
    for fault in PLANTED {
        stage.change(fault.plant).await;
        let (steps, why) = Box::pin(found(&mut stage))
            .await
            .unwrap_or_else(|| panic!("{}: it was not found", fault.what));
        stage.change(UPROOT).await;
        assert!(steps <= SHORT, "{}: {steps} steps: {why}", fault.what);
        for word in fault.words {
            assert!(why.contains(word), "{}: {why}", fault.what);
        }
    }
    // And without any of them nothing is found.
    for seed in 0..5 {
        let (steps, how) = drawn(seed);
        let played = play(&mut stage, &Arc::default(), &steps, how.way).await;
        assert_eq!(played, Ok(()), "{seed}");
    }
    stage.end().await;
}

/// From now on a place that a party may see is in no check: no desk's mailbox shows it.
const HIDDEN: &str = "
    CREATE FUNCTION public.planted() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER AS $$
    BEGIN
        NEW.counts = false;
        RETURN NEW;
    END $$;
    CREATE TRIGGER planted BEFORE INSERT ON hn.audience FOR EACH ROW EXECUTE FUNCTION public.planted();";

#[tokio::test(flavor = "multi_thread")]
async fn a_planted_state_that_no_statement_gives_is_found_by_folding_them_again() {
    let mut stage = Box::pin(Stage::start()).await;
    stage.change(HIDDEN).await;
    let revise = Revise {
        label: 0,
        moves: false,
        follow: Follow::Next,
        tiers: [Some(Tier::Exact), Some(Tier::Cell)],
        contact: false,
        attach: false,
        begins_h: None,
        lasts_h: None,
    };
    let steps = [by(Who::Ada, What::Revise(revise))];
    let met = Arc::new(Met::default());
    let played = Box::pin(play_and_fold(&mut stage, &met, &steps, Way::Within)).await;
    let why = played.expect_err("it was not found");
    assert!(why.contains("folded again from the first"), "{why}");
    let rows: Vec<&str> = why.lines().skip(1).collect();
    let audience = |row: &&str| row.contains("audience") && row.contains("something else");
    assert!(rows.len() == 2 && rows.iter().all(audience), "{why}");
    stage.end().await;
}
