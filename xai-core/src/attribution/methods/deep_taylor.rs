//! Deep Taylor decomposition.

use crate::attribution::lrp::{Composite, First, LrpRule};
use crate::attribution::{Batch, Explain, Layered, LrpComposite, Method};
use crate::device::Tensor;
use crate::error::Result;

/// Deep Taylor decomposition (Montavon et al. 2017). It distributes the target's score layer by
/// layer. For each unit, it uses a Taylor expansion around that unit's own root point.
///
/// Hidden layers distribute by positive contribution (z+). Biases are ignored. Batch normalisations
/// are merged into the layers before them.
#[derive(Clone, Copy, Debug)]
pub struct DeepTaylor {
    composite: LrpComposite,
}

impl DeepTaylor {
    /// For pixels of any value: the first layer distributes by squared weight (w2).
    pub fn unbounded() -> Self {
        Self::with_first(Some(LrpRule::WSquareWithoutBias))
    }

    /// For pixels between `low` and `high`: the first layer distributes by zB.
    pub fn bounded(low: f64, high: f64) -> Self {
        Self::with_first(Some(LrpRule::ZBox { low, high }))
    }

    /// As in iNNvestigate without bounds, and therefore in XAI-TRIS: the first layer distributes by
    /// z+ like all others.
    pub fn published() -> Self {
        Self::with_first(None)
    }

    fn with_first(first: Option<LrpRule>) -> Self {
        let z_plus = LrpRule::ZPlusWithoutBias;
        let composite = Composite {
            first: first.map(First::Affine),
            ..Composite::all(z_plus)
        };
        Self {
            composite: LrpComposite::new("deep_taylor", composite),
        }
    }
}

impl Method for DeepTaylor {
    fn name(&self) -> &'static str {
        "deep_taylor"
    }
}

impl<M: Layered> Explain<M> for DeepTaylor {
    fn attribute(&self, batch: &Batch<'_, M>) -> Result<Tensor<4>> {
        self.composite.attribute(batch)
    }
}
