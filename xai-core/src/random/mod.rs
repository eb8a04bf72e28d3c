//! Named random streams. Every draw comes from a stream that is identified by a seed and a purpose,
//! so no result depends on the order of computation or on the number of threads. Only the published
//! lesions and images need another generator, [`numpy`]'s.

pub mod numpy;

use rand::Rng;
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

/// `count` of `all` places in order, spread evenly: the first of each of `count` equal parts.
///
/// Images often follow a repeating order, such as the classes or the heights of the slices. If the distance between the
/// chosen places fits this order, all chosen images could be of one class. In this case, one place is drawn from each
/// part.
///
/// # Panics
/// If `count` is greater than `all`.
pub(crate) fn spaced(count: usize, all: usize) -> Vec<usize> {
    assert!(count <= all, "{count} of {all} places");
    let start = |part: usize| part * all / count;
    let repeats = (1..all).contains(&count) && (2 * all).is_multiple_of(count);
    let mut random = stream(0, &format!("spaced/{count}/{all}"));
    (0..count)
        .map(|part| {
            if repeats {
                random.random_range(start(part)..start(part + 1))
            } else {
                start(part)
            }
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::spaced;

    /// In orders that repeat after 2 to 13 images, each place has about its share, whatever the
    /// numbers of images.
    #[test]
    fn spaced_places_follow_no_repeating_order() {
        for (count, all) in [
            (256, 512),
            (64, 128),
            (125, 250),
            (64, 416),
            (64, 408),
            (96, 1440),
        ] {
            let places = spaced(count, all);
            assert_eq!(places.len(), count);
            assert!(places.is_sorted_by(|a, b| a < b) && places[count - 1] < all);
            for period in [2, 12, 13] {
                for of in 0..period {
                    let found = places.iter().filter(|&&place| place % period == of).count();
                    let share = count as f64 / period as f64;
                    // Four standard deviations of a random choice.
                    let most = 4.0 * (share * (1.0 - 1.0 / period as f64)).sqrt();
                    let off = (found as f64 - share).abs();
                    assert!(off <= most, "{count} of {all}: {found} at {of} of {period}");
                }
            }
        }
        assert_eq!(spaced(3, 3), [0, 1, 2]);
        assert!(spaced(0, 5).is_empty());
        // No common divisor: the first of each part.
        assert_eq!(spaced(9, 20), [0, 2, 4, 6, 8, 11, 13, 15, 17]);
    }
}
