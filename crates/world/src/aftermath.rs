//! What becomes of a letter once a server has it: it is held, and perhaps something comes back.

use jiff::tz::TimeZone;
use jiff::{Timestamp, civil::Date};
use warmfront_core::address::Address;
use warmfront_core::inbound::{Course, Inbound, Kind};
use warmfront_core::span::Millis;
use warmfront_mail::submit::Letter;

use crate::chance::{Chance, Purpose};
use crate::headers::Headers;
use crate::tally::Event;
use crate::temper::Sequel;
use crate::world::{Arrival, Held, Post, State};

impl State {
    /// Holds a letter. Returns the Message-ID it has from here on.
    pub(crate) fn take(
        &mut self,
        mailbox: &Address,
        letter: &Letter,
        headers: &Headers,
        at: Millis,
    ) -> String {
        self.look_at(mailbox, letter, headers, at);
        let message_id = headers.message_id.clone();
        let final_id = if self.provider(mailbox).rewrites_ids {
            self.replacement(&message_id)
        } else {
            message_id.clone()
        };
        let index = self.held.len();
        self.by_id.insert(message_id.clone(), index);
        self.by_id.insert(final_id.clone(), index);
        self.held.push(Held {
            message_id,
            final_id: final_id.clone(),
            from: mailbox.clone(),
            to: letter.to.clone(),
            at,
            subject: headers.subject.clone(),
            in_reply_to: headers.in_reply_to.clone(),
            references: headers.references.clone(),
        });
        let person = self.person(&letter.to);
        person.letters.push(index);
        let nth = u32::try_from(person.letters.len()).unwrap_or(u32::MAX);
        for sequel in self.fate(&letter.to).sequels(nth) {
            self.post(index, sequel, at);
        }
        final_id
    }

    /// Something about a held letter arrives in the inbox it came from.
    pub(crate) fn post(&mut self, index: usize, sequel: Sequel, since: Millis) {
        let (kind, at) = (sequel.kind, since + sequel.after);
        let Held { final_id, from, to, .. } = self.held[index].clone();
        self.tally.count(Event::from(kind));
        let is_no = kind.is_no() || kind == Kind::HardBounce;
        let account = self.mailbox(&from);
        let place = (at, account.post.len());
        // The key outlives this world: it names what is never made twice.
        let key = format!("{}:{final_id}:{at}:{}", kind.as_str(), place.1);
        let mut inbound = Inbound {
            from: Some(to.clone()),
            names: vec![final_id],
            recipients: vec![to.clone()],
            return_on: sequel.back.map(|back| date(since + back)),
            blow: sequel.blow,
            ..Inbound::told(key, at, kind)
        };
        if inbound.return_on.is_some() {
            inbound.effects.enrolment = Course::Hold;
        }
        let arrival = Arrival { mailbox: from.clone(), from: to.clone(), inbound };
        account.post.insert(place, Post { arrival, readable_at: at, told: false });
        if is_no {
            self.person(&to).noes.push((from, place));
        }
    }

    /// A Message-ID as Exchange Online makes them, always the same in the place of the same.
    fn replacement(&self, message_id: &str) -> String {
        let mut chance = Chance::new(self.seed, Purpose::FinalId, &[message_id], 0);
        format!("<{:016X}{:016X}@WORLD.PROD.OUTLOOK.COM>", chance.number(), chance.number())
    }
}

/// Those who are away count days in Greenwich.
fn date(at: Millis) -> Date {
    let at = Timestamp::from_millisecond(at).expect("no world outlives the calendar");
    at.to_zoned(TimeZone::UTC).date()
}
