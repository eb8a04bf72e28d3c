//! Attribution of a class score to the outputs of a layer inside a network.

use ndarray::{Array4, Axis};

use super::engine::propagate;
use super::images::Images;
use super::methods::gauss_legendre;
use super::rules::Gradient;
use super::target::{Target, Targets};
use super::trace::{Trace, factors};
use crate::device::{DeviceChoice, Tensor, download, upload};
use crate::error::{Error, Result};
use crate::network::{Network, shapes};

/// Points of a path that are computed in one pass.
const POINTS: usize = 16;

/// The output of layer `layer` (counted from 0) for each image: `[n, channels, h, w]`.
///
/// # Errors
/// If there is no such layer, or if the images do not fit the network or are not valid (see
/// [`Images::check`]).
pub fn layer_activation(network: &Network, images: &Images, layer: usize) -> Result<Array4<f32>> {
    let call = LayerCall::new(network, images, layer)?;
    call.each_image(|x, image| {
        let masks = network.masks(1, |_| format!("layer_activation/{}", images.index[image]));
        let trace = Trace::new(&network.layers[..=layer], x, masks);
        trace.output().clone()
    })
}

/// Conductance (Dhamdhere et al. 2019): how much of the score's change between a baseline of zeros
/// and the image passes through each output of layer `layer` (counted from 0),
/// `[n, channels, h, w]`.
///
/// As Captum's `LayerConductance`: along `steps` + 1 Gauss-Legendre points of the straight path,
/// the gradient at a point times the output's change to the next point.
///
/// # Errors
/// If there is no such layer, no step or no such class, or if the images do not fit the network or are
/// not valid.
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
    let call = LayerCall::new(network, images, layer)?;
    let targets = targets.into().of(images, Some(call.classes))?;
    let (alphas, _) = gauss_legendre(steps + 1);
    call.each_image(|x, image| {
        let mut sum = Sum::default();
        // Each block begins with the last point of the previous block.
        for first in (0..steps).step_by(POINTS) {
            let alphas = &alphas[first..=steps.min(first + POINTS)];
            let pass = format!("layer_conductance/{}", images.index[image]);
            let [output, gradient] = call.at_points(&x, alphas, targets[image], &pass, first);
            let (all, but_last) = (alphas.len(), alphas.len() - 1);
            let change = output.clone().slice(1..all) - output.slice(0..but_last);
            sum.add((change * gradient.slice(0..but_last)).sum_dim(0));
        }
        sum.0.expect("there is at least one step")
    })
}

/// Internal influence (Leino et al. 2018): the mean gradient of the score with respect to each
/// output of layer `layer` (counted from 0), `[n, channels, h, w]`, along the straight path from
/// zeros to the image.
///
/// As Captum's `InternalInfluence`: by Gauss-Legendre quadrature with `steps` points.
///
/// # Errors
/// As [`layer_conductance`].
pub fn internal_influence(
    network: &Network,
    images: &Images,
    targets: impl Into<Targets>,
    layer: usize,
    steps: usize,
) -> Result<Array4<f32>> {
    if steps == 0 {
        return Err(Error::invalid("internal influence needs at least one step"));
    }
    let call = LayerCall::new(network, images, layer)?;
    let targets = targets.into().of(images, Some(call.classes))?;
    let (alphas, weights) = gauss_legendre(steps);
    call.each_image(|x, image| {
        let mut sum = Sum::default();
        let pass = format!("internal_influence/{}", images.index[image]);
        for first in (0..steps).step_by(POINTS) {
            let range = first..steps.min(first + POINTS);
            let alphas = &alphas[range.clone()];
            let [_, gradient] = call.at_points(&x, alphas, targets[image], &pass, first);
            for (gradient, &weight) in gradient
                .chunk(alphas.len(), 0)
                .into_iter()
                .zip(&weights[range])
            {
                sum.add(gradient * weight as f32);
            }
        }
        sum.0.expect("there is at least one step")
    })
}

/// The gradient of the score with respect to each output of layer `layer` (counted from 0), times
/// that output: `[n, channels, h, w]`. Captum's `LayerGradientXActivation`.
///
/// # Errors
/// If there is no such layer or class, or if the images do not fit the network or are not valid.
pub fn layer_gradient_x_activation(
    network: &Network,
    images: &Images,
    targets: impl Into<Targets>,
    layer: usize,
) -> Result<Array4<f32>> {
    let call = LayerCall::new(network, images, layer)?;
    let targets = targets.into().of(images, Some(call.classes))?;
    call.each_image(|x, image| {
        let pass = format!("layer_gradient_x_activation/{}", images.index[image]);
        let [output, gradient] = call.at_points(&x, &[1.0], targets[image], &pass, 0);
        output * gradient
    })
}

/// A sum of tensors, which is empty at first.
#[derive(Default)]
struct Sum(Option<Tensor<4>>);

impl Sum {
    fn add(&mut self, part: Tensor<4>) {
        self.0 = Some(match self.0.take() {
            Some(sum) => sum + part,
            None => part,
        });
    }
}

/// The images and the layer of a call, after they have been checked.
struct LayerCall<'a> {
    network: &'a Network,
    images: &'a Images,
    layer: usize,
    classes: usize,
    /// The number of channels that the network takes.
    channels: usize,
    /// That of the layer's output.
    shape: [usize; 3],
}

impl<'a> LayerCall<'a> {
    fn new(network: &'a Network, images: &'a Images, layer: usize) -> Result<Self> {
        images.check()?;
        let (_, given, h, w) = images.pixels.dim();
        let channels = network.channels_of(given);
        let shapes = shapes(network, [channels, h, w])?;
        if layer >= network.layers.len() {
            return Err(Error::invalid(format!(
                "there is no layer {layer}: the network has {} layers, counted from 0",
                network.layers.len()
            )));
        }
        Ok(Self {
            network,
            images,
            layer,
            classes: shapes[network.layers.len()][0],
            channels,
            shape: shapes[layer + 1],
        })
    }

    /// The layer's output at the points alpha x of the path from zeros to an image x
    /// `[1, c, h, w]`, and the gradient of the target with respect to it: both
    /// `[points, channels, h, w]`. The masks of active dropout are those of `pass`, counted from
    /// `first`.
    fn at_points(
        &self,
        x: &Tensor<4>,
        alphas: &[f64],
        target: Target,
        pass: &str,
        first: usize,
    ) -> [Tensor<4>; 2] {
        let points = alphas.iter().map(|&alpha| x.clone() * alpha as f32);
        let points = Tensor::cat(points.collect(), 0);
        let masks = (self.network).masks(alphas.len(), |row| format!("{pass}/{}", first + row));
        let trace = Trace::new(&self.network.layers, points, masks);
        let start = factors(&trace, &vec![target; alphas.len()]);
        let behind = trace.steps().skip(self.layer + 1);
        let gradient = propagate(behind, &Gradient, start);
        [trace.activation(self.layer + 1).clone(), gradient]
    }

    /// Applies `what` to each image `[1, c, h, w]`, one after the other.
    fn each_image(&self, what: impl Fn(Tensor<4>, usize) -> Tensor<4>) -> Result<Array4<f32>> {
        let device = self.network.device();
        let device = device.map_or_else(|| DeviceChoice::Flex.open(), Ok)?;
        let pixels = &self.images.pixels;
        let (n, c, h, w) = pixels.dim();
        let [channels, height, width] = self.shape;
        let mut values = Vec::with_capacity(n * channels * height * width);
        for (index, image) in pixels.axis_iter(Axis(0)).enumerate() {
            let image: Vec<f32> = image.iter().copied().collect();
            let x = upload(image, [1, c, h, w], &device).repeat_dim(1, self.channels / c);
            values.extend(download(what(x, index))?);
        }
        Array4::from_shape_vec((n, channels, height, width), values).map_err(Error::invalid)
    }
}
