//! The reference's own geometry: raw coordinates in an unwrapped plane, winding angles, and grids that zoom in on the
//! nearest pair of places. Slow and simple on purpose.

use geographiclib_rs::{DirectGeodesic, Geodesic, InverseGeodesic};

/// Longitude (unwrapped) and latitude.
pub(super) type Xy = [f64; 2];

/// Points, lines and polygons of rings (not closed: the last vertex joins the first).
#[derive(Clone, Debug)]
pub(super) enum Raw {
    Point(Xy),
    Line(Vec<Xy>),
    Polygons(Vec<Vec<Vec<Xy>>>),
}

impl Raw {
    fn edges(&self) -> Vec<[Xy; 2]> {
        match self {
            Self::Point(p) => vec![[*p, *p]],
            Self::Line(points) => points.windows(2).map(|w| [w[0], w[1]]).collect(),
            Self::Polygons(polygons) => polygons
                .iter()
                .flatten()
                .flat_map(|ring| (0..ring.len()).map(|n| [ring[n], ring[(n + 1) % ring.len()]]))
                .collect(),
        }
    }

    fn vertices(&self) -> Vec<Xy> {
        self.edges().into_iter().map(|edge| edge[0]).collect()
    }

    /// Inside by the sum of angles, tried on every turn of the earth.
    pub fn holds(&self, p: Xy) -> bool {
        let Self::Polygons(polygons) = self else {
            return false;
        };
        [-360.0, 0.0, 360.0].into_iter().any(|turn| {
            let p = [p[0] + turn, p[1]];
            polygons
                .iter()
                .any(|rings| winds(&rings[0], p) && !rings[1..].iter().any(|hole| winds(hole, p)))
        })
    }
}

fn winds(ring: &[Xy], p: Xy) -> bool {
    let angle: f64 = (0..ring.len())
        .map(|n| {
            let (a, b) = (ring[n], ring[(n + 1) % ring.len()]);
            let (a, b) = ([a[0] - p[0], a[1] - p[1]], [b[0] - p[0], b[1] - p[1]]);
            (a[0] * b[1] - a[1] * b[0]).atan2(a[0] * b[0] + a[1] * b[1])
        })
        .sum();
    angle.abs() > 3.0
}

pub(super) fn geodesic_m(p: Xy, q: Xy) -> f64 {
    Geodesic::wgs84().inverse(p[1], p[0], q[1], q[0])
}

/// A curve by its place at 0..1.
type Path<'a> = Box<dyn Fn(f64) -> Xy + 'a>;

fn straight(edge: [Xy; 2]) -> Path<'static> {
    let [a, b] = edge;
    Box::new(move |t| [a[0] + t * (b[0] - a[0]), a[1] + t * (b[1] - a[1])])
}

/// Whether two edges cross on the map, on any turn of the earth: solved for both parameters.
#[expect(clippy::many_single_char_names, reason = "the ends of two edges")]
fn cross([a, b]: [Xy; 2], [c, d]: [Xy; 2]) -> bool {
    [-360.0, 0.0, 360.0].into_iter().any(|turn| {
        let (r, s) = ([b[0] - a[0], b[1] - a[1]], [d[0] - c[0], d[1] - c[1]]);
        let gap = [c[0] + turn - a[0], c[1] - a[1]];
        let scale = r[0] * s[1] - r[1] * s[0];
        let u = (gap[0] * s[1] - gap[1] * s[0]) / scale;
        let v = (gap[0] * r[1] - gap[1] * r[0]) / scale;
        (0.0..=1.0).contains(&u) && (0.0..=1.0).contains(&v)
    })
}

/// The part of the geodesic from a to b between two shares of its length.
fn geodesic(a: Xy, b: Xy, low: f64, high: f64) -> Path<'static> {
    let (length, azimuth, _, _): (f64, f64, f64, f64) =
        Geodesic::wgs84().inverse(a[1], a[0], b[1], b[0]);
    Box::new(move |t| {
        let (lat, lon): (f64, f64) =
            Geodesic::wgs84().direct(a[1], a[0], azimuth, length * (low + (high - low) * t));
        [lon, lat]
    })
}

/// Distance from a part of a geodesic to a geometry, 0 when it passes through it.
pub(super) fn from_leg_m(a: Xy, b: Xy, low: f64, high: f64, other: &Raw) -> f64 {
    let leg = geodesic(a, b, low, high);
    if (0..=200).any(|n| other.holds(leg(f64::from(n) / 200.0))) {
        return 0.0;
    }
    let theirs: Vec<Path<'_>> = other.edges().into_iter().map(straight).collect();
    let least = nearest(&[leg], &theirs);
    if least < 1e-4 { 0.0 } else { least }
}

/// Rough distance for choosing only: a sphere's chord.
fn rough_m(p: Xy, q: Xy) -> f64 {
    let unit = |p: Xy| {
        let (sin, cos) = p[1].to_radians().sin_cos();
        let (y, x) = p[0].to_radians().sin_cos();
        [cos * x, cos * y, sin]
    };
    let (p, q) = (unit(p), unit(q));
    let squared: f64 = (0..3).map(|i| (p[i] - q[i]).powi(2)).sum();
    2.0 * (squared.sqrt() / 2.0).min(1.0).asin() * 6_371_000.0
}

const SAMPLES: usize = 16;

/// Distance between two geometries in metres, 0 when one holds some of the other.
pub(super) fn distance_m(one: &Raw, other: &Raw) -> f64 {
    if one.vertices().into_iter().any(|p| other.holds(p))
        || other.vertices().into_iter().any(|p| one.holds(p))
    {
        return 0.0;
    }
    if one
        .edges()
        .iter()
        .any(|e| other.edges().iter().any(|f| cross(*e, *f)))
    {
        return 0.0;
    }
    let ours: Vec<Path<'_>> = one.edges().into_iter().map(straight).collect();
    let theirs: Vec<Path<'_>> = other.edges().into_iter().map(straight).collect();
    let least = nearest(&ours, &theirs);
    if least < 1e-4 { 0.0 } else { least }
}

#[allow(clippy::cast_precision_loss, reason = "small counts")]
fn part(n: usize) -> f64 {
    n as f64 / SAMPLES as f64
}

fn nearest(ours: &[Path<'_>], theirs: &[Path<'_>]) -> f64 {
    let sample = |path: &Path<'_>| -> Vec<Xy> { (0..=SAMPLES).map(|n| path(part(n))).collect() };
    let (a, b): (Vec<_>, Vec<_>) = (
        ours.iter().map(sample).collect(),
        theirs.iter().map(sample).collect(),
    );
    let mut found: Vec<(f64, usize, usize, f64, f64)> = Vec::new();
    for (i, p) in a.iter().enumerate() {
        for (j, q) in b.iter().enumerate() {
            let step_m = rough_m(p[0], p[1])
                + rough_m(q[0], q[1])
                + rough_m(p[SAMPLES], p[SAMPLES - 1])
                + rough_m(q[SAMPLES], q[SAMPLES - 1]);
            let mut best = (f64::INFINITY, 0, 0);
            for (m, s) in p.iter().enumerate() {
                for (n, t) in q.iter().enumerate() {
                    let d = rough_m(*s, *t);
                    if d < best.0 {
                        best = (d, m, n);
                    }
                }
            }
            found.push((best.0 * 0.993 - step_m, i, j, part(best.1), part(best.2)));
        }
    }
    found.sort_by(|x, y| x.0.total_cmp(&y.0));
    let mut least = f64::INFINITY;
    for (floor_m, i, j, s, t) in found {
        if floor_m > least {
            break;
        }
        least = least.min(zoom(&ours[i], &theirs[j], s, t));
        // Valleys between nearly parallel edges are narrow and slanted: look from each end by itself, too.
        for end in [0.0, 1.0] {
            least = least.min(from_end(ours[i](end), &theirs[j]));
            least = least.min(from_end(theirs[j](end), &ours[i]));
        }
    }
    least
}

/// The nearest place of a path to one place.
fn from_end(end: Xy, path: &Path<'_>) -> f64 {
    let start = (0..=SAMPLES)
        .map(part)
        .min_by(|x, y| rough_m(end, path(*x)).total_cmp(&rough_m(end, path(*y))));
    let fixed: Path<'_> = Box::new(move |_| end);
    zoom(&fixed, path, 0.0, start.unwrap())
}

/// A grid of seven by seven around the best place so far, narrower each time, down to a tenth of a millimetre.
#[expect(clippy::many_single_char_names, reason = "places on two curves")]
fn zoom(ours: &Path<'_>, theirs: &Path<'_>, mut s: f64, mut t: f64) -> f64 {
    let mut width = 2.0 * part(1);
    let (length_s, length_t) = (path_m(ours), path_m(theirs));
    let steps = |length_m: f64| if length_m > 0.0 { -3..=3 } else { 0..=0 };
    let mut least = geodesic_m(ours(s), theirs(t));
    for _ in 0..200 {
        let (s0, t0, before) = (s, t, least);
        for i in steps(length_s) {
            let x = (s0 + f64::from(i) * width / 3.0).clamp(0.0, 1.0);
            let here = ours(x);
            for j in steps(length_t) {
                let y = (t0 + f64::from(j) * width / 3.0).clamp(0.0, 1.0);
                let d = geodesic_m(here, theirs(y));
                if d < least {
                    (least, s, t) = (d, x, y);
                }
            }
        }
        // Stay while the grid still moves: valleys between nearly parallel edges are long.
        if before - least < 1e-6 {
            width *= 0.6;
        }
        if width * length_s.max(length_t) < 1e-4 {
            break;
        }
    }
    least
}

fn path_m(path: &Path<'_>) -> f64 {
    (0..SAMPLES)
        .map(|n| rough_m(path(part(n)), path(part(n + 1))))
        .sum()
}
