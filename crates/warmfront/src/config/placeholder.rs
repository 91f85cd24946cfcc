//! What examples put where the operator's own belongs: taken for good it fails late, and in words that
//! do not say why.

/// Whether a text is of no operator: `…`, `<client-id>`, `YOUR_CLIENT_ID`, `changeme`, a row of zeros.
/// An example's addresses and hosts are no placeholders here; those are looked at by `check`.
pub(super) fn is_placeholder(text: &str) -> bool {
    let words = text.trim().to_lowercase().replace(['-', '_', '.'], " ");
    let words = words.trim();
    let is_only = |signs: &str, least: usize| {
        let mut all = words.chars().filter(|&sign| sign != ' ');
        all.clone().all(|sign| signs.contains(sign)) && all.nth(least.saturating_sub(1)).is_some()
            || words.is_empty()
    };
    let is_in = |open, close| text.trim().starts_with(open) && text.trim().ends_with(close);
    !text.trim().is_empty() && (is_only("…*?", 1) || is_only("x", 3) || is_only("0", 8))
        || is_in('<', '>')
        || is_in('{', '}')
        || words.starts_with("your ")
        || words.contains(" your ")
        || SPOKEN.contains(&words)
}

/// The same of a host's name. Real ones hold words of examples (`mail.your-server.de` is one), so only
/// what no host can be called counts, and the names that our own documents write.
pub(super) fn is_placeholder_host(host: &str) -> bool {
    let lower = host.trim().to_lowercase();
    let is_alone = !lower.contains('.');
    let mut labels = lower.split('.');
    is_alone && is_placeholder(&lower)
        || labels.clone().next_back().is_some_and(|top| top.starts_with("your"))
        || labels.any(|label| matches!(label, "your-domain" | "your-domain-com"))
}

/// Our own documents' among them.
const SPOKEN: [&str; 12] = [
    "app id",
    "application id",
    "change me",
    "changeme",
    "client id",
    "directory id",
    "id",
    "placeholder",
    "replaceme",
    "tenant",
    "tenant id",
    "todo",
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_host_is_called_what_it_likes_and_not_what_no_host_can_be() {
        for host in [
            "YOUR_SMTP_HOST",
            "<host>",
            "mail.your-domain",
            "your-domain.com",
            "your-domain-com.mail.protection.outlook.com",
        ] {
            assert!(is_placeholder_host(host), "{host}");
        }
        for host in ["mail.your-server.de", "mail.acme.id", "127.0.0.1", "::1", "h"] {
            assert!(!is_placeholder_host(host), "{host}");
        }
    }

    #[test]
    fn what_stands_for_something_else_is_known() {
        for text in [
            "…",
            "...",
            "<client-id>",
            "{tenant}",
            "YOUR_CLIENT_ID",
            "your-tenant",
            "mail.your-domain",
            "changeme",
            "change-me",
            "CLIENT_ID",
            "xxxxxxxx-xxxx-xxxx-xxxx-xxxxxxxxxxxx",
            "00000000-0000-0000-0000-000000000000",
        ] {
            assert!(is_placeholder(text), "{text}");
        }
        for text in [
            "",
            "c",
            "warmfront",
            "9f3c1d60-4a7b-4c52-8f65-0d1b1f9d2a11",
            "123-abc.apps.googleusercontent.com",
            "contoso.onmicrosoft.com",
            "common",
            "organizations",
            "yourself.example",
            "mail.ours.example",
        ] {
            assert!(!is_placeholder(text), "{text}");
        }
    }
}
