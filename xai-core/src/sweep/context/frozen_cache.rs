//! Outputs of frozen layers in memory, for all trainings with the same start network and the same
//! first trained layer.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, PoisonError};

use crate::key::Key;
use crate::training::Examples;

/// Training and validation images after the frozen layers.
pub(super) type Pair = [Examples; 2];

/// A pair that is finished or being computed.
type Place = Arc<Mutex<Option<Arc<Pair>>>>;

/// The pairs kept in memory on one device, the most recently used first.
#[derive(Default)]
pub(super) struct FrozenCache {
    kept: Mutex<VecDeque<(Key, usize, Place)>>,
}

impl FrozenCache {
    /// The place of a pair of `bytes`. The least recently used pairs are removed, so that at most
    /// `budget` bytes are kept. Running trainings keep theirs until they finish.
    pub fn place(&self, key: Key, bytes: usize, budget: usize) -> Place {
        let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        let known = kept.iter().position(|(known, ..)| *known == key);
        let entry = known.and_then(|at| kept.remove(at));
        let entry = entry.unwrap_or_else(|| (key, bytes, Place::default()));
        let place = entry.2.clone();
        kept.push_front(entry);
        while kept.iter().map(|(_, bytes, _)| bytes).sum::<usize>() > budget && kept.len() > 1 {
            kept.pop_back();
        }
        place
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_used_longest_ago_makes_room() {
        let frozen = FrozenCache::default();
        let key = |name: &str| Key::of(&name).unwrap();
        let known =
            |place: &Place, name: &str| Arc::ptr_eq(place, &frozen.place(key(name), 40, 100));
        let (a, b) = (
            frozen.place(key("a"), 40, 100),
            frozen.place(key("b"), 40, 100),
        );
        assert!(known(&b, "b") && known(&a, "a"));
        frozen.place(key("c"), 40, 100); // a was used last
        assert!(known(&a, "a"));
        assert!(!known(&b, "b"), "its memory was given to c");
    }
}
