//! What a method is, and what it may ask of a model.

use super::Batch;
use crate::device::Tensor;
use crate::error::Result;
use crate::network::Network;

/// An attribution method.
pub trait Method {
    /// The name in snake case, as in files and score rows, e.g. `integrated_gradients`.
    fn name(&self) -> &'static str;
}

/// A method that can explain models of type `M`.
///
/// What it needs of the model stands in the bounds of the implementation:
/// `impl<M: Layered> Explain<M> for Lrp` walks back through layers, while
/// `impl<M> Explain<M> for Sobel` does not look at the model.
#[diagnostic::on_unimplemented(
    message = "`{Self}` cannot explain a `{M}`",
    label = "this method does not know what to do with a `{M}`",
    note = "an edge filter explains anything (`NoModel` too); other methods need `M: Layered`"
)]
pub trait Explain<M>: Method {
    /// The signed attribution `[n, c, h, w]` of each image of the batch to its target class.
    /// Methods that ignore the model may give a single channel.
    fn attribute(&self, batch: &Batch<'_, M>) -> Result<Tensor<4>>;
}

/// A method chosen at run time is a method as well.
impl<M> Method for Box<dyn Explain<M>> {
    fn name(&self) -> &'static str {
        (**self).name()
    }
}

impl<M> Explain<M> for Box<dyn Explain<M>> {
    fn attribute(&self, batch: &Batch<'_, M>) -> Result<Tensor<4>> {
        (**self).attribute(batch)
    }
}

/// A model that shows its layers, so that methods can trace it and go back through it.
#[diagnostic::on_unimplemented(
    message = "`{Self}` does not show its layers, and this method goes back through layers",
    label = "`Layered` is not implemented for `{Self}`",
    note = "implement `xai_core::attribution::Layered` for `{Self}`: its one method, `fn network(&self) -> &Network`, gives the layers in order",
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

/// The model of a panel in which nothing needs one: filters only.
#[derive(Clone, Copy, Debug, Default)]
pub struct NoModel;

/// What a [`Panel`](super::Panel) takes as its model: everything [`Layered`], and [`NoModel`].
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not a model that can be explained",
    label = "`Layered` is not implemented for `{Self}`",
    note = "implement `xai_core::attribution::Layered` for `{Self}`: its one method, `fn network(&self) -> &Network`, gives the layers in order"
)]
pub trait Explainable {
    /// The layers, if there are any.
    fn layers(&self) -> Option<&Network>;
}

impl<M: Layered> Explainable for M {
    fn layers(&self) -> Option<&Network> {
        Some(self.network())
    }
}

impl Explainable for NoModel {
    fn layers(&self) -> Option<&Network> {
        None
    }
}
