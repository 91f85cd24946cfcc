//! Who writes and how to make it stop: no message leaves without it.

use serde::{Deserialize, Serialize};

use super::lint::Use;

/// What every message says of its sender.
///
/// A template may place each of the three itself, outside any condition: `{{opt_out}}`,
/// `{{legal_name}}`, `{{postal_address}}`. Whatever it does not place is appended.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Footer {
    /// The operator's name in law.
    pub legal_name: String,
    /// Where the operator can be reached by post.
    pub postal_address: String,
    /// How to make it stop, in one sentence.
    pub opt_out: String,
}

/// The opt-out sentence of a campaign that has none of its own.
pub const OPT_OUT: &str =
    "If you would rather not hear from me again, reply \"unsubscribe\" and I will not write again.";

/// A template and the lines it needs so that nothing is left out.
pub(super) fn completed_text(text: &str, uses: &[Use]) -> String {
    let missing = missing(uses);
    if missing.is_empty() {
        return text.to_owned();
    }
    let mut whole = text.trim_end().to_owned();
    whole.push('\n');
    for name in missing {
        // The name and the address belong together, the sentence stands by itself.
        let gap =
            if name == POSTAL_ADDRESS && whole.ends_with("{{legal_name}}\n") { "" } else { "\n" };
        whole += &format!("{gap}{{{{{name}}}}}\n");
    }
    whole
}

/// The same for HTML: before the end of the body, where it has one.
pub(super) fn completed_html(html: &str, uses: &[Use]) -> String {
    let at = html.to_ascii_lowercase().rfind("</body").unwrap_or(html.len());
    format!("{}{}{}", &html[..at], html_footer(uses), &html[at..])
}

/// The same at the very end.
pub(super) fn appended_html(html: &str, uses: &[Use]) -> String {
    format!("{html}{}", html_footer(uses))
}

/// Whether nothing is left to append.
pub(super) fn is_placed(uses: &[Use]) -> bool {
    missing(uses).is_empty()
}

fn html_footer(uses: &[Use]) -> String {
    let lines: Vec<String> = missing(uses).iter().map(|name| format!("{{{{{name}}}}}")).collect();
    if lines.is_empty() { String::new() } else { format!("<p>{}</p>\n", lines.join("<br>\n")) }
}

fn missing(uses: &[Use]) -> Vec<&'static str> {
    let placed = |name: &str| uses.iter().any(|used| used.always && used.name == name);
    [OPT_OUT_NAME, LEGAL_NAME, POSTAL_ADDRESS].into_iter().filter(|name| !placed(name)).collect()
}

pub(super) const OPT_OUT_NAME: &str = "opt_out";
pub(super) const LEGAL_NAME: &str = "legal_name";
pub(super) const POSTAL_ADDRESS: &str = "postal_address";
