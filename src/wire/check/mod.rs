//! The check: a planner's question, what counts near it, and the verdict. Pure: no database, no clock, no network, so
//! that the server and an offline list answer with the same code. Every doubt makes the answer indeterminate; nothing
//! that counts is left out in silence.

mod candidate;
mod engine;
mod pages;
mod question;
#[cfg(test)]
mod tests;

pub use candidate::{Candidate, Exact, Notified, SealedContact, Seen};
pub use engine::{Findings, judge};
pub use pages::{MAX_PAGES, PagesError, answer_parts, page_name, read_answer};
pub use question::{COUNTRY_MARGIN_M, MAX_ASKED_KM2, MAX_EFFECT_M, Question, greatest_buffer_m};
