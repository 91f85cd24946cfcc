//! A server of somebody else's that hands in mail, over one connection and without a log-in.

use std::io::{BufRead as _, BufReader, Write as _};
use std::net::TcpStream;

/// Such a server.
#[derive(Debug)]
pub struct Exchange(BufReader<TcpStream>);

impl Exchange {
    pub(super) fn at(port: u16) -> Self {
        let tcp = TcpStream::connect(("127.0.0.1", port)).expect("an open port");
        tcp.set_nodelay(true).expect("a connection");
        let mut exchange = Self(BufReader::new(tcp));
        exchange.hears("220");
        exchange.says("EHLO elsewhere.example", "250");
        exchange
    }

    /// Hands in a message, its lines ended as files have it. Nobody writes a bounce: `from` is empty.
    ///
    /// # Panics
    ///
    /// If it is not taken.
    #[track_caller]
    pub fn hand_in(&mut self, from: &str, to: &str, message: &str) {
        self.says(&format!("MAIL FROM:<{from}>"), "250");
        self.says(&format!("RCPT TO:<{to}>"), "250");
        self.says("DATA", "354");
        let mut octets = String::with_capacity(message.len() + message.len() / 16);
        for line in message.lines() {
            // RFC 5321, section 4.5.2.
            octets.push_str(if line.starts_with('.') { "." } else { "" });
            octets.push_str(line);
            octets.push_str("\r\n");
        }
        self.says(&(octets + "."), "250");
    }

    #[track_caller]
    fn says(&mut self, line: &str, want: &str) {
        self.0.get_mut().write_all(format!("{line}\r\n").as_bytes()).expect("somebody listens");
        self.hears(want);
    }

    #[track_caller]
    fn hears(&mut self, want: &str) {
        loop {
            let mut said = String::new();
            self.0.read_line(&mut said).expect("an answer");
            assert!(said.starts_with(want), "{said}");
            if said.as_bytes().get(want.len()) == Some(&b' ') {
                return;
            }
        }
    }
}
