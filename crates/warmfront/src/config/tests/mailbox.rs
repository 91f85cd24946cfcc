//! Servers and the other keys of a mailbox.

use super::*;

#[test]
fn a_host_that_stands_for_another_is_no_host() {
    check_ann(
        "smtp = { host = \"YOUR_SMTP_HOST\" }",
        &[
            "w.toml:5: `host` in mailbox[1].smtp: `YOUR_SMTP_HOST` stands for a name of yours; write the server's own",
        ],
    );
    check_ann(
        "smtp = { hello = \"mail.your-domain\" }",
        &[
            "w.toml:5: `hello` in mailbox[1].smtp: `mail.your-domain` stands for a name of yours; write this machine's own",
        ],
    );
}

#[test]
fn providers() {
    check_provider("", &["w.toml:1: `provider` is missing in mailbox[1]"]);
    check_provider(
        "provider = \"gmial\"",
        &["w.toml:3: `gmial` in mailbox[1] is no provider; did you mean `gmail`?"],
    );
    check_provider(
        "provider = \"exchange\"",
        &[
            "w.toml:3: `exchange` in mailbox[1] is no provider; known are microsoft365, m365-direct-send, m365-relay-connector, m365-hve, google, google-trial, gmail, google-smtp-relay, zoho, zoho-eu, zoho-in, zoho-au, zoho-jp, zoho-cn, zoho-sa, zoho-personal, yahoo, aol, icloud, outlook-consumer, fastmail, amazon-ses, sendgrid, postmark, mailgun, resend, smtp, generic-implicit-tls, local-mta; \"smtp\" stands for any other host",
        ],
    );
    check_provider(
        "provider = \"m365-hve\"\nauth = { password = { env = \"P\" } }",
        &[
            "w.toml:3: `m365-hve` in mailbox[1] cannot carry campaigns: High Volume Email reaches internal recipients only since June 2025; name the provider of a real mailbox",
        ],
    );
    check_provider(
        "provider = \"m365-direct-send\"\nsmtp = { host = \"x-example.mail.protection.outlook.com\" }",
        &[
            "w.toml:3: `m365-direct-send` in mailbox[1] cannot carry campaigns: direct send reaches only mailboxes of your own tenant; name the provider of a real mailbox",
        ],
    );
    check_provider(
        "provider = \"smtp\"\nauth = { password = { env = \"P\" } }",
        &[
            "w.toml:1: `smtp.host` is missing in mailbox[1]: provider `smtp` has no one server; write smtp = { host = \"mail.example.com\" }",
        ],
    );
    check_provider(
        "provider = \"google-workspace\"",
        &["w.toml:1: `auth` is missing in mailbox[1]; write auth = { password = { env = \"…\" } }"],
    );
    check_provider("provider = \"local-mta\"", &[]);
    check_provider(
        "provider = \"local-mta\"\nsmtp = { host = \"mail.x.example\" }",
        &[
            "w.toml:4: `mail.x.example` is not on this machine, and provider `local-mta` is only for what is; write provider = \"smtp\"",
        ],
    );
    let text = ann("smtp = { host = \"h\" }").replace("gmail", "amazon-ses");
    assert_eq!(loaded(&text).mailboxes[0].provider.cold_mail, ColdMail::OptIn);
}

#[test]
fn servers() {
    check_ann(
        "smtp = { host = \"mail.x.example\", tls = \"none\" }",
        &[
            "w.toml:5: `tls = \"none\"` in mailbox[1].smtp would send passwords and mail to `mail.x.example` in the clear; write \"starttls\" or \"implicit\" (plain text is only spoken on loopback: 127.0.0.1, ::1, localhost)",
        ],
    );
    check_ann(
        "imap = { host = \"127.0.0.1.x.example\", tls = \"none\" }",
        &[
            "w.toml:5: `tls = \"none\"` in mailbox[1].imap would send passwords and mail to `127.0.0.1.x.example` in the clear; write \"starttls\" or \"implicit\" (plain text is only spoken on loopback: 127.0.0.1, ::1, localhost)",
        ],
    );
    for host in ["127.0.0.1", "127.8.8.8", "::1", "[::1]", "localhost"] {
        check_ann(&format!("smtp = {{ host = \"{host}\", tls = \"none\" }}"), &[]);
    }
    check_ann(
        "smtp = { host = \"h\", tls = \"ssl\" }",
        &[
            "w.toml:5: `tls` in mailbox[1].smtp: `ssl` is none of \"implicit\", \"starttls\", \"none\"",
        ],
    );
    check_ann(
        "smtp = { host = \"h\", port = 99999 }",
        &[
            "w.toml:5: `port` in mailbox[1].smtp must be a whole number from 1 to 65535, not the number 99999",
        ],
    );
    check_ann(
        "smtp = { host = \"mail.x.example:587\" }",
        &[
            "w.toml:5: `host` in mailbox[1].smtp: `mail.x.example:587` is no host; write a name such as `mail.example.com`, the port apart",
        ],
    );
    check_ann(
        "imap = \"h\"",
        &["w.toml:5: `imap` in mailbox[1] must be a table, not the text \"h\""],
    );
    let smtp = |written: &str| {
        let text = ann(&format!("smtp = {{ {written} }}")).replace("gmail", "smtp");
        let Server { host, port, tls, ca, .. } = loaded(&text).mailboxes[0].smtp.clone();
        (host, port, tls, ca.map(|ca| ca.path.display().to_string()))
    };
    let server = |host: &str, port, tls| (host.to_owned(), port, tls, None);
    assert_eq!(smtp("host = \"h\""), server("h", 587, Tls::StartTls));
    assert_eq!(smtp("host = \"h\", port = 465"), server("h", 465, Tls::Implicit));
    assert_eq!(smtp("host = \"h\", tls = \"implicit\""), server("h", 465, Tls::Implicit));
    assert_eq!(smtp("host = \"h\", port = 2525"), server("h", 2525, Tls::StartTls));
    assert_eq!(smtp("host = \"[::1]\", tls = \"none\""), server("::1", 25, Tls::None));
    let imap = ann("imap = { host = \"h\", port = 143 }");
    let imap = loaded(&imap).mailboxes[0].imap.clone().unwrap();
    assert_eq!((imap.port, imap.tls), (143, Tls::StartTls));
    let with_ca = smtp("host = \"h\", ca = \"lab-ca.pem\"");
    assert_eq!(with_ca.3.as_deref(), Some("lab-ca.pem"));
}

#[test]
fn a_mailbox_that_cannot_be_read_says_so() {
    const SO: &str = "replies and bounces go unseen, so its follow-ups wait";
    let timezone = "[defaults]\ntimezone = \"UTC\"\n";
    let warns = |mailbox: String, why: &str| {
        let want =
            format!("w.toml:3: warning: ann@x.example sends and cannot be read: {why}; {SO}");
        check_warns(&format!("{timezone}{mailbox}"), &[&want]);
    };
    // The whole reason why an address and a password are not enough there.
    let microsoft = ann("").replace("gmail", "microsoft365");
    warns(microsoft.clone(), "its IMAP server takes no passwords, only OAuth");
    assert_eq!(loaded(&microsoft).mailboxes[0].imap, None);
    // Whoever writes its host down has told nothing else.
    let written = "imap = { host = \"Outlook.office365.com\" }";
    warns(ann(written).replace("gmail", "microsoft365"), super::super::NO_PASSWORD_READS);
    warns(ann("smtp = { host = \"h\" }").replace("gmail", "smtp"), "there is no `imap.host`");
    // A password for one server is not shown to another.
    let own = ann("smtp = { host = \"127.0.0.1\" }");
    warns(own.clone(), "`smtp.host` is your own and `imap.host` is not given");
    assert_eq!(loaded(&own).mailboxes[0].imap, None);
    let quiet = [
        ann(""),
        microsoft.replace("{ password = { env = \"P\" } }", "{ oauth = \"microsoft\" }"),
        ann("imap = { host = \"127.0.0.1\" }").replace("gmail", "microsoft365"),
    ];
    for mailbox in quiet {
        check_warns(&format!("{timezone}{mailbox}"), &[]);
        assert!(loaded(&mailbox).mailboxes[0].imap.is_some());
    }
}

#[test]
fn addresses_names_and_keys() {
    check(
        "[[mailbox]]\naddress = \"ann\"\nprovider = \"local-mta\"\n",
        &["w.toml:2: `address` in mailbox[1]: `ann` is no e-mail address"],
    );
    check(
        "[[mailbox]]\nprovider = \"local-mta\"\n",
        &["w.toml:1: `address` is missing in mailbox[1]"],
    );
    check(
        &format!("{}{}", ann(""), ann("").replace("ann@x", "Ann@X")),
        &["w.toml:6: ann@x.example is already declared at w.toml:1; leave one of them out"],
    );
    check_ann(
        "name = \"Ann\\nLee\"",
        &["w.toml:5: `name` in mailbox[1]: it must be one line of text without control characters"],
    );
    check_ann("username = \" \"", &["w.toml:5: `username` in mailbox[1]: it is empty"]);
    check_ann(
        "warm_days = -1",
        &[
            "w.toml:5: `warm_days` in mailbox[1] must be a whole number from 0 to 1000, not the number -1",
        ],
    );
    check_ann(
        "tags = \"a\"",
        &[
            "w.toml:5: `tags` in mailbox[1] must be a list of texts, such as [\"a\", \"b\"], not the text \"a\"",
        ],
    );
    check_ann(
        "override = \"yes\"",
        &["w.toml:5: `override` in mailbox[1] must be true or false, not the text \"yes\""],
    );
    check_ann(
        "warmpu = \"off\"",
        &["w.toml:5: unknown key `warmpu` in mailbox[1]; did you mean `warmup`?"],
    );
}

#[test]
fn tenants() {
    check_ann(
        "tenant = \"acme\"",
        &["w.toml:5: `acme` in mailbox[1] is no tenant; declare it as [tenant.acme]"],
    );
    check_ann(
        "tenant = \"amce\"\n[tenant.acme]\nkind = \"microsoft365\"\nlicences = 25",
        &["w.toml:5: `amce` in mailbox[1] is no tenant; did you mean `acme`?"],
    );
    check(
        "[tenant.acme]\nkind = \"google\"\nlicences = 5\n",
        &[
            "w.toml:2: `kind` in [tenant.acme]: `google` publishes no limit for a whole tenant; leave the tenant out (only \"microsoft365\", \"amazon-ses\", \"resend\" have one)",
        ],
    );
    check(
        "[tenant.acme]\nkind = \"acme\"\nlicences = -1\nseats = 2\n",
        &[
            "w.toml:2: `kind` in [tenant.acme]: `acme` is no kind of tenant; write one of \"microsoft365\", \"amazon-ses\", \"resend\"",
            "w.toml:3: `licences` in [tenant.acme] must be a whole number from 0 to 4294967295, not the number -1",
            "w.toml:4: unknown key `seats` in [tenant.acme]; known are kind, licences, per_day",
        ],
    );
    check(
        "[tenant.acme]\nkind = \"m365-smtp-auth\"\n",
        &["w.toml:1: `licences` is missing in [tenant.acme]"],
    );
    let service = |name: &str, tenant: &str| {
        format!(
            "[tenant.{name}]\nkind = \"amazon-ses\"\n[[mailbox]]\naddress = \"ann@x.example\"\n\
             provider = \"resend\"\nauth = {{ password = {{ env = \"P\" }} }}\n{tenant}\n"
        )
    };
    check(
        &service("acme", "tenant = \"acme\""),
        &["w.toml:7: `tenant` in mailbox[1]: `resend` has no part in [tenant.acme]"],
    );
    check(
        &service("resend", ""),
        &[
            "w.toml:1: mailboxes of `resend` that name no `tenant` have one of that name, and [tenant.resend] is another's; call that one otherwise",
        ],
    );
    let of_another = "tenant = \"acme\"\n[tenant.acme]\nkind = \"resend\"";
    check_ann(
        of_another,
        &["w.toml:5: `tenant` in mailbox[1]: `gmail` has no part in [tenant.acme]"],
    );
    check(
        "[tenant.acme]\nkind = \"microsoft365\"\nlicences = 2\nper_day = 9\n",
        &["w.toml:4: `per_day` in [tenant.acme]: its `kind` is counted by `licences`"],
    );
    check(
        "[tenant.acme]\nkind = \"amazon-ses\"\nlicences = 2\n",
        &["w.toml:3: `licences` in [tenant.acme]: its `kind` is counted by `per_day`"],
    );
}

#[test]
fn a_machine_may_be_called_otherwise() {
    let hello = |written: &str| {
        let text = ann(&format!("smtp = {{ hello = \"{written}\" }}"));
        loaded(&text).mailboxes[0].smtp.hello.clone()
    };
    for name in ["mail.x.example", "[192.0.2.7]", "[IPv6:2001:db8::7]"] {
        assert_eq!(hello(name).as_deref(), Some(name));
    }
    for no_name in ["localhost", "mail", "localhost.localdomain", "a b.example", "[mail]", "mail."]
    {
        check_ann(
            &format!("smtp = {{ hello = \"{no_name}\" }}"),
            &[&format!(
                "w.toml:5: `hello` in mailbox[1].smtp: `{no_name}` is no name to greet a server \
                 with; write a full one, `mail.example.com`"
            )],
        );
    }
}

/// A limit that nobody counts is no limit.
#[test]
fn microsoft_mailboxes_without_a_tenant_are_told_where_they_are_many() {
    let told = |mailboxes: u32| {
        let all: String = (0..mailboxes)
            .map(|nr| {
                ann("cap = 50").replace("gmail", "microsoft365").replace("ann@", &format!("a{nr}@"))
            })
            .collect();
        let told = loaded(&all).warnings.into_iter().map(|warning| warning.to_string());
        told.filter(|warning| warning.contains("that name no `tenant`")).collect::<Vec<_>>()
    };
    assert_eq!(told(100), Vec::<String>::new());
    let told = told(101);
    assert!(told[0].contains("may send 5050 messages a day together"), "{told:?}");
    assert!(told[0].contains("a tenant of one licence is given 5000"), "{told:?}");
}
