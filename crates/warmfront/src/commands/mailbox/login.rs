//! `mailbox login`: somebody consents, and the tokens go into the books.

use std::io::BufRead as _;
use std::path::Path;
use std::time::Duration;

use anyhow::anyhow;
use secrecy::SecretString;
use serde_json::json;
use tokio::sync::mpsc;
use warmfront_core::identity::Flow;
use warmfront_core::problem::Problem;
use warmfront_core::span::{MINUTE, Millis, SECOND};
use warmfront_engine::tokens::{Duty, KeyAtHand, SealedBy, TokenKeeper};
use warmfront_mail::oauth::{BrowserLogin, Grant, IdentityProvider, OAuthError, Tokens};
use warmfront_store::LoggedIn;

use crate::app::App;
use crate::config::{AuthRef, Mailbox, OAuthRef};
use crate::exit::{Done, Failure};
use crate::secret::{self, Keepers, SecretRef};
use crate::{key, print, wiring};

pub(super) async fn login(
    app: &App,
    address: &str,
    refresh_token: Option<&Path>,
    by: SealedBy,
) -> Done {
    app.store.refuse_a_wrong_clock(app.now()).await?;
    let row = app.mailbox(address).await?;
    let (mailbox, oauth) = configured(app, &row.address)?;
    let logins = wiring::logins(app, &wiring::owner(app.now()), Duty::Works);
    let (provider, grant) = logins.provider(mailbox, oauth).await.map_err(|why| {
        let (file, why) = (app.config.path.display().to_string(), why.to_string());
        Failure::Problems(vec![Problem::error(file, None, why)])
    })?;
    // Before a code or a token that is good for one use is spent.
    take_key(app, logins.keeper(), by).await?;
    let failed = |error: OAuthError| Failure::failed(anyhow!("{}: {error}", row.address));
    let tokens = match (refresh_token, &grant) {
        (Some(_), Grant::Application | Grant::Account(_)) => {
            return Err(Failure::Usage(format!(
                "{} logs in in its application's own name; it needs no refresh token",
                row.address
            )));
        }
        (Some(file), Grant::Person) => brought(app, &provider, file).await?,
        (None, _) => {
            consented(app, &provider, &grant, oauth.flow, &row.address).await.map_err(failed)?
        }
    };
    if matches!(grant, Grant::Person) && tokens.refresh.is_none() {
        return Err(Failure::failed(anyhow!(
            "{}: the identity provider gave no refresh token, so this would last for an hour at most; \
             ask for it by `scopes` in its `auth` (most call it offline_access)",
            row.address
        )));
    }
    let given = (&tokens, provider.issuer());
    let kept = logins.keeper().log_in(row.id, &mailbox.address, given, by).await;
    let logged_in = kept.map_err(wiring::not_kept)?;
    tell(app, &row.address, oauth.flow, &logged_in).await
}

/// Has the key in hand by which all tokens in the books are sealed: a new one where nobody has logged in
/// yet, or where the old one is lost; else the books' own and no other.
async fn take_key(app: &App, keeper: &TokenKeeper, by: SealedBy) -> Done {
    let another = || Failure::Refused(key::not_the_books(&app.config));
    let have_one = wiring::books_have_a_key(app).await?;
    if have_one && by == SealedBy::BooksKey && key::is_missing(&app.config) {
        return Err(another());
    }
    if let Some(made) = key::make(&app.config).map_err(Failure::failed)? {
        let made = made.display();
        print::note(format!(
            "a new key was made: {made}; all tokens are sealed by it. Keep it, and not beside copies of \
             the database"
        ));
    }
    match (wiring::key_at_hand(keeper).await?, by) {
        (KeyAtHand::Another, SealedBy::BooksKey) => Err(another()),
        (KeyAtHand::TheBooks, SealedBy::NewKey) => Err(Failure::Usage(
            "the key at hand is the one that the tokens in the books are sealed by: nothing is \
             lost; log in without `--new-key`"
                .to_owned(),
        )),
        (KeyAtHand::Another, SealedBy::NewKey) => {
            print::note(
                "with this log-in all others are void: every other mailbox that somebody has \
                 logged in for has to log in again",
            );
            Ok(())
        }
        (KeyAtHand::First, _) | (KeyAtHand::TheBooks, SealedBy::BooksKey) => Ok(()),
    }
}

/// The mailbox as the configuration has it, and who gives it its tokens.
fn configured<'a>(app: &'a App, address: &str) -> Result<(&'a Mailbox, &'a OAuthRef), Failure> {
    let mailbox = app.config.mailboxes.iter().find(|one| one.address.as_str() == address);
    let mailbox = mailbox.ok_or_else(|| {
        Failure::Usage(format!("{address} is in no configuration; write it there first"))
    })?;
    match &mailbox.auth {
        Some(AuthRef::OAuth(oauth)) => Ok((mailbox, oauth)),
        Some(AuthRef::Password(_)) | None => Err(Failure::Usage(format!(
            "{address} does not log in by tokens; for that write auth = {{ oauth = \"microsoft\", \
             client_id = \"…\", tenant = \"…\" }} or {{ oauth = \"google\", client_id = \"…\", secret = \
             {{ env = \"…\" }} }}: docs/login.md has the steps"
        ))),
    }
}

/// Tokens by a refresh token that somebody brought. It is tried at once: one that is not good is
/// better found out here.
async fn brought(app: &App, provider: &IdentityProvider, file: &Path) -> Result<Tokens, Failure> {
    let token = if file == Path::new("-") {
        let mut line = String::new();
        std::io::stdin().lock().read_line(&mut line).map_err(Failure::failed)?;
        SecretString::from(line.trim().to_owned())
    } else {
        let place = SecretRef::File(file.to_owned());
        secret::text(&place, "--refresh-token", &Keepers::new()).map_err(Failure::failed)?
    };
    let given = provider.renew(&Grant::Person, "", Some(token.clone()), app.now()).await;
    let given = given.map_err(|error| Failure::failed(anyhow!("the refresh token: {error}")))?;
    let refresh = given.refresh.or(Some(token));
    Ok(Tokens { refresh, ..given })
}

async fn consented(
    app: &App,
    provider: &IdentityProvider,
    grant: &Grant,
    flow: Flow,
    address: &str,
) -> Result<Tokens, OAuthError> {
    match flow {
        Flow::App => provider.renew(grant, address, None, app.now()).await,
        Flow::Device => {
            let login = provider.device().await?;
            let (url, code) = (login.url(), login.code());
            let lasts = within(login.lasts());
            print::note(format!(
                "open {url}, type the code {code}, and log in as {address}, within {lasts}"
            ));
            provider.device_tokens(&login).await
        }
        Flow::Code => {
            let login = provider.browser(address).await?;
            print::note(format!("open this in a browser, log in as {address}, and allow it:"));
            print::note(login.url());
            print::note(
                "a browser on another machine ends at an address that it cannot open: paste that \
                 address here",
            );
            let code = returned(&login).await?;
            provider.browser_tokens(login, code).await
        }
    }
}

/// A time to be in time for: whole minutes, and of less than one the seconds.
fn within(lasts: Millis) -> String {
    match lasts {
        ..MINUTE => print::counted((lasts / SECOND).unsigned_abs(), "second"),
        _ => print::counted((lasts / MINUTE).unsigned_abs(), "minute"),
    }
}

/// The code that a browser brings, or a person who pastes its last address.
async fn returned(login: &BrowserLogin) -> Result<String, OAuthError> {
    let (tell, mut lines) = mpsc::unbounded_channel();
    // A thread of its own: nothing can end a read from the keyboard but the process.
    std::thread::spawn(move || {
        for line in std::io::stdin().lock().lines().map_while(Result::ok) {
            if tell.send(line).is_err() {
                return;
            }
        }
    });
    let pasted = async {
        while let Some(line) = lines.recv().await {
            match login.code_in(&line) {
                Some(code) => return code,
                None if line.trim().is_empty() => {}
                None => {
                    print::note("that is not where the browser was sent; it begins with http://")
                }
            }
        }
        std::future::pending().await
    };
    let either = async {
        tokio::select! {
            code = login.returned() => code,
            code = pasted => code,
        }
    };
    let none = || OAuthError::NeedsLogin("nobody came back within 15 minutes".to_owned());
    tokio::time::timeout(WAITS_FOR, either).await.unwrap_or_else(|_| Err(none()))
}

async fn tell(app: &App, address: &str, flow: Flow, logged_in: &LoggedIn) -> Done {
    let LoggedIn { resumed, void } = logged_in;
    let row = app.mailbox(address).await?;
    if app.json {
        print::say_json(&json!({
            "address": row.address, "state": row.state, "flow": flow.as_str(), "resumed": resumed,
            "why": row.paused_because, "void": void,
        }));
        return Ok(());
    }
    let standing = match (*resumed, row.paused_because) {
        (true, _) => "; it goes on".to_owned(),
        (false, Some(because)) => format!("; it is still paused: {because}"),
        (false, None) => String::new(),
    };
    print::say(format!("{} is logged in{standing}", row.address));
    if !void.is_empty() {
        let others = print::counted(void.len() as u64, "other mailbox");
        print::say(format!("{others} must log in again (`warmfront mailbox login ADDRESS`):"));
        void.iter().for_each(|address| print::say(format!("  {address}")));
    }
    Ok(())
}

/// As long as most identity providers wait for somebody.
const WAITS_FOR: Duration = Duration::from_secs(15 * 60);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_short_time_is_told_in_seconds() {
        assert_eq!(within(45 * SECOND), "45 seconds");
        assert_eq!(within(SECOND), "1 second");
        assert_eq!(within(MINUTE), "1 minute");
        assert_eq!(within(15 * MINUTE + 59 * SECOND), "15 minutes");
    }
}
