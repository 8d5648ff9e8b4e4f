//! The WebSocket of a desk's mailbox (subprotocol `hn.v1`): events come, what is kept is acknowledged. Frames are
//! bounded; silence longer than the server's pings means that the line is dead.

use std::time::Duration;

use futures_util::{SinkExt as _, StreamExt as _};
use serde::Deserialize;
use tokio::net::TcpStream;
use tokio_rustls::client::TlsStream;
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::client::ClientRequestBuilder;
use tokio_tungstenite::tungstenite::http::{Response, Uri};
use tokio_tungstenite::tungstenite::protocol::WebSocketConfig;
use tokio_tungstenite::tungstenite::{Error as WsError, Message};

use super::api::ApiError;
use super::connect::{connect, host_and_port};
use super::error::CliError;
use super::profile::Profile;
use crate::domain::ids::Seq;
use crate::wire::problem::ProblemBody;

/// The server's subprotocol.
const SUBPROTOCOL: &str = "hn.v1";
/// The longest frame, in bytes; larger events are fetched.
const FRAME_MOST: usize = 64 << 10;
/// The server pings every 20 s: after three of them missed, the line is dead.
const SILENCE: Duration = Duration::from_secs(65);
/// How long the upgrade may take.
const UPGRADE: Duration = Duration::from_secs(15);
/// The code with which the server closes the socket of a device that was taken back.
const REVOKED: u16 = 4001;

/// What the server says.
#[derive(Debug)]
pub enum Said {
    /// An event's exact bytes.
    Event(Vec<u8>),
    /// An event too large for a frame; fetch it.
    Fetch(Seq),
    /// The backlog ends here.
    Head(Seq),
    /// A call for help stands further on; fetch it now. It follows in its turn too.
    Distress(Seq),
    /// Nothing, for as long as was waited.
    Quiet,
    /// The server ended the stream, with its words.
    Ended(String),
}

#[derive(Deserialize)]
#[serde(rename_all = "snake_case")]
enum Text {
    Fetch(u64),
    Head(u64),
    Distress(u64),
}

/// An open stream.
pub struct Stream {
    socket: WebSocketStream<TlsStream<TcpStream>>,
    server: String,
}

impl Stream {
    /// Opens the stream behind `after`.
    ///
    /// # Errors
    /// [`ApiError`]; also when the profile's TLS files do not serve.
    pub async fn open(profile: &Profile, after: Seq) -> Result<Self, CliError> {
        let server = profile.me().server.clone();
        let tls = connect(&server, profile.tls()?).await?;
        let (host, port) = host_and_port(&server)?;
        let host = if host.contains(':') {
            format!("[{host}]")
        } else {
            host
        };
        let uri: Uri = format!("wss://{host}:{port}/v1/stream?after={after}")
            .parse()
            .map_err(|_| ApiError::Client(format!("{server} is not an address")))?;
        let request = ClientRequestBuilder::new(uri).with_sub_protocol(SUBPROTOCOL);
        let config = WebSocketConfig::default()
            .max_message_size(Some(FRAME_MOST))
            .max_frame_size(Some(FRAME_MOST))
            .max_write_buffer_size(2 * FRAME_MOST)
            .write_buffer_size(0);
        let upgrade = tokio_tungstenite::client_async_with_config(request, tls, Some(config));
        match tokio::time::timeout(UPGRADE, upgrade).await {
            Ok(Ok((socket, _))) => Ok(Self { socket, server }),
            Ok(Err(error)) => Err(broken(&server, error).into()),
            Err(_) => Err(unreachable(&server, "no answer in time").into()),
        }
    }

    /// What comes next. Waits `patience`, or without one until the line counts as dead.
    ///
    /// # Errors
    /// [`ApiError::Authentication`] when this device was taken back; [`ApiError::Unreachable`] when the line broke.
    pub async fn next(&mut self, patience: Option<Duration>) -> Result<Said, ApiError> {
        loop {
            let next = tokio::time::timeout(patience.unwrap_or(SILENCE), self.socket.next()).await;
            return match next {
                Err(_) if patience.is_some() => Ok(Said::Quiet),
                Err(_) => Err(unreachable(
                    &self.server,
                    "no sign of life for over a minute",
                )),
                Ok(None) => Ok(Said::Ended("the connection was closed".to_owned())),
                Ok(Some(Err(error))) => Err(broken(&self.server, error)),
                Ok(Some(Ok(message))) => match message {
                    Message::Binary(bytes) => Ok(Said::Event(bytes.to_vec())),
                    Message::Text(text) => self.text(&text),
                    Message::Close(frame) => match frame {
                        Some(frame) if u16::from(frame.code) == REVOKED => {
                            Err(ApiError::Authentication)
                        }
                        Some(frame) => Ok(Said::Ended(frame.reason.to_string())),
                        None => Ok(Said::Ended("the connection was closed".to_owned())),
                    },
                    // Pongs go out with the next read.
                    Message::Ping(_) | Message::Pong(_) | Message::Frame(_) => continue,
                },
            };
        }
    }

    fn text(&self, text: &str) -> Result<Said, ApiError> {
        match serde_json::from_str(text) {
            Ok(Text::Fetch(seq)) => Ok(Said::Fetch(Seq(seq))),
            Ok(Text::Head(seq)) => Ok(Said::Head(Seq(seq))),
            Ok(Text::Distress(seq)) => Ok(Said::Distress(Seq(seq))),
            Err(_) => Err(ApiError::Answer {
                operation: format!("the stream of {}", self.server),
                why: "a text that hn.v1 does not have".to_owned(),
            }),
        }
    }

    /// Says that everything up to `seq` is on disk here.
    ///
    /// # Errors
    /// When the line broke.
    pub async fn acknowledge(&mut self, seq: Seq) -> Result<(), ApiError> {
        let text = format!(r#"{{"ack":{seq}}}"#);
        self.socket
            .send(Message::text(text))
            .await
            .map_err(|error| broken(&self.server, error))
    }

    /// Ends the stream in order. What the other side makes of it does not matter any more.
    pub async fn close(mut self) {
        tokio::time::timeout(Duration::from_secs(2), self.socket.close(None))
            .await
            .ok();
    }
}

fn broken(server: &str, error: WsError) -> ApiError {
    match error {
        WsError::Http(response) => refused(server, &response),
        WsError::Io(error) => super::api::refused_by_tls(server, &error)
            .unwrap_or_else(|| unreachable(server, &error.to_string())),
        other => unreachable(server, &other.to_string()),
    }
}

fn refused(server: &str, response: &Response<Option<Vec<u8>>>) -> ApiError {
    let body = response.body().as_deref().unwrap_or_default();
    match serde_json::from_slice::<ProblemBody>(body) {
        Ok(problem) => ApiError::Problem(Box::new(problem)),
        Err(_) => unreachable(server, &format!("{} to the WebSocket", response.status())),
    }
}

fn unreachable(server: &str, why: &str) -> ApiError {
    ApiError::Unreachable {
        server: server.to_owned(),
        why: why.to_owned(),
    }
}
