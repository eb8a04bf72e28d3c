//! Baselines: images that stand for "nothing".

use ndarray::{Array3, Array4, ArrayView4, Axis};

use crate::error::{Error, Result};
use crate::image::gaussian;

/// The image that stands for "nothing". Paths start at it, and perturbations replace what they
/// remove by it. All methods of a [`Panel`](super::Panel) use the same baseline, so that they can
/// be compared.
#[derive(Clone, Debug, Default, PartialEq)]
pub enum Baseline {
    /// 0 everywhere: black.
    #[default]
    Zero,
    /// Each channel's mean in the image.
    Mean,
    /// The image blurred by a Gaussian of this standard deviation in pixels.
    Blurred(f64),
    /// This image, `[c, h, w]`, for all images.
    Image(Array3<f32>),
}

impl Baseline {
    /// Returns an error unless the baseline fits images `[c, h, w]`.
    pub(super) fn check(&self, image: [usize; 3]) -> Result<()> {
        match self {
            Self::Blurred(sigma) if !(sigma.is_finite() && *sigma > 0.0) => Err(Error::invalid(
                format!("a baseline cannot be blurred by {sigma} pixels; give a number above 0"),
            )),
            Self::Image(given) if <[usize; 3]>::from(given.dim()) != image => {
                Err(Error::invalid(format!(
                    "the baseline is {:?} (channels, height, width), the images are {image:?}; make them equal",
                    given.dim()
                )))
            }
            Self::Image(given) if given.iter().any(|value| !value.is_finite()) => Err(
                Error::invalid("the baseline holds NaN or an infinity; pixels are finite numbers"),
            ),
            _ => Ok(()),
        }
    }

    /// The baseline of each of the images `[n, c, h, w]`, or one baseline for all, `[1, c, h, w]`.
    pub(super) fn of(&self, images: ArrayView4<f32>) -> Array4<f32> {
        let (n, c, h, w) = images.dim();
        match self {
            Self::Zero => Array4::zeros((1, c, h, w)),
            Self::Image(image) => image.clone().insert_axis(Axis(0)),
            Self::Mean => Array4::from_shape_fn((n, c, 1, 1), |(i, channel, ..)| {
                let values = images.index_axis(Axis(0), i);
                let values = values.index_axis(Axis(0), channel);
                let sum: f64 = values.iter().map(|&value| f64::from(value)).sum();
                (sum / (h * w) as f64) as f32
            })
            .broadcast((n, c, h, w))
            .expect("one value a channel")
            .to_owned(),
            Self::Blurred(sigma) => {
                let mut blurred = images.to_owned();
                for mut image in blurred.outer_iter_mut() {
                    for mut channel in image.outer_iter_mut() {
                        let smooth = gaussian(channel.mapv(f64::from).view(), *sigma);
                        channel.assign(&smooth.mapv(|value| value as f32));
                    }
                }
                blurred
            }
        }
    }
}
