//! RISE: random soft masks.

use ndarray::{Array2, Array3, Zip};
use rand::Rng;

use super::{Wants, each_image};
use crate::attribution::{Batch, Explain, Method, Predict};
use crate::device::Tensor;
use crate::error::{Error, Result};

/// RISE (Petsiuk et al. 2018): the mean of random masks, weighted by the score of the masked image,
/// divided by the mean of the masks. One pass per mask.
///
/// As in the authors' code, a mask is a grid of cells, each open with some probability. It is
/// enlarged by linear interpolation to one cell more than the image, and cropped at a random
/// position. The authors weight by the softmax of the scores. Here, the weight is the model's
/// score; for a network, the logit.
#[derive(Clone, Copy, Debug)]
pub struct Rise {
    /// Masks per image (the paper: 4000 for deep networks of 224 x 224 pixels).
    pub masks: usize,
    /// Cells of the grid in each direction (the paper: 7).
    pub cells: usize,
    /// The probability that a cell is open (the paper: 0.5).
    pub probability: f64,
    /// The seed of the draws.
    pub seed: u64,
}

impl Default for Rise {
    fn default() -> Self {
        Self {
            masks: 4000,
            cells: 7,
            probability: 0.5,
            seed: 0,
        }
    }
}

impl Method for Rise {
    fn name(&self) -> &'static str {
        "rise"
    }
}

impl Rise {
    /// A mask `[h, w]` with values from 0 (hidden) to 1 (visible).
    fn mask(&self, [h, w]: [usize; 2], rng: &mut impl Rng) -> Array2<f32> {
        let cells = self.cells;
        let mut cell = || f32::from(u8::from(rng.random_bool(self.probability)));
        let grid = Array2::from_shape_simple_fn((cells, cells), &mut cell);
        let [high, wide] = [h.div_ceil(cells), w.div_ceil(cells)];
        let (top, left) = (rng.random_range(0..high), rng.random_range(0..wide));
        enlarged(&grid, [high, wide], [top, left], [h, w])
    }
}

/// The piece `[h, w]` at `from` of the grid, enlarged to (cells + 1) times the size of a `cell`.
///
/// Pixels lie at the centre of their squares. Beyond its border, the grid is mirrored at the centre
/// of its outermost cells: `skimage.transform.resize(grid, order=1, mode="reflect",
/// anti_aliasing=False)`.
fn enlarged(
    grid: &Array2<f32>,
    cell: [usize; 2],
    from: [usize; 2],
    size: [usize; 2],
) -> Array2<f32> {
    let cells = grid.nrows();
    let along = |axis: usize| -> Vec<(usize, usize, f32)> {
        let scale = cells as f64 / ((cells + 1) * cell[axis]) as f64;
        let last = (cells - 1) as f64;
        (from[axis]..from[axis] + size[axis])
            .map(|pixel| {
                let at = ((pixel as f64 + 0.5) * scale - 0.5).abs();
                let at = if at > last {
                    (2.0 * last - at).max(0.0)
                } else {
                    at
                };
                let below = at.floor() as usize;
                (below, (below + 1).min(cells - 1), (at - at.floor()) as f32)
            })
            .collect()
    };
    let (rows, columns) = (along(0), along(1));
    Array2::from_shape_fn((size[0], size[1]), |(y, x)| {
        let ((y0, y1, v), (x0, x1, u)) = (rows[y], columns[x]);
        let row = |y| grid[[y, x0]] * (1.0 - u) + grid[[y, x1]] * u;
        row(y0) * (1.0 - v) + row(y1) * v
    })
}

impl<M: Predict> Explain<M> for Rise {
    fn attribute(&self, batch: &Batch<'_, M>) -> Result<Tensor<4>> {
        if self.masks == 0
            || self.cells == 0
            || !(self.probability > 0.0 && self.probability <= 1.0)
        {
            return Err(Error::invalid(format!(
                "rise with {} masks of {} cells that are open with probability {}: give at least one of each, and a \
                 probability above 0 and up to 1",
                self.masks, self.cells, self.probability
            )));
        }
        let (_, c, h, w) = batch.pixels().dim();
        each_image(batch, Wants::Image, |subject| {
            // Each mask is made twice instead of being kept: 4000 masks of 224 x 224 take 800 MB.
            let mask = |sample| {
                let mut rng = batch.stream(self.seed, self.name(), subject.number, sample);
                self.mask([h, w], &mut rng)
            };
            let scores = subject.scores(self.masks, |sample, mut variant| {
                let mask = mask(sample);
                let baselines = subject.baseline.outer_iter();
                for (mut channel, baseline) in variant.outer_iter_mut().zip(baselines) {
                    Zip::from(&mut channel).and(baseline).and(&mask).for_each(
                        |value, &baseline, &seen| {
                            *value = *value * seen + baseline * (1.0 - seen);
                        },
                    );
                }
            })?;
            let mut sum = Array2::<f64>::zeros((h, w));
            for (sample, score) in scores.iter().enumerate() {
                Zip::from(&mut sum)
                    .and(&mask(sample))
                    .for_each(|sum, &seen| *sum += score * f64::from(seen));
            }
            sum /= self.masks as f64 * self.probability;
            Ok(Array3::from_shape_fn((c, h, w), |(_, y, x)| {
                sum[[y, x]] as f32
            }))
        })
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use safetensors::SafeTensors;

    use super::*;

    /// Compared with scikit-image's enlargement of the same grid, and pieces of it.
    #[test]
    fn a_grid_is_enlarged_as_scikit_image_does() {
        let path = "../tests/fixtures/perturbation/perturbation.safetensors";
        let bytes = std::fs::read(Path::new(env!("CARGO_MANIFEST_DIR")).join(path)).unwrap();
        let file = SafeTensors::deserialize(&bytes).unwrap();
        let array = |name| {
            let tensor = file.tensor(name).unwrap();
            let values = tensor.data().as_chunks::<4>().0.iter();
            let values = values.map(|bytes| f32::from_le_bytes(*bytes)).collect();
            Array2::from_shape_vec((tensor.shape()[0], tensor.shape()[1]), values).unwrap()
        };
        let (cells, expected) = (array("cells"), array("enlarged"));
        // 4 cells become 5 times 4 rows of 5 times 3 columns.
        for (from, size) in [([0, 0], [20, 15]), ([3, 2], [16, 12])] {
            let found = enlarged(&cells, [4, 3], from, size);
            for ((y, x), value) in found.indexed_iter() {
                let expected = expected[[from[0] + y, from[1] + x]];
                assert!(
                    (value - expected).abs() < 1e-6,
                    "{y} {x}: {value} {expected}"
                );
            }
        }
        let one = enlarged(&Array2::ones((1, 1)), [6, 6], [5, 0], [6, 6]);
        assert!(one.iter().all(|&value| value == 1.0));
    }
}
