//! The promises of the machine: the window, the order, the end of every wait.

use std::time::Duration;

use proptest::prelude::*;

use super::super::frame::Payload;
use super::*;

fn limits() -> SocketLimits {
    SocketLimits {
        window_events: 4,
        window_bytes: 100,
        ..SocketLimits::default()
    }
}

fn event(seq: u64, bytes: usize) -> Event {
    Event {
        seq,
        payload: Payload::Text("x".repeat(bytes)),
    }
}

fn ack(seq: u64) -> Input {
    Input::Text(format!(r#"{{"ack":{seq}}}"#))
}

fn fetch(after: u64, max_events: usize, max_bytes: usize) -> Action {
    Action::Fetch {
        after,
        max_events,
        max_bytes,
    }
}

#[test]
fn events_flow_until_the_window_is_full_and_again_after_an_acknowledgement() {
    let now = Instant::now();
    let mut machine = Machine::new(limits(), 10, now);
    assert_eq!(machine.step(Input::Wake, now), [fetch(10, 4, 100)]);
    let four = (11..15).map(|seq| event(seq, 10)).collect::<Vec<_>>();
    let sent = four.iter().cloned().map(Action::Send).collect::<Vec<_>>();
    assert_eq!(
        machine.step(Input::Fetched(four), now),
        sent,
        "and no fetch, for the window is full"
    );
    assert_eq!(machine.step(Input::Wake, now), []);
    assert_eq!(
        machine.step(ack(12), now),
        [Action::Acknowledged(12), fetch(14, 2, 80)]
    );
    assert_eq!(
        machine.step(Input::Fetched(Vec::new()), now),
        [],
        "an empty mailbox is not asked again"
    );
    assert_eq!(
        machine.step(ack(12), now),
        [],
        "an acknowledgement again is harmless"
    );
}

#[test]
fn bytes_bound_the_window_too() {
    let now = Instant::now();
    let mut machine = Machine::new(limits(), 0, now);
    machine.step(Input::Wake, now);
    let actions = machine.step(Input::Fetched(vec![event(1, 120)]), now);
    assert_eq!(
        actions,
        [Action::Send(event(1, 120))],
        "one event passes, nothing after it"
    );
}

#[test]
fn a_peer_that_acknowledges_nothing_is_closed_with_a_reason() {
    let start = Instant::now();
    let mut machine = Machine::new(limits(), 0, start);
    machine.step(Input::Wake, start);
    machine.step(
        Input::Fetched((1..5).map(|seq| event(seq, 1)).collect()),
        start,
    );
    let later = start + Duration::from_secs(59);
    machine.step(Input::Alive, later);
    assert!(
        !machine
            .step(Input::Tick, later)
            .contains(&Action::Close(CloseReason::SlowReader))
    );
    let late = start + Duration::from_mins(1);
    assert_eq!(
        machine.step(Input::Tick, late),
        [Action::Close(CloseReason::SlowReader)]
    );
    assert_eq!(
        machine.step(Input::Wake, late),
        [],
        "nothing follows a close"
    );
}

#[test]
fn a_silent_peer_is_pinged_every_20_s_and_dropped_after_60() {
    let start = Instant::now();
    let mut machine = Machine::new(
        SocketLimits {
            poll: Duration::from_hours(1),
            ..limits()
        },
        0,
        start,
    );
    let mut pings = Vec::new();
    for second in 1..=60 {
        match machine
            .step(Input::Tick, start + Duration::from_secs(second))
            .as_slice()
        {
            [] => {}
            [Action::Ping] => pings.push(second),
            [Action::Close(CloseReason::Dead)] => assert_eq!(second, 60),
            other => panic!("{other:?}"),
        }
    }
    assert_eq!(pings, [20, 40]);
    assert!(machine.is_closed());
}

#[test]
fn a_peer_is_not_dead_because_we_were_busy() {
    let start = Instant::now();
    let mut machine = Machine::new(limits(), 0, start);
    let much_later = start + Duration::from_mins(5);
    assert!(
        machine
            .step(Input::Tick, much_later)
            .contains(&Action::Ping)
    );
    machine.step(Input::Tick, much_later + Duration::from_secs(39));
    assert!(!machine.is_closed(), "it has 40 s to answer the ping");
    machine.step(Input::Tick, much_later + Duration::from_secs(40));
    assert!(machine.is_closed());
}

#[test]
fn a_lost_wake_is_made_good_by_the_clock() {
    let start = Instant::now();
    let mut machine = Machine::new(limits(), 5, start);
    assert_eq!(
        machine.step(Input::Tick, start + Duration::from_secs(14)),
        []
    );
    assert_eq!(
        machine.step(Input::Tick, start + Duration::from_secs(15)),
        [fetch(5, 4, 100)]
    );
}

#[test]
fn what_the_subprotocol_does_not_have_closes_the_socket() {
    let now = Instant::now();
    let closes = |input: Input| match Machine::new(limits(), 3, now).step(input, now).pop() {
        Some(Action::Close(reason)) => Some(reason),
        _ => None,
    };
    assert_eq!(
        closes(Input::Text("hello".to_owned())),
        Some(CloseReason::Protocol)
    );
    assert_eq!(closes(Input::Binary), Some(CloseReason::Protocol));
    assert_eq!(closes(ack(4)), Some(CloseReason::AckAhead));
    assert_eq!(closes(ack(3)), None);
    assert_eq!(closes(Input::Revoked), Some(CloseReason::Revoked));
    assert_eq!(closes(Input::Stopping), Some(CloseReason::GoingAway));
    assert_eq!(closes(Input::MailboxFailed), Some(CloseReason::Unavailable));
}

#[test]
fn a_flood_is_closed_and_a_lively_peer_is_not() {
    let now = Instant::now();
    let mut machine = Machine::new(
        SocketLimits {
            inbound_per_tick: 3,
            ..limits()
        },
        0,
        now,
    );
    for _ in 0..10 {
        for _ in 0..3 {
            assert_eq!(machine.step(Input::Alive, now), []);
        }
        machine.step(Input::Tick, now);
    }
    for _ in 0..3 {
        machine.step(Input::Alive, now);
    }
    assert_eq!(
        machine.step(Input::Alive, now),
        [Action::Close(CloseReason::Flood)]
    );
}

#[derive(Debug, Clone)]
enum Step {
    Wake,
    /// Answer a fetch that is under way with up to so many events.
    Serve(usize),
    /// Acknowledge this share of what is sent, of 8.
    Ack(u64),
    Tick(u64),
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let step = prop_oneof![
        Just(Step::Wake),
        (0_usize..6).prop_map(Step::Serve),
        (0_u64..=8).prop_map(Step::Ack),
        (0_u64..10).prop_map(Step::Tick),
    ];
    prop::collection::vec(step, 0..200)
}

proptest! {
    #[test]
    fn whatever_happens_order_and_window_hold_and_nothing_follows_a_close(steps in steps()) {
        let mut now = Instant::now();
        let (mut machine, mut asked) = (Machine::new(limits(), 0, now), None);
        let (mut sent, mut acked, mut closed) = (0_u64, 0_u64, false);
        for step in steps {
            let input = match step {
                Step::Wake => Input::Wake,
                Step::Serve(n) => match asked.take() {
                    Some((after, max)) => {
                        let n = n.min(max);
                        Input::Fetched((1..).take(n).map(|i| event(after + i, 7)).collect())
                    }
                    None => Input::Alive,
                },
                Step::Ack(eighths) => ack(acked + (sent - acked) * eighths / 8),
                Step::Tick(seconds) => {
                    now += Duration::from_secs(seconds);
                    Input::Tick
                }
            };
            for action in machine.step(input, now) {
                prop_assert!(!closed);
                match action {
                    Action::Fetch { after, max_events, .. } => {
                        prop_assert!(asked.is_none(), "one fetch at a time");
                        prop_assert_eq!(after, sent);
                        asked = Some((after, max_events));
                    }
                    Action::Send(event) => {
                        prop_assert_eq!(event.seq, sent + 1);
                        sent = event.seq;
                        prop_assert!(sent - acked <= 4);
                    }
                    Action::Acknowledged(seq) => {
                        prop_assert!(seq > acked && seq <= sent);
                        acked = seq;
                    }
                    Action::Ping => {}
                    Action::Close(_) => closed = true,
                }
            }
        }
    }
}
