//! Methods that gather gradients along the straight line from a baseline to the image.

use std::f64::consts::PI;
use std::ops::Range;

use ndarray::Axis;
use rand::Rng;

use crate::attribution::batch::{for_each, one_hot};
use crate::attribution::rules::Gradient;
use crate::attribution::trace::add_evaluations;
use crate::attribution::{Batch, Differentiable, Explain, Layered, Method, Trace, propagate};
use crate::device::{Tensor, on_cpu};
use crate::error::{Error, Result};
use crate::network::{Layer, Masks, Region, Stretch, ops};
use crate::random;

/// Integrated gradients (Sundararajan et al. 2017) from the panel's baseline, by Gauss-Legendre
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
}

/// Expected gradients in the form of Captum's GradientShap without noise, from the panel's baseline:
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

impl<M: Differentiable> Explain<M> for GradientShap {
    fn attribute(&self, batch: &Batch<'_, M>) -> Result<Tensor<4>> {
        at_least_one("gradient_shap", "sample", self.samples)?;
        let drawn: Vec<_> = batch.index().iter().map(|&i| self.alphas(i)).collect();
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

/// One point of the path and the weight of the gradient there.
struct Point {
    /// Where it lies: one number for all images, or one for each.
    alphas: Vec<f32>,
    weight: f32,
}

impl Point {
    /// The alpha of each of these images.
    fn alphas(&self, images: &[usize]) -> impl Iterator<Item = f32> {
        let of = |&image: &usize| self.alphas[image.min(self.alphas.len() - 1)];
        images.iter().map(of)
    }
}

/// The sum of weight * gradient at b + alpha (x - b) over `points`, which `gradient` is told some at a time:
/// the places, row by row all images at a point, and which points. Added point by point.
fn sum_over_points(
    [start, way]: [&Tensor<4>; 2],
    images: &[usize],
    points: &[Point],
    rows: usize,
    mut gradient: impl FnMut(Tensor<4>, Range<usize>) -> Result<Tensor<4>>,
) -> Result<Tensor<4>> {
    let mut sum = way.zeros_like();
    let together = (rows / images.len()).max(1);
    for first in (0..points.len()).step_by(together) {
        let range = first..points.len().min(first + together);
        let points = &points[range.clone()];
        let alphas: Vec<f32> = points
            .iter()
            .flat_map(|point| point.alphas(images))
            .collect();
        let places = ops::along(start.clone(), way.clone(), &alphas);
        let weights: Vec<f32> = points.iter().map(|point| point.weight).collect();
        sum = ops::add_weighted(sum, gradient(places, range)?, &weights);
    }
    Ok(sum)
}

/// `(x - b) * sum over points of weight * gradient at b + alpha (x - b)`, for the method of this name.
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

/// [`along_path`] for a model that shows its layers.
///
/// Up to the first ReLU or maximum a network is affine, so that activations there lie on a straight
/// line as well, between those of the two traces that are known already; and the gradients of that
/// beginning are all the same. Only the rest of the network is run for each point, there with masks of its
/// own if dropout is active. The sum is taken point by point, so that it does not depend on how many
/// points fit in one pass.
fn difference_times_gradients<M: Layered>(
    batch: &Batch<'_, M>,
    method: &str,
    points: &[Point],
) -> Result<Tensor<4>> {
    let network = batch.model().network();
    let (layers, bend) = (&network.layers, network.affine_beginning());
    let trace = batch.trace();
    let (start, way) = (batch.baseline().activation(bend), batch.difference(bend));
    // Only the kernels know what to do with it.
    let on_cpu = on_cpu(batch.device());
    let region = (on_cpu.then(|| differing(batch, &layers[..bend]))).flatten();
    // Two groups of images, those whose ties must go to the first pixel and the others; mostly one of them is empty.
    let even: Vec<bool> = match on_cpu {
        true => has_even_parts(batch),
        // On a GPU both kinds of trace have the same convolutions: the one with half the memory will do.
        false => vec![false; batch.targets().len()],
    };
    let group = |wanted| {
        (0..even.len())
            .filter(|&image| even[image] == wanted)
            .collect()
    };
    let groups: [Vec<usize>; 2] = [true, false].map(group);
    let gradients = groups
        .iter()
        .zip([true, false])
        .filter(|(group, _)| !group.is_empty());
    let gradients = gradients.map(|(group, even)| {
        let group = Group {
            way: rows(&way, group),
            start: match start.dims()[0] {
                1 => start.clone(),
                _ => rows(start, group),
            },
            targets: group.iter().map(|&image| batch.targets()[image]).collect(),
            region: region.as_ref().map(|region| region.select(group)),
            images: group,
            even,
        };
        let masks = |points: Range<usize>| {
            let of_point = |point| group.images.iter().map(move |&image| (image, point));
            batch.masks(method, points.flat_map(of_point))
        };
        group.gradient(&layers[bend..], points, batch.rows(), masks)
    });
    let gradient = Tensor::cat(gradients.collect::<Result<_>>()?, 0);
    // Back into the images' order.
    let order = groups.concat();
    let places: Vec<usize> = (0..order.len())
        .map(|image| {
            order
                .iter()
                .position(|&other| other == image)
                .expect("in one group")
        })
        .collect();
    let gradient = rows(&gradient, &places);
    let gradient = propagate(trace.steps().take(bend), &Gradient, gradient);
    Ok(batch.difference(0) * gradient)
}

/// These rows of `x`.
fn rows(x: &Tensor<4>, which: &[usize]) -> Tensor<4> {
    if which.iter().copied().eq(0..x.dims()[0]) {
        return x.clone();
    }
    let parts = which.iter().map(|&row| x.clone().narrow(0, row, 1));
    Tensor::cat(parts.collect(), 0)
}

/// Images of a batch that go along their paths together.
struct Group<'a> {
    images: &'a [usize],
    targets: Vec<usize>,
    start: Tensor<4>,
    way: Tensor<4>,
    /// Where the way is not 0, as far as that is known; see [`differing`].
    region: Option<Region>,
    /// Whether ties matter; see [`has_even_parts`].
    even: bool,
}

impl Group<'_> {
    /// The sum over points of weight * gradient there, for the input of `layers`.
    /// `masks` are those of the passes through these points.
    fn gradient(
        &self,
        layers: &[Layer],
        points: &[Point],
        rows: usize,
        masks: impl Fn(Range<usize>) -> Option<Masks>,
    ) -> Result<Tensor<4>> {
        if let Some(stretch) = self.stretch(layers, points.len(), rows) {
            return Ok(self.gradient_by_stretch(stretch, layers, points, masks));
        }
        // A trace for gradients takes half the memory of one for everything.
        let rows = if self.even { rows } else { 2 * rows };
        let start = for_each(&self.start, self.images.len());
        let line = [&start, &self.way];
        sum_over_points(line, self.images, points, rows, |places, points| {
            let count = points.len();
            let trace = match self.even {
                true => Trace::new(layers, places, masks(points)),
                false => Trace::for_gradients(layers, places, masks(points)),
            };
            let start = one_hot(&trace, &self.targets.repeat(count));
            Ok(propagate(trace.steps(), &Gradient, start))
        })
    }

    /// The beginning of `layers` as one [`Stretch`], if ties do not matter and the layers are of its kind.
    fn stretch(&self, layers: &[Layer], points: usize, rows: usize) -> Option<Stretch> {
        let region = self.region.as_ref().filter(|_| !self.even)?;
        // It takes a quarter of the memory of a trace.
        let images = self.images.len();
        let rows = (4 * rows).clamp(images, images * points);
        let (start, way) = (self.start.clone(), self.way.clone());
        Stretch::new(layers, start, way, region, rows)
    }

    /// [`gradient`](Self::gradient) by a stretch at the beginning of `layers`.
    fn gradient_by_stretch(
        &self,
        mut stretch: Stretch,
        layers: &[Layer],
        points: &[Point],
        masks: impl Fn(Range<usize>) -> Option<Masks>,
    ) -> Tensor<4> {
        let rest = &layers[stretch.layers()..];
        let passes = points.len().div_ceil(stretch.rows() / self.images.len());
        let together = points.len().div_ceil(passes);
        let mut sum = self.way.zeros_like();
        for first in (0..points.len()).step_by(together) {
            let range = first..points.len().min(first + together);
            let points = &points[range.clone()];
            let alphas: Vec<f32> = (points.iter())
                .flat_map(|point| point.alphas(self.images))
                .collect();
            add_evaluations(alphas.len() * stretch.layers());
            let trace = Trace::for_gradients(rest, stretch.forward(&alphas), masks(range));
            let start = one_hot(&trace, &self.targets.repeat(points.len()));
            let g = propagate(trace.steps(), &Gradient, start);
            let weights: Vec<f32> = points.iter().map(|point| point.weight).collect();
            sum = stretch.add_gradients(g, &weights, sum);
        }
        sum
    }
}

/// Where the input of the layer after `layers` may differ from that of the baseline; `None` if that is not known
/// of a layer.
fn differing<M: Layered>(batch: &Batch<'_, M>, layers: &[Layer]) -> Option<Region> {
    let pixels = batch.pixels();
    let (images, channels, h, w) = pixels.dim();
    let baseline = batch.baseline_pixels();
    let of_baseline = |image: usize| image.min(baseline.dim().0 - 1);
    let differs = |image, y, x| {
        let same = |c| pixels[[image, c, y, x]] == baseline[[of_baseline(image), c, y, x]];
        !(0..channels).all(same)
    };
    let region = Region::of(images, [h, w], differs);
    layers.iter().try_fold(region, |region, layer| match layer {
        Layer::Conv2d(conv) => Some(region.through(&conv.window())),
        Layer::BatchNorm2d(_) | Layer::Dropout(_) => Some(region),
        _ => None,
    })
}

/// Which images have a part that repeats itself one pixel further and is not the baseline's: there the
/// windows of a pooling tie, and the gradient is to go to the first, as in torch. Where image and baseline
/// are equal, as in the benchmark's background, it is multiplied by 0.
///
/// A layer sees at least 3 x 3 pixels at a time.
fn has_even_parts<M: Layered>(batch: &Batch<'_, M>) -> Vec<bool> {
    let pixels = batch.pixels();
    let (_, channels, h, w) = pixels.dim();
    let baseline = batch.baseline_pixels();
    let images = pixels.outer_iter().enumerate();
    let found = images.map(|(image, x)| {
        let b = baseline.index_axis(Axis(0), image.min(baseline.dim().0 - 1));
        let differs = |y, column| (0..channels).any(|c| x[[c, y, column]] != b[[c, y, column]]);
        let same = |y: usize, column: usize, down: usize, right: isize| {
            let further = column.saturating_add_signed(right);
            (0..channels).all(|c| x[[c, y, column]] == x[[c, y + down, further]])
        };
        [(0, 1), (1, 0), (1, 1), (1, -1)]
            .iter()
            .any(|&(down, right)| {
                let mut run = vec![0_usize; w]; // rows up to here in which three pixels side by side repeat
                (0..h.saturating_sub(down)).any(|y| {
                    let columns = usize::from(right < 0)..w.saturating_sub(usize::from(right > 0));
                    let repeats: Vec<bool> = (0..w)
                        .map(|x| columns.contains(&x) && same(y, x, down, right))
                        .collect();
                    (2..w).any(|x| {
                        let three = repeats[x - 2] && repeats[x - 1] && repeats[x];
                        run[x] = if three { run[x] + 1 } else { 0 };
                        run[x] >= 3 && differs(y - 1, x - 1)
                    })
                })
            })
    });
    found.collect()
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
