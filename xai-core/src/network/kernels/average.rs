//! Adaptive average pooling and its gradient.
//!
//! Planes are small, so 16 of them are computed side by side, one per lane of a vector. Each number is that
//! of Burn's operation, bit for bit.

use rayon::prelude::*;

use crate::network::simd::LANES;

/// Blocks of [`LANES`] planes that a thread processes at least.
const BLOCKS: usize = 4;

/// One position of [`LANES`] planes.
type Line = [f32; LANES];

/// Averages over windows that tile a plane `[h, w]` of `x` as in torch's `AdaptiveAvgPool2d`, which returns
/// planes of `output` rows and columns.
pub(in crate::network) fn adaptive_average(
    x: &[f32],
    plane: [usize; 2],
    output: [usize; 2],
) -> Vec<f32> {
    let windows = windows(plane, output);
    each_plane(x, [plane, output], |x, y| {
        for (y, window) in y.iter_mut().zip(&windows) {
            for &at in window {
                for lane in 0..LANES {
                    y[lane] += x[at][lane];
                }
            }
            let count = window.len() as f32;
            y.iter_mut().for_each(|y| *y /= count);
        }
    })
}

/// The gradient of [`adaptive_average`] from the gradient `g` with respect to its output.
pub(in crate::network) fn adaptive_average_grad(
    g: &[f32],
    plane: [usize; 2],
    output: [usize; 2],
) -> Vec<f32> {
    let windows = windows(plane, output);
    each_plane(g, [output, plane], |g, x| {
        for (g, window) in g.iter().zip(&windows) {
            let count = window.len() as f32;
            let share = g.map(|g| g / count);
            for &at in window {
                for lane in 0..LANES {
                    x[at][lane] += share[lane];
                }
            }
        }
    })
}

/// The positions of the window of each output, in row-major order.
fn windows(plane: [usize; 2], output: [usize; 2]) -> Vec<Vec<usize>> {
    let span = |at: usize, axis: usize| {
        let (size, count) = (plane[axis], output[axis]);
        at * size / count..((at + 1) * size).div_ceil(count)
    };
    let window = |at: usize| {
        let [rows, columns] = [span(at / output[1], 0), span(at % output[1], 1)];
        let row = |row: usize| columns.clone().map(move |column| row * plane[1] + column);
        rows.flat_map(row).collect()
    };
    (0..output[0] * output[1]).map(window).collect()
}

/// Planes of the second size from those of the first. `work` gets the positions of [`LANES`] planes, and
/// zeros to which it adds the result.
fn each_plane(
    x: &[f32],
    sizes: [[usize; 2]; 2],
    work: impl Fn(&[Line], &mut [Line]) + Sync,
) -> Vec<f32> {
    let [from, to] = sizes.map(|[rows, columns]| rows * columns);
    let mut y = vec![0.0; x.len() / from * to];
    y.par_chunks_mut(LANES * to)
        .zip(x.par_chunks(LANES * from))
        .with_min_len(BLOCKS)
        .for_each_init(
            || [from, to].map(|len| vec![[0.0; LANES]; len]),
            |[lines, results], (y, x)| {
                for (lane, x) in x.chunks_exact(from).enumerate() {
                    lines
                        .iter_mut()
                        .zip(x)
                        .for_each(|(line, x)| line[lane] = *x);
                }
                results.fill([0.0; LANES]);
                work(lines, results);
                for (lane, y) in y.chunks_exact_mut(to).enumerate() {
                    y.iter_mut()
                        .zip(&*results)
                        .for_each(|(y, line)| *y = line[lane]);
                }
            },
        );
    y
}

#[cfg(test)]
mod tests {
    use burn::tensor::ops::ModuleOps;
    use burn::tensor::{TensorData, TensorPrimitive, module};

    use super::*;
    use crate::device::{Backend, Device, DeviceChoice, Tensor};
    use crate::network::kernels::numbers;

    fn bits(x: Tensor<4>) -> Vec<u32> {
        let numbers = x.into_data().into_vec::<f32>().unwrap();
        numbers.into_iter().map(f32::to_bits).collect()
    }

    fn tensor(x: &[f32], planes: usize, [h, w]: [usize; 2], device: &Device) -> Tensor<4> {
        Tensor::from_data(TensorData::new(x.to_vec(), [1, planes, h, w]), device)
    }

    /// Windows that overlap, repeat and divide the plane, and planes that do not fill the lanes.
    #[test]
    fn bits_are_burns() {
        let device = DeviceChoice::Flex.open().unwrap();
        let cases = [
            [[3, 3], [7, 7]],
            [[7, 6], [1, 1]],
            [[9, 11], [3, 4]],
            [[5, 8], [9, 12]],
        ];
        for ([plane, output], planes) in cases.into_iter().zip([48, 1, 37, 100]) {
            let x = numbers(planes * plane[0] * plane[1], 0);
            let g = numbers(planes * output[0] * output[1], 5);
            let y = adaptive_average(&x, plane, output);
            let burns = module::adaptive_avg_pool2d(tensor(&x, planes, plane, &device), output);
            assert_eq!(bits(tensor(&y, planes, output, &device)), bits(burns));
            let back = adaptive_average_grad(&g, plane, output);
            let burns = <Backend as ModuleOps<Backend>>::adaptive_avg_pool2d_backward(
                tensor(&x, planes, plane, &device).into_primitive().tensor(),
                tensor(&g, planes, output, &device)
                    .into_primitive()
                    .tensor(),
            );
            let burns = Tensor::from_primitive(TensorPrimitive::Float(burns));
            assert_eq!(bits(tensor(&back, planes, plane, &device)), bits(burns));
        }
    }
}
