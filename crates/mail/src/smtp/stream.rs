//! One connection, two hands on it: lettre's for commands and answers, ours for the message.
//!
//! lettre ends a message with the dot as soon as the body is written, and tells nobody. So the
//! body, a pause for the books, and then the dot are written here, beside lettre, on the same
//! connection. Answers are handed to lettre line by line, which keeps anything a server says
//! unasked where it can be seen instead of in lettre's buffer, where it would pass for the answer
//! to the next command. Does not know what the lines mean.

use std::fmt;
use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard};
use std::task::{Context, Poll, ready};

use lettre::transport::smtp::client::AsyncTokioStream;
use tokio::io::{AsyncBufRead, AsyncRead, AsyncWrite, AsyncWriteExt, BufReader, ReadBuf};

use crate::server::Io;

/// A handle on the connection. The lock is held within a poll only, never across a wait.
#[derive(Clone)]
pub(super) struct Wire(Arc<Mutex<Line>>);

struct Line {
    io: BufReader<Box<dyn Io>>,
    peer: SocketAddr,
    /// What the server has said since we last spoke.
    heard: Vec<u8>,
    /// What the server said first of all.
    greeting: Vec<u8>,
    /// Whether we have said anything yet.
    spoken: bool,
}

/// What a glance at a connection showed.
pub(super) enum Glance {
    /// Nothing, as it should be between an answer and the next command.
    Quiet,
    /// The server speaks unasked: a farewell most likely.
    Speaking,
    /// The server is gone.
    Gone(String),
}

impl Wire {
    pub(super) fn new(io: Box<dyn Io>, peer: SocketAddr) -> Self {
        let io = BufReader::new(io);
        let (heard, greeting) = (Vec::new(), Vec::new());
        Self(Arc::new(Mutex::new(Line { io, peer, heard, greeting, spoken: false })))
    }

    /// The server's last answer, as it came.
    pub(super) fn heard(&self) -> String {
        String::from_utf8_lossy(&self.line().heard).into_owned()
    }

    /// What the server said before we said anything.
    pub(super) fn greeting(&self) -> String {
        String::from_utf8_lossy(&self.line().greeting).into_owned()
    }

    /// Whether we have said anything yet.
    pub(super) fn spoken(&self) -> bool {
        self.line().spoken
    }

    /// Octets the server sent that nobody asked for.
    pub(super) fn unasked(&self) -> usize {
        self.line().io.buffer().len()
    }

    /// Takes the transport out, to be put back with TLS around it. Meanwhile the line is dead.
    /// What was buffered is lost: look at [`Wire::unasked`] first.
    pub(super) fn take(&self) -> Box<dyn Io> {
        let dead: Box<dyn Io> = Box::new(tokio::io::empty());
        std::mem::replace(&mut self.line().io, BufReader::new(dead)).into_inner()
    }

    /// Puts a transport in the place of the one that was taken.
    pub(super) fn put(&self, io: Box<dyn Io>) {
        self.line().io = BufReader::new(io);
    }

    /// Writes and flushes.
    pub(super) async fn send(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.write_all(bytes).await?;
        self.flush().await
    }

    /// Looks whether the server says something, without waiting for it.
    pub(super) async fn glance(&self) -> Glance {
        std::future::poll_fn(|cx| {
            Poll::Ready(match Pin::new(&mut self.line().io).poll_fill_buf(cx) {
                Poll::Pending => Glance::Quiet,
                Poll::Ready(Ok([])) => Glance::Gone("the server hung up".to_owned()),
                Poll::Ready(Ok(_)) => Glance::Speaking,
                Poll::Ready(Err(error)) => Glance::Gone(error.to_string()),
            })
        })
        .await
    }

    fn line(&self) -> MutexGuard<'_, Line> {
        self.0.lock().expect("nothing panics while it holds the line")
    }
}

impl AsyncRead for Wire {
    /// At most one line: see the head of this file.
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let Line { io, heard, .. } = &mut *self.line();
        let mut io = Pin::new(io);
        let chunk = ready!(io.as_mut().poll_fill_buf(cx))?;
        let line = chunk.split_inclusive(|&byte| byte == b'\n').next().unwrap_or_default();
        let part = &line[..line.len().min(buf.remaining())];
        buf.put_slice(part);
        heard.extend_from_slice(part);
        let taken = part.len();
        io.consume(taken);
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for Wire {
    fn poll_write(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let line = &mut *self.line();
        let heard = std::mem::take(&mut line.heard);
        if !std::mem::replace(&mut line.spoken, true) {
            line.greeting = heard;
        }
        Pin::new(&mut line.io).poll_write(cx, bytes)
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.line().io).poll_flush(cx)
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.line().io).poll_shutdown(cx)
    }
}

impl AsyncTokioStream for Wire {
    fn peer_addr(&self) -> io::Result<SocketAddr> {
        Ok(self.line().peer)
    }
}

impl fmt::Debug for Wire {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Wire({})", self.line().peer)
    }
}

/// The end of data, RFC 5321, section 4.1.1.4. Its first CRLF ends the last line of the body.
pub(super) const END_OF_DATA: &[u8] = b"\r\n.\r\n";

/// A message as it goes over the wire: a dot more before each line that begins with one (RFC 5321,
/// section 4.5.2), and without the CRLF of its last line, which [`END_OF_DATA`] brings.
pub(super) fn stuffed(message: &[u8]) -> Vec<u8> {
    let body = message.strip_suffix(b"\r\n").unwrap_or(message);
    let mut wire = Vec::with_capacity(body.len() + 16);
    for line in body.split_inclusive(|&byte| byte == b'\n') {
        if line.starts_with(b".") {
            wire.push(b'.');
        }
        wire.extend_from_slice(line);
    }
    wire
}

/// What makes a message unfit for the wire, if anything does.
///
/// A bare CR or LF is where one server sees an end of data and the next does not: a message inside
/// the message (SMTP smuggling; RFC 5321, section 2.3.8 forbids both; RUSTSEC-2026-0561).
pub(super) fn flaw(message: &[u8]) -> Option<&'static str> {
    let mut last = 0;
    for &byte in message {
        match (last, byte) {
            (b'\r', b'\n') => {}
            (b'\r', _) => return Some("a CR without its LF"),
            (_, b'\n') => return Some("an LF without its CR"),
            (_, 0) => return Some("a NUL"),
            (_, 0x80..) => return Some("an 8-bit octet"),
            _ => {}
        }
        last = byte;
    }
    (last == b'\r').then_some("a CR without its LF")
}

#[cfg(test)]
mod tests {
    use tokio::io::AsyncReadExt;

    use super::*;

    #[track_caller]
    fn check(message: &str, want: &str) {
        let mut wire = stuffed(message.as_bytes());
        wire.extend_from_slice(END_OF_DATA);
        assert_eq!(String::from_utf8(wire).unwrap(), want, "{message:?}");
    }

    #[test]
    fn lines_that_begin_with_a_dot_get_one_more() {
        check("a\r\n", "a\r\n.\r\n");
        check("a", "a\r\n.\r\n");
        check("a\r\n\r\n", "a\r\n\r\n.\r\n");
        check(".a\r\nb.\r\n", "..a\r\nb.\r\n.\r\n");
        check("a\r\n.\r\n", "a\r\n..\r\n.\r\n");
        check("a\r\n..b\r\n.c", "a\r\n...b\r\n..c\r\n.\r\n");
    }

    #[test]
    fn bare_line_ends_are_flaws() {
        for fit in ["a\r\n", "a", "", "\r\n.\r\n", "a\r\n\r\n"] {
            assert_eq!(flaw(fit.as_bytes()), None, "{fit:?}");
        }
        for unfit in ["a\nb", "a\rb", "a\r", "\n", "a\r\r\n", "a\n\r\n", "a\0b", "é"] {
            assert!(flaw(unfit.as_bytes()).is_some(), "{unfit:?}");
        }
    }

    #[tokio::test]
    async fn an_answer_is_handed_on_line_by_line_and_what_is_behind_it_stays_visible() {
        let (mut server, client) = tokio::io::duplex(64);
        let mut wire = Wire::new(Box::new(client), SocketAddr::from(([127, 0, 0, 1], 25)));
        assert!(matches!(wire.glance().await, Glance::Quiet));
        server.write_all(b"250 yes\r\n421 bye\r\n").await.unwrap();
        let mut room = [0; 64];
        let read = wire.read(&mut room).await.unwrap();
        assert_eq!(&room[..read], b"250 yes\r\n");
        assert_eq!((wire.unasked(), wire.heard().as_str()), (9, "250 yes\r\n"));
        assert!(matches!(wire.glance().await, Glance::Speaking));
        drop(server);
        let read = wire.read(&mut room).await.unwrap();
        assert_eq!(&room[..read], b"421 bye\r\n");
        assert!(matches!(wire.glance().await, Glance::Gone(_)));
    }
}
