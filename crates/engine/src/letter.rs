//! The letter of a due message: rendered, threaded, composed. A failure here has touched nothing.

use rand::TryRng as _;
use warmfront_campaigns::templates;
use warmfront_core::address::Address;
use warmfront_core::send_id::Errand;
use warmfront_core::span::Millis;
use warmfront_mail::compose::{Draft, compose};
use warmfront_mail::submit::Letter;
use warmfront_store::{DueMessage, InThread, StoreError};

use crate::fleet::Mailbox;
use crate::office::Office;
use crate::person;
use crate::roster::Campaign;

/// A letter and what its claim writes into the books.
#[derive(Clone, Debug)]
pub(crate) struct Composed {
    /// The letter.
    pub letter: Letter,
    /// Its Message-ID.
    pub rfc_message_id: String,
    /// Its unsubscribe token.
    pub unsubscribe_token: String,
    /// The step revision it was rendered from.
    pub revision: i64,
    /// Its subject.
    pub subject: String,
}

/// Why there is no letter.
#[derive(Debug, thiserror::Error)]
pub(crate) enum LetterProblem {
    /// Something is missing for this person; the row or the template must be mended.
    #[error("{0}")]
    Blocked(String),
    /// The books could not be read.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// Writes the letter of a message.
pub(crate) async fn write_letter(
    office: &Office,
    mailbox: &Mailbox,
    campaign: &Campaign,
    due: &DueMessage,
    now: Millis,
) -> Result<Composed, LetterProblem> {
    let blocked = |why: String| LetterProblem::Blocked(why);
    let person = person::from_json(&due.address, &due.attributes).map_err(blocked)?;
    let name = mailbox.name.as_deref().unwrap_or(mailbox.address.local());
    let from = templates::Mailbox { name, address: &mailbox.address };
    let position = due.position;

    // A message once tried keeps its text, whatever was imported since.
    let (revision, rendered) = match due.revision_id {
        Some(revision) => {
            let text = office.store.text(revision).await?;
            let text = text.ok_or_else(|| blocked(format!("revision {revision} is gone")))?;
            let renderer = campaign.renderer_of(&text).map_err(|e| blocked(e.to_string()))?;
            (revision, renderer.render(position, &text.variant, &person, from))
        }
        None => {
            let renderer = &campaign.renderer;
            let variant = renderer
                .variant_for(&campaign.row.slug, position, &person.address)
                .ok_or_else(|| blocked(format!("the campaign has no step {position}")))?;
            let revision = campaign
                .revisions
                .get(&(position, variant.to_owned()))
                .ok_or_else(|| blocked(format!("step {position} has no text in the books")))?;
            (*revision, renderer.render(position, variant, &person, from))
        }
    };
    let rendered = rendered.map_err(|problem| blocked(problem.to_string()))?;
    let thread = match rendered.subject {
        Some(_) => Vec::new(),
        None => office.store.thread(due.enrolment_id, position).await?,
    };
    let subject = match rendered.subject {
        Some(subject) => subject,
        None => reply_subject(&thread).ok_or_else(|| {
            blocked(format!("step {position} replies in thread, and nothing was sent before it"))
        })?,
    };
    let (rfc_message_id, unsubscribe_token) = ids(campaign, due, &mailbox.address, now)?;
    let references = references(&thread);
    let unsubscribe = format!("{}?subject=unsub-{unsubscribe_token}", mailbox.address);
    let to_name = person::full_name(&person);
    let bytes = compose(&Draft {
        from: &mailbox.address,
        from_name: mailbox.name.as_deref(),
        to: &person.address,
        to_name: to_name.as_deref(),
        subject: &subject,
        text: &rendered.text,
        html: rendered.html.as_deref(),
        message_id: &rfc_message_id,
        in_reply_to: references.last().map(String::as_str),
        references: &references,
        list_unsubscribe_mailto: Some(&unsubscribe),
        date: now,
    })
    .map_err(|problem| blocked(problem.to_string()))?;
    let letter = Letter { from: mailbox.address.clone(), to: person.address, bytes };
    Ok(Composed { letter, rfc_message_id, unsubscribe_token, revision, subject })
}

/// Real follow-ups only: the thread's own subject behind one `Re:`.
fn reply_subject(thread: &[InThread]) -> Option<String> {
    let first = thread.iter().find_map(|message| message.subject.as_deref())?;
    let bare = first.strip_prefix("Re: ").unwrap_or(first);
    Some(format!("Re: {bare}"))
}

/// Every id the thread's messages are known by, the last one the server's own word for the message
/// answered (Outlook.com puts its own id in place of ours).
fn references(thread: &[InThread]) -> Vec<String> {
    let mut ids = Vec::new();
    for message in thread {
        ids.push(message.rfc_message_id.clone());
        ids.extend(message.final_message_id.clone().filter(|id| *id != message.rfc_message_id));
    }
    ids
}

/// The message's Message-ID and token: those it has, or new ones, by which a copy of it is known again
/// to books that lack them.
fn ids(
    campaign: &Campaign,
    due: &DueMessage,
    from: &Address,
    now: Millis,
) -> Result<(String, String), LetterProblem> {
    if let (Some(id), Some(token)) = (&due.rfc_message_id, &due.unsubscribe_token) {
        return Ok((id.clone(), token.clone()));
    }
    let errand = Errand { campaign: &due.campaign_slug, address: &due.address, step: due.position };
    let send_id = |chance| campaign.signet.send_id(now, chance, &errand);
    // The domain is the sender's own, never this machine's name.
    Ok((format!("<{}@{}>", send_id(chance()?), from.domain()), send_id(chance()?)))
}

/// The operating system's randomness: a bounce that names an id is no guess.
fn chance() -> Result<u128, LetterProblem> {
    let mut bits = [0_u8; 16];
    rand::rngs::SysRng.try_fill_bytes(&mut bits).map_err(|error| {
        LetterProblem::Blocked(format!("the operating system gives no randomness: {error}"))
    })?;
    Ok(u128::from_be_bytes(bits))
}
