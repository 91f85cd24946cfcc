//! One connection to a submission server, from the greeting to QUIT.
//!
//! lettre sends the commands and reads the answers; which command, in which phase, for how long,
//! and what an answer other than the expected one means, is said here. No pipelining: a refusal
//! then belongs to one command beyond doubt. Whether to use a session again is not decided here.

use std::error::Error;
use std::net::IpAddr;
use std::time::Duration;

use lettre::transport::smtp::client::AsyncSmtpConnection;
use lettre::transport::smtp::extension::ClientId;
use lettre::transport::smtp::response::Response;
use warmfront_core::address::Address;
use warmfront_core::answer::{self, Answer, Phase, Scope};

use super::stream::{END_OF_DATA, Glance, Wire, stuffed};
use super::{Account, Deadlines};
use crate::server::{Dialled, in_time, silence};
use crate::submit::{Letter, Outcome, Progress, Stage, Trouble};
use crate::tls::Handshake;

/// A connection that has said EHLO.
pub(super) struct Session {
    connection: AsyncSmtpConnection,
    pub(super) wire: Wire,
    pub(super) offers: Offers,
    /// What TLS showed, once there is TLS.
    pub(super) shown: Option<Handshake>,
    /// What we call ourselves.
    pub(super) hello: String,
    pub(super) deadlines: Deadlines,
}

/// What the server's EHLO offers, of what is used here.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Offers {
    pub(super) starttls: bool,
    /// The most octets of a message (RFC 1870); 0 where the server names no figure.
    pub(super) size: Option<u64>,
    pub(super) plain: bool,
    pub(super) login: bool,
    pub(super) xoauth2: bool,
    pub(super) oauthbearer: bool,
}

/// The first digit of the answer a command hopes for (RFC 5321, section 4.2.1).
#[derive(Clone, Copy)]
pub(super) enum Hope {
    /// 2yz: done.
    Done = 2,
    /// 3yz: go on.
    GoOn = 3,
}

impl Session {
    /// The server's greeting, and the first EHLO.
    pub(super) async fn greet(account: &Account, dialled: Dialled) -> Result<Self, Trouble> {
        let Dialled { io, peer, local, shown } = dialled;
        let wire = Wire::new(io, peer);
        let hello = account.hello.clone().unwrap_or_else(|| literal(local.ip()));
        let name = ClientId::Domain(hello.clone());
        let greeting = AsyncSmtpConnection::connect_with_transport(Box::new(wire.clone()), &name);
        let deadline = account.deadlines.command;
        let greeted = tokio::time::timeout(deadline, greeting).await;
        let phase = if wire.spoken() { Phase::Ehlo } else { Phase::Connect };
        let connection = match greeted {
            Ok(Ok(connection)) => connection,
            Ok(Err(error)) => return Err(trouble(phase, &error)),
            Err(_) => return Err(silence(phase, deadline)),
        };
        let offers = Offers::read(&wire.heard());
        let deadlines = account.deadlines;
        Ok(Self { connection, wire, offers, shown, hello, deadlines })
    }

    /// EHLO, forgetting what was offered before.
    pub(super) async fn hello(&mut self) -> Result<(), Trouble> {
        let deadline = self.deadlines.command;
        let line = format!("EHLO {}", self.hello);
        self.ask(Phase::Ehlo, &line, Hope::Done, deadline).await?;
        self.offers = Offers::read(&self.wire.heard());
        Ok(())
    }

    /// Asks for TLS; the handshake is the caller's.
    pub(super) async fn starttls(&mut self) -> Result<(), Trouble> {
        let deadline = self.deadlines.command;
        self.ask(Phase::StartTls, "STARTTLS", Hope::Done, deadline).await.map(drop)
    }

    /// Asks whether a sender would be taken, and lets it be. The one recipient named is the sender:
    /// many a server keeps a refusal of the sender back until then (Postfix's `smtpd_delay_reject`).
    pub(super) async fn may_send_from(&mut self, sender: &Address) -> Result<Answer, Trouble> {
        let deadline = self.deadlines.command;
        let answer =
            self.ask(Phase::Mail, &format!("MAIL FROM:<{sender}>"), Hope::Done, deadline).await?;
        let taken =
            self.ask(Phase::Rcpt, &format!("RCPT TO:<{sender}>"), Hope::Done, deadline).await;
        match taken {
            // Where its mail is received is another matter.
            Err(Trouble::Refused(refusal))
                if answer::classify(&refusal, None).scope == Scope::Recipient => {}
            Err(trouble) => return Err(trouble),
            Ok(_) => {}
        }
        self.reset().await?;
        Ok(answer)
    }

    /// One letter, from MAIL to the answer to its dot.
    pub(super) async fn deliver<P: Progress>(
        &mut self,
        letter: &Letter,
        progress: &mut P,
    ) -> Outcome {
        match self.offer(letter, progress).await {
            Ok(()) => self.finish(progress).await,
            Err(Trouble::Refused(answer)) => Outcome::Answered(answer),
            Err(
                trouble @ (Trouble::Lost { .. }
                | Trouble::Unsafe(_)
                | Trouble::NeedsLogin(_)
                | Trouble::NoToken(_)
                | Trouble::NoSecret(_)
                | Trouble::Halted(_)),
            ) => Outcome::NotSent(trouble),
        }
    }

    /// Everything up to the dot, and not one byte of it: whatever ends this early, the letter
    /// surely was not sent.
    async fn offer<P: Progress>(
        &mut self,
        letter: &Letter,
        progress: &mut P,
    ) -> Result<(), Trouble> {
        let Deadlines { command, data_init, block, .. } = self.deadlines;
        self.listen(Phase::Mail).await?;
        let mut mail = format!("MAIL FROM:<{}>", letter.from);
        // RFC 1870, section 5: octets as they are, before dots are doubled.
        let size = letter.bytes.len() as u64;
        if let Some(most) = self.offers.size {
            if most > 0 && size > most {
                let text = format!("5.3.4 the message has {size} octets, and EHLO allows {most}");
                return Err(Trouble::Refused(Answer::new(Phase::Mail, 552, &text)));
            }
            mail.push_str(&format!(" SIZE={size}"));
        }
        self.ask(Phase::Mail, &mail, Hope::Done, command).await?;
        reach(progress, Stage::Mail).await?;
        self.ask(Phase::Rcpt, &format!("RCPT TO:<{}>", letter.to), Hope::Done, command).await?;
        reach(progress, Stage::Rcpt).await?;
        self.ask(Phase::Data, "DATA", Hope::GoOn, data_init).await?;
        for part in stuffed(&letter.bytes).chunks(BLOCK) {
            in_time(Phase::Data, block, self.send(part)).await?;
        }
        reach(progress, Stage::BodyWritten).await?;
        // A server that has left meanwhile, or says 421, spares us a letter in doubt.
        self.listen(Phase::Data).await
    }

    /// The dot and its answer. From the first byte of the dot on, only an answer tells.
    async fn finish<P: Progress>(&mut self, progress: &mut P) -> Outcome {
        let deadline = self.deadlines.final_dot;
        let end = async {
            in_time(Phase::Eod, deadline, self.send(END_OF_DATA)).await?;
            reach(progress, Stage::DotWritten).await?;
            self.answer(Phase::Eod, Hope::Done, deadline).await
        };
        match end.await {
            Ok(answer) | Err(Trouble::Refused(answer)) => Outcome::Answered(answer),
            Err(
                trouble @ (Trouble::Lost { .. }
                | Trouble::Unsafe(_)
                | Trouble::NeedsLogin(_)
                | Trouble::NoToken(_)
                | Trouble::NoSecret(_)
                | Trouble::Halted(_)),
            ) => Outcome::InDoubt { why: trouble.to_string() },
        }
    }

    /// Forgets a transaction that was refused half-way.
    pub(super) async fn reset(&mut self) -> Result<(), Trouble> {
        self.ask(Phase::Mail, "RSET", Hope::Done, self.deadlines.rset).await.map(drop)
    }

    /// Asks for a sign of life.
    pub(super) async fn noop(&mut self) -> Result<(), Trouble> {
        self.ask(Phase::Mail, "NOOP", Hope::Done, self.deadlines.rset).await.map(drop)
    }

    /// Takes leave; whether the server hears it changes nothing.
    pub(super) async fn quit(mut self) {
        let _ = self.ask(Phase::Mail, "QUIT", Hope::Done, self.deadlines.quit).await;
    }

    /// Makes sure that the server waits for us, and neither speaks nor is gone.
    async fn listen(&mut self, phase: Phase) -> Result<(), Trouble> {
        match self.wire.glance().await {
            Glance::Quiet => Ok(()),
            Glance::Gone(why) => Err(Trouble::Lost { phase, why }),
            Glance::Speaking => {
                let said = self.answer(phase, Hope::Done, self.deadlines.command).await?;
                Err(Trouble::Lost { phase, why: format!("unasked, the server said {said}") })
            }
        }
    }

    pub(super) async fn ask(
        &mut self,
        phase: Phase,
        line: &str,
        hope: Hope,
        deadline: Duration,
    ) -> Result<Answer, Trouble> {
        hoped(phase, hope, self.exchange(phase, line, deadline).await?)
    }

    /// The same, whichever of the good answers comes.
    pub(super) async fn exchange(
        &mut self,
        phase: Phase,
        line: &str,
        deadline: Duration,
    ) -> Result<Answer, Trouble> {
        let asking = self.connection.command(format!("{line}\r\n"));
        heard(phase, deadline, tokio::time::timeout(deadline, asking).await)
    }

    async fn answer(
        &mut self,
        phase: Phase,
        hope: Hope,
        deadline: Duration,
    ) -> Result<Answer, Trouble> {
        let reading = self.connection.read_response();
        hoped(phase, hope, heard(phase, deadline, tokio::time::timeout(deadline, reading).await)?)
    }

    async fn send(&mut self, bytes: &[u8]) -> Result<(), Trouble> {
        let lost =
            |error: std::io::Error| Trouble::Lost { phase: Phase::Data, why: error.to_string() };
        self.wire.send(bytes).await.map_err(lost)
    }
}

impl Offers {
    /// The offers in an answer to EHLO. Keywords are the same in either case (RFC 5321, section
    /// 2.4); `AUTH=` is how some servers still write it for clients older than the standard.
    fn read(ehlo: &str) -> Self {
        let mut offers = Self::default();
        for line in ehlo.lines().skip(1) {
            let line = line.get(4..).unwrap_or_default().to_ascii_uppercase();
            let mut words = line.split([' ', '=']);
            match words.next() {
                Some("STARTTLS") => offers.starttls = true,
                Some("SIZE") => {
                    offers.size = Some(words.next().and_then(|n| n.parse().ok()).unwrap_or(0));
                }
                Some("AUTH") => {
                    for mechanism in words {
                        offers.plain |= mechanism == "PLAIN";
                        offers.login |= mechanism == "LOGIN";
                        offers.xoauth2 |= mechanism == "XOAUTH2";
                        offers.oauthbearer |= mechanism == "OAUTHBEARER";
                    }
                }
                _ => {}
            }
        }
        offers
    }
}

/// An address as a name (RFC 5321, section 4.1.3), where a machine has no better one.
fn literal(address: IpAddr) -> String {
    match address.to_canonical() {
        IpAddr::V4(address) => format!("[{address}]"),
        IpAddr::V6(address) => format!("[IPv6:{address}]"),
    }
}

async fn reach<P: Progress>(progress: &mut P, stage: Stage) -> Result<(), Trouble> {
    progress.reached(stage).await.map_err(|halt| Trouble::Halted(halt.0))
}

/// What a server said to a question.
fn heard(
    phase: Phase,
    deadline: Duration,
    result: Result<Result<Response, lettre::transport::smtp::Error>, tokio::time::error::Elapsed>,
) -> Result<Answer, Trouble> {
    let response = match result {
        Ok(Ok(response)) => response,
        Ok(Err(error)) => return Err(trouble(phase, &error)),
        Err(_) => return Err(silence(phase, deadline)),
    };
    let text = response.message().collect::<Vec<_>>().join(" ");
    Ok(Answer::new(phase, response.code().into(), &text))
}

/// lettre calls any 2yz and 3yz fine; only the hoped-for digit is, since an answer of the other kind
/// means that we and the server are no longer at the same command.
fn hoped(phase: Phase, hope: Hope, answer: Answer) -> Result<Answer, Trouble> {
    if answer.code / 100 == hope as u16 { Ok(answer) } else { Err(astray(phase, &answer)) }
}

/// What is said of such an answer.
pub(super) fn astray(phase: Phase, answer: &Answer) -> Trouble {
    let why = format!("the server gave the answer to something else: {answer}");
    Trouble::Lost { phase, why }
}

/// lettre's error in our words. A reply's text is to be had only from its source.
fn trouble(phase: Phase, error: &lettre::transport::smtp::Error) -> Trouble {
    let source = error.source().map(ToString::to_string).unwrap_or_default();
    match error.status() {
        Some(code) => Trouble::Refused(Answer::new(phase, code.into(), &source)),
        None => Trouble::Lost { phase, why: error.to_string().chars().take(WHY_MAX).collect() },
    }
}

/// What is written under one deadline: RFC 5321, section 4.5.3.2.5 counts it from block to block.
const BLOCK: usize = 64 * 1024;

/// The most of a connection's last words that is kept.
const WHY_MAX: usize = 500;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn offers_are_read_in_any_case_and_spelling() {
        #[track_caller]
        fn check(lines: &str, want: &str) {
            let Offers { starttls, size, plain, login, xoauth2, oauthbearer } = Offers::read(lines);
            let all = [
                (starttls, "starttls"),
                (size.is_some(), "size"),
                (plain, "plain"),
                (login, "login"),
                (xoauth2, "xoauth2"),
                (oauthbearer, "oauthbearer"),
            ];
            let offered: Vec<&str> =
                all.into_iter().filter(|(is, _)| *is).map(|(_, name)| name).collect();
            assert_eq!(offered.join(" "), want, "{lines:?}");
        }
        check("250-mx\r\n250-STARTTLS\r\n250 SIZE 100\r\n", "starttls size");
        check("250-mx\r\n250 size\r\n", "size");
        check("250-mx\r\n250 AUTH LOGIN PLAIN XOAUTH2\r\n", "plain login xoauth2");
        check("250-mx\r\n250 AUTH=LOGIN\r\n", "login");
        check("250-mx\r\n250 AUTH OAUTHBEARER\r\n", "oauthbearer");
        check("250 STARTTLS at your service\r\n", "");
        check("250-mx\r\n250-STARTTLSX\r\n250 XSIZE\r\n", "");
        assert_eq!(Offers::read("250-mx\r\n250 SIZE 35882577\r\n").size, Some(35_882_577));
        assert_eq!(Offers::read("250-mx\r\n250 SIZE\r\n").size, Some(0));
    }

    #[test]
    fn a_machine_without_a_name_is_called_by_its_address() {
        let literal = |ip: &str| literal(ip.parse().unwrap());
        assert_eq!(literal("192.0.2.7"), "[192.0.2.7]");
        assert_eq!(literal("::ffff:192.0.2.7"), "[192.0.2.7]");
        assert_eq!(literal("2001:db8::7"), "[IPv6:2001:db8::7]");
    }
}
