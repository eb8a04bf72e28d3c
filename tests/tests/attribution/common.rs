//! Code that several files of these tests share.

use std::cell::RefCell;
use std::rc::Rc;

use burn::tensor::{Tensor, TensorData};
pub use experiments::the_eight;
use ndarray::{Array2, Array3, Array4, ArrayView3, s};
use tests::Fixture;
use xai_core::attribution::{
    Batch, Closure, Explain, Explainable, Images, KernelShap, Lime, Map, Method, NoModel, Panel,
    Segments, ShapleyValueSampling, SmoothGrad,
};
use xai_core::network::Network;

/// The class that the fixtures explain.
pub const TARGET: usize = 1;

/// A network of Captum's fixtures, and its images.
pub fn network(name: &str) -> (Network, Images) {
    let fixture = Fixture::read(&format!("captum/{name}.safetensors"));
    (fixture.network(), fixture.images())
}

pub fn one(map: Vec<Map>) -> Array4<f32> {
    assert_eq!(map.len(), 1);
    map.into_iter().next().unwrap().values
}

pub fn explain<M: Explainable>(
    method: impl Explain<M> + 'static,
    model: &M,
    images: &Images,
) -> Array4<f32> {
    one(Panel::new()
        .with(method)
        .explain(model, images, TARGET)
        .unwrap())
}

/// Diagonal stripes; labels need not be consecutive.
pub fn stripes(h: usize, w: usize) -> Segments {
    Segments::map(Array2::from_shape_fn((h, w), |(y, x)| {
        7 + 10 * ((y + 2 * x) / 5)
    }))
}

pub fn grid() -> Segments {
    Segments::grid(4, 4)
}

pub fn shapley(segments: Segments) -> ShapleyValueSampling {
    ShapleyValueSampling {
        segments,
        ..Default::default()
    }
}

pub fn lime(segments: Segments) -> Lime {
    Lime {
        segments,
        ..Default::default()
    }
}

pub fn kernel_shap(segments: Segments) -> KernelShap {
    KernelShap {
        segments,
        ..Default::default()
    }
}

pub type Scores = xai_core::Result<Array2<f32>>;
pub type AnyClosure = Closure<Box<dyn Fn(Array4<f32>) -> Scores>>;

/// A model of two classes on the host: class 1 has the score of each image `[c, h, w]`, class 0 its negative.
pub fn model(score: impl Fn(ArrayView3<f32>) -> f32 + 'static) -> AnyClosure {
    Closure(Box::new(move |images| {
        let scores = images.outer_iter().map(&score);
        let scores: Vec<f32> = scores.flat_map(|score| [-score, score]).collect();
        Ok(Array2::from_shape_vec((images.dim().0, 2), scores).unwrap())
    }))
}

/// The images that a method shows to a model, in order.
pub fn shown(method: impl Explain<AnyClosure> + 'static, images: &Images) -> Vec<Array3<f32>> {
    let seen = Rc::new(RefCell::new(Vec::new()));
    let keep = seen.clone();
    let model = model(move |image| {
        keep.borrow_mut().push(image.to_owned());
        0.0
    });
    explain(method, &model, images);
    drop(model);
    Rc::into_inner(seen).unwrap().into_inner()
}

/// One image of the list by itself, with its index.
pub fn single(images: &Images, image: usize) -> Images {
    let range = image..image + 1;
    let pixels = images.pixels.slice(s![range, .., .., ..]).to_owned();
    Images::new(pixels, vec![images.class[image]]).with_index(vec![images.index[image]])
}

/// A method whose attribution is the pixels themselves; it keeps them.
pub struct Pixels(Rc<RefCell<Vec<Array4<f32>>>>);

impl Method for Pixels {
    fn name(&self) -> &'static str {
        "pixels"
    }
}

impl<M> Explain<M> for Pixels {
    fn attribute(&self, batch: &Batch<'_, M>) -> xai_core::Result<xai_core::device::Tensor<4>> {
        let pixels = batch.pixels();
        let shape: [usize; 4] = pixels.dim().into();
        self.0.borrow_mut().push(pixels.to_owned());
        let values: Vec<f32> = pixels.iter().copied().collect();
        Ok(Tensor::from_data(
            TensorData::new(values, shape),
            batch.device(),
        ))
    }
}

/// The noise of each sample of SmoothGrad.
pub fn noise_of(images: &Images, samples: usize, stdev: f64) -> Vec<Array4<f32>> {
    let seen = Rc::new(RefCell::new(Vec::new()));
    let method = SmoothGrad::of(Pixels(seen.clone()))
        .samples(samples)
        .absolute(stdev);
    explain(method, &NoModel, images);
    let seen = Rc::into_inner(seen).unwrap().into_inner();
    seen.iter().map(|noisy| noisy - &images.pixels).collect()
}

/// The mean of each of five columns.
pub fn quantities(image: ArrayView3<f32>) -> [f64; 5] {
    std::array::from_fn(|column| {
        let column = image.slice(s![.., .., column]);
        column.iter().map(|&value| f64::from(value)).sum::<f64>() / column.len() as f64
    })
}

pub fn columns() -> Segments {
    Segments::grid(1, 5)
}

pub fn a_picture() -> Images {
    let pixels = Array4::from_shape_fn((2, 2, 3, 5), |(n, c, y, x)| {
        (1.3 * x as f32 + 0.7 * y as f32 - c as f32 + 2.1 * n as f32).sin() + 0.2
    });
    Images::new(pixels, vec![0, 1]).with_index(vec![4, 9])
}
