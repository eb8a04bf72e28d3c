//! Scales with round steps.

/// A scale of a figure.
pub(super) struct Scale {
    pub low: f64,
    pub high: f64,
    pub step: f64,
    /// If the scale is logarithmic: the base of the logarithms that `low`, `high` and `step` are.
    pub base: Option<f64>,
}

impl Scale {
    /// The scale of scores, with at most five round steps. It starts at 0 unless that would leave
    /// its lower half empty.
    pub fn of_scores(lowest: f64, highest: f64) -> Self {
        let from_zero = (0.0..=highest / 2.0).contains(&lowest);
        if !from_zero || highest > 1.0 {
            let lowest = if from_zero { 0.0 } else { lowest };
            return round_scale([lowest, highest].into_iter(), 5);
        }
        let step = [0.01, 0.02, 0.05, 0.1]
            .into_iter()
            .find(|step| highest <= 5.0 * step)
            .unwrap_or(0.2);
        let steps = (highest / step - 1e-9).ceil().max(1.0);
        Self {
            low: 0.0,
            high: steps * step,
            step,
            base: None,
        }
    }

    /// From the chance level of accuracy or R2 (or the tick below it) to 1. It starts at 0 if any
    /// value is below that level, and lower if one is negative.
    pub fn of_quality(lowest: f64, chance: f64) -> Self {
        if lowest < 0.0 {
            let steps = [0.2, 0.5, 1.0, 5.0, 10.0, 100.0];
            let step = steps.into_iter().find(|step| -lowest <= 5.0 * step);
            let step = step.unwrap_or_else(|| 10_f64.powf((-lowest / 5.0).log10().ceil()));
            return Self {
                low: -step * (-lowest / step - 1e-9).ceil(),
                high: step.max(1.0),
                step,
                base: None,
            };
        }
        let (low, step) = match chance {
            chance if chance >= 0.5 => (0.5, 0.1),
            chance if chance >= 0.2 => (0.2, 0.2),
            _ => (0.0, 0.2),
        };
        let (low, step) = if lowest < low {
            (0.0, 0.2)
        } else {
            (low, step)
        };
        Self {
            low,
            high: 1.0,
            step,
            base: None,
        }
    }

    /// The values that have a label.
    pub fn ticks(&self) -> impl Iterator<Item = f64> {
        let steps = ((self.high - self.low) / self.step).round() as usize;
        let ticks = (0..=steps).map(|i| self.low + i as f64 * self.step);
        ticks.map(|tick| self.base.map_or(tick, |base| base.powf(tick)))
    }

    /// A tick's label, with as many decimals as the step needs. On a logarithmic scale, a number below 1 is a fraction.
    pub fn label(&self, value: f64) -> String {
        match self.base {
            Some(_) if value < 1.0 => return format!("1/{:.0}", 1.0 / value),
            Some(_) => return format!("{value:.0}"),
            None => {}
        }
        // The step is a round number with one significant digit: 0.02 needs two decimals.
        let decimals = (-self.step.log10() - 1e-9).ceil().max(0.0) as usize;
        // Sums of steps have small rounding errors. There must be no minus sign before a zero.
        let value = (value / self.step).round() * self.step + 0.0;
        format!("{value:.decimals$}")
    }

    /// The position of a value: 0 at the bottom and 1 at the top.
    pub fn place(&self, value: f64) -> f64 {
        let value = self.base.map_or(value, |base| value.log(base));
        (value - self.low) / (self.high - self.low)
    }
}

/// A scale with round steps that includes all values and has at most `most` steps.
///
/// If there are no values, or only one, the scale has some space.
pub(super) fn round_scale(values: impl Iterator<Item = f64>, most: usize) -> Scale {
    let finite = values.filter(|value| value.is_finite());
    let (low, high) = finite.fold((f64::INFINITY, f64::NEG_INFINITY), |(low, high), value| {
        (low.min(value), high.max(value))
    });
    let (low, high) = if low > high {
        (0.0, 1.0)
    } else if high - low < 1e-9 {
        // Space for a single value, even if it occurs several times.
        (low, low + 0.02)
    } else {
        (low, high)
    };
    let rough = (high - low) / most as f64;
    let ten = 10f64.powf(rough.log10().floor());
    let steps = [1.0, 2.0, 5.0, 10.0, 20.0]
        .into_iter()
        .map(|part| part * ten);
    let ends = |step: f64| {
        // A small tolerance, so that 0.3 lies on the step 0.1.
        let low = (low / step + 1e-9).floor() * step;
        let high = (high / step - 1e-9).ceil() * step;
        (low, high)
    };
    let fits = |step: &f64| {
        let (low, high) = ends(*step);
        ((high - low) / step).round() as usize <= most
    };
    let step = steps.clone().find(fits).unwrap_or(20.0 * ten);
    let (low, high) = ends(step);
    Scale {
        low,
        high,
        step,
        base: None,
    }
}

/// A logarithmic scale that includes all values, which are above 0. Its ticks are powers of 2, or of 10 if there would be
/// more than `most` steps.
pub(super) fn logarithmic_scale(values: impl Iterator<Item = f64>, most: usize) -> Scale {
    let values: Vec<f64> = values.collect();
    let in_base = |base: f64| {
        let logarithms = values.iter().map(|value| value.log(base));
        let (low, high) = logarithms.fold((f64::INFINITY, f64::NEG_INFINITY), |(low, high), at| {
            (low.min(at), high.max(at))
        });
        // A small tolerance, so that 1000 lies on a power of 10.
        let (low, high) = ((low + 1e-9).floor(), (high - 1e-9).ceil());
        Scale {
            low,
            high: high.max(low + 1.0),
            step: 1.0,
            base: Some(base),
        }
    };
    let doubled = in_base(2.0);
    if doubled.high - doubled.low <= most as f64 {
        return doubled;
    }
    let mut tens = in_base(10.0);
    tens.step = ((tens.high - tens.low) / most as f64).ceil();
    tens.high = tens.low + ((tens.high - tens.low) / tens.step).ceil() * tens.step;
    tens
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn scales_hold_their_values_in_round_steps() {
        let ends = |values: &[f64], most| {
            let scale = round_scale(values.iter().copied(), most);
            let ticks: Vec<String> = scale.ticks().map(|tick| scale.label(tick)).collect();
            ticks.join(" ")
        };
        assert_eq!(ends(&[0.51, 0.97], 5), "0.5 0.6 0.7 0.8 0.9 1.0");
        assert_eq!(ends(&[-0.07, 0.31], 5), "-0.1 0.0 0.1 0.2 0.3 0.4");
        assert_eq!(ends(&[0.004, 0.012], 5), "0.004 0.006 0.008 0.010 0.012");
        assert_eq!(ends(&[0.3, 0.3], 5), "0.300 0.305 0.310 0.315 0.320");
        assert_eq!(ends(&[], 5), "0.0 0.2 0.4 0.6 0.8 1.0");
        assert_eq!(ends(&[f64::NAN, 3.0, 41.0], 5), "0 10 20 30 40 50");
    }

    #[test]
    fn logarithmic_scales_have_powers_as_ticks() {
        let ends = |values: &[f64]| {
            let scale = logarithmic_scale(values.iter().copied(), 6);
            assert!(
                values
                    .iter()
                    .all(|&value| (0.0..=1.0).contains(&scale.place(value)))
            );
            let ticks: Vec<String> = scale.ticks().map(|tick| scale.label(tick)).collect();
            ticks.join(" ")
        };
        assert_eq!(ends(&[0.21, 3.9]), "1/8 1/4 1/2 1 2 4");
        assert_eq!(ends(&[1.0]), "1 2");
        assert_eq!(ends(&[0.1, 1000.0]), "1/10 1 10 100 1000");
        assert_eq!(
            ends(&[1.0, 3e9]),
            "1 100 10000 1000000 100000000 10000000000"
        );
        let scale = logarithmic_scale([1.0, 4.0].into_iter(), 6);
        assert_eq!(
            [1.0, 2.0, 4.0].map(|value| scale.place(value)),
            [0.0, 0.5, 1.0]
        );
    }

    #[test]
    fn accuracy_and_r2_begin_at_chance_or_at_zero_or_below() {
        let ends = |lowest, chance| {
            let Scale {
                low, high, step, ..
            } = Scale::of_quality(lowest, chance);
            [low, high, step]
        };
        assert_eq!(ends(0.6, 0.5), [0.5, 1.0, 0.1]);
        assert_eq!(ends(0.4, 0.5), [0.0, 1.0, 0.2]);
        assert_eq!(ends(0.4, 0.25), [0.2, 1.0, 0.2]);
        assert_eq!(ends(0.15, 0.1), [0.0, 1.0, 0.2]);
        assert_eq!(ends(-0.3, 0.0), [-0.4, 1.0, 0.2]);
        assert_eq!(ends(-3.2, 0.0), [-4.0, 1.0, 1.0]);
        assert_eq!(ends(-20.0, 0.0), [-20.0, 5.0, 5.0]);
    }

    #[test]
    fn shares_begin_at_zero_unless_the_lower_half_were_empty() {
        let ends = |lowest, highest| {
            let Scale { low, high, .. } = Scale::of_scores(lowest, highest);
            [low, high].map(|end| (end * 100.0).round() / 100.0)
        };
        assert_eq!(ends(0.03, 0.8), [0.0, 0.8]);
        assert_eq!(ends(0.81, 0.94), [0.8, 0.95]);
        assert_eq!(ends(-0.2, 0.3), [-0.2, 0.3]);
        assert_eq!(ends(7.0, 140.0), [0.0, 150.0]);
    }
}
