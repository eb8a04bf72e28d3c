//! The embedded brain. With it, everything runs without a download.

use std::sync::LazyLock;

use crate::benchmarks::lesions::imaging::Volume;

/// The file of the brain. Its content is part of the keys of results that depend on it.
pub const COLIN27: &[u8] = include_bytes!("../../../../assets/colin27_t1_brain_1mm.nii.gz");

/// The Colin27 T1 brain: the average of 27 scans of one healthy adult, brain-extracted, 181 x 217 x 181
/// voxels of 1 mm, 0 outside the brain (Holmes et al. 1998). Copyright and terms:
/// `assets/colin27_t1_brain_1mm.txt`.
pub fn colin27() -> &'static Volume {
    static BRAIN: LazyLock<Volume> = LazyLock::new(|| {
        Volume::read(COLIN27).expect("the embedded brain is a NIfTI image; the tests read it")
    });
    &BRAIN
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Values from nibabel.
    #[test]
    fn the_embedded_brain_is_what_nibabel_reads() {
        let brain = colin27();
        assert_eq!(brain.voxels.dim(), (181, 217, 181));
        assert_eq!(brain.spacing_mm(), [1.0; 3]);
        assert_eq!(brain.voxels.iter().filter(|&&v| v > 0.0).count(), 1_737_193);
    }
}
