//! Every limit of every preset, from the table to what the books and a connection count by. The table
//! is read here by itself, so that a column that nobody reads would be found out.

use std::collections::BTreeMap;

use warmfront_core::provider::SESSIONS_MOST;
use warmfront_engine::clock::Clock;
use warmfront_engine::tokens::{Duty, TokenKeeper};
use warmfront_mail::smtp::{Account, ConnectionLimits};
use warmfront_store::{Durability, MailboxRow, Store};

use super::*;
use crate::logins::Logins;
use crate::{key, wiring};

/// A row of the table.
struct Printed(BTreeMap<String, String>);

impl Printed {
    /// All rows whose mailboxes may be configured.
    fn all() -> Vec<Self> {
        let table = include_str!("../../../../core/src/providers.csv");
        let rows = csv::Reader::from_reader(table.as_bytes()).into_deserialize();
        let rows = rows.map(|row| Self(row.unwrap()));
        rows.filter(|row: &Self| row.text("cold_mail") != "no").collect()
    }

    fn text(&self, column: &str) -> &str {
        self.0.get(column).unwrap_or_else(|| panic!("no column `{column}`"))
    }

    fn name(&self) -> &str {
        self.text("name")
    }

    fn figure(&self, column: &str) -> Option<u32> {
        let text = self.text(column);
        (!text.is_empty()).then(|| text.parse().unwrap())
    }

    /// A mailbox here, on a server of this machine that asks for nothing.
    fn mailbox(&self, more: &str) -> String {
        format!(
            "[defaults]\ntimezone = \"UTC\"\n[[mailbox]]\naddress = \"ann@x.example\"\n\
             provider = \"{}\"\nsmtp = {{ host = \"127.0.0.1\" }}\n{more}\n",
            self.name()
        )
    }

    /// What may be sent in a day where nobody publishes it.
    fn a_day(&self) -> u32 {
        self.figure("limit_per_day").unwrap_or(500)
    }
}

/// The mailbox as the books have it, and how its server is spoken to.
async fn in_use(text: &str) -> (MailboxRow, Account) {
    let config = loaded(text);
    let store = Store::open("sqlite::memory:", Durability::None).await.unwrap();
    let specs = wiring::fleet(&config, wiring::Readers::Imap).specs();
    store.write_fleet(&specs, "2026-03-02", 0).await.unwrap();
    let keys = key::source(&config);
    let keeper =
        TokenKeeper::new(store.clone(), Clock::Wall, "tests".to_owned(), keys, Duty::Looks);
    let account = wiring::submission(&config.mailboxes[0], &Logins::new(keeper)).unwrap();
    (store.mailboxes().await.unwrap().remove(0), account)
}

#[tokio::test]
async fn every_limit_of_every_preset_is_what_its_mailboxes_are_held_to() {
    let rows = Printed::all();
    assert!(rows.len() > 20, "{}", rows.len());
    for row in rows {
        let (name, a_day) = (row.name(), row.a_day());
        // A day: fifty, or a tenth of the limit; the tenth by asking, no more without an override, and
        // never more than the limit.
        let (usual, account) = in_use(&row.mailbox("")).await;
        assert_eq!((usual.provider.as_str(), usual.cap), (name, 50.min(a_day / 10)), "{name}");
        let cap = |cap: u32, more: &str| row.mailbox(&format!("cap = {cap}\n{more}"));
        assert_eq!(in_use(&cap(a_day / 10, "")).await.0.cap, a_day / 10, "{name}");
        assert_eq!(in_use(&cap(a_day, "override = true")).await.0.cap, a_day, "{name}");
        for (text, why) in [
            (cap(a_day / 10 + 1, ""), "above 10 % of the limit"),
            (cap(a_day + 1, "override = true"), "above the whole limit"),
        ] {
            let refused = said(&text, &[Severity::Refusal]);
            let says = format!("of `{name}`, {a_day} messages a day");
            let one =
                matches!(refused.as_slice(), [one] if one.contains(why) && one.contains(&says));
            assert!(one, "{name}: {refused:?}");
        }
        // A minute: no two attempts closer than the rate allows, whatever the operator says.
        let by_rate =
            row.figure("limit_per_minute").map_or(0, |rate| i64::from(60_000_u32.div_ceil(rate)));
        assert_eq!(usual.gap_ms, by_rate.max(4 * MINUTE), "{name}");
        let hasty = row.mailbox("gap = \"0s\"\noverride = true");
        assert_eq!(in_use(&hasty).await.0.gap_ms, by_rate, "{name}");
        // A session, and how many of them.
        let usual = ConnectionLimits::default().messages;
        let in_one = row.figure("messages_per_connection").map_or(usual, |most| most.min(usual));
        assert_eq!((account.limits.messages, usual), (in_one, 20), "{name}");
        assert!(row.figure("connections").is_none_or(|most| most >= SESSIONS_MOST), "{name}");
    }
}

#[test]
fn a_tenant_is_held_to_half_of_what_the_formula_prints() {
    for licences in [0_u32, 1, 2, 25, 300, 5_000] {
        let text = format!(
            "[tenant.acme]\nkind = \"microsoft365\"\nlicences = {licences}\n[[mailbox]]\n\
             address = \"ann@x.example\"\nprovider = \"microsoft365\"\ntenant = \"acme\"\n\
             smtp = {{ host = \"127.0.0.1\" }}\n"
        );
        let fleet = wiring::fleet(&loaded(&text), wiring::Readers::Imap);
        let printed = match licences {
            0 => 5_000.0,
            licences => (500.0 * f64::from(licences).powf(0.7)).round() + 9_500.0,
        };
        let budget = f64::from(fleet.tenants["acme"]);
        assert!(
            (budget - (printed / 2.0).floor()).abs() < 0.5,
            "{licences}: {budget} of {printed}"
        );
        assert_eq!(fleet.specs()[0].tenant.as_deref(), Some("acme"));
    }
}

#[test]
fn what_an_account_is_given_is_given_to_all_its_mailboxes_together() {
    for (name, limit) in [("amazon-ses", 200), ("resend", 100)] {
        let fleet_of = |tenant: &str, of_mailbox: &str| {
            let mailbox = |who: &str| {
                format!(
                    "[[mailbox]]\naddress = \"{who}@x.example\"\nprovider = \"{name}\"\n\
                     smtp = {{ host = \"127.0.0.1\" }}\ngap = \"0s\"\noverride = true\n\
                     {of_mailbox}\n"
                )
            };
            let text = format!("{tenant}\n{}{}", mailbox("ann"), mailbox("bob"));
            let fleet = wiring::fleet(&loaded(&text), wiring::Readers::Imap);
            let of: Vec<_> = fleet.specs().iter().map(|spec| spec.tenant.clone()).collect();
            assert_eq!(of[0], of[1], "{name}");
            // Nor does the account's minute hold one too many.
            let rate = if name == "resend" { 120 } else { 60 };
            assert!(fleet.mailboxes.values().all(|one| one.spacing() == 2 * 60_000 / rate));
            fleet.tenants[of[0].as_ref().unwrap()]
        };
        // Where nobody names it they are all taken for one account's.
        assert_eq!(fleet_of("", ""), limit / 2);
        let own = format!("[tenant.acme]\nkind = \"{name}\"\n");
        assert_eq!(fleet_of(&own, "tenant = \"acme\""), limit / 2);
        assert_eq!(fleet_of(&format!("{own}per_day = 5000"), "tenant = \"acme\""), 2_500);
    }
}
