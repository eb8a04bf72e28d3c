//! Does the explanation change when what the model has learned is destroyed?

use burn::tensor::TensorData;
use ndarray::{Array4, ArrayView3, ArrayView4};
use rand::Rng;
use rayon::prelude::*;

use super::batches::same_shape;
use crate::device::Tensor;
use crate::error::{Error, Result};
use crate::network::{BatchNorm2d, Layer, Network};
use crate::random;

/// The model parameter randomisation test (MPRT, Adebayo et al. 2018): how similar the explanations
/// of increasingly randomised models (see [`cascade`]) are to those of the trained model.
///
/// The similarity is that of [`similarities`]. An explanation that does not depend on what was learned has
/// 1; closer to 0 is better. The result has one entry per model, with one value per image. `None`
/// if all attributions of an explanation are equal.
///
/// # Errors
/// If explanations have different shapes or values that are not finite, or if `explain` fails.
pub fn mprt<M>(
    trained: &M,
    randomised: impl IntoIterator<Item = M>,
    mut explain: impl FnMut(&M) -> Result<Array4<f32>>,
) -> Result<Vec<Vec<Option<f64>>>> {
    let original = explain(trained)?;
    let compare = |model: M| {
        let now = explain(&model)?;
        similarities(original.view(), now.view())
    };
    randomised.into_iter().map(compare).collect()
}

/// How similar two explanations `[n, c, h, w]` of each image are: Spearman's rank correlation of the
/// absolute attributions of all features. Equal values share their mean rank. `None` if all
/// attributions of an explanation are equal.
///
/// # Errors
/// If shapes differ, or if values are not finite.
pub fn similarities(original: ArrayView4<f32>, now: ArrayView4<f32>) -> Result<Vec<Option<f64>>> {
    same_shape("the explanation", now.shape(), original.shape())?;
    let pairs: Vec<_> = original.outer_iter().zip(now.outer_iter()).collect();
    let pairs = pairs.into_par_iter();
    pairs
        .map(|(a, b)| Ok(spearman(&ranks(a)?, &ranks(b)?)))
        .collect()
}

/// The network with new random parameters in its last layer that has parameters, then in the last
/// two such layers, and so on up to the first. Layers within residual blocks count like others.
///
/// Parameters are drawn as in torch for a new layer: weights and biases of convolutions and linear
/// layers uniformly within 1 / sqrt(inputs of one output). Batch norms become the identity. Each
/// layer has its own stream.
pub fn cascade(network: &Network, seed: u64) -> impl Iterator<Item = Network> {
    let mut network = network.clone();
    let mut places = Vec::new();
    each_with_parameters(&mut network.layers, "", &mut |place, _| {
        places.push(place.to_owned());
    });
    places.into_iter().rev().map(move |wanted| {
        each_with_parameters(&mut network.layers, "", &mut |place, layer| {
            if place == wanted {
                redraw_layer(layer, place, seed);
            }
        });
        network.clone()
    })
}

/// Calls `visit` with each layer that has parameters and its place, such as `3` or `3/branch/0`.
fn each_with_parameters(
    layers: &mut [Layer],
    within: &str,
    visit: &mut impl FnMut(&str, &mut Layer),
) {
    for (number, layer) in layers.iter_mut().enumerate() {
        let place = format!("{within}{number}");
        match layer {
            Layer::Conv2d(_) | Layer::Linear(_) | Layer::BatchNorm2d(_) => visit(&place, layer),
            Layer::Residual(block) => {
                each_with_parameters(&mut block.branch, &format!("{place}/branch/"), visit);
                each_with_parameters(&mut block.shortcut, &format!("{place}/shortcut/"), visit);
            }
            _ => {}
        }
    }
}

fn redraw_layer(layer: &mut Layer, place: &str, seed: u64) {
    let mut random = random::stream(seed, &format!("evaluation/mprt/{place}"));
    match layer {
        Layer::Conv2d(conv) => redraw(&mut conv.weight, &mut conv.bias, &mut random),
        Layer::Linear(linear) => redraw(&mut linear.weight, &mut linear.bias, &mut random),
        Layer::BatchNorm2d(norm) => {
            let [channels] = norm.weight.dims();
            let fresh = BatchNorm2d::identity(channels, &norm.weight.device());
            *norm = BatchNorm2d {
                epsilon: norm.epsilon,
                ..fresh
            };
        }
        _ => {}
    }
}

/// Draws new values for a weight `[out, ..]` and a bias.
fn redraw<const D: usize>(
    weight: &mut Tensor<D>,
    bias: &mut Option<Tensor<1>>,
    random: &mut impl Rng,
) {
    let shape = weight.dims();
    let count: usize = shape.iter().product();
    let bound = 1.0 / ((count / shape[0].max(1)) as f32).sqrt();
    let mut values = |count: usize| -> Vec<f32> {
        (0..count)
            .map(|_| bound * (2.0 * random.random::<f32>() - 1.0))
            .collect()
    };
    let device = weight.device();
    *weight = Tensor::from_data(TensorData::new(values(count), shape), &device);
    if let Some(bias) = bias {
        let [outputs] = bias.dims();
        *bias = Tensor::from_data(TensorData::new(values(outputs), [outputs]), &device);
    }
}

/// The rank of each absolute value. Equal values share their mean rank.
fn ranks(attribution: ArrayView3<f32>) -> Result<Vec<f64>> {
    let mut values: Vec<(f32, usize)> = attribution
        .iter()
        .enumerate()
        .map(|(place, value)| (value.abs(), place))
        .collect();
    if values.iter().any(|(value, _)| !value.is_finite()) {
        return Err(Error::invalid(
            "the explanation is not finite, so it cannot be ranked",
        ));
    }
    values.sort_unstable_by(|a, b| a.0.total_cmp(&b.0));
    let mut ranks = vec![0.0; values.len()];
    let mut before = 0;
    for equal in values.chunk_by(|a, b| a.0 == b.0) {
        let mean = before as f64 + (equal.len() + 1) as f64 / 2.0;
        for &(_, place) in equal {
            ranks[place] = mean;
        }
        before += equal.len();
    }
    Ok(ranks)
}

/// The correlation of two rankings.
fn spearman(a: &[f64], b: &[f64]) -> Option<f64> {
    let mean = (a.len() + 1) as f64 / 2.0;
    let dot = |a: &[f64], b: &[f64]| -> f64 {
        a.iter().zip(b).map(|(a, b)| (a - mean) * (b - mean)).sum()
    };
    let scale = (dot(a, a) * dot(b, b)).sqrt();
    (scale > 0.0).then(|| dot(a, b) / scale)
}
