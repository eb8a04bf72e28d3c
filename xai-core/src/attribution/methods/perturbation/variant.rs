//! Variants of an image, each made from the one before it by changing some values.
//!
//! If the first layer is fully connected, a changed value changes its outputs by a column of weights. So a variant costs one
//! column instead of all weights, and only the layers behind the first one pass it. The sums are kept in double precision and begin
//! with the layer's own outputs: a variant that is equal to the first has the same scores to the last bit.

use std::rc::Rc;

use ndarray::ArrayView3;

use crate::attribution::{Batch, Predict};
use crate::device::download;
use crate::error::Result;
use crate::network::{Layer, Network};

/// The weights of a fully connected first layer.
#[derive(Clone)]
pub(super) struct FirstLayer {
    /// `[in][out]`.
    weight: Rc<[f32]>,
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
        Ok(Some(Self {
            weight: weight.collect(),
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
    /// The first variant, with these values.
    pub fn new<M: Predict>(
        batch: &Batch<'_, M>,
        pixels: ArrayView3<f32>,
        first: Option<FirstLayer>,
    ) -> Result<Self> {
        let (c, h, w) = pixels.dim();
        let values: Vec<f32> = pixels.iter().copied().collect();
        let Some(layer) = first else {
            let first = None;
            return Ok(Self { values, first });
        };
        let outputs = batch.outputs_of_layers(FirstLayer::LAYERS, values.clone(), [c, h, w])?;
        let outputs = outputs.into_iter().map(f64::from).collect();
        let first = Some((layer, outputs));
        Ok(Self { values, first })
    }

    /// Changes the value at a place, counted in the order channel, row, column.
    pub fn set(&mut self, place: usize, value: f32) {
        let before = std::mem::replace(&mut self.values[place], value);
        if let Some((layer, outputs)) = &mut self.first {
            layer.add(outputs, place, f64::from(value) - f64::from(before));
        }
    }

    /// Makes the variant equal to another one, from which it differs at most at this place.
    pub fn restore(&mut self, place: usize, other: &Self) {
        self.values[place] = other.values[place];
        if let (Some((_, outputs)), Some((_, others))) = (&mut self.first, &other.first) {
            outputs.copy_from_slice(others);
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
    use ndarray::{Array3, Array4, Axis, s};
    use rand::Rng;

    use crate::attribution::{FeaturePermutation, Images, Map, Panel, ShapleyValueSampling};
    use crate::device::{DeviceChoice, upload};
    use crate::network::{Layer, Linear, Network};
    use crate::random;

    /// Three images of 4 x 5, six donors, and a network of these layers behind a number of layers that put images in one row.
    fn example(dropout: f64) -> (Images, Array4<f32>, impl Fn(usize) -> Network) {
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
            Layer::Dropout(dropout),
            linear(7, 2),
        ];
        let images = Array3::from_shape_vec((3, 4, 5), numbers(60)).unwrap();
        let donors = Array4::from_shape_vec((6, 1, 4, 5), numbers(120)).unwrap();
        let network = move |flattened: usize| {
            let rows = std::iter::repeat_n(Layer::Flatten, flattened);
            Network::new(rows.chain(layers.clone()).collect())
        };
        (Images::grey(images, vec![0, 1, 0]), donors, network)
    }

    /// A network that puts images in one row twice has no first layer that this module knows, so each variant passes all
    /// layers. With dropout, each variant has masks of its own.
    #[test]
    fn sums_that_are_kept_change_nothing_but_rounding() {
        let (images, donors, network) = example(0.3);
        let panel = Panel::new()
            .with(ShapleyValueSampling::default())
            .with(FeaturePermutation::new(donors, 3));
        let maps = |flattened: usize| -> Vec<Map> {
            let network = network(flattened).with_active_dropout(5);
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
    #[test]
    fn a_value_that_replaces_itself_changes_nothing() {
        let (images, _, network) = example(0.0);
        let donors = images.pixels.clone();
        for donor in donors.outer_iter() {
            let image = Images::new(donor.to_owned().insert_axis(Axis(0)), vec![0]);
            let panel = Panel::new().with(FeaturePermutation::new(image.pixels.clone(), 2));
            let map = panel.explain(&network(1), &image, 1).unwrap();
            assert!(map[0].values.iter().all(|&value| value == 0.0));
        }
        // A huge donor spoils only its own value.
        let mut huge = donors.slice(s![..1, .., .., ..]).to_owned();
        huge[[0, 0, 1, 2]] = 1e30;
        let image = Images::new(donors.slice(s![..1, .., .., ..]).to_owned(), vec![0]);
        let panel = Panel::new().with(FeaturePermutation::new(huge, 2));
        let map = panel.explain(&network(1), &image, 1).unwrap();
        let found = map[0].values.indexed_iter();
        let changed: Vec<_> = found.filter(|(_, value)| **value != 0.0).collect();
        assert_eq!(changed.len(), 1);
        assert_eq!(changed[0].0, (0, 0, 1, 2));
    }
}
