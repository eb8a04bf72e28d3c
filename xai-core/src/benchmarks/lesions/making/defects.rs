//! The differences between the public code and the paper's description, as switches.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::error::{Error, Result};
use crate::suggest::did_you_mean;

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

/// A set of defects. Its text form is `none` or a list such as `D1,D2`. `all` is accepted too, but
/// written as the list, which stays true if another defect is found.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(into = "String", try_from = "String")]
pub struct Defects(u16);

impl Defects {
    /// The corrected benchmark.
    pub const NONE: Self = Self(0);
    /// The benchmark as published.
    pub const ALL: Self = Self((1 << Defect::ALL.len()) - 1);

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

    fn only(self, some: &[Defect]) -> Self {
        let mut both = some.iter().filter(|&&defect| self.has(defect));
        both.by_ref()
            .fold(Self::NONE, |set, &defect| set.with(defect))
    }

    /// Whether a defect is in the set.
    pub fn has(self, defect: Defect) -> bool {
        self.0 & (1 << defect as u16) != 0
    }

    /// The set with one more defect.
    #[must_use]
    pub fn with(self, defect: Defect) -> Self {
        Self(self.0 | (1 << defect as u16))
    }

    /// The set without one defect.
    #[must_use]
    pub fn without(self, defect: Defect) -> Self {
        Self(self.0 & !(1 << defect as u16))
    }
}

impl fmt::Display for Defects {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        let names: Vec<String> = Defect::ALL
            .into_iter()
            .filter(|&defect| self.has(defect))
            .map(|defect| defect.to_string())
            .collect();
        if names.is_empty() {
            f.write_str("none")
        } else {
            f.write_str(&names.join(","))
        }
    }
}

impl FromStr for Defects {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        match text {
            "none" => Ok(Self::NONE),
            "all" => Ok(Self::ALL),
            list => list
                .split(',')
                .try_fold(Self::NONE, |set, name| Ok(set.with(defect(name.trim())?))),
        }
    }
}

fn defect(name: &str) -> Result<Defect> {
    let mut all = Defect::ALL.into_iter();
    all.find(|defect| defect.to_string() == name)
        .ok_or_else(|| {
            let mut known: Vec<String> = Defect::ALL.iter().map(Defect::to_string).collect();
            let list = known.join(",");
            known.extend(["none".to_owned(), "all".to_owned()]);
            let near = did_you_mean(name, &known).unwrap_or_else(|| ".".to_owned());
            Error::invalid(format!(
                "there is no defect `{name}`{near} Give `none`, `all` or some of {list}"
            ))
        })
}

impl TryFrom<String> for Defects {
    type Error = Error;

    fn try_from(text: String) -> Result<Self> {
        text.parse()
    }
}

impl From<Defects> for String {
    fn from(set: Defects) -> Self {
        set.to_string()
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
