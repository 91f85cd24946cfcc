//! MX: whether the answers that campaigns are sent for can arrive.

use super::check::{Check, Cure, Finding, Record, Verdict};
use super::facts::{Exchange, Facts, Found};

pub(super) fn judge(facts: &Facts) -> Finding {
    let finding = |verdict, what: String, cure| Finding { check: Check::Mx, verdict, what, cure };
    match &facts.mx {
        Found::Unknown(why) => {
            finding(Verdict::Unknown, format!("could not be asked: {why}"), None)
        }
        Found::Absent(_) => match &facts.address {
            Found::Unknown(why) => finding(
                Verdict::Unknown,
                format!("no MX; addresses could not be asked: {why}"),
                None,
            ),
            Found::Is(()) => {
                let what = "no MX: replies go to the address of the domain itself, if a mail server \
                            listens there";
                finding(Verdict::Warn, what.to_owned(), Some(cure(facts)))
            }
            Found::Absent(_) => {
                let what = "no MX and no address: replies and bounces cannot arrive";
                finding(Verdict::Fail, what.to_owned(), Some(cure(facts)))
            }
        },
        Found::Is(exchanges) if exchanges.iter().any(|exchange| exchange.name.is_empty()) => {
            let what = "a null MX (RFC 7505) says that the domain takes no mail: replies and bounces \
                        cannot arrive, and receivers may refuse your mail for it";
            finding(Verdict::Fail, what.to_owned(), Some(cure(facts)))
        }
        Found::Is(exchanges) => {
            let (verdict, what) = reachable(exchanges);
            let is_ill = verdict == Verdict::Fail || verdict == Verdict::Warn;
            finding(verdict, what, is_ill.then(|| cure(facts)))
        }
    }
}

fn reachable(exchanges: &[Exchange]) -> (Verdict, String) {
    let names = |wanted: &dyn Fn(&Exchange) -> bool| -> Vec<&str> {
        exchanges.iter().filter(|e| wanted(e)).map(|e| e.name.as_str()).collect()
    };
    let there = names(&|e| matches!(e.address, Found::Is(())));
    let gone = names(&|e| matches!(e.address, Found::Absent(_)));
    match (there.first(), gone.len() == exchanges.len()) {
        (Some(first), _) if gone.is_empty() => (Verdict::Pass, format!("replies go to {first}")),
        (Some(first), _) => {
            let gone = gone.join(", ");
            (Verdict::Warn, format!("replies go to {first}; of no address: {gone}"))
        }
        (None, true) => {
            let gone = gone.join(", ");
            (
                Verdict::Fail,
                format!("no mail server has an address ({gone}): replies cannot arrive"),
            )
        }
        (None, false) => {
            (Verdict::Unknown, "the addresses of the mail servers could not be asked".to_owned())
        }
    }
}

fn cure(facts: &Facts) -> Cure {
    let values = facts.host.as_ref().map_or(&[][..], |host| host.mx);
    if values.is_empty() {
        return Cure::told("publish the MX records that your provider shows for the domain");
    }
    let record = |value: &&str| Record {
        name: facts.domain.clone(),
        kind: "MX",
        value: (*value).to_owned(),
    };
    Cure { text: "publish".to_owned(), records: values.iter().map(record).collect() }
}
