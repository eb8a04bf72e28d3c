//! The out-of-domain task: shapes drawn on noise.

use std::f32::consts::{PI, TAU};

use ndarray::{Array3, ArrayViewMut2};
use rand::Rng;
use rand::seq::SliceRandom;
use rand_distr::{Distribution, StandardNormal};
use rayon::prelude::*;

use crate::benchmarks::lesions::imaging::Task;
use crate::benchmarks::lesions::imaging::bspline::SmoothField;
use crate::error::{Error, Result};
use crate::random::stream;

/// The classes of [`shapes_task`], in order.
pub const SHAPES: [&str; 8] = [
    "disc", "ring", "square", "triangle", "cross", "star", "bar", "crescent",
];

/// `n` images of three to six shapes of one class on a noise texture (fewer if they do not fit).
/// There are eight classes, [`SHAPES`], as equally frequent as possible, in random order.
///
/// Position, size, rotation, contrast (lighter or darker) and texture are random and do not depend
/// on the class. Only the shape determines it. The task takes the place of pre-training on images
/// of another domain. It does not consist of natural images, and no result obtained with it is a
/// result about ImageNet.
pub fn shapes_task(n: usize, size: usize, seed: u64) -> Result<Task> {
    if n == 0 || size < 16 {
        return Err(Error::invalid(format!(
            "the shapes task needs at least one image of 16 x 16 pixels, not {n} of {size} x {size}"
        )));
    }
    let mut class: Vec<u8> = (0..n).map(|i| (i % SHAPES.len()) as u8).collect();
    class.shuffle(&mut stream(seed, "shapes/class"));
    let mut images = Array3::zeros((n, size, size));
    images
        .outer_iter_mut()
        .into_par_iter()
        .zip(&class)
        .enumerate()
        .for_each(|(i, (image, &class))| {
            draw(
                image,
                class,
                &mut stream(seed, &format!("shapes/image/{i}")),
            );
        });
    Ok(Task {
        images,
        class,
        classes: SHAPES.len(),
    })
}

fn draw(mut image: ArrayViewMut2<f32>, class: u8, rng: &mut impl Rng) {
    let size = image.nrows() as f32;
    texture(&mut image, rng);
    let mut drawn: Vec<[f32; 3]> = Vec::new();
    let wanted = rng.random_range(3..=6);
    // Shapes do not overlap. If the next one does not fit, there is one less.
    for _ in 0..60 {
        if drawn.len() == wanted {
            break;
        }
        let radius = size * rng.random_range(0.06..0.11);
        let [x, y] = std::array::from_fn(|_| rng.random_range(radius..size - radius));
        let apart = |&[x2, y2, r2]: &[f32; 3]| (x - x2).hypot(y - y2) > radius + r2;
        if drawn.iter().all(apart) {
            drawn.push([x, y, radius]);
        }
    }
    for [x, y, radius] in drawn {
        let (sin, cos) = rng.random_range(0.0..TAU).sin_cos();
        let contrast = rng.random_range(0.25f32..0.5) * if rng.random() { 1.0 } else { -1.0 };
        for ((row, column), pixel) in image.indexed_iter_mut() {
            let (dx, dy) = (column as f32 + 0.5 - x, row as f32 + 0.5 - y);
            if dx.hypot(dy) <= radius + 1.0 {
                let p = [
                    (cos * dx + sin * dy) / radius,
                    (cos * dy - sin * dx) / radius,
                ];
                // The edge is one pixel wide, to be smooth.
                let cover = (0.5 - distance(class, p) * radius).clamp(0.0, 1.0);
                *pixel += contrast * cover;
            }
        }
    }
    image.mapv_inplace(|v| v.clamp(0.0, 1.0));
}

/// A grey level, two octaves of smooth noise, and white noise, each of random strength.
fn texture(image: &mut ArrayViewMut2<f32>, rng: &mut impl Rng) {
    let size = image.nrows() as f32;
    let grey = rng.random_range(0.35..0.65);
    let [coarse, fine] = [0.12f32, 0.03].map(|spacing| {
        let (spacing, sd) = (
            spacing * size * rng.random_range(0.7f32..1.4),
            rng.random_range(0.02..0.07),
        );
        SmoothField::<1>::random(spacing, sd, [size, size, 1.0], rng).plane(0.5 * spacing)
    });
    let white = rng.random_range(0.01f32..0.04);
    let centres = |n: usize| (0..n).map(|column| column as f32 + 0.5);
    let coarse_columns = coarse.columns(centres(image.ncols()));
    let fine_columns = fine.columns(centres(image.ncols()));
    for (row, mut line) in image.rows_mut().into_iter().enumerate() {
        let [coarse] = coarse.row(row as f32 + 0.5, &coarse_columns);
        let [fine] = fine.row(row as f32 + 0.5, &fine_columns);
        for (column, pixel) in line.iter_mut().enumerate() {
            let normal: f32 = StandardNormal.sample(rng);
            *pixel = grey + coarse[column] + fine[column] + white * normal;
        }
    }
}

/// Approximate distance of `[x, y]` outside (> 0) or inside (< 0) the shape's outline. Every shape
/// lies within the unit circle.
fn distance(class: u8, [x, y]: [f32; 2]) -> f32 {
    let r = x.hypot(y);
    let rectangle =
        |half_width: f32, half_height: f32| (x.abs() - half_width).max(y.abs() - half_height);
    match class {
        0 => r - 0.8,
        1 => (r - 0.8).abs() - 0.2,
        2 => rectangle(0.7, 0.7),
        3 => polygon(r, y.atan2(x), 3) - 0.5,
        4 => rectangle(0.95, 0.25).min(rectangle(0.25, 0.95)),
        5 => star(r, y.atan2(x)),
        6 => rectangle(0.97, 0.22),
        _ => (r - 1.0).max(0.85 - (x - 0.45).hypot(y)),
    }
}

/// The distance from the centre to the line through a point that is parallel to the nearest side of
/// a regular polygon.
fn polygon(r: f32, angle: f32, sides: u8) -> f32 {
    let sector = TAU / f32::from(sides);
    r * ((angle.rem_euclid(sector)) - sector / 2.0).cos()
}

/// A star of five points: straight edges from tips at radius 1 to notches at radius 0.4.
fn star(r: f32, angle: f32) -> f32 {
    const NOTCH: f32 = 0.4;
    let half = PI / 5.0;
    // Folded to one half of one point, with the tip at angle 0 and the notch at angle `half`.
    let folded = (angle.rem_euclid(2.0 * half) - half).abs();
    let (y, x) = (r * (half - folded).sin(), r * (half - folded).cos());
    let (notch_y, notch_x) = (NOTCH * half.sin(), NOTCH * half.cos());
    // The distance to the straight line from the tip to the notch.
    let length = (1.0 - notch_x).hypot(notch_y);
    ((x - 1.0) * notch_y + y * (1.0 - notch_x)) / length
}
