//! The traits of a method.

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
/// The bounds of an implementation state what it needs from the model:
/// `impl<M: Layered> Explain<M> for Lrp` walks back through layers,
/// `impl<M: Predict> Explain<M> for Occlusion` requests scores, and `impl<M> Explain<M> for Sobel`
/// does not use the model.
#[diagnostic::on_unimplemented(
    message = "`{Self}` cannot explain a `{M}`",
    label = "this method does not support a `{M}`",
    note = "an edge filter explains anything (`NoModel` too), a perturbation method needs `M: Predict`, a gradient method `M: Differentiable`, other methods `M: Layered`"
)]
pub trait Explain<M>: Method {
    /// Computes the signed attribution `[n, c, h, w]` of each image of the batch to its target
    /// class.
    fn attribute(&self, batch: &Batch<'_, M>) -> Result<Tensor<4>>;

    /// The number to which the attributions of each image add up, if the method promises one: its completeness. Scores
    /// then hold how far each image is from it. By default, nothing is promised.
    fn promised_sums(&self, batch: &Batch<'_, M>) -> Result<Option<Vec<f32>>> {
        let _ = batch;
        Ok(None)
    }

    /// What to know about the method on each image of the batch. By default, nothing.
    fn cautions(&self, batch: &Batch<'_, M>) -> Vec<Option<Caution>> {
        let _ = batch;
        Vec::new()
    }
}

/// Something to know about a method on an image: the name of a [check](crate::metrics::CHECKS), and its value.
pub type Caution = (&'static str, f64);

/// A method selected at run time is also a method.
impl<M> Method for Box<dyn Explain<M>> {
    fn name(&self) -> &'static str {
        (**self).name()
    }
}

impl<M> Explain<M> for Box<dyn Explain<M>> {
    fn attribute(&self, batch: &Batch<'_, M>) -> Result<Tensor<4>> {
        (**self).attribute(batch)
    }

    fn promised_sums(&self, batch: &Batch<'_, M>) -> Result<Option<Vec<f32>>> {
        (**self).promised_sums(batch)
    }

    fn cautions(&self, batch: &Batch<'_, M>) -> Vec<Option<Caution>> {
        (**self).cautions(batch)
    }
}
