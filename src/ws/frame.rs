//! What travels over a socket, and its bounds: events out, acknowledgements of receipt in, and the reasons for which a
//! socket is closed. Events are opaque here; what stands in them is the protocol's matter.

use std::time::Duration;

use bytes::Bytes;
use serde::{Deserialize, Serialize};

/// The subprotocol that both ends must speak.
pub const SUBPROTOCOL: &str = "hn.v1";

/// The largest message to a client, in bytes. Of a larger event only a reference is sent, to fetch it by.
pub const FRAME_MAX_BYTES: usize = 64 << 10;

/// The largest frame from a client, in bytes: it says nothing but `{"ack":<seq>}`.
pub const INBOUND_MAX_BYTES: usize = 1 << 10;

/// The read buffer of a socket, in bytes; ten thousand idle sockets must not cost a gigabyte.
pub const READ_BUFFER_BYTES: usize = 1 << 10;

/// The most of an event in one frame, in bytes: a larger one goes out in several, as RFC 6455 (5.4) has it.
pub const FRAGMENT_BYTES: usize = 4 << 10;

/// The most that waits in memory for the peer to take, in bytes: a fragment, its like again, and frames of control.
pub const WRITE_BUFFER_MAX_BYTES: usize = 2 * FRAGMENT_BYTES + 1_024;

/// Bounds on a socket.
#[derive(Debug, Clone)]
pub struct SocketLimits {
    /// Between pings.
    pub ping: Duration,
    /// After which a peer that said nothing, not even a pong, is dead; longer than `ping`.
    pub dead: Duration,
    /// How long a peer may leave a full window unacknowledged.
    pub slow: Duration,
    /// How long one frame may take to be written.
    pub write: Duration,
    /// How long the mailbox may take.
    pub mailbox: Duration,
    /// How long to wait for the peer's Close after ours.
    pub close: Duration,
    /// The most events sent and not acknowledged.
    pub window_events: usize,
    /// The bytes sent and not acknowledged beyond which nothing more is fetched.
    pub window_bytes: usize,
    /// A call for help no further on than this many events is not named ahead: it comes as soon in its turn.
    pub near_events: u64,
    /// The most messages from the peer in one second, pongs included.
    pub inbound_per_s: u32,
}

impl Default for SocketLimits {
    fn default() -> Self {
        Self {
            ping: Duration::from_secs(20),
            dead: Duration::from_mins(1),
            slow: Duration::from_mins(1),
            write: Duration::from_secs(20),
            mailbox: Duration::from_secs(10),
            close: Duration::from_secs(2),
            window_events: 256,
            window_bytes: 512 << 10,
            near_events: 8,
            inbound_per_s: 2_048,
        }
    }
}

/// An event's body: opaque, at most [`FRAME_MAX_BYTES`].
#[derive(Clone, PartialEq, Eq)]
pub enum Payload {
    /// Goes out as a text frame.
    Text(String),
    /// Goes out as a binary frame.
    Binary(Bytes),
}

impl Payload {
    /// Its length in bytes.
    pub fn len(&self) -> usize {
        match self {
            Self::Text(text) => text.len(),
            Self::Binary(bytes) => bytes.len(),
        }
    }

    /// Whether there is nothing in it.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

impl std::fmt::Debug for Payload {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("[sealed]")
    }
}

/// An event of a mailbox.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Event {
    /// Its place in the mailbox: dense, from 1.
    pub seq: u64,
    /// What goes out.
    pub payload: Payload,
}

/// An event of a mailbox that is too large for a frame travels as this text: fetch it by `GET /v1/events/<seq>`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct FetchReference {
    /// Its place.
    pub fetch: u64,
}

/// The text that says that everything in the mailbox has been sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct HeadNotice {
    /// The last place in the mailbox.
    pub head: u64,
}

/// The text that says that a call for help stands further on in the mailbox, outside the order of events: fetch it at once
/// by `GET /v1/events/<seq>` and show it. The event itself follows in its turn all the same.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct DistressNotice {
    /// Its place.
    pub distress: u64,
}

/// What a client may say: `{"ack":<seq>}`, everything up to `seq` is kept on its side.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ClientMessage {
    /// The highest place that the client has stored.
    pub ack: u64,
}

impl ClientMessage {
    /// Reads a text frame; `None` when it is anything else.
    pub fn parse(text: &str) -> Option<Self> {
        serde_json::from_str(text).ok()
    }
}

/// Why a socket is closed. Codes below 4000 are RFC 6455's (7.4.1), the others ours.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum CloseReason {
    /// The peer closed, or the connection broke.
    Peer,
    /// The server ends.
    GoingAway,
    /// The peer said something that the subprotocol does not have.
    Protocol,
    /// The peer sent a frame that is too large.
    TooLarge,
    /// The peer acknowledged what was never sent.
    AckAhead,
    /// The peer talks too much.
    Flood,
    /// The peer takes or acknowledges nothing.
    SlowReader,
    /// The peer is silent.
    Dead,
    /// The device was revoked.
    Revoked,
    /// A newer connection of the same device took this one's place.
    Replaced,
    /// The mailbox cannot be read now.
    Unavailable,
    /// An event cannot be made for this desk; delivery stops before it until the operator has mended that.
    Stopped,
    /// The mailbox gave something that may not be sent; a defect.
    Internal,
}

impl CloseReason {
    /// The code in the Close frame.
    pub const fn code(self) -> u16 {
        match self {
            Self::Peer => 1000,
            Self::GoingAway => 1001,
            Self::Protocol => 1002,
            Self::TooLarge => 1009,
            Self::SlowReader => 1008,
            Self::Internal | Self::Stopped => 1011,
            Self::Unavailable => 1013,
            Self::Revoked => 4001,
            Self::AckAhead => 4002,
            Self::Flood => 4003,
            Self::Dead => 4004,
            Self::Replaced => 4005,
        }
    }

    /// The words in the Close frame; at most 123 bytes.
    pub const fn words(self) -> &'static str {
        match self {
            Self::Peer => "closed",
            Self::GoingAway => "the server is restarting; connect again, nothing is lost",
            Self::Protocol => "only {\"ack\":<seq>} is understood here",
            Self::TooLarge => "a frame larger than 1 KiB",
            Self::AckAhead => "acknowledged more than was sent; connect again with the true after",
            Self::Flood => "too many messages; connect again",
            Self::SlowReader => "events are not taken; connect again, nothing is lost",
            Self::Dead => "no sign of life; connect again, nothing is lost",
            Self::Revoked => {
                "this device was revoked, or its party is suspended or has left: ask the coordinator"
            }
            Self::Replaced => "newer connections of this device took this one's place",
            Self::Unavailable => "the mailbox cannot be read now; connect again, nothing is lost",
            Self::Stopped => {
                "the next event cannot be prepared, and none is left out: tell the operator; nothing is lost"
            }
            Self::Internal => "the server failed; connect again, nothing is lost",
        }
    }

    /// The label in metrics.
    pub const fn label(self) -> &'static str {
        match self {
            Self::Peer => "peer",
            Self::GoingAway => "going_away",
            Self::Protocol => "protocol",
            Self::TooLarge => "too_large",
            Self::AckAhead => "ack_ahead",
            Self::Flood => "flood",
            Self::SlowReader => "slow_reader",
            Self::Dead => "dead",
            Self::Revoked => "revoked",
            Self::Replaced => "replaced",
            Self::Stopped => "stopped",
            Self::Unavailable => "unavailable",
            Self::Internal => "internal",
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn only_an_acknowledgement_is_understood() {
        assert_eq!(
            ClientMessage::parse(r#"{"ack":7}"#),
            Some(ClientMessage { ack: 7 })
        );
        for other in [
            "",
            "7",
            "{}",
            r#"{"ack":-1}"#,
            r#"{"ack":1.5}"#,
            r#"{"ack":1,"ack":2}"#,
            r#"{"ack":1,"x":2}"#,
        ] {
            assert_eq!(ClientMessage::parse(other), None, "{other}");
        }
    }

    proptest! {
        #[test]
        fn no_text_makes_the_parser_fail(text in ".{0,200}") {
            if let Some(message) = ClientMessage::parse(&text) {
                let again = serde_json::to_string(&message).expect("serialises");
                prop_assert_eq!(ClientMessage::parse(&again), Some(message));
            }
        }
    }
}
