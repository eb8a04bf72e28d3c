//! Checks of the batches given to metrics without ground truth.

use crate::error::{Error, Result};

/// Returns an error unless both batches have the same shape.
pub(super) fn same_shape(what: &str, found: &[usize], expected: &[usize]) -> Result<()> {
    if found == expected {
        return Ok(());
    }
    Err(Error::invalid(format!(
        "{what} is {found:?}, should be {expected:?}"
    )))
}
