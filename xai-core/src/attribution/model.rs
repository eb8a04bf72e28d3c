//! What a method may ask of a model.
//!
//! | A model that | is | and can be explained by |
//! |---|---|---|
//! | shows its layers | [`Layered`], such as [`Network`] | every method |
//! | has a gradient | [`Differentiable`], such as [`BurnModel`](super::BurnModel) | gradients, paths, perturbations, filters |
//! | only predicts | [`Predict`], such as [`Closure`](super::Closure) | perturbations, filters |
//! | is none | [`NoModel`] | filters |
//!
//! Each kind is also all that stand below it.

use super::engine::propagate;
use super::rules::Gradient;
use super::shapes::{shapes, traced_values};
use super::trace::{self, Trace, one_hot};
use crate::device::{Device, Tensor};
use crate::error::Result;
use crate::network::Network;

/// What a [`Panel`](super::Panel) takes as its model: any of the kinds in this module, and [`NoModel`].
/// What it says helps to plan; the defaults are right for a model of which nothing is known.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not a model that can be explained",
    label = "`Layered` is not implemented for `{Self}`",
    note = "implement `xai_core::attribution::Layered` for `{Self}`: its one method, `fn network(&self) -> &Network`, gives the layers in order",
    note = "or wrap what it does: `BurnModel` for a function with a gradient, `Closure` for one without"
)]
pub trait Explainable {
    /// The layers, if the model shows them.
    fn layers(&self) -> Option<&Network> {
        None
    }

    /// Where its images should lie; `None` if it does not matter.
    fn device(&self) -> Option<Device> {
        None
    }

    /// How many channels it wants its images to have, if that is known: grey images are repeated.
    fn channels(&self) -> Option<usize> {
        None
    }

    /// How many classes it has for images `[channels, h, w]`, if that is known beforehand.
    ///
    /// # Errors
    /// Images that the model cannot take.
    fn classes(&self, _image: [usize; 3]) -> Result<Option<usize>> {
        Ok(None)
    }

    /// About how many bytes an image `[channels, h, w]` takes on its way through the model and back:
    /// batches are as large as memory allows. Unless known, 4 KiB a value, twice what a deep convolutional network takes.
    fn bytes(&self, [c, h, w]: [usize; 3]) -> usize {
        4096 * c * h * w
    }
}

/// A model that gives scores: all that methods ask for that change the image and look what happens.
#[diagnostic::on_unimplemented(
    message = "`{Self}` does not predict, and this method compares scores of changed images",
    label = "`Predict` is not implemented for `{Self}`",
    note = "wrap what gives the scores: `Closure(|images| scores)`, from images `[n, c, h, w]` to scores `[n, classes]`",
    note = "or implement `Layered`, which is enough for every method",
    note = "without a model (`NoModel`) only the filters `Sobel`, `Laplace` and `Intensity` work"
)]
pub trait Predict: Explainable {
    /// Class scores `[n, classes]` of images `[n, c, h, w]`.
    ///
    /// An image's scores may not depend on the other images: methods put what they ask together as
    /// memory allows.
    ///
    /// # Errors
    /// What the model cannot do.
    fn scores(&self, images: Tensor<4>) -> Result<Tensor<2>>;
}

/// A model whose scores have a gradient for the image.
#[diagnostic::on_unimplemented(
    message = "`{Self}` has no gradient, and this method needs one",
    label = "`Differentiable` is not implemented for `{Self}`",
    note = "for a module of Burn wrap its forward pass: `BurnModel::new(|images| module.forward(images), device)`, its backend `device::AutodiffBackend`",
    note = "or implement `Layered`, which is enough for every method",
    note = "a model that only predicts (`Closure`) is explained by perturbation: `Occlusion`, `Rise`, `Lime`, `KernelShap`, ...",
    note = "without a model (`NoModel`) only the filters `Sobel`, `Laplace` and `Intensity` work"
)]
pub trait Differentiable: Predict {
    /// The gradient `[n, c, h, w]` of each image's target score for the image.
    ///
    /// # Errors
    /// What the model cannot do.
    fn gradient(&self, images: Tensor<4>, targets: &[usize]) -> Result<Tensor<4>>;
}

/// A model that shows its layers, so that methods can trace it and go back through it.
#[diagnostic::on_unimplemented(
    message = "`{Self}` does not show its layers, and this method goes back through layers",
    label = "`Layered` is not implemented for `{Self}`",
    note = "implement `xai_core::attribution::Layered` for `{Self}`: its one method, `fn network(&self) -> &Network`, gives the layers in order",
    note = "without layers, gradient methods explain what is `Differentiable` (`BurnModel`), perturbation methods what is `Predict` (`Closure`)",
    note = "without a model (`NoModel`) only the filters `Sobel`, `Laplace` and `Intensity` work"
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

    /// There are two traces at a time, the images' and one of points on a path; each keeps every
    /// activation (4 bytes) and an index for every maximum, and what flows back comes on top.
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
        let start = one_hot(&trace, targets);
        Ok(propagate(trace.steps(), &Gradient, start))
    }
}

/// The model of a panel in which nothing needs one: filters only.
#[derive(Clone, Copy, Debug, Default)]
pub struct NoModel;

impl Explainable for NoModel {}
