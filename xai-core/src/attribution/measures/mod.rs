//! Scores that need no ground truth: `score = (Precision, Deletion::default())`.
//!
//! A [`Metric`] compares a heat map with the ground truth. A [`Measure`] asks the model, or the
//! method once more: does the score fall when the map's pixels are removed? Does the explanation
//! change with the image, the class or the network? The formulas are in
//! [`metrics`](crate::metrics). This folder applies them to the methods of a panel.
//!
//! A measure is given all methods of a batch at once. What does not depend on the method, such as
//! perturbed images, networks with random parameters and their passes, is made once for all.

mod faithfulness;
mod map;
mod randomisation;
mod robustness;

use ndarray::{Array3, Array4, ArrayView4, Axis};

use super::batch::Batch;
use super::method::Explain;
use super::model::{Explainable, Predict};
use super::panel::{attribute, check_finite, download};
use crate::error::Result;
use crate::metrics::Metric;
use crate::network::Network;

pub use faithfulness::{Deletion, Infidelity, Insertion, PixelFlipping, Road};
pub use map::Sparseness;
pub use randomisation::{Mprt, RandomLogit, Randomised};
pub use robustness::MaxSensitivity;

/// A score of a method on an image that needs no ground truth.
///
/// The bounds of an implementation state what it needs from the model, as those of
/// [`Explain`]. For `score = ..`, implement [`Metrics`] as well: its `list` returns
/// `vec![Measured::WithoutTruth(self)]`.
pub trait Measure<M>: Sync {
    /// The name in snake case, as in score rows. It may not end in `_chance`, as those of chance levels do.
    fn name(&self) -> &'static str;

    /// The values of each method, one per image of the batch. `None` if the measure is undefined for
    /// an image.
    ///
    /// # Errors
    /// If the model or a method fails.
    fn values(
        &self,
        batch: &Batch<'_, M>,
        explained: &Explained<'_, M>,
    ) -> Result<Vec<Vec<Option<f64>>>>;
}

/// The explanations of a batch by the methods of a panel. Lists have one entry per method.
pub struct Explained<'a, M> {
    pub(super) methods: &'a [Box<dyn Explain<M>>],
    /// The attributions as the methods return them: `[n, c, h, w]`, signed, with as many channels as
    /// the model takes.
    pub attributions: Vec<Array4<f32>>,
    /// The heat maps `[n, h, w]`, as they are compared with the ground truth.
    pub heat: Vec<Array3<f32>>,
}

impl<M> Explained<'_, M> {
    /// The attributions of another batch by method number `method`.
    ///
    /// # Errors
    /// If the method fails.
    pub fn again(&self, method: usize, batch: &Batch<'_, M>) -> Result<Array4<f32>> {
        let method = &self.methods[method];
        let values = download(attribute(&**method, batch)?)?;
        check_finite(method.name(), batch.index(), &values)?;
        Ok(values)
    }

    /// The number of methods.
    pub fn len(&self) -> usize {
        self.methods.len()
    }

    /// Whether there is no method.
    pub fn is_empty(&self) -> bool {
        self.methods.is_empty()
    }

    /// The heat maps of a method as attributions of one channel, `[n, 1, h, w]`.
    fn heat_of(&self, method: usize) -> ArrayView4<'_, f32> {
        self.heat[method].view().insert_axis(Axis(1))
    }

    /// Values of a function of each method.
    fn each(
        &self,
        values: impl FnMut(usize) -> Result<Vec<Option<f64>>>,
    ) -> Result<Vec<Vec<Option<f64>>>> {
        (0..self.len()).map(values).collect()
    }
}

/// A score of either kind.
pub enum Measured<'a, M> {
    /// A comparison with the ground truth.
    WithTruth(&'a dyn Metric),
    /// A measure of the method and the model.
    WithoutTruth(&'a dyn Measure<M>),
}

impl<'a, M> Measured<'a, M> {
    /// The name in snake case.
    pub fn name(&self) -> &'static str {
        match self {
            Self::WithTruth(metric) => metric.name(),
            Self::WithoutTruth(measure) => measure.name(),
        }
    }

    pub(super) fn metric(&self) -> Option<&'a dyn Metric> {
        match self {
            Self::WithTruth(metric) => Some(*metric),
            Self::WithoutTruth(_) => None,
        }
    }
}

/// One score, as in `score = Precision`, or a tuple of up to twelve, as in
/// `score = (Precision, Auroc, Deletion::default())`, of explanations of a model of type `M`.
#[diagnostic::on_unimplemented(
    message = "`{Self}` cannot score explanations of a `{M}`",
    label = "this is not a score of a `{M}`",
    note = "a metric that compares a map with the ground truth implements `xai_core::metrics::Metric`",
    note = "deletion, insertion, pixel flipping, ROAD and infidelity need a model that predicts, MPRT needs a `Network`"
)]
pub trait Metrics<M>: Sync {
    /// The scores in order.
    fn list(&self) -> Vec<Measured<'_, M>>;
}

impl<M, T: Metric> Metrics<M> for T {
    fn list(&self) -> Vec<Measured<'_, M>> {
        vec![Measured::WithTruth(self)]
    }
}

/// A measure is a score by itself.
macro_rules! score {
    ($($measure:ident: <$model:ident $(: $bound:ident)?>),*) => {$(
        impl<$model $(: $bound)?> Metrics<$model> for $measure {
            fn list(&self) -> Vec<Measured<'_, $model>> {
                vec![Measured::WithoutTruth(self)]
            }
        }
    )*};
}
score!(
    Deletion: <M: Predict>,
    Insertion: <M: Predict>,
    PixelFlipping: <M: Predict>,
    Road: <M: Predict>,
    Infidelity: <M: Predict>,
    MaxSensitivity: <M: Explainable>,
    RandomLogit: <M: Predict>,
    Sparseness: <M>
);

impl Metrics<Network> for Mprt {
    fn list(&self) -> Vec<Measured<'_, Network>> {
        vec![Measured::WithoutTruth(self)]
    }
}

macro_rules! tuples {
    ($first:ident $($rest:ident)*) => {
        tuples!($($rest)*);
        impl<Model, $first: Metrics<Model>, $($rest: Metrics<Model>),*> Metrics<Model> for ($first, $($rest,)*) {
            fn list(&self) -> Vec<Measured<'_, Model>> {
                #[expect(non_snake_case, reason = "the types' names serve as names of the fields")]
                let ($first, $($rest,)*) = self;
                let lists = [$first.list() $(, $rest.list())*];
                lists.into_iter().flatten().collect()
            }
        }
    };
    () => {};
}
tuples!(A B C D E F G H I J K L);
