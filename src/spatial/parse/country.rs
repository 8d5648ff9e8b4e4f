//! Country codes: the data of the boundaries and of the time zones use ISO 3166-1 alpha-2, humanitarian sheets use
//! alpha-3 (P-codes, HXL); this table turns one into the other and gives a name that a person can read.
//!
//! Codes: ISO 3166-1, with `XKX`/`XK` (user-assigned) for Kosovo. Names: the plain English names of `iso3166.tab` in the
//! IANA time zone database (public domain), some shortened. A name here says nothing on anybody's status.

use std::fmt;

/// A country by its ISO 3166-1 code. Made only by [`Country::from_code`], so it is always one of the table.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Country(&'static Row);

#[derive(PartialEq, Eq, Hash)]
struct Row {
    alpha3: &'static str,
    alpha2: &'static str,
    name: &'static str,
}

impl Country {
    /// The country of an alpha-2 or alpha-3 code, upper or lower case; `None` for anything else.
    pub fn from_code(code: &str) -> Option<Self> {
        let code = code.trim();
        ROWS.iter()
            .find(|row| {
                row.alpha3.eq_ignore_ascii_case(code) || row.alpha2.eq_ignore_ascii_case(code)
            })
            .map(Self)
    }

    /// The alpha-2 code, such as `AF`.
    pub fn alpha2(self) -> &'static str {
        self.0.alpha2
    }

    /// The alpha-3 code, such as `AFG`.
    pub fn alpha3(self) -> &'static str {
        self.0.alpha3
    }

    /// The plain English name, such as `Afghanistan`.
    pub fn name(self) -> &'static str {
        self.0.name
    }
}

impl fmt::Display for Country {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0.name)
    }
}

/// A declared country narrows down a place, so it is not shown.
impl fmt::Debug for Country {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Country([sealed])")
    }
}

const fn row(alpha3: &'static str, alpha2: &'static str, name: &'static str) -> Row {
    Row {
        alpha3,
        alpha2,
        name,
    }
}

/// Sorted by alpha-3.
#[rustfmt::skip]
static ROWS: &[Row] = &[
    row("ABW", "AW", "Aruba"),
    row("AFG", "AF", "Afghanistan"),
    row("AGO", "AO", "Angola"),
    row("AIA", "AI", "Anguilla"),
    row("ALA", "AX", "Åland Islands"),
    row("ALB", "AL", "Albania"),
    row("AND", "AD", "Andorra"),
    row("ARE", "AE", "United Arab Emirates"),
    row("ARG", "AR", "Argentina"),
    row("ARM", "AM", "Armenia"),
    row("ASM", "AS", "Samoa (American)"),
    row("ATA", "AQ", "Antarctica"),
    row("ATF", "TF", "French S. Terr."),
    row("ATG", "AG", "Antigua & Barbuda"),
    row("AUS", "AU", "Australia"),
    row("AUT", "AT", "Austria"),
    row("AZE", "AZ", "Azerbaijan"),
    row("BDI", "BI", "Burundi"),
    row("BEL", "BE", "Belgium"),
    row("BEN", "BJ", "Benin"),
    row("BES", "BQ", "Caribbean NL"),
    row("BFA", "BF", "Burkina Faso"),
    row("BGD", "BD", "Bangladesh"),
    row("BGR", "BG", "Bulgaria"),
    row("BHR", "BH", "Bahrain"),
    row("BHS", "BS", "Bahamas"),
    row("BIH", "BA", "Bosnia & Herzegovina"),
    row("BLM", "BL", "St Barthelemy"),
    row("BLR", "BY", "Belarus"),
    row("BLZ", "BZ", "Belize"),
    row("BMU", "BM", "Bermuda"),
    row("BOL", "BO", "Bolivia"),
    row("BRA", "BR", "Brazil"),
    row("BRB", "BB", "Barbados"),
    row("BRN", "BN", "Brunei"),
    row("BTN", "BT", "Bhutan"),
    row("BVT", "BV", "Bouvet Island"),
    row("BWA", "BW", "Botswana"),
    row("CAF", "CF", "Central African Rep."),
    row("CAN", "CA", "Canada"),
    row("CCK", "CC", "Cocos (Keeling) Islands"),
    row("CHE", "CH", "Switzerland"),
    row("CHL", "CL", "Chile"),
    row("CHN", "CN", "China"),
    row("CIV", "CI", "Côte d'Ivoire"),
    row("CMR", "CM", "Cameroon"),
    row("COD", "CD", "DR Congo"),
    row("COG", "CG", "Congo (Brazzaville)"),
    row("COK", "CK", "Cook Islands"),
    row("COL", "CO", "Colombia"),
    row("COM", "KM", "Comoros"),
    row("CPV", "CV", "Cape Verde"),
    row("CRI", "CR", "Costa Rica"),
    row("CUB", "CU", "Cuba"),
    row("CUW", "CW", "Curaçao"),
    row("CXR", "CX", "Christmas Island"),
    row("CYM", "KY", "Cayman Islands"),
    row("CYP", "CY", "Cyprus"),
    row("CZE", "CZ", "Czech Republic"),
    row("DEU", "DE", "Germany"),
    row("DJI", "DJ", "Djibouti"),
    row("DMA", "DM", "Dominica"),
    row("DNK", "DK", "Denmark"),
    row("DOM", "DO", "Dominican Republic"),
    row("DZA", "DZ", "Algeria"),
    row("ECU", "EC", "Ecuador"),
    row("EGY", "EG", "Egypt"),
    row("ERI", "ER", "Eritrea"),
    row("ESH", "EH", "Western Sahara"),
    row("ESP", "ES", "Spain"),
    row("EST", "EE", "Estonia"),
    row("ETH", "ET", "Ethiopia"),
    row("FIN", "FI", "Finland"),
    row("FJI", "FJ", "Fiji"),
    row("FLK", "FK", "Falkland Islands"),
    row("FRA", "FR", "France"),
    row("FRO", "FO", "Faroe Islands"),
    row("FSM", "FM", "Micronesia"),
    row("GAB", "GA", "Gabon"),
    row("GBR", "GB", "United Kingdom"),
    row("GEO", "GE", "Georgia"),
    row("GGY", "GG", "Guernsey"),
    row("GHA", "GH", "Ghana"),
    row("GIB", "GI", "Gibraltar"),
    row("GIN", "GN", "Guinea"),
    row("GLP", "GP", "Guadeloupe"),
    row("GMB", "GM", "Gambia"),
    row("GNB", "GW", "Guinea-Bissau"),
    row("GNQ", "GQ", "Equatorial Guinea"),
    row("GRC", "GR", "Greece"),
    row("GRD", "GD", "Grenada"),
    row("GRL", "GL", "Greenland"),
    row("GTM", "GT", "Guatemala"),
    row("GUF", "GF", "French Guiana"),
    row("GUM", "GU", "Guam"),
    row("GUY", "GY", "Guyana"),
    row("HKG", "HK", "Hong Kong"),
    row("HMD", "HM", "Heard Island & McDonald Islands"),
    row("HND", "HN", "Honduras"),
    row("HRV", "HR", "Croatia"),
    row("HTI", "HT", "Haiti"),
    row("HUN", "HU", "Hungary"),
    row("IDN", "ID", "Indonesia"),
    row("IMN", "IM", "Isle of Man"),
    row("IND", "IN", "India"),
    row("IOT", "IO", "British Indian Ocean Territory"),
    row("IRL", "IE", "Ireland"),
    row("IRN", "IR", "Iran"),
    row("IRQ", "IQ", "Iraq"),
    row("ISL", "IS", "Iceland"),
    row("ISR", "IL", "Israel"),
    row("ITA", "IT", "Italy"),
    row("JAM", "JM", "Jamaica"),
    row("JEY", "JE", "Jersey"),
    row("JOR", "JO", "Jordan"),
    row("JPN", "JP", "Japan"),
    row("KAZ", "KZ", "Kazakhstan"),
    row("KEN", "KE", "Kenya"),
    row("KGZ", "KG", "Kyrgyzstan"),
    row("KHM", "KH", "Cambodia"),
    row("KIR", "KI", "Kiribati"),
    row("KNA", "KN", "St Kitts & Nevis"),
    row("KOR", "KR", "South Korea"),
    row("KWT", "KW", "Kuwait"),
    row("LAO", "LA", "Laos"),
    row("LBN", "LB", "Lebanon"),
    row("LBR", "LR", "Liberia"),
    row("LBY", "LY", "Libya"),
    row("LCA", "LC", "St Lucia"),
    row("LIE", "LI", "Liechtenstein"),
    row("LKA", "LK", "Sri Lanka"),
    row("LSO", "LS", "Lesotho"),
    row("LTU", "LT", "Lithuania"),
    row("LUX", "LU", "Luxembourg"),
    row("LVA", "LV", "Latvia"),
    row("MAC", "MO", "Macau"),
    row("MAF", "MF", "St Martin (French)"),
    row("MAR", "MA", "Morocco"),
    row("MCO", "MC", "Monaco"),
    row("MDA", "MD", "Moldova"),
    row("MDG", "MG", "Madagascar"),
    row("MDV", "MV", "Maldives"),
    row("MEX", "MX", "Mexico"),
    row("MHL", "MH", "Marshall Islands"),
    row("MKD", "MK", "North Macedonia"),
    row("MLI", "ML", "Mali"),
    row("MLT", "MT", "Malta"),
    row("MMR", "MM", "Myanmar"),
    row("MNE", "ME", "Montenegro"),
    row("MNG", "MN", "Mongolia"),
    row("MNP", "MP", "Northern Mariana Islands"),
    row("MOZ", "MZ", "Mozambique"),
    row("MRT", "MR", "Mauritania"),
    row("MSR", "MS", "Montserrat"),
    row("MTQ", "MQ", "Martinique"),
    row("MUS", "MU", "Mauritius"),
    row("MWI", "MW", "Malawi"),
    row("MYS", "MY", "Malaysia"),
    row("MYT", "YT", "Mayotte"),
    row("NAM", "NA", "Namibia"),
    row("NCL", "NC", "New Caledonia"),
    row("NER", "NE", "Niger"),
    row("NFK", "NF", "Norfolk Island"),
    row("NGA", "NG", "Nigeria"),
    row("NIC", "NI", "Nicaragua"),
    row("NIU", "NU", "Niue"),
    row("NLD", "NL", "Netherlands"),
    row("NOR", "NO", "Norway"),
    row("NPL", "NP", "Nepal"),
    row("NRU", "NR", "Nauru"),
    row("NZL", "NZ", "New Zealand"),
    row("OMN", "OM", "Oman"),
    row("PAK", "PK", "Pakistan"),
    row("PAN", "PA", "Panama"),
    row("PCN", "PN", "Pitcairn"),
    row("PER", "PE", "Peru"),
    row("PHL", "PH", "Philippines"),
    row("PLW", "PW", "Palau"),
    row("PNG", "PG", "Papua New Guinea"),
    row("POL", "PL", "Poland"),
    row("PRI", "PR", "Puerto Rico"),
    row("PRK", "KP", "North Korea"),
    row("PRT", "PT", "Portugal"),
    row("PRY", "PY", "Paraguay"),
    row("PSE", "PS", "Palestine"),
    row("PYF", "PF", "French Polynesia"),
    row("QAT", "QA", "Qatar"),
    row("REU", "RE", "Réunion"),
    row("ROU", "RO", "Romania"),
    row("RUS", "RU", "Russia"),
    row("RWA", "RW", "Rwanda"),
    row("SAU", "SA", "Saudi Arabia"),
    row("SDN", "SD", "Sudan"),
    row("SEN", "SN", "Senegal"),
    row("SGP", "SG", "Singapore"),
    row("SGS", "GS", "South Georgia & the South Sandwich Islands"),
    row("SHN", "SH", "St Helena"),
    row("SJM", "SJ", "Svalbard & Jan Mayen"),
    row("SLB", "SB", "Solomon Islands"),
    row("SLE", "SL", "Sierra Leone"),
    row("SLV", "SV", "El Salvador"),
    row("SMR", "SM", "San Marino"),
    row("SOM", "SO", "Somalia"),
    row("SPM", "PM", "St Pierre & Miquelon"),
    row("SRB", "RS", "Serbia"),
    row("SSD", "SS", "South Sudan"),
    row("STP", "ST", "Sao Tome & Principe"),
    row("SUR", "SR", "Suriname"),
    row("SVK", "SK", "Slovakia"),
    row("SVN", "SI", "Slovenia"),
    row("SWE", "SE", "Sweden"),
    row("SWZ", "SZ", "Eswatini (Swaziland)"),
    row("SXM", "SX", "St Maarten (Dutch)"),
    row("SYC", "SC", "Seychelles"),
    row("SYR", "SY", "Syria"),
    row("TCA", "TC", "Turks & Caicos Is"),
    row("TCD", "TD", "Chad"),
    row("TGO", "TG", "Togo"),
    row("THA", "TH", "Thailand"),
    row("TJK", "TJ", "Tajikistan"),
    row("TKL", "TK", "Tokelau"),
    row("TKM", "TM", "Turkmenistan"),
    row("TLS", "TL", "East Timor"),
    row("TON", "TO", "Tonga"),
    row("TTO", "TT", "Trinidad & Tobago"),
    row("TUN", "TN", "Tunisia"),
    row("TUR", "TR", "Turkey"),
    row("TUV", "TV", "Tuvalu"),
    row("TWN", "TW", "Taiwan"),
    row("TZA", "TZ", "Tanzania"),
    row("UGA", "UG", "Uganda"),
    row("UKR", "UA", "Ukraine"),
    row("UMI", "UM", "US minor outlying islands"),
    row("URY", "UY", "Uruguay"),
    row("USA", "US", "United States"),
    row("UZB", "UZ", "Uzbekistan"),
    row("VAT", "VA", "Vatican City"),
    row("VCT", "VC", "St Vincent"),
    row("VEN", "VE", "Venezuela"),
    row("VGB", "VG", "Virgin Islands (UK)"),
    row("VIR", "VI", "Virgin Islands (US)"),
    row("VNM", "VN", "Vietnam"),
    row("VUT", "VU", "Vanuatu"),
    row("WLF", "WF", "Wallis & Futuna"),
    row("WSM", "WS", "Samoa (western)"),
    row("XKX", "XK", "Kosovo"),
    row("YEM", "YE", "Yemen"),
    row("ZAF", "ZA", "South Africa"),
    row("ZMB", "ZM", "Zambia"),
    row("ZWE", "ZW", "Zimbabwe"),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_country_is_found_by_either_code_in_either_case() {
        for code in ["AFG", "AF", "afg", " af "] {
            let country = Country::from_code(code).expect("in the table");
            assert_eq!(
                (country.alpha2(), country.alpha3(), country.name()),
                ("AF", "AFG", "Afghanistan")
            );
        }
        assert!(Country::from_code("AFGH").is_none());
        assert!(Country::from_code("ZZ").is_none());
        assert!(Country::from_code("").is_none());
    }

    #[test]
    fn the_table_is_sorted_and_holds_no_code_twice() {
        assert!(
            ROWS.windows(2)
                .all(|pair| matches!(pair, [a, b] if a.alpha3 < b.alpha3))
        );
        let alpha2: std::collections::HashSet<_> = ROWS.iter().map(|row| row.alpha2).collect();
        assert_eq!(alpha2.len(), ROWS.len());
    }
}
