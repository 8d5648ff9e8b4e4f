//! The ellipsoid: the few constants, radii and conversions of WGS84 that everything else here stands on, and one door to
//! geographiclib (Karney, "Algorithms for geodesics", 2013), whose results are good to 15 nm.

use geographiclib_rs::{Geodesic, InverseGeodesic};
use std::sync::OnceLock;

/// Equatorial radius, metres (NGA.STND.0036).
pub(crate) const A_M: f64 = 6_378_137.0;
const F: f64 = 1.0 / 298.257_223_563;
const E2: f64 = F * (2.0 - F);
/// The smallest radius of curvature anywhere on the ellipsoid (the meridian at the equator), metres.
pub(crate) const MIN_RADIUS_M: f64 = A_M * (1.0 - E2);

/// A point in the earth-centred frame, metres.
pub(crate) type Ecef = [f64; 3];

/// The WGS84 geodesic engine.
pub(crate) fn geodesic() -> &'static Geodesic {
    static WGS84: OnceLock<Geodesic> = OnceLock::new();
    WGS84.get_or_init(Geodesic::wgs84)
}

/// Distance in metres between `[lon, lat]` and `[lon, lat]`, in degrees; any multiple of 360° of longitude is fine.
pub(crate) fn distance_m(p: [f64; 2], q: [f64; 2]) -> f64 {
    geodesic().inverse(p[1], p[0], q[1], q[0])
}

/// The geodesic from one point to another.
#[derive(Clone, Copy)]
pub(crate) struct Inverse {
    pub distance_m: f64,
    /// Unit direction (east, north) at the start, toward the end.
    pub from: [f64; 2],
    /// Unit direction (east, north) at the end, going on.
    pub onward: [f64; 2],
}

/// Distance and directions of the geodesic from `p` to `q`.
pub(crate) fn inverse(p: [f64; 2], q: [f64; 2]) -> Inverse {
    let (distance_m, azi1, azi2, _arc): (f64, f64, f64, f64) =
        geodesic().inverse(p[1], p[0], q[1], q[0]);
    let (sin1, cos1) = azi1.to_radians().sin_cos();
    let (sin2, cos2) = azi2.to_radians().sin_cos();
    Inverse {
        distance_m,
        from: [sin1, cos1],
        onward: [sin2, cos2],
    }
}

/// Radius of curvature of the meridian (M) at a latitude in radians, metres.
pub(crate) fn meridian_radius_m(sin_lat: f64) -> f64 {
    let w2 = 1.0 - E2 * sin_lat * sin_lat;
    A_M * (1.0 - E2) / (w2 * w2.sqrt())
}

/// Distance from the earth's axis at a latitude, metres.
pub(crate) fn axis_distance_m(sin_lat: f64, cos_lat: f64) -> f64 {
    A_M * cos_lat / (1.0 - E2 * sin_lat * sin_lat).sqrt()
}

/// Earth-centred coordinates of `[lon, lat]`.
pub(crate) fn ecef(p: [f64; 2]) -> Ecef {
    let (sin_lat, cos_lat) = p[1].to_radians().sin_cos();
    let (sin_lon, cos_lon) = p[0].to_radians().sin_cos();
    let n = A_M / (1.0 - E2 * sin_lat * sin_lat).sqrt();
    [
        n * cos_lat * cos_lon,
        n * cos_lat * sin_lon,
        n * (1.0 - E2) * sin_lat,
    ]
}

pub(crate) fn sub(a: Ecef, b: Ecef) -> Ecef {
    [a[0] - b[0], a[1] - b[1], a[2] - b[2]]
}

pub(crate) fn dot(a: Ecef, b: Ecef) -> f64 {
    a[0] * b[0] + a[1] * b[1] + a[2] * b[2]
}

/// Straight-line distance through the earth: never more than the geodesic.
pub(crate) fn chord_m(a: Ecef, b: Ecef) -> f64 {
    let d = sub(a, b);
    dot(d, d).sqrt()
}

/// Degrees of latitude that surely cover `metres` northward or southward.
pub(crate) fn lat_reach_deg(metres: f64) -> f64 {
    (metres / MIN_RADIUS_M).to_degrees() + 1e-9
}

/// Degrees of longitude that surely cover `metres` from any point whose latitude is at most `max_abs_lat` from the
/// equator; 180 when that reaches around a pole. The chord to the meridian plane bounds the geodesic from below.
pub(crate) fn lon_reach_deg(metres: f64, max_abs_lat: f64) -> f64 {
    let (sin_lat, cos_lat) = max_abs_lat.min(90.0).to_radians().sin_cos();
    let axis = axis_distance_m(sin_lat, cos_lat.max(0.0));
    if metres >= axis * 0.999_999 {
        180.0
    } else {
        (metres / axis).asin().to_degrees() + 1e-9
    }
}
