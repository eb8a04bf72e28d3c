//! Pixels that are removed from an image without a trace.

use ndarray::{Array3, ArrayView3, Axis};

use crate::error::{Error, Result};

/// The neighbours of a pixel and their weights.
const NEIGHBOURS: [(isize, isize, f64); 8] = [
    (-1, -1, 1.0 / 12.0),
    (-1, 0, 1.0 / 6.0),
    (-1, 1, 1.0 / 12.0),
    (0, -1, 1.0 / 6.0),
    (0, 1, 1.0 / 6.0),
    (1, -1, 1.0 / 12.0),
    (1, 0, 1.0 / 6.0),
    (1, 1, 1.0 / 12.0),
];

/// An image `[c, h, w]` in which each of the `removed` pixels (indices in row-major order) is the
/// weighted mean of its eight neighbours, removed ones included (linear imputation, Rong et al. 2022,
/// "ROAD"; their noise is not added). A model then cannot tell from the borders of the removed region which pixels were
/// removed.
///
/// # Errors
/// If all pixels are removed, or if an index lies outside.
pub fn impute(image: ArrayView3<f32>, removed: &[usize]) -> Result<Array3<f32>> {
    let (_, h, w) = image.dim();
    let mut unknown = vec![None; h * w];
    for (number, &pixel) in removed.iter().enumerate() {
        match unknown.get_mut(pixel) {
            Some(place) => *place = Some(number),
            None => {
                return Err(Error::invalid(format!(
                    "pixel {pixel} cannot be removed from an image of {h} x {w} pixels"
                )));
            }
        }
    }
    if removed.len() >= h * w && !removed.is_empty() {
        return Err(Error::invalid(
            "all pixels are removed, so there is nothing from which they could be imputed",
        ));
    }
    let equations: Vec<Equation> = (removed.iter())
        .map(|&pixel| Equation::of(pixel, [h, w], &unknown))
        .collect();
    let mut imputed = image.to_owned();
    for mut channel in imputed.axis_iter_mut(Axis(0)) {
        let right: Vec<f64> = (equations.iter())
            .map(|one| {
                (one.known.iter())
                    .map(|&(at, weight)| weight * f64::from(channel[at]))
                    .sum()
            })
            .collect();
        for (&pixel, value) in removed.iter().zip(solve(&equations, &right)) {
            channel[[pixel / w, pixel % w]] = value as f32;
        }
    }
    Ok(imputed)
}

/// One pixel: `total` times its value, less that of its unknown neighbours, is that of its known
/// ones, each with its weight.
struct Equation {
    total: f64,
    unknown: Vec<(usize, f64)>,
    known: Vec<([usize; 2], f64)>,
}

impl Equation {
    fn of(pixel: usize, [h, w]: [usize; 2], numbers: &[Option<usize>]) -> Self {
        let mut one = Self {
            total: 0.0,
            unknown: Vec::new(),
            known: Vec::new(),
        };
        for (down, right, weight) in NEIGHBOURS {
            let row = (pixel / w).checked_add_signed(down).filter(|&row| row < h);
            let column = (pixel % w).checked_add_signed(right).filter(|&at| at < w);
            let (Some(row), Some(column)) = (row, column) else {
                continue;
            };
            one.total += weight;
            match numbers[row * w + column] {
                Some(number) => one.unknown.push((number, weight)),
                None => one.known.push(([row, column], weight)),
            }
        }
        one
    }
}

/// Conjugate gradients, as the matrix is symmetric and positive definite. It is never stored; a
/// library for sparse matrices would be larger than this loop.
fn solve(equations: &[Equation], right: &[f64]) -> Vec<f64> {
    const RELATIVE: f64 = 1e-6;
    let dot = |a: &[f64], b: &[f64]| -> f64 { a.iter().zip(b).map(|(a, b)| a * b).sum() };
    let mut solution = vec![0.0; right.len()];
    let mut rest = right.to_vec();
    let mut direction = rest.clone();
    let mut size = dot(&rest, &rest);
    let enough = RELATIVE * RELATIVE * size;
    for _ in 0..10 * right.len() {
        if size <= enough {
            break;
        }
        let applied: Vec<f64> = (equations.iter().zip(&direction))
            .map(|(one, own)| {
                let others = one
                    .unknown
                    .iter()
                    .map(|&(at, weight)| weight * direction[at]);
                one.total * own - others.sum::<f64>()
            })
            .collect();
        let step = size / dot(&direction, &applied);
        for at in 0..right.len() {
            solution[at] += step * direction[at];
            rest[at] -= step * applied[at];
        }
        let next = dot(&rest, &rest);
        for (direction, rest) in direction.iter_mut().zip(&rest) {
            *direction = rest + next / size * *direction;
        }
        size = next;
    }
    solution
}
