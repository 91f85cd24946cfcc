//! A person's wish to get no more: in their own words, or by the `List-Unsubscribe` address.
//!
//! Conservative: a sentence counts when, without its courtesies, it *is* one of the phrases. What
//! is overlooked here is a reply, and that ends the enrolment too.

use super::Arrival;
use crate::text;

/// Whether its writer asks not to be written to.
pub(super) fn asks(arrival: &Arrival) -> bool {
    let lines = arrival.text.lines().take(LINES_MAX);
    lines.flat_map(|line| line.split(['.', '!', '?', ',', ';', ':'])).any(is_wish)
        || is_wish(&arrival.text.split_whitespace().take(WORDS_MAX).collect::<Vec<_>>().join(" "))
}

/// What in an arrival may be the token of an opt-out link: the `unsub-…` of its subject or of the
/// address it was sent to, and behind a plus.
pub(super) fn tokens(arrival: &Arrival) -> Vec<String> {
    let locals = arrival.to.iter().map(|to| to.local());
    let tags = locals.filter_map(|local| local.split_once('+').map(|(_, tag)| tag));
    let words = arrival.subject.split_whitespace();
    let mut tokens: Vec<String> = Vec::new();
    for word in tags.chain(words).take(TOKENS_MAX) {
        let bare =
            COMMANDS.iter().find_map(|c| word.strip_prefix(c)?.strip_prefix(['-', '=', '_']));
        for token in [Some(word), bare].into_iter().flatten() {
            if token.len() >= TOKEN_MIN && !tokens.iter().any(|known| known == token) {
                tokens.push(token.to_owned());
            }
        }
    }
    tokens
}

/// Whether its subject is one that mail programs and providers write from the `mailto:` of
/// `List-Unsubscribe`.
pub(super) fn is_command(arrival: &Arrival) -> bool {
    let lower = arrival.subject.trim().to_lowercase();
    is_wish(&lower)
        || COMMANDS.iter().any(|command| {
            lower.strip_prefix(command).is_some_and(|rest| {
                rest.starts_with(['-', '=', '_', ' ', ':'])
                    && rest[1..].trim().len() >= TOKEN_MIN
                    && !rest[1..].trim().contains(' ')
            })
        })
}

/// Whether a sentence, courtesies aside, is a wish to get no more.
fn is_wish(sentence: &str) -> bool {
    let sentence = text::folded(&sentence.replace(['’', '‘'], "'"));
    let bare = sentence.trim_matches(|c: char| !c.is_alphanumeric());
    if bare.len() > SENTENCE_MAX {
        return false;
    }
    let mut words: Vec<&str> = bare.split(' ').collect();
    while words.first().is_some_and(|word| BEFORE.contains(word)) {
        words.remove(0);
    }
    while words.last().is_some_and(|word| BEHIND.contains(word)) {
        words.pop();
    }
    WISHES.contains(&words.join(" ").as_str())
}

/// A wish stands at the top.
const LINES_MAX: usize = 12;
const WORDS_MAX: usize = 12;
/// The longest wish with its courtesies.
const SENTENCE_MAX: usize = 120;
/// Tokens are longer than any word of a subject that is not one.
const TOKEN_MIN: usize = 8;
const TOKENS_MAX: usize = 32;

const COMMANDS: [&str; 4] = ["unsubscribe", "unsub", "optout", "opt-out"];

/// Courtesies before a wish.
const BEFORE: [&str; 46] = [
    "hi",
    "hello",
    "hey",
    "please",
    "pls",
    "plz",
    "kindly",
    "and",
    "so",
    "just",
    "can",
    "could",
    "would",
    "you",
    "i",
    "want",
    "to",
    "be",
    "bitte",
    "ich",
    "möchte",
    "und",
    "könnten",
    "sie",
    "können",
    "merci",
    "de",
    "veuillez",
    "por",
    "favor",
    "quiero",
    "per",
    "favore",
    "prego",
    "alstublieft",
    "graag",
    "wil",
    "ik",
    "proszę",
    "o",
    "vänligen",
    "snälla",
    "venligst",
    "vær",
    "så",
    "venlig",
];

/// Courtesies behind it.
const BEHIND: [&str; 42] = [
    "please",
    "pls",
    "thanks",
    "thank",
    "you",
    "thx",
    "now",
    "immediately",
    "asap",
    "today",
    "again",
    "cheers",
    "regards",
    "bitte",
    "danke",
    "sofort",
    "merci",
    "svp",
    "s'il",
    "vous",
    "plaît",
    "gracias",
    "por",
    "favor",
    "grazie",
    "per",
    "favore",
    "alstublieft",
    "aub",
    "dank",
    "bedankt",
    "obrigado",
    "obrigada",
    "dziękuję",
    "proszę",
    "tack",
    "tak",
    "venligst",
    "på",
    "forhånd",
    "u",
    "anymore",
];

/// Whole wishes, lower-case, without courtesies.
const WISHES: [&str; 165] = [
    // English.
    "unsubscribe",
    "unsubscribe me",
    "unsubscribed",
    "unsubscribe me from this list",
    "unsubscribe me from your list",
    "unsubscribe me from your mailing list",
    "unsubscribe me from these emails",
    "unsubscribe from this list",
    "unsubscribe from all",
    "like to unsubscribe",
    "opt out",
    "opt-out",
    "opt me out",
    "stop",
    "stop all",
    "stop emailing",
    "stop emailing me",
    "stop e-mailing me",
    "stop mailing me",
    "stop writing to me",
    "stop writing me",
    "stop contacting me",
    "stop contacting us",
    "stop sending me emails",
    "stop sending me these emails",
    "stop sending me these",
    "stop sending these emails",
    "stop sending emails",
    "stop spamming me",
    "remove",
    "remove me",
    "remove us",
    "remove me from this list",
    "remove me from the list",
    "remove me from your list",
    "remove me from your lists",
    "remove me from your mailing list",
    "remove me from your mailing lists",
    "remove me from your email list",
    "remove me from your contact list",
    "remove me from your database",
    "remove my email",
    "remove my email address",
    "remove my address",
    "remove my address from your list",
    "remove my email from your list",
    "remove my email address from your list",
    "remove us from your list",
    "removed from your list",
    "removed from this list",
    "removed from your mailing list",
    "take me off",
    "take me off this list",
    "take me off the list",
    "take me off your list",
    "take me off your mailing list",
    "take us off your list",
    "delete me from your list",
    "delete my email address",
    "delete my data",
    "do not contact me",
    "do not contact us",
    "don't contact me",
    "do not email me",
    "don't email me",
    "do not write to me",
    "don't write to me",
    "do not send me any more emails",
    "don't send me any more emails",
    "do not send me emails",
    "no more emails",
    // German.
    "abmelden",
    "abbestellen",
    "austragen",
    "abmeldung",
    "melden sie mich ab",
    "tragen sie mich aus",
    "tragen sie mich aus ihrem verteiler aus",
    "tragen sie mich aus dem verteiler aus",
    "nehmen sie mich aus ihrem verteiler",
    "nehmen sie mich aus dem verteiler",
    "nehmen sie mich von der liste",
    "streichen sie mich von ihrer liste",
    "streichen sie mich von der liste",
    "löschen sie mich aus ihrem verteiler",
    "löschen sie meine daten",
    "löschen sie meine adresse",
    "keine weiteren e-mails",
    "keine weiteren mails",
    "keine weiteren emails",
    "keine e-mails mehr",
    "keine mails mehr",
    "schreiben sie mir nicht mehr",
    "kontaktieren sie mich nicht mehr",
    "senden sie mir keine weiteren e-mails",
    "senden sie mir keine e-mails mehr",
    // French.
    "désinscription",
    "désinscrire",
    "me désinscrire",
    "désinscrivez-moi",
    "me désinscrire de votre liste",
    "me désabonner",
    "désabonnez-moi",
    "désabonner",
    "me retirer de votre liste",
    "retirez-moi de votre liste",
    "supprimez-moi de votre liste",
    "me supprimer de votre liste",
    "ne plus me contacter",
    "ne me contactez plus",
    "ne plus m'écrire",
    "ne m'écrivez plus",
    // Spanish.
    "darme de baja",
    "dar de baja",
    "dame de baja",
    "denme de baja",
    "deme de baja",
    "cancelar suscripción",
    "elimíneme de su lista",
    "eliminarme de su lista",
    "no me escriban más",
    "no me contacten más",
    // Italian.
    "cancellami",
    "cancellatemi",
    "cancellatemi dalla lista",
    "cancellami dalla lista",
    "rimuovetemi dalla lista",
    "disiscrivetemi",
    "disiscrivimi",
    "non scrivetemi più",
    "non contattatemi più",
    // Dutch.
    "uitschrijven",
    "afmelden",
    "schrijf mij uit",
    "schrijf me uit",
    "meld mij af",
    "verwijder mij van uw lijst",
    "verwijder mij uit uw lijst",
    "niet meer mailen",
    // Portuguese.
    "cancelar inscrição",
    "cancelar a inscrição",
    "descadastrar",
    "remover-me da lista",
    "remova-me da lista",
    "não me contactem mais",
    "retire-me da lista",
    "quero sair da lista",
    // Polish.
    "wypisz mnie",
    "wypisanie z listy",
    "usunięcie z listy",
    "wypisanie mnie",
    "usuńcie mnie z listy",
    "nie piszcie do mnie więcej",
    // Swedish, Danish and Norwegian.
    "avregistrera mig",
    "ta bort mig från listan",
    "ta bort mig från er lista",
    "sluta mejla mig",
    "avsluta prenumeration",
    "afmeld mig",
    "afmelding",
    "fjern mig fra listen",
    "fjern mig fra jeres liste",
    "stop med at skrive til mig",
    "meld meg av",
    "fjern meg fra listen",
];

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(subject: &str, text: &str, want: bool) {
        let (subject, text) = (subject.to_owned(), text.to_owned());
        let arrival = Arrival { subject, text, ..Arrival::default() };
        assert_eq!(is_command(&arrival) || asks(&arrival), want);
    }

    #[test]
    fn a_wish_is_a_whole_sentence() {
        check("Re: Hello", "Unsubscribe", true);
        check("Re: Hello", "Hi,\nplease remove me from your list. Thanks\nBob", true);
        check("Re: Hello", "Could you please take me off your mailing list?", true);
        check("Re: Hello", "STOP", true);
        check("Re: Hello", "Please don’t contact me again.", true);
        check("AW: Hallo", "Bitte tragen Sie mich aus Ihrem Verteiler aus. Danke", true);
        check("RE: Bonjour", "Merci de me retirer de votre liste", true);
        check("Re: Hola", "Por favor, denme de baja", true);
        check("unsubscribe", "", true);
        check("unsub-4f5e6d7c8b9a", "", true);
        check("Re: Hello", "Do not remove me from your list, I like it", false);
        check("Re: Hello", "How do my customers unsubscribe in your product?", false);
        check("Re: Hello", "Stop by whenever you like.", false);
        check("Re: Unsubscribe rates", "Interesting, tell me more", false);
        check("unsubscribe rates of your product", "", false);
    }

    #[test]
    fn tokens_come_from_the_subject_and_the_address() {
        let to = vec![crate::address::Address::parse("ann+unsub-0123456789ab@x.example").unwrap()];
        let arrival = Arrival { subject: "unsub-4f5e6d7c8b9a".into(), to, ..Arrival::default() };
        let want = ["unsub-0123456789ab", "0123456789ab", "unsub-4f5e6d7c8b9a", "4f5e6d7c8b9a"];
        assert_eq!(tokens(&arrival), want);
    }
}
