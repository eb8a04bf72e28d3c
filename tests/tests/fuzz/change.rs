//! Changes to files, as they happen by damage, and as fuzzers make them.

use rand::Rng;

/// One of the files with some changes.
pub fn changed(seeds: &[Vec<u8>], rng: &mut impl Rng) -> Vec<u8> {
    let mut bytes = seeds[rng.random_range(0..seeds.len())].clone();
    for _ in 0..rng.random_range(1..=6) {
        change(&mut bytes, seeds, rng);
    }
    // Files stay small, so that many can be tried.
    bytes.truncate(64 << 10);
    bytes
}

fn change(bytes: &mut Vec<u8>, seeds: &[Vec<u8>], rng: &mut impl Rng) {
    if bytes.is_empty() {
        bytes.push(rng.random());
        return;
    }
    // Half of all changes fall into the beginning, where headers are.
    let end = if rng.random() {
        bytes.len().min(600)
    } else {
        bytes.len()
    };
    let at = rng.random_range(0..end);
    let length = rng.random_range(1..=32usize).min(bytes.len() - at);
    match rng.random_range(0..9) {
        0 => bytes[at] ^= 1 << rng.random_range(0..8),
        1 => bytes[at] = rng.random(),
        2 => {
            let odd = [0, 1, 0x7f, 0x80, 0xff, b'\n', b'"', b'\t', b'.', b'-', b'9'];
            bytes[at] = odd[rng.random_range(0..odd.len())];
        }
        // A number that is none too small.
        3 => {
            let number: u64 = match rng.random_range(0..5) {
                0 => u64::MAX,
                1 => u64::from(u32::MAX),
                2 => 1 << rng.random_range(0..64),
                3 => (1 << rng.random_range(1..63)) - 1,
                _ => rng.random_range(0..100),
            };
            let width = [2, 4, 8][rng.random_range(0..3)].min(bytes.len() - at);
            let number = if rng.random() {
                number.to_le_bytes()
            } else {
                number.swap_bytes().to_be_bytes()
            };
            bytes[at..at + width].copy_from_slice(&number[..width]);
        }
        4 => drop(bytes.drain(at..at + length)),
        5 => {
            let part = bytes[at..at + length].to_vec();
            let to = rng.random_range(0..=bytes.len());
            bytes.splice(to..to, part);
        }
        6 => {
            let other = &seeds[rng.random_range(0..seeds.len())];
            if !other.is_empty() {
                let from = rng.random_range(0..other.len());
                let part = &other[from..(from + length).min(other.len())];
                let to = (at + part.len()).min(bytes.len());
                bytes.splice(at..to, part.iter().copied());
            }
        }
        7 => {
            let part: Vec<u8> = (0..rng.random_range(1..8)).map(|_| rng.random()).collect();
            bytes.splice(at..at, part);
        }
        _ if rng.random_ratio(1, 4) => bytes.truncate(at),
        _ => bytes.swap(at, end - 1),
    }
}
