//! One connection's dialogue.

use std::io;
use std::sync::Arc;

use base64::Engine;
use base64::engine::general_purpose::STANDARD as BASE64;
use tokio::io::{AsyncBufReadExt, AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, BufReader};
use tokio::net::TcpStream;
use warmfront_mail::smtp::Tls;

use super::fault::Fault;
use super::record::{Accepted, Line, message_id};
use super::tap::Tapped;
use super::{Shared, State};

trait Io: AsyncRead + AsyncWrite + Send + Unpin {}

impl<T: AsyncRead + AsyncWrite + Send + Unpin> Io for T {}

pub(super) struct Dialogue {
    io: BufReader<Box<dyn Io>>,
    shared: Arc<Shared>,
    connection: u64,
    tls: bool,
    greeted: bool,
    user: Option<String>,
    from: Option<String>,
    rcpt: Option<String>,
    taken: u64,
}

/// Whether the dialogue goes on.
#[derive(PartialEq, Eq)]
enum Then {
    GoOn,
    HangUp,
}

impl Dialogue {
    /// Talks until one side has enough.
    pub(super) async fn hold(tcp: TcpStream, shared: Arc<Shared>, nr: u64) -> io::Result<()> {
        let tapped = Tapped::new(tcp, Arc::clone(&shared));
        let tls = shared.options.tls == Tls::Implicit;
        let io: Box<dyn Io> =
            if tls { Box::new(shared.acceptor.accept(tapped).await?) } else { Box::new(tapped) };
        let mut dialogue = Self {
            io: BufReader::new(io),
            shared,
            connection: nr,
            tls,
            greeted: false,
            user: None,
            from: None,
            rcpt: None,
            taken: 0,
        };
        if dialogue.strikes(Fault::ConnDrop) {
            return Ok(());
        }
        if dialogue.strikes(Fault::Conn421) {
            return dialogue.say(421, "4.3.2", "closing, come back later").await;
        }
        dialogue.say(220, "", "sink.example ESMTP").await?;
        while let Some(line) = dialogue.line().await? {
            if dialogue.answer(&line).await? == Then::HangUp {
                break;
            }
        }
        Ok(())
    }

    async fn answer(&mut self, line: &str) -> io::Result<Then> {
        let (verb, rest) = line.split_once(' ').unwrap_or((line, ""));
        match verb.to_ascii_uppercase().as_str() {
            "EHLO" if !rest.is_empty() => self.ehlo().await?,
            "STARTTLS" if rest.is_empty() => return self.starttls().await,
            "AUTH" => self.auth(rest).await?,
            "MAIL" => return self.mail(rest).await,
            "RCPT" => return self.rcpt(rest).await,
            "DATA" if rest.is_empty() => return self.data().await,
            "RSET" if self.strikes(Fault::RsetDrop) => return Ok(Then::HangUp),
            "RSET" => {
                (self.from, self.rcpt) = (None, None);
                self.say(250, "2.0.0", "forgotten").await?;
            }
            "NOOP" => self.say(250, "2.0.0", "here").await?,
            "QUIT" if self.strikes(Fault::QuitDrop) => return Ok(Then::HangUp),
            "QUIT" => {
                self.say(221, "2.0.0", "bye").await?;
                return Ok(Then::HangUp);
            }
            _ => self.say(500, "5.5.2", "no such command").await?,
        }
        Ok(Then::GoOn)
    }

    async fn ehlo(&mut self) -> io::Result<()> {
        (self.greeted, self.from, self.rcpt) = (true, None, None);
        let options = &self.shared.options;
        let mut offers = vec!["sink.example".to_owned(), "SIZE 10000000".to_owned()];
        if self.wants_tls() && !self.strikes(Fault::NoStarttls) {
            offers.push("STARTTLS".to_owned());
        }
        if !options.users.is_empty() {
            offers.push(format!("AUTH {}", options.mechanisms));
        }
        offers.push("ENHANCEDSTATUSCODES".to_owned());
        let last = offers.len() - 1;
        let lines = offers
            .iter()
            .enumerate()
            .map(|(at, offer)| format!("250{}{offer}\r\n", if at == last { ' ' } else { '-' }));
        let answer: String = lines.collect();
        self.send(answer.as_bytes()).await
    }

    async fn starttls(&mut self) -> io::Result<Then> {
        if !self.wants_tls() {
            self.say(503, "5.5.1", "no TLS here").await?;
            return Ok(Then::GoOn);
        }
        if self.strikes(Fault::StarttlsInjection) {
            self.send(b"220 go\r\n250-sink.example\r\n250 AUTH PLAIN LOGIN\r\n").await?;
        } else {
            self.say(220, "2.0.0", "go").await?;
        }
        let nothing: Box<dyn Io> = Box::new(tokio::io::empty());
        let mut clear = std::mem::replace(&mut self.io, BufReader::new(nothing)).into_inner();
        if self.strikes(Fault::Tls10) {
            // The client's hello comes first.
            clear.read_u8().await?;
            clear.write_all(TLS_1_0_SERVER_HELLO).await?;
            tokio::io::copy(&mut clear, &mut tokio::io::sink()).await?;
            return Ok(Then::HangUp);
        }
        let tls = self.shared.acceptor.accept(clear).await?;
        self.io = BufReader::new(Box::new(tls));
        (self.tls, self.greeted) = (true, false);
        Ok(Then::GoOn)
    }

    async fn auth(&mut self, rest: &str) -> io::Result<()> {
        if self.wants_tls() {
            return self.say(530, "5.7.0", "STARTTLS first").await;
        }
        let (mechanism, initial) = rest.split_once(' ').unwrap_or((rest, ""));
        let offered = self.shared.options.mechanisms;
        if !self.greeted || !offered.split(' ').any(|one| one.eq_ignore_ascii_case(mechanism)) {
            return self.say(504, "5.5.4", "not offered").await;
        }
        let given = if mechanism.eq_ignore_ascii_case("PLAIN") {
            let words = decoded(initial).unwrap_or_default();
            let mut words = words.splitn(3, '\0').skip(1).map(str::to_owned);
            words.next().zip(words.next())
        } else {
            let user = self.challenge("Username:").await?;
            let password = self.challenge("Password:").await?;
            user.zip(password)
        };
        let right = given.filter(|(user, password)| {
            self.shared.options.users.get(user).is_some_and(|known| known == password)
        });
        match right {
            Some((user, _)) if !self.strikes(Fault::Auth535) => {
                self.user = Some(user);
                self.say(235, "2.7.0", "welcome").await
            }
            _ => self.say(535, "5.7.8", "bad credentials").await,
        }
    }

    async fn challenge(&mut self, prompt: &str) -> io::Result<Option<String>> {
        self.say(334, "", &BASE64.encode(prompt)).await?;
        Ok(self.line().await?.and_then(|line| decoded(&line)))
    }

    async fn mail(&mut self, rest: &str) -> io::Result<Then> {
        if self.strikes(Fault::MailHang) {
            return self.fall_silent().await;
        }
        if self.strikes(Fault::MailDrop) {
            return Ok(Then::HangUp);
        }
        if self.strikes(Fault::Mail421) {
            self.say(421, "4.3.2", "closing, come back later").await?;
            return Ok(Then::HangUp);
        }
        let must_log_in = !self.shared.options.users.is_empty() && self.user.is_none();
        match path(rest, "FROM:") {
            _ if self.wants_tls() => self.say(530, "5.7.0", "STARTTLS first").await?,
            _ if !self.greeted => self.say(503, "5.5.1", "EHLO first").await?,
            _ if must_log_in => self.say(530, "5.7.0", "log in first").await?,
            _ if self.from.is_some() => self.say(503, "5.5.1", "MAIL again").await?,
            None => self.say(501, "5.5.4", "MAIL FROM:<address>").await?,
            Some(from) => {
                self.from = Some(from);
                self.say(250, "2.1.0", "sender taken").await?;
            }
        }
        Ok(Then::GoOn)
    }

    async fn rcpt(&mut self, rest: &str) -> io::Result<Then> {
        if self.strikes(Fault::RcptDrop) {
            return Ok(Then::HangUp);
        }
        match path(rest, "TO:") {
            _ if self.from.is_none() => self.say(503, "5.5.1", "MAIL first").await?,
            // Nobody here writes to two people at once.
            _ if self.rcpt.is_some() => self.say(452, "4.5.3", "one recipient a message").await?,
            None => self.say(501, "5.5.4", "RCPT TO:<address>").await?,
            Some(_) if self.strikes(Fault::Rcpt550) => {
                self.say(550, "5.1.1", "no such user").await?;
            }
            Some(_) if self.strikes(Fault::Rcpt451) => {
                self.say(451, "4.7.1", "greylisted, try again").await?;
            }
            Some(to) if self.strikes(Fault::Rcpt550Odd) => {
                self.say(550, "", &format!("<{to}>: odd letter $(4bQ1)")).await?;
            }
            Some(to) => {
                self.rcpt = Some(to);
                self.say(250, "2.1.5", "recipient taken").await?;
            }
        }
        Ok(Then::GoOn)
    }

    async fn data(&mut self) -> io::Result<Then> {
        if self.strikes(Fault::DataDrop) {
            return Ok(Then::HangUp);
        }
        let (Some(from), Some(rcpt)) = (self.from.take(), self.rcpt.take()) else {
            self.say(503, "5.5.1", "RCPT first").await?;
            return Ok(Then::GoOn);
        };
        if self.strikes(Fault::Data421) {
            self.send(b"354 go on\r\n421 4.3.2 shutting down\r\n").await?;
            return self.fall_silent().await;
        }
        self.say(354, "", "go on, end with a dot").await?;
        let bytes = self.message().await?;
        let message = Accepted {
            rcpt,
            from,
            message_id: message_id(&bytes),
            user: self.user.clone(),
            tls: self.tls,
            size: bytes.len(),
            connection: self.connection,
            nth: self.taken + 1,
            bytes,
        };
        self.end_of_data(message).await
    }

    async fn end_of_data(&mut self, message: Accepted) -> io::Result<Then> {
        let doubtful = self.strikes(Fault::Doubtful);
        let lost = doubtful && self.state(|state| state.faults.heads(Fault::Doubtful));
        if self.strikes(Fault::DotDropLost) || lost {
            return Ok(Then::HangUp);
        }
        if self.strikes(Fault::Dot550) {
            self.say(550, "5.7.1", "content refused").await?;
        } else if self.strikes(Fault::Dot451) {
            self.say(451, "4.3.0", "try later").await?;
        } else if self.strikes(Fault::Dot421) {
            self.say(421, "4.3.2", "shutting down").await?;
            return Ok(Then::HangUp);
        } else {
            self.taken += 1;
            self.state(|state| state.record.accept(message));
            if doubtful || self.strikes(Fault::DotDropKept) {
                return Ok(Then::HangUp);
            }
            if self.strikes(Fault::DotHangKept) {
                return self.fall_silent().await;
            }
            if self.strikes(Fault::Garbage) {
                self.send(b"HTTP/1.1 200 OK\r\n\r\n").await?;
                return Ok(Then::GoOn);
            }
            if self.strikes(Fault::Dot354) {
                self.say(354, "", "go on").await?;
                return Ok(Then::GoOn);
            }
            if self.strikes(Fault::FarewellAfter) {
                self.send(b"250 2.0.0 taken\r\n421 4.3.2 enough for today\r\n").await?;
                return Ok(Then::HangUp);
            }
            self.say(250, "2.0.0", "taken").await?;
            if self.strikes(Fault::CloseAfter) {
                return Ok(Then::HangUp);
            }
        }
        Ok(Then::GoOn)
    }

    /// Everything up to CRLF.CRLF, and nothing less strict (RFC 5321, section 4.1.1.4), with the
    /// doubled dots undone.
    async fn message(&mut self) -> io::Result<Vec<u8>> {
        let mut bytes = Vec::new();
        self.state(|state| state.record.unfinished.clear());
        loop {
            let chunk = self.io.fill_buf().await?;
            if chunk.is_empty() {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
            let before = bytes.len();
            let ended = chunk.iter().any(|&byte| {
                bytes.push(byte);
                bytes == b".\r\n" || bytes.ends_with(b"\r\n.\r\n")
            });
            self.io.consume(bytes.len() - before);
            let new = bytes[before..].to_vec();
            self.state(|state| state.record.unfinished.extend(new));
            if ended {
                self.state(|state| state.record.unfinished.clear());
                bytes.truncate(bytes.len() - b".\r\n".len());
                return Ok(undoubled(&bytes));
            }
        }
    }

    /// The next command line; only CRLF ends one.
    async fn line(&mut self) -> io::Result<Option<String>> {
        let mut line = Vec::new();
        while !line.ends_with(b"\r\n") {
            if self.io.read_until(b'\n', &mut line).await? == 0 || line.len() > LINE_MAX {
                return Ok(None);
            }
        }
        line.truncate(line.len() - b"\r\n".len());
        let text = String::from_utf8_lossy(&line).into_owned();
        let said = Line { connection: self.connection, tls: self.tls, text: text.clone() };
        self.state(|state| state.record.lines.push(said));
        Ok(Some(text))
    }

    /// Says nothing more, until the client has had enough.
    async fn fall_silent(&mut self) -> io::Result<Then> {
        tokio::io::copy(&mut self.io, &mut tokio::io::sink()).await?;
        Ok(Then::HangUp)
    }

    async fn say(&mut self, code: u16, enhanced: &str, text: &str) -> io::Result<()> {
        let bare = enhanced.is_empty() || self.strikes(Fault::BareText);
        let enhanced = if bare { String::new() } else { format!("{enhanced} ") };
        self.send(format!("{code} {enhanced}{text}\r\n").as_bytes()).await
    }

    async fn send(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.io.write_all(bytes).await?;
        self.io.flush().await
    }

    fn wants_tls(&self) -> bool {
        self.shared.options.tls == Tls::Starttls && !self.tls
    }

    fn strikes(&self, fault: Fault) -> bool {
        self.state(|state| state.faults.strikes(fault))
    }

    fn state<T>(&self, act: impl FnOnce(&mut State) -> T) -> T {
        act(&mut self.shared.state())
    }
}

/// The address in `FROM:<address> …`; no blank before the bracket (RFC 5321, section 3.3).
fn path(rest: &str, keyword: &str) -> Option<String> {
    let (start, path) = rest.split_at_checked(keyword.len())?;
    let (address, _) = path.strip_prefix('<')?.split_once('>')?;
    start.eq_ignore_ascii_case(keyword).then(|| address.to_owned())
}

fn decoded(base64: &str) -> Option<String> {
    String::from_utf8(BASE64.decode(base64).ok()?).ok()
}

/// A message without the dots that transparency added (RFC 5321, section 4.5.2).
fn undoubled(wire: &[u8]) -> Vec<u8> {
    let mut message = Vec::with_capacity(wire.len());
    for (at, &byte) in wire.iter().enumerate() {
        let starts_line = at == 0 || wire[..at].ends_with(b"\r\n");
        if !(starts_line && byte == b'.') {
            message.push(byte);
        }
    }
    message
}

const LINE_MAX: usize = 4096;

/// A ServerHello that chooses TLS 1.0 (RFC 2246, section 7.4.1.3), which nothing in Rust speaks:
/// record header, handshake header, version 3.1, 32 octets of chance, no session,
/// TLS_ECDHE_RSA_WITH_AES_256_CBC_SHA, no compression.
pub const TLS_1_0_SERVER_HELLO: &[u8] = b"\x16\x03\x01\x00\x2a\x02\x00\x00\x26\x03\x01\
    0123456789abcdef0123456789abcdef\x00\xc0\x14\x00";
