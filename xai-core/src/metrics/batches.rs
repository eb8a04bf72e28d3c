//! What the metrics that need no truth check of the batches they are given.

use crate::error::{Error, Result};

/// An error unless both batches have one shape.
pub(super) fn same_shape(what: &str, found: &[usize], expected: &[usize]) -> Result<()> {
    if found == expected {
        return Ok(());
    }
    Err(Error::invalid(format!(
        "{what} is {found:?}, should be {expected:?}"
    )))
}
