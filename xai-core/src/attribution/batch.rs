//! What the methods of a panel share about one batch of images.

use std::cell::OnceCell;
use std::rc::Rc;

use burn::tensor::TensorData;
use ndarray::{Array4, ArrayView4, CowArray, Ix4};
use rand_chacha::ChaCha8Rng;

use super::baseline::Baseline;
use super::engine::propagate;
use super::model::{Differentiable, Explainable, Layered, Predict};
use super::rules::Gradient;
use super::trace::{Trace, add_evaluations};
use crate::device::{Device, Tensor};
use crate::error::{Error, Result};
use crate::network::{Masks, Network};
use crate::random;

/// A batch of images, and what is known about the model's way with them.
///
/// Passes through the model are made when a method first asks for them and kept for the others.
pub struct Batch<'a, M> {
    pub(super) model: &'a M,
    pub(super) device: &'a Device,
    pub(super) pixels: CowArray<'a, f32, Ix4>,
    pub(super) index: &'a [u32],
    pub(super) targets: &'a [usize],
    /// Channels that the model takes.
    pub(super) channels: usize,
    /// How many images memory allows in one pass.
    pub(super) rows: usize,
    /// Names the draws of this batch's methods where they run more than once on an image.
    pub(super) repeat: String,
    pub(super) passes: Passes<'a>,
    pub(super) baseline: Reference<'a>,
}

/// What was computed of the images.
#[derive(Clone, Default)]
pub(super) struct Passes<'a> {
    trace: Rc<OnceCell<Trace<'a>>>,
    gradient: Rc<OnceCell<Tensor<4>>>,
    scores: Rc<OnceCell<Tensor<2>>>,
}

/// What was computed of the baseline: of the one that all images have, or of each image's own.
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

    /// For the next batch of the panel: what does not depend on the images is kept, unless `active` dropout
    /// makes every row another one.
    pub(super) fn next(&self, active: bool) -> Self {
        match self.kind {
            Baseline::Zero | Baseline::Image(_) if !active => self.clone(),
            _ => Self::new(self.kind),
        }
    }
}

impl<'a, M> Batch<'a, M> {
    /// The model that is explained.
    pub fn model(&self) -> &'a M {
        self.model
    }

    /// The images on the host, `[n, channels, h, w]` as given: of grey images one channel.
    pub fn pixels(&self) -> ArrayView4<'_, f32> {
        self.pixels.view()
    }

    /// The baseline on the host, of each image or one for all: `[n or 1, channels, h, w]`.
    pub fn baseline_pixels(&self) -> ArrayView4<'_, f32> {
        let baseline = &self.baseline;
        let pixels = (baseline.pixels).get_or_init(|| baseline.kind.of(self.pixels.view()));
        pixels.view()
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

    /// The draws of `sample` by `method` for image `image` of the batch: a stream of their own, so that
    /// nothing depends on the size of batches, the order of images or the number of samples.
    pub fn stream(&self, seed: u64, method: &str, image: usize, sample: usize) -> ChaCha8Rng {
        let (index, repeat) = (self.index[image], &self.repeat);
        random::stream(seed, &format!("{method}/{index}/{sample}{repeat}"))
    }

    /// The images on the device, as the model takes them: `[n, c, h, w]`.
    pub(super) fn upload(&self, pixels: ArrayView4<f32>) -> Tensor<4> {
        let (n, c, h, w) = pixels.dim();
        let values: Vec<f32> = pixels.iter().copied().collect();
        let x = Tensor::<4>::from_data(TensorData::new(values, [n, c, h, w]), self.device);
        if c == self.channels {
            x
        } else {
            x.repeat_dim(1, self.channels)
        }
    }

    /// These images with other pixels `[n, c, h, w]`, and what is known of the same baseline.
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

impl<'a, M: Explainable> Batch<'a, M> {
    /// The same batch of the model's layers, if it shows them: passes are shared.
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

impl<'a, M: Predict> Batch<'a, M> {
    /// The target's score of each image.
    ///
    /// # Errors
    /// What the model cannot do; scores that are not one finite number an image and class.
    pub fn scores(&self) -> Result<Vec<f32>> {
        let scores = match self.passes.scores.get() {
            Some(scores) => scores,
            None => {
                let scores = match self.layered() {
                    Some(layered) => rows(layered.trace().output()),
                    None => self.model.scores(self.upload(self.pixels()))?,
                };
                self.passes.scores.get_or_init(|| scores)
            }
        };
        self.of_targets(scores, 0..self.targets.len())
    }

    /// The target's score of each image's baseline.
    ///
    /// # Errors
    /// As [`scores`](Self::scores).
    pub fn baseline_scores(&self) -> Result<Vec<f32>> {
        let n = self.targets.len();
        let scores = match self.baseline.scores.get() {
            Some(scores) => scores,
            None => {
                let scores = match self.layered() {
                    Some(layered) => rows(layered.baseline().output()),
                    None => self.model.scores(self.upload(self.baseline_pixels()))?,
                };
                self.baseline.scores.get_or_init(|| scores)
            }
        };
        let scores = match scores.dims()[0] {
            1 => scores.clone().repeat_dim(0, n),
            _ => scores.clone(),
        };
        self.of_targets(&scores, 0..n)
    }

    /// The scores, for the target class of image `image` of the batch, of `variants` of it `[v, c, h, w]`,
    /// at most [`rows`](Self::rows) of them, the first of which is its variant number `first`.
    ///
    /// # Errors
    /// As [`scores`](Self::scores).
    pub fn scores_of(
        &self,
        image: usize,
        first: usize,
        variants: ArrayView4<f32>,
    ) -> Result<Vec<f32>> {
        let count = variants.dim().0;
        let x = self.upload(variants);
        let scores = match self.layered() {
            Some(layered) => {
                add_evaluations(count * layered.model.layers.len());
                let numbers = (first..).take(count);
                let masks = layered.masks("variant", numbers.map(|number| (image, number)));
                rows(&layered.model.forward_with(x, masks))
            }
            None => self.model.scores(x)?,
        };
        self.of_targets(&scores, std::iter::repeat_n(image, count))
    }

    /// Of the class scores of each of `images` the target's.
    fn of_targets(
        &self,
        scores: &Tensor<2>,
        images: impl ExactSizeIterator<Item = usize>,
    ) -> Result<Vec<f32>> {
        let [n, classes] = scores.dims();
        if n != images.len() {
            return Err(Error::invalid(format!(
                "the model gives {n} rows of scores for {} images; it should give one an image",
                images.len()
            )));
        }
        let scores = scores.clone().into_data().into_vec::<f32>();
        let scores = scores.map_err(|problem| Error::invalid(format!("{problem:?}")))?;
        let target = |(row, image): (usize, usize)| {
            let class = self.targets[image];
            if class >= classes {
                return Err(Error::invalid(format!(
                    "class {class} cannot be explained: the model has {classes} classes, counted from 0"
                )));
            }
            let score = scores[row * classes + class];
            match score.is_finite() {
                true => Ok(score),
                false => Err(Error::invalid(format!(
                    "image {}: the model gives class {class} the score {score}; check its weights, and that \
                     the image and the baseline hold no NaN",
                    self.index[image]
                ))),
            }
        };
        images.enumerate().map(target).collect()
    }
}

impl<M: Differentiable> Batch<'_, M> {
    /// The images as the model takes them, `[n, c, h, w]`.
    pub fn input(&self) -> Tensor<4> {
        match self.layered() {
            Some(layered) => layered.trace().input().clone(),
            None => self.upload(self.pixels()),
        }
    }

    /// The gradient of the target's score for the images, `[n, c, h, w]`.
    ///
    /// # Errors
    /// What the model cannot do.
    pub fn gradient(&self) -> Result<&Tensor<4>> {
        if let Some(gradient) = self.passes.gradient.get() {
            return Ok(gradient);
        }
        let gradient = match self.layered() {
            Some(layered) => {
                let trace = layered.trace();
                propagate(trace.steps(), &Gradient, one_hot(trace, self.targets))
            }
            None => self.gradient_at(self.input(), self.targets)?,
        };
        Ok(self.passes.gradient.get_or_init(|| gradient))
    }

    /// The gradient of the targets' scores for one place `[n, c, h, w]` an image, which is sample number `sample`
    /// of `method`.
    ///
    /// # Errors
    /// As [`gradient`](Self::gradient).
    pub fn gradient_of_sample(
        &self,
        places: Tensor<4>,
        method: &str,
        sample: usize,
    ) -> Result<Tensor<4>> {
        let Some(layered) = self.layered() else {
            return self.gradient_at(places, self.targets);
        };
        let rows = (0..self.targets.len()).map(|image| (image, sample));
        let trace = Trace::new(&layered.model.layers, places, layered.masks(method, rows));
        let start = one_hot(&trace, self.targets);
        Ok(propagate(trace.steps(), &Gradient, start))
    }

    /// The gradient of each target's score for any images `[n, c, h, w]` as the model takes them.
    ///
    /// # Errors
    /// As [`gradient`](Self::gradient).
    pub fn gradient_at(&self, images: Tensor<4>, targets: &[usize]) -> Result<Tensor<4>> {
        let shape = images.dims();
        let gradient = self.model.gradient(images, targets)?;
        match gradient.dims() == shape {
            true => Ok(gradient),
            false => Err(Error::invalid(format!(
                "the model's gradient is {:?} for images {shape:?}; it should have their shape",
                gradient.dims()
            ))),
        }
    }
}

impl<'a, M: Layered> Batch<'a, M> {
    /// The model's forward pass of the images.
    pub fn trace(&self) -> &Trace<'a> {
        (self.passes.trace).get_or_init(|| self.trace_of(self.model.network()))
    }

    /// The forward pass of the images through another `network`, with the masks of [`trace`](Self::trace).
    pub(super) fn trace_of<'b>(&self, network: &'b Network) -> Trace<'b> {
        let masks = self.masks("image", (0..self.targets.len()).map(|image| (image, 0)));
        Trace::new(&network.layers, self.upload(self.pixels()), masks)
    }

    /// The model's forward pass of the baseline: of the one that all images have, or of each image's own, as it
    /// is where dropout is active.
    pub fn baseline(&self) -> &Trace<'a> {
        (self.baseline.trace).get_or_init(|| {
            let images = self.targets.len();
            let masks = self.masks("baseline", (0..images).map(|image| (image, 0)));
            let x = self.upload(self.baseline_pixels());
            let x = if masks.is_some() {
                for_each(&x, images)
            } else {
                x
            };
            Trace::new(&self.model.network().layers, x, masks)
        })
    }

    /// The masks of a pass that is called `pass`, if the network's dropout is
    /// [active](Network::with_active_dropout). Of each row it says which image of the batch it is of, and which
    /// of this image's rows in such passes.
    pub(super) fn masks(
        &self,
        pass: &str,
        rows: impl Iterator<Item = (usize, usize)>,
    ) -> Option<Masks> {
        let network = self.model.network();
        network.active_dropout()?;
        let rows: Vec<_> = rows.collect();
        network.masks(rows.len(), |row| {
            let (image, number) = rows[row];
            format!("{pass}/{}/{number}{}", self.index[image], self.repeat)
        })
    }

    /// What goes into layer `index`, the images' less the baseline's: `[n, c, h, w]`. For index 0
    /// that is the images less the baseline.
    pub fn difference(&self, index: usize) -> Tensor<4> {
        self.trace().activation(index).clone() - self.baseline_activation(index)
    }

    /// What goes into layer `index` of the baseline, as often as there are images.
    pub fn baseline_activation(&self, index: usize) -> Tensor<4> {
        for_each(self.baseline().activation(index), self.targets.len())
    }

    /// The target's score of each image where the target stands, 0 elsewhere: `[n, classes, 1, 1]`.
    pub fn target_scores(&self) -> Tensor<4> {
        let trace = self.trace();
        trace.output().clone() * one_hot(trace, self.targets)
    }
}

/// `values` of each of `images`, of which there may be one for all. (Repeated, as Burn's CPU backend
/// is some 20 times slower where it broadcasts.)
pub(super) fn for_each(values: &Tensor<4>, images: usize) -> Tensor<4> {
    match values.dims()[0] {
        1 => values.clone().repeat_dim(0, images),
        _ => values.clone(),
    }
}

/// Class scores `[n, classes, 1, 1]` of a network as those of any model, `[n, classes]`.
fn rows(scores: &Tensor<4>) -> Tensor<2> {
    let [n, classes, ..] = scores.dims();
    scores.clone().reshape([n, classes])
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
