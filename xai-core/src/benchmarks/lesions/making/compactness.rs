//! Measures of the shape of a component.

use std::f64::consts::{FRAC_PI_4, PI, SQRT_2};

use ndarray::ArrayView2;

/// The length of the outline in pixels by Crofton's formula: the number of times that lines in four
/// directions enter the shape (`skimage.measure.perimeter_crofton(directions=4)`).
pub fn perimeter(mask: ArrayView2<bool>) -> f64 {
    let (rows, columns) = mask.dim();
    // Pixels outside the image are background.
    let set = |r: usize, c: usize| {
        mask.get((r.wrapping_sub(1), c.wrapping_sub(1)))
            .is_some_and(|&m| m)
    };
    let (mut straight, mut diagonal) = (0, 0);
    for r in 1..=rows + 1 {
        for c in 1..=columns + 1 {
            let (corner, up, left, here) =
                (set(r - 1, c - 1), set(r - 1, c), set(r, c - 1), set(r, c));
            straight += i32::from(here && !up) + i32::from(corner && !up);
            diagonal += i32::from(here && !corner) + i32::from(up && !left);
        }
    }
    // Diagonal lines lie closer together, so each of their crossings counts less.
    FRAC_PI_4 * (f64::from(straight) + f64::from(diagonal) / SQRT_2)
}

/// 4 pi area / perimeter^2: about 1 for a disc, and less for a ragged outline.
pub fn compactness(area: usize, perimeter: f64) -> f64 {
    4.0 * PI * area as f64 / (perimeter * perimeter)
}
