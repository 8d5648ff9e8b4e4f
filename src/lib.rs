//! Herald: a humanitarian notification server.
//!
//! Humanitarian organisations tell it, signed and sealed, where they are and where they will move; it hands each
//! notification to the parties to the conflict that the organisation chose, brings back their signed acknowledgements,
//! and answers planners who ask whether an area holds notified places or movements. A notification is word, never a
//! request for permission.
//!
//! # The map
//!
//! Dependencies point one way; a test reads the `use crate::` lines and enforces it.
//!
//! ```text
//! main → cli → app → {http, ws, jobs} → service → {store, list, log} → crypto → spatial → domain
//!                     http, ws, cli share wire, and never each other
//! ```
//!
//! | module | what is there |
//! |---|---|
//! | [`domain`] | pure words and rules: ids, clock, notification, acknowledgement, check, tier, policy |
//! | [`spatial`] | pure geometry: shapes, MGRS, coordinates as typed, cells, covers, exact distances, tracks |
//! | [`crypto`] | the only user of ring and hpke: statements, disclosures, seals, keyring, keys, certificates |
//! | [`store`] | the only user of sqlx, and the private PostgreSQL |
//! | [`wire`] | the shapes that travel: claims, parts, envelopes, JSON bodies |
//! | [`tls`] | the TLS configurations of server and client; beside wire, used by http and cli |
//! | [`service`] | the use cases; they own the transactions |
//! | [`http`], [`ws`], [`jobs`] | the server's faces and its clockwork |
//! | [`app`] | puts a server together and takes it down again |
//! | [`cli`] | one file a subcommand; the client |

pub mod app;
pub mod cli;
pub mod config;
pub mod crypto;
pub mod domain;
pub mod http;
pub mod jobs;
pub mod service;
pub mod shutdown;
pub mod spatial;
pub mod store;
pub mod telemetry;
pub mod tls;
pub mod wire;
pub mod ws;
