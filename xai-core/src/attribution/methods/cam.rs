//! Class activation maps: feature maps of a late layer show where the class is.

use crate::attribution::rules::{Gradient, Guided};
use crate::attribution::trace::factors;
use crate::attribution::{Batch, Explain, Layered, Method, propagate};
use crate::device::{Tensor, upload, upload_integers};
use crate::error::{Error, Result};
use crate::network::Layer;

/// How a map of a layer becomes as large as the image.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Enlarge {
    /// By bilinear interpolation, as the papers show their maps: torch's `interpolate(mode="bilinear")`.
    #[default]
    Bilinear,
    /// By nearest neighbours, as Captum does by default.
    Nearest,
}

/// The options that all class activation maps share.
///
/// As in Captum, negative values are kept unless `relu` is set. The papers, HiResCAM's aside, set them to 0.
#[derive(Clone, Copy, Debug, Default)]
pub struct CamOptions {
    /// The layer whose output is used, counted from 0 in the network's list. `None` is the
    /// activation after the last convolution (or after the last residual block with one).
    pub layer: Option<usize>,
    /// Sets negative values to 0.
    pub relu: bool,
    /// How the map becomes as large as the image.
    pub enlarge: Enlarge,
}

/// A class activation map: the feature maps `[n, c, h, w]` of a layer and the gradient of the score with respect to them
/// become a map `[n, 1, h, w]`.
type Weigh = fn(features: Tensor<4>, gradient: Tensor<4>) -> Tensor<4>;

macro_rules! class_activation_maps {
    ($($(#[$doc:meta])* $method:ident, $name:literal, $weigh:ident;)*) => { $(
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, Default)]
        pub struct $method(pub CamOptions);

        impl $method {
            /// Of the output of this layer, counted from 0 in the network's list.
            pub fn of_layer(layer: usize) -> Self {
                Self(CamOptions { layer: Some(layer), ..CamOptions::default() })
            }

            /// With negative values set to 0.
            #[must_use]
            pub fn relu(self) -> Self {
                Self(CamOptions { relu: true, ..self.0 })
            }

            /// Enlarged by nearest neighbours.
            #[must_use]
            pub fn nearest(self) -> Self {
                Self(CamOptions { enlarge: Enlarge::Nearest, ..self.0 })
            }
        }

        impl Method for $method {
            fn name(&self) -> &'static str {
                $name
            }
        }

        impl<M: Layered> Explain<M> for $method {
            fn attribute(&self, batch: &Batch<'_, M>) -> Result<Tensor<4>> {
                class_activation_map(batch, self.0, $weigh)
            }
        }
    )* };
}

class_activation_maps! {
    /// Grad-CAM (Selvaraju et al. 2017): the feature maps of a layer, each weighted by the mean gradient of the score with
    /// respect to it, summed, and enlarged to the image. One channel.
    GradCam, "grad_cam", grad_cam;
    /// Grad-CAM++ (Chattopadhay et al. 2018): as Grad-CAM, but a feature map's weight is a mean of its positive gradients
    /// that counts each place by how much it raises the score. The score goes through an exponential, so that the higher
    /// derivatives are powers of the gradient (equation 19).
    GradCamPlusPlus, "grad_cam_plus_plus", grad_cam_plus_plus;
    /// HiResCAM (Draelos and Carin 2020): the feature maps of a layer times the gradient at each place, summed. In a
    /// network that ends in one linear layer behind this one, it is the share of each place in the score.
    HiResCam, "hi_res_cam", hi_res_cam;
    /// LayerCAM (Jiang et al. 2021): as HiResCAM, but negative gradients count as 0. Also meant for early layers.
    LayerCam, "layer_cam", layer_cam;
}

fn grad_cam(features: Tensor<4>, gradient: Tensor<4>) -> Tensor<4> {
    weighted(features, gradient.mean_dim(2).mean_dim(3))
}

fn grad_cam_plus_plus(features: Tensor<4>, gradient: Tensor<4>) -> Tensor<4> {
    /// Keeps the division away from 0, as in the package `grad-cam`.
    const SMALL: f32 = 1e-6;
    let [_, _, h, w] = features.dims();
    let square = gradient.clone().square();
    let all = features.clone().sum_dim(2).sum_dim(3);
    let all = all.repeat_dim(2, h).repeat_dim(3, w);
    let below = square.clone() * 2.0 + all * square.clone() * gradient.clone() + SMALL;
    let positive = gradient.clamp_min(0.0);
    weighted(features, (positive * square / below).sum_dim(2).sum_dim(3))
}

fn hi_res_cam(features: Tensor<4>, gradient: Tensor<4>) -> Tensor<4> {
    (features * gradient).sum_dim(1)
}

fn layer_cam(features: Tensor<4>, gradient: Tensor<4>) -> Tensor<4> {
    hi_res_cam(features, gradient.clamp_min(0.0))
}

/// The sum of the feature maps by their weights `[n, c, 1, 1]`.
fn weighted(features: Tensor<4>, weights: Tensor<4>) -> Tensor<4> {
    let [_, _, h, w] = features.dims();
    let weights = weights.repeat_dim(2, h).repeat_dim(3, w);
    (weights * features).sum_dim(1)
}

fn class_activation_map<M: Layered>(
    batch: &Batch<'_, M>,
    options: CamOptions,
    weigh: Weigh,
) -> Result<Tensor<4>> {
    let trace = batch.trace();
    let layer = match options.layer {
        Some(layer) => known(layer, &batch.model().network().layers)?,
        None => last_convolution(&batch.model().network().layers)?,
    };
    let start = factors(trace, batch.targets());
    let gradient = propagate(trace.steps().skip(layer + 1), &Gradient, start);
    let map = weigh(trace.activation(layer + 1).clone(), gradient);
    let map = if options.relu {
        map.clamp_min(0.0)
    } else {
        map
    };
    let [_, _, height, width] = trace.input().dims();
    Ok(match options.enlarge {
        Enlarge::Bilinear => bilinear(map, [height, width]),
        Enlarge::Nearest => nearest(map, [height, width]),
    })
}

/// Guided Grad-CAM (Selvaraju et al. 2017): [guided backpropagation](Guided) times [`GradCam`] with
/// its negative values set to 0.
#[derive(Clone, Copy, Debug, Default)]
pub struct GuidedGradCam {
    /// As in [`CamOptions`].
    pub layer: Option<usize>,
    /// How the map becomes as large as the image.
    pub enlarge: Enlarge,
}

impl Method for GuidedGradCam {
    fn name(&self) -> &'static str {
        "guided_grad_cam"
    }
}

impl<M: Layered> Explain<M> for GuidedGradCam {
    fn attribute(&self, batch: &Batch<'_, M>) -> Result<Tensor<4>> {
        let cam = GradCam(CamOptions {
            layer: self.layer,
            relu: true,
            enlarge: self.enlarge,
        });
        let trace = batch.trace();
        let guided = propagate(trace.steps(), &Guided, factors(trace, batch.targets()));
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
    let acts = |layer: &Layer| {
        matches!(
            layer,
            Layer::BatchNorm2d(_) | Layer::Relu | Layer::Activation(_)
        )
    };
    // A dropout between them changes nothing, unless it is active.
    let behind = layers[last + 1..].iter();
    let behind = behind.take_while(|layer| acts(layer) || matches!(layer, Layer::Dropout(_)));
    let acting = behind.enumerate().filter(|(_, layer)| acts(layer));
    Ok(acting.last().map_or(last, |(at, _)| last + 1 + at))
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

/// Resizes each plane as torch's `interpolate(mode="bilinear", align_corners=False)`: rows first, then columns.
fn bilinear(x: Tensor<4>, size: [usize; 2]) -> Tensor<4> {
    let rows = between(x, 2, size[0]);
    between(rows, 3, size[1])
}

/// Resizes one axis to `n` places. Written with products of elements, which have the same bits on every processor.
fn between(x: Tensor<4>, axis: usize, n: usize) -> Tensor<4> {
    let (m, device) = (x.dims()[axis], x.device());
    let place = |i: usize| ((i as f64 + 0.5) * m as f64 / n as f64 - 0.5).max(0.0);
    let first = |i: usize| place(i) as usize;
    let [from, to] = [0, 1].map(|step| {
        let places: Vec<i32> = (0..n)
            .map(|i| (first(i) + step).min(m - 1) as i32)
            .collect();
        x.clone().select(axis, upload_integers(places, &device))
    });
    let share: Vec<f32> = (0..n)
        .map(|i| (place(i) - first(i) as f64) as f32)
        .collect();
    let mut shape = [1; 4];
    shape[axis] = n;
    let mut share = upload(share, shape, &device);
    for (other, length) in from.dims().into_iter().enumerate() {
        if other != axis {
            share = share.repeat_dim(other, length);
        }
    }
    from.clone() + (to - from) * share
}
