//! The earth mover's distance as the public code scores it.

use ndarray::ArrayView2;

use super::{Defect, Defects};
use crate::error::Result;
use crate::metrics::{Emd, Metric};

/// [`Emd`] with the defects X6 and X11 if they are in the set. With X6, the distance is divided by
/// sqrt(2 pixels). With X11, a map of zeros has no score.
///
/// The chance level is the score of a uniform map.
#[derive(Clone, Copy, Debug)]
pub struct EmdAsPublished(pub Defects);

impl EmdAsPublished {
    /// Converts a score of [`Emd`] to the scale of this score.
    fn rescaled(self, score: f64, (height, width): (usize, usize)) -> f64 {
        if !self.0.has(Defect::X6) {
            return score;
        }
        let longest = (height as f64 - 1.0).hypot(width as f64 - 1.0);
        1.0 - (1.0 - score) * longest / (2.0 * (height * width) as f64).sqrt()
    }
}

impl Metric for EmdAsPublished {
    fn name(&self) -> &'static str {
        "emd"
    }

    fn score(&self, map: ArrayView2<f32>, truth: ArrayView2<bool>) -> Result<Option<f64>> {
        let zeros = map.iter().all(|&value| value == 0.0);
        let score = Emd.score(map, truth)?;
        Ok(if !zeros {
            score.map(|score| self.rescaled(score, truth.dim()))
        } else if self.0.has(Defect::X11) {
            None
        } else {
            score
        })
    }

    fn chance(&self, truth: ArrayView2<bool>) -> Option<f64> {
        Emd.chance(truth)
            .map(|score| self.rescaled(score, truth.dim()))
    }
}

#[cfg(test)]
mod tests {
    use ndarray::Array2;

    use super::*;

    /// The reference values that the paper and its follow-up print for 8 x 8.
    #[test]
    fn landmarks_are_those_of_the_paper() {
        let cells = [
            [1, 1],
            [2, 1],
            [2, 2],
            [3, 1],
            [4, 5],
            [5, 5],
            [6, 5],
            [6, 6],
        ];
        let truth = Array2::from_shape_fn((8, 8), |(y, x)| cells.contains(&[y, x]));
        let map = |pixels: &[[usize; 2]]| {
            let mut map = Array2::zeros((8, 8));
            pixels.iter().for_each(|&at| map[at] = 1.0);
            map
        };
        let published = EmdAsPublished(Defects::ALL);
        let score =
            |pixels: &[[usize; 2]]| published.score(map(pixels).view(), truth.view()).unwrap();
        assert!((published.chance(truth.view()).unwrap() - 0.83559).abs() < 5e-6);
        assert!((score(&cells).unwrap() - 1.0).abs() < 1e-12);
        assert!((score(&[[0, 7]]).unwrap() - 0.48331).abs() < 5e-6);
        assert!((score(&[[0, 7], [7, 0]]).unwrap() - 0.53895).abs() < 5e-6);
        assert_eq!(score(&[]), None);
        let corrected = EmdAsPublished(Defects::NONE);
        let halves = corrected
            .score(map(&[[0, 7], [7, 0]]).view(), truth.view())
            .unwrap();
        assert!((halves.unwrap() - 0.47309).abs() < 5e-6);
        assert_eq!(
            corrected.score(map(&[]).view(), truth.view()).unwrap(),
            Some(0.0)
        );
    }
}
