//! The HTTP face: the way in (TCP, TLS, HTTP/1.1, every step bounded), what surrounds every request, what handlers take
//! requests apart with, and how they refuse. The resources stand on top of it.
//!
//! A server is `Acceptor { router: platform.wrap(routes), .. }.run(listener)`.

pub mod accept;
pub mod auth;
pub mod chunks;
pub mod extract;
pub mod limits;
pub mod middleware;
pub mod openapi;
pub mod ops;
pub mod problem;
pub mod rate;
mod stall;
pub mod state;
pub mod v1;

pub use accept::{Acceptor, PeerIdentity};
pub use extract::{BodyBytes, JsonBody, QueryParams};
pub use limits::{Limits, RateClass};
pub use middleware::{Platform, RequestId};
