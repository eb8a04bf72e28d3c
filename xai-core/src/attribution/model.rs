//! What a method can need from a model.
//!
//! | A model that | is | and can be explained by |
//! |---|---|---|
//! | exposes its layers | [`Layered`], such as [`Network`] | every method |
//! | has a gradient | [`Differentiable`], such as [`BurnModel`](super::BurnModel) | gradients, paths, perturbations, filters |
//! | only predicts | [`Predict`], such as [`Closure`](super::Closure) | perturbations, filters |
//! | is absent | [`NoModel`] | filters |
//!
//! Each kind is also of all kinds below it.

use super::engine::propagate;
use super::rules::Gradient;
use super::target::Target;
use super::trace::{self, Trace};
use crate::device::{Device, Tensor};
use crate::error::Result;
use crate::network::{Network, shapes, traced_values};

/// The models that a [`Panel`](super::Panel) accepts: any of the kinds in this module, and
/// [`NoModel`]. The methods help to plan the work. The defaults suit a model about which nothing is
/// known.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not a model that can be explained",
    label = "`Layered` is not implemented for `{Self}`",
    note = "implement `xai_core::attribution::Layered` for `{Self}`: its one method, `fn network(&self) -> &Network`, returns the layers in order",
    note = "or wrap its function: in `BurnModel` if it has a gradient, in `Closure` if it has none"
)]
pub trait Explainable {
    /// The layers, if the model exposes them.
    fn layers(&self) -> Option<&Network> {
        None
    }

    /// The device for its images. `None` if it does not matter.
    fn device(&self) -> Option<Device> {
        None
    }

    /// The number of channels that its images must have, if known. Grey images are repeated.
    fn channels(&self) -> Option<usize> {
        None
    }

    /// The number of classes for images `[channels, h, w]`, if known beforehand.
    ///
    /// # Errors
    /// If the model cannot take such images.
    fn classes(&self, _image: [usize; 3]) -> Result<Option<usize>> {
        Ok(None)
    }

    /// The approximate memory for an image `[channels, h, w]` in a forward and backward pass, in
    /// bytes. Batches are as large as memory allows. By default, 4 KiB per value, twice what a deep
    /// convolutional network takes.
    fn bytes(&self, [c, h, w]: [usize; 3]) -> usize {
        4096 * c * h * w
    }
}

/// A model that gives scores. This is enough for methods that change the image and observe the
/// score.
#[diagnostic::on_unimplemented(
    message = "`{Self}` does not predict, and this method compares scores of changed images",
    label = "`Predict` is not implemented for `{Self}`",
    note = "wrap the function that computes the scores: `Closure(|images| scores)`, from images `[n, c, h, w]` to scores `[n, classes]`",
    note = "or implement `Layered`, which is enough for every method",
    note = "without a model (`NoModel`), only `Sobel`, `Laplace`, `Intensity` and `UniformNoise` work"
)]
pub trait Predict: Explainable {
    /// Class scores `[n, classes]` of images `[n, c, h, w]`.
    ///
    /// An image's scores must not depend on the other images, because methods combine images as
    /// memory allows.
    ///
    /// # Errors
    /// If the model fails.
    fn scores(&self, images: Tensor<4>) -> Result<Tensor<2>>;
}

/// A model whose scores have a gradient with respect to the image.
#[diagnostic::on_unimplemented(
    message = "`{Self}` has no gradient, and this method needs one",
    label = "`Differentiable` is not implemented for `{Self}`",
    note = "for a Burn module with the backend `device::AutodiffBackend`, wrap its forward pass: `BurnModel::new(|images| module.forward(images), device)`",
    note = "or implement `Layered`, which is enough for every method",
    note = "a model that only predicts (`Closure`) can be explained by perturbation methods: `Occlusion`, `Rise`, `Lime`, `KernelShap`, ...",
    note = "without a model (`NoModel`), only `Sobel`, `Laplace`, `Intensity` and `UniformNoise` work"
)]
pub trait Differentiable: Predict {
    /// The gradient `[n, c, h, w]` of each image's target score with respect to the image.
    ///
    /// # Errors
    /// If the model fails.
    fn gradient(&self, images: Tensor<4>, targets: &[usize]) -> Result<Tensor<4>>;
}

/// A model that exposes its layers, so that methods can trace it and walk back through it.
#[diagnostic::on_unimplemented(
    message = "`{Self}` does not expose its layers, and this method goes back through layers",
    label = "`Layered` is not implemented for `{Self}`",
    note = "implement `xai_core::attribution::Layered` for `{Self}`: its one method, `fn network(&self) -> &Network`, returns the layers in order",
    note = "without layers, gradient methods explain a `Differentiable` model (`BurnModel`), and perturbation methods a `Predict` model (`Closure`)",
    note = "without a model (`NoModel`), only `Sobel`, `Laplace`, `Intensity` and `UniformNoise` work"
)]
pub trait Layered {
    /// The layers in order, from the image to the class scores.
    fn network(&self) -> &Network;
}

impl Layered for Network {
    fn network(&self) -> &Network {
        self
    }
}

impl<M: Layered> Explainable for M {
    fn layers(&self) -> Option<&Network> {
        Some(self.network())
    }

    fn device(&self) -> Option<Device> {
        self.network().device()
    }

    fn channels(&self) -> Option<usize> {
        self.network().input_channels()
    }

    fn classes(&self, image: [usize; 3]) -> Result<Option<usize>> {
        let shapes = shapes(self.network(), image)?;
        Ok(shapes.last().map(|scores| scores[0]))
    }

    /// There are two traces at a time, that of the images and that of points on a path. Each keeps
    /// every activation (4 bytes) and an index for every maximum. The backward flow comes on top.
    fn bytes(&self, image: [usize; 3]) -> usize {
        16 * traced_values(self.network(), image).unwrap_or_default()
    }
}

#[diagnostic::do_not_recommend] // what lacks a gradient or scores need not show layers
impl<M: Layered> Predict for M {
    fn scores(&self, images: Tensor<4>) -> Result<Tensor<2>> {
        let network = self.network();
        trace::add_evaluations(images.dims()[0] * network.layers.len());
        let scores = network.forward(images);
        let [n, classes, ..] = scores.dims();
        Ok(scores.reshape([n, classes]))
    }
}

#[diagnostic::do_not_recommend]
impl<M: Layered> Differentiable for M {
    fn gradient(&self, images: Tensor<4>, targets: &[usize]) -> Result<Tensor<4>> {
        let network = self.network();
        let masks = network.masks(images.dims()[0], |row| format!("forward/{row}"));
        let trace = Trace::new(&network.layers, images, masks);
        let targets: Vec<Target> = targets.iter().copied().map(Target::Output).collect();
        let start = trace::factors(&trace, &targets);
        Ok(propagate(trace.steps(), &Gradient, start))
    }
}

/// The model of a panel that needs no model because it has only filters.
#[derive(Clone, Copy, Debug, Default)]
pub struct NoModel;

impl Explainable for NoModel {}
