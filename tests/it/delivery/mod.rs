//! Delivery on a real database: who gets which part, in which order, how far a device has kept it, and when an old
//! revision stops counting; then over a real socket.

mod mailbox;
mod stream;
pub mod world;
