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

#[cfg(target_arch = "x86_64")]
pub(super) mod x86;

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
