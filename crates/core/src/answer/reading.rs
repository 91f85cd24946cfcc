//! From what a server wrote to what can be compared: codes found, lines joined, addresses left out.
//!
//! Guesses at no meaning. What is no answer at all has the code 0.

use std::fmt;

/// An enhanced status code, RFC 3463: class.subject.detail.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Enhanced {
    /// 2, 4 or 5.
    pub class: u16,
    /// What it is about: 1 address, 2 mailbox, 3 system, 4 network, 5 protocol, 6 media, 7 policy.
    pub subject: u16,
    /// The detail.
    pub detail: u16,
}

impl Enhanced {
    /// The code a text is, if it is one and nothing more.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let mut parts = text.split('.').map(|part| {
            let is_number =
                (1..=3).contains(&part.len()) && part.bytes().all(|b| b.is_ascii_digit());
            is_number.then(|| part.parse().ok()).flatten()
        });
        let (class, subject, detail) = (parts.next()??, parts.next()??, parts.next()??);
        let whole = parts.next().is_none() && matches!(class, 2 | 4 | 5);
        whole.then_some(Self { class, subject, detail })
    }

    /// Whether it only says that another server said something: Exchange Online's 5.0.350, 5.1.351
    /// and their like, and anything of subject 0.
    fn wraps_another(self) -> bool {
        self.subject == 0 || (300..400).contains(&self.detail)
    }
}

impl fmt::Display for Enhanced {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}.{}", self.class, self.subject, self.detail)
    }
}

/// The code of a written answer and its text, the codes of its lines taken off.
pub(super) fn lines(written: &str) -> (u16, String) {
    let written = written.replace("\\r", "").replace("\\n", "\n");
    let mut lines = written.lines().map(str::trim).filter(|line| !line.is_empty());
    let first = lines.next().map_or("", without_kind);
    let (code, text) = split_code(first);
    let mut joined = vec![text];
    for line in lines {
        let (again, text) = split_code(line);
        joined.push(if again.is_some() { text } else { line });
    }
    let text = joined.join(" ");
    // A report may give the enhanced code alone.
    let by_class = || Enhanced::parse(text.split_whitespace().next()?).map(|e| e.class * 100 + 50);
    (code.or_else(by_class).unwrap_or(0), text)
}

/// The enhanced code of a text: at its beginning, behind a reply code, or in brackets. The first
/// one that says something of its own.
pub(super) fn enhanced(text: &str) -> Option<Enhanced> {
    let mut found = Vec::new();
    let mut may_follow = true;
    for word in text.split_whitespace() {
        let word = without_kind(word);
        let (code, rest) = split_code(word);
        let is_marked = word.starts_with(['(', '[', '#']);
        let bare = rest.trim_matches(|c: char| !c.is_ascii_alphanumeric());
        if let Some(code) =
            Enhanced::parse(bare).filter(|_| may_follow || is_marked || code.is_some())
        {
            found.push(code);
        }
        // "550 5.1.1", "said: 550-5.1.1", "SMTP; 5.1.1".
        may_follow = word.is_empty() || (code.is_some() && rest.is_empty());
    }
    found.iter().find(|code| !code.wraps_another()).or(found.first()).copied()
}

/// The words of a text as rules compare them: in small letters, with one blank between, without
/// codes, and without addresses, whose owners choose their words freely.
pub(super) fn words(code: u16, text: &str) -> String {
    let mut words = Vec::new();
    for word in text.split_whitespace() {
        let (again, rest) = split_code(without_kind(word));
        let is_code = rest.is_empty() && again == Some(code);
        let bare = rest.trim_end_matches([':', ',', '-']);
        if is_code || Enhanced::parse(bare).is_some() {
            continue;
        }
        words.push(without_address(word).to_lowercase());
    }
    words.join(" ")
}

/// The same with a `#` in place of numbers and ids: of what has a digit in it, or stands in quotes.
pub(super) fn shape(code: u16, text: &str) -> String {
    let mut shape: Vec<String> = Vec::new();
    for word in words(code, text).split_whitespace() {
        let bare = word.trim_end_matches(['.', ',', ':', ';']);
        let is_quoted = |quote: &char| bare.starts_with(*quote) && bare.ends_with(*quote);
        let changes = word.contains(|c: char| c.is_ascii_digit())
            || bare.len() > 1 && ['"', '\''].iter().any(is_quoted);
        let word = if changes { "#" } else { word };
        if word != "#" || shape.last().is_none_or(|last| last != "#") {
            shape.push(word.to_owned());
        }
    }
    shape.join(" ")
}

/// A text on one line, as it was but for addresses and what no screen should be told.
pub(super) fn without_addresses(text: &str) -> String {
    let words = text.split_whitespace().map(without_address);
    words.collect::<Vec<_>>().join(" ").replace(char::is_control, "")
}

/// Without the kind of diagnostic that a report names (RFC 3464, section 2.3.6): `smtp;`.
fn without_kind(word: &str) -> &str {
    match word.split_once(';') {
        Some((kind, rest)) if kind.trim().eq_ignore_ascii_case("smtp") => rest.trim_start(),
        Some((kind, rest)) if kind.to_ascii_lowercase().starts_with("x-") => rest.trim_start(),
        _ => word,
    }
}

/// A reply code at the beginning, and what follows it. Some servers forget the blank.
fn split_code(line: &str) -> (Option<u16>, &str) {
    let Some((digits, rest)) = line.split_at_checked(3) else { return (None, line) };
    let goes_on = rest.starts_with(|c: char| c.is_ascii_digit() || c == '.');
    let is_code =
        digits.bytes().all(|b| b.is_ascii_digit()) && !digits.starts_with('0') && !goes_on;
    if !is_code {
        return (None, line);
    }
    (digits.parse().ok(), rest.trim_start_matches(['-', ':', ' ', '\t']))
}

/// A word with the address in it blotted out.
fn without_address(word: &str) -> String {
    let Some(at) = word.find('@') else { return word.to_owned() };
    let is_edge = |c: char| "<>()[]\"',;:".contains(c);
    let start = word[..at].rfind(is_edge).map_or(0, |edge| edge + 1);
    let end = word[at..].find(is_edge).map_or(word.len(), |edge| at + edge);
    format!("{}@{}", &word[..start], &word[end..])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn enhanced_codes_are_found_where_servers_put_them() {
        #[track_caller]
        fn check(text: &str, want: &str) {
            let found = enhanced(text).map_or_else(String::new, |code| code.to_string());
            assert_eq!(found, want, "{text}");
        }
        check("5.1.1 no such user", "5.1.1");
        check("5.7.233 - too much", "5.7.233");
        check("5.1.1: no such user", "5.1.1");
        check("sorry, no mailbox here by that name. (#5.7.17)", "5.7.17");
        check("SMTP; 550 5.1.1 no such user", "5.1.1");
        check("smtp;550-5.7.26 no", "5.7.26");
        check("host said: 550 5.1.1 no such user", "5.1.1");
        check("5.1.351 Remote server said -> 550 5.2.1 off", "5.2.1");
        check("5.0.350 Remote server said no", "5.0.350");
        check("no 5.1.1 here, nor 10.5.1.1 or 5.1.1.1", "");
        check("Exim 4.94.2 is tired", "");
        check("no codes", "");
    }

    #[test]
    fn lines_are_joined_without_their_codes() {
        #[track_caller]
        fn check(written: &str, want: (u16, &str)) {
            let (code, text) = lines(written);
            assert_eq!((code, text.as_str()), want, "{written}");
        }
        check("550 5.1.1 no", (550, "5.1.1 no"));
        check("550-5.1.1 no\r\n550 5.1.1 user", (550, "5.1.1 no 5.1.1 user"));
        check("554-mx\\n554 go away", (554, "mx go away"));
        check("550User unknown", (550, "User unknown"));
        check("smtp; 550 no", (550, "no"));
        check("5.1.1 bad address", (550, "5.1.1 bad address"));
        check("4.4.1 no answer", (450, "4.4.1 no answer"));
        check("HTTP/1.1 400 Bad Request", (0, "HTTP/1.1 400 Bad Request"));
        check("55 what", (0, "55 what"));
        check("", (0, ""));
        check("250", (250, ""));
    }

    #[test]
    fn words_hold_neither_codes_nor_addresses() {
        #[track_caller]
        fn check(text: &str, want: &str) {
            assert_eq!(words(550, text), want, "{text}");
        }
        check("5.7.1 This is  likely\t5.7.1 unsolicited", "this is likely unsolicited");
        check("<spam.king@blocked.example>: User unknown", "<@>: user unknown");
        check("SMTP; 550 550-5.1.1 No", "smtp; no");
        check("see mail 4.16.55.1", "see mail 4.16.55.1");
    }

    #[test]
    fn a_shape_is_what_answers_of_one_kind_have_in_common() {
        #[track_caller]
        fn check(text: &str, want: &str) {
            assert_eq!(shape(554, text), want, "{text}");
        }
        check("5.9.9 Odd letter 4bQx1: no, ann@one.test", "odd letter # no, @");
        check("odd letter 7Zz2: no, <bob@two.test>", "odd letter # no, <@>");
        check("rejected by 'mx-a', \"abc\" 10.0.0.1 [7]", "rejected by #");
        check("it's \"not wanted\" here", "it's \"not wanted\" here");
        check("", "");
    }

    #[test]
    fn an_example_names_nobody_and_commands_no_terminal() {
        let text = "5.9.9 No\r\n  <Ann@one.test>:\u{1b}[2J odd";
        assert_eq!(without_addresses(text), "5.9.9 No <@>:[2J odd");
    }
}
