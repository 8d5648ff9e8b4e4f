//! The WebSocket face: frames and their bounds, a pure machine that decides, a loop that carries out. What stands in an
//! event, and where events come from, is given by others through [`session::Mailbox`].

pub mod frame;
pub mod handshake;
pub mod machine;
pub mod session;
pub mod upgrade;
