//! A cable to a server that speaks SMTP in the clear, and somebody who cuts it at chosen moments.

use std::collections::BTreeMap;
use std::io::{self, BufRead as _, BufReader, Write as _};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex, MutexGuard};

/// A port that leads to another. It is open for as long as the process lives.
#[derive(Clone, Debug)]
pub struct Cable {
    port: u16,
    plan: Arc<Mutex<Plan>>,
}

/// Where in a message's way the cable is cut.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cut {
    /// The server waits for the body, and nobody hears of it.
    BeforeTheBody,
    /// The body arrives, and the final dot does not.
    BeforeTheDot,
    /// The server has taken the message, and nobody hears of it.
    AfterTheDot,
}

#[derive(Debug, Default)]
struct Plan {
    /// By the number of the message, from 1, in the order in which bodies were announced.
    cuts: BTreeMap<usize, Cut>,
    announced: usize,
    made: Vec<(Cut, String)>,
}

impl Cable {
    /// Leads to this port, and is cut within these messages, by their number from 1.
    ///
    /// # Panics
    ///
    /// If the machine has no port left.
    #[must_use]
    pub fn to(server: u16, cuts: &[(usize, Cut)]) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
        let port = listener.local_addr().expect("it is bound").port();
        let plan = Plan { cuts: cuts.iter().copied().collect(), ..Plan::default() };
        let cable = Self { port, plan: Arc::new(Mutex::new(plan)) };
        let leading = cable.clone();
        std::thread::spawn(move || {
            for client in listener.incoming().flatten() {
                let leading = leading.clone();
                // Whoever hangs up has said all.
                std::thread::spawn(move || leading.lead(client, server));
            }
        });
        cable
    }

    /// Where it begins.
    #[must_use]
    pub fn port(&self) -> u16 {
        self.port
    }

    /// The cuts made so far, each with whom the message was for.
    #[must_use]
    pub fn cuts(&self) -> Vec<(Cut, String)> {
        self.plan().made.clone()
    }

    /// Question by question, until one side hangs up or the cable is cut.
    fn lead(&self, client: TcpStream, server: u16) -> io::Result<()> {
        let mut server = Side::new(TcpStream::connect(("127.0.0.1", server))?)?;
        let mut client = Side::new(client)?;
        client.say(&server.answer()?)?;
        let mut rcpt = String::new();
        loop {
            let line = client.line()?;
            server.say(&line)?;
            let answer = server.answer()?;
            if let Some((address, _)) =
                line.strip_prefix("RCPT TO:<").and_then(|behind| behind.split_once('>'))
            {
                rcpt = address.to_owned();
            }
            if line.trim_end() == "DATA" && answer.starts_with("354") {
                if self.carry(&mut client, &mut server, &answer, &rcpt)? {
                    return Ok(());
                }
            } else {
                client.say(&answer)?;
            }
        }
    }

    /// Carries a body; says whether the cable was cut.
    fn carry(
        &self,
        client: &mut Side,
        server: &mut Side,
        go: &str,
        rcpt: &str,
    ) -> io::Result<bool> {
        let cut = self.announced();
        let done = |cut| {
            self.plan().made.push((cut, rcpt.to_owned()));
            Ok(true)
        };
        if cut == Some(Cut::BeforeTheBody) {
            return done(Cut::BeforeTheBody);
        }
        client.say(go)?;
        loop {
            let line = client.line()?;
            if line != ".\r\n" {
                server.say(&line)?;
                continue;
            }
            if cut == Some(Cut::BeforeTheDot) {
                return done(Cut::BeforeTheDot);
            }
            server.say(&line)?;
            let answer = server.answer()?;
            if cut == Some(Cut::AfterTheDot) && answer.starts_with("250") {
                return done(Cut::AfterTheDot);
            }
            client.say(&answer)?;
            return Ok(false);
        }
    }

    fn announced(&self) -> Option<Cut> {
        let mut plan = self.plan();
        plan.announced += 1;
        let number = plan.announced;
        plan.cuts.remove(&number)
    }

    fn plan(&self) -> MutexGuard<'_, Plan> {
        self.plan.lock().expect("no panic in between")
    }
}

/// An end of the cable.
struct Side(BufReader<TcpStream>);

impl Side {
    fn new(tcp: TcpStream) -> io::Result<Self> {
        tcp.set_nodelay(true)?;
        Ok(Self(BufReader::new(tcp)))
    }

    fn line(&mut self) -> io::Result<String> {
        let mut line = String::new();
        match self.0.read_line(&mut line)? {
            0 => Err(io::ErrorKind::UnexpectedEof.into()),
            _ => Ok(line),
        }
    }

    /// RFC 5321, section 4.2.1: all lines of an answer but the last have a dash behind the code.
    fn answer(&mut self) -> io::Result<String> {
        let mut answer = String::new();
        loop {
            let line = self.line()?;
            answer += &line;
            if line.as_bytes().get(3) != Some(&b'-') {
                return Ok(answer);
            }
        }
    }

    fn say(&mut self, text: &str) -> io::Result<()> {
        self.0.get_mut().write_all(text.as_bytes())
    }
}
