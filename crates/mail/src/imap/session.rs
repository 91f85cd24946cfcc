//! One connection to an IMAP server (RFC 3501), from the log-in to LOGOUT.
//!
//! Says which command, for how long, and what its answer means; imap-proto takes answers apart. A
//! folder is only ever opened by EXAMINE and a message only read by PEEK, so nothing is marked, moved
//! or deleted, whatever goes wrong. An answer that nobody understands is passed over: what tells
//! whether a command worked is its own tagged line.

use std::collections::BTreeSet;
use std::io;
use std::time::Duration;

use imap_proto::{MailboxDatum, Response, ResponseCode, Status};

use super::Deadlines;
use super::folders::{Folder, Listed};
use super::message::{Fetched, What};
use super::wire::Wire;
use crate::inbox::Unreadable;
use crate::tls::Handshake;

/// A connection.
pub(super) struct Session {
    pub(super) wire: Wire,
    pub(super) host: String,
    pub(super) deadlines: Deadlines,
    /// Commands so far; each names its answer by its number.
    pub(super) asked: u32,
    /// What the server can do, in capitals.
    pub(super) offers: BTreeSet<String>,
    /// What TLS showed, once there is TLS.
    pub(super) shown: Option<Handshake>,
}

/// How a folder stands when it is opened.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Opened {
    pub(super) uidvalidity: u32,
    /// The number that the next message will bear, where the server says it.
    pub(super) uid_next: Option<u32>,
}

impl Session {
    /// Every folder there is, each handed on as it comes: there may be thousands.
    pub(super) async fn list(&mut self, mut each: impl FnMut(Listed)) -> Result<(), Unreadable> {
        // RFC 6154, section 2: without being asked a server need not say what folders are for.
        let asks_for_uses = self.offers("SPECIAL-USE") && self.offers("LIST-EXTENDED");
        let command =
            if asks_for_uses { r#"LIST "" "*" RETURN (SPECIAL-USE)"# } else { r#"LIST "" "*""# };
        let deadline = self.deadlines.command;
        self.ask(command, deadline, |answer| {
            if let Response::MailboxData(MailboxDatum::List(folder)) = answer {
                each(Listed::of(&folder));
            }
        })
        .await
    }

    /// Opens a folder for reading.
    pub(super) async fn examine(&mut self, folder: &Folder) -> Result<Opened, Unreadable> {
        let mut opened = Opened::default();
        let command = format!("EXAMINE {}", folder.quoted());
        let deadline = self.deadlines.command;
        self.ask(&command, deadline, |answer| {
            if let Response::Data { outcome, .. } = answer {
                match outcome.code {
                    Some(ResponseCode::UidValidity(life)) => opened.uidvalidity = life,
                    Some(ResponseCode::UidNext(next)) => opened.uid_next = Some(next),
                    _ => {}
                }
            }
        })
        .await?;
        if opened.uidvalidity == 0 {
            let said = "it gives no UIDVALIDITY, so its messages cannot be told apart".to_owned();
            return Err(Unreadable::Refused { what: command, said });
        }
        Ok(opened)
    }

    /// The numbers of the messages that answer to `criteria`, in order.
    pub(super) async fn search(&mut self, criteria: &str) -> Result<Vec<u32>, Unreadable> {
        let mut found = BTreeSet::new();
        let deadline = self.deadlines.command;
        self.ask(&format!("UID SEARCH {criteria}"), deadline, |answer| {
            if let Response::MailboxData(MailboxDatum::Search(uids)) = answer {
                found.extend(uids);
            }
        })
        .await?;
        Ok(found.into_iter().collect())
    }

    /// Fetches messages, or the beginning of each, and hands them on as they come.
    pub(super) async fn fetch(
        &mut self,
        uids: &[u32],
        what: What,
        mut each: impl FnMut(Fetched<'_>),
    ) -> Result<(), Unreadable> {
        let set: Vec<String> = uids.iter().map(ToString::to_string).collect();
        let command = format!("UID FETCH {} {}", set.join(","), what.items());
        let deadline = self.deadlines.fetch;
        self.ask(&command, deadline, |answer| {
            if let Response::Fetch(_, attributes) = &answer
                && let Some(fetched) = Fetched::of(attributes)
                && uids.contains(&fetched.uid)
            {
                each(fetched);
            }
        })
        .await
    }

    /// Waits until the open folder changes (RFC 2177). `false`: it did not within that time, or the
    /// server offers no such thing.
    pub(super) async fn idle(&mut self, within: Duration) -> Result<bool, Unreadable> {
        if !self.offers("IDLE") {
            return Ok(false);
        }
        let tag = self.begin("IDLE").await?;
        let within = within.min(IDLE_MAX);
        let mut news = false;
        let waiting = async {
            loop {
                let answer = self.wire.answer().await?;
                if is_tagged(&answer, &tag) {
                    return Ok(());
                }
                match Response::parse(&answer) {
                    Ok((_, Response::MailboxData(MailboxDatum::Exists(_)))) => {
                        news = true;
                        return Ok(());
                    }
                    Ok((_, Response::Data { status: Status::Bye, outcome })) => {
                        let why = outcome.information.unwrap_or_default();
                        return Err(io::Error::other(format!("the server took leave: {why}")));
                    }
                    _ => {}
                }
            }
        };
        if let Ok(ended) = tokio::time::timeout(within, waiting).await {
            ended.map_err(lost)?;
        }
        self.write("DONE").await?;
        let deadline = self.deadlines.command;
        self.conclude(&tag, "IDLE", deadline, |_| {}).await?;
        Ok(news)
    }

    /// Takes leave; whether the server hears it changes nothing.
    pub(super) async fn logout(mut self) {
        let deadline = self.deadlines.logout;
        let _ = self.ask("LOGOUT", deadline, |_| {}).await;
    }

    pub(super) fn offers(&self, what: &str) -> bool {
        self.offers.contains(what)
    }

    /// Says a command and waits for its end; what is told meanwhile goes to `each`.
    pub(super) async fn ask(
        &mut self,
        command: &str,
        deadline: Duration,
        each: impl FnMut(Response<'_>),
    ) -> Result<(), Unreadable> {
        let tag = self.begin(command).await?;
        self.conclude(&tag, name(command), deadline, each).await
    }

    pub(super) async fn begin(&mut self, command: &str) -> Result<String, Unreadable> {
        self.asked += 1;
        let tag = format!("W{}", self.asked);
        self.write(&format!("{tag} {command}")).await?;
        Ok(tag)
    }

    pub(super) async fn write(&mut self, line: &str) -> Result<(), Unreadable> {
        within(self.deadlines.command, self.wire.say(line)).await
    }

    pub(super) async fn conclude(
        &mut self,
        tag: &str,
        what: &str,
        deadline: Duration,
        mut each: impl FnMut(Response<'_>),
    ) -> Result<(), Unreadable> {
        let listening = async {
            loop {
                let answer = self.wire.answer().await.map_err(lost)?;
                if let Some(ended) = ending(&answer, tag, what) {
                    return ended;
                }
                match Response::parse(&answer) {
                    Ok((_, Response::Data { status: Status::Bye, outcome }))
                        if what != "LOGOUT" =>
                    {
                        let why = outcome.information.unwrap_or_default();
                        return Err(Unreadable::Lost(format!("the server took leave: {why}")));
                    }
                    Ok((_, answer)) => each(answer),
                    Err(_) => {}
                }
            }
        };
        tokio::time::timeout(deadline, listening).await.unwrap_or_else(|_| Err(silence(deadline)))
    }
}

/// A text as a quoted string (RFC 3501, section 4.3), if it can be one.
pub(super) fn quoted(text: &str) -> Option<String> {
    let fits = text.bytes().all(|byte| (0x20..0x7f).contains(&byte));
    fits.then(|| format!("\"{}\"", text.replace('\\', "\\\\").replace('"', "\\\"")))
}

fn is_tagged(answer: &[u8], tag: &str) -> bool {
    answer.strip_prefix(tag.as_bytes()).is_some_and(|rest| rest.first() == Some(&b' '))
}

/// How a command ended, if this is its tagged line.
pub(super) fn ending(answer: &[u8], tag: &str, what: &str) -> Option<Result<(), Unreadable>> {
    if !is_tagged(answer, tag) {
        return None;
    }
    let line = String::from_utf8_lossy(&answer[tag.len()..]);
    let line = line.trim();
    let (word, said) = line.split_once(' ').unwrap_or((line, ""));
    if word.eq_ignore_ascii_case("OK") {
        return Some(Ok(()));
    }
    let said = said.chars().take(WHY_MAX).collect();
    Some(Err(Unreadable::Refused { what: what.to_owned(), said }))
}

/// What a command is called in a message for people. Never its arguments: they may be secrets.
fn name(command: &str) -> &str {
    let words = if command.starts_with("UID ") { 2 } else { 1 };
    let end = command.match_indices(' ').nth(words - 1).map_or(command.len(), |(at, _)| at);
    &command[..end]
}

pub(super) async fn within<T>(
    deadline: Duration,
    step: impl Future<Output = io::Result<T>>,
) -> Result<T, Unreadable> {
    tokio::time::timeout(deadline, step).await.map_err(|_| silence(deadline))?.map_err(lost)
}

pub(super) fn silence(deadline: Duration) -> Unreadable {
    Unreadable::Lost(format!("no answer within {deadline:?}"))
}

pub(super) fn lost(error: io::Error) -> Unreadable {
    Unreadable::Lost(error.to_string())
}

/// RFC 2177: whoever idles for 29 minutes may be taken for gone.
const IDLE_MAX: Duration = Duration::from_secs(25 * 60);

/// The most of a server's words that is kept.
pub(super) const WHY_MAX: usize = 300;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_command_ends_with_its_own_line_only() {
        #[track_caller]
        fn check(answer: &str, want: Option<Result<(), &str>>) {
            let want = want.map(|ended| {
                ended.map_err(|said| Unreadable::Refused {
                    what: "FETCH".to_owned(),
                    said: said.to_owned(),
                })
            });
            assert_eq!(ending(answer.as_bytes(), "W1", "FETCH"), want, "{answer}");
        }
        check("W1 OK done\r\n", Some(Ok(())));
        check("W1 ok\r\n", Some(Ok(())));
        check("W1 NO [LIMIT] later\r\n", Some(Err("[LIMIT] later")));
        check("W1 BAD\r\n", Some(Err("")));
        check("W11 OK done\r\n", None);
        check("* OK W1\r\n", None);
    }

    #[test]
    fn no_argument_is_told_to_anybody() {
        assert_eq!(name("LOGIN \"ann\" \"hunter2\""), "LOGIN");
        assert_eq!(name("UID FETCH 1:* (UID)"), "UID FETCH");
        assert_eq!(name("LOGOUT"), "LOGOUT");
    }

    #[test]
    fn a_quoted_string_is_ascii_on_one_line() {
        #[track_caller]
        fn check(text: &str, want: Option<&str>) {
            assert_eq!(quoted(text).as_deref(), want, "{text:?}");
        }
        check("Sent", Some("\"Sent\""));
        check(r#"a"b\c"#, Some(r#""a\"b\\c""#));
        check("a\r\nW9 DELETE INBOX", None);
        check("Gesendet\u{e4}", None);
    }
}
