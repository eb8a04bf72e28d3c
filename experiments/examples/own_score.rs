//! Your own score: the pointing game with a tolerance.
use ndarray::{Array2, ArrayView2, s};
use xai_core::metrics::PointingGame;
use xai_core::tetromino::prelude::*;

// ANCHOR: metric
/// Does the top pixel lie in the ground truth, or at most this number of pixels beside it?
struct NearHit {
    pixels: usize,
}

impl NearHit {
    /// The ground truth with a border.
    fn grown(&self, truth: ArrayView2<bool>) -> Array2<bool> {
        let (height, width) = truth.dim();
        Array2::from_shape_fn((height, width), |(y, x)| {
            let [top, left] = [y, x].map(|at| at.saturating_sub(self.pixels));
            let [bottom, right] =
                [(y, height), (x, width)].map(|(at, end)| end.min(at + self.pixels + 1));
            truth
                .slice(s![top..bottom, left..right])
                .iter()
                .any(|&inside| inside)
        })
    }
}

impl Metric for NearHit {
    fn name(&self) -> &'static str {
        "near_hit"
    }

    fn score(&self, map: ArrayView2<f32>, truth: ArrayView2<bool>) -> Result<Option<f64>> {
        PointingGame.score(map, self.grown(truth).view())
    }

    fn chance(&self, truth: ArrayView2<bool>) -> Option<f64> {
        PointingGame.chance(self.grown(truth).view())
    }
}
// ANCHOR_END: metric

// ANCHOR: experiment
/// Does a method that misses the tetromino miss it by one pixel?
#[experiment(snapshot = smoke)]
struct OwnScore {
    #[axis([Architecture::Mlp, Architecture::Cnn])]
    model: Architecture,
    #[seed(|scale| scale.pick(1, 3, 5))]
    seed: u64,
}

impl Run for OwnScore {
    type Benchmark = Tetromino;
    type Model = Network;

    fn fit(&self, lab: &Lab) -> Result<Fitted<Network>> {
        lab.train_model(self.model, self.seed)
    }

    fn test(&self, fitted: &Fitted<Network>, lab: &Lab) -> Result<Scores> {
        explain! { model = fitted.model,
            input = lab.test().classified_correctly_by_all()?,
            methods = [Saliency, IntegratedGradients { steps: 20 }, DeepLift],
            score = (PointingGame, NearHit { pixels: 1 }),
        }
    }
}

fn main() -> ExitCode {
    xai_core::run::<OwnScore>()
}
// ANCHOR_END: experiment

#[cfg(test)]
mod tests {
    use super::*;

    /// A square of one pixel grows to 9 pixels, to 6 at the edge, and to 4 in a corner.
    #[test]
    fn a_top_pixel_beside_the_truth_counts() {
        let pixel = |at| Array2::from_shape_fn((5, 6), |place| place == at);
        let near = NearHit { pixels: 1 };
        for (at, size) in [((2, 2), 9.0), ((0, 2), 6.0), ((4, 5), 4.0)] {
            assert_eq!(near.chance(pixel(at).view()), Some(size / 30.0));
        }
        let truth = pixel((2, 2));
        for (at, score) in [((2, 2), 1.0), ((1, 3), 1.0), ((2, 4), 0.0), ((4, 2), 0.0)] {
            let map = pixel(at).mapv(|inside| if inside { 1.0 } else { 0.0 });
            assert_eq!(near.score(map.view(), truth.view()).unwrap(), Some(score));
            let exact = NearHit { pixels: 0 }
                .score(map.view(), truth.view())
                .unwrap();
            assert_eq!(exact, PointingGame.score(map.view(), truth.view()).unwrap());
        }
        let none = Array2::from_elem((5, 6), false);
        assert_eq!(
            near.score(
                truth.mapv(|inside| if inside { 1.0 } else { 0.0 }).view(),
                none.view()
            )
            .unwrap(),
            None
        );
    }
}
