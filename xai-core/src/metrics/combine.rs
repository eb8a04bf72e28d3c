//! From an attribution per channel to one heat map.

use ndarray::{Array2, ArrayView3, Axis, Zip};

use crate::device::Tensor;
use crate::error::{Error, Result};

/// The weights of red, green and blue in the paper: the luma of ITU-R BT.601.
const LUMA: [f32; 3] = [0.2989, 0.5870, 0.1140];

/// How an attribution `[c, h, w]` becomes a heat map `[h, w]`. The [`Sign`] policy is applied
/// first, in every channel, and then the [`Channels`] policy. The default is the paper's.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Combine {
    /// How negative attributions count.
    pub sign: Sign,
    /// How channels are combined.
    pub channels: Channels,
}

/// How negative attributions count.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, clap::ValueEnum)]
pub enum Sign {
    /// By their absolute value: evidence against the class is also relevant (the paper, EXACT).
    #[default]
    Absolute,
    /// As 0: only evidence for the class is relevant.
    Positive,
    /// Unchanged: in a ranking, they come after 0. Metrics of mass still use the absolute values of
    /// the map.
    Signed,
}

/// How channels are combined.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, clap::ValueEnum)]
pub enum Channels {
    /// The sum with the paper's weights 0.2989, 0.5870 and 0.1140. Needs three channels; a single
    /// channel is unchanged.
    #[default]
    Luma,
    /// The plain sum. If signs are kept, the map has the same total as the attribution, which methods
    /// such as LRP conserve.
    Sum,
    /// The value farthest from 0. Among equally far values, the first.
    MaxAbs,
}

impl From<Sign> for Combine {
    fn from(sign: Sign) -> Self {
        Self {
            sign,
            ..Self::default()
        }
    }
}

impl From<Channels> for Combine {
    fn from(channels: Channels) -> Self {
        Self {
            channels,
            ..Self::default()
        }
    }
}

impl Combine {
    /// As [`heat`](Self::heat), for attributions `[n, c, h, w]` on their device. Returns
    /// `[n, 1, h, w]`, so that only one map per image is transferred from a GPU. Applying `heat` to
    /// such a map leaves it unchanged.
    ///
    /// # Errors
    /// As [`heat`](Self::heat).
    pub fn heat_in_place(self, attributions: Tensor<4>) -> Result<Tensor<4>> {
        let [_, channels, ..] = attributions.dims();
        let weights = self.weights(channels)?;
        let signed = match self.sign {
            Sign::Absolute => attributions.abs(),
            Sign::Positive => {
                let negative = attributions.clone().lower_elem(0.0);
                attributions.mask_fill(negative, 0.0)
            }
            Sign::Signed => attributions,
        };
        let of_channel = (signed.chunk(channels, 1).into_iter().zip(weights))
            .map(|(values, weight)| values.mul_scalar(weight));
        let heat = of_channel.reduce(|heat, values| match self.channels {
            Channels::Luma | Channels::Sum => heat + values,
            Channels::MaxAbs => {
                let farther = values.clone().abs().greater(heat.clone().abs());
                let farther = farther.bool_or(values.clone().is_nan());
                heat.mask_where(farther, values)
            }
        });
        heat.ok_or_else(|| Error::invalid("the attribution has no channels"))
    }

    /// The weight of each of the channels.
    fn weights(self, channels: usize) -> Result<Vec<f32>> {
        match (self.channels, channels) {
            (Channels::Luma, 3) => Ok(LUMA.to_vec()),
            (Channels::Luma, 1) | (Channels::Sum | Channels::MaxAbs, _) => Ok(vec![1.0; channels]),
            (Channels::Luma, _) => Err(Error::invalid(format!(
                "the paper's weights are for 3 channels or 1; an attribution of {channels} channels \
                 becomes a heat map by `Channels::Sum` or `Channels::MaxAbs`"
            ))),
        }
    }

    /// The heat map of an attribution.
    ///
    /// # Errors
    /// For [`Channels::Luma`], if the number of channels is neither 1 nor 3.
    pub fn heat(self, attribution: ArrayView3<f32>) -> Result<Array2<f32>> {
        let (channels, height, width) = attribution.dim();
        let weights = self.weights(channels)?;
        let mut map = Array2::zeros((height, width));
        for (channel, &weight) in attribution.axis_iter(Axis(0)).zip(&weights) {
            Zip::from(&mut map)
                .and(channel)
                .for_each(|heat: &mut f32, &value| {
                    let value = match self.sign {
                        Sign::Absolute => value.abs(),
                        Sign::Positive if value < 0.0 => 0.0,
                        Sign::Positive | Sign::Signed => value,
                    };
                    match self.channels {
                        Channels::Luma | Channels::Sum => *heat += weight * value,
                        // A NaN must be kept, because the metrics reject it.
                        Channels::MaxAbs if value.abs() > heat.abs() || value.is_nan() => {
                            *heat = value
                        }
                        Channels::MaxAbs => {}
                    }
                });
        }
        Ok(map)
    }
}

/// The heat map of an attribution as in the paper: [`Combine::heat`] with the default policies.
///
/// # Errors
/// If the number of channels is neither 1 nor 3.
pub fn combine(attribution: ArrayView3<f32>) -> Result<Array2<f32>> {
    Combine::default().heat(attribution)
}
