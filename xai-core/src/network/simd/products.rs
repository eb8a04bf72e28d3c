//! Sums of products in registers: the innermost loop of all kernels but one.
//!
//! The input gradient of fully connected layers (`linear/input_grad.rs`) has its own loop. Its weights come from memory,
//! so taking the sums in parts, which reads them more than once, made it twice as slow on an AMD EPYC with AVX2.

#![expect(
    clippy::needless_range_loop,
    reason = "iterators with closures are not always inlined, and then vectors go through memory"
)]

use std::ops::Range;

use super::{Lanes, keep_order};

/// The number of steps, about, that one part of the sums takes before the next part. Their vectors then stay in the
/// nearest cache.
const STEPS: usize = 64;

/// Adds to `sums[out][run]` the products of `factor(.., out)` and `vector(.., run)` of all steps, in order.
///
/// Steps come in blocks of `BLOCK`. `block` receives the first step of a block, and returns what `vector` and
/// `factor` need. These also receive the number of the step within its block. Each part of the sums goes through the
/// steps again, so all three closures may be called several times for the same step.
///
/// If the processor has enough registers ([`Lanes::WIDE`]), they hold all sums. Otherwise, they hold one part of
/// the sums after the other: two factors times three vectors, for example, which take twelve of AVX2's sixteen
/// registers. Every sum is a chain of fused multiply-adds, so it has the same bits in both cases.
#[inline(always)]
pub(in crate::network) fn add_products<
    V: Lanes,
    B: Copy,
    const BLOCK: usize,
    const OUT: usize,
    const RUN: usize,
>(
    sums: &mut [[V; RUN]; OUT],
    steps: usize,
    block: impl Fn(usize) -> B,
    vector: impl Fn(B, usize, usize) -> V,
    factor: impl Fn(B, usize, usize) -> V,
) {
    if V::WIDE {
        let mut vectors = [V::splat(0.0); RUN];
        for first in (0..steps).step_by(BLOCK) {
            let block = block(first);
            for step in 0..BLOCK.min(steps - first) {
                for run in 0..RUN {
                    vectors[run] = vector(block, step, run);
                }
                for out in 0..OUT {
                    let factor = factor(block, step, out);
                    keep_order();
                    for run in 0..RUN {
                        sums[out][run] = factor.mul_add(vectors[run], sums[out][run]);
                    }
                }
            }
        }
        return;
    }
    let together = STEPS.next_multiple_of(BLOCK);
    for first in (0..steps).step_by(together) {
        let steps = first..steps.min(first + together);
        let mut run = 0;
        while run < RUN {
            let vector = |b, step, at| vector(b, step, run + at);
            let mut out = 0;
            while out < OUT {
                let factor = |b, step, at| factor(b, step, out + at);
                let part = &mut sums[out..];
                // Adds to the sums of so many factors and vectors, and returns the number of factors.
                macro_rules! add {
                    ($part:literal, $vectors:literal) => {{
                        let steps = steps.clone();
                        add_part::<V, B, BLOCK, $part, $vectors, RUN>(
                            part, run, steps, &block, vector, factor,
                        );
                        $part
                    }};
                }
                out += match (OUT - out, RUN - run) {
                    (1, 1) => add!(1, 1),
                    (1, 2) => add!(1, 2),
                    (1, _) => add!(1, 3),
                    (2 | 3, 1) => add!(2, 1),
                    (_, 1) => add!(4, 1),
                    (2, 2) => add!(2, 2),
                    (_, 2) => add!(3, 2),
                    _ => add!(2, 3),
                };
            }
            run += 3;
        }
    }
}

/// [`add_products`] for `PART` factors and, from the vector `first` on, `VECTORS` vectors.
#[inline(always)]
fn add_part<
    V: Lanes,
    B: Copy,
    const BLOCK: usize,
    const PART: usize,
    const VECTORS: usize,
    const RUN: usize,
>(
    sums: &mut [[V; RUN]],
    first: usize,
    steps: Range<usize>,
    block: impl Fn(usize) -> B,
    vector: impl Fn(B, usize, usize) -> V,
    factor: impl Fn(B, usize, usize) -> V,
) {
    let mut part = [[V::splat(0.0); VECTORS]; PART];
    for out in 0..PART {
        for at in 0..VECTORS {
            part[out][at] = sums[out][first + at];
        }
    }
    let mut factors = [V::splat(0.0); PART];
    for start in steps.clone().step_by(BLOCK) {
        let block = block(start);
        for step in 0..BLOCK.min(steps.end - start) {
            for out in 0..PART {
                factors[out] = factor(block, step, out);
            }
            for at in 0..VECTORS {
                let vector = vector(block, step, at);
                for out in 0..PART {
                    part[out][at] = factors[out].mul_add(vector, part[out][at]);
                }
            }
        }
    }
    for out in 0..PART {
        for at in 0..VECTORS {
            sums[out][first + at] = part[out][at];
        }
    }
}

#[cfg(test)]
mod tests {
    use std::array::from_fn;

    use super::super::LANES;
    use super::*;

    type Plain = [f32; LANES];

    /// Numbers whose products are rounded, so that another order of the sums gives other bits.
    fn number(at: usize) -> f32 {
        ((at * 37 % 101) as f32 - 50.0) / 7.0
    }

    fn vector(step: usize, run: usize) -> Plain {
        from_fn(|lane| number(step * 1009 + run * 31 + lane))
    }

    fn factor(step: usize, out: usize) -> Plain {
        from_fn(|lane| number(step * 17 + out * 5 + lane * 3))
    }

    fn check<const BLOCK: usize, const OUT: usize, const RUN: usize>() {
        // About as many steps as one part of the sums takes, and more.
        for steps in [0, 1, 7, 63, 64, 65, 130] {
            let mut sums: [[Plain; RUN]; OUT] =
                from_fn(|out| from_fn(|run| [number(out * RUN + run); LANES]));
            let mut expected = sums;
            add_products::<Plain, usize, BLOCK, OUT, RUN>(
                &mut sums,
                steps,
                |first| first,
                |first, step, run| vector(first + step, run),
                |first, step, out| factor(first + step, out),
            );
            for step in 0..steps {
                for (out, sums) in expected.iter_mut().enumerate() {
                    for (run, sum) in sums.iter_mut().enumerate() {
                        let (factor, vector) = (factor(step, out), vector(step, run));
                        *sum = from_fn(|lane| factor[lane].mul_add(vector[lane], sum[lane]));
                    }
                }
            }
            let bits =
                |sums: [[Plain; RUN]; OUT]| sums.map(|sums| sums.map(|sum| sum.map(f32::to_bits)));
            assert_eq!(bits(sums), bits(expected), "{BLOCK} {OUT} {RUN} {steps}");
        }
    }

    fn check_runs<const BLOCK: usize, const OUT: usize>() {
        check::<BLOCK, OUT, 1>();
        check::<BLOCK, OUT, 2>();
        check::<BLOCK, OUT, 3>();
        check::<BLOCK, OUT, 4>();
        check::<BLOCK, OUT, 5>();
        check::<BLOCK, OUT, 7>();
    }

    #[test]
    fn parts_give_the_bits_of_a_plain_loop() {
        macro_rules! check_outs {
            ($($out:literal)*) => {
                $(
                    check_runs::<1, $out>();
                    check_runs::<8, $out>();
                )*
            };
        }
        check_outs!(1 2 3 4 5 6 7 8);
    }
}
