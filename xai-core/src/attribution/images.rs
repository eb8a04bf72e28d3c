//! The images to explain, on the host.

use ndarray::{Array3, Array4, ArrayView3, Axis};

use super::gallery::{Gallery, Shown};
use crate::error::{Error, Result};
use crate::key::hash_of_image;
use crate::random;

/// Images with their classes, indices and ground truth.
#[derive(Clone, Debug)]
pub struct Images {
    /// `[n, channels, h, w]`. Grey images have one channel. A network that takes three receives it
    /// three times, repeated on its device.
    pub pixels: Array4<f32>,
    /// The true class of each image.
    pub class: Vec<u8>,
    /// The index of each image in its split. Score rows carry it, and sampling methods derive their
    /// draws from it, so that an image's explanation does not depend on the other images.
    pub index: Vec<u32>,
    /// The ground truth, `[n, h, w]`: the pixels that determine the class. Scoring needs it;
    /// explaining does not.
    pub truth: Option<Array3<bool>>,
    /// Where the heat maps of some of them are kept when they are scored.
    pub(crate) gallery: Option<Gallery>,
    /// The approximate memory for passes of these images through a model, in bytes, unless a panel
    /// has its own.
    pub(super) memory: Option<usize>,
}

impl Images {
    /// Images `[n, channels, h, w]`, numbered from 0.
    pub fn new(pixels: Array4<f32>, class: Vec<u8>) -> Self {
        let index = (0..pixels.dim().0 as u32).collect();
        Self {
            pixels,
            class,
            index,
            truth: None,
            gallery: None,
            memory: None,
        }
    }

    /// Grey images `[n, h, w]`, numbered from 0.
    pub fn grey(pixels: Array3<f32>, class: Vec<u8>) -> Self {
        Self::new(pixels.insert_axis(Axis(1)), class)
    }

    /// Adds the ground truth, `[n, h, w]`.
    pub fn with_truth(self, truth: Array3<bool>) -> Self {
        Self {
            truth: Some(truth),
            ..self
        }
    }

    /// Sets the images' indices in their split.
    pub fn with_index(self, index: Vec<u32>) -> Self {
        Self { index, ..self }
    }

    /// The index of each image is a hash of its pixels. Sampling methods therefore draw the same
    /// numbers for an image at any position in an array.
    pub fn indexed_by_content(self) -> Self {
        let hash = |image: ArrayView3<'_, f32>| {
            let [a, b, c, d, ..] = *hash_of_image(image).as_bytes();
            u32::from_le_bytes([a, b, c, d])
        };
        let index = self.pixels.outer_iter().map(hash).collect();
        self.with_index(index)
    }

    /// Adds a gallery that keeps the heat maps of some images.
    pub(crate) fn shown_in(self, gallery: Option<Gallery>) -> Self {
        Self { gallery, ..self }
    }

    /// Sets the approximate memory for passes of these images through a model, in bytes, unless a
    /// panel has its own. `None` stands for the default of the device.
    pub(crate) fn within(self, memory: Option<usize>) -> Self {
        Self { memory, ..self }
    }

    /// Reserves places in their gallery, if they have a gallery and a ground truth.
    pub(super) fn open_gallery(&self) {
        let (Some(gallery), Some(truth)) = (&self.gallery, &self.truth) else {
            return;
        };
        gallery.open_for(self.len(), |image| {
            let pixels = self.pixels.index_axis(Axis(0), image);
            Shown {
                index: self.index[image],
                class: self.class[image],
                pixels: pixels.mean_axis(Axis(0)).expect("images have channels"),
                truth: truth.index_axis(Axis(0), image).to_owned(),
                maps: Vec::new(),
            }
        });
    }

    /// At most `count` of the images, spread evenly: for scores that take long.
    #[must_use]
    pub fn spaced(self, count: usize) -> Self {
        let which = random::spaced(count.min(self.len()), self.len());
        Self {
            pixels: self.pixels.select(Axis(0), &which),
            class: which.iter().map(|&at| self.class[at]).collect(),
            index: which.iter().map(|&at| self.index[at]).collect(),
            truth: self.truth.map(|truth| truth.select(Axis(0), &which)),
            gallery: self.gallery,
            memory: self.memory,
        }
    }

    /// The number of images.
    pub fn len(&self) -> usize {
        self.pixels.dim().0
    }

    /// Whether there are no images.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Checks that the images can be explained. A [`Panel`](super::Panel) calls this itself.
    ///
    /// # Errors
    /// If parts describe different images, or if a pixel is not finite.
    pub fn check(&self) -> Result<()> {
        let (n, _, h, w) = self.pixels.dim();
        let part = |name: &str, found: usize| {
            if found == n {
                Ok(())
            } else {
                Err(Error::invalid(format!(
                    "there are {n} images but {found} {name}; give one per image"
                )))
            }
        };
        part("classes", self.class.len())?;
        part("indices", self.index.len())?;
        // Checked here, because a ReLU turns NaN into 0 and hides it.
        let broken = self
            .pixels
            .indexed_iter()
            .find(|(_, value)| !value.is_finite());
        if let Some(((image, channel, row, column), value)) = broken {
            return Err(Error::invalid(format!(
                "image {} holds {value} in channel {channel}, row {row}, column {column}; pixels are finite numbers",
                self.index[image]
            )));
        }
        match &self.truth {
            Some(truth) if truth.dim() != (n, h, w) => Err(Error::invalid(format!(
                "the truth is {:?} (images, height, width), the images are {:?}",
                truth.dim(),
                (n, h, w)
            ))),
            _ => Ok(()),
        }
    }
}
