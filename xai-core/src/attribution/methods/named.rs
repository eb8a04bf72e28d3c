//! Methods by name, for programs that choose methods at run time, and for reports, which only know
//! names.

use super::{
    Deconvolution, DeepLift, DeepTaylor, FeatureAblation, GradCam, GradCamPlusPlus, GradientShap,
    GuidedBackprop, GuidedGradCam, HiResCam, InputXGradient, IntegratedGradients, Intensity,
    KernelShap, Laplace, LayerCam, Lime, Lrp, LrpComposite, Occlusion, Rise, Saliency,
    ShapleyValueSampling, SmoothGrad, Sobel, UniformNoise,
};
use crate::attribution::{Explain, Layered, Method, Segments};
use crate::error::{Error, Result};
use crate::network::Network;
use crate::suggest::did_you_mean;

/// What a method needs from a model. Every kind of model also provides the kinds above it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Needs {
    /// Nothing: filters of the image.
    Nothing,
    /// Scores: [`Predict`](crate::attribution::Predict).
    Scores,
    /// A gradient: [`Differentiable`](crate::attribution::Differentiable).
    Gradient,
    /// Layers: [`Layered`].
    Layers,
}

/// A method that can be requested by name.
pub struct NamedMethod<M> {
    /// The method's own name in snake case, as accepted by [`named`] and written in score rows.
    pub name: &'static str,
    /// Its name in tables and figures.
    pub title: &'static str,
    /// What it needs from a model.
    pub needs: Needs,
    /// Its options and passes through the model, as set by [`named`].
    pub defaults: &'static str,
    /// Whether `all` includes it: the paper's eight, Captum's variant of DeepLIFT, and the filters.
    pub in_all: bool,
    make: fn(Settings) -> Box<dyn Explain<M>>,
}

/// All methods known to [`named`].
#[rustfmt::skip]
pub fn all<M: Layered>() -> Vec<NamedMethod<M>> {
    use Needs::{Gradient, Layers, Nothing, Scores};
    vec![
        in_all("Integrated Gradients", Gradient, "50 points: 50 passes forward and back", |_| Box::new(IntegratedGradients::default())),
        in_all("GradientSHAP", Gradient, "5 points: 5 passes forward and back", |s| Box::new(GradientShap { seed: s.seed, ..Default::default() })),
        in_all("DeepLIFT", Layers, "the published rule: one pass back", |_| Box::new(DeepLift)),
        in_all("DeepLIFT (Captum)", Layers, "as Captum 0.6 to 0.9 computes it: two passes back", |_| Box::new(DeepLift::captum())),
        in_all("Saliency", Gradient, "one pass back", |_| Box::new(Saliency)),
        in_all("Input × Gradient", Gradient, "one pass back", |_| Box::new(InputXGradient)),
        in_all("Guided Backprop", Layers, "one pass back", |_| Box::new(GuidedBackprop)),
        in_all("Deconvolution", Layers, "one pass back", |_| Box::new(Deconvolution)),
        in_all("LRP", Layers, "epsilon rule, 1e-9: one pass back", |_| Box::new(Lrp::default())),
        in_all("Sobel", Nothing, "no pass", |_| Box::new(Sobel)),
        in_all("Laplace", Nothing, "no pass", |_| Box::new(Laplace)),
        in_all("Intensity", Nothing, "no pass", |_| Box::new(Intensity)),
        by_name("Uniform Noise", Nothing, "from -1 to 1: no pass", |s| Box::new(UniformNoise { seed: s.seed })),
        by_name("LRP EpsilonPlus", Layers, "zennit's EpsilonPlus: one pass back", |_| Box::new(LrpComposite::epsilon_plus())),
        by_name("LRP EpsilonGammaBox", Layers, "zennit's EpsilonGammaBox, pixels from 0 to 1: one pass back", |_| Box::new(LrpComposite::epsilon_gamma_box(0.0, 1.0))),
        by_name("LRP EpsilonAlpha2Beta1", Layers, "zennit's EpsilonAlpha2Beta1: one pass back", |_| Box::new(LrpComposite::epsilon_alpha2_beta1())),
        by_name("LRP EpsilonPlusFlat", Layers, "zennit's EpsilonPlusFlat: one pass back", |_| Box::new(LrpComposite::epsilon_plus_flat())),
        by_name("LRP EpsilonAlpha2Beta1Flat", Layers, "zennit's EpsilonAlpha2Beta1Flat: one pass back", |_| Box::new(LrpComposite::epsilon_alpha2_beta1_flat())),
        by_name("Excitation Backprop", Layers, "z+ in all layers: one pass back", |_| Box::new(LrpComposite::excitation_backprop())),
        by_name("Deep Taylor", Layers, "w2 in the first layer, z+ in the others: one pass back", |_| Box::new(DeepTaylor::unbounded())),
        by_name("Grad-CAM", Layers, "one pass back to the last convolution, enlarged bilinearly", |_| Box::new(GradCam::default())),
        by_name("Grad-CAM++", Layers, "as grad_cam", |_| Box::new(GradCamPlusPlus::default())),
        by_name("HiResCAM", Layers, "as grad_cam", |_| Box::new(HiResCam::default())),
        by_name("LayerCAM", Layers, "as grad_cam", |_| Box::new(LayerCam::default())),
        by_name("Guided Grad-CAM", Layers, "two passes back", |_| Box::new(GuidedGradCam::default())),
        by_name("SmoothGrad", Gradient, "saliency, 5 samples, noise of 15 % of the image's range: 5 passes forward and back", |s| Box::new(SmoothGrad::of(Saliency).seed(s.seed))),
        by_name("SmoothGrad Squared", Gradient, "as smooth_grad", |s| Box::new(SmoothGrad::of(Saliency).squared().seed(s.seed))),
        by_name("VarGrad", Gradient, "as smooth_grad", |s| Box::new(SmoothGrad::of(Saliency).variance().seed(s.seed))),
        by_name("Occlusion", Scores, "windows of 3 x 3, strides 1: one pass per window", |_| Box::new(Occlusion::default())),
        by_name("Feature Ablation", Scores, "each value is a part: one pass per part", |s| Box::new(FeatureAblation { segments: s.segments })),
        by_name("Shapley Value Sampling", Scores, "each value is a part, 25 orders: 25 passes per part", |s| Box::new(ShapleyValueSampling { segments: s.segments, seed: s.seed, ..Default::default() })),
        by_name("LIME", Scores, "each value is a part, Lasso 0.01: 51 passes", |s| Box::new(Lime { segments: s.segments, seed: s.seed, ..Default::default() })),
        by_name("KernelSHAP", Scores, "each value is a part: 25 passes", |s| Box::new(KernelShap { segments: s.segments, seed: s.seed, ..Default::default() })),
        by_name("RISE", Scores, "grid of 7 x 7, open with probability 0.5: 4001 passes", |s| Box::new(Rise { seed: s.seed, ..Default::default() })),
    ]
}

fn by_name<M>(
    title: &'static str,
    needs: Needs,
    defaults: &'static str,
    make: fn(Settings) -> Box<dyn Explain<M>>,
) -> NamedMethod<M> {
    NamedMethod {
        name: make(Settings::default()).name(),
        title,
        needs,
        defaults,
        in_all: false,
        make,
    }
}

fn in_all<M>(
    title: &'static str,
    needs: Needs,
    defaults: &'static str,
    make: fn(Settings) -> Box<dyn Explain<M>>,
) -> NamedMethod<M> {
    NamedMethod {
        in_all: true,
        ..by_name(title, needs, defaults, make)
    }
}

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

/// The method of this name with its default options, for a [`Panel`](crate::attribution::Panel)
/// that is assembled at run time: `named("lime", 7)`. The seed is for methods that draw samples.
///
/// # Errors
/// If no method has this name. The message suggests a similar name, or lists the names.
pub fn named<M: Layered>(name: &str, settings: impl Into<Settings>) -> Result<Box<dyn Explain<M>>> {
    let methods = all::<M>();
    if let Some(method) = methods.iter().find(|method| method.name == name) {
        return Ok((method.make)(settings.into()));
    }
    let names: Vec<&str> = methods.iter().map(|method| method.name).collect();
    let near = did_you_mean(name, &names).unwrap_or_else(|| ".".to_owned());
    Err(Error::invalid(format!(
        "no method is called `{name}`{near} There are {}",
        names.join(", ")
    )))
}

/// The name of a method in tables and figures: `deep_lift` is "DeepLIFT". If [`named`] does not
/// know the name, it is written with spaces and a capital.
pub fn method_title(name: &str) -> String {
    for (known, title) in OF_OTHERS {
        match name.strip_prefix(known) {
            Some("") => return title.to_owned(),
            Some(rest) if rest.starts_with('_') => {
                return format!("{title} {}", capitalised(&rest[1..]));
            }
            _ => {}
        }
    }
    let known = all::<Network>()
        .into_iter()
        .find(|method| method.name == name);
    known.map_or_else(|| capitalised(name), |method| method.title.to_owned())
}

/// The titles of methods that need images of their own, so that [`named`] cannot make them. A variant
/// has a longer name: `pattern_net_relu`.
const OF_OTHERS: [(&str, &str); 3] = [
    ("deep_lift_shap", "DeepLIFT SHAP"),
    ("pattern_net", "PatternNet"),
    ("pattern_attribution", "PatternAttribution"),
];

fn capitalised(name: &str) -> String {
    let capitalised = |word: &str| {
        let mut letters = word.chars();
        let first = letters.next().map(|c| c.to_uppercase().to_string());
        first.unwrap_or_default() + letters.as_str()
    };
    let words: Vec<String> = name.split('_').map(capitalised).collect();
    words.join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn titles_are_readable() {
        assert_eq!(method_title("integrated_gradients"), "Integrated Gradients");
        assert_eq!(method_title("input_x_gradient"), "Input × Gradient");
        assert_eq!(method_title("my_own"), "My Own");
        assert_eq!(method_title("pattern_net"), "PatternNet");
        assert_eq!(method_title("pattern_net_relu"), "PatternNet Relu");
        assert_eq!(method_title("pattern_network"), "Pattern Network");
    }
}
