//! The ids that our messages bear, and how a copy of one is known again by books that never saw it.
//!
//! An id is made once, at a message's first claim, of the moment and 96 random bits, and of two
//! seals made with the books' own key: the first says that these books sent it, the second to whom
//! and which step. Books restored from an older copy lack the id and have the key, so that a copy in
//! a Sent folder tells them whose message it was. To anybody without the key the seals are random
//! digits like the rest: they tell nothing, not even that they are there.

use std::fmt;

use hmac::{Hmac, KeyInit as _, Mac as _};
use sha2::Sha256;

use crate::reading::SentCopy;
use crate::span::Millis;

/// What books seal their ids with, and know them by.
#[derive(Clone, PartialEq, Eq)]
pub struct Signet {
    key: String,
}

/// What a message is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Errand<'a> {
    /// The campaign's slug: rows are numbered anew where a list is imported again, names stay.
    pub campaign: &'a str,
    /// Whom it goes to.
    pub address: &'a str,
    /// The step, from 1.
    pub step: u32,
}

/// Somebody in a campaign, as the books have them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Enrolled {
    /// The enrolment's row.
    pub enrolment: i64,
    /// The campaign's row.
    pub campaign: i64,
    /// The campaign's slug.
    pub slug: String,
    /// The person.
    pub address: String,
    /// How many steps the campaign has.
    pub steps: u32,
}

/// Whose message a copy in a Sent folder is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Whose<'a> {
    /// Ours, to one of the people asked about.
    Sent {
        /// To whom.
        to: &'a Enrolled,
        /// The step.
        step: u32,
        /// The id that says so.
        send_id: &'a str,
    },
    /// Ours, to somebody, in a campaign or of a step that the books do not have.
    Stray {
        /// The id that says so.
        send_id: &'a str,
    },
    /// Nothing that these books ever sent.
    Theirs,
}

impl Signet {
    /// The signet of the books of that name, which is random, is kept in every copy of them, and is
    /// written nowhere else.
    #[must_use]
    pub fn of(books: &str) -> Self {
        Self { key: books.to_owned() }
    }

    /// What these books are called outside of them: it tells them from others, and nothing of their
    /// name.
    #[must_use]
    pub fn alias(&self) -> String {
        // No stem reads like this: each has a dot.
        hex(&self.mac("alias", None)[..ALIAS_DIGITS / 2])
    }

    /// A new id: the left part of a Message-ID, or an unsubscribe token. `chance`, of which 96 bits
    /// are taken, is the operating system's, so that to name an id is no guess, whoever has the key.
    /// The moment in front keeps the ids of a day side by side in the books.
    #[must_use]
    pub fn send_id(&self, now: Millis, chance: u128, errand: &Errand<'_>) -> String {
        let chance = chance & CHANCE_MASK;
        let stem = format!("{now:x}.{chance:024x}");
        let (ours, whose) = (self.seal(&stem, None), self.seal(&stem, Some(errand)));
        stem + &ours + &whose
    }

    /// Whether these books made the id.
    #[must_use]
    pub fn is_ours(&self, send_id: &str) -> bool {
        parts(send_id).is_some_and(|(stem, ours, _)| self.seal(stem, None) == ours)
    }

    /// Whether these books made the id, and for that errand.
    #[must_use]
    pub fn is_for(&self, send_id: &str, errand: &Errand<'_>) -> bool {
        self.is_ours(send_id)
            && parts(send_id).is_some_and(|(stem, _, whose)| self.seal(stem, Some(errand)) == whose)
    }

    /// Whose message a copy is, of the people whom it may have gone to. Certain, and no guess by
    /// subject or hour: what no seal vouches for is a stray, or none of ours.
    #[must_use]
    pub fn whose<'a>(&self, copy: &'a SentCopy, people: &'a [Enrolled]) -> Whose<'a> {
        let mut stray = Whose::Theirs;
        for send_id in copy.send_ids().filter(|send_id| self.is_ours(send_id)) {
            stray = Whose::Stray { send_id };
            for to in
                people.iter().filter(|one| copy.to.iter().any(|to| to.as_str() == one.address))
            {
                let errand = |step| Errand { campaign: &to.slug, address: &to.address, step };
                let step = (1..=to.steps).find(|step| self.is_for(send_id, &errand(*step)));
                if let Some(step) = step {
                    return Whose::Sent { to, step, send_id };
                }
            }
        }
        stray
    }

    fn seal(&self, stem: &str, errand: Option<&Errand<'_>>) -> String {
        hex(&self.mac(stem, errand)[..SEAL_DIGITS / 2])
    }

    /// Lengths stand before texts, so that no two errands read alike.
    fn mac(&self, stem: &str, errand: Option<&Errand<'_>>) -> [u8; 32] {
        let mut mac = Hmac::<Sha256>::new_from_slice(self.key.as_bytes())
            .expect("HMAC takes a key of any length");
        mac.update(stem.as_bytes());
        if let Some(Errand { campaign, address, step }) = errand {
            let text = format!("/{}/{campaign}/{}/{address}/{step}", campaign.len(), address.len());
            mac.update(text.as_bytes());
        }
        mac.finalize().into_bytes().into()
    }
}

impl fmt::Debug for Signet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Signet")
    }
}

fn hex(octets: &[u8]) -> String {
    octets.iter().map(|octet| format!("{octet:02x}")).collect()
}

/// Stem, first and second seal of what has the form of an id of ours.
fn parts(send_id: &str) -> Option<(&str, &str, &str)> {
    let (moment, digits) = send_id.split_once('.')?;
    let is_hex = |text: &str| text.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'));
    if digits.len() != CHANCE_DIGITS + 2 * SEAL_DIGITS || !is_hex(digits) || !is_hex(moment) {
        return None;
    }
    let (stem, seals) = send_id.split_at(moment.len() + 1 + CHANCE_DIGITS);
    let (ours, whose) = seals.split_at(SEAL_DIGITS);
    Some((stem, ours, whose))
}

/// As many as nobody guesses, and no more: an id stays on one line wherever it is shown.
const CHANCE_DIGITS: usize = 24;
const CHANCE_MASK: u128 = (1 << (4 * CHANCE_DIGITS)) - 1;

/// 40 bits a seal: of all the mail of this form that Sent folders may hold none fits by chance.
const SEAL_DIGITS: usize = 10;

/// As many as tell any two books of the world apart.
const ALIAS_DIGITS: usize = 32;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::address::Address;
    use crate::reading::Place;

    const ADA: Errand<'_> = Errand { campaign: "spring", address: "ada@acme.test", step: 2 };

    fn signet() -> Signet {
        Signet::of("0123456789abcdef")
    }

    fn ada() -> Enrolled {
        let (slug, address) = (ADA.campaign.to_owned(), ADA.address.to_owned());
        Enrolled { enrolment: 4, campaign: 1, slug, address, steps: 3 }
    }

    fn copy(ids: &[&str], token: Option<&str>, to: &str) -> SentCopy {
        SentCopy {
            place: Place { folder: "Sent".to_owned(), uidvalidity: 1, uid: 1 },
            key: "k".to_owned(),
            ids: ids.iter().map(|&id| id.to_owned()).collect(),
            token: token.map(str::to_owned),
            subject: None,
            sent_at: 0,
            to: vec![Address::parse(to).unwrap()],
        }
    }

    #[test]
    fn an_id_looks_like_this() {
        let id = signet().send_id(0x19a_0000_0000, 7, &ADA);
        assert_eq!(id, "19a00000000.0000000000000000000000079fcbe343d5774307ee88");
    }

    #[test]
    fn an_id_is_known_by_its_books_and_its_errand_alone() {
        let id = signet().send_id(1, 2, &ADA);
        assert!(signet().is_ours(&id) && signet().is_for(&id, &ADA));
        let other = Signet::of("another");
        assert!(!other.is_ours(&id) && !other.is_for(&id, &ADA));
        for errand in [
            Errand { step: 1, ..ADA },
            Errand { campaign: "autumn", ..ADA },
            Errand { address: "bob@acme.test", ..ADA },
        ] {
            assert!(!signet().is_for(&id, &errand), "{errand:?}");
        }
    }

    #[test]
    fn an_alias_tells_books_apart_and_nothing_of_their_name() {
        let alias = signet().alias();
        assert!(alias.len() == ALIAS_DIGITS && !alias.contains("0123456789abcdef"), "{alias}");
        assert_eq!(alias, signet().alias());
        assert_ne!(alias, Signet::of("another").alias());
    }

    #[test]
    fn what_was_changed_by_a_digit_is_not_ours() {
        let id = signet().send_id(0x19a, 2, &ADA);
        let ours = id.len() - SEAL_DIGITS;
        for at in (0..ours).filter(|at| id.as_bytes()[*at] != b'.') {
            let mut changed = id.clone().into_bytes();
            changed[at] = if changed[at] == b'0' { b'1' } else { b'0' };
            assert!(!signet().is_ours(std::str::from_utf8(&changed).unwrap()), "digit {at}");
        }
        for text in ["", ".", "a.b", "19a.é", &id[1..], &id[..id.len() - 1], &id.to_uppercase()] {
            assert!(!signet().is_ours(text), "{text}");
        }
    }

    #[test]
    fn a_copy_says_whose_it_is_by_its_id_or_by_its_token() {
        let signet = signet();
        let id = signet.send_id(1, 2, &ADA);
        let full = format!("<{id}@one.test>");
        let people = [ada()];
        let sent = Whose::Sent { to: &people[0], step: 2, send_id: &id };
        let by_id = copy(&[&full], None, "Ada@acme.test");
        assert_eq!(signet.whose(&by_id, &people), sent);
        let original = copy(&["<theirs@srv.test>", &full], None, "ada@acme.test");
        assert_eq!(signet.whose(&original, &people), sent);
        let by_token = copy(&["<theirs@srv.test>"], Some(&id), "ada@acme.test");
        assert_eq!(signet.whose(&by_token, &people), sent);
    }

    #[test]
    fn a_copy_of_what_the_books_lack_is_a_stray_and_other_mail_is_not_ours() {
        let signet = signet();
        let id = signet.send_id(1, 2, &ADA);
        let full = format!("<{id}@one.test>");
        let ours = copy(&[&full], None, "ada@acme.test");
        let stray = Whose::Stray { send_id: &id };
        assert_eq!(signet.whose(&ours, &[]), stray);
        let of_another = [Enrolled { slug: "autumn".to_owned(), ..ada() }];
        assert_eq!(signet.whose(&ours, &of_another), stray);
        assert_eq!(signet.whose(&ours, &[Enrolled { steps: 1, ..ada() }]), stray, "no such step");
        let elsewhere = copy(&[&full], None, "bob@acme.test");
        assert_eq!(signet.whose(&elsewhere, &[ada()]), stray);
        let by_hand = copy(&["<hand@one.test>"], Some("unsub"), "ada@acme.test");
        assert_eq!(signet.whose(&by_hand, &[ada()]), Whose::Theirs);
        assert_eq!(Signet::of("others").whose(&ours, &[ada()]), Whose::Theirs);
    }
}
