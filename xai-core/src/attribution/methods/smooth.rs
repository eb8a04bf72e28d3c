//! Means over noisy copies of an image, for any method.

use std::collections::BTreeSet;
use std::sync::{Mutex, PoisonError};

use ndarray::{Array1, Array4, ArrayView3, Axis};
use rand::Rng;
use rand_distr::StandardNormal;

use crate::attribution::method::Caution;
use crate::attribution::{Batch, Explain, Method, Saliency};
use crate::device::Tensor;
use crate::error::{Error, Result};
use crate::metrics::NOISE_OVER_RANGE;

/// Applies a method to noisy copies of an image, and returns a statistic of the results for each
/// pixel. Captum's NoiseTunnel. The baseline is that of the image without noise.
///
/// ```
/// use xai_core::attribution::{IntegratedGradients, Method, Saliency, SmoothGrad};
///
/// assert_eq!(SmoothGrad::of(Saliency).name(), "smooth_grad");
/// let method = SmoothGrad::of(IntegratedGradients { steps: 20 }).squared().noise(0.1);
/// assert_eq!(method.name(), "smooth_grad_squared_integrated_gradients");
/// ```
#[derive(Clone, Copy, Debug)]
pub struct SmoothGrad<T> {
    /// The method.
    pub method: T,
    /// Noisy copies per image (Captum: 5).
    pub samples: usize,
    /// How strong the noise is.
    pub noise: Noise,
    /// The seed of the noise.
    pub seed: u64,
    kind: Kind,
}

/// The standard deviation of the noise.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Noise {
    /// As a share of each image's range, its largest pixel minus its smallest one. Smilkov et al. (2017) recommend 0.1 to
    /// 0.2. It means the same for any scale of pixels.
    OfRange(f64),
    /// In the units of the pixels. Captum's is 1, which drowns an image of pixels from 0 to 1.
    Absolute(f64),
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum Kind {
    Mean,
    Squares,
    Variance,
}

impl<T: Method> SmoothGrad<T> {
    /// The mean of the attributions (Smilkov et al. 2017).
    pub fn of(method: T) -> Self {
        Self {
            method,
            samples: 5,
            noise: Noise::OfRange(0.15),
            seed: 0,
            kind: Kind::Mean,
        }
    }

    /// The mean of the squared attributions (Hooker et al. 2019).
    pub fn squared(self) -> Self {
        let kind = Kind::Squares;
        Self { kind, ..self }
    }

    /// The variance of the attributions (Adebayo et al. 2018): the sum of squared deviations is divided by the number of
    /// samples.
    pub fn variance(self) -> Self {
        let kind = Kind::Variance;
        Self { kind, ..self }
    }

    /// Sets the standard deviation of the noise as a share of each image's range.
    pub fn noise(self, of_range: f64) -> Self {
        let noise = Noise::OfRange(of_range);
        Self { noise, ..self }
    }

    /// Sets the standard deviation of the noise in the units of the pixels, as Captum has it. Scores note the images whose
    /// range it exceeds ([`NOISE_OVER_RANGE`](crate::metrics::NOISE_OVER_RANGE)).
    pub fn absolute(self, stdev: f64) -> Self {
        let noise = Noise::Absolute(stdev);
        Self { noise, ..self }
    }

    /// Sets the number of noisy copies.
    pub fn samples(self, samples: usize) -> Self {
        Self { samples, ..self }
    }

    /// Sets the seed of the noise.
    pub fn seed(self, seed: u64) -> Self {
        Self { seed, ..self }
    }
}

impl<T: Method> Method for SmoothGrad<T> {
    /// `smooth_grad`, `smooth_grad_squared` or `var_grad`, followed by the method's name unless it
    /// is [`Saliency`].
    fn name(&self) -> &'static str {
        let kind = match self.kind {
            Kind::Mean => "smooth_grad",
            Kind::Squares => "smooth_grad_squared",
            Kind::Variance => "var_grad",
        };
        match self.method.name() {
            name if name == Saliency.name() => kind,
            name => interned(format!("{kind}_{name}")),
        }
    }
}

/// Makes a name that lives as long as the program. Each name is stored once, and there are few.
fn interned(name: String) -> &'static str {
    static NAMES: Mutex<BTreeSet<&'static str>> = Mutex::new(BTreeSet::new());
    let mut names = NAMES.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(name) = names.get(name.as_str()) {
        return name;
    }
    let name: &'static str = name.leak();
    names.insert(name);
    name
}

impl<M, T: Explain<M>> Explain<M> for SmoothGrad<T> {
    fn attribute(&self, batch: &Batch<'_, M>) -> Result<Tensor<4>> {
        let (Noise::OfRange(deviation) | Noise::Absolute(deviation)) = self.noise;
        if self.samples == 0 || !(deviation.is_finite() && deviation >= 0.0) {
            return Err(Error::invalid(format!(
                "{} with {} samples and noise of {deviation}: give at least one sample, and a deviation of 0 or more",
                self.name(),
                self.samples,
            )));
        }
        let [mut first, mut sum, mut squares]: [Option<Tensor<4>>; 3] = [None, None, None];
        for sample in 0..self.samples {
            let noisy = self.noisy(batch, sample);
            let noisy = batch.altered(noisy, format!("/{}/{sample}", self.name()));
            let mut values = self.method.attribute(&noisy)?;
            if self.kind == Kind::Variance {
                // Deviations from the first sample have the same variance, and no large part in common whose rounding
                // would drown it.
                let first = first.get_or_insert_with(|| values.clone()).clone();
                values = values - first;
            }
            let square = values.clone().square();
            sum = Some(sum.map_or(values.clone(), |sum| sum + values));
            squares = Some(squares.map_or(square.clone(), |sum| sum + square));
        }
        let mean = |sum: Option<Tensor<4>>| sum.expect("a sample") / self.samples as f32;
        Ok(match self.kind {
            Kind::Mean => mean(sum),
            Kind::Squares => mean(squares),
            Kind::Variance => {
                let variance = mean(squares) - mean(sum).square();
                let negative = variance.clone().lower_elem(0.0); // by rounding
                variance.mask_fill(negative, 0.0)
            }
        })
    }

    /// The noise as a multiple of the image's range, where it exceeds it. Of an image of one value, whose range is 0, it is the
    /// largest number, because a report refuses infinite scores.
    fn cautions(&self, batch: &Batch<'_, M>) -> Vec<Option<Caution>> {
        let Noise::Absolute(stdev) = self.noise else {
            return Vec::new();
        };
        let caution = |image: ArrayView3<f32>| {
            let times = stdev / range(image);
            (times > 1.0).then_some((NOISE_OVER_RANGE, times.min(f64::MAX)))
        };
        batch.pixels().outer_iter().map(caution).collect()
    }
}

/// The largest pixel of an image minus its smallest one.
fn range(image: ArrayView3<f32>) -> f64 {
    let ends = image
        .iter()
        .fold((f32::INFINITY, f32::NEG_INFINITY), |(low, high), &pixel| {
            (low.min(pixel), high.max(pixel))
        });
    f64::from(ends.1) - f64::from(ends.0)
}

impl<T: Method> SmoothGrad<T> {
    /// The images with noise. Each image has its own stream.
    fn noisy<M>(&self, batch: &Batch<'_, M>, sample: usize) -> Array4<f32> {
        let mut noisy = batch.pixels().to_owned();
        let shape = noisy.index_axis(Axis(0), 0).raw_dim();
        for (image, mut pixels) in noisy.outer_iter_mut().enumerate() {
            let stdev = match self.noise {
                Noise::OfRange(share) => share * range(pixels.view()),
                Noise::Absolute(stdev) => stdev,
            };
            let mut rng = batch.stream(self.seed, "smooth_grad", image, sample);
            let noise = (0..pixels.len()).map(|_| {
                let drawn: f64 = rng.sample(StandardNormal);
                (drawn * stdev) as f32
            });
            let noise = Array1::from_iter(noise).into_shape_with_order(shape);
            pixels += &noise.expect("as many values as the image has");
        }
        noisy
    }
}
