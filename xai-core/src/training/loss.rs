//! What a training makes small, and how well outputs fit.

use burn::tensor::activation;
use serde::{Deserialize, Serialize};

use super::validation::Validation;
use crate::device::{Tensor, upload};
use crate::error::{Error, Result};

/// The labels of examples, one per image.
#[derive(Clone, Copy)]
pub(super) struct Labels<'a> {
    /// The classes.
    pub class: &'a [u8],
    /// The numbers that a regression predicts, if they are known.
    pub response: Option<&'a [f32]>,
}

/// What a training makes small.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Loss {
    /// Classification: the cross-entropy of the softmax of the outputs, one per class.
    #[default]
    CrossEntropy,
    /// Regression: the squared difference between the only output and the image's
    /// [response](crate::dataset::Dataset::with_response).
    MeanSquaredError,
}

impl Loss {
    /// Whether it is the loss of a classification.
    pub(super) fn classifies(&self) -> bool {
        *self == Self::CrossEntropy
    }

    /// # Errors
    /// If a network with this number of outputs cannot be trained on these labels.
    pub(super) fn check(self, labels: Labels<'_>, outputs: usize) -> Result<()> {
        let highest = labels.class.iter().map(|&class| usize::from(class));
        match (self, highest.max(), labels.response) {
            (Self::CrossEntropy, Some(class), _) if class >= outputs => {
                let hint = match (outputs, labels.response) {
                    (1, Some(_)) => {
                        "; to fit their response instead, train by `TrainingPlan::regression`"
                    }
                    _ => "",
                };
                Err(Error::invalid(format!(
                    "there are images of class {class} (counted from 0), but the network has {outputs} outputs: \
                     it needs one a class, so at least {}{hint}",
                    class + 1
                )))
            }
            (Self::CrossEntropy, ..) if outputs == 1 => Err(Error::invalid(
                "the cross-entropy of a network with one output is always 0, so nothing would be learnt; train by \
                 `TrainingPlan::regression`, or give the network one output a class",
            )),
            (Self::MeanSquaredError, _, None) => Err(Error::invalid(
                "a mean squared error needs a number per image, but the images only have classes; give \
                 `Dataset::with_response`, or train by the cross-entropy",
            )),
            (Self::MeanSquaredError, ..) if outputs != 1 => Err(Error::invalid(format!(
                "a mean squared error needs a network with one output, but this one has {outputs}"
            ))),
            _ => Ok(()),
        }
    }

    /// The gradient of the batch's mean loss with respect to the outputs `[n, outputs]` of the
    /// examples with these indices.
    pub(super) fn gradient(
        self,
        outputs: Tensor<2>,
        labels: Labels<'_>,
        which: &[usize],
    ) -> Tensor<2> {
        match self {
            Self::CrossEntropy => {
                let class: Vec<u8> = which.iter().map(|&at| labels.class[at]).collect();
                cross_entropy_gradient(outputs, &class)
            }
            Self::MeanSquaredError => {
                let response = labels.response.expect("it was checked");
                let response: Vec<f32> = which.iter().map(|&at| response[at]).collect();
                let shape = outputs.dims();
                let response = upload(response, shape, &outputs.device());
                (outputs - response) * 2.0 / shape[0] as f64
            }
        }
    }

    /// How well outputs fit the examples with these indices, row by row.
    pub(super) fn judge<'a>(
        self,
        outputs: impl Iterator<Item = &'a [f32]>,
        labels: Labels<'_>,
        which: impl Iterator<Item = usize>,
    ) -> Validation {
        match self {
            Self::CrossEntropy => {
                let (mut correct, mut loss, mut count) = (0, 0.0, 0);
                for (logits, at) in outputs.zip(which) {
                    let class = labels.class[at];
                    correct += usize::from(argmax(logits) == usize::from(class));
                    loss += cross_entropy(logits, class);
                    count += 1;
                }
                Validation {
                    accuracy: correct as f64 / f64::from(count),
                    loss: loss / f64::from(count),
                    ..Validation::default()
                }
            }
            Self::MeanSquaredError => {
                let response = labels.response.expect("it was checked");
                let pairs = outputs.zip(which);
                let pairs =
                    pairs.map(|(outputs, at)| [f64::from(outputs[0]), f64::from(response[at])]);
                Errors::of(&pairs.collect::<Vec<_>>()).into()
            }
        }
    }
}

/// d(mean cross-entropy)/d(logits) of images of these classes.
pub(super) fn cross_entropy_gradient(logits: Tensor<2>, class: &[u8]) -> Tensor<2> {
    let [n, classes] = logits.dims();
    let one_hot: Vec<f32> = class
        .iter()
        .flat_map(|&class| (0..classes).map(move |k| f32::from(k == class as usize)))
        .collect();
    let one_hot = upload(one_hot, [n, classes], &logits.device());
    (activation::softmax(logits, 1) - one_hot) / n as f64
}

/// The class with the largest logit or probability. Among equals, the first.
pub fn argmax<T: PartialOrd>(logits: &[T]) -> usize {
    let mut best = 0;
    for (class, logit) in logits.iter().enumerate() {
        if *logit > logits[best] {
            best = class;
        }
    }
    best
}

fn cross_entropy(logits: &[f32], class: u8) -> f64 {
    let largest = logits.iter().copied().fold(f32::NEG_INFINITY, f32::max) as f64;
    let sum: f64 = logits.iter().map(|&l| (l as f64 - largest).exp()).sum();
    sum.ln() + largest - logits[class as usize] as f64
}

/// How far predicted numbers are from the true ones, over all images.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Errors {
    /// The mean squared error.
    #[serde(deserialize_with = "super::validation::null_is_nan")]
    pub mse: f64,
    /// The mean absolute error (MAE).
    #[serde(deserialize_with = "super::validation::null_is_nan")]
    pub mae: f64,
    /// The coefficient of determination R2: 1 minus the squared error over that of the responses'
    /// own mean. 1 is perfect; whoever predicts the mean has 0. Not a number if all responses are
    /// the same.
    #[serde(deserialize_with = "super::validation::null_is_nan")]
    pub r2: f64,
}

impl Errors {
    /// Of pairs of a predicted and a true number.
    pub fn of(pairs: &[[f64; 2]]) -> Self {
        let mean =
            |of: &dyn Fn(&[f64; 2]) -> f64| pairs.iter().map(of).sum::<f64>() / pairs.len() as f64;
        let middle = mean(&|pair| pair[1]);
        let mse = mean(&|[predicted, response]| (predicted - response).powi(2));
        let spread = mean(&|pair| (pair[1] - middle).powi(2));
        Self {
            mse,
            mae: mean(&|[predicted, response]| (predicted - response).abs()),
            r2: if spread > 0.0 {
                1.0 - mse / spread
            } else {
                f64::NAN
            },
        }
    }
}

impl From<Errors> for Validation {
    fn from(errors: Errors) -> Self {
        Self {
            accuracy: f64::NAN,
            loss: errors.mse,
            mae: errors.mae,
            r2: errors.r2,
        }
    }
}
