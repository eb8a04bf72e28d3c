//! The smallest benchmark there is, for tests of the engine.

use ndarray::Array4;
use xai_core::prelude::*;

/// `N` images of one pixel in each split. Their classes go round: 0, 1, …, `CLASSES` - 1, 0, 1, …
#[derive(Clone)]
pub struct Points<const N: usize, const CLASSES: usize>;

impl<const N: usize, const CLASSES: usize> Benchmark for Points<N, CLASSES> {
    const NAME: &'static str = "points";
    type Args = NoArgs;

    fn open(_: &NoArgs, _: Scale) -> Result<Self> {
        Ok(Self)
    }

    fn identity(&self) -> serde_json::Value {
        serde_json::json!([N, CLASSES])
    }

    fn classes(&self) -> Vec<String> {
        (0..CLASSES).map(|class| format!("class {class}")).collect()
    }

    fn split(&self, _: Split, _: &Context) -> Result<Dataset> {
        let images = Array4::from_shape_fn((N, 1, 1, 1), |(image, ..)| image as f32);
        Dataset::new(
            images,
            (0..N).map(|image| (image % CLASSES) as u8).collect(),
        )
    }
}
