//! What happens to a heat map before it is compared with the ground truth.

use ndarray::{Array2, ArrayView2, ArrayView3, Axis, s};

use super::combine::{Channels, Combine, Sign};
use crate::error::{Error, Result};
use crate::image::gaussian;

/// How a heat map is made of an attribution, and what happens to it and to the ground truth before
/// they are compared. Each step is off by default. They come in this order:
///
/// 1. channels are combined, and negative values count as [`Combine`] says;
/// 2. the map is [blurred](Self::blur);
/// 3. small values are [cut](Self::cut_below);
/// 4. pixels [outside](Self::inside_image) the brain, or any object on a dark background, are dropped;
/// 5. the ground truth is [dilated](Self::tolerance).
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct PostProcessing {
    combine: Combine,
    full_width: Option<f64>,
    percentile: Option<f64>,
    background: Option<f32>,
    tolerance: usize,
}

impl From<Combine> for PostProcessing {
    fn from(combine: Combine) -> Self {
        Self {
            combine,
            ..Self::default()
        }
    }
}

impl From<Sign> for PostProcessing {
    fn from(sign: Sign) -> Self {
        Combine::from(sign).into()
    }
}

impl From<Channels> for PostProcessing {
    fn from(channels: Channels) -> Self {
        Combine::from(channels).into()
    }
}

impl PostProcessing {
    /// Sets how channels are combined, and how negative values count.
    #[must_use]
    pub fn combine(self, combine: impl Into<Combine>) -> Self {
        Self {
            combine: combine.into(),
            ..self
        }
    }

    /// Blurs the map by a Gaussian of this full width at half maximum (FWHM), in pixels, as is
    /// common for statistical maps of the brain. Its standard deviation is FWHM / 2.355.
    #[must_use]
    pub fn blur(self, full_width: f64) -> Self {
        Self {
            full_width: Some(full_width),
            ..self
        }
    }

    /// Sets every value below this percentile of the map's values to 0: 90 keeps the highest tenth.
    /// The percentile is NumPy's, with linear interpolation. If it is below 0, no value is set to 0,
    /// because 0 would come before the values that are kept.
    #[must_use]
    pub fn cut_below(self, percentile: f64) -> Self {
        Self {
            percentile: Some(percentile),
            ..self
        }
    }

    /// Drops pixels where no channel of the image is above `background`, 0 for scans without their skull: they get
    /// the smallest value of the map, or 0 if that is larger. For metrics that
    /// [add up absolute values](super::Metric::adds_absolute_values) they are always 0.
    #[must_use]
    pub fn inside_image(self, background: f32) -> Self {
        Self {
            background: Some(background),
            ..self
        }
    }

    /// Counts pixels of up to this distance from the ground truth as part of it: the truth is
    /// dilated by a disk of this radius, in pixels. The chance level rises with it.
    #[must_use]
    pub fn tolerance(self, radius: usize) -> Self {
        Self {
            tolerance: radius,
            ..self
        }
    }

    /// How channels are combined. This can happen on any device.
    pub(crate) fn combined(&self) -> Combine {
        self.combine
    }

    /// Returns an error unless the numbers make sense.
    pub(crate) fn check(&self) -> Result<()> {
        if let Some(width) = self.full_width
            && !(width.is_finite() && width > 0.0)
        {
            return Err(Error::invalid(format!(
                "a map cannot be blurred by {width} pixels; give a full width above 0"
            )));
        }
        match self.percentile {
            Some(percent) if !(0.0..=100.0).contains(&percent) => Err(Error::invalid(format!(
                "a map cannot be cut below percentile {percent}; give one from 0 to 100"
            ))),
            _ => Ok(()),
        }
    }

    /// The heat map of an attribution `[c, h, w]` of an image `[c, h, w]`. Channels may be combined
    /// already.
    ///
    /// # Errors
    /// As [`Combine::heat`].
    pub fn heat(
        &self,
        attribution: ArrayView3<f32>,
        image: ArrayView3<f32>,
    ) -> Result<Array2<f32>> {
        let mut map = self.combine.heat(attribution)?;
        if let Some(width) = self.full_width {
            let sigma = width / (8.0 * std::f64::consts::LN_2).sqrt();
            map = gaussian(map.mapv(f64::from).view(), sigma).mapv(|value| value as f32);
        }
        if let Some(percent) = self.percentile {
            let cut = percentile(map.view(), percent);
            if cut >= 0.0 {
                map.mapv_inplace(|value| if value < cut { 0.0 } else { value });
            }
        }
        if let Some(background) = self.background {
            let least = map.iter().copied().fold(0.0, f32::min);
            fill_outside(&mut map, image, background, least);
        }
        Ok(map)
    }

    /// The heat map for metrics that add up absolute values, if it is another one: dropped pixels are
    /// 0. In a signed map, the smallest value has a large absolute value.
    pub(crate) fn without_dropped(
        &self,
        map: ArrayView2<f32>,
        image: ArrayView3<f32>,
    ) -> Option<Array2<f32>> {
        let background = self.background?;
        if self.combine.sign != Sign::Signed {
            return None;
        }
        let mut map = map.to_owned();
        fill_outside(&mut map, image, background, 0.0);
        Some(map)
    }

    /// The ground truth with which a map is compared.
    pub fn truth(&self, truth: ArrayView2<bool>) -> Array2<bool> {
        let radius = self.tolerance;
        if radius == 0 {
            return truth.to_owned();
        }
        let (h, w) = truth.dim();
        let mut dilated = Array2::from_elem((h, w), false);
        for ((y, x), _) in truth.indexed_iter().filter(|(_, inside)| **inside) {
            for row in y.saturating_sub(radius)..h.min(y + radius + 1) {
                let reach = (radius.pow(2) - y.abs_diff(row).pow(2)).isqrt();
                let columns = x.saturating_sub(reach)..w.min(x + reach + 1);
                dilated.slice_mut(s![row, columns]).fill(true);
            }
        }
        dilated
    }
}

/// Sets the pixels where no channel of the image is above `background` to `value`.
fn fill_outside(map: &mut Array2<f32>, image: ArrayView3<f32>, background: f32, value: f32) {
    let brightest = image.fold_axis(Axis(0), f32::NEG_INFINITY, |a, &b| a.max(b));
    ndarray::Zip::from(map)
        .and(&brightest)
        .for_each(|pixel, &brightest| {
            if brightest <= background {
                *pixel = value;
            }
        });
}

/// The percentile of a map's values, with linear interpolation, in 32 bits as the map.
fn percentile(map: ArrayView2<f32>, percent: f64) -> f32 {
    let mut values: Vec<f32> = map.iter().copied().collect();
    values.sort_unstable_by(f32::total_cmp);
    let Some(last) = values.len().checked_sub(1) else {
        return 0.0;
    };
    let place = percent / 100.0 * last as f64;
    let below = values[place.floor() as usize];
    let above = values[place.ceil() as usize];
    let between = f64::from(above) - f64::from(below);
    (f64::from(below) + between * place.fract()) as f32
}
