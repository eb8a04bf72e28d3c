//! Methods that gather gradients along the straight line from a baseline to the image.

use std::f64::consts::PI;

use rand::Rng;

use crate::attribution::batch::one_hot;
use crate::attribution::rules::Gradient;
use crate::attribution::{Batch, Explain, Layered, Method, Trace, propagate};
use crate::device::Tensor;
use crate::error::{Error, Result};
use crate::network::Layer;
use crate::random;

/// Integrated gradients (Sundararajan et al. 2017) from a baseline of zeros, by Gauss-Legendre
/// quadrature. Complete up to the quadrature's error.
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

impl<M: Layered> Explain<M> for IntegratedGradients {
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
        Ok(difference_times_gradients(batch, &points))
    }
}

/// Expected gradients in the form of Captum's GradientShap without noise, from a baseline of zeros:
/// gradients at uniformly drawn points of the path.
///
/// An image's points are drawn from a stream of its own, named by its index.
#[derive(Clone, Copy, Debug)]
pub struct GradientShap {
    /// Points an image.
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
    /// Where on the path (0 the baseline, 1 the image) the gradients of image `index` are taken.
    pub fn alphas(&self, index: u32) -> Vec<f32> {
        let mut stream = random::stream(self.seed, &format!("gradient_shap/{index}"));
        (0..self.samples).map(|_| stream.random()).collect()
    }
}

impl Method for GradientShap {
    fn name(&self) -> &'static str {
        "gradient_shap"
    }
}

impl<M: Layered> Explain<M> for GradientShap {
    fn attribute(&self, batch: &Batch<'_, M>) -> Result<Tensor<4>> {
        at_least_one("gradient_shap", "sample", self.samples)?;
        let drawn: Vec<_> = batch.index().iter().map(|&i| self.alphas(i)).collect();
        let points: Vec<Point> = (0..self.samples)
            .map(|sample| Point {
                alphas: drawn.iter().map(|alphas| alphas[sample]).collect(),
                weight: 1.0 / self.samples as f32,
            })
            .collect();
        Ok(difference_times_gradients(batch, &points))
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

/// One point of the path and the weight of the gradient there.
struct Point {
    /// Where it lies: one number for all images, or one for each.
    alphas: Vec<f32>,
    weight: f32,
}

impl Point {
    /// alpha (x - b), from `way` x - b `[n, c, h, w]`.
    fn along(&self, way: &Tensor<4>) -> Tensor<4> {
        let images = way.clone().chunk(self.alphas.len(), 0);
        let scaled = images.into_iter().zip(&self.alphas);
        Tensor::cat(
            scaled.map(|(way, &alpha)| way.mul_scalar(alpha)).collect(),
            0,
        )
    }
}

/// `(x - b) * sum over points of weight * gradient at b + alpha (x - b)`.
///
/// Up to the first ReLU or pooling a network is affine, so that activations there lie on a straight
/// line as well, between those of the two traces that are known already; and the gradients of that
/// beginning are all the same. Only the rest of the network is run for each point. The sum is
/// taken point by point, so that it does not depend on how many points fit in one pass.
fn difference_times_gradients<M: Layered>(batch: &Batch<'_, M>, points: &[Point]) -> Tensor<4> {
    let layers = &batch.model().network().layers;
    let bend = layers.iter().take_while(|layer| is_affine(layer)).count();
    let trace = batch.trace();
    let (start, way) = (batch.baseline_activation(bend), batch.difference(bend));
    let images = batch.targets().len();
    let mut gradient = way.zeros_like();
    // A trace for gradients takes half the memory of one for everything.
    for points in points.chunks((2 * batch.rows() / images).max(1)) {
        let places = points.iter().map(|point| point.along(&way) + start.clone());
        let places = Tensor::cat(places.collect(), 0);
        let rest = Trace::for_gradients(&layers[bend..], places);
        let targets = batch.targets().repeat(points.len());
        let flow = propagate(rest.steps(), &Gradient, one_hot(&rest, &targets));
        for (row, point) in points.iter().enumerate() {
            let part = flow.clone().narrow(0, row * images, images);
            gradient = gradient + part.mul_scalar(point.weight);
        }
    }
    let gradient = propagate(trace.steps().take(bend), &Gradient, gradient);
    batch.difference(0) * gradient
}

fn is_affine(layer: &Layer) -> bool {
    !matches!(layer, Layer::Relu | Layer::MaxPool2d(_))
}

/// Nodes and weights of Gauss-Legendre quadrature with `n` points on [0, 1], nodes ascending.
///
/// The nodes are the roots of the Legendre polynomial, found by Newton's method from the usual
/// first guess (Abramowitz and Stegun, 22.16.6).
pub(in crate::attribution) fn gauss_legendre(n: usize) -> (Vec<f64>, Vec<f64>) {
    (0..n)
        .map(|i| {
            let mut x = -(PI * (i as f64 + 0.75) / (n as f64 + 0.5)).cos();
            let mut slope = 0.0;
            for _ in 0..100 {
                let value;
                (value, slope) = legendre(n, x);
                let step = value / slope;
                x -= step;
                if step.abs() < 1e-15 {
                    break;
                }
            }
            // Half of the weight 2 / ((1 - x^2) slope^2), for an interval half as long.
            ((1.0 + x) / 2.0, 1.0 / ((1.0 - x * x) * slope * slope))
        })
        .unzip()
}

/// The Legendre polynomial of degree `n` and its derivative at `x`, by the three-term recurrence.
fn legendre(n: usize, x: f64) -> (f64, f64) {
    let (mut before, mut value) = (1.0, x);
    for k in 2..=n {
        let k = k as f64;
        (before, value) = (
            value,
            ((2.0 * k - 1.0) * x * value - (k - 1.0) * before) / k,
        );
    }
    let n = n as f64;
    (value, n * (x * value - before) / (x * x - 1.0))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The rule with n points is exact for polynomials up to degree 2n - 1, and for no more.
    #[test]
    fn quadrature_is_exact_for_polynomials() {
        for n in [1, 2, 3, 5, 20, 50] {
            let (nodes, weights) = gauss_legendre(n);
            assert!(nodes.is_sorted() && nodes[0] > 0.0 && nodes[n - 1] < 1.0);
            let integral = |degree: usize| -> f64 {
                let terms = nodes.iter().zip(&weights);
                terms.map(|(x, w)| w * x.powi(degree as i32)).sum()
            };
            for degree in 0..2 * n {
                let exact = 1.0 / (degree as f64 + 1.0);
                assert!(
                    (integral(degree) - exact).abs() < 1e-14,
                    "{n} points, x^{degree}"
                );
            }
            if n < 5 {
                assert!((integral(2 * n) - 1.0 / (2.0 * n as f64 + 1.0)).abs() > 1e-8);
            }
        }
    }
}
