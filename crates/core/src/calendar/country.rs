//! Which zones a country has.

use jiff::tz::TimeZone;

/// A country as a prospect list names it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Country {
    /// ISO 3166 alpha-2.
    pub code: &'static str,
    /// Its zones by name, the most populous first.
    pub zones: Vec<&'static str>,
}

impl Country {
    /// Its zones, as far as this build's zone database knows them.
    #[must_use]
    pub fn time_zones(&self) -> Vec<TimeZone> {
        self.zones.iter().filter_map(|name| TimeZone::get(name).ok()).collect()
    }
}

/// The country of that code or English name; `None` where we know none.
#[must_use]
pub fn country(text: &str) -> Option<Country> {
    let wanted = text.trim();
    let wanted = ALIASES
        .iter()
        .find(|(alias, _)| alias.eq_ignore_ascii_case(wanted))
        .map_or(wanted, |&(_, code)| code);
    COUNTRIES.lines().filter(|line| !line.starts_with('#')).find_map(|line| {
        let mut fields = line.split('\t');
        let (code, name, zones) = (fields.next()?, fields.next()?, fields.next()?);
        (code.eq_ignore_ascii_case(wanted) || name.eq_ignore_ascii_case(wanted))
            .then(|| Country { code, zones: zones.split(',').collect() })
    })
}

const COUNTRIES: &str = include_str!("countries.tsv");

/// Names lists use that are not ISO 3166's short ones.
const ALIASES: [(&str, &str); 18] = [
    ("USA", "US"),
    ("U.S.", "US"),
    ("U.S.A.", "US"),
    ("United States of America", "US"),
    ("UK", "GB"),
    ("United Kingdom", "GB"),
    ("Great Britain", "GB"),
    ("England", "GB"),
    ("Scotland", "GB"),
    ("Czech Republic", "CZ"),
    ("Czechia", "CZ"),
    ("South Korea", "KR"),
    ("Deutschland", "DE"),
    ("Holland", "NL"),
    ("The Netherlands", "NL"),
    ("UAE", "AE"),
    ("Türkiye", "TR"),
    ("Viet Nam", "VN"),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn countries() {
        let zones = |text| country(text).map(|c| (c.code, c.zones.len()));
        assert_eq!(zones("de"), Some(("DE", 2)));
        assert_eq!(zones("Germany"), Some(("DE", 2)));
        assert_eq!(zones("usa"), Some(("US", 29)));
        assert_eq!(zones("Atlantis"), None);
    }
}
