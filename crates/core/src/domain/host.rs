//! What a domain publishes whose mail leaves through a known provider.
//!
//! Facts of the providers' own pages. A provider that is not here may need records too: nobody here
//! knows which, so nothing is missed.

/// What a provider asks a domain to publish.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Host {
    /// Its name, for people.
    pub name: &'static str,
    /// Whose SPF record a domain includes.
    pub spf: &'static str,
    /// The end of the SPF record that its own page shows.
    pub spf_end: &'static str,
    /// Its DKIM selectors, or the usual one; one that resolves is enough.
    pub selectors: &'static [&'static str],
    /// How its DKIM keys come to be.
    pub dkim: DkimCure,
    /// What it asks for as MX, where that is the same for everybody.
    pub mx: Option<&'static str>,
}

/// How a DKIM key is made and published.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DkimCure {
    /// Two CNAMEs under names that are the same for everybody; the provider turns the keys behind them.
    TwoCnames,
    /// A TXT with the key that the provider's console shows, under a name that the domain chooses.
    OneTxt,
}

/// What the provider of that preset asks for, where it is known.
#[must_use]
pub fn host(preset: &str) -> Option<Host> {
    let hosts = [&MICROSOFT_365, &GOOGLE];
    let mine = match preset {
        "microsoft365" | "m365-relay-connector" => hosts[0],
        "google" | "google-trial" | "google-smtp-relay" => hosts[1],
        _ => return None,
    };
    Some(mine.clone())
}

/// learn.microsoft.com, "Set up SPF to identify valid email sources" and "Set up DKIM to sign mail"
/// (2025): the selectors are fixed, what they point to is not to be guessed. "How to set up a
/// multifunction device or application": what a connector relays leaves from the same servers.
const MICROSOFT_365: Host = Host {
    name: "Microsoft 365",
    spf: "spf.protection.outlook.com",
    spf_end: "-all",
    selectors: &["selector1", "selector2"],
    dkim: DkimCure::TwoCnames,
    mx: None,
};

/// support.google.com/a/answer/33786 (SPF), 174124 (DKIM; `google` is the selector unless another was
/// chosen) and 140034 (MX), read 2026.
const GOOGLE: Host = Host {
    name: "Google Workspace",
    spf: "_spf.google.com",
    spf_end: "~all",
    selectors: &["google"],
    dkim: DkimCure::OneTxt,
    mx: Some("1 smtp.google.com"),
};
