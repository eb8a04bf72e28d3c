//! Smooth random fields: white noise on a coarse grid, interpolated by uniform cubic B-splines.

use rand::Rng;
use rand_distr::{Distribution, StandardNormal};

/// A field of `C` components over a box that begins at the origin. It is twice differentiable.
#[derive(Clone, Debug)]
pub(crate) struct SmoothField<const C: usize> {
    spacing_mm: f32,
    /// Number of grid points along x, y, z.
    grid: [usize; 3],
    /// `[z][y][x]`, flattened.
    coefficients: Vec<[f32; C]>,
}

impl<const C: usize> SmoothField<C> {
    /// Independent normal components with standard deviation `sd` at (almost) every point, varying
    /// over about `spacing_mm`, for points within `extent_mm`.
    pub(crate) fn random(
        spacing_mm: f32,
        sd: f32,
        extent_mm: [f32; 3],
        rng: &mut impl Rng,
    ) -> Self {
        let grid = extent_mm.map(|length| (length / spacing_mm) as usize + 4);
        // Averaged over a cell, the squares of the four B-spline weights sum to 151/315 per axis.
        let scale = sd / (151.0f32 / 315.0).powf(1.5);
        let coefficients = (0..grid.iter().product())
            .map(|_| {
                std::array::from_fn(|_| {
                    let normal: f32 = StandardNormal.sample(rng);
                    scale * normal
                })
            })
            .collect();
        Self {
            spacing_mm,
            grid,
            coefficients,
        }
    }

    /// The field in the plane at height `z_mm`.
    pub(crate) fn plane(&self, z_mm: f32) -> Plane<C> {
        let [width, height, depth] = self.grid;
        let (first, weights) = taps(z_mm / self.spacing_mm, depth);
        let mut coefficients = vec![[0.0; C]; width * height];
        for (k, weight) in weights.iter().enumerate() {
            let layer = &self.coefficients[(first + k) * width * height..][..width * height];
            accumulate(&mut coefficients, layer, *weight);
        }
        Plane {
            spacing_mm: self.spacing_mm,
            width,
            height,
            coefficients,
        }
    }
}

/// A field in one plane.
pub(crate) struct Plane<const C: usize> {
    spacing_mm: f32,
    width: usize,
    height: usize,
    coefficients: Vec<[f32; C]>,
}

impl<const C: usize> Plane<C> {
    /// The data that [`Plane::row`] needs about the columns at `x_mm`.
    pub(crate) fn columns(&self, x_mm: impl Iterator<Item = f32>) -> Columns {
        let taps: Vec<_> = x_mm
            .map(|x| taps(x / self.spacing_mm, self.width))
            .collect();
        Columns {
            first: taps.iter().map(|(first, _)| *first).collect(),
            weights: std::array::from_fn(|k| taps.iter().map(|(_, weights)| weights[k]).collect()),
        }
    }

    /// The components of the field along the line at `y_mm`, at the given columns.
    pub(crate) fn row(&self, y_mm: f32, columns: &Columns) -> [Vec<f32>; C] {
        let (first, weights) = taps(y_mm / self.spacing_mm, self.height);
        let mut line = vec![[0.0; C]; self.width];
        for (k, weight) in weights.iter().enumerate() {
            accumulate(
                &mut line,
                &self.coefficients[(first + k) * self.width..][..self.width],
                *weight,
            );
        }
        std::array::from_fn(|c| {
            let mut values = Vec::with_capacity(columns.first.len());
            // Neighbouring columns have the same grid points, so the compiler uses vectors.
            for cell in columns.first.chunk_by(|a, b| a == b) {
                let near: [f32; 4] = std::array::from_fn(|k| line[cell[0] + k][c]);
                let here = values.len()..values.len() + cell.len();
                let [a, b, c, d] = columns.weights.each_ref().map(|all| &all[here.clone()]);
                let weights = a.iter().zip(b).zip(c.iter().zip(d));
                values.extend(weights.map(|((a, b), (c, d))| {
                    let weights = [a, b, c, d];
                    (0..4).map(|k| weights[k] * near[k]).sum::<f32>()
                }));
            }
            values
        })
    }
}

/// Columns of a [`Plane`]: the first of the four grid points that affect each, and their weights.
pub(crate) struct Columns {
    first: Vec<usize>,
    weights: [Vec<f32>; 4],
}

fn accumulate<const C: usize>(sum: &mut [[f32; C]], terms: &[[f32; C]], weight: f32) {
    for (sum, term) in sum.iter_mut().zip(terms) {
        for c in 0..C {
            sum[c] += weight * term[c];
        }
    }
}

/// The first of the four grid points that affect `t` (in grid steps), and their weights.
fn taps(t: f32, points: usize) -> (usize, [f32; 4]) {
    let t = t.clamp(0.0, (points - 4) as f32 + 0.999);
    let first = t as usize;
    let u = t - first as f32;
    let v = 1.0 - u;
    let weights = [
        v * v * v / 6.0,
        (3.0 * u * u * u - 6.0 * u * u + 4.0) / 6.0,
        (3.0 * v * v * v - 6.0 * v * v + 4.0) / 6.0,
        u * u * u / 6.0,
    ];
    (first, weights)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::random::stream;

    #[test]
    fn weights_sum_to_one_and_the_field_has_the_asked_deviation() {
        for t in [0.0, 0.3, 4.0, 7.99] {
            assert!((taps(t, 12).1.iter().sum::<f32>() - 1.0).abs() < 1e-6);
        }
        let field = SmoothField::<1>::random(5.0, 2.0, [200.0; 3], &mut stream(1, "test"));
        let (mut sum, mut squares, mut count) = (0.0f64, 0.0f64, 0.0);
        for z in 0..40 {
            let plane = field.plane(z as f32 * 4.9);
            let columns = plane.columns((0..100).map(|x| x as f32 * 1.9));
            for y in 0..40 {
                for value in &plane.row(y as f32 * 4.7, &columns)[0] {
                    sum += f64::from(*value);
                    squares += f64::from(*value).powi(2);
                    count += 1.0;
                }
            }
        }
        let sd = (squares / count - (sum / count).powi(2)).sqrt();
        assert!((sd - 2.0).abs() < 0.1, "{sd}");
    }
}
