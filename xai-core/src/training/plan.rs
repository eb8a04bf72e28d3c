//! How a network is trained, as data. It is part of the key of a training.

use serde::{Deserialize, Serialize};

use super::loss::Loss;
use super::optimizer::Optimizer;
use super::validation::Epoch;
use crate::error::{Error, Result};

/// How to train.
///
/// ```
/// use xai_core::training::{CheckpointRule, Sgd, StopRule, TrainingPlan};
///
/// let plan = TrainingPlan {
///     checkpoint: CheckpointRule::BestLoss,
///     stop: StopRule::Patience(5),
///     ..TrainingPlan::new(Sgd::rate(0.01).momentum(0.9), 30, 32)
/// };
/// assert_eq!(plan.rate(29), 0.01);
/// ```
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct TrainingPlan {
    /// What it makes small.
    // Keys of classifications stay as they were before there were regressions.
    #[serde(default, skip_serializing_if = "Loss::classifies")]
    pub loss: Loss,
    /// The optimiser, with the learning rate of the first epoch.
    pub optimizer: Optimizer,
    /// The maximum number of passes over the training set.
    pub epochs: usize,
    /// Images per step. The last step of an epoch takes the remaining images.
    pub batch: usize,
    /// How the learning rate decays. `None` keeps it constant.
    pub decay: Option<Decay>,
    /// Which epoch's network is kept.
    pub checkpoint: CheckpointRule,
    /// When training ends before the last epoch.
    pub stop: StopRule,
}

/// A learning rate that decays in steps, like torch's `StepLR`.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Decay {
    /// The number of epochs between steps.
    pub every: usize,
    /// The factor of the rate at each step.
    pub factor: f64,
}

/// Which epoch's network is kept. Among equally good epochs, the first.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum CheckpointRule {
    /// The epoch with the best validation accuracy.
    BestAccuracy,
    /// The epoch with the best validation accuracy among those whose training accuracy differs from
    /// it by at most `largest_gap`. If there is none, among all epochs.
    BestAccuracyWithin {
        /// The largest difference, between 0 and 1.
        largest_gap: f64,
    },
    /// The epoch with the smallest validation loss. For a regression, this is also the epoch with the
    /// best R2.
    BestLoss,
    /// The epoch with the smallest mean absolute error on the validation set. For regressions.
    BestMae,
    /// The last epoch.
    Last,
}

/// When training ends before the last epoch.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum StopRule {
    /// Never.
    Never,
    /// After this many consecutive epochs that do not change which epoch the [`CheckpointRule`]
    /// keeps.
    Patience(usize),
    /// When the validation accuracies of the last `epochs` epochs differ by less than `change` from
    /// one to the next, and each is below the training accuracy of its epoch.
    Settled {
        /// The number of epochs to compare.
        epochs: usize,
        /// The smallest difference that counts as a change.
        change: f64,
    },
}

impl TrainingPlan {
    /// The number of steps on this many images, if no rule stops the training earlier.
    pub(crate) fn steps(&self, images: usize) -> usize {
        self.epochs * images.div_ceil(self.batch.max(1))
    }

    /// The plan of a classification with a constant rate and without early stop. It keeps the epoch
    /// with the best validation accuracy.
    pub fn new(optimizer: impl Into<Optimizer>, epochs: usize, batch: usize) -> Self {
        Self {
            loss: Loss::CrossEntropy,
            optimizer: optimizer.into(),
            epochs,
            batch,
            decay: None,
            checkpoint: CheckpointRule::BestAccuracy,
            stop: StopRule::Never,
        }
    }

    /// The plan of a regression: a network with one output learns the
    /// [response](crate::dataset::Dataset::with_response) of each image by the mean squared error.
    /// It keeps the epoch with the smallest error on the validation images.
    pub fn regression(optimizer: impl Into<Optimizer>, epochs: usize, batch: usize) -> Self {
        Self {
            loss: Loss::MeanSquaredError,
            checkpoint: CheckpointRule::BestLoss,
            ..Self::new(optimizer, epochs, batch)
        }
    }

    /// The learning rate of an epoch, counted from 0.
    pub fn rate(&self, epoch: usize) -> f64 {
        let rate = self.optimizer.rate();
        match self.decay {
            Some(Decay { every, factor }) => rate * factor.powi((epoch / every) as i32),
            None => rate,
        }
    }

    /// # Errors
    /// If no training is possible with these numbers, or if rules contradict each other.
    pub(super) fn check(&self) -> Result<()> {
        let problem = match self {
            Self { epochs: 0, .. } => "a training plan of 0 epochs trains nothing: give at least 1",
            Self { batch: 0, .. } => "a training plan needs at least 1 image per step, not 0",
            Self { optimizer, .. }
                if !(optimizer.rate().is_finite() && optimizer.rate() >= 0.0) =>
            {
                "the learning rate must be a finite number that is not below 0"
            }
            Self {
                decay: Some(Decay { every: 0, .. }),
                ..
            } => "the learning rate cannot decay every 0 epochs: give at least 1, or no decay",
            Self {
                stop: StopRule::Patience(0) | StopRule::Settled { epochs: 0, .. },
                ..
            } => "a stop rule must consider at least 1 epoch, not 0",
            Self {
                stop: StopRule::Patience(_),
                checkpoint: CheckpointRule::Last,
                ..
            } => {
                "with `CheckpointRule::Last` each epoch replaces the one before, so `StopRule::Patience` never \
                 stops: choose another rule for one of the two"
            }
            Self {
                loss: Loss::MeanSquaredError,
                checkpoint: CheckpointRule::BestAccuracy | CheckpointRule::BestAccuracyWithin { .. },
                ..
            } => {
                "a regression has no accuracy to choose an epoch by: choose `BestLoss` (also the best R2), `BestMae` \
                 or `Last`"
            }
            Self {
                loss: Loss::MeanSquaredError,
                stop: StopRule::Settled { .. },
                ..
            } => "a regression has no accuracy that could settle: choose `Patience` or `Never`",
            Self {
                loss: Loss::CrossEntropy,
                checkpoint: CheckpointRule::BestMae,
                ..
            } => {
                "a classification has no absolute error to choose an epoch by: choose another rule than `BestMae`, or \
                 train by `TrainingPlan::regression`"
            }
            _ => return Ok(()),
        };
        Err(Error::invalid(problem))
    }

    /// The epoch whose network is kept. `None` before the first.
    pub(super) fn best(&self, history: &[Epoch]) -> Option<usize> {
        let epochs = 0..history.len();
        match self.checkpoint {
            CheckpointRule::Last => epochs.last(),
            CheckpointRule::BestAccuracy => {
                first_best(epochs, |epoch| history[epoch].validation.accuracy)
            }
            // A value that is not a number counts as the worst.
            CheckpointRule::BestLoss => first_best(epochs, |epoch| {
                (-history[epoch].validation.loss).max(f64::NEG_INFINITY)
            }),
            CheckpointRule::BestMae => first_best(epochs, |epoch| {
                (-history[epoch].validation.mae).max(f64::NEG_INFINITY)
            }),
            CheckpointRule::BestAccuracyWithin { largest_gap } => first_best(epochs, |epoch| {
                let Epoch {
                    accuracy,
                    validation,
                    ..
                } = history[epoch];
                let gap = (accuracy - validation.accuracy).abs();
                // Accuracies are counts of images. Rounding in their quotients must not decide.
                (gap <= largest_gap + 1e-9, validation.accuracy)
            }),
        }
    }

    /// Whether training ends here.
    pub(super) fn ends(&self, history: &[Epoch]) -> bool {
        match self.stop {
            StopRule::Never => false,
            StopRule::Patience(epochs) => {
                let best = self.best(history);
                best.is_some_and(|best| history.len() - 1 - best >= epochs)
            }
            StopRule::Settled { epochs, change } => {
                let Some(first) = history.len().checked_sub(epochs) else {
                    return false;
                };
                let last = &history[first..];
                let moved =
                    |a: &Epoch, b: &Epoch| (a.validation.accuracy - b.validation.accuracy).abs();
                last.windows(2)
                    .all(|pair| moved(&pair[0], &pair[1]) < change)
                    && last
                        .iter()
                        .all(|epoch| epoch.accuracy > epoch.validation.accuracy)
            }
        }
    }
}

/// The first epoch with the largest rank.
fn first_best<R: PartialOrd>(
    epochs: impl Iterator<Item = usize>,
    rank: impl Fn(usize) -> R,
) -> Option<usize> {
    epochs.reduce(|best, epoch| {
        if rank(epoch) > rank(best) {
            epoch
        } else {
            best
        }
    })
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
                ..Validation::default()
            },
        };
        epochs.iter().map(epoch).collect()
    }

    /// Epochs with these validation losses.
    fn losses(losses: &[f64]) -> Vec<Epoch> {
        let epoch = |&loss| Epoch {
            validation: Validation {
                accuracy: 0.5,
                loss,
                ..Validation::default()
            },
            ..Epoch::default()
        };
        losses.iter().map(epoch).collect()
    }

    fn plan(checkpoint: CheckpointRule, stop: StopRule) -> TrainingPlan {
        TrainingPlan {
            checkpoint,
            stop,
            ..TrainingPlan::new(Sgd::rate(0.02), 40, 32)
        }
    }

    #[test]
    fn a_checkpoint_is_kept_when_it_improves_and_is_fair() {
        // The epoch that is kept within a gap of 0.05.
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
        let fair = CheckpointRule::BestAccuracyWithin { largest_gap: 0.05 };
        let best = |rule, history: &[Epoch]| plan(rule, StopRule::Never).best(history);
        for (name, epochs, kept) in cases {
            assert_eq!(best(fair, &history(epochs)), Some(kept), "{name}");
        }
        let rises = history(&[(0.7, 0.7), (0.99, 0.8), (1.0, 0.8), (1.0, 0.75)]);
        assert_eq!(best(fair, &rises), Some(0));
        assert_eq!(best(CheckpointRule::BestAccuracy, &rises), Some(1));
        assert_eq!(best(CheckpointRule::Last, &rises), Some(3));
        // A network that learns during the last pass: its training accuracy is a mean that began at chance.
        let late = history(&[(0.5, 0.5), (0.52, 0.5), (0.72, 0.94)]);
        assert_eq!(best(fair, &late), Some(0));
        assert_eq!(best(CheckpointRule::BestAccuracy, &late), Some(2));
        let falls = losses(&[f64::NAN, 0.7, f64::NAN, 0.3, 0.3, 0.4]);
        assert_eq!(best(CheckpointRule::BestLoss, &falls), Some(3));
        let errors = [f64::NAN, 0.7, 0.3, 0.3].map(|mae| Epoch {
            validation: Validation {
                mae,
                ..Validation::default()
            },
            ..Epoch::default()
        });
        assert_eq!(best(CheckpointRule::BestMae, &errors), Some(2));
        for rule in [fair, CheckpointRule::BestLoss, CheckpointRule::Last] {
            assert_eq!(best(rule, &[]), None);
        }
    }

    #[test]
    fn training_stops_once_validations_agree_below_training() {
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
        let settled = |epochs| StopRule::Settled {
            epochs,
            change: 0.005,
        };
        let ends = |stop, history: &[Epoch]| plan(CheckpointRule::BestLoss, stop).ends(history);
        for (name, epochs, stops) in cases {
            assert_eq!(ends(settled(3), &history(epochs)), stops, "{name}");
            assert!(!ends(StopRule::Never, &history(epochs)), "{name}");
        }
        let pair = history(&SETTLED[2..]);
        assert!(ends(settled(2), &pair) && !ends(settled(2), &history(&SETTLED[..2])));

        let waiting = losses(&[0.5, 0.3, 0.3, 0.4]);
        assert!(ends(StopRule::Patience(2), &waiting));
        assert!(!ends(StopRule::Patience(3), &waiting));
        assert!(!ends(StopRule::Patience(1), &losses(&[0.5, 0.4, 0.3])));
        assert!(!ends(StopRule::Patience(1), &[]));
    }

    #[test]
    fn the_rate_falls_in_steps() {
        let mut plan = TrainingPlan::new(Sgd::rate(0.02).momentum(0.5), 40, 32);
        assert_eq!([0, 39].map(|epoch| plan.rate(epoch)), [0.02, 0.02]);
        plan.decay = Some(Decay {
            every: 7,
            factor: 0.1,
        });
        for (epoch, rate) in [(0, 0.02), (6, 0.02), (7, 0.002), (14, 0.0002)] {
            assert!((plan.rate(epoch) - rate).abs() < 1e-12);
        }
    }

    #[test]
    fn a_plan_that_trains_nothing_is_refused() {
        let good = TrainingPlan::new(Sgd::rate(0.02), 2, 8);
        assert!(good.check().is_ok());
        let change = |change: fn(&mut TrainingPlan)| {
            let mut plan = good.clone();
            change(&mut plan);
            plan.check().unwrap_err().to_string()
        };
        assert!(change(|plan| plan.epochs = 0).contains("0 epochs"));
        assert!(change(|plan| plan.batch = 0).contains("1 image per step"));
        for rate in [-1.0, f64::NAN, f64::INFINITY] {
            let plan = TrainingPlan::new(Sgd::rate(rate), 2, 8);
            assert!(
                plan.check()
                    .unwrap_err()
                    .to_string()
                    .contains("not below 0")
            );
        }
        let never = |plan: &mut TrainingPlan| {
            plan.decay = Some(Decay {
                every: 0,
                factor: 0.1,
            });
        };
        assert!(change(never).contains("every 0"));
        assert!(change(|plan| plan.stop = StopRule::Patience(0)).contains("1 epoch, not 0"));
        let contradiction = |plan: &mut TrainingPlan| {
            plan.checkpoint = CheckpointRule::Last;
            plan.stop = StopRule::Patience(3);
        };
        assert!(change(contradiction).contains("CheckpointRule::Last"));
    }
}
