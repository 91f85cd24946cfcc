//! Wishes, and what only looks like one.

use super::*;

fn is_asked(subject: &str, text: &str) -> bool {
    let (subject, text) = (subject.to_owned(), text.to_owned());
    let arrival = Arrival { subject, text, ..Arrival::default() };
    is_command(&arrival) || asks(&arrival)
}

/// All that are taken for what they are not, and not the first alone.
#[track_caller]
fn check(texts: &[&str], want: bool) {
    let wrong: Vec<_> = texts.iter().filter(|text| is_asked("Re: Hello", text) != want).collect();
    assert!(wrong.is_empty(), "{} of {} are not {want}: {wrong:#?}", wrong.len(), texts.len());
}

#[test]
fn english_wishes() {
    check(
        &[
            "Unsubscribe",
            "STOP",
            "Stop!\n\nBob Baker\nBaker Ltd",
            "Unsubscribe - thanks",
            "Unsubscribe. I never asked for this.",
            "Hi Ann,\nunsubscribe please\nBob",
            "Not interested. Unsubscribe.",
            "We have a vendor for that. Please unsubscribe.",
            "I wish to unsubscribe",
            "I'd like to opt out",
            "I would like to be taken off your mailing list.",
            "I want to be removed",
            "remove from list",
            "remove my name from your list",
            "Hi,\nplease remove me from your list. Thanks\nBob",
            "Please remove me from your\nmailing list.",
            "Please remove me from all future emails.",
            "Kindly remove this address",
            "Could you please take me off your mailing list?",
            "Take me off your list and never contact me again",
            "take my email off your list",
            "Thanks for reaching out but I'm not interested, please take me off your list.",
            "Please take me off your list, I am no longer with the company.",
            "Please remove me from your list as I am retired.",
            "please stop emailing us",
            "Stop sending me these emails!",
            "I asked you twice. Stop contacting me.",
            "delete me from your database",
            "never email me again",
            "Don't ever contact me again",
            "Please don’t contact me again.",
            "Do not send me any more emails.",
            "I do not want to receive any more emails from you",
            "We no longer wish to receive your newsletters",
            "I don't want to hear from you again.",
            "No more emails please",
            "Put me on your do-not-contact list.",
            "Leave me alone.",
            "Please opt me out.",
            "You can remove us from your contact list",
            "Please remove bob@prospect.example from your list.",
            "Please ensure I am removed from your database.",
            "I would appreciate it if you could take us off your list.",
        ],
        true,
    );
}

#[test]
fn wishes_in_other_languages() {
    check(
        &[
            "Bitte tragen Sie mich aus Ihrem Verteiler aus. Danke",
            "Bitte nehmen Sie mich von Ihrer Liste",
            "Könnten Sie mich bitte aus Ihrem Verteiler nehmen?",
            "Bitte löschen Sie meine Daten gemäß DSGVO",
            "Bitte löschen Sie alle meine Daten nach Art. 17 DSGVO.",
            "Kein Interesse, bitte keine weiteren Mails mehr",
            "Bitte keine Werbung mehr",
            "Sehr geehrte Frau Lee,\n\nbitte streichen Sie uns aus Ihrer Datenbank.",
            "Ich möchte keine weiteren E-Mails von Ihnen erhalten.",
            "Kontaktieren Sie mich nie wieder!",
            "Merci de me supprimer de vos listes",
            "Bonjour,\nmerci de me retirer de votre liste.\nBob",
            "Je souhaite me désinscrire de votre newsletter",
            "Ne m'envoyez plus de mails.",
            "Veuillez supprimer mon adresse de votre base de données, merci.",
            "Pas intéressé, ne me contactez plus.",
            "Por favor, denme de baja",
            "Quisiera darme de baja de su lista de correo",
            "No quiero recibir más correos",
            "Elimínenme de su base de datos, gracias.",
            "Cancellatemi dalla lista, grazie.",
            "Vorrei essere rimosso dalla vostra mailing list",
            "Non voglio più ricevere le vostre email.",
            "Graag uitschrijven. Dank u",
            "Kunt u mij uit uw bestand verwijderen?",
            "Stuur mij geen mails meer",
            "Por favor, remova-me da lista.",
            "Não quero mais receber seus e-mails",
            "Proszę o usunięcie mojego adresu z bazy",
            "Nie chcę otrzymywać więcej maili",
            "Vänligen ta bort mig från er lista, tack",
            "Skicka inga fler mejl till mig",
            "Venligst slet mig fra jeres liste",
            "Jeg ønsker ikke flere mails fra jer",
            "Vennligst fjern meg fra listen",
            "Jeg vil ikke ha flere e-poster fra dere",
        ],
        true,
    );
}

#[test]
fn what_is_no_wish() {
    check(
        &[
            "How do I cancel, unsubscribe, or change the plan later?",
            "How do my customers unsubscribe in your product?",
            "Sounds great! Remove, by the way, the second site from the quote.",
            "Stop, you had me at hello. Call me.",
            "Stop by whenever you like.",
            "People can subscribe,\nunsubscribe\nand so on, right?",
            "Happy to talk on Monday…\n\nUnsubscribe",
            "Happy to talk on Monday.\nBob Baker\nUnsubscribe | Privacy",
            "Sure, Tuesday works.\n\nTo unsubscribe, click here",
            "If you no longer wish to receive these,\nplease unsubscribe.",
            "Do not remove me from your list, I like it",
            "Please don't unsubscribe me!",
            "Unsubscribe? Why would I!",
            "Opt out of what exactly?",
            "I want to be removed from the equation, talk to Dora.",
            "We want to unsubscribe from our current vendor. Can you help?",
            "Please remove me from the cc next time, but let's talk.",
            "Remove me from the invite, I cannot make it on Friday.",
            "Please remove the logo from the quote.",
            "Don't contact me before Monday.",
            "Don't email me, email my colleague Dora instead.",
            "Don't call me, I am in meetings all day. Mail is fine.",
            "Never write me off!",
            "No more emails needed, let's talk by phone.",
            "Please stop by our booth at the fair.",
            "I don't want to receive the invoice by mail.",
            "Do not send me the contract by email.",
            "Take me off the hook and just send the price.",
            "Delete the second paragraph and we have a deal.",
            "I never email people back, but this was good.",
            "Can you send me more emails like this?",
            "We used to be on your list. What happened?",
            "Please take me through the steps.",
            "Our people keep asking to be removed from lists, does your tool help?",
            "I am not interested in a call but send a brochure.",
            "Not interested right now, try me in March.",
            "Remove us from the list of suppliers who bid, otherwise we are in.",
            "I would like to opt in.",
            "Stop the presses, we need this.",
            "Leave me a message on Monday.",
            "I sent that too early. Please delete my email.",
            "Gladly.\n\nThis is for you alone. Please delete this email if it is not.",
            "Gladly.\n\nReceived in error? Please delete this e-mail.",
            "Please remove this email from the thread of our lawyers.",
            "Drop me a line on Monday.",
            "We don't need marketing, we need orders.",
            "I don't want this.",
            "We never want newsletters, we want leads.",
            "Call me. My address is bob@prospect.example, remove the old one.",
        ],
        false,
    );
}

#[test]
fn what_is_no_wish_in_other_languages_either() {
    check(
        &[
            "Wie kann ich mich später abmelden?",
            "Gern.\n\nBitte löschen Sie diese E-Mail.",
            "Volontiers.\n\nMerci de supprimer ce mail.",
            "Claro.\n\nElimine este correo.",
            "Graag.\n\nVerwijder deze mail.",
            "Kunt u ons halen?",
            "No quiero nada.",
            "Vi vil ikke.",
            "Skicka inte mail, ring mig.",
            "Gerne.\n\nVenligst slet denne mail.",
            "Bitte löschen Sie die zweite Position aus dem Angebot.",
            "Bitte nehmen Sie mich in Ihren Verteiler auf.",
            "Schreiben Sie mir nicht vor Montag.",
            "Bitte keine Anrufe, nur E-Mail.",
            "Ich möchte mehr Informationen erhalten.",
            "Melden Sie mich für das Seminar an.",
            "Comment puis-je me désinscrire plus tard ?",
            "Merci de me rappeler lundi.",
            "Merci de supprimer la deuxième ligne du devis.",
            "Je souhaite recevoir plus de mails.",
            "Ne me contactez pas avant lundi.",
            "No quiero perder esta oferta",
            "Me gustaría dar de alta a dos personas",
            "Quítenme una duda: ¿cuánto cuesta?",
            "Vorrei essere richiamato",
            "Non voglio perdere questa occasione",
            "Kunt u mij een offerte sturen?",
            "Ik wil graag meer informatie",
            "Quero receber mais informações",
            "Proszę o więcej informacji",
            "Skicka gärna mer information till mig",
            "Send mig gerne flere oplysninger",
            "Ta kontakt med meg på mandag",
        ],
        false,
    );
}

#[test]
fn a_subject_is_a_wish_of_its_own_only_where_the_mail_is_otherwise_empty() {
    assert!(is_asked("unsubscribe", ""));
    assert!(is_asked("Unsubscribe", "Thanks"));
    assert!(is_asked("unsub-4f5e6d7c8b9a", ""));
    assert!(is_asked("Please remove me from your list", "Best regards\nBob"));
    assert!(!is_asked("Re: Unsubscribe rates", "Interesting, tell me more"));
    assert!(!is_asked("Unsubscribe", "How do your customers do that?"));
    assert!(!is_asked("Stop", "Before you send the next one, call me."));
    assert!(!is_asked("unsubscribe rates of your product", ""));
    assert!(!is_asked("Unsubscribe workflow", "Does yours comply?"));
}

#[test]
fn tokens_come_from_the_subject_and_the_address() {
    let to = vec![crate::address::Address::parse("ann+unsub-0123456789ab@x.example").unwrap()];
    let arrival = Arrival { subject: "unsub-4f5e6d7c8b9a".into(), to, ..Arrival::default() };
    let want = ["unsub-0123456789ab", "0123456789ab", "unsub-4f5e6d7c8b9a", "4f5e6d7c8b9a"];
    assert_eq!(tokens(&arrival), want);
}
