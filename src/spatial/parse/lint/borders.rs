//! In which country a point lies, and which offsets from UTC that country uses.
//!
//! The borders are those that the crate `country-boundaries` ships: simplified from OpenStreetMap (© OpenStreetMap
//! contributors, Open Database License 1.0), drawn out to about the territorial waters. Good enough to ask a person; they
//! say nothing on whose land it is. The zones are those of the IANA database that `jiff` brings.

use std::collections::BTreeSet;
use std::sync::OnceLock;

use country_boundaries::{BOUNDARIES_ODBL_60X30, BoundingBox, CountryBoundaries, LatLon};
use jiff::Timestamp;
use jiff::tz::{TimeZone, db};
use time::{OffsetDateTime, UtcOffset};

use super::super::{Country, Position};
use crate::spatial::{Cover, GeoBox};

/// Degrees between the places at which a box is held against the map.
const STEP_DEG: f64 = 0.2;
/// The most places of all boxes of one cover together; they lie farther apart where that is too few.
const MAX_PLACES: usize = 8_192;
/// Boxes wider than this, in degrees, are not looked up in the map's raster: it takes 360 degrees for none.
const RASTER_DEG: f64 = 350.0;

/// What the map knows of a point.
#[derive(Clone, PartialEq, Eq)]
pub(super) enum Land {
    /// In no country and no territorial waters.
    Nowhere,
    /// In these; more than one where claims overlap.
    In(Vec<Country>),
}

impl Land {
    pub(super) fn holds(&self, country: Country) -> bool {
        match self {
            Self::Nowhere => false,
            Self::In(countries) => countries.contains(&country),
        }
    }

    pub(super) fn names(&self) -> String {
        match self {
            Self::Nowhere => "the open sea, or no country".to_owned(),
            Self::In(countries) => countries
                .iter()
                .map(|country| country.name())
                .collect::<Vec<_>>()
                .join(" / "),
        }
    }
}

fn boundaries() -> &'static CountryBoundaries {
    static BOUNDARIES: OnceLock<CountryBoundaries> = OnceLock::new();
    BOUNDARIES.get_or_init(|| {
        CountryBoundaries::from_reader(BOUNDARIES_ODBL_60X30)
            .expect("the data are compiled in, from the crate that reads them; a test loads them")
    })
}

/// The countries at a point.
pub(super) fn land_at(position: Position) -> Land {
    let Ok(point) = LatLon::new(position.lat(), position.lon()) else {
        return Land::Nowhere;
    };
    let mut countries = Vec::new();
    for id in boundaries().ids(point) {
        // `UA-40` lies in `UA`, also where another country holds the same ground.
        let alpha2 = id.split('-').next().unwrap_or(id);
        let country = Country::from_code(alpha2);
        countries.extend(country.filter(|country| !countries.contains(country)));
    }
    if countries.is_empty() {
        Land::Nowhere
    } else {
        Land::In(countries)
    }
}

/// Whether a place lies in a country, as far as the simplified map knows; more than one where claims overlap.
pub fn lies_in(position: Position, country: Country) -> bool {
    land_at(position).holds(country)
}

/// Whether boxes and a country share a place, held against the simplified map every 0.2 degrees or, in wide boxes,
/// farther apart. What is missed between may be called outside, never the other way round. Of a country that the map does
/// not show this is always true.
pub fn meets_country(cover: &Cover, country: Country) -> bool {
    if !shown(country) {
        return true;
    }
    let most = MAX_PLACES / cover.boxes().len().max(1);
    cover
        .boxes()
        .iter()
        .any(|one| may_meet(one, country) && places(one, most).any(|place| lies_in(place, country)))
}

/// Whether the map shows a country anywhere.
fn shown(country: Country) -> bool {
    let half = |west, east| GeoBox {
        west,
        south: -90.0,
        east,
        north: 90.0,
    };
    [half(-180.0, 0.0), half(0.0, 179.9)]
        .iter()
        .any(|half| may_meet(half, country))
}

/// A look at the map's raster: false where the country is in none of the cells.
fn may_meet(one: &GeoBox, country: Country) -> bool {
    if one.east - one.west > RASTER_DEG {
        return true;
    }
    BoundingBox::new(one.south, one.west, one.north, one.east).map_or(true, |bounds| {
        boundaries()
            .intersecting_ids(bounds)
            .iter()
            .any(|id| id.split('-').next() == Some(country.alpha2()))
    })
}

/// A grid over a box, its edges and corners included.
fn places(one: &GeoBox, most: usize) -> impl Iterator<Item = Position> {
    let side = most.isqrt().max(2);
    let steps = |span: f64| {
        #[allow(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "0 to 1,800"
        )]
        let steps = (span / STEP_DEG).ceil() as usize;
        steps.clamp(1, side - 1)
    };
    let along = |from: f64, to: f64, index: usize, steps: usize| {
        let part = u32::try_from(index).map_or(0.0, f64::from)
            / u32::try_from(steps).map_or(1.0, f64::from);
        (from + (to - from) * part).clamp(from, to)
    };
    let (wide, high) = (steps(one.east - one.west), steps(one.north - one.south));
    let one = *one;
    (0..=high).flat_map(move |row| {
        (0..=wide).filter_map(move |column| {
            let lon = along(one.west, one.east, column, wide);
            Position::new(lon, along(one.south, one.north, row, high)).ok()
        })
    })
}

/// Offsets from UTC in use in a country at a moment, the least first; empty if no zone is known for it.
pub(super) fn offsets_of(country: Country, moment: OffsetDateTime) -> Vec<UtcOffset> {
    let Ok(timestamp) = Timestamp::from_second(moment.unix_timestamp()) else {
        return Vec::new();
    };
    let offsets: BTreeSet<i32> = zones()
        .iter()
        .filter(|(alpha2, _)| alpha2 == country.alpha2())
        .map(|(_, zone)| zone.to_offset(timestamp).seconds())
        .collect();
    offsets
        .into_iter()
        .filter_map(|seconds| UtcOffset::from_whole_seconds(seconds).ok())
        .collect()
}

/// Every zone that has a place, with its country; about 400, made once.
fn zones() -> &'static [(String, TimeZone)] {
    static ZONES: OnceLock<Vec<(String, TimeZone)>> = OnceLock::new();
    ZONES.get_or_init(|| {
        let zones = db()
            .available()
            .filter_map(|name| db().get(name.as_str()).ok());
        zones
            .filter_map(|zone| Some((zone.location()?.country().to_owned(), zone)))
            .collect()
    })
}

#[cfg(test)]
mod tests {
    use time::macros::datetime;

    use super::*;

    fn country(code: &str) -> Country {
        Country::from_code(code).expect("in the table")
    }

    #[test]
    fn the_map_knows_documented_places_and_the_open_sea() {
        for (lat, lon, code) in [
            (36.718_03, 68.862_21, "AFG"),
            (15.5007, 32.5599, "SDN"),
            (31.416_68, 34.329, "PSE"),
            (36.151_583, 36.967_75, "SYR"),
            (16.0034, 43.196_97, "YEM"),
            (44.6, 33.5, "UKR"),
            (42.66, 21.16, "XKX"),
            (9.6, 28.43, "SSD"),
        ] {
            assert!(
                land_at(Position::new(lon, lat).expect("a place")).holds(country(code)),
                "{code}"
            );
        }
        assert!(land_at(Position::new(0.0, 0.0).expect("a place")) == Land::Nowhere);
    }

    #[test]
    fn what_touches_a_country_or_its_margin_meets_it_and_what_lies_elsewhere_does_not() {
        let near = |lat: f64, lon: f64, reach_m: f64| {
            let area =
                crate::spatial::Area::circle(Position::new(lon, lat).expect("a place"), 500.0);
            Cover::search(&area.expect("an area"), reach_m)
        };
        let yemen = country("YEM");
        for (lat, lon) in [
            (15.3, 44.2),  // Sana'a
            (12.5, 54.0),  // Socotra
            (12.65, 43.4), // Perim, in the strait
            (15.0, 41.8),  // at sea, about 65 km off the coast's islands
            (17.6, 43.9),  // beyond the northern border
            (17.0, 53.3),  // beyond the eastern one
        ] {
            assert!(
                meets_country(&near(lat, lon, 50_000.0), yemen),
                "{lat}, {lon}"
            );
        }
        for (lat, lon) in [
            (44.2, 15.3),
            (36.7, 68.9),
            (0.0, 0.0),
            (-15.3, 44.2),
            (15.3, -44.2),
            (89.99, 44.0),
        ] {
            assert!(
                !meets_country(&near(lat, lon, 50_000.0), yemen),
                "{lat}, {lon}"
            );
        }
        assert!(
            meets_country(&near(10.0, 60.0, 2_000_000.0), yemen),
            "a great area"
        );
        assert!(
            meets_country(&near(-17.0, 179.99, 10_000.0), country("FJI")),
            "at the antimeridian"
        );
        assert!(
            meets_country(&near(78.0, 16.0, 50_000.0), country("NOR"))
                || meets_country(&near(78.0, 16.0, 50_000.0), country("SJM"))
        );
    }

    #[test]
    fn the_offsets_of_a_country_are_those_of_its_zones_then() {
        let hours = |code: &str, moment| {
            offsets_of(country(code), moment)
                .iter()
                .map(|o| o.whole_minutes())
                .collect::<Vec<_>>()
        };
        assert_eq!(hours("AFG", datetime!(2026-05-03 12:00 UTC)), [270]);
        assert_eq!(hours("SDN", datetime!(2026-05-03 12:00 UTC)), [120]);
        assert_eq!(hours("YEM", datetime!(2026-05-03 12:00 UTC)), [180]);
        assert!(hours("UKR", datetime!(2026-05-03 12:00 UTC)).contains(&180));
        assert!(hours("UKR", datetime!(2026-12-03 12:00 UTC)).contains(&120));
    }
}
