use super::super::tests::shapes;
use super::sides::{Room, transform, transform_with};
use super::*;
use crate::network::kernels::{self, numbers};

/// An input and a gradient for the output of each shape.
fn cases() -> impl Iterator<Item = (Vec<f32>, Vec<f32>, ConvSizes)> {
    shapes().map(|shape| {
        let [h, w] = shape.plane;
        let [height, width] = shape.out_plane();
        let x = numbers(shape.n * shape.input * h * w, 1);
        let g = numbers(shape.n * shape.output * height * width, 5);
        (x, g, shape)
    })
}

/// The definition, in 64 bits.
fn plain(x: &[f32], g: &[f32], s: &ConvSizes) -> Vec<f64> {
    let ([height, width], [h, w]) = (s.out_plane(), s.plane);
    let mut grad = vec![0.0; s.output * s.input * 9];
    for (at, grad) in grad.iter_mut().enumerate() {
        let (out, channel, tap) = (at / 9 / s.input, at / 9 % s.input, at % 9);
        for (image, y) in (0..s.n).flat_map(|n| (0..height).map(move |y| (n, y))) {
            let row = (y + tap / 3).wrapping_sub(s.padding[0]);
            for column in 0..width {
                let from = (column + tap % 3).wrapping_sub(s.padding[1]);
                if row < h && from < w {
                    let x = x[((image * s.input + channel) * h + row) * w + from];
                    let g = g[((image * s.output + out) * height + y) * width + column];
                    *grad += f64::from(x) * f64::from(g);
                }
            }
        }
    }
    grad
}

#[test]
fn it_is_its_definition() {
    for (x, g, shape) in cases() {
        let exact = plain(&x, &g, &shape);
        let largest = exact.iter().fold(0.0f64, |most, y| most.max(y.abs()));
        // All tiles at once, and a few at a time.
        for floats in [FLOATS, 4 * STEP] {
            let grad = sum_tiles(&x, &g, &shape, floats);
            assert_eq!(grad.len(), exact.len());
            for (grad, exact) in grad.iter().zip(&exact) {
                let error = (f64::from(*grad) - exact).abs();
                assert!(error < 3e-6 * largest, "{shape:?}: {}", error / largest);
            }
        }
    }
}

#[test]
fn threads_change_no_bit() {
    for (x, g, shape) in cases() {
        let one = rayon::ThreadPoolBuilder::new().num_threads(1).build();
        let alone = one.unwrap().install(|| weight_grad(&x, &g, &shape));
        let three = rayon::ThreadPoolBuilder::new().num_threads(3).build();
        assert_eq!(
            three.unwrap().install(|| weight_grad(&x, &g, &shape)),
            alone
        );
    }
}

#[test]
fn every_processor_gives_the_same_bits() {
    type Any = [f32; LANES];
    for (x, g, shape) in cases() {
        let (x, g) = sides(&x, &g, &shape);
        let (count, block) = (CHUNK.min(x.tiles[0] * x.tiles[1] * shape.n), x.blocks() - 1);
        let [x, g] = [x, g].map(|side| {
            let block = block.min(side.blocks() - 1);
            let mut room = Room::new();
            let (mut best, mut any) = (vec![0.0; STEP], vec![0.0; STEP]);
            transform(&side, 0..count, block, &mut room, &mut best);
            transform_with::<Any>(&side, 0..count, block, &mut room, &mut any);
            assert_eq!(best, any);
            best
        });
        let mut best = numbers(LANES * LANES, 3);
        let mut any = best.clone();
        multiply(&x, &g, [1, 1, 1], false, &mut best);
        multiply_with::<Any>(&x, &g, [1, 1, 1], false, &mut any);
        assert_eq!(best, any);
        let weights = |weights_of: fn(&[f32], usize, &mut [f32])| {
            let mut grad = vec![0.0; 9 * 11];
            weights_of(&numbers(PRODUCTS * LANES, 9), LANES, &mut grad);
            grad
        };
        assert_eq!(weights(weights_of), weights(weights_of_with::<Any>));
    }
}

/// Inputs above 0, as after a ReLU, in 6272 tiles. Such sums cancel, so the error is compared with that
/// of the direct kernel. A single chain of additions would have five times that error.
#[test]
fn long_sums_are_as_exact_as_the_direct_kernels() {
    let (n, input, output, plane) = (8, 2, 3, [112, 112]);
    let shape = ConvSizes {
        n,
        input,
        output,
        plane,
        kernel: [3, 3],
        padding: [1, 1],
    };
    let x = numbers(n * input * 112 * 112, 1);
    let x: Vec<f32> = x.into_iter().map(f32::abs).collect();
    let g = numbers(n * output * 112 * 112, 5);
    let exact = plain(&x, &g, &shape);
    let error = |grad: &[f32]| {
        let differences = grad.iter().zip(&exact);
        let differences = differences.map(|(grad, exact)| (f64::from(*grad) - exact).abs());
        differences.fold(0.0, f64::max)
    };
    let found = error(&weight_grad(&x, &g, &shape));
    let direct = error(&kernels::conv_weight_grad(&x, &g, &shape));
    assert!(found < direct, "{found}, by the direct kernel {direct}");
}
