//! Defects of the public code, as switches: where it differs from the paper, or from what a
//! benchmark should do.

use std::fmt;

use xai_macros::Level;

use crate::defect_set::{DefectSet, KnownDefect};

/// One defect of the public code (braindatalab/xai-tris at 515184e). The numbers are those of this
/// project's list. Missing numbers do not concern this code: early stopping that never acts (X5),
/// files that overwrite each other (X9), scores and figures that were not published (X12, X13,
/// X16), one scale for all images of a data set, which is kept (X19), a default setting (X20), and ImageNet (X15, X21).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Defect {
    /// The network ends in a softmax, and the cross-entropy of training applies the softmax again.
    /// The loss therefore lies between 0.313 and 1.313, and gradients are weak: a linear model
    /// stops at 0.795 on smooth-noise data that are separable.
    X1,
    /// Methods explain the probability in float32 and not the logit. In white noise, the probability rounds to 1
    /// for 53 to 78 % of an MLP's test images. There, the gradient is that of the other logit alone.
    X2,
    /// LRP goes back through that softmax. It starts from p (1 - p) for the target and from minus
    /// that for the other class, instead of from the target's score. Maps divide by each logit, so
    /// the part of a linear model that training never moved dominates its map: precision is 0.31
    /// instead of 0.87.
    X3,
    /// Networks were never put in evaluation mode. Dropout stays on. Only the 64 x 64 MLP has
    /// dropout.
    X4,
    /// The earth mover's distance is divided by sqrt(2 pixels), which is longer than any path in
    /// the image. According to the paper, it is divided by the longest path. Scores are closer to 1
    /// than they should be, by an eighth of the rest at 8 x 8.
    X6,
    /// Images are stored in half precision. Its rounding is the only noise floor of smooth noise,
    /// and determines how well a model can subtract that noise.
    X7,
    /// Before commit 515184e, rotated tetrominoes never reached the last row and column. The
    /// published 8 x 8 plots have these placements, as the scores of model-free maps show.
    X8,
    /// Merging results drops those of the first model: four of the linear model's five runs remain in the
    /// linear scenario, and four of the MLP's in the others. It concerns summaries, so an experiment's analysis
    /// reproduces it.
    X10,
    /// If a map is 0 everywhere, the earth mover's distance raises an error, and the image is left
    /// out of the precision as well. This favours methods that produce such maps.
    X11,
    /// The Sobel filter runs along the last axis only.
    X14,
    /// LIME and KernelSHAP use 25 samples for 64 or 4,096 pixels. Their scores are near chance for
    /// this reason, not because of the methods.
    X17,
    /// All scenarios and both kinds of noise share one noise matrix and one split. Results of
    /// different data sets are therefore not independent.
    X18,
    /// DeepSHAP with baselines of zeros is DeepLIFT again. Captum 0.6 to 0.9 does not apply
    /// DeepLIFT's rule to a pooling layer behind a ReLU.
    X22,
}

impl Defect {
    /// All defects, in order.
    pub const ALL: [Self; 13] = [
        Self::X1,
        Self::X2,
        Self::X3,
        Self::X4,
        Self::X6,
        Self::X7,
        Self::X8,
        Self::X10,
        Self::X11,
        Self::X14,
        Self::X17,
        Self::X18,
        Self::X22,
    ];
}

impl fmt::Display for Defect {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        fmt::Debug::fmt(self, f)
    }
}

/// Whether an experiment reproduces the public code or corrects it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Level, clap::ValueEnum)]
pub enum Protocol {
    /// As in the public code at 515184e: all defects except X8, which that commit fixed.
    Published,
    /// Without defects.
    Corrected,
}

impl Protocol {
    /// The defects of this protocol.
    pub fn defects(self) -> Defects {
        match self {
            Self::Published => Defects::ALL.without(Defect::X8),
            Self::Corrected => Defects::NONE,
        }
    }
}

impl KnownDefect for Defect {
    const KNOWN: &'static [Self] = &Self::ALL;
}

/// Defects of the public code. [`Protocol::Published`] has all that were in it at one time.
pub type Defects = DefectSet<Defect>;

impl Defects {
    /// The defects of the set that change images.
    #[must_use]
    pub fn of_images(self) -> Self {
        self.only(&[Defect::X7, Defect::X8, Defect::X18])
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sets_are_read_as_they_are_written() {
        let some: Defects = "X22, X1".parse().unwrap();
        assert_eq!(some.to_string(), "X1,X22");
        for set in [
            Defects::NONE,
            Defects::ALL,
            some,
            Protocol::Published.defects(),
        ] {
            assert_eq!(set.to_string().parse::<Defects>().unwrap(), set);
        }
        assert_eq!("all".parse::<Defects>().unwrap(), Defects::ALL);
        assert_eq!(
            Protocol::Published.defects().of_images().to_string(),
            "X7,X18"
        );
        let problem = "X1,x6".parse::<Defects>().unwrap_err().to_string();
        assert!(
            problem.starts_with("there is no defect `x6`; did you mean `X6`? Give `none`"),
            "{problem}"
        );
    }
}
