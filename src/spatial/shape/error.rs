//! Everything for which a geometry is refused: what is wrong, where (a JSON pointer relative to the geometry), what to do.
//! No text holds a coordinate; where the person who typed it needs to see the spot, it travels in a sealed field.

use crate::spatial::position::{Position, PositionError};

/// Why a geometry was refused. Nothing is ever repaired, simplified or cut.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum ShapeError {
    /// The text is not a GeoJSON geometry.
    #[error("not a GeoJSON geometry; give an object with type and coordinates (RFC 7946)")]
    Malformed,
    /// A geometry type that has no meaning here.
    #[error("a {found} cannot be used here; use {expected}")]
    Unsupported {
        /// The GeoJSON type given.
        found: &'static str,
        /// The types that would do.
        expected: &'static str,
    },
    /// A list without members.
    #[error("{pointer}: empty; give at least one position")]
    Empty {
        /// Where.
        pointer: String,
    },
    /// More vertices than [`super::MAX_VERTICES`].
    #[error(
        "{found} vertices are more than {limit}; give a simpler outline that contains this one, or several objects"
    )]
    TooManyVertices {
        /// How many were given.
        found: usize,
        /// How many may be.
        limit: usize,
    },
    /// A position with fewer than two numbers or more than three.
    #[error("{pointer}: a position has two numbers, longitude and latitude, and may have a height")]
    Arity {
        /// Where.
        pointer: String,
    },
    /// A position that is not on the earth.
    #[error("{pointer}: {source}")]
    Position {
        /// Where.
        pointer: String,
        /// Why.
        source: PositionError,
    },
    /// Fewer than two different positions in a line.
    #[error(
        "{pointer}: a line needs two different positions; give a Point, or the missing position"
    )]
    LineTooShort {
        /// Where.
        pointer: String,
    },
    /// Fewer than four positions in a ring.
    #[error("{pointer}: a ring needs four positions or more, the last equal to the first")]
    RingTooShort {
        /// Where.
        pointer: String,
    },
    /// The last position differs from the first.
    #[error("{pointer}: the ring is not closed; repeat its first position at the end")]
    RingNotClosed {
        /// Where.
        pointer: String,
    },
    /// All positions of a ring lie on one line.
    #[error("{pointer}: the ring encloses no area; give a LineString, or the missing corner")]
    RingWithoutArea {
        /// Where.
        pointer: String,
    },
    /// Two edges of one ring meet where they should not.
    #[error(
        "{first} and {second}: the ring crosses or touches itself there; put its corners in order, or give two polygons"
    )]
    RingCrossesItself {
        /// The vertex at which the first of the two edges starts.
        first: String,
        /// The vertex at which the second starts.
        second: String,
        /// Where they meet: for the person who typed it only.
        crossing: Position,
    },
    /// Edges of two rings of one polygon cross.
    #[error(
        "{first} and {second}: two rings of one polygon cross there; keep the hole within the outline"
    )]
    RingsCross {
        /// The vertex at which the edge of the one ring starts.
        first: String,
        /// The vertex at which the edge of the other starts.
        second: String,
        /// Where they cross: for the person who typed it only.
        crossing: Position,
    },
    /// A hole that is not inside its outline, or lies in another hole.
    #[error(
        "{pointer}: the hole lies outside its outline or within another hole; make it a polygon of its own"
    )]
    HoleOutside {
        /// Where.
        pointer: String,
    },
    /// An edge of more than 180° of longitude that is not a short step over the antimeridian.
    #[error(
        "{pointer}: the edge that starts here spans more than 180 degrees of longitude and does not cross the \
         antimeridian within 10; cut it there, or add positions between"
    )]
    EdgeTooLong {
        /// The vertex at which the edge starts.
        pointer: String,
    },
    /// The whole spans 180° of longitude or more: inside and outside could be confused.
    #[error("the geometry spans 180 degrees of longitude or more; give smaller ones")]
    SpanTooWide,
    /// A radius or half-width that is not a length between zero and [`super::MAX_REACH_M`].
    #[error("the radius or half-width is not between 0 and 1,000,000 metres")]
    Reach,
}

impl ShapeError {
    /// Where in the geometry, as a relative JSON pointer; empty when it concerns the whole.
    pub fn pointer(&self) -> &str {
        match self {
            Self::Empty { pointer }
            | Self::Arity { pointer }
            | Self::Position { pointer, .. }
            | Self::LineTooShort { pointer }
            | Self::RingTooShort { pointer }
            | Self::RingNotClosed { pointer }
            | Self::RingWithoutArea { pointer }
            | Self::HoleOutside { pointer }
            | Self::EdgeTooLong { pointer } => pointer,
            Self::RingCrossesItself { first, .. } | Self::RingsCross { first, .. } => first,
            Self::Malformed
            | Self::Unsupported { .. }
            | Self::TooManyVertices { .. }
            | Self::SpanTooWide
            | Self::Reach => "",
        }
    }

    /// The spot itself, where one is known: to show to the person who typed it, never to log.
    pub fn crossing(&self) -> Option<Position> {
        match self {
            Self::RingCrossesItself { crossing, .. } | Self::RingsCross { crossing, .. } => {
                Some(*crossing)
            }
            _ => None,
        }
    }
}
