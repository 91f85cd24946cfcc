//! Which folders are read, and how they are found.
//!
//! By what the server says they are for (RFC 6154): people call them what they like, in every
//! language. Only where no folder is said to be for something, names that large servers give by
//! themselves are taken for it.

use imap_proto::{MailboxListData, NameAttribute};
use warmfront_core::reading::Role;

use super::session::quoted;

/// A folder that is read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Folder {
    pub(super) role: Role,
    /// As the server writes it (RFC 3501, section 5.1.3); always fit for a quoted string.
    pub(super) name: String,
    /// Whether the server says what it is for, and not its name alone.
    pub(super) is_said: bool,
}

/// A folder as it is listed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Listed {
    name: String,
    delimiter: Option<String>,
    can_be_opened: bool,
    /// What it is said to be for, of what is read.
    uses: Vec<Role>,
    /// Whether it is said to be for anything at all.
    is_special: bool,
}

/// The folders worth reading, as the list goes by.
#[derive(Debug, Default)]
pub(super) struct Choice {
    junk: Option<Listed>,
    sent: Option<Listed>,
}

impl Folder {
    pub(super) fn inbox() -> Self {
        Self { role: Role::Inbox, name: "INBOX".to_owned(), is_said: true }
    }

    pub(super) fn quoted(&self) -> String {
        quoted(&self.name).expect("no other name is chosen")
    }
}

impl Listed {
    pub(super) fn of(folder: &MailboxListData<'_>) -> Self {
        let has = |wanted: &str| {
            folder.name_attributes.iter().any(|one| match one {
                NameAttribute::Extension(word) => word.eq_ignore_ascii_case(wanted),
                _ => false,
            })
        };
        let mut uses = Vec::new();
        if folder.name_attributes.contains(&NameAttribute::Junk) || has("\\Spam") {
            uses.push(Role::Junk);
        }
        if folder.name_attributes.contains(&NameAttribute::Sent) {
            uses.push(Role::Sent);
        }
        let is_special = folder.name_attributes.iter().any(|one| SPECIAL.contains(one));
        let is_closed =
            folder.name_attributes.contains(&NameAttribute::NoSelect) || has("\\NonExistent");
        Self {
            name: folder.name.to_string(),
            delimiter: folder.delimiter.as_ref().map(ToString::to_string),
            can_be_opened: !is_closed && quoted(&folder.name).is_some(),
            is_special: is_special || !uses.is_empty(),
            uses,
        }
    }

    fn is_called(&self, names: &[&str]) -> bool {
        let delimiter = self.delimiter.as_deref().filter(|text| !text.is_empty());
        let last = delimiter.and_then(|by| self.name.rsplit(by).next()).unwrap_or(&self.name);
        names.iter().any(|name| name.eq_ignore_ascii_case(last))
    }
}

impl Choice {
    /// Considers one more folder. Of two for the same use the first is taken.
    pub(super) fn consider(&mut self, folder: Listed) {
        if !folder.can_be_opened || folder.name.eq_ignore_ascii_case("INBOX") {
            return;
        }
        for (role, names, chosen) in [
            (Role::Junk, JUNK.as_slice(), &mut self.junk),
            (Role::Sent, SENT.as_slice(), &mut self.sent),
        ] {
            let is_said = |one: &Listed| one.uses.contains(&role);
            let is_better = match chosen {
                Some(chosen) => is_said(&folder) && !is_said(chosen),
                // What is said to be for something is never taken for something else.
                None => is_said(&folder) || (!folder.is_special && folder.is_called(names)),
            };
            if is_better {
                *chosen = Some(folder.clone());
            }
        }
    }

    /// The folders that are read, in that order: what was sent first, so that no answer is read before
    /// what it answers.
    pub(super) fn folders(self) -> Vec<Folder> {
        let of = |role, folder: Option<Listed>| {
            folder.map(|one| Folder { role, is_said: one.uses.contains(&role), name: one.name })
        };
        let (junk, sent) = (of(Role::Junk, self.junk), of(Role::Sent, self.sent));
        sent.into_iter().chain([Folder::inbox()]).chain(junk).collect()
    }
}

/// Uses that are none of ours.
const SPECIAL: [NameAttribute<'static>; 5] = [
    NameAttribute::All,
    NameAttribute::Archive,
    NameAttribute::Drafts,
    NameAttribute::Flagged,
    NameAttribute::Trash,
];

/// What Gmail, Exchange, Outlook.com, Yahoo, iCloud, Dovecot and cPanel call it in English, where
/// nobody chose otherwise.
const JUNK: [&str; 6] = ["Junk", "Spam", "Junk Email", "Junk E-mail", "Bulk Mail", "Bulk"];
const SENT: [&str; 4] = ["Sent", "Sent Items", "Sent Mail", "Sent Messages"];

#[cfg(test)]
mod tests {
    use imap_proto::{MailboxDatum, Response};

    use super::*;

    /// What is read of a mailbox whose folders are listed so.
    #[track_caller]
    fn check(list: &[&str], want: &[(&str, Role)]) {
        let mut choice = Choice::default();
        for line in list {
            let line = format!("* LIST {line}\r\n");
            let Ok((_, Response::MailboxData(MailboxDatum::List(folder)))) =
                Response::parse(line.as_bytes())
            else {
                panic!("{line}")
            };
            choice.consider(Listed::of(&folder));
        }
        let folders = choice.folders();
        let read: Vec<_> = folders.iter().map(|one| (one.name.as_str(), one.role)).collect();
        assert_eq!(read, want);
    }

    #[test]
    fn folders_are_known_by_their_use_and_not_by_their_names() {
        use Role::{Inbox, Junk, Sent};
        check(
            &[
                r#"(\HasNoChildren) "." INBOX"#,
                r#"(\HasNoChildren \Junk) "." "Unerw&APw-nscht""#,
                r#"(\HasNoChildren) "." Sent"#,
                r#"(\Sent \HasNoChildren) "." "Envoy&AOk-s""#,
            ],
            &[("Envoy&AOk-s", Sent), ("INBOX", Inbox), ("Unerw&APw-nscht", Junk)],
        );
        check(
            &[
                r#"(\HasChildren \Noselect) "/" "[Gmail]""#,
                r#"(\All \HasNoChildren) "/" "[Gmail]/All Mail""#,
                r#"(\HasNoChildren \Sent) "/" "[Gmail]/Sent Mail""#,
                r#"(\HasNoChildren \Junk) "/" "[Gmail]/Spam""#,
            ],
            &[("[Gmail]/Sent Mail", Sent), ("INBOX", Inbox), ("[Gmail]/Spam", Junk)],
        );
    }

    #[test]
    fn without_a_use_the_usual_names_serve() {
        use Role::{Inbox, Junk, Sent};
        check(
            &[
                r#"() "." INBOX.spam"#,
                r#"() "." "INBOX.Sent Items""#,
                r#"() "." INBOX.Consent"#,
                r#"() "." INBOX.sent"#,
            ],
            &[("INBOX.Sent Items", Sent), ("INBOX", Inbox), ("INBOX.spam", Junk)],
        );
        check(
            &[r#"() NIL Junk"#, r#"() NIL sent"#],
            &[("sent", Sent), ("INBOX", Inbox), ("Junk", Junk)],
        );
        check(&[r#"(\Noselect) "/" Sent"#, r#"(\Trash) "/" Junk"#], &[("INBOX", Inbox)]);
    }
}
