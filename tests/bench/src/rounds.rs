//! Both sides by turns: ours, peer, ours, peer. What wanders with the machine then meets both.

use std::collections::BTreeMap;

use crate::bench::Bench;
use crate::failure::Failure;
use crate::machine::Watch;
use crate::samples::Samples;
use crate::say::progress;

/// One measurement, and what else the same run tells. Which is which, the row knows.
pub(crate) type Reading = Vec<f64>;

/// One side.
pub(crate) struct Side<'a> {
    pub(crate) name: &'static str,
    pub(crate) measure: Box<dyn FnMut() -> Result<Reading, Failure> + 'a>,
}

impl<'a> Side<'a> {
    pub(crate) fn new(
        name: &'static str,
        measure: impl FnMut() -> Result<Reading, Failure> + 'a,
    ) -> Self {
        Self { name, measure: Box::new(measure) }
    }
}

/// What all sides came to.
#[derive(Debug, Default)]
pub(crate) struct Results {
    readings: BTreeMap<&'static str, Result<Vec<Reading>, Failure>>,
    /// Why nothing at all was measured.
    failure: Option<Failure>,
    /// What must be known beside the figures.
    pub(crate) notes: Vec<String>,
}

impl Results {
    /// Nothing was measured, and why.
    pub(crate) fn failed(failure: Failure) -> Self {
        Self { failure: Some(failure), ..Self::default() }
    }

    /// One of the figures of a side, over the rounds.
    pub(crate) fn samples(&self, name: &str, facet: usize) -> Result<Samples, Failure> {
        let readings = match (self.readings.get(name), &self.failure) {
            (Some(readings), _) => readings.clone()?,
            (None, Some(failure)) => return Err(failure.clone()),
            (None, None) => Vec::new(),
        };
        let values = readings.iter().filter_map(|reading| reading.get(facet).copied()).collect();
        Samples::new(values).ok_or_else(|| Failure::Broken(format!("{name} was not measured")))
    }
}

/// Measures every side once a round. A side that fails is not tried again. A measurement during
/// which others kept the machine busy is taken again, a limited number of times.
pub(crate) fn by_turns(bench: &Bench, what: &str, mut sides: Vec<Side<'_>>) -> Results {
    let rounds = bench.options.rounds;
    let mut results = Results::default();
    let (mut repeats, mut loud, mut loudest) = (REPEATS * rounds, 0_usize, 0.0_f64);
    for round in 1..=rounds {
        for side in &mut sides {
            let so_far = results.readings.entry(side.name).or_insert_with(|| Ok(Vec::new()));
            let Ok(so_far) = so_far else { continue };
            let ended = loop {
                let watch = Watch::begin(bench.adopted());
                let ended = (side.measure)();
                let others = watch.others();
                let told = match &ended {
                    Ok(reading) => format!("{reading:.3?}"),
                    Err(failure) => failure.to_string(),
                };
                let name = side.name;
                progress(&format!(
                    "{what}, round {round} of {rounds}, {name}: {told} (others {others:.2})"
                ));
                if others <= OTHERS_MAX || ended.is_err() {
                    break ended;
                }
                if repeats == 0 {
                    (loud, loudest) = (loud + 1, loudest.max(others));
                    break ended;
                }
                repeats -= 1;
            };
            match ended {
                Ok(reading) => so_far.push(reading),
                Err(failure) => {
                    results.readings.insert(side.name, Err(failure));
                }
            }
        }
    }
    if loud > 0 {
        results.notes.push(format!(
            "{what}: others kept up to {loudest:.1} cores busy during {loud} measurements, and \
             their repeats were used up"
        ));
    }
    results
}

/// Above this many cores used by others a measurement says little.
const OTHERS_MAX: f64 = 0.3;

/// How often a measurement is taken again for that, on average of a round.
const REPEATS: usize = 1;
