//! Summaries of a sample, as shown in tables and box plots.

/// The mean. `None` if there are no values.
pub fn mean(values: &[f64]) -> Option<f64> {
    (!values.is_empty()).then(|| values.iter().sum::<f64>() / values.len() as f64)
}

/// The quantile `q` in 0..=1 of values in ascending order, interpolated linearly between neighbours
/// (NumPy's default, Hyndman and Fan's type 7). `None` if there are no values.
pub fn quantile(ascending: &[f64], q: f64) -> Option<f64> {
    let last = ascending.len().checked_sub(1)?;
    let place = q.clamp(0.0, 1.0) * last as f64;
    let below = place.floor() as usize;
    let (low, high) = (ascending[below], ascending[(below + 1).min(last)]);
    Some(low + (high - low) * (place - below as f64))
}

/// The five numbers of a box in a box plot, as matplotlib draws it.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct BoxSummary {
    /// The middle line.
    pub median: f64,
    /// The lower edge of the box: the 25 % quantile.
    pub lower_quartile: f64,
    /// The upper edge of the box: the 75 % quantile.
    pub upper_quartile: f64,
    /// The smallest value no more than 1.5 box heights below the box.
    pub lower_whisker: f64,
    /// The largest value no more than 1.5 box heights above the box.
    pub upper_whisker: f64,
}

impl BoxSummary {
    /// Summarises the values, in any order. They must not be NaN. `None` if there are no values.
    pub fn of(values: &[f64]) -> Option<Self> {
        let mut ascending = values.to_vec();
        ascending.sort_by(f64::total_cmp);
        let lower_quartile = quantile(&ascending, 0.25)?;
        let upper_quartile = quantile(&ascending, 0.75)?;
        let reach = 1.5 * (upper_quartile - lower_quartile);
        // With few values, no value may lie between the box and the fence. The whisker then has
        // length 0.
        let lower_whisker = ascending
            .iter()
            .find(|&&v| v >= lower_quartile - reach)
            .map_or(lower_quartile, |v| v.min(lower_quartile));
        let upper_whisker = ascending
            .iter()
            .rfind(|&&v| v <= upper_quartile + reach)
            .map_or(upper_quartile, |v| v.max(upper_quartile));
        Some(Self {
            median: quantile(&ascending, 0.5)?,
            lower_quartile,
            upper_quartile,
            lower_whisker,
            upper_whisker,
        })
    }
}
