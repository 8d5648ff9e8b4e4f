//! The decisions of a socket, without a socket: inputs in, actions out, time given from outside. It never sends more than
//! the window holds, never out of order, nothing after a close; and it never waits without an end.

use std::collections::VecDeque;
use std::time::Instant;

use super::frame::{ClientMessage, CloseReason, Event, FRAME_MAX_BYTES, SocketLimits};

/// What happened.
#[derive(Debug)]
pub enum Input {
    /// The mailbox may hold more.
    Wake,
    /// The mailbox gave these, in order, after what was asked for; none means that there is no more.
    Fetched(Vec<Event>),
    /// The mailbox could not be read or written.
    MailboxFailed,
    /// The peer sent a text frame.
    Text(String),
    /// The peer sent a binary frame.
    Binary,
    /// The peer sent a frame that is too large.
    TooLarge,
    /// The peer sent a ping or a pong.
    Alive,
    /// The peer closed, or the connection broke.
    PeerClosed,
    /// The peer did not take a frame in time.
    WriteStalled,
    /// The clock.
    Tick,
    /// The device was revoked.
    Revoked,
    /// The server ends.
    Stopping,
}

/// What to do, in the order given.
#[derive(Debug, PartialEq, Eq)]
pub enum Action {
    /// Read the mailbox and answer with [`Input::Fetched`] or [`Input::MailboxFailed`].
    Fetch {
        /// Only what comes after this place.
        after: u64,
        /// At most so many.
        max_events: usize,
        /// So many bytes, or one event.
        max_bytes: usize,
    },
    /// Send it.
    Send(Event),
    /// Send a ping.
    Ping,
    /// The device holds everything up to here: store it.
    Acknowledged(u64),
    /// Say why, and end. Nothing follows.
    Close(CloseReason),
}

/// The state of one socket.
#[derive(Debug)]
pub struct Machine {
    limits: SocketLimits,
    /// The last place handed to the socket.
    sent: u64,
    /// The last place acknowledged.
    acked: u64,
    /// Places and sizes of what is sent and not acknowledged.
    in_flight: VecDeque<(u64, usize)>,
    in_flight_bytes: usize,
    /// A fetch is under way.
    fetching: bool,
    /// The mailbox may hold more than we fetched.
    more: bool,
    heard: Instant,
    pinged: Instant,
    polled: Instant,
    /// Since when the window is full without an acknowledgement.
    full_since: Option<Instant>,
    inbound: u32,
    closed: bool,
}

impl Machine {
    /// A socket whose device holds everything up to `after`. Begin with [`Input::Wake`].
    pub fn new(limits: SocketLimits, after: u64, now: Instant) -> Self {
        Self {
            limits,
            sent: after,
            acked: after,
            in_flight: VecDeque::new(),
            in_flight_bytes: 0,
            fetching: false,
            more: false,
            heard: now,
            pinged: now,
            polled: now,
            full_since: None,
            inbound: 0,
            closed: false,
        }
    }

    /// Whether a close was decided.
    pub fn is_closed(&self) -> bool {
        self.closed
    }

    /// Decides. After a close the answer is always empty.
    pub fn step(&mut self, input: Input, now: Instant) -> Vec<Action> {
        if self.closed {
            return Vec::new();
        }
        let mut actions = Vec::new();
        let outcome = match input {
            Input::Wake => {
                self.more = true;
                Ok(())
            }
            Input::Fetched(events) => self.fetched(events, &mut actions),
            Input::MailboxFailed => Err(CloseReason::Unavailable),
            Input::Text(text) => self
                .inbound(now)
                .and_then(|()| self.text(&text, &mut actions)),
            Input::Binary => Err(CloseReason::Protocol),
            Input::TooLarge => Err(CloseReason::TooLarge),
            Input::Alive => self.inbound(now),
            Input::PeerClosed => Err(CloseReason::Peer),
            Input::WriteStalled => Err(CloseReason::SlowReader),
            Input::Tick => self.tick(now, &mut actions),
            Input::Revoked => Err(CloseReason::Revoked),
            Input::Stopping => Err(CloseReason::GoingAway),
        };
        match outcome {
            Ok(()) => self.fetch_if_room(now, &mut actions),
            Err(reason) => {
                self.closed = true;
                actions.push(Action::Close(reason));
            }
        }
        actions
    }

    fn inbound(&mut self, now: Instant) -> Result<(), CloseReason> {
        self.heard = now;
        self.inbound += 1;
        if self.inbound > self.limits.inbound_per_tick {
            Err(CloseReason::Flood)
        } else {
            Ok(())
        }
    }

    fn text(&mut self, text: &str, actions: &mut Vec<Action>) -> Result<(), CloseReason> {
        let ClientMessage { ack } = ClientMessage::parse(text).ok_or(CloseReason::Protocol)?;
        if ack > self.sent {
            return Err(CloseReason::AckAhead);
        }
        // An old acknowledgement again is harmless: at least once goes both ways.
        if ack > self.acked {
            self.acked = ack;
            self.full_since = None;
            while let Some((_, bytes)) = self.in_flight.pop_front_if(|(seq, _)| *seq <= ack) {
                self.in_flight_bytes -= bytes;
            }
            actions.push(Action::Acknowledged(ack));
        }
        Ok(())
    }

    fn fetched(
        &mut self,
        events: Vec<Event>,
        actions: &mut Vec<Action>,
    ) -> Result<(), CloseReason> {
        self.fetching = false;
        self.more = !events.is_empty();
        for event in events {
            let bytes = event.payload.len();
            if event.seq <= self.sent
                || bytes > FRAME_MAX_BYTES
                || self.in_flight.len() >= self.limits.window_events
            {
                return Err(CloseReason::Internal);
            }
            self.sent = event.seq;
            self.in_flight.push_back((event.seq, bytes));
            self.in_flight_bytes += bytes;
            actions.push(Action::Send(event));
        }
        Ok(())
    }

    fn tick(&mut self, now: Instant, actions: &mut Vec<Action>) -> Result<(), CloseReason> {
        self.inbound = 0;
        if now.duration_since(self.heard) >= self.limits.dead {
            return Err(CloseReason::Dead);
        }
        if self
            .full_since
            .is_some_and(|since| now.duration_since(since) >= self.limits.slow)
        {
            return Err(CloseReason::SlowReader);
        }
        if now.duration_since(self.pinged) >= self.limits.ping {
            self.pinged = now;
            actions.push(Action::Ping);
        }
        if now.duration_since(self.polled) >= self.limits.poll {
            self.polled = now;
            self.more = true;
        }
        Ok(())
    }

    fn fetch_if_room(&mut self, now: Instant, actions: &mut Vec<Action>) {
        if !self.more || self.fetching {
            return;
        }
        let max_events = self
            .limits
            .window_events
            .saturating_sub(self.in_flight.len());
        let max_bytes = self
            .limits
            .window_bytes
            .saturating_sub(self.in_flight_bytes);
        if max_events == 0 || max_bytes == 0 {
            self.full_since.get_or_insert(now);
            return;
        }
        self.fetching = true;
        self.polled = now;
        actions.push(Action::Fetch {
            after: self.sent,
            max_events,
            max_bytes,
        });
    }
}

#[cfg(test)]
mod tests {
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
}
