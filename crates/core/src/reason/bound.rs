//! What sets a mailbox's allowance of today.

use std::fmt;

/// The part of min(curve, cap) × ease that binds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Bound {
    /// It has just come back from a pause: one message first.
    Probe,
    /// It is eased to so many percent.
    Ease(u32),
    /// Its curve, after so many warm days.
    Curve(u32),
    /// Its cap.
    Cap,
}

impl Bound {
    /// What binds an allowance of a mailbox of that cap.
    #[must_use]
    pub fn of(allowance: u32, cap: u32, warm_days: u32, ease_percent: u32, probe: bool) -> Self {
        if probe {
            Self::Probe
        } else if ease_percent < 100 {
            Self::Ease(ease_percent)
        } else if allowance < cap {
            Self::Curve(warm_days)
        } else {
            Self::Cap
        }
    }

    /// The word for scripts.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Probe => "probe",
            Self::Ease(_) => "ease",
            Self::Curve(_) => "curve",
            Self::Cap => "cap",
        }
    }
}

impl fmt::Display for Bound {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Probe => f.write_str("after a pause one message must be accepted first"),
            Self::Ease(percent) => {
                write!(f, "eased to {percent} %; each clean day gives ten points back")
            }
            Self::Curve(days) => {
                write!(f, "its curve, on warm day {days}; each warm day raises it")
            }
            Self::Cap => f.write_str("its cap"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_binds_an_allowance() {
        assert_eq!(Bound::of(1, 50, 9, 50, true), Bound::Probe);
        assert_eq!(Bound::of(25, 50, 23, 50, false), Bound::Ease(50));
        assert_eq!(Bound::of(15, 50, 5, 100, false), Bound::Curve(5));
        assert_eq!(Bound::of(50, 50, 23, 100, false), Bound::Cap);
    }
}
