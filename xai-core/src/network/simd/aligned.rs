//! Memory at the boundary of a cache line.

use std::ops::{Deref, DerefMut};

use super::LANES;

/// Numbers in working memory. The first one begins a cache line, so vectors of [`LANES`] numbers lie in one line each. Reading a
/// vector from two lines takes twice as long.
#[derive(Default)]
pub(in crate::network) struct Aligned {
    numbers: Vec<f32>,
    /// The first number that begins a cache line.
    first: usize,
    len: usize,
}

impl Aligned {
    /// Memory for at least `len` numbers. Their content has no meaning afterwards.
    pub fn grow(&mut self, len: usize) {
        if self.len < len {
            self.numbers = vec![0.0; len + LANES];
            let line = size_of::<[f32; LANES]>();
            // In the worst case, vectors lie in two lines.
            self.first = self.numbers.as_ptr().align_offset(line).min(LANES);
            self.len = len;
        }
    }
}

impl Deref for Aligned {
    type Target = [f32];

    fn deref(&self) -> &[f32] {
        &self.numbers[self.first..][..self.len]
    }
}

impl DerefMut for Aligned {
    fn deref_mut(&mut self) -> &mut [f32] {
        &mut self.numbers[self.first..][..self.len]
    }
}
