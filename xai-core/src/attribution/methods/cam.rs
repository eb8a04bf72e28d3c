//! Class activation maps: feature maps of a late layer show where the class is.

use crate::attribution::rules::{Gradient, Guided};
use crate::attribution::trace::one_hot;
use crate::attribution::{Batch, Explain, Layered, Method, propagate};
use crate::device::{Tensor, upload_integers};
use crate::error::{Error, Result};
use crate::network::Layer;

/// Grad-CAM (Selvaraju et al. 2017): the feature maps of a layer, each weighted by the mean
/// gradient of the score with respect to it, summed, and enlarged to the image by nearest
/// neighbours. One channel.
///
/// As in Captum, negative values are kept unless `relu` is set. The paper sets them to 0.
#[derive(Clone, Copy, Debug, Default)]
pub struct GradCam {
    /// The layer whose output is used, counted from 0 in the network's list. `None` is the
    /// activation after the last convolution (or after the last residual block with one).
    pub layer: Option<usize>,
    /// Sets negative values to 0.
    pub relu: bool,
}

impl Method for GradCam {
    fn name(&self) -> &'static str {
        "grad_cam"
    }
}

impl<M: Layered> Explain<M> for GradCam {
    fn attribute(&self, batch: &Batch<'_, M>) -> Result<Tensor<4>> {
        let trace = batch.trace();
        let layer = match self.layer {
            Some(layer) => known(layer, &batch.model().network().layers)?,
            None => last_convolution(&batch.model().network().layers)?,
        };
        let start = one_hot(trace, batch.targets());
        let gradient = propagate(trace.steps().skip(layer + 1), &Gradient, start);
        let features = trace.activation(layer + 1).clone();
        let [_, _, h, w] = features.dims();
        let weights = gradient.mean_dim(2).mean_dim(3);
        let weights = weights.repeat_dim(2, h).repeat_dim(3, w);
        let map = (weights * features).sum_dim(1);
        let map = if self.relu { map.clamp_min(0.0) } else { map };
        let [_, _, height, width] = trace.input().dims();
        Ok(nearest(map, [height, width]))
    }
}

/// Guided Grad-CAM (Selvaraju et al. 2017): [guided backpropagation](Guided) times [`GradCam`] with
/// its negative values set to 0.
#[derive(Clone, Copy, Debug, Default)]
pub struct GuidedGradCam {
    /// As in [`GradCam`].
    pub layer: Option<usize>,
}

impl Method for GuidedGradCam {
    fn name(&self) -> &'static str {
        "guided_grad_cam"
    }
}

impl<M: Layered> Explain<M> for GuidedGradCam {
    fn attribute(&self, batch: &Batch<'_, M>) -> Result<Tensor<4>> {
        let cam = GradCam {
            layer: self.layer,
            relu: true,
        };
        let trace = batch.trace();
        let guided = propagate(trace.steps(), &Guided, one_hot(trace, batch.targets()));
        let channels = guided.dims()[1];
        Ok(guided * cam.attribute(batch)?.repeat_dim(1, channels))
    }
}

fn known(layer: usize, layers: &[Layer]) -> Result<usize> {
    if layer < layers.len() {
        return Ok(layer);
    }
    Err(Error::invalid(format!(
        "there is no layer {layer}: the network has {} layers, counted from 0",
        layers.len()
    )))
}

fn last_convolution(layers: &[Layer]) -> Result<usize> {
    fn convolves(layer: &Layer) -> bool {
        match layer {
            Layer::Conv2d(_) => true,
            Layer::Residual(block) => block.branch.iter().chain(&block.shortcut).any(convolves),
            _ => false,
        }
    }
    let last = layers.iter().rposition(convolves).ok_or_else(|| {
        Error::invalid("the network has no convolution, so there are no feature maps for Grad-CAM")
    })?;
    let behind = layers[last + 1..].iter().take_while(|layer| {
        matches!(
            layer,
            Layer::BatchNorm2d(_) | Layer::Relu | Layer::Activation(_)
        )
    });
    Ok(last + behind.count())
}

/// Resizes each plane as torch's `interpolate(mode="nearest")`: pixel i of n comes from pixel
/// floor(i m / n) of m.
fn nearest(x: Tensor<4>, size: [usize; 2]) -> Tensor<4> {
    let [_, _, h, w] = x.dims();
    let from = |m: usize, n: usize| {
        let source: Vec<i32> = (0..n).map(|i| (i * m / n) as i32).collect();
        upload_integers(source, &x.device())
    };
    let (rows, columns) = (from(h, size[0]), from(w, size[1]));
    x.select(2, rows).select(3, columns)
}
