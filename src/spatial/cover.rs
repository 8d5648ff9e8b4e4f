//! The coarse geometry that the database's index sees, and the boxes in which a check looks for candidates. Both are made
//! so that what may conflict always meets: a place within the radius lies in a box of either side. The decision itself is
//! never made here.

use super::curve::Curve;
use super::geodesy::{lat_reach_deg, lon_reach_deg};
use super::shape::outline::{Extent, Outline};
use super::shape::{Area, Footprint};
use super::track::Track;
use std::fmt;
use std::fmt::Write as _;

/// The grid of a site's cover, cells a degree.
const SITE_GRID: f64 = 10.0;
/// The grid of a movement's cover, cells a degree.
const TRACK_GRID: f64 = 2.0;
/// Boxes of one cover; a site of more parts is covered by one box.
const MAX_BOXES: usize = 16;
/// What a candidate query adds to its radius: PostGIS's sphere may be 0.6 % off.
const SLACK_FACTOR: f64 = 1.006;
const SLACK_M: f64 = 2.0;

/// A box in degrees: west ≤ east within −180..180, south ≤ north within −90..90. What passes the antimeridian is two boxes.
#[derive(Clone, Copy, PartialEq)]
pub struct GeoBox {
    /// Least longitude.
    pub west: f64,
    /// Least latitude.
    pub south: f64,
    /// Greatest longitude.
    pub east: f64,
    /// Greatest latitude.
    pub north: f64,
}

impl GeoBox {
    /// Whether the two share a place; −180 and 180 are not joined here, as they are not in an index.
    pub fn meets(&self, other: &Self) -> bool {
        self.west <= other.east
            && other.west <= self.east
            && self.south <= other.north
            && other.south <= self.north
    }
}

impl fmt::Debug for GeoBox {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("[sealed]")
    }
}

/// Boxes that hold an object with its buffer, or the places that a check may touch. Never empty. Prints as `[sealed]`.
#[derive(Clone, PartialEq)]
pub struct Cover {
    boxes: Vec<GeoBox>,
}

impl Cover {
    /// Boxes of 0.1° snapped outward around a site and `buffer_m` metres about it, one for each part.
    pub fn of_site(footprint: &Footprint, buffer_m: f64) -> Self {
        Self::snapped(&extents(footprint.outline()), buffer_m, SITE_GRID)
    }

    /// One box snapped outward to 0.5° around a movement's whole route, its half-width and `buffer_m` metres about it.
    pub fn of_track(track: &Track, buffer_m: f64) -> Self {
        let extent = route_extent(track.curves());
        Self::snapped(
            &[extent],
            finite(buffer_m) + track.half_width_m(),
            TRACK_GRID,
        )
    }

    /// Boxes in which every candidate lies whose distance to the area is at most `radius_m` metres, with slack
    /// (`radius × 1.006 + 2 m`). Not snapped: they are part of a question and are not stored.
    pub fn search(area: &Area, radius_m: f64) -> Self {
        let reach_m = (finite(radius_m) + area.reach_m()) * SLACK_FACTOR + SLACK_M;
        let mut boxes = Vec::new();
        for extent in extents(area.core()) {
            push_split(&mut boxes, grown(extent, reach_m));
        }
        Self { boxes }
    }

    fn snapped(extents: &[Extent], buffer_m: f64, grid: f64) -> Self {
        let mut boxes: Vec<GeoBox> = Vec::new();
        for extent in extents {
            push_split(&mut boxes, snap(grown(*extent, finite(buffer_m)), grid));
        }
        boxes.sort_by(|a, b| {
            a.west
                .total_cmp(&b.west)
                .then(a.south.total_cmp(&b.south))
                .then(a.east.total_cmp(&b.east))
        });
        boxes.dedup();
        Self { boxes }
    }

    /// Adds the boxes of areas, snapped outward to 0.1°: an object that some see as cells is found by its cells too.
    #[must_use]
    pub fn with_areas(mut self, areas: &[Area]) -> Self {
        let extents: Vec<Extent> = areas.iter().flat_map(|area| extents(area.core())).collect();
        let more = Self::snapped(&extents, 0.0, SITE_GRID);
        self.boxes.extend(
            more.boxes
                .into_iter()
                .filter(|b| !self.boxes.contains(b))
                .collect::<Vec<_>>(),
        );
        self
    }

    /// The boxes.
    pub fn boxes(&self) -> &[GeoBox] {
        &self.boxes
    }

    /// Whether any box meets any of the other's.
    pub fn meets(&self, other: &Self) -> bool {
        self.boxes
            .iter()
            .any(|a| other.boxes.iter().any(|b| a.meets(b)))
    }

    /// A MultiPolygon of SRID 4326 as PostGIS EWKT, `SRID=4326;MULTIPOLYGON(…)`.
    pub fn to_ewkt(&self) -> String {
        let mut out = String::from("SRID=4326;MULTIPOLYGON(");
        for (n, b) in self.boxes.iter().enumerate() {
            let comma = if n == 0 { "" } else { "," };
            let ring = b.ring().map(|[x, y]| format!("{x} {y}")).join(",");
            // Writing to a String cannot fail.
            let _written = write!(out, "{comma}(({ring}))");
        }
        out.push(')');
        out
    }

    /// A MultiPolygon of SRID 4326 as PostGIS EWKB, little-endian (OGC 06-103r4 §8, with PostGIS's SRID flag).
    pub fn to_ewkb(&self) -> Vec<u8> {
        const LITTLE_ENDIAN: u8 = 1;
        const POLYGON: u32 = 3;
        const MULTI_POLYGON_WITH_SRID: u32 = 6 | 0x2000_0000;
        let mut out = Vec::with_capacity(13 + self.boxes.len() * 93);
        out.push(LITTLE_ENDIAN);
        out.extend(MULTI_POLYGON_WITH_SRID.to_le_bytes());
        out.extend(4326_u32.to_le_bytes());
        out.extend(
            u32::try_from(self.boxes.len())
                .unwrap_or(u32::MAX)
                .to_le_bytes(),
        );
        for b in &self.boxes {
            out.push(LITTLE_ENDIAN);
            out.extend(POLYGON.to_le_bytes());
            out.extend(1_u32.to_le_bytes());
            out.extend(5_u32.to_le_bytes());
            for number in b.ring().into_iter().flatten() {
                out.extend(number.to_le_bytes());
            }
        }
        out
    }
}

impl fmt::Debug for Cover {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("[sealed]")
    }
}

impl GeoBox {
    fn ring(&self) -> [[f64; 2]; 5] {
        let (w, s, e, n) = (self.west, self.south, self.east, self.north);
        [[w, s], [e, s], [e, n], [w, n], [w, s]]
    }
}

/// A length that is none counts as half the earth: too many candidates, never too few.
fn finite(metres: f64) -> f64 {
    if metres.is_finite() {
        metres.max(0.0)
    } else {
        2.1e7
    }
}

/// One extent a part, or one in all when there are many.
fn extents(outline: &Outline) -> Vec<Extent> {
    if outline.parts.len() > MAX_BOXES {
        return vec![outline.extent];
    }
    outline
        .parts
        .iter()
        .map(|part| Extent::of(part.vertices()))
        .collect()
}

/// The extent of geodesic legs in one unwrapped plane: pieces of 20 km or less, each with its bulge.
fn route_extent(legs: &[Curve]) -> Extent {
    let mut all: Option<Extent> = None;
    let mut last_lon: Option<f64> = None;
    for leg in legs {
        #[allow(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "a leg is at most 5,000 km long"
        )]
        let pieces = ((leg.speed_max / 20_000.0).ceil() as u32).max(1);
        let sag_m = leg.sag_m(1.0 / f64::from(pieces));
        for n in 0..=pieces {
            let [lon, lat] = leg.at(f64::from(n) / f64::from(pieces)).at;
            let lon = last_lon.map_or(lon, |last| super::shape::outline::beside(lon, last));
            last_lon = Some(lon);
            // What lies between two samples lies within half a piece of one of them.
            let half_m = leg.speed_max / f64::from(pieces) / 2.0 + sag_m;
            let here = grown(
                Extent {
                    west: lon,
                    east: lon,
                    south: lat,
                    north: lat,
                },
                half_m,
            );
            all = Some(all.map_or(here, |e| Extent {
                west: e.west.min(here.west),
                south: e.south.min(here.south),
                east: e.east.max(here.east),
                north: e.north.max(here.north),
            }));
        }
    }
    all.unwrap_or(Extent {
        west: -180.0,
        south: -90.0,
        east: 180.0,
        north: 90.0,
    })
}

/// The extent with all places within `metres` of it. What reaches a pole reaches every longitude there.
fn grown(extent: Extent, metres: f64) -> Extent {
    let lat = lat_reach_deg(metres);
    let lon = lon_reach_deg(metres, extent.max_abs_lat());
    Extent {
        west: extent.west - lon,
        south: (extent.south - lat).max(-90.0),
        east: extent.east + lon,
        north: (extent.north + lat).min(90.0),
    }
}

/// Moves the sides outward onto the grid; a side on a line moves on, since rounding may have put it there.
fn snap(extent: Extent, grid: f64) -> Extent {
    let down = |x: f64| (x * grid - 1e-7).floor() / grid;
    let up = |x: f64| (x * grid + 1e-7).ceil() / grid;
    Extent {
        west: down(extent.west),
        south: down(extent.south).max(-90.0),
        east: up(extent.east),
        north: up(extent.north).min(90.0),
    }
}

/// Adds an extent as one box, or two when it passes the antimeridian; all the way round when it is that wide or touches a
/// pole, where all longitudes meet.
fn push_split(boxes: &mut Vec<GeoBox>, extent: Extent) {
    let Extent {
        west,
        south,
        east,
        north,
    } = extent;
    let pole = north >= 90.0 || south <= -90.0;
    if pole || east - west >= 360.0 {
        boxes.push(GeoBox {
            west: -180.0,
            south,
            east: 180.0,
            north,
        });
        return;
    }
    let turn = ((west + 180.0) / 360.0).floor() * 360.0;
    let (west, east) = (west - turn, east - turn);
    if east < 180.0 {
        boxes.push(GeoBox {
            west,
            south,
            east,
            north,
        });
        // A side at exactly −180 is also one at 180.
        if west <= -180.0 {
            boxes.push(GeoBox {
                west: 180.0,
                south,
                east: 180.0,
                north,
            });
        }
        return;
    }
    boxes.push(GeoBox {
        west,
        south,
        east: 180.0,
        north,
    });
    boxes.push(GeoBox {
        west: -180.0,
        south,
        east: east - 360.0,
        north,
    });
}

#[cfg(test)]
#[path = "cover_tests.rs"]
mod tests;
