//! The training loop.

use rand::seq::SliceRandom;
use rand_chacha::ChaCha8Rng;

use super::backward;
use super::batch_norm::calibrate;
use super::examples::{Examples, to_vec};
use super::optimizer::OptimizerState;
use super::plan::TrainingPlan;
use super::validation::{Epoch, Validation, check_loss, check_validation_loss};
use crate::device::Tensor;
use crate::error::{Error, Result};
use crate::network::{Layer, Network};
use crate::random;

/// Training images used to set batch norm before each evaluation.
const CALIBRATION: usize = 192;

/// The best network of a training, and the record of the training.
pub struct Fit {
    /// The network after [`Fit::best`], in full.
    pub network: Network,
    /// One entry per epoch.
    pub history: Vec<Epoch>,
    /// The epoch whose network was kept.
    pub best: usize,
}

/// Trains `network` from layer `first` on according to `plan`. The layers before it are frozen.
/// `train` and `validation` are images, or images that have [passed](Examples::through) some or all
/// of the frozen layers.
///
/// `each_epoch` receives the record of the epoch and the trained end of the network in its current
/// state. It can stop the training by returning an error.
///
/// # Errors
/// If `each_epoch` returns one; if the plan trains nothing; if the network [cannot
/// take](Examples::check) the images, or the loss their labels; if a loss of training or validation is not finite,
/// with the epoch and the rate.
pub fn fit(
    network: &Network,
    first: usize,
    train: &Examples,
    validation: &Examples,
    plan: &TrainingPlan,
    seed: u64,
    each_epoch: impl FnMut(&Epoch, &Network) -> Result<()>,
) -> Result<Fit> {
    let data = [train, validation];
    fit_watched(network, first, data, plan, seed, |_| Ok(()), each_epoch)
}

/// As [`fit`], for training and validation images. `each_step` is called after each step, with the
/// number of the epoch, counted from 0. It can stop the training by returning an error.
pub(crate) fn fit_watched(
    network: &Network,
    first: usize,
    [train, validation]: [&Examples; 2],
    plan: &TrainingPlan,
    seed: u64,
    mut each_step: impl FnMut(usize) -> Result<()>,
    mut each_epoch: impl FnMut(&Epoch, &Network) -> Result<()>,
) -> Result<Fit> {
    plan.check()?;
    train.check(network, plan.loss)?;
    validation.check(network, plan.loss)?;
    let mut trained = network.layers.iter().skip(first);
    if !trained.any(Layer::has_parameters) {
        return Err(Error::invalid(format!(
            "no weights are left to train: layer {first} is the first that is not frozen, and none of the network's {} \
             layers (counted from 0) has weights from there on",
            network.layers.len()
        )));
    }
    let train = train.through(network, first);
    let validation = validation.through(network, first);
    let mut end = network.end(first);
    let mut state = OptimizerState::default();
    let mut history: Vec<Epoch> = Vec::new();
    let mut kept: Option<(usize, Network)> = None;
    for epoch in 0..plan.epochs {
        let each_step = || each_step(epoch);
        let trained = train_epoch(
            &mut end,
            &mut state,
            &train,
            plan,
            [epoch as u64, seed],
            each_step,
        )?;
        let Validation { accuracy, loss, .. } = trained;
        check_loss(loss, epoch, plan.rate(epoch))?;
        if end.has_batch_norm() {
            // Running statistics lag behind weights that still change quickly. Statistics of the
            // current weights ("precise batch norm", Wu & Johnson 2021) evaluate what was learnt.
            calibrate(&mut end, train.sample(CALIBRATION, network));
        }
        let now = Epoch {
            accuracy,
            loss,
            validation: validation.evaluate(&end, plan.loss, &format!("validation/{epoch}")),
        };
        check_validation_loss(now.validation.loss, epoch, plan.rate(epoch))?;
        history.push(now);
        if plan.best(&history) == Some(epoch) {
            kept = Some((epoch, end.clone()));
        }
        each_epoch(&now, &end)?;
        if plan.ends(&history) {
            break;
        }
    }
    let (best, end) = kept.expect("there is an epoch, as the plan was checked");
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
    state: &mut OptimizerState,
    train: &Examples,
    plan: &TrainingPlan,
    [epoch, seed]: [u64; 2],
    mut each_step: impl FnMut() -> Result<()>,
) -> Result<Validation> {
    let epoch = epoch as usize;
    let (order, mut rng) = draw_order(train.len(), seed, epoch);
    // Logits are read at the end of the epoch. Reading them after each step would make a GPU wait.
    let mut logits = Vec::new();
    for batch in order.chunks(plan.batch) {
        let x = train.select(batch, end);
        let gradient = |outputs| plan.loss.gradient(outputs, train.labels(), batch);
        let step = backward::step_by(end, x, gradient, &mut rng);
        state.update(end, step.gradients, plan.rate(epoch), &plan.optimizer);
        logits.push(step.logits);
        each_step()?;
    }
    let logits = Tensor::cat(logits, 0);
    let [_, classes] = logits.dims();
    let logits = to_vec(logits);
    let rows = logits.chunks(classes);
    Ok(plan.loss.judge(rows, train.labels(), order.iter().copied()))
}
