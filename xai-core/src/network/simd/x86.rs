//! Vector types of x86. They are used only inside functions that [`dispatch`](super::dispatch) compiles for
//! processors that support them. This makes the intrinsics safe to call.

use super::lanes::{LANES, Lanes, lanes_inside};
use std::arch::x86_64::*;
use std::array::from_fn;
use std::ops::Range;

/// One register of AVX-512.
#[derive(Clone, Copy)]
pub struct Avx512(__m512);

impl Lanes for Avx512 {
    const WIDE: bool = true;

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
    fn load_few(x: &[f32], first: usize) -> Self {
        debug_assert!(first + x.len() <= LANES);
        let mask = (((1u32 << x.len()) - 1) << first) as __mmask16;
        // Lanes outside the mask are not read.
        Self(unsafe { _mm512_maskz_loadu_ps(mask, x.as_ptr().wrapping_sub(first)) })
    }
    #[inline(always)]
    fn store(self) -> [f32; LANES] {
        let mut x = [0.0; LANES];
        unsafe { _mm512_storeu_ps(x.as_mut_ptr(), self.0) };
        x
    }
    #[inline(always)]
    fn store_few(self, to: &mut [f32]) {
        assert!(to.len() <= LANES);
        let mask = ((1u32 << to.len()) - 1) as __mmask16;
        // Lanes outside the mask are not written.
        unsafe { _mm512_mask_storeu_ps(to.as_mut_ptr(), mask, self.0) };
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
    fn gate(self, x: Self) -> Self {
        Self(unsafe {
            let above = _mm512_cmp_ps_mask::<_CMP_GT_OQ>(x.0, _mm512_setzero_ps());
            _mm512_maskz_mov_ps(above, self.0)
        })
    }
    #[inline(always)]
    fn where_equal(self, a: Self, b: Self) -> Self {
        Self(unsafe {
            let equal = _mm512_cmp_ps_mask::<_CMP_EQ_OQ>(a.0, b.0);
            _mm512_maskz_mov_ps(equal, self.0)
        })
    }
    #[inline(always)]
    fn twice(self) -> [Self; 2] {
        unsafe {
            let first = _mm512_setr_epi32(0, 0, 1, 1, 2, 2, 3, 3, 4, 4, 5, 5, 6, 6, 7, 7);
            let second = _mm512_add_epi32(first, _mm512_set1_epi32(8));
            [
                Self(_mm512_permutexvar_ps(first, self.0)),
                Self(_mm512_permutexvar_ps(second, self.0)),
            ]
        }
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
            let first = _mm512_setr_epi32(0, 4, 8, 12, 16, 20, 24, 28, 1, 5, 9, 13, 17, 21, 25, 29);
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
        let r: [_; LANES] = from_fn(|at| rows[at].0);
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
            from_fn(|at| Self(columns[at]))
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
    fn gate(self, x: Self) -> Self {
        unsafe {
            let above = |x| _mm256_cmp_ps::<_CMP_GT_OQ>(x, _mm256_setzero_ps());
            Self(
                _mm256_and_ps(above(x.0), self.0),
                _mm256_and_ps(above(x.1), self.1),
            )
        }
    }
    #[inline(always)]
    fn where_equal(self, a: Self, b: Self) -> Self {
        unsafe {
            let equal = |a, b| _mm256_cmp_ps::<_CMP_EQ_OQ>(a, b);
            Self(
                _mm256_and_ps(equal(a.0, b.0), self.0),
                _mm256_and_ps(equal(a.1, b.1), self.1),
            )
        }
    }
    #[inline(always)]
    fn twice(self) -> [Self; 2] {
        unsafe {
            let first = _mm256_setr_epi32(0, 0, 1, 1, 2, 2, 3, 3);
            let second = _mm256_setr_epi32(4, 4, 5, 5, 6, 6, 7, 7);
            [
                Self(
                    _mm256_permutevar8x32_ps(self.0, first),
                    _mm256_permutevar8x32_ps(self.0, second),
                ),
                Self(
                    _mm256_permutevar8x32_ps(self.1, first),
                    _mm256_permutevar8x32_ps(self.1, second),
                ),
            ]
        }
    }
    #[inline(always)]
    fn first_max([a, b, c, d]: [Self; 4]) -> (Self, Self) {
        let (low, high) = (
            first_max_of_half([a.0, b.0, c.0, d.0]),
            first_max_of_half([a.1, b.1, c.1, d.1]),
        );
        (Self(low.0, high.0), Self(low.1, high.1))
    }
    #[inline(always)]
    fn deal(x: &[f32; 4 * LANES]) -> [Self; 4] {
        let (low, high) = x.split_at(2 * LANES);
        let ([a, b, c, d], [e, f, g, h]) = (deal_half(low), deal_half(high));
        [Self(a, e), Self(b, f), Self(c, g), Self(d, h)]
    }
    #[inline(always)]
    fn gather([a, b, c, d]: [Self; 4], to: &mut [f32; 4 * LANES]) {
        let (low, high) = to.split_at_mut(2 * LANES);
        gather_half([a.0, b.0, c.0, d.0], low);
        gather_half([a.1, b.1, c.1, d.1], high);
    }
    #[inline(always)]
    fn transpose(rows: [Self; LANES]) -> [Self; LANES] {
        let [a, b, c, d, e, f, g, h, i, j, k, l, m, n, o, p] = rows;
        // Four blocks of 8 x 8: the first and the last eight rows, and of each the left and the right half.
        let [upper_left, lower_left, upper_right, lower_right] = [
            transpose_block([a.0, b.0, c.0, d.0, e.0, f.0, g.0, h.0]),
            transpose_block([i.0, j.0, k.0, l.0, m.0, n.0, o.0, p.0]),
            transpose_block([a.1, b.1, c.1, d.1, e.1, f.1, g.1, h.1]),
            transpose_block([i.1, j.1, k.1, l.1, m.1, n.1, o.1, p.1]),
        ];
        let mut columns = rows;
        for at in 0..8 {
            columns[at] = Self(upper_left[at], lower_left[at]);
            columns[8 + at] = Self(upper_right[at], lower_right[at]);
        }
        columns
    }
}

// What follows are functions and not closures, because the compiler must inline them: the intrinsics are single
// instructions only within a function that is compiled for AVX2.

/// [`Lanes::first_max`] for half of the lanes.
#[inline(always)]
#[expect(
    clippy::needless_range_loop,
    reason = "the loop is unrolled, and its vectors stay in registers"
)]
fn first_max_of_half(x: [__m256; 4]) -> (__m256, __m256) {
    unsafe {
        let (mut most, mut place) = (x[0], _mm256_setzero_ps());
        for at in 1..4 {
            // As for AVX-512.
            let larger = _mm256_cmp_ps::<_CMP_NLE_UQ>(x[at], most);
            let number = _mm256_cmp_ps::<_CMP_ORD_Q>(most, most);
            let wins = _mm256_and_ps(larger, number);
            most = _mm256_blendv_ps(most, x[at], wins);
            place = _mm256_blendv_ps(place, _mm256_set1_ps(at as f32), wins);
        }
        (most, place)
    }
}

/// [`Lanes::deal`] for half of the lanes.
#[inline(always)]
fn deal_half(x: &[f32]) -> [__m256; 4] {
    assert_eq!(x.len(), 2 * LANES);
    let x = x.as_ptr();
    unsafe {
        // Each of these has two groups of four numbers.
        let (a, b) = (_mm256_loadu_ps(x), _mm256_loadu_ps(x.add(8)));
        let (c, d) = (_mm256_loadu_ps(x.add(16)), _mm256_loadu_ps(x.add(24)));
        // Groups 0 and 4, 1 and 5, 2 and 6, 3 and 7.
        fours([
            _mm256_permute2f128_ps::<0x20>(a, c),
            _mm256_permute2f128_ps::<0x31>(a, c),
            _mm256_permute2f128_ps::<0x20>(b, d),
            _mm256_permute2f128_ps::<0x31>(b, d),
        ])
    }
}

/// [`Lanes::gather`] for half of the lanes.
#[inline(always)]
fn gather_half(dealt: [__m256; 4], to: &mut [f32]) {
    assert_eq!(to.len(), 2 * LANES);
    let ([a, b, c, d], to) = (fours(dealt), to.as_mut_ptr());
    unsafe {
        _mm256_storeu_ps(to, _mm256_permute2f128_ps::<0x20>(a, b));
        _mm256_storeu_ps(to.add(8), _mm256_permute2f128_ps::<0x20>(c, d));
        _mm256_storeu_ps(to.add(16), _mm256_permute2f128_ps::<0x31>(a, b));
        _mm256_storeu_ps(to.add(24), _mm256_permute2f128_ps::<0x31>(c, d));
    }
}

/// The transpose of 8 x 8 numbers.
#[inline(always)]
fn transpose_block([a, b, c, d, e, f, g, h]: [__m256; 8]) -> [__m256; 8] {
    let ([a, b, c, d], [e, f, g, h]) = (fours([a, b, c, d]), fours([e, f, g, h]));
    unsafe {
        [
            _mm256_permute2f128_ps::<0x20>(a, e),
            _mm256_permute2f128_ps::<0x20>(b, f),
            _mm256_permute2f128_ps::<0x20>(c, g),
            _mm256_permute2f128_ps::<0x20>(d, h),
            _mm256_permute2f128_ps::<0x31>(a, e),
            _mm256_permute2f128_ps::<0x31>(b, f),
            _mm256_permute2f128_ps::<0x31>(c, g),
            _mm256_permute2f128_ps::<0x31>(d, h),
        ]
    }
}

/// The transpose of 4 x 4 numbers in each half of four registers: number `j` of half `h` of register `i` goes to
/// number `i` of half `h` of register `j`.
#[inline(always)]
fn fours([a, b, c, d]: [__m256; 4]) -> [__m256; 4] {
    unsafe {
        let (low, high) = (_mm256_unpacklo_ps(a, b), _mm256_unpackhi_ps(a, b));
        let (other_low, other_high) = (_mm256_unpacklo_ps(c, d), _mm256_unpackhi_ps(c, d));
        [
            _mm256_shuffle_ps::<0x44>(low, other_low),
            _mm256_shuffle_ps::<0xee>(low, other_low),
            _mm256_shuffle_ps::<0x44>(high, other_high),
            _mm256_shuffle_ps::<0xee>(high, other_high),
        ]
    }
}
