//! The working memory of a thread.

use super::sizes::{POINTS, PRODUCTS};
use super::tiles::BlockSizes;
use crate::network::simd::LANES;

/// The working memory of a thread, kept from one call to the next.
#[derive(Default)]
pub(super) struct Scratch {
    /// Transformed inputs `[point][in][tile]`.
    pub inputs: Vec<f32>,
    /// Their products with the weights, `[point][out][tile]`.
    pub products: Vec<f32>,
    /// The six rows of the tiles after the transform in one dimension, each in two forms: the four pixels
    /// of each tile, and the four after these.
    pub lines: Vec<f32>,
}

impl Scratch {
    /// Enlarges the memory if necessary.
    pub fn fit(&mut self, layout: BlockSizes) {
        let grow = |numbers: &mut Vec<f32>, len: usize| numbers.resize(numbers.len().max(len), 0.0);
        grow(&mut self.inputs, PRODUCTS * layout.input_step + LANES);
        grow(&mut self.products, PRODUCTS * layout.product_step + LANES);
        grow(&mut self.lines, 2 * POINTS * layout.line);
    }
}
