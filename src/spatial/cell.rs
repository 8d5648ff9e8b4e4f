//! Cells: the MGRS 10 km squares that stand for a place at the coarse tier. An organisation's own client computes the
//! cells that cover an object and its buffer; the server only verifies that they do. Squares are clipped to their grid
//! zone, as the grid has it, and tile the earth: neighbours share their drawn edges point for point.

use super::cover::Cover;
use super::mgrs::{self, MgrsError, Square};
use super::plane::Xy;
use super::position::Position;
use super::proximity::{self, outlines};
use super::shape::outline::beside;
use super::shape::{Area, Footprint};
use super::track::{Presence, Track};
use super::window::Window;
use crate::domain::plural::count;
use std::collections::BTreeSet;
use std::fmt;

/// Cells that one object may have.
pub const MAX_CELLS: usize = 1_000;
/// Squares looked at to find them.
const MAX_CANDIDATES: u32 = 40_000;
/// The side of a cell, metres.
const SIDE_M: u32 = 10_000;
/// A circle of this radius around its middle holds a whole square (scale of the grid ≤ 1.01).
const AROUND_M: f64 = 7_300.0;
/// Drawn points on each side of a square.
const SIDE_POINTS: u32 = 8;
/// Metres by which a client covers more than asked, so that another implementation's rounding does not matter.
const GENEROUS_M: f64 = 1.0;
/// Metres by which the server lets another implementation's drawing of a square differ.
const TOLERANT_M: f64 = 0.5;
/// Metres that a distance to a cell is shortened by; more than what [`TOLERANT_M`] gave away.
const SLACK_M: f64 = 1.0;

/// Why cells could not be found or do not serve.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CellError {
    /// More than [`MAX_CELLS`], or an extent too large to search.
    #[error(
        "the object and its buffer need more than {MAX_CELLS} cells; split it, or choose another tier"
    )]
    TooMany,
    /// Some of the object or its buffer lies outside the cells.
    #[error(
        "the cells leave {} of the object or its buffer uncovered; compute them again",
        count(missing, "square")
    )]
    NotCovered {
        /// How many squares are missing.
        missing: usize,
    },
    /// Not a 10 km square.
    #[error("a cell is a 10 km square with two digits, like 36PVC51")]
    NotTenKilometres,
    /// Not a reference at all.
    #[error(transparent)]
    Reference(#[from] MgrsError),
}

/// A 10 km square of the MGRS. Prints as `[sealed]`; [`Cell::text`] says it.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Cell(Square);

impl Cell {
    /// Reads a reference of two digits, like `36PVC51`.
    ///
    /// # Errors
    /// [`CellError::Reference`] or [`CellError::NotTenKilometres`].
    pub fn parse(text: &str) -> Result<Self, CellError> {
        let square = Square::parse(text)?;
        if square.size_m() == SIDE_M {
            Ok(Self(square))
        } else {
            Err(CellError::NotTenKilometres)
        }
    }

    /// The cell that holds a place.
    pub fn containing(position: Position) -> Option<Self> {
        Square::containing(position, 1).map(Self)
    }

    /// The reference, like `36PVC51`.
    pub fn text(&self) -> String {
        self.0.text()
    }

    /// The square as a polygon, clipped to its grid zone. `None` for a square of which nothing lies in its zone.
    pub fn area(&self) -> Option<Area> {
        ring(&self.0).map(|ring| Area::from_rings(vec![ring]))
    }

    /// The square's outline, closed, clipped to its grid zone; some points along each side, since its sides are straight in the
    /// grid and not on the globe. `None` for a square of which nothing lies in its zone.
    pub fn outline(&self) -> Option<Vec<Position>> {
        let ring = ring(&self.0)?;
        let position = |[lon, lat]: &Xy| {
            let lon = (lon + 540.0).rem_euclid(360.0) - 180.0;
            Position::new(lon, *lat).ok()
        };
        let mut outline: Vec<Position> = ring.iter().filter_map(position).collect();
        if outline.first() != outline.last() {
            outline.extend(outline.first().copied());
        }
        Some(outline)
    }

    /// Distance in metres from an area to the cell, a metre short: 0 when they touch.
    pub fn distance_m(&self, area: &Area) -> f64 {
        // A square without area says nothing about where the object is: count it as there.
        let Some(own) = self.area() else {
            return 0.0;
        };
        (outlines(own.core(), area.core(), f64::INFINITY) - area.reach_m() - SLACK_M).max(0.0)
    }
}

/// The cells that cover an object and `buffer_m` metres around it, in order.
///
/// # Errors
/// [`CellError::TooMany`].
pub fn cells_covering(footprint: &Footprint, buffer_m: f64) -> Result<Vec<Cell>, CellError> {
    let reach_m = length(buffer_m) + GENEROUS_M;
    search(&Cover::of_site(footprint, reach_m), |area| {
        proximity::within(area, footprint, reach_m).is_some()
    })
}

/// The cells that cover a movement's whole route, its half-width and `buffer_m` metres around it, in order.
///
/// # Errors
/// [`CellError::TooMany`].
pub fn cells_covering_track(track: &Track, buffer_m: f64) -> Result<Vec<Cell>, CellError> {
    let reach_m = length(buffer_m) + GENEROUS_M;
    search(&Cover::of_track(track, reach_m), |area| {
        passes(track, area, reach_m)
    })
}

/// Verifies that every place of the object and its buffer lies in the cells.
///
/// # Errors
/// [`CellError::NotCovered`], or [`CellError::TooMany`] when it would take more cells than are allowed.
pub fn verify_covering(
    cells: &[Cell],
    footprint: &Footprint,
    buffer_m: f64,
) -> Result<(), CellError> {
    let reach_m = (length(buffer_m) - TOLERANT_M).max(0.0);
    let near = |area: &Area| proximity::within(area, footprint, reach_m).is_some();
    compare(cells, &search(&Cover::of_site(footprint, reach_m), near)?)
}

/// Verifies that every place of the movement's route, its half-width and its buffer lies in the cells.
///
/// # Errors
/// As [`verify_covering`].
pub fn verify_covering_track(
    cells: &[Cell],
    track: &Track,
    buffer_m: f64,
) -> Result<(), CellError> {
    let reach_m = (length(buffer_m) - TOLERANT_M).max(0.0);
    compare(
        cells,
        &search(&Cover::of_track(track, reach_m), |area| {
            passes(track, area, reach_m)
        })?,
    )
}

fn passes(track: &Track, area: &Area, reach_m: f64) -> bool {
    track
        .approach_within(
            area,
            &Window::ALWAYS,
            Presence::AnywhereFrom { leg: 0 },
            reach_m,
        )
        .is_some()
}

fn compare(cells: &[Cell], needed: &[Cell]) -> Result<(), CellError> {
    let given: BTreeSet<&Cell> = cells.iter().collect();
    match needed.iter().filter(|cell| !given.contains(cell)).count() {
        0 => Ok(()),
        missing => Err(CellError::NotCovered { missing }),
    }
}

/// A length that is none asks for more than any number of cells can cover.
fn length(metres: f64) -> f64 {
    if metres.is_finite() {
        metres.max(0.0)
    } else {
        2.1e7
    }
}

/// All cells in the cover's boxes that `near` accepts: first the circle around each, then the square itself.
fn search(cover: &Cover, near: impl Fn(&Area) -> bool) -> Result<Vec<Cell>, CellError> {
    let mut found: BTreeSet<Cell> = BTreeSet::new();
    let mut seen: BTreeSet<Cell> = BTreeSet::new();
    for b in cover.boxes() {
        for (zone, band, piece) in pieces([b.west, b.south, b.east, b.north]) {
            let [west, south, east, north] = metric_range(piece).ok_or(CellError::TooMany)?;
            let count = ((east - west) / SIDE_M + 1).saturating_mul((north - south) / SIDE_M + 1);
            if count > MAX_CANDIDATES {
                return Err(CellError::TooMany);
            }
            for column in west / SIDE_M..=east / SIDE_M {
                // Near the poles the band letter tells the western half from the eastern.
                if zone == 0
                    && (column * SIDE_M >= mgrs::UPS_MIDDLE_M) != matches!(band, b'B' | b'Z')
                {
                    continue;
                }
                for row in south / SIDE_M..=north / SIDE_M {
                    let cell = Cell(Square::new(zone, band, column * SIDE_M, row * SIDE_M, 1));
                    if !seen.insert(cell) || !near_circle(&cell, &near) {
                        continue;
                    }
                    if cell.area().is_some_and(|area| near(&area)) {
                        found.insert(cell);
                    }
                    if found.len() > MAX_CELLS || seen.len() > MAX_CANDIDATES as usize * 4 {
                        return Err(CellError::TooMany);
                    }
                }
            }
        }
    }
    Ok(found.into_iter().collect())
}

fn near_circle(cell: &Cell, near: &impl Fn(&Area) -> bool) -> bool {
    Area::circle(cell.0.centre(), AROUND_M).map_or(true, |circle| near(&circle))
}

/// A box cut along grid zones: zone (0 for the poles), band, west, south, east, north.
fn pieces(whole: [f64; 4]) -> Vec<(u8, u8, [f64; 4])> {
    let mut out = Vec::new();
    let mut push = |zone: u8, band: u8| {
        let Some([west, east]) = mgrs::zone_longitudes(zone, band) else {
            return;
        };
        let [south, north] = mgrs::band_latitudes(band);
        let [west, south, east, north] = [
            west.max(whole[0]),
            south.max(whole[1]),
            east.min(whole[2]),
            north.min(whole[3]),
        ];
        if west <= east && south <= north {
            out.push((zone, band, [west, south, east, north]));
        }
    };
    for band in *b"CDEFGHJKLMNPQRSTUVWX" {
        let [south, north] = mgrs::band_latitudes(band);
        if north < whole[1] || south > whole[3] {
            continue;
        }
        for zone in 1..=60 {
            push(zone, band);
        }
    }
    for band in *b"ABYZ" {
        push(0, band);
    }
    out
}

/// The range of easting and northing of a piece of one grid zone, with a square to spare on every side. Sampled densely
/// enough that between two samples the grid bends by less than that square. `None` when the piece is too large for it.
fn metric_range([west, south, east, north]: [f64; 4]) -> Option<[u32; 4]> {
    const STEPS: u32 = 32;
    if north - south > 12.0 {
        return None;
    }
    let mut range = [
        f64::INFINITY,
        f64::INFINITY,
        f64::NEG_INFINITY,
        f64::NEG_INFINITY,
    ];
    let polar = south >= 84.0 || north <= -80.0;
    // A little inside, so that every sample falls into this very zone and band.
    let inset = |low: f64, high: f64, n: u32| {
        let share = (f64::from(n) / f64::from(STEPS)).clamp(1e-7, 1.0 - 1e-7);
        low + (high - low) * share
    };
    for i in 0..=STEPS {
        for j in 0..=STEPS {
            let lat = if polar {
                south + (north - south) * f64::from(j) / f64::from(STEPS)
            } else {
                inset(south, north, j)
            };
            let at = mgrs::grid_point(Position::wrapped(inset(west, east, i), lat));
            range = [
                range[0].min(at.easting_m),
                range[1].min(at.northing_m),
                range[2].max(at.easting_m),
                range[3].max(at.northing_m),
            ];
        }
    }
    let side = f64::from(SIDE_M);
    #[allow(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "clamped to 0..10,010,000 m"
    )]
    let clamp = |metres: f64| metres.clamp(0.0, 10_010_000.0) as u32;
    Some([
        clamp(range[0] - side),
        clamp(range[1] - side),
        clamp(range[2] + side),
        clamp(range[3] + side),
    ])
}

/// The drawn outline of a square, clipped to its grid zone.
fn ring(square: &Square) -> Option<Vec<Xy>> {
    let [west, east] = mgrs::zone_longitudes(square.zone(), square.band())?;
    let [south, north] = mgrs::band_latitudes(square.band());
    let polar = square.zone() == 0;
    let middle = if polar {
        square.centre().lon()
    } else {
        f64::midpoint(west, east)
    };
    let mut points: Vec<Xy> = Vec::with_capacity(4 * SIDE_POINTS as usize + 2);
    for (from, to) in [
        ([0, 0], [1, 0]),
        ([1, 0], [1, 1]),
        ([1, 1], [0, 1]),
        ([0, 1], [0, 0]),
    ] {
        for n in 0..SIDE_POINTS {
            let along = |i: usize| {
                let (a, b) = if i == 0 {
                    (from[0], to[0])
                } else {
                    (from[1], to[1])
                };
                f64::from(a * (SIDE_POINTS - n) + b * n) / f64::from(SIDE_POINTS)
            };
            let p = square.at(along(0), along(1));
            points.push([beside(p.lon(), middle), p.lat()]);
        }
    }
    if polar {
        points = open_pole(&points);
    }
    let mut clipped = points;
    if !polar {
        clipped = clip(&clipped, 0, west, 1.0);
        clipped = clip(&clipped, 0, east, -1.0);
    }
    clipped = clip(&clipped, 1, south, 1.0);
    clipped = clip(&clipped, 1, north, -1.0);
    close(clipped)
}

/// At a pole all longitudes meet: a corner there becomes an edge along the pole between its neighbours' longitudes.
fn open_pole(points: &[Xy]) -> Vec<Xy> {
    let mut out = Vec::with_capacity(points.len() + 1);
    for (n, point) in points.iter().enumerate() {
        if point[1].abs() < 90.0 - 1e-9 {
            out.push(*point);
            continue;
        }
        let pole = 90.0_f64.copysign(point[1]);
        let count = points.len();
        for neighbour in [(n + count - 1) % count, (n + 1) % count] {
            if let Some(beside_it) = points.get(neighbour) {
                out.push([beside_it[0], pole]);
            }
        }
    }
    out
}

/// Cuts a ring at a line of longitude (axis 0) or latitude (axis 1), keeping what lies above it (`sign` 1) or below (−1)
/// (Sutherland and Hodgman 1974).
fn clip(ring: &[Xy], axis: usize, at: f64, sign: f64) -> Vec<Xy> {
    let value = |p: &Xy| sign * (if axis == 0 { p[0] } else { p[1] } - at);
    let mut out = Vec::with_capacity(ring.len() + 4);
    let nexts = ring.iter().skip(1).chain(ring.iter().take(1));
    for (a, b) in ring.iter().zip(nexts) {
        let (va, vb) = (value(a), value(b));
        if va >= 0.0 {
            out.push(*a);
        }
        if (va > 0.0 && vb < 0.0) || (va < 0.0 && vb > 0.0) {
            let t = va / (va - vb);
            let cut = [a[0] + t * (b[0] - a[0]), a[1] + t * (b[1] - a[1])];
            out.push(if axis == 0 {
                [at, cut[1]]
            } else {
                [cut[0], at]
            });
        }
    }
    out
}

fn close(mut ring: Vec<Xy>) -> Option<Vec<Xy>> {
    ring.dedup();
    let first = *ring.first()?;
    ring.push(first);
    let twice: f64 = ring
        .iter()
        .zip(ring.iter().skip(1))
        .map(|(a, b)| a[0] * b[1] - a[1] * b[0])
        .sum();
    // Smaller than a square metre is the rounding of a square that only touches its zone.
    (ring.len() >= 4 && twice.abs() > 1e-10).then_some(ring)
}

impl fmt::Debug for Cell {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("[sealed]")
    }
}

#[cfg(test)]
#[path = "cell_tests.rs"]
mod tests;
