//! Outlines of masks, along the borders of their pixels.

use ndarray::Array2;
use plotters::prelude::*;

use super::canvas::Canvas;
use crate::error::Result;

/// A line along the borders of pixels, from one `(column, row)` to another.
pub(super) type Side = [(usize, usize); 2];

/// The borders of a mask. Straight runs are one side.
pub(super) fn sides(mask: &Array2<bool>) -> Vec<Side> {
    let mut sides = Vec::new();
    for (turned, mask) in [(false, mask.view()), (true, mask.t())] {
        let at = |r: usize, c: usize| mask.get((r, c)).is_some_and(|&set| set);
        for r in 0..=mask.nrows() {
            let border = |c| at(r, c) != at(r.wrapping_sub(1), c);
            let mut c = 0;
            while c < mask.ncols() {
                let start = c;
                while c < mask.ncols() && border(c) {
                    c += 1;
                }
                if c > start {
                    sides.push(if turned {
                        [(r, start), (r, c)]
                    } else {
                        [(start, r), (c, r)]
                    });
                }
                c += 1;
            }
        }
    }
    sides
}

/// How an outline is drawn.
#[derive(Clone, Copy)]
pub(super) struct Pen {
    /// The side of a pixel of the picture.
    pub pixel: f64,
    pub width: f64,
    pub color: RGBColor,
}

/// Draws the outline of a mask on the picture whose top left corner is at `(x, y)`.
pub(super) fn draw_outline<DB: DrawingBackend>(
    canvas: &Canvas<DB>,
    (x, y): (f64, f64),
    mask: &Array2<bool>,
    pen: Pen,
) -> Result<()> {
    // Rectangles instead of lines, to fill the corners where sides meet.
    let half = pen.width / 2.0;
    let place = |(column, row): (usize, usize), off: f64| {
        (
            x + pen.pixel * column as f64 + off,
            y + pen.pixel * row as f64 + off,
        )
    };
    sides(mask)
        .into_iter()
        .try_for_each(|[from, to]| canvas.rectangle(place(from, -half), place(to, half), pen.color))
}

#[cfg(test)]
mod tests {
    use ndarray::array;

    use super::sides;

    #[test]
    fn an_outline_runs_round_a_mask_and_its_hole() {
        let mut one = sides(&array![[false, true], [false, true]]);
        one.sort();
        let around = [
            [(1, 0), (1, 2)],
            [(1, 0), (2, 0)],
            [(1, 2), (2, 2)],
            [(2, 0), (2, 2)],
        ];
        assert_eq!(one, around);
        let ring = array![[true, true, true], [true, false, true], [true, true, true]];
        assert_eq!(sides(&ring).len(), 8);
        assert!(sides(&array![[false, false]]).is_empty());
    }
}
