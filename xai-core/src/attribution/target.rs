//! Which number of a model is explained.

use super::images::Images;
use crate::error::{Error, Result};

/// A number that a model computes from an image.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Target {
    /// An output, counted from 0: the score of a class, or the value of a regression.
    Output(usize),
    /// The first output minus the second: what speaks for one class rather than for another.
    Difference(usize, usize),
}

impl Target {
    /// The outputs of which it is made, each with its factor.
    pub(super) fn parts(self) -> impl Iterator<Item = (usize, f32)> {
        let (first, second) = match self {
            Self::Output(output) => (output, None),
            Self::Difference(first, second) => (first, Some(second)),
        };
        let second = second.map(|second| (second, -1.0));
        std::iter::once((first, 1.0)).chain(second)
    }

    /// The number, given all outputs of an image.
    pub(super) fn of(self, outputs: &[f32]) -> f32 {
        self.parts().map(|(at, factor)| factor * outputs[at]).sum()
    }

    /// The output that it is for: the class, or the first of a difference.
    pub fn output(self) -> usize {
        match self {
            Self::Output(output) | Self::Difference(output, _) => output,
        }
    }

    /// The largest index of its outputs.
    pub(super) fn largest(self) -> usize {
        self.parts().map(|(output, _)| output).max().unwrap_or(0)
    }
}

impl From<usize> for Target {
    fn from(output: usize) -> Self {
        Self::Output(output)
    }
}

/// The target of each image.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Targets {
    /// The score of its true class. For a network with one output, such as a regression, this output.
    #[default]
    TrueClass,
    /// The same for all images.
    All(Target),
    /// One per image.
    Each(Vec<Target>),
}

impl Targets {
    /// The target of each image, for a model of `outputs` outputs.
    pub(super) fn of(&self, images: &Images, outputs: Option<usize>) -> Result<Vec<Target>> {
        let targets = match self {
            Self::TrueClass if outputs == Some(1) => vec![Target::Output(0); images.len()],
            Self::TrueClass => (images.class.iter())
                .map(|&class| Target::Output(class.into()))
                .collect(),
            Self::All(target) => vec![*target; images.len()],
            Self::Each(targets) => targets.clone(),
        };
        if targets.len() != images.len() {
            return Err(Error::invalid(format!(
                "there are {} images but {} target classes; give one per image",
                images.len(),
                targets.len()
            )));
        }
        let same = |target: &&Target| matches!(target, Target::Difference(a, b) if a == b);
        if let Some(Target::Difference(output, _)) = targets.iter().find(same) {
            return Err(Error::invalid(format!(
                "the difference of output {output} and itself is always 0; give two outputs"
            )));
        }
        match (outputs, targets.iter().map(|target| target.largest()).max()) {
            (Some(outputs), Some(most)) if most >= outputs => Err(Error::invalid(format!(
                "class {most} cannot be explained: the network has {outputs} classes, 0 to {}",
                outputs - 1
            ))),
            _ => Ok(targets),
        }
    }
}

impl From<Target> for Targets {
    fn from(target: Target) -> Self {
        Self::All(target)
    }
}

impl From<&Target> for Targets {
    fn from(target: &Target) -> Self {
        Self::All(*target)
    }
}

impl From<usize> for Targets {
    fn from(class: usize) -> Self {
        Self::All(class.into())
    }
}

impl From<&usize> for Targets {
    fn from(class: &usize) -> Self {
        (*class).into()
    }
}

impl From<Vec<Target>> for Targets {
    fn from(targets: Vec<Target>) -> Self {
        Self::Each(targets)
    }
}

impl From<&Vec<Target>> for Targets {
    fn from(targets: &Vec<Target>) -> Self {
        Self::Each(targets.clone())
    }
}

impl From<Vec<usize>> for Targets {
    fn from(classes: Vec<usize>) -> Self {
        Self::Each(classes.into_iter().map(Target::Output).collect())
    }
}

impl From<&Vec<usize>> for Targets {
    fn from(classes: &Vec<usize>) -> Self {
        classes.clone().into()
    }
}

impl From<&[u8]> for Targets {
    fn from(classes: &[u8]) -> Self {
        Self::Each(
            (classes.iter())
                .map(|&class| Target::Output(class.into()))
                .collect(),
        )
    }
}

impl From<&Vec<u8>> for Targets {
    fn from(classes: &Vec<u8>) -> Self {
        classes.as_slice().into()
    }
}
