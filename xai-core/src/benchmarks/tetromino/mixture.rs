//! The best accuracy that a model can have if tetrominoes move: no closed form is known, so it is simulated.

use rand::Rng;
use rand_distr::{Distribution, StandardNormal};

use super::placing::Placement;
use super::{Defects, Size};
use crate::random;

/// The number of simulated images. An accuracy then has a standard error of at most 0.004, and less near 1.
const IMAGES: usize = 20_000;

/// The accuracy of the best classifier (Bayes) of images of 8 x 8 pixels: white noise with a deviation of 1, and one tetromino
/// with four pixels of this strength at any of its placements, all equally likely. It compares the mean likelihoods of all placements
/// of both classes. Draws come from the stream `tetromino/best_accuracy` of seed 0.
pub(super) fn best_of_placements(strength: f64, defects: Defects) -> f64 {
    let classes = [0, 1].map(|class| pixels_of_placements(class, defects));
    let mut random = random::stream(0, "tetromino/best_accuracy");
    let pixels = Size::Eight.side().pow(2);
    let mut right = |image: usize| {
        let class = image % 2;
        let mut values: Vec<f64> = (0..pixels)
            .map(|_| StandardNormal.sample(&mut random))
            .collect();
        let placements = &classes[class];
        for &pixel in &placements[random.random_range(0..placements.len())] {
            values[pixel] += strength;
        }
        // The logarithm of the likelihood of a placement, but for a term that all have in common.
        let evidence = |placements: &[Vec<usize>]| {
            let of_placement =
                |at: &Vec<usize>| strength * at.iter().map(|&pixel| values[pixel]).sum::<f64>();
            let logarithms: Vec<f64> = placements.iter().map(of_placement).collect();
            let most = logarithms.iter().copied().fold(f64::NEG_INFINITY, f64::max);
            most + logarithms
                .iter()
                .map(|one| (one - most).exp())
                .sum::<f64>()
                .ln()
        };
        (evidence(&classes[1]) > evidence(&classes[0])) == (class == 1)
    };
    (0..IMAGES).filter(|&image| right(image)).count() as f64 / IMAGES as f64
}

/// The pixels of the tetromino of a class at each of its placements.
fn pixels_of_placements(class: usize, defects: Defects) -> Vec<Vec<usize>> {
    let pixels = |placement: Placement| {
        let pattern = placement.pattern(class, Size::Eight);
        let inside = pattern
            .iter()
            .enumerate()
            .filter(|(_, value)| **value > 0.0);
        inside.map(|(pixel, _)| pixel).collect()
    };
    Placement::all(Size::Eight, defects).map(pixels).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The values of NumPy with 400,000 images (`fixtures/tetromino/best_accuracy.py`), within three standard errors.
    #[test]
    fn the_best_accuracy_is_that_of_a_simulation_in_numpy() {
        for (strength, expected) in [(1.0, 0.5521), (2.0, 0.7730), (3.0, 0.9440)] {
            let found = best_of_placements(strength, Defects::NONE);
            let error: f64 = (expected * (1.0 - expected) / IMAGES as f64).sqrt();
            assert!(
                (found - expected).abs() < 3.0 * error,
                "{strength}: {found}"
            );
        }
        assert_eq!(pixels_of_placements(0, Defects::NONE).len(), 168);
    }
}
