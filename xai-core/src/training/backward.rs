//! The forward and backward pass of one training step through the trainable end of a network.
//!
//! It uses the operations of attribution (`network::ops`) and adds the gradients of the parameters.
//! It is written by hand instead of using Burn's autodiff, because on a CPU it then uses this
//! crate's kernels. A test compares every gradient with autodiff's.

use std::iter::Peekable;

use rand_chacha::ChaCha8Rng;

use super::batch_norm::moments;
use super::loss::cross_entropy_gradient;
use crate::device::{Tensor, on_a_worker, on_cpu, upload};
use crate::network::ops::{self, Gradient, IntTensor, Places};
use crate::network::{BatchNorm2d, Conv2d, Layer, Linear, Network, dropout_mask};

/// Weight of the latest batch in the running statistics of a batch normalisation, as in torch.
const NORM_MOMENTUM: f64 = 0.1;

/// What the backward pass needs from a layer's forward pass.
#[expect(clippy::large_enum_variant, reason = "one a layer, for one step")]
enum Saved {
    /// Also if a neighbouring layer does the work of this one.
    Nothing,
    Input(Tensor<4>),
    /// The output of a ReLU, which has the same sign as its input.
    Relu(Tensor<4>),
    /// The input of a convolution that is the output of a ReLU. The convolution's gradient includes the gate of this ReLU.
    Gated(Tensor<4>),
    Shape([usize; 4]),
    Pool(IntTensor, [usize; 4]),
    /// Of a pooling that was computed with the convolution and the ReLU before it.
    Places(Places),
    /// The mask of a dropout, already divided by the probability of keeping a value.
    Mask(Tensor<4>),
    /// What a normalisation knows of its batch.
    Norm(Normalised),
    /// What the layers of a residual block's branch and shortcut need.
    Block([Vec<Saved>; 2]),
}

/// The input of a normalisation, the mean and 1 / standard deviation of its channels, and the factor and
/// the shift that the normalisation is.
struct Normalised {
    x: Tensor<4>,
    mean: Tensor<1>,
    inverse: Tensor<1>,
    factors: [Tensor<1>; 2],
    after: AfterNorm,
}

/// The layers that are part of the normalisation before them.
enum AfterNorm {
    Nothing,
    Relu,
    /// A ReLU, and a pooling of 2 x 2 pixels.
    ReluPool(Places),
}

impl AfterNorm {
    fn places(&self) -> Option<&Places> {
        match self {
            Self::ReluPool(places) => Some(places),
            _ => None,
        }
    }
}

/// What flows back: the gradient with respect to an output.
struct Flow {
    g: Tensor<4>,
    /// Its sum over each channel, if known.
    sums: Option<Tensor<1>>,
}

impl From<Tensor<4>> for Flow {
    fn from(g: Tensor<4>) -> Self {
        Self { g, sums: None }
    }
}

impl Flow {
    /// The gradient of a bias that was added to each channel.
    fn bias_grad(&self) -> Tensor<1> {
        match &self.sums {
            Some(sums) => sums.clone(),
            None => ops::bias_grad(self.g.clone()),
        }
    }
}

/// The gradients of one layer's parameters.
pub struct Gradients {
    /// Of the weight.
    pub weight: Gradient,
    /// Of the bias, if the layer has one.
    pub bias: Option<Tensor<1>>,
}

/// The result of one step through the network.
pub struct Step {
    /// Logits `[n, classes]` in training mode.
    pub logits: Tensor<2>,
    /// The gradients of each layer with parameters, in the order of [`Network::layers_mut`].
    pub gradients: Vec<Gradients>,
}

/// Runs `network` on a batch in training mode (dropout on, batch statistics, whose running means
/// are updated in place), and computes the gradient of the mean cross-entropy with respect to its
/// parameters.
///
/// `x` is the input of the first layer, and `class` the target of each image. Dropout draws from
/// `rng`.
pub fn step(network: &mut Network, x: Tensor<4>, class: &[u8], rng: &mut ChaCha8Rng) -> Step {
    step_by(
        network,
        x,
        |logits| cross_entropy_gradient(logits, class),
        rng,
    )
}

/// As [`step`], for any loss: `gradient` receives the outputs `[n, outputs]` and returns the loss's
/// gradient with respect to them.
pub fn step_by(
    network: &mut Network,
    x: Tensor<4>,
    gradient: impl FnOnce(Tensor<2>) -> Tensor<2> + Send,
    rng: &mut ChaCha8Rng,
) -> Step {
    let device = x.device();
    on_a_worker(&device, || {
        let (y, saved) = forward_all(&mut network.layers, x, rng);
        let [n, classes, ..] = y.dims();
        let logits = y.reshape([n, classes]);
        let g = gradient(logits.clone()).reshape([n, classes, 1, 1]);
        let mut gradients = Vec::new();
        backward_all(&network.layers, saved, g.into(), false, &mut gradients);
        gradients.reverse();
        Step { logits, gradients }
    })
}

/// The output of a sequence of layers, and what its backward pass needs.
fn forward_all(
    layers: &mut [Layer],
    mut x: Tensor<4>,
    rng: &mut ChaCha8Rng,
) -> (Tensor<4>, Vec<Saved>) {
    let mut saved = Vec::with_capacity(layers.len());
    let mut layers = layers.iter_mut().peekable();
    while let Some(layer) = layers.next() {
        // On a CPU, a normalisation, the ReLU and the pooling of 2 x 2 pixels after it are one pass over memory.
        if let Layer::BatchNorm2d(norm) = layer
            && on_cpu(&x.device())
            && layers.next_if(|next| matches!(next, Layer::Relu)).is_some()
        {
            let pool = layers.next_if(|next| next.pools_halves()).is_some();
            let (y, save) = normalise(norm, x, |x, [a, shift]| {
                if !pool {
                    return (ops::affine_relu(x, a, shift), AfterNorm::Relu);
                }
                let (y, places) = ops::affine_relu_maxima(x, a, shift);
                (y, AfterNorm::ReluPool(places))
            });
            saved.extend([save, Saved::Nothing]);
            saved.extend(pool.then_some(Saved::Nothing));
            x = y;
            continue;
        }
        if let Layer::Conv2d(conv) = layer {
            x = forward_conv(conv, &mut layers, x, &mut saved);
            continue;
        }
        let (y, save) = forward(layer, x, rng);
        saved.push(save);
        x = y;
    }
    (x, saved)
}

/// A convolution, and the ReLU and the pooling of 2 x 2 pixels after it, if there are any. On a CPU, they are one pass over
/// memory, and so are the convolution's gradient and the gate of a ReLU before it. It does not matter here which of several
/// equal pixels a pooling takes.
fn forward_conv<'a>(
    conv: &Conv2d,
    after: &mut Peekable<impl Iterator<Item = &'a mut Layer>>,
    x: Tensor<4>,
    saved: &mut Vec<Saved>,
) -> Tensor<4> {
    let input = match saved.last_mut() {
        Some(before @ Saved::Relu(_)) => {
            *before = Saved::Nothing;
            Saved::Gated(x.clone())
        }
        _ => Saved::Input(x.clone()),
    };
    saved.push(input);
    if after.next_if(|next| matches!(next, Layer::Relu)).is_none() {
        return conv.forward_loose(x);
    }
    if after.peek().is_some_and(|next| next.pools_halves())
        && let Some((y, places)) = conv.forward_relu_maxima_loose(&x)
    {
        after.next();
        saved.extend([Saved::Nothing, Saved::Places(places)]);
        return y;
    }
    let y = conv.forward_relu_loose(x);
    saved.push(Saved::Relu(y.clone()));
    y
}

fn forward(layer: &mut Layer, x: Tensor<4>, rng: &mut ChaCha8Rng) -> (Tensor<4>, Saved) {
    match layer {
        Layer::Conv2d(_) => unreachable!("`forward_conv` computes it"),
        Layer::Relu => {
            // The memory of the input can be freed.
            let y = ops::relu(x);
            (y.clone(), Saved::Relu(y))
        }
        Layer::MaxPool2d(window) => {
            let shape = x.dims();
            let (y, index) = ops::max_pool2d(x, window);
            (y, Saved::Pool(index, shape))
        }
        Layer::Linear(_) | Layer::Activation(_) => (layer.forward(x.clone()), Saved::Input(x)),
        Layer::Softmax => {
            let y = layer.forward(x);
            (y.clone(), Saved::Input(y))
        }
        Layer::AvgPool2d(_) | Layer::AdaptiveAvgPool2d(_) | Layer::Flatten => {
            let shape = x.dims();
            (layer.forward(x), Saved::Shape(shape))
        }
        Layer::Dropout(probability) => {
            if *probability == 0.0 {
                return (x, Saved::Nothing);
            }
            let shape = x.dims();
            let kept = dropout_mask(*probability, shape.iter().product(), rng);
            let kept = upload(kept, shape, &x.device());
            (x * kept.clone(), Saved::Mask(kept))
        }
        Layer::BatchNorm2d(norm) => normalise(norm, x, |x, [a, shift]| {
            (ops::channel_affine(x, a, shift), AfterNorm::Nothing)
        }),
        Layer::Residual(block) => {
            let (branch, in_branch) = forward_all(&mut block.branch, x.clone(), rng);
            let (shortcut, in_shortcut) = forward_all(&mut block.shortcut, x, rng);
            (branch + shortcut, Saved::Block([in_branch, in_shortcut]))
        }
    }
}

/// Batch normalisation with the batch's own mean and variance. `apply` receives its input, and the factor and the shift of each
/// channel.
fn normalise(
    norm: &mut BatchNorm2d,
    x: Tensor<4>,
    apply: impl FnOnce(Tensor<4>, [Tensor<1>; 2]) -> (Tensor<4>, AfterNorm),
) -> (Tensor<4>, Saved) {
    let [n, _, h, w] = x.dims();
    let count = (n * h * w) as f64;
    let [mean, variance] = moments(&x);
    let keep = 1.0 - NORM_MOMENTUM;
    norm.mean = norm.mean.clone() * keep + mean.clone() * NORM_MOMENTUM;
    let unbiased = variance.clone() * (count / (count - 1.0).max(1.0));
    norm.variance = norm.variance.clone() * keep + unbiased * NORM_MOMENTUM;
    let inverse = (variance + norm.epsilon).sqrt().recip();
    let scale = norm.weight.clone() * inverse.clone();
    let shift = norm.bias.clone() - mean.clone() * scale.clone();
    let factors = [scale, shift];
    let (y, after) = apply(x.clone(), factors.clone());
    let normalised = Normalised {
        x,
        mean,
        inverse,
        factors,
        after,
    };
    (y, Saved::Norm(normalised))
}

/// The gradient with respect to the input of a sequence of layers, from the gradient `g` with
/// respect to its output. It is computed only if `further` is set. The gradients of parameters are
/// added to `gradients`, those of the last layer first.
fn backward_all(
    layers: &[Layer],
    saved: Vec<Saved>,
    mut g: Flow,
    further: bool,
    gradients: &mut Vec<Gradients>,
) -> Option<Flow> {
    // Nothing before the first layer with parameters is needed.
    let first = if further {
        Some(0)
    } else {
        layers.iter().position(Layer::has_parameters)
    };
    let layers = layers.iter().zip(saved).enumerate();
    for (at, (layer, saved)) in layers.skip(first?).rev() {
        g = backward(layer, saved, g, further || Some(at) > first, gradients)?;
    }
    further.then_some(g)
}

/// As [`backward_all`], for one layer.
fn backward(
    layer: &Layer,
    saved: Saved,
    flow: Flow,
    further: bool,
    gradients: &mut Vec<Gradients>,
) -> Option<Flow> {
    let gated = matches!(saved, Saved::Gated(_));
    let (layer, saved) = match (layer, saved) {
        (Layer::Conv2d(conv), Saved::Input(x) | Saved::Gated(x)) => {
            let (here, shape) = (on_cpu(&x.device()), x.dims());
            let gate = (gated && further).then(|| x.clone());
            let own = || of_conv(conv, x, &flow);
            let back = || {
                let g = || flow.g.clone();
                further.then(|| match gate {
                    Some(x) => conv.gated_input_grad(x, g()),
                    None => conv.input_grad(shape, g()),
                })
            };
            // Side by side, threads wait for each other once instead of at each loop.
            let (own, back) = if here {
                rayon::join(own, back)
            } else {
                (own(), back())
            };
            gradients.push(own);
            return back.map(Flow::from);
        }
        (Layer::Linear(linear), Saved::Input(x)) => {
            gradients.push(of_linear(linear, x, &flow));
            return further.then(|| ops::linear_input_grad(linear.weight.clone(), flow.g).into());
        }
        (Layer::BatchNorm2d(norm), Saved::Norm(normalised)) => {
            return norm_backward(norm, normalised, flow.g, further, gradients);
        }
        // A layer before it, or the convolution after it, does its work.
        (Layer::Relu | Layer::MaxPool2d(_), Saved::Nothing) => return Some(flow),
        other => other,
    };
    let g = flow.g;
    let g = match (layer, saved) {
        (Layer::Residual(block), Saved::Block([in_branch, in_shortcut])) => {
            // The shortcut first, because everything is in reverse order.
            let mut through = |layers, saved, g: Tensor<4>| {
                backward_all(layers, saved, g.into(), further, gradients).map(|flow| flow.g)
            };
            let shortcut = through(&block.shortcut, in_shortcut, g.clone());
            let branch = through(&block.branch, in_branch, g);
            Some(branch? + shortcut?)
        }
        (Layer::Relu, Saved::Relu(y)) => Some(ops::gate(g, y)),
        (Layer::MaxPool2d(_), Saved::Places(places)) => Some(ops::unpool(g, &places)),
        (Layer::MaxPool2d(window), Saved::Pool(index, shape)) => {
            Some(ops::max_unpool2d(shape, g, index, window))
        }
        (Layer::Softmax, Saved::Input(p)) => Some(ops::softmax_input_grad(p, g)),
        (Layer::Activation(function), Saved::Input(x)) => Some(g * function.derivative(x)),
        (Layer::AvgPool2d(pool), Saved::Shape(shape)) => Some(ops::avg_pool2d_input_grad(
            shape,
            g,
            &pool.window,
            pool.count_include_pad,
        )),
        (Layer::AdaptiveAvgPool2d(_), Saved::Shape(shape)) => {
            Some(ops::adaptive_avg_pool2d_input_grad(shape, g))
        }
        (Layer::Flatten, Saved::Shape(shape)) => Some(g.reshape(shape)),
        (Layer::Dropout(_), Saved::Mask(mask)) => Some(g * mask),
        (Layer::Dropout(_), Saved::Nothing) => Some(g),
        _ => unreachable!("`forward` saved what its layer needs"),
    };
    g.map(Flow::from)
}

fn of_conv(conv: &Conv2d, x: Tensor<4>, flow: &Flow) -> Gradients {
    Gradients {
        bias: conv.bias.as_ref().map(|_| flow.bias_grad()),
        weight: Gradient::Numbers(conv.weight_grad(x, flow.g.clone()).flatten(0, 3)),
    }
}

fn of_linear(linear: &Linear, x: Tensor<4>, flow: &Flow) -> Gradients {
    let g = flow.g.clone();
    Gradients {
        bias: linear.bias.as_ref().map(|_| flow.bias_grad()),
        weight: Gradient::Product { x, g },
    }
}

/// The gradient of the normalisation through mean and variance (Ioffe & Szegedy 2015, section 3).
/// With x^ = (x - mean) * inverse, dx = weight * inverse * (g - mean(g) - x^ * mean(g x^)), which
/// is one linear combination of g and x per channel.
fn norm_backward(
    norm: &BatchNorm2d,
    normalised: Normalised,
    g: Tensor<4>,
    further: bool,
    gradients: &mut Vec<Gradients>,
) -> Option<Flow> {
    let Normalised {
        x,
        mean,
        inverse,
        factors: gate,
        after,
    } = normalised;
    let [n, _, h, w] = x.dims();
    let count = (n * h * w) as f64;
    let [sum_g, sum_gx] = match &after {
        AfterNorm::Nothing => ops::channel_sums(g.clone(), x.clone()),
        after => ops::gated_channel_sums(g.clone(), x.clone(), gate.clone(), after.places()),
    };
    let weight_grad = (sum_gx - mean.clone() * sum_g.clone()) * inverse.clone();
    gradients.push(Gradients {
        weight: Gradient::Numbers(weight_grad.clone()),
        bias: Some(sum_g.clone()),
    });
    if !further {
        return None;
    }
    let a = norm.weight.clone() * inverse.clone();
    let b = -(a.clone() * inverse * weight_grad / count);
    let shift = -(a.clone() * sum_g / count) - b.clone() * mean;
    Some(match &after {
        AfterNorm::Nothing => ops::channel_combine(g, x, [a, b, shift]).into(),
        after => {
            let (g, sums) = ops::gated_channel_combine(g, x, [a, b, shift], gate, after.places());
            let sums = Some(sums);
            Flow { g, sums }
        }
    })
}
