//! The parts of an image that perturbation methods switch on and off as a whole.

use std::str::FromStr;

use ndarray::{Array2, Array3, ArrayView3};

use crate::error::{Error, Result};

/// How an image is divided into parts ("superpixels", or features in Captum's terms).
#[derive(Clone, Debug, Default, PartialEq)]
pub enum Segments {
    /// Every value of every channel is a separate part. This is Captum's default, and expensive: an
    /// image of 3 x 224 x 224 has 150,528 parts.
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
    /// `rows` x `columns` rectangles whose sizes differ by at most one pixel.
    pub fn grid(rows: usize, columns: usize) -> Self {
        Self::Grid { rows, columns }
    }

    /// The pixels with the same label form a part. Labels are any numbers. `[h, w]`.
    pub fn map(labels: Array2<usize>) -> Self {
        Self::Map(labels)
    }

    /// The parts of images `[c, h, w]`.
    ///
    /// # Errors
    /// If a grid is finer than the pixels, or if labels have another size.
    pub fn of(&self, image: [usize; 3]) -> Result<Parts> {
        let [c, h, w] = image;
        let labels = match self {
            Self::Values => Array3::from_shape_fn(image, |(i, y, x)| (i * h + y) * w + x),
            Self::Grid { rows, columns } => {
                let (rows, columns) = (*rows, *columns);
                if !(1..=h).contains(&rows) || !(1..=w).contains(&columns) {
                    return Err(Error::invalid(format!(
                        "an image of {h} x {w} pixels cannot be divided into {rows} x {columns} rectangles; \
                         give at least one row and one column, and at most one per pixel"
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

/// As on a command line: `8x8` is a grid, `values` makes every value a part.
impl FromStr for Segments {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        let grid = text.split_once('x').and_then(|(rows, columns)| {
            Some(Self::grid(rows.parse().ok()?, columns.parse().ok()?))
        });
        match grid {
            Some(grid) => Ok(grid),
            None if text == "values" => Ok(Self::Values),
            None => Err(Error::invalid(format!(
                "`{text}` does not describe the parts of an image; write rows and columns, such as `8x8`, or `values`"
            ))),
        }
    }
}

/// The part of each value of an image.
#[derive(Clone, Debug)]
pub struct Parts {
    labels: Array3<usize>,
    count: usize,
}

impl Parts {
    /// The number of parts.
    pub fn count(&self) -> usize {
        self.count
    }

    /// The index of the part, below [`count`](Self::count), for each value `[c, h, w]`.
    pub fn labels(&self) -> ArrayView3<'_, usize> {
        self.labels.view()
    }

    /// An array `[c, h, w]` with each part's value at the part's positions.
    pub fn spread(&self, values: &[f64]) -> Array3<f32> {
        self.labels.mapv(|part| values[part] as f32)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_image_falls_into_parts() {
        let parts = |text: &str, image| text.parse::<Segments>().unwrap().of(image).unwrap();
        assert_eq!(parts("values", [2, 3, 4]).count(), 24);
        let grid = parts("2x3", [2, 5, 4]);
        assert_eq!(grid.count(), 6);
        // Sizes differ by at most one: rows 3 and 2, columns 2, 1 and 1. All channels are alike.
        let of = |part| grid.labels().iter().filter(|&&label| label == part).count();
        assert_eq!([0, 1, 2, 3, 4, 5].map(of), [12, 6, 6, 8, 4, 4]);
        assert_eq!(grid.labels()[[1, 3, 3]], 5);
        let labels = Array2::from_shape_vec((1, 4), vec![9, 2, 9, 500]).unwrap();
        let map = Segments::map(labels).of([1, 1, 4]).unwrap();
        assert_eq!(
            map.labels().iter().copied().collect::<Vec<_>>(),
            [1, 0, 1, 2]
        );
        assert_eq!(map.spread(&[0.5, 1.0, 2.0]).iter().sum::<f32>(), 4.5);
        for wrong in ["8", "8x", "ax3", ""] {
            assert!(
                wrong
                    .parse::<Segments>()
                    .unwrap_err()
                    .to_string()
                    .contains("`8x8`")
            );
        }
    }
}
