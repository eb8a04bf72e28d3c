//! Paired comparisons with one difference per network.

use std::collections::BTreeMap;

use xai_core::lesions::prelude::*;
use xai_core::statistics::{Interval, Test, bootstrap_clusters, holm, mean, wilcoxon};

/// The columns that [`Paired::entries`] fills.
pub const COLUMNS: [&str; 6] = ["networks", "difference", "low", "high", "p_value", "p_holm"];

/// The summary of the differences between networks.
#[derive(Clone, Copy, Debug)]
pub struct Paired {
    /// The number of networks.
    pub networks: usize,
    /// Their mean difference.
    pub difference: Option<f64>,
    /// Its 95 % interval, by a bootstrap of networks. `None` for fewer than five.
    pub interval: Option<Interval>,
    /// The p value of Wilcoxon's signed-rank test.
    pub p_value: Option<f64>,
    /// The p value corrected by Holm's method for the number of comparisons.
    pub corrected: Option<f64>,
}

impl Paired {
    /// For a table.
    pub fn entries(&self) -> [TableValue; 6] {
        let [low, high] = TableValue::ends(self.interval);
        let [p_value, corrected] = [self.p_value.into(), self.corrected.into()];
        [
            self.networks.into(),
            self.difference.into(),
            low,
            high,
            p_value,
            corrected,
        ]
    }
}

/// A network's score of an image, and whether the network classifies the image correctly.
#[derive(Clone, Copy, Debug)]
pub struct Scored {
    /// The image's index.
    pub image: u32,
    /// The score of its map.
    pub score: f64,
    /// Whether the network is right.
    pub right: bool,
}

/// For each network that is right about some images and wrong about others: by how much its scores are higher where it is
/// right.
///
/// The image's mean over networks is subtracted from each score, so that hard images do not count as wrong networks. This
/// subtracts a part of what is asked for. Let a score be the image's level plus the network's level, plus `d` if the network is
/// right. The mean over networks then contains `d` times the share of networks that are right. So the remaining difference is
/// `d` times one less the mean share over the images where the network is right, plus the mean share where it is wrong. It
/// is divided by this factor, which is above 0.
pub fn right_less_wrong(networks: &[Vec<Scored>]) -> Vec<f64> {
    let mut of_image: BTreeMap<u32, Vec<Scored>> = BTreeMap::new();
    for scored in networks.iter().flatten() {
        of_image.entry(scored.image).or_default().push(*scored);
    }
    // The mean score of each image, and the share of networks that are right.
    let means: BTreeMap<u32, [f64; 2]> = of_image
        .into_iter()
        .map(|(image, all)| {
            let of =
                |value: fn(&Scored) -> f64| all.iter().map(value).sum::<f64>() / all.len() as f64;
            (
                image,
                [
                    of(|one| one.score),
                    of(|one| f64::from(u8::from(one.right))),
                ],
            )
        })
        .collect();
    let difference = |network: &Vec<Scored>| {
        let side = |right: bool| {
            let of_side = network.iter().filter(move |scored| scored.right == right);
            let residuals: Vec<[f64; 2]> = of_side
                .map(|scored| {
                    let [score, share] = means[&scored.image];
                    [scored.score - score, f64::from(u8::from(right)) - share]
                })
                .collect();
            let mean = |at: usize| mean(&residuals.iter().map(|one| one[at]).collect::<Vec<_>>());
            Some([mean(0)?, mean(1)?])
        };
        let ([right, more], [wrong, less]) = (side(true)?, side(false)?);
        Some((right - wrong) / (more - less))
    };
    networks.iter().filter_map(difference).collect()
}

/// All comparisons of a study. Each is a list of differences, one per network. If all are zero or
/// there is no network, there is no test, and the comparison does not count in the correction.
pub fn paired(comparisons: &[Vec<f64>]) -> Vec<Paired> {
    let tests: Vec<Option<Test>> = comparisons.iter().map(|one| wilcoxon(one)).collect();
    let p_values: Vec<f64> = tests.iter().flatten().map(|test| test.p_value).collect();
    let mut corrected = holm(&p_values).into_iter();
    let compared = comparisons.iter().zip(tests);
    let one = |(differences, test): (&Vec<f64>, Option<Test>)| Paired {
        networks: differences.len(),
        difference: mean(differences),
        interval: mean_interval(differences),
        p_value: test.map(|test| test.p_value),
        corrected: test.and_then(|_| corrected.next()),
    };
    compared.map(one).collect()
}

/// The 95 % interval of the mean of independent values, by a bootstrap. `None` for fewer than five.
pub fn mean_interval(values: &[f64]) -> Option<Interval> {
    let intervals = bootstrap_clusters(values.len(), 0.95, 0, |drawn| {
        let values: Vec<f64> = drawn.iter().map(|&at| values[at]).collect();
        Some(vec![mean(&values)?])
    });
    intervals.map(|intervals| intervals[0])
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Networks of different quality, hard images, and a difference of exactly 0.1, which must be found.
    #[test]
    fn the_difference_between_right_and_wrong_is_found() {
        let network = |number: u32| {
            let of = |image: u32| {
                // Networks with higher numbers are right more often, and images with higher numbers are harder.
                let right = (image * 7 + number * 3) % 11 + number > image / 2 + 2;
                let score = f64::from(image % 5) / 4.0 + f64::from(number) / 10.0;
                let score = score + if right { 0.1 } else { 0.0 };
                Scored {
                    image,
                    score,
                    right,
                }
            };
            (0..20).map(of).collect::<Vec<_>>()
        };
        let mut networks: Vec<Vec<Scored>> = (0..6).map(network).collect();
        let both =
            |of: &Vec<Scored>| of.iter().any(|one| one.right) && !of.iter().all(|one| one.right);
        assert!(networks.iter().all(both));
        for difference in right_less_wrong(&networks) {
            assert!((difference - 0.1).abs() < 1e-12, "{difference}");
        }
        // A network that is always right has no difference.
        networks[0]
            .iter_mut()
            .for_each(|scored| scored.right = true);
        assert_eq!(right_less_wrong(&networks).len(), 5);
    }
}
