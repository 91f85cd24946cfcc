//! What sort of people the recipients are.

use warmfront_core::address::Address;
use warmfront_core::health::Blow;
use warmfront_core::inbound::Kind;
use warmfront_core::span::{DAY, HOUR, MINUTE, Millis, SECOND};

use crate::chance::{Chance, Purpose, WHOLE};

/// How many of the recipients are of which sort. Each is of one sort for ever; what is left of
/// [`crate::WHOLE`] is silent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Temper {
    /// Not there: refused at RCPT.
    pub unknown: u32,
    /// Their mailbox is full, each time.
    pub full: u32,
    /// Not there, as a report tells later.
    pub bounces: u32,
    /// They reply.
    pub replies: u32,
    /// They are out of office, and a machine says so.
    pub away: u32,
    /// They ask not to be written to.
    pub opts_out: u32,
    /// They call it spam.
    pub complains: u32,
    /// Their server takes letters and gives them back as a passing trouble, as a report tells later.
    pub soft_bounces: u32,
    /// Not there, as a report tells after one that a server still tries.
    pub delayed: u32,
    /// Their server takes letters and refuses the sender, as a report tells later.
    pub blocks: u32,
    /// Of those away, how many say when they are back.
    pub says_when: u32,
    /// Of those who reply, how many do so seconds before the follow-up is due.
    pub last_moment: u32,
    /// When follow-ups are due, after the letter before.
    pub follow_up_after: Millis,
}

/// What sort of person an address is. `letter` counts the letters they got, from 1; `after` is the
/// time from that letter to their answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fate {
    /// Reads, and says nothing.
    Silent,
    /// `550 5.1.1` at RCPT.
    Unknown,
    /// `452 4.2.2` at RCPT, each time.
    Full,
    /// Every letter is taken and comes back as a hard bounce.
    Bounces {
        /// How much later.
        after: Millis,
    },
    /// Replies to one letter.
    Replies {
        /// Which.
        letter: u32,
        /// How much later.
        after: Millis,
    },
    /// A machine answers every letter.
    Away {
        /// How much later.
        after: Millis,
        /// How long after a letter they are back, if the machine says so.
        back: Option<Millis>,
    },
    /// Opts out upon one letter.
    OptsOut {
        /// Which.
        letter: u32,
        /// How much later.
        after: Millis,
    },
    /// Complains about one letter.
    Complains {
        /// Which.
        letter: u32,
        /// How much later.
        after: Millis,
    },
    /// Every letter is taken and comes back, but not because nobody is there.
    SoftBounces {
        /// How much later.
        after: Millis,
    },
    /// Every letter is taken, reported as late, and comes back as a hard bounce in the end.
    Delayed {
        /// How much later it is reported as late.
        after: Millis,
        /// How much later than that it comes back.
        fails: Millis,
    },
    /// Every letter is taken and comes back because of who sent it.
    Blocks {
        /// How much later.
        after: Millis,
        /// Whether the report calls it spam.
        as_spam: bool,
    },
}

/// Something that comes of a letter.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Sequel {
    pub(crate) kind: Kind,
    pub(crate) after: Millis,
    /// How long after the letter somebody away is back, if their machine says so.
    pub(crate) back: Option<Millis>,
    /// What a report's words do to the mailbox.
    pub(crate) blow: Option<Blow>,
}

impl Sequel {
    /// One that tells no more than what it is.
    pub(crate) fn new(kind: Kind, after: Millis) -> Self {
        Self { kind, after, back: None, blow: None }
    }
}

impl Temper {
    /// All are there, and silent.
    #[must_use]
    pub const fn none() -> Self {
        Self {
            unknown: 0,
            full: 0,
            bounces: 0,
            replies: 0,
            away: 0,
            opts_out: 0,
            complains: 0,
            soft_bounces: 0,
            delayed: 0,
            blocks: 0,
            says_when: 0,
            last_moment: 0,
            follow_up_after: 3 * DAY,
        }
    }

    /// A list well kept: 1 % bounces, 3 % reply, 2 % are away, 1 % opt out, 0.05 % complain.
    #[must_use]
    pub const fn ordinary() -> Self {
        Self {
            unknown: 70,
            full: 20,
            bounces: 30,
            replies: 300,
            away: 200,
            opts_out: 100,
            complains: 5,
            last_moment: 1_000,
            ..Self::none()
        }
    }

    /// Half of them do something.
    #[must_use]
    pub const fn lively() -> Self {
        Self {
            unknown: 300,
            full: 200,
            bounces: 300,
            replies: 2_000,
            away: 1_000,
            opts_out: 1_000,
            complains: 200,
            soft_bounces: 200,
            delayed: 200,
            blocks: 50,
            says_when: 6_000,
            last_moment: 4_000,
            ..Self::none()
        }
    }

    /// The sort of person an address is under a seed.
    pub(crate) fn fate(&self, seed: u64, address: &Address) -> Fate {
        let mut chance = Chance::new(seed, Purpose::Fate, &[address.as_str()], 0);
        let mut roll = chance.below(WHOLE);
        let letter = 1 + chance.below(LETTERS);
        let mut falls_under = |rate: u32| {
            let hit = roll < rate;
            roll = roll.saturating_sub(rate);
            hit
        };
        if falls_under(self.unknown) {
            Fate::Unknown
        } else if falls_under(self.full) {
            Fate::Full
        } else if falls_under(self.bounces) {
            Fate::Bounces { after: chance.within(2 * MINUTE, 6 * HOUR) }
        } else if falls_under(self.replies) {
            Fate::Replies { letter, after: self.reply_after(&mut chance) }
        } else if falls_under(self.away) {
            let after = chance.within(5 * SECOND, 2 * MINUTE);
            let says_when = chance.hits(self.says_when);
            Fate::Away { after, back: says_when.then(|| chance.within(DAY, 8 * DAY)) }
        } else if falls_under(self.opts_out) {
            Fate::OptsOut { letter, after: chance.within(10 * MINUTE, 2 * DAY) }
        } else if falls_under(self.complains) {
            Fate::Complains { letter, after: chance.within(MINUTE, 3 * DAY) }
        } else if falls_under(self.soft_bounces) {
            Fate::SoftBounces { after: chance.within(2 * MINUTE, 6 * HOUR) }
        } else if falls_under(self.delayed) {
            // Servers tell of a delay after four hours, and give up after some days.
            Fate::Delayed { after: 4 * HOUR, fails: chance.within(HOUR, 4 * DAY) }
        } else if falls_under(self.blocks) {
            Fate::Blocks { after: chance.within(MINUTE, 6 * HOUR), as_spam: chance.hits(WHOLE / 4) }
        } else {
            Fate::Silent
        }
    }

    /// Minutes, hours or days, as often each; or at the last moment.
    fn reply_after(&self, chance: &mut Chance) -> Millis {
        if chance.hits(self.last_moment) {
            return self.follow_up_after - chance.within(SECOND, MINUTE);
        }
        match chance.below(3) {
            0 => chance.within(MINUTE, HOUR),
            1 => chance.within(HOUR, DAY),
            _ => chance.within(DAY, 5 * DAY),
        }
    }
}

impl Fate {
    /// What comes of the nth letter to this person.
    pub(crate) fn sequels(self, nth: u32) -> Vec<Sequel> {
        match self {
            Self::Bounces { after } => vec![Sequel::new(Kind::HardBounce, after)],
            Self::Away { after, back } => {
                vec![Sequel { back, ..Sequel::new(Kind::AutoReply, after) }]
            }
            Self::Replies { letter, after } if letter == nth => {
                vec![Sequel::new(Kind::Reply, after)]
            }
            Self::OptsOut { letter, after } if letter == nth => {
                vec![Sequel::new(Kind::Unsubscribe, after)]
            }
            Self::Complains { letter, after } if letter == nth => {
                vec![Sequel::new(Kind::Complaint, after)]
            }
            Self::SoftBounces { after } => vec![Sequel::new(Kind::SoftBounce, after)],
            Self::Delayed { after, fails } => vec![
                Sequel::new(Kind::Delayed, after),
                Sequel::new(Kind::HardBounce, after + fails),
            ],
            Self::Blocks { after, as_spam } => {
                let blow = Some(if as_spam { Blow::Spam } else { Blow::SenderRejected });
                vec![Sequel { blow, ..Sequel::new(Kind::SenderBlock, after) }]
            }
            Self::Replies { .. }
            | Self::OptsOut { .. }
            | Self::Complains { .. }
            | Self::Silent
            | Self::Unknown
            | Self::Full => Vec::new(),
        }
    }
}

/// Who answers at all, answers one of the first three letters.
const LETTERS: u32 = 3;
