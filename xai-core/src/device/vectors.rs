//! Loops compiled for the vectors of the processor.

/// Defines a function that is compiled for AVX-512, AVX2 and any other processor. The best version
/// for this machine is selected at run time. Loops that the compiler vectorises then process four
/// or eight float64 at a time instead of two. Results have the same bits, because sums are not
/// reordered or fused with products.
///
/// Functions that it calls should be `#[inline(always)]`. Code that is not inlined is compiled for
/// any processor.
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
                    // SAFETY: the processor has the feature, as checked above.
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
