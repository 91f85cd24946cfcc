//! A Google service account: an application that signs for itself (RFC 7523), and is allowed by an
//! administrator to act for every mailbox of the domain.

use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD as BASE64URL;
use oauth2::http::header::{ACCEPT, CONTENT_TYPE};
use oauth2::url::form_urlencoded;
use ring::rand::SystemRandom;
use ring::signature::{RSA_PKCS1_SHA256, RsaKeyPair};
use rustls::pki_types::PrivatePkcs8KeyDer;
use rustls::pki_types::pem::PemObject as _;
use secrecy::{ExposeSecret as _, SecretString};
use serde::Deserialize;
use serde_json::json;
use warmfront_core::span::{HOUR, Millis, SECOND};

use super::refusal::{Refusal, failed};
use super::{IdentityProvider, OAuthError, Tokens, of_the_application, tokens};

/// What a key file says of its account.
#[derive(Deserialize)]
struct KeyFile {
    #[serde(rename = "type")]
    kind: String,
    client_email: String,
    private_key: SecretString,
    private_key_id: String,
}

/// A service account with the key that it signs by.
pub struct ServiceAccount {
    email: String,
    key_id: String,
    key: Box<RsaKeyPair>,
}

impl ServiceAccount {
    /// The account of a key file, which is JSON.
    pub fn read(file: &SecretString) -> Result<Self, OAuthError> {
        let unusable = |why: &str| {
            OAuthError::Unsafe(format!(
                "`secret` is no key of a service account: {why}; it is the JSON file that Google \
                 makes once with the key"
            ))
        };
        // What is wrong with it might be quoted, and it is a secret.
        let read: KeyFile = serde_json::from_str(file.expose_secret())
            .map_err(|_| unusable("it is not the JSON expected"))?;
        if read.kind != "service_account" {
            return Err(unusable("its `type` is another"));
        }
        let pem = read.private_key.expose_secret().as_bytes();
        let der = PrivatePkcs8KeyDer::from_pem_slice(pem)
            .map_err(|_| unusable("its `private_key` is no PEM"))?;
        let key = RsaKeyPair::from_pkcs8(der.secret_pkcs8_der())
            .map_err(|_| unusable("its `private_key` is no RSA key"))?;
        Ok(Self { email: read.client_email, key_id: read.private_key_id, key: Box::new(key) })
    }

    /// What it says for `subject`, signed (RFC 7515; RFC 7523, section 3).
    fn assertion(
        &self,
        token_url: &str,
        scopes: &str,
        subject: &str,
        now: Millis,
    ) -> Result<String, OAuthError> {
        let issued = now / SECOND;
        let header = json!({ "alg": "RS256", "typ": "JWT", "kid": self.key_id });
        let claims = json!({
            "iss": self.email, "sub": subject, "scope": scopes, "aud": token_url,
            "iat": issued, "exp": issued + HOUR / SECOND,
        });
        let part = |value: serde_json::Value| BASE64URL.encode(value.to_string());
        let signed = format!("{}.{}", part(header), part(claims));
        let mut signature = vec![0; self.key.public().modulus_len()];
        self.key
            .sign(&RSA_PKCS1_SHA256, &SystemRandom::new(), signed.as_bytes(), &mut signature)
            .map_err(|_| OAuthError::Unsafe("the service account's key cannot sign".to_owned()))?;
        Ok(format!("{signed}.{}", BASE64URL.encode(signature)))
    }
}

impl fmt::Debug for ServiceAccount {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ServiceAccount({})", self.email)
    }
}

impl IdentityProvider {
    /// Tokens for a mailbox in the name of its domain's service account (RFC 7523, section 2.1).
    pub async fn for_mailbox(
        &self,
        account: &ServiceAccount,
        mailbox: &str,
        now: Millis,
    ) -> Result<Tokens, OAuthError> {
        let (url, scopes) = (&self.application.token_url, self.application.scopes.join(" "));
        let assertion = account.assertion(url, &scopes, mailbox, now)?;
        let form = form_urlencoded::Serializer::new(String::new())
            .append_pair("grant_type", "urn:ietf:params:oauth:grant-type:jwt-bearer")
            .append_pair("assertion", &assertion)
            .finish();
        let request = oauth2::http::Request::post(url.as_str())
            .header(ACCEPT, "application/json")
            .header(CONTENT_TYPE, "application/x-www-form-urlencoded")
            .body(form.into_bytes())
            .map_err(|error| OAuthError::Unsafe(error.to_string()))?;
        let answer = self.http.send(request).await;
        let answer = answer.map_err(|error| failed(error.into(), &[]))?;
        if let Ok(given) = serde_json::from_slice(answer.body())
            && answer.status().is_success()
        {
            return Ok(tokens(&given));
        }
        let refusal: Result<Refusal, _> = serde_json::from_slice(answer.body());
        Err(of_the_application(match refusal {
            Ok(refusal) => {
                failed(oauth2::RequestTokenError::ServerResponse(refusal), &[assertion.as_str()])
            }
            Err(_) => OAuthError::Unreachable {
                why: "what answers is no token and no refusal".to_owned(),
                retry_after: None,
            },
        }))
    }
}

#[cfg(test)]
mod tests {
    use ring::signature::{RSA_PKCS1_2048_8192_SHA256, UnparsedPublicKey};

    use super::*;

    const FILE: &str = include_str!("test_account.json");

    #[test]
    fn an_account_signs_for_a_mailbox_and_for_an_hour() {
        let account = ServiceAccount::read(&FILE.into()).unwrap();
        let url = "https://oauth2.googleapis.com/token";
        let scope = "https://mail.google.com/";
        let now = 1_800_000_000_000;
        let assertion = account.assertion(url, scope, "ann@x.example", now).unwrap();
        let (signed, signature) = assertion.rsplit_once('.').unwrap();
        let public = UnparsedPublicKey::new(
            &RSA_PKCS1_2048_8192_SHA256,
            account.key.public().as_ref().to_vec(),
        );
        let signature = BASE64URL.decode(signature).unwrap();
        assert_eq!(public.verify(signed.as_bytes(), &signature), Ok(()));
        let parts: Vec<serde_json::Value> = signed
            .split('.')
            .map(|part| serde_json::from_slice(&BASE64URL.decode(part).unwrap()).unwrap())
            .collect();
        assert_eq!(parts[0], json!({ "alg": "RS256", "typ": "JWT", "kid": "key-1" }));
        let want = json!({
            "iss": "warmfront@tests.example", "sub": "ann@x.example", "scope": scope, "aud": url,
            "iat": 1_800_000_000, "exp": 1_800_003_600,
        });
        assert_eq!(parts[1], want);
    }

    #[test]
    fn what_is_no_key_file_says_so_and_nothing_of_itself() {
        let hidden = FILE.replace("BEGIN PRIVATE", "BEGIN SECRET");
        for file in ["", "{}", "{\"type\": \"hunter2\"}", &hidden] {
            let error = ServiceAccount::read(&file.into()).unwrap_err().to_string();
            assert!(error.contains("no key of a service account"), "{error}");
            assert!(!error.contains("hunter2") && !error.contains("MII"), "{error}");
        }
    }
}
