//! A site's place: typed coordinates or a geometry from GeoJSON, held against the linter, with at most seven decimals.

use geojson::{Geometry, GeometryValue};

use super::compose::{Last, Settings, Shown};
use super::read::{Reader, lonlat};
use crate::spatial::parse::lint::{PlaceContext, lint_position};
use crate::spatial::parse::{Country, parse_position};
use crate::wire::parts::PlaceProperties;

pub(super) fn site(
    reader: &mut Reader<'_>,
    settings: &Settings,
    last: Option<Last>,
    properties: &mut PlaceProperties,
    shown: &mut Vec<Shown>,
) -> Option<Geometry> {
    let needed_m = properties.category.profile().precision_m;
    let declared = properties
        .country
        .as_deref()
        .and_then(Country::from_code)
        .or(settings.country);
    let context = PlaceContext {
        subject: "",
        country: declared,
        needed_m: Some(needed_m),
        last: last.map(|last| last.position),
    };
    if let Some(geometry) = reader.draft.geometry.clone() {
        let origin = reader.draft.cells.origin.clone();
        // Numbers of GeoJSON are no typed text with marks to lose, but axes get swapped in them as well.
        if let Some(typed) = first_position(&geometry)
            .and_then(|[lon, lat]| parse_position(&format!("{lat}, {lon}")).ok())
        {
            let point = matches!(geometry.value, GeometryValue::Point { .. });
            let context = PlaceContext {
                needed_m: context.needed_m.filter(|_| point),
                ..context
            };
            let asked = lint_position(&typed, &context);
            reader.asked(asked, &origin);
            shown.push(Shown::position(
                if point { "place" } else { "first vertex" },
                &typed,
            ));
        }
        return Some(rounded(geometry));
    }
    let cells = &reader.draft.cells;
    let (typed, origin) = reader.position(cells)?;
    let asked = lint_position(&typed, &context);
    reader.asked(asked, &origin);
    shown.push(Shown::position("place", &typed));
    properties.typed = Some(typed.as_typed.clone());
    Some(Geometry::new_point(lonlat(typed.position)))
}

/// Longitude and latitude of a geometry's first vertex.
pub fn first_position(geometry: &Geometry) -> Option<[f64; 2]> {
    let position =
        match &geometry.value {
            GeometryValue::Point { coordinates } => Some(coordinates),
            GeometryValue::MultiPoint { coordinates }
            | GeometryValue::LineString { coordinates } => coordinates.first(),
            GeometryValue::MultiLineString { coordinates }
            | GeometryValue::Polygon { coordinates } => coordinates.first()?.first(),
            GeometryValue::MultiPolygon { coordinates } => coordinates.first()?.first()?.first(),
            GeometryValue::GeometryCollection { .. } => None,
        };
    match position?.as_slice() {
        [lon, lat, ..] => Some([*lon, *lat]),
        _ => None,
    }
}

/// At most seven decimals, and no third dimension: a `place` carries longitude and latitude.
fn rounded(geometry: Geometry) -> Geometry {
    let position = |p: &geojson::Position| -> geojson::Position {
        let numbers: Vec<f64> = p
            .as_slice()
            .iter()
            .take(2)
            .map(|degrees| (degrees * 1e7).round() / 1e7)
            .collect();
        geojson::Position::from(numbers)
    };
    let line = |l: &Vec<geojson::Position>| l.iter().map(position).collect::<Vec<_>>();
    let value = match geometry.value {
        GeometryValue::Point { coordinates } => GeometryValue::Point {
            coordinates: position(&coordinates),
        },
        GeometryValue::MultiPoint { coordinates } => GeometryValue::MultiPoint {
            coordinates: line(&coordinates),
        },
        GeometryValue::LineString { coordinates } => GeometryValue::LineString {
            coordinates: line(&coordinates),
        },
        GeometryValue::MultiLineString { coordinates } => GeometryValue::MultiLineString {
            coordinates: coordinates.iter().map(line).collect(),
        },
        GeometryValue::Polygon { coordinates } => GeometryValue::Polygon {
            coordinates: coordinates.iter().map(line).collect(),
        },
        GeometryValue::MultiPolygon { coordinates } => {
            let coordinates = coordinates
                .iter()
                .map(|polygon| polygon.iter().map(line).collect())
                .collect();
            GeometryValue::MultiPolygon { coordinates }
        }
        other @ GeometryValue::GeometryCollection { .. } => other,
    };
    Geometry::new(value)
}
