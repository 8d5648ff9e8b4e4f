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
    /// The first ping since the peer was heard.
    unanswered: Option<Instant>,
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
            unanswered: None,
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
            Input::Text(text) => self.inbound().and_then(|()| self.text(&text, &mut actions)),
            Input::Binary => Err(CloseReason::Protocol),
            Input::TooLarge => Err(CloseReason::TooLarge),
            Input::Alive => self.inbound(),
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

    fn inbound(&mut self) -> Result<(), CloseReason> {
        self.unanswered = None;
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
        // Silence counts from a ping: while a frame was being written nobody listened.
        let patience = self.limits.dead.saturating_sub(self.limits.ping);
        if self
            .unanswered
            .is_some_and(|since| now.duration_since(since) >= patience)
        {
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
            self.unanswered.get_or_insert(now);
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
mod tests;
