//! Outputs of frozen layers in memory, for all trainings that share a start network and a degree of fine-tuning.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, PoisonError};

use crate::key::Key;
use crate::training::Examples;

/// Training and validation images after the frozen layers.
pub(super) type Pair = [Examples; 2];

/// A pair that is known, or being computed.
type Place = Arc<Mutex<Option<Arc<Pair>>>>;

/// What is kept in memory on one device, the one used last in front.
#[derive(Default)]
pub(super) struct FrozenCache {
    kept: Mutex<VecDeque<(Key, usize, Place)>>,
}

impl FrozenCache {
    /// The place of a pair of `bytes`. The ones used longest ago make room, so that no more than `budget` bytes are
    /// kept; trainings under way keep theirs as long as they run.
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
