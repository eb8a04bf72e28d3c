//! The training loop: epochs, Adam and the checkpoint.

use rand::seq::SliceRandom;

use super::passes::{Counts, Passes};
use super::program::Program;
use super::rows::Rows;
use crate::device::vectorised;
use crate::error::{Error, Result};
use crate::network::Network;
use crate::random;
use crate::training::fit::Fit;
use crate::training::validation::{Epoch, Validation, check_loss, check_validation_loss};

/// How to train.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct TinySchedule {
    /// The learning rate of Adam.
    pub rate: f64,
    /// The number of passes over the training set.
    pub epochs: usize,
    /// Images per step.
    pub batch: usize,
    /// Whether dropout stays on during validation.
    pub dropout_in_validation: bool,
}

/// The fraction of Adam's running means that is kept in a step.
const BETA: [f32; 2] = [0.9, 0.999];
/// Keeps Adam's divisor away from 0.
const EPSILON: f32 = 1e-8;

/// Trains all layers of `network` on images of shape `[c, h, w]`. It keeps the network of the epoch
/// with the lowest validation loss, summed over batches. If epochs are equal, it keeps the last of
/// them.
///
/// If the network ends in a softmax, the cross-entropy treats its probabilities as logits, as torch
/// does.
///
/// `each_epoch` receives the result of every epoch. It can stop the training by returning an error.
///
/// # Errors
/// - The network has layers other than convolutions, fully connected layers, ReLUs, dropouts and
///   maximum poolings, or does not fit the images.
/// - The number of epochs is 0.
/// - A loss is not a number.
/// - `each_epoch` returns an error.
pub fn fit_tiny(
    network: &Network,
    shape: [usize; 3],
    train: Rows<'_>,
    validation: Rows<'_>,
    schedule: &TinySchedule,
    seed: u64,
    mut each_epoch: impl FnMut(&Epoch) -> Result<()>,
) -> Result<Fit> {
    let (program, mut parameters) = Program::compile(network, shape)?;
    if train.class.is_empty() || validation.class.is_empty() || schedule.batch == 0 {
        return Err(Error::invalid(
            "a training needs images to train on, images for validation and a batch size",
        ));
    }
    let pixels = shape.iter().product::<usize>();
    for rows in [train, validation] {
        let (images, values) = (rows.class.len(), rows.pixels.len());
        if images * pixels != values {
            return Err(Error::invalid(format!(
                "{images} images of {pixels} pixels have {} values, but {values} are given",
                images * pixels
            )));
        }
    }
    let mut passes = Passes::new(&program);
    let mut adam = Adam::new(parameters.len(), schedule.rate);
    let mut history = Vec::new();
    let mut best: Option<(f64, usize, Vec<f32>)> = None;
    let mut order: Vec<usize> = (0..train.class.len()).collect();
    let numbers: Vec<usize> = (0..validation.class.len()).collect();
    for epoch in 0..schedule.epochs {
        order.sort_unstable();
        let mut random = random::stream(seed, &format!("training/epoch/{epoch}"));
        order.shuffle(&mut random);
        let mut trained = Counts::default();
        for batch in order.chunks(schedule.batch) {
            trained.add(passes.step(&program, &parameters, train, batch, &mut random));
            adam.update(&mut parameters, passes.gradients());
        }
        check_loss(trained.loss, epoch, schedule.rate)?;
        let (mut validated, mut summed) = (Counts::default(), 0.0);
        for batch in numbers.chunks(schedule.batch) {
            let random = schedule.dropout_in_validation.then_some(&mut random);
            let counts = passes.evaluate(&program, &parameters, validation, batch, random);
            summed += counts.loss / batch.len() as f64;
            validated.add(counts);
        }
        check_validation_loss(validated.loss, epoch, schedule.rate)?;
        let of_train = trained.of(train.class.len());
        let now = Epoch {
            accuracy: of_train.accuracy,
            loss: of_train.loss,
            validation: validated.of(validation.class.len()),
        };
        history.push(now);
        if best.as_ref().is_none_or(|(least, ..)| summed <= *least) {
            best = Some((summed, epoch, parameters.clone()));
        }
        each_epoch(&now)?;
    }
    let (_, best, parameters) = best.ok_or_else(|| Error::invalid("a training of no epochs"))?;
    Ok(Fit {
        network: program.network(network, &parameters),
        history,
        best,
    })
}

/// The gradients of the mean cross-entropy of these images for all parameters, layer by layer,
/// weight before bias. For tests against other programs.
#[doc(hidden)]
pub fn gradients(
    network: &Network,
    shape: [usize; 3],
    images: Rows<'_>,
) -> Result<(f64, Vec<f32>)> {
    let (program, parameters) = Program::compile(network, shape)?;
    let mut passes = Passes::new(&program);
    let numbers: Vec<usize> = (0..images.class.len()).collect();
    let mut random = random::stream(0, "training");
    let counts = passes.step(&program, &parameters, images, &numbers, &mut random);
    Ok((
        counts.loss / numbers.len() as f64,
        passes.gradients().to_vec(),
    ))
}

impl Counts {
    fn of(&self, images: usize) -> Validation {
        Validation {
            accuracy: self.correct as f64 / images as f64,
            loss: self.loss / images as f64,
            ..Validation::default()
        }
    }
}

/// Adam (Kingma and Ba 2015) with torch's constants.
struct Adam {
    rate: f32,
    steps: i32,
    mean: Vec<f32>,
    square: Vec<f32>,
}

impl Adam {
    fn new(parameters: usize, rate: f64) -> Self {
        Self {
            rate: rate as f32,
            steps: 0,
            mean: vec![0.0; parameters],
            square: vec![0.0; parameters],
        }
    }

    fn update(&mut self, parameters: &mut [f32], gradients: &[f32]) {
        self.steps += 1;
        let [of_mean, of_square] =
            BETA.map(|beta| (1.0 / (1.0 - f64::from(beta).powi(self.steps))) as f32);
        let factors = [self.rate, of_mean, of_square];
        update(
            parameters,
            &mut self.mean,
            &mut self.square,
            gradients,
            factors,
        );
    }
}

vectorised! {
    /// A step of Adam with these running means. The factors are the learning rate and the corrections of both means.
    fn update(parameters: &mut [f32], mean: &mut [f32], square: &mut [f32], gradients: &[f32], factors: [f32; 3]) {
        let [rate, of_mean, of_square] = factors;
        let moments = mean.iter_mut().zip(square);
        for ((parameter, (mean, square)), &g) in parameters.iter_mut().zip(moments).zip(gradients) {
            *mean = BETA[0] * *mean + (1.0 - BETA[0]) * g;
            *square = BETA[1] * *square + (1.0 - BETA[1]) * (g * g);
            *parameter -= rate * (of_mean * *mean) / ((of_square * *square).sqrt() + EPSILON);
        }
    }
}
