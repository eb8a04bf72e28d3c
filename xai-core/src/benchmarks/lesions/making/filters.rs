//! The paper's baselines that know no network: edge filters and the brightness.
//!
//! The public code filters along one axis only, signed, and its published Sobel results are the Laplace results
//! (defects D4 and D5); it has no raw intensity (D9). Its three equal channels as the first axis multiply Sobel by 4, and add
//! nothing to Laplace.

use super::defects::{Defect, Defects};
use crate::image::filters::{Filter, intensity, laplace, signed_laplace, sobel, sobel_along_rows};

/// The baselines' names and filters, with the defects D4, D5 and D9 of the public code if they are in
/// the set.
///
/// Filters with D5 keep their sign. Score their maps as they are: [`combine`](crate::metrics::combine) would
/// take absolute values, which the public code did for networks' explanations only.
pub fn baselines(defects: Defects) -> Vec<(&'static str, Filter)> {
    let [mut sobel, laplace]: [Filter; 2] = match defects.has(Defect::D5) {
        true => [sobel_along_rows, signed_laplace],
        false => [sobel, laplace],
    };
    if defects.has(Defect::D4) {
        sobel = laplace;
    }
    let mut baselines = vec![("sobel", sobel), ("laplace", laplace)];
    if !defects.has(Defect::D9) {
        baselines.push(("intensity", intensity));
    }
    baselines
}
