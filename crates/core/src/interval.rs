//! How sure a rate is: the interval that holds the true one in 95 of 100 cases. For people to read;
//! nothing is decided by it.

/// From where to where a rate may lie, as parts of one.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Interval {
    /// The lowest.
    pub low: f64,
    /// The highest.
    pub high: f64,
}

/// Wilson's score interval (Wilson 1927) at 95 %: it stays between 0 and 1 and is honest where hits
/// are few, which is what campaigns have. `None` where nothing was tried.
#[must_use]
pub fn wilson(hits: u64, of: u64) -> Option<Interval> {
    if of == 0 {
        return None;
    }
    // Beyond 2^53 these would round; no campaign has as many messages.
    let (hits, n) = (hits.min(of) as f64, of as f64);
    let (rate, z2) = (hits / n, Z * Z);
    let middle = rate + z2 / (2.0 * n);
    let spread = Z * (rate * (1.0 - rate) / n + z2 / (4.0 * n * n)).sqrt();
    let whole = 1.0 + z2 / n;
    let bound = |value: f64| (value / whole).clamp(0.0, 1.0);
    Some(Interval { low: bound(middle - spread), high: bound(middle + spread) })
}

/// The 97.5 % quantile of the normal distribution.
const Z: f64 = 1.959_964;

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(hits: u64, of: u64, want: (&str, &str)) {
        let interval = wilson(hits, of).unwrap();
        let bounds = (format!("{:.4}", interval.low), format!("{:.4}", interval.high));
        assert_eq!((bounds.0.as_str(), bounds.1.as_str()), want, "{hits} of {of}");
    }

    /// R. G. Newcombe, Two-sided confidence intervals for the single proportion, Statistics in
    /// Medicine 17 (1998), table I, method 3.
    #[test]
    fn published_values() {
        check(81, 263, ("0.2553", "0.3662"));
        check(15, 148, ("0.0624", "0.1605"));
        check(0, 20, ("0.0000", "0.1611"));
        check(1, 29, ("0.0061", "0.1718"));
    }

    #[test]
    fn the_ends() {
        assert_eq!(wilson(0, 0), None);
        check(20, 20, ("0.8389", "1.0000"));
        check(1, 1, ("0.2065", "1.0000"));
    }
}
