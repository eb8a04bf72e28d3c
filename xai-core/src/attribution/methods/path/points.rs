//! Points of a path, and the sum of gradients at them.

use std::ops::Range;

use crate::device::Tensor;
use crate::error::Result;
use crate::network::ops;

/// One point of the path and the weight of its gradient.
pub(super) struct Point {
    /// Its position: one number for all images, or one for each.
    pub alphas: Vec<f32>,
    pub weight: f32,
}

impl Point {
    /// The alpha of each of these images.
    pub fn alphas(&self, images: &[usize]) -> impl Iterator<Item = f32> {
        let of = |&image: &usize| self.alphas[image.min(self.alphas.len() - 1)];
        images.iter().map(of)
    }
}

/// The sum of weight * gradient at b + alpha (x - b) over `points`. `gradient` receives several
/// points at a time: their positions, with the rows of all images at one point together, and which
/// points they are. The sum is added point by point.
pub(super) fn sum_over_points(
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
