//! What varies between the data sets.

use xai_macros::Level;

/// How tetrominoes tell the class. Class 0 and class 1 are equally frequent.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Level)]
pub enum Scenario {
    /// LIN: a T (class 0) or an L (class 1), each at its place, added to the background. A linear model suffices.
    Linear,
    /// MULT: the same shapes darken the background: its values are multiplied by a number below 1.
    Multiplicative,
    /// RIGID: a T or an L, turned by quarters and moved to any place, added to the background.
    TranslationsRotations,
    /// XOR: both tetrominoes are added, each with a sign; equal signs are class 0, unequal ones class 1. Neither
    /// tetromino says anything without the other.
    Xor,
}

/// What tetrominoes are mixed into.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Level)]
pub enum Background {
    /// WHITE: independent normal noise.
    White,
    /// CORR: the same noise, blurred.
    Correlated,
    /// Grey photographs of a folder, in the place of IMAGENET, which is not free.
    Photographs,
}

/// The side of the square images, in pixels.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Level)]
pub enum Size {
    /// 8 x 8.
    #[level("8")]
    Eight,
    /// 64 x 64.
    #[level("64")]
    SixtyFour,
}

impl Size {
    /// Pixels of a side.
    pub fn side(self) -> usize {
        match self {
            Self::Eight => 8,
            Self::SixtyFour => 64,
        }
    }

    /// Standard deviation of the blur that makes correlated noise, in pixels.
    pub(super) fn blur_of_noise(self) -> f64 {
        match self {
            Self::Eight => 3.0,
            Self::SixtyFour => 10.0,
        }
    }

    /// Images of a data set in the paper.
    pub fn published_count(self) -> usize {
        match self {
            Self::Eight => 10_000,
            Self::SixtyFour => 40_000,
        }
    }

    /// The share of images that are held out; one half of them is for validation, the other for the test.
    pub(super) fn held_out(self) -> f64 {
        match self {
            Self::Eight => 0.2,
            Self::SixtyFour => 0.1,
        }
    }
}

impl Scenario {
    /// The share of the tetromino in the mixture, chosen by the authors such that every model reaches 80 % accuracy.
    ///
    /// For turned tetrominoes on photographs it is 0.6 and not the 0.03 of the public code's settings, at which every
    /// model guesses (X15; the paper's own table has its models above 90 % from 0.6 on).
    pub fn alpha(self, background: Background, size: Size) -> f64 {
        use Background::{Correlated, Photographs, White};
        use Size::{Eight, SixtyFour};
        match (self, size, background) {
            (Self::Linear, Eight, White) => 0.18,
            (Self::Linear, Eight, Correlated) => 0.0125,
            (Self::Linear, SixtyFour, White) => 0.03,
            (Self::Linear, SixtyFour, Correlated) => 0.02,
            (Self::Linear, _, Photographs) => 0.06,
            (Self::Multiplicative, Eight, White) => 0.7,
            (Self::Multiplicative, Eight, Correlated) => 0.1,
            (Self::Multiplicative, SixtyFour, White) => 0.65,
            (Self::Multiplicative, SixtyFour, Correlated) => 0.05,
            (Self::Multiplicative, _, Photographs) => 0.2,
            (Self::TranslationsRotations, Eight, White) => 0.65,
            (Self::TranslationsRotations, Eight, Correlated) => 0.2,
            (Self::TranslationsRotations, SixtyFour, White) => 0.575,
            (Self::TranslationsRotations, SixtyFour, Correlated) => 0.375,
            (Self::TranslationsRotations, _, Photographs) => 0.6,
            (Self::Xor, Eight, White) => 0.35,
            (Self::Xor, Eight, Correlated) => 0.15,
            (Self::Xor, SixtyFour, White) => 0.075,
            (Self::Xor, SixtyFour, Correlated) => 0.03,
            (Self::Xor, _, Photographs) => 0.13,
        }
    }
}
