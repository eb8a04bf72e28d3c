//! Filters without a network as methods. They are references for other methods.

use burn::tensor::TensorData;
use ndarray::{Array2, ArrayView2, Axis};
use rand::Rng;

use crate::attribution::{Batch, Explain, Method};
use crate::device::{Tensor, upload};
use crate::error::Result;
use crate::image::filters;

/// The magnitude of the Sobel gradient of the image: see [`filters::sobel`].
#[derive(Clone, Copy, Debug, Default)]
pub struct Sobel;

/// The absolute Laplacian of the image: see [`filters::laplace`].
#[derive(Clone, Copy, Debug, Default)]
pub struct Laplace;

/// The image itself: see [`filters::intensity`].
#[derive(Clone, Copy, Debug, Default)]
pub struct Intensity;

macro_rules! filter {
    ($method:ty, $name:literal, $filter:path) => {
        impl Method for $method {
            fn name(&self) -> &'static str {
                $name
            }
        }

        impl<M> Explain<M> for $method {
            fn attribute(&self, batch: &Batch<'_, M>) -> Result<Tensor<4>> {
                Ok(each_channel(batch, $filter))
            }
        }
    };
}

filter!(Sobel, "sobel", filters::sobel);
filter!(Laplace, "laplace", filters::laplace);
filter!(Intensity, "intensity", filters::intensity);

/// Filters every channel of every image separately. Grey images have one channel.
fn each_channel<M>(batch: &Batch<'_, M>, filter: fn(ArrayView2<f32>) -> Array2<f32>) -> Tensor<4> {
    let (n, c, h, w) = batch.pixels().dim();
    let mut values = Vec::with_capacity(n * c * h * w);
    for image in batch.pixels().axis_iter(Axis(0)) {
        for channel in image.axis_iter(Axis(0)) {
            values.extend(filter(channel));
        }
    }
    upload(values, [n, c, h, w], batch.device())
}

/// Uniform random numbers from -1 to 1. Each image has its own random stream.
#[derive(Clone, Copy, Debug, Default)]
pub struct UniformNoise {
    /// The seed of the numbers.
    pub seed: u64,
}

impl Method for UniformNoise {
    fn name(&self) -> &'static str {
        "uniform_noise"
    }
}

impl<M> Explain<M> for UniformNoise {
    fn attribute(&self, batch: &Batch<'_, M>) -> Result<Tensor<4>> {
        let (n, c, h, w) = batch.pixels().dim();
        let values = (0..n).flat_map(|image| {
            let mut random = batch.stream(self.seed, self.name(), image, 0);
            (0..c * h * w)
                .map(move |_| random.random_range(-1.0..1.0))
                .collect::<Vec<f32>>()
        });
        Ok(Tensor::from_data(
            TensorData::new(values.collect(), [n, c, h, w]),
            batch.device(),
        ))
    }
}
