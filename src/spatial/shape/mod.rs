//! Validated geometry: what an object covers ([`Footprint`]) and what a planner asks about ([`Area`]). The parser is the
//! only way in: what it does not understand it refuses, saying where; it never repairs, simplifies or cuts.

mod error;
pub(crate) mod outline;
mod parse;
mod rings;
#[cfg(test)]
mod tests;

pub use error::ShapeError;

use super::plane::Xy;
use super::position::Position;
use geojson::{Geometry, GeometryValue};
use outline::{Outline, Part};
use parse::Vertices;
use std::fmt;

/// Vertices that one geometry may have in all.
pub const MAX_VERTICES: usize = 2_000;

/// The greatest radius or half-width of an area, metres.
pub const MAX_REACH_M: f64 = 1_000_000.0;

/// What an object covers: Point, MultiPoint, LineString, MultiLineString, Polygon or MultiPolygon. Edges are straight in
/// longitude-latitude (RFC 7946 §3.1.1). Prints as `[sealed]`.
#[derive(Clone)]
pub struct Footprint {
    outline: Outline,
}

impl Footprint {
    /// A single place.
    pub fn point(at: Position) -> Self {
        Self {
            outline: Outline::new(vec![Part::Point(at.lonlat())]),
        }
    }

    /// Takes a GeoJSON geometry (RFC 7946), WGS84 degrees. A height is ignored.
    ///
    /// # Errors
    /// [`ShapeError`] naming the place in the geometry and what to do.
    pub fn from_geojson(geometry: &Geometry) -> Result<Self, ShapeError> {
        let mut vertices = Vertices::default();
        let parts = match &geometry.value {
            GeometryValue::Point { coordinates } => {
                vec![Part::Point(vertices.position(coordinates, "/coordinates")?)]
            }
            GeometryValue::MultiPoint { coordinates } => vertices.points(coordinates)?,
            GeometryValue::LineString { coordinates } => {
                vec![vertices.line(coordinates, "/coordinates")?]
            }
            GeometryValue::MultiLineString { coordinates } => vertices.lines(coordinates)?,
            other => polygons(
                &mut vertices,
                other,
                "a Point, LineString or Polygon (or several of one kind)",
            )?,
        };
        finish(parts).map(|outline| Self { outline })
    }

    /// Takes a GeoJSON geometry as text. See [`Footprint::from_geojson`].
    ///
    /// # Errors
    /// [`ShapeError::Malformed`] when the text is no geometry, or any other refusal.
    pub fn from_json(text: &str) -> Result<Self, ShapeError> {
        Self::from_geojson(
            &text
                .parse::<Geometry>()
                .map_err(|_| ShapeError::Malformed)?,
        )
    }

    /// The first vertex, to name one place of the object.
    pub fn first_position(&self) -> Option<Position> {
        self.outline
            .anchors()
            .next()
            .map(|p| Position::wrapped(p[0], p[1]))
    }

    pub(crate) fn outline(&self) -> &Outline {
        &self.outline
    }
}

/// What a planner asks about: polygons, a circle (centre and radius) or a corridor (line and half-width). A place belongs
/// to it when its geodesic distance to the core (polygons, centre, line) is at most the reach. Prints as `[sealed]`.
#[derive(Clone)]
pub struct Area {
    core: Outline,
    reach_m: f64,
}

impl Area {
    /// Takes a GeoJSON Polygon or MultiPolygon.
    ///
    /// # Errors
    /// [`ShapeError`] naming the place in the geometry and what to do.
    pub fn from_geojson(geometry: &Geometry) -> Result<Self, ShapeError> {
        let mut vertices = Vertices::default();
        let parts = polygons(
            &mut vertices,
            &geometry.value,
            "a Polygon or MultiPolygon, a circle or a corridor",
        )?;
        Ok(Self {
            core: finish(parts)?,
            reach_m: 0.0,
        })
    }

    /// Takes a GeoJSON Polygon or MultiPolygon as text.
    ///
    /// # Errors
    /// [`ShapeError::Malformed`] when the text is no geometry, or any other refusal.
    pub fn from_json(text: &str) -> Result<Self, ShapeError> {
        Self::from_geojson(
            &text
                .parse::<Geometry>()
                .map_err(|_| ShapeError::Malformed)?,
        )
    }

    /// All places at most `radius_m` metres from `centre`.
    ///
    /// # Errors
    /// [`ShapeError::Reach`] unless the radius is finite and 0 to [`MAX_REACH_M`].
    pub fn circle(centre: Position, radius_m: f64) -> Result<Self, ShapeError> {
        let core = Outline::new(vec![Part::Point(centre.lonlat())]);
        Ok(Self {
            core,
            reach_m: reach(radius_m)?,
        })
    }

    /// All places at most `half_width_m` metres from a GeoJSON LineString or MultiLineString.
    ///
    /// # Errors
    /// [`ShapeError`] for the line or for the half-width.
    pub fn corridor(line: &Geometry, half_width_m: f64) -> Result<Self, ShapeError> {
        let mut vertices = Vertices::default();
        let parts = match &line.value {
            GeometryValue::LineString { coordinates } => {
                vec![vertices.line(coordinates, "/coordinates")?]
            }
            GeometryValue::MultiLineString { coordinates } => vertices.lines(coordinates)?,
            other => {
                return Err(ShapeError::Unsupported {
                    found: other.type_name(),
                    expected: "a LineString",
                });
            }
        };
        Ok(Self {
            core: finish(parts)?,
            reach_m: reach(half_width_m)?,
        })
    }

    /// Radius or half-width in metres; 0 for polygons.
    pub fn reach_m(&self) -> f64 {
        self.reach_m
    }

    pub(crate) fn core(&self) -> &Outline {
        &self.core
    }

    pub(crate) fn from_rings(rings: Vec<Vec<Xy>>) -> Self {
        let parts = rings
            .into_iter()
            .map(|ring| Part::Polygon(vec![ring]))
            .collect();
        Self {
            core: Outline::new(parts),
            reach_m: 0.0,
        }
    }
}

fn reach(metres: f64) -> Result<f64, ShapeError> {
    if (0.0..=MAX_REACH_M).contains(&metres) {
        Ok(metres)
    } else {
        Err(ShapeError::Reach)
    }
}

fn polygons(
    vertices: &mut Vertices,
    value: &GeometryValue,
    expected: &'static str,
) -> Result<Vec<Part>, ShapeError> {
    match value {
        GeometryValue::Polygon { coordinates } => {
            Ok(vec![vertices.polygon(coordinates, "/coordinates")?])
        }
        GeometryValue::MultiPolygon { coordinates } => vertices.polygons(coordinates),
        other => Err(ShapeError::Unsupported {
            found: other.type_name(),
            expected,
        }),
    }
}

/// Puts the parts into one plane and refuses what spans half the earth.
fn finish(parts: Vec<Part>) -> Result<Outline, ShapeError> {
    let outline = Outline::new(parts);
    if outline.extent.east - outline.extent.west >= 180.0 {
        return Err(ShapeError::SpanTooWide);
    }
    Ok(outline)
}

impl fmt::Debug for Footprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("[sealed]")
    }
}

impl fmt::Debug for Area {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("[sealed]")
    }
}
