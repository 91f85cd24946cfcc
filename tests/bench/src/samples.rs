//! Figures of several rounds, and how they are written.

/// What was measured in the rounds, in order of size; at least one.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Samples(Vec<f64>);

impl Samples {
    /// Nothing, where there is nothing.
    pub(crate) fn new(mut values: Vec<f64>) -> Option<Self> {
        values.sort_by(f64::total_cmp);
        (!values.is_empty()).then_some(Self(values))
    }

    /// The middle one; of an even number the mean of the two.
    pub(crate) fn median(&self) -> f64 {
        let (all, middle) = (&self.0, self.0.len() / 2);
        if all.len() % 2 == 1 { all[middle] } else { (all[middle - 1] + all[middle]) / 2.0 }
    }

    pub(crate) fn min(&self) -> f64 {
        self.0[0]
    }

    pub(crate) fn max(&self) -> f64 {
        self.0[self.0.len() - 1]
    }

    pub(crate) fn count(&self) -> usize {
        self.0.len()
    }
}

/// What a figure counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Unit {
    PerSecond,
    Milliseconds,
    Seconds,
    Mebibytes,
    Kibibytes,
    Percent,
    /// A bare number.
    One,
}

impl Unit {
    /// What stands behind the number.
    pub(crate) fn sign(self) -> &'static str {
        match self {
            Self::PerSecond => "/s",
            Self::Milliseconds => " ms",
            Self::Seconds => " s",
            Self::Mebibytes => " MiB",
            Self::Kibibytes => " KiB",
            Self::Percent => " %",
            Self::One => "",
        }
    }
}

/// A number with the digits that mean something: three, and thousands set apart.
pub(crate) fn number(value: f64) -> String {
    let size = value.abs();
    if size < 1e-9 {
        return "0".to_owned();
    }
    if size >= 99.95 {
        return grouped(value);
    }
    let digits = if size >= 9.995 {
        1
    } else if size >= 0.995 {
        2
    } else {
        3
    };
    format!("{value:.digits$}")
}

fn grouped(value: f64) -> String {
    let plain = format!("{value:.0}");
    let (sign, digits) = plain.strip_prefix('-').map_or(("", plain.as_str()), |d| ("-", d));
    let mut text = sign.to_owned();
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at) % 3 == 0 {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_median_is_the_middle_whatever_the_order() {
        let samples = |values: &[f64]| Samples::new(values.to_vec()).unwrap();
        assert_eq!(samples(&[5.0, 1.0, 3.0]).median(), 3.0);
        assert_eq!(samples(&[4.0, 1.0, 3.0, 2.0]).median(), 2.5);
        assert_eq!((samples(&[5.0, 1.0]).min(), samples(&[5.0, 1.0]).max()), (1.0, 5.0));
        assert_eq!(Samples::new(Vec::new()), None);
    }

    #[test]
    fn numbers_show_three_digits() {
        let shown = [1_234_567.8, 100.4, 34.56, 1.234, 0.19, 0.0, -1_234.0].map(number);
        assert_eq!(shown, ["1,234,568", "100", "34.6", "1.23", "0.190", "0", "-1,234"]);
    }
}
