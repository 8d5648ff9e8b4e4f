//! The words that people use in forms, and what they mean here: categories, yes and no, metres, tiers. A word that is not
//! known is said to be so; it is never bent into the nearest one in silence.

use std::str::FromStr as _;

use super::likely;
use crate::domain::category::Category;
use crate::domain::ids::ActorId;
use crate::domain::notification::{CoordinateSource, Infrared, Relation, Tier};

/// Words for categories, besides their labels and names: of facility lists (KEMRI's of Sub-Saharan Africa, OSM's
/// `amenity`), and of humanitarian forms in English and French.
const CATEGORIES: &[(&str, Category)] = &[
    ("general hospital", Category::Hospital),
    ("district hospital", Category::Hospital),
    ("referral hospital", Category::Hospital),
    ("regional hospital", Category::Hospital),
    ("field hospital", Category::Hospital),
    ("maternity hospital", Category::Hospital),
    ("maternity", Category::Hospital),
    ("medical center", Category::Hospital),
    ("medical centre", Category::Hospital),
    ("polyclinic", Category::Hospital),
    ("hopital", Category::Hospital),
    ("hôpital", Category::Hospital),
    ("trauma centre", Category::Hospital),
    ("health centre", Category::Clinic),
    ("health center", Category::Clinic),
    ("health clinic", Category::Clinic),
    ("health post", Category::Clinic),
    ("health hut", Category::Clinic),
    ("health station", Category::Clinic),
    ("health facility", Category::Clinic),
    ("health unit", Category::Clinic),
    ("community health unit", Category::Clinic),
    ("dispensary", Category::Clinic),
    ("doctors", Category::Clinic),
    ("primary health care", Category::Clinic),
    ("phc", Category::Clinic),
    ("centre de sante", Category::Clinic),
    ("centre de santé", Category::Clinic),
    ("cholera treatment centre", Category::Clinic),
    ("mobile health unit", Category::MobileClinic),
    ("mobile team", Category::MobileClinic),
    ("medical store", Category::Pharmacy),
    ("drug store", Category::Pharmacy),
    ("ambulance", Category::AmbulanceStation),
    ("ambulances", Category::AmbulanceStation),
    ("store", Category::Warehouse),
    ("storage", Category::Warehouse),
    ("logistics base", Category::Warehouse),
    ("ngo office", Category::Office),
    ("compound", Category::Office),
    ("base", Category::Office),
    ("guest house", Category::Guesthouse),
    ("staff house", Category::Residence),
    ("residence", Category::Residence),
    ("house", Category::Residence),
    ("kindergarten", Category::School),
    ("university", Category::School),
    ("college", Category::School),
    ("education", Category::School),
    ("collective centre", Category::Shelter),
    ("collective shelter", Category::Shelter),
    ("camp", Category::DisplacedPersonsSite),
    ("idp camp", Category::DisplacedPersonsSite),
    ("idp site", Category::DisplacedPersonsSite),
    ("refugee camp", Category::DisplacedPersonsSite),
    ("refugee site", Category::DisplacedPersonsSite),
    ("water point", Category::Water),
    ("water source", Category::Water),
    ("borehole", Category::Water),
    ("well", Category::Water),
    ("pumping station", Category::Water),
    ("water treatment", Category::Water),
    ("power station", Category::Power),
    ("power plant", Category::Power),
    ("substation", Category::Power),
    ("electricity", Category::Power),
    ("distribution point", Category::FoodDistribution),
    ("distribution site", Category::FoodDistribution),
    ("food distribution", Category::FoodDistribution),
    ("mosque", Category::PlaceOfWorship),
    ("church", Category::PlaceOfWorship),
    ("temple", Category::PlaceOfWorship),
    ("museum", Category::CulturalProperty),
    ("heritage", Category::CulturalProperty),
    ("archive", Category::CulturalProperty),
    ("airfield", Category::Airstrip),
    ("airport", Category::Airstrip),
    ("helipad", Category::Airstrip),
    ("border crossing", Category::CrossingPoint),
    ("crossing", Category::CrossingPoint),
];

/// Lower case, with single spaces for spaces, hyphens and underscores.
fn plain(word: &str) -> String {
    let spaced: String = word
        .chars()
        .map(|c| if matches!(c, '_' | '-' | '/') { ' ' } else { c })
        .collect();
    spaced
        .split_whitespace()
        .collect::<Vec<_>>()
        .join(" ")
        .to_lowercase()
}

/// The category that a word means.
pub fn category(word: &str) -> Option<Category> {
    let word = plain(word);
    let own = Category::ALL
        .iter()
        .find(|c| plain(c.as_str()) == word || plain(c.label()) == word);
    own.copied().or_else(|| {
        CATEGORIES
            .iter()
            .find(|(name, _)| *name == word)
            .map(|(_, category)| *category)
    })
}

/// The categories that a word which is none was likely meant as: one with a slip in it, or one that stands in it.
pub fn likely_categories(word: &str) -> Vec<&'static str> {
    let word = plain(word);
    let own = Category::ALL.iter().flat_map(|category| {
        [category.as_str().replace('_', " "), plain(category.label())].map(|name| (name, *category))
    });
    let others = CATEGORIES
        .iter()
        .map(|(name, category)| ((*name).to_owned(), *category));
    let known: Vec<(String, Category)> = own.chain(others).collect();
    let near = likely::nearest(&word, known.iter().map(|(name, _)| name.as_str()));
    let within = |name: &str| format!(" {word} ").contains(&format!(" {name} "));
    let mut out: Vec<&'static str> = known
        .iter()
        .filter(|(name, category)| {
            near.contains(&name.as_str())
                || near.is_empty() && *category != Category::Other && within(name)
        })
        .map(|(_, category)| category.as_str())
        .collect();
    out.sort_unstable();
    out.dedup();
    out.truncate(3);
    out
}

/// Yes or no.
pub fn yes_no(word: &str) -> Option<bool> {
    match plain(word).as_str() {
        "yes" | "y" | "true" | "1" | "oui" | "نعم" => Some(true),
        "no" | "n" | "false" | "0" | "non" | "لا" => Some(false),
        _ => None,
    }
}

/// Run or supported.
pub fn relation(word: &str) -> Option<Relation> {
    match plain(word).as_str() {
        "run" | "own" | "owned" | "operated" | "directly run" => Some(Relation::Run),
        "supported" | "support" | "partner" => Some(Relation::Supported),
        _ => None,
    }
}

/// Whether a marking shows in infrared.
pub fn infrared(word: &str) -> Option<Infrared> {
    match yes_no(word) {
        Some(true) => Some(Infrared::Yes),
        Some(false) => Some(Infrared::No),
        None => Infrared::from_str(&plain(word)).ok(),
    }
}

/// Where coordinates come from.
pub fn source(word: &str) -> Option<CoordinateSource> {
    let word = plain(word);
    match word.as_str() {
        "gps" | "handheld gps" | "receiver" | "phone" => Some(CoordinateSource::Gnss),
        "satellite" | "satellite image" | "satellite imagery" | "google earth" => {
            Some(CoordinateSource::Imagery)
        }
        _ => CoordinateSource::from_str(&word).ok(),
    }
}

/// Metres: `500`, `500 m`, `0.5 km`. Finite and not negative.
pub fn metres(text: &str) -> Option<f64> {
    let text = text.trim().to_lowercase().replace('\u{a0}', " ");
    let (number, factor) = if let Some(number) = text.strip_suffix("km") {
        (number, 1_000.0)
    } else {
        let number = ["metres", "meters", "metre", "meter", "m"]
            .iter()
            .find_map(|unit| text.strip_suffix(unit));
        (number.unwrap_or(&text), 1.0)
    };
    let value: f64 = number.trim().parse().ok()?;
    let value = value * factor;
    (value.is_finite() && value >= 0.0).then_some(value)
}

/// A party chosen, and how much it sees.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Choice {
    /// The party.
    pub party: ActorId,
    /// How much it sees.
    pub tier: Tier,
    /// Whether it may pass it on to its partners.
    pub onward: bool,
}

/// `east:exact`, `west:cell`, `east:exact:onward`; a party without a tier is not read: the tier is never guessed.
///
/// # Errors
/// What is wrong, in words.
pub fn choice(text: &str) -> Result<Choice, String> {
    let mut parts = text.split(':').map(str::trim);
    let (party, tier, onward) = (parts.next().unwrap_or_default(), parts.next(), parts.next());
    let party = ActorId::new(party)
        .map_err(|error| format!("\"{party}\" is no party's short name: {error}"))?;
    let Some(tier) = tier else {
        return Err(format!(
            "say what {party} may see: {party}:exact, {party}:on_check or {party}:cell"
        ));
    };
    let tier = Tier::from_str(&plain(tier).replace(' ', "_"))
        .map_err(|error| format!("\"{tier}\" is no tier: {error}"))?;
    let onward = match onward {
        None => false,
        Some("onward") => true,
        Some(other) => {
            return Err(format!(
                "\"{other}\" is not understood after the tier; only \"onward\" may stand there"
            ));
        }
    };
    match parts.next() {
        None => Ok(Choice {
            party,
            tier,
            onward,
        }),
        Some(_) => Err("a party is written party:tier or party:tier:onward".to_owned()),
    }
}

/// The parts of a cell that holds several, between semicolons or line ends.
pub fn several(text: &str) -> Vec<String> {
    text.split([';', '\n'])
        .map(str::trim)
        .filter(|part| !part.is_empty())
        .map(str::to_owned)
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_types_of_real_facility_lists_are_known_and_unknown_ones_are_not_bent() {
        let known = [
            ("Health Centre", Category::Clinic),
            ("Health Clinic", Category::Clinic),
            ("Health Post", Category::Clinic),
            ("Dispensary", Category::Clinic),
            ("Hospital", Category::Hospital),
            ("Community Health Unit", Category::Clinic),
            ("Health Hut", Category::Clinic),
            ("Medical Center", Category::Hospital),
            ("Health Station", Category::Clinic),
            ("Other", Category::Other),
            ("Polyclinic", Category::Hospital),
            ("Maternity", Category::Hospital),
            ("displaced_persons_site", Category::DisplacedPersonsSite),
            ("place_of_worship", Category::PlaceOfWorship),
        ];
        for (word, expected) in known {
            assert_eq!(category(word), Some(expected), "{word}");
        }
        assert_eq!(category("barracks"), None);
        assert_eq!(category(""), None);
    }

    #[test]
    fn a_mistyped_category_names_the_one_that_was_likely_meant() {
        for (word, expected) in [
            ("hosptial", &["hospital"][..]),
            ("Helth post", &["clinic"]),
            ("Provincial Hospital", &["hospital"]),
            ("displaced persons sit", &["displaced_persons_site"]),
            ("barracks", &[]),
        ] {
            assert_eq!(category(word), None, "{word}");
            assert_eq!(likely_categories(word), expected, "{word}");
        }
    }

    #[test]
    fn no_word_means_two_categories() {
        let mut seen = std::collections::BTreeSet::new();
        for (word, _) in CATEGORIES {
            assert!(seen.insert(*word), "{word} stands twice");
            assert_eq!(plain(word), *word, "{word} is not written plainly");
        }
    }

    #[test]
    fn metres_have_a_unit_or_none_and_are_never_negative() {
        assert_eq!(metres("500"), Some(500.0));
        assert_eq!(metres("500 m"), Some(500.0));
        assert_eq!(metres("0.5km"), Some(500.0));
        for bad in ["", "-1", "NaN", "inf", "500 ft", "1e999", "about 500"] {
            assert_eq!(metres(bad), None, "{bad}");
        }
    }

    #[test]
    fn a_party_without_a_tier_is_asked_about() {
        let exact = choice("east:exact:onward").expect("a choice");
        assert_eq!(
            (exact.party.as_str(), exact.tier, exact.onward),
            ("east", Tier::Exact, true)
        );
        assert_eq!(
            choice(" west : on check ").expect("a choice").tier,
            Tier::OnCheck
        );
        assert!(choice("east").expect_err("refused").contains("east:exact"));
        assert!(
            choice("east:all").is_err()
                && choice("east:exact:onward:x").is_err()
                && choice("East!:exact").is_err()
        );
    }
}
