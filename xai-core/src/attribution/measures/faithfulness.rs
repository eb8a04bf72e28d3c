//! Does the model's score fall when the pixels marked as relevant are removed?

use ndarray::{Array2, Array4, ArrayView4, Axis, s};
use rand::Rng;
use rand_distr::{Distribution, Normal};
use rayon::prelude::*;

use super::{Explained, Measure};
use crate::attribution::batch::Batch;
use crate::attribution::model::Predict;
use crate::attribution::target::Target;
use crate::error::{Error, Result};
use crate::metrics::faithfulness::{Changes, areas, deletion, insertion, order};
use crate::metrics::imputation::impute;
use crate::training::{self, argmax};

/// The mean probability of the class while pixels are replaced by the panel's baseline, those with
/// the highest heat first (Petsiuk et al. 2018): the area under the curve. Smaller is better.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Deletion {
    /// The number of steps from the image to the baseline. Each costs a forward pass per method.
    pub steps: usize,
}

impl Default for Deletion {
    fn default() -> Self {
        Self { steps: 20 }
    }
}

/// The mean probability of the class while pixels are added to the panel's baseline, those with the
/// highest heat first (Petsiuk et al. 2018). Larger is better.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Insertion {
    /// The number of steps from the baseline to the image.
    pub steps: usize,
}

impl Default for Insertion {
    fn default() -> Self {
        Self { steps: 20 }
    }
}

/// The mean score of the class, before any softmax, while values of the image are replaced by the
/// panel's baseline, those with the highest signed attribution first (Bach et al. 2015). Smaller is
/// better. Each channel of a pixel is replaced separately.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PixelFlipping {
    /// The number of steps from the image to the baseline.
    pub steps: usize,
}

impl Default for PixelFlipping {
    fn default() -> Self {
        Self { steps: 20 }
    }
}

impl<M: Predict> Measure<M> for Deletion {
    fn name(&self) -> &'static str {
        "deletion"
    }

    fn values(
        &self,
        batch: &Batch<'_, M>,
        explained: &Explained<'_, M>,
    ) -> Result<Vec<Vec<Option<f64>>>> {
        let predict = |images: ArrayView4<f32>| probabilities(batch, images);
        let map = |method| explained.heat_of(method);
        areas_under(batch, explained, self.steps, map, |ends, map, step| {
            deletion(ends.images.view(), map, ends.baseline.view(), step, predict)
        })
    }
}

impl<M: Predict> Measure<M> for Insertion {
    fn name(&self) -> &'static str {
        "insertion"
    }

    fn values(
        &self,
        batch: &Batch<'_, M>,
        explained: &Explained<'_, M>,
    ) -> Result<Vec<Vec<Option<f64>>>> {
        let predict = |images: ArrayView4<f32>| probabilities(batch, images);
        let map = |method| explained.heat_of(method);
        areas_under(batch, explained, self.steps, map, |ends, map, step| {
            insertion(ends.images.view(), map, ends.baseline.view(), step, predict)
        })
    }
}

impl<M: Predict> Measure<M> for PixelFlipping {
    fn name(&self) -> &'static str {
        "pixel_flipping"
    }

    fn values(
        &self,
        batch: &Batch<'_, M>,
        explained: &Explained<'_, M>,
    ) -> Result<Vec<Vec<Option<f64>>>> {
        let predict = |images: ArrayView4<f32>| target_scores(batch, 0, images);
        let map = |method: usize| explained.attributions[method].view();
        areas_under(batch, explained, self.steps, map, |ends, map, step| {
            deletion(ends.images.view(), map, ends.baseline.view(), step, predict)
        })
    }
}

/// ROAD, "remove and debias" (Rong et al. 2022): the share of percentages at which the class is
/// still predicted when so many pixels are removed, those with the highest heat first. Smaller is
/// better.
///
/// A removed pixel becomes the mean of its neighbours with some noise ([`impute`]), so that the
/// model cannot recognise the removed region by its shape.
#[derive(Clone, Debug, PartialEq)]
pub struct Road {
    /// The percentages of pixels that are removed. By default 10, 20, .., 90.
    pub percentages: Vec<f64>,
    /// The standard deviation of the noise, in the units of the pixels. By default 0.01.
    pub noise: f64,
    /// The seed of the noise.
    pub seed: u64,
}

impl Default for Road {
    fn default() -> Self {
        Self {
            percentages: (1..10).map(|tenth| 10.0 * f64::from(tenth)).collect(),
            noise: 0.01,
            seed: 0,
        }
    }
}

impl<M: Predict> Measure<M> for Road {
    fn name(&self) -> &'static str {
        "road"
    }

    fn values(
        &self,
        batch: &Batch<'_, M>,
        explained: &Explained<'_, M>,
    ) -> Result<Vec<Vec<Option<f64>>>> {
        let noise = Normal::new(0.0, self.noise).map_err(|_| {
            Error::invalid(format!("ROAD's noise is {}; give 0 or more", self.noise))
        })?;
        let pixels = batch.pixels();
        let (n, _, h, w) = pixels.dim();
        explained.each(|method| {
            let heat = explained.heat_of(method);
            let orders: Vec<Vec<usize>> = heat.outer_iter().map(order).collect::<Result<_>>()?;
            let mut kept = vec![0.0; n];
            for (number, percent) in self.percentages.iter().enumerate() {
                let removed = ((h * w) as f64 * percent / 100.0) as usize;
                let removed = removed.min(h * w);
                let changed: Vec<_> = (0..n)
                    .into_par_iter()
                    .map(|image| {
                        impute(pixels.index_axis(Axis(0), image), &orders[image][..removed])
                    })
                    .collect::<Result<_>>()?;
                let mut now = Array4::zeros(pixels.dim());
                for (image, changed) in changed.iter().enumerate() {
                    let mut place = now.index_axis_mut(Axis(0), image);
                    place.assign(changed);
                    let mut random = batch.stream(self.seed, "road", image, number);
                    for &pixel in &orders[image][..removed] {
                        for channel in 0..place.dim().0 {
                            place[[channel, pixel / w, pixel % w]] +=
                                noise.sample(&mut random) as f32;
                        }
                    }
                }
                let scores = batch.class_scores_of(number, now.view())?;
                if scores.ncols() == 1 {
                    return Err(Error::invalid(
                        "ROAD asks whether the predicted class stays the same, and a regression has no class; leave it out",
                    ));
                }
                for (image, scores) in scores.outer_iter().enumerate() {
                    let same = argmax(&scores.to_vec()) == batch.targets()[image].output();
                    kept[image] += f64::from(u8::from(same)) / self.percentages.len() as f64;
                }
            }
            let known = !self.percentages.is_empty();
            Ok(kept
                .into_iter()
                .map(|share| known.then_some(share))
                .collect())
        })
    }
}

/// Infidelity (Yeh et al. 2019): the mean squared difference between the change of the class score,
/// before any softmax, when a square is replaced by the panel's baseline, and what the square's
/// attributions say. Smaller is better.
///
/// A method with one attribution for all channels of a pixel, such as [`Occlusion`](crate::attribution::Occlusion), has a
/// score on grey images only.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Infidelity {
    /// The number of random squares for each image. Each costs a forward pass, whatever the number
    /// of methods.
    pub draws: usize,
    /// The height and width of a square, in pixels. By default an eighth of the shorter side.
    pub side: Option<usize>,
    /// Whether each attribution is first multiplied by the factor that suits it best, as the paper
    /// recommends. Otherwise, methods are also judged by their units.
    pub scaled: bool,
    /// The seed of the places.
    pub seed: u64,
}

impl Default for Infidelity {
    fn default() -> Self {
        Self {
            draws: 50,
            side: None,
            scaled: true,
            seed: 0,
        }
    }
}

impl<M: Predict> Measure<M> for Infidelity {
    fn name(&self) -> &'static str {
        "infidelity"
    }

    fn values(
        &self,
        batch: &Batch<'_, M>,
        explained: &Explained<'_, M>,
    ) -> Result<Vec<Vec<Option<f64>>>> {
        let ends = Ends::of(batch);
        let (n, _, h, w) = ends.images.dim();
        let side = self.side.unwrap_or_else(|| (h.min(w) / 8).max(1));
        if side == 0 || side > h.min(w) {
            return Err(Error::invalid(format!(
                "a square of {side} pixels cannot be removed from an image of {h} x {w}"
            )));
        }
        let grey = batch.pixels().dim().1 == 1;
        for (method, attributions) in explained.methods.iter().zip(&explained.attributions) {
            let (given, channels) = (attributions.dim().1, ends.images.dim().1);
            if given != channels && !(given == 1 && grey) {
                return Err(Error::invalid(format!(
                    "infidelity compares the change of each channel with its attribution, but {} gives {given} for the \
                     {channels} channels of a pixel; leave out one of the two",
                    method.name()
                )));
            }
        }
        let before = target_scores(batch, 0, ends.images.view())?;
        let mut changes: Vec<Changes> = explained
            .attributions
            .iter()
            .map(|_| Changes::new(n))
            .collect();
        for draw in 0..self.draws {
            let mut now = ends.images.clone();
            for (image, mut place) in now.outer_iter_mut().enumerate() {
                let mut random = batch.stream(self.seed, "infidelity", image, draw);
                let [y, x] =
                    [h, w].map(|end| random.random_range(0..=(end - side) as u32) as usize);
                let square = s![.., y..y + side, x..x + side];
                let baseline = ends.baseline.index_axis(Axis(0), image);
                place.slice_mut(square).assign(&baseline.slice(square));
            }
            let after = target_scores(batch, draw, now.view())?;
            for (changes, attributions) in changes.iter_mut().zip(&explained.attributions) {
                // An attribution of one channel is that of the grey image as it was given, before it was repeated.
                let given = s![.., ..attributions.dim().1, .., ..];
                changes.add(
                    ends.images.slice(given),
                    now.slice(given),
                    attributions.view(),
                    &before,
                    &after,
                )?;
            }
        }
        explained.each(|method| {
            let values = changes[method].infidelity(self.scaled)?;
            Ok(values.into_iter().map(Some).collect())
        })
    }
}

/// The images and what replaces their pixels, as the model takes them.
struct Ends {
    images: Array4<f32>,
    baseline: Array4<f32>,
}

impl Ends {
    fn of<M>(batch: &Batch<'_, M>) -> Self {
        Self {
            images: batch.as_the_model_takes(batch.pixels()),
            baseline: batch.as_the_model_takes(batch.baseline_pixels()),
        }
    }
}

/// For each method, the areas under the curves of its map `[n, c, h, w]`: heat of one channel, or
/// attributions. `curves` is given what the curve leads between, the map, and the number of features
/// that are replaced together.
fn areas_under<'e, M>(
    batch: &Batch<'_, M>,
    explained: &'e Explained<'_, M>,
    steps: usize,
    map: impl Fn(usize) -> ArrayView4<'e, f32>,
    curves: impl Fn(&Ends, ArrayView4<f32>, usize) -> Result<Array2<f64>>,
) -> Result<Vec<Vec<Option<f64>>>> {
    let ends = Ends::of(batch);
    explained.each(|method| {
        let map = map(method);
        let (_, channels, h, w) = map.dim();
        let features = channels * h * w;
        let step = step(features, steps)?;
        Ok(areas(&curves(&ends, map, step)?, features, step))
    })
}

/// The number of features that are replaced together.
fn step(features: usize, steps: usize) -> Result<usize> {
    if steps == 0 {
        return Err(Error::invalid("a curve needs at least 1 step"));
    }
    Ok(features.div_ceil(steps))
}

/// The score of the target of each image.
fn target_scores<M: Predict>(
    batch: &Batch<'_, M>,
    number: usize,
    images: ArrayView4<f32>,
) -> Result<Vec<f64>> {
    let scores = batch.class_scores_of(number, images)?;
    Ok(of_targets(batch, &scores, |scores, target| {
        target.of(scores).into()
    }))
}

/// The probability of the target of each image: the softmax of the scores, or the score itself if the model ends in a
/// softmax or has a single one.
fn probabilities<M: Predict>(batch: &Batch<'_, M>, images: ArrayView4<f32>) -> Result<Vec<f64>> {
    let scores = batch.class_scores_of(0, images)?;
    let network = batch.model().layers();
    Ok(of_targets(batch, &scores, |scores, target| match scores {
        [only] => (*only).into(),
        scores => training::probabilities(scores, network)[target.output()],
    }))
}

fn of_targets<M>(
    batch: &Batch<'_, M>,
    scores: &Array2<f32>,
    of: impl Fn(&[f32], Target) -> f64,
) -> Vec<f64> {
    let rows = scores.outer_iter().zip(batch.targets());
    rows.map(|(row, &target)| of(&row.to_vec(), target))
        .collect()
}
