//! A package for map programs, as KML 2.2 (OGC 07-147r2): places as they were notified, squares as squares. A square is
//! never drawn as a point, and what only a check finds is not drawn at all.

use std::fmt::Write as _;

use geojson::GeometryValue;

use super::package::{Object, Package, Seen};
use super::rows::{COLUMNS, rows};
use crate::cli::markup::escape;
use crate::spatial::cell::Cell;

/// The document.
pub fn document(package: &Package) -> String {
    let title = package.title();
    let mut marks = String::new();
    for object in package.shown() {
        marks += &placemark(object);
    }
    format!(
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<kml xmlns=\"http://www.opengis.net/kml/2.2\">\n<Document>\n\
         <name>{}</name>\n<description>{}</description>\n{marks}</Document>\n</kml>\n",
        escape(&title),
        escape(&package.front().join("\n"))
    )
}

fn placemark(object: &Object) -> String {
    let mut words = String::new();
    if let Some(row) = rows(object).first() {
        let filled = COLUMNS.iter().zip(row).filter(|(_, cell)| !cell.is_empty());
        for (column, cell) in filled {
            // Writing to a string cannot fail.
            writeln!(words, "{column}: {cell}").ok();
        }
    }
    let geometry = match &object.seen {
        Seen::Exact(place, _) => geometry(&place.geometry.value),
        Seen::Cells(cells) => squares(cells),
        Seen::OnCheck | Seen::Ended(_) => String::new(),
    };
    format!(
        "<Placemark>\n<name>{}</name>\n<description>{}</description>\n{geometry}</Placemark>\n",
        escape(object.reference.as_str()),
        escape(&words)
    )
}

fn squares(cells: &[String]) -> String {
    let mut out = String::from("<MultiGeometry>\n");
    for cell in cells {
        let outline = Cell::parse(cell).ok().and_then(|cell| cell.outline());
        let Some(outline) = outline else { continue };
        let ring: Vec<[f64; 2]> = outline.iter().map(|p| [p.lon(), p.lat()]).collect();
        out += &polygon(&[ring]);
    }
    out + "</MultiGeometry>\n"
}

fn geometry(value: &GeometryValue) -> String {
    let ring = |line: &[geojson::Position]| -> Vec<[f64; 2]> {
        let pair = |at: &geojson::Position| match at.as_slice() {
            [lon, lat, ..] => Some([*lon, *lat]),
            _ => None,
        };
        line.iter().filter_map(pair).collect()
    };
    match value {
        GeometryValue::Point { coordinates } => {
            let at = ring(std::slice::from_ref(coordinates));
            format!("<Point>{}</Point>\n", coordinates_of(&at))
        }
        GeometryValue::LineString { coordinates } => format!(
            "<LineString><tessellate>1</tessellate>{}</LineString>\n",
            coordinates_of(&ring(coordinates))
        ),
        GeometryValue::Polygon { coordinates } => {
            let rings: Vec<_> = coordinates.iter().map(|line| ring(line)).collect();
            polygon(&rings)
        }
        GeometryValue::MultiPolygon { coordinates } => {
            let polygons = coordinates.iter().map(|rings| {
                let rings: Vec<_> = rings.iter().map(|line| ring(line)).collect();
                polygon(&rings)
            });
            let polygons: String = polygons.collect();
            format!("<MultiGeometry>\n{polygons}</MultiGeometry>\n")
        }
        // No notification has any of these.
        GeometryValue::MultiPoint { .. }
        | GeometryValue::MultiLineString { .. }
        | GeometryValue::GeometryCollection { .. } => String::new(),
    }
}

fn polygon(rings: &[Vec<[f64; 2]>]) -> String {
    let mut out = String::from("<Polygon>");
    for (index, ring) in rings.iter().enumerate() {
        let side = if index == 0 { "outer" } else { "inner" };
        let line = coordinates_of(ring);
        write!(
            out,
            "<{side}BoundaryIs><LinearRing>{line}</LinearRing></{side}BoundaryIs>"
        )
        .ok();
    }
    out + "</Polygon>\n"
}

fn coordinates_of(positions: &[[f64; 2]]) -> String {
    let all: Vec<String> = positions
        .iter()
        .map(|[lon, lat]| format!("{lon:.7},{lat:.7}"))
        .collect();
    format!("<coordinates>{}</coordinates>", all.join(" "))
}
