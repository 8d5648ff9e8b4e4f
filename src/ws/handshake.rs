//! The handshake of a stream (RFC 6455, 4.2): the library judges the headers, we ask for our subprotocol and set the bounds.

use std::future::Future;

use axum::body::Body;
use axum::extract::Request;
use axum::http::{HeaderMap, HeaderValue, header};
use axum::response::Response;
use hyper_util::rt::TokioIo;
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::handshake::server::create_response_with_body;
use tokio_tungstenite::tungstenite::protocol::{Role, WebSocketConfig};
use tokio_util::task::TaskTracker;

use super::frame::{INBOUND_MAX_BYTES, READ_BUFFER_BYTES, SUBPROTOCOL, WRITE_BUFFER_MAX_BYTES};
use super::session::WebSocket;
use crate::wire::problem::{Problem, ProblemKind};

/// Answers a WebSocket handshake and runs `session` on the socket, counted by `sockets`.
///
/// # Errors
/// `subprotocol-missing` when it is no WebSocket handshake or does not offer [`SUBPROTOCOL`].
pub fn upgrade<F>(
    mut request: Request,
    sockets: &TaskTracker,
    session: impl FnOnce(WebSocket) -> F + Send + 'static,
) -> Result<Response, Problem>
where
    F: Future<Output = ()> + Send + 'static,
{
    let answer = create_response_with_body(&request, Body::empty)
        .ok()
        .filter(|_| offers(request.headers(), SUBPROTOCOL));
    let Some(mut answer) = answer else {
        return Err(Problem::new(ProblemKind::SubprotocolMissing));
    };
    answer.headers_mut().insert(
        header::SEC_WEBSOCKET_PROTOCOL,
        HeaderValue::from_static(SUBPROTOCOL),
    );
    let upgraded = hyper::upgrade::on(&mut request);
    drop(request);
    sockets.spawn(async move {
        // A peer that left before the answer has no stream.
        if let Ok(upgraded) = upgraded.await {
            let io = TokioIo::new(upgraded);
            let socket = WebSocketStream::from_raw_socket(io, Role::Server, Some(bounds())).await;
            session(socket).await;
        }
    });
    Ok(answer)
}

fn bounds() -> WebSocketConfig {
    WebSocketConfig::default()
        .read_buffer_size(READ_BUFFER_BYTES)
        .write_buffer_size(0)
        .max_write_buffer_size(WRITE_BUFFER_MAX_BYTES)
        .max_frame_size(Some(INBOUND_MAX_BYTES))
        .max_message_size(Some(INBOUND_MAX_BYTES))
}

/// Whether a client offers a subprotocol: a list with commas, in one header or several.
fn offers(headers: &HeaderMap, protocol: &str) -> bool {
    headers
        .get_all(header::SEC_WEBSOCKET_PROTOCOL)
        .into_iter()
        .filter_map(|offered| offered.to_str().ok())
        .flat_map(|offered| offered.split(','))
        .any(|offered| offered.trim() == protocol)
}
