//! The images in which maxima of a pooling tie.

use ndarray::{ArrayView3, Axis};

use crate::attribution::Trace;
use crate::attribution::panel::download;
use crate::error::Result;
use crate::network::Layer;
use crate::network::ops::Window;

/// The images with windows of a maximum pooling in which two places are equal. The gradient must then go to the first of
/// them, as in torch. At other points of the path, they are equal as well, if the image repeats itself there. Winograd's
/// convolutions round equal neighbourhoods differently, so they cannot tell.
///
/// `trace` is that of the images, and `baseline` that of the baseline, both with exact convolutions. Two places are
/// equal if all their channels are, before a ReLU: a single channel can be equal by chance. Where both are as in the
/// baseline, as in an even background, the gradient is multiplied by 0, so a tie does not matter.
///
/// # Errors
/// If activations are not 32-bit floats.
pub(super) fn has_ties(trace: &Trace<'_>, baseline: &Trace<'_>) -> Result<Vec<bool>> {
    let mut found = vec![false; trace.input().dims()[0]];
    find(trace, baseline, &mut false, &mut found)?;
    Ok(found)
}

/// Adds the images with ties in this part of the network to `found`. `masked` is set behind an active dropout, whose
/// masks differ between the points of a path. Then all images count.
fn find(
    trace: &Trace<'_>,
    baseline: &Trace<'_>,
    masked: &mut bool,
    found: &mut [bool],
) -> Result<()> {
    let mut before = None;
    for step in trace.steps() {
        *masked |= step.mask.is_some();
        match step.layer {
            Layer::Residual(_) => {
                let known = baseline.same(&step);
                for (part, known) in step.parts().iter().zip(known.parts()) {
                    find(part, known, masked, found)?;
                }
            }
            Layer::MaxPool2d(_) if *masked => found.fill(true),
            Layer::MaxPool2d(window) => {
                let values = before.unwrap_or(step);
                let (x, b) = (
                    download(values.input.clone())?,
                    download(baseline.same(&values).input.clone())?,
                );
                for (image, found) in found.iter_mut().enumerate() {
                    let b = b.index_axis(Axis(0), image.min(b.dim().0 - 1));
                    *found |= tie(x.index_axis(Axis(0), image), b, window);
                }
            }
            _ => {}
        }
        before = matches!(step.layer, Layer::Relu).then_some(step);
    }
    Ok(())
}

/// Whether two places of a window are equal in `x` `[c, h, w]`, and one of them differs from the baseline `b`.
fn tie(x: ArrayView3<'_, f32>, b: ArrayView3<'_, f32>, window: &Window) -> bool {
    let (channels, h, w) = x.dim();
    let mut differs = vec![false; h * w];
    for (x, b) in x.outer_iter().zip(b.outer_iter()) {
        let pairs = x.iter().zip(b.iter());
        for (differs, (x, b)) in differs.iter_mut().zip(pairs) {
            *differs |= x != b;
        }
    }
    let equal = |[y, column]: [usize; 2], [other_y, other]: [usize; 2]| {
        (differs[y * w + column] || differs[other_y * w + other])
            && (0..channels).all(|c| x[[c, y, column]] == x[[c, other_y, other]])
    };
    let [rows, columns] = window.output([h, w]);
    let windows = (0..rows).flat_map(|y| (0..columns).map(move |column| [y, column]));
    let mut places = Vec::new();
    windows.into_iter().any(|at| {
        let [ys, xs] = [0, 1].map(|axis| {
            let start = at[axis] * window.stride[axis];
            let end = (start + window.kernel[axis]).saturating_sub(window.padding[axis]);
            start.saturating_sub(window.padding[axis])..end.min([h, w][axis])
        });
        places.clear();
        places.extend(ys.flat_map(|y| xs.clone().map(move |column| [y, column])));
        let mut pairs = (1..places.len()).flat_map(|one| (0..one).map(move |other| [one, other]));
        pairs.any(|[one, other]| equal(places[one], places[other]))
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::device::{DeviceChoice, Tensor};
    use crate::network::Conv2d;

    const SIDE: usize = 12;

    fn tensor<const D: usize>(shape: [usize; D], start: usize) -> Tensor<D> {
        let device = DeviceChoice::Flex.open().unwrap();
        let values =
            (0..shape.iter().product::<usize>()).map(|at| ((at + start) as f32 * 1.7).sin());
        let values = values.collect();
        crate::device::upload(values, shape, &device)
    }

    fn convolution(channels: [usize; 2], side: usize, stride: usize, padding: usize) -> Layer {
        let [inputs, outputs] = channels;
        let weight = tensor([outputs, inputs, side, side], inputs + side);
        let bias = tensor([outputs], 3);
        Layer::Conv2d(Conv2d::new(weight, Some(bias), [stride; 2], [padding; 2]))
    }

    fn pooling() -> Layer {
        Layer::MaxPool2d(Window::square(2))
    }

    /// Whether an image with this value at each place has ties in the network, for a black baseline.
    fn ties(layers: &[Layer], value: impl Fn(usize, usize) -> f32) -> bool {
        let device = DeviceChoice::Flex.open().unwrap();
        let pixels = (0..SIDE * SIDE).map(|at| value(at / SIDE, at % SIDE));
        let shape = [1, 1, SIDE, SIDE];
        let x = crate::device::upload(pixels.collect(), shape, &device);
        let baseline = Trace::new(layers, x.zeros_like(), None);
        has_ties(&Trace::new(layers, x, None), &baseline).unwrap()[0]
    }

    /// Differs everywhere, and repeats nowhere.
    fn textured(y: usize, column: usize) -> f32 {
        1.0 + ((y * SIDE + column) as f32).sqrt()
    }

    #[test]
    fn what_repeats_beside_the_baseline_or_the_border_is_found() {
        let plain = [convolution([1, 4], 3, 1, 1), Layer::Relu, pooling()];
        assert!(!ties(&plain, textured));
        assert!(!ties(&plain, |_, _| 0.0));
        assert!(!ties(&plain, |y, x| if y < 6 {
            0.0
        } else {
            textured(y, x)
        }));
        let line = |y: usize, x: usize| if y == 6 { 0.5 } else { textured(y, x) };
        assert!(!ties(&plain, line));
        assert!(ties(&plain, |y, x| if y < 6 { 0.0 } else { line(y, x) }));
        assert!(ties(&plain, |y, x| if y < 2 {
            0.5
        } else {
            textured(y, x)
        }));
        // A period of two pixels ties in the second pooling.
        let checks = |y: usize, x: usize| ((y + x) % 2) as f32;
        let deep = [&plain[..], &[convolution([4, 4], 3, 1, 1), pooling()]].concat();
        assert!(ties(&deep, checks));
        assert!(!ties(&deep, textured));
    }

    /// What a convolution sees need not be pixels side by side.
    #[test]
    fn ties_without_repeated_pixels_are_found() {
        let end = || {
            [
                Layer::Relu,
                convolution([16, 16], 3, 1, 1),
                Layer::Relu,
                pooling(),
            ]
        };
        let strided = [&[convolution([1, 16], 1, 2, 0)][..], &end()].concat();
        let seen = |y: usize, x: usize| y.is_multiple_of(2) && x.is_multiple_of(2);
        let value = |y, x| if seen(y, x) { 20.0 } else { textured(y, x) };
        assert!(ties(&strided, value));
        let pooled = [&[pooling(), convolution([1, 16], 3, 1, 1)][..], &end()].concat();
        assert!(ties(&pooled, value));
        let wide = [
            convolution([1, 16], 1, 1, 0),
            Layer::Relu,
            convolution([16, 16], 3, 1, 2),
            Layer::Relu,
            pooling(),
        ];
        assert!(ties(&wide, |y, x| if y == 0 {
            1.0
        } else {
            textured(y, x)
        }));
        for network in [&strided[..], &pooled, &wide] {
            assert!(!ties(network, textured));
        }
    }
}
