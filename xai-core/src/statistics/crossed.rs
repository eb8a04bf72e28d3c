//! A bootstrap of networks and of the images that they explain.

use std::collections::BTreeSet;

use rand::Rng;

use super::bootstrap::{FEWEST, Interval, RESAMPLES, expanded_tail};
use crate::random;

/// The confidence interval of a mean over networks and images, `here`, or of its difference from the mean of `there`
/// (here minus there). Each network has its scores, each with the image to which it belongs. `there` is empty, or has the
/// same networks in the same order, for example those with the same initial weights.
///
/// Networks and images are resampled independently, as rows and columns of a table ("crossed" random effects, Owen 2007,
/// "The pigeonhole bootstrap"). The networks are the same on both sides; the images are not. So the interval describes how the
/// mean would vary with other networks and with other images. An interval over networks alone is too narrow if the two sides
/// explain different images: even a map without a network then seems to change.
///
/// Percentiles are widened as in [`bootstrap_clusters`](super::bootstrap_clusters), for the number of networks. `None` for
/// fewer than five networks or images, or if the sides differ in their number of networks. Draws come from the stream
/// ("bootstrap/crossed", `seed`).
pub fn bootstrap_crossed<Image: Ord + Copy>(
    here: &[Vec<(Image, f64)>],
    there: &[Vec<(Image, f64)>],
    level: f64,
    seed: u64,
) -> Option<Interval> {
    if !(there.is_empty() || there.len() == here.len()) {
        return None;
    }
    let sides = [Side::of(here), Side::of(there)];
    interval(&sides[..if there.is_empty() { 1 } else { 2 }], level, seed)
}

/// The interval of one side, or of the difference between two. It is not generic, so that it is compiled and optimised once
/// with this crate.
fn interval(sides: &[Side], level: f64, seed: u64) -> Option<Interval> {
    let networks = sides[0].scores.len();
    if networks < FEWEST || sides.iter().any(|side| side.images < FEWEST) {
        return None;
    }
    let mut random = random::stream(seed, "bootstrap/crossed");
    let mut draw = |count: usize| -> Vec<usize> {
        (0..count).map(|_| random.random_range(0..count)).collect()
    };
    let mut means: Vec<f64> = (0..RESAMPLES)
        .filter_map(|_| {
            let networks = draw(networks);
            let means: Vec<f64> = sides
                .iter()
                .filter_map(|side| side.mean(&networks, &draw(side.images)))
                .collect();
            match means[..] {
                [here] if sides.len() == 1 => Some(here),
                [here, there] => Some(here - there),
                _ => None,
            }
        })
        .collect();
    if means.len() < RESAMPLES / 2 {
        return None;
    }
    Interval::of_draws(&mut means, expanded_tail(networks, level)?)
}

/// The scores of several networks as a table.
struct Side {
    /// `[network][image]`: the sum of the scores, and their number.
    scores: Vec<Vec<(f64, f64)>>,
    images: usize,
}

impl Side {
    fn of<Image: Ord + Copy>(networks: &[Vec<(Image, f64)>]) -> Self {
        let images: BTreeSet<Image> = networks.iter().flatten().map(|&(image, _)| image).collect();
        let images: Vec<Image> = images.into_iter().collect();
        let of_network = |scores: &Vec<(Image, f64)>| {
            let mut row = vec![(0.0, 0.0); images.len()];
            for (image, score) in scores {
                let at = images.binary_search(image).expect("an image of a network");
                row[at].0 += score;
                row[at].1 += 1.0;
            }
            row
        };
        Self {
            scores: networks.iter().map(of_network).collect(),
            images: images.len(),
        }
    }

    /// The mean score of these networks and images. `None` if they have no scores.
    fn mean(&self, networks: &[usize], images: &[usize]) -> Option<f64> {
        let (mut sum, mut count) = (0.0, 0.0);
        for &network in networks {
            for &image in images {
                let (score, times) = self.scores[network][image];
                sum += score;
                count += times;
            }
        }
        (count > 0.0).then(|| sum / count)
    }
}

#[cfg(test)]
mod tests {
    use rand_distr::{Distribution, Normal};

    use super::*;
    use crate::statistics::{bootstrap_clusters, mean};

    type Networks = Vec<Vec<(u32, f64)>>;

    /// Five networks, 40 images. Images differ more than networks do.
    fn scores(random: &mut impl Rng) -> Networks {
        let [of_network, of_image, of_both] =
            [0.02, 0.2, 0.05].map(|deviation| Normal::new(0.0, deviation).unwrap());
        let images: Vec<f64> = (0..40).map(|_| of_image.sample(random)).collect();
        (0..5)
            .map(|_| {
                let network = of_network.sample(random);
                let score = |(at, image): (usize, &f64)| {
                    (at as u32, network + image + of_both.sample(random))
                };
                images.iter().enumerate().map(score).collect()
            })
            .collect()
    }

    /// The difference between two sides with the same true mean is 0 in at least 95 % of the cases. An interval over networks
    /// alone often excludes it.
    #[test]
    fn the_interval_covers_the_true_difference_if_images_differ() {
        let mut random = random::stream(3, "test");
        let (mut crossed, mut alone) = (0, 0);
        let covers = |interval: Interval| usize::from(interval.low <= 0.0 && interval.high >= 0.0);
        const CASES: usize = 200;
        for _ in 0..CASES {
            let (here, there) = (scores(&mut random), scores(&mut random));
            crossed += covers(bootstrap_crossed(&here, &there, 0.95, 0).unwrap());
            let mean_of = |scores: &Vec<(u32, f64)>| {
                mean(&scores.iter().map(|score| score.1).collect::<Vec<_>>()).unwrap()
            };
            let pairs = here.iter().zip(&there);
            let differences: Vec<f64> = pairs.map(|(a, b)| mean_of(a) - mean_of(b)).collect();
            let interval = bootstrap_clusters(5, 0.95, 0, |drawn| {
                let drawn: Vec<f64> = drawn.iter().map(|&at| differences[at]).collect();
                Some(vec![mean(&drawn)?])
            });
            alone += covers(interval.unwrap()[0]);
        }
        assert!(crossed >= CASES * 19 / 20, "{crossed} of {CASES}");
        assert!(alone < CASES * 8 / 10, "{alone} of {CASES}");
    }

    /// Without any variation, the interval is the value.
    #[test]
    fn equal_scores_have_an_interval_without_width() {
        let networks =
            |score: f64| -> Networks { vec![(0..6).map(|image| (image, score)).collect(); 5] };
        let one = bootstrap_crossed(&networks(0.75), &[], 0.95, 0).unwrap();
        assert_eq!([one.low, one.high], [0.75; 2]);
        let both = bootstrap_crossed(&networks(0.75), &networks(0.5), 0.95, 0).unwrap();
        assert_eq!([both.low, both.high], [0.25; 2]);
    }

    #[test]
    fn few_networks_or_images_have_no_interval() {
        let networks = |count: usize, images: u32| -> Networks {
            vec![(0..images).map(|image| (image, f64::from(image))).collect(); count]
        };
        assert!(bootstrap_crossed(&networks(5, 5), &networks(5, 9), 0.95, 0).is_some());
        assert_eq!(bootstrap_crossed(&networks(4, 5), &[], 0.95, 0), None);
        assert_eq!(bootstrap_crossed(&networks(5, 4), &[], 0.95, 0), None);
        assert_eq!(
            bootstrap_crossed(&networks(5, 5), &networks(5, 4), 0.95, 0),
            None
        );
        assert_eq!(
            bootstrap_crossed(&networks(5, 5), &networks(6, 5), 0.95, 0),
            None
        );
    }
}
