//! A name server on this machine: it answers as a resolver does, by a zone that a test writes down,
//! and keeps what it was asked.
//!
//! A line of a zone is `NAME TYPE VALUE`. The value `!SERVFAIL`, `!REFUSED` or `!SILENT` is how that
//! question goes wrong, `!NXDOMAIN` denies the name; `!TRUNCATED` before a value lets it through over
//! TCP alone; the type `ANY` is every type. A name of which the zone says nothing is not there, but
//! every top-level zone has its name server, as for whoever sees the world.

use std::io::{Read as _, Write as _};
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr, TcpListener, UdpSocket};
use std::sync::{Arc, Mutex, PoisonError};

use hickory_resolver::proto::op::{Message, ResponseCode};
use hickory_resolver::proto::rr::rdata::{A, AAAA, CNAME, MX, NS, SOA, TXT};
use hickory_resolver::proto::rr::{Name, RData, Record, RecordType};

/// A name server, for as long as the test runs.
#[derive(Debug)]
pub struct NameServer {
    address: SocketAddr,
    state: Arc<Mutex<State>>,
}

#[derive(Debug, Default)]
struct State {
    zone: Vec<Line>,
    asked: Vec<String>,
}

#[derive(Clone, Debug)]
struct Line {
    name: String,
    kind: String,
    value: String,
}

impl NameServer {
    /// A server with that zone.
    #[must_use]
    pub fn start(zone: &str) -> Self {
        let state = Arc::new(Mutex::new(State { zone: lines(zone), asked: Vec::new() }));
        // The same port for both, and nobody else's.
        let (udp, tcp) = loop {
            let udp = UdpSocket::bind(("127.0.0.1", 0)).expect("a free port");
            let port = udp.local_addr().expect("it is bound").port();
            if let Ok(tcp) = TcpListener::bind(("127.0.0.1", port)) {
                break (udp, tcp);
            }
        };
        let address = udp.local_addr().expect("it is bound");
        let (by_udp, by_tcp) = (Arc::clone(&state), Arc::clone(&state));
        std::thread::spawn(move || serve_udp(&udp, &by_udp));
        std::thread::spawn(move || serve_tcp(&tcp, &by_tcp));
        Self { address, state }
    }

    /// Where it listens, UDP and TCP.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Puts another zone in place of what it had.
    pub fn publish(&self, zone: &str) {
        hold(&self.state).zone = lines(zone);
    }

    /// What it was asked, `NAME TYPE` each, in order.
    #[must_use]
    pub fn asked(&self) -> Vec<String> {
        hold(&self.state).asked.clone()
    }
}

fn hold(state: &Mutex<State>) -> std::sync::MutexGuard<'_, State> {
    state.lock().unwrap_or_else(PoisonError::into_inner)
}

fn lines(zone: &str) -> Vec<Line> {
    let lines = zone.lines().map(str::trim).filter(|line| !line.is_empty());
    let line = |line: &str| {
        let mut words = line.splitn(3, ' ');
        let mut word = || words.next().unwrap_or_default().to_owned();
        Line { name: word().to_lowercase(), kind: word(), value: word() }
    };
    lines.map(line).collect()
}

fn serve_udp(socket: &UdpSocket, state: &Mutex<State>) {
    let mut packet = [0; 4096];
    while let Ok((length, from)) = socket.recv_from(&mut packet) {
        if let Some(answer) = answer(&packet[..length], state, false) {
            let _ = socket.send_to(&answer, from);
        }
    }
}

fn serve_tcp(listener: &TcpListener, state: &Arc<Mutex<State>>) {
    for stream in listener.incoming().flatten() {
        let (mut stream, state) = (stream, Arc::clone(state));
        std::thread::spawn(move || {
            let mut length = [0; 2];
            while stream.read_exact(&mut length).is_ok() {
                let mut packet = vec![0; usize::from(u16::from_be_bytes(length))];
                if stream.read_exact(&mut packet).is_err() {
                    return;
                }
                let Some(answer) = answer(&packet, &state, true) else { continue };
                let Ok(length) = u16::try_from(answer.len()) else { return };
                let framed = [&length.to_be_bytes(), answer.as_slice()].concat();
                if stream.write_all(&framed).is_err() {
                    return;
                }
            }
        });
    }
}

/// `None`: silence.
fn answer(packet: &[u8], state: &Mutex<State>, by_tcp: bool) -> Option<Vec<u8>> {
    let request = Message::from_vec(packet).ok()?;
    let query = request.queries.first()?.clone();
    let name = text(query.name());
    let mut held = hold(state);
    held.asked.push(format!("{name} {}", query.query_type()));
    let mut response = Message::response(request.metadata.id, request.metadata.op_code);
    response.metadata.recursion_available = true;
    response.add_query(query.clone());
    if let Some(fault) = fault(&held.zone, &name, query.query_type()) {
        match fault {
            "!SERVFAIL" => response.metadata.response_code = ResponseCode::ServFail,
            "!REFUSED" => response.metadata.response_code = ResponseCode::Refused,
            "!NXDOMAIN" => deny(&mut response, ResponseCode::NXDomain),
            "!TRUNCATED" if by_tcp => fill(&mut response, &held.zone, &name, query.query_type()),
            "!TRUNCATED" => response.metadata.truncation = true,
            _ => return None,
        }
    } else {
        fill(&mut response, &held.zone, &name, query.query_type());
    }
    response.to_vec().ok()
}

/// How a question goes wrong, if it does.
fn fault<'a>(zone: &'a [Line], name: &str, kind: RecordType) -> Option<&'a str> {
    let mine = zone.iter().filter(|line| line.name == name);
    let mut mine = mine.filter(|line| line.kind == kind.to_string() || line.kind == "ANY");
    mine.find_map(|line| line.value.split(' ').next().filter(|word| word.starts_with('!')))
}

/// Records of that type, through as many CNAMEs as a resolver follows; or why there are none.
fn fill(response: &mut Message, zone: &[Line], name: &str, kind: RecordType) {
    let mut at = name.to_owned();
    for _ in 0..CHAIN_MAX {
        let mine = |wanted: &str| -> Vec<Line> {
            let mine = zone.iter().filter(|line| line.name == at && line.kind == wanted);
            mine.cloned().collect()
        };
        let records = mine(&kind.to_string());
        for line in &records {
            let value = line.value.strip_prefix("!TRUNCATED ").unwrap_or(&line.value);
            response.add_answer(Record::from_rdata(absolute(&at), TTL, data(&line.kind, value)));
        }
        if !records.is_empty() {
            return;
        }
        let Some(alias) = mine("CNAME").into_iter().next() else { break };
        response.add_answer(Record::from_rdata(absolute(&at), TTL, data("CNAME", &alias.value)));
        at = alias.value.trim_end_matches('.').to_lowercase();
    }
    if kind == RecordType::NS && !at.contains('.') {
        let server = format!("a.nic.{at}");
        response.add_answer(Record::from_rdata(absolute(&at), TTL, data("NS", &server)));
        return;
    }
    let below = format!(".{at}");
    let is_there = zone.iter().any(|line| line.name == at || line.name.ends_with(&below));
    deny(response, if is_there { ResponseCode::NoError } else { ResponseCode::NXDomain });
}

/// The answer that there is none, with what makes it one (RFC 2308, section 2).
fn deny(response: &mut Message, code: ResponseCode) {
    response.metadata.response_code = code;
    let root = Name::root();
    let soa = SOA::new(root.clone(), root.clone(), 1, 3600, 600, 86_400, 60);
    response.add_authority(Record::from_rdata(root, TTL, RData::SOA(soa)));
}

fn data(kind: &str, value: &str) -> RData {
    match kind {
        "A" => RData::A(A(value.parse::<Ipv4Addr>().expect("an IPv4 address"))),
        "AAAA" => RData::AAAA(AAAA(value.parse::<Ipv6Addr>().expect("an IPv6 address"))),
        "CNAME" => RData::CNAME(CNAME(absolute(value))),
        "NS" => RData::NS(NS(absolute(value))),
        "MX" => {
            let (preference, exchange) = value.split_once(' ').expect("a preference and a name");
            RData::MX(MX::new(preference.parse().expect("a number"), absolute(exchange)))
        }
        "TXT" => RData::TXT(TXT::new(strings(value))),
        other => panic!("the zone has no {other}"),
    }
}

/// The strings of one text: a bar parts them, and none is longer than 255 octets (RFC 1035, section
/// 3.3).
fn strings(value: &str) -> Vec<String> {
    let parts = value.split('|').flat_map(|part| part.as_bytes().chunks(255));
    parts.map(|part| String::from_utf8_lossy(part).into_owned()).collect()
}

fn absolute(name: &str) -> Name {
    Name::from_utf8(format!("{}.", name.trim_end_matches('.'))).expect("a name")
}

fn text(name: &Name) -> String {
    name.to_utf8().trim_end_matches('.').to_lowercase()
}

/// Seconds that an answer is good for.
const TTL: u32 = 60;

/// Resolvers give chains up at about as many links.
const CHAIN_MAX: usize = 12;
