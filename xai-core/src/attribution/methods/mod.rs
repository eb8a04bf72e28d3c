//! The methods. Each is a value that holds its options. Defaults are Captum's.

mod cam;
mod composite;
mod deep_taylor;
mod expected;
mod filters;
mod gradient;
mod named;
mod path;
mod patterns;
mod perturbation;
mod relevance;
mod smooth;

pub use cam::{CamOptions, Enlarge, GradCam, GradCamPlusPlus, GuidedGradCam, HiResCam, LayerCam};
pub use composite::LrpComposite;
pub use deep_taylor::DeepTaylor;
pub use expected::ExpectedGradients;
pub use filters::{Intensity, Laplace, Sobel, UniformNoise};
pub use gradient::{Deconvolution, GuidedBackprop, InputXGradient, Saliency};
pub use named::{NamedMethod, Needs, Settings, all, method_title, named, notes};
pub(super) use path::gauss_legendre;
pub use path::{GradientShap, IntegratedGradients};
pub use patterns::{PatternAttribution, PatternNet};
pub use perturbation::{
    FeatureAblation, FeaturePermutation, KernelShap, Lime, Occlusion, Rise, ShapleyValueSampling,
};
pub use relevance::{DeepLift, DeepLiftCaptum, DeepLiftShap, Lrp};
pub use smooth::{Noise, SmoothGrad};
