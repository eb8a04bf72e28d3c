//! The images in which maxima of a pooling tie.

use std::collections::BTreeSet;

use ndarray::{ArrayView3, Axis};

use crate::attribution::{Batch, Layered};
use crate::network::Layer;

/// How far apart two equal parts of an image are: rows down, columns to the right.
type Shift = (usize, isize);

/// Which images repeat themselves, differ from the baseline there, and do so at a distance that a
/// pooling sees within one window. The window's values are then equal, and the gradient must go to
/// the first of them, as in torch. Where image and baseline are equal, as in an even background, the
/// gradient is multiplied by 0, so this does not matter.
///
/// A layer sees at least 3 x 3 pixels at a time.
pub(super) fn has_ties<M: Layered>(batch: &Batch<'_, M>) -> Vec<bool> {
    let (pixels, baseline) = (batch.pixels(), batch.baseline_pixels());
    let (_, _, h, w) = pixels.dim();
    let shifts = shifts(&batch.model().network().layers, [h, w]);
    let images = pixels.outer_iter().enumerate();
    let found = images.map(|(image, x)| {
        let b = baseline.index_axis(Axis(0), image.min(baseline.dim().0 - 1));
        shifts.iter().any(|&shift| repeats(x, b, shift))
    });
    found.collect()
}

/// Whether 3 x 3 pixels of `x` are the same again at this distance, and the middle of one of the two
/// parts differs from the baseline `b`.
fn repeats(x: ArrayView3<'_, f32>, b: ArrayView3<'_, f32>, (down, right): Shift) -> bool {
    let (channels, h, w) = x.dim();
    let differs = |y, column| (0..channels).any(|c| x[[c, y, column]] != b[[c, y, column]]);
    let same = |y: usize, column: usize| {
        let further = column
            .checked_add_signed(right)
            .filter(|&column| column < w);
        further.is_some_and(|further| {
            (0..channels).all(|c| x[[c, y, column]] == x[[c, y + down, further]])
        })
    };
    let mut run = vec![0_usize; w]; // rows up to here in which three pixels side by side repeat
    (0..h.saturating_sub(down)).any(|y| {
        let mut side_by_side = 0;
        (0..w).any(|column| {
            side_by_side = if same(y, column) { side_by_side + 1 } else { 0 };
            run[column] = if side_by_side >= 3 {
                run[column] + 1
            } else {
                0
            };
            let further = |column: usize| column.saturating_add_signed(right);
            run[column] >= 3
                && (differs(y - 1, column - 1) || differs(y - 1 + down, further(column - 1)))
        })
    })
}

/// The distances, in pixels of an image of this size, between two values in one window of a maximum
/// pooling. One of each two opposite directions is enough.
fn shifts(layers: &[Layer], plane: [usize; 2]) -> BTreeSet<Shift> {
    let mut shifts = BTreeSet::new();
    collect(layers, plane, [1, 1], &mut shifts);
    shifts.retain(|&(down, right)| down < plane[0] && right.unsigned_abs() < plane[1]);
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
                for (i, j) in (0..rows).flat_map(|i| (1 - columns..columns).map(move |j| (i, j))) {
                    if i > 0 || j > 0 {
                        shifts.insert((i as usize * step[0], j * step[1] as isize));
                    }
                }
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
    use crate::network::ops::Window;
    use crate::network::{Conv2d, VggConfig};

    fn pooling(kernel: usize, stride: usize) -> Layer {
        Layer::MaxPool2d(Window {
            kernel: [kernel; 2],
            stride: [stride; 2],
            padding: [0; 2],
        })
    }

    #[test]
    fn distances_grow_with_the_strides_before_a_pooling() {
        let device = DeviceChoice::Flex.open().unwrap();
        let weight = crate::device::Tensor::zeros([1, 1, 3, 3], &device);
        let strided = Layer::Conv2d(Conv2d::new(weight, None, [2, 2], [1, 1]));
        let one = |step: isize| {
            [
                (0, step),
                (step as usize, -step),
                (step as usize, 0),
                (step as usize, step),
            ]
        };
        let expected: BTreeSet<Shift> = one(1).into_iter().chain(one(4)).collect();
        assert_eq!(
            shifts(&[pooling(2, 2), strided, pooling(2, 2)], [32, 32]),
            expected
        );
        // A window of 3 x 3 values sees 12 of them, and an image of 5 x 2 pixels only these.
        assert_eq!(shifts(&[pooling(3, 1)], [9, 9]).len(), 12);
        let narrow = [(0, 1), (1, -1), (1, 0), (1, 1), (2, -1), (2, 0), (2, 1)];
        assert_eq!(shifts(&[pooling(3, 1)], [5, 2]), BTreeSet::from(narrow));
        let config = VggConfig {
            width_divisor: 16,
            pooled: 1,
            dropout: 0.0,
            classes: 2,
        };
        let vgg = config.init(false, 0, &device);
        assert_eq!(shifts(&vgg.layers, [224, 224]).len(), 20);
        assert!(shifts(&[Layer::Relu, Layer::Flatten], [8, 8]).is_empty());
    }
}
