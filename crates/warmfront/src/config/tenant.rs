//! Accounts above mailboxes, whose limit of a day all their mailboxes share.

use std::collections::BTreeMap;

use warmfront_campaigns::document::{Located, Section};
use warmfront_core::problem::{Problem, nearest};
use warmfront_core::provider::{LimitOf, Preset, Presets, tenant_budget};

use super::Mailbox;

/// Whose mailboxes share a limit.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Tenant {
    /// Microsoft's, by count of paid licences; none is a trial.
    Microsoft365 { licences: u32 },
    /// An account of a service that counts all its senders together, and what it is given.
    Account { service: String, per_day: u32 },
}

impl Tenant {
    /// Recipients of a civil day, all its mailboxes together: the half of what is given for any 24 hours,
    /// which two days side by side cannot pass.
    pub(crate) fn per_day(&self) -> u32 {
        match self {
            Self::Microsoft365 { licences } => tenant_budget(*licences),
            Self::Account { per_day, .. } => per_day / 2,
        }
    }

    /// Whether mailboxes of that provider may share it.
    fn takes(&self, preset: &Preset) -> bool {
        match self {
            Self::Microsoft365 { .. } => of_account(preset).is_none(),
            Self::Account { service, .. } => *service == preset.name,
        }
    }
}

/// All that are declared: `[tenant.NAME]`.
pub(super) fn read(
    mut section: Section<'_>,
    presets: &Presets,
    problems: &mut Vec<Problem>,
) -> BTreeMap<String, Tenant> {
    let names: Vec<&str> = section.keys().map(|key| key.value).collect();
    let mut tenants = BTreeMap::new();
    for name in names {
        let Some(section) = section.section(name, problems) else { continue };
        if let Some(tenant) = one(section, presets, problems) {
            tenants.insert(name.to_owned(), tenant);
        }
    }
    tenants
}

fn one(mut section: Section<'_>, presets: &Presets, problems: &mut Vec<Problem>) -> Option<Tenant> {
    let kind = section.parsed("kind", |kind| self::kind(kind, presets), problems);
    let kind = section.required("kind", kind, problems).map(|kind| kind.value);
    let mut licences = section.integer("licences", 0..=i64::from(u32::MAX), problems);
    let per_day = section.integer("per_day", 2..=i64::from(u32::MAX), problems);
    if !matches!(kind, Some(Kind::Account(..))) {
        licences = section.required("licences", licences, problems);
    }
    let stray = match &kind {
        Some(Kind::Microsoft365) => per_day.as_ref().map(|is| ("per_day", is.line, "`licences`")),
        Some(Kind::Account(..)) => licences.as_ref().map(|is| ("licences", is.line, "`per_day`")),
        None => None,
    };
    if let Some((key, line, instead)) = stray {
        let what = format!("`{key}`{}: its `kind` is counted by {instead}", section.place());
        problems.push(section.problem(line, what));
    }
    section.finish(problems);
    Some(match kind? {
        Kind::Microsoft365 => Tenant::Microsoft365 { licences: licences?.value },
        Kind::Account(service, usual) => {
            Tenant::Account { service, per_day: per_day.map_or(usual, |is| is.value) }
        }
    })
}

/// Which rule a limit follows.
enum Kind {
    /// Microsoft's external recipients by count of licences.
    Microsoft365,
    /// The figure of an account of that service; with what every one is given.
    Account(String, u32),
}

fn kind(text: &str, presets: &Presets) -> Result<Kind, String> {
    let known = || {
        let accounts = presets.iter().filter(|preset| of_account(preset).is_some());
        let names = accounts.map(|preset| format!("\"{}\"", preset.name));
        ["\"microsoft365\"".to_owned()].into_iter().chain(names).collect::<Vec<_>>().join(", ")
    };
    match presets.find(text) {
        Some(preset) if preset.name == "microsoft365" => Ok(Kind::Microsoft365),
        Some(preset) => match of_account(preset) {
            Some(limit) => Ok(Kind::Account(preset.name.clone(), limit)),
            None => Err(format!(
                "`{}` publishes no limit for a whole tenant; leave the tenant out (only {} have one)",
                preset.name,
                known()
            )),
        },
        None => Err(format!("`{text}` is no kind of tenant; write one of {}", known())),
    }
}

/// The tenant that a mailbox names, where its provider counts by such.
pub(super) fn named(
    section: &mut Section<'_>,
    preset: Option<&Preset>,
    tenants: &BTreeMap<String, Tenant>,
    problems: &mut Vec<Problem>,
) -> Option<String> {
    let Located { value: name, line } = section.text("tenant", problems)?;
    let place = section.place();
    let what = match (tenants.get(&name), preset) {
        (Some(tenant), Some(preset)) if !tenant.takes(preset) => {
            format!("`tenant`{place}: `{}` has no part in [tenant.{name}]", preset.name)
        }
        (Some(_), _) => return Some(name),
        (None, _) => {
            let hint = match nearest(&name, tenants.keys().map(String::as_str)) {
                Some(near) => format!("did you mean `{near}`?"),
                None => format!("declare it as [tenant.{name}]"),
            };
            format!("`{name}`{place} is no tenant; {hint}")
        }
    };
    problems.push(section.problem(line, what));
    None
}

/// The tenant of a mailbox that names none, where its provider counts whole accounts: all such are
/// taken for one account's.
pub(super) fn unsaid(preset: &Preset) -> Option<String> {
    of_account(preset).map(|_| preset.name.clone())
}

/// Declares those that nobody wrote down; says where their name is another's.
pub(super) fn add_unsaid(
    mailboxes: &[Mailbox],
    tenants: &mut BTreeMap<String, Tenant>,
) -> Option<String> {
    let mut taken = None;
    for Mailbox { provider, tenant, .. } in mailboxes {
        let (Some(name), Some(per_day)) = (tenant, of_account(provider)) else { continue };
        let service = provider.name.clone();
        let own = tenants.entry(name.clone()).or_insert(Tenant::Account { service, per_day });
        if !own.takes(provider) {
            taken = Some(format!(
                "mailboxes of `{}` that name no `tenant` have one of that name, and [tenant.{name}] \
                 is another's; call that one otherwise",
                provider.name
            ));
        }
    }
    taken
}

/// What is said of Microsoft mailboxes that name no tenant, where all of them together could pass what
/// the smallest tenant is given: nobody counts them together.
pub(super) fn nobody_s(mailboxes: &[Mailbox]) -> Option<String> {
    let is_its = |preset: &Preset| WAYS.contains(&preset.name.as_str());
    let is_one = |one: &&Mailbox| is_its(&one.provider) && one.tenant.is_none();
    let caps: u64 = mailboxes.iter().filter(is_one).map(|one| u64::from(one.cap)).sum();
    let least = tenant_budget(1);
    (caps > u64::from(least)).then(|| {
        format!(
            "mailboxes at Microsoft that name no `tenant` may send {caps} messages a day \
             together, and a tenant of one licence is given {least}; write [tenant.NAME] with \
             `kind` and `licences`, and `tenant = \"NAME\"` on each"
        )
    })
}

fn of_account(preset: &Preset) -> Option<u32> {
    preset.limit_per_day.filter(|_| preset.limit_of == LimitOf::Account)
}

/// The ways to outside recipients through a tenant of Microsoft's.
const WAYS: [&str; 2] = ["microsoft365", "m365-relay-connector"];
