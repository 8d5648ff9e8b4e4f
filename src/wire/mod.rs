//! The shapes that travel.
