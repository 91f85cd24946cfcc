//! Access tokens, and how one is shown to a mail server: XOAUTH2, or OAUTHBEARER (RFC 7628).
//!
//! Where a token comes from, and whether it is refreshed first, is said elsewhere.

use std::fmt;
use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use futures_util::future::BoxFuture;
use secrecy::{ExposeSecret as _, SecretString};
use warmfront_core::answer::{self, Action, Answer, Phase};

use crate::submit::Trouble;

/// Where a mailbox's access tokens come from.
#[derive(Clone)]
pub struct Bearer(Arc<Ask>);

/// Asks for a token: any that is good or, where a server has refused one, another than that.
type Ask = dyn Fn(Option<SecretString>) -> Given + Send + Sync;

/// A token, or another secret, that is on its way.
pub type Given = BoxFuture<'static, Result<SecretString, Trouble>>;

impl Bearer {
    /// One that gets its tokens by `ask`, which is told the token that a server has refused, if one
    /// has.
    pub fn new(ask: impl Fn(Option<SecretString>) -> Given + Send + Sync + 'static) -> Self {
        Self(Arc::new(ask))
    }

    /// A token that is good, or another than the one refused.
    pub async fn token(&self, refused: Option<&SecretString>) -> Result<SecretString, Trouble> {
        (self.0)(refused.cloned()).await
    }
}

impl fmt::Debug for Bearer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Bearer")
    }
}

/// How a token is shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Mechanism {
    /// Google's and Microsoft's own.
    Xoauth2,
    /// The standard's.
    OauthBearer,
}

impl Mechanism {
    /// The one to use among those that are offered.
    pub(crate) fn among(offers: impl Fn(&str) -> bool) -> Option<Self> {
        [Self::Xoauth2, Self::OauthBearer].into_iter().find(|one| offers(one.as_str()))
    }

    /// Its name in a command.
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::Xoauth2 => "XOAUTH2",
            Self::OauthBearer => "OAUTHBEARER",
        }
    }

    /// What the client says, ready for the wire.
    pub(crate) fn response(
        self,
        user: &str,
        host: &str,
        port: u16,
        token: &SecretString,
    ) -> String {
        let token = token.expose_secret();
        BASE64.encode(match self {
            Self::Xoauth2 => format!("user={user}\x01auth=Bearer {token}\x01\x01"),
            Self::OauthBearer => {
                // RFC 5801, section 4: what a name must not hold as it is.
                let user = user.replace('=', "=3D").replace(',', "=2C");
                format!("n,a={user},\x01host={host}\x01port={port}\x01auth=Bearer {token}\x01\x01")
            }
        })
    }

    /// What a challenge is answered with that only says why the token is refused: whoever does not
    /// answer it waits for the refusal for ever. RFC 7628, section 3.2.3.
    pub(crate) fn surrender(self) -> &'static str {
        match self {
            Self::Xoauth2 => "",
            // One 0x01.
            Self::OauthBearer => "AQ==",
        }
    }
}

/// What such a challenge says, where that can be read.
pub(crate) fn challenge(text: &str) -> Option<String> {
    let told = String::from_utf8(BASE64.decode(text.trim()).ok()?).ok()?;
    let told: String = told.chars().filter(|c| !c.is_control()).take(CHALLENGE_MAX).collect();
    (!told.is_empty()).then_some(told)
}

/// Whether another token may serve where this one was refused.
pub(crate) fn may_be_stale(trouble: &Trouble) -> bool {
    let Trouble::Refused(answer @ Answer { phase: Phase::Auth, .. }) = trouble else {
        return false;
    };
    match answer::classify(answer, None).action {
        Action::RefreshToken | Action::FixCredentials => answer.code / 100 == 5,
        _ => false,
    }
}

/// The most of a challenge that is kept.
const CHALLENGE_MAX: usize = 300;

#[cfg(test)]
mod tests {
    use super::*;

    /// What goes over the wire, with 0x01 as `^`.
    #[track_caller]
    fn check(mechanism: Mechanism, user: &str, want: &str) {
        let token = SecretString::from("ya29.x");
        let response = mechanism.response(user, "smtp.example.com", 587, &token);
        let said = String::from_utf8(BASE64.decode(response).unwrap()).unwrap();
        assert_eq!(said.replace('\x01', "^"), want);
    }

    #[test]
    fn a_token_is_shown_as_the_standards_say() {
        check(Mechanism::Xoauth2, "ann@x.example", "user=ann@x.example^auth=Bearer ya29.x^^");
        check(
            Mechanism::OauthBearer,
            "a,b=c@x.example",
            "n,a=a=2Cb=3Dc@x.example,^host=smtp.example.com^port=587^auth=Bearer ya29.x^^",
        );
        // The example of developers.google.com/workspace/gmail/imap/xoauth2-protocol.
        let token = SecretString::from("ya29.vF9dft4qmTc2Nvb3RlckBhdHRhdmlzdGEuY29tCg");
        assert_eq!(
            Mechanism::Xoauth2.response("someuser@example.com", "", 0, &token),
            "dXNlcj1zb21ldXNlckBleGFtcGxlLmNvbQFhdXRoPUJlYXJlciB5YTI5LnZGOWRmdDRxbVRjMk52YjNSbGNrQmhk\
             SFJoZG1semRHRXVZMjl0Q2cBAQ=="
        );
    }

    #[test]
    fn xoauth2_comes_first_and_the_standard_where_it_is_not_offered() {
        assert_eq!(Mechanism::among(|_| true), Some(Mechanism::Xoauth2));
        let standard = |name: &str| name == "OAUTHBEARER";
        assert_eq!(Mechanism::among(standard), Some(Mechanism::OauthBearer));
        assert_eq!(Mechanism::among(|_| false), None);
    }

    #[test]
    fn a_challenge_is_read_where_it_can_be() {
        let google = "eyJzdGF0dXMiOiI0MDAiLCJzY2hlbWVzIjoiYmVhcmVyIn0=";
        let want = "{\"status\":\"400\",\"schemes\":\"bearer\"}";
        assert_eq!(challenge(google).as_deref(), Some(want));
        assert_eq!(challenge(""), None);
        assert_eq!(challenge("go ahead!"), None);
    }

    #[test]
    fn only_a_refusal_of_the_log_in_asks_for_another_token() {
        #[track_caller]
        fn check(phase: Phase, line: &str, want: bool) {
            let refused = Trouble::Refused(Answer::parse(phase, line));
            assert_eq!(may_be_stale(&refused), want, "{line}");
        }
        check(Phase::Auth, "535 5.7.8 Username and Password not accepted", true);
        check(Phase::Auth, "535 5.7.3 Authentication unsuccessful", true);
        check(Phase::Auth, "535 5.7.8 The access token has expired", true);
        check(Phase::Auth, "454 4.7.0 Temporary authentication failure", false);
        check(
            Phase::Auth,
            "535 5.7.139 SmtpClientAuthentication is disabled for the Tenant.",
            false,
        );
        check(Phase::Mail, "535 5.7.8 no", false);
    }
}
