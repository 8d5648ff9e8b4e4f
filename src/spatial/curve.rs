//! One edge as a curve over t = 0..1: straight in longitude-latitude (RFC 7946), a geodesic (a leg of a movement), or a
//! single point. With each come bounds on how fast and how crooked it is, from which the distance search knows how low a
//! distance can be between the places that it looked at.

use super::geodesy::{self, Ecef, MIN_RADIUS_M};
use super::plane::Xy;
use geographiclib_rs::GeodesicLine;

/// Where a curve is at some t, and how it moves there.
#[derive(Clone, Copy)]
pub(crate) struct Sample {
    /// Longitude (any multiple of 360° added) and latitude, degrees.
    pub at: Xy,
    /// Velocity (east, north) in metres per unit of t.
    pub velocity: [f64; 2],
}

#[derive(Clone)]
enum Path {
    Point(Xy),
    Straight {
        a: Xy,
        b: Xy,
    },
    Geodesic {
        a: Xy,
        b: Xy,
        line: Box<GeodesicLine>,
        length_m: f64,
    },
}

/// An edge with its bounds.
#[derive(Clone)]
pub(crate) struct Curve {
    path: Path,
    /// Earth-centred start.
    pub start: Ecef,
    /// Earth-centred end.
    pub end: Ecef,
    /// Greatest speed, metres per unit.
    pub speed_max: f64,
    /// Least speed, metres per unit.
    pub speed_min: f64,
    /// Greatest covariant acceleration along the surface, metres per unit².
    pub accel: f64,
    /// Greatest acceleration in space, metres per unit².
    pub accel_space: f64,
}

impl Curve {
    pub fn point(p: Xy) -> Self {
        let at = geodesy::ecef(p);
        Self {
            path: Path::Point(p),
            start: at,
            end: at,
            speed_max: 0.0,
            speed_min: 0.0,
            accel: 0.0,
            accel_space: 0.0,
        }
    }

    /// An edge that is straight in longitude-latitude, as RFC 7946 §3.1.1 has it.
    ///
    /// With M the radius of the meridian, r the distance from the axis and primes by t, the covariant acceleration of such
    /// an edge is north M_φ φ'² + r sin φ λ'², east −2 M sin φ φ' λ' (the Christoffel symbols of a surface of revolution).
    pub fn straight(a: Xy, b: Xy) -> Self {
        if a[0].total_cmp(&b[0]).is_eq() && a[1].total_cmp(&b[1]).is_eq() {
            return Self::point(a);
        }
        let d = [b[0] - a[0], b[1] - a[1]];
        let (dlon, dlat) = (d[0].to_radians().abs(), d[1].to_radians().abs());
        let farthest = a[1].abs().max(b[1].abs()).to_radians();
        let nearest = if (a[1] < 0.0) == (b[1] < 0.0) {
            a[1].abs().min(b[1].abs()).to_radians()
        } else {
            0.0
        };
        let (sin_far, cos_far) = farthest.sin_cos();
        let (sin_near, cos_near) = nearest.sin_cos();
        let m_max = geodesy::meridian_radius_m(sin_far);
        let m_min = geodesy::meridian_radius_m(sin_near);
        let r_max = geodesy::axis_distance_m(sin_near, cos_near);
        let r_min = geodesy::axis_distance_m(sin_far, cos_far.max(0.0));
        let north = 0.0102 * m_max * dlat * dlat + r_max * sin_far * dlon * dlon;
        let east = 2.0 * m_max * sin_far * dlat * dlon;
        let speed_max = (m_max * dlat).hypot(r_max * dlon);
        let accel = north.hypot(east);
        Self {
            path: Path::Straight { a, b },
            start: geodesy::ecef(a),
            end: geodesy::ecef(b),
            speed_max,
            speed_min: (m_min * dlat).hypot(r_min * dlon),
            accel,
            accel_space: accel + speed_max * speed_max / MIN_RADIUS_M,
        }
    }

    /// The geodesic from a to b.
    pub fn geodesic(a: Xy, b: Xy) -> Self {
        let inverse = geodesy::inverse(a, b);
        let length_m = inverse.distance_m;
        if length_m <= 0.0 {
            return Self::point(a);
        }
        let [sin, cos] = inverse.from;
        let line = GeodesicLine::new(
            geodesy::geodesic(),
            a[1],
            a[0],
            sin.atan2(cos).to_degrees(),
            None,
            None,
            None,
        );
        Self {
            path: Path::Geodesic {
                a,
                b,
                line: Box::new(line),
                length_m,
            },
            start: geodesy::ecef(a),
            end: geodesy::ecef(b),
            speed_max: length_m,
            speed_min: length_m,
            accel: 0.0,
            accel_space: length_m * length_m / MIN_RADIUS_M,
        }
    }

    /// Whether the curve is a single point.
    pub fn is_point(&self) -> bool {
        matches!(self.path, Path::Point(_))
    }

    /// The ends in the plane, if the curve is straight there (a point is, too).
    pub fn plane_ends(&self) -> Option<(Xy, Xy)> {
        match &self.path {
            Path::Point(p) => Some((*p, *p)),
            Path::Straight { a, b } => Some((*a, *b)),
            Path::Geodesic { .. } => None,
        }
    }

    /// Place and velocity at t in 0..1.
    pub fn at(&self, t: f64) -> Sample {
        match &self.path {
            Path::Point(p) => Sample {
                at: *p,
                velocity: [0.0, 0.0],
            },
            Path::Straight { a, b } => {
                let d = [b[0] - a[0], b[1] - a[1]];
                // The ends are exactly what was given.
                let at = if t >= 1.0 {
                    *b
                } else {
                    [a[0] + t * d[0], (a[1] + t * d[1]).clamp(-90.0, 90.0)]
                };
                let (sin, cos) = at[1].to_radians().sin_cos();
                let east = geodesy::axis_distance_m(sin, cos.max(0.0)) * d[0].to_radians();
                let north = geodesy::meridian_radius_m(sin) * d[1].to_radians();
                Sample {
                    at,
                    velocity: [east, north],
                }
            }
            Path::Geodesic {
                a,
                b,
                line,
                length_m,
            } => {
                let caps = geographiclib_rs::geodesic_capability::STANDARD;
                let (_, lat, lon, azimuth, ..) = line._gen_position(false, t * length_m, caps);
                let at = if t <= 0.0 {
                    *a
                } else if t >= 1.0 {
                    *b
                } else {
                    [lon, lat]
                };
                let (sin, cos) = azimuth.to_radians().sin_cos();
                Sample {
                    at,
                    velocity: [length_m * sin, length_m * cos],
                }
            }
        }
    }

    /// How far the piece of width `dt` can bulge from its chord in space, metres.
    pub fn sag_m(&self, dt: f64) -> f64 {
        self.accel_space * dt * dt / 8.0
    }
}
