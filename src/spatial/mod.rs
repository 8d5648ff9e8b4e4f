//! Pure geometry on WGS84.
pub mod parse;
