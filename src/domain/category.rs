//! What a notified place is for: the categories, with the symbols that planners and humanitarians know them by.

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
