//! Methods that go back through patterns in the place of weights.

use std::sync::Arc;

use crate::attribution::patterns::Patterns;
use crate::attribution::{Batch, Explain, Layered, Method, propagate};
use crate::device::Tensor;
use crate::error::Result;

/// PatternNet (Kindermans et al. 2018): what in the image the network's active units look for. The target's score flows
/// back as a gradient does, but through each linear layer's [patterns](Patterns).
#[derive(Clone, Debug)]
pub struct PatternNet {
    patterns: Arc<Patterns>,
}

/// PatternAttribution (Kindermans et al. 2018): how much of the score each pixel of that signal is worth. The target's
/// score flows back through each linear layer's [patterns](Patterns) times its weights.
#[derive(Clone, Debug)]
pub struct PatternAttribution {
    patterns: Arc<Patterns>,
}

impl PatternNet {
    /// With the patterns of the network that will be explained.
    pub fn new(patterns: Arc<Patterns>) -> Self {
        Self { patterns }
    }
}

impl PatternAttribution {
    /// With the patterns of the network that will be explained.
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
