//! The defects of the public code as levels of a factor, and scores with them.

use ndarray::Axis;
use xai_core::lesions::PrecisionAsPublished;
use xai_core::lesions::making::{Defect, Defects, baselines};
use xai_core::lesions::prelude::*;
use xai_core::metrics::chance_name;

use crate::explain_and_score;

/// The defect that is switched on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Level)]
#[allow(missing_docs)] // told at `Defect`
pub enum Repeated {
    /// The corrected benchmark.
    None,
    #[level(title = "D1 rectangles")]
    D1,
    #[level(title = "D2 same lesions")]
    D2,
    #[level(title = "D3 dropout on")]
    D3,
    #[level(title = "D4 Sobel is Laplace")]
    D4,
    #[level(title = "D5 signed filters")]
    D5,
    #[level(title = "D6 one seed")]
    D6,
    #[level(title = "D7 known people")]
    D7,
    #[level(title = "D8 frozen first layers")]
    D8,
    #[level(title = "D9 no intensity")]
    D9,
    #[level(title = "D10 ties lost")]
    D10,
    /// The benchmark as published.
    #[level(title = "all ten")]
    All,
}

impl Repeated {
    /// As a set.
    pub fn defects(self) -> Defects {
        match self {
            Self::None => Defects::NONE,
            Self::All => Defects::ALL,
            one => Defects::NONE.with(Defect::ALL[one as usize - 1]),
        }
    }

    /// Whether it changes only the scores of filters.
    pub fn of_filters(self) -> bool {
        matches!(self, Self::D4 | Self::D5 | Self::D9)
    }
}

/// The precision of the eight methods on these images, with the defects applied.
///
/// # Errors
/// If maps cannot be scored.
pub fn score_methods(model: &Network, images: Images, defects: Defects) -> Result<Scores> {
    if !defects.has(Defect::TiesLost) {
        return explain_and_score(model, images, Precision);
    }
    // Stored under the name of the scores with which they are compared.
    let mut scores = explain_and_score(model, images, PrecisionAsPublished)?;
    for score in &mut scores {
        let published = PrecisionAsPublished.name();
        if score.metric == published {
            score.metric = Precision.name().to_owned();
        } else if score.metric == chance_name(published) {
            score.metric = chance_name(Precision.name());
        }
    }
    Ok(scores)
}

/// The precision of the filters, with the defects that affect them. Maps are scored directly, with
/// their sign.
///
/// # Errors
/// If the images have no ground truth.
pub fn score_filters(images: &Images, defects: Defects) -> Result<Scores> {
    let metric: &dyn Metric = if defects.has(Defect::TiesLost) {
        &PrecisionAsPublished
    } else {
        &Precision
    };
    let truth = images
        .truth
        .as_ref()
        .ok_or_else(|| Error::invalid("images without truth"))?;
    let mut scores = Scores::new();
    for (method, filter) in baselines(defects) {
        for (at, (&image, &class)) in images.index.iter().zip(&images.class).enumerate() {
            let grey = images.pixels.index_axis(Axis(0), at);
            let map = filter(grey.index_axis(Axis(0), 0));
            let value = metric.score(map.view(), truth.index_axis(Axis(0), at))?;
            scores.extend(value.map(|value| Score {
                image,
                class,
                method: method.to_owned(),
                metric: Precision.name().to_owned(),
                value,
            }));
        }
    }
    Ok(scores)
}
