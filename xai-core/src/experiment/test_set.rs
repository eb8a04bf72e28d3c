//! The test images in the laboratory.

use std::path::Path;

use super::lab::Lab;
use super::run::Model;
use crate::attribution::Images;
use crate::error::Result;
use crate::network::Network;
use crate::training::{argmax, softmax};

impl Lab {
    /// The images that no training and no selection has seen.
    pub fn test(&self) -> TestSet<'_> {
        TestSet { lab: self }
    }
}

/// The test images, and parts of them that become known as the sweep goes on.
///
/// A part may be empty. Of more images than a scale explains (`Settings::explained`) it holds evenly spaced ones.
/// [`Images::index`] says which images of the test set they are.
pub struct TestSet<'a> {
    lab: &'a Lab,
}

impl TestSet<'_> {
    /// All of them.
    ///
    /// # Errors
    /// If the images cannot be made.
    pub fn all(&self) -> Result<Images> {
        let count = self.lab.splits()?.test.len() as u32;
        self.some((0..count).collect())
    }

    /// Those that `network` classifies correctly.
    ///
    /// # Errors
    /// As [`all`](Self::all).
    pub fn classified_correctly_by(&self, network: &Network) -> Result<Images> {
        self.by(network, true)
    }

    /// Those that `network` classifies wrongly.
    ///
    /// # Errors
    /// As [`all`](Self::all).
    pub fn misclassified_by(&self, network: &Network) -> Result<Images> {
        self.by(network, false)
    }

    /// Those that every winner of the selection classifies correctly: the only ones on which explanations
    /// can be compared.
    ///
    /// # Errors
    /// In [`Run::fit`](super::Run::fit), where the winners are not known yet; if there is no such image.
    pub fn classified_correctly_by_all(&self) -> Result<Images> {
        self.some(self.lab.agreed()?)
    }

    /// Those that every winner of the selection classifies wrongly.
    ///
    /// # Errors
    /// In [`Run::fit`](super::Run::fit), where the winners are not known yet.
    pub fn misclassified_by_all(&self) -> Result<Images> {
        self.some(self.lab.agreement()?.images(|right, _| right == 0))
    }

    /// Those about which the winners of the selection disagree: some of them are right and others wrong.
    ///
    /// # Errors
    /// In [`Run::fit`](super::Run::fit), where the winners are not known yet.
    pub fn misclassified_by_some(&self) -> Result<Images> {
        let disputed = |right, winners| 0 < right && right < winners;
        self.some(self.lab.agreement()?.images(disputed))
    }

    fn by(&self, network: &Network, correctly: bool) -> Result<Images> {
        let splits = self.lab.splits()?;
        let logits = splits.test_examples.logits(network, TEST);
        let found = (0..).zip(logits).zip(&splits.test.class);
        let wanted = found.filter(|((_, logits), class)| (argmax(logits) == **class) == correctly);
        self.some(wanted.map(|((image, _), _)| image).collect())
    }

    /// The images of these numbers with their truth, or evenly spaced ones of them.
    fn some(&self, images: Vec<u32>) -> Result<Images> {
        let count = images.len().min(self.lab.settings().explained);
        let spaced = (0..count).map(|at| images[at * images.len() / count]);
        let index: Vec<u32> = spaced.collect();
        let which: Vec<usize> = index.iter().map(|&at| at as usize).collect();
        let images = self.lab.splits()?.test.select(&which);
        Ok(images.with_index(index).shown_in(self.lab.gallery()))
    }
}

/// The name of the pass over the test images, by which dropout that stays on draws its masks.
const TEST: &str = "test";

impl Model for Network {
    fn save(&self, path: &Path) -> Result<()> {
        self.save(path)
    }

    fn load(path: &Path, lab: &Lab) -> Result<Self> {
        Network::load(path, lab.device())
    }

    fn predict(&self, lab: &Lab) -> Result<Vec<Vec<f64>>> {
        let logits = lab.splits()?.test_examples.logits(self, TEST);
        Ok(logits.iter().map(|logits| softmax(logits)).collect())
    }

    fn classes(lab: &Lab) -> Result<Vec<u8>> {
        Ok(lab.splits()?.test.class.clone())
    }
}
