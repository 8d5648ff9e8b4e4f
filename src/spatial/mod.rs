//! Pure geometry on WGS84.
