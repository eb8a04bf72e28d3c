//! Methods that attribute a network's class score to the pixels of its input.
//!
//! A [`Panel`] runs several [methods](methods) on the same images. What they share is computed
//! once a batch: the forward pass with everything that happened in it ([`Trace`]), the pass of the
//! baseline, the gradient. Going back through a trace is one engine ([`propagate`]) whose
//! [`rules`] say what each kind of layer does to what flows back; there is no autodiff tape.

mod batch;
mod engine;
mod images;
mod layer;
pub mod lrp;
pub mod methods;
mod model;
mod panel;
pub mod rules;
mod shapes;
mod trace;

pub use batch::Batch;
pub use engine::propagate;
pub use images::{Images, Targets};
pub use layer::{layer_activation, layer_conductance};
pub use methods::{
    Deconvolution, DeepLift, DeepLiftShap, GradCam, GradientShap, GuidedBackprop, GuidedGradCam,
    InputXGradient, IntegratedGradients, Intensity, Laplace, Lrp, LrpComposite, Saliency, Sobel,
};
pub use model::{Explain, Explainable, Layered, Method, NoModel};
pub use panel::{Map, Panel};
pub use rules::Rule;
pub use trace::{Step, Trace, layer_evaluations};
