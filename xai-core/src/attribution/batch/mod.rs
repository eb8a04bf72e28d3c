//! Results about one batch of images that the methods of a panel share.

mod passes;
mod scores;

use std::cell::OnceCell;
use std::rc::Rc;

use ndarray::{Array4, ArrayView4, CowArray, Ix4};
use rand_chacha::ChaCha8Rng;

use super::baseline::Baseline;
use super::model::Explainable;
use super::target::Target;
use super::trace::Trace;
use crate::device::{Device, Tensor, upload};
use crate::network::Network;
use crate::random;

/// A batch of images, with the results of the model for it.
///
/// A pass through the model is computed when a method first requests it, and kept for the other
/// methods.
pub struct Batch<'a, M> {
    pub(super) model: &'a M,
    pub(super) device: &'a Device,
    pub(super) pixels: CowArray<'a, f32, Ix4>,
    pub(super) index: &'a [u32],
    pub(super) targets: &'a [Target],
    /// The number of channels that the model takes.
    pub(super) channels: usize,
    /// The number of images that fit in memory in one pass.
    pub(super) rows: usize,
    /// Names the draws of this batch's methods if they run more than once on an image.
    pub(super) repeat: String,
    pub(super) passes: Passes<'a>,
    pub(super) baseline: Reference<'a>,
}

/// Results for the images.
#[derive(Clone, Default)]
pub(super) struct Passes<'a> {
    trace: Rc<OnceCell<Trace<'a>>>,
    gradient: Rc<OnceCell<Tensor<4>>>,
    scores: Rc<OnceCell<Tensor<2>>>,
}

/// Results for the baseline: one for all images, or one for each.
#[derive(Clone)]
pub(super) struct Reference<'a> {
    kind: &'a Baseline,
    pixels: Rc<OnceCell<Array4<f32>>>,
    trace: Rc<OnceCell<Trace<'a>>>,
    scores: Rc<OnceCell<Tensor<2>>>,
}

impl<'a> Reference<'a> {
    pub(super) fn new(kind: &'a Baseline) -> Self {
        Self {
            kind,
            pixels: Rc::default(),
            trace: Rc::default(),
            scores: Rc::default(),
        }
    }

    /// The state for the next batch of the panel. Results that do not depend on the images are
    /// kept, unless `active` dropout makes every row different.
    pub(super) fn next(&self, active: bool) -> Self {
        match self.kind {
            Baseline::Zero | Baseline::Image(_) if !active => self.clone(),
            _ => Self::new(self.kind),
        }
    }
}

impl<'a, M> Batch<'a, M> {
    /// The model to explain.
    pub fn model(&self) -> &'a M {
        self.model
    }

    /// The images on the host, `[n, channels, h, w]` as given. Grey images have one channel.
    pub fn pixels(&self) -> ArrayView4<'_, f32> {
        self.pixels.view()
    }

    /// The baseline on the host, one for each image or one for all: `[n or 1, channels, h, w]`.
    pub fn baseline_pixels(&self) -> ArrayView4<'_, f32> {
        let baseline = &self.baseline;
        let pixels = (baseline.pixels).get_or_init(|| baseline.kind.of(self.pixels.view()));
        pixels.view()
    }

    /// The indices of the images in their split. Sampling methods derive their draws from them.
    pub fn index(&self) -> &'a [u32] {
        self.index
    }

    /// What to explain, one per image.
    pub fn targets(&self) -> &'a [Target] {
        self.targets
    }

    /// The number of images that fit in memory in one pass; at least 1.
    pub fn rows(&self) -> usize {
        self.rows
    }

    /// The device of this batch's tensors.
    pub fn device(&self) -> &'a Device {
        self.device
    }

    /// The draws of `sample` by `method` for image `image` of the batch. They come from a separate
    /// stream, so nothing depends on the size of batches, the order of images or the number of
    /// samples.
    pub fn stream(&self, seed: u64, method: &str, image: usize, sample: usize) -> ChaCha8Rng {
        let (index, repeat) = (self.index[image], &self.repeat);
        random::stream(seed, &format!("{method}/{index}/{sample}{repeat}"))
    }

    /// The images on the device, as the model takes them: `[n, c, h, w]`.
    pub(super) fn upload(&self, pixels: ArrayView4<f32>) -> Tensor<4> {
        let (n, c, h, w) = pixels.dim();
        let values = match pixels.as_slice() {
            Some(values) => values.to_vec(),
            None => pixels.iter().copied().collect(),
        };
        self.tensor_of(values, [n, c, h, w])
    }

    /// The pixels of images `[n, c, h, w]`, as the model takes them.
    fn tensor_of(&self, values: Vec<f32>, shape: [usize; 4]) -> Tensor<4> {
        let x = upload(values, shape, self.device);
        if shape[1] == self.channels {
            x
        } else {
            x.repeat_dim(1, self.channels)
        }
    }

    /// These images with other pixels `[n, c, h, w]`, keeping the results for the same baseline.
    pub(super) fn altered(&self, pixels: Array4<f32>, repeat: String) -> Self {
        self.baseline_pixels(); // of the images as they were
        Self {
            model: self.model,
            device: self.device,
            pixels: pixels.into(),
            index: self.index,
            targets: self.targets,
            channels: self.channels,
            rows: self.rows,
            repeat,
            passes: Passes::default(),
            baseline: self.baseline.clone(),
        }
    }
}

impl<M> Batch<'_, M> {
    /// The same images for another `model` or other `targets`. No pass is shared.
    pub(super) fn anew<'b, N>(&'b self, model: &'b N, targets: &'b [Target]) -> Batch<'b, N> {
        Batch {
            model,
            device: self.device,
            pixels: self.pixels.view().into(),
            index: self.index,
            targets,
            channels: self.channels,
            rows: self.rows,
            repeat: self.repeat.clone(),
            passes: Passes::default(),
            baseline: Reference::new(self.baseline.kind),
        }
    }

    /// Images or baselines `[n or 1, c, h, w]` as the model takes them, on the host: one for each
    /// image, grey ones repeated.
    pub(super) fn as_the_model_takes(&self, pixels: ArrayView4<f32>) -> Array4<f32> {
        let (_, _, h, w) = pixels.dim();
        let shape = (self.targets.len(), self.channels, h, w);
        let repeated = pixels.broadcast(shape);
        repeated
            .expect("one image or all, one channel or all")
            .to_owned()
    }
}

impl<'a, M: Explainable> Batch<'a, M> {
    /// The same batch for the model's layers, if the model exposes them. Passes are shared.
    pub fn layered(&self) -> Option<Batch<'a, Network>> {
        Some(Batch {
            model: self.model.layers()?,
            device: self.device,
            pixels: self.pixels.clone(),
            index: self.index,
            targets: self.targets,
            channels: self.channels,
            rows: self.rows,
            repeat: self.repeat.clone(),
            passes: self.passes.clone(),
            baseline: self.baseline.clone(),
        })
    }
}
