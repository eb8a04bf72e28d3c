//! The arithmetic: loops over images side by side, which the compiler vectorises.

use super::program::{Product, Sums};
use crate::device::vectorised;

/// The number of images side by side: enough to keep the chains of additions of two vector units
/// busy.
pub(super) const LANES: usize = 64;
/// The number of partial sums of a weight's gradient.
pub(super) const PARTS: usize = 16;

/// One value of each of these images.
pub(super) type Lane = [f32; LANES];

vectorised! {
    /// Computes each output from its sum.
    pub(super) fn affine(sums: &Sums, parameters: &[f32], x: &[Lane], y: &mut [Lane]) {
        let mut first = 0;
        for (at, (y, &end)) in y.iter_mut().zip(&sums.ends).enumerate() {
            let mut sum = [sums.bias.get(at).map_or(0.0, |&bias| parameters[bias as usize]); LANES];
            for &Product { value, parameter } in &sums.products[first..end as usize] {
                let (x, weight) = (&x[value as usize], parameters[parameter as usize]);
                for lane in 0..LANES {
                    sum[lane] += weight * x[lane];
                }
            }
            *y = sum;
            first = end as usize;
        }
    }
}

vectorised! {
    /// Adds the contribution of the outputs' gradients `g` to the gradients of the parameters.
    pub(super) fn parameter_gradients(sums: &Sums, x: &[Lane], g: &[Lane], gradients: &mut [[f32; PARTS]]) {
        let mut first = 0;
        for (at, (g, &end)) in g.iter().zip(&sums.ends).enumerate() {
            for &Product { value, parameter } in &sums.products[first..end as usize] {
                let (x, gradient) = (&x[value as usize], &mut gradients[parameter as usize]);
                for part in 0..PARTS {
                    let product = |quarter: usize| x[quarter * PARTS + part] * g[quarter * PARTS + part];
                    gradient[part] += (product(0) + product(1)) + (product(2) + product(3));
                }
            }
            if let Some(&bias) = sums.bias.get(at) {
                let gradient = &mut gradients[bias as usize];
                for part in 0..PARTS {
                    let of = |quarter: usize| g[quarter * PARTS + part];
                    gradient[part] += (of(0) + of(1)) + (of(2) + of(3));
                }
            }
            first = end as usize;
        }
    }
}

vectorised! {
    /// max(x, 0).
    pub(super) fn relu(x: &[Lane], y: &mut [Lane]) {
        for (x, y) in x.iter().zip(y) {
            for lane in 0..LANES {
                y[lane] = if x[lane] > 0.0 { x[lane] } else { 0.0 };
            }
        }
    }
}

vectorised! {
    /// The gradient for a ReLU's input, from the gradient `g` for its output `y`.
    pub(super) fn relu_back(y: &[Lane], g: &[Lane], down: &mut [Lane]) {
        for ((y, g), down) in y.iter().zip(g).zip(down) {
            for lane in 0..LANES {
                down[lane] = if y[lane] > 0.0 { g[lane] } else { 0.0 };
            }
        }
    }
}

vectorised! {
    /// The maximum of each window.
    pub(super) fn max_pool(windows: &[Vec<u32>], x: &[Lane], y: &mut [Lane]) {
        for (window, y) in windows.iter().zip(y) {
            let mut most = [f32::NEG_INFINITY; LANES];
            for &place in window {
                let x = &x[place as usize];
                for lane in 0..LANES {
                    most[lane] = if x[lane] > most[lane] { x[lane] } else { most[lane] };
                }
            }
            *y = most;
        }
    }
}

vectorised! {
    /// The gradient for the inputs of the maxima. The first of equal values gets all of it.
    pub(super) fn max_pool_back(windows: &[Vec<u32>], x: &[Lane], y: &[Lane], g: &[Lane], down: &mut [Lane]) {
        for down in down.iter_mut() {
            *down = [0.0; LANES];
        }
        for ((window, y), g) in windows.iter().zip(y).zip(g) {
            let mut left = *g;
            for &place in window {
                let (x, down) = (&x[place as usize], &mut down[place as usize]);
                for lane in 0..LANES {
                    let taken = if x[lane] == y[lane] { left[lane] } else { 0.0 };
                    down[lane] += taken;
                    left[lane] -= taken;
                }
            }
        }
    }
}

vectorised! {
    /// Each value times the mask's value.
    pub(super) fn masked(x: &[Lane], mask: &[Lane], y: &mut [Lane]) {
        for ((x, mask), y) in x.iter().zip(mask).zip(y) {
            for lane in 0..LANES {
                y[lane] = x[lane] * mask[lane];
            }
        }
    }
}

/// The softmax of each image's values. It is computed in double precision, whose functions round
/// alike on all processors. `room` holds as many numbers as an image has values.
pub(super) fn softmax(x: &[Lane], y: &mut [Lane], room: &mut [f64]) {
    for lane in 0..LANES {
        let largest = largest(x, lane);
        let sum = powers(x.len(), room, |k| f64::from(x[k][lane] - x[largest][lane]));
        for (power, y) in room.iter().zip(&mut *y) {
            y[lane] = (power / sum) as f32;
        }
    }
}

/// The index of an image's largest value, the first of equals.
pub(super) fn largest(x: &[Lane], lane: usize) -> usize {
    (1..x.len()).fold(
        0,
        |most, k| if x[k][lane] > x[most][lane] { k } else { most },
    )
}

/// The powers exp(above(k)) of `count` values and their sum, where `above` is how far a value is above the largest.
pub(super) fn powers(count: usize, powers: &mut [f64], above: impl Fn(usize) -> f64) -> f64 {
    let mut sum = 0.0;
    for (k, power) in powers[..count].iter_mut().enumerate() {
        // The largest value's own power is 1. With two classes, this saves every second exponential.
        *power = match above(k) {
            0.0 => 1.0,
            above => above.exp(),
        };
        sum += *power;
    }
    sum
}

/// The gradient for a softmax's input, from its output `p` and the gradient `g` for that output.
pub(super) fn softmax_back(p: &[Lane], g: &[Lane], down: &mut [Lane]) {
    for lane in 0..LANES {
        let shared: f32 = p.iter().zip(g).map(|(p, g)| p[lane] * g[lane]).sum();
        for ((p, g), down) in p.iter().zip(g).zip(&mut *down) {
            down[lane] = p[lane] * (g[lane] - shared);
        }
    }
}
