//! Occlusion by a sliding window.

use ndarray::{Array2, Array3, s};

use super::{Wants, each_image};
use crate::attribution::{Batch, Explain, Method, Predict};
use crate::device::Tensor;
use crate::error::{Error, Result};

/// The decrease of the score when a window of the image is replaced by the baseline (Zeiler and
/// Fergus 2014, as in Captum). Each pixel has the mean over the windows that cover it. One pass per
/// window.
///
/// Windows cover all channels. If the strides do not end at the border, the last windows of a row
/// or column are cut off.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Occlusion {
    /// Rows and columns of the window (Captum has no default; here 3 x 3).
    pub window: [usize; 2],
    /// Pixels from one window to the next, down and to the right (Captum: 1).
    pub strides: [usize; 2],
}

impl Default for Occlusion {
    fn default() -> Self {
        Self {
            window: [3, 3],
            strides: [1, 1],
        }
    }
}

impl Occlusion {
    /// The number of windows from top to bottom and from left to right.
    fn positions(&self, image: [usize; 2]) -> Result<[usize; 2]> {
        let mut positions = [1; 2];
        for axis in 0..2 {
            let (window, stride) = (self.window[axis], self.strides[axis]);
            let room = image[axis].checked_sub(window).filter(|_| window > 0);
            positions[axis] = match room {
                Some(0) if stride > 0 => 1,
                // A longer stride would leave pixels without a window.
                Some(room) if (1..=window).contains(&stride) => room.div_ceil(stride) + 1,
                _ => {
                    return Err(Error::invalid(format!(
                        "occlusion by windows of {:?} pixels in strides of {:?} does not cover an image of {image:?}; \
                         windows may be as large as the image, and strides as long as the window",
                        self.window, self.strides
                    )));
                }
            };
        }
        Ok(positions)
    }
}

impl Method for Occlusion {
    fn name(&self) -> &'static str {
        "occlusion"
    }
}

impl<M: Predict> Explain<M> for Occlusion {
    fn attribute(&self, batch: &Batch<'_, M>) -> Result<Tensor<4>> {
        let (_, c, h, w) = batch.pixels().dim();
        let [down, right] = self.positions([h, w])?;
        // The rows and columns that a window hides.
        let place = |window: usize| {
            let range = |first: usize, axis: usize, end: usize| {
                let first = first * self.strides[axis];
                first..end.min(first + self.window[axis])
            };
            let (y, x) = (window / right, window % right);
            s![.., range(y, 0, h), range(x, 1, w)]
        };
        each_image(batch, Wants::Image, |subject| {
            let hidden = subject.scores(down * right, |window, mut variant| {
                let baseline = subject.baseline.slice(place(window));
                variant.slice_mut(place(window)).assign(&baseline);
            })?;
            let mut sum = Array3::<f64>::zeros((1, h, w));
            let mut windows = Array3::<f64>::zeros((1, h, w));
            for (window, score) in hidden.iter().enumerate() {
                let mut here = sum.slice_mut(place(window));
                here += subject.score - score;
                let mut here = windows.slice_mut(place(window));
                here += 1.0;
            }
            let mean: Array2<f64> = (sum / windows).remove_axis(ndarray::Axis(0));
            Ok(Array3::from_shape_fn((c, h, w), |(_, y, x)| {
                mean[[y, x]] as f32
            }))
        })
    }
}
