//! Where books are that are moved: here, half here, or gone.

use sea_orm::ConnectionTrait;

use crate::StoreError;
use crate::db::{Db, sql};
use crate::row::Row as _;

/// Where books are.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Whereabouts {
    /// Here and whole.
    Here,
    /// On their way here. How much of them has come, the rows themselves say.
    Arriving { name: String, place: String },
    /// All of them are elsewhere; this is the copy that stayed behind.
    Gone { place: String },
}

/// Refuses books that are not whole or not the ones in use.
pub(crate) async fn refuse_on_the_move(db: &Db) -> Result<(), StoreError> {
    match whereabouts(&db.read).await? {
        Whereabouts::Here => Ok(()),
        Whereabouts::Arriving { place, .. } => Err(StoreError::Arriving { place }),
        Whereabouts::Gone { place } => Err(StoreError::Gone { place }),
    }
}

pub(super) async fn whereabouts(db: &impl ConnectionTrait) -> Result<Whereabouts, StoreError> {
    let row = db.query_one_raw(sql("SELECT state, name, place FROM moves", [])).await?;
    let Some(row) = row else { return Ok(Whereabouts::Here) };
    let (name, place) = (row.read("name")?, row.read("place")?);
    match row.read::<String>("state")?.as_str() {
        "gone" => Ok(Whereabouts::Gone { place }),
        _ => Ok(Whereabouts::Arriving { name, place }),
    }
}

/// Marks books as on their way here, from `place`.
pub(super) async fn mark_arriving(
    db: &impl ConnectionTrait,
    name: &str,
    place: &str,
) -> Result<(), StoreError> {
    mark(db, "arriving", name, place).await
}

/// Marks books as gone to `place`.
pub(super) async fn mark_gone(
    db: &impl ConnectionTrait,
    name: &str,
    place: &str,
) -> Result<(), StoreError> {
    mark(db, "gone", name, place).await
}

async fn mark(
    db: &impl ConnectionTrait,
    state: &str,
    name: &str,
    place: &str,
) -> Result<(), StoreError> {
    let text = "INSERT INTO moves (id, state, name, place) VALUES (1, $1, $2, $3)";
    db.execute_raw(sql(text, [state.into(), name.into(), place.into()])).await?;
    Ok(())
}

/// Takes the mark away: the books are here and whole.
pub(super) async fn mark_here(db: &impl ConnectionTrait) -> Result<(), StoreError> {
    db.execute_raw(sql("DELETE FROM moves", [])).await?;
    Ok(())
}
