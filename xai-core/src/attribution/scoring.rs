//! Scores of the methods of a panel.

use std::ops::Range;

use ndarray::{Array2, Array3, Array4, ArrayView2, Axis, Zip};
use rayon::prelude::*;

use super::batch::Batch;
use super::images::{Images, Targets};
use super::measures::{Explained, Measured, Metrics};
use super::method::{Caution, Explain};
use super::model::Explainable;
use super::panel::{Panel, check_finite, download};
use crate::device::{self, Tensor, on_cpu};
use crate::error::{Error, Result};
use crate::metrics::{
    CHANCE, COMPLETENESS_ERROR, Combine, Score, Scores, chance_name, completeness_error,
    failed_checks,
};

impl<M: Explainable> Panel<M> {
    /// Explains the images' true classes and scores every explanation: against the ground truth with
    /// a [`Metric`](crate::metrics::Metric), without it with a [`Measure`](super::Measure). Returns
    /// one row per method, image and metric, in that order. Maps are scored batch by batch and not
    /// kept.
    ///
    /// [`CHECKS`](crate::metrics::CHECKS) of a map stand before its scores.
    ///
    /// The chance levels follow, one row per image and metric, with the method [`CHANCE`] and the
    /// metric's [`chance_name`]. If a metric is undefined for an image, the image has no row for it.
    ///
    /// # Errors
    /// As [`explain`](Self::explain); if a metric needs ground truth and the images have none; if a
    /// metric rejects a map.
    pub fn score(&self, model: &M, images: &Images, metrics: &impl Metrics<M>) -> Result<Scores> {
        let metrics = metrics.list();
        let compares = |metric: &Measured<M>| matches!(metric, Measured::WithTruth(_));
        if images.truth.is_none() && metrics.iter().any(compares) {
            return Err(Error::invalid(
                "these images have no ground truth to score against; add it with `with_truth`",
            ));
        }
        images.check()?;
        images.open_gallery();
        let mut scores: Vec<Scores> = vec![Vec::new(); self.methods.len()];
        self.each_batch(
            model,
            images,
            &Targets::TrueClass,
            |range, batch, attributions| {
                let rows = self.rows_of_batch(images, range, batch, attributions, &metrics)?;
                for (scores, rows) in scores.iter_mut().zip(rows) {
                    scores.extend(rows);
                }
                Ok(())
            },
        )?;
        scores.push(chances(images, &metrics));
        Ok(scores.concat())
    }

    /// The rows of each method for a batch.
    fn rows_of_batch(
        &self,
        images: &Images,
        range: Range<usize>,
        batch: &Batch<'_, M>,
        attributions: Vec<Tensor<4>>,
        metrics: &[Measured<'_, M>],
    ) -> Result<Vec<Scores>> {
        let known: Vec<Known> = (self.methods.iter().zip(&attributions))
            .map(|(method, values)| Known::of(method, batch, values))
            .collect::<Result<_>>()?;
        let (mut raw, mut heat) = (Vec::new(), Vec::new());
        let measured = metrics
            .iter()
            .any(|one| matches!(one, Measured::WithoutTruth(_)));
        for (method, values) in self.methods.iter().zip(attributions) {
            // A GPU returns only heat maps if nothing else is wanted.
            let values = if measured || on_cpu(batch.device()) {
                values
            } else {
                self.combine.heat_in_place(values)?
            };
            let values = download(values)?;
            check_finite(method.name(), batch.index(), &values)?;
            heat.push(heat_maps(self.combine, &values)?);
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
        let rows_of_method = |(number, known): (usize, &Known)| -> Result<Scores> {
            let method = self.methods[number].name();
            let rows_of_image = |at: usize| -> Result<Scores> {
                let image = range.start + at;
                let map = explained.heat[number].index_axis(Axis(0), at);
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
                let truth = images.truth.as_ref();
                let truth = truth.map(|truth| truth.index_axis(Axis(0), image));
                let mut rows = Scores::new();
                rows.extend(
                    known
                        .checks(at, map, truth)
                        .map(|(check, value)| row(check, value)),
                );
                for (place, name) in names.iter().enumerate() {
                    let value = match (&measures[place], compared[place], truth) {
                        (Some(values), ..) => values[number][at],
                        (None, Some(metric), Some(truth)) => {
                            metric.score(map, truth).map_err(|problem| {
                                let index = images.index[image];
                                Error::invalid(format!("{method} of image {index}: {problem}"))
                            })?
                        }
                        _ => None,
                    };
                    rows.extend(value.map(|value| row(name, value)));
                }
                Ok(rows)
            };
            let rows = (0..range.len()).into_par_iter().map(rows_of_image);
            Ok(rows.collect::<Result<Vec<_>>>()?.concat())
        };
        known.iter().enumerate().map(rows_of_method).collect()
    }
}

/// The heat map `[h, w]` of each attribution `[c, h, w]`.
fn heat_maps(combine: Combine, attributions: &Array4<f32>) -> Result<Array3<f32>> {
    let (n, _, h, w) = attributions.dim();
    let maps: Vec<Array2<f32>> = (attributions.axis_iter(Axis(0)).into_par_iter())
        .map(|attribution| combine.heat(attribution))
        .collect::<Result<_>>()?;
    let mut all = Array3::zeros((n, h, w));
    Zip::from(all.outer_iter_mut())
        .and(&ndarray::Array1::from(maps))
        .for_each(|mut place, map| place.assign(map));
    Ok(all)
}

/// The chance level of each image and metric that has one.
fn chances<M>(images: &Images, metrics: &[Measured<'_, M>]) -> Scores {
    let Some(truth) = &images.truth else {
        return Scores::new();
    };
    let metrics: Vec<_> = metrics.iter().filter_map(Measured::metric).collect();
    let chances = (0..images.len()).into_par_iter().flat_map_iter(|image| {
        metrics.iter().filter_map(move |metric| {
            Some(Score {
                image: images.index[image],
                class: images.class[image],
                method: CHANCE.into(),
                metric: chance_name(metric.name()),
                value: metric.chance(truth.index_axis(Axis(0), image))?,
            })
        })
    });
    chances.collect()
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
