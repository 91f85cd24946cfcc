//! Single characters that no line of a mail may hold.

use super::check;

#[test]
fn a_character_that_has_no_place_in_a_line_rejects_its_row_and_no_other() {
    #[track_caller]
    fn one(spoilt: &str, why: &str) {
        check(
            format!("email,first_name\nann@x.example,{spoilt}\nbob@x.example,Bob\n"),
            &format!("2 rejected: `first_name` {why}\n3 bob@x.example | Bob"),
        );
    }
    one("A\0nn", "holds a NUL byte");
    one("\"A\0nn\"", "holds a NUL byte");
    one("A\u{1b}nn", "holds a control character");
    let turned = "holds a character that breaks its line or turns its writing around";
    one("A\u{202e}nn", turned);
    one("A\u{2028}nn", turned);
    check(
        "email,timezone\na@x.example,Ma\0rs\n",
        "2 rejected: `timezone` holds a NUL byte; `Ma\\u{0}rs` is no time zone of the IANA database; \
         use a name such as `America/New_York`",
    );
}
