//! Tetrominoes: their shapes, their places in an image, and the truth.

use ndarray::{Array2, ArrayView2, Zip, array, s};

use super::{Defect, Defects, Scenario, Size};
use crate::image::gaussian;
use crate::random::numpy::RandomState;

/// The standard deviation of the blur of tetrominoes with large cells, in pixels.
const BLUR: f64 = 1.5;
/// Cells of at most this many pixels are not blurred.
const SMALL_CELL: usize = 3;
/// A pixel of a blurred tetromino belongs to the truth if its value is at least this.
const TRUTH_FROM: f64 = 0.05;

/// A T or an L: `[rows, columns]`, with 1 in its four cells.
fn shape(class: usize) -> Array2<f64> {
    match class {
        0 => array![[1.0, 0.0], [1.0, 1.0], [1.0, 0.0]],
        _ => array![[1.0, 0.0], [1.0, 0.0], [1.0, 1.0]],
    }
}

/// Enlarges each cell to a square of `side` pixels.
fn enlarged(cells: ArrayView2<f64>, side: usize) -> Array2<f64> {
    let (rows, columns) = cells.dim();
    Array2::from_shape_fn((rows * side, columns * side), |(y, x)| {
        cells[[y / side, x / side]]
    })
}

/// `shape`, rotated anticlockwise by this number of quarter turns.
fn turned(shape: Array2<f64>, quarters: usize) -> Array2<f64> {
    (0..quarters).fold(shape, |shape, _| {
        let mut turned = shape.reversed_axes();
        turned.invert_axis(ndarray::Axis(0));
        turned
    })
}

/// An image that contains `shape` with its top left corner at `corner`, and 0 elsewhere.
fn placed(shape: ArrayView2<f64>, corner: [usize; 2], side: usize, cell: usize) -> Array2<f64> {
    let [top, left] = corner;
    let (height, width) = shape.dim();
    let mut image = Array2::zeros((side, side));
    image
        .slice_mut(s![top..top + height, left..left + width])
        .assign(&shape);
    if cell > SMALL_CELL {
        gaussian(image.view(), BLUR)
    } else {
        image
    }
}

/// The tetromino of a class at its fixed place. It is blurred if its cells are large.
pub(super) fn fixed(class: usize, size: Size) -> Array2<f64> {
    let (cell, corner) = match (size, class) {
        (Size::Eight, 0) => (1, [1, 1]),
        (Size::Eight, _) => (1, [4, 5]),
        (Size::SixtyFour, 0) => (8, [8, 8]),
        (Size::SixtyFour, _) => (8, [32, 40]),
    };
    placed(
        enlarged(shape(class).view(), cell).view(),
        corner,
        size.side(),
        cell,
    )
}

/// The placement of a tetromino that may be rotated and moved.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Placement {
    /// The number of quarter turns, anticlockwise.
    pub quarters: usize,
    /// Top and left, in pixels.
    pub corner: [usize; 2],
}

impl Placement {
    /// Draws a placement for each of `count` images, in order. All places within the image are
    /// equally likely. With X8, the last row and column stay empty.
    pub fn draw(count: usize, size: Size, defects: Defects, random: &mut RandomState) -> Vec<Self> {
        let mut one = || {
            let quarters = random.choice(4);
            let [rows, columns] = corners(quarters, size, defects);
            let row = random.choice(rows);
            let column = random.choice(columns);
            Self {
                quarters,
                corner: [row, column],
            }
        };
        (0..count).map(|_| one()).collect()
    }

    /// All placements that can be drawn.
    pub fn all(size: Size, defects: Defects) -> impl Iterator<Item = Self> {
        (0..4).flat_map(move |quarters| {
            let [rows, columns] = corners(quarters, size, defects);
            let corners =
                (0..rows).flat_map(move |row| (0..columns).map(move |column| [row, column]));
            corners.map(move |corner| Self { quarters, corner })
        })
    }

    /// The tetromino of a class at this placement.
    pub fn pattern(self, class: usize, size: Size) -> Array2<f64> {
        let cell = moved_cell(size);
        let shape = turned(enlarged(shape(class).view(), cell), self.quarters);
        placed(shape.view(), self.corner, size.side(), cell)
    }
}

/// The number of rows and of columns at which the corner of a rotated tetromino may be.
fn corners(quarters: usize, size: Size, defects: Defects) -> [usize; 2] {
    let cell = moved_cell(size);
    let places = usize::from(!defects.has(Defect::X8));
    let sides = match quarters % 2 {
        0 => [3 * cell, 2 * cell],
        _ => [2 * cell, 3 * cell],
    };
    sides.map(|side| size.side() - side + places)
}

/// The side of a cell of a moving tetromino, in pixels.
fn moved_cell(size: Size) -> usize {
    match size {
        Size::Eight => 1,
        Size::SixtyFour => 4,
    }
}

/// The tetrominoes of each image, before they are mixed with its background.
pub(super) struct Patterns {
    scenario: Scenario,
    size: Size,
    count: usize,
    tetrominoes: [Array2<f64>; 2],
    /// One placement per image, if tetrominoes move.
    placements: Vec<Placement>,
}

impl Patterns {
    /// The patterns of `count` images. Random placements come from `random`.
    pub fn new(
        scenario: Scenario,
        size: Size,
        count: usize,
        defects: Defects,
        random: &mut RandomState,
    ) -> Self {
        Self {
            scenario,
            size,
            count,
            tetrominoes: [0, 1].map(|class| fixed(class, size)),
            placements: match scenario {
                Scenario::TranslationsRotations => Placement::draw(count, size, defects, random),
                _ => Vec::new(),
            },
        }
    }

    /// The class of an image: 0 in the first half, 1 in the second.
    pub fn class(&self, image: usize) -> usize {
        usize::from(image >= self.count / 2)
    }

    /// The signs of T and L in an image that shows both. The four quarters of the images have ++,
    /// --, +- and -+.
    fn signs(&self, image: usize) -> [f64; 2] {
        [[1.0, 1.0], [-1.0, -1.0], [1.0, -1.0], [-1.0, 1.0]][4 * image / self.count]
    }

    /// The pattern of an image.
    pub fn of(&self, image: usize) -> Array2<f64> {
        let class = self.class(image);
        match self.scenario {
            Scenario::Linear | Scenario::Multiplicative => self.tetrominoes[class].clone(),
            Scenario::TranslationsRotations => self.placements[image].pattern(class, self.size),
            Scenario::Xor => {
                let [t, l] = self.signs(image);
                &self.tetrominoes[0] * t + &self.tetrominoes[1] * l
            }
        }
    }

    /// The pixels that carry information about the class. If tetrominoes have fixed places, the
    /// places of both are the truth, whether shown or not, because a missing tetromino indicates
    /// the class, too. If a tetromino moves, its pixels alone are the truth.
    pub fn truth(&self, image: usize) -> Array2<bool> {
        match self.scenario {
            Scenario::TranslationsRotations => {
                let class = self.class(image);
                self.placements[image]
                    .pattern(class, self.size)
                    .mapv(|value| value >= TRUTH_FROM)
            }
            _ => {
                let [t, l] = &self.tetrominoes;
                let mut truth = t.mapv(|value| value >= TRUTH_FROM);
                Zip::from(&mut truth)
                    .and(l)
                    .for_each(|truth, &value| *truth |= value >= TRUTH_FROM);
                truth
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cells(image: &Array2<f64>) -> Vec<(usize, usize)> {
        image
            .indexed_iter()
            .filter(|(_, value)| **value > 0.0)
            .map(|(at, _)| at)
            .collect()
    }

    /// Places and sizes as in the paper's settings (XAI-TRIS, 8 x 8 and 64 x 64).
    #[test]
    fn tetrominoes_lie_where_they_should() {
        assert_eq!(
            cells(&fixed(0, Size::Eight)),
            [(1, 1), (2, 1), (2, 2), (3, 1)]
        );
        assert_eq!(
            cells(&fixed(1, Size::Eight)),
            [(4, 5), (5, 5), (6, 5), (6, 6)]
        );
        // `numpy.rot90` of the T: the bar becomes a row.
        assert_eq!(
            turned(shape(0), 1),
            array![[0.0, 1.0, 0.0], [1.0, 1.0, 1.0]]
        );
        let norm = |class| {
            fixed(class, Size::SixtyFour)
                .mapv(|value| value * value)
                .sum()
        };
        assert!((norm(0) - 195.087).abs() < 5e-4 && (norm(1) - 193.708).abs() < 5e-4);
        let pixels = |class| {
            fixed(class, Size::SixtyFour)
                .iter()
                .filter(|&&value| value >= TRUTH_FROM)
                .count()
        };
        assert_eq!([pixels(0), pixels(1)], [432, 430]);
        let moved = |class| {
            let placement = Placement {
                quarters: 0,
                corner: [20, 20],
            };
            placement
                .pattern(class, Size::SixtyFour)
                .iter()
                .filter(|&&value| value >= TRUTH_FROM)
                .count()
        };
        assert_eq!([moved(0), moved(1)], [156, 157]);
    }

    /// A T and an L have 168 placements each at 8 x 8. Placements reach both ends of the image, but
    /// not with X8.
    #[test]
    fn every_placement_is_drawn_once_there_are_enough() {
        for (defects, expected, last) in [
            (Defects::NONE, 168, 7),
            (Defects::NONE.with(Defect::X8), 120, 6),
        ] {
            let mut random = RandomState::new(1);
            let mut drawn = Placement::draw(20_000, Size::Eight, defects, &mut random);
            let reached = |placement: &Placement| {
                let image = placement.pattern(0, Size::Eight);
                cells(&image)
                    .into_iter()
                    .map(|(y, x)| y.max(x))
                    .max()
                    .unwrap()
            };
            assert_eq!(drawn.iter().map(reached).max(), Some(last));
            drawn.sort_by_key(|placement| (placement.quarters, placement.corner));
            drawn.dedup();
            assert_eq!(drawn.len(), expected);
        }
    }
}
