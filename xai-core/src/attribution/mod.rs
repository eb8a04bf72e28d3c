//! Methods that attribute a network's class score to the pixels of its input.
//!
//! A [`Panel`] runs several [methods](methods) on the same images. What they share is computed
//! once a batch: the forward pass with everything that happened in it ([`Trace`]), the pass of the
//! baseline, the gradient. Going back through a trace is one engine ([`propagate`]) whose
//! [`rules`] say what each kind of layer does to what flows back; there is no autodiff tape.
//!
//! Where the network's dropout is [active](crate::network::Network::with_active_dropout), each pass of an image
//! has masks of its own, drawn by the image's index: one the pass that is shared (so methods that start from it
//! see the same masks, where Captum, which repeats the pass for each, sees others), one the baseline, one each
//! point of a path, sample or changed image. A mask multiplies forward and belongs to the gradient; relevance
//! passes through unchanged.

mod baseline;
mod batch;
mod engine;
mod gallery;
mod images;
mod layer;
pub mod lrp;
mod memory;
mod method;
pub mod methods;
mod model;
mod panel;
mod rows;
pub mod rules;
mod segments;
mod shapes;
mod trace;
mod wrappers;

pub use baseline::Baseline;
pub use batch::Batch;
pub use engine::propagate;
pub(crate) use gallery::Gallery;
pub use gallery::Shown;
pub use images::{Images, Targets};
pub use layer::{
    internal_influence, layer_activation, layer_conductance, layer_gradient_x_activation,
};
pub use memory::Memory;
pub use method::{Explain, Method};
pub use methods::{
    Deconvolution, DeepLift, DeepLiftShap, ExpectedGradients, FeatureAblation, GradCam,
    GradientShap, GuidedBackprop, GuidedGradCam, InputXGradient, IntegratedGradients, Intensity,
    KernelShap, Laplace, Lime, Lrp, LrpComposite, Occlusion, Rise, Saliency, ShapleyValueSampling,
    SmoothGrad, Sobel,
};
pub use model::{Differentiable, Explainable, Layered, NoModel, Predict};
pub use panel::{Map, Panel};
pub use rules::Rule;
pub use segments::{Parts, Segments};
pub use trace::{Step, Trace, layer_evaluations};
pub use wrappers::{BurnModel, Closure};
