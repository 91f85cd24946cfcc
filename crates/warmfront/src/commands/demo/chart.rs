//! Twenty lines of sparkline: what each mailbox had accepted, day by day.

/// One mailbox's days as a row of eighths, a dot for a day without an acceptance.
pub(super) fn sparkline(days: &[u32], most: u32) -> String {
    let level = |&n: &u32| match n {
        0 => '·',
        n => {
            let step = (n * 8).div_ceil(most.max(1)).clamp(1, 8) - 1;
            BARS[usize::try_from(step).unwrap_or(0)]
        }
    };
    days.iter().map(level).collect()
}

const BARS: [char; 8] = ['▁', '▂', '▃', '▄', '▅', '▆', '▇', '█'];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_ramp_rises() {
        assert_eq!(sparkline(&[5, 11, 0, 25, 50], 50), "▁▂·▄█");
        assert_eq!(sparkline(&[], 50), "");
    }
}
