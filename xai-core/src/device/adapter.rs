//! Information about a GPU.

use serde::{Deserialize, Serialize};

/// A GPU and its driver, for plan, manifest and the list of devices.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Adapter {
    /// Such as `NVIDIA H200`.
    pub name: String,
    /// Such as `NVIDIA 580.159.04`.
    pub driver: String,
}
