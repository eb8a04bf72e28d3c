use ndarray::{Array2, Array4};
use xai_core::prelude::*;

/// Saliency needs a gradient, LRP needs layers; a closure has neither, and a number is no model.
fn main() {
    let images = Images::new(Array4::zeros((1, 1, 4, 4)), vec![0]);
    let model = Closure(|images: Array4<f32>| Ok(Array2::zeros((images.dim().0, 2))));
    let _ = explain!(model = model, input = images, methods = [Lrp::default(), Occlusion::default()]);
    let _ = explain!(model = model, input = images, methods = [Saliency]);
    let _ = explain!(input = images, methods = [Occlusion::default()]);
    let _ = explain!(model = 7, input = images, methods = [Sobel]);
}
