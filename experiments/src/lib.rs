//! Experiments live in `examples/`, one file a figure or study: `cargo run --release --example fig4_best`.
//!
//! This is what several studies of the paper share: how networks are trained, what explains them, and the means that
//! their analyses compare. One that trains a network as another one does shares its training, too. Programs that exchange
//! arrays with others share [`npy`], those that draw data [`pictures`].

pub mod defects;
pub mod means;
pub mod npy;
pub mod paired;
pub mod pictures;
pub mod twins;

use std::process::ExitCode;

use xai_core::lesions::Settings;
use xai_core::lesions::prelude::*;
use xai_core::metrics::Metrics;

/// How a program beside the experiments ends: what went wrong is one line.
pub fn exit_code(done: Result<()>) -> ExitCode {
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(problem) => {
            eprintln!("error: {problem}");
            ExitCode::FAILURE
        }
    }
}

/// Fine-tunes the network that was pre-trained on `corpus`: by the paper's optimizer at its scale, and below it by
/// Adam, which gets somewhere in few epochs.
pub fn fine_tune(
    lab: &Lab,
    corpus: Corpus,
    depth: Depth,
    rate: f64,
    seed: u64,
) -> Result<Fitted<Network>> {
    let start = lab.pretrained(corpus)?;
    lab.fine_tune(start, depth, optimizer(lab, rate), seed)
}

/// The optimizer of a scale; `rate` is meant for the scale's own network.
///
/// With `--weights` the network is the full VGG-16 at every scale. Adam changes each weight by as much however many feed
/// a unit, so that its rate has to fall as their number grows (Yang et al. 2021, "Tensor Programs V"). It grows most in the
/// first fully connected layer, whose units all die at a rate for a narrow network.
pub fn optimizer(lab: &Lab, rate: f64) -> Optimizer {
    let features = |settings: &Settings| {
        let network = &settings.network;
        (512 / network.width_divisor * network.pooled.pow(2)) as f64
    };
    let wider = features(lab.settings()) / features(&Settings::at(lab.scale()));
    let adam = Optimizer::Adam(rate / wider);
    let paper = Sgd::rate(rate).momentum(0.5).into();
    lab.scale().pick(adam, adam, paper)
}

/// Learning rates to choose the best from; at the paper's scale those that it found.
pub fn best_rates(scale: Scale, corpus: Corpus, depth: Depth) -> Vec<f64> {
    let published = match corpus {
        Corpus::Mri => [0.038, 0.03, 0.015, 0.03, 0.01],
        _ => [0.02, 0.008, 0.008, 0.008, 0.004], // ImageNet's
    };
    let paper = vec![published[depth as usize]];
    scale.pick(vec![0.002], vec![0.001, 0.003], paper)
}

/// Learning rates from which one can be chosen that gives a wanted accuracy; at the paper's scale those that it
/// found for 0.89.
pub fn matching_rates(scale: Scale, corpus: Corpus, depth: Depth) -> Vec<f64> {
    let published = match corpus {
        Corpus::Mri => [0.038, 0.01, 0.005, 0.005, 0.005],
        _ => [0.02, 0.0018, 0.0008, 0.0006, 0.0006], // ImageNet's
    };
    let paper = vec![published[depth as usize]];
    let desk = vec![0.000_1, 0.000_15, 0.000_2, 0.000_3, 0.000_4, 0.000_5];
    scale.pick(vec![0.000_5, 0.002], desk, paper)
}

/// Whether the networks of a scale learn the lesions at this depth from every corpus. The narrow ones below the paper's
/// scale do only where four blocks are trained or all.
pub fn learns(scale: Scale, depth: Depth) -> bool {
    scale == Scale::Paper || matches!(depth, Depth::Conv4 | Depth::All)
}

/// The paper's eight methods, with their precision on these images.
pub fn explain(model: &Network, images: Images) -> Result<Scores> {
    explain_and_score(model, images, Precision)
}

/// The same, scored by another metric.
pub fn explain_and_score(model: &Network, images: Images, metric: impl Metrics) -> Result<Scores> {
    explain!(
        model = *model,
        input = images,
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
        score = metric
    )
}

/// What knows no trained network, on the images that every compared network classifies correctly.
pub fn references(lab: &Lab) -> Result<Vec<Reference>> {
    let images = lab.test().classified_correctly_by_all()?;
    let sobel = explain!(input = images, methods = [Sobel], score = Precision)?;
    let laplace = explain!(input = images, methods = [Laplace], score = Precision)?;
    let intensity = explain!(input = images, methods = [Intensity], score = Precision)?;
    let untrained = explain(&lab.untrained(0), images)?;
    Ok(vec![
        Reference::new("Sobel filter", sobel),
        Reference::new("Laplace filter", laplace),
        Reference::new("Raw intensity", intensity),
        Reference::new("Untrained network", untrained),
    ])
}
