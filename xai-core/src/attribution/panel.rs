//! Several methods on the same images.

use std::cell::OnceCell;
use std::ops::Range;

use ndarray::{Array4, ArrayView4, Axis, s};
use rayon::prelude::*;

use super::batch::Batch;
use super::images::{Images, Targets};
use super::model::{Explain, Explainable};
use super::shapes::{input_channels, shapes};
use crate::device::{DeviceChoice, Tensor};
use crate::error::{Error, Result};
use crate::score::{Metric, Score, Scores, combine};

/// What one method says about all images.
#[derive(Clone, Debug)]
pub struct Map {
    /// The method's name.
    pub method: &'static str,
    /// Attributions `[n, c, h, w]`, signed unless the method is defined by absolute values.
    pub values: Array4<f32>,
}

/// Methods that explain the same images, sharing what they have in common.
///
/// Images are taken in batches as large as memory allows; results do not depend on the size of batches.
///
/// ```
/// use ndarray::Array3;
/// use xai_core::attribution::{Images, Intensity, NoModel, Panel, Sobel};
///
/// let images = Images::grey(Array3::ones((2, 8, 8)), vec![0, 1]);
/// let maps = Panel::new().with(Sobel).with(Intensity).explain(&NoModel, &images, 0)?;
/// assert_eq!(maps[1].method, "intensity");
/// assert_eq!(maps[1].values.dim(), (2, 1, 8, 8));
/// # Ok::<(), xai_core::Error>(())
/// ```
pub struct Panel<M> {
    methods: Vec<Box<dyn Explain<M>>>,
    memory: usize,
}

impl<M> Default for Panel<M> {
    fn default() -> Self {
        Self {
            methods: Vec::new(),
            memory: 2 << 30,
        }
    }
}

impl<M> Panel<M> {
    /// A panel without methods.
    pub fn new() -> Self {
        Self::default()
    }

    /// With one more method. What it cannot explain is an error of the compiler.
    pub fn with(mut self, method: impl Explain<M> + 'static) -> Self {
        self.methods.push(Box::new(method));
        self
    }

    /// With about this much memory for passes through the model, in bytes (2 GiB otherwise).
    pub fn memory(self, bytes: usize) -> Self {
        Self {
            memory: bytes,
            ..self
        }
    }
}

impl<M: Explainable> Panel<M> {
    /// The attribution of every image by every method, in the order in which they were added.
    ///
    /// # Errors
    /// Images that do not fit the model, a class that it does not have, two methods of one name.
    pub fn explain(
        &self,
        model: &M,
        images: &Images,
        targets: impl Into<Targets>,
    ) -> Result<Vec<Map>> {
        let mut maps: Vec<Vec<Array4<f32>>> = vec![Vec::new(); self.methods.len()];
        self.each_batch(model, images, &targets.into(), |method, _, values| {
            maps[method].push(values);
            Ok(())
        })?;
        let maps = self.methods.iter().zip(maps).map(|(method, parts)| {
            let parts: Vec<ArrayView4<f32>> = parts.iter().map(|part| part.view()).collect();
            let values = match parts.is_empty() {
                true => Array4::zeros((0, 1, 1, 1)),
                false => ndarray::concatenate(Axis(0), &parts).map_err(Error::invalid)?,
            };
            let method = method.name();
            Ok(Map { method, values })
        });
        maps.collect()
    }

    /// Explains the images' true classes and scores every explanation against the truth: one row a
    /// method and image, in that order. Maps are scored batch by batch and not kept.
    ///
    /// Where the metric is undefined for an image's truth, the image has no row.
    ///
    /// # Errors
    /// As [`explain`](Self::explain); images without truth; maps that the metric refuses.
    pub fn score(&self, model: &M, images: &Images, metric: &dyn Metric) -> Result<Scores> {
        let truth = images.truth.as_ref().ok_or_else(|| {
            Error::invalid("these images have no truth to score against; add it by `with_truth`")
        })?;
        let mut scores: Vec<Scores> = vec![Vec::new(); self.methods.len()];
        self.each_batch(
            model,
            images,
            &Targets::TrueClass,
            |method, range, values| {
                let name = self.methods[method].name();
                let rows: Vec<Option<Score>> = range
                    .into_par_iter()
                    .zip(values.axis_iter(Axis(0)).into_par_iter())
                    .map(|(image, attribution)| {
                        let heat = combine(attribution)?;
                        let value = metric.score(heat.view(), truth.index_axis(Axis(0), image));
                        let value = value.map_err(|problem| {
                            let index = images.index[image];
                            Error::invalid(format!("{name} of image {index}: {problem}"))
                        })?;
                        Ok(value.map(|value| Score {
                            image: images.index[image],
                            class: images.class[image],
                            method: name.into(),
                            metric: metric.name().into(),
                            value,
                        }))
                    })
                    .collect::<Result<_>>()?;
                scores[method].extend(rows.into_iter().flatten());
                Ok(())
            },
        )?;
        Ok(scores.concat())
    }

    /// Runs all methods on batches of images and hands each result to `take`: which method, which
    /// images, the attributions.
    fn each_batch(
        &self,
        model: &M,
        images: &Images,
        targets: &Targets,
        mut take: impl FnMut(usize, Range<usize>, Array4<f32>) -> Result<()>,
    ) -> Result<()> {
        self.check_names()?;
        images.check()?;
        let (n, given, h, w) = images.pixels.dim();
        let mut channels = given;
        let (mut classes, mut rows, mut device) = (None, n.max(1), None);
        if let Some(network) = model.layers() {
            if given == 1 {
                channels = input_channels(network).unwrap_or(1);
            }
            let shapes = shapes(network, [channels, h, w])?;
            classes = shapes.last().map(|scores| scores[0]);
            rows = rows_within(self.memory, &shapes);
            device = network.device();
        }
        let device = device.map_or_else(|| DeviceChoice::Flex.open(), Ok)?;
        let targets = targets.of(images, classes)?;
        let baseline = OnceCell::new();
        for first in (0..n).step_by(rows) {
            let range = first..n.min(first + rows);
            let batch = Batch {
                model,
                device: &device,
                pixels: images.pixels.slice(s![range.clone(), .., .., ..]),
                index: &images.index[range.clone()],
                targets: &targets[range.clone()],
                channels,
                rows,
                trace: OnceCell::new(),
                gradient: OnceCell::new(),
                baseline: &baseline,
            };
            for (number, method) in self.methods.iter().enumerate() {
                take(number, range.clone(), download(method.attribute(&batch)?)?)?;
            }
        }
        Ok(())
    }

    fn check_names(&self) -> Result<()> {
        for (number, method) in self.methods.iter().enumerate() {
            let name = method.name();
            if self.methods[..number].iter().any(|m| m.name() == name) {
                return Err(Error::invalid(format!(
                    "two methods of this panel are called `{name}`, so their results could not be \
                     told apart; explain with them one after the other"
                )));
            }
        }
        Ok(())
    }
}

/// How many images fit in one pass, at least one. There are two traces at a time, the images' and
/// one of points on a path; each keeps every activation (4 bytes) and an index for every maximum,
/// and what flows back comes on top.
fn rows_within(memory: usize, shapes: &[[usize; 3]]) -> usize {
    const MOST: usize = 256;
    let values: usize = shapes.iter().map(|[c, h, w]| c * h * w).sum();
    (memory / (16 * values).max(1)).clamp(1, MOST)
}

fn download(tensor: Tensor<4>) -> Result<Array4<f32>> {
    let shape = tensor.dims();
    let values = tensor.into_data().into_vec::<f32>();
    let values = values.map_err(|problem| Error::invalid(format!("{problem:?}")))?;
    Array4::from_shape_vec(shape, values).map_err(Error::invalid)
}
