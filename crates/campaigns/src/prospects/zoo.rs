//! A zoo of lists: what people export, paste, damage and forge.

use std::io::{Cursor, Read, Seek, SeekFrom};

use super::*;

/// What became of a list, a line for each row, or why it was refused.
fn told(bytes: &[u8], encoding: Option<&str>) -> String {
    let mut rows = Vec::new();
    let read = read_from("l.csv", Cursor::new(bytes), encoding, |row| rows.push(row));
    match read {
        Err(problems) => {
            assert!(rows.is_empty(), "a refused file has handed out {rows:?}");
            problems
                .iter()
                .map(|problem| format!("refused {problem}"))
                .collect::<Vec<_>>()
                .join("\n")
        }
        Ok(report) => {
            assert_eq!(report.rows(), rows.len() as u64);
            let warnings = report.warnings.iter().map(|warning| format!("warned {warning}"));
            rows.iter().map(row_told).chain(warnings).collect::<Vec<_>>().join("\n")
        }
    }
}

fn row_told(row: &Row) -> String {
    match row {
        Row::Accepted { line, prospect } => {
            let p = prospect;
            let known =
                [&p.first_name, &p.last_name, &p.company, &p.title, &p.country, &p.timezone];
            let known = known.into_iter().filter(|value| !value.is_empty()).cloned();
            let others = p.attributes.iter().map(|(name, value)| format!("{name}={value:?}"));
            let all: Vec<_> =
                std::iter::once(p.address.to_string()).chain(known).chain(others).collect();
            format!("{line} {}", all.join(" | "))
        }
        Row::Rejected { line, reason, .. } => format!("{line} rejected: {reason}"),
        Row::Duplicate { line, address } => format!("{line} duplicate: {address}"),
    }
}

#[track_caller]
fn check(list: impl AsRef<[u8]>, want: &str) {
    assert_eq!(told(list.as_ref(), None), want);
}

#[track_caller]
fn check_as(encoding: &str, list: impl AsRef<[u8]>, want: &str) {
    assert_eq!(told(list.as_ref(), Some(encoding)), want);
}

/// A list of one person as UTF-16, with its mark where `mark` is some.
fn utf16(mark: Option<u16>, text: &str, bytes: fn(u16) -> [u8; 2]) -> Vec<u8> {
    mark.into_iter().chain(text.encode_utf16()).flat_map(bytes).collect()
}

const ANN: &str = "2 ann@x.example | Ann";

#[test]
fn good_lists_in_many_dresses() {
    check("email,first_name\nann@x.example,Ann\n", ANN);
    check("email,first_name\r\nann@x.example,Ann\r\n", ANN);
    check("email,first_name\rann@x.example,Ann\r", ANN);
    check("email,first_name\nann@x.example,Ann", ANN);
    check("\u{feff}email,first_name\nann@x.example,Ann\n", ANN);
    check("email;first_name\nann@x.example;Ann\n", ANN);
    check("email\tfirst_name\nann@x.example\tAnn\n", ANN);
    check("sep=;\r\nemail;first_name\r\nann@x.example;Ann\r\n", "3 ann@x.example | Ann");
    check("\"sep=\t\"\nemail\tfirst_name\nann@x.example\tAnn\n", "3 ann@x.example | Ann");
    check(
        " E-Mail ,Email,First Name\nx,ann@x.example,Ann\n",
        "2 ann@x.example | Ann | e_mail=\"x\"",
    );
    check("EMAIL,FIRSTNAME\nANN@X.EXAMPLE, Ann \n", ANN);
    check("\"email\",\"first_name\"\n\"ann@x.example\",\"Ann\"\n", ANN);
    check("email, first_name\nann@x.example, \"Ann\" \n", ANN);
    check("\n\n  \nemail,first_name\n\nann@x.example,Ann\n\n\n", "6 ann@x.example | Ann");
    check("email\nann@x.example\n", "2 ann@x.example");
    check("email,first_name\n", "");
}

#[test]
fn values_come_as_they_are() {
    check(
        "email,company\nann@x.example,\"Acme, \"\"Inc\"\"\"\n",
        "2 ann@x.example | Acme, \"Inc\"",
    );
    // A stray quote in an unquoted field is data.
    check("email,company\nann@x.example,12\" screens\n", "2 ann@x.example | 12\" screens");
    check(
        "email,Head Count (2026),größe\nann@x.example,7,XL\n",
        "2 ann@x.example | größe=\"XL\" | head_count_2026=\"7\"",
    );
    check("email,q\nann@x.example,=1+1\n", "2 ann@x.example | q=\"=1+1\"");
    check("email,q\nann@x.example,'+49 30\n", "2 ann@x.example | q=\"'+49 30\"");
    check("email,q\nann@x.example,{{legal_name}}\n", "2 ann@x.example | q=\"{{legal_name}}\"");
    check(
        "email,note\nann@x.example,\"two\r\nlines\"\nbob@x.example,\n",
        "2 ann@x.example | note=\"two\\nlines\"\n4 bob@x.example",
    );
    check("email,first_name\nann@x.example,Åse 李\n", "2 ann@x.example | Åse 李");
    check("email,timezone\nann@x.example,europe/berlin\n", "2 ann@x.example | Europe/Berlin");
}

#[test]
fn encodings() {
    let list = "email,first_name\nann@x.example,Zoë\n";
    let want = "2 ann@x.example | Zoë";
    check(utf16(Some(0xFEFF), list, u16::to_le_bytes), want);
    check(utf16(Some(0xFEFF), list, u16::to_be_bytes), want);
    check_as("utf-16le", utf16(None, list, u16::to_le_bytes), want);
    check(
        utf16(None, list, u16::to_le_bytes),
        "refused l.csv:1: the file holds NUL bytes, which no text does; if it is UTF-16 without a \
         mark, say `--encoding utf-16le`",
    );
    let latin = b"email,first_name\nann@x.example,Zo\xEB\nbob@x.example,Bob\n";
    check(
        latin,
        "refused l.csv:2: this is not UTF-8; save the list as \"CSV UTF-8\", or say what it is, e.g. \
         `--encoding windows-1252`",
    );
    check_as("windows-1252", latin, "2 ann@x.example | Zoë\n3 bob@x.example | Bob");
    // The mark is surer than what is said.
    check_as("windows-1252", "\u{feff}email,first_name\nann@x.example,Zoë\n", want);
    check_as(
        "shift_jis",
        b"email,first_name\nann@x.example,\x8F\n",
        "refused l.csv:2: this is not Shift_JIS; name the encoding the list was saved in",
    );
    check_as(
        "klingon",
        list,
        "refused l.csv: `klingon` is no known encoding; try `windows-1252` or `utf-16le`",
    );
    let mut cut = utf16(Some(0xFEFF), list, u16::to_le_bytes);
    cut.pop();
    check(cut, "refused l.csv:2: this is not UTF-16LE; the file is damaged or cut off");
    // Cut off in the middle of a letter.
    check(
        b"email,first_name\nann@x.example,Zo\xC3",
        "refused l.csv:2: this is not UTF-8; save the list as \"CSV UTF-8\", or say what it is, e.g. \
         `--encoding windows-1252`",
    );
}

#[test]
fn files_that_are_no_lists_are_refused_whole() {
    let excel =
        "refused l.csv: this is an Excel file, not a CSV; save it as \"CSV UTF-8\" and import that";
    check(b"PK\x03\x04\x14\0\x06\0", excel);
    check(b"\xD0\xCF\x11\xE0\xA1\xB1\x1A\xE1\0\0", excel);
    check(
        b"\x1F\x8B\x08\0",
        "refused l.csv: this is a gzip file; unpack it and import the CSV within",
    );
    check(b"%PDF-1.7", "refused l.csv: this is a PDF, not a CSV");
    check(
        "<!DOCTYPE html><table>",
        "refused l.csv: this is a web page, not a CSV; export the list again",
    );
    let empty =
        "refused l.csv: the file is empty; its first line names the columns, at least `email`";
    check("", empty);
    check("\u{feff}\n \r\n", empty);
    check(
        "email,first_\0name\nann@x.example,Ann\n",
        "refused l.csv:1: the file holds NUL bytes, which no text does; if it is UTF-16 without a \
         mark, say `--encoding utf-16le`",
    );
    let nuls = format!("email\nann@x.example\n{}", "\0\n".repeat(30));
    check(
        &nuls,
        "refused l.csv:1: the file holds NUL bytes, which no text does; if it is UTF-16 without a \
         mark, say `--encoding utf-16le`",
    );
}

#[test]
fn headings_that_cannot_be_used_are_refused_with_a_hint() {
    check(
        "E-mail,name\nann@x.example,Ann\n",
        "refused l.csv:1: there is no column `email`; column 1 is `E-mail`: rename it to `email`",
    );
    check(
        "name,Email Address\nAnn,ann@x\n",
        "refused l.csv:1: there is no column `email`; column 2 is `Email Address`: rename it to `email`",
    );
    check(
        "emial,name\nann@x.example,Ann\n",
        "refused l.csv:1: there is no column `email`; column 1 is `emial`: rename it to `email`",
    );
    check(
        "who,where\nx,y\n",
        "refused l.csv:1: there is no column `email`, the one a list must have; found `who`, `where`",
    );
    check(
        "email|first_name\nann@x.example|Ann\n",
        "refused l.csv:1: there is no column `email`; columns are parted by commas, semicolons or \
         tabs, not by `|`",
    );
    check(
        "id|name\n1|Ann\n",
        "refused l.csv:1: there is no column `email`; columns are parted by commas, semicolons or \
         tabs, not by `|`",
    );
    check(
        "ann@x.example,Ann\nbob@x.example,Bob\n",
        "refused l.csv:1: the first line is a person, not a heading; put the column names, at least \
         `email`, into the first line",
    );
    check(
        "email,name,Email\na@x.example,A,b@x.example\n",
        "refused l.csv:1: columns 1 (`email`) and 3 (`Email`) have the same name; keep one of them",
    );
    check(
        "email,Head count,head_count\na@x.example,1,2\n",
        "refused l.csv:1: columns 2 (`Head count`) and 3 (`head_count`) have the same name; keep one \
         of them",
    );
    check(
        format!("email{}\n", ",c".repeat(200)),
        "refused l.csv:1: 201 columns; 200 is the most a list may have",
    );
    check(
        "email,,opt_out\nann@x.example,7,no\n",
        "2 ann@x.example | opt_out=\"no\"\n\
         warned l.csv:1: warning: column 2 has no name and is left out\n\
         warned l.csv:1: warning: column 3, `opt_out`, is hidden by the value templates have under \
         that name; rename it if they should use it",
    );
}

#[test]
fn quotes_that_swallow_people_are_refused_where_they_open() {
    let open = "a quote is opened here and never closed, so nobody can say where the row ends; close \
                it, and import again";
    check(
        "email,n\na@x.example,1\nb@x.example,\"two\nc@x.example,3\n",
        &format!("refused l.csv:3: {open}"),
    );
    check("\"email,n\na@x.example,1\n", &format!("refused l.csv:1: {open}"));
    check(
        "email,n\na@x.example,\"one\nb@x.example,2\nc@x.example,\"three\"\n",
        "refused l.csv:2: a quote is opened here and closed only in line 4, in the middle of a field; \
         it takes the rows between for one",
    );
    // Within one line only that row is torn.
    check(
        "email,n\na@x.example,\"one\"two\nb@x.example,2\n",
        "2 rejected: field 2 goes on behind its closing quote\n3 b@x.example | n=\"2\"",
    );
}

#[test]
fn bad_rows_are_rejected_one_by_one() {
    check(
        "email,first_name,last_name\na@x.example\nb@x.example,B,C,D\nc@x.example,C,C\n",
        "2 rejected: has 1 fields, the header has 3\n\
         3 rejected: has 4 fields, the header has 3\n\
         4 c@x.example | C | C",
    );
    check(
        "email,n\n,\nnobody,1\n,2\n",
        "2 rejected: the row is empty\n3 rejected: `nobody` is no e-mail address\n4 rejected: the address is empty",
    );
    check(
        "email,timezone\na@x.example,Europe/Berln\nb@x.example,Berlin\n",
        "2 rejected: `Europe/Berln` is no time zone of the IANA database; use a name such as \
         `America/New_York`\n\
         3 rejected: `Berlin` is no time zone of the IANA database; did you mean `Europe/Berlin`?",
    );
    check(
        "email,first_name\na@x.example,\"Ann\r\nBcc: v@y.example\"\n\"b@x.example\r\nBcc: v@y.example\",B\n",
        "2 rejected: `first_name` holds a line break\n4 rejected: the address holds a control character",
    );
    check(
        "email,company,note\na@x.example,A\u{7}cme,x\nb@x.example,,\u{1b}[31m\n",
        "2 rejected: `company` holds a control character\n3 rejected: `note` holds a control character",
    );
    check(
        "email,first_name\na@x.example,J\u{fffd}rgen\n",
        "2 rejected: `first_name` holds `\u{fffd}`: an earlier conversion has damaged it",
    );
    check(
        "email,first_name,timezone\nx,\"a\nb\",Mars\n",
        "2 rejected: `first_name` holds a line break; `x` is no e-mail address; `Mars` is no time \
         zone of the IANA database; use a name such as `America/New_York`",
    );
}

#[test]
fn the_first_of_duplicates_counts() {
    check(
        "email,n\nAnn@X.example,1\nann@x.example,2\n ANN@x.EXAMPLE ,3\n",
        "2 ann@x.example | n=\"1\"\n3 duplicate: ann@x.example\n4 duplicate: ann@x.example",
    );
}

#[test]
fn an_unknown_country_is_kept_and_counted() {
    check(
        "email,country\na@x.example,Atlantis\nb@x.example,Lemuria\nc@x.example,Germany\n",
        "2 a@x.example | Atlantis\n3 b@x.example | Lemuria\n4 c@x.example | Germany\n\
         warned l.csv:2: warning: 2 of the accepted rows name a country we do not know, the first is \
         `Atlantis`; without a `timezone` they go by the campaign's zone",
    );
}

#[test]
fn columns_with_several_lines_are_named() {
    let list = "email,note,tag\na@x.example,\"1\n2\",x\n";
    let report = read_from("l.csv", Cursor::new(list), None, |_| {}).unwrap();
    assert_eq!(report.multiline, BTreeSet::from(["note".to_owned()]));
}

/// A list that never ends: a heading and then one byte, a gigabyte of it.
struct Endless {
    heading: Cursor<Vec<u8>>,
    byte: u8,
    read: u64,
}

impl Read for Endless {
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        let heading = self.heading.read(buffer)?;
        if heading > 0 {
            return Ok(heading);
        }
        buffer.fill(self.byte);
        self.read += buffer.len() as u64;
        assert!(self.read < 8 << 20, "more than 8 MiB were read of one field");
        Ok(buffer.len())
    }
}

impl Seek for Endless {
    fn seek(&mut self, _: SeekFrom) -> std::io::Result<u64> {
        Ok(0)
    }
}

#[test]
fn a_line_without_end_fails_fast() {
    #[track_caller]
    fn check(heading: &str, byte: u8, want: &str) {
        let source = Endless { heading: Cursor::new(heading.into()), byte, read: 0 };
        let problems = read_from("l.csv", source, None, |_| {}).unwrap_err();
        assert_eq!(problems[0].to_string(), want);
    }
    check("email\na", b'a', "l.csv:2: a field is longer than 64 KiB; that is no list of people");
    check(
        "email\n\"a",
        b'a',
        "l.csv:2: a field is longer than 64 KiB: the quote opened here is probably never closed",
    );
    check("email\na", b',', "l.csv:2: a row is longer than 1 MiB; that is no list of people");
    check("", b'a', "l.csv:1: the first line is longer than 1 MiB; that is no heading");
    check(
        "email\n\"a\"",
        b'\"',
        "l.csv:2: a field is longer than 64 KiB: the quote opened here is probably never closed",
    );
    check("email\n\"a\"", b' ', "l.csv:2: a row is longer than 1 MiB; that is no list of people");
    check("email\n", b' ', "l.csv:2: a field is longer than 64 KiB; that is no list of people");
    check(
        "email\n\"a",
        b'\n',
        "l.csv:2: a field is longer than 64 KiB: the quote opened here is probably never closed",
    );
}

/// Pieces of every size: nothing may depend on where a read happens to end.
#[test]
fn a_list_longer_than_any_piece_is_read_whole() {
    let mut list = "email,first_name,note\r\n".to_owned();
    for n in 0..20_000 {
        list += &format!("p{n}@x.example,\"Zoë \"\"{n}\"\"\",\"a\r\nb\"\r\n");
    }
    let (mut seen, mut line) = (0, 2);
    let report = read_from("l.csv", Cursor::new(list), None, |row| match row {
        Row::Accepted { line: at, prospect } => {
            assert_eq!(
                (at, prospect.address.as_str()),
                (line, format!("p{seen}@x.example").as_str())
            );
            assert_eq!(prospect.first_name, format!("Zoë \"{seen}\""));
            assert_eq!(prospect.attributes["note"], "a\nb");
            seen += 1;
            line += 2;
        }
        other => panic!("{other:?}"),
    });
    assert_eq!(report.unwrap().accepted, 20_000);
}

mod characters;
mod returned;
