//! The methods. Each is a value that holds its options; defaults are Captum's.

use super::{Explain, Layered};
use crate::error::{Error, Result};

mod cam;
mod composite;
mod filters;
mod gradient;
mod path;
mod relevance;

pub use cam::{GradCam, GuidedGradCam};
pub use composite::LrpComposite;
pub use filters::{Intensity, Laplace, Sobel};
pub use gradient::{Deconvolution, GuidedBackprop, InputXGradient, Saliency};
pub(super) use path::gauss_legendre;
pub use path::{GradientShap, IntegratedGradients};
pub use relevance::{DeepLift, DeepLiftCaptum, DeepLiftShap, Lrp};

/// The names of all methods, as [`named`] takes them.
pub const NAMES: [&str; 17] = [
    "integrated_gradients",
    "gradient_shap",
    "deep_lift",
    "deep_lift_captum",
    "saliency",
    "input_x_gradient",
    "guided_backprop",
    "deconvolution",
    "lrp",
    "lrp_epsilon_plus",
    "lrp_epsilon_gamma_box",
    "lrp_epsilon_alpha2_beta1",
    "grad_cam",
    "guided_grad_cam",
    "sobel",
    "laplace",
    "intensity",
];

/// The method of this name with its default options, for a [`Panel`](super::Panel) that is put
/// together at run time. `seed` drives those that draw samples.
///
/// # Errors
/// A name that no method has; the message says which names there are.
pub fn named<M: Layered>(name: &str, seed: u64) -> Result<Box<dyn Explain<M>>> {
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
        "grad_cam" => Box::new(GradCam::default()),
        "guided_grad_cam" => Box::new(GuidedGradCam::default()),
        "sobel" => Box::new(Sobel),
        "laplace" => Box::new(Laplace),
        "intensity" => Box::new(Intensity),
        _ => {
            return Err(Error::invalid(format!(
                "no method is called `{name}`; there are {}",
                NAMES.join(", ")
            )));
        }
    })
}
