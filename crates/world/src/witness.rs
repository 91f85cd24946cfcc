//! What the recipients see: each letter once, far enough apart, and none after their no.

use warmfront_core::address::Address;
use warmfront_core::span::{MINUTE, Millis};
use warmfront_mail::submit::Letter;

use crate::headers::Headers;
use crate::tally::Violation;
use crate::world::{Held, State};

impl State {
    /// Looks at a letter that is about to be held.
    pub(crate) fn look_at(
        &mut self,
        mailbox: &Address,
        letter: &Letter,
        headers: &Headers,
        at: Millis,
    ) {
        let to = letter.to.clone();
        let mut seen = Vec::new();
        if [&letter.from, &headers.from] != [mailbox, mailbox] || headers.to != to {
            let mailbox = mailbox.clone();
            seen.push(Violation::Misaddressed { mailbox, to: to.clone(), at });
        }
        if self.by_id.contains_key(&headers.message_id) {
            let message_id = headers.message_id.clone();
            seen.push(Violation::SameMessage { message_id, to: to.clone(), at });
        }
        let earlier = self.people.get(&to).into_iter().flat_map(|person| &person.letters);
        let earlier: Vec<&Held> = earlier.map(|&index| &self.held[index]).collect();
        if earlier.iter().any(|held| is_same_step(held, headers)) {
            let subject = headers.subject.clone();
            seen.push(Violation::SameStep { to: to.clone(), subject, at });
        }
        if let Some(before) = earlier.iter().map(|held| held.at).max()
            && at - before < self.person_gap
        {
            seen.push(Violation::TooSoon { to, before, at });
        }
        self.tally.violations.extend(seen);
    }

    /// Looks at whom somebody wants to write to. What arrived a quarter of an hour ago and could
    /// be read has to be known. An address refused at RCPT has to be known at once, except to the
    /// letter that was refused: whoever was stopped between that answer and the books asks again.
    pub(crate) fn note_after_no(&mut self, to: &Address, message_id: &str, at: Millis) {
        let Some(person) = self.people.get(to) else { return };
        let refused = person.refused.as_ref().filter(|(id, _)| id != message_id);
        let refused = refused.map(|&(_, since)| ("hard_bounce", since));
        let noes = person.noes.iter().filter_map(|(mailbox, place)| {
            let post = self.mailboxes.get(mailbox)?.post.get(place)?;
            let late = at - post.readable_at > GRACE;
            late.then(|| (post.arrival.inbound.kind.as_str(), post.readable_at))
        });
        if let Some((no, since)) = refused.into_iter().chain(noes).next() {
            let to = to.clone();
            self.tally.violations.push(Violation::AfterNo { to, no, since, at });
        }
    }
}

/// One place in one thread has one letter. Subjects alone do not tell: every letter of a thread
/// has the same.
fn is_same_step(held: &Held, headers: &Headers) -> bool {
    (&held.subject, &held.in_reply_to, &held.references)
        == (&headers.subject, &headers.in_reply_to, &headers.references)
}

/// How old a reading of the inbox may be, by the promise that is watched here.
const GRACE: Millis = 15 * MINUTE;
