//! The images in which maxima of a pooling tie.

use std::collections::BTreeSet;

use ndarray::{ArrayView3, Axis};

use crate::attribution::{Batch, Layered};
use crate::network::Layer;

/// How far one part of an image is from another: rows down, columns to the right.
type Shift = [isize; 2];

/// Which images repeat themselves, differ from the baseline there, and do so at a distance that a
/// pooling sees within one window. The window's values are then equal, and the gradient must go to
/// the first of them, as in torch. Where image and baseline are equal, as in an even background, the
/// gradient is multiplied by 0, so this does not matter.
///
/// A convolution by Winograd sees at least 3 x 3 values at a time. Only such a convolution can give equal neighbourhoods
/// different sums.
pub(super) fn has_ties<M: Layered>(batch: &Batch<'_, M>) -> Vec<bool> {
    let (pixels, baseline) = (batch.pixels(), batch.baseline_pixels());
    let (_, _, h, w) = pixels.dim();
    let shifts = shifts(&batch.model().network().layers, [h, w]);
    let images = pixels.outer_iter().enumerate();
    let found = images.map(|(image, x)| {
        let b = baseline.index_axis(Axis(0), image.min(baseline.dim().0 - 1));
        repeats(x, b, &shifts)
    });
    found.collect()
}

/// Whether 3 x 3 pixels of `x`, of which one differs from the baseline `b`, are the same again at one of these distances.
/// They may lie across the border of the image, where convolutions see padding.
fn repeats(x: ArrayView3<'_, f32>, b: ArrayView3<'_, f32>, shifts: &BTreeSet<Shift>) -> bool {
    let (channels, h, w) = x.dim();
    let x = x.as_standard_layout();
    let values = x.as_slice().expect("in the standard layout");
    // The place of a pixel in its channel, if it is in the image.
    let place = |[y, column]: [usize; 2], [down, right]: Shift| {
        let y = y.checked_add_signed(down).filter(|&y| y < h)?;
        let column = column
            .checked_add_signed(right)
            .filter(|&column| column < w)?;
        Some(y * w + column)
    };
    let same = |one: Option<usize>, other: Option<usize>| match (one, other) {
        (Some(one), Some(other)) => (0..channels * h * w)
            .step_by(h * w)
            .all(|channel| values[channel + one] == values[channel + other]),
        (None, None) => true,
        _ => false,
    };
    let around = || (-1..=1).flat_map(|down| (-1..=1).map(move |right| [down, right]));
    let differing: Vec<bool> = (0..h * w)
        .map(|at| (0..channels).any(|c| x[[c, at / w, at % w]] != b[[c, at / w, at % w]]))
        .collect();
    let pixels = (0..h).flat_map(|y| (0..w).map(move |column| [y, column]));
    let differs = |pixel: &[usize; 2]| {
        let mut places = around().filter_map(|shift| place(*pixel, shift));
        places.any(|at| differing[at])
    };
    let middles: Vec<[usize; 2]> = pixels.filter(differs).collect();
    shifts.iter().any(|&[down, right]| {
        middles.iter().any(|&pixel| {
            let other = place(pixel, [down, right]);
            // Few pixels equal the other one, so that their neighbours are rarely compared.
            other.is_some()
                && same(place(pixel, [0, 0]), other)
                && around()
                    .all(|[y, x]| same(place(pixel, [y, x]), place(pixel, [down + y, right + x])))
        })
    })
}

/// The distances, in pixels of an image of this size, between two values in one window of a maximum
/// pooling.
fn shifts(layers: &[Layer], plane: [usize; 2]) -> BTreeSet<Shift> {
    let mut shifts = BTreeSet::new();
    collect(layers, plane, [1, 1], &mut shifts);
    shifts.retain(|shift| (0..2).all(|axis| shift[axis].unsigned_abs() < plane[axis]));
    shifts
}

/// Adds the distances within `layers` to `shifts`. A step of one value in their input is `step`
/// pixels of the image, and `plane` is the input's size. Returns both for their output.
fn collect(
    layers: &[Layer],
    mut plane: [usize; 2],
    mut step: [usize; 2],
    shifts: &mut BTreeSet<Shift>,
) -> ([usize; 2], [usize; 2]) {
    for layer in layers {
        let window = match layer {
            Layer::Conv2d(conv) => conv.window(),
            Layer::AvgPool2d(pool) => pool.window,
            Layer::MaxPool2d(window) => {
                let [rows, columns] = window.kernel.map(|kernel| kernel as isize);
                let steps =
                    (1 - rows..rows).flat_map(|i| (1 - columns..columns).map(move |j| [i, j]));
                let steps = steps.filter(|&steps| steps != [0, 0]);
                shifts.extend(steps.map(|[i, j]| [i * step[0] as isize, j * step[1] as isize]));
                *window
            }
            Layer::AdaptiveAvgPool2d(output) => {
                step = [0, 1].map(|axis| step[axis] * (plane[axis] / output[axis]).max(1));
                plane = *output;
                continue;
            }
            Layer::Residual(block) => {
                collect(&block.shortcut, plane, step, shifts);
                (plane, step) = collect(&block.branch, plane, step, shifts);
                continue;
            }
            // No pooling behind it sees the plane of the image.
            Layer::Flatten => break,
            _ => continue,
        };
        step = [0, 1].map(|axis| step[axis] * window.stride[axis]);
        plane = window.output(plane);
    }
    (plane, step)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::device::DeviceChoice;
    use crate::network::Conv2d;
    use crate::network::ops::Window;

    fn pooling(kernel: usize, stride: usize) -> Layer {
        Layer::MaxPool2d(Window {
            kernel: [kernel; 2],
            stride: [stride; 2],
            padding: [0; 2],
        })
    }

    /// Lines of one pixel, and even parts at the border, whose neighbourhoods contain padding or the baseline.
    #[test]
    fn what_repeats_beside_the_baseline_or_the_border_is_found() {
        let shifts = shifts(&[pooling(2, 2)], [12, 12]);
        // Differs everywhere, and repeats nowhere.
        let textured = |y: usize, column: usize| 1.0 + ((y * 12 + column) as f32).sqrt();
        let found = |value: &dyn Fn(usize, usize) -> f32| {
            let x = ndarray::Array3::from_shape_fn([1, 12, 12], |(_, y, column)| value(y, column));
            repeats(
                x.view(),
                ndarray::Array3::zeros([1, 12, 12]).view(),
                &shifts,
            )
        };
        assert!(!found(&textured));
        assert!(!found(&|_, _| 0.0));
        assert!(!found(&|y, column| if y < 6 {
            0.0
        } else {
            textured(y, column)
        }));
        let line = |y: usize, column: usize| if y == 6 { 0.5 } else { textured(y, column) };
        assert!(!found(&line));
        assert!(found(&|y, column| if y < 6 {
            0.0
        } else {
            line(y, column)
        }));
        assert!(found(&|y, column| if y < 2 {
            0.5
        } else {
            textured(y, column)
        }));
    }

    #[test]
    fn distances_grow_with_the_strides_before_a_pooling() {
        let device = DeviceChoice::Flex.open().unwrap();
        let weight = crate::device::Tensor::zeros([1, 1, 3, 3], &device);
        let strided = Layer::Conv2d(Conv2d::new(weight, None, [2, 2], [1, 1]));
        let around = |step: isize| (0..9).map(move |k| [(k / 3 - 1) * step, (k % 3 - 1) * step]);
        let mut expected: BTreeSet<Shift> = around(1).chain(around(4)).collect();
        expected.remove(&[0, 0]);
        assert_eq!(
            shifts(&[pooling(2, 2), strided, pooling(2, 2)], [32, 32]),
            expected
        );
        // A value of a window of 3 x 3 sees the other 24 around it, in an image of 5 x 2 pixels those of three columns.
        assert_eq!(shifts(&[pooling(3, 1)], [9, 9]).len(), 24);
        assert_eq!(shifts(&[pooling(3, 1)], [5, 2]).len(), 14);
        assert_eq!(
            shifts(&[2; 5].map(|side| pooling(side, side)), [224, 224]).len(),
            40
        );
        assert!(shifts(&[Layer::Relu, Layer::Flatten], [8, 8]).is_empty());
    }
}
