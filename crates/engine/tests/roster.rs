//! The roster holds the campaigns that run, and no other.

#![expect(clippy::unwrap_used, reason = "what a test cannot go on without fails it")]

use tokio::sync::mpsc;
use warmfront_campaigns::manifest;
use warmfront_campaigns::templates::Footer;
use warmfront_core::calendar;
use warmfront_engine::{BookedManifest, Roster};
use warmfront_store::{Durability, NewCampaign, StepText, Store};

const MANIFEST: &str = "name = \"Spring\"\ndaily_target = 10\nmailboxes = [\"*@example.com\"]\n\
    list_source = \"a test\"\nwindow = { opens = \"0 0 9 * * Mon-Fri\", length = \"8h\" }\n\
    [[step]]\ntemplate = \"1.hbs\"\n";

fn campaign() -> NewCampaign {
    let manifest = manifest::read("campaign.toml", MANIFEST, 0).unwrap();
    let footer = Footer {
        legal_name: "Example Ltd".to_owned(),
        postal_address: "1 Main Street".to_owned(),
        opt_out: manifest.opt_out.clone(),
    };
    let text = StepText {
        id: 0,
        position: 1,
        variant: "a".to_owned(),
        subject: Some("Hello".to_owned()),
        text: "Hi".to_owned(),
        html: None,
        hash: "1".to_owned(),
    };
    NewCampaign {
        slug: "spring".to_owned(),
        name: manifest.name.clone(),
        daily_target: manifest.daily_target,
        manifest: BookedManifest::of(&manifest, &footer).to_json(),
        waits: vec![None],
        texts: vec![text],
        file: "prospects.csv".to_owned(),
        update: false,
    }
}

async fn slugs(roster: &mut Roster, store: &Store) -> Vec<String> {
    roster.refresh(store, &calendar::zone("UTC").unwrap()).await.unwrap();
    roster.by_slug().iter().map(|campaign| campaign.row.slug.clone()).collect()
}

#[tokio::test]
async fn a_paused_campaign_leaves_the_roster_and_comes_back_when_it_is_started() {
    let store = Store::open("sqlite::memory:", Durability::None).await.unwrap();
    let (rows, received) = mpsc::channel(1);
    rows.send(None).await.unwrap();
    let imported = store.import(&campaign(), received, 0).await.unwrap().unwrap();
    let mut roster = Roster::default();
    assert_eq!(slugs(&mut roster, &store).await, [""; 0]);
    store.start_campaign(imported.campaign, 1).await.unwrap();
    assert_eq!(slugs(&mut roster, &store).await, ["spring"]);
    store.pause_campaign(imported.campaign, "the operator's word", 2).await.unwrap();
    assert_eq!(slugs(&mut roster, &store).await, [""; 0]);
    store.start_campaign(imported.campaign, 3).await.unwrap();
    assert_eq!(slugs(&mut roster, &store).await, ["spring"]);
}
