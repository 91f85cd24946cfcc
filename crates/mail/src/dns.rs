//! Asking the DNS about a sending domain.
//!
//! Brings facts and judges none: `warmfront_core::domain` does. What the name servers did not say, for
//! whatever reason, is [`Found::Unknown`] and never an absence. No name that was asked is logged or
//! told: one of them holds a key.

mod blocklist;
mod dkim;
mod dmarc;
mod mx;
mod spf;

use std::fmt;
use std::net::{Ipv4Addr, SocketAddr};
use std::time::Duration;

use hickory_resolver::TokioResolver;
use hickory_resolver::config::{NameServerConfig, ResolveHosts, ResolverConfig};
use hickory_resolver::lookup::Lookup;
use hickory_resolver::net::runtime::TokioRuntimeProvider;
use hickory_resolver::net::{DnsError, NetError};
use hickory_resolver::proto::op::ResponseCode;
use hickory_resolver::proto::rr::{Name, RData, RecordType};
use jiff::civil::Date;
use secrecy::SecretString;
use warmfront_core::domain::blocklist::List;
use warmfront_core::domain::{Absent, Facts, Found, Host, Listing};

/// A way to ask. Cheap to clone; answers are kept for as long as they say, a day at most, and that
/// something is not there for half an hour.
#[derive(Clone)]
pub struct Dns {
    resolver: TokioResolver,
    /// Asked whether the resolver sees the world. It keeps no answers: that it did an hour ago says
    /// nothing of now.
    control: TokioResolver,
    blocklists: Vec<List>,
    /// Of a Spamhaus Data Query Service account: it stands in the names that are asked there.
    dqs_key: Option<SecretString>,
}

/// Whom to ask, and how long to wait.
#[derive(Clone, Debug)]
pub struct Settings {
    /// A name server; the system's where there is none.
    pub server: Option<SocketAddr>,
    /// How long one question waits.
    pub timeout: Duration,
    /// How often it is asked.
    pub tries: usize,
    /// The lists of bad domains to ask.
    pub blocklists: Vec<List>,
    /// The key of a Spamhaus Data Query Service account.
    pub dqs_key: Option<SecretString>,
}

impl Default for Settings {
    fn default() -> Self {
        let timeout = Duration::from_secs(5);
        Self { server: None, timeout, tries: 2, blocklists: Vec::new(), dqs_key: None }
    }
}

/// A domain to ask about, and what the DNS does not know of it.
#[derive(Clone, Debug)]
pub struct Question {
    /// The domain.
    pub domain: String,
    /// The providers its mailboxes send through, as far as their records are known.
    pub hosts: Vec<Host>,
    /// Whether others of them are at providers of whom nothing is known.
    pub is_elsewhere: bool,
    /// The DKIM selectors that the operator names; none: those of the provider.
    pub selectors: Vec<String>,
    /// When it was registered, where the operator says.
    pub registered: Option<Date>,
    /// The day of the judgement.
    pub today: Date,
    /// The most that all mailboxes of its organisation may send in a day.
    pub most_a_day: u32,
}

/// Why nobody can be asked.
#[derive(Debug, thiserror::Error)]
#[error(
    "the system names no DNS server that can be asked ({0}); name one in [doctor]: resolver = \"IP:53\""
)]
pub struct NoResolver(String);

impl Dns {
    /// Makes a way to ask; asks nothing yet.
    pub fn open(settings: Settings) -> Result<Self, NoResolver> {
        let (resolver, control) = (resolver(&settings, true)?, resolver(&settings, false)?);
        let Settings { blocklists, dqs_key, .. } = settings;
        Ok(Self { resolver, control, blocklists, dqs_key })
    }

    /// All that is to be known of a domain, for each of its providers; once where none is known. Where
    /// the DNS does not answer at all, one question is enough to learn that; where the resolver does not
    /// see the world, one more.
    pub async fn facts(&self, question: &Question) -> Vec<Facts> {
        let domain = question.domain.trim_end_matches('.').to_ascii_lowercase();
        let exchanges = self.mx(&domain).await;
        let mut exists = match exchanges {
            Found::Is(_) | Found::Absent(Absent::Record) => Found::Is(()),
            Found::Absent(Absent::Name) => Found::Absent(Absent::Name),
            // Some servers fail for one type alone.
            Found::Unknown(_) => match self.txt(&domain).await {
                Found::Is(_) | Found::Absent(Absent::Record) => Found::Is(()),
                Found::Absent(Absent::Name) => Found::Absent(Absent::Name),
                Found::Unknown(why) => Found::Unknown(why),
            },
        };
        if !matches!(exists, Found::Unknown(_))
            && let Some(why) = self.blindness(&domain).await
        {
            exists = Found::Unknown(why);
        }
        let mut of_each: Vec<Facts> = match question.hosts.is_empty() {
            true => vec![self.unknown(question, &domain, None, &exists)],
            false => {
                let of = |host| self.unknown(question, &domain, Some(host), &exists);
                question.hosts.iter().map(of).collect()
            }
        };
        if exists != Found::Is(()) {
            return of_each;
        }
        let by_host = async {
            for facts in &mut of_each {
                let selectors = facts.dkim.iter().map(|selector| selector.name.clone()).collect();
                let host = facts.host.as_ref().map(|host| host.spf);
                (facts.spf, facts.dkim) = tokio::join!(
                    spf::ask(self, &domain, host),
                    dkim::ask(self, &domain, selectors),
                );
            }
        };
        let (dmarc, address, listings, mx, ()) = tokio::join!(
            dmarc::ask(self, &domain),
            self.address(&domain),
            blocklist::ask(self, &domain),
            mx::ask(self, exchanges),
            by_host,
        );
        for facts in &mut of_each {
            (facts.dmarc, facts.address) = (dmarc.clone(), address.clone());
            (facts.listings, facts.mx) = (listings.clone(), mx.clone());
        }
        of_each
    }

    /// Why nothing counts that the resolver says of a domain, if so. One that stands in a network of
    /// its own, or before a log-in, denies whatever is outside, or answers all with itself; the zone
    /// above a domain of this world has name servers, and a resolver that sees the world finds them.
    async fn blindness(&self, domain: &str) -> Option<String> {
        let top = domain.rsplit('.').next().unwrap_or(domain);
        let is_server = |data: &RData| matches!(data, RData::NS(_)).then_some(());
        match lookup(&self.control, top, RecordType::NS, is_server).await {
            Found::Is(_) => None,
            Found::Absent(_) => Some(format!(
                "the DNS server does not know `{top}`, so it does not see the world; name another in \
                 [doctor]: resolver = \"IP:53\""
            )),
            Found::Unknown(why) => Some(format!("nothing is told of `{top}` either: {why}")),
        }
    }

    /// The facts for a provider before anybody answered more than whether the domain is there.
    fn unknown(
        &self,
        question: &Question,
        domain: &str,
        host: Option<&Host>,
        exists: &Found<()>,
    ) -> Facts {
        let why = "the domain could not be asked";
        // Beside another provider those that the operator names are that one's.
        let is_fixed = question.hosts.len() > 1 && host.is_some_and(Host::has_fixed_selectors);
        let told = if is_fixed { Vec::new() } else { question.selectors.clone() };
        let selectors_told = !told.is_empty();
        let usual = host.iter().flat_map(|host| host.selectors.iter().map(|s| (*s).to_owned()));
        let selectors: Vec<String> = if told.is_empty() { usual.collect() } else { told };
        let silent = |&list: &List| Listing { list, codes: Found::Unknown(why.to_owned()) };
        let beside = question.hosts.iter().filter(|other| Some(*other) != host);
        Facts {
            dmarc: vec![(domain.to_owned(), Found::Unknown(why.to_owned()))],
            domain: domain.to_owned(),
            host: host.cloned(),
            beside: beside.cloned().collect(),
            is_elsewhere: question.is_elsewhere,
            exists: exists.clone(),
            spf: Found::Unknown(why.to_owned()),
            dkim: selectors.into_iter().map(|name| dkim::unknown(name, why)).collect(),
            selectors_told,
            mx: Found::Unknown(why.to_owned()),
            address: Found::Unknown(why.to_owned()),
            listings: self.blocklists.iter().map(silent).collect(),
            registered: question.registered,
            today: question.today,
            most_a_day: question.most_a_day,
        }
    }

    /// The texts at a name, each joined without blanks (RFC 7208, section 3.3).
    async fn txt(&self, name: &str) -> Found<Vec<Vec<u8>>> {
        lookup(&self.resolver, name, RecordType::TXT, |data| match data {
            RData::TXT(text) => Some(text.txt_data.concat()),
            _ => None,
        })
        .await
    }

    /// The exchanges of a name, as (preference, name); an empty name is the null MX.
    async fn mx(&self, name: &str) -> Found<Vec<(u16, String)>> {
        let exchanges = lookup(&self.resolver, name, RecordType::MX, |data| match data {
            RData::MX(mx) => Some((mx.preference, bare(&mx.exchange))),
            _ => None,
        });
        exchanges.await.map(|mut all| {
            all.sort();
            all
        })
    }

    async fn ipv4(&self, name: &str) -> Found<Vec<Ipv4Addr>> {
        lookup(&self.resolver, name, RecordType::A, |data| match data {
            RData::A(address) => Some(address.0),
            _ => None,
        })
        .await
    }

    /// Whether a name has an address of either kind.
    async fn address(&self, name: &str) -> Found<()> {
        match self.ipv4(name).await {
            Found::Absent(Absent::Record) => {
                let is_address = |data: &RData| matches!(data, RData::AAAA(_)).then_some(());
                lookup(&self.resolver, name, RecordType::AAAA, is_address).await.map(|_| ())
            }
            found => found.map(|_| ()),
        }
    }
}

impl fmt::Debug for Dns {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Dns").field("blocklists", &self.blocklists).finish_non_exhaustive()
    }
}

fn resolver(settings: &Settings, keeps_answers: bool) -> Result<TokioResolver, NoResolver> {
    let refused = |error: NetError| NoResolver(error.to_string());
    let mut builder = match settings.server {
        None => TokioResolver::builder_tokio().map_err(refused)?,
        Some(server) => {
            let mut name_server = NameServerConfig::udp_and_tcp(server.ip());
            name_server.connections.iter_mut().for_each(|c| c.port = server.port());
            let config = ResolverConfig::from_parts(None, vec![], vec![name_server]);
            TokioResolver::builder_with_config(config, TokioRuntimeProvider::default())
        }
    };
    let options = builder.options_mut();
    options.timeout = settings.timeout;
    options.attempts = settings.tries;
    options.use_hosts_file = ResolveHosts::Never;
    options.positive_min_ttl = Some(KEPT_MIN);
    options.negative_min_ttl = Some(KEPT_MIN);
    options.positive_max_ttl = Some(KEPT_MAX);
    options.negative_max_ttl = Some(ABSENCE_KEPT_MAX);
    if !keeps_answers {
        options.cache_size = 0;
    }
    builder.build().map_err(refused)
}

async fn lookup<T>(
    resolver: &TokioResolver,
    name: &str,
    kind: RecordType,
    read: impl Fn(&RData) -> Option<T>,
) -> Found<Vec<T>> {
    // With the dot at its end no search list is tried.
    let Ok(name) = Name::from_utf8(format!("{}.", name.trim_end_matches('.'))) else {
        return Found::Absent(Absent::Name);
    };
    let answer: Result<Lookup, NetError> = resolver.lookup(name, kind).await;
    match answer {
        Ok(lookup) => {
            let read: Vec<T> = lookup.answers().iter().filter_map(|r| read(&r.data)).collect();
            // A chain of CNAMEs that ends in nothing of that type.
            if read.is_empty() { Found::Absent(Absent::Record) } else { Found::Is(read) }
        }
        Err(error) => of_error(&error),
    }
}

/// What an error says. In words of our own: the library's hold the name that was asked.
fn of_error<T>(error: &NetError) -> Found<T> {
    let failed = |code: &ResponseCode| match *code {
        ResponseCode::ServFail => "its name servers fail (SERVFAIL)".to_owned(),
        ResponseCode::Refused => "its name servers refuse to answer (REFUSED)".to_owned(),
        code => format!("its name servers answer with an error ({})", u16::from(code)),
    };
    let why = match error {
        NetError::Dns(DnsError::NoRecordsFound(none)) => match none.response_code {
            ResponseCode::NXDomain => return Found::Absent(Absent::Name),
            ResponseCode::NoError => return Found::Absent(Absent::Record),
            code => failed(&code),
        },
        NetError::Dns(DnsError::ResponseCode(code)) => failed(code),
        NetError::Timeout => "no answer in time".to_owned(),
        NetError::Io(_) | NetError::NoConnections | NetError::Busy => {
            "the DNS server cannot be reached".to_owned()
        }
        NetError::Truncated => "an answer too long for UDP, and none over TCP".to_owned(),
        _ => "an answer that cannot be read".to_owned(),
    };
    Found::Unknown(why)
}

/// A name without the dot at its end.
fn bare(name: &Name) -> String {
    name.to_utf8().trim_end_matches('.').to_ascii_lowercase()
}

/// No answer is asked for again within this, whatever it says of itself.
const KEPT_MIN: Duration = Duration::from_secs(60);

/// Nor is one kept for longer.
const KEPT_MAX: Duration = Duration::from_secs(24 * 60 * 60);

/// What was not there may be published by now; whoever mends a domain is waiting.
const ABSENCE_KEPT_MAX: Duration = Duration::from_secs(30 * 60);
