//! What comes over the connection, cut into whole answers.
//!
//! An answer is a line, and whatever literals stand in it (RFC 3501, sections 2.2 and 4.3). What an
//! answer says is not looked at here. Whoever stops waiting half-way goes on where it stopped.

use std::io;

use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};

use crate::server::Io;

/// One connection.
pub(super) struct Wire {
    io: BufReader<Box<dyn Io>>,
    /// What there is of the next answer.
    begun: Vec<u8>,
    /// How much of a literal is still to come.
    literal: usize,
}

impl Wire {
    pub(super) fn new(io: Box<dyn Io>) -> Self {
        Self { io: BufReader::new(io), begun: Vec::new(), literal: 0 }
    }

    /// The transport, to be put into another wire with TLS around it, and how many octets had come
    /// that nobody asked for.
    pub(super) fn take_apart(self) -> (Box<dyn Io>, usize) {
        let unasked = self.begun.len() + self.io.buffer().len();
        (self.io.into_inner(), unasked)
    }

    /// Writes a line.
    pub(super) async fn say(&mut self, line: &str) -> io::Result<()> {
        // In one piece: a password must not be told apart by the sizes of packets.
        self.io.write_all(format!("{line}\r\n").as_bytes()).await?;
        self.io.flush().await
    }

    /// The next answer, its CRLF included.
    pub(super) async fn answer(&mut self) -> io::Result<Vec<u8>> {
        loop {
            let chunk = self.io.fill_buf().await?;
            if chunk.is_empty() {
                return Err(io::Error::new(io::ErrorKind::UnexpectedEof, "the server hung up"));
            }
            let (taken, line_ends) = if self.literal > 0 {
                (chunk.len().min(self.literal), false)
            } else {
                let end = chunk.iter().position(|&byte| byte == b'\n');
                (end.map_or(chunk.len(), |at| at + 1), end.is_some())
            };
            self.begun.extend_from_slice(&chunk[..taken]);
            self.io.consume(taken);
            self.literal = self.literal.saturating_sub(taken);
            if line_ends {
                match literal(&self.begun) {
                    Some(size) => self.literal = size,
                    None => return Ok(std::mem::take(&mut self.begun)),
                }
            }
            if self.begun.len().saturating_add(self.literal) > ANSWER_MAX {
                let why = format!("an answer of more than {ANSWER_MAX} octets");
                return Err(io::Error::new(io::ErrorKind::InvalidData, why));
            }
        }
    }
}

/// The size of the literal that a line announces at its end: `{42}`.
fn literal(line: &[u8]) -> Option<usize> {
    let line = line.strip_suffix(b"\r\n")?.strip_suffix(b"}")?;
    let open = line.iter().rposition(|&byte| byte == b'{')?;
    let digits = &line[open + 1..];
    let digits = digits.strip_suffix(b"+").unwrap_or(digits);
    std::str::from_utf8(digits).ok()?.parse().ok()
}

/// The most octets of one answer. We ask for far less of a message; a list of numbers may be long.
const ANSWER_MAX: usize = 8 << 20;

#[cfg(test)]
mod tests {
    use super::*;

    async fn answers(said: &[u8]) -> Vec<String> {
        let (mut server, client) = tokio::io::duplex(16);
        let said = said.to_vec();
        let saying = tokio::spawn(async move { server.write_all(&said).await });
        let mut wire = Wire::new(Box::new(client));
        let mut answers = Vec::new();
        while let Ok(answer) = wire.answer().await {
            answers.push(String::from_utf8(answer).unwrap());
        }
        let _ = saying.await.unwrap();
        answers
    }

    #[tokio::test]
    async fn an_answer_is_a_line_with_its_literals() {
        let said =
            b"* OK hi\r\n* 1 FETCH (UID 5 BODY[] {12}\r\na\r\n)\r\nb{3}\r\n FLAGS ())\r\nA1 OK\r\n";
        let fetch = "* 1 FETCH (UID 5 BODY[] {12}\r\na\r\n)\r\nb{3}\r\n FLAGS ())\r\n";
        assert_eq!(answers(said).await, ["* OK hi\r\n", fetch, "A1 OK\r\n"]);
        assert_eq!(
            answers(b"* L {0}\r\n {2+}\r\nab\r\nx\r\n").await,
            ["* L {0}\r\n {2+}\r\nab\r\n", "x\r\n"]
        );
        assert_eq!(answers(b"* half").await, [""; 0]);
    }

    #[tokio::test]
    async fn an_answer_has_an_end() {
        let (mut server, client) = tokio::io::duplex(64);
        server.write_all(b"* BODY {99999999999}\r\n").await.unwrap();
        let error = Wire::new(Box::new(client)).answer().await.unwrap_err();
        assert_eq!(error.to_string(), "an answer of more than 8388608 octets");
    }
}
