//! What can go wrong at a server, on purpose.

use std::collections::BTreeMap;

use rand::rngs::ChaCha12Rng;
use rand::{RngExt, SeedableRng};

/// One way to misbehave. Where two could strike at once, the one named first here does.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Fault {
    /// Hangs up before the greeting.
    ConnDrop,
    /// Greets with 421.
    Conn421,
    /// Does not offer STARTTLS.
    NoStarttls,
    /// Sends an answer in plain text behind the 220 to STARTTLS, as somebody on the path would.
    StarttlsInjection,
    /// Wants to speak TLS 1.0.
    Tls10,
    /// Refuses every log-in.
    Auth535,
    /// Never answers MAIL.
    MailHang,
    /// Hangs up at MAIL.
    MailDrop,
    /// Ends the connection with 421 at MAIL.
    Mail421,
    /// Hangs up at RCPT.
    RcptDrop,
    /// Refuses the recipient for good.
    Rcpt550,
    /// Defers the recipient.
    Rcpt451,
    /// Refuses the recipient in words that nobody knows.
    Rcpt550Odd,
    /// Hangs up at DATA.
    DataDrop,
    /// Lets the message begin and says 421 in the same breath.
    Data421,
    /// Hangs up after the dot, having kept nothing.
    DotDropLost,
    /// Hangs up after the dot, having kept the message.
    DotDropKept,
    /// Does one or the other, half and half.
    Doubtful,
    /// Keeps the message and never says so.
    DotHangKept,
    /// Keeps the message and answers with something that is no SMTP.
    Garbage,
    /// Keeps the message and answers 354, as if it waited for more.
    Dot354,
    /// Refuses the message for good.
    Dot550,
    /// Defers the message.
    Dot451,
    /// Ends the connection with 421 instead of an answer to the dot.
    Dot421,
    /// Hangs up after a message was accepted.
    CloseAfter,
    /// Says 421 behind the 250 of a message, and hangs up.
    FarewellAfter,
    /// Hangs up at RSET.
    RsetDrop,
    /// Hangs up at QUIT.
    QuitDrop,
    /// Leaves the enhanced status codes out of its answers.
    BareText,
}

/// The faults in force.
#[derive(Default)]
pub(super) struct Faults(BTreeMap<Fault, (f64, ChaCha12Rng)>);

impl Faults {
    pub(super) fn set(&mut self, fault: Fault, p: f64, seed: u64) {
        self.0.insert(fault, (p, ChaCha12Rng::seed_from_u64(seed)));
    }

    /// Whether the fault strikes this time. Each time draws once, so a seed tells the whole story.
    pub(super) fn strikes(&mut self, fault: Fault) -> bool {
        self.0.get_mut(&fault).is_some_and(|(p, rng)| rng.random_bool(*p))
    }

    /// Heads or tails, from the fault's own stream.
    pub(super) fn heads(&mut self, fault: Fault) -> bool {
        self.0.get_mut(&fault).is_some_and(|(_, rng)| rng.random_bool(0.5))
    }
}
