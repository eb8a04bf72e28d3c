//! Uniform noise with the same numbers as `numpy.random.RandomState(seed)`.

use ndarray::Array2;

use crate::random::numpy::RandomState;

/// Uniform noise in [0, 1), drawn row by row: `RandomState(seed).uniform(size=(rows, columns))`.
pub fn uniform(seed: u32, rows: usize, columns: usize) -> Array2<f64> {
    let mut noise = vec![0.0; rows * columns];
    RandomState::new(seed).random_samples(&mut noise);
    Array2::from_shape_vec((rows, columns), noise).expect("as many numbers as pixels")
}
