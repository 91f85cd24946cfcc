//! As much of HTTP as an identity provider's clients speak here: one question for each connection.

use std::collections::BTreeMap;
use std::sync::Arc;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};

use super::{Shared, Trouble, answers};

/// A question.
pub(super) struct Question {
    pub(super) path: String,
    /// What stands behind the path, and in the body of a form.
    pub(super) fields: BTreeMap<String, String>,
    pub(super) is_post: bool,
}

/// An answer.
pub(super) struct Answer {
    pub(super) status: u16,
    pub(super) headers: Vec<(&'static str, String)>,
    pub(super) body: String,
}

pub(super) async fn serve(listener: TcpListener, shared: Shared) {
    while let Ok((tcp, _)) = listener.accept().await {
        let shared = Arc::clone(&shared);
        // How a connection ends is the client's business.
        tokio::spawn(async move { converse(tcp, shared).await });
    }
}

async fn converse(mut tcp: TcpStream, shared: Shared) -> Option<()> {
    let question = hear(&mut tcp).await?;
    let is_for_tokens = question.path == "/token";
    if is_for_tokens {
        let trouble = {
            let mut state = shared.lock().expect("no panic in between");
            state.under_way += 1;
            state.asked.at_once = state.asked.at_once.max(state.under_way);
            state.asked.in_trouble += usize::from(state.trouble.is_some());
            state.trouble
        };
        let troubled = meet(trouble).await;
        shared.lock().expect("no panic in between").under_way -= 1;
        match troubled {
            Met::Nothing => {}
            Met::Answer(answer) => return say(&mut tcp, &answer).await,
            Met::Silence => return None,
        }
    }
    let answer = answers::to(&question, &shared);
    say(&mut tcp, &answer).await
}

enum Met {
    Nothing,
    Answer(Answer),
    Silence,
}

async fn meet(trouble: Option<Trouble>) -> Met {
    // Long enough that others come meanwhile, if nobody keeps them back.
    tokio::time::sleep(std::time::Duration::from_millis(20)).await;
    match trouble {
        None => Met::Nothing,
        Some(Trouble::Slow(by)) => {
            tokio::time::sleep(by).await;
            Met::Nothing
        }
        Some(Trouble::Silent) => Met::Silence,
        Some(Trouble::Status(status, after)) => {
            let after = after.map(|after| ("Retry-After", after.to_string()));
            let headers = after.into_iter().collect();
            Met::Answer(Answer { status, headers, body: "busy".to_owned() })
        }
    }
}

async fn hear(tcp: &mut TcpStream) -> Option<Question> {
    let mut heard = Vec::new();
    let end = loop {
        if let Some(end) = heard.windows(4).position(|four| four == b"\r\n\r\n") {
            break end + 4;
        }
        if tcp.read_buf(&mut heard).await.ok()? == 0 {
            return None;
        }
    };
    let head = String::from_utf8_lossy(&heard[..end]).into_owned();
    let length = head.lines().find_map(|line| {
        let (name, value) = line.split_once(':')?;
        name.eq_ignore_ascii_case("content-length").then(|| value.trim().parse::<usize>().ok())?
    });
    while heard.len() < end + length.unwrap_or(0) {
        if tcp.read_buf(&mut heard).await.ok()? == 0 {
            return None;
        }
    }
    let body = String::from_utf8_lossy(&heard[end..]).into_owned();
    let mut words = head.lines().next()?.split(' ');
    let (verb, target) = (words.next()?, words.next()?);
    let (path, query) = target.split_once('?').unwrap_or((target, ""));
    let fields = fields(query).chain(fields(&body)).collect();
    Some(Question { path: path.to_owned(), fields, is_post: verb == "POST" })
}

async fn say(tcp: &mut TcpStream, answer: &Answer) -> Option<()> {
    let mut text = format!(
        "HTTP/1.1 {} X\r\nContent-Length: {}\r\nConnection: close\r\n",
        answer.status,
        answer.body.len()
    );
    for (name, value) in &answer.headers {
        text.push_str(&format!("{name}: {value}\r\n"));
    }
    tcp.write_all(format!("{text}\r\n{}", answer.body).as_bytes()).await.ok()
}

/// The fields of a form (URL Standard, section 5.1).
fn fields(form: &str) -> impl Iterator<Item = (String, String)> {
    let pairs = form.split('&').filter(|pair| !pair.is_empty());
    pairs.map(|pair| {
        let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
        (unescaped(name), unescaped(value))
    })
}

fn unescaped(text: &str) -> String {
    let mut octets = Vec::new();
    let mut rest = text.bytes();
    while let Some(octet) = rest.next() {
        octets.push(match octet {
            b'+' => b' ',
            b'%' => {
                let mut digit =
                    || char::from(rest.next().unwrap_or(b'0')).to_digit(16).unwrap_or(0);
                u8::try_from(digit() * 16 + digit()).expect("two digits are an octet")
            }
            other => other,
        });
    }
    String::from_utf8_lossy(&octets).into_owned()
}

/// A text as it may stand in a form.
pub(super) fn escaped(text: &str) -> String {
    let plain = |octet: u8| octet.is_ascii_alphanumeric() || b"-._~".contains(&octet);
    let escape = |octet: u8| match plain(octet) {
        true => char::from(octet).to_string(),
        false => format!("%{octet:02X}"),
    };
    text.bytes().map(escape).collect()
}
