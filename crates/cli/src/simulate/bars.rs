//! A curve in one line of text.

const LEVELS: [char; 8] = ['▁', '▂', '▃', '▄', '▅', '▆', '▇', '█'];

/// One character per value, relative to the largest; a space for nothing. Heights are logarithmic
/// from a thousandth on: a herd's first second would hide everything after it.
pub(super) fn bars(values: &[f64]) -> String {
    let most = values.iter().copied().fold(0.0, f64::max);
    values.iter().map(|value| bar(*value, most)).collect()
}

fn bar(value: f64, most: f64) -> char {
    if value <= 0.0 {
        return ' ';
    }
    let share = (1.0 + (value / most).log10() / 3.0).clamp(0.0, 1.0);
    let level = (share * LEVELS.len() as f64) as usize;
    LEVELS[level.min(LEVELS.len() - 1)]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_most_is_a_full_bar_nothing_is_a_space_and_a_tenth_a_third_less() {
        assert_eq!(bars(&[1000.0, 0.0, 100.0, 1.0]), "█ ▆▁");
        assert_eq!(bars(&[0.0, 0.0]), "  ");
    }
}
