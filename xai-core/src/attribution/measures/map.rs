//! What a heat map shows by itself.

use ndarray::Axis;

use super::{Explained, Measure};
use crate::attribution::batch::Batch;
use crate::error::Result;
use crate::metrics::complexity::sparseness;

/// How concentrated a heat map is: its Gini index, 0 if all pixels are alike and close to 1 if a
/// single one stands out (Chalasani et al. 2020; [`sparseness`]). It needs no model.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Sparseness;

impl<M> Measure<M> for Sparseness {
    fn name(&self) -> &'static str {
        "sparseness"
    }

    fn values(
        &self,
        _: &Batch<'_, M>,
        explained: &Explained<'_, M>,
    ) -> Result<Vec<Vec<Option<f64>>>> {
        explained.each(|method| {
            let maps = explained.heat[method].axis_iter(Axis(0));
            Ok(maps.map(sparseness).collect())
        })
    }
}
