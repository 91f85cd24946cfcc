//! Every folder under `campaigns/` is a campaign that loads without a word and can be written to
//! everybody on its list. Their `warmfront.toml` is read by the binary's own tests.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use warmfront_campaigns::document::{self, Document};
use warmfront_campaigns::folder::{self, Campaign, Sender, Terms};
use warmfront_campaigns::prospects::{self, Prospect, Row};
use warmfront_campaigns::templates::Mailbox;
use warmfront_core::address::Address;
use warmfront_core::span::HOUR;
use warmfront_core::warmup::Curve;

fn folders() -> Vec<PathBuf> {
    let entries =
        std::fs::read_dir(crate::root().join("campaigns")).expect("the examples are there");
    let paths = entries.map(|entry| entry.expect("a readable folder").path());
    let mut folders: Vec<PathBuf> = paths.filter(|path| path.is_dir()).collect();
    folders.sort();
    folders
}

#[track_caller]
fn load(dir: &Path) -> Campaign {
    let sender = Sender {
        legal_name: "Example Ltd".to_owned(),
        postal_address: "1 Main Street, Springfield, IL 62701, USA".to_owned(),
    };
    let terms = Terms { sender: &sender, person_gap: 48 * HOUR, encoding: None };
    let (campaign, problems) = folder::load(dir, &terms);
    assert_eq!(problems, [], "{}", dir.display());
    campaign.expect("without problems it loads")
}

/// Everybody on a campaign's list; nobody is turned away.
#[track_caller]
fn people(campaign: &Campaign) -> Vec<Prospect> {
    let mut people = Vec::new();
    let report = prospects::read(&campaign.prospects(), None, |row| match row {
        Row::Accepted { prospect, .. } => people.push(prospect),
        other => panic!("{}: {other:?}", campaign.slug),
    });
    let report = report.expect("the list can be read");
    assert_eq!(report.warnings, [], "{}", campaign.slug);
    people
}

#[test]
fn the_examples_are_the_ones_the_documents_name() {
    let names: Vec<String> =
        folders().iter().map(|dir| dir.file_name().unwrap().to_str().unwrap().to_owned()).collect();
    assert_eq!(names, ["demo", "twenty-inboxes", "warm-new-mailboxes"]);
    for dir in folders() {
        assert!(dir.join("README.md").is_file(), "{} says what it shows", dir.display());
    }
}

#[test]
fn every_step_can_be_written_to_everybody() {
    let ann = Address::parse("ann@example.com").unwrap();
    let from = Mailbox { name: "Ann Lee", address: &ann };
    for campaign in folders().iter().map(|dir| load(dir)) {
        let renderer = campaign.renderer().unwrap();
        let people = people(&campaign);
        assert!(people.len() >= 20, "{}", campaign.slug);
        for person in &people {
            for step in &campaign.steps {
                for variant in renderer.variants(step.position) {
                    let message = renderer.render(step.position, variant, person, from).unwrap();
                    assert_eq!(message.subject.is_some(), step.position == 1);
                    let opt_outs = message.text.matches(campaign.footer.opt_out.as_str()).count();
                    assert_eq!(opt_outs, 1, "{}", message.text);
                    assert!(message.text.contains("1 Main Street"), "{}", message.text);
                    assert!(!message.text.contains("  ") && !message.text.contains(" ,"));
                }
            }
        }
        let checked = folder::check(&campaign, None, from).unwrap();
        assert_eq!((checked.report.accepted, checked.blocked), (people.len() as u64, 0));
    }
}

#[test]
fn the_demo_shows_every_kind_of_row() {
    let campaign = load(&crate::root().join("campaigns/demo"));
    assert_eq!((campaign.manifest.daily_target, campaign.steps.len()), (1_000, 3));
    assert_eq!(campaign.steps[0].variants.len(), 2);
    let people = people(&campaign);
    let has = |what: &str, is: &dyn Fn(&Prospect) -> bool| {
        assert!(people.iter().any(is), "nobody {what}");
    };
    has("has a zone of their own", &|p| !p.timezone.is_empty());
    has("goes by their country's zone", &|p| p.timezone.is_empty() && !p.country.is_empty());
    has("goes by the campaign's zone", &|p| p.timezone.is_empty() && p.country.is_empty());
    has("lacks a first name", &|p| p.first_name.is_empty());
    has("lacks a company", &|p| p.company.is_empty());
    has("has a name beyond ASCII", &|p| !p.first_name.is_ascii());
    has("has a domain beyond ASCII", &|p| p.address.as_str().contains("@xn--"));
}

#[test]
fn twenty_inboxes_carry_a_thousand_on_the_first_day() {
    let dir = crate::root().join("campaigns/twenty-inboxes");
    let campaign = load(&dir);
    let mailboxes = mailboxes(&dir.join("mailboxes.csv"));
    assert_eq!(mailboxes.len(), 20);
    let allowance: u32 =
        mailboxes.values().map(|warm_days| Curve::default().allowance(*warm_days, 50)).sum();
    assert_eq!(allowance, campaign.manifest.daily_target);
    let people = people(&campaign);
    assert!(people.len() >= 1_000);
    let mut companies: BTreeMap<&str, u32> = BTreeMap::new();
    for person in &people {
        *companies.entry(person.address.domain()).or_default() += 1;
    }
    let most = companies.values().max();
    assert!(most <= Some(&2), "no company's day keeps anybody back: {most:?}");
    let matched = mailboxes.keys().all(|address| {
        let tags = ["warmed".to_owned()];
        campaign.manifest.mailboxes.iter().any(|pattern| pattern.matches(address, &tags))
    });
    assert!(matched, "every mailbox may carry the campaign");
}

/// The warm days of each mailbox of a fleet's file.
fn mailboxes(file: &Path) -> BTreeMap<Address, u32> {
    let text = std::fs::read(file).expect("the fleet's file can be read");
    let (rows, mut problems) = document::rows("mailboxes.csv", &text);
    let mut mailbox = |row: &Document| {
        let mut row = row.root();
        let address = row.parsed("address", Address::parse, &mut problems);
        let warm_days = row.integer("warm_days", 0..=1_000, &mut problems);
        (address.expect("an address").value, warm_days.expect("its warm days").value)
    };
    let mailboxes = rows.iter().map(&mut mailbox).collect();
    assert_eq!(problems, []);
    mailboxes
}

#[test]
fn new_mailboxes_write_to_people_who_agreed() {
    let campaign = load(&crate::root().join("campaigns/warm-new-mailboxes"));
    assert!(campaign.manifest.opt_in);
    let (target, mailboxes) = (campaign.manifest.daily_target, 3);
    assert!(target < mailboxes * 50, "a small target");
    let enough = (0..=23).all(|day| {
        let allowance = Curve::default().allowance(day, 50);
        allowance.min(target / mailboxes) * 2 >= allowance
    });
    assert!(enough, "and still enough for every day to be warm");
}
