//! Layer-wise relevance propagation with different rules in different layers.

use crate::attribution::lrp::{AtActivation, Composite, First, LrpRule};
use crate::attribution::{Batch, Explain, Layered, Method, Trace, propagate};
use crate::device::Tensor;
use crate::error::Result;

/// Layer-wise relevance propagation with a [`Composite`]. The initial relevance is the target's
/// score. The named composites have zennit's rules and constants.
///
/// Batch normalisations are first merged into the layers before them.
#[derive(Clone, Copy, Debug)]
pub struct LrpComposite {
    name: &'static str,
    composite: Composite,
}

impl LrpComposite {
    /// Your own composite, under its own name.
    pub fn new(name: &'static str, composite: Composite) -> Self {
        Self { name, composite }
    }

    /// z+ in convolutions, epsilon (1e-6) in fully connected layers.
    pub fn epsilon_plus() -> Self {
        Self::new("lrp_epsilon_plus", over_epsilon(None, LrpRule::ZPlus))
    }

    /// Gamma (0.25) in convolutions, epsilon (1e-6) in fully connected layers, and zB in the first
    /// convolution for pixels between `low` and `high`, such as 0 and 1. A network without a convolution
    /// has epsilon everywhere.
    pub fn epsilon_gamma_box(low: f64, high: f64) -> Self {
        let first = First::Convolution(LrpRule::ZBox { low, high });
        let composite = over_epsilon(Some(first), LrpRule::Gamma(0.25));
        Self::new("lrp_epsilon_gamma_box", composite)
    }

    /// alpha-beta with 2 and 1 in convolutions, epsilon (1e-6) in fully connected layers.
    pub fn epsilon_alpha2_beta1() -> Self {
        let rule = LrpRule::AlphaBeta {
            alpha: 2.0,
            beta: 1.0,
        };
        Self::new("lrp_epsilon_alpha2_beta1", over_epsilon(None, rule))
    }

    /// z+ in convolutions, epsilon (1e-6) in fully connected layers, and flat in the first layer.
    pub fn epsilon_plus_flat() -> Self {
        let composite = over_epsilon(Some(First::Affine(LrpRule::Flat)), LrpRule::ZPlus);
        Self::new("lrp_epsilon_plus_flat", composite)
    }

    /// alpha-beta with 2 and 1 in convolutions, epsilon (1e-6) in fully connected layers, and flat in the first layer.
    pub fn epsilon_alpha2_beta1_flat() -> Self {
        let rule = LrpRule::AlphaBeta {
            alpha: 2.0,
            beta: 1.0,
        };
        let composite = over_epsilon(Some(First::Affine(LrpRule::Flat)), rule);
        Self::new("lrp_epsilon_alpha2_beta1_flat", composite)
    }

    /// Excitation backpropagation (Zhang et al. 2016): z+ in all layers. As with all composites, it starts from the target's
    /// score. The paper starts from 1, which is another scale. As in zennit, relevance is multiplied by the derivative of an
    /// activation, which matters for others than the ReLU.
    pub fn excitation_backprop() -> Self {
        let composite = Composite {
            activation: AtActivation::Derivative,
            ..Composite::all(LrpRule::ZPlus)
        };
        Self::new("excitation_backprop", composite)
    }
}

fn over_epsilon(first: Option<First>, convolution: LrpRule) -> Composite {
    Composite {
        first,
        convolution,
        ..Composite::all(LrpRule::Epsilon(1e-6))
    }
}

impl Method for LrpComposite {
    fn name(&self) -> &'static str {
        self.name
    }
}

impl<M: Layered> Explain<M> for LrpComposite {
    fn attribute(&self, batch: &Batch<'_, M>) -> Result<Tensor<4>> {
        let network = batch.model().network();
        let back = |trace: &Trace<'_>, layers| {
            let rule = self.composite.over(layers);
            propagate(trace.steps(), &rule, batch.target_scores())
        };
        if !network.has_batch_norm() {
            return Ok(back(batch.trace(), &network.layers));
        }
        // The merged network is a different one, so it cannot use the panel's pass.
        let merged = network.clone().fold_batch_norm();
        let trace = batch.trace_of(&merged);
        Ok(back(&trace, &merged.layers))
    }
}
