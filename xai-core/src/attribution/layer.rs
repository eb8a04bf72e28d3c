//! What a layer inside a network has to do with a class score.

use burn::tensor::TensorData;
use ndarray::{Array4, Axis};

use super::batch::one_hot;
use super::engine::propagate;
use super::images::{Images, Targets};
use super::methods::gauss_legendre;
use super::rules::Gradient;
use super::shapes::shapes;
use super::trace::Trace;
use crate::device::{DeviceChoice, Tensor};
use crate::error::{Error, Result};
use crate::network::Network;

/// Points of a path that go through the network together.
const POINTS: usize = 16;

/// The output of layer `layer` (counted from 0) for each image: `[n, channels, h, w]`.
///
/// # Errors
/// No such layer; images that do not fit the network.
pub fn layer_activation(network: &Network, images: &Images, layer: usize) -> Result<Array4<f32>> {
    let part = Part::new(network, images, layer)?;
    part.each_image(|x, image| {
        let masks = network.masks(1, |_| format!("layer_activation/{}", images.index[image]));
        let trace = Trace::new(&network.layers[..=layer], x, masks);
        trace.output().clone()
    })
}

/// Conductance (Dhamdhere et al. 2019): how much of the score's change between a baseline of zeros and
/// the image passes through each output of layer `layer` (counted from 0), `[n, channels, h, w]`.
///
/// As Captum's `LayerConductance`: along `steps` + 1 Gauss-Legendre points of the straight path, the
/// gradient at a point times the output's change to the next point.
///
/// # Errors
/// No such layer, no step, a class that does not exist, images that do not fit the network.
pub fn layer_conductance(
    network: &Network,
    images: &Images,
    targets: impl Into<Targets>,
    layer: usize,
    steps: usize,
) -> Result<Array4<f32>> {
    if steps == 0 {
        return Err(Error::invalid("conductance needs at least one step"));
    }
    let part = Part::new(network, images, layer)?;
    let targets = targets.into().of(images, Some(part.classes))?;
    let (alphas, _) = gauss_legendre(steps + 1);
    part.each_image(|x, image| {
        let mut sum: Option<Tensor<4>> = None;
        // Each block begins with the point that the one before ended with.
        for first in (0..steps).step_by(POINTS) {
            let alphas = &alphas[first..=steps.min(first + POINTS)];
            let points = alphas.iter().map(|&alpha| x.clone() * alpha as f32);
            let points = Tensor::cat(points.collect(), 0);
            let index = images.index[image];
            let name = |row| format!("layer_conductance/{index}/{}", first + row);
            let masks = network.masks(alphas.len(), name);
            let trace = Trace::new(&network.layers, points, masks);
            let start = one_hot(&trace, &vec![targets[image]; alphas.len()]);
            let gradient = propagate(trace.steps().skip(layer + 1), &Gradient, start);
            let output = trace.activation(layer + 1).clone();
            let (all, but_last) = (alphas.len(), alphas.len() - 1);
            let change = output.clone().slice(1..all) - output.slice(0..but_last);
            let part = (change * gradient.slice(0..but_last)).sum_dim(0);
            sum = Some(match sum.take() {
                Some(sum) => sum + part,
                None => part,
            });
        }
        sum.expect("there is at least one step")
    })
}

/// The images of a call, and the layer that it is about, both known to be there.
struct Part<'a> {
    network: &'a Network,
    images: &'a Images,
    classes: usize,
    shape: [usize; 3],
}

impl<'a> Part<'a> {
    fn new(network: &'a Network, images: &'a Images, layer: usize) -> Result<Self> {
        let (_, c, h, w) = images.pixels.dim();
        let shapes = shapes(network, [c, h, w])?;
        if layer >= network.layers.len() {
            return Err(Error::invalid(format!(
                "there is no layer {layer}: the network has {} layers, counted from 0",
                network.layers.len()
            )));
        }
        Ok(Self {
            network,
            images,
            classes: shapes[network.layers.len()][0],
            shape: shapes[layer + 1],
        })
    }

    /// `what` of each image `[1, c, h, w]`, one after the other.
    fn each_image(&self, what: impl Fn(Tensor<4>, usize) -> Tensor<4>) -> Result<Array4<f32>> {
        let device = self.network.device();
        let device = device.map_or_else(|| DeviceChoice::Flex.open(), Ok)?;
        let pixels = &self.images.pixels;
        let (n, c, h, w) = pixels.dim();
        let [channels, height, width] = self.shape;
        let mut values = Vec::with_capacity(n * channels * height * width);
        for (index, image) in pixels.axis_iter(Axis(0)).enumerate() {
            let image: Vec<f32> = image.iter().copied().collect();
            let x = Tensor::from_data(TensorData::new(image, [1, c, h, w]), &device);
            let found = what(x, index).into_data().into_vec::<f32>();
            values.extend(found.map_err(|problem| Error::invalid(format!("{problem:?}")))?);
        }
        Array4::from_shape_vec((n, channels, height, width), values).map_err(Error::invalid)
    }
}
