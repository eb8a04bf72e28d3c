//! The parts of an image that perturbation methods switch on and off together.

use ndarray::{Array2, Array3, ArrayView3};

use crate::error::{Error, Result};

/// How an image falls into parts ("superpixels", or features in Captum's words).
#[derive(Clone, Debug, Default, PartialEq)]
pub enum Segments {
    /// Every value of every channel is a part of its own. Captum's default, and dear: an image of
    /// 3 x 224 x 224 has 150,528 parts.
    #[default]
    Values,
    /// Rectangles, all channels together: see [`Segments::grid`].
    Grid {
        /// Rectangles from top to bottom.
        rows: usize,
        /// Rectangles from left to right.
        columns: usize,
    },
    /// Pixels `[h, w]` with the same label, all channels together.
    Map(Array2<usize>),
}

impl Segments {
    /// `rows` x `columns` rectangles whose sizes differ by a pixel at most.
    pub fn grid(rows: usize, columns: usize) -> Self {
        Self::Grid { rows, columns }
    }

    /// The pixels of a label form a part; labels are any numbers. `[h, w]`.
    pub fn map(labels: Array2<usize>) -> Self {
        Self::Map(labels)
    }

    /// The parts of images `[c, h, w]`.
    ///
    /// # Errors
    /// A grid finer than the pixels, labels of another size.
    pub fn of(&self, image: [usize; 3]) -> Result<Parts> {
        let [c, h, w] = image;
        let labels = match self {
            Self::Values => Array3::from_shape_fn(image, |(i, y, x)| (i * h + y) * w + x),
            Self::Grid { rows, columns } => {
                let (rows, columns) = (*rows, *columns);
                if !(1..=h).contains(&rows) || !(1..=w).contains(&columns) {
                    return Err(Error::invalid(format!(
                        "an image of {h} x {w} pixels does not fall into {rows} x {columns} rectangles; \
                         there is at least one, and at most one a pixel"
                    )));
                }
                Array3::from_shape_fn(image, |(_, y, x)| y * rows / h * columns + x * columns / w)
            }
            Self::Map(labels) => {
                if labels.dim() != (h, w) {
                    return Err(Error::invalid(format!(
                        "the labels of the segments are {:?} (height, width), the images {:?}; make them equal",
                        labels.dim(),
                        (h, w)
                    )));
                }
                let mut known: Vec<usize> = labels.iter().copied().collect();
                known.sort_unstable();
                known.dedup();
                let rank = |label| known.partition_point(|&other| other < label);
                let labels = labels.mapv(rank);
                Array3::from_shape_fn((c, h, w), |(_, y, x)| labels[[y, x]])
            }
        };
        let count = labels.iter().max().map_or(0, |most| most + 1);
        Ok(Parts { labels, count })
    }
}

/// Which part each value of an image belongs to.
#[derive(Clone, Debug)]
pub struct Parts {
    labels: Array3<usize>,
    count: usize,
}

impl Parts {
    /// How many parts there are.
    pub fn count(&self) -> usize {
        self.count
    }

    /// The number of the part, below [`count`](Self::count), of each value `[c, h, w]`.
    pub fn labels(&self) -> ArrayView3<'_, usize> {
        self.labels.view()
    }

    /// An array `[c, h, w]` with each part's value where the part is.
    pub fn spread(&self, values: &[f64]) -> Array3<f32> {
        self.labels.mapv(|part| values[part] as f32)
    }
}
