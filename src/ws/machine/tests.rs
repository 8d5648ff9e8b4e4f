//! Every interleaving: the machine against a mailbox that only grows, with connections that end at any moment.

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

/// A page that ends at the head.
fn last(events: Vec<Event>) -> Input {
    let head = events.last().map_or(0, |event| event.seq);
    Input::Fetched { events, head }
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

fn step(machine: &mut Machine, input: Input, now: Instant) -> Vec<Action> {
    machine.step([input], now)
}

#[test]
fn events_flow_until_the_window_is_full_and_again_after_an_acknowledgement() {
    let now = Instant::now();
    let mut machine = Machine::new(limits(), 10, now);
    assert_eq!(step(&mut machine, Input::Wake, now), [fetch(10, 4, 100)]);
    let four = (11..15).map(|seq| event(seq, 10)).collect::<Vec<_>>();
    let sent = four.iter().cloned().map(Action::Send).collect::<Vec<_>>();
    let page = Input::Fetched {
        events: four,
        head: 15,
    };
    assert_eq!(
        step(&mut machine, page, now),
        sent,
        "and no fetch, for the window is full, and no head, for there is more"
    );
    assert_eq!(step(&mut machine, Input::Wake, now), []);
    assert_eq!(
        step(&mut machine, ack(12), now),
        [Action::Acknowledged(12), fetch(14, 2, 80)]
    );
    assert_eq!(
        step(&mut machine, last(vec![event(15, 1)]), now),
        [Action::Send(event(15, 1)), Action::Head(15)]
    );
    assert_eq!(
        step(&mut machine, ack(12), now),
        [],
        "an acknowledgement again is harmless"
    );
}

#[test]
fn a_call_for_help_far_on_is_named_before_its_turn_and_the_events_keep_their_order() {
    let now = Instant::now();
    let mut machine = Machine::new(limits(), 0, now);
    assert_eq!(
        machine.step([Input::Called(50), Input::Wake], now),
        [Action::Look { after: 0 }],
        "before anything is fetched"
    );
    assert_eq!(
        step(&mut machine, Input::Calls(vec![40, 50]), now),
        [Action::Call(40), Action::Call(50), fetch(0, 4, 100)]
    );
    let page = Input::Fetched {
        events: (1..3).map(|seq| event(seq, 1)).collect(),
        head: 50,
    };
    assert_eq!(
        machine.step([Input::Called(50), page], now),
        [
            Action::Send(event(1, 1)),
            Action::Send(event(2, 1)),
            fetch(2, 2, 98)
        ],
        "named once"
    );
}

#[test]
fn a_call_for_help_that_comes_next_is_named_only_to_a_peer_whose_window_is_full() {
    let now = Instant::now();
    let mut machine = Machine::new(limits(), 0, now);
    assert_eq!(
        machine.step([Input::Called(1), Input::Wake], now),
        [fetch(0, 4, 100)],
        "it comes as soon in its turn"
    );
    let four = (1..5).map(|seq| event(seq, 1)).collect();
    step(&mut machine, last(four), now);
    assert_eq!(
        machine.step([Input::Called(5), Input::Wake], now),
        [Action::Look { after: 4 }]
    );
    assert_eq!(
        step(&mut machine, Input::Calls(vec![5]), now),
        [Action::Call(5)]
    );
    assert_eq!(machine.step([Input::Called(5), Input::Wake], now), []);
    assert_eq!(
        step(&mut machine, ack(4), now),
        [Action::Acknowledged(4), fetch(4, 4, 100)],
        "and it follows in its turn"
    );
}

#[test]
fn a_device_that_has_everything_is_told_so_once() {
    let now = Instant::now();
    let mut machine = Machine::new(limits(), 7, now);
    let nothing = || Input::Fetched {
        events: Vec::new(),
        head: 7,
    };
    step(&mut machine, Input::Wake, now);
    assert_eq!(step(&mut machine, nothing(), now), [Action::Head(7)]);
    assert_eq!(step(&mut machine, Input::Wake, now), [fetch(7, 4, 100)]);
    assert_eq!(step(&mut machine, nothing(), now), []);
}

#[test]
fn acknowledgements_that_come_together_are_stored_as_one_even_before_a_close() {
    let now = Instant::now();
    let mut machine = Machine::new(limits(), 0, now);
    step(&mut machine, Input::Wake, now);
    step(
        &mut machine,
        last((1..4).map(|s| event(s, 1)).collect()),
        now,
    );
    assert_eq!(
        machine.step([ack(1), ack(3), ack(2)], now),
        [Action::Acknowledged(3)]
    );
    step(&mut machine, Input::Wake, now);
    step(&mut machine, last(vec![event(4, 1)]), now);
    assert_eq!(
        machine.step([ack(4), Input::PeerClosed, ack(9)], now),
        [Action::Acknowledged(4), Action::Close(CloseReason::Peer)]
    );
}

#[test]
fn a_device_cut_off_before_it_could_acknowledge_does_so_when_it_comes_back() {
    let now = Instant::now();
    let mut machine = Machine::new(limits(), 20, now).kept(12);
    assert_eq!(step(&mut machine, ack(20), now), [Action::Acknowledged(20)]);
    let mut again = Machine::new(limits(), 5, now).kept(12);
    step(&mut again, Input::Wake, now);
    step(&mut again, last((6..9).map(|s| event(s, 1)).collect()), now);
    assert_eq!(
        step(&mut again, ack(8), now),
        [],
        "what is read again frees the window and moves no cursor back"
    );
    assert_eq!(again.in_flight.len(), 0);
}

#[test]
fn bytes_bound_the_window_too() {
    let now = Instant::now();
    let mut machine = Machine::new(limits(), 0, now);
    step(&mut machine, Input::Wake, now);
    let page = Input::Fetched {
        events: vec![event(1, 120)],
        head: 2,
    };
    assert_eq!(
        step(&mut machine, page, now),
        [Action::Send(event(1, 120))],
        "one event passes, nothing after it"
    );
}

#[test]
fn an_event_left_out_closes_the_socket_instead_of_passing_unseen() {
    for (events, head) in [
        (vec![event(2, 1)], 2),
        (vec![event(1, 1), event(3, 1)], 3),
        (vec![event(1, 1), event(1, 1)], 1),
        (Vec::new(), 1),
        (vec![event(1, FRAME_MAX_BYTES + 1)], 1),
    ] {
        let now = Instant::now();
        let mut machine = Machine::new(limits(), 0, now);
        step(&mut machine, Input::Wake, now);
        let actions = step(&mut machine, Input::Fetched { events, head }, now);
        assert_eq!(actions.last(), Some(&Action::Close(CloseReason::Internal)));
    }
}

#[test]
fn a_peer_that_acknowledges_nothing_is_closed_with_a_reason() {
    let start = Instant::now();
    let mut machine = Machine::new(limits(), 0, start);
    step(&mut machine, Input::Wake, start);
    let page = Input::Fetched {
        events: (1..5).map(|seq| event(seq, 1)).collect(),
        head: 9,
    };
    step(&mut machine, page, start);
    let later = start + Duration::from_secs(59);
    step(&mut machine, Input::Alive, later);
    assert!(
        !step(&mut machine, Input::Tick, later).contains(&Action::Close(CloseReason::SlowReader))
    );
    let late = start + Duration::from_mins(1);
    assert_eq!(machine.deadline(), late);
    assert_eq!(
        step(&mut machine, Input::Tick, late),
        [Action::Close(CloseReason::SlowReader)]
    );
    assert_eq!(machine.closed(), Some(CloseReason::SlowReader));
    assert_eq!(
        step(&mut machine, Input::Wake, late),
        [],
        "nothing follows a close"
    );
}

#[test]
fn a_silent_peer_is_pinged_every_20_s_and_dropped_after_60_and_nothing_wakes_in_between() {
    let start = Instant::now();
    let mut machine = Machine::new(limits(), 0, start);
    let mut happened = Vec::new();
    while machine.closed().is_none() {
        let now = machine.deadline();
        let actions = step(&mut machine, Input::Tick, now);
        happened.push((now.duration_since(start).as_secs(), actions));
    }
    assert_eq!(
        happened,
        [
            (20, vec![Action::Ping]),
            (40, vec![Action::Ping]),
            (60, vec![Action::Close(CloseReason::Dead)])
        ]
    );
}

#[test]
fn a_peer_is_not_dead_because_we_were_busy() {
    let start = Instant::now();
    let mut machine = Machine::new(limits(), 0, start);
    let much_later = start + Duration::from_mins(5);
    assert_eq!(step(&mut machine, Input::Tick, much_later), [Action::Ping]);
    let almost = much_later + Duration::from_secs(39);
    step(&mut machine, Input::Tick, almost);
    assert_eq!(machine.closed(), None, "it has 40 s to answer the ping");
    step(&mut machine, Input::Tick, almost + Duration::from_secs(1));
    assert_eq!(machine.closed(), Some(CloseReason::Dead));
}

#[test]
fn what_the_subprotocol_does_not_have_closes_the_socket() {
    let now = Instant::now();
    let closes = |input: Input| match step(&mut Machine::new(limits(), 3, now), input, now).pop() {
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
    assert_eq!(closes(Input::Replaced), Some(CloseReason::Replaced));
    assert_eq!(closes(Input::Stopping), Some(CloseReason::GoingAway));
    let failures = [
        (MailboxFailure::Unavailable, CloseReason::Unavailable),
        (MailboxFailure::Revoked, CloseReason::Revoked),
        (MailboxFailure::Stopped, CloseReason::Stopped),
    ];
    for (failure, reason) in failures {
        assert_eq!(closes(Input::MailboxFailed(failure)), Some(reason));
    }
}

#[test]
fn a_flood_is_closed_and_a_lively_peer_is_not() {
    let mut now = Instant::now();
    let limits = SocketLimits {
        inbound_per_s: 3,
        ..limits()
    };
    let mut machine = Machine::new(limits, 0, now);
    for _ in 0..10 {
        for _ in 0..3 {
            assert_eq!(step(&mut machine, Input::Alive, now), []);
        }
        now += Duration::from_secs(1);
    }
    for _ in 0..3 {
        step(&mut machine, Input::Alive, now);
    }
    assert_eq!(
        step(&mut machine, Input::Alive, now),
        [Action::Close(CloseReason::Flood)]
    );
}

/// What can happen to a device and its mailbox.
#[derive(Debug, Clone)]
enum Happens {
    /// So many events are put into the mailbox; the socket may or may not be woken.
    Mail(u64, bool),
    Wake,
    /// A fetch that is under way is answered with up to so many events.
    Serve(usize),
    /// The device acknowledges this share of what it has kept, of 8.
    Ack(u64),
    /// Time passes.
    Tick(u64),
    /// The connection is cut; the device comes back with what it has kept, or by its cursor.
    Reconnect(bool),
}

fn happenings() -> impl Strategy<Value = Vec<Happens>> {
    let one = prop_oneof![
        3 => (0_u64..6, any::<bool>()).prop_map(|(n, wake)| Happens::Mail(n, wake)),
        2 => Just(Happens::Wake),
        6 => (1_usize..6).prop_map(Happens::Serve),
        4 => (0_u64..=8).prop_map(Happens::Ack),
        1 => (0_u64..10).prop_map(Happens::Tick),
        1 => any::<bool>().prop_map(Happens::Reconnect),
    ];
    prop::collection::vec(one, 0..200)
}

/// A device, its mailbox, and the machine between them.
struct World {
    now: Instant,
    machine: Machine,
    asked: Option<(u64, usize)>,
    head: u64,
    /// The device's cursor in the database.
    cursor: u64,
    /// What the device has kept: everything from 1 to here.
    kept: u64,
    /// Where this connection stands, as the device sees it.
    seen: u64,
}

impl World {
    fn new() -> Self {
        let now = Instant::now();
        let mut this = Self {
            now,
            machine: Machine::new(limits(), 0, now),
            asked: None,
            head: 0,
            cursor: 0,
            kept: 0,
            seen: 0,
        };
        this.input(Input::Wake).expect("a first look");
        this
    }

    fn happen(&mut self, what: &Happens) -> Result<(), TestCaseError> {
        match what {
            Happens::Mail(count, wake) => {
                self.head += count;
                if *wake {
                    self.input(Input::Wake)?;
                }
            }
            Happens::Wake => self.input(Input::Wake)?,
            Happens::Serve(count) => self.serve(*count)?,
            Happens::Ack(eighths) => {
                let seq = self.cursor
                    + self.kept.min(self.seen).saturating_sub(self.cursor) * eighths / 8;
                self.input(ack(seq.min(self.seen)))?;
            }
            Happens::Tick(seconds) => {
                self.now += Duration::from_secs(*seconds);
                self.input(Input::Tick)?;
            }
            Happens::Reconnect(by_cursor) => self.reconnect(*by_cursor)?,
        }
        Ok(())
    }

    fn serve(&mut self, count: usize) -> Result<(), TestCaseError> {
        let Some((after, max)) = self.asked.take() else {
            return Ok(());
        };
        let events = (after + 1..=self.head)
            .take(count.min(max))
            .map(|seq| event(seq, 7))
            .collect();
        let head = self.head;
        self.input(Input::Fetched { events, head })
    }

    fn reconnect(&mut self, by_cursor: bool) -> Result<(), TestCaseError> {
        self.seen = if by_cursor { self.cursor } else { self.kept };
        self.machine = Machine::new(limits(), self.seen, self.now).kept(self.cursor);
        self.asked = None;
        self.input(Input::Wake)
    }

    fn input(&mut self, input: Input) -> Result<(), TestCaseError> {
        let was_closed = self.machine.closed().is_some();
        for action in self.machine.step([input], self.now) {
            prop_assert!(!was_closed, "nothing follows a close");
            match action {
                Action::Fetch {
                    after, max_events, ..
                } => {
                    prop_assert!(self.asked.is_none(), "one fetch at a time");
                    prop_assert_eq!(after, self.seen);
                    self.asked = Some((after, max_events));
                }
                Action::Send(event) => {
                    prop_assert_eq!(event.seq, self.seen + 1, "in order, none left out");
                    prop_assert!(event.seq <= self.kept + 1, "nothing is skipped for good");
                    self.seen = event.seq;
                    self.kept = self.kept.max(event.seq);
                    prop_assert!(self.machine.in_flight.len() <= 4, "the window holds");
                }
                Action::Head(head) => prop_assert_eq!(head, self.seen),
                Action::Acknowledged(seq) => {
                    prop_assert!(seq <= self.kept, "only what the device said it has");
                    self.cursor = self.cursor.max(seq);
                }
                Action::Ping => {}
                Action::Look { .. } | Action::Call(_) => {
                    prop_assert!(false, "nobody called for help");
                }
                Action::Close(_) => self.asked = None,
            }
        }
        Ok(())
    }
}

proptest! {
    #[test]
    fn whatever_happens_every_event_arrives_in_order_at_least_once(happenings in happenings()) {
        let mut world = World::new();
        for what in &happenings {
            world.happen(what)?;
        }
        // Then the network holds and the device does its part: everything arrives.
        for round in 0..world.head + 2 {
            if world.machine.closed().is_some() || round == 0 {
                world.reconnect(round % 2 == 0)?;
            }
            world.serve(3)?;
            world.input(ack(world.seen))?;
            world.now += Duration::from_millis(1);
        }
        prop_assert_eq!(world.kept, world.head);
        prop_assert_eq!(world.cursor, world.head);
    }
}
