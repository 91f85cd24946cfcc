//! Characters that have no place in a text of one line, such as a name or a subject, and texts made
//! ready to be compared.

/// Whether a character would break a line, turn it around or stand in it unseen: all control
/// characters, the line and paragraph separators, and those that override the direction of writing
/// (Unicode Standard Annex 9, section 2). The marks that right-to-left names need are none of them.
#[must_use]
pub fn is_out_of_line(c: char) -> bool {
    c.is_control()
        || matches!(c, '\u{2028}' | '\u{2029}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

/// A text as phrases are looked for in it: lower-case, every run of blanks a single one.
#[must_use]
pub fn folded(text: &str) -> String {
    let lower = text.to_lowercase();
    lower.split_whitespace().collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_turns_or_breaks_a_line_is_out_of_it_and_what_names_need_is_not() {
        let out = ['\0', '\n', '\u{1b}', '\u{85}', '\u{2028}', '\u{2029}', '\u{202e}', '\u{2066}'];
        assert!(out.into_iter().all(is_out_of_line));
        let within = ['a', ' ', 'ß', 'ש', '\u{200d}', '\u{200f}', '\u{a0}', '👩'];
        assert!(!within.into_iter().any(is_out_of_line));
    }
}
