//! The one door from this folder to positions, distances and MGRS, so that the parser itself holds no geodesy.

use std::fmt;
use std::str::FromStr;

use geoconvert::{LatLon, Mgrs};
use geographiclib_rs::{Geodesic, InverseGeodesic};

/// Two numbers that are not a place.
#[derive(Debug)]
pub struct NotAPlace;

/// A point on WGS84, degrees.
#[derive(Clone, Copy, PartialEq)]
pub struct Position {
    lon: f64,
    lat: f64,
}

impl fmt::Debug for Position {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Position([sealed])")
    }
}

impl Position {
    /// Longitude within ±180, latitude within ±90, finite.
    ///
    /// # Errors
    /// When they are not.
    pub fn new(lon: f64, lat: f64) -> Result<Self, NotAPlace> {
        ((-180.0..=180.0).contains(&lon) && (-90.0..=90.0).contains(&lat))
            .then_some(Self { lon, lat })
            .ok_or(NotAPlace)
    }
    /// Longitude, degrees.
    pub fn lon(&self) -> f64 {
        self.lon
    }
    /// Latitude, degrees.
    pub fn lat(&self) -> f64 {
        self.lat
    }
    /// Geodesic, metres.
    pub fn distance_m(&self, b: &Self) -> f64 {
        Geodesic::wgs84().inverse(self.lat, self.lon, b.lat, b.lon)
    }
}

pub(super) fn to_mgrs(p: Position) -> String {
    let lat = if p.lat.abs() < 1e-9 { 1e-9 } else { p.lat };
    LatLon::create(lat, p.lon).map_or_else(|_| String::new(), |ll| ll.to_mgrs(5).to_string())
}

pub(super) fn from_mgrs(text: &str) -> Option<Position> {
    let ll = Mgrs::from_str(text).ok()?.to_latlon();
    Position::new(ll.longitude(), ll.latitude()).ok()
}
