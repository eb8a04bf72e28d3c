//! Paths through a model that exposes its layers. Only the part that is not affine is computed at
//! each point.

use std::ops::Range;

use super::parts::differing;
use super::points::{Point, sum_over_points};
use super::ties::has_ties;
use crate::attribution::Target;
use crate::attribution::rows::for_each;
use crate::attribution::rules::Gradient;
use crate::attribution::trace::{add_evaluations, factors};
use crate::attribution::{Batch, Layered, Trace, propagate};
use crate::device::{Tensor, on_cpu};
use crate::error::Result;
use crate::network::{FusedLayers, Layer, Masks, Region};

/// [`along_path`](super::along_path) for a model that exposes its layers.
///
/// Up to the first ReLU or maximum, a network is affine. Activations there lie on a straight line
/// between those of the two known traces, and the gradients of this part are all the same. Only the
/// rest of the network is run for each point, with separate masks if dropout is active. The sum is
/// computed point by point, so that it does not depend on how many points fit in one pass.
pub(super) fn difference_times_gradients<M: Layered>(
    batch: &Batch<'_, M>,
    method: &str,
    points: &[Point],
) -> Result<Tensor<4>> {
    let network = batch.model().network();
    let (layers, bend) = (&network.layers, network.affine_beginning());
    let trace = batch.trace();
    let (start, way) = (batch.baseline().activation(bend), batch.difference(bend));
    // Only the CPU kernels support this.
    let on_cpu = on_cpu(batch.device());
    let region = (on_cpu.then(|| differing(batch, &layers[..bend]))).flatten();
    // Two groups of images: those whose ties must go to the first pixel, and the others. Usually
    // one group is empty.
    let ties: Vec<bool> = if on_cpu {
        has_ties(trace, batch.baseline())?
    } else {
        // On a GPU, both kinds of trace use the same convolutions, so the one with half the memory
        // is enough.
        vec![false; batch.targets().len()]
    };
    let group = |wanted| {
        (0..ties.len())
            .filter(|&image| ties[image] == wanted)
            .collect()
    };
    let groups: [Vec<usize>; 2] = [true, false].map(group);
    let gradients = groups
        .iter()
        .zip([true, false])
        .filter(|(group, _)| !group.is_empty());
    let gradients = gradients.map(|(group, ties)| {
        let group = Group {
            way: rows(&way, group),
            start: match start.dims()[0] {
                1 => start.clone(),
                _ => rows(start, group),
            },
            targets: group.iter().map(|&image| batch.targets()[image]).collect(),
            region: region.as_ref().map(|region| region.select(group)),
            images: group,
            ties,
        };
        let masks = |points: Range<usize>| {
            let of_point = |point| group.images.iter().map(move |&image| (image, point));
            batch.masks(method, points.flat_map(of_point))
        };
        group.gradient(&layers[bend..], points, batch.rows(), masks)
    });
    let gradient = Tensor::cat(gradients.collect::<Result<_>>()?, 0);
    // Restores the order of the images.
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

/// Images of a batch whose paths are computed together.
struct Group<'a> {
    images: &'a [usize],
    targets: Vec<Target>,
    start: Tensor<4>,
    way: Tensor<4>,
    /// Where the difference from the baseline is not 0, if known; see [`differing`].
    region: Option<Region>,
    /// Whether ties matter; see [`has_ties`].
    ties: bool,
}

impl Group<'_> {
    /// The sum over points of weight * gradient, with respect to the input of `layers`. `masks` are
    /// those of the passes through these points.
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
        // A trace for gradients takes half the memory of a full trace.
        let rows = if self.ties { rows } else { 2 * rows };
        let start = for_each(&self.start, self.images.len());
        let line = [&start, &self.way];
        sum_over_points(line, self.images, points, rows, |places, points| {
            let count = points.len();
            let trace = if self.ties {
                Trace::new(layers, places, masks(points))
            } else {
                Trace::for_gradients(layers, places, masks(points))
            };
            let start = factors(&trace, &self.targets.repeat(count));
            Ok(propagate(trace.steps(), &Gradient, start))
        })
    }

    /// The beginning of `layers` as one [`FusedLayers`], if ties do not matter and the layers are of
    /// its kind.
    fn stretch(&self, layers: &[Layer], points: usize, rows: usize) -> Option<FusedLayers> {
        let region = self.region.as_ref().filter(|_| !self.ties)?;
        // It takes a quarter of the memory of a trace.
        let images = self.images.len();
        let rows = (4 * rows).clamp(images, images * points);
        let (start, way) = (self.start.clone(), self.way.clone());
        FusedLayers::new(layers, start, way, region, rows)
    }

    /// [`gradient`](Self::gradient), using a stretch at the beginning of `layers`.
    fn gradient_by_stretch(
        &self,
        mut stretch: FusedLayers,
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
            let start = factors(&trace, &self.targets.repeat(points.len()));
            let g = propagate(trace.steps(), &Gradient, start);
            let weights: Vec<f32> = points.iter().map(|point| point.weight).collect();
            sum = stretch.add_gradients(g, &weights, sum);
        }
        sum
    }
}
