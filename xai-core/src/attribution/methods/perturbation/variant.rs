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
