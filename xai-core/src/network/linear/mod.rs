//! Fully connected layers. Threads share the outputs (forward) or the inputs (back), so that all of
//! them together read the matrix of weights once, in place.
//!
//! **Tiles.** A tile has 24 sums: eight images times three outputs (forward) or three vectors of inputs (back). With
//! AVX-512, registers hold all of them; see `add_products` for other processors. Each vector that is read serves
//! several sums. The other operand, which is small, is first copied into the order in which tiles read it. Between
//! tiles, sums wait in memory, so that whatever is read again soon comes from the first-level cache.
//!
//! **Determinism.** Each number is a chain of fused multiply-adds whose order depends only on the layer.
//! Threads, processor and the other images of a batch change no bit.

#![expect(
    clippy::needless_range_loop,
    reason = "iterators with closures are not always inlined, and then vectors go through memory"
)]

mod forward;
mod input_grad;
mod tiles;

pub(super) use forward::forward;
pub(super) use input_grad::input_grad;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::network::kernels::numbers;

    #[test]
    fn products_are_exact_to_rounding_and_rows_do_not_meet() {
        for [n, inputs, outputs] in [
            [1, 5, 3],
            [2, 700, 33],
            [9, 1045, 70],
            [20, 97, 26],
            [14, 49, 1],
        ] {
            let x: Vec<f32> = numbers(n * inputs, 0);
            let g: Vec<f32> = numbers(n * outputs, 7);
            let weight: Vec<f32> = numbers(inputs * outputs, 3);
            let bias: Vec<f32> = numbers(outputs, 1);
            let y = forward(&x, &weight, Some(&bias), [n, inputs, outputs]);
            let back = input_grad(&g, &weight, [n, inputs, outputs]);
            let w = |out: usize, at: usize| f64::from(weight[out * inputs + at]);
            for row in 0..n {
                for out in 0..outputs {
                    let terms = (0..inputs).map(|at| f64::from(x[row * inputs + at]) * w(out, at));
                    let exact = f64::from(bias[out]) + terms.sum::<f64>();
                    assert!(
                        (f64::from(y[row * outputs + out]) - exact).abs() < 1e-5 * inputs as f64
                    );
                }
                for at in 0..inputs {
                    let terms =
                        (0..outputs).map(|out| f64::from(g[row * outputs + out]) * w(out, at));
                    let found = f64::from(back[row * inputs + at]);
                    assert!((found - terms.sum::<f64>()).abs() < 1e-5);
                }
                let (x, one) = (&x[row * inputs..][..inputs], [1, inputs, outputs]);
                let alone = forward(x, &weight, Some(&bias), one);
                assert_eq!(alone, y[row * outputs..][..outputs]);
                let alone = input_grad(&g[row * outputs..][..outputs], &weight, one);
                assert_eq!(alone, back[row * inputs..][..inputs]);
            }
        }
    }
}
