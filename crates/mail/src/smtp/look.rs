//! A look at a submission server: as far as a recipient, and back. Nothing is sent, and that recipient
//! is the mailbox itself: whether others exist is nobody's business here.

use jiff::fmt::rfc2822;
use warmfront_core::answer::Answer;
use warmfront_core::span::Millis;

use super::Account;
use super::session::Session;
use crate::submit::Trouble;
use crate::tls::{self, Handshake};

/// What a look showed, as far as it got.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Look {
    /// What TLS showed.
    pub handshake: Option<Handshake>,
    /// What we called ourselves.
    pub hello: Option<String>,
    /// The moment in the server's greeting, where it says one.
    pub dated: Option<Millis>,
    /// The most octets of a message; 0 where the server names no figure, `None` where it does not
    /// speak of sizes (RFC 1870).
    pub size: Option<u64>,
    /// Whether the log-in was taken, or none was wanted.
    pub logged_in: bool,
}

/// Looks, and takes leave whatever it has seen: what was seen, and the answer to MAIL FROM of the
/// mailbox's own address, or what ended the look before.
pub async fn look(account: &Account) -> (Look, Result<Answer, Trouble>) {
    let mut look = Look::default();
    let ended = look.as_far_as_possible(account).await;
    (look, ended)
}

impl Look {
    async fn as_far_as_possible(&mut self, account: &Account) -> Result<Answer, Trouble> {
        account.check()?;
        let trust = tls::config(account.roots.as_deref())
            .map_err(|why| Trouble::Unsafe(format!("the `ca` of {} {why}", account.host)))?;
        let watch = |session: &Session| {
            self.dated = moment_in(&session.wire.greeting());
            self.hello = Some(session.hello.clone());
            self.handshake = session.shown.clone();
            self.size = session.offers.size;
        };
        let mut session = Session::open_watched(account, &trust, watch).await?;
        self.logged_in = true;
        let ended = session.may_send_from(&account.address).await;
        session.quit().await;
        ended
    }
}

/// The moment that a greeting tells, as Exchange's and Exim's do: `ESMTP ready at Sun, 22 Nov 2026
/// 06:55:05 +0000`.
fn moment_in(greeting: &str) -> Option<Millis> {
    let words: Vec<&str> = greeting.split_whitespace().collect();
    words.windows(DATE_WORDS).find_map(|words| {
        let told = rfc2822::parse(&words.join(" ")).ok()?;
        Some(told.timestamp().as_millisecond())
    })
}

/// RFC 5322, section 3.3: day of the week, day, month, year, time, zone.
const DATE_WORDS: usize = 6;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_greeting_may_tell_the_time() {
        #[track_caller]
        fn check(greeting: &str, want: Option<Millis>) {
            assert_eq!(moment_in(greeting), want, "{greeting}");
        }
        let exchange = "220 AM0P.outlook.office365.com Microsoft ESMTP MAIL Service ready at Sun, \
                        22 Nov 2026 06:55:05 +0000 [08DE2]\r\n";
        check(exchange, Some(1_795_330_505_000));
        check(
            "220 mx ESMTP Exim 4.97 Sun, 22 Nov 2026 07:55:05 +0100\r\n",
            Some(1_795_330_505_000),
        );
        check("220 smtp.gmail.com ESMTP 5b1f17b1804b1 - gsmtp\r\n", None);
        check("", None);
    }
}
