//! A device and the data on it.

use std::any::{Any, TypeId};
use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use super::kept::Kept;
use crate::device::{Device, DeviceChoice};
use crate::error::Result;

/// The place of the one value of a type and name, which may not exist yet.
type Place = Arc<Mutex<Option<Arc<dyn Any + Send + Sync>>>>;

/// A device and the data on it.
pub(super) struct OnDevice {
    pub choice: DeviceChoice,
    pub device: Device,
    memory: Mutex<HashMap<(TypeId, String), Place>>,
    pub kept: Kept,
}

impl OnDevice {
    /// # Errors
    /// If the device is not available.
    pub fn open(choice: DeviceChoice) -> Result<Self> {
        Ok(Self {
            choice,
            device: choice.open()?,
            memory: Mutex::default(),
            kept: Kept::default(),
        })
    }

    /// Returns the `T` with this name, created by `make` on first use.
    ///
    /// # Errors
    /// If `make` fails.
    pub fn once<T: Send + Sync + 'static>(
        &self,
        name: &str,
        make: impl FnOnce() -> Result<T>,
    ) -> Result<Arc<T>> {
        let mut memory = self.memory.lock().unwrap_or_else(PoisonError::into_inner);
        let place = memory.entry((TypeId::of::<T>(), name.to_owned()));
        let place = place.or_default().clone();
        drop(memory);
        // Only this value is locked, because `make` may request others.
        let mut place = place.lock().unwrap_or_else(PoisonError::into_inner);
        let value = match &*place {
            Some(value) => value.clone(),
            None => place.insert(Arc::new(make()?)).clone(),
        };
        Ok(value
            .downcast()
            .expect("entries are stored under their own type"))
    }
}
