use super::conv::*;
use super::input::{transform_inputs, transform_inputs_with};
use super::output::{Finish, Output, segments, transform_products, transform_products_with};
use super::products::{multiply, multiply_with};
use super::scratch::Scratch;
use super::sizes::*;
use super::tiles::BlockSizes;
use super::tiles::{Block, Run};
use super::*;
use crate::network::kernels::ConvSizes;
use crate::network::kernels::{self, After, numbers};
use crate::network::ops::Window;
use crate::network::region::Region;
use crate::network::simd::LANES;

pub(super) fn shapes() -> impl Iterator<Item = ConvSizes> {
    let sizes = [
        (1, 1, 1, [1, 1], [1, 1]),
        (2, 5, 9, [14, 15], [1, 1]),
        (3, 17, 70, [7, 66], [0, 2]),
        (2, 40, 23, [30, 9], [2, 1]),
    ];
    sizes
        .into_iter()
        .map(|(n, input, output, plane, padding)| ConvSizes {
            n,
            input,
            output,
            plane,
            kernel: [3, 3],
            padding,
        })
}

/// The definition, in 64 bits, and the largest possible value.
fn plain(x: &[f32], weight: &[f32], s: &ConvSizes) -> (Vec<f64>, f64) {
    let ([height, width], [h, w]) = (s.out_plane(), s.plane);
    let mut y = Vec::new();
    for (image, out) in (0..s.n).flat_map(|n| (0..s.output).map(move |out| (n, out))) {
        for (row, column) in (0..height).flat_map(|r| (0..width).map(move |c| (r, c))) {
            let mut sum = 0.0;
            for (channel, tap) in (0..s.input).flat_map(|c| (0..9).map(move |t| (c, t))) {
                let row = (row + tap / 3).wrapping_sub(s.padding[0]);
                let column = (column + tap % 3).wrapping_sub(s.padding[1]);
                if row < h && column < w {
                    let x = x[((image * s.input + channel) * h + row) * w + column];
                    sum += f64::from(x) * f64::from(weight[(out * s.input + channel) * 9 + tap]);
                }
            }
            y.push(sum);
        }
    }
    let largest = y.iter().fold(0.0f64, |most, y| most.max(y.abs()));
    (y, largest)
}

#[test]
fn both_directions_are_the_convolution() {
    for shape in shapes() {
        let [h, w] = shape.plane;
        let x = numbers(shape.n * shape.input * h * w, 1);
        let weight = numbers(shape.output * shape.input * 9, 7);
        let (exact, largest) = plain(&x, &weight, &shape);
        // The weights of the convolution in the other direction, rotated.
        let mut turned = vec![0.0; weight.len()];
        for (at, weight) in weight.iter().enumerate() {
            let (out, input, tap) = (at / 9 / shape.input, at / 9 % shape.input, at % 9);
            turned[(input * shape.output + out) * 9 + 8 - tap] = *weight;
        }
        let forward = Weights::new(&weight, shape.output, shape.input);
        let back = Weights::new(&turned, shape.input, shape.output);
        for y in [
            conv(&x, &forward, None, &shape, false, After::Plain),
            conv(&x, &back, None, &shape, true, After::Plain),
        ] {
            assert_eq!(y.len(), exact.len());
            for (y, exact) in y.iter().zip(&exact) {
                assert!((f64::from(*y) - exact).abs() < 3e-6 * largest, "{shape:?}");
            }
        }
    }
}

#[test]
fn neither_threads_nor_the_rest_of_the_batch_change_a_bit() {
    for shape in shapes() {
        let [h, w] = shape.plane;
        let x = numbers(shape.n * shape.input * h * w, 3);
        let weight = numbers(shape.output * shape.input * 9, 5);
        let weights = Weights::new(&weight, shape.output, shape.input);
        let packed = kernels::pack(&weight, shape.output, shape.input, 9);
        let run = |x: &[f32], shape: &ConvSizes| {
            let mut y = conv(x, &weights, None, shape, false, After::Plain);
            y.extend(kernels::conv(x, &packed, None, shape, After::Plain));
            y
        };
        let all = run(&x, &shape);
        let one_thread = rayon::ThreadPoolBuilder::new().num_threads(1).build();
        assert_eq!(one_thread.unwrap().install(|| run(&x, &shape)), all);
        let one = ConvSizes { n: 1, ..shape };
        let (len, half) = (all.len() / 2 / shape.n, all.len() / 2);
        for image in 0..shape.n {
            let y = run(
                &x[image * shape.input * h * w..][..shape.input * h * w],
                &one,
            );
            assert_eq!(y[..len], all[image * len..][..len]);
            assert_eq!(y[len..], all[half + image * len..][..len]);
        }
    }
}

#[test]
fn every_processor_gives_the_same_bits() {
    let shape = shapes().nth(2).unwrap();
    let x = numbers(shape.n * shape.input * shape.plane[0] * shape.plane[1], 3);
    let weight = numbers(shape.output * shape.input * 9, 5);
    let weights = Weights::new(&weight, shape.output, shape.input);
    let block = Block {
        runs: [(0, 1, 2..10), (1, 0, 0..17), (2, 1, 5..6)]
            .map(|(image, row, columns)| Run {
                image,
                row,
                columns,
            })
            .to_vec(),
        outputs: 0..shape.output,
    };
    let layout = BlockSizes::new(&shape, &block);
    let (mut best, mut any) = (Scratch::default(), Scratch::default());
    best.fit(layout);
    any.fit(layout);
    type Any = [f32; LANES];
    let inside = Region::of(2, shape.plane, |image, row, column| {
        row > image && column > 3
    });
    transform_inputs(&x, &inside, &shape, &block, layout, &mut best);
    transform_inputs_with::<Any>(&x, &inside, &shape, &block, layout, &mut any);
    assert_eq!(best.inputs[..], any.inputs[..]);
    let outputs = 0..OUTPUTS;
    for backward in [false, true] {
        let weights = if backward {
            &Weights::new(&weight, shape.input, shape.output)
        } else {
            &weights
        };
        multiply(
            weights, backward, &shape, &block, &outputs, layout, &mut best,
        );
        multiply_with::<Any>(
            weights, backward, &shape, &block, &outputs, layout, &mut any,
        );
        assert_eq!(best.products[..], any.products[..]);
        assert!(best.products.iter().any(|x| *x != 0.0));
    }
    let [h, w] = shape.out_plane();
    let len = shape.n * shape.output * h * w;
    let gate = Finish::Gate(std::ptr::null());
    for finish in [Finish::Plain, Finish::Relu, Finish::ReluPool, gate] {
        let transform = |best: bool, scratch: &mut Scratch| {
            let (mut pixels, mut places) = (numbers(len, 9), vec![u8::MAX; len]);
            let to = pixels.as_mut_ptr();
            let finish = match finish {
                Finish::Gate(_) => Finish::Gate(to),
                other => other,
            };
            let output = Output {
                pixels: to,
                places: places.as_mut_ptr(),
                finish,
            };
            let transform = if best {
                transform_products
            } else {
                transform_products_with::<Any>
            };
            let vectors = segments(&block, &shape, finish);
            transform(None, &shape, &vectors, &outputs, layout, scratch, output);
            (pixels, places)
        };
        let (found, plain) = (transform(true, &mut best), transform(false, &mut any));
        assert_eq!(found, plain);
        assert_ne!(found.0, numbers(len, 9));
    }
}

/// Some windows have equal pixels, NaN or numbers below 0.
#[test]
fn a_fused_relu_and_pooling_are_those_of_the_plain_kernels() {
    for shape in shapes() {
        let [h, w] = shape.plane;
        let mut x = numbers(shape.n * shape.input * h * w, 3);
        x.iter_mut().take(h * w / 2).for_each(|x| *x = 0.0);
        x[h * w - 1] = f32::NAN;
        let weight = numbers(shape.output * shape.input * 9, 5);
        let weights = Weights::new(&weight, shape.output, shape.input);
        let bias = numbers(shape.output, 11);
        let plain = kernels::relu(&conv(
            &x,
            &weights,
            Some(&bias),
            &shape,
            false,
            After::Plain,
        ));
        let plane @ [h, w] = shape.out_plane();
        let whole = Region::whole(1, plane);
        let mut fused = vec![0.0; plain.len()];
        conv_relu(&x, &weights, Some(&bias), &shape, &whole, &mut fused, None);
        let bits = |x: &[f32]| x.iter().map(|x| x.to_bits()).collect::<Vec<_>>();
        assert_eq!(bits(&plain), bits(&fused));

        if h < 2 || w < 2 {
            continue;
        }
        let halves = Window::square(2);
        let (maxima, index) = kernels::max_pool(&plain, plane, [h / 2, w / 2], &halves);
        let mut places = vec![9; maxima.len()];
        conv_relu(
            &x,
            &weights,
            Some(&bias),
            &shape,
            &whole,
            &mut fused,
            Some(&mut places),
        );
        assert_eq!(bits(&maxima), bits(&fused[..maxima.len()]));
        for (at, (&index, &place)) in index.iter().zip(&places).enumerate() {
            let (row, column) = (at / (w / 2) % (h / 2), at % (w / 2));
            let [y, x] = [
                index as usize / w - 2 * row,
                index as usize % w - 2 * column,
            ];
            let expected = if maxima[at] > 0.0 {
                (2 * y + x) as u8
            } else {
                NOWHERE
            };
            assert_eq!(place, expected, "{shape:?}");
        }
    }
}

/// Requested tiles equal those of the whole convolution. Other tiles are not changed.
#[test]
fn a_region_changes_no_bit() {
    for shape in shapes() {
        let [h, w] = shape.plane;
        let x = numbers(shape.n * shape.input * h * w, 3);
        let weight = numbers(shape.output * shape.input * 9, 5);
        let weights = Weights::new(&weight, shape.input, shape.output);
        let plane @ [h, w] = shape.out_plane();
        let inside = |image: usize, row: usize, column: usize| {
            row + image > 2 && column > 1 && row + column < 90
        };
        let region = Region::of(2, plane, inside).in_tiles(TILE);
        // Outside `known`, values are arbitrary.
        let known = Region::of(2, shape.plane, |_, row, column| {
            row + column > 3 && column < 9
        });
        let (mut wild, mut x) = (x.clone(), x);
        for (at, (wild, x)) in wild.iter_mut().zip(&mut x).enumerate() {
            let [h, w] = shape.plane;
            let image = at / (shape.input * h * w) % 2;
            if !known.span(image, at / w % h).contains(&(at % w)) {
                (*wild, *x) = (f32::NAN, 0.0);
            }
        }
        let whole = conv(&x, &weights, None, &shape, true, After::Plain);
        let gate = numbers(whole.len(), 13);
        let mut part = gate.clone();
        input_grad((&wild, &known), &weights, &shape, &region, true, &mut part);
        for (at, (part, whole)) in part.iter().zip(&whole).enumerate() {
            let image = at / (shape.output * h * w) % 2;
            let expected = if !region.span(image, at / w % h).contains(&(at % w)) {
                gate[at]
            } else if gate[at] > 0.0 {
                *whole
            } else {
                0.0
            };
            assert_eq!(*part, expected, "{shape:?}");
        }
    }
}
