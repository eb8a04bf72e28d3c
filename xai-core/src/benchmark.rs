//! The benchmark: images with lesions, their class and their ground truth.
