//! Named random streams. Every draw comes from a stream that is identified by a seed and a purpose,
//! so no result depends on the order of computation or on the number of threads. Only the published
//! lesions and images need another generator, [`numpy`]'s.

pub mod numpy;

use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::SeedableRng;

/// The generator of the stream called `purpose` with `seed`.
///
/// Different purposes give independent streams. The same pair always gives the same stream. For
/// example, `stream(7, "lesion/train/12")` generates the lesions of training image 12.
pub fn stream(seed: u64, purpose: &str) -> ChaCha8Rng {
    let mut hash = blake3::Hasher::new();
    hash.update(&seed.to_le_bytes());
    hash.update(purpose.as_bytes());
    ChaCha8Rng::from_seed(*hash.finalize().as_bytes())
}
