//! Grouped and dilated convolutions. The tests of attribution compare their outputs with torch's.

use burn::tensor::TensorData;
use tests::{Fixture, device, download, upload};
use xai_core::device::{Products, Tensor, as_on_gpu};
use xai_core::network::{Conv2d, Network};

/// Some numbers that are all different.
fn some<const D: usize>(shape: [usize; D], frequency: f32) -> Tensor<D> {
    let count = shape.iter().product::<usize>();
    let numbers = (0..count).map(|at| (at as f32 * frequency).sin()).collect();
    Tensor::from_data(TensorData::new::<f32, _>(numbers, shape), &device())
}

fn product<const D: usize>(a: Tensor<D>, b: Tensor<D>) -> f32 {
    (a * b).sum().into_scalar()
}

/// Kernel, stride, padding, dilation, groups.
type Case = ([usize; 4], [usize; 2], [usize; 2], [usize; 2], usize);

const CASES: [Case; 12] = [
    ([6, 2, 3, 3], [1, 1], [1, 1], [1, 1], 2),
    ([4, 1, 3, 3], [2, 2], [1, 1], [1, 1], 4),
    ([8, 1, 3, 2], [1, 2], [0, 1], [1, 1], 4),
    ([5, 4, 3, 3], [1, 1], [2, 2], [2, 2], 1),
    ([6, 2, 2, 3], [2, 1], [1, 3], [3, 2], 2),
    ([5, 4, 3, 3], [1, 1], [1, 1], [1, 1], 1),
    ([5, 4, 3, 3], [2, 2], [1, 1], [1, 1], 1),
    // Windows that leave gaps, as those of every ResNet's shortcuts.
    ([5, 4, 1, 1], [2, 2], [0, 0], [1, 1], 1),
    ([5, 4, 1, 2], [3, 3], [0, 1], [1, 1], 1),
    ([6, 2, 2, 1], [4, 2], [1, 0], [1, 3], 2),
    ([5, 4, 2, 2], [5, 4], [1, 1], [2, 1], 1),
    ([4, 1, 1, 1], [2, 1], [0, 0], [1, 1], 4),
];

/// The output is linear in input and weight, so for any input, weight and g: the product of g with the output is
/// that of the input with the input's gradient, and that of the weight with the weight's.
#[test]
fn gradients_are_transposes() {
    for case in CASES {
        check_transposes(case);
        as_on_gpu(Products::Fast, || check_transposes(case));
    }
}

fn check_transposes((weight, stride, padding, dilation, groups): Case) {
    let conv = Conv2d {
        dilation,
        groups,
        ..Conv2d::new(some(weight, 0.7), None, stride, padding)
    };
    let x = some([3, 4, 9, 10], 1.3);
    assert_eq!(conv.inputs(), 4);
    let y = conv.forward(x.clone());
    let [h, w] = conv.window().output([9, 10]);
    assert_eq!(y.dims(), [3, weight[0], h, w]);
    let g = some(y.dims(), 2.1);
    let whole = product(y, g.clone());
    let by_input = product(x.clone(), conv.input_grad(x.dims(), g.clone()));
    let by_weight = product(conv.weight.clone(), conv.weight_grad(x, g));
    for found in [by_input, by_weight] {
        let off = (found - whole).abs();
        assert!(off < 1e-4 * whole.abs(), "{conv:?}: {found} {whole}");
    }
}

/// Saved with its layers, such a network comes back as it was.
#[test]
fn groups_and_dilations_are_saved() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("network.safetensors");
    let fixture = Fixture::read("captum/grouped.safetensors");
    let network = fixture.network();
    network.save(&path).unwrap();
    let again = Network::load(&path, &device()).unwrap();
    let scores = |network: &Network| {
        download::<ndarray::Ix2>(network.forward(upload(&fixture.images().pixels)))
    };
    assert_eq!(scores(&again), scores(&network));
}
