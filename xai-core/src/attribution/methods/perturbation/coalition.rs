//! Images in which some parts are shown and the others are replaced by the baseline.

use ndarray::{ArrayViewMut3, Zip};

use super::Subject;
use crate::attribution::segments::Parts;

/// Which parts are shown.
pub(super) type Coalition = Vec<bool>;

impl<M> Subject<'_, '_, M> {
    /// Replaces the hidden parts in `variant`, a copy of the image.
    pub(super) fn hide(
        &self,
        parts: &Parts,
        shown: impl Fn(usize) -> bool,
        variant: ArrayViewMut3<f32>,
    ) {
        Zip::from(variant)
            .and(self.baseline)
            .and(parts.labels())
            .for_each(|value, &baseline, &part| {
                if !shown(part) {
                    *value = baseline;
                }
            });
    }
}
