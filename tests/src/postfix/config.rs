//! How Postfix is set up. A parameter that is not named here is as Postfix has it by default.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use crate::dovecot::Dovecot;
use crate::instance;

/// A way in: a port with habits of its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Door {
    /// STARTTLS is a must, as at port 587.
    Starttls,
    /// TLS from the first byte, as at port 465.
    Implicit,
    /// STARTTLS, and AUTH LOGIN alone.
    LoginOnly,
    /// STARTTLS, and messages of at most [`SMALL`] octets, which EHLO says.
    Small,
    /// The same, but EHLO does not say it.
    SmallUnsaid,
    /// No STARTTLS, and so no log-in either.
    Plain,
    /// No STARTTLS, and log-in all the same: for whoever listens in between.
    Clear,
    /// Where other servers hand in mail, as at port 25: nobody logs in.
    Exchange,
}

impl Door {
    pub(super) const ALL: [Self; 8] = [
        Self::Starttls,
        Self::Implicit,
        Self::LoginOnly,
        Self::Small,
        Self::SmallUnsaid,
        Self::Plain,
        Self::Clear,
        Self::Exchange,
    ];

    /// What it does other than the rest.
    fn habits(self) -> Vec<String> {
        let must = || "smtpd_tls_security_level=encrypt".to_owned();
        let small = || format!("message_size_limit={SMALL}");
        match self {
            Self::Starttls => vec![must()],
            Self::Implicit => vec![must(), "smtpd_tls_wrappermode=yes".to_owned()],
            Self::LoginOnly => vec![must(), "smtpd_sasl_path=login".to_owned()],
            Self::Small => vec![must(), small()],
            Self::SmallUnsaid => {
                vec![must(), small(), "smtpd_discard_ehlo_keywords=size".to_owned()]
            }
            Self::Plain => vec![NO_TLS.to_owned()],
            Self::Clear => vec![NO_TLS.to_owned(), "smtpd_tls_auth_only=no".to_owned()],
            Self::Exchange => [
                NO_TLS,
                "smtpd_sasl_auth_enable=no",
                "smtpd_sender_restrictions=",
                "smtpd_relay_restrictions=reject_unauth_destination",
                // What comes in is nobody's sent mail.
                "receive_override_options=no_address_mappings",
            ]
            .map(str::to_owned)
            .to_vec(),
        }
    }
}

/// The name that the owner of an address logs in with, by the same rule as [`LOGINS`].
#[must_use]
pub fn login(address: &str) -> String {
    address.replace('@', ".at.")
}

const NO_TLS: &str = "smtpd_tls_security_level=none";

/// The most octets of a message at a small door.
const SMALL: usize = 2_000;

/// Everybody may write as the one address whose log-in he has.
pub(super) const LOGINS: &str = "/^(.+)@(.+)$/ ${1}.at.${2} ${1}@${2}\n";

/// Everybody has a mailbox but those who have gone, and all mailboxes are one folder.
pub(super) const MAILBOXES: &str = "!/^gone/ inbox/\n";

pub(super) const INBOX: &str = "inbox";

/// Of all that is submitted a copy goes to the writer's own mailbox, as a mail for `sent`.
pub(super) const COPIES: &str = "/^(.+)@(.+)$/ ${1}+sent@${2}\n";

/// What nobody sees at `away.` (see [`transport`]).
pub(super) const UNLISTED: &str = "/^List-/ IGNORE\n";

/// Where SASL asks whether a password is right.
pub(super) fn socket(folder: &Path) -> PathBuf {
    folder.join("mux")
}

/// Where the servers of `late.` will be.
pub(super) fn late(folder: &Path) -> PathBuf {
    folder.join("late")
}

/// Two kinds of companies. At `away.` the fields of lists are gone before anybody sees them: a machine
/// that keeps to RFC 5230, section 4.6, as Dovecot's does, answers no mail that has one, and not every
/// machine keeps to it. At `late.` there is no server for a while.
pub(super) fn transport(folder: &Path, to: &Dovecot) -> String {
    let (away, late) = (to.lmtp(), late(folder));
    format!(
        "/@away\\./ unlisted:unix:{}\n/@late\\./ lmtp:unix:{}\n",
        away.display(),
        late.display()
    )
}

/// `onward`: the Dovecot that has everybody's mailboxes and passwords, if it is not we.
pub(super) fn main(folder: &Path, onward: Option<&Dovecot>) -> String {
    let text = common(folder);
    let folder = folder.display();
    let Some(dovecot) = onward else {
        // Postfix delivers nothing as root.
        let owner = instance::owner();
        let (user, group) = owner.split_once(':').expect("both of them");
        return format!(
            "{text}
virtual_mailbox_base = {folder}/mail
virtual_uid_maps = static:{user}
virtual_gid_maps = static:{group}
virtual_minimum_uid = 1

smtpd_sasl_path = smtpd
cyrus_sasl_config_path = {folder}/etc/sasl
"
        );
    };
    format!(
        "{text}
virtual_transport = lmtp:unix:{}
transport_maps = regexp:{folder}/etc/transport
sender_bcc_maps = regexp:{folder}/etc/copies
recipient_delimiter = +
lmtp_connection_cache_on_demand = no

smtpd_sasl_type = dovecot
smtpd_sasl_path = {}

# Whoever waits is told at once, and tried again every second.
delay_warning_time = 1s
queue_run_delay = 1s
minimal_backoff_time = 1s
maximal_backoff_time = 1s
",
        dovecot.lmtp().display(),
        dovecot.auth().display()
    )
}

fn common(folder: &Path) -> String {
    let folder = folder.display();
    format!(
        "compatibility_level = 3.6
queue_directory = {folder}/queue
data_directory = {folder}/data
maillog_file = {folder}/log
maillog_file_prefixes = {folder}
inet_interfaces = 127.0.0.1
inet_protocols = ipv4
disable_dns_lookups = yes
smtpd_peername_lookup = no
myhostname = mail.example
myorigin = mail.example
mydestination =
mynetworks =
notify_classes =
alias_maps =
alias_database =
local_recipient_maps =
local_transport = error:5.1.1 nobody lives here
default_transport = error:5.1.2 nothing leaves this machine
enable_long_queue_ids = yes
in_flow_delay = 0
smtpd_error_sleep_time = 0
smtpd_client_connection_count_limit = 0

virtual_mailbox_domains = static:all
virtual_mailbox_maps = regexp:{folder}/etc/mailboxes

smtpd_tls_security_level = encrypt
smtpd_tls_cert_file = {folder}/etc/certificate.pem
smtpd_tls_key_file = {folder}/etc/key.pem
smtpd_tls_received_header = yes
smtpd_tls_auth_only = yes

smtpd_sasl_auth_enable = yes
smtpd_sasl_authenticated_header = yes
smtpd_sender_login_maps = regexp:{folder}/etc/logins
smtpd_sender_restrictions = reject_sender_login_mismatch
smtpd_relay_restrictions = permit_sasl_authenticated, reject

# Nothing is mended: what is not as it should be is refused, or delivered as it is.
local_header_rewrite_clients =
strict_rfc821_envelopes = yes
strict_8bitmime = yes
smtpd_helo_required = yes
smtpd_forbid_unauth_pipelining = yes
smtpd_forbid_bare_newline = reject
smtpd_forbid_bare_newline_exclusions =
"
    )
}

pub(super) fn master(ports: &[u16]) -> String {
    let mut text = String::new();
    for (door, port) in Door::ALL.into_iter().zip(ports) {
        writeln!(text, "127.0.0.1:{port} inet n - n - - smtpd").expect("text takes text");
        for habit in door.habits() {
            writeln!(text, "  -o {habit}").expect("text takes text");
        }
    }
    text + INSIDE
}

/// SASL asks a daemon of ours, and nothing of the machine's.
pub(super) fn sasl(folder: &Path, mechanisms: &str) -> String {
    let socket = socket(folder);
    format!(
        "pwcheck_method: saslauthd\nsaslauthd_path: {}\nmech_list: {mechanisms}\n",
        socket.display()
    )
}

const INSIDE: &str = "cleanup unix n - n - 0 cleanup
qmgr unix n - n 300 1 qmgr
tlsmgr unix - - n 1000? 1 tlsmgr
rewrite unix - - n - - trivial-rewrite
bounce unix - - n - 0 bounce
defer unix - - n - 0 bounce
trace unix - - n - 0 bounce
proxymap unix - - n - - proxymap
showq unix n - n - - showq
error unix - - n - - error
retry unix - - n - - error
virtual unix - n n - - virtual
lmtp unix - - n - - lmtp
unlisted unix - - n - - lmtp
  -o lmtp_header_checks=regexp:$config_directory/unlisted
anvil unix - - n - 1 anvil
postlog unix-dgram n - n - 1 postlogd
";
