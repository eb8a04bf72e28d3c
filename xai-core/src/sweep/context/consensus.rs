//! Counts how many winners of a selection classify each test image correctly.

use std::collections::BTreeMap;

use crate::error::{Error, Result};
use crate::key::Key;
use crate::sweep::keep::{Asked, ChosenByWinners, Predictions};

/// How many winners classify each test image correctly.
///
/// If the experiment varies its benchmark, winners may have been tested on different images. Images
/// are compared only within one test set, identified by its key.
#[derive(Debug, Default, PartialEq)]
pub(crate) struct Consensus {
    test_sets: BTreeMap<Key, Counts>,
    /// Whether a winner is a regression, which classifies nothing.
    regression: bool,
}

/// The winners of one test set.
#[derive(Debug, PartialEq)]
struct Counts {
    /// The number of winners.
    winners: u32,
    /// The number of them that are right, one entry per image.
    right: Vec<u32>,
}

impl Consensus {
    /// Counts the predictions of one winner on the test set of this key.
    pub fn add(&mut self, test_set: Key, predictions: &Predictions) {
        self.regression |= predictions.regression.is_some();
        let counts = self.test_sets.entry(test_set).or_insert_with(|| Counts {
            winners: 0,
            right: vec![0; predictions.class.len()],
        });
        counts.winners += 1;
        for (count, correct) in counts.right.iter_mut().zip(predictions.correct()) {
            *count += u32::from(correct);
        }
    }

    /// The images that are chosen like this, by their positions in the test set.
    ///
    /// # Errors
    /// If a winner is a regression, if the winners were tested on different images, or if an image that all classify
    /// correctly is asked for and there is none.
    pub fn choose(&self, images: &ChosenByWinners) -> Result<Vec<u32>> {
        if self.regression {
            return Err(Error::invalid(
                "a regression classifies no image, so images cannot be chosen by what winners classify correctly; \
                 explain `lab.test().all()` instead",
            ));
        }
        match images {
            ChosenByWinners::CorrectByAll => self.agreed(),
            ChosenByWinners::CorrectByAllTestedOn(test_set) => self.agreed_on(test_set),
            ChosenByWinners::WrongByAll => self.images(|right, _| right == 0),
            ChosenByWinners::Disputed => self.images(|right, winners| 0 < right && right < winners),
        }
    }

    /// Whether the images that were asked for earlier are still the same.
    pub fn confirms(&self, asked: &[Asked]) -> bool {
        asked.iter().all(|asked| {
            let now = Self::answer(&self.choose(&asked.images));
            now.is_ok_and(|now| now == asked.answer)
        })
    }

    /// The key of what [`choose`](Self::choose) gave. All refusals have the same.
    ///
    /// # Errors
    /// As [`Key::of`].
    pub fn answer(chosen: &Result<Vec<u32>>) -> Result<Key> {
        match chosen {
            Ok(images) => Key::of(images),
            Err(_) => Key::of(&"refused"),
        }
    }

    /// The images for which `wanted` returns true. It receives the number of winners that are
    /// right, and the number of all winners.
    ///
    /// # Errors
    /// If the winners were tested on different images.
    fn images(&self, wanted: impl Fn(u32, u32) -> bool) -> Result<Vec<u32>> {
        let mut test_sets = self.test_sets.values();
        let (Some(counts), None) = (test_sets.next(), test_sets.next()) else {
            return Err(Error::invalid(format!(
                "the winners were tested on {} different sets of images, so there is no image that all of them classify \
                 correctly; use `lab.test().classified_correctly_by(&fitted.model)` instead",
                self.test_sets.len()
            )));
        };
        let images = (0..).zip(&counts.right);
        let wanted = images.filter(|&(_, &right)| wanted(right, counts.winners));
        Ok(wanted.map(|(image, _)| image).collect())
    }

    /// The images that every winner classifies correctly.
    ///
    /// # Errors
    /// If there are none.
    fn agreed(&self) -> Result<Vec<u32>> {
        let agreed = self.images(|right, winners| right == winners)?;
        if agreed.is_empty() {
            Err(Error::invalid(
                "no test image is classified correctly by every winner, so there is nothing to compare \
                 explanations on; look at the test accuracies in the manifests",
            ))
        } else {
            Ok(agreed)
        }
    }

    /// The images of this test set that every winner tested on it classifies correctly.
    ///
    /// # Errors
    /// If there are none.
    fn agreed_on(&self, test_set: &Key) -> Result<Vec<u32>> {
        let counts = self.test_sets.get(test_set);
        let right = counts.iter().flat_map(|counts| {
            let images = (0..).zip(&counts.right);
            images.filter(|&(_, &right)| right == counts.winners)
        });
        let agreed: Vec<u32> = right.map(|(image, _)| image).collect();
        if agreed.is_empty() {
            Err(Error::invalid(
                "no image of this test set is classified correctly by every winner that was tested on it, so there is \
                 nothing to compare explanations on; look at the test accuracies in the manifests",
            ))
        } else {
            Ok(agreed)
        }
    }

    /// The key of these counts.
    pub fn key(&self) -> Result<Key> {
        let sets = self.test_sets.iter();
        let sets: Vec<_> = sets
            .map(|(key, counts)| (key, counts.winners, &counts.right))
            .collect();
        Key::of(&sets)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Predictions of class 0 for images, of which those marked `true` have class 0.
    fn predictions(right: [bool; 5]) -> Predictions {
        let rows = vec![vec![1.0, 0.0]; 5];
        let class = right.map(|right| u8::from(!right));
        Predictions::new(class.to_vec(), None, &rows).unwrap()
    }

    fn set(name: &str) -> Key {
        Key::of(&name).unwrap()
    }

    #[test]
    fn images_differ_by_how_many_winners_are_right() {
        let mut consensus = Consensus::default();
        for right in [
            [true, false, true, true, true],
            [true, false, true, true, false],
            [true, false, false, true, false],
        ] {
            consensus.add(set("a"), &predictions(right));
        }
        assert_eq!(consensus.agreed().unwrap(), [0, 3]);
        assert_eq!(consensus.images(|right, _| right == 0).unwrap(), [1]);
        assert_eq!(
            consensus
                .images(|right, winners| 0 < right && right < winners)
                .unwrap(),
            [2, 4]
        );
        consensus.add(set("a"), &predictions([false; 5]));
        let problem = consensus.agreed().unwrap_err().to_string();
        assert!(problem.contains("no test image"), "{problem}");
    }

    #[test]
    fn a_regression_chooses_no_images() {
        let mut consensus = Consensus::default();
        let predictions = Predictions::new(vec![0], Some(&[1.0]), &[vec![2.0]]);
        consensus.add(set("a"), &predictions.unwrap());
        for images in [
            ChosenByWinners::CorrectByAll,
            ChosenByWinners::WrongByAll,
            ChosenByWinners::Disputed,
        ] {
            let problem = consensus.choose(&images).unwrap_err().to_string();
            assert!(problem.contains("lab.test().all()"), "{problem}");
        }
    }

    /// Two test sets of the same length are not treated as the same images.
    #[test]
    fn images_of_different_test_sets_are_not_intersected() {
        let mut consensus = Consensus::default();
        consensus.add(set("a"), &predictions([true; 5]));
        let same = consensus.key().unwrap();
        consensus.add(set("b"), &predictions([true; 5]));
        assert_eq!(consensus.agreed_on(&set("a")).unwrap(), [0, 1, 2, 3, 4]);
        let unknown = consensus.agreed_on(&set("c")).unwrap_err().to_string();
        assert!(unknown.contains("no image of this test set"), "{unknown}");
        let problem = consensus.agreed().unwrap_err().to_string();
        assert!(problem.contains("2 different sets of images"), "{problem}");
        assert_ne!(consensus.key().unwrap(), same);
    }
}
