//! The data on which a network is trained and tested: images, or the outputs of frozen layers for
//! them.

use std::fs::File;
use std::path::Path;
use std::sync::Arc;

use memmap2::Mmap;

use super::loss::{Labels, Loss};
use super::validation::Validation;
use crate::dataset::Dataset;
use crate::device::{Device, Tensor, download, on_cpu, upload, upload_integers};
use crate::error::{Error, Result};
use crate::key::Key;
use crate::network::{Network, shapes};

/// Images computed together when no gradient is needed.
const EVALUATION_BATCH: usize = 64;

/// Inputs of a network, or of its layers from some index on, with their classes, and with their
/// responses if they are known.
#[derive(Clone)]
pub struct Examples {
    inputs: Inputs,
    class: Vec<u8>,
    response: Option<Vec<f32>>,
    /// The key of their data set.
    key: Key,
    /// The number of layers of the network that they have passed.
    passed: usize,
}

/// The storage of inputs.
#[derive(Clone)]
enum Inputs {
    /// On the device: `[n, c, h, w]`.
    Here(Tensor<4>),
    /// In a file of little-endian 32-bit floats, row by row. Batches are copied to the device.
    InFile {
        map: Arc<Mmap>,
        /// Of one row.
        shape: [usize; 3],
        device: Device,
    },
}

impl Inputs {
    /// The rows with these indices.
    fn select(&self, which: &[usize]) -> Tensor<4> {
        match self {
            Self::Here(inputs) => {
                let index: Vec<i32> = which.iter().map(|&i| i as i32).collect();
                let index = upload_integers(index, &inputs.device());
                inputs.clone().select(0, index)
            }
            Self::InFile { map, shape, device } => {
                let row = shape.iter().product::<usize>() * size_of::<f32>();
                let bytes = which.iter().map(|&at| &map[at * row..][..row]);
                let bytes = bytes.flat_map(|row| row.as_chunks::<4>().0);
                let numbers: Vec<f32> = bytes.map(|bytes| f32::from_le_bytes(*bytes)).collect();
                let [c, h, w] = *shape;
                upload(numbers, [which.len(), c, h, w], device)
            }
        }
    }
}

impl Examples {
    /// The images of a data set, on a device.
    pub fn of(dataset: &Dataset, device: &Device) -> Self {
        let pixels: Vec<f32> = dataset.images().iter().copied().collect();
        let (n, c, h, w) = dataset.images().dim();
        Self {
            inputs: Inputs::Here(upload(pixels, [n, c, h, w], device)),
            class: dataset.class().to_vec(),
            response: dataset.response().map(<[f32]>::to_vec),
            key: dataset.key().clone(),
            passed: 0,
        }
    }

    /// # Errors
    /// If `network`, or its part after the layers that they have passed, cannot take inputs of this
    /// size; if `loss` does not fit its outputs or the labels of the examples: a class without an
    /// output, or a regression without responses or with several outputs.
    pub fn check(&self, network: &Network, loss: Loss) -> Result<()> {
        let shape = self.shape();
        let shape = match (self.repeats(network), shape) {
            (Some(channels), [_, h, w]) => [channels, h, w],
            _ => shape,
        };
        let shapes = shapes(&network.end(self.passed), shape)?;
        let [outputs, ..] = shapes[shapes.len() - 1];
        loss.check(self.labels(), outputs)
    }

    /// `[channels, height, width]` of each input.
    fn shape(&self) -> [usize; 3] {
        match &self.inputs {
            Inputs::Here(inputs) => {
                let [_, shape @ ..] = inputs.dims();
                shape
            }
            Inputs::InFile { shape, .. } => *shape,
        }
    }

    /// The bytes that they occupy in the memory of their device. Those in a file occupy none.
    pub(crate) fn bytes_in_memory(&self) -> usize {
        match &self.inputs {
            Inputs::Here(inputs) => inputs.dims().iter().product::<usize>() * size_of::<f32>(),
            Inputs::InFile { .. } => 0,
        }
    }

    /// The number of examples.
    pub fn len(&self) -> usize {
        self.class.len()
    }

    /// Whether there are no examples.
    pub fn is_empty(&self) -> bool {
        self.class.is_empty()
    }

    /// The [key](Dataset::key) of their data set.
    pub fn key(&self) -> &Key {
        &self.key
    }

    /// The classes.
    pub fn class(&self) -> &[u8] {
        &self.class
    }

    /// The [responses](Dataset::with_response), if they are known.
    pub fn response(&self) -> Option<&[f32]> {
        self.response.as_deref()
    }

    pub(super) fn labels(&self) -> Labels<'_> {
        Labels {
            class: self.class(),
            response: self.response(),
        }
    }

    /// The inputs of layer `layers` for these examples: the outputs of the layers before it. These
    /// are frozen, so they need not be computed in every epoch.
    ///
    /// If the examples have passed layers already, `network` must be the network of these layers.
    ///
    /// # Panics
    /// If they have passed more layers.
    pub fn through(&self, network: &Network, layers: usize) -> Self {
        let through = self.through_watched(network, layers, |_| Ok(()));
        through.expect("nobody stops it")
    }

    /// As [`through`](Self::through). `each` receives the number of examples of each batch that is
    /// done.
    ///
    /// # Errors
    /// Those of `each`.
    pub(crate) fn through_watched(
        &self,
        network: &Network,
        layers: usize,
        mut each: impl FnMut(usize) -> Result<()>,
    ) -> Result<Self> {
        if layers == self.passed {
            return Ok(self.clone());
        }
        let device = self.device();
        let here = on_cpu(&device);
        let (mut numbers, mut outputs, mut shape) = (Vec::new(), Vec::new(), [0; 4]);
        self.pass(network, layers, |output| {
            let [rows, c, h, w] = output.dims();
            shape = [self.len(), c, h, w];
            if here {
                // Written to their place at once, so that they are never in memory twice.
                numbers.reserve_exact(shape.iter().product::<usize>() - numbers.len());
                numbers.extend(to_vec(output));
            } else {
                outputs.push(output);
            }
            each(rows)
        })?;
        let outputs = if here {
            upload(numbers, shape, &device)
        } else {
            Tensor::cat(outputs, 0)
        };
        Ok(Self {
            inputs: Inputs::Here(outputs),
            class: self.class.clone(),
            response: self.response.clone(),
            key: self.key.clone(),
            passed: layers,
        })
    }

    /// As [`through`](Self::through), batch by batch, in order.
    ///
    /// # Errors
    /// Those of `each`.
    ///
    /// # Panics
    /// As [`through`](Self::through).
    pub fn pass(
        &self,
        network: &Network,
        layers: usize,
        mut each: impl FnMut(Tensor<4>) -> Result<()>,
    ) -> Result<()> {
        assert!(
            self.passed <= layers,
            "they have passed {} layers",
            self.passed
        );
        let frozen = Network::new(network.layers[self.passed..layers].to_vec());
        for start in (0..self.len()).step_by(EVALUATION_BATCH) {
            let end = (start + EVALUATION_BATCH).min(self.len());
            each(frozen.forward(self.rows(start, end, network)))?;
        }
        Ok(())
    }

    /// `[channels, height, width]` of each example after [`through`](Self::through).
    pub fn shape_after(&self, network: &Network, layers: usize) -> [usize; 3] {
        let frozen = Network::new(network.layers[self.passed..layers].to_vec());
        let [_, c, h, w] = frozen.forward(self.first(1, network)).dims();
        [c, h, w]
    }

    /// These examples after `layers` layers, read from a file with the output of
    /// [`pass`](Self::pass) as little-endian 32-bit floats. The file is mapped into memory and must
    /// not be modified.
    ///
    /// # Errors
    /// If the file cannot be read or has the wrong size.
    pub fn in_file(&self, file: &Path, shape: [usize; 3], layers: usize) -> Result<Self> {
        let problem = |error| Error::file(file, error);
        let opened = File::open(file).map_err(problem)?;
        // SAFETY: files of stages are written once, under another name, and never modified.
        let map = unsafe { Mmap::map(&opened) }.map_err(problem)?;
        let expected = self.len() * shape.iter().product::<usize>() * size_of::<f32>();
        if map.len() != expected {
            return Err(Error::file(
                file,
                format!(
                    "has {} bytes instead of {expected}; delete its folder and run again",
                    map.len()
                ),
            ));
        }
        Ok(Self {
            inputs: Inputs::InFile {
                map: Arc::new(map),
                shape,
                device: self.device(),
            },
            class: self.class.clone(),
            response: self.response.clone(),
            key: self.key.clone(),
            passed: layers,
        })
    }

    #[allow(clippy::clone_on_copy, reason = "no Copy with the feature `cuda`")]
    fn device(&self) -> Device {
        match &self.inputs {
            Inputs::Here(inputs) => inputs.device(),
            Inputs::InFile { device, .. } => device.clone(),
        }
    }

    /// The first `count` inputs, in the form that `network` takes.
    pub fn first(&self, count: usize, network: &Network) -> Tensor<4> {
        self.rows(0, count.min(self.len()), network)
    }

    /// `count` inputs that represent all of them, in the form that `network` takes. These are the
    /// first ones, if they have at least half of each class's share. Otherwise, as many evenly
    /// spaced ones, for example if images are sorted by class.
    pub(super) fn sample(&self, count: usize, network: &Network) -> Tensor<4> {
        let count = count.min(self.len());
        let tally = |classes: &[u8]| {
            let mut tally = [0; u8::MAX as usize + 1];
            classes.iter().for_each(|&class| tally[class as usize] += 1);
            tally
        };
        let (all, first) = (tally(&self.class), tally(&self.class[..count]));
        let mut shares = all.iter().zip(first);
        if shares.all(|(all, first)| 2 * first * self.len() >= all * count) {
            return self.first(count, network);
        }
        let spread: Vec<usize> = (0..count).map(|at| at * self.len() / count).collect();
        self.select(&spread, network)
    }

    /// The inputs from index `start` to `end`, in the form that `network` takes.
    fn rows(&self, start: usize, end: usize, network: &Network) -> Tensor<4> {
        self.as_channels(self.raw(start, end), network)
    }

    /// The inputs from index `start` to `end`, unchanged.
    fn raw(&self, start: usize, end: usize) -> Tensor<4> {
        match &self.inputs {
            Inputs::Here(inputs) => inputs.clone().narrow(0, start, end - start),
            file => file.select(&(start..end).collect::<Vec<_>>()),
        }
    }

    /// The inputs with these indices, in the form that `network` takes.
    pub(super) fn select(&self, which: &[usize], network: &Network) -> Tensor<4> {
        self.as_channels(self.inputs.select(which), network)
    }

    /// Grey images are repeated to the number of channels that the network takes. Examples that
    /// have passed layers are unchanged.
    fn as_channels(&self, x: Tensor<4>, network: &Network) -> Tensor<4> {
        match self.repeats(network) {
            Some(channels) => x.repeat_dim(1, channels),
            None => x,
        }
    }

    /// The number of channels to which grey images are repeated for this network.
    fn repeats(&self, network: &Network) -> Option<usize> {
        let grey = self.passed == 0 && self.shape()[0] == 1;
        network
            .input_channels()
            .filter(|&channels| grey && channels > 1)
    }

    /// The predictions of a model that is not a [`Network`]. `forward` receives batches
    /// `[n, channels, h, w]` in order and returns their class scores `[n, classes]`. Returns one
    /// row per image.
    pub fn scores(&self, mut forward: impl FnMut(Tensor<4>) -> Tensor<2>) -> Vec<Vec<f32>> {
        let mut rows = Vec::with_capacity(self.len());
        for start in (0..self.len()).step_by(EVALUATION_BATCH) {
            let scores = forward(self.raw(start, (start + EVALUATION_BATCH).min(self.len())));
            let [_, classes] = scores.dims();
            rows.extend(to_vec(scores).chunks(classes).map(<[f32]>::to_vec));
        }
        rows
    }

    /// The images with these indices, `[n, channels, h, w]`, and their classes: a batch for your
    /// own training loop.
    pub fn batch(&self, which: &[usize]) -> (Tensor<4>, Vec<u8>) {
        let class = which.iter().map(|&i| self.class[i]).collect();
        (self.inputs.select(which), class)
    }

    /// The logits `[n, classes]` of these inputs on the host, row by row, from the network or from
    /// its part after the layers that they have passed. If the network's dropout is
    /// [active](Network::with_active_dropout), `pass` names the pass; another pass draws other
    /// masks.
    pub fn logits(&self, network: &Network, pass: &str) -> Vec<Vec<f32>> {
        let mut rows = Vec::new();
        for first in (0..self.len()).step_by(EVALUATION_BATCH) {
            let end = (first + EVALUATION_BATCH).min(self.len());
            let x = self.rows(first, end, network);
            let name = |row| format!("{pass}/{}", first + row);
            let masks = network.masks(x.dims()[0], name);
            rows.push(network.forward_with(x, masks));
        }
        let logits = Tensor::cat(rows, 0);
        let [_, classes, ..] = logits.dims();
        to_vec(logits)
            .chunks(classes)
            .map(<[f32]>::to_vec)
            .collect()
    }

    /// How well the network's [outputs](Self::logits) fit the labels: accuracy and mean
    /// cross-entropy, or the errors of a regression.
    pub fn evaluate(&self, network: &Network, loss: Loss, pass: &str) -> Validation {
        let rows = self.logits(network, pass);
        let rows = rows.iter().map(Vec::as_slice);
        loss.judge(rows, self.labels(), 0..self.len())
    }
}

pub(super) fn to_vec<const D: usize>(tensor: Tensor<D>) -> Vec<f32> {
    download(tensor).expect("32-bit floats")
}

/// The probability of each class from the outputs of a model, whose layers are `network` if it has any: their softmax, or the
/// outputs themselves if the network ends in a softmax.
pub(crate) fn probabilities(outputs: &[f32], network: Option<&Network>) -> Vec<f64> {
    if network.is_some_and(Network::ends_in_softmax) {
        outputs.iter().map(|&output| output.into()).collect()
    } else {
        softmax(outputs)
    }
}

/// The probability of each class, computed from its logits.
pub fn softmax(logits: &[f32]) -> Vec<f64> {
    let largest = logits.iter().copied().fold(f32::NEG_INFINITY, f32::max);
    let powers = logits.iter().map(|&logit| f64::from(logit - largest).exp());
    let powers: Vec<f64> = powers.collect();
    let sum: f64 = powers.iter().sum();
    powers.into_iter().map(|power| power / sum).collect()
}
