//! The demonstration's fleet and its people: made up, by seed.

use rand::{Rng, RngExt as _};
use warmfront_core::rng;

/// Everybody at this company is on the suppression list.
pub(super) const SUPPRESSED: &str = "firm-7.example";

/// A `warmfront.toml` with twenty mailboxes on four domains, five with a start in their warmth.
pub(super) fn configuration() -> String {
    let mut text = String::from(
        "# The fleet of the demonstration: twenty mailboxes in a pretend world.\n\
         [store]\nurl = \"sqlite://demo.db\"\n\n\
         [sender]\nlegal_name = \"Ledger & Daughters Ltd\"\n\
         postal_address = \"1 Main Street, Springfield, IL 62701, USA\"\n\n\
         [defaults]\ncap = 50\nwarmup = { start = 5, step = 2 }\ngap = \"4m\"\n\
         timezone = \"America/New_York\"\n",
    );
    for domain in
        ["ledger-mail.example", "ledger-team.example", "tryledger.example", "getledger.example"]
    {
        for (name, warm_days) in
            [("Ann Lee", 0), ("Bob Roy", 0), ("Cat May", 0), ("Dan Fox", 4), ("Eve Orr", 10)]
        {
            let local = name.split(' ').next().unwrap_or(name).to_lowercase();
            text += &format!(
                "\n[[mailbox]]\naddress = \"{local}@{domain}\"\nname = \"{name}\"\nprovider = \"smtp\"\n\
                 smtp = {{ host = \"127.0.0.1\", port = 2587, tls = \"none\" }}\nwarm_days = {warm_days}\n"
            );
        }
    }
    text
}

/// The example's own list, and as many more rows as the days may need. A few are as bad as rows in
/// real lists are.
pub(super) fn list(example: &str, seed: u64, days: u32) -> String {
    let mut text = example.trim_end().to_owned();
    let mut rng = rng::stream(seed, &[PURPOSE]);
    for number in 0..u64::from(days) * ROWS_A_DAY {
        text.push('\n');
        text += &row(number, &mut rng);
    }
    text.push('\n');
    text
}

fn row(number: u64, rng: &mut impl Rng) -> String {
    let first = FIRST_NAMES[rng.random_range(0..FIRST_NAMES.len())];
    let last = LAST_NAMES[rng.random_range(0..LAST_NAMES.len())];
    // Companies with a few people each, so that company limits have something to do.
    let company = rng.random_range(0..1 + number / 2);
    let industry = INDUSTRIES[rng.random_range(0..INDUSTRIES.len())];
    let (country, zone) = PLACES[rng.random_range(0..PLACES.len())];
    let local = format!("{}.{}{number}", first.to_lowercase(), last.to_lowercase());
    let email = match rng.random_range(0..400) {
        0 => format!("{local}.firm-{company}.example"),
        1 => format!("{local}@firm {company}.example"),
        _ => format!("{local}@firm-{company}.example"),
    };
    format!("{email},{first},{last},Firm {company},,{country},{zone},{industry}")
}

/// Enough for the whole fleet at its plateau, follow-ups apart.
const ROWS_A_DAY: u64 = 400;

/// Tells this stream of chance from those of other purposes.
const PURPOSE: u64 = 0x0070_656f_706c_6500;

const FIRST_NAMES: [&str; 12] = [
    "Ada", "Ben", "Chloe", "David", "Emma", "Finn", "Grace", "Hugo", "Ines", "Jonas", "Kim", "Lena",
];

const LAST_NAMES: [&str; 12] = [
    "Abel", "Baker", "Cole", "Diaz", "Evans", "Fischer", "Grant", "Hughes", "Ito", "Jansen",
    "Keller", "Lopez",
];

const INDUSTRIES: [&str; 6] = ["roofing", "printing", "joinery", "catering", "tiling", "software"];

/// Countries and zones as lists have them: both, one or neither.
const PLACES: [(&str, &str); 8] = [
    ("US", "America/New_York"),
    ("US", "America/Chicago"),
    ("US", "America/Los_Angeles"),
    ("Canada", "America/Toronto"),
    ("Germany", ""),
    ("United Kingdom", ""),
    ("US", ""),
    ("", ""),
];
