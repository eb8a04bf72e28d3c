//! Does the explanation stay the same when the image hardly changes?

use ndarray::{Array4, ArrayView3};

use super::{Explained, Measure};
use crate::attribution::batch::Batch;
use crate::attribution::model::Explainable;
use crate::error::{Error, Result};
use crate::metrics::robustness::{relative_changes, uniform_noise};

/// The largest relative change of the attribution over images with uniform noise (Yeh et al. 2019).
/// Smaller is more robust. An attribution of zeros has none, and neither has an image of one value, whose range is 0.
///
/// Each draw costs one more explanation by every method.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct MaxSensitivity {
    /// The largest noise, as a share of each image's range. Captum's default is 0.02, in the units of
    /// the pixels.
    pub radius: f32,
    /// The number of noisy images for each image.
    pub draws: usize,
    /// The seed of the noise.
    pub seed: u64,
}

impl Default for MaxSensitivity {
    fn default() -> Self {
        Self {
            radius: 0.02,
            draws: 10,
            seed: 0,
        }
    }
}

impl<M: Explainable> Measure<M> for MaxSensitivity {
    fn name(&self) -> &'static str {
        "max_sensitivity"
    }

    fn values(
        &self,
        batch: &Batch<'_, M>,
        explained: &Explained<'_, M>,
    ) -> Result<Vec<Vec<Option<f64>>>> {
        if self.draws == 0 || !(self.radius.is_finite() && self.radius >= 0.0) {
            return Err(Error::invalid(format!(
                "max_sensitivity with {} draws and a radius of {}: give at least one draw, and a radius of 0 or more",
                self.draws, self.radius
            )));
        }
        let pixels = batch.pixels();
        let still = Array4::zeros(pixels.dim());
        let noise = uniform_noise(
            still.view(),
            batch.index(),
            self.radius,
            self.draws,
            self.seed,
        );
        let range = |image: ArrayView3<f32>| {
            let least = image.iter().copied().fold(f32::INFINITY, f32::min);
            image.iter().copied().fold(f32::NEG_INFINITY, f32::max) - least
        };
        let ranges: Vec<f32> = pixels.outer_iter().map(range).collect();
        let first = ranges.iter().map(|&range| (range > 0.0).then_some(0.0_f64));
        let mut largest = vec![first.collect::<Vec<_>>(); explained.len()];
        for mut noisy in noise {
            let images = noisy.outer_iter_mut().zip(pixels.outer_iter());
            for ((mut noisy, image), &range) in images.zip(&ranges) {
                noisy *= range;
                noisy += &image;
            }
            // Methods that sample draw the same numbers as for the image itself.
            let altered = batch.altered(noisy, String::new());
            for (method, largest) in largest.iter_mut().enumerate() {
                let now = explained.again(method, &altered)?;
                let before = explained.attributions[method].view();
                let changes = relative_changes(before, now.view())?;
                for (largest, change) in largest.iter_mut().zip(changes) {
                    *largest = largest.zip(change).map(|(a, b)| a.max(b));
                }
            }
        }
        Ok(largest)
    }
}
