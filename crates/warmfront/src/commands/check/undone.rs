//! What is written rightly, and would not work or not be right yet: examples left as they were,
//! mailboxes for which nobody has logged in, and a key that is not the books' own.

use std::collections::BTreeSet;
use std::path::Path;

use warmfront_campaigns::folder::Campaign;
use warmfront_core::identity::Flow;
use warmfront_core::problem::Problem;
use warmfront_engine::tokens;
use warmfront_store::Store;

use crate::commands::init;
use crate::config::{self, AuthRef, Config, Mailbox};
use crate::{key, logins};

/// What still stands as `init` wrote it.
pub(super) fn examples(config: &Config) -> Option<Problem> {
    let example = config::example()?;
    let mut left = Vec::new();
    let mut hosts = BTreeSet::new();
    if let (Some(own), Some(sample)) = (&config.sender, &example.sender) {
        for (key, own, sample) in [
            ("`legal_name`", &own.legal_name, &sample.legal_name),
            ("`postal_address`", &own.postal_address, &sample.postal_address),
        ] {
            left.extend((own == sample).then(|| format!("{key} in [sender]")));
        }
    }
    for mailbox in &config.mailboxes {
        if is_under(mailbox.address.domain(), &DOCUMENTS) {
            left.push(format!("the mailbox {}", mailbox.address));
        }
        let servers = [Some(&mailbox.smtp), mailbox.imap.as_ref()].into_iter().flatten();
        hosts.extend(servers.map(|server| &server.host).filter(|host| is_of_documents(host)));
    }
    left.extend(hosts.into_iter().map(|host| format!("the host {host}")));
    let others = left.len().saturating_sub(TOLD_MAX);
    let named = left[..left.len() - others].join(", ");
    let others = if others == 0 { String::new() } else { format!(" and {others} more") };
    let what = format!("still as in an example: {named}{others}; write your own");
    let file = config.path.display().to_string();
    (!left.is_empty()).then(|| Problem::warning(file, None, what))
}

/// Names that no server has.
fn is_of_documents(host: &str) -> bool {
    is_under(&host.to_ascii_lowercase(), &DOCUMENTS) || is_under(host, &["example", "invalid"])
}

fn is_under(name: &str, tops: &[&str]) -> bool {
    let is_it = |top: &&str| {
        name.strip_suffix(*top).is_some_and(|rest| rest.is_empty() || rest.ends_with('.'))
    };
    tops.iter().any(is_it)
}

/// Where the list comes from, if that still is what `init` wrote.
pub(super) fn list_source(dir: &Path, campaign: &Campaign) -> Option<Problem> {
    let file = dir.join("campaign.toml").display().to_string();
    let what = "`list_source` is still as `warmfront init` wrote it; write where these people's \
                addresses really come from, and when";
    let is_left = campaign.manifest.list_source == init::LIST_SOURCE;
    is_left.then(|| Problem::warning(file, None, what))
}

/// Mailboxes for which somebody must log in, and a key that opens nothing, as far as books are there and
/// can be looked at as they are. What keeps others from being looked at is told by whoever opens them in
/// earnest.
pub(super) async fn log_ins(config: &Config) -> Vec<Problem> {
    let mut problems = Vec::new();
    if !config.mailboxes.iter().any(has_tokens) {
        return problems;
    }
    let Ok(Some(books)) = Store::look(&config.store_url).await else { return problems };
    let file = config.path.display().to_string();
    problems.extend(key_of(&books, config).await.map(|what| Problem::warning(&file, None, what)));
    for mailbox in config.mailboxes.iter().filter(|mailbox| needs_a_person(mailbox)) {
        let address = mailbox.address.as_str();
        let Ok(known) = books.tokens(address).await else { break };
        let what = match known {
            Some(tokens) if !logins::waits_for_somebody(mailbox, &tokens) => continue,
            Some(tokens) if tokens.needs_login => "its log-in is lost",
            Some(tokens) if tokens.refresh.is_some() => {
                "nobody has logged in with this application yet"
            }
            Some(_) | None => "nobody has logged in for it yet",
        };
        let what = format!("{address}: {what}: `warmfront mailbox login {address}`");
        problems.push(Problem::warning(&file, None, what));
    }
    // Whatever ends this was looked at, and nothing was written.
    let _ = books.close().await;
    problems
}

/// What is wrong with the key at hand, where the books know theirs: `run` would refuse it.
async fn key_of(books: &Store, config: &Config) -> Option<String> {
    let known = books.sealed_by().await.ok()??;
    let read = key::source(config);
    let at_hand = tokio::task::spawn_blocking(move || read()).await.ok()?;
    match at_hand {
        Ok(key) => (tokens::fingerprint(&key) != known).then(|| key::not_the_books(config)),
        Err(_) if key::is_missing(config) => Some(key::not_the_books(config)),
        // What the operator keeps elsewhere is told with all that is missing.
        Err(why) => config.key.is_none().then(|| why.to_string()),
    }
}

fn has_tokens(mailbox: &Mailbox) -> bool {
    matches!(&mailbox.auth, Some(AuthRef::OAuth(_)))
}

/// Whether it works by tokens that somebody must have consented to.
fn needs_a_person(mailbox: &Mailbox) -> bool {
    match &mailbox.auth {
        Some(AuthRef::OAuth(oauth)) => oauth.flow != Flow::App && oauth.problem().is_none(),
        Some(AuthRef::Password(_)) | None => false,
    }
}

/// Domains that are kept for documents, so that nobody has a mailbox there (RFC 2606, section 3).
const DOCUMENTS: [&str; 3] = ["example.com", "example.net", "example.org"];

/// Leftovers told one by one.
const TOLD_MAX: usize = 10;
