//! Checks of a heat map that are stored beside its scores: what a mean over images would hide.

use ndarray::ArrayView2;

use super::metric::Score;

/// How far an attribution is from its promised sum, as a share of it: 0 is complete. One row an image, for methods that
/// promise a sum.
pub const COMPLETENESS_ERROR: &str = "completeness_error";
/// A row, of value 1, for each image whose map is 0 everywhere.
pub const ZERO_MAP: &str = "zero_map";
/// A row, of value 1, for each image whose map has the same value everywhere, other than 0.
pub const CONSTANT_MAP: &str = "constant_map";
/// A row for each image whose k-th and following pixels have the same value, where k is the size of the ground truth: the
/// number of pixels with that value. Their order in the image decides which of them count. Maps of one value have no such
/// row.
pub const TIED_MAP: &str = "tied_map";

/// A row for each image whose range the method's noise exceeds: how many times. For an image of one value, whose range is 0,
/// it is `f64::MAX`.
pub const NOISE_OVER_RANGE: &str = "noise_over_range";

/// The names of all checks. They are stored as metrics, and tables and figures show them apart.
pub const CHECKS: [&str; 5] = [
    COMPLETENESS_ERROR,
    ZERO_MAP,
    CONSTANT_MAP,
    TIED_MAP,
    NOISE_OVER_RANGE,
];

/// The checks of a map that fail, with their values.
pub(crate) fn failed_checks(
    map: ArrayView2<f32>,
    truth: Option<ArrayView2<bool>>,
) -> Option<(&'static str, f64)> {
    let mut values: Vec<f32> = map.iter().copied().collect();
    let first = *values.first()?;
    if values.iter().all(|&value| value == first) {
        let name = if first == 0.0 { ZERO_MAP } else { CONSTANT_MAP };
        return Some((name, 1.0));
    }
    let k = truth?.iter().filter(|&&set| set).count();
    if k == 0 || k == values.len() {
        return None;
    }
    let (_, &mut last, rest) = values.select_nth_unstable_by(k - 1, |a, b| b.total_cmp(a));
    if !rest.contains(&last) {
        return None;
    }
    let tied = map.iter().filter(|&&value| value == last).count();
    Some((TIED_MAP, tied as f64))
}

/// The relative error of a sum. `None` if nothing was promised but 0, of which there is no share.
pub(crate) fn completeness_error(sum: f64, promised: f64) -> Option<f64> {
    (promised != 0.0).then(|| (sum - promised).abs() / promised.abs())
}

/// Whether a row is that of a check.
pub(crate) fn is_check(score: &Score) -> bool {
    CHECKS.contains(&score.metric.as_str())
}

#[cfg(test)]
mod tests {
    use ndarray::{Array2, array};

    use super::*;

    #[test]
    fn each_kind_of_map_is_told() {
        let truth = array![[true, true, false, false]];
        let failed = |map: [f32; 4]| {
            let map = Array2::from_shape_vec((1, 4), map.to_vec()).unwrap();
            failed_checks(map.view(), Some(truth.view()))
        };
        assert_eq!(failed([0.0; 4]), Some((ZERO_MAP, 1.0)));
        assert_eq!(failed([0.5; 4]), Some((CONSTANT_MAP, 1.0)));
        assert_eq!(failed([3.0, 1.0, 1.0, 1.0]), Some((TIED_MAP, 3.0)));
        assert_eq!(failed([1.0, 0.0, 0.0, -0.0]), Some((TIED_MAP, 3.0)));
        // Ties above or below the border decide nothing.
        assert_eq!(failed([3.0, 3.0, 1.0, 1.0]), None);
        assert_eq!(failed([4.0, 3.0, 2.0, 1.0]), None);
        assert_eq!(completeness_error(0.9, -1.0), Some(1.9));
        assert_eq!(completeness_error(0.0, 0.0), None);
    }
}
