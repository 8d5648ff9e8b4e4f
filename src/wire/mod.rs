//! The shapes that travel.

pub mod problem;
