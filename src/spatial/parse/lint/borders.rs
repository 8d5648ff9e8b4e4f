//! In which country a point lies, and which offsets from UTC that country uses.
//!
//! The borders are those that the crate `country-boundaries` ships: simplified from OpenStreetMap (© OpenStreetMap
//! contributors, Open Database License 1.0), drawn out to about the territorial waters. Good enough to ask a person; they
//! say nothing on whose land it is. The zones are those of the IANA database that `jiff` brings.

use std::collections::BTreeSet;
use std::sync::OnceLock;

use country_boundaries::{BOUNDARIES_ODBL_60X30, CountryBoundaries, LatLon};
use jiff::Timestamp;
use jiff::tz::{TimeZone, db};
use time::{OffsetDateTime, UtcOffset};

use super::super::{Country, Position};

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
