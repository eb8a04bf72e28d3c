//! KernelSHAP: Shapley values by regression.

use rand::Rng;
use rand::seq::index;

use super::coalition::Coalition;
use super::{Wants, each_image, linear};
use crate::attribution::{Batch, Explain, Method, Predict, Segments};
use crate::device::Tensor;
use crate::error::{Error, Result};

/// KernelSHAP (Lundberg and Lee 2017): the linear model of the shown parts that best fits the
/// scores, with the weights of the Shapley kernel. Complete: attributions sum to the score minus
/// the baseline's.
///
/// The image and the baseline are the first two samples, as in Captum, and are fitted exactly. The
/// other samples are drawn by the kernel and have equal weights. With as many samples as there are
/// coalitions (2 to the power of the number of parts), all are taken, and the result is exact.
/// About one pass per sample.
#[derive(Clone, Debug)]
pub struct KernelShap {
    /// The parts.
    pub segments: Segments,
    /// Samples per image (Captum: 25).
    pub samples: usize,
    /// The seed of the draws.
    pub seed: u64,
}

impl Default for KernelShap {
    fn default() -> Self {
        Self {
            segments: Segments::default(),
            samples: 25,
            seed: 0,
        }
    }
}

/// The total weight of all coalitions of `size` out of `count` parts in the Shapley kernel, up to a
/// factor.
fn weight_of_size(size: usize, count: usize) -> f64 {
    1.0 / (size as f64 * (count - size) as f64)
}

/// Every coalition except the empty and the full one, with its weight in the Shapley kernel.
fn all_coalitions(count: usize) -> (Vec<Coalition>, Vec<f64>) {
    let choose = |k: usize| (0..k).fold(1.0, |n, i| n * (count - i) as f64 / (i + 1) as f64);
    let coalitions = (1..(1usize << count) - 1).map(|bits| {
        let shown: Coalition = (0..count).map(|part| bits >> part & 1 == 1).collect();
        let size = shown.iter().filter(|&&shown| shown).count();
        (shown, weight_of_size(size, count) / choose(size))
    });
    coalitions.unzip()
}

impl KernelShap {
    /// Whether all coalitions are taken. With a single part, they always are.
    fn exact(&self, parts: usize) -> bool {
        parts < usize::BITS as usize && 1 << parts <= self.samples
    }
}

/// A coalition of a size drawn by the kernel. `cumulative` holds the weights of the sizes from 1.
fn draw(cumulative: &[f64], rng: &mut impl Rng) -> Coalition {
    let count = cumulative.len() + 1;
    let total = cumulative.last().copied().unwrap_or_default();
    let at = rng.random::<f64>() * total;
    let size = 1 + cumulative.partition_point(|&sum| sum <= at).min(count - 2);
    let mut shown = vec![false; count];
    for part in index::sample(rng, count, size) {
        shown[part] = true;
    }
    shown
}

impl Method for KernelShap {
    fn name(&self) -> &'static str {
        "kernel_shap"
    }
}

impl<M: Predict> Explain<M> for KernelShap {
    fn attribute(&self, batch: &Batch<'_, M>) -> Result<Tensor<4>> {
        if self.samples < 2 {
            return Err(Error::invalid(
                "kernel_shap needs at least two samples: the image and the baseline",
            ));
        }
        let (_, c, h, w) = batch.pixels().dim();
        let parts = self.segments.of([c, h, w])?;
        let count = parts.count();
        let sizes = (1..count).scan(0.0, |sum, size| {
            *sum += weight_of_size(size, count);
            Some(*sum)
        });
        let sizes: Vec<f64> = sizes.collect();
        each_image(batch, Wants::ImageAndBaseline, |subject| {
            let nothing = subject.baseline_score.unwrap_or_default();
            let (coalitions, weights) = if self.exact(count) {
                all_coalitions(count)
            } else {
                let draw = |sample| {
                    let mut rng = batch.stream(self.seed, self.name(), subject.number, sample);
                    (draw(&sizes, &mut rng), 1.0)
                };
                (2..self.samples).map(draw).unzip()
            };
            let scores = subject.scores(coalitions.len(), |sample, variant| {
                subject.hide(&parts, |part| coalitions[sample][part], variant);
            })?;
            let gains: Vec<f64> = scores.iter().map(|score| score - nothing).collect();
            let total = subject.score - nothing;
            let values = linear::with_given_sum(&coalitions, &gains, &weights, total, count);
            Ok(parts.spread(&values))
        })
    }
}
