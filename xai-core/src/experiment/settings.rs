//! What each scale means in numbers, and the versions of the code. All of it is part of the keys.

use serde::Serialize;

use super::spec::Scale;

/// Raise this when a change to data, lesions, networks or training changes what a fit gives.
pub const FIT_CODE: u32 = 1;

/// Raise this when a change to attribution or scores changes what a test gives; models are kept.
pub const TEST_CODE: u32 = 1;

/// The sizes that a scale stands for.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Settings {
    /// Height and width of the images, in pixels.
    pub image_size: usize,
    /// What VGG-16's widths are divided by.
    pub width_divisor: usize,
}

impl Settings {
    /// The settings of a scale.
    pub fn at(scale: Scale) -> Self {
        Self {
            image_size: scale.pick(32, 112, 224),
            width_divisor: scale.pick(16, 8, 1),
        }
    }
}
