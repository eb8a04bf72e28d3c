//! Every operation that a GPU computes with Burn's kernels, compared with ours on the CPU for many shapes. The device is
//! the one named by `XAI_DEVICE`. Without it, Burn's own operations on the CPU take the place of a GPU.

use burn::tensor::{Int, TensorData, activation};
use tests::{chosen, cpu, device};
use xai_core::device::{Device, DeviceChoice, Products, Tensor, as_on_gpu};
use xai_core::network::Conv2d;
use xai_core::network::ops::{self, Gradient, Window};

/// What may be off, of the largest value: rounding, and on tensor cores the factors' (TF32 has 11 bits).
fn tolerance() -> f32 {
    match chosen() {
        DeviceChoice::Cuda(_, Products::Fast) => 3e-3,
        _ => 1e-5,
    }
}

/// Computes on the device that is tested and on the CPU.
struct Check {
    cpu: Device,
    problems: Vec<String>,
    compared: usize,
}

/// Numbers of any shape.
type Numbers = Vec<f32>;

impl Check {
    fn new() -> Self {
        Self {
            cpu: cpu(),
            problems: Vec::new(),
            compared: 0,
        }
    }

    /// What `compute` gives must be the same on both, but for rounding.
    fn near(&mut self, what: impl Fn() -> String, compute: impl Fn(&Device) -> Vec<Numbers>) {
        self.within(tolerance(), what, compute);
    }

    /// The same bits.
    fn same(&mut self, what: impl Fn() -> String, compute: impl Fn(&Device) -> Vec<Numbers>) {
        self.within(0.0, what, compute);
    }

    fn within(
        &mut self,
        tolerance: f32,
        what: impl Fn() -> String,
        compute: impl Fn(&Device) -> Vec<Numbers>,
    ) {
        let expected = compute(&self.cpu);
        let found = match chosen() {
            DeviceChoice::Flex => as_on_gpu(Products::Fast, || compute(&self.cpu)),
            _ => compute(&device()),
        };
        assert_eq!(found.len(), expected.len());
        for (part, (found, expected)) in found.iter().zip(&expected).enumerate() {
            assert_eq!(found.len(), expected.len(), "{}", what());
            let most = expected
                .iter()
                .fold(1e-30, |most: f32, x| most.max(x.abs()));
            let off = found
                .iter()
                .zip(expected)
                .map(|(a, b)| (a - b).abs() / most);
            // A number that is none is infinitely wrong.
            let off = off.fold(0.0, |most: f32, off| {
                if off.is_nan() {
                    f32::INFINITY
                } else {
                    most.max(off)
                }
            });
            self.compared += 1;
            if off > tolerance {
                self.problems
                    .push(format!("{}, result {part}: off by {off:e}", what()));
            }
        }
    }

    fn end(self, least: usize) {
        assert!(
            self.compared >= least,
            "only {} results were compared",
            self.compared
        );
        let count = self.problems.len();
        assert!(
            count == 0,
            "{count} of {}: {:#?}",
            self.compared,
            self.problems
        );
    }
}

/// Numbers between -1 and 1 without an order.
fn some<const D: usize>(shape: [usize; D], seed: usize, device: &Device) -> Tensor<D> {
    let count = shape.iter().product::<usize>();
    let number = |at: usize| {
        let mixed = (at + 1)
            .wrapping_mul(2_654_435_761)
            .wrapping_add(seed.wrapping_mul(40_503))
            % 100_003;
        mixed as f32 / 50_001.0 - 1.0
    };
    let numbers: Vec<f32> = (0..count).map(number).collect();
    Tensor::from_data(TensorData::new(numbers, shape), device)
}

/// Some numbers of which many are equal.
fn ties(shape: [usize; 4], seed: usize, device: &Device) -> Tensor<4> {
    (some(shape, seed, device) * 2.0).round()
}

fn numbers<const D: usize>(tensor: Tensor<D>) -> Numbers {
    tensor.into_data().into_vec().unwrap()
}

fn places(tensor: burn::tensor::Tensor<xai_core::device::Backend, 4, Int>) -> Numbers {
    tensor
        .into_data()
        .iter::<i64>()
        .map(|place| place as f32)
        .collect()
}

/// Every `n`th: a card chooses among kernels for each shape, which takes seconds.
fn every() -> usize {
    match chosen() {
        DeviceChoice::Cuda(..) => 12,
        _ => 1,
    }
}

#[test]
fn convolutions() {
    let mut check = Check::new();
    let mut number = 0;
    for kernel in [[1, 1], [2, 2], [3, 3], [3, 1], [5, 5]] {
        for stride in [[1, 1], [2, 2], [3, 2], [4, 4]] {
            for padding in [[0, 0], [1, 1], [0, 2]] {
                for dilation in [[1, 1], [2, 1]] {
                    for (groups, [inputs, outputs]) in [(1, [3, 5]), (2, [4, 6]), (4, [4, 4])] {
                        for [n, h, w] in [[1, 8, 8], [3, 9, 11]] {
                            number += 1;
                            let reach = |axis: usize| (kernel[axis] - 1) * dilation[axis] + 1;
                            let outside = |axis: usize| {
                                padding[axis] > reach(axis) / 2
                                    || reach(axis) > [h, w][axis] + 2 * padding[axis]
                            };
                            // Of the rest a part that has each pair of properties together.
                            if outside(0)
                                || outside(1)
                                || (number * 7) % 5 > 1
                                || number % every() > 0
                            {
                                continue;
                            }
                            let shape = [n, inputs, h, w];
                            let what = || {
                                format!(
                                    "kernel {kernel:?}, stride {stride:?}, padding {padding:?}, dilation {dilation:?}, \
                                     {groups} groups of {inputs} to {outputs}, images {shape:?}"
                                )
                            };
                            check.near(what, |device| {
                                let weight = some(
                                    [outputs, inputs / groups, kernel[0], kernel[1]],
                                    1,
                                    device,
                                );
                                let conv = Conv2d {
                                    dilation,
                                    groups,
                                    ..Conv2d::new(
                                        weight,
                                        Some(some([outputs], 2, device)),
                                        stride,
                                        padding,
                                    )
                                };
                                let x = some(shape, 3, device);
                                let y = conv.forward(x.clone());
                                let g = some(y.dims(), 4, device);
                                vec![
                                    numbers(y),
                                    numbers(conv.input_grad(shape, g.clone())),
                                    numbers(conv.weight_grad(x, g)),
                                ]
                            });
                        }
                    }
                }
            }
        }
    }
    check.end(450 / every());
}

/// Maxima and where they are, the first of equals, are the same bits; so is what a pooling sends back, but for sums.
#[test]
fn maxima() {
    let mut check = Check::new();
    for (kernel, stride, padding) in [(2, 2, 0), (3, 2, 1), (3, 1, 1), (3, 3, 0), (2, 3, 1)] {
        for shape in [[1, 1, 4, 4], [2, 3, 8, 8], [3, 5, 9, 11]] {
            let window = Window {
                kernel: [kernel; 2],
                stride: [stride; 2],
                padding: [padding; 2],
            };
            let what = || format!("{window:?} of {shape:?}");
            check.same(what, |device| {
                let (y, at) = ops::max_pool2d(ties(shape, 1, device), &window);
                vec![numbers(y), places(at)]
            });
            check.near(what, |device| {
                let (y, at) = ops::max_pool2d(ties(shape, 1, device), &window);
                let g = some(y.dims(), 2, device);
                vec![numbers(ops::max_unpool2d(shape, g, at, &window))]
            });
        }
    }
    check.end(45);
}

#[test]
fn averages() {
    let mut check = Check::new();
    for shape in [[1, 2, 6, 6], [2, 3, 9, 11], [3, 1, 5, 8]] {
        for (kernel, stride, padding) in [(2, 2, 0), (3, 2, 1), (3, 1, 1), (2, 3, 1), (3, 3, 0)] {
            for padded in [false, true] {
                let window = Window {
                    kernel: [kernel; 2],
                    stride: [stride; 2],
                    padding: [padding; 2],
                };
                let what = || format!("{window:?} of {shape:?}, padding counts: {padded}");
                check.near(what, |device| {
                    let y = ops::avg_pool2d(some(shape, 1, device), &window, padded);
                    let g = some(y.dims(), 2, device);
                    let back = ops::avg_pool2d_input_grad(shape, g, &window, padded);
                    vec![numbers(y), numbers(back)]
                });
            }
        }
        for output in [[1, 1], [2, 2], [3, 4], [7, 7], [9, 12]] {
            let what = || format!("adaptive, {shape:?} to {output:?}");
            check.near(what, |device| {
                let y = ops::adaptive_avg_pool2d(some(shape, 1, device), output);
                let g = some(y.dims(), 2, device);
                let back = ops::adaptive_avg_pool2d_input_grad(shape, g);
                vec![numbers(y), numbers(back)]
            });
        }
    }
    check.end(90);
}

#[test]
fn products() {
    let mut check = Check::new();
    let sizes = [
        [1, 7, 2],
        [1, 130, 1],
        [3, 64, 10],
        [16, 33, 65],
        [32, 512, 100],
        [5, 1, 3],
    ];
    for [n, inputs, out] in sizes {
        let what = || format!("{n} x {inputs} to {out}");
        check.near(what, |device| {
            let (x, weight) = (
                some([n, inputs, 1, 1], 1, device),
                some([out, inputs], 2, device),
            );
            let g = some([n, out, 1, 1], 3, device);
            let y = ops::linear(x.clone(), weight.clone(), Some(some([out], 4, device)));
            let back = ops::linear_input_grad(weight, g.clone());
            vec![
                numbers(y),
                numbers(back),
                numbers(Gradient::Product { x, g }.into_numbers()),
            ]
        });
    }
    check.end(18);
}

#[test]
fn value_by_value_and_sums() {
    let mut check = Check::new();
    for shape in [[1, 1, 1, 1], [2, 3, 5, 7], [4, 8, 16, 16], [6, 2, 33, 1]] {
        let [n, c, ..] = shape;
        let what = || format!("{shape:?}");
        check.same(what, |device| {
            let (x, g) = (ties(shape, 1, device), some(shape, 2, device));
            vec![numbers(ops::relu(x.clone())), numbers(ops::gate(g, x))]
        });
        check.near(what, |device| {
            let (x, y) = (some(shape, 1, device), some(shape, 2, device));
            let channel = |seed| some([c], seed, device);
            let [sums, products] = ops::channel_sums(x.clone(), y.clone());
            let mixed = [channel(3), channel(4), channel(5)];
            let alphas: Vec<f32> = (0..3 * n).map(|row| row as f32 / 7.0).collect();
            let points = ops::along(x.clone(), y.clone(), &alphas);
            vec![
                numbers(sums),
                numbers(products),
                numbers(ops::bias_grad(x.clone())),
                numbers(ops::channel_affine(x.clone(), channel(3), channel(4))),
                numbers(ops::channel_combine(x.clone(), y.clone(), mixed)),
                numbers(points.clone()),
                numbers(ops::add_weighted(x.clone(), points, &[0.5, -1.0, 0.25])),
                numbers(x.clone().sum()),
                numbers(x.clone().mean_dim(1)),
                numbers(y.clone().abs().max_dim(1)),
            ]
        });
    }
    for [rows, classes] in [[1, 2], [32, 2], [7, 1000]] {
        check.near(
            || format!("softmax of {rows} x {classes}"),
            |device| {
                vec![numbers(activation::softmax(
                    some([rows, classes], 1, device) * 9.0,
                    1,
                ))]
            },
        );
    }
    check.end(50);
}
