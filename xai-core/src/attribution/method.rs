//! What a method is.

use super::batch::Batch;
use crate::device::Tensor;
use crate::error::Result;

/// An attribution method.
pub trait Method {
    /// The name in snake case, as in files and score rows, e.g. `integrated_gradients`.
    fn name(&self) -> &'static str;
}

/// A method that can explain models of type `M`.
///
/// What it needs of the model stands in the bounds of the implementation:
/// `impl<M: Layered> Explain<M> for Lrp` walks back through layers, `impl<M: Predict> Explain<M> for
/// Occlusion` asks for scores, and `impl<M> Explain<M> for Sobel` does not look at the model.
#[diagnostic::on_unimplemented(
    message = "`{Self}` cannot explain a `{M}`",
    label = "this method does not know what to do with a `{M}`",
    note = "an edge filter explains anything (`NoModel` too), a perturbation method needs `M: Predict`, a gradient method `M: Differentiable`, other methods `M: Layered`"
)]
pub trait Explain<M>: Method {
    /// The signed attribution `[n, c, h, w]` of each image of the batch to its target class.
    /// Methods that do not look into the model may give as many channels as the images have.
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
