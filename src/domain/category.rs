//! What a notified place is for: the categories, with the symbols that planners and humanitarians know them by, the
//! buffer that counts when nobody asked for one, and how precisely its coordinates must be given.

use super::words;

words!(
    /// The category of a site.
    Category {
        /// A hospital.
        Hospital = "hospital",
        /// A clinic or health post.
        Clinic = "clinic",
        /// A clinic that moves.
        MobileClinic = "mobile_clinic",
        /// A pharmacy or medical store.
        Pharmacy = "pharmacy",
        /// An ambulance station.
        AmbulanceStation = "ambulance_station",
        /// A warehouse.
        Warehouse = "warehouse",
        /// An office.
        Office = "office",
        /// A guesthouse.
        Guesthouse = "guesthouse",
        /// A residence of staff.
        Residence = "residence",
        /// A school.
        School = "school",
        /// A shelter.
        Shelter = "shelter",
        /// A site of displaced persons.
        DisplacedPersonsSite = "displaced_persons_site",
        /// A water source, pumping station or treatment works.
        Water = "water",
        /// A power plant, line or substation.
        Power = "power",
        /// A bakery.
        Bakery = "bakery",
        /// A food distribution point.
        FoodDistribution = "food_distribution",
        /// A place of worship.
        PlaceOfWorship = "place_of_worship",
        /// Cultural property.
        CulturalProperty = "cultural_property",
        /// An airstrip.
        Airstrip = "airstrip",
        /// A crossing point.
        CrossingPoint = "crossing_point",
        /// An evacuation route.
        EvacuationRoute = "evacuation_route",
        /// Another.
        Other = "other",
    }
);

/// What is known of a category.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Profile {
    /// Its name in English, for people.
    pub label: &'static str,
    /// Its icon in OCHA's humanitarian icons 2.1 (2020), by file name without `.svg`, after the lookup table of
    /// `mapaction/ocha-humanitarian-icons-for-gis`. Where OCHA has none of its own, the nearest one.
    pub icon: &'static str,
    /// Entity code in symbol set 20 (land installation) of MIL-STD-2525D and APP-6(D), as `milsymbol` and the Joint
    /// Military Symbology Library list them: the nearest one, or none where any would mislead.
    pub symbol: Option<&'static str>,
    /// Metres around the object that count as its buffer when the organisation asks for none.
    ///
    /// These are our own defaults, not anybody's rule; a context's policy overrides them (`buffers_m`). They follow one
    /// idea, how hard it is for those inside to get away and how many depend on it: 500 m where the sick or very many
    /// people cannot leave (hospitals, displaced persons' sites); 300 m where people gather or the loss of the object
    /// hurts a whole town (clinics, schools, food, water, power, worship); 200 m for other buildings; 100 m for lines
    /// and points that people only pass. More would flag whole towns and be ignored, so that a real hit is lost in them.
    pub buffer_m: f64,
    /// The coarsest last digit, in metres on the ground, with which the object can be told from its neighbours: 15 m for
    /// a building (four decimals of a degree, or eight MGRS digits), 150 m for a large compound or a route (three
    /// decimals, or six MGRS digits). Coarser coordinates are warned of, not refused.
    pub precision_m: f64,
}

const fn profile(
    label: &'static str,
    icon: &'static str,
    symbol: Option<&'static str>,
    buffer_m: f64,
    precision_m: f64,
) -> Profile {
    Profile {
        label,
        icon,
        symbol,
        buffer_m,
        precision_m,
    }
}

const BUILDING_M: f64 = 15.0;
const COMPOUND_M: f64 = 150.0;

impl Category {
    /// The table of categories: one line each.
    #[rustfmt::skip]
    pub const fn profile(self) -> Profile {
        match self {
            Self::Hospital => profile("Hospital", "hospital", Some("120702"), 500.0, BUILDING_M),
            Self::Clinic => profile("Clinic or health post", "clinic", Some("120701"), 300.0, BUILDING_M),
            Self::MobileClinic => profile("Mobile clinic", "mobile-clinic", Some("120701"), 300.0, BUILDING_M),
            Self::Pharmacy => profile("Pharmacy or medical store", "medicine", Some("120701"), 200.0, BUILDING_M),
            Self::AmbulanceStation => profile("Ambulance station", "health-facility", Some("112202"), 300.0, BUILDING_M),
            Self::Warehouse => profile("Warehouse", "food-warehouse", Some("112000"), 200.0, BUILDING_M),
            Self::Office => profile("Office", "ngo-office", None, 200.0, BUILDING_M),
            Self::Guesthouse => profile("Guesthouse", "hotel", None, 200.0, BUILDING_M),
            Self::Residence => profile("Residence of staff", "house", Some("112300"), 200.0, BUILDING_M),
            Self::School => profile("School", "school", Some("120402"), 300.0, BUILDING_M),
            Self::Shelter => profile("Shelter", "shelter", Some("111900"), 300.0, BUILDING_M),
            Self::DisplacedPersonsSite => profile("Site of displaced persons", "idp-refugee-camp", Some("111901"), 500.0, COMPOUND_M),
            Self::Water => profile("Water source, pumping station or treatment works", "water-source", Some("121400"), 300.0, BUILDING_M),
            Self::Power => profile("Power plant, line or substation", "power-electricity", Some("120500"), 300.0, COMPOUND_M),
            Self::Bakery => profile("Bakery", "flour", Some("120106"), 300.0, BUILDING_M),
            Self::FoodDistribution => profile("Food distribution point", "distribution-site", Some("120105"), 300.0, BUILDING_M),
            Self::PlaceOfWorship => profile("Place of worship", "community-building", Some("121004"), 300.0, BUILDING_M),
            Self::CulturalProperty => profile("Cultural property", "building", None, 300.0, COMPOUND_M),
            Self::Airstrip => profile("Airstrip", "airport", Some("121301"), 200.0, COMPOUND_M),
            Self::CrossingPoint => profile("Crossing point", "border-crossing", None, 100.0, COMPOUND_M),
            Self::EvacuationRoute => profile("Evacuation route", "road", None, 100.0, COMPOUND_M),
            Self::Other => profile("Other", "location", None, 200.0, BUILDING_M),
        }
    }

    /// Its name in English.
    pub const fn label(self) -> &'static str {
        self.profile().label
    }

    /// Metres around it that count when no buffer is asked for and the policy names none.
    pub const fn default_buffer_m(self) -> f64 {
        self.profile().buffer_m
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_category_has_a_label_an_icon_a_buffer_and_a_precision_that_can_be_worked_with() {
        for category in Category::ALL {
            let profile = category.profile();
            assert!(profile.label.starts_with(|c: char| c.is_ascii_uppercase()));
            let plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
            assert!(
                !profile.icon.is_empty() && profile.icon.chars().all(plain),
                "{category}"
            );
            assert!((1.0..=1000.0).contains(&profile.buffer_m), "{category}");
            assert!((1.0..=1000.0).contains(&profile.precision_m), "{category}");
            assert!(
                profile.precision_m <= profile.buffer_m.max(BUILDING_M) * 1.5,
                "{category}"
            );
        }
    }

    #[test]
    fn symbols_are_six_digits_of_a_land_installation_and_the_known_ones_are_as_published() {
        for symbol in Category::ALL.iter().filter_map(|c| c.profile().symbol) {
            assert!(symbol.len() == 6 && symbol.bytes().all(|b| b.is_ascii_digit()));
            assert!(
                symbol.starts_with("11") || symbol.starts_with("12"),
                "{symbol}"
            );
        }
        let known = [
            (Category::Hospital, "120702"),
            (Category::School, "120402"),
            (Category::PlaceOfWorship, "121004"),
            (Category::Warehouse, "112000"),
            (Category::DisplacedPersonsSite, "111901"),
            (Category::FoodDistribution, "120105"),
        ];
        for (category, code) in known {
            assert_eq!(category.profile().symbol, Some(code));
        }
    }

    #[test]
    fn no_two_categories_share_a_label() {
        let labels: std::collections::BTreeSet<_> =
            Category::ALL.iter().map(|c| c.label()).collect();
        assert_eq!(labels.len(), Category::ALL.len());
    }
}
