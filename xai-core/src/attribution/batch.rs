//! What the methods of a panel share about one batch of images.

use std::cell::OnceCell;

use burn::tensor::TensorData;
use ndarray::ArrayView4;

use super::engine::propagate;
use super::model::Layered;
use super::rules::Gradient;
use super::trace::Trace;
use crate::device::{Device, Tensor};

/// A batch of images, and what is known about the model's way with them.
///
/// Passes through the model are made when a method first asks for them and kept for the others.
pub struct Batch<'a, M> {
    pub(super) model: &'a M,
    pub(super) device: &'a Device,
    pub(super) pixels: ArrayView4<'a, f32>,
    pub(super) index: &'a [u32],
    pub(super) targets: &'a [usize],
    /// Channels that the model takes.
    pub(super) channels: usize,
    /// How many images memory allows in one pass.
    pub(super) rows: usize,
    pub(super) trace: OnceCell<Trace<'a>>,
    pub(super) gradient: OnceCell<Tensor<4>>,
    /// The baseline is the same for all batches of a panel.
    pub(super) baseline: &'a OnceCell<Trace<'a>>,
}

impl<'a, M> Batch<'a, M> {
    /// The images on the host, `[n, channels, h, w]` as given: of grey images one channel.
    pub fn pixels(&self) -> ArrayView4<'a, f32> {
        self.pixels
    }

    /// The images' indices in their split, by which sampling methods key their draws.
    pub fn index(&self) -> &'a [u32] {
        self.index
    }

    /// The class to explain, one an image.
    pub fn targets(&self) -> &'a [usize] {
        self.targets
    }

    /// How many images memory allows in one pass; at least 1.
    pub fn rows(&self) -> usize {
        self.rows
    }

    /// Where tensors of this batch live.
    pub fn device(&self) -> &'a Device {
        self.device
    }
}

impl<'a, M: Layered> Batch<'a, M> {
    /// The model that is explained.
    pub fn model(&self) -> &'a M {
        self.model
    }

    /// The model's forward pass of the images.
    pub fn trace(&self) -> &Trace<'a> {
        self.trace
            .get_or_init(|| Trace::new(&self.model.network().layers, self.upload()))
    }

    /// The model's forward pass of the baseline, one image: all zero.
    pub fn baseline(&self) -> &Trace<'a> {
        self.baseline.get_or_init(|| {
            let (_, _, h, w) = self.pixels.dim();
            let zero = Tensor::zeros([1, self.channels, h, w], self.device);
            Trace::new(&self.model.network().layers, zero)
        })
    }

    /// What goes into layer `index`, the images' less the baseline's: `[n, c, h, w]`. For index 0
    /// that is the images less the baseline.
    pub fn difference(&self, index: usize) -> Tensor<4> {
        self.trace().activation(index).clone() - self.baseline_activation(index)
    }

    /// What goes into layer `index` of the baseline, as often as there are images. (Repeated, as Burn's
    /// CPU backend is some 20 times slower where it broadcasts.)
    pub fn baseline_activation(&self, index: usize) -> Tensor<4> {
        let activation = self.baseline().activation(index).clone();
        activation.repeat_dim(0, self.targets.len())
    }

    /// The gradient of the target's score for the images, `[n, c, h, w]`.
    pub fn gradient(&self) -> &Tensor<4> {
        self.gradient.get_or_init(|| {
            let trace = self.trace();
            propagate(trace.steps(), &Gradient, one_hot(trace, self.targets))
        })
    }

    /// The target's score of each image where the target stands, 0 elsewhere: `[n, classes, 1, 1]`.
    pub fn target_scores(&self) -> Tensor<4> {
        let trace = self.trace();
        trace.output().clone() * one_hot(trace, self.targets)
    }

    /// The images on the device, grey ones with as many equal channels as the model takes.
    fn upload(&self) -> Tensor<4> {
        let (n, c, h, w) = self.pixels.dim();
        let values: Vec<f32> = self.pixels.iter().copied().collect();
        let x = Tensor::<4>::from_data(TensorData::new(values, [n, c, h, w]), self.device);
        if c == self.channels {
            x
        } else {
            x.repeat_dim(1, self.channels)
        }
    }
}

/// 1 at each row's target, 0 elsewhere, in the shape of the trace's output: what a gradient of the
/// targets' scores starts from.
pub(super) fn one_hot(trace: &Trace<'_>, targets: &[usize]) -> Tensor<4> {
    let [n, classes, ..] = trace.output().dims();
    let mut values = vec![0.0f32; n * classes];
    for (row, &target) in targets.iter().enumerate() {
        values[row * classes + target] = 1.0;
    }
    let data = TensorData::new(values, [n, classes, 1, 1]);
    Tensor::from_data(data, &trace.output().device())
}
