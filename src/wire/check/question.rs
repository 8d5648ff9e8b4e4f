//! A question, read: the area, how far effects reach, and when. Bounded, so that one question can neither cost the
//! server its breath nor ask for the whole map.

use crate::domain::category::Category;
use crate::spatial::parse::Country;
use crate::spatial::parse::lint::meets_country;
use crate::spatial::{Area, Cover, GeoBox, Window};
use crate::wire::object::{MAX_TEXT, read_area, read_window};
use crate::wire::parts::CheckArea;
use crate::wire::policy::Policy;
use crate::wire::problem::{Problem, ProblemKind};

/// The greatest effect radius, metres.
pub const MAX_EFFECT_M: f64 = 100_000.0;

/// The greatest area of one question with all that its effects may reach, in square kilometres as the search boxes count
/// them. More than any theatre of operations, less than the earth.
pub const MAX_ASKED_KM2: f64 = 10_000_000.0;

/// How far beyond its generalised outline, which takes in about the territorial waters, a country still counts, in metres:
/// borders are drawn coarsely, and what happens off a coast or beyond a border concerns it.
pub const COUNTRY_MARGIN_M: f64 = 50_000.0;

/// The mean radius of the earth in kilometres (IUGG), good enough for a bound.
const EARTH_KM: f64 = 6_371.008_8;

/// What is asked. Prints as `[sealed]`.
#[derive(Clone)]
pub struct Question {
    /// Where the operation is proposed.
    pub area: Area,
    /// Metres around the area in which effects are expected.
    pub effect_radius_m: f64,
    /// When; both bounds belong to it, an open one overlaps.
    pub window: Window,
    /// The area is meant although it lies outside the context's country.
    pub outside_countries: bool,
}

impl std::fmt::Debug for Question {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Question[sealed]")
    }
}

impl Question {
    /// Reads the part `area` of a check.
    ///
    /// # Errors
    /// What is wrong with geometry, radius, window or a text, with a pointer that begins with `/area`; and what is larger
    /// than one question may be.
    pub fn read(asked: &CheckArea) -> Result<Self, Problem> {
        for (text, member) in [(&asked.operation, "operation"), (&asked.typed, "typed")] {
            if text.as_ref().is_some_and(|t| t.chars().count() > MAX_TEXT) {
                return Err(Problem::new(ProblemKind::InvalidMember)
                    .detail(format!("at most {MAX_TEXT} characters"))
                    .pointer(format!("/area/{member}")));
            }
        }
        if !(0.0..=MAX_EFFECT_M).contains(&asked.effect_radius_m) {
            return Err(Problem::new(ProblemKind::InvalidMember)
                .detail(format!("an effect radius is 0 to {MAX_EFFECT_M} metres"))
                .pointer("/area/effect_radius_m"));
        }
        let question = Self {
            area: read_area(&asked.area)?,
            effect_radius_m: asked.effect_radius_m,
            window: read_window(&asked.window)?,
            outside_countries: asked.outside_countries,
        };
        let reached = Cover::search(&question.area, question.effect_radius_m);
        if reached.boxes().iter().map(area_km2).sum::<f64>() > MAX_ASKED_KM2 {
            return Err(Problem::new(ProblemKind::GeometryTooWide)
                .detail(format!(
                    "the area and its effect radius reach over more than {MAX_ASKED_KM2} square kilometres"
                ))
                .pointer("/area/area")
                .action("Ask about smaller areas, one after the other."));
        }
        Ok(question)
    }

    /// Whether the area lies elsewhere than whoever asks is likely to mean: beyond [`COUNTRY_MARGIN_M`] and all that its
    /// effects reach of the context's country, and not said to be meant so. Where the context names no country, or one
    /// that the map does not show, nothing is elsewhere.
    pub fn is_elsewhere(&self, policy: &Policy) -> bool {
        let country = policy.country.as_deref().and_then(Country::from_code);
        !self.outside_countries
            && country.is_some_and(|country| {
                let near = Cover::search(&self.area, self.effect_radius_m + COUNTRY_MARGIN_M);
                !meets_country(&near, country)
            })
    }

    /// The boxes in which everything lies that may conflict. The index holds each object with the buffer that counted
    /// when it was notified; a policy may have raised a category's since, so the search reaches further by the greatest.
    pub fn boxes(&self, policy: &Policy) -> Cover {
        Cover::search(&self.area, self.effect_radius_m + greatest_buffer_m(policy))
    }
}

/// The greatest buffer in metres that any category has where nobody requests one.
pub fn greatest_buffer_m(policy: &Policy) -> f64 {
    let of = |category: &Category| {
        policy
            .buffers_m
            .get(category)
            .copied()
            .unwrap_or_else(|| category.default_buffer_m())
    };
    Category::ALL.iter().map(of).fold(0.0, f64::max)
}

/// The area of a box on a sphere.
fn area_km2(b: &GeoBox) -> f64 {
    let height = b.north.to_radians().sin() - b.south.to_radians().sin();
    EARTH_KM * EARTH_KM * (b.east - b.west).to_radians() * height
}
