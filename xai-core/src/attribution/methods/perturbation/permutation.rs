//! Permutation feature importance: replaces a pixel's value by that of another image.

use std::collections::HashMap;

use ndarray::{Array4, Axis};
use rand::Rng;
use rand::seq::SliceRandom;

use super::{Wants, each_image};
use crate::attribution::{Batch, Explain, Images, Method, Predict};
use crate::device::Tensor;
use crate::error::{Error, Result};
use crate::random::stream;

/// How much the score falls when a value of the image is replaced by that of another image (Breiman
/// 2001; Fisher, Rudin and Dominici 2019, for one image at a time). It needs one forward pass per
/// value and draw; of a network whose first layer is fully connected, only behind that layer.
///
/// The replacements do not depend on which images are explained together, or in which order.
/// [`published`](Self::published) is Captum's `FeaturePermutation` instead.
#[derive(Clone, Debug)]
pub struct FeaturePermutation {
    /// The images that replacements come from, `[m, c, h, w]`.
    donors: Array4<f32>,
    kind: Kind,
    /// The seed of the draws.
    seed: u64,
}

#[derive(Clone, Debug)]
enum Kind {
    /// Each value of each image is replaced by the values of this many donors, one after the other.
    Drawn { draws: usize },
    /// The explained images are the donors. `rows` maps an image's index to its row among them.
    Batches {
        of: usize,
        rows: HashMap<u32, usize>,
    },
}

impl FeaturePermutation {
    /// Takes replacements from `donors` `[m, c, h, w]`, such as the training images. The map is the
    /// mean over `draws` of them. They are drawn by the index of the explained image.
    pub fn new(donors: Array4<f32>, draws: usize) -> Self {
        Self {
            donors,
            kind: Kind::Drawn { draws },
            seed: 0,
        }
    }

    /// Captum's `FeaturePermutation` over batches of `of` of these images, in their order. Each
    /// value is permuted once within the batch. The map of an image therefore depends on its batch,
    /// and a value can replace itself.
    ///
    /// Captum draws again if a permutation changes nothing. This method does the same. It refuses images
    /// that leave a batch of one, as Captum does, because there is nothing to permute.
    pub fn published(images: &Images, of: usize) -> Self {
        let rows = images.index.iter().enumerate();
        Self {
            donors: images.pixels.clone(),
            kind: Kind::Batches {
                of,
                rows: rows.map(|(row, &index)| (index, row)).collect(),
            },
            seed: 0,
        }
    }

    /// The largest size of batches, at most `most`, that leaves none of `images` alone. `None` if every
    /// size does.
    pub(crate) fn largest_batch(images: usize, most: usize) -> Option<usize> {
        (2..=most).rev().find(|of| images % of != 1)
    }

    /// Returns an error if an image is alone in its batch.
    fn check_batches(&self, of: usize, rows: &HashMap<u32, usize>) -> Result<()> {
        let images = self.donors.dim().0;
        if of > 1 && images % of != 1 {
            return Ok(());
        }
        let last = rows.iter().find(|(_, row)| **row + 1 == images);
        let last = last.map_or_else(String::new, |(index, _)| format!(" {index}"));
        let other = Self::largest_batch(images, of).or(Self::largest_batch(images, images));
        let other = other.map_or_else(
            || "give more images".to_owned(),
            |other| format!("take another number for `of`, such as {other}"),
        );
        Err(Error::invalid(format!(
            "image{last} is alone in its batch ({images} images in batches of {of}), so there is nothing to permute; {other}"
        )))
    }

    /// Sets the seed of the draws.
    pub fn seed(self, seed: u64) -> Self {
        Self { seed, ..self }
    }

    /// For each value of an image and each draw, the row of the donor: `[value][draw]`.
    fn rows<M>(
        &self,
        batch: &Batch<'_, M>,
        image: usize,
        values: usize,
    ) -> Result<Vec<Vec<usize>>> {
        match &self.kind {
            Kind::Drawn { draws } => {
                let mut random = batch.stream(self.seed, self.name(), image, 0);
                let donors = self.donors.dim().0;
                let mut of_value = || {
                    (0..*draws)
                        .map(|_| random.random_range(0..donors))
                        .collect()
                };
                Ok((0..values).map(|_| of_value()).collect())
            }
            Kind::Batches { of, rows } => {
                let index = batch.index()[image];
                let row = rows.get(&index).copied().ok_or_else(|| {
                    Error::invalid(format!(
                        "image {index} is not one of the images given to `FeaturePermutation::published`"
                    ))
                })?;
                let first = row / of * of;
                let count = (*of).min(self.donors.dim().0 - first);
                let donor = |value| {
                    let name = format!("{}/batch/{}/{value}", self.name(), row / of);
                    vec![first + permutation(count, self.seed, &name)[row - first]]
                };
                Ok((0..values).map(donor).collect())
            }
        }
    }
}

/// A random order of `count` items, at least two. It differs from the present order.
fn permutation(count: usize, seed: u64, name: &str) -> Vec<usize> {
    let mut random = stream(seed, name);
    loop {
        let mut order: Vec<usize> = (0..count).collect();
        order.shuffle(&mut random);
        if order
            .iter()
            .enumerate()
            .any(|(place, &number)| place != number)
        {
            return order;
        }
    }
}

impl Method for FeaturePermutation {
    fn name(&self) -> &'static str {
        "feature_permutation"
    }
}

impl<M: Predict> Explain<M> for FeaturePermutation {
    fn attribute(&self, batch: &Batch<'_, M>) -> Result<Tensor<4>> {
        let (_, c, h, w) = batch.pixels().dim();
        let (donors, dc, dh, dw) = self.donors.dim();
        let draws = match self.kind {
            Kind::Drawn { draws } => draws,
            Kind::Batches { of, .. } => of.min(1),
        };
        if let Kind::Batches { of: of @ 1.., rows } = &self.kind {
            self.check_batches(*of, rows)?;
        }
        if donors == 0 || draws == 0 || [dc, dh, dw] != [c, h, w] {
            return Err(Error::invalid(format!(
                "feature_permutation has {donors} donors of {:?} and {draws} draws for images of {:?} (channels, \
                 height, width); give at least one of each, of the images' shape",
                [dc, dh, dw],
                [c, h, w]
            )));
        }
        each_image(batch, Wants::Image, |subject| {
            let rows = self.rows(batch, subject.number, c * h * w)?;
            let start = subject.variant(subject.pixels)?;
            let mut replaced = 0;
            let count = rows.len() * draws;
            let scores = subject.scores_in_turn(start.clone(), count, |number, variant| {
                let (value, draw) = (number / draws, number % draws);
                let at = [value / (h * w), value / w % h, value % w];
                variant.restore(replaced, &start);
                variant.set(
                    value,
                    self.donors.index_axis(Axis(0), rows[value][draw])[at],
                );
                replaced = value;
            })?;
            let falls = scores.chunks(draws).map(|scores| {
                let mean = scores.iter().sum::<f64>() / draws as f64;
                (subject.score - mean) as f32
            });
            let falls = ndarray::Array3::from_shape_vec((c, h, w), falls.collect());
            falls.map_err(Error::invalid)
        })
    }
}
