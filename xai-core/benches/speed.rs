//! How fast the kernels and the methods are: `cargo bench -p xai-core`.

use burn::tensor::Distribution;
use divan::Bencher;
use divan::counter::ItemsCount;
use ndarray::Array4;
use xai_core::attribution::{Images, Panel, methods};
use xai_core::device::{Device, DeviceChoice, Tensor};
use xai_core::network::ops::{self, Window};
use xai_core::network::{Network, VggConfig};
use xai_core::random;
use xai_core::training::backward;

fn main() {
    divan::main();
}

/// Input channels, output channels, rows and columns: one convolution of each block of VGG-16, and
/// two of the desk scale's network.
const LAYERS: [[usize; 3]; 8] = [
    [3, 64, 224],
    [64, 64, 224],
    [128, 128, 112],
    [256, 256, 56],
    [512, 512, 28],
    [512, 512, 14],
    [8, 8, 96],
    [64, 64, 6],
];
const WINDOW: Window = Window {
    kernel: [3, 3],
    stride: [1, 1],
    padding: [1, 1],
};
const IMAGES: usize = 2;

fn device() -> Device {
    DeviceChoice::Flex.open().expect("a CPU")
}

fn uniform<const D: usize>(shape: [usize; D]) -> Tensor<D> {
    Tensor::random(shape, Distribution::Uniform(-1.0, 1.0), &device())
}

/// Input, weight and gradient of the output; counted are the multiplications of the definition.
fn layer([input, output, size]: [usize; 3]) -> (Tensor<4>, Tensor<4>, Tensor<4>, ItemsCount) {
    (
        uniform([IMAGES, input, size, size]),
        uniform([output, input, 3, 3]),
        uniform([IMAGES, output, size, size]),
        ItemsCount::new(IMAGES * 9 * input * output * size * size),
    )
}

#[divan::bench(args = LAYERS)]
fn conv2d(bencher: Bencher, sizes: [usize; 3]) {
    let (x, weight, _, count) = layer(sizes);
    bencher
        .counter(count)
        .bench(|| ops::conv2d(x.clone(), weight.clone(), None, &WINDOW));
}

#[divan::bench(args = LAYERS)]
fn conv2d_input_grad(bencher: Bencher, sizes: [usize; 3]) {
    let (x, weight, g, count) = layer(sizes);
    bencher
        .counter(count)
        .bench(|| ops::conv2d_input_grad(x.dims(), weight.clone(), g.clone(), &WINDOW));
}

#[divan::bench(args = LAYERS)]
fn conv2d_weight_grad(bencher: Bencher, sizes: [usize; 3]) {
    let (x, weight, g, count) = layer(sizes);
    bencher
        .counter(count)
        .bench(|| ops::conv2d_weight_grad(x.clone(), weight.clone(), g.clone(), &WINDOW));
}

#[divan::bench(args = [1, 2, 8])]
fn linear(bencher: Bencher, images: usize) {
    let (x, weight) = (uniform([images, 25088, 1, 1]), uniform([4096, 25088]));
    bencher.bench(|| ops::linear(x.clone(), weight.clone(), None));
}

#[divan::bench(args = [1, 2, 8])]
fn linear_input_grad(bencher: Bencher, images: usize) {
    let (g, weight) = (uniform([images, 4096, 1, 1]), uniform([4096, 25088]));
    bencher.bench(|| ops::linear_input_grad(weight.clone(), g.clone()));
}

#[divan::bench]
fn max_pool2d(bencher: Bencher) {
    let x = uniform([IMAGES, 64, 224, 224]);
    let window = Window {
        kernel: [2, 2],
        stride: [2, 2],
        padding: [0, 0],
    };
    bencher.bench(|| ops::max_pool2d(x.clone(), &window));
}

/// A quarter of VGG-16's width, so that all of it takes seconds.
fn network(pooled: usize) -> VggConfig {
    VggConfig {
        width_divisor: 4,
        pooled,
        dropout: 0.5,
        classes: 2,
    }
}

/// But for perturbations: a value by itself is a part, so that one explanation takes up to a million forward passes.
fn names() -> impl Iterator<Item = &'static str> {
    let methods = methods::all::<Network>().into_iter();
    let quick = methods.filter(|method| method.needs != methods::Needs::Scores);
    quick.map(|method| method.name)
}

#[divan::bench(args = names(), sample_count = 3)]
fn method(bencher: Bencher, name: &str) {
    let network = network(7).init(false, 0, &device());
    let pixels = Array4::from_shape_fn((IMAGES, 3, 112, 112), |(_, _, y, x)| (y * x % 7) as f32);
    let images = Images::new(pixels, vec![0; IMAGES]);
    let panel = Panel::new().with(methods::named(name, 0).expect("a method's name"));
    bencher.bench_local(|| panel.explain(&network, &images, 0).expect("an explanation"));
}

#[divan::bench(sample_count = 3)]
fn training_step(bencher: Bencher) {
    let mut network = network(7).init(false, 0, &device());
    let x = uniform([8, 3, 112, 112]);
    let mut rng = random::stream(0, "benchmark");
    bencher.bench_local(|| {
        backward::step(&mut network, x.clone(), &[0, 1, 0, 1, 0, 1, 0, 1], &mut rng).logits
    });
}
