//! What was found in the DNS of a domain, before anybody judges it.

use jiff::civil::Date;

use super::blocklist::{Code, List};
use super::dmarc::DmarcRecord;
use super::host::Host;

/// What a question came to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Found<T> {
    /// An answer.
    Is(T),
    /// The answer that there is none.
    Absent(Absent),
    /// No answer, or one that says nothing: an outage, never a failure.
    Unknown(String),
}

/// What is not there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Absent {
    /// The name itself: NXDOMAIN.
    Name,
    /// A record of that type.
    Record,
}

impl<T> Found<T> {
    /// The same with another answer.
    pub fn map<U>(self, change: impl FnOnce(T) -> U) -> Found<U> {
        match self {
            Self::Is(answer) => Found::Is(change(answer)),
            Self::Absent(absent) => Found::Absent(absent),
            Self::Unknown(why) => Found::Unknown(why),
        }
    }

    /// The answer.
    pub fn answer(&self) -> Option<&T> {
        match self {
            Self::Is(answer) => Some(answer),
            Self::Absent(_) | Self::Unknown(_) => None,
        }
    }
}

/// Everything a judgement goes by.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Facts {
    /// The domain, without the dot at its end.
    pub domain: String,
    /// The provider its mailboxes send through, where it is one whose records are known.
    pub host: Option<Host>,
    /// Other such providers that its mailboxes send through, each with facts of its own.
    pub beside: Vec<Host>,
    /// Whether some of its mailboxes are at providers of whom nothing is known.
    pub is_elsewhere: bool,
    /// Whether the DNS knows the name.
    pub exists: Found<()>,
    /// Its SPF.
    pub spf: Found<SpfRecord>,
    /// Its DKIM keys, a selector each.
    pub dkim: Vec<Selector>,
    /// Whether the operator named the selectors.
    pub selectors_told: bool,
    /// The names asked for a DMARC policy, from the domain upwards.
    pub dmarc: Vec<(String, Found<DmarcRecord>)>,
    /// Where answers go.
    pub mx: Found<Vec<Exchange>>,
    /// Whether the domain has an address of its own, which serves where it has no MX (RFC 5321,
    /// section 5.1).
    pub address: Found<()>,
    /// The lists of bad domains that were asked.
    pub listings: Vec<Listing>,
    /// When it was registered, where the operator says.
    pub registered: Option<Date>,
    /// The day of the judgement.
    pub today: Date,
    /// The most that all mailboxes of its organisation may send in a day.
    pub most_a_day: u32,
}

/// What is published as SPF.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SpfRecord {
    /// More records than one: RFC 7208, section 4.5.
    Several(Vec<String>),
    /// One, and what a receiver makes of it.
    One(SpfWalk),
}

/// A walk through an SPF record and all that it includes, as a receiver goes for mail of the provider.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SpfWalk {
    /// The record.
    pub text: String,
    /// Terms that ask the DNS, all that a receiver may come to: RFC 7208, section 4.6.4.
    pub lookups: u32,
    /// Lookups that found nothing.
    pub voids: u32,
    /// What `all` says at the end.
    pub all: Option<SpfAll>,
    /// What makes receivers give up with `permerror`, the first such thing.
    pub broken: Option<String>,
    /// Whether mail of the provider passes.
    pub cover: Found<Cover>,
}

/// What an `all` says of everybody who is not named before it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SpfAll {
    /// `+all`: they may.
    Pass,
    /// `-all`: they may not.
    Fail,
    /// `~all`: they had better not.
    SoftFail,
    /// `?all`: nothing.
    Neutral,
}

/// Whether SPF lets the provider send.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cover {
    /// Its own record is reached, and passes.
    Included,
    /// Networks of it are listed without its record: right today.
    Listed,
    /// It is not, or only behind what makes receivers give up.
    Missing,
    /// Which networks are the provider's nobody here knows.
    NotKnown,
}

/// A DKIM selector and what stands there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Selector {
    /// Its name.
    pub name: String,
    /// Its key.
    pub key: Found<DkimKey>,
}

/// What is published as a key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum DkimKey {
    /// A key of so many bits; an Ed25519 key counts as none too short.
    Bits(u32),
    /// `p=` is empty: revoked (RFC 6376, section 3.6.1).
    Revoked,
    /// No key can be made of it, or one that receivers must not take.
    Broken(String),
}

/// A server that takes mail for the domain.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Exchange {
    /// How early it is tried; the lowest first.
    pub preference: u16,
    /// Its name, without the dot at the end; empty is the null MX (RFC 7505).
    pub name: String,
    /// Whether it has an address.
    pub address: Found<()>,
}

/// What a list of bad domains answered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Listing {
    /// The list.
    pub list: List,
    /// Its answer, if it answers as it should at all.
    pub codes: Found<Vec<Code>>,
}
