//! Methods that propagate back through patterns instead of weights.

use std::sync::Arc;

use crate::attribution::patterns::Patterns;
use crate::attribution::{Batch, Explain, Layered, Method, propagate};
use crate::device::Tensor;
use crate::error::Result;

/// PatternNet (Kindermans et al. 2018): the signal in the image that the network's active units
/// respond to. It propagates the target's score like a gradient, but uses the [patterns](Patterns)
/// of each linear layer instead of its weights.
#[derive(Clone, Debug)]
pub struct PatternNet {
    patterns: Arc<Patterns>,
}

/// PatternAttribution (Kindermans et al. 2018): how much each pixel of that signal contributes to
/// the score. It propagates the target's score through the [patterns](Patterns) of each linear
/// layer times its weights.
#[derive(Clone, Debug)]
pub struct PatternAttribution {
    patterns: Arc<Patterns>,
}

impl PatternNet {
    /// Uses these patterns. They must be those of the network that will be explained.
    pub fn new(patterns: Arc<Patterns>) -> Self {
        Self { patterns }
    }
}

impl PatternAttribution {
    /// Uses these patterns. They must be those of the network that will be explained.
    pub fn new(patterns: Arc<Patterns>) -> Self {
        Self { patterns }
    }
}

impl Method for PatternNet {
    fn name(&self) -> &'static str {
        "pattern_net"
    }
}

impl Method for PatternAttribution {
    fn name(&self) -> &'static str {
        "pattern_attribution"
    }
}

impl<M: Layered> Explain<M> for PatternNet {
    fn attribute(&self, batch: &Batch<'_, M>) -> Result<Tensor<4>> {
        self.patterns.check(batch.model().network())?;
        Ok(propagate(
            batch.trace().steps(),
            &*self.patterns,
            batch.target_scores(),
        ))
    }
}

impl<M: Layered> Explain<M> for PatternAttribution {
    fn attribute(&self, batch: &Batch<'_, M>) -> Result<Tensor<4>> {
        let weighted = self.patterns.times_weights(batch.model().network())?;
        Ok(propagate(
            batch.trace().steps(),
            &weighted,
            batch.target_scores(),
        ))
    }
}
