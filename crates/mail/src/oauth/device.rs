//! Consent on another device, by a short code (RFC 8628).

use oauth2::{DeviceCodeErrorResponse, RequestTokenError, StandardDeviceAuthorizationResponse};

use warmfront_core::span::Millis;

use super::http::HttpError;
use super::refusal::device_failed;
use super::{IdentityProvider, OAuthError, Tokens, tokens};

/// A code that waits for somebody.
#[derive(Debug)]
pub struct DeviceLogin(StandardDeviceAuthorizationResponse);

impl DeviceLogin {
    /// Where the code is to be typed.
    #[must_use]
    pub fn url(&self) -> &str {
        self.0.verification_uri().as_str()
    }

    /// The code.
    #[must_use]
    pub fn code(&self) -> &str {
        self.0.user_code().secret()
    }

    /// How long it lasts.
    #[must_use]
    pub fn lasts(&self) -> Millis {
        Millis::try_from(self.0.expires_in().as_millis()).unwrap_or(Millis::MAX)
    }
}

impl IdentityProvider {
    /// A code for somebody to type.
    pub async fn device(&self) -> Result<DeviceLogin, OAuthError> {
        let asking = self.client.exchange_device_code().map_err(|_| {
            OAuthError::Unsafe(
                "it has no `device_url`: no code can be typed there; use `flow = \"code\"`"
                    .to_owned(),
            )
        })?;
        let answer = asking.add_scopes(self.scopes()).request_async(&self.http).await;
        answer.map(DeviceLogin).map_err(|error| self.failed(error, ""))
    }

    /// Waits until somebody has typed it, and at most as long as it lasts.
    pub async fn device_tokens(&self, login: &DeviceLogin) -> Result<Tokens, OAuthError> {
        let waiting = self.client.exchange_device_access_token(&login.0);
        let answer: Result<_, RequestTokenError<HttpError, DeviceCodeErrorResponse>> =
            waiting.request_async(&self.http, tokio::time::sleep, None).await;
        answer.map(|answer| tokens(&answer)).map_err(device_failed)
    }
}
