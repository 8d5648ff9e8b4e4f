//! One place on the earth. A [`Position`] cannot hold a value that is not a place, so nothing behind it has to ask again.

use std::fmt;

/// Why two numbers are not a place. The text never repeats the numbers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PositionError {
    /// NaN or infinite.
    #[error("a coordinate is not a finite number; give decimal degrees")]
    NotFinite,
    /// Longitude outside −180 to 180.
    #[error("the longitude is outside -180 to 180 degrees; GeoJSON order is longitude, latitude")]
    Longitude,
    /// Latitude outside −90 to 90.
    #[error("the latitude is outside -90 to 90 degrees; GeoJSON order is longitude, latitude")]
    Latitude,
}

/// A place on WGS84, in degrees: longitude −180 to 180 east, latitude −90 to 90 north. Prints as `[sealed]`.
#[derive(Clone, Copy, PartialEq)]
pub struct Position {
    lon: f64,
    lat: f64,
}

impl Position {
    /// Makes a position of longitude and latitude (in this order, as in RFC 7946), in degrees.
    ///
    /// # Errors
    /// [`PositionError`] when a number is not finite or out of range; nothing is wrapped or clamped.
    pub fn new(lon: f64, lat: f64) -> Result<Self, PositionError> {
        if !lon.is_finite() || !lat.is_finite() {
            return Err(PositionError::NotFinite);
        }
        if !(-180.0..=180.0).contains(&lon) {
            return Err(PositionError::Longitude);
        }
        if !(-90.0..=90.0).contains(&lat) {
            return Err(PositionError::Latitude);
        }
        Ok(Self { lon, lat })
    }

    /// Brings any finite longitude into −180..180 and clamps what rounding left beyond a pole.
    pub(crate) fn wrapped(lon: f64, lat: f64) -> Self {
        let mut turned = (lon + 180.0).rem_euclid(360.0) - 180.0;
        if (-180.0..=180.0).contains(&lon) {
            turned = lon;
        }
        Self {
            lon: turned,
            lat: lat.clamp(-90.0, 90.0),
        }
    }

    /// Degrees east.
    pub fn lon(&self) -> f64 {
        self.lon
    }

    /// Degrees north.
    pub fn lat(&self) -> f64 {
        self.lat
    }

    /// Geodesic distance on WGS84 to another place, in metres (Karney 2013, through geographiclib).
    pub fn distance_m(&self, other: &Self) -> f64 {
        super::geodesy::distance_m([self.lon, self.lat], [other.lon, other.lat])
    }

    pub(crate) fn lonlat(&self) -> [f64; 2] {
        [self.lon, self.lat]
    }
}

impl fmt::Debug for Position {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("[sealed]")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_off_the_earth_is_refused_not_wrapped() {
        assert_eq!(Position::new(190.0, 95.0), Err(PositionError::Longitude));
        assert_eq!(Position::new(10.0, 95.0), Err(PositionError::Latitude));
        assert_eq!(Position::new(f64::NAN, 0.0), Err(PositionError::NotFinite));
        assert_eq!(
            Position::new(0.0, f64::INFINITY),
            Err(PositionError::NotFinite)
        );
        assert!(Position::new(-180.0, 90.0).is_ok());
    }

    #[test]
    fn a_place_never_prints_itself() {
        let place = Position::new(32.5599, 15.5007).expect("a place");
        assert_eq!(format!("{place:?}"), "[sealed]");
    }

    #[test]
    fn distances_are_geodesic_on_wgs84() {
        let metres = |a: (f64, f64), b: (f64, f64)| {
            Position::new(a.0, a.1)
                .unwrap()
                .distance_m(&Position::new(b.0, b.1).unwrap())
        };
        assert!((metres((10.0, 60.0), (10.0179, 60.0)) - 998.820).abs() < 1e-3);
        assert!((metres((179.9, 0.0), (-179.9, 0.0)) - 22_263.898).abs() < 1e-3);
        assert!((metres((32.5599, 15.5007), (33.5199, 14.4012)) - 159_578.49).abs() < 1e-2);
    }
}
