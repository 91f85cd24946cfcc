//! How Dovecot is set up. A setting that is not named here is as Dovecot has it by default.

use std::path::Path;

use crate::identity::Introspection;
use crate::instance;

/// `Unerwünscht`, as IMAP and Maildir write it (RFC 3501, section 5.1.3).
pub(super) const JUNK_IN_UTF7: &str = "Unerw&APw-nscht";

/// `Envoyés`.
pub(super) const SENT_IN_UTF7: &str = "Envoy&AOk-s";

/// What somebody wants done with their mail (RFC 5228), in their home.
pub(super) const RULES: &str = "rules.sieve";

/// Files away what Postfix says is a copy of sent mail.
pub(super) const COPIES_TO_SENT: &str = "\
require [\"envelope\", \"subaddress\", \"fileinto\", \"imap4flags\"];
if envelope :detail \"to\" \"sent\" { fileinto :flags \"\\\\Seen\" \"Envoy\u{e9}s\"; }
";

/// Each refused log-in would slow down all that follow from the same address, and here all come from
/// one: so there is no penalty.
pub(super) fn text(folder: &Path, ports: &[u16], tokens: Option<&str>) -> String {
    let folder = folder.display();
    let owner = instance::owner();
    let (user, group) = owner.split_once(':').expect("both of them");
    let [plain, implicit, outgoing] = ports else { panic!("two doors in and one out") };
    let (also, tokens) = match tokens {
        Some(mechanisms) => (mechanisms, believing(&folder.to_string(), mechanisms)),
        None => ("", String::new()),
    };
    format!(
        "base_dir = {folder}/run
state_dir = {folder}/state
instance_name = warmfront-{plain}
log_path = {folder}/log
listen = 127.0.0.1
protocols = imap lmtp
ssl = yes
ssl_cert = <{folder}/certificate.pem
ssl_key = <{folder}/key.pem
disable_plaintext_auth = yes
auth_mechanisms = plain login {also}
auth_failure_delay = 0
first_valid_uid = 1
mail_uid = {user}
mail_gid = {group}
mail_location = maildir:~/Maildir
mail_max_userip_connections = 50
{tokens}passdb {{
  driver = passwd-file
  args = scheme=PLAIN username_format=%u {folder}/passwords/%u
}}
userdb {{
  driver = static
  args = uid={user} gid={group} home={folder}/mail/%u
}}
namespace inbox {{
  inbox = yes
  separator = .
  mailbox Envoy\u{e9}s {{
    auto = subscribe
    special_use = \\Sent
  }}
  mailbox Unerw\u{fc}nscht {{
    auto = subscribe
    special_use = \\Junk
  }}
}}
service imap-login {{
  process_min_avail = 1
  service_count = 0
  inet_listener imap {{
    port = {plain}
  }}
  inet_listener imaps {{
    port = {implicit}
    ssl = yes
  }}
}}
service stats {{
  process_limit = 1
}}
service anvil {{
  unix_listener anvil-auth-penalty {{
    mode = 0
  }}
}}
{}",
        delivery(*outgoing)
    )
}

/// Tokens are shown to whoever gave them.
fn believing(folder: &str, mechanisms: &str) -> String {
    format!(
        "passdb {{
  driver = oauth2
  mechanisms = {mechanisms}
  args = {folder}/{TOKENS}
}}
"
    )
}

/// Who is asked what a token is good for (RFC 7662), and how.
pub(super) fn tokens(introspection: &Introspection) -> String {
    let Introspection { url, user_in } = introspection;
    format!(
        "introspection_url = {url}
introspection_mode = post
force_introspection = yes
username_attribute = {user_in}
active_attribute = active
active_value = true
"
    )
}

/// The file that says so.
pub(super) const TOKENS: &str = "tokens.conf.ext";

/// Mail comes in by a socket, and what is written here leaves by a port. Whoever takes passwords for
/// others may ask whether they are right.
fn delivery(outgoing: u16) -> String {
    format!(
        "recipient_delimiter = +
submission_host = 127.0.0.1:{outgoing}
protocol lmtp {{
  mail_plugins = sieve
}}
plugin {{
  sieve = file:~/{RULES}
}}
service lmtp {{
  unix_listener lmtp {{
    mode = 0666
  }}
}}
service auth {{
  unix_listener auth-submission {{
    mode = 0666
  }}
}}
"
    )
}
