//! Where the channels of images are in an ONNX graph. Keras puts them last, so it flattens images in the order row, column,
//! channel. torch's order is channel, row, column.

use super::stored::Stored;

/// The channels of the images at some place of a graph.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Channels {
    /// `[n, c, h, w]` with this number of channels.
    First(usize),
    /// `[n, h, w, c]` with this number of channels.
    Last(usize),
    /// `[n, c, h, w]` with any number of channels.
    FirstOfAny,
    /// `[n, h, w, c]` with any number of channels.
    LastOfAny,
    /// The graph does not say where they are.
    Unknown,
    /// There are no images here, only features in the order that a layer or the user has chosen.
    Flat,
}

impl Channels {
    /// Those of the images that go into the graph. `sizes` are its input's, each 0 if it is not known.
    ///
    /// A square image tells which axis is that of its channels. Otherwise it is the one with at most four values.
    pub fn of_images(sizes: &[usize]) -> Self {
        const FEW: usize = 4;
        let few = |size: usize| (1..=FEW).contains(&size);
        match *sizes {
            // One channel can stand anywhere.
            [_, c @ 1, _, _] | [_, _, _, c @ 1] => Self::First(c),
            [_, c, h, w] if h == w && c != h && c * h > 0 => Self::First(c),
            [_, h, w, c] if h == w && c != h && c * h > 0 => Self::Last(c),
            [_, c, _, w] if few(c) && !few(w) => Self::First(c),
            [_, h, _, c] if few(c) && !few(h) => Self::Last(c),
            [] | [_, _, _, _] => Self::Unknown,
            _ => Self::Flat,
        }
    }

    /// A transposition moves the channels to the end or to the front.
    pub fn moved(&mut self, last: bool) {
        *self = match (*self, last) {
            (Self::First(c) | Self::Last(c), false) => Self::First(c),
            (Self::First(c) | Self::Last(c), true) => Self::Last(c),
            (_, false) => Self::FirstOfAny,
            (_, true) => Self::LastOfAny,
        };
    }

    /// Whether they are known to be last.
    pub fn are_last(self) -> bool {
        matches!(self, Self::Last(_) | Self::LastOfAny)
    }

    /// The parameters `[.., features]` of all features of an image, or `[channels]` of its channels, in torch's order.
    ///
    /// # Errors
    /// If the parameters are a matrix, and the order of the features is not known. (Those of a normalisation may be of
    /// channels. If they are not, the error is that of the matrix that follows.)
    pub fn in_torchs_order(self, parameters: Stored<'static>) -> Result<Stored<'static>, String> {
        let channels = match self {
            Self::First(_) | Self::FirstOfAny | Self::Flat => return Ok(parameters),
            Self::Last(channels) => channels,
            Self::LastOfAny | Self::Unknown => 0,
        };
        let shape = parameters.shape.clone();
        let features = shape.last().copied().unwrap_or(0);
        if channels == 0 || !features.is_multiple_of(channels) {
            return match shape.len() {
                1 => Ok(parameters),
                _ => Err(
                    "does not say whether the channels of its images come first or last; export it with the sizes of \
                     its images as those of its input"
                        .to_owned(),
                ),
            };
        }
        let pixels = features / channels;
        let order = (0..shape.iter().product()).map(|place: usize| {
            let (row, feature) = (place / features, place % features);
            row * features + feature % pixels * channels + feature / pixels
        });
        Ok(parameters.reordered(shape, order))
    }
}
