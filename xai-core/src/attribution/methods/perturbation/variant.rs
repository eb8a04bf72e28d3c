//! Variants of an image, each made from the one before it by changing some values.
//!
//! If the first layer is fully connected, a changed value changes its outputs by a column of weights. The sums are kept in
//! double precision, so a variant costs one column instead of all weights, and only the layers behind the first one pass it.

use std::rc::Rc;

use ndarray::ArrayView3;

use crate::attribution::{Batch, Predict};
use crate::device::download;
use crate::error::Result;
use crate::network::{Layer, Network};

/// A fully connected first layer.
#[derive(Clone)]
pub(super) struct FirstLayer {
    /// `[in][out]`.
    weight: Rc<[f32]>,
    /// `[out]`.
    bias: Rc<[f64]>,
}

impl FirstLayer {
    /// The number of layers that it stands for: the image is put in one row before.
    const LAYERS: usize = 2;

    /// The first layer of a batch's model, if it is fully connected.
    pub fn of<M: Predict>(batch: &Batch<'_, M>) -> Result<Option<Self>> {
        let Some(Network { layers, .. }) = batch.model().layers() else {
            return Ok(None);
        };
        let [Layer::Flatten, Layer::Linear(first), ..] = &layers[..] else {
            return Ok(None);
        };
        let [outputs, inputs] = first.weight.dims();
        let (_, c, h, w) = batch.pixels().dim();
        if inputs != c * h * w {
            return Ok(None); // a grey image for several channels
        }
        let weight = download(first.weight.clone())?;
        let column = |input: usize| (0..outputs).map(move |output| output * inputs + input);
        let weight = (0..inputs).flat_map(column).map(|at| weight[at]);
        let bias = match &first.bias {
            Some(bias) => download(bias.clone())?,
            None => vec![0.0; outputs],
        };
        Ok(Some(Self {
            weight: weight.collect(),
            bias: bias.into_iter().map(f64::from).collect(),
        }))
    }

    /// Adds to the outputs what `change` of the value at this place adds.
    fn add(&self, outputs: &mut [f64], place: usize, change: f64) {
        let weights = &self.weight[place * outputs.len()..][..outputs.len()];
        for (output, &weight) in outputs.iter_mut().zip(weights) {
            *output += f64::from(weight) * change;
        }
    }
}

/// A variant that further changes turn into the next.
#[derive(Clone)]
pub(super) struct Variant {
    values: Vec<f32>,
    /// The first layer and its outputs.
    first: Option<(FirstLayer, Vec<f64>)>,
}

impl Variant {
    pub fn new(pixels: ArrayView3<f32>, first: Option<FirstLayer>) -> Self {
        let values: Vec<f32> = pixels.iter().copied().collect();
        let first = first.map(|layer| {
            let mut outputs = layer.bias.to_vec();
            for (place, &value) in values.iter().enumerate() {
                layer.add(&mut outputs, place, value.into());
            }
            (layer, outputs)
        });
        Self { values, first }
    }

    /// Changes the value at a place, counted in the order channel, row, column.
    pub fn set(&mut self, place: usize, value: f32) {
        let before = std::mem::replace(&mut self.values[place], value);
        if let Some((layer, outputs)) = &mut self.first {
            layer.add(outputs, place, f64::from(value) - f64::from(before));
        }
    }

    /// The number of layers whose work is done, and the shape of what passes through the others, if images are `[c, h, w]`.
    pub fn shape(&self, (c, h, w): (usize, usize, usize)) -> (usize, [usize; 3]) {
        match &self.first {
            Some((_, outputs)) => (FirstLayer::LAYERS, [outputs.len(), 1, 1]),
            None => (0, [c, h, w]),
        }
    }

    /// Appends what passes through the rest of the model: the outputs of the first layer, or the values.
    pub fn append_to(&self, rows: &mut Vec<f32>) {
        match &self.first {
            Some((_, outputs)) => rows.extend(outputs.iter().map(|&output| output as f32)),
            None => rows.extend_from_slice(&self.values),
        }
    }
}

#[cfg(test)]
mod tests {
    use ndarray::{Array3, Array4};
    use rand::Rng;

    use crate::attribution::{FeaturePermutation, Images, Map, Panel, ShapleyValueSampling};
    use crate::device::{DeviceChoice, upload};
    use crate::network::{Layer, Linear, Network};
    use crate::random;

    /// A network that puts images in one row twice has no first layer that this module knows, so each variant passes all
    /// layers. With dropout, each variant has masks of its own.
    #[test]
    fn sums_that_are_kept_change_nothing_but_rounding() {
        let device = DeviceChoice::Flex.open().unwrap();
        let mut random = random::stream(0, "variants");
        let mut numbers = |count: usize| -> Vec<f32> {
            (0..count).map(|_| random.random_range(-1.0..1.0)).collect()
        };
        let mut linear = |inputs: usize, outputs: usize| {
            Layer::Linear(Linear {
                weight: upload(numbers(inputs * outputs), [outputs, inputs], &device),
                bias: Some(upload(numbers(outputs), [outputs], &device)),
            })
        };
        let layers = [
            linear(20, 7),
            Layer::Relu,
            Layer::Dropout(0.3),
            linear(7, 2),
        ];
        let images = Array3::from_shape_vec((3, 4, 5), numbers(60)).unwrap();
        let donors = Array4::from_shape_vec((6, 1, 4, 5), numbers(120)).unwrap();
        let images = Images::grey(images, vec![0, 1, 0]);
        let panel = Panel::new()
            .with(ShapleyValueSampling::default())
            .with(FeaturePermutation::new(donors, 3));
        let maps = |flattened: usize| -> Vec<Map> {
            let rows = std::iter::repeat_n(Layer::Flatten, flattened);
            let network = Network::new(rows.chain(layers.clone()).collect());
            let network = network.with_active_dropout(5);
            panel.explain(&network, &images, 1).unwrap()
        };
        for (kept, whole) in maps(1).iter().zip(&maps(2)) {
            let largest = whole
                .values
                .iter()
                .fold(0.0f32, |most, x| most.max(x.abs()));
            let apart = (&kept.values - &whole.values).mapv(f32::abs);
            let apart = apart.iter().fold(0.0f32, |most, &x| most.max(x));
            assert!(largest > 0.1 && apart < 1e-6, "{}: {apart}", kept.method);
        }
    }
}
