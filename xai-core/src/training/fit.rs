//! Fitting a network: epochs, learning-rate steps, the checkpoint rule and early stopping of the paper.

use rand::seq::SliceRandom;
use rand_chacha::ChaCha8Rng;
use serde::{Deserialize, Serialize};

use super::backward;
use super::examples::{Examples, argmax, cross_entropy, to_vec};
use super::sgd::{Optimizer, State};
use super::validation::Epoch;
use crate::device::Tensor;
use crate::error::{Error, Result};
use crate::network::{Layer, Network};
use crate::random;

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

/// The best network of a training and how it went.
pub struct Fit {
    /// The network after [`Fit::best`], in full.
    pub network: Network,
    /// One entry an epoch.
    pub history: Vec<Epoch>,
    /// The epoch whose network was kept.
    pub best: usize,
}

/// Trains `network` from layer `first` on; the layers before it are frozen. `train` and `validation` are images, or
/// images that have [passed](Examples::through) some or all of the frozen layers.
///
/// A checkpoint is kept when validation accuracy improves on the one kept before and
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
    let mut kept: Option<(usize, Network)> = None;
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
            backward::calibrate(&mut end, train.first(CALIBRATION, network));
        }
        let now = Epoch {
            accuracy,
            loss,
            validation: validation.evaluate(&end, &format!("validation/{epoch}")),
        };
        history.push(now);
        if best(&history, schedule.largest_gap) == Some(epoch) {
            kept = Some((epoch, end.clone()));
        }
        each_epoch(&now, &end)?;
        if has_settled(&history) {
            break;
        }
    }
    let (best, end) = kept.ok_or_else(|| Error::invalid("a training needs at least one epoch"))?;
    Ok(Fit {
        network: network.with_end(first, &end),
        history,
        best,
    })
}

/// The order in which an epoch, counted from 0, takes its `count` images.
pub fn order(count: usize, seed: u64, epoch: usize) -> Vec<usize> {
    draw_order(count, seed, epoch).0
}

/// The order, and the stream from which the epoch's dropout draws next.
fn draw_order(count: usize, seed: u64, epoch: usize) -> (Vec<usize>, ChaCha8Rng) {
    let mut rng = random::stream(seed, &format!("training/epoch/{epoch}"));
    let mut order: Vec<usize> = (0..count).collect();
    order.shuffle(&mut rng);
    (order, rng)
}

fn train_epoch(
    end: &mut Network,
    state: &mut State,
    train: &Examples,
    schedule: &Schedule,
    epoch: usize,
    seed: u64,
) -> (f64, f64) {
    let (order, mut rng) = draw_order(train.len(), seed, epoch);
    // Logits are read when the epoch is over: to read them after each step, a GPU would have to wait for us.
    let mut logits = Vec::new();
    for batch in order.chunks(schedule.batch) {
        let (x, class) = train.select(batch, end);
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
        let class = train.class()[at];
        correct += usize::from(argmax(logits) == class);
        loss += cross_entropy(logits, class);
    }
    let n = train.len() as f64;
    (correct as f64 / n, loss / n)
}

/// The epoch whose network is kept: the first of those with the best validation accuracy among the ones whose training
/// accuracy is not further from it than `largest_gap`, or among all if there is none.
fn best(history: &[Epoch], largest_gap: f64) -> Option<usize> {
    let gap = |e: &Epoch| (e.accuracy - e.validation.accuracy).abs();
    // Accuracies are counts of images; what their quotients lose in rounding decides nothing.
    let fair = |e: &Epoch| gap(e) <= largest_gap + 1e-9;
    let rank = |epoch: usize| (fair(&history[epoch]), history[epoch].validation.accuracy);
    (0..history.len()).reduce(|best, epoch| match rank(epoch) > rank(best) {
        true => epoch,
        false => best,
    })
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
    use crate::training::Validation;

    /// Training and validation accuracy of each epoch.
    type Epochs = &'static [(f64, f64)];

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

    /// Which checkpoint is kept, by the rule of the paper (PROTOCOL.md: validation accuracy improves, and differs from
    /// training accuracy by at most 0.05).
    #[test]
    fn a_checkpoint_is_kept_when_it_improves_and_is_fair() {
        // Training and validation accuracy of each epoch; the epoch that is kept.
        let cases: [(&str, Epochs, usize); 8] = [
            (
                "improves each time",
                &[(0.6, 0.6), (0.7, 0.7), (0.8, 0.8)],
                2,
            ),
            ("falls again", &[(0.6, 0.6), (0.8, 0.8), (0.82, 0.79)], 1),
            (
                "no improvement: the first of equals",
                &[(0.8, 0.8), (0.82, 0.8)],
                0,
            ),
            ("training too far ahead", &[(0.7, 0.7), (0.9, 0.84)], 0),
            ("validation too far ahead", &[(0.7, 0.7), (0.74, 0.8)], 0),
            ("just fair", &[(0.7, 0.7), (0.85, 0.8)], 1),
            (
                "better than the kept one, not than the unfair one",
                &[(0.99, 0.9), (0.82, 0.8), (0.86, 0.85)],
                2,
            ),
            (
                "none is fair: the best by validation",
                &[(0.8, 0.6), (0.9, 0.7), (0.95, 0.65)],
                1,
            ),
        ];
        for (name, epochs, kept) in cases {
            assert_eq!(best(&history(epochs), 0.05), Some(kept), "{name}");
        }
        assert_eq!(best(&[], 0.05), None);
    }

    /// The early stop of the paper (PROTOCOL.md: three successive validation accuracies change by less than 0.005 while
    /// training accuracy is above them).
    #[test]
    fn training_stops_once_three_validations_agree_below_training() {
        const SETTLED: Epochs = &[(0.9, 0.5), (0.9, 0.8), (0.9, 0.804), (0.9, 0.801)];
        let cases: [(&str, Epochs, bool); 7] = [
            ("settled", SETTLED, true),
            ("still moving", &SETTLED[..3], false),
            ("too few", &SETTLED[2..], false),
            (
                "training is not above it",
                &[(0.9, 0.8), (0.9, 0.804), (0.79, 0.801)],
                false,
            ),
            (
                "training is equal",
                &[(0.9, 0.8), (0.9, 0.804), (0.801, 0.801)],
                false,
            ),
            (
                "rises in small steps",
                &[(0.9, 0.8), (0.9, 0.804), (0.9, 0.808)],
                true,
            ),
            (
                "one step is too large",
                &[(0.9, 0.8), (0.9, 0.8), (0.9, 0.805)],
                false,
            ),
        ];
        for (name, epochs, stops) in cases {
            assert_eq!(has_settled(&history(epochs)), stops, "{name}");
        }
    }

    #[test]
    fn the_rate_falls_by_ten_every_seven_epochs() {
        let schedule = Schedule::paper(Sgd::rate(0.02).momentum(0.5));
        for (epoch, rate) in [(0, 0.02), (6, 0.02), (7, 0.002), (14, 0.0002)] {
            assert!((schedule.rate(epoch) - rate).abs() < 1e-12);
        }
    }
}
