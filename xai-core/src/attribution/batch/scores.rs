//! The model's scores for a batch.

use ndarray::{Array2, ArrayView4};

use super::Batch;
use crate::attribution::model::Predict;
use crate::attribution::trace::add_evaluations;
use crate::device::{Tensor, download, upload};
use crate::error::{Error, Result};
use crate::network::Network;

impl<'a, M: Predict> Batch<'a, M> {
    /// The target's score of each image.
    ///
    /// # Errors
    /// If the model fails, or if there is not one finite score per image and class.
    pub fn scores(&self) -> Result<Vec<f32>> {
        let scores = match self.passes.scores.get() {
            Some(scores) => scores,
            None => {
                let scores = match self.layered() {
                    Some(layered) => rows(layered.trace().output()),
                    None => self.model.scores(self.upload(self.pixels()))?,
                };
                self.passes.scores.get_or_init(|| scores)
            }
        };
        self.of_targets(scores, 0..self.targets.len())
    }

    /// The target's score of each image's baseline.
    ///
    /// # Errors
    /// As [`scores`](Self::scores).
    pub fn baseline_scores(&self) -> Result<Vec<f32>> {
        let n = self.targets.len();
        let scores = match self.baseline.scores.get() {
            Some(scores) => scores,
            None => {
                let scores = match self.layered() {
                    Some(layered) => rows(layered.baseline().output()),
                    None => self.model.scores(self.upload(self.baseline_pixels()))?,
                };
                self.baseline.scores.get_or_init(|| scores)
            }
        };
        let scores = match scores.dims()[0] {
            1 => scores.clone().repeat_dim(0, n),
            _ => scores.clone(),
        };
        self.of_targets(&scores, 0..n)
    }

    /// The difference between the target's score of each image and of its baseline, to which complete methods add up.
    ///
    /// # Errors
    /// As [`scores`](Self::scores).
    pub fn differences_of_scores(&self) -> Result<Vec<f32>> {
        let pairs = self.scores()?.into_iter().zip(self.baseline_scores()?);
        Ok(pairs.map(|(image, baseline)| image - baseline).collect())
    }

    /// The scores for the target class of image `image` of the batch, for `variants` of the image
    /// `[v, c, h, w]`. There are at most [`rows`](Self::rows) of them, and the first is variant
    /// number `first`.
    ///
    /// # Errors
    /// As [`scores`](Self::scores).
    pub fn scores_of(
        &self,
        image: usize,
        first: usize,
        variants: ArrayView4<f32>,
    ) -> Result<Vec<f32>> {
        let (_, c, h, w) = variants.dim();
        let values = match variants.as_slice() {
            Some(values) => values.to_vec(),
            None => variants.iter().copied().collect(),
        };
        self.scores_behind(0, image, first, values, [c, h, w])
    }

    /// As [`scores_of`](Self::scores_of), if the work of the first `layers` layers is done. Their outputs `[v, c, h, w]`
    /// are `values`, with the shape `[c, h, w]`. Only a model that exposes its layers can start behind the first.
    pub(in crate::attribution) fn scores_behind(
        &self,
        layers: usize,
        image: usize,
        first: usize,
        values: Vec<f32>,
        [c, h, w]: [usize; 3],
    ) -> Result<Vec<f32>> {
        let count = values.len() / (c * h * w);
        let x = match layers {
            0 => self.tensor_of(values, [count, c, h, w]),
            _ => upload(values, [count, c, h, w], self.device),
        };
        let scores = match self.layered() {
            Some(layered) => {
                add_evaluations(count * (layered.model.layers.len() - layers));
                let numbers = (first..).take(count);
                let masks = layered.masks("variant", numbers.map(|number| (image, number)));
                rows(&layered.model.end(layers).forward_with(x, masks))
            }
            None => self.model.scores(x)?,
        };
        self.of_targets(&scores, std::iter::repeat_n(image, count))
    }

    /// The outputs of the first `layers` layers for one image of the shape `[c, h, w]`, of a model that exposes its layers.
    /// None of them is dropout.
    pub(in crate::attribution) fn outputs_of_layers(
        &self,
        layers: usize,
        values: Vec<f32>,
        [c, h, w]: [usize; 3],
    ) -> Result<Vec<f32>> {
        let all = self.model.layers().map_or(&[][..], |model| &model.layers);
        let x = upload(values, [1, c, h, w], self.device);
        add_evaluations(layers);
        download(Network::new(all[..layers].to_vec()).forward(x))
    }

    /// All class scores `[n, classes]` of changed images `[n, c, h, w]`, one for each image of the
    /// batch. They are variant number `number` of the images.
    ///
    /// # Errors
    /// As [`scores`](Self::scores).
    pub fn class_scores_of(&self, number: usize, images: ArrayView4<f32>) -> Result<Array2<f32>> {
        let count = images.dim().0;
        let x = self.upload(images);
        let scores = match self.layered() {
            Some(layered) => {
                add_evaluations(count * layered.model.layers.len());
                let masks = layered.masks("variant", (0..count).map(|image| (image, number)));
                rows(&layered.model.forward_with(x, masks))
            }
            None => self.model.scores(x)?,
        };
        let [n, classes] = scores.dims();
        let values = download(scores)?;
        if n != count || values.iter().any(|score| !score.is_finite()) {
            return Err(Error::invalid(format!(
                "the model gives {n} rows of scores for {count} changed images, or some are not finite; it should \
                 return one row of finite scores per image"
            )));
        }
        Array2::from_shape_vec((n, classes), values).map_err(Error::invalid)
    }

    /// The target's score among the class scores of each of `images`.
    fn of_targets(
        &self,
        scores: &Tensor<2>,
        images: impl ExactSizeIterator<Item = usize>,
    ) -> Result<Vec<f32>> {
        let [n, classes] = scores.dims();
        if n != images.len() {
            return Err(Error::invalid(format!(
                "the model gives {n} rows of scores for {} images; it should return one per image",
                images.len()
            )));
        }
        let scores = download(scores.clone())?;
        let target = |(row, image): (usize, usize)| {
            let target = self.targets[image];
            let class = target.largest();
            if class >= classes {
                return Err(Error::invalid(format!(
                    "class {class} cannot be explained: the model has {classes} classes, counted from 0"
                )));
            }
            let score = target.of(&scores[row * classes..][..classes]);
            if score.is_finite() {
                Ok(score)
            } else {
                Err(Error::invalid(format!(
                    "image {}: the model gives class {class} the score {score}; check its weights, and that \
                     the image and the baseline hold no NaN",
                    self.index[image]
                )))
            }
        };
        images.enumerate().map(target).collect()
    }
}

/// Class scores `[n, classes, 1, 1]` of a network in the shape of other models, `[n, classes]`.
fn rows(scores: &Tensor<4>) -> Tensor<2> {
    let [n, classes, ..] = scores.dims();
    scores.clone().reshape([n, classes])
}
