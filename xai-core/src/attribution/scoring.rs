//! Scores of the methods of a panel.

use std::collections::HashMap;
use std::ops::Range;

use ndarray::{Array2, Array3, Array4, ArrayView2, ArrayView4, Axis};
use rayon::prelude::*;

use super::batch::Batch;
use super::images::Images;
use super::measures::{Explained, Measured, Metrics};
use super::method::{Caution, Explain};
use super::model::Explainable;
use super::panel::{Panel, check_finite, download};
use super::target::Targets;
use crate::device::{self, Tensor, on_cpu};
use crate::error::{Error, Result};
use crate::metrics::{
    CHANCE, COMPLETENESS_ERROR, Metric, PostProcessing, Score, Scores, chance_name,
    completeness_error, failed_checks, group_name, is_chance,
};

impl<M: Explainable> Panel<M> {
    /// Explains the images' true classes and scores every explanation: against the ground truth with
    /// a [`Metric`](crate::metrics::Metric), without it with a [`Measure`](super::Measure). Returns
    /// one row per method, image and metric, in that order. Maps are scored batch by batch and not
    /// kept.
    ///
    /// [`CHECKS`](crate::metrics::CHECKS) of a map stand before its scores.
    ///
    /// Maps are processed as [`combine`](Self::combine) says, and again for each further
    /// [policy](Self::also), whose rows follow. The chance levels come last, one row per image and metric, with the
    /// method [`CHANCE`] and the metric's [`chance_name`]. If a metric is undefined for an image, the image has no row for it.
    ///
    /// # Errors
    /// As [`explain`](Self::explain); if a metric needs ground truth and the images have none; if a
    /// metric rejects a map; if the name of a metric ends in `_chance`.
    pub fn score(&self, model: &M, images: &Images, metrics: &impl Metrics<M>) -> Result<Scores> {
        let metrics = metrics.list();
        let compares = |metric: &Measured<M>| matches!(metric, Measured::WithTruth(_));
        if images.truth.is_none() && metrics.iter().any(compares) {
            return Err(Error::invalid(
                "these images have no ground truth to score against; add it with `with_truth`",
            ));
        }
        if let Some(metric) = metrics.iter().find(|metric| is_chance(metric.name())) {
            return Err(Error::invalid(format!(
                "the name of the metric `{}` ends like those of chance levels, which tables and figures leave out; let its \
                 `name` return another one",
                metric.name()
            )));
        }
        images.check()?;
        images.open_gallery();
        let mut scores: Vec<Scores> = vec![Vec::new(); self.methods.len()];
        self.each_batch(
            model,
            images,
            &Targets::TrueClass,
            |range, batch, attributions| {
                for rows in self.rows_of_batch(images, range, batch, attributions, &metrics)? {
                    for (scores, rows) in scores.iter_mut().zip(rows) {
                        scores.extend(rows);
                    }
                }
                Ok(())
            },
        )?;
        scores.push(self.chances(images, &metrics));
        Ok(scores.concat())
    }

    /// The chance level of each image, metric and policy that has one. Images with the same ground truth share
    /// theirs.
    fn chances(&self, images: &Images, metrics: &[Measured<'_, M>]) -> Scores {
        let Some(truth) = &images.truth else {
            return Scores::new();
        };
        let metrics: Vec<_> = metrics.iter().filter_map(Measured::metric).collect();
        let also = self.also.iter().map(|(name, post)| (Some(name), post));
        let policies: Vec<_> = [(None, &self.post)].into_iter().chain(also).collect();
        let of_truth = |image: usize| {
            let truth = truth.index_axis(Axis(0), image);
            let mut levels = Vec::new();
            for &(name, post) in &policies {
                let truth = post.truth(truth);
                for metric in &metrics {
                    let own = metric.name();
                    let of = name.map_or(own.to_owned(), |name| group_name(own, name));
                    let level = metric.chance(truth.view());
                    levels.extend(level.map(|level| (chance_name(&of), level)));
                }
            }
            levels
        };
        let (first, which) = distinct(truth);
        let levels: Vec<_> = first.into_par_iter().map(of_truth).collect();
        let of_image = |(image, which): (usize, usize)| {
            levels[which].iter().map(move |(metric, value)| Score {
                image: images.index[image],
                class: images.class[image],
                method: CHANCE.into(),
                metric: metric.clone(),
                value: *value,
            })
        };
        which.into_iter().enumerate().flat_map(of_image).collect()
    }

    /// The rows of each image of a batch, one list per method.
    fn rows_of_batch(
        &self,
        images: &Images,
        range: Range<usize>,
        batch: &Batch<'_, M>,
        attributions: Vec<Tensor<4>>,
        metrics: &[Measured<'_, M>],
    ) -> Result<Vec<Vec<Scores>>> {
        let known: Vec<Known> = (self.methods.iter().zip(&attributions))
            .map(|(method, values)| Known::of(method, batch, values))
            .collect::<Result<_>>()?;
        let (mut raw, mut heat) = (Vec::new(), Vec::new());
        // Without these, a GPU returns only heat maps.
        let whole = !self.also.is_empty()
            || metrics
                .iter()
                .any(|one| matches!(one, Measured::WithoutTruth(_)));
        for (method, values) in self.methods.iter().zip(attributions) {
            let values = if whole || on_cpu(batch.device()) {
                values
            } else {
                self.post.combined().heat_in_place(values)?
            };
            let values = download(values)?;
            check_finite(method.name(), batch.index(), &values)?;
            heat.push(heat_maps(&self.post, &values, batch.pixels())?);
            raw.push(values);
        }
        let explained = Explained {
            methods: &self.methods,
            attributions: raw,
            heat,
        };
        // Of each metric that is a measure: one value per method and image.
        let measures: Vec<Option<Vec<Vec<Option<f64>>>>> = (metrics.iter())
            .map(|metric| match metric {
                Measured::WithTruth(_) => Ok(None),
                Measured::WithoutTruth(measure) => measure.values(batch, &explained).map(Some),
            })
            .collect::<Result<_>>()?;
        let compared: Vec<_> = metrics.iter().map(Measured::metric).collect();
        let names: Vec<&str> = metrics.iter().map(Measured::name).collect();
        let methods: Vec<&str> = self.methods.iter().map(|method| method.name()).collect();
        let batch_pixels = batch.pixels();
        let (post, also) = (&self.post, &self.also);
        let rows_of_image = |at: usize| -> Result<Vec<Scores>> {
            let image = range.start + at;
            let given = images.truth.as_ref();
            let given = given.map(|truth| truth.index_axis(Axis(0), image));
            let truth = given.map(|truth| post.truth(truth));
            let truth = truth.as_ref().map(|truth| truth.view());
            let map_of = |number: usize| explained.heat[number].index_axis(Axis(0), at);
            // Of each method so far, one value per metric.
            let mut values: Vec<Vec<Option<f64>>> = Vec::new();
            let rows_of_method = |(number, known): (usize, &Known)| -> Result<Scores> {
                let (method, map) = (methods[number], map_of(number));
                if let Some(gallery) = &images.gallery {
                    gallery.keep(images.index[image], method, &map.to_owned());
                }
                let row = |metric: &str, value| Score {
                    image: images.index[image],
                    class: images.class[image],
                    method: method.into(),
                    metric: metric.into(),
                    value,
                };
                let pixels = batch_pixels.index_axis(Axis(0), at);
                let compare = |metric: &dyn Metric,
                               post: &PostProcessing,
                               map: ArrayView2<f32>,
                               truth: ArrayView2<bool>| {
                    let own = metric.adds_absolute_values();
                    let own = own.then(|| post.without_dropped(map, pixels)).flatten();
                    let map = own.as_ref().map_or(map, |own| own.view());
                    metric.score(map, truth).map_err(|problem| {
                        let index = images.index[image];
                        Error::invalid(format!("{method} of image {index}: {problem}"))
                    })
                };
                let mut rows = Scores::new();
                rows.extend(
                    known
                        .checks(at, map, truth)
                        .map(|(check, value)| row(check, value)),
                );
                // The saliency, deconvolution and guided backpropagation of a linear model are equal.
                let same = (0..number).find(|&other| {
                    (map.iter().zip(map_of(other))).all(|(a, b)| a.to_bits() == b.to_bits())
                });
                let mut scored = Vec::with_capacity(names.len());
                for (place, name) in names.iter().enumerate() {
                    let value = match (&measures[place], same, compared[place], truth) {
                        (Some(values), ..) => values[number][at],
                        (None, Some(other), ..) => values[other][place],
                        (None, None, Some(metric), Some(truth)) => {
                            compare(metric, post, map, truth)?
                        }
                        _ => None,
                    };
                    scored.push(value);
                    rows.extend(value.map(|value| row(name, value)));
                }
                values.push(scored);
                let attribution = explained.attributions[number].index_axis(Axis(0), at);
                for (policy, post) in also {
                    let Some(given) = given else { break };
                    let map = post.heat(attribution, pixels)?;
                    let truth = post.truth(given);
                    for metric in compared.iter().flatten() {
                        let value = compare(*metric, post, map.view(), truth.view())?;
                        let name = group_name(metric.name(), policy);
                        rows.extend(value.map(|value| row(&name, value)));
                    }
                }
                Ok(rows)
            };
            known.iter().enumerate().map(rows_of_method).collect()
        };
        (0..range.len())
            .into_par_iter()
            .map(rows_of_image)
            .collect()
    }
}

/// The first image with each ground truth, and the number of each image's ground truth.
fn distinct(truth: &Array3<bool>) -> (Vec<usize>, Vec<usize>) {
    let (mut first, mut known) = (Vec::new(), HashMap::new());
    let which = truth.outer_iter().enumerate().map(|(image, truth)| {
        *known.entry(truth).or_insert_with(|| {
            first.push(image);
            first.len() - 1
        })
    });
    let which = which.collect();
    (first, which)
}

/// The heat map `[h, w]` of each attribution `[c, h, w]` of an image.
fn heat_maps(
    post: &PostProcessing,
    attributions: &Array4<f32>,
    images: ArrayView4<f32>,
) -> Result<Array3<f32>> {
    let (n, _, h, w) = attributions.dim();
    let pairs = attributions.axis_iter(Axis(0)).into_par_iter();
    let maps: Vec<Array2<f32>> = pairs
        .zip(images.axis_iter(Axis(0)).into_par_iter())
        .map(|(attribution, image)| post.heat(attribution, image))
        .collect::<Result<_>>()?;
    let mut all = Array3::zeros((n, h, w));
    for (mut place, map) in all.outer_iter_mut().zip(&maps) {
        place.assign(map);
    }
    Ok(all)
}

/// What is known of the attributions of a batch beside their values, one entry per image.
struct Known {
    /// What each attribution sums to, and what was promised.
    sums: Option<Vec<[f64; 2]>>,
    cautions: Vec<Option<Caution>>,
}

impl Known {
    /// Before channels are combined.
    fn of<M>(method: &dyn Explain<M>, batch: &Batch<'_, M>, values: &Tensor<4>) -> Result<Self> {
        Ok(Self {
            sums: sums(method.promised_sums(batch)?, values)?,
            cautions: method.cautions(batch),
        })
    }

    /// The checks of one image that fail, with their values.
    fn checks(
        &self,
        at: usize,
        map: ArrayView2<f32>,
        truth: Option<ArrayView2<bool>>,
    ) -> impl Iterator<Item = (&'static str, f64)> {
        let failed = failed_checks(map, truth);
        let caution = self.cautions.get(at).copied().flatten();
        let sums = self.sums.as_ref().map(|sums| sums[at]);
        let off = sums.and_then(|[sum, promised]| completeness_error(sum, promised));
        let off = off.map(|off| (COMPLETENESS_ERROR, off));
        [failed, caution, off].into_iter().flatten()
    }
}

/// The sum of each image's attribution beside the promised one, if there is one.
fn sums(promised: Option<Vec<f32>>, values: &Tensor<4>) -> Result<Option<Vec<[f64; 2]>>> {
    let Some(promised) = promised else {
        return Ok(None);
    };
    // Rows of an image are added on its device, and then in 64 bits.
    let [n, channels, height, _] = values.dims();
    let rows = device::download(values.clone().sum_dim(3))?;
    let sum = |rows: &[f32]| rows.iter().map(|&row| f64::from(row)).sum::<f64>();
    let sums = rows.chunks(channels * height).take(n).map(sum);
    let pairs = sums.zip(promised);
    Ok(Some(
        pairs
            .map(|(sum, promised)| [sum, f64::from(promised)])
            .collect(),
    ))
}
