//! LIME: a sparse linear model of the score around an image.

use ndarray::Zip;
use rand::Rng;

use super::coalition::Coalition;
use super::{Subject, Wants, each_image, linear};
use crate::attribution::segments::Parts;
use crate::attribution::{Batch, Explain, Method, Predict, Segments};
use crate::device::Tensor;
use crate::error::{Error, Result};

/// LIME (Ribeiro et al. 2016, as in Captum): each part is shown with probability 1/2, and a Lasso
/// from the shown parts to the score gives the coefficients of the parts. Samples near the image
/// have a larger weight, `exp(-d^2 / (2 width^2))`, where d is 1 minus the cosine between the
/// sample's pixels and the image's. One pass per sample. If all weights are 0, it is an error.
///
/// The Lasso is solved to convergence in float64. Captum's scikit-learn stops at a tolerance of
/// 1e-4 and computes in float32.
#[derive(Clone, Debug)]
pub struct Lime {
    /// The parts.
    pub segments: Segments,
    /// Samples per image (Captum: 50).
    pub samples: usize,
    /// Weight of the absolute values of the coefficients (Captum: 0.01).
    pub alpha: f64,
    /// Width of the kernel (Captum: 1).
    pub width: f64,
    /// The seed of the draws.
    pub seed: u64,
}

impl Default for Lime {
    fn default() -> Self {
        Self {
            segments: Segments::default(),
            samples: 50,
            alpha: 0.01,
            width: 1.0,
            seed: 0,
        }
    }
}

impl Lime {
    /// How close the coalition's pixels are to the image's.
    fn nearness<M>(&self, subject: &Subject<'_, '_, M>, parts: &Parts, shown: &Coalition) -> f64 {
        let (mut product, mut image, mut sample) = (0.0f64, 0.0f64, 0.0f64);
        Zip::from(subject.pixels)
            .and(subject.baseline)
            .and(parts.labels())
            .for_each(|&value, &baseline, &part| {
                let (x, b) = (f64::from(value), f64::from(baseline));
                let y = if shown[part] { x } else { b };
                product += x * y;
                image += x * x;
                sample += y * y;
            });
        // As in torch: the denominator has a lower bound.
        let distance = 1.0 - product / (image.sqrt() * sample.sqrt()).max(1e-8);
        (-distance * distance / (2.0 * self.width * self.width)).exp()
    }
}

impl Method for Lime {
    fn name(&self) -> &'static str {
        "lime"
    }
}

impl<M: Predict> Explain<M> for Lime {
    fn attribute(&self, batch: &Batch<'_, M>) -> Result<Tensor<4>> {
        if self.samples == 0
            || self.alpha.is_nan()
            || self.alpha < 0.0
            || self.width.is_nan()
            || self.width <= 0.0
        {
            return Err(Error::invalid(format!(
                "lime with {} samples, alpha {} and width {}: give at least one sample, an alpha of 0 or more and a \
                 width above 0",
                self.samples, self.alpha, self.width
            )));
        }
        let (_, c, h, w) = batch.pixels().dim();
        let parts = self.segments.of([c, h, w])?;
        each_image(batch, Wants::Image, |subject| {
            let draw = |sample| -> Coalition {
                let mut rng = batch.stream(self.seed, self.name(), subject.number, sample);
                (0..parts.count()).map(|_| rng.random()).collect()
            };
            let coalitions: Vec<Coalition> = (0..self.samples).map(draw).collect();
            let scores = subject.scores(self.samples, |sample, variant| {
                subject.hide(&parts, |part| coalitions[sample][part], variant);
            })?;
            let near = coalitions
                .iter()
                .map(|shown| self.nearness(&subject, &parts, shown));
            let near: Vec<f64> = near.collect();
            let total: f64 = near.iter().sum();
            if total.is_nan() || total <= 0.0 {
                return Err(Error::invalid(format!(
                    "no sample lies within LIME's kernel of width {:e}; give a larger width",
                    self.width
                )));
            }
            Ok(parts.spread(&linear::lasso(&coalitions, &scores, &near, self.alpha)))
        })
    }
}
