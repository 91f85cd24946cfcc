//! The walk through an SPF record, as a receiver goes for mail of the provider: RFC 7208, section 4.6.

use std::net::{Ipv4Addr, Ipv6Addr};
use std::pin::Pin;

use mail_auth::common::parse::TxtRecordParser as _;
use mail_auth::spf::{Directive, Macro, Mechanism, Qualifier, Spf};
use warmfront_core::domain::{
    Absent, Cover, Found, LOOKUPS_MAX, SpfAll, SpfRecord, SpfWalk, VOIDS_MAX,
};

use super::Dns;

/// Asks for the record of `domain` and walks through it; `provider` is whose record it should come to.
pub(super) async fn ask(dns: &Dns, domain: &str, provider: Option<&str>) -> Found<SpfRecord> {
    let mut texts = match records(dns, domain).await {
        Found::Is(texts) => texts,
        Found::Absent(absent) => return Found::Absent(absent),
        Found::Unknown(why) => return Found::Unknown(why),
    };
    if texts.len() > 1 {
        return Found::Is(SpfRecord::Several(texts));
    }
    let Some(text) = texts.pop() else { return Found::Absent(Absent::Record) };
    let mut walk = Walk::new(dns, provider);
    walk.through(domain, &text, Standing::outermost()).await;
    let cover = match provider {
        None => Found::Is(Cover::NotKnown),
        Some(_) if walk.is_covered => Found::Is(Cover::Included),
        Some(provider) => match walk.unknown {
            Some(why) => Found::Unknown(why),
            None => listed(dns, provider, &walk.networks).await,
        },
    };
    let Walk { lookups, voids, all, broken, .. } = walk;
    Found::Is(SpfRecord::One(SpfWalk { text, lookups, voids, all, broken, cover }))
}

/// The SPF records at a name: RFC 7208, section 4.5.
async fn records(dns: &Dns, name: &str) -> Found<Vec<String>> {
    let is_spf = |text: &String| {
        text.split(' ').next().is_some_and(|version| version.eq_ignore_ascii_case("v=spf1"))
    };
    match dns.txt(name).await {
        Found::Is(texts) => {
            let texts = texts.iter().map(|text| String::from_utf8_lossy(text).into_owned());
            let spf: Vec<String> = texts.filter(is_spf).collect();
            if spf.is_empty() { Found::Absent(Absent::Record) } else { Found::Is(spf) }
        }
        Found::Absent(absent) => Found::Absent(absent),
        Found::Unknown(why) => Found::Unknown(why),
    }
}

/// Whether networks of the provider stand in the record though its own record does not.
async fn listed(dns: &Dns, provider: &str, networks: &[Network]) -> Found<Cover> {
    let text = match records(dns, provider).await {
        Found::Is(mut texts) => texts.pop().unwrap_or_default(),
        // Nobody can say what the provider has none of.
        Found::Absent(_) => return Found::Unknown("the provider's own record is gone".to_owned()),
        Found::Unknown(why) => return Found::Unknown(why),
    };
    let mut theirs = Walk::new(dns, None);
    theirs.through(provider, &text, Standing::outermost()).await;
    if let Some(why) = theirs.unknown {
        return Found::Unknown(why);
    }
    let stands = |their: &Network| networks.iter().any(|ours| ours.holds(*their));
    let any = theirs.networks.iter().any(stands);
    Found::Is(if any { Cover::Listed } else { Cover::Missing })
}

/// A network of senders.
#[derive(Clone, Copy, Debug)]
struct Network {
    address: u32,
    mask: u32,
}

impl Network {
    fn of(address: Ipv4Addr, mask: u32) -> Self {
        Self { address: u32::from(address) & mask, mask }
    }

    fn holds(self, other: Self) -> bool {
        self.mask & other.mask == self.mask && other.address & self.mask == self.address
    }
}

/// How a record stands in the walk.
#[derive(Clone, Copy, Debug)]
struct Standing {
    /// Whether it is the domain's own, or in its place.
    is_outermost: bool,
    /// Whether what passes in it passes.
    passes: bool,
}

impl Standing {
    fn outermost() -> Self {
        Self { is_outermost: true, passes: true }
    }
}

type Following<'a> = Pin<Box<dyn Future<Output = ()> + Send + 'a>>;

struct Walk<'a> {
    dns: &'a Dns,
    provider: Option<&'a str>,
    lookups: u32,
    voids: u32,
    all: Option<SpfAll>,
    broken: Option<String>,
    unknown: Option<String>,
    is_covered: bool,
    /// Whether the evaluation for the provider's mail has ended without a pass.
    is_refused: bool,
    networks: Vec<Network>,
}

impl<'a> Walk<'a> {
    fn new(dns: &'a Dns, provider: Option<&'a str>) -> Self {
        Self {
            dns,
            provider,
            lookups: 0,
            voids: 0,
            all: None,
            broken: None,
            unknown: None,
            is_covered: false,
            is_refused: false,
            networks: Vec::new(),
        }
    }

    /// Goes through a record, term by term.
    async fn through(&mut self, domain: &str, text: &str, standing: Standing) {
        let record = match (Spf::parse(text.as_bytes()), misspelt(text)) {
            (Ok(record), None) => record,
            (_, Some(term)) => {
                self.break_off(format!("`{term}` in the record of {domain} is no SPF term"));
                return;
            }
            (Err(_), None) => {
                self.break_off(format!("the record of {domain} cannot be read: {text}"));
                return;
            }
        };
        for directive in &record.directives {
            if let Mechanism::All = directive.mechanism {
                self.end(&directive.qualifier, standing);
                return;
            }
            self.term(domain, directive, standing).await;
            if self.lookups > WALK_MAX {
                return;
            }
        }
        if let Some(target) = &record.redirect {
            self.count();
            match name_of(target, domain) {
                Some(target) => self.follow(&target, standing).await,
                None => self.depends(),
            }
        }
    }

    async fn term(&mut self, domain: &str, directive: &Directive, standing: Standing) {
        let passes = standing.passes && directive.qualifier == Qualifier::Pass;
        match &directive.mechanism {
            Mechanism::Include { macro_string } => {
                self.count();
                let inner = Standing { is_outermost: false, passes };
                match name_of(macro_string, domain) {
                    Some(target) if self.is_provider(&target) => {
                        self.meet_provider(passes, standing);
                        self.follow(&target, inner).await;
                    }
                    Some(target) => self.follow(&target, inner).await,
                    None => self.depends(),
                }
            }
            Mechanism::A { macro_string, ip4_mask, .. } => {
                self.count();
                match name_of(macro_string, domain) {
                    Some(name) => self.addresses(&name, *ip4_mask, passes).await,
                    None => self.depends(),
                }
            }
            Mechanism::Mx { macro_string, ip4_mask, .. } => {
                self.count();
                match name_of(macro_string, domain) {
                    Some(name) => self.exchanges(&name, *ip4_mask, passes).await,
                    None => self.depends(),
                }
            }
            Mechanism::Ip4 { addr, mask } => self.senders(Network::of(*addr, *mask), passes),
            // Which names an address has, and what is asked for it, depends on the address.
            Mechanism::Ptr { .. } | Mechanism::Exists { .. } => {
                self.count();
                self.depends();
            }
            Mechanism::Ip6 { .. } | Mechanism::All => {}
        }
    }

    fn is_provider(&self, target: &str) -> bool {
        self.provider.is_some_and(|provider| provider.eq_ignore_ascii_case(target))
    }

    /// The provider's record is reached: for its mail the evaluation ends here.
    fn meet_provider(&mut self, passes: bool, standing: Standing) {
        let goes_on = self.broken.is_none() && !self.is_refused;
        self.is_covered |= passes && goes_on;
        self.is_refused |= standing.is_outermost && !passes;
    }

    /// What `all` says. Behind it nobody looks.
    fn end(&mut self, qualifier: &Qualifier, standing: Standing) {
        let said = match qualifier {
            Qualifier::Pass => SpfAll::Pass,
            Qualifier::Fail => SpfAll::Fail,
            Qualifier::SoftFail => SpfAll::SoftFail,
            Qualifier::Neutral => SpfAll::Neutral,
        };
        let lets_all = said == SpfAll::Pass && standing.passes;
        if lets_all || (standing.is_outermost && self.all.is_none()) {
            self.all = Some(said);
        }
        let goes_on = self.broken.is_none() && !self.is_refused;
        self.is_covered |= said == SpfAll::Pass && standing.passes && goes_on;
    }

    /// Goes on with the record of another name, in place of this or within it. Boxed, for records
    /// lead to records.
    fn follow<'s>(&'s mut self, target: &'s str, standing: Standing) -> Following<'s> {
        Box::pin(async move {
            if self.lookups > WALK_MAX {
                return;
            }
            match records(self.dns, target).await {
                Found::Is(texts) if texts.len() == 1 => {
                    self.through(target, &texts[0], standing).await;
                }
                Found::Is(_) => self.break_off(format!("{target} has several SPF records")),
                Found::Absent(_) => {
                    self.void();
                    self.break_off(format!("{target} has no SPF record"));
                }
                Found::Unknown(why) => self.miss(why),
            }
        })
    }

    async fn addresses(&mut self, name: &str, mask: u32, passes: bool) {
        match self.dns.ipv4(name).await {
            Found::Is(all) => {
                all.into_iter().for_each(|a| self.senders(Network::of(a, mask), passes));
            }
            Found::Absent(Absent::Record) => match self.dns.address(name).await {
                Found::Is(()) => {}
                Found::Absent(_) => self.void(),
                Found::Unknown(why) => self.miss(why),
            },
            Found::Absent(Absent::Name) => self.void(),
            Found::Unknown(why) => self.miss(why),
        }
    }

    async fn exchanges(&mut self, name: &str, mask: u32, passes: bool) {
        match self.dns.mx(name).await {
            Found::Is(all) if all.len() > EXCHANGES_MAX => {
                self.break_off(format!("`mx` of {name} names more than {EXCHANGES_MAX} servers"));
            }
            Found::Is(all) => {
                for (_, exchange) in all {
                    match self.dns.ipv4(&exchange).await {
                        Found::Is(all) => {
                            all.into_iter().for_each(|a| self.senders(Network::of(a, mask), passes))
                        }
                        Found::Absent(_) => {}
                        Found::Unknown(why) => self.miss(why),
                    }
                }
            }
            Found::Absent(_) => self.void(),
            Found::Unknown(why) => self.miss(why),
        }
    }

    fn senders(&mut self, network: Network, passes: bool) {
        if passes && self.broken.is_none() {
            self.networks.push(network);
        }
    }

    fn count(&mut self) {
        self.lookups += 1;
        if self.lookups > LOOKUPS_MAX {
            self.break_off(format!("it takes more than {LOOKUPS_MAX} lookups"));
        }
    }

    fn void(&mut self) {
        self.voids += 1;
        if self.voids > VOIDS_MAX {
            self.break_off(format!("more than {VOIDS_MAX} of its lookups find nothing"));
        }
    }

    /// The first thing that breaks it is the one to mend.
    fn break_off(&mut self, why: String) {
        self.broken.get_or_insert(why);
    }

    /// What was not answered may have been what lets the provider pass.
    fn miss(&mut self, why: String) {
        if self.broken.is_none() {
            self.unknown.get_or_insert(why);
        }
    }

    fn depends(&mut self) {
        self.miss("it depends on the address that sends".to_owned());
    }
}

/// A term that makes a receiver give up and that the library passes over: a mechanism nobody knows, an
/// address that is none (RFC 7208, section 4.6.1). Modifiers nobody knows are allowed.
fn misspelt(text: &str) -> Option<&str> {
    text.split_ascii_whitespace().skip(1).find(|term| {
        let bare = term.trim_start_matches(['+', '-', '~', '?']);
        let (name, rest) = bare.split_at(bare.find([':', '/', '=']).unwrap_or(bare.len()));
        let address = rest.trim_start_matches(':').split('/').next().unwrap_or_default();
        match name.to_ascii_lowercase().as_str() {
            _ if rest.starts_with('=') => false,
            "ip4" => address.parse::<Ipv4Addr>().is_err(),
            "ip6" => address.parse::<Ipv6Addr>().is_err(),
            "all" | "include" | "a" | "mx" | "ptr" | "exists" => false,
            _ => true,
        }
    })
}

/// The name that a term is about. `None`: it depends on the message.
fn name_of(said: &Macro, domain: &str) -> Option<String> {
    match said {
        Macro::None => Some(domain.to_owned()),
        Macro::Literal(name) => {
            let name = String::from_utf8_lossy(name);
            Some(name.trim_end_matches('.').to_ascii_lowercase())
        }
        Macro::Variable { .. } | Macro::List(_) => None,
    }
}

/// How far a record is followed once it is broken: to tell its size, and no farther.
const WALK_MAX: u32 = 30;

/// RFC 7208, section 4.6.4.
const EXCHANGES_MAX: usize = 10;
