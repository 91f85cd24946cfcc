//! What an identity provider answers.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD as BASE64URL;
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};
use std::sync::Arc;

use super::http::{Answer, Question, escaped};
use super::{CLIENT_ID, Code, Shared, State};

pub(super) fn to(question: &Question, shared: &Shared) -> Answer {
    let mut state = shared.lock().expect("no panic in between");
    match question.path.as_str() {
        "/authorize" if !question.is_post => state.authorize(question),
        "/device" if question.is_post => state.device(question),
        "/introspect" => state.introspect(question),
        "/token" if question.is_post => {
            let (answer, given) = state.tokens(question);
            if let Some(access) = given {
                expire(access, state.lives, Arc::clone(shared));
            }
            answer
        }
        _ => answer(404, &json!({ "error": "not_found" })),
    }
}

/// Takes an access token back when its time is over.
fn expire(access: String, lives: std::time::Duration, shared: Shared) {
    tokio::spawn(async move {
        tokio::time::sleep(lives).await;
        shared.lock().expect("no panic in between").access.remove(&access);
    });
}

fn answer(status: u16, body: &Value) -> Answer {
    let headers = vec![("Content-Type", "application/json".to_owned())];
    Answer { status, headers, body: body.to_string() }
}

/// RFC 6749, section 5.2, as Microsoft writes it.
fn refused(error: &str, why: &str) -> (Answer, Option<String>) {
    let body = json!({
        "error": error, "error_description": format!("AADSTS70000: {why}\r\nTrace ID: 1"),
        "error_codes": [70000], "suberror": "bad_token",
    });
    (answer(400, &body), None)
}

impl State {
    fn name(&mut self, what: &str) -> String {
        self.made += 1;
        // As long as real ones, so that they do not fit into a command's line, and some that do.
        let length = if self.made.is_multiple_of(3) { 40 } else { 600 };
        format!("{what}-{}-{}", self.made, "x".repeat(length))
    }

    fn token(&mut self, what: &str) -> String {
        let token = self.name(what);
        self.given.push(token.clone());
        token
    }

    pub(super) fn refresh_token(&mut self, user: &str) -> String {
        let token = self.token("refresh");
        self.refresh.insert(token.clone(), (user.to_owned(), false));
        token
    }

    fn give(&mut self, user: &str, with_refresh: bool) -> (Answer, Option<String>) {
        let access = self.token("access");
        self.access.insert(access.clone(), user.to_owned());
        let mut body = json!({
            "access_token": access, "token_type": "Bearer", "expires_in": self.lives.as_secs(),
        });
        if with_refresh {
            body["refresh_token"] = self.refresh_token(user).into();
        }
        (answer(200, &body), Some(access))
    }

    fn tokens(&mut self, question: &Question) -> (Answer, Option<String>) {
        let field = |name: &str| question.fields.get(name).cloned().unwrap_or_default();
        let grant = field("grant_type");
        *self.asked.grants.entry(grant.clone()).or_default() += 1;
        if grant == "urn:ietf:params:oauth:grant-type:jwt-bearer" {
            return self.for_account(&field("assertion"));
        }
        if field("client_id") != CLIENT_ID || field("client_secret") != self.secret {
            return refused("invalid_client", "no such application");
        }
        match grant.as_str() {
            "refresh_token" => self.refreshed(&field("refresh_token")),
            "authorization_code" => {
                let code = self.codes.remove(&field("code"));
                let proof = BASE64URL.encode(Sha256::digest(field("code_verifier")));
                match code {
                    Some(code)
                        if code.challenge == proof && code.redirect == field("redirect_uri") =>
                    {
                        self.give(&code.user, true)
                    }
                    _ => refused("invalid_grant", "no such code, or another's"),
                }
            }
            // Whoever stands at the browser is the administrator's one mailbox.
            "client_credentials" => {
                let user = self.at_browser.clone().unwrap_or_default();
                self.give(&user, false)
            }
            "urn:ietf:params:oauth:grant-type:device_code" => {
                match self.devices.get(&field("device_code")).cloned() {
                    Some((_, Some(user))) => self.give(&user, true),
                    Some((_, None)) => refused("authorization_pending", "nobody has typed it yet"),
                    None => refused("expired_token", "no such device"),
                }
            }
            _ => refused("unsupported_grant_type", "what is that?"),
        }
    }

    /// New tokens for old. A refresh token that is shown twice was stolen, or two did not agree who
    /// refreshes: all that its user has is taken back (RFC 9700, section 4.14.2).
    fn refreshed(&mut self, token: &str) -> (Answer, Option<String>) {
        let Some((user, is_used)) = self.refresh.get(token).cloned() else {
            return refused("invalid_grant", "the refresh token was revoked");
        };
        if is_used {
            self.asked.reused += 1;
            self.refresh.retain(|_, (whose, _)| *whose != user);
            return refused("invalid_grant", "the refresh token was used before");
        }
        self.refresh.insert(token.to_owned(), (user.clone(), true));
        *self.asked.refreshed.entry(user.clone()).or_default() += 1;
        self.give(&user, true)
    }

    /// What a service account signs for, is given; that its signature is right is tried elsewhere.
    fn for_account(&mut self, assertion: &str) -> (Answer, Option<String>) {
        let claims = assertion.split('.').nth(1).and_then(|part| BASE64URL.decode(part).ok());
        let claims: Option<Value> = claims.and_then(|claims| serde_json::from_slice(&claims).ok());
        let subject = claims.as_ref().and_then(|claims| claims["sub"].as_str());
        match subject {
            Some(subject) => self.give(subject, false),
            None => refused("invalid_grant", "no assertion"),
        }
    }

    /// Whoever stands at the browser allows it, and the browser is sent back.
    fn authorize(&mut self, question: &Question) -> Answer {
        let field = |name: &str| question.fields.get(name).cloned().unwrap_or_default();
        let (redirect, state) = (field("redirect_uri"), escaped(&field("state")));
        let sent_back = match self.at_browser.clone() {
            Some(user)
                if field("response_type") == "code"
                    && field("client_id") == CLIENT_ID
                    && field("code_challenge_method") == "S256" =>
            {
                let code = self.name("code");
                let challenge = field("code_challenge");
                let known = Code { user, challenge, redirect: redirect.clone() };
                self.codes.insert(code.clone(), known);
                format!("{redirect}?code={}&state={state}", escaped(&code))
            }
            Some(_) => return answer(400, &json!({ "error": "invalid_request" })),
            None => format!("{redirect}?error=access_denied&state={state}"),
        };
        Answer { status: 302, headers: vec![("Location", sent_back)], body: String::new() }
    }

    fn device(&mut self, question: &Question) -> Answer {
        if question.fields.get("client_id").is_none_or(|id| id != CLIENT_ID) {
            return refused("invalid_client", "no such application").0;
        }
        let device = self.name("device");
        let code = format!("CODE-{}", self.made);
        self.devices.insert(device.clone(), (code.clone(), None));
        let body = json!({
            "device_code": device, "user_code": code, "expires_in": 600, "interval": 1,
            "verification_uri": "http://127.0.0.1/type-it-here",
        });
        answer(200, &body)
    }

    /// RFC 7662, section 2.2.
    fn introspect(&mut self, question: &Question) -> Answer {
        let token = question.fields.get("token").cloned().unwrap_or_default();
        let whose = self.access.get(&token);
        let body = match whose {
            None => json!({ "active": false }),
            Some(user) => json!({ "active": true, "username": user, "email": user }),
        };
        answer(200, &body)
    }
}
