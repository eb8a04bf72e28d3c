//! Repeated evaluation of a network's convolutions at points on lines between images, for methods
//! that accumulate gradients along a path.
//!
//! - Where an image equals the start of its line, nothing changes along the line, as in the
//!   background of a brain slice. A layer's output for these pixels is computed once. At each
//!   point, only the tiles that the other pixels reach are computed. Only their gradient is needed,
//!   so this also holds on the way back.
//! - Each layer's output has one place in memory for all points. ReLU and pooling are applied while
//!   a convolution's pixels are in registers. On the way back, the gate of the ReLU is applied in
//!   the same way.
//!
//! The result differs only by rounding from that of the separate layers with convolutions by
//! [`winograd`], because a tile at the border also rounds its unchanged pixels. It depends only on
//! the image.

use std::sync::Arc;

use rayon::prelude::*;

use super::kernels::ConvSizes;
use super::layers::Layer;
use super::ops::{Window, kernel_shape, transformed};
use super::region::Region;
use super::storage::{change, from_numbers, numbers};
use super::winograd::{self, NOWHERE, TILE};
use crate::device::{Device, Tensor};

/// A ReLU and the convolutions of 3 x 3 pixels after it, each followed by a ReLU and possibly a
/// pooling of 2 x 2, with memory for some images.
pub(crate) struct FusedLayers {
    /// The number of images for which it has memory.
    rows: usize,
    layers: usize,
    device: Device,
    /// The start of the lines, `[n or 1][channels][h][w]`.
    start: Vec<f32>,
    /// The direction and length of the lines, `[n][channels][h][w]`.
    way: Vec<f32>,
    /// The input of the first convolution, and the output of each convolution with its ReLU and
    /// pooling.
    activations: Vec<Activations>,
    convolutions: Vec<Convolution>,
    /// The gradient before a pooling.
    unpooled: Vec<f32>,
}

/// The activations between two convolutions.
struct Activations {
    channels: usize,
    /// The tiles that change along the lines. Its images belong to the lines in turn.
    region: Region,
    /// `[row][channel][h][w]`. On the way back, the gradients with respect to these replace the
    /// tiles.
    numbers: Vec<f32>,
}

struct Convolution {
    weights: Arc<winograd::Weights>,
    bias: Option<Vec<f32>>,
    /// For one image.
    shape: ConvSizes,
    /// As in [`Activations`], for the output of the convolution itself.
    region: Region,
    /// The positions of the maxima of the pooling after it, if there is one.
    places: Option<Vec<u8>>,
}

impl Activations {
    fn new(channels: usize, region: &Region, rows: usize) -> Self {
        let [h, w] = region.plane();
        Self {
            channels,
            region: region.in_tiles(TILE),
            numbers: vec![0.0; rows * channels * h * w],
        }
    }

    /// Numbers per image.
    fn len(&self) -> usize {
        self.channels * self.region.plane().iter().product::<usize>()
    }
}

impl FusedLayers {
    /// The beginning of `layers`, for lines that start at `start` `[n or 1, c, h, w]` and extend by
    /// `way` `[n, c, h, w]`, which is 0 outside of `region`. It has memory for `rows` points.
    /// `None` if the layers do not begin in this way.
    pub fn new(
        layers: &[Layer],
        start: Tensor<4>,
        way: Tensor<4>,
        region: &Region,
        rows: usize,
    ) -> Option<Self> {
        let (Layer::Relu, mut rest) = layers.split_first()? else {
            return None;
        };
        let device = way.device();
        let [_, channels, h, w] = way.dims();
        let mut activations = vec![Activations::new(channels, region, rows)];
        let mut convolutions = Vec::new();
        // The pixels that change, enlarged to tiles only here. Enlarging tiles again and again
        // would soon cover everything.
        let mut changes = region.clone();
        while let [Layer::Conv2d(conv), Layer::Relu, after @ ..] = rest
            && conv.is_plain()
        {
            let before = activations.last().expect("its input");
            let [h, w] = before.region.plane();
            let shape = [1, before.channels, h, w];
            let Some(shape) = kernel_shape(&device, shape, &conv.weight, &conv.window()) else {
                break;
            };
            if !winograd::pays(&shape) || !winograd::pays(&shape.backward()) {
                break;
            }
            changes = changes.through(&conv.window());
            let (pooling, after) = match after {
                [pool, after @ ..] if pool.pools_halves() => (true, after),
                _ => (false, after),
            };
            // On the way back, whole tiles of a pooling's output are overwritten, so the forward
            // pass writes whole tiles.
            let region = changes.in_tiles(if pooling { 2 * TILE } else { TILE });
            if pooling {
                changes = changes.through(&Window::square(2));
            }
            let out = Activations::new(shape.output, &changes, rows);
            convolutions.push(Convolution {
                weights: transformed(conv.weight.clone()),
                bias: conv.bias.clone().map(|bias| numbers(bias).to_vec()),
                shape,
                region,
                places: pooling.then(|| vec![NOWHERE; out.numbers.len()]),
            });
            activations.push(out);
            rest = after;
        }
        if convolutions.is_empty() {
            return None;
        }
        let (start, way) = (numbers(start).to_vec(), numbers(way).to_vec());
        let mut stretch = Self {
            rows,
            layers: layers.len() - rest.len(),
            device,
            start,
            way,
            activations,
            convolutions,
            unpooled: Vec::new(),
        };
        stretch.fill(h * w * channels);
        Some(stretch)
    }

    /// The number of layers.
    pub fn layers(&self) -> usize {
        self.layers
    }

    /// The number of points for which it has memory.
    pub fn rows(&self) -> usize {
        self.rows
    }

    /// Everything that never changes along the lines: all starts, repeated to the number of rows.
    fn fill(&mut self, len: usize) {
        let starts = (self.start.len() / len).min(self.rows);
        let first = &mut self.activations[0].numbers;
        for (to, &from) in first.iter_mut().zip(&self.start[..starts * len]) {
            *to = relu(from);
        }
        self.run(starts, true);
        for activations in &mut self.activations {
            let len = activations.len();
            let (filled, rest) = activations.numbers.split_at_mut(starts * len);
            rest.par_chunks_mut(len).enumerate().for_each(|(row, to)| {
                to.copy_from_slice(&filled[row % starts * len..][..len]);
            });
        }
    }

    /// The output at `start + alpha * way` for each of `alphas`, which belong to the lines in turn:
    /// `[alphas, c, h, w]`.
    pub fn forward(&mut self, alphas: &[f32]) -> Tensor<4> {
        let first = &mut self.activations[0];
        let (len, region) = (first.len(), &first.region);
        let ([h, w], lines) = (region.plane(), region.images());
        let plane = h * w;
        first
            .numbers
            .par_chunks_mut(plane)
            .take(alphas.len() * first.channels)
            .enumerate()
            .for_each(|(at, to)| {
                let (row, within) = (at / first.channels, at % first.channels * plane);
                let (alpha, line) = (alphas[row], row % lines);
                let way = &self.way[line * len + within..][..plane];
                let start = &self.start[line * len % self.start.len() + within..][..plane];
                for y in 0..h {
                    let span = region.span(line, y);
                    let span = y * w + span.start..y * w + span.end;
                    let from = start[span.clone()].iter().zip(&way[span.clone()]);
                    for (to, (start, way)) in to[span].iter_mut().zip(from) {
                        *to = relu(start + alpha * way);
                    }
                }
            });
        self.run(alphas.len(), false);
        let last = self.activations.last().expect("an output");
        let [h, w] = last.region.plane();
        let y = last.numbers[..alphas.len() * last.len()].to_vec();
        from_numbers(y, [alphas.len(), last.channels, h, w], &self.device)
    }

    /// The convolutions of the first `rows` rows, everywhere or only where something changes.
    fn run(&mut self, rows: usize, everywhere: bool) {
        for (at, conv) in self.convolutions.iter_mut().enumerate() {
            let (before, after) = self.activations.split_at_mut(at + 1);
            let shape = ConvSizes {
                n: rows,
                ..conv.shape
            };
            let whole = Region::whole(1, shape.out_plane());
            winograd::conv_relu(
                &before[at].numbers[..rows * before[at].len()],
                &conv.weights,
                conv.bias.as_deref(),
                &shape,
                if everywhere { &whole } else { &conv.region },
                &mut after[0].numbers,
                conv.places.as_deref_mut(),
            );
        }
    }

    /// Adds to `sum` `[n, c, h, w]` the gradients at the points of the last
    /// [`forward`](Self::forward), each times its weight (one per point of all lines). `g` is the
    /// gradient with respect to the output. Only the pixels that differ along the lines are
    /// computed.
    pub fn add_gradients(&mut self, g: Tensor<4>, weights: &[f32], sum: Tensor<4>) -> Tensor<4> {
        let [rows, ..] = g.dims();
        let g = numbers(g);
        let pooled = |conv: &Convolution| conv.places.is_some();
        if !self.convolutions.last().is_some_and(pooled) {
            gate(self.activations.last_mut().expect("an output"), &g);
        }
        for (at, conv) in self.convolutions.iter().enumerate().rev() {
            let shape = ConvSizes {
                n: rows,
                ..conv.shape
            };
            let [h, w] = shape.out_plane();
            let len = rows * shape.output * h * w;
            let last = at + 1 == self.convolutions.len();
            let (before, after) = self.activations.split_at_mut(at + 1);
            let (before, after) = (&mut before[at], &after[0].numbers);
            let g = match &conv.places {
                None => &after[..len],
                Some(places) => {
                    let g = if last { &g[..] } else { &after[..] };
                    let to = &mut self.unpooled;
                    to.resize(to.len().max(len), 0.0);
                    winograd::unpool(g, places, &conv.region, shape.output, &mut to[..len]);
                    &to[..len]
                }
            };
            // After a pooling, the gate is part of its positions.
            let gated = at == 0 || !pooled(&self.convolutions[at - 1]);
            let (g, shape) = ((g, &conv.region), shape.backward());
            let to = &mut before.numbers;
            winograd::input_grad(g, &conv.weights, &shape, &before.region, gated, to);
        }
        let g = &self.activations[0].numbers;
        let region = &self.activations[0].region;
        let ([h, w], lines) = (region.plane(), region.images());
        let channels = self.activations[0].channels;
        let add = |(at, sum): (usize, &mut [f32])| {
            let (line, channel) = (at / channels, at % channels);
            for (point, weight) in weights.iter().enumerate() {
                let g = &g[((point * lines + line) * channels + channel) * h * w..][..h * w];
                for y in 0..h {
                    let span = region.span(line, y);
                    let span = y * w + span.start..y * w + span.end;
                    for (sum, g) in sum[span.clone()].iter_mut().zip(&g[span]) {
                        *sum += weight * g;
                    }
                }
            }
        };
        let [sum] = change([sum], |[sum]| {
            sum.par_chunks_mut(h * w).enumerate().for_each(add)
        });
        sum
    }
}

/// max(x, 0); NaN stays NaN.
fn relu(x: f32) -> f32 {
    if x < 0.0 { 0.0 } else { x }
}

/// Sets the tiles of `activations` to `g` where they were above 0, and to 0 elsewhere.
fn gate(activations: &mut Activations, g: &[f32]) {
    let (region, channels) = (&activations.region, activations.channels);
    let [h, w] = region.plane();
    let planes = activations.numbers.par_chunks_mut(h * w);
    planes
        .zip(g.par_chunks(h * w))
        .enumerate()
        .for_each(|(at, (to, g))| {
            for y in 0..h {
                let span = region.span(at / channels % region.images(), y);
                let span = y * w + span.start..y * w + span.end;
                for (to, g) in to[span.clone()].iter_mut().zip(&g[span]) {
                    *to = if *to > 0.0 { *g } else { 0.0 };
                }
            }
        });
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::network::storage::some_tensor as tensor;
    use crate::network::{Conv2d, ops};

    fn conv(input: usize, output: usize) -> Layer {
        let weight = tensor([output, input, 3, 3], output) / 20.0;
        let bias = Some(tensor([output], 1));
        Layer::Conv2d(Conv2d::new(weight, bias, [1, 1], [1, 1]))
    }

    /// Compared with the separate layers, whose gradient is compared with autodiff elsewhere.
    #[test]
    fn points_on_lines_are_those_of_the_layers() {
        let layers = [
            Layer::Relu,
            conv(32, 40),
            Layer::Relu,
            conv(40, 32),
            Layer::Relu,
            Layer::MaxPool2d(Window::square(2)),
            conv(32, 32),
            Layer::Relu,
            Layer::Flatten,
        ];
        let (plane @ [h, w], lines) = ([37, 50], 2);
        let inside =
            |line: usize, y: usize, x: usize| y > 14 + line && y < 20 && x > 21 && x + y < 45;
        let region = Region::of(lines, plane, inside);
        let mask = |at: usize| inside(at / (32 * h * w), at / w % h, at % w);
        let mask = (0..lines * 32 * h * w)
            .map(|at| f32::from(mask(at)))
            .collect();
        let start = tensor([1, 32, h, w], 5);
        let device = start.device();
        let mask: Tensor<4> = from_numbers(mask, [lines, 32, h, w], &device);
        let way = tensor([lines, 32, h, w], 9) * mask.clone();
        let both = start.clone().repeat_dim(0, lines);
        let mut stretch = FusedLayers::new(&layers, start, way.clone(), &region, 6).unwrap();
        assert_eq!(stretch.layers(), 8);
        let changing = stretch.convolutions[0].region.span(0, 17).len();
        assert!(changing < w / 2, "{changing}");

        let mut sum = way.zeros_like();
        let mut expected = sum.clone();
        // The second time, gradients are stored in place of activations.
        for alphas in [[0.1, 0.3, 0.5, 0.7], [0.9, 0.2, 1.0, 0.6]] {
            let y = stretch.forward(&alphas);
            let mut x = vec![ops::along(both.clone(), way.clone(), &alphas)];
            let mut maxima = None;
            for layer in &layers[..8] {
                let before = x.last().unwrap().clone();
                x.push(match layer {
                    Layer::Conv2d(conv) => {
                        let (weight, bias) = (conv.weight.clone(), conv.bias.clone());
                        ops::conv2d_loose(before, weight, bias, &conv.window())
                    }
                    Layer::MaxPool2d(window) => {
                        let (y, index) = ops::max_pool2d(before, window);
                        maxima = Some(index);
                        y
                    }
                    _ => ops::relu(before),
                });
            }
            close(y.clone(), x.pop().unwrap(), 1e-6);

            let g = tensor(y.dims(), 3);
            let weights = [0.3, 0.7];
            sum = stretch.add_gradients(g.clone(), &weights, sum);
            let mut g = ops::gate(g, y);
            x.pop(); // what went into the last ReLU
            for layer in layers[..7].iter().rev() {
                let x = x.pop().unwrap();
                g = match layer {
                    Layer::Conv2d(conv) => {
                        ops::conv2d_input_grad(x.dims(), conv.weight.clone(), g, &conv.window())
                    }
                    Layer::MaxPool2d(window) => {
                        ops::max_unpool2d(x.dims(), g, maxima.take().unwrap(), window)
                    }
                    _ => ops::gate(g, x),
                };
            }
            expected = ops::add_weighted(expected, g, &weights);
        }
        close(sum * mask.clone(), expected * mask, 1e-5);
    }

    /// No number is off by more than this share of the largest.
    fn close(found: Tensor<4>, expected: Tensor<4>, share: f32) {
        let [found, expected] = [found, expected].map(numbers);
        let largest = expected.iter().fold(0.0f32, |most, x| most.max(x.abs()));
        assert!(largest > 0.0);
        let mut pairs = found.iter().zip(&expected[..]);
        let near = |(found, expected): (&f32, &f32)| (found - expected).abs() < share * largest;
        let wrong = pairs.position(|pair| !near(pair));
        assert_eq!(wrong, None);
    }
}
