// ANCHOR: file
// ANCHOR: title
use xai_core::lesions::prelude::*;
// ANCHOR_END: title

// ANCHOR: design
/// Do explanations improve when the whole network is fine-tuned?
#[rustfmt::skip] #[experiment(select(max = |v| v.accuracy), snapshot = smoke)]
struct FirstExperiment {
    // ANCHOR: axis
    #[axis([Depth::Conv1, Depth::All])] depth: Depth,
    // ANCHOR_END: axis
    // ANCHOR: tune
    #[tune([0.001, 0.003])] rate: f64,
    // ANCHOR_END: tune
    // ANCHOR: seed
    #[seed(1)] seed: u64,
    // ANCHOR_END: seed
}
// ANCHOR_END: design
impl Run for FirstExperiment {
    type Benchmark = Lesions;
    type Model = Network;
    // ANCHOR: fit
    fn fit(&self, lab: &Lab) -> Result<Fitted<Network>> {
        let start = lab.pretrained(Corpus::Shapes)?;
        lab.fine_tune(start, self.depth, Optimizer::Adam(self.rate), self.seed)
    }
    // ANCHOR_END: fit
    // ANCHOR: test
    fn test(&self, fitted: &Fitted<Network>, lab: &Lab) -> Result<Scores> {
        explain! { model = fitted.model, input = lab.test().classified_correctly_by_all()?,
            methods = [Saliency, InputXGradient, GuidedBackprop], score = Precision
        }
    }
    // ANCHOR_END: test
}
// ANCHOR: main
fn main() -> ExitCode {
    xai_core::run::<FirstExperiment>()
}
// ANCHOR_END: main
// ANCHOR_END: file
