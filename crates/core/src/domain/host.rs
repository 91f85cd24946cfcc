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
    /// Where the domain's records are shown and signing is switched on.
    pub console: &'static str,
    /// What it asks for as MX, where that is the same for everybody.
    pub mx: &'static [&'static str],
}

impl Host {
    /// Whether it signs under the same selectors for everybody.
    #[must_use]
    pub fn has_fixed_selectors(&self) -> bool {
        matches!(self.dkim, DkimCure::Cnames(_))
    }
}

/// How a DKIM key is made and published.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DkimCure {
    /// CNAMEs under selectors that are the same for everybody; the provider turns the keys behind them.
    /// With what they point to: `SELECTOR` and `DOMAIN` stand for theirs.
    Cnames(&'static str),
    /// A TXT with the key that the provider's console shows, under a name that the domain chooses.
    OneTxt,
}

/// What the provider of that preset asks for, where it is known.
#[must_use]
pub fn host(preset: &str) -> Option<Host> {
    match preset {
        "microsoft365" | "m365-relay-connector" => Some(MICROSOFT_365),
        "google" | "google-trial" | "google-smtp-relay" => Some(GOOGLE),
        "fastmail" => Some(FASTMAIL),
        "icloud" => Some(ICLOUD),
        _ => None,
    }
}

/// learn.microsoft.com, "Set up SPF to identify valid email sources" and "Set up DKIM to sign mail"
/// (2025): the selectors are fixed, what they point to is not to be guessed. "How to set up a
/// multifunction device or application": what a connector relays leaves from the same servers.
const MICROSOFT_365: Host = Host {
    name: "Microsoft 365",
    spf: "spf.protection.outlook.com",
    spf_end: "-all",
    selectors: &["selector1", "selector2"],
    dkim: DkimCure::Cnames("as the portal shows it"),
    console: "the Microsoft Defender portal (Email authentication settings, DKIM)",
    mx: &[],
};

/// support.google.com/a/answer/33786 (SPF), 174124 (DKIM; `google` is the selector unless another was
/// chosen) and 140034 (MX), read 2026.
const GOOGLE: Host = Host {
    name: "Google Workspace",
    spf: "_spf.google.com",
    spf_end: "~all",
    selectors: &["google"],
    dkim: DkimCure::OneTxt,
    console: "the Google Admin console (Apps, Google Workspace, Gmail, Authenticate email)",
    mx: &["1 smtp.google.com"],
};

/// fastmail.help, "Manual DNS configuration" (360060591153), read 2026.
const FASTMAIL: Host = Host {
    name: "Fastmail",
    spf: "spf.messagingengine.com",
    spf_end: "?all",
    selectors: &["fm1", "fm2", "fm3"],
    dkim: DkimCure::Cnames("SELECTOR.DOMAIN.dkim.fmhosted.com"),
    console: "Fastmail's settings (Domains)",
    mx: &["10 in1-smtp.messagingengine.com", "20 in2-smtp.messagingengine.com"],
};

/// support.apple.com/102374, "Set up an existing domain with iCloud Mail", read 2026.
const ICLOUD: Host = Host {
    name: "iCloud Mail",
    spf: "icloud.com",
    spf_end: "~all",
    selectors: &["sig1"],
    dkim: DkimCure::Cnames("SELECTOR.dkim.DOMAIN.at.icloudmailadmin.com"),
    console: "iCloud's settings (Custom Email Domain)",
    mx: &["10 mx01.mail.icloud.com", "10 mx02.mail.icloud.com"],
};
