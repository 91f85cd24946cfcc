//! What can be asked for, and what is said when the books do not answer.

use std::time::Duration;

use askama::Template as _;
use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::{Html, IntoResponse, Response};
use axum::routing::get;
use axum::{Json, Router, middleware};
use tracing::warn;
use warmfront_store::StoreError;

use crate::Console;
use crate::guard::guard;
use crate::page::Page;
use crate::status::Status;

pub(crate) fn routes(console: Console) -> Router {
    Router::new()
        .route("/", get(today))
        .route("/api/status", get(status))
        .route("/health", get(health))
        .route("/console.css", get(style))
        .fallback(nowhere)
        .layer(middleware::from_fn_with_state(console.clone(), guard))
        .with_state(console)
}

async fn today(State(console): State<Console>) -> Result<Response, Silent> {
    let status = reading(&console, Status::read(&console)).await?;
    let page = Page::new(status, console.zone).render().map_err(|error| {
        warn!(%error, "the page cannot be written");
        Silent
    })?;
    Ok(Html(page).into_response())
}

async fn status(State(console): State<Console>) -> Result<Json<Status>, Silent> {
    Ok(Json(reading(&console, Status::read(&console)).await?))
}

/// For whoever watches the process: it lives, and its books answer.
async fn health(State(console): State<Console>) -> Result<&'static str, Silent> {
    reading(&console, console.store.settings()).await?;
    Ok("ok\n")
}

async fn style() -> impl IntoResponse {
    ([(header::CONTENT_TYPE, "text/css; charset=utf-8")], include_str!("../templates/console.css"))
}

async fn nowhere() -> impl IntoResponse {
    (StatusCode::NOT_FOUND, "there is no such page; / tells how everything stands\n")
}

/// Waits for the books, in turn, and not for long.
async fn reading<T>(
    console: &Console,
    read: impl Future<Output = Result<T, StoreError>>,
) -> Result<T, Silent> {
    let in_turn = async {
        let _turn = console.reads.acquire().await.map_err(|_| StoreError::Closed)?;
        read.await
    };
    match tokio::time::timeout(READ_MAX, in_turn).await {
        Ok(Ok(found)) => Ok(found),
        Ok(Err(error)) => {
            warn!(%error, "the console cannot read the books");
            Err(Silent)
        }
        Err(_) => {
            warn!(waited = ?READ_MAX, "the books did not answer the console in time");
            Err(Silent)
        }
    }
}

/// Nothing to show. Why is in the log, where it may name files.
struct Silent;

impl IntoResponse for Silent {
    fn into_response(self) -> Response {
        let what = "the books do not answer; the daemon's log says why\n";
        (StatusCode::SERVICE_UNAVAILABLE, what).into_response()
    }
}

/// How long an answer waits for the books. Counting a million messages takes under a second.
const READ_MAX: Duration = Duration::from_secs(10);
