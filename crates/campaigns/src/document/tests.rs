//! Configuration as text in, values or problems with their lines out.

use super::*;

/// Reads a little configuration and gives what was read, or what is wrong with it.
fn read(text: &str) -> Result<String, Vec<String>> {
    let mut problems = Vec::new();
    let document = Document::parse("w.toml", text).map_err(|p| vec![p.to_string()])?;
    let mut root = document.root();
    let name = root.text("name", &mut problems);
    let name = root.required("name", name, &mut problems);
    let listed = root.texts("tags", &mut problems);
    let mut out = format!("{:?} {:?}", name.map(|n| n.value), listed.map(|l| l.value.len()));
    if let Some(mut defaults) = root.section("defaults", &mut problems) {
        let cap = defaults.integer::<u32>("cap", 1..=2_000, &mut problems);
        let bold = defaults.boolean("override", &mut problems);
        let gap = defaults.parsed("gap", warmfront_core::span::parse_length, &mut problems);
        defaults.value("warmup");
        out += &format!(" {:?} {:?} {:?}", cap.map(|c| c.value), bold, gap.map(|g| g.value));
        defaults.finish(&mut problems);
    }
    for mut mailbox in root.sections("mailbox", &mut problems) {
        let address = mailbox.text("address", &mut problems);
        let address = mailbox.required("address", address, &mut problems);
        out += &format!(" {}:{:?}", mailbox.line(), address.map(|a| a.value));
        if let Some(mut smtp) = mailbox.section("smtp", &mut problems) {
            smtp.integer::<u16>("port", 1..=65_535, &mut problems);
            smtp.text("host", &mut problems);
            smtp.finish(&mut problems);
        }
        mailbox.finish(&mut problems);
    }
    root.finish(&mut problems);
    problems.sort();
    if problems.is_empty() {
        Ok(out)
    } else {
        Err(problems.iter().map(ToString::to_string).collect())
    }
}

#[track_caller]
fn check(text: &str, want: &[&str]) {
    assert_eq!(read(text).unwrap_err(), want, "{text}");
}

#[test]
fn a_good_file_is_read_whole() {
    let text = "name = \"x\"\ntags = [\"a\", \"b\"]\n[defaults]\ncap = 50\noverride = true\ngap = \"4m\"\nwarmup = \"off\"\n\
                [[mailbox]]\naddress = \"a@x.example\"\nsmtp = { port = 25 }\n\n[[mailbox]]\naddress = \"b\"\n";
    assert_eq!(
        read(text).unwrap(),
        "Some(\"x\") Some(2) Some(50) Some(Located { value: true, line: 5 }) Some(240000) \
         8:Some(\"a@x.example\") 12:Some(\"b\")"
    );
}

#[test]
fn unknown_keys_name_the_nearest_known_one() {
    check(
        "name = \"x\"\n[defaults]\nwarmpu = 1\n",
        &["w.toml:3: unknown key `warmpu` in [defaults]; did you mean `warmup`?"],
    );
    check(
        "name = \"x\"\n[[mailbox]]\naddress = \"a\"\n[[mailbox]]\naddress = \"b\"\n[mailbox.smtp]\nhots = \"h\"\n",
        &["w.toml:7: unknown key `hots` in mailbox[2].smtp; did you mean `host`?"],
    );
    check(
        "name = \"x\"\nqqqqqqqqq = 1\n",
        &["w.toml:2: unknown key `qqqqqqqqq`; known are defaults, mailbox, name, tags"],
    );
    check(
        "name = \"x\"\n[defautls]\ncap = 1\n",
        &["w.toml:2: unknown key `defautls`; did you mean `defaults`?"],
    );
}

#[test]
fn wrong_kinds_say_what_was_found_and_what_is_wanted() {
    check("name = 7\n", &["w.toml:1: `name` must be a text in quotes, not the number 7"]);
    check(
        "name = \"x\"\n[defaults]\ncap = \"fifty\"\n",
        &[
            "w.toml:3: `cap` in [defaults] must be a whole number from 1 to 2000, not the text \"fifty\"",
        ],
    );
    check("name = \"x\"\ndefaults = [1]\n", &["w.toml:2: `defaults` must be a table, not a list"]);
    check(
        "name = \"x\"\ntags = [1]\n",
        &["w.toml:2: `tags` must be a list of texts, such as [\"a\", \"b\"], not a list"],
    );
    check(
        "name = \"x\"\nmailbox = 1.5\n",
        &["w.toml:2: `mailbox` must be a table, or several as [[mailbox]], not a fraction"],
    );
    check(
        "name = \"x\"\n[defaults]\ngap = \"4 parsecs\"\n",
        &[
            "w.toml:3: `gap` in [defaults]: `4 parsecs` is no length of time; write a number and a unit: \
         `90s`, `4m`, `8h`, `14d`",
        ],
    );
}

#[test]
fn all_problems_are_found_in_one_run() {
    check(
        "tags = 1\n[defaults]\ncap = 0\noverride = \"yes\"\n[[mailbox]]\nadress = \"a\"\n",
        &[
            "w.toml:1: `name` is missing",
            "w.toml:1: `tags` must be a list of texts, such as [\"a\", \"b\"], not the number 1",
            "w.toml:3: `cap` in [defaults] must be a whole number from 1 to 2000, not the number 0",
            "w.toml:4: `override` in [defaults] must be true or false, not the text \"yes\"",
            "w.toml:5: `address` is missing in mailbox[1]",
            "w.toml:6: unknown key `adress` in mailbox[1]; did you mean `address`?",
        ],
    );
}

#[test]
fn a_syntax_error_says_where() {
    let problem = Document::parse("w.toml", "name = \"x\"\ncap = = 3\n").unwrap_err();
    assert_eq!(problem.line, Some(2));
    assert!(problem.what.contains("(column "), "{problem}");
    let problem = Document::parse("w.toml", "a = 1\na = 2\n").unwrap_err();
    assert_eq!(problem.line, Some(2), "{problem}");
}

#[test]
fn a_deep_file_is_refused_and_not_a_crash() {
    let deep = format!("a = {}1{}", "[".repeat(5_000), "]".repeat(5_000));
    assert!(Document::parse("w.toml", &deep).is_err());
}

#[test]
fn rows_are_documents_whose_columns_are_keys() {
    let text = "address,smtp.host,smtp.port,override,tags\na@x.example,h,25,true,\"a; b\"\nb@x.example,,,,\n";
    let (documents, mut problems) = rows("mailboxes.csv", text.as_bytes());
    assert_eq!(problems, []);
    let mut first = documents[0].root();
    let mut smtp = first.section("smtp", &mut problems).unwrap();
    assert_eq!(smtp.integer::<u16>("port", 1..=65_535, &mut problems).unwrap().value, 25);
    assert!(first.boolean("override", &mut problems).unwrap().value);
    assert_eq!(first.texts("tags", &mut problems).unwrap().value.len(), 2);
    let mut second = documents[1].root();
    assert_eq!(second.line(), 3);
    assert!(second.section("smtp", &mut problems).is_none() && problems.is_empty());
    smtp.finish(&mut problems);
    assert_eq!(
        problems.iter().map(ToString::to_string).collect::<Vec<_>>(),
        ["mailboxes.csv:1: unknown column `smtp.host`; did you mean `smtp.port`?"],
    );
}

#[test]
fn rows_that_cannot_be_told_apart_are_refused() {
    #[track_caller]
    fn check(text: &str, want: &str) {
        let (_, problems) = rows("m.csv", text.as_bytes());
        let problems: Vec<String> = problems.iter().map(ToString::to_string).collect();
        assert_eq!(problems.join("\n"), want);
    }
    check("", "m.csv: the file is empty; its first line names the columns, at least `address`");
    check(
        "a,b\n1\n1,2\n\"x\"y,2\n1,2,3\n",
        "m.csv:2: has 1 cell, the heading has 2\n\
         m.csv:4: cell 1 goes on behind its closing quote\n\
         m.csv:5: has 3 cells, the heading has 2",
    );
    check("a,a\n1,2\n", "m.csv:1: the column `a` is there twice");
    check(
        "smtp,smtp.host\n1,2\n",
        "m.csv:1: the columns `smtp.host` and `smtp` both give a value; leave one of them out",
    );
}
