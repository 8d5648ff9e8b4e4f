//! Pure words and rules: what a notification, an acknowledgement, a party is, and who may say what. No async, no I/O,
//! no serde, no sqlx and no ambient clock live here, so that every rule can be read and tested by itself.

pub mod ack;
pub mod actor;
pub mod category;
pub mod check;
pub mod clock;
pub mod disclosure_policy;
pub mod due;
pub mod exchange;
pub mod ids;
pub mod kind;
pub mod machine;
pub mod notification;
pub mod nudge;
pub mod phone;
pub mod plural;
pub mod policy;
pub mod retention;
pub mod text;
mod words;

pub(crate) use words::words;
