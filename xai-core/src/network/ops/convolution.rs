//! Convolution and its gradients.

use std::sync::Arc;

use burn::tensor::module;
use burn::tensor::ops::{ConvOptions, ModuleOps};

use super::prepared::{PACKED, TRANSFORMED};
use super::{Places, Window, gate, primitive, relu, tensor};
use crate::device::{Backend, Device, Products, Tensor, on_cpu, products};
use crate::network::kernels::{self, After, ConvSizes};
use crate::network::region::Region;
use crate::network::split_products;
use crate::network::storage::{from_numbers, numbers};
use crate::network::winograd;

/// The sizes of a convolution of `[n, in, h, w]` by `[out, in, kh, kw]`, if [`kernels`] can compute
/// it on `device`: a CPU, and stride 1.
pub(in crate::network) fn kernel_shape(
    device: &Device,
    [n, input, h, w]: [usize; 4],
    weight: &Tensor<4>,
    window: &Window,
) -> Option<ConvSizes> {
    let [output, ..] = weight.dims();
    let [kh, kw] = window.kernel;
    let fits = on_cpu(device)
        && window.stride == [1, 1]
        && window.padding[0] < kh
        && window.padding[1] < kw
        && h + 2 * window.padding[0] >= kh
        && w + 2 * window.padding[1] >= kw;
    fits.then_some(ConvSizes {
        n,
        input,
        output,
        plane: [h, w],
        kernel: [kh, kw],
        padding: window.padding,
    })
}

/// Cross-correlation of `x` `[n, in, h, w]` with `weight` `[out, in, kh, kw]`, plus `bias` `[out]`.
pub fn conv2d(
    x: Tensor<4>,
    weight: Tensor<4>,
    bias: Option<Tensor<1>>,
    window: &Window,
) -> Tensor<4> {
    exact(x, weight, bias, window, false)
}

/// The ReLU of [`conv2d`].
pub(crate) fn conv2d_relu(
    x: Tensor<4>,
    weight: Tensor<4>,
    bias: Option<Tensor<1>>,
    window: &Window,
) -> Tensor<4> {
    exact(x, weight, bias, window, true)
}

/// [`conv2d`], and the ReLU after it if `and_relu` is set.
fn exact(
    x: Tensor<4>,
    weight: Tensor<4>,
    bias: Option<Tensor<1>>,
    window: &Window,
    and_relu: bool,
) -> Tensor<4> {
    let device = x.device();
    let Some(shape) = kernel_shape(&device, x.dims(), &weight, window) else {
        let y = burn_conv2d(x, weight, bias, &window.conv_options());
        return if and_relu { relu(y) } else { y };
    };
    let taps = shape.kernel[0] * shape.kernel[1];
    let pack = |weight: &[f32]| kernels::pack(weight, shape.output, shape.input, taps);
    let (packed, bias) = (PACKED.of(weight, pack), bias.map(numbers));
    let after = if and_relu { After::Relu } else { After::Plain };
    let y = kernels::conv(&numbers(x), &packed, bias.as_deref(), &shape, after);
    let [h, w] = shape.out_plane();
    from_numbers(y, [shape.n, shape.output, h, w], &device)
}

/// Any convolution with Burn's operation. It is exact on devices that should be exact.
pub(in crate::network) fn burn_conv2d(
    x: Tensor<4>,
    weight: Tensor<4>,
    bias: Option<Tensor<1>>,
    options: &ConvOptions<2>,
) -> Tensor<4> {
    if products() == Products::F32 {
        let y = split_products::product(x, weight, |x, weight| {
            module::conv2d(x, weight, None, options.clone())
        });
        return match bias {
            Some(bias) => {
                let [channels] = bias.dims();
                y + bias.reshape([1, channels, 1, 1])
            }
            None => y,
        };
    }
    module::conv2d(x, weight, bias, options.clone())
}

/// As [`conv2d`], in half the time. Equal neighbourhoods may give different last digits, so ties of
/// a maximum pooling are not preserved. Use it where it does not matter which of several equal
/// pixels wins.
pub fn conv2d_loose(
    x: Tensor<4>,
    weight: Tensor<4>,
    bias: Option<Tensor<1>>,
    window: &Window,
) -> Tensor<4> {
    loose(x, weight, bias, window, false)
}

/// The ReLU of [`conv2d_loose`].
pub fn conv2d_relu_loose(
    x: Tensor<4>,
    weight: Tensor<4>,
    bias: Option<Tensor<1>>,
    window: &Window,
) -> Tensor<4> {
    loose(x, weight, bias, window, true)
}

/// The maxima of 2 x 2 pixels of [`conv2d_relu_loose`], with their places, in one pass: `[n, out, h / 2, w / 2]`. `None` unless
/// Winograd's convolution is used.
pub(crate) fn conv2d_relu_maxima_loose(
    x: &Tensor<4>,
    weight: Tensor<4>,
    bias: Option<Tensor<1>>,
    window: &Window,
) -> Option<(Tensor<4>, Places)> {
    let device = x.device();
    let shape = kernel_shape(&device, x.dims(), &weight, window).filter(winograd::pays)?;
    let (weights, bias) = (transformed(weight), bias.map(numbers));
    let plane = shape.out_plane();
    let [h, w] = plane.map(|size| size / 2);
    let mut y = vec![0.0; shape.n * shape.output * h * w];
    let mut places = vec![winograd::NOWHERE; y.len()];
    winograd::conv_relu(
        &numbers(x.clone()),
        &weights,
        bias.as_deref(),
        &shape,
        &Region::whole(1, plane),
        &mut y,
        Some(&mut places),
    );
    let y = from_numbers(y, [shape.n, shape.output, h, w], &device);
    Some((y, Places { places, plane }))
}

/// The gradient of a ReLU and a pooling with respect to the input of the ReLU, from the gradient `g` with respect to the
/// [maxima](conv2d_relu_maxima_loose).
pub(crate) fn unpool(g: Tensor<4>, places: &Places) -> Tensor<4> {
    let device = g.device();
    let ([n, channels, ..], [h, w]) = (g.dims(), places.plane);
    let x = kernels::unpool(&numbers(g), &places.places, places.plane);
    from_numbers(x, [n, channels, h, w], &device)
}

/// [`conv2d_loose`], and the ReLU after it if `and_relu` is set.
fn loose(
    x: Tensor<4>,
    weight: Tensor<4>,
    bias: Option<Tensor<1>>,
    window: &Window,
    and_relu: bool,
) -> Tensor<4> {
    let device = x.device();
    let shape = kernel_shape(&device, x.dims(), &weight, window);
    let Some(shape) = shape.filter(winograd::pays) else {
        return exact(x, weight, bias, window, and_relu);
    };
    let (weights, bias) = (transformed(weight), bias.map(numbers));
    let (x, bias) = (numbers(x), bias.as_deref());
    let after = if and_relu { After::Relu } else { After::Plain };
    let y = winograd::conv(&x, &weights, bias, &shape, false, after);
    let [h, w] = shape.out_plane();
    from_numbers(y, [shape.n, shape.output, h, w], &device)
}

/// `weight` in the form that [`winograd`] uses, for both directions.
pub(in crate::network) fn transformed(weight: Tensor<4>) -> Arc<winograd::Weights> {
    let [output, input, ..] = weight.dims();
    TRANSFORMED.of(weight, |weight| {
        winograd::Weights::new(weight, output, input)
    })
}

/// The gradient of [`conv2d`] with respect to its input of shape `input`, from the gradient `g`
/// with respect to its output.
pub fn conv2d_input_grad(
    input: [usize; 4],
    weight: Tensor<4>,
    g: Tensor<4>,
    window: &Window,
) -> Tensor<4> {
    input_grad(input, weight, g, window, None)
}

/// [`conv2d_input_grad`] if the input `x` is the output of a ReLU, after the gate of this ReLU.
pub(crate) fn conv2d_gated_input_grad(
    x: Tensor<4>,
    weight: Tensor<4>,
    g: Tensor<4>,
    window: &Window,
) -> Tensor<4> {
    input_grad(x.dims(), weight, g, window, Some(x))
}

/// [`conv2d_input_grad`], after the gate of a ReLU if its output is given.
fn input_grad(
    input: [usize; 4],
    weight: Tensor<4>,
    g: Tensor<4>,
    window: &Window,
    relu: Option<Tensor<4>>,
) -> Tensor<4> {
    let device = g.device();
    let Some(shape) = kernel_shape(&device, input, &weight, window) else {
        let x = burn_conv2d_input_grad(input, weight, g, &window.conv_options());
        return match relu {
            Some(relu) => gate(x, relu),
            None => x,
        };
    };
    let (g, relu, back) = (numbers(g), relu.map(numbers), shape.backward());
    let after = relu.as_deref().map_or(After::Plain, After::Gate);
    // Winograd rounds equal neighbourhoods differently, depending on their position in a tile.
    // This is accurate enough for a gradient, but not for the forward pass: in the even
    // background of an image, the maxima of a pooling are ties, and the first must win.
    let x = if winograd::pays(&back) {
        winograd::conv(&g, &transformed(weight), None, &back, true, after)
    } else {
        kernels::conv_input_grad(&g, &numbers(weight), &shape, after)
    };
    from_numbers(x, input, &device)
}

/// The gradient of [`burn_conv2d`] with respect to its input.
pub(in crate::network) fn burn_conv2d_input_grad(
    input: [usize; 4],
    weight: Tensor<4>,
    g: Tensor<4>,
    options: &ConvOptions<2>,
) -> Tensor<4> {
    let [n, channels, h, w] = input;
    // On a GPU, Burn 0.21 returns zeros if windows leave gaps, that is, if the stride is larger
    // than the kernel (the bounds of a loop in burn-cubecl's `transpose_direct.rs` cross). The
    // kernel is therefore padded with zeros until windows touch. The input is padded by the same
    // amount, and the padding is cut off again.
    let more = if on_cpu(&g.device()) {
        [0, 0]
    } else {
        [0, 1].map(|axis| {
            let touching = options.stride[axis].div_ceil(options.dilation[axis]);
            touching.saturating_sub(weight.dims()[2 + axis])
        })
    };
    let weight = match more {
        [0, 0] => weight,
        [down, right] => weight.pad((0, right, 0, down), 0.0),
    };
    let room = [0, 1].map(|axis| more[axis] * options.dilation[axis]);
    // Burn reads nothing but the shape of `x`.
    let x = Tensor::<4>::empty([n, channels, h + room[0], w + room[1]], &g.device());
    let x = split_products::product(weight, g, |weight, g| {
        tensor(<Backend as ModuleOps<Backend>>::conv2d_x_backward(
            primitive(x.clone()),
            primitive(weight),
            primitive(g),
            options.clone(),
        ))
    });
    match more {
        [0, 0] => x,
        _ => x.narrow(2, 0, h).narrow(3, 0, w),
    }
}

/// The gradient of [`conv2d`] with respect to its weight, of shape `[out, in, kh, kw]`.
pub fn conv2d_weight_grad(
    x: Tensor<4>,
    weight: Tensor<4>,
    g: Tensor<4>,
    window: &Window,
) -> Tensor<4> {
    let device = g.device();
    if let Some(shape) = kernel_shape(&device, x.dims(), &weight, window)
        && shape.kernel[1] == 3
    {
        let (x, g) = (numbers(x), numbers(g));
        let grad = if winograd::gradient_pays(&shape) {
            winograd::weight_grad(&x, &g, &shape)
        } else {
            kernels::conv_weight_grad(&x, &g, &shape)
        };
        return from_numbers(grad, weight.dims(), &device);
    }
    burn_conv2d_weight_grad(x, weight, g, &window.conv_options())
}

/// The gradient of [`burn_conv2d`] with respect to its weight.
pub(in crate::network) fn burn_conv2d_weight_grad(
    x: Tensor<4>,
    weight: Tensor<4>,
    g: Tensor<4>,
    options: &ConvOptions<2>,
) -> Tensor<4> {
    split_products::product(x, g, |x, g| {
        tensor(<Backend as ModuleOps<Backend>>::conv2d_weight_backward(
            primitive(x),
            primitive(weight.clone()),
            primitive(g),
            options.clone(),
        ))
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::network::ops::{max_pool2d, max_unpool2d};
    use crate::network::storage::some_tensor as some;

    fn bits(x: Tensor<4>) -> Vec<u32> {
        numbers(x).iter().map(|x| x.to_bits()).collect()
    }

    /// One pass over memory gives the same bits as the operations one after the other: by Winograd's convolution, by the
    /// definition, and by Burn's. Planes with an odd size have pixels in no window.
    #[test]
    fn a_convolution_with_its_neighbours_is_that_of_the_single_operations() {
        for (channels, plane, stride) in [
            ([16, 20], [13, 10], 1),
            ([3, 5], [13, 10], 1),
            ([16, 20], [13, 10], 2),
        ] {
            let ([input, output], [h, w]) = (channels, plane);
            let (weight, bias) = (some([output, input, 3, 3], 2), Some(some([output], 3)));
            let window = Window {
                kernel: [3, 3],
                stride: [stride; 2],
                padding: [1, 1],
            };
            let x = relu(some([3, input, h, w], 1));
            let exact = conv2d(x.clone(), weight.clone(), bias.clone(), &window);
            let fused = conv2d_relu(x.clone(), weight.clone(), bias.clone(), &window);
            assert_eq!(bits(fused), bits(relu(exact)));
            let y = conv2d_loose(x.clone(), weight.clone(), bias.clone(), &window);
            let fused = conv2d_relu_loose(x.clone(), weight.clone(), bias.clone(), &window);
            assert_eq!(bits(fused), bits(relu(y.clone())));

            let g = some(y.dims(), 7);
            let plain = conv2d_input_grad(x.dims(), weight.clone(), g.clone(), &window);
            let fused = conv2d_gated_input_grad(x.clone(), weight.clone(), g, &window);
            assert_ne!(bits(fused.clone()), bits(plain.clone()));
            assert_eq!(bits(fused), bits(gate(plain, x.clone())));

            let fused = conv2d_relu_maxima_loose(&x, weight, bias, &window);
            assert_eq!(fused.is_some(), input == 16 && stride == 1);
            let Some((fused, places)) = fused else {
                continue;
            };
            let (maxima, index) = max_pool2d(relu(y.clone()), &Window::square(2));
            assert_eq!(bits(fused), bits(maxima.clone()));
            let g = some(maxima.dims(), 9);
            let single = max_unpool2d(y.dims(), g.clone(), index, &Window::square(2));
            let single = gate(single, y);
            assert!(numbers(single.clone()).iter().any(|x| *x != 0.0));
            assert_eq!(bits(unpool(g, &places)), bits(single));
        }
    }
}
