//! What an identity provider says when it says no, and what that means: somebody must log in again,
//! somebody must mend the application, or nothing yet.

use std::fmt;

use oauth2::{DeviceCodeErrorResponse, ErrorResponse, RequestTokenError};
use serde::{Deserialize, Serialize};
use warmfront_core::identity;

use super::OAuthError;
use super::http::HttpError;

/// RFC 6749, section 5.2, with what Microsoft and Google add.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub(super) struct Refusal {
    error: String,
    error_description: Option<String>,
    /// Microsoft's closer word, such as `basic_action` or `bad_token`.
    suberror: Option<String>,
    /// Google's, such as `invalid_rapt`.
    error_subtype: Option<String>,
    /// Microsoft's numbers, without their AADSTS.
    #[serde(default)]
    error_codes: Vec<u64>,
}

impl ErrorResponse for Refusal {}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.error)?;
        if let Some(closer) = self.suberror.as_ref().or(self.error_subtype.as_ref()) {
            write!(f, " ({closer})")?;
        }
        let description = self.error_description.as_deref().unwrap_or_default();
        // Below its first line Microsoft only says when, and by what number to ask its support.
        let said = description.lines().next().unwrap_or_default().trim();
        if !said.is_empty() {
            write!(f, ": {said}")?;
        }
        // Most descriptions begin with the number.
        let untold = |code: &&u64| !said.contains(&code.to_string());
        for code in self.error_codes.iter().filter(untold) {
            write!(f, " AADSTS{code}")?;
        }
        Ok(())
    }
}

/// What a failed request means.
pub(super) fn failed(error: RequestTokenError<HttpError, Refusal>, secrets: &[&str]) -> OAuthError {
    match error {
        RequestTokenError::ServerResponse(refusal) => {
            meaning(&refusal.error, shown(&refusal.to_string(), secrets))
        }
        RequestTokenError::Request(error) => unreachable(error),
        RequestTokenError::Parse(..) => no_sense(),
        RequestTokenError::Other(why) => {
            OAuthError::Unreachable { why: shown(&why, secrets), retry_after: None }
        }
    }
}

/// The same of a device's code.
pub(super) fn device_failed(
    error: RequestTokenError<HttpError, DeviceCodeErrorResponse>,
) -> OAuthError {
    match error {
        RequestTokenError::ServerResponse(refusal) => {
            let word = refusal.error().as_ref().to_owned();
            let said =
                refusal.error_description().map_or(String::new(), |said| format!(": {said}"));
            let said = said.lines().next().unwrap_or_default();
            meaning(&word, shown(&format!("{word}{said}"), &[]))
        }
        RequestTokenError::Request(error) => unreachable(error),
        RequestTokenError::Parse(..) => no_sense(),
        RequestTokenError::Other(why) => {
            OAuthError::Unreachable { why: shown(&why, &[]), retry_after: None }
        }
    }
}

/// RFC 6749, sections 4.1.2.1 and 5.2; OpenID Connect Core, section 3.1.2.6; RFC 8628, section 3.5.
pub(super) fn meaning(word: &str, said: String) -> OAuthError {
    // It stands in sentences of ours, which end by themselves.
    let said = said.trim_end_matches('.');
    let said = match identity::cure_of_refusal(said) {
        Some(cure) => format!("{said}: {cure}"),
        None => said.to_owned(),
    };
    match word {
        "invalid_grant"
        | "interaction_required"
        | "login_required"
        | "consent_required"
        | "account_selection_required"
        | "access_denied"
        | "expired_token" => OAuthError::NeedsLogin(said),
        "temporarily_unavailable" | "server_error" => {
            OAuthError::Unreachable { why: said, retry_after: None }
        }
        _ => OAuthError::Refused(said),
    }
}

fn unreachable(error: HttpError) -> OAuthError {
    let why = error.to_string();
    match error {
        HttpError::Unreachable(_) => OAuthError::Unreachable { why, retry_after: None },
        HttpError::Busy { retry_after, .. } => OAuthError::Unreachable { why, retry_after },
    }
}

/// What answers there is no identity provider, or not at this moment.
fn no_sense() -> OAuthError {
    let why = "what answers is no token and no refusal".to_owned();
    OAuthError::Unreachable { why, retry_after: None }
}

/// What may be shown of it: short, on one line, without our secrets.
pub(super) fn shown(text: &str, secrets: &[&str]) -> String {
    let mut text = text.to_owned();
    for secret in secrets.iter().filter(|secret| !secret.is_empty()) {
        text = text.replace(secret, "[secret]");
    }
    text.chars().map(|c| if c.is_control() { ' ' } else { c }).take(SHOWN_MAX).collect()
}

/// The most of a provider's words that is kept.
const SHOWN_MAX: usize = 400;

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(json: &str, want: OAuthError) {
        let refusal: Refusal = serde_json::from_str(json).unwrap();
        assert_eq!(
            failed(RequestTokenError::ServerResponse(refusal), &["hunter2"]),
            want,
            "{json}"
        );
    }

    #[test]
    fn a_refusal_says_who_is_to_act() {
        let login = |why: &str| OAuthError::NeedsLogin(why.to_owned());
        let refused = |why: &str| OAuthError::Refused(why.to_owned());
        let cured = |said: &str, code: &str| {
            let cure = identity::cure_of_refusal(&format!("AADSTS{code}"));
            format!("{said}: {}", cure.expect("a known number"))
        };
        check(
            r#"{"error":"invalid_grant","error_description":"AADSTS70000: The user revoked it.\r\nTrace ID: 1","error_codes":[70000],"suberror":"bad_token"}"#,
            login("invalid_grant (bad_token): AADSTS70000: The user revoked it"),
        );
        check(
            r#"{"error":"invalid_grant","error_subtype":"invalid_rapt"}"#,
            login("invalid_grant (invalid_rapt)"),
        );
        check(
            r#"{"error":"interaction_required","error_codes":[50076],"suberror":"basic_action"}"#,
            login(&cured("interaction_required (basic_action) AADSTS50076", "50076")),
        );
        check(
            r#"{"error":"invalid_client","error_description":"AADSTS7000222: hunter2 has expired","error_codes":[7000222]}"#,
            refused(&cured("invalid_client: AADSTS7000222: [secret] has expired", "7000222")),
        );
        check(r#"{"error":"invalid_scope"}"#, refused("invalid_scope"));
        check(
            r#"{"error":"temporarily_unavailable"}"#,
            OAuthError::Unreachable { why: "temporarily_unavailable".into(), retry_after: None },
        );
    }

    #[test]
    fn what_only_says_come_later_decides_nothing() {
        let busy = HttpError::Busy { status: 429, retry_after: Some(7_000) };
        let want =
            OAuthError::Unreachable { why: "it answers 429".to_owned(), retry_after: Some(7_000) };
        assert_eq!(failed(RequestTokenError::Request(busy), &[]), want);
    }
}
