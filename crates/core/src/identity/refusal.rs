//! What to do where an identity provider refuses, by the numbers in its words: a table kept as data.
//!
//! Numbers are for people here. What a refusal means for tokens is decided by its standard word
//! alone: Microsoft says that its numbers may change.

use std::sync::LazyLock;

use serde::Deserialize;

/// A number, and what mends what it stands for.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
struct Row {
    /// As it stands in the provider's words.
    code: String,
    /// What to do, without a full stop: it ends a sentence of the caller's.
    cure: String,
    /// A refusal that it mends.
    example: String,
    /// The public page the row was made from.
    source: String,
}

/// What mends a refusal that was said in these words, where that is known.
#[must_use]
pub fn cure_of_refusal(said: &str) -> Option<&'static str> {
    let ends = |rest: &str| !rest.starts_with(|next: char| next.is_ascii_digit());
    let has = |code: &str| said.match_indices(code).any(|(at, _)| ends(&said[at + code.len()..]));
    ROWS.iter().find(|row| has(&row.code)).map(|row| row.cure.as_str())
}

static ROWS: LazyLock<Vec<Row>> = LazyLock::new(|| {
    let rows = csv::Reader::from_reader(TABLE.as_bytes()).into_deserialize();
    rows.collect::<Result<_, _>>().expect("the table is built in, and a test reads it")
});

const TABLE: &str = include_str!("refusals.csv");

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_row_is_hit_by_its_example_and_has_a_source() {
        for row in ROWS.iter() {
            assert_eq!(cure_of_refusal(&row.example), Some(row.cure.as_str()), "{}", row.code);
            assert!(!row.source.is_empty() && !row.cure.ends_with('.'), "{}", row.code);
        }
    }

    #[test]
    fn a_number_is_known_whole_only() {
        assert_eq!(cure_of_refusal("invalid_grant: AADSTS650011: something else"), None);
        assert_eq!(cure_of_refusal("invalid_grant (bad_token)"), None);
        let told = cure_of_refusal("interaction_required (basic_action) AADSTS50076");
        assert!(told.is_some_and(|cure| cure.contains("second factor")), "{told:?}");
    }
}
