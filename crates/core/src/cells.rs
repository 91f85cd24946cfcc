//! How the cells of tables that are kept as data are read.

use serde::Deserialize;
use serde::de::value::StrDeserializer;
use serde::de::{Deserializer, Error};

/// A cell of words with blanks between.
pub(crate) fn words<'de, D: Deserializer<'de>, T: Deserialize<'de>>(
    cell: D,
) -> Result<Vec<T>, D::Error> {
    let cell = String::deserialize(cell)?;
    cell.split_whitespace()
        .map(|word| T::deserialize(StrDeserializer::<D::Error>::new(word)))
        .collect()
}

/// A cell that says `yes` or `no`.
pub(crate) fn yes_or_no<'de, D: Deserializer<'de>>(cell: D) -> Result<bool, D::Error> {
    match String::deserialize(cell)?.as_str() {
        "yes" => Ok(true),
        "no" => Ok(false),
        other => Err(D::Error::custom(format!("`{other}` is neither `yes` nor `no`"))),
    }
}
