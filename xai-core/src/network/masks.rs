//! The masks of dropout.

use rand::Rng;
use rand_chacha::ChaCha8Rng;

use crate::device::{Device, Tensor, upload};

/// `count` values of a mask: 0 with probability `rate`, otherwise 1 / (1 - rate), which keeps the
/// mean.
///
/// The draws are those of `random_bool`, all at once.
pub(crate) fn mask(rate: f64, count: usize, rng: &mut ChaCha8Rng) -> Vec<f32> {
    let keep = 1.0 - rate;
    if keep >= 1.0 {
        return vec![1.0; count];
    }
    let (below, kept) = ((keep * 2f64.powi(64)) as u64, 1.0 / keep as f32);
    let mut draws = vec![0_u64; count];
    rng.fill(&mut draws[..]);
    let value = |draw: u64| if draw < below { kept } else { 0.0 };
    draws.into_iter().map(value).collect()
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::random;

    #[test]
    fn draws_are_those_of_random_bool() {
        for (at, rate) in [0.0, 0.1, 0.3, 0.5, 0.999].into_iter().enumerate() {
            let mut rngs = [0, 0].map(|_| random::stream(at as u64, "mask"));
            // An odd number of draws before, so that blocks of the generator are split.
            for rng in &mut rngs {
                rng.random::<u32>();
            }
            let kept = mask(rate, 1000, &mut rngs[0])
                .into_iter()
                .map(|value| value > 0.0);
            let drawn = (0..1000).map(|_| rngs[1].random_bool(1.0 - rate));
            assert!(kept.eq(drawn), "{rate}");
            let [a, b] = rngs.map(|mut rng| rng.random::<u32>());
            assert_eq!(a, b, "{rate}");
        }
    }
}
