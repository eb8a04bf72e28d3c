//! The statistics of batch normalisations, and normalisations for a network that has none.

use crate::device::Tensor;
use crate::error::{Error, Result};
use crate::network::{BatchNorm2d, Layer, Network, ops, scale_outputs};

/// Mean and biased variance of each channel of `x`.
pub(super) fn moments(x: &Tensor<4>) -> [Tensor<1>; 2] {
    let [n, _, h, w] = x.dims();
    let count = (n * h * w) as f64;
    let [sum, squares] = ops::channel_sums(x.clone(), x.clone());
    let mean = sum / count;
    let variance = (squares / count - mean.clone().square()).clamp_min(0.0);
    [mean, variance]
}

/// Sets the statistics of every batch normalisation to those of the images `x`, from first to last,
/// without changing weights. A network made for one kind of image then keeps its activations in
/// range for another (Li et al. 2016, "Revisiting batch normalization for practical domain
/// adaptation").
pub fn calibrate(network: &mut Network, x: Tensor<4>) {
    calibrate_all(&mut network.layers, x);
}

/// As [`calibrate`], for a sequence of layers. Returns their output.
fn calibrate_all(layers: &mut [Layer], x: Tensor<4>) -> Tensor<4> {
    layers.iter_mut().fold(x, |x, layer| match layer {
        Layer::Residual(block) => {
            let branch = calibrate_all(&mut block.branch, x.clone());
            branch + calibrate_all(&mut block.shortcut, x)
        }
        layer => {
            if let Layer::BatchNorm2d(norm) = layer {
                [norm.mean, norm.variance] = moments(&x);
            }
            layer.forward(x)
        }
    })
}

/// Gives a plain network batch norm that does not change its function: in evaluation mode, every
/// output stays the same up to rounding.
///
/// A normalisation follows each convolution and each linear layer except the last. Its statistics
/// are those of the images `x`, `[n, c, h, w]`. Its shift gives back the mean that it removes. The
/// standard deviation is not given back: each channel is divided by it, and the weights of the next
/// layer are multiplied by it. This changes no output, because ReLU and pooling commute with
/// positive factors. All activations then have a standard deviation of 1, and weights have the size
/// of initial weights. An optimiser such as Adam changes each weight by about the same amount,
/// so weights of any other size would change too fast or hardly at all.
///
/// # Errors
/// If the network has a batch norm already, or a layer that is not a convolution without groups, a linear
/// layer, a ReLU, a pooling, a flattening or a dropout.
pub fn insert_batch_norm(mut network: Network, mut x: Tensor<4>) -> Result<Network> {
    let weighted = |layer: &Layer| matches!(layer, Layer::Conv2d(_) | Layer::Linear(_));
    let Some(last) = network.layers.iter().rposition(weighted) else {
        return Ok(network);
    };
    let [_, channels, ..] = x.dims();
    let mut layers = Vec::with_capacity(2 * network.layers.len());
    let mut scale = Tensor::ones([channels], &x.device());
    for (at, mut layer) in std::mem::take(&mut network.layers).into_iter().enumerate() {
        match &mut layer {
            Layer::Conv2d(conv) if conv.groups == 1 => scale_inputs(&mut conv.weight, &scale),
            Layer::Linear(linear) => scale_inputs(&mut linear.weight, &scale),
            Layer::Flatten => {
                let [_, channels, h, w] = x.dims();
                let each = scale.clone().reshape([channels, 1]).repeat_dim(1, h * w);
                scale = each.reshape([channels * h * w]);
            }
            Layer::Relu
            | Layer::MaxPool2d(_)
            | Layer::AvgPool2d(_)
            | Layer::AdaptiveAvgPool2d(_)
            | Layer::Dropout(_) => {}
            _ => {
                return Err(Error::invalid(format!(
                    "batch norm cannot be given to this network: layer {at} (counted from 0) is not a convolution without \
                     groups, a linear layer, a ReLU, a pooling, a flattening or a dropout"
                )));
            }
        }
        x = layer.forward(x);
        if at >= last || !weighted(&layer) {
            layers.push(layer);
            continue;
        }
        let [mean, variance] = moments(&x);
        // A channel that is the same everywhere stays as it is.
        let constant = variance.clone().equal_elem(0.0);
        scale = variance.sqrt().mask_fill(constant, 1.0);
        let inverse = scale.clone().recip();
        let outputs = scale.dims()[0];
        match &mut layer {
            Layer::Conv2d(conv) => scale_outputs(&mut conv.weight, &mut conv.bias, &inverse),
            Layer::Linear(linear) => scale_outputs(&mut linear.weight, &mut linear.bias, &inverse),
            _ => {}
        }
        x = x * inverse.clone().reshape([1, outputs, 1, 1]);
        let mut norm = BatchNorm2d::identity(outputs, &x.device());
        norm.variance = norm.variance - norm.epsilon;
        norm.mean = mean * inverse;
        norm.bias = norm.mean.clone();
        layers.extend([layer, Layer::BatchNorm2d(norm)]);
    }
    network.layers = layers;
    Ok(network)
}

/// Multiplies the weights of each input of a layer, whose weight is `[out, in, ..]`, by its own number.
fn scale_inputs<const D: usize>(weight: &mut Tensor<D>, by: &Tensor<1>) {
    let mut shape = [1; D];
    [shape[1]] = by.dims();
    *weight = weight.clone() * by.clone().reshape(shape);
}
