//! Expected gradients: paths from many baselines.

use ndarray::{Array4, Axis, s};
use rand::Rng;

use crate::attribution::{Batch, Differentiable, Explain, Method};
use crate::device::Tensor;
use crate::error::{Error, Result};

/// Expected gradients (Erion et al. 2021): the mean of `(x - b) * gradient at b + alpha (x - b)`
/// over draws of a baseline b and a position alpha on the path. This is Captum's GradientShap with
/// a distribution of baselines and no noise. What the images have in common with the baselines gets
/// no attribution.
///
/// The panel's own [baseline](crate::attribution::Panel::baseline) is not used.
#[derive(Clone, Debug)]
pub struct ExpectedGradients {
    /// Images to compare with, `[m, c, h, w]`, in the shape of the explained images; for example,
    /// training images.
    pub baselines: Array4<f32>,
    /// Draws per image (Captum: 5).
    pub samples: usize,
    /// The seed of the draws.
    pub seed: u64,
}

impl ExpectedGradients {
    /// Five draws per image from these baselines.
    pub fn from(baselines: Array4<f32>) -> Self {
        Self {
            baselines,
            samples: 5,
            seed: 0,
        }
    }

    /// The index of the baseline and the position on the path (0 the baseline, 1 the image) of one
    /// draw.
    fn draw(&self, rng: &mut impl Rng) -> (usize, f32) {
        (rng.random_range(0..self.baselines.dim().0), rng.random())
    }
}

impl Method for ExpectedGradients {
    fn name(&self) -> &'static str {
        "expected_gradients"
    }
}

impl<M: Differentiable> Explain<M> for ExpectedGradients {
    fn attribute(&self, batch: &Batch<'_, M>) -> Result<Tensor<4>> {
        let (images, c, h, w) = batch.pixels().dim();
        let (baselines, bc, bh, bw) = self.baselines.dim();
        if baselines == 0 || self.samples == 0 || [bc, bh, bw] != [c, h, w] {
            return Err(Error::invalid(format!(
                "expected_gradients has {} samples and {baselines} baselines of {:?} for images of {:?} \
                 (channels, height, width); give at least one of each, of the images' shape",
                self.samples,
                [bc, bh, bw],
                [c, h, w]
            )));
        }
        let x = batch.input();
        let mut sum = x.zeros_like();
        for sample in 0..self.samples {
            let mut starts = Array4::zeros((images, c, h, w));
            let mut ways = Vec::with_capacity(images);
            for image in 0..images {
                let mut rng = batch.stream(self.seed, self.name(), image, sample);
                let (baseline, alpha) = self.draw(&mut rng);
                let baseline = self.baselines.index_axis(Axis(0), baseline);
                starts.slice_mut(s![image, .., .., ..]).assign(&baseline);
                ways.push(alpha);
            }
            let start = batch.upload(starts.view());
            let way = x.clone() - start.clone();
            let parts = way.clone().chunk(images, 0).into_iter().zip(&ways);
            let parts = parts.map(|(way, &alpha)| way.mul_scalar(alpha)).collect();
            let place = Tensor::cat(parts, 0) + start;
            sum = sum + way * batch.gradient_of_sample(place, self.name(), sample)?;
        }
        Ok(sum / self.samples as f32)
    }
}
