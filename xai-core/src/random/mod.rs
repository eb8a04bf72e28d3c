//! Where randomness comes from. Named random streams: every draw belongs to a (seed, purpose) of its
//! own, so that no result depends on the order in which things are computed or on how many threads
//! do it. The published lesions and images alone need another generator: [`numpy`]'s.

pub mod numpy;

use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::SeedableRng;

/// The generator of the stream called `purpose` under `seed`.
///
/// Different purposes give independent streams; the same pair always gives the same stream.
/// `stream(7, "lesion/train/12")` is the generator of the lesions of training image 12.
pub fn stream(seed: u64, purpose: &str) -> ChaCha8Rng {
    let mut hash = blake3::Hasher::new();
    hash.update(&seed.to_le_bytes());
    hash.update(purpose.as_bytes());
    ChaCha8Rng::from_seed(*hash.finalize().as_bytes())
}
