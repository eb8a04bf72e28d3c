//! Shapley values from sampled orders.

use rand::seq::SliceRandom;

use super::{Wants, each_image};
use crate::attribution::{Batch, Explain, Method, Predict, Segments};
use crate::device::Tensor;
use crate::error::{Error, Result};

/// Shapley values of the parts, estimated by adding them to the baseline in random orders (Castro
/// et al. 2009, as in Captum): the mean change of the score when a part is added. Complete: they
/// sum to the score minus the baseline's. About one pass per part and order; of a network whose first layer is fully
/// connected, only behind that layer.
#[derive(Clone, Debug)]
pub struct ShapleyValueSampling {
    /// The parts.
    pub segments: Segments,
    /// Orders per image (Captum: 25).
    pub permutations: usize,
    /// The seed of the draws.
    pub seed: u64,
}

impl Default for ShapleyValueSampling {
    fn default() -> Self {
        Self {
            segments: Segments::default(),
            permutations: 25,
            seed: 0,
        }
    }
}

impl Method for ShapleyValueSampling {
    fn name(&self) -> &'static str {
        "shapley_value_sampling"
    }
}

impl<M: Predict> Explain<M> for ShapleyValueSampling {
    fn attribute(&self, batch: &Batch<'_, M>) -> Result<Tensor<4>> {
        if self.permutations == 0 {
            return Err(Error::invalid(
                "shapley_value_sampling needs at least one permutation",
            ));
        }
        let (_, c, h, w) = batch.pixels().dim();
        let parts = self.segments.of([c, h, w])?;
        let count = parts.count();
        let mut places: Vec<Vec<usize>> = vec![Vec::new(); count];
        for (place, &part) in parts.labels().iter().enumerate() {
            places[part].push(place);
        }
        each_image(batch, Wants::ImageAndBaseline, |subject| {
            let before = subject.baseline_score.unwrap_or_default();
            let pixels: Vec<f32> = subject.pixels.iter().copied().collect();
            let start = subject.variant(subject.baseline)?;
            let mut values = vec![0.0; count];
            for sample in 0..self.permutations {
                let mut order: Vec<usize> = (0..count).collect();
                let mut rng = batch.stream(self.seed, self.name(), subject.number, sample);
                order.shuffle(&mut rng);
                // The empty and the full set are the baseline and the image, whose scores are
                // known.
                let between =
                    subject.scores_in_turn(start.clone(), count - 1, |last, variant| {
                        for &place in &places[order[last]] {
                            variant.set(place, pixels[place]);
                        }
                    })?;
                let mut score = before;
                for (&part, next) in order.iter().zip(between.into_iter().chain([subject.score])) {
                    values[part] += (next - score) / self.permutations as f64;
                    score = next;
                }
            }
            Ok(parts.spread(&values))
        })
    }

    /// The value of a part is given to each of its pixels, so it must be one number.
    fn promised_sums(&self, batch: &Batch<'_, M>) -> Result<Option<Vec<f32>>> {
        match self.segments {
            Segments::Values => batch.differences_of_scores().map(Some),
            _ => Ok(None),
        }
    }
}
