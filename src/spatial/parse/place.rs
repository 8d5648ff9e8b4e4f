//! The one door from this folder to MGRS.

use std::str::FromStr;

use geoconvert::{LatLon, Mgrs};

use crate::spatial::position::Position;

pub(super) fn to_mgrs(p: Position) -> String {
    let lat = if p.lat().abs() < 1e-9 { 1e-9 } else { p.lat() };
    LatLon::create(lat, p.lon()).map_or_else(|_| String::new(), |ll| ll.to_mgrs(5).to_string())
}

pub(super) fn from_mgrs(text: &str) -> Option<Position> {
    let ll = Mgrs::from_str(text).ok()?.to_latlon();
    Position::new(ll.longitude(), ll.latitude()).ok()
}
