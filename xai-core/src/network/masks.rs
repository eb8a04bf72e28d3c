//! The masks of dropout.

use rand::Rng;
use rand_chacha::ChaCha8Rng;

use crate::device::{Device, Tensor, upload};

/// `count` values of a mask: 0 with probability `rate`, otherwise 1 / (1 - rate), which keeps the
/// mean.
pub(crate) fn mask(rate: f64, count: usize, rng: &mut ChaCha8Rng) -> Vec<f32> {
    let keep = 1.0 - rate;
    let value = |kept| if kept { 1.0 / keep as f32 } else { 0.0 };
    (0..count).map(|_| value(rng.random_bool(keep))).collect()
}

/// The masks of a pass through a network whose dropout is
/// [active](super::Network::with_active_dropout).
///
/// Each row of the pass has its own stream, from which its masks are drawn layer by layer. A row's
/// masks therefore depend only on its name, not on its batch.
#[derive(Debug)]
pub struct Masks {
    rows: Vec<ChaCha8Rng>,
}

impl Masks {
    /// The masks of a pass, one stream per row.
    pub(super) fn new(rows: Vec<ChaCha8Rng>) -> Self {
        Self { rows }
    }

    /// The mask of the next dropout, for its input of the shape `[rows, c, h, w]`.
    pub(crate) fn next(&mut self, rate: f64, shape: [usize; 4], device: &Device) -> Tensor<4> {
        let [rows, c, h, w] = shape;
        assert_eq!(rows, self.rows.len(), "one stream of masks a row");
        let rows = self.rows.iter_mut();
        let values: Vec<f32> = rows.flat_map(|rng| mask(rate, c * h * w, rng)).collect();
        upload(values, shape, device)
    }
}
