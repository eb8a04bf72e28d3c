//! Methods that attribute a network's class score to the pixels of its input.
//!
//! A [`Panel`] runs several [methods] on the same images. Shared results are computed once
//! per batch: the forward pass with its intermediate results ([`Trace`]), the pass of the baseline,
//! and the gradient. One engine, [`propagate`], walks back through a trace. Its [`rules`] define
//! what each kind of layer does. There is no autodiff tape.
//!
//! If the network's dropout is [active](crate::network::Network::with_active_dropout), each pass of
//! an image has its own masks, drawn by the image's index. The shared forward pass has one set, so
//! methods that start from it see the same masks. (Captum repeats this pass for each method, so
//! each sees other masks.) The baseline has another set, and each point of a path, sample or
//! changed image has its own. A mask multiplies the forward pass and belongs to the gradient.
//! Relevance passes through unchanged.

mod baseline;
mod batch;
mod engine;
mod gallery;
mod images;
mod layer;
pub mod lrp;
mod measures;
mod memory;
mod method;
pub mod methods;
mod model;
mod panel;
mod patterns;
mod rows;
pub mod rules;
mod scoring;
mod segments;
mod target;
mod trace;
mod wrappers;

pub use baseline::Baseline;
pub use batch::Batch;
pub use engine::propagate;
pub(crate) use gallery::Gallery;
pub use gallery::Shown;
pub use images::Images;
pub use layer::{
    internal_influence, layer_activation, layer_conductance, layer_gradient_x_activation,
};
pub use measures::{
    Deletion, Explained, Infidelity, Insertion, MaxSensitivity, Measure, Measured, Metrics, Mprt,
    PixelFlipping, RandomLogit, Randomised, Road, Sparseness,
};
pub use memory::Memory;
pub use method::{Explain, Method};
pub use methods::{
    CamOptions, Deconvolution, DeepLift, DeepLiftShap, DeepTaylor, Enlarge, ExpectedGradients,
    FeatureAblation, FeaturePermutation, GradCam, GradCamPlusPlus, GradientShap, GuidedBackprop,
    GuidedGradCam, HiResCam, InputXGradient, IntegratedGradients, Intensity, KernelShap, Laplace,
    LayerCam, Lime, Lrp, LrpComposite, Noise, Occlusion, PatternAttribution, PatternNet, Rise,
    Saliency, ShapleyValueSampling, SmoothGrad, Sobel, UniformNoise,
};
pub use model::{Differentiable, Explainable, Layered, NoModel, Predict};
pub use panel::{Map, Panel};
pub use patterns::{PatternEstimator, Patterns};
pub use rules::Rule;
pub use segments::{Parts, Segments};
pub use target::{Target, Targets};
pub use trace::{Step, Trace, layer_evaluations};
pub use wrappers::{BurnModel, Closure};
