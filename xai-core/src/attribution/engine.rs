//! The backward walk through a trace.

use super::rules::Rule;
use super::trace::Step;
use crate::device::Tensor;
use crate::network::Layer;

/// Sends `start`, a value for each output of the last of `steps`, back to the input of the first.
/// At each layer, `rule` defines what happens.
///
/// `steps` is [`Trace::steps`](super::Trace::steps) or the beginning of it.
pub fn propagate<'a>(
    steps: impl DoubleEndedIterator<Item = Step<'a>>,
    rule: &impl Rule,
    start: Tensor<4>,
) -> Tensor<4> {
    steps.rev().fold(start, |flow, step| match step.layer {
        Layer::Conv2d(_)
        | Layer::Linear(_)
        | Layer::BatchNorm2d(_)
        | Layer::AvgPool2d(_)
        | Layer::AdaptiveAvgPool2d(_) => rule.affine(&step, flow),
        Layer::Relu => rule.relu(&step, flow),
        Layer::Activation(_) => rule.activation(&step, flow),
        Layer::Softmax => rule.softmax(&step, flow),
        Layer::MaxPool2d(_) => rule.max_pool(&step, flow),
        Layer::Dropout(_) => rule.dropout(&step, flow),
        // It only moves values.
        Layer::Flatten => step.pull_back(flow),
        Layer::Residual(_) => {
            let flows = rule.sum(&step, flow);
            let [branch, shortcut] = [0, 1].map(|part| step.parts()[part].steps());
            let [to_branch, to_shortcut] = flows;
            propagate(branch, rule, to_branch) + propagate(shortcut, rule, to_shortcut)
        }
    })
}
