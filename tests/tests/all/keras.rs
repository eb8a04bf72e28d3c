//! The Keras networks of XAI-TRIS and the methods that explain them, compared with NumPy and PyTorch
//! (`fixtures/tetromino/keras.py`, by `compare_keras.py`).

use std::sync::Arc;

use experiments::xai_tris::keras_network;
use ndarray::{Array1, Array2, Array3, Array4, ArrayView1, Axis, s};
use tests::{Fixture, device, error};
use xai_core::attribution::{
    DeepTaylor, PatternAttribution, PatternEstimator, PatternNet, Patterns,
};
use xai_core::device::Tensor;
use xai_core::network::Layer;
use xai_core::prelude::*;
use xai_core::tetromino::{Architecture, Background, Protocol, Scenario, Size, Tetromino};

/// Of the largest value; the fixtures were computed in double precision.
const TOLERANCE: f32 = 1e-4;

/// Turned by 180 degrees.
fn turned(images: &Array3<f32>) -> Array3<f32> {
    images.slice(s![.., ..;-1, ..;-1]).to_owned()
}

/// A network and the biases of the fixture, layer by layer.
fn with_biases(model: Architecture, fixture: &Fixture) -> Network {
    let mut network = keras_network(model, &device());
    let mut biases = (0..).map(|at| {
        let values: Array1<f32> = fixture.array(&format!("{}/bias.{at}", model.name()));
        Tensor::<1>::from_data(values.as_slice().unwrap(), &device())
    });
    for layer in &mut network.layers {
        let bias = match layer {
            Layer::Conv2d(layer) => &mut layer.bias,
            Layer::Linear(layer) => &mut layer.bias,
            _ => continue,
        };
        let new = biases.next().unwrap();
        *bias = bias.as_ref().map(|_| new);
    }
    network
}

#[test]
fn keras_networks_and_their_maps_are_those_of_numpy() {
    let fixture = Fixture::read("tetromino/keras.safetensors");
    let [train, test] = ["train", "test"].map(|name| turned(&fixture.array(name)));
    let train: Array4<f32> = train.insert_axis(Axis(1));
    for model in [Architecture::Linear, Architecture::Mlp, Architecture::Cnn] {
        let name = |what: &str| format!("{}/{what}", model.name());
        let network = with_biases(model, &fixture);
        let outputs: Array2<f32> = fixture.array(&name("outputs"));
        // The public code explains the largest output.
        let class = outputs.rows().into_iter();
        let class: Vec<u8> = class.map(|row| u8::from(row[1] > row[0])).collect();
        let images = Images::grey(test.clone(), class.clone());
        let pixels: Vec<f32> = test.iter().copied().collect();
        let pixels = Tensor::<1>::from_data(pixels.as_slice(), &device());
        let found = network.forward(pixels.reshape([test.dim().0, 1, 8, 8]));
        let found = Array1::from(found.to_data().into_vec::<f32>().unwrap());
        let off = error(&found, &outputs.flatten().to_owned());
        assert!(off <= TOLERANCE, "{}: off by {off:e}", name("outputs"));
        let patterns = Patterns::fit_by(PatternEstimator::ReluEverywhere, &network, train.view());
        let patterns = Arc::new(patterns.unwrap());
        let panel = Panel::new()
            .with(PatternNet::new(patterns.clone()))
            .with(PatternAttribution::new(patterns))
            .with(DeepTaylor::published());
        for map in panel.explain(&network, &images, &class[..]).unwrap() {
            let wanted: Array3<f32> = fixture.array(&name(map.method));
            let found = turned(&map.values.clone().index_axis_move(Axis(1), 0));
            for (image, (found, wanted)) in found.outer_iter().zip(wanted.outer_iter()).enumerate()
            {
                let off = error(&found.to_owned(), &wanted.to_owned());
                assert!(
                    off <= TOLERANCE,
                    "{} of image {image}: off by {off:e}",
                    name(map.method)
                );
            }
        }
    }
}

/// Turned data sets hold the same images, turned, with their truth; and have another key.
#[test]
fn turned_data_sets_are_turned() {
    let new = |turned| {
        let mut setting = Tetromino::new(
            Scenario::TranslationsRotations,
            Background::Correlated,
            Size::Eight,
            Protocol::Published,
        );
        (setting.count, setting.turned) = (400, turned);
        setting.make().unwrap()
    };
    for (plain, other) in new(false).iter().zip(&new(true)) {
        let backwards = |values: ArrayView1<f32>| values.iter().rev().copied().collect::<Vec<_>>();
        for image in 0..plain.len() {
            let flat = |set: &xai_core::dataset::Dataset| {
                Array1::from_iter(set.images().index_axis(Axis(0), image).iter().copied())
            };
            assert_eq!(backwards(flat(plain).view()), flat(other).to_vec());
            let truth = |set: &xai_core::dataset::Dataset| -> Vec<bool> {
                set.truth()
                    .unwrap()
                    .index_axis(Axis(0), image)
                    .iter()
                    .copied()
                    .collect()
            };
            let mut own = truth(plain);
            own.reverse();
            assert_eq!(own, truth(other));
        }
        assert_eq!(plain.class(), other.class());
        assert_ne!(plain.key(), other.key());
    }
}
