//! What servers and the net do to letters, whoever they are for.

/// How often what goes wrong. Each figure is a rate in ten-thousandths ([`crate::WHOLE`]).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Weather {
    /// No connection comes about.
    pub unreachable: u32,
    /// The server greets with `421`.
    pub busy: u32,
    /// The password is refused for good.
    pub auth_refused: u32,
    /// The log-in is refused for the moment.
    pub auth_deferred: u32,
    /// `421` to MAIL: the server ends the connection.
    pub closing: u32,
    /// `451` to MAIL.
    pub mail_deferred: u32,
    /// Of all pairs of sender and recipient, those whose first attempts are put off.
    pub greylisted: u32,
    /// The connection is lost somewhere between MAIL and the dot.
    pub lost_before_dot: u32,
    /// `554 5.7.1` to the dot: the sender is refused.
    pub sender_refused: u32,
    /// `550 5.7.1 … blocked as spam` to the dot.
    pub blocked_as_spam: u32,
    /// `451` to the dot.
    pub deferred_after_dot: u32,
    /// The connection is lost after the dot, and the server has the letter.
    pub lost_after_dot_kept: u32,
    /// The connection is lost after the dot, and the letter with it.
    pub lost_after_dot_lost: u32,
    /// An inbox cannot be read.
    pub inbox_unreachable: u32,
    /// A reading tells again what earlier ones told, as after a reconnect.
    pub inbox_repeats: u32,
}

impl Weather {
    /// Nothing goes wrong.
    #[must_use]
    pub const fn calm() -> Self {
        Self {
            unreachable: 0,
            busy: 0,
            auth_refused: 0,
            auth_deferred: 0,
            closing: 0,
            mail_deferred: 0,
            greylisted: 0,
            lost_before_dot: 0,
            sender_refused: 0,
            blocked_as_spam: 0,
            deferred_after_dot: 0,
            lost_after_dot_kept: 0,
            lost_after_dot_lost: 0,
            inbox_unreachable: 0,
            inbox_repeats: 0,
        }
    }

    /// A good month: each trouble now and then. Passwords stay good, as only an operator mends
    /// those.
    #[must_use]
    pub const fn ordinary() -> Self {
        Self {
            unreachable: 20,
            busy: 10,
            auth_refused: 0,
            auth_deferred: 5,
            closing: 20,
            mail_deferred: 30,
            greylisted: 300,
            lost_before_dot: 10,
            sender_refused: 5,
            blocked_as_spam: 1,
            deferred_after_dot: 20,
            lost_after_dot_kept: 3,
            lost_after_dot_lost: 3,
            inbox_unreachable: 50,
            inbox_repeats: 50,
        }
    }

    /// Everything at once, and often.
    #[must_use]
    pub const fn stormy() -> Self {
        Self {
            unreachable: 1_500,
            busy: 800,
            auth_refused: 20,
            auth_deferred: 500,
            closing: 800,
            mail_deferred: 800,
            greylisted: 4_000,
            lost_before_dot: 1_000,
            sender_refused: 200,
            blocked_as_spam: 30,
            deferred_after_dot: 800,
            lost_after_dot_kept: 400,
            lost_after_dot_lost: 400,
            inbox_unreachable: 1_500,
            inbox_repeats: 2_000,
        }
    }
}
