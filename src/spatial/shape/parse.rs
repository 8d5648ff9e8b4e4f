//! From GeoJSON's numbers to parts in one unwrapped plane: counts vertices, checks every position, and takes edges of more
//! than 180° of longitude over the antimeridian when that way is short.

use super::MAX_VERTICES;
use super::error::ShapeError;
use super::outline::{Extent, Part};
use super::rings::{self, Ring};
use crate::spatial::plane::Xy;
use crate::spatial::position::Position;

/// The longest step over the antimeridian that is taken as meant, degrees of longitude.
const MAX_SHORT_WAY_DEG: f64 = 10.0;

/// Reads parts and counts their vertices.
#[derive(Default)]
pub(super) struct Vertices {
    seen: usize,
}

impl Vertices {
    /// One position.
    pub fn position(&mut self, given: &geojson::Position, pointer: &str) -> Result<Xy, ShapeError> {
        self.count(1)?;
        read(given, || pointer.to_owned())
    }

    /// A list of points.
    pub fn points(&mut self, given: &[geojson::Position]) -> Result<Vec<Part>, ShapeError> {
        let points = self.positions(given, "/coordinates")?;
        Ok(points.into_iter().map(Part::Point).collect())
    }

    /// A line of two or more different positions.
    pub fn line(&mut self, given: &[geojson::Position], pointer: &str) -> Result<Part, ShapeError> {
        let mut points = self.positions(given, pointer)?;
        unwrap_edges(&mut points, pointer)?;
        let extent = Extent::of(&points);
        if points.len() < 2 || (extent.east <= extent.west && extent.north <= extent.south) {
            return Err(ShapeError::LineTooShort {
                pointer: pointer.to_owned(),
            });
        }
        Ok(Part::Line(points))
    }

    /// Several lines.
    pub fn lines(&mut self, given: &[Vec<geojson::Position>]) -> Result<Vec<Part>, ShapeError> {
        not_empty(given, "/coordinates")?;
        given
            .iter()
            .enumerate()
            .map(|(n, line)| self.line(line, &format!("/coordinates/{n}")))
            .collect()
    }

    /// A polygon: its outline, then its holes.
    pub fn polygon(
        &mut self,
        given: &[Vec<geojson::Position>],
        pointer: &str,
    ) -> Result<Part, ShapeError> {
        not_empty(given, pointer)?;
        let mut checked: Vec<Ring> = Vec::with_capacity(given.len());
        for (n, ring) in given.iter().enumerate() {
            let at = format!("{pointer}/{n}");
            let mut points = self.positions(ring, &at)?;
            unwrap_edges(&mut points, &at)?;
            if let Some(outline) = checked.first() {
                turn_beside(&mut points, &outline.points);
            }
            checked.push(Ring::new(&points, at)?);
        }
        rings::check(&checked)?;
        Ok(Part::Polygon(
            checked.into_iter().map(|ring| ring.points).collect(),
        ))
    }

    /// Several polygons; they may overlap (they count together).
    pub fn polygons(
        &mut self,
        given: &[Vec<Vec<geojson::Position>>],
    ) -> Result<Vec<Part>, ShapeError> {
        not_empty(given, "/coordinates")?;
        given
            .iter()
            .enumerate()
            .map(|(n, polygon)| self.polygon(polygon, &format!("/coordinates/{n}")))
            .collect()
    }

    fn positions(
        &mut self,
        given: &[geojson::Position],
        pointer: &str,
    ) -> Result<Vec<Xy>, ShapeError> {
        not_empty(given, pointer)?;
        self.count(given.len())?;
        given
            .iter()
            .enumerate()
            .map(|(n, position)| read(position, || format!("{pointer}/{n}")))
            .collect()
    }

    fn count(&mut self, more: usize) -> Result<(), ShapeError> {
        self.seen = self.seen.saturating_add(more);
        if self.seen > MAX_VERTICES {
            return Err(ShapeError::TooManyVertices {
                found: self.seen,
                limit: MAX_VERTICES,
            });
        }
        Ok(())
    }
}

fn not_empty<T>(given: &[T], pointer: &str) -> Result<(), ShapeError> {
    if given.is_empty() {
        Err(ShapeError::Empty {
            pointer: pointer.to_owned(),
        })
    } else {
        Ok(())
    }
}

fn read(given: &geojson::Position, pointer: impl Fn() -> String) -> Result<Xy, ShapeError> {
    let (lon, lat) = match given.as_slice() {
        [lon, lat] | [lon, lat, _] => (*lon, *lat),
        _ => return Err(ShapeError::Arity { pointer: pointer() }),
    };
    let position = Position::new(lon, lat).map_err(|source| ShapeError::Position {
        pointer: pointer(),
        source,
    })?;
    Ok(position.lonlat())
}

/// Makes longitudes continuous along a line or ring, and refuses what spans 180° or more.
fn unwrap_edges(points: &mut [Xy], pointer: &str) -> Result<(), ShapeError> {
    let mut turns = 0.0;
    let mut before: Option<f64> = None;
    for (n, point) in points.iter_mut().enumerate() {
        let given = point[0];
        if let Some(last) = before {
            let step = given - last;
            if step.abs() > 180.0 {
                if 360.0 - step.abs() > MAX_SHORT_WAY_DEG {
                    return Err(ShapeError::EdgeTooLong {
                        pointer: format!("{pointer}/{}", n.saturating_sub(1)),
                    });
                }
                turns -= 360.0 * step.signum();
            }
        }
        before = Some(given);
        point[0] = given + turns;
    }
    let extent = Extent::of(points.iter());
    if extent.east - extent.west >= 180.0 {
        Err(ShapeError::SpanTooWide)
    } else {
        Ok(())
    }
}

/// Turns a hole beside its outline.
fn turn_beside(points: &mut [Xy], outline: &[Xy]) {
    let (own, theirs) = (Extent::of(points.iter()), Extent::of(outline));
    let middle = f64::midpoint(own.west, own.east);
    let shift = super::outline::beside(middle, f64::midpoint(theirs.west, theirs.east)) - middle;
    for point in points {
        point[0] += shift;
    }
}
