//! Methods that change the image and observe the score. They only need a model that can
//! [`Predict`].
//!
//! Removed parts are replaced by the panel's [baseline](crate::attribution::Panel::baseline).
//! Scores are the model's own; for a network, the logits.

mod ablation;
mod coalition;
mod kernel_shap;
mod lime;
mod linear;
mod occlusion;
mod permutation;
mod rise;
mod shapley;
mod variant;

use std::cell::{Cell, OnceCell};

use ndarray::{Array3, Array4, ArrayView3, ArrayViewMut3, Axis};

use crate::attribution::{Batch, Predict};
use crate::device::{Tensor, on_cpu, upload};
use crate::error::Result;
use variant::{FirstLayer, Variant};

pub use ablation::FeatureAblation;
pub use kernel_shap::KernelShap;
pub use lime::Lime;
pub use occlusion::Occlusion;
pub use permutation::FeaturePermutation;
pub use rise::Rise;
pub use shapley::ShapleyValueSampling;

/// On a CPU, as many variants pass through the model together as have this many numbers, so that they stay in the second-level
/// cache.
const IN_CACHE: usize = 1 << 18;
/// But at least so many.
const FEWEST: usize = 32;

/// One image of a batch, and what is known about it.
struct Subject<'b, 'a, M> {
    batch: &'b Batch<'a, M>,
    /// Its number in the batch.
    number: usize,
    /// `[c, h, w]`.
    pixels: ArrayView3<'b, f32>,
    /// `[c, h, w]`.
    baseline: ArrayView3<'b, f32>,
    /// The target's score.
    score: f64,
    /// The target's score for the baseline, if the method needs it.
    baseline_score: Option<f64>,
    /// The number of variants that the model has seen.
    seen: Cell<usize>,
    /// The model's first layer, if it is fully connected; looked for when it is needed.
    first: &'b OnceCell<Option<FirstLayer>>,
}

impl<M: Predict> Subject<'_, '_, M> {
    /// The scores of `count` variants. `paint` turns a copy of the image into the variant with a
    /// given number.
    ///
    /// As many variants as fit in memory, and in a CPU's cache, pass through the model together. Each is made when it is
    /// needed, in order.
    fn scores(
        &self,
        count: usize,
        mut paint: impl FnMut(usize, ArrayViewMut3<f32>),
    ) -> Result<Vec<f64>> {
        let (c, h, w) = self.pixels.dim();
        let together = self.together(self.pixels.len());
        let mut scores = Vec::with_capacity(count);
        while scores.len() < count {
            let first = scores.len();
            let rows = together.min(count - first);
            let mut variants = Array4::zeros((rows, c, h, w));
            for (row, mut variant) in variants.outer_iter_mut().enumerate() {
                variant.assign(&self.pixels);
                paint(first + row, variant);
            }
            let number = self.seen.replace(self.seen.get() + rows);
            let found = (self.batch).scores_of(self.number, number, variants.view())?;
            scores.extend(found.into_iter().map(f64::from));
        }
        Ok(scores)
    }

    /// A variant with these values `[c, h, w]`, for [`scores_in_turn`](Self::scores_in_turn).
    fn variant(&self, values: ArrayView3<f32>) -> Result<Variant> {
        let first = match self.first.get() {
            Some(first) => first,
            None => {
                let first = FirstLayer::of(self.batch)?;
                self.first.get_or_init(|| first)
            }
        };
        Variant::new(self.batch, values, first.clone())
    }

    /// The scores of `count` variants. `change` turns each into the next, whose number it is given.
    fn scores_in_turn(
        &self,
        mut variant: Variant,
        count: usize,
        mut change: impl FnMut(usize, &mut Variant),
    ) -> Result<Vec<f64>> {
        let (layers, shape) = variant.shape(self.pixels.dim());
        let together = self.together(shape.iter().product());
        let mut scores = Vec::with_capacity(count);
        while scores.len() < count {
            let first = scores.len();
            let rows = together.min(count - first);
            let mut values = Vec::with_capacity(rows * shape.iter().product::<usize>());
            for row in first..first + rows {
                change(row, &mut variant);
                variant.append_to(&mut values);
            }
            let number = self.seen.replace(self.seen.get() + rows);
            let found = (self.batch).scores_behind(layers, self.number, number, values, shape)?;
            scores.extend(found.into_iter().map(f64::from));
        }
        Ok(scores)
    }

    /// How many variants with so many values pass through the model together.
    fn together(&self, values: usize) -> usize {
        let rows = self.batch.rows();
        if on_cpu(self.batch.device()) {
            rows.min((IN_CACHE / values).max(FEWEST))
        } else {
            rows
        }
    }
}

/// Which passes of the baseline a method needs.
#[derive(Clone, Copy, PartialEq)]
enum Wants {
    Image,
    ImageAndBaseline,
}

/// Explains each image of a batch separately.
fn each_image<M: Predict>(
    batch: &Batch<'_, M>,
    wants: Wants,
    explain: impl Fn(Subject<'_, '_, M>) -> Result<Array3<f32>>,
) -> Result<Tensor<4>> {
    let (n, c, h, w) = batch.pixels().dim();
    let (pixels, baselines) = (batch.pixels(), batch.baseline_pixels());
    let scores = batch.scores()?;
    let baseline_scores = match wants {
        Wants::Image => None,
        Wants::ImageAndBaseline => Some(batch.baseline_scores()?),
    };
    let mut values = Vec::with_capacity(n * c * h * w);
    let first = OnceCell::new();
    for number in 0..n {
        let own_baseline = number % baselines.dim().0; // or the one of all
        let map = explain(Subject {
            batch,
            number,
            pixels: pixels.index_axis(Axis(0), number),
            baseline: baselines.index_axis(Axis(0), own_baseline),
            score: scores[number].into(),
            baseline_score: baseline_scores.as_ref().map(|scores| scores[number].into()),
            seen: Cell::new(0),
            first: &first,
        })?;
        values.extend(map);
    }
    Ok(upload(values, [n, c, h, w], batch.device()))
}
