//! Vectors of 16 floats on any processor. The arithmetic of [`kernels`](super::kernels) is written
//! once over [`Lanes`], and compiled for AVX-512, AVX2 and any other processor.
//!
//! Every implementation rounds in the same way (one fused multiply-add per lane), so results have
//! the same bits on all of them.

mod aligned;
mod lanes;
mod products;
#[cfg(target_arch = "x86_64")]
pub(super) mod x86;

pub(super) use aligned::Aligned;
pub(super) use lanes::{LANES, Lanes, lanes_at, lanes_at_mut};
pub(super) use products::add_products;

/// The widest vectors that may be used, in bits: 512, or less if `XAI_VECTOR_BITS` says so. Tests
/// use it to simulate another processor.
#[cfg(target_arch = "x86_64")]
pub(super) fn widest() -> usize {
    static WIDEST: std::sync::OnceLock<usize> = std::sync::OnceLock::new();
    let asked = || std::env::var("XAI_VECTOR_BITS").ok()?.parse().ok();
    *WIDEST.get_or_init(|| asked().unwrap_or(512))
}

/// Prefetches the memory at `x` before it is read. The address may lie outside of any slice.
#[inline(always)]
pub(super) fn prefetch(x: *const f32) {
    #[cfg(target_arch = "x86_64")]
    // SAFETY: this is a hint that accepts any address, and every x86-64 processor supports it.
    unsafe {
        std::arch::x86_64::_mm_prefetch::<{ std::arch::x86_64::_MM_HINT_T0 }>(x.cast())
    }
    #[cfg(not(target_arch = "x86_64"))]
    let _ = x;
}

/// Reads from memory are not moved across this point by the compiler; no instruction is executed. In a
/// loop with many sums in registers, it would otherwise read all factors first, have too few registers
/// left, and keep some of the sums in memory.
#[inline(always)]
fn keep_order() {
    std::sync::atomic::compiler_fence(std::sync::atomic::Ordering::SeqCst);
}

/// Defines `$name` as the generic function `$body` over [`Lanes`], compiled for each kind of
/// processor. The best version for this machine is selected at run time.
macro_rules! dispatch {
    ($visible:vis $name:ident, $body:ident, ($($arg:ident: $type:ty),*) -> $result:ty) => {
        #[inline]
        $visible fn $name($($arg: $type),*) -> $result {
            #[cfg(target_arch = "x86_64")]
            {
                use $crate::network::simd::{widest, x86::{Avx2, Avx512}};
                #[target_feature(enable = "avx512f,fma")]
                fn avx512($($arg: $type),*) -> $result { $body::<Avx512>($($arg),*) }
                #[target_feature(enable = "avx2,fma")]
                fn avx2($($arg: $type),*) -> $result { $body::<Avx2>($($arg),*) }
                if widest() >= 512 && is_x86_feature_detected!("avx512f") {
                    // SAFETY: the processor has the features, as checked above.
                    return unsafe { avx512($($arg),*) };
                }
                if widest() >= 256 && is_x86_feature_detected!("avx2") && is_x86_feature_detected!("fma") {
                    // SAFETY: as above.
                    return unsafe { avx2($($arg),*) };
                }
            }
            $body::<[f32; LANES]>($($arg),*)
        }
    };
}
pub(super) use dispatch;

#[cfg(test)]
mod tests {
    use super::*;

    #[inline(always)]
    fn part_with<V: Lanes>(line: &[f32], at: isize) -> [f32; LANES] {
        V::load_part(line, at).store()
    }
    dispatch!(part, part_with, (line: &[f32], at: isize) -> [f32; LANES]);

    #[test]
    fn a_part_of_a_line_ends_in_zeros() {
        let numbers: Vec<f32> = (1..=40).map(|x| x as f32).collect();
        for len in [0, 1, 7, 15, 16, 17, 40] {
            let line = &numbers[..len];
            for at in -20..45 {
                let inside = |place: isize| (0..len as isize).contains(&place);
                let expected: [f32; LANES] = std::array::from_fn(|lane| {
                    let place = at + lane as isize;
                    if inside(place) {
                        (place + 1) as f32
                    } else {
                        0.0
                    }
                });
                assert_eq!(part(line, at), expected, "{len} {at}");
                assert_eq!(part_with::<[f32; LANES]>(line, at), expected, "{len} {at}");
            }
        }
    }

    #[inline(always)]
    fn shuffled_with<V: Lanes>(x: &[f32]) -> Vec<[f32; LANES]> {
        let rows: [V; LANES] = std::array::from_fn(|row| V::load(lanes_at(x, row * LANES)));
        let few: &[f32; 4 * LANES] = x.first_chunk().unwrap();
        let mut gathered = [0.0; 4 * LANES];
        V::gather([rows[0], rows[1], rows[2], rows[3]], &mut gathered);
        let (most, place) = V::first_max([rows[0], rows[1], rows[2], rows[3]]);
        let mut all: Vec<_> = V::transpose(rows).map(V::store).to_vec();
        all.extend(V::deal(few).map(V::store));
        all.extend(gathered.as_chunks().0);
        all.extend(rows[6].twice().map(V::store));
        // NaN equals nothing.
        all.extend([rows[7].where_equal(place, V::splat(1.0)).store()]);
        all.extend([rows[7].where_equal(rows[0], most).store()]);
        all.extend([most.store(), place.store()]);
        all
    }
    dispatch!(shuffled, shuffled_with, (x: &[f32]) -> Vec<[f32; LANES]>);

    #[test]
    fn every_processor_puts_numbers_in_the_same_places() {
        // Each number occurs twice, but never twice in one lane of the first four rows, whose maximum is taken.
        let mut numbers: Vec<f32> = (0..256).map(|at| (at * 37 % 256 / 2) as f32).collect();
        // In lane 2, all four are equal, and in lane 3 the second and the fourth are.
        for row in 0..4 {
            numbers[row * LANES + 2] = 500.0;
        }
        numbers[LANES + 3] = 500.0;
        numbers[3 * LANES + 3] = 500.0;
        // NaN is the second, the first, or both the second and the fourth, which then has another sign.
        numbers[LANES + 1] = f32::NAN;
        numbers[4] = f32::NAN;
        numbers[LANES + 5] = f32::NAN;
        numbers[3 * LANES + 5] = -f32::NAN;
        let bits = |lanes: Vec<[f32; LANES]>| -> Vec<u32> {
            lanes.as_flattened().iter().map(|x| x.to_bits()).collect()
        };
        let plain = bits(shuffled_with::<[f32; LANES]>(&numbers));
        let equal = |vector: usize| {
            let lanes = plain.iter().rev().skip(vector * LANES).take(LANES);
            lanes.filter(|x| f32::from_bits(**x) != 0.0).count()
        };
        assert!(
            [2, 3]
                .iter()
                .all(|&vector| (1..LANES).contains(&equal(vector)))
        );
        // The last vector has the places of the maxima.
        let places = &plain[plain.len() - LANES..];
        let places: [f32; 5] = std::array::from_fn(|at| f32::from_bits(places[at + 1]));
        assert_eq!(places, [1.0, 0.0, 1.0, 0.0, 1.0]);
        assert_eq!(bits(shuffled(&numbers)), plain);
        #[cfg(target_arch = "x86_64")]
        if is_x86_feature_detected!("avx2") && is_x86_feature_detected!("fma") {
            #[target_feature(enable = "avx2,fma")]
            fn avx2(x: &[f32]) -> Vec<[f32; LANES]> {
                shuffled_with::<x86::Avx2>(x)
            }
            // SAFETY: the processor has the features, as checked above.
            assert_eq!(bits(unsafe { avx2(&numbers) }), plain);
        }
    }

    #[inline(always)]
    fn few_with<V: Lanes>(line: &[f32], first: usize, to: &mut [f32]) {
        V::load_few(line, first).store_few(to);
    }
    dispatch!(few, few_with, (line: &[f32], first: usize, to: &mut [f32]) -> ());

    #[test]
    fn a_few_numbers_are_read_and_written_and_no_others() {
        let numbers: Vec<f32> = (1..=LANES).map(|x| x as f32).collect();
        for first in 0..LANES {
            for len in 0..=LANES - first {
                for written in 0..=LANES {
                    let expected: Vec<f32> = (0..LANES + 1)
                        .map(|lane| match lane {
                            lane if lane >= written => -1.0,
                            lane if (first..first + len).contains(&lane) => numbers[lane - first],
                            _ => 0.0,
                        })
                        .collect();
                    for few in [few, few_with::<[f32; LANES]>] {
                        let mut to = vec![-1.0; LANES + 1];
                        few(&numbers[..len], first, &mut to[..written]);
                        assert_eq!(to, expected, "{first} {len} {written}");
                    }
                }
            }
        }
    }
}
