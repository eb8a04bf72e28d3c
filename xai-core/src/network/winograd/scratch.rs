//! The working memory of a thread.

use super::sizes::{POINTS, PRODUCTS};
use super::tiles::BlockSizes;
use crate::network::simd::{Aligned, LANES};

/// The working memory of a thread, kept from one call to the next.
#[derive(Default)]
pub(super) struct Scratch {
    /// Transformed inputs `[point][in][tile]`.
    pub inputs: Aligned,
    /// Their products with the weights, `[point][out][tile]`.
    pub products: Aligned,
    /// The six rows of the tiles after the transform in one dimension, each in two forms: the four pixels
    /// of each tile, and the four after these.
    pub lines: Aligned,
}

impl Scratch {
    /// Enlarges the memory if necessary.
    pub fn fit(&mut self, layout: BlockSizes) {
        self.inputs.grow(PRODUCTS * layout.input_step + LANES);
        self.products.grow(PRODUCTS * layout.product_step + LANES);
        self.lines.grow(2 * POINTS * layout.line);
    }
}
