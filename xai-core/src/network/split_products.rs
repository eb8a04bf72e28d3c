//! Products in 32 bits with kernels that round their factors to fewer bits.
//!
//! Burn's autotune takes the fastest kernel of a convolution or a matrix product. On a GPU with
//! tensor cores, this kernel rounds both factors to TF32, which has 11 significant bits
//! (cubek-matmul 0.2.0, `adjust_dtypes`). A program cannot control which kernel is chosen. But a
//! number is the sum of a number with 11 bits, which such a kernel uses exactly, and a small
//! remainder. Three of the four products of these parts give the result of 32 bits. The fourth,
//! remainder times remainder, is below the last bit (Ozaki's splitting; "3xTF32" in NVIDIA's
//! CUTLASS).

use crate::device::{Products, Tensor, products};

/// `product(a, b)`, which is linear in both, in 32 bits if this process computes so.
pub(super) fn product<const A: usize, const B: usize, const C: usize>(
    a: Tensor<A>,
    b: Tensor<B>,
    product: impl Fn(Tensor<A>, Tensor<B>) -> Tensor<C>,
) -> Tensor<C> {
    match products() {
        Products::Fast => product(a, b),
        Products::F32 => {
            let ([a, rest_of_a], [b, rest_of_b]) = (split(a), split(b));
            let small = product(a.clone(), rest_of_b) + product(rest_of_a, b.clone());
            product(a, b) + small
        }
    }
}

/// The part of `x` with 11 significant bits, and the remainder (Veltkamp 1968). Values from 4e34 on
/// overflow.
///
/// Each line is a separate kernel on a GPU, so that no compiler can simplify it away.
fn split<const D: usize>(x: Tensor<D>) -> [Tensor<D>; 2] {
    const FACTOR: f32 = ((1 << 13) + 1) as f32; // 24 bits less 11
    let scaled = x.clone().mul_scalar(FACTOR);
    let over = scaled.clone() - x.clone();
    let high = scaled - over;
    let rest = x - high.clone();
    [high, rest]
}

#[cfg(test)]
mod tests {
    use burn::tensor::TensorData;

    use super::*;
    use crate::device::{Device, DeviceChoice, as_on_gpu};

    fn numbers(count: usize, device: &Device) -> Tensor<2> {
        let number = |i: usize| {
            ((i * 2654435761 % 100_003) as f32 / 50_001.5 - 1.0) * 1.5_f32.powi(i as i32 % 9)
        };
        let values: Vec<f32> = (0..count).map(number).collect();
        Tensor::from_data(TensorData::new(values, [count / 32, 32]), device)
    }

    fn bits(x: &Tensor<2>) -> Vec<u32> {
        let values = x.to_data().into_vec::<f32>().unwrap();
        values.into_iter().map(f32::to_bits).collect()
    }

    /// The operands as tensor cores read them: the last 13 bits are ignored.
    fn tf32(x: Tensor<2>) -> Tensor<2> {
        let values: Vec<f32> = bits(&x)
            .iter()
            .map(|b| f32::from_bits(b & !0x1fff))
            .collect();
        Tensor::from_data(TensorData::new(values, x.dims()), &x.device())
    }

    #[test]
    fn a_number_is_its_two_parts_and_the_first_is_tf32() {
        let device = DeviceChoice::Flex.open().unwrap();
        let x = numbers(4096, &device);
        let [high, rest] = split(x.clone());
        assert!(bits(&high).iter().all(|bits| bits & 0x1fff == 0));
        assert_eq!(bits(&(high + rest)), bits(&x));
    }

    #[test]
    fn products_of_a_kernel_that_rounds_to_tf32_are_those_of_32_bits() {
        let device = DeviceChoice::Flex.open().unwrap();
        let (a, b) = (numbers(2048, &device), numbers(4096, &device).transpose());
        let kernel = |a: Tensor<2>, b: Tensor<2>| tf32(a).matmul(tf32(b));
        let exact = a.clone().matmul(b.clone());
        let error = |how| {
            let found = as_on_gpu(how, || product(a.clone(), b.clone(), kernel));
            let error = (found - exact.clone()).abs().max().into_scalar();
            error / exact.clone().abs().max().into_scalar()
        };
        assert!(error(Products::Fast) > 1e-4, "{:e}", error(Products::Fast));
        assert!(error(Products::F32) < 1e-6, "{:e}", error(Products::F32));
    }
}
