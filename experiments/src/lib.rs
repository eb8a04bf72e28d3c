//! Experiments are in `examples/`, one file per figure or study:
//! `cargo run --release --example fig4_best`.
//!
//! This crate holds what several studies of the paper share: how networks are trained, which
//! methods explain them, and the means that their analyses compare. If two studies need the same
//! network, it is trained once. Programs that exchange arrays with others share [`npy`]. Programs
//! that draw the data share [`pictures`]. [`scans`] cuts a scan into images for `explain_image`.

pub mod defects;
pub mod figure4;
pub mod means;
pub mod network_pairs;
pub mod npy;
pub mod paired;
pub mod pictures;
pub mod policies;
pub mod scans;
pub mod which_metric;
pub mod xai_tris;

use std::process::ExitCode;

use xai_core::attribution::{Metrics, Panel};
use xai_core::lesions::Settings;
use xai_core::lesions::prelude::*;

/// Ends a program that is not an experiment. An error is printed as one line.
pub fn exit_code(done: Result<()>) -> ExitCode {
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(problem) => {
            eprintln!("error: {problem}");
            ExitCode::FAILURE
        }
    }
}

/// Fine-tunes the network that was pre-trained on `corpus`. At the paper's scale it uses the
/// paper's optimizer. Below it, it uses Adam, which makes progress in few epochs.
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

/// The optimizer of a scale. `rate` is for the scale's own network.
///
/// With `--weights`, the network is the full VGG-16 at every scale. Adam changes each weight by the
/// same amount, however many inputs a unit has. Its rate must therefore fall as the number of
/// inputs grows (Yang et al. 2021, "Tensor Programs V"). At [`Scale::Night`] this network is the
/// scale's own.
pub fn optimizer(lab: &Lab, rate: f64) -> Optimizer {
    let divisor = |settings: &Settings| settings.network.width_divisor as f64;
    let wider = divisor(&Settings::at(lab.scale())) / divisor(lab.settings());
    let adam = Optimizer::Adam(rate / wider);
    let paper = Sgd::rate(rate).momentum(0.5).into();
    lab.scale().pick(adam, adam, paper)
}

/// Learning rates to select from. At the paper's scale, the published ones. There, each corpus has
/// its own.
pub fn best_rates(scale: Scale, corpus: Corpus, depth: Depth) -> Vec<f64> {
    let published = match corpus {
        Corpus::Mri => [0.038, 0.03, 0.015, 0.03, 0.01],
        _ => [0.02, 0.008, 0.008, 0.008, 0.004], // ImageNet's
    };
    if scale == Scale::Night {
        return vec![0.000_1, 0.000_3];
    }
    let paper = vec![published[depth as usize]];
    scale.pick(vec![0.002], vec![0.001, 0.003], paper)
}

/// Learning rates among which one gives the wanted accuracy. At the paper's scale, the published
/// ones for 0.89.
pub fn matching_rates(scale: Scale, corpus: Corpus, depth: Depth) -> Vec<f64> {
    let published = match corpus {
        Corpus::Mri => [0.038, 0.01, 0.005, 0.005, 0.005],
        _ => [0.02, 0.0018, 0.0008, 0.0006, 0.0006], // ImageNet's
    };
    if scale == Scale::Night {
        // With features from ImageNet, three trained blocks reach 0.97 even at 0.00001.
        return match corpus {
            Corpus::Mri => vec![0.000_03, 0.000_1, 0.000_3],
            _ => vec![0.000_003, 0.000_01, 0.000_3],
        };
    }
    let paper = vec![published[depth as usize]];
    let desk = vec![0.000_1, 0.000_15, 0.000_2, 0.000_3, 0.000_4, 0.000_5];
    scale.pick(vec![0.000_5, 0.002], desk, paper)
}

/// Whether the networks of a scale learn the lesions at this depth with every corpus. The narrow
/// networks of the smaller scales do so only if at least four blocks are trained.
pub fn learns(scale: Scale, depth: Depth) -> bool {
    matches!(scale, Scale::Night | Scale::Paper) || matches!(depth, Depth::Conv4 | Depth::All)
}

/// The paper's eight methods, in its order. `seed` is that of GradientSHAP's draws.
pub fn the_eight(seed: u64) -> Panel<Network> {
    the_eight_with(IntegratedGradients { steps: 50 }, seed)
}

/// As [`the_eight()`], with other points for integrated gradients.
pub fn the_eight_with(integrated: IntegratedGradients, seed: u64) -> Panel<Network> {
    Panel::new()
        .with(integrated)
        .with(GradientShap {
            seed,
            ..Default::default()
        })
        .with(DeepLift)
        .with(Saliency)
        .with(InputXGradient)
        .with(GuidedBackprop)
        .with(Deconvolution)
        .with(Lrp::epsilon(1e-9))
}

/// The precision of the paper's eight methods on these images.
pub fn explain(model: &Network, images: Images) -> Result<Scores> {
    explain_and_score(model, images, Precision)
}

/// As [`explain()`], with another metric.
pub fn explain_and_score(
    model: &Network,
    images: Images,
    metric: impl Metrics<Network>,
) -> Result<Scores> {
    the_eight(0).score(model, &images, &metric)
}

/// References without a trained network, on the images that every compared network classifies
/// correctly.
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
