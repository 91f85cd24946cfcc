//! What a mail world asks of an identity provider, whoever wrote it.

use std::time::Duration;

use warmfront_tests::identity::{Asked, IdentityServer, Introspection, Trouble};

use super::openid::OpenId;

/// An identity provider for a mail world.
pub(crate) trait Identity {
    /// What a mailbox's `auth` says to log in there by this flow.
    fn auth(&self, flow: &str) -> String;
    /// Where tokens are asked for.
    fn token_url(&self) -> String;
    /// Where mail servers ask what a token is good for.
    fn introspection(&self) -> Introspection;
    /// A refresh token of somebody's.
    fn consent(&self, user: &str) -> String;
    /// Takes back all that somebody has allowed.
    fn revoke(&self, user: &str);
    /// Ends every access token before its time.
    fn spoil(&self);
    /// From now on answers every request for tokens with this status; or none.
    fn fail(&self, status: Option<u16>);
    /// What was asked of it so far.
    fn asked(&self) -> Asked;
    /// Every token it has ever given.
    fn secrets(&self) -> Vec<String>;
}

/// One that others wrote, where it is at hand; else ours. Their access tokens live so long.
pub(crate) fn at_hand(lives: Duration) -> Box<dyn Identity> {
    match OpenId::start(lives) {
        Some(openid) => Box::new(openid),
        None => Box::new(IdentityServer::start(lives)),
    }
}

impl Identity for IdentityServer {
    fn auth(&self, flow: &str) -> String {
        self.auth("microsoft", flow)
    }

    fn token_url(&self) -> String {
        self.url("/token")
    }

    fn introspection(&self) -> Introspection {
        Introspection { url: self.url("/introspect"), user_in: "username" }
    }

    fn consent(&self, user: &str) -> String {
        self.consent(user)
    }

    fn revoke(&self, user: &str) {
        self.revoke(user);
    }

    fn spoil(&self) {
        self.spoil();
    }

    fn fail(&self, status: Option<u16>) {
        self.trouble(status.map(|status| Trouble::Status(status, None)));
    }

    fn asked(&self) -> Asked {
        self.asked()
    }

    fn secrets(&self) -> Vec<String> {
        self.secrets()
    }
}

impl AsRef<dyn Identity> for IdentityServer {
    fn as_ref(&self) -> &(dyn Identity + 'static) {
        self
    }
}
