//! Where a mailbox's servers are: as its provider's preset says, or as the operator wrote.

use std::net::IpAddr;
use std::path::{Path, PathBuf};

use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject as _;
use warmfront_campaigns::document::{Located, Section};
use warmfront_core::problem::{Problem, Severity};
use warmfront_core::provider::{Kind, Preset, Tls};

use super::placeholder::is_placeholder_host;

/// A server and how to speak to it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Server {
    /// A name, or an address without brackets.
    pub(crate) host: String,
    pub(crate) port: u16,
    pub(crate) tls: Tls,
    /// The certificate authority to trust instead of the public ones, in PEM.
    pub(crate) ca: Option<Ca>,
    /// What we call ourselves there; `None`: as the machine is called.
    pub(crate) hello: Option<String>,
}

/// A file of certificates, and where it is named.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Ca {
    pub(crate) path: PathBuf,
    file: String,
    line: usize,
}

impl Ca {
    /// What is wrong with the file, if anything is. Found only when a server is spoken to, it would
    /// look like a server that is down.
    pub(crate) fn problem(&self) -> Option<Problem> {
        let shown = self.path.display();
        let what = match std::fs::read(&self.path) {
            Err(error) => format!("the certificate file {shown} cannot be read: {error}"),
            Ok(pem) => {
                let mut found = CertificateDer::pem_slice_iter(&pem);
                match found.next() {
                    Some(Ok(_)) => return None,
                    _ => format!(
                        "{shown} holds no certificate in PEM; `ca` names the authority's \
                         certificate, which begins with -----BEGIN CERTIFICATE-----"
                    ),
                }
            }
        };
        Some(Problem::error(&self.file, Some(self.line), format!("`ca`: {what}")))
    }
}

/// What was written of a server; the rest is the preset's.
#[derive(Debug, Default)]
pub(super) struct Written {
    host: Option<Located<String>>,
    port: Option<u16>,
    tls: Option<Located<Tls>>,
    ca: Option<Ca>,
    hello: Option<String>,
    place: String,
}

/// What a server is for.
#[derive(Clone, Copy, Debug)]
pub(super) enum Service {
    Smtp,
    Imap,
}

impl Service {
    fn key(self) -> &'static str {
        match self {
            Self::Smtp => "smtp",
            Self::Imap => "imap",
        }
    }

    /// RFC 8314, sections 3.2 and 3.3; RFC 6409, section 3.1; RFC 9051, section 2.1.
    fn port(self, tls: Tls) -> u16 {
        match (self, tls) {
            (Self::Smtp, Tls::Implicit) => 465,
            (Self::Smtp, Tls::StartTls) => 587,
            (Self::Smtp, Tls::None) => 25,
            (Self::Imap, Tls::Implicit) => 993,
            (Self::Imap, Tls::StartTls | Tls::None) => 143,
        }
    }

    /// What a port is known for, where it is known for one thing.
    fn tls(self, port: u16) -> Option<Tls> {
        [Tls::Implicit, Tls::StartTls].into_iter().find(|tls| self.port(*tls) == port)
    }

    /// How a preset speaks it: host, port and encryption.
    fn of(self, preset: &Preset) -> (Option<&str>, Option<u16>, Option<Tls>) {
        match self {
            Self::Smtp => {
                (preset.smtp_host.as_deref(), Some(preset.smtp_port), Some(preset.smtp_tls))
            }
            Self::Imap => (preset.imap_host.as_deref(), preset.imap_port, preset.imap_tls),
        }
    }
}

/// Reads what a mailbox says of one of its servers.
pub(super) fn read(
    mailbox: &mut Section<'_>,
    service: Service,
    dir: &Path,
    problems: &mut Vec<Problem>,
) -> Written {
    let Some(mut section) = mailbox.section(service.key(), problems) else {
        return Written { place: mailbox.place(), ..Written::default() };
    };
    let written = Written {
        host: section.parsed("host", host, problems),
        port: section.integer("port", 1..=65_535, problems).map(|port| port.value),
        tls: section.parsed("tls", tls, problems),
        hello: match service {
            Service::Smtp => section.parsed("hello", hello, problems).map(|name| name.value),
            Service::Imap => None,
        },
        ca: ca(&mut section, dir, problems),
        place: section.place(),
    };
    section.finish(problems);
    written
}

/// The certificates that a section names.
pub(super) fn ca(section: &mut Section<'_>, dir: &Path, problems: &mut Vec<Problem>) -> Option<Ca> {
    let ca = section.text("ca", problems)?;
    let file = section.problem(ca.line, "").file;
    Some(Ca { path: dir.join(ca.value), file, line: ca.line })
}

impl Written {
    /// Whether the operator named another host than the preset's.
    pub(super) fn names_another_host(&self, service: Service, preset: &Preset) -> bool {
        let (known, ..) = service.of(preset);
        let is_known = |host: &str| known.is_some_and(|known| known.eq_ignore_ascii_case(host));
        self.host.as_ref().is_some_and(|host| !is_known(&host.value))
    }

    /// The server, where the operator or the preset names a host.
    pub(super) fn settle(
        self,
        service: Service,
        preset: &Preset,
        mailbox: &Section<'_>,
        problems: &mut Vec<Problem>,
    ) -> Option<Server> {
        let (preset_host, preset_port, preset_tls) = service.of(preset);
        let line = self.host.as_ref().map_or(mailbox.line(), |host| host.line);
        let host = self.host.map(|host| host.value).or(preset_host.map(str::to_owned))?;
        let written = self.tls.map(|tls| tls.value);
        let implied = self.port.and_then(|port| service.tls(port));
        let tls = written.or(implied).or(preset_tls).unwrap_or(Tls::Implicit);
        let usual = preset_port.filter(|_| Some(tls) == preset_tls);
        let port = self.port.or(usual).unwrap_or_else(|| service.port(tls));
        if preset.kind == Kind::Local && !is_loopback(&host) {
            let what = format!(
                "`{host}` is not on this machine, and provider `{}` is only for what is; write \
                 provider = \"smtp\"",
                preset.name
            );
            problems.push(mailbox.problem(line, what));
        } else if tls == Tls::None && !is_loopback(&host) {
            let what = format!(
                "`tls = \"none\"`{} would send passwords and mail to `{host}` in the clear; write \
                 \"starttls\" or \"implicit\" (plain text is only spoken on loopback: 127.0.0.1, \
                 ::1, localhost)",
                self.place
            );
            let problem = mailbox.problem(self.tls.map_or(line, |tls| tls.line), what);
            problems.push(Problem { severity: Severity::Refusal, ..problem });
        }
        Some(Server { host, port, tls, ca: self.ca, hello: self.hello })
    }
}

/// Whether a host can only be this very machine (RFC 1122, section 3.2.1.3; RFC 6761, section 6.3).
pub(super) fn is_loopback(host: &str) -> bool {
    host.eq_ignore_ascii_case("localhost") || host.parse().is_ok_and(|ip: IpAddr| ip.is_loopback())
}

fn host(text: &str) -> Result<String, String> {
    let bare = text.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')).unwrap_or(text);
    let named = |c: char| c.is_ascii_alphanumeric() || ".-_".contains(c);
    if is_placeholder_host(bare) {
        return Err(format!("`{text}` stands for a name of yours; write the server's own"));
    }
    let good = bare.parse::<IpAddr>().is_ok() || (!bare.is_empty() && bare.chars().all(named));
    good.then(|| bare.to_owned()).ok_or_else(|| {
        format!("`{text}` is no host; write a name such as `mail.example.com`, the port apart")
    })
}

/// RFC 5321, section 4.1.1.1: a full name, or an address in brackets.
fn hello(text: &str) -> Result<String, String> {
    if is_placeholder_host(text) {
        return Err(format!("`{text}` stands for a name of yours; write this machine's own"));
    }
    is_full_name(text).then(|| text.to_owned()).ok_or_else(|| {
        format!("`{text}` is no name to greet a server with; write a full one, `mail.example.com`")
    })
}

/// Whether servers take it for the name of a machine: it has a dot, or is an address literal.
pub(crate) fn is_full_name(name: &str) -> bool {
    let is_word = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '-');
    let bare = name.strip_prefix('[').and_then(|rest| rest.strip_suffix(']'));
    match bare {
        Some(bare) => bare.trim_start_matches("IPv6:").parse::<IpAddr>().is_ok(),
        None => {
            let labels: Vec<&str> = name.split('.').collect();
            labels.len() > 1
                && labels.iter().all(|label| !label.is_empty())
                && name.chars().all(is_word)
                && labels.first() != Some(&"localhost")
        }
    }
}

fn tls(text: &str) -> Result<Tls, String> {
    match text {
        "implicit" => Ok(Tls::Implicit),
        "starttls" => Ok(Tls::StartTls),
        "none" => Ok(Tls::None),
        _ => Err(format!("`{text}` is none of \"implicit\", \"starttls\", \"none\"")),
    }
}
