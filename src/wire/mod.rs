//! The shapes that travel, shared by server and client: claims of statements, the values of their parts, envelopes and
//! events in binary, and the JSON bodies of the API. `docs/protocol.md` describes them; the code here is what runs.

pub mod api;
pub mod build;
pub mod check;
pub mod claims;
pub mod desk;
pub mod envelope;
pub mod fields;
pub mod ids;
pub mod invite;
pub mod member;
pub mod nudge;
pub mod object;
pub mod parts;
pub mod policy;
pub mod problem;
pub mod read;
pub mod relay;
pub mod text;
pub mod trust;
