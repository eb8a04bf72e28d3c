//! Methods that accumulate gradients along the straight line from a baseline to the image.

mod layered;
mod parts;
mod points;
mod quadrature;
mod ties;

use std::ops::Range;

use rand::Rng;

use crate::attribution::rows::for_each;
use crate::attribution::{Batch, Differentiable, Explain, Method};
use crate::device::Tensor;
use crate::error::{Error, Result};
use crate::random;
use layered::difference_times_gradients;
use points::{Point, sum_over_points};

pub(in crate::attribution) use quadrature::gauss_legendre;

/// Integrated gradients (Sundararajan et al. 2017) from the panel's baseline, by Gauss-Legendre
/// quadrature. Complete up to the error of the quadrature.
#[derive(Clone, Copy, Debug)]
pub struct IntegratedGradients {
    /// Points on the path.
    pub steps: usize,
}

impl Default for IntegratedGradients {
    fn default() -> Self {
        Self { steps: 50 }
    }
}

impl Method for IntegratedGradients {
    fn name(&self) -> &'static str {
        "integrated_gradients"
    }
}

impl<M: Differentiable> Explain<M> for IntegratedGradients {
    fn attribute(&self, batch: &Batch<'_, M>) -> Result<Tensor<4>> {
        at_least_one("integrated_gradients", "step", self.steps)?;
        let (nodes, weights) = gauss_legendre(self.steps);
        let points: Vec<Point> = nodes
            .iter()
            .zip(weights)
            .map(|(&node, weight)| Point {
                alphas: vec![node as f32],
                weight: weight as f32,
            })
            .collect();
        along_path(batch, self.name(), &points)
    }

    fn promised_sums(&self, batch: &Batch<'_, M>) -> Result<Option<Vec<f32>>> {
        batch.differences_of_scores().map(Some)
    }
}

/// Expected gradients in the form of Captum's GradientShap without noise, from the panel's
/// baseline: gradients at uniformly drawn points of the path.
///
/// An image's points are drawn from a separate stream, named by its index and by the repetition.
#[derive(Clone, Copy, Debug)]
pub struct GradientShap {
    /// Points per image.
    pub samples: usize,
    /// The seed of the draws.
    pub seed: u64,
}

impl Default for GradientShap {
    fn default() -> Self {
        Self {
            samples: 5,
            seed: 0,
        }
    }
}

impl GradientShap {
    /// The positions on the path (0 the baseline, 1 the image) at which the gradients of image
    /// `index` are computed.
    pub fn alphas(&self, index: u32) -> Vec<f32> {
        self.alphas_in(index, "")
    }

    /// Those of a repetition of the method, such as for a noisy copy of the image.
    fn alphas_in(&self, index: u32, repeat: &str) -> Vec<f32> {
        let mut stream = random::stream(self.seed, &format!("gradient_shap/{index}{repeat}"));
        (0..self.samples).map(|_| stream.random()).collect()
    }
}

impl Method for GradientShap {
    fn name(&self) -> &'static str {
        "gradient_shap"
    }
}

impl<M: Differentiable> Explain<M> for GradientShap {
    fn attribute(&self, batch: &Batch<'_, M>) -> Result<Tensor<4>> {
        at_least_one("gradient_shap", "sample", self.samples)?;
        let drawn = batch.index().iter();
        let drawn: Vec<_> = drawn.map(|&i| self.alphas_in(i, &batch.repeat)).collect();
        let points: Vec<Point> = (0..self.samples)
            .map(|sample| Point {
                alphas: drawn.iter().map(|alphas| alphas[sample]).collect(),
                weight: 1.0 / self.samples as f32,
            })
            .collect();
        along_path(batch, self.name(), &points)
    }
}

fn at_least_one(method: &str, what: &str, count: usize) -> Result<()> {
    match count {
        0 => Err(Error::invalid(format!(
            "{method} needs at least one {what}"
        ))),
        _ => Ok(()),
    }
}

/// `(x - b) * sum over points of weight * gradient at b + alpha (x - b)`, for the method with this
/// name.
fn along_path<M: Differentiable>(
    batch: &Batch<'_, M>,
    method: &str,
    points: &[Point],
) -> Result<Tensor<4>> {
    if let Some(layered) = batch.layered() {
        return difference_times_gradients(&layered, method, points);
    }
    let images = batch.targets().len();
    let all: Vec<usize> = (0..images).collect();
    let start = for_each(&batch.upload(batch.baseline_pixels()), images);
    let way = batch.input() - start.clone();
    let gradient = |places, points: Range<usize>| {
        batch.gradient_at(places, &batch.targets().repeat(points.len()))
    };
    let gradient = sum_over_points([&start, &way], &all, points, batch.rows(), gradient)?;
    Ok(way * gradient)
}
