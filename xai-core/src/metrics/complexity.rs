//! Does the explanation concentrate on few pixels?

use ndarray::ArrayView2;

/// Sparseness (Chalasani et al. 2020): the Gini index of a map's absolute values. A map with the same
/// value everywhere has 0. A map of n pixels with a single pixel that is not 0 has 1 - 1 / n. `None`
/// for a map of zeros.
///
/// Equal to Quantus's `Sparseness`, which adds 1e-7 to every value, so that a map of zeros has 0 there.
pub fn sparseness(map: ArrayView2<f32>) -> Option<f64> {
    let mut values: Vec<f64> = map.iter().map(|&value| f64::from(value).abs()).collect();
    values.sort_unstable_by(f64::total_cmp);
    let n = values.len() as f64;
    let total: f64 = values.iter().sum();
    let ranked = (1..).zip(&values);
    let weighted: f64 = ranked
        .map(|(rank, value)| (2.0 * f64::from(rank) - n - 1.0) * value)
        .sum();
    (total > 0.0).then(|| weighted / (n * total))
}

#[cfg(test)]
mod tests {
    use ndarray::Array2;

    use super::*;

    #[test]
    fn the_ends_of_the_scale() {
        let mut map = Array2::zeros((4, 5));
        assert_eq!(sparseness(map.view()), None);
        map[[2, 1]] = -3.0;
        assert!((sparseness(map.view()).unwrap() - 0.95).abs() < 1e-12);
        map.fill(2.0);
        assert_eq!(sparseness(map.view()), Some(0.0));
    }
}
