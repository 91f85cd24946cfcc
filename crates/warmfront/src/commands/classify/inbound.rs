//! `classify inbound`: what a mail that came in means, without any books.

use std::path::{Path, PathBuf};

use anyhow::Context as _;
use serde::Deserialize;
use serde_json::json;
use warmfront_core::address::Address;
use warmfront_core::inbound::{self, Inbound, Kind, Known};
use warmfront_engine::clock::Clock;
use warmfront_mail::arrival;

use crate::exit::{Done, Failure};
use crate::print;

/// What we sent, so that a report can be held against it.
#[derive(Debug, Deserialize)]
struct Sent {
    #[serde(deserialize_with = "address")]
    mailbox: Address,
    sent: Vec<Message>,
}

#[derive(Debug, Deserialize)]
struct Message {
    #[serde(deserialize_with = "address")]
    rcpt: Address,
    message_id: Option<String>,
    token: Option<String>,
}

/// One line of JSON for each file, whatever becomes of the others.
pub(crate) fn inbound(files: &[PathBuf], sent: Option<&Path>) -> Done {
    let sent = sent.map(read_sent).transpose().map_err(Failure::failed)?;
    let now = Clock::Wall.now();
    let mut has_failed = false;
    for file in files {
        match std::fs::read(file) {
            Ok(octets) => {
                let arrival = arrival::read(&octets, now);
                say(file, inbound::classify(&arrival), sent.as_ref());
            }
            Err(error) => {
                has_failed = true;
                print::note(format!("error: {}: cannot be read: {error}", file.display()));
            }
        }
    }
    if has_failed { Err(Failure::Said(1)) } else { Ok(()) }
}

fn say(file: &Path, inbound: Inbound, sent: Option<&Sent>) {
    let (inbound, message_id) = match sent {
        Some(sent) => sent.judge(inbound),
        None => {
            let first = inbound.names.first().cloned();
            (inbound, first)
        }
    };
    print::say_json(&json!({
        "file": file.display().to_string(),
        "kind": inbound.kind.as_str(),
        "status": inbound.status.map(|status| status.to_string()),
        "recipient": inbound.recipients.first(),
        "message_id": message_id,
        "return_date": inbound.return_on.map(|day| day.to_string()),
        "effects": inbound.effects,
    }));
}

fn read_sent(file: &Path) -> anyhow::Result<Sent> {
    let text = std::fs::read_to_string(file)
        .with_context(|| format!("{}: cannot be read", file.display()))?;
    serde_json::from_str(&text).with_context(|| {
        format!(
            "{}: not what was sent; it looks like {{\"mailbox\": \"ann@a.example\", \"sent\": \
             [{{\"rcpt\": \"bob@b.example\", \"message_id\": \"<1@a.example>\", \"token\": \"…\"}}]}}",
            file.display()
        )
    })
}

fn address<'de, D: serde::Deserializer<'de>>(text: D) -> Result<Address, D::Error> {
    let text = String::deserialize(text)?;
    Address::parse(&text).map_err(serde::de::Error::custom)
}

impl Sent {
    /// An arrival in the light of what was sent, and the message it is about.
    fn judge(&self, inbound: Inbound) -> (Inbound, Option<String>) {
        let named = self.sent.iter().rev().find(|message| message.is_named_by(&inbound));
        let from = inbound.from.clone();
        let to_sender =
            || self.sent.iter().rev().find(|message| Some(&message.rcpt) == from.as_ref());
        let about = named.or_else(|| inbound.counts_by_its_sender().then(to_sender).flatten());
        let is_lately = self.sent.iter().any(|sent| inbound.recipients.contains(&sent.rcpt));
        let known = match about {
            _ if from.as_ref() == Some(&self.mailbox) => Known::Own,
            Some(message) => Known::Message(message.rcpt.clone()),
            None if inbound.kind.is_report() && is_lately => Known::Lately,
            None => Known::Nothing,
        };
        let inbound = inbound.judged(&known);
        let id = about.filter(|_| inbound.kind != Kind::Unrelated);
        (inbound, id.and_then(|message| message.message_id.clone()))
    }
}

impl Message {
    fn is_named_by(&self, inbound: &Inbound) -> bool {
        let bare = |id: &str| id.trim().trim_start_matches('<').trim_end_matches('>').to_owned();
        let id = self.message_id.as_deref().map(bare);
        let is_id = |name: &String| id.as_ref().is_some_and(|id| *id == bare(name));
        let is_token = |token: &String| self.token.as_ref() == Some(token);
        inbound.names.iter().any(is_id) || inbound.tokens.iter().any(is_token)
    }
}
