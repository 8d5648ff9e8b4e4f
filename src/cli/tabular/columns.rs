//! Which column means what: the names of our own template, the synonyms that field offices use, and HXL tags
//! (<https://hxlstandard.org/standard/1-1final/>). A name is compared without case, spaces and punctuation; two columns
//! for one thing are refused rather than chosen between.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use super::TableError;

macro_rules! fields {
    ($($(#[$meta:meta])* $variant:ident = $name:literal, [$($synonym:literal),*], [$($tag:literal),*];)+) => {
        /// What a column can hold.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum Field { $($(#[$meta])* $variant,)+ }

        impl Field {
            /// Every field, in the order of the table.
            pub const ALL: &'static [Self] = &[$(Self::$variant,)+];

            /// The name of its column in our own template.
            pub const fn name(self) -> &'static str {
                match self { $(Self::$variant => $name,)+ }
            }

            /// Other names of its column.
            pub const fn synonyms(self) -> &'static [&'static str] {
                match self { $(Self::$variant => &[$($synonym),*],)+ }
            }

            /// Its HXL tags: a hashtag, then the attributes it needs; the first one is written into templates.
            pub const fn tags(self) -> &'static [&'static str] {
                match self { $(Self::$variant => &[$($tag),*],)+ }
            }
        }
    };
}

fields! {
    /// The organisation's own reference. Rows of one movement share it.
    Reference = "reference", ["ref", "id", "external reference", "external id", "site id", "site code", "code", "facility code", "movement", "movement reference", "movement id", "mission", "uuid"],
        ["#loc+code", "#meta+id", "#activity+id"];
    /// What the place is called, Latin script.
    Name = "name", ["site name", "facility", "facility name", "location", "location name", "place", "title", "nom", "nom du site", "name en", "name (english)"], ["#loc+name"];
    /// What it is called in the local script.
    NameLocal = "name_local", ["local name", "name (local)", "name ar", "name arabic", "name uk", "name ru", "nom local"], ["#loc+name+alt", "#loc+name+local"];
    /// What it is for.
    Category = "category", ["type", "site type", "facility type", "location type", "amenity", "categorie"], ["#loc+type"];
    /// Run or supported.
    Relation = "run_or_supported", ["run or supported", "relation", "operation", "ownership"], ["#loc+relation"];
    /// Latitude and longitude, or MGRS, in one cell.
    Coordinates = "coordinates", ["coordinate", "coords", "lat/lon", "lat lon", "lat, lon", "latlon", "latlong", "position", "gps", "gps coordinates", "mgrs", "grid", "grid reference"], ["#geo+coord", "#geo+mgrs", "#geo+coords"];
    /// Latitude.
    Latitude = "latitude", ["lat", "y", "gps lat", "gps latitude", "point y"], ["#geo+lat"];
    /// Longitude.
    Longitude = "longitude", ["lon", "long", "lng", "x", "gps lon", "gps long", "gps longitude", "point x"], ["#geo+lon"];
    /// Requested buffer.
    Buffer = "buffer_m", ["buffer", "requested buffer", "buffer (m)", "requested buffer (m)", "radius", "radius m"], ["#geo+buffer"];
    /// From when.
    From = "from", ["start", "start date", "date from", "valid from", "begin"], ["#date+start"];
    /// Until when.
    Until = "until", ["end", "to", "end date", "date to", "valid until", "valid to"], ["#date+end"];
    /// Country.
    Country = "country", ["iso3", "country code", "admin0", "adm0", "pays", "country iso3"], ["#country+code", "#country"];
    /// Administrative area.
    Pcode = "pcode", ["p-code", "admin pcode", "adm1 pcode", "adm2 pcode", "adm3 pcode", "admin1pcode", "admin2pcode", "adm1 code", "adm2 code"], ["#adm3+code", "#adm2+code", "#adm1+code"];
    /// How it is marked.
    Marking = "marking", ["markings", "logo", "flag", "roof marking"], ["#loc+marking"];
    /// Whether the marking shows in infrared.
    Infrared = "marking_infrared", ["infrared", "ir", "marking ir", "visible in infrared"], ["#loc+marking+ir"];
    /// Accuracy of the coordinates in metres.
    Accuracy = "accuracy_m", ["accuracy", "gps accuracy", "precision", "accuracy (m)"], ["#geo+precision", "#geo+accuracy"];
    /// Where the coordinates come from.
    Source = "coordinate_source", ["source", "coordinates source", "source of coordinates"], ["#geo+source", "#meta+source"];
    /// A note.
    Note = "note", ["notes", "comment", "comments", "remarks", "remark", "description"], ["#meta+comments", "#description"];
    /// Who can be called.
    ContactName = "contact_name", ["contact", "focal point", "contact person", "team leader"], ["#contact+name"];
    /// That person's post.
    ContactPost = "contact_post", ["contact title", "contact role", "position title"], ["#contact+title", "#contact+role"];
    /// That person's number.
    ContactPhone = "contact_phone", ["phone", "telephone", "tel", "mobile", "satphone", "contact number", "contact tel"], ["#contact+phone"];
    /// Who is notified, each with a tier.
    Parties = "parties", ["party", "notify", "audience", "share with"], ["#recipient"];
    /// Whether parties may pass it on to their partners.
    Onward = "onward_sharing", ["onward", "onward sharing allowed", "share onward"], ["#recipient+onward"];
    /// Notified as an emergency.
    Emergency = "emergency", ["urgent"], ["#meta+emergency"];
    /// How many people.
    People = "people", ["passengers", "persons", "number of people", "pax", "staff"], ["#population", "#affected"];
    /// What is carried.
    Cargo = "cargo", ["load", "goods", "items"], ["#item"];
    /// Vehicles.
    Vehicles = "vehicles", ["vehicle", "cars", "trucks", "vehicle description"], ["#item+vehicle"];
    /// Their number plates, in the same order.
    Plates = "plates", ["plate", "license plate", "licence plate", "registration", "number plates", "plate number"], ["#item+vehicle+code"];
    /// Call sign.
    CallSign = "call_sign", ["callsign", "radio call sign"], ["#contact+callsign"];
    /// Where nights are spent.
    Overnight = "overnight", ["overnight stops", "overnight stop"], ["#loc+overnight"];
    /// Half the corridor's width.
    HalfWidth = "half_width_m", ["half width", "corridor half width", "half width (m)"], ["#geo+width"];
    /// A waypoint's place in the order.
    Order = "waypoint", ["waypoint number", "order", "sequence", "seq", "stop", "stop number", "leg", "no"], ["#meta+order", "#loc+order"];
    /// A waypoint's name.
    WaypointName = "waypoint_name", ["stop name", "waypoint place", "town"], ["#loc+waypoint+name"];
    /// When it is reached or passed.
    At = "at", ["arrival", "eta", "arrive", "time", "date time", "arrival time"], ["#date+arrival", "#date+eta"];
    /// When it is left.
    Depart = "depart", ["departure", "etd", "leave", "departure time"], ["#date+departure", "#date+etd"];
    /// How much either may be off.
    Slack = "slack", ["plus minus", "tolerance", "margin"], ["#date+slack"];
    /// The organisation; read over, since the signature says who it is.
    Organisation = "organisation", ["organization", "org", "agency", "ngo", "partner"], ["#org"];
    /// What an earlier run wrote beside the row; read over.
    Says = "herald says", [], ["#meta+herald"];
}

/// Without case, spaces and punctuation: `GPS-Lat.` is `gpslat`.
fn plain(name: &str) -> String {
    name.chars()
        .filter(|c| c.is_alphanumeric())
        .flat_map(char::to_lowercase)
        .take(64)
        .collect()
}

impl Field {
    /// The field that a column's name means.
    pub fn of_name(name: &str) -> Option<Self> {
        let given = plain(name);
        if given.is_empty() {
            return None;
        }
        let says = |candidate: &str| plain(candidate) == given;
        let own = |field: &&Self| says(field.name());
        let other = |field: &&Self| field.synonyms().iter().any(|synonym| says(synonym));
        Self::ALL
            .iter()
            .find(own)
            .or_else(|| Self::ALL.iter().find(other))
            .copied()
    }

    /// The field that an HXL tag means: the one of whose tags the hashtag and the most attributes are there.
    pub fn of_tag(tag: &str) -> Option<Self> {
        let (hashtag, attributes) = split_tag(tag)?;
        let mut best: Option<(usize, Self)> = None;
        for field in Self::ALL {
            for known in field.tags() {
                let Some((known_hashtag, needed)) = split_tag(known) else {
                    continue;
                };
                let fits = known_hashtag == hashtag && needed.is_subset(&attributes);
                if fits && best.is_none_or(|(most, _)| needed.len() > most) {
                    best = Some((needed.len(), *field));
                }
            }
        }
        best.map(|(_, field)| field)
    }
}

impl fmt::Display for Field {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// `#geo +lat` → (`#geo`, {`lat`}).
fn split_tag(tag: &str) -> Option<(String, BTreeSet<String>)> {
    let tag = tag.trim().to_lowercase();
    let mut parts = tag
        .strip_prefix('#')?
        .split('+')
        .map(|part| part.trim().to_owned());
    let hashtag = parts.next().filter(|hashtag| !hashtag.is_empty())?;
    Some((
        hashtag,
        parts.filter(|attribute| !attribute.is_empty()).collect(),
    ))
}

/// Whether a row of cells is an HXL tag row: every cell that is not empty begins with `#`, and at least one is known.
pub fn is_tag_row<'a>(cells: impl Iterator<Item = &'a str> + Clone) -> bool {
    let mut filled = cells.filter(|cell| !cell.trim().is_empty());
    let all = filled
        .clone()
        .all(|cell| cell.trim_start().starts_with('#'));
    all && filled.any(|cell| Field::of_tag(cell).is_some())
}

/// One column of a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Column {
    /// Its place, from 0.
    pub index: usize,
    /// Its name, as the file has it.
    pub header: String,
}

impl fmt::Display for Column {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} \"{}\"", letters(self.index), self.header)
    }
}

/// A spreadsheet's letters for a column: 0 is A, 26 is AA.
pub fn letters(index: usize) -> String {
    let mut rest = index;
    let mut out = Vec::new();
    loop {
        out.push(char::from(b'A' + u8::try_from(rest % 26).unwrap_or(0)));
        if rest < 26 {
            return out.iter().rev().collect();
        }
        rest = rest / 26 - 1;
    }
}

/// Which column holds which field.
#[derive(Debug, Clone, Default)]
pub struct Mapping {
    fields: BTreeMap<Field, Column>,
    unused: Vec<Column>,
}

impl Mapping {
    /// Reads a header row, its tag row if there is one, and what the person said with `--map column=field`.
    ///
    /// # Errors
    /// When two columns mean the same, a mapped column or field is unknown, or none is known at all.
    pub fn read(
        headers: &[String],
        tags: Option<&[String]>,
        given: &[(String, Field)],
    ) -> Result<Self, TableError> {
        let mut mapping = Self::default();
        for (name, field) in given {
            let index = headers
                .iter()
                .position(|header| header.trim() == name.trim() || plain(header) == plain(name));
            let index = index.ok_or_else(|| TableError::NoSuchColumn {
                name: name.clone(),
                known: headers.join(", "),
            })?;
            mapping.put(
                *field,
                Column {
                    index,
                    header: name.clone(),
                },
            )?;
        }
        let mapped: BTreeSet<usize> = mapping.fields.values().map(|column| column.index).collect();
        let given_fields: BTreeSet<Field> = mapping.fields.keys().copied().collect();
        for (index, header) in headers
            .iter()
            .enumerate()
            .filter(|(index, _)| !mapped.contains(index))
        {
            let tag = tags
                .and_then(|tags| tags.get(index))
                .map(String::as_str)
                .unwrap_or_default();
            let column = Column {
                index,
                header: header.trim().to_owned(),
            };
            let by_tag = Field::of_tag(tag).or_else(|| Field::of_tag(header));
            match by_tag.or_else(|| Field::of_name(header)) {
                Some(field) if !given_fields.contains(&field) => mapping.put(field, column)?,
                _ if column.header.is_empty() => {}
                _ => mapping.unused.push(column),
            }
        }
        if mapping
            .fields
            .keys()
            .all(|field| matches!(field, Field::Organisation | Field::Says))
        {
            return Err(TableError::NoKnownColumn {
                found: headers.join(", "),
            });
        }
        Ok(mapping)
    }

    fn put(&mut self, field: Field, column: Column) -> Result<(), TableError> {
        if let Some(first) = self.fields.get(&field) {
            return Err(TableError::TwoColumns {
                field,
                first: first.to_string(),
                second: column.to_string(),
            });
        }
        self.fields.insert(field, column);
        Ok(())
    }

    /// The column of a field.
    pub fn column(&self, field: Field) -> Option<&Column> {
        self.fields.get(&field)
    }

    /// Every field that has a column.
    pub fn fields(&self) -> impl Iterator<Item = (Field, &Column)> {
        self.fields.iter().map(|(field, column)| (*field, column))
    }

    /// Columns that mean nothing here. They are not read, and the person is told.
    pub fn unused(&self) -> &[Column] {
        &self.unused
    }

    /// Whether the rows are waypoints of movements.
    pub fn is_movement(&self) -> bool {
        [Field::Order, Field::At, Field::Depart]
            .iter()
            .any(|field| self.fields.contains_key(field))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn strings(texts: &[&str]) -> Vec<String> {
        texts.iter().map(|text| (*text).to_owned()).collect()
    }

    #[test]
    fn every_field_is_found_by_its_own_name_and_no_synonym_belongs_to_two() {
        let mut seen = BTreeMap::new();
        for field in Field::ALL {
            assert_eq!(Field::of_name(field.name()), Some(*field));
            for name in std::iter::once(&field.name()).chain(field.synonyms()) {
                let before = seen.insert(plain(name), *field);
                assert!(
                    before.is_none_or(|other| other == *field),
                    "{name} belongs to {before:?} and {field}"
                );
            }
            for tag in field.tags() {
                assert_eq!(Field::of_tag(tag), Some(*field), "{tag}");
            }
        }
    }

    #[test]
    fn columns_are_known_by_name_by_synonym_and_by_tag_in_any_order_of_attributes() {
        assert_eq!(Field::of_name("GPS Lat."), Some(Field::Latitude));
        assert_eq!(Field::of_name(" Facility_Type "), Some(Field::Category));
        assert_eq!(Field::of_tag("#geo +lat+v_wgs84"), Some(Field::Latitude));
        assert_eq!(Field::of_tag("#LOC+alt+name"), Some(Field::NameLocal));
        assert_eq!(Field::of_tag("#date+start"), Some(Field::From));
        assert_eq!(Field::of_tag("#sector"), None);
        assert!(is_tag_row(["#org", "", "#geo+lat"].into_iter()));
        assert!(!is_tag_row(["#1", "Kunduz"].into_iter()));
    }

    #[test]
    fn two_columns_for_one_thing_are_refused_and_the_person_can_say_which() {
        let headers = strings(&["name", "lat", "latitude", "lon"]);
        let error = Mapping::read(&headers, None, &[]).expect_err("ambiguous");
        assert!(
            error.to_string().contains("B \"lat\"") && error.to_string().contains("C \"latitude\"")
        );
        let said = [("latitude".to_owned(), Field::Latitude)];
        let mapping = Mapping::read(&headers, None, &said).expect("said");
        assert_eq!(mapping.column(Field::Latitude).map(|c| c.index), Some(2));
        assert_eq!(mapping.unused().len(), 1);
    }

    #[test]
    fn letters_are_those_of_a_spreadsheet() {
        for (index, expected) in [(0, "A"), (25, "Z"), (26, "AA"), (701, "ZZ"), (702, "AAA")] {
            assert_eq!(letters(index), expected);
        }
    }
}
