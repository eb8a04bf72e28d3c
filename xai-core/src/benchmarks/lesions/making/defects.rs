//! The differences between the public code and the paper's description, as switches.

use std::fmt;

use crate::defect_set::{DefectSet, KnownDefect};

/// One defect of the public code. The paper's figures were made with all of them. A corrected run
/// has none.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Defect {
    /// Until 2025, lesions were stretched to [0.1, 0.5] instead of [0, 0.5]. The whole bounding box
    /// of a lesion is therefore brighter by a tenth: each lesion lies in a faint rectangle that is
    /// not in the ground truth. Also, no two boxes overlap, although only the lesions themselves
    /// must not. If a network uses the rectangle, its correct explanation is scored as wrong.
    ///
    /// Used by [`Protocol`](super::Protocol).
    FaintRectangles,
    /// For the regular class, a different list was shuffled from the one that lesions are taken
    /// from. All regular images therefore show the same first 3 to 5 of 30 lesions, while irregular
    /// ones vary. A network can memorise five pictures instead of learning roundness.
    ///
    /// Used by [`Protocol`](super::Protocol).
    SameLesions,
    /// Networks were never set to evaluation mode, so dropout was on in validation, test and
    /// explanation. Accuracies differ from one evaluation to the next, and an explanation covers a
    /// random half of the classifier.
    ///
    /// Used by [`Lab::fine_tune`](crate::sweep::context::Lab::fine_tune). The network keeps the
    /// setting; see [`with_active_dropout`](crate::network::Network::with_active_dropout).
    DropoutStaysOn,
    /// The published scores of Sobel are those of Laplace, and the legend swaps their colours.
    ///
    /// Used by [`baselines`](super::baselines).
    SobelIsLaplace,
    /// Sobel differentiates along the last axis only. Both filters keep their sign, so that edges
    /// from bright to dark count as least relevant. Laplace also runs across the three equal
    /// channels, which adds nothing.
    ///
    /// Used by [`baselines`](super::baselines).
    SignedFilters,
    /// One seed per image determines its number of lesions, its class, the choice of lesions and,
    /// after the generator is seeded again with the same number, their positions. These are
    /// therefore dependent: the number of lesions and the class determine the first position that
    /// is tried. Class frequencies are left to chance.
    ///
    /// Used by [`Protocol`](super::Protocol).
    OneSeed,
    /// The test images were made from the slices of the validation images, which had selected the
    /// checkpoints. The test therefore says nothing about new subjects.
    ///
    /// Used by [`Protocol::splits`](super::Protocol::splits). If the caller supplies the slices,
    /// the caller must apply it.
    KnownSubjects,
    /// Fine-tuning started at the ReLU after a block's first convolution. Every degree except "all"
    /// therefore leaves the pre-trained weights of that convolution unchanged.
    ///
    /// Used by [`Lab::fine_tune`](crate::sweep::context::Lab::fine_tune); see
    /// [`Depth::first_layer_as_published`](crate::benchmarks::lesions::Depth::first_layer_as_published).
    FrozenFirstLayers,
    /// Raw intensity was not among the references. Lesions are bright, so it scores about as well
    /// as the best methods.
    ///
    /// Used by [`baselines`](super::baselines).
    NoIntensity,
    /// The pixels taken as most relevant are those strictly above the (k+1)-th value. If values are
    /// equal, such as zeros, there are fewer than k, or none.
    ///
    /// Implemented by [`PrecisionAsPublished`](crate::benchmarks::lesions::PrecisionAsPublished).
    TiesLost,
}

impl Defect {
    /// All defects, in order.
    pub const ALL: [Self; 10] = [
        Self::FaintRectangles,
        Self::SameLesions,
        Self::DropoutStaysOn,
        Self::SobelIsLaplace,
        Self::SignedFilters,
        Self::OneSeed,
        Self::KnownSubjects,
        Self::FrozenFirstLayers,
        Self::NoIntensity,
        Self::TiesLost,
    ];
}

impl fmt::Display for Defect {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        write!(f, "D{}", *self as u8 + 1)
    }
}

impl KnownDefect for Defect {
    const KNOWN: &'static [Self] = &Self::ALL;
}

/// Defects of the public code. [`DefectSet::ALL`] is the benchmark as published.
pub type Defects = DefectSet<Defect>;

impl Defects {
    /// The defects that change the images of any split.
    pub fn of_images(self) -> Self {
        self.only(&[
            Defect::FaintRectangles,
            Defect::SameLesions,
            Defect::OneSeed,
            Defect::KnownSubjects,
        ])
    }

    /// The defects that change the images of training and validation. [D7](Defect::KnownSubjects) affects only
    /// the test.
    pub fn of_training_images(self) -> Self {
        self.of_images().without(Defect::KnownSubjects)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sets_are_read_as_they_are_written() {
        let some: Defects = "D10, D2".parse().unwrap();
        assert_eq!(some.to_string(), "D2,D10");
        assert_eq!(serde_json::to_string(&some).unwrap(), "\"D2,D10\"");
        for set in [Defects::NONE, Defects::ALL, some] {
            assert_eq!(set.to_string().parse::<Defects>().unwrap(), set);
            let json = serde_json::to_string(&set).unwrap();
            assert_eq!(serde_json::from_str::<Defects>(&json).unwrap(), set);
        }
        assert_eq!("all".parse::<Defects>().unwrap(), Defects::ALL);
        assert!(Defect::ALL.iter().all(|&one| Defects::ALL.has(one)));
        assert_eq!(
            Defects::ALL.without(Defect::TiesLost).to_string(),
            "D1,D2,D3,D4,D5,D6,D7,D8,D9"
        );
    }

    #[test]
    fn an_unknown_defect_is_an_error_with_the_way_out() {
        let problem = |text: &str| text.parse::<Defects>().unwrap_err().to_string();
        assert!(problem("D1,d2").starts_with("there is no defect `d2`; did you mean `D2`? Give"));
        assert!(problem("D11").contains("did you mean `D1"));
        assert!(problem("rectangle").starts_with("there is no defect `rectangle`. Give"));
        assert!(problem("D1,none").contains("there is no defect `none`"));
        assert!(problem("NONE").contains("did you mean `none`?"));
        assert!(problem("").contains("`none`, `all` or some of D1,D2"));
        assert!(serde_json::from_str::<Defects>("\"D0\"").is_err());
    }
}
