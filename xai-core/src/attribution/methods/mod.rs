//! The methods. Each is a value that holds its options. Defaults are Captum's.

use super::{Explain, Layered, Segments};
use crate::error::{Error, Result};

mod cam;
mod composite;
mod deep_taylor;
mod expected;
mod filters;
mod gradient;
mod path;
mod patterns;
mod perturbation;
mod relevance;
mod smooth;

pub use cam::{GradCam, GuidedGradCam};
pub use composite::LrpComposite;
pub use deep_taylor::DeepTaylor;
pub use expected::ExpectedGradients;
pub use filters::{Intensity, Laplace, Sobel, UniformNoise};
pub use gradient::{Deconvolution, GuidedBackprop, InputXGradient, Saliency};
pub(super) use path::gauss_legendre;
pub use path::{GradientShap, IntegratedGradients};
pub use patterns::{PatternAttribution, PatternNet};
pub use perturbation::{
    FeatureAblation, FeaturePermutation, KernelShap, Lime, Occlusion, Rise, ShapleyValueSampling,
};
pub use relevance::{DeepLift, DeepLiftCaptum, DeepLiftShap, Lrp};
pub use smooth::SmoothGrad;

/// What a method needs from a model. Each kind of model also provides what stands before it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Needs {
    /// Nothing: filters of the image.
    Nothing,
    /// Scores: [`Predict`](super::Predict).
    Scores,
    /// A gradient: [`Differentiable`](super::Differentiable).
    Gradient,
    /// Layers: [`Layered`].
    Layers,
}

/// A method that can be requested by name.
#[derive(Clone, Copy, Debug)]
pub struct Entry {
    /// The name, as accepted by [`named`].
    pub name: &'static str,
    /// What it needs from a model.
    pub needs: Needs,
    /// Its options and passes through the model, as set by [`named`].
    pub defaults: &'static str,
    /// Whether `all` includes it: the paper's eight, Captum's variant of DeepLIFT, and the filters.
    pub in_all: bool,
}

const fn entry(name: &'static str, needs: Needs, defaults: &'static str) -> Entry {
    Entry {
        name,
        needs,
        defaults,
        in_all: false,
    }
}

const fn in_all(name: &'static str, needs: Needs, defaults: &'static str) -> Entry {
    Entry {
        name,
        needs,
        defaults,
        in_all: true,
    }
}

/// All methods known to [`named`].
#[rustfmt::skip]
pub const METHODS: &[Entry] = &[
    in_all("integrated_gradients", Needs::Gradient, "50 points: 50 passes forward and back"),
    in_all("gradient_shap", Needs::Gradient, "5 points: 5 passes forward and back"),
    in_all("deep_lift", Needs::Layers, "the published rule: one pass back"),
    in_all("deep_lift_captum", Needs::Layers, "as Captum 0.6 to 0.9 computes it: one pass back"),
    in_all("saliency", Needs::Gradient, "one pass back"),
    in_all("input_x_gradient", Needs::Gradient, "one pass back"),
    in_all("guided_backprop", Needs::Layers, "one pass back"),
    in_all("deconvolution", Needs::Layers, "one pass back"),
    in_all("lrp", Needs::Layers, "epsilon rule, 1e-9: one pass back"),
    in_all("sobel", Needs::Nothing, "no pass"),
    in_all("laplace", Needs::Nothing, "no pass"),
    in_all("intensity", Needs::Nothing, "no pass"),
    entry("uniform_noise", Needs::Nothing, "from -1 to 1: no pass"),
    entry("lrp_epsilon_plus", Needs::Layers, "zennit's EpsilonPlus: one pass back"),
    entry("lrp_epsilon_gamma_box", Needs::Layers, "zennit's EpsilonGammaBox, pixels from 0 to 1: one pass back"),
    entry("lrp_epsilon_alpha2_beta1", Needs::Layers, "zennit's EpsilonAlpha2Beta1: one pass back"),
    entry("deep_taylor", Needs::Layers, "w2 in the first layer, z+ in the others: one pass back"),
    entry("grad_cam", Needs::Layers, "one pass back to the last convolution"),
    entry("guided_grad_cam", Needs::Layers, "two passes back"),
    entry("smooth_grad", Needs::Gradient, "saliency, 5 samples, noise 1: 5 passes forward and back"),
    entry("smooth_grad_squared", Needs::Gradient, "as smooth_grad"),
    entry("var_grad", Needs::Gradient, "as smooth_grad"),
    entry("occlusion", Needs::Scores, "windows of 3 x 3, strides 1: one pass per window"),
    entry("feature_ablation", Needs::Scores, "each value is a part: one pass per part"),
    entry("shapley_value_sampling", Needs::Scores, "each value is a part, 25 orders: 25 passes per part"),
    entry("lime", Needs::Scores, "each value is a part, Lasso 0.01: 50 passes"),
    entry("kernel_shap", Needs::Scores, "each value is a part: 23 passes"),
    entry("rise", Needs::Scores, "grid of 7 x 7, open with probability 0.5: 4000 passes"),
];

/// Pairs of methods that are identical or nearly so, with the reason. Showing both as two findings
/// would count one finding twice.
const ALIKE: [(&str, &str, &str); 2] = [
    (
        "lrp",
        "input_x_gradient",
        "in a ReLU network, LRP with the epsilon rule is the gradient times the input, except for the share of the biases (Ancona et al. 2018)",
    ),
    (
        "deep_lift",
        "deep_lift_captum",
        "they are the same method, with and without Captum's error",
    ),
];

/// Notes on methods that are shown side by side: one sentence per pair that is nearly the same.
pub fn notes(names: &[impl AsRef<str>]) -> Vec<String> {
    let has = |name: &str| names.iter().any(|other| other.as_ref() == name);
    let both = ALIKE.iter().filter(|(a, b, _)| has(a) && has(b));
    both.map(|(a, b, why)| format!("{a} and {b} are nearly the same: {why}"))
        .collect()
}

/// Settings for [`named`], apart from the name. A seed alone can be passed too.
#[derive(Clone, Debug, Default)]
pub struct Settings {
    /// Seed of the methods that draw samples.
    pub seed: u64,
    /// The parts of an image for perturbation methods.
    pub segments: Segments,
}

impl From<u64> for Settings {
    fn from(seed: u64) -> Self {
        Self {
            seed,
            ..Self::default()
        }
    }
}

/// The method of this name with its default options, for a [`Panel`](super::Panel) that is put
/// together at run time: `named("lime", 7)` with a seed for those that draw samples.
///
/// # Errors
/// A name that no method has; the message says which names there are.
pub fn named<M: Layered>(name: &str, settings: impl Into<Settings>) -> Result<Box<dyn Explain<M>>> {
    let Settings { seed, segments } = settings.into();
    Ok(match name {
        "integrated_gradients" => Box::new(IntegratedGradients::default()),
        "gradient_shap" => Box::new(GradientShap {
            seed,
            ..Default::default()
        }),
        "deep_lift" => Box::new(DeepLift),
        "deep_lift_captum" => Box::new(DeepLift::captum()),
        "saliency" => Box::new(Saliency),
        "input_x_gradient" => Box::new(InputXGradient),
        "guided_backprop" => Box::new(GuidedBackprop),
        "deconvolution" => Box::new(Deconvolution),
        "lrp" => Box::new(Lrp::default()),
        "lrp_epsilon_plus" => Box::new(LrpComposite::epsilon_plus()),
        "lrp_epsilon_gamma_box" => Box::new(LrpComposite::epsilon_gamma_box(0.0, 1.0)),
        "lrp_epsilon_alpha2_beta1" => Box::new(LrpComposite::epsilon_alpha2_beta1()),
        "deep_taylor" => Box::new(DeepTaylor::unbounded()),
        "grad_cam" => Box::new(GradCam::default()),
        "guided_grad_cam" => Box::new(GuidedGradCam::default()),
        "sobel" => Box::new(Sobel),
        "laplace" => Box::new(Laplace),
        "intensity" => Box::new(Intensity),
        "uniform_noise" => Box::new(UniformNoise { seed }),
        "smooth_grad" => Box::new(SmoothGrad::of(Saliency).seed(seed)),
        "smooth_grad_squared" => Box::new(SmoothGrad::of(Saliency).squared().seed(seed)),
        "var_grad" => Box::new(SmoothGrad::of(Saliency).variance().seed(seed)),
        "occlusion" => Box::new(Occlusion::default()),
        "feature_ablation" => Box::new(FeatureAblation { segments }),
        "shapley_value_sampling" => Box::new(ShapleyValueSampling {
            segments,
            seed,
            ..Default::default()
        }),
        "lime" => Box::new(Lime {
            segments,
            seed,
            ..Default::default()
        }),
        "kernel_shap" => Box::new(KernelShap {
            segments,
            seed,
            ..Default::default()
        }),
        "rise" => Box::new(Rise {
            seed,
            ..Default::default()
        }),
        _ => return Err(unknown(name)),
    })
}

fn unknown(name: &str) -> Error {
    let names = METHODS.iter().map(|method| method.name);
    let closeness = |other: &str| strsim::jaro_winkler(name, other);
    let near = (names.clone()).max_by(|a, b| closeness(a).total_cmp(&closeness(b)));
    let near = match near {
        Some(near) if closeness(near) > 0.8 => format!("did you mean `{near}`? "),
        _ => String::new(),
    };
    let names: Vec<&str> = names.collect();
    Error::invalid(format!(
        "no method is called `{name}`; {near}There are {}",
        names.join(", ")
    ))
}
