//! Which images the winners of a selection are right about.

use super::super::key::Key;
use super::super::scores::Predictions;
use super::super::store::{PREDICTIONS, Store};
use super::Cell;
use crate::error::{Error, Result};

/// How many winners classify each test image correctly.
#[derive(Debug, PartialEq)]
pub(in super::super) struct Agreement {
    /// How many winners there are.
    winners: u32,
    /// How many of them are right, an entry an image.
    right: Vec<u32>,
}

impl Agreement {
    /// From the predictions of these cells.
    ///
    /// # Errors
    /// If a file of predictions cannot be read, or they are of test sets of different sizes.
    pub fn of(store: &Store, winners: &[&Cell]) -> Result<Self> {
        let mut right: Vec<u32> = Vec::new();
        for (at, winner) in winners.iter().enumerate() {
            let predictions = Predictions::read(&store.file(&winner.key, PREDICTIONS))?;
            if at == 0 {
                right = vec![0; predictions.class.len()];
            }
            if right.len() != predictions.class.len() {
                return Err(Error::invalid(
                    "the winners have seen test sets of different sizes; run with --fresh",
                ));
            }
            for (count, correct) in right.iter_mut().zip(predictions.correct()) {
                *count += u32::from(correct);
            }
        }
        Ok(Self {
            winners: winners.len() as u32,
            right,
        })
    }

    /// The images whose number of winners that are right is as `wanted` says: it is given that number, and how many
    /// winners there are.
    pub fn images(&self, wanted: impl Fn(u32, u32) -> bool) -> Vec<u32> {
        let images = (0..).zip(&self.right);
        let wanted = images.filter(|&(_, &right)| wanted(right, self.winners));
        wanted.map(|(image, _)| image).collect()
    }

    /// The images that every winner classifies correctly.
    ///
    /// # Errors
    /// If there are none.
    pub fn agreed(&self) -> Result<Vec<u32>> {
        let agreed = self.images(|right, winners| right == winners);
        match agreed.is_empty() {
            true => Err(Error::invalid(
                "no test image is classified correctly by every winner, so that there is nothing to compare \
                 explanations on; look at the test accuracies in the manifests",
            )),
            false => Ok(agreed),
        }
    }

    /// What tells it from others.
    pub fn key(&self) -> Result<Key> {
        Key::of(&(self.winners, &self.right))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn images_are_told_apart_by_how_many_are_right() {
        let agreement = Agreement {
            winners: 3,
            right: vec![3, 0, 2, 3, 1],
        };
        assert_eq!(agreement.agreed().unwrap(), [0, 3]);
        assert_eq!(agreement.images(|right, _| right == 0), [1]);
        assert_eq!(
            agreement.images(|right, winners| 0 < right && right < winners),
            [2, 4]
        );
        let none = Agreement {
            winners: 3,
            right: vec![2, 0],
        };
        let problem = none.agreed().unwrap_err().to_string();
        assert!(problem.contains("no test image"), "{problem}");
    }
}
