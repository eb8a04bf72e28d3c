//! From an attribution per channel to one heat map.

use ndarray::{Array2, ArrayView3, Axis, Zip};

use crate::error::{Error, Result};

/// The weights of red, green and blue in the paper: the luma of ITU-R BT.601.
const LUMA: [f32; 3] = [0.2989, 0.5870, 0.1140];

/// Makes a heat map `[h, w]` of a signed attribution `[c, h, w]`, as in the paper: absolute value
/// first, then the sum of the three channels with the weights 0.2989, 0.5870 and 0.1140.
/// Of a single channel the absolute value is the map.
///
/// # Errors
/// Any number of channels but 1 and 3.
pub fn combine(attribution: ArrayView3<f32>) -> Result<Array2<f32>> {
    let (channels, height, width) = attribution.dim();
    let weights: &[f32] = match channels {
        1 => &[1.0],
        3 => &LUMA,
        _ => {
            return Err(Error::invalid(format!(
                "an attribution of {channels} channels has no agreed way to become one heat map; \
                 1 and 3 channels do"
            )));
        }
    };
    let mut map = Array2::zeros((height, width));
    for (channel, &weight) in attribution.axis_iter(Axis(0)).zip(weights) {
        Zip::from(&mut map)
            .and(channel)
            .for_each(|sum, &value| *sum += weight * value.abs());
    }
    Ok(map)
}
