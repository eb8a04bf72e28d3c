//! Content keys: the same key means the same result. The versions of this crate's code are part of
//! them.

use std::fmt;
use std::fs::File;
use std::path::Path;

use ndarray::ArrayView3;
use serde::{Deserialize, Serialize};
use serde_json::Value as Json;

use crate::error::{Error, Result};

/// Raise this when a change to data, networks or training changes the result of a fit.
pub const FIT_CODE: u32 = 5;

/// Raise this when a change to attribution or metrics changes scores. Models are kept.
pub const TEST_CODE: u32 = 15;

/// A fingerprint of this crate's code, comments and layout aside. It is recorded and is no part of keys.
pub const FINGERPRINT: &str = xai_macros::fingerprint!();

/// A hash (BLAKE3, 128 bits, in hexadecimal) of everything that determines a result.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Key(String);

impl Key {
    /// The key of `inputs`.
    ///
    /// It depends only on their content. The order of a map's entries does not matter. Numbers have
    /// one canonical form: -0.0 equals 0.0, but 1 and 1.0 differ because their types differ.
    ///
    /// # Errors
    /// If `inputs` cannot be written as JSON.
    pub fn of(inputs: &impl Serialize) -> Result<Self> {
        let json = serde_json::to_value(inputs).map_err(|error| {
            Error::invalid(format!("a key needs inputs that JSON can hold: {error}"))
        })?;
        let mut hash = blake3::Hasher::new();
        absorb(&mut hash, &json);
        Ok(Self::of_hash(&hash.finalize()))
    }

    /// A key from a hash computed elsewhere.
    pub(crate) fn of_hash(hash: &blake3::Hash) -> Self {
        Self(hash.to_hex()[..32].to_owned())
    }

    /// The key that is written in the name of a file or folder.
    pub(crate) fn of_text(text: &str) -> Self {
        Self(text.to_owned())
    }

    /// The first 64 bits as a number, to seed a random stream.
    pub fn seed(&self) -> u64 {
        u64::from_str_radix(&self.0[..16], 16).expect("a key is hexadecimal")
    }

    /// The hexadecimal text, as used in folder names.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// The length of a file, and the hash of its content.
pub(crate) fn hash_of_file(path: &Path) -> Result<(u64, blake3::Hash)> {
    let mut hash = blake3::Hasher::new();
    let read = File::open(path).and_then(|file| hash.update_reader(file).map(drop));
    read.map_err(|error| Error::file(path, error))?;
    Ok((hash.count(), hash.finalize()))
}

/// The hash of the pixels of an image, in order.
pub(crate) fn hash_of_image(image: ArrayView3<f32>) -> blake3::Hash {
    let bytes: Vec<u8> = image.iter().flat_map(|pixel| pixel.to_le_bytes()).collect();
    blake3::hash(&bytes)
}

/// Hashes a value with its type and length, so that different values give different bytes.
fn absorb(hash: &mut blake3::Hasher, json: &Json) {
    match json {
        Json::Null => frame(hash, b'n', &[]),
        Json::Bool(value) => frame(hash, b'b', &[u8::from(*value)]),
        Json::Number(number) => {
            if let Some(value) = number.as_u64() {
                frame(hash, b'u', &value.to_le_bytes());
            } else if let Some(value) = number.as_i64() {
                frame(hash, b'i', &value.to_le_bytes());
            } else {
                let value = number
                    .as_f64()
                    .expect("a JSON number is an integer or a float")
                    + 0.0;
                frame(hash, b'f', &value.to_bits().to_le_bytes());
            }
        }
        Json::String(text) => frame(hash, b's', text.as_bytes()),
        Json::Array(items) => {
            frame(hash, b'a', &(items.len() as u64).to_le_bytes());
            items.iter().for_each(|item| absorb(hash, item));
        }
        Json::Object(entries) => {
            frame(hash, b'o', &(entries.len() as u64).to_le_bytes());
            let mut names: Vec<_> = entries.keys().collect();
            names.sort();
            for name in names {
                frame(hash, b'k', name.as_bytes());
                absorb(hash, &entries[name]);
            }
        }
    }
}

fn frame(hash: &mut blake3::Hasher, tag: u8, bytes: &[u8]) {
    hash.update(&[tag]);
    hash.update(&(bytes.len() as u64).to_le_bytes());
    hash.update(bytes);
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn content_alone_decides() {
        let key = |json: Json| Key::of(&json).unwrap();
        assert_eq!(
            key(json!({"a": 1, "b": 0.0})),
            key(json!({"b": -0.0, "a": 1}))
        );
        assert_ne!(key(json!({"a": 1})), key(json!({"a": 1.0})));
        assert_ne!(key(json!(["ab", "c"])), key(json!(["a", "bc"])));
        assert_ne!(key(json!([["a"], "b"])), key(json!([["a", "b"]])));
        assert_ne!(key(json!(0.1 + 0.2)), key(json!(0.3)));
    }

    /// Keys name folders that outlive a build. If this value changes, all existing results are
    /// orphaned. The expected key was computed by Python's blake3 from the framing that `absorb`
    /// describes.
    #[test]
    fn keys_do_not_change_between_builds() {
        let key = Key::of(&json!({"experiment": "fig4_best", "rate": 0.01, "seed": 3})).unwrap();
        assert_eq!(key.as_str(), "a20348c6fc31eb3c8ed2c1fb8ffa8d64");
    }
}
