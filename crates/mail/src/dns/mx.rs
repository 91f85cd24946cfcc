//! Where answers go, and whether the servers there have addresses.

use warmfront_core::domain::{Absent, Exchange, Found};

use super::Dns;

/// Looks the addresses of exchanges up.
pub(super) async fn ask(dns: &Dns, exchanges: Found<Vec<(u16, String)>>) -> Found<Vec<Exchange>> {
    let named = match exchanges {
        Found::Is(named) => named,
        Found::Absent(absent) => return Found::Absent(absent),
        Found::Unknown(why) => return Found::Unknown(why),
    };
    let mut found = Vec::new();
    for (preference, name) in named.into_iter().take(EXCHANGES_MAX) {
        let address = match name.as_str() {
            "" => Found::Absent(Absent::Record),
            name => dns.address(name).await,
        };
        found.push(Exchange { preference, name, address });
    }
    Found::Is(found)
}

/// Nobody has more that matter.
const EXCHANGES_MAX: usize = 10;
