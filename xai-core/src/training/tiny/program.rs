//! A network as lists of products.

use burn::tensor::TensorData;

use crate::device::Tensor;
use crate::error::{Error, Result};
use crate::network::{Layer, Network};

/// The number of products from which a network is no longer tiny, because the lists take too much
/// memory. (Networks for 64 x 64 images have up to a million and a half, and still train as fast as
/// with larger kernels.)
const MOST: usize = 1 << 21;

/// One product: a value times a parameter.
#[derive(Clone, Copy, Debug)]
pub(super) struct Product {
    /// The index of the value within its layer.
    pub value: u32,
    /// The index of the parameter.
    pub parameter: u32,
}

/// The sums that the outputs of a layer are made of.
#[derive(Clone, Debug, Default)]
pub(super) struct Sums {
    /// For each output, where its products end. They begin where the products of the previous
    /// output end.
    pub ends: Vec<u32>,
    pub products: Vec<Product>,
    /// For each output, the index of its bias. Empty if the layer has no biases.
    pub bias: Vec<u32>,
}

impl Sums {
    /// The sums that propagate gradients from the outputs to `inputs` inputs: the same products in
    /// the other direction.
    fn transposed(&self, inputs: usize) -> Self {
        let mut of_input: Vec<Vec<Product>> = vec![Vec::new(); inputs];
        let mut first = 0;
        for (output, &end) in self.ends.iter().enumerate() {
            for product in &self.products[first..end as usize] {
                let value = output as u32;
                of_input[product.value as usize].push(Product { value, ..*product });
            }
            first = end as usize;
        }
        let mut sums = Self::default();
        for products in of_input {
            sums.products.extend(products);
            sums.ends.push(sums.products.len() as u32);
        }
        sums
    }
}

/// A layer.
#[derive(Clone, Debug)]
pub(super) enum Operation {
    /// A convolution or a fully connected layer. `back` is empty for the first layer, because no
    /// gradient is needed below it.
    Affine { forward: Sums, back: Sums },
    /// max(x, 0).
    Relu,
    /// For each output, the indices of the values that it is the maximum of, in row-major order.
    MaxPool { windows: Vec<Vec<u32>> },
    /// The softmax of all values of the layer.
    Softmax,
    /// During training, sets values to 0 with this probability, and divides the others by the
    /// probability of keeping them.
    Dropout(f64),
}

/// A network as a list of operations.
pub(super) struct Program {
    pub operations: Vec<Operation>,
    /// The number of values that go into each operation, and at the end the number of outputs.
    pub sizes: Vec<usize>,
    /// The number of parameters.
    pub parameters: usize,
}

impl Program {
    /// Compiles a network. Returns the program and the parameters, layer by layer, weight before
    /// bias.
    ///
    /// # Errors
    /// If the network has layers that are not supported here, or if the images do not fit.
    pub fn compile(network: &Network, shape: [usize; 3]) -> Result<(Self, Vec<f32>)> {
        let shapes = crate::network::shapes(network, shape)?;
        let (mut operations, mut sizes, mut parameters) = (Vec::new(), Vec::new(), Vec::new());
        for (at, (layer, sides)) in network.layers.iter().zip(shapes.windows(2)).enumerate() {
            let [input, output] = [sides[0], sides[1]];
            let size = input.iter().product();
            let mut affine =
                |weight: Vec<f32>,
                 bias: Option<Vec<f32>>,
                 products: &dyn Fn(usize, &mut Vec<Product>)| {
                    let first = parameters.len() as u32;
                    let weights = weight.len() as u32;
                    parameters.extend(weight);
                    let mut forward = Sums::default();
                    let channel = output[1] * output[2];
                    for at in 0..output.iter().product() {
                        let start = forward.products.len();
                        products(at, &mut forward.products);
                        forward.products[start..]
                            .iter_mut()
                            .for_each(|product| product.parameter += first);
                        forward.ends.push(forward.products.len() as u32);
                        if bias.is_some() {
                            forward.bias.push(first + weights + (at / channel) as u32);
                        }
                    }
                    parameters.extend(bias.into_iter().flatten());
                    let back = if operations.is_empty() {
                        Sums::default()
                    } else {
                        forward.transposed(size)
                    };
                    operations.push(Operation::Affine { forward, back });
                    sizes.push(size);
                };
            match layer {
                Layer::Flatten => {}
                Layer::Conv2d(conv) if conv.groups == 1 && conv.dilation == [1, 1] => {
                    let ([_, inputs, kh, kw], [_, h, w], [_, oh, ow]) =
                        (conv.weight.dims(), input, output);
                    let products = |at: usize, list: &mut Vec<Product>| {
                        let (channel, y, x) = (at / (oh * ow), at / ow % oh, at % ow);
                        for (i, ky, kx) in
                            (0..inputs * kh * kw).map(|k| (k / (kh * kw), k / kw % kh, k % kw))
                        {
                            let row = (y * conv.stride[0] + ky)
                                .checked_sub(conv.padding[0])
                                .filter(|&row| row < h);
                            let column = (x * conv.stride[1] + kx)
                                .checked_sub(conv.padding[1])
                                .filter(|&column| column < w);
                            if let (Some(row), Some(column)) = (row, column) {
                                list.push(Product {
                                    value: ((i * h + row) * w + column) as u32,
                                    parameter: (((channel * inputs + i) * kh + ky) * kw + kx)
                                        as u32,
                                });
                            }
                        }
                    };
                    affine(numbers(&conv.weight)?, bias(&conv.bias)?, &products);
                }
                Layer::Linear(linear) => {
                    let products = |at: usize, list: &mut Vec<Product>| {
                        list.extend((0..size).map(|value| Product {
                            value: value as u32,
                            parameter: (at * size + value) as u32,
                        }));
                    };
                    affine(numbers(&linear.weight)?, bias(&linear.bias)?, &products);
                }
                Layer::Relu => {
                    operations.push(Operation::Relu);
                    sizes.push(size);
                }
                // `Operation::Softmax` is over all values of the layer, so there must be one position.
                Layer::Softmax if input[1..] == [1, 1] => {
                    operations.push(Operation::Softmax);
                    sizes.push(size);
                }
                Layer::Dropout(rate) => {
                    operations.push(Operation::Dropout(*rate));
                    sizes.push(size);
                }
                Layer::MaxPool2d(window) if window.padding == [0, 0] => {
                    let ([_, h, w], [c, oh, ow]) = (input, output);
                    let [kh, kw] = window.kernel;
                    let places = |at: usize| {
                        let (channel, y, x) = (at / (oh * ow), at / ow % oh, at % ow);
                        let place = |k: usize| {
                            let row = y * window.stride[0] + k / kw;
                            ((channel * h + row) * w + x * window.stride[1] + k % kw) as u32
                        };
                        (0..kh * kw).map(place).collect()
                    };
                    let windows = (0..c * oh * ow).map(places).collect();
                    operations.push(Operation::MaxPool { windows });
                    sizes.push(size);
                }
                _ => {
                    return Err(Error::invalid(format!(
                        "layer {at} of the network is none of those that a tiny network may have: plain convolutions, fully \
                         connected layers, ReLUs, dropouts, maximum poolings without padding, a softmax of one position"
                    )));
                }
            }
        }
        let products = |operation: &Operation| match operation {
            Operation::Affine { forward, .. } => forward.products.len(),
            _ => 0,
        };
        let products: usize = operations.iter().map(products).sum();
        if products > MOST {
            return Err(Error::invalid(format!(
                "a network of {products} products an image is not tiny; train it by `fit`"
            )));
        }
        sizes.push(shapes.last().map_or(0, |shape| shape.iter().product()));
        let count = parameters.len();
        Ok((
            Self {
                operations,
                sizes,
                parameters: count,
            },
            parameters,
        ))
    }

    /// `network` with these parameters.
    pub fn network(&self, network: &Network, parameters: &[f32]) -> Network {
        let mut network = network.clone();
        let mut rest = parameters;
        let mut take = |count: usize| {
            let (taken, others) = rest.split_at(count);
            rest = others;
            taken.to_vec()
        };
        for layer in &mut network.layers {
            match layer {
                Layer::Conv2d(conv) => {
                    let shape = conv.weight.dims();
                    conv.weight = filled(&conv.weight, take(shape.iter().product()));
                    conv.bias = conv
                        .bias
                        .as_ref()
                        .map(|bias| filled(bias, take(bias.dims()[0])));
                }
                Layer::Linear(linear) => {
                    let shape = linear.weight.dims();
                    linear.weight = filled(&linear.weight, take(shape.iter().product()));
                    linear.bias = linear
                        .bias
                        .as_ref()
                        .map(|bias| filled(bias, take(bias.dims()[0])));
                }
                _ => {}
            }
        }
        network
    }
}

fn filled<const D: usize>(like: &Tensor<D>, values: Vec<f32>) -> Tensor<D> {
    Tensor::from_data(TensorData::new(values, like.dims()), &like.device())
}

fn numbers<const D: usize>(tensor: &Tensor<D>) -> Result<Vec<f32>> {
    let values = tensor.clone().into_data().into_vec::<f32>();
    values.map_err(|problem| Error::invalid(format!("{problem:?}")))
}

fn bias(bias: &Option<Tensor<1>>) -> Result<Option<Vec<f32>>> {
    bias.as_ref().map(numbers).transpose()
}
