//! The scores of the public code.

use ndarray::ArrayView2;

use super::{Defect, Defects};
use crate::error::Result;
use crate::metrics::{Emd, Metric};

/// [`Emd`] with the defect X6 if it is in the set: the distance is divided by sqrt(2 pixels).
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
        // A map of zeros scores 0 on both scales.
        let zeros = map.iter().all(|&value| value == 0.0);
        let score = Emd.score(map, truth)?;
        Ok(score.map(|score| {
            if zeros {
                score
            } else {
                self.rescaled(score, truth.dim())
            }
        }))
    }

    fn chance(&self, truth: ArrayView2<bool>) -> Option<f64> {
        Emd.chance(truth)
            .map(|score| self.rescaled(score, truth.dim()))
    }

    fn adds_absolute_values(&self) -> bool {
        true
    }
}

/// Another metric with the defect X11 if it is in the set: a map of zeros has no score.
///
/// The public code scores an image by precision and distance in one block. The distance of a map of zeros raises an error, and
/// the image is left out of both (`top_8_score` and `top_4_score` in `eval_utils.py`).
#[derive(Clone, Copy, Debug)]
pub struct WithoutMapsOfZeros<M>(pub M, pub Defects);

impl<M: Metric> Metric for WithoutMapsOfZeros<M> {
    fn name(&self) -> &'static str {
        self.0.name()
    }

    fn score(&self, map: ArrayView2<f32>, truth: ArrayView2<bool>) -> Result<Option<f64>> {
        let zeros = map.iter().all(|&value| value == 0.0);
        let score = self.0.score(map, truth)?;
        Ok(score.filter(|_| !(zeros && self.1.has(Defect::X11))))
    }

    fn chance(&self, truth: ArrayView2<bool>) -> Option<f64> {
        self.0.chance(truth)
    }

    fn adds_absolute_values(&self) -> bool {
        self.0.adds_absolute_values()
    }
}

#[cfg(test)]
mod tests {
    use ndarray::Array2;

    use super::*;
    use crate::metrics::PrecisionWithoutZeros;

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

    /// With X11, neither score of the public code counts a map of zeros. Without it, both are 0.
    #[test]
    fn maps_of_zeros_count_only_without_x11() {
        let truth = Array2::from_shape_fn((8, 8), |(y, x)| y + x < 3);
        let scores = |map: Array2<f32>, defects: Defects| {
            let precision = WithoutMapsOfZeros(PrecisionWithoutZeros, defects);
            let emd = WithoutMapsOfZeros(EmdAsPublished(defects), defects);
            let (map, truth) = (map.view(), truth.view());
            [precision.score(map, truth), emd.score(map, truth)].map(Result::unwrap)
        };
        let zeros = Array2::<f32>::zeros((8, 8));
        assert_eq!(scores(zeros.clone(), Defects::ALL), [None; 2]);
        assert_eq!(scores(zeros, Defects::NONE), [Some(0.0); 2]);
        let perfect = truth.mapv(|inside| f32::from(u8::from(inside)));
        assert_eq!(scores(perfect, Defects::ALL), [Some(1.0); 2]);
    }
}
