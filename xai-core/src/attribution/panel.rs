//! Several methods on the same images.

use std::ops::Range;

use ndarray::{Array4, ArrayView3, ArrayView4, Axis, s};

use super::baseline::Baseline;
use super::batch::{Batch, Passes, Reference};
use super::gallery::PARTS;
use super::images::Images;
use super::method::Explain;
use super::model::Explainable;
use super::target::Targets;
use crate::device::{self, DeviceChoice, Tensor, memory_for_passes};
use crate::error::{Error, Result};
use crate::metrics::PostProcessing;

/// The attributions of one method for all images.
#[derive(Clone, Debug)]
pub struct Map {
    /// The method's name.
    pub method: &'static str,
    /// Attributions `[n, c, h, w]`, signed unless the method is defined by absolute values.
    pub values: Array4<f32>,
}

/// Methods that explain the same images and share results.
///
/// Images are processed in batches as large as memory allows. Results do not depend on the size of
/// batches.
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
    pub(super) methods: Vec<Box<dyn Explain<M>>>,
    /// In bytes. `None` stands for that of the images, or the default of the device.
    memory: Option<usize>,
    pub(super) post: PostProcessing,
    /// Further ways to process maps, each with a name.
    pub(super) also: Vec<(String, PostProcessing)>,
    baseline: Baseline,
}

impl<M> Default for Panel<M> {
    fn default() -> Self {
        Self {
            methods: Vec::new(),
            memory: None,
            post: PostProcessing::default(),
            also: Vec::new(),
            baseline: Baseline::Zero,
        }
    }
}

impl<M> Panel<M> {
    /// A panel without methods.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a method. If it cannot explain `M`, this does not compile.
    pub fn with(mut self, method: impl Explain<M> + 'static) -> Self {
        self.methods.push(Box::new(method));
        self
    }

    /// The names of its methods, in the order in which they were added.
    pub fn names(&self) -> Vec<&'static str>
    where
        M: Explainable,
    {
        self.methods.iter().map(|method| method.name()).collect()
    }

    /// Sets the approximate memory for passes through the model, in bytes. By default 2 GiB, or
    /// half of a GPU's memory. In a sweep on a CPU, a cell's share of a quarter of `--memory`.
    pub fn memory(self, bytes: usize) -> Self {
        Self {
            memory: Some(bytes),
            ..self
        }
    }

    /// Sets how heat maps are made of attributions before they are scored: a [`PostProcessing`], a
    /// [`Combine`](crate::metrics::Combine), or only its [`Sign`](crate::metrics::Sign) or
    /// [`Channels`](crate::metrics::Channels). The default is the paper's.
    pub fn combine(self, post: impl Into<PostProcessing>) -> Self {
        Self {
            post: post.into(),
            ..self
        }
    }

    /// Also scores the maps under further policies, each with a name. Their scores have the name of
    /// [`group_name`](crate::metrics::group_name), such as `precision:blurred`. Methods run once,
    /// whatever the number of policies. Measures without ground truth are not repeated.
    pub fn also<N: Into<String>, P: Into<PostProcessing>>(
        mut self,
        policies: impl IntoIterator<Item = (N, P)>,
    ) -> Self {
        let named = |(name, post): (N, P)| (name.into(), post.into());
        self.also.extend(policies.into_iter().map(named));
        self
    }

    /// Sets the baseline for all methods that use one. The default is zeros.
    pub fn baseline(self, baseline: Baseline) -> Self {
        Self { baseline, ..self }
    }
}

impl<M: Explainable> Panel<M> {
    /// The attribution of every image by every method, in the order in which the methods were
    /// added.
    ///
    /// # Errors
    /// If images do not fit the model, if the model lacks a class, or if two methods have the same
    /// name.
    pub fn explain(
        &self,
        model: &M,
        images: &Images,
        targets: impl Into<Targets>,
    ) -> Result<Vec<Map>> {
        let mut maps: Vec<Vec<Array4<f32>>> = vec![Vec::new(); self.methods.len()];
        self.each_batch(model, images, &targets.into(), |_, batch, attributions| {
            for (method, values) in attributions.into_iter().enumerate() {
                let values = download(values)?;
                check_finite(self.methods[method].name(), batch.index(), &values)?;
                maps[method].push(values);
            }
            Ok(())
        })?;
        let maps = self.methods.iter().zip(maps).map(|(method, parts)| {
            let parts: Vec<ArrayView4<f32>> = parts.iter().map(|part| part.view()).collect();
            let values = if parts.is_empty() {
                Array4::zeros((0, 1, 1, 1))
            } else {
                ndarray::concatenate(Axis(0), &parts).map_err(Error::invalid)?
            };
            let method = method.name();
            Ok(Map { method, values })
        });
        maps.collect()
    }

    /// Runs all methods on batches of images and passes the results to `take`: the images, the batch
    /// and the attributions of each method.
    pub(super) fn each_batch(
        &self,
        model: &M,
        images: &Images,
        targets: &Targets,
        mut take: impl FnMut(Range<usize>, &Batch<'_, M>, Vec<Tensor<4>>) -> Result<()>,
    ) -> Result<()> {
        self.check_names()?;
        images.check()?;
        let (n, given, h, w) = images.pixels.dim();
        let channels = match given {
            1 => model.channels().unwrap_or(1),
            _ => given,
        };
        self.baseline.check([given, h, w])?;
        let classes = model.classes([channels, h, w])?;
        let device = model
            .device()
            .map_or_else(|| DeviceChoice::Flex.open(), Ok)?;
        let memory = self.memory.or(images.memory);
        let memory = memory.unwrap_or_else(|| memory_for_passes(&device));
        let rows = rows_within(memory, model.bytes([channels, h, w]));
        let targets = targets.of(images, classes)?;
        let mut baseline = Reference::new(&self.baseline);
        let layers = model.layers();
        let active = layers.is_some_and(|network| network.active_dropout().is_some());
        for first in (0..n).step_by(rows) {
            let range = first..n.min(first + rows);
            baseline = baseline.next(active);
            let batch = Batch {
                model,
                device: &device,
                pixels: images.pixels.slice(s![range.clone(), .., .., ..]).into(),
                index: &images.index[range.clone()],
                targets: &targets[range.clone()],
                channels,
                rows,
                repeat: String::new(),
                passes: Passes::default(),
                baseline: baseline.clone(),
            };
            let attributions = self
                .methods
                .iter()
                .map(|method| attribute(&**method, &batch));
            let attributions = attributions.collect::<Result<_>>()?;
            take(range, &batch, attributions)?;
        }
        Ok(())
    }

    /// Returns an error if results could not be distinguished or a policy makes no sense.
    fn check_names(&self) -> Result<()> {
        self.post.check()?;
        for (number, (name, post)) in self.also.iter().enumerate() {
            post.check()?;
            if name.is_empty() || self.also[..number].iter().any(|(other, _)| other == name) {
                return Err(Error::invalid(format!(
                    "two policies of this panel are called `{name}`, or it is empty; each needs a name of its own"
                )));
            }
        }
        for (number, method) in self.methods.iter().enumerate() {
            let name = method.name();
            if PARTS.contains(&name) {
                return Err(Error::invalid(format!(
                    "a method of this panel is called `{name}`, as a part of each image in the file of heat maps is; give \
                     it another name"
                )));
            }
            if self.methods[..number].iter().any(|m| m.name() == name) {
                return Err(Error::invalid(format!(
                    "two methods of this panel are called `{name}`, so their results could not be \
                     distinguished; explain with each in a panel of its own, and give the scores of one another name, as \
                     in `for score in &mut scores {{ score.method = \"{name}_b\".into(); }}`"
                )));
            }
        }
        Ok(())
    }
}

/// The attribution by a method. An error names it.
pub(super) fn attribute<M>(method: &dyn Explain<M>, batch: &Batch<'_, M>) -> Result<Tensor<4>> {
    method.attribute(batch).map_err(|problem| match problem {
        Error::Invalid(problem) if !problem.contains(method.name()) => {
            Error::invalid(format!("{}: {problem}", method.name()))
        }
        problem => problem,
    })
}

/// The number of images that fit in one pass; at least one.
fn rows_within(memory: usize, bytes: usize) -> usize {
    const MOST: usize = 256;
    (memory / bytes.max(1)).clamp(1, MOST)
}

/// Returns an error if any attribution is not finite. This happens if the model's scores or
/// gradients are not finite.
pub(super) fn check_finite(method: &str, index: &[u32], values: &Array4<f32>) -> Result<()> {
    let broken = |image: &ArrayView3<f32>| image.iter().find(|value| !value.is_finite()).copied();
    for (image, &index) in values.outer_iter().zip(index) {
        if let Some(value) = broken(&image) {
            return Err(Error::invalid(format!(
                "{method} of image {index}: the attribution holds {value}, so the model's scores or \
                 gradients are not finite; check its weights, and that the image and the baseline hold no NaN"
            )));
        }
    }
    Ok(())
}

pub(super) fn download(tensor: Tensor<4>) -> Result<Array4<f32>> {
    let shape = tensor.dims();
    Array4::from_shape_vec(shape, device::download(tensor)?).map_err(Error::invalid)
}
