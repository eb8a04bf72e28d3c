//! What all cells of a device share in memory: images, and outputs of frozen layers.

use std::any::{Any, TypeId};
use std::collections::VecDeque;
use std::sync::{Arc, Mutex, PoisonError};

use crate::dataset::Dataset;
use crate::error::Result;
use crate::sweep::keep::Outside;
use crate::training::Examples;

/// Training and validation images after the frozen layers.
pub(super) type Pair = [Examples; 2];

/// A value of a known size.
pub(super) trait InMemory: Any + Send + Sync {
    /// The bytes that it occupies on its device.
    fn bytes(&self) -> usize;
}

impl InMemory for Dataset {
    fn bytes(&self) -> usize {
        size_of::<f32>() * self.images().len() + self.truth().map_or(0, |truth| truth.len())
    }
}

impl InMemory for Examples {
    fn bytes(&self) -> usize {
        self.bytes_in_memory()
    }
}

impl InMemory for Pair {
    fn bytes(&self) -> usize {
        self.iter().map(Examples::bytes_in_memory).sum()
    }
}

/// A value in memory, and the code outside of the experiment's file that it comes from.
pub(super) struct OfCode<T> {
    pub value: Arc<T>,
    pub code: Outside,
}

impl<T: InMemory> InMemory for OfCode<T> {
    fn bytes(&self) -> usize {
        self.value.bytes()
    }
}

/// A value that is finished or being made.
type Place = Arc<Mutex<Option<Arc<dyn Any + Send + Sync>>>>;

struct Entry {
    /// The type and the name of the value.
    of: (TypeId, String),
    bytes: usize,
    place: Place,
}

/// The values, the most recently used first.
#[derive(Default)]
pub(super) struct Kept(Mutex<VecDeque<Entry>>);

impl Kept {
    /// The `T` with this name, created by `make` if it is not here. What was used longest ago makes
    /// room, so that at most `budget` bytes are kept, or one value. Those who use a value keep it
    /// until they finish.
    ///
    /// # Errors
    /// If `make` fails.
    pub fn get<T: InMemory>(
        &self,
        name: &str,
        budget: usize,
        make: impl FnOnce() -> Result<T>,
    ) -> Result<Arc<T>> {
        let of = (TypeId::of::<T>(), name.to_owned());
        let place = self.place(&of);
        // Only this value is locked, because `make` may ask for others.
        let mut place = place.lock().unwrap_or_else(PoisonError::into_inner);
        let value = match &*place {
            Some(value) => value.clone(),
            None => {
                let value = Arc::new(make()?);
                self.resize(&of, value.bytes(), budget);
                place.insert(value).clone()
            }
        };
        Ok(value
            .downcast()
            .expect("entries are stored under their own type"))
    }

    /// Drops everything that nobody uses any more.
    pub fn clear(&self) {
        self.entries().clear();
    }

    /// The place of a value, which becomes the most recently used one.
    fn place(&self, of: &(TypeId, String)) -> Place {
        let mut entries = self.entries();
        let known = entries.iter().position(|entry| entry.of == *of);
        let entry = known.and_then(|at| entries.remove(at));
        let entry = entry.unwrap_or_else(|| Entry {
            of: of.clone(),
            bytes: 0,
            place: Place::default(),
        });
        let place = entry.place.clone();
        entries.push_front(entry);
        place
    }

    /// Notes the size of a value that has just been made, and removes others for it.
    fn resize(&self, of: &(TypeId, String), bytes: usize, budget: usize) {
        let mut entries = self.entries();
        if let Some(entry) = entries.iter_mut().find(|entry| entry.of == *of) {
            entry.bytes = bytes;
        }
        // An entry without bytes is being made, and somebody waits for it.
        let total = |entries: &VecDeque<Entry>| entries.iter().map(|e| e.bytes).sum::<usize>();
        while total(&entries) > budget
            && let Some(oldest) = entries.iter().rposition(|e| e.bytes > 0 && e.of != *of)
        {
            entries.remove(oldest);
        }
    }

    fn entries(&self) -> std::sync::MutexGuard<'_, VecDeque<Entry>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use ndarray::Array3;

    /// 40 bytes of pixels.
    fn images() -> Result<Dataset> {
        Dataset::grey(Array3::zeros((1, 2, 5)), vec![0])
    }

    #[test]
    fn what_was_used_longest_ago_makes_room() {
        let kept = Kept::default();
        let here = |name: &str| {
            let mut made = false;
            let make = || {
                made = true;
                images()
            };
            kept.get(name, 100, make).unwrap();
            !made
        };
        assert!(!here("a") && !here("b"));
        assert!(here("b") && here("a"));
        assert!(!here("c"), "it is new");
        assert!(here("a"), "it was used last");
        assert!(!here("b"), "its memory was given to c");
        kept.clear();
        assert!(!here("b"));
    }

    #[test]
    fn a_value_is_shared_and_one_that_is_too_large_is_kept_alone() {
        let kept = Kept::default();
        let get = |name| kept.get(name, 10, images).unwrap();
        let a = get("a");
        assert!(Arc::ptr_eq(&a, &get("a")));
        get("b");
        assert!(!Arc::ptr_eq(&a, &get("a")));
        assert_eq!(kept.entries().len(), 1);
        let failed = kept.get::<Dataset>("c", 10, || Err(crate::Error::invalid("no images")));
        assert!(failed.is_err());
        assert!(kept.get("c", 10, images).is_ok());
    }
}
