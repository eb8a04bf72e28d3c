//! Figure 4 of the paper: how well explanations find the lesions, by what the network was
//! pre-trained on and by how much of it was fine-tuned, at the best accuracy of each.

use xai_core::prelude::*;

/// Explanation performance by pre-training corpus and degree of fine-tuning, at the best accuracy
/// that each of them reaches (Oliveira et al. 2024, Figure 4).
#[experiment(select(max = |v| v.accuracy), snapshot = smoke)]
struct Fig4Best {
    #[axis]
    corpus: Corpus,
    #[axis]
    depth: Depth,
    #[tune(|scale, corpus, depth| rates(scale, corpus, depth))]
    rate: f64,
    #[seed(|scale| scale.pick(1, 1, 3))]
    seed: u64,
}

impl Run for Fig4Best {
    type Model = Network;

    fn fit(&self, lab: &Lab) -> Result<Fitted<Network>> {
        let start = lab.pretrained(self.corpus)?;
        let adam = Optimizer::Adam(self.rate);
        let paper = Sgd::rate(self.rate).momentum(0.5).into();
        let optimizer = lab.scale().pick(adam, adam, paper);
        lab.fine_tune(start, self.depth, optimizer, self.seed)
    }

    fn test(&self, fitted: &Fitted<Network>, lab: &Lab) -> Result<Scores> {
        explain(&fitted.model, lab)
    }

    fn baselines(lab: &Lab) -> Result<Vec<Baseline>> {
        let images = lab.test().classified_correctly_by_all()?;
        let sobel = explain!(input = images, methods = [Sobel], score = Precision)?;
        let laplace = explain!(input = images, methods = [Laplace], score = Precision)?;
        let intensity = explain!(input = images, methods = [Intensity], score = Precision)?;
        let untrained = explain(&lab.untrained(0), lab)?;
        Ok(vec![
            Baseline::new("Sobel filter", sobel),
            Baseline::new("Laplace filter", laplace),
            Baseline::new("Raw intensity", intensity),
            Baseline::new("Untrained network", untrained),
        ])
    }
}

/// Learning rates to choose from; at the paper's scale those that it found.
fn rates(scale: Scale, corpus: Corpus, depth: Depth) -> Vec<f64> {
    let published = match corpus {
        Corpus::Shapes => [0.02, 0.008, 0.008, 0.008, 0.004],
        Corpus::Mri => [0.038, 0.03, 0.015, 0.03, 0.01],
    };
    let paper = vec![published[depth as usize]];
    scale.pick(vec![0.002], vec![0.001, 0.003], paper)
}

/// The paper's eight methods on the images that every compared network classifies correctly.
fn explain(model: &Network, lab: &Lab) -> Result<Scores> {
    explain!(
        model = *model,
        input = lab.test().classified_correctly_by_all()?,
        methods = [
            IntegratedGradients { steps: 50 },
            GradientShap::default(),
            DeepLift,
            Saliency,
            InputXGradient,
            GuidedBackprop,
            Deconvolution,
            Lrp::epsilon(1e-9),
        ],
        score = Precision
    )
}

fn main() -> ExitCode {
    xai_core::run::<Fig4Best>()
}
