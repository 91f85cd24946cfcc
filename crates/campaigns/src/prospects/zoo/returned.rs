//! Files of rejected rows, on their way out and back.

use super::*;

/// Rejected rows written out, and what becomes of them when that file is imported unmended.
fn rejected(list: &str) -> (String, String) {
    let columns = begin("l.csv", list.as_bytes(), None).unwrap().1;
    let mut rejects = Rejects::begin(Vec::new(), &columns).unwrap();
    let read = read_from("l.csv", Cursor::new(list), None, |row| {
        if let Row::Rejected { record, reason, .. } = row {
            rejects.add(&record, &reason).unwrap();
        }
    });
    read.unwrap();
    let written = String::from_utf8(rejects.finish().unwrap()).unwrap();
    let again = told(written.as_bytes(), None);
    (written, again)
}

#[test]
fn rejected_rows_come_back_clean_once_mended() {
    let (written, again) = rejected(
        "email;Name;phone\nann(at)x.example;=Ann;+49 30\nb@x.example;B;1\nc@x.example;C\nd;\"D\"d;'-\n",
    );
    assert_eq!(
        written,
        "\u{feff}rejected_because,email,Name,phone\n\
         `ann(at)x.example` is no e-mail address,ann(at)x.example,'=Ann,'+49 30\n\
         \"has 2 fields, the header has 3\",c@x.example,C\n\
         field 2 goes on behind its closing quote,d;Dd;'-\n"
    );
    assert_eq!(
        again,
        "2 rejected: `ann(at)x.example` is no e-mail address\n\
         3 rejected: has 3 fields, the header has 4\n\
         4 rejected: has 2 fields, the header has 4"
    );
    let mended = written.replace("(at)", "@").replace("example,C\n", "example,C,5\n");
    check(
        mended,
        "2 ann@x.example | name=\"=Ann\" | phone=\"+49 30\"\n3 c@x.example | name=\"C\" | phone=\"5\"\n\
         4 rejected: has 2 fields, the header has 4",
    );
}

#[test]
fn no_cell_of_a_rejected_file_is_a_formula_and_none_loses_its_apostrophe() {
    let cells = ["=1", "+1", "-1", "@x", "'=1", "''=1", "'x", "x"];
    let list = format!(
        "email,{}\nbad,{}\n",
        "abcdefgh".split("").filter(|c| !c.is_empty()).collect::<Vec<_>>().join(","),
        cells.join(",")
    );
    let (written, _) = rejected(&list);
    let line = written.lines().nth(1).unwrap();
    assert!(!line.split(',').any(|cell| cell.starts_with(['=', '+', '-', '@'])), "{line}");
    check(
        written.replace("bad", "a@x.example"),
        "2 a@x.example | a=\"=1\" | b=\"+1\" | c=\"-1\" | d=\"@x\" | e=\"'=1\" | f=\"''=1\" | \
         g=\"'x\" | h=\"x\"",
    );
}

#[test]
fn a_row_of_the_wrong_length_stays_one_however_often_it_is_written() {
    let (once, _) = rejected("email,a,b\nx@x.example,1\n");
    let (twice, again) = rejected(&once);
    assert_eq!(twice.lines().nth(1), Some("\"has 3 fields, the header has 4\",x@x.example,1"));
    assert_eq!(again, "2 rejected: has 3 fields, the header has 4");
}

#[test]
fn what_a_spreadsheet_makes_of_a_long_row_stays_rejected() {
    let (written, _) = rejected("email,a\nx@x.example,1,2\n");
    let saved = written.replace("email,a\n", "email,a,\n");
    check(
        saved,
        "2 rejected: `2` stands under a column without a name\n\
         warned l.csv:1: warning: column 4 has no name and is left out",
    );
}
