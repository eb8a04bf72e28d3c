//! What can be asked of an explanation without knowing the truth.
//!
//! - [`faithfulness`]: does the model's score fall when the pixels that are called relevant are taken away?
//! - [`robustness`]: does the explanation stay the same when the image hardly changes?
//! - [`randomisation`]: does the explanation change when what the model learned is destroyed?
//!
//! Models and methods are closures over batches of images `[n, c, h, w]`, so that any model and any
//! explanation can be asked. Definitions are those of Quantus (Hedström et al. 2023), to which the tests compare.

pub mod faithfulness;
pub mod randomisation;
pub mod robustness;

use crate::error::{Error, Result};

/// An error unless both batches have one shape.
fn same_shape(what: &str, found: &[usize], expected: &[usize]) -> Result<()> {
    if found == expected {
        return Ok(());
    }
    Err(Error::invalid(format!(
        "{what} is {found:?}, should be {expected:?}"
    )))
}
