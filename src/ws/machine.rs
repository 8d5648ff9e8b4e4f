//! The decisions of a socket, without a socket: inputs in, actions out, time given from outside. It never sends more than
//! the window holds, never out of order, nothing after a close; and it never waits without an end.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use super::frame::{ClientMessage, CloseReason, Event, FRAME_MAX_BYTES, SocketLimits};

/// What happened.
#[derive(Debug)]
pub enum Input {
    /// The mailbox may hold more.
    Wake,
    /// The mailbox holds a call for help at this place, the last; 0 for none.
    Called(u64),
    /// What [`Action::Look`] asked for.
    Calls(Vec<u64>),
    /// The mailbox gave these, in order and without a gap, after what was asked for.
    Fetched {
        /// The events.
        events: Vec<Event>,
        /// The last place in the mailbox.
        head: u64,
    },
    /// The mailbox could not be read or written.
    MailboxFailed(MailboxFailure),
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
    /// The clock has reached [`Machine::deadline`].
    Tick,
    /// The device was revoked.
    Revoked,
    /// A newer connection of the same device took this one's place.
    Replaced,
    /// The server ends.
    Stopping,
}

/// Why the mailbox could not be read or written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum MailboxFailure {
    /// It cannot be reached now.
    #[error("the mailbox cannot be reached")]
    Unavailable,
    /// The device is no longer active.
    #[error("the device is not active")]
    Revoked,
    /// An event cannot be made for this desk.
    #[error("the next event cannot be made")]
    Stopped,
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
    /// Ask the mailbox where calls for help stand after this place, and answer with [`Input::Calls`] or
    /// [`Input::MailboxFailed`]. Nothing follows in this step.
    Look {
        /// Only what comes after this place.
        after: u64,
    },
    /// Say at once that a call for help stands at this place, ahead of its turn.
    Call(u64),
    /// Send it.
    Send(Event),
    /// Say that everything up to this place, the last, has been sent.
    Head(u64),
    /// Send a ping.
    Ping,
    /// The device holds everything up to here: store it.
    Acknowledged(u64),
    /// Say why, and end. Nothing follows.
    Close(CloseReason),
}

/// How long the count of what the peer says runs before it begins anew.
const INBOUND_WINDOW: Duration = Duration::from_secs(1);

/// The state of one socket.
#[derive(Debug)]
pub struct Machine {
    limits: SocketLimits,
    /// The last place handed to the socket.
    sent: u64,
    /// The last place in the mailbox, as far as we know.
    head: u64,
    /// The last call for help in the mailbox, as far as we know.
    call: u64,
    /// The last place up to which calls for help were looked for ahead of their turn.
    looked: u64,
    /// The head that the peer was told of.
    announced: Option<u64>,
    /// The last place acknowledged.
    acked: u64,
    /// The last place acknowledged of which we said [`Action::Acknowledged`].
    stored: u64,
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
    /// Since when the window is full without an acknowledgement.
    full_since: Option<Instant>,
    inbound: u32,
    inbound_since: Instant,
    closed: Option<CloseReason>,
}

impl Machine {
    /// A socket whose device holds everything up to `after`. Begin with [`Input::Wake`].
    pub fn new(limits: SocketLimits, after: u64, now: Instant) -> Self {
        Self {
            limits,
            sent: after,
            head: after,
            call: 0,
            looked: 0,
            announced: None,
            acked: after,
            stored: after,
            in_flight: VecDeque::new(),
            in_flight_bytes: 0,
            fetching: false,
            more: false,
            unanswered: None,
            pinged: now,
            full_since: None,
            inbound: 0,
            inbound_since: now,
            closed: None,
        }
    }

    /// The device's cursor is stored at `kept`, which may lie before or behind the place where the stream begins: a device
    /// that was cut off before it could acknowledge does so on its next connection.
    #[must_use]
    pub fn kept(mut self, kept: u64) -> Self {
        self.acked = self.sent.min(kept);
        self.stored = kept;
        self
    }

    /// Why it is closed, once a close was decided.
    pub fn closed(&self) -> Option<CloseReason> {
        self.closed
    }

    /// When [`Input::Tick`] is due at the latest. Between these moments an idle socket costs nothing.
    pub fn deadline(&self) -> Instant {
        let ping = self.pinged + self.limits.ping;
        let slow = self.full_since.map(|since| since + self.limits.slow);
        let dead = self.unanswered.map(|since| since + self.patience());
        ping.min(slow.unwrap_or(ping)).min(dead.unwrap_or(ping))
    }

    /// Decides. What came at once is given at once, so that ten acknowledgements are stored as one. After a close the
    /// answer is always empty.
    pub fn step(&mut self, inputs: impl IntoIterator<Item = Input>, now: Instant) -> Vec<Action> {
        let mut actions = Vec::new();
        if self.closed.is_some() {
            return actions;
        }
        let outcome = inputs
            .into_iter()
            .try_for_each(|input| self.take(input, now, &mut actions));
        // Also before a close: what the peer said it has kept, it has.
        if self.acked > self.stored {
            self.stored = self.acked;
            actions.push(Action::Acknowledged(self.acked));
        }
        match outcome {
            Ok(()) if self.looks_ahead(&mut actions) => {}
            Ok(()) => self.fetch_if_room(now, &mut actions),
            Err(reason) => {
                self.closed = Some(reason);
                actions.push(Action::Close(reason));
            }
        }
        actions
    }

    fn take(
        &mut self,
        input: Input,
        now: Instant,
        actions: &mut Vec<Action>,
    ) -> Result<(), CloseReason> {
        match input {
            Input::Wake => {
                self.more = true;
                Ok(())
            }
            Input::Called(seq) => {
                self.call = self.call.max(seq);
                Ok(())
            }
            Input::Calls(seqs) => {
                let ahead = seqs.into_iter().filter(|seq| *seq > self.sent);
                actions.extend(ahead.map(Action::Call));
                Ok(())
            }
            Input::Fetched { events, head } => self.fetched(events, head, actions),
            Input::MailboxFailed(MailboxFailure::Unavailable) => Err(CloseReason::Unavailable),
            Input::MailboxFailed(MailboxFailure::Stopped) => Err(CloseReason::Stopped),
            Input::Text(text) => self.inbound(now).and_then(|()| self.text(&text)),
            Input::Binary => Err(CloseReason::Protocol),
            Input::TooLarge => Err(CloseReason::TooLarge),
            Input::Alive => self.inbound(now),
            Input::PeerClosed => Err(CloseReason::Peer),
            Input::WriteStalled => Err(CloseReason::SlowReader),
            Input::Tick => self.tick(now, actions),
            Input::Revoked | Input::MailboxFailed(MailboxFailure::Revoked) => {
                Err(CloseReason::Revoked)
            }
            Input::Replaced => Err(CloseReason::Replaced),
            Input::Stopping => Err(CloseReason::GoingAway),
        }
    }

    fn inbound(&mut self, now: Instant) -> Result<(), CloseReason> {
        self.unanswered = None;
        if now.duration_since(self.inbound_since) >= INBOUND_WINDOW {
            self.inbound_since = now;
            self.inbound = 0;
        }
        self.inbound += 1;
        if self.inbound > self.limits.inbound_per_s {
            Err(CloseReason::Flood)
        } else {
            Ok(())
        }
    }

    fn text(&mut self, text: &str) -> Result<(), CloseReason> {
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
        }
        Ok(())
    }

    fn fetched(
        &mut self,
        events: Vec<Event>,
        head: u64,
        actions: &mut Vec<Action>,
    ) -> Result<(), CloseReason> {
        self.fetching = false;
        let empty = events.is_empty();
        for event in events {
            let bytes = event.payload.len();
            // A gap would be an event left out in silence.
            if event.seq != self.sent + 1
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
        self.head = head.max(self.sent);
        self.more = self.sent < self.head;
        if self.more && empty {
            return Err(CloseReason::Internal);
        }
        if !self.more && self.announced != Some(self.head) {
            self.announced = Some(self.head);
            actions.push(Action::Head(self.head));
        }
        Ok(())
    }

    fn tick(&mut self, now: Instant, actions: &mut Vec<Action>) -> Result<(), CloseReason> {
        if self
            .unanswered
            .is_some_and(|since| now.duration_since(since) >= self.patience())
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
        Ok(())
    }

    /// How long a ping may go unanswered. Silence counts from a ping: while a frame was being written nobody listened.
    fn patience(&self) -> Duration {
        self.limits.dead.saturating_sub(self.limits.ping)
    }

    /// Whether a call for help stands so far on, or behind so full a window, that the peer must hear of it now.
    fn looks_ahead(&mut self, actions: &mut Vec<Action>) -> bool {
        let after = self.sent.max(self.looked);
        let far = self.call > self.sent.saturating_add(self.limits.near_events);
        if self.fetching || self.call <= after || !(far || self.is_full()) {
            return false;
        }
        self.looked = self.call;
        actions.push(Action::Look { after });
        true
    }

    fn is_full(&self) -> bool {
        self.in_flight.len() >= self.limits.window_events
            || self.in_flight_bytes >= self.limits.window_bytes
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
        actions.push(Action::Fetch {
            after: self.sent,
            max_events,
            max_bytes,
        });
    }
}

#[cfg(test)]
mod tests;
