//! What mends that a server refuses a mailbox: the table's cure, and another for whoever logs in by
//! tokens where that one speaks of a password.

use std::borrow::Cow;

use warmfront_core::address::Address;
use warmfront_core::answer::{self, Answer};
use warmfront_core::identity::{Flow, Identity};

use crate::config::{AuthRef, Mailbox, OAuthRef};

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
        Some(AuthRef::OAuth(_) | AuthRef::Password(_)) | None => Mending {
            wrong: Cow::from(&cure.wrong),
            to_do: cure.to_do(Some(mailbox.address.as_str())),
        },
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
