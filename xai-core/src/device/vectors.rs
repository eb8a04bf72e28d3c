//! Loops compiled for the vectors that the processor has.

/// Defines a function that is compiled for AVX-512, AVX2 and any other processor, of which the best that this
/// machine has is taken at run time: loops that the compiler vectorises then take four or eight float64 at a time, in
/// place of two. Results are the same bits, as it neither reorders sums nor fuses them with products.
///
/// What the function calls should be `#[inline(always)]`: code that is not inlined is that for any processor.
macro_rules! vectorised {
    (
        $(#[$attribute:meta])*
        $visible:vis fn $name:ident($($arg:ident: $type:ty),* $(,)?) $(-> $result:ty)? $body:block
    ) => {
        $(#[$attribute])*
        $visible fn $name($($arg: $type),*) $(-> $result)? {
            #[inline(always)]
            fn any($($arg: $type),*) $(-> $result)? $body
            #[cfg(target_arch = "x86_64")]
            {
                #[target_feature(enable = "avx512f")]
                fn avx512($($arg: $type),*) $(-> $result)? { any($($arg),*) }
                #[target_feature(enable = "avx2")]
                fn avx2($($arg: $type),*) $(-> $result)? { any($($arg),*) }
                if is_x86_feature_detected!("avx512f") {
                    // SAFETY: the processor has the feature, checked just above.
                    return unsafe { avx512($($arg),*) };
                }
                if is_x86_feature_detected!("avx2") {
                    // SAFETY: as above.
                    return unsafe { avx2($($arg),*) };
                }
            }
            any($($arg),*)
        }
    };
}
pub(crate) use vectorised;
