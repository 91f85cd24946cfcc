//! What the command is told.

/// What to measure and how to tell it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Options {
    /// Keys, or the part of them before the slash. Empty: every row.
    pub(crate) rows: Vec<String>,
    /// How often each side is measured.
    pub(crate) rounds: usize,
    /// Smaller sizes, to see that it works.
    pub(crate) quick: bool,
    /// The answer as JSON.
    pub(crate) json: bool,
}

/// What the words ask for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Asked {
    Measure(Options),
    /// A part of a row, in a process of its own.
    Probe(Vec<String>),
    Help,
}

/// Reads the words behind the program's name.
pub(crate) fn parse(words: &[String]) -> Result<Asked, String> {
    if let Some((first, rest)) = words.split_first()
        && first == PROBE
    {
        return Ok(Asked::Probe(rest.to_vec()));
    }
    let mut options = Options { rows: Vec::new(), rounds: ROUNDS, quick: false, json: false };
    let mut words = words.iter().map(String::as_str);
    while let Some(word) = words.next() {
        let mut value = || words.next().ok_or_else(|| format!("{word} wants a value"));
        match word {
            "--rows" => options.rows.extend(value()?.split(',').map(str::to_owned)),
            "--rounds" => {
                let given = value()?;
                let rounds = given.parse().ok().filter(|rounds| *rounds > 0);
                options.rounds = rounds.ok_or_else(|| format!("{given} is no number of rounds"))?;
            }
            "--quick" => options.quick = true,
            "--json" => options.json = true,
            "--help" | "-h" => return Ok(Asked::Help),
            other => return Err(format!("{other} is no option; --help names them all")),
        }
    }
    let known = |wanted: &&String| !crate::targets::TARGETS.iter().any(|t| names(wanted, t.key));
    match options.rows.iter().find(known) {
        Some(unknown) => Err(format!("there is no row {unknown}; --help names them all")),
        None => Ok(Asked::Measure(options)),
    }
}

/// Whether a word of `--rows` names the row of that key.
pub(crate) fn names(wanted: &str, key: &str) -> bool {
    key == wanted || key.split('/').next() == Some(wanted)
}

/// The first word of a process that the bench starts of itself.
pub(crate) const PROBE: &str = "probe";

/// Fewer make no median.
const ROUNDS: usize = 5;

/// What `--help` says, before the rows.
pub(crate) const HELP: &str = "\
Measures Warmfront beside other programs and prints one table.

  --rows NAME,…  only these rows, or groups of rows (`send` is all of `send/…`)
  --rounds N     how often each side is measured, by turns (5)
  --quick        smaller sizes, to see that it works; its figures are not comparable
  --json         the answer as JSON

Exit code: 0 every row was measured and reached what it must; 1 a row could not be
measured; 2 wrong use; 3 all were measured and one fell short.

Rows:";

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(words: &[&str], want: Result<Options, &str>) {
        let words: Vec<String> = words.iter().map(|word| (*word).to_owned()).collect();
        let want = want.map(Asked::Measure).map_err(str::to_owned);
        assert_eq!(parse(&words), want);
    }

    #[test]
    fn options_are_few() {
        let usual = Options { rows: Vec::new(), rounds: 5, quick: false, json: false };
        check(&[], Ok(usual.clone()));
        check(&["--quick"], Ok(Options { quick: true, ..usual.clone() }));
        let rows = vec!["send".to_owned(), "demo/wall".to_owned()];
        let some = Options { rows, rounds: 9, json: true, ..usual };
        check(&["--rows", "send,demo/wall", "--rounds", "9", "--json"], Ok(some));
        check(&["--rows", "sends"], Err("there is no row sends; --help names them all"));
        check(&["--rounds", "0"], Err("0 is no number of rounds"));
        check(&["--rounds"], Err("--rounds wants a value"));
        check(&["--fast"], Err("--fast is no option; --help names them all"));
    }
}
