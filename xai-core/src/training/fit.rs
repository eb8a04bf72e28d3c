//! Fitting a network: epochs, learning-rate steps, the checkpoint rule and early stopping of the paper.

use burn::tensor::{Int, TensorData};
use ndarray::ArrayView3;
use rand::seq::SliceRandom;
use serde::{Deserialize, Deserializer, Serialize};

use super::backward;
use super::sgd::{Optimizer, State};
use crate::device::{Backend, Device, Tensor};
use crate::error::{Error, Result};
use crate::network::{Layer, Network};
use crate::random;

/// Images computed together where no gradient is asked for.
const EVALUATION_BATCH: usize = 64;

/// Training images by which batch norm is set before each evaluation.
const CALIBRATION: usize = 192;

/// How to train.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Schedule {
    /// The optimiser.
    pub optimizer: Optimizer,
    /// Passes over the training set at most.
    pub epochs: usize,
    /// Images a step.
    pub batch: usize,
    /// The learning rate is multiplied by 0.1 every so many epochs.
    pub decay_every: usize,
    /// A checkpoint is kept only if training and validation accuracy differ by at most this.
    pub largest_gap: f64,
}

impl Schedule {
    /// The paper's: batches of 32, the rate divided by 10 every 7 epochs, at most 40 epochs,
    /// checkpoints with a gap of at most 0.05.
    pub fn paper(optimizer: impl Into<Optimizer>) -> Self {
        Self {
            optimizer: optimizer.into(),
            epochs: 40,
            batch: 32,
            decay_every: 7,
            largest_gap: 0.05,
        }
    }

    fn rate(&self, epoch: usize) -> f64 {
        self.optimizer.rate() * 0.1f64.powi((epoch / self.decay_every) as i32)
    }
}

/// A result on the validation set: the only thing that a selection may look at.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Validation {
    /// The share of correctly classified images.
    #[serde(deserialize_with = "null_is_nan")]
    pub accuracy: f64,
    /// The mean cross-entropy.
    #[serde(deserialize_with = "null_is_nan")]
    pub loss: f64,
}

/// What one pass over the training set came to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Epoch {
    /// Share of the training images classified correctly while they were trained on.
    #[serde(deserialize_with = "null_is_nan")]
    pub accuracy: f64,
    /// Mean cross-entropy of the same.
    #[serde(deserialize_with = "null_is_nan")]
    pub loss: f64,
    /// The result on the validation set after the pass.
    pub validation: Validation,
}

/// A training that diverged has losses that JSON can only write as `null`.
fn null_is_nan<'de, D: Deserializer<'de>>(deserializer: D) -> Result<f64, D::Error> {
    Ok(Option::deserialize(deserializer)?.unwrap_or(f64::NAN))
}

/// Inputs of a network (or of its trainable end) on a device, with their classes.
#[derive(Clone)]
pub struct Examples {
    inputs: Tensor<4>,
    class: Vec<u8>,
}

impl Examples {
    /// Grey images `[n, h, w]` in [0, 1] with the class of each.
    pub fn of_images(images: ArrayView3<f32>, class: &[u8], device: &Device) -> Self {
        let (n, h, w) = images.dim();
        let pixels: Vec<f32> = images.iter().copied().collect();
        Self {
            inputs: Tensor::from_data(TensorData::new(pixels, [n, 1, h, w]), device),
            class: class.to_vec(),
        }
    }

    /// Number of examples.
    pub fn len(&self) -> usize {
        self.class.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.class.is_empty()
    }

    /// The outputs of the first `layers` layers for these inputs: what the trainable end of a
    /// network sees. Frozen layers are computed once, here, and not in every epoch.
    pub fn through(&self, network: &Network, layers: usize) -> Self {
        if layers == 0 {
            return self.clone();
        }
        let frozen = Network::new(network.layers[..layers].to_vec());
        let outputs = self.batches(|x, _| frozen.forward(x));
        Self {
            inputs: Tensor::cat(outputs, 0),
            class: self.class.clone(),
        }
    }

    /// `f` of each batch and of the number of its first example.
    fn batches<T>(&self, mut f: impl FnMut(Tensor<4>, usize) -> T) -> Vec<T> {
        let starts = (0..self.len()).step_by(EVALUATION_BATCH);
        starts
            .map(|start| {
                let end = (start + EVALUATION_BATCH).min(self.len());
                let x = self.inputs.clone().narrow(0, start, end - start);
                f(three_channels(x), start)
            })
            .collect()
    }

    /// The first `count` inputs, as a network takes them.
    pub fn first(&self, count: usize) -> Tensor<4> {
        three_channels(self.inputs.clone().narrow(0, 0, count.min(self.len())))
    }

    fn select(&self, which: &[usize]) -> (Tensor<4>, Vec<u8>) {
        let class = which.iter().map(|&i| self.class[i]).collect();
        let index: Vec<i32> = which.iter().map(|&i| i as i32).collect();
        let index = burn::tensor::Tensor::<Backend, 1, Int>::from_ints(
            TensorData::new(index, [which.len()]),
            &self.inputs.device(),
        );
        (three_channels(self.inputs.clone().select(0, index)), class)
    }

    /// The logits `[n, classes]` of these inputs, on the host, row by row. Where the network's dropout is
    /// [active](Network::with_active_dropout), `pass` names the pass: another one draws other masks.
    pub fn logits(&self, network: &Network, pass: &str) -> Vec<Vec<f32>> {
        let rows = self.batches(|x, first| {
            let name = |row| format!("{pass}/{}", first + row);
            let masks = network.masks(x.dims()[0], name);
            network.forward_with(x, masks)
        });
        if rows.is_empty() {
            return Vec::new();
        }
        let logits = Tensor::cat(rows, 0);
        let [_, classes, ..] = logits.dims();
        to_vec(logits)
            .chunks(classes)
            .map(<[f32]>::to_vec)
            .collect()
    }

    /// Accuracy and mean cross-entropy of the network's [logits](Self::logits).
    pub fn evaluate(&self, network: &Network, pass: &str) -> Validation {
        let logits = self.logits(network, pass);
        let correct = logits
            .iter()
            .zip(&self.class)
            .filter(|(l, c)| argmax(l) == **c);
        let accuracy = correct.count() as f64 / self.len() as f64;
        let loss = logits
            .iter()
            .zip(&self.class)
            .map(|(logits, &class)| cross_entropy(logits, class));
        Validation {
            accuracy,
            loss: loss.sum::<f64>() / self.len() as f64,
        }
    }
}

/// Grey images are repeated to the three channels that VGG has; features pass as they are.
fn three_channels(x: Tensor<4>) -> Tensor<4> {
    match x.dims() {
        [_, 1, h, w] if h * w > 1 => x.repeat_dim(1, 3),
        _ => x,
    }
}

fn to_vec<const D: usize>(tensor: Tensor<D>) -> Vec<f32> {
    tensor.into_data().into_vec().expect("32-bit floats")
}

/// The class with the largest logit (or probability); the first of equals.
pub fn argmax<T: PartialOrd>(logits: &[T]) -> u8 {
    let mut best = 0;
    for (class, logit) in logits.iter().enumerate() {
        if *logit > logits[best] {
            best = class;
        }
    }
    best as u8
}

/// The probability of each class, from its logits.
pub fn softmax(logits: &[f32]) -> Vec<f64> {
    let largest = logits.iter().copied().fold(f32::NEG_INFINITY, f32::max);
    let powers = logits.iter().map(|&logit| f64::from(logit - largest).exp());
    let powers: Vec<f64> = powers.collect();
    let sum: f64 = powers.iter().sum();
    powers.into_iter().map(|power| power / sum).collect()
}

fn cross_entropy(logits: &[f32], class: u8) -> f64 {
    let largest = logits.iter().copied().fold(f32::NEG_INFINITY, f32::max) as f64;
    let sum: f64 = logits.iter().map(|&l| (l as f64 - largest).exp()).sum();
    sum.ln() + largest - logits[class as usize] as f64
}

/// The best network of a training and how it went.
pub struct Fit {
    /// The network after [`Fit::best`], in full.
    pub network: Network,
    /// One entry an epoch.
    pub history: Vec<Epoch>,
    /// The epoch whose network was kept.
    pub best: usize,
}

/// Trains `network` from layer `first` on; the layers before it are frozen.
///
/// A checkpoint is kept when validation accuracy improves (or is equal at a smaller loss) and
/// differs from training accuracy by at most `largest_gap`; where no epoch meets the second
/// condition, the best by validation alone is kept. Training stops early once three successive
/// validation accuracies change by less than 0.005 while training accuracy is above them (paper,
/// section 2.4). `each_epoch` is told what happened and gets the trained end of the network as it is now; it may stop
/// the training by an error.
///
/// # Errors
/// What `each_epoch` returns; a loss that is not a number, with the epoch and the rate; a residual
/// block that is not frozen.
pub fn fit(
    network: &Network,
    first: usize,
    train: &Examples,
    validation: &Examples,
    schedule: &Schedule,
    seed: u64,
    mut each_epoch: impl FnMut(&Epoch, &Network) -> Result<()>,
) -> Result<Fit> {
    let mut trained = network.layers.iter().skip(first);
    if trained.any(|layer| matches!(layer, Layer::Residual(_))) {
        return Err(Error::invalid(format!(
            "residual blocks cannot be trained here, only explained; train this network elsewhere and \
             load its weights, or freeze its layers up to the last block (layer {first} is the first one \
             to be trained now)"
        )));
    }
    let train = train.through(network, first);
    let validation = validation.through(network, first);
    let mut end = network.end(first);
    let mut state = State::default();
    let mut history: Vec<Epoch> = Vec::new();
    let mut kept: Option<(bool, Epoch, usize, Network)> = None;
    for epoch in 0..schedule.epochs {
        let (accuracy, loss) = train_epoch(&mut end, &mut state, &train, schedule, epoch, seed);
        if !loss.is_finite() {
            return Err(Error::invalid(format!(
                "the loss of epoch {} is {loss}: the learning rate {} is too large",
                epoch + 1,
                schedule.optimizer.rate()
            )));
        }
        if end.has_batch_norm() {
            // The running statistics lag behind weights that still move fast; those of the weights
            // as they are now ("precise batch norm", Wu & Johnson 2021) evaluate what was learnt.
            backward::calibrate(&mut end, train.first(CALIBRATION));
        }
        let now = Epoch {
            accuracy,
            loss,
            validation: validation.evaluate(&end, &format!("validation/{epoch}")),
        };
        let fair = (accuracy - now.validation.accuracy).abs() <= schedule.largest_gap;
        let rank = |fair: bool, e: &Epoch| (fair, e.validation.accuracy, -e.validation.loss);
        if kept
            .as_ref()
            .is_none_or(|(was_fair, best, ..)| rank(fair, &now) > rank(*was_fair, best))
        {
            kept = Some((fair, now, epoch, end.clone()));
        }
        history.push(now);
        each_epoch(&now, &end)?;
        if has_settled(&history) {
            break;
        }
    }
    let (_, _, best, end) = kept.ok_or_else(|| Error::invalid("a training of no epochs"))?;
    Ok(Fit {
        network: network.with_end(first, &end),
        history,
        best,
    })
}

fn train_epoch(
    end: &mut Network,
    state: &mut State,
    train: &Examples,
    schedule: &Schedule,
    epoch: usize,
    seed: u64,
) -> (f64, f64) {
    let mut rng = random::stream(seed, &format!("training/epoch/{epoch}"));
    let mut order: Vec<usize> = (0..train.len()).collect();
    order.shuffle(&mut rng);
    // Logits are read when the epoch is over: to read them after each step, a GPU would have to wait for us.
    let mut logits = Vec::new();
    for batch in order.chunks(schedule.batch) {
        let (x, class) = train.select(batch);
        let step = backward::step(&mut end.layers, x, &class, &mut rng);
        state.update(
            &mut end.layers,
            step.gradients,
            schedule.rate(epoch),
            &schedule.optimizer,
        );
        logits.push(step.logits);
    }
    let logits = Tensor::cat(logits, 0);
    let [_, classes] = logits.dims();
    let (mut correct, mut loss) = (0, 0.0);
    for (logits, &at) in to_vec(logits).chunks(classes).zip(&order) {
        let class = train.class[at];
        correct += usize::from(argmax(logits) == class);
        loss += cross_entropy(logits, class);
    }
    let n = train.len() as f64;
    (correct as f64 / n, loss / n)
}

/// The early stop: the last three validation accuracies lie closer than 0.005, one to the next,
/// and below their epochs' training accuracy.
fn has_settled(history: &[Epoch]) -> bool {
    let Some([a, b, c]) = history.last_chunk() else {
        return false;
    };
    let close =
        |a: &Epoch, b: &Epoch| (a.validation.accuracy - b.validation.accuracy).abs() < 0.005;
    close(a, b) && close(b, c) && [a, b, c].iter().all(|e| e.accuracy > e.validation.accuracy)
}

#[cfg(test)]
mod tests {
    use super::super::Sgd;
    use super::*;

    fn history(epochs: &[(f64, f64)]) -> Vec<Epoch> {
        let epoch = |&(accuracy, validation)| Epoch {
            accuracy,
            loss: 0.0,
            validation: Validation {
                accuracy: validation,
                loss: 0.0,
            },
        };
        epochs.iter().map(epoch).collect()
    }

    #[test]
    fn training_stops_once_three_validations_agree_below_training() {
        let settled = [(0.9, 0.5), (0.9, 0.8), (0.9, 0.804), (0.9, 0.801)];
        assert!(has_settled(&history(&settled)));
        assert!(!has_settled(&history(&settled[..3])), "still moving");
        assert!(!has_settled(&history(&settled[2..])), "too few");
        let ahead = [(0.9, 0.8), (0.9, 0.804), (0.79, 0.801)];
        assert!(!has_settled(&history(&ahead)), "training is not above it");
    }

    #[test]
    fn the_rate_falls_by_ten_every_seven_epochs() {
        let schedule = Schedule::paper(Sgd::rate(0.02).momentum(0.5));
        for (epoch, rate) in [(0, 0.02), (6, 0.02), (7, 0.002), (14, 0.0002)] {
            assert!((schedule.rate(epoch) - rate).abs() < 1e-12);
        }
    }
}
