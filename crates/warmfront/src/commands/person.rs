//! `person release|stop`.

use serde_json::json;
use warmfront_store::Wish;

use crate::app::App;
use crate::cli::{Global, Person};
use crate::commands::suppress::parsed;
use crate::exit::Done;
use crate::print;

pub(crate) async fn person(global: &Global, command: Person) -> Done {
    let (wish, what, nobody, whom) = match command {
        Person::Release(whom) => (Wish::Release, "released", "nobody named is on hold", whom),
        Person::Stop(whom) => (Wish::Stop, "stopped", "nobody named is in a campaign", whom),
    };
    let app = App::open_anyway(global).await?;
    let campaign = match &whom.campaign {
        Some(slug) => Some(app.campaign(slug).await?.slug),
        None => None,
    };
    let mut changed = 0;
    for (scope, value) in parsed(&whom.entries)? {
        let whom = (scope, value.as_str());
        changed += app.store.do_with_people(wish, whom, campaign.as_deref(), app.now()).await?;
    }
    if app.json {
        print::say_json(&json!({ what: changed }));
    } else if changed == 0 {
        print::say(nobody);
    } else {
        print::say(format!("{} {what}", print::counted(changed, "enrolment")));
    }
    Ok(())
}
