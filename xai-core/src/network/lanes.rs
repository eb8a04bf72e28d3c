//! Vectors of 16 floats, on whatever the processor has: the arithmetic of [`kernels`](super::kernels)
//! is written once over [`Lanes`] and compiled for AVX-512, AVX2 and any other processor.
//!
//! Every implementation rounds alike (a fused multiply-add a lane), so results are the same bits
//! on all of them.

/// Floats in a vector.
pub(super) const LANES: usize = 16;

/// A vector of [`LANES`] floats.
pub(super) trait Lanes: Copy {
    /// The same number in every lane.
    fn splat(x: f32) -> Self;
    /// From memory, in order.
    fn load(x: &[f32; LANES]) -> Self;
    /// To memory, in order.
    fn store(self) -> [f32; LANES];
    /// `self * b + c` in every lane, rounded once.
    fn mul_add(self, b: Self, c: Self) -> Self;
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
    fn store(self) -> [f32; LANES] {
        self
    }
    #[inline(always)]
    fn mul_add(self, b: Self, c: Self) -> Self {
        std::array::from_fn(|lane| self[lane].mul_add(b[lane], c[lane]))
    }
}

/// Vector types of x86. They are used only inside functions that [`dispatch`] compiles for
/// processors that have them, which is what makes the intrinsics safe to call.
#[cfg(target_arch = "x86_64")]
pub(super) mod x86 {
    use super::{LANES, Lanes};
    use std::arch::x86_64::*;

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
        fn store(self) -> [f32; LANES] {
            let mut x = [0.0; LANES];
            unsafe { _mm512_storeu_ps(x.as_mut_ptr(), self.0) };
            x
        }
        #[inline(always)]
        fn mul_add(self, b: Self, c: Self) -> Self {
            Self(unsafe { _mm512_fmadd_ps(self.0, b.0, c.0) })
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
    }
}

/// The widest vectors that may be used, in bits: 512, or less if `XAI_VECTOR_BITS` says so. Tests use that to be
/// another processor.
#[cfg(target_arch = "x86_64")]
pub(super) fn widest() -> usize {
    static WIDEST: std::sync::OnceLock<usize> = std::sync::OnceLock::new();
    let asked = || std::env::var("XAI_VECTOR_BITS").ok()?.parse().ok();
    *WIDEST.get_or_init(|| asked().unwrap_or(512))
}

/// Defines `$name` as the generic function `$body` over [`Lanes`], compiled for each kind of
/// processor; the best that this machine has is taken at run time.
macro_rules! dispatch {
    ($name:ident, $body:ident, ($($arg:ident: $type:ty),*) -> $result:ty) => {
        #[inline]
        fn $name($($arg: $type),*) -> $result {
            #[cfg(target_arch = "x86_64")]
            {
                use $crate::network::lanes::{widest, x86::{Avx2, Avx512}};
                #[target_feature(enable = "avx512f,fma")]
                fn avx512($($arg: $type),*) -> $result { $body::<Avx512>($($arg),*) }
                #[target_feature(enable = "avx2,fma")]
                fn avx2($($arg: $type),*) -> $result { $body::<Avx2>($($arg),*) }
                if widest() >= 512 && is_x86_feature_detected!("avx512f") {
                    // SAFETY: the processor has the features, checked just above.
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
