//! Wrappers for models that do not expose layers.

use ndarray::{Array2, Array4};

use super::model::{Differentiable, Explainable, Predict};
use super::panel::download;
use crate::device::{AutodiffTensor, Device, Tensor, upload};
use crate::error::{Error, Result};

/// A model that only predicts: any function on the host from images `[n, c, h, w]` to class scores
/// `[n, classes]`.
///
/// ```
/// use ndarray::{Array3, Array4, Axis};
/// use xai_core::attribution::{Closure, FeatureAblation, Images, Panel, Segments};
///
/// // Class 0 is the sum of all pixels, class 1 its negative.
/// let model = Closure(|images: Array4<f32>| {
///     let sum = images.sum_axis(Axis(3)).sum_axis(Axis(2)).sum_axis(Axis(1));
///     Ok(ndarray::stack(Axis(1), &[sum.view(), (-&sum).view()]).unwrap())
/// });
/// let images = Images::grey(Array3::ones((1, 8, 8)), vec![0]);
/// let quarters = FeatureAblation { segments: Segments::grid(2, 2) };
/// let maps = Panel::new().with(quarters).explain(&model, &images, 1)?;
/// assert_eq!(maps[0].values[[0, 0, 3, 3]], -16.0);
/// # Ok::<(), xai_core::Error>(())
/// ```
#[derive(Clone, Copy, Debug)]
pub struct Closure<F>(pub F)
where
    F: Fn(Array4<f32>) -> Result<Array2<f32>>;

impl<F: Fn(Array4<f32>) -> Result<Array2<f32>>> Explainable for Closure<F> {}

impl<F: Fn(Array4<f32>) -> Result<Array2<f32>>> Predict for Closure<F> {
    fn scores(&self, images: Tensor<4>) -> Result<Tensor<2>> {
        let device = images.device();
        let scores = (self.0)(download(images)?)?;
        let shape: [usize; 2] = scores.dim().into();
        let values: Vec<f32> = scores.iter().copied().collect();
        Ok(upload(values, shape, &device))
    }
}

/// A module of Burn, or any function of Burn's tensors. Its gradient is computed by autodiff.
///
/// ```
/// use ndarray::Array3;
/// use xai_core::attribution::{BurnModel, Images, InputXGradient, Panel};
/// use xai_core::device::{AutodiffTensor, DeviceChoice};
///
/// let device = DeviceChoice::Flex.open()?;
/// // For a module with the backend `device::AutodiffBackend`: `|images| module.forward(images)`.
/// let square = |images: AutodiffTensor<4>| images.square().flatten(1, 3).sum_dim(1);
/// let model = BurnModel::new(square, device);
/// let images = Images::grey(Array3::ones((1, 2, 2)), vec![0]);
/// let maps = Panel::new().with(InputXGradient).explain(&model, &images, 0)?;
/// assert_eq!(maps[0].values[[0, 0, 1, 1]], 2.0);
/// # Ok::<(), xai_core::Error>(())
/// ```
#[derive(Clone, Debug)]
pub struct BurnModel<F> {
    forward: F,
    device: Device,
}

impl<F: Fn(AutodiffTensor<4>) -> AutodiffTensor<2>> BurnModel<F> {
    /// The model that computes class scores `[n, classes]` of images `[n, c, h, w]` by `forward`, whose
    /// parameters lie on `device`.
    pub fn new(forward: F, device: Device) -> Self {
        Self { forward, device }
    }
}

impl<F: Fn(AutodiffTensor<4>) -> AutodiffTensor<2>> Explainable for BurnModel<F> {
    #[allow(clippy::clone_on_copy, reason = "no Copy with the feature `cuda`")]
    fn device(&self) -> Option<Device> {
        Some(self.device.clone())
    }
}

impl<F: Fn(AutodiffTensor<4>) -> AutodiffTensor<2>> Predict for BurnModel<F> {
    fn scores(&self, images: Tensor<4>) -> Result<Tensor<2>> {
        Ok((self.forward)(AutodiffTensor::from_inner(images)).inner())
    }
}

impl<F: Fn(AutodiffTensor<4>) -> AutodiffTensor<2>> Differentiable for BurnModel<F> {
    fn gradient(&self, images: Tensor<4>, targets: &[usize]) -> Result<Tensor<4>> {
        let images = AutodiffTensor::from_inner(images).require_grad();
        let scores = (self.forward)(images.clone());
        let [n, classes] = scores.dims();
        if n != targets.len() || targets.iter().any(|&target| target >= classes) {
            return Err(Error::invalid(format!(
                "the model's scores are [{n}, {classes}] for {} images and the target classes {targets:?}; \
                 it should return one row per image, with one score per class (counted from 0)",
                targets.len()
            )));
        }
        let mut wanted = vec![0.0f32; n * classes];
        for (row, &target) in targets.iter().enumerate() {
            wanted[row * classes + target] = 1.0;
        }
        let wanted = upload(wanted, [n, classes], &self.device);
        let gradients = (scores * AutodiffTensor::from_inner(wanted))
            .sum()
            .backward();
        images.grad(&gradients).ok_or_else(|| {
            Error::invalid(
                "the model's scores do not depend on its images, so there is no gradient",
            )
        })
    }
}
