//! A prospect between the list, the books and the templates.

use std::collections::BTreeMap;

use warmfront_campaigns::prospects::Prospect;
use warmfront_core::address::Address;
use warmfront_core::calendar;

/// A prospect's columns as the books keep them: one flat object, empty values left out.
#[must_use]
pub(crate) fn to_json(prospect: &Prospect) -> String {
    let known = [
        ("first_name", &prospect.first_name),
        ("last_name", &prospect.last_name),
        ("company", &prospect.company),
        ("title", &prospect.title),
        ("country", &prospect.country),
        ("timezone", &prospect.timezone),
    ];
    let mut columns: BTreeMap<&str, &str> =
        prospect.attributes.iter().map(|(k, v)| (k.as_str(), v.as_str())).collect();
    columns.extend(known.into_iter().map(|(name, value)| (name, value.as_str())));
    columns.retain(|_, value| !value.is_empty());
    serde_json::to_string(&columns).expect("texts are always JSON")
}

/// The prospect of that address, from the columns the books keep.
pub(crate) fn from_json(address: &str, columns: &str) -> Result<Prospect, String> {
    let address = Address::parse(address).map_err(|e| e.to_string())?;
    let mut columns: BTreeMap<String, String> =
        serde_json::from_str(columns).map_err(|e| e.to_string())?;
    let mut take = |name: &str| columns.remove(name).unwrap_or_default();
    Ok(Prospect {
        first_name: take("first_name"),
        last_name: take("last_name"),
        company: take("company"),
        title: take("title"),
        country: take("country"),
        timezone: take("timezone"),
        attributes: columns,
        address,
    })
}

/// The zone the books keep: the row's, else its country's, else nothing.
#[must_use]
pub(crate) fn zone(prospect: &Prospect) -> String {
    if !prospect.timezone.is_empty() {
        return prospect.timezone.clone();
    }
    calendar::country(&prospect.country).map_or_else(String::new, |c| format!("country:{}", c.code))
}

/// The name on the envelope, as far as the list tells it.
#[must_use]
pub(crate) fn full_name(prospect: &Prospect) -> Option<String> {
    let name = format!("{} {}", prospect.first_name, prospect.last_name);
    let name = name.trim();
    (!name.is_empty()).then(|| name.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_prospect_survives_the_books() {
        let prospect = Prospect {
            address: Address::parse("zoë@example.com".replace('ë', "e").as_str()).unwrap(),
            first_name: "Zoë".to_owned(),
            last_name: String::new(),
            company: "Müller & Söhne".to_owned(),
            title: String::new(),
            country: "Germany".to_owned(),
            timezone: String::new(),
            attributes: BTreeMap::from([("topic".to_owned(), "roofs".to_owned())]),
        };
        let again = from_json(prospect.address.as_str(), &to_json(&prospect)).unwrap();
        assert_eq!(again, prospect);
        assert_eq!(zone(&prospect), "country:DE");
        assert_eq!(full_name(&prospect).as_deref(), Some("Zoë"));
    }
}
