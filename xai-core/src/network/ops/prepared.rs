//! Weights in the form that a kernel uses.

use std::sync::{Arc, Mutex, PoisonError};

use crate::device::Tensor;
use crate::network::storage::{Identity, identity, numbers};
use crate::network::winograd;

/// Weights in the form that a kernel uses, kept as long as the weights are in use and unchanged.
pub(super) struct Prepared<T>(Mutex<Vec<(Key, Arc<T>)>>);

/// The identity of the numbers, and their shape.
type Key = (Identity, [usize; 4]);

/// For `kernels::conv`.
pub(super) static PACKED: Prepared<Vec<f32>> = Prepared(Mutex::new(Vec::new()));
/// For [`winograd::conv`].
pub(super) static TRANSFORMED: Prepared<winograd::Weights> = Prepared(Mutex::new(Vec::new()));

impl<T> Prepared<T> {
    /// The form of `weight` `[out, in, kh, kw]` returned by `prepare`, which is called once per
    /// weight.
    pub fn of(&self, weight: Tensor<4>, prepare: impl Fn(&[f32]) -> T) -> Arc<T> {
        let shape = weight.dims();
        let weight = numbers(weight);
        let lock = || self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let same = |known: &Key| {
            known.1 == shape && identity(&weight).is_some_and(|id| id.ptr_eq(&known.0))
        };
        let mut known = lock();
        known.retain(|((identity, _), _)| identity.strong_count() > 0);
        if let Some((_, found)) = known.iter().find(|(key, _)| same(key)) {
            return found.clone();
        }
        drop(known);
        let new = Arc::new(prepare(&weight));
        if let Some(identity) = identity(&weight) {
            lock().push(((identity, shape), new.clone()));
        }
        new
    }
}
