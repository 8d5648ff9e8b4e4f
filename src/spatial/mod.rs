//! Pure geometry on WGS84: no I/O, no clock. Places and shapes are validated once, at the only way in; distances are
//! geodesic and exact; every doubt falls on the side of a conflict.

pub mod cell;
pub mod cover;
mod curve;
mod geodesy;
pub mod mgrs;
mod nearest;
pub mod parse;
mod plane;
pub mod position;
pub mod proximity;
#[cfg(test)]
mod reference;
pub mod shape;
pub mod track;
pub mod window;

pub use cell::{Cell, CellError};
pub use cover::{Cover, GeoBox};
pub use mgrs::{MgrsError, Square};
pub use position::{Position, PositionError};
pub use proximity::{Proximity, Relation};
pub use shape::{Area, Footprint, ShapeError};
pub use track::{Approach, Presence, Timing, Track, TrackError, Waypoint};
pub use window::{Window, WindowError};
