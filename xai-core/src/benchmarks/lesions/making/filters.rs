//! The paper's references that use no network: edge filters and raw intensity.
//!
//! The public code filters along one axis only and keeps the sign, and its published Sobel results
//! are the Laplace results (defects D4 and D5). It has no raw intensity (D9). Its three equal
//! channels as the first axis multiply Sobel by 4 and add nothing to Laplace.

use super::defects::{Defect, Defects};
use crate::image::filters::{Filter, intensity, laplace, signed_laplace, sobel, sobel_along_rows};

/// The names and filters of the references, with those of the defects D4, D5 and D9 that are in the
/// set.
///
/// With D5, the filters keep their sign. Score their maps directly:
/// [`combine`](crate::metrics::combine) takes absolute values, which the public code did only for
/// the explanations of networks.
pub fn baselines(defects: Defects) -> Vec<(&'static str, Filter)> {
    let [mut sobel, laplace]: [Filter; 2] = if defects.has(Defect::SignedFilters) {
        [sobel_along_rows, signed_laplace]
    } else {
        [sobel, laplace]
    };
    if defects.has(Defect::SobelIsLaplace) {
        sobel = laplace;
    }
    let mut baselines = vec![("sobel", sobel), ("laplace", laplace)];
    if !defects.has(Defect::NoIntensity) {
        baselines.push(("intensity", intensity));
    }
    baselines
}
