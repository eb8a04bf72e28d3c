//! Vectors of 16 floats on any processor. The arithmetic of [`kernels`](super::kernels) is written
//! once over [`Lanes`], and compiled for AVX-512, AVX2 and any other processor.
//!
//! Every implementation rounds in the same way (one fused multiply-add per lane), so results have
//! the same bits on all of them.

/// Floats in a vector.
pub(super) const LANES: usize = 16;

/// A vector of [`LANES`] floats.
pub(super) trait Lanes: Copy {
    /// The same number in every lane.
    fn splat(x: f32) -> Self;
    /// From memory, in order.
    fn load(x: &[f32; LANES]) -> Self;
    /// The numbers of `line` from `at` on, and 0 before its start and beyond its end.
    fn load_part(line: &[f32], at: isize) -> Self;
    /// To memory, in order.
    fn store(self) -> [f32; LANES];
    /// `self * b + c` in every lane, rounded once.
    fn mul_add(self, b: Self, c: Self) -> Self;
    /// `self + b` in every lane.
    fn add(self, b: Self) -> Self;
    /// `self - b` in every lane.
    fn sub(self, b: Self) -> Self;
    /// `self * b` in every lane.
    fn mul(self, b: Self) -> Self;

    /// max(x, 0) in every lane; NaN stays NaN.
    fn relu(self) -> Self;
    /// The largest of four numbers in every lane, and its index (0, 1, 2 or 3). Among equals the
    /// first wins. NaN wins, as in torch.
    fn first_max(x: [Self; 4]) -> (Self, Self);

    /// Distributes numbers to four vectors in turn: lane `l` of vector `j` is `x[4 * l + j]`.
    #[inline(always)]
    fn deal(x: &[f32; 4 * LANES]) -> [Self; 4] {
        let mut dealt = [[0.0; LANES]; 4];
        for lane in 0..LANES {
            for j in 0..4 {
                dealt[j][lane] = x[4 * lane + j];
            }
        }
        let [a, b, c, d] = &dealt;
        [Self::load(a), Self::load(b), Self::load(c), Self::load(d)]
    }

    /// Transposes rows and columns.
    #[inline(always)]
    fn transpose(rows: [Self; LANES]) -> [Self; LANES] {
        let rows = rows.map(Self::store);
        std::array::from_fn(|at| Self::load(&std::array::from_fn(|lane| rows[lane][at])))
    }

    /// The inverse of [`deal`](Self::deal).
    #[inline(always)]
    fn gather([a, b, c, d]: [Self; 4], to: &mut [f32; 4 * LANES]) {
        let dealt = [a.store(), b.store(), c.store(), d.store()];
        for lane in 0..LANES {
            for j in 0..4 {
                to[4 * lane + j] = dealt[j][lane];
            }
        }
    }
}

/// Any processor.
impl Lanes for [f32; LANES] {
    #[inline(always)]
    fn splat(x: f32) -> Self {
        [x; LANES]
    }
    #[inline(always)]
    fn load(x: &[f32; LANES]) -> Self {
        *x
    }
    #[inline(always)]
    fn load_part(line: &[f32], at: isize) -> Self {
        std::array::from_fn(|lane| {
            let place = usize::try_from(at + lane as isize).ok();
            place.and_then(|at| line.get(at)).copied().unwrap_or(0.0)
        })
    }
    #[inline(always)]
    fn store(self) -> [f32; LANES] {
        self
    }
    #[inline(always)]
    fn mul_add(self, b: Self, c: Self) -> Self {
        std::array::from_fn(|lane| self[lane].mul_add(b[lane], c[lane]))
    }
    #[inline(always)]
    fn add(self, b: Self) -> Self {
        std::array::from_fn(|lane| self[lane] + b[lane])
    }
    #[inline(always)]
    fn sub(self, b: Self) -> Self {
        std::array::from_fn(|lane| self[lane] - b[lane])
    }
    #[inline(always)]
    fn mul(self, b: Self) -> Self {
        std::array::from_fn(|lane| self[lane] * b[lane])
    }
    #[inline(always)]
    fn relu(self) -> Self {
        self.map(|x| if x < 0.0 { 0.0 } else { x })
    }
    #[inline(always)]
    fn first_max(x: [Self; 4]) -> (Self, Self) {
        let (mut most, mut place) = (x[0], [0.0; LANES]);
        for (at, x) in x.iter().enumerate().skip(1) {
            for lane in 0..LANES {
                if x[lane] > most[lane] || (x[lane].is_nan() && !most[lane].is_nan()) {
                    (most[lane], place[lane]) = (x[lane], at as f32);
                }
            }
        }
        (most, place)
    }
}

/// Vector types of x86. They are used only inside functions that [`dispatch`] compiles for
/// processors that support them. This makes the intrinsics safe to call.
#[cfg(target_arch = "x86_64")]
pub(super) mod x86 {
    use super::{LANES, Lanes, lanes_inside};
    use std::arch::x86_64::*;
    use std::ops::Range;

    /// One register of AVX-512.
    #[derive(Clone, Copy)]
    pub struct Avx512(__m512);

    impl Lanes for Avx512 {
        #[inline(always)]
        fn splat(x: f32) -> Self {
            // SAFETY: see the module; the same for every block below. References to arrays of
            // 16 floats are valid for unaligned loads and stores of that size.
            Self(unsafe { _mm512_set1_ps(x) })
        }
        #[inline(always)]
        fn load(x: &[f32; LANES]) -> Self {
            Self(unsafe { _mm512_loadu_ps(x.as_ptr()) })
        }
        #[inline(always)]
        fn load_part(line: &[f32], at: isize) -> Self {
            let Range { start, end } = lanes_inside(line.len(), at);
            let mask = ((1u32 << end) - (1u32 << start)) as __mmask16;
            // Lanes outside the mask are not read.
            Self(unsafe { _mm512_maskz_loadu_ps(mask, line.as_ptr().wrapping_offset(at)) })
        }
        #[inline(always)]
        fn store(self) -> [f32; LANES] {
            let mut x = [0.0; LANES];
            unsafe { _mm512_storeu_ps(x.as_mut_ptr(), self.0) };
            x
        }
        #[inline(always)]
        fn mul_add(self, b: Self, c: Self) -> Self {
            Self(unsafe { _mm512_fmadd_ps(self.0, b.0, c.0) })
        }
        #[inline(always)]
        fn add(self, b: Self) -> Self {
            Self(unsafe { _mm512_add_ps(self.0, b.0) })
        }
        #[inline(always)]
        fn sub(self, b: Self) -> Self {
            Self(unsafe { _mm512_sub_ps(self.0, b.0) })
        }
        #[inline(always)]
        fn mul(self, b: Self) -> Self {
            Self(unsafe { _mm512_mul_ps(self.0, b.0) })
        }
        #[inline(always)]
        fn relu(self) -> Self {
            // For NaN and for equal numbers, the instruction returns the second operand.
            Self(unsafe { _mm512_max_ps(_mm512_setzero_ps(), self.0) })
        }
        #[inline(always)]
        fn first_max(x: [Self; 4]) -> (Self, Self) {
            unsafe {
                let (mut most, mut place) = (x[0].0, _mm512_setzero_ps());
                for (at, x) in x.iter().enumerate().skip(1) {
                    // "Not less or equal" means larger, or one of them is NaN. In the latter case,
                    // it is not `most`.
                    let larger = _mm512_cmp_ps_mask::<_CMP_NLE_UQ>(x.0, most);
                    let number = _mm512_cmp_ps_mask::<_CMP_ORD_Q>(most, most);
                    let wins = larger & number;
                    most = _mm512_mask_blend_ps(wins, most, x.0);
                    place = _mm512_mask_blend_ps(wins, place, _mm512_set1_ps(at as f32));
                }
                (Self(most), Self(place))
            }
        }
        #[inline(always)]
        fn deal(x: &[f32; 4 * LANES]) -> [Self; 4] {
            let x = x.as_ptr();
            unsafe {
                // Of the first (a) and last (c) eight groups of four: numbers 0, then numbers 1.
                let first =
                    _mm512_setr_epi32(0, 4, 8, 12, 16, 20, 24, 28, 1, 5, 9, 13, 17, 21, 25, 29);
                let two = _mm512_set1_epi32(2);
                let (r0, r1) = (_mm512_loadu_ps(x), _mm512_loadu_ps(x.add(16)));
                let (r2, r3) = (_mm512_loadu_ps(x.add(32)), _mm512_loadu_ps(x.add(48)));
                let a = _mm512_permutex2var_ps(r0, first, r1);
                let c = _mm512_permutex2var_ps(r2, first, r3);
                // And (b, d) numbers 2, then numbers 3.
                let second = _mm512_add_epi32(first, two);
                let b = _mm512_permutex2var_ps(r0, second, r1);
                let d = _mm512_permutex2var_ps(r2, second, r3);
                [
                    Self(_mm512_shuffle_f32x4::<0x44>(a, c)),
                    Self(_mm512_shuffle_f32x4::<0xee>(a, c)),
                    Self(_mm512_shuffle_f32x4::<0x44>(b, d)),
                    Self(_mm512_shuffle_f32x4::<0xee>(b, d)),
                ]
            }
        }
        #[inline(always)]
        fn transpose(rows: [Self; LANES]) -> [Self; LANES] {
            let r = rows.map(|Self(row)| row);
            let mut t = r;
            unsafe {
                // First squares of four by four: register 4 i + k then has columns k, 4 + k, 8 + k
                // and 12 + k of rows 4 i to 4 i + 3.
                for i in (0..LANES).step_by(4) {
                    let low = _mm512_castps_pd(_mm512_unpacklo_ps(r[i], r[i + 1]));
                    let high = _mm512_castps_pd(_mm512_unpackhi_ps(r[i], r[i + 1]));
                    let next_low = _mm512_castps_pd(_mm512_unpacklo_ps(r[i + 2], r[i + 3]));
                    let next_high = _mm512_castps_pd(_mm512_unpackhi_ps(r[i + 2], r[i + 3]));
                    t[i] = _mm512_castpd_ps(_mm512_unpacklo_pd(low, next_low));
                    t[i + 1] = _mm512_castpd_ps(_mm512_unpackhi_pd(low, next_low));
                    t[i + 2] = _mm512_castpd_ps(_mm512_unpacklo_pd(high, next_high));
                    t[i + 3] = _mm512_castpd_ps(_mm512_unpackhi_pd(high, next_high));
                }
                // Then quarters are exchanged.
                let mut columns = t;
                for k in 0..4 {
                    let even = _mm512_shuffle_f32x4::<0x88>(t[k], t[4 + k]);
                    let odd = _mm512_shuffle_f32x4::<0xdd>(t[k], t[4 + k]);
                    let next_even = _mm512_shuffle_f32x4::<0x88>(t[8 + k], t[12 + k]);
                    let next_odd = _mm512_shuffle_f32x4::<0xdd>(t[8 + k], t[12 + k]);
                    columns[k] = _mm512_shuffle_f32x4::<0x88>(even, next_even);
                    columns[4 + k] = _mm512_shuffle_f32x4::<0x88>(odd, next_odd);
                    columns[8 + k] = _mm512_shuffle_f32x4::<0xdd>(even, next_even);
                    columns[12 + k] = _mm512_shuffle_f32x4::<0xdd>(odd, next_odd);
                }
                columns.map(Self)
            }
        }
        #[inline(always)]
        fn gather([Self(a), Self(b), Self(c), Self(d)]: [Self; 4], to: &mut [f32; 4 * LANES]) {
            let to = to.as_mut_ptr();
            unsafe {
                let (ab, cd) = (_mm512_unpacklo_ps(a, b), _mm512_unpacklo_ps(c, d));
                let (ab_high, cd_high) = (_mm512_unpackhi_ps(a, b), _mm512_unpackhi_ps(c, d));
                // Group l is in quarter l / 4 of t[l % 4]. Then quarters are exchanged.
                let t0 = _mm512_shuffle_ps::<0x44>(ab, cd);
                let t1 = _mm512_shuffle_ps::<0xee>(ab, cd);
                let t2 = _mm512_shuffle_ps::<0x44>(ab_high, cd_high);
                let t3 = _mm512_shuffle_ps::<0xee>(ab_high, cd_high);
                let x0 = _mm512_shuffle_f32x4::<0x44>(t0, t1);
                let x1 = _mm512_shuffle_f32x4::<0xee>(t0, t1);
                let x2 = _mm512_shuffle_f32x4::<0x44>(t2, t3);
                let x3 = _mm512_shuffle_f32x4::<0xee>(t2, t3);
                _mm512_storeu_ps(to, _mm512_shuffle_f32x4::<0x88>(x0, x2));
                _mm512_storeu_ps(to.add(16), _mm512_shuffle_f32x4::<0xdd>(x0, x2));
                _mm512_storeu_ps(to.add(32), _mm512_shuffle_f32x4::<0x88>(x1, x3));
                _mm512_storeu_ps(to.add(48), _mm512_shuffle_f32x4::<0xdd>(x1, x3));
            }
        }
    }

    /// Two registers of AVX2.
    #[derive(Clone, Copy)]
    pub struct Avx2(__m256, __m256);

    impl Lanes for Avx2 {
        #[inline(always)]
        fn splat(x: f32) -> Self {
            let x = unsafe { _mm256_set1_ps(x) };
            Self(x, x)
        }
        #[inline(always)]
        fn load(x: &[f32; LANES]) -> Self {
            unsafe {
                Self(
                    _mm256_loadu_ps(x.as_ptr()),
                    _mm256_loadu_ps(x.as_ptr().add(8)),
                )
            }
        }
        #[inline(always)]
        fn load_part(line: &[f32], at: isize) -> Self {
            let Range { start, end } = lanes_inside(line.len(), at);
            let x = line.as_ptr().wrapping_offset(at);
            unsafe {
                let (from, to) = (
                    _mm256_set1_epi32(start as i32 - 1),
                    _mm256_set1_epi32(end as i32),
                );
                let half = |lane: i32| {
                    let lanes = _mm256_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7);
                    let lanes = _mm256_add_epi32(lanes, _mm256_set1_epi32(lane));
                    let inside = _mm256_and_si256(
                        _mm256_cmpgt_epi32(lanes, from),
                        _mm256_cmpgt_epi32(to, lanes),
                    );
                    // Lanes outside the mask are not read.
                    _mm256_maskload_ps(x.wrapping_add(lane as usize), inside)
                };
                Self(half(0), half(8))
            }
        }
        #[inline(always)]
        fn store(self) -> [f32; LANES] {
            let mut x = [0.0; LANES];
            unsafe {
                _mm256_storeu_ps(x.as_mut_ptr(), self.0);
                _mm256_storeu_ps(x.as_mut_ptr().add(8), self.1);
            }
            x
        }
        #[inline(always)]
        fn mul_add(self, b: Self, c: Self) -> Self {
            unsafe {
                Self(
                    _mm256_fmadd_ps(self.0, b.0, c.0),
                    _mm256_fmadd_ps(self.1, b.1, c.1),
                )
            }
        }
        #[inline(always)]
        fn add(self, b: Self) -> Self {
            unsafe { Self(_mm256_add_ps(self.0, b.0), _mm256_add_ps(self.1, b.1)) }
        }
        #[inline(always)]
        fn sub(self, b: Self) -> Self {
            unsafe { Self(_mm256_sub_ps(self.0, b.0), _mm256_sub_ps(self.1, b.1)) }
        }
        #[inline(always)]
        fn mul(self, b: Self) -> Self {
            unsafe { Self(_mm256_mul_ps(self.0, b.0), _mm256_mul_ps(self.1, b.1)) }
        }
        #[inline(always)]
        fn relu(self) -> Self {
            unsafe {
                let zero = _mm256_setzero_ps();
                Self(_mm256_max_ps(zero, self.0), _mm256_max_ps(zero, self.1))
            }
        }
        #[inline(always)]
        fn first_max(x: [Self; 4]) -> (Self, Self) {
            let (most, place) = <[f32; LANES]>::first_max(x.map(Self::store));
            (Self::load(&most), Self::load(&place))
        }
    }
}

/// The lanes of a vector from `at` on that lie in a line of `len` numbers.
#[cfg(target_arch = "x86_64")]
#[inline(always)]
fn lanes_inside(len: usize, at: isize) -> std::ops::Range<usize> {
    let lane = |place: isize| (place - at).clamp(0, LANES as isize) as usize;
    lane(0)..lane(len as isize)
}

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

/// The [`LANES`] numbers from `at` on.
#[inline(always)]
pub(super) fn lanes_at(x: &[f32], at: usize) -> &[f32; LANES] {
    x[at..at + LANES].try_into().expect("as many as lanes")
}

/// The [`LANES`] numbers from `at` on, for writing.
#[inline(always)]
pub(super) fn lanes_at_mut(x: &mut [f32], at: usize) -> &mut [f32; LANES] {
    (&mut x[at..at + LANES])
        .try_into()
        .expect("as many as lanes")
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
}
