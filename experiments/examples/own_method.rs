//! Your own method: a propagation rule between the gradient and guided backpropagation.
use xai_core::attribution::{Batch, Explain, Layered, Method, Rule, Step, propagate};
use xai_core::device::Tensor;
use xai_core::tetromino::prelude::*;

// ANCHOR: rule
/// Guided backpropagation that keeps a share of the negative gradients.
struct SoftGuided {
    keep: f64,
}

impl Rule for SoftGuided {
    fn relu(&self, step: &Step<'_>, flow: Tensor<4>) -> Tensor<4> {
        let negative = flow.clone().clamp_max(0.0);
        step.pull_back(flow.clamp_min(0.0) + negative * self.keep)
    }
}
// ANCHOR_END: rule

// ANCHOR: method
impl Method for SoftGuided {
    fn name(&self) -> &'static str {
        "soft_guided"
    }
}

impl<M: Layered> Explain<M> for SoftGuided {
    fn attribute(&self, batch: &Batch<'_, M>) -> Result<Tensor<4>> {
        Ok(propagate(
            batch.trace().steps(),
            self,
            batch.target_scores(),
        ))
    }
}
// ANCHOR_END: method

// ANCHOR: experiment
/// How much of the negative gradient should guided backpropagation keep?
#[experiment(snapshot = smoke)]
struct OwnMethod {
    #[axis([0.0, 0.5, 1.0])]
    keep: f64,
    #[seed(|scale| scale.pick(1, 3, 5))]
    seed: u64,
}

impl Run for OwnMethod {
    type Benchmark = Tetromino;
    type Model = Network;

    fn fit(&self, lab: &Lab) -> Result<Fitted<Network>> {
        lab.train_model(Architecture::Mlp, self.seed)
    }

    fn test(&self, fitted: &Fitted<Network>, lab: &Lab) -> Result<Scores> {
        explain! { model = fitted.model, score = Precision,
            input = lab.test().classified_correctly_by_all()?,
            methods = [GuidedBackprop, Saliency, SoftGuided { keep: self.keep }],
        }
    }
}

fn main() -> ExitCode {
    xai_core::run::<OwnMethod>()
}
// ANCHOR_END: experiment
