//! What mends that a server refuses a mailbox: the table's cure, and another for whoever logs in by
//! tokens where that one speaks of a password.

use std::borrow::Cow;

use warmfront_core::address::Address;
use warmfront_core::answer::{self, Answer, Phase};
use warmfront_core::identity::{Flow, Identity};

use crate::config::{AuthRef, Mailbox, OAuthRef};
use crate::secret;

/// What is wrong, and what to do about it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Mending {
    pub(crate) wrong: Cow<'static, str>,
    pub(crate) to_do: String,
}

/// What mends that this answer was given to this mailbox, where that is known.
pub(crate) fn mending(answer: &Answer, mailbox: &Mailbox) -> Option<Mending> {
    let cure = answer::cure(answer, Some(&mailbox.provider.name))?;
    Some(match &mailbox.auth {
        Some(AuthRef::OAuth(oauth)) if cure.password => of_a_token(oauth, &mailbox.address),
        Some(AuthRef::OAuth(_) | AuthRef::Password(_)) | None => {
            let to_do = cure.to_do(Some(mailbox.address.as_str()));
            let restart = secret::restart(mailbox).filter(|_| answer.phase == Phase::Auth);
            let parts = [Some(to_do), restart].into_iter().flatten();
            Mending { wrong: Cow::from(&cure.wrong), to_do: parts.collect::<Vec<_>>().join(" ") }
        }
    })
}

/// A token that was given, and is not taken.
fn of_a_token(oauth: &OAuthRef, address: &Address) -> Mending {
    let wrong = match oauth.flow {
        Flow::App => "The application's token is not taken for this mailbox.",
        Flow::Device | Flow::Code => "Its token is not taken, or is somebody else's.",
    };
    let to_do = match (oauth.flow, oauth.provider) {
        (Flow::Device | Flow::Code, _) => {
            format!("Log in again as that very mailbox: `warmfront mailbox login {address}`.")
        }
        (Flow::App, Identity::Microsoft) => format!(
            "Give the application its rights on this mailbox, by the Object ID of the enterprise \
             application: `Add-MailboxPermission -Identity {address} -User OBJECT_ID -AccessRights \
             FullAccess` and `Add-RecipientPermission -Identity {address} -Trustee OBJECT_ID \
             -AccessRights SendAs`. It may take an hour; docs/login.md has the steps."
        ),
        (Flow::App, Identity::Google) => format!(
            "Let the service account act for {address}: Google admin console, Security, API controls, \
             Domain-wide delegation, its Unique ID with the scope https://mail.google.com/; \
             docs/login.md has the steps."
        ),
    };
    Mending { wrong: Cow::from(wrong), to_do }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;
    use crate::config;

    /// What is told of an answer to ann, who is at `provider` and logs in so.
    #[track_caller]
    fn told(provider: &str, auth: &str, code: u16, said: &str) -> String {
        let text = format!(
            "[[mailbox]]\naddress = \"ann@x.example\"\nprovider = \"{provider}\"\n\
             smtp = {{ host = \"h\" }}\nimap = {{ host = \"h\" }}\nauth = {{ {auth} }}\n"
        );
        let config = config::parse(Path::new("w.toml"), &text).unwrap();
        let answer = Answer::new(Phase::Auth, code, said);
        let told = mending(&answer, &config.mailboxes[0]).unwrap();
        format!("{} {}", told.wrong, told.to_do)
    }

    #[test]
    fn whoever_logs_in_by_tokens_is_told_of_no_password() {
        const REFUSED: &str = "5.7.8 Error: authentication failed";
        let of_smtp = |auth: &str| told("smtp", auth, 535, REFUSED);
        let of_imap = |auth: &str| told("smtp", auth, 0, "[AUTHENTICATIONFAILED] no");
        let person = "oauth = \"microsoft\", client_id = \"c\"";
        let again = "Log in again as that very mailbox: `warmfront mailbox login ann@x.example`.";
        for told in [of_smtp(person), of_imap(person)] {
            assert!(told.ends_with(again), "{told}");
        }
        let app = "oauth = \"microsoft\", flow = \"app\", client_id = \"c\", tenant = \"t\", \
                   secret = { env = \"S\" }";
        let rights = "`Add-RecipientPermission -Identity ann@x.example -Trustee OBJECT_ID";
        assert!(of_smtp(app).contains(rights), "{}", of_smtp(app));
        let account = "oauth = \"google\", flow = \"app\", secret = { file = \"account.json\" }";
        assert!(of_imap(account).contains("Domain-wide delegation"), "{}", of_imap(account));
        // Google's own words of a refused token would send a service account to a browser.
        let told = told("google", account, 535, "5.7.8 Username and Password not accepted");
        assert!(told.contains("Domain-wide delegation"), "{told}");
        let password = "password = { env = \"P\" }";
        assert!(of_smtp(password).contains("Mend the secret"), "{}", of_smtp(password));
    }

    #[test]
    fn what_a_provider_says_of_tokens_itself_stays() {
        let person = "oauth = \"microsoft\", client_id = \"c\"";
        let told = told("microsoft365", person, 535, "5.7.3 Authentication unsuccessful");
        assert!(told.contains("whoever consented must be ann@x.example"), "{told}");
    }
}
